package dashboards

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

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
	loaded, err := s.loadSchemas(ctx, actor, &c, dataset)
	if err != nil {
		return "", Config{}, err
	}
	if loaded[dataset] == nil {
		return "", Config{}, datasets.ErrNotFound
	}
	facts, err := s.remembered(ctx, actor, loaded[dataset])
	if err != nil {
		return "", Config{}, err
	}
	if len(facts.Columns) == 0 {
		return "", Config{}, ErrNoColumns
	}
	return facts.Name, Suggest(facts), nil
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
		"units spend spent plan planned budget budgeted actual actuals soll ist fee fees tax payment payments paid refund refunds passengers visitors visits clicks impressions " +
		"orders items sold bytes downloads views calls rain rainfall precipitation consumption energy deaths births cases persons " +
		"population employed exports imports discount charge charges donation donations points goals distance miles kilometres duration minutes seconds hours " +
		"umsatz umsätze erlös erlöse betrag summe menge anzahl stück kosten gewinn gebühr rabatt steuer absatz besucher bestand " +
		"montant quantité nombre ventes coût importe cantidad ventas ingresos")
	wordsOfMeans = wordSet("rate rates ratio ratios percent percentage percentages pct share shares average avg mean median temperature temp temperatures humidity " +
		"pressure wind speed price prices unitprice rating ratings score scores nps csat satisfaction grade age ages delay latency depth magnitude mag height weight width length bmi " +
		"index level ph salary wage margin yield efficiency accuracy probability per tenure lag lead wait waiting response turnaround " +
		"preis stückpreis einzelpreis quote anteil prozent durchschnitt mittelwert temperatur feuchte luftfeuchte druck alter bewertung zufriedenheit note gewicht " +
		"prix taux moyenne âge precio tasa promedio edad")
)

// wordsOfMoney name amounts: what people look at first where there are any.
var wordsOfMoney = wordSet("amount amounts revenue sales turnover income earnings profit spend spent cost costs budget payment payments paid gmv " +
	"net gross umsatz umsätze erlös erlöse betrag netto brutto summe kosten gewinn montant ventes importe ventas ingresos eur usd gbp chf")

// wordsOfStates name what a thing is in, or how it went: a number there is one
// of a few, and no amount.
var wordsOfStates = wordSet("status state level class type category flag severity error outcome result zustand stufe art")

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
	case c.isCode(), coordinate(c.Name, c.Role, c.Type) != "":
		return false
	case c.Type == warehouse.Integer && c.Distinct == c.Filled && f.Rows > 50 && c.Max-c.Min < 1.05*float64(c.Filled):
		return false // numbered through, with a gap here and there
	case c.Type == warehouse.Integer && !hasWord(c.Name, wordsOfSums) && c.Min >= 1000 && c.Max < 2*c.Min:
		return false // numbers of invoices, years: large, and all alike
	}
	return true
}

// isCode tells whether numbers of a column stand for one of a few states.
func (c *ColumnFacts) isCode() bool {
	return c.Type == warehouse.Integer && c.Distinct <= maxLeading && hasWord(c.Name, wordsOfStates) && !hasWord(c.Name, wordsOfMeans) && !hasWord(c.Name, wordsOfSums)
}

// names tells whether rows can be told apart by the values of a column.
func (c *ColumnFacts) names() bool {
	return c.Type == warehouse.Text || c.Type == warehouse.Boolean || c.isCode()
}

// isMoney tells whether a column holds amounts of money.
func (c *ColumnFacts) isMoney() bool {
	return c.Format.Style == "currency" || c.Format.Currency != "" || strings.ContainsAny(c.Name, "€$£¥") || hasWord(c.Name, wordsOfMoney)
}

