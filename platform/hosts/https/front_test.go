package https

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/miekg/dns"

	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/hosts/hoststest"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// The library keeps one list of names being ordered in each process, so every
// test here has a name of its own.

// objects is a storage of files as the product uses it.
type objects struct{ *blob.Store }

func (o objects) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for object, err := range o.List(ctx, prefix) {
			if !yield(object.Key, err) || err != nil {
				return
			}
		}
	}
}

func openObjects(t *testing.T, dir string) Objects {
	t.Helper()
	store, err := blob.Open(t.Context(), blob.Options{URL: "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return objects{store}
}

func newBox(t *testing.T) *secrets.Box {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	box, err := secrets.NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// table is the hosts that are served; the test changes it.
type table struct {
	mu    sync.Mutex
	hosts map[string]bool
	err   error
	asked int
}

func served(names ...string) *table {
	t := &table{hosts: map[string]bool{}}
	for _, name := range names {
		t.hosts[name] = true
	}
	return t
}

func (t *table) allow(_ context.Context, host string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	if t.err != nil {
		return t.err
	}
	if !t.hosts[host] {
		return hosts.ErrUnknown
	}
	return nil
}

// site is a running server with its front.
type site struct {
	*Front
	t     *testing.T
	roots *x509.CertPool
	log   *bytes.Buffer
	https string // address
	http  string // address; empty where there is none
}

// start serves a page that says its host.
func start(t *testing.T, c Config) *site {
	t.Helper()
	log := &bytes.Buffer{}
	c.Log = slog.New(slog.NewTextHandler(&lockedWriter{w: log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Email = "operator@example.com"
	front, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "page of "+r.Host) })
	s := &site{Front: front, t: t, log: log, https: c.TLS.Addr().String()}
	run := func(server *http.Server, l net.Listener) {
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(l) }()
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(front.Close)
	quiet := slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)
	run(&http.Server{Handler: front.Guard(page), ErrorLog: quiet}, front.Listener())
	if c.Plain != nil {
		s.http = c.Plain.Addr().String()
		run(&http.Server{Handler: front.Plain(), ErrorLog: quiet}, c.Plain)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server said:\n%s", log.String())
		}
	})
	return s
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// client trusts the authority, finds every host at this site, and follows no
// redirect.
func (s *site) client() *http.Client {
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: s.roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := s.https
			if strings.HasSuffix(address, ":80") {
				to = s.http
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// open asks for a page over a new connection and answers the certificate.
func (s *site) open(host string) (*x509.Certificate, error) {
	client := s.client()
	answer, err := client.Get("https://" + host + "/")
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if string(body) != "page of "+host || answer.ProtoMajor != 2 {
		return nil, fmt.Errorf("got %s %q", answer.Proto, body)
	}
	client.CloseIdleConnections()
	return answer.TLS.PeerCertificates[0], nil
}

func (s *site) mustOpen(host string) *x509.Certificate {
	s.t.Helper()
	certificate, err := s.open(host)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := certificate.VerifyHostname(host); err != nil {
		s.t.Fatal(err)
	}
	return certificate
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func TestAHostGetsACertificateWhenItIsOpened(t *testing.T) {
	t.Parallel()
	for host, plain := range map[string]bool{"asked-by-https.test": false, "asked-by-http.test": true} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			secure := listenLocal(t)
			options := hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure)}
			config := Config{TLS: secure, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: served(host).allow}
			if plain {
				config.Plain = listenLocal(t)
				options.HTTPPort = portOf(config.Plain)
			}
			authority := hoststest.StartACME(t, options)
			config.Directory, config.RootsFile = authority.Directory, authority.RootsFile
			s := start(t, config)
			s.issuer.DisableTLSALPNChallenge = plain // the authority has nothing else to ask
			s.roots = authority.Roots(t)

			first := s.mustOpen(host)
			if again := s.mustOpen(host); again.SerialNumber.Cmp(first.SerialNumber) != 0 {
				t.Error("the second visit got another certificate")
			}
			if n := authority.Orders(); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
		})
	}
}

