package datasets

import (
	"context"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Suggestion is what a first dashboard can be made of.
type Suggestion struct {
	Dataset    Dataset
	TimeColumn *ColumnProfile // nil without one
	// Measures are columns that make sense to add up or average, the most
	// telling first.
	Measures []SuggestedMeasure
	// Categories are columns to group by, the most useful first.
	Categories []ColumnProfile
	// Latitude and Longitude are both set or neither.
	Latitude, Longitude *ColumnProfile
	// Details are columns for a table of rows.
	Details []ColumnProfile
}

// SuggestedMeasure is a column with the function that fits what it counts.
type SuggestedMeasure struct {
	ColumnProfile
	Fn string // "sum" or "avg"
}

// Suggest answers what a first dashboard over a dataset can be made of.
//
// Errors: datasets.not_found.
func (s *Service) Suggest(ctx context.Context, actor access.Actor, id ids.Dataset) (Suggestion, error) {
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return Suggestion{}, err
	}
	p, err := s.Profile(ctx, actor, id)
	if err != nil {
		return Suggestion{}, err
	}
	return suggest(d, p), nil
}

const (
	maxCategories = 1000 // distinct values of a column to group by
	fewCategories = 30   // that fit into one chart
)

func suggest(d Dataset, p Profile) Suggestion {
	found := Suggestion{Dataset: d}
	var latitudes, longitudes []*ColumnProfile
	for i := range p.Columns {
		c := &p.Columns[i]
		if c.Rows == c.Nulls {
			continue // nothing to see
		}
		switch {
		case c.Column.Role == "latitude":
			latitudes = append(latitudes, c)
		case c.Column.Role == "longitude":
			longitudes = append(longitudes, c)
		case isTime(c.Column.Type):
			if c.Column.ID == d.TimeColumn || (d.TimeColumn == 0 && found.TimeColumn == nil) {
				found.TimeColumn = c
			}
		case c.isKey(d):
		case isNumber(c.Column.Type) && !c.isCode():
			found.Measures = append(found.Measures, SuggestedMeasure{ColumnProfile: *c, Fn: c.function()})
		case c.Distinct >= 2 && c.Distinct <= maxCategories && c.Column.Type != warehouse.Float:
			found.Categories = append(found.Categories, *c)
		}
		found.Details = append(found.Details, *c)
	}
	if len(latitudes) == 1 && len(longitudes) == 1 {
		found.Latitude, found.Longitude = latitudes[0], longitudes[0]
	}
	sort.SliceStable(found.Measures, func(i, j int) bool { return found.Measures[i].rank() > found.Measures[j].rank() })
	sort.SliceStable(found.Categories, func(i, j int) bool { return found.Categories[i].order() < found.Categories[j].order() })
	return found
}

func isNumber(t warehouse.Type) bool {
	return t == warehouse.Integer || t == warehouse.Decimal || t == warehouse.Float
}

// words splits a column's name: "unitPrice", "unit_price", "Unit price".
func words(name string) []string {
	var spaced strings.Builder
	lower := false
	for _, r := range name {
		if lower && r >= 'A' && r <= 'Z' {
			spaced.WriteByte(' ')
		}
		lower = r >= 'a' && r <= 'z'
		if r == '_' || r == '-' || r == '.' || r == '/' {
			r = ' '
		}
		spaced.WriteRune(r)
	}
	return strings.Fields(strings.ToLower(spaced.String()))
}

func (p ColumnProfile) named(any ...string) bool {
	for _, word := range words(p.Column.Name) {
		for _, want := range any {
			if word == want {
				return true
			}
		}
	}
	return false
}

// isKey tells whether a column only names rows.
func (p ColumnProfile) isKey(d Dataset) bool {
	if len(d.KeyColumns) == 1 && d.KeyColumns[0] == p.Column.ID {
		return true
	}
	unique := p.Distinct == p.Rows-p.Nulls && p.Rows > 20
	integer := p.Column.Type == warehouse.Integer
	return (unique && (integer || p.Column.Type == warehouse.Text)) ||
		(p.named("id", "uuid", "guid", "key", "index", "rowid") && p.Distinct > fewCategories)
}

// isCode tells whether a number is a name in disguise: a year, a weekday, a
// postcode, a flag.
func (p ColumnProfile) isCode() bool {
	if p.Column.Type != warehouse.Integer {
		return false
	}
	if p.named("id", "code", "zip", "postcode", "year", "month", "weekday", "dow", "day", "quarter", "week", "hour", "no", "nr", "number", "phone", "type", "class", "status", "level", "rank", "flag") {
		return true
	}
	low, _ := p.Bounds.Min.(int64)
	high, _ := p.Bounds.Max.(int64)
	return p.Rows > 50 && p.Distinct <= 2 && low >= 0 && high <= 1
}

// function is sum for what adds up, avg for what does not: rates, prices,
// ages, temperatures, distances between two points, anything below zero too.
func (p ColumnProfile) function() string {
	if p.Column.Format.Style == "percent" || p.named("rate", "ratio", "percent", "pct", "price", "avg", "average", "mean", "median",
		"score", "rating", "age", "temperature", "temp", "speed", "delay", "duration", "latency", "margin", "index", "height", "depth",
		"unit", "lead", "humidity", "pressure", "density", "per", "min", "max", "share", "mpg", "elevation", "altitude", "distance", "magnitude") {
		return "avg"
	}
	return "sum"
}

// rank puts money first, then amounts, then what varies.
func (p SuggestedMeasure) rank() int {
	rank := 0
	if p.Column.Format.Style == "currency" {
		rank += 8
	}
	if p.named("revenue", "sales", "amount", "total", "profit", "cost", "value", "turnover", "spend", "income", "gmv") {
		rank += 6
	}
	if p.named("quantity", "qty", "count", "units", "orders", "visits", "users", "delay", "price", "duration") {
		rank += 4
	}
	if p.Distinct > 10 {
		rank += 2
	}
	if p.Share() > 0.9 {
		rank++
	}
	return rank
}

// order puts columns first whose values fit into one chart; the more of them,
// the more they tell.
func (p ColumnProfile) order() float64 {
	order := float64(p.Distinct)
	if p.Distinct <= fewCategories {
		order = float64(fewCategories - p.Distinct)
	}
	if p.Column.Type == warehouse.Boolean {
		order += fewCategories
	}
	if p.Column.Type == warehouse.Integer {
		order += fewCategories / 2
	}
	return order + 100*(1-p.Share())
}
