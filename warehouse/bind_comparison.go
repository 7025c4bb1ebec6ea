package warehouse

import (
	"math"
	"slices"
	"time"
)

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
	_, now, err := b.referenceOfAll(ref) // the first moment that has not happened, as the column has it
	if err != nil {
		return err
	}
	end := now // on the wall clock, which shows an hour twice when clocks go back
	if ref.Type == TimestampTZ {
		end = b.zone.local(now)
	}
	whole := span // as the filters leave it, perhaps without an end
	if span.To >= maxMicros {
		span.To = max(end, span.From)
	}
	step := stepOf(c, span, parts, b.hasWeekDimension(ref))
	previous := step.earlier(span, end)
	if previous.From <= minMicros || time.UnixMicro(previous.From).UTC().Year() < 1 {
		return ErrComparison.With("The comparison goes back to before the first year.")
	}
	if span.From < end && end < whole.To {
		ahead, newest, err := b.rowsAhead(ref, now, whole.To)
		if err != nil {
			return err
		}
		switch {
		case ahead && b.plan.MinRows > 1:
			// What lies ahead may be few rows, and the difference would tell how many:
			// nothing is compared.
			previous.To = previous.From
			span = whole
		case ahead:
			b.toDate(ref, now)
			span = whole
		case newest >= max(span.From, floorDiv(end-1, dayMicros)*dayMicros):
			// The day that goes on is known up to its newest row: what came later on
			// the earlier day has nothing to be compared with yet.
			previous = step.earlier(span, newest+1)
		}
	}
	if max(b.plan.MinRows, b.few) > 1 && previous.To > span.From {
		// Spans that overlap differ in the rows at their ends, which may be few.
		previous.To = previous.From
	}
	spans := b.raw(ref, previous.From, previous.To)
	if c.Period == "previous" && len(parts) == 1 && parts[0].relative && ref.Type == TimestampTZ && subDay(parts[0].unit) {
		spans = b.shiftedBack(parts[0], spans)
	}
	prev := &planPrevious{Ref: ref, Shift: b.shiftFor(step, ref, span, previous, spans)}
	previous, spans = b.reach(prev, span, previous, spans)
	prev.Span = previous
	moved := map[int]bool{} // predicates that have another place in the earlier span
	for _, p := range parts {
		moved[p.where] = true
	}
	last := []predicate{{Ref: ref, Kind: kindSet, Set: spans.intervals()}}
	for _, l := range b.lists {
		if l.ref == ref {
			moved[l.where] = true
			last = append(last, b.movedList(l, step, prev.Shift))
		}
	}
	for i, w := range b.plan.Where { // first the rules, as plan.Ruled has it
		if !moved[i] {
			prev.Where = append(prev.Where, w)
		}
	}
	prev.Where = append(prev.Where, last...)
	for i := range b.plan.Measures {
		m := &b.plan.Measures[i]
		m.Unmoved = b.filteredBy(&m.Node, ref)
	}
	b.plan.Previous = prev
	b.plan.Span, b.plan.SpanTZ = &span, ref.Type == TimestampTZ
	return nil
}

// toDate adds what each measure was by now, in microseconds. Later rows are
// planned, booked or due: they count in the measure, and are compared with nothing.
func (b *binder) toDate(ref colRef, now int64) {
	until := rawSpans{{minMicros, now}}
	if ref.Type == Date {
		until = b.raw(ref, minMicros, now)
	}
	happened := predicate{Ref: ref, Kind: kindSet, Set: until.intervals()}
	all := make([]planMeasure, 0, 2*len(b.plan.Measures))
	for _, m := range b.plan.Measures {
		all = append(all, m)
		m.Node, m.Name, m.ToDate = b.filtered(m.Node, happened), m.Name+ToDateSuffix, true
		all = append(all, m)
	}
	b.plan.Measures, b.plan.ToDate = all, now
}

// filtered is a measure of the rows that also pass p.
func (b *binder) filtered(n node, p predicate) node {
	switch {
	case n.Num != nil:
		num, den := b.filtered(*n.Num, p), b.filtered(*n.Den, p)
		n.Num, n.Den = &num, &den
		return n
	case n.Expr != nil:
		parts := make([]node, len(n.Parts))
		for i := range parts {
			parts[i] = b.filtered(n.Parts[i], p)
		}
		n.Parts = parts
		return n
	}
	a := b.plan.Atoms[n.Atom]
	a.Filters = append(slices.Clone(a.Filters), p)
	return b.atom(a)
}

// filteredBy tells whether a measure has filters of its own that keep spans of a
// column: those stay where they are, so the earlier span says nothing of them.
func (b *binder) filteredBy(n *node, ref colRef) bool {
	switch {
	case n.Num != nil:
		return b.filteredBy(n.Num, ref) || b.filteredBy(n.Den, ref)
	case n.Expr != nil:
		return slices.ContainsFunc(n.Parts, func(part node) bool { return b.filteredBy(&part, ref) })
	}
	return slices.ContainsFunc(b.plan.Atoms[n.Atom].Filters, func(p predicate) bool { return p.Ref == ref && p.ranged() })
}

