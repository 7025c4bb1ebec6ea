package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killRounds is how many processes are killed: each once, or as many as
// DATAFLOW_KILL_ROUNDS says.
func killRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("DATAFLOW_KILL_ROUNDS")
	if text == "" {
		return len(victims)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("DATAFLOW_KILL_ROUNDS is %q", text)
	}
	return n
}

// victims are killed in turn.
var victims = []struct {
	name string
	find func(*killing) []int // none while it does not run
}{
	{"serve", func(k *killing) []int { return []int{k.serve.Process.Pid} }},
	{"PostgreSQL", func(k *killing) []int { return k.children(k.supervisor(), "postgres") }},
	{"a backend of PostgreSQL", func(k *killing) []int {
		var clients []int
		for _, postmaster := range k.children(k.supervisor(), "postgres") {
			clients = append(clients, k.children(postmaster, "[local]")...)
		}
		return clients
	}},
	{"Redis", func(k *killing) []int { return k.children(k.supervisor(), "redis-server") }},
	{"the supervisor", func(k *killing) []int { return k.supervisors() }},
	{"the limited reader", func(k *killing) []int {
		readers := k.children(k.serve.Process.Pid, "sandbox")
		for _, pid := range k.commands() {
			readers = append(readers, k.children(pid, "sandbox")...)
		}
		return readers
	}},
	{"an import in the shell", func(k *killing) []int { return k.commands() }},
}

const (
	killRows = 60_000      // of each load; all of them stay below what is answered from samples
	patience = time.Minute // for what must happen after a kill
	poll     = 5 * time.Millisecond
)

// TestKilledProcessesLoseAndDoubleNothing kills one process after another while
// files are loaded, through the pages and in the shell, and rows are appended
// all the time. Afterwards every part of the dataset is there exactly once, or,
// where nobody was told that it is stored, not at all.
func TestKilledProcessesLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	k := &killing{t: t, dir: filepath.Join(t.TempDir(), "data"), parts: map[string]*part{}, running: map[int]bool{}}
	k.environ = []string{"DATAFLOW_DATA_DIR=" + k.dir}
	k.startServe()
	k.signUp()
	if !k.load("seed", killRows) {
		t.Fatal("the first load failed")
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 9))
	rounds := killRounds(t)
	for n := range rounds {
		k.round(n, random)
		if t.Failed() {
			t.Fatalf("round %d of %d", n+1, rounds)
		}
	}
	if code := k.serve.end(t, syscall.SIGINT); code != 0 {
		t.Errorf("SIGINT: status %d", code)
	}
	k.check("the end") // on servers of its own
	t.Logf("%d rounds, %d parts, %d of them unacknowledged", rounds, len(k.parts), k.unacknowledged())
}

// killing is one data directory and what was done to it.
type killing struct {
	t       *testing.T
	dir     string
	environ []string
	serve   *process
	client  *http.Client

	mu      sync.Mutex
	base    string // of the pages
	running map[int]bool
	parts   map[string]*part
}

// part is what one load or append adds: rows numbered from 1.
type part struct {
	rows         int
	acknowledged bool // stored, for certain
}

func (k *killing) startServe() {
	k.t.Helper()
	k.serve = start(k.t, k.environ, "serve", "--listen", "127.0.0.1:0")
	base := k.serve.url(k.t)
	k.mu.Lock()
	k.base = strings.TrimRight(base, "/")
	k.mu.Unlock()
}

