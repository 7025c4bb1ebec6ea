package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// Field is a calculated field: an expression over the columns and lookups of
// a dataset, used like a column or, where it contains aggregates, like a
// measure. docs/expressions.md describes the language.
type Field struct {
	Name        string
	Expression  string
	Description string
	Format      Format
}

// FieldInfo is a field and what became of its expression.
type FieldInfo struct {
	Field
	Type      warehouse.Type // "" where there is a problem
	Scale     uint8
	Aggregate bool
	Additive  bool // as of warehouse.FieldType
	Problem   *FieldProblem
}

// TypeName is the type of the result in words; "" where there is none.
func (f FieldInfo) TypeName() string {
	if f.Type == warehouse.Decimal {
		return "decimal"
	}
	return string(f.Type)
}

// FieldProblem says what is wrong with an expression and where. Line and
// Column count from 1, in characters; Start and End are byte offsets. All are
// 0 where the problem has no place.
type FieldProblem struct {
	Code, Sentence       string
	Line, Column, Length int
	Start, End           int
}

// maxFields is how many calculated fields a dataset may have.
const maxFields = 200

func readFields(ctx context.Context, tx *db.Tx, id ids.Dataset) ([]Field, error) {
	rows, err := tx.FieldList(ctx, tx.TenantID, id.UUID())
	if err != nil {
		return nil, fmt.Errorf("list fields of %s: %w", id, err)
	}
	var fields []Field
	for _, r := range rows {
		f := Field{Name: r.Name, Expression: r.Expression, Description: r.Description}
		if err := json.Unmarshal(r.Format, &f.Format); err != nil {
			return nil, fmt.Errorf("decode format of field: %w", err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// currentFields are expressions with the names that columns have now.
func currentFields(fields map[string]string, renamed map[string]string) map[string]string {
	if len(fields) == 0 || len(renamed) == 0 {
		return fields
	}
	now := make(map[string]string, len(fields))
	for name, text := range fields {
		now[name] = expr.Rename(text, renamed)
	}
	return now
}

// ListFields answers the dataset's calculated fields with their types, and
// those of extra expressions by name, as a dashboard has them; these stand
// before fields and columns of the same name.
//
// Errors: datasets.not_found.
func (s *Service) ListFields(ctx context.Context, actor access.Actor, id ids.Dataset, extra map[string]string) ([]FieldInfo, error) {
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	if len(d.Fields) == 0 && len(extra) == 0 {
		return nil, nil
	}
	dataset, err := s.defined(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	var list []FieldInfo
	for _, f := range d.Fields {
		if _, covered := extra[f.Name]; !covered {
			list = append(list, describe(dataset, f, nil))
		}
	}
	for name, text := range extra {
		list = append(list, describe(dataset, Field{Name: name, Expression: text}, extra))
	}
	slices.SortFunc(list, func(a, b FieldInfo) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// defined is the dataset as queries of the current version see it.
func (s *Service) defined(ctx context.Context, actor access.Actor, id ids.Dataset) (*warehouse.Dataset, error) {
	snapshot, err := s.Snapshot(ctx, actor, []ids.Dataset{id})
	if err != nil {
		return nil, err
	}
	b, err := s.bound(ctx, actor, snapshot, id)
	if err != nil {
		return nil, err
	}
	return b.dataset, nil
}

func describe(dataset *warehouse.Dataset, f Field, extra map[string]string) FieldInfo {
	info := FieldInfo{Field: f}
	t, err := warehouse.CheckField(dataset, f.Name, f.Expression, extra)
	if err != nil {
		info.Problem = problemOf(err)
		return info
	}
	info.Type, info.Scale, info.Aggregate, info.Additive = t.Type, t.Scale, t.Aggregate, t.Additive
	return info
}

func problemOf(err error) *FieldProblem {
	said := apperr.Describe(err)
	p := &FieldProblem{Code: said.Code, Sentence: said.Sentence}
	if at, ok := expr.ProblemOf(err); ok {
		p.Sentence = at.Sentence
		p.Line, p.Column, p.Length, p.Start, p.End = at.Line, at.Column, at.Length, at.Start, at.End
		if at.Field != "" {
			p.Sentence = said.Sentence // it speaks of another field's text
			p.Line, p.Column, p.Length, p.Start, p.End = 0, 0, 0, 0, 0
		}
	}
	return p
}

// CheckField tells what an expression would be as a field of the dataset.
//
// Errors: datasets.not_found, access.forbidden.
func (s *Service) CheckField(ctx context.Context, actor access.Actor, id ids.Dataset, name, expression string) (FieldInfo, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return FieldInfo{}, err
	}
	dataset, err := s.defined(ctx, actor, id)
	if err != nil {
		return FieldInfo{}, err
	}
	return describe(withField(dataset, name, expression), Field{Name: name, Expression: expression}, nil), nil
}

// withField is a dataset in which a field has another expression.
func withField(dataset *warehouse.Dataset, name, expression string) *warehouse.Dataset {
	changed := *dataset
	changed.Fields = make(map[string]string, len(dataset.Fields)+1)
	for n, text := range dataset.Fields {
		changed.Fields[n] = text
	}
	if name != "" {
		changed.Fields[name] = expression
	}
	return &changed
}

// SaveField adds or replaces a calculated field. Fields that use it must still
// fit.
//
// Errors: datasets.not_found, datasets.field_invalid, datasets.in_use, the
// expression.* codes, access.forbidden.
func (s *Service) SaveField(ctx context.Context, actor access.Actor, id ids.Dataset, f Field) error {
	if err := access.Can(actor, access.ManageData); err != nil {
		return err
	}
	f.Name = strings.TrimSpace(f.Name)
	if problem := plaintext.Problem(f.Name, 120, "A field's name has 1 to 120 characters."); problem != "" {
		return ErrFieldInvalid.With("%s", problem)
	}
	if len(f.Description) > 4000 {
		return ErrFieldInvalid.With("A description has at most 4,000 characters.")
	}
	if err := f.Format.check(); err != nil {
		return err
	}
	dataset, err := s.defined(ctx, actor, id)
	if err != nil {
		return err
	}
	changed := withField(dataset, f.Name, f.Expression)
	if _, err := warehouse.CheckField(changed, f.Name, f.Expression, nil); err != nil {
		return err
	}
	for _, other := range sortedKeys(dataset.Fields) {
		if other == f.Name {
			continue
		}
		if _, err := warehouse.CheckField(dataset, other, dataset.Fields[other], nil); err != nil {
			continue // it was broken before
		}
		if _, err := warehouse.CheckField(changed, other, dataset.Fields[other], nil); err != nil {
			return ErrInUse.With("The field “%s” uses this one and would no longer work: %s", other, apperr.Describe(err).Sentence).Wrap(err)
		}
	}
	format, err := json.Marshal(f.Format)
	if err != nil {
		return fmt.Errorf("encode format: %w", err)
	}
	return s.revise(ctx, actor, id, "datasets.field_saved", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		if err := d.freeForField(f.Name); err != nil {
			return nil, err
		}
		err := tx.FieldSave(ctx, db.FieldSaveParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), Name: f.Name, Expression: f.Expression, Description: clean(f.Description), Format: format,
		})
		if err != nil {
			return nil, fmt.Errorf("save field: %w", err)
		}
		return map[string]any{"field": f.Name, "expression": f.Expression}, nil
	})
}

// freeForField tells whether a field may have a name.
func (d *Dataset) freeForField(name string) error {
	if _, ok := d.ColumnByName(name); ok {
		return ErrFieldInvalid.With("There is a column “%s” already.", name)
	}
	for _, l := range d.Lookups {
		if strings.HasPrefix(name, l.Name+".") {
			return ErrFieldInvalid.With("Names that begin with “%s.” belong to the lookup.", l.Name)
		}
	}
	for _, m := range d.Measures {
		if m.Name == name {
			return ErrFieldInvalid.With("There is a saved measure “%s” already.", name)
		}
	}
	others := 0
	for _, f := range d.Fields {
		if f.Name != name {
			others++
		}
	}
	if others >= maxFields {
		return ErrFieldInvalid.With("A dataset has at most %d calculated fields.", maxFields)
	}
	return nil
}

// RemoveField removes a calculated field that nothing else of the dataset uses.
//
// Errors: datasets.not_found, datasets.field_not_found, datasets.in_use,
// access.forbidden.
func (s *Service) RemoveField(ctx context.Context, actor access.Actor, id ids.Dataset, name string) error {
	return s.revise(ctx, actor, id, "datasets.field_removed", func(ctx context.Context, tx *db.Tx, d Dataset) (map[string]any, error) {
		uses, err := usesOf(ctx, tx, d, name)
		if err != nil {
			return nil, err
		}
		if len(uses) > 0 {
			return nil, ErrInUse.With("The field “%s” is used by %s. Change that first.", name, strings.Join(uses, ", "))
		}
		n, err := tx.FieldDelete(ctx, tx.TenantID, id.UUID(), clean(name))
		if err != nil {
			return nil, fmt.Errorf("delete field: %w", err)
		}
		if n == 0 {
			return nil, ErrFieldNotFound
		}
		return map[string]any{"field": name}, nil
	})
}

// usesOf lists what breaks without a column or field of the dataset: fields of
// its own, fields of datasets that look it up, saved measures.
func usesOf(ctx context.Context, tx *db.Tx, d Dataset, names ...string) ([]string, error) {
	mentions := func(text, prefix string) bool {
		for _, named := range expr.Names(text) {
			for _, name := range names {
				if named == prefix+name {
					return true
				}
			}
		}
		return false
	}
	var uses []string
	for _, f := range d.Fields {
		if mentions(f.Expression, "") && !slices.Contains(names, f.Name) {
			uses = append(uses, fmt.Sprintf("the field “%s”", f.Name))
		}
	}
	for _, m := range d.Measures {
		if measureMentions(m.Measure, names) {
			uses = append(uses, fmt.Sprintf("the saved measure “%s”", m.Name))
		}
	}
	lookups, err := tx.LookupListTargeting(ctx, tx.TenantID, d.ID.UUID())
	if err != nil {
		return nil, fmt.Errorf("list lookups of others: %w", err)
	}
	for _, l := range lookups {
		fields, err := readFields(ctx, tx, ids.Dataset(l.DatasetID))
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if mentions(f.Expression, l.Name+".") {
				uses = append(uses, fmt.Sprintf("the field “%s” of “%s”", f.Name, l.DatasetName))
			}
		}
	}
	return uses, nil
}

func measureMentions(m warehouse.Measure, names []string) bool {
	if slices.Contains(names, m.Column) {
		return true
	}
	for _, f := range m.Filters {
		if slices.Contains(names, f.Column) {
			return true
		}
	}
	for _, part := range []*warehouse.Measure{m.Numerator, m.Denominator} {
		if part != nil && measureMentions(*part, names) {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
