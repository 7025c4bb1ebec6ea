// Command dataflow is the whole product: the server in its roles, and the
// commands for people and scripts.
//
// A command that fails prints "code: sentence" as one line on stderr and exits
// with the status of the failure's class; see exitStatus.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/config"
	"github.com/dataflowhq/dataflow/platform/devstack"
	"github.com/dataflowhq/dataflow/platform/telemetry"
)

// command is one subcommand. Its file has the flags and calls one service.
type command struct {
	name    string
	summary string // one line, lower case; a hidden command has none
	run     func(ctx context.Context, e *env) error
}

// commands is every subcommand, in the order in which help lists them.
var commands = []command{
	{"serve", "run everything on this machine: pages, jobs and, where none is configured, PostgreSQL and Redis", runServe},
	{"web", "run the pages alone, against given servers", runWeb},
	{"worker", "run the jobs alone, against given servers", runWorker},
	{"import", "load a file into a dataset", runImport},
	{"query", "answer a query over a dataset", runQuery},
	{"export", "write all rows of a dataset that a person sees", runExport},
	{"report", "make the file of a dashboard that a person would get", runReport},
	{"datasets", "list, restore, change and delete datasets", runDatasets},
	{"dashboards", "write dashboards as files, and make them what files say", runDashboards},
	{"lookup", "declare that a column holds keys of another dataset", runLookup},
	{"rules", "say what somebody sees of a dataset", runRules},
	{"user", "add people who can sign in, and make links to reset passwords", runUser},
	{"plan", "give a workspace another plan", runPlan},
	{"audit", "verify the chain of the audit log, export it, take a person out of it", runAudit},
	{"isolation", "attack a workspace from outside and print what was answered", runIsolation},
	{"migrate", "bring database and storage up to date", runMigrate},
	{"version", "print the version", runVersion},
}

// env is what a command may touch of the outside.
type env struct {
	args           []string // what follows the command's name
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

var errUsage = apperr.Define(apperr.Invalid, "usage.invalid", "The command line can't be understood.")

func main() {
	serveSandbox()
	// The supervisor of the embedded servers outlives its parent and minds its
	// own signals.
	if len(os.Args) > 1 && os.Args[1] == "devstack" {
		os.Exit(devstack.Main(os.Args[2:]))
	}
	ctx, stop := untilSignal()
	defer stop()
	e := &env{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(run(ctx, e, os.Args[1:]))
}

// untilSignal ends the context at the first SIGINT or SIGTERM. The second ends
// the process: the kernel then gives back every lock and lease.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(statusInterrupted)
	}()
	return ctx, cancel
}

// run finds the command, runs it and answers the exit status.
func run(ctx context.Context, e *env, args []string) int {
	if len(args) == 0 {
		usage(e.stderr)
		return statusUsage
	}
	switch name := args[0]; name {
	case "help", "-h", "-help", "--help":
		usage(e.stdout)
		return 0
	case "-v", "--version":
		args = []string{"version"}
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		e.args = args[1:]
		err := c.run(audit.WithOrigin(ctx, commandOrigin(c.name)), e)
		if err == nil || errors.Is(err, flag.ErrHelp) {
			return 0
		}
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return statusInterrupted
		}
		fmt.Fprintln(e.stderr, line(err))
		return exitStatus(err)
	}
	fmt.Fprintln(e.stderr, line(errUsage.With("There is no command %q. Run “dataflow help” for the list.", args[0])))
	return statusUsage
}

// commandOrigin is where a command's changes come from, in the audit log.
func commandOrigin(name string) *audit.Origin {
	agent := "dataflow " + name
	if u, err := user.Current(); err == nil {
		agent += " by " + u.Username
	}
	if host, err := os.Hostname(); err == nil {
		agent += " on " + host
	}
	return &audit.Origin{RequestID: uuid.NewString(), Agent: agent}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "DataFlow: dashboards over your data.\n\nUsage: dataflow COMMAND [FLAGS]\n\nCommands:\n")
	for _, c := range commands {
		if c.summary != "" {
			fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
		}
	}
	fmt.Fprint(w, "\n“dataflow COMMAND -h” lists the flags of a command. Settings come from the\nenvironment; .env.example lists them all.\n")
}

