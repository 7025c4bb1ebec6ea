package dashboards_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Somebody of another workspace gets not-found from every method that takes a
// dashboard, and sees nothing in every list.
func TestOtherWorkspaceFindsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	folder, err := r.CreateFolder(t.Context(), r.actor, ids.Folder{}, "Trading")
	must(t, err)
	stranger := r.person(t, "Other", access.Owner)
	op := dashboards.Operation{ID: uuid.New(), Path: "/name", Before: raw("Trading"), After: raw("Mine")}
	for name, call := range map[string]func(ctx context.Context) error{
		"Get":       func(ctx context.Context) error { _, err := r.Get(ctx, stranger, d.ID); return err },
		"GetWhole":  func(ctx context.Context) error { _, err := r.GetWhole(ctx, stranger, d.ID); return err },
		"Open":      func(ctx context.Context) error { _, err := r.Open(ctx, stranger, request(t, d.ID, "", "")); return err },
		"Current":   func(ctx context.Context) error { _, err := r.Current(ctx, stranger, d.ID); return err },
		"Rename":    func(ctx context.Context) error { _, err := r.Rename(ctx, stranger, d.ID, "Mine"); return err },
		"Duplicate": func(ctx context.Context) error { _, err := r.Duplicate(ctx, stranger, d.ID, "Mine"); return err },
		"Move":      func(ctx context.Context) error { return r.Move(ctx, stranger, d.ID, ids.Folder{}) },
		"SetTags":   func(ctx context.Context) error { return r.SetTags(ctx, stranger, d.ID, []string{"x"}) },
		"Star":      func(ctx context.Context) error { return r.Star(ctx, stranger, d.ID, true) },
		"Delete":    func(ctx context.Context) error { return r.Delete(ctx, stranger, d.ID) },
		"Undelete":  func(ctx context.Context) error { return r.Undelete(ctx, stranger, d.ID) },
		"Edit": func(ctx context.Context) error {
			_, err := r.apply(ctx, stranger, d.ID, d.Rev, []dashboards.Operation{op})
			return err
		},
		"ListOperations": func(ctx context.Context) error { _, err := r.ListOperations(ctx, stranger, d.ID, 0); return err },
		"Deeds":          func(ctx context.Context) error { _, _, err := r.Deeds(ctx, stranger, d.ID); return err },
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(t.Context()), dashboards.ErrNotFound) })
	}
	wantError(t, r.RenameFolder(t.Context(), stranger, folder.ID, "Mine"), dashboards.ErrFolderNotFound)
	wantError(t, r.DeleteFolder(t.Context(), stranger, folder.ID), dashboards.ErrFolderNotFound)
	_, err = r.CreateSuggested(t.Context(), stranger, dataset)
	wantError(t, err, datasets.ErrNotFound)
	_, err = r.Create(t.Context(), stranger, dashboards.NewDashboard{Name: "Spy", Config: config(dataset)})
	wantError(t, err, dashboards.ErrConfig)
	own, err := r.Create(t.Context(), stranger, dashboards.NewDashboard{Name: "Own", Config: config(r.sales(t, stranger))})
	must(t, err)
	wantError(t, r.Move(t.Context(), stranger, own.ID, folder.ID), dashboards.ErrFolderNotFound)
	// Asking for a foreign dataset by an operation is refused as well.
	_, err = r.apply(t.Context(), stranger, own.ID, own.Rev, []dashboards.Operation{{ID: uuid.New(), Path: "/dataset",
		Before: raw(own.Config.Dataset), After: raw(dataset)}})
	wantError(t, err, dashboards.ErrConfig)
	list, err := r.List(t.Context(), stranger, dashboards.ListQuery{})
	must(t, err)
	if list.Total != 1 || list.Entries[0].ID != own.ID {
		t.Errorf("the stranger lists %+v", list)
	}
	names, err := r.ListNames(t.Context(), stranger, 10)
	must(t, err)
	if len(names) != 1 || names[0].ID != own.ID || names[0].Name != own.Name {
		t.Errorf("the stranger reads the names %+v", names)
	}
	facets, err := r.ListFacets(t.Context(), stranger)
	must(t, err)
	if len(facets.Folders) != 0 || len(facets.Owners) != 1 {
		t.Errorf("the stranger sees %+v", facets)
	}
	used, err := r.UsedBy(t.Context(), stranger, dataset, "")
	must(t, err)
	if len(used) != 0 {
		t.Errorf("the stranger sees who uses the dataset: %+v", used)
	}
	if again, err := r.Get(t.Context(), r.actor, d.ID); err != nil || again.Name != "Trading" || again.Rev != d.Rev {
		t.Errorf("the dashboard is %+v, %v", again, err)
	}
}

func TestViewersChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	viewer := r.colleague(t, r.actor.TenantID, access.Viewer)
	for name, err := range map[string]error{
		"Rename":          second(r.Rename(t.Context(), viewer, d.ID, "Mine")),
		"Duplicate":       second(r.Duplicate(t.Context(), viewer, d.ID, "Mine")),
		"Move":            r.Move(t.Context(), viewer, d.ID, ids.Folder{}),
		"SetTags":         r.SetTags(t.Context(), viewer, d.ID, nil),
		"Delete":          r.Delete(t.Context(), viewer, d.ID),
		"Undelete":        r.Undelete(t.Context(), viewer, d.ID),
		"Create":          second(r.Create(t.Context(), viewer, dashboards.NewDashboard{Name: "x", Config: config(dataset)})),
		"CreateSuggested": second(r.CreateSuggested(t.Context(), viewer, dataset)),
		"CreateFolder":    second(r.CreateFolder(t.Context(), viewer, ids.Folder{}, "x")),
		"Edit":            second(r.apply(t.Context(), viewer, d.ID, 1, []dashboards.Operation{{ID: uuid.New(), Path: "/name", After: raw("x")}})),
	} {
		t.Run(name, func(t *testing.T) { wantError(t, err, access.ErrForbidden) })
	}
	must(t, r.Star(t.Context(), viewer, d.ID, true))
	v, err := r.Open(t.Context(), viewer, request(t, d.ID, "", ""))
	must(t, err)
	if !v.Dashboard.Starred {
		t.Error("the viewer's star is gone")
	}
	if own := r.open(t, d.ID, "", ""); own.Dashboard.Starred {
		t.Error("a star is everybody's")
	}
}

func second[T any](_ T, err error) error { return err }

func TestStaleChangeIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	title := func(before, after string) dashboards.Operation {
		return dashboards.Operation{ID: uuid.New(), Path: "/widgets/sum/title", Before: raw(before), After: raw(after)}
	}
	first := title("Net sales", "Sales")
	changed, err := r.apply(t.Context(), r.actor, d.ID, d.Rev, []dashboards.Operation{first})
	must(t, err)
	if changed.Rev != d.Rev+1 || changed.Config.Widgets["sum"].Title != "Sales" {
		t.Fatalf("rev %d, title %q", changed.Rev, changed.Config.Widgets["sum"].Title)
	}
	// The same request again, as after a lost answer: nothing happens twice.
	again, err := r.apply(t.Context(), r.actor, d.ID, d.Rev, []dashboards.Operation{first})
	must(t, err)
	if again.Rev != changed.Rev {
		t.Errorf("repeated: rev %d, want %d", again.Rev, changed.Rev)
	}
	// Somebody else saw the older revision.
	_, err = r.apply(t.Context(), r.actor, d.ID, d.Rev, []dashboards.Operation{title("Net sales", "Turnover")})
	wantError(t, err, dashboards.ErrStale)
	// The right revision with a wrong idea of what is there.
	_, err = r.apply(t.Context(), r.actor, d.ID, changed.Rev, []dashboards.Operation{title("Net sales", "Turnover")})
	wantError(t, err, dashboards.ErrStale)
	// One bad operation undoes the good one before it.
	_, err = r.apply(t.Context(), r.actor, d.ID, changed.Rev, []dashboards.Operation{title("Sales", "Turnover"),
		{ID: uuid.New(), Path: "/widgets/sum/layout/w", Before: raw(3), After: raw(99)}})
	wantError(t, err, dashboards.ErrConfig)
	if now, err := r.GetDraft(t.Context(), r.actor, d.ID); err != nil || now.Rev != changed.Rev || now.Config.Widgets["sum"].Title != "Sales" {
		t.Errorf("after a refused change: %d, %q, %v", now.Rev, now.Config.Widgets["sum"].Title, err)
	}
}

