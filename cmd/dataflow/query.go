package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

const queryAbout = `Answers a query over a dataset as JSON:
{"columns":[{"name","type"}],"rows":[[…]],"dataset_version","sampled"}.

SPEC.json is a query spec, "-" reads it from the standard input. docs/query-spec.md
describes it.`

func runQuery(ctx context.Context, e *env) error {
	set := e.flags("query", "SPEC.json|- [--tenant SLUG] [--as EMAIL] [--exact]", queryAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	as := set.String("as", "", "answer what the person with this `address` would get")
	exact := set.Bool("exact", false, "never answer from a sample")
	version := set.Int64("version", 0, "ask an earlier `version` of the dataset (default: the current one)")
	explain := set.Bool("explain", false, "print how the query would be answered instead")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errUsage.With("“dataflow query” takes one SPEC.json, or - for the standard input.")
	}
	text, err := readSpec(e.stdin, args[0])
	if err != nil {
		return err
	}
	spec, err := warehouse.ParseSpec(text)
	if err != nil {
		return err
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, actor access.Actor) error {
		if *as != "" {
			if actor, err = s.tenants.GetActorByEmail(ctx, actor, *as); err != nil {
				return err
			}
		}
		request := datasets.QueryRequest{Spec: spec, Exact: *exact}
		if *version > 0 {
			if request.Snapshot, err = s.datasets.SnapshotAt(ctx, actor, spec.Dataset, *version); err != nil {
				return err
			}
		}
		if *explain {
			explanation, err := s.datasets.Explain(ctx, actor, request)
			if err != nil {
				return err
			}
			return printJSON(e.stdout, explanation)
		}
		result, err := s.datasets.Query(ctx, actor, request)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(e.stdout)
		if _, err := out.Write(append(result.AppendJSON(nil), '\n')); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
		return out.Flush()
	})
}

// readSpec reads a spec, and no more of it than a spec may have.
func readSpec(stdin io.Reader, path string) ([]byte, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, errUsage.With("There is no file %s.", path).Wrap(err)
		}
		if err != nil {
			return nil, errUsage.With("The file %s can't be opened.", path).Wrap(err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, warehouse.MaxSpecBytes+1))
	if err != nil {
		return nil, errUsage.With("The spec can't be read.").Wrap(err)
	}
	return text, nil
}
