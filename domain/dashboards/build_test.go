package dashboards

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// shop is a dataset like that of the design's pictures, and places one with a
// lookup to where things are.
func shop() (*drafter, ids.Dataset, ids.Dataset) {
	column := func(id int32, name string, t warehouse.Type, role, style string) datasets.Column {
		c := datasets.Column{}
		c.ID, c.Name, c.Type, c.Role, c.Format.Style = id, name, t, role, style
		return c
	}
	sales := datasets.Dataset{Summary: datasets.Summary{ID: ids.New[ids.Dataset](), Name: "sales_daily", Rows: 18_400_000}, TimeColumn: 1}
	sales.Columns = []datasets.Column{
		column(1, "order_date", warehouse.Date, "", ""), column(2, "channel", warehouse.Text, "", ""), column(3, "store", warehouse.Text, "", ""),
		column(4, "net_sales", warehouse.Decimal, "", "currency"), column(5, "orders", warehouse.Integer, "", ""),
		column(6, "on_time_rate", warehouse.Float, "", "percent"), column(7, "unit_price", warehouse.Decimal, "", "currency"),
		column(8, "paid", warehouse.Boolean, "", ""), column(9, "customer_id", warehouse.Integer, "", ""),
	}
	sales.Measures = []datasets.Measure{{Name: "margin", Measure: warehouse.Measure{Fn: "ratio",
		Numerator: &warehouse.Measure{Fn: "sum", Column: "net_sales"}, Denominator: &warehouse.Measure{Fn: "count"}}}}
	stores := datasets.Dataset{Summary: datasets.Summary{ID: ids.New[ids.Dataset](), Name: "stores"}}
	stores.Columns = []datasets.Column{column(1, "code", warehouse.Text, "", ""), column(2, "name", warehouse.Text, "", ""),
		column(3, "latitude", warehouse.Float, "latitude", ""), column(4, "longitude", warehouse.Float, "longitude", ""),
		column(5, "temperature", warehouse.Float, "", ""), column(6, "opened_at", warehouse.Timestamp, "", "")}
	with := &schema{Dataset: sales, targets: map[string]*datasets.Dataset{"at": &stores}}
	alone := &schema{Dataset: stores, targets: map[string]*datasets.Dataset{}}
	return &drafter{schemas: schemas{sales.ID: with, stores.ID: alone}}, sales.ID, stores.ID
}

// says is a widget in one line: type, wells with what lies in them, title.
func says(w *Widget) string {
	f := fillOf(w)
	parts := []string{string(w.Type)}
	for _, one := range w.wells() {
		var in []string
		for _, s := range f[one.name] {
			text := s.field()
			switch {
			case s.dimension != nil && s.dimension.Grain != "":
				text += "/" + s.dimension.Grain
			case s.dimension != nil && s.dimension.Bin != 0:
				text += fmt.Sprintf("/%g", s.dimension.Bin)
			case s.measure != nil && s.measure.Fn != "" && s.measure.Fn != "count":
				text = s.measure.Fn + " " + text
			}
			in = append(in, text)
		}
		if len(in) > 0 {
			parts = append(parts, one.name+"="+strings.Join(in, ","))
		}
	}
	return strings.Join(parts, " ") + " «" + w.Title + "»"
}

// run does acts one after the other on an empty dashboard; "$" in an act stands
// for the widget that was selected last.
func run(t *testing.T, d *drafter, home ids.Dataset, acts ...string) (Config, string) {
	t.Helper()
	c := Config{Schema: Schema, Dataset: home, Widgets: map[string]Widget{}}
	last := ""
	for _, text := range acts {
		var a Act
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "$", last)), &a); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		before := string(c.JSON())
		next, selected, err := d.act(c, a)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if string(c.JSON()) != before {
			t.Fatalf("%s changed the config that it was given", text)
		}
		if len(selected) > 0 {
			last = selected[len(selected)-1]
		}
		c = next
		checkConfig(t, &c)
	}
	return c, last
}

// checkConfig holds a config to what every act promises.
func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	whole := *c
	whole.Widgets = map[string]Widget{}
	for id, w := range c.Widgets {
		if w.SetUp() {
			whole.Widgets[id] = w
		}
		names := map[string]bool{}
		for _, list := range fillOf(&w) {
			for _, s := range list {
				if names[s.name()] {
					t.Errorf("two result columns named %s", s.name())
				}
				names[s.name()] = true
			}
		}
		for other, o := range c.Widgets {
			if id < other && w.Layout.overlaps(o.Layout) {
				t.Errorf("%s and %s lie on each other: %v %v", id, other, w.Layout, o.Layout)
			}
		}
	}
	if err := whole.Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
}

