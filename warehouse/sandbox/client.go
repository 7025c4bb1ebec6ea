// Package sandbox runs the inspection and the loading of uploaded files in a
// short-lived child process that can reach nothing but its input file and its
// output directory: no other file (Landlock), no socket and no other process
// (seccomp), no environment, no inherited descriptor, so much memory, so much
// time.
package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
)

// Client starts children. It is safe for concurrent use, and its zero value
// works where main (or TestMain) calls ServeIfChild first.
type Client struct {
	// Executable is the binary to start, default this process's own.
	Executable string
	// MemoryLimit is the most private memory of a child in bytes, default
	// 1.5 GiB; what a child really takes stays far below.
	MemoryLimit int64
	// InspectTimeout and LoadTimeout are wall-clock deadlines, default 30 min
	// and 2 h. Processor time is limited to as much on every core.
	InspectTimeout time.Duration
	LoadTimeout    time.Duration
	// MaxOutput is the most bytes one file of a child may have, default 64 GiB.
	MaxOutput int64
	// AllowUnconfined runs children even where the kernel cannot wall them
	// off. An operator's decision, never a default.
	AllowUnconfined bool
}

// Inspect finds out what a file holds. progress may be nil; it is called a few
// times a second, from another goroutine, never after Inspect returned.
//
// Errors: files.*, ingest.*, sandbox.unavailable, sandbox.timeout, and the
// cause of ctx when that ended.
func (c *Client) Inspect(ctx context.Context, r ingest.InspectRequest, progress func(ingest.Progress)) (*ingest.Inspection, error) {
	answer, err := c.run(ctx, request{Inspect: &r}, orDefault(c.InspectTimeout, 30*time.Minute), progress)
	if err != nil {
		removeLeft(r.Dir, func(name string) bool { return name == "rejects.csv" || strings.HasPrefix(name, "tmp-") })
		return nil, err
	}
	if answer.Inspection == nil {
		return nil, ErrReaderDied.Wrap(errors.New("the child gave no inspection"))
	}
	if err := within(r.Dir, answer.Inspection.RejectsFile); err != nil {
		return nil, ErrReaderDied.Wrap(err)
	}
	return answer.Inspection, nil
}

// Load loads a file into segments under request.Dir, which is emptied on an
// error.
//
// Errors: as Inspect.
func (c *Client) Load(ctx context.Context, r ingest.LoadRequest, progress func(ingest.Progress)) (*ingest.Loaded, error) {
	answer, err := c.run(ctx, request{Load: &r}, orDefault(c.LoadTimeout, 2*time.Hour), progress)
	if err != nil {
		removeLeft(r.Dir, func(string) bool { return true })
		return nil, err
	}
	if answer.Loaded == nil {
		return nil, ErrReaderDied.Wrap(errors.New("the child loaded nothing"))
	}
	wrote := []string{answer.Loaded.RejectsFile}
	for _, f := range answer.Loaded.Segments {
		wrote = append(wrote, f.Path, f.Sample)
	}
	if err := within(r.Dir, wrote...); err != nil {
		removeLeft(r.Dir, func(string) bool { return true })
		return nil, ErrReaderDied.Wrap(err)
	}
	return answer.Loaded, nil
}

// within tells whether files that a child names are its own: regular ones in
// its directory, or "". A hostile file that took a child over could name any
// other, and what a child names is published and read without its walls.
func within(dir string, paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if filepath.Dir(path) != filepath.Clean(dir) {
			return fmt.Errorf("the child names %q, which is not in its directory", path)
		}
		info, err := os.Lstat(path)
		if err != nil {
			return fmt.Errorf("the child names a file that is not there: %w", err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("the child names %q, which is no regular file", path)
		}
	}
	return nil
}

