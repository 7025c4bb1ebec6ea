package warehouse

import (
	"cmp"
	"encoding/json"
	"slices"
	"sort"
	"time"
)

// rawSpans are half-open spans in the column's own unit: days for Date,
// microseconds for timestamps (instants for TimestampTZ). They are sorted and
// do not touch.
type rawSpans [][2]int64

func (s rawSpans) intersect(o rawSpans) rawSpans {
	var out rawSpans
	for _, a := range s {
		for _, b := range o {
			if lo, hi := max(a[0], b[0]), min(a[1], b[1]); lo < hi {
				out = append(out, [2]int64{lo, hi})
			}
		}
	}
	return out
}

// union sorts spans and joins those that touch.
func (s rawSpans) union() rawSpans {
	sort.Slice(s, func(i, j int) bool { return s[i][0] < s[j][0] })
	var out rawSpans
	for _, a := range s {
		if n := len(out); n > 0 && a[0] <= out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], a[1])
		} else {
			out = append(out, a)
		}
	}
	return out
}

func (s rawSpans) intervals() []interval {
	set := make([]interval, 0, len(s))
	for _, a := range s {
		var in interval
		if a[0] > minMicros {
			in.Lo = &value{K: "i", I: a[0]}
		}
		if a[1] < maxMicros {
			in.Hi, in.HiOpen = &value{K: "i", I: a[1]}, true
		}
		set = append(set, in)
	}
	return set
}

// raw gives the spans of a column whose wall-clock time lies in [from, to).
func (b *binder) raw(ref colRef, from, to int64) rawSpans {
	if from <= minMicros {
		from = minMicros
	}
	if to >= maxMicros {
		to = maxMicros
	}
	if from >= to {
		return nil
	}
	switch ref.Type {
	case TimestampTZ:
		return b.zone.instants(from, to)
	case Date:
		if from > minMicros {
			from = -floorDiv(-from, dayMicros) // the first day that starts within
		}
		if to < maxMicros {
			to = -floorDiv(-to, dayMicros)
		}
		if from >= to {
			return nil
		}
	}
	return rawSpans{{from, to}}
}

// timeValue is a literal of a filter on a time column: the span of the
// column's own unit that it stands for, and all that lies before and after.
type timeValue struct {
	at            rawSpans
	before, after rawSpans
	wall          wallSpan
}

// timeValue reads a literal: a day stands for the whole day, and with a grain
// any moment stands for the whole bucket that it lies in.
//
// Errors: query.filter_type.
func (b *binder) timeValue(raw json.RawMessage, ref colRef, grain, path, name string) (timeValue, error) {
	text, ok := stringOf(raw)
	var m moment
	if ok {
		m, ok = parseMoment(text)
	}
	misfit := func(hint string) error {
		return ErrFilterType.With("%s: %q is %s, so it cannot be compared with %s. %s", path, clip(name), typeNoun(ref.Type), quoteRaw(raw), hint)
	}
	switch {
	case !ok && ref.Type == Date:
		return timeValue{}, misfit("Write a date as \"2001-12-31\".")
	case !ok:
		return timeValue{}, misfit("Write a date as \"2001-12-31\" and a time as \"2001-12-31T23:59:59\".")
	case ref.Type == Date && !m.day:
		return timeValue{}, misfit("It has no time of day: write \"2001-12-31\".")
	case ref.Type != TimestampTZ && m.instant:
		return timeValue{}, misfit("It has no time zone: leave out the offset.")
	}
	if m.instant {
		return b.instantValue(ref, m.from, grain), nil
	}
	from, to := m.from, m.to
	if grain != "" {
		from = truncateWall(from, grain)
		to = addWall(from, grain, 1)
	}
	return timeValue{at: b.raw(ref, from, to), before: b.raw(ref, minMicros, from), after: b.raw(ref, to, maxMicros), wall: wallSpan{from, to}}, nil
}

