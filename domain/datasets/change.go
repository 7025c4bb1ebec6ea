package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// errStale is private: the dataset is not as it was when a change was
// prepared. The change is prepared anew.
var errStale = errors.New("dataset changed in the meantime")

// maxPrepares is how often a change is prepared before it is given up. The last
// time, nobody else may change the dataset meanwhile.
const maxPrepares = 4

// change is a change of content whose files are published.
type change struct {
	kind ChangeKind
	// create is the name of the dataset where the change makes it, too.
	create string
	// revision and layout of the dataset that the change was prepared for: the
	// definition its files were written by. -1 for any.
	revision int64
	// live is exactly which segments the dataset must still have; nil for any.
	live      map[uuid.UUID]bool
	remove    []uuid.UUID
	removeAll bool
	add       []file
	plan      *plan // nil when the definition stays
	revive    []int32
	drop      []int32
	written   int64 // rows
	load      *loadOutcome
	note      string
	short     bool   // a small live append: kept for a short time
	appendKey string // of a small live append
	source    *sources.Sealed
	before    func(context.Context, *db.Tx) error // nil for none
	complete  func(context.Context, *db.Tx) error // closes the job; nil for none
	audited   bool
}

// file is a published segment.
type file struct {
	id             uuid.UUID
	key, sampleKey string
	rows, bytes    int64
	stats          json.RawMessage
	sampleRows     int64
}

// loadOutcome closes the row of a load.
type loadOutcome struct {
	id               ids.Load
	report           json.RawMessage
	loaded, rejected int64
	rejectsKey       string
}

// publish makes written files durable under keys of their own.
func (s *Service) publish(ctx context.Context, tenant ids.Tenant, dataset ids.Dataset, written []segments.File) ([]file, error) {
	prefix, err := s.prefix(ctx, tenant)
	if err != nil {
		return nil, err
	}
	files := make([]file, len(written))
	for i, w := range written {
		f := file{id: ids.New[uuid.UUID](), rows: w.Rows, bytes: w.Bytes}
		f.key = segmentKey(prefix, dataset, f.id)
		if err := s.blobs.PublishFile(ctx, f.key, w.Path); err != nil {
			return nil, fmt.Errorf("publish segment: %w", err)
		}
		if w.Sample != "" {
			f.sampleKey, f.sampleRows = sampleKey(prefix, dataset, f.id), w.SampleRows
			if err := s.blobs.PublishFile(ctx, f.sampleKey, w.Sample); err != nil {
				return nil, fmt.Errorf("publish sample: %w", err)
			}
			f.bytes += w.SampleBytes
		}
		if f.stats, err = json.Marshal(w.Stats); err != nil {
			return nil, fmt.Errorf("encode segment statistics: %w", err)
		}
		if w.Stats == nil {
			f.stats = json.RawMessage("{}")
		}
		files[i] = f
	}
	s.published()
	return files, nil
}

// commit carries out a prepared change in one transaction.
//
// Errors: errStale, datasets.not_found.
func (s *Service) commit(ctx context.Context, actor access.Actor, id ids.Dataset, c change) (int64, error) {
	var version int64
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := s.lock(ctx, tx, actor, id, c.create)
		if err != nil {
			return err
		}
		version, err = s.apply(ctx, tx, actor, row, c)
		return err
	})
	return version, err
}

// lock holds the dataset's row until the end of the transaction, making it
// first where create is its name.
//
// Errors: datasets.not_found, errStale when the name was taken meanwhile.
func (s *Service) lock(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dataset, create string) (db.DatasetGetRow, error) {
	if create != "" {
		err := tx.DatasetInsert(ctx, db.DatasetInsertParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), Name: create, CreatedBy: userOf(actor), Now: s.moment(),
		})
		if _, taken := db.IsUniqueViolation(err); taken {
			return db.DatasetGetRow{}, errors.Join(errStale, err)
		}
		if err != nil {
			return db.DatasetGetRow{}, fmt.Errorf("insert dataset: %w", err)
		}
	}
	row, err := tx.DatasetLock(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return db.DatasetGetRow{}, lockError(ctx, tx, id, err)
	}
	if err := manages(ctx, tx, actor, id); err != nil {
		return db.DatasetGetRow{}, err
	}
	return db.DatasetGetRow(row), nil
}

