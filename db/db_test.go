package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
)

func TestTransactionSeesOnlyItsTenant(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	ctx := t.Context()
	one, two := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for _, id := range []uuid.UUID{one, two} {
		if err := pool.InTenantTx(ctx, id, func(ctx context.Context, tx *db.Tx) error {
			return tx.TenantSettingsInsert(ctx, db.TenantSettingsInsertParams{
				TenantID: id, PlanType: db.PlanTypeStarter, Zone: "UTC", Locale: "en-GB"})
		}); err != nil {
			t.Fatal(err)
		}
	}
	err := pool.InTenantTx(ctx, one, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.TenantSettingsGet(ctx, one); err != nil {
			return err
		}
		_, err := tx.TenantSettingsGet(ctx, two)
		return err
	})
	if !db.IsNoRows(err) {
		t.Errorf("another tenant's row: got %v, want no rows", err)
	}
	err = pool.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.TenantSettingsGet(ctx, one)
		return err
	})
	if !db.IsNoRows(err) {
		t.Errorf("without a tenant: got %v, want no rows", err)
	}
}

func TestFailedWorkLeavesNothing(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	id := uuid.Must(uuid.NewV7())
	stop := errors.New("stop")
	err := pool.InTenantTx(t.Context(), id, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.TenantSettingsInsert(ctx, db.TenantSettingsInsertParams{
			TenantID: id, PlanType: db.PlanTypeStarter, Zone: "UTC", Locale: "en-GB"}); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("got %v, want the work's error", err)
	}
	err = pool.InTenantTx(t.Context(), id, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.TenantSettingsGet(ctx, id)
		return err
	})
	if !db.IsNoRows(err) {
		t.Errorf("got %v, want no rows", err)
	}
}

// number runs one statement of a transaction that answers a number.
func number(ctx context.Context, tx *db.Tx, sql string) (n int, err error) {
	var batch pgx.Batch
	batch.Queue(sql)
	results := tx.SendBatch(ctx, &batch)
	return n, errors.Join(results.QueryRow().Scan(&n), results.Close())
}

func TestAFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	err := pool.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		// What PostgreSQL raises where it can't extend a file.
		_, err := number(ctx, tx, "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$")
		return err
	})
	if !errors.Is(err, db.ErrDiskFull) {
		t.Errorf("got %v", err)
	}
}

func TestLostConnectionSaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	owner, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	coded := db.ErrUnsafeRole.Wrap(errors.New("a code of its own"))
	for name, tc := range map[string]struct {
		before error // of the work, once the connection is lost
		ask    bool  // the work goes on
		want   error
	}{
		"within the work":       {nil, true, db.ErrUnavailable},
		"at the commit":         {nil, false, db.ErrOutcomeUnknown},
		"where a code is known": {coded, false, db.ErrUnsafeRole},
	} {
		t.Run(name, func(t *testing.T) {
			err := pool.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				pid, err := number(ctx, tx, "SELECT pg_backend_pid()")
				if err != nil {
					return err
				}
				_, err = owner.Exec(ctx, "SELECT pg_terminate_backend($1, 10000)", pid)
				if err == nil && tc.ask {
					_, err = number(ctx, tx, "SELECT 1")
				}
				return errors.Join(err, tc.before)
			})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	// What only asked is not said to have changed anything.
	err = pool.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.JobCount(ctx)
		if err == nil {
			_, err = owner.Exec(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		}
		return err
	})
	if !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("a question that was lost: %v", err)
	}
}
