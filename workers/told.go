package workers

import (
	"context"
	"errors"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"
)

// told has features of this process hear of what they act on; nil where there are
// none.
func (d Deps) told() func(context.Context, events.Event) error {
	if d.Reports == nil {
		return nil
	}
	return func(ctx context.Context, e events.Event) error {
		tenant := ids.Tenant(e.TenantID)
		switch e.Kind {
		case events.DatasetChanged:
			return errors.Join(d.Alerts.DataChanged(ctx, tenant, ids.Dataset(e.ID)), d.Reports.DataChanged(ctx, tenant))
		case events.DashboardDeleted: // an alert goes on without it
			return d.Reports.WatchSoon(ctx, tenant)
		}
		return errors.Join(d.Alerts.PeopleChanged(ctx, tenant), d.Reports.WatchSoon(ctx, tenant))
	}
}
