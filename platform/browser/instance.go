package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"
)

// startTimeout bounds the start of a browser on a busy machine.
const startTimeout = 30 * time.Second

// instance is one process tree of Chromium.
type instance struct {
	root context.Context // chromedp keeps the browser in it
	stop func()
	pid  int

	// Of the Browser, under its lock.
	tabs, printed int
	retired       bool
	spare         *spare
}

// spare is a tab that is opened before there is a document for it.
type spare struct {
	done chan struct{}
	tab  *tab
	err  error
}

// prepare opens the tab of the next document, unless there is one.
func (b *Browser) prepare(in *instance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in.spare != nil || in.retired {
		return
	}
	next := &spare{done: make(chan struct{})}
	in.spare = next
	go func() {
		defer close(next.done)
		ctx, cancel := context.WithTimeout(in.root, b.cfg.Timeout)
		defer cancel()
		next.tab, next.err = in.open(ctx, b.cfg.Stage)
	}()
}

// tab answers the spare tab, or a new one where there is none.
func (b *Browser) tab(ctx context.Context, in *instance) (*tab, error) {
	b.mu.Lock()
	next := in.spare
	in.spare = nil
	b.mu.Unlock()
	if next == nil {
		return in.open(ctx, b.cfg.Stage)
	}
	select {
	case <-next.done:
	case <-ctx.Done():
		go func() {
			if <-next.done; next.err == nil {
				next.tab.close()
			}
		}()
		return nil, ctx.Err()
	}
	if next.err != nil || next.tab.ctx.Err() != nil { // it crashed while it waited
		return in.open(ctx, b.cfg.Stage)
	}
	return next.tab, nil
}

func (in *instance) dead() bool { return in.root.Err() != nil }

// end kills the whole tree. Its directory goes with it.
func (in *instance) end() { in.stop() }

// start starts a browser and waits until it answers.
func (b *Browser) start(ctx context.Context) (*instance, error) {
	path, err := find(b.cfg.Path)
	if err != nil {
		return nil, err
	}
	as, err := account()
	if err != nil {
		return nil, err
	}
	dir, err := home(b.cfg.Dir, as)
	if err != nil {
		return nil, err
	}
	said := &tail{}
	in := &instance{}
	options := append(b.options(path, dir, said), chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true, Pdeathsig: syscall.SIGKILL}
		cmd.Dir = dir
		// The shell script that Debian calls chromium becomes the browser, and
		// the browser's children stay in its group.
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}))
	allocated, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	var closeRoot context.CancelFunc
	in.root, closeRoot = chromedp.NewContext(allocated)
	stopped := sync.OnceFunc(func() {
		stopAllocator() // kills, and waits for the process
		closeRoot()
		_ = os.RemoveAll(dir) // what is left there is nobody's loss
	})
	b.running.Add(1)
	in.stop = sync.OnceFunc(func() {
		go func() {
			defer b.running.Done()
			stopped()
		}()
	})
	began := make(chan error, 1)
	go func() { began <- chromedp.Do(in.root) }()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case err = <-began:
	case <-timer.C:
		err = errors.New("it did not answer in time")
	case <-ctx.Done():
		in.stop()
		return nil, ctx.Err()
	}
	if err != nil {
		in.stop()
		if noSandbox.MatchString(said.String() + err.Error()) {
			return nil, ErrNoSandbox.Wrap(err)
		}
		return nil, ErrStart.Wrap(fmt.Errorf("%w: %s", err, said))
	}
	in.pid = chromedp.FromContext(in.root).Browser.Process().Pid
	context.AfterFunc(in.root, in.stop) // one that ended by itself leaves its directory to us
	return in, nil
}

// noSandbox is what Chromium says where the kernel gives it no sandbox.
var noSandbox = regexp.MustCompile(`(?i)no usable sandbox|setuid sandbox|new namespace|zygote_host_impl_linux|Running as root without --no-sandbox`)

func (b *Browser) options(path, dir string, said *tail) []chromedp.ExecAllocatorOption {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.NoInheritEnv,
		chromedp.Env("PATH=/usr/local/bin:/usr/bin:/bin", "HOME="+dir, "TMPDIR="+filepath.Join(dir, "tmp"),
			"XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "LANG=C.UTF-8", "TZ=UTC"),
		chromedp.CombinedOutput(said),
		chromedp.Flag("no-sandbox", b.cfg.NoSandbox), // said in so many words: chromedp adds it for root
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-features", "Translate,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,MediaRouter,OptimizationHints"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("deny-permission-prompts", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("disable-lcd-text", true),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("host-resolver-rules", "MAP "+Host+":80 "+b.cfg.Origin+", MAP * ~NOTFOUND"),
	)
	return append(options, b.cfg.flags...)
}

func find(path string) (string, error) {
	// The one without windows opens a tab in a quarter of the time. Debian's has
	// its path here: the script of its name in PATH stays in front of it, and
	// who ends that does not end the browser.
	names := []string{"/usr/lib/chromium/chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	if path != "" {
		names = []string{path}
	}
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	if path != "" {
		return "", ErrMissing.With("There is no program %s. DATAFLOW_BROWSER has to name a Chromium.", path)
	}
	return "", ErrMissing
}

// account is who the browser runs as; nil for the same as this process.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, ErrStart.With("Chromium does not run as root, and this machine has no user nobody to run it as.").Wrap(err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the id of nobody: %w", err)
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the group of nobody: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}, nil
}

// home makes the directory that the browser may write, with what it looks for
// in it.
func home(parent string, as *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp(parent, "dataflow-browser-")
	if err != nil {
		return "", fmt.Errorf("make profile: %w", err)
	}
	for _, name := range []string{"", "profile", "tmp", "config", "cache"} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(at, 0o700); err != nil {
			return "", fmt.Errorf("make profile: %w", err)
		}
		if as == nil {
			continue
		}
		if err := os.Chown(at, int(as.Uid), int(as.Gid)); err != nil {
			return "", fmt.Errorf("hand over profile: %w", err)
		}
	}
	return dir, nil
}

// memory is what the processes of the group have for themselves, in bytes. It
// is read from /proc, where processes come and go: what can't be read is gone.
func (in *instance) memory() int64 {
	var total int64
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil { // a fixed pattern
		return 0
	}
	for _, path := range processes {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// The name in parentheses may hold anything; state, parent and group follow.
		_, after, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
		fields := strings.Fields(string(after))
		if len(fields) < 3 || fields[2] != strconv.Itoa(in.pid) {
			continue
		}
		statm, err := os.ReadFile(filepath.Join(filepath.Dir(path), "statm"))
		if err != nil {
			continue
		}
		var size, resident, shared int64
		if _, err := fmt.Sscan(string(statm), &size, &resident, &shared); err == nil {
			total += (resident - shared) * int64(os.Getpagesize())
		}
	}
	return total
}

// tail keeps the end of what the browser says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - 8<<10; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
