// Package browser prints pages with Chromium: one warm browser for a process,
// one tab for a document.
//
// The browser runs under a user of its own when the process is root, always
// with its sandbox, with profile and home in a directory of its own, and
// resolves nothing but the one origin that it is made for. It is replaced
// after a number of documents or above a memory limit, and ended when a page
// hangs. A page says itself when it is complete: it calls window.dataflowReady
// with a text.
package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong.
var (
	ErrMissing = apperr.Define(apperr.Unavailable, "browser.missing",
		"Chromium is not installed on this machine, so nothing can be printed. Install it, or name it with DATAFLOW_BROWSER.")
	ErrNoSandbox = apperr.Define(apperr.Unavailable, "browser.no_sandbox",
		"This machine offers Chromium no sandbox, so nothing is printed. Allow user namespaces, or set DATAFLOW_BROWSER_SANDBOX=off where everything it prints is trusted.")
	ErrStart   = apperr.Define(apperr.Unavailable, "browser.start", "Chromium could not be started.")
	ErrCrashed = apperr.Define(apperr.Unavailable, "browser.crashed", "Chromium ended while it printed. Try again.")
	ErrTimeout = apperr.Define(apperr.Timeout, "browser.timeout", "The page took longer to print than it may.")
	ErrClosed  = apperr.Define(apperr.Unavailable, "browser.closed", "Printing has ended with this process.")
)

// Config sets how the browser runs. The zero value of a field means the default
// in its comment.
type Config struct {
	// Path is the program itself (default: chromium-headless-shell, else the
	// first in PATH of what Chromium is called).
	Path string
	// Origin is "127.0.0.1:8123", where Host is found. Required.
	Origin string
	// Stage is the path of a page that a tab opens before it has a document, so
	// that only the document itself is waited for. It calls dataflowReady when it
	// can take one, and offers dataflowShow, which is called with the document's
	// path. Without it a tab opens the document.
	Stage string
	// NoSandbox lets the browser run without its sandbox.
	NoSandbox bool
	// Dir is where profiles are made: short, as sockets lie below it, and
	// reachable by another user (default: the system's temporary files).
	Dir string
	// Tabs is how many documents are printed at a time (default 2).
	Tabs int
	// Timeout bounds one document, waiting for a tab not included (default 2 minutes).
	Timeout time.Duration
	// Documents is after how many a browser is replaced (default 200).
	Documents int
	// MemoryBytes is above which private memory a browser is replaced (default 600 MB).
	MemoryBytes int64
	Log         *slog.Logger

	flags []chromedp.ExecAllocatorOption // of tests
}

// Host is the name by which pages reach Config.Origin. No other resolves.
const Host = "print.invalid"

func (c Config) withDefaults() Config {
	if c.Dir == "" {
		c.Dir = os.TempDir()
	}
	if c.Tabs <= 0 {
		c.Tabs = 2
	}
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.Documents <= 0 {
		c.Documents = 200
	}
	if c.MemoryBytes <= 0 {
		c.MemoryBytes = 600e6
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Browser prints. It is safe for concurrent use; nothing is started before the
// first document.
type Browser struct {
	cfg     Config
	slots   chan struct{}
	starts  sync.Mutex // one start at a time
	mu      sync.Mutex
	current *instance // nil: none runs
	closed  bool
	running sync.WaitGroup // instances
}

// New makes a Browser.
func New(cfg Config) *Browser {
	cfg = cfg.withDefaults()
	return &Browser{cfg: cfg, slots: make(chan struct{}, cfg.Tabs)}
}

// Print opens the page, waits until it says that it is complete, and takes it.
//
// Errors: browser.missing, browser.no_sandbox, browser.start, browser.crashed
// (another try may work), browser.timeout, browser.closed, or that of ctx.
func (b *Browser) Print(ctx context.Context, p Page) (Printed, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return Printed{}, ctx.Err()
	}
	in, err := b.acquire(ctx)
	if err != nil {
		return Printed{}, err
	}
	limited, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	printed, err := b.print(limited, in, p)
	stuck := limited.Err() != nil
	b.release(in, stuck)
	switch {
	case err == nil:
		return printed, nil
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Printed{}, ctx.Err()
	case stuck:
		return Printed{}, ErrTimeout.Wrap(err)
	case in.dead() || errors.Is(err, context.Canceled): // the browser ended, or the tab
		return Printed{}, ErrCrashed.Wrap(err)
	}
	return Printed{}, fmt.Errorf("print: %w", err)
}

func (b *Browser) print(ctx context.Context, in *instance, p Page) (Printed, error) {
	t, err := b.tab(ctx, in)
	if err != nil {
		return Printed{}, err
	}
	b.prepare(in)
	return t.print(ctx, p, b.cfg.Stage != "")
}

// acquire answers the running browser, or starts one.
func (b *Browser) acquire(ctx context.Context) (*instance, error) {
	b.starts.Lock()
	defer b.starts.Unlock()
	if in, err := b.take(); in != nil || err != nil {
		return in, err
	}
	in, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		in.end()
		return nil, ErrClosed
	}
	in.tabs = 1
	b.current = in
	return in, nil
}

// take answers the running browser with one more tab; nil where none runs.
func (b *Browser) take() (*instance, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	in := b.current
	if in == nil || in.dead() {
		b.current = nil
		return nil, nil
	}
	in.tabs++
	return in, nil
}

// release gives a tab back. A browser that had its share, or in which a page
// hangs, gets no further one and ends with its last.
func (b *Browser) release(in *instance, stuck bool) {
	memory := in.memory()
	b.mu.Lock()
	defer b.mu.Unlock()
	in.tabs--
	in.printed++
	if stuck || in.dead() || in.printed >= b.cfg.Documents || memory > b.cfg.MemoryBytes {
		if b.current == in {
			b.current = nil
		}
		in.retired = true
	}
	if in.retired && in.tabs == 0 {
		b.cfg.Log.Debug("browser replaced", "documents", in.printed, "memory", memory, "stuck", stuck)
		in.end()
	}
}

// Close ends the browser, and what it prints with it.
func (b *Browser) Close() error {
	b.mu.Lock()
	b.closed = true
	in := b.current
	b.current = nil
	b.mu.Unlock()
	if in != nil {
		in.end()
	}
	b.running.Wait()
	return nil
}
