package datasets

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// SweepArgs asks to remove what a workspace's datasets need no more.
// Idempotent.
type SweepArgs struct{}

// Kind names the job.
func (SweepArgs) Kind() string { return "datasets:sweep" }

// RunSweep carries out a SweepArgs job.
func (s *Service) RunSweep(ctx context.Context, job jobs.Job[SweepArgs]) error {
	_, err := s.Sweep(ctx, systemActor(job.Ref))
	return err
}

// OrphansArgs asks to remove a workspace's files that nothing refers to, and
// what crashes left unfinished. It lists the workspace's whole storage.
// Idempotent.
type OrphansArgs struct{}

// Kind names the job.
func (OrphansArgs) Kind() string { return "datasets:sweep_orphans" }

// RunSweepOrphans carries out an OrphansArgs job.
func (s *Service) RunSweepOrphans(ctx context.Context, job jobs.Job[OrphansArgs]) error {
	if _, err := s.SweepOrphans(ctx, systemActor(job.Ref)); err != nil {
		return err
	}
	return s.blobs.SweepStage(s.settings.OrphanAge)
}

// Swept is what a sweep removed.
type Swept struct {
	Versions int64 // no longer kept
	Segments int
	Files    int // deleted from the storage
	Datasets int // deleted ones, purged for good
}

const (
	sweepGrace   = time.Hour // for queries that read a segment which a merge replaced
	historyAge   = 90 * 24 * time.Hour
	sweepBatch   = 1000
	appendKeyAge = 7 * 24 * time.Hour
)

// Sweep forgets versions past their keeping time, segments that no kept or
// leased version has, uploads and rejects of old loads, and deletes files whose
// time has come. It is the only one that deletes files.
//
// Errors: access.forbidden.
func (s *Service) Sweep(ctx context.Context, actor access.Actor) (Swept, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return Swept{}, err
	}
	actor = wholeWorkspace(actor)
	var swept Swept
	if err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error { return s.expire(ctx, tx, &swept) }); err != nil {
		return swept, err
	}
	if err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error { return s.purge(ctx, tx, &swept) }); err != nil {
		return swept, err
	}
	if err := s.inTx(ctx, actor, s.retireFiles); err != nil {
		return swept, err
	}
	n, err := s.deleteDue(ctx, actor)
	swept.Files = n
	return swept, err
}

// expire forgets versions and segments.
func (s *Service) expire(ctx context.Context, tx *db.Tx, swept *Swept) error {
	now := s.moment()
	if _, err := tx.LeasePrune(ctx, tx.TenantID, now); err != nil {
		return fmt.Errorf("prune leases: %w", err)
	}
	held, err := tx.VersionLockExpirable(ctx, tx.TenantID, now.Add(-s.settings.LiveAge), now.Add(-s.settings.VersionAge))
	if err != nil {
		return fmt.Errorf("hold versions: %w", err)
	}
	of, versions := make([]uuid.UUID, len(held)), make([]int64, len(held))
	for i, v := range held {
		of[i], versions[i] = v.DatasetID, v.Version
	}
	n, err := tx.VersionExpire(ctx, db.VersionExpireParams{Now: &now, DatasetIds: of, Versions: versions, TenantID: tx.TenantID})
	if err != nil {
		return fmt.Errorf("expire versions: %w", err)
	}
	swept.Versions = n
	if _, err := tx.VersionPrune(ctx, tx.TenantID, now, now.Add(-historyAge)); err != nil {
		return fmt.Errorf("prune versions: %w", err)
	}
	if _, err := tx.AppendPrune(ctx, tx.TenantID, now.Add(-appendKeyAge)); err != nil {
		return fmt.Errorf("prune appends: %w", err)
	}
	rows, err := tx.SegmentSweep(ctx, tx.TenantID, now.Add(-sweepGrace))
	if err != nil {
		return fmt.Errorf("sweep segments: %w", err)
	}
	swept.Segments = len(rows)
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.Key)
		if r.SampleKey != "" {
			keys = append(keys, r.SampleKey)
		}
	}
	return s.discard(ctx, tx, keys, s.settings.RecoveryWindow)
}

// discard puts the files that no segment has any more among the garbage. A
// restored version refers to the same files as the one it was restored from.
func (s *Service) discard(ctx context.Context, tx *db.Tx, keys []string, after time.Duration) error {
	if len(keys) == 0 {
		return nil
	}
	used, err := tx.SegmentKnown(ctx, tx.TenantID, keys)
	if err != nil {
		return fmt.Errorf("find segments in use: %w", err)
	}
	if keys = minus(keys, used); len(keys) == 0 {
		return nil
	}
	if err := tx.GarbageInsert(ctx, tx.TenantID, keys, s.moment().Add(after)); err != nil {
		return fmt.Errorf("discard files: %w", err)
	}
	return nil
}

func minus(keys, used []string) []string {
	taken := map[string]bool{}
	for _, key := range used {
		taken[key] = true
	}
	var left []string
	for _, key := range keys {
		if !taken[key] {
			taken[key] = true
			left = append(left, key)
		}
	}
	return left
}