func TestActs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		acts []string
		want string
	}{
		// Maps have other wells by what they show.
		"map of areas":       {[]string{`{"kind":"add_widget","type":"map"}`, `{"kind":"set_layer","widget":"$","set":{"layer":"areas"}}`}, "map area=channel colour=sum net_sales «Net sales by channel»"},
		"areas and back":     {[]string{`{"kind":"add_widget","type":"map"}`, `{"kind":"set_layer","widget":"$","set":{"layer":"areas"}}`, `{"kind":"set_layer","widget":"$","set":{"layer":"points"}}`}, "map lat=at.latitude lon=at.longitude label=at.name size=sum net_sales «Net sales by name»"},
		"map of heat":        {[]string{`{"kind":"add_widget","type":"map"}`, `{"kind":"set_layer","widget":"$","set":{"layer":"heat"}}`}, "map lat=at.latitude lon=at.longitude label=at.name size=sum net_sales «Net sales by name»"},
		"pivot has sides":    {[]string{`{"kind":"add_widget","type":"pivot"}`, `{"kind":"drop_field","widget":"$","well":"across","field":"paid"}`}, "pivot rows=channel across=store,paid value=sum net_sales «Net sales by channel and store»"},
		"small charts":       {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"set_facet","widget":"$","set":{"facet":"paid"}}`}, "bar x=channel value=* facet=paid «Rows by channel and paid»"},
		"one chart again":    {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"set_facet","widget":"$","set":{"facet":"paid"}}`, `{"kind":"set_facet","widget":"$","set":{"facet":""}}`}, "bar x=channel value=* «Rows by channel»"},
		"facet goes by type": {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"set_facet","widget":"$","set":{"facet":"paid"}}`, `{"kind":"retype","widget":"$","type":"donut"}`}, "donut x=channel value=* «Rows by channel»"},
		// A field on the canvas makes a chart that suits it.
		"text makes a bar":           {[]string{`{"kind":"add_field","field":"channel"}`}, "bar x=channel value=* «Rows by channel»"},
		"number makes a KPI":         {[]string{`{"kind":"add_field","field":"net_sales"}`}, "kpi value=sum net_sales «Net sales»"},
		"rate is averaged":           {[]string{`{"kind":"add_field","field":"on_time_rate"}`}, "kpi value=avg on_time_rate «Mean on time rate»"},
		"price is averaged":          {[]string{`{"kind":"add_field","field":"unit_price"}`}, "kpi value=avg unit_price «Mean unit price»"},
		"date makes a line":          {[]string{`{"kind":"add_field","field":"order_date"}`}, "line x=order_date/auto value=* «Rows over time»"},
		"boolean makes a donut":      {[]string{`{"kind":"add_field","field":"paid"}`}, "donut x=paid value=* «Rows by paid»"},
		"id makes a bar":             {[]string{`{"kind":"add_field","field":"customer_id"}`}, "bar x=customer_id value=* «Rows by customer id»"},
		"saved measure makes a KPI":  {[]string{`{"kind":"add_field","field":"margin"}`}, "kpi value=margin «Margin»"},
		"rows make a KPI":            {[]string{`{"kind":"add_field","field":"*"}`}, "kpi value=* «Rows»"},
		"latitude makes a map":       {[]string{`{"kind":"add_field","field":"at.latitude"}`}, "map lat=at.latitude lon=at.longitude label=at.name size=* «Rows by name»"},
		"looked-up text makes a bar": {[]string{`{"kind":"add_field","field":"at.name"}`}, "bar x=at.name value=* «Rows by name»"},
		// A type takes the fields that say most.
		"new KPI":     {[]string{`{"kind":"add_widget","type":"kpi"}`}, "kpi value=sum net_sales «Net sales»"},
		"second KPI":  {[]string{`{"kind":"add_widget","type":"kpi"}`, `{"kind":"add_widget","type":"kpi"}`}, "kpi value=margin «Margin»"},
		"new line":    {[]string{`{"kind":"add_widget","type":"line"}`}, "line x=order_date/auto value=sum net_sales «Net sales over time»"},
		"new bar":     {[]string{`{"kind":"add_widget","type":"bar"}`}, "bar x=channel value=sum net_sales «Net sales by channel»"},
		"second bar":  {[]string{`{"kind":"add_widget","type":"bar"}`, `{"kind":"add_widget","type":"bar"}`}, "bar x=store value=sum net_sales «Net sales by store»"},
		"new stack":   {[]string{`{"kind":"add_widget","type":"stacked_bar"}`}, "stacked_bar x=order_date/auto value=sum net_sales series=channel «Net sales by channel»"},
		"new donut":   {[]string{`{"kind":"add_widget","type":"donut"}`}, "donut x=channel value=sum net_sales «Net sales by channel»"},
		"new heatmap": {[]string{`{"kind":"add_widget","type":"heatmap"}`}, "heatmap y=order_date/weekday x=order_date/month_of_year value=sum net_sales «Net sales by month and day of the week»"},
		"new table":   {[]string{`{"kind":"add_widget","type":"table"}`}, "table rows=channel value=sum net_sales,margin,sum orders «Net sales and margin by channel»"},
		"new map":     {[]string{`{"kind":"add_widget","type":"map"}`}, "map lat=at.latitude lon=at.longitude label=at.name size=sum net_sales «Net sales by name»"},
		// Fields in wells.
		"measure takes the place":     {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"net_sales"}`}, "bar x=channel value=sum net_sales «Net sales by channel»"},
		"dimension takes the place":   {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"x","field":"store"}`}, "bar x=store value=* «Rows by store»"},
		"text is counted":             {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"store"}`}, "bar x=channel value=count_distinct store «Distinct store by channel»"},
		"a divided bar is a stack":    {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","field":"store"}`}, "stacked_bar x=channel value=* series=store «Rows by channel and store»"},
		"a line is divided":           {[]string{`{"kind":"add_field","field":"order_date"}`, `{"kind":"drop_field","widget":"$","field":"channel"}`}, "line x=order_date/auto value=* series=channel «Rows by channel»"},
		"a second line, split":        {[]string{`{"kind":"add_field","field":"order_date"}`, `{"kind":"drop_field","widget":"$","field":"orders"}`, `{"kind":"drop_field","widget":"$","well":"series","field":"channel"}`}, "line x=order_date/auto value=* also=sum orders series=channel «Rows by channel»"},
		"a second line":               {[]string{`{"kind":"add_field","field":"order_date"}`, `{"kind":"drop_field","widget":"$","field":"orders"}`}, "line x=order_date/auto value=* also=sum orders «Rows and orders over time»"},
		"removed and dropped again":   {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"remove_field","widget":"$","well":"value","index":0}`, `{"kind":"drop_field","widget":"$","well":"value","field":"orders"}`}, "bar x=channel value=sum orders «Orders by channel»"},
		"empty widget":                {[]string{`{"kind":"add_field","field":"net_sales"}`, `{"kind":"remove_field","widget":"$","well":"value"}`}, "kpi «New KPI»"},
		"dropped into an empty chart": {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"remove_field","widget":"$","well":"value"}`, `{"kind":"remove_field","widget":"$","well":"x"}`, `{"kind":"drop_field","widget":"$","well":"x","field":"store"}`}, "bar x=store value=* «Rows by store»"},
		"removed x stays empty":       {[]string{`{"kind":"add_widget","type":"stacked_bar"}`, `{"kind":"remove_field","widget":"$","well":"x"}`}, "stacked_bar value=sum net_sales series=channel «New stacked bar chart»"},
		"grain":                       {[]string{`{"kind":"add_field","field":"order_date"}`, `{"kind":"set_field","widget":"$","well":"x","index":0,"set":{"grain":"week"}}`}, "line x=order_date/week value=* «Rows over time»"},
		"function":                    {[]string{`{"kind":"add_field","field":"net_sales"}`, `{"kind":"set_field","widget":"$","well":"value","index":0,"set":{"fn":"median"}}`}, "kpi value=median net_sales «Median net sales»"},
		"bin":                         {[]string{`{"kind":"add_field","field":"customer_id"}`, `{"kind":"set_field","widget":"$","well":"x","index":0,"set":{"bin":"500"}}`}, "bar x=customer_id/500 value=* «Rows by customer id»"},
		"label":                       {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"net_sales"}`, `{"kind":"set_field","widget":"$","well":"value","index":0,"set":{"as_label":"Takings"}}`}, "bar x=channel value=sum net_sales «Takings by channel»"},
		"two wells change places":     {[]string{`{"kind":"add_widget","type":"stacked_bar"}`, `{"kind":"drop_field","widget":"$","well":"x","from":{"well":"series","index":0}}`}, "stacked_bar x=channel value=sum net_sales series=order_date/auto «Net sales by channel»"},
		"a dimension becomes a value": {[]string{`{"kind":"add_widget","type":"table"}`, `{"kind":"drop_field","widget":"$","well":"rows","field":"store"}`, `{"kind":"drop_field","widget":"$","well":"value","from":{"well":"rows","index":1}}`}, "table rows=channel value=sum net_sales,margin,sum orders,count_distinct store «Net sales and margin by channel»"},
		"order of columns":            {[]string{`{"kind":"add_widget","type":"table"}`, `{"kind":"move_field","widget":"$","well":"value","index":0,"to":2}`}, "table rows=channel value=margin,sum orders,sum net_sales «Margin and orders by channel»"},
		"plain rows":                  {[]string{`{"kind":"add_widget","type":"table"}`, `{"kind":"drop_field","widget":"$","well":"columns","field":"paid"}`}, "table columns=channel,net_sales,orders,paid «sales_daily»"},
		"rows in groups again":        {[]string{`{"kind":"add_widget","type":"table"}`, `{"kind":"drop_field","widget":"$","well":"columns","field":"paid"}`, `{"kind":"drop_field","widget":"$","well":"rows","field":"store"}`}, "table rows=channel,paid,store value=sum net_sales,sum orders «Net sales and orders by channel and paid»"},
		// Another type shows the same.
		"bar to donut":             {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"retype","widget":"$","type":"donut"}`}, "donut x=channel value=* «Rows by channel»"},
		"bar to line and back":     {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"retype","widget":"$","type":"line"}`, `{"kind":"retype","widget":"$","type":"bar"}`}, "bar x=channel value=* «Rows by channel»"},
		"stack to line":            {[]string{`{"kind":"add_widget","type":"stacked_bar"}`, `{"kind":"retype","widget":"$","type":"line"}`}, "line x=order_date/auto value=sum net_sales series=channel «Net sales by channel»"},
		"stack to donut":           {[]string{`{"kind":"add_widget","type":"stacked_bar"}`, `{"kind":"retype","widget":"$","type":"donut"}`}, "donut x=channel value=sum net_sales «Net sales by channel»"},
		"KPI to line":              {[]string{`{"kind":"add_field","field":"net_sales"}`, `{"kind":"retype","widget":"$","type":"line"}`}, "line x=order_date/auto value=sum net_sales «Net sales over time»"},
		"KPI to bar":               {[]string{`{"kind":"add_field","field":"net_sales"}`, `{"kind":"retype","widget":"$","type":"bar"}`}, "bar x=channel value=sum net_sales «Net sales by channel»"},
		"bar to table":             {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"retype","widget":"$","type":"table"}`}, "table rows=channel value=* «Rows by channel»"},
		"rows to bar":              {[]string{`{"kind":"add_widget","type":"table"}`, `{"kind":"drop_field","widget":"$","well":"columns","field":"paid"}`, `{"kind":"retype","widget":"$","type":"bar"}`}, "bar x=channel value=sum net_sales «Net sales by channel»"},
		"bar to map":               {[]string{`{"kind":"add_field","field":"at.name"}`, `{"kind":"retype","widget":"$","type":"map"}`}, "map lat=at.latitude lon=at.longitude label=at.name size=* «Rows by name»"},
		"map to bar":               {[]string{`{"kind":"add_widget","type":"map"}`, `{"kind":"retype","widget":"$","type":"bar"}`}, "bar x=at.name value=sum net_sales «Net sales by name»"},
		"two measures, map":        {[]string{`{"kind":"add_widget","type":"map"}`, `{"kind":"drop_field","widget":"$","well":"colour","field":"on_time_rate"}`}, "map lat=at.latitude lon=at.longitude label=at.name size=sum net_sales colour=avg on_time_rate «Net sales by name»"},
		"types survive each other": {[]string{`{"kind":"add_widget","type":"stacked_bar"}`, `{"kind":"retype","widget":"$","type":"heatmap"}`, `{"kind":"retype","widget":"$","type":"area"}`, `{"kind":"retype","widget":"$","type":"stacked_bar"}`}, "stacked_bar x=order_date/auto value=sum net_sales series=channel «Net sales by channel»"},
		// What adds values up has a sum or a count of them.
		"mean bar to donut":     {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"unit_price"}`, `{"kind":"retype","widget":"$","type":"donut"}`}, "donut x=channel value=unit_price «Unit price given by channel»"},
		"median bar to treemap": {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"net_sales"}`, `{"kind":"set_field","widget":"$","well":"value","index":0,"set":{"fn":"median"}}`, `{"kind":"retype","widget":"$","type":"treemap"}`}, "treemap x=channel value=sum net_sales «Net sales by channel»"},
		"saved ratio to donut":  {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"margin"}`, `{"kind":"retype","widget":"$","type":"donut"}`}, "donut x=channel value=* «Rows by channel»"},
		"mean on a treemap":     {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"retype","widget":"$","type":"treemap"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"on_time_rate"}`}, "treemap x=channel value=on_time_rate «On time rate given by channel»"},
		"sum on a treemap":      {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"retype","widget":"$","type":"treemap"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"net_sales"}`}, "treemap x=channel value=sum net_sales «Net sales by channel»"},
		"mean bars are divided": {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"unit_price"}`, `{"kind":"drop_field","widget":"$","field":"store"}`}, "stacked_bar x=channel value=avg unit_price series=store «Mean unit price by channel and store»"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, sales, _ := shop()
			c, last := run(t, d, sales, tc.acts...)
			w := c.Widgets[last]
			if got := says(&w); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestActsRefuseInWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		acts []string
		want string // in the sentence
	}{
		"measure on an axis":     {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"x","field":"margin"}`}, "is a measure"},
		"a ratio on a donut":     {[]string{`{"kind":"add_widget","type":"donut"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"margin"}`}, "needs a sum or a count"},
		"the same twice":         {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","field":"channel"}`}, "already"},
		"text on a latitude":     {[]string{`{"kind":"add_widget","type":"map"}`, `{"kind":"drop_field","widget":"$","well":"lat","field":"channel"}`}, "numbers"},
		"unknown field":          {[]string{`{"kind":"add_field","field":"nothing"}`}, "no field"},
		"unknown type":           {[]string{`{"kind":"add_widget","type":"pie"}`}, "no type"},
		"unknown act":            {[]string{`{"kind":"explode"}`}, "does not know"},
		"a KPI is not divided":   {[]string{`{"kind":"add_field","field":"net_sales"}`, `{"kind":"drop_field","widget":"$","field":"channel"}`}, "not divided"},
		"sum of a text":          {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"store"}`, `{"kind":"set_field","widget":"$","well":"value","set":{"fn":"sum"}}`}, "can't be measured"},
		"week of a text":         {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"set_field","widget":"$","well":"x","set":{"grain":"week"}}`}, "can't be grouped"},
		"nothing there":          {[]string{`{"kind":"add_field","field":"channel"}`, `{"kind":"remove_field","widget":"$","well":"x","index":4}`}, "no such field at that place"},
		"no such widget":         {[]string{`{"kind":"remove_field","widget":"w","well":"x"}`}, "does not exist"},
		"filter by a measure":    {[]string{`{"kind":"add_control","field":"margin"}`}, "measure"},
		"the same control twice": {[]string{`{"kind":"add_control","field":"channel"}`, `{"kind":"add_control","field":"channel"}`}, "already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, sales, _ := shop()
			before, last := run(t, d, sales, tc.acts[:len(tc.acts)-1]...)
			var a Act
			if err := json.Unmarshal([]byte(strings.ReplaceAll(tc.acts[len(tc.acts)-1], "$", last)), &a); err != nil {
				t.Fatal(err)
			}
			_, _, err := d.act(before, a)
			if err == nil || !strings.Contains(sentence(err), tc.want) {
				t.Errorf("got %v, want a sentence with %q", err, tc.want)
			}
		})
	}
}

