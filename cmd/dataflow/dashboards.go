package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

const dashboardsAbout = `Writes dashboards as files and makes dashboards what files say.

  export NAME|ID [--out FILE]     the dashboard as YAML, as its editor has it
  apply FILE [--dry-run]          shows the difference and makes it so; FILE "-" is the standard input

A file names the dashboard that it is of. There is one of that name: it changes,
as one step that can be undone, and is published. There is none: it is made.
docs/dashboard-file.md describes the file.`

// maxFile is more than any file that is taken.
const maxFile = 2 * dashboards.MaxConfigBytes

func runDashboards(ctx context.Context, e *env) error {
	set := e.flags("dashboards", "export NAME|ID | apply FILE … [--tenant SLUG]", dashboardsAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	out := set.String("out", "", "export: write to `file` instead of printing")
	published := set.Bool("published", false, "export: what viewers see, not the draft")
	dryRun := set.Bool("dry-run", false, "apply: show the difference, change nothing")
	draft := set.Bool("draft", false, "apply: leave what viewers see as it is")
	to := set.String("to", "", "apply: change this dashboard, `name or id`, whatever name the file has")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 2 || args[0] != "export" && args[0] != "apply" {
		return errUsage.With("Say “export NAME” or “apply FILE”. Run “dataflow dashboards -h” for more.")
	}
	var data []byte
	if args[0] == "apply" {
		if data, err = readFileOrInput(e, args[1]); err != nil {
			return err
		}
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, actor access.Actor) error {
		if args[0] == "export" {
			id, err := s.dashboards.Resolve(ctx, actor, args[1])
			if err != nil {
				return err
			}
			_, file, err := s.dashboards.ExportFile(ctx, actor, id, !*published)
			if err != nil {
				return err
			}
			if *out != "" {
				return os.WriteFile(*out, file, 0o644)
			}
			_, err = e.stdout.Write(file)
			return err
		}
		options := dashboards.ApplyOptions{DryRun: *dryRun, Draft: *draft}
		if *to != "" {
			if options.To, err = s.dashboards.Resolve(ctx, actor, *to); err != nil {
				return err
			}
		}
		applied, err := s.dashboards.ApplyFile(ctx, actor, data, options)
		if err != nil {
			return err
		}
		return printApplied(e.stdout, applied, *dryRun)
	})
}

func readFileOrInput(e *env, path string) ([]byte, error) {
	from := e.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, errUsage.With("The file can't be read: %s.", err).Wrap(err)
		}
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// printApplied says what changed, or would.
func printApplied(w io.Writer, a dashboards.Applied, dryRun bool) error {
	for _, line := range a.Diff {
		text := string(line.Kind) + line.Text
		if line.Kind == '@' {
			text = "@@"
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	done := "changed"
	switch {
	case dryRun && a.Created:
		done = "would be made"
	case dryRun && len(a.Diff) > 0:
		done = "would change"
	case a.Created:
		done = "made"
	case len(a.Diff) == 0 && a.Published:
		done = "published, without a change"
	case len(a.Diff) == 0:
		done = "is as the file says"
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", a.Name, done)
	return err
}
