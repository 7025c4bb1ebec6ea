// Package hoststest runs what tests of host names need: a DNS server and a
// certificate authority, both real and on this machine alone.
package hoststest

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// DNS is a name server that knows what a test tells it. As a recursive one
// does, it answers an alias together with what it leads to.
type DNS struct {
	// Address is its host and port.
	Address string

	mu    sync.Mutex
	zone  map[string][]dns.RR // by lower-case name
	rcode map[string]int
}

// StartDNS serves until the test ends. All names below .test lead to this
// machine.
func StartDNS(t testing.TB) *DNS {
	t.Helper()
	packets, streams, err := listenBoth()
	for tries := 1; err != nil && tries < 20; tries++ {
		packets, streams, err = listenBoth()
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &DNS{Address: packets.LocalAddr().String(), zone: map[string][]dns.RR{}, rcode: map[string]int{}}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: dns.HandlerFunc(d.serve)}, {Listener: streams, Handler: dns.HandlerFunc(d.serve)}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		ended := make(chan error, 1)
		go func() { ended <- server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			if err := server.Shutdown(); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	return d
}

// listenBoth takes a port for packets and for streams, which carry answers
// that are too long for a packet. A port that is free for the one may be taken
// for the other.
func listenBoth() (net.PacketConn, net.Listener, error) {
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	packets, err := net.ListenPacket("udp", streams.Addr().String())
	if err != nil {
		return nil, nil, errors.Join(err, streams.Close())
	}
	return packets, streams, nil
}

// Add puts records into the zone, each as in a zone file:
// `_x.example.test. TXT "value"`.
func (d *DNS) Add(t testing.TB, records ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, text := range records {
		record, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ToLower(record.Header().Name)
		d.zone[name] = append(d.zone[name], record)
	}
}

// Remove takes all records of a name away.
func (d *DNS) Remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.zone, dns.Fqdn(name))
}

// Fail makes every question for the name fail with a code such as
// dns.RcodeServerFailure.
func (d *DNS) Fail(name string, code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rcode[dns.Fqdn(name)] = code
}

func (d *DNS) serve(w dns.ResponseWriter, question *dns.Msg) {
	answer := new(dns.Msg).SetReply(question)
	answer.RecursionAvailable = true
	d.answer(answer, question.Question[0])
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		answer.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(answer) // a client that is gone needs none
}

func (d *DNS) answer(answer *dns.Msg, q dns.Question) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := strings.ToLower(q.Name)
	if code := d.rcode[name]; code != 0 {
		answer.Rcode = code
		return
	}
	for range 8 { // aliases
		alias := ""
		for _, record := range d.zone[name] {
			if record.Header().Rrtype == q.Qtype {
				answer.Answer = append(answer.Answer, record)
			} else if c, ok := record.(*dns.CNAME); ok {
				answer.Answer = append(answer.Answer, c)
				alias = strings.ToLower(c.Target)
			}
		}
		if alias == "" {
			break
		}
		name = alias
	}
	switch {
	case len(answer.Answer) > 0, len(d.zone[name]) > 0:
	case !strings.HasSuffix(name, ".test.") || strings.HasPrefix(name, "_"):
		answer.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypeA:
		answer.Answer = append(answer.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
	}
}
