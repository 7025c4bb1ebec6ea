package datasets

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/warehouse"
)

// ValuesRequest asks for values of a column among the rows that the filters of
// the spec keep; nothing else of the spec matters but its calculated fields.
type ValuesRequest struct {
	QueryRequest
	Column string
	Search string // part of the value; all values when empty
	Limit  int
}

// SearchValues finds values of a column, as warehouse.Engine.SearchValues
// orders them. What rules hide from the actor is not found: they are part of
// the bound query, and with them the values come from a query.
//
// Errors: as Query.
func (s *Service) SearchValues(ctx context.Context, actor access.Actor, r ValuesRequest) (warehouse.FoundValues, error) {
	q, column, err := s.bindValues(ctx, actor, r)
	if err != nil {
		return warehouse.FoundValues{}, err
	}
	return s.engine.SearchValues(ctx, q, column, r.Search, r.Limit)
}

// PrepareValues begins to make what SearchValues needs, without waiting for it.
//
// Errors: as Query.
func (s *Service) PrepareValues(ctx context.Context, actor access.Actor, r ValuesRequest) error {
	q, column, err := s.bindValues(ctx, actor, r)
	if err != nil {
		return err
	}
	return s.engine.PrepareValues(ctx, q, column)
}

func (s *Service) bindValues(ctx context.Context, actor access.Actor, r ValuesRequest) (warehouse.Query, string, error) {
	// As a dimension the column is found under its former names too.
	r.Spec.Dimensions = []warehouse.Dimension{{Column: r.Column}}
	q, _, err := s.bindQuery(ctx, actor, r.QueryRequest)
	if err != nil {
		return warehouse.Query{}, "", err
	}
	return q, q.Spec.Dimensions[0].Column, nil
}
