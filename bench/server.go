package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/devstack"
)

// server is one running `dataflow serve`.
type server struct {
	url     string
	env     []string
	dataDir string
	cmd     *exec.Cmd
	log     *os.File
	took    time.Duration // until it was ready
}

// startServer starts the binary with a data directory of its own and waits
// until it says that it is ready. Its log goes to a file, as in production.
func startServer(ctx context.Context, o *options, dataDir string, flags ...string) (*server, error) {
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return nil, err
	}
	s := &server{dataDir: dataDir, env: []string{"DATAFLOW_DATA_DIR=" + dataDir, "DATAFLOW_LISTEN=127.0.0.1:0", "DATAFLOW_LOG_FORMAT=json"}}
	s.cmd = exec.CommandContext(ctx, o.binary, append([]string{"serve"}, flags...)...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGINT) }
	s.cmd.Dir = o.root
	s.cmd.Env = append(os.Environ(), s.env...)
	var err error
	if s.log, err = os.OpenFile(filepath.Join(o.work, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	address := regexp.MustCompile(`http://[0-9.]+:\d+`)
	for lines.Scan() {
		if s.url = address.FindString(lines.Text()); s.url != "" {
			s.took = time.Since(start)
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return s, nil
		}
	}
	return nil, fmt.Errorf("the server ended before it was ready; see %s", s.log.Name())
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	_ = s.cmd.Wait()
	_ = s.log.Close()
}

// benchServer measures the whole product over HTTP: start, memory, the
// ten-widget page cold and warm, alone and with fifty viewers.
func benchServer(ctx context.Context, o *options, out *report) error {
	dataDir := filepath.Join(o.work, "demo")
	seeded, err := startServer(ctx, o, dataDir, "--demo")
	if err != nil {
		return err
	}
	out.add("server: first start of the demo, data loaded", seeded.took.Seconds(), "s")
	seeded.stop()

	second, err := startServer(ctx, o, dataDir, "--demo")
	if err != nil {
		return err
	}
	out.atMost("server: second start, PostgreSQL and Redis included", second.took.Seconds(), "s", 3)
	second.stop()

	// Somebody else keeps PostgreSQL and Redis running.
	lease, err := devstack.Use(ctx, devstack.Options{DataDir: dataDir, Postgres: true, Redis: true, Command: []string{o.binary}})
	if err != nil {
		return err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }()
	s, err := startServer(ctx, o, dataDir)
	if err != nil {
		return err
	}
	defer s.stop()
	out.atMost("server: start to ready beside running servers", s.took.Seconds(), "s", 0.5)
	time.Sleep(5 * time.Second) // what it allocates at start is given back by then
	out.atMost("server: own process, idle", float64(residentBytes(s.cmd.Process.Pid))/1e6, "MB", 100)
	out.add("server: the same, of which pages of the executable, that the system may drop", float64(memoryOf(s.cmd.Process.Pid, "RssFile:"))/1e6, "MB")

	client, err := signIn(s, dataDir)
	if err != nil {
		return err
	}
	page, widget, err := findPage(client, s.url)
	if err != nil {
		return err
	}
	if err := keepTen(ctx, client, lease.AdminURL, s.url+page); err != nil {
		return fmt.Errorf("make a page of ten widgets: %w", err)
	}
	if err := benchCold(ctx, client, s.url+page, out); err != nil {
		return fmt.Errorf("cold page: %w", err)
	}
	for _, load := range []struct {
		name    string
		path    string
		viewers int
		least   float64 // requests a second; 0 for no target
		p50     float64 // ms; 0 for no target
	}{
		{"cached ten-widget page, one viewer", page, 1, 0, 5},
		{"cached ten-widget page, 16 connections", page, 16, 0, 0},
		{"cached ten-widget page, 50 viewers", page, 50, 5000, 0},
		{"cached single widget, one viewer", widget, 1, 0, 0.5},
		{"cached single widget, 16 connections", widget, 16, 0, 0},
		{"cached single widget, 50 viewers", widget, 50, 8000, 0},
	} {
		result, err := hammer(ctx, o, client, s, load.path, load.viewers)
		if err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
		name := "server: " + load.name
		if load.least > 0 {
			out.figure(name).atLeast(result.rate, "requests/s", load.least)
		} else {
			out.add(name, result.rate, "requests/s")
		}
		if load.p50 > 0 {
			out.figure(name+", p50").atMost(ms(result.p50), "ms", load.p50)
		} else {
			out.add(name+", p50", ms(result.p50), "ms")
		}
		out.add(name+", p99", ms(result.p99), "ms")
		out.add(name+", CPU of a request: server", us(result.server), "µs")
		out.add(name+", CPU of a request: PostgreSQL", us(result.postgres), "µs")
		out.add(name+", CPU of a request: load generator", us(result.generator), "µs")
		all := result.server + result.postgres + result.generator
		out.add(name+", as CPU time allows on two processors", 2/all.Seconds(), "requests/s")
	}
	return benchBytes(s, page, out)
}

// signIn signs in as the demo's owner.
func signIn(s *server, dataDir string) (*http.Client, error) {
	encoded, err := os.ReadFile(filepath.Join(dataDir, "demo.json"))
	if err != nil {
		return nil, err
	}
	var owner struct{ Email, Password string }
	if err := json.Unmarshal(encoded, &owner); err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar}
	response, err := client.PostForm(s.url+"/signin", url.Values{"email": {owner.Email}, "password": {owner.Password}})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Request.URL.Path == "/signin" {
		return nil, fmt.Errorf("sign in: %s at %s", response.Status, response.Request.URL.Path)
	}
	return client, nil
}

