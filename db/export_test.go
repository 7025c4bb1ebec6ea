package db

// CountVisibleTenants is a read for tests of Batch.
func (b *Batch) CountVisibleTenants(count *int64) {
	b.queue("SELECT count(*) FROM tenants", nil, count)
}

// ReadUnderAnEpoch are the statements whose answers are remembered as long as
// the epoch of the workspace is the same.
var ReadUnderAnEpoch = []string{sessionUser, sessionWorkspaces, dashboardState}
