package datasets

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Mode is what a load does to the rows that are there.
type Mode string

// The modes.
const (
	Replace Mode = "replace"
	Append  Mode = "append"
	Upsert  Mode = "upsert" // by key: rows with the same key are replaced, the others added
)

// Valid tells whether m is one of the modes.
func (m Mode) Valid() bool { return m == Replace || m == Append || m == Upsert }

// SchemaChange is what a load would do to a dataset's columns.
type SchemaChange struct {
	New     bool           `json:"new,omitempty"` // the dataset does not exist yet
	Added   []ColumnChange `json:"added,omitempty"`
	Widened []ColumnChange `json:"widened,omitempty"`
	// Missing columns are not in the file: appended rows have no value there.
	Missing []ColumnChange `json:"missing,omitempty"`
	// Dropped columns are not in the file that replaces everything.
	Dropped []ColumnChange `json:"dropped,omitempty"`
	// Replaced columns get a type that the old values do not fit.
	Replaced []ColumnChange `json:"replaced,omitempty"`
	// Conflicts forbid the load: a column of the file does not fit.
	Conflicts []ColumnChange `json:"conflicts,omitempty"`
}

// IsZero tells whether the columns stay as they are.
func (c SchemaChange) IsZero() bool {
	return !c.New && len(c.Added)+len(c.Widened)+len(c.Missing)+len(c.Dropped)+len(c.Replaced)+len(c.Conflicts) == 0
}

// needsLook tells whether somebody has to see the change before it is carried
// out: a dataset that is new changes nobody's columns.
func (c SchemaChange) needsLook() bool { return !c.New && !c.IsZero() }

