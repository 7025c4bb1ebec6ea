package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Inventory is what a workspace has that another must never learn.
type Inventory struct {
	Keys  map[string][]uuid.UUID // the newest ids, by "table.column"
	Texts []string               // addresses and names
}

// inventoryKeys is how many ids of one table are taken.
const inventoryKeys = 3

// TakeInventory lists ids of everything that a workspace has, whatever tables
// there are, and texts that only it has.
func (d *DB) TakeInventory(ctx context.Context, tenantID uuid.UUID) (Inventory, error) {
	inventory := Inventory{Keys: map[string][]uuid.UUID{}}
	err := d.InTenantTx(ctx, tenantID, func(ctx context.Context, tx *Tx) error {
		type column struct{ Table, Name string }
		rows, err := tx.conn.Query(ctx, `SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
			JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
			WHERE i.indisprimary AND n.nspname = 'public' AND a.atttypid = 'uuid'::regtype AND a.attname <> 'tenant_id'
			  AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1, 2`)
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		for _, c := range columns {
			name := pgx.Identifier{c.Name}.Sanitize()
			rows, err := tx.conn.Query(ctx, "SELECT DISTINCT "+name+" FROM "+pgx.Identifier{c.Table}.Sanitize()+" WHERE tenant_id = $1 ORDER BY 1 DESC LIMIT $2",
				tenantID, inventoryKeys)
			if err != nil {
				return fmt.Errorf("list %s: %w", c.Table, err)
			}
			if inventory.Keys[c.Table+"."+c.Name], err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
				return fmt.Errorf("list %s: %w", c.Table, err)
			}
		}
		rows, err = tx.conn.Query(ctx, `SELECT email FROM users WHERE tenant_id = $1
			UNION SELECT name FROM dashboards WHERE tenant_id = $1 UNION SELECT name FROM datasets WHERE tenant_id = $1
			UNION SELECT name FROM folders WHERE tenant_id = $1 UNION SELECT name FROM user_groups WHERE tenant_id = $1`, tenantID)
		if err != nil {
			return fmt.Errorf("list names: %w", err)
		}
		inventory.Texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return inventory, err
}

// Fingerprint answers a digest of each of the workspace's tables: two equal
// ones, and nothing has changed in between.
func (d *DB) Fingerprint(ctx context.Context, tenantID uuid.UUID) (map[string]string, error) {
	sums := map[string]string{}
	err := d.InTenantTx(ctx, tenantID, func(ctx context.Context, tx *Tx) error {
		rows, err := tx.conn.Query(ctx, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
			WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public' AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1`)
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("list tables: %w", err)
		}
		for _, table := range tables {
			var sum string
			err := tx.conn.QueryRow(ctx, "SELECT count(*) || ' ' || COALESCE(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM "+
				pgx.Identifier{table}.Sanitize()+" t WHERE tenant_id = $1", tenantID).Scan(&sum)
			if err != nil {
				return fmt.Errorf("digest %s: %w", table, err)
			}
			sums[table] = sum
		}
		return nil
	})
	return sums, err
}

// ThrowAwaySlug begins the short names of workspaces that RemoveTenant removes.
const ThrowAwaySlug = "isolation-check-"

// RemoveTenant removes a throw-away workspace with all of its rows. adminURL is
// that of the schema's owner: the run-time role can't. It refuses any other
// workspace.
func RemoveTenant(ctx context.Context, adminURL string, tenantID uuid.UUID) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("open database: %w", reachable(err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var slug string
	if _, err := conn.Exec(ctx, "SELECT set_config('app.scope', 'control', false), set_config('app.tenant_id', $1, false)", tenantID.String()); err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, "SELECT slug FROM control.tenants WHERE tenant_id = $1", tenantID).Scan(&slug); err != nil {
		return fmt.Errorf("find tenant %s: %w", tenantID, err)
	}
	if !strings.HasPrefix(slug, ThrowAwaySlug) {
		return fmt.Errorf("tenant %s is called %s: that is none to throw away", tenantID, slug)
	}
	rows, err := conn.Query(ctx, `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
		WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'control') ORDER BY n.nspname DESC, c.relname`)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	people := "DELETE FROM control.people p WHERE p.person_id = ANY ($1)"
	var alone []uuid.UUID
	err = tx.QueryRow(ctx, `SELECT COALESCE(array_agg(m.person_id), '{}') FROM control.memberships m WHERE m.tenant_id = $1
		AND NOT EXISTS (SELECT FROM control.memberships o WHERE o.person_id = m.person_id AND o.tenant_id <> $1)`, tenantID).Scan(&alone)
	if err != nil {
		return fmt.Errorf("list people: %w", err)
	}
	// In what order the tables refer to each other is found by trying.
	for len(tables) > 0 {
		var left []string
		for _, table := range tables {
			nested, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			_, err = nested.Exec(ctx, "DELETE FROM "+table+" WHERE tenant_id = $1", tenantID)
			var pg *pgconn.PgError
			if errors.As(err, &pg) && pg.Code == "23503" {
				left = append(left, table)
				err = nested.Rollback(ctx)
			} else if err == nil {
				err = nested.Commit(ctx)
			}
			if err != nil {
				return fmt.Errorf("clear %s: %w", table, err)
			}
		}
		if len(left) == len(tables) {
			return fmt.Errorf("tables %v refer to each other", left)
		}
		tables = left
	}
	if _, err := tx.Exec(ctx, people, alone); err != nil {
		return fmt.Errorf("remove people: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("remove tenant %s: %w", tenantID, err)
	}
	// The commit has told of its own changes.
	_, err = conn.Exec(ctx, "DELETE FROM control.epochs WHERE tenant_id = $1", tenantID)
	return err
}
