// Package e2e walks through the product as people do: the built binary, its
// own PostgreSQL and Redis, and Chromium. Each test is a journey named after
// what the person wants.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"
)

// demo is the one running server that the journeys share, with the demo
// workspace in it.
var demo *server

var browser playwright.Browser

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	work, err := os.MkdirTemp("", "dataflow-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(work)
	if demo, err = startServer(filepath.Join(work, "demo"), "--demo"); err != nil {
		return 1, err
	}
	defer demo.stop()
	pw, stop, err := startBrowser(work)
	if err != nil {
		return 1, err
	}
	defer stop()
	browser = pw
	return m.Run(), nil
}

// server is one `dataflow serve` with a data directory of its own.
type server struct {
	URL, Email, Password string
	dataDir              string
	command              *exec.Cmd
	output               *tail
}

// tail keeps what a process printed, for the report of a failure.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func binary() string {
	path, err := filepath.Abs("../bin/dataflow")
	if err != nil {
		panic(err)
	}
	return path
}

func environment(dataDir string) []string {
	return append(os.Environ(), "DATAFLOW_DATA_DIR="+dataDir, "DATAFLOW_LISTEN=127.0.0.1:0")
}

// startServer starts a server and waits until it says that it is ready.
func startServer(dataDir string, flags ...string) (*server, error) {
	if _, err := os.Stat(binary()); err != nil {
		return nil, errors.New("bin/dataflow is missing: run make build")
	}
	if err := os.MkdirAll(dataDir, 0o755); err != nil {
		return nil, err
	}
	s := &server{dataDir: dataDir, output: &tail{}}
	s.command = exec.Command(binary(), append([]string{"serve"}, flags...)...)
	s.command.Env = environment(dataDir)
	s.command.Dir = ".."
	s.command.Stderr = s.output
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(s.output, lines.Text())
			if strings.Contains(lines.Text(), "http://") && strings.Contains(s.output.String(), "ready") {
				select {
				case ready <- nil:
				default:
				}
			}
		}
		select {
		case ready <- errors.New("the server ended before it was ready"):
		default:
		}
	}()
	select {
	case err = <-ready:
	case <-time.After(3 * time.Minute):
		err = errors.New("the server was not ready after 3 minutes")
	}
	if err != nil {
		_ = s.command.Process.Kill()
		return nil, fmt.Errorf("%w; it printed:\n%s", err, s.output)
	}
	if !slices.Contains(flags, "--demo") {
		s.URL = whereItIs.FindString(s.output.String())
		return s, nil
	}
	return s, s.readSignIn()
}

// whereItIs is how a server says where it is.
var whereItIs = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// readSignIn reads what a demo server left for its operator.
func (s *server) readSignIn() error {
	encoded, err := os.ReadFile(filepath.Join(s.dataDir, "demo.json"))
	if err != nil {
		return fmt.Errorf("read the demo's sign-in: %w; the server printed:\n%s", err, s.output)
	}
	var signIn struct{ URL, Email, Password string }
	if err := json.Unmarshal(encoded, &signIn); err != nil {
		return err
	}
	s.URL, s.Email, s.Password = signIn.URL, signIn.Email, signIn.Password
	return nil
}

// stop ends the server as Ctrl-C does and waits for it.
func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGINT)
	done := make(chan struct{})
	go func() { _ = s.command.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = s.command.Process.Kill()
		<-done
	}
}

// run runs the binary beside the server, with its data directory.
func (s *server) run(ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Env = environment(s.dataDir)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

func (s *server) get(path string) (int, string, error) {
	response, err := http.Get(s.URL + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// plainHost is a name of this machine that, unlike localhost, browsers trust no
// more than any other.
const plainHost = "bi.example"

// startBrowser starts Chromium through the driver from npm. As root, Chromium
// refuses its sandbox; the pages here are our own.
func startBrowser(work string) (playwright.Browser, func(), error) {
	driver := filepath.Join(work, "driver")
	if err := os.MkdirAll(driver, 0o755); err != nil {
		return nil, nil, err
	}
	packageDir, err := filepath.Abs("node_modules/playwright-core")
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(packageDir); err != nil {
		return nil, nil, errors.New("e2e/node_modules is missing: run make setup")
	}
	if err := os.Symlink(packageDir, filepath.Join(driver, "package")); err != nil {
		return nil, nil, err
	}
	node := os.Getenv("PLAYWRIGHT_NODEJS_PATH")
	if node == "" {
		if node, err = exec.LookPath("node"); err != nil {
			return nil, nil, err
		}
	}
	os.Setenv("PLAYWRIGHT_NODEJS_PATH", node)
	os.Setenv("PLAYWRIGHT_DRIVER_PATH", driver)
	pw, err := playwright.Run(&playwright.RunOptions{DriverDirectory: driver, SkipInstallBrowsers: true})
	if err != nil {
		return nil, nil, fmt.Errorf("start the browser driver: %w", err)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, errors.New("chromium is missing: run make setup")
	}
	options := playwright.BrowserTypeLaunchOptions{
		ExecutablePath:  playwright.String(chromium),
		Headless:        playwright.Bool(true),
		ChromiumSandbox: playwright.Bool(os.Getuid() != 0),
		Args: []string{"--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
			"--host-resolver-rules=MAP " + plainHost + " 127.0.0.1"},
	}
	b, err := pw.Chromium.Launch(options)
	if err != nil {
		return nil, nil, fmt.Errorf("start chromium: %w", err)
	}
	return b, func() { _ = b.Close(); _ = pw.Stop() }, nil
}
