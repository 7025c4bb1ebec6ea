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
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong.
var (
	ErrAddress = apperr.Define(apperr.Invalid, "outbound.address",
		"This is not an address that can be asked. Use one that begins with https://.")
	ErrPrivate = apperr.Define(apperr.Invalid, "outbound.private_address",
		"This address lies in a private network. Whoever runs the server can allow it with DATAFLOW_ALLOW_PRIVATE_ADDRESSES.")
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
	// Private also allows addresses of private networks and of this machine,
	// and plain http.
	Private bool
}

// HTTP is a client with the rules of c.
func (c Client) HTTP() *http.Client {
	dialer := &net.Dialer{Timeout: wait, Control: func(_, address string, _ syscall.RawConn) error { return c.checkPeer(address) }}
	return &http.Client{
		Timeout: wait,
		// A proxy would reach for us what we may not.
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: wait, ResponseHeaderTimeout: wait,
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
// Errors: outbound.address, outbound.private_address.
func (c Client) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !c.Private) {
		return ErrAddress.Wrap(err)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !c.Private && !public(ip) {
		return ErrPrivate
	}
	return nil
}

// checkPeer looks at the address that a connection is about to be made to,
// after the name was resolved: a name can't be pointed elsewhere in between.
func (c Client) checkPeer(address string) error {
	if c.Private {
		return nil
	}
	peer, err := netip.ParseAddrPort(address)
	if err != nil || !public(peer.Addr()) {
		return ErrPrivate
	}
	return nil
}

var reserved = func() []netip.Prefix {
	var list []netip.Prefix
	for _, network := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		list = append(list, netip.MustParsePrefix(network))
	}
	return list
}()

func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false // loopback, link-local, multicast and unspecified are no global unicast
	}
	for _, network := range reserved {
		if network.Contains(ip) {
			return false
		}
	}
	return true
}

// Get reads at most limit bytes from an address.
//
// Errors: outbound.address, outbound.private_address, outbound.unreachable,
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
