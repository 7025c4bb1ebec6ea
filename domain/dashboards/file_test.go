package dashboards_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

func (r *rig) export(t *testing.T, d dashboards.Dashboard) string {
	t.Helper()
	_, file, err := r.ExportFile(t.Context(), r.actor, d.ID, true)
	must(t, err)
	return string(file)
}

func TestADashboardIsAFileAndBack(t *testing.T) {
	r := newRig(t)
	d := r.tabbed(t)
	file := r.export(t, d)
	for _, want := range []string{
		"dashboard: Tabbed\nversion: 1\ndataset: Sales\n",
		"\n  sum:\n    type: kpi\n", "layout: {x: 0, y: 0, w: 3, h: 3}\n",
		"measures: [{fn: sum, column: amount, as: total}]",
		"\ntabs:\n  first:\n    title: Charts\n  second:\n",
	} {
		if !strings.Contains(file, want) {
			t.Errorf("the file has no %q:\n%s", want, file)
		}
	}
	if id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}`).FindString(file); id != "" {
		t.Errorf("the file holds an id: %s", id)
	}
	if again := r.export(t, d); again != file {
		t.Error("the same dashboard makes another file")
	}
	// As it is: nothing to do, whoever applies it.
	applied, err := r.ApplyFile(t.Context(), r.actor, []byte(file), dashboards.ApplyOptions{})
	must(t, err)
	if applied.ID != d.ID || len(applied.Diff) > 0 || applied.Created || applied.Published {
		t.Errorf("applying it unchanged did %+v", applied)
	}
	// A change is shown, made once, published, and can be undone.
	edited := strings.Replace(file, "title: Net sales", "title: Sales so far", 1)
	dry, err := r.ApplyFile(t.Context(), r.actor, []byte(edited), dashboards.ApplyOptions{DryRun: true})
	must(t, err)
	if text := diffText(dry.Diff); !strings.Contains(text, "-    title: Net sales\n+    title: Sales so far\n") || r.export(t, d) != file {
		t.Errorf("trying it out shows\n%s", text)
	}
	applied, err = r.ApplyFile(t.Context(), r.actor, []byte(edited), dashboards.ApplyOptions{})
	must(t, err)
	if !applied.Published || r.export(t, d) != edited {
		t.Errorf("applied, it is\n%s", r.export(t, d))
	}
	now, err := r.Get(t.Context(), r.actor, d.ID)
	must(t, err)
	if now.Config.Widgets["sum"].Title != "Sales so far" || now.Pending {
		t.Error("viewers do not see it")
	}
	if applied, err = r.ApplyFile(t.Context(), r.actor, []byte(edited), dashboards.ApplyOptions{}); err != nil || len(applied.Diff) > 0 || applied.Published {
		t.Errorf("applied twice, it did %+v (%v)", applied, err)
	}
	_, err = r.Undo(t.Context(), r.actor, d.ID, 0, [16]byte{}, false)
	must(t, err)
	if r.export(t, d) != file {
		t.Error("undone, it is another")
	}
	// A name that waits to be published is the dashboard's already.
	draft, err := r.GetDraft(t.Context(), r.actor, d.ID)
	must(t, err)
	_, err = r.Edit(t.Context(), r.actor, d.ID, dashboards.Edit{Rev: draft.Rev, Operations: []dashboards.Operation{change("/name", "Retabbed")}})
	must(t, err)
	renamed := r.export(t, d)
	for _, name := range []string{"Tabbed", "Retabbed"} {
		if id, err := r.Resolve(t.Context(), r.actor, name); id != d.ID {
			t.Errorf("%s is %v (%v)", name, id, err)
		}
	}
	applied, err = r.ApplyFile(t.Context(), r.actor, []byte(renamed), dashboards.ApplyOptions{Draft: true})
	must(t, err)
	if applied.ID != d.ID || applied.Created || len(applied.Diff) > 0 || !strings.Contains(renamed, "dashboard: Retabbed") {
		t.Errorf("renamed in the draft, it did %+v", applied)
	}
	if _, err := r.Resolve(t.Context(), r.colleague(t, r.actor.TenantID, access.Viewer), "Retabbed"); !errors.Is(err, dashboards.ErrNotFound) {
		t.Errorf("a viewer finds the name of a draft: %v", err)
	}
	// Another name is another dashboard.
	applied, err = r.ApplyFile(t.Context(), r.actor, []byte(strings.Replace(file, "dashboard: Tabbed", "dashboard: Another", 1)), dashboards.ApplyOptions{})
	must(t, err)
	if !applied.Created || applied.ID == d.ID {
		t.Errorf("under another name it did %+v", applied)
	}
}

func diffText(list []dashboards.DiffLine) string {
	var b strings.Builder
	for _, line := range list {
		b.WriteByte(line.Kind)
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}

func TestABadFileSaysWhereAndChangesNothing(t *testing.T) {
	r := newRig(t)
	d := r.tabbed(t)
	before := r.export(t, d)
	const head = "dashboard: Tabbed\nversion: 1\ndataset: Sales\n"
	for name, tc := range map[string]struct{ file, want string }{
		"empty":          {"", "empty"},
		"no YAML":        {head + "widgets: {a: [", "Line 4"},
		"a list":         {"- 1\n- 2\n", "Line 1, column 1"},
		"no version":     {"dashboard: X\nwidgets: {}\n", "version: 1"},
		"later version":  {"dashboard: X\nversion: 9\n", "Line 2, column 10"},
		"unknown key":    {head + "widgets:\n  a:\n    type: kpi\n    titel: X\n", "Line 7, column 5: There is no key \"titel\" here."},
		"wrong kind":     {head + "widgets:\n  a:\n    type: text\n    title: X\n    layout: {x: left, y: 0, w: 4, h: 4}\n", "Line 8, column 17"},
		"no such type":   {head + "widgets:\n  a:\n    type: pie\n    title: X\n    layout: {x: 0, y: 0, w: 4, h: 4}\n", "Line 5, column 3"},
		"twice":          {head + "widgets: {}\nwidgets: {}\n", "Line 5, column 1"},
		"no dataset":     {"dashboard: Tabbed\nversion: 1\ndataset: Nothing\n", "Line 3, column 10: There is no dataset named \"Nothing\""},
		"bomb":           {"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]\n", "Line 1, column 4: Anchors"},
		"merge":          {head + "widgets:\n  <<: {}\n", "Line 5, column 3"},
		"tag":            {"dashboard: !!python/object:os.system x\nversion: 1\n", "Line 1, column 12: Tags"},
		"two documents":  {head + "---\nmore: 1\n", "more than one document"},
		"deep":           {head + "widgets: " + strings.Repeat("[", 60) + strings.Repeat("]", 60), "too deeply"},
		"infinite":       {head + "widgets:\n  a:\n    type: gauge\n    title: X\n    layout: {x: 0, y: 0, w: 4, h: 4}\n    encode: {target: .inf}\n", "Line 9"},
		"no UTF-8":       {"dashboard: \xff\nversion: 1\n", "UTF-8"},
		"much":           {head + "# " + strings.Repeat("x", dashboards.MaxConfigBytes), "too large"},
		"schema":         {head + "schema: 2\n", "Line 4, column 1"},
		"complex key":    {head + "widgets:\n  ? [a, b]\n  : 1\n", "Line 5"},
		"no such filter": {head + "widgets:\n  a:\n    type: control\n    title: X\n    layout: {x: 0, y: 0, w: 4, h: 4}\n    control: gone\n", "Line 9, column 14: The widget \"a\" is for the filter \"gone\""},
		"in two groups":  {head + "widgets:\n  a:\n    type: bar\n    title: X\n    layout: {x: 0, y: 0, w: 4, h: 8}\n    query:\n      measures: [{fn: count, as: n}]\n      dimensions: [{column: channel, groups: {A: [web], B: [web]}}]\n", "\"web\" is in the group “A” and in “B”"},
		"a name of none": {"dashboard: []\nversion: 1\n", "Line 1, column 12"},
	} {
		_, err := r.ApplyFile(t.Context(), r.actor, []byte(tc.file), dashboards.ApplyOptions{To: d.ID})
		wantError(t, err, dashboards.ErrFile)
		if text := err.Error(); !strings.Contains(text, tc.want) {
			t.Errorf("%s: %s; want %s", name, text, tc.want)
		}
	}
	if r.export(t, d) != before {
		t.Error("a file that was refused has changed the dashboard")
	}
}

func TestFilesStayInTheirWorkspace(t *testing.T) {
	r := newRig(t)
	d := r.tabbed(t)
	file := r.export(t, d)
	other := r.person(t, "Other", access.Editor)
	_, _, err := r.ExportFile(t.Context(), other, d.ID, true)
	wantError(t, err, dashboards.ErrNotFound)
	_, err = r.ApplyFile(t.Context(), other, []byte(file), dashboards.ApplyOptions{To: d.ID})
	wantError(t, err, dashboards.ErrFile) // there is no dataset of that name
	empty := "dashboard: Tabbed\nversion: 1\n"
	_, err = r.ApplyFile(t.Context(), other, []byte(empty), dashboards.ApplyOptions{To: d.ID})
	wantError(t, err, dashboards.ErrNotFound)
	viewer := r.colleague(t, r.actor.TenantID, access.Viewer)
	_, err = r.ApplyFile(t.Context(), viewer, []byte(empty), dashboards.ApplyOptions{})
	if err == nil {
		t.Error("a viewer applied a file")
	}
	if _, err := r.Resolve(t.Context(), other, "Tabbed"); err == nil {
		t.Error("another workspace finds the dashboard by name")
	}
}

// A filter that another dataset calls otherwise says so by that dataset's name.
func TestAFileNamesTheDatasetsOfAMappedFilter(t *testing.T) {
	r := newRig(t)
	visits := r.visits(t, r.actor)
	d := r.boardWith(t, func(c *dashboards.Config) {
		c.Filters["way"] = control("channel", dashboards.KindValues, func(f *dashboards.Control) {
			f.Columns = map[string]string{visits.String(): "sales_channel"}
		})
	})
	file := r.export(t, d)
	if !strings.Contains(file, "columns: {Visits: sales_channel}") {
		t.Fatalf("the file is\n%s", file)
	}
	applied, err := r.ApplyFile(t.Context(), r.actor, []byte(file), dashboards.ApplyOptions{To: d.ID})
	must(t, err)
	if len(applied.Diff) > 0 {
		t.Errorf("applied as it is, it did %+v", applied)
	}
	applied, err = r.ApplyFile(t.Context(), r.actor, []byte(strings.Replace(file, "sales_channel", "country", 1)), dashboards.ApplyOptions{To: d.ID})
	must(t, err)
	now, err := r.Get(t.Context(), r.actor, d.ID)
	must(t, err)
	if got := now.Config.Filters["way"].Columns[visits.String()]; got != "country" || len(applied.Diff) == 0 {
		t.Errorf("it maps to %q after %+v", got, applied)
	}
	_, err = r.ApplyFile(t.Context(), r.actor, []byte(strings.Replace(file, "{Visits:", "{Visitors:", 1)), dashboards.ApplyOptions{To: d.ID})
	wantError(t, err, dashboards.ErrFile)
	if !strings.Contains(err.Error(), `There is no dataset named "Visitors"`) {
		t.Errorf("a dataset that is none: %v", err)
	}
}

// A text that was opened before others went on changes only what its author changed.
func TestATextKeepsWhatOthersDidMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, base, err := d.ExportFile(t.Context(), d.ann, d.id, true)
	must(t, err)
	donut := map[string]any{"type": "donut", "title": "New", "layout": map[string]any{"x": 7, "y": 0, "w": 3, "h": 8}}
	d.edit(t, d.bob, 1, change("/widgets/n", donut), change("/widgets/b/title", "By Bob"), change("/widgets/a/title", "Bob too"))
	text := strings.NewReplacer("title: Sales\n", "title: By Ann\n    subtitle: In the text\n").Replace(string(base))
	apply := func(text string) dashboards.Applied {
		t.Helper()
		applied, err := d.ApplyFile(t.Context(), d.ann, []byte(text), dashboards.ApplyOptions{To: d.id, Draft: true, Base: base, Rev: 1})
		must(t, err)
		return applied
	}
	applied := apply(text)
	if d.title(t, "n") != "New" || d.title(t, "b") != "By Bob" || d.title(t, "a") != "By Ann" || d.draft(t).Config.Widgets["a"].Subtitle != "In the text" {
		t.Errorf("the draft has %+v", d.draft(t).Config.Widgets)
	}
	if over := applied.Edited.Overwrote; len(over) != 1 || over[0].Path != "/widgets/a/title" || over[0].User == "" || string(over[0].Value) != `"Bob too"` {
		t.Errorf("replaced: %+v", over)
	}
	// Nothing changed in the text: nothing is done.
	rev := d.draft(t).Rev
	apply(string(base))
	if d.draft(t).Rev != rev {
		t.Error("an unchanged text changed something")
	}
	// What is gone stays gone, and is named.
	d.edit(t, d.bob, rev, change("/widgets/b", nil))
	if gone := apply(strings.Replace(string(base), "title: By channel\n", "title: Late\n", 1)).Gone; len(gone) != 1 || gone[0] != "By channel" {
		t.Errorf("gone: %q", gone)
	}
	if _, there := d.draft(t).Config.Widgets["b"]; there {
		t.Error("it came back in parts")
	}
}

// Of a format that both changed, each keeps the part of their own.
func TestATextChangesParts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.edit(t, d.ann, 1, change("/widgets/a/format", map[string]any{"amount": map[string]any{"label": "Amount", "better": "higher"}}))
	_, base, err := d.ExportFile(t.Context(), d.ann, d.id, true)
	must(t, err)
	d.edit(t, d.bob, 2, change("/widgets/a/format/amount/label", "By Bob"))
	text := strings.Replace(string(base), "better: higher", "better: lower", 1)
	_, err = d.ApplyFile(t.Context(), d.ann, []byte(text), dashboards.ApplyOptions{To: d.id, Draft: true, Base: base, Rev: 2})
	must(t, err)
	got, err := json.Marshal(d.draft(t).Config.Widgets["a"].Format)
	must(t, err)
	if text == string(base) || !strings.Contains(string(got), `"label":"By Bob"`) || !strings.Contains(string(got), `"better":"lower"`) {
		t.Errorf("the format is %s", got)
	}
}