// round kills one process at some moment while much is going on, and sees that
// all goes on after it.
func (k *killing) round(n int, random *rand.Rand) {
	t := k.t
	victim, began := victims[n%len(victims)], time.Now()
	stop, appended := make(chan struct{}), make(chan struct{}, 1)
	var work sync.WaitGroup
	work.Go(func() { k.loadByPage(fmt.Sprintf("%03d page", n), killRows) })
	work.Go(func() { k.load(fmt.Sprintf("%03d shell", n), killRows) })
	work.Go(func() {
		for i := 0; ; i++ {
			if k.load(fmt.Sprintf("%03d append %03d", n, i), 1+i%3) {
				select {
				case appended <- struct{}{}:
				default:
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	moment := time.Duration(random.IntN(1500)) * time.Millisecond // nobody chose it
	<-time.After(moment)
	k.kill(victim.name, func() []int { return victim.find(k) }, random)
	if victim.name == "serve" {
		<-k.serve.done
		k.startServe()
	}
	// Once more after the kill.
	for range 2 {
		select {
		case <-appended:
		case <-time.After(patience):
			t.Errorf("no append succeeds after the end of %s", victim.name)
		}
	}
	close(stop)
	work.Wait()
	select {
	case <-k.serve.done:
		t.Errorf("serve ended after the end of %s: %v", victim.name, k.serve.ProcessState)
	default:
		healthy(t, k.base)
	}
	k.check(fmt.Sprintf("round %d, the end of %s", n+1, victim.name))
	t.Logf("round %d: %s ended, all is there, %v after %v", n+1, victim.name, time.Since(began).Round(time.Millisecond), moment)
}

func (k *killing) kill(name string, find func() []int, random *rand.Rand) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(poll) {
		pids := find()
		if len(pids) == 0 {
			continue
		}
		err := syscall.Kill(pids[random.IntN(len(pids))], syscall.SIGKILL)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.ESRCH) { // it ended by itself
			k.t.Errorf("kill %s: %v", name, err)
			return
		}
	}
	k.t.Errorf("%s never ran", name)
}

// begin notes that a part is about to be stored; acknowledge that it is.
func (k *killing) begin(name string, rows int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parts[name] = &part{rows: rows}
}

func (k *killing) acknowledge(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parts[name].acknowledged = true
}

func (k *killing) unacknowledged() int {
	n := 0
	for _, p := range k.parts {
		if !p.acknowledged {
			n++
		}
	}
	return n
}

// file has the rows of a part.
func (k *killing) file(name string, rows int) []byte {
	var b bytes.Buffer
	b.WriteString("part,n\n")
	for n := 1; n <= rows; n++ {
		fmt.Fprintf(&b, "%s,%d\n", name, n)
	}
	return b.Bytes()
}

// load adds a part in the shell, and tells whether that was acknowledged.
func (k *killing) load(name string, rows int) bool {
	path := filepath.Join(k.t.TempDir(), "part.csv")
	if err := os.WriteFile(path, k.file(name, rows), 0o600); err != nil {
		k.t.Error(err)
		return false
	}
	k.begin(name, rows)
	status, _, errs := k.run("", "import", path, "--append", "--dataset", "ledger", "--type", "part=text", "--type", "n=integer")
	if err := os.Remove(path); err != nil {
		k.t.Error(err)
	}
	if status == 0 {
		k.acknowledge(name)
	} else {
		k.t.Logf("%s was not acknowledged: status %d, %s", name, status, errs)
	}
	return status == 0
}

// run runs a command, and lets the killer know it while it is an import.
func (k *killing) run(stdin string, args ...string) (status int, stdout, stderr string) {
	command := exec.Command("/proc/self/exe", args...)
	var out, errs bytes.Buffer
	command.Env = append([]string{asMain + "=1", "PATH=" + os.Getenv("PATH")}, k.environ...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &errs
	if err := command.Start(); err != nil {
		k.t.Error(err)
		return -1, "", ""
	}
	k.note(command.Process.Pid, args[0] == "import")
	err := command.Wait()
	k.note(command.Process.Pid, false)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		k.t.Error(err)
	}
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

func (k *killing) note(pid int, running bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if running {
		k.running[pid] = true
	} else {
		delete(k.running, pid)
	}
}

// commands are the imports that run in the shell.
func (k *killing) commands() []int {
	k.mu.Lock()
	defer k.mu.Unlock()
	var pids []int
	for pid := range k.running {
		pids = append(pids, pid)
	}
	return pids
}

// signUp makes a person and signs them in to the pages.
func (k *killing) signUp() {
	t := k.t
	const email, password = "ada@example.com", "four random words here"
	if status, _, errs := k.run(password+"\n", "user", "create", email, "--role", "owner", "--password-stdin"); status != 0 {
		t.Fatalf("make a user: status %d, %s", status, errs)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	k.client = &http.Client{
		Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := k.post("/signin", "application/x-www-form-urlencoded", []byte(url.Values{"email": {email}, "password": {password}}.Encode()))
	if err != nil || answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign in: %v, %v", answer, err)
	}
}

func (k *killing) post(path, contentType string, body []byte) (*http.Response, error) {
	return k.do(http.MethodPost, path, contentType, body)
}

// do sends a request to the server as it listens now.
func (k *killing) do(method, path, contentType string, body []byte) (*http.Response, error) {
	k.mu.Lock()
	base := k.base
	k.mu.Unlock()
	request, err := http.NewRequest(method, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	if method == http.MethodGet { // as htmx asks for a fragment
		request.Header.Set("HX-Request", "true")
		request.Header.Set("HX-Request-Type", "partial")
	}
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer, err
}

// loadByPage uploads a part and asks for it to be loaded, as a browser does.
// What was asked for is stored in the end: jobs survive every process.
func (k *killing) loadByPage(name string, rows int) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "part.csv")
	if err == nil {
		_, err = file.Write(k.file(name, rows))
	}
	if err := errors.Join(err, form.Close()); err != nil {
		k.t.Error(err)
		return
	}
	k.begin(name, rows)
	answer, err := k.post("/uploads", form.FormDataContentType(), body.Bytes())
	if err != nil || answer.StatusCode != http.StatusSeeOther {
		k.t.Logf("%s was not uploaded: %s", name, said(answer, err))
		return
	}
	upload := answer.Header.Get("Location")
	if !k.ends("the inspection of "+name, upload+"/progress") {
		return
	}
	values := url.Values{"dataset": {"ledger"}, "mode": {"append"}}
	answer, err = k.post(upload+"/load", "application/x-www-form-urlencoded", []byte(values.Encode()))
	if err != nil || answer.StatusCode/100 == 5 {
		k.t.Logf("%s may be loaded or not: %s", name, said(answer, err))
		return
	}
	load := answer.Header.Get("Location")
	if answer.StatusCode != http.StatusSeeOther || !strings.HasPrefix(load, "/loads/") {
		k.t.Errorf("%s was uploaded and can't be loaded: %s to %q", name, answer.Status, load)
		return
	}
	k.acknowledge(name)
	k.ends("the load of "+name, load+"/progress")
}

func said(answer *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	return answer.Status
}

// ends waits until a job shows no progress any more.
func (k *killing) ends(what, path string) bool {
	last := ""
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); <-time.After(20 * poll) {
		answer, err := k.do(http.MethodGet, path+"?ended", "", nil) // as the page does when it was told so
		if err == nil && answer.StatusCode == http.StatusOK && answer.Header.Get("HX-Redirect") != "" {
			return true
		}
		last = said(answer, err)
	}
	k.t.Errorf("%s is stuck: %s", what, last)
	return false
}

// check compares the dataset with what was acknowledged.
func (k *killing) check(when string) {
	t := k.t
	t.Helper()
	const spec = `{"dataset":"ledger","dimensions":[{"column":"part"}],"limit":10000,"measures":[{"fn":"count","as":"rows"},
		{"fn":"sum","column":"n","as":"sum"},{"fn":"min","column":"n","as":"first"},{"fn":"max","column":"n","as":"last"}]}`
	status, out, errs := k.run(spec, "query", "-")
	if status != 0 {
		t.Fatalf("%s: query: status %d, %s", when, status, errs)
	}
	var answer struct {
		Rows    [][]any
		Version int `json:"dataset_version"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%s: %v in %s", when, err, out)
	}
	stored := map[string]bool{}
	for _, row := range answer.Rows {
		name := fmt.Sprint(row[0])
		stored[name] = true
		p := k.parts[name]
		if p == nil {
			t.Errorf("%s: rows of %q came from nowhere", when, name)
		} else if want := fmt.Sprint([]any{p.rows, p.rows * (p.rows + 1) / 2, 1, p.rows}); fmt.Sprint(ints(row[1:])) != want {
			t.Errorf("%s: %s has rows, sum, first and last %v, want %s", when, name, row[1:], want)
		}
	}
	for name, p := range k.parts {
		if p.acknowledged && !stored[name] {
			t.Errorf("%s: %s was acknowledged and is not there", when, name)
		}
	}
	// Every part is one change of content, and nothing else is.
	if answer.Version != len(stored) {
		t.Errorf("%s: version %d after %d changes", when, answer.Version, len(stored))
	}
}

func ints(row []any) []any {
	for i, v := range row {
		if f, ok := v.(float64); ok {
			row[i] = int(f)
		}
	}
	return row
}

// supervisors is the supervisor of the data directory, if it runs.
func (k *killing) supervisors() []int {
	return processesWhere(func(p procEntry) bool {
		return slices.Contains(p.args, "devstack") && slices.Contains(p.args, k.dir)
	})
}

func (k *killing) supervisor() int {
	if pids := k.supervisors(); len(pids) > 0 {
		return pids[0]
	}
	return -1
}

// children are the children of a process that have a word in their command line.
func (k *killing) children(parent int, word string) []int {
	return processesWhere(func(p procEntry) bool {
		return p.parent == parent && strings.Contains(strings.Join(p.args, " "), word)
	})
}

type procEntry struct {
	parent int
	args   []string
}

func processesWhere(is func(procEntry) bool) []int {
	var pids []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it ended
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || len(line) == 0 {
			continue
		}
		// "pid (name) state parent …", and the name may hold anything.
		after := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parent, err := strconv.Atoi(after[1])
		if err != nil || after[0] == "Z" {
			continue
		}
		if is(procEntry{parent, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")}) {
			pids = append(pids, pid)
		}
	}
	return pids
}