func TestTitlesOfPeopleStay(t *testing.T) {
	t.Parallel()
	d, sales, _ := shop()
	c, id := run(t, d, sales, `{"kind":"add_field","field":"channel"}`)
	w := c.Widgets[id]
	w.Title = "Where we sell"
	c.Widgets[id] = w
	next, _, err := d.act(c, Act{Kind: "drop_field", Widget: id, Well: "value", Field: "net_sales"})
	if err != nil {
		t.Fatal(err)
	}
	if got := next.Widgets[id].Title; got != "Where we sell" {
		t.Errorf("title became %q", got)
	}
}

func TestBarsShowTheLargestAndTheRest(t *testing.T) {
	t.Parallel()
	d, sales, _ := shop()
	c, id := run(t, d, sales, `{"kind":"add_field","field":"channel"}`)
	if q := c.Widgets[id].Query; q.Limit != 10 || !q.Other {
		t.Errorf("limit %d, other %v", q.Limit, q.Other)
	}
	c, id = run(t, d, sales, `{"kind":"add_field","field":"channel"}`, `{"kind":"drop_field","widget":"$","well":"x","field":"order_date"}`)
	if q := c.Widgets[id].Query; q.Limit != 0 || q.Other {
		t.Errorf("over time: limit %d, other %v", q.Limit, q.Other)
	}
}

