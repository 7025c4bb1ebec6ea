package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

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
