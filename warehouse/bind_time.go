package warehouse

import (
	"encoding/json"
	"math"
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
		var wall *wallSpan
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
			wall = &v.wall
		}
		pred.Set = all.union().intervals()
		pred.Negate = f.Op == "not_in" || f.Op == "!="
		pred.Nulls = listed != pred.Negate
		if len(f.Values) == 1 && wall != nil && !pred.Negate {
			return pred, &boundSpan{ref: ref, span: *wall}, nil
		}
		return pred, nil, nil
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

// reference is the moment that relative dates count from: now, or the newest
// value of the column. It is an instant for TimestampTZ and wall-clock time
// otherwise; end is the first moment after all that has happened by then.
func (b *binder) reference(ref colRef) (at, end int64, err error) {
	ds := b.ds
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
		newest, ok, err := b.newest(ds, column.ID)
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

// comparison binds the columns of an earlier span. docs/query-spec.md has the
// rules in words.
func (b *binder) comparison() error {
	c := b.spec.Comparison
	if c == nil {
		return nil
	}
	ref, err := b.comparisonColumn(c)
	if err != nil {
		return err
	}
	span, parts := b.spanOf(ref)
	if span.From <= minMicros {
		return ErrComparison.With("A comparison needs a filter that says where the span of time starts.")
	}
	if subDay(c.Unit) && (ref.Type == Date || b.byDays(ref)) {
		return ErrComparison.With("comparison.unit %q needs a column with a time of day, and no dimension of days or longer.", c.Unit)
	}
	_, end, err := b.reference(ref)
	if err != nil {
		return err
	}
	if ref.Type == TimestampTZ {
		end = b.zone.local(end)
	}
	if span.To >= maxMicros {
		span.To = max(end, span.From)
	}
	step := b.stepBack(c, ref, span, parts)
	previous := wallSpan{step.back(span.From), step.back(span.To)}
	if previous.From <= minMicros || time.UnixMicro(previous.From).UTC().Year() < 1 {
		return ErrComparison.With("The comparison goes back to before the first year.")
	}
	if c.Unit != "" && span.To%dayMicros == 0 {
		// By its last day: up to the 30th of March ends on the last of February.
		previous.To = step.back(span.To-dayMicros) + dayMicros
	}
	replaced := map[int]bool{} // predicates of the current span alone
	for _, p := range parts {
		replaced[p.where] = true
	}
	switch {
	case end <= span.From:
		previous.To = previous.From // all of it lies ahead
	case end <= span.To:
		if end < span.To {
			// The current span is not over: compare with as much of the earlier one.
			previous.To = min(previous.To, step.back(end))
		}
		ahead, err := b.rowsAhead(ref, end)
		if err != nil {
			return err
		}
		if ahead {
			// What is planned, booked or due is compared with nothing: each measure and
			// group reaches as far ahead as it likes, so only what has happened is alike.
			span.To, b.plan.Ahead = end, true
			replaced[len(b.plan.Where)] = true
			b.plan.Where = append(b.plan.Where, predicate{Ref: ref, Kind: kindSet, Set: b.raw(ref, span.From, end).intervals()})
		}
	}
	prev := &planPrevious{Ref: ref}
	prev.Shift = b.shiftFor(step, ref, span, previous)
	spans := b.raw(ref, previous.From, previous.To)
	if c.Period == "previous" && len(parts) == 1 && parts[0].relative && ref.Type == TimestampTZ && subDay(parts[0].unit) {
		spans = b.shiftedBack(parts[0], spans)
	}
	previous, spans = b.reach(prev, span, previous, spans)
	prev.Span = previous
	for i, w := range b.plan.Where {
		if !replaced[i] {
			prev.Where = append(prev.Where, w)
		}
	}
	prev.Where = append(prev.Where, predicate{Ref: ref, Kind: kindSet, Set: spans.intervals()})
	b.plan.Previous = prev
	b.plan.Span, b.plan.SpanTZ = &span, ref.Type == TimestampTZ
	return nil
}

// comparisonColumn is the column whose span is compared.
func (b *binder) comparisonColumn(c *Comparison) (colRef, error) {
	if c.Column != "" {
		ref, err := b.column(c.Column, "comparison")
		if err == nil && !ref.temporal() {
			err = ErrComparison.With("A comparison needs a column of dates or timestamps, but %q is %s.", clip(c.Column), typeNoun(ref.Type))
		}
		return ref, err
	}
	if own := columnByID(b.ds.Columns, b.ds.TimeColumn); own != nil && b.ds.TimeColumn != 0 && isTemporal(own.Type) && !b.masked(own) {
		if span, _ := b.spanOf(refOf(0, own)); span.From > minMicros || len(b.spans) == 0 {
			return refOf(0, own), nil
		}
	}
	if len(b.spans) > 0 {
		return b.spans[0].ref, nil
	}
	return colRef{}, ErrComparison.With("A comparison needs a filter on a date or timestamp.")
}

// rowsAhead tells whether rows may be later than a moment of the wall clock.
func (b *binder) rowsAhead(ref colRef, end int64) (bool, error) {
	if ref.Rel != 0 || b.newest == nil {
		return true, nil // only asking would tell
	}
	whole := *b.ds
	whole.Policy = nil // the statistics are enough
	newest, ok, err := b.newest(&whole, ref.ID)
	if err != nil || !ok {
		return false, err
	}
	switch ref.Type {
	case Date:
		newest *= dayMicros
	case TimestampTZ:
		newest = b.zone.local(newest)
	}
	return newest >= end, nil
}

// step is the way from the current span to the earlier one.
type step struct {
	back  func(wall int64) int64
	years int // that it goes by the calendar, where it is whole years
}

// stepBack goes by what the comparison says, else spans of whole months by
// months and other spans by their length.
func (b *binder) stepBack(c *Comparison, ref colRef, span wallSpan, parts []boundSpan) step {
	by := func(unit string, n int) step {
		s := step{back: func(t int64) int64 { return addWall(t, unit, -n) }}
		if months := monthsOf[unit] * n; months%12 == 0 {
			s.years = months / 12
		}
		return s
	}
	if c.Unit != "" {
		return by(c.Unit, c.N)
	}
	if c.Period == "year" {
		if b.hasWeekDimension(ref) {
			return step{back: func(t int64) int64 { return t - 364*dayMicros }}
		}
		return by("year", 1)
	}
	if len(parts) == 1 && parts[0].relative && parts[0].span == span {
		return by(parts[0].unit, parts[0].n)
	}
	if truncateWall(span.From, "month") == span.From && truncateWall(span.To, "month") == span.To && span.To > span.From {
		return by("month", monthsBetween(span.From, span.To))
	}
	length := span.To - span.From
	return step{back: func(t int64) int64 { return t - length }}
}

var monthsOf = map[string]int{"month": 1, "quarter": 3, "year": 12}

// monthsBetween counts months from that of one moment to that of another.
func monthsBetween(from, to int64) int {
	a, b := time.UnixMicro(from).UTC(), time.UnixMicro(to).UTC()
	return (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
}

// byDays tells whether a dimension of a column has steps of a day or longer.
func (b *binder) byDays(ref colRef) bool {
	for _, d := range b.plan.Dims {
		if d.Ref == ref && d.Grain != "" && !subDay(d.Grain) && !cyclic(d.Grain) {
			return true
		}
	}
	return false
}

func (b *binder) hasWeekDimension(ref colRef) bool {
	for _, d := range b.plan.Dims {
		if d.Ref == ref && d.Grain == "week" {
			return true
		}
	}
	return false
}

// shiftFor says how rows of the earlier span line up with the current one. It
// follows the finest dimension of time, since that is what is looked at.
func (b *binder) shiftFor(step step, ref colRef, span, previous wallSpan) shift {
	finest := math.MaxInt
	for _, d := range b.plan.Dims {
		if d.Ref != ref || cyclic(d.Grain) {
			continue
		}
		switch d.Grain {
		case "month", "quarter", "year":
			finest = min(finest, 3)
		case "day", "week":
			finest = min(finest, 2)
		case "":
			if ref.Type == Date {
				finest = min(finest, 2)
				continue
			}
			finest = min(finest, 1)
		default:
			finest = min(finest, 1)
		}
	}
	switch finest {
	case 1:
		if ref.Type == TimestampTZ {
			now, before := b.zone.instants(span.From, span.To), b.zone.instants(previous.From, maxMicros)
			if len(now) > 0 && len(before) > 0 {
				return shift{Micros: now[0][0] - before[0][0]}
			}
		}
		return shift{Micros: span.From - previous.From}
	case 2:
		if step.years > 0 && !b.hasWeekDimension(ref) {
			return shift{Years: int64(step.years)}
		}
		return shift{Days: floorDiv(span.From, dayMicros) - floorDiv(previous.From, dayMicros)}
	case 3:
		// The earlier span may touch one month more: what is in that belongs to the last.
		last := truncateWall(max(span.To-1, span.From), "month")
		return shift{Months: int64(monthsBetween(previous.From, span.From)), Last: last / dayMicros}
	}
	return shift{}
}

// reach cuts what the earlier span has beyond the end of a shorter current one,
// and tells prev what it lacks of a longer one. It gives the earlier span and
// its rows.
func (b *binder) reach(prev *planPrevious, span, previous wallSpan, spans rawSpans) (wallSpan, rawSpans) {
	s := prev.Shift
	end := span.To
	switch {
	case s.Micros != 0 && prev.Ref.Type == TimestampTZ:
		now := b.raw(prev.Ref, span.From, span.To)
		if len(now) == 0 || len(spans) == 0 {
			return previous, spans
		}
		end = now[len(now)-1][1]
		spans = spans.intersect(rawSpans{{minMicros, end - s.Micros}})
		if len(spans) == 0 {
			return wallSpan{previous.From, previous.From}, spans
		}
		last := spans[len(spans)-1][1]
		previous.To = min(previous.To, b.zone.local(last-1)+1)
		prev.Reach = last + s.Micros
	case s.Micros != 0:
		previous.To = min(previous.To, span.To-s.Micros)
		prev.Reach = previous.To + s.Micros
	case s.Days != 0:
		previous.To = min(previous.To, span.To-s.Days*dayMicros)
		prev.Reach = previous.To + s.Days*dayMicros
	case s.Years != 0:
		prev.Reach = addWall(floorDiv(previous.To-1, dayMicros)*dayMicros, "year", int(s.Years)) + dayMicros
		prev.Lacks = leapDays(span, int(s.Years))
	case s.Months != 0:
		prev.Reach = addWall(min(addWall(truncateWall(previous.To-1, "month"), "month", int(s.Months)), s.Last*dayMicros), "month", 1)
	}
	if prev.Reach >= end {
		prev.Reach = 0
	}
	return previous, spans.intersect(b.raw(prev.Ref, minMicros, previous.To))
}

// leapDays are the 29ths of February in a span that has none of them so many
// years before.
func leapDays(span wallSpan, years int) []int64 {
	var days []int64
	last := time.UnixMicro(span.To - 1).UTC().Year()
	for y := time.UnixMicro(span.From).UTC().Year(); y <= last; y++ {
		leap := time.Date(y, time.February, 29, 0, 0, 0, 0, time.UTC)
		before := time.Date(y-years, time.February, 29, 0, 0, 0, 0, time.UTC)
		if at := leap.UnixMicro(); leap.Day() == 29 && before.Day() != 29 && at >= span.From && at < span.To {
			days = append(days, at/dayMicros)
		}
	}
	return days
}

// shiftedBack moves a span of whole hours or minutes as they pass.
func (b *binder) shiftedBack(part boundSpan, spans rawSpans) rawSpans {
	for _, pred := range b.plan.Where[part.where : part.where+1] {
		if len(pred.Set) == 1 && pred.Set[0].Lo != nil && len(spans) > 0 {
			length := int64(part.n) * grainMicros(part.unit)
			from := pred.Set[0].Lo.I - length
			to := spans[len(spans)-1][1]
			return rawSpans{{from, max(from, min(to, pred.Set[0].Lo.I))}}
		}
	}
	return spans
}