// purge removes datasets for good that were deleted longer ago than their
// versions are kept. They are held, so that none is brought back meanwhile.
func (s *Service) purge(ctx context.Context, tx *db.Tx, swept *Swept) error {
	now := s.moment()
	due, err := tx.DatasetLockPurgeable(ctx, tx.TenantID, now.Add(-s.settings.VersionAge), now)
	if err != nil {
		return fmt.Errorf("hold deleted datasets: %w", err)
	}
	for _, id := range due {
		rows, err := tx.SegmentTake(ctx, tx.TenantID, id)
		if err != nil {
			return fmt.Errorf("take segments of %s: %w", id, err)
		}
		var keys []string
		for _, r := range rows {
			keys = append(keys, r.Key)
			if r.SampleKey != "" {
				keys = append(keys, r.SampleKey)
			}
		}
		if err := s.discard(ctx, tx, keys, s.settings.RecoveryWindow); err != nil {
			return err
		}
		n, err := tx.DatasetPurge(ctx, tx.TenantID, id)
		if err != nil {
			return fmt.Errorf("purge dataset %s: %w", id, err)
		}
		swept.Datasets += int(n)
	}
	return nil
}

// retireFiles gives up uploads that nobody came back to, and old rejects.
func (s *Service) retireFiles(ctx context.Context, tx *db.Tx) error {
	now := s.moment()
	uploads, err := tx.UploadListStale(ctx, tx.TenantID, now.Add(-s.settings.UploadAge), sweepBatch)
	if err != nil {
		return fmt.Errorf("list old uploads: %w", err)
	}
	for _, u := range uploads {
		if err := s.removeUpload(ctx, tx, ids.Upload(u.UploadID), u.Key, ""); err != nil {
			return err
		}
	}
	rejects, err := tx.LoadForgetRejects(ctx, tx.TenantID, now.Add(-s.settings.RejectsAge))
	if err != nil {
		return fmt.Errorf("list old rejects: %w", err)
	}
	if len(rejects) == 0 {
		return nil
	}
	if err := tx.GarbageInsert(ctx, tx.TenantID, rejects, now); err != nil {
		return fmt.Errorf("discard rejects: %w", err)
	}
	return nil
}

// deleteDue deletes garbage whose time has come, files first: a crash between
// leaves rows whose files are gone, and deleting those again is no error.
func (s *Service) deleteDue(ctx context.Context, actor access.Actor) (int, error) {
	deleted := 0
	for {
		var keys, due []string
		err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
			var err error
			if keys, err = tx.GarbageListDue(ctx, tx.TenantID, s.moment(), sweepBatch); err != nil || len(keys) == 0 {
				return err
			}
			used, err := tx.SegmentKnown(ctx, tx.TenantID, keys)
			due = minus(keys, used) // a restored database may want some back
			return err
		})
		if err != nil {
			return deleted, fmt.Errorf("list garbage: %w", err)
		}
		if len(keys) == 0 {
			return deleted, nil
		}
		for _, key := range due {
			if err := s.blobs.Delete(ctx, key); err != nil {
				return deleted, err
			}
			deleted++
		}
		err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error { return tx.GarbageDelete(ctx, tx.TenantID, keys) })
		if err != nil {
			return deleted, fmt.Errorf("forget garbage: %w", err)
		}
	}
}

// SweepOrphans deletes files of the workspace that nothing refers to and that
// are older than any load under way: what a crash left between publishing and
// committing. It answers how many went.
//
// Errors: access.forbidden.
func (s *Service) SweepOrphans(ctx context.Context, actor access.Actor) (int, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return 0, err
	}
	actor = wholeWorkspace(actor)
	prefix, err := s.prefix(ctx, actor.TenantID)
	if err != nil {
		return 0, err
	}
	limit := s.now().Add(-s.settings.OrphanAge)
	deleted := 0
	var batch []string
	flush := func() error {
		orphans, err := s.orphans(ctx, actor, batch)
		if err != nil {
			return err
		}
		for _, key := range orphans {
			if err := s.blobs.Delete(ctx, key); err != nil {
				return err
			}
			deleted++
		}
		batch = batch[:0]
		return nil
	}
	for object, err := range s.blobs.List(ctx, prefix) {
		if err != nil {
			return deleted, err
		}
		if !object.Modified.Before(limit) || !ours(strings.TrimPrefix(object.Key, prefix)) {
			continue
		}
		if batch = append(batch, object.Key); len(batch) == sweepBatch {
			if err := flush(); err != nil {
				return deleted, err
			}
		}
	}
	return deleted, flush()
}

// ours tells whether a path under the workspace's prefix is of this package:
// others keep files there too.
func ours(path string) bool {
	return strings.HasPrefix(path, segmentFolder) || strings.HasPrefix(path, uploadFolder) || strings.HasPrefix(path, rejectFolder)
}

// orphans answers which of the files nothing refers to.
func (s *Service) orphans(ctx context.Context, actor access.Actor, keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var left []string
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		left = keys
		for _, known := range []func(context.Context, uuid.UUID, []string) ([]string, error){
			tx.SegmentKnown, tx.GarbageKnown, tx.UploadKnown, tx.LoadKnown,
		} {
			used, err := known(ctx, tx.TenantID, left)
			if err != nil {
				return fmt.Errorf("find files in use: %w", err)
			}
			left = minus(left, used)
		}
		return nil
	})
	return left, err
}

// wholeWorkspace is the system in the actor's workspace: a sweep has to know all
// that refers to a file, whoever asks for it.
func wholeWorkspace(actor access.Actor) access.Actor {
	return access.Actor{Kind: access.System, TenantID: actor.TenantID, UserID: actor.UserID}
}
