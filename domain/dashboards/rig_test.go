package dashboards_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// rig is the service with a database, a storage and an engine of its own.
type rig struct {
	*dashboards.Service
	db       *db.DB
	datasets *datasets.Service
	tenants  *tenants.Service
	auth     *auth.Service
	actor    access.Actor
	clock    atomic.Int64 // offset to the real time
}

func newRig(t testing.TB) *rig { return newRigOf(t, warehouse.Config{}) }

// newRigOf has an engine of its own settings.
func newRigOf(t testing.TB, settings warehouse.Config) *rig {
	t.Helper()
	r := &rig{db: dbtest.New(t)}
	storage := t.TempDir()
	blobs, err := blob.Open(t.Context(), blob.Options{URL: "file://" + storage})
	must(t, err)
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	r.tenants = tenants.NewService(tenants.Deps{DB: r.db, Master: master})
	r.auth = auth.NewService(auth.Deps{DB: r.db, Tenants: r.tenants})
	writer, err := segments.Open(segments.Config{})
	must(t, err)
	settings.Dir, settings.DataDirs, settings.MemoryBytes = filepath.Join(t.TempDir(), "engine"), []string{storage}, 256<<20
	engine := warehouse.New(settings)
	t.Cleanup(func() {
		_ = engine.Close()
		_ = writer.Close()
		_ = blobs.Close()
	})
	r.datasets = datasets.New(datasets.Deps{DB: r.db, Blobs: blobs, Engine: engine, Writer: writer,
		Sources: sources.New(sources.Deps{DB: r.db, Boxes: r.tenants}), Log: slog.New(slog.DiscardHandler)})
	r.Service = dashboards.New(dashboards.Deps{DB: r.db, Datasets: r.datasets,
		Clock: func() time.Time { return time.Now().Add(time.Duration(r.clock.Load())) }})
	r.actor = r.person(t, "Test", access.Editor)
	return r
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

var people atomic.Int64

// person is a user of a new workspace.
func (r *rig) person(t testing.TB, workspace string, role access.Role) access.Actor {
	t.Helper()
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: workspace})
	must(t, err)
	return r.colleague(t, tenant.ID, role)
}

// colleague is a further user of a workspace.
func (r *rig) colleague(t testing.TB, tenant ids.Tenant, role access.Role) access.Actor {
	t.Helper()
	n := people.Add(1)
	id, err := r.auth.CreateUser(t.Context(), auth.NewUser{TenantID: tenant, Email: fmt.Sprintf("person%d@example.com", n),
		Name: fmt.Sprintf("Person %d", n), Role: role})
	must(t, err)
	return access.Actor{Kind: access.Person, TenantID: tenant, UserID: id, Role: role, Locale: "en-GB"}
}

// sales is a dataset of 240 rows over twelve days of 2026, counted from its
// newest row: 20 a day, amounts 1 to 240, in three channels.
func (r *rig) sales(t testing.TB, actor access.Actor) ids.Dataset {
	t.Helper()
	stores, err := r.datasets.Create(t.Context(), actor, datasets.NewDataset{Name: "Stores", Columns: []datasets.NewColumn{
		{Name: "code", Type: warehouse.Text}, {Name: "city", Type: warehouse.Text}}})
	must(t, err)
	_, err = r.datasets.AppendRows(t.Context(), actor, stores, datasets.AppendRequest{Columns: []string{"code", "city"},
		Rows: [][]any{{"A", "Leeds"}, {"B", "York"}, {"C", "Hull, East"}}})
	must(t, err)
	id, err := r.datasets.Create(t.Context(), actor, datasets.NewDataset{Name: "Sales", TimeColumn: "at", RelativeToNewest: true,
		Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.Timestamp}, {Name: "channel", Type: warehouse.Text},
			{Name: "store", Type: warehouse.Text}, {Name: "amount", Type: warehouse.Integer}, {Name: "paid", Type: warehouse.Boolean}}})
	must(t, err)
	r.add(t, actor, id, 0, 240)
	must(t, r.datasets.AddLookup(t.Context(), actor, id, datasets.NewLookup{Name: "shop", Column: "store", Target: stores.String(), Key: "code"}))
	return id
}

func (r *rig) add(t testing.TB, actor access.Actor, id ids.Dataset, from, to int) {
	t.Helper()
	request := datasets.AppendRequest{Columns: []string{"at", "channel", "store", "amount", "paid"}}
	for i := from; i < to; i++ {
		at := time.Date(2026, 5, 1+i/20, 8+i%20/2, 0, 0, 0, time.UTC)
		request.Rows = append(request.Rows, []any{at, []any{"web", "shop", "=phone"}[i%3], []any{"A", "B", "C", nil}[i%4], i + 1, i%5 != 0})
	}
	_, err := r.datasets.AppendRows(t.Context(), actor, id, request)
	must(t, err)
}

