package datasets

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// keyChange is a change of rows by key: the segments that hold the keys are
// written anew.
type keyChange struct {
	dataset ids.Dataset
	stage   string
	change  segments.Change // Inputs, Dir and Prefix are filled in here
	// done makes the change of content that goes with the rewrite. It answers
	// errNothing when nothing is to be committed.
	done func(segments.Changed) (change, error)
}

var errNothing = errors.New("nothing changed")

// changeByKey rewrites the given live segments and commits. Somebody may have
// changed the dataset meanwhile: then it answers errStale. The last time, the
// dataset is held against changes while its segments are rewritten.
func (s *Service) changeByKey(ctx context.Context, actor access.Actor, work keyChange, live []db.SegmentListLiveRow, last bool) (int64, error) {
	if !last {
		c, err := s.rewrite(ctx, actor, work, live)
		if err != nil {
			return 0, err
		}
		return s.commit(ctx, actor, work.dataset, c)
	}
	var version int64
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := s.lock(ctx, tx, actor, work.dataset, "")
		if err != nil {
			return err
		}
		live, err := tx.SegmentListLive(ctx, tx.TenantID, row.DatasetID)
		if err != nil {
			return fmt.Errorf("list segments: %w", err)
		}
		c, err := s.rewrite(ctx, actor, work, live)
		if err != nil {
			return err
		}
		version, err = s.apply(ctx, tx, actor, row, c)
		return err
	})
	return version, err
}

// rewrite applies a change by key to the given segments and publishes the
// outcome.
func (s *Service) rewrite(ctx context.Context, actor access.Actor, work keyChange, live []db.SegmentListLiveRow) (change, error) {
	inputs, release, err := s.openFiles(ctx, live)
	if err != nil {
		return change{}, err
	}
	defer release()
	work.change.Dir, err = os.MkdirTemp(work.stage, "rewrite-*")
	if err != nil {
		return change{}, fmt.Errorf("make directory: %w", err)
	}
	work.change.Prefix = "rewritten"
	byPath := make(map[string]uuid.UUID, len(inputs))
	expected := make(map[uuid.UUID]bool, len(inputs))
	for i, path := range inputs {
		byPath[path] = live[i].SegmentID
		expected[live[i].SegmentID] = true
		work.change.Inputs = append(work.change.Inputs, path)
	}
	changed, err := s.writer.RewriteByKey(ctx, work.change)
	if err != nil {
		return change{}, fmt.Errorf("rewrite segments: %w", err)
	}
	c, err := work.done(changed)
	if err != nil {
		return change{}, err
	}
	c.live = expected
	kept := map[string]bool{}
	for _, path := range inputs {
		kept[path] = true
	}
	for _, path := range changed.Removed {
		c.remove = append(c.remove, byPath[path])
		delete(kept, path)
	}
	if err := s.checkUnique(ctx, actor, work.dataset, c.plan, kept, changed.Added); err != nil {
		return change{}, err
	}
	c.add, err = s.publish(ctx, actor.TenantID, work.dataset, changed.Added)
	return c, err
}

// openFiles makes live segments openable, in their order.
func (s *Service) openFiles(ctx context.Context, live []db.SegmentListLiveRow) ([]string, func(), error) {
	var pins []func()
	release := func() {
		for _, unpin := range pins {
			unpin()
		}
	}
	paths := make([]string, len(live))
	for i, segment := range live {
		path, unpin, err := s.blobs.Local(ctx, segment.Key)
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("open segment %s: %w", segment.Key, err)
		}
		pins = append(pins, unpin)
		paths[i] = path
	}
	return paths, release, nil
}

// checkTargets makes sure, before anything is published, that the keys which
// other datasets look up by stay unique. Where there are such keys, the change
// is bound to the segments that it was checked against.
//
// Errors: datasets.lookup_not_unique.
func (s *Service) checkTargets(ctx context.Context, actor access.Actor, id ids.Dataset, c *change, live []db.SegmentListLiveRow, added []segments.File) error {
	if c.create != "" {
		return nil
	}
	targeted, err := s.targetedKeys(ctx, actor, id)
	if err != nil || len(targeted) == 0 {
		return err
	}
	kept := map[string]bool{}
	if !c.removeAll {
		paths, release, err := s.openFiles(ctx, live)
		if err != nil {
			return err
		}
		defer release()
		c.live = map[uuid.UUID]bool{}
		for i, path := range paths {
			kept[path] = true
			c.live[live[i].SegmentID] = true
		}
	}
	return s.checkUnique(ctx, actor, id, c.plan, kept, added)
}

