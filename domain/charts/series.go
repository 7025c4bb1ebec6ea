package charts

import (
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// grains from the finest to the coarsest.
var grainOrder = []string{"minute", "quarter_hour", "hour", "day", "week", "month", "quarter", "year"}

func grainRank(grain string) int {
	for i, g := range grainOrder {
		if g == grain {
			return i
		}
	}
	return -1
}

// finer tells whether grain a is smaller than b.
func finer(a, b string) bool { return grainRank(a) >= 0 && grainRank(a) < grainRank(b) }

// bucketGrain is the grain as package locale names buckets.
func bucketGrain(grain string) locale.Grain {
	if grain == "quarter_hour" || grain == "minute" {
		return locale.Minute
	}
	if grainRank(grain) < 0 {
		return locale.Day
	}
	return locale.Grain(grain)
}

// floor is the start of the bucket that t lies in, on the wall clock.
func floor(t time.Time, grain string) time.Time {
	y, m, d := t.Date()
	switch grain {
	case "minute":
		return t.Truncate(time.Minute)
	case "quarter_hour":
		return t.Truncate(15 * time.Minute)
	case "hour":
		return t.Truncate(time.Hour)
	case "week":
		back := (int(t.Weekday()) + 6) % 7
		return time.Date(y, m, d-back, 0, 0, 0, 0, time.UTC)
	case "month":
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case "quarter":
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	case "year":
		return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// next is the start of the bucket n after that of t.
func next(t time.Time, grain string, n int) time.Time {
	switch grain {
	case "minute":
		return t.Add(time.Duration(n) * time.Minute)
	case "quarter_hour":
		return t.Add(time.Duration(n) * 15 * time.Minute)
	case "hour":
		return t.Add(time.Duration(n) * time.Hour)
	case "week":
		return t.AddDate(0, 0, 7*n)
	case "month":
		return t.AddDate(0, n, 0)
	case "quarter":
		return t.AddDate(0, 3*n, 0)
	case "year":
		return t.AddDate(n, 0, 0)
	}
	return t.AddDate(0, 0, n)
}

// series are measures over buckets of time without holes between them.
type series struct {
	grain  string
	at     []time.Time // wall clock
	rows   []int       // of the result; -1 for a bucket without a row
	values [][]float64 // by measure, then by bucket; NaN is a gap
}

// timeline lists the buckets of the span of the query or, where it has none,
// from the first to the last bucket of the result. A timestamp without a grain
// has no buckets: its moments stay as they are.
func (d *drawing) timeline(x *warehouse.ResultColumn) (at []time.Time, grain string) {
	grain = x.Grain
	if grain == "" && x.Type == warehouse.Date {
		grain = "day"
	}
	if grain == "" {
		seen := map[time.Time]bool{}
		for i := range d.Result.Rows {
			if t := d.wall(x, i); !x.IsNull(i) && !seen[t] {
				seen[t] = true
				at = append(at, t)
			}
		}
		sort.Slice(at, func(i, j int) bool { return at[i].Before(at[j]) })
		return at, ""
	}
	low, high := d.stretch(x)
	if low.IsZero() {
		return nil, grain
	}
	for t := floor(low, grain); !t.After(high); t = next(t, grain, 1) {
		if x.Type == warehouse.TimestampTZ && grainRank(grain) <= grainRank("hour") && d.skipped(t) && d.skipped(next(t, grain, 1).Add(-time.Minute)) {
			continue
		}
		at = append(at, t)
		if len(at) > warehouse.MaxLimit {
			d.out.AtLeast = true
			break
		}
	}
	return at, grain
}

// stretch is the first and the last moment of a time axis: those of the query's
// span or, where it has none, of the result; zero without either.
func (d *drawing) stretch(x *warehouse.ResultColumn) (low, high time.Time) {
	for i := range d.Result.Rows {
		if x.IsNull(i) {
			continue
		}
		t := d.wall(x, i)
		if low.IsZero() || t.Before(low) {
			low = t
		}
		if high.IsZero() || t.After(high) {
			high = t
		}
	}
	if span := d.Result.Span; span != nil && !span.From.IsZero() && !span.To.IsZero() {
		from, to := d.spanWall(span)
		if d.Oldest.After(from) {
			from = d.Oldest
		}
		if !d.Newest.IsZero() && d.Newest.Before(to) {
			to = d.Newest.Add(time.Microsecond)
		}
		if low.IsZero() || from.Before(low) {
			low = from
		}
		if high.IsZero() || to.Add(-time.Microsecond).After(high) {
			high = to.Add(-time.Microsecond)
		}
	}
	return low, high
}

// skipped tells whether no clock of the zone shows a time: the hour that summer
// time takes away.
func (d *drawing) skipped(wall time.Time) bool {
	there := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, d.Zone)
	return there.Hour() != wall.Hour() || there.Minute() != wall.Minute()
}

// unknown tells whether a bucket's counterpart in the span compared with is
// wholly before the data begins: nothing is known of it, which is not zero.
func (d *drawing) unknown(bucket time.Time, grain string) bool {
	now, then := d.Result.Span, d.Result.Previous
	if now == nil || then == nil || d.Oldest.IsZero() || grain == "" {
		return false
	}
	from, _ := d.spanWall(now)
	before, _ := d.spanWall(then)
	return !next(bucket, grain, 1).Add(before.Sub(from)).After(d.Oldest)
}

// lacks tells whether the span compared with has no such day: the 29th of February.
func (d *drawing) lacks(day time.Time, grain string) bool {
	return (grain == "day" || grain == "") && slices.Contains(d.Result.Lacks, day.Unix()/86400)
}

// restDays is how much a bucket may lack at an end of the data and still be
// whole: nobody works at weekends.
const restDays = 2 * 24 * time.Hour

// cuts tells which buckets the span of the query, the ends of the data or the clock
// cut, so that they hold less than others do; nil where none is.
func (d *drawing) cuts(at []time.Time, grain string) []bool {
	if grain == "" || len(at) == 0 {
		return nil
	}
	var cut []bool
	mark := func(i int) {
		if cut == nil {
			cut = make([]bool, len(at))
		}
		cut[i] = true
	}
	if span := d.Result.Span; span != nil && !span.From.IsZero() && !span.To.IsZero() {
		from, to := d.spanWall(span)
		for i, t := range at {
			if t.Before(from) || next(t, grain, 1).After(to) {
				mark(i)
			}
		}
	}
	if i := d.running(at, grain); i >= 0 {
		mark(i)
		if !finer(grain, "hour") {
			d.open, d.openGrain = at[i], grain
		}
	}
	if from, to, by := d.known(grain); !from.IsZero() {
		last := len(at) - 1
		for last > 0 && !at[last].Before(to) { // what is compared with may reach further than the data
			last--
		}
		if begin := at[0].Add(restDays); begin.Before(from) && next(at[0], grain, 1).After(from) {
			mark(0)
		}
		end := next(at[last], grain, 1)
		if at[last].Before(to) && (end.Add(-restDays).After(to) || end.Equal(to) && by == "day" && d.endsEarly()) {
			mark(last)
		}
	}
	if grain == "day" && d.endsEarly() {
		if last := slices.IndexFunc(at, floor(d.Newest, grain).Equal); last > 0 {
			mark(last)
		}
	}
	return cut
}

// endsEarly tells whether the last day of the data has less than its morning. What
// comes once a day at the same time has all of it.
func (d *drawing) endsEarly() bool {
	clock := func(t time.Time) time.Duration { return t.Sub(floor(t, "day")) }
	return clock(d.Newest) < 12*time.Hour && clock(d.Newest) != clock(d.Oldest)
}

// running is the bucket that the clock is still in and data may still come for: that
// of today, or the shorter one of today that the newest row is in; -1 for none. Data
// that lie ahead, or ended days ago, do not wait for the clock, nor does what comes
// once in a bucket and is there.
func (d *drawing) running(at []time.Time, grain string) int {
	if d.Today.IsZero() || len(at) == 0 || grain == "" {
		return -1
	}
	now, tomorrow := d.Today, d.Today.AddDate(0, 0, 1)
	if finer(grain, "day") {
		if now = d.Newest; now.IsZero() || !floor(now, "day").Equal(d.Today) {
			return -1
		}
	}
	i := sort.Search(len(at), func(i int) bool { return at[i].After(now) }) - 1
	switch o := d.Outlook; {
	case i < 0 || !next(at[i], grain, 1).After(now):
		return -1
	case o != nil && o.Refused == nil && !at[i].After(o.Last):
		return -1 // whole to the forecast that goes on from it
	case d.Newest.IsZero():
		if i < len(at)-1 {
			return -1
		}
	case !d.Newest.Before(tomorrow) || !d.Newest.AddDate(0, 0, 8).After(tomorrow):
		return -1
	default:
		_, to, by := d.known(grain)
		if !to.IsZero() && by != "day" && !to.Before(next(at[i], grain, 1)) {
			return -1
		}
	}
	return i
}

// known is from which day on and up to which the data tell of buckets that are
// longer than a day, and how often they come; zero where nothing is known. What
// comes once a month stands for the whole of it, whichever day it is dated.
func (d *drawing) known(grain string) (from, to time.Time, by string) {
	by = "day"
	if d.Oldest.IsZero() || d.Newest.IsZero() || !finer("day", grain) {
		return from, to, by
	}
	from, to = floor(d.Oldest, "day"), floor(d.Newest, "day")
	if !to.Equal(d.Newest) || !from.Equal(d.Oldest) { // what comes once a week or month has no time of day
		return from, next(to, by, 1), by
	}
	for _, coarser := range []string{grain, "quarter", "month", "week"} {
		if (coarser == grain || finer(coarser, grain)) && sameDayOf(coarser, from, to) {
			by = coarser
			break
		}
	}
	return floor(from, by), next(floor(to, by), by, 1), by
}

// sameDayOf tells whether two days are the same one of their buckets, counted
// from the beginning or from the end.
func sameDayOf(grain string, a, b time.Time) bool {
	begin, end := floor(a, grain), floor(b, grain)
	return a.Sub(begin) == b.Sub(end) || next(begin, grain, 1).Sub(a) == next(end, grain, 1).Sub(b)
}

// cutPlaces are the cuts of an axis of bars, with the heads that say so.
func (d *drawing) cutPlaces(x *warehouse.ResultColumn, labels []string) (cut []bool, heads []string) {
	if !isTime(x) {
		return nil, labels
	}
	at, grain := d.timeline(x)
	if cut = d.cuts(at, grain); cut == nil || len(at) != len(labels) {
		return nil, labels
	}
	heads = slices.Clone(labels)
	for i := range heads {
		if cut[i] {
			heads[i] += " · " + d.Words.Parts.of(grain)
		}
	}
	return cut, heads
}

// cutFade is how a bucket looks that is there in part.
const cutFade = 0.45

func (d *drawing) spanWall(span *warehouse.Span) (from, to time.Time) {
	return asWall(span.From), asWall(span.To)
}

// fills tells whether a place without a row is zero: for what adds up nothing
// was counted, nothing was sold. It is a gap for everything else (no mean of
// nothing), and where rows were left out, which may be many.
func (d *drawing) fills(y *warehouse.ResultColumn) bool {
	return d.settings(y).Additive && !d.Result.Sparse && !d.Result.More
}

// series lines the measures up along the time column.
func (d *drawing) series(x *warehouse.ResultColumn, ys []*warehouse.ResultColumn) series {
	s := series{}
	s.at, s.grain = d.timeline(x)
	place := make(map[time.Time]int, len(s.at))
	for i, t := range s.at {
		place[t] = i
	}
	s.rows = make([]int, len(s.at))
	for i := range s.rows {
		s.rows[i] = -1
	}
	for row := range d.Result.Rows {
		if x.IsNull(row) {
			continue
		}
		t := d.wall(x, row)
		if s.grain != "" {
			t = floor(t, s.grain)
		}
		if i, ok := place[t]; ok {
			s.rows[i] = row
		}
	}
	for _, y := range ys {
		values := make([]float64, len(s.at))
		additive := d.fills(y)
		compared := strings.HasSuffix(y.Name, warehouse.PreviousSuffix)
		for i, row := range s.rows {
			values[i] = math.NaN()
			if compared && (d.unknown(s.at[i], s.grain) || d.lacks(s.at[i], s.grain)) {
				continue
			}
			if row < 0 && additive {
				values[i] = 0
			}
			if row >= 0 {
				if v, ok := number(y, row); ok {
					values[i] = v
				} else if additive && y.IsNull(row) {
					values[i] = 0
				}
			}
		}
		if additive && !compared {
			d.notYet(values, s, y)
		}
		s.values = append(s.values, values)
	}
	return s
}

// notYet makes gaps of the zeros at the end that no value stands behind: rows are
// there, of the plan, but nothing is booked on them yet, or the bucket lies ahead,
// or the data end before it and what they are compared with goes on: a count of
// rows that are not there comes as a zero then.
func (d *drawing) notYet(values []float64, s series, y *warehouse.ResultColumn) {
	last := len(values) - 1
	beyond := func(i int) bool { return values[i] == 0 && !d.Newest.IsZero() && s.at[i].After(d.Newest) }
	for last >= 0 && (s.rows[last] < 0 || y.IsNull(s.rows[last]) || beyond(last)) {
		last--
	}
	if last < 0 {
		return
	}
	for i := len(values) - 1; i > last; i-- {
		if s.rows[i] < 0 && (d.Today.IsZero() || !s.at[i].After(d.Today)) {
			return
		}
		values[i] = math.NaN()
	}
}

// split is one measure cut into several series by the values of a dimension,
// largest first, with the rest folded into "Other" where the measure adds up.
type split struct {
	names  []string
	keys   []string // as a mark names them; "" for Other
	column *warehouse.ResultColumn
	cells  [][]float64 // by series, then by place; NaN for none
	folded bool        // the last series is Other
	// cut is how many series are left out because the measure does not add up, -1
	// for a number that is not known.
	cut int
}

// splitBy cuts the measure y by the dimension s; place gives the place on the
// x axis of a row, negative for none.
func (d *drawing) splitBy(s, y *warehouse.ResultColumn, places int, place func(row int) int) split {
	type part struct {
		name, key string
		total     float64
		rank      float64 // place of a value that has one
		cells     []float64
		other     bool
		row       int // its first
	}
	additive := d.settings(y).Additive
	parts := map[string]*part{}
	var list []*part
	for row := range d.Result.Rows {
		i := place(row)
		v, ok := number(y, row)
		if i < 0 || !ok && (y.IsNull(row) || math.IsNaN(v)) {
			continue // what is too large for a number stays, and is a gap
		}
		key := d.key(s, row)
		other := d.isOther(row) || isRest(s, row)
		if other {
			key = otherKey
		}
		p := parts[key]
		if p == nil {
			p = &part{name: d.text(s, row), key: key, cells: nans(places), other: other, row: row}
			p.rank, _ = number(s, row)
			parts[key] = p
			list = append(list, p)
		}
		if math.IsNaN(p.cells[i]) {
			p.cells[i] = v
		} else {
			p.cells[i] += v
		}
		p.total += math.Abs(v)
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].other != list[j].other {
			return list[j].other
		}
		return list[i].total > list[j].total
	})
	if len(list) <= MaxSeries && !ordered(d, s, list, func(p *part) int { return p.row }) && (s.Grain != "" || d.binned(s)) {
		// Days of the week and bins keep their order.
		sort.SliceStable(list, func(i, j int) bool { return list[i].rank < list[j].rank })
	}
	out := split{column: s}
	var rest *part
	for _, p := range list {
		if len(out.names) < MaxSeries && !p.other {
			out.names, out.keys, out.cells = append(out.names, p.name), append(out.keys, p.key), append(out.cells, p.cells)
			continue
		}
		if !additive && (!p.other || d.Parts != 0) {
			out.cut++
			continue
		}
		if rest == nil {
			rest = &part{cells: nans(places)}
		}
		for i, v := range p.cells {
			if !math.IsNaN(v) {
				if math.IsNaN(rest.cells[i]) {
					rest.cells[i] = 0
				}
				rest.cells[i] += v
			}
		}
	}
	if rest != nil {
		out.names, out.keys, out.cells = append(out.names, d.Words.Other), append(out.keys, ""), append(out.cells, rest.cells)
		out.folded = true
	}
	switch {
	case d.Parts > 0:
		out.cut = max(d.Parts-len(out.names), 0)
	case d.Parts < 0:
		out.cut = -1
	}
	if d.fills(y) {
		for _, cells := range out.cells {
			for i, v := range cells {
				if math.IsNaN(v) {
					cells[i] = 0
				}
			}
		}
	}
	return out
}

