package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/config"
	"github.com/dataflowhq/dataflow/platform/devstack"
)

// asMain in the environment makes the test's program the product's.
const asMain = "DATAFLOW__AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" || (len(os.Args) > 1 && (os.Args[1] == "devstack" || os.Args[1] == "sandbox")) {
		main()
	}
	os.Exit(m.Run())
}

// try runs a command within the test and answers its status and output.
func try(t *testing.T, environ []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	e := &env{environ: environ, stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	status = run(t.Context(), e, args)
	return status, out.String(), errs.String()
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}} {
		status, out, errs := try(t, nil, args...)
		if status != 0 || errs != "" {
			t.Errorf("%v: status %d, %s", args, status, errs)
		}
		for _, c := range commands {
			if c.summary != "" && !strings.Contains(out, "\n  "+c.name) {
				t.Errorf("%v does not list %s", args, c.name)
			}
		}
	}
	for _, c := range commands {
		if c.summary == "" {
			continue
		}
		status, out, errs := try(t, nil, c.name, "-h")
		if status != 0 || errs != "" || !strings.HasPrefix(out, "Usage: dataflow "+c.name) {
			t.Errorf("%s -h: status %d, %q, %q", c.name, status, out, errs)
		}
	}
	if status, out, errs := try(t, nil); status != statusUsage || out != "" || !strings.Contains(errs, "Usage:") {
		t.Errorf("no command: status %d, %q", status, out)
	}
}

