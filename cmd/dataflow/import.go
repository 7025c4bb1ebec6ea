package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

const importAbout = `Loads a file into a dataset of a workspace, and prints what it did as JSON. Types
come from all rows of the file. A load that fails leaves the dataset as it was.

FILE is CSV (any delimiter), JSON, NDJSON, Parquet or XLSX, also gzip or zstd.
Without --append or --upsert the file replaces what is there. The dataset is
made on first use, and so is the first workspace; another one only with
--new-tenant, so that a mistyped name makes none.

TYPE is integer, decimal, float, boolean, date, timestamp, timestamptz or text,
optionally decimal(12,2), date:dmy, date:mdy, decimal:comma, decimal:percent.`

// imported is what "dataflow import" prints.
type imported struct {
	Dataset      string                  `json:"dataset"`
	ID           string                  `json:"dataset_id"`
	Version      int64                   `json:"version"`
	RowsLoaded   int64                   `json:"rows_loaded"`
	RowsRejected int64                   `json:"rows_rejected"`
	RejectsFile  *string                 `json:"rejects_file"` // a local path, null when nothing was rejected
	Columns      []datasets.ReportColumn `json:"columns"`
	Mode         datasets.Mode           `json:"mode"`
	Inserted     int64                   `json:"rows_inserted,omitempty"`
	Updated      int64                   `json:"rows_updated,omitempty"`
	Rejects      []datasets.RejectGroup  `json:"rejects,omitempty"`
	Notes        []datasets.LoadNote     `json:"notes,omitempty"`
	Schema       *datasets.SchemaChange  `json:"schema_change,omitempty"`
	Milliseconds int64                   `json:"took_ms"`
}

func runImport(ctx context.Context, e *env) (err error) {
	set := e.flags("import", "FILE --dataset NAME [--tenant SLUG] [--type COLUMN=TYPE …] [--append | --upsert KEY]", importAbout)
	var types, renames, skips repeated
	request := datasets.ImportRequest{Mode: datasets.Replace}
	set.StringVar(&request.Dataset, "dataset", "", "`name` or id of the dataset (default: the file's name)")
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	another := set.Bool("new-tenant", false, "make the workspace that --tenant names, beside others")
	set.Var(&types, "type", "`COLUMN=TYPE`: read a column as this type; may be repeated")
	set.Var(&renames, "rename", "`COLUMN=NAME`: load a column under another name; may be repeated")
	set.Var(&skips, "skip", "`COLUMN`: do not load it; may be repeated")
	add := set.Bool("append", false, "add the rows to those that are there")
	upsert := set.String("upsert", "", "replace rows with the same key and add the others; `KEY` is one column or several with commas")
	key := set.String("key", "", "reject records that repeat this `KEY` of the file: one column or several with commas")
	set.StringVar(&request.Choices.TimeColumn, "time", "", "`COLUMN` that rows are sorted by (default: the first with dates or timestamps)")
	options := &request.Choices.Options
	set.StringVar(&options.Delimiter, "delimiter", "", "`character` between fields (default: found out)")
	set.StringVar(&options.Encoding, "encoding", "", "`name`: utf-8, utf-16le, utf-16be, latin-1 or windows-1252 (default: found out)")
	set.StringVar(&options.Sheet, "sheet", "", "`name` of the sheet of a workbook, or of the key with the records of a JSON file")
	totals := set.Bool("load-totals", false, "load also what looks like a total at the end of the file")
	noHeader := set.Bool("no-header", false, "the first record is data")
	quiet := set.Bool("quiet", false, "do not show progress")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errUsage.With("“dataflow import” takes one FILE. Run “dataflow import -h” for help.")
	}
	request.Path = args[0]
	if _, err := os.Stat(request.Path); err != nil { // before anything is started for it
		return errUsage.With("The file %s can't be opened.", request.Path).Wrap(err)
	}
	if *another && *tenant == "" {
		return errUsage.With("--new-tenant needs the workspace's name: --tenant SLUG.")
	}
	if request.Dataset == "" {
		request.Dataset = datasets.NameOfFile(request.Path)
	}
	if request.Choices.Columns, err = columnChoices(types, renames, skips); err != nil {
		return err
	}
	if *totals {
		options.Totals = "load"
	}
	if *noHeader {
		options.Header = new(bool)
	}
	switch {
	case *add && *upsert != "":
		return errUsage.With("Use --append or --upsert, not both.")
	case *add:
		request.Mode = datasets.Append
	case *upsert != "":
		request.Mode, request.Choices.Key = datasets.Upsert, splitList(*upsert)
	}
	if *key != "" && *upsert == "" {
		request.Choices.Key = splitList(*key)
	}
	if !*quiet && isTerminal(e.stderr) {
		bar := &progressLine{w: e.stderr}
		request.Progress = bar.show
		defer bar.clear()
	}
	find := func(ctx context.Context, s *services) (access.Actor, error) {
		return s.tenants.ForImport(ctx, *tenant, *another)
	}
	return withActor(ctx, e, find, func(ctx context.Context, s *services, actor access.Actor) error {
		report, err := s.datasets.ImportFile(ctx, actor, request)
		if err != nil {
			return err
		}
		out := imported{
			Dataset: report.Name, ID: report.Dataset.String(), Version: report.Version, RowsLoaded: report.RowsLoaded,
			RowsRejected: report.RowsRejected, Columns: report.Columns, Mode: report.Mode, Inserted: report.Inserted,
			Updated: report.Updated, Rejects: report.Rejects, Notes: report.Notes, Milliseconds: report.Took.Milliseconds(),
		}
		if report.RejectsFile != "" {
			out.RejectsFile = &report.RejectsFile
		}
		if !report.Schema.IsZero() {
			out.Schema = &report.Schema
		}
		return printJSON(e.stdout, out)
	})
}

