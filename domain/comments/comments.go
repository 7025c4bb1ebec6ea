// Package comments holds what people say to each other about a dashboard and
// its widgets. Comments of a dashboard that somebody may not see do not exist
// for them.
package comments

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
)

// What can go wrong besides dashboards.not_found.
var (
	ErrNotFound = apperr.Define(apperr.NotFound, "comments.not_found",
		"This comment does not exist or was removed.")
	ErrText = apperr.Define(apperr.Invalid, "comments.text_invalid",
		"A comment has 1 to 4,000 characters.")
	ErrNotYours = apperr.Define(apperr.Forbidden, "comments.not_yours",
		"Only who wrote a comment can change it.")
	ErrTooMany = apperr.Define(apperr.Conflict, "comments.too_many",
		"This thread has as many comments as there can be. Begin another.")
)

const (
	longestText  = 4000
	mostThreads  = 200 // listed
	mostComments = 500 // of a thread
	// undoFor is how long a deleted comment can be brought back.
	undoFor = time.Hour
)

// Thread is a talk about a dashboard or one of its widgets.
type Thread struct {
	ID       ids.Thread
	Widget   string // empty for the whole dashboard
	Title    string // of the widget; empty where it is gone
	Link     string // the query of the URL under which it was begun
	At       time.Time
	Comments []Comment // the oldest first
	Resolved time.Time // zero while open
	By       string    // who resolved it
}

// Comment is one contribution.
type Comment struct {
	ID      ids.Comment
	Author  ids.User
	Name    string // of the author
	Text    string
	Parts   []Part // the text, with what is more than text
	At      time.Time
	Edited  bool
	Deleted bool // by the viewer, who can bring it back
	Own     bool
	// Withheld ones have no text: who wrote them sees other rows than who reads
	// them, and did not name the reader.
	Withheld bool
}

// Part is a piece of a comment: text, the name of somebody, or a link.
type Part struct {
	Text    string
	Mention bool
	Link    bool // Text is an address with http or https
}

// Deps are what the service works with.
type Deps struct {
	DB         *db.DB
	Dashboards *dashboards.Service
	Notify     *notify.Service
	Now        func() time.Time // time.Now when nil
}

// Service is safe for concurrent use.
type Service struct {
	deps Deps
	now  func() time.Time
}

// New makes the service.
func New(deps Deps) *Service {
	now := deps.Now
	if now == nil {
		now = time.Now
	}
	return &Service{deps, now}
}

// Place is a dashboard or, where Widget is set, one of its widgets.
type Place struct {
	Dashboard ids.Dashboard
	Widget    string
}

// board is a dashboard, with the name of what the actor sees of its data.
type board struct {
	dashboards.Dashboard
	sees string
}

// on works on the comments of a dashboard that the actor may see.
func (s *Service) on(ctx context.Context, actor access.Actor, id ids.Dashboard, work func(context.Context, *db.Tx, *board) error) error {
	d, err := s.deps.Dashboards.GetWhole(ctx, actor, id)
	if err != nil {
		return err
	}
	b := board{Dashboard: d}
	if b.sees, err = s.deps.Dashboards.Sees(ctx, actor, &d); err != nil {
		return err
	}
	return s.deps.DB.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error { return work(ctx, tx, &b) })
}

// change is on, and tells open pages.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Dashboard, work func(context.Context, *db.Tx, *board) error) error {
	return s.on(ctx, actor, id, func(ctx context.Context, tx *db.Tx, d *board) error {
		if err := work(ctx, tx, d); err != nil {
			return err
		}
		if err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.CommentsChanged, ID: id.UUID()}); err != nil {
			return fmt.Errorf("tell of a comment: %w", err)
		}
		return nil
	})
}

