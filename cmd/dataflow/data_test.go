package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/platform/redistest"
)

// shell runs commands as processes of their own, on servers that run already.
type shell struct {
	t       *testing.T
	environ []string
}

func newShell(t *testing.T) shell {
	t.Helper()
	dir := t.TempDir()
	return shell{t, append(os.Environ(), asMain+"=1",
		"DATABASE_URL="+dbtest.URL(t), "REDIS_URL="+redistest.Start(t).URL(), "STORAGE_URL=file://"+filepath.Join(dir, "storage"),
		"DATAFLOW_DATA_DIR="+filepath.Join(dir, "data"), "DATAFLOW_MASTER_KEY=q83vEjRWeJCrze8SNFZ4kNq3xQmYb1dTz7hGk0fLr2U=")}
}

func (s shell) run(stdin string, args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	command := exec.CommandContext(s.t.Context(), os.Args[0], args...)
	var out, errs bytes.Buffer
	command.Env, command.Stdin, command.Stdout, command.Stderr = s.environ, strings.NewReader(stdin), &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

// ok runs a command that must succeed and reads its answer.
func (s shell) ok(into any, stdin string, args ...string) {
	s.t.Helper()
	status, out, errs := s.run(stdin, args...)
	if status != 0 {
		s.t.Fatalf("dataflow %v: status %d, %s", args, status, errs)
	}
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		s.t.Fatalf("dataflow %v: %v in %s", args, err, out)
	}
}

func (s shell) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

type note struct{ Column, Code, Text string }

type importAnswer struct {
	Dataset      string
	Version      int64
	RowsLoaded   int64   `json:"rows_loaded"`
	RowsRejected int64   `json:"rows_rejected"`
	RejectsFile  *string `json:"rejects_file"`
	Notes        []note
	Columns      []struct {
		ID         int32
		Name, Type string
	}
}

type queryAnswer struct {
	Columns        []struct{ Name, Type string }
	Rows           [][]any
	DatasetVersion int64 `json:"dataset_version"`
	Sampled        any
}

