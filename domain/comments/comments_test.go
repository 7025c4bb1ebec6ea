package comments_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// post is a mailer that remembers whom it wrote to.
type post struct{ letters map[string][]delivery.Notice }

func (p *post) Queue(_ context.Context, _ *db.Tx, to delivery.Recipient, letter delivery.Letter) (ids.Message, error) {
	p.letters[to.Address] = append(p.letters[to.Address], letter.(delivery.Notice))
	return ids.New[ids.Message](), nil
}

type rig struct {
	*comments.Service
	t          *testing.T
	db         *db.DB
	tenants    *tenants.Service
	auth       *auth.Service
	dashboards *dashboards.Service
	sharing    *sharing.Service
	notify     *notify.Service
	post       *post
	now        time.Time

	ann, bob, vic access.Actor // an editor, an editor, a viewer
	board         ids.Dashboard
}

var people atomic.Int64

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	r := &rig{t: t, db: dbtest.New(t), post: &post{map[string][]delivery.Notice{}}, now: time.Now()}
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	r.tenants = tenants.NewService(tenants.Deps{DB: r.db, Master: master})
	r.auth = auth.NewService(auth.Deps{DB: r.db, Tenants: r.tenants})
	r.notify = notify.New(notify.Deps{DB: r.db, Mailer: r.post, Address: func() string { return "https://bi.example.com/" }})
	r.sharing = sharing.New(r.db, r.notify)
	sets := datasets.New(datasets.Deps{DB: r.db, Sources: sources.New(sources.Deps{DB: r.db, Boxes: r.tenants}), Log: slog.New(slog.DiscardHandler)})
	r.dashboards = dashboards.New(dashboards.Deps{DB: r.db, Datasets: sets})
	r.Service = comments.New(comments.Deps{DB: r.db, Dashboards: r.dashboards, Notify: r.notify, Now: func() time.Time { return r.now }})
	tenant := r.workspace("One")
	r.ann, r.bob, r.vic = r.person(tenant, "Ann Ash", access.Editor), r.person(tenant, "Bob Birch", access.Editor), r.person(tenant, "Vic Vine", access.Viewer)
	note := dashboards.Widget{Title: "Net sales", Layout: dashboards.Layout{W: 3, H: 3}}
	note.Type = charts.Text
	d, err := r.dashboards.Create(t.Context(), r.ann, dashboards.NewDashboard{Name: "Trading", Config: dashboards.Config{Widgets: map[string]dashboards.Widget{"sum": note}}})
	must(t, err)
	r.board = d.ID
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func (r *rig) workspace(name string) ids.Tenant {
	r.t.Helper()
	tenant, err := r.tenants.Create(r.t.Context(), tenants.New{Name: name})
	must(r.t, err)
	return tenant.ID
}

func (r *rig) person(tenant ids.Tenant, name string, role access.Role) access.Actor {
	r.t.Helper()
	id, err := r.auth.CreateUser(r.t.Context(), auth.NewUser{TenantID: tenant, Email: r.address(name), Name: name, Role: role})
	must(r.t, err)
	return access.Actor{Kind: access.Person, TenantID: tenant, UserID: id, Role: role, Locale: "en-GB"}
}

func (r *rig) address(name string) string {
	return fmt.Sprintf("%s%d@example.com", strings.ToLower(strings.Fields(name)[0]), people.Add(1))
}

func (r *rig) list(a access.Actor, widget string, resolved bool) []comments.Thread {
	r.t.Helper()
	list, err := r.List(r.t.Context(), a, comments.Place{Dashboard: r.board, Widget: widget}, resolved)
	must(r.t, err)
	return list
}

// told lists what somebody was told: kind, subject.
func (r *rig) told(a access.Actor) []string {
	r.t.Helper()
	list, err := r.notify.List(r.t.Context(), a, false)
	must(r.t, err)
	var texts []string
	for _, n := range list {
		texts = append(texts, string(n.Kind)+" "+n.By+" "+n.Subject)
	}
	return texts
}

func (r *rig) wantTold(a access.Actor, want ...string) {
	r.t.Helper()
	if got := r.told(a); !reflect.DeepEqual(got, want) {
		r.t.Fatalf("told %q, want %q", got, want)
	}
}

func (r *rig) mails() int {
	n := 0
	for _, list := range r.post.letters {
		n += len(list)
	}
	return n
}

