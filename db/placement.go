package db

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrShard means that a tenant lives in a database that this process was not
// told of.
var ErrShard = apperr.Define(apperr.Unavailable, "database.unknown_shard",
	"The database of this workspace can't be reached from here.")

const (
	primaryShard = "primary"
	sharedSchema = "public"
	// placementAge is how long a moved tenant may still be looked for where it
	// was. Who moves one stops its work for that long.
	placementAge = time.Minute
)

// placement is where a tenant's tables lie. One that has no row lies where
// all do by default.
type placement struct {
	shard, schema string
	readAt        time.Time
}

// placements remembers those of the tenants that were at work here. An entry
// is two short strings, so it is not bounded.
type placements struct{ known sync.Map } // uuid.UUID -> placement

// enter answers the statements that bind a transaction to a tenant.
func (d *DB) enter(ctx context.Context, tenantID uuid.UUID) (string, error) {
	schema, err := d.schema(ctx, tenantID)
	if err != nil {
		return "", err
	}
	bind := "SET LOCAL app.tenant_id = '" + tenantID.String() + "'"
	if schema != sharedSchema {
		bind += "; SET LOCAL search_path = " + pgx.Identifier{schema}.Sanitize()
	}
	return bind, nil
}

// enterBatch is enter for the statements of a batch.
func (d *DB) enterBatch(ctx context.Context, tenantID uuid.UUID, b *Batch) error {
	schema, err := d.schema(ctx, tenantID)
	if err != nil {
		return err
	}
	if schema != sharedSchema {
		b.batch.Queue("SELECT set_config('search_path', $1, true)", pgx.Identifier{schema}.Sanitize())
	}
	return nil
}

// schema is where a tenant's tables lie in this database.
func (d *DB) schema(ctx context.Context, tenantID uuid.UUID) (string, error) {
	if tenantID == uuid.Nil {
		panic("db: transaction without a tenant")
	}
	p, err := d.placement(ctx, tenantID)
	if err != nil {
		return "", err
	}
	if p.shard != primaryShard {
		return "", ErrShard.Wrap(fmt.Errorf("tenant %s is in shard %q", tenantID, p.shard))
	}
	return p.schema, nil
}

func (d *DB) placement(ctx context.Context, tenantID uuid.UUID) (placement, error) {
	if known, ok := d.placements.known.Load(tenantID); ok {
		if p := known.(placement); time.Since(p.readAt) < placementAge {
			return p, nil
		}
	}
	p := placement{shard: primaryShard, schema: sharedSchema, readAt: time.Now()}
	var batch pgx.Batch
	batch.Queue(bindTenant, tenantID.String())
	batch.Queue("SELECT shard, schema_name FROM control.placements WHERE tenant_id = $1", tenantID).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&p.shard, &p.schema); !IsNoRows(err) {
			return err
		}
		return nil
	})
	if err := d.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return placement{}, fmt.Errorf("find placement of %s: %w", tenantID, reachable(err))
	}
	d.placements.known.Store(tenantID, p)
	return p, nil
}
