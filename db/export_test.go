package db

// CountVisibleTenants is a read for tests of Batch.
func (b *Batch) CountVisibleTenants(count *int64) {
	b.queue("SELECT count(*) FROM tenants", nil, count)
}
