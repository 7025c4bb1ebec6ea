package warehouse

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// summaryDataset has two large segments of 60 days and a small one.
func summaryDataset(f *fixture) *Dataset {
	part := func(from, n int) string {
		return fmt.Sprintf(`SELECT TIMESTAMPTZ '2024-02-01 00:00:00+00' + INTERVAL (%d + i %% 86400) MINUTE AS "at",
			CASE WHEN i %% 11 = 0 THEN NULL ELSE 'k' || (i %% 7) END AS kind, CASE WHEN i %% 13 = 0 THEN NULL ELSE i %% 1000 END AS n,
			9007199254740993 AS big, (i %% 1000) / 8 AS price FROM range(%d) t(i)`, from, n)
	}
	return f.dataset("events", "at timestamptz, kind text, n integer, big integer, price decimal(12,3)",
		part(0, 300_000), part(80_000, 280_000), part(100_000, 1000))
}

// summaryEngine makes summaries of whatever is asked, and made waits for them.
func summaryEngine(t *testing.T, f *fixture) (e *Engine, made func()) {
	e = f.engine(func(c *Config) { c.CacheBytes = 1 })
	e.kept.minRows, e.kept.slowGroups = 100_000, -1
	return e, func() {
		t.Helper()
		waitFor(t, e.kept.idle)
	}
}

// idle tells whether there is nothing to make.
func (k *keptFiles) idle() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open == 0
}

func TestSummariesAnswerOtherSpans(t *testing.T) {
	f := newFixture(t)
	ds := summaryDataset(f)
	full := f.engine(func(c *Config) { c.KeptBytes = -1 })
	e, made := summaryEngine(t, f)
	spec := func(shape, from, to string) string {
		return fmt.Sprintf(`{"dataset":"events","timezone":"America/New_York","filters":[{"column":"at","op":"between","from":%q,"to":%q},{"column":"n","op":"<","values":[900]}],%s}`, from, to, shape)
	}
	shapes := map[string]string{
		"figures":    `"measures":[{"fn":"count","as":"rows"},{"fn":"sum","column":"big","as":"s"},{"fn":"avg","column":"price","as":"p"},{"fn":"max","column":"at","as":"newest"}]`,
		"days":       `"measures":[{"fn":"sum","column":"n","as":"s"},{"fn":"min","column":"price","as":"m"}],"dimensions":[{"column":"at","grain":"day","as":"day"}],"comparison":{"period":"previous"}`,
		"hours":      `"measures":[{"fn":"count","column":"n","as":"c"}],"dimensions":[{"column":"at","grain":"hour_of_day","as":"hour"}]`,
		"other":      `"measures":[{"fn":"sum","column":"n","as":"s"}],"dimensions":[{"column":"kind"}],"limit":3,"other":true`,
		"weeks":      `"measures":[{"fn":"count","as":"c"}],"dimensions":[{"column":"at","grain":"week","as":"week"},{"column":"kind"}]`,
		"by its own": `"measures":[{"fn":"count","as":"c"}],"dimensions":[{"column":"kind"}],"order":[{"by":"c","desc":true}]`,
	}
	spans := [][2]string{{"2024-02-10", "2024-03-20"}, {"2024-03-01", "2024-03-09"}, {"2024-03-10", "2024-03-10"}, {"2024-01-01", "2025-01-01"}}
	for name, shape := range shapes {
		run(t, e, ds, spec(shape, spans[0][0], spans[0][1]))
		run(t, e, ds, spec(shape, spans[3][0], spans[3][1])) // the segments that the first did not touch
		made()
		before := counterOf(e, "summary")
		for _, span := range spans {
			text := spec(shape, span[0], span[1])
			if got, want := run(t, e, ds, text), run(t, full, ds, text); got != want {
				t.Errorf("%s from %s to %s\ngot  %s\nwant %s", name, span[0], span[1], got, want)
			}
		}
		if n := counterOf(e, "summary") - before; n != float64(len(spans)) {
			t.Errorf("%s: %v of %d from summaries", name, n, len(spans))
		}
		// Part of a day does not follow from days.
		text := spec(shape, "2024-02-10", "2024-03-20T11:07:00")
		if got, want := run(t, e, ds, text), run(t, full, ds, text); got != want {
			t.Errorf("%s up to noon\ngot  %s\nwant %s", name, got, want)
		}
	}

	// An append leaves them of use, and is in the answer.
	ds.Version, ds.Segments = 2, append(ds.Segments, f.segment(ds, `SELECT TIMESTAMPTZ '2024-03-05 12:00:00+00' AS "at", 'new' AS kind, 5 AS n, 1 AS big, 2.5 AS price FROM range(50)`))
	before := counterOf(e, "summary")
	text := spec(shapes["by its own"], spans[1][0], spans[1][1])
	if got, want := run(t, e, ds, text), run(t, full, ds, text); got != want {
		t.Errorf("after an append\ngot  %s\nwant %s", got, want)
	}
	if counterOf(e, "summary") != before+1 {
		t.Error("after an append all rows were read again")
	}

	// Without a span they are for the next version.
	whole := `{"dataset":"events","measures":[{"fn":"sum","column":"n","as":"s"}],"dimensions":[{"column":"at","grain":"day","as":"day"}]}`
	for range 3 {
		ds.Version, ds.Segments = ds.Version+1, append(ds.Segments, f.segment(ds, `SELECT TIMESTAMPTZ '2024-03-05 12:00:00+00' AS "at", 'new' AS kind, 5 AS n, 1 AS big, 2.5 AS price FROM range(50)`))
		before = counterOf(e, "summary")
		if got, want := run(t, e, ds, whole), run(t, full, ds, whole); got != want {
			t.Errorf("version %d\ngot  %s\nwant %s", ds.Version, got, want)
		}
		if ds.Version == 4 {
			made()
		}
	}
	if counterOf(e, "summary") != before+1 {
		t.Error("the third version was not answered from summaries")
	}

	// Those that somebody asked for a moment ago stay, the others go.
	files, _ := os.ReadDir(e.work.Join("kept"))
	e.kept.expire(time.Now().Add(-time.Minute))
	if left, err := os.ReadDir(e.work.Join("kept")); err != nil || len(left) == 0 || len(left) != len(files) {
		t.Errorf("%d files of %d are left: %v", len(left), len(files), err)
	}
	e.kept.expire(time.Now())
	if left, err := os.ReadDir(e.work.Join("kept")); err != nil || len(left) > 0 {
		t.Errorf("%d files are left: %v", len(left), err)
	}
	// Files may go at any moment.
	if err := os.RemoveAll(e.work.Join("kept")); err != nil {
		t.Fatal(err)
	}
	ds.Version++
	if got, want := run(t, e, ds, text), run(t, full, ds, text); got != want {
		t.Errorf("without the files\ngot  %s\nwant %s", got, want)
	}
}

