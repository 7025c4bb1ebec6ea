package db

import "github.com/google/uuid"

// DashboardState reads what DashboardState of the queries says.
func (b *Batch) DashboardState(dashboardID uuid.UUID, datasetIDs []uuid.UUID, state *string) {
	b.queue(dashboardState, []any{datasetIDs, dashboardID}, state)
}
