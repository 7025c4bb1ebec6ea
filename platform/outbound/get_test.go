package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestOnlyWhatIsAllowedIsRead(t *testing.T) {
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
	private, public := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}), New(Config{})
	if body, err := private.Get(t.Context(), server.URL, 1000); err != nil || len(body) != 1000 {
		t.Errorf("allowed: got %d bytes, %v", len(body), err)
	}
	local := "https://" + strings.TrimPrefix(server.URL, "http://")
	for name, tc := range map[string]struct {
		client  *Client
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
