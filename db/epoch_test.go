package db_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
)

var tableOfStatement = regexp.MustCompile(`(?:FROM|JOIN) ([a-z_.]+)(?: [a-z]\b|\()|\b(see_as|person_attributes)\(`)

// TestWhatIsReadUnderAnEpochAdvancesIt takes the tables of the statements whose
// answers are remembered, and looks for the trigger on each.
func TestWhatIsReadUnderAnEpochAdvancesIt(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	checked := 0
	for _, statement := range db.ReadUnderAnEpoch {
		for _, m := range tableOfStatement.FindAllStringSubmatch(statement, -1) {
			table := m[1]
			switch m[2] {
			case "see_as": // a function over the person's groups
				table = "user_group_members"
			case "person_attributes": // one over what they and their groups have
				table = "member_attributes"
			}
			if table == "control.session_workspaces" { // a function over memberships and names
				table = "control.memberships"
			}
			var has bool
			if err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::regclass
				AND tgname = 'advance_epoch' AND tgdeferrable AND tginitdeferred)`, table).Scan(&has); err != nil {
				t.Fatal(err)
			}
			if checked++; !has {
				t.Errorf("%s is read and remembered, and is not handed to control.watch:\n%s", table, strings.TrimSpace(statement))
			}
		}
	}
	if checked < 7 {
		t.Errorf("found only %d tables", checked)
	}
}

func (w *world) epoch(t *testing.T) int64 {
	t.Helper()
	s, err := w.CheckSession(t.Context(), w.token)
	if err != nil {
		t.Fatal(err)
	}
	return s.Epoch
}

func TestEpochAdvancesWithWhatPagesShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.owner(t)
	mustExec(t, conn, `INSERT INTO control.tenants (tenant_id, slug, name) VALUES (gen_random_uuid(), 'second', 'Second');
		INSERT INTO control.people (person_id, email) VALUES (gen_random_uuid(), 'grace@example.com')`)
	dashboard := uuid.NewString()
	// The owner of the tables is bound to a tenant as well.
	mustExec(t, conn, "SET app.tenant_id = '"+w.tenant.String()+"'")
	for _, step := range []struct {
		what, statement string
		by              int64
	}{
		{"a role", "UPDATE users SET role = 'viewer'", 1},
		{"somebody leaves", "UPDATE users SET removed_at = now()", 1},
		{"they come back", "UPDATE users SET removed_at = NULL, role = 'owner'", 1},
		{"a visit", "UPDATE users SET seen_at = now()", 0},
		{"the time zone of the workspace", "UPDATE tenants SET zone = 'Asia/Tokyo'", 1},
		{"another workspace of the same person", "INSERT INTO control.memberships SELECT '" + w.person.String() + "', tenant_id, gen_random_uuid() FROM control.tenants WHERE slug = 'second'", 1},
		{"the name of that workspace", "UPDATE control.tenants SET name = 'Renamed' WHERE slug = 'second'", 1},
		{"somebody else joins it", "INSERT INTO control.memberships SELECT p.person_id, t.tenant_id, gen_random_uuid() FROM control.people p, control.tenants t WHERE p.email = 'grace@example.com' AND t.slug = 'second'", 0},
		{"a dashboard", "INSERT INTO dashboards (tenant_id, dashboard_id, name, config) SELECT tenant_id, '" + dashboard + "', 'Sales', '{}' FROM tenants", 1},
		{"many rows at once", "UPDATE dashboards SET name = name || 'x'; UPDATE dashboards SET tags = '{a}'", 1},
		{"a first look", "INSERT INTO dashboard_views (tenant_id, user_id, dashboard_id, opened_at) SELECT tenant_id, user_id, '" + dashboard + "', now() FROM users", 1},
		{"another look", "UPDATE dashboard_views SET opened_at = now()", 0},
		{"a star", "UPDATE dashboard_views SET starred_at = now()", 1},
		{"a dashboard goes", "DELETE FROM dashboards", 1},
	} {
		before := w.epoch(t)
		mustExec(t, conn, step.statement)
		if after := w.epoch(t); after < before+step.by || step.by == 0 && after != before {
			t.Errorf("%s: the epoch went from %d to %d, want %d more", step.what, before, after, step.by)
		}
	}
	// What was not committed was not there.
	before := w.epoch(t)
	_ = w.InTenantTx(t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
		return errors.Join(tx.TenantSetPlan(ctx, db.PlanTypeEnterprise, w.tenant), errors.New("no"))
	})
	if after := w.epoch(t); after != before {
		t.Errorf("a transaction that failed: from %d to %d", before, after)
	}
	// The run-time role reaches epochs through the check alone.
	err := w.InIdentityTx(t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
		return tx.SessionTouch(ctx, w.session)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"SELECT count(*) FROM control.epochs", "SELECT control.advance_epoch('" + w.tenant.String() + "')"} {
		mustExec(t, conn, "SET ROLE dataflow_app")
		if _, err := conn.Exec(t.Context(), statement); err == nil {
			t.Errorf("the run-time role may %s", statement)
		}
		mustExec(t, conn, "RESET ROLE")
	}
}

// TestSessionsAreCheckedTogether asks for many sessions at the same moment; each
// gets its own answer, and who goes away keeps nobody waiting.
func TestSessionsAreCheckedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ctx, token, want := t.Context(), w.token, w.session
			switch i % 4 {
			case 1: // nobody's
				token, want = []byte(strings.Repeat(string(rune('a'+i%26)), 32)), uuid.Nil
			case 2:
				ctx = gone
			}
			s, err := w.CheckSession(ctx, token)
			switch {
			case ctx == gone && err != nil && !errors.Is(err, context.Canceled), ctx != gone && want == uuid.Nil && !db.IsNoRows(err),
				ctx != gone && want != uuid.Nil && err != nil, err == nil && s.SessionID != want:
				t.Errorf("check %d: session %s, %v; want %s", i, s.SessionID, err, want)
			}
		})
	}
	all.Wait()
}
