package ingest

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
)

// mark is how the digits of a number are to be understood.
type mark uint8

const (
	pointMark  mark = iota // 1,234.5
	commaMark              // 1.234,5
	eitherMark             // each number on its own
)

func markOf(reading string) mark {
	switch reading {
	case "comma":
		return commaMark
	case "either":
		return eitherMark
	}
	return pointMark
}

// maxDigits is the most digits of a number that is read exactly.
const maxDigits = 40

// number is a number as written. Which separator is the decimal mark is
// decided later, from the whole column.
type number struct {
	digits   [maxDigits]byte // without separators
	count    int
	negative bool
	plus     bool // written with a plus sign
	percent  bool
	currency string // ISO code, "" without one
	exponent int
	hasExp   bool
	// The separators between digits: how many of each, which came last, and
	// how many digits follow that one.
	points, commas, spaces int
	lastSep                byte
	afterLast              int
	// grouped tells that every separator but the last splits off three digits
	// (or two, as in India), and groupLast that the last one does too.
	grouped, groupLast bool
	beforeFirst        int // digits before the first separator
}

// scanNumber takes a cell apart; ok is false where it is no number under any
// reading.
func scanNumber(cell []byte, n *number) (ok bool) {
	cell = trimSpace(cell)
	if len(cell) == 0 || len(cell) > 64 {
		return false
	}
	*n = number{grouped: true}
	if cell[0] == '(' && cell[len(cell)-1] == ')' {
		n.negative = true
		cell = trimSpace(cell[1 : len(cell)-1])
	}
	// Signs and currencies come in any order before the digits.
	signs := 0
	for len(cell) > 0 && !digit(cell[0]) && cell[0] != '.' && cell[0] != ',' {
		switch {
		case cell[0] == '-' || cell[0] == '+':
			if signs++; signs > 1 || n.negative {
				return false
			}
			n.negative, n.plus = cell[0] == '-', cell[0] == '+'
			cell = cell[1:]
		case bytes.HasPrefix(cell, []byte("−")):
			if signs++; signs > 1 || n.negative {
				return false
			}
			n.negative = true
			cell = cell[len("−"):]
		default:
			code, length := currencyAt(cell)
			if length == 0 || n.currency != "" {
				return false
			}
			n.currency = code
			cell = cell[length:]
		}
		cell = trimSpace(cell)
	}
	// And per cent and currencies behind them.
	for len(cell) > 0 && !digit(cell[len(cell)-1]) && cell[len(cell)-1] != '.' {
		if cell[len(cell)-1] == '%' && !n.percent {
			n.percent = true
			cell = trimSpace(cell[:len(cell)-1])
			continue
		}
		code, length := currencyBefore(cell)
		if length == 0 || n.currency != "" {
			return false
		}
		n.currency = code
		cell = trimSpace(cell[:len(cell)-length])
	}
	if n.percent && n.currency != "" {
		return false
	}
	return n.body(cell)
}

// body reads digits, separators and the exponent.
func (n *number) body(cell []byte) bool {
	run := 0 // digits since the last separator
	seps := 0
	for i := 0; i < len(cell); i++ {
		c := cell[i]
		switch {
		case digit(c):
			if n.count >= maxDigits {
				return false
			}
			n.digits[n.count] = c
			n.count++
			run++
			continue
		case c == 'e' || c == 'E':
			if n.count == 0 || n.currency != "" || n.percent || n.commas > 0 || n.spaces > 0 || n.points > 1 {
				return false
			}
			exponent, err := strconv.Atoi(string(cell[i+1:]))
			if err != nil || exponent < -400 || exponent > 400 {
				return false
			}
			n.exponent, n.hasExp = exponent, true
			i = len(cell)
			continue
		}
		sep, width := separatorAt(cell[i:])
		if width == 0 {
			return false
		}
		if seps == 0 {
			n.beforeFirst = run
		} else if run != 3 && run != 2 || sep != n.lastSep && run != 3 {
			n.grouped = false
		}
		seps++
		switch sep {
		case '.':
			n.points++
		case ',':
			n.commas++
		default:
			n.spaces++
		}
		if n.lastSep == '.' && sep == ',' && n.commas > 1 || n.lastSep == ',' && sep == '.' && n.points > 1 {
			return false
		}
		n.lastSep = sep
		run = 0
		i += width - 1
	}
	n.afterLast = run
	if n.count == 0 {
		return false
	}
	if seps > 0 {
		n.groupLast = run == 3 && n.beforeFirst >= 1 && n.beforeFirst <= 3
		if n.spaces > 0 && (n.lastSep == ' ' || n.lastSep == '\'') && !n.groupLast {
			return false
		}
		if seps > 1 && (n.beforeFirst == 0 || n.beforeFirst > 3 || !n.grouped) {
			return false
		}
	}
	if n.hasExp {
		return n.grouped
	}
	return true
}

// separatorAt answers the separator at the start of text and its width: a
// point, a comma, an apostrophe, or one of the spaces used between digits.
func separatorAt(text []byte) (sep byte, width int) {
	switch c := text[0]; {
	case c == '.' || c == ',' || c == '\'' || c == ' ':
		return c, 1
	case c == 0xc2 && len(text) > 1 && text[1] == 0xa0: // no-break space
		return ' ', 2
	case c == 0xe2 && len(text) > 2 && text[1] == 0x80 && (text[2] == 0xaf || text[2] == 0x89): // narrow and thin spaces
		return ' ', 3
	case c == 0xe2 && len(text) > 2 && text[1] == 0x80 && text[2] == 0x99: // ’
		return '\'', 3
	}
	return 0, 0
}

