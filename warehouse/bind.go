package warehouse

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse/expr"
)

// newestFunc gives the largest value of a time column of a dataset, in days or
// microseconds since 1970; false where there are no rows with a value. Where the
// dataset has a policy it looks only at rows before a moment of the wall clock of
// a zone, none at maxMicros.
type newestFunc func(ds *Dataset, column int32, before int64, zone string) (int64, bool, error)

// binder turns one spec into a plan.
type binder struct {
	ds     *Dataset
	spec   *Spec
	now    time.Time
	zone   *zone
	newest newestFunc
	plan   *plan

	lookupRel map[lookupUse]int
	atomIndex map[string]int

	names      namespace // that names have now
	fieldTrees map[fieldKey]*expr.Tree
	fieldStack []fieldKey     // being written out, against cycles
	fieldIndex map[string]int // into plan.Fields, by their JSON
	fieldNodes int            // of plan.Fields together
	spans      []boundSpan    // of the filters on time columns
	lists      []boundSpan    // of those that keep several spans
	saved      []string       // saved measures being written out, against cycles
	of         string         // the column or measure that is being bound, for sentences
	few        int            // groups of fewer rows are withheld, as far as is known
}

// boundSpan is a filter that keeps one contiguous span of wall-clock time, or
// keeps or drops several listed ones.
type boundSpan struct {
	where    int // index in plan.Where
	ref      colRef
	span     wallSpan
	listed   []wallSpan
	unit     string // of a relative filter
	n        int
	relative bool
}

// bind checks q against its dataset and writes it out as a plan. newest is asked
// where relative dates count from the newest row, and by comparisons.
//
// Errors: the query.* codes that speak of specs.
func bind(q *Query, newest newestFunc) (*plan, error) {
	few := q.Dataset.Policy.minRows()
	p, err := bindFew(q, newest, few)
	if err == nil && p.MinRows > max(few, 1) {
		return bindFew(q, newest, p.MinRows) // a lookup withholds more
	}
	return p, err
}

// bindFew is bind where groups of fewer rows than few are withheld.
func bindFew(q *Query, newest newestFunc, few int) (*plan, error) {
	if err := q.Spec.check(); err != nil {
		return nil, err
	}
	z, err := loadZone(q.Spec.Timezone)
	if err != nil {
		return nil, err
	}
	b := &binder{
		ds: q.Dataset, spec: &q.Spec, now: q.Now, zone: z, newest: newest,
		plan: &plan{Tenant: q.Dataset.TenantID, Dataset: q.Dataset.ID, Version: q.Dataset.Version,
			Zone: z.name, Exact: q.Exact, dataset: q.Dataset, zone: z},
		lookupRel: map[lookupUse]int{}, atomIndex: map[string]int{}, few: few,
	}
	b.prepareFields()
	steps := []func() error{
		b.policy, b.filters, b.dimensions, b.measures, b.rows, b.comparison, b.uniqueNames, b.havings, b.order, b.limits, b.smallGroups,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := b.plan.seal(); err != nil {
		return nil, err
	}
	return b.plan, nil
}

// asDefined makes names mean what they mean in the dataset's definition, where
// the fields of a spec do not count, until the answered function is called.
func (b *binder) asDefined() func() {
	before := b.names
	b.names = namespace{ds: b.ds}
	return func() { b.names = before }
}

// hide keeps the text of an error and drops its class, code and sentence.
func hide(err error) error { return errors.New(err.Error()) }

func (b *binder) filters() error {
	for i := range b.spec.Filters {
		f := &b.spec.Filters[i]
		if f.Measure != "" {
			continue
		}
		pred, span, err := b.filter(f, fmt.Sprintf("filters[%d]", i))
		if err != nil {
			return err
		}
		if span != nil {
			span.where = len(b.plan.Where)
			if span.listed == nil {
				b.spans = append(b.spans, *span)
			} else {
				b.lists = append(b.lists, *span)
			}
		}
		b.plan.Where = append(b.plan.Where, pred)
	}
	b.plan.Span, b.plan.SpanTZ = b.answerSpan()
	return nil
}

// answerSpan is the span of the first time filter's column, for the reader.
func (b *binder) answerSpan() (*wallSpan, bool) {
	if len(b.spans) == 0 {
		return nil, false
	}
	ref := b.spans[0].ref
	for _, s := range b.spans {
		if s.ref.Rel == 0 && s.ref.ID == b.ds.TimeColumn {
			ref = s.ref
		}
	}
	span, _ := b.spanOf(ref)
	return &span, ref.Type == TimestampTZ
}

// spanOf is what all filters on one time column together leave.
func (b *binder) spanOf(ref colRef) (wallSpan, []boundSpan) {
	span := wallSpan{minMicros, maxMicros}
	var parts []boundSpan
	for _, s := range b.spans {
		if s.ref == ref {
			span.From, span.To = max(span.From, s.span.From), min(span.To, s.span.To)
			parts = append(parts, s)
		}
	}
	return span, parts
}

// column finds a column or calculated field by its name, "name" or
// "lookup.name".
//
// Errors: query.unknown_column, query.dropped_column, query.unknown_lookup,
// query.field_aggregate,
// the expression.* codes.
func (b *binder) column(name, path string) (colRef, error) {
	t, err := b.columnValue(name, path)
	if err != nil {
		return colRef{}, err
	}
	return b.ref(t)
}

// columnValue is the expression of a column or of a calculated field.
func (b *binder) columnValue(name, path string) (*expr.Tree, error) {
	t, err := b.columnTree(b.names, name)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, b.unknownColumn(name, path)
	case t.HasAggregates():
		return nil, ErrFieldAggregate.With("%s: the field %q contains aggregates, so it is a measure: {\"measure\": %q}.", path, clip(name), clip(name))
	}
	return t, nil
}

