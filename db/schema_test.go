package db_test

import (
	"flag"
	"os"
	"testing"

	"github.com/dataflowhq/dataflow/db/dbtest"
)

var update = flag.Bool("update", false, "write schema.sql")

const schemaHead = `-- The schema after all migrations. Written by: go test ./db -run TestSchemaDump -update

`

// TestSchemaDump keeps schema.sql true, so that a change of the schema can be
// read in one piece.
func TestSchemaDump(t *testing.T) {
	t.Parallel()
	got := schemaHead + dbtest.Schema(t)
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("schema.sql is not what the migrations make; run: go test ./db -run TestSchemaDump -update")
	}
}
