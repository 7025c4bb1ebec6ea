package views

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

func optionID(c controlLine, part string) string { return "filter-" + c.ID + "-" + part }

func (c controlLine) path(keys ...string) string {
	return pointer(append([]string{"filters", c.ID}, keys...)...)
}

func (c controlLine) kind() string {
	if c.Kind == "" {
		return dashboards.KindValues
	}
	return c.Kind
}

// dataset is what the filter's column belongs to.
func (p InspectorProps) datasetOf(own ids.Dataset) ids.Dataset {
	if own.IsZero() {
		return p.Dashboard.View.Dashboard.Config.Dataset
	}
	return own
}

func (p InspectorProps) fieldOf(c controlLine) dashboards.Field {
	for _, f := range p.Dashboard.View.Fields(p.datasetOf(c.Dataset), dashboards.Facts{}) {
		if f.Name == c.Column && !f.Measure {
			return f
		}
	}
	return dashboards.Field{Name: c.Column}
}

func (p InspectorProps) kindOptions(ctx context.Context, c controlLine) []ui.Option {
	kinds := p.fieldOf(c).FilterKinds()
	if !slices.Contains(kinds, c.kind()) {
		kinds = append(kinds, c.kind())
	}
	var list []ui.Option
	for _, kind := range kinds {
		list = append(list, ui.Option{Value: kind, Label: messages.T(ctx, "filters.kind_"+kind)})
	}
	return chosenFrom(c.kind(), list...)
}

// withinOptions are what can limit the values of a filter.
func (p InspectorProps) withinOptions(ctx context.Context, c controlLine) []ui.Option {
	list := []ui.Option{{Value: dashboards.WithinDate, Label: messages.T(ctx, "filters.within_date")}}
	for _, other := range p.controls() {
		if other.ID != c.ID {
			list = append(list, ui.Option{Value: other.ID, Label: other.Label})
		}
	}
	for i := range list {
		list[i].Selected = slices.Contains(c.Within, list[i].Value)
	}
	return list
}

// reachOptions are the widgets that a filter can be kept to, as a reader meets
// them.
func (p InspectorProps) reachOptions(ctx context.Context, c controlLine) []ui.Option {
	config := p.Dashboard.View.Dashboard.Config
	var list []ui.Option
	for _, id := range slices.Sorted(maps.Keys(config.Widgets)) {
		w := config.Widgets[id]
		if !w.Type.Asks() {
			continue
		}
		title := w.Title
		if title == "" {
			title = messages.T(ctx, "word.untitled")
		}
		list = append(list, ui.Option{Value: id, Label: title, Selected: slices.Contains(c.Widgets, id)})
	}
	slices.SortStableFunc(list, func(a, b ui.Option) int {
		l, m := config.Widgets[a.Value].Layout, config.Widgets[b.Value].Layout
		return cmp.Or(cmp.Compare(l.Y, m.Y), cmp.Compare(l.X, m.X))
	})
	return list
}

// mappedDataset is another dataset of the dashboard that a filter can reach.
type mappedDataset struct {
	ID   ids.Dataset
	Name string
}

func (p InspectorProps) otherDatasets(c controlLine) []mappedDataset {
	var list []mappedDataset
	for _, id := range p.Dashboard.View.Dashboard.Config.Datasets() {
		if name := p.Dashboard.View.Datasets[id]; name != "" && id != p.datasetOf(c.Dataset) {
			list = append(list, mappedDataset{id, name})
		}
	}
	return list
}

func (p InspectorProps) mappedOptions(ctx context.Context, c controlLine, dataset ids.Dataset) []ui.Option {
	own := p.fieldOf(c)
	list := []ui.Option{{Label: messages.T(ctx, "filters.mapped_same")}, {Value: dashboards.NoColumn, Label: messages.T(ctx, "filters.mapped_none")}}
	for _, f := range p.Dashboard.View.Fields(dataset, dashboards.Facts{}) {
		if !f.Measure && f.Type == own.Type {
			list = append(list, ui.Option{Value: f.Name, Label: charts.Humanise(f.Name)})
		}
	}
	return chosenFrom(c.Columns[dataset.String()], list...)
}

