package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// site is a print origin. A page that is asked for "/wait" tells asked.
type site struct {
	*httptest.Server
	asked chan struct{}
}

const ready = `<script>window.dataflowReady("done " + document.title)</script>`

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{asked: make(chan struct{}, 8)}
	mux := http.NewServeMux()
	page := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Numbers</title><style>@page{size:A4;margin:12mm}</style><body>%s</body></html>`, body)
		})
	}
	page("/good", `<h1>Forty-two</h1>`+ready)
	page("/picture", `<svg id="s" width="40" height="20"><rect width="40" height="20"/></svg>`+ready)
	page("/stuck", `<script>for(;;){}</script>`)
	page("/silent", `<h1>never complete</h1><script>fetch("/wait")</script>`)
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		s.asked <- struct{}{}
		<-r.Context().Done()
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s
}

func (s *site) origin() string { return strings.TrimPrefix(s.URL, "http://") }

func open(t *testing.T, s *site, change func(*Config)) *Browser {
	t.Helper()
	// Short, since a socket lies in it, and reachable by the browser's user.
	dir, err := os.MkdirTemp("", "df")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Origin: s.origin(), Dir: dir}
	if change != nil {
		change(&cfg)
	}
	b := New(cfg)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func pdf(path string) Page { return Page{Path: path, Format: PDF, Width: 700, Height: 900} }

func TestPrintTakesAPageWhenItSaysSo(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t), nil)
	printed, err := b.Print(t.Context(), pdf("/good"))
	if err != nil {
		t.Fatal(err)
	}
	if printed.Said != "done Numbers" {
		t.Errorf("the page said %q", printed.Said)
	}
	body := string(printed.Body)
	if !strings.HasPrefix(body, "%PDF-") || !strings.Contains(body, "/StructTreeRoot") || !strings.Contains(body, "/Marked true") {
		t.Errorf("no tagged PDF: %.60q", body)
	}
	svg, err := b.Print(t.Context(), Page{Path: "/picture", Format: SVG, Width: 100, Height: 100, Take: "#s"})
	if err != nil || !strings.HasPrefix(string(svg.Body), "<svg") {
		t.Errorf("svg: %.40q, %v", svg.Body, err)
	}
	png, err := b.Print(t.Context(), Page{Path: "/picture", Format: PNG, Width: 100, Height: 100, Take: "#s", Scale: 2})
	if err != nil || !strings.HasPrefix(string(png.Body), "\x89PNG") {
		t.Errorf("png: %.10q, %v", png.Body, err)
	}
}

// The browser's processes run as nobody when this one is root, each under a
// seccomp filter of the sandbox where they draw pages.
func TestTheBrowserIsWalledOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := open(t, s, nil)
	if _, err := b.Print(t.Context(), pdf("/good")); err != nil {
		t.Fatal(err)
	}
	renderers := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range stats {
		group, name := processOf(filepath.Dir(path))
		if group != b.current.pid {
			continue
		}
		status, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		uid := field(string(status), "Uid:")
		if os.Geteuid() == 0 && uid == "0" {
			t.Errorf("%s runs as root", name)
		}
		if !strings.Contains(name, "--type=renderer") {
			continue
		}
		renderers++
		if field(string(status), "Seccomp:") != "2" || field(string(status), "NoNewPrivs:") != "1" {
			t.Errorf("a renderer has no sandbox:\n%s", status)
		}
	}
	if renderers == 0 {
		t.Error("no renderer found")
	}
}

// A tab that opened the stage before there was a document shows one, and the
// next document finds nothing of it.
func TestDocumentsAreBroughtToTheStage(t *testing.T) {
	t.Parallel()
	b := openStage(t)
	for _, want := range []string{"a after nothing", "b after nothing", "c after nothing"} {
		printed, err := b.Print(t.Context(), pdf("/"+want[:1]))
		if err != nil {
			t.Fatal(err)
		}
		if printed.Said != want || !strings.HasPrefix(string(printed.Body), "%PDF-") {
			t.Errorf("the page said %q, want %q", printed.Said, want)
		}
	}
	if _, err := b.Print(t.Context(), pdf("/refused")); err == nil {
		t.Error("a page that was refused is printed")
	}
}

// A spare tab whose process ends costs no more than the document that it was
// opened for.
func TestASpareTabThatDied(t *testing.T) {
	t.Parallel()
	b := openStage(t)
	if _, err := b.Print(t.Context(), pdf("/a")); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	spare := b.current.spare
	b.mu.Unlock()
	<-spare.done
	killed := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range stats {
		group, name := processOf(filepath.Dir(path))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && group == b.current.pid && strings.Contains(name, "--type=renderer") && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("no renderer found")
	}
	if _, err := b.Print(t.Context(), pdf("/b")); err != nil && !errors.Is(err, ErrCrashed) {
		t.Errorf("got %v, want browser.crashed or a document", err)
	}
	if _, err := b.Print(t.Context(), pdf("/c")); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// openStage opens a browser with a stage that says which document it shows, and
// what it showed before.
func openStage(t *testing.T) *Browser {
	t.Helper()
	s := newSite(t)
	s.Config.Handler.(*http.ServeMux).HandleFunc("/stage", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<script>
let before = "nothing";
window.dataflowShow = async (path) => {
  if (path === "/refused") throw new Error("refused");
  const said = path.slice(1) + " after " + before;
  before = document.body.textContent = path;
  await window.dataflowReady(said);
};
window.dataflowReady("");
</script>`))
	})
	return open(t, s, func(c *Config) { c.Stage = "/stage" })
}

func processOf(dir string) (group int, commandLine string) {
	stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) > 2 {
		group, _ = strconv.Atoi(fields[2])
	}
	line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	return group, strings.ReplaceAll(string(line), "\x00", " ")
}

