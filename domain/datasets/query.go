package datasets

import (
	"context"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// QueryRequest is a spec and what its answer depends on besides.
type QueryRequest struct {
	Spec warehouse.Spec // Dataset is a name or an id
	// Snapshot pins versions. Zero means the current ones.
	Snapshot Snapshot
	// Exact forbids an answer from samples.
	Exact bool
	// Now is the moment that relative dates count from; the current minute
	// when zero.
	Now time.Time

	stored bool // Export and Stream keep the order of storage
}

// Query answers a spec for the actor. The result is shared: never change it.
// With a bound snapshot that has the dataset, and the dataset named by id, no
// statement is made. Former names of columns are understood, and the answer's
// columns then have the names that were asked for.
//
// Errors: datasets.not_found, datasets.snapshot_expired, and the query.* codes
// of package warehouse.
func (s *Service) Query(ctx context.Context, actor access.Actor, request QueryRequest) (*warehouse.Result, error) {
	q, names, err := s.bindQuery(ctx, actor, request)
	if err != nil {
		return nil, err
	}
	result, err := s.engine.Run(ctx, q)
	if err != nil || names == nil {
		return result, err
	}
	return withNames(result, names), nil
}

// bindQuery binds a question to what the actor sees. It also answers the names of a plain row's columns, where they differ
// from those of the bound spec.
func (s *Service) bindQuery(ctx context.Context, actor access.Actor, request QueryRequest) (warehouse.Query, []string, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return warehouse.Query{}, nil, err
	}
	snapshot := request.Snapshot
	var err error
	if !snapshot.IsZero() && !snapshot.boundFor(actor) {
		if snapshot, err = s.Bind(ctx, actor, snapshot); err != nil {
			return warehouse.Query{}, nil, err
		}
	}
	id, err := ids.Parse[ids.Dataset](request.Spec.Dataset)
	_, known := snapshot.part(id)
	if err != nil || !known {
		if id, err = s.Resolve(ctx, actor, request.Spec.Dataset); err != nil {
			return warehouse.Query{}, nil, err
		}
		if _, known = snapshot.part(id); !known {
			if snapshot, err = s.Snapshot(ctx, actor, []ids.Dataset{id}); err != nil {
				return warehouse.Query{}, nil, err
			}
		}
	}
	b, err := s.bound(ctx, actor, snapshot, id)
	if err != nil {
		return warehouse.Query{}, nil, err
	}
	q := warehouse.Query{Spec: request.Spec, Dataset: b.dataset, Exact: request.Exact, Stored: request.stored, Now: request.Now}
	if q.Now.IsZero() {
		q.Now = s.now()
	}
	q.Now = q.Now.UTC().Truncate(time.Minute)
	var names []string
	if len(b.renamed) > 0 {
		q.Spec, names = currentNames(q.Spec, b.renamed)
	}
	return q, names, nil
}

// Preview answers the first rows of a dataset, newest first where it has a
// time column.
//
// Errors: as Query.
func (s *Service) Preview(ctx context.Context, actor access.Actor, id ids.Dataset, limit int) (*warehouse.Result, error) {
	snapshot, err := s.Snapshot(ctx, actor, []ids.Dataset{id})
	if err != nil {
		return nil, err
	}
	b, err := s.bound(ctx, actor, snapshot, id)
	if err != nil {
		return nil, err
	}
	spec := warehouse.Spec{Dataset: id.String(), Limit: limit, Timezone: actor.Location().String()}
	for _, c := range b.dataset.Columns {
		if _, shown := b.dataset.Policy.Seen(c); !shown {
			continue
		}
		spec.Columns = append(spec.Columns, c.Name)
		if c.ID == b.dataset.TimeColumn {
			spec.Order = []warehouse.Order{{By: c.Name, Desc: true}}
		}
	}
	if len(spec.Columns) == 0 {
		return &warehouse.Result{Version: b.dataset.Version}, nil
	}
	return s.Query(ctx, actor, QueryRequest{Spec: spec, Snapshot: snapshot, Exact: true})
}

// currentNames replaces former names of columns by the current ones. Results
// keep the names that were asked for; for plain rows, which have no "as", these
// are answered where any differs.
func currentNames(spec warehouse.Spec, renamed map[string]string) (warehouse.Spec, []string) {
	r := renamer(renamed)
	spec.Dimensions = each(spec.Dimensions, func(d warehouse.Dimension) warehouse.Dimension {
		if now := r.name(d.Column); now != d.Column {
			if d.As == "" {
				d.As = d.Column
			}
			d.Column = now
		}
		return d
	})
	spec.Measures = each(spec.Measures, r.measure)
	spec.Filters = each(spec.Filters, r.filter)
	spec.Fields = currentFields(spec.Fields, r)
	if spec.Comparison != nil {
		c := *spec.Comparison
		c.Column = r.name(c.Column)
		spec.Comparison = &c
	}
	if len(spec.Columns) == 0 {
		return spec, nil
	}
	asked, changed := spec.Columns, false
	spec.Columns = each(spec.Columns, func(name string) string {
		now := r.name(name)
		changed = changed || now != name
		return now
	})
	if !changed {
		return spec, nil
	}
	spec.Order = each(spec.Order, func(o warehouse.Order) warehouse.Order {
		o.By = r.name(o.By)
		return o
	})
	return spec, asked
}

type renamer map[string]string

func (r renamer) name(name string) string {
	if now, ok := r[name]; ok {
		return now
	}
	return name
}

func (r renamer) filter(f warehouse.Filter) warehouse.Filter {
	f.Column = r.name(f.Column)
	return f
}

func (r renamer) measure(m warehouse.Measure) warehouse.Measure {
	if now := r.name(m.Column); now != m.Column {
		if m.As == "" {
			m.As = m.Fn + "_" + m.Column
		}
		m.Column = now
	}
	m.Filters = each(m.Filters, r.filter)
	for _, part := range []**warehouse.Measure{&m.Numerator, &m.Denominator} {
		if *part != nil {
			inner := r.measure(**part)
			*part = &inner
		}
	}
	return m
}

// each answers a new slice: specs are shared and never changed in place.
func each[T any](list []T, change func(T) T) []T {
	if len(list) == 0 {
		return list
	}
	changed := make([]T, len(list))
	for i, v := range list {
		changed[i] = change(v)
	}
	return changed
}

func withNames(result *warehouse.Result, names []string) *warehouse.Result {
	if len(names) != len(result.Columns) {
		return result
	}
	renamed := *result
	renamed.Columns = append([]warehouse.ResultColumn(nil), result.Columns...)
	for i := range renamed.Columns {
		renamed.Columns[i].Name = names[i]
	}
	return &renamed
}

// Result is the answer to a query.
type Result = warehouse.Result

// Explain says how the answer to a spec is made, without making it.
//
// Errors: as Query.
func (s *Service) Explain(ctx context.Context, actor access.Actor, request QueryRequest) (warehouse.Explanation, error) {
	q, _, err := s.bindQuery(ctx, actor, request)
	if err != nil {
		return warehouse.Explanation{}, err
	}
	return s.engine.Explain(ctx, q)
}
