package alerts_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/outbound"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// post is a mailer that remembers what it wrote.
type post struct{ letters []delivery.Notice }

func (p *post) Queue(_ context.Context, _ *db.Tx, _ delivery.Recipient, letter delivery.Letter) (ids.Message, error) {
	p.letters = append(p.letters, letter.(delivery.Notice))
	return ids.New[ids.Message](), nil
}

// rig is the service over a database, an engine and one dataset of sales, whose
// newest row is always of the day before the clock's.
type rig struct {
	*alerts.Service
	t          testing.TB
	url        string
	db         *db.DB
	tenants    *tenants.Service
	auth       *auth.Service
	datasets   *datasets.Service
	dashboards *dashboards.Service
	delivery   *delivery.Service
	notify     *notify.Service
	post       *post
	runner     *jobs.Runner
	offset     atomic.Int64 // of the clock

	tenant        ids.Tenant
	ann, bob, vic access.Actor // an owner, an editor, a viewer
	sales         ids.Dataset
	day           time.Time // that the clock began with
}

var people atomic.Int64

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRig(t testing.TB) *rig {
	t.Helper()
	// A clock ahead of the real one, so that no job is due before work says so.
	r := &rig{t: t, url: dbtest.URL(t), post: &post{}, day: time.Date(2036, 6, 16, 8, 0, 0, 0, time.UTC)}
	var err error
	r.db, err = db.Open(t.Context(), db.Config{URL: r.url, MaxConns: 8})
	must(t, err)
	t.Cleanup(r.db.Close)
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	storage := t.TempDir()
	blobs, err := blob.Open(t.Context(), blob.Options{URL: "file://" + storage})
	must(t, err)
	writer, err := segments.Open(segments.Config{})
	must(t, err)
	engine := warehouse.New(warehouse.Config{Dir: filepath.Join(t.TempDir(), "engine"), DataDirs: []string{storage}, MemoryBytes: 256 << 20})
	t.Cleanup(func() {
		_ = engine.Close()
		_ = writer.Close()
		_ = blobs.Close()
	})
	quiet := slog.New(slog.DiscardHandler)
	address := func() string { return "https://bi.example.com" }
	r.tenants = tenants.NewService(tenants.Deps{DB: r.db, Master: master})
	r.auth = auth.NewService(auth.Deps{DB: r.db, Tenants: r.tenants})
	r.notify = notify.New(notify.Deps{DB: r.db, Mailer: r.post, Address: address})
	r.delivery = delivery.NewService(delivery.Deps{DB: r.db, Tenants: r.tenants, Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})})
	r.datasets = datasets.New(datasets.Deps{DB: r.db, Blobs: blobs, Engine: engine, Writer: writer, Sources: sources.New(sources.Deps{DB: r.db, Boxes: r.tenants}), Log: quiet})
	r.dashboards = dashboards.New(dashboards.Deps{DB: r.db, Datasets: r.datasets})
	r.Service = alerts.New(alerts.Deps{DB: r.db, Tenants: r.tenants, Datasets: r.datasets, Dashboards: r.dashboards,
		Delivery: r.delivery, Notify: r.notify, Address: address, Log: quiet, Clock: r.clock, Say: func(_ context.Context, _ string, n alerts.Notice) string {
			text, _ := json.Marshal(n)
			return string(text)
		}})
	r.runner = jobs.NewRunner(jobs.Config{Store: r.db, Log: quiet})
	fast := func(o jobs.Options) jobs.Options {
		o.Backoff, o.MaxBackoff, o.MaxAttempts = time.Nanosecond, time.Nanosecond, 3
		return o
	}
	jobs.Bind(r.runner, fast(alerts.EvaluateOptions), r.RunEvaluate)
	jobs.Bind(r.runner, fast(alerts.DeliverOptions), r.RunDeliver)
	jobs.OnFailed(r.runner, r.DeliverFailed)
	jobs.Bind(r.runner, jobs.Options{}, r.RunPrune)

	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: "One"})
	must(t, err)
	r.tenant = tenant.ID
	r.ann, r.bob, r.vic = r.person(r.tenant, "Ann", access.Owner), r.person(r.tenant, "Bob", access.Editor), r.person(r.tenant, "Vic", access.Viewer)
	r.sales, err = r.datasets.Create(t.Context(), r.bob, datasets.NewDataset{Name: "Sales", TimeColumn: "at",
		Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Timestamp}, {Name: "region", Type: warehouse.Text}, {Name: "amount", Type: warehouse.Integer}}})
	must(t, err)
	return r
}

func (r *rig) exec(statement string, args ...any) {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.url)
	must(r.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(r.t.Context())) }()
	_, err = conn.Exec(r.t.Context(), statement, args...)
	must(r.t, err)
}