// telling ranks measures: amounts of money first, then other amounts, then what
// says what it is, then the rest.
func (f *Facts) telling(c ColumnFacts) int {
	switch {
	case f.aggregate(c) == "sum" && c.isMoney():
		return 4
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
	case c.Format.Style == "percent" || hasWord(c.Name, wordsOfMeans) || strings.Contains(c.Name, "%"):
		return "avg"
	case hasWord(c.Name, wordSet("unit")):
		return "avg" // of one: "unit_cost" adds up to nothing
	case c.Format.Style == "currency" || c.Format.Currency != "":
		return "sum"
	case len(words) > 0 && hasWord(c.Name, wordsOfSums) && c.Min >= 0:
		return "sum"
	case hasWord(c.Name, wordSet("profit loss amount total balance quantity qty sales revenue turnover umsatz betrag menge gewinn verlust")):
		return "sum"
	case c.Type == warehouse.Integer && !c.unknown() && c.Max <= 10 && c.Distinct <= 11:
		return "avg" // a rating, by whatever name
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

// Suggest makes a first dashboard: what was measured and how many rows, how it
// went over time, by what it differs, where and when. Amounts are summed and
// lead; what does not add up is shown as its mean; rows are counted where
// nothing was measured. It shows nothing that the columns do not support.
func Suggest(f Facts) Config {
	c := Config{Schema: Schema, Dataset: f.Dataset, Widgets: map[string]Widget{}, Filters: map[string]Control{}}
	c.Settings.Live = true
	if f.TimeColumn != "" {
		c.Settings.Date = DateSetting{Column: f.TimeColumn, Default: "all"}
	} else {
		c.Settings.Date.Column = "-"
	}
	var measures []ColumnFacts
	var lat, lon string
	for _, col := range f.Columns {
		switch half := coordinate(col.Name, col.Role, col.Type); {
		case half == "latitude" && lat == "":
			lat = col.Name
		case half == "longitude" && lon == "":
			lon = col.Name
		case half == "" && f.isMeasure(col):
			measures = append(measures, col)
		}
	}
	categories, names := f.groups()
	sort.SliceStable(measures, func(i, j int) bool { return f.telling(measures[i]) > f.telling(measures[j]) })
	b := builder{config: &c, facts: &f}
	rows := figured{warehouse.Measure{Fn: "count", As: "rows"}, charts.Format{Label: "Rows"}, "rows"}
	var figures []figured // amounts, rows, means
	counted := false
	for _, m := range measures[:min(len(measures), 3)] {
		one := b.measure(m)
		if !counted && one.Fn == "avg" && len(figures) > 0 && additive(figures[0].Measure) {
			figures, counted = append(figures, rows), true
		}
		figures = append(figures, one)
	}
	if !counted {
		figures = append(figures, rows)
	}
	lead := figures[0]
	var kpis []Widget
	for _, one := range figures {
		kpis = append(kpis, b.widget(charts.KPI, one.format.Label, "", one))
	}
	if f.TimeColumn != "" {
		b.courses(kpis, figures, categories)
	} else {
		b.row(kpis, 3)
	}
	var rest []Widget
	for i, cat := range categories[:min(len(categories), 3)] {
		name := charts.Spaced(lastPart(cat.Name))
		if i == 1 && !cat.Ordered && (cat.Distinct <= charts.MaxSlices || cat.Distinct <= maxLeading && cat.rest(charts.MaxSlices-1) < 0.5) {
			of := lead
			if !additive(of.Measure) {
				of = rows
			}
			rest = append(rest, b.widget(charts.Donut, of.format.Label+" by "+name, "Share of the total", of, warehouse.Dimension{Column: cat.Name}))
			continue
		}
		w := b.widget(charts.Bar, lead.format.Label+" by "+name, "Select a bar to filter the others", lead, warehouse.Dimension{Column: cat.Name})
		w.Query.Limit = barCategories
		if cat.Ordered {
			w.Query.Order = []warehouse.Order{{By: cat.Name}}
		}
		rest = append(rest, w)
	}
	if f.TimeColumn != "" && f.Hours {
		rest = append(rest, b.widget(charts.Heatmap, lead.format.Label+" by day and hour", "Day of the week and hour of the day", lead,
			warehouse.Dimension{Column: f.TimeColumn, Grain: "weekday", As: "weekday"},
			warehouse.Dimension{Column: f.TimeColumn, Grain: "hour_of_day", As: "hour"}))
	}
	if lat != "" && lon != "" {
		rest = append(rest, b.places(lat, lon, lead, rows))
	}
	b.pack(append(rest, b.table(names, categories, figures)))
	for i, cat := range categories[:min(len(categories), 3)] {
		c.Filters[fmt.Sprintf("f%d", i+1)] = Control{Label: charts.Humanise(lastPart(cat.Name)), Column: cat.Name, Position: i}
	}
	return c
}

// groups are the columns that rows can be compared by: categories with a
// handful of values each, and names with many. None says what one before it
// says in other words, or is called like one.
func (f *Facts) groups() (categories, names []ColumnFacts) {
	said := map[string]bool{}
	for _, columns := range [][]ColumnFacts{f.Columns, f.Joined} {
		for _, col := range columns {
			called := strings.ToLower(lastPart(col.Name))
			code := hasWord(lastPart(col.Name), wordsOfIDs) || hasWord(lastPart(col.Name), wordsOfDocuments)
			if !col.names() || said[col.family()] || said[called] {
				continue
			}
			switch {
			case col.Distinct >= 2 && col.Distinct <= maxCategories:
				categories = append(categories, col)
			case col.Distinct > maxCategories && col.Distinct < max(f.Rows*9/10, maxCategories+1) && !code:
				names = append(names, col)
			default:
				continue
			}
			said[col.family()], said[called] = true, true
		}
	}
	// What is one of two says least; what is told apart by a number says little.
	sort.SliceStable(categories, func(i, j int) bool {
		rank := func(c ColumnFacts) int {
			switch {
			case hasWord(lastPart(c.Name), wordsOfIDs):
				return 2
			case c.Distinct == 2:
				return 1
			}
			return 0
		}
		return rank(categories[i]) < rank(categories[j])
	})
	return categories, names
}

// figured is a measure with how it is written, and its name within a sentence.
type figured struct {
	warehouse.Measure
	format charts.Format
	within string
}

// builder places widgets of a suggestion from top to bottom.
type builder struct {
	config *Config
	facts  *Facts
	y      int
	n      int
	listed int // rows of the table; 0 where there are many
}

func (b *builder) add(w Widget) {
	b.n++
	b.config.Widgets[fmt.Sprintf("w%d", b.n)] = w
}

func (b *builder) widget(t charts.Type, title, subtitle string, m figured, dims ...warehouse.Dimension) Widget {
	w := Widget{Title: clipName(title), Subtitle: subtitle, Query: Query{Measures: []warehouse.Measure{m.Measure}, Dimensions: dims}}
	w.Type, w.Format = t, map[string]charts.Format{}
	w.say(m)
	for _, d := range dims {
		if name := lastPart(d.Column); d.Grain == "" && name != d.Column {
			w.Format[dimensionName(d)] = charts.Format{Label: charts.Humanise(name)}
		}
	}
	return w
}

// say writes a measure as m is written.
func (w *Widget) say(m figured) { w.Format[measureName(m.Measure)] = m.format }

// measure is the right aggregate of a column with its name: "Mean delay" or
// "Sales".
func (b *builder) measure(c ColumnFacts) figured {
	fn := b.facts.aggregate(c)
	label, within := charts.Humanise(c.Name), charts.Spaced(c.Name)
	if fn == "avg" && !hasWord(c.Name, wordSet("average avg mean")) {
		label, within = "Mean "+within, "mean "+within
	}
	return figured{warehouse.Measure{Fn: fn, Column: c.Name, As: fn + "_" + fmt.Sprint(b.indexOf(c.Name))},
		charts.Format{Label: label, Better: better(c.Name), Style: c.Format.Style, Currency: c.Format.Currency, Unit: c.Format.Unit, Decimals: c.Format.Decimals}, within}
}

func (b *builder) indexOf(name string) int {
	for i, c := range b.facts.Columns {
		if c.Name == name {
			return i
		}
	}
	return 0
}

// courses shows how the first figure went over time. Three KPIs stand beside
// it, as the eye reads them; with more or fewer, they make a row above it. Means
// are drawn for each of a few things, and the second one beside the first: what
// all of them have in common says little.
func (b *builder) courses(kpis []Widget, figures []figured, categories []ColumnFacts) {
	lines := []Widget{b.course(figures[0], categories)}
	if figures[0].Fn == "avg" && figures[1].Fn == "avg" && b.facts.said(figures[1]) {
		lines = append(lines, b.course(figures[1], categories))
	}
	if len(kpis) != 3 || len(lines) > 1 {
		b.row(kpis, 3)
		b.row(lines, 9)
		return
	}
	for i, w := range kpis {
		w.Layout = Layout{X: 0, Y: b.y + 3*i, W: 3, H: 3}
		b.add(w)
	}
	lines[0].Layout = Layout{X: 3, Y: b.y, W: 9, H: 9}
	b.add(lines[0])
	b.y += 9
}

// said tells whether the name or the format of a measured column says what it is.
func (f *Facts) said(m figured) bool {
	c, ok := f.column(m.Column)
	return ok && f.telling(c) > 0
}

func (b *builder) course(m figured, categories []ColumnFacts) Widget {
	at := warehouse.Dimension{Column: b.facts.TimeColumn, Grain: AutoGrain, As: "at"}
	if by := splitting(categories); m.Fn == "avg" && by != nil && b.facts.Rows >= enoughRows*by.Distinct*int64(b.facts.periods(autoGrain(b.facts.Days))) {
		return b.widget(charts.Line, m.format.Label+" by "+charts.Spaced(lastPart(by.Name))+" over time", "{grain}", m, at, warehouse.Dimension{Column: by.Name, As: "by"})
	}
	return b.widget(charts.Line, m.format.Label+" over time", "{grain}", m, at)
}

// enoughRows is how many rows a point of a mean is of at least, so that it is
// not chance alone.
const enoughRows = 8

// splitting is the category that a mean over time is split by: one with a line
// for each value, a place before others; nil for none.
func splitting(categories []ColumnFacts) *ColumnFacts {
	var best *ColumnFacts
	for i := range categories {
		c := &categories[i]
		switch {
		case c.Distinct > charts.MaxSeries || c.Type == warehouse.Boolean:
		case hasWord(lastPart(c.Name), wordsOfPlaces):
			return c
		case best == nil || hasWord(lastPart(best.Name), wordsOfStates) && !hasWord(lastPart(c.Name), wordsOfStates):
			best = c
		}
	}
	return best
}

// places is a map with one dot for each place: as large as the amount there, or
// in the colour of the mean.
func (b *builder) places(lat, lon string, lead, rows figured) Widget {
	size, colour := lead, ""
	if !additive(lead.Measure) {
		size, colour = rows, measureName(lead.Measure)
	}
	w := b.widget(charts.Map, lead.format.Label+" by place", "Size stands for "+size.within, size,
		warehouse.Dimension{Column: lat, As: "lat"}, warehouse.Dimension{Column: lon, As: "lon"})
	w.Encode.Lat, w.Encode.Lon = "lat", "lon"
	if colour != "" {
		w.Query.Measures = append(w.Query.Measures, lead.Measure)
		w.Encode.Size, w.Encode.Colour = measureName(size.Measure), colour
		w.Subtitle = "Colour stands for " + lead.within
		w.say(lead)
	}
	if at := placeNamed(b.facts.Columns, b.facts.places()); at >= 0 {
		label := b.facts.Columns[at].Name
		w.Query.Dimensions = append(w.Query.Dimensions, warehouse.Dimension{Column: label, As: "place"})
		w.Encode.Label = "place"
		w.Format["place"] = charts.Format{Label: charts.Humanise(label)}
	}
	w.Query.Limit = 5000
	return w
}

// widths are the least columns that types take in a suggestion; what a row has
// left goes to the first of wider.
var (
	widths = map[charts.Type]int{charts.Bar: 4, charts.Donut: 3, charts.Heatmap: 4, charts.Map: 5, charts.Table: 5}
	wider  = []charts.Type{charts.Table, charts.Map, charts.Heatmap, charts.Bar, charts.Donut}
)

// pack sets widgets in rows over the whole width, each as wide as it can make
// use of.
func (b *builder) pack(widgets []Widget) {
	for len(widgets) > 0 {
		n, sum := 0, 0
		for n < len(widgets) && sum+widths[widgets[n].Type] <= GridColumns {
			sum += widths[widgets[n].Type]
			n++
		}
		row := widgets[:n]
		for i := range row {
			row[i].Layout.W = widths[row[i].Type]
		}
		for sum < GridColumns {
			at := 0
			for i := range row {
				if a, c := slices.Index(wider, row[i].Type), slices.Index(wider, row[at].Type); a < c || a == c && row[i].Layout.W < row[at].Layout.W {
					at = i
				}
			}
			row[at].Layout.W++
			sum++
		}
		x, h := 0, 9
		if n == 1 && row[0].Type == charts.Table && b.listed > 0 {
			for h > charts.Table.SmallestSize().H && pageSize(h-1) >= b.listed {
				h--
			}
		}
		for _, w := range row {
			w.Layout = Layout{X: x, Y: b.y, W: w.Layout.W, H: h}
			x += w.Layout.W
			b.add(w)
		}
		b.y += h
		widgets = widgets[n:]
	}
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

// table lists what has a name, with the figures; where nothing repeats it lists
// the rows themselves.
func (b *builder) table(names, categories []ColumnFacts, figures []figured) Widget {
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
	// The largest first: of an amount, or of what there are most rows of.
	main := figures[0]
	for _, one := range figures {
		if !additive(main.Measure) && additive(one.Measure) {
			main = one
		}
	}
	if by.Distinct <= maxCategories {
		b.listed = int(by.Distinct)
	}
	name := charts.Humanise(lastPart(by.Name))
	w := b.widget(charts.Table, name, "", main, warehouse.Dimension{Column: by.Name, As: "name"})
	w.Format["name"] = charts.Format{Label: name}
	w.Encode.Columns = []charts.Cell{{Column: "name"}, {Column: measureName(main.Measure), Bar: true}}
	said := []string{main.within}
	for _, one := range figures {
		if measureName(one.Measure) == measureName(main.Measure) {
			continue
		}
		w.Query.Measures = append(w.Query.Measures, one.Measure)
		w.say(one)
		w.Encode.Columns = append(w.Encode.Columns, charts.Cell{Column: measureName(one.Measure)})
		said = append(said, one.within)
	}
	w.Subtitle = charts.Humanise(strings.Join(said, ", "))
	w.Query.Order = []warehouse.Order{{By: measureName(main.Measure), Desc: true}}
	return w
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