// List reads the threads of a place, open or resolved, newest first. Those of a
// dashboard include those of its widgets.
//
// Errors: dashboards.not_found.
func (s *Service) List(ctx context.Context, actor access.Actor, at Place, resolved bool) ([]Thread, error) {
	var list []Thread
	err := s.on(ctx, actor, at.Dashboard, func(ctx context.Context, tx *db.Tx, d *board) error {
		var widget *string
		if at.Widget != "" {
			widget = &at.Widget
		}
		undoFrom := s.now().Add(-undoFor)
		rows, err := tx.CommentThreads(ctx, db.CommentThreadsParams{TenantID: tx.TenantID, DashboardID: at.Dashboard.UUID(), WidgetID: widget,
			Resolved: resolved, ViewerID: actor.UserID.UUID(), UndoFrom: &undoFrom, RowLimit: mostThreads})
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		keys := make([]uuid.UUID, len(rows))
		index := map[uuid.UUID]int{}
		for i, r := range rows {
			keys[i], index[r.ThreadID] = r.ThreadID, i
			t := Thread{ID: ids.Thread(r.ThreadID), Widget: r.WidgetID, Title: d.Config.Widgets[r.WidgetID].Title, Link: r.State, At: r.CreatedAt, By: r.ResolvedBy}
			if r.ResolvedAt != nil {
				t.Resolved = *r.ResolvedAt
			}
			list = append(list, t)
		}
		said, err := tx.CommentList(ctx, db.CommentListParams{TenantID: tx.TenantID, ThreadIds: keys, ViewerID: actor.UserID.UUID(), UndoFrom: &undoFrom})
		if err != nil {
			return fmt.Errorf("list comments: %w", err)
		}
		people, err := s.deps.Notify.ListWhoSee(ctx, tx, notify.Object{})
		if err != nil {
			return err
		}
		for _, r := range said {
			t := &list[index[r.ThreadID]]
			c := Comment{ID: ids.Comment(r.CommentID), Author: ids.User(r.UserID), Name: r.Author, Text: r.Text,
				Parts: split(r.Text, handles(people, append([]uuid.UUID{}, r.Mentions...))), At: r.CreatedAt, Edited: r.EditedAt != nil, Deleted: r.DeletedAt != nil,
				Own: r.UserID == actor.UserID.UUID()}
			if d.sees != "" && r.SeenAs != d.sees && !c.Own && !slices.Contains(r.Mentions, actor.UserID.UUID()) {
				c.Withheld, c.Text, c.Parts = true, "", nil
			}
			if c.Withheld && len(t.Comments) == 0 {
				t.Link = "" // the choices under which it was begun are values too
			}
			t.Comments = append(t.Comments, c)
		}
		return nil
	})
	return list, err
}

// CountOpen counts the open threads by widget; those of the dashboard itself
// are under "".
//
// Errors: dashboards.not_found.
func (s *Service) CountOpen(ctx context.Context, actor access.Actor, id ids.Dashboard) (map[string]int, error) {
	counts := map[string]int{}
	err := s.on(ctx, actor, id, func(ctx context.Context, tx *db.Tx, d *board) error {
		rows, err := tx.CommentOpen(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("count threads: %w", err)
		}
		for _, r := range rows {
			counts[r.WidgetID] = int(r.Threads)
		}
		return nil
	})
	return counts, err
}

// Handle is how somebody is named in a comment, after an @.
type Handle struct {
	Name string // the text after the @
	Full string // the person's name and address
}

// ListHandles lists whom a comment can name: the people who may see the
// dashboard. Who shares a name with another is named by the address.
//
// Errors: dashboards.not_found.
func (s *Service) ListHandles(ctx context.Context, actor access.Actor, id ids.Dashboard) ([]Handle, error) {
	var list []Handle
	err := s.on(ctx, actor, id, func(ctx context.Context, tx *db.Tx, _ *board) error {
		people, err := s.deps.Notify.ListWhoSee(ctx, tx, notify.Object{Dashboard: id})
		if err != nil {
			return err
		}
		names := map[string]int{}
		for _, p := range people {
			names[strings.ToLower(p.Name)]++
		}
		for _, p := range people {
			h := Handle{Name: p.Name, Full: p.Name + " · " + p.Email}
			if names[strings.ToLower(p.Name)] > 1 || p.Name == p.Email {
				h = Handle{Name: p.Email, Full: p.Email}
			}
			list = append(list, h)
		}
		return nil
	})
	return list, err
}