var (
	total   = warehouse.Measure{Fn: "sum", Column: "amount", As: "total"}
	orders  = warehouse.Measure{Fn: "count", As: "orders"}
	channel = warehouse.Dimension{Column: "channel", As: "channel"}
)

// config shows one widget of nearly every type.
func config(dataset ids.Dataset) dashboards.Config {
	widget := func(t charts.Type, title string, at dashboards.Layout, q dashboards.Query) dashboards.Widget {
		w := dashboards.Widget{Title: title, Layout: at, Query: q}
		w.Type = t
		return w
	}
	table := widget(charts.Table, "Stores", dashboards.Layout{Y: 12, W: 6, H: 6}, dashboards.Query{Measures: []warehouse.Measure{total, orders},
		Dimensions: []warehouse.Dimension{{Column: "shop.city", As: "city"}}})
	table.Encode.Columns = []charts.Cell{{Column: "city"}, {Column: "total", Bar: true, Change: true}, {Column: "orders"}}
	return dashboards.Config{Schema: dashboards.Schema, Dataset: dataset,
		Settings: dashboards.Settings{Date: dashboards.DateSetting{Default: "7d"}, Live: true},
		Filters:  map[string]dashboards.Control{"channel": {Label: "Channel", Column: "channel"}},
		Widgets: map[string]dashboards.Widget{
			"sum": widget(charts.KPI, "Net sales", dashboards.Layout{W: 3, H: 3}, dashboards.Query{Measures: []warehouse.Measure{total}}),
			"daily": widget(charts.Line, "Per day", dashboards.Layout{X: 3, W: 9, H: 9}, dashboards.Query{Measures: []warehouse.Measure{total},
				Dimensions: []warehouse.Dimension{{Column: "at", Grain: "auto", As: "day"}}}),
			"channels": widget(charts.Bar, "By channel", dashboards.Layout{Y: 3, W: 3, H: 6}, dashboards.Query{Measures: []warehouse.Measure{total},
				Dimensions: []warehouse.Dimension{channel}}),
			"mix": widget(charts.Donut, "Mix", dashboards.Layout{X: 6, Y: 12, W: 3, H: 6}, dashboards.Query{Measures: []warehouse.Measure{total},
				Dimensions: []warehouse.Dimension{channel}}),
			"hours": widget(charts.Heatmap, "Hours", dashboards.Layout{X: 9, Y: 12, W: 3, H: 6}, dashboards.Query{Measures: []warehouse.Measure{orders},
				Dimensions: []warehouse.Dimension{{Column: "at", Grain: "weekday", As: "weekday"}, {Column: "at", Grain: "hour_of_day", As: "hour"}}}),
			"stores": table,
			"rows": widget(charts.Table, "Rows", dashboards.Layout{Y: 18, W: 6, H: 6}, dashboards.Query{
				Columns: []string{"at", "channel", "amount"}, Order: []warehouse.Order{{By: "at", Desc: true}}}),
		}}
}

func (r *rig) board(t testing.TB) (dashboards.Dashboard, ids.Dataset) {
	t.Helper()
	dataset := r.sales(t, r.actor)
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Trading", Config: config(dataset)})
	must(t, err)
	return d, dataset
}

func (r *rig) open(t testing.TB, id ids.Dashboard, link, snapshot string) *dashboards.View {
	t.Helper()
	v, err := r.Service.Open(t.Context(), r.actor, request(t, id, link, snapshot))
	must(t, err)
	return v
}

func (r *rig) draw(t testing.TB, v *dashboards.View, widget string) *dashboards.Tile {
	t.Helper()
	p, ok := v.Plan(widget)
	if !ok {
		t.Fatalf("no widget %s", widget)
	}
	tile, err := r.Draw(t.Context(), v, p)
	must(t, err)
	if tile.Err != nil {
		t.Fatalf("widget %s: %v", widget, tile.Err)
	}
	return tile
}

func (r *rig) kpi(t testing.TB, v *dashboards.View) string {
	t.Helper()
	return r.draw(t, v, "sum").Drawing.KPI.Full
}

// apply is a strict gesture, and answers the draft that it leads to.
func (r *rig) apply(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, ops []dashboards.Operation) (dashboards.Dashboard, error) {
	if _, err := r.Edit(ctx, actor, id, dashboards.Edit{Rev: rev, Operations: ops, Strict: true}); err != nil {
		return dashboards.Dashboard{}, err
	}
	return r.GetDraft(ctx, actor, id)
}

func raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func inTx(t testing.TB, r *rig, tenant ids.Tenant, work func(context.Context, *db.Tx) error) {
	t.Helper()
	must(t, r.db.InTenantTx(t.Context(), tenant.UUID(), work))
}
