package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// demoPerson is somebody of the demo beside its owner, and how to sign in as them.
type demoPerson struct {
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Password string   `json:"password"`
	States   []string `json:"states"` // whose flights they see
}

// demoManagers see the flights that leave their states.
var demoManagers = []demoPerson{
	{Name: "Rosa Delgado", Email: "rosa@dataflow.example", States: []string{"CA", "NV", "OR", "WA"}},
	{Name: "Tom Becker", Email: "tom@dataflow.example", States: []string{"TX", "OK", "LA"}},
}

const (
	demoGroup = "Regional managers"
	demoRule  = "Managers see their states"
)

// regions adds two managers with different rules on rows, and reports that bring
// each of them what they may see. A set-up that was interrupted is taken up.
func (d *demo) regions(ctx context.Context) error {
	owner, err := d.services.tenants.GetActorByEmail(ctx, d.actor, demoEmail)
	if err != nil {
		return err
	}
	var users []ids.User
	for i, m := range demoManagers {
		if i >= len(d.state.Managers) {
			if m.Password, err = d.person(ctx, m.Email, m.Name, access.Viewer); err != nil {
				return err
			}
			d.state.Managers = append(d.state.Managers, m)
			if err := d.save(); err != nil {
				return err
			}
		}
		manager, err := d.services.tenants.GetActorByEmail(ctx, d.actor, m.Email)
		if err != nil {
			return err
		}
		if err := d.services.tenants.SetMemberAttributes(ctx, d.actor, manager.UserID, tenants.Attributes{"state": m.States}); err != nil {
			return err
		}
		users = append(users, manager.UserID)
	}
	if err := d.regionRules(ctx, users); err != nil {
		return fmt.Errorf("limit what the demo's managers see: %w", err)
	}
	return d.schedules(ctx, owner, users)
}

// regionRules lets the managers see the rows of their states alone.
func (d *demo) regionRules(ctx context.Context, users []ids.User) error {
	group, err := d.services.sharing.CreateGroup(ctx, d.actor, demoGroup)
	if errors.Is(err, sharing.ErrGroupTaken) {
		var groups []sharing.Group
		groups, err = d.services.sharing.ListGroups(ctx, d.actor)
		if at := slices.IndexFunc(groups, func(g sharing.Group) bool { return g.Name == demoGroup }); at >= 0 {
			group = groups[at]
		}
	}
	if err != nil {
		return err
	}
	if err := d.services.sharing.SaveGroup(ctx, d.actor, group.ID, demoGroup, users); err != nil {
		return err
	}
	airports, err := d.services.datasets.Resolve(ctx, d.actor, "airports")
	if err != nil {
		return err
	}
	columns, err := d.services.datasets.RuleColumns(ctx, d.actor, airports)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(columns, func(c datasets.Column) bool { return c.Name == "state" })
	if at < 0 {
		return nil // a visitor renamed it: nothing to limit by
	}
	state := datasets.Predicate{Lookup: "origin_airport", Column: columns[at].ID, Op: "in", Values: []json.RawMessage{json.RawMessage(`{"attribute":"state"}`)}}
	for _, id := range []ids.Dataset{d.ids.Flights, d.ids.Replay} {
		rules, err := d.services.datasets.ListRules(ctx, d.actor, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(rules, func(r datasets.Rule) bool { return r.Name == demoRule }) {
			continue
		}
		rule := datasets.Rule{Kind: datasets.RuleRows, Name: demoRule, For: []datasets.RuleSubject{{Group: group.ID}},
			RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{state}}}
		if _, err := d.services.datasets.SaveRule(ctx, d.actor, id, rule); err != nil {
			return err
		}
	}
	return nil
}

// schedules has the managers get the first dashboard as a document and as rows.
func (d *demo) schedules(ctx context.Context, owner access.Actor, users []ids.User) error {
	names, err := d.services.dashboards.ListNames(ctx, d.actor, 500)
	if err != nil {
		return err
	}
	made, err := d.services.reports.ListSchedules(ctx, owner)
	if err != nil {
		return err
	}
	wanted := dashboards.DemoFlights(d.ids)[0].Name
	for _, board := range names {
		if board.Name != wanted {
			continue
		}
		for name, format := range map[string]reports.Format{"Regional flights": reports.PDF, "Regional flights, rows": reports.CSV} {
			if slices.ContainsFunc(made, func(s reports.Schedule) bool { return s.Name == name }) {
				continue
			}
			_, err := d.services.reports.CreateSchedule(ctx, owner, reports.ScheduleForm{Dashboard: board.ID, Name: name, When: "weekdays at 8:00", Users: users,
				Spec: reports.Spec{Format: format, Paper: reports.A4}, ResendUnknown: true})
			if err != nil {
				return fmt.Errorf("schedule %q: %w", name, err)
			}
		}
		return nil
	}
	return nil
}
