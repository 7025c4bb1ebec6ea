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
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/expr"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
)

// Resolve finds a dataset by its name, in any case, or by its id.
//
// Errors: datasets.not_found.
func (s *Service) Resolve(ctx context.Context, actor access.Actor, nameOrID string) (ids.Dataset, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return ids.Dataset{}, err
	}
	var id ids.Dataset
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = resolve(ctx, tx, nameOrID)
		return err
	})
	return id, err
}

func resolve(ctx context.Context, tx *db.Tx, nameOrID string) (ids.Dataset, error) {
	parsed, err := uuid.Parse(nameOrID)
	if err != nil {
		parsed = uuid.Nil
	}
	if !utf8.ValidString(nameOrID) || strings.ContainsRune(nameOrID, 0) {
		return ids.Dataset{}, ErrNotFound // PostgreSQL refuses such text
	}
	id, err := tx.DatasetResolve(ctx, tx.TenantID, nameOrID, parsed)
	if db.IsNoRows(err) {
		return ids.Dataset{}, notFound(nameOrID).Wrap(err)
	}
	if err != nil {
		return ids.Dataset{}, fmt.Errorf("resolve dataset: %w", err)
	}
	return ids.Dataset(id), nil
}

// List answers all datasets of the workspace by name.
func (s *Service) List(ctx context.Context, actor access.Actor) ([]Listed, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Listed
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.DatasetList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list datasets: %w", err)
		}
		rules, err := readRules(ctx, tx, ids.Dataset{})
		if err != nil {
			return err
		}
		for _, r := range rows {
			one := Listed{
				Summary: Summary{
					ID: ids.Dataset(r.DatasetID), Name: r.Name, Description: r.Description, Version: r.Version,
					Rows: r.RowCount, Bytes: r.ByteCount, Columns: int(r.Columns), CreatedAt: r.CreatedAt, UpdatedAt: r.ContentAt,
				},
				Restricted: r.Restricted, Live: r.Live, OwnerName: r.OwnerName, Dashboards: int(r.Dashboards),
				Load: ids.Load(r.LoadID), State: LoadState(r.LoadState), Filename: r.LoadFilename, Rejected: r.LoadRejected,
			}
			if r.CreatedBy != nil {
				one.Owner = ids.User(*r.CreatedBy)
			}
			if sees(actor, rules[one.ID]) != "" {
				one.Rows, one.Bytes, one.Rejected = Withheld, Withheld, 0
			}
			list = append(list, one)
		}
		return nil
	})
	return list, err
}

// Found is what a search found: datasets, columns and calculated fields of datasets.
type Found struct {
	Datasets []Summary // id, name and rows only
	Columns  []FoundColumn
	Fields   []FoundField
}

// FoundField is a calculated field with the dataset that has it.
type FoundField struct {
	Dataset     ids.Dataset
	DatasetName string
	Name        string
}

// FoundColumn is a column with the dataset that has it.
type FoundColumn struct {
	Dataset     ids.Dataset
	DatasetName string
	ID          int32
	Name        string
	Type        warehouse.Type
}

// Search finds datasets, columns and calculated fields that have every word of text
// in their names or descriptions, at most limit of each. Without a word it finds
// nothing.
func (s *Service) Search(ctx context.Context, actor access.Actor, text string, limit int) (Found, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Found{}, err
	}
	var found Found
	patterns := db.LikePatterns(text)
	if len(patterns) == 0 {
		return found, nil
	}
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		sets, err := tx.DatasetSearch(ctx, tx.TenantID, patterns, int32(limit))
		if err != nil {
			return fmt.Errorf("search datasets: %w", err)
		}
		rules, err := readRules(ctx, tx, ids.Dataset{})
		if err != nil {
			return err
		}
		for _, r := range sets {
			one := Summary{ID: ids.Dataset(r.DatasetID), Name: r.Name, Rows: r.RowCount}
			if sees(actor, rules[one.ID]) != "" {
				one.Rows = Withheld
			}
			found.Datasets = append(found.Datasets, one)
		}
		columns, err := tx.ColumnSearch(ctx, tx.TenantID, patterns, int32(limit))
		if err != nil {
			return fmt.Errorf("search columns: %w", err)
		}
		for _, r := range columns {
			if hides(actor, rules[ids.Dataset(r.DatasetID)], r.ColumnID) {
				continue
			}
			found.Columns = append(found.Columns, FoundColumn{Dataset: ids.Dataset(r.DatasetID), DatasetName: r.DatasetName,
				ID: r.ColumnID, Name: r.Name, Type: warehouse.Type(r.Type)})
		}
		fields, err := tx.FieldSearch(ctx, tx.TenantID, patterns, int32(limit))
		if err != nil {
			return fmt.Errorf("search fields: %w", err)
		}
		for _, r := range fields {
			if id := ids.Dataset(r.DatasetID); sees(actor, rules[id]) == "" { // it may be made of what is hidden
				found.Fields = append(found.Fields, FoundField{Dataset: id, DatasetName: r.DatasetName, Name: r.Name})
			}
		}
		return nil
	})
	return found, err
}

// Get reads a dataset with its definition.
//
// Errors: datasets.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Dataset) (Dataset, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Dataset{}, err
	}
	var d Dataset
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return getError(id, err)
		}
		if d, err = readDataset(ctx, tx, row); err != nil {
			return err
		}
		rules, err := readRules(ctx, tx, id)
		if err != nil {
			return err
		}
		d.limit(actor, rules[id])
		return nil
	})
	return d, err
}

func getError(id ids.Dataset, err error) error {
	if db.IsNoRows(err) {
		return ErrNotFound.Wrap(err)
	}
	return fmt.Errorf("load dataset %s: %w", id, err)
}

