package ingest

import (
	"fmt"
	"sort"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// proposal is the type a column gets when nobody chooses one.
type proposal struct {
	kind             segments.Type
	precision, scale uint8
	reading          Reading
	role, format     string
	notes            []Note
	sure             bool // every value fits
}

// evidence is what the other columns of a file say of its habits.
type evidence struct {
	commas bool  // some column has decimal commas for certain, and none has points
	order  order // of day and month, where some column proves one and none the other
}

func gather(surveys []*survey) evidence {
	var e evidence
	points, days, months := false, false, false
	for _, s := range surveys {
		if n := s.numbers(); n == 0 || float64(n) < fitShare*float64(s.filled-s.nullN) {
			n = 0
		} else {
			e.commas = e.commas || s.commaOnly > s.pointOnly
			points = points || s.pointOnly > s.commaOnly
		}
		days = days || s.dayOnly > 0 && s.monthOnly == 0
		months = months || s.monthOnly > 0 && s.dayOnly == 0
	}
	e.commas = e.commas && !points
	switch {
	case days && !months:
		e.order = dayFirst
	case months && !days:
		e.order = monthFirst
	}
	return e
}

func (s *survey) numbers() int64 { return s.plain + s.pointOnly + s.commaOnly + s.either }

// fits tells whether so many of the column's values are enough for a type.
// strict types are only given when every value fits.
func (s *survey) fits(n int64) bool {
	total := s.filled - s.nullN
	if n == total {
		return total > 0
	}
	return total >= fitFrom && total-n <= misfitMost && float64(n) >= fitShare*float64(total)
}

// infer decides the type of a column from its survey.
func (s *survey) infer(name string, e evidence) proposal {
	total := s.filled - s.nullN
	if total == 0 {
		return proposal{kind: segments.Text, notes: []Note{{Code: NoteEmptyColumn, Text: "This column has no values."}}}
	}
	if s.settled || s.invalid > 0 {
		return s.text()
	}
	if p, ok := s.inferBoolean(total); ok {
		return p
	}
	if p, ok := s.inferDate(total, e); ok {
		p.sure = p.kind == segments.Text || s.dates == total && s.allInOrder(orderOf(p.reading.DateOrder)) && s.allInZone(p.kind)
		return p
	}
	if p, ok := s.inferNumber(name, total, e); ok {
		return p
	}
	p := s.text()
	for _, mostly := range []struct {
		n      int64
		what   string
		choice string
	}{{s.numbers(), "numbers", "decimal"}, {s.dates, "dates", "date"}} {
		if total >= fitFrom && mostly.n < total && float64(mostly.n) >= mostShare*float64(total) {
			p.notes = append(p.notes, Note{
				Code: NoteMostlyOtherTypes, Choices: []string{mostly.choice},
				Text: fmt.Sprintf("%s of %s values are %s. Kept as text, so that the others are not lost.", count(mostly.n), count(total), mostly.what),
			})
		}
	}
	return p
}

func (s *survey) text() proposal {
	p := proposal{kind: segments.Text}
	if s.clocks > 0 && s.clocks == s.filled-s.nullN {
		p.note(NoteTimeOfDayAsText, "Times of day are kept as text.")
	}
	return p
}

func (p *proposal) note(code, format string, args ...any) {
	p.notes = append(p.notes, Note{Code: code, Text: fmt.Sprintf(format, args...)})
}

func (s *survey) inferBoolean(total int64) (p proposal, ok bool) {
	if s.bools != total {
		return p, false
	}
	for f := trueFalse; f < families; f++ {
		if s.boolFamily[f] != total {
			continue
		}
		single := f == tAndF || f == yAndN
		if single && (s.boolTrue[f] == 0 || s.boolTrue[f] == total) {
			return p, false
		}
		return proposal{kind: segments.Boolean, sure: true}, true
	}
	return p, false
}

func (s *survey) inferDate(total int64, e evidence) (p proposal, ok bool) {
	if s.dates == 0 || !s.fits(s.dates) {
		return p, false
	}
	o := yearFirst
	numeric := s.dates - s.certain
	switch {
	case numeric == 0:
	case s.dayOnly > 0 && float64(s.monthOnly) <= (1-fitShare)*float64(s.dayOnly):
		o = dayFirst
	case s.monthOnly > 0 && float64(s.dayOnly) <= (1-fitShare)*float64(s.monthOnly):
		o = monthFirst
	case s.dayOnly == 0 && s.monthOnly == 0 && s.bothWays == 0:
		o = dayFirst // 01/01/2024 is the same day both ways
	default:
		return s.askOrder(e), true
	}
	p.kind = segments.Date
	naive := s.times - s.zoned
	switch {
	case s.zoned > 0 && (s.zoned == s.dates || s.offsets > 0 && s.fits(s.zoned)):
		p.kind = segments.TimestampTZ
	case s.zoned > 0 && s.offsets > 0:
		return p, false // some moments, some local times: no single meaning
	case s.zoned > 0:
		p.kind = segments.Timestamp
		p.note(NoteZoneDropped, "%s of %s values are in UTC and the others have no zone: all are read as they are written.", count(s.zoned), count(s.dates))
	case naive > 0:
		p.kind = segments.Timestamp
	}
	switch o {
	case dayFirst:
		p.reading.DateOrder = "dmy"
		if s.dayOnly > 0 {
			p.note(NoteDateOrder, "read as day/month")
		}
	case monthFirst:
		p.reading.DateOrder = "mdy"
		if s.monthOnly > 0 {
			p.note(NoteDateOrder, "read as month/day")
		}
	}
	if numeric > 0 && s.certain > 0 || s.times > 0 && s.times < s.dates {
		p.note(NoteMixedFormats, "Dates are written in more than one way; each is clear.")
	}
	if s.months > 0 {
		p.note(NoteMixedFormats, "Months are read as their first day.")
	}
	if s.twoDigit > 0 {
		p.note(NoteTwoDigitYears, "Years of two digits are read as 1969 to 2068.")
	}
	if s.finer > 0 {
		p.note(NoteFractionCut, "Times finer than a microsecond are cut.")
	}
	return p, true
}

// allInOrder tells whether every date exists when read in that order.
func (s *survey) allInOrder(o order) bool {
	switch o {
	case dayFirst:
		return s.monthOnly == 0
	case monthFirst:
		return s.dayOnly == 0
	}
	return s.dates == s.certain
}

func (s *survey) allInZone(t segments.Type) bool {
	switch t {
	case segments.TimestampTZ:
		return s.zoned == s.dates
	case segments.Timestamp:
		return s.offsets == 0
	}
	return s.times == 0
}

// allAre tells whether every value has a type that the file declares, in the
// form in which such values come.
func (s *survey) allAre(t segments.Type) bool {
	total := s.filled - s.nullN
	switch t {
	case segments.Boolean:
		return s.bools == total
	case segments.Date, segments.Timestamp, segments.TimestampTZ:
		return s.dates == total && s.certain == total && s.allInZone(t)
	case segments.Integer:
		return s.plain == total && s.beyond+s.exponents == 0
	case segments.Decimal, segments.Float:
		return s.numbers() == total && s.commaOnly == 0 && s.percents == 0
	}
	return true
}

// askOrder keeps dates as text until someone says which part is the day:
// nothing is lost, and nothing is silently wrong.
func (s *survey) askOrder(e evidence) proposal {
	kind := "date"
	if s.times > 0 {
		kind = "timestamp"
	}
	p := proposal{kind: segments.Text}
	text := "Day and month cannot be told apart. Kept as text until you choose."
	if s.dayOnly > 0 {
		text = fmt.Sprintf("%s dates only exist as day/month and %s only as month/day. Kept as text until you choose.", count(s.dayOnly), count(s.monthOnly))
	}
	n := Note{Code: NoteAmbiguousDates, Text: text, Choices: []string{kind + ":dmy", kind + ":mdy"}}
	switch e.order {
	case dayFirst:
		n.Suggested = n.Choices[0]
	case monthFirst:
		n.Suggested = n.Choices[1]
	}
	p.notes = []Note{n}
	return p
}

func (s *survey) inferNumber(name string, total int64, e evidence) (p proposal, ok bool) {
	if s.numbers() == 0 {
		return p, false
	}
	reading := pointMark
	switch {
	case s.commaOnly > s.pointOnly:
		reading = commaMark
	case s.commaOnly == 0 && s.pointOnly == 0 && s.either > 0:
		if s.eitherPoint > 0 && s.eitherPoint < s.either {
			return s.ambiguousNumber(), true
		}
		if e.commas {
			reading = commaMark
		}
		p.note(NoteAmbiguousNumber, "%s", ambiguousText(reading, s.eitherPoint > 0))
	}
	good := s.plain + s.either + s.pointOnly
	if reading == commaMark {
		good = s.plain + s.either + s.commaOnly
	}
	misread := s.numbers() - good // in the other notation
	fraction := s.fractions[reading] > 0 || s.exponents > 0
	if s.percents > 0 {
		// Per cent and bare numbers in one column mean different things.
		switch bare := s.numbers() - s.percents - s.zeros; {
		case s.fits(s.percents + min(s.zeros, total-s.percents)):
			p.reading.Percent, fraction = true, true
			p.format = "percent"
			p.note(NotePercent, "12%% is stored as 0.12.")
			good -= bare
		default:
			good -= s.percents
		}
	}
	if !s.fits(good) {
		return p, false
	}
	if len(s.currencies) > 1 {
		return mixedCurrencies(s.currencies), true
	}
	if !fraction {
		// Whole numbers may be codes: anything that is not clearly a
		// placeholder keeps the column as text, so that nothing is lost.
		switch {
		case s.zeroLed > 0:
			p := proposal{kind: segments.Text}
			p.note(NoteLeadingZeros, "Leading zeros are kept, so these are codes and not numbers.")
			return p, true
		case s.phones > 0 && s.plain == total:
			return proposal{kind: segments.Text}, true
		case s.codes > 0 || s.dates > 0 || len(s.spelled) > misfitWords:
			return p, false
		case s.digitsMost >= 15 && s.digitsMost == s.digitsLeast && s.timeLike < s.plain && total > 1:
			p := proposal{kind: segments.Text}
			p.note(NoteLongDigits, "Numbers of %d digits each are kept as text, like card and account numbers.", s.digitsMost)
			return p, true
		}
	}
	if misread == 0 && reading == commaMark && (s.commaOnly > 0 || s.either > 0) {
		p.note(NoteDecimalComma, "read with a decimal comma")
	}
	if reading == commaMark {
		p.reading.Decimal = "comma"
	}
	for code := range s.currencies {
		p.format = "currency:" + code
		p.note(NoteCurrency, "Amounts in %s.", code)
	}
	if code := currencyNamed(name); code != "" && p.format == "" && !p.reading.Percent {
		p.format = "currency:" + code
		p.note(NoteCurrency, "Amounts in %s, as the name says.", code)
	}
	s.numberType(&p, reading, fraction)
	p.sure = good == total && s.exponents == 0
	if !fraction && s.compactDates(name, total) {
		return proposal{sure: true, kind: segments.Date, notes: []Note{{Code: NoteMixedFormats, Text: "Numbers such as 20240301 are read as dates."}}}, true
	}
	p.role = s.role(name, p)
	if p.role != "" && p.kind == segments.Decimal {
		p.kind, p.precision, p.scale = segments.Float, 0, 0
	}
	return p, true
}

// numberType picks among the number types by the digits the rows need.
func (s *survey) numberType(p *proposal, reading mark, fraction bool) {
	whole, decimals := s.whole[reading], s.decimals[reading]
	if p.reading.Percent {
		decimals += 2
		whole = max(whole-2, 0)
	}
	switch {
	case !fraction && s.beyond == 0:
		p.kind = segments.Integer
	case !fraction && whole <= 38:
		p.kind, p.precision = segments.Decimal, 38
	case !fraction:
		p.kind = segments.Text
	case s.exponents > 0 || decimals > 8 || whole+decimals > 38:
		p.kind = segments.Float
	default:
		p.kind, p.scale = segments.Decimal, uint8(decimals)
		p.precision = 18
		if whole+decimals > 18 {
			p.precision = 38
		}
	}
}

// compactDates tells whether whole numbers are dates such as 20240301: all of
// them are, and the name says so or there are many.
func (s *survey) compactDates(name string, total int64) bool {
	if s.compact == 0 || s.compact != total {
		return false
	}
	name = strings.ToLower(name)
	return total >= 50 || strings.Contains(name, "date") || strings.Contains(name, "day") || strings.HasSuffix(name, "_dt")
}

func (s *survey) ambiguousNumber() proposal {
	p := proposal{kind: segments.Text}
	p.notes = []Note{{
		Code: NoteAmbiguousNumber, Text: "Some values have a point and some a comma before three digits. Kept as text until you choose.",
		Choices: []string{"decimal:point", "decimal:comma"},
	}}
	return p
}

func ambiguousText(reading mark, point bool) string {
	switch {
	case reading == pointMark && point:
		return "1.234 is read as a decimal."
	case reading == pointMark:
		return "1,234 is read as 1234."
	case point:
		return "1.234 is read as 1234, since other columns have decimal commas."
	}
	return "1,234 is read as a decimal, since other columns have decimal commas."
}

func mixedCurrencies(currencies map[string]int64) proposal {
	var codes []string
	for code := range currencies {
		codes = append(codes, code)
	}
	sort.Strings(codes)
	p := proposal{kind: segments.Text}
	p.notes = []Note{{
		Code: NoteMixedCurrencies, Choices: []string{"decimal"},
		Text: "Amounts in " + strings.Join(codes, ", ") + " must not be added up. Kept as text.",
	}}
	return p
}

// role recognises coordinates by the column's name and range.
func (s *survey) role(name string, p proposal) string {
	if p.kind == segments.Text || p.format != "" {
		return ""
	}
	name = strings.ToLower(name)
	is := func(words ...string) bool {
		for _, w := range words {
			if name == w || strings.HasSuffix(name, "_"+w) || strings.HasPrefix(name, w+"_") || strings.HasSuffix(name, " "+w) || strings.HasSuffix(name, "."+w) {
				return true
			}
		}
		return false
	}
	switch {
	case is("lat", "latitude") && s.smallest >= -90 && s.largest <= 90:
		return "latitude"
	case is("lon", "lng", "long", "longitude") && s.smallest >= -180 && s.largest <= 180:
		return "longitude"
	}
	return ""
}

// count writes a number with thousands separators.
func count(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// chosen is the type that someone chose, with what they left open found from
// the values.
func (s *survey) chosen(name string, choice TypeChoice, inferred proposal) proposal {
	p := proposal{kind: choice.Type, reading: choice.Reading, precision: choice.Precision, scale: choice.Scale}
	switch choice.Type {
	case segments.Date, segments.Timestamp, segments.TimestampTZ:
		if p.reading.DateOrder == "" {
			p.reading.DateOrder = s.provedOrder()
		}
		if p.reading.Zone == "" {
			p.reading.Zone = zoneFor(choice.Type)
		}
		return p
	case segments.Integer, segments.Decimal, segments.Float:
	default:
		return p
	}
	if p.reading.Decimal == "" && s.commaOnly > s.pointOnly {
		p.reading.Decimal = "comma"
	}
	if choice.Type != segments.Integer {
		p.reading.Percent = p.reading.Percent || inferred.reading.Percent
	}
	if p.reading.Percent {
		p.format = "percent"
	} else if len(s.currencies) == 1 {
		for code := range s.currencies {
			p.format = "currency:" + code
		}
	}
	p.role = s.role(name, p)
	if choice.Type == segments.Decimal && !choice.Fixed {
		s.decimalSize(&p)
	}
	return p
}

// decimalSize gives a decimal the digits that its values need.
func (s *survey) decimalSize(p *proposal) {
	whole, decimals := s.whole[pointMark], s.decimals[pointMark]
	switch markOf(p.reading.Decimal) {
	case commaMark:
		whole, decimals = s.whole[commaMark], s.decimals[commaMark]
	case eitherMark:
		whole, decimals = max(whole, s.whole[commaMark]), max(decimals, s.decimals[commaMark])
	}
	if p.reading.Percent {
		decimals += 2
	}
	p.scale = uint8(min(decimals, 38))
	p.precision = 18
	if whole+decimals > 18 {
		p.precision = 38
	}
}

// provedOrder is the order of day and month that the rows prove, "" for none.
func (s *survey) provedOrder() string {
	switch {
	case s.dayOnly > s.monthOnly:
		return "dmy"
	case s.monthOnly > s.dayOnly:
		return "mdy"
	}
	return ""
}
