package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/handlers"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/workers"
)

const isolationAbout = `Attacks a workspace as somebody who does not belong to it, and prints each attempt
with its answer as JSON.

A workspace is made for the attack and removed after it. Its owner, a session that
is forged and nobody ask every page, form, stream and download for objects of the
attacked workspace, with forms and filters that name more of them; every kind of
job runs with ids of the attacked workspace. Nothing of it may be answered, and
nothing of it may have changed.

It ends with status 4 where an attempt was not refused, or where there is a page
or a kind of job that it does not know how to attack.`

var errNotHeld = apperr.Define(apperr.Forbidden, "isolation.broken", "The walls between workspaces did not hold.")

// isolationReport is what the command prints.
type isolationReport struct {
	Tenant  string               `json:"tenant"`
	Held    bool                 `json:"held"`
	Objects map[string]int       `json:"objects"` // how many of each kind were tried
	Pages   []handlers.Attempt   `json:"requests"`
	Jobs    []workers.JobAttempt `json:"jobs"`
	// Changed are tables of the attacked workspace that are not as they were. InUse
	// are those that went on changing after the attack, by people or streams at work:
	// they show neither that the walls held nor that they did not.
	Changed []string `json:"changed"`
	InUse   []string `json:"in_use,omitempty"`
	Broken  int      `json:"broken"` // attempts that did not hold
}

func runIsolation(ctx context.Context, e *env) (err error) {
	set := e.flags("isolation", "check [--tenant SLUG]", isolationAbout)
	tenant := set.String("tenant", "", "`slug` of the attacked workspace (default: the only one)")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 1 || args[0] != "check" {
		return errUsage.With("“dataflow isolation” takes check. Run “dataflow isolation -h” for help.")
	}
	cfg, log, err := e.config()
	if err != nil {
		return err
	}
	log = slog.New(unrefused{log.Handler()})
	slog.SetDefault(log)
	a, err := openApp(ctx, cfg, log, roleAll, e.say)
	defer func() { err = errors.Join(err, a.close(closeTimeout)) }()
	if err != nil {
		return err
	}
	s, err := a.openServices()
	if err != nil {
		return err
	}
	victim, err := s.tenants.ForConsole(ctx, *tenant)
	if err != nil {
		return err
	}
	attacker, token, err := makeAttacker(ctx, s)
	if !attacker.TenantID.IsZero() {
		defer func() {
			// Entries that wait name the workspace: they go first.
			err = errors.Join(err, s.audit.Flush(context.WithoutCancel(ctx)), db.RemoveTenant(context.WithoutCancel(ctx), a.adminURL, attacker.TenantID.UUID()))
		}()
	}
	if err != nil {
		return err
	}
	report, err := a.attack(ctx, s, victim.TenantID, attacker, token)
	if err != nil {
		return err
	}
	if err := printJSON(e.stdout, report); err != nil {
		return err
	}
	if !report.Held {
		return errNotHeld.With("%d attempts were not refused; changed tables: %s.", report.Broken, strings.Join(report.Changed, ", "))
	}
	return nil
}

// unrefused leaves the refusals out of the log that the attack is made for: the
// report has them. What failed for another reason stays.
type unrefused struct{ slog.Handler }

