package charts

import (
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/warehouse"
)

// One area has many names: "CA", "California" and "06" are one shape. What the
// rows of a query say of them is put together here: sums and counts are added,
// of anything else the answer to a query is needed that has them in one group.

// scope is what a map of areas shows, and how it finds the shape of a name.
// Where the config leaves it open, what finds more names is meant: "GA" is a
// state and a country.
func (d *drawing) scope(area *warehouse.ResultColumn) (scope string, find func(name string) (string, bool)) {
	a := shapes()
	countries, states := 0, 0
	for row := range d.Result.Rows {
		if area.IsNull(row) || d.isOther(row) {
			continue
		}
		if _, ok := a.country(d.key(area, row)); ok {
			countries++
		}
		if _, ok := a.state(d.key(area, row)); ok {
			states++
		}
	}
	if m := d.Config.Encode.Map; m == "us" || m != "world" && m != "europe" && states > countries {
		return "states", a.state
	}
	return "countries", a.country
}

// place is one shape with all rows that name it.
type place struct {
	shape string
	name  string // the longest of its spellings
	value float64
	rows  []int
}

// spelled are the shapes in the order of the rows, each with the sum of its
// values, and the names without one.
func (d *drawing) spelled(area, v *warehouse.ResultColumn, find func(name string) (string, bool)) (places []*place, missed []string) {
	index := map[string]*place{}
	for row := range d.Result.Rows {
		value, ok := number(v, row)
		if area.IsNull(row) || d.isOther(row) || !ok {
			continue
		}
		name := d.text(area, row)
		shape, found := find(d.key(area, row))
		if !found {
			missed = append(missed, name)
			continue
		}
		p := index[shape]
		if p == nil {
			p = &place{shape: shape}
			index[shape] = p
			places = append(places, p)
		}
		if utf8.RuneCountInString(name) > utf8.RuneCountInString(p.name) {
			p.name = name
		}
		p.value, p.rows = p.value+value, append(p.rows, row)
	}
	return places, missed
}

// regroup puts the values of the query that has spellings in groups in the
// place of sums that there are not. Areas that it lacks keep the value of one
// spelling, and its name; alone is how many those are.
func (d *drawing) regroup(places []*place, area, v *warehouse.ResultColumn) (alone int) {
	grouped := map[string]float64{}
	if len(d.Further) > 0 {
		further := drawing{Input: Input{Result: d.Further[0]}}
		names, err := further.column(area.Name)
		values, wrong := further.column(v.Name)
		if err == nil && wrong == nil && names.Texts != nil {
			for row := range further.Result.Rows {
				if value, ok := number(values, row); ok && !names.IsNull(row) {
					grouped[names.Texts[row]] = value
				}
			}
		}
	}
	for _, p := range places {
		if len(p.rows) == 1 {
			continue
		}
		value, ok := grouped[p.name]
		if !ok {
			value, _ = number(v, p.rows[0])
			p.name, p.rows = d.text(area, p.rows[0]), p.rows[:1]
			alone++
		}
		p.value = value
	}
	return alone
}

// mostGroups is how many groups a query takes.
const mostGroups = 200

// Spellings are the names that share an area of a map, by the group that they
// have to be in where the measure does not add up: the answer to that query is
// the first of Further. Dimension is the one that names the areas.
func Spellings(in Input) (dimension string, groups map[string][]string) {
	if in.Config.Type != Map || in.Config.Encode.Layer != LayerAreas {
		return "", nil
	}
	d, err := begin(in)
	if err != nil {
		return "", nil
	}
	area, v, err := d.areaColumns()
	if err != nil || area.Type != warehouse.Text || d.settings(v).Additive {
		return "", nil // what is wrong is said by the drawing
	}
	_, find := d.scope(area)
	places, _ := d.spelled(area, v, find)
	for _, p := range places {
		if len(p.rows) < 2 || len(groups) == mostGroups {
			continue
		}
		if groups == nil {
			groups = map[string][]string{}
		}
		for _, row := range p.rows {
			groups[p.name] = append(groups[p.name], d.key(area, row))
		}
	}
	return area.Name, groups
}

// areaColumns are the names of areas, and what colours them.
func (d *drawing) areaColumns() (area, v *warehouse.ResultColumn, err error) {
	if area, err = d.dimension(d.Config.Encode.Area, 0); err != nil {
		return nil, nil, err
	}
	if v, err = d.column(d.Config.Encode.Colour); err == nil && v == nil {
		v, err = d.value()
	}
	return area, v, err
}
