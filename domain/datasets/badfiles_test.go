package datasets_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// badFile is what a file that is not in order comes to.
type badFile struct {
	content string
	code    string // of the refusal; empty where it is loaded
	// loaded + rejected are the file's records; reasons has those of the
	// rejects, and names the columns.
	loaded, rejected int64
	reasons, names   string
}

func badFiles(t *testing.T) map[string]badFile {
	parquet := parquetFile(t)
	footer := len(parquet) - 8 - int(binary.LittleEndian.Uint32([]byte(parquet[len(parquet)-8:])))
	// The count of the file comes first, then those of the columns' values, and
	// that of the only row group last.
	lastRows := strings.LastIndex(parquet, parquetRows(5000))
	if strings.Count(parquet[footer:], parquetRows(5000)) != 4 {
		t.Fatal("the footer of the Parquet file is not as it was")
	}
	return map[string]badFile{
		"an empty file":             {content: "", code: "files.empty"},
		"blank lines":               {content: "\n \n\r\n", code: "files.empty"},
		"one column":                {content: "name\nAnn\nBob\n", loaded: 2, names: "name"},
		"a header only":             {content: "a,b\n", names: "a b"},
		"repeated and empty names":  {content: "id,name,,Name\n1,Ann,x,Lee\n2,Bob,y,Ray\n", loaded: 2, names: "id name column_3 Name_2"},
		"NUL in a name":             {content: "a\x00,b\n1,2\n3,4\n", loaded: 2, names: "a b"},
		"ragged rows":               {content: "a,b\n1,2\n3\n4,5,6\n7,8\n", loaded: 2, rejected: 2, reasons: "too_few_fields too_many_fields", names: "a b"},
		"a total at the end":        {content: "day,shop,n\n2024-01-01,A,1\n2024-01-02,B,2\nTotal,,3\n", loaded: 2, rejected: 1, reasons: "looks_like_total", names: "day shop n"},
		"titles as cells":           {content: "Sales,,\n,,\nshop,q1,q2\nA,1,2\nB,3,4\n", loaded: 2, rejected: 2, reasons: "before_header", names: "shop q1 q2"},
		"Excel's separator":         {content: "sep=;\r\na;b\r\n1,5;2\r\n", loaded: 1, rejected: 1, reasons: "before_header", names: "a b"},
		"a key twice":               {content: "{\"a\":1}\n{\"a\":2,\"a\":3}\n", loaded: 1, rejected: 1, reasons: "repeated_key", names: "a"},
		"NUL bytes":                 {content: "a,b\nx,y\n\x00z,w\n", loaded: 1, rejected: 1, reasons: "nul_byte", names: "a b"},
		"an open quote":             {content: "a,b\n1,\"x\n2,y\n3,z\n", loaded: 2, rejected: 1, reasons: "unterminated_quote", names: "a b"},
		"a line of 100 MB":          {content: "a,b\n1,2\n" + strings.Repeat("x", 100<<20) + "\n3,4\n", code: "files.line_too_long"},
		"a gzip bomb":               {content: gzipBomb(t), code: "files.too_large_expanded"},
		"a zstd bomb":               {content: zstdBomb(), code: "files.too_large_expanded"},
		"a workbook that is a bomb": {content: workbookBomb(t), code: "files.too_large_expanded"},
		"half an archive":           {content: gzipBomb(t)[:1000], code: "files.bad_archive"},
		"a program":                 {content: "\x7fELF\x02\x01\x01" + strings.Repeat("\x00\x01\x02", 1000), code: "files.not_text"},
		"random bytes":              {content: strings.Repeat("\x01\x8f\x02\x00\x03\xfe", 5000), code: "files.not_text"},
		"a broken workbook":         {content: "PK\x03\x04" + strings.Repeat("\x00", 100), code: "files.bad_xlsx"},
		"JSON that is cut":          {content: `[{"a":1},{"a":`, code: "files.bad_json"},
		"Parquet":                   {content: parquet, loaded: 5000, names: "i s"},
		"Parquet, cut":              {content: parquet[:len(parquet)/2], code: "files.bad_parquet"},
		"Parquet, a footer beyond the file": {code: "files.bad_parquet",
			content: parquet[:len(parquet)-8] + "\xff\xff\xff\x7fPAR1"},
		"Parquet, too many rows claimed everywhere": {code: "files.bad_parquet",
			content: parquet[:footer] + strings.ReplaceAll(parquet[footer:], parquetRows(5000), parquetRows(6000))},
		"Parquet, more rows in its parts than claimed": {code: "files.bad_parquet",
			content: parquet[:footer] + strings.Replace(parquet[footer:], parquetRows(5000), parquetRows(4000), 1)},
		"Parquet, fewer rows in its parts than claimed": {code: "files.bad_parquet",
			content: parquet[:lastRows] + parquetRows(4000) + parquet[lastRows+len(parquetRows(4000)):]},
		"Parquet, offsets elsewhere": {code: "files.bad_parquet",
			content: parquet[:footer] + strings.ReplaceAll(parquet[footer:], "\x26\x08", "\x26\x7e")},
		"Parquet, pages of noise": {code: "files.bad_parquet",
			content: parquet[:10] + strings.Repeat("\xee", 4000) + parquet[4010:]},
	}
}

