package dashboards

import (
	"errors"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// A filter on the canvas shows the first filter that none shows yet, the date
// range after them; its title follows what it shows until somebody names it.
func TestAFilterOfTheCanvasTakesTheFirstFreeOne(t *testing.T) {
	d, sales, _ := shop()
	add := `{"kind":"add_widget","type":"control"}`
	channel, store := `{"kind":"add_control","field":"channel"}`, `{"kind":"add_control","field":"store"}`
	shows := func(c Config, id string) string { w := c.Widgets[id]; return w.Control + " «" + w.Title + "»" }
	filter := func(c Config, column string) string {
		for id, f := range c.Filters {
			if f.Column == column {
				return id
			}
		}
		return ""
	}
	for name, tc := range map[string]struct {
		acts []string
		want func(Config) string
	}{
		"without filters":  {[]string{add}, func(Config) string { return "date «Date range»" }},
		"the first filter": {[]string{channel, store, add}, func(c Config) string { return filter(c, "channel") + " «Channel»" }},
		"the second":       {[]string{channel, store, add, add}, func(c Config) string { return filter(c, "store") + " «Store»" }},
		"then the dates":   {[]string{channel, add, add}, func(Config) string { return "date «Date range»" }},
		"then none":        {[]string{add, add}, func(Config) string { return " «Filter»" }},
		"another":          {[]string{channel, add, `{"kind":"choose_filter","widget":"$","set":{"control":"date"}}`}, func(Config) string { return "date «Date range»" }},
		"taken off":        {[]string{add, `{"kind":"choose_filter","widget":"$","set":{"control":""}}`}, func(Config) string { return " «Filter»" }},
		"a field on it":    {[]string{channel, add, `{"kind":"drop_field","widget":"$","field":"store"}`}, func(c Config) string { return filter(c, "store") + " «Store»" }},
		"one it has":       {[]string{channel, store, add, `{"kind":"drop_field","widget":"$","field":"store"}`}, func(c Config) string { return filter(c, "store") + " «Store»" }},
	} {
		c, last := run(t, d, sales, tc.acts...)
		if got, want := shows(c, last), tc.want(c); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if l := c.Widgets[last].Layout; l.W != 4 || l.H != 2 {
			t.Errorf("%s: it is %d by %d", name, l.W, l.H)
		}
	}

	// Pasted, it shows the filter that it showed where it comes from, not the one
	// that happens to have its id here.
	paste := func(filters string) string {
		return `{"kind":"paste","widgets":[{"type":"control","title":"Store","control":"f1","layout":{"x":0,"y":0,"w":3,"h":2}}]` + filters + `}`
	}
	from := `,"filters":{"f1":{"label":"Store","column":"store","dataset":"` + sales.String() + `"}}`
	for name, tc := range map[string]struct {
		acts []string
		want func(Config) string
	}{
		"without its filter":    {[]string{channel, paste("")}, func(Config) string { return " «Store»" }},
		"with a new one":        {[]string{channel, paste(from)}, func(c Config) string { return filter(c, "store") + " «Store»" }},
		"with one that is here": {[]string{store, channel, paste(from)}, func(c Config) string { return filter(c, "store") + " «Store»" }},
		"of no such column":     {[]string{channel, paste(strings.Replace(from, `"column":"store"`, `"column":"gone"`, 1))}, func(Config) string { return " «Store»" }},
	} {
		c, last := run(t, d, sales, tc.acts...)
		if got, want := shows(c, last), tc.want(c); got != want {
			t.Errorf("pasted %s: %s, want %s", name, got, want)
		}
	}

	// Without its filter it shows nothing; it is named anew with the next one.
	c, last := run(t, d, sales, channel, store, add)
	gone, _, err := d.act(c, Act{Kind: "remove_control", ID: filter(c, "channel")})
	if err != nil {
		t.Fatal(err)
	}
	other := filter(c, "store")
	again, _, err := d.act(gone, Act{Kind: "choose_filter", Widget: last, Set: FieldSetting{Control: &other}})
	if err != nil || shows(again, last) != other+" «Store»" {
		t.Errorf("%v: %s", err, shows(again, last))
	}
	w := c.Widgets[last]
	w.Title = "Where?"
	c.Widgets[last] = w
	if named, _, err := d.act(c, Act{Kind: "choose_filter", Widget: last, Set: FieldSetting{Control: &other}}); err != nil || named.Widgets[last].Title != "Where?" {
		t.Errorf("%v: a name that somebody gave became %q", err, named.Widgets[last].Title)
	}
	nothing := "nothing"
	if _, _, err := d.act(c, Act{Kind: "choose_filter", Widget: last, Set: FieldSetting{Control: &nothing}}); !errors.Is(err, ErrControlNotFound) {
		t.Errorf("a filter that there is not: %v", err)
	}
}

func TestConfigOfAFilterOnTheCanvas(t *testing.T) {
	s := loadSchema(t)
	widget := func(kind charts.Type, change func(*Widget)) Config {
		w := Widget{Title: "Region", Layout: Layout{W: 2, H: 2}}
		w.Type = kind
		change(&w)
		return Config{Schema: Schema, Dataset: ids.New[ids.Dataset](), Widgets: map[string]Widget{"w": w}}
	}
	for name, tc := range map[string]struct {
		config Config
		valid  bool
	}{
		"a filter":           {widget(charts.Control, func(w *Widget) { w.Control = "region" }), true},
		"in the bar too":     {widget(charts.Control, func(w *Widget) { w.Control, w.InBar = "date", true }), true},
		"not set up":         {widget(charts.Control, func(*Widget) {}), true},
		"no id":              {widget(charts.Control, func(w *Widget) { w.Control = "a b" }), false},
		"a query":            {widget(charts.Control, func(w *Widget) { w.Query.Limit = 5 }), false},
		"a figure with one":  {widget(charts.KPI, func(w *Widget) { w.Control, w.Layout.H = "region", 3 }), false},
		"smaller than least": {widget(charts.Control, func(w *Widget) { w.Layout.H = 1 }), false},
	} {
		bySchema, byProgram := valid(t, s, tc.config.JSON())
		if (byProgram == nil) != tc.valid || tc.valid && bySchema != nil {
			t.Errorf("%s: schema: %v; program: %v", name, bySchema, byProgram)
		}
	}
}
