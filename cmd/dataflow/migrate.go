package main

import (
	"context"
	"errors"
	"fmt"
)

func runMigrate(ctx context.Context, e *env) (err error) {
	args, err := e.parse(e.flags("migrate", "", "Brings the database schema up to date and marks the storage as this installation's.\nRun it once before web and worker processes of a new release; “dataflow serve” does it by itself."))
	if err != nil {
		return err
	}
	if len(args) > 0 {
		return errUsage.With("“dataflow migrate” takes no arguments.")
	}
	cfg, log, err := e.config()
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, log, roleAll, e.say)
	defer func() { err = errors.Join(err, a.close(closeTimeout)) }()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "Database and storage are up to date.")
	return err
}
