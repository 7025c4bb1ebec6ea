package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// sees names all that a report shows: equal names, equal files. The key of a
// widget's plan has what its viewer may see of the data, look the portal's.
func sees(v *dashboards.View, plans []*dashboards.Plan, spec Spec, look string) string {
	list := []any{look, v.Actor().Kind, v.Actor().TenantID, v.Actor().Role, v.Locked(), v.Sees(), v.Dashboard.ID, v.Dashboard.Name, v.Dashboard.ShownRev(), spec, v.Locale().Name, v.Zone.String(), v.Days}
	for _, p := range plans {
		list = append(list, p.Key)
	}
	text, _ := json.Marshal(list) // ids, texts and dates always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// serve renders a content, unless an earlier attempt did, and asks for the
// mails of all who get it.
func (s *Service) serve(ctx context.Context, ref jobs.Ref, r *run, v *dashboards.View, plans []*dashboards.Plan, spec Spec, digest string, lines []uuid.UUID) error {
	var content db.ContentFindRow
	err := s.deps.DB.InTenantTx(ctx, ref.TenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		content, err = tx.ContentFind(ctx, tx.TenantID, r.RunID, digest)
		return err
	})
	if db.IsNoRows(err) {
		content, err = s.make(ctx, ref.TenantID, r, v, plans, spec, digest)
	}
	if err != nil {
		return err
	}
	if content.Empty {
		for _, line := range lines {
			if err := s.closeLine(ctx, ref.TenantID, line, LineSkipped, errNoRows); err != nil {
				return err
			}
		}
		return nil
	}
	return s.deps.DB.InTenantTx(ctx, ref.TenantID, func(ctx context.Context, tx *db.Tx) error {
		for _, line := range lines {
			n, err := tx.LedgerSetRendered(ctx, &content.ContentID, tx.TenantID, line)
			if err != nil {
				return fmt.Errorf("note content: %w", err)
			}
			if n == 0 {
				continue // an attempt that was thought dead was here
			}
			if _, err := jobs.Insert(ctx, tx, deliverJob(tx.TenantID, ids.Delivery(line))); err != nil {
				return err
			}
		}
		return nil
	})
}

// make renders and publishes a content.
func (s *Service) make(ctx context.Context, tenant uuid.UUID, r *run, v *dashboards.View, plans []*dashboards.Plan, spec Spec, digest string) (db.ContentFindRow, error) {
	id := ids.New[uuid.UUID]()
	row := db.ContentInsertParams{TenantID: tenant, ContentID: id, RunID: r.RunID, Digest: digest, ExpiresAt: s.deps.Clock().Add(keepFor), Stated: []byte("{}")}
	if r.schedule.OnlyIfRows {
		empty, err := s.isEmpty(ctx, v, plans)
		if err != nil {
			return db.ContentFindRow{}, err
		}
		row.Empty = empty
	}
	if !row.Empty {
		prefix, err := s.prefix(ctx, ids.Tenant(tenant))
		if err != nil {
			return db.ContentFindRow{}, err
		}
		key := prefix + folder + "scheduled/" + id.String()
		stated, err := s.publish(ctx, key, func(out io.Writer) (Stated, error) {
			return s.write(ctx, v, plans, spec, out, func(string, int, int) {})
		})
		if err != nil {
			return db.ContentFindRow{}, err
		}
		row.Key, row.Name = key, stated.Name
		if row.Stated, err = json.Marshal(stated); err != nil {
			return db.ContentFindRow{}, fmt.Errorf("encode report: %w", err)
		}
		row.PictureKey = s.picture(ctx, key+".png", v, spec)
	}
	var stays db.ContentInsertRow
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		stays, err = tx.ContentInsert(ctx, row)
		return err
	})
	if err != nil || stays.Key != row.Key {
		// Another attempt's files stay; these are nobody's.
		err = errors.Join(err, s.removeFiles(context.WithoutCancel(ctx), row.Key, row.PictureKey))
	}
	return db.ContentFindRow{ContentID: stays.ContentID, Empty: stays.Empty}, err
}

// publish writes a file beside the storage and puts it there when it is whole.
func (s *Service) publish(ctx context.Context, key string, write func(io.Writer) (Stated, error)) (Stated, error) {
	dir, err := s.deps.Blobs.Stage()
	if err != nil {
		return Stated{}, err
	}
	defer func() { _ = dir.Remove() }() // or by the next process
	path := dir.Join("report")
	stated, err := renderFile(path, write)
	if err != nil {
		return Stated{}, err
	}
	return stated, s.deps.Blobs.PublishFile(ctx, key, path)
}

// picture makes the picture that a mail with a document shows. A mail without
// it says the same, so that what goes wrong with it is only logged.
func (s *Service) picture(ctx context.Context, key string, v *dashboards.View, spec Spec) string {
	if spec.Format != PDF {
		return ""
	}
	spec.Format = PNG
	v = v.WithTableRows(maxPicturedRows)
	var body bytes.Buffer
	plans, err := chosen(v, spec.Widgets)
	if err == nil {
		_, err = s.write(ctx, v, plans, spec, &body, func(string, int, int) {})
	}
	if err == nil {
		_, err = s.deps.Blobs.Publish(ctx, key, &body)
	}
	if err != nil {
		s.deps.Log.WarnContext(ctx, "no picture for a report's mail", "dashboard", v.Dashboard.ID, "error", err)
		return ""
	}
	return key
}

// isEmpty tells whether no widget has a row. Figures do not count beside
// others: they always have one. A widget that fails is not empty.
func (s *Service) isEmpty(ctx context.Context, v *dashboards.View, plans []*dashboards.Plan) (bool, error) {
	tiles, err := s.draw(ctx, v, plans, func(string, int, int) {})
	if err != nil {
		return false, err
	}
	asked := false
	for _, t := range tiles {
		switch {
		case t.Err != nil:
			if !t.IsForbidden() {
				return false, nil
			}
		case t.Drawing == nil || !t.Type.Asks() || t.Type == charts.KPI:
		case t.Type == charts.Table && t.Drawing.Table != nil:
			asked = true
			if len(t.Drawing.Table.Rows) > 0 {
				return false, nil
			}
		default:
			asked = true
			if t.Drawing.State != charts.Empty {
				return false, nil
			}
		}
	}
	return asked, nil
}
