package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// NewDataset asks for a dataset without rows, to be filled by appends.
type NewDataset struct {
	Name             string
	Description      string
	Columns          []NewColumn
	TimeColumn       string // name; empty: the first timestamp, else the first date
	RelativeToNewest bool
}

// NewColumn is a column to be made.
type NewColumn struct {
	Name        string
	Type        warehouse.Type
	Precision   uint8 // Decimal only
	Scale       uint8
	Role        string
	Format      Format
	Description string
}

// Create makes a dataset without rows.
//
// Errors: datasets.name_invalid, datasets.name_taken, datasets.column_invalid,
// access.forbidden.
func (s *Service) Create(ctx context.Context, actor access.Actor, n NewDataset) (ids.Dataset, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return ids.Dataset{}, err
	}
	name, err := validName(n.Name)
	if err != nil {
		return ids.Dataset{}, err
	}
	columns, timeColumn, err := n.columns()
	if err != nil {
		return ids.Dataset{}, err
	}
	id := ids.New[ids.Dataset]()
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		err := tx.DatasetInsert(ctx, db.DatasetInsertParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), Name: name, Description: n.Description, CreatedBy: userOf(actor), Now: s.moment(),
		})
		if err := nameError(name, err); err != nil {
			return err
		}
		for i, c := range columns {
			format, err := json.Marshal(n.Columns[i].Format)
			if err != nil {
				return fmt.Errorf("encode format: %w", err)
			}
			err = tx.ColumnInsert(ctx, db.ColumnInsertParams{
				TenantID: tx.TenantID, DatasetID: id.UUID(), ColumnID: c.ID, Name: c.Name, Type: string(c.Type),
				Precision: int16(c.Precision), Scale: int16(c.Scale), Role: c.Role, Format: format,
				Description: n.Columns[i].Description, Reading: json.RawMessage("{}"), Position: int32(i),
			})
			if err != nil {
				return fmt.Errorf("insert column: %w", err)
			}
		}
		err = tx.DatasetSetContent(ctx, db.DatasetSetContentParams{
			Revision: 1, NextColumn: int32(len(columns)) + 1, TimeColumn: timeColumn, KeyColumns: []int32{}, Now: s.moment(),
			TenantID: tx.TenantID, DatasetID: id.UUID(),
		})
		if err != nil {
			return fmt.Errorf("set columns: %w", err)
		}
		if n.RelativeToNewest {
			err := tx.DatasetSetDetails(ctx, db.DatasetSetDetailsParams{
				Name: name, Description: n.Description, TimeColumn: timeColumn, RelativeToNewest: true, KeyColumns: []int32{},
				TenantID: tx.TenantID, DatasetID: id.UUID(),
			})
			if err != nil {
				return fmt.Errorf("set details: %w", err)
			}
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "datasets.created", Target: "dataset", ID: id.String(), Detail: map[string]any{"name": name}})
	})
	return id, err
}

func (n NewDataset) columns() ([]segments.Column, int32, error) {
	var columns []segments.Column
	seen := map[string]bool{}
	timeColumn := int32(0)
	for i, c := range n.Columns {
		name, err := validColumnName(c.Name)
		if err != nil {
			return nil, 0, err
		}
		column := segments.Column{ID: int32(i) + 1, Name: name, Type: segments.Type(c.Type), Precision: c.Precision, Scale: c.Scale, Role: c.Role}
		switch {
		case seen[strings.ToLower(name)]:
			return nil, 0, ErrColumnInvalid.With("There are two columns “%s”.", name)
		case !column.Type.Valid():
			return nil, 0, ErrColumnInvalid.With("“%s” is not a type.", c.Type)
		case column.Type == segments.Decimal && (c.Precision < 1 || c.Precision > 38 || c.Scale > c.Precision):
			return nil, 0, ErrColumnInvalid.With("The decimal column “%s” needs 1 to 38 digits.", name)
		case !validRole(c.Role, c.Type):
			return nil, 0, ErrColumnInvalid.With("A role is latitude or longitude, of a column with numbers.")
		}
		seen[strings.ToLower(name)] = true
		if name == n.TimeColumn && (column.Type == segments.Date || segments.HasBucket(column.Type)) {
			timeColumn = column.ID
		}
		columns = append(columns, column)
	}
	if len(columns) == 0 {
		return nil, 0, ErrColumnInvalid.With("A dataset needs at least one column.")
	}
	if timeColumn == 0 && n.TimeColumn != "" {
		return nil, 0, ErrColumnInvalid.With("The time column must be one with dates or timestamps.")
	}
	if timeColumn == 0 {
		timeColumn = segments.DefaultTimeColumn(columns)
	}
	return columns, timeColumn, nil
}