// checkTargetsAgain is checkTargets for files that are published already.
func (l *loader) checkTargetsAgain(ctx context.Context, id ids.Dataset, c *change) error {
	targeted, err := l.targetedKeys(ctx, l.actor, id)
	if err != nil || len(targeted) == 0 || c.removeAll {
		return err
	}
	// The staged files were moved away: read them again from where they are.
	files := make([]segments.File, len(l.files))
	for i, f := range l.files {
		path, release, err := l.blobs.Local(ctx, f.key)
		if err != nil {
			return fmt.Errorf("open segment %s: %w", f.key, err)
		}
		defer release()
		files[i].Path = path
	}
	_, _, live, err := l.target(ctx)
	if err != nil {
		return err
	}
	return l.checkTargets(ctx, l.actor, id, c, live, files)
}

type targetedKey struct {
	column int32
	by     string // the dataset that looks up
	lookup string
}

func (s *Service) targetedKeys(ctx context.Context, actor access.Actor, id ids.Dataset) ([]targetedKey, error) {
	var keys []targetedKey
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.LookupListTargeting(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list lookups of others: %w", err)
		}
		for _, r := range rows {
			keys = append(keys, targetedKey{column: r.KeyColumnID, by: r.DatasetName, lookup: r.Name})
		}
		return nil
	})
	return keys, err
}

// checkUnique reads the key columns that lookups use over the files that the
// dataset would have.
func (s *Service) checkUnique(ctx context.Context, actor access.Actor, id ids.Dataset, p *plan, kept map[string]bool, added []segments.File) error {
	targeted, err := s.targetedKeys(ctx, actor, id)
	if err != nil || len(targeted) == 0 {
		return err
	}
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	var files []string
	for path := range kept {
		files = append(files, path)
	}
	for _, f := range added {
		files = append(files, f.Path)
	}
	for _, key := range targeted {
		column, ok := targetColumn(d, p, key.column)
		if !ok || len(files) == 0 {
			continue // without the column the lookup finds nothing; that is shown before
		}
		unique, duplicate, err := s.unique(ctx, actor.TenantID, column, files)
		if err != nil {
			return err
		}
		if !unique {
			return ErrLookupNotUnique.With("“%s” looks values up in “%s” by %s (lookup “%s”), so each %s may be there only once; %s is there more than once.",
				key.by, d.Name, column.Name, key.lookup, column.Name, duplicate)
		}
	}
	return nil
}

func targetColumn(d Dataset, p *plan, id int32) (segments.Column, bool) {
	if p != nil {
		if successor, moved := p.moved[id]; moved {
			id = successor
		}
		for _, c := range p.layout.Columns {
			if c.ID == id {
				return c, true
			}
		}
		return segments.Column{}, false
	}
	c, ok := d.ColumnByID(id)
	return segmentColumn(c), ok
}

// unique tells whether no value of a column repeats, and names one that does.
func (s *Service) unique(ctx context.Context, tenant ids.Tenant, column segments.Column, files []string) (bool, string, error) {
	leave, err := s.engine.Enter(ctx, tenant.String())
	if err != nil {
		return false, "", err
	}
	defer leave()
	profiles, err := s.writer.Profile(ctx, []segments.Column{column}, files)
	if err != nil {
		return false, "", fmt.Errorf("check key column: %w", err)
	}
	p := profiles[0]
	if p.Distinct == p.Rows-p.Nulls {
		return true, "", nil
	}
	if len(p.Top) > 0 {
		return false, "“" + p.Top[0].Value + "”", nil
	}
	return false, "a value", nil
}

// ParseKeys reads keys as people paste them and files have them: one a line,
// the values of several columns with tabs or commas between them, quoted as in
// CSV where a value has one itself. Empty lines are left out.
//
// Errors: datasets.rows_invalid.
func ParseKeys(text string, columns int) ([][]any, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var keys [][]any
	if columns == 1 && !strings.Contains(text, `"`) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				keys = append(keys, []any{line})
			}
		}
	} else {
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord, r.TrimLeadingSpace = columns, true
		if columns == 1 || strings.Contains(text, "\t") {
			r.Comma = '\t'
		}
		records, err := r.ReadAll()
		if err != nil {
			return nil, ErrRowsInvalid.With("Give one key a line, with %d values each.", columns).Wrap(err)
		}
		for _, record := range records {
			key := make([]any, columns)
			for i, value := range record {
				key[i] = strings.TrimSpace(value)
			}
			keys = append(keys, key)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, ErrRowsInvalid.With("Give at least one key.")
	case len(keys) > maxAppendRows:
		return nil, ErrRowsInvalid.With("At most %d keys can be given at once.", maxAppendRows)
	}
	return keys, nil
}

