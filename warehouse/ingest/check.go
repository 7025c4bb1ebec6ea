package ingest

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// check finds out which records would be rejected, and why, where any could be.
func (i *inspector) check(ctx context.Context) error {
	r := i.result
	r.WillLoad = r.Records
	columns, err := i.checked()
	if err != nil || i.problem == 0 && len(columns) == 0 || r.Records == 0 || i.request.Unseen {
		return err
	}
	i.meter.enter("checking")
	i.meter.rows.Store(0)
	var repeats []repeat
	if len(i.request.Key) > 0 {
		if err := i.reopen(ctx); err != nil {
			return err
		}
		if repeats, err = findRepeats(ctx, i.source, columns, i.temp, i.request.Duplicates, i.meter); err != nil {
			return err
		}
		i.meter.rows.Store(0)
		i.meter.rejected.Store(0)
	}
	if err := i.reopen(ctx); err != nil {
		return err
	}
	rejects := newRejects(filepath.Join(i.request.Dir, "rejects.csv"), r.Format)
	p := newParser(i.source, columns, i.meter)
	p.repeats = repeats
	err = p.run(ctx, func(out *parsed) error {
		p.free(out.block)
		for n := range out.rejects {
			if err := rejects.add(&out.rejects[n]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.RejectsFile, _, err = rejects.finish()
	}
	if err != nil {
		rejects.discard()
		return err
	}
	r.WillReject = rejects.count
	r.WillLoad -= rejects.count
	r.Rejects = rejects.list()
	for at := range r.Columns {
		r.Columns[at].Rejected = rejects.byColumn[at]
	}
	return nil
}

// checked are the columns that have to be parsed to know the rejects: those
// that may misfit, and the key.
func (i *inspector) checked() ([]*column, error) {
	keys := map[string]bool{}
	for _, name := range i.request.Key {
		keys[strings.ToLower(name)] = true
	}
	var columns []*column
	for at := range i.result.Columns {
		c := &i.result.Columns[at]
		key := c.Load && keys[strings.ToLower(c.Name)]
		if key {
			c.Key = true
			delete(keys, strings.ToLower(c.Name))
		}
		if !c.Load || !key && !i.maybe[at] {
			continue
		}
		one := newColumn(LoadColumn{
			Position: at, Source: c.Source, Reading: c.Reading, EmptyFor: c.EmptyFor,
			Column: segments.Column{ID: int32(at + 1), Name: c.Name, Type: c.Type, Precision: c.Precision, Scale: c.Scale},
		})
		one.isKey = key
		one.fixed = i.types[at] != nil && i.types[at].Fixed
		columns = append(columns, one)
	}
	for name := range keys {
		return nil, ErrUnknownColumn.With("The key names a column %q that is not loaded.", name)
	}
	return columns, nil
}

// reopen starts reading again, exactly as before.
func (i *inspector) reopen(ctx context.Context) error {
	i.source.Close()
	limits := i.request.Limits
	limits.TempDir = i.temp
	options := pinned(i.request.Options, i.result.Format)
	for _, f := range i.fields {
		options.Fields = append(options.Fields, f.Source)
	}
	source, err := i.reader.open(ctx, i.request.Path, options, limits)
	if err != nil {
		return err
	}
	i.source = source
	i.meter.source.Store(&i.source)
	return nil
}
