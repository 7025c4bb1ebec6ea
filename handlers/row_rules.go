package handlers

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Rules on the rows, columns and groups of a dataset.

// mostPeople is how many people a rule's form lists.
const mostPeople = 500

// conditionsShown is how many conditions the form has room for at least.
const conditionsShown = 2

func (h datasetPages) rules(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	rule := datasets.Rule{Kind: datasets.RuleKind(r.URL.Query().Get("kind")), Everybody: true, Except: []datasets.RuleSubject{{Role: access.Admin}}}
	if id, err := ids.Parse[ids.Rule](r.URL.Query().Get("rule")); err == nil {
		list, err := h.Datasets.ListRules(r.Context(), actor(r), d.ID)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(list, func(o datasets.Rule) bool { return o.ID == id }); at >= 0 {
			rule = list[at]
		}
	}
	return h.rulesPart(w, r, http.StatusOK, d, rule, "")
}

// ruleNames are what a rule's form and its list call things.
type ruleNames struct {
	columns []datasets.Column // of the dataset, hidden ones included
	lookups []ruleLookup
	people  []ui.Option
	groups  []ui.Option
}

type ruleLookup struct {
	name    string
	target  ids.Dataset
	columns []datasets.Column
}

func (h datasetPages) ruleNames(r *http.Request, d datasets.Dataset) (ruleNames, error) {
	var n ruleNames
	var err error
	if n.columns, err = h.Datasets.RuleColumns(r.Context(), actor(r), d.ID); err != nil {
		return n, err
	}
	for _, l := range d.Lookups {
		columns, err := h.Datasets.RuleColumns(r.Context(), actor(r), l.Target)
		if err != nil {
			return n, err
		}
		n.lookups = append(n.lookups, ruleLookup{l.Name, l.Target, columns})
	}
	members, err := h.Tenants.ListMembers(r.Context(), actor(r), tenants.MemberQuery{Page: 1, PageSize: mostPeople})
	if err != nil {
		return n, err
	}
	for _, m := range members.Members {
		if !m.InvitedAt.IsZero() {
			continue
		}
		label := m.Email
		if m.Name != "" {
			label = m.Name + " · " + m.Email
		}
		n.people = append(n.people, ui.Option{Value: m.UserID.String(), Label: label})
	}
	groups, err := h.Sharing.ListGroups(r.Context(), actor(r))
	if err != nil {
		return n, err
	}
	for _, g := range groups {
		n.groups = append(n.groups, ui.Option{Value: g.ID.String(), Label: g.Name})
	}
	return n, nil
}

// column is a column of a predicate as the form names it: its id, or
// "lookup" and the id of a column there.
func (n ruleNames) column(p datasets.Predicate) (datasets.Column, string) {
	columns, prefix := n.columns, ""
	if p.Lookup != "" {
		columns, prefix = nil, p.Lookup+"."
		for _, l := range n.lookups {
			if l.name == p.Lookup && l.target == p.Target {
				columns = l.columns
			}
		}
	}
	for _, c := range columns {
		if c.ID == p.Column {
			return c, prefix + c.Name
		}
	}
	return datasets.Column{}, prefix + "?"
}

func predicateValue(p datasets.Predicate) string {
	if p.Column == 0 {
		return ""
	}
	value := strconv.Itoa(int(p.Column))
	if p.Lookup != "" {
		value = p.Lookup + "\x1f" + value
	}
	return value
}

func (n ruleNames) columnOptions(chosen string, none string) []ui.Option {
	options := []ui.Option{{Value: "", Label: none, Selected: chosen == ""}}
	for _, c := range n.columns {
		value := predicateValue(datasets.Predicate{Column: c.ID})
		options = append(options, ui.Option{Value: value, Label: c.Name, Selected: value == chosen})
	}
	for _, l := range n.lookups {
		for _, c := range l.columns {
			value := predicateValue(datasets.Predicate{Column: c.ID, Lookup: l.name})
			options = append(options, ui.Option{Value: value, Label: l.name + "." + c.Name, Selected: value == chosen})
		}
	}
	return options
}

