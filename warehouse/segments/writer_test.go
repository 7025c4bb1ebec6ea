package segments

import (
	"os"
	"path/filepath"
	"testing"
)

// What holds for the whole database is given once: after something was spilled,
// DuckDB refuses to be told again where to spill, as a new connection would.
func TestConnectionsOpenAfterSomethingWasSpilled(t *testing.T) {
	t.Parallel()
	w, err := Open(Config{MemoryLimit: 64 << 20, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	first, err := w.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	// Rows in no order, kept in memory that is not there.
	if _, err := first.ExecContext(t.Context(), "CREATE TEMP TABLE large AS SELECT hash(i) AS h, 'value ' || hash(i + 1) AS s FROM range(4000000) AS r(i)"); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(filepath.Join(w.tempDir, "duckdb")); err != nil || len(files) == 0 {
		t.Fatalf("nothing was spilled: %v", err)
	}
	second, err := w.db.Conn(t.Context())
	if err != nil {
		t.Fatalf("another connection: %v", err)
	}
	defer func() { _ = second.Close() }()
	var zone string
	if err := second.QueryRowContext(t.Context(), "SELECT current_setting('TimeZone')").Scan(&zone); err != nil || zone != "UTC" {
		t.Errorf("zone %q, %v", zone, err)
	}
}
