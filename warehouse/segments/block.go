package segments

// Block is rows by columns, in the layout that DuckDB takes without conversion.
type Block struct {
	Rows    int
	Columns []Values
}

// Values are the values of one column. One slice is set, by the column's type.
type Values struct {
	Nulls []bool  // nil when no value is null
	Int64 []int64 // Integer, timestamps (microseconds since 1970), Decimal of up to 18 digits (unscaled)
	Int32 []int32 // Date (days since 1970)
	// Int128 is Decimal of more than 18 digits: unscaled, low word first.
	Int128  [][2]uint64
	Float64 []float64 // Float
	Bool    []bool    // Boolean
	// Offsets has one entry more than there are rows; row i of Text is
	// Bytes[Offsets[i]:Offsets[i+1]].
	Offsets []int32
	Bytes   []byte
}

// physical is how a column's values are held.
type physical uint8

const (
	int64Values physical = iota
	int32Values
	int128Values
	floatValues
	boolValues
	textValues
)

func physicalOf(c Column) physical {
	switch c.Type {
	case Date:
		return int32Values
	case Float:
		return floatValues
	case Boolean:
		return boolValues
	case Text:
		return textValues
	case Decimal:
		if c.Precision > 18 {
			return int128Values
		}
	}
	return int64Values
}

// Reset empties the values and makes room for rows more of the column.
func (v *Values) Reset(c Column, rows int) {
	v.Nulls = nil
	switch physicalOf(c) {
	case int64Values:
		v.Int64 = grow(v.Int64, rows)
	case int32Values:
		v.Int32 = grow(v.Int32, rows)
	case int128Values:
		v.Int128 = grow(v.Int128, rows)
	case floatValues:
		v.Float64 = grow(v.Float64, rows)
	case boolValues:
		v.Bool = grow(v.Bool, rows)
	default:
		v.Offsets = grow(v.Offsets, rows+1)
		v.Offsets[0] = 0
		v.Bytes = v.Bytes[:0]
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	return s
}

// SetNull makes row i null; its value slot must still be written.
func (v *Values) SetNull(i, rows int) {
	if v.Nulls == nil {
		v.Nulls = make([]bool, rows)
	}
	v.Nulls[i] = true
}

// Size is about how many bytes the block takes.
func (b *Block) Size() int {
	size := 0
	for i := range b.Columns {
		v := &b.Columns[i]
		size += len(v.Nulls) + 8*len(v.Int64) + 4*len(v.Int32) + 16*len(v.Int128) + 8*len(v.Float64) + len(v.Bool) + 4*len(v.Offsets) + len(v.Bytes)
	}
	return size
}

// Keep drops the rows that are not marked.
func (b *Block) Keep(columns []Column, marked []bool) {
	rows := 0
	for _, m := range marked {
		if m {
			rows++
		}
	}
	for i := range b.Columns {
		v := &b.Columns[i]
		if v.Nulls != nil {
			v.Nulls = keep(v.Nulls, marked)
		}
		switch physicalOf(columns[i]) {
		case int64Values:
			v.Int64 = keep(v.Int64, marked)
		case int32Values:
			v.Int32 = keep(v.Int32, marked)
		case int128Values:
			v.Int128 = keep(v.Int128, marked)
		case floatValues:
			v.Float64 = keep(v.Float64, marked)
		case boolValues:
			v.Bool = keep(v.Bool, marked)
		default:
			at, end := 0, int32(0)
			for r, m := range marked {
				from, to := v.Offsets[r], v.Offsets[r+1]
				if !m {
					continue
				}
				copy(v.Bytes[end:], v.Bytes[from:to])
				end += to - from
				at++
				// Offsets up to r+1 were read, and at <= r+1.
				v.Offsets[at] = end
				if at == r+1 {
					continue
				}
			}
			v.Offsets, v.Bytes = v.Offsets[:at+1], v.Bytes[:end]
		}
	}
	b.Rows = rows
}

func keep[T any](values []T, marked []bool) []T {
	at := 0
	for i, m := range marked {
		if m {
			values[at] = values[i]
			at++
		}
	}
	return values[:at]
}

// ref is one row of one of several blocks.
type ref struct{ block, row int32 }

func newBlock(columns []Column) *Block { return &Block{Columns: make([]Values, len(columns))} }

// gather copies rows from several blocks into one.
func gather(columns []Column, to *Block, refs []ref, block func(int32) *Block) {
	to.Rows = len(refs)
	for c, column := range columns {
		v := &to.Columns[c]
		v.Reset(column, len(refs))
		for i, r := range refs {
			if nulls := block(r.block).Columns[c].Nulls; nulls != nil && nulls[r.row] {
				v.SetNull(i, len(refs))
			}
		}
		switch physicalOf(column) {
		case int64Values:
			for i, r := range refs {
				v.Int64[i] = block(r.block).Columns[c].Int64[r.row]
			}
		case int32Values:
			for i, r := range refs {
				v.Int32[i] = block(r.block).Columns[c].Int32[r.row]
			}
		case int128Values:
			for i, r := range refs {
				v.Int128[i] = block(r.block).Columns[c].Int128[r.row]
			}
		case floatValues:
			for i, r := range refs {
				v.Float64[i] = block(r.block).Columns[c].Float64[r.row]
			}
		case boolValues:
			for i, r := range refs {
				v.Bool[i] = block(r.block).Columns[c].Bool[r.row]
			}
		default:
			data := v.Bytes
			for i, r := range refs {
				from := &block(r.block).Columns[c]
				data = append(data, from.Bytes[from.Offsets[r.row]:from.Offsets[r.row+1]]...)
				v.Offsets[i+1] = int32(len(data))
			}
			v.Bytes = data
		}
	}
}
