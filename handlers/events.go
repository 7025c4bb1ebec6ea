package handlers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
)

// How often a stream reads the versions and looks at the session again, and
// how long it waits for more changes before it tells of the first.
const (
	streamEvery = 10 * time.Second
	streamPause = 50 * time.Millisecond
	// presenceEvery is how often the stream of an editor looks who is there.
	presenceEvery = time.Second
)

// events is the stream of one open dashboard: ids and versions, never data.
// Redis may lose a message, so versions come from PostgreSQL on connect and
// every 10 s. The session and the role are looked at again each time; when
// either ended, "end" is the last event.
//
//	event: versions
//	data: {"at": "<snapshot>", "rev": 7, "sees": "<what rules leave>"}
//
// "comments" and "notified", without data, say that there is something new to
// ask for. That of an editor also tells the revision of the draft, when it was
// published last, in milliseconds, and whether it is another since
// ("edits", {"rev": 9, "published": 0, "pending": true}), and who else is there
// ("presence", a list).
func (h boards) events(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	s := eventStream{h: h, r: r, w: w, out: http.NewResponseController(w), id: id, actor: actor(r), draft: isDraft(r)}
	moment, err := s.current(r.Context())
	if err != nil {
		return err
	}
	// The server's write timeout is for pages.
	if err := s.out.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("open event stream: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of proxies that would hold it back
	w.WriteHeader(http.StatusOK)
	ctx := r.Context()
	if until := scopeOf(r).until; !until.IsZero() {
		// The page comes again with its next token.
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	s.follow(ctx, moment)
	return nil
}

type eventStream struct {
	h   boards
	r   *http.Request
	w   http.ResponseWriter
	out *http.ResponseController
	id  ids.Dashboard
	// actor is who listens, with the groups that they were in a moment ago.
	actor access.Actor
	// draft is the stream of an editor; people is who it was told is there.
	draft  bool
	people string
	// said are the names of events without data that are due; asked tells that
	// who listens may be somebody who sees other things now.
	said  []string
	asked bool
}

func (s *eventStream) current(ctx context.Context) (dashboards.Moment, error) {
	if s.draft {
		return s.h.Dashboards.CurrentDraft(ctx, s.actor, s.id)
	}
	return s.h.Dashboards.Current(ctx, s.actor, s.id)
}

func (s *eventStream) follow(ctx context.Context, moment dashboards.Moment) {
	var changes <-chan events.Event
	if s.h.Events != nil {
		changes = s.h.Events.Subscribe(ctx, actor(s.r).TenantID.UUID())
	}
	tick := time.NewTicker(cmp.Or(s.h.StreamEvery, streamEvery))
	defer tick.Stop()
	if s.tell(moment) != nil {
		return
	}
	var look <-chan time.Time // who else is there
	if s.draft && s.h.Presence != nil {
		every := time.NewTicker(presenceEvery)
		defer every.Stop()
		look = every.C
	}
	// soon runs once there was a change, so that many at once are told as one.
	var soon <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.h.Stopping:
			return
		case e, open := <-changes:
			if !open {
				changes = nil
				continue
			}
			// Asked of every event: it also notes what is to be said.
			if s.concerns(e, moment) && soon == nil {
				soon = time.After(streamPause)
			}
			continue
		case <-look:
			if s.tellPeople(ctx) != nil {
				return
			}
			continue
		case <-soon:
			soon = nil
			if s.asked && !s.allowed(ctx) {
				if ctx.Err() == nil {
					_ = s.send("end", nil) // the stream ends either way
				}
				return
			}
			s.asked = false
		case <-tick.C:
			if !s.allowed(ctx) {
				if ctx.Err() == nil {
					_ = s.send("end", nil) // the stream ends either way
				}
				return
			}
		}
		now, err := s.current(ctx)
		switch {
		case errors.Is(err, dashboards.ErrNotFound), errors.Is(err, access.ErrForbidden):
			_ = s.send("end", nil) // the stream ends either way
			return
		case err != nil:
			if ctx.Err() == nil {
				slog.WarnContext(ctx, "read versions for a stream", "dashboard", s.id, "error", err)
			}
			continue // the next tick tries again
		}
		moment = now
		if s.tell(moment) != nil {
			return
		}
	}
}