// certainty says which readings a number allows.
type certainty uint8

const (
	sureInteger certainty = iota // no separator: both readings agree
	surePoint                    // only the reading with a decimal point makes sense
	sureComma
	orThousands // "1.234" or "1,234": a decimal or thousands
	senseless   // neither
)

func (n *number) certainty() certainty {
	p, c := n.allows(pointMark), n.allows(commaMark)
	switch {
	case n.points+n.commas == 0:
		if !p {
			return senseless
		}
		return sureInteger
	case p && c:
		return orThousands
	case p:
		return surePoint
	case c:
		return sureComma
	}
	return senseless
}

// allows tells whether the number can be read with the mark.
func (n *number) allows(m mark) bool {
	decimals, thousands, point := n.points, n.commas, byte('.')
	if m == commaMark {
		decimals, thousands, point = n.commas, n.points, ','
	}
	if n.hasExp && m == commaMark && n.points > 0 {
		return false
	}
	switch {
	case decimals > 1:
		return false
	case decimals == 1:
		if n.lastSep != point {
			return false
		}
		return thousands+n.spaces == 0 || n.grouped && n.beforeFirst >= 1 && n.beforeFirst <= 3
	case thousands > 0:
		return n.lastSep != point && n.groupLast && n.grouped && n.digits[0] != '0'
	}
	return n.spaces == 0 || n.groupLast && n.grouped
}

// scale is how many digits follow the decimal mark under a reading that the
// number allows.
func (n *number) scale(m mark) int {
	if m == commaMark && n.commas == 1 && n.lastSep == ',' || m == pointMark && n.points == 1 && n.lastSep == '.' {
		return n.afterLast
	}
	return 0
}

// resolve picks the reading of one number: m itself, or, for eitherMark, the
// only one that makes sense; "1.234" is then a decimal and "1,234" thousands.
func (n *number) resolve(m mark) (mark, bool) {
	if m != eitherMark {
		return m, n.allows(m)
	}
	switch n.certainty() {
	case sureComma:
		return commaMark, true
	case senseless:
		return pointMark, false
	}
	return pointMark, true
}

// zeroLed tells whether the number is written as a code: with a zero in front.
func (n *number) zeroLed() bool {
	return n.count > 1 && n.digits[0] == '0' && n.points+n.commas+n.spaces == 0 && !n.hasExp
}

// significant is the digits without leading zeros.
func (n *number) significant() []byte {
	d := n.digits[:n.count]
	for len(d) > 0 && d[0] == '0' {
		d = d[1:]
	}
	return d
}

// wide is a signed 128-bit integer in two's complement, low word first.
type wide [2]uint64

// unscaled answers the number as a count of 10^-scale under a reading;
// fits is false where digits would be lost or it exceeds precision digits.
func (n *number) unscaled(m mark, precision, scale int) (value wide, lossless, fits bool) {
	d := n.digits[:n.count]
	drop := n.scale(m) - n.exponent - scale
	for ; drop > 0 && len(d) > 0; drop-- {
		if d[len(d)-1] != '0' {
			return value, false, true
		}
		d = d[:len(d)-1]
	}
	for len(d) > 0 && d[0] == '0' {
		d = d[1:]
	}
	if len(d) == 0 {
		return value, true, true
	}
	zeros := max(-drop, 0)
	if len(d)+zeros > precision {
		return value, true, false
	}
	var low, high uint64
	for i := range len(d) + zeros {
		digit := uint64(0)
		if i < len(d) {
			digit = uint64(d[i] - '0')
		}
		carry, l := bits.Mul64(low, 10)
		high = high*10 + carry
		var c uint64
		low, c = bits.Add64(l, digit, 0)
		high += c
	}
	if n.negative {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	return wide{low, high}, true, true
}

// float answers the nearest float64.
func (n *number) float(m mark) (float64, bool) {
	exponent := n.exponent - n.scale(m)
	d := n.significant()
	if len(d) <= 15 && exponent >= -22 && exponent <= 22 {
		mantissa := uint64(0)
		for _, c := range d {
			mantissa = mantissa*10 + uint64(c-'0')
		}
		f := float64(mantissa)
		if exponent < 0 {
			f /= powers[-exponent]
		} else {
			f *= powers[exponent]
		}
		if n.negative {
			f = -f
		}
		return f, true
	}
	text := make([]byte, 0, 64)
	if n.negative {
		text = append(text, '-')
	}
	text = append(text, n.digits[:n.count]...)
	text = append(text, 'e')
	text = strconv.AppendInt(text, int64(exponent), 10)
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// powers of ten that float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
	1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

func digit(c byte) bool { return c-'0' < 10 }

// blankByte tells spaces, tabs and line ends; a NUL is not blank.
func blankByte(c byte) bool { return c == ' ' || c-'\t' < 5 }

// trimSpace cuts spaces, tabs, line ends and no-break spaces off both ends.
func trimSpace(text []byte) []byte {
	for len(text) > 0 {
		switch {
		case blankByte(text[0]):
			text = text[1:]
			continue
		case text[0] == 0xc2 && len(text) > 1 && text[1] == 0xa0:
			text = text[2:]
			continue
		}
		break
	}
	for len(text) > 0 {
		last := len(text) - 1
		switch {
		case blankByte(text[last]):
			text = text[:last]
			continue
		case text[last] == 0xa0 && last > 0 && text[last-1] == 0xc2:
			text = text[:last-1]
			continue
		}
		break
	}
	return text
}
