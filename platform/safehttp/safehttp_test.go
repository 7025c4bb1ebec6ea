package safehttp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestPrivateAddressesAreNoPublicOnes(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2a00:1450:4001:82a::200e": true, "127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "::1": false, "fe80::1": false, "fd00::1": false, "::ffff:127.0.0.1": false,
		"64:ff9b::7f00:1": false, "224.0.0.1": false, "255.255.255.255": false, "2002:7f00:1::": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %t", address, got)
		}
	}
}

func TestOnlyWhatIsAllowedIsAsked(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/missing":
			http.NotFound(w, r)
		default:
			_, _ = w.Write([]byte(strings.Repeat("x", 1000)))
		}
	}))
	t.Cleanup(server.Close)
	private, public := Client{Private: true}, Client{}
	if body, err := private.Get(t.Context(), server.URL, 1000); err != nil || len(body) != 1000 {
		t.Errorf("allowed: got %d bytes, %v", len(body), err)
	}
	local := "https://" + strings.TrimPrefix(server.URL, "http://")
	for name, tc := range map[string]struct {
		client  Client
		address string
		limit   int64
		want    error
	}{
		"too much":           {private, server.URL, 999, ErrAnswer},
		"another status":     {private, server.URL + "/missing", 1000, ErrAnswer},
		"leads to a file":    {private, server.URL + "/away", 1000, ErrAddress},
		"a file":             {private, "file:///etc/passwd", 1000, ErrAddress},
		"with a password":    {private, "http://u:p@127.0.0.1/", 1000, ErrAddress},
		"no https":           {public, server.URL, 1000, ErrAddress},
		"this machine":       {public, local, 1000, ErrPrivate},
		"this machine, name": {public, strings.Replace(local, "127.0.0.1", "localhost", 1), 1000, ErrPrivate},
	} {
		if _, err := tc.client.Get(t.Context(), tc.address, tc.limit); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}
