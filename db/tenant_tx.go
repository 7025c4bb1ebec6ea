package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Tx is a transaction that sees the rows of one tenant, or of schema control
// only when TenantID is zero.
type Tx struct {
	*Queries
	TenantID uuid.UUID
	conn     *pgxpool.Conn
}

// InTenantTx runs work in one transaction bound to a tenant: row-level
// security shows and accepts only that tenant's rows. The transaction is
// committed when work answers nil. No page is written and no other process is
// called inside it.
func (d *DB) InTenantTx(ctx context.Context, tenantID uuid.UUID, work func(context.Context, *Tx) error) error {
	if tenantID == uuid.Nil {
		panic("db: transaction without a tenant")
	}
	return d.inTx(ctx, tenantID, "BEGIN; SET LOCAL app.tenant_id = '"+tenantID.String()+"'", work)
}

// InControlTx runs work in one transaction without a tenant: only schema
// control, as far as the run-time role was granted it, is within reach.
func (d *DB) InControlTx(ctx context.Context, work func(context.Context, *Tx) error) error {
	return d.inTx(ctx, uuid.Nil, "BEGIN", work)
}

// begin goes out as one simple query, so a transaction costs two round trips
// besides its own statements.
func (d *DB) inTx(ctx context.Context, tenantID uuid.UUID, begin string, work func(context.Context, *Tx) error) (err error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire connection: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().Exec(ctx, begin).ReadAll(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	done := false
	defer func() {
		if !done {
			// The caller's context may have ended; a connection that cannot be
			// rolled back is closed by the pool when it is released.
			_, _ = conn.Conn().PgConn().Exec(context.WithoutCancel(ctx), "ROLLBACK").ReadAll()
		}
	}()
	if err := work(ctx, &Tx{Queries: New(conn), TenantID: tenantID, conn: conn}); err != nil {
		return err
	}
	result, err := conn.Conn().PgConn().Exec(ctx, "COMMIT").ReadAll()
	if err != nil {
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
	return t.conn.SendBatch(ctx, batch)
}
