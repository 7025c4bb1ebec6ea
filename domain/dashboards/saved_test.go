package dashboards_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
)

func TestViewsAreSavedPerPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.board(t)
	ctx := t.Context()
	first, err := r.SaveView(ctx, r.actor, d.ID, dashboards.NewView{Name: "  Web  ", Link: "f.channel=web&d=3d&from=x", Default: true})
	must(t, err)
	second, err := r.SaveView(ctx, r.actor, d.ID, dashboards.NewView{Name: "All", Link: "d=all", Default: true})
	must(t, err)
	list, err := r.ListViews(ctx, r.actor, d.ID)
	must(t, err)
	want := []dashboards.SavedView{{ID: second, Name: "All", Link: "d=all", Default: true}, {ID: first, Name: "Web", Link: "d=3d&f.channel=web"}}
	if len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Errorf("%+v, want %+v", list, want)
	}
	// The same name is the same view.
	again, err := r.SaveView(ctx, r.actor, d.ID, dashboards.NewView{Name: "Web", Link: "d=1d"})
	must(t, err)
	if again != first {
		t.Errorf("saved as %s, was %s", again, first)
	}
	must(t, r.SetDefaultView(ctx, r.actor, d.ID, first))
	must(t, r.SetDefaultView(ctx, r.actor, d.ID, ids.SavedView{}))
	if list, _ = r.ListViews(ctx, r.actor, d.ID); list[0].Default || list[1].Default || list[1].Link != "d=1d" {
		t.Errorf("%+v", list)
	}
	// A colleague has views of their own, and neither sees nor changes others'.
	colleague := r.colleague(t, r.actor.TenantID, access.Viewer)
	if list, err = r.ListViews(ctx, colleague, d.ID); err != nil || len(list) != 0 {
		t.Errorf("a colleague sees %+v, %v", list, err)
	}
	wantError(t, r.DeleteView(ctx, colleague, d.ID, first), dashboards.ErrViewNotFound)
	wantError(t, r.SetDefaultView(ctx, colleague, d.ID, first), dashboards.ErrViewNotFound)
	must(t, r.DeleteView(ctx, r.actor, d.ID, first))
	wantError(t, r.DeleteView(ctx, r.actor, d.ID, first), dashboards.ErrViewNotFound)
	for name, link := range map[string]string{"": "", strings.Repeat("x", 81): "", "fine": "x.sum=~", "ok": "%zz"} {
		if _, err := r.SaveView(ctx, r.actor, d.ID, dashboards.NewView{Name: name, Link: link}); !errors.Is(err, dashboards.ErrViewName) && !errors.Is(err, dashboards.ErrFilters) {
			t.Errorf("%q %q: %v", name, link, err)
		}
	}
	// Another workspace finds nothing.
	stranger := r.person(t, "Other", access.Admin)
	_, err = r.ListViews(ctx, stranger, d.ID)
	wantError(t, err, dashboards.ErrNotFound)
	_, err = r.SaveView(ctx, stranger, d.ID, dashboards.NewView{Name: "x"})
	wantError(t, err, dashboards.ErrNotFound)
	wantError(t, r.SetDefaultView(ctx, stranger, d.ID, second), dashboards.ErrNotFound)
	wantError(t, r.DeleteView(ctx, stranger, d.ID, second), dashboards.ErrNotFound)
}
