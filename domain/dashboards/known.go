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

// ReadState is the state of a dashboard at a moment, read together with a
// session (auth.Service.IdentifyAnd).
type ReadState struct {
	// Text names all that a page of the dashboard depends on besides the viewer's
	// choices; empty where there is no such dashboard.
	Text string

	id    ids.Dashboard
	asked asked
}

// asked are the datasets that a dashboard was last seen to ask; nil when it was
// not seen.
type asked struct {
	list []uuid.UUID
	name string // tells lists apart
}

// Read begins a state, whose Text is to be read by Fill.
func (s *Service) Read(id ids.Dashboard) *ReadState {
	known, _ := s.known.asked.Get(id)
	return &ReadState{id: id, asked: known}
}

// Name tells apart what different states read.
func (r *ReadState) Name() string { return r.id.String() + r.asked.name }

// Fill queues the read.
func (r *ReadState) Fill(b *db.Batch, text *string) {
	b.DashboardState(r.id.UUID(), r.asked.list, text)
}

// DefaultView is the query that the viewer opens the dashboard with; "" for
// the dashboard's own choices.
func (r *ReadState) DefaultView() string {
	link, _, _ := strings.Cut(r.Text, "\x1f")
	return link
}

// knownViews is how many views are kept, knownLink how long the choices of one
// may be.
const (
	knownViews = 512
	knownLink  = 2 << 10
)

type knownView struct {
	views *lru.Cache[string, *View]
	asked *lru.Cache[ids.Dashboard, asked]
}

func newKnownViews() knownView {
	// A size above zero is never refused.
	views, _ := lru.New[string, *View](knownViews)
	datasets, _ := lru.New[ids.Dashboard, asked](10_000)
	return knownView{views, datasets}
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
	if state.id != r.ID {
		return s.Open(ctx, actor, r)
	}
	if state.Text == "" {
		return nil, ErrNotFound
	}
	if r.State.From != nil {
		return s.Open(ctx, actor, r) // it names another dashboard, which the state does not
	}
	link := r.State.Encode()
	key := strings.Join([]string{actor.TenantID.String(), actor.UserID.String(), actor.Mark(), actor.Locale, actor.Location().String(),
		r.ID.String(), state.Text, r.Snapshot, language, r.Now.Format(time.RFC3339), link}, "\x00")
	if v, ok := s.known.views.Get(key); ok {
		return v, nil
	}
	v, err := s.Open(ctx, actor, r)
	if err != nil {
		return nil, err
	}
	if now := v.asked(); state.asked.list == nil || now.name != state.asked.name {
		// The state was read without these datasets, so it does not name the
		// view: the next request reads one that does.
		s.known.asked.Add(r.ID, now)
		return v, nil
	}
	if len(link) <= knownLink {
		s.known.views.Add(key, v)
	}
	return v, nil
}

// asked are the datasets whose content or definition the view depends on.
func (v *View) asked() asked {
	all := asked{list: []uuid.UUID{}}
	seen := map[ids.Dataset]bool{}
	add := func(id ids.Dataset) {
		if !seen[id] {
			seen[id] = true
			all.list = append(all.list, id.UUID())
			all.name += " " + id.String()
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
	return all
}
