package portals_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/outbound"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// rig is a workspace with a portal that shows one of its two dashboards, each
// over a dataset of its own that everybody in the workspace may read.
type rig struct {
	*portals.Service
	db                         *db.DB
	tenants                    *tenants.Service
	people                     *auth.Service
	datasets                   *datasets.Service
	dashboards                 *dashboards.Service
	mail                       *mailbox
	names                      names         // the DNS
	later                      time.Duration // than now, as the service has it
	admin                      access.Actor
	id                         ids.Portal
	shown, hidden              ids.Dashboard
	shownDataset, otherDataset ids.Dataset
}

// mailbox keeps the links that would have been mailed.
type mailbox struct{ links []delivery.PortalLink }

func (m *mailbox) Queue(_ context.Context, _ *db.Tx, _ delivery.Recipient, letter delivery.Letter) (ids.Message, error) {
	m.links = append(m.links, letter.(delivery.PortalLink))
	return ids.New[ids.Message](), nil
}

func (m *mailbox) token(t testing.TB) string {
	t.Helper()
	_, token, ok := strings.Cut(m.links[len(m.links)-1].Link, "token=")
	if !ok {
		t.Fatal("the mail has no link")
	}
	return token
}

// names stands for the DNS: names that prove themselves.
type names map[string]bool

func (names) Normalise(host string) (string, error)                    { return strings.ToLower(host), nil }
func (names) Record(ids.Tenant, string) (string, string)               { return "_verify", "value" }
func (n names) Verify(_ context.Context, _ ids.Tenant, h string) error { return proof(n[h]) }

func (n names) Check(ctx context.Context, t ids.Tenant, h string, before hosts.Health, now time.Time) (hosts.Health, error) {
	err := n.Verify(ctx, t, h)
	if err != nil && before.FailingSince.IsZero() {
		before.FailingSince = now
	}
	if err == nil {
		return hosts.Health{}, nil
	}
	return hosts.Health{FailingSince: before.FailingSince, Reason: err}, nil
}

var errNoProof = errors.New("no proof")

func proof(ok bool) error {
	if !ok {
		return errNoProof
	}
	return nil
}

const password = "correct horse battery"

var client = auth.Client{Address: "192.0.2.1", UserAgent: "test"}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{db: dbtest.New(t), mail: &mailbox{}}
	storage := t.TempDir()
	blobs, err := blob.Open(t.Context(), blob.Options{URL: "file://" + storage})
	must(t, err)
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	r.tenants = tenants.NewService(tenants.Deps{DB: r.db, Master: master})
	people := auth.NewService(auth.Deps{DB: r.db, Tenants: r.tenants, BaseURL: func() string { return "https://bi.example.com" }, Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1, Lanes: 1},
		Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})})
	writer, err := segments.Open(segments.Config{})
	must(t, err)
	engine := warehouse.New(warehouse.Config{Dir: filepath.Join(t.TempDir(), "engine"), DataDirs: []string{storage}, MemoryBytes: 256 << 20})
	t.Cleanup(func() {
		_ = engine.Close()
		_ = writer.Close()
		_ = blobs.Close()
	})
	r.datasets = datasets.New(datasets.Deps{DB: r.db, Blobs: blobs, Engine: engine, Writer: writer,
		Sources: sources.New(sources.Deps{DB: r.db, Boxes: r.tenants}), Log: slog.New(slog.DiscardHandler)})
	r.dashboards = dashboards.New(dashboards.Deps{DB: r.db, Datasets: r.datasets})
	r.names = names{"insights.example.com": true}
	r.people = people
	r.Service = portals.NewService(portals.Deps{DB: r.db, Tenants: r.tenants, Passwords: people, SSO: people, Mailer: r.mail, Prover: r.names,
		Notify: notify.New(notify.Deps{DB: r.db}), Now: func() time.Time { return time.Now().Add(r.later) }})
	r.admin = r.workspace(t, people)
	r.shownDataset, r.shown = r.board(t, "Shown")
	r.otherDataset, r.hidden = r.board(t, "Hidden")
	r.id, err = r.Create(t.Context(), r.admin, "Ashby & Vale")
	must(t, err)
	must(t, r.SetDashboards(t.Context(), r.admin, r.id, []portals.Shown{{Dashboard: r.shown, Label: "Trading"}}))
	return r
}

