package audit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/audit"
)

func TestEntrySaysWhoWhatWhereAndWhatChanged(t *testing.T) {
	r := setup(t)
	r.record(audit.Entry{Action: "members.role_changed", Target: "user", ID: r.actor.UserID.String(),
		Before: map[string]any{"role": "viewer"}, After: map[string]any{"role": "edi\x00tor"}})
	// What somebody is called later changes nothing.
	r.exec("UPDATE users SET name = 'Another' WHERE user_id = $1", r.actor.UserID.UUID())
	line := r.list(audit.Query{})[0]
	if line.Who != (audit.Who{Name: "Ines Okafor", Email: "ines@example.com", Address: "81.2.69.142", Agent: "Browser/1", Session: "s-1"}) {
		t.Errorf("who: %+v", line.Who)
	}
	if line.RequestID != "req-1" || line.What.Name != "Ines Okafor" || line.What.Before["role"] != "viewer" || line.What.After["role"] != "editor" || line.Denied {
		t.Errorf("what: %+v", line)
	}
	if age := time.Since(line.At); age < 0 || age > time.Minute || line.Sealed {
		t.Errorf("%s ago, sealed %t", age, line.Sealed)
	}
}

// Whoever may write everything to the database can't do it unnoticed.
func TestTamperingIsFoundAtItsBatch(t *testing.T) {
	const second = " (SELECT audit_id FROM audit_events WHERE batch = 2 ORDER BY place OFFSET 1 LIMIT 1)"
	for name, tc := range map[string]struct {
		statement string
		batch     int64
		entry     bool // the very entry is named
	}{
		"changed action":            {"UPDATE audit_events SET action = 'members.renamed' WHERE audit_id =" + second, 2, false},
		"changed time":              {"UPDATE audit_events SET at = at + interval '1 second' WHERE audit_id =" + second, 2, false},
		"changed person":            {"UPDATE audit_events SET user_id = gen_random_uuid() WHERE audit_id =" + second, 2, false},
		"changed outcome":           {"UPDATE audit_events SET outcome = 'denied' WHERE audit_id =" + second, 2, false},
		"changed values":            {"UPDATE audit_details SET what = jsonb_set(what, '{after,role}', '\"viewer\"') WHERE audit_id =" + second, 2, true},
		"changed name":              {"UPDATE audit_details SET who = jsonb_set(who, '{name}', '\"Somebody\"') WHERE audit_id =" + second, 2, true},
		"changed name and digest":   {"UPDATE audit_details SET who = '{}' WHERE audit_id =" + second + "; UPDATE audit_events SET who_digest = sha256((SELECT who_salt FROM audit_details d WHERE d.audit_id = audit_events.audit_id) || '{}') WHERE audit_id =" + second, 2, false},
		"deleted":                   {"DELETE FROM audit_events WHERE audit_id =" + second, 2, false},
		"inserted":                  {"INSERT INTO audit_events (tenant_id, audit_id, actor_kind, action, batch, place) SELECT tenant_id, gen_random_uuid(), 'person', 'auth.signed_in', 2, 99 FROM audit_chains", 2, false},
		"exchanged":                 {"INSERT INTO audit_events (tenant_id, audit_id, actor_kind, action, batch, place) SELECT tenant_id, gen_random_uuid(), 'person', 'auth.signed_in', 2, 99 FROM audit_chains; DELETE FROM audit_events WHERE audit_id =" + second, 2, false},
		"reordered":                 {"UPDATE audit_events SET place = 100 - place WHERE batch = 2", 2, false},
		"moved into another batch":  {"UPDATE audit_events SET batch = 3, place = 99 WHERE audit_id =" + second, 2, false},
		"batch removed":             {"DELETE FROM audit_events WHERE batch = 2; DELETE FROM audit_batches WHERE batch = 2", 2, false},
		"batch row alone removed":   {"DELETE FROM audit_batches WHERE batch = 2", 2, false},
		"another hash":              {"UPDATE audit_batches SET hash = sha256('x') WHERE batch = 2", 2, false},
		"end cut off":               {"DELETE FROM audit_events WHERE batch = 3; DELETE FROM audit_batches WHERE batch = 3", 3, false},
		"another checkpoint":        {"UPDATE audit_chains SET checkpoint_hash = sha256('x')", 1, false},
		"entry of no batch there":   {"UPDATE audit_events SET batch = 7, place = 1 WHERE batch IS NULL", 7, false},
		"beginning passed as older": {"DELETE FROM audit_events WHERE batch = 1; DELETE FROM audit_batches WHERE batch = 1", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := setup(t)
			for range 3 {
				r.batch(4)
			}
			r.record(audit.Entry{Action: "auth.signed_in"})
			if v := r.verify(nil); !v.Intact || v.Batches != 3 || v.Entries != 12 || v.Waiting != 1 {
				t.Fatalf("before: %+v %+v", v, v.Broken)
			}
			r.exec("DELETE FROM audit_events WHERE action = 'audit.verified'")
			for statement := range strings.SplitSeq(tc.statement, "; ") {
				r.exec(statement)
			}
			v := r.verify(nil)
			if v.Intact || v.Broken == nil || v.Broken.Batch != tc.batch || (v.Broken.Entry != "") != tc.entry || v.Broken.Reason == "" {
				t.Errorf("got %+v %+v", v, v.Broken)
			}
		})
	}
}

