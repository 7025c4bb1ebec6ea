package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// rig is the service over a database with two workspaces, each with an owner.
type rig struct {
	*audit.Service
	t          *testing.T
	db         *db.DB
	owner      *pgx.Conn // of the database: may do everything
	actor      access.Actor
	other      access.Actor
	keys       map[ids.Tenant]*secrets.Box
	dialed     int
	permission func(address string) error
}

func setup(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), db.Config{URL: url, MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r := &rig{t: t, db: pool, keys: map[ids.Tenant]*secrets.Box{}}
	if r.owner, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.owner.Close(context.WithoutCancel(t.Context())) })
	r.actor, r.other = r.workspace("ines", "Ines Okafor"), r.workspace("foreign", "Fay Foreign")
	r.Service = audit.New(audit.Deps{DB: pool, Boxes: r, Log: slog.New(slog.DiscardHandler),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			r.dialed++
			if r.permission != nil {
				if err := r.permission(address); err != nil {
					return nil, err
				}
			}
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		}})
	t.Cleanup(func() { _ = r.Close(context.WithoutCancel(t.Context())) })
	return r
}

// Box is the workspace's keys.
func (r *rig) Box(_ context.Context, tenant ids.Tenant) (*secrets.Box, error) {
	if box := r.keys[tenant]; box != nil {
		return box, nil
	}
	return nil, errors.New("no keys")
}

func (r *rig) workspace(name, full string) access.Actor {
	tenant, user := ids.New[ids.Tenant](), ids.New[ids.User]()
	r.exec("INSERT INTO control.tenants (tenant_id, slug, name) VALUES ($1, $2, $2)", tenant.UUID(), name)
	r.exec("INSERT INTO tenants (tenant_id) VALUES ($1)", tenant.UUID())
	r.exec(`INSERT INTO users (user_id, tenant_id, person_id, email, name, role, plan_type)
		VALUES ($1, $2, gen_random_uuid(), $3, $4, 'owner', 'Professional')`, user.UUID(), tenant.UUID(), name+"@example.com", full)
	master, err := secrets.NewMaster([]byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		r.t.Fatal(err)
	}
	wrapped, err := master.NewKeyset(tenant.UUID())
	if err != nil {
		r.t.Fatal(err)
	}
	if r.keys[tenant], err = master.Open(tenant.UUID(), wrapped); err != nil {
		r.t.Fatal(err)
	}
	return access.Actor{Kind: access.Person, TenantID: tenant, UserID: user, Role: access.Owner}
}

// exec runs a statement as the owner of the database.
func (r *rig) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.owner.Exec(r.t.Context(), statement, args...); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

func (r *rig) number(query string, args ...any) (n int) {
	r.t.Helper()
	if err := r.owner.QueryRow(r.t.Context(), query, args...).Scan(&n); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (r *rig) record(entries ...audit.Entry) {
	r.t.Helper()
	ctx := audit.WithOrigin(r.t.Context(), &audit.Origin{RequestID: "req-1", Address: "81.2.69.142", Agent: "Browser/1", Session: "s-1"})
	err := r.db.InTenantTx(ctx, r.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		for _, e := range entries {
			if err := audit.Record(ctx, tx, r.actor, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// batch records n entries and seals them.
func (r *rig) batch(n int) {
	r.t.Helper()
	var list []audit.Entry
	for i := range n {
		list = append(list, audit.Entry{Action: "members.role_changed", Target: "user", ID: uuid.NewString(),
			Before: map[string]any{"role": "viewer"}, After: map[string]any{"role": "editor"}, Detail: map[string]any{"n": i}})
	}
	r.record(list...)
	r.seal(n)
}

// seal seals until so many entries are. Transactions of other tests on the same
// server hold entries back, as any would.
func (r *rig) seal(want int) {
	r.t.Helper()
	total := 0
	for deadline := time.Now().Add(time.Minute); total < want; {
		n, err := r.Seal(r.t.Context(), r.actor.TenantID)
		if err != nil || time.Now().After(deadline) {
			r.t.Fatalf("sealed %d, %v; want %d", total, err, want)
		}
		total += n
	}
	if total != want {
		r.t.Fatalf("sealed %d, want %d", total, want)
	}
}

func (r *rig) verify(anchor *audit.Anchor) audit.Verification {
	r.t.Helper()
	v, err := r.Verify(r.t.Context(), r.actor, anchor)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

func (r *rig) list(q audit.Query) []audit.Line {
	r.t.Helper()
	page, err := r.List(r.t.Context(), r.actor, q)
	if err != nil {
		r.t.Fatal(err)
	}
	return page.Lines
}

func (r *rig) actions(q audit.Query) string {
	r.t.Helper()
	var names []string
	for _, line := range r.list(q) {
		names = append(names, line.Action)
	}
	return fmt.Sprint(names)
}
