package ingest

import (
	"bytes"
	"math"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/platform/records"
)

// What inference tolerates: see docs/files.md, "Types".
const (
	// fitShare of the filled values must fit a type; the others are rejected.
	fitShare = 0.95
	// fitFrom is the number of filled values from which misfits are tolerated.
	fitFrom = 20
	// misfitMost is the most misfits that are tolerated, whatever the share.
	misfitMost = 10_000
	// misfitWords is the most different words that are tolerated among whole
	// numbers: placeholders are few, names and codes are many.
	misfitWords = 20
	// mostShare of the values having a type is worth a remark where the
	// column is text all the same.
	mostShare = 0.8
)

// survey counts what the values of one column look like. It sees every value;
// the type is decided from the counts alone, so surveys of parts of a file add
// up, in any order.
type survey struct {
	filled int64 // values that are not blank
	empty  int64 // records without a value
	nulls  map[string]int64
	nullN  int64

	words   int64            // letters and signs without digits
	codes   int64            // anything else that is no number, date or truth
	spelled map[string]int64 // different words, up to misfitWords+1
	settled bool             // text, whatever else comes
	keepAll bool             // never settle: someone chose a type that the values have a say in

	bools      int64
	boolFamily [families]int64
	boolTrue   [families]int64

	// Numbers, by what they allow.
	plain       int64 // digits only
	pointOnly   int64
	commaOnly   int64
	either      int64 // "1.234" or "1,234"
	eitherPoint int64 // of those, "1.234"
	exponents   int64
	zeroLed     int64
	phones      int64 // a plus and at least seven digits
	percents    int64
	zeros       int64 // numbers that are zero, without a per cent sign
	currencies  map[string]int64
	fractions   [2]int64 // numbers with decimals, by reading
	whole       [2]int   // most digits before the mark, by reading
	decimals    [2]int   // most digits behind it
	digitsMost  int      // most digits of a plain whole number
	digitsLeast int
	beyond      int64 // whole numbers that int64 cannot hold
	timeLike    int64 // plain numbers that begin with 1 and have 16 or 19 digits
	compact     int64 // plain numbers of eight digits that are dates
	largest     float64
	smallest    float64

	// Dates.
	dates     int64
	certain   int64 // year first, or with a name
	bothWays  int64 // day and month could be swapped, to another day
	dayOnly   int64 // only day/month exists
	monthOnly int64 // only month/day exists
	months    int64 // without a day
	twoDigit  int64
	times     int64
	zoned     int64
	offsets   int64 // zoned, other than UTC
	finer     int64
	clocks    int64 // a time of day alone: text

	invalid int64 // not UTF-8, or with NUL

	example       []byte
	exampleRecord int64

	last  lane
	order *sequence
}

// lane is the form of the previous value: most columns keep to one.
type lane uint8

const (
	anyLane lane = iota
	integerLane
	pointLane
	isoDateLane
	isoMomentLane
	boolLane
)

// add surveys one column of a batch.
func (s *survey) add(b *records.Batch, field int, skip []bool, scratch *[]byte) {
	stride := b.Fields
	for r, at := 0, field; r < b.Records; r, at = r+1, at+stride {
		if skip != nil && skip[r] {
			continue
		}
		span := b.Spans[at]
		var cell []byte
		if span.IsEscaped() {
			*scratch = (*scratch)[:0]
			cell = b.Cell(r, field, scratch)
		} else {
			cell = b.Data[span.Start:span.End]
		}
		if len(cell) == 0 {
			s.empty++
			continue
		}
		if s.settled {
			if cell[0] > ' ' || len(trimSpace(cell)) > 0 {
				s.filled++
				if b.Invalid && damaged(cell) {
					s.invalid++
				}
			} else {
				s.empty++
			}
			continue
		}
		s.value(cell, b, r)
	}
}

func damaged(cell []byte) bool {
	return bytes.IndexByte(cell, 0) >= 0 || !utf8.Valid(cell)
}

// value surveys one value.
func (s *survey) value(cell []byte, b *records.Batch, r int) {
	// The form of the value before comes first.
	switch s.last {
	case integerLane:
		if n, ok := digitsOnly(cell); ok {
			s.integer(n, cell, false)
			return
		}
		if n, ok := digitsOnly(cell[1:]); ok && cell[0] == '-' {
			s.integer(n, cell[1:], true)
			return
		}
	case pointLane:
		if before, after, ok := digitsPoint(cell); ok {
			s.filled++
			s.pointOnly++
			s.point(cell, before, after)
			return
		}
	case isoDateLane:
		if days, ok := isoDate(cell); ok {
			s.filled++
			s.dates++
			s.certain++
			s.order.add(days * dayMicros)
			return
		}
	case isoMomentLane:
		if t, ok := isoMoment(cell); ok {
			s.filled++
			s.iso(t)
			return
		}
	case boolLane:
		if f, value, ok := boolWord(cell); ok {
			s.filled++
			s.truth(f, value)
			return
		}
	}
	whole := cell
	cell = trimSpace(cell)
	if len(cell) == 0 {
		s.empty++
		return
	}
	if s.example == nil && !nullWord(cell) {
		s.example, s.exampleRecord = bytes.Clone(cell[:min(len(cell), 400)]), b.FirstRecord+int64(r)
	}
	s.filled++
	if b.Invalid && damaged(whole) {
		s.invalid++
		s.codes++
		s.settle()
		return
	}
	s.form(cell)
}