func (r *rig) clock() time.Time { return r.day.Add(time.Duration(r.offset.Load())) }

func (r *rig) pass(d time.Duration) { r.offset.Add(int64(d)) }

func (r *rig) person(tenant ids.Tenant, name string, role access.Role) access.Actor {
	r.t.Helper()
	id, err := r.auth.CreateUser(r.t.Context(), auth.NewUser{TenantID: tenant, Email: fmt.Sprintf("%s%d@example.com", strings.ToLower(name), people.Add(1)), Name: name, Role: role})
	must(r.t, err)
	return access.Actor{Kind: access.Person, TenantID: tenant, UserID: id, Role: role, Locale: "en-GB"}
}

// sell adds a row of one amount to each region for the day before the clock's,
// some days back.
func (r *rig) sell(back int, amounts map[string]int) {
	r.t.Helper()
	request := datasets.AppendRequest{Columns: []string{"at", "region", "amount"}}
	day := r.clock().AddDate(0, 0, -1-back)
	for _, region := range slices.Sorted(maps.Keys(amounts)) {
		request.Rows = append(request.Rows, []any{time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, time.UTC), region, amounts[region]})
	}
	_, err := r.datasets.AppendRows(r.t.Context(), r.bob, r.sales, request)
	must(r.t, err)
	must(r.t, r.DataChanged(r.t.Context(), r.tenant, r.sales))
}

// work runs all jobs that are due by the rig's clock until none is left.
func (r *rig) work(kinds ...string) {
	r.t.Helper()
	if len(kinds) == 0 {
		kinds = r.runner.Kinds()
	}
	// Jobs wait by the clock of the database.
	r.exec(`UPDATE control.jobs SET run_at = now() WHERE state = 'queued' AND run_at <= $1`, r.clock().Add(10*time.Second))
	for worked := true; worked; {
		worked = false
		rows, err := r.db.DispatchJobs(r.t.Context(), jobs.Dispatch{Queue: jobs.Short, Kinds: kinds, Waiting: 500, PerTenant: 500, Hold: time.Minute})
		must(r.t, err)
		for _, row := range rows {
			worked = true
			r.runner.Do(r.t.Context(), row.ID, row.Kind, row.Attempt)
		}
	}
}

// total watches the sum of amounts a day.
func (r *rig) total(by ...string) alerts.Watch {
	w := alerts.Watch{Dataset: r.sales, Measure: warehouse.Measure{Fn: "sum", Column: "amount"}, Label: "Amount", Time: "at", Grain: "day", Zone: "UTC", Additive: true}
	for _, column := range by {
		w.Dimensions, w.By = append(w.Dimensions, warehouse.Dimension{Column: column}), append(w.By, column)
	}
	return w
}

func below(line float64) alerts.Condition {
	return alerts.Condition{Kind: alerts.Threshold, Side: alerts.Below, Value: line}
}

func (r *rig) watch(w alerts.Watch, c alerts.Condition, m alerts.Manner, change ...func(*alerts.Form)) ids.Alert {
	r.t.Helper()
	m.Zone = "UTC"
	n := alerts.NewAlert{Watch: w, Form: alerts.Form{Condition: c, Manner: m, Users: []ids.User{r.bob.UserID}}}
	for _, f := range change {
		f(&n.Form)
	}
	id, err := r.Create(r.t.Context(), r.bob, n)
	must(r.t, err)
	r.work()
	return id
}

func (r *rig) read(id ids.Alert) alerts.Alert {
	r.t.Helper()
	a, err := r.Get(r.t.Context(), r.bob, id)
	must(r.t, err)
	return a
}

// is checks state and what somebody was told, cause by cause.
func (r *rig) is(id ids.Alert, state alerts.State, told ...alerts.Cause) {
	r.t.Helper()
	a := r.read(id)
	if a.State != state {
		r.t.Errorf("state is %s, want %s", a.State, state)
	}
	var causes []alerts.Cause
	for _, n := range slices.Backward(a.Notices) {
		causes = append(causes, n.Notice.Cause)
	}
	if !slices.Equal(causes, told) {
		r.t.Errorf("told %v, want %v", causes, told)
	}
}

// days lets days pass, each with sales in the north.
func (r *rig) days(amounts ...int) {
	r.t.Helper()
	for _, amount := range amounts {
		r.pass(24 * time.Hour)
		r.sell(0, map[string]int{"north": amount})
		r.work()
	}
}