func get(client *http.Client, address string) (string, error) {
	response, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, response.Status)
	}
	return string(body), err
}

var (
	dashboardLink = regexp.MustCompile(`href="(/dashboards/[0-9a-f-]{36})"[^>]*>\s*(?:<[^>]*>\s*)*US flights, first half of 2001`)
	widgetLink    = regexp.MustCompile(`(?:hx-get|data-src)="(/dashboards/[0-9a-f-]{36}/widgets/[A-Za-z0-9_-]+)[^"]*"`)
)

// findPage finds the demo's first dashboard and one of its widgets as a
// visitor does: by following links.
func findPage(client *http.Client, base string) (page, widget string, err error) {
	home, err := get(client, base+"/")
	if err != nil {
		return "", "", err
	}
	m := dashboardLink.FindStringSubmatch(home)
	if m == nil {
		return "", "", errors.New("no link to the flights dashboard on the home page")
	}
	body, err := get(client, base+m[1])
	if err != nil {
		return "", "", err
	}
	w := widgetLink.FindStringSubmatch(body)
	if w == nil {
		return "", "", errors.New("no link to a single widget on the dashboard")
	}
	return m[1], w[1], nil
}

// keepTen takes widgets off the demo's page until it has ten, by operations as
// an editor sends them: those that are like another one first.
func keepTen(ctx context.Context, client *http.Client, database, page string) error {
	db, err := sql.Open("pgx", database)
	if err != nil {
		return err
	}
	defer db.Close()
	var config struct {
		Widgets map[string]json.RawMessage `json:"widgets"`
	}
	var text []byte
	var rev int64
	err = db.QueryRowContext(ctx, "SELECT config, rev FROM dashboards WHERE dashboard_id = $1", path.Base(page)).Scan(&text, &rev)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	var operations []map[string]any
	for _, id := range []string{"delays", "hours", "distance"} {
		if before, ok := config.Widgets[id]; ok && len(config.Widgets)-len(operations) > 10 {
			operations = append(operations, map[string]any{"op_id": uuid.New(), "path": "/widgets/" + id, "before": before})
		}
	}
	if len(config.Widgets)-len(operations) != 10 {
		return fmt.Errorf("the page has %d widgets", len(config.Widgets)-len(operations))
	}
	if len(operations) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"rev": rev, "operations": operations})
	if err != nil {
		return err
	}
	for _, step := range []string{"/operations", "/publish"} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, page+step, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: the server answered %s", step, response.Status)
		}
	}
	return nil
}

// tileOpens begins one widget on the page; tileFails is on one that has no answer.
const (
	tileOpens = ` data-key="`
	tileFails = `role="alert"`
)

