// Command bench measures DataFlow beside the raw engines it stands on, in one
// run on one machine, prints one table, writes bench/results.json and the README's table.
//
// Figures are quoted as ratios wherever a peer does the same work, because
// machines differ and the ratio does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type options struct {
	root      string // of the source tree
	binary    string
	work      string // scratch directory, removed at the end
	salesRows int
	seconds   int // of each load test over HTTP
	repeat    int // counted runs of each query
}

type section struct {
	name string
	run  func(context.Context, *options, *report) error
}

var sections = []section{
	{"load", benchLoad},
	{"flights", benchFlights},
	{"sales", benchSales},
	{"server", benchServer},
	{"browser", benchBrowser},
	{"forecast", benchForecast},
	{"values", benchValues},
	{"sso", benchSSO},
	{"rules", benchRules},
	{"exports", benchExports},
	{"alerts", benchAlerts},
	{"documents", onDemo((*printing).warm)},
	{"schedules", onDemo((*printing).scheduled)},
	{"due", onDemo((*printing).enqueued)},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == copyCommand {
		if err := runCopy(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	var only string
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	flag.StringVar(&only, "only", "", "comma separated sections: "+strings.Join(names, ", ")+" (default: all)")
	flag.StringVar(&o.binary, "binary", "bin/dataflow", "the built binary")
	flag.IntVar(&o.salesRows, "sales-rows", 10_000_000, "rows of the generated sales table")
	flag.IntVar(&o.seconds, "seconds", 10, "length of each load test over HTTP")
	flag.IntVar(&o.repeat, "repeat", 7, "counted runs of each query; the median is quoted")
	keep := flag.String("work", "", "scratch directory to use and keep (default: a temporary one)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o, only, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options, only, keep string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	o.root = root
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if _, err := os.Stat(o.binary); err != nil {
		return fmt.Errorf("%s is missing: run make build first", o.binary)
	}
	o.work = keep
	if keep == "" {
		if o.work, err = os.MkdirTemp("", "dataflow-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.work)
	}
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return err
	}
	// PostgreSQL runs under another user and must be able to pass through.
	if err := os.Chmod(o.work, 0o755); err != nil {
		return err
	}

	out := &report{}
	var failed []error
	for _, s := range sections {
		if only != "" && !strings.Contains(","+only+",", ","+s.name+",") {
			continue
		}
		fmt.Fprintf(os.Stderr, "── %s\n", s.name)
		part := &report{}
		part.add(s.name+": load average of the machine at the start", loadAverage(), "processes")
		ctx, cancel := context.WithTimeout(ctx, sectionTimeout)
		err := s.run(ctx, o, part)
		cancel()
		// The others are measured all the same; of what failed the rows of the
		// last run stay.
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			fmt.Fprintf(os.Stderr, "   %s failed: %v\n", s.name, err)
			continue
		}
		out.rows = append(out.rows, part.rows...)
		if err := out.save(root, true); err != nil {
			return err
		}
	}
	out.print(os.Stdout)
	return errors.Join(append(failed, out.save(root, only != "" || len(failed) > 0))...)
}

// sectionTimeout ends a section that hangs.
const sectionTimeout = 30 * time.Minute

// save writes results.json and the table of the README.
func (r *report) save(root string, partial bool) error {
	rows, err := r.write(filepath.Join(root, "bench", "results.json"), partial)
	if err != nil {
		return err
	}
	return quoteIn(filepath.Join(root, "README.md"), rows)
}
