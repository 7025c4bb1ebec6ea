package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// RuleKind says what a rule limits.
type RuleKind string

// The kinds of rules.
const (
	RuleRows   RuleKind = "rows"   // which rows are seen
	RuleColumn RuleKind = "column" // what is seen of a column
	RuleGroups RuleKind = "groups" // how few rows a group may have
)

// Rule limits what people see of a dataset. It holds for everybody or for some,
// and never for those whom it excepts. All rules that hold for a person limit
// further.
type Rule struct {
	ID        ids.Rule
	Kind      RuleKind
	Name      string
	Everybody bool
	For       []RuleSubject // where not Everybody
	Except    []RuleSubject
	RuleBody
}

// RuleBody is what a rule says, by its kind.
type RuleBody struct {
	// Predicates all hold for each row that is seen.
	Predicates []Predicate `json:"predicates,omitempty"`
	// Column is the id of the column that Mask stands before.
	Column int32          `json:"column,omitempty"`
	Mask   warehouse.Mask `json:"mask,omitzero"`
	// MinRows withholds groups of fewer rows.
	MinRows int `json:"min_rows,omitempty"`
}

// Predicate compares a column with values. Columns are named by id, so that
// renaming one does not make the rule mean another.
type Predicate struct {
	Column int32 `json:"column"`
	// Lookup and Target say that the column is one of the dataset looked up in.
	Lookup string      `json:"lookup,omitempty"`
	Target ids.Dataset `json:"target,omitzero"`
	// Op is one of RuleOps.
	Op string `json:"op"`
	// Values are JSON values, or {"attribute": NAME} for those that the person
	// has. Who lacks the attribute sees no row.
	Values []json.RawMessage `json:"values,omitempty"`
}

// Mask is what is seen instead of a column's values.
type Mask = warehouse.Mask

// MaskKinds are the kinds of masks, as they are offered.
var MaskKinds = []warehouse.MaskKind{warehouse.MaskHidden, warehouse.MaskNull, warehouse.MaskHash, warehouse.MaskLast, warehouse.MaskFirst,
	warehouse.MaskRange, warehouse.MaskYear}

// RuleOps are the comparisons of rules.
var RuleOps = []string{"in", "not_in", "<", "<=", ">", ">=", "starts_with", "is_empty", "not_empty"}

// RuleSubject is whom a rule means: one of the three.
type RuleSubject struct {
	User  ids.User
	Group ids.Group
	Role  access.Role // all whose role is at least Viewer, Editor or Admin
	Name  string      // of the person or group, when read
}

func (s RuleSubject) id() uuid.UUID {
	switch {
	case !s.User.IsZero():
		return s.User.UUID()
	case !s.Group.IsZero():
		return s.Group.UUID()
	case s.Role == access.Viewer:
		return access.Viewers
	case s.Role == access.Editor:
		return access.Editors
	case s.Role == access.Admin:
		return access.Admins
	}
	return uuid.Nil
}

// holds tells whether a rule limits who counts as identities: people, and
// visitors, whom no exception is meant for.
func (r *Rule) holds(identities []uuid.UUID, visitor bool) bool {
	among := func(list []RuleSubject) bool {
		return slices.ContainsFunc(list, func(s RuleSubject) bool { return slices.Contains(identities, s.id()) })
	}
	return len(identities) > 0 && (r.Everybody || among(r.For)) && (visitor || !among(r.Except))
}

// limit is a rule with whom it limits.
type limit struct {
	Rule
	as access.Actor
}

// limits are the rules that limit the actor, and those that limit whom they send
// something to: of two that look at the same rows, each sees no more than the other.
func limits(actor access.Actor, rules []Rule) []limit {
	var held []limit
	for _, r := range rulesFor(actor, rules) {
		held = append(held, limit{r, actor})
	}
	if actor.Fixed != nil {
		reader := access.Actor{Kind: access.Visitor, TenantID: actor.TenantID, Role: access.Viewer, Attributes: actor.Fixed}
		for _, r := range rulesFor(reader, rules) {
			held = append(held, limit{r, reader})
		}
	}
	return held
}

// rulesFor are those of the rules that limit the actor.
func rulesFor(actor access.Actor, rules []Rule) []Rule {
	if len(rules) == 0 {
		return nil
	}
	identities := actor.Identities()
	var held []Rule
	for _, r := range rules {
		if r.holds(identities, actor.Kind == access.Visitor) {
			held = append(held, r)
		}
	}
	return held
}