// The log alone gives the config: the first operation is the whole, every
// other one a change of it; and undoing all of them gives the first again.
func TestConfigIsTheSnapshotOfItsLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	_, err := r.Rename(t.Context(), r.actor, d.ID, "  Trading   & delivery ")
	must(t, err)
	widget := d.Config.Widgets["mix"]
	d2, err := r.apply(t.Context(), r.actor, d.ID, 2, []dashboards.Operation{
		{ID: uuid.New(), Path: "/widgets/mix", Before: raw(widget)},
		{ID: uuid.New(), Path: "/widgets/sum/layout", Before: raw(dashboards.Layout{W: 3, H: 3}), After: raw(dashboards.Layout{X: 1, W: 4, H: 4})},
		{ID: uuid.New(), Path: "/widgets/copy", After: raw(widget)},
	})
	must(t, err)
	if d2.Name != "Trading & delivery" || d2.Rev != 5 || len(d2.Config.Widgets) != len(d.Config.Widgets) {
		t.Fatalf("%q, rev %d, %d widgets", d2.Name, d2.Rev, len(d2.Config.Widgets))
	}
	ops, err := r.ListOperations(t.Context(), r.actor, d.ID, 0)
	must(t, err)
	if len(ops) != 5 || ops[0].Path != "" || ops[1].Path != "/name" || ops[4].Rev != 5 || ops[4].UserID != r.actor.UserID {
		t.Fatalf("log: %+v", ops)
	}
	first, err := dashboards.ParseConfig(ops[0].After)
	must(t, err)
	if !reflect.DeepEqual(first, d.Config) {
		t.Error("the first operation is not the config as it was made")
	}
	var undo []dashboards.Operation
	for i := len(ops) - 1; i > 1; i-- {
		undo = append(undo, ops[i].Inverse())
	}
	back, err := r.apply(t.Context(), r.actor, d.ID, 5, undo)
	must(t, err)
	if !reflect.DeepEqual(back.Config, d.Config) {
		t.Error("undoing everything does not give the first config again")
	}
}

func TestOperationsAreChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	for name, tc := range map[string]struct {
		op   dashboards.Operation
		want error
	}{
		"no id":             {dashboards.Operation{Path: "/name", Before: raw("Trading"), After: raw("x")}, dashboards.ErrOperation},
		"no path":           {dashboards.Operation{ID: uuid.New(), After: raw("x")}, dashboards.ErrOperation},
		"whole":             {dashboards.Operation{ID: uuid.New(), Path: "/", After: raw("x")}, dashboards.ErrOperation},
		"no values":         {dashboards.Operation{ID: uuid.New(), Path: "/name"}, dashboards.ErrOperation},
		"not JSON":          {dashboards.Operation{ID: uuid.New(), Path: "/name", After: []byte("{")}, dashboards.ErrOperation},
		"nothing there":     {dashboards.Operation{ID: uuid.New(), Path: "/widgets/gone/title", After: raw("x")}, dashboards.ErrOperation},
		"into a text":       {dashboards.Operation{ID: uuid.New(), Path: "/name/x", After: raw("x")}, dashboards.ErrOperation},
		"schema":            {dashboards.Operation{ID: uuid.New(), Path: "/schema", Before: raw(1), After: raw(2)}, dashboards.ErrOperation},
		"element of a list": {dashboards.Operation{ID: uuid.New(), Path: "/widgets/rows/query/columns/0", Before: raw("at")}, dashboards.ErrOperation},
		"index too large":   {dashboards.Operation{ID: uuid.New(), Path: "/widgets/rows/query/columns/9", Before: raw("at"), After: raw("x")}, dashboards.ErrOperation},
		"unknown key":       {dashboards.Operation{ID: uuid.New(), Path: "/widgets/sum/colour", After: raw("red")}, dashboards.ErrConfig},
		"unknown type":      {dashboards.Operation{ID: uuid.New(), Path: "/widgets/sum/type", Before: raw("kpi"), After: raw("pie")}, dashboards.ErrConfig},
		"name of nothing":   {dashboards.Operation{ID: uuid.New(), Path: "/name", Before: raw("Trading"), After: raw("  ")}, dashboards.ErrName},
		"name of a number":  {dashboards.Operation{ID: uuid.New(), Path: "/name", Before: raw("Trading"), After: raw(7)}, dashboards.ErrOperation},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.apply(t.Context(), r.actor, d.ID, d.Rev, []dashboards.Operation{tc.op})
			wantError(t, err, tc.want)
		})
	}
	if now, err := r.Get(t.Context(), r.actor, d.ID); err != nil || now.Rev != d.Rev {
		t.Errorf("rev %d, %v", now.Rev, err)
	}
}

