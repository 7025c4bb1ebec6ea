package warehouse

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"sync"
)

// queryKey is the digest of everything that a plan is made from. Two queries
// with equal keys have equal plans, so a plan is made once and found again in
// about a microsecond.
type queryKey [sha256.Size]byte

type keyWriter struct{ buf []byte }

var keyBuffers = sync.Pool{New: func() any { return &keyWriter{buf: make([]byte, 0, 4096)} }}

func keyOf(q *Query) queryKey {
	w := keyBuffers.Get().(*keyWriter)
	w.buf = w.buf[:0]
	w.spec(&q.Spec)
	w.int(q.Now.UnixMicro())
	w.bool(q.Exact)
	w.dataset(q.Dataset, true)
	key := sha256.Sum256(w.buf)
	keyBuffers.Put(w)
	return key
}

func (w *keyWriter) int(n int64) { w.buf = binary.AppendVarint(w.buf, n) }
func (w *keyWriter) float(f float64) {
	w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(f))
}

// text is preceded by its length, so that neighbours cannot be confused.
func (w *keyWriter) text(s string) {
	w.int(int64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *keyWriter) bytes(b []byte) {
	if b == nil {
		w.int(-1)
		return
	}
	w.int(int64(len(b)))
	w.buf = append(w.buf, b...)
}

func (w *keyWriter) bool(b bool) {
	if b {
		w.buf = append(w.buf, 1)
	} else {
		w.buf = append(w.buf, 0)
	}
}

func (w *keyWriter) spec(s *Spec) {
	w.texts(s.Fields)
	w.text(s.Timezone)
	w.int(int64(len(s.Measures)))
	for i := range s.Measures {
		w.measure(&s.Measures[i])
	}
	w.int(int64(len(s.Dimensions)))
	for i := range s.Dimensions {
		d := &s.Dimensions[i]
		w.text(d.Column)
		w.text(d.Grain)
		w.float(d.Bin)
		w.grouping(d.Groups, d.Other, d.Bins)
		w.text(d.As)
	}
	w.int(int64(len(s.Columns)))
	for _, c := range s.Columns {
		w.text(c)
	}
	w.filters(s.Filters)
	w.int(int64(len(s.Order)))
	for _, o := range s.Order {
		w.text(o.By)
		w.bool(o.Desc)
	}
	w.int(int64(s.Limit))
	w.int(int64(s.Offset))
	w.bool(s.Other)
	w.bool(s.Comparison != nil)
	if c := s.Comparison; c != nil {
		w.text(c.Period)
		w.text(c.Column)
		w.int(int64(c.N))
		w.text(c.Unit)
	}
}

func (w *keyWriter) texts(m map[string]string) {
	w.int(int64(len(m)))
	if len(m) == 0 {
		return
	}
	for _, name := range sortedNames(m) {
		w.text(name)
		w.text(m[name])
	}
}

func (w *keyWriter) grouping(groups map[string][]json.RawMessage, other string, bins []json.Number) {
	w.int(int64(len(groups)))
	if len(groups) > 0 {
		for _, name := range sortedNames(groups) {
			w.text(name)
			w.int(int64(len(groups[name])))
			for _, v := range groups[name] {
				w.bytes(v)
			}
		}
	}
	w.text(other)
	w.int(int64(len(bins)))
	for _, edge := range bins {
		w.text(edge.String())
	}
}

func (w *keyWriter) measure(m *Measure) {
	w.text(m.Fn)
	w.text(m.Column)
	w.float(m.Percentile)
	for _, part := range []*Measure{m.Numerator, m.Denominator} {
		w.bool(part != nil)
		if part != nil {
			w.measure(part)
		}
	}
	w.text(m.Measure)
	w.filters(m.Filters)
	w.text(m.Show)
	w.text(m.As)
}

func (w *keyWriter) filters(filters []Filter) {
	w.int(int64(len(filters)))
	for i := range filters {
		f := &filters[i]
		w.text(f.Column)
		w.text(f.Measure)
		w.text(f.Op)
		w.bool(f.Values != nil)
		w.int(int64(len(f.Values)))
		for _, v := range f.Values {
			w.bytes(v)
		}
		w.bytes(f.From)
		w.bytes(f.To)
		w.int(int64(f.N))
		w.text(f.Unit)
		w.text(f.Grain)
		w.float(f.Bin)
		w.grouping(f.Groups, f.Other, f.Bins)
	}
}

// dataset writes the identity and the schema. Segments are told by the version.
func (w *keyWriter) dataset(ds *Dataset, top bool) {
	w.text(ds.TenantID)
	w.text(ds.ID)
	w.text(ds.Name)
	w.int(ds.Version)
	w.int(int64(ds.TimeColumn))
	w.bool(ds.RelativeToNewest)
	w.int(int64(len(ds.Columns)))
	for i := range ds.Columns {
		c := &ds.Columns[i]
		w.int(int64(c.ID))
		w.text(c.Name)
		w.text(string(c.Type))
		w.buf = append(w.buf, c.Precision, c.Scale)
	}
	w.texts(ds.Fields)
	w.text(ds.Policy.Key())
	if !top {
		return
	}
	w.int(int64(len(ds.Lookups)))
	for _, name := range lookupNames(ds) {
		l := ds.Lookups[name]
		w.text(name)
		w.int(int64(l.Column))
		w.int(int64(l.Key))
		w.bool(l.Target != nil)
		if l.Target != nil {
			w.dataset(l.Target, false)
		}
	}
	w.int(int64(len(ds.Measures)))
	if len(ds.Measures) == 0 {
		return
	}
	for _, name := range sortedNames(ds.Measures) {
		m := ds.Measures[name]
		w.text(name)
		w.measure(&m)
	}
}