func TestAThresholdIsToldOnceAndRecoversByItsOwnLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150, 150, 150)
	c := below(100)
	c.Recover = new(120.0)
	id := r.watch(r.total(), c, alerts.Manner{Recovery: true})
	r.is(id, alerts.OK)
	r.days(90)
	r.is(id, alerts.Firing, alerts.CauseFiring)
	a := r.read(id)
	if g := a.States[0]; g.Value != 90 || !g.Period.Equal(time.Date(2036, 6, 19, 0, 0, 0, 0, time.UTC)) || a.Firing != 1 {
		t.Errorf("%+v", g)
	}
	// The same data once more, and data between the lines.
	must(t, r.DataChanged(t.Context(), r.tenant, r.sales))
	r.work()
	r.days(110, 119)
	r.is(id, alerts.Firing, alerts.CauseFiring)
	r.days(121)
	r.is(id, alerts.OK, alerts.CauseFiring, alerts.CauseOver)
	r.days(119)
	r.is(id, alerts.OK, alerts.CauseFiring, alerts.CauseOver)
	list, err := r.notify.List(t.Context(), r.bob, false)
	must(t, err)
	if len(list) != 2 || list[0].Kind != notify.Alert || list[0].Path != "/alerts/"+id.String() || len(r.post.letters) != 2 {
		t.Errorf("%d in the centre, %d letters", len(list), len(r.post.letters))
	}
	if len(a.History) == 0 || a.History[0].To != alerts.Firing || a.History[0].Value != 90 {
		t.Errorf("history %+v", a.History)
	}
}

func TestGroupsHaveStatesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 150, "south": 150, "=west": 150})
	id := r.watch(r.total("region"), below(100), alerts.Manner{})
	r.is(id, alerts.OK)
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 50, "south": 150}) // and none in the west
	r.work()
	r.is(id, alerts.Firing, alerts.CauseFiring)
	a := r.read(id)
	states := map[string]alerts.State{}
	for _, g := range a.States {
		states[strings.Join(g.Labels, "")] = g.State
	}
	if want := map[string]alerts.State{"north": alerts.Firing, "=west": alerts.Firing, "south": alerts.OK}; !reflect.DeepEqual(states, want) || a.Firing != 2 || a.Groups != 3 {
		t.Errorf("%v, %d of %d", states, a.Firing, a.Groups)
	}
	// One notice for both, the farthest off first.
	if n := a.Notices[0].Notice; n.Count != 2 || n.Groups[0].Labels[0] != "=west" || *n.Groups[0].Value != 0 {
		t.Errorf("%+v", n)
	}
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 150, "south": 50, "=west": 0})
	r.work()
	a = r.read(id)
	if n := a.Notices[0].Notice; len(a.Notices) != 2 || n.Count != 1 || n.Groups[0].Labels[0] != "south" {
		t.Errorf("%d notices, %+v", len(a.Notices), n)
	}
}

// Groups that come and go don't pile up: what is well and has been for long is
// forgotten, what fires is not.
func TestGroupsThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	prune := func() {
		must(t, r.db.InTenantTx(t.Context(), r.tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
			_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: alerts.PruneArgs{}})
			return err
		}))
		r.work()
	}
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 50, "south": 150, "west": 250})
	id := r.watch(r.total("region"), alerts.Condition{Kind: alerts.Threshold, Side: alerts.Above, Value: 100}, alerts.Manner{})
	for range 40 {
		r.pass(24 * time.Hour)
		r.sell(0, map[string]int{"north": 50, "south": 150})
		r.work()
	}
	prune()
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 50, "south": 150})
	r.work()
	a := r.read(id)
	states := map[string]alerts.State{}
	for _, g := range a.States {
		states[strings.Join(g.Labels, "")] = g.State
	}
	if want := map[string]alerts.State{"north": alerts.OK, "south": alerts.Firing}; !reflect.DeepEqual(states, want) || a.Groups != 2 {
		t.Errorf("%v, %d groups", states, a.Groups)
	}
}

func TestAConditionMustHoldForItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	id := r.watch(r.total(), below(100), alerts.Manner{ForMinutes: 30})
	r.days(90)
	r.is(id, alerts.OK)
	if g := r.read(id).States[0]; g.BeyondSince.IsZero() {
		t.Error("nothing is known of the condition")
	}
	r.pass(29 * time.Minute)
	r.work()
	r.is(id, alerts.OK)
	r.pass(time.Minute + time.Second)
	r.work()
	r.is(id, alerts.Firing, alerts.CauseFiring)
}

func TestWhatIsMutedIsToldAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	// Data comes at eight in the morning, within the quiet time.
	quiet := alerts.Manner{Recovery: true, Mutes: []alerts.Mute{{Days: []int{1, 2, 3, 4, 5, 6, 7}, From: 22 * 60, To: 9 * 60}}}
	id := r.watch(r.total(), below(100), quiet)
	r.days(90)
	r.is(id, alerts.Firing)
	if e := r.read(id).History[0]; !e.Muted {
		t.Errorf("%+v", e)
	}
	r.pass(61 * time.Minute)
	r.work()
	r.is(id, alerts.Firing, alerts.CauseFiring)
	r.pass(-61 * time.Minute)
	// What begins and ends in the quiet time is told by the history alone.
	other := r.watch(r.total(), below(95), quiet)
	r.sell(0, map[string]int{"north": 100})
	r.pass(10 * time.Second)
	r.work()
	r.is(other, alerts.OK)
	r.pass(2 * time.Hour)
	r.work()
	r.is(other, alerts.OK)
}

func TestASnoozedAlertWakes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	id := r.watch(r.total(), below(100), alerts.Manner{})
	must(t, r.Snooze(t.Context(), r.bob, id, r.clock().Add(48*time.Hour)))
	r.days(90)
	r.is(id, alerts.Firing)
	must(t, r.Snooze(t.Context(), r.bob, id, time.Time{}))
	r.pass(2 * time.Second)
	r.work()
	r.is(id, alerts.Firing, alerts.CauseFiring)
}

func TestEscalationUnlessAcknowledged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	later := func(f *alerts.Form) { f.LaterUsers = []ids.User{r.ann.UserID} }
	id := r.watch(r.total(), below(100), alerts.Manner{EscalateMinutes: 15}, later)
	calm := r.watch(r.total(), below(100), alerts.Manner{EscalateMinutes: 15}, later)
	r.days(90)
	must(t, r.Acknowledge(t.Context(), r.bob, calm, nil))
	for range 3 {
		r.pass(16 * time.Minute)
		r.work()
	}
	r.is(id, alerts.Firing, alerts.CauseFiring, alerts.CauseEscalated)
	r.is(calm, alerts.Firing, alerts.CauseFiring)
	a := r.read(calm)
	if g := a.States[0]; g.AckedBy != "Bob" || g.AckedAt.IsZero() || a.History[0].Kind != "acknowledged" || a.History[0].Person != "Bob" {
		t.Errorf("%+v, %+v", g, a.History[0])
	}
	if n := r.read(id).Notices[0]; n.Name != "Ann" || n.State != "told" {
		t.Errorf("%+v", n)
	}
	// The next time it fires, nobody has acknowledged.
	r.days(150, 90)
	r.pass(16 * time.Minute)
	r.work()
	r.is(calm, alerts.Firing, alerts.CauseFiring, alerts.CauseFiring, alerts.CauseEscalated)
}

func TestNoNewData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	id := r.watch(r.total(), alerts.Condition{Kind: alerts.Stale, Value: 30 * 60}, alerts.Manner{Recovery: true})
	r.is(id, alerts.OK) // the newest row is of yesterday noon, 20 hours ago
	r.pass(9 * time.Hour)
	r.work()
	r.is(id, alerts.OK)
	r.pass(time.Hour + 2*time.Minute)
	r.work()
	r.is(id, alerts.Firing, alerts.CauseFiring)
	r.pass(13 * time.Hour)
	r.sell(0, map[string]int{"north": 150})
	r.work()
	r.is(id, alerts.OK, alerts.CauseFiring, alerts.CauseOver)
}

func TestAChangeAgainstAnEarlierPeriod(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(100, 200, 100, 200, 100, 200)
	// Against the day before there would be no end of it; against two before none.
	id := r.watch(r.total(), alerts.Condition{Kind: alerts.Change, Side: alerts.Outside, Value: 0.2, Back: 2}, alerts.Manner{})
	r.days(115)
	r.is(id, alerts.OK)
	r.days(150)
	r.is(id, alerts.Firing, alerts.CauseFiring)
	if g := r.read(id).States[0]; g.Value != 150 || g.Low != 200 {
		t.Errorf("%+v", g)
	}
}

func TestAnAnomalyIsOutsideOfItsForecast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	request := datasets.AppendRequest{Columns: []string{"at", "region", "amount"}}
	week := []int{100, 110, 120, 130, 140, 60, 50}
	for i := range 70 {
		at := r.clock().AddDate(0, 0, i-69)
		request.Rows = append(request.Rows, []any{time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, time.UTC), "north", week[(int(at.Weekday())+6)%7] + i*7%5})
	}
	_, err := r.datasets.AppendRows(t.Context(), r.bob, r.sales, request)
	must(t, err)
	r.pass(24 * time.Hour)
	id := r.watch(r.total(), alerts.Condition{Kind: alerts.Anomaly, Side: alerts.Outside, Band: 95}, alerts.Manner{})
	r.is(id, alerts.OK) // a Monday like others
	r.days(180)
	r.is(id, alerts.Firing, alerts.CauseFiring)
	if g := r.read(id).States[0]; g.High <= g.Low || g.High >= 180 || g.Low > 110 || g.High < 110 {
		t.Errorf("expected %.0f to %.0f", g.Low, g.High)
	}
}

