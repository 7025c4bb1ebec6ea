package datasets

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Snapshot answers the current versions of the given datasets, and of those
// they look values up in, from one statement. A dataset that does not exist is
// left out: asking for it then answers datasets.not_found, and the others go on.
func (s *Service) Snapshot(ctx context.Context, actor access.Actor, datasets []ids.Dataset) (Snapshot, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Snapshot{}, err
	}
	if len(datasets) == 0 {
		return Snapshot{tenant: actor.TenantID, subjects: actor.Subjects()}, nil
	}
	key := make([]byte, 0, 16*(len(datasets)+1))
	key = append(key, actor.TenantID[:]...)
	asked := make([]uuid.UUID, len(datasets))
	for i, id := range datasets {
		key = append(key, id[:]...)
		asked[i] = id.UUID()
	}
	tenant, subjects := actor.TenantID, actor.Subjects()
	// People who may see other things must not wait for the same answer.
	for _, subject := range subjects {
		key = append(key, subject[:]...)
	}
	key = append(key, byte(len(datasets)))
	return s.snapshots.do(ctx, string(key), func(ctx context.Context) (Snapshot, error) {
		snapshot := Snapshot{tenant: tenant, subjects: subjects, parts: make([]part, 0, len(asked)+2)}
		err := s.db.ViewerRead(ctx, tenant.UUID(), subjects, func(b *db.Batch) {
			b.DatasetSnapshot(asked, tenant.UUID(), func(r db.DatasetSnapshotRow) {
				snapshot.parts = append(snapshot.parts, part{
					dataset: ids.Dataset(r.DatasetID), version: r.Version, revision: r.Revision, layout: r.Layout, target: r.Target,
				})
			})
		})
		if err != nil {
			return Snapshot{}, fmt.Errorf("read dataset versions: %w", err)
		}
		snapshot.sort()
		return snapshot, nil
	})
}

// Bind checks a snapshot that came from outside, from one statement, and
// answers it with all that querying by it needs. Lookups that were declared
// since bring their targets' current versions.
//
// Errors: datasets.snapshot_expired when a version is no longer kept.
func (s *Service) Bind(ctx context.Context, actor access.Actor, snapshot Snapshot) (Snapshot, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Snapshot{}, err
	}
	if snapshot.IsZero() {
		return Snapshot{tenant: actor.TenantID, subjects: actor.Subjects()}, nil
	}
	asked, versions := make([]uuid.UUID, len(snapshot.parts)), make([]int64, len(snapshot.parts))
	for i, p := range snapshot.parts {
		asked[i], versions[i] = p.dataset.UUID(), p.version
	}
	bound := Snapshot{tenant: actor.TenantID, subjects: actor.Subjects()}
	expired := false
	err := s.db.ViewerRead(ctx, actor.TenantID.UUID(), bound.subjects, func(b *db.Batch) {
		b.DatasetBind(versions, asked, actor.TenantID.UUID(), func(r db.DatasetBindRow) {
			p := part{dataset: ids.Dataset(r.DatasetID), version: r.Asked, revision: r.Revision, layout: r.Layout}
			switch {
			case r.Asked == -1: // not asked for: the target of a lookup
				p.version, p.target = r.Version, true
			case r.Asked != r.Version && !r.Kept:
				expired = true
			}
			bound.parts = append(bound.parts, p)
		})
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("check dataset versions: %w", err)
	}
	if expired {
		return Snapshot{}, ErrSnapshotExpired
	}
	bound.sort()
	return bound, nil
}

// SnapshotAt pins one dataset, named by name or id, to a version; what it looks
// values up in is as it is now.
//
// Errors: datasets.not_found, datasets.version_not_found.
func (s *Service) SnapshotAt(ctx context.Context, actor access.Actor, nameOrID string, version int64) (Snapshot, error) {
	id, err := s.Resolve(ctx, actor, nameOrID)
	if err != nil {
		return Snapshot{}, err
	}
	bound, err := s.Bind(ctx, actor, Snapshot{parts: []part{{dataset: id, version: version}}})
	if errors.Is(err, ErrSnapshotExpired) {
		return Snapshot{}, ErrVersionNotFound.Wrap(err)
	}
	return bound, err
}