var workspaces atomic.Int64

func (r *rig) workspace(t testing.TB, people *auth.Service) access.Actor {
	t.Helper()
	n := workspaces.Add(1)
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: fmt.Sprintf("Test %d", n)})
	must(t, err)
	id, err := people.CreateUser(t.Context(), auth.NewUser{TenantID: tenant.ID, Email: fmt.Sprintf("admin%d@example.com", n), Role: access.Admin})
	must(t, err)
	return access.Actor{Kind: access.Person, TenantID: tenant.ID, UserID: id, Role: access.Admin, Locale: "en-GB"}
}

func (r *rig) board(t testing.TB, name string) (ids.Dataset, ids.Dashboard) {
	t.Helper()
	data, err := r.datasets.Create(t.Context(), r.admin, datasets.NewDataset{Name: name, Columns: []datasets.NewColumn{{Name: "channel", Type: warehouse.Text}}})
	must(t, err)
	_, err = r.datasets.AppendRows(t.Context(), r.admin, data, datasets.AppendRequest{Columns: []string{"channel"}, Rows: [][]any{{"web"}, {"shop"}}})
	must(t, err)
	config := dashboards.Blank(data)
	w := dashboards.Widget{Title: "Rows", Layout: dashboards.Layout{W: 3, H: 3}, Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "count"}}}}
	w.Type = "kpi"
	config.Widgets = map[string]dashboards.Widget{"rows": w}
	d, err := r.dashboards.Create(t.Context(), r.admin, dashboards.NewDashboard{Name: name, Config: config})
	must(t, err)
	return data, d.ID
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

// visitor invites somebody who chooses a password, and answers their session.
func (r *rig) visitor(t testing.TB, v portals.Visitor) (portals.Portal, ids.Visitor, string) {
	t.Helper()
	p, err := r.Get(t.Context(), r.admin, r.id)
	must(t, err)
	id, err := r.Invite(t.Context(), r.admin, r.id, "https://insights.example.com", v)
	must(t, err)
	session, err := r.ChoosePassword(t.Context(), p, r.mail.token(t), password, client)
	must(t, err)
	return p, id, session
}

func TestAVisitorSeesWhatThePortalShowsAndNothingElse(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	p, _, session := r.visitor(t, portals.Visitor{Email: "mara@halden.example", Company: "Halden Knitwear"})
	visit, err := r.Identify(ctx, p, session)
	must(t, err)
	if visit.Title() != "Halden Knitwear" || len(visit.Entries) != 1 || visit.Entries[0].Name != "Trading" {
		t.Fatalf("the visit is %+v", visit)
	}
	open := func(id ids.Dashboard) error {
		_, err := r.dashboards.Open(ctx, visit.Actor, dashboards.OpenRequest{ID: id, Now: time.Now()})
		return err
	}
	must(t, open(r.shown))
	wantError(t, open(r.hidden), dashboards.ErrNotFound)
	list, err := r.dashboards.List(ctx, visit.Actor, dashboards.ListQuery{})
	must(t, err)
	if list.Matches != 1 || list.Total != 1 {
		t.Errorf("a visitor finds %d of %d dashboards, want 1 of 1", list.Matches, list.Total)
	}
	ask := func(id ids.Dataset) error {
		_, err := r.datasets.Query(ctx, visit.Actor, datasets.QueryRequest{Spec: warehouse.Spec{Dataset: id.String(), Measures: []warehouse.Measure{{Fn: "count", As: "n"}}}})
		return err
	}
	must(t, ask(r.shownDataset))
	wantError(t, ask(r.otherDataset), datasets.ErrNotFound)
	known, err := r.datasets.List(ctx, visit.Actor)
	must(t, err)
	if len(known) != 1 {
		t.Errorf("a visitor finds %d datasets, want 1", len(known))
	}
	// Nothing can be changed, not even what is shown.
	_, err = r.dashboards.Rename(ctx, visit.Actor, r.shown, "Mine")
	wantError(t, err, access.ErrForbidden)
	wantError(t, r.datasets.Delete(ctx, visit.Actor, r.shownDataset), access.ErrForbidden)
	_, err = r.List(ctx, visit.Actor)
	wantError(t, err, access.ErrForbidden)
	// What is taken off the portal is gone at once.
	must(t, r.SetDashboards(ctx, r.admin, r.id, nil))
	visit, err = r.Identify(ctx, p, session)
	must(t, err)
	wantError(t, open(r.shown), dashboards.ErrNotFound)
	wantError(t, ask(r.shownDataset), datasets.ErrNotFound)
}