func validRole(role string, t warehouse.Type) bool {
	number := t == warehouse.Integer || t == warehouse.Decimal || t == warehouse.Float
	return role == "" || ((role == "latitude" || role == "longitude") && number)
}

func validColumnName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if problem := plaintext.Problem(name, 200, "A column's name has 1 to 200 characters."); problem != "" {
		return "", ErrColumnInvalid.With("%s", problem)
	}
	return name, nil
}

func nameError(name string, err error) error {
	if _, taken := db.IsUniqueViolation(err); taken {
		return ErrNameTaken.With("There is a dataset “%s” already.", name).Wrap(err)
	}
	if err != nil {
		return fmt.Errorf("name dataset: %w", err)
	}
	return nil
}

// Edit is a change of a dataset's details; nil fields stay.
type Edit struct {
	Name             *string
	Description      *string
	TimeColumn       *int32 // 0 for none
	RelativeToNewest *bool
	KeyColumns       *[]int32
}

// EditDataset changes a dataset's details.
//
// Errors: datasets.not_found, datasets.name_invalid, datasets.name_taken,
// datasets.column_invalid, access.forbidden.
func (s *Service) EditDataset(ctx context.Context, actor access.Actor, id ids.Dataset, e Edit) error {
	return s.revise(ctx, actor, id, "datasets.edited", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		set := db.DatasetSetDetailsParams{
			Name: d.Name, Description: d.Description, TimeColumn: d.TimeColumn, RelativeToNewest: d.RelativeToNewest,
			KeyColumns: append([]int32{}, d.KeyColumns...), TenantID: tx.TenantID, DatasetID: id.UUID(),
		}
		detail := map[string]any{}
		if e.Name != nil {
			name, err := validName(*e.Name)
			if err != nil {
				return nil, err
			}
			set.Name, detail["name"] = name, name
		}
		if e.Description != nil {
			set.Description = *e.Description
			if len(set.Description) > 4000 || !utf8.ValidString(set.Description) || strings.ContainsRune(set.Description, 0) {
				return nil, ErrColumnInvalid.With("A description has at most 4,000 characters.")
			}
		}
		if e.TimeColumn != nil {
			c, ok := d.ColumnByID(*e.TimeColumn)
			if *e.TimeColumn != 0 && (!ok || !isTime(c.Type)) {
				return nil, ErrColumnInvalid.With("The time column must be one with dates or timestamps.")
			}
			set.TimeColumn, detail["time_column"] = *e.TimeColumn, c.Name
		}
		if e.RelativeToNewest != nil {
			set.RelativeToNewest, detail["relative_to_newest"] = *e.RelativeToNewest, *e.RelativeToNewest
		}
		if e.KeyColumns != nil {
			for _, column := range *e.KeyColumns {
				if _, ok := d.ColumnByID(column); !ok {
					return nil, ErrKeyInvalid
				}
			}
			set.KeyColumns = append([]int32{}, *e.KeyColumns...)
		}
		return detail, nameError(set.Name, tx.DatasetSetDetails(ctx, set))
	})
}

func isTime(t warehouse.Type) bool {
	return t == warehouse.Date || t == warehouse.Timestamp || t == warehouse.TimestampTZ
}

// revise changes the definition of a dataset whose row it holds, bumps the
// revision, and tells open pages.
func (s *Service) revise(ctx context.Context, actor access.Actor, id ids.Dataset, action string, work func(context.Context, *db.Tx, Dataset) (map[string]any, error)) error {
	return s.reviseWith(ctx, actor, id, ids.Dataset{}, action, work)
}

