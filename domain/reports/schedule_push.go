package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// push brings a report to a channel: the file itself into a folder, a link to
// it anywhere else. Files have one name a run and messages one id a line, so
// that an attempt whose outcome nobody knows is simply made again.
func (s *Service) push(ctx context.Context, job jobs.Job[DeliverArgs], row db.LedgerGetRow) error {
	err := s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.LedgerAttempt(ctx, tx.TenantID, row.DeliveryID)
		if err == nil && n == 0 {
			err = jobs.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note attempt: %w", err)
	}
	answer, err := s.pushed(ctx, ids.Tenant(job.TenantID), row)
	// What was answered is written down even if our time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err != nil {
		public := apperr.Describe(err)
		if !apperr.Passes(err) {
			err = jobs.Permanent(err)
		}
		return errors.Join(err, s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.LedgerSetTried(ctx, db.LedgerSetTriedParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, ErrorCode: public.Code, ErrorText: public.Sentence})
			return err
		}))
	}
	return s.over(ctx, job, row.RunID, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.LedgerSetSent(ctx, db.LedgerSetSentParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, State: string(LineSent), Answer: answer})
		return err
	})
}

func (s *Service) pushed(ctx context.Context, tenant ids.Tenant, row db.LedgerGetRow) (answer string, err error) {
	if row.Key == "" {
		return "", errFileGone
	}
	var stated Stated
	if err := json.Unmarshal(row.Stated, &stated); err != nil {
		return "", fmt.Errorf("read content: %w", err)
	}
	channel, kind, mediaType := ids.Channel(*row.ChannelID), "", formatOf(row.FileName).MediaType()
	owner, err := s.deps.Tenants.GetActor(ctx, tenant, ids.User(row.OwnerID))
	if err != nil {
		return "", err
	}
	all, err := s.deps.Mail.ListChannels(ctx, owner)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.ID == channel {
			kind = string(c.Kind)
		}
	}
	due := row.DueAt.In(owner.Location())
	if kind == string(delivery.S3) || kind == string(delivery.SFTP) {
		file, err := s.deps.Blobs.ReadRange(ctx, row.Key, 0, stated.Bytes)
		if err != nil {
			return "", err
		}
		defer file.Close()
		// Two schedules of a dashboard, or two runs in a minute, are two files; another
		// attempt at one is the same file again.
		run := strings.ReplaceAll(row.DeliveryID.String(), "-", "")
		name := dashboards.FileName(row.Name) + due.Format(" 2006-01-02 1504 ") + run[len(run)-6:] + path.Ext(row.FileName)
		answer, err := s.deps.Mail.PutFile(ctx, tenant, channel, name, mediaType, file)
		return answer, err
	}
	link := s.sentLink(s.deps.Address(), tenant.UUID(), row.DeliveryID, row.ExpiresAt)
	m := delivery.Signal{ID: row.DeliveryID.String(), At: row.DueAt, Title: row.Name, Text: row.FileName, Link: link, Label: row.FileName, Key: row.ScheduleID.String()}
	m.Body = map[string]any{"id": m.ID, "event": "report.ready", "at": row.DueAt.UTC().Format(time.RFC3339),
		"schedule": map[string]any{"id": row.ScheduleID.String(), "name": row.Name},
		"file": map[string]any{"name": row.FileName, "media_type": mediaType, "bytes": stated.Bytes, "sha256": stated.SHA256, "rows": stated.Rows,
			"failed_widgets": stated.FailedWidgets, "url": link, "expires_at": row.ExpiresAt.UTC().Format(time.RFC3339)}}
	return s.deps.Mail.Signal(ctx, tenant, channel, m, func() error { return nil })
}
