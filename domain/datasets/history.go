package datasets

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// liveListed is how many versions made by small live appends are listed: there
// may be one a second.
const liveListed = 20

// OnlyGrew tells whether all that happened to the rows after a version is that
// more came.
//
// Errors: datasets.not_found.
func (s *Service) OnlyGrew(ctx context.Context, actor access.Actor, id ids.Dataset, since int64) (grew bool, err error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return false, err
	}
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID()); err != nil {
			return getError(id, err)
		}
		if grew, err = tx.VersionOnlyAppended(ctx, tx.TenantID, id.UUID(), since); err != nil {
			return fmt.Errorf("look for changes of %s: %w", id, err)
		}
		return nil
	})
	return grew, err
}

// ListVersions answers the versions that can still be read, latest first, at
// most limit. Of those that small live appends made, only the last few are
// listed.
//
// Errors: datasets.not_found.
func (s *Service) ListVersions(ctx context.Context, actor access.Actor, id ids.Dataset, limit int) ([]Version, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Version
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return getError(id, err)
		}
		rows, err := tx.VersionList(ctx, db.VersionListParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), LiveAfter: row.Version - liveListed, RowLimit: int32(limit),
		})
		if err != nil {
			return fmt.Errorf("list versions of %s: %w", id, err)
		}
		rules, err := readRules(ctx, tx, id)
		if err != nil {
			return err
		}
		limited := sees(actor, rules[id]) != ""
		for _, r := range rows {
			if limited {
				r.RowCount, r.ByteCount, r.RowsWritten, r.Note, r.LoadID = Withheld, Withheld, Withheld, "", nil
				r.Filename = ""
			}
			v := Version{
				Version: r.Version, Kind: ChangeKind(r.Kind), CreatedAt: r.CreatedAt, By: fromOptional[ids.User](r.UserID), ByName: r.UserName,
				Rows: r.RowCount, Bytes: r.ByteCount, Written: r.RowsWritten, Load: fromOptional[ids.Load](r.LoadID), File: r.Filename, Note: r.Note,
				Current: r.Version == row.Version,
			}
			if r.SupersededAt != nil {
				v.KeptUntil = r.SupersededAt.Add(s.age(r.Live))
			}
			list = append(list, v)
		}
		return nil
	})
	return list, err
}

// age is how long a version is kept after it was superseded.
func (s *Service) age(live bool) time.Duration {
	if live {
		return s.settings.LiveAge
	}
	return s.settings.VersionAge
}

// Restore makes an earlier version's content and columns current again, as a
// new version, and answers its number.
//
// Errors: datasets.not_found, datasets.version_not_found,
// datasets.lookup_not_unique, access.forbidden.
func (s *Service) Restore(ctx context.Context, actor access.Actor, id ids.Dataset, version int64) (int64, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return 0, err
	}
	if err := s.checkRestore(ctx, actor, id, version); err != nil {
		return 0, err
	}
	var restored int64
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := s.lock(ctx, tx, actor, id, "")
		if err != nil {
			return err
		}
		old, err := tx.VersionShare(ctx, tx.TenantID, row.DatasetID, version)
		if db.IsNoRows(err) {
			return ErrVersionNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("load version %d of %s: %w", version, id, err)
		}
		if version == row.Version {
			restored = version
			return nil
		}
		files, err := segmentsOf(ctx, tx, row.DatasetID, version, old.RowCount)
		if err != nil {
			return err
		}
		c := change{kind: ChangeRestore, revision: -1, removeAll: true, written: old.RowCount, audited: true,
			note: fmt.Sprintf("version %d", version)}
		for _, old := range files {
			c.add = append(c.add, file{
				id: ids.New[uuid.UUID](), key: old.Key, rows: old.RowCount, bytes: old.ByteCount, stats: old.Stats,
				sampleKey: old.SampleKey, sampleRows: old.SampleRows,
			})
		}
		if err := restoreColumns(ctx, tx, &row, version, &c); err != nil {
			return err
		}
		restored, err = s.apply(ctx, tx, actor, row, c)
		return err
	})
	return restored, err
}

// restoreColumns brings back the columns that a version had. A column that
// came later goes; names are as they are now, so that a name that another
// column took meanwhile gets an addition.
func restoreColumns(ctx context.Context, tx *db.Tx, row *db.DatasetGetRow, version int64, c *change) error {
	then, err := readColumns(ctx, tx, ids.Dataset(row.DatasetID), version)
	if err != nil {
		return err
	}
	live, err := tx.ColumnListLive(ctx, tx.TenantID, row.DatasetID)
	if err != nil {
		return fmt.Errorf("list columns: %w", err)
	}
	isLive, names := map[int32]bool{}, map[string]bool{}
	for _, column := range live {
		if hasColumn(then, column.ColumnID) {
			isLive[column.ColumnID], names[column.Name] = true, true
		} else {
			c.drop = append(c.drop, column.ColumnID)
			if row.TimeColumn == column.ColumnID {
				row.TimeColumn = 0
			}
			row.KeyColumns = without(row.KeyColumns, column.ColumnID)
		}
	}
	var back []segments.Column // with one of them the time column may have gone
	for _, column := range then {
		if isLive[column.ID] {
			continue
		}
		if names[column.Name] {
			if err := renameRestored(ctx, tx, row.DatasetID, column, names); err != nil {
				return err
			}
		}
		c.revive = append(c.revive, column.ID)
		back = append(back, segments.Column{ID: column.ID, Type: segments.Type(column.Type)})
	}
	if row.TimeColumn == 0 {
		row.TimeColumn = segments.DefaultTimeColumn(back)
	}
	return nil
}