func TestFirstWidgetChoosesTheDataset(t *testing.T) {
	t.Parallel()
	d, sales, stores := shop()
	c, id := run(t, d, ids.Dataset{}, fmt.Sprintf(`{"kind":"add_field","field":"channel","dataset":%q}`, sales))
	if c.Dataset != sales || !c.Widgets[id].Query.Dataset.IsZero() {
		t.Errorf("dataset %s, widget's %s", c.Dataset, c.Widgets[id].Query.Dataset)
	}
	c, id = run(t, d, sales, fmt.Sprintf(`{"kind":"add_field","field":"name","dataset":%q}`, stores))
	if c.Widgets[id].Query.Dataset != stores {
		t.Errorf("the widget does not ask its own dataset")
	}
	c, id = run(t, d, sales, `{"kind":"add_field","field":"net_sales"}`, fmt.Sprintf(`{"kind":"set_dataset","widget":"$","dataset":%q}`, stores))
	if w := c.Widgets[id]; w.Query.Dataset != stores || !w.SetUp() {
		t.Errorf("after the change of dataset: %s, %+v", says(&w), w.Query)
	}
	if _, _, err := d.act(Config{Schema: Schema, Widgets: map[string]Widget{}}, Act{Kind: "add_widget", Type: charts.Bar}); !errors.Is(err, ErrAct) {
		t.Errorf("without a dataset: %v", err)
	}
}

