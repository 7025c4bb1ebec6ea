package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/dataflowhq/dataflow/platform/telemetry"
)

func TestLogLinesCarryIds(t *testing.T) {
	t.Parallel()
	for name, json := range map[string]bool{"text": false, "json": true} {
		var out bytes.Buffer
		log := telemetry.NewLogger(&out, telemetry.LogConfig{JSON: json}).With("role", "web")
		ctx := telemetry.WithRequestID(t.Context(), "req-1")
		ctx = telemetry.With(ctx, slog.String("tenant_id", "ten-1"), slog.String("job_id", "job-1"))
		log.InfoContext(ctx, "hello")
		for _, want := range []string{"req-1", "ten-1", "job-1", "web", "hello"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q lacks %s", name, out.String(), want)
			}
		}
		if strings.HasPrefix(out.String(), "{") != json {
			t.Errorf("%s: got %q", name, out.String())
		}
		if id := telemetry.RequestID(ctx); id != "req-1" {
			t.Errorf("request id is %q", id)
		}
	}
}

func TestContextsDoNotShareAttributes(t *testing.T) {
	t.Parallel()
	parent := telemetry.With(t.Context(), slog.String("a", "1"))
	one := telemetry.With(parent, slog.String("b", "one"))
	two := telemetry.With(parent, slog.String("b", "two"))
	for want, ctx := range map[string]context.Context{"one": one, "two": two} {
		if attrs := telemetry.Attrs(ctx); len(attrs) != 2 || attrs[1].Value.String() != want {
			t.Errorf("attributes are %v, want %s", attrs, want)
		}
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, telemetry.LogConfig{})
	log.Info("start", "password", "hush1", "SMTP_PASSWORD", "hush2", "session_token", "hush3",
		slog.Group("database", slog.String("url", "postgres://bi:hush4@db.example.com/x"), slog.String("dsn", "hush5")),
		"error", errors.New("connect to redis://:hush6@cache:6379: refused and amqp://u:hu@sh7@h/"),
		"address", "https://bi.example.com/reset?x=1", "user", "ada")
	if strings.Contains(out.String(), "hush") || strings.Contains(out.String(), "sh7") {
		t.Errorf("logged a secret: %s", out.String())
	}
	for _, want := range []string{"postgres://bi:[hidden]@db.example.com/x", "redis://:[hidden]@cache:6379: refused", "https://bi.example.com/reset?x=1", "user=ada"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s lacks %s", out.String(), want)
		}
	}
}

func TestMetricsAreForThisMachineOnly(t *testing.T) {
	t.Parallel()
	handler := telemetry.LocalMetrics()
	for name, tc := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"this machine":                      {func(*http.Request) {}, 200},
		"this machine, by IPv6":             {func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:1000", "[::1]:8080" }, 200},
		"by name":                           {func(r *http.Request) { r.Host = "localhost:8080" }, 200},
		"elsewhere":                         {func(r *http.Request) { r.RemoteAddr = "192.0.2.7:1000" }, 404},
		"through a proxy here":              {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") }, 404},
		"through a proxy, by public name":   {func(r *http.Request) { r.Host = "bi.example.com" }, 404},
		"through a proxy, only the address": {func(r *http.Request) { r.Header.Set("X-Real-IP", "192.0.2.7") }, 404},
		"with an address that is none":      {func(r *http.Request) { r.RemoteAddr = "@" }, 404},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/metrics", nil)
		r.RemoteAddr = "127.0.0.1:1000"
		tc.change(r)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tc.status || (w.Code == 200) != strings.Contains(w.Body.String(), "go_goroutines") {
			t.Errorf("%s: got %d %.60q, want %d", name, w.Code, w.Body.String(), tc.status)
		}
	}
}

func TestServeMetrics(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- telemetry.ServeMetrics(ctx, listener) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != 200 || !strings.Contains(string(body), "go_goroutines") {
		t.Errorf("got %d, %v", response.StatusCode, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The one test that sets up tracing, which is global: it is not parallel.
func TestTracesReachACollector(t *testing.T) {
	received := make(chan *collector.ExportTraceServiceRequest, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := new(collector.ExportTraceServiceRequest)
		if err == nil {
			err = proto.Unmarshal(body, request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("got %s, %v", r.URL.Path, err)
		}
		received <- request
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer receiver.Close()

	off, err := telemetry.StartTracing(t.Context(), telemetry.TraceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := off(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop, err := telemetry.StartTracing(t.Context(), telemetry.TraceConfig{Endpoint: receiver.URL, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	log := telemetry.NewLogger(&logged, telemetry.LogConfig{})
	handler := telemetry.Traced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "inside")
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
		w.(http.Flusher).Flush()
		w.WriteHeader(http.StatusTeapot)
	}), func(*http.Request) string { return "/dashboards/{id}" })
	r := httptest.NewRequest(http.MethodGet, "/dashboards/42?token=secret", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	request := <-received
	span := request.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0]
	if span.GetName() != "GET /dashboards/{id}" || len(span.GetParentSpanId()) == 0 {
		t.Errorf("span is %v", span)
	}
	if text := request.String(); strings.Contains(text, "secret") || !strings.Contains(text, "dataflow") || !strings.Contains(text, "418") {
		t.Errorf("request is %s", text)
	}
	if !strings.Contains(logged.String(), "trace_id=0af7651916cd43dd8448eb211c80319c") {
		t.Errorf("log line is %q", logged.String())
	}
}
