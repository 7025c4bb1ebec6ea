package warehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// Policy is what one person may see of a dataset. It is part of the Dataset
// that a query is bound to, so that it lies beneath all that the query asks:
// names of columns mean what the policy makes of them, and no row that it
// withholds is read into an answer. Lookups bring the policies of their targets.
// A nil Policy withholds nothing. It does not change once it is made.
type Policy struct {
	// Rows are predicates that all hold for each row that is seen.
	Rows []RowRule `json:",omitempty"`
	// Columns has what is seen instead of a column, by its id.
	Columns map[int32]Mask `json:",omitempty"`
	// MinRows withholds groups of fewer rows, and plain rows; 0 for no limit.
	MinRows int `json:",omitempty"`

	key string
}

// RowRule keeps rows by one stored column.
type RowRule struct {
	Name string
	// Column is the id of a column of the dataset or, where Lookup is not
	// empty, of that lookup's target. A lookup that is not there keeps no row.
	Column int32
	Lookup string `json:",omitempty"`
	// Filter says which values are kept; its Column is not looked at. "in"
	// without values keeps no row.
	Filter Filter
}

// MaskKind says what is seen instead of a column's values.
type MaskKind string

// The kinds of masks.
const (
	MaskHidden MaskKind = "hidden" // the column is not there
	MaskNull   MaskKind = "null"   // no value
	MaskHash   MaskKind = "hash"   // a pseudonym: equal values have equal ones
	MaskLast   MaskKind = "last"   // the last Keep characters of a text
	MaskFirst  MaskKind = "first"  // the first ones
	MaskRange  MaskKind = "range"  // the lower end of a range of numbers, Width wide
	MaskYear   MaskKind = "year"   // the first day of a date's year
)

// Mask is what is seen instead of a column's values.
type Mask struct {
	Kind MaskKind
	Keep int `json:",omitempty"`
	// Width is a whole number above 0.
	Width int64 `json:",omitempty"`
	// Secret goes into the pseudonyms of MaskHash, so that nobody finds a
	// value by hashing all that it could be.
	Secret string `json:",omitempty"`
}

// NewPolicy answers a policy ready for use; nil for one that withholds nothing.
func NewPolicy(p Policy) *Policy {
	if len(p.Rows) == 0 && len(p.Columns) == 0 && p.MinRows <= 1 {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain fields only, and raw JSON that was parsed before
	}
	sum := sha256.Sum256(text)
	p.key = hex.EncodeToString(sum[:16])
	return &p
}

// Key tells policies apart: equal keys, equal policies. That of nil is empty.
func (p *Policy) Key() string {
	if p == nil {
		return ""
	}
	return p.key
}

func (p *Policy) narrows() bool { return p != nil && len(p.Rows) > 0 }

func (p *Policy) mask(column int32) (Mask, bool) {
	if p == nil {
		return Mask{}, false
	}
	m, ok := p.Columns[column]
	return m, ok
}

func (p *Policy) minRows() int {
	if p == nil {
		return 0
	}
	return p.MinRows
}

// Fits tells whether a mask can be put on a column of a type.
func (m Mask) Fits(t Type) bool {
	switch m.Kind {
	case MaskHidden, MaskNull:
		return true
	case MaskHash:
		return t != Float
	case MaskLast, MaskFirst:
		return t == Text && m.Keep > 0
	case MaskRange:
		return isNumeric(t) && m.Width > 0
	case MaskYear:
		return isTemporal(t)
	}
	return false
}

// Seen is a column as the policy shows it; ok is false where it is hidden. A
// mask that does not fit the column hides it.
func (p *Policy) Seen(c Column) (seen Column, ok bool) {
	m, masked := p.mask(c.ID)
	if !masked {
		return c, true
	}
	if m.Kind == MaskHidden || !m.Fits(c.Type) {
		return Column{}, false
	}
	t := m.tree(expr.Column(0, c))
	c.Type, c.Precision, c.Scale = t.Type, t.Precision, t.Scale
	return c, true
}

// hiddenText stands for the characters that are not seen.
const hiddenText = "•••"