func TestMistakesAreOneLine(t *testing.T) {
	t.Parallel()
	home := []string{"HOME=" + t.TempDir(), "DATAFLOW_DATA_DIR=" + t.TempDir()}
	for name, tc := range map[string]struct {
		environ []string
		args    []string
		status  int
		begins  string
	}{
		"unknown command":            {home, []string{"sreve"}, statusUsage, `usage.invalid: There is no command "sreve".`},
		"unknown flag":               {home, []string{"serve", "--prot", "1"}, statusUsage, "usage.invalid: flag provided but not defined: -prot."},
		"stray argument":             {home, []string{"serve", "now"}, statusUsage, "usage.invalid:"},
		"bad setting":                {append(home, "DATAFLOW_MEMORY=lots"), []string{"serve"}, statusUsage, "config.invalid: DATAFLOW_MEMORY"},
		"web without servers":        {home, []string{"web"}, statusUsage, "config.invalid: Set DATABASE_URL, REDIS_URL, STORAGE_URL."},
		"worker without Redis":       {append(home, "DATABASE_URL=postgres://x/y", "STORAGE_URL=s3://b"), []string{"worker"}, statusUsage, "config.invalid: Set REDIS_URL."},
		"no key for a given server":  {append(home, "DATABASE_URL=postgres://x/y"), []string{"migrate"}, statusUsage, "config.master_key_missing:"},
		"weak key":                   {append(home, "DATAFLOW_MASTER_KEY=changeme"), []string{"migrate"}, statusUsage, "config.master_key_weak:"},
		"data directory is no place": {[]string{"DATAFLOW_DATA_DIR=/proc/nothing"}, []string{"serve"}, statusUsage, "devstack.data_dir:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, errs := try(t, tc.environ, tc.args...)
			if status != tc.status || out != "" {
				t.Errorf("status %d, stdout %q", status, out)
			}
			last := strings.TrimSpace(errs)
			last = last[strings.LastIndexByte(last, '\n')+1:]
			if !strings.HasPrefix(last, tc.begins) {
				t.Errorf("got %q, want %q…", last, tc.begins)
			}
		})
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for class, want := range map[apperr.Class]int{
		apperr.Internal: 1, apperr.Invalid: 2, apperr.TooLarge: 2, apperr.NotFound: 3, apperr.Gone: 3,
		apperr.Unauthenticated: 4, apperr.Forbidden: 4, apperr.Conflict: 5,
		apperr.RateLimited: 6, apperr.Timeout: 6, apperr.Unavailable: 6,
	} {
		err := apperr.Define(class, fmt.Sprintf("test.class_%d", class), "Sentence.")
		if got := exitStatus(fmt.Errorf("do it: %w", err.Wrap(io.EOF))); got != want {
			t.Errorf("class %d: status %d, want %d", class, got, want)
		}
	}
	if got := exitStatus(io.EOF); got != statusInternal {
		t.Errorf("plain error: status %d", got)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	invalid := apperr.Define(apperr.Invalid, "test.line_invalid", "It is wrong.")
	down := apperr.Define(apperr.Unavailable, "test.line_down", "It is down.")
	for want, err := range map[string]error{
		"test.line_invalid: It is wrong.":                                                  invalid.Wrap(errors.New("private")),
		"test.line_down: It is down. (dial: refused)":                                      fmt.Errorf("query: %w", down.Wrap(errors.New("dial:\n refused"))),
		"test.line_down: It is down. (no space)":                                           down.Wrap(fmt.Errorf("write: %w", down.Wrap(errors.New("no space")))),
		"internal.error: Something went wrong. The problem was recorded. (open door: EOF)": fmt.Errorf("open door: %w", io.EOF),
	} {
		if got := line(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "[] a= b=false",
		"x --a 1 y -b":           "[x y] a=1 b=true",
		"--a=1 x":                "[x] a=1 b=false",
		"x -- --a 1":             "[x --a 1] a= b=false",
		"-b -- -":                "[-] a= b=true",
		"- --a 2":                "[-] a=2 b=false",
		"--a -- x":               "[x] a=-- b=false", // the value of --a
		"file.csv --a d -b more": "[file.csv more] a=d b=true",
	} {
		e := &env{args: strings.Fields(text)}
		set := e.flags("test", "", "")
		a, b := set.String("a", "", ""), set.Bool("b", false, "")
		args, err := e.parse(set)
		if got := fmt.Sprintf("%v a=%s b=%v", args, *a, *b); err != nil || got != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	e := &env{args: []string{"x", "-h"}, stdout: io.Discard}
	if _, err := e.parse(e.flags("test", "", "")); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help after an argument: %v", err)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	said := ""
	say := func(sentence string) { said = sentence }
	cfg := &config.Config{Listen: taken.Addr().String(), ListenDefault: true}
	next, err := listen(cfg, true, say)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close() }()
	if next.Addr().String() == taken.Addr().String() || !strings.Contains(said, "in use") {
		t.Errorf("listens on %s and says %q", next.Addr(), said)
	}
	for name, refused := range map[string]struct {
		cfg   config.Config
		other bool
	}{
		"outside the demo": {*cfg, false},
		"a chosen address": {config.Config{Listen: cfg.Listen}, true},
		"nowhere":          {config.Config{Listen: "192.0.2.1:80"}, true},
	} {
		if l, err := listen(&refused.cfg, refused.other, say); !errors.Is(err, errAddress) {
			t.Errorf("%s: got %v, %v", name, l, err)
		}
	}
}

// process is the product, started as a process of its own.
type process struct {
	*exec.Cmd
	stdout, stderr output
	done           chan struct{}
}

// output keeps what a process writes.
type output struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.wrote <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command("/proc/self/exe", args...), done: make(chan struct{})}
	p.stdout.wrote, p.stderr.wrote = make(chan struct{}, 1), make(chan struct{}, 1)
	p.Env = append([]string{asMain + "=1", "PATH=" + os.Getenv("PATH")}, environ...)
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // ProcessState tells
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%v wrote:\n%s", args, &p.stderr)
		}
	})
	return p
}

// ready waits until the log says so: a process that is still starting has no
// handler of signals yet.
func (p *process) ready(t *testing.T) {
	t.Helper()
	for !strings.Contains(p.stderr.String(), `"msg":"ready"`) {
		select {
		case <-p.stderr.wrote:
		case <-p.done:
			t.Fatalf("ended with %v before it was ready: %s", p.ProcessState, &p.stderr)
		}
	}
}

// url waits until the server says where it is.
func (p *process) url(t *testing.T) string {
	t.Helper()
	for {
		if _, url, ok := strings.Cut(p.stdout.String(), "http://"); ok && strings.Contains(url, "\n") {
			return "http://" + strings.Fields(url)[0]
		}
		select {
		case <-p.stdout.wrote:
		case <-p.done:
			t.Fatalf("ended with %v before it was ready: %s", p.ProcessState, &p.stderr)
		}
	}
}

func (p *process) end(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	<-p.done
	return p.ProcessState.ExitCode()
}

func healthy(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		t.Errorf("/healthz answers %s", response.Status)
	}
}

