package datasets

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// MaxSpecBytes bounds the text of a query spec.
const MaxSpecBytes = warehouse.MaxSpecBytes

// Answer answers a query spec, as JSON, with JSON. Asked is the dataset that it
// was of, also where it was refused once that was known.
//
// Errors: as Query; query.* of what is no spec.
func (s *Service) Answer(ctx context.Context, actor access.Actor, text []byte) (asked ids.Dataset, answer []byte, err error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return asked, nil, err
	}
	spec, err := warehouse.ParseSpec(text)
	if err != nil {
		return asked, nil, err
	}
	if asked, err = s.Resolve(ctx, actor, spec.Dataset); err != nil {
		return asked, nil, err
	}
	spec.Dataset = asked.String()
	result, err := s.Query(ctx, actor, QueryRequest{Spec: spec})
	if err != nil {
		return asked, nil, err
	}
	return asked, result.AppendJSON(nil), nil
}