// apply carries out a change of a dataset whose row is locked, and answers the
// new version.
func (s *Service) apply(ctx context.Context, tx *db.Tx, actor access.Actor, row db.DatasetGetRow, c change) (int64, error) {
	if c.before != nil {
		if err := c.before(ctx, tx); err != nil {
			return 0, err
		}
	}
	if c.revision >= 0 && c.revision != row.Revision {
		return 0, errStale
	}
	if c.live != nil {
		if err := sameLive(ctx, tx, row.DatasetID, c.live); err != nil {
			return 0, err
		}
	}
	now, version := s.moment(), row.Version+1
	if err := s.moveSegments(ctx, tx, row.DatasetID, version, now, c); err != nil {
		return 0, err
	}
	content := db.DatasetSetContentParams{
		Version: version, Revision: row.Revision, NextColumn: row.NextColumn, TimeColumn: row.TimeColumn,
		KeyColumns: row.KeyColumns, Now: now, TenantID: tx.TenantID, DatasetID: row.DatasetID,
	}
	if err := s.moveColumns(ctx, tx, row, version, c, &content); err != nil {
		return 0, err
	}
	totals, err := tx.SegmentTotals(ctx, smallSegment, tx.TenantID, row.DatasetID)
	if err != nil {
		return 0, fmt.Errorf("sum segments up: %w", err)
	}
	content.RowCount, content.ByteCount, content.SegmentCount = totals.RowCount, totals.ByteCount, totals.Segments
	if err := tx.DatasetSetContent(ctx, content); err != nil {
		return 0, fmt.Errorf("set dataset version: %w", err)
	}
	if err := s.recordVersion(ctx, tx, actor, row, version, now, c, totals.RowCount, totals.ByteCount); err != nil {
		return 0, err
	}
	if totals.Small >= mergeFrom || totals.Segments >= mergeAnyFrom {
		if err := s.requestMerge(ctx, tx, ids.Dataset(row.DatasetID)); err != nil {
			return 0, err
		}
	}
	event := events.Event{TenantID: tx.TenantID, Kind: events.DatasetChanged, ID: row.DatasetID, Version: version}
	if err := tx.InsertOutboxEvent(ctx, event); err != nil {
		return 0, err
	}
	if c.complete != nil {
		if err := c.complete(ctx, tx); err != nil {
			return 0, err
		}
	}
	return version, nil
}

func sameLive(ctx context.Context, tx *db.Tx, id uuid.UUID, want map[uuid.UUID]bool) error {
	live, err := tx.SegmentListLive(ctx, tx.TenantID, id)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	if len(live) != len(want) {
		return errStale
	}
	for _, segment := range live {
		if !want[segment.SegmentID] {
			return errStale
		}
	}
	return nil
}

func (s *Service) moveSegments(ctx context.Context, tx *db.Tx, id uuid.UUID, version int64, now time.Time, c change) error {
	if c.removeAll {
		if _, err := tx.SegmentRemoveAll(ctx, db.SegmentRemoveAllParams{Version: version, Now: now, TenantID: tx.TenantID, DatasetID: id}); err != nil {
			return fmt.Errorf("remove segments: %w", err)
		}
	} else if len(c.remove) > 0 {
		n, err := tx.SegmentRemove(ctx, db.SegmentRemoveParams{
			Version: version, Now: now, TenantID: tx.TenantID, DatasetID: id, SegmentIds: c.remove,
		})
		if err != nil {
			return fmt.Errorf("remove segments: %w", err)
		}
		if n != int64(len(c.remove)) {
			return errStale
		}
	}
	return insertFiles(ctx, tx, id, version, now, c.add)
}

