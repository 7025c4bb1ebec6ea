package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// NewLookup declares that a column of a dataset holds keys of another.
type NewLookup struct {
	Name   string // then usable as "name.column"
	Column string // of the dataset
	Target string // name or id of the other dataset
	Key    string // column of the other dataset; no value may repeat
}

// AddLookup declares a lookup. From then on each key stays unique: a load that
// would repeat one is refused.
//
// Errors: datasets.not_found, datasets.column_not_found,
// datasets.lookup_invalid, datasets.lookup_not_unique, datasets.busy,
// access.forbidden.
func (s *Service) AddLookup(ctx context.Context, actor access.Actor, id ids.Dataset, n NewLookup) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	name := strings.TrimSpace(n.Name)
	const length = "A lookup's name has 1 to 120 characters and no full stop."
	problem := plaintext.Problem(name, 120, length)
	if problem == "" && strings.ContainsRune(name, '.') {
		problem = length
	}
	if problem != "" {
		return ErrLookupInvalid.With("%s", problem)
	}
	targetID, err := s.Resolve(ctx, actor, n.Target)
	if err != nil {
		return err
	}
	if targetID == id {
		return ErrLookupInvalid.With("A dataset can't look values up in itself.")
	}
	for attempt := 1; ; attempt++ {
		err := s.addLookup(ctx, actor, id, targetID, name, n)
		switch {
		case (errors.Is(err, errStale) || db.IsRefusedOrder(err)) && attempt < maxPrepares:
			continue
		case errors.Is(err, errStale) || db.IsRefusedOrder(err):
			return ErrBusy.Wrap(err)
		}
		return err
	}
}

func (s *Service) addLookup(ctx context.Context, actor access.Actor, id, targetID ids.Dataset, name string, n NewLookup) error {
	target, live, err := s.current(ctx, actor, targetID)
	if err != nil {
		return err
	}
	key, ok := target.ColumnByName(n.Key)
	if !ok {
		return ErrColumnNotFound.With("“%s” has no column “%s”.", target.Name, n.Key)
	}
	repeated := func(value string) error {
		return ErrLookupNotUnique.With("%s is in “%s” of “%s” more than once. A lookup needs a column without repeated values.", value, key.Name, target.Name)
	}
	paths, release, err := s.openFiles(ctx, live)
	if err != nil {
		return err
	}
	defer release()
	if len(paths) > 0 {
		unique, duplicate, err := s.unique(ctx, actor.TenantID, segmentColumn(key), paths)
		if err != nil {
			return err
		}
		if !unique {
			return repeated(duplicate)
		}
	}
	s.checked()
	return s.reviseWith(ctx, actor, id, targetID, "datasets.lookup_added", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		column, ok := d.ColumnByName(n.Column)
		if !ok {
			return nil, ErrColumnNotFound.With("“%s” has no column “%s”.", d.Name, n.Column)
		}
		if err := lookupTypes(column.Column, key.Column); err != nil {
			return nil, err
		}
		for _, l := range d.Lookups {
			if strings.EqualFold(l.Name, name) {
				return nil, ErrLookupInvalid.With("There is a lookup “%s” already.", l.Name)
			}
		}
		for _, c := range d.Columns {
			if strings.HasPrefix(c.Name, name+".") {
				return nil, ErrLookupInvalid.With("The column “%s” begins like a column of this lookup would.", c.Name)
			}
		}
		// The target is held from here on. What came into it since it was checked
		// is checked now: a dataset with an append a second would be busy forever.
		row, err := s.lock(ctx, tx, actor, targetID, "")
		if err != nil {
			return nil, err
		}
		if row.Revision != target.Revision {
			return nil, errStale
		}
		value, found, err := s.repeatedSince(ctx, tx, targetID, segmentColumn(key), live)
		if err != nil {
			return nil, err
		}
		if found {
			return nil, repeated("“" + value + "”")
		}
		err = tx.LookupInsert(ctx, db.LookupInsertParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), Name: name, ColumnID: column.ID, TargetID: targetID.UUID(), KeyColumnID: key.ID,
		})
		if err != nil {
			return nil, fmt.Errorf("insert lookup: %w", err)
		}
		// A load of the target that is being prepared has to look again.
		if err := tx.DatasetRevise(ctx, tx.TenantID, targetID.UUID()); err != nil {
			return nil, fmt.Errorf("revise %s: %w", targetID, err)
		}
		return map[string]any{"lookup": name, "target": targetID.String()}, nil
	})
}

// repeatedSince answers a value of a column that repeats now, although it
// repeated in none of the segments that were checked.
func (s *Service) repeatedSince(ctx context.Context, tx *db.Tx, id ids.Dataset, column segments.Column, checked []db.SegmentListLiveRow) (string, bool, error) {
	live, err := tx.SegmentListLive(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return "", false, fmt.Errorf("list segments: %w", err)
	}
	known := map[uuid.UUID]bool{}
	for _, segment := range checked {
		known[segment.SegmentID] = true
	}
	paths, release, err := s.openFiles(ctx, live)
	if err != nil {
		return "", false, err
	}
	defer release()
	var kept, added []string
	for i, path := range paths {
		if known[live[i].SegmentID] {
			kept = append(kept, path)
		} else {
			added = append(added, path)
		}
	}
	return s.writer.Repeated(ctx, column, kept, added)
}

