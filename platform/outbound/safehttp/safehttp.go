// Package safehttp asks addresses that people typed in. It reaches public
// addresses alone, unless the operator allows private ones, so that nobody can
// look around in the network that the server stands in; what it reads and how
// long it waits is bounded.
package safehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

// What can go wrong.
var (
	ErrAddress     = outbound.ErrAddress
	ErrUnreachable = apperr.Define(apperr.Unavailable, "outbound.unreachable",
		"This address did not answer. Check it, and that it can be reached from the server.")
	ErrAnswer = apperr.Define(apperr.Unavailable, "outbound.answer",
		"This address did not answer with what was expected.")
)

const (
	wait         = 10 * time.Second
	maxRedirects = 5
)

// Client asks. The zero value reaches public addresses by https alone.
type Client struct {
	// Allow are private networks, and this machine, that may be reached too;
	// with any of them plain http is allowed.
	Allow []netip.Prefix
}

// HTTP is a client with the rules of c.
func (c Client) HTTP() *http.Client {
	return &http.Client{
		Timeout: wait,
		// A proxy would reach for us what we may not.
		Transport: &http.Transport{DialContext: outbound.NewDialer(c.Allow).DialContext, TLSHandshakeTimeout: wait, ResponseHeaderTimeout: wait,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= maxRedirects {
				return errors.New("too many redirects")
			}
			return c.Check(r.URL.String())
		},
	}
}

// Check answers what is wrong with an address before it is asked. Where a name
// leads is seen only then.
//
// Errors: outbound.address, outbound.private.
func (c Client) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || len(c.Allow) == 0) {
		return ErrAddress.Wrap(err)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !c.allows(ip) {
		return outbound.ErrPrivate
	}
	return nil
}

func (c Client) allows(ip netip.Addr) bool {
	return outbound.Public(ip) || slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

// Get reads at most limit bytes from an address.
//
// Errors: outbound.address, outbound.private, outbound.unreachable,
// outbound.answer (another status than 200, or more than limit).
func (c Client) Get(ctx context.Context, address string, limit int64) ([]byte, error) {
	if err := c.Check(address); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, ErrAddress.Wrap(err)
	}
	response, err := c.HTTP().Do(request)
	if err != nil {
		var known *apperr.Kind
		if errors.As(err, &known) {
			return nil, known.Wrap(err)
		}
		return nil, ErrUnreachable.Wrap(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, ErrAnswer.With("This address answered with status %d.", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, ErrUnreachable.Wrap(fmt.Errorf("read answer: %w", err))
	}
	if int64(len(body)) > limit {
		return nil, ErrAnswer.With("This address answers with more than %d KB.", limit/1000)
	}
	return body, nil
}
