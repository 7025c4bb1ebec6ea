package outbound

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "192.168.1.1": false, "10.0.0.1": false, "172.16.5.5": false, "127.0.0.1": false, "::1": false,
		"169.254.169.254": false, "fe80::1": false, "fd00::1": false, "0.0.0.0": false, "::": false, "100.64.0.1": false, "224.0.0.1": false,
		"255.255.255.255": false, "::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "198.18.0.1": false,
		"fec0::1": false, "ff02::1": false, "240.0.0.1": false, "0.1.2.3": false, "fe80::1%eth0": false,
	} {
		if got := Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t, want %t", address, got, want)
		}
	}
}

func TestDialerLooksAtTheAddressItself(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "0"} {
		conn, err := NewDialer(nil).DialContext(t.Context(), "tcp", host+":"+port)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s was reached", host)
		} else if host != "0" && host != "[::ffff:127.0.0.1]" && !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", host, err)
		}
	}
	conn, err := NewDialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatalf("an allowed network: %v", err)
	}
	_ = conn.Close()
	if _, err := NewDialer(nil).DialContext(t.Context(), "udp", "8.8.8.8:53"); !errors.Is(err, ErrPrivate) {
		t.Errorf("another protocol: %v", err)
	}
}
