package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse"
)

// What can go wrong with rules.
var (
	ErrRuleInvalid = apperr.Define(apperr.Invalid, "datasets.rule_invalid",
		"This rule is not possible.")
	ErrRuleNotFound = apperr.Define(apperr.NotFound, "datasets.rule_not_found",
		"The dataset has no such rule.")
	ErrLimited = apperr.Define(apperr.Forbidden, "datasets.limited",
		"A rule limits what you see of this dataset, so you can't change it or see how it was loaded. Ask an owner or an admin of the workspace.")
)

// Limits of rules.
const (
	maxRules         = 100
	maxPredicates    = 20
	maxRuleValues    = 500
	maxRuleSubjects  = 200
	maxMinRows       = 1000
	maxKept          = 20
	maxRangeWidth    = 1_000_000_000_000
	ruleNameMaxRunes = 120
)

// ListRules answers the rules of a dataset, for those who decide who sees what.
//
// Errors: datasets.not_found, access.forbidden.
func (s *Service) ListRules(ctx context.Context, actor access.Actor, id ids.Dataset) ([]Rule, error) {
	_, rules, err := s.ruled(ctx, actor, id)
	return rules, err
}

// ruled reads a dataset whole, with its rules.
func (s *Service) ruled(ctx context.Context, actor access.Actor, id ids.Dataset) (d Dataset, rules []Rule, err error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return d, nil, err
	}
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return getError(id, err)
		}
		if d, err = readDataset(ctx, tx, row); err != nil {
			return err
		}
		all, err := readRules(ctx, tx, id)
		rules = all[id]
		return err
	})
	return d, rules, err
}

// RuleColumns answers the columns that a rule can name, hidden ones included.
//
// Errors: datasets.not_found, access.forbidden.
func (s *Service) RuleColumns(ctx context.Context, actor access.Actor, id ids.Dataset) ([]Column, error) {
	d, _, err := s.ruled(ctx, actor, id)
	return d.Columns, err
}

