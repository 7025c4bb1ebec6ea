package archtest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dataflowhq/dataflow/platform/archtest"
)

func TestImportsFollowTheArchitecture(t *testing.T) {
	t.Parallel()
	found, err := archtest.Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// The checker itself: one file, with one import, is wrong or right.
func TestViolationsAreFound(t *testing.T) {
	t.Parallel()
	const self = archtest.Module + "/"
	for name, tc := range map[string]struct {
		file, imports, wrong string // wrong is part of the reason; empty where it is allowed
	}{
		"platform of the product":        {"platform/blob/a.go", self + "domain/ids", "technical leaves"},
		"platform of the database":       {"platform/jobs/a.go", self + "db", "technical leaves"},
		"platform of its neighbour":      {"platform/blob/a.go", self + "platform/config", "leaves"},
		"platform of errors":             {"platform/blob/a.go", self + "platform/apperr", ""},
		"platform of its directories":    {"platform/blob/a.go", self + "platform/workdir", ""},
		"platform of its own part":       {"platform/blob/a.go", self + "platform/blob/internal", ""},
		"db of the domain":               {"db/a.go", self + "domain/ids", "below the domain"},
		"db of platform":                 {"db/a.go", self + "platform/jobs", ""},
		"warehouse of the catalogue":     {"warehouse/a.go", self + "db", "pure"},
		"part of the warehouse":          {"warehouse/ingest/a.go", self + "warehouse/segments", ""},
		"connector of the warehouse":     {"connectors/files/a.go", self + "warehouse", "connector"},
		"domain of handlers":             {"domain/datasets/a.go", self + "handlers", "handlers and workers share"},
		"domain to the right":            {"domain/datasets/a.go", self + "domain/dashboards", "outbox event"},
		"domain to the left":             {"domain/dashboards/a.go", self + "domain/datasets", ""},
		"domain without a place":         {"domain/datasets/a.go", self + "domain/whatever", "domain/whatever has no place"},
		"new domain without a place":     {"domain/whatever/a.go", self + "domain/ids", "domain/whatever has no place"},
		"views of the database":          {"views/a.go", self + "db", "reads no database"},
		"views of the domain":            {"views/a.go", self + "domain/charts", ""},
		"views of jobs":                  {"views/a.go", self + "platform/jobs", "reads no database"},
		"handlers of the database":       {"handlers/a.go", self + "db", "one service method"},
		"handlers of the warehouse":      {"handlers/a.go", self + "warehouse", "one service method"},
		"handlers of workers":            {"handlers/a.go", self + "workers", "one service method"},
		"workers of handlers":            {"workers/a.go", self + "handlers", "one service method"},
		"cmd of everything":              {"cmd/dataflow/a.go", self + "db", ""},
		"journey of the domain":          {"e2e/a_test.go", self + "domain/ids", "from outside"},
		"bench of the domain":            {"bench/a.go", self + "domain/datasets", "ways around"},
		"a new folder":                   {"utils/a.go", self + "db", "no rule"},
		"helper of tests in the product": {"domain/datasets/a.go", self + "db/dbtest", "for tests"},
		"helper of tests in a test":      {"domain/datasets/a_test.go", self + "db/dbtest", ""},
		"helper of tests in another":     {"platform/jobs/jobstest/a.go", self + "db/dbtest", ""},
		"test across layers":             {"platform/jobs/a_test.go", self + "db", ""},
		"chi elsewhere":                  {"cmd/dataflow/a.go", "github.com/go-chi/chi/v5", "one owner, handlers"},
		"chi":                            {"handlers/a.go", "github.com/go-chi/chi/v5", ""},
		"part of chi elsewhere":          {"views/a.go", "github.com/go-chi/chi/v5/middleware", "one owner, handlers"},
		"pgx elsewhere":                  {"domain/datasets/a.go", "github.com/jackc/pgx/v5", "one owner, db"},
		"DuckDB elsewhere":               {"domain/datasets/a.go", "github.com/duckdb/duckdb-go/v2", "one owner, warehouse"},
		"asynq elsewhere":                {"workers/a.go", "github.com/hibiken/asynq", "one owner, platform/jobs"},
		"Redis elsewhere":                {"domain/datasets/a.go", "github.com/redis/go-redis/v9", "owner"},
		"exporter elsewhere":             {"cmd/dataflow/a.go", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", "one door"},
		"tracing API":                    {"db/a.go", "go.opentelemetry.io/otel/trace", ""},
		"library with a similar name":    {"cmd/dataflow/a.go", "github.com/go-chi/chimes", ""},
		"the standard library":           {"platform/blob/a.go", "net/http", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := "package a\n\nimport _ \"" + tc.imports + "\"\n"
			found, err := archtest.Check(fstest.MapFS{tc.file: {Data: []byte(source)}, "go.mod": {}})
			switch {
			case err != nil:
				t.Fatal(err)
			case tc.wrong == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case tc.wrong != "" && (len(found) != 1 || !strings.Contains(found[0].Reason, tc.wrong) || found[0].File != tc.file):
				t.Errorf("found %v, want one with %q", found, tc.wrong)
			}
		})
	}
}

func TestViewsNameNoService(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body  string
		wrong bool
	}{
		"a service": {"import \"" + archtest.Module + "/domain/datasets\"\n\nvar s *datasets.Service", true},
		"renamed":   {"import d \"" + archtest.Module + "/domain/datasets\"\n\nfunc page(s *d.Service) {}", true},
		"a value":   {"import \"" + archtest.Module + "/domain/datasets\"\n\nvar d datasets.Dataset", false},
		"its own":   {"type Service struct{}\n\nvar s Service", false},
	} {
		found, err := archtest.Check(fstest.MapFS{"views/a.go": {Data: []byte("package views\n\n" + tc.body + "\n")}})
		if err != nil || (len(found) > 0) != tc.wrong {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	bad := &fstest.MapFile{Data: []byte("package a\n\nimport _ \"" + archtest.Module + "/db\"\n")}
	found, err := archtest.Check(fstest.MapFS{
		"handlers/testdata/a.go": bad, "static/node_modules/x/a.go": bad, ".cache/a.go": bad,
		"tools/a.go": bad, "tools/go.mod": {Data: []byte("module tools\n")},
	})
	if err != nil || len(found) > 0 {
		t.Errorf("found %v, %v", found, err)
	}
}