func TestWidgetsFindTheirPlaces(t *testing.T) {
	t.Parallel()
	d, sales, _ := shop()
	kpi := `{"kind":"add_widget","type":"kpi"}`
	c, id := run(t, d, sales, kpi, kpi, kpi, `{"kind":"add_widget","type":"line"}`, kpi)
	if got, want := c.Widgets[id].Layout, (Layout{X: 9, Y: 0, W: 3, H: 3}); got != want {
		t.Errorf("gap in the first row: got %v", got)
	}
	// A drop makes room below it.
	c, id = run(t, d, sales, `{"kind":"add_widget","type":"line"}`, `{"kind":"add_field","field":"channel","at":{"x":2,"y":1}}`)
	if got := c.Widgets[id].Layout; got.X != 2 || got.Y != 1 {
		t.Errorf("dropped at 2, 1; lies at %v", got)
	}
	// Beyond the edge it is moved in.
	c, id = run(t, d, sales, `{"kind":"add_widget","type":"line","at":{"x":11,"y":-3,"w":40,"h":1}}`)
	if got := c.Widgets[id].Layout; got != (Layout{W: 12, H: 5}) {
		t.Errorf("lies at %v", got)
	}
}

func TestCopies(t *testing.T) {
	t.Parallel()
	d, sales, stores := shop()
	c, id := run(t, d, sales, `{"kind":"add_field","field":"channel"}`, `{"kind":"duplicate","widgets":["$"]}`)
	if len(c.Widgets) != 2 {
		t.Fatalf("%d widgets", len(c.Widgets))
	}
	w := c.Widgets[id]
	raw, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	c, _ = run(t, d, stores, fmt.Sprintf(`{"kind":"paste","widgets":[%s,%s]}`, strings.Replace(string(raw), `"query":{`, `"query":{"dataset":"`+sales.String()+`",`, 1),
		strings.Replace(string(raw), `"query":{`, `"query":{"dataset":"`+sales.String()+`",`, 1)))
	if len(c.Widgets) != 2 {
		t.Fatalf("%d widgets after paste", len(c.Widgets))
	}
	// From far below it comes to the end of what is there.
	c, id = run(t, d, stores, `{"kind":"add_widget","type":"kpi"}`, fmt.Sprintf(`{"kind":"paste","widgets":[%s]}`, strings.Replace(strings.Replace(string(raw), `"y":0`, `"y":40`, 1),
		`"query":{`, `"query":{"dataset":"`+sales.String()+`",`, 1)))
	if got := c.Widgets[id].Layout; got.Y != 3 {
		t.Errorf("pasted at %v", got)
	}
	var a Act
	if err := json.Unmarshal([]byte(`{"kind":"paste","widgets":[{"type":"bar","onclick":"x"}]}`), &a); err == nil || !strings.Contains(err.Error(), `What was pasted is no widget: "onclick" is not a property that it can have.`) {
		t.Errorf("an unknown key was pasted: %v", err)
	}
	if _, _, err := d.act(c, Act{Kind: "paste", Pasted: []Widget{{Title: "x"}}}); err == nil {
		t.Error("a widget without a type was pasted")
	}
}