func TestPeopleTalkAboutAWidget(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	at := comments.Place{Dashboard: r.board, Widget: "sum"}
	must(t, r.Begin(ctx, r.ann, at, "d=28d&c=none&stray=1", "@bob birch, see https://example.com/a_(b). <b>@Ann Ash</b> @Vic\x00"))
	threads := r.list(r.bob, "", false)
	if len(threads) != 1 || threads[0].Title != "Net sales" || threads[0].Link != "d=28d&c=none" {
		t.Fatalf("%+v", threads)
	}
	first := threads[0].Comments[0]
	want := []comments.Part{{Text: "@bob birch", Mention: true}, {Text: ", see "}, {Text: "https://example.com/a_(b)", Link: true}, {Text: ". <b>"},
		{Text: "@Ann Ash", Mention: true}, {Text: "</b> @Vic"}}
	if !reflect.DeepEqual(first.Parts, want) || first.Own {
		t.Fatalf("%+v", first)
	}
	// Named is told, once and by mail; who wrote is not.
	r.wantTold(r.bob, "mention Ann Ash Net sales · Trading")
	r.wantTold(r.ann)
	r.wantTold(r.vic)
	if r.mails() != 1 {
		t.Fatalf("%d mails", r.mails())
	}
	thread := threads[0].ID
	must(t, r.Reply(ctx, r.vic, r.board, thread, "Me too"))
	must(t, r.Reply(ctx, r.bob, r.board, thread, "@Ann Ash and @Vic Vine: fixed"))
	r.wantTold(r.ann, "mention Bob Birch Net sales · Trading", "reply Vic Vine Net sales · Trading")
	r.wantTold(r.vic, "mention Bob Birch Net sales · Trading")
	if n, err := r.notify.CountUnread(ctx, r.ann); err != nil || n != 2 {
		t.Fatal(n, err)
	}

	said := r.list(r.bob, "sum", false)[0].Comments
	last := said[2].ID
	wantError(t, r.Edit(ctx, r.ann, r.board, last, "mine"), comments.ErrNotYours)
	wantError(t, r.Delete(ctx, r.ann, r.board, last), comments.ErrNotYours)
	wantError(t, r.Reply(ctx, r.ann, r.board, thread, " \n"), comments.ErrText)
	wantError(t, r.Begin(ctx, r.ann, comments.Place{Dashboard: r.board, Widget: "gone"}, "", "x"), dashboards.ErrWidgetNotFound)
	must(t, r.Edit(ctx, r.bob, r.board, last, "@Ann Ash: fixed"))
	r.wantTold(r.ann, "mention Bob Birch Net sales · Trading", "reply Vic Vine Net sales · Trading")
	if c := r.list(r.vic, "sum", false)[0].Comments[2]; !c.Edited || c.Text != "@Ann Ash: fixed" {
		t.Fatalf("%+v", c)
	}

	// Deleted, it is gone for others at once, and what they were told with it.
	must(t, r.Delete(ctx, r.bob, r.board, last))
	if n := len(r.list(r.ann, "sum", false)[0].Comments); n != 2 {
		t.Fatalf("%d comments", n)
	}
	if c := r.list(r.bob, "sum", false)[0].Comments; len(c) != 3 || !c[2].Deleted {
		t.Fatalf("%+v", c)
	}
	r.wantTold(r.ann, "reply Vic Vine Net sales · Trading")
	must(t, r.Restore(ctx, r.bob, r.board, last))
	must(t, r.Delete(ctx, r.bob, r.board, last))
	r.now = r.now.Add(61 * time.Minute)
	wantError(t, r.Restore(ctx, r.bob, r.board, last), comments.ErrNotFound)

	count := func() int {
		counts, err := r.CountOpen(ctx, r.vic, r.board)
		must(t, err)
		return counts["sum"]
	}
	must(t, r.Resolve(ctx, r.vic, r.board, thread, true))
	if count() != 0 || len(r.list(r.ann, "", false)) != 0 || r.list(r.ann, "", true)[0].By != "Vic Vine" {
		t.Fatal("a resolved thread is still open")
	}
	must(t, r.Resolve(ctx, r.ann, r.board, thread, false))
	if count() != 1 {
		t.Fatal("a thread does not open again")
	}
}