// Who makes the whole chain anew, or cuts off its end everywhere, is found by a
// hash that was kept elsewhere.
func TestAnchorFindsAChainMadeAnew(t *testing.T) {
	r := setup(t)
	r.batch(2)
	r.batch(2)
	kept := r.verify(nil)
	anchor := &audit.Anchor{Batch: kept.Head, Hash: kept.HeadHash}
	r.seal(1) // the entry of verifying
	if v := r.verify(anchor); !v.Intact || v.Head != 3 {
		t.Fatalf("the chain went on: %+v", v)
	}
	r.exec(`DELETE FROM audit_events WHERE batch >= 2`)
	r.exec(`DELETE FROM audit_batches WHERE batch >= 2`)
	r.exec(`UPDATE audit_chains SET batch = 1, hash = (SELECT hash FROM audit_batches)`)
	if v := r.verify(nil); !v.Intact {
		t.Fatalf("by itself it holds: %+v", v.Broken)
	}
	if v := r.verify(anchor); v.Intact || v.Broken.Batch != 2 {
		t.Errorf("%+v %+v", v, v.Broken)
	}
	r.seal(3)
	if v := r.verify(anchor); v.Intact || v.Broken.Batch != 2 {
		t.Errorf("made anew: %+v %+v", v, v.Broken)
	}
}

func TestEntryFromLongAgoIsFound(t *testing.T) {
	r := setup(t)
	r.batch(1)
	r.record(audit.Entry{Action: "auth.signed_in", At: time.Now().Add(-48 * time.Hour)})
	r.seal(1)
	if v := r.verify(nil); v.Intact || v.Broken.Batch != 2 || v.Broken.Entry == "" {
		t.Errorf("%+v %+v", v, v.Broken)
	}
}

