package devstack

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// redisServer runs Redis without a file on disk: everything in it can be
// rebuilt from PostgreSQL.
type redisServer struct {
	dataDir   string
	sockets   string
	account   account
	maxMemory int64
	nursery   *nursery
}

func (r *redisServer) name() string { return "Redis" }

func (r *redisServer) socket() string { return filepath.Join(r.sockets, redisSocketName) }

func (r *redisServer) url() string {
	return (&url.URL{Scheme: "unix", Path: r.socket()}).String()
}

func (r *redisServer) start(ctx context.Context, _ func(string)) (*process, error) {
	program, err := findRedis()
	if err != nil {
		return nil, err
	}
	log, err := openLog(filepath.Join(r.dataDir, "logs", "redis.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(program, "-",
		"--port", "0", "--unixsocket", r.socket(), "--unixsocketperm", "700",
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--supervised", "no",
		"--maxmemory", strconv.FormatInt(r.maxMemory, 10), "--maxmemory-policy", "volatile-lru",
		"--loglevel", "warning", "--dir", r.sockets)
	// Settings by arguments; the "-" reads further ones from an empty input, as
	// without a file Redis warns.
	cmd.Dir = r.sockets
	cmd.Env = []string{"LANG=C", "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = log, log
	// It has nothing to lose, so it goes at once when the supervisor does.
	p, err := r.nursery.start(cmd, r.account, syscall.SIGKILL)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(startTimeout); ; {
		if r.ping() {
			return p, nil
		}
		if p.ended() || time.Now().After(deadline) || ctx.Err() != nil {
			p.stop(time.Second)
			return nil, ErrStart.With("Redis did not start. See %s.", log.Name()).Wrap(p.err)
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			continue
		}
	}
}

func (r *redisServer) ping() bool { return strings.HasPrefix(r.ask("PING"), "+PONG") }

// ask sends one command. What goes wrong shows as an empty answer.
func (r *redisServer) ask(command string) string {
	conn, err := net.DialTimeout("unix", r.socket(), time.Second)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return ""
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return ""
	}
	answer := make([]byte, 64)
	n, _ := conn.Read(answer)
	return string(answer[:n])
}

// stop asks over the socket, as signals are looked at only every 100 ms.
func (r *redisServer) stop(p *process) {
	r.ask("SHUTDOWN NOSAVE")
	p.stop(3*time.Second, syscall.SIGTERM)
}