// reviseWith is revise with another dataset held as well, unless it is zero.
// Both are locked by id, so that two such changes never wait for one another.
func (s *Service) reviseWith(ctx context.Context, actor access.Actor, id, other ids.Dataset, action string, work func(context.Context, *db.Tx, Dataset) (map[string]any, error)) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if !other.IsZero() && less(other, id) {
			if _, err := s.lock(ctx, tx, actor, other, ""); err != nil {
				return err
			}
		}
		row, err := s.lock(ctx, tx, actor, id, "")
		if err != nil {
			return err
		}
		d, err := readDataset(ctx, tx, row)
		if err != nil {
			return err
		}
		detail, err := work(ctx, tx, d)
		if err != nil {
			return err
		}
		if err := tx.DatasetRevise(ctx, tx.TenantID, row.DatasetID); err != nil {
			return fmt.Errorf("revise %s: %w", id, err)
		}
		if err := tx.LookupReviseOwners(ctx, tx.TenantID, row.DatasetID); err != nil {
			return fmt.Errorf("revise lookups: %w", err)
		}
		event := events.Event{TenantID: tx.TenantID, Kind: events.DatasetChanged, ID: row.DatasetID, Version: row.Version}
		if err := tx.InsertOutboxEvent(ctx, event); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "dataset", ID: id.String(), Detail: detail})
	})
}

// ColumnEdit is a change of a column's details; nil fields stay.
type ColumnEdit struct {
	Name        *string
	Role        *string
	Format      *Format
	Description *string
}

// EditColumn renames or describes a column. Specs may go on using the former
// name until another column takes it.
//
// Errors: datasets.not_found, datasets.column_not_found,
// datasets.column_invalid, access.forbidden.
func (s *Service) EditColumn(ctx context.Context, actor access.Actor, id ids.Dataset, column int32, e ColumnEdit) error {
	return s.revise(ctx, actor, id, "datasets.column_edited", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		c, ok := d.ColumnByID(column)
		if !ok {
			return nil, ErrColumnNotFound
		}
		name := c.Name
		if e.Name != nil {
			var err error
			if name, err = validColumnName(*e.Name); err != nil {
				return nil, err
			}
			for _, other := range d.Columns {
				if other.ID != column && strings.EqualFold(other.Name, name) {
					return nil, ErrColumnInvalid.With("There is a column “%s” already.", other.Name)
				}
			}
			for _, f := range d.Fields {
				if strings.EqualFold(f.Name, name) {
					return nil, ErrColumnInvalid.With("There is a calculated field “%s” already.", f.Name)
				}
			}
			for _, l := range d.Lookups {
				if strings.HasPrefix(name, l.Name+".") {
					return nil, ErrColumnInvalid.With("Names that begin with “%s.” belong to the lookup.", l.Name)
				}
			}
		}
		if e.Role != nil {
			if !validRole(*e.Role, c.Type) {
				return nil, ErrColumnInvalid.With("A role is latitude or longitude, of a column with numbers.")
			}
			c.Role = *e.Role
		}
		if e.Format != nil {
			if err := e.Format.check(); err != nil {
				return nil, err
			}
			c.Format = *e.Format
		}
		if e.Description != nil {
			c.Description = *e.Description
			if len(c.Description) > 4000 || !utf8.ValidString(c.Description) || strings.ContainsRune(c.Description, 0) {
				return nil, ErrColumnInvalid.With("A description has at most 4,000 characters.")
			}
		}
		detail := map[string]any{"column": c.Name}
		if name != c.Name {
			detail["name"] = name
		}
		return detail, setColumnDetails(ctx, tx, id.UUID(), c, name)
	})
}

