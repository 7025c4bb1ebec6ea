package datasets_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/secrets"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

func TestMain(m *testing.M) {
	sandbox.ServeIfChild(files.Open)
	if os.Getenv(crashEnv) != "" {
		os.Exit(crash())
	}
	os.Exit(m.Run())
}

// rig is the service on a database, a storage and engines of its own.
type rig struct {
	*datasets.Service
	db      *db.DB
	blobs   *blob.Store
	tenants *tenants.Service
	storage string
	clock   atomic.Int64 // offset to the real time
	closers []func() error
	actor   access.Actor
	sandbox *counting
	engine  *warehouse.Engine
}

// counting is the sandbox that counts how often a file was looked through.
type counting struct {
	sandbox.Client
	inspections atomic.Int64
}

func (c *counting) Inspect(ctx context.Context, request ingest.InspectRequest, progress func(ingest.Progress)) (*ingest.Inspection, error) {
	c.inspections.Add(1)
	return c.Client.Inspect(ctx, request, progress)
}

// engineSlots is how many queries of a rig run at once.
const engineSlots = 4

func newRig(t testing.TB) *rig {
	t.Helper()
	storage := t.TempDir()
	r, err := openRig(t.Context(), dbtest.New(t), storage, filepath.Join(t.TempDir(), "engine"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	r.actor = r.person(tenant.ID, access.Editor)
	return r
}

func openRig(ctx context.Context, pool *db.DB, storage, scratch string) (*rig, error) {
	r := &rig{db: pool, storage: storage, sandbox: &counting{}}
	var err error
	address := "file://" + storage
	if strings.Contains(storage, "://") {
		address = storage
	}
	if r.blobs, err = blob.Open(ctx, blob.Options{URL: address, CacheDir: scratch + "-copies", CacheBytes: 64 << 20}); err != nil {
		return nil, err
	}
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		return nil, err
	}
	r.tenants = tenants.NewService(tenants.Deps{DB: pool, Master: master})
	writer, err := segments.Open(segments.Config{})
	if err != nil {
		return nil, err
	}
	engine := warehouse.New(warehouse.Config{Dir: scratch, DataDirs: []string{storage}, MemoryBytes: 256 << 20, MaxConcurrent: engineSlots})
	r.engine = engine
	r.Service = datasets.New(datasets.Deps{
		DB: pool, Blobs: r.blobs, Engine: engine, Sandbox: r.sandbox, Writer: writer,
		Sources: sources.New(sources.Deps{DB: pool, Boxes: r.tenants}), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(r.clock.Load())) },
	})
	r.closers = append(r.closers, engine.Close, writer.Close, r.blobs.Close)
	return r, nil
}

func (r *rig) close() {
	for _, c := range r.closers {
		_ = c()
	}
}

func (r *rig) person(tenant ids.Tenant, role access.Role) access.Actor {
	return access.Actor{Kind: access.Person, TenantID: tenant, UserID: ids.New[ids.User](), Role: role}
}

// stranger is the owner of another workspace.
func (r *rig) stranger(t testing.TB) access.Actor {
	t.Helper()
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	return r.person(tenant.ID, access.Owner)
}

// pass moves the clock forward.
func (r *rig) pass(d time.Duration) { r.clock.Add(int64(d)) }

// events makes a dataset without rows.
func (r *rig) events(t testing.TB, name string) ids.Dataset {
	t.Helper()
	id, err := r.Create(t.Context(), r.actor, datasets.NewDataset{Name: name, Columns: []datasets.NewColumn{
		{Name: "id", Type: warehouse.Integer},
		{Name: "name", Type: warehouse.Text},
		{Name: "at", Type: warehouse.Timestamp},
		{Name: "amount", Type: warehouse.Decimal, Precision: 12, Scale: 2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// add appends rows with ids from..to, one amount each of its id.
func (r *rig) add(t testing.TB, id ids.Dataset, from, to int) datasets.Appended {
	t.Helper()
	appended, err := r.AppendRows(t.Context(), r.actor, id, eventRows(from, to))
	if err != nil {
		t.Fatal(err)
	}
	return appended
}

func eventRows(from, to int) datasets.AppendRequest {
	request := datasets.AppendRequest{Columns: []string{"id", "name", "at", "amount"}}
	for i := from; i <= to; i++ {
		at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
		request.Rows = append(request.Rows, []any{i, "name " + strconv.Itoa(i%3), at, strconv.Itoa(i) + ".50"})
	}
	return request
}

// totals answers count and sum of a column, at a snapshot or now.
func (r *rig) totals(t testing.TB, id ids.Dataset, column string, snapshot datasets.Snapshot) (int64, float64) {
	t.Helper()
	n, sum, err := r.sum(t.Context(), id, column, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return n, sum
}

func (r *rig) sum(ctx context.Context, id ids.Dataset, column string, snapshot datasets.Snapshot) (int64, float64, error) {
	result, err := r.Query(ctx, r.actor, datasets.QueryRequest{Snapshot: snapshot, Exact: true, Spec: warehouse.Spec{
		Dataset:  id.String(),
		Measures: []warehouse.Measure{{Fn: "count", As: "n"}, {Fn: "sum", Column: column, As: "total"}},
	}})
	if err != nil {
		return 0, 0, err
	}
	total := result.Columns[1]
	switch {
	case total.IsNull(0):
		return result.Columns[0].Ints[0], 0, nil
	case total.Type == warehouse.Integer:
		return result.Columns[0].Ints[0], float64(total.Ints[0]), nil
	}
	return result.Columns[0].Ints[0], total.Floats[0], nil
}

func (r *rig) snapshot(t testing.TB, list ...ids.Dataset) datasets.Snapshot {
	t.Helper()
	snapshot, err := r.Snapshot(t.Context(), r.actor, list)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// files lists what lies in the storage, stage included.
func (r *rig) files(t testing.TB) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(r.storage, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, strings.TrimPrefix(path, r.storage+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// events in the outbox of a workspace for a dataset.
func (r *rig) announced(t testing.TB, id ids.Dataset) int {
	t.Helper()
	count := 0
	err := r.db.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.OutboxTake(ctx, 10_000)
		for _, row := range rows {
			if row.EntityID == id.UUID() {
				count++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func wantError(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

// write makes a file for a load.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load brings a file in, in this process.
func (r *rig) load(t testing.TB, dataset string, mode datasets.Mode, content string, choices datasets.Choices) datasets.LoadReport {
	t.Helper()
	report, err := r.ImportFile(t.Context(), r.actor, datasets.ImportRequest{
		Path: write(t, "file.csv", content), Dataset: dataset, Mode: mode, Choices: choices,
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func readerOf(text string) *strings.Reader { return strings.NewReader(text) }