// instantValue is a literal with an offset. Buckets finer than a day keep the
// offset that their rows have, as grouping does, so that the two hours in
// which clocks are set back stay two.
func (b *binder) instantValue(ref colRef, instant int64, grain string) timeValue {
	if grain != "" && !subDay(grain) {
		from := truncateWall(b.zone.local(instant), grain)
		to := addWall(from, grain, 1)
		return timeValue{at: b.raw(ref, from, to), before: b.raw(ref, minMicros, from), after: b.raw(ref, to, maxMicros), wall: wallSpan{from, to}}
	}
	from, to := instant, instant+1
	at := rawSpans{{from, to}}
	if grain != "" {
		offset := b.zone.offsetAt(instant)
		from = truncateWall(instant+offset, grain) - offset
		to = from + grainMicros(grain)
		at = nil
		for _, p := range b.zone.periods(from, to-1) {
			if floorMod(from+p.offset, grainMicros(grain)) == 0 {
				at = append(at, [2]int64{max(from, p.from), min(to, p.to)})
			}
		}
		at = at.union()
	}
	return timeValue{at: at, before: rawSpans{{minMicros, from}}, after: rawSpans{{to, maxMicros}},
		wall: wallSpan{b.zone.local(from), b.zone.local(to-1) + 1}}
}

func grainMicros(grain string) int64 {
	switch grain {
	case "minute":
		return minuteMicros
	case "quarter_hour":
		return quarterMicros
	case "hour":
		return hourMicros
	}
	return dayMicros
}

// timeFilter binds a filter on a date or timestamp as spans of the column, so
// that segments and row groups outside them are never read.
func (b *binder) timeFilter(f *Filter, ref colRef, path, name string) (predicate, *boundSpan, error) {
	pred := predicate{Ref: ref, Kind: kindSet}
	if f.Bin != 0 {
		return pred, nil, ErrBin.With("%s: bins need a number, but %q is %s.", path, clip(name), typeNoun(ref.Type))
	}
	read := func(raw json.RawMessage) (timeValue, error) { return b.timeValue(raw, ref, f.Grain, path, name) }
	keep := func(spans rawSpans, wall wallSpan) (predicate, *boundSpan, error) {
		pred.Set = spans.intervals()
		return pred, &boundSpan{ref: ref, span: wall}, nil
	}
	switch f.Op {
	case "last", "this", "previous":
		return b.relativeFilter(f, ref, path, name)
	case "in", "not_in", "=", "!=":
		var all rawSpans
		var walls []wallSpan
		listed := false
		for _, raw := range f.Values {
			if isNull(raw) {
				listed = true
				continue
			}
			v, err := read(raw)
			if err != nil {
				return pred, nil, err
			}
			all = append(all, v.at...)
			walls = append(walls, v.wall)
		}
		pred.Set = all.union().intervals()
		pred.Negate = f.Op == "not_in" || f.Op == "!="
		pred.Nulls = listed != pred.Negate
		if len(walls) == 0 {
			return pred, nil, nil
		}
		if whole, ok := joined(walls); ok && !listed && !pred.Negate {
			return pred, &boundSpan{ref: ref, span: whole}, nil
		}
		return pred, &boundSpan{ref: ref, listed: walls}, nil
	case "between":
		spans := rawSpans{{minMicros, maxMicros}}
		wall := wallSpan{minMicros, maxMicros}
		if !isNull(f.From) {
			v, err := read(f.From)
			if err != nil {
				return pred, nil, err
			}
			spans = spans.intersect(append(append(rawSpans(nil), v.at...), v.after...).union())
			wall.From = v.wall.From
		}
		if !isNull(f.To) {
			v, err := read(f.To)
			if err != nil {
				return pred, nil, err
			}
			spans = spans.intersect(append(append(rawSpans(nil), v.before...), v.at...).union())
			wall.To = v.wall.To
		}
		return keep(spans, wall)
	}
	v, err := read(f.Values[0])
	if err != nil {
		return pred, nil, err
	}
	switch f.Op {
	case "<":
		return keep(v.before, wallSpan{minMicros, v.wall.From})
	case "<=":
		return keep(append(append(rawSpans(nil), v.before...), v.at...).union(), wallSpan{minMicros, v.wall.To})
	case ">":
		return keep(v.after, wallSpan{v.wall.To, maxMicros})
	}
	return keep(append(append(rawSpans(nil), v.at...), v.after...).union(), wallSpan{v.wall.From, maxMicros})
}

// joined is the one span that several make, where no time lies between them.
func joined(spans []wallSpan) (whole wallSpan, ok bool) {
	spans = slices.SortedFunc(slices.Values(spans), func(a, b wallSpan) int { return cmp.Compare(a.From, b.From) })
	whole = spans[0]
	for _, s := range spans[1:] {
		if s.From > whole.To {
			return whole, false
		}
		whole.To = max(whole.To, s.To)
	}
	return whole, true
}