// topMeasures are what values can be ranked by.
func (p InspectorProps) topMeasures(ctx context.Context, c controlLine) []ui.Option {
	current := ""
	if c.Measure != nil {
		raw, _ := json.Marshal(c.Measure) // a measure of a stored config encodes
		current = string(raw)
	}
	list := []ui.Option{{Label: messages.T(ctx, "filters.top_rows")}}
	for _, f := range p.Dashboard.View.Fields(p.datasetOf(c.Dataset), dashboards.Facts{}) {
		var value map[string]string
		switch {
		case f.Saved:
			value = map[string]string{"measure": f.Name}
		case f.Measure && f.Numeric() && f.Name != dashboards.CountField:
			value = map[string]string{"fn": "sum", "column": f.Name}
		default:
			continue
		}
		raw, _ := json.Marshal(value) // texts always encode
		list = append(list, ui.Option{Value: string(raw), Label: f.Label()})
	}
	for i := range list {
		list[i].Selected = sameMeasure(list[i].Value, current)
	}
	return list
}

func sameMeasure(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var left, right map[string]any
	if json.Unmarshal([]byte(a), &left) != nil || json.Unmarshal([]byte(b), &right) != nil {
		return false
	}
	for _, key := range []string{"fn", "column", "measure"} {
		if left[key] != right[key] {
			return false
		}
	}
	return true
}

// embeddable are the filters that a widget of the canvas can show.
func (p InspectorProps) embeddable(ctx context.Context) []ui.Option {
	list := []ui.Option{{Label: messages.T(ctx, "filters.shown_none")}}
	for _, c := range p.controls() {
		list = append(list, ui.Option{Value: c.ID, Label: c.Label})
	}
	if p.Dashboard.View.HasDates {
		list = append(list, ui.Option{Value: dashboards.DateControl, Label: messages.T(ctx, "dashboard.dates")})
	}
	for i := range list {
		list[i].Selected = list[i].Value == p.Widget.Widget.Control
	}
	return list
}

func (p InspectorProps) controlHint(ctx context.Context) string {
	if len(p.controls()) == 0 {
		return messages.T(ctx, "filters.shown_hint")
	}
	return ""
}

func joinedList(list []string) string { return strings.Join(list, ", ") }

// hierarchyLine is a hierarchy in the settings.
type hierarchyLine struct {
	ID string
	dashboards.Hierarchy
}

func (p InspectorProps) hierarchies() []hierarchyLine {
	c := p.Dashboard.View.Dashboard.Config
	var list []hierarchyLine
	for id, h := range c.Hierarchies {
		list = append(list, hierarchyLine{id, h})
	}
	slices.SortFunc(list, func(a, b hierarchyLine) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func addLevelID(h hierarchyLine) string { return "add-level-" + h.ID }

// levels are the columns of a hierarchy, as chips.
func (p InspectorProps) levels(h hierarchyLine) []dashboards.Chip {
	fields := p.Dashboard.View.Fields(p.datasetOf(h.Dataset), dashboards.Facts{})
	list := make([]dashboards.Chip, len(h.Columns))
	for i, name := range h.Columns {
		list[i] = dashboards.Chip{Index: i, Field: dashboards.Field{Name: name}, Missing: true}
		for _, f := range fields {
			if f.Name == name && f.Level() {
				list[i].Field, list[i].Missing = f, false
			}
		}
	}
	return list
}

// levelFields are those that a hierarchy can have besides its own, first those
// that group.
func (p InspectorProps) levelFields(h hierarchyLine) []dashboards.Field {
	var list []dashboards.Field
	for _, f := range p.Dashboard.View.Fields(p.datasetOf(h.Dataset), dashboards.Facts{}) {
		if f.Level() && !slices.Contains(h.Columns, f.Name) {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b dashboards.Field) int {
		switch {
		case a.Measure == b.Measure:
			return 0
		case a.Measure:
			return 1
		}
		return -1
	})
	return list
}

// newHierarchyID is free.
func (p InspectorProps) newHierarchyID() string {
	for n := 1; ; n++ {
		id := "h" + strconv.Itoa(n)
		if _, taken := p.Dashboard.View.Dashboard.Config.Hierarchies[id]; !taken {
			return id
		}
	}
}

func newHierarchy(ctx context.Context) string {
	raw, _ := json.Marshal(map[string]any{"label": messages.T(ctx, "filters.hierarchy_new"), "columns": []string{}}) // texts always encode
	return string(raw)
}

func (p InspectorProps) throughOptions(ctx context.Context) []ui.Option {
	current := ""
	if to := p.Widget.Widget.Through; !to.IsZero() {
		current = to.String()
	}
	return chosenFrom(current, append([]ui.Option{{Label: messages.T(ctx, "filters.through_none")}}, p.Boards...)...)
}