func field(status, name string) string {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Fields(rest)[0]
		}
	}
	return ""
}

func TestNothingButTheOriginResolves(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(other.Close)
	s := newSite(t)
	s.Config.Handler.(*http.ServeMux).HandleFunc("/reach", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<script>
const tries = [%q, "http://localhost:%s/", "http://example.com/", "http://print.invalid:81/"].map((url) => fetch(url, { mode: "no-cors" }).then(() => url, () => ""));
Promise.all(tries).then((reached) => window.dataflowReady(reached.join("")));
</script>`, other.URL, strings.TrimPrefix(other.URL, "http://127.0.0.1:"))
	})
	b := open(t, s, nil)
	printed, err := b.Print(t.Context(), pdf("/reach"))
	if err != nil {
		t.Fatal(err)
	}
	if printed.Said != "" || hits.Load() != 0 {
		t.Errorf("the page reached %q, %d requests arrived", printed.Said, hits.Load())
	}
}

func TestKilledInMidPrint(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := open(t, s, nil)
	go func() {
		<-s.asked
		b.mu.Lock()
		defer b.mu.Unlock()
		_ = syscall.Kill(b.current.pid, syscall.SIGKILL)
	}()
	if _, err := b.Print(t.Context(), pdf("/silent")); !errors.Is(err, ErrCrashed) {
		t.Fatalf("got %v, want browser.crashed", err)
	}
	if _, err := b.Print(t.Context(), pdf("/good")); err != nil {
		t.Fatalf("the next one: %v", err)
	}
}

func TestAStuckPageEndsWithItsDeadline(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t), func(c *Config) { c.Timeout = 3 * time.Second })
	if _, err := b.Print(t.Context(), pdf("/stuck")); !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v, want browser.timeout", err)
	}
	b.mu.Lock()
	kept := b.current
	b.mu.Unlock()
	if kept != nil {
		t.Error("the browser with the stuck page is kept")
	}
	b.cfg.Timeout = time.Minute
	if _, err := b.Print(t.Context(), pdf("/good")); err != nil {
		t.Fatalf("the next one: %v", err)
	}
}

func TestCancelledPrintAnswersTheContext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := open(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-s.asked
		cancel()
	}()
	if _, err := b.Print(ctx, pdf("/silent")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestABrowserIsReplaced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"after its documents": func(c *Config) { c.Documents = 2 },
		"above its memory":    func(c *Config) { c.MemoryBytes = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, newSite(t), change)
			seen := map[string]bool{}
			for range 3 {
				if _, err := b.Print(t.Context(), pdf("/good")); err != nil {
					t.Fatal(err)
				}
				dirs, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "dataflow-browser-*"))
				for _, dir := range dirs {
					seen[dir] = true
				}
			}
			if len(seen) < 2 {
				t.Errorf("%d browsers printed three documents", len(seen))
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "dataflow-browser-*")); len(left) > 0 {
				t.Errorf("profiles are left: %v", left)
			}
		})
	}
}

func TestNoSandboxIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	without := []chromedp.ExecAllocatorOption{chromedp.Flag("disable-namespace-sandbox", true), chromedp.Flag("disable-setuid-sandbox", true)}
	b := open(t, s, func(c *Config) { c.flags = without })
	if _, err := b.Print(t.Context(), pdf("/good")); !errors.Is(err, ErrNoSandbox) {
		t.Fatalf("got %v, want browser.no_sandbox", err)
	}
	allowed := open(t, s, func(c *Config) { c.flags, c.NoSandbox = without, true })
	if _, err := allowed.Print(t.Context(), pdf("/good")); err != nil {
		t.Fatalf("where the operator allows it: %v", err)
	}
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t), func(c *Config) { c.Path = "/nonexistent/chromium" })
	if _, err := b.Print(t.Context(), pdf("/good")); !errors.Is(err, ErrMissing) {
		t.Fatalf("got %v", err)
	}
}

func TestDocumentsShareABrowser(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t), nil)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := b.Print(t.Context(), pdf("/good")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if b.current.printed != 4 || b.current.tabs != 0 {
		t.Errorf("one browser printed %d, %d tabs are open", b.current.printed, b.current.tabs)
	}
}

// Thirty documents, over five browsers, leave no process and no profile behind,
// and no browser has more processes after its documents than after its first.
func TestThirtyDocumentsLeaveNoProcesses(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t), func(c *Config) { c.Documents = 6 })
	most := 0
	for i := range 30 {
		if _, err := b.Print(t.Context(), pdf("/good")); err != nil {
			t.Fatal(err)
		}
		n := len(processesOf(b.cfg.Dir))
		if i == 0 {
			most = n
		}
		// A tab that has just been closed may still end, and so may a browser.
		if n > 2*most+1 {
			t.Errorf("%d processes after %d documents, %d after the first", n, i+1, most)
		}
	}
	if most == 0 {
		t.Fatal("no process was found, so nothing was counted")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// They were killed as a group; the kernel may not have reaped the last yet.
	for deadline := time.Now().Add(10 * time.Second); len(processesOf(b.cfg.Dir)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("left: %v", processesOf(b.cfg.Dir))
		}
		runtime.Gosched()
	}
	if left, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "dataflow-browser-*")); len(left) > 0 {
		t.Errorf("profiles are left: %v", left)
	}
}

// processesOf are the processes whose home lies below a directory.
func processesOf(dir string) (list []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if environ, err := os.ReadFile(file); err == nil && strings.Contains(string(environ), "="+dir+"/") {
			list = append(list, filepath.Base(filepath.Dir(file)))
		}
	}
	return list
}