// form finds out what a trimmed value looks like.
func (s *survey) form(cell []byte) {
	s.last = anyLane
	if n, ok := digitsOnly(cell); ok {
		s.filled--
		s.last = integerLane
		s.integer(n, cell, false)
		return
	}
	if n, ok := digitsOnly(cell[1:]); ok && cell[0] == '-' {
		s.filled--
		s.last = integerLane
		s.integer(n, cell[1:], true)
		return
	}
	if nullWord(cell) {
		s.nullN++
		if s.nulls == nil {
			s.nulls = map[string]int64{}
		}
		s.nulls[string(cell)]++
		return
	}
	if !hasDigit(cell) {
		// No number and no date is without digits.
		s.word(cell)
		return
	}
	if len(cell) > 64 {
		s.other()
		return
	}
	var n number
	if scanNumber(cell, &n) && s.number(&n) {
		return
	}
	if days, ok := isoDate(cell); ok {
		s.last = isoDateLane
		s.dates++
		s.certain++
		s.order.add(days * dayMicros)
		return
	}
	if t, ok := isoMoment(cell); ok {
		s.last = isoMomentLane
		s.iso(t)
		return
	}
	var m moment
	if scanMoment(cell, &m) {
		s.moment(&m)
		return
	}
	if clock(cell) {
		s.clocks++
	}
	s.other()
}

// word counts a value without digits.
func (s *survey) word(cell []byte) {
	if f, value, ok := boolWord(cell); ok {
		s.last = boolLane
		s.truth(f, value)
		return
	}
	if len(cell) > 64 {
		s.codes++
		s.settle()
		return
	}
	s.words++
	if len(s.spelled) <= misfitWords {
		if s.spelled == nil {
			s.spelled = map[string]int64{}
		}
		s.spelled[string(cell)]++
	}
	s.settle()
}

func (s *survey) truth(f family, value bool) {
	s.bools++
	s.boolFamily[f]++
	if value {
		s.boolTrue[f]++
	}
}

// other counts a value with digits that is nothing but text.
func (s *survey) other() {
	s.codes++
	s.settle()
}

func (s *survey) settle() { s.settled = s.settled || !s.keepAll && s.words+s.codes > misfitMost }

// integer counts a value of up to 18 digits and nothing else but a minus.
func (s *survey) integer(n int, cell []byte, negative bool) {
	s.filled++
	if n > 1 && cell[0] == '0' {
		s.zeroLed++
	}
	s.plain++
	s.digits(n)
	s.whole[0] = max(s.whole[0], n)
	s.whole[1] = max(s.whole[1], n)
	if n == 8 && compactDate(cell) {
		s.compact++
	}
	if n == 16 && cell[0] == '1' {
		s.timeLike++
	}
	if n == 1 && cell[0] == '0' {
		s.zeros++
	}
	s.extent(leadingValue(cell), negative)
}

// leadingValue is the value of the digits that text begins with; beyond
// any coordinate where there are many.
func leadingValue(text []byte) float64 {
	v := 0
	for i := 0; i < len(text) && digit(text[i]); i++ {
		if i >= 4 {
			return 1e5
		}
		v = v*10 + int(text[i]-'0')
	}
	return float64(v)
}

func (s *survey) digits(n int) {
	if s.digitsMost == 0 {
		s.digitsLeast = n
	}
	s.digitsMost = max(s.digitsMost, n)
	s.digitsLeast = min(s.digitsLeast, n)
}

// extent keeps the whole part of the largest and the smallest number, for
// telling coordinates.
func (s *survey) extent(v float64, negative bool) {
	if negative {
		v = -v
	}
	s.largest = max(s.largest, v)
	s.smallest = min(s.smallest, v)
}

// point counts "-12.5": before and after are its digits.
func (s *survey) point(cell []byte, before, after int) {
	if cell[0] == '-' {
		s.extent(leadingValue(cell[1:]), true)
	} else {
		s.extent(leadingValue(cell), false)
	}
	s.fractions[0]++
	s.whole[0] = max(s.whole[0], before)
	s.decimals[0] = max(s.decimals[0], after)
}