// lockError is getError for a row that was to be changed: one that the actor of
// the transaction can see is not theirs to change.
func lockError(ctx context.Context, tx *db.Tx, id ids.Dataset, err error) error {
	if !db.IsNoRows(err) {
		return getError(id, err)
	}
	if _, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID()); err != nil {
		return getError(id, err)
	}
	return access.ErrViewOnly
}

// notFound says which name was asked for; that is no secret to who asked.
func notFound(name string) *apperr.Error {
	if len(name) > 120 || plaintext.Hides(name) {
		return ErrNotFound.With("There is no dataset of this name.")
	}
	return ErrNotFound.With("There is no dataset “%s”.", name)
}

// readDataset reads the current definition that belongs to a dataset's row.
func readDataset(ctx context.Context, tx *db.Tx, row db.DatasetGetRow) (Dataset, error) {
	d := datasetOf(row)
	columns, err := tx.ColumnListLive(ctx, tx.TenantID, row.DatasetID)
	if err != nil {
		return Dataset{}, fmt.Errorf("list columns of %s: %w", d.ID, err)
	}
	for _, c := range columns {
		column, err := columnOf(db.ColumnListRow(c))
		if err != nil {
			return Dataset{}, err
		}
		d.Columns = append(d.Columns, column)
	}
	d.Summary.Columns = len(d.Columns)
	if d.Lookups, err = readLookups(ctx, tx, d.ID); err != nil {
		return Dataset{}, err
	}
	if d.Measures, err = readMeasures(ctx, tx, d.ID); err != nil {
		return Dataset{}, err
	}
	d.Fields, err = readFields(ctx, tx, d.ID)
	renamed := map[string]string{}
	addRenamed(renamed, "", d.Columns)
	for i := range d.Fields {
		d.Fields[i].Expression = expr.Rename(d.Fields[i].Expression, renamed)
	}
	return d, err
}

func datasetOf(row db.DatasetGetRow) Dataset {
	return Dataset{
		Summary: Summary{
			ID: ids.Dataset(row.DatasetID), Name: row.Name, Description: row.Description, Version: row.Version,
			Rows: row.RowCount, Bytes: row.ByteCount, CreatedAt: row.CreatedAt, UpdatedAt: row.ContentAt,
		},
		Revision: row.Revision, SourceID: fromOptional[ids.Source](row.DsID),
		TimeColumn: row.TimeColumn, RelativeToNewest: row.RelativeToNewest, KeyColumns: row.KeyColumns,
		Access: access.Object{ID: row.DatasetID, Readers: row.Readers, Writers: row.Writers}, Restricted: row.Restricted,
	}
}

func columnOf(row db.ColumnListRow) (Column, error) {
	c := Column{
		Column: warehouse.Column{
			ID: row.ColumnID, Name: row.Name, Type: warehouse.Type(row.Type),
			Precision: uint8(row.Precision), Scale: uint8(row.Scale), Role: row.Role,
		},
		Description: row.Description, FormerNames: row.FormerNames, addedIn: row.AddedIn,
	}
	if err := json.Unmarshal(row.Format, &c.Format); err != nil {
		return Column{}, fmt.Errorf("decode format of column %d: %w", row.ColumnID, err)
	}
	c.Column.Format = c.Format.hint()
	if err := json.Unmarshal(row.Reading, &c.reading); err != nil {
		return Column{}, fmt.Errorf("decode reading of column %d: %w", row.ColumnID, err)
	}
	return c, nil
}

func readLookups(ctx context.Context, tx *db.Tx, id ids.Dataset) ([]Lookup, error) {
	rows, err := tx.LookupList(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return nil, fmt.Errorf("list lookups of %s: %w", id, err)
	}
	var lookups []Lookup
	for _, r := range rows {
		lookups = append(lookups, Lookup{
			Name: r.Name, Column: r.ColumnID, Target: ids.Dataset(r.TargetID), TargetName: r.TargetName,
			Key: r.KeyColumnID, KeyName: r.KeyName,
		})
	}
	return lookups, nil
}

func readMeasures(ctx context.Context, tx *db.Tx, id ids.Dataset) ([]Measure, error) {
	rows, err := tx.MeasureList(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return nil, fmt.Errorf("list measures of %s: %w", id, err)
	}
	var measures []Measure
	for _, r := range rows {
		m := Measure{Name: r.Name, Description: r.Description}
		if err := json.Unmarshal(r.Format, &m.Format); err != nil {
			return nil, fmt.Errorf("decode format of measure: %w", err)
		}
		if err := json.Unmarshal(r.Measure, &m.Measure); err != nil {
			return nil, fmt.Errorf("decode measure: %w", err)
		}
		measures = append(measures, m)
	}
	return measures, nil
}

// formatOf turns the hint of an inspection into a format.
func formatOf(hint string) Format {
	switch {
	case hint == "percent":
		return Format{Style: "percent"}
	case strings.HasPrefix(hint, "currency:"):
		return Format{Style: "currency", Currency: strings.TrimPrefix(hint, "currency:")}
	}
	return Format{}
}

// hint is the format as package segments knows it.
func (f Format) hint() string {
	switch f.Style {
	case "percent":
		return "percent"
	case "currency":
		return "currency:" + f.Currency
	}
	return ""
}

// readingOf keeps the part of a reading that later files of the same dataset
// should be read by.
func readingOf(r ingest.Reading) json.RawMessage {
	encoded, err := json.Marshal(r)
	if err != nil {
		panic(err) // three plain fields
	}
	return encoded
}
