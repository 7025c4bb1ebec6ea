package segments

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Sorter sorts blocks by the time column of a layout, with bounded memory:
// what exceeds its budget is sorted in parts, spilled and merged. Rows with
// equal times keep their order; nulls come last.
//
// Rows are sorted as rows: moving one is one copy of about a hundred bytes,
// where moving it column by column would miss the cache in every column.
type Sorter struct {
	codec  rowCodec
	dir    string
	budget int
	free   func(*Block)

	rows []byte   // encoded, one after the other
	refs []rowRef // where they are

	spilling chan error // the outcome of the spill under way; nil for none
	spare    []byte     // the buffer that the last spill is done with
	files    []*os.File
}

// rowRef is an encoded row and its key.
type rowRef struct {
	key    int64
	at     uint32
	length uint32
}

// NewSorter starts a sorter that spills into dir beyond about budget bytes.
// free takes blocks back; it may be nil.
func NewSorter(layout Layout, dir string, budget int, free func(*Block)) (*Sorter, error) {
	s := &Sorter{codec: rowCodec{columns: layout.Columns, key: -1}, dir: dir, budget: min(budget, 1<<31), free: free}
	for i, c := range layout.Columns {
		s.codec.kinds = append(s.codec.kinds, physicalOf(c))
		if c.ID == layout.TimeColumn {
			s.codec.key = i
		}
	}
	if s.codec.key < 0 {
		return nil, fmt.Errorf("time column %d is not among the columns", layout.TimeColumn)
	}
	return s, nil
}

// Add takes the next block.
func (s *Sorter) Add(b *Block) error {
	key := &b.Columns[s.codec.key]
	for r := range b.Rows {
		at := len(s.rows)
		s.rows = s.codec.encode(s.rows, b, r)
		s.refs = append(s.refs, rowRef{key.SortKey(r), uint32(at), uint32(len(s.rows) - at)})
		if len(s.rows)+len(s.refs)*16 >= s.budget/2 {
			if err := s.startSpill(); err != nil {
				return err
			}
		}
	}
	if s.free != nil {
		s.free(b)
	}
	return nil
}

// startSpill has what was collected sorted and written in the background, while
// the other half of the budget fills up.
func (s *Sorter) startSpill() error {
	if err := s.settle(); err != nil {
		return err
	}
	file, err := os.CreateTemp(s.dir, "sort-")
	if err != nil {
		return classify(fmt.Errorf("spill file: %w", err))
	}
	// The name goes at once: whatever happens, no file stays.
	os.Remove(file.Name())
	s.files = append(s.files, file)
	rows, refs := s.rows, s.refs
	s.rows, s.refs = s.spare[:0], make([]rowRef, 0, len(refs))
	s.spare = rows
	done := make(chan error, 1)
	s.spilling = done
	go func() { done <- spill(file, rows, refs) }()
	return nil
}

func (s *Sorter) settle() error {
	if s.spilling == nil {
		return nil
	}
	err := <-s.spilling
	s.spilling = nil
	return err
}

// Close removes what was spilled.
func (s *Sorter) Close() {
	// An error of the last spill was seen by Merge, or nobody wants its rows.
	_ = s.settle()
	for _, f := range s.files {
		f.Close()
	}
	s.files = nil
}

// SortKey is what row r is sorted by where the values are those of the time
// column; nulls come last.
func (v *Values) SortKey(r int) int64 {
	switch {
	case v.Nulls != nil && v.Nulls[r]:
		return math.MaxInt64
	case v.Int32 != nil:
		return int64(v.Int32[r])
	}
	return v.Int64[r]
}

// sorted answers refs in the order of their keys, equal ones as they were.
func sorted(refs []rowRef) []rowRef {
	for i := 1; i < len(refs); i++ {
		if refs[i].key < refs[i-1].key {
			return radixSort(refs)
		}
	}
	return refs
}

// radixSort sorts stably by key, eight bits a pass; passes in which all keys
// agree are left out.
func radixSort(refs []rowRef) []rowRef {
	var counts [8][256]int
	for i := range refs {
		key := uint64(refs[i].key) ^ 1<<63
		for p := range counts {
			counts[p][byte(key>>(8*p))]++
		}
	}
	from, to := refs, make([]rowRef, len(refs))
	for p := range counts {
		at, skip := 0, false
		for v, c := range counts[p] {
			skip = skip || c == len(refs)
			counts[p][v] = at
			at += c
		}
		if skip {
			continue
		}
		for i := range from {
			b := byte((uint64(from[i].key) ^ 1<<63) >> (8 * p))
			to[counts[p][b]] = from[i]
			counts[p][b]++
		}
		from, to = to, from
	}
	return from
}

