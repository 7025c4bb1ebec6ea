package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set when the binary is built; see the Makefile.
var version = ""

// buildVersion names the release, or the commit of a build without one.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if commit == "" {
		return "devel"
	}
	return "devel-" + commit + dirty
}

func runVersion(_ context.Context, e *env) error {
	args, err := e.parse(e.flags("version", "", "Prints the version of this program."))
	if err != nil {
		return err
	}
	if len(args) > 0 {
		return errUsage.With("“dataflow version” takes no arguments.")
	}
	_, err = fmt.Fprintf(e.stdout, "dataflow %s %s/%s %s\n", buildVersion(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}
