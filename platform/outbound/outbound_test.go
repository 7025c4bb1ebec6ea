package outbound

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func nothing() error { return nil }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(server.Close)
	c := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.99.0.0/16")}}) // http is allowed, this machine is not
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"} {
		_, err := c.Post(t.Context(), "http://"+host+port+"/", nil, nil, nothing)
		if !errors.Is(err, ErrPrivate) && !(errors.Is(err, ErrUnavailable) && strings.Contains(err.Error(), "no server named")) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if asked {
		t.Error("the server was asked")
	}
	if _, err := c.Dial(t.Context(), "127.0.0.1"+port); !errors.Is(err, ErrPrivate) {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]bool{"93.184.216.34": true, "2606:4700::1111": true, "10.0.0.1": false, "172.16.5.4": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "0.1.2.3": false,
		"fe80::1": false, "fd00:ec2::254": false, "::": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false, "2002:7f00:1::": false, "ff02::1": false} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestAddressesThatCantBeUsed(t *testing.T) {
	t.Parallel()
	c := New(Config{})
	for _, text := range []string{"", "hooks.example.com", "ftp://x/", "http://example.com/", "https://user:pass@example.com/", "https:///x", "https://example.com/\nx", "javascript:alert(1)"} {
		if _, err := c.CheckURL(text); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := c.CheckURL("https://hooks.example.com/a?b=c"); err != nil {
		t.Error(err)
	}
}

func TestAnswersSayWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		case "/busy":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/down":
			w.WriteHeader(http.StatusBadGateway)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/drop":
			panic(http.ErrAbortHandler)
		default:
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, "taken\r\n\x00"+string(body)+r.Header.Get("Df-Delivery")+strings.Repeat("x", 5000))
		}
	}))
	t.Cleanup(server.Close)
	c := New(Config{Allow: loopback})
	for path, want := range map[string]error{"/elsewhere": ErrRefused, "/busy": ErrUnavailable, "/down": ErrUnavailable, "/gone": ErrRefused, "/drop": ErrUnavailable} {
		_, err := c.Post(t.Context(), server.URL+path, nil, nil, nothing)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
		if strings.Contains(err.Error(), path) {
			t.Errorf("%s is told: %v", path, err)
		}
	}
	answer, err := c.Post(t.Context(), server.URL+"/ok", http.Header{"Df-Delivery": {"d1"}}, []byte("body"), nothing)
	if err != nil || !strings.HasPrefix(answer, "200 taken bodyd1x") || len(answer) > 400 {
		t.Errorf("%q, %v", answer, err)
	}
	stop := errors.New("stop")
	if _, err := c.Post(t.Context(), server.URL+"/ok", nil, nil, func() error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Post(ended, server.URL+"/ok", nil, nil, nothing); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
