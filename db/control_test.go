package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// world is a database with one tenant that has one user.
type world struct {
	*db.DB
	url                  string
	tenant, user, person uuid.UUID
	session              uuid.UUID
	token                []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), db.Config{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w := &world{DB: pool, url: url, tenant: newID(), user: newID(), person: newID(), session: newID(), token: make([]byte, 32)}
	copy(w.token, w.session[:])
	err = pool.InIdentityTx(t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
		return errors.Join(
			tx.TenantInsert(ctx, w.tenant, "t-"+w.tenant.String()[24:], "Acme"),
			tx.PlacementInsert(ctx, db.PlacementInsertParams{TenantID: w.tenant, Shard: "primary", SchemaName: "public",
				StoragePrefix: "t/" + w.tenant.String(), Keyset: []byte("wrapped")}),
			tx.TenantSettingsInsert(ctx, db.TenantSettingsInsertParams{TenantID: w.tenant, PlanType: db.PlanTypeStarter, Zone: "UTC", Locale: "en-GB"}),
			tx.PersonInsert(ctx, w.person, "ada@example.com", nil),
			tx.UserInsert(ctx, db.UserInsertParams{UserID: w.user, TenantID: w.tenant, PersonID: w.person, Email: "ada@example.com", Role: db.UserRoleOwner}),
			tx.MembershipInsert(ctx, w.person, w.tenant, w.user),
			tx.SessionInsert(ctx, db.SessionInsertParams{SessionID: w.session, TokenHash: w.token, PersonID: w.person, TenantID: w.tenant,
				UserID: w.user, IdleSeconds: 60, ExpiresAt: time.Now().Add(time.Hour)}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// owner is a connection of the database's owner.
func (w *world) owner(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// TestPeopleAreOutOfReachOfATenant looks for people, sessions and links from
// transactions that work for a tenant, the person's own included.
func TestPeopleAreOutOfReachOfATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tenant := range map[string]uuid.UUID{"its own": w.tenant, "another": newID()} {
		t.Run(name, func(t *testing.T) {
			err := w.InTenantTx(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.PersonByID(ctx, w.person); !db.IsNoRows(err) {
					t.Errorf("person: got %v, want no rows", err)
				}
				if list, err := tx.MembershipListByPerson(ctx, w.person); err != nil || len(list) > 0 {
					t.Errorf("memberships: got %v, %v", list, err)
				}
				if list, err := tx.SessionListByPerson(ctx, w.person, nil); err != nil || len(list) > 0 {
					t.Errorf("sessions: got %v, %v", list, err)
				}
				if n, err := tx.SessionRevokeOthers(ctx, w.person, uuid.Nil, nil); err != nil || n > 0 {
					t.Errorf("ended %d sessions, %v", n, err)
				}
				if _, err := tx.PlacementByTenant(ctx, w.tenant); (err == nil) != (tenant == w.tenant) {
					t.Errorf("placement: got %v", err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			err = w.InTenantTx(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
				return tx.PersonInsert(ctx, newID(), "eve@example.com", nil)
			})
			if err == nil {
				t.Error("a person was added")
			}
		})
	}
	if _, err := w.SessionRead(t.Context(), w.tenant, w.token, false, nil); err != nil {
		t.Errorf("the session is gone: %v", err)
	}
}

// TestControlTablesHaveAPolicy keeps the tables that no tenant owns from being
// open to whoever forgets to close them.
func TestControlTablesHaveAPolicy(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	open := strs(t, conn, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'control' AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
		AND has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE') ORDER BY 1`, db.Role)
	if len(open) > 0 {
		t.Errorf("without row-level security: %v", open)
	}
}

func TestPrivilegedFunctionsAreClosed(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	loose := strs(t, conn, `SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname IN ('control', 'public')
		AND (has_function_privilege('public', p.oid, 'EXECUTE')
			OR p.prosecdef AND NOT COALESCE(array_to_string(p.proconfig, ',') LIKE '%search_path=%', false))
		AND p.prorettype <> 'trigger'::regtype ORDER BY 1`)
	if len(loose) > 0 {
		t.Errorf("open to everybody, or without a search_path of their own: %v", loose)
	}
}

func TestSessionReadBindsWhatFollowsToItsTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var count int64
	fill := func(b *db.Batch) { b.CountVisibleTenants(&count) }
	s, err := w.SessionRead(t.Context(), w.tenant, w.token, true, fill)
	if err != nil {
		t.Fatal(err)
	}
	if s.TenantID != w.tenant || s.User.UserID != w.user || s.User.Role != db.UserRoleOwner || s.TenantName != "Acme" {
		t.Errorf("got %+v", s)
	}
	if len(s.Workspaces) != 1 || s.Workspaces[0].TenantID != w.tenant {
		t.Errorf("workspaces: got %+v", s.Workspaces)
	}
	if count != 1 {
		t.Errorf("what followed saw %d tenants, want 1", count)
	}

	count = -1
	_, err = w.SessionRead(t.Context(), w.tenant, make([]byte, 32), true, fill)
	if !db.IsNoRows(err) {
		t.Errorf("an unknown token: got %v", err)
	}
	if count > 0 {
		t.Errorf("behind an unknown token %d tenants were seen", count)
	}
	// The binding ended with the round trip.
	err = w.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.TenantSettingsGet(ctx, w.tenant)
		return err
	})
	if !db.IsNoRows(err) {
		t.Errorf("afterwards: got %v, want no rows", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"after the idle time":      "UPDATE control.sessions SET last_seen_at = now() - interval '61 seconds'",
		"at their end":             "UPDATE control.sessions SET expires_at = now() - interval '1 second'",
		"when signed out":          "DELETE FROM control.sessions",
		"when the user is removed": "UPDATE users SET removed_at = now()",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.SessionRead(t.Context(), w.tenant, w.token, false, nil); err != nil {
				t.Fatal(err)
			}
			mustExec(t, w.owner(t), change)
			if _, err := w.SessionRead(t.Context(), w.tenant, w.token, false, nil); !db.IsNoRows(err) {
				t.Errorf("got %v, want no rows", err)
			}
		})
	}
}

func TestPlanOfUsersFollowsTheTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.InTenantTx(t.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.TenantSetPlan(ctx, db.PlanTypeEnterprise, w.tenant); err != nil {
			return err
		}
		user, err := tx.UserGet(ctx, w.tenant, w.user)
		if user.PlanType != db.PlanTypeEnterprise {
			t.Errorf("got plan %s", user.PlanType)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDedicatedSchema moves a tenant's tables into a schema of their own; the
// same statements find them there.
func TestDedicatedSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.owner(t)
	mustExec(t, conn, `CREATE SCHEMA acme; GRANT USAGE ON SCHEMA acme TO dataflow_app;
		CREATE TABLE acme.tenants (LIKE public.tenants INCLUDING ALL); SELECT control.protect('acme.tenants');
		ALTER TABLE acme.tenants NO FORCE ROW LEVEL SECURITY`)
	mustExec(t, conn, fmt.Sprintf("INSERT INTO acme.tenants (tenant_id, zone) VALUES ('%s', 'Asia/Tokyo')", w.tenant))
	mustExec(t, conn, "UPDATE control.placements SET schema_name = 'acme'")
	// Another process: this one may remember where the tenant was.
	pool, err := db.Open(t.Context(), db.Config{URL: w.url, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	zone := func(tenant uuid.UUID) (zone string) {
		err := pool.InTenantTx(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			row, err := tx.TenantSettingsGet(ctx, tenant)
			zone = row.Zone
			return err
		})
		if err != nil && !db.IsNoRows(err) {
			t.Fatal(err)
		}
		return zone
	}
	if got := zone(w.tenant); got != "Asia/Tokyo" {
		t.Errorf("the tenant's own schema: got zone %q", got)
	}
	if got := zone(newID()); got != "" {
		t.Errorf("another tenant: got zone %q", got)
	}
	// The reads of hot paths go there too: the shared schema has a row, which
	// must not be seen.
	mustExec(t, conn, "DELETE FROM acme.tenants")
	for name, read := range map[string]func(func(*db.Batch)) error{
		"tenant read": func(fill func(*db.Batch)) error { return pool.TenantRead(t.Context(), w.tenant, fill) },
		"viewer read": func(fill func(*db.Batch)) error {
			return pool.ViewerRead(t.Context(), w.tenant, []uuid.UUID{w.user}, fill)
		},
	} {
		count := int64(-1)
		if err := read(func(b *db.Batch) { b.CountVisibleTenants(&count) }); err != nil || count != 0 {
			t.Errorf("%s: sees %d tenants, %v", name, count, err)
		}
	}
	if _, err := pool.SessionRead(t.Context(), w.tenant, w.token, false, nil); err == nil {
		t.Error("the session's user was found elsewhere")
	}
	mustExec(t, conn, "UPDATE control.placements SET shard = 'elsewhere'")
	pool2, err := db.Open(t.Context(), db.Config{URL: w.url, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer pool2.Close()
	err = pool2.InTenantTx(t.Context(), w.tenant, func(context.Context, *db.Tx) error { return nil })
	if !errors.Is(err, db.ErrShard) {
		t.Errorf("another shard: got %v", err)
	}
	if err := pool2.TenantRead(t.Context(), w.tenant, func(*db.Batch) {}); !errors.Is(err, db.ErrShard) {
		t.Errorf("a read in another shard: got %v", err)
	}
}

// TestSerializableWorkRunsAgain lets two transactions each read what the other
// writes: PostgreSQL refuses one, which runs again.
func TestSerializableWorkRunsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	runs := 0
	meet := make(chan struct{}, 2)
	both := make(chan struct{})
	go func() { <-meet; <-meet; close(both) }()
	work := func(own, other string) db.Work {
		met := false
		return func(ctx context.Context, tx *db.Tx) error {
			mu.Lock()
			runs++
			mu.Unlock()
			if _, err := tx.UserList(ctx, db.UserListParams{TenantID: w.tenant, Pattern: other, RowLimit: 1}); err != nil {
				return err
			}
			if !met {
				met = true
				meet <- struct{}{}
				<-both
			}
			return tx.UserInsert(ctx, db.UserInsertParams{UserID: newID(), TenantID: w.tenant, PersonID: newID(), Email: own, Role: db.UserRoleViewer})
		}
	}
	errs := make(chan error, 2)
	for _, pair := range [][2]string{{"one@x.example", "two@x.example"}, {"two@x.example", "one@x.example"}} {
		go func() { errs <- w.InSerializableTx(t.Context(), w.tenant, work(pair[0], pair[1])) }()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	if runs != 3 {
		t.Errorf("the work ran %d times, want 3: one of two was refused once", runs)
	}
}

func TestAttemptsAreCountedBeforeTheyAreMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := make([]byte, 32)
	take := func(ctx context.Context) (wait float64, err error) {
		err = w.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			wait, err = tx.ThrottleTake(ctx, [][]byte{key}, []int32{3}, []int32{60})
			return err
		})
		return wait, err
	}
	waits := make(chan float64, 12)
	var group sync.WaitGroup
	for range cap(waits) {
		group.Go(func() {
			wait, err := take(t.Context())
			if err != nil {
				t.Error(err)
			}
			waits <- wait
		})
	}
	group.Wait()
	close(waits)
	passed := 0
	for wait := range waits {
		if wait == 0 {
			passed++
		} else if wait > 2 {
			t.Errorf("has to wait %.1f s, want at most 2", wait)
		}
	}
	// Three are free and the fourth begins the first wait.
	if passed != 4 {
		t.Errorf("%d of 12 at once went through, want 4", passed)
	}
	conn := w.owner(t)
	mustExec(t, conn, "UPDATE control.throttles SET attempts = 40, blocked_until = now() - interval '1 second'")
	if wait, err := take(t.Context()); err != nil || wait != 0 {
		t.Fatalf("after the wait: got %f, %v", wait, err)
	}
	if wait, err := take(t.Context()); err != nil || wait < 55 || wait > 60 {
		t.Errorf("after very many: got %f, %v; want the longest wait and no more", wait, err)
	}
	mustExec(t, conn, "UPDATE control.throttles SET updated_at = now() - interval '61 minutes', blocked_until = now() - interval '1 second'")
	for range 3 {
		if wait, err := take(t.Context()); err != nil || wait != 0 {
			t.Errorf("after a quiet hour: got %f, %v", wait, err)
		}
	}
}

// as is an address for another role.
func as(t testing.TB, address, role string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("user", role)
	u.User, u.RawQuery = nil, query.Encode()
	return u.String()
}

// Managed servers give nobody a superuser. Not parallel: roles belong to the whole
// server.
func TestAnOwnerWhoIsNoSuperuserMigrates(t *testing.T) {
	w, empty := newWorld(t), dbtest.Empty(t)
	conn := w.owner(t)
	database, err := url.Parse(empty)
	if err != nil {
		t.Fatal(err)
	}
	name := pgx.Identifier{strings.TrimPrefix(database.Path, "/")}.Sanitize()
	mustExec(t, conn, "CREATE ROLE plain_owner LOGIN NOSUPERUSER CREATEROLE")
	defer mustExec(t, conn, "DROP ROLE plain_owner")
	mustExec(t, conn, "ALTER DATABASE "+name+" OWNER TO plain_owner")
	defer mustExec(t, conn, "DROP DATABASE "+name+" WITH (FORCE)")
	if version, err := db.Migrate(t.Context(), as(t, empty, "plain_owner")); err != nil || version < 40 {
		t.Fatalf("schema %d, %v", version, err)
	}
	pool, err := db.Open(t.Context(), db.Config{URL: as(t, empty, "plain_owner")})
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
}

// Not parallel: the role belongs to the whole server.
func TestOwnersOfTheDatabaseBecomeTheRunTimeRole(t *testing.T) {
	w := newWorld(t)
	tags := strs(t, w.owner(t), `SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name = 'dataflow'`)
	if len(tags) == 0 {
		t.Fatal("no connection is open")
	}
	// The pool logs in as the owner; what it reads shows that it is not.
	err := w.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.TenantSettingsGet(ctx, w.tenant)
		return err
	})
	if !db.IsNoRows(err) {
		t.Errorf("a superuser's pool reads a tenant's row: %v", err)
	}
	conn := w.owner(t)

	// A role of the operator's own has to be granted it, and the error says how.
	mustExec(t, conn, `CREATE ROLE "own-role" LOGIN`)
	defer mustExec(t, conn, `DROP ROLE "own-role"`)
	address := as(t, w.url, "own-role")
	if _, err := db.Open(t.Context(), db.Config{URL: address}); !errors.Is(err, db.ErrRole) || !strings.HasSuffix(apperr.Describe(err).Sentence, `GRANT dataflow_app TO "own-role"`) {
		t.Errorf("a role that was granted nothing: got %v", err)
	}
	mustExec(t, conn, `GRANT dataflow_app TO "own-role"`)
	pool, err := db.Open(t.Context(), db.Config{URL: address})
	if err != nil {
		t.Fatalf("a role that was granted it: %v", err)
	}
	pool.Close()

	mustExec(t, conn, "ALTER ROLE dataflow_app BYPASSRLS")
	defer mustExec(t, conn, "ALTER ROLE dataflow_app NOBYPASSRLS")
	if _, err := db.Open(t.Context(), db.Config{URL: w.url}); !errors.Is(err, db.ErrUnsafeRole) && (err == nil || !strings.Contains(err.Error(), db.ErrUnsafeRole.Code())) {
		t.Errorf("a role that bypasses row-level security: got %v", err)
	}
}
