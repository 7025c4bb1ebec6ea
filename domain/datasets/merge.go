package datasets

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"sort"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Segments are merged in steps, so that a row is rewritten only a few times
// however slowly it came: segments of about the same size are taken together,
// eight times as large as one each time.
const (
	smallSegment = 4_096     // rows; below it a segment counts as small
	mergeFrom    = 16        // small segments ask for a merge
	mergeAnyFrom = 24        // and so many of any size
	mergeWidth   = 8         // segments of one size are merged from this many on
	mergeCeiling = 4_000_000 // rows; larger segments stay as they are
)

// MergeArgs asks to merge small segments of a dataset. Idempotent: what is
// merged already is not found again.
type MergeArgs struct {
	DatasetID ids.Dataset `json:"dataset_id"`
}

// Kind names the job.
func (MergeArgs) Kind() string { return "datasets:merge" }

func (s *Service) requestMerge(ctx context.Context, tx *db.Tx, id ids.Dataset) error {
	_, err := jobs.Insert(ctx, tx, jobs.Row{
		TenantID: tx.TenantID, Args: MergeArgs{DatasetID: id}, Queue: jobs.Short, UniqueKey: id.String(),
	})
	return err
}

// RunMerge carries out a MergeArgs job.
func (s *Service) RunMerge(ctx context.Context, job jobs.Job[MergeArgs]) error {
	_, err := s.Merge(ctx, systemActor(job.Ref), job.Args.DatasetID)
	if errors.Is(err, ErrNotFound) {
		return nil // deleted meanwhile
	}
	return err
}

// systemActor acts for the workspace and the person that a job's row names.
func systemActor(ref jobs.Ref) access.Actor {
	return access.Actor{Kind: access.System, TenantID: ids.Tenant(ref.TenantID), UserID: ids.User(ref.UserID)}
}

// Merge writes small segments together until there are few, and answers how
// many segments went. The content and the version stay as they are, and no
// event is sent.
//
// Errors: datasets.not_found, access.forbidden.
func (s *Service) Merge(ctx context.Context, actor access.Actor, id ids.Dataset) (int, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return 0, err
	}
	merged := 0
	for {
		n, err := s.mergeOnce(ctx, actor, id)
		if errors.Is(err, errStale) { // a segment of the group is gone: choose anew
			continue
		}
		if err != nil || n == 0 {
			return merged, err
		}
		merged += n
	}
}

func (s *Service) mergeOnce(ctx context.Context, actor access.Actor, id ids.Dataset) (int, error) {
	d, live, err := s.current(ctx, actor, id)
	if err != nil {
		return 0, err
	}
	group := mergeGroup(live)
	if len(group) == 0 {
		return 0, nil
	}
	stage, removeStage, err := s.stage(ctx)
	if err != nil {
		return 0, err
	}
	defer removeStage()
	inputs, release, err := s.openFiles(ctx, group)
	if err != nil {
		return 0, err
	}
	defer release()
	written, err := s.writer.Merge(ctx, segments.Merge{Layout: layoutOf(d), Inputs: inputs, Path: filepath.Join(stage, "merged.parquet")})
	if err != nil {
		return 0, fmt.Errorf("merge segments: %w", err)
	}
	var before int64
	for _, segment := range group {
		before += segment.RowCount
	}
	if before != written.Rows {
		return 0, fmt.Errorf("merge of %d rows of %s answered %d", before, id, written.Rows)
	}
	files, err := s.publish(ctx, actor.TenantID, id, []segments.File{written})
	if err != nil {
		return 0, err
	}
	return len(group) - len(files), s.commitMerge(ctx, actor, id, d, group, files)
}

// commitMerge puts merged files into the place of a group, if all of it is
// still there and columns are as they were.
func (s *Service) commitMerge(ctx context.Context, actor access.Actor, id ids.Dataset, d Dataset, group []db.SegmentListLiveRow, files []file) error {
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := s.lock(ctx, tx, actor, id, "")
		if err != nil {
			return err
		}
		if row.Revision != d.Revision {
			return errStale
		}
		remove := make([]uuid.UUID, len(group))
		for i, segment := range group {
			remove[i] = segment.SegmentID
		}
		now := s.moment()
		if err := s.moveSegments(ctx, tx, row.DatasetID, row.Version, now, change{remove: remove, add: files}); err != nil {
			return err
		}
		totals, err := tx.SegmentTotals(ctx, smallSegment, tx.TenantID, row.DatasetID)
		if err != nil {
			return fmt.Errorf("sum segments up: %w", err)
		}
		if totals.RowCount != row.RowCount {
			return fmt.Errorf("merge would change %s from %d to %d rows", id, row.RowCount, totals.RowCount)
		}
		return tx.DatasetSetLayout(ctx, db.DatasetSetLayoutParams{
			ByteCount: totals.ByteCount, SegmentCount: totals.Segments, TenantID: tx.TenantID, DatasetID: row.DatasetID,
		})
	})
}

// mergeGroup chooses segments of about the same size, the smallest first, in
// the order they were made; none when there is no need.
func mergeGroup(live []db.SegmentListLiveRow) []db.SegmentListLiveRow {
	sizes := map[int][]db.SegmentListLiveRow{}
	for _, segment := range live {
		if segment.RowCount < mergeCeiling {
			size := bits.Len64(uint64(segment.RowCount)/smallSegment) / 3 // a factor of 8
			sizes[size] = append(sizes[size], segment)
		}
	}
	order := make([]int, 0, len(sizes))
	for size := range sizes {
		order = append(order, size)
	}
	sort.Ints(order)
	for _, size := range order {
		if group := sizes[size]; len(group) >= mergeWidth {
			return group
		}
	}
	return nil
}