// opKeys are the operators of rules in names of messages.
var opKeys = map[string]string{"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}

func opLabel(r *http.Request, op string) string {
	key := op
	if named, ok := opKeys[op]; ok {
		key = named
	}
	return messages.T(r.Context(), "rules.op_"+key)
}

// plainValues are the values of a predicate as a person types them, and the
// attribute that stands among them.
func plainValues(p datasets.Predicate) (values, attribute string) {
	var list []string
	for _, raw := range p.Values {
		var ref struct {
			Attribute string `json:"attribute"`
		}
		var text string
		switch {
		case json.Unmarshal(raw, &ref) == nil && ref.Attribute != "":
			attribute = ref.Attribute
		case json.Unmarshal(raw, &text) == nil:
			list = append(list, text)
		default:
			list = append(list, string(raw))
		}
	}
	return strings.Join(list, ", "), attribute
}

func (h datasetPages) rulesPart(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, rule datasets.Rule, problem string) error {
	list, err := h.Datasets.ListRules(r.Context(), actor(r), d.ID)
	if err != nil {
		return err
	}
	names, err := h.ruleNames(r, d)
	if err != nil {
		return err
	}
	props := views.RulesProps{Dataset: d.ID.String()}
	for _, one := range list {
		props.Rows = append(props.Rows, views.RuleRow{ID: one.ID.String(), Name: one.Name, Says: ruleSays(r, names, one),
			For: ruleWho(r, one.Everybody, one.For), Except: ruleWho(r, false, one.Except)})
	}
	if props.Form, err = h.ruleForm(r, names, rule, problem); err != nil {
		return err
	}
	return h.section(w, r, status, d, views.TabRules, views.RulesPart(props))
}

func ruleSays(r *http.Request, names ruleNames, rule datasets.Rule) []string {
	switch rule.Kind {
	case datasets.RuleRows:
		var lines []string
		for _, p := range rule.Predicates {
			_, column := names.column(p)
			values, attribute := plainValues(p)
			if attribute != "" {
				values = strings.TrimPrefix(values+", ", ", ") + "{" + attribute + "}"
			}
			lines = append(lines, strings.TrimSpace(column+" "+opLabel(r, p.Op)+" "+values))
		}
		return lines
	case datasets.RuleColumn:
		_, column := names.column(datasets.Predicate{Column: rule.Column})
		return []string{column + ": " + messages.T(r.Context(), "rules.mask_"+string(rule.Mask.Kind))}
	}
	return []string{messages.T(r.Context(), "rules.groups_text", "Rows", locale.For(actor(r).Locale).Integer(int64(rule.MinRows)))}
}

func ruleWho(r *http.Request, everybody bool, list []datasets.RuleSubject) string {
	if everybody {
		return messages.T(r.Context(), "rules.everybody")
	}
	var names []string
	for _, s := range list {
		name := s.Name
		if s.Role != "" {
			name = messages.T(r.Context(), "rules.role_"+string(s.Role))
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return messages.T(r.Context(), "rules.nobody")
	}
	return strings.Join(names, ", ")
}

func (h datasetPages) ruleForm(r *http.Request, names ruleNames, rule datasets.Rule, problem string) (views.RuleForm, error) {
	t := func(key string) string { return messages.T(r.Context(), key) }
	f := views.RuleForm{Kind: string(rule.Kind), Name: rule.Name, Everybody: rule.Everybody, People: names.people, Error: problem}
	if f.Kind != string(datasets.RuleColumn) && f.Kind != string(datasets.RuleGroups) {
		f.Kind = string(datasets.RuleRows)
	}
	if !rule.ID.IsZero() {
		f.ID = rule.ID.String()
	}
	var err error
	if f.Attributes, err = h.Tenants.ListAttributeNames(r.Context(), actor(r)); err != nil {
		return f, err
	}
	predicates := slices.Clone(rule.Predicates)
	for len(predicates) < conditionsShown || predicates[len(predicates)-1].Column != 0 {
		predicates = append(predicates, datasets.Predicate{})
	}
	for _, p := range predicates {
		c := views.RuleCondition{Columns: names.columnOptions(predicateValue(p), t("rules.column_none"))}
		for _, op := range datasets.RuleOps {
			c.Operators = append(c.Operators, ui.Option{Value: op, Label: opLabel(r, op), Selected: op == p.Op})
		}
		c.Values, c.Attribute = plainValues(p)
		f.Conditions = append(f.Conditions, c)
	}
	for _, c := range names.columns {
		f.Columns = append(f.Columns, ui.Option{Value: strconv.Itoa(int(c.ID)), Label: c.Name, Selected: c.ID == rule.Column})
	}
	for _, kind := range datasets.MaskKinds {
		f.Masks = append(f.Masks, ui.Option{Value: string(kind), Label: t("rules.mask_" + string(kind)), Selected: kind == rule.Mask.Kind})
	}
	if n := max(int64(rule.Mask.Keep), rule.Mask.Width); n > 0 {
		f.Keep = strconv.FormatInt(n, 10)
	}
	if rule.MinRows > 0 {
		f.MinRows = strconv.Itoa(rule.MinRows)
	}
	subjects := func(chosen []datasets.RuleSubject, roles ...access.Role) []views.RuleSubject {
		var list []views.RuleSubject
		add := func(value, label string, is func(datasets.RuleSubject) bool) {
			list = append(list, views.RuleSubject{Value: value, Label: label, Checked: slices.ContainsFunc(chosen, is)})
		}
		for _, role := range roles {
			add("role:"+string(role), t("rules.role_"+string(role)), func(s datasets.RuleSubject) bool { return s.Role == role })
		}
		for _, g := range names.groups {
			add("group:"+g.Value, g.Label, func(s datasets.RuleSubject) bool { return s.Group.String() == g.Value })
		}
		for _, p := range names.people {
			add("user:"+p.Value, p.Label, func(s datasets.RuleSubject) bool { return s.User.String() == p.Value })
		}
		return list
	}
	f.For = subjects(rule.For, access.Viewer, access.Editor, access.Admin)
	f.Except = subjects(rule.Except, access.Editor, access.Admin)
	return f, nil
}

// postedRule reads the form of a rule.
func (h datasetPages) postedRule(r *http.Request, names ruleNames) (datasets.Rule, error) {
	if err := parseForm(r); err != nil {
		return datasets.Rule{}, err
	}
	f := r.PostForm
	rule := datasets.Rule{Kind: datasets.RuleKind(f.Get("kind")), Name: f.Get("name"), Everybody: f.Get("everybody") == "true"}
	if id, err := ids.Parse[ids.Rule](f.Get("rule")); err == nil {
		rule.ID = id
	}
	for _, list := range []struct {
		name string
		to   *[]datasets.RuleSubject
	}{{"for", &rule.For}, {"except", &rule.Except}} {
		for _, text := range f[list.name] {
			s, err := parseSubject(text)
			if err != nil && strings.TrimPrefix(text, "role:") != string(access.Admin) {
				return rule, err
			}
			*list.to = append(*list.to, datasets.RuleSubject{User: s.User, Group: s.Group, Role: s.Role})
		}
	}
	switch rule.Kind {
	case datasets.RuleColumn:
		column, _ := strconv.Atoi(f.Get("column")) // nonsense is no column
		n, _ := strconv.ParseInt(strings.TrimSpace(f.Get("keep")), 10, 64)
		rule.Column = int32(min(max(column, 0), 1<<30))
		for _, kind := range datasets.MaskKinds {
			if string(kind) != f.Get("mask") {
				continue
			}
			rule.Mask.Kind = kind
			switch f.Get("mask") {
			case "last", "first":
				rule.Mask.Keep = int(min(max(n, -1), 1000))
			case "range":
				rule.Mask.Width = n
			}
		}
	case datasets.RuleGroups:
		n, _ := strconv.Atoi(strings.TrimSpace(f.Get("min_rows"))) // nonsense is too few
		rule.MinRows = n
	default:
		rule.Kind = datasets.RuleRows
		for i, column := range f["column"] {
			if column == "" {
				continue
			}
			at := func(name string) string {
				if i < len(f[name]) {
					return strings.TrimSpace(f[name][i])
				}
				return ""
			}
			p := datasets.Predicate{Op: at("op")}
			lookup, id, dotted := strings.Cut(column, "\x1f")
			if !dotted {
				lookup, id = "", column
			}
			n, _ := strconv.Atoi(id)
			p.Column, p.Lookup = int32(min(max(n, 0), 1<<30)), lookup
			for _, l := range names.lookups {
				if l.name == lookup {
					p.Target = l.target
				}
			}
			c, _ := names.column(p)
			if attribute := strings.ToLower(at("attribute")); attribute != "" {
				p.Values = append(p.Values, datasets.AttributeValue(attribute))
			}
			for text := range strings.SplitSeq(at("values"), ",") {
				if text = strings.TrimSpace(text); text == "" {
					continue
				}
				raw, err := datasets.LiteralValue(c, text)
				if err != nil {
					return rule, err
				}
				p.Values = append(p.Values, raw)
			}
			rule.Predicates = append(rule.Predicates, p)
		}
	}
	return rule, nil
}

func (h datasetPages) saveRule(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	names, err := h.ruleNames(r, d)
	if err != nil {
		return err
	}
	rule, err := h.postedRule(r, names)
	if err == nil {
		_, err = h.Datasets.SaveRule(r.Context(), actor(r), d.ID, rule)
	}
	if problem, wrong := invalid(err); wrong {
		return h.rulesPart(w, r, http.StatusUnprocessableEntity, d, rule, problem)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "rules.saved", views.PathDatasetTab(d.ID.String(), views.TabRules))
}

func (h datasetPages) removeRule(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	rule, err := ids.Parse[ids.Rule](r.PostFormValue("rule"))
	if err != nil {
		return datasets.ErrRuleNotFound.Wrap(err)
	}
	if err := h.Datasets.RemoveRule(r.Context(), actor(r), id, rule); err != nil {
		return err
	}
	return flashAndGo(w, r, "rules.removed", views.PathDatasetTab(id.String(), views.TabRules))
}

// tryRule counts what somebody would see under the rule in the form.
func (h datasetPages) tryRule(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	names, err := h.ruleNames(r, d)
	if err != nil {
		return err
	}
	rule, err := h.postedRule(r, names)
	user, noUser := ids.Parse[ids.User](r.PostFormValue("as"))
	if err == nil && noUser != nil {
		return tenants.ErrMemberNotFound.Wrap(noUser)
	}
	var covered datasets.Coverage
	if err == nil {
		var as access.Actor
		if as, err = h.Tenants.GetActor(r.Context(), actor(r).TenantID, user); err == nil {
			covered, err = h.Datasets.TryRule(r.Context(), actor(r), d.ID, rule, as)
		}
	}
	if problem, wrong := invalid(err); wrong {
		return render(w, r, http.StatusOK, views.RuleCoverage("", problem))
	}
	if err != nil {
		return err
	}
	name := ""
	for _, p := range names.people {
		if p.Value == user.String() {
			name = p.Label
		}
	}
	l := locale.For(actor(r).Locale)
	return render(w, r, http.StatusOK, views.RuleCoverage(messages.T(r.Context(), "rules.coverage", "Seen", l.Integer(covered.Seen), "All", l.Integer(covered.All), "Name", name), ""))
}
