package workers

import (
	"context"
	"time"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"

	"github.com/google/uuid"
)

// told is an outbox whose events of new data reach features of this process
// before they count as published: by Redis they may be lost.
type told struct {
	outbox  events.Outbox
	changed func(ctx context.Context, tenant ids.Tenant) error
	dataset func(ctx context.Context, tenant ids.Tenant, dataset ids.Dataset) error
}

func (t told) PublishOutbox(ctx context.Context, limit int, publish func(context.Context, []events.Stored) error) (int, error) {
	return t.outbox.PublishOutbox(ctx, limit, func(ctx context.Context, list []events.Stored) error {
		seen := map[uuid.UUID]bool{}
		for _, e := range list {
			if e.Kind != events.DatasetChanged {
				continue
			}
			if !seen[e.ID] {
				seen[e.ID] = true
				if err := t.dataset(ctx, ids.Tenant(e.TenantID), ids.Dataset(e.ID)); err != nil {
					return err
				}
			}
			if seen[e.TenantID] {
				continue
			}
			seen[e.TenantID] = true
			if err := t.changed(ctx, ids.Tenant(e.TenantID)); err != nil {
				return err
			}
		}
		return publish(ctx, list)
	})
}

func (t told) PruneOutbox(ctx context.Context, olderThan time.Duration) (int64, error) {
	return t.outbox.PruneOutbox(ctx, olderThan)
}