// A transaction that commits late is in a later batch, and never in none.
func TestLateTransactionIsNotMissed(t *testing.T) {
	r := setup(t)
	tenant := r.actor.TenantID
	entry := func(ctx context.Context, tx *db.Tx, action string) error {
		return audit.Record(ctx, tx, r.actor, audit.Entry{Action: action})
	}
	nothing := func() {
		t.Helper()
		if n, err := r.Seal(t.Context(), tenant); err != nil || n != 0 {
			t.Errorf("sealed %d, %v; want none", n, err)
		}
	}
	err := r.db.InTenantTx(t.Context(), tenant.UUID(), func(ctx context.Context, late *db.Tx) error {
		if err := entry(ctx, late, "late.one"); err != nil {
			return err
		}
		r.record(audit.Entry{Action: "early.one"})
		nothing() // what came after the open transaction waits for it
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.seal(2)
	rolledBack := context.Canceled
	err = r.db.InTenantTx(t.Context(), tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := entry(ctx, tx, "never.was"); err != nil {
			return err
		}
		return rolledBack
	})
	if err == nil {
		t.Fatal("committed")
	}
	nothing()
	if v := r.verify(nil); !v.Intact || v.Entries != 2 {
		t.Errorf("%+v %+v", v, v.Broken)
	}
}

// After a restore on another server, transactions count from anew: what was not
// sealed before is still sealed.
func TestEntriesOfARestoredDatabaseAreSealed(t *testing.T) {
	r := setup(t)
	r.record(audit.Entry{Action: "auth.signed_in"})
	r.exec("UPDATE audit_events SET xact = '99999999999'::xid8")
	r.seal(1)
	if v := r.verify(nil); !v.Intact || v.Entries != 1 {
		t.Errorf("%+v %+v", v, v.Broken)
	}
}

func TestErasureLeavesTheChainVerifiable(t *testing.T) {
	r := setup(t)
	r.record(
		audit.Entry{Action: "auth.signed_in", Target: "user", ID: r.actor.UserID.String()},
		audit.Entry{Action: "report.scheduled", Target: "schedule", ID: uuid.NewString(), Detail: map[string]any{"addresses": []string{"ines@example.com", "b@example.com"}}},
		audit.Entry{Action: "dashboard.rename", Target: "dashboard", ID: uuid.NewString(), Detail: map[string]any{"name": "Trading"}},
	)
	r.seal(3)
	parts, err := r.Erase(t.Context(), r.actor, r.actor.UserID, "INES@example.com", "")
	if err != nil || parts != 5 { // three of who, two of what
		t.Errorf("erased %d, %v", parts, err)
	}
	if n := r.number("SELECT count(*) FROM audit_details d JOIN audit_events e USING (audit_id) WHERE e.batch = 1 AND (who::text || COALESCE(what::text, '')) ~* 'ines|81.2.69'"); n != 0 {
		t.Errorf("%d entries still tell", n)
	}
	v := r.verify(nil)
	if !v.Intact || v.Erased != 3 {
		t.Errorf("%+v %+v", v, v.Broken)
	}
	lines := r.list(audit.Query{Text: "Trading"})
	if len(lines) != 1 || lines[0].Who != (audit.Who{}) || lines[0].User != r.actor.UserID {
		t.Errorf("what others may still read: %+v", lines)
	}
	if got := r.actions(audit.Query{Actions: []string{"audit"}}); got != "[audit.verified audit.person_erased]" {
		t.Error(got)
	}
	// What another workspace has of the same person is its own.
	if _, err := r.Erase(t.Context(), r.other, r.actor.UserID, "Trading"); err != nil {
		t.Error(err)
	}
	if len(r.list(audit.Query{Text: "Trading"})) != 1 {
		t.Error("another workspace reaches this one")
	}
}

func TestOldBatchesAreRemovedAndTheRestVerifies(t *testing.T) {
	r := setup(t)
	for range 4 {
		r.batch(3)
	}
	prune := func(want int64) {
		t.Helper()
		if n, err := r.Prune(t.Context(), r.actor.TenantID); err != nil || n != want {
			t.Errorf("removed %d, %v; want %d", n, err, want)
		}
	}
	prune(0)
	// Three batches come of age; the third has an entry that is newer.
	r.exec("UPDATE audit_batches SET sealed_at = now() - interval '100 days', last_at = now() - interval '100 days' WHERE batch <= 3")
	r.exec("UPDATE audit_batches SET last_at = now() - interval '80 days' WHERE batch = 3")
	prune(6)
	prune(0)
	v := r.verify(nil)
	if !v.Intact || v.Checkpoint != 2 || v.Batches != 2 || v.CheckpointAt == nil {
		t.Errorf("%+v %+v", v, v.Broken)
	}
	if n := r.number("SELECT count(*) FROM audit_details d WHERE NOT EXISTS (SELECT FROM audit_events e WHERE e.audit_id = d.audit_id)"); n != 0 {
		t.Errorf("%d details without an entry", n)
	}
	if err := r.SetDays(t.Context(), r.actor, 29); err == nil {
		t.Error("kept 29 days")
	}
	if err := r.SetDays(t.Context(), r.actor, 30); err != nil {
		t.Fatal(err)
	}
	prune(3)
	if v := r.verify(nil); !v.Intact || v.Checkpoint != 3 {
		t.Errorf("%+v %+v", v, v.Broken)
	}
	if lines := r.list(audit.Query{Actions: []string{"audit.retention_changed"}}); len(lines) != 1 || lines[0].What.Before["days"] != 90.0 {
		t.Errorf("%+v", lines)
	}
	// A collector that waits holds batches back, though not for ever.
	if err := r.SetForward(t.Context(), r.actor, audit.Syslog, "tcp://logs.example.com:514", ""); err != nil {
		t.Fatal(err)
	}
	r.exec("UPDATE audit_forwards SET sent = 3")
	r.exec("UPDATE audit_batches SET sealed_at = now() - interval '40 days', last_at = now() - interval '40 days'")
	prune(0)
	r.exec("UPDATE audit_batches SET sealed_at = now() - interval '70 days', last_at = now() - interval '70 days'")
	prune(3)
}

// The run-time role can add entries and nothing else.
func TestRunTimeRoleOnlyAppends(t *testing.T) {
	r := setup(t)
	r.batch(2)
	r.record(audit.Entry{Action: "auth.signed_in"})
	r.exec("SET ROLE " + db.Role)
	r.exec("SELECT set_config('app.tenant_id', $1, false)", r.actor.TenantID.String())
	for _, statement := range []string{
		"UPDATE audit_events SET action = 'x'",
		"UPDATE audit_events SET batch = 9, place = 1 WHERE batch IS NULL",
		"DELETE FROM audit_events",
		"TRUNCATE audit_events CASCADE",
		"UPDATE audit_details SET who = NULL",
		"DELETE FROM audit_details",
		"TRUNCATE audit_details",
		"INSERT INTO audit_batches SELECT tenant_id, 9, 1, now(), now(), hash FROM audit_batches",
		"UPDATE audit_batches SET hash = sha256('x')",
		"DELETE FROM audit_batches",
		"TRUNCATE audit_batches",
		"INSERT INTO audit_chains (tenant_id, batch, hash) VALUES (gen_random_uuid(), 0, '\\x00')",
		"UPDATE audit_chains SET checkpoint = 1",
		"DELETE FROM audit_chains",
		"ALTER TABLE audit_events DISABLE TRIGGER ALL",
		"ALTER TABLE audit_events DISABLE ROW LEVEL SECURITY",
		"DROP TABLE audit_events CASCADE",
		"SET session_replication_role = replica",
		// Sealing something that is sealed, or on another hash than the last.
		"SELECT audit_seal(ARRAY(SELECT audit_id FROM audit_events WHERE batch = 1), (SELECT hash FROM audit_chains), sha256('x'))",
		"SELECT audit_seal(ARRAY(SELECT audit_id FROM audit_events WHERE batch IS NULL), sha256('x'), sha256('y'))",
		"SELECT audit_seal('{}', (SELECT hash FROM audit_chains), sha256('y'))",
	} {
		if _, err := r.owner.Exec(t.Context(), statement); err == nil {
			t.Errorf("the run-time role may %s", statement)
		}
	}
	if n := r.number("SELECT audit_prune()"); n != 0 {
		t.Errorf("removed %d entries that are kept", n)
	}
	r.exec("RESET ROLE")
	if v := r.verify(nil); !v.Intact || v.Entries != 2 {
		t.Errorf("%+v %+v", v, v.Broken)
	}
}
