package dashboards

import (
	"sort"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// exampleFacts are datasets as people have them.
func exampleFacts() map[string]Facts {
	text := func(name string, distinct int64) ColumnFacts {
		return ColumnFacts{Name: name, Type: warehouse.Text, Distinct: distinct, Filled: 10_000}
	}
	number := func(name string, t warehouse.Type, distinct int64, least, most float64) ColumnFacts {
		return ColumnFacts{Name: name, Type: t, Distinct: distinct, Filled: 10_000, Min: least, Max: most}
	}
	at := ColumnFacts{Name: "InvoiceDate", Type: warehouse.Timestamp, Distinct: 9000, Filled: 10_000}
	lat, lon := number("latitude", warehouse.Float, 3000, -60, 70), number("longitude", warehouse.Float, 3000, -180, 180)
	lat.Role, lon.Role = "latitude", "longitude"
	share := number("discounted", warehouse.Float, 100, 0, 1)
	share.Format = datasets.Format{Style: "percent"}
	euros, rebate := number("Netto €", warehouse.Decimal, 9000, 20, 2300), number("Rabatt %", warehouse.Decimal, 31, 0, 0.3)
	euros.Format, rebate.Format = datasets.Format{Style: "currency", Currency: "EUR"}, datasets.Format{Style: "percent"}
	scale := text("age_group", 5)
	scale.Ordered = true
	return map[string]Facts{
		"retail": {Dataset: ids.New[ids.Dataset](), Name: "Retail", Rows: 10_000, TimeColumn: "InvoiceDate", Days: 373, Hours: true, Columns: []ColumnFacts{
			number("Invoice", warehouse.Integer, 2000, 489434, 538171), text("StockCode", 3000), text("Description", 3500), at,
			number("Quantity", warehouse.Integer, 300, 1, 9000), number("unit_price", warehouse.Decimal, 800, 0, 25111),
			number("Customer ID", warehouse.Integer, 4000, 12346, 18287), text("Country", 28), share}},
		"weather": {Dataset: ids.New[ids.Dataset](), Name: "Weather", Rows: 1461, TimeColumn: "date", Days: 1461, Columns: []ColumnFacts{
			{Name: "date", Type: warehouse.Date, Distinct: 1461, Filled: 1461}, number("precipitation", warehouse.Float, 111, 0, 55),
			number("temp_max", warehouse.Float, 67, -1.6, 35.6), number("wind", warehouse.Float, 79, 0.4, 9.5), text("weather", 5)}},
		"earthquakes": {Dataset: ids.New[ids.Dataset](), Name: "Earthquakes", Rows: 10_000, TimeColumn: "at", Days: 18_000, Hours: true, Columns: []ColumnFacts{
			{Name: "at", Type: warehouse.Timestamp, Distinct: 9999, Filled: 10_000}, lat, lon, number("Magnitude", warehouse.Float, 40, 5.5, 9.1), text("place", 6000)}},
		"supplier prices": {Dataset: ids.New[ids.Dataset](), Name: "Prices", Rows: 10_000, TimeColumn: "valid_from", Days: 179, Columns: []ColumnFacts{
			text("sku", 10_000), text("description", 6), number("unit_cost", warehouse.Decimal, 8000, 5, 250), {Name: "valid_from", Type: warehouse.Date, Distinct: 168, Filled: 10_000},
			number("lead_time_days", warehouse.Integer, 4, 7, 30), text("region", 4)}},
		"returns": {Dataset: ids.New[ids.Dataset](), Name: "Returns", Rows: 10_000, TimeColumn: "InvoiceDate", Days: 373, Columns: []ColumnFacts{
			text("Invoice", 2800), text("StockCode", 4600), text("Description", 4700), at, number("Quantity", warehouse.Integer, 800, -9600, 19152),
			number("Price", warehouse.Decimal, 1600, -53594, 25111), text("Country", 40)}},
		"amounts": {Dataset: ids.New[ids.Dataset](), Name: "Verkäufe", Rows: 10_000, TimeColumn: "Datum", Days: 330, Columns: []ColumnFacts{
			{Name: "Datum", Type: warehouse.Date, Distinct: 330, Filled: 10_000}, text("Filiale", 6), text("Warengruppe", 5), number("Menge", warehouse.Integer, 9, 1, 9),
			euros, rebate, {Name: "Storniert", Type: warehouse.Boolean, Distinct: 2, Filled: 10_000}}},
		"sensors": {Dataset: ids.New[ids.Dataset](), Name: "Sensors", Rows: 10_000, TimeColumn: "ts", Days: 14, Hours: true, Columns: []ColumnFacts{
			{Name: "ts", Type: warehouse.Timestamp, Distinct: 9000, Filled: 10_000}, text("sensor_id", 12), text("site", 3), number("temperature_c", warehouse.Float, 300, -4, 31),
			number("humidity_pct", warehouse.Float, 300, 12, 93), text("status", 2), number("lat", warehouse.Float, 3, -36.8, 59.9), number("lon", warehouse.Float, 3, 10.7, 174.8)}},
		"survey": {Dataset: ids.New[ids.Dataset](), Name: "Survey", Rows: 900, TimeColumn: "answered_on", Days: 60, Columns: []ColumnFacts{
			text("respondent", 10_000), {Name: "answered_on", Type: warehouse.Date, Distinct: 60, Filled: 10_000}, scale, text("region", 4),
			number("satisfaction", warehouse.Integer, 5, 1, 5), number("nps", warehouse.Integer, 11, 0, 10)}},
		"log": {Dataset: ids.New[ids.Dataset](), Name: "Log", Rows: 10_000, TimeColumn: "at", Days: 7, Hours: true, Columns: []ColumnFacts{
			{Name: "at", Type: warehouse.Timestamp, Distinct: 9999, Filled: 10_000}, text("level", 3), text("service", 4), number("status", warehouse.Integer, 5, 200, 503), text("message", 9800)}},
		"balances": {Dataset: ids.New[ids.Dataset](), Name: "Accounts", Rows: 1200, Columns: []ColumnFacts{
			number("account_no", warehouse.Integer, 10_000, 1e7, 2e7), text("branch", 4), number("balance_gbp", warehouse.Decimal, 9000, -9000, 20_000)}},
		"people": {Dataset: ids.New[ids.Dataset](), Name: "People", Rows: 500, Columns: []ColumnFacts{text("name", 500), text("city", 40), number("age", warehouse.Integer, 70, 1, 99), number("zip", warehouse.Integer, 300, 1000, 99999)}},
		"plan and actual": {Dataset: ids.New[ids.Dataset](), Name: "Budget", Rows: 192, TimeColumn: "Month", Days: 1431, Columns: []ColumnFacts{{Name: "Month", Type: warehouse.Date, Distinct: 48, Filled: 192},
			text("Department", 4), number("Plan", warehouse.Integer, 190, 120_000, 210_000), number("Actual", warehouse.Integer, 138, 110_000, 199_000)}},
		"one row":             {Dataset: ids.New[ids.Dataset](), Name: "One", Rows: 1, Columns: []ColumnFacts{{Name: "a", Type: warehouse.Text, Distinct: 1, Filled: 1}}},
		"nothing but numbers": {Dataset: ids.New[ids.Dataset](), Name: "N", Rows: 10_000, Columns: []ColumnFacts{number("x", warehouse.Float, 9000, 0, 1), number("y", warehouse.Float, 9000, -1, 1)}},
	}
}

func TestSuggestionsAreRight(t *testing.T) {
	for name, tc := range map[string]struct {
		types  string   // of the widgets, in reading order
		has    []string // "fn column"
		hasNot []string // columns that must not be measured
	}{
		"retail":              {"kpi kpi kpi kpi line bar heatmap table", []string{"sum Quantity", "avg unit_price", "avg discounted"}, []string{"Invoice", "Customer ID"}},
		"weather":             {"kpi kpi kpi kpi line bar table", []string{"sum precipitation", "avg temp_max", "avg wind"}, nil},
		"earthquakes":         {"kpi kpi line heatmap map table", []string{"avg Magnitude"}, []string{"latitude", "longitude"}},
		"supplier prices":     {"kpi kpi kpi line line bar donut table", []string{"avg unit_cost", "avg lead_time_days"}, nil},
		"returns":             {"kpi kpi kpi line bar table", []string{"sum Quantity", "avg Price"}, nil},
		"amounts":             {"kpi kpi kpi kpi line bar donut bar table", []string{"sum Netto €", "sum Menge", "avg Rabatt %"}, nil},
		"sensors":             {"kpi kpi kpi line line bar donut bar heatmap map table", []string{"avg temperature_c", "avg humidity_pct"}, []string{"lat", "lon"}},
		"survey":              {"kpi kpi kpi line line bar donut table", []string{"avg satisfaction", "avg nps"}, nil},
		"log":                 {"kpi line bar donut bar heatmap table", nil, []string{"status"}},
		"balances":            {"kpi kpi bar table", []string{"sum balance_gbp"}, []string{"account_no"}},
		"people":              {"kpi kpi bar table", []string{"avg age"}, []string{"zip"}},
		"plan and actual":     {"kpi kpi kpi line bar table", []string{"sum Plan", "sum Actual"}, nil},
		"one row":             {"kpi table", nil, []string{"a"}},
		"nothing but numbers": {"kpi kpi kpi table", []string{"avg x", "avg y"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := Suggest(exampleFacts()[name])
			var types []string
			measured := map[string]bool{}
			for _, id := range c.Order() {
				w := c.Widgets[id]
				types = append(types, string(w.Type))
				for _, m := range w.Query.Measures {
					if m.Column != "" {
						measured[m.Fn+" "+m.Column] = true
					}
				}
			}
			if got := strings.Join(types, " "); got != tc.types {
				t.Errorf("widgets: %s\n   want: %s", got, tc.types)
			}
			for _, want := range tc.has {
				if !measured[want] {
					t.Errorf("does not show %q, only %v", want, keysOf(measured))
				}
			}
			for _, column := range tc.hasNot {
				for have := range measured {
					if strings.HasSuffix(have, " "+column) {
						t.Errorf("measures %q", have)
					}
				}
			}
			if c.Settings.Date.Column == "-" && len(c.Widgets) > 0 {
				for _, w := range c.Widgets {
					if w.Type == charts.Line || w.Type == charts.Heatmap {
						t.Error("a course without a time column")
					}
				}
			}
		})
	}
}

// TestSuggestionsLeadWithWhatMatters looks at what a person sees first.
func TestSuggestionsLeadWithWhatMatters(t *testing.T) {
	for name, want := range map[string]string{
		"amounts":  "Netto € | Menge | Rows | Mean Rabatt % | Netto € over time | Netto € by Filiale | Netto € by Warengruppe | Netto € by Storniert | Filiale",
		"sensors":  "Mean temperature c | Mean humidity pct | Rows | Mean temperature c by site over time | Mean humidity pct by site over time | Mean temperature c by site | Rows by status | Mean temperature c by sensor id | Mean temperature c by day and hour | Mean temperature c by place | Site",
		"survey":   "Mean satisfaction | Mean nps | Rows | Mean satisfaction over time | Mean nps over time | Mean satisfaction by age group | Rows by region | Age group",
		"log":      "Rows | Rows over time | Rows by level | Rows by service | Rows by status | Rows by day and hour | Level",
		"balances": "Balance gbp | Rows | Balance gbp by branch | Branch",
	} {
		c := Suggest(exampleFacts()[name])
		var titles []string
		filled := map[int]int{} // columns of a row of the grid that are taken
		for _, id := range c.Order() {
			w := c.Widgets[id]
			titles = append(titles, w.Title)
			for y := w.Layout.Y; y < w.Layout.Y+w.Layout.H; y++ {
				filled[y] += w.Layout.W
			}
			if w.Type == charts.Bar && w.Layout.W > 8 {
				t.Errorf("%s: %q is %d columns wide", name, w.Title, w.Layout.W)
			}
			for _, d := range w.Query.Dimensions {
				if name == "survey" && w.Type == charts.Bar && d.Column == "age_group" && (len(w.Query.Order) == 0 || w.Query.Order[0].By != "age_group") {
					t.Errorf("%q is not in the order of the ages", w.Title)
				}
				if w.Type == charts.Map && d.Column == "sensor_id" {
					t.Errorf("%q has a dot for each sensor that stands there", w.Title)
				}
			}
		}
		if got := strings.Join(titles, " | "); got != want {
			t.Errorf("%s: %s\n   want: %s", name, got, want)
		}
		for y, n := range filled {
			if n != GridColumns {
				t.Errorf("%s: row %d has %d columns", name, y, n)
			}
		}
	}
}

func keysOf(m map[string]bool) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
