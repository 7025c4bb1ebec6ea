package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/dataflowhq/dataflow/platform/hosts/hoststest"
)

// reserve finds an address that nobody listens on.
func reserve(t *testing.T) (address string, port int) {
	t.Helper()
	port = hoststest.FreePort(t)
	return fmt.Sprintf("127.0.0.1:%d", port), port
}

func TestServeByHTTPS(t *testing.T) {
	t.Parallel()
	secure, securePort := reserve(t)
	plain, plainPort := reserve(t)
	authority := hoststest.StartACME(t, hoststest.ACMEOptions{DNS: hoststest.StartDNS(t), TLSPort: securePort, HTTPPort: plainPort})
	environ := []string{
		"DATAFLOW_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "DATAFLOW_BASE_URL=https://bi.own.test",
		"DATAFLOW_TLS_LISTEN=" + secure, "DATAFLOW_HTTP_LISTEN=" + plain,
		"DATAFLOW_ACME_DIRECTORY=" + authority.Directory, "DATAFLOW_ACME_CA_FILE=" + authority.RootsFile,
		"DATAFLOW_ACME_EMAIL=operator@example.com",
	}
	server := start(t, environ, "serve", "--listen", "127.0.0.1:0")
	server.ready(t)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: authority.Roots(t)},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := secure
			if strings.HasSuffix(address, ":80") {
				to = plain
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("http://bi.own.test/sign-in") // by the redirect to https
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || answer.StatusCode >= 500 || answer.Request.URL.Scheme != "https" || answer.ProtoMajor != 2 || len(body) == 0 {
		t.Errorf("%s %s from %s, %v", answer.Proto, answer.Status, answer.Request.URL, err)
	}
	if answer.Header.Get("Strict-Transport-Security") == "" {
		t.Error("a page by https that does not say to stay with it")
	}
	if _, err := (&http.Client{Transport: transport}).Get("https://other.test/"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("another host: %v", err)
	}
	if n := authority.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	busy := append(environ[1:], "DATAFLOW_DATA_DIR="+filepath.Join(t.TempDir(), "data"))
	if status, _, errs := try(t, busy, "serve", "--listen", "127.0.0.1:0"); status != statusConflict || !strings.Contains(errs, "DATAFLOW_TLS_LISTEN") || !strings.Contains(errs, strconv.Itoa(securePort)) {
		t.Errorf("an address in use: status %d, %s", status, errs)
	}
	if code := server.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: status %d", code)
	}
}