func TestFileToAnswerInTheShell(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	flights := s.file("flights.csv", "date,origin,delay,fare\n2001-01-01 10:00:00,ORD,5,10.50\n2001-01-02 11:00:00,MDW,7,20.25\n2001-01-02 12:00:00,SFO,x,1.00\n")
	var loaded importAnswer
	// Flags stand before and after the file.
	s.ok(&loaded, "", "import", "--type", "delay=integer", flights, "--dataset", "flights", "--type", "fare=decimal(12,2)")
	if loaded.Dataset != "flights" || loaded.Version != 1 || loaded.RowsLoaded != 2 || loaded.RowsRejected != 1 || loaded.RejectsFile == nil {
		t.Fatalf("import: %+v", loaded)
	}
	if rejects, err := os.ReadFile(*loaded.RejectsFile); err != nil || !bytes.Contains(rejects, []byte("x")) {
		t.Errorf("rejects file: %q, %v", rejects, err)
	}
	for i, want := range []string{"timestamp", "text", "integer", "decimal"} {
		if got := loaded.Columns[i]; got.Type != want || got.ID != int32(i)+1 {
			t.Errorf("column %d: %+v, want %s", i, got, want)
		}
	}
	// What was not plain about a file is said.
	for content, want := range map[string]string{"a,b,c\n": "header_only", "1,2024-01-01\n2,2024-01-02\n": "no_header", "day,amount,amount\n2024-01-01,1,2\n": "renamed", ",b\n1,2\n": "renamed"} {
		loaded = importAnswer{}
		s.ok(&loaded, "", "import", s.file("odd.csv", content), "--dataset", "odd")
		if !slices.ContainsFunc(loaded.Notes, func(n note) bool { return n.Code == want && n.Text != "" }) {
			t.Errorf("%q: notes %+v, want %s", content, loaded.Notes, want)
		}
	}
	// A total is left out, unless it is wanted.
	for flag, want := range map[string][2]int64{"--load-totals": {3, 0}, "--load-totals=false": {2, 1}} {
		loaded = importAnswer{}
		s.ok(&loaded, "", "import", s.file("total.csv", "day,shop,n\n2024-01-01,A,1\n2024-01-02,B,2\nTotal,,3\n"), "--dataset", "odd", flag)
		if got := [2]int64{loaded.RowsLoaded, loaded.RowsRejected}; got != want {
			t.Errorf("%s: %d loaded, %d rejected, want %d", flag, got[0], got[1], want)
		}
	}
	// Another workspace is made where that is said.
	var other importAnswer
	s.ok(&other, "", "import", flights, "--dataset", "flights", "--tenant", "other", "--new-tenant")
	s.ok(&other, "", "import", flights, "--dataset", "flights", "--tenant", "other", "--append")
	if other.Version != 2 {
		t.Errorf("in another workspace: %+v", other)
	}
	loaded = importAnswer{}
	s.ok(&loaded, "", "import", s.file("more.csv", "origin,fare\nORD,1.25\n"), "--append", "--dataset", "Flights")
	if loaded.Version != 2 || loaded.RowsLoaded != 1 || loaded.RejectsFile != nil {
		t.Errorf("append: %+v", loaded)
	}
	s.ok(&loaded, "", "import", "--dataset", "airports", s.file("a.csv", "iata,state\nORD,IL\nMDW,IL\n"), "--upsert", "iata")
	s.ok(&struct{}{}, "", "lookup", "add", "flights.origin", "origin_airport=airports.iata")

	spec := `{"dataset":"flights","measures":[{"fn":"count","as":"n"},{"fn":"sum","column":"fare","as":"fare"}],
		"dimensions":[{"column":"date","grain":"day","as":"day"},{"column":"origin_airport.state"}],"order":[{"by":"n","desc":true},{"by":"day"}]}`
	for name, from := range map[string]string{"file": s.file("spec.json", spec), "standard input": "-"} {
		var got queryAnswer
		s.ok(&got, spec, "query", from)
		if len(got.Rows) != 3 || got.DatasetVersion != 2 || got.Sampled != false || got.Columns[0].Type != "date" || got.Columns[1].Name != "origin_airport.state" {
			t.Fatalf("from %s: %+v", name, got)
		}
		days := map[any]any{}
		for _, row := range got.Rows {
			days[row[0]] = row[3]
		}
		if days["2001-01-01"] != json.Number("10.50") || days["2001-01-02"] != json.Number("20.25") || days[nil] != json.Number("1.25") {
			t.Errorf("from %s: fares %v", name, days)
		}
	}
	var gone struct {
		Rows    int64 `json:"rows_deleted"`
		Version int64
	}
	s.ok(&gone, "", "datasets", "delete-rows", "airports", "--key", "MDW", "--key", "XXX")
	if gone.Rows != 1 || gone.Version != 2 {
		t.Errorf("rows by key: %+v", gone)
	}
	s.ok(&gone, "", "datasets", "delete-rows", "airports", "--by", "state", "--from", s.file("keys.txt", "IL\n"))
	if gone.Rows != 1 || gone.Version != 3 {
		t.Errorf("rows by a file of keys: %+v", gone)
	}
	var first queryAnswer
	s.ok(&first, `{"dataset":"flights","measures":[{"fn":"count","as":"n"}]}`, "query", "--version", "1", "-")
	if first.DatasetVersion != 1 || first.Rows[0][0] != json.Number("2") {
		t.Errorf("version 1: %+v", first)
	}
	var restored struct{ Version int64 }
	s.ok(&restored, "", "datasets", "restore", "flights", "1")
	if restored.Version != 3 {
		t.Errorf("restored as %+v", restored)
	}
	var broken struct {
		Lookups []string `json:"broken_lookups"`
	}
	s.ok(&broken, "", "datasets", "delete", "airports")
	if len(broken.Lookups) != 1 || broken.Lookups[0] != "flights.origin_airport" {
		t.Errorf("deleting breaks %+v", broken)
	}
}