// benchCold asks for the page with date ranges that nobody asked for before, so
// that every widget is computed: at once, from the rows, and again when the
// summaries are there that the first ones have made.
func benchCold(ctx context.Context, client *http.Client, page string, out *report) error {
	asked := 0
	ask := func() (time.Duration, error) {
		from := time.Date(2001, 1, 2+asked, 0, 0, 0, 0, time.UTC)
		asked++
		query := "?d=" + from.Format(time.DateOnly) + "~" + from.AddDate(0, 0, 150).Format(time.DateOnly)
		start := time.Now()
		body, err := get(client, page+query)
		took := time.Since(start)
		if n := strings.Count(body, tileOpens); err == nil && (n != 10 || strings.Contains(body, tileFails)) {
			err = fmt.Errorf("the page has %d widgets, or one that failed", n)
		}
		return took, err
	}
	first, err := ask()
	if err != nil {
		return err
	}
	out.figure("server: ten-widget page cold, the very first, 3 M rows").note("all rows read").atMost(ms(first), "ms", 150)
	// Summaries are made behind the back of whoever asks; wait for them.
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	var took []time.Duration
	for range 15 {
		t, err := ask()
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	slices.Sort(took)
	out.figure("server: ten-widget page cold, another 150 of 181 days, 3 M rows").note("from summaries").atMost(ms(took[len(took)/2]), "ms", 150)
	out.add("server: ten-widget page cold, slowest of 15", ms(took[len(took)-1]), "ms")
	return nil
}

type loadResult struct {
	rate                        float64
	p50, p99                    time.Duration
	server, postgres, generator time.Duration // CPU of one request
}

// hammer asks for one page over keep-alive connections as fast as it is
// answered, as somebody who is signed in. Every answer must have the status and
// the length of the first. The client is kept lean, since it runs on the same
// processors: it looks at nothing else and decodes nothing.
func hammer(ctx context.Context, o *options, client *http.Client, s *server, path string, connections int) (loadResult, error) {
	target, err := url.Parse(s.url + path)
	if err != nil {
		return loadResult{}, err
	}
	if _, err := get(client, target.String()); err != nil { // fills the cache
		return loadResult{}, err
	}
	var cookies []string
	for _, c := range client.Jar.Cookies(target) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	request := []byte("GET " + target.RequestURI() + " HTTP/1.1\r\nHost: " + target.Host + "\r\nAccept-Encoding: gzip\r\nCookie: " +
		strings.Join(cookies, "; ") + "\r\n\r\n")
	warmUp, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := askRepeatedly(warmUp, target.Host, request); err != nil {
		return loadResult{}, err
	}
	database, err := postmaster(s.dataDir)
	if err != nil {
		return loadResult{}, err
	}
	ctx, cancel = context.WithTimeout(ctx, time.Duration(o.seconds)*time.Second)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		all   []time.Duration
		first error
	)
	server, postgres, own := treeCPU(s.cmd.Process.Pid), treeCPU(database), ownCPU()
	start := time.Now()
	for range connections {
		wg.Go(func() {
			times, err := askRepeatedly(ctx, target.Host, request)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	if first != nil {
		return loadResult{}, first
	}
	took := time.Since(start)
	slices.Sort(all)
	n := time.Duration(len(all))
	return loadResult{rate: float64(n) / took.Seconds(), p50: all[n/2], p99: all[n*99/100],
		server: (treeCPU(s.cmd.Process.Pid) - server) / n, postgres: (treeCPU(database) - postgres) / n, generator: (ownCPU() - own) / n}, nil
}

// postmaster is the process of the database below a data directory.
func postmaster(dataDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, "postgres", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

func askRepeatedly(ctx context.Context, host string, request []byte) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 256<<10)
	var times []time.Duration
	length := 0
	for ctx.Err() == nil {
		start := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		n, err := discardResponse(reader)
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
		if length == 0 {
			length = n
		}
		if n != length || n == 0 {
			return nil, fmt.Errorf("an answer has %d bytes, the first had %d", n, length)
		}
	}
	return times, nil
}

// discardResponse reads one answer and gives the length of its body. An answer
// from the cache says its length.
func discardResponse(r *bufio.Reader) (int, error) {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("answered %s", bytes.TrimSpace(status))
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("the answer was not ready: it has no length")
	}
	return r.Discard(length)
}