// reference is the moment that relative dates count from: now, or the newest
// value of the column. It is an instant for TimestampTZ and wall-clock time
// otherwise; end is the first moment after all that has happened by then.
func (b *binder) reference(ref colRef) (at, end int64, err error) { return b.referenceOf(b.ds, ref) }

// referenceOfAll is reference whatever rows the asker sees: whether a span is over
// is a fact of the dataset.
func (b *binder) referenceOfAll(ref colRef) (at, end int64, err error) {
	if b.ds.Policy == nil || !b.ds.RelativeToNewest || b.plan.MinRows > 1 { // it might be the row of a small group
		return b.reference(ref)
	}
	whole := *b.ds
	whole.Policy = nil
	at, end, err = b.referenceOf(&whole, ref)
	if err != nil {
		return 0, 0, err
	}
	// The day alone: when exactly that row was is not the asker's to know.
	last := end - 1
	if ref.Type == TimestampTZ {
		last = b.zone.local(last)
	}
	end = (floorDiv(last, dayMicros) + 1) * dayMicros
	if ref.Type == TimestampTZ {
		end = b.zone.instant(end)
	}
	return at, end, nil
}

func (b *binder) referenceOf(ds *Dataset, ref colRef) (at, end int64, err error) {
	column := ref
	switch {
	case ref.Rel > 0:
		ds = b.plan.Lookups[ref.Rel-1].target
	case ref.Rel == fieldRel:
		// A calculated time counts from the newest row, as its rows do.
		c := columnByID(ds.Columns, ds.TimeColumn)
		if c == nil || ds.TimeColumn == 0 || !ds.RelativeToNewest {
			break
		}
		column = refOf(0, c)
	}
	width := int64(1)
	if ref.Type == Date {
		width = dayMicros
	}
	if ds.RelativeToNewest && b.newest != nil && column.Rel != fieldRel {
		newest, ok, err := b.newest(ds, column.ID, maxMicros, b.zone.name)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			newest = b.timeAs(newest, column.Type, ref.Type)
			return newest, newest + width, nil
		}
	}
	now := b.now
	if now.IsZero() {
		now = time.Now().Truncate(time.Minute)
	}
	at = now.UnixMicro()
	if ref.Type != TimestampTZ {
		at = b.zone.local(at)
	}
	if ref.Type == Date {
		at = floorDiv(at, dayMicros) * dayMicros
	}
	return at, at + width, nil
}

// timeAs takes a value of a time column, in its own unit, to microseconds of a
// column of another type.
func (b *binder) timeAs(v int64, from, to Type) int64 {
	switch {
	case from == Date:
		v *= dayMicros
	case from == TimestampTZ && to != TimestampTZ:
		v = b.zone.local(v)
	}
	switch {
	case to == Date:
		v = floorDiv(v, dayMicros) * dayMicros
	case to == TimestampTZ && from != TimestampTZ:
		v = b.zone.instant(v)
	}
	return v
}

func (b *binder) relativeFilter(f *Filter, ref colRef, path, name string) (predicate, *boundSpan, error) {
	pred := predicate{Ref: ref, Kind: kindSet}
	if ref.Type == Date && subDay(f.Unit) {
		return pred, nil, ErrFilterOp.With("%s: %q is a date without time of day, so it has no unit %s.", path, clip(name), f.Unit)
	}
	at, _, err := b.reference(ref)
	if err != nil {
		return pred, nil, err
	}
	n := max(f.N, 1)
	span := &boundSpan{ref: ref, relative: true, unit: f.Unit, n: n}
	if ref.Type == TimestampTZ && subDay(f.Unit) {
		// Hours and minutes are counted as they pass, also where clocks change.
		width := grainMicros(f.Unit)
		offset := b.zone.offsetAt(at)
		start := truncateWall(at+offset, f.Unit) - offset
		from, to := start-int64(n-1)*width, start+width
		if f.Op == "previous" {
			from, to = from-width, start
		}
		span.span = wallSpan{b.zone.local(from), b.zone.local(to-1) + 1}
		pred.Set = rawSpans{{from, to}}.intervals()
		return pred, span, nil
	}
	wall := at
	if ref.Type == TimestampTZ {
		wall = b.zone.local(at)
	}
	start := truncateWall(wall, f.Unit)
	span.span = wallSpan{addWall(start, f.Unit, 1-n), addWall(start, f.Unit, 1)}
	if f.Op == "previous" {
		span.span = wallSpan{addWall(start, f.Unit, -n), start}
	}
	pred.Set = b.raw(ref, span.span.From, span.span.To).intervals()
	return pred, span, nil
}