func (b *binder) unknownColumn(name, path string) error {
	if lookup, rest, dotted := splitLookup(b.ds, name); dotted {
		l, ok := b.ds.Lookups[lookup]
		if !ok || l.Target == nil || !b.ds.Policy.joins(l) {
			return ErrUnknownLookup.With("%s: the dataset %q has no lookup %q.%s", path, b.ds.Name, clip(lookup),
				didYouMean(lookup, lookupNames(b.ds)))
		}
		if version, ok := droppedIn(l.Target, rest); ok {
			return ErrDroppedColumn.With("%s: the column %q of the lookup %q was dropped in version %d of the dataset %q. Restoring an earlier version brings it back.",
				path, clip(rest), clip(lookup), version, l.Target.Name)
		}
		return ErrUnknownColumn.With("%s: the lookup %q has no column %q.%s", path, clip(lookup), clip(rest),
			didYouMean(rest, append(seenNames(l.Target, ""), sortedNames(l.Target.Fields)...)))
	}
	if version, ok := droppedIn(b.ds, name); ok {
		return ErrDroppedColumn.With("%s: the column %q was dropped in version %d of the dataset %q. Restoring an earlier version brings it back.",
			path, clip(name), version, b.ds.Name)
	}
	return ErrUnknownColumn.With("%s: the dataset %q has no column %q.%s", path, b.ds.Name, clip(name), didYouMean(name, b.namesOf(b.names)))
}

// droppedIn is the version that a column of a name is missing since. To whom
// rules withhold something no names are told: it may have been hidden from them.
func droppedIn(ds *Dataset, name string) (int64, bool) {
	version, ok := ds.Dropped[name]
	return version, ok && ds.Policy == nil
}

// lookupUse is a lookup as columns are read through it, or whole, as row rules
// read it.
type lookupUse struct {
	name  string
	whole bool
}

