package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Alerts that look at the same rows in the same groups are asked in one
// question, with the measures of all of them.

// maxTogether is how many measures one question takes.
const maxTogether = 40

// asking is one alert to be measured as its owner; out is what came of it.
type asking struct {
	actor access.Actor
	watch *Watch
	past  int // periods before the newest
	out   *answer
	err   error
}

// shape is a question without its measures and its span. Equal shapes, equal rows.
type shape struct {
	Actor      string
	Dataset    string
	Dimensions []warehouse.Dimension
	Filters    []warehouse.Filter
	Fields     map[string]string
	Time       string
	Grain      string
	Zone       string
}

func (a *asking) shape() string {
	w := a.watch
	text, _ := json.Marshal(shape{Actor: a.actor.UserID.String(), Dataset: w.Dataset.String(), Dimensions: w.Dimensions, Filters: w.Filters,
		Fields: w.Fields, Time: w.Time, Grain: w.Grain, Zone: w.Zone}) // plain values always encode
	return string(text)
}

// measure asks for all. What is wrong with one is told by its err; an error is
// the end of the context alone. snapshots are by owner.
func (s *Service) measure(ctx context.Context, list []*asking, snapshots map[string]datasets.Snapshot) error {
	shapes := map[string][]*asking{}
	var order []string
	for _, a := range list {
		key := a.shape()
		if shapes[key] == nil {
			order = append(order, key)
		}
		shapes[key] = append(shapes[key], a)
	}
	ends := map[string]extent{}
	for _, key := range order {
		same := shapes[key]
		for len(same) > 0 {
			part, rest := split(same)
			s.ask(ctx, part, snapshots[part[0].actor.UserID.String()], ends)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			same = rest
		}
	}
	return nil
}

// split takes as many as one question has room for; equal measures count once.
func split(list []*asking) (part, rest []*asking) {
	seen := map[string]bool{}
	for i, a := range list {
		key := measureKey(a.watch.Measure)
		if !seen[key] && len(seen) == maxTogether {
			return list[:i], list[i:]
		}
		seen[key] = true
	}
	return list, nil
}

func measureKey(m warehouse.Measure) string {
	m.As = ""
	text, _ := json.Marshal(m) // plain values always encode
	return string(text)
}

// extent is the first and last moment of a column on the wall clock, or why
// they are not known.
type extent struct {
	oldest, newest time.Time
	err            error
}

func (s *Service) extent(ctx context.Context, a *asking, snapshot datasets.Snapshot, known map[string]extent) extent {
	w := a.watch
	key := a.actor.UserID.String() + w.Dataset.String() + w.Time + w.Zone
	if e, ok := known[key]; ok {
		return e
	}
	e := extent{}
	r, err := s.deps.Datasets.Query(ctx, a.actor, datasets.QueryRequest{Snapshot: snapshot, Exact: true, Spec: warehouse.Spec{Dataset: w.Dataset.String(), Timezone: w.Zone, Fields: w.Fields,
		Measures: []warehouse.Measure{{Fn: "min", Column: w.Time, As: "first"}, {Fn: "max", Column: w.Time, As: "last"}}}})
	switch {
	case err != nil:
		e.err = err
	case r.Rows > 0 && !r.Columns[0].IsNull(0) && !r.Columns[1].IsNull(0):
		zone := location(w.Zone)
		e.oldest, e.newest = wall(&r.Columns[0], 0, zone), wall(&r.Columns[1], 0, zone)
	}
	known[key] = e
	return e
}

// ask asks one question for alerts of one shape.
func (s *Service) ask(ctx context.Context, list []*asking, snapshot datasets.Snapshot, ends map[string]extent) {
	w := list[0].watch
	fail := func(err error) {
		for _, a := range list {
			a.err = err
		}
	}
	spec := warehouse.Spec{Dataset: w.Dataset.String(), Timezone: w.Zone, Fields: w.Fields, Filters: slices.Clone(w.Filters), Limit: warehouse.MaxLimit}
	var at []time.Time
	end := extent{}
	if w.Time != "" {
		if end = s.extent(ctx, list[0], snapshot, ends); end.err != nil {
			fail(end.err)
			return
		}
	}
	periods := w.Time != "" && w.Grain != ""
	if periods {
		if end.newest.IsZero() {
			for _, a := range list {
				a.out = &answer{}
			}
			return
		}
		past := 0
		for _, a := range list {
			past = max(past, a.past)
		}
		last := charts.PeriodOf(end.newest, w.Grain)
		// One more than is needed, since the newest may not be over.
		for i := past + 1; i >= 0; i-- {
			if t := charts.PeriodAfter(last, w.Grain, -i); !t.Before(charts.PeriodOf(end.oldest, w.Grain)) {
				at = append(at, t)
			}
		}
		spec.Filters = append(spec.Filters, warehouse.Filter{Column: w.Time, Op: "between", From: quoted(at[0]), To: quoted(end.newest)})
		spec.Dimensions = append(spec.Dimensions, warehouse.Dimension{Column: w.Time, Grain: w.Grain, As: "at"})
	} else {
		at = []time.Time{{}}
	}
	for i, d := range w.Dimensions {
		d.As = "g" + strconv.Itoa(i)
		spec.Dimensions = append(spec.Dimensions, d)
	}
	places := map[string]int{}
	for _, a := range list {
		key := measureKey(a.watch.Measure)
		if _, has := places[key]; has {
			continue
		}
		m := a.watch.Measure
		m.As = "m" + strconv.Itoa(len(places))
		places[key] = len(places)
		spec.Measures = append(spec.Measures, m)
	}
	r, err := s.deps.Datasets.Query(ctx, list[0].actor, datasets.QueryRequest{Spec: spec, Snapshot: snapshot, Exact: true})
	if err != nil {
		if len(list) > 1 && ctx.Err() == nil {
			// What is wrong with one is no reason for the others to fail.
			for _, a := range list {
				s.ask(ctx, []*asking{a}, snapshot, ends)
			}
			return
		}
		fail(err)
		return
	}
	for _, a := range list {
		a.out, a.err = read(r, a.watch, "m"+strconv.Itoa(places[measureKey(a.watch.Measure)]), at)
		if a.out != nil {
			a.out.newest = end.newest
		}
	}
}