func nans(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// colours gives each key its CSS variable: that of its place in Order, places
// beyond the seventh beginning anew where nobody before has it, else the first
// that is free; "" is Other.
func (d *drawing) colours(keys []string) []string {
	const most = 7
	out := make([]string, len(keys))
	taken := [most]bool{}
	for i, key := range keys {
		if key == "" {
			out[i] = "--c-other"
			continue
		}
		for n, fixed := range d.Order {
			if n < most && fixed == key && !taken[n] {
				out[i], taken[n] = colourName(n), true
			}
		}
	}
	for n, fixed := range d.Order[min(most, len(d.Order)):] {
		if i := slices.Index(keys, fixed); i >= 0 && out[i] == "" && !taken[n%most] {
			out[i], taken[n%most] = colourName(n%most), true
		}
	}
	for i := range keys {
		if out[i] != "" {
			continue
		}
		out[i] = "--c-other"
		for n := range most {
			if !taken[n] {
				out[i], taken[n] = colourName(n), true
				break
			}
		}
	}
	return out
}

func colourName(n int) string { return "--c" + string(rune('1'+n)) }

// isOther tells whether a row is the rest beyond a query's limit.
func (d *drawing) isOther(row int) bool {
	return row == d.otherRow || d.Result != nil && d.Result.OtherRows != nil && d.Result.OtherRows[row]
}

// Folded tells whether a column of a row stands for the rest beyond a query's
// limit, and reads "Other". Where each moment has a rest of its own, the moment
// does not.
func Folded(r *warehouse.Result, c *warehouse.ResultColumn, row int) bool {
	if !c.Dimension || row != otherRow(r) && (r.OtherRows == nil || !r.OtherRows[row]) {
		return false
	}
	return !isTime(c) || !slices.ContainsFunc(r.Columns, func(o warehouse.ResultColumn) bool { return o.Dimension && !isTime(&o) })
}

// Rest names the group of all values of a text that have none of their own, in an
// answer whose places are not of time. No value of the data is called that.
const Rest = "\x01rest"

// isRest tells whether row i of a column is of that group.
func isRest(c *warehouse.ResultColumn, i int) bool {
	return c.Dimension && c.Texts != nil && c.Texts[i] == Rest && !c.IsNull(i)
}

// otherKey stands for no value.
const otherKey = "\x01other"

// placeKey is row i of a column as key has it, or otherKey.
func (d *drawing) placeKey(c *warehouse.ResultColumn, i int) string {
	if Folded(d.Result, c, i) {
		return otherKey
	}
	return d.key(c, i)
}

// label is row i of a column as people read it, folded or not.
func (d *drawing) label(c *warehouse.ResultColumn, i int) string {
	if Folded(d.Result, c, i) || isRest(c, i) {
		return d.Words.Other
	}
	return d.text(c, i)
}

// otherRow is the row of the result that folds what lies beyond the limit.
func otherRow(r *warehouse.Result) int {
	if r != nil && r.HasOther {
		return r.Rows - 1
	}
	return -1
}