func (f Format) check() error {
	switch f.Style {
	case "", "number", "percent", "currency", "bytes", "duration":
	default:
		return ErrColumnInvalid.With("There is no number style “%s”.", f.Style)
	}
	if (f.Style == "currency") != (f.Currency != "") || (f.Currency != "" && len(f.Currency) != 3) {
		return ErrColumnInvalid.With("A currency has three letters, such as GBP.")
	}
	if f.Decimals != nil && (*f.Decimals < 0 || *f.Decimals > 12) {
		return ErrColumnInvalid.With("Show 0 to 12 decimals.")
	}
	if utf8.RuneCountInString(f.Unit) > 20 {
		return ErrColumnInvalid.With("A unit has at most 20 characters.")
	}
	return nil
}

// setColumnDetails writes c under a name that may be new.
func setColumnDetails(ctx context.Context, tx *db.Tx, id uuid.UUID, c Column, name string) error {
	format, err := json.Marshal(c.Format)
	if err != nil {
		return fmt.Errorf("encode format: %w", err)
	}
	former := []string{}
	for _, f := range c.FormerNames {
		if f != name {
			former = append(former, f)
		}
	}
	if name != c.Name {
		former = append(former, c.Name)
	}
	err = tx.ColumnSetDetails(ctx, db.ColumnSetDetailsParams{
		Name: name, Role: c.Role, Format: format, Description: c.Description, FormerNames: former,
		TenantID: tx.TenantID, DatasetID: id, ColumnID: c.ID,
	})
	if err != nil {
		return fmt.Errorf("set details of column %d: %w", c.ID, err)
	}
	return nil
}

// DropColumn takes a column out of the current and later versions. Files keep
// it, and restoring an earlier version brings it back.
//
// Errors: datasets.not_found, datasets.column_not_found,
// datasets.column_invalid, datasets.in_use, access.forbidden.
func (s *Service) DropColumn(ctx context.Context, actor access.Actor, id ids.Dataset, column int32) error {
	return s.revise(ctx, actor, id, "datasets.column_dropped", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		c, ok := d.ColumnByID(column)
		switch {
		case !ok:
			return nil, ErrColumnNotFound
		case len(d.Columns) == 1:
			return nil, ErrColumnInvalid.With("A dataset needs at least one column.")
		}
		lookups, err := tx.LookupListTargeting(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return nil, fmt.Errorf("list lookups of others: %w", err)
		}
		for _, l := range lookups {
			if l.KeyColumnID == column {
				return nil, ErrInUse.With("“%s” looks values up by “%s”. Remove its lookup “%s” first.", l.DatasetName, c.Name, l.Name)
			}
		}
		for _, l := range d.Lookups {
			if l.Column == column {
				return nil, ErrInUse.With("The lookup “%s” needs the column “%s”. Remove it first.", l.Name, c.Name)
			}
		}
		rules, err := readRules(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if used := usedByRules(rules[id], column); len(used) > 0 {
			return nil, ErrInUse.With("The rule %s needs the column “%s”. Change that first.", strings.Join(used, ", "), c.Name)
		}
		uses, err := usesOf(ctx, tx, d, append([]string{c.Name}, c.FormerNames...)...)
		if err != nil {
			return nil, err
		}
		if len(uses) > 0 {
			return nil, ErrInUse.With("The column “%s” is used by %s. Change that first.", c.Name, strings.Join(uses, ", "))
		}
		_, err = tx.ColumnDrop(ctx, db.ColumnDropParams{DroppedIn: d.Version, TenantID: tx.TenantID, DatasetID: id.UUID(), ColumnID: column})
		if err != nil {
			return nil, fmt.Errorf("drop column %d: %w", column, err)
		}
		if d.TimeColumn == column {
			d.TimeColumn = 0
		}
		err = tx.DatasetSetDetails(ctx, db.DatasetSetDetailsParams{
			Name: d.Name, Description: d.Description, TimeColumn: d.TimeColumn, RelativeToNewest: d.RelativeToNewest,
			KeyColumns: without(d.KeyColumns, column), TenantID: tx.TenantID, DatasetID: id.UUID(),
		})
		if err != nil {
			return nil, fmt.Errorf("set details: %w", err)
		}
		return map[string]any{"column": c.Name}, nil
	})
}
