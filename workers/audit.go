package workers

import (
	"context"
	"errors"
	"fmt"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// sealArgs asks to seal what was recorded in all workspaces. It is one job for
// all of them: most have nothing to seal, and a job for each would be a row a
// minute for each.
type sealArgs struct{}

// Kind names the job.
func (sealArgs) Kind() string { return "audit:seal" }

// auditPruneArgs asks to remove entries that are older than their workspace
// keeps them.
type auditPruneArgs struct{}

// Kind names the job.
func (auditPruneArgs) Kind() string { return "audit:prune" }

// auditLog looks after the logs of all workspaces.
type auditLog struct{ Deps }

func (a auditLog) seal(ctx context.Context, _ jobs.Job[sealArgs]) error {
	return a.each(ctx, a.Audit.SealAndSend)
}

func (a auditLog) prune(ctx context.Context, _ jobs.Job[auditPruneArgs]) error {
	return a.each(ctx, func(ctx context.Context, tenant ids.Tenant) error {
		_, err := a.Audit.Prune(ctx, tenant)
		return err
	})
}

// each does it for every workspace; one that fails keeps no other from its turn.
func (a auditLog) each(ctx context.Context, do func(context.Context, ids.Tenant) error) error {
	all, err := a.Tenants.List(ctx)
	if err != nil {
		return fmt.Errorf("list workspaces: %w", err)
	}
	var failed []error
	for _, tenant := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := do(ctx, tenant.ID); err != nil {
			failed = append(failed, fmt.Errorf("workspace %s: %w", tenant.ID, err))
		}
	}
	return errors.Join(failed...)
}