// read takes the groups of one measure out of an answer.
func read(r *warehouse.Result, w *Watch, measure string, at []time.Time) (*answer, error) {
	var when, value *warehouse.ResultColumn
	by := make([]*warehouse.ResultColumn, len(w.Dimensions))
	for i := range r.Columns {
		c := &r.Columns[i]
		switch {
		case c.Name == "at" && c.Dimension:
			when = c
		case c.Name == measure:
			value = c
		default:
			for n := range by {
				if c.Dimension && c.Name == "g"+strconv.Itoa(n) {
					by[n] = c
				}
			}
		}
	}
	if value == nil {
		return nil, fmt.Errorf("the answer has no %s", measure)
	}
	places := make(map[time.Time]int, len(at))
	for i, t := range at {
		places[t] = i
	}
	zone := location(w.Zone)
	out := &answer{at: at, more: r.More}
	index := map[string]int{}
	fresh := func() []float64 {
		values := make([]float64, len(at))
		for i := range values {
			if !w.Additive {
				values[i] = math.NaN()
			}
		}
		return values
	}
	for row := range r.Rows {
		place := 0
		if when != nil {
			if when.IsNull(row) {
				continue
			}
			found := false
			if place, found = places[wall(when, row, zone)]; !found {
				continue
			}
		}
		labels := make([]string, len(by))
		for n, c := range by {
			if c != nil {
				labels[n] = label(c, row)
			}
		}
		key := keyOf(labels)
		n, known := index[key]
		if !known {
			if len(out.groups) == maxGroups {
				out.more = true
				continue
			}
			n = len(out.groups)
			index[key] = n
			out.groups = append(out.groups, series{key: key, labels: labels, values: fresh()})
		}
		if !value.IsNull(row) {
			out.groups[n].values[place] = number(value, row, zone)
		}
	}
	if len(w.Dimensions) == 0 && len(out.groups) == 0 {
		out.groups = []series{{values: fresh()}}
	}
	return out, nil
}

// keyOf names a group by its labels; "" for that of an alert without dimensions.
func keyOf(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	text, _ := json.Marshal(labels) // texts always encode
	return string(text)
}

// noValue stands for a group whose dimension is empty.
const noValue = "—"

func label(c *warehouse.ResultColumn, row int) string {
	if c.IsNull(row) {
		return noValue
	}
	switch {
	case c.Texts != nil:
		return c.Texts[row]
	case c.Floats != nil:
		return strconv.FormatFloat(c.Floats[row], 'f', -1, 64)
	case c.Type == warehouse.Boolean:
		return strconv.FormatBool(c.Ints[row] != 0)
	case c.Type == warehouse.Date:
		return time.Unix(c.Ints[row]*86400, 0).UTC().Format(time.DateOnly)
	case c.Type == warehouse.Timestamp, c.Type == warehouse.TimestampTZ:
		return time.UnixMicro(c.Ints[row]).UTC().Format(time.DateTime)
	}
	return strconv.FormatInt(c.Ints[row], 10)
}

// number is a value; moments are microseconds on the wall clock, and a day ends
// with its last one.
func number(c *warehouse.ResultColumn, row int, zone *time.Location) float64 {
	switch c.Type {
	case warehouse.Date:
		return float64(wall(c, row, zone).AddDate(0, 0, 1).UnixMicro())
	case warehouse.Timestamp, warehouse.TimestampTZ:
		return float64(wall(c, row, zone).UnixMicro())
	}
	if c.Floats != nil {
		return c.Floats[row]
	}
	if c.Ints != nil {
		return float64(c.Ints[row])
	}
	return math.NaN()
}

// wall is a date or time of a column on the wall clock, written as UTC.
func wall(c *warehouse.ResultColumn, row int, zone *time.Location) time.Time {
	switch c.Type {
	case warehouse.Date:
		return time.Unix(c.Ints[row]*86400, 0).UTC()
	case warehouse.TimestampTZ:
		return onWall(time.UnixMicro(c.Ints[row]), zone)
	}
	return time.UnixMicro(c.Ints[row]).UTC()
}

// onWall writes what the clock of a zone shows as if it were UTC.
func onWall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

func location(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

func quoted(t time.Time) json.RawMessage {
	text, _ := json.Marshal(t.Format(time.DateOnly)) // a text always encodes
	return text
}
