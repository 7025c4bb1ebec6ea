package devstack

import (
	"encoding/json"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Users and supervisor exchange one JSON object a line. Either side may be of
// another release of the program: fields are added, never changed.

// request is what a user says: first what it needs, at the end that it leaves.
type request struct {
	Postgres    bool  `json:"postgres,omitempty"`
	Redis       bool  `json:"redis,omitempty"`
	RedisMemory int64 `json:"redis_memory,omitempty"`
	Release     bool  `json:"release,omitempty"`
}

// reply is what the supervisor says.
type reply struct {
	State    string `json:"state"`
	Sentence string `json:"sentence,omitempty"`

	// with "ready"
	PID         int    `json:"pid,omitempty"`
	DatabaseURL string `json:"database_url,omitempty"`
	AdminURL    string `json:"admin_url,omitempty"`
	RedisURL    string `json:"redis_url,omitempty"`

	// with "failed"
	Code string `json:"code,omitempty"`
}

const (
	stateListening = "listening" // to the user that started it, once others can join
	stateTaken     = "taken"     // to the same: another supervisor listens already
	stateStarting  = "starting"  // Sentence is for people
	stateReady     = "ready"
	stateFailed    = "failed"
	stateNote      = "note"     // a server was started again; Sentence is for the log
	stateReleased  = "released" // others still use the servers
	stateStopping  = "stopping" // the connection ends when all have stopped
)

func failure(err error) reply {
	public := apperr.Describe(err)
	return reply{State: stateFailed, Code: public.Code, Sentence: public.Sentence}
}

// wire is one connection. Writing is bounded in time: neither side may hang on
// the other. The caller serialises writes.
type wire struct {
	conn *net.UnixConn
	in   *json.Decoder
}

func newWire(conn *net.UnixConn) *wire { return &wire{conn: conn, in: json.NewDecoder(conn)} }

func (w *wire) send(message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err = w.conn.Write(append(text, '\n'))
	return err
}

// checkPeer refuses the other end unless it is ourselves or root.
func checkPeer(conn *net.UnixConn, uid int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("ask for peer: %w", credErr)
	}
	if cred.Uid != 0 && int(cred.Uid) != uid {
		return fmt.Errorf("peer is %s", userName(int(cred.Uid)))
	}
	return nil
}
