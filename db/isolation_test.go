package db_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
)

// outsideTenants are tables that no tenant owns, each with the reason. All
// others must be walled off.
var outsideTenants = map[string]string{
	"public.goose_db_version": "the migration tool's own; the run-time role has no right to it",
	"control.tenants":         "the directory: read before the tenant is known",
	"control.placements":      "where a tenant lives: read before its database is opened",
	"control.people":          "sign-in by e-mail, before the tenant is known",
	"control.memberships":     "the workspace switcher, across tenants",
	"control.sessions":        "a session says which tenant it is in",
	"control.one_time_links":  "a link says which tenant it is for",
	"control.throttles":       "failed sign-ins, before the tenant is known",
	"control.jobs":            "the relay hands out the jobs of all tenants; a transaction bound to one sees its own (policy)",
	"control.outbox":          "the relay sends the events of all tenants; a transaction bound to one sees its own (policy)",
	"control.epochs":          "read with the session, before the tenant is known; only functions reach it",
	"control.schedules":       "what the installation runs when",

	"control.sign_in_policies": "whether a password opens a workspace: read before anybody is in it; a transaction bound to one sees its own (policy)",
	"control.portal_hosts":     "leads from a host to the portal; a transaction bound to one tenant sees its own (policy)",
	"control.domains":          "leads from an address to the workspace; a transaction bound to one sees its own (policy)",
	"control.sign_in_requests": "questions to providers, before anybody is in a workspace",
	"control.sign_in_replays":  "answers of providers that were used, before anybody is in a workspace",
	"control.pending_sign_ins": "sign-ins that are half done, before anybody is in a workspace",
}