// Digest names the change: equal digests, equal changes. It is "" where the
// columns stay as they are.
func (c SchemaChange) Digest() string {
	switch {
	case c.New:
		return "new"
	case c.IsZero():
		return ""
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain texts
	}
	sum := sha256.Sum256(encoded)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// ColumnChange is one column of a SchemaChange, with type names as people
// write them: "decimal(12,2)".
type ColumnChange struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// plan is how a file's columns become a dataset's.
type plan struct {
	change SchemaChange
	load   []ingest.LoadColumn
	// layout has all columns of the dataset after the load.
	layout     segments.Layout
	added      []plannedColumn
	retyped    []plannedColumn // existing columns: type and reading as now
	dropped    []int32
	moved      map[int32]int32 // replaced column -> its successor
	order      []int32         // all columns in their new order
	nextColumn int32
	timeColumn int32
	key        []int32
	keyColumns []int32 // of the dataset after the load
	revised    bool    // the definition changes
}

type plannedColumn struct {
	column  segments.Column
	reading ingest.Reading
}

// planner computes a plan. dataset is nil for a new one.
type planner struct {
	dataset    *Dataset
	nextColumn int32
	inspection *ingest.Inspection
	mode       Mode
	choices    Choices
	// digits answers how many digits before the point the values of an integer
	// column have at most.
	digits func(column int32) int
}

func (p planner) plan() (*plan, error) {
	result := &plan{nextColumn: p.nextColumn, moved: map[int32]int32{}}
	taken := map[int32]bool{}
	byName := map[string]int32{}
	for _, c := range p.inspection.Columns {
		if !c.Load {
			continue
		}
		load := ingest.LoadColumn{
			Position: c.Position, Source: c.Source, Reading: c.Reading, EmptyFor: c.EmptyFor,
			Column: segments.Column{Name: c.Name, Type: c.Type, Precision: c.Precision, Scale: c.Scale, Role: c.Role, Format: c.Format},
		}
		existing, found := p.match(c.Name)
		if found && taken[existing.ID] {
			found = false
		}
		if !found {
			load.Column.ID = result.newID()
			result.added = append(result.added, plannedColumn{load.Column, load.Reading})
			if p.dataset != nil {
				result.change.Added = append(result.change.Added, ColumnChange{Name: c.Name, To: typeName(load.Column)})
			}
		} else {
			taken[existing.ID] = true
			p.place(result, existing, c, &load)
		}
		result.load = append(result.load, load)
		byName[c.Name] = load.Column.ID
	}
	if len(result.load) == 0 {
		return nil, ErrOptionsInvalid.With("Choose at least one column to load.")
	}
	if p.dataset != nil && p.mode != Replace && len(taken) == 0 && len(p.dataset.Columns) > 0 {
		return nil, ErrSchemaConflict.With("The file has none of the columns of “%s”. Name its columns as they are there, or replace the dataset.", p.dataset.Name)
	}
	p.finish(result, taken)
	if err := p.keys(result, byName); err != nil {
		return nil, err
	}
	p.time(result, byName)
	result.change.New = p.dataset == nil
	result.revised = p.dataset == nil || len(result.added)+len(result.dropped) > 0 || len(result.change.Widened) > 0 ||
		result.timeColumn != p.dataset.TimeColumn || !equalIDs(result.keyColumns, p.dataset.KeyColumns)
	return result, nil
}

func (r *plan) newID() int32 {
	id := r.nextColumn
	r.nextColumn++
	return id
}

// match finds the dataset's column for a column of the file: by name, by name
// in another case, by a former name.
func (p planner) match(name string) (Column, bool) {
	if p.dataset == nil {
		return Column{}, false
	}
	for _, c := range p.dataset.Columns {
		if c.Name == name {
			return c, true
		}
	}
	for _, c := range p.dataset.Columns {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	for _, c := range p.dataset.Columns {
		for _, former := range c.FormerNames {
			if strings.EqualFold(former, name) {
				return c, true
			}
		}
	}
	return Column{}, false
}

// place puts a column of the file into an existing one, or, when everything is
// replaced and the types do not go together, into a successor of it.
func (p planner) place(result *plan, existing Column, c ingest.InspectedColumn, load *ingest.LoadColumn) {
	old := segmentColumn(existing)
	load.Column.Name = existing.Name
	fitted, fits := fit(old, load.Column, c.Filled == 0 && !p.choices.typed(c), p.digits)
	if p.mode == Replace && fits && old.Type == segments.Text && load.Column.Type != segments.Text && c.Filled > 0 {
		fits = false // text was the best there was; now there is better
	}
	from, to := typeName(old), typeName(load.Column)
	switch {
	case fits:
		load.Column = fitted
		load.Column.ID = existing.ID
		if typeName(fitted) != from {
			result.change.Widened = append(result.change.Widened, ColumnChange{existing.Name, from, typeName(fitted)})
		}
		result.retyped = append(result.retyped, plannedColumn{load.Column, load.Reading})
	case p.mode == Replace:
		load.Column.ID = result.newID()
		result.moved[existing.ID] = load.Column.ID
		result.dropped = append(result.dropped, existing.ID)
		result.added = append(result.added, plannedColumn{load.Column, load.Reading})
		result.change.Replaced = append(result.change.Replaced, ColumnChange{existing.Name, from, to})
	default:
		load.Column.ID = existing.ID
		result.change.Conflicts = append(result.change.Conflicts, ColumnChange{existing.Name, from, to})
	}
}

// finish deals with columns that the file does not have, and with the order.
func (p planner) finish(result *plan, taken map[int32]bool) {
	inFile := map[int32]segments.Column{}
	for _, l := range result.load {
		inFile[l.Column.ID] = l.Column
	}
	if p.dataset != nil && p.mode != Replace {
		for _, c := range p.dataset.Columns {
			column, has := inFile[c.ID]
			if !has {
				column = segmentColumn(c)
				result.change.Missing = append(result.change.Missing, ColumnChange{Name: c.Name, From: typeName(column)})
			}
			result.layout.Columns = append(result.layout.Columns, column)
			result.order = append(result.order, c.ID)
			delete(inFile, c.ID)
		}
	} else if p.dataset != nil {
		for _, c := range p.dataset.Columns {
			if !taken[c.ID] {
				result.dropped = append(result.dropped, c.ID)
				result.change.Dropped = append(result.change.Dropped, ColumnChange{Name: c.Name, From: typeName(segmentColumn(c))})
			}
		}
	}
	for _, l := range result.load {
		if column, left := inFile[l.Column.ID]; left {
			result.layout.Columns = append(result.layout.Columns, column)
			result.order = append(result.order, column.ID)
		}
	}
}

// keys finds the columns of the key: those asked for, else the dataset's.
func (p planner) keys(result *plan, byName map[string]int32) error {
	if p.dataset != nil {
		for _, id := range p.dataset.KeyColumns {
			if successor, moved := result.moved[id]; moved {
				id = successor
			}
			if result.has(id) {
				result.keyColumns = append(result.keyColumns, id)
			}
		}
		if len(result.keyColumns) != len(p.dataset.KeyColumns) {
			result.keyColumns = nil
		}
	}
	for _, name := range p.choices.Key {
		id, found := byName[name]
		if !found {
			for n, other := range byName {
				if strings.EqualFold(n, name) {
					id, found = other, true
				}
			}
		}
		if !found {
			return ErrKeyInvalid.With("The key column “%s” is not among the columns to load.", name)
		}
		result.key = append(result.key, id)
	}
	switch {
	case len(result.key) > 0:
		result.keyColumns = result.key
	case p.mode == Upsert:
		result.key = result.keyColumns
		if len(result.key) == 0 {
			return ErrKeyInvalid.With("Say which columns are the key: rows with the same key are replaced.")
		}
		for _, id := range result.key {
			if !result.loads(id) {
				return ErrKeyInvalid.With("The file lacks a column of the dataset's key.")
			}
		}
	}
	if p.mode == Append {
		result.key = nil // rows are added whatever their key is
	}
	return nil
}

func (r *plan) has(id int32) bool {
	for _, c := range r.layout.Columns {
		if c.ID == id {
			return true
		}
	}
	return false
}

func (r *plan) loads(id int32) bool {
	for _, l := range r.load {
		if l.Column.ID == id {
			return true
		}
	}
	return false
}

// time chooses the column that rows are sorted by: the one asked for, the one
// there was, the one proposed.
func (p planner) time(result *plan, byName map[string]int32) {
	if p.dataset != nil && p.choices.TimeColumn == "" {
		id := p.dataset.TimeColumn
		if successor, moved := result.moved[id]; moved {
			id = successor
		}
		if id != 0 && result.sortable(id) {
			result.timeColumn = id
		}
	}
	if result.timeColumn == 0 && (p.dataset == nil || p.mode == Replace || p.choices.TimeColumn != "") {
		name := p.choices.TimeColumn
		if name == "" {
			name = p.inspection.TimeColumn
		}
		if id, ok := byName[name]; ok && result.sortable(id) {
			result.timeColumn = id
		} else if p.choices.TimeColumn == "" {
			result.timeColumn = segments.DefaultTimeColumn(result.layout.Columns)
		}
	}
	result.layout.TimeColumn = result.timeColumn
}

func (r *plan) sortable(id int32) bool {
	for _, c := range r.layout.Columns {
		if c.ID == id {
			return c.Type == segments.Date || segments.HasBucket(c.Type)
		}
	}
	return false
}

// fit answers the narrowest type that holds the values of both columns, within
// what may be done without asking: numbers widen, dates become timestamps,
// anything goes into text that is text already.
func fit(old, file segments.Column, empty bool, digits func(int32) int) (segments.Column, bool) {
	fitted := old
	switch {
	case empty, old.Type == segments.Text:
		return old, true
	case old.Type == segments.Decimal && file.Type == segments.Decimal:
		whole := max(old.Precision-old.Scale, file.Precision-file.Scale)
		fitted.Scale = max(old.Scale, file.Scale)
		fitted.Precision = whole + fitted.Scale
		return fitted, fitted.Precision <= 38
	case old.Type == file.Type:
		return old, true
	case old.Type == segments.Integer && file.Type == segments.Decimal:
		whole := max(file.Precision-file.Scale, uint8(digits(old.ID)))
		fitted.Type, fitted.Scale, fitted.Precision = segments.Decimal, file.Scale, whole+file.Scale
		return fitted, fitted.Precision <= 38
	case old.Type == segments.Decimal && file.Type == segments.Integer,
		old.Type == segments.Float && (file.Type == segments.Integer || file.Type == segments.Decimal),
		old.Type == segments.Timestamp && file.Type == segments.Date:
		return old, true
	case old.Type == segments.Integer && file.Type == segments.Float,
		old.Type == segments.Date && file.Type == segments.Timestamp:
		fitted.Type = file.Type
		return fitted, true
	}
	return old, false
}

// segmentColumn is a column as its files know it.
func segmentColumn(c Column) segments.Column {
	return segments.Column{
		ID: c.ID, Name: c.Name, Type: segments.Type(c.Type), Precision: c.Precision, Scale: c.Scale, Role: c.Role,
	}
}

// TypeName is the type of a column as people write it: "decimal(12,2)".
func TypeName(c warehouse.Column) string {
	return typeName(segments.Column{Type: segments.Type(c.Type), Precision: c.Precision, Scale: c.Scale})
}

func typeName(c segments.Column) string {
	if c.Type == segments.Decimal {
		return fmt.Sprintf("decimal(%d,%d)", c.Precision, c.Scale)
	}
	return string(c.Type)
}

func equalIDs(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// same tells whether files written by one plan serve another.
func (r *plan) same(other *plan) bool {
	if len(r.load) != len(other.load) || r.timeColumn != other.timeColumn || !equalIDs(r.key, other.key) {
		return false
	}
	for i := range r.load {
		a, b := r.load[i], other.load[i]
		if a.Column.ID != b.Column.ID || typeName(a.Column) != typeName(b.Column) || a.Position != b.Position || a.Reading != b.Reading {
			return false
		}
	}
	return true
}

// conflict is the error of a plan that can't be carried out.
func (c SchemaChange) conflict() error {
	if len(c.Conflicts) == 0 {
		return nil
	}
	var list []string
	for _, column := range c.Conflicts {
		list = append(list, fmt.Sprintf("“%s” is %s and the file has %s", column.Name, column.From, column.To))
	}
	return ErrSchemaConflict.With("The file does not fit the dataset: %s. Say how to read the column, or replace the dataset.", strings.Join(list, "; "))
}