// Try has a child do what a probe names and answers what came of it.
func (c *Client) Try(ctx context.Context, p Probe, timeout time.Duration) (string, error) {
	answer, err := c.run(ctx, request{Probe: &p}, timeout, nil)
	if err != nil {
		return "", err
	}
	if answer.Probed == nil {
		return "", ErrReaderDied.Wrap(errors.New("the child gave no answer"))
	}
	return *answer.Probed, nil
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func removeLeft(dir string, left func(name string) bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if left(e.Name()) {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// run starts a child, gives it the request and waits for its answer.
func (c *Client) run(ctx context.Context, r request, timeout time.Duration, progress func(ingest.Progress)) (*message, error) {
	r.MemoryLimit = orDefault(c.MemoryLimit, 1536<<20)
	r.MaxOutput = orDefault(c.MaxOutput, 64<<30)
	r.CPUSeconds = int64(timeout.Seconds()+1) * int64(runtime.NumCPU())
	r.AllowUnconfined = c.AllowUnconfined
	input, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	executable := c.Executable
	if executable == "" {
		if executable, err = ownExecutable(); err != nil {
			return nil, fmt.Errorf("find own executable: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	deadline, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	child := exec.CommandContext(deadline, executable, Command)
	child.Args[0] = "dataflow"
	child.Env = []string{}
	child.Dir = "/"
	child.Stdin = bytes.NewReader(input)
	child.SysProcAttr = dieWithParent()
	child.WaitDelay = 5 * time.Second
	var said complaints
	child.Stderr = &said
	output, err := child.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start child: %w", err)
	}
	answer, err := converse(child, output, progress)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case answer != nil && answer.Error != nil:
		return nil, answer.Error.restore()
	case answer != nil && err == nil:
		return answer, nil
	case deadline.Err() != nil, killedBy(err, syscall.SIGXCPU):
		return nil, ErrTimeout.Wrap(err)
	}
	return nil, ErrReaderDied.Wrap(fmt.Errorf("%w: %s", err, said.text()))
}

// converse starts the child and reads its messages. It runs on a thread of its
// own, because a child is killed with the thread that started it.
func converse(child *exec.Cmd, output io.Reader, progress func(ingest.Progress)) (answer *message, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err = child.Start(); err != nil {
			return
		}
		lines := bufio.NewScanner(output)
		lines.Buffer(make([]byte, 0, 64<<10), maxMessage)
		for lines.Scan() {
			var m message
			if json.Unmarshal(lines.Bytes(), &m) != nil {
				continue
			}
			if m.Progress == nil {
				answer = &m
			} else if progress != nil {
				progress(*m.Progress)
			}
		}
		if err = lines.Err(); err != nil {
			_ = child.Process.Kill()
			_ = child.Wait()
			answer = nil
			return
		}
		err = child.Wait()
		if err == nil && answer == nil {
			err = errors.New("the child ended without an answer")
		}
	}()
	<-done
	return answer, err
}

// maxMessage is the most bytes of one message: a child that was taken over may
// write without an end. The largest is that of a load into thousands of segments.
const maxMessage = 32 << 20

func killedBy(err error, signal syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}

func (f *failure) restore() error {
	if f.Code == "" {
		return errors.New(f.Detail)
	}
	err := apperr.Restore(f.Code, f.Sentence)
	var known *apperr.Error
	if errors.As(err, &known) && f.Detail != "" {
		return known.Wrap(errors.New(f.Detail))
	}
	return err
}

// complaints keeps the first and the last of what a child writes to its
// standard error: a crash names its reason first and its place last.
type complaints struct{ head, tail []byte }

const complaintBytes = 2 << 10

func (c *complaints) Write(p []byte) (int, error) {
	n := len(p)
	if room := complaintBytes - len(c.head); room > 0 {
		room = min(room, len(p))
		c.head = append(c.head, p[:room]...)
		p = p[room:]
	}
	c.tail = append(c.tail, p...)
	if over := len(c.tail) - complaintBytes; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	return n, nil
}

func (c *complaints) text() string {
	return strings.TrimSpace(string(c.head) + " … " + string(c.tail))
}