// CountByKey answers how many rows DeleteByKey would remove now.
//
// Errors: as DeleteByKey.
func (s *Service) CountByKey(ctx context.Context, actor access.Actor, id ids.Dataset, columns []string, keys [][]any) (int64, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return 0, err
	}
	d, live, err := s.current(ctx, actor, id)
	if err != nil {
		return 0, err
	}
	deletion, err := deletionOf(d, columns, keys)
	if err != nil {
		return 0, err
	}
	inputs, release, err := s.openFiles(ctx, live)
	if err != nil {
		return 0, err
	}
	defer release()
	leave, err := s.engine.Enter(ctx, actor.TenantID.String())
	if err != nil {
		return 0, err
	}
	defer leave()
	deletion.Inputs = inputs
	return s.writer.CountByKey(ctx, deletion)
}

// deletionOf is the change by key that deletes; the dataset's own key is taken
// where no columns are named.
//
// Errors: datasets.key_invalid, datasets.column_not_found, datasets.rows_invalid.
func deletionOf(d Dataset, columns []string, keys [][]any) (segments.Change, error) {
	if len(columns) == 0 {
		for _, key := range d.KeyColumns {
			if c, ok := d.ColumnByID(key); ok {
				columns = append(columns, c.Name)
			}
		}
	}
	if len(columns) == 0 {
		return segments.Change{}, ErrKeyInvalid.With("“%s” has no key. Say by which columns rows are found.", d.Name)
	}
	if len(keys) == 0 {
		return segments.Change{}, ErrKeyInvalid
	}
	rows, err := rowsOf(d, columns, keys)
	if err != nil {
		return segments.Change{}, err
	}
	change := segments.Change{Layout: layoutOf(d), Deletes: &rows}
	for _, c := range rows.Columns {
		change.Key = append(change.Key, c.ID)
	}
	return change, nil
}

// DeleteByKey removes the rows with the given keys for good from the current
// version on: a correction, or the erasure of a person. Columns name the key,
// none the dataset's own. It answers how many rows went. Earlier versions keep
// them until they expire.
//
// Errors: datasets.not_found, datasets.key_invalid, datasets.column_not_found,
// datasets.rows_invalid, datasets.busy, access.forbidden.
func (s *Service) DeleteByKey(ctx context.Context, actor access.Actor, id ids.Dataset, columns []string, keys [][]any) (int64, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return 0, err
	}
	stage, removeStage, err := s.stage(ctx)
	if err != nil {
		return 0, err
	}
	defer removeStage()
	for attempt := 1; ; attempt++ {
		deleted, err := s.deleteByKey(ctx, actor, id, columns, keys, stage, attempt == maxPrepares)
		switch {
		case errors.Is(err, errStale) && attempt < maxPrepares:
			continue
		case errors.Is(err, errStale):
			return 0, ErrBusy.Wrap(err)
		case errors.Is(err, errNothing):
			return 0, nil
		}
		return deleted, err
	}
}

func (s *Service) deleteByKey(ctx context.Context, actor access.Actor, id ids.Dataset, columns []string, keys [][]any, stage string, last bool) (int64, error) {
	d, live, err := s.current(ctx, actor, id)
	if err != nil {
		return 0, err
	}
	deletion, err := deletionOf(d, columns, keys)
	if err != nil {
		return 0, err
	}
	work := keyChange{dataset: id, stage: stage, change: deletion}
	var deleted int64
	work.done = func(changed segments.Changed) (c change, _ error) {
		deleted = changed.Deleted
		if deleted == 0 {
			return c, errNothing
		}
		return change{kind: ChangeDelete, revision: d.Revision, written: deleted, audited: true,
			note: fmt.Sprintf("%d keys", len(keys))}, nil
	}
	if _, err := s.changeByKey(ctx, actor, work, live, last); err != nil {
		return 0, err
	}
	return deleted, nil
}

// current reads a dataset together with its segments.
func (s *Service) current(ctx context.Context, actor access.Actor, id ids.Dataset) (Dataset, []db.SegmentListLiveRow, error) {
	var d Dataset
	var live []db.SegmentListLiveRow
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		share, err := tx.DatasetShare(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return lockError(ctx, tx, id, err)
		}
		if err := manages(ctx, tx, actor, id); err != nil {
			return err
		}
		if d, err = readDataset(ctx, tx, db.DatasetGetRow(share)); err != nil {
			return err
		}
		if live, err = tx.SegmentListLive(ctx, tx.TenantID, id.UUID()); err != nil {
			return fmt.Errorf("list segments: %w", err)
		}
		return nil
	})
	return d, live, err
}

func layoutOf(d Dataset) segments.Layout {
	layout := segments.Layout{TimeColumn: d.TimeColumn}
	for _, c := range d.Columns {
		layout.Columns = append(layout.Columns, segmentColumn(c))
	}
	return layout
}
