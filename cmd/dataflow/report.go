package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/reports"
)

const reportAbout = `Makes the file that a person would get of a dashboard, and prints
{"dataset_versions","widgets","failed_widgets","rows","bytes","sha256"}.

DASHBOARD is a name or an id. A filter is LABEL=VALUE[,VALUE…] of the dashboard's
filters or columns, or a parameter of its links: d=28d, c=none. docs/reports.md
says what each format holds.`

func runReport(ctx context.Context, e *env) error {
	set := e.flags("report", "DASHBOARD --as EMAIL --out FILE [--format pdf|csv|xlsx|ndjson|png|svg] [--filter NAME=VALUE …]", reportAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	format := set.String("format", "pdf", "`format` of the file: pdf, csv, xlsx, ndjson, png or svg")
	as := set.String("as", "", "e-mail `address` of the member who would get it")
	out := set.String("out", "", "`file` to write, - for the standard output (the JSON then goes to stderr)")
	paper := set.String("paper", "a4", "`paper` of a PDF: a4 or letter")
	landscape := set.Bool("landscape", false, "lay the paper on its side")
	plain := set.Bool("plain", false, "write a CSV for programs: commas, points, no byte order mark")
	var filters, widgets repeated
	set.Var(&filters, "filter", "`NAME=VALUE`; may be given several times")
	set.Var(&widgets, "widget", "id or title of a `widget` to show (default: all); may be given several times")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 1 || *as == "" || *out == "" {
		return errUsage.With("“dataflow report” takes one DASHBOARD, and needs --as and --out.")
	}
	spec := reports.Spec{Format: reports.Format(strings.ToUpper(*format)), Paper: reports.Paper(strings.ToLower(*paper)), Landscape: *landscape, Plain: *plain}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, console access.Actor) error {
		actor, err := s.tenants.GetActorByEmail(ctx, console, *as)
		if err != nil {
			return err
		}
		id, err := s.dashboards.Resolve(ctx, actor, args[0])
		if err != nil {
			return err
		}
		d, err := s.dashboards.Get(ctx, actor, id)
		if err != nil {
			return err
		}
		if spec.Filters, err = linkOf(&d.Config, filters); err != nil {
			return err
		}
		if spec.Widgets, err = widgetsOf(&d.Config, widgets); err != nil {
			return err
		}
		if err := s.openPrinting(); err != nil {
			return err
		}
		if *out == "-" {
			stated, err := s.reports.Render(ctx, actor, d.ID, spec, e.stdout)
			return errors.Join(err, printJSON(e.stderr, stated))
		}
		stated, err := writeReport(*out, func(w io.Writer) (reports.Stated, error) { return s.reports.Render(ctx, actor, d.ID, spec, w) })
		if err != nil {
			return err
		}
		return printJSON(e.stdout, stated)
	})
}

// writeReport writes beside the file and puts it in its place when it is whole.
func writeReport(path string, write func(io.Writer) (reports.Stated, error)) (stated reports.Stated, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return stated, errUsage.With("The file %s can't be written.", path).Wrap(err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	stated, err = write(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return stated, err
	}
	if err := os.Chmod(file.Name(), 0o644); err != nil {
		return stated, fmt.Errorf("finish file: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return stated, errUsage.With("The file %s can't be written.", path).Wrap(err)
	}
	return stated, nil
}

// linkOf writes filters as the query of a dashboard's link.
func linkOf(c *dashboards.Config, filters []string) (string, error) {
	values := url.Values{}
	for _, filter := range filters {
		name, value, ok := strings.Cut(filter, "=")
		if !ok || name == "" {
			return "", errUsage.With("A filter is NAME=VALUE, not %q.", filter)
		}
		if name == "d" || name == "c" || len(name) > 2 && strings.Contains("fxsp", name[:1]) && name[1] == '.' {
			values.Add(name, value)
			continue
		}
		var words []string
		for one := range strings.SplitSeq(value, ",") {
			words = append(words, charts.EscapeValue(one))
		}
		id := name
		for key, control := range c.Filters {
			if strings.EqualFold(control.Label, name) || strings.EqualFold(control.Column, name) || key == name {
				id = key
			}
		}
		values.Add("f."+id, strings.Join(words, ","))
	}
	return values.Encode(), nil
}

// widgetsOf finds widgets by id or title.
func widgetsOf(c *dashboards.Config, names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		found := ""
		for id, w := range c.Widgets {
			if id == name || strings.EqualFold(w.Title, name) {
				found = id
			}
		}
		if found == "" {
			var titles []string
			for _, w := range c.Widgets {
				titles = append(titles, w.Title)
			}
			slices.Sort(titles)
			return nil, dashboards.ErrWidgetNotFound.With("The dashboard has no widget %q. It has: %s.", name, strings.Join(titles, ", "))
		}
		list = append(list, found)
	}
	return list, nil
}
