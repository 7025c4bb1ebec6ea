package db

import "github.com/google/uuid"

// DashboardState reads what DashboardState of the queries says. Ids go out as
// plain bytes: a driver.Valuer costs more than the rest of the statement.
func (b *Batch) DashboardState(dashboardID uuid.UUID, datasetIDs []uuid.UUID, state *string) {
	plain := make([][16]byte, len(datasetIDs))
	for i, id := range datasetIDs {
		plain[i] = id
	}
	b.queue(dashboardState, []any{plain, [16]byte(dashboardID)}, state)
}