func TestGroupsBringAttributesAndDashboards(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	north, err := r.SaveGroup(ctx, r.admin, r.id, portals.Group{Name: "North", Attributes: map[string][]string{"region": {"North"}}})
	must(t, err)
	must(t, r.SetDashboards(ctx, r.admin, r.id, []portals.Shown{{Dashboard: r.shown}, {Dashboard: r.hidden, Group: north}}))
	p, id, session := r.visitor(t, portals.Visitor{Email: "mara@halden.example", Attributes: map[string][]string{"region": {"South"}, "tier": {"gold"}}})
	visit, err := r.Identify(ctx, p, session)
	must(t, err)
	if len(visit.Entries) != 1 {
		t.Errorf("outside of the group there are %d dashboards, want 1", len(visit.Entries))
	}
	before := visit.Version
	must(t, r.ChangeVisitor(ctx, r.admin, r.id, portals.Visitor{ID: id, Groups: []ids.Group{north}, Attributes: map[string][]string{"region": {"South"}, "tier": {"gold"}}}))
	visit, err = r.Identify(ctx, p, session)
	must(t, err)
	if got := fmt.Sprint(visit.Actor.Attributes); got != "map[region:[North South] tier:[gold]]" {
		t.Errorf("attributes are %s", got)
	}
	if len(visit.Entries) != 2 || visit.Version == before {
		t.Errorf("in the group there are %d dashboards (version changed: %v), want 2", len(visit.Entries), visit.Version != before)
	}
	wantError(t, r.RemoveGroup(ctx, r.admin, r.id, north), portals.ErrGroupUsed)
}