func insertFiles(ctx context.Context, tx *db.Tx, id uuid.UUID, version int64, now time.Time, files []file) error {
	for _, f := range files {
		err := tx.SegmentInsert(ctx, db.SegmentInsertParams{
			TenantID: tx.TenantID, SegmentID: f.id, DatasetID: id, Key: f.key, RowCount: f.rows, ByteCount: f.bytes,
			Stats: f.stats, SampleKey: f.sampleKey, SampleRows: f.sampleRows, Now: now, AddedIn: version,
		})
		if err != nil {
			return fmt.Errorf("insert segment: %w", err)
		}
	}
	return nil
}

// moveColumns writes the columns of a plan, or of a restored version.
func (s *Service) moveColumns(ctx context.Context, tx *db.Tx, row db.DatasetGetRow, version int64, c change, content *db.DatasetSetContentParams) error {
	drop, revised := c.drop, len(c.drop)+len(c.revive) > 0
	if c.plan != nil {
		drop = append(append([]int32(nil), drop...), c.plan.dropped...)
	}
	for _, id := range drop {
		if _, err := tx.ColumnDrop(ctx, db.ColumnDropParams{DroppedIn: version, TenantID: tx.TenantID, DatasetID: row.DatasetID, ColumnID: id}); err != nil {
			return fmt.Errorf("drop column %d: %w", id, err)
		}
	}
	for _, id := range c.revive {
		// The versions in between go on without it.
		err := tx.ColumnGapInsert(ctx, db.ColumnGapInsertParams{RestoredIn: version, TenantID: tx.TenantID, DatasetID: row.DatasetID, ColumnID: id})
		if err != nil {
			return fmt.Errorf("remember absence of column %d: %w", id, err)
		}
		if _, err := tx.ColumnRevive(ctx, tx.TenantID, row.DatasetID, id); err != nil {
			return fmt.Errorf("bring column %d back: %w", id, err)
		}
	}
	if c.plan != nil {
		if err := s.writePlan(ctx, tx, row, version, c.plan); err != nil {
			return err
		}
		revised = revised || c.plan.revised
		content.NextColumn, content.TimeColumn = c.plan.nextColumn, c.plan.timeColumn
		content.KeyColumns = append([]int32{}, c.plan.keyColumns...)
	}
	if content.KeyColumns == nil {
		content.KeyColumns = []int32{}
	}
	if !revised {
		return nil
	}
	content.Revision++
	if err := tx.LookupReviseOwners(ctx, tx.TenantID, row.DatasetID); err != nil {
		return fmt.Errorf("revise lookups: %w", err)
	}
	return nil
}

func (s *Service) writePlan(ctx context.Context, tx *db.Tx, row db.DatasetGetRow, version int64, p *plan) error {
	position := map[int32]int32{}
	for i, id := range p.order {
		position[id] = int32(i)
	}
	for _, c := range p.added {
		format, err := json.Marshal(formatOf(c.column.Format))
		if err != nil {
			return fmt.Errorf("encode format: %w", err)
		}
		err = tx.ColumnInsert(ctx, db.ColumnInsertParams{
			TenantID: tx.TenantID, DatasetID: row.DatasetID, ColumnID: c.column.ID, Name: c.column.Name, Type: string(c.column.Type),
			Precision: int16(c.column.Precision), Scale: int16(c.column.Scale), Role: c.column.Role, Format: format,
			Reading: readingOf(c.reading), Position: position[c.column.ID], AddedIn: version,
		})
		if err != nil {
			return fmt.Errorf("insert column %q: %w", c.column.Name, err)
		}
	}
	for _, c := range p.retyped {
		err := tx.ColumnSetType(ctx, db.ColumnSetTypeParams{
			Type: string(c.column.Type), Precision: int16(c.column.Precision), Scale: int16(c.column.Scale),
			Reading: readingOf(c.reading), TenantID: tx.TenantID, DatasetID: row.DatasetID, ColumnID: c.column.ID,
		})
		if err != nil {
			return fmt.Errorf("set type of column %q: %w", c.column.Name, err)
		}
	}
	if p.revised && row.Version > 0 {
		for id, at := range position {
			err := tx.ColumnSetPosition(ctx, db.ColumnSetPositionParams{Position: at, TenantID: tx.TenantID, DatasetID: row.DatasetID, ColumnID: id})
			if err != nil {
				return fmt.Errorf("set order of columns: %w", err)
			}
		}
	}
	for from, to := range p.moved {
		if err := tx.LookupMoveColumn(ctx, db.LookupMoveColumnParams{NewColumn: to, TenantID: tx.TenantID, DatasetID: row.DatasetID, OldColumn: from}); err != nil {
			return fmt.Errorf("move lookups: %w", err)
		}
		if err := tx.LookupMoveKey(ctx, db.LookupMoveKeyParams{NewColumn: to, TenantID: tx.TenantID, TargetID: row.DatasetID, OldColumn: from}); err != nil {
			return fmt.Errorf("move lookups: %w", err)
		}
	}
	return nil
}

