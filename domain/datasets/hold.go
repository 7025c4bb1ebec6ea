package datasets

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

const (
	// holdFor is how long what Hold spares stays spared after its process died.
	holdFor = 15 * time.Minute
	// releaseTimeout bounds giving a lease back; one that is not given back
	// runs out.
	releaseTimeout = 10 * time.Second
)

// Hold does work while the sweeper spares the versions of a snapshot, however
// long that takes: a download, an export or a report reads within it. A version
// that is gone already is not spared, and reading it says so.
//
// Errors: those of work, and of the database.
func (s *Service) Hold(ctx context.Context, actor access.Actor, snapshot Snapshot, purpose string, work func(context.Context) error) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	now := s.moment()
	lease := Lease{ID: ids.New[ids.Lease](), Expires: now.Add(holdFor)}
	held := false
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		for _, p := range snapshot.parts {
			err := leasePart(ctx, tx, lease, p, purpose, now)
			if err != nil && !errors.Is(err, ErrSnapshotExpired) {
				return err
			}
			held = held || err == nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	if held {
		defer s.prolong(ctx, actor, lease.ID)()
	}
	return work(ctx)
}

// prolong extends a lease again and again until the function that it answers
// gives it back.
func (s *Service) prolong(ctx context.Context, actor access.Actor, id ids.Lease) (release func()) {
	ticks, stop := s.every(holdFor / 3)
	done := make(chan struct{})
	var extending sync.WaitGroup
	extending.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticks:
			}
			// What fails now is tried twice more before the lease runs out.
			if err := s.ExtendLease(ctx, actor, id, holdFor); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "extend lease", "lease", id, "error", err)
			}
		}
	})
	return func() {
		stop()
		close(done)
		extending.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		if err := s.ReleaseLease(ctx, actor, id); err != nil {
			s.log.WarnContext(ctx, "release lease", "lease", id, "error", err)
		}
	}
}

// every is a ticker's channel, and what stops it.
func every(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}