// withData opens what a command over a workspace's data needs.
func withData(ctx context.Context, e *env, tenant string, work func(context.Context, *services, access.Actor) error) error {
	find := func(ctx context.Context, s *services) (access.Actor, error) { return s.tenants.ForConsole(ctx, tenant) }
	return withActor(ctx, e, find, work)
}

// withActor is withData for whom find answers.
func withActor(ctx context.Context, e *env, find func(context.Context, *services) (access.Actor, error), work func(context.Context, *services, access.Actor) error) (err error) {
	cfg, log, err := e.config()
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, log, roleAll, e.say)
	defer func() { err = errors.Join(err, a.close(closeTimeout)) }()
	if err != nil {
		return err
	}
	s, err := a.openServices()
	if err != nil {
		return err
	}
	actor, err := find(ctx, s)
	if err != nil {
		return err
	}
	return work(ctx, s, actor)
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// repeated is a flag that may be given several times.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, " ") }

func (r *repeated) Set(value string) error {
	*r = append(*r, value)
	return nil
}

// columnChoices joins what flags say about columns. A column's name may hold
// an equals sign; what stands after the last one is the type or new name.
func columnChoices(types, renames, skips []string) ([]datasets.ColumnChoice, error) {
	var list []datasets.ColumnChoice
	of := func(column string) *datasets.ColumnChoice {
		for i := range list {
			if list[i].Column == column {
				return &list[i]
			}
		}
		list = append(list, datasets.ColumnChoice{Column: column})
		return &list[len(list)-1]
	}
	for _, t := range types {
		at := strings.LastIndexByte(t, '=')
		if at < 1 || at == len(t)-1 {
			return nil, errUsage.With("--type takes COLUMN=TYPE, such as --type amount=decimal, not %q.", t)
		}
		of(t[:at]).Type = t[at+1:]
	}
	for _, r := range renames {
		at := strings.LastIndexByte(r, '=')
		if at < 1 || at == len(r)-1 {
			return nil, errUsage.With("--rename takes COLUMN=NAME, not %q.", r)
		}
		of(r[:at]).Rename = r[at+1:]
	}
	for _, s := range skips {
		of(s).Skip = true
	}
	return list, nil
}

func splitList(text string) []string {
	var list []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// progressLine shows how far a load is on one line of a terminal.
type progressLine struct {
	w     io.Writer
	last  time.Time
	shown bool
}

func (p *progressLine) show(now jobs.Progress) {
	if time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	text := now.Phase
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if fraction, ok := now.Fraction(); ok {
		text += fmt.Sprintf(" %3.0f%%", 100*fraction)
	}
	if now.Rows > 0 {
		text += fmt.Sprintf(", %d rows", now.Rows)
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", text)
}

func (p *progressLine) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