// Neither another workspace nor a colleague without access learns anything,
// whichever method they call.
func TestCommentsAreClosedToOthers(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	stranger := r.person(r.workspace("Two"), "Eve Else", access.Owner)
	must(t, r.Begin(ctx, r.ann, comments.Place{Dashboard: r.board}, "", "@Vic Vine @Bob Birch look"))
	r.wantTold(r.vic, "mention Ann Ash Trading")
	thread := r.list(r.ann, "", false)[0]
	must(t, r.sharing.Restrict(ctx, r.ann, sharing.Object{Kind: sharing.Dashboard, ID: r.board.UUID()}, true))
	for name, actor := range map[string]access.Actor{"stranger": stranger, "colleague": r.vic} {
		for method, call := range map[string]func() error{
			"List":        func() error { _, err := r.List(ctx, actor, comments.Place{Dashboard: r.board}, false); return err },
			"CountOpen":   func() error { _, err := r.CountOpen(ctx, actor, r.board); return err },
			"ListHandles": func() error { _, err := r.ListHandles(ctx, actor, r.board); return err },
			"Begin":       func() error { return r.Begin(ctx, actor, comments.Place{Dashboard: r.board}, "", "x") },
			"Reply":       func() error { return r.Reply(ctx, actor, r.board, thread.ID, "x") },
			"Edit":        func() error { return r.Edit(ctx, actor, r.board, thread.Comments[0].ID, "x") },
			"Delete":      func() error { return r.Delete(ctx, actor, r.board, thread.Comments[0].ID) },
			"Restore":     func() error { return r.Restore(ctx, actor, r.board, thread.Comments[0].ID) },
			"Resolve":     func() error { return r.Resolve(ctx, actor, r.board, thread.ID, true) },
		} {
			if err := call(); !errors.Is(err, dashboards.ErrNotFound) {
				t.Errorf("%s of a %s: %v", method, name, err)
			}
		}
		// The database itself shows no row, whatever a query forgets.
		must(t, r.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
			counts, err := tx.CommentOpen(ctx, r.ann.TenantID.UUID(), r.board.UUID())
			if len(counts) != 0 {
				t.Errorf("the database shows threads to a %s", name)
			}
			said, err2 := tx.CommentList(ctx, db.CommentListParams{TenantID: r.ann.TenantID.UUID(), ThreadIds: []uuid.UUID{thread.ID.UUID()}})
			if len(said) != 0 {
				t.Errorf("the database shows comments to a %s", name)
			}
			return errors.Join(err, err2)
		}))
	}
	// What somebody was told of it is gone too, nobody new is told or named.
	r.wantTold(r.vic)
	if n, err := r.notify.CountUnread(ctx, r.vic); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	before := r.mails()
	must(t, r.Reply(ctx, r.ann, r.board, thread.ID, "@Vic Vine are you there?"))
	if handles, err := r.ListHandles(ctx, r.ann, r.board); err != nil || len(handles) != 1 || handles[0].Name != "Ann Ash" {
		t.Fatal(handles, err)
	}
	if r.mails() != before {
		t.Fatal("somebody without access was mailed")
	}
	// With access again, what was told is there again; the share is news.
	must(t, r.sharing.Share(ctx, r.ann, sharing.Object{Kind: sharing.Dashboard, ID: r.board.UUID()}, sharing.Subject{User: r.vic.UserID}, false))
	r.wantTold(r.vic, "shared Ann Ash Trading", "mention Ann Ash Trading")
	must(t, r.sharing.Share(ctx, r.ann, sharing.Object{Kind: sharing.Dashboard, ID: r.board.UUID()}, sharing.Subject{User: r.vic.UserID}, true))
	r.wantTold(r.vic, "shared Ann Ash Trading", "mention Ann Ash Trading")
}

func TestPeopleChooseHowTheyAreTold(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	settings, err := r.notify.ListSettings(ctx, r.bob)
	must(t, err)
	if len(settings) != len(notify.Kinds) || settings[0] != (notify.Setting{Kind: notify.Mention, InApp: true, Mail: true}) {
		t.Fatalf("%+v", settings)
	}
	must(t, r.notify.SaveSettings(ctx, r.bob, []notify.Setting{{Kind: notify.Mention, InApp: true}, {Kind: "made up", Mail: true}}))
	must(t, r.notify.SaveSettings(ctx, r.vic, []notify.Setting{{Kind: notify.Mention, Mail: true}}))
	must(t, r.Begin(ctx, r.ann, comments.Place{Dashboard: r.board}, "", "@Bob Birch @Vic Vine @Bob Birch"))
	r.wantTold(r.bob, "mention Ann Ash Trading")
	r.wantTold(r.vic)
	if r.mails() != 1 {
		t.Fatalf("%d mails, want that of vic", r.mails())
	}
	list, err := r.notify.List(ctx, r.bob, true)
	must(t, err)
	_, err = r.notify.MarkRead(ctx, r.ann, list[0].ID)
	wantError(t, err, notify.ErrNotFound)
	path, err := r.notify.MarkRead(ctx, r.bob, list[0].ID)
	must(t, err)
	if path != comments.PathOf(comments.Place{Dashboard: r.board}) {
		t.Fatal(path)
	}
	must(t, r.Begin(ctx, r.ann, comments.Place{Dashboard: r.board}, "", "@Bob Birch"))
	must(t, r.notify.MarkAllRead(ctx, r.bob))
	if n, err := r.notify.CountUnread(ctx, r.bob); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}
