package dashboards

import (
	"context"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Facts are what a suggestion goes by: the columns of a dataset with what is
// in them.
type Facts struct {
	Dataset    ids.Dataset
	Name       string
	Rows       int64
	TimeColumn string // "" for none
	Days       int    // that the time column spans
	Hours      bool   // the time column tells hours apart
	Relative   bool   // relative dates count from the newest row
	Columns    []ColumnFacts
}

// ColumnFacts is one column.
type ColumnFacts struct {
	Name     string
	Type     warehouse.Type
	Role     string
	Format   datasets.Format
	Distinct int64
	Filled   int64 // rows with a value
	Min, Max float64
}

// CreateSuggested makes a first dashboard for a dataset out of its columns.
//
// Errors: datasets.not_found, dashboards.nothing_to_show.
func (s *Service) CreateSuggested(ctx context.Context, actor access.Actor, dataset ids.Dataset) (Dashboard, error) {
	name, config, err := s.suggest(ctx, actor, dataset)
	if err != nil {
		return Dashboard{}, err
	}
	return s.Create(ctx, actor, NewDashboard{Name: clipName(name), Config: config})
}

// PreviewSuggested answers what CreateSuggested would make.
//
// Errors: datasets.not_found, dashboards.nothing_to_show.
func (s *Service) PreviewSuggested(ctx context.Context, actor access.Actor, dataset ids.Dataset) (Config, error) {
	_, config, err := s.suggest(ctx, actor, dataset)
	return config, err
}

func (s *Service) suggest(ctx context.Context, actor access.Actor, dataset ids.Dataset) (name string, c Config, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return "", Config{}, err
	}
	facts, err := s.facts(ctx, actor, dataset)
	if err != nil {
		return "", Config{}, err
	}
	if len(facts.Columns) == 0 {
		return "", Config{}, ErrNoColumns
	}
	return facts.Name, Suggest(facts), nil
}

// facts asks the dataset about its columns, in one query and one more for the
// hours.
func (s *Service) facts(ctx context.Context, actor access.Actor, id ids.Dataset) (Facts, error) {
	d, err := s.datasets.Get(ctx, actor, id)
	if err != nil {
		return Facts{}, err
	}
	snapshot, err := s.datasets.Snapshot(ctx, actor, []ids.Dataset{id})
	if err != nil {
		return Facts{}, err
	}
	sc := schema{Dataset: d}
	f := Facts{Dataset: id, Name: d.Name, TimeColumn: sc.timeColumn(), Relative: d.RelativeToNewest}
	ask := func(spec warehouse.Spec) (*warehouse.Result, error) {
		spec.Dataset, spec.Timezone = id.String(), actor.Location().String()
		r, err := s.datasets.Query(ctx, actor, datasets.QueryRequest{Spec: spec, Snapshot: snapshot, Exact: true, Now: s.clock()})
		if err != nil {
			return nil, fmt.Errorf("look at the columns of %s: %w", d.Name, err)
		}
		return r, nil
	}
	spec := warehouse.Spec{Measures: []warehouse.Measure{{Fn: "count", As: "rows"}}}
	columns := d.Columns[:min(len(d.Columns), 60)]
	for i, c := range columns {
		add := func(fn, suffix string) {
			spec.Measures = append(spec.Measures, warehouse.Measure{Fn: fn, Column: c.Name, As: fmt.Sprintf("%s%d", suffix, i)})
		}
		add("count", "n")
		add("count_distinct", "d")
		if numeric(c.Type) || temporal(c.Type) {
			add("min", "a")
			add("max", "z")
		}
	}
	r, err := ask(spec)
	if err != nil {
		return Facts{}, err
	}
	at := func(name string) float64 {
		for i := range r.Columns {
			c := &r.Columns[i]
			if c.Name != name || r.Rows == 0 || c.IsNull(0) {
				continue
			}
			if c.Floats != nil {
				return c.Floats[0]
			}
			if c.Ints != nil {
				return float64(c.Ints[0])
			}
		}
		return 0
	}
	f.Rows = int64(at("rows"))
	for i, c := range columns {
		one := ColumnFacts{Name: c.Name, Type: c.Type, Role: c.Role, Format: c.Format,
			Filled: int64(at(fmt.Sprintf("n%d", i))), Distinct: int64(at(fmt.Sprintf("d%d", i))),
			Min: at(fmt.Sprintf("a%d", i)), Max: at(fmt.Sprintf("z%d", i))}
		f.Columns = append(f.Columns, one)
		if f.TimeColumn == "" && temporal(c.Type) && one.Distinct > 1 {
			f.TimeColumn = c.Name
		}
	}
	for _, c := range f.Columns {
		if c.Name != f.TimeColumn {
			continue
		}
		f.Days = int((c.Max-c.Min)/86_400e6) + 1
		if c.Type == warehouse.Date {
			f.Days = int(c.Max-c.Min) + 1
			break
		}
		hours, err := ask(warehouse.Spec{Dimensions: []warehouse.Dimension{{Column: c.Name, Grain: "hour_of_day", As: "h"}},
			Measures: []warehouse.Measure{{Fn: "count", As: "n"}}})
		if err != nil {
			return Facts{}, err
		}
		f.Hours = hours.Rows > 3
	}
	return f, nil
}