// What a trial says is what would have happened.
func TestATrialAgreesWithWhatHappens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	amounts := []int{150, 90, 110, 130, 80, 150, 95, 90, 150, 150}
	c := below(100)
	c.Recover = new(120.0)
	r.days(amounts[0])
	id := r.watch(r.total(), c, alerts.Manner{})
	r.days(amounts[1:]...)
	fired := 0
	for _, e := range r.read(id).History {
		if e.To == alerts.Firing {
			fired++
		}
	}
	trial, err := r.Try(t.Context(), r.bob, r.total(), c, alerts.Manner{Zone: "UTC"})
	must(t, err)
	if trial.Fired != fired || fired != 3 || len(trial.Series) != 1 || len(trial.Series[0].Values) != len(amounts) {
		t.Errorf("it would have fired %d times and did %d; %+v", trial.Fired, fired, trial)
	}
	if s := trial.Series[0].Fired[0]; s.From != 1 || s.To != 2 || s.Open {
		t.Errorf("%+v", s)
	}
	stale, err := r.Try(t.Context(), r.bob, r.total(), alerts.Condition{Kind: alerts.Stale, Value: 20 * 60}, alerts.Manner{})
	must(t, err)
	if stale.Fired != len(amounts)-1 {
		t.Errorf("%d gaps of more than 20 hours", stale.Fired)
	}
}

// A date knows no hours: gaps between days are counted from their end.
func TestNoNewDataOfDates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dated, err := r.datasets.Create(t.Context(), r.bob, datasets.NewDataset{Name: "Dated", TimeColumn: "day", Columns: []datasets.NewColumn{{Name: "day", Type: warehouse.Date}}})
	must(t, err)
	rows := datasets.AppendRequest{Columns: []string{"day"}}
	for _, ago := range []int{9, 8, 5, 4, 3} { // two days are missing
		rows.Rows = append(rows.Rows, []any{time.Now().UTC().AddDate(0, 0, -ago).Format(time.DateOnly)})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.bob, dated, rows)
	must(t, err)
	w := r.total()
	w.Dataset, w.Time, w.Measure = dated, "day", warehouse.Measure{Fn: "count"}
	trial, err := r.Try(t.Context(), r.bob, w, alerts.Condition{Kind: alerts.Stale, Value: 30 * 60}, alerts.Manner{})
	must(t, err)
	if trial.Fired != 1 || len(trial.Series) != 1 || trial.Series[0].Fired[0].To-trial.Series[0].Fired[0].From > 1 {
		t.Errorf("%+v", trial)
	}
}

