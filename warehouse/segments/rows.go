package segments

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"sort"
	"strconv"
)

// Rows are a few rows by columns.
type Rows struct {
	Columns []Column // each with its id and type
	Vectors []Vector // one a column
	Count   int
}

// Vector holds the values of one column. One slice is set, by type: Ints for
// Integer, Boolean (0, 1), Date (days since 1970) and timestamps (microseconds
// since 1970), Floats for Float, Texts for Text and for Decimal ("-12.50").
type Vector struct {
	Nulls  []bool // nil when no value is null
	Ints   []int64
	Floats []float64
	Texts  []string
}

// WriteRows writes a few rows (up to some tens of thousands) as one segment at
// path, sorted by the layout's time column. Columns of the layout that rows do
// not have become NULL. It takes a few milliseconds.
//
// Errors: ingest.disk_full, segments.not_convertible for a decimal that does
// not fit.
func (w *Writer) WriteRows(ctx context.Context, path string, layout Layout, rows Rows) (File, error) {
	block, err := rows.block(layout)
	if err != nil {
		return File{}, err
	}
	given := false
	source := func() (*Block, error) {
		if given {
			return nil, io.EOF
		}
		given = true
		return block, nil
	}
	return w.copyBlocks(ctx, newBlockReader(layout.Columns, source, nil), path, RowGroupRows)
}

// block brings the rows into the layout, in the order of its time column.
func (r *Rows) block(layout Layout) (*Block, error) {
	vectors := map[int32]*Vector{}
	types := map[int32]Type{}
	for i, c := range r.Columns {
		vectors[c.ID], types[c.ID] = &r.Vectors[i], c.Type
	}
	order := make([]int, r.Count)
	for i := range order {
		order[i] = i
	}
	if v := vectors[layout.TimeColumn]; v != nil && v.Ints != nil {
		sort.SliceStable(order, func(i, j int) bool {
			a, b := order[i], order[j]
			if v.null(a) || v.null(b) {
				return !v.null(a)
			}
			return v.Ints[a] < v.Ints[b]
		})
	}
	b := &Block{Rows: r.Count, Columns: make([]Values, len(layout.Columns))}
	for i, c := range layout.Columns {
		to := &b.Columns[i]
		to.Reset(c, r.Count)
		from := vectors[c.ID]
		if from != nil && types[c.ID] != c.Type {
			return nil, fmt.Errorf("column %d is %s in the rows and %s in the layout", c.ID, types[c.ID], c.Type)
		}
		for at, row := range order {
			if from == nil || from.null(row) {
				to.SetNull(at, r.Count)
			}
			if err := to.set(c, at, from, row); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

func (v *Vector) null(row int) bool { return v.Nulls != nil && v.Nulls[row] }

// set stores one value; nothing or zero for a null.
func (v *Values) set(c Column, at int, from *Vector, row int) error {
	null := from == nil || from.null(row)
	switch physicalOf(c) {
	case textValues:
		if !null {
			v.Bytes = append(v.Bytes, from.Texts[row]...)
		}
		v.Offsets[at+1] = int32(len(v.Bytes))
		return nil
	case floatValues:
		if v.Float64[at] = 0; !null {
			v.Float64[at] = from.Floats[row]
		}
		return nil
	case boolValues:
		v.Bool[at] = !null && from.Ints[row] != 0
		return nil
	case int32Values:
		if v.Int32[at] = 0; !null {
			v.Int32[at] = int32(from.Ints[row])
		}
		return nil
	case int128Values:
		v.Int128[at] = [2]uint64{}
	default:
		v.Int64[at] = 0
	}
	switch {
	case null:
	case c.Type == Decimal:
		unscaled, err := unscaledDecimal(from.Texts[row], c)
		if err != nil {
			return err
		}
		if physicalOf(c) == int64Values {
			v.Int64[at] = unscaled.Int64()
			return nil
		}
		low := new(big.Int).And(unscaled, new(big.Int).SetUint64(^uint64(0)))
		high := new(big.Int).Rsh(unscaled, 64)
		v.Int128[at] = [2]uint64{low.Uint64(), uint64(high.Int64())}
	default:
		v.Int64[at] = from.Ints[row]
	}
	return nil
}

// unscaledDecimal reads "-12.5" as a count of 10^-scale.
func unscaledDecimal(text string, c Column) (*big.Int, error) {
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, ErrNotConvertible.With("%s is not a number.", strconv.Quote(text))
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Scale)), nil)
	value.Mul(value, new(big.Rat).SetInt(scale))
	if !value.IsInt() {
		return nil, ErrNotConvertible.With("%s has more decimals than the column %q keeps.", text, c.Name)
	}
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Precision)), nil)
	if value.Num().CmpAbs(most) >= 0 {
		return nil, ErrNotConvertible.With("%s has more digits than the column %q keeps.", text, c.Name)
	}
	return value.Num(), nil
}
