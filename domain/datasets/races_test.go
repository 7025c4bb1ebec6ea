package datasets_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "gocloud.dev/blob/memblob" // a storage that is no directory

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/warehouse"
)

// sweepDuring sweeps while a transaction with work is open. A sweep that waits
// for it would wait forever: it is broken off then.
func (r *rig) sweepDuring(t *testing.T, work func(context.Context, *db.Tx) error) (swept datasets.Swept) {
	t.Helper()
	err := r.db.InTenantTx(t.Context(), r.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := work(ctx, tx); err != nil {
			return err
		}
		impatient, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var err error
		swept, err = r.Sweep(impatient, r.actor)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

func TestWhatIsBeingBroughtBackIsNotPurged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	if err := r.Delete(t.Context(), r.actor, id); err != nil {
		t.Fatal(err)
	}
	r.pass(8 * 24 * time.Hour)
	swept := r.sweepDuring(t, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.DatasetUndelete(ctx, tx.TenantID, id.UUID())
		return err
	})
	if swept.Datasets != 0 {
		t.Errorf("swept %+v", swept)
	}
	if n, _ := r.totals(t, id, "id", datasets.Snapshot{}); n != 10 {
		t.Errorf("%d rows came back, want 10", n)
	}
}

func TestAVersionThatIsReadOrLeasedAtThisMomentIsNotExpired(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	if _, err := r.DeleteByKey(t.Context(), r.actor, id, []string{"id"}, [][]any{{1}}); err != nil {
		t.Fatal(err)
	}
	r.pass(8 * 24 * time.Hour)
	swept := r.sweepDuring(t, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.VersionShare(ctx, tx.TenantID, id.UUID(), 1)
		return err
	})
	if swept.Versions+int64(swept.Segments) != 0 {
		t.Errorf("while it was read: swept %+v", swept)
	}
	lease := ids.New[ids.Lease]()
	swept = r.sweepDuring(t, func(ctx context.Context, tx *db.Tx) error {
		now := time.Now().Add(8 * 24 * time.Hour)
		_, err := tx.LeaseInsert(ctx, db.LeaseInsertParams{LeaseID: lease.UUID(), Purpose: "test", Now: now, ExpiresAt: now.Add(time.Hour),
			TenantID: tx.TenantID, DatasetID: id.UUID(), Version: 1})
		return err
	})
	if swept.Versions+int64(swept.Segments) != 0 {
		t.Errorf("while a lease was taken: swept %+v", swept)
	}
	if swept, err := r.Sweep(t.Context(), r.actor); err != nil || swept.Versions != 0 {
		t.Errorf("leased: swept %+v, %v", swept, err)
	}
	if err := r.ReleaseLease(t.Context(), r.actor, lease); err != nil {
		t.Fatal(err)
	}
	if swept, err := r.Sweep(t.Context(), r.actor); err != nil || swept.Versions != 1 {
		t.Errorf("afterwards: swept %+v, %v", swept, err)
	}
}

func TestTwoUpsertsIntoNothingDoubleNoKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	request := func(rows string) datasets.ImportRequest {
		return datasets.ImportRequest{Path: write(t, "file.csv", "id,name,amount\n"+rows), Dataset: "events", Mode: datasets.Upsert,
			Choices: datasets.Choices{Key: []string{"id"}}}
	}
	// The key is declared and there is no row: nothing about the definition changes.
	before, err := r.ImportFile(t.Context(), r.actor, request("9,x,9.00\n"))
	if err != nil {
		t.Fatal(err)
	}
	id := before.Dataset
	if n, err := r.DeleteByKey(t.Context(), r.actor, id, nil, [][]any{{9}}); err != nil || n != 1 {
		t.Fatalf("deleted %d rows, %v", n, err)
	}
	r.OnPublished(func() { // the second one is faster
		r.OnPublished(func() {})
		if _, err := r.ImportFile(t.Context(), r.actor, request("1,a,1.00\n2,a,2.00\n")); err != nil {
			t.Error(err)
		}
	})
	report, err := r.ImportFile(t.Context(), r.actor, request("2,b,20.00\n3,b,30.00\n"))
	if err != nil {
		t.Fatal(err)
	}
	if report.Version != 4 || report.Inserted != 1 || report.Updated != 1 {
		t.Errorf("got %+v", report)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 || sum != 51 {
		t.Errorf("%d rows with %v, want 3 with 51", n, sum)
	}
}