func numeric(t warehouse.Type) bool {
	return t == warehouse.Integer || t == warehouse.Float || t == warehouse.Decimal
}

func temporal(t warehouse.Type) bool {
	return t == warehouse.Date || t == warehouse.Timestamp || t == warehouse.TimestampTZ
}

// Words by which a column tells what it measures. They are looked for as whole
// words of its name.
var (
	wordsOfIDs = wordSet("id ids key code zip zipcode postcode postal phone uuid guid index idx number no row rownames rownum " +
		"ssn isbn ean sku barcode concept fips line seq sequence version lat lon lng latitude longitude " +
		"plz nr nummer kennung schlüssel telefon iban")
	// A text that names documents tells them apart and nothing else.
	wordsOfDocuments = wordSet("invoice order orders transaction receipt ticket booking reference ref")
	wordsOfTime      = wordSet("year month day hour minute week weekday quarter")
	wordsOfSums      = wordSet("amount amounts total totals sales revenue turnover income quantity qty count counts cost costs profit loss " +
		"units spend spent budget fee fees tax payment payments paid refund refunds passengers visitors visits clicks impressions " +
		"orders items sold bytes downloads views calls rain rainfall precipitation consumption energy deaths births cases persons " +
		"population employed exports imports discount charge charges donation donations points goals distance miles kilometres duration minutes seconds hours " +
		"umsatz umsätze erlös erlöse betrag summe menge anzahl stück kosten gewinn gebühr rabatt steuer absatz besucher bestand " +
		"montant quantité nombre ventes coût importe cantidad ventas ingresos")
	wordsOfMeans = wordSet("rate ratio percent percentage pct share average avg mean median temperature temp temperatures humidity " +
		"pressure wind speed price unitprice rating score grade age delay latency depth magnitude mag height weight width length bmi " +
		"index level ph salary wage margin yield efficiency accuracy probability per tenure lag " +
		"preis stückpreis einzelpreis rate quote anteil prozent durchschnitt mittelwert temperatur alter bewertung note gewicht " +
		"prix taux moyenne âge precio tasa promedio edad")
)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

var nameWords = regexp.MustCompile(`\p{Lu}?\p{Ll}+|\p{Lu}+|[0-9]+`)

func wordsOf(name string) []string {
	var words []string
	for _, w := range nameWords.FindAllString(name, -1) {
		words = append(words, strings.ToLower(w))
	}
	return words
}

func hasWord(name string, set map[string]bool) bool {
	for _, w := range wordsOf(name) {
		if set[w] {
			return true
		}
	}
	return false
}

// isMeasure tells whether numbers of a column are for calculating, not for
// naming things.
func (f *Facts) isMeasure(c ColumnFacts) bool {
	switch {
	case !numeric(c.Type) || c.Role != "" || c.Distinct < 2 || c.Filled == 0:
		return false
	case hasWord(c.Name, wordsOfMeans) && !hasWord(c.Name, wordSet("id key code")):
		return true
	case hasWord(c.Name, wordsOfIDs) || hasWord(c.Name, wordsOfTime) && !hasWord(c.Name, wordsOfSums):
		return false
	case c.Type == warehouse.Integer && c.Distinct == c.Filled && f.Rows > 50 && c.Max-c.Min == float64(c.Filled-1):
		return false // numbered through
	case c.Type == warehouse.Integer && !hasWord(c.Name, wordsOfSums) && c.Min >= 1000 && c.Max < 2*c.Min:
		return false // numbers of invoices, years: large, and all alike
	}
	return true
}

