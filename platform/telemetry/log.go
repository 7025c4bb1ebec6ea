// Package telemetry sets up logs, metrics and traces, and carries ids such as
// the request's, the tenant's and the job's from a context into all three.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

type attrsKey struct{}

// With adds attributes to every log line that is written with the context.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	old := Attrs(ctx)
	all := make([]slog.Attr, 0, len(old)+len(attrs))
	all = append(append(all, old...), attrs...)
	return context.WithValue(ctx, attrsKey{}, all)
}

// Attrs are the attributes that With gave to the context.
func Attrs(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return attrs
}

// WithRequestID gives the context the id that the request's answer and log
// lines carry.
func WithRequestID(ctx context.Context, id string) context.Context {
	return With(ctx, slog.String(requestIDKey, id))
}

// RequestID is the id that the request's answer and log lines carry.
func RequestID(ctx context.Context) string {
	for _, a := range Attrs(ctx) {
		if a.Key == requestIDKey {
			return a.Value.String()
		}
	}
	return ""
}

const requestIDKey = "request_id"

// LogConfig says how to log.
type LogConfig struct {
	Level slog.Level
	JSON  bool // text when false
}

// NewLogger writes to w, adds the context's attributes to each line and hides
// the values of attributes that look like secrets.
func NewLogger(w io.Writer, cfg LogConfig) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level, ReplaceAttr: hideSecrets}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if cfg.JSON {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(contextHandler{h})
}

// contextHandler adds the attributes of With.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	attrs, span := Attrs(ctx), trace.SpanContextFromContext(ctx)
	if len(attrs) > 0 || span.IsValid() {
		record = record.Clone()
		record.AddAttrs(attrs...)
		if span.IsValid() {
			record.AddAttrs(slog.String("trace_id", span.TraceID().String()))
		}
	}
	return h.Handler.Handle(ctx, record)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

var secretWords = []string{"password", "passwd", "secret", "token", "cookie", "authorization", "api_key", "apikey",
	"private_key", "master_key", "credential", "dsn", "database_url", "redis_url", "session_key", "reset_link"}

// hideSecrets is the last wall, not the first: secrets have types that don't
// print, but an attribute may be added in haste.
func hideSecrets(_ []string, a slog.Attr) slog.Attr {
	if isSecret(a.Key) {
		return slog.String(a.Key, "[hidden]")
	}
	if a.Value.Kind() == slog.KindString {
		if hidden, found := hideURLPassword(a.Value.String()); found {
			return slog.String(a.Key, hidden)
		}
	}
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	if err, ok := a.Value.Any().(error); ok {
		if hidden, found := hideURLPassword(err.Error()); found {
			return slog.String(a.Key, hidden)
		}
	}
	return a
}

// secretKeys remembers the keys that were judged. Keys are written in the code,
// so there are few.
var secretKeys sync.Map // string -> bool

func isSecret(key string) bool {
	if known, ok := secretKeys.Load(key); ok {
		return known.(bool)
	}
	lower := strings.ToLower(key)
	secret := slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(lower, word) })
	secretKeys.Store(key, secret)
	return secret
}

// hideURLPassword replaces PASSWORD in every scheme://user:PASSWORD@host.
func hideURLPassword(text string) (string, bool) {
	if !strings.Contains(text, "://") {
		return text, false
	}
	var b strings.Builder
	found := false
	for {
		start := strings.Index(text, "://")
		if start < 0 {
			break
		}
		start += len("://")
		end := start + strings.IndexFunc(text[start:]+" ", func(c rune) bool { return strings.ContainsRune(" \t\n\"'`/?#", c) })
		authority := text[start:end]
		b.WriteString(text[:start])
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			if colon := strings.IndexByte(authority[:at], ':'); colon >= 0 {
				authority = authority[:colon+1] + "[hidden]" + authority[at:]
				found = true
			}
		}
		b.WriteString(authority)
		text = text[end:]
	}
	b.WriteString(text)
	return b.String(), found
}