func TestSigningInToAPortal(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	p, id, session := r.visitor(t, portals.Visitor{Email: "Mara@halden.example"})
	// The link worked once.
	_, err := r.ChoosePassword(ctx, p, r.mail.token(t), password, client)
	wantError(t, err, auth.ErrLinkUsed)
	second, err := r.SignIn(ctx, p, "mara@HALDEN.example", password, client)
	must(t, err)
	_, err = r.SignOut(ctx, p, "https://insights.example.com", second, "")
	must(t, err)
	_, err = r.Identify(ctx, p, second)
	wantError(t, err, auth.ErrNoSession)
	_, err = r.Identify(ctx, p, session)
	must(t, err)
	for name, attempt := range map[string][2]string{"wrong password": {"mara@halden.example", "something else"}, "nobody": {"nobody@halden.example", password}} {
		if _, err := r.SignIn(ctx, p, attempt[0], attempt[1], client); !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The same address in another portal is somebody else.
	other, err := r.Create(ctx, r.admin, "Other")
	must(t, err)
	q, err := r.Get(ctx, r.admin, other)
	must(t, err)
	_, err = r.SignIn(ctx, q, "mara@halden.example", password, client)
	wantError(t, err, auth.ErrWrongPassword)
	_, err = r.Identify(ctx, q, session)
	wantError(t, err, auth.ErrNoSession)
	// A new password ends what was open.
	must(t, r.RequestReset(ctx, p, "https://insights.example.com", "mara@halden.example", client))
	sent := len(r.mail.links)
	must(t, r.RequestReset(ctx, p, "https://insights.example.com", "nobody@halden.example", client))
	if len(r.mail.links) != sent {
		t.Error("a stranger was sent a link")
	}
	session2, err := r.ChoosePassword(ctx, p, r.mail.token(t), password+"!", client)
	must(t, err)
	_, err = r.Identify(ctx, p, session)
	wantError(t, err, auth.ErrNoSession)
	// Who is blocked is out at once, and can't come back.
	must(t, r.ChangeVisitor(ctx, r.admin, r.id, portals.Visitor{ID: id, Blocked: true}))
	_, err = r.Identify(ctx, p, session2)
	wantError(t, err, auth.ErrNoSession)
	_, err = r.SignIn(ctx, p, "mara@halden.example", password+"!", client)
	wantError(t, err, auth.ErrWrongPassword)
}

func TestHostsBelongToWhoProvesThem(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	other := newRigIn(t, r)
	host, err := r.ClaimHost(ctx, r.admin, r.id, "Insights.Example.com")
	must(t, err)
	_, err = r.ByHost(ctx, host)
	wantError(t, err, portals.ErrNotFound)
	_, err = r.ClaimHost(ctx, other.admin, other.id, host) // a claim is nothing yet
	must(t, err)
	must(t, r.ProveHost(ctx, r.admin, r.id, host))
	p, err := r.ByHost(ctx, host)
	must(t, err)
	if p.ID != r.id || p.TenantID != r.admin.TenantID {
		t.Errorf("the host leads to %s of %s", p.ID, p.TenantID)
	}
	wantError(t, r.ProveHost(ctx, other.admin, other.id, host), portals.ErrHostTaken)
	wantError(t, r.RemoveHost(ctx, other.admin, r.id, host), portals.ErrNotFound)
	_, err = r.ClaimHost(ctx, r.admin, r.id, "unproven.example.com")
	must(t, err)
	wantError(t, r.ProveHost(ctx, r.admin, r.id, "unproven.example.com"), errNoProof)
	wantError(t, r.ProveHost(ctx, r.admin, r.id, "never-claimed.example.com"), portals.ErrHostNotFound)
	must(t, r.RemoveHost(ctx, r.admin, r.id, host))
	_, err = r.ByHost(ctx, host)
	wantError(t, err, portals.ErrNotFound)
}

// checkHosts carries out the job that looks for proofs.
func (r *rig) checkHosts(t *testing.T) {
	t.Helper()
	must(t, r.db.InTenantTx(t.Context(), r.admin.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: r.admin.TenantID.UUID(), Queue: jobs.Short, Args: portals.CheckHostsArgs{}})
		return err
	}))
	runner := jobs.NewRunner(jobs.Config{Store: r.db, Log: slog.New(slog.DiscardHandler)})
	jobs.Bind(runner, jobs.Options{MaxAttempts: 1}, r.RunCheckHosts)
	due, err := r.db.DispatchJobs(t.Context(), jobs.Dispatch{Queue: jobs.Short, Kinds: runner.Kinds(), Waiting: 10, PerTenant: 10})
	must(t, err)
	for _, job := range due {
		runner.Do(t.Context(), job.ID, job.Kind, job.Attempt)
	}
}

// host is the only one of the portal.
func (r *rig) host(t *testing.T) portals.Host {
	t.Helper()
	list, err := r.Hosts(t.Context(), r.admin, r.id)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("got %v", list)
	}
	return list[0]
}

// told are the kinds of what the workspace's admin was told.
func (r *rig) told(t *testing.T) (kinds []notify.Kind) {
	t.Helper()
	list, err := notify.New(notify.Deps{DB: r.db}).List(t.Context(), r.admin, false)
	must(t, err)
	for _, n := range list {
		kinds = append(kinds, n.Kind)
	}
	return kinds
}

// A host whose proof goes missing is closed after the time of grace and not
// before, and its owners are told once of each.
func TestHostsWithoutAProofAreClosed(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	host, err := r.ClaimHost(ctx, r.admin, r.id, "insights.example.com")
	must(t, err)
	must(t, r.ProveHost(ctx, r.admin, r.id, host))
	r.checkHosts(t)
	if h := r.host(t); !h.FailingAt.IsZero() || h.VerifiedAt.IsZero() || len(r.told(t)) != 0 {
		t.Fatalf("a proven host: %+v, told %v", h, r.told(t))
	}
	r.names[host] = false
	r.checkHosts(t)
	since := r.host(t).FailingAt
	if since.IsZero() || r.host(t).VerifiedAt.IsZero() {
		t.Fatalf("the proof is missing: %+v", r.host(t))
	}
	r.later = hosts.Grace - time.Hour
	r.checkHosts(t)
	if h := r.host(t); !h.FailingAt.Equal(since) || h.VerifiedAt.IsZero() {
		t.Errorf("within the time of grace: %+v", h)
	}
	// It comes back, and goes missing again: the time begins anew.
	r.names[host] = true
	r.checkHosts(t)
	if h := r.host(t); !h.FailingAt.IsZero() {
		t.Errorf("the proof is back: %+v", h)
	}
	r.names[host] = false
	r.checkHosts(t)
	if _, err := r.ByHost(ctx, host); err != nil {
		t.Errorf("the host is closed too early: %v", err)
	}
	r.later += hosts.Grace + time.Hour
	r.checkHosts(t)
	if h := r.host(t); !h.VerifiedAt.IsZero() {
		t.Errorf("after the time of grace: %+v", h)
	}
	_, err = r.ByHost(ctx, host)
	wantError(t, err, portals.ErrNotFound)
	r.checkHosts(t) // nothing is left to check
	if told := r.told(t); !slices.Equal(told, []notify.Kind{notify.HostLost, notify.HostFailing, notify.HostFailing}) {
		t.Errorf("told %v", told)
	}
	r.names[host] = true
	must(t, r.ProveHost(ctx, r.admin, r.id, host))
	if p, err := r.ByHost(ctx, host); err != nil || p.ID != r.id {
		t.Errorf("proven again: %v, %v", p.ID, err)
	}
}