func TestDataSourcesAreDerived(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	other, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Other", Columns: []datasets.NewColumn{{Name: "n", Type: warehouse.Integer}}})
	must(t, err)
	sources := func() map[ids.Dataset]bool {
		found := map[ids.Dataset]bool{}
		inTx(t, r, r.actor.TenantID, func(ctx context.Context, tx *db.Tx) error {
			rows, err := tx.DashboardSourcesList(ctx, tx.TenantID, d.ID.UUID())
			for _, row := range rows {
				found[ids.Dataset(row.DatasetID)] = true
			}
			return err
		})
		return found
	}
	if got := sources(); !reflect.DeepEqual(got, map[ids.Dataset]bool{dataset: true}) {
		t.Fatalf("sources %v", got)
	}
	op := dashboards.Operation{ID: uuid.New(), Path: "/widgets/sum/query/dataset", After: raw(other)}
	changed, err := r.apply(t.Context(), r.actor, d.ID, d.Rev, []dashboards.Operation{op})
	must(t, err)
	if got := sources(); !reflect.DeepEqual(got, map[ids.Dataset]bool{dataset: true, other: true}) {
		t.Fatalf("sources %v", got)
	}
	used, err := r.UsedBy(t.Context(), r.actor, other, "")
	must(t, err)
	if len(used) != 1 || used[0].ID != d.ID {
		t.Errorf("used by %+v", used)
	}
	// By a column that only the draft asks it for, and by one that nothing does.
	for field, want := range map[string]int{"amount": 1, "shop.city": 0, "nothing": 0} {
		if used, err := r.UsedBy(t.Context(), r.actor, other, field); err != nil || len(used) != want {
			t.Errorf("%s is used by %+v, %v", field, used, err)
		}
	}
	// A draft that was never published uses it, too.
	_, err = r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Draft", Draft: true, Config: d.Config})
	must(t, err)
	if used, err := r.UsedBy(t.Context(), r.actor, dataset, "amount"); err != nil || len(used) != 2 {
		t.Errorf("with a draft: %+v, %v", used, err)
	}
	// A refused change leaves them as they were.
	_, err = r.apply(t.Context(), r.actor, d.ID, changed.Rev, []dashboards.Operation{{ID: uuid.New(), Path: "/widgets/mix/query/dataset", After: raw(ids.New[ids.Dataset]())}})
	wantError(t, err, dashboards.ErrConfig)
	if got := sources(); len(got) != 2 {
		t.Errorf("sources %v", got)
	}
	_, err = r.apply(t.Context(), r.actor, d.ID, changed.Rev, []dashboards.Operation{op.Inverse()})
	must(t, err)
	if got := sources(); !reflect.DeepEqual(got, map[ids.Dataset]bool{dataset: true}) {
		t.Errorf("sources %v", got)
	}
}