// parquetRows is a count of rows as the footer of a Parquet file has it: a
// field of 64 bits, one after the field before it.
func parquetRows(n uint64) string {
	return "\x16" + string(binary.AppendUvarint(nil, 2*n))
}

func parquetFile(t *testing.T) string {
	t.Helper()
	w, err := segments.Open(segments.Config{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	path := filepath.Join(t.TempDir(), "file")
	rows, err := w.Query(t.Context(), "COPY (SELECT i, 'text ' || i AS s FROM range(0, 5000) r(i)) TO '"+path+"' (FORMAT parquet)")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func gzipBomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	text := []byte(strings.Repeat("1,2\n", 1<<18))
	for range 100 {
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zstdBomb says 1,000 times that a line end comes 128 KiB times.
func zstdBomb() string {
	const block, raw, repeated = 128 << 10, 0, 1
	header := func(size, kind, last int) string {
		n := size<<3 | kind<<1 | last
		return string([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	}
	const text = "a,b\n1,2\n"
	return "\x28\xb5\x2f\xfd\x00\x38" + header(len(text), raw, 0) + text +
		strings.Repeat(header(block, repeated, 0)+"\n", 1000) + header(0, raw, 1)
}

func workbookBomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"xl/workbook.xml":            `<workbook><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   `<worksheet><sheetData>` + strings.Repeat(strings.Repeat(" ", 1<<20)+`<row/>`, 80),
	} {
		part, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(part, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// stored is everything in the storage, directories of unfinished work included.
func (r *rig) stored(t testing.TB) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(r.storage, func(path string, d os.DirEntry, err error) error {
		if err == nil && (!d.IsDir() || strings.HasPrefix(d.Name(), "work-")) {
			list = append(list, strings.TrimPrefix(path, r.storage))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, "\n")
}

// TestBadFiles brings files that are not in order in by both ways, the shell's
// and the pages' with its jobs. Each is refused with a code and a sentence and
// leaves nothing, or every record of it is accounted for.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tc := range badFiles(t) {
		t.Run(name, func(t *testing.T) {
			before := r.stored(t)
			report, err := r.ImportFile(t.Context(), r.actor, datasets.ImportRequest{Path: write(t, "bad.csv", tc.content), Dataset: "by the shell"})
			if tc.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				tc.compare(t, report)
			} else if public := apperr.Describe(err); public.Code != tc.code || public.Sentence == "" {
				t.Errorf("the shell is told %+v, want %s: %v", public, tc.code, err)
			} else if after := r.stored(t); after != before {
				t.Errorf("stored before:\n%s\nafter:\n%s", before, after)
			}

			u, err := r.StartUpload(t.Context(), r.actor, "bad.csv", strings.NewReader(tc.content))
			if err != nil {
				t.Fatal(err)
			}
			before = r.stored(t)
			r.inspect(t)
			if u, err = r.GetUpload(t.Context(), r.actor, u.ID); err != nil {
				t.Fatal(err)
			}
			if tc.code == "" {
				if u.State != datasets.UploadInspected || u.Inspection.WillLoad != tc.loaded || u.Inspection.WillReject != tc.rejected {
					t.Fatalf("the upload is %s: %s %+v", u.State, u.ErrorText, u.Inspection)
				}
				started, err := r.StartLoad(t.Context(), r.actor, datasets.LoadRequest{Upload: u.ID, Dataset: "by the page"})
				if err != nil {
					t.Fatal(err)
				}
				id := started.Load
				r.runLoads(t)
				l, err := r.GetLoad(t.Context(), r.actor, id)
				if err != nil || l.State != datasets.LoadDone {
					t.Fatalf("the load is %s: %s, %v", l.State, l.ErrorText, err)
				}
				tc.compare(t, l.Report)
				return
			}
			if u.State != datasets.UploadFailed || u.ErrorCode != tc.code || u.ErrorText == "" {
				t.Errorf("the page says %s: %s %q, want %s", u.State, u.ErrorCode, u.ErrorText, tc.code)
			}
			if after := r.stored(t); after != before { // the upload itself stays, to be read otherwise
				t.Errorf("stored before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
	all, err := r.List(t.Context(), r.actor)
	if err != nil || len(all) != 2 {
		t.Errorf("datasets %+v, %v", all, err)
	}
}

func (b badFile) compare(t *testing.T, report datasets.LoadReport) {
	t.Helper()
	var reasons, names []string
	for _, group := range report.Rejects {
		reasons = append(reasons, group.Reason)
	}
	for _, c := range report.Columns {
		names = append(names, c.Name)
	}
	if report.RowsLoaded != b.loaded || report.RowsRejected != b.rejected || strings.Join(reasons, " ") != b.reasons || strings.Join(names, " ") != b.names {
		t.Errorf("%d loaded, %d rejected for %v, columns %v; want %d, %d, %s, %s",
			report.RowsLoaded, report.RowsRejected, reasons, names, b.loaded, b.rejected, b.reasons, b.names)
	}
}

// TestDiskFullDuringALoad loads onto a file system of 12 MB. Where none may be
// mounted, a limit on the size of the reader's files stands in for it.
func TestDiskFullDuringALoad(t *testing.T) {
	t.Parallel()
	storage := t.TempDir()
	mounted := syscall.Mount("tmpfs", storage, "tmpfs", 0, "size=12m") == nil
	if mounted {
		t.Cleanup(func() {
			if err := syscall.Unmount(storage, 0); err != nil {
				t.Error(err)
			}
		})
	}
	r, err := openRig(t.Context(), dbtest.New(t), storage, filepath.Join(t.TempDir(), "engine"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: "Full"})
	if err != nil {
		t.Fatal(err)
	}
	r.actor = r.person(tenant.ID, access.Editor)
	id := r.load(t, "s", datasets.Replace, sales, datasets.Choices{}).Dataset
	if !mounted {
		r.sandbox.MaxOutput = 1 << 20
	}
	before := r.stored(t)
	sorted, unsorted := bulk(false), bulk(true)
	for name, request := range map[string]datasets.ImportRequest{
		"while segments are written": {Path: write(t, "big.csv", sorted), Dataset: "s"},
		"while rows are sorted":      {Path: write(t, "big.csv", unsorted), Dataset: "s"},
		"of a new dataset":           {Path: write(t, "big.csv", unsorted), Dataset: "new"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.ImportFile(t.Context(), r.actor, request)
			if public := apperr.Describe(err); public.Code != "ingest.disk_full" || public.Sentence == "" {
				t.Errorf("told %+v: %v", public, err)
			}
			if after := r.stored(t); after != before {
				t.Errorf("stored before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
	if mounted {
		_, err := r.StartUpload(t.Context(), r.actor, "big.csv", strings.NewReader(sorted))
		if public := apperr.Describe(err); public.Code != "storage.full" || public.Sentence == "" {
			t.Errorf("an upload is told %+v: %v", public, err)
		}
		if after := r.stored(t); after != before {
			t.Errorf("stored before:\n%s\nafter:\n%s", before, after)
		}
	}
	if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 3 || sum != 35.75 {
		t.Errorf("%d rows and %v", n, sum)
	}
	if report := r.load(t, "s", datasets.Append, "order,region,sold,amount\n4,West,2026-01-08,1.00\n", datasets.Choices{}); report.RowsLoaded != 1 {
		t.Errorf("after all: %+v", report)
	}
}

// bulk is about 40 MB of rows that do not compress, by time or against it.
func bulk(backwards bool) string {
	var b strings.Builder
	b.WriteString("at,n,s\n")
	for i := range 400_000 {
		day := 1 + i/20_000
		if backwards {
			day = 20 - i/20_000
		}
		fmt.Fprintf(&b, "2026-01-%02d,%d,%016x some text of its own %016x%016x\n", day, i*7919,
			uint64(i)*0x9e3779b97f4a7c15, uint64(i)*0xc2b2ae3d27d4eb4f, uint64(i)*0x165667b19e3779f9)
	}
	return b.String()
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.load(t, "s", datasets.Replace, sales, datasets.Choices{}).Dataset
	ask := func(spec string) error {
		parsed, err := warehouse.ParseSpec([]byte(spec))
		if err != nil {
			return err
		}
		_, err = r.Query(context.WithoutCancel(t.Context()), r.actor, datasets.QueryRequest{Spec: parsed})
		return err
	}
	const byRegion = `{"dataset":"s","dimensions":[{"column":"region"}],"measures":[{"fn":"count"}]}`
	if err := ask(byRegion); err != nil {
		t.Fatal(err)
	}
	d, err := r.Get(t.Context(), r.actor, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Columns {
		if c.Name == "region" {
			if err := r.DropColumn(t.Context(), r.actor, id, c.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct{ spec, code string }{
		"a dropped column":         {byRegion, "query.dropped_column"},
		"a filter of another type": {`{"dataset":"s","measures":[{"fn":"count"}],"filters":[{"column":"amount","op":"in","values":["ten"]}]}`, "query.filter_type"},
		"an unknown key":           {`{"dataset":"s","measures":[{"fn":"count"}],"colour":"red"}`, "query.unknown_key"},
		"an unknown key within":    {`{"dataset":"s","measures":[{"fn":"count","colour":"red"}]}`, "query.unknown_key"},
	} {
		t.Run(name, func(t *testing.T) {
			if public := apperr.Describe(ask(tc.spec)); public.Code != tc.code || public.Sentence == "" {
				t.Errorf("told %+v, want %s", public, tc.code)
			}
		})
	}
}

// A column that a reload has no more is told apart from one that never was, until
// a version that has it comes back.
func TestColumnDroppedByAReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.load(t, "s", datasets.Replace, "a,b\n1,2\n", datasets.Choices{}).Dataset
	told := func(column string) apperr.Public {
		spec := warehouse.Spec{Dataset: "s", Columns: []string{column}}
		_, err := r.Query(t.Context(), r.actor, datasets.QueryRequest{Spec: spec})
		if err == nil {
			return apperr.Public{}
		}
		return apperr.Describe(err)
	}
	r.load(t, "s", datasets.Replace, "a\n3\n", datasets.Choices{})
	if got := told("b"); got.Code != "query.dropped_column" || !strings.Contains(got.Sentence, `"b" was dropped in version 2`) {
		t.Errorf("the dropped one: %+v", got)
	}
	if got := told("c"); got.Code != "query.unknown_column" || strings.Contains(got.Sentence, "Did you mean") {
		t.Errorf("one that never was: %+v", got)
	}
	if _, err := r.Restore(t.Context(), r.actor, id, 1); err != nil {
		t.Fatal(err)
	}
	if got := told("b"); got.Code != "" {
		t.Errorf("brought back: %+v", got)
	}
}
