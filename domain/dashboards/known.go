package dashboards

import (
	"context"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// ReadState reads the state of a dashboard together with a session, in one
// round trip (auth.Service.IdentifyAnd): into is then what OpenKnown wants,
// empty where there is no such dashboard.
func ReadState(id ids.Dashboard, into *string) func(*db.Batch) {
	return func(b *db.Batch) { b.DashboardState(id.UUID(), into) }
}

// knownViews is how many views are kept.
const knownViews = 512

type knownView struct{ views *lru.Cache[string, *View] }

func newKnownViews() knownView {
	// A size above zero is never refused.
	views, _ := lru.New[string, *View](knownViews)
	return knownView{views}
}

// OpenKnown is Open for somebody whose permission was read just now, with the
// state of the dashboard: a view that was made before for the same person,
// choices and state is answered without asking the database again.
//
// Errors: those of Open.
func (s *Service) OpenKnown(ctx context.Context, actor access.Actor, r OpenRequest, state, language string) (*View, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	if state == "" {
		return nil, ErrNotFound
	}
	key := strings.Join([]string{actor.TenantID.String(), actor.UserID.String(), string(actor.Role), actor.Locale, actor.Location().String(),
		r.ID.String(), state, r.Snapshot, language, r.Now.Format(time.RFC3339), r.State.Encode()}, "\x00")
	if v, ok := s.known.views.Get(key); ok {
		return v, nil
	}
	v, err := s.Open(ctx, actor, r)
	if err != nil {
		return nil, err
	}
	s.known.views.Add(key, v)
	return v, nil
}