func TestAnAlertWithoutItsOwnerPausesAndSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	id := r.watch(r.total(), below(100), alerts.Manner{})
	must(t, r.PeopleChanged(t.Context(), r.tenant))
	if a, err := r.Get(t.Context(), r.ann, id); err != nil || !a.PausedAt.IsZero() {
		t.Fatalf("paused with its owner there: %+v, %v", a, err)
	}
	must(t, r.tenants.RemoveMember(t.Context(), r.ann, r.bob.UserID))
	must(t, r.PeopleChanged(t.Context(), r.tenant)) // no data comes
	a, err := r.Get(t.Context(), r.ann, id)
	must(t, err)
	if a.PausedWhy != "owner_left" || a.PausedAt.IsZero() {
		t.Fatalf("%+v", a)
	}
	list, err := r.notify.List(t.Context(), r.ann, false)
	must(t, err)
	if len(list) != 1 || !strings.Contains(list[0].Excerpt, "owner_left") {
		t.Errorf("told %+v", list)
	}
	must(t, r.Resume(t.Context(), r.ann, id))
	r.pass(2 * time.Second)
	r.work()
	if a, err = r.Get(t.Context(), r.ann, id); err != nil || a.Owner != r.ann.UserID || !a.PausedAt.IsZero() || a.State != alerts.OK {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAQuestionThatCantBeAskedIsAnErrorAndMends(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	id := r.watch(r.total(), below(100), alerts.Manner{})
	d, err := r.datasets.Get(t.Context(), r.bob, r.sales)
	must(t, err)
	column, _ := d.ColumnByName("amount")
	must(t, r.datasets.DropColumn(t.Context(), r.bob, r.sales, column.ID))
	must(t, r.DataChanged(t.Context(), r.tenant, r.sales))
	r.work()
	r.is(id, alerts.Error, alerts.CauseError)
	if a := r.read(id); a.ErrorText == "" || a.History[0].To != alerts.Error {
		t.Errorf("%+v", a)
	}
	must(t, r.DataChanged(t.Context(), r.tenant, r.sales))
	r.work()
	r.is(id, alerts.Error, alerts.CauseError) // told once
}

// sink is a server that takes what channels send.
type sink struct {
	*httptest.Server
	status  atomic.Int64
	headers []http.Header
	bodies  []map[string]any
	raw     [][]byte
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		_ = json.Unmarshal(raw, &body)
		s.headers, s.bodies, s.raw = append(s.headers, r.Header.Clone()), append(s.bodies, body), append(s.raw, raw)
		w.WriteHeader(int(s.status.Load()))
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(s.Close)
	return s
}

func (r *rig) channel(kind delivery.ChannelKind, name string, target delivery.Target) (ids.Channel, string) {
	r.t.Helper()
	id, key, err := r.delivery.CreateChannel(r.t.Context(), r.ann, kind, name, target)
	must(r.t, err)
	return id, key
}

// A process that dies after the evaluation, or in the midst of a delivery,
// loses nothing, and what may be given twice has the same id.
func TestAChangeIsToldAfterACrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := newSink(t)
	hook, key := r.channel(delivery.Webhook, "Ops", delivery.Target{URL: s.URL + "/in"})
	r.days(150)
	id := r.watch(r.total(), below(100), alerts.Manner{}, func(f *alerts.Form) { f.Channels = []ids.Channel{hook} })
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 90})
	r.work("alerts:evaluate")
	if a := r.read(id); len(a.Notices) != 2 || len(s.bodies) != 0 {
		t.Fatalf("%d notices, %d posts", len(a.Notices), len(s.bodies))
	}
	r.work("alerts:evaluate") // once more: nothing has changed
	s.status.Store(http.StatusServiceUnavailable)
	r.exec(`UPDATE alert_notices SET handed_at = now() WHERE state = 'due'`) // an attempt died here
	s.status.Store(http.StatusOK)
	r.work()
	a := r.read(id)
	var line alerts.Told
	for _, n := range a.Notices {
		if n.Channel {
			line = n
		}
	}
	if line.State != "sent" || line.Answer != "200 ok" || !line.Resent || len(s.bodies) != 1 {
		t.Fatalf("%+v, %d posts", line, len(s.bodies))
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(s.headers[0].Get("Df-Timestamp") + "."))
	mac.Write(s.raw[0])
	if got, want := s.headers[0].Get("Df-Signature"), "v1="+hex.EncodeToString(mac.Sum(nil)); got != want || s.headers[0].Get("Df-Delivery") != s.bodies[0]["id"] {
		t.Errorf("signed %s, want %s", got, want)
	}
	if b := s.bodies[0]; b["event"] != "alert.firing" || b["link"] != "https://bi.example.com/alerts/"+id.String() {
		t.Errorf("%v", b)
	}
	// What the other side refuses for good is not tried again; what it can't take now is.
	s.status.Store(http.StatusServiceUnavailable)
	r.days(150, 90)
	for _, n := range r.read(id).Notices[:2] {
		if n.Channel && (n.State != "failed" || n.Attempts != 3 || !strings.Contains(n.ErrorText, "503")) {
			t.Errorf("%+v", n)
		}
	}
	posts := len(s.bodies)
	s.status.Store(http.StatusForbidden)
	r.days(150, 90)
	if len(s.bodies) != posts+1 {
		t.Errorf("%d posts of what was refused", len(s.bodies)-posts)
	}
}

