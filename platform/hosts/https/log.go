package https

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger writes what the libraries say to our log. What they tell in passing
// is for who looks for a fault.
func logger(log *slog.Logger) *zap.Logger { return zap.New(core{log.Handler()}) }

type core struct{ handler slog.Handler }

func (c core) Enabled(level zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), severity(level))
}

func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{c.handler.WithAttrs(attributes(fields))}
}

func (c core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	record := slog.NewRecord(e.Time, severity(e.Level), "certificates: "+e.Message, 0)
	record.AddAttrs(attributes(fields)...)
	return c.handler.Handle(context.Background(), record)
}

func (core) Sync() error { return nil }

func severity(level zapcore.Level) slog.Level {
	if level >= zapcore.WarnLevel {
		return slog.LevelWarn // a host of one customer is no fault of the installation
	}
	return slog.LevelDebug
}

func attributes(fields []zapcore.Field) []slog.Attr {
	encoded := zapcore.NewMapObjectEncoder()
	attrs := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(encoded)
		if value, ok := encoded.Fields[f.Key]; ok {
			attrs = append(attrs, slog.Any(f.Key, value))
		}
	}
	return attrs
}
