package warehouse

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"
)

// codecVersion is the first byte of an encoded result. An entry of another
// version counts as absent.
const codecVersion = 4

var errCodec = errors.New("cached result is damaged or of another version")

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// encode writes a result for the second cache tier: version, body, CRC-32C of
// both.
func (r *Result) encode() []byte {
	w := encoder{buf: make([]byte, 0, r.memory())}
	w.buf = append(w.buf, codecVersion)
	w.uint(uint64(r.Rows))
	w.bool(r.More)
	w.bool(r.Sparse)
	w.bool(r.Few)
	w.bool(r.HasOther)
	w.bools(r.OtherRows)
	w.text(r.Timezone)
	w.int(r.Version)
	w.uint(uint64(len(r.Versions)))
	for id, v := range r.Versions {
		w.text(id)
		w.int(v)
	}
	w.int(int64(r.Elapsed))
	w.bool(r.Sampled != nil)
	if s := r.Sampled; s != nil {
		w.int(int64(s.Rate))
		w.float(s.Error)
	}
	w.span(r.Span)
	w.span(r.Previous)
	w.time(r.ToDate)
	w.uint(uint64(len(r.Lacks)))
	for _, day := range r.Lacks {
		w.int(day)
	}
	w.uint(uint64(len(r.Columns)))
	for i := range r.Columns {
		w.column(&r.Columns[i])
	}
	return binary.LittleEndian.AppendUint32(w.buf, crc32.Checksum(w.buf, crcTable))
}

// decodeResult reads what encode wrote.
func decodeResult(data []byte) (*Result, error) {
	if len(data) < 5 || data[0] != codecVersion {
		return nil, errCodec
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, crcTable) != binary.LittleEndian.Uint32(data[len(data)-4:]) {
		return nil, errCodec
	}
	d := decoder{buf: body[1:]}
	r := &Result{Rows: d.count(), More: d.bool(), Sparse: d.bool(), Few: d.bool(), HasOther: d.bool(), OtherRows: d.bools(), Timezone: d.text(), Version: d.int()}
	r.Versions = map[string]int64{}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		id := d.text()
		r.Versions[id] = d.int()
	}
	r.Elapsed = time.Duration(d.int())
	if d.bool() {
		r.Sampled = &Sampled{Rate: int(d.int()), Error: d.float()}
	}
	r.Span, r.Previous, r.ToDate = d.span(r.Timezone), d.span(r.Timezone), d.time(r.Timezone)
	for range d.count() {
		r.Lacks = append(r.Lacks, d.int())
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		r.Columns = append(r.Columns, d.column())
	}
	if d.err != nil || len(d.buf) > 0 {
		return nil, errCodec
	}
	return r, nil
}

type encoder struct{ buf []byte }

func (w *encoder) uint(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }
func (w *encoder) int(n int64)   { w.buf = binary.AppendVarint(w.buf, n) }
func (w *encoder) float(f float64) {
	w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(f))
}
func (w *encoder) text(s string) { w.uint(uint64(len(s))); w.buf = append(w.buf, s...) }

func (w *encoder) bool(b bool) {
	if b {
		w.buf = append(w.buf, 1)
	} else {
		w.buf = append(w.buf, 0)
	}
}

// bools writes a count, or 0 for nil, and bits.
func (w *encoder) bools(bits []bool) {
	w.uint(uint64(len(bits)))
	for i := 0; i < len(bits); i += 8 {
		var b byte
		for j := i; j < len(bits) && j < i+8; j++ {
			if bits[j] {
				b |= 1 << (j - i)
			}
		}
		w.buf = append(w.buf, b)
	}
}

func (w *encoder) texts(texts []string) {
	w.bool(texts != nil)
	w.uint(uint64(len(texts)))
	for _, s := range texts {
		w.text(s)
	}
}

func (w *encoder) span(s *Span) {
	w.bool(s != nil)
	if s == nil {
		return
	}
	w.time(s.From)
	w.time(s.To)
}

func (w *encoder) time(t time.Time) {
	w.bool(t.IsZero())
	if !t.IsZero() {
		w.bool(t.Location() == time.UTC)
		w.int(t.UnixMicro())
	}
}

func (w *encoder) column(c *ResultColumn) {
	w.text(c.Name)
	w.text(string(c.Type))
	w.uint(uint64(c.Scale))
	w.bool(c.Dimension)
	w.text(c.Grain)
	w.bools(c.Nulls)
	w.bool(c.Ints != nil)
	w.uint(uint64(len(c.Ints)))
	var before int64
	for _, n := range c.Ints { // neighbours are often close
		w.int(n - before)
		before = n
	}
	w.bool(c.Floats != nil)
	w.uint(uint64(len(c.Floats)))
	for _, f := range c.Floats {
		w.float(f)
	}
	w.texts(c.Texts)
	w.texts(c.Exact)
}

type decoder struct {
	buf []byte
	err error
}

func (d *decoder) fail() { d.err, d.buf = errCodec, nil }

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.buf)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

// count is a number of things, each of which takes a bit at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > 1<<31 {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.buf)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

func (d *decoder) float() float64 {
	if len(d.buf) < 8 {
		d.fail()
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(d.buf))
	d.buf = d.buf[8:]
	return f
}

func (d *decoder) bool() bool {
	if len(d.buf) == 0 {
		d.fail()
		return false
	}
	b := d.buf[0] == 1
	d.buf = d.buf[1:]
	return b
}

func (d *decoder) text() string {
	n := d.count()
	if n > len(d.buf) {
		d.fail()
		return ""
	}
	s := string(d.buf[:n])
	d.buf = d.buf[n:]
	return s
}

func (d *decoder) bools() []bool {
	n := d.count()
	if n == 0 {
		return nil
	}
	if (n+7)/8 > len(d.buf) {
		d.fail()
		return nil
	}
	bits := make([]bool, n)
	for i := range bits {
		bits[i] = d.buf[i/8]&(1<<(i%8)) != 0
	}
	d.buf = d.buf[(n+7)/8:]
	return bits
}

func (d *decoder) texts() []string {
	set := d.bool()
	n := d.count()
	if !set || n > len(d.buf) {
		return nil
	}
	texts := make([]string, 0, n)
	for ; n > 0 && d.err == nil; n-- {
		texts = append(texts, d.text())
	}
	return texts
}

func (d *decoder) span(zoneName string) *Span {
	if !d.bool() {
		return nil
	}
	return &Span{From: d.time(zoneName), To: d.time(zoneName)}
}

func (d *decoder) time(zoneName string) time.Time {
	if d.bool() {
		return time.Time{}
	}
	utc := d.bool()
	at := time.UnixMicro(d.int()).UTC()
	if z, err := loadZone(zoneName); err == nil && !utc {
		at = at.In(z.loc)
	}
	return at
}

func (d *decoder) column() ResultColumn {
	c := ResultColumn{Name: d.text(), Type: Type(d.text()), Scale: uint8(d.uint()), Dimension: d.bool(), Grain: d.text(), Nulls: d.bools()}
	if set, n := d.bool(), d.count(); set && n <= len(d.buf) {
		c.Ints = make([]int64, n)
		var before int64
		for i := range c.Ints {
			before += d.int()
			c.Ints[i] = before
		}
	}
	if set, n := d.bool(), d.count(); set && n <= len(d.buf)/8 {
		c.Floats = make([]float64, n)
		for i := range c.Floats {
			c.Floats[i] = d.float()
		}
	}
	c.Texts, c.Exact = d.texts(), d.texts()
	return c
}
