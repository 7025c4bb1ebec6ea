package db_test

import (
	"context"
	"testing"

	"github.com/dataflowhq/dataflow/db"
)

// What every request pays before it does anything of its own.
func BenchmarkSessionRead(b *testing.B) {
	w := newWorld(b)
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.SessionRead(b.Context(), w.tenant, w.token, false, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionReadWithWorkspaces(b *testing.B) {
	w := newWorld(b)
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.SessionRead(b.Context(), w.tenant, w.token, true, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTenantTransaction(b *testing.B) {
	w := newWorld(b)
	b.ResetTimer()
	for b.Loop() {
		err := w.InTenantTx(b.Context(), w.tenant, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.TenantSettingsGet(ctx, w.tenant)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTenantRead(b *testing.B) {
	w := newWorld(b)
	var count int64
	b.ResetTimer()
	for b.Loop() {
		if err := w.TenantRead(b.Context(), w.tenant, func(r *db.Batch) { r.CountVisibleTenants(&count) }); err != nil {
			b.Fatal(err)
		}
	}
}