// SaveRule adds a rule or, with its id, replaces one. It holds from the commit
// on, for pages that are open as well.
//
// Errors: datasets.not_found, datasets.rule_invalid, datasets.rule_not_found,
// access.forbidden.
func (s *Service) SaveRule(ctx context.Context, actor access.Actor, id ids.Dataset, r Rule) (ids.Rule, error) {
	r.Name = strings.TrimSpace(r.Name)
	if err := s.checkRule(ctx, actor, id, &r); err != nil {
		return ids.Rule{}, err
	}
	body, err := json.Marshal(r.RuleBody)
	if err != nil {
		return ids.Rule{}, fmt.Errorf("encode rule: %w", err)
	}
	action := "datasets.rule_changed"
	if r.ID.IsZero() {
		r.ID, action = ids.New[ids.Rule](), "datasets.rule_added"
	}
	err = s.changeRules(ctx, actor, id, action, func(ctx context.Context, tx *db.Tx, before []Rule) (map[string]any, error) {
		old := slices.IndexFunc(before, func(o Rule) bool { return o.ID == r.ID })
		switch {
		case old < 0 && action == "datasets.rule_changed":
			return nil, ErrRuleNotFound
		case old < 0 && len(before) >= maxRules:
			return nil, ErrRuleInvalid.With("A dataset can have at most %d rules.", maxRules)
		}
		n, err := tx.RuleSave(ctx, db.RuleSaveParams{TenantID: tx.TenantID, RuleID: r.ID.UUID(), DatasetID: id.UUID(), Kind: string(r.Kind), Name: r.Name,
			Rule: body, Everybody: r.Everybody, Now: s.moment()})
		if _, taken := db.IsUniqueViolation(err); taken {
			return nil, ErrRuleInvalid.With("There is a rule “%s” already.", r.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("save rule: %w", err)
		}
		if n == 0 {
			return nil, ErrRuleNotFound
		}
		if err := tx.RuleSubjectsClear(ctx, tx.TenantID, r.ID.UUID()); err != nil {
			return nil, fmt.Errorf("clear subjects of a rule: %w", err)
		}
		for _, list := range []struct {
			subjects []RuleSubject
			excepted bool
		}{{r.For, false}, {r.Except, true}} {
			for _, subject := range list.subjects {
				p := db.RuleSubjectInsertParams{TenantID: tx.TenantID, RuleID: r.ID.UUID(), Excepted: list.excepted, UserID: optional(subject.User),
					GroupID: optional(subject.Group), SubjectID: subject.id()}
				if subject.Role != "" {
					role := string(subject.Role)
					p.Role = &role
				}
				err := tx.RuleSubjectInsert(ctx, p)
				if db.IsForeignKeyViolation(err) {
					return nil, ErrRuleInvalid.With("Somebody whom the rule names is not of this workspace.")
				}
				if err != nil {
					return nil, fmt.Errorf("add subject of a rule: %w", err)
				}
			}
		}
		detail := map[string]any{"rule": r.Name, "kind": string(r.Kind), "after": r.RuleBody, "everybody": r.Everybody, "for": len(r.For), "except": len(r.Except)}
		if old >= 0 {
			detail["before"] = before[old].RuleBody
		}
		return detail, nil
	})
	return r.ID, err
}

// RemoveRule removes a rule.
//
// Errors: datasets.not_found, datasets.rule_not_found, access.forbidden.
func (s *Service) RemoveRule(ctx context.Context, actor access.Actor, id ids.Dataset, rule ids.Rule) error {
	return s.changeRules(ctx, actor, id, "datasets.rule_removed", func(ctx context.Context, tx *db.Tx, before []Rule) (map[string]any, error) {
		n, err := tx.RuleDelete(ctx, tx.TenantID, id.UUID(), rule.UUID())
		if err != nil {
			return nil, fmt.Errorf("remove rule: %w", err)
		}
		if n == 0 {
			return nil, ErrRuleNotFound
		}
		detail := map[string]any{}
		for _, r := range before {
			if r.ID == rule {
				detail["rule"], detail["kind"], detail["before"] = r.Name, string(r.Kind), r.RuleBody
			}
		}
		return detail, nil
	})
}

// changeRules is revise for rules. Whom they limit may change them as well, if
// they decide who sees what.
func (s *Service) changeRules(ctx context.Context, actor access.Actor, id ids.Dataset, action string, work func(context.Context, *db.Tx, []Rule) (map[string]any, error)) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DatasetLock(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return lockError(ctx, tx, id, err)
		}
		before, err := readRules(ctx, tx, id)
		if err != nil {
			return err
		}
		detail, err := work(ctx, tx, before[id])
		if err != nil {
			return err
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

// checkRule tells whether a rule can be kept, and fills in what a predicate's
// lookup leads to.
//
// Errors: datasets.not_found, datasets.rule_invalid, access.forbidden.
func (s *Service) checkRule(ctx context.Context, actor access.Actor, id ids.Dataset, r *Rule) error {
	d, _, err := s.ruled(ctx, actor, id)
	if err != nil {
		return err
	}
	if problem := plaintext.Problem(r.Name, ruleNameMaxRunes, fmt.Sprintf("A rule's name has 1 to %d characters.", ruleNameMaxRunes)); problem != "" {
		return ErrRuleInvalid.With("%s", problem)
	}
	if !r.Everybody && len(r.For) == 0 {
		return ErrRuleInvalid.With("Say whom the rule is for: everybody, or some people, groups or roles.")
	}
	if r.Everybody {
		r.For = nil
	}
	if len(r.For)+len(r.Except) > maxRuleSubjects {
		return ErrRuleInvalid.With("A rule names at most %d people, groups and roles.", maxRuleSubjects)
	}
	for _, list := range []*[]RuleSubject{&r.For, &r.Except} {
		var once []RuleSubject
		for _, subject := range *list {
			if subject.id().String() == (ids.User{}).String() {
				return ErrRuleInvalid.With("The rule names nobody in one of its entries.")
			}
			if !slices.ContainsFunc(once, func(o RuleSubject) bool { return o.id() == subject.id() }) {
				once = append(once, subject)
			}
		}
		*list = once
	}
	switch r.Kind {
	case RuleRows:
		r.RuleBody = RuleBody{Predicates: r.Predicates}
		return s.checkPredicates(ctx, actor, d, r)
	case RuleColumn:
		r.RuleBody = RuleBody{Column: r.Column, Mask: r.Mask}
		c, ok := d.ColumnByID(r.Column)
		switch {
		case !ok:
			return ErrRuleInvalid.With("The dataset has no such column.")
		case r.Mask.Secret != "" || r.Mask.Keep < 0 || r.Mask.Keep > maxKept || r.Mask.Width < 0 || r.Mask.Width > maxRangeWidth:
			return ErrRuleInvalid.With("At most %d characters can be left, and a range is at most %d wide.", maxKept, int64(maxRangeWidth))
		case !r.Mask.Fits(c.Type):
			return ErrRuleInvalid.With("“%s” is %s, which can't be masked in this way.", c.Name, TypeName(c.Column))
		}
		return nil
	case RuleGroups:
		r.RuleBody = RuleBody{MinRows: r.MinRows}
		if r.MinRows < 2 || r.MinRows > maxMinRows {
			return ErrRuleInvalid.With("A group can be asked to have at least 2 to %d rows.", maxMinRows)
		}
		return nil
	}
	return ErrRuleInvalid.With("There is no such kind of rule.")
}

func (s *Service) checkPredicates(ctx context.Context, actor access.Actor, d Dataset, r *Rule) error {
	if n := len(r.Predicates); n < 1 || n > maxPredicates {
		return ErrRuleInvalid.With("A rule has 1 to %d conditions.", maxPredicates)
	}
	whole := actor
	whole.Kind = access.Console // what is tried is the rule, not what the actor sees
	snapshot, err := s.Snapshot(ctx, actor, []ids.Dataset{d.ID})
	if err != nil {
		return err
	}
	b, err := s.bound(ctx, whole, snapshot, d.ID)
	if err != nil {
		return err
	}
	var trial warehouse.Policy
	for i := range r.Predicates {
		p := &r.Predicates[i]
		columns := d.Columns
		if p.Lookup != "" {
			at := slices.IndexFunc(d.Lookups, func(l Lookup) bool { return l.Name == p.Lookup })
			if at < 0 {
				return ErrRuleInvalid.With("The dataset has no lookup “%s”.", p.Lookup)
			}
			p.Target = d.Lookups[at].Target
			target, err := s.Get(ctx, whole, p.Target)
			if err != nil {
				return err
			}
			columns = target.Columns
		}
		at := slices.IndexFunc(columns, func(c Column) bool { return c.ID == p.Column })
		if at < 0 {
			return ErrRuleInvalid.With("The dataset has no such column.")
		}
		if !slices.Contains(RuleOps, p.Op) {
			return ErrRuleInvalid.With("Rules can't compare by “%s”.", p.Op)
		}
		rule := warehouse.RowRule{Name: r.Name, Column: p.Column, Lookup: p.Lookup, Filter: warehouse.Filter{Op: p.Op, Values: []json.RawMessage{}}}
		valueless := p.Op == "is_empty" || p.Op == "not_empty"
		switch {
		case valueless:
			p.Values, rule.Filter.Values = nil, nil
		case len(p.Values) == 0 || len(p.Values) > maxRuleValues:
			return ErrRuleInvalid.With("The condition on “%s” needs a value.", columns[at].Name)
		case len(p.Values) > 1 && p.Op != "in" && p.Op != "not_in":
			return ErrRuleInvalid.With("The condition on “%s” takes one value only.", columns[at].Name)
		}
		attributes := false
		for _, v := range p.Values {
			name, is := attributeOf(v)
			attributes = attributes || is
			if is && name == "" {
				return ErrRuleInvalid.With("The condition on “%s” names no attribute.", columns[at].Name)
			}
			if !is {
				rule.Filter.Values = append(rule.Filter.Values, v)
			}
		}
		if !attributes || p.Op == "in" || p.Op == "not_in" {
			trial.Rows = append(trial.Rows, rule)
		}
	}
	dataset := *b.dataset
	dataset.Policy = warehouse.NewPolicy(trial)
	_, err = s.engine.Check(ctx, warehouse.Query{Dataset: &dataset, Exact: true, Now: s.moment(),
		Spec: warehouse.Spec{Dataset: d.ID.String(), Measures: []warehouse.Measure{{Fn: "count"}}}})
	if err != nil {
		return ErrRuleInvalid.With("A value does not fit its column.").Wrap(err)
	}
	return nil
}

// LiteralValue writes a text as a value that a column of a type can be compared
// with in a rule.
//
// Errors: datasets.rule_invalid.
func LiteralValue(c Column, text string) (json.RawMessage, error) {
	raw, ok := literalOf(text, c.Type)
	if !ok {
		return nil, ErrRuleInvalid.With("“%s” is %s, and “%.80s” is not.", c.Name, TypeName(c.Column), text)
	}
	return raw, nil
}

// Coverage is how many rows somebody sees, of all.
type Coverage struct{ Seen, All int64 }

// TryRule counts what somebody would see of a dataset with a rule as it is
// being written; with a zero rule, what they see now.
//
// Errors: datasets.not_found, datasets.rule_invalid, access.forbidden.
func (s *Service) TryRule(ctx context.Context, actor access.Actor, id ids.Dataset, r Rule, as access.Actor) (Coverage, error) {
	if as.TenantID != actor.TenantID {
		return Coverage{}, ErrNotFound
	}
	d, rules, err := s.ruled(ctx, actor, id)
	if err != nil {
		return Coverage{}, err
	}
	if r.Kind != "" {
		if strings.TrimSpace(r.Name) == "" {
			r.Name = "new" // it is asked for when the rule is kept
		}
		if err := s.checkRule(ctx, actor, id, &r); err != nil {
			return Coverage{}, err
		}
		rules = append(slices.DeleteFunc(rules, func(o Rule) bool { return o.ID == r.ID }), r)
	}
	snapshot, err := s.Snapshot(ctx, as, []ids.Dataset{id})
	if err != nil {
		return Coverage{}, err
	}
	b, err := s.bound(ctx, as, snapshot, id)
	if err != nil {
		return Coverage{}, err
	}
	p, _ := snapshot.part(id)
	stored, err := s.definition(ctx, snapshot.tenant, p)
	if err != nil {
		return Coverage{}, err
	}
	draft := *stored
	draft.rules = rules
	targets := make([]*definition, len(draft.lookups))
	for i, l := range draft.lookups {
		if p, ok := snapshot.part(l.Target); ok {
			if targets[i], err = s.definition(ctx, snapshot.tenant, p); err != nil {
				return Coverage{}, err
			}
		}
	}
	dataset := *b.dataset
	dataset.Policy = policyOf(as, &draft, targets)
	result, err := s.engine.Run(ctx, warehouse.Query{Dataset: &dataset, Exact: true, Now: s.moment(),
		Spec: warehouse.Spec{Dataset: id.String(), Measures: []warehouse.Measure{{Fn: "count", As: "rows"}}}})
	if err != nil {
		return Coverage{}, err
	}
	seen := int64(0)
	if result.Rows > 0 && !result.Columns[0].IsNull(0) {
		seen = result.Columns[0].Ints[0]
	}
	return Coverage{Seen: seen, All: d.Rows}, nil
}

// HeldRule is a rule as it holds for one person.
type HeldRule struct {
	Dataset string // its name
	Name    string
	Kind    RuleKind
	// Predicate is the exact comparison of a rule on rows, Column the name of
	// the column and Mask what is seen of it, MinRows how many rows a group needs.
	Predicate string
	Column    string
	Mask      warehouse.MaskKind
	MinRows   int
}

// String is the rule in one line.
func (h HeldRule) String() string {
	switch h.Kind {
	case RuleRows:
		return h.Predicate
	case RuleColumn:
		return h.Column + " is seen as: " + string(h.Mask)
	}
	return fmt.Sprintf("groups of fewer than %d rows are withheld", h.MinRows)
}

// HeldRules answers the rules that hold for the actor on a dataset and on those
// that it looks up in, with the values that they compare with.
//
// Errors: datasets.not_found.
func (s *Service) HeldRules(ctx context.Context, actor access.Actor, id ids.Dataset) ([]HeldRule, error) {
	snapshot, err := s.Snapshot(ctx, actor, []ids.Dataset{id})
	if err != nil {
		return nil, err
	}
	b, err := s.bound(ctx, actor, snapshot, id)
	if err != nil {
		return nil, err
	}
	held := heldIn(b.dataset, nil)
	lookups := make([]string, 0, len(b.dataset.Lookups))
	for name := range b.dataset.Lookups {
		lookups = append(lookups, name)
	}
	slices.Sort(lookups)
	for _, name := range lookups {
		held = heldIn(b.dataset.Lookups[name].Target, held)
	}
	return held, nil
}

func heldIn(d *warehouse.Dataset, held []HeldRule) []HeldRule {
	p := d.Policy
	if p == nil {
		return held
	}
	named := func(columns []warehouse.Column, id int32) string {
		for _, c := range columns {
			if c.ID == id {
				return c.Name
			}
		}
		return fmt.Sprintf("column %d", id)
	}
	for _, r := range p.Rows {
		column := named(d.Columns, r.Column)
		if l, ok := d.Lookups[r.Lookup]; ok && r.Lookup != "" && l.Target != nil {
			column = r.Lookup + "." + named(l.Target.Columns, r.Column)
		}
		held = append(held, HeldRule{Dataset: d.Name, Name: r.Name, Kind: RuleRows, Predicate: r.Predicate(column)})
	}
	for _, c := range d.Columns {
		if m, ok := p.Columns[c.ID]; ok {
			held = append(held, HeldRule{Dataset: d.Name, Kind: RuleColumn, Column: c.Name, Mask: m.Kind})
		}
	}
	if p.MinRows > 1 {
		held = append(held, HeldRule{Dataset: d.Name, Kind: RuleGroups, MinRows: p.MinRows})
	}
	return held
}

// usedByRules names the rules that look at a column.
func usedByRules(rules []Rule, column int32) []string {
	var names []string
	for _, r := range rules {
		uses := r.Kind == RuleColumn && r.Column == column ||
			slices.ContainsFunc(r.Predicates, func(p Predicate) bool { return p.Lookup == "" && p.Column == column })
		if uses {
			names = append(names, "“"+r.Name+"”")
		}
	}
	return names
}