// newRigIn is another workspace with a portal on the same services.
func newRigIn(t testing.TB, r *rig) *rig {
	t.Helper()
	other := *r
	other.admin = r.workspace(t, auth.NewService(auth.Deps{DB: r.db, Tenants: r.tenants}))
	var err error
	other.id, err = r.Create(t.Context(), other.admin, "Theirs")
	must(t, err)
	return &other
}

func TestPortalsAreWalledOff(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	other := newRigIn(t, r)
	_, visitor, _ := r.visitor(t, portals.Visitor{Email: "mara@halden.example"})
	group, err := r.SaveGroup(ctx, r.admin, r.id, portals.Group{Name: "North"})
	must(t, err)
	foreign, name := other.admin, "Mine"
	for what, attack := range map[string]func() error{
		"get":        func() error { _, err := r.Get(ctx, foreign, r.id); return err },
		"change":     func() error { _, err := r.Change(ctx, foreign, r.id, portals.Edit{Name: &name}); return err },
		"delete":     func() error { return r.Delete(ctx, foreign, r.id) },
		"dashboards": func() error { _, err := r.Dashboards(ctx, foreign, r.id); return err },
		"show":       func() error { return r.SetDashboards(ctx, foreign, r.id, nil) },
		"show ours":  func() error { return r.SetDashboards(ctx, foreign, other.id, []portals.Shown{{Dashboard: r.shown}}) },
		"visitors":   func() error { _, _, err := r.Visitors(ctx, foreign, r.id); return err },
		"invite": func() error {
			_, err := r.Invite(ctx, foreign, r.id, "https://x", portals.Visitor{Email: "a@b.example"})
			return err
		},
		"change visitor": func() error { return r.ChangeVisitor(ctx, foreign, other.id, portals.Visitor{ID: visitor}) },
		"link":           func() error { return r.ResendLink(ctx, foreign, other.id, "https://x", visitor) },
		"remove visitor": func() error { return r.RemoveVisitor(ctx, foreign, other.id, visitor) },
		"save group":     func() error { _, err := r.SaveGroup(ctx, foreign, r.id, portals.Group{Name: "Theirs"}); return err },
		"take group": func() error {
			_, err := r.SaveGroup(ctx, foreign, other.id, portals.Group{ID: group, Name: "Theirs"})
			return err
		},
		"remove group": func() error { return r.RemoveGroup(ctx, foreign, other.id, group) },
		"hosts":        func() error { _, err := r.Hosts(ctx, foreign, r.id); return err },
		"claim":        func() error { _, err := r.ClaimHost(ctx, foreign, r.id, "a.example.com"); return err },
		"SSO only":     func() error { return r.SetSSOOnly(ctx, foreign, r.id, true) },
	} {
		if err := attack(); err == nil {
			t.Errorf("%s: a foreign admin got through", what)
		}
	}
	viewer := r.admin
	viewer.Role = access.Editor
	_, err = r.List(ctx, viewer)
	wantError(t, err, access.ErrForbidden)
	if list, err := r.Dashboards(ctx, r.admin, r.id); err != nil || len(list) != 1 {
		t.Errorf("the portal shows %d dashboards afterwards (%v), want 1", len(list), err)
	}
}
