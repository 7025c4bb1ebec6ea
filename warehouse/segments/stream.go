package segments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// How large segments of one load become. The target grows with the number of
// segments, so that no load makes more than some tens of them.
const (
	segmentRows  = 4 << 20
	segmentBytes = 512 << 20 // before encoding; the files are about a third
	growAfter    = 8         // segments of one size
)

// Stream asks to write rows as segments.
type Stream struct {
	Layout Layout
	// Source gives the rows in the order they are to be stored; io.EOF ends.
	Source func() (*Block, error)
	// Free takes blocks back once their rows are written; may be nil. It is
	// called from any goroutine.
	Free   func(*Block)
	Dir    string
	Prefix string
	// Sample asks for sample files beside the segments.
	Sample bool
	// Written is called with the rows written so far; may be nil.
	Written func(rows int64)
}

// WriteStream writes rows as Prefix-0001.parquet, Prefix-0002.parquet and so
// on, with Prefix-0001.sample.parquet beside each where samples are asked for.
// Nothing stays after an error.
//
// Errors: ingest.disk_full, those of Source.
func (w *Writer) WriteStream(ctx context.Context, s Stream) (files []File, err error) {
	defer func() {
		if err != nil {
			for _, f := range files {
				os.Remove(f.Path)
				if f.Sample != "" {
					os.Remove(f.Sample)
				}
			}
			files = nil
		}
	}()
	// One block is read ahead, to know whether there is another segment.
	next, err := s.Source()
	rows := int64(0)
	rng := rand.New(rand.NewPCG(uint64(len(s.Layout.Columns)), 0x5eed))
	widest := 0
	for n := 1; err == nil; n++ {
		limit := int64(segmentRows) << ((n - 1) / growAfter)
		limitBytes := int64(segmentBytes) << ((n - 1) / growAfter)
		var segRows, segBytes int64
		widest = max(widest, rowWidth(next))
		widths := widest // what the row groups of this segment are made for
		var ended error
		source := func() (*Block, error) {
			if ended != nil {
				return nil, ended
			}
			if segRows >= limit || segBytes >= limitBytes || rowWidth(next) > widths*4 {
				return nil, io.EOF
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b := next
			segRows += int64(b.Rows)
			segBytes += int64(b.Size())
			if next, ended = s.Source(); ended != nil {
				next = nil
			}
			rows += int64(b.Rows)
			if s.Written != nil {
				s.Written(rows)
			}
			return b, nil
		}
		file, writeErr := w.writeSegment(ctx, s, source, rng, groupRows(widths), filepath.Join(s.Dir, fmt.Sprintf("%s-%04d", s.Prefix, n)))
		if writeErr != nil {
			return files, writeErr
		}
		if file.Rows > 0 {
			files = append(files, file)
		}
		err = ended
	}
	if !errors.Is(err, io.EOF) {
		return files, err
	}
	return files, nil
}

// groupBytes bounds what the encoder holds of a row group.
const groupBytes = 24 << 20

// rowWidth is about how many bytes a row of a block takes in the encoder.
func rowWidth(b *Block) int {
	if b == nil || b.Rows == 0 {
		return 0
	}
	return b.Size()/b.Rows + 8*len(b.Columns)
}

// groupRows is the size of row groups for rows of a width: the usual one,
// unless so many rows would not fit into memory.
func groupRows(width int) int {
	return max(8, min(RowGroupRows, groupBytes/max(width, 1)))
}

// writeSegment writes one segment and its sample.
func (w *Writer) writeSegment(ctx context.Context, s Stream, source func() (*Block, error), rng *rand.Rand, group int, base string) (File, error) {
	if !s.Sample {
		return w.copyBlocks(ctx, newBlockReader(s.Layout.Columns, source, s.Free), base+".parquet", group)
	}
	drawn := make(chan *Block, 4)
	type outcome struct {
		file File
		err  error
	}
	done := make(chan outcome, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		file, err := w.copyBlocks(ctx, newBlockReader(s.Layout.Columns, func() (*Block, error) {
			if b, open := <-drawn; open {
				return b, nil
			}
			return nil, io.EOF
		}, nil), base+".sample.parquet", group)
		for range drawn { // after a failure, let the segment be written on
		}
		done <- outcome{file, err}
	}()
	sampler := sampler{columns: s.Layout.Columns, rng: rng, out: drawn}
	file, err := w.copyBlocks(ctx, newBlockReader(s.Layout.Columns, func() (*Block, error) {
		b, err := source()
		if err == nil {
			sampler.draw(b)
		}
		return b, err
	}, s.Free), base+".parquet", group)
	sampler.flush()
	close(drawn)
	sample := <-done
	if err == nil {
		err = sample.err
	}
	if err != nil {
		os.Remove(base + ".parquet")
		os.Remove(base + ".sample.parquet")
		return File{}, err
	}
	file.Sample, file.SampleRows, file.SampleBytes = sample.file.Path, sample.file.Rows, sample.file.Bytes
	return file, nil
}

// sampler draws each row with a chance of 1 in SampleRate, independently of
// all others.
type sampler struct {
	columns []Column
	rng     *rand.Rand
	out     chan<- *Block
	pending []*Block
	rows    int
}

func (s *sampler) draw(b *Block) {
	var refs []ref
	for r := range b.Rows {
		if s.rng.Uint64N(SampleRate) == 0 {
			refs = append(refs, ref{row: int32(r)})
		}
	}
	if len(refs) == 0 {
		return
	}
	drawn := newBlock(s.columns)
	gather(s.columns, drawn, refs, func(int32) *Block { return b })
	s.pending = append(s.pending, drawn)
	if s.rows += drawn.Rows; s.rows >= mergedRows {
		s.flush()
	}
}

// flush hands on what was drawn, as one block.
func (s *sampler) flush() {
	if len(s.pending) == 0 {
		return
	}
	var refs []ref
	for i, b := range s.pending {
		for r := range b.Rows {
			refs = append(refs, ref{block: int32(i), row: int32(r)})
		}
	}
	pending := s.pending
	joined := newBlock(s.columns)
	gather(s.columns, joined, refs, func(i int32) *Block { return pending[i] })
	s.out <- joined
	s.pending, s.rows = nil, 0
}
