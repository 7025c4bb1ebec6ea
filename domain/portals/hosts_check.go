package portals

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// CheckHostsArgs asks for the proofs of a workspace's hosts to be looked for
// again. Idempotent.
type CheckHostsArgs struct{}

// Kind names the job.
func (CheckHostsArgs) Kind() string { return "portals:check_hosts" }

// checkedHost is a host in use and what its last check found.
type checkedHost struct {
	name   string
	portal uuid.UUID
	before hosts.Health
}

// RunCheckHosts looks whether the hosts in use are still proven: a name can go
// to somebody else, who must not find this workspace's portal behind it. Who
// looks after the workspace is told when a proof goes missing; a host whose
// proof is missing for hosts.Grace leads nowhere until it is proven again.
func (s *Service) RunCheckHosts(ctx context.Context, job jobs.Job[CheckHostsArgs]) error {
	var list []checkedHost
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.PortalHostsProven(ctx, job.TenantID)
		if err != nil {
			return fmt.Errorf("list hosts in use: %w", err)
		}
		for _, r := range rows {
			one := checkedHost{name: r.Host, portal: r.PortalID}
			if r.FailingAt != nil {
				one.before.FailingSince = *r.FailingAt
			}
			list = append(list, one)
		}
		return nil
	})
	if err != nil {
		return err
	}
	lost := false
	for _, one := range list {
		now := s.now()
		after, err := s.deps.Prover.Check(ctx, ids.Tenant(job.TenantID), one.name, one.before, now)
		if err != nil {
			return err
		}
		ends := after.Lost(now)
		if after.FailingSince.Equal(one.before.FailingSince) && !ends {
			continue
		}
		if err := s.noteHost(ctx, job.TenantID, one, after, ends); err != nil {
			return err
		}
		lost = lost || ends
	}
	if lost {
		s.hosts.forget()
	}
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error { return job.Complete(ctx, tx) })
}

// noteHost keeps what a check has found, and tells of it.
func (s *Service) noteHost(ctx context.Context, tenant uuid.UUID, one checkedHost, after hosts.Health, lost bool) error {
	p := db.PortalHostCheckedParams{Host: one.name, TenantID: tenant, Lost: lost}
	action := "portals.host_recovered"
	if !after.FailingSince.IsZero() {
		p.FailingAt, action = &after.FailingSince, "portals.host_failing"
	}
	if lost {
		action = "portals.host_suspended"
	}
	return s.deps.DB.InIdentityTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.PortalHostChecked(ctx, p)
		if err != nil {
			return fmt.Errorf("note check of host: %w", err)
		}
		if n == 0 {
			return nil // it was taken off the portal meanwhile
		}
		e := audit.Entry{Action: action, Target: "portal", ID: one.portal.String(), Detail: map[string]any{"host": one.name}}
		if after.Reason != nil {
			e.Detail = map[string]any{"host": one.name, "reason": apperr.Describe(after.Reason).Sentence, "since": after.FailingSince}
		}
		if err := audit.Record(ctx, tx, access.Actor{Kind: access.System, TenantID: ids.Tenant(tenant)}, e); err != nil {
			return err
		}
		if after.FailingSince.IsZero() {
			return nil
		}
		admins, err := tx.AdminList(ctx, tenant)
		if err != nil {
			return fmt.Errorf("list admins: %w", err)
		}
		news := notify.Event{ID: ids.New[uuid.UUID](), Kind: notify.HostFailing, Subject: one.name, Excerpt: apperr.Describe(after.Reason).Sentence,
			Path: "/settings/portals/" + one.portal.String() + "/hosts"}
		if lost {
			news.Kind = notify.HostLost
		}
		for _, id := range admins {
			news.To = append(news.To, ids.User(id))
		}
		return s.deps.Notify.Tell(ctx, tx, news)
	})
}
