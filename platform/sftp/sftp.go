// Package sftp puts files on servers of customers.
package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong.
var (
	ErrConfig = apperr.Define(apperr.Invalid, "sftp.config", "The settings of the SFTP server can't be used.")
	// These are of one setting each.
	ErrKeyText  = apperr.Define(apperr.Invalid, "sftp.host_key_text", "Write the server's host key as ssh-keyscan says it: “ssh-ed25519 AAAA…”.")
	ErrPrivate  = apperr.Define(apperr.Invalid, "sftp.private_key", "The private key can't be read. It has to be PEM, without a passphrase.")
	ErrNoSecret = apperr.Define(apperr.Invalid, "sftp.no_secret", "Write a password or a private key.")
	// ErrHostKey is a server that is not the one it was.
	ErrHostKey = apperr.Define(apperr.Forbidden, "sftp.host_key",
		"The SFTP server has another host key than the one that was saved. Find out why before you save the new one.")
	ErrRefused     = apperr.Define(apperr.Invalid, "sftp.refused", "The SFTP server refused it.")
	ErrUnavailable = apperr.Define(apperr.Unavailable, "sftp.unavailable", "The SFTP server can't be reached now.")
)

const handshake = 20 * time.Second

// Config says where files go and how to get in.
type Config struct {
	Address    string // host:port
	User       string
	Password   string
	PrivateKey string // PEM; may be empty with a password
	HostKey    string // "ssh-ed25519 AAAA…", also with a host before it
	Folder     string
	Dial       func(ctx context.Context, address string) (net.Conn, error)
}

// Check refuses what Put could not use; it connects to nothing.
//
// Errors: sftp.config.
func (c Config) Check() error {
	_, err := c.client()
	return err
}

func (c Config) client() (*ssh.ClientConfig, error) {
	if _, _, err := net.SplitHostPort(c.Address); err != nil || c.User == "" {
		return nil, ErrConfig.With("Write the server and the user.").Wrap(err)
	}
	host, err := hostKey(c.HostKey)
	if err != nil {
		return nil, err
	}
	cfg := &ssh.ClientConfig{User: c.User, Timeout: handshake, HostKeyAlgorithms: algorithms(host), HostKeyCallback: func(_ string, _ net.Addr, got ssh.PublicKey) error {
		if got.Type() != host.Type() || string(got.Marshal()) != string(host.Marshal()) {
			return ErrHostKey
		}
		return nil
	}}
	if c.PrivateKey != "" {
		signer, err := ssh.ParsePrivateKey([]byte(c.PrivateKey))
		if err != nil {
			return nil, ErrPrivate // the cause could quote it
		}
		cfg.Auth = append(cfg.Auth, ssh.PublicKeys(signer))
	}
	if c.Password != "" {
		cfg.Auth = append(cfg.Auth, ssh.Password(c.Password))
	}
	if len(cfg.Auth) == 0 {
		return nil, ErrNoSecret
	}
	return cfg, nil
}

// hostKey reads a line of known_hosts, of ssh-keyscan, or of a .pub file.
func hostKey(text string) (ssh.PublicKey, error) {
	text = strings.TrimSpace(text)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		if _, _, key, _, _, err = ssh.ParseKnownHosts([]byte(text)); err != nil {
			return nil, ErrKeyText.Wrap(err)
		}
	}
	return key, nil
}

// algorithms are those by which a server can prove the key that is known.
func algorithms(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}

// Put writes a file under another name and then gives it its own, so that
// nobody finds a part of it; one of the same name is replaced.
//
// Errors: sftp.config and those of one setting, sftp.host_key and sftp.refused, which another attempt
// does not mend; sftp.unavailable; those of Dial.
func (c Config) Put(ctx context.Context, name string, r io.Reader) error {
	cfg, err := c.client()
	if err != nil {
		return err
	}
	conn, err := c.Dial(ctx, c.Address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// The library knows no context: its end closes the connection.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(handshake))
	session, channels, requests, err := ssh.NewClientConn(conn, c.Address, cfg)
	if err != nil {
		if errors.Is(err, ErrHostKey) || strings.Contains(err.Error(), ErrHostKey.Code()) {
			return ErrHostKey
		}
		if strings.Contains(err.Error(), "unable to authenticate") {
			return ErrRefused.With("The SFTP server refused our sign-in.").Wrap(err)
		}
		return ErrUnavailable.Wrap(fmt.Errorf("open ssh: %w", err))
	}
	_ = conn.SetDeadline(time.Time{})
	client := ssh.NewClient(session, channels, requests)
	defer func() { _ = client.Close() }()
	files, err := sftp.NewClient(client)
	if err != nil {
		return ErrRefused.With("The server does not speak SFTP.").Wrap(err)
	}
	defer func() { _ = files.Close() }()
	return told(put(files, path.Join(c.Folder, name), r))
}

func put(files *sftp.Client, full string, r io.Reader) error {
	part := path.Join(path.Dir(full), "."+path.Base(full)+".part")
	w, err := files.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err := w.ReadFrom(r); err != nil {
		_ = w.Close()
		_ = files.Remove(part)
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := files.PosixRename(part, full); err == nil {
		return nil
	}
	// A server without that extension replaces nothing by itself.
	_ = files.Remove(full)
	return files.Rename(part, full)
}

func told(err error) error {
	var status *sftp.StatusError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return ErrRefused.With("The SFTP server has no such folder.").Wrap(err)
	case errors.Is(err, os.ErrPermission):
		return ErrRefused.With("The SFTP server does not let us write there.").Wrap(err)
	case errors.As(err, &status):
		return ErrRefused.Wrap(err)
	}
	return ErrUnavailable.With("The connection to the SFTP server broke off.").Wrap(err)
}