// lookup adds a lookup to the plan. Unless whole, rows of the target that its
// policy withholds are not there.
func (b *binder) lookup(name string, l Lookup, whole bool) (int, error) {
	use := lookupUse{name, whole && l.Target.Policy.narrows()}
	if rel, ok := b.lookupRel[use]; ok {
		return rel, nil
	}
	own, key := columnByID(b.ds.Columns, l.Column), columnByID(l.Target.Columns, l.Key)
	if own == nil || key == nil {
		return 0, ErrUnknownLookup.With("The lookup %q no longer works: a column that it joins by was removed.", clip(name))
	}
	if l.Target.TenantID != b.ds.TenantID {
		return 0, fmt.Errorf("lookup %s leads to a dataset of another tenant", name)
	}
	if !joinable(own.Type, key.Type) {
		return 0, ErrUnknownLookup.With("The lookup %q no longer works: it joins %s with %s.", clip(name), typeNoun(own.Type), typeNoun(key.Type))
	}
	rel := len(b.plan.Lookups) + 1
	b.plan.Lookups = append(b.plan.Lookups, planLookup{
		Column: refOf(0, own), Key: refOf(rel, key), Dataset: l.Target.ID, Version: l.Target.Version,
		name: name, target: l.Target,
	})
	b.lookupRel[use] = rel
	if use.whole {
		return rel, nil
	}
	where, err := b.rowRules(l.Target, rel)
	b.plan.Lookups[rel-1].Where = where
	b.plan.MinRows = max(b.plan.MinRows, l.Target.Policy.minRows())
	return rel, err
}

// joinable tells whether values of two types can be equal.
func joinable(a, b Type) bool { return a == b || isNumeric(a) && isNumeric(b) }

func refOf(rel int, c *Column) colRef {
	return colRef{Rel: rel, ID: c.ID, Type: c.Type, Precision: c.Precision, Scale: c.Scale}
}

func findColumn(columns []Column, name string) *Column {
	for i := range columns {
		if columns[i].Name == name {
			return &columns[i]
		}
	}
	return nil
}

func columnByID(columns []Column, id int32) *Column {
	for i := range columns {
		if columns[i].ID == id {
			return &columns[i]
		}
	}
	return nil
}

func lookupNames(ds *Dataset) []string {
	return slices.DeleteFunc(sortedNames(ds.Lookups), func(name string) bool { return !ds.Policy.joins(ds.Lookups[name]) })
}

func (b *binder) dimensions() error {
	for i := range b.spec.Dimensions {
		d := &b.spec.Dimensions[i]
		path := fmt.Sprintf("dimensions[%d]", i)
		ref, err := b.grouped(d.Column, &grouping{d.Groups, d.Other, d.Bins}, path)
		if err != nil {
			return err
		}
		pd := planDim{Name: d.As, Ref: ref, Grain: d.Grain, Type: ref.Type, Scale: ref.Scale}
		if pd.Name == "" {
			pd.Name = d.Column
		}
		if d.Grain != "" {
			if pd.Type, err = grainType(ref.Type, d.Grain, path, d.Column); err != nil {
				return err
			}
			pd.Scale = 0
		}
		if d.Bin != 0 {
			if err := bindBin(&pd, d.Bin, path, d.Column); err != nil {
				return err
			}
		}
		b.plan.Dims = append(b.plan.Dims, pd)
		b.plan.Gaps = b.plan.Gaps || ref.temporal() && !cyclic(d.Grain) && b.picks(ref)
	}
	return nil
}

// picks tells whether a filter leaves moments of a column out between others.
func (b *binder) picks(ref colRef) bool {
	return slices.ContainsFunc(b.lists, func(l boundSpan) bool { return l.ref == ref }) ||
		slices.ContainsFunc(b.plan.Where, func(p predicate) bool { return p.Ref == ref && p.Kind == kindCyclic })
}

// grouped is a column, or what groups of values or bins make of it.
func (b *binder) grouped(name string, g *grouping, path string) (colRef, error) {
	t, err := b.columnValue(name, path)
	if err == nil && !g.empty() {
		t, err = b.groupTree(t, g, path, name)
	}
	if err != nil {
		return colRef{}, err
	}
	return b.ref(t)
}