// telling ranks measures: amounts first, then what says what it is, then the rest.
func (f *Facts) telling(c ColumnFacts) int {
	switch {
	case f.aggregate(c) == "sum":
		return 2
	case c.Format.Style != "" || hasWord(c.Name, wordsOfMeans) || better(c.Name) != "":
		return 1
	}
	return 0
}

// aggregate is the function that says something true about a measure: sums of
// what can be added up, means of everything else.
func (f *Facts) aggregate(c ColumnFacts) string {
	words := wordsOf(c.Name)
	switch {
	case c.Format.Style == "percent" || hasWord(c.Name, wordsOfMeans):
		return "avg"
	case hasWord(c.Name, wordSet("unit")):
		return "avg" // of one: "unit_cost" adds up to nothing
	case len(words) > 0 && hasWord(c.Name, wordsOfSums) && c.Min >= 0:
		return "sum"
	case hasWord(c.Name, wordSet("profit loss amount total balance quantity qty sales revenue turnover umsatz betrag menge gewinn verlust")):
		return "sum"
	case c.unknown(), c.Min >= 0 && c.Max >= 10*max(c.Min, 1):
		return "sum" // no name to go by: amounts begin near nothing and reach far
	}
	return "avg"
}

// unknown tells that nobody looked into the column.
func (c *ColumnFacts) unknown() bool {
	return c.Filled == 10*unknownDistinct && c.Distinct == unknownDistinct
}

// better is which direction of a measure is good, where its name says so.
func better(name string) string {
	switch {
	case hasWord(name, wordSet("delay latency cost costs loss error errors returns refund refunds churn complaints deaths defects downtime lag")):
		return "lower"
	case hasWord(name, wordSet("sales revenue profit income turnover margin rating score passengers orders visitors visits goals")):
		return "higher"
	}
	return ""
}

// maxCategories is how many values a column may have whose largest are worth a
// bar each.
const maxCategories = 60

