package warehouse

import (
	"fmt"
	"math"
	"math/big"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// fetch takes over a result by columns into those of into, which say name and
// type. It reads at most limit rows; more tells that there were others.
func fetch(r *duckRows, into []ResultColumn, limit int) (rows int, more bool, err error) {
	physical := r.columns()
	if len(physical) < len(into) {
		return 0, false, fmt.Errorf("result has %d columns, not %d", len(physical), len(into))
	}
	takers := make([]taker, len(into))
	for i := range into {
		takers[i] = taker{out: &into[i], col: physical[i]}
	}
	err = r.each(func(n int, vectors []duckVector) error {
		if rows+n > limit {
			n = limit - rows
			more = true
		}
		for i := range takers {
			if err := takers[i].take(vectors[i], n); err != nil {
				return fmt.Errorf("column %s: %w", into[i].Name, err)
			}
		}
		rows += n
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	for i := range takers {
		takers[i].finish()
	}
	return rows, more, nil
}

// taker copies the values of one column.
type taker struct {
	out  *ResultColumn
	col  duckColumn
	rows int
	huge []*big.Int // set from the first integer on that 64 bits cannot hold
}

func (t *taker) take(v duckVector, n int) error {
	out := t.out
	for i := range n {
		if v.isNull(i) {
			if out.Nulls == nil {
				out.Nulls = make([]bool, t.rows+i, t.rows+n)
			}
			out.Nulls = append(out.Nulls, true)
		} else if out.Nulls != nil {
			out.Nulls = append(out.Nulls, false)
		}
	}
	t.rows += n
	switch out.Type {
	case Text:
		if t.col.kind != mapping.TypeVarchar {
			return fmt.Errorf("unexpected type %d for a text", t.col.kind)
		}
		for i := range n {
			s := ""
			if !v.isNull(i) {
				s = v.text(i)
			}
			out.Texts = append(out.Texts, s)
		}
		return nil
	case Float:
		return t.takeFloats(v, n)
	case Decimal:
		return t.takeDecimals(v, n)
	}
	return t.takeInts(v, n)
}

func appendInts[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](dst []int64, v duckVector, n int) []int64 {
	for i, x := range vectorOf[T](v)[:n] {
		if v.isNull(i) {
			x = 0
		}
		dst = append(dst, int64(x))
	}
	return dst
}

func (t *taker) takeInts(v duckVector, n int) error {
	out := t.out
	switch t.col.kind {
	case mapping.TypeBigInt, mapping.TypeTimestamp, mapping.TypeTimestampTZ:
		out.Ints = appendInts[int64](out.Ints, v, n)
	case mapping.TypeInteger, mapping.TypeDate:
		out.Ints = appendInts[int32](out.Ints, v, n)
	case mapping.TypeSmallInt:
		out.Ints = appendInts[int16](out.Ints, v, n)
	case mapping.TypeTinyInt:
		out.Ints = appendInts[int8](out.Ints, v, n)
	case mapping.TypeBoolean, mapping.TypeUTinyInt:
		out.Ints = appendInts[uint8](out.Ints, v, n)
	case mapping.TypeDouble:
		for i, x := range vectorOf[float64](v)[:n] {
			if v.isNull(i) {
				x = 0
			}
			out.Ints = append(out.Ints, int64(math.Round(x)))
		}
	case mapping.TypeHugeInt:
		for i, x := range vectorOf[hugeint](v)[:n] {
			if v.isNull(i) {
				x = hugeint{}
			}
			fits := x.upper == int64(x.lower)>>63
			if !fits && t.huge == nil {
				t.huge = make([]*big.Int, 0, len(out.Ints)+n) // also where there is none earlier
				for _, earlier := range out.Ints {
					t.huge = append(t.huge, big.NewInt(earlier))
				}
			}
			if t.huge != nil {
				t.huge = append(t.huge, x.big())
			}
			out.Ints = append(out.Ints, int64(x.lower))
		}
	default:
		return fmt.Errorf("unexpected type %d for %s", t.col.kind, out.Type)
	}
	if t.huge != nil && t.col.kind != mapping.TypeHugeInt {
		return fmt.Errorf("mixed integers")
	}
	return nil
}

func (h hugeint) big() *big.Int {
	b := big.NewInt(h.upper)
	b.Lsh(b, 64)
	return b.Add(b, new(big.Int).SetUint64(h.lower))
}

func (t *taker) takeFloats(v duckVector, n int) error {
	out := t.out
	if t.col.kind != mapping.TypeDouble {
		return fmt.Errorf("unexpected type %d for a float", t.col.kind)
	}
	for i, x := range vectorOf[float64](v)[:n] {
		if v.isNull(i) {
			x = 0
		}
		out.Floats = append(out.Floats, x)
	}
	return nil
}

func (t *taker) takeDecimals(v duckVector, n int) error {
	scale := t.col.scale
	for i := range n {
		if v.isNull(i) {
			t.decimal("", 0)
			continue
		}
		switch t.col.kind {
		case mapping.TypeSmallInt:
			t.smallDecimal(int64(vectorOf[int16](v)[i]), scale)
		case mapping.TypeInteger:
			t.smallDecimal(int64(vectorOf[int32](v)[i]), scale)
		case mapping.TypeBigInt:
			t.smallDecimal(vectorOf[int64](v)[i], scale)
		case mapping.TypeHugeInt:
			h := vectorOf[hugeint](v)[i]
			if h.upper == int64(h.lower)>>63 {
				t.smallDecimal(int64(h.lower), scale)
				continue
			}
			text := h.big().String()
			f, _ := new(big.Float).SetInt(h.big()).Float64()
			t.decimal(pointed(text, int(scale)), f/math.Pow10(int(scale)))
		case mapping.TypeDouble: // an estimate from samples
			f := vectorOf[float64](v)[i]
			t.decimal(fmt.Sprintf("%.*f", t.out.Scale, f), f)
		default:
			return fmt.Errorf("unexpected type %d for a decimal", t.col.kind)
		}
	}
	return nil
}

func (t *taker) smallDecimal(n int64, scale uint8) {
	text := fmt.Sprint(n)
	if scale == 0 {
		t.decimal(text, float64(n))
		return
	}
	t.decimal(pointed(text, int(scale)), float64(n)/math.Pow10(int(scale)))
}

func (t *taker) decimal(text string, f float64) {
	t.out.Exact = append(t.out.Exact, text)
	t.out.Floats = append(t.out.Floats, f)
}

// pointed puts the decimal point into digits.
func pointed(digits string, scale int) string {
	if scale == 0 {
		return digits
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for len(digits) <= scale {
		digits = "0" + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// finish makes sure that an empty column has its slice, and turns integers
// beyond 64 bits into decimals without places.
func (t *taker) finish() {
	out := t.out
	if t.huge != nil {
		out.Type, out.Scale = Decimal, 0
		out.Ints = nil
		for i, b := range t.huge {
			text := b.String()
			if out.IsNull(i) {
				text = ""
			}
			f, _ := new(big.Float).SetInt(b).Float64()
			out.Exact = append(out.Exact, text)
			out.Floats = append(out.Floats, f)
		}
		return
	}
	switch out.Type {
	case Text:
		if out.Texts == nil {
			out.Texts = []string{}
		}
	case Float:
		if out.Floats == nil {
			out.Floats = []float64{}
		}
	case Decimal:
		if out.Floats == nil {
			out.Floats, out.Exact = []float64{}, []string{}
		}
	default:
		if out.Ints == nil {
			out.Ints = []int64{}
		}
	}
}
