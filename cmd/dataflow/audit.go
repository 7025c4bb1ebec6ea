package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

const auditAbout = `Looks after the audit log of a workspace.

  verify [--expect BATCH:HASH]   read the whole chain again and check every hash
  export [--format csv|ndjson] [--since DATE]
                                 write all entries, newest first
  erase EMAIL                    take a member or a portal's visitor out of the
                                 log: entries stay, and the chain holds

verify prints JSON and exits with 5 where the chain is broken. head and head_hash,
kept elsewhere, are what --expect takes the next time: so it is noticed too that
somebody with all rights over the database has made the chain anew.`

// errBroken makes verify end with a status of its own.
var errBroken = apperr.Define(apperr.Conflict, "audit.broken", "The audit log was changed by something other than DataFlow.")

func runAudit(ctx context.Context, e *env) error {
	set := e.flags("audit", "verify | export | erase EMAIL [--tenant SLUG]", auditAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	expect := set.String("expect", "", "verify: `batch:hash` that the chain must have")
	format := set.String("format", string(audit.NDJSON), "export: csv or ndjson")
	since := set.String("since", "", "export: from this `date` on, such as 2026-06-01")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	wanted := map[string]int{"verify": 1, "export": 1, "erase": 2}
	if len(args) == 0 || wanted[args[0]] != len(args) {
		return errUsage.With("“dataflow audit” takes verify, export or erase EMAIL. Run “dataflow audit -h” for help.")
	}
	var anchor *audit.Anchor
	if *expect != "" {
		batch, hash, _ := strings.Cut(*expect, ":")
		number, err := strconv.ParseInt(batch, 10, 64)
		if err != nil || len(hash) != 64 {
			return errUsage.With("--expect takes BATCH:HASH as verify printed them.")
		}
		anchor = &audit.Anchor{Batch: number, Hash: strings.ToLower(hash)}
	}
	q := audit.Query{}
	if *since != "" {
		if q.Since, err = time.Parse(time.DateOnly, *since); err != nil {
			return errUsage.With("--since takes a date such as 2026-06-01.")
		}
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, actor access.Actor) error {
		switch args[0] {
		case "verify":
			v, err := s.audit.Verify(ctx, actor, anchor)
			if err != nil {
				return err
			}
			err = printJSON(e.stdout, v)
			if v.Broken != nil {
				err = errors.Join(err, errBroken.With("The chain is broken at batch %d. %s", v.Broken.Batch, v.Broken.Reason))
			}
			return err
		case "export":
			x, err := s.audit.OpenExport(ctx, actor, q, audit.Format(*format))
			if err != nil {
				return err
			}
			out := bufio.NewWriter(e.stdout)
			if _, err := x.Write(ctx, out); err != nil {
				return err
			}
			return out.Flush()
		}
		// Who is no member may have been one, or is a portal's visitor.
		person, unknown := s.tenants.GetActorByEmail(ctx, actor, args[1])
		if unknown != nil && !errors.Is(unknown, tenants.ErrMemberNotFound) {
			return fmt.Errorf("find person: %w", unknown)
		}
		parts, err := s.audit.Erase(ctx, actor, person.UserID, args[1])
		if err != nil {
			return err
		}
		if unknown != nil && parts == 0 {
			return tenants.ErrMemberNotFound.With("Nobody with the address %s is in the workspace or in its audit log.", args[1])
		}
		answer := map[string]any{"erased": parts}
		if unknown == nil {
			answer["user_id"] = person.UserID
		}
		return printJSON(e.stdout, answer)
	})
}