func TestManyVisitorsMakeOneOrder(t *testing.T) {
	t.Parallel()
	secure := listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure), KeyID: "kid-1",
		Key: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
	s := start(t, Config{TLS: secure, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: served("bi.c2.test").allow,
		Directory: authority.Directory, RootsFile: authority.RootsFile, KeyID: "kid-1",
		Key: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
	s.roots = authority.Roots(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if _, err := s.open("bi.c2.test"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := authority.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestOtherHostsAreRefusedInTheHandshake(t *testing.T) {
	t.Parallel()
	secure, plain := listenLocal(t), listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure)})
	known := served("bi.c3.test")
	s := start(t, Config{TLS: secure, Plain: plain, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: known.allow,
		Directory: authority.Directory, RootsFile: authority.RootsFile})
	s.roots = authority.Roots(t)
	dial := func(c *tls.Config) error {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", s.https, c)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for name, c := range map[string]*tls.Config{
		"a host of nobody": {ServerName: "evil.test"}, "none": {ServerName: ""},
		"an address": {ServerName: "127.0.0.1"}, "a wildcard": {ServerName: "*.c3.test"},
		"a host of nobody, as the authority": {ServerName: "evil.test", NextProtos: []string{"acme-tls/1"}},
	} {
		if err := dial(c); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := dial(&tls.Config{ServerName: "bi.c3.test", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: got %v", err)
	}
	known.mu.Lock()
	known.err = errors.New("the database is away")
	known.mu.Unlock()
	if err := dial(&tls.Config{ServerName: "bi.c3.test"}); err == nil || strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("while it is not known: got %v", err)
	}
	if n := authority.Orders(); n != 0 {
		t.Errorf("%d orders, want none", n)
	}
	for _, object := range storedFiles(t, s) {
		if strings.Contains(object, "evil") {
			t.Errorf("a refused host left %s", object)
		}
	}
}

func TestProcessesShareCertificates(t *testing.T) {
	t.Parallel()
	secure, plain := listenLocal(t), listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure), HTTPPort: portOf(plain)})
	dir, box, known := t.TempDir(), newBox(t), served("bi.c4.test", "new.c4.test")
	process := func(secure, plain net.Listener) *site {
		s := start(t, Config{TLS: secure, Plain: plain, Objects: openObjects(t, dir), Box: box, Allow: known.allow,
			Directory: authority.Directory, RootsFile: authority.RootsFile})
		s.roots = authority.Roots(t)
		return s
	}
	one, two := process(secure, plain), process(listenLocal(t), listenLocal(t))
	first := one.mustOpen("bi.c4.test")
	if second := two.mustOpen("bi.c4.test"); second.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("the second process has another certificate")
	}
	if n := authority.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	// The authority asks the first process about an order of the second.
	two.mustOpen("new.c4.test")
	if n := authority.Orders(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

func TestACertificateIsRenewedWhileItHolds(t *testing.T) {
	t.Parallel()
	secure := listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure), Validity: time.Minute})
	s := start(t, Config{TLS: secure, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: served("bi.c5.test").allow,
		Directory: authority.Directory, RootsFile: authority.RootsFile, renewAt: 0.95})
	s.roots = authority.Roots(t)
	first := s.mustOpen("bi.c5.test")
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		now := s.mustOpen("bi.c5.test") // never without a certificate that holds
		if now.SerialNumber.Cmp(first.SerialNumber) != 0 {
			if !now.NotAfter.After(first.NotAfter) {
				t.Errorf("renewed until %s, before until %s", now.NotAfter, first.NotAfter)
			}
			return
		}
	}
}

func TestAHostThatWasGivenUpIsNoLongerServed(t *testing.T) {
	t.Parallel()
	secure := listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure)})
	known := served("bi.c6.test")
	s := start(t, Config{TLS: secure, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: known.allow,
		Directory: authority.Directory, RootsFile: authority.RootsFile})
	s.roots = authority.Roots(t)
	s.mustOpen("bi.c6.test")
	known.mu.Lock()
	known.hosts = nil
	known.mu.Unlock()
	s.gate.known.Purge() // the minute has passed
	if _, err := s.open("bi.c6.test"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("got %v", err)
	}
}

func TestAFailedOrderIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	secure := listenLocal(t)
	names := hoststest.StartDNS(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: names, TLSPort: portOf(secure)})
	names.Fail("bi.c7.test", dns.RcodeNameError) // does not lead here
	s := start(t, Config{TLS: secure, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: served("bi.c7.test").allow,
		Directory: authority.Directory, RootsFile: authority.RootsFile})
	s.roots = authority.Roots(t)
	if _, err := s.open("bi.c7.test"); err == nil { // answers once the order has failed
		t.Fatal("a page without a certificate")
	}
	orders := authority.Orders()
	for range 3 {
		if _, err := s.open("bi.c7.test"); err == nil {
			t.Fatal("a page without a certificate")
		}
	}
	if n := authority.Orders(); n != orders || n == 0 {
		t.Errorf("%d orders after %d", n, orders)
	}
	p := newPatience()
	now := time.Now()
	var waits []time.Duration
	for range 6 {
		waits = append(waits, p.failed("x", now))
	}
	if fmt.Sprint(waits) != "[5m0s 20m0s 1h20m0s 5h20m0s 6h0m0s 6h0m0s]" {
		t.Errorf("waits %v", waits)
	}
	if p.succeeded("x"); p.left("x", now) != 0 {
		t.Error("a success ends no wait")
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	known := served("bi.c8.test")
	s := start(t, Config{TLS: listenLocal(t), Plain: listenLocal(t), Port: "8443", Objects: openObjects(t, t.TempDir()), Box: newBox(t),
		Allow: known.allow, Directory: "https://127.0.0.1:1/dir"})
	client := s.client()
	for name, tc := range map[string]struct {
		method, address, host string
		status                int
		to                    string
	}{
		"a page":            {"GET", "/a%2Fb?x=1", "bi.c8.test", 308, "https://bi.c8.test:8443/a%2Fb?x=1"},
		"two slashes":       {"GET", "//evil.test/", "bi.c8.test:80", 308, "https://bi.c8.test:8443//evil.test/"},
		"a form":            {"POST", "/signin", "bi.c8.test", 403, ""},
		"another host":      {"GET", "/", "evil.test", 404, ""},
		"an address":        {"GET", "/", "127.0.0.1", 404, ""},
		"a made-up proof":   {"GET", "/.well-known/acme-challenge/x", "bi.c8.test", 308, "https://bi.c8.test:8443/.well-known/acme-challenge/x"},
		"proof of nobody's": {"GET", "/.well-known/acme-challenge/x", "evil.test", 404, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tc.method, "http://x.test:80"+tc.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = tc.host
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != tc.status || answer.Header.Get("Location") != tc.to {
			t.Errorf("%s: got %d %q, want %d %q", name, answer.StatusCode, answer.Header.Get("Location"), tc.status, tc.to)
		}
		if text := strings.ToLower(fmt.Sprint(answer.Header, string(body))); strings.Contains(text, "dataflow") {
			t.Errorf("%s names the product: %s", name, text)
		}
	}
}

func TestAConnectionIsForOneHost(t *testing.T) {
	t.Parallel()
	secure := listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure)})
	s := start(t, Config{TLS: secure, Objects: openObjects(t, t.TempDir()), Box: newBox(t), Allow: served("one.test", "two.test").allow,
		Directory: authority.Directory, RootsFile: authority.RootsFile})
	s.roots = authority.Roots(t)
	for host, status := range map[string]int{"one.test": 200, "ONE.test.:443": 200, "two.test": 421, "": 421} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://one.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		if host == "" {
			request.Host = "evil.test"
		}
		answer, err := s.client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("%q: got %d, want %d", host, answer.StatusCode, status)
		}
	}
}

// storedFiles is every file of a site's storage.
func storedFiles(t *testing.T, s *site) []string {
	t.Helper()
	var keys []string
	for key, err := range s.config.Objects.Keys(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestKeysAtRestAreSealed(t *testing.T) {
	t.Parallel()
	secure := listenLocal(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: portOf(secure)})
	dir, box, known := t.TempDir(), newBox(t), served("bi.c9.test")
	process := func(secure net.Listener, box Box) *site {
		s := start(t, Config{TLS: secure, Objects: openObjects(t, dir), Box: box, Allow: known.allow,
			Directory: authority.Directory, RootsFile: authority.RootsFile})
		s.roots = authority.Roots(t)
		return s
	}
	one := process(secure, box)
	one.mustOpen("bi.c9.test")
	key := certmagic.StorageKeys.SitePrivateKey(one.issuer.IssuerKey(), "bi.c9.test")
	if text, err := one.storage.Load(t.Context(), key); err != nil || !bytes.Contains(text, []byte("PRIVATE KEY")) {
		t.Fatalf("%q, %v", text, err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, sign := range []string{"PRIVATE KEY", "CERTIFICATE", "operator@example.com", "token"} {
			if bytes.Contains(text, []byte(sign)) {
				t.Errorf("%s shows %q", path, sign)
			}
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
	// Another master key opens nothing, and orders nothing in its place.
	two := process(listenLocal(t), newBox(t))
	if _, err := two.storage.Load(t.Context(), key); !errors.Is(err, secrets.ErrUndecryptable) {
		t.Errorf("got %v", err)
	}
	if _, err := two.open("bi.c9.test"); err == nil {
		t.Error("served with another master key")
	}
	if n := authority.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	// A sealed value in another's place is noticed.
	other := certmagic.StorageKeys.SitePrivateKey(one.issuer.IssuerKey(), "evil.test")
	newest, err := one.storage.values.read(t.Context(), place(key))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := one.storage.values.write(t.Context(), place(other), 0, newest.body); !done || err != nil {
		t.Fatal(done, err)
	}
	if _, err := one.storage.Load(t.Context(), other); !errors.Is(err, secrets.ErrUndecryptable) {
		t.Errorf("a moved value: got %v", err)
	}
}

func TestSettingsOfTheAuthority(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{"/nowhere/ca.pem": "can't be read", empty: "no certificate"} {
		if _, err := Open(Config{RootsFile: file}); !errors.Is(err, ErrAuthority) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", file, err)
		}
	}
}