// TestNothingFromSummaries asks for days without a row: a count of nothing is 0
// from wherever the answer comes.
func TestNothingFromSummaries(t *testing.T) {
	f := newFixture(t)
	ds := summaryDataset(f)
	full := f.engine(func(c *Config) { c.KeptBytes = -1 })
	e, made := summaryEngine(t, f)
	spec := func(from, to time.Time) string {
		return fmt.Sprintf(`{"dataset":"events","measures":[{"fn":"count","as":"rows"},{"fn":"count","column":"n","as":"c"},{"fn":"sum","column":"n","as":"s"},{"fn":"max","column":"n","as":"m"}],"filters":[{"column":"at","op":"between","from":%q,"to":%q},{"column":"n","op":"=","values":[7]},{"column":"kind","op":"=","values":["k3"]}]}`,
			from.Format(time.DateOnly), to.Format(time.DateOnly))
	}
	day := time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	run(t, e, ds, spec(day, day.AddDate(0, 0, 80)))
	run(t, e, ds, spec(day, day.AddDate(0, 0, 90)))
	made()
	before, nothing := counterOf(e, "summary"), 0
	for range 60 {
		text := spec(day, day)
		got, want := run(t, e, ds, text), run(t, full, ds, text)
		if got != want {
			t.Errorf("on %s\ngot  %s\nwant %s", day.Format(time.DateOnly), got, want)
		}
		if strings.Contains(want, "[[0,0,null,null]]") {
			nothing++
		}
		day = day.AddDate(0, 0, 1)
	}
	if nothing < 10 || counterOf(e, "summary") != before+60 {
		t.Errorf("%d days without rows, %v answers from summaries", nothing, counterOf(e, "summary")-before)
	}
}

// TestSummariesAreOfOneView asks as people with other rules: nobody is answered
// from the rows that another may see.
func TestSummariesAreOfOneView(t *testing.T) {
	f := newFixture(t)
	ds := summaryDataset(f)
	e, made := summaryEngine(t, f)
	text := `{"dataset":"events","filters":[{"column":"at","op":"between","from":"2024-02-10","to":"2024-03-20"}],"measures":[{"fn":"sum","column":"n","as":"s"}]}`
	counts := map[string]string{}
	for range 2 {
		for _, kind := range []string{"", "k1", "k2"} {
			view := *ds
			if kind != "" {
				view.Policy = NewPolicy(Policy{Rows: []RowRule{{Column: 2, Filter: Filter{Op: "in", Values: raws(fmt.Sprintf("%q", kind))}}}})
			}
			got := run(t, e, &view, text)
			made()
			if known, ok := counts[kind]; ok && known != got {
				t.Errorf("as %q: %s, before %s", kind, got, known)
			}
			counts[kind] = got
		}
	}
	if counts[""] == counts["k1"] || counts["k1"] == counts["k2"] {
		t.Errorf("others' rows: %v", counts)
	}
	if n := counterOf(e, "summary"); n != 3 {
		t.Errorf("%v answers from summaries, want 3", n)
	}
}

// TestSummariesMustPay keeps none that is about as large as its segment.
func TestSummariesMustPay(t *testing.T) {
	f := newFixture(t)
	ds := summaryDataset(f)
	e, made := summaryEngine(t, f)
	text := `{"dataset":"events","filters":[{"column":"at","op":"between","from":"2024-02-10","to":%q}],"measures":[{"fn":"count","as":"c"}],"dimensions":[{"column":"n"},{"column":"kind"}]}`
	for day := range 3 {
		run(t, e, ds, fmt.Sprintf(text, time.Date(2024, 3, 20+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)))
		made()
	}
	if n := counterOf(e, "summary"); n != 0 || e.kept.bytes != 0 {
		t.Errorf("%v answers from summaries of %d bytes", n, e.kept.bytes)
	}
}