func TestFiltersOfAWidget(t *testing.T) {
	t.Parallel()
	d, sales, _ := shop()
	c, id := run(t, d, sales, `{"kind":"add_field","field":"net_sales"}`, `{"kind":"add_filter","widget":"$","field":"channel"}`,
		`{"kind":"set_filter","widget":"$","index":0,"set":{"op":"in","values":"web, shop"}}`,
		`{"kind":"add_filter","widget":"$","field":"orders"}`, `{"kind":"set_filter","widget":"$","index":1,"set":{"op":">","values":"3"}}`)
	filters := c.Widgets[id].Query.Filters
	if len(filters) != 2 || filters[0].Op != "in" || len(filters[0].Values) != 2 || string(filters[1].Values[0]) != "3" {
		t.Errorf("filters: %+v", filters)
	}
	if _, _, err := d.act(c, Act{Kind: "set_filter", Widget: id, Index: ptr(1), Set: FieldSetting{Values: ptr("many")}}); !errors.Is(err, ErrAct) {
		t.Errorf("a word for a number: %v", err)
	}
	c, id = run(t, d, sales, `{"kind":"add_field","field":"net_sales"}`, `{"kind":"add_filter","widget":"$","field":"channel"}`, `{"kind":"remove_filter","widget":"$","index":0}`,
		`{"kind":"add_control","field":"at.name"}`)
	if len(c.Widgets[id].Query.Filters) != 0 || len(c.Filters) != 1 {
		t.Errorf("%+v %+v", c.Widgets[id].Query.Filters, c.Filters)
	}
}

