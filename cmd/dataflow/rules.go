package main

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/access"
)

const rulesAbout = `Says what somebody sees of a dataset. Prints JSON.

  show DATASET --as EMAIL   the rules that hold, with their exact conditions,
                            also those of the datasets that it looks up in`

func runRules(ctx context.Context, e *env) error {
	set := e.flags("rules", "show DATASET --as EMAIL [--tenant SLUG]", rulesAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	as := set.String("as", "", "`address` of the person whose view is asked for")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 2 || args[0] != "show" || *as == "" {
		return errUsage.With("“dataflow rules show” takes a DATASET and --as EMAIL.")
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
		type rule struct {
			Dataset string `json:"dataset"`
			Kind    string `json:"kind"`
			Name    string `json:"name,omitempty"`
			Says    string `json:"says"`
		}
		out := struct {
			As         string              `json:"as"`
			Role       string              `json:"role"`
			Attributes map[string][]string `json:"attributes"`
			Rules      []rule              `json:"rules"`
		}{As: *as, Role: string(actor.Role), Attributes: actor.Attributes, Rules: []rule{}}
		for _, h := range held {
			out.Rules = append(out.Rules, rule{h.Dataset, string(h.Kind), h.Name, h.String()})
		}
		return printJSON(e.stdout, out)
	})
}
