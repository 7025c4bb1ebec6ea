package audit

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/platform/records"
)

// Format is the form of an export.
type Format string

// The formats.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
)

// Export is an export that is about to be written.
type Export struct {
	service *Service
	actor   access.Actor
	query   Query
	format  Format
}

// OpenExport records that the entries of q are exported, and answers what
// writes them. Who exports reads it in the export.
//
// Errors: access.forbidden; audit.invalid for another format.
func (s *Service) OpenExport(ctx context.Context, actor access.Actor, q Query, format Format) (*Export, error) {
	if err := access.Can(actor, access.ViewAudit); err != nil {
		return nil, err
	}
	if format != CSV && format != NDJSON {
		return nil, ErrInvalid.With("An export is csv or ndjson.")
	}
	detail := map[string]any{"format": format}
	for name, value := range map[string]string{"text": q.Text, "actions": strings.Join(q.Actions, " "), "outcome": q.Outcome, "since": date(q.Since), "until": date(q.Until)} {
		if value != "" {
			detail[name] = value
		}
	}
	if !q.User.IsZero() {
		detail["person"] = q.User.String()
	}
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return Record(ctx, tx, actor, Entry{Action: "audit.exported", Target: "workspace", ID: actor.TenantID.String(), Detail: detail})
	})
	q.Limit, q.After = 500, Key{}
	return &Export{service: s, actor: actor, query: q, format: format}, err
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Write writes the entries, newest first, and answers how many they are. It
// holds a page of them at a time, and no transaction while it writes.
func (x *Export) Write(ctx context.Context, out io.Writer) (int64, error) {
	put, flush := x.ndjson(out)
	if x.format == CSV {
		put, flush = x.csv(out)
	}
	var total int64
	for q := x.query; ; {
		page, err := x.service.list(ctx, x.actor, q)
		if err != nil {
			return total, err
		}
		for _, line := range page.Lines {
			if err := put(eventOf(x.actor.TenantID, line)); err != nil {
				return total, fmt.Errorf("write export: %w", err)
			}
			total++
		}
		if err := flush(); err != nil {
			return total, fmt.Errorf("write export: %w", err)
		}
		if q.After = page.Next; q.After.At.IsZero() {
			return total, nil
		}
	}
}

func (x *Export) ndjson(out io.Writer) (put func(Event) error, flush func() error) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return func(e Event) error { return encoder.Encode(e) }, func() error { return nil }
}

func (x *Export) csv(out io.Writer) (put func(Event) error, flush func() error) {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	flush = func() error { w.Flush(); return w.Error() }
	_ = w.Write([]string{"time", "who", "email", "actor_kind", "actor_id", "action", "object_kind", "object", "object_id", "outcome",
		"address", "agent", "session", "request_id", "detail", "before", "after", "id"}) // an error stays and comes with Flush
	return func(e Event) error {
		var o EventObject
		if e.Object != nil {
			o = *e.Object
		}
		row := []string{e.Time.Format(time.RFC3339Nano), e.Actor.Name, e.Actor.Email, e.Actor.Kind, e.Actor.ID, e.Action, o.Kind, o.Name, o.ID, e.Outcome,
			e.Actor.Address, e.Actor.Agent, e.Actor.Session, e.RequestID, values(e.Detail), values(e.Before), values(e.After), e.ID}
		for i, cell := range row {
			row[i] = records.Harmless(cell)
		}
		return w.Write(row)
	}, flush
}

// values writes what an entry says as one cell.
func values(m map[string]any) string {
	if len(m) == 0 {
		return ""
	}
	text, err := json.Marshal(m) // it came from JSON
	if err != nil {
		return ""
	}
	return string(text)
}
