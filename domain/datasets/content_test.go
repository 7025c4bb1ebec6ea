package datasets_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse"
)

func TestAppendedRowsAreSeenAtOnceAndSnapshotsStayAsTheyWere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	empty := r.snapshot(t, id)
	if n, _ := r.totals(t, id, "amount", empty); n != 0 {
		t.Fatalf("a new dataset has %d rows", n)
	}
	if got := r.add(t, id, 1, 10); got.Version != 1 || got.Rows != 10 {
		t.Fatalf("got %+v", got)
	}
	before := r.snapshot(t, id)
	r.add(t, id, 11, 20)
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 20 || sum != 220 {
		t.Errorf("now: got %d rows and %v, want 20 and 220", n, sum)
	}
	if n, sum := r.totals(t, id, "amount", before); n != 10 || sum != 60 {
		t.Errorf("snapshot: got %d rows and %v, want 10 and 60", n, sum)
	}
	travelled, err := datasets.ParseSnapshot(before.String())
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := r.totals(t, id, "amount", travelled); n != 10 {
		t.Errorf("snapshot from a URL: got %d rows, want 10", n)
	}
	_, err = r.Bind(t.Context(), r.actor, empty)
	wantError(t, err, datasets.ErrSnapshotExpired) // before the first version there is none to keep
	if n := r.announced(t, id); n != 2 {
		t.Errorf("%d events for 2 appends", n)
	}
}

func TestAppendWithAKnownKeyDoesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	request := eventRows(1, 3)
	request.Key = "batch 1"
	first, err := r.AppendRows(t.Context(), r.actor, id, request)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			again, err := r.AppendRows(t.Context(), r.actor, id, request)
			if err != nil || !again.Repeated || again.Version != first.Version || again.Rows != 3 {
				t.Errorf("got %+v, %v", again, err)
			}
		})
	}
	wg.Wait()
	if n, _ := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 {
		t.Errorf("got %d rows, want 3", n)
	}
}

func TestConcurrentAppendsWithTheSameKeyAreOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	request := eventRows(1, 3)
	request.Key = "only once"
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := r.AppendRows(t.Context(), r.actor, id, request); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, _ := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 {
		t.Errorf("got %d rows, want 3", n)
	}
}

