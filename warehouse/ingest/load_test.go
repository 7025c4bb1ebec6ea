package ingest_test

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/xuri/excelize/v2"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// loading is what came of inspecting and loading one file.
type loading struct {
	inspection *ingest.Inspection
	loaded     *ingest.Loaded
	columns    []ingest.LoadColumn
	rejects    [][]string
}

// load inspects a file and loads it as proposed; the two must agree.
func load(t *testing.T, r *ingest.Reader, request ingest.InspectRequest, change func(*ingest.LoadRequest)) loading {
	t.Helper()
	request.Dir = t.TempDir()
	inspection, err := r.Inspect(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := loading{inspection: inspection, columns: inspection.Plan(1)}
	sameUnseen(t, r, request, inspection)
	lr := ingest.LoadRequest{
		Path: request.Path, Format: inspection.Format, Options: request.Options, Columns: l.columns,
		Dir: t.TempDir(), Records: inspection.Records, Duplicates: request.Duplicates,
	}
	for _, c := range l.columns {
		if c.Column.Name == inspection.TimeColumn {
			lr.TimeColumn = c.Column.ID
		}
		for _, k := range request.Key {
			if c.Column.Name == k {
				lr.Key = append(lr.Key, c.Column.ID)
			}
		}
	}
	for _, name := range inspection.SortedBy {
		lr.Sorted = lr.Sorted || name == inspection.TimeColumn
	}
	if change != nil {
		change(&lr)
	}
	if l.loaded, err = r.Load(t.Context(), lr, nil); err != nil {
		t.Fatal(err)
	}
	if l.loaded.Records != inspection.Records || l.loaded.RowsLoaded != inspection.WillLoad || l.loaded.RowsRejected != inspection.WillReject {
		t.Errorf("inspected %d = %d + %d, loaded %d = %d + %d", inspection.Records, inspection.WillLoad, inspection.WillReject,
			l.loaded.Records, l.loaded.RowsLoaded, l.loaded.RowsRejected)
	}
	if l.loaded.RejectsFile != "" {
		file, err := os.Open(l.loaded.RejectsFile)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if l.rejects, err = csv.NewReader(file).ReadAll(); err != nil {
			t.Fatal(err)
		}
		l.rejects = l.rejects[1:]
	}
	if int64(len(l.rejects)) != l.loaded.RowsRejected {
		t.Errorf("%d records in the rejects file, %d rejected", len(l.rejects), l.loaded.RowsRejected)
	}
	grouped := int64(0)
	for _, g := range l.loaded.Rejects {
		grouped += g.Count
	}
	if grouped != l.loaded.RowsRejected {
		t.Errorf("%d records in groups, %d rejected", grouped, l.loaded.RowsRejected)
	}
	left, err := os.ReadDir(lr.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), "tmp-") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
	return l
}

