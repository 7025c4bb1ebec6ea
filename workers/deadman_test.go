package workers

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// The outside watcher hears of it only while the schedules of all workspaces are
// watched.
func TestDeadMan(t *testing.T) {
	w := setup(t)
	var heard atomic.Int32
	status := http.StatusOK
	outside := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		heard.Add(1)
		rw.WriteHeader(status)
	}))
	t.Cleanup(outside.Close)
	var said bytes.Buffer
	w.deps.PingURL, w.deps.Log = outside.URL+"/secret", slog.New(slog.NewTextHandler(&said, nil))
	ping := func(want int32) {
		t.Helper()
		before := heard.Load()
		if err := (deadman{w.deps}).ping(t.Context(), jobs.Job[pingArgs]{}); err != nil {
			t.Error(err)
		}
		if got := heard.Load() - before; got != want {
			t.Errorf("heard %d times, want %d", got, want)
		}
	}
	ping(1) // workspaces that were just made need not have been watched yet
	w.exec(t, `UPDATE control.tenants SET created_at = now() - interval '1 hour'`)
	ping(0)
	if !strings.Contains(said.String(), "workspaces=2") || strings.Contains(said.String(), "secret") {
		t.Errorf("logged %s", said.String())
	}
	watched := func(tenant uuid.UUID, state, ago string) {
		t.Helper()
		err := w.db.InTenantTx(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tenant, Args: reports.WatchArgs{}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.exec(t, `UPDATE control.jobs SET state = '`+state+`', finished_at = now() - interval '`+ago+`' WHERE state = 'queued' AND tenant_id = '`+tenant.String()+`'`)
	}
	one, two := w.tenants[0].ID.UUID(), w.tenants[1].ID.UUID()
	watched(one, "done", "1 minute")
	ping(0) // one of them is not watched
	watched(two, "failed", "1 minute")
	ping(0)
	watched(two, "done", "20 minutes")
	ping(0)
	watched(two, "done", "4 minutes")
	ping(1)
	status = http.StatusInternalServerError
	if err := (deadman{w.deps}).ping(t.Context(), jobs.Job[pingArgs]{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("refused: %v", err)
	}
	outside.Close()
	if err := (deadman{w.deps}).ping(t.Context(), jobs.Job[pingArgs]{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("away: %v", err)
	}
	w.deps.PingURL = ""
	ping(0)
}

func (w *world) exec(t *testing.T, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