// tree is what is seen instead of a column that the mask fits.
func (m Mask) tree(x *expr.Tree) *expr.Tree {
	whole := func(n int64) *expr.Tree { return expr.Literal(Integer, 0, 0, expr.Value{I: n}) }
	switch m.Kind {
	case MaskHash:
		return expr.Make("pseudonym", Text, 0, 0, expr.Make("cast", Text, 0, 0, x), textTree(m.Secret))
	case MaskLast, MaskFirst:
		op := "right"
		if m.Kind == MaskFirst {
			op = "left"
		}
		end := expr.Make(op, Text, 0, 0, x)
		end.Digits = []int64{int64(m.Keep)}
		parts := []*expr.Tree{textTree(hiddenText), end}
		if m.Kind == MaskFirst {
			parts[0], parts[1] = parts[1], parts[0]
		}
		// A text of which nothing would be hidden shows nothing.
		return expr.Make("case", Text, 0, 0,
			expr.Make(">", Boolean, 0, 0, expr.Make("length", Integer, 0, 0, x), whole(int64(m.Keep))), expr.Make("concat", Text, 0, 0, parts...),
			expr.Make("is not null", Boolean, 0, 0, x), textTree(hiddenText))
	case MaskRange:
		if x.Type == Integer {
			w := whole(m.Width)
			rest := expr.Make("%", Integer, 0, 0, expr.Make("+", Integer, 0, 0, expr.Make("%", Integer, 0, 0, x, w), w), w)
			return expr.Make("-", Integer, 0, 0, x, rest)
		}
		w := expr.Literal(Float, 0, 0, expr.Value{F: float64(m.Width)})
		if x.Type == Decimal {
			x = expr.Make("cast", Float, 0, 0, x)
		}
		return expr.Make("*", Float, 0, 0, expr.Make("floor", Float, 0, 0, expr.Make("/", Float, 0, 0, x, w)), w)
	case MaskYear:
		t := expr.Make("date_trunc", Date, 0, 0, x)
		t.Unit = "year"
		return t
	}
	return expr.Make("null", x.Type, x.Precision, x.Scale)
}

// seen is what a stored column is at a place of a query: itself, what its mask
// makes of it, or nil where it is hidden. Rules look at the column itself.
func (b *binder) seen(ns namespace, c *Column) *expr.Tree {
	x := expr.Column(ns.rel, *c)
	m, masked := ns.ds.Policy.mask(c.ID)
	if !masked {
		return x
	}
	if m.Kind == MaskHidden || !m.Fits(c.Type) {
		return nil
	}
	t := m.tree(x)
	t.Stands = true
	return t
}

// joins tells whether a lookup may be followed: by a column that is masked or
// hidden it would show what that column is.
func (p *Policy) joins(l Lookup) bool {
	_, masked := p.mask(l.Column)
	return !masked
}

// seenNames are the names of the columns that are not hidden.
func seenNames(ds *Dataset, prefix string) []string {
	names := make([]string, 0, len(ds.Columns))
	for _, c := range ds.Columns {
		if _, ok := ds.Policy.Seen(c); ok {
			names = append(names, prefix+c.Name)
		}
	}
	return names
}

// policy binds what the actor must never see past.
func (b *binder) policy() error {
	preds, err := b.rowRules(b.ds, 0)
	b.plan.Where = append(b.plan.Where, preds...)
	b.plan.Ruled = len(preds)
	b.plan.MinRows = b.ds.Policy.minRows()
	return err
}