func TestConcurrentAppendsAllSurvive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	const writers, each = 6, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := r.AppendRows(t.Context(), r.actor, id, eventRows(w*each+i+1, w*each+i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 3 {
			if _, err := r.Merge(t.Context(), r.actor, id); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	n, sum := r.totals(t, id, "id", datasets.Snapshot{})
	if want := float64(writers * each * (writers*each + 1) / 2); n != writers*each || sum != want {
		t.Errorf("got %d rows and %v, want %d and %v", n, sum, writers*each, want)
	}
	d, err := r.Get(t.Context(), r.actor, id)
	if err != nil || d.Version != writers*each || d.Rows != writers*each {
		t.Errorf("got version %d with %d rows, %v", d.Version, d.Rows, err)
	}
}

func TestMergeChangesNoContent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	var fifth datasets.Snapshot
	for i := range 20 {
		r.add(t, id, i*10+1, i*10+10)
		if i == 4 {
			fifth = r.snapshot(t, id)
		}
	}
	before := r.snapshot(t, id)
	announced := r.announced(t, id)
	merged, err := r.Merge(t.Context(), r.actor, id)
	if err != nil || merged < 15 {
		t.Fatalf("merged %d segments, %v", merged, err)
	}
	after := r.snapshot(t, id)
	if v, _ := after.Version(id); v != 20 {
		t.Errorf("a merge made version %d of 20", v)
	}
	if got := r.announced(t, id); got != announced {
		t.Errorf("a merge was announced")
	}
	for name, s := range map[string]datasets.Snapshot{"bound before": before, "bound after": after} {
		if n, sum := r.totals(t, id, "id", s); n != 200 || sum != 20100 {
			t.Errorf("%s: got %d rows and %v", name, n, sum)
		}
	}
	if n, _ := r.totals(t, id, "id", fifth); n != 50 {
		t.Errorf("an earlier version has %d rows, want 50", n)
	}
	if again, err := r.Merge(t.Context(), r.actor, id); err != nil || again != 0 {
		t.Errorf("a second merge found %d segments, %v", again, err)
	}
}

func TestRestoreIsANewVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	r.add(t, id, 11, 20)
	d, err := r.Get(t.Context(), r.actor, id)
	if err != nil {
		t.Fatal(err)
	}
	amount, _ := d.ColumnByName("amount")
	deleted, err := r.DeleteByKey(t.Context(), r.actor, id, []string{"id"}, [][]any{{3}, {12}, {99}})
	if err != nil || deleted != 2 {
		t.Fatalf("deleted %d rows, %v", deleted, err)
	}
	if n, sum := r.totals(t, id, "id", datasets.Snapshot{}); n != 18 || sum != 195 {
		t.Fatalf("after the delete: %d rows, %v", n, sum)
	}
	if err := r.DropColumn(t.Context(), r.actor, id, amount.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.sum(t.Context(), id, "amount", datasets.Snapshot{}); err == nil {
		t.Fatal("a dropped column can be summed up")
	}
	version, err := r.Restore(t.Context(), r.actor, id, 2)
	if err != nil || version != 4 {
		t.Fatalf("restored as version %d, %v", version, err)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 20 || sum != 220 {
		t.Errorf("after the restore: %d rows, %v", n, sum)
	}
	_, err = r.Restore(t.Context(), r.actor, id, 77)
	wantError(t, err, datasets.ErrVersionNotFound)
	list, err := r.ListVersions(t.Context(), r.actor, id, 10)
	if err != nil || len(list) != 4 || list[0].Kind != datasets.ChangeRestore || !list[0].Current || list[1].Kind != datasets.ChangeDelete {
		t.Errorf("versions %+v, %v", list, err)
	}
}

func TestRowsAreCountedAndDeletedByTheDatasetsOwnKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.load(t, "lines", datasets.Upsert, "order,line,amount\n1,1,10\n1,2,20\n2,1,30\n", datasets.Choices{Key: []string{"order", "line"}}).Dataset
	keys, err := datasets.ParseKeys("1\t2\n\n2\t1\n7\t7\n", 2)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v, %v", keys, err)
	}
	if n, err := r.CountByKey(ctx, r.actor, id, nil, keys); err != nil || n != 2 {
		t.Errorf("counted %d rows, %v", n, err)
	}
	if n, err := r.CountByKey(ctx, r.actor, id, []string{"order"}, [][]any{{"1"}}); err != nil || n != 2 {
		t.Errorf("counted %d rows of an order, %v", n, err)
	}
	if n, err := r.DeleteByKey(ctx, r.actor, id, nil, keys); err != nil || n != 2 {
		t.Errorf("deleted %d rows, %v", n, err)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 1 || sum != 10 {
		t.Errorf("%d rows with %v are left", n, sum)
	}
	_, err = r.DeleteByKey(ctx, r.actor, r.events(t, "events"), nil, keys)
	wantError(t, err, datasets.ErrKeyInvalid)
	viewer := r.person(r.actor.TenantID, access.Viewer)
	_, err = r.CountByKey(ctx, viewer, id, nil, keys)
	wantError(t, err, access.ErrForbidden)
	for text, want := range map[string]int{"a\n b \n\n": 2, "\ufeffa\r\nb": 2, "\"a\nb\"\nc": 2, "a,b": 1} {
		if keys, err := datasets.ParseKeys(text, 1); err != nil || len(keys) != want {
			t.Errorf("%q has keys %q, %v; want %d", text, keys, err, want)
		}
	}
	for text, columns := range map[string]int{"": 1, "1,2\n3\n": 2} {
		_, err := datasets.ParseKeys(text, columns)
		wantError(t, err, datasets.ErrRowsInvalid)
	}
}

func TestSweepSparesWhatIsKeptOrLeased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	first := r.snapshot(t, id)
	lease, err := r.AcquireLease(ctx, r.actor, first, "download", 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.DeleteByKey(ctx, r.actor, id, []string{"id"}, [][]any{{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.DeleteByKey(ctx, r.actor, id, []string{"id"}, [][]any{{2}}); err != nil {
		t.Fatal(err)
	}
	segments := len(r.files(t))
	sweep := func() datasets.Swept {
		t.Helper()
		swept, err := r.Sweep(ctx, r.actor)
		if err != nil {
			t.Fatal(err)
		}
		return swept
	}
	if swept := sweep(); swept != (datasets.Swept{}) {
		t.Errorf("at once: swept %+v", swept)
	}
	for range 7 { // the lease is prolonged day by day
		r.pass(23 * time.Hour)
		if err := r.ExtendLease(ctx, r.actor, lease.ID, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	r.pass(10 * time.Hour)
	if swept := sweep(); swept.Versions != 1 || swept.Segments != 1 || swept.Files != 0 {
		t.Errorf("after a week: swept %+v", swept)
	}
	if n, _ := r.totals(t, id, "id", first); n != 10 {
		t.Errorf("the leased version has %d rows", n)
	}
	if err := r.ReleaseLease(ctx, r.actor, lease.ID); err != nil {
		t.Fatal(err)
	}
	if swept := sweep(); swept.Versions != 1 || swept.Segments != 1 {
		t.Errorf("after the lease: swept %+v", swept)
	}
	_, err = r.Bind(ctx, r.actor, first)
	wantError(t, err, datasets.ErrSnapshotExpired)
	_, err = r.AcquireLease(ctx, r.actor, first, "download", time.Hour)
	wantError(t, err, datasets.ErrSnapshotExpired)
	if got := len(r.files(t)); got != segments {
		t.Errorf("%d of %d files left within the recovery window", got, segments)
	}
	r.pass(8 * 24 * time.Hour)
	if swept := sweep(); swept.Files != 2 {
		t.Errorf("after the recovery window: swept %+v", swept)
	}
	if n, sum := r.totals(t, id, "id", datasets.Snapshot{}); n != 8 || sum != 52 {
		t.Errorf("the current version has %d rows and %v", n, sum)
	}
}

func TestLiveVersionsExpireSoonerButOneAnHourStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.events(t, "events")
	for i := range 6 {
		r.add(t, id, i+1, i+1)
		r.pass(25 * time.Minute)
	}
	r.pass(2 * time.Hour)
	if _, err := r.Sweep(ctx, r.actor); err != nil {
		t.Fatal(err)
	}
	list, err := r.ListVersions(ctx, r.actor, id, 10)
	if err != nil {
		t.Fatal(err)
	}
	var kept []int64
	for _, v := range list {
		kept = append(kept, v.Version)
	}
	if len(kept) != 3 || kept[0] != 6 || kept[1] != 4 || kept[2] != 1 {
		t.Errorf("kept versions %v, want 6, 4 and 1", kept)
	}
	if _, err := r.Restore(ctx, r.actor, id, 4); err != nil {
		t.Fatal(err)
	}
	if n, _ := r.totals(t, id, "id", datasets.Snapshot{}); n != 4 {
		t.Errorf("restored %d rows, want 4", n)
	}
}

func TestRestoredFilesOutliveTheirFirstVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	if _, err := r.DeleteByKey(ctx, r.actor, id, []string{"id"}, [][]any{{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Restore(ctx, r.actor, id, 1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.pass(10 * 24 * time.Hour)
		if _, err := r.Sweep(ctx, r.actor); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := r.totals(t, id, "id", datasets.Snapshot{}); n != 10 {
		t.Errorf("got %d rows, want 10", n)
	}
	if got := len(r.files(t)); got != 1 {
		t.Errorf("%d files left, want 1", got)
	}
}

func TestOrphansGoOnceTheyAreOld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	lost := errors.New("lost")
	r.OnPublished(func() { panic(lost) })
	func() {
		defer func() { _ = recover() }()
		_, _ = r.AppendRows(ctx, r.actor, id, eventRows(11, 12))
	}()
	r.OnPublished(func() {})
	if got := len(r.files(t)); got != 2 {
		t.Fatalf("%d files after a crash, want 2", got)
	}
	if n, err := r.SweepOrphans(ctx, r.actor); err != nil || n != 0 {
		t.Fatalf("swept %d young orphans, %v", n, err)
	}
	r.pass(25 * time.Hour)
	if n, err := r.SweepOrphans(ctx, r.actor); err != nil || n != 1 {
		t.Fatalf("swept %d orphans, %v", n, err)
	}
	if n, _ := r.totals(t, id, "id", datasets.Snapshot{}); n != 10 {
		t.Errorf("got %d rows, want 10", n)
	}
}

func TestDeletedDatasetComesBackUntilItIsPurged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.events(t, "events")
	r.add(t, id, 1, 10)
	if err := r.Delete(ctx, r.actor, id); err != nil {
		t.Fatal(err)
	}
	_, _, err := r.sum(ctx, id, "id", datasets.Snapshot{})
	wantError(t, err, datasets.ErrNotFound)
	list, err := r.ListDeleted(ctx, r.actor)
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Fatalf("deleted %+v, %v", list, err)
	}
	other := r.events(t, "EVENTS") // the name is free
	wantError(t, r.Undelete(ctx, r.actor, id), datasets.ErrNameTaken)
	if err := r.Delete(ctx, r.actor, other); err != nil {
		t.Fatal(err)
	}
	if err := r.Undelete(ctx, r.actor, id); err != nil {
		t.Fatal(err)
	}
	if n, _ := r.totals(t, id, "id", datasets.Snapshot{}); n != 10 {
		t.Errorf("got %d rows, want 10", n)
	}
	if err := r.Delete(ctx, r.actor, id); err != nil {
		t.Fatal(err)
	}
	r.pass(8 * 24 * time.Hour)
	swept, err := r.Sweep(ctx, r.actor)
	if err != nil || swept.Datasets != 2 {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	wantError(t, r.Undelete(ctx, r.actor, id), datasets.ErrNotFound)
	r.pass(8 * 24 * time.Hour)
	if swept, err = r.Sweep(ctx, r.actor); err != nil || swept.Files != 1 || len(r.files(t)) != 0 {
		t.Errorf("swept %+v, %v; files %v", swept, err, r.files(t))
	}
}

func TestAppendRefusesRowsThatDoNotFit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	for name, tc := range map[string]struct {
		columns []string
		row     []any
		want    error
	}{
		"unknown column":    {[]string{"nope"}, []any{1}, datasets.ErrColumnNotFound},
		"column twice":      {[]string{"id", "id"}, []any{1, 2}, datasets.ErrRowsInvalid},
		"too few values":    {[]string{"id", "name"}, []any{1}, datasets.ErrRowsInvalid},
		"text for a number": {[]string{"id"}, []any{"one"}, datasets.ErrRowsInvalid},
		"fraction":          {[]string{"id"}, []any{1.5}, datasets.ErrRowsInvalid},
		"too precise":       {[]string{"amount"}, []any{"1.005"}, datasets.ErrRowsInvalid},
		"too large":         {[]string{"amount"}, []any{"12345678901.00"}, datasets.ErrRowsInvalid},
		"no moment":         {[]string{"at"}, []any{"soon"}, datasets.ErrRowsInvalid},
		"NUL in text":       {[]string{"name"}, []any{"a\x00b"}, datasets.ErrRowsInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.AppendRows(t.Context(), r.actor, id, datasets.AppendRequest{Columns: tc.columns, Rows: [][]any{tc.row}})
			wantError(t, err, tc.want)
		})
	}
	if d, err := r.Get(t.Context(), r.actor, id); err != nil || d.Version != 0 {
		t.Errorf("version %d, %v", d.Version, err)
	}
	if got := r.files(t); len(got) != 0 {
		t.Errorf("files left: %v", got)
	}
}

func TestViewersChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	viewer := r.person(r.actor.TenantID, access.Viewer)
	_, err := r.AppendRows(t.Context(), viewer, id, eventRows(1, 1))
	wantError(t, err, access.ErrForbidden)
	wantError(t, r.Delete(t.Context(), viewer, id), access.ErrForbidden)
	wantError(t, r.SaveField(t.Context(), viewer, id, datasets.Field{Name: "f", Expression: "1"}), access.ErrForbidden)
	wantError(t, r.RemoveField(t.Context(), viewer, id, "f"), access.ErrForbidden)
	if _, err := r.Get(t.Context(), viewer, id); err != nil {
		t.Errorf("a viewer may look: %v", err)
	}
}

func TestRenamedColumnsKeepTheirFormerNamesInSpecs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.events(t, "events")
	r.add(t, id, 1, 9)
	d, err := r.Get(ctx, r.actor, id)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := d.ColumnByName("name")
	renamed := "label"
	if err := r.EditColumn(ctx, r.actor, id, name.ID, datasets.ColumnEdit{Name: &renamed}); err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"name", "label"} {
		result, err := r.Query(ctx, r.actor, datasets.QueryRequest{Spec: warehouse.Spec{
			Dataset: "events", Measures: []warehouse.Measure{{Fn: "count", As: "n"}}, Dimensions: []warehouse.Dimension{{Column: column}},
			Order: []warehouse.Order{{By: column}},
		}})
		if err != nil {
			t.Fatalf("by %s: %v", column, err)
		}
		if result.Rows != 3 || result.Columns[0].Name != column {
			t.Errorf("by %s: %d rows, first column %q", column, result.Rows, result.Columns[0].Name)
		}
	}
	result, err := r.Query(ctx, r.actor, datasets.QueryRequest{Spec: warehouse.Spec{Dataset: "events", Columns: []string{"id", "name"}, Order: []warehouse.Order{{By: "name"}, {By: "id"}}}})
	if err != nil || result.Columns[1].Name != "name" || result.Columns[1].Texts[0] != "name 0" {
		t.Errorf("plain rows: %+v, %v", result, err)
	}
	taken := "ID"
	wantError(t, r.EditColumn(ctx, r.actor, id, name.ID, datasets.ColumnEdit{Name: &taken}), datasets.ErrColumnInvalid)
}

func TestSnapshotsOfOneMomentAndOfMissingDatasets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.events(t, "a"), r.events(t, "b")
	r.add(t, a, 1, 1)
	r.add(t, b, 1, 2)
	gone := ids.New[ids.Dataset]()
	s := r.snapshot(t, a, b, gone)
	if got := s.Versions(); len(got) != 2 || got[a] != 1 || got[b] != 1 {
		t.Errorf("versions %v", got)
	}
	_, _, err := r.sum(t.Context(), gone, "id", s)
	wantError(t, err, datasets.ErrNotFound)
	for _, text := range []string{"x", "AAAA", s.String() + s.String()} {
		_, err := datasets.ParseSnapshot(text)
		wantError(t, err, datasets.ErrSnapshotExpired)
	}
}