// concerns tells whether an event may have changed what the dashboard shows.
func (s *eventStream) concerns(e events.Event, m dashboards.Moment) bool {
	switch e.Kind {
	case events.Resync:
		return true
	case events.DashboardChanged:
		return e.ID == s.id.UUID()
	case events.PeopleChanged:
		s.asked = true
		return true
	case events.CommentsChanged:
		return e.ID == s.id.UUID() && s.due("comments")
	case events.Notified:
		return e.ID == s.actor.UserID.UUID() && s.due("notified")
	case events.DashboardEdited:
		return s.draft && e.ID == s.id.UUID()
	case events.DatasetChanged:
		return slices.ContainsFunc(m.Datasets, func(d ids.Dataset) bool { return uuid.UUID(d) == e.ID })
	}
	return false
}

func (s *eventStream) due(name string) bool {
	if !slices.Contains(s.said, name) {
		s.said = append(s.said, name)
	}
	return true
}

// allowed tells whether the session still is what it was when the stream began.
func (s *eventStream) allowed(ctx context.Context) bool {
	if again := scopeOf(s.r).again; again != nil {
		now, err := again(ctx)
		if err != nil {
			class := apperr.Describe(err).Class
			return ctx.Err() == nil && class != apperr.Unauthenticated && class != apperr.NotFound
		}
		s.actor = now
		return true
	}
	cookie, err := s.r.Cookie(cookieName(s.r))
	if err != nil {
		return false
	}
	i, err := s.h.Auth.Identify(auth.Unattended(ctx), cookie.Value, false)
	if err != nil {
		// Without an answer nothing is known to have ended.
		return ctx.Err() == nil && !errors.Is(err, auth.ErrNoSession)
	}
	if i, err = s.h.asSeen(s.r, i); err != nil {
		return ctx.Err() == nil
	}
	if i.SessionID != identity(s.r).SessionID || i.Actor.TenantID != s.actor.TenantID || !sameRole(i.Actor, s.actor) {
		return false
	}
	s.actor = i.Actor
	return true
}

// sameRole tells whether two actors may do the same.
func sameRole(a, b access.Actor) bool {
	return a.Role == b.Role && reflect.DeepEqual(a.Custom, b.Custom)
}

// tell says which moment and which revisions are current.
func (s *eventStream) tell(m dashboards.Moment) error {
	if err := s.send("versions", map[string]any{"at": m.Snapshot, "rev": m.Rev, "sees": m.Sees}); err != nil {
		return err
	}
	for _, name := range s.said {
		if err := s.send(name, nil); err != nil {
			return err
		}
	}
	s.said = nil
	if !s.draft {
		return nil
	}
	return s.send("edits", map[string]any{"rev": m.DraftRev, "published": millis(m.PublishedAt), "pending": m.Pending})
}

// millis is 0 for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// tellPeople says who is there where that has changed. Without Redis nobody is.
func (s *eventStream) tellPeople(ctx context.Context) error {
	list, err := s.h.Presence.List(ctx, actor(s.r).TenantID.UUID(), s.id.UUID())
	if err != nil {
		slog.DebugContext(ctx, "read who edits", "dashboard", s.id, "error", err)
		list = nil
	}
	people := peopleOf(list, s.r.URL.Query().Get("tab"))
	text, err := json.Marshal(people)
	if err != nil || string(text) == s.people {
		return err
	}
	s.people = string(text)
	return s.send("presence", people)
}

func (s *eventStream) send(name string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	// A client that takes nothing for so long is gone.
	_ = s.out.SetWriteDeadline(time.Now().Add(streamEvery))
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", name, text); err != nil {
		return err
	}
	return s.out.Flush()
}
