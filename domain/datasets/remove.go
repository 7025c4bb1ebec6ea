package datasets

import (
	"context"
	"fmt"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"
)

// Dependents is what breaks when a dataset goes.
type Dependents struct {
	Dashboards []DependentDashboard
	Lookups    []DependentLookup
}

// DependentDashboard is a dashboard that asks the dataset.
type DependentDashboard struct {
	ID   ids.Dashboard
	Name string
}

// DependentLookup is a lookup of another dataset into this one.
type DependentLookup struct {
	Dataset ids.Dataset
	Name    string // of the other dataset
	Lookup  string
}

// IsZero tells whether nothing breaks.
func (d Dependents) IsZero() bool { return len(d.Dashboards)+len(d.Lookups) == 0 }

// ListDependents answers what breaks when a dataset goes.
//
// Errors: datasets.not_found.
func (s *Service) ListDependents(ctx context.Context, actor access.Actor, id ids.Dataset) (Dependents, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Dependents{}, err
	}
	var found Dependents
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID()); err != nil {
			return getError(id, err)
		}
		dashboards, err := tx.DashboardListByDataset(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list dashboards of %s: %w", id, err)
		}
		for _, d := range dashboards {
			found.Dashboards = append(found.Dashboards, DependentDashboard{ID: ids.Dashboard(d.DashboardID), Name: d.Name})
		}
		lookups, err := tx.LookupListTargeting(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list lookups of others: %w", err)
		}
		for _, l := range lookups {
			found.Lookups = append(found.Lookups, DependentLookup{Dataset: ids.Dataset(l.DatasetID), Name: l.DatasetName, Lookup: l.Name})
		}
		return nil
	})
	return found, err
}

// Delete hides a dataset. It can be brought back with all its versions until
// it is purged, after the keeping time of versions. What depends on it answers
// datasets.not_found meanwhile, and works again after Undelete.
//
// Errors: datasets.not_found, access.forbidden.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Dataset) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := s.lock(ctx, tx, actor, id, "")
		if err != nil {
			return err
		}
		now := s.moment()
		if _, err := tx.DatasetDelete(ctx, &now, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("delete %s: %w", id, err)
		}
		if err := tx.LookupReviseOwners(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("revise lookups: %w", err)
		}
		if err := s.announce(ctx, tx, id, row.Version); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.deleted", Target: "dataset", ID: id.String(), Detail: map[string]any{"name": row.Name}})
	})
}

// Undelete brings a deleted dataset back.
//
// Errors: datasets.not_found when it was purged, datasets.name_taken,
// access.forbidden.
func (s *Service) Undelete(ctx context.Context, actor access.Actor, id ids.Dataset) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		version, err := tx.DatasetUndelete(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		}
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrNameTaken.With("Another dataset has the name of this one now. Rename that first.").Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("undelete %s: %w", id, err)
		}
		if err := tx.LookupReviseOwners(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("revise lookups: %w", err)
		}
		if err := s.announce(ctx, tx, id, version); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.undeleted", Target: "dataset", ID: id.String()})
	})
}

// Deleted is a dataset that can still be brought back.
type Deleted struct {
	ID        ids.Dataset
	Name      string
	Rows      int64
	DeletedAt time.Time
	KeptUntil time.Time
}

// ListDeleted answers what can still be brought back, latest first.
func (s *Service) ListDeleted(ctx context.Context, actor access.Actor) ([]Deleted, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return nil, err
	}
	var list []Deleted
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.DatasetListDeleted(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list deleted datasets: %w", err)
		}
		for _, r := range rows {
			list = append(list, Deleted{ID: ids.Dataset(r.DatasetID), Name: r.Name, Rows: r.RowCount,
				DeletedAt: *r.DeletedAt, KeptUntil: r.DeletedAt.Add(s.settings.VersionAge)})
		}
		return nil
	})
	return list, err
}

// announce tells open pages that a dataset is not what it was.
func (s *Service) announce(ctx context.Context, tx *db.Tx, id ids.Dataset, version int64) error {
	return tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.DatasetChanged, ID: id.UUID(), Version: version})
}

// KeepsDeleted is how long a deleted dataset can be brought back.
func (s *Service) KeepsDeleted() time.Duration { return s.settings.VersionAge }