// spill writes rows in the order of their keys: key, length, row.
func spill(file *os.File, rows []byte, refs []rowRef) error {
	out := bufio.NewWriterSize(file, 1<<20)
	var head [12]byte
	for _, r := range sorted(refs) {
		binary.LittleEndian.PutUint64(head[:], uint64(r.key))
		binary.LittleEndian.PutUint32(head[8:], r.length)
		if _, err := out.Write(head[:]); err != nil {
			return classify(fmt.Errorf("spill: %w", err))
		}
		if _, err := out.Write(rows[r.at : r.at+r.length]); err != nil {
			return classify(fmt.Errorf("spill: %w", err))
		}
	}
	if err := out.Flush(); err != nil {
		return classify(fmt.Errorf("spill: %w", err))
	}
	return nil
}

// part is one sorted part while it is merged, at its current row.
type part struct {
	index int // parts of equal keys come in the order they were added
	key   int64
	row   []byte

	in   *bufio.Reader // a spilled part
	refs []rowRef      // the part in memory
	rows []byte
}

// next moves on to the next row; io.EOF after the last. The row is valid until
// the next call.
func (p *part) next() error {
	if p.in == nil {
		if len(p.refs) == 0 {
			return io.EOF
		}
		r := p.refs[0]
		p.refs = p.refs[1:]
		p.key, p.row = r.key, p.rows[r.at:r.at+r.length]
		return nil
	}
	if _, err := p.in.Discard(len(p.row)); err != nil {
		return fmt.Errorf("read spilled rows: %w", err)
	}
	p.row = nil
	head, err := p.in.Peek(12)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) == 0 {
			return io.EOF
		}
		return fmt.Errorf("read spilled rows: %w", err)
	}
	p.key = int64(binary.LittleEndian.Uint64(head))
	length := int(binary.LittleEndian.Uint32(head[8:]))
	if _, err := p.in.Discard(12); err != nil {
		return fmt.Errorf("read spilled rows: %w", err)
	}
	if length > p.in.Size() {
		// A row larger than the window is read into memory of its own.
		row := make([]byte, length)
		if _, err := io.ReadFull(p.in, row); err != nil {
			return fmt.Errorf("read spilled rows: %w", err)
		}
		p.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(row), p.in), length)
	}
	if p.row, err = p.in.Peek(length); err != nil {
		return fmt.Errorf("read spilled rows: %w", err)
	}
	return nil
}

// parts is a heap of parts by their current key.
type parts []*part

func (p parts) Len() int { return len(p) }
func (p parts) Less(i, j int) bool {
	return p[i].key < p[j].key || p[i].key == p[j].key && p[i].index < p[j].index
}
func (p parts) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *parts) Push(x any)   { *p = append(*p, x.(*part)) }
func (p *parts) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}

// A block of sorted rows is as large as either of these.
const (
	mergedRows  = 4096
	mergedBytes = 4 << 20
)

// Merge answers a source of the sorted rows, in blocks made by alloc; io.EOF
// ends it. No block can be added any more.
func (s *Sorter) Merge(alloc func() *Block) (func() (*Block, error), error) {
	if err := s.settle(); err != nil {
		return nil, err
	}
	s.spare = nil
	all := []*part{{index: len(s.files), refs: sorted(s.refs), rows: s.rows}}
	window := max(16<<10, min(256<<10, (48<<20)/(len(s.files)+1)))
	for i, f := range s.files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read spilled rows: %w", err)
		}
		all = append(all, &part{index: i, in: bufio.NewReaderSize(f, window)})
	}
	var merging parts
	for _, p := range all {
		switch err := p.next(); {
		case err == nil:
			merging = append(merging, p)
		case !errors.Is(err, io.EOF):
			return nil, err
		}
	}
	heap.Init(&merging)
	return func() (*Block, error) {
		if len(merging) == 0 {
			return nil, io.EOF
		}
		b := alloc()
		out := s.codec.decoder(b, mergedRows)
		for size := 0; len(merging) > 0 && out.rows < mergedRows && size < mergedBytes; {
			p := merging[0]
			out.add(p.row, p.key)
			size += len(p.row)
			switch err := p.next(); {
			case err == nil && len(merging) > 1:
				heap.Fix(&merging, 0)
			case err == nil:
			case errors.Is(err, io.EOF):
				heap.Pop(&merging)
			default:
				return nil, err
			}
		}
		out.finish()
		return b, nil
	}, nil
}