// movedList is a filter on several spans as the earlier span has them: where its
// rows are moved from.
func (b *binder) movedList(l boundSpan, step step, by shift) predicate {
	var all rawSpans
	for _, s := range l.listed {
		switch {
		case by.Days != 0:
			s.From, s.To = s.From-by.Days*dayMicros, s.To-by.Days*dayMicros
		case by.Micros != 0: // as they pass, whatever the clock shows
			for _, now := range b.raw(l.ref, s.From, s.To) {
				all = append(all, [2]int64{now[0] - by.Micros, now[1] - by.Micros})
			}
			continue
		default:
			s.From, s.To = step.back(s.From), step.backTo(s)
		}
		all = append(all, b.raw(l.ref, s.From, s.To)...)
	}
	p := b.plan.Where[l.where]
	p.Set = all.union().intervals()
	return p
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

// rowsAhead tells whether rows of a span up to a moment of the wall clock may be
// later than now, in microseconds, and else the newest moment of the wall clock
// that has a row: minMicros where that is not known, a day at most, or not everybody's
// to see.
func (b *binder) rowsAhead(ref colRef, now, to int64) (ahead bool, newest int64, err error) {
	if ref.Rel != 0 || b.newest == nil {
		return true, minMicros, nil // only asking would tell
	}
	whole := *b.ds
	if b.plan.MinRows <= 1 {
		whole.Policy = nil // the statistics are enough: TrimAhead tells in the end
	}
	newest, ok, err := b.newest(&whole, ref.ID, to, b.zone.name)
	switch {
	case err != nil || !ok:
		return false, minMicros, err
	case ref.Type == Date:
		return newest*dayMicros >= now, minMicros, nil
	case newest >= now:
		return true, minMicros, nil
	case b.ds.Policy != nil:
		return false, minMicros, nil
	case ref.Type == TimestampTZ:
		newest = b.zone.local(newest)
	}
	return false, newest, nil
}

// step is the way from the current span to the earlier one.
type step struct {
	back   func(wall int64) int64
	months int  // that it goes by the calendar, where it is whole months
	whole  bool // whole months are compared with whole months
}

// backTo is where the earlier span ends. It goes by the last day, so that up to the
// 28th is compared with up to the 28th; a month without such a day counts in whole.
func (s step) backTo(span wallSpan) int64 {
	day := floorDiv(span.To-1, dayMicros) * dayMicros
	earlier := s.back(day)
	if s.months > 0 && time.UnixMicro(earlier).UTC().Day() != time.UnixMicro(day).UTC().Day() {
		return earlier + dayMicros
	}
	return earlier + span.To - day
}

// earlier is the span that one is compared with, where end is the first moment
// that has not happened: none of what lies ahead, as much as there is of a span
// that is not over.
func (s step) earlier(span wallSpan, end int64) wallSpan {
	previous := wallSpan{s.back(span.From), s.backTo(span)}
	switch {
	case end <= span.From:
		previous.To = previous.From
	case end < span.To:
		previous.To = min(previous.To, s.backTo(wallSpan{span.From, end}))
	case end > span.To && s.whole && truncateWall(span.From, "month") == span.From && truncateWall(span.To, "month") == span.To:
		previous.To = s.back(span.To) // all of a month that is over with all of one
	}
	return previous
}

// EarlierDays are the first and the last day, since 1970, that a comparison looks
// at for a span of days on a day, as a query does. ok is false where there is none.
func EarlierDays(c Comparison, first, last, today int64) (from, to int64, ok bool) {
	span := wallSpan{first * dayMicros, (last + 1) * dayMicros}
	previous := stepOf(&c, span, nil, false).earlier(span, (today+1)*dayMicros)
	return previous.From / dayMicros, previous.To/dayMicros - 1, previous.From < previous.To
}

// stepOf goes by what the comparison says, else relative spans by their units,
// spans of whole months by months and other spans by their length.
func stepOf(c *Comparison, span wallSpan, parts []boundSpan, weeks bool) step {
	by := func(unit string, n int) step {
		return step{back: func(t int64) int64 { return addWall(t, unit, -n) }, months: monthsOf[unit] * n}
	}
	if c.Unit != "" {
		return by(c.Unit, c.N)
	}
	wholly := func(s step) step {
		s.whole = s.months > 0
		return s
	}
	if c.Period == "year" {
		if weeks {
			return step{back: func(t int64) int64 { return t - 364*dayMicros }}
		}
		return wholly(by("year", 1))
	}
	if len(parts) == 1 && parts[0].relative && parts[0].span == span {
		return wholly(by(parts[0].unit, parts[0].n))
	}
	if truncateWall(span.From, "month") == span.From && truncateWall(span.To, "month") == span.To && span.To > span.From {
		return wholly(by("month", monthsBetween(span.From, span.To)))
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
func (b *binder) shiftFor(step step, ref colRef, span, previous wallSpan, spans rawSpans) shift {
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
			if now := b.zone.instants(span.From, span.To); len(now) > 0 && len(spans) > 0 {
				return shift{Micros: now[0][0] - spans[0][0]}
			}
		}
		return shift{Micros: span.From - previous.From}
	case 2, 3:
		if step.months > 0 && finest == 3 {
			// The earlier span may touch one month more: what is in that belongs to the last.
			last := truncateWall(max(span.To-1, span.From), "month")
			return shift{Months: int64(monthsBetween(previous.From, span.From)), Last: last / dayMicros}
		}
		if step.months > 0 && step.months%12 == 0 && !b.hasWeekDimension(ref) {
			return shift{Years: int64(step.months / 12)}
		}
		return shift{Days: floorDiv(span.From, dayMicros) - floorDiv(previous.From, dayMicros)}
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
		previous.To = min(previous.To, -floorDiv(-span.To, dayMicros)*dayMicros-s.Days*dayMicros)
		prev.Reach = previous.To + s.Days*dayMicros
	case s.Years != 0:
		prev.Reach = addWall(floorDiv(previous.To-1, dayMicros)*dayMicros, "year", int(s.Years)) + dayMicros
		prev.Lacks = leapDays(wallSpan{span.From, min(span.To, prev.Reach)}, int(s.Years))
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
