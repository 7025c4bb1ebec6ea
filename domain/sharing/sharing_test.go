package sharing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// rig is a workspace with an admin, two editors and a viewer.
type rig struct {
	*sharing.Service
	db         *db.DB
	dashboards *dashboards.Service
	datasets   *datasets.Service
	tenants    *tenants.Service
	auth       *auth.Service

	admin, ann, bob, vic access.Actor // bob and vic are in the group
	group                ids.Group
	dataset              ids.Dataset
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{db: dbtest.New(t)}
	r.Service = sharing.New(r.db, notify.New(notify.Deps{DB: r.db}))
	storage := t.TempDir()
	blobs, err := blob.Open(t.Context(), blob.Options{URL: "file://" + storage})
	must(t, err)
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	r.tenants = tenants.NewService(tenants.Deps{DB: r.db, Master: master})
	r.auth = auth.NewService(auth.Deps{DB: r.db, Tenants: r.tenants})
	writer, err := segments.Open(segments.Config{})
	must(t, err)
	engine := warehouse.New(warehouse.Config{Dir: filepath.Join(t.TempDir(), "engine"), DataDirs: []string{storage}, MemoryBytes: 256 << 20})
	t.Cleanup(func() {
		_ = engine.Close()
		_ = writer.Close()
		_ = blobs.Close()
	})
	r.datasets = datasets.New(datasets.Deps{DB: r.db, Blobs: blobs, Engine: engine, Writer: writer,
		Sources: sources.New(sources.Deps{DB: r.db, Boxes: r.tenants}), Log: slog.New(slog.DiscardHandler)})
	r.dashboards = dashboards.New(dashboards.Deps{DB: r.db, Datasets: r.datasets, Sharing: r.Service})
	r.admin = r.workspace(t, "Test")
	r.ann, r.bob, r.vic = r.colleague(t, access.Editor), r.colleague(t, access.Editor), r.colleague(t, access.Viewer)
	group, err := r.CreateGroup(t.Context(), r.admin, "Trading")
	must(t, err)
	r.group = group.ID
	must(t, r.SaveGroup(t.Context(), r.admin, r.group, "Trading", []ids.User{r.bob.UserID, r.vic.UserID}))
	if group, _, err = r.GetGroup(t.Context(), r.admin, r.group); err != nil || group.Members != 2 {
		t.Fatalf("the group has %d members (%v), want 2", group.Members, err)
	}
	r.bob.Groups, r.vic.Groups = []ids.Group{r.group}, []ids.Group{r.group}
	r.dataset, err = r.datasets.Create(t.Context(), r.ann, datasets.NewDataset{Name: "Sales", Columns: []datasets.NewColumn{{Name: "channel", Type: warehouse.Text}}})
	must(t, err)
	_, err = r.datasets.AppendRows(t.Context(), r.ann, r.dataset, datasets.AppendRequest{Columns: []string{"channel"}, Rows: [][]any{{"web"}, {"shop"}}})
	must(t, err)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

var people atomic.Int64

func (r *rig) workspace(t testing.TB, name string) access.Actor {
	t.Helper()
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: name})
	must(t, err)
	r.admin = access.Actor{TenantID: tenant.ID}
	return r.colleague(t, access.Admin)
}

func (r *rig) colleague(t testing.TB, role access.Role) access.Actor {
	t.Helper()
	n := people.Add(1)
	id, err := r.auth.CreateUser(t.Context(), auth.NewUser{TenantID: r.admin.TenantID, Email: fmt.Sprintf("person%d@example.com", n),
		Name: fmt.Sprintf("Person %d", n), Role: role})
	must(t, err)
	return access.Actor{Kind: access.Person, TenantID: r.admin.TenantID, UserID: id, Role: role, Locale: "en-GB"}
}