// grainType is the type of a column's values by grain.
//
// Errors: query.grain.
func grainType(t Type, grain, path, column string) (Type, error) {
	if !isTemporal(t) {
		return "", ErrGrain.With("%s: the grain %s needs a date or a timestamp, but %q is %s.", path, grain, clip(column), typeNoun(t))
	}
	if t == Date && (subDay(grain) || grain == "hour_of_day") {
		return "", ErrGrain.With("%s: %q is a date without time of day, so it has no %s.", path, clip(column), strings.ReplaceAll(grain, "_", " "))
	}
	switch {
	case cyclic(grain):
		return Integer, nil
	case subDay(grain):
		return t, nil
	}
	return Date, nil
}

func typeNoun(t Type) string {
	switch t {
	case Integer:
		return "an integer"
	case Decimal:
		return "a decimal number"
	case Float:
		return "a number"
	case Boolean:
		return "true or false"
	case Date:
		return "a date"
	case Timestamp, TimestampTZ:
		return "a timestamp"
	}
	return "a text"
}

// bindBin makes bins exact for integers and decimals: their edges are whole
// multiples of the width, computed without floats.
func bindBin(d *planDim, width float64, path, column string) error {
	if !isNumeric(d.Ref.Type) {
		return ErrBin.With("%s: bins need a number, but %q is %s.", path, clip(column), typeNoun(d.Ref.Type))
	}
	if width < 1e-9 || width > 1e15 {
		return ErrBin.With("%s: the width of bins must lie between 0.000000001 and 10^15.", path)
	}
	digits := strconv.FormatFloat(width, 'f', -1, 64)
	places := digitsAfterPoint(digits)
	switch {
	case d.Ref.Type == Integer && width == math.Trunc(width):
		d.Bin = digits
	case d.Ref.Type == Decimal && places <= 9 && len(digits) <= 18:
		d.Bin = digits
		d.Scale = uint8(max(int(d.Scale), places))
	default:
		d.BinF = width
		d.Type, d.Scale = Float, 0
	}
	return nil
}

// uniqueNames gives every result column a name of its own.
//
// Errors: query.duplicate_name.
func (b *binder) uniqueNames() error {
	seen := map[string]bool{}
	for _, c := range b.plan.resultColumns() {
		if seen[c.Name] {
			return ErrDuplicateName.With("Two result columns are named %q. Give one of them another name with \"as\".", clip(c.Name))
		}
		seen[c.Name] = true
	}
	return nil
}

// rows binds plain columns.
func (b *binder) rows() error {
	for i, name := range b.spec.Columns {
		ref, err := b.column(name, fmt.Sprintf("columns[%d]", i))
		if err != nil {
			return err
		}
		b.plan.Rows = append(b.plan.Rows, planColumn{Name: name, Ref: ref})
	}
	return nil
}

func (b *binder) order() error {
	for i, o := range b.spec.Order {
		key, err := b.orderKey(o, fmt.Sprintf("order[%d]", i))
		if err != nil {
			return err
		}
		b.plan.Order = append(b.plan.Order, key)
	}
	if len(b.plan.Order) == 0 {
		return b.defaultOrder()
	}
	return nil
}

// defaultOrder is the newest first for plain rows, time for groups that have
// time, the largest first for other groups.
func (b *binder) defaultOrder() error {
	p := b.plan
	if len(p.Rows) > 0 {
		if c := columnByID(b.ds.Columns, b.ds.TimeColumn); c != nil && b.ds.TimeColumn != 0 {
			ref, err := b.column(c.Name, "order")
			if errors.Is(err, ErrUnknownColumn) || errors.Is(err, ErrDroppedColumn) {
				return nil // it is hidden
			}
			if err != nil {
				return err
			}
			p.Order = []planOrder{{Dim: b.plainColumn(ref, c.Name), Measure: -1, Desc: true}}
		}
		return nil
	}
	for i, d := range p.Dims {
		if d.Ref.temporal() && !b.spec.Other { // "Other" is what the largest leave
			p.Order = []planOrder{{Dim: i, Measure: -1}}
			return nil
		}
	}
	if len(p.Measures) > 0 && len(p.Dims) > 0 {
		p.Order = []planOrder{{Dim: -1, Measure: 0, Desc: true}}
	}
	return nil
}