// What an act expects at a place is found where it stands by now, or nowhere:
// never is another one taken for it.
func TestActsFindWhatTheyMean(t *testing.T) {
	t.Parallel()
	d, sales, _ := shop()
	c, id := run(t, d, sales, `{"kind":"add_widget","type":"table"}`, `{"kind":"drop_field","widget":"$","well":"value","field":"net_sales","index":0}`,
		`{"kind":"add_filter","widget":"$","field":"channel"}`, `{"kind":"add_filter","widget":"$","field":"orders"}`, `{"kind":"add_filter","widget":"$","field":"orders","filter":{"op":">","values":[3]}}`)
	w := c.Widgets[id]
	values := fillOf(&w)["value"]
	if len(values) < 2 {
		t.Fatalf("the table has %d values", len(values))
	}
	last := values[len(values)-1].name()
	act := func(text string) (Config, error) {
		t.Helper()
		var a Act
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "$", id)), &a); err != nil {
			t.Fatal(err)
		}
		next, _, err := d.act(c, a)
		return next, err
	}
	next, err := act(`{"kind":"remove_field","widget":"$","well":"value","index":0,"expect":"` + last + `"}`)
	if w := next.Widgets[id]; err != nil || slices.ContainsFunc(fillOf(&w)["value"], func(s slot) bool { return s.name() == last }) || len(fillOf(&w)["value"]) != len(values)-1 {
		t.Errorf("removed another field than %s: %v", last, err)
	}
	for _, gone := range []string{
		`{"kind":"remove_field","widget":"$","well":"value","index":0,"expect":"gone"}`,
		`{"kind":"move_field","widget":"$","well":"value","index":0,"to":1,"expect":"gone"}`,
		`{"kind":"set_field","widget":"$","well":"value","index":0,"set":{"desc":true},"expect":"gone"}`,
		`{"kind":"drop_field","widget":"$","well":"rows","from":{"well":"value","index":0,"expect":"gone"}}`,
		`{"kind":"remove_filter","widget":"$","index":0,"expect":"gone"}`,
		`{"kind":"remove_filter","widget":"$","index":1,"expect":"orders"}`, // there are two
		`{"kind":"set_filter","widget":"$","index":1,"set":{"op":"is_empty"},"expect":"orders"}`,
	} {
		if _, err := act(gone); !errors.Is(err, ErrAct) {
			t.Errorf("%s: %v", gone, err)
		}
	}
	names := w.Query.FilterNames()
	next, err = act(fmt.Sprintf(`{"kind":"remove_filter","widget":"$","index":0,"expect":%q}`, names[2]))
	if left := next.Widgets[id].Query.Filters; err != nil || len(left) != 2 || left[1].Op == ">" {
		t.Errorf("filters %+v, %v", left, err)
	}
}

