// Package audit keeps who did what, when, from where, and what was before and
// after. An entry of a change is written by the transaction that does it: there
// is no change without its entry, and no entry for a change that was rolled
// back. Entries are sealed into a chain of hashes, so that one that is changed,
// removed or put in later is found.
package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Entry is one thing that was done, or refused.
type Entry struct {
	Action string         // "<feature>.<verb>", such as "members.role_changed"
	Target string         // kind of what it was done to: "dashboard"
	ID     string         // its id
	Detail map[string]any // never a secret
	// Before and After are what a change changed, by the same names.
	Before, After map[string]any
	Denied        bool      // it was asked for and refused
	At            time.Time // now when zero
}

// Origin is where something was asked for.
type Origin struct {
	RequestID string // of the request, or of the job
	Address   string // of the browser, as far as trusted proxies say
	Agent     string // the browser, or the command or job
	Session   string // id of the session
	// ViewedBy is who acts where the actor is somebody whose view they look at.
	ViewedBy ids.User
}

type originKey struct{}

// WithOrigin gives the context where its work was asked for. Whoever made o may
// fill it in until the work begins.
func WithOrigin(ctx context.Context, o *Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf is what WithOrigin gave, or nothing.
func OriginOf(ctx context.Context) Origin {
	if o, ok := ctx.Value(originKey{}).(*Origin); ok {
		return *o
	}
	return Origin{}
}

// Record writes an entry in tx. The actor's tenant is that of the entry, the
// context says where it comes from, the database how the actor and the object
// are called.
func Record(ctx context.Context, tx *db.Tx, actor access.Actor, e Entry) error {
	return record(ctx, tx, actor, OriginOf(ctx), e)
}

func record(ctx context.Context, tx *db.Tx, actor access.Actor, from Origin, e Entry) error {
	if !from.ViewedBy.IsZero() && from.ViewedBy != actor.UserID {
		e.Detail = maps.Clone(e.Detail)
		if e.Detail == nil {
			e.Detail = map[string]any{}
		}
		e.Detail["viewing_as"], actor.UserID = actor.UserID.String(), from.ViewedBy
	}
	if !actor.KeyID.IsZero() {
		if e.Detail = maps.Clone(e.Detail); e.Detail == nil {
			e.Detail = map[string]any{}
		}
		e.Detail["key"], e.Detail["key_id"] = actor.KeyName, actor.KeyID.String()
	}
	what := map[string]any{}
	for name, part := range map[string]map[string]any{"detail": e.Detail, "before": e.Before, "after": e.After} {
		if len(part) > 0 {
			what[name] = part
		}
	}
	if name, ok := e.Detail["name"].(string); ok && name != "" {
		what["name"] = name // what is being made or is gone has none in the database
	}
	whatText, err := encode(what)
	if err != nil {
		return fmt.Errorf("encode audit detail of %s: %w", e.Action, err)
	}
	who := map[string]any{}
	for name, value := range map[string]string{"address": from.Address, "agent": from.Agent, "session": from.Session} {
		if value != "" {
			who[name] = cut(value, 300)
		}
	}
	whoText, err := encode(who)
	if err != nil {
		return fmt.Errorf("encode audit origin of %s: %w", e.Action, err)
	}
	p := db.AuditInsertParams{
		TenantID: actor.TenantID.UUID(), AuditID: ids.New[uuid.UUID](), ActorKind: string(actor.Kind), Action: e.Action,
		TargetKind: e.Target, TargetID: cut(e.ID, 500), Outcome: outcome(e.Denied), RequestID: cut(from.RequestID, 100),
		Who: whoText, WhoSalt: salt(), What: whatText, WhatSalt: salt(),
	}
	if !e.At.IsZero() {
		p.At = &e.At
	}
	if !actor.UserID.IsZero() {
		id := actor.UserID.UUID()
		p.UserID = &id
	}
	if !actor.VisitorID.IsZero() {
		id := actor.VisitorID.UUID()
		p.VisitorID = &id
	}
	if object, err := uuid.Parse(e.ID); err == nil {
		p.ObjectID = &object
	}
	if err := tx.AuditInsert(ctx, p); err != nil {
		return fmt.Errorf("record %s: %w", e.Action, err)
	}
	return nil
}

// The outcomes, as the database has them.
const (
	Allowed = "allowed"
	Denied  = "denied"
)

func outcome(denied bool) string {
	if denied {
		return Denied
	}
	return Allowed
}

// saltBytes is the length of what keeps a digest from being guessed.
const saltBytes = 16

func salt() []byte {
	s := make([]byte, saltBytes)
	_, _ = rand.Read(s) // never fails: it ends the process instead
	return s
}

// encode writes JSON that PostgreSQL can hold: it knows no zero character.
func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil || !bytes.Contains(text, []byte(`\u0000`)) {
		return text, err
	}
	var read any
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	return json.Marshal(withoutZero(read))
}

func withoutZero(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case []any:
		for i := range v {
			v[i] = withoutZero(v[i])
		}
		return v
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, value := range v {
			clean[strings.ReplaceAll(key, "\x00", "")] = withoutZero(value)
		}
		return clean
	}
	return v
}

// cut bounds what comes from outside, in bytes.
func cut(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
