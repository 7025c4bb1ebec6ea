// Package https serves pages by https under any number of host names, with a
// certificate for each from an authority that speaks ACME. A certificate is
// ordered when a browser first asks for a host, and only if the caller says
// that the host is one of its own.
//
// All web processes share accounts, certificates and challenges through one
// storage, so any of them answers the authority for an order of another, and
// none orders what another has.
package https

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
)

// ErrAuthority means that the settings of the authority can't be used.
var ErrAuthority = apperr.Define(apperr.Invalid, "https.authority", "The settings of the certificate authority can't be used.")

const (
	// orderTimeout bounds an order that a browser waits for.
	orderTimeout = 50 * time.Second
	// remembered is how many certificates are kept in memory.
	remembered = 5000
	// sweepEvery and keepExpired are when certificates that nobody renewed go.
	sweepEvery  = 24 * time.Hour
	keepExpired = 30 * 24 * time.Hour
)

// Config is what a Front needs.
type Config struct {
	// TLS is where https is served. The authority must reach it at port 443 of
	// each host, or Plain at port 80.
	TLS net.Listener
	// Plain is where http is served: redirects, and the authority's questions.
	// Nil where there is none.
	Plain net.Listener
	// Port is the port of https in addresses that browsers see. Empty: 443.
	Port string

	// Directory is the address of the authority's ACME directory. Ordering from
	// it means agreement to its terms.
	Directory string
	// Email is where the authority sends warnings to.
	Email string
	// RootsFile has the certificates, in PEM, that the authority's own server
	// is trusted by. Empty: those of the machine.
	RootsFile string
	// KeyID and Key (base64url) bind the account to one made elsewhere, for
	// authorities that want it. Both or none.
	KeyID, Key string

	// Objects keeps accounts, certificates and challenges, sealed by Box.
	Objects Objects
	Box     Box

	// Allow answers nil for a host that is served and hosts.unknown for any
	// other. Any other error says that it is not known at the moment. The host
	// is normalised. Answers are remembered: a minute for nil, some seconds for
	// hosts.unknown.
	Allow func(ctx context.Context, host string) error

	Log *slog.Logger

	// renewAt is the part of a certificate's life that is left when it is
	// renewed. Zero: a third. An authority that says when comes first.
	renewAt float64
}

// Front serves the hosts. Its caller hands Listener to a server whose handler
// went through Guard, serves Plain by another, and closes it in the end.
type Front struct {
	config   Config
	gate     *gate
	patience *patience
	objects  *closing
	storage  *storage
	cache    *certmagic.Cache
	magic    *certmagic.Config
	issuer   *certmagic.ACMEIssuer
	log      *slog.Logger
	stop     context.CancelFunc
	swept    chan struct{}
}

// Open makes a Front. It asks the authority for nothing yet.
//
// Errors: https.authority.
func Open(config Config) (*Front, error) {
	roots, err := readRoots(config.RootsFile)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	objects := &closing{objects: config.Objects}
	f := &Front{config: config, objects: objects, gate: newGate(config.Allow), patience: newPatience(), log: config.Log, stop: stop, swept: make(chan struct{}),
		storage: newStorage(objects, config.Box, config.Log)}
	log := logger(config.Log)
	f.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return f.magic, nil },
		Capacity:         remembered,
		Logger:           log,
	})
	f.magic = certmagic.New(f.cache, certmagic.Config{
		Storage:            f.storage,
		Logger:             log,
		OnDemand:           &certmagic.OnDemandConfig{DecisionFunc: f.gate.allow},
		OnEvent:            f.ordered,
		KeySource:          certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		RenewalWindowRatio: config.renewAt,
		// Browsers have given OCSP up, and authorities follow.
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	template := certmagic.ACMEIssuer{
		CA: config.Directory, Email: config.Email, Agreed: true, TrustedRoots: roots,
		CertObtainTimeout: orderTimeout,
		// The library looks whether these ports are served; they are, by us.
		ListenHost: host(config.TLS), AltTLSALPNPort: port(config.TLS),
		DisableHTTPChallenge: config.Plain == nil,
		Logger:               log,
	}
	if config.Plain != nil {
		template.AltHTTPPort = port(config.Plain)
		if host(config.Plain) != template.ListenHost {
			template.ListenHost = ""
		}
	}
	if config.KeyID != "" {
		template.ExternalAccount = &acme.EAB{KeyID: config.KeyID, MACKey: config.Key}
	}
	f.issuer = certmagic.NewACMEIssuer(f.magic, template)
	f.magic.Issuers = []certmagic.Issuer{f.issuer}
	go f.sweep(ctx, log)
	return f, nil
}

// Close ends what runs beside requests; after it, nothing uses Config.Objects.
// It does not close the listeners.
func (f *Front) Close() {
	f.stop()
	<-f.swept
	f.cache.Stop()
	f.objects.close()
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, ErrAuthority.With("The file with the authority's root certificates, %s, can't be read.", file).Wrap(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, ErrAuthority.With("%s has no certificate in PEM.", file)
	}
	return roots, nil
}

// Listener answers connections whose handshake is that of a served host. All
// others are refused in the handshake, without a certificate that could tell
// whose machine this is.
func (f *Front) Listener() net.Listener {
	return tls.NewListener(f.config.TLS, &tls.Config{
		GetCertificate: f.certificate,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1", acmez.ACMETLS1Protocol},
	})
}

// certificate answers the handshake. Nil without an error makes it end with
// "unrecognized name".
func (f *Front) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name, err := hosts.Normalise(hello.ServerName)
	if err != nil {
		return nil, nil // a name that nobody can hold
	}
	// Asked for every handshake, and not for orders alone: a host that was
	// given up is not served from memory either.
	err = f.gate.allow(hello.Context(), name)
	if errors.Is(err, hosts.ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		f.log.Warn("can't tell whether a host is served", "host", name, "error", err)
		return nil, err
	}
	if !isQuestion(hello) && f.patience.left(name, time.Now()) > 0 {
		if kept := f.kept(name); kept != nil {
			return kept, nil
		}
		if !f.storage.Exists(hello.Context(), certmagic.StorageKeys.SiteCert(f.issuer.IssuerKey(), name)) {
			return nil, errPaused
		}
		// Another process got one meanwhile.
	}
	// An order goes on when the browser leaves: the next one finds it done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(hello.Context()), orderTimeout)
	defer cancel()
	return f.magic.GetCertificateWithContext(context.WithValue(ctx, endOrder{}, cancel), hello)
}

