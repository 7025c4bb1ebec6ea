package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Role is the run-time role. It owns nothing and cannot bypass row-level
// security.
const Role = "dataflow_app"

// ErrUnsafeRole refuses a connection that row-level security would not bind.
var ErrUnsafeRole = apperr.Define(apperr.Internal, "database.unsafe_role",
	"The database role bypasses row-level security. Connect as dataflow_app, or as a role that may become it.")

// ErrRole refuses a connection that may not become Role.
var ErrRole = apperr.Define(apperr.Internal, "database.role",
	"The database role may not become dataflow_app. Let the owner of the schema grant it.")

// ErrUnavailable means that PostgreSQL can't be reached, or is just stopping or
// starting.
var ErrUnavailable = apperr.Define(apperr.Unavailable, "database.unavailable",
	"The database does not answer. Nothing was changed. Try again in a moment.")

// ErrOutcomeUnknown means that the connection was lost on the way of a COMMIT or
// of its answer.
var ErrOutcomeUnknown = apperr.Define(apperr.Unavailable, "database.outcome_unknown",
	"The database was lost while a change was being stored, so the change may be there or not. Look before you try again.")

// ErrDiskFull means that PostgreSQL has no room to write.
var ErrDiskFull = apperr.Define(apperr.Unavailable, "database.disk_full",
	"The disk of the database is full. Nothing was changed. Try again when there is room.")

// Config says how to reach PostgreSQL.
type Config struct {
	URL      string
	MaxConns int32 // default: 4 a processor, at least 4
	Tracer   pgx.QueryTracer
}

// DB is a pool of connections under the run-time role.
type DB struct {
	pool       *pgxpool.Pool
	placements placements
	checks     sessionChecks
}

// Open connects. When URL names another role than Role, every connection
// becomes Role; a role that could bypass row-level security is refused.
func Open(ctx context.Context, config Config) (*DB, error) {
	pc, err := pgxpool.ParseConfig(config.URL)
	if err != nil {
		return nil, fmt.Errorf("read database url: %w", err)
	}
	if config.MaxConns > 0 {
		pc.MaxConns = config.MaxConns
	}
	pc.ConnConfig.Tracer = config.Tracer
	pc.ConnConfig.RuntimeParams["application_name"] = "dataflow"
	pc.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pc.AfterConnect = assumeRole
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{pool: pool}
	if err := db.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach database: %w", reachable(err))
	}
	return db, nil
}

func assumeRole(ctx context.Context, conn *pgx.Conn) error {
	var user string
	if err := conn.QueryRow(ctx, "SELECT session_user").Scan(&user); err != nil {
		return err
	}
	if user != Role {
		_, err := conn.Exec(ctx, "SET ROLE "+Role)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "42501" {
			return ErrRole.With("The database role %s may not become %[2]s. Let the owner of the schema run: GRANT %[2]s TO %[3]s", user, Role, pgx.Identifier{user}.Sanitize()).Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("become %s: %w", Role, err)
		}
	}
	var unsafe bool
	err := conn.QueryRow(ctx, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&unsafe)
	if err != nil {
		return err
	}
	if unsafe {
		return ErrUnsafeRole
	}
	return nil
}

// Ping tells whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.pool.Ping(ctx) }

// Close waits for connections in use and closes all.
func (d *DB) Close() { d.pool.Close() }

// IsNoRows tells whether a :one query found nothing.
func IsNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// IsUniqueViolation tells whether err is a second row under a unique index,
// and which index.
func IsUniqueViolation(err error) (index string, ok bool) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" {
		return pg.ConstraintName, true
	}
	return "", false
}

// reachable turns failures of the connection into ErrUnavailable, and a full disk
// into ErrDiskFull. It is for what changes nothing unless it is committed later.
func reachable(err error) error {
	var connect *pgconn.ConnectError
	var network *net.OpError
	var pg *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
	case errors.As(err, &pg) && (pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03" || pg.Code == "53300"):
		// Being shut down, having crashed, not ready yet, too many connections.
	case pg != nil && pg.Code == "53100":
		return ErrDiskFull.Wrap(err)
	default:
		return err
	}
	return ErrUnavailable.Wrap(err)
}

// cutOff turns the error of a transaction's statement into ErrUnavailable where
// it took the connection along: the transaction is then rolled back. What has a
// code already keeps it.
func cutOff(conn *pgx.Conn, err error) error {
	var coded *apperr.Error
	var kind *apperr.Kind
	if errors.As(err, &coded) || errors.As(err, &kind) {
		return err
	}
	if conn.IsClosed() && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return ErrUnavailable.Wrap(err)
	}
	return reachable(err)
}

// IsForeignKeyViolation tells whether err is a reference to a missing row.
func IsForeignKeyViolation(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503"
}
