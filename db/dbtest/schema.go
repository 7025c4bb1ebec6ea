package dbtest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// What differs between versions of pg_dump, or says nothing about the schema.
	dumpNoise  = regexp.MustCompile(`(?m)^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)$\n?`)
	blankLines = regexp.MustCompile(`\n{3,}`)
)

// Schema is the schema after all migrations, as SQL.
func Schema(t testing.TB) string {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(bin, "pg_dump"), "--schema-only", "--no-owner", "--exclude-table=goose_db_version",
		"--exclude-table=goose_db_version_id_seq", "--dbname", URL(t))
	var problem strings.Builder
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v: %s", err, problem.String())
	}
	text := dumpNoise.ReplaceAllString(string(out), "")
	return strings.TrimSpace(blankLines.ReplaceAllString(text, "\n\n")) + "\n"
}
