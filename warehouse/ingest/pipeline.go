package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// inFlight bounds how many batches are between being read and being consumed.
const inFlight = 6

// workers is how many batches are worked on at once.
func workers() int { return max(1, min(4, runtime.GOMAXPROCS(0))) }

// meter is what progress is reported from.
type meter struct {
	phase    atomic.Pointer[string]
	rows     atomic.Int64
	rejected atomic.Int64
	written  atomic.Int64
	source   atomic.Pointer[records.Source]
}

func (m *meter) enter(phase string) { m.phase.Store(&phase) }

func (m *meter) progress() Progress {
	p := Progress{Rows: m.rows.Load(), Rejected: m.rejected.Load(), Written: m.written.Load()}
	if phase := m.phase.Load(); phase != nil {
		p.Phase = *phase
	}
	if source := m.source.Load(); source != nil {
		p.BytesRead, p.BytesTotal = (*source).Progress()
	}
	return p
}

// forEach calls work for every batch of a source, in parallel; each worker has
// its own index.
func forEach(ctx context.Context, source records.Source, work func(worker int, b *records.Batch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for w := range workers() {
		group.Go(func() {
			for {
				b, err := source.Next(ctx)
				if errors.Is(err, io.EOF) {
					return
				}
				if err == nil {
					err = work(w, b)
					b.Release()
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// parsed is one batch with its values.
type parsed struct {
	seq     int64
	records int
	block   *segments.Block // of the rows to load
	rejects []reject
	numbers []int64 // record numbers of the rows, and their lines; only where keys are collected
	lines   []int64
}

// parser turns a source into blocks and rejects.
type parser struct {
	source  records.Source
	columns []*column
	layout  []segments.Column
	repeats []repeat // records to reject for their key, in order
	keys    bool     // whether some column is part of the key
	numbers bool     // whether parsed.numbers is wanted
	meter   *meter
	blocks  sync.Pool
}

func newParser(source records.Source, columns []*column, m *meter) *parser {
	p := &parser{source: source, columns: columns, meter: m}
	for _, c := range columns {
		p.layout = append(p.layout, c.Column)
		p.keys = p.keys || c.isKey
	}
	p.blocks.New = func() any { return &segments.Block{Columns: make([]segments.Values, len(columns))} }
	return p
}

func (p *parser) alloc() *segments.Block { return p.blocks.Get().(*segments.Block) }
func (p *parser) free(b *segments.Block) { p.blocks.Put(b) }

// run parses all batches and calls consume for each, in the order of the file.
func (p *parser) run(ctx context.Context, consume func(*parsed) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex
		waiting = map[int64]*parsed{}
		next    int64
		tokens  = make(chan struct{}, inFlight)
	)
	// deliver hands over what is next in order; whoever comes with the missing
	// batch does it for all that waited.
	deliver := func(out *parsed) error {
		mu.Lock()
		defer mu.Unlock()
		waiting[out.seq] = out
		for {
			out := waiting[next]
			if out == nil {
				return nil
			}
			delete(waiting, next)
			next++
			if err := consume(out); err != nil {
				return err
			}
			p.meter.rows.Add(int64(out.records))
			p.meter.rejected.Add(int64(len(out.rejects)))
			<-tokens
		}
	}
	var group sync.WaitGroup
	for range workers() {
		group.Go(func() {
			work := batchParse{}
			for {
				select {
				case tokens <- struct{}{}:
				case <-ctx.Done():
					return
				}
				b, err := p.source.Next(ctx)
				if errors.Is(err, io.EOF) {
					<-tokens
					return
				}
				if err == nil {
					out := p.batch(&work, b)
					b.Release()
					err = deliver(out)
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// batch parses one batch.
func (p *parser) batch(work *batchParse, b *records.Batch) *parsed {
	out := &parsed{seq: b.Seq, records: b.Records, block: p.alloc()}
	work.batch, work.block, work.failed, work.bad = b, out.block, work.failed[:0], nil
	out.block.Rows = b.Records
	for _, problem := range b.Problems {
		if work.bad == nil {
			work.bad = make([]bool, b.Records)
		}
		work.bad[problem.Index] = true
		work.failed = append(work.failed, failure{record: problem.Index, field: problem.Field, reason: problem.Reason, value: problem.Value})
	}
	for i, c := range p.columns {
		work.parse(c, &out.block.Columns[i])
	}
	if p.keys {
		p.checkKeys(work)
	}
	if p.numbers {
		for r := range b.Records {
			if work.bad == nil || !work.bad[r] {
				out.numbers = append(out.numbers, b.FirstRecord+int64(r))
				out.lines = append(out.lines, b.Lines[r])
			}
		}
	}
	if work.bad != nil {
		out.rejects = rejectsOf(work, b)
		kept := make([]bool, b.Records)
		for r := range kept {
			kept[r] = !work.bad[r]
		}
		out.block.Keep(p.layout, kept)
	}
	return out
}

// checkKeys rejects rows with an empty key and those known to repeat one.
func (p *parser) checkKeys(work *batchParse) {
	b := work.batch
	for i, c := range p.columns {
		nulls := work.block.Columns[i].Nulls
		if !c.isKey || nulls == nil {
			continue
		}
		for r, null := range nulls {
			if null && (work.bad == nil || !work.bad[r]) {
				work.fail(c, r, EmptyKey, nil)
			}
		}
	}
	last := b.FirstRecord + int64(b.Records)
	at := sort.Search(len(p.repeats), func(i int) bool { return p.repeats[i].record >= b.FirstRecord })
	for ; at < len(p.repeats) && p.repeats[at].record < last; at++ {
		r := int(p.repeats[at].record - b.FirstRecord)
		for _, c := range p.columns {
			if c.isKey {
				work.fail(c, r, RepeatsKey, trimSpace(b.Cell(r, c.Position, &work.scratch)))
				work.failed[len(work.failed)-1].kept = p.repeats[at]
				break
			}
		}
	}
}

// rejectsOf collects the failures of a batch by record.
func rejectsOf(work *batchParse, b *records.Batch) []reject {
	sort.SliceStable(work.failed, func(i, j int) bool { return work.failed[i].record < work.failed[j].record })
	var rejects []reject
	for i := 0; i < len(work.failed); {
		r := work.failed[i].record
		one := reject{record: b.FirstRecord + int64(r), line: b.Lines[r]}
		for ; i < len(work.failed) && work.failed[i].record == r; i++ {
			one.failures = append(one.failures, work.failed[i])
		}
		raw := b.RawRecord(r)
		switch first := one.failures[0]; {
		case raw != nil:
			one.raw = string(raw)
		case first.column == nil: // its cells are empty
			one.raw = first.value
		default:
			one.raw = joined(b, r)
		}
		rejects = append(rejects, one)
	}
	return rejects
}

// joined is a record as CSV, where the source has no text of its own.
func joined(b *records.Batch, r int) string {
	var text strings.Builder
	for f := range b.Fields {
		if f > 0 {
			text.WriteByte(',')
		}
		var scratch []byte
		cell := string(b.Cell(r, f, &scratch))
		if strings.ContainsAny(cell, "\",\r\n") {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		text.WriteString(cell)
	}
	return text.String()
}

// findRepeats reads the whole source once to find the records that repeat the
// key of another that can be loaded.
func findRepeats(ctx context.Context, source records.Source, columns []*column, dir, keep string, m *meter) ([]repeat, error) {
	index := newKeyIndex(dir)
	defer index.close()
	p := newParser(source, columns, m)
	p.numbers = true
	err := p.run(ctx, func(out *parsed) error {
		for row, record := range out.numbers {
			if err := index.add(record, out.lines[row], out.block, columns, row); err != nil {
				return err
			}
		}
		p.free(out.block)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for repeated keys: %w", err)
	}
	return index.repeats(keep == "last")
}
