package ingest

import (
	"math"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Reasons for which a value cannot be loaded; those for which a whole record
// cannot are in package records.
const (
	NotANumber      = "not_a_number"
	NotWhole        = "not_whole"
	CommaAsDecimal  = "comma_as_decimal"
	PointAsDecimal  = "point_as_decimal"
	OutOfRange      = "out_of_range"
	TooManyDecimals = "too_many_decimals"
	NoPercent       = "no_percent"
	HasPercent      = "has_percent"
	NotABoolean     = "not_a_boolean"
	NotADate        = "not_a_date"
	UnclearDate     = "unclear_date"
	OtherDateOrder  = "other_date_order"
	HasTime         = "has_time"
	HasZone         = "has_zone"
	NoZone          = "no_zone"
	InvalidText     = "invalid_text"
	NULByte         = "nul_byte"
	RepeatsKey      = "repeats_key"
	EmptyKey        = "empty_key"
)

// column is one column being loaded.
type column struct {
	LoadColumn
	mark     mark
	order    order
	emptyFor map[string]bool
	isKey    bool
	fixed    bool // someone chose precision and scale
}

func newColumn(c LoadColumn) *column {
	p := &column{LoadColumn: c, mark: markOf(c.Reading.Decimal), order: orderOf(c.Reading.DateOrder)}
	if len(c.EmptyFor) > 0 {
		p.emptyFor = map[string]bool{}
		for _, reason := range c.EmptyFor {
			p.emptyFor[reason] = true
		}
	}
	return p
}

// failure is a value that does not fit, or a record that cannot be read.
type failure struct {
	record int     // within the batch
	column *column // nil for the whole record
	field  int
	reason string
	value  string
	kept   repeat // RepeatsKey: where the record stands that has the key
}

// batchParse turns one batch into a block.
type batchParse struct {
	batch   *records.Batch
	block   *segments.Block
	failed  []failure // in the order of columns
	bad     []bool    // by record; nil while none is
	scratch []byte
	number  number
	moment  moment
}

func (p *batchParse) fail(c *column, record int, reason string, cell []byte) {
	if p.bad == nil {
		p.bad = make([]bool, p.batch.Records)
	}
	p.bad[record] = true
	p.failed = append(p.failed, failure{record: record, column: c, field: c.Position, reason: reason, value: excerpt(cell)})
}

// parse fills values with a column of the batch.
func (p *batchParse) parse(c *column, v *segments.Values) {
	rows := p.batch.Records
	v.Reset(c.Column, rows)
	switch c.Column.Type {
	case segments.Integer:
		p.each(c, v, func(r int, cell []byte) string { return p.integer(c, v, r, cell) })
	case segments.Decimal:
		p.each(c, v, func(r int, cell []byte) string { return p.decimal(c, v, r, cell) })
	case segments.Float:
		p.each(c, v, func(r int, cell []byte) string { return p.float(c, v, r, cell) })
	case segments.Boolean:
		p.each(c, v, func(r int, cell []byte) string { return p.boolean(v, r, cell) })
	case segments.Date, segments.Timestamp, segments.TimestampTZ:
		p.each(c, v, func(r int, cell []byte) string { return p.moments(c, v, r, cell) })
	default:
		p.text(c, v)
	}
}

// each calls one for every value of a column that is not empty; one stores the
// value or answers the reason why it cannot.
func (p *batchParse) each(c *column, v *segments.Values, one func(r int, cell []byte) string) {
	b := p.batch
	for r, at := 0, c.Position; r < b.Records; r, at = r+1, at+b.Fields {
		span := b.Spans[at]
		var cell []byte
		if span.IsEscaped() {
			p.scratch = p.scratch[:0]
			cell = b.Cell(r, c.Position, &p.scratch)
		} else {
			cell = b.Data[span.Start:span.End]
		}
		if len(cell) == 0 {
			zero(v, r)
			v.SetNull(r, b.Records)
			continue
		}
		reason := one(r, cell)
		if reason == "" {
			continue
		}
		zero(v, r)
		v.SetNull(r, b.Records)
		if trimmed := trimSpace(cell); !nullWord(trimmed) && !c.emptyFor[reason] {
			p.fail(c, r, reason, trimmed)
		}
	}
}

// zero stores a value under a null, so that none is left over from before.
func zero(v *segments.Values, r int) {
	switch {
	case v.Int64 != nil:
		v.Int64[r] = 0
	case v.Int32 != nil:
		v.Int32[r] = 0
	case v.Float64 != nil:
		v.Float64[r] = 0
	case v.Bool != nil:
		v.Bool[r] = false
	case v.Int128 != nil:
		v.Int128[r] = wide{}
	}
}

func (p *batchParse) integer(c *column, v *segments.Values, r int, cell []byte) string {
	if n, ok := smallInteger(cell); ok {
		v.Int64[r] = n
		return ""
	}
	mark, reason := p.scan(c, cell)
	if reason != "" {
		return reason
	}
	value, lossless, fits := p.number.unscaled(mark, 19, 0)
	switch n := int64(value[0]); {
	case !lossless:
		return NotWhole
	case !fits || value != (wide{uint64(n), uint64(n >> 63)}):
		return OutOfRange
	default:
		v.Int64[r] = n
	}
	return ""
}

// smallInteger reads up to 18 digits with or without a minus; the fast path.
func smallInteger(cell []byte) (int64, bool) {
	digits := cell
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range digits {
		if !digit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(cell) {
		n = -n
	}
	return n, true
}

// scan reads a number and decides how its marks are read.
func (p *batchParse) scan(c *column, cell []byte) (mark, string) {
	if !scanNumber(cell, &p.number) {
		return 0, NotANumber
	}
	n := &p.number
	m, ok := n.resolve(c.mark)
	if !ok {
		switch {
		case c.mark == pointMark && n.allows(commaMark):
			return 0, CommaAsDecimal
		case c.mark == commaMark && n.allows(pointMark):
			return 0, PointAsDecimal
		}
		return 0, NotANumber
	}
	switch {
	case c.Reading.Percent && !n.percent && len(n.significant()) > 0:
		return 0, NoPercent
	case !c.Reading.Percent && n.percent:
		return 0, HasPercent
	}
	if n.percent {
		n.exponent -= 2
	}
	return m, ""
}

var scales = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

func (p *batchParse) decimal(c *column, v *segments.Values, r int, cell []byte) string {
	precision, scale := int(c.Column.Precision), int(c.Column.Scale)
	if c.mark == pointMark && precision == 18 && !c.Reading.Percent {
		if n, ok := smallDecimal(cell, scale); ok {
			v.Int64[r] = n
			return ""
		}
	}
	mark, reason := p.scan(c, cell)
	if reason != "" {
		return reason
	}
	value, lossless, fits := p.number.unscaled(mark, precision, scale)
	switch {
	case !lossless:
		return TooManyDecimals
	case !fits:
		return OutOfRange
	case precision > 18:
		v.Int128[r] = value
	default:
		v.Int64[r] = int64(value[0])
	}
	return ""
}

// smallDecimal reads "-12.5" with at most 17 digits and a point that cannot
// separate thousands, as a count of 10^-scale; the fast path.
func smallDecimal(cell []byte, scale int) (int64, bool) {
	digits := cell
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 18 {
		return 0, false
	}
	n, point := int64(0), -1
	for i, c := range digits {
		if digit(c) {
			n = n*10 + int64(c-'0')
		} else if c == '.' && point < 0 {
			point = i
		} else {
			return 0, false
		}
	}
	after := 0
	if point >= 0 {
		after = len(digits) - point - 1
	}
	if after > scale || point == 0 || len(digits) == 0 || len(digits)+scale-after > 18 {
		return 0, false
	}
	n *= scales[scale-after]
	if len(digits) < len(cell) {
		n = -n
	}
	return n, true
}

func (p *batchParse) float(c *column, v *segments.Values, r int, cell []byte) string {
	mark, reason := p.scan(c, cell)
	if reason != "" {
		return reason
	}
	f, ok := p.number.float(mark)
	if !ok || math.IsInf(f, 0) {
		return OutOfRange
	}
	v.Float64[r] = f
	return ""
}

func (p *batchParse) boolean(v *segments.Values, r int, cell []byte) string {
	cell = trimSpace(cell)
	_, value, ok := boolWord(cell)
	if !ok {
		if len(cell) != 1 || cell[0] != '0' && cell[0] != '1' {
			return NotABoolean
		}
		value = cell[0] == '1'
	}
	v.Bool[r] = value
	return ""
}

func (p *batchParse) moments(c *column, v *segments.Values, r int, cell []byte) string {
	day := c.Column.Type == segments.Date
	if day {
		if days, ok := isoDate(cell); ok {
			v.Int32[r] = int32(days)
			return ""
		}
	} else if t, ok := isoMoment(cell); ok {
		switch zoned := c.Column.Type == segments.TimestampTZ; {
		case !zoned && t.offset:
			return HasZone
		case zoned && !t.zoned && c.Reading.Zone != "utc":
			return NoZone
		}
		v.Int64[r] = t.micros
		return ""
	}
	m := &p.moment
	if !scanMoment(cell, m) {
		if trimmed := trimSpace(cell); day && len(trimmed) == 8 && allDigits(trimmed) && compactDate(trimmed) {
			y, _ := pair(trimmed)
			century, _ := pair(trimmed[2:])
			month, _ := pair(trimmed[4:])
			d, _ := pair(trimmed[6:])
			v.Int32[r] = int32(civilDays(y*100+century, month, d))
			return ""
		}
		return NotADate
	}
	if !m.certain {
		switch {
		case c.order == yearFirst && m.first != m.second:
			return UnclearDate
		case c.order == yearFirst:
		case !m.allows(c.order):
			return OtherDateOrder
		}
	}
	o := c.order
	if o == yearFirst {
		o = monthFirst // first and second are equal, or the date is certain
	}
	switch c.Column.Type {
	case segments.Date:
		if m.micros != 0 || m.offset != 0 {
			return HasTime
		}
		v.Int32[r] = int32(m.days(o))
	case segments.Timestamp:
		if m.offset != 0 {
			return HasZone
		}
		v.Int64[r] = m.micros1970(o)
	default:
		if !m.hasZone && c.Reading.Zone != "utc" {
			return NoZone
		}
		v.Int64[r] = m.micros1970(o)
	}
	return ""
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if !digit(c) {
			return false
		}
	}
	return true
}

// text takes the cells as they are; blank ones and \N are null.
func (p *batchParse) text(c *column, v *segments.Values) {
	b := p.batch
	data, offsets := v.Bytes, v.Offsets
	for r, at := 0, c.Position; r < b.Records; r, at = r+1, at+b.Fields {
		span := b.Spans[at]
		from := len(data)
		if span.IsEscaped() {
			start, end := span.Bounds()
			data = b.Unquote(data, b.Data[start:end])
		} else {
			data = append(data, b.Data[span.Start:span.End]...)
		}
		cell := data[from:]
		switch {
		case len(cell) == 0:
			v.SetNull(r, b.Records)
		case cell[0] <= ' ' && len(trimSpace(cell)) == 0, len(cell) == 2 && cell[0] == '\\' && cell[1] == 'N':
			data = data[:from]
			v.SetNull(r, b.Records)
		case b.Invalid && damaged(cell):
			reason := InvalidText
			for _, c := range cell {
				if c == 0 {
					reason = NULByte
				}
			}
			if !c.emptyFor[reason] {
				p.fail(c, r, reason, cell)
			}
			data = data[:from]
			v.SetNull(r, b.Records)
		}
		offsets[r+1] = int32(len(data))
	}
	v.Bytes = data
}
