package db

import "github.com/google/uuid"

// DatasetSnapshot is the statement of the same name; each is called for every
// row.
func (b *Batch) DatasetSnapshot(datasetIDs []uuid.UUID, tenantID uuid.UUID, each func(DatasetSnapshotRow)) {
	var row DatasetSnapshotRow
	b.queueMany(datasetSnapshot, []any{datasetIDs, tenantID}, func() { each(row) },
		&row.DatasetID, &row.Version, &row.Revision, &row.Layout, &row.Target)
}

// DatasetBind is the statement of the same name; each is called for every row.
func (b *Batch) DatasetBind(versions []int64, datasetIDs []uuid.UUID, tenantID uuid.UUID, each func(DatasetBindRow)) {
	var row DatasetBindRow
	b.queueMany(datasetBind, []any{versions, datasetIDs, tenantID}, func() { each(row) },
		&row.DatasetID, &row.Version, &row.Revision, &row.Layout, &row.Asked, &row.Kept)
}
