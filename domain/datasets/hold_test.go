package datasets_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// leases counts those of a workspace.
func (r *rig) leases(t testing.TB, tenant ids.Tenant) int {
	t.Helper()
	counted := errors.New("counted, and left as it was")
	var n int64
	err := r.db.InTenantTx(t.Context(), tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		if n, err = tx.LeasePrune(ctx, tx.TenantID, time.Now().AddDate(10, 0, 0)); err != nil {
			return err
		}
		return counted
	})
	wantError(t, err, counted)
	return int(n)
}

func TestWhatIsHeldStaysReadableHoweverLongItIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id, gone := r.events(t, "events"), r.events(t, "gone")
	r.add(t, id, 1, 10)
	r.add(t, id, 11, 12) // a live version, kept for an hour
	r.add(t, gone, 1, 1)
	snapshot := r.snapshot(t, id, gone)
	if err := r.Delete(ctx, r.actor, gone); err != nil {
		t.Fatal(err)
	}
	ticks := make(chan time.Time)
	r.TickBy(ticks)
	broken := errors.New("broken off")
	err := r.Hold(ctx, r.actor, snapshot, "download", func(ctx context.Context) error {
		r.add(t, id, 13, 13)
		for range 3 {
			r.pass(time.Hour)
			ticks <- time.Time{}
			ticks <- time.Time{} // taken once the first one is done with
			if _, err := r.Sweep(ctx, r.actor); err != nil {
				t.Fatal(err)
			}
		}
		travelled, err := datasets.ParseSnapshot(r.snapshot(t, id).String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Bind(ctx, r.actor, travelled); err != nil {
			t.Errorf("the current version: %v", err)
		}
		if n, _ := r.totals(t, id, "id", snapshot); n != 12 {
			t.Errorf("the held version has %d rows, want 12", n)
		}
		if _, err := r.SnapshotAt(ctx, r.actor, "events", 2); err != nil {
			t.Errorf("the held version can't be opened: %v", err)
		}
		return broken
	})
	wantError(t, err, broken)
	if n := r.leases(t, r.actor.TenantID); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	if swept, err := r.Sweep(ctx, r.actor); err != nil || swept.Versions != 1 {
		t.Errorf("afterwards swept %+v, %v", swept, err)
	}
	_, err = r.SnapshotAt(ctx, r.actor, "events", 2)
	wantError(t, err, datasets.ErrVersionNotFound)
}
