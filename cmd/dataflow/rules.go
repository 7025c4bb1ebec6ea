package main

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/handlers"
)

const rulesAbout = `Says what somebody sees of a dataset or a dashboard. Prints JSON.

  show DATASET --as EMAIL      the rules that hold, with their exact conditions,
                               also those of the datasets that it looks up in
  widgets DASHBOARD --as EMAIL the same for each widget, with the statement that
                               is asked for them
  widgets DASHBOARD --token -  for whoever has an embed token, which is read from
                               standard input, or from a file in the place of "-"`

type heldRule struct {
	Dataset string `json:"dataset"`
	Kind    string `json:"kind"`
	Name    string `json:"name,omitempty"`
	Says    string `json:"says"`
}

func heldRules(held []datasets.HeldRule) []heldRule {
	rules := []heldRule{}
	for _, h := range held {
		rules = append(rules, heldRule{h.Dataset, string(h.Kind), h.Name, h.String()})
	}
	return rules
}

func runRules(ctx context.Context, e *env) error {
	set := e.flags("rules", "show DATASET|widgets DASHBOARD --as EMAIL|--token FILE [--tenant SLUG]", rulesAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	as := set.String("as", "", "`address` of the person whose view is asked for")
	token := set.String("token", "", "`file` with the embed token that is asked about; - reads standard input")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) == 2 && args[0] == "widgets" && (*as == "") != (*token == "") {
		return withData(ctx, e, *tenant, func(ctx context.Context, s *services, console access.Actor) error {
			return widgetRules(ctx, e, s, console, args[1], *as, *token)
		})
	}
	if len(args) != 2 || args[0] != "show" || *as == "" || *token != "" {
		return errUsage.With("“dataflow rules” takes show, a DATASET and --as EMAIL; or widgets, a DASHBOARD and either --as EMAIL or --token FILE.")
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, console access.Actor) error {
		actor, err := s.tenants.GetActorByEmail(ctx, console, *as)
		if err != nil {
			return err
		}
		id, err := s.datasets.Resolve(ctx, actor, args[1])
		if err != nil {
			return err
		}
		held, err := s.datasets.HeldRules(ctx, actor, id)
		if err != nil {
			return err
		}
		out := struct {
			As         string              `json:"as"`
			Role       string              `json:"role"`
			Attributes map[string][]string `json:"attributes"`
			Rules      []heldRule          `json:"rules"`
		}{As: *as, Role: string(actor.Role), Attributes: actor.Attributes, Rules: heldRules(held)}
		return printJSON(e.stdout, out)
	})
}

// widgetRules says what limits each widget of a dashboard for a member or for
// whoever has a token.
func widgetRules(ctx context.Context, e *env, s *services, console access.Actor, dashboard, as, token string) error {
	var seen access.Actor
	if as != "" {
		actor, err := s.tenants.GetActorByEmail(ctx, console, as)
		if err != nil {
			return err
		}
		seen = actor
	} else {
		text, err := readFileOrInput(e, token)
		if err != nil {
			return err
		}
		visit, err := s.embed.Inspect(ctx, console, string(text))
		if err != nil {
			return err
		}
		seen = visit.Actor
	}
	id, err := s.dashboards.Resolve(ctx, console, dashboard)
	if err != nil {
		return err
	}
	name, list, err := s.dashboards.ListPredicates(ctx, seen, id, handlers.ReportWords(ctx, seen.Locale))
	if err != nil {
		return err
	}
	type widget struct {
		Widget  string     `json:"widget"`
		Title   string     `json:"title"`
		Dataset string     `json:"dataset,omitempty"`
		Rules   []heldRule `json:"rules"`
		SQL     string     `json:"sql,omitempty"`
		Problem string     `json:"problem,omitempty"`
	}
	out := struct {
		Dashboard  string              `json:"dashboard"`
		Attributes map[string][]string `json:"attributes,omitempty"`
		Locked     map[string][]string `json:"locked,omitempty"`
		Widgets    []widget            `json:"widgets"`
	}{Dashboard: name, Attributes: seen.Attributes, Locked: seen.Locked, Widgets: []widget{}}
	for _, w := range list {
		out.Widgets = append(out.Widgets, widget{w.Widget, w.Title, w.Dataset, heldRules(w.Rules), w.SQL, w.Problem})
	}
	return printJSON(e.stdout, out)
}
