package hoststest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ACMEOptions say what the authority asks and where.
type ACMEOptions struct {
	// DNS is where it looks host names up.
	DNS *DNS
	// HTTPPort and TLSPort are where it looks for proofs, in the place of 80
	// and 443.
	HTTPPort, TLSPort int
	// Validity is the life of certificates. Zero: 90 days.
	Validity time.Duration
	// KeyID and Key make it want accounts that are bound to them.
	KeyID, Key string
}

// ACME is Pebble, the small authority that Let's Encrypt tests clients with.
type ACME struct {
	// Directory is the address of its ACME directory.
	Directory string
	// RootsFile has the root of its own server's certificate. It is not that of
	// the certificates it issues.
	RootsFile string

	management string
	client     *http.Client

	mu     sync.Mutex
	orders int
	log    bytes.Buffer
}

// StartACME runs an authority until the test ends. It is built by the tools
// that are pinned in tools/go.mod.
func StartACME(t testing.TB, o ACMEOptions) *ACME {
	t.Helper()
	dir := t.TempDir()
	ports := []int{FreePort(t), FreePort(t)}
	a := &ACME{
		Directory:  fmt.Sprintf("https://127.0.0.1:%d/dir", ports[0]),
		management: fmt.Sprintf("https://127.0.0.1:%d", ports[1]),
		RootsFile:  filepath.Join(dir, "server.pem"),
	}
	writeServerCertificate(t, a.RootsFile, filepath.Join(dir, "server.key"))
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	settings := map[string]any{
		"listenAddress":           fmt.Sprintf("127.0.0.1:%d", ports[0]),
		"managementListenAddress": fmt.Sprintf("127.0.0.1:%d", ports[1]),
		"certificate":             a.RootsFile, "privateKey": filepath.Join(dir, "server.key"),
		"httpPort": o.HTTPPort, "tlsPort": o.TLSPort, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "default", "validityPeriod": int(o.Validity.Seconds())}},
	}
	if o.KeyID != "" {
		settings["externalAccountBindingRequired"] = true
		settings["externalAccountMACKeys"] = map[string]string{o.KeyID: o.Key}
	}
	text, err := json.Marshal(map[string]any{"pebble": settings})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: readPool(t, a.RootsFile)}}}
	a.start(t, exec.Command(pebble(t), "-strict", "-config", file, "-dnsserver", o.DNS.Address))
	return a
}

func (a *ACME) start(t testing.TB, command *exec.Cmd) {
	t.Helper()
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // Pdeathsig follows the thread that started the child
		err := command.Start()
		started <- err
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(output); lines.Scan(); {
			a.mu.Lock()
			if strings.Contains(lines.Text(), "Added order ") {
				a.orders++
			}
			fmt.Fprintln(&a.log, lines.Text())
			a.mu.Unlock()
		}
		_ = command.Wait() // killed
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the authority said:\n%s", a.log.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := a.get(ctx, a.Directory); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("the authority does not answer")
		case <-ended:
			t.Fatal("the authority ended")
		case <-time.After(20 * time.Millisecond): // it says nothing once it listens
		}
	}
}

// Orders is how many orders were made so far.
func (a *ACME) Orders() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.orders
}

// Roots trusts the certificates that the authority issues.
func (a *ACME) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	text, err := a.get(t.Context(), a.management+"/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("the authority answers no root")
	}
	return pool
}

func (a *ACME) get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// pebble is the path of the authority's program. It is built once, into Go's
// own cache.
func pebble(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "tools", "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("tools/go.mod was not found")
		}
		dir = filepath.Dir(dir)
	}
	command := exec.Command("go", "tool", "-modfile=tools/go.mod", "-n", "pebble")
	command.Dir = dir
	command.Stderr = os.Stderr
	path, err := command.Output()
	if err != nil {
		t.Fatalf("build the authority: %v", err)
	}
	return strings.TrimSpace(string(path))
}

func writeServerCertificate(t testing.TB, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: certificate}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readPool(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}