func TestARestoreLeavesTheColumnsOfOtherVersionsAsTheyWere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.load(t, "letters", datasets.Replace, "a,b\n1,2\n", datasets.Choices{}).Dataset
	r.load(t, "letters", datasets.Replace, "a\n3\n", datasets.Choices{})
	for range 2 { // and once more
		if _, err := r.Restore(t.Context(), r.actor, id, 1); err != nil {
			t.Fatal(err)
		}
		r.load(t, "letters", datasets.Replace, "a\n4\n", datasets.Choices{})
	}
	for version, want := range map[int64]bool{1: true, 2: false, 3: true, 4: false, 5: true, 6: false} {
		snapshot, err := r.SnapshotAt(t.Context(), r.actor, "letters", version)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Query(t.Context(), r.actor, datasets.QueryRequest{Snapshot: snapshot, Spec: warehouse.Spec{Dataset: id.String(), Columns: []string{"a", "b"}}})
		if (err == nil) != want {
			t.Errorf("version %d has b: %v, want %v", version, err, want)
		}
	}
}

func TestRejectsOfAnImportOutliveTheStorage(t *testing.T) {
	t.Parallel()
	scratch := filepath.Join(t.TempDir(), "engine")
	r, err := openRig(t.Context(), dbtest.New(t), "mem://", scratch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	r.actor = r.person(tenant.ID, access.Editor)
	report := r.load(t, "sales", datasets.Replace, "a,b\n1,2\nx,3\n", datasets.Choices{Columns: []datasets.ColumnChoice{{Column: "a", Type: "integer"}}})
	if report.RowsRejected != 1 || strings.HasPrefix(report.RejectsFile, filepath.Dir(scratch)) {
		t.Fatalf("%d rejected, in %s", report.RowsRejected, report.RejectsFile)
	}
	t.Cleanup(func() { _ = os.Remove(report.RejectsFile) })
	r.close() // and its copies with it
	if text, err := os.ReadFile(report.RejectsFile); err != nil || !strings.Contains(string(text), "x") {
		t.Errorf("rejects %q, %v", text, err)
	}
}

func TestLookupIntoADatasetThatGrowsAllTheTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	owner, target := r.events(t, "owner"), r.events(t, "target")
	r.add(t, target, 1, 5)
	next := 6
	r.OnChecked(func() {
		r.add(t, target, next, next)
		next++
	})
	add := func(name string) error {
		return r.AddLookup(t.Context(), r.actor, owner, datasets.NewLookup{Name: name, Column: "id", Target: "target", Key: "id"})
	}
	if err := add("first"); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveLookup(t.Context(), r.actor, owner, "first"); err != nil {
		t.Fatal(err)
	}
	next = 3 // is there already
	wantError(t, add("second"), datasets.ErrLookupNotUnique)
}

func TestTwoDatasetsLookUpInOneAnotherAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := []ids.Dataset{r.events(t, "a"), r.events(t, "b")}
	for range 10 {
		var start, done sync.WaitGroup
		start.Add(2)
		var checked atomic.Int64
		r.OnChecked(func() { // both go on at once, holding nothing yet
			if checked.Add(1) <= 2 {
				start.Done()
				start.Wait()
			}
		})
		for i := range list {
			done.Go(func() {
				err := r.AddLookup(t.Context(), r.actor, list[i], datasets.NewLookup{Name: "other", Column: "id", Target: list[1-i].String(), Key: "id"})
				if err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if t.Failed() {
			return
		}
		for _, id := range list {
			if err := r.RemoveLookup(t.Context(), r.actor, id, "other"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// waits tells whether work waits for its turn while all slots are taken.
func (r *rig) waits(t *testing.T, work func() error) {
	t.Helper()
	var taken []func()
	for range engineSlots {
		leave, err := r.engine.Enter(t.Context(), "somebody else")
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, leave)
	}
	done := make(chan error, 1)
	go func() { done <- work() }()
	for r.engine.Waiting() == 0 {
		select {
		case err := <-done:
			t.Fatalf("did not wait for its turn: %v", err)
		default:
			runtime.Gosched()
		}
	}
	for _, leave := range taken {
		leave()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestProfilesAndChecksWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	owner, target := r.events(t, "owner"), r.events(t, "target")
	r.add(t, target, 1, 5)
	r.waits(t, func() error {
		_, err := r.Profile(t.Context(), r.actor, target)
		return err
	})
	r.waits(t, func() error {
		return r.AddLookup(t.Context(), r.actor, owner, datasets.NewLookup{Name: "l", Column: "id", Target: "target", Key: "id"})
	})
}
