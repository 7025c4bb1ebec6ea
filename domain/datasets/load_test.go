package datasets_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse"
)

const sales = "order,region,sold,amount\n1,North,2026-01-05,10.50\n2,South,2026-01-06,20.25\n3,North,2026-01-07,5.00\n"

func column(t *testing.T, report datasets.LoadReport, name string) datasets.ReportColumn {
	t.Helper()
	for _, c := range report.Columns {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no column %q among %+v", name, report.Columns)
	return datasets.ReportColumn{}
}

func TestLoadMakesADatasetWithTypesFromItsRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	report := r.load(t, "Sales", datasets.Replace, sales, datasets.Choices{})
	if report.Version != 1 || report.RowsLoaded != 3 || report.RowsRejected != 0 || !report.Schema.New || report.RejectsFile != "" {
		t.Errorf("got %+v", report)
	}
	for i, want := range []string{"integer", "text", "date", "decimal"} {
		if got := report.Columns[i]; got.Type != want || got.ID != int32(i)+1 {
			t.Errorf("column %d is %+v, want %s", i, got, want)
		}
	}
	if n, sum := r.totals(t, report.Dataset, "amount", datasets.Snapshot{}); n != 3 || sum != 35.75 {
		t.Errorf("got %d rows and %v", n, sum)
	}
	d, err := r.Get(t.Context(), r.actor, report.Dataset)
	if err != nil || d.Name != "Sales" || d.TimeColumn != column(t, report, "sold").ID || d.SourceID.IsZero() {
		t.Errorf("got %+v, %v", d, err)
	}
	if got := r.files(t); len(got) != 1 {
		t.Errorf("files %v", got)
	}
}

func TestRejectedRecordsAreKeptWithTheirReasons(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	report := r.load(t, "s", datasets.Replace, "id,n\n1,10\n2,x\n3,30\n", datasets.Choices{Columns: []datasets.ColumnChoice{{Column: "n", Type: "integer"}}})
	if report.RowsLoaded != 2 || report.RowsRejected != 1 || len(report.Rejects) != 1 || report.RejectsFile == "" {
		t.Fatalf("got %+v", report)
	}
	rejects, err := r.OpenRejects(t.Context(), r.actor, report.Load)
	if err != nil {
		t.Fatal(err)
	}
	defer rejects.Close()
	text, err := io.ReadAll(rejects)
	if err != nil || !bytes.Contains(text, []byte("x")) {
		t.Errorf("rejects file %q, %v", text, err)
	}
}

func TestModesOfALoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.load(t, "sales", datasets.Replace, sales, datasets.Choices{})
	id := first.Dataset
	again := r.load(t, "SALES", datasets.Append, "amount,order,region,sold\n1.25,4,West,2026-02-01\n", datasets.Choices{})
	if again.Dataset != id || again.Version != 2 || !again.Schema.IsZero() {
		t.Fatalf("append: %+v", again)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 4 || sum != 37 {
		t.Errorf("append: %d rows, %v", n, sum)
	}
	upserted := r.load(t, "sales", datasets.Upsert, "order,region,sold,amount\n2,South,2026-01-06,100.00\n5,East,2026-02-02,1.00\n2,South,2026-01-06,200.00\n",
		datasets.Choices{Key: []string{"order"}})
	if upserted.Inserted != 1 || upserted.Updated != 1 || upserted.RowsLoaded+upserted.RowsRejected != 3 {
		t.Errorf("upsert: %+v", upserted)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 5 || sum != 217.75 {
		t.Errorf("upsert: %d rows, %v", n, sum)
	}
	// The key is known now.
	second := r.load(t, "sales", datasets.Upsert, "order,region,sold,amount\n5,East,2026-02-02,2.00\n", datasets.Choices{})
	if second.Updated != 1 || second.Inserted != 0 {
		t.Errorf("second upsert: %+v", second)
	}
	// The total of a file is not among the rows that it adds.
	monthly := r.load(t, "sales", datasets.Append, "order,region,sold,amount\n6,East,2026-03-01,1.00\n7,West,2026-03-02,2.00\nTotal,,,3.00\n", datasets.Choices{})
	if monthly.RowsLoaded != 2 || monthly.RowsRejected != 1 || monthly.Rejects[0].Reason != "looks_like_total" || !monthly.Schema.IsZero() {
		t.Errorf("append with a total: %+v", monthly)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 7 || sum != 221.75 {
		t.Errorf("append with a total: %d rows, %v", n, sum)
	}
	replaced := r.load(t, id.String(), datasets.Replace, sales, datasets.Choices{})
	if n, _ := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 || replaced.Version != 6 {
		t.Errorf("replace: %d rows, version %d", n, replaced.Version)
	}
	if _, err := r.Restore(t.Context(), r.actor, id, 4); err != nil {
		t.Fatal(err)
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 5 || sum != 218.75 {
		t.Errorf("restore: %d rows, %v", n, sum)
	}
}

func TestSchemaEvolution(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	first := r.load(t, "s", datasets.Replace, "code,n,day\n001,1,2026-01-01\n002,2,2026-01-02\n", datasets.Choices{})
	id := first.Dataset
	if c := column(t, first, "code"); c.Type != "text" {
		t.Fatalf("leading zeros became %s", c.Type)
	}
	// New, missing and widened columns; a code without zeros stays a code.
	second := r.load(t, "s", datasets.Append, "code,n,extra\n17,2.5,yes\n", datasets.Choices{})
	if len(second.Schema.Added) != 1 || len(second.Schema.Missing) != 1 || len(second.Schema.Widened) != 1 || second.Schema.Widened[0].Name != "n" {
		t.Errorf("schema change %+v", second.Schema)
	}
	if n, sum := r.totals(t, id, "n", datasets.Snapshot{}); n != 3 || sum != 5.5 {
		t.Errorf("got %d rows and %v, want 3 and 5.5", n, sum)
	}
	if c := column(t, second, "n"); c.ID != column(t, first, "n").ID {
		t.Error("a widened column got another id")
	}
	before := r.snapshot(t, id)
	// What does not fit is refused, and nothing changes.
	_, err := r.ImportFile(ctx, r.actor, datasets.ImportRequest{Path: write(t, "f.csv", "code,n\n1,many\n2,more\n"), Dataset: "s", Mode: datasets.Append})
	wantError(t, err, datasets.ErrSchemaConflict)
	_, err = r.ImportFile(ctx, r.actor, datasets.ImportRequest{Path: write(t, "g.csv", "other,file\n1,2\n"), Dataset: "s", Mode: datasets.Append})
	wantError(t, err, datasets.ErrSchemaConflict)
	if v, _ := r.snapshot(t, id).Version(id); v != 2 {
		t.Errorf("a refused load made version %d", v)
	}
	// Replacing gives a column of another type a new id, so that old versions
	// stay what they were.
	third := r.load(t, "s", datasets.Replace, "code,n\n1,many\n2,more\n", datasets.Choices{})
	if len(third.Schema.Replaced) == 0 || len(third.Schema.Dropped) != 2 || column(t, third, "n").ID == column(t, first, "n").ID {
		t.Errorf("replace: %+v", third)
	}
	if n, sum := r.totals(t, id, "n", before); n != 3 || sum != 5.5 {
		t.Errorf("the version before: %d rows and %v", n, sum)
	}
	if _, err := r.Restore(ctx, r.actor, id, 2); err != nil {
		t.Fatal(err)
	}
	if n, sum := r.totals(t, id, "n", datasets.Snapshot{}); n != 3 || sum != 5.5 {
		t.Errorf("restored: %d rows and %v", n, sum)
	}
	d, err := r.Get(ctx, r.actor, id)
	if err != nil || len(d.Columns) != 4 || d.TimeColumn != column(t, first, "day").ID {
		t.Errorf("restored columns %+v, time column %d, %v", d.Columns, d.TimeColumn, err)
	}
}

func TestDatesOfAnAppendAreReadAsBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.load(t, "s", datasets.Replace, "d,n\n25/12/2025,1\n31/01/2026,2\n", datasets.Choices{})
	if c := column(t, first, "d"); c.Type != "date" {
		t.Fatalf("got %s", c.Type)
	}
	// Nothing in this file says which is the day.
	r.load(t, "s", datasets.Append, "d,n\n01/02/2026,3\n", datasets.Choices{})
	result, err := r.Query(t.Context(), r.actor, datasets.QueryRequest{Spec: warehouse.Spec{
		Dataset: "s", Measures: []warehouse.Measure{{Fn: "max", Column: "d", As: "last"}}}})
	if err != nil || result.Columns[0].Ints[0] != 20485 { // 2026-02-01
		t.Errorf("got %+v, %v", result, err)
	}
	// Nor in one that replaces all: the dataset settles it.
	again := r.load(t, "s", datasets.Replace, "d,n\n03/02/2026,3\n04/02/2026,4\n", datasets.Choices{})
	if c := column(t, again, "d"); c.Type != "date" || c.ID != column(t, first, "d").ID || !again.Schema.IsZero() {
		t.Errorf("replaced: %+v, %+v", c, again.Schema)
	}
}

func TestFailedLoadLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.load(t, "s", datasets.Replace, sales, datasets.Choices{}).Dataset
	before := r.files(t)
	for name, request := range map[string]datasets.ImportRequest{
		"no such file":   {Path: "/no/such/file.csv", Dataset: "s"},
		"empty file":     {Path: write(t, "e.csv", ""), Dataset: "s"},
		"unknown type":   {Path: write(t, "f.csv", sales), Dataset: "s", Choices: datasets.Choices{Columns: []datasets.ColumnChoice{{Column: "order", Type: "number"}}}},
		"unknown key":    {Path: write(t, "f.csv", sales), Dataset: "s", Mode: datasets.Upsert, Choices: datasets.Choices{Key: []string{"nope"}}},
		"no key":         {Path: write(t, "f.csv", sales), Dataset: "s", Mode: datasets.Upsert},
		"bad name":       {Path: write(t, "f.csv", sales), Dataset: "a\x01b"},
		"unknown mode":   {Path: write(t, "f.csv", sales), Dataset: "s", Mode: "merge"},
		"unknown id":     {Path: write(t, "f.csv", sales), Dataset: ids.New[ids.Dataset]().String()},
		"nothing chosen": {Path: write(t, "f.csv", "a\n1\n"), Dataset: "s", Choices: datasets.Choices{Columns: []datasets.ColumnChoice{{Column: "a", Skip: true}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := r.ImportFile(t.Context(), r.actor, request); err == nil {
				t.Fatal("loaded")
			}
			if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 || sum != 35.75 {
				t.Errorf("%d rows and %v", n, sum)
			}
			if after := r.files(t); len(after) != len(before) {
				t.Errorf("files before %v, after %v", before, after)
			}
		})
	}
}

// work carries out the newest job of a kind as a worker would.
func work[A jobs.Args](t *testing.T, r *rig, run func(context.Context, jobs.Job[A]) error, failed func(context.Context, jobs.Job[A], error) error) {
	t.Helper()
	runner := jobs.NewRunner(jobs.Config{Store: r.db})
	jobs.Bind(runner, jobs.Options{MaxAttempts: 3}, run)
	if failed != nil {
		jobs.OnFailed(runner, failed)
	}
	due, err := r.db.DispatchJobs(t.Context(), jobs.Dispatch{Queue: jobs.Bulk, Kinds: runner.Kinds(), Waiting: 100, PerTenant: 100, Hold: 0})
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range due {
		runner.Do(t.Context(), job.ID, job.Kind, job.Attempt)
	}
}

func (r *rig) inspect(t *testing.T) {
	t.Helper()
	work(t, r, r.RunInspect, r.InspectFailed)
}

func (r *rig) runLoads(t *testing.T) {
	t.Helper()
	work(t, r, r.RunLoad, r.LoadFailed)
}

func TestUploadIsInspectedPlannedAndLoadedByJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	u, err := r.StartUpload(ctx, r.actor, `C:\files\sales.csv`, strings.NewReader(sales+"x,North,2026-01-08,1.00\n"))
	if err != nil || u.Filename != "sales.csv" {
		t.Fatalf("%+v, %v", u, err)
	}
	r.inspect(t)
	if u, err = r.GetUpload(ctx, r.actor, u.ID); err != nil || u.State != datasets.UploadInspected || u.Inspection.Records != 4 || u.Job.State != jobs.Done {
		t.Fatalf("%+v, %v", u, err)
	}
	// Somebody corrects a type and looks again.
	choices := u.Choices.WithType("order", "integer")
	if err := r.InspectUpload(ctx, r.actor, u.ID, choices); err != nil {
		t.Fatal(err)
	}
	r.inspect(t)
	if u, err = r.GetUpload(ctx, r.actor, u.ID); err != nil || u.Inspection == nil || u.Inspection.WillReject != 1 || len(u.Inspection.Preview) != 4 {
		t.Fatalf("%+v, %v", u, err)
	}
	// A form sends every column back, also those about which nothing was decided.
	same := u.Choices.WithColumn("region", false, "", "")
	started, err := r.StartLoad(ctx, r.actor, datasets.LoadRequest{Upload: u.ID, Dataset: "Sales", Choices: &same, Seen: new(string)})
	if err != nil {
		t.Fatal(err)
	}
	load := started.Load
	looked := r.sandbox.inspections.Load()
	r.runLoads(t)
	if again := r.sandbox.inspections.Load() - looked; again != 0 {
		t.Errorf("the file was looked through %d times more", again)
	}
	l, err := r.GetLoad(ctx, r.actor, load)
	if err != nil || l.State != datasets.LoadDone || l.Loaded != 3 || l.Rejected != 1 || l.Version != 1 || l.Job.State != jobs.Done || !l.HasRejects {
		t.Fatalf("%+v, %v", l, err)
	}
	if n, sum := r.totals(t, l.Dataset, "amount", datasets.Snapshot{}); n != 3 || sum != 35.75 {
		t.Errorf("%d rows and %v", n, sum)
	}
	if list, err := r.ListLoads(ctx, r.actor, l.Dataset, 10); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	r.runLoads(t) // a second delivery does nothing
	if n, _ := r.totals(t, l.Dataset, "amount", datasets.Snapshot{}); n != 3 {
		t.Errorf("%d rows after a second delivery", n)
	}
}

func TestALoadChangesColumnsOnlyAsWasShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.load(t, "letters", datasets.Replace, "a,b\n1,2\n", datasets.Choices{}).Dataset
	upload := func(content string) datasets.LoadRequest {
		t.Helper()
		u, err := r.StartUpload(ctx, r.actor, "letters.csv", strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		r.inspect(t)
		return datasets.LoadRequest{Upload: u.ID, Dataset: "letters", Seen: new(string)}
	}
	ask := func(request datasets.LoadRequest) datasets.Started {
		t.Helper()
		started, err := r.StartLoad(ctx, r.actor, request)
		if err != nil {
			t.Fatal(err)
		}
		return started
	}
	ended := func(load ids.Load) datasets.Load {
		t.Helper()
		r.runLoads(t)
		l, err := r.GetLoad(ctx, r.actor, load)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	request := upload("a,b,c\n1,2,3\n")
	shown := ask(request)
	if shown.Change == nil || len(shown.Change.Added) != 1 || !shown.Load.IsZero() {
		t.Fatalf("got %+v", shown)
	}
	*request.Seen = shown.Change.Digest()
	first, second := ask(request), ask(request)
	if l := ended(first.Load); l.State != datasets.LoadDone {
		t.Fatalf("%s: %s", l.State, l.ErrorText)
	}
	// The dataset has the column now: this is another change than was shown.
	if l := ended(second.Load); l.State != datasets.LoadFailed || l.ErrorCode != "datasets.change_unseen" {
		t.Errorf("%s: %s", l.State, l.ErrorCode)
	}
	plain := ask(upload("a,b,c\n4,5,6\n")) // nothing to see
	if plain.Load.IsZero() {
		t.Fatalf("got %+v", plain)
	}
	r.load(t, "letters", datasets.Replace, "a,b,c,d\n1,2,3,4\n", datasets.Choices{})
	if l := ended(plain.Load); l.State != datasets.LoadFailed || l.ErrorCode != "datasets.change_unseen" {
		t.Errorf("%s: %s", l.State, l.ErrorCode)
	}
	if d, err := r.Get(ctx, r.actor, id); err != nil || len(d.Columns) != 4 || d.Version != 3 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestNameOfFile(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/in/flights-3m.csv.gz": "flights-3m", "Sales 2026 .CSV": "Sales 2026", "a.b.parquet": "a.b", ".csv": "",
		"up\tdown.csv": "up down", strings.Repeat("é", 130) + ".csv": strings.Repeat("é", 120), strings.Repeat("x", 119) + " y.csv": strings.Repeat("x", 119),
		"0198f0c2-0000-7000-8000-000000000000.csv": "", // would be taken for an id
	} {
		if got := datasets.NameOfFile(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

func TestUploadThatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u, err := r.StartUpload(t.Context(), r.actor, "empty.csv", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	r.inspect(t)
	u, err = r.GetUpload(t.Context(), r.actor, u.ID)
	if err != nil || u.State != datasets.UploadFailed || u.ErrorCode != "files.empty" || u.ErrorText == "" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestCancelledLoadLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.load(t, "s", datasets.Replace, sales, datasets.Choices{}).Dataset
	start := func() ids.Load {
		t.Helper()
		u, err := r.StartUpload(ctx, r.actor, "more.csv", strings.NewReader(sales))
		if err != nil {
			t.Fatal(err)
		}
		started, err := r.StartLoad(ctx, r.actor, datasets.LoadRequest{Upload: u.ID, Dataset: "s", Mode: datasets.Append})
		if err != nil {
			t.Fatal(err)
		}
		load := started.Load
		return load
	}
	// One that waits is closed at once.
	waiting := start()
	if err := r.CancelLoad(ctx, r.actor, waiting); err != nil {
		t.Fatal(err)
	}
	// One that runs is stopped, here between publishing and committing.
	running := start()
	r.OnPublished(func() {
		if err := r.CancelLoad(ctx, r.actor, running); err != nil {
			t.Error(err)
		}
	})
	stop := make(chan error, 1)
	work(t, r, func(ctx context.Context, job jobs.Job[datasets.LoadArgs]) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		r.OnPublished(func() {
			stop <- r.CancelLoad(t.Context(), r.actor, running)
			cancel(jobs.ErrCancelled)
		})
		return r.RunLoad(ctx, job)
	}, r.LoadFailed)
	if err := <-stop; err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]ids.Load{"waiting": waiting, "running": running} {
		l, err := r.GetLoad(ctx, r.actor, load)
		if err != nil || l.State != datasets.LoadCancelled || l.ErrorCode != "datasets.load_cancelled" {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
	if n, _ := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 {
		t.Errorf("%d rows", n)
	}
}

func TestLookupsJoinAndKeepTheirKeysUnique(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	flights := r.load(t, "flights", datasets.Replace, "origin,delay\nORD,5\nMDW,7\nSFO,1\nXXX,2\n", datasets.Choices{}).Dataset
	airports := r.load(t, "airports", datasets.Replace, "iata,state\nORD,IL\nMDW,IL\nSFO,CA\n", datasets.Choices{}).Dataset
	lookup := datasets.NewLookup{Name: "origin_airport", Column: "origin", Target: "airports", Key: "iata"}
	wrong := lookup
	wrong.Key = "state"
	wantError(t, r.AddLookup(ctx, r.actor, flights, wrong), datasets.ErrLookupNotUnique)
	wrong.Key, wrong.Column = "iata", "delay"
	wantError(t, r.AddLookup(ctx, r.actor, flights, wrong), datasets.ErrLookupInvalid)
	if err := r.AddLookup(ctx, r.actor, flights, lookup); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.AddLookup(ctx, r.actor, flights, lookup), datasets.ErrLookupInvalid)
	byState := func() string {
		t.Helper()
		result, err := r.Query(ctx, r.actor, datasets.QueryRequest{Spec: warehouse.Spec{
			Dataset: "flights", Measures: []warehouse.Measure{{Fn: "count", As: "n"}},
			Dimensions: []warehouse.Dimension{{Column: "origin_airport.state", As: "state"}}, Order: []warehouse.Order{{By: "n", Desc: true}, {By: "state"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for i := range result.Rows {
			state := "none"
			if !result.Columns[0].IsNull(i) {
				state = result.Columns[0].Texts[i]
			}
			lines = append(lines, fmt.Sprint(state, " ", result.Columns[1].Ints[i]))
		}
		return strings.Join(lines, ", ")
	}
	if got := byState(); !strings.HasPrefix(got, "IL 2") || !strings.Contains(got, "CA 1") || !strings.Contains(got, "none 1") {
		t.Errorf("got %s", got)
	}
	_, err := r.ImportFile(ctx, r.actor, datasets.ImportRequest{Path: write(t, "a.csv", "iata,state\nORD,XX\n"), Dataset: "airports", Mode: datasets.Append})
	wantError(t, err, datasets.ErrLookupNotUnique)
	_, err = r.AppendRows(ctx, r.actor, airports, datasets.AppendRequest{Columns: []string{"iata"}, Rows: [][]any{{"SFO"}}})
	wantError(t, err, datasets.ErrLookupNotUnique)
	_, err = r.ImportFile(ctx, r.actor, datasets.ImportRequest{Path: write(t, "a.csv", "iata,state\nORD,XX\nORD,YY\n"), Dataset: "airports"})
	wantError(t, err, datasets.ErrLookupNotUnique)
	r.load(t, "airports", datasets.Append, "iata,state\nXXX,NY\n", datasets.Choices{})
	if got := byState(); !strings.Contains(got, "NY 1") {
		t.Errorf("after the append: %s", got)
	}
	found, err := r.ListDependents(ctx, r.actor, airports)
	if err != nil || len(found.Lookups) != 1 || found.Lookups[0].Lookup != "origin_airport" {
		t.Errorf("dependents %+v, %v", found, err)
	}
	d, _ := r.Get(ctx, r.actor, airports)
	key, _ := d.ColumnByName("iata")
	wantError(t, r.DropColumn(ctx, r.actor, airports, key.ID), datasets.ErrInUse)
	if err := r.RemoveLookup(ctx, r.actor, flights, "origin_airport"); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.RemoveLookup(ctx, r.actor, flights, "origin_airport"), datasets.ErrLookupNotFound)
}

func TestSavedMeasures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	id := r.load(t, "s", datasets.Replace, sales, datasets.Choices{}).Dataset
	perOrder := datasets.Measure{Name: "Per order", Measure: warehouse.Measure{Fn: "ratio",
		Numerator: &warehouse.Measure{Fn: "sum", Column: "amount"}, Denominator: &warehouse.Measure{Fn: "count"}}}
	if err := r.SaveMeasure(ctx, r.actor, id, perOrder); err != nil {
		t.Fatal(err)
	}
	if err := r.SaveMeasure(ctx, r.actor, id, datasets.Measure{Name: "bad", Measure: warehouse.Measure{Fn: "sum", Column: "region"}}); err == nil {
		t.Error("a sum of text was saved")
	}
	d, err := r.Get(ctx, r.actor, id)
	if err != nil || len(d.Measures) != 1 {
		t.Fatalf("%+v, %v", d.Measures, err)
	}
	amount, _ := d.ColumnByName("amount")
	name := "value"
	if err := r.EditColumn(ctx, r.actor, id, amount.ID, datasets.ColumnEdit{Name: &name}); err != nil {
		t.Fatal(err)
	}
	result, err := r.Query(ctx, r.actor, datasets.QueryRequest{Spec: warehouse.Spec{Dataset: "s", Measures: []warehouse.Measure{{Measure: "Per order"}}}})
	if err != nil || result.Rows != 1 || result.Columns[0].Floats[0] < 11.9 || result.Columns[0].Floats[0] > 11.92 {
		t.Errorf("%+v, %v", result, err)
	}
	if err := r.RemoveMeasure(ctx, r.actor, id, "Per order"); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.RemoveMeasure(ctx, r.actor, id, "Per order"), datasets.ErrMeasureNotFound)
}

func TestProfileSaysWhatIsInTheColumns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var b strings.Builder
	b.WriteString("id,Region,sold_at,Revenue,quantity,store_lat,store_lon,note\n")
	for i := range 300 {
		fmt.Fprintf(&b, "%d,%s,2026-%02d-%02d 10:00:00,£%d.50,%d,%.4f,%.4f,\n", i+1000, []string{"North", "South", "East"}[i%3], i%12+1, i%28+1, 100+i%50, i%7+1, 51+float64(i)/1000, -0.5+float64(i)/2000)
	}
	id := r.load(t, "shop", datasets.Replace, b.String(), datasets.Choices{}).Dataset
	p, err := r.Profile(t.Context(), r.actor, id)
	if err != nil {
		t.Fatal(err)
	}
	region := p.Columns[1]
	if region.Distinct != 3 || region.Nulls != 0 || len(region.Top) != 3 || region.Top[0].Count != 100 {
		t.Errorf("region: %+v", region.Profile)
	}
	if again, err := r.Profile(t.Context(), r.actor, id); err != nil || !again.At.Equal(p.At) {
		t.Errorf("the profile was computed again: %v, %v", again.At, err)
	}
}