// number counts a number; false when no reading makes sense of it.
func (s *survey) number(n *number) bool {
	sure := n.certainty()
	switch sure {
	case senseless:
		return false
	case sureInteger:
		s.plain++
		if n.spaces == 0 && !n.hasExp {
			d := len(n.significant())
			s.digits(n.count)
			if d > 19 || d == 19 && string(n.significant()) > "9223372036854775807" {
				s.beyond++
			}
			if n.zeroLed() {
				s.zeroLed++
			}
			if (n.count == 16 || n.count == 19) && n.digits[0] == '1' {
				s.timeLike++
			}
		}
	case surePoint:
		s.pointOnly++
	case sureComma:
		s.commaOnly++
	case orThousands:
		s.either++
		if n.points > 0 {
			s.eitherPoint++
		}
	}
	if n.plus && n.count >= 7 && n.points+n.commas == 0 {
		s.phones++
	}
	if n.percent {
		s.percents++
	} else if len(n.significant()) == 0 {
		s.zeros++
	}
	if n.currency != "" {
		if s.currencies == nil {
			s.currencies = map[string]int64{}
		}
		s.currencies[n.currency]++
	}
	if n.hasExp {
		s.exponents++
	}
	for reading := pointMark; reading <= commaMark; reading++ {
		if !n.allows(reading) {
			continue
		}
		scale := n.scale(reading)
		s.whole[reading] = max(s.whole[reading], len(n.significant())-scale)
		s.decimals[reading] = max(s.decimals[reading], scale)
		if scale > 0 {
			s.fractions[reading]++
		}
		if v, ok := n.float(reading); ok && (reading == pointMark || sure == sureComma) {
			s.extent(math.Trunc(math.Abs(v)), v < 0)
		}
	}
	if sure == surePoint && n.commas+n.spaces == 0 && n.currency == "" && !n.percent && !n.hasExp {
		s.last = pointLane
	}
	return true
}

// iso counts a timestamp that the fast path read.
func (s *survey) iso(t isoTime) {
	s.dates++
	s.certain++
	s.times++
	s.order.add(t.micros)
	if t.zoned {
		s.zoned++
	}
	if t.offset {
		s.offsets++
	}
}

// moment counts a date or timestamp.
func (s *survey) moment(m *moment) {
	s.dates++
	switch {
	case m.certain:
		s.certain++
		s.order.add(m.micros1970(yearFirst))
	case !m.allows(monthFirst):
		s.dayOnly++
		s.order.broken()
	case !m.allows(dayFirst):
		s.monthOnly++
		s.order.broken()
	case m.first == m.second:
		s.order.broken()
	default:
		s.bothWays++
		s.order.broken()
	}
	if m.monthOnly {
		s.months++
	}
	if m.twoDigit {
		s.twoDigit++
	}
	if m.hasTime {
		s.times++
	}
	if m.hasZone {
		s.zoned++
		if m.offset != 0 {
			s.offsets++
		}
	}
	if m.cut {
		s.finer++
	}
}

// merge adds what another survey of the same column counted.
func (s *survey) merge(o *survey) {
	s.filled += o.filled
	s.empty += o.empty
	s.nullN += o.nullN
	s.nulls = addCounts(s.nulls, o.nulls, 0)
	s.words += o.words
	s.codes += o.codes
	s.spelled = addCounts(s.spelled, o.spelled, misfitWords+1)
	s.bools += o.bools
	for f := range s.boolFamily {
		s.boolFamily[f] += o.boolFamily[f]
		s.boolTrue[f] += o.boolTrue[f]
	}
	s.plain += o.plain
	s.pointOnly += o.pointOnly
	s.commaOnly += o.commaOnly
	s.either += o.either
	s.eitherPoint += o.eitherPoint
	s.exponents += o.exponents
	s.zeroLed += o.zeroLed
	s.phones += o.phones
	s.percents += o.percents
	s.zeros += o.zeros
	s.currencies = addCounts(s.currencies, o.currencies, 0)
	for i := range s.whole {
		s.fractions[i] += o.fractions[i]
		s.whole[i] = max(s.whole[i], o.whole[i])
		s.decimals[i] = max(s.decimals[i], o.decimals[i])
	}
	switch {
	case s.digitsMost == 0:
		s.digitsMost, s.digitsLeast = o.digitsMost, o.digitsLeast
	case o.digitsMost > 0:
		s.digitsMost = max(s.digitsMost, o.digitsMost)
		s.digitsLeast = min(s.digitsLeast, o.digitsLeast)
	}
	s.beyond += o.beyond
	s.timeLike += o.timeLike
	s.compact += o.compact
	s.largest = max(s.largest, o.largest)
	s.smallest = min(s.smallest, o.smallest)
	s.dates += o.dates
	s.certain += o.certain
	s.bothWays += o.bothWays
	s.dayOnly += o.dayOnly
	s.monthOnly += o.monthOnly
	s.months += o.months
	s.twoDigit += o.twoDigit
	s.times += o.times
	s.zoned += o.zoned
	s.offsets += o.offsets
	s.finer += o.finer
	s.clocks += o.clocks
	s.invalid += o.invalid
	if s.example == nil || o.example != nil && o.exampleRecord < s.exampleRecord {
		s.example, s.exampleRecord = o.example, o.exampleRecord
	}
	s.order.merge(o.order)
	s.settle()
}

// addCounts adds up counts by word, keeping at most most words (0 for all).
func addCounts(to, from map[string]int64, most int) map[string]int64 {
	if to == nil {
		to = make(map[string]int64, len(from))
	}
	for word, n := range from {
		if _, known := to[word]; known || most == 0 || len(to) < most {
			to[word] += n
		}
	}
	return to
}