// Begin opens a thread with its first comment. Link is the query of the
// dashboard's URL that its author sees.
//
// Errors: dashboards.not_found, dashboards.widget_not_found,
// dashboards.filters_invalid, comments.text_invalid.
func (s *Service) Begin(ctx context.Context, actor access.Actor, at Place, link, text string) error {
	text, err := tidy(text)
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(link)
	if err != nil {
		return dashboards.ErrFilters.Wrap(err)
	}
	state, err := dashboards.ParseState(query)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, at.Dashboard, func(ctx context.Context, tx *db.Tx, d *board) error {
		if _, known := d.Config.Widgets[at.Widget]; at.Widget != "" && !known {
			return dashboards.ErrWidgetNotFound
		}
		thread := ids.New[ids.Thread]()
		err := tx.CommentThreadInsert(ctx, db.CommentThreadInsertParams{TenantID: tx.TenantID, ThreadID: thread.UUID(), DashboardID: at.Dashboard.UUID(),
			WidgetID: at.Widget, State: state.Encode(), Now: s.now()})
		if err != nil {
			return fmt.Errorf("begin thread: %w", err)
		}
		return s.add(ctx, tx, actor, d, thread, at.Widget, text, nil)
	})
}

// Reply adds a comment to a thread.
//
// Errors: dashboards.not_found, comments.not_found, comments.text_invalid,
// comments.too_many.
func (s *Service) Reply(ctx context.Context, actor access.Actor, id ids.Dashboard, thread ids.Thread, text string) error {
	text, err := tidy(text)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, id, func(ctx context.Context, tx *db.Tx, d *board) error {
		row, err := tx.CommentThread(ctx, tx.TenantID, id.UUID(), thread.UUID())
		if db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read thread: %w", err)
		}
		if row.Comments >= mostComments {
			return ErrTooMany
		}
		others, err := tx.CommentThreadPeople(ctx, tx.TenantID, thread.UUID())
		if err != nil {
			return fmt.Errorf("list who wrote: %w", err)
		}
		return s.add(ctx, tx, actor, d, thread, row.WidgetID, text, others)
	})
}

// add writes a comment and tells whom it names, then the others of the thread.
func (s *Service) add(ctx context.Context, tx *db.Tx, actor access.Actor, d *board, thread ids.Thread, widget, text string, others []uuid.UUID) error {
	mentions, err := s.mentions(ctx, tx, d.ID, text)
	if err != nil {
		return err
	}
	id := ids.New[ids.Comment]()
	err = tx.CommentInsert(ctx, db.CommentInsertParams{TenantID: tx.TenantID, CommentID: id.UUID(), ThreadID: thread.UUID(), UserID: actor.UserID.UUID(),
		Text: text, Mentions: mentions, SeenAs: d.sees, Now: s.now()})
	if err != nil {
		return fmt.Errorf("write comment: %w", err)
	}
	if err := record(ctx, tx, actor, "comment.added", d.ID, id.String(), text); err != nil {
		return err
	}
	e := s.event(actor, d, id, widget, text)
	if err := s.tell(ctx, tx, e, notify.Mention, mentions); err != nil {
		return err
	}
	if e.Excerpt, err = s.excerpt(ctx, tx, d, text); err != nil {
		return err
	}
	return s.tell(ctx, tx, e, notify.Reply, others)
}

// excerpt is what is told of a text to those whom it does not name: nothing
// where rules limit what some of them see.
func (s *Service) excerpt(ctx context.Context, tx *db.Tx, d *board, text string) (string, error) {
	var asked []uuid.UUID
	for _, id := range d.Config.Datasets() {
		asked = append(asked, id.UUID())
	}
	ruled, err := tx.CommentRuled(ctx, tx.TenantID, asked)
	if err != nil {
		return "", fmt.Errorf("find rules of a dashboard: %w", err)
	}
	if ruled {
		return "", nil
	}
	return text, nil
}

// PathOf leads to the comments of a place, the panel open.
func PathOf(at Place) string {
	path := "/dashboards/" + at.Dashboard.String() + "?comments=all"
	if at.Widget != "" {
		path = "/dashboards/" + at.Dashboard.String() + "?" + url.Values{"comments": {at.Widget}}.Encode()
	}
	return path
}

func (s *Service) event(actor access.Actor, d *board, id ids.Comment, widget, text string) notify.Event {
	subject := d.Name
	if title := d.Config.Widgets[widget].Title; title != "" {
		subject = title + " · " + d.Name
	}
	return notify.Event{ID: id.UUID(), By: actor.UserID, Object: notify.Object{Dashboard: d.ID}, Subject: subject, Excerpt: text,
		Path: PathOf(Place{d.ID, widget})}
}