func (h unrefused) Handle(ctx context.Context, r slog.Record) error {
	refused := false
	if r.Message == "request failed" || r.Message == "job failed" {
		r.Attrs(func(a slog.Attr) bool {
			switch cause, isError := a.Value.Any().(error); {
			case a.Key == "code":
				refused = !strings.HasPrefix(a.Value.String(), "internal.")
			case isError:
				refused = apperr.Describe(cause).Class != apperr.Internal
			default:
				return true
			}
			return false
		})
	}
	if refused {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h unrefused) WithAttrs(list []slog.Attr) slog.Handler {
	return unrefused{h.Handler.WithAttrs(list)}
}
func (h unrefused) WithGroup(name string) slog.Handler { return unrefused{h.Handler.WithGroup(name)} }

// makeAttacker makes a workspace with an owner who is signed in.
func makeAttacker(ctx context.Context, s *services) (access.Actor, string, error) {
	name, password := strings.ToLower(rand.Text()[:12]), rand.Text()
	made, err := s.tenants.Create(ctx, tenants.New{Name: "Isolation check", Slug: db.ThrowAwaySlug + name})
	if err != nil {
		return access.Actor{}, "", err
	}
	actor := access.Actor{Kind: access.Person, TenantID: made.ID, Role: access.Owner}
	email := db.ThrowAwaySlug + name + "@isolation.invalid"
	if actor.UserID, err = s.auth.CreateUser(ctx, auth.NewUser{TenantID: made.ID, Email: email, Name: "Isolation check", Role: access.Owner, Password: password}); err != nil {
		return actor, "", err
	}
	opened, err := s.auth.SignIn(ctx, email, password, false, auth.Client{UserAgent: "dataflow isolation check"})
	return actor, opened.Token, err
}

func (a *app) attack(ctx context.Context, s *services, victim ids.Tenant, attacker access.Actor, token string) (isolationReport, error) {
	inventory, err := a.db.TakeInventory(ctx, victim.UUID())
	if err != nil {
		return isolationReport{}, err
	}
	report := isolationReport{Tenant: victim.String(), Objects: map[string]int{}, Changed: []string{}}
	for key, list := range inventory.Keys {
		report.Objects[key] = len(list)
	}
	began := time.Now()
	before, err := a.db.Fingerprint(ctx, victim.UUID())
	if err != nil {
		return report, err
	}
	site, err := a.handler(ctx, s)
	if err != nil {
		return report, err
	}
	apiKey, err := s.auth.CreateAPIKey(ctx, attacker, auth.NewAPIKey{Name: "attack", Role: access.Admin})
	if err != nil {
		return report, err
	}
	target := handlers.Target{Tenant: victim.UUID(), Keys: inventory.Keys, Texts: inventory.Texts}
	forged := make([]byte, 32)
	_, _ = rand.Read(forged) // never fails: it ends the process instead
	err = handlers.Attack(ctx, site, target, []handlers.Attacker{
		{Name: "nobody"}, {Name: "forged session", Token: base64.RawURLEncoding.EncodeToString(forged)}, {Name: "owner of another workspace", Token: token},
		{Name: "API key of another workspace", Key: apiKey},
	}, func(one handlers.Attempt) {
		report.Pages = append(report.Pages, one)
		if !one.Held {
			report.Broken++
		}
	})
	if err != nil {
		return report, err
	}
	key := func(name string) uuid.UUID {
		if list := inventory.Keys[name]; len(list) > 0 {
			return list[0]
		}
		return ids.New[uuid.UUID]()
	}
	deps := workers.Deps{Store: a.db, Redis: a.redis, Bus: s.bus, Log: a.log, Audit: s.audit, Auth: s.auth, Tenants: s.tenants, Delivery: s.delivery,
		Notify: s.notify, Datasets: s.datasets, Dashboards: s.dashboards, Reports: s.reports, Alerts: s.alerts, Portals: s.portals}
	err = workers.Attack(ctx, deps, attackQueue{a.db, attacker}, key, func(one workers.JobAttempt) {
		report.Jobs = append(report.Jobs, one)
		if !one.Held {
			report.Broken++
		}
	})
	if err != nil {
		return report, err
	}
	if err := s.audit.Flush(ctx); err != nil {
		return report, err
	}
	after, err := a.db.Fingerprint(ctx, victim.UUID())
	if err != nil {
		return report, err
	}
	// People and streams go on meanwhile. What changes as well while nobody attacks
	// says nothing about the attack.
	select {
	case <-ctx.Done():
		return report, ctx.Err()
	case <-time.After(min(max(time.Since(began), 3*time.Second), 15*time.Second)):
	}
	later, err := a.db.Fingerprint(ctx, victim.UUID())
	if err != nil {
		return report, err
	}
	for table, sum := range after {
		switch {
		case before[table] == sum:
		case later[table] != sum:
			report.InUse = append(report.InUse, table)
		default:
			report.Changed = append(report.Changed, table)
		}
	}
	slices.Sort(report.Changed)
	slices.Sort(report.InUse)
	report.Held = report.Broken == 0 && len(report.Changed) == 0
	return report, nil
}

// attackQueue asks for jobs of the attacker's workspace.
type attackQueue struct {
	db    *db.DB
	actor access.Actor
}

func (q attackQueue) Ask(ctx context.Context, args jobs.Args) (id uuid.UUID, err error) {
	tenant := q.actor.TenantID.UUID()
	err = q.db.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		id, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tenant, UserID: q.actor.UserID.UUID(), Args: args})
		return err
	})
	return id, err
}

func (q attackQueue) Status(ctx context.Context, id uuid.UUID) (status jobs.Status, err error) {
	err = q.db.InTenantTx(ctx, q.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		status, err = tx.JobStatus(ctx, id)
		return err
	})
	return status, err
}

func (q attackQueue) Cancel(ctx context.Context, id uuid.UUID) error {
	return q.db.InTenantTx(ctx, q.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.CancelJob(ctx, id); err != nil {
			return fmt.Errorf("cancel job %s: %w", id, err)
		}
		return nil
	})
}
