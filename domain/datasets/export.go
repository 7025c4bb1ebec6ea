package datasets

import (
	"context"
	"io"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Whole is a dataset as somebody sees it, at one version, ready to be written
// out by Export or Stream.
type Whole struct {
	Name    string
	Version int64
	Sees    string // as Dataset.Sees
	Columns []Column
	Rows    int64
	Request QueryRequest // asks for all rows, in the order in which they are stored
}

// Whole pins a dataset to its current version and counts what the actor sees of
// it.
//
// Errors: datasets.not_found; query.rows_withheld where the actor may see no
// single rows of it, and the other query.* codes.
func (s *Service) Whole(ctx context.Context, actor access.Actor, id ids.Dataset) (Whole, error) {
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return Whole{}, err
	}
	w := Whole{Name: d.Name, Sees: d.Sees, Columns: d.Columns}
	w.Request = QueryRequest{Exact: true, stored: true, Now: s.now(), Spec: warehouse.Spec{Dataset: id.String(), Timezone: actor.Location().String()}}
	if w.Request.Snapshot, err = s.Snapshot(ctx, actor, []ids.Dataset{id}); err != nil {
		return Whole{}, err
	}
	w.Version, _ = w.Request.Snapshot.Version(id)
	for _, c := range d.Columns {
		w.Request.Spec.Columns = append(w.Request.Spec.Columns, c.Name)
	}
	q, _, err := s.bindQuery(ctx, actor, w.Request)
	if err != nil {
		return Whole{}, err
	}
	if _, err := s.engine.Check(ctx, q); err != nil {
		return Whole{}, err
	}
	count := w.Request
	count.Spec.Columns, count.Spec.Measures = nil, []warehouse.Measure{{Fn: "count", As: "rows"}}
	counted, err := s.Query(ctx, actor, count)
	if err != nil {
		return Whole{}, err
	}
	if counted.Rows > 0 && len(counted.Columns[0].Ints) > 0 {
		w.Rows = counted.Columns[0].Ints[0]
	}
	return w, nil
}

// Export writes all rows of the answer to a question to out, as
// warehouse.Engine.Export does, and says how many they were.
//
// Errors: as Query, and those of out.
func (s *Service) Export(ctx context.Context, actor access.Actor, request QueryRequest, x warehouse.Export, out io.Writer) (int64, error) {
	q, names, err := s.bindQuery(ctx, actor, request)
	if err != nil {
		return 0, err
	}
	if x.Names == nil {
		x.Names = names
	}
	var rows int64
	err = s.Hold(ctx, actor, request.Snapshot, "export", func(ctx context.Context) error {
		rows, err = s.engine.Export(ctx, q, x, out)
		return err
	})
	return rows, err
}

// Stream hands on all rows of the answer to a question in parts, each valid
// until read returns.
//
// Errors: as Query, and those of read.
func (s *Service) Stream(ctx context.Context, actor access.Actor, request QueryRequest, read func(part *warehouse.Result) error) error {
	q, names, err := s.bindQuery(ctx, actor, request)
	if err != nil {
		return err
	}
	return s.Hold(ctx, actor, request.Snapshot, "export", func(ctx context.Context) error {
		return s.engine.Stream(ctx, q, func(part *warehouse.Result) error {
			if names != nil {
				part = withNames(part, names)
			}
			return read(part)
		})
	})
}