// Suggest makes a first dashboard: how many rows, what was measured, how it went
// over time, by what it differs, where and when. It shows nothing that the
// columns do not support.
func Suggest(f Facts) Config {
	c := Config{Schema: Schema, Dataset: f.Dataset, Widgets: map[string]Widget{}, Filters: map[string]Control{}}
	c.Settings.Live = true
	if f.TimeColumn != "" {
		c.Settings.Date = DateSetting{Column: f.TimeColumn, Default: "all"}
	} else {
		c.Settings.Date.Column = "-"
	}
	var measures, categories, names []ColumnFacts
	var lat, lon string
	for _, col := range f.Columns {
		switch {
		case col.Role == "latitude":
			lat = col.Name
		case col.Role == "longitude":
			lon = col.Name
		case f.isMeasure(col):
			measures = append(measures, col)
		case col.Type == warehouse.Text || col.Type == warehouse.Boolean:
			code := hasWord(col.Name, wordsOfIDs) || hasWord(col.Name, wordsOfDocuments)
			switch {
			case col.Distinct >= 2 && col.Distinct <= maxCategories:
				categories = append(categories, col)
			case col.Distinct > maxCategories && col.Distinct < max(f.Rows*9/10, maxCategories+1) && !code:
				names = append(names, col)
			}
		}
	}
	sort.SliceStable(measures, func(i, j int) bool { return f.telling(measures[i]) > f.telling(measures[j]) })
	b := builder{config: &c, facts: &f}
	count := warehouse.Measure{Fn: "count", As: "rows"}
	main, mainLabel, mainWithin := count, "Rows", "rows"
	var kpis []Widget
	kpis = append(kpis, b.kpi("Rows", count, charts.Format{Label: "Rows"}))
	for _, m := range measures[:min(len(measures), 3)] {
		measure, format := b.measure(m)
		kpis = append(kpis, b.kpi(format.Label, measure, format))
	}
	format := charts.Format{Label: "Rows"}
	if len(measures) > 0 && f.aggregate(measures[0]) == "sum" {
		main, format = b.measure(measures[0])
		mainLabel, mainWithin = format.Label, charts.Spaced(measures[0].Name)
	}
	if f.TimeColumn != "" {
		b.timeSeries(kpis, main, format)
	} else {
		b.row(kpis, 3)
	}
	var rest []Widget
	for i, cat := range categories[:min(len(categories), 3)] {
		name := charts.Spaced(cat.Name)
		if i == 1 && cat.Distinct <= 6 && additive(main) {
			rest = append(rest, b.widget(charts.Donut, mainLabel+" by "+name, "Share of the total", main, format, warehouse.Dimension{Column: cat.Name}))
			continue
		}
		w := b.widget(charts.Bar, mainLabel+" by "+name, "Select a bar to filter the others", main, format, warehouse.Dimension{Column: cat.Name})
		w.Query.Limit = 12
		rest = append(rest, w)
	}
	if f.TimeColumn != "" && f.Hours {
		rest = append(rest, b.widget(charts.Heatmap, mainLabel+" by day and hour", "Day of the week and hour of the day", main, format,
			warehouse.Dimension{Column: f.TimeColumn, Grain: "weekday", As: "weekday"},
			warehouse.Dimension{Column: f.TimeColumn, Grain: "hour_of_day", As: "hour"}))
	}
	b.row(rest, 9)
	var wide []Widget
	if lat != "" && lon != "" {
		w := b.widget(charts.Map, mainLabel+" by place", "Size stands for "+mainWithin, main, format,
			warehouse.Dimension{Column: lat, As: "lat"}, warehouse.Dimension{Column: lon, As: "lon"})
		w.Encode.Lat, w.Encode.Lon = "lat", "lon"
		if label := fullest(names, categories); label != "" {
			w.Query.Dimensions = append(w.Query.Dimensions, warehouse.Dimension{Column: label, As: "place"})
			w.Encode.Label = "place"
			w.Format["place"] = charts.Format{Label: charts.Humanise(label)}
		}
		w.Query.Limit = 5000
		wide = append(wide, w)
	}
	wide = append(wide, b.table(names, categories, measures))
	b.row(wide, 9)
	for i, cat := range categories[:min(len(categories), 3)] {
		c.Filters[fmt.Sprintf("f%d", i+1)] = Control{Label: charts.Humanise(cat.Name), Column: cat.Name, Position: i}
	}
	return c
}

// builder places widgets of a suggestion from top to bottom.
type builder struct {
	config *Config
	facts  *Facts
	y      int
	n      int
}

func (b *builder) add(w Widget) {
	b.n++
	b.config.Widgets[fmt.Sprintf("w%d", b.n)] = w
}

func (b *builder) widget(t charts.Type, title, subtitle string, m warehouse.Measure, f charts.Format, dims ...warehouse.Dimension) Widget {
	w := Widget{Title: clipName(title), Subtitle: subtitle, Query: Query{Measures: []warehouse.Measure{m}, Dimensions: dims}}
	w.Type, w.Format = t, map[string]charts.Format{measureName(m): f}
	return w
}

func (b *builder) kpi(title string, m warehouse.Measure, f charts.Format) Widget {
	return b.widget(charts.KPI, title, "", m, f)
}

// measure is the right aggregate of a column with its name: "Mean delay" or
// "Sales".
func (b *builder) measure(c ColumnFacts) (warehouse.Measure, charts.Format) {
	fn := b.facts.aggregate(c)
	label := charts.Humanise(c.Name)
	if fn == "avg" && !hasWord(c.Name, wordSet("average avg mean")) {
		label = "Mean " + charts.Spaced(c.Name)
	}
	return warehouse.Measure{Fn: fn, Column: c.Name, As: fn + "_" + fmt.Sprint(b.indexOf(c.Name))},
		charts.Format{Label: label, Better: better(c.Name), Style: c.Format.Style, Currency: c.Format.Currency, Unit: c.Format.Unit, Decimals: c.Format.Decimals}
}