func (b *binder) orderKey(o Order, path string) (planOrder, error) {
	p := b.plan
	if len(p.Rows) > 0 {
		for i, c := range p.Rows {
			if c.Name == o.By {
				return planOrder{Dim: i, Measure: -1, Desc: o.Desc}, nil
			}
		}
		ref, err := b.column(o.By, path)
		if err != nil {
			return planOrder{}, err
		}
		return planOrder{Dim: b.plainColumn(ref, o.By), Measure: -1, Desc: o.Desc}, nil
	}
	for i, d := range p.Dims {
		if d.Name == o.By {
			return planOrder{Dim: i, Measure: -1, Desc: o.Desc}, nil
		}
	}
	if m, previous, ok := b.measureByName(o.By); ok {
		return planOrder{Dim: -1, Measure: m, Previous: previous, Desc: o.Desc}, nil
	}
	return planOrder{}, ErrUnknownResult.With("%s: the result has no column %q to order by.%s", path, clip(o.By), didYouMean(o.By, b.resultNames()))
}

func (b *binder) resultNames() []string {
	columns := b.plan.resultColumns()
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].Name
	}
	return names
}

// plainColumn finds or adds the plain column that rows are ordered by.
func (b *binder) plainColumn(ref colRef, name string) int {
	for i, c := range b.plan.Rows {
		if c.Ref == ref {
			return i
		}
	}
	b.plan.Rows = append(b.plan.Rows, planColumn{Name: name, Ref: ref, Hidden: true})
	return len(b.plan.Rows) - 1
}

func (b *binder) measureByName(name string) (index int, previous, ok bool) {
	for i, m := range b.plan.Measures {
		if m.Name == name {
			return i, false, true
		}
		if b.plan.compares(&m) && m.Name+PreviousSuffix == name {
			return i, true, true
		}
		if b.plan.Previous != nil && b.plan.ToDate == 0 && m.Name+ToDateSuffix == name {
			return i, false, true // nothing lies ahead
		}
	}
	return 0, false, false
}

func (b *binder) limits() error {
	p := b.plan
	p.Limit, p.Offset, p.Other = b.spec.Limit, b.spec.Offset, b.spec.Other
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	if p.MinRows > 1 && len(p.Rows) > 0 {
		return ErrRowsWithheld.With("Single rows of %q can't be shown to you: groups of fewer than %d rows are withheld.", b.ds.Name, p.MinRows)
	}
	if p.MinRows > 1 {
		return b.singles()
	}
	return nil
}

// singles refuses values of single rows that a group of many would tell: its
// smallest and largest ones, and those near them. The ends of all dates are known
// from every page; under a filter they are those of chosen rows.
func (b *binder) singles() error {
	for _, a := range b.plan.Atoms {
		ends := a.Fn == "min" || a.Fn == "max"
		if ends && isEnd(b.treeOf(*a.Ref)) && len(b.plan.Dims) == 0 && isTemporal(a.Ref.Type) && len(a.Filters) == 0 && len(b.plan.Where) == b.plan.Ruled {
			continue
		}
		if ends || a.Fn == "percentile" && (a.P < 0.25 || a.P > 0.75) {
			return ErrRowsWithheld.With("The smallest and largest values of %q can't be shown to you: they are those of single rows, and groups of fewer than %d rows are withheld. Sums, means, medians and counts can be.", b.ds.Name, b.plan.MinRows)
		}
	}
	return nil
}
