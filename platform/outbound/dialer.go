package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Dialer opens connections to public addresses, and to the allowed networks.
type Dialer struct {
	dialer  net.Dialer
	allowed []netip.Prefix
}

// NewDialer makes a Dialer. Allowed are networks such as 10.1.0.0/16.
func NewDialer(allowed []netip.Prefix) *Dialer {
	d := &Dialer{allowed: allowed}
	d.dialer = net.Dialer{Timeout: 10 * time.Second, Control: d.control}
	return d
}

// DialContext connects.
//
// Errors: outbound.private, and those of the network.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dialer.DialContext(ctx, network, address)
}

// control sees each address just before it is connected to.
func (d *Dialer) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return ErrPrivate.Wrap(fmt.Errorf("network %s", network))
	}
	host, err := netip.ParseAddrPort(address)
	if err != nil {
		return ErrPrivate.Wrap(err)
	}
	if !d.allows(host.Addr()) {
		return ErrPrivate.Wrap(fmt.Errorf("address %s", host.Addr()))
	}
	return nil
}

func (d *Dialer) allows(ip netip.Addr) bool {
	return Public(ip) || slices.ContainsFunc(d.allowed, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

// reserved are networks that netip does not call private, and that no tenant
// has a server in: https://www.iana.org/assignments/iana-ipv4-special-registry
// and its sister for IPv6.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), // translated to IPv4: any address again
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // likewise
	netip.MustParsePrefix("fec0::/10"),
}

// Public tells whether an address is one of the open internet.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, prefix := range reserved {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}

// ClientOver is for requests to where dial leads: by no proxy, and to no place that
// an answer names.
func ClientOver(dial func(ctx context.Context, network, address string) (net.Conn, error), configure func(*http.Transport)) *http.Client {
	transport := &http.Transport{
		DialContext: dial, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	if configure != nil {
		configure(transport)
	}
	return &http.Client{Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