func (r *rig) board(t testing.TB, owner access.Actor, folder ids.Folder) dashboards.Dashboard {
	t.Helper()
	config := dashboards.Blank(r.dataset)
	w := dashboards.Widget{Title: "Rows", Layout: dashboards.Layout{W: 3, H: 3}, Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "count"}}}}
	w.Type = "kpi"
	config.Widgets = map[string]dashboards.Widget{"rows": w}
	d, err := r.dashboards.Create(t.Context(), owner, dashboards.NewDashboard{Name: "Board", Folder: folder, Config: config})
	must(t, err)
	return d
}

func board(id ids.Dashboard) sharing.Object {
	return sharing.Object{Kind: sharing.Dashboard, ID: id.UUID()}
}
func folder(id ids.Folder) sharing.Object { return sharing.Object{Kind: sharing.Folder, ID: id.UUID()} }
func person(a access.Actor) sharing.Subject {
	return sharing.Subject{User: a.UserID}
}

// TestWhoMaySeeAndChange goes through roles, ways to be granted something, what
// is granted, where, and where inheritance ends. What access.Can says, what the
// database lets through, and what services answer have to be the same.
func TestWhoMaySeeAndChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	loner := r.colleague(t, access.Viewer)
	actors := map[string]access.Actor{"admin": r.admin, "owner": r.ann, "editor in the group": r.bob, "viewer in the group": r.vic, "viewer": loner,
		"editor": r.colleague(t, access.Editor)}
	subjects := map[string]sharing.Subject{"nobody": {}, "the group": {Group: r.group}, "everybody": {Role: access.Viewer}, "editors": {Role: access.Editor},
		"the viewer": person(loner)}
	covers := func(subject, actor string) bool {
		switch subject {
		case "the group":
			return actor == "editor in the group" || actor == "viewer in the group"
		case "everybody":
			return true
		case "editors":
			return actor == "editor" || actor == "editor in the group"
		case "the viewer":
			return actor == "viewer"
		}
		return false
	}
	// Places from the dashboard upwards.
	places := []string{"own", "folder", "top folder"}
	cases := 0
	for _, restricted := range []int{-1, 0, 1, 2} { // where; nowhere
		for granted := range places {
			for subject, to := range subjects {
				for _, edit := range []bool{false, true} {
					if subject == "nobody" && (edit || granted > 0) {
						continue
					}
					top, err := r.dashboards.CreateFolder(ctx, r.ann, ids.Folder{}, uuid.NewString())
					must(t, err)
					inner, err := r.dashboards.CreateFolder(ctx, r.ann, top.ID, "Inner")
					must(t, err)
					d := r.board(t, r.ann, inner.ID)
					objects := []sharing.Object{board(d.ID), folder(inner.ID), folder(top.ID)}
					if restricted >= 0 {
						must(t, r.Restrict(ctx, r.ann, objects[restricted], true))
					}
					if subject != "nobody" {
						must(t, r.Share(ctx, r.ann, objects[granted], to, edit))
					}
					for name, actor := range actors {
						cases++
						open := restricted < 0
						reached := covers(subject, name) && granted <= restricted
						all := name == "admin" || name == "owner"
						wantView := open || all || reached
						wantEdit := actor.Role != access.Viewer && (open || all || reached && edit)
						what := fmt.Sprintf("%s, granted to %s (edit %t) at %s, restricted at %d", name, subject, edit, places[granted], restricted)

						system, err := r.dashboards.Get(ctx, access.Actor{Kind: access.System, TenantID: actor.TenantID}, d.ID)
						must(t, err)
						if got := access.Can(actor, access.ViewContent, system.Access) == nil; got != wantView {
							t.Errorf("%s: Can view %t, want %t", what, got, wantView)
						}
						if got := access.Can(actor, access.EditContent, system.Access) == nil; got != wantEdit {
							t.Errorf("%s: Can edit %t, want %t", what, got, wantEdit)
						}
						_, err = r.dashboards.Get(ctx, actor, d.ID)
						if got := err == nil; got != wantView || err != nil && !errors.Is(err, dashboards.ErrNotFound) {
							t.Errorf("%s: Get answers %v", what, err)
						}
						_, err = r.dashboards.Rename(ctx, actor, d.ID, uuid.NewString())
						var want error
						switch {
						case actor.Role == access.Viewer:
							want = access.ErrForbidden
						case !wantView:
							want = dashboards.ErrNotFound
						case !wantEdit:
							want = access.ErrViewOnly
						}
						if !errors.Is(err, want) || want == nil && err != nil {
							t.Errorf("%s: Rename answers %v, want %v", what, err, want)
						}
					}
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// TestHiddenIsNowhere asks every way to a dashboard, its folder and its dataset
// as somebody of the same workspace with whom they are not shared.
func TestHiddenIsNowhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	f, err := r.dashboards.CreateFolder(ctx, r.ann, ids.Folder{}, "Board papers")
	must(t, err)
	d := r.board(t, r.ann, f.ID)
	must(t, r.dashboards.SetTags(ctx, r.ann, d.ID, []string{"secret"}))
	must(t, r.dashboards.Star(ctx, r.bob, d.ID, true))
	r.dashboards.Visit(ctx, r.bob, d.ID)
	must(t, r.Restrict(ctx, r.ann, folder(f.ID), true))
	snapshot, err := r.datasets.Snapshot(ctx, r.ann, []ids.Dataset{r.dataset})
	must(t, err)
	data := sharing.Object{Kind: sharing.Dataset, ID: r.dataset.UUID()}
	must(t, r.Restrict(ctx, r.ann, data, true))

	spec := warehouse.Spec{Dataset: r.dataset.String(), Measures: []warehouse.Measure{{Fn: "count"}}}
	name := "mine"
	for what, tc := range map[string]struct {
		err  error
		want error
	}{
		"get":         {second(r.dashboards.Get(ctx, r.bob, d.ID)), dashboards.ErrNotFound},
		"draft":       {second(r.dashboards.GetDraft(ctx, r.bob, d.ID)), dashboards.ErrNotFound},
		"whole":       {second(r.dashboards.GetWhole(ctx, r.bob, d.ID)), dashboards.ErrNotFound},
		"open":        {second(r.dashboards.Open(ctx, r.bob, dashboards.OpenRequest{ID: d.ID})), dashboards.ErrNotFound},
		"current":     {second(r.dashboards.Current(ctx, r.bob, d.ID)), dashboards.ErrNotFound},
		"desk":        {second(r.dashboards.OpenDesk(ctx, r.bob, d.ID)), dashboards.ErrNotFound},
		"rename":      {second(r.dashboards.Rename(ctx, r.bob, d.ID, "Mine")), dashboards.ErrNotFound},
		"duplicate":   {second(r.dashboards.Duplicate(ctx, r.bob, d.ID, "Mine")), dashboards.ErrNotFound},
		"move":        {r.dashboards.Move(ctx, r.bob, d.ID, ids.Folder{}), dashboards.ErrNotFound},
		"tag":         {r.dashboards.SetTags(ctx, r.bob, d.ID, nil), dashboards.ErrNotFound},
		"star":        {r.dashboards.Star(ctx, r.bob, d.ID, true), dashboards.ErrNotFound},
		"delete":      {r.dashboards.Delete(ctx, r.bob, d.ID), dashboards.ErrNotFound},
		"operations":  {second(r.dashboards.ListOperations(ctx, r.bob, d.ID, 0)), dashboards.ErrNotFound},
		"publish":     {second(r.dashboards.Publish(ctx, r.bob, d.ID, 0, "")), dashboards.ErrNotFound},
		"version":     {second(r.dashboards.NameVersion(ctx, r.bob, d.ID, "v")), dashboards.ErrNotFound},
		"compare":     {second(r.dashboards.CompareVersions(ctx, r.bob, d.ID, 0, 0)), dashboards.ErrNotFound},
		"into":        {second(r.dashboards.Create(ctx, r.bob, dashboards.NewDashboard{Name: "x", Folder: f.ID, Config: dashboards.Blank(ids.Dataset{})})), dashboards.ErrFolderNotFound},
		"below":       {second(r.dashboards.CreateFolder(ctx, r.bob, f.ID, "x")), dashboards.ErrFolderNotFound},
		"folder name": {r.dashboards.RenameFolder(ctx, r.bob, f.ID, "x"), dashboards.ErrFolderNotFound},
		"folder move": {r.dashboards.MoveFolder(ctx, r.bob, f.ID, ids.Folder{}), dashboards.ErrFolderNotFound},
		"folder gone": {r.dashboards.DeleteFolder(ctx, r.bob, f.ID), dashboards.ErrFolderNotFound},

		"dataset":       {second(r.datasets.Get(ctx, r.bob, r.dataset)), datasets.ErrNotFound},
		"by name":       {second(r.datasets.Resolve(ctx, r.bob, "Sales")), datasets.ErrNotFound},
		"query":         {second(r.datasets.Query(ctx, r.bob, datasets.QueryRequest{Spec: spec, Snapshot: snapshot})), datasets.ErrNotFound},
		"preview":       {second(r.datasets.Preview(ctx, r.bob, r.dataset, 5)), datasets.ErrNotFound},
		"profile":       {second(r.datasets.Profile(ctx, r.bob, r.dataset)), datasets.ErrNotFound},
		"fields":        {second(r.datasets.ListFields(ctx, r.bob, r.dataset, nil)), datasets.ErrNotFound},
		"history":       {second(r.datasets.ListVersions(ctx, r.bob, r.dataset, 5)), datasets.ErrNotFound},
		"loads":         {second(r.datasets.ListLoads(ctx, r.bob, r.dataset, 5)), datasets.ErrNotFound},
		"lease":         {second(r.datasets.AcquireLease(ctx, r.bob, snapshot, "theft", 1)), datasets.ErrSnapshotExpired},
		"edit dataset":  {r.datasets.EditDataset(ctx, r.bob, r.dataset, datasets.Edit{Name: &name}), datasets.ErrNotFound},
		"drop column":   {r.datasets.DropColumn(ctx, r.bob, r.dataset, 1), datasets.ErrNotFound},
		"append":        {second(r.datasets.AppendRows(ctx, r.bob, r.dataset, datasets.AppendRequest{Columns: []string{"channel"}, Rows: [][]any{{"x"}}})), datasets.ErrNotFound},
		"delete data":   {r.datasets.Delete(ctx, r.bob, r.dataset), datasets.ErrNotFound},
		"build on data": {second(r.dashboards.CreateSuggested(ctx, r.bob, r.dataset)), datasets.ErrNotFound},
	} {
		if !errors.Is(tc.err, tc.want) {
			t.Errorf("%s: got %v, want %v", what, tc.err, tc.want)
		}
	}

	for _, q := range []dashboards.ListQuery{{}, {Search: "board"}, {Starred: true}, {Opened: true}, {Folder: f.ID}, {Tag: "secret"}, {Owner: r.ann.UserID}} {
		list, err := r.dashboards.List(ctx, r.bob, q)
		must(t, err)
		if len(list.Entries) != 0 || list.Matches != 0 || list.Total != 0 {
			t.Errorf("a list with %+v shows %+v", q, list)
		}
	}
	facets, err := r.dashboards.ListFacets(ctx, r.bob)
	must(t, err)
	if len(facets.Folders)+len(facets.Tags)+len(facets.Owners) != 0 {
		t.Errorf("the filters of the list say %+v", facets)
	}
	sets, err := r.datasets.List(ctx, r.bob)
	must(t, err)
	found, err := r.datasets.Search(ctx, r.bob, "channel", 10)
	must(t, err)
	bound, err := r.datasets.Bind(ctx, r.bob, snapshot)
	must(t, err)
	if len(sets)+len(found.Datasets)+len(found.Columns)+len(bound.Versions()) != 0 {
		t.Errorf("datasets listed %v, found %+v, bound %v", sets, found, bound.Versions())
	}

	// The owner, and who it is shared with, go on as before.
	must(t, r.Share(ctx, r.ann, board(d.ID), person(r.bob), false))
	if _, err := r.dashboards.Get(ctx, r.bob, d.ID); err != nil {
		t.Errorf("shared, it still is hidden: %v", err)
	}
	list, err := r.dashboards.List(ctx, r.bob, dashboards.ListQuery{Starred: true})
	must(t, err)
	if len(list.Entries) != 1 || list.Entries[0].FolderName != "" || !list.Entries[0].Folder.IsZero() || list.Entries[0].CanEdit {
		t.Errorf("the shared dashboard is listed as %+v; its folder is still hidden", list.Entries)
	}
	// Its widget asks a dataset that stays hidden.
	v, err := r.dashboards.Open(ctx, r.bob, dashboards.OpenRequest{ID: d.ID})
	must(t, err)
	plan, _ := v.Plan("rows")
	tile, err := r.dashboards.Draw(ctx, v, plan)
	must(t, err)
	wantError(t, tile.Err, dashboards.ErrDataHidden)
	_, err = r.dashboards.Explain(ctx, v, "rows", "")
	wantError(t, err, dashboards.ErrDataHidden)
	// Editing around it keeps what others see.
	must(t, r.Share(ctx, r.ann, board(d.ID), person(r.bob), true))
	_, err = r.dashboards.Rename(ctx, r.bob, d.ID, "Renamed")
	must(t, err)
	used, err := r.dashboards.UsedBy(ctx, r.ann, r.dataset, "")
	must(t, err)
	if len(used) != 1 {
		t.Errorf("after an edit by somebody who does not see its dataset, %d dashboards ask it", len(used))
	}
}

// Sharing stands in the workspace's log and is taken back by who did it.
func TestSharingIsTakenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	d, err := r.dashboards.Create(ctx, r.ann, dashboards.NewDashboard{Name: "Secret", Config: dashboards.Config{Dataset: r.dataset, Widgets: map[string]dashboards.Widget{}}})
	must(t, err)
	bob := person(r.bob)
	must(t, r.Restrict(ctx, r.ann, board(d.ID), true))
	must(t, r.Share(ctx, r.ann, board(d.ID), bob, false))
	must(t, r.Share(ctx, r.ann, board(d.ID), bob, true))
	level := func() string {
		t.Helper()
		sheet, err := r.Get(ctx, r.ann, board(d.ID))
		must(t, err)
		for _, g := range sheet.Grants {
			if g.Subject == bob {
				return map[bool]string{true: "edit", false: "view"}[g.Edit]
			}
		}
		return map[bool]string{true: "none", false: "open"}[sheet.Restricted]
	}
	step := func(how func(context.Context, access.Actor) (dashboards.Done, error), want string) {
		t.Helper()
		done, err := how(ctx, r.ann)
		must(t, err)
		if got := level(); got != want || done.Kind != dashboards.DeedShare || done.Name != "Secret" {
			t.Errorf("then it is %s, want %s; %+v", got, want, done)
		}
	}
	step(r.dashboards.UndoDeed, "view")
	step(r.dashboards.UndoDeed, "none")
	step(r.dashboards.UndoDeed, "open")
	step(r.dashboards.RedoDeed, "none")
	step(r.dashboards.RedoDeed, "view")
	// What somebody else changed since is theirs.
	must(t, r.Unshare(ctx, r.admin, board(d.ID), bob))
	_, err = r.dashboards.UndoDeed(ctx, r.ann)
	wantError(t, err, dashboards.ErrDeedOver)
	// A group that is gone is shared with no more.
	team := sharing.Subject{Group: r.group}
	must(t, r.Share(ctx, r.ann, board(d.ID), team, false))
	must(t, r.Unshare(ctx, r.ann, board(d.ID), team))
	must(t, r.DeleteGroup(ctx, r.admin, r.group))
	_, err = r.dashboards.UndoDeed(ctx, r.ann)
	wantError(t, err, dashboards.ErrDeedOver)
	_, err = r.dashboards.UndoDeed(ctx, r.bob)
	wantError(t, err, dashboards.ErrNothingToUndo)
}

// TestFilesOfHiddenDatasets: the file that a dataset was loaded from holds all
// that the dataset does, so whoever may not see the one may not use the other.
func TestFilesOfHiddenDatasets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	u, err := r.datasets.StartUpload(ctx, r.ann, "sales.csv", strings.NewReader("channel\nweb\n"))
	must(t, err)
	uses := map[string]func(access.Actor) error{
		"get":     func(a access.Actor) error { return second(r.datasets.GetUpload(ctx, a, u.ID)) },
		"rejects": func(a access.Actor) error { return second(r.datasets.OpenUploadRejects(ctx, a, u.ID)) },
		"look": func(a access.Actor) error {
			return second(r.datasets.StartLoad(ctx, a, datasets.LoadRequest{Upload: u.ID, Dataset: "Copy", Seen: new(string)}))
		},
		"inspect": func(a access.Actor) error { return r.datasets.InspectUpload(ctx, a, u.ID, datasets.Choices{}) },
		"load": func(a access.Actor) error {
			return second(r.datasets.StartLoad(ctx, a, datasets.LoadRequest{Upload: u.ID, Dataset: "Copy"}))
		},
		"remove": func(a access.Actor) error { return r.datasets.RemoveUpload(ctx, a, u.ID) },
	}
	closed := func(when string, a access.Actor) {
		t.Helper()
		for name, use := range uses {
			if err := use(a); !errors.Is(err, datasets.ErrUploadNotFound) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	closed("before it is loaded", r.bob)
	must(t, second(r.datasets.GetUpload(ctx, r.ann, u.ID)))
	must(t, second(r.datasets.StartLoad(ctx, r.ann, datasets.LoadRequest{Upload: u.ID, Dataset: r.dataset.String()})))
	must(t, second(r.datasets.GetUpload(ctx, r.bob, u.ID)))
	o := sharing.Object{Kind: sharing.Dataset, ID: r.dataset.UUID()}
	must(t, r.Restrict(ctx, r.ann, o, true))
	closed("once the dataset is hidden", r.bob)
	must(t, second(r.datasets.GetUpload(ctx, r.ann, u.ID)))
	must(t, second(r.datasets.GetUpload(ctx, r.admin, u.ID)))
}

func second[T any](_ T, err error) error { return err }

func TestWhatIsSharedFollowsItsFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	secret, err := r.dashboards.CreateFolder(ctx, r.ann, ids.Folder{}, "Secret")
	must(t, err)
	must(t, r.Restrict(ctx, r.ann, folder(secret.ID), true))
	open, err := r.dashboards.CreateFolder(ctx, r.ann, ids.Folder{}, "Open")
	must(t, err)
	d := r.board(t, r.ann, open.ID)
	sees := func(want bool, when string) {
		t.Helper()
		if _, err := r.dashboards.Get(ctx, r.bob, d.ID); (err == nil) != want {
			t.Errorf("%s, bob gets %v", when, err)
		}
	}
	sees(true, "in an open folder")
	must(t, r.dashboards.MoveFolder(ctx, r.ann, open.ID, secret.ID))
	sees(false, "its folder in a restricted one")
	_, err = r.dashboards.UndoDeed(ctx, r.ann)
	must(t, err)
	sees(true, "after undoing the move")
	_, err = r.dashboards.RedoDeed(ctx, r.ann)
	must(t, err)
	must(t, r.Share(ctx, r.ann, folder(secret.ID), sharing.Subject{Group: r.group}, false))
	sees(true, "the restricted folder shared with bob's group")
	must(t, r.SaveGroup(ctx, r.admin, r.group, "Trading", nil))
	r.bob.Groups = nil // as the next request reads it
	sees(false, "out of the group")

	sheet, err := r.Get(ctx, r.ann, board(d.ID))
	must(t, err)
	if sheet.Restricted || sheet.Everybody || len(sheet.Inherited) != 2 || sheet.Inherited[1].Name != "Secret" || len(sheet.Inherited[1].Grants) != 1 {
		t.Errorf("the sheet says %+v", sheet)
	}

	// Circles, depth, and folders that keep something hidden.
	wantError(t, r.dashboards.MoveFolder(ctx, r.ann, secret.ID, open.ID), dashboards.ErrFolderInside)
	wantError(t, r.dashboards.MoveFolder(ctx, r.ann, secret.ID, secret.ID), dashboards.ErrFolderInside)
	wantError(t, r.dashboards.DeleteFolder(ctx, r.ann, secret.ID), dashboards.ErrFolderRestricted)
	must(t, r.dashboards.DeleteFolder(ctx, r.ann, open.ID))
	sees(false, "after its folder went")
	where, err := r.dashboards.Get(ctx, r.ann, d.ID)
	must(t, err)
	if where.Folder != secret.ID {
		t.Errorf("the dashboard lies in %v, want the folder above", where.FolderName)
	}
	_, err = r.dashboards.UndoDeed(ctx, r.ann)
	must(t, err)
	if where, err = r.dashboards.Get(ctx, r.ann, d.ID); err != nil || where.Folder != open.ID {
		t.Errorf("undone, it lies in %q (%v)", where.FolderName, err)
	}
	parent := secret.ID
	for depth := 2; depth <= 8; depth++ {
		next, err := r.dashboards.CreateFolder(ctx, r.ann, parent, "Deeper")
		must(t, err)
		parent = next.ID
	}
	wantError(t, second(r.dashboards.CreateFolder(ctx, r.ann, parent, "Too deep")), dashboards.ErrFolderDeep)
	wantError(t, r.dashboards.MoveFolder(ctx, r.ann, open.ID, parent), dashboards.ErrFolderDeep)

	// Who may only view a folder puts nothing into it, by undo neither.
	must(t, r.Share(ctx, r.ann, folder(secret.ID), person(r.bob), false))
	own := r.board(t, r.bob, ids.Folder{})
	wantError(t, r.dashboards.Move(ctx, r.bob, own.ID, secret.ID), access.ErrViewOnly)
	// A copy of what one may view stays with who made it.
	copied, err := r.dashboards.Duplicate(ctx, r.bob, d.ID, "Copy")
	must(t, err)
	wantError(t, second(r.dashboards.Get(ctx, r.vic, copied.ID)), dashboards.ErrNotFound)
}

func TestSharingGuardsItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	d := r.board(t, r.ann, ids.Folder{})
	// Bob restricts what ann made: he keeps it, and so does she.
	must(t, r.Restrict(ctx, r.bob, board(d.ID), true))
	must(t, second(r.dashboards.Get(ctx, r.ann, d.ID)))
	wantError(t, r.Unshare(ctx, r.bob, board(d.ID), person(r.bob)), sharing.ErrOwnAccess)
	wantError(t, r.Share(ctx, r.bob, board(d.ID), person(r.bob), false), sharing.ErrOwnAccess)
	wantError(t, r.Share(ctx, r.ann, board(d.ID), sharing.Subject{}, false), sharing.ErrSubject)
	wantError(t, r.Share(ctx, r.ann, board(d.ID), sharing.Subject{Group: ids.New[ids.Group]()}, false), sharing.ErrSubject)
	wantError(t, r.Share(ctx, r.ann, board(d.ID), sharing.Subject{User: ids.New[ids.User]()}, false), sharing.ErrSubject)
	wantError(t, r.Share(ctx, r.ann, board(d.ID), sharing.Subject{Role: access.Admin}, false), sharing.ErrSubject)
	wantError(t, r.Unshare(ctx, r.ann, board(d.ID), person(r.vic)), sharing.ErrSubject)
	wantError(t, r.Share(ctx, r.vic, board(d.ID), person(r.vic), true), access.ErrForbidden)

	// Who only views can't share on; whom it is not shared with finds nothing.
	must(t, r.Share(ctx, r.ann, board(d.ID), person(r.bob), true))
	eve := r.colleague(t, access.Editor)
	wantError(t, r.Share(ctx, eve, board(d.ID), person(eve), true), sharing.ErrNotFound)
	must(t, r.Share(ctx, r.ann, board(d.ID), person(eve), false))
	wantError(t, r.Share(ctx, eve, board(d.ID), person(eve), true), access.ErrViewOnly)
	wantError(t, r.Restrict(ctx, eve, board(d.ID), false), access.ErrViewOnly)
	sheet, err := r.Get(ctx, eve, board(d.ID))
	must(t, err)
	if sheet.CanShare || len(sheet.Grants) != 2 {
		t.Errorf("eve sees the sheet %+v", sheet)
	}

	if sheet.People != 4 { // ann, bob, eve and the admin
		t.Errorf("%d people see it, want 4", sheet.People)
	}
	wantError(t, second(r.ListGroups(ctx, r.ann)), access.ErrForbidden)
}

// Everything that somebody of another workspace asks answers that it does not
// exist. A method that is new must be added here.
func TestOtherWorkspacesShareNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := r.board(t, r.ann, ids.Folder{})
	group := r.group
	friend := r.ann
	stranger := r.workspace(t, "Elsewhere")
	cases := map[string]struct {
		call func(ctx context.Context) error
		want error
	}{
		"Get":          {func(ctx context.Context) error { return second(r.Get(ctx, stranger, board(d.ID))) }, sharing.ErrNotFound},
		"Restrict":     {func(ctx context.Context) error { return r.Restrict(ctx, stranger, board(d.ID), true) }, sharing.ErrNotFound},
		"Share":        {func(ctx context.Context) error { return r.Share(ctx, stranger, board(d.ID), person(stranger), true) }, sharing.ErrNotFound},
		"Unshare":      {func(ctx context.Context) error { return r.Unshare(ctx, stranger, board(d.ID), person(friend)) }, sharing.ErrNotFound},
		"ListSubjects": {func(ctx context.Context) error { _, _, err := r.ListSubjects(ctx, stranger, board(d.ID)); return err }, sharing.ErrNotFound},
		"GetGroup":     {func(ctx context.Context) error { _, _, err := r.GetGroup(ctx, stranger, group); return err }, sharing.ErrGroupNotFound},
		"SaveGroup":    {func(ctx context.Context) error { return r.SaveGroup(ctx, stranger, group, "Mine", nil) }, sharing.ErrGroupNotFound},
		"DeleteGroup":  {func(ctx context.Context) error { return r.DeleteGroup(ctx, stranger, group) }, sharing.ErrGroupNotFound},
		"TakeBack": {func(ctx context.Context) error {
			return r.db.InViewerTx(ctx, stranger.TenantID.UUID(), stranger.Subjects(), func(ctx context.Context, tx *db.Tx) error {
				back, err := r.TakeBack(ctx, tx, stranger, d.ID.UUID(), []byte(`{"kind":"dashboard"}`), []byte(`{"kind":"dashboard","restricted":true}`))
				if back {
					t.Error("a stranger takes back what was shared")
				}
				return err
			})
		}, nil},
		"ListGroups": {func(ctx context.Context) error {
			list, err := r.ListGroups(ctx, stranger)
			if len(list) > 0 {
				t.Errorf("a stranger sees %v", list)
			}
			return err
		}, nil},
	}
	methods := reflect.TypeFor[*sharing.Service]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; cases[name].call == nil && name != "CreateGroup" {
			t.Errorf("%s is not tried by a stranger", name)
		}
	}
	for name, tc := range cases {
		if err := tc.call(t.Context()); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	// Nor can a grant reach over the wall.
	own := access.Actor{Kind: access.Person, TenantID: stranger.TenantID, UserID: stranger.UserID, Role: access.Admin}
	f, err := r.dashboards.CreateFolder(t.Context(), own, ids.Folder{}, "Ours")
	must(t, err)
	wantError(t, r.Share(t.Context(), own, folder(f.ID), person(friend), true), sharing.ErrSubject)
	wantError(t, r.Share(t.Context(), own, folder(f.ID), sharing.Subject{Group: group}, true), sharing.ErrSubject)
}