func (s *Service) tell(ctx context.Context, tx *db.Tx, e notify.Event, kind notify.Kind, to []uuid.UUID) error {
	e.Kind = kind
	for _, u := range to {
		e.To = append(e.To, ids.User(u))
	}
	return s.deps.Notify.Tell(ctx, tx, e)
}

// Edit changes the text of one of the actor's comments. Who is named now and
// was not before is told.
//
// Errors: dashboards.not_found, comments.not_found, comments.not_yours,
// comments.text_invalid.
func (s *Service) Edit(ctx context.Context, actor access.Actor, id ids.Dashboard, comment ids.Comment, text string) error {
	text, err := tidy(text)
	if err != nil {
		return err
	}
	return s.own(ctx, actor, id, comment, func(ctx context.Context, tx *db.Tx, d *board, row db.CommentGetRow) error {
		if row.DeletedAt != nil {
			return ErrNotFound
		}
		mentions, err := s.mentions(ctx, tx, id, text)
		if err != nil {
			return err
		}
		now := s.now()
		if err := tx.CommentEdit(ctx, db.CommentEditParams{TenantID: tx.TenantID, CommentID: comment.UUID(), Text: text, Mentions: mentions, SeenAs: d.sees, Now: &now}); err != nil {
			return fmt.Errorf("edit comment: %w", err)
		}
		if err := record(ctx, tx, actor, "comment.edited", id, comment.String(), text); err != nil {
			return err
		}
		return s.tell(ctx, tx, s.event(actor, d, comment, row.WidgetID, text), notify.Mention, mentions)
	})
}

// Delete takes one of the actor's comments away, and what others were told of
// it. Restore brings it back within the hour.
//
// Errors: dashboards.not_found, comments.not_found, comments.not_yours.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Dashboard, comment ids.Comment) error {
	return s.own(ctx, actor, id, comment, func(ctx context.Context, tx *db.Tx, _ *board, _ db.CommentGetRow) error {
		now := s.now()
		if err := tx.CommentDelete(ctx, &now, tx.TenantID, comment.UUID()); err != nil {
			return fmt.Errorf("delete comment: %w", err)
		}
		if err := record(ctx, tx, actor, "comment.deleted", id, comment.String(), ""); err != nil {
			return err
		}
		return s.deps.Notify.Forget(ctx, tx, comment.UUID())
	})
}

// Restore brings back a comment that the actor deleted.
//
// Errors: dashboards.not_found, comments.not_found, comments.not_yours.
func (s *Service) Restore(ctx context.Context, actor access.Actor, id ids.Dashboard, comment ids.Comment) error {
	return s.own(ctx, actor, id, comment, func(ctx context.Context, tx *db.Tx, _ *board, row db.CommentGetRow) error {
		if row.DeletedAt != nil && row.DeletedAt.Before(s.now().Add(-undoFor)) {
			return ErrNotFound
		}
		if err := tx.CommentRestore(ctx, tx.TenantID, comment.UUID()); err != nil {
			return fmt.Errorf("restore comment: %w", err)
		}
		return record(ctx, tx, actor, "comment.restored", id, comment.String(), "")
	})
}

func (s *Service) own(ctx context.Context, actor access.Actor, id ids.Dashboard, comment ids.Comment,
	work func(context.Context, *db.Tx, *board, db.CommentGetRow) error) error {
	return s.change(ctx, actor, id, func(ctx context.Context, tx *db.Tx, d *board) error {
		row, err := tx.CommentGet(ctx, tx.TenantID, id.UUID(), comment.UUID())
		if db.IsNoRows(err) || err == nil && row.DeletedAt != nil && row.UserID != actor.UserID.UUID() {
			return ErrNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read comment: %w", err)
		}
		if row.UserID != actor.UserID.UUID() {
			return ErrNotYours
		}
		return work(ctx, tx, d, row)
	})
}

