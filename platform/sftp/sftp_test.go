package sftp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/dataflowhq/dataflow/platform/sftp/sftptest"
)

func config(s *sftptest.Server) Config {
	return Config{Address: s.Address, User: sftptest.User, Password: sftptest.Password, HostKey: s.HostKey, Folder: "in",
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}}
}

func TestAFileArrivesWhole(t *testing.T) {
	t.Parallel()
	signer, private := sftptest.NewKey(t)
	s := sftptest.Start(t, signer.PublicKey())
	if err := os.Mkdir(filepath.Join(s.Dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("0123456789", 200_000)
	for _, c := range []func(*Config){func(*Config) {}, func(c *Config) { c.Password, c.PrivateKey = "", private },
		func(c *Config) { c.HostKey = "files.example.com " + c.HostKey }} {
		cfg := config(s)
		c(&cfg)
		if err := cfg.Put(t.Context(), "Täglich 日 2026.csv", strings.NewReader(big)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(s.Dir, "in", "Täglich 日 2026.csv"))
		if err != nil || string(got) != big {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	// One that breaks off leaves the old file and no part of the new one.
	broken := io.MultiReader(strings.NewReader(big[:1000]), failing{})
	if err := config(s).Put(t.Context(), "Täglich 日 2026.csv", broken); err == nil {
		t.Error("a broken file is taken")
	}
	list, err := os.ReadDir(filepath.Join(s.Dir, "in"))
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if got, _ := os.ReadFile(filepath.Join(s.Dir, "in", "Täglich 日 2026.csv")); string(got) != big {
		t.Errorf("%d bytes are left", len(got))
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the file broke off") }

func TestOnlyTheRightServerGetsAnything(t *testing.T) {
	t.Parallel()
	s := sftptest.Start(t, nil)
	other, _ := sftptest.NewKey(t)
	for want, change := range map[error]func(*Config){
		ErrHostKey: func(c *Config) { c.HostKey = string(ssh.MarshalAuthorizedKey(other.PublicKey())) },
		ErrRefused: func(c *Config) { c.Password = "bad" },
		ErrConfig:  func(c *Config) { c.User = "" },
		ErrKeyText: func(c *Config) { c.HostKey = "" },
		ErrUnavailable: func(c *Config) {
			c.Dial = func(context.Context, string) (net.Conn, error) { return nil, ErrUnavailable }
		},
	} {
		cfg := config(s)
		change(&cfg)
		if err := cfg.Put(t.Context(), "x.csv", strings.NewReader("x")); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	cfg := config(s)
	cfg.Folder = "missing"
	if err := cfg.Put(t.Context(), "x.csv", strings.NewReader("x")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "folder") {
		t.Errorf("%v", err)
	}
	if err := (Config{Address: "x", User: "y", HostKey: "z"}).Check(); !errors.Is(err, ErrConfig) {
		t.Errorf("%v", err)
	}
}