// stopped tells that no supervisor holds the directory.
func stopped(t *testing.T, dir string) bool {
	t.Helper()
	lock, err := devstack.TryLock(filepath.Join(dir, "devstack.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if lock == nil {
		return false
	}
	_ = lock.Close()
	return true
}

func TestServe(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	environ := []string{"DATAFLOW_DATA_DIR=" + dir}
	serve := func() *process { return start(t, environ, "serve", "--listen", "127.0.0.1:0") }

	first := serve()
	healthy(t, first.url(t))
	if status, _, errs := try(t, environ, "serve"); status != statusConflict || !strings.HasPrefix(errs, "serve.running:") {
		t.Errorf("a second server beside: status %d, %s", status, errs)
	}
	// A command beside the server shares its servers and leaves them running.
	beside := start(t, environ, "migrate")
	<-beside.done
	if code := beside.ProcessState.ExitCode(); code != 0 {
		t.Errorf("migrate beside the server: status %d", code)
	}
	if stopped(t, dir) {
		t.Error("migrate stopped the servers of serve")
	}
	status, out, errs := try(t, environ, "user", "create", "ines.okafor@example.com")
	var made madeUser
	if err := json.Unmarshal([]byte(out), &made); status != 0 || err != nil {
		t.Fatalf("a person made beside the server: status %d, %s", status, errs)
	}
	if !strings.HasPrefix(made.Link, first.url(t)+"/") {
		t.Errorf("a link made beside %s is %s", first.url(t), made.Link)
	}
	if code := first.end(t, syscall.SIGINT); code != 0 {
		t.Errorf("SIGINT: status %d", code)
	}
	if !stopped(t, dir) {
		t.Error("servers are left after SIGINT")
	}

	second := serve()
	healthy(t, second.url(t))
	if code := second.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: status %d", code)
	}

	third := serve()
	healthy(t, third.url(t))
	third.end(t, syscall.SIGKILL)
	fourth := serve() // at once, while the supervisor may still be counting
	healthy(t, fourth.url(t))
	if code := fourth.end(t, syscall.SIGINT); code != 0 {
		t.Errorf("SIGINT: status %d", code)
	}
	if !stopped(t, dir) {
		t.Error("servers are left at the end")
	}
}

func TestRolesOnSharedServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lease, err := devstack.Use(t.Context(), devstack.Options{DataDir: filepath.Join(dir, "servers"), Postgres: true, Redis: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lease.Release(context.Background()); err != nil {
			t.Error(err)
		}
	})
	environ := []string{
		"DATABASE_URL=" + lease.DatabaseURL, "DATABASE_ADMIN_URL=" + lease.AdminURL, "REDIS_URL=" + lease.RedisURL,
		"STORAGE_URL=file://" + filepath.Join(dir, "storage"), "DATAFLOW_DATA_DIR=" + filepath.Join(dir, "data"),
		"DATAFLOW_MASTER_KEY=q83vEjRWeJCrze8SNFZ4kNq3xQmYb1dTz7hGk0fLr2U=",
	}
	if status, out, errs := try(t, environ, "web"); status != statusUsage || !strings.Contains(errs, "storage.marker:") {
		t.Errorf("web before migrate: status %d, %s%s", status, out, errs)
	}
	if status, out, errs := try(t, environ, "migrate"); status != 0 || errs != "" {
		t.Fatalf("migrate: status %d, %s%s", status, out, errs)
	}
	web := start(t, environ, "web", "--listen", "127.0.0.1:0")
	worker := start(t, environ, "worker")
	healthy(t, web.url(t))
	worker.ready(t)
	for name, p := range map[string]*process{"web": web, "worker": worker} {
		if code := p.end(t, syscall.SIGTERM); code != 0 {
			t.Errorf("%s: status %d", name, code)
		}
	}
	elsewhere := append(slices.Clone(environ), "STORAGE_URL=file://"+t.TempDir())
	if status, _, errs := try(t, elsewhere, "worker"); status != statusUsage || !strings.Contains(errs, "storage.marker:") {
		t.Errorf("worker without the shared mount: status %d, %s", status, errs)
	}
	other := append(slices.Clone(environ), "DATAFLOW_MASTER_KEY=AQk3vEjRWeJCrze8SNFZ4kNq3xQmYb1dTz7hGk0fLr0=")
	if status, _, errs := try(t, other, "worker"); status != statusUsage || !strings.Contains(errs, "storage.marker:") {
		t.Errorf("worker with another installation's key: status %d, %s", status, errs)
	}
}