// Resolve closes a thread, or opens it again. Everybody who sees it may.
//
// Errors: dashboards.not_found, comments.not_found.
func (s *Service) Resolve(ctx context.Context, actor access.Actor, id ids.Dashboard, thread ids.Thread, resolved bool) error {
	return s.change(ctx, actor, id, func(ctx context.Context, tx *db.Tx, _ *board) error {
		if _, err := tx.CommentThread(ctx, tx.TenantID, id.UUID(), thread.UUID()); db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		} else if err != nil {
			return fmt.Errorf("read thread: %w", err)
		}
		p := db.CommentResolveParams{TenantID: tx.TenantID, ThreadID: thread.UUID()}
		if resolved {
			now, by := s.now(), actor.UserID.UUID()
			p.Now, p.ResolvedBy = &now, &by
		}
		if err := tx.CommentResolve(ctx, p); err != nil {
			return fmt.Errorf("resolve thread: %w", err)
		}
		action := "comment.reopened"
		if resolved {
			action = "comment.resolved"
		}
		return record(ctx, tx, actor, action, id, thread.String(), "")
	})
}

// record keeps what was done to a comment or thread of a dashboard.
func record(ctx context.Context, tx *db.Tx, actor access.Actor, action string, dashboard ids.Dashboard, object, text string) error {
	detail := map[string]any{"comment": object}
	if text != "" {
		detail["text"] = text
	}
	return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "dashboard", ID: dashboard.String(), Detail: detail})
}

// tidy checks a text and drops what can't be seen or stored.
func tidy(text string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
	if n := utf8.RuneCountInString(text); n == 0 || n > longestText {
		return "", ErrText
	}
	return text, nil
}

// mentions are the people whom a text names and who may see the dashboard.
func (s *Service) mentions(ctx context.Context, tx *db.Tx, id ids.Dashboard, text string) ([]uuid.UUID, error) {
	found := []uuid.UUID{}
	if !strings.Contains(text, "@") {
		return found, nil
	}
	people, err := s.deps.Notify.ListWhoSee(ctx, tx, notify.Object{Dashboard: id})
	if err != nil {
		return nil, err
	}
	known := handles(people, nil)
	for _, part := range split(text, known) {
		if !part.Mention {
			continue
		}
		for _, p := range people {
			named := strings.EqualFold(p.Email, part.Text[1:]) || strings.EqualFold(p.Name, part.Text[1:])
			if named && !slices.Contains(found, p.ID.UUID()) {
				found = append(found, p.ID.UUID())
			}
		}
	}
	return found, nil
}

// handles are the names and addresses of people, or of those named only, the
// longest first.
func handles(people []notify.Person, only []uuid.UUID) []string {
	var list []string
	for _, p := range people {
		if only == nil || slices.Contains(only, p.ID.UUID()) {
			list = append(list, p.Name, p.Email)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(list)
}

// longest is the first of the handles that a text begins with as whole words.
func longest(text string, handles []string) string {
	for _, h := range handles {
		if len(text) < len(h) || !strings.EqualFold(text[:len(h)], h) {
			continue
		}
		next, _ := utf8.DecodeRuneInString(text[len(h):])
		if len(text) == len(h) || !unicode.IsLetter(next) && !unicode.IsDigit(next) {
			return h
		}
	}
	return ""
}

// split cuts a text into what is said, who is named, and links.
func split(text string, handles []string) []Part {
	var parts []Part
	from := 0
	before := ' '
	flush := func(to int) {
		if to > from {
			parts = append(parts, Part{Text: text[from:to]})
		}
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		word := unicode.IsLetter(before) || unicode.IsDigit(before)
		length := 0
		p := Part{}
		if !word && r == '@' {
			if h := longest(text[i+1:], handles); h != "" {
				length, p.Mention = 1+len(h), true
			}
		} else if !word && r == 'h' {
			length = linkLength(text[i:])
			p.Link = length > 0
		}
		if length > 0 {
			flush(i)
			p.Text = text[i : i+length]
			parts = append(parts, p)
			i += length
			from, before = i, 'x'
			continue
		}
		before = r
		i += size
	}
	flush(len(text))
	return parts
}

// linkLength is how far an address reaches that a text begins with, without
// the punctuation that ends a sentence; 0 where it begins with none.
func linkLength(text string) int {
	if !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") {
		return 0
	}
	end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`<>"`, r) })
	if end < 0 {
		end = len(text)
	}
	for end > 0 && strings.IndexByte(".,;:!?)]}'", text[end-1]) >= 0 {
		if text[end-1] == ')' && strings.Count(text[:end], "(") == strings.Count(text[:end], ")") {
			break // of the address itself
		}
		end--
	}
	u, err := url.Parse(text[:end])
	if err != nil || u.Host == "" {
		return 0
	}
	return end
}