// attributeOf reads {"attribute": NAME}.
func attributeOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return "", false
	}
	var ref struct {
		Attribute string `json:"attribute"`
	}
	if json.Unmarshal(raw, &ref) != nil {
		return "", true // no attribute has this name: no row is seen
	}
	return ref.Attribute, true
}

// AttributeValue is the value of a predicate that stands for an attribute.
func AttributeValue(name string) json.RawMessage {
	raw, _ := json.Marshal(map[string]string{"attribute": name}) // a text always encodes
	return raw
}

// sees names what the actor sees of a dataset with these rules, of one revision:
// empty for all of it, equal where the same rules hold with the same values.
func sees(actor access.Actor, rules []Rule) string {
	held := limits(actor, rules)
	if len(held) == 0 && len(actor.Locked) == 0 {
		return ""
	}
	parts := make([]any, 0, 3*len(held)+1)
	if len(actor.Locked) > 0 {
		parts = append(parts, actor.Locked)
	}
	for _, r := range held {
		parts = append(parts, r.ID, r.RuleBody)
		for _, p := range r.Predicates {
			for _, v := range p.Values {
				if name, is := attributeOf(v); is {
					parts = append(parts, r.as.Attributes[name])
				}
			}
		}
	}
	text, _ := json.Marshal(parts) // ids and plain fields always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// policyOf is what the actor sees of the dataset d, which looks up in targets.
// It is the one place where rules become what the engine enforces.
func policyOf(actor access.Actor, d *definition, targets []*definition) *warehouse.Policy {
	held := limits(actor, d.rules)
	if len(held) == 0 && len(actor.Locked) == 0 {
		return nil
	}
	policy := warehouse.Policy{Rows: lockedRows(actor, d, targets)}
	for _, r := range held {
		switch r.Kind {
		case RuleRows:
			for _, p := range r.Predicates {
				policy.Rows = append(policy.Rows, p.bind(r.as, r.Name, d, targets))
			}
		case RuleColumn:
			if !hasColumn(d.columns, r.Column) {
				// What stands in its place now is not known to be harmless.
				policy.Rows = append(policy.Rows, nothing(r.Name, d))
				continue
			}
			m := r.Mask
			if m.Kind == warehouse.MaskHash {
				m.Secret = d.secret
			}
			if policy.Columns == nil {
				policy.Columns = map[int32]warehouse.Mask{}
			}
			if before, masked := policy.Columns[r.Column]; !masked || stricter(m, before) {
				policy.Columns[r.Column] = m
			}
		case RuleGroups:
			policy.MinRows = max(policy.MinRows, r.MinRows)
		default:
			// A newer program's kind of rule: what it would keep is not known.
			policy.Rows = append(policy.Rows, nothing(r.Name, d))
		}
	}
	return warehouse.NewPolicy(policy)
}

// lockedName is what a locked filter is called where rules are listed.
const lockedName = "Locked filter"

// lockedRows are the actor's locked filters as rules on the rows of a dataset.
func lockedRows(actor access.Actor, d *definition, targets []*definition) []warehouse.RowRule {
	var rows []warehouse.RowRule
	for _, name := range slices.Sorted(maps.Keys(actor.Locked)) {
		rows = append(rows, lockedRow(name, actor.Locked[name], d, targets))
	}
	return rows
}

func lockedRow(name string, values []string, d *definition, targets []*definition) warehouse.RowRule {
	rule := warehouse.RowRule{Name: lockedName, Filter: warehouse.Filter{Op: "in", Values: []json.RawMessage{}}}
	column, ok := columnNamed(d.columns, name)
	if lookup, rest, dotted := strings.Cut(name, "."); !ok && dotted {
		for i, l := range d.lookups {
			if l.Name == lookup && i < len(targets) && targets[i] != nil {
				rule.Lookup = lookup
				column, ok = columnNamed(targets[i].columns, rest)
			}
		}
	}
	if !ok {
		return nothing(lockedName, d)
	}
	rule.Column = column.ID
	for _, text := range values {
		// No row has a value that is none of the type.
		if raw, fits := literalOf(text, column.Type); fits {
			rule.Filter.Values = append(rule.Filter.Values, raw)
		}
	}
	return rule
}

// columnNamed finds a column by its name, or by one that it had.
func columnNamed(columns []Column, name string) (Column, bool) {
	for _, c := range columns {
		if c.Name == name {
			return c, true
		}
	}
	for _, c := range columns {
		if slices.Contains(c.FormerNames, name) {
			return c, true
		}
	}
	return Column{}, false
}

// strictness orders masks by how little they show.
var strictness = []warehouse.MaskKind{warehouse.MaskHidden, warehouse.MaskNull, warehouse.MaskHash, warehouse.MaskYear, warehouse.MaskRange,
	warehouse.MaskFirst, warehouse.MaskLast}

func stricter(a, b warehouse.Mask) bool {
	i, j := slices.Index(strictness, a.Kind), slices.Index(strictness, b.Kind)
	if i != j {
		return i < j
	}
	return a.Width > b.Width || a.Keep < b.Keep
}

// nothing keeps no row.
func nothing(name string, d *definition) warehouse.RowRule {
	rule := warehouse.RowRule{Name: name, Filter: warehouse.Filter{Op: "in", Values: []json.RawMessage{}}}
	if len(d.columns) > 0 {
		rule.Column = d.columns[0].ID
	}
	return rule
}

// bind writes a predicate out with the values that the actor has.
func (p Predicate) bind(actor access.Actor, name string, d *definition, targets []*definition) warehouse.RowRule {
	columns := d.columns
	if p.Lookup != "" {
		columns = nil
		for i, l := range d.lookups {
			if l.Name == p.Lookup && l.Target == p.Target && targets[i] != nil {
				columns = targets[i].columns
			}
		}
	}
	at := slices.IndexFunc(columns, func(c Column) bool { return c.ID == p.Column })
	if at < 0 && p.Lookup != "" {
		return nothing(name, d) // the lookup is gone, or leads elsewhere now
	}
	rule := warehouse.RowRule{Name: name, Column: p.Column, Lookup: p.Lookup, Filter: warehouse.Filter{Op: p.Op}}
	if at < 0 {
		return rule // the engine refuses to answer
	}
	for _, v := range p.Values {
		attribute, is := attributeOf(v)
		if !is {
			rule.Filter.Values = append(rule.Filter.Values, v)
			continue
		}
		had := actor.Attributes[attribute]
		if len(had) == 0 {
			return nothing(name, d)
		}
		for _, text := range had {
			raw, ok := literalOf(text, columns[at].Type)
			if !ok {
				return nothing(name, d) // no row has such a value, and "not in" must not keep all
			}
			rule.Filter.Values = append(rule.Filter.Values, raw)
		}
	}
	switch p.Op {
	case "in", "not_in", "is_empty", "not_empty":
	default:
		if len(rule.Filter.Values) != 1 {
			return nothing(name, d) // which of several is meant can't be known
		}
	}
	return rule
}

// literalOf writes a text as a value of a type, if it is one.
func literalOf(text string, t warehouse.Type) (json.RawMessage, bool) {
	text = strings.TrimSpace(text)
	switch t {
	case warehouse.Text, warehouse.Date, warehouse.Timestamp, warehouse.TimestampTZ:
		raw, err := json.Marshal(text)
		return raw, err == nil
	case warehouse.Boolean:
		return json.RawMessage(text), text == "true" || text == "false"
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil || !json.Valid([]byte(text)) {
		return nil, false
	}
	return json.RawMessage(text), true
}

// readRules reads the rules of one dataset or, with a zero id, of all.
func readRules(ctx context.Context, tx *db.Tx, id ids.Dataset) (map[ids.Dataset][]Rule, error) {
	rows, err := tx.RuleList(ctx, tx.TenantID, optional(id))
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	named, err := tx.RuleSubjectList(ctx, tx.TenantID, optional(id))
	if err != nil {
		return nil, fmt.Errorf("list subjects of rules: %w", err)
	}
	rules := map[ids.Dataset][]Rule{}
	for _, row := range rows {
		r := Rule{ID: ids.Rule(row.RuleID), Kind: RuleKind(row.Kind), Name: row.Name, Everybody: row.Everybody}
		if err := json.Unmarshal(row.Rule, &r.RuleBody); err != nil {
			return nil, fmt.Errorf("decode rule %s: %w", r.ID, err)
		}
		for _, n := range named {
			if n.RuleID != row.RuleID {
				continue
			}
			s := RuleSubject{User: fromOptional[ids.User](n.UserID), Group: fromOptional[ids.Group](n.GroupID), Name: n.Name}
			if n.Role != nil {
				s.Role = access.Role(*n.Role)
			}
			if n.Excepted {
				r.Except = append(r.Except, s)
			} else {
				r.For = append(r.For, s)
			}
		}
		dataset := ids.Dataset(row.DatasetID)
		rules[dataset] = append(rules[dataset], r)
	}
	return rules, nil
}

// limit leaves of a definition what the actor sees: hidden columns are not
// there, masked ones have the type of what is seen, and nothing tells how many
// rows there are besides.
func (d *Dataset) limit(actor access.Actor, rules []Rule) {
	d.Sees = sees(actor, rules)
	if d.Sees == "" {
		return
	}
	policy := policyOf(actor, &definition{columns: d.Columns, rules: rules}, nil)
	d.Rows, d.Bytes = Withheld, Withheld
	var columns []Column
	for _, c := range d.Columns {
		var shown bool
		_, c.Masked = policy.Columns[c.ID]
		if c.Column, shown = policy.Seen(c.Column); shown {
			columns = append(columns, c)
		}
	}
	before := len(d.Columns) + len(d.Lookups)
	d.Columns, d.Summary.Columns = columns, len(columns)
	d.Lookups = slices.DeleteFunc(d.Lookups, func(l Lookup) bool {
		_, masked := policy.Columns[l.Column]
		return masked
	})
	d.Hides = len(d.Columns)+len(d.Lookups) < before
}

// hides tells whether rules hide a column from the actor.
func hides(actor access.Actor, rules []Rule, column int32) bool {
	return slices.ContainsFunc(limits(actor, rules), func(r limit) bool {
		return r.Kind == RuleColumn && r.Column == column && r.Mask.Kind == warehouse.MaskHidden
	})
}

// Withheld stands for a number that who asks may not know.
const Withheld = -1

// manages refuses somebody whom a rule of the dataset limits: who does not see
// all of a dataset changes nothing in it, and reads nothing of how it was loaded.
//
// Errors: access.view_only.
func manages(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dataset) error {
	if len(actor.Identities()) == 0 || id.IsZero() {
		return nil
	}
	rules, err := readRules(ctx, tx, id)
	if err != nil {
		return err
	}
	if len(rulesFor(actor, rules[id])) > 0 {
		return ErrLimited
	}
	return nil
}

// Sees names what the actor sees of some datasets and of those that they look
// up in: empty for all of it.
func (s *Service) Sees(ctx context.Context, actor access.Actor, list []ids.Dataset) (string, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return "", err
	}
	if len(actor.Identities()) == 0 || len(list) == 0 {
		return "", nil
	}
	snapshot, err := s.Snapshot(ctx, actor, list)
	if err != nil {
		return "", err
	}
	all := map[ids.Dataset]string{}
	for _, p := range snapshot.parts {
		d, err := s.definition(ctx, snapshot.tenant, p)
		if err != nil {
			return "", err
		}
		all[p.dataset] = sees(actor, d.rules)
	}
	return JoinSees(all), nil
}

// HiddenColumns are the names of columns that rules hide from the actor, former
// names included, in some datasets and in those that they look up in.
func (s *Service) HiddenColumns(ctx context.Context, actor access.Actor, list []ids.Dataset) ([]string, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	if len(actor.Identities()) == 0 || len(list) == 0 {
		return nil, nil
	}
	snapshot, err := s.Snapshot(ctx, actor, list)
	if err != nil {
		return nil, err
	}
	var hidden []string
	for _, p := range snapshot.parts {
		d, err := s.definition(ctx, snapshot.tenant, p)
		if err != nil {
			return nil, err
		}
		for _, c := range d.columns {
			if hides(actor, d.rules, c.ID) {
				hidden = append(append(hidden, c.Name), c.FormerNames...)
			}
		}
	}
	return hidden, nil
}

// JoinSees names what somebody sees of several datasets, out of Dataset.Sees of
// each: empty for all of them.
func JoinSees(each map[ids.Dataset]string) string {
	var parts []string
	for id, one := range each {
		if one != "" {
			parts = append(parts, id.String()+one)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, " ")))
	return hex.EncodeToString(sum[:12])
}