func TestFailuresInTheShellLeaveNothing(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	data := s.file("a.csv", "a,b\n1,2\n")
	s.ok(&importAnswer{}, "", "import", data, "--dataset", "d")
	for name, tc := range map[string]struct {
		args   []string
		stdin  string
		status int
		begins string
	}{
		"no such file":       {[]string{"import", "/no/such.csv", "--dataset", "d"}, "", statusUsage, "usage.invalid:"},
		"empty file":         {[]string{"import", s.file("e.csv", ""), "--dataset", "d"}, "", statusUsage, "files.empty:"},
		"bad type":           {[]string{"import", data, "--dataset", "d", "--type", "a=number"}, "", statusUsage, "ingest.bad_type:"},
		"type without value": {[]string{"import", data, "--dataset", "d", "--type", "a"}, "", statusUsage, "usage.invalid:"},
		"both modes":         {[]string{"import", data, "--dataset", "d", "--append", "--upsert", "a"}, "", statusUsage, "usage.invalid:"},
		"unknown key":        {[]string{"import", data, "--dataset", "d", "--upsert", "z"}, "", statusUsage, ""},
		"conflict":           {[]string{"import", s.file("c.csv", "a,b\nx,y\nz,w\n"), "--dataset", "d", "--append"}, "", statusConflict, "datasets.schema_conflict:"},
		"nothing fits":       {[]string{"import", s.file("n.csv", "a,b\nx,1\ny,2\n"), "--dataset", "d", "--type", "a=integer"}, "", statusUsage, "datasets.nothing_fits: None of the 2 rows"},
		"unnamed workspace":  {[]string{"import", data, "--dataset", "d", "--new-tenant"}, "", statusUsage, "usage.invalid:"},
		"unknown workspace":  {[]string{"import", data, "--dataset", "d", "--tenant", "nobody"}, "", statusNotFound, "tenants.not_found:"},
		"unknown dataset":    {[]string{"query", "-"}, `{"dataset":"nope","measures":[{"fn":"count"}]}`, statusNotFound, "datasets.not_found:"},
		"unknown version":    {[]string{"query", "-", "--version", "9"}, `{"dataset":"d","measures":[{"fn":"count"}]}`, statusNotFound, "datasets.version_not_found:"},
		"no JSON":            {[]string{"query", "-"}, `{`, statusUsage, "query."},
		"unknown column":     {[]string{"query", "-"}, `{"dataset":"d","measures":[{"fn":"sum","column":"z"}]}`, statusUsage, "query."},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := s.run(tc.stdin, tc.args...)
			if status != tc.status || out != "" || !strings.HasPrefix(errs, tc.begins) || strings.Count(errs, "\n") != 1 {
				t.Errorf("status %d, want %d; %q, %q", status, tc.status, out, errs)
			}
		})
	}
	var left queryAnswer
	s.ok(&left, `{"dataset":"d","measures":[{"fn":"count"}]}`, "query", "-")
	if left.DatasetVersion != 1 || left.Rows[0][0] != json.Number("1") {
		t.Errorf("after the failures: %+v", left)
	}
}

// TestSampledAnswerInTheShell asks a dataset that is large enough to have a
// sample, once so that it may answer from it and once exactly.
func TestSampledAnswerInTheShell(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.environ = append(s.environ, "DATAFLOW_SAMPLE_ROWS=100000", "DATAFLOW_SAMPLE_TIME=1ns")
	const rows = 1_000_000
	var csv strings.Builder
	csv.WriteString("kind,n\n")
	for i := range rows {
		fmt.Fprintf(&csv, "%c,%d\n", 'a'+i%4, 1+i/4%100)
	}
	s.ok(&importAnswer{}, "", "import", s.file("many.csv", csv.String()), "--dataset", "many")
	spec := `{"dataset":"many","measures":[{"fn":"count","as":"rows"},{"fn":"sum","column":"n","as":"sum"}],"dimensions":[{"column":"kind"}]}`

	var exact queryAnswer
	s.ok(&exact, spec, "query", "--exact", "-")
	if len(exact.Rows) != 4 || exact.Sampled != false || exact.Rows[0][1] != json.Number("250000") || exact.Rows[0][2] != json.Number("12625000") {
		t.Fatalf("exact: %+v", exact)
	}
	var estimate queryAnswer
	s.ok(&estimate, spec, "query", "-")
	said, ok := estimate.Sampled.(map[string]any)
	if !ok || said["rate"] != json.Number("10") || len(estimate.Rows) != 4 {
		t.Fatalf("estimate: %+v", estimate)
	}
	margin, err := said["error"].(json.Number).Float64()
	if err != nil || margin <= 0 || margin > 0.05 {
		t.Errorf("error of the estimate: %v, %v", said["error"], err)
	}
	for _, row := range estimate.Rows {
		for i, want := range []float64{250_000, 12_625_000} {
			got, err := row[i+1].(json.Number).Float64()
			if err != nil || math.Abs(got/want-1) > 2*margin {
				t.Errorf("%v: %v, %v; want %v ± %.2f%%", row[0], row[i+1], err, want, 100*margin)
			}
		}
	}
	// What can't be estimated honestly is exact whatever the settings say.
	s.ok(&exact, `{"dataset":"many","measures":[{"fn":"max","column":"n","as":"max"}]}`, "query", "-")
	if exact.Sampled != false || exact.Rows[0][0] != json.Number("100") {
		t.Errorf("maximum: %+v", exact)
	}
}