func (b *builder) indexOf(name string) int {
	for i, c := range b.facts.Columns {
		if c.Name == name {
			return i
		}
	}
	return 0
}

// timeSeries stands three KPIs beside a line, as the eye reads them; with more
// or fewer, they make a row above it.
func (b *builder) timeSeries(kpis []Widget, m warehouse.Measure, f charts.Format) {
	line := b.widget(charts.Line, f.Label+" over time", "{grain}", m, f, warehouse.Dimension{Column: b.facts.TimeColumn, Grain: AutoGrain, As: "at"})
	if len(kpis) != 3 {
		b.row(kpis, 3)
		line.Layout = Layout{X: 0, Y: b.y, W: 12, H: 9}
		b.add(line)
		b.y += 9
		return
	}
	for i, w := range kpis {
		w.Layout = Layout{X: 0, Y: b.y + 3*i, W: 3, H: 3}
		b.add(w)
	}
	line.Layout = Layout{X: 3, Y: b.y, W: 9, H: 9}
	b.add(line)
	b.y += 9
}

// row sets widgets side by side over the whole width, at most four in a row.
func (b *builder) row(widgets []Widget, height int) {
	for len(widgets) > 0 {
		n := min(len(widgets), 4)
		x := 0
		for i, w := range widgets[:n] {
			width := (GridColumns - x) / (n - i)
			w.Layout = Layout{X: x, Y: b.y, W: width, H: height}
			b.add(w)
			x += width
		}
		b.y += height
		widgets = widgets[n:]
	}
}

// table lists what has a name, with what was measured; where nothing repeats
// it lists the rows themselves.
func (b *builder) table(names, categories, measures []ColumnFacts) Widget {
	var by *ColumnFacts
	switch {
	case len(names) > 0:
		by = &names[0]
	case len(categories) > 0:
		by = &categories[0]
	}
	if by == nil {
		w := Widget{Title: "Rows", Subtitle: "As they were loaded"}
		w.Type = charts.Table
		for _, c := range b.facts.Columns[:min(len(b.facts.Columns), 8)] {
			w.Query.Columns = append(w.Query.Columns, c.Name)
		}
		if b.facts.TimeColumn != "" {
			w.Query.Order = []warehouse.Order{{By: b.facts.TimeColumn, Desc: true}}
			if !contains(w.Query.Columns, b.facts.TimeColumn) {
				w.Query.Columns = append([]string{b.facts.TimeColumn}, w.Query.Columns...)
			}
		}
		return w
	}
	name := charts.Humanise(by.Name)
	w := b.widget(charts.Table, name, "", warehouse.Measure{Fn: "count", As: "rows"}, charts.Format{Label: "Rows"}, warehouse.Dimension{Column: by.Name, As: "name"})
	w.Format["name"] = charts.Format{Label: name}
	w.Encode.Columns = []charts.Cell{{Column: "name"}, {Column: "rows", Bar: true}}
	said := []string{"rows"}
	for _, m := range measures[:min(len(measures), 3)] {
		measure, format := b.measure(m)
		w.Query.Measures = append(w.Query.Measures, measure)
		w.Format[measureName(measure)] = format
		w.Encode.Columns = append(w.Encode.Columns, charts.Cell{Column: measureName(measure)})
		if label := lower(format.Label); measure.Fn == "avg" {
			said = append(said, label) // "mean Price"
		} else {
			said = append(said, charts.Spaced(m.Name))
		}
	}
	w.Subtitle = charts.Humanise(strings.Join(said, ", "))
	w.Query.Order = []warehouse.Order{{By: "rows", Desc: true}}
	return w
}

// fullest is the column that names places best: the one with most values.
func fullest(names, categories []ColumnFacts) string {
	best, most := "", int64(0)
	for _, c := range append(append([]ColumnFacts(nil), names...), categories...) {
		if c.Type == warehouse.Text && c.Distinct > most {
			best, most = c.Name, c.Distinct
		}
	}
	return best
}

func contains(list []string, text string) bool {
	for _, one := range list {
		if one == text {
			return true
		}
	}
	return false
}

func lower(text string) string {
	if text == "" || len(text) > 1 && strings.ToUpper(text[:2]) == text[:2] {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
