package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Tx is a transaction that sees the rows of one tenant, or of schema control
// only when TenantID is zero.
type Tx struct {
	*Queries
	TenantID uuid.UUID
	conn     *pgxpool.Conn
	seen     *watched
}

// Work is what happens inside a transaction. No page is written and no other
// process is called in it.
type Work = func(context.Context, *Tx) error

// rollbackTimeout bounds the end of a transaction whose caller has gone.
const rollbackTimeout = 5 * time.Second

// InTenantTx runs work in one transaction bound to a tenant: row-level
// security shows and accepts only that tenant's rows. Of schema control it
// reaches what was granted for tenants: their jobs, events and placement. The
// transaction is committed when work answers nil.
func (d *DB) InTenantTx(ctx context.Context, tenantID uuid.UUID, work Work) error {
	enter, err := d.enter(ctx, tenantID)
	if err != nil {
		return err
	}
	return d.inTx(ctx, tenantID, "BEGIN; "+enter, work)
}

// InViewerTx is InTenantTx for somebody who does not see all of the tenant's
// folders, dashboards and datasets: only those that one of the subjects may
// read, and only those that one of them may write can be changed. Nil subjects
// see all.
func (d *DB) InViewerTx(ctx context.Context, tenantID uuid.UUID, subjects []uuid.UUID, work Work) error {
	enter, err := d.enter(ctx, tenantID)
	if err != nil {
		return err
	}
	if subjects != nil {
		enter += "; SET LOCAL app.subjects = '" + subjectList(subjects) + "'"
	}
	return d.inTx(ctx, tenantID, "BEGIN; "+enter, work)
}

// subjectList writes ids as PostgreSQL writes an array of them. No subjects
// are an empty list, which sees nothing that is restricted.
func subjectList(subjects []uuid.UUID) string {
	text := make([]byte, 1, 2+37*len(subjects))
	text[0] = '{'
	for i, id := range subjects {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, id.String()...)
	}
	return string(append(text, '}'))
}

// serializableAttempts is how often InSerializableTx runs the work at most.
const serializableAttempts = 5

// InSerializableTx is InTenantTx at isolation level serializable. Work runs
// again, from its beginning, when PostgreSQL refuses the order of events, so it
// must have no effect outside of the transaction.
func (d *DB) InSerializableTx(ctx context.Context, tenantID uuid.UUID, work Work) error {
	enter, err := d.enter(ctx, tenantID)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := d.inTx(ctx, tenantID, "BEGIN ISOLATION LEVEL SERIALIZABLE; "+enter, work)
		if !IsRefusedOrder(err) || attempt == serializableAttempts {
			return err
		}
	}
}

// IsRefusedOrder tells whether PostgreSQL refused the order of events: a
// serialization failure or a deadlock. The same work may succeed the next time.
func IsRefusedOrder(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

const controlScope = "SET LOCAL app.scope = 'control'"

// InControlTx runs work in one transaction without a tenant: only schema
// control is within reach.
func (d *DB) InControlTx(ctx context.Context, work Work) error {
	return d.inTx(ctx, uuid.Nil, "BEGIN; "+controlScope, work)
}

// InIdentityTx runs work bound to a tenant and within reach of schema control:
// for what changes people, memberships and sessions together with the tenant's
// own rows. Only the packages that own those use it.
func (d *DB) InIdentityTx(ctx context.Context, tenantID uuid.UUID, work Work) error {
	enter, err := d.enter(ctx, tenantID)
	if err != nil {
		return err
	}
	return d.inTx(ctx, tenantID, "BEGIN; "+enter+"; "+controlScope, work)
}

// begin goes out as one simple query, so a transaction costs two round trips
// besides its own statements.
func (d *DB) inTx(ctx context.Context, tenantID uuid.UUID, begin string, work Work) error {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire connection: %w", reachable(err))
	}
	defer conn.Release()
	done := false
	defer func() {
		if !done {
			// The caller's context may have ended; a connection that cannot be
			// rolled back is closed by the pool when it is released.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
			defer cancel()
			_, _ = conn.Conn().PgConn().Exec(ctx, "ROLLBACK").ReadAll()
		}
	}()
	if _, err := conn.Conn().PgConn().Exec(ctx, begin).ReadAll(); err != nil {
		return fmt.Errorf("begin transaction: %w", reachable(err))
	}
	seen := &watched{DBTX: conn}
	tx := &Tx{Queries: New(seen), TenantID: tenantID, conn: conn, seen: seen}
	if err := work(ctx, tx); err != nil {
		return cutOff(conn.Conn(), err)
	}
	result, err := conn.Conn().PgConn().Exec(ctx, "COMMIT").ReadAll()
	if err != nil {
		if conn.Conn().IsClosed() && ctx.Err() == nil && !seen.wrote {
			return ErrUnavailable.Wrap(fmt.Errorf("commit transaction: %w", err))
		}
		if conn.Conn().IsClosed() && ctx.Err() == nil {
			return ErrOutcomeUnknown.Wrap(fmt.Errorf("commit transaction: %w", err))
		}
		var said *pgconn.PgError
		if errors.As(err, &said) { // an answer: it is not stored
			err = reachable(err)
		}
		return fmt.Errorf("commit transaction: %w", err)
	}
	done = true
	// PostgreSQL answers ROLLBACK to a COMMIT of a transaction that failed.
	if len(result) > 0 && result[0].CommandTag.String() == "ROLLBACK" {
		return errors.New("commit transaction: it was rolled back")
	}
	return nil
}

// SendBatch sends several statements in one round trip.
func (t *Tx) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	t.seen.wrote = true
	return t.conn.SendBatch(ctx, batch)
}

// watched notes whether a transaction may have changed something: where its
// COMMIT is lost, one that only read is just asked again.
type watched struct {
	DBTX
	wrote bool
}

func (w *watched) Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error) {
	w.wrote = true
	return w.DBTX.Exec(ctx, statement, args...)
}

func (w *watched) Query(ctx context.Context, statement string, args ...any) (pgx.Rows, error) {
	w.wrote = w.wrote || writes(statement)
	return w.DBTX.Query(ctx, statement, args...)
}

func (w *watched) QueryRow(ctx context.Context, statement string, args ...any) pgx.Row {
	w.wrote = w.wrote || writes(statement)
	return w.DBTX.QueryRow(ctx, statement, args...)
}

// writes errs on the side of a change. Statements come from queries/, whose
// keywords are in capitals.
func writes(statement string) bool {
	for _, word := range []string{"INSERT", "UPDATE", "DELETE", "audit_", "pg_notify", "nextval", "set_config"} {
		if strings.Contains(statement, word) {
			return true
		}
	}
	return false
}
