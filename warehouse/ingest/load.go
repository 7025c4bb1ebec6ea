package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

const (
	// sortMemory bounds what the sorter holds before it spills.
	sortMemory = 96 << 20
	// sampleFrom is the default of LoadRequest.SampleFrom.
	sampleFrom = 1_000_000
	// progressEvery is how often progress is reported.
	progressEvery = 250 * time.Millisecond
)

// Load loads a file into segments. What was written is removed on an error.
//
// Errors: files.*, ingest.*, segments.out_of_memory.
func (r *Reader) Load(ctx context.Context, request LoadRequest, progress func(Progress)) (*Loaded, error) {
	m := &meter{}
	defer report(m, progress)()
	l := &loader{reader: r, request: request, meter: m}
	loaded, err := l.load(ctx)
	if errors.Is(err, errNotSorted) {
		l.request.Sorted = false
		loaded, err = l.load(ctx)
	}
	return loaded, err
}

// report calls progress a few times a second until the answer is called.
func report(m *meter, progress func(Progress)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				progress(m.progress())
			case <-done:
				progress(m.progress())
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// errNotSorted tells that a file was said to be sorted by its time and is not.
var errNotSorted = errors.New("the file is not sorted")

type loader struct {
	reader  *Reader
	request LoadRequest
	meter   *meter
	temp    string
	columns []*column
	layout  segments.Layout
	rejects *rejectsFile
	records int64
}

func (l *loader) load(ctx context.Context) (loaded *Loaded, err error) {
	if l.request.Prefix == "" {
		l.request.Prefix = "segment"
	}
	if l.temp, err = os.MkdirTemp(l.request.Dir, "tmp-"); err != nil {
		return nil, diskError(fmt.Errorf("temporary directory: %w", err))
	}
	defer os.RemoveAll(l.temp)
	l.meter.rows.Store(0)
	l.meter.rejected.Store(0)
	l.meter.written.Store(0)
	l.records = 0
	source, err := l.openSource(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { source.Close() }()
	if err := l.prepare(source); err != nil {
		return nil, err
	}
	p := newParser(source, l.columns, l.meter)
	if p.keys {
		l.meter.enter("checking")
		if p.repeats, err = findRepeats(ctx, source, l.columns, l.temp, l.request.Duplicates, l.meter); err != nil {
			return nil, err
		}
		source.Close()
		if source, err = l.openSource(ctx); err != nil {
			return nil, err
		}
		p.source = source
		l.meter.rows.Store(0)
		l.meter.rejected.Store(0)
	}
	l.rejects = newRejects(filepath.Join(l.request.Dir, l.request.Prefix+".rejects.csv"), source.Format())
	defer func() {
		if err != nil {
			l.rejects.discard()
		}
	}()
	files, err := l.write(ctx, p)
	if err != nil {
		return nil, err
	}
	return l.answer(files)
}

func (l *loader) openSource(ctx context.Context) (records.Source, error) {
	limits := l.request.Limits
	limits.TempDir = l.temp
	source, err := l.reader.open(ctx, l.request.Path, pinned(l.request.Options, l.request.Format), limits)
	if err != nil {
		return nil, err
	}
	l.meter.source.Store(&source)
	return source, nil
}

// pinned makes options that read a file exactly as an earlier reading found it.
func pinned(o records.Options, f records.Format) records.Options {
	if f.Kind == "" {
		return o
	}
	o.Kind, o.Sheet = f.Kind, f.Sheet
	if f.Kind == "csv" {
		o.Encoding, o.Delimiter, o.Quote, o.Escape = f.Encoding, f.Delimiter, f.Quote, f.Escape
	}
	if f.Kind == "csv" || f.Kind == "xlsx" {
		header := f.Header
		o.Header = &header
	}
	return o
}

// prepare checks the columns of the request against those of the file.
func (l *loader) prepare(source records.Source) error {
	fields := source.Fields()
	if len(l.request.Columns) == 0 {
		return ErrNoColumns
	}
	keys := map[int32]bool{}
	for _, id := range l.request.Key {
		keys[id] = true
	}
	l.columns, l.layout = nil, segments.Layout{TimeColumn: l.request.TimeColumn}
	for _, c := range l.request.Columns {
		if c.Position < 0 || c.Position >= len(fields) || fields[c.Position].Source != c.Source {
			return ErrFileChanged
		}
		column := newColumn(c)
		column.isKey = keys[c.Column.ID]
		delete(keys, c.Column.ID)
		l.columns = append(l.columns, column)
		l.layout.Columns = append(l.layout.Columns, c.Column)
	}
	if len(keys) > 0 {
		return ErrUnknownColumn.With("A column of the key is not loaded.")
	}
	return nil
}

// write parses the file and writes its rows.
func (l *loader) write(ctx context.Context, p *parser) ([]segments.File, error) {
	from := l.request.SampleFrom
	if from == 0 {
		from = sampleFrom
	}
	stream := segments.Stream{
		Layout: l.layout, Free: p.free, Dir: l.request.Dir, Prefix: l.request.Prefix,
		Written: l.meter.written.Store,
		Sample:  from >= 0 && (l.request.Records == 0 || l.request.Records >= from),
	}
	var files []segments.File
	var err error
	if l.layout.TimeColumn == 0 || l.request.Sorted {
		files, err = l.writeInOrder(ctx, p, stream)
	} else {
		files, err = l.writeSorted(ctx, p, stream)
	}
	if err != nil || !stream.Sample {
		return files, err
	}
	rows := int64(0)
	for _, f := range files {
		rows += f.Rows
	}
	if rows < from {
		for i := range files {
			if err := os.Remove(files[i].Sample); err != nil {
				return nil, fmt.Errorf("remove sample: %w", err)
			}
			files[i].Sample, files[i].SampleRows, files[i].SampleBytes = "", 0, 0
		}
	}
	return files, nil
}

// consume takes the rejects of a batch.
func (l *loader) consume(out *parsed) error {
	l.records += int64(out.records)
	for i := range out.rejects {
		if err := l.rejects.add(&out.rejects[i]); err != nil {
			return err
		}
	}
	return nil
}

// writeInOrder writes rows as they come, while the file is read.
func (l *loader) writeInOrder(ctx context.Context, p *parser, stream segments.Stream) ([]segments.File, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.meter.enter("loading")
	blocks := make(chan *segments.Block, 4)
	order := orderCheck{last: math.MinInt64, column: -1}
	for i, c := range l.layout.Columns {
		if c.ID == l.layout.TimeColumn {
			order.column = i
		}
	}
	go func() {
		defer close(blocks)
		err := p.run(ctx, func(out *parsed) error {
			if err := l.consume(out); err != nil {
				return err
			}
			if !order.holds(out.block) {
				return errNotSorted
			}
			select {
			case blocks <- out.block:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		if err != nil {
			cancel(err)
		}
	}()
	stream.Source = func() (*segments.Block, error) {
		b, open := <-blocks
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if !open {
			return nil, io.EOF
		}
		return b, nil
	}
	files, err := l.reader.Writer.WriteStream(ctx, stream)
	if err != nil {
		cancel(err)
		err = context.Cause(ctx)
	}
	for range blocks { // the reader has to end before its source is closed
	}
	return files, err
}

// orderCheck makes sure that a file is sorted as it was said to be.
type orderCheck struct {
	column int
	last   int64
}

func (o *orderCheck) holds(b *segments.Block) bool {
	if o.column < 0 {
		return true
	}
	for r := range b.Rows {
		key := b.Columns[o.column].SortKey(r)
		if key < o.last {
			return false
		}
		o.last = key
	}
	return true
}

// writeSorted collects all rows, sorts them by time and writes them.
func (l *loader) writeSorted(ctx context.Context, p *parser, stream segments.Stream) ([]segments.File, error) {
	l.meter.enter("loading")
	sorter, err := segments.NewSorter(l.layout, l.temp, sortMemory, p.free)
	if err != nil {
		return nil, err
	}
	defer sorter.Close()
	err = p.run(ctx, func(out *parsed) error {
		if err := l.consume(out); err != nil {
			return err
		}
		if out.block.Rows == 0 {
			p.free(out.block)
			return nil
		}
		return sorter.Add(out.block)
	})
	if err != nil {
		return nil, err
	}
	l.meter.enter("writing")
	merged, err := sorter.Merge(p.alloc)
	if err != nil {
		return nil, err
	}
	source, stop := ahead(merged)
	defer stop()
	stream.Source = source
	return l.reader.Writer.WriteStream(ctx, stream)
}

// ahead lets a source work while what it gave is being written.
func ahead(source func() (*segments.Block, error)) (next func() (*segments.Block, error), stop func()) {
	type step struct {
		block *segments.Block
		err   error
	}
	steps, done := make(chan step, 4), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			b, err := source()
			select {
			case steps <- step{b, err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	next = func() (*segments.Block, error) {
		s := <-steps
		return s.block, s.err
	}
	return next, func() {
		close(done)
		<-ended
	}
}

func (l *loader) answer(files []segments.File) (*Loaded, error) {
	loaded := &Loaded{Records: l.records, Segments: files}
	for _, f := range files {
		loaded.RowsLoaded += f.Rows
	}
	loaded.RowsRejected = l.rejects.count
	var err error
	loaded.RejectsFile, loaded.RejectsBytes, err = l.rejects.finish()
	if err == nil && loaded.RowsLoaded+loaded.RowsRejected != loaded.Records {
		err = fmt.Errorf("%d rows were loaded and %d rejected of %d records", loaded.RowsLoaded, loaded.RowsRejected, loaded.Records)
	}
	if err != nil {
		for _, f := range files {
			os.Remove(f.Path)
			os.Remove(f.Sample)
		}
		return nil, err
	}
	loaded.Rejects = l.rejects.list()
	return loaded, nil
}