// rowRules binds the row rules of a dataset, which is that of the query or the
// target of a lookup. A rule that cannot be bound is no mistake of the person
// who asks, and must not be dropped either.
func (b *binder) rowRules(ds *Dataset, rel int) ([]predicate, error) {
	if ds.Policy == nil {
		return nil, nil
	}
	utc, err := loadZone("UTC")
	if err != nil {
		return nil, err
	}
	// Whoever asks chooses the zone of the question, and must not move a rule by it.
	chosen := b.zone
	b.zone = utc
	defer func() { b.zone = chosen }()
	var preds []predicate
	for i := range ds.Policy.Rows {
		rule := &ds.Policy.Rows[i]
		path := "row rule " + rule.Name
		f := rule.Filter
		if f.Measure != "" {
			return nil, fmt.Errorf("%s filters by a measure", path)
		}
		ref, there, err := b.ruled(ds, rel, rule)
		if err != nil {
			return nil, ErrRuleBroken.Wrap(fmt.Errorf("bind %s: %w", path, hide(err)))
		}
		if !there {
			preds = append(preds, predicate{Ref: ref, Kind: kindSet})
			continue
		}
		f.Column = "column"
		if err := f.check(path); err != nil {
			return nil, ErrRuleBroken.Wrap(fmt.Errorf("check %s: %w", path, hide(err)))
		}
		pred, _, err := b.filterOn(&f, ref, path, f.Column)
		if err != nil {
			return nil, ErrRuleBroken.Wrap(fmt.Errorf("bind %s: %w", path, hide(err)))
		}
		preds = append(preds, pred)
	}
	return preds, nil
}

// ruled is the stored column that a row rule looks at, by its id: no name can
// come to mean something else. Without its lookup, any column and false.
func (b *binder) ruled(ds *Dataset, rel int, rule *RowRule) (ref colRef, there bool, err error) {
	if rule.Lookup == "" {
		c := columnByID(ds.Columns, rule.Column)
		if c == nil {
			return colRef{}, false, fmt.Errorf("column %d is not there", rule.Column)
		}
		return refOf(rel, c), true, nil
	}
	if len(ds.Columns) == 0 {
		return colRef{}, false, fmt.Errorf("dataset %s has no column", ds.ID)
	}
	none := refOf(rel, &ds.Columns[0])
	l, ok := ds.Lookups[rule.Lookup]
	if rel != 0 || !ok || l.Target == nil {
		return none, false, nil
	}
	c := columnByID(l.Target.Columns, rule.Column)
	if c == nil {
		return none, false, nil
	}
	// All rows of the target: one that is hidden would look like none at all,
	// which "not equal" keeps.
	at, err := b.lookup(rule.Lookup, l, true)
	if err != nil {
		return none, false, err
	}
	return refOf(at, c), true, nil
}

// withoutSecrets takes what pseudonyms are made with out of a text.
func withoutSecrets(text string, ds *Dataset) string {
	hide := func(p *Policy) {
		if p == nil {
			return
		}
		for _, m := range p.Columns {
			if m.Secret != "" {
				text = strings.ReplaceAll(text, m.Secret, hiddenText)
			}
		}
	}
	hide(ds.Policy)
	for _, l := range ds.Lookups {
		if l.Target != nil {
			hide(l.Target.Policy)
		}
	}
	return text
}

// Predicate is a row rule as a person can check it: the exact comparison that
// each row has to pass.
func (r RowRule) Predicate(column string) string {
	f := r.Filter
	values := make([]string, len(f.Values))
	for i, v := range f.Values {
		values[i] = string(v)
	}
	switch f.Op {
	case "in", "not_in":
		if f.Op == "in" && len(values) == 0 {
			return "false"
		}
		return column + " " + strings.ReplaceAll(f.Op, "_", " ") + " (" + strings.Join(values, ", ") + ")"
	case "between":
		return column + " between " + string(f.From) + " and " + string(f.To)
	case "is_empty", "not_empty":
		return column + " " + strings.ReplaceAll(f.Op, "_", " ")
	}
	return column + " " + strings.ReplaceAll(f.Op, "_", " ") + " " + strings.Join(values, ", ")
}

// masked tells whether a column of the dataset is not seen as it is.
func (b *binder) masked(c *Column) bool {
	_, masked := b.ds.Policy.mask(c.ID)
	return masked
}

// limited tells whether a policy limits what can be seen through the dataset.
func (ds *Dataset) limited() bool {
	if ds.Policy != nil {
		return true
	}
	for _, l := range ds.Lookups {
		if l.Target != nil && l.Target.Policy != nil {
			return true
		}
	}
	return false
}