func TestChannelsAreSpokenToAsTheyExpect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slack, pager := newSink(t), newSink(t)
	pager.status.Store(http.StatusAccepted)
	one, _ := r.channel(delivery.Slack, "Chat", delivery.Target{URL: slack.URL + "/services/T0/B0/secret-part"})
	two, _ := r.channel(delivery.PagerDuty, "Pager", delivery.Target{URL: pager.URL + "/v2/enqueue", Key: "routing-secret"})
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 150, "south": 150})
	r.watch(r.total("region"), below(100), alerts.Manner{}, func(f *alerts.Form) { f.Name, f.Channels = "Sales <b> & co", []ids.Channel{one, two} })
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 50, "south": 50})
	r.work()
	r.pass(24 * time.Hour)
	r.sell(0, map[string]int{"north": 150, "south": 50})
	r.work()
	if len(slack.bodies) != 1 || !strings.Contains(slack.bodies[0]["text"].(string), "Sales &lt;b&gt; &amp; co") || !strings.Contains(fmt.Sprint(slack.bodies[0]["blocks"]), "|Sales &lt;b&gt; &amp; co>") {
		t.Errorf("%v", slack.bodies)
	}
	// An incident for each group, and the end of one under the same key, though
	// nobody else is told of the end.
	var actions []string
	keys := map[string][]string{}
	for _, b := range pager.bodies {
		actions = append(actions, b["event_action"].(string))
		keys[b["dedup_key"].(string)] = append(keys[b["dedup_key"].(string)], b["event_action"].(string))
		payload := b["payload"].(map[string]any)
		if b["routing_key"] != "routing-secret" || payload["severity"] == "" || payload["source"] == "" || payload["summary"] == "" {
			t.Errorf("%v", b)
		}
	}
	if !slices.Equal(actions, []string{"trigger", "trigger", "resolve"}) || len(keys) != 2 {
		t.Errorf("%v, %v", actions, keys)
	}
	// Nothing that leads to a channel is in the database as such, or shown.
	list, err := r.delivery.ListChannels(t.Context(), r.vic)
	must(t, err)
	for _, c := range list {
		if strings.Contains(c.Shown, "secret") {
			t.Errorf("%+v", c)
		}
	}
	conn, err := pgx.Connect(t.Context(), r.url)
	must(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var leaks int
	must(t, conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM channels c WHERE c::text LIKE '%secret%') + (SELECT count(*) FROM alert_notices n WHERE n::text LIKE '%secret%')
		+ (SELECT count(*) FROM audit_events a WHERE a::text LIKE '%secret%')`).Scan(&leaks))
	if leaks > 0 {
		t.Errorf("%d rows have a secret", leaks)
	}
}

func TestFormsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	for field, change := range map[string]func(*alerts.NewAlert){
		"recover": func(n *alerts.NewAlert) { n.Condition.Recover = new(90.0) },
		"side":    func(n *alerts.NewAlert) { n.Condition.Side = alerts.Outside },
		"kind":    func(n *alerts.NewAlert) { n.Condition.Kind = "odd" },
		"back": func(n *alerts.NewAlert) {
			n.Condition = alerts.Condition{Kind: alerts.Change, Side: alerts.Above, Value: 1}
		},
		"band": func(n *alerts.NewAlert) {
			n.Condition = alerts.Condition{Kind: alerts.Anomaly, Side: alerts.Above, Band: 50}
		},
		"users": func(n *alerts.NewAlert) { n.Users = nil },
		"later": func(n *alerts.NewAlert) { n.Manner.EscalateMinutes = 5 },
		"for":   func(n *alerts.NewAlert) { n.Manner.ForMinutes = -1 },
		"mute":  func(n *alerts.NewAlert) { n.Manner.Mutes = []alerts.Mute{{From: 1, To: 2}} },
		"name":  func(n *alerts.NewAlert) { n.Name = strings.Repeat("é", 301) },
	} {
		n := alerts.NewAlert{Watch: r.total(), Form: alerts.Form{Condition: below(100), Manner: alerts.Manner{Zone: "UTC"}, Users: []ids.User{r.bob.UserID}}}
		change(&n)
		_, err := r.Create(t.Context(), r.bob, n)
		if fields, _ := apperr.Fields(err); fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	// A viewer watches for themselves alone.
	n := alerts.NewAlert{Watch: r.total(), Form: alerts.Form{Condition: below(100), Manner: alerts.Manner{Zone: "UTC"}, Users: []ids.User{r.bob.UserID}}}
	if _, err := r.Create(t.Context(), r.vic, n); !errors.Is(err, alerts.ErrInvalid) {
		t.Errorf("%v", err)
	}
	n.Users = []ids.User{r.vic.UserID}
	if _, err := r.Create(t.Context(), r.vic, n); err != nil {
		t.Error(err)
	}
}

// Alerts of others do not exist for somebody else, of this workspace or not.
func TestAlertsAreTheOwners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.days(150)
	d, err := r.dashboards.Create(t.Context(), r.bob, dashboards.NewDashboard{Name: "Trading", Config: dashboards.Config{Dataset: r.sales, Widgets: map[string]dashboards.Widget{}}})
	must(t, err)
	board := d.ID
	id, err := r.Create(t.Context(), r.bob, alerts.NewAlert{Watch: r.total(), Dashboard: board, Widget: "w", Form: alerts.Form{Condition: below(200),
		Manner: alerts.Manner{Zone: "UTC"}, Users: []ids.User{r.bob.UserID}}})
	must(t, err)
	r.pass(2 * time.Second)
	r.work()
	kept := r.read(id)
	if marks, err := r.ListMarks(t.Context(), r.bob, board); err != nil || len(marks) != 1 || len(marks[0].At) != 1 || marks[0].State != alerts.Firing {
		t.Errorf("%+v, %v", marks, err)
	}
	two, err := r.tenants.Create(t.Context(), tenants.New{Name: "Two"})
	must(t, err)
	stranger := r.person(two.ID, "Stan", access.Owner)
	stranger.UserID = r.bob.UserID // a forged id helps nobody
	form := alerts.NewAlert{Watch: r.total(), Form: alerts.Form{Name: "Mine", Condition: below(1), Manner: alerts.Manner{Zone: "UTC"}, Users: []ids.User{r.bob.UserID}}}
	own := r.person(two.ID, "Olga", access.Owner)
	cases := map[string]struct {
		call func(access.Actor) error
		want error
	}{
		"Create": {func(a access.Actor) error {
			f := form
			f.Users = []ids.User{own.UserID}
			_, err := r.Create(t.Context(), a, f)
			return err
		}, datasets.ErrNotFound},
		"Update":      {func(a access.Actor) error { return r.Update(t.Context(), a, id, form.Form) }, alerts.ErrNotFound},
		"Get":         {func(a access.Actor) error { _, err := r.Get(t.Context(), a, id); return err }, alerts.ErrNotFound},
		"Pause":       {func(a access.Actor) error { return r.Pause(t.Context(), a, id) }, alerts.ErrNotFound},
		"Resume":      {func(a access.Actor) error { return r.Resume(t.Context(), a, id) }, alerts.ErrNotFound},
		"Snooze":      {func(a access.Actor) error { return r.Snooze(t.Context(), a, id, r.clock().Add(time.Hour)) }, alerts.ErrNotFound},
		"Acknowledge": {func(a access.Actor) error { return r.Acknowledge(t.Context(), a, id, nil) }, alerts.ErrNotFound},
		"Delete":      {func(a access.Actor) error { return r.Delete(t.Context(), a, id) }, alerts.ErrNotFound},
		"Try": {func(a access.Actor) error {
			_, err := r.Try(t.Context(), a, r.total(), below(1), alerts.Manner{})
			return err
		}, datasets.ErrNotFound},
		"Course": {func(a access.Actor) error { _, err := r.Course(t.Context(), a, &kept); return err }, nil},
		"ListMarks": {func(a access.Actor) error {
			list, err := r.ListMarks(t.Context(), a, board)
			if len(list) > 0 {
				t.Errorf("%d marks", len(list))
			}
			return err
		}, nil},
		"List": {func(a access.Actor) error {
			list, err := r.List(t.Context(), a)
			if len(list) > 0 {
				t.Errorf("%d alerts", len(list))
			}
			return err
		}, nil},
	}
	inside := map[string]bool{"DataChanged": true, "PeopleChanged": true, "RunEvaluate": true, "RunDeliver": true, "DeliverFailed": true, "RunPrune": true}
	methods := reflect.TypeFor[*alerts.Service]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; cases[name].call == nil && !inside[name] {
			t.Errorf("%s is not tried by a stranger", name)
		}
	}
	for name, tc := range cases {
		for who, a := range map[string]access.Actor{"stranger": stranger, "viewer": r.vic} {
			if who == "viewer" && (name == "Create" || name == "Try" || name == "Course" || name == "List") {
				continue // of their own
			}
			err := tc.call(a)
			if name == "Course" && err == nil {
				t.Errorf("%s sees the course", who)
			}
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%s, %s: %v", name, who, err)
			}
		}
	}
	if a := r.read(id); !a.PausedAt.IsZero() || !a.SnoozedUntil.IsZero() || a.Name != kept.Name {
		t.Errorf("%+v", a)
	}
	// Of channels, too.
	hook, _ := r.channel(delivery.Webhook, "Ops", delivery.Target{URL: "https://hooks.example.com/x"})
	if err := r.delivery.DeleteChannel(t.Context(), stranger, hook); !errors.Is(err, delivery.ErrChannelNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := r.delivery.TestChannel(t.Context(), stranger, hook, "", "", ""); !errors.Is(err, delivery.ErrChannelNotFound) {
		t.Errorf("%v", err)
	}
	if list, err := r.delivery.ListChannels(t.Context(), stranger); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	for _, a := range []access.Actor{r.bob, r.vic} {
		if _, _, err := r.delivery.CreateChannel(t.Context(), a, delivery.Webhook, "X", delivery.Target{URL: "https://hooks.example.com/x"}); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%v", err)
		}
		if err := r.delivery.DeleteChannel(t.Context(), a, hook); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%v", err)
		}
	}
}