func lookupTypes(column, key warehouse.Column) error {
	switch {
	case key.Type == warehouse.Float || column.Type == warehouse.Float:
		return ErrLookupInvalid.With("Columns with floating-point numbers can't be keys.")
	case key.Type != column.Type:
		return ErrLookupInvalid.With("“%s” is %s and “%s” is %s. Both must have the same type.", column.Name, TypeName(column), key.Name, TypeName(key))
	}
	return nil
}

// RemoveLookup removes a lookup.
//
// Errors: datasets.not_found, datasets.lookup_not_found, access.forbidden.
func (s *Service) RemoveLookup(ctx context.Context, actor access.Actor, id ids.Dataset, name string) error {
	return s.revise(ctx, actor, id, "datasets.lookup_removed", func(ctx context.Context, tx *db.Tx, _ Dataset) (map[string]any, error) {
		n, err := tx.LookupDelete(ctx, tx.TenantID, id.UUID(), clean(name))
		if err != nil {
			return nil, fmt.Errorf("delete lookup: %w", err)
		}
		if n == 0 {
			return nil, ErrLookupNotFound
		}
		return map[string]any{"lookup": name}, nil
	})
}

// clean drops what PostgreSQL refuses as text: such a name finds nothing anyway.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "�")
}

// SaveMeasure adds or replaces a saved measure. It is tried on the dataset
// before it is kept.
//
// Errors: datasets.not_found, datasets.measure_invalid, query.*,
// access.forbidden.
func (s *Service) SaveMeasure(ctx context.Context, actor access.Actor, id ids.Dataset, m Measure) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	m.Name = strings.TrimSpace(m.Name)
	if problem := plaintext.Problem(m.Name, 120, "A measure's name has 1 to 120 characters."); problem != "" {
		return ErrMeasureInvalid.With("%s", problem)
	}
	if usesSaved(m.Measure) {
		return ErrMeasureInvalid.With("A saved measure can't use another saved measure.")
	}
	if err := m.Format.check(); err != nil {
		return err
	}
	m.Measure.As, m.Measure.Show = "", ""
	trial := m.Measure
	trial.As = "value"
	spec := warehouse.Spec{Dataset: id.String(), Measures: []warehouse.Measure{trial}}
	if _, err := s.Query(ctx, actor, QueryRequest{Spec: spec}); err != nil {
		return err
	}
	format, err := json.Marshal(m.Format)
	if err != nil {
		return fmt.Errorf("encode format: %w", err)
	}
	measure, err := json.Marshal(m.Measure)
	if err != nil {
		return fmt.Errorf("encode measure: %w", err)
	}
	return s.revise(ctx, actor, id, "datasets.measure_saved", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		for _, f := range d.Fields {
			if f.Name == m.Name {
				return nil, ErrMeasureInvalid.With("There is a calculated field “%s” already.", f.Name)
			}
		}
		err := tx.MeasureSave(ctx, db.MeasureSaveParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), Name: m.Name, Description: clean(m.Description), Format: format, Measure: measure,
		})
		if err != nil {
			return nil, fmt.Errorf("save measure: %w", err)
		}
		return map[string]any{"measure": m.Name}, nil
	})
}

func usesSaved(m warehouse.Measure) bool {
	if m.Measure != "" {
		return true
	}
	for _, part := range []*warehouse.Measure{m.Numerator, m.Denominator} {
		if part != nil && usesSaved(*part) {
			return true
		}
	}
	return false
}

// RemoveMeasure removes a saved measure.
//
// Errors: datasets.not_found, datasets.measure_not_found, access.forbidden.
func (s *Service) RemoveMeasure(ctx context.Context, actor access.Actor, id ids.Dataset, name string) error {
	return s.revise(ctx, actor, id, "datasets.measure_removed", func(ctx context.Context, tx *db.Tx, _ Dataset) (map[string]any, error) {
		n, err := tx.MeasureDelete(ctx, tx.TenantID, id.UUID(), clean(name))
		if err != nil {
			return nil, fmt.Errorf("delete measure: %w", err)
		}
		if n == 0 {
			return nil, ErrMeasureNotFound
		}
		return map[string]any{"measure": name}, nil
	})
}

// currentMeasure is a saved measure with the names that columns have now.
func currentMeasure(m warehouse.Measure, columns []Column) warehouse.Measure {
	renamed := map[string]string{}
	addRenamed(renamed, "", columns)
	if len(renamed) == 0 {
		return m
	}
	m = renamer(renamed).measure(m)
	m.As = ""
	return m
}

// MeasureSpec is how a measure is computed, for callers that build one.
type MeasureSpec = warehouse.Measure
