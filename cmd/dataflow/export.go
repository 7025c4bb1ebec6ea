package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/reports"
)

const exportAbout = `Writes all rows of a dataset that a person sees, and prints
{"dataset_versions","rows","bytes","sha256"}.

DATASET is a name or an id. Any number of rows needs the same memory. What a
format can't hold is an error before anything is written: a sheet of xlsx has
1,048,576 rows. docs/reports.md says what each format holds.`

func runExport(ctx context.Context, e *env) error {
	set := e.flags("export", "DATASET --as EMAIL --out FILE [--format csv|xlsx|ndjson|parquet]", exportAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	format := set.String("format", "csv", "`format` of the file: csv, xlsx, ndjson or parquet")
	as := set.String("as", "", "e-mail `address` of the member whose rows are written")
	out := set.String("out", "", "`file` to write, - for the standard output (the JSON then goes to stderr)")
	plain := set.Bool("plain", false, "write a CSV for programs: commas, points, no byte order mark")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 1 || *as == "" || *out == "" {
		return errUsage.With("“dataflow export” takes one DATASET, and needs --as and --out.")
	}
	spec := reports.Spec{Format: reports.Format(strings.ToUpper(*format)), Plain: *plain}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, console access.Actor) error {
		actor, err := s.tenants.GetActorByEmail(ctx, console, *as)
		if err != nil {
			return err
		}
		id, err := s.datasets.Resolve(ctx, actor, args[0])
		if err != nil {
			return err
		}
		write := func(w io.Writer) (reports.Stated, error) { return s.reports.RenderDataset(ctx, actor, id, spec, w) }
		if *out == "-" {
			stated, err := write(e.stdout)
			return errors.Join(err, printJSON(e.stderr, exported(stated)))
		}
		stated, err := writeReport(*out, write)
		if err != nil {
			return err
		}
		return printJSON(e.stdout, exported(stated))
	})
}

// exportedFile is what is printed of a file of a dataset.
type exportedFile struct {
	DatasetVersions map[string]int64 `json:"dataset_versions"`
	Rows            int64            `json:"rows"`
	Bytes           int64            `json:"bytes"`
	SHA256          string           `json:"sha256"`
}

func exported(s reports.Stated) exportedFile {
	return exportedFile{DatasetVersions: s.DatasetVersions, Rows: s.Rows, Bytes: s.Bytes, SHA256: s.SHA256}
}
