package dashboards_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/dashboards"
)

// The columns of a hierarchy are chosen from those that there are.
func TestLevelsOfAHierarchy(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 1, change("/hierarchies/h1", map[string]any{"label": "Place", "columns": []string{}}))
	act := func(a dashboards.Act) error {
		a.ID = "h1"
		_, err := d.Act(t.Context(), d.ann, d.id, 0, uuid.Nil, a)
		return err
	}
	at := func(n int) *int { return &n }
	channel := "channel"
	must(t, act(dashboards.Act{Kind: "add_level", Field: "channel"}))
	must(t, act(dashboards.Act{Kind: "add_level", Field: "shop.city"}))
	must(t, act(dashboards.Act{Kind: "add_level", Field: "at", Index: at(0)}))
	// Somebody else may have moved it: it is found by its name.
	must(t, act(dashboards.Act{Kind: "move_level", Index: at(0), Expect: &channel, To: at(2)}))
	if got, want := d.draft(t).Config.Hierarchies["h1"].Columns, []string{"at", "shop.city", "channel"}; !slices.Equal(got, want) {
		t.Errorf("the columns are %v, want %v", got, want)
	}
	must(t, act(dashboards.Act{Kind: "remove_level", Index: at(2), Expect: &channel}))
	for says, a := range map[string]dashboards.Act{
		"has no field":      {Kind: "add_level", Field: "<b>x</b>"},
		"already":           {Kind: "add_level", Field: "shop.city"},
		"is a measure":      {Kind: "add_level", Field: dashboards.CountField},
		"no such field":     {Kind: "remove_level", Index: at(2), Expect: &channel},
		"Somebody else may": {Kind: "move_level", Index: at(7), Expect: &channel, To: at(0)},
	} {
		if err := act(a); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s %s: %v, want %q", a.Kind, a.Field, err, says)
		}
	}
	if got, want := d.draft(t).Config.Hierarchies["h1"].Columns, []string{"at", "shop.city"}; !slices.Equal(got, want) {
		t.Errorf("the columns are %v, want %v", got, want)
	}
}
