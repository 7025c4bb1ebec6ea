package sandbox_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/sandbox"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// The test binary is its own child.
func TestMain(m *testing.M) {
	sandbox.ServeIfChild(files.Open)
	os.Exit(m.Run())
}

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWalls has a child try everything it must not be able to do.
func TestWalls(t *testing.T) {
	t.Setenv("SECRET", "not for children")
	input, dir := write(t, "granted"), t.TempDir()
	inside := filepath.Join(dir, "inside")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for name, tc := range map[string]struct {
		action, target string
		want           string // how the outcome begins
	}{
		"the input can be read":              {"read", input, "done 7 bytes"},
		"the input cannot be written":        {"write", input, "refused: open " + input + ": permission denied"},
		"the input cannot be removed":        {"remove", input, "refused"},
		"the directory can be written":       {"write", inside, "done"},
		"the directory can be listed":        {"list", dir, "done"},
		"other files cannot be read":         {"read", "/etc/passwd", "refused: open /etc/passwd: permission denied"},
		"other files cannot be written":      {"write", elsewhere, "refused"},
		"other directories cannot be listed": {"list", filepath.Dir(input), "refused"},
		"the root cannot be listed":          {"list", "/", "refused"},
		"processes cannot be looked at":      {"read", "/proc/1/environ", "refused"},
		"no local socket":                    {"socket", "", "refused: operation not permitted"},
		"no network":                         {"inet", "", "refused: operation not permitted"},
		"no other program":                   {"exec", "/bin/true", "refused"},
		"no child":                           {"start", "/bin/true", "refused"},
		"no tracing":                         {"ptrace", "", "refused: operation not permitted"},
		"no signals":                         {"kill", "", "refused: operation not permitted"},
		"limits stay":                        {"raise", "", "refused"},
		"no environment":                     {"environment", "", "done"},
		"no descriptors":                     {"descriptors", "", "done"},
		"no more memory":                     {"native memory", "", "refused after"},
		"no larger file":                     {"grow", filepath.Join(dir, "large"), "refused: write " + filepath.Join(dir, "large") + ": file too large"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &sandbox.Client{MemoryLimit: 600 << 20, MaxOutput: 8 << 20}
			got, err := client.Try(t.Context(), sandbox.Probe{Read: input, Dir: dir, Action: tc.action, Target: tc.target}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want && (tc.want == "done" || !strings.HasPrefix(got, tc.want)) && !(tc.action == "list" && strings.HasPrefix(got, tc.want)) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	if _, err := os.Stat(elsewhere); !os.IsNotExist(err) {
		t.Errorf("a file outside exists: %v", err)
	}
	if left, err := os.ReadFile(input); err != nil || string(left) != "granted" {
		t.Errorf("the input is now %q, %v", left, err)
	}
}

// A descriptor that is open in the parent does not reach the child, even where
// it was not marked to be closed.
func TestInheritedDescriptorsAreClosed(t *testing.T) {
	file, err := os.Open(write(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	leak(t, file)
	client := &sandbox.Client{}
	got, err := client.Try(t.Context(), sandbox.Probe{Read: write(t, ""), Dir: t.TempDir(), Action: "descriptors"}, time.Minute)
	if err != nil || got != "done" {
		t.Errorf("open in the child: %q, %v", got, err)
	}
}

func TestMemoryBombIsKilled(t *testing.T) {
	client := &sandbox.Client{MemoryLimit: 600 << 20}
	_, err := client.Try(t.Context(), sandbox.Probe{Read: write(t, ""), Dir: t.TempDir(), Action: "memory"}, time.Minute)
	if !errors.Is(err, sandbox.ErrReaderDied) {
		t.Errorf("error %v", err)
	}
}

func TestEndlessWorkIsKilled(t *testing.T) {
	client := &sandbox.Client{}
	_, err := client.Try(t.Context(), sandbox.Probe{Read: write(t, ""), Dir: t.TempDir(), Action: "loop"}, 2*time.Second)
	if !errors.Is(err, sandbox.ErrTimeout) {
		t.Errorf("error %v", err)
	}
}

func TestCancelledChildIsKilled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody pressed cancel")
	dir := t.TempDir()
	text := "a,b\n" + strings.Repeat("1,some text that is repeated\n", 3_000_000)
	columns := []ingest.LoadColumn{
		{Position: 0, Source: "a", Column: segments.Column{ID: 1, Name: "a", Type: segments.Integer}},
		{Position: 1, Source: "b", Column: segments.Column{ID: 2, Name: "b", Type: segments.Text}},
	}
	var calls atomic.Int64
	_, err := (&sandbox.Client{}).Load(ctx, ingest.LoadRequest{Path: write(t, text), Dir: dir, Columns: columns}, func(p ingest.Progress) {
		if calls.Add(1) == 1 {
			cancel(why)
		}
	})
	if !errors.Is(err, why) {
		t.Errorf("error %v after %d reports", err, calls.Load())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// load inspects and loads a file as proposed.
func load(t testing.TB, c *sandbox.Client, path, dir string) (*ingest.Inspection, *ingest.Loaded, error) {
	inspection, err := c.Inspect(t.Context(), ingest.InspectRequest{Path: path, Dir: t.TempDir()}, nil)
	if err != nil {
		return nil, nil, err
	}
	request := ingest.LoadRequest{Path: path, Dir: dir, Format: inspection.Format, Columns: inspection.Plan(1), Records: inspection.Records}
	for _, column := range request.Columns {
		if column.Column.Name == inspection.TimeColumn {
			request.TimeColumn = column.Column.ID
		}
	}
	loaded, err := c.Load(t.Context(), request, nil)
	return inspection, loaded, err
}

func TestLoadInChild(t *testing.T) {
	var text strings.Builder
	text.WriteString("at,n,s\n")
	for i := range 100_000 {
		fmt.Fprintf(&text, "2024-01-%02d,%d,\"text, %d\"\n", 28-i%28, i, i)
	}
	text.WriteString("2024-01-01,oops,x\n")
	dir := t.TempDir()
	inspection, loaded, err := load(t, &sandbox.Client{}, write(t, text.String()), dir)
	if err != nil {
		t.Fatal(err)
	}
	if inspection.WillReject != 1 || loaded.RowsLoaded != 100_000 || loaded.RowsRejected != 1 || loaded.Rejects[0].Fix.Text != "Load as empty" {
		t.Errorf("inspection %+v, loaded %+v", inspection, loaded)
	}
	if r := loaded.Segments[0].Stats[2]; r.Min != int64(0) || r.Max != int64(99_999) {
		t.Errorf("stats %+v", r)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v, %v", entries, err)
	}
}

// A child that a hostile file took over may say what it likes: the files that it
// names must be its own, and what it says has an end.
func TestChildThatLies(t *testing.T) {
	secret, dir := write(t, "master key"), t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"rejects of somebody else":    `echo '{"loaded":{"rejects_file":"` + secret + `"}}'`,
		"a segment of somebody else":  `echo '{"loaded":{"segments":[{"path":"` + secret + `","rows":1}]}}'`,
		"a sample of somebody else":   `echo '{"loaded":{"segments":[{"path":"","sample":"` + dir + "/../" + filepath.Base(filepath.Dir(secret)) + `/file"}]}}'`,
		"a link to somebody's":        `echo '{"loaded":{"rejects_file":"` + link + `"}}'`,
		"its own directory":           `echo '{"loaded":{"rejects_file":"` + dir + `/."}}'`,
		"a file that is not there":    `echo '{"loaded":{"rejects_file":"` + dir + `/none"}}'`,
		"a message without an end":    `exec tr '\\0' x </dev/zero`,
		"an inspection's rejects too": `echo '{"inspection":{"rejects_file":"` + secret + `"}}'`,
	} {
		t.Run(name, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "child")
			if err := os.WriteFile(script, []byte("#!/bin/sh\nPATH=/bin:/usr/bin\n"+says+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			c := &sandbox.Client{Executable: script}
			var err error
			if strings.Contains(says, "inspection") {
				_, err = c.Inspect(t.Context(), ingest.InspectRequest{Path: secret, Dir: dir}, nil)
			} else {
				_, err = c.Load(t.Context(), ingest.LoadRequest{Path: secret, Dir: dir}, nil)
			}
			if !errors.Is(err, sandbox.ErrReaderDied) {
				t.Errorf("error %v", err)
			}
			if text, err := os.ReadFile(secret); err != nil || string(text) != "master key" {
				t.Errorf("the other file: %q, %v", text, err)
			}
			// An error empties the directory.
			if err := os.Symlink(secret, link); err != nil && !errors.Is(err, os.ErrExist) {
				t.Fatal(err)
			}
		})
	}
}

// Every bad input has a code of its own, leaves nothing behind and costs only
// the child.
func TestBadInput(t *testing.T) {
	gzipped := func(text string, times int) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		for range times {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, tc := range map[string]struct {
		text string
		want *apperr.Kind
	}{
		"empty":                     {"", files.ErrEmpty},
		"a 100 MB line":             {"a,b\n1,2\n" + strings.Repeat("x", 100<<20) + "\n3,4\n", files.ErrLineTooLong},
		"a bomb":                    {gzipped(strings.Repeat("1,2\n", 1<<18), 100), files.ErrTooLargeExpanded},
		"a program called .csv":     {"\x7fELF\x02\x01\x01" + strings.Repeat("\x00\x01\x02", 1000), files.ErrNotText},
		"half an archive":           {gzipped("a,b\n1,2\n", 100)[:20], files.ErrBadArchive},
		"a Parquet file that lies":  {"PAR1" + strings.Repeat("\x15\x04", 500) + "\xe0\x01\x00\x00PAR1", ingest.ErrBadParquet},
		"a workbook that is broken": {"PK\x03\x04" + strings.Repeat("\x00", 100), files.ErrBadXLSX},
		"an old workbook":           {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", files.ErrOldSpreadsheet},
		"JSON that is cut":          {`[{"a":1},{"a":`, files.ErrBadJSON},
		"a list of nothing":         {`[]`, files.ErrNoRecords},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := (&sandbox.Client{}).Inspect(t.Context(), ingest.InspectRequest{Path: write(t, tc.text), Dir: dir}, nil)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %s", err, tc.want.Code())
			}
			if public := apperr.Describe(err); public.Sentence == "" || public.Code != tc.want.Code() {
				t.Errorf("shown as %+v", public)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A limit on the size of files stands in for a full disk: both the writing of
// segments and the spilling of rows meet it.
func TestDiskFull(t *testing.T) {
	var text strings.Builder
	text.WriteString("at,n,s\n")
	for i := range 400_000 {
		fmt.Fprintf(&text, "2024-01-%02d,%d,%x some text that does not repeat %x\n", 28-i%28, i*7919, i*104729, i*15485863)
	}
	path := write(t, text.String())
	dir := t.TempDir()
	_, _, err := load(t, &sandbox.Client{MaxOutput: 1 << 20}, path, dir)
	if !errors.Is(err, segments.ErrDiskFull) {
		t.Fatalf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Where a wall cannot be raised nothing is read, unless an operator says so.
func TestUnconfined(t *testing.T) {
	// A path that is not absolute cannot be walled in.
	relative := "testdata/one.csv"
	request := ingest.InspectRequest{Path: relative, Dir: t.TempDir()}
	_, err := (&sandbox.Client{}).Inspect(t.Context(), request, nil)
	if !errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	_, err = (&sandbox.Client{AllowUnconfined: true}).Inspect(t.Context(), request, nil)
	if err == nil || errors.Is(err, sandbox.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

func TestChildThatCannotStart(t *testing.T) {
	client := &sandbox.Client{Executable: filepath.Join(t.TempDir(), "missing")}
	_, err := client.Inspect(t.Context(), ingest.InspectRequest{Path: write(t, "a\n1\n"), Dir: t.TempDir()}, nil)
	if err == nil {
		t.Error("no error")
	}
	client.Executable = "/bin/false"
	_, err = client.Inspect(t.Context(), ingest.InspectRequest{Path: write(t, "a\n1\n"), Dir: t.TempDir()}, nil)
	if !errors.Is(err, sandbox.ErrReaderDied) {
		t.Errorf("error %v", err)
	}
}

func TestOptionsReachTheChild(t *testing.T) {
	inspection, err := (&sandbox.Client{}).Inspect(t.Context(), ingest.InspectRequest{
		Path: write(t, "a:b\n1:2\n"), Dir: t.TempDir(), Options: records.Options{Delimiter: ":"},
	}, nil)
	if err != nil || len(inspection.Columns) != 2 {
		t.Errorf("inspection %+v, %v", inspection, err)
	}
}