func TestDeleteAndUndo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	must(t, r.Delete(t.Context(), r.actor, d.ID))
	wantError(t, second(r.Get(t.Context(), r.actor, d.ID)), dashboards.ErrNotFound)
	wantError(t, r.Delete(t.Context(), r.actor, d.ID), dashboards.ErrNotFound)
	if list, err := r.List(t.Context(), r.actor, dashboards.ListQuery{}); err != nil || list.Total != 0 || len(list.Entries) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if used, err := r.UsedBy(t.Context(), r.actor, dataset, ""); err != nil || len(used) != 0 {
		t.Errorf("a deleted dashboard uses %+v, %v", used, err)
	}
	must(t, r.Undelete(t.Context(), r.actor, d.ID))
	back, err := r.Get(t.Context(), r.actor, d.ID)
	must(t, err)
	if !reflect.DeepEqual(back.Config, d.Config) {
		t.Error("another config came back")
	}
	wantError(t, r.Undelete(t.Context(), r.actor, d.ID), dashboards.ErrNotFound)
	// What was deleted long ago goes for good, with its log.
	must(t, r.Delete(t.Context(), r.actor, d.ID))
	admin := r.colleague(t, r.actor.TenantID, access.Admin)
	if n, err := r.Purge(t.Context(), admin, 24*time.Hour); err != nil || n != 0 {
		t.Errorf("purged %d, %v", n, err)
	}
	r.clock.Store(int64(25 * time.Hour))
	if n, err := r.Purge(t.Context(), admin, 24*time.Hour); err != nil || n != 1 {
		t.Errorf("purged %d, %v", n, err)
	}
	wantError(t, r.Undelete(t.Context(), r.actor, d.ID), dashboards.ErrNotFound)
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, dataset := r.board(t)
	folder, err := r.CreateFolder(t.Context(), r.actor, ids.Folder{}, "Supply  chain")
	must(t, err)
	if folder.Name != "Supply chain" {
		t.Errorf("folder %q", folder.Name)
	}
	wantError(t, second(r.CreateFolder(t.Context(), r.actor, ids.Folder{}, "supply CHAIN")), dashboards.ErrFolderTaken)
	wantError(t, second(r.CreateFolder(t.Context(), r.actor, ids.Folder{}, " ")), dashboards.ErrFolderName)
	colleague := r.colleague(t, r.actor.TenantID, access.Editor)
	other, err := r.Create(t.Context(), colleague, dashboards.NewDashboard{Name: "Stock 100%_cover", Folder: folder.ID, Tags: []string{" weekly ", "Weekly", "board pack"},
		Config: dashboards.Config{Dataset: dataset, Widgets: map[string]dashboards.Widget{}}})
	must(t, err)
	if !reflect.DeepEqual(other.Tags, []string{"weekly", "board pack"}) || other.FolderName != "Supply chain" {
		t.Errorf("tags %q, folder %q", other.Tags, other.FolderName)
	}
	must(t, r.Star(t.Context(), r.actor, other.ID, true))
	r.Visit(t.Context(), r.actor, d.ID)
	names := func(q dashboards.ListQuery) string {
		t.Helper()
		list, err := r.List(t.Context(), r.actor, q)
		must(t, err)
		if list.Total != 2 {
			t.Errorf("total %d", list.Total)
		}
		var names []string
		for _, e := range list.Entries {
			names = append(names, e.Name)
		}
		return strings.Join(names, "|")
	}
	for name, tc := range map[string]struct {
		q    dashboards.ListQuery
		want string
	}{
		"newest change first": {dashboards.ListQuery{}, "Stock 100%_cover|Trading"},
		"by name":             {dashboards.ListQuery{Sort: dashboards.ByName}, "Stock 100%_cover|Trading"},
		"last opened first":   {dashboards.ListQuery{Sort: dashboards.ByOpened}, "Trading|Stock 100%_cover"},
		"opened":              {dashboards.ListQuery{Opened: true}, "Trading"},
		"starred":             {dashboards.ListQuery{Starred: true}, "Stock 100%_cover"},
		"folder":              {dashboards.ListQuery{Folder: folder.ID}, "Stock 100%_cover"},
		"another folder":      {dashboards.ListQuery{Folder: ids.New[ids.Folder]()}, ""},
		"tag":                 {dashboards.ListQuery{Tag: "weekly"}, "Stock 100%_cover"},
		"owner":               {dashboards.ListQuery{Owner: r.actor.UserID}, "Trading"},
		"name":                {dashboards.ListQuery{Search: "TRAD"}, "Trading"},
		"widget":              {dashboards.ListQuery{Search: "net sales"}, "Trading"},
		"field":               {dashboards.ListQuery{Search: "shop.city"}, "Trading"},
		"several words":       {dashboards.ListQuery{Search: "channel trading"}, "Trading"},
		"no wildcard":         {dashboards.ListQuery{Search: "100%_c"}, "Stock 100%_cover"},
		"no wildcard either":  {dashboards.ListQuery{Search: "100_"}, ""},
		"second page":         {dashboards.ListQuery{Limit: 1, Offset: 1}, "Trading"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := names(tc.q); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	facets, err := r.ListFacets(t.Context(), r.actor)
	must(t, err)
	if len(facets.Folders) != 1 || facets.Folders[0].Dashboards != 1 || len(facets.Tags) != 2 || len(facets.Owners) != 2 {
		t.Errorf("%+v", facets)
	}
	// Deleting a folder keeps what was in it.
	must(t, r.DeleteFolder(t.Context(), r.actor, folder.ID))
	if left, err := r.Get(t.Context(), r.actor, other.ID); err != nil || !left.Folder.IsZero() {
		t.Errorf("folder %v, %v", left.Folder, err)
	}
	copied, err := r.Duplicate(t.Context(), colleague, d.ID, "Trading (copy)")
	must(t, err)
	if copied.ID == d.ID || copied.Rev != 1 || copied.Owner != colleague.UserID || !reflect.DeepEqual(copied.Config, d.Config) {
		t.Errorf("%+v", copied)
	}
}
