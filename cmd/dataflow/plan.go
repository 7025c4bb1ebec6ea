package main

import (
	"context"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/plans"
)

const planAbout = `Gives a workspace another plan: Starter, Professional or Enterprise, and prints
{"plan"}. Every plan has every feature; they differ in the number of seats.`

func runPlan(ctx context.Context, e *env) error {
	set := e.flags("plan", "PLAN [--tenant SLUG]", planAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errUsage.With("“dataflow plan” takes one PLAN: Starter, Professional or Enterprise.")
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, console access.Actor) error {
		plan := plans.Plan(args[0])
		if err := s.tenants.SetPlan(ctx, console, plan); err != nil {
			return err
		}
		return printJSON(e.stdout, map[string]plans.Plan{"plan": plan})
	})
}
