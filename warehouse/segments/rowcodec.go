package segments

import (
	"encoding/binary"
	"math"
)

// rowCodec turns rows of blocks into bytes and back: first a bit for each
// column that is null, then the values that are not, whole numbers and lengths
// in as few bytes as they need. The time column is left out: it is the key that
// the row is sorted by.
type rowCodec struct {
	columns []Column
	kinds   []physical
	key     int // position of the time column
}

func (c *rowCodec) nullBytes() int { return (len(c.columns) + 7) / 8 }

func (c *rowCodec) encode(to []byte, b *Block, r int) []byte {
	nulls := len(to)
	for range c.nullBytes() {
		to = append(to, 0)
	}
	for i, kind := range c.kinds {
		v := &b.Columns[i]
		if v.Nulls != nil && v.Nulls[r] {
			to[nulls+i>>3] |= 1 << (i & 7)
			continue
		}
		if i == c.key {
			continue
		}
		switch kind {
		case int64Values:
			to = binary.AppendVarint(to, v.Int64[r])
		case int32Values:
			to = binary.AppendVarint(to, int64(v.Int32[r]))
		case floatValues:
			to = binary.LittleEndian.AppendUint64(to, math.Float64bits(v.Float64[r]))
		case boolValues:
			if v.Bool[r] {
				to = append(to, 1)
			} else {
				to = append(to, 0)
			}
		case int128Values:
			to = binary.LittleEndian.AppendUint64(to, v.Int128[r][0])
			to = binary.LittleEndian.AppendUint64(to, v.Int128[r][1])
		default:
			text := v.Bytes[v.Offsets[r]:v.Offsets[r+1]]
			to = binary.AppendUvarint(to, uint64(len(text)))
			to = append(to, text...)
		}
	}
	return to
}

// rowDecoder collects rows into a block.
type rowDecoder struct {
	codec *rowCodec
	block *Block
	rows  int
	most  int
}

func (c *rowCodec) decoder(b *Block, most int) *rowDecoder {
	for i, column := range c.columns {
		b.Columns[i].Reset(column, most)
	}
	return &rowDecoder{codec: c, block: b, most: most}
}

// add decodes a row with its key.
func (d *rowDecoder) add(row []byte, key int64) {
	r := d.rows
	d.rows++
	nulls := row
	row = row[d.codec.nullBytes():]
	for i, kind := range d.codec.kinds {
		v := &d.block.Columns[i]
		null := nulls[i>>3]&(1<<(i&7)) != 0
		if null {
			v.SetNull(r, d.most)
		}
		switch kind {
		case int64Values, int32Values:
			value := int64(0)
			switch {
			case null:
			case i == d.codec.key:
				value = key
			default:
				var n int
				value, n = binary.Varint(row)
				row = row[n:]
			}
			if kind == int64Values {
				v.Int64[r] = value
			} else {
				v.Int32[r] = int32(value)
			}
		case floatValues:
			if v.Float64[r] = 0; !null {
				v.Float64[r] = math.Float64frombits(binary.LittleEndian.Uint64(row))
				row = row[8:]
			}
		case boolValues:
			if v.Bool[r] = false; !null {
				v.Bool[r] = row[0] == 1
				row = row[1:]
			}
		case int128Values:
			if v.Int128[r] = [2]uint64{}; !null {
				v.Int128[r] = [2]uint64{binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(row[8:])}
				row = row[16:]
			}
		default:
			if !null {
				length, n := binary.Uvarint(row)
				end := n + int(length)
				v.Bytes = append(v.Bytes, row[n:end]...)
				row = row[end:]
			}
			v.Offsets[r+1] = int32(len(v.Bytes))
		}
	}
}

// finish cuts the block to the rows it got.
func (d *rowDecoder) finish() {
	d.block.Rows = d.rows
	for i, kind := range d.codec.kinds {
		v := &d.block.Columns[i]
		if v.Nulls != nil {
			v.Nulls = v.Nulls[:d.rows]
		}
		switch kind {
		case int64Values:
			v.Int64 = v.Int64[:d.rows]
		case int32Values:
			v.Int32 = v.Int32[:d.rows]
		case floatValues:
			v.Float64 = v.Float64[:d.rows]
		case boolValues:
			v.Bool = v.Bool[:d.rows]
		case int128Values:
			v.Int128 = v.Int128[:d.rows]
		default:
			v.Offsets = v.Offsets[:d.rows+1]
		}
	}
}
