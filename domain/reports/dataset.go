package reports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
)

// RequestDataset asks for a file of a whole dataset, of all rows that the actor
// sees; a job makes it, of the version that is current then.
//
// Errors: reports.invalid, reports.too_large, datasets.not_found,
// query.rows_withheld.
func (s *Service) RequestDataset(ctx context.Context, actor access.Actor, id ids.Dataset, spec Spec) (Report, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Report{}, err
	}
	if actor.UserID.IsZero() {
		return Report{}, access.ErrForbidden
	}
	if err := spec.cleanDataset(); err != nil {
		return Report{}, err
	}
	rows, err := s.deps.Dashboards.OpenDataset(ctx, actor, id)
	if err != nil {
		return Report{}, err
	}
	if err := (&tables{list: []*dashboards.Rows{rows}, locale: locale.For(actor.Locale)}).fits(ctx, spec.Format); err != nil {
		return Report{}, err
	}
	return s.insert(ctx, actor, subject{dataset: id, name: rows.Title}, spec)
}

// RenderDataset makes the file of a dataset that the actor would get, now, and
// writes it to out.
//
// Errors: as RequestDataset.
func (s *Service) RenderDataset(ctx context.Context, actor access.Actor, id ids.Dataset, spec Spec, out io.Writer) (Stated, error) {
	return s.renderDataset(ctx, actor, id, spec, out, func(string, int, int) {})
}

func (s *Service) renderDataset(ctx context.Context, actor access.Actor, id ids.Dataset, spec Spec, out io.Writer, tell progress) (Stated, error) {
	if err := spec.cleanDataset(); err != nil {
		return Stated{}, err
	}
	rows, err := s.deps.Dashboards.OpenDataset(ctx, actor, id)
	if err != nil {
		return Stated{}, err
	}
	stated := Stated{Name: dashboards.FileName(rows.Title) + spec.Format.extension(), DatasetVersions: map[string]int64{id.String(): rows.Version}, Sees: rows.Sees}
	about, err := json.Marshal(stated.DatasetVersions)
	if err != nil {
		return Stated{}, fmt.Errorf("name version: %w", err)
	}
	t := tables{list: []*dashboards.Rows{rows}, title: rows.Title, about: string(about), locale: locale.For(actor.Locale), tell: tell, stage: s.deps.Blobs.Stage}
	sum := &summer{out: out, hash: sha256.New()}
	stated.Rows, err = t.write(ctx, spec, sum)
	stated.Bytes, stated.SHA256 = sum.bytes, hex.EncodeToString(sum.hash.Sum(nil))
	return stated, err
}