func TestChangesByKeyBesideLiveAppends(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	r.add(t, id, 1, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 15 {
			if _, err := r.AppendRows(t.Context(), r.actor, id, eventRows(1001+i, 1001+i)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := range 5 {
			deleted, err := r.DeleteByKey(t.Context(), r.actor, id, []string{"id"}, [][]any{{i + 1}})
			if err != nil || deleted != 1 {
				t.Errorf("deleted %d rows, %v", deleted, err)
			}
		}
	})
	wg.Wait()
	n, sum := r.totals(t, id, "id", datasets.Snapshot{})
	if want := float64(5050 - 15 + 15*1001 + 105); n != 110 || sum != want {
		t.Errorf("got %d rows and %v, want 110 and %v", n, sum, want)
	}
}

func TestManySmallSegmentsAskForAMerge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.events(t, "events")
	for i := range 20 {
		r.add(t, id, i+1, i+1)
	}
	runner := jobs.NewRunner(jobs.Config{Store: r.db})
	jobs.Bind(runner, datasets.MergeOptions, r.RunMerge)
	due, err := r.db.DispatchJobs(t.Context(), jobs.Dispatch{Queue: jobs.Short, Kinds: runner.Kinds(), Waiting: 10, PerTenant: 10})
	if err != nil || len(due) != 1 {
		t.Fatalf("%d merges asked for, %v", len(due), err)
	}
	runner.Do(t.Context(), due[0].ID, due[0].Kind, due[0].Attempt)
	if again, err := r.Merge(t.Context(), r.actor, id); err != nil || again != 0 {
		t.Errorf("the job left %d segments to merge, %v", again, err)
	}
	list, err := r.ListVersions(t.Context(), r.actor, id, 100)
	if err != nil || len(list) != 20 {
		t.Errorf("%d versions listed, %v", len(list), err)
	}
	r.add(t, id, 21, 21)
	r.add(t, id, 22, 22)
	if list, err = r.ListVersions(t.Context(), r.actor, id, 100); err != nil || len(list) != 21 || list[20].Version != 1 {
		t.Errorf("%d versions listed, %v", len(list), err)
	}
}