func owner(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func strs(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

const ourTables = `SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'`

func tenantTables(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	all := strs(t, conn, ourTables+" ORDER BY 1")
	for name := range outsideTenants {
		if !slices.Contains(all, name) {
			t.Errorf("%s is listed as outside of tenants but does not exist", name)
		}
	}
	var owned []string
	for _, name := range all {
		if _, outside := outsideTenants[name]; !outside {
			owned = append(owned, name)
		}
	}
	if len(owned) < 5 {
		t.Fatalf("found only the tables %v", owned)
	}
	return owned
}

func TestEveryTenantTableIsWalledOff(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	for _, table := range tenantTables(t, conn) {
		var enabled, forced, notNull bool
		err := conn.QueryRow(t.Context(), `SELECT relrowsecurity, relforcerowsecurity,
			coalesce((SELECT attnotnull FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id'), false)
			FROM pg_class c WHERE oid = $1::regclass`, table).Scan(&enabled, &forced, &notNull)
		if err != nil {
			t.Fatal(err)
		}
		if !enabled || !forced || !notNull {
			t.Errorf("%s: row security %t, forced %t, tenant_id not null %t; want all", table, enabled, forced, notNull)
		}
		policies := strs(t, conn, `SELECT coalesce(pg_get_expr(polqual, polrelid), '') || ' / ' || coalesce(pg_get_expr(polwithcheck, polrelid), '')
			FROM pg_policy WHERE polrelid = $1::regclass`, table)
		want := "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
		if !slices.Contains(policies, want+" / "+want) {
			t.Errorf("%s: policies %q, want the tenant's on reading and writing", table, policies)
		}
	}
}

func TestRunTimeRoleIsNarrow(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	var super, bypass, createRole, createDB bool
	err := conn.QueryRow(t.Context(), `SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = $1`, db.Role).
		Scan(&super, &bypass, &createRole, &createDB)
	if err != nil {
		t.Fatal(err)
	}
	if super || bypass || createRole || createDB {
		t.Errorf("superuser %t, bypasses RLS %t, creates roles %t, creates databases %t; want none", super, bypass, createRole, createDB)
	}
	if owned := strs(t, conn, ourTables+` AND pg_get_userbyid(c.relowner) = $1`, db.Role); len(owned) > 0 {
		t.Errorf("it owns %v", owned)
	}
	member := strs(t, conn, `SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
		JOIN pg_roles a ON a.oid = m.member WHERE a.rolname = $1`, db.Role)
	if len(member) > 0 {
		t.Errorf("it is a member of %v", member)
	}
	if rights := strs(t, conn, `SELECT privilege_type FROM information_schema.role_table_grants
		WHERE grantee = $1 AND table_name = 'audit_events' ORDER BY 1`, db.Role); !slices.Equal(rights, []string{"INSERT", "SELECT"}) {
		t.Errorf("rights on audit_events: %v, want insert and select only", rights)
	}
}

func TestForeignKeysBetweenTenantTablesCarryTheTenant(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	owned := tenantTables(t, conn)
	rows, err := conn.Query(t.Context(), `SELECT conname, n1.nspname || '.' || c1.relname, n2.nspname || '.' || c2.relname,
		ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k(num, i) JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.num ORDER BY i),
		ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k(num, i) JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.num ORDER BY i)
		FROM pg_constraint JOIN pg_class c1 ON c1.oid = conrelid JOIN pg_namespace n1 ON n1.oid = c1.relnamespace
		JOIN pg_class c2 ON c2.oid = confrelid JOIN pg_namespace n2 ON n2.oid = c2.relnamespace WHERE contype = 'f'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	checked := 0
	for rows.Next() {
		var name, from, to string
		var columns, targets []string
		if err := rows.Scan(&name, &from, &to, &columns, &targets); err != nil {
			t.Fatal(err)
		}
		fromTenant, toTenant := slices.Contains(owned, from), slices.Contains(owned, to)
		if strings.HasPrefix(from, "control.") && toTenant && !fromTenant {
			t.Errorf("%s: %s reaches from control into %s", name, from, to)
		}
		if !fromTenant || !toTenant {
			continue
		}
		checked++
		at := slices.Index(columns, "tenant_id")
		if at < 0 || targets[at] != "tenant_id" {
			t.Errorf("%s: %s %v references %s %v without the tenant", name, from, columns, to, targets)
		}
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	if checked < 5 {
		t.Errorf("checked only %d foreign keys", checked)
	}
}

// TestRowsOfOtherTenantsCannotBeReached writes a row into every tenant table,
// with all its constraints switched off, and then tries to see, change, remove
// and add rows as another tenant and as none.
func TestRowsOfOtherTenantsCannotBeReached(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	ctx := t.Context()
	mine, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	tables := tenantTables(t, conn)
	inserts := map[string]string{}
	for _, table := range tables {
		inserts[table] = insertAnything(t, conn, table)
	}
	// Checks and references would refuse the made-up values; they are not what
	// is tested here.
	for _, table := range tables {
		for _, name := range strs(t, conn, `SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'f')`, table) {
			mustExec(t, conn, "ALTER TABLE "+table+" DROP CONSTRAINT "+pgx.Identifier{name}.Sanitize()+" CASCADE")
		}
	}
	for _, table := range tables {
		mustExec(t, conn, fmt.Sprintf(inserts[table], mine))
	}
	mustExec(t, conn, "SET ROLE "+db.Role)
	for name, setting := range map[string]string{"another tenant": other.String(), "no tenant": "", "never set": "-"} {
		for _, table := range tables {
			if !grants(t, conn, table) {
				continue
			}
			tx, err := conn.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if setting != "-" {
				if _, err := tx.Exec(ctx, "SELECT set_config('app.tenant_id', $1, true)", setting); err != nil {
					t.Fatal(err)
				}
			}
			var seen int
			if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&seen); err != nil || seen != 0 {
				t.Errorf("%s sees %d rows of %s (%v)", name, seen, table, err)
			}
			for _, statement := range []string{
				"UPDATE " + table + " SET tenant_id = tenant_id",
				"DELETE FROM " + table,
				fmt.Sprintf(inserts[table], mine),
			} {
				nested, err := tx.Begin(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if tag, err := nested.Exec(ctx, statement); err == nil && tag.RowsAffected() > 0 {
					t.Errorf("%s: %q changed %d rows", name, statement, tag.RowsAffected())
				}
				_ = nested.Rollback(ctx)
			}
			_ = tx.Rollback(ctx)
		}
	}
	// The rows are there for their tenant: what was tested above could be seen.
	mustExec(t, conn, "SELECT set_config('app.tenant_id', '"+mine.String()+"', false)")
	for _, table := range tables {
		var seen int
		if !grants(t, conn, table) {
			continue
		}
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&seen); err != nil || seen != 1 {
			t.Errorf("its own tenant sees %d rows of %s (%v), want 1", seen, table, err)
		}
	}
}

func mustExec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func grants(t *testing.T, conn *pgx.Conn, table string) bool {
	t.Helper()
	var allowed bool
	if err := conn.QueryRow(t.Context(), "SELECT has_table_privilege($1, $2, 'SELECT')", db.Role, table).Scan(&allowed); err != nil {
		t.Fatal(err)
	}
	return allowed
}

// insertAnything builds a statement that fills every column without a default;
// its one verb is the tenant's id.
func insertAnything(t *testing.T, conn *pgx.Conn, table string) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT attname, format_type(atttypid, NULL), typtype = 'e'
		FROM pg_attribute a JOIN pg_type ON pg_type.oid = atttypid
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
		AND attidentity = '' AND attname <> 'tenant_id' ORDER BY attnum`, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, values := []string{"tenant_id"}, []string{"'%s'"}
	for rows.Next() {
		var name, kind string
		var enum bool
		if err := rows.Scan(&name, &kind, &enum); err != nil {
			t.Fatal(err)
		}
		value := map[string]string{"uuid": "gen_random_uuid()", "jsonb": "'{}'", "bytea": "'\\x00'", "boolean": "true",
			"timestamp with time zone": "now()"}[kind]
		switch {
		case enum:
			value = "enum_first(NULL::" + kind + ")"
		case strings.HasSuffix(kind, "[]"):
			value = "'{}'"
		case value == "":
			value = "'1'"
		}
		columns, values = append(columns, pgx.Identifier{name}.Sanitize()), append(values, value)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
}

var (
	statementName = regexp.MustCompile(`(?m)^-- name: (\w+) :\w+$`)
	comment       = regexp.MustCompile(`(?m)--.*$`)
)

// acrossTenants are statements on tenant tables that do not name the tenant,
// each with the reason.
var acrossTenants = map[string]string{
	"JobDispatch": "the relay; what it calls tenants is an expression of its own over control.jobs",
}

func TestEveryStatementNamesTheTenant(t *testing.T) {
	t.Parallel()
	conn := owner(t)
	var names []string
	for _, table := range tenantTables(t, conn) {
		if name, ours := strings.CutPrefix(table, "public."); ours {
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	table := regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE)\s+(?:ONLY\s+)?(` + strings.Join(names, "|") + `)\b`)
	files, err := filepath.Glob("../queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries found: %v", err)
	}
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at := statementName.FindAllStringSubmatchIndex(string(text), -1)
		for i, m := range at {
			end := len(text)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			name, body := string(text[m[2]:m[3]]), comment.ReplaceAllString(string(text[m[1]:end]), "")
			if !table.MatchString(body) {
				continue
			}
			checked++
			if _, known := acrossTenants[name]; known {
				continue
			}
			if !strings.Contains(body, "@tenant_id") && !strings.Contains(body, "'app.tenant_id'") {
				t.Errorf("%s in %s works on %s without naming the tenant", name, filepath.Base(file), table.FindStringSubmatch(body)[1])
			}
		}
	}
	if checked < 20 {
		t.Errorf("checked only %d statements", checked)
	}
}

// allOfTheWorkspace are places in packages of shared objects that see all of a
// workspace though somebody in particular acts, each with the reason.
var allOfTheWorkspace = map[string]string{
	"datasets/loads.go": "a name that somebody finds no dataset of may still be taken",
}

// Transactions of an actor are bound to what the actor may see: the packages
// whose objects are shared never open one that is not.
func TestActorsAreBoundToWhatTheyMaySee(t *testing.T) {
	t.Parallel()
	unbound := regexp.MustCompile(`\.(?:InTenantTx|InSerializableTx|TenantRead)\(ctx, \w*\.?actor\.`)
	for _, pkg := range []string{"dashboards", "datasets", "sharing"} {
		files, err := filepath.Glob("../domain/" + pkg + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files of %s found: %v", pkg, err)
		}
		for _, file := range files {
			name := pkg + "/" + filepath.Base(file)
			if _, known := allOfTheWorkspace[name]; known || strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := unbound.Find(text); found != nil {
				t.Errorf("%s has %s…: use InViewerTx or ViewerRead with the actor's subjects", name, found)
			}
		}
	}
}
