package dashboards

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// ReadState is the state of a dashboard at a moment, read together with a session in one round
// trip (auth.Service.IdentifyAnd).
type ReadState struct {
	id     ids.Dashboard
	asked  []uuid.UUID // datasets that it was last seen to ask; nil when it was not seen
	text   string      // empty: there is no such dashboard
	filled bool
}

// Read begins a state; Fill goes to IdentifyAnd.
func (s *Service) Read(id ids.Dashboard) *ReadState {
	asked, _ := s.known.asked.Get(id)
	return &ReadState{id: id, asked: asked}
}

// Fill queues the read.
func (r *ReadState) Fill(b *db.Batch) {
	r.filled = true
	b.DashboardState(r.id.UUID(), r.asked, &r.text)
}

// knownViews is how many views are kept.
const knownViews = 512

type knownView struct {
	views *lru.Cache[string, *View]
	asked *lru.Cache[ids.Dashboard, []uuid.UUID]
}

func newKnownViews() knownView {
	// A size above zero is never refused.
	views, _ := lru.New[string, *View](knownViews)
	asked, _ := lru.New[ids.Dashboard, []uuid.UUID](10_000)
	return knownView{views, asked}
}

// OpenKnown is Open for somebody whose permission was read just now, with the
// state of the dashboard: a view that was made before for the same person,
// choices and state is answered without asking the database again.
//
// Errors: those of Open.
func (s *Service) OpenKnown(ctx context.Context, actor access.Actor, r OpenRequest, state *ReadState, language string) (*View, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	if !state.filled || state.id != r.ID {
		return s.Open(ctx, actor, r)
	}
	if state.text == "" {
		return nil, ErrNotFound
	}
	key := strings.Join([]string{actor.TenantID.String(), actor.UserID.String(), string(actor.Role), actor.Locale, actor.Location().String(),
		r.ID.String(), state.text, r.Snapshot, language, r.Now.Format(time.RFC3339), r.State.Encode()}, "\x00")
	if v, ok := s.known.views.Get(key); ok {
		return v, nil
	}
	v, err := s.Open(ctx, actor, r)
	if err != nil {
		return nil, err
	}
	asked := v.asked()
	if !sameIDs(asked, state.asked) {
		// The state was read without these datasets, so it does not name the
		// view: the next request reads one that does.
		s.known.asked.Add(r.ID, asked)
		return v, nil
	}
	s.known.views.Add(key, v)
	return v, nil
}

// asked are the datasets whose content or definition the view depends on.
// Never nil.
func (v *View) asked() []uuid.UUID {
	list := []uuid.UUID{}
	seen := map[ids.Dataset]bool{}
	add := func(id ids.Dataset) {
		if !seen[id] {
			seen[id] = true
			list = append(list, id.UUID())
		}
	}
	for _, id := range v.Dashboard.Config.Datasets() {
		add(id)
		if sc := v.schemas[id]; sc != nil {
			for _, l := range sc.Lookups {
				add(l.Target)
			}
		}
	}
	return list
}

func sameIDs(a, b []uuid.UUID) bool {
	if len(a) != len(b) || b == nil {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