func (s *Service) recordVersion(ctx context.Context, tx *db.Tx, actor access.Actor, row db.DatasetGetRow, version int64, now time.Time, c change, rows, bytes int64) error {
	if row.Version > 0 {
		if err := tx.VersionSupersede(ctx, db.VersionSupersedeParams{Now: &now, TenantID: tx.TenantID, DatasetID: row.DatasetID, Version: row.Version}); err != nil {
			return fmt.Errorf("supersede version: %w", err)
		}
	}
	live := c.short
	if live {
		// One version an hour is kept for long all the same.
		found, err := tx.VersionHasCheckpoint(ctx, tx.TenantID, row.DatasetID, now.Add(-time.Hour))
		if err != nil {
			return fmt.Errorf("find checkpoint: %w", err)
		}
		live = found
	}
	insert := db.VersionInsertParams{
		TenantID: tx.TenantID, DatasetID: row.DatasetID, Version: version, Kind: string(c.kind), Now: now, UserID: userOf(actor),
		RowCount: rows, ByteCount: bytes, RowsWritten: c.written, Note: c.note, Live: live,
	}
	if c.load != nil {
		insert.LoadID = optional(c.load.id)
	}
	if err := tx.VersionInsert(ctx, insert); err != nil {
		return fmt.Errorf("insert version: %w", err)
	}
	if c.appendKey != "" {
		n, err := tx.AppendInsert(ctx, db.AppendInsertParams{
			TenantID: tx.TenantID, DatasetID: row.DatasetID, AppendKey: c.appendKey, Version: version, RowCount: c.written, Now: now,
		})
		if err != nil {
			return fmt.Errorf("remember append: %w", err)
		}
		if n == 0 { // the same append was faster in another process
			return errStale
		}
	}
	if c.source != nil {
		if err := sources.Save(ctx, tx, actor, *c.source, now); err != nil {
			return err
		}
		if err := tx.DatasetSetSource(ctx, optional(c.source.ID()), tx.TenantID, row.DatasetID); err != nil {
			return fmt.Errorf("set source: %w", err)
		}
	}
	if c.load != nil {
		n, err := tx.LoadSetDone(ctx, db.LoadSetDoneParams{
			DatasetID: row.DatasetID, Version: version, Report: c.load.report, RowsLoaded: c.load.loaded, RowsRejected: c.load.rejected,
			RejectsKey: c.load.rejectsKey, Now: now, TenantID: tx.TenantID, LoadID: c.load.id.UUID(),
		})
		if err != nil {
			return fmt.Errorf("close load: %w", err)
		}
		if n == 0 {
			return jobs.ErrLeaseLost // somebody closed it: this attempt is not wanted any more
		}
	}
	if c.short || !c.audited {
		return nil
	}
	return audit.Record(ctx, tx, actor, audit.Entry{
		Action: "datasets." + auditVerb[c.kind], Target: "dataset", ID: row.DatasetID.String(),
		Detail: map[string]any{"version": version, "rows": rows},
	})
}

var auditVerb = map[ChangeKind]string{
	ChangeAppend: "appended", ChangeReplace: "replaced", ChangeUpsert: "upserted", ChangeDelete: "rows_deleted", ChangeRestore: "restored",
}
