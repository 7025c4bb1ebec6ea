package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that goose migrates through
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrate brings the schema up to date. url is that of the owner: it creates
// the run-time role, tables and grants. Several processes may call it at once;
// one works, the others wait for it. It answers the version reached.
//
// Errors: database.unavailable.
func Migrate(ctx context.Context, url string) (int64, error) {
	conn, err := sql.Open("pgx", url)
	if err != nil {
		return 0, fmt.Errorf("open database for migration: %w", err)
	}
	defer conn.Close()
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return 0, err
	}
	// Who waits for another asks every second, for ten minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, files, goose.WithSessionLocker(locker))
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate: %w", reachable(err))
	}
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("read schema version: %w", reachable(err))
	}
	return version, nil
}
