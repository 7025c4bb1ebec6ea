package dashboards

import (
	"context"
	"fmt"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Widgets often group the same rows in the same way and differ in what they
// measure: a strip of key figures, their sparklines. One question with all of
// these measures reads the rows once.

// maxTogether is how many measures one question takes.
const maxTogether = 16

// together are the questions of a view that are asked as one, by all of a
// question but its measures.
type together map[string]*joint

type joint struct {
	spec    warehouse.Spec // measures are named m0, m1 …
	asked   int            // questions that it answers
	indexes map[string]int // of measures, by all of them but their names
}

// canJoin tells whether the groups of a question, and their order, do not depend
// on its measures. Without an order, the largest of the first measure come first
// where there is no time (package warehouse).
func canJoin(s *warehouse.Spec) bool {
	if len(s.Measures) == 0 || len(s.Columns) > 0 || s.Offset > 0 || s.Other {
		return false
	}
	for _, f := range s.Filters {
		if f.Measure != "" {
			return false
		}
	}
	settled := len(s.Dimensions) == 0 || len(s.Order) > 0
	for _, d := range s.Dimensions {
		settled = settled || d.Grain != ""
	}
	if !settled {
		return false
	}
	for _, o := range s.Order {
		byDimension := len(s.Dimensions) == 0
		for _, d := range s.Dimensions {
			byDimension = byDimension || o.By == dimensionName(d)
		}
		if !byDimension {
			return false
		}
	}
	return true
}

// shapeOf is a question without its measures. One row needs no order.
func shapeOf(s warehouse.Spec) warehouse.Spec {
	s.Measures = nil
	if len(s.Dimensions) == 0 {
		s.Order, s.Limit = nil, 0
	}
	return s
}

// joinKey names the shape of a question.
func joinKey(s warehouse.Spec, exact bool) string { return digest(shapeOf(s), exact) }

func measureKey(m warehouse.Measure) string {
	m.As = ""
	return digest(m)
}

// join gathers the questions of the widgets.
func (v *View) join() {
	v.together = together{}
	for _, p := range v.Tiles {
		if p.err != nil {
			continue
		}
		specs := append([]warehouse.Spec{p.main}, p.further...)
		if p.spark != nil {
			specs = append(specs, *p.spark)
		}
		for i := range specs {
			v.together.add(&specs[i], p.exact)
		}
	}
	for key, j := range v.together {
		if j.asked < 2 {
			delete(v.together, key)
		}
	}
}

func (t together) add(s *warehouse.Spec, exact bool) {
	if !canJoin(s) {
		return
	}
	key := joinKey(*s, exact)
	j := t[key]
	if j == nil {
		j = &joint{spec: shapeOf(*s), indexes: map[string]int{}}
		t[key] = j
	}
	var fresh []warehouse.Measure
	for _, m := range s.Measures {
		if _, has := j.indexes[measureKey(m)]; !has {
			fresh = append(fresh, m)
		}
	}
	if len(j.spec.Measures)+len(fresh) > maxTogether {
		return // asked alone
	}
	j.asked++
	for _, m := range fresh {
		n := len(j.spec.Measures)
		j.indexes[measureKey(m)] = n
		m.As = fmt.Sprintf("m%d", n)
		j.spec.Measures = append(j.spec.Measures, m)
	}
}

// ask answers a question of a widget, with those of other widgets where that
// reads the rows once.
func (s *Service) ask(ctx context.Context, v *View, p *Plan, spec warehouse.Spec) (*warehouse.Result, error) {
	var j *joint
	if len(v.together) > 0 && canJoin(&spec) {
		j = v.together[joinKey(spec, p.exact)]
	}
	if j != nil {
		whole, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Spec: j.spec, Snapshot: v.Snapshot, Exact: p.exact, Now: v.now})
		// Where groups of few rows are withheld, one widget's measure must not hide
		// another's.
		if r, ok := j.pick(whole, &spec); err == nil && ok && !whole.Few {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// What is wrong with one widget is no reason for the others to fail.
	}
	answer, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{Spec: spec, Snapshot: v.Snapshot, Exact: p.exact, Now: v.now})
	return answer, v.discreet(err)
}

// pick takes the answer to one of the questions out of the answer to all.
func (j *joint) pick(whole *warehouse.Result, spec *warehouse.Spec) (*warehouse.Result, bool) {
	if whole == nil {
		return nil, false
	}
	columns := map[string]*warehouse.ResultColumn{}
	r := *whole
	r.Columns = nil
	for i := range whole.Columns {
		c := &whole.Columns[i]
		if c.Dimension {
			r.Columns = append(r.Columns, *c)
		} else {
			columns[c.Name] = c
		}
	}
	for _, m := range spec.Measures {
		n, has := j.indexes[measureKey(m)]
		if !has {
			return nil, false
		}
		for _, suffix := range []string{"", warehouse.PreviousSuffix, warehouse.ToDateSuffix} {
			c := columns[fmt.Sprintf("m%d", n)+suffix]
			if c == nil && suffix == "" {
				return nil, false
			}
			if c != nil {
				named := *c
				named.Name = measureName(m) + suffix
				r.Columns = append(r.Columns, named)
			}
		}
	}
	r.TrimAhead()
	return &r, true
}