// sameUnseen inspects again for a load alone, which must be told the same.
func sameUnseen(t *testing.T, r *ingest.Reader, request ingest.InspectRequest, seen *ingest.Inspection) {
	t.Helper()
	request.Unseen, request.Dir = true, t.TempDir()
	unseen, err := r.Inspect(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(unseen.Plan(1), seen.Plan(1)) || !reflect.DeepEqual(unseen.Format, seen.Format) || unseen.Records != seen.Records ||
		unseen.TimeColumn != seen.TimeColumn || !reflect.DeepEqual(unseen.SortedBy, seen.SortedBy) || unseen.WillReject != 0 {
		t.Errorf("for a load alone: %+v, otherwise %+v", unseen, seen)
	}
}

// rows answers a query over what was loaded; {} stands for the segments.
func (l loading) rows(t *testing.T, query string) string {
	t.Helper()
	var columns []segments.Column
	for _, c := range l.columns {
		columns = append(columns, c.Column)
	}
	var paths []string
	for _, s := range l.loaded.Segments {
		paths = append(paths, s.Path)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("SET TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	query = strings.ReplaceAll(query, "{}", segments.From(columns, paths, ""))
	result, err := db.Query("SELECT COLUMNS(*)::VARCHAR FROM (" + query + ")")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	names, err := result.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for result.Next() {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := result.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if i > 0 {
				text.WriteByte('|')
			}
			text.WriteString(v.String)
		}
		text.WriteByte('\n')
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// prices is the file of the design's picture of a review.
func prices(t *testing.T) string {
	var b strings.Builder
	b.WriteString("sku,description,unit_cost,currency,valid_from,lead_time_days\n")
	for i := 1; i <= 8626; i++ {
		cost := "41.20"
		switch {
		case i%46 == 7:
			cost = "\"41,20\""
		case i%400 == 5:
			cost = "POA"
		}
		sku := fmt.Sprintf("MER-%d", i)
		if i == 5019 || i == 6000 {
			sku = "MER-12"
		}
		fmt.Fprintf(&b, "%s,Ridge shell jacket M,%s,GBP,%02d/06/2026,%d\n", sku, cost, i%28+1, i%30)
	}
	return write(t, "prices.csv", b.String())
}

func TestReview(t *testing.T) {
	r := reader(t)
	request := ingest.InspectRequest{Path: prices(t), Key: []string{"sku"}}
	l := load(t, r, request, nil)
	type group struct {
		column, reason string
		count, row     int64
		value, fix     string
	}
	var groups []group
	for _, g := range l.inspection.Rejects {
		groups = append(groups, group{g.Column, g.Text, g.Count, g.Record, g.Value, g.Fix.Text})
	}
	want := []group{
		{"unit_cost", "Comma as decimal mark", 188, 7, "41,20", "Read comma as decimal"},
		{"unit_cost", "Not a number", 21, 5, "POA", "Load as empty"},
		{"sku", "Repeats the key of line 13, which was kept", 2, 5019, "MER-12", "Keep last"},
	}
	if !reflect.DeepEqual(groups, want) {
		t.Errorf("groups\n%+v\nwant\n%+v", groups, want)
	}
	if !reflect.DeepEqual(l.inspection.Rejects, l.loaded.Rejects) {
		t.Errorf("the load rejects\n%+v\nthe inspection\n%+v", l.loaded.Rejects, l.inspection.Rejects)
	}
	if got := l.rejects[1]; !reflect.DeepEqual(got, []string{"8", "7", "unit_cost", "41,20", "comma_as_decimal", "Comma as decimal mark", "", "MER-7,Ridge shell jacket M,\"41,20\",GBP,08/06/2026,7"}) {
		t.Errorf("second reject %q", got)
	}
	// Every fix loads its group.
	for len(l.inspection.Rejects) > 0 {
		fixed := l.inspection.Rejects[0]
		fixed.Fix.Apply(&request)
		before := l.inspection.WillReject
		l = load(t, r, request, nil)
		kept := int64(0)
		if fixed.Reason == ingest.RepeatsKey {
			kept = fixed.Count // one of them is loaded, another is not
		}
		if l.inspection.WillReject != before-fixed.Count+kept {
			t.Fatalf("after %q: %d rejected, before %d", fixed.Fix.Text, l.inspection.WillReject, before)
		}
		if kept > 0 {
			break
		}
	}
	if got := l.rows(t, "SELECT count(*), count(c3), sum(c3), min(c1) FILTER (c1 = 'MER-12'), min(c6) FILTER (c1 = 'MER-12') FROM {}"); got != "8624|8603|354443.60|MER-12|0\n" {
		t.Errorf("loaded %s", got)
	}
}

func TestLoadedValues(t *testing.T) {
	text := "i,d,wide,f,b,day,ts,tz,pct,txt,zip\n" +
		"1,1.50,12345678901234567890.5,1e3,yes,2024-02-29,2024-02-29 10:00:00.5,2024-02-29T10:00:00+02:00,12%, spaced ,01\n" +
		"-2,-0.25,-1.25,2.5,no,1969-12-31,1969-12-31 23:59:59.999999,1969-12-31T23:59:59Z,0.5%,NULL,02\n" +
		",,NA,,,,,,,,\n"
	l := load(t, reader(t), ingest.InspectRequest{Path: write(t, "f", text)}, nil)
	got := l.rows(t, "SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 FROM {} ORDER BY c1 NULLS FIRST")
	want := "||||||||||\n" +
		"-2|-0.25|-1.25|2.5|false|1969-12-31|1969-12-31 23:59:59.999999|1969-12-31 23:59:59+00|0.005|NULL|02\n" +
		"1|1.50|12345678901234567890.50|1000.0|true|2024-02-29|2024-02-29 10:00:00.5|2024-02-29 08:00:00+00|0.120| spaced |01\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// Sorted by time, empty ones last, with buckets beside it.
	if got := l.rows(t, "SELECT c1 FROM {}"); got != "-2\n1\n\n" {
		t.Errorf("order %q", got)
	}
}

func TestRejectsFileIsHarmless(t *testing.T) {
	text := "n,note\n1,x\n\"=cmd|' /C calc'!A0\",\"a\nb\"\n@x,y\n"
	request := ingest.InspectRequest{Path: write(t, "f", text), Columns: []ingest.ColumnChoice{{Column: "n", Type: "integer"}}}
	l := load(t, reader(t), request, nil)
	want := [][]string{
		{"3", "2", "n", "'=cmd|' /C calc'!A0", "not_a_number", "Not a number", "", "\"=cmd|' /C calc'!A0\",\"a\nb\""},
		{"5", "3", "n", "'@x", "not_a_number", "Not a number", "", "'@x,y"},
	}
	if !reflect.DeepEqual(l.rejects, want) {
		t.Errorf("rejects %q, want %q", l.rejects, want)
	}
}

// TestEveryRecordIsAccountedFor loads generated files that are wrong in known
// places.
func TestEveryRecordIsAccountedFor(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	r := reader(t)
	for round := range 6 {
		rows := 1000 + rng.IntN(60_000)
		var text strings.Builder
		text.WriteString("id;when;amount;word\n")
		bad, sum := 0, 0
		for i := range rows {
			when := fmt.Sprintf("2024-%02d-%02d %02d:%02d:00", rng.IntN(12)+1, rng.IntN(28)+1, rng.IntN(24), rng.IntN(60))
			amount := fmt.Sprintf("%d.%02d", rng.IntN(1000), rng.IntN(100))
			word := []string{"plain", "\"semi;colon\"", "\"two\nlines\"", ""}[rng.IntN(4)]
			line := fmt.Sprintf("%d;%s;%s;%s", i, when, amount, word)
			switch rng.IntN(300) {
			case 0:
				line = fmt.Sprintf("%d;%s;oops;%s", i, when, word)
				bad++
			case 1:
				line = fmt.Sprintf("%d;%s", i, when)
				bad++
			case 2:
				line = fmt.Sprintf("%d;%s;%s;x;y", i, when, amount)
				bad++
			case 3:
				line = fmt.Sprintf("%d;2024-13-01 00:00:00;bad too;\"x\"y", i)
				bad++
			default:
				sum += i
			}
			text.WriteString(line + "\n")
		}
		l := load(t, r, ingest.InspectRequest{Path: write(t, "f", text.String())}, nil)
		if l.loaded.Records != int64(rows) || l.loaded.RowsRejected != int64(bad) {
			t.Fatalf("round %d: %d records with %d rejected, want %d with %d", round, l.loaded.Records, l.loaded.RowsRejected, rows, bad)
		}
		if got := l.rows(t, "SELECT count(*), sum(c1), count(DISTINCT c1) FROM {}"); got != fmt.Sprintf("%d|%d|%d\n", rows-bad, sum, rows-bad) {
			t.Errorf("round %d: loaded %s, want %d with sum %d", round, got, rows-bad, sum)
		}
		if got := l.rows(t, "SELECT count(*) FROM (SELECT c2, lag(c2) OVER () AS before FROM {}) WHERE c2 < before"); got != "0\n" {
			t.Errorf("round %d: %s rows out of order", round, got)
		}
	}
}

// TestTotalIsNoRow loads an export as accounting programs write it: whole
// numbers, amounts in euros, and their total in the last line.
func TestTotalIsNoRow(t *testing.T) {
	const rows = 600
	var text strings.Builder
	text.WriteString("Beleg;Datum;Filiale;Kunde;Menge;Einheit;Umsatz;Kommentar;Konto\r\n")
	for i := range rows {
		fmt.Fprintf(&text, "%d;%02d.%02d.2024;Filiale %d;K%d;%d;Stk;%d.%03d,50 €;;%d\r\n", 5000+i, 13+i%15, i%12+1, i%7, i%40, i%9, 1+i%9, i, 4400+i%3)
	}
	text.WriteString("Summe;;;;;;4.147.468,85 €;;\r\n")
	request := ingest.InspectRequest{Path: write(t, "f", text.String())}
	l := load(t, reader(t), request, nil)
	if l.inspection.Records != rows+1 || l.inspection.WillLoad != rows {
		t.Fatalf("%d of %d will load", l.inspection.WillLoad, l.inspection.Records)
	}
	total := ingest.RejectGroup{
		Reason: "looks_like_total", Text: "Looks like a total", Count: 1, Record: rows + 1, Line: rows + 2, Value: "Summe;;;;;;4.147.468,85 €;;",
		Fix: &ingest.Fix{Text: "Load it all the same", Options: &records.Options{Totals: "load"}},
	}
	for who, groups := range map[string][]ingest.RejectGroup{"the inspection": l.inspection.Rejects, "the load": l.loaded.Rejects} {
		if !reflect.DeepEqual(groups, []ingest.RejectGroup{total}) {
			t.Errorf("%s rejects %+v", who, groups)
		}
	}
	if want := []string{"602", "601", "", total.Value, total.Reason, total.Text, "", total.Value}; !reflect.DeepEqual(l.rejects, [][]string{want}) {
		t.Errorf("rejects file %q", l.rejects)
	}
	types := map[string]segments.Type{}
	for _, c := range l.inspection.Columns {
		types[c.Name] = c.Type
	}
	if types["Beleg"] != segments.Integer || types["Datum"] != segments.Date || types["Umsatz"] != segments.Decimal {
		t.Errorf("types %v", types)
	}
	if got := l.rows(t, "SELECT count(*), count(c1), max(c1), max(c7) < 10000 FROM {}"); got != "600|600|5599|true\n" {
		t.Errorf("loaded %s", got)
	}
	// With a key it is not also a record with an empty one.
	request.Key = []string{"Beleg"}
	if l = load(t, reader(t), request, nil); !reflect.DeepEqual(l.loaded.Rejects, []ingest.RejectGroup{total}) {
		t.Errorf("with a key: %+v", l.loaded.Rejects)
	}
	request.Key = nil
	l.loaded.Rejects[0].Fix.Apply(&request)
	if l = load(t, reader(t), request, nil); l.loaded.RowsLoaded+l.loaded.RowsRejected != rows+1 || l.loaded.Rejects != nil && l.loaded.Rejects[0].Reason == total.Reason {
		t.Errorf("all the same: %+v", l.loaded)
	}
}

func TestTotalOfASheetIsNoRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book")
	f := excelize.NewFile()
	defer f.Close()
	for at, row := range [][]any{{"shop", "item", "n"}, {"A", "x", 5}, {"B", "y", 6}, {"Gesamt", nil, 11}} {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", at+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := f.Write(file); err != nil {
		t.Fatal(err)
	}
	l := load(t, reader(t), ingest.InspectRequest{Path: path}, nil)
	if want := []string{"4", "3", "", "Gesamt,,11", "looks_like_total", "Looks like a total", "", "Gesamt,,11"}; !reflect.DeepEqual(l.rejects, [][]string{want}) {
		t.Errorf("rejects %q", l.rejects)
	}
	if got := l.rows(t, "SELECT count(*), sum(c3) FROM {}"); got != "2|11\n" {
		t.Errorf("loaded %s", got)
	}
}

func TestKeyTwiceInAnObject(t *testing.T) {
	request := ingest.InspectRequest{Path: write(t, "f", "{\"a\":1}\n{\"a\":2,\"a\":3}\n")}
	l := load(t, reader(t), request, nil)
	if len(l.rejects) != 1 || l.rejects[0][4] != "repeated_key" || l.rejects[0][7] != `{"a":2,"a":3}` {
		t.Errorf("rejects %q", l.rejects)
	}
	l.inspection.Rejects[0].Fix.Apply(&request)
	if l = load(t, reader(t), request, nil); l.rows(t, "SELECT sum(c1) FROM {}") != "4\n" {
		t.Errorf("fixed: %+v", l.loaded)
	}
}

func TestEveryTypeGiven(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("at,code,note,n,ok\n")
	for i := range 30_000 { // more than settle a column as text
		fmt.Fprintf(&text, "2026-01-01T00:00:%02d.25+02:00,K-%d,x\xff,%d,%t\n", i/500, i, i, i%2 == 0)
	}
	text.WriteString("2026-01-01T00:01:00Z,,,x,true\n2026-01-01 00:01:00Z,NA,,1,maybe\n")
	l := load(t, reader(t), ingest.InspectRequest{Path: write(t, "given.csv", text.String()), Options: records.Options{Encoding: "utf-8"},
		Columns: []ingest.ColumnChoice{{Column: "at", Type: "timestamptz"}, {Column: "code", Type: "text"},
			{Column: "note", Skip: true}, {Column: "n", Type: "integer"}, {Column: "ok", Type: "boolean"}}}, nil)
	if l.loaded.RowsLoaded != 30_000 || l.loaded.RowsRejected != 2 || len(l.inspection.SortedBy) != 1 {
		t.Errorf("%+v, sorted by %v", l.loaded, l.inspection.SortedBy)
	}
	if got, want := l.rows(t, "SELECT min(c1), max(c1), count(DISTINCT c2), sum(c3), count(*) FILTER (c4) FROM {}"),
		"2025-12-31 22:00:00.25+00|2025-12-31 22:00:59.25+00|30000|449985000|15000\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSortedFileIsNotSortedAgain(t *testing.T) {
	var text strings.Builder
	text.WriteString("at,n\n")
	for i := range 50_000 {
		fmt.Fprintf(&text, "2024-01-01 %02d:%02d:%02d,%d\n", i/3600, i/60%60, i%60, i)
	}
	path := write(t, "f", text.String())
	r := reader(t)
	l := load(t, r, ingest.InspectRequest{Path: path}, nil)
	if len(l.inspection.SortedBy) != 1 || l.inspection.SortedBy[0] != "at" {
		t.Fatalf("sorted by %v", l.inspection.SortedBy)
	}
	// A hint that is wrong costs time, not the order.
	shuffled := write(t, "g", strings.Replace(text.String(), "at,n\n", "at,n\n2025-01-01 00:00:00,-1\n", 1))
	l = load(t, r, ingest.InspectRequest{Path: shuffled}, func(lr *ingest.LoadRequest) { lr.Sorted = true })
	if got := l.rows(t, "SELECT last(c2) FROM {}"); got != "-1\n" || l.loaded.RowsLoaded != 50_001 {
		t.Errorf("last row %s of %d", got, l.loaded.RowsLoaded)
	}
}

func TestSamplesAndColumns(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,b,c\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d,x%d,%d\n", i, i, i%7)
	}
	request := ingest.InspectRequest{
		Path:    write(t, "f", text.String()),
		Columns: []ingest.ColumnChoice{{Column: "b", Skip: true}, {Column: "C", Rename: "day of week", Type: "decimal(18,1)"}},
	}
	l := load(t, reader(t), request, func(lr *ingest.LoadRequest) { lr.SampleFrom = 1000 })
	if len(l.columns) != 2 || l.columns[1].Column.Name != "day of week" || l.columns[1].Column.ID != 2 || l.columns[1].Position != 2 {
		t.Fatalf("columns %+v", l.columns)
	}
	s := l.loaded.Segments[0]
	if s.SampleRows < 1700 || s.SampleRows > 2300 || s.Sample == "" {
		t.Errorf("sample of %d rows", s.SampleRows)
	}
	if got := l.rows(t, "SELECT sum(c1), max(c2) FROM {}"); got != "199990000|6.0\n" {
		t.Errorf("loaded %s", got)
	}
	small := load(t, reader(t), request, func(lr *ingest.LoadRequest) { lr.Records = 0 })
	if s := small.loaded.Segments[0]; s.Sample != "" || len(small.loaded.Segments) != 1 {
		t.Errorf("a small load has a sample: %+v", s)
	}
}

func TestKeys(t *testing.T) {
	text := "k,part,v\n1,a,first\n1,b,x\n,a,nokey\n1,a,second\n2,a,bad\n1,a,third\n"
	path := write(t, "f", text)
	r := reader(t)
	first := load(t, r, ingest.InspectRequest{Path: path, Key: []string{"k", "part"}}, nil)
	if got := first.rows(t, "SELECT c3 FROM {} ORDER BY ALL"); got != "bad\nfirst\nx\n" {
		t.Errorf("first kept: %q", got)
	}
	last := load(t, r, ingest.InspectRequest{Path: path, Key: []string{"k", "part"}, Duplicates: "last"}, nil)
	if got := last.rows(t, "SELECT c3 FROM {} ORDER BY ALL"); got != "bad\nthird\nx\n" {
		t.Errorf("last kept: %q", got)
	}
	// A record that cannot be loaded does not take the key of one that can.
	text = "k,v\n1,oops\n1,2\n" + strings.Repeat("", 0)
	l := load(t, r, ingest.InspectRequest{Path: write(t, "g", text), Key: []string{"k"}, Columns: []ingest.ColumnChoice{{Column: "v", Type: "integer"}}}, nil)
	if got := l.rows(t, "SELECT c1, c2 FROM {}"); got != "1|2\n" || l.loaded.Rejects[0].Reason != ingest.NotANumber {
		t.Errorf("loaded %q, rejects %+v", got, l.loaded.Rejects)
	}
	_, err := r.Inspect(t.Context(), ingest.InspectRequest{Path: path, Dir: t.TempDir(), Key: []string{"nope"}}, nil)
	if !errors.Is(err, ingest.ErrUnknownColumn) {
		t.Errorf("unknown key: %v", err)
	}
}

func TestEncodingIsFoundBehindTheHead(t *testing.T) {
	text := "id,name\n" + strings.Repeat("1,plain\n", 100_000) + "2,caf\xe9\n3,\x93quoted\x94\n"
	l := load(t, reader(t), ingest.InspectRequest{Path: write(t, "f", text)}, nil)
	if l.inspection.Format.Encoding != "windows-1252" || l.loaded.RowsRejected != 0 {
		t.Fatalf("read as %s, %d rejected", l.inspection.Format.Encoding, l.loaded.RowsRejected)
	}
	if got := l.rows(t, "SELECT c2 FROM {} WHERE c1 > 1 ORDER BY c1"); got != "café\n“quoted”\n" {
		t.Errorf("loaded %q", got)
	}
	// Where most of it is UTF-8, the one broken cell is rejected.
	text = "id,name\n" + strings.Repeat("1,über\n", 100_000) + "2,caf\xe9\n3,n\x00l\n"
	l = load(t, reader(t), ingest.InspectRequest{Path: write(t, "g", text)}, nil)
	if l.inspection.Format.Encoding != "utf-8" || l.loaded.RowsRejected != 2 || l.rejects[0][0] != "100002" || l.rejects[0][4] != ingest.InvalidText || l.rejects[1][4] != ingest.NULByte {
		t.Errorf("read as %s, rejects %q", l.inspection.Format.Encoding, l.rejects)
	}
}

func TestRefusedRequests(t *testing.T) {
	path := write(t, "f", "a,b\n1,2\n")
	r := reader(t)
	for name, tc := range map[string]struct {
		request ingest.InspectRequest
		want    error
	}{
		"unknown column": {ingest.InspectRequest{Columns: []ingest.ColumnChoice{{Column: "x"}}}, ingest.ErrUnknownColumn},
		"bad type":       {ingest.InspectRequest{Columns: []ingest.ColumnChoice{{Column: "a", Type: "number"}}}, ingest.ErrBadType},
		"same name":      {ingest.InspectRequest{Columns: []ingest.ColumnChoice{{Column: "a", Rename: "B"}}}, ingest.ErrRepeatedName},
		"nothing left":   {ingest.InspectRequest{Columns: []ingest.ColumnChoice{{Column: "a", Skip: true}, {Column: "b", Skip: true}}}, ingest.ErrNoColumns},
		"empty file":     {ingest.InspectRequest{Path: write(t, "g", "")}, files.ErrEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.request.Path == "" {
				tc.request.Path = path
			}
			tc.request.Dir = t.TempDir()
			if _, err := r.Inspect(t.Context(), tc.request, nil); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
	columns := []ingest.LoadColumn{{Position: 0, Source: "other", Column: segments.Column{ID: 1, Name: "a", Type: segments.Integer}}}
	_, err := r.Load(t.Context(), ingest.LoadRequest{Path: path, Columns: columns, Dir: t.TempDir()}, nil)
	if !errors.Is(err, ingest.ErrFileChanged) {
		t.Errorf("changed file: %v", err)
	}
}

func TestHeaderOnly(t *testing.T) {
	l := load(t, reader(t), ingest.InspectRequest{Path: write(t, "f", "a,b\n")}, nil)
	if l.loaded.Records != 0 || len(l.loaded.Segments) != 0 || l.inspection.Notes[0].Code != ingest.NoteHeaderOnly {
		t.Errorf("loaded %+v, notes %+v", l.loaded, l.inspection.Notes)
	}
}

// Names that could be values are said, unless somebody has said that they are
// names.
func TestHeaderInDoubt(t *testing.T) {
	yes := true
	for name, c := range map[string]struct {
		text   string
		header *bool
		want   bool
	}{
		"years":  {"country,2019,2020\nFR,1,2\n", nil, true},
		"told":   {"country,2019,2020\nFR,1,2\n", &yes, false},
		"words":  {"country,sales\nFR,1\n", nil, false},
		"a day":  {"1-2,x\n3,y\n4,z\n", nil, true},
		"no one": {"FR,1\nDE,2\n", nil, false},
	} {
		l := load(t, reader(t), ingest.InspectRequest{Path: write(t, "f", c.text), Options: records.Options{Header: c.header}}, nil)
		said := slices.ContainsFunc(l.inspection.Notes, func(n ingest.Note) bool { return n.Code == ingest.NoteHeaderDoubt })
		if said != c.want {
			t.Errorf("%s: %+v", name, l.inspection.Notes)
		}
	}
}

func TestProgressAndPreview(t *testing.T) {
	text := "a,b\n" + strings.Repeat("1,two\n", 200_000)
	var last ingest.Progress
	r := &ingest.Reader{Open: files.Open}
	path := write(t, "f", text)
	inspection, err := r.Inspect(t.Context(), ingest.InspectRequest{Path: path, Dir: t.TempDir(), PreviewRows: 3}, func(p ingest.Progress) { last = p })
	if err != nil {
		t.Fatal(err)
	}
	if last.Rows != 200_000 || last.BytesRead != int64(len(text)) || last.BytesTotal != int64(len(text)) || last.Phase != "reading" {
		t.Errorf("last progress %+v", last)
	}
	if !reflect.DeepEqual(inspection.Preview, [][]string{{"1", "two"}, {"1", "two"}, {"1", "two"}}) {
		t.Errorf("preview %q", inspection.Preview)
	}
}

func TestParquet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`COPY (SELECT i::UBIGINT * 18446744073709551 AS u, i::HUGEINT AS h, i::TINYINT AS tiny, i / 7 AS f,
		(i * 1.25)::DECIMAL(9,2) AS dec, i % 2 = 0 AS b, DATE '2024-01-01' + i::INTEGER AS day,
		TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS ns, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS tz, TIME '10:20:30' AS tm,
		[i, i + 1] AS list, {'x': i} AS st, 'word' || i AS word, '0' || i AS code, '2024-01-0' || (i % 9 + 1) || ' 10:00:00' AS seen,
		CASE WHEN i = 3 THEN NULL ELSE i END AS gap, 'a'::ENUM('a', 'b') AS en, uuid() AS id, 'x\x00'::BLOB AS bin
		FROM range(0, 100) r(i)) TO '` + path + `' (FORMAT parquet)`)
	if err != nil {
		t.Fatal(err)
	}
	l := load(t, reader(t), ingest.InspectRequest{Path: path}, nil)
	var kinds []string
	for _, c := range l.inspection.Columns {
		kinds = append(kinds, c.Name+" "+string(c.Type))
	}
	want := "u decimal|h float|tiny integer|f float|dec decimal|b boolean|day date|ns timestamp|tz timestamptz|tm text|list text|st text|word text|code text|seen timestamp|gap integer|en text|id text|bin text"
	if got := strings.Join(kinds, "|"); got != want {
		t.Errorf("types %s, want %s", got, want)
	}
	got := l.rows(t, "SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17 FROM {} WHERE c3 IN (3, 99)")
	if want := "55340232221128653|3.0|3|0.42857142857142855|3.75|false|2024-01-04|2024-01-01 00:00:00.123456|2023-12-31 22:00:00+00|10:20:30|[3,4]|{\"x\":3}|word3|03|2024-01-04 10:00:00||a\n"; !strings.HasPrefix(got, want) {
		t.Errorf("rows %s, want %s", got, want)
	}
	if l.loaded.RowsLoaded != 100 {
		t.Errorf("%d rows", l.loaded.RowsLoaded)
	}
}

// A file that lies about itself is refused; it does not bring the process down.
func TestParquetThatLies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("COPY (SELECT i, 'text ' || i AS s FROM range(0, 5000) r(i)) TO '" + path + "' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := reader(t)
	for name, change := range map[string]func([]byte) []byte{
		"cut short":        func(b []byte) []byte { return b[:len(b)/2] },
		"no footer":        func(b []byte) []byte { return b[:8] },
		"a wild length":    func(b []byte) []byte { copy(b[len(b)-8:], "\xff\xff\xff\x7f"); return b },
		"another length":   func(b []byte) []byte { copy(b[len(b)-8:], "\x10\x00\x00\x00"); return b },
		"a wild footer":    func(b []byte) []byte { copy(b[len(b)-60:], strings.Repeat("\xee", 40)); return b },
		"a wild data page": func(b []byte) []byte { copy(b[10:], strings.Repeat("\xee", 400)); return b },
	} {
		t.Run(name, func(t *testing.T) {
			broken := write(t, "f", string(change([]byte(string(whole)))))
			_, err := r.Inspect(t.Context(), ingest.InspectRequest{Path: broken, Dir: t.TempDir()}, nil)
			if !errors.Is(err, ingest.ErrBadParquet) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A record whose key comes again is told by the lines that people see, of text
// above the header and within quotes too.
func TestRepeatedKeyLines(t *testing.T) {
	plain := "a,b\nx,1\ny,2\nz,3\nx,4\nx,5\n"
	broken := "Export of Monday\n\na,b\nx,\"1\n1\"\ny,2\nx,\"4\n4\n4\"\nx,5\n"
	for name, tc := range map[string]struct {
		text, keep string
		want       []string // line: message
	}{
		"the last is kept":     {plain, "last", []string{"2: Comes again in line 6, which was kept", "5: Comes again in line 6, which was kept"}},
		"the first is kept":    {plain, "", []string{"5: Repeats the key of line 2, which was kept", "6: Repeats the key of line 2, which was kept"}},
		"a late header, last":  {broken, "last", []string{"4: Comes again in line 10, which was kept", "7: Comes again in line 10, which was kept"}},
		"a late header, first": {broken, "", []string{"7: Repeats the key of line 4, which was kept", "10: Repeats the key of line 4, which was kept"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := ingest.InspectRequest{Path: write(t, "k.csv", tc.text), Key: []string{"a"}, Duplicates: tc.keep}
			l := load(t, reader(t), request, nil)
			var got []string
			for _, r := range l.rejects {
				if r[4] == ingest.RepeatsKey {
					got = append(got, r[0]+": "+r[5])
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("rejected %q, want %q", got, tc.want)
			}
			for _, g := range l.loaded.Rejects {
				if g.Reason == ingest.RepeatsKey && (g.Fix != nil) != (tc.keep == "") {
					t.Errorf("offers %+v", g.Fix)
				}
			}
		})
	}
}
