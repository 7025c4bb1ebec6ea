package audit_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

// collector takes syslog, and gives every message to heard once its sender has
// ended.
type collector struct {
	address string
	mu      sync.Mutex
	heard   []string
	refuse  bool // breaks off in the middle
}

func collect(t *testing.T, listener net.Listener) *collector {
	t.Helper()
	c := &collector{address: listener.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.take(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	return c
}

func (c *collector) take(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	var messages []string
	for {
		length, err := in.ReadString(' ')
		if err != nil {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		messages = append(messages, string(message))
		c.mu.Lock()
		refuse := c.refuse
		c.mu.Unlock()
		if refuse {
			tcp, ok := conn.(*net.TCPConn)
			if ok {
				_ = tcp.SetLinger(0)
			}
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, messages...)
}

func (c *collector) take5424(t *testing.T) []audit.Event {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	form := regexp.MustCompile(`^<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z - dataflow - ([!-~]{1,32}) \[audit@32473 tenant="[0-9a-f-]{36}" id="[0-9a-f-]{36}" batch="\d+"\] \x{FEFF}(\{.*\})$`)
	var events []audit.Event
	for _, message := range c.heard {
		parts := form.FindStringSubmatch(message)
		if parts == nil {
			t.Fatalf("not RFC 5424: %q", message)
		}
		var e audit.Event
		if err := json.Unmarshal([]byte(parts[3]), &e); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{audit.Allowed: "109", audit.Denied: "108"}[e.Outcome]; parts[1] != want || parts[2] != e.Action {
			t.Errorf("priority %s, id %s of %+v", parts[1], parts[2], e)
		}
		events = append(events, e)
	}
	return events
}

func (r *rig) forwardTo(kind, address, secret string) {
	r.t.Helper()
	if err := r.SetForward(r.t.Context(), r.actor, kind, address, secret); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) forward() error { return r.ForwardAll(r.t.Context(), r.actor.TenantID) }

func TestEntriesReachASyslogCollector(t *testing.T) {
	r := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := collect(t, listener)
	r.batch(2) // before: not sent
	r.forwardTo(audit.Syslog, "tcp://"+c.address, "")
	r.seal(1)
	r.record(audit.Entry{Action: "access.denied", Denied: true})
	r.seal(1)
	// It breaks off: nothing counts as sent.
	c.mu.Lock()
	c.refuse = true
	c.mu.Unlock()
	if err := r.forward(); !errors.Is(err, audit.ErrCollector) {
		t.Fatalf("broken off: %v", err)
	}
	state, err := r.GetState(t.Context(), r.actor)
	if err != nil || state.Forward.Sent != 1 || state.Forward.Error == "" || state.Head != 3 {
		t.Errorf("%+v %+v, %v", state, state.Forward, err)
	}
	c.mu.Lock()
	c.refuse = false
	c.mu.Unlock()
	if err := r.forward(); err != nil {
		t.Fatal(err)
	}
	events := c.take5424(t)
	if len(events) != 2 || events[0].Action != "audit.forward_changed" || events[1].Action != "access.denied" || events[1].Actor.Email != "ines@example.com" || events[1].Batch != 3 {
		t.Errorf("%+v", events)
	}
	if state, err = r.GetState(t.Context(), r.actor); err != nil || state.Forward.Sent != 3 || state.Forward.Error != "" || state.Forward.SentAt.IsZero() {
		t.Errorf("%+v, %v", state.Forward, err)
	}
	if err := r.forward(); err != nil || len(c.take5424(t)) != 2 {
		t.Errorf("sent again: %v", err)
	}
}

func TestEntriesReachASyslogCollectorByTLS(t *testing.T) {
	r := setup(t)
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer server.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: server.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	c := collect(t, listener)
	r.forwardTo(audit.Syslog, "tls://"+c.address, "")
	r.seal(1)
	if err := r.forward(); err == nil {
		t.Error("a certificate that nobody vouches for is accepted")
	}
	r.Trust(server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
	if err := r.forward(); err != nil {
		t.Fatal(err)
	}
	if events := c.take5424(t); len(events) != 1 || events[0].After["kind"] != "syslog" {
		t.Errorf("%+v", events)
	}
}

func TestEntriesReachAnHTTPCollector(t *testing.T) {
	r := setup(t)
	var mu sync.Mutex
	answer, status, asked := `{"text":"Server is busy","code":9}`, http.StatusServiceUnavailable, 0
	var events []audit.Event
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if request.URL.Path != "/services/collector/event" || request.Header.Get("Authorization") != "Splunk t0ken" {
			t.Errorf("%s with %q", request.URL, request.Header)
		}
		decoder := json.NewDecoder(request.Body)
		for decoder.More() {
			var e struct {
				Time       float64     `json:"time"`
				Sourcetype string      `json:"sourcetype"`
				Event      audit.Event `json:"event"`
			}
			if err := decoder.Decode(&e); err != nil || e.Sourcetype != "dataflow:audit" || e.Time < 1e9 {
				t.Errorf("%+v, %v", e, err)
			}
			if status == http.StatusOK {
				events = append(events, e.Event)
			}
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "http://169.254.169.254/")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	r.Trust(server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
	r.forwardTo(audit.HEC, server.URL, "t0ken")
	r.batchesOf(t, 3)
	for _, refusal := range []struct {
		status int
		answer string
	}{{503, answer}, {200, `{"text":"Invalid token","code":4}`}, {200, "<html>"}, {302, ""}} {
		mu.Lock()
		status, answer = refusal.status, refusal.answer
		if status == http.StatusOK {
			events = nil
		}
		mu.Unlock()
		before := r.dialed
		if err := r.forward(); !errors.Is(err, audit.ErrCollector) {
			t.Errorf("%d %s: %v", refusal.status, refusal.answer, err)
		}
		if r.dialed != before+1 {
			t.Errorf("%d: followed elsewhere", refusal.status)
		}
	}
	mu.Lock()
	status, answer, events = 200, `{"text":"Success","code":0}`, nil
	mu.Unlock()
	if err := r.forward(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(events) != 4 || events[0].Action != "audit.forward_changed" || events[3].After["role"] != "editor" {
		t.Errorf("%+v", events)
	}
	// The token lies under the workspace's keys, and goes to no other address.
	if n := r.number("SELECT count(*) FROM audit_forwards WHERE position('t0ken'::bytea IN secret) > 0"); n != 0 {
		t.Error("the token lies open")
	}
	r.forwardTo(audit.HEC, "https://another.example.com", "")
	if n := r.number("SELECT count(*) FROM audit_forwards WHERE secret IS NOT NULL"); n != 0 {
		t.Error("another address got the token")
	}
	r.forwardTo("", "", "")
	if n := r.number("SELECT count(*) FROM audit_forwards"); n != 0 {
		t.Error("it goes on")
	}
}

// batchesOf seals what waits and n entries more.
func (r *rig) batchesOf(t *testing.T, n int) {
	t.Helper()
	r.seal(r.number("SELECT count(*) FROM audit_events WHERE batch IS NULL"))
	r.batch(n)
}

// A workspace can't reach into the network that DataFlow stands in.
func TestForwardingReachesNoPrivateAddress(t *testing.T) {
	r := setup(t)
	dialer := outbound.NewDialer(nil)
	r.permission = func(address string) error {
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	r.forwardTo(audit.HEC, "http://127.0.0.1:9", "")
	r.seal(1)
	if err := r.forward(); !errors.Is(err, outbound.ErrPrivate) {
		t.Errorf("loopback: %v", err)
	}
	r.forwardTo(audit.Syslog, "tcp://localhost:514", "")
	r.seal(1)
	if err := r.forward(); !errors.Is(err, outbound.ErrPrivate) {
		t.Errorf("a name of loopback: %v", err)
	}
	for _, bad := range [][2]string{
		{audit.Syslog, "udp://logs.example.com:514"}, {audit.Syslog, "tcp://logs.example.com"}, {audit.Syslog, "tcp://u:p@logs.example.com:514"},
		{audit.HEC, "ftp://x"}, {audit.HEC, "https://"}, {audit.HEC, "https://x?y=1"}, {"kafka", "https://x"}, {audit.HEC, "https://" + strings.Repeat("x", 600)},
	} {
		if err := r.SetForward(t.Context(), r.actor, bad[0], bad[1], ""); !errors.Is(err, audit.ErrInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := r.SetForward(t.Context(), r.actor, audit.HEC, "https://x", "a\r\nX: y"); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("a token of two lines: %v", err)
	}
}