func renameRestored(ctx context.Context, tx *db.Tx, id uuid.UUID, c Column, taken map[string]bool) error {
	name := c.Name
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s %d", c.Name, n)
	}
	taken[name] = true
	return setColumnDetails(ctx, tx, id, c, name)
}

func without(list []int32, id int32) []int32 {
	kept := []int32{}
	for _, other := range list {
		if other != id {
			kept = append(kept, other)
		}
	}
	return kept
}

// checkRestore makes sure that a restored version does not repeat keys that
// other datasets look up by.
func (s *Service) checkRestore(ctx context.Context, actor access.Actor, id ids.Dataset, version int64) error {
	targeted, err := s.targetedKeys(ctx, actor, id)
	if err != nil || len(targeted) == 0 {
		return err
	}
	var rows []db.SegmentListRow
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.SegmentList(ctx, tx.TenantID, id.UUID(), version)
		return err
	})
	if err != nil {
		return fmt.Errorf("list segments of %s: %w", id, err)
	}
	then := make([]db.SegmentListLiveRow, len(rows))
	for i, r := range rows {
		then[i] = db.SegmentListLiveRow(r)
	}
	paths, release, err := s.openFiles(ctx, then)
	if err != nil {
		return ErrVersionNotFound.Wrap(err)
	}
	defer release()
	kept := map[string]bool{}
	for _, path := range paths {
		kept[path] = true
	}
	return s.checkUnique(ctx, actor, id, nil, kept, nil)
}

// Lease spares the versions of a snapshot from the sweeper.
type Lease struct {
	ID      ids.Lease
	Expires time.Time
}

// maxLease bounds a lease; a longer work prolongs it.
const maxLease = 24 * time.Hour

// AcquireLease spares the versions of a snapshot until the lease is released
// or runs out, for work that outlasts one call; Hold is for what one call does.
//
// Errors: datasets.snapshot_expired.
func (s *Service) AcquireLease(ctx context.Context, actor access.Actor, snapshot Snapshot, purpose string, ttl time.Duration) (Lease, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Lease{}, err
	}
	now := s.moment()
	lease := Lease{ID: ids.New[ids.Lease](), Expires: now.Add(min(ttl, maxLease))}
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		for _, p := range snapshot.parts {
			if err := leasePart(ctx, tx, lease, p, purpose, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Lease{}, err
	}
	return lease, nil
}

// leasePart spares one version.
//
// Errors: datasets.snapshot_expired.
func leasePart(ctx context.Context, tx *db.Tx, lease Lease, p part, purpose string, now time.Time) error {
	if p.version == 0 { // nothing was ever loaded: there is nothing to spare
		return nil
	}
	if _, err := tx.DatasetGet(ctx, tx.TenantID, p.dataset.UUID()); db.IsNoRows(err) {
		return ErrSnapshotExpired.Wrap(err)
	} else if err != nil {
		return fmt.Errorf("read dataset %s: %w", p.dataset, err)
	}
	n, err := tx.LeaseInsert(ctx, db.LeaseInsertParams{
		LeaseID: lease.ID.UUID(), Purpose: purpose, Now: now, ExpiresAt: lease.Expires,
		TenantID: tx.TenantID, DatasetID: p.dataset.UUID(), Version: p.version,
	})
	if err != nil {
		return fmt.Errorf("insert lease: %w", err)
	}
	if n == 0 {
		return ErrSnapshotExpired
	}
	return nil
}

// ExtendLease prolongs a lease.
//
// Errors: datasets.snapshot_expired when it ran out and was swept.
func (s *Service) ExtendLease(ctx context.Context, actor access.Actor, id ids.Lease, ttl time.Duration) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.LeaseExtend(ctx, s.moment().Add(min(ttl, maxLease)), tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("extend lease: %w", err)
		}
		if n == 0 {
			return ErrSnapshotExpired
		}
		return nil
	})
}

// ReleaseLease ends a lease. One that is gone already is no error.
func (s *Service) ReleaseLease(ctx context.Context, actor access.Actor, id ids.Lease) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.LeaseDelete(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete lease: %w", err)
		}
		return nil
	})
}
