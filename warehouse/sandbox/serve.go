package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// ServeIfChild serves one request and exits when this process was started as a
// child ("<executable> sandbox"); otherwise it returns at once. Call it first
// in main, and in the TestMain of packages whose tests load files, with
// files.Open.
func ServeIfChild(open ingest.Opener) {
	if len(os.Args) == 2 && os.Args[1] == Command {
		os.Exit(serve(open))
	}
}

// serve does what the request on standard input asks, behind walls. It answers
// the exit status: 0 with an answer, which may be an error.
func serve(open ingest.Opener) int {
	// Before anything else opens a descriptor of its own.
	if err := closeInherited(); err != nil {
		fmt.Fprintln(os.Stderr, "close inherited descriptors:", err)
		return 3
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "read request:", err)
		return 3
	}
	out := &writer{encoder: json.NewEncoder(os.Stdout)}
	var r request
	if err := json.Unmarshal(input, &r); err != nil {
		out.send(message{Error: describe(fmt.Errorf("decode request: %w", err))})
		return 0
	}
	// A file that grows beyond its limit is an error of the write, not a death.
	signal.Ignore(syscall.SIGXFSZ)
	reader, err := r.reader(open)
	if err != nil {
		out.send(message{Error: describe(err)})
		return 0
	}
	if err := r.confine(); err != nil && !r.AllowUnconfined {
		os.RemoveAll(r.tempDir())
		out.send(message{Error: describe(ErrUnavailable.Wrap(err))})
		return 0
	}
	debug.SetTraceback("single")
	debug.SetMemoryLimit(160 << 20)
	debug.SetGCPercent(50)
	m := r.answer(reader, out)
	if reader.Writer != nil {
		reader.Writer.Close()
		os.RemoveAll(r.tempDir())
	}
	out.send(m)
	return 0
}

// tempDir is where DuckDB spills.
func (r *request) tempDir() string {
	_, dir := r.grants()
	return filepath.Join(dir, "tmp-duckdb")
}

// duckdbMemory bounds what DuckDB takes before it spills.
const duckdbMemory = 160 << 20

// reader makes what the request needs. DuckDB starts before the walls stand,
// since it looks at the machine when it starts; it sees nothing of the file yet.
func (r *request) reader(open ingest.Opener) (*ingest.Reader, error) {
	reader := &ingest.Reader{Open: open}
	if r.Load == nil && (r.Inspect == nil || !ingest.NeedsWriter(*r.Inspect)) {
		return reader, nil
	}
	var err error
	reader.Writer, err = segments.Open(segments.Config{MemoryLimit: duckdbMemory, TempDir: r.tempDir()})
	return reader, err
}

func (r *request) answer(reader *ingest.Reader, out *writer) message {
	ctx := context.Background()
	progress := func(p ingest.Progress) { out.send(message{Progress: &p}) }
	var m message
	var err error
	switch {
	case r.Inspect != nil:
		m.Inspection, err = reader.Inspect(ctx, *r.Inspect, progress)
	case r.Load != nil:
		m.Loaded, err = reader.Load(ctx, *r.Load, progress)
	case r.Probe != nil:
		outcome := r.Probe.run()
		m.Probed = &outcome
	default:
		err = errors.New("the request asks for nothing")
	}
	if err != nil {
		return message{Error: describe(err)}
	}
	return m
}

// grants are the file to read and the directory to write in.
func (r *request) grants() (read, dir string) {
	switch {
	case r.Inspect != nil:
		return r.Inspect.Path, r.Inspect.Dir
	case r.Load != nil:
		return r.Load.Path, r.Load.Dir
	case r.Probe != nil:
		return r.Probe.Read, r.Probe.Dir
	}
	return "", ""
}

func describe(err error) *failure {
	public := apperr.Describe(err)
	if public.Class == apperr.Internal {
		return &failure{Detail: err.Error()}
	}
	return &failure{Code: public.Code, Sentence: public.Sentence, Detail: apperr.Cause(err)}
}

// writer writes messages, one a line.
type writer struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func (w *writer) send(m message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.encoder.Encode(m); err != nil {
		// Nobody listens any more.
		os.Exit(4)
	}
}