// The exit statuses.
const (
	statusInternal    = 1 // a fault of ours
	statusUsage       = 2 // bad flags, settings or input
	statusNotFound    = 3 // not there, or no longer
	statusForbidden   = 4
	statusConflict    = 5   // the state changed meanwhile, or something is in the way
	statusUnavailable = 6   // a server, disk or limit; try again later
	statusInterrupted = 130 // by a signal
)

func exitStatus(err error) int {
	switch apperr.Describe(err).Class {
	case apperr.Invalid, apperr.TooLarge:
		return statusUsage
	case apperr.NotFound, apperr.Gone:
		return statusNotFound
	case apperr.Unauthenticated, apperr.Forbidden:
		return statusForbidden
	case apperr.Conflict:
		return statusConflict
	case apperr.RateLimited, apperr.Timeout, apperr.Unavailable:
		return statusUnavailable
	}
	return statusInternal
}

// line is what the shell shows of a failure. Who runs a command runs the
// installation, so causes that no sentence covers are shown as well.
func line(err error) string {
	public := apperr.Describe(err)
	text := public.Code + ": " + public.Sentence
	switch public.Class {
	case apperr.Internal, apperr.Unavailable, apperr.Timeout:
		if cause := apperr.Cause(err); cause != "" {
			text += " (" + cause + ")"
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// flags makes the command's flag set. Synopsis is what follows its name.
func (e *env) flags(name, synopsis, about string) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {
		fmt.Fprintf(e.stdout, "Usage: dataflow %s %s\n\n%s\n", name, synopsis, about)
		some := false
		set.VisitAll(func(*flag.Flag) { some = true })
		if some {
			fmt.Fprint(e.stdout, "\nFlags:\n")
			set.SetOutput(e.stdout)
			set.PrintDefaults()
			set.SetOutput(io.Discard)
		}
	}
	return set
}

// parse reads the command's flags, which may stand before, between and after
// its arguments, and answers the arguments. A bare "--" ends the flags.
//
// Errors: usage.invalid, or flag.ErrHelp when help was asked for and given.
func (e *env) parse(set *flag.FlagSet) ([]string, error) {
	var positional []string
	rest := e.args
	help := set.Usage
	set.Usage = func() {} // the flag package also calls it after a mistake
	for {
		if err := set.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				help()
				return nil, err
			}
			return nil, errUsage.With("%s. Run “dataflow %s -h” for its flags.", strings.TrimSuffix(err.Error(), "."), set.Name())
		}
		consumed := len(rest) - set.NArg()
		if consumed > 0 && rest[consumed-1] == "--" {
			return append(positional, set.Args()...), nil
		}
		if set.NArg() == 0 {
			return positional, nil
		}
		positional = append(positional, set.Arg(0))
		rest = set.Args()[1:]
	}
}

// config reads the settings for a command and makes the logger that goes with
// them. Unless a level was asked for, a command logs errors only: what
// it does is told by its exit status and its one line.
//
// Errors: config.invalid.
func (e *env) config() (*config.Config, *slog.Logger, error) {
	return e.configWith("DATAFLOW_LOG_LEVEL=error")
}

// configWith reads the settings, from the environment where it has them and
// from defaults where not.
func (e *env) configWith(defaults ...string) (*config.Config, *slog.Logger, error) {
	cfg, err := config.Load(append(defaults, e.environ...))
	if err != nil {
		return nil, nil, err
	}
	json := cfg.Log.Format == "json" || (cfg.Log.Format == "" && !isTerminal(e.stderr))
	log := telemetry.NewLogger(e.stderr, telemetry.LogConfig{Level: cfg.Log.Level, JSON: json})
	slog.SetDefault(log) // handlers, and libraries that know no logger of ours
	redis.SetLogger(redisLog{log})
	for _, name := range cfg.Unknown {
		log.Warn("unknown setting is ignored", "name", name)
	}
	return cfg, log, nil
}

// redisLog is the log of the Redis library, which tells of connections that it
// replaces by itself.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis", "says", fmt.Sprintf(format, args...))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
