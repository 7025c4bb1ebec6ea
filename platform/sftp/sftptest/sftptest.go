// Package sftptest is an SFTP server for tests: it listens on the loopback,
// speaks SSH with keys of its own, and keeps files in a directory.
package sftptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Server is an SSH server with the SFTP subsystem over a directory.
type Server struct {
	Address string
	Dir     string // what clients see; names are relative to it
	HostKey string // "ssh-ed25519 AAAA…"
	client  ssh.PublicKey
}

// The user that is let in, and the password.
const (
	User     = "df"
	Password = "good"
)

// NewKey makes a key pair; private is its PEM.
func NewKey(t testing.TB) (signer ssh.Signer, private string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = ssh.NewSignerFromKey(key); err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

// Start runs a server until the test ends. Client is let in besides the password; nil for none.
func Start(t testing.TB, client ssh.PublicKey) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), client: client}
	host, _ := NewKey(t)
	s.HostKey = string(ssh.MarshalAuthorizedKey(host.PublicKey()))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s.Address = listener.Addr().String()
	cfg := &ssh.ServerConfig{
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.User() == User && string(password) == Password {
				return nil, nil
			}
			return nil, errors.New("no")
		},
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.client != nil && string(key.Marshal()) == string(s.client.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		},
	}
	cfg.AddHostKey(host)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, cfg)
		}
	}()
	return s
}

func (s *Server) serve(conn net.Conn, cfg *ssh.ServerConfig) {
	defer func() { _ = conn.Close() }()
	_, channels, requests, err := ssh.NewServerConn(conn, cfg)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for fresh := range channels {
		channel, requests, err := fresh.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				_ = r.Reply(r.Type == "subsystem" && string(r.Payload[4:]) == "sftp", nil)
			}
		}()
		files, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(s.Dir))
		if err != nil {
			return
		}
		_ = files.Serve()
		_ = channel.Close()
	}
}