// Reading wells and writing them back changes nothing of what is drawn.
func TestWellsAreAView(t *testing.T) {
	t.Parallel()
	all := map[string]Config{}
	for name, f := range exampleFacts() {
		all[name] = Suggest(f)
	}
	for i, d := range DemoFlights(DemoDatasets{Flights: ids.New[ids.Dataset](), Replay: ids.New[ids.Dataset]()}) {
		all[fmt.Sprint("demo ", i)] = d.Config
	}
	for name, c := range all {
		for id, w := range c.Widgets {
			again, err := w.clone()
			if err != nil {
				t.Fatal(err)
			}
			fillOf(&again).write(&again)
			drawn := func(w *Widget) []string {
				var list []string
				f := fillOf(w)
				for _, one := range w.wells() {
					for _, s := range f[one.name] {
						list = append(list, one.name+"="+s.name())
					}
				}
				return list
			}
			if !slices.Equal(drawn(&w), drawn(&again)) || len(w.Query.Measures) != len(again.Query.Measures) || len(w.Query.Dimensions) != len(again.Query.Dimensions) {
				t.Errorf("%s %s: %v became %v", name, id, drawn(&w), drawn(&again))
			}
			if !w.SetUp() {
				t.Errorf("%s %s: reads as not set up", name, id)
			}
		}
	}
}

func TestReferenceLines(t *testing.T) {
	t.Parallel()
	d, home, _ := shop()
	c, id := run(t, d, home, `{"kind":"add_field","field":"channel"}`, `{"kind":"add_line","widget":"$"}`,
		`{"kind":"set_line","widget":"$","index":0,"expect":"average ","set":{"op":"value"}}`,
		`{"kind":"set_line","widget":"$","index":0,"expect":"value 0","set":{"from":"1,500"}}`,
		`{"kind":"set_line","widget":"$","index":0,"expect":"value 1500","set":{"as_label":"Goal"}}`,
		`{"kind":"add_line","widget":"$"}`,
		`{"kind":"set_line","widget":"$","index":1,"set":{"op":"date"}}`,
		`{"kind":"set_line","widget":"$","index":1,"set":{"from":"2026-06-14"}}`)
	lines := c.Widgets[id].Encode.Lines
	if len(lines) != 2 || LineName(lines[0]) != "value 1500" || lines[0].Label != "Goal" || LineName(lines[1]) != "date 2026-06-14" {
		t.Errorf("lines %+v", lines)
	}
	for _, bad := range []string{`{"kind":"set_line","index":1,"set":{"from":"14.6."}}`, `{"kind":"set_line","index":0,"set":{"from":"many"}}`,
		`{"kind":"set_line","index":5,"set":{"op":"average"}}`, `{"kind":"remove_line","index":0,"expect":"value 7"}`, `{"kind":"set_layer","set":{"layer":"heat"}}`} {
		a := Act{}
		if err := json.Unmarshal([]byte(bad), &a); err != nil {
			t.Fatal(err)
		}
		a.Widget = id
		if _, _, err := d.act(c, a); !errors.Is(err, ErrAct) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Weeks of a column "day" are not called "Day", in a head as in a title.
func TestNamesOfGrains(t *testing.T) {
	t.Parallel()
	sc := &schema{}
	for _, tc := range []struct{ column, grain, label, within string }{
		{"day", "day", "Day", "day"},
		{"day", "week", "Week", "week"},
		{"Date", "month", "Month", "month"},
		{"week", "week", "Week", "week"},
		{"order_date", "week", "Order date", "order date"},
		{"day", "weekday", "Day of the week", "day of the week"},
		{"day", AutoGrain, "Day", "day"},
	} {
		d := warehouse.Dimension{Column: tc.column, Grain: tc.grain, As: "d"}
		if label, within := dimensionLabel(d), sc.dimensionWithin(d); label != tc.label || within != tc.within {
			t.Errorf("%+v: %q and %q, want %q and %q", d, label, within, tc.label, tc.within)
		}
		if got := sc.names(&Query{Dimensions: []warehouse.Dimension{d}})["d"]; got != tc.label {
			t.Errorf("%+v: the head is %q, want %q", d, got, tc.label)
		}
	}
}
