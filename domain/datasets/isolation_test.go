package datasets_test

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Everything that a stranger asks of another workspace answers that it does
// not exist. A method that is new must be added here.
func TestOtherWorkspacesFindNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	report := r.load(t, "sales", datasets.Replace, sales+"x,y,z,w\n", datasets.Choices{Columns: []datasets.ColumnChoice{
		{Column: "order", Type: "integer"}, {Column: "amount", Type: "decimal"}, {Column: "sold", Type: "date"}}})
	id := report.Dataset
	u, err := r.StartUpload(ctx, r.actor, "sales.csv", strings.NewReader(sales))
	if err != nil {
		t.Fatal(err)
	}
	started, err := r.StartLoad(ctx, r.actor, datasets.LoadRequest{Upload: u.ID, Dataset: "sales"})
	if err != nil {
		t.Fatal(err)
	}
	load := started.Load
	snapshot := r.snapshot(t, id)
	lease, err := r.AcquireLease(ctx, r.actor, snapshot, "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	travelled, err := datasets.ParseSnapshot(snapshot.String())
	if err != nil {
		t.Fatal(err)
	}
	profiled, err := r.Get(ctx, r.actor, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Profile(ctx, r.actor, id); err != nil {
		t.Fatal(err)
	}
	name := "mine"
	spec := warehouse.Spec{Dataset: id.String(), Measures: []warehouse.Measure{{Fn: "count"}}}

	cases := map[string]struct {
		call func(ctx context.Context, a access.Actor) error
		want error
	}{
		"Resolve": {func(ctx context.Context, a access.Actor) error { _, err := r.Resolve(ctx, a, "sales"); return err }, datasets.ErrNotFound},
		"Get":     {func(ctx context.Context, a access.Actor) error { _, err := r.Get(ctx, a, id); return err }, datasets.ErrNotFound},
		"Query": {func(ctx context.Context, a access.Actor) error {
			_, err := r.Query(ctx, a, datasets.QueryRequest{Spec: spec, Snapshot: snapshot})
			return err
		}, datasets.ErrNotFound},
		"SearchValues": {func(ctx context.Context, a access.Actor) error {
			_, err := r.SearchValues(ctx, a, datasets.ValuesRequest{QueryRequest: datasets.QueryRequest{Spec: spec, Snapshot: travelled}, Column: "order", Limit: 5})
			return err
		}, datasets.ErrNotFound},
		"PrepareValues": {func(ctx context.Context, a access.Actor) error {
			return r.PrepareValues(ctx, a, datasets.ValuesRequest{QueryRequest: datasets.QueryRequest{Spec: spec, Snapshot: travelled}, Column: "order"})
		}, datasets.ErrNotFound},
		"Whole": {func(ctx context.Context, a access.Actor) error { _, err := r.Whole(ctx, a, id); return err }, datasets.ErrNotFound},
		"Export": {func(ctx context.Context, a access.Actor) error {
			_, err := r.Export(ctx, a, datasets.QueryRequest{Spec: spec, Snapshot: travelled}, warehouse.Export{Format: warehouse.ExportCSV}, io.Discard)
			return err
		}, datasets.ErrNotFound},
		"Stream": {func(ctx context.Context, a access.Actor) error {
			return r.Stream(ctx, a, datasets.QueryRequest{Spec: spec, Snapshot: travelled}, func(*warehouse.Result) error {
				t.Error("a stranger reads rows")
				return nil
			})
		}, datasets.ErrNotFound},
		"Explain": {func(ctx context.Context, a access.Actor) error {
			_, err := r.Explain(ctx, a, datasets.QueryRequest{Spec: spec, Snapshot: travelled})
			return err
		}, datasets.ErrNotFound},
		"SnapshotAt": {func(ctx context.Context, a access.Actor) error {
			_, err := r.SnapshotAt(ctx, a, id.String(), 1)
			return err
		}, datasets.ErrNotFound},
		"Preview": {func(ctx context.Context, a access.Actor) error { _, err := r.Preview(ctx, a, id, 5); return err }, datasets.ErrNotFound},
		"Answer": {func(ctx context.Context, a access.Actor) error {
			_, _, err := r.Answer(ctx, a, fmt.Appendf(nil, `{"dataset":%q,"measures":[{"fn":"count","as":"n"}]}`, id))
			return err
		}, datasets.ErrNotFound},
		"HiddenColumns": {func(ctx context.Context, a access.Actor) error {
			list, err := r.HiddenColumns(ctx, a, []ids.Dataset{id})
			return empty(t, len(list), err)
		}, nil},
		"ListSights": {func(ctx context.Context, a access.Actor) error {
			list, err := r.ListSights(ctx, a, []access.Actor{r.actor})
			return empty(t, len(slices.Concat(list...)), err)
		}, nil},
		"Profile":      {func(ctx context.Context, a access.Actor) error { _, err := r.Profile(ctx, a, id); return err }, datasets.ErrNotFound},
		"ListVersions": {func(ctx context.Context, a access.Actor) error { _, err := r.ListVersions(ctx, a, id, 5); return err }, datasets.ErrNotFound},
		"OnlyGrew":     {func(ctx context.Context, a access.Actor) error { _, err := r.OnlyGrew(ctx, a, id, 1); return err }, datasets.ErrNotFound},
		"Restore":      {func(ctx context.Context, a access.Actor) error { _, err := r.Restore(ctx, a, id, 1); return err }, datasets.ErrNotFound},
		"AcquireLease": {func(ctx context.Context, a access.Actor) error {
			_, err := r.AcquireLease(ctx, a, snapshot, "theft", time.Hour)
			return err
		}, datasets.ErrSnapshotExpired},
		"ExtendLease": {func(ctx context.Context, a access.Actor) error { return r.ExtendLease(ctx, a, lease.ID, time.Hour) }, datasets.ErrSnapshotExpired},
		"EditDataset": {func(ctx context.Context, a access.Actor) error {
			return r.EditDataset(ctx, a, id, datasets.Edit{Name: &name})
		}, datasets.ErrNotFound},
		"EditColumn": {func(ctx context.Context, a access.Actor) error {
			return r.EditColumn(ctx, a, id, 1, datasets.ColumnEdit{Name: &name})
		}, datasets.ErrNotFound},
		"DropColumn": {func(ctx context.Context, a access.Actor) error { return r.DropColumn(ctx, a, id, 1) }, datasets.ErrNotFound},
		"AddLookup": {func(ctx context.Context, a access.Actor) error {
			return r.AddLookup(ctx, a, id, datasets.NewLookup{Name: "l", Column: "order", Target: id.String(), Key: "order"})
		}, datasets.ErrNotFound},
		"RemoveLookup": {func(ctx context.Context, a access.Actor) error { return r.RemoveLookup(ctx, a, id, "l") }, datasets.ErrNotFound},
		"SaveMeasure": {func(ctx context.Context, a access.Actor) error {
			return r.SaveMeasure(ctx, a, id, datasets.Measure{Name: "m", Measure: warehouse.Measure{Fn: "count"}})
		}, datasets.ErrNotFound},
		"SaveField": {func(ctx context.Context, a access.Actor) error {
			return r.SaveField(ctx, a, id, datasets.Field{Name: "f", Expression: "1"})
		}, datasets.ErrNotFound},
		"RemoveField": {func(ctx context.Context, a access.Actor) error { return r.RemoveField(ctx, a, id, "f") }, datasets.ErrNotFound},
		"CheckField": {func(ctx context.Context, a access.Actor) error {
			_, err := r.CheckField(ctx, a, id, "f", "1")
			return err
		}, datasets.ErrNotFound},
		"ListFields":     {func(ctx context.Context, a access.Actor) error { _, err := r.ListFields(ctx, a, id, nil); return err }, datasets.ErrNotFound},
		"RemoveMeasure":  {func(ctx context.Context, a access.Actor) error { return r.RemoveMeasure(ctx, a, id, "m") }, datasets.ErrNotFound},
		"ListDependents": {func(ctx context.Context, a access.Actor) error { _, err := r.ListDependents(ctx, a, id); return err }, datasets.ErrNotFound},
		"Delete":         {func(ctx context.Context, a access.Actor) error { return r.Delete(ctx, a, id) }, datasets.ErrNotFound},
		"Undelete":       {func(ctx context.Context, a access.Actor) error { return r.Undelete(ctx, a, id) }, datasets.ErrNotFound},
		"AppendRows": {func(ctx context.Context, a access.Actor) error {
			_, err := r.AppendRows(ctx, a, id, datasets.AppendRequest{Columns: []string{"order"}, Rows: [][]any{{1}}})
			return err
		}, datasets.ErrNotFound},
		"DeleteByKey": {func(ctx context.Context, a access.Actor) error {
			_, err := r.DeleteByKey(ctx, a, id, []string{"order"}, [][]any{{1}})
			return err
		}, datasets.ErrNotFound},
		"CountByKey": {func(ctx context.Context, a access.Actor) error {
			_, err := r.CountByKey(ctx, a, id, []string{"order"}, [][]any{{1}})
			return err
		}, datasets.ErrNotFound},
		"ListRules":   {func(ctx context.Context, a access.Actor) error { _, err := r.ListRules(ctx, a, id); return err }, datasets.ErrNotFound},
		"RuleColumns": {func(ctx context.Context, a access.Actor) error { _, err := r.RuleColumns(ctx, a, id); return err }, datasets.ErrNotFound},
		"HeldRules":   {func(ctx context.Context, a access.Actor) error { _, err := r.HeldRules(ctx, a, id); return err }, datasets.ErrNotFound},
		"SaveRule": {func(ctx context.Context, a access.Actor) error {
			_, err := r.SaveRule(ctx, a, id, datasets.Rule{Kind: datasets.RuleGroups, Name: "r", Everybody: true, RuleBody: datasets.RuleBody{MinRows: 5}})
			return err
		}, datasets.ErrNotFound},
		"RemoveRule": {func(ctx context.Context, a access.Actor) error {
			return r.RemoveRule(ctx, a, id, ids.New[ids.Rule]())
		}, datasets.ErrNotFound},
		"TryRule": {func(ctx context.Context, a access.Actor) error {
			_, err := r.TryRule(ctx, a, id, datasets.Rule{}, a)
			return err
		}, datasets.ErrNotFound},
		"Merge": {func(ctx context.Context, a access.Actor) error { _, err := r.Merge(ctx, a, id); return err }, datasets.ErrNotFound},
		"ImportFile": {func(ctx context.Context, a access.Actor) error {
			_, err := r.ImportFile(ctx, a, datasets.ImportRequest{Path: write(t, "f.csv", sales), Dataset: id.String()})
			return err
		}, datasets.ErrNotFound},
		"InspectUpload": {func(ctx context.Context, a access.Actor) error {
			return r.InspectUpload(ctx, a, u.ID, datasets.Choices{})
		}, datasets.ErrUploadNotFound},
		"GetUpload": {func(ctx context.Context, a access.Actor) error { _, err := r.GetUpload(ctx, a, u.ID); return err }, datasets.ErrUploadNotFound},
		"OpenUploadRejects": {func(ctx context.Context, a access.Actor) error {
			_, err := r.OpenUploadRejects(ctx, a, u.ID)
			return err
		}, datasets.ErrUploadNotFound},
		"RemoveUpload": {func(ctx context.Context, a access.Actor) error { return r.RemoveUpload(ctx, a, u.ID) }, datasets.ErrUploadNotFound},
		"StartLoad": {func(ctx context.Context, a access.Actor) error {
			_, err := r.StartLoad(ctx, a, datasets.LoadRequest{Upload: u.ID, Dataset: "sales"})
			return err
		}, datasets.ErrUploadNotFound},
		"GetLoad":    {func(ctx context.Context, a access.Actor) error { _, err := r.GetLoad(ctx, a, load); return err }, datasets.ErrLoadNotFound},
		"CancelLoad": {func(ctx context.Context, a access.Actor) error { return r.CancelLoad(ctx, a, load) }, datasets.ErrLoadNotFound},
		"OpenRejects": {func(ctx context.Context, a access.Actor) error {
			_, err := r.OpenRejects(ctx, a, report.Load)
			return err
		}, datasets.ErrLoadNotFound},
		"ListLoads": {func(ctx context.Context, a access.Actor) error { _, err := r.ListLoads(ctx, a, id, 5); return err }, datasets.ErrNotFound},

		// These answer with what the stranger has: nothing.
		"List": {func(ctx context.Context, a access.Actor) error {
			list, err := r.List(ctx, a)
			return empty(t, len(list), err)
		}, nil},
		"ListOpenUploads": {func(ctx context.Context, a access.Actor) error {
			list, err := r.ListOpenUploads(ctx, a, 5)
			return empty(t, len(list), err)
		}, nil},
		"KnownProfile": {func(ctx context.Context, a access.Actor) error {
			_, known, err := r.KnownProfile(ctx, a, profiled)
			if known {
				t.Error("a stranger sees a profile")
			}
			return err
		}, nil},
		"ListDeleted": {func(ctx context.Context, a access.Actor) error {
			list, err := r.ListDeleted(ctx, a)
			return empty(t, len(list), err)
		}, nil},
		"Snapshot": {func(ctx context.Context, a access.Actor) error {
			s, err := r.Snapshot(ctx, a, []ids.Dataset{id})
			return empty(t, len(s.Versions()), err)
		}, nil},
		"Sees": {func(ctx context.Context, a access.Actor) error {
			seen, err := r.Sees(ctx, a, []ids.Dataset{id})
			return empty(t, len(seen), err)
		}, nil},
		"Bind": {func(ctx context.Context, a access.Actor) error {
			s, err := r.Bind(ctx, a, travelled)
			return empty(t, len(s.Versions()), err)
		}, nil},
		"Search": {func(ctx context.Context, a access.Actor) error {
			own, err := r.Search(ctx, r.actor, "order", 10)
			if err != nil || len(own.Columns) == 0 {
				t.Errorf("the owner finds %+v, %v", own, err)
			}
			found, err := r.Search(ctx, a, "order", 10)
			return empty(t, len(found.Datasets)+len(found.Columns), err)
		}, nil},
		"Hold": {func(ctx context.Context, a access.Actor) error {
			return r.Hold(ctx, a, snapshot, "theft", func(ctx context.Context) error {
				return empty(t, r.leases(t, a.TenantID), nil)
			})
		}, nil},
		"ReleaseLease": {func(ctx context.Context, a access.Actor) error { return r.ReleaseLease(ctx, a, lease.ID) }, nil},
		"Sweep": {func(ctx context.Context, a access.Actor) error {
			swept, err := r.Sweep(ctx, a)
			return empty(t, int(swept.Versions)+swept.Segments+swept.Files, err)
		}, nil},
		"SweepOrphans": {func(ctx context.Context, a access.Actor) error {
			n, err := r.SweepOrphans(ctx, a)
			return empty(t, n, err)
		}, nil},
	}
	// Without an actor from outside: jobs take theirs from their row, and these
	// two make things of one's own.
	inside := map[string]bool{"RunMerge": true, "RunSweep": true, "RunSweepOrphans": true, "RunInspect": true, "RunLoad": true, "InspectFailed": true, "LoadFailed": true,
		"OnPublished": true, "TickBy": true, "OnChecked": true, "Create": true, "StartUpload": true, "KeepsDeleted": true}
	methods := reflect.TypeFor[*datasets.Service]()
	for i := range methods.NumMethod() {
		method := methods.Method(i).Name
		if _, tried := cases[method]; !tried && !inside[method] {
			t.Errorf("%s is not tried by a stranger", method)
		}
	}
	stranger := r.stranger(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := tc.call(t.Context(), stranger)
			if tc.want == nil && err != nil {
				t.Fatal(err)
			}
			if tc.want != nil {
				wantError(t, err, tc.want)
			}
		})
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 || sum != 35.75 {
		t.Errorf("after the stranger: %d rows and %v", n, sum)
	}
	if err := r.ExtendLease(ctx, r.actor, lease.ID, time.Hour); err != nil {
		t.Errorf("the stranger ended a lease: %v", err)
	}
}

func empty(t *testing.T, n int, err error) error {
	t.Helper()
	if n != 0 {
		t.Errorf("a stranger sees %d", n)
	}
	return err
}