// endOrder is where the context of an order has what ends it.
type endOrder struct{}

var errPaused = errors.New("the authority issued no certificate; the next order has to wait")

// isQuestion tells whether the authority asks for the proof of an order.
func isQuestion(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol
}

// kept is the host's certificate in memory, where there is one that still holds.
func (f *Front) kept(name string) *tls.Certificate {
	for _, c := range f.cache.AllMatchingCertificates(name) {
		if time.Now().Before(c.Leaf.NotAfter) {
			return &c.Certificate
		}
	}
	return nil
}

// ordered hears of orders, before and after.
func (f *Front) ordered(ctx context.Context, event string, about map[string]any) error {
	host, _ := about["identifier"].(string)
	now := time.Now()
	switch event {
	case "cert_obtaining":
		if left := f.patience.left(host, now); left > 0 {
			return certmagic.ErrNoRetry{Err: fmt.Errorf("orders for %s have failed; the next may go out in %s", host, left.Round(time.Second))}
		}
		f.log.Info("ordering a certificate", "host", host, "authority", f.config.Directory)
	case "cert_obtained":
		f.patience.succeeded(host)
		f.log.Info("certificate issued", "host", host, "renewal", about["renewal"])
	case "cert_failed":
		wait := f.patience.failed(host, now)
		f.log.Warn("the authority issued no certificate", "host", host, "renewal", about["renewal"], "next_try_after", wait, "error", about["error"])
		// The library would wait and try again, and the browser with it.
		if end, ok := ctx.Value(endOrder{}).(context.CancelFunc); ok {
			end()
		}
	}
	return nil
}

// Guard answers only requests for the host that the connection was made for. A
// browser may not reach another customer's pages through it.
func (f *Front) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && !strings.EqualFold(bare(r.Host), r.TLS.ServerName) {
			http.Error(w, "This connection was made for another host.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Plain answers http: the authority's questions, and a redirect to https for
// served hosts.
func (f *Front) Plain() http.Handler {
	answers := f.issuer.HTTPChallengeHandler(http.HandlerFunc(f.redirect))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := hosts.Normalise(bare(r.Host))
		if err == nil {
			err = f.gate.allow(r.Context(), name)
		}
		switch {
		case err == nil:
			answers.ServeHTTP(w, r)
		case errors.Is(err, hosts.ErrInvalid), errors.Is(err, hosts.ErrUnknown):
			http.Error(w, "Nothing is served under this host name.", http.StatusNotFound)
		default:
			f.log.Warn("can't tell whether a host is served", "host", name, "error", err)
			w.Header().Set("Retry-After", "5")
			http.Error(w, "This host can't be served at the moment. Try again in a few seconds.", http.StatusServiceUnavailable)
		}
	})
}

// redirect sends a browser on. What was sent by POST has gone over the line in
// the clear: it is not repeated, so that the fault is seen.
func (f *Front) redirect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "Use https for this.", http.StatusForbidden)
		return
	}
	to := url.URL{Scheme: "https", Host: bare(r.Host), Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if f.config.Port != "" && f.config.Port != "443" {
		to.Host = net.JoinHostPort(to.Host, f.config.Port)
	}
	w.Header().Set("Connection", "close")
	http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
}

// sweep deletes certificates that expired long ago: of hosts that nobody opens
// any more, or that were given up. One process does it for all.
func (f *Front) sweep(ctx context.Context, log *zap.Logger) {
	defer close(f.swept)
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		err := certmagic.CleanStorage(ctx, f.storage, certmagic.CleanStorageOptions{
			Logger: log, Interval: sweepEvery, ExpiredCerts: true, ExpiredCertGracePeriod: keepExpired,
		})
		if err != nil && ctx.Err() == nil {
			f.log.Warn("expired certificates were not swept", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// bare is a host without its port and without a dot at its end.
func bare(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = h
	}
	return strings.TrimSuffix(hostport, ".")
}

func host(l net.Listener) string {
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok || address.IP.IsUnspecified() {
		return ""
	}
	return address.IP.String()
}

func port(l net.Listener) int {
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0
}
