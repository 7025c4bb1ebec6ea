package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the peer

	"github.com/dataflowhq/dataflow/platform/devstack"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// postgres is a private PostgreSQL with the same rows.
type postgres struct {
	o     *options
	lease *devstack.Lease
	db    *sql.DB
	pid   int
}

func startPostgres(ctx context.Context, o *options) (*postgres, error) {
	p := &postgres{o: o}
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	// What an administrator gives a reporting database on a machine of this
	// size; it takes effect with the next start.
	for _, setting := range []string{"shared_buffers = '1GB'", "effective_cache_size = '4GB'", "work_mem = '256MB'",
		"maintenance_work_mem = '512MB'", "max_wal_size = '4GB'", "max_parallel_workers_per_gather = 2", "jit = off"} {
		if _, err := p.db.ExecContext(ctx, "ALTER SYSTEM SET "+setting); err != nil {
			p.stop()
			return nil, err
		}
	}
	p.stop()
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	var shared string
	err := p.db.QueryRowContext(ctx, "SHOW shared_buffers").Scan(&shared)
	if err == nil && shared != "1GB" {
		err = fmt.Errorf("PostgreSQL runs with shared_buffers = %s", shared)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// open starts the server and finds its process. data_directory is a descriptor
// that only the server holds, so the parent of a backend tells.
func (p *postgres) open(ctx context.Context) error {
	lease, err := devstack.Use(ctx, devstack.Options{DataDir: filepath.Join(p.o.work, "postgres"), Postgres: true,
		Command: []string{p.o.binary}})
	if err != nil {
		return err
	}
	p.lease = lease
	if p.db, err = sql.Open("pgx", lease.AdminURL); err != nil {
		_ = lease.Release(ctx)
		return err
	}
	var backend int
	if err := p.db.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		p.stop()
		return err
	}
	fields := statFields(backend)
	if fields == nil {
		p.stop()
		return fmt.Errorf("process %d of PostgreSQL is not in /proc", backend)
	}
	p.pid, err = strconv.Atoi(fields[1])
	return err
}

func (p *postgres) stop() {
	_ = p.db.Close()
	_ = p.lease.Release(context.Background())
}

// copyDataset makes a table of the dataset's rows with an index on each of the
// named columns.
func (p *postgres) copyDataset(ctx context.Context, d *warehouse.Dataset, table string, indexes ...string) error {
	types := map[warehouse.Type]string{warehouse.Integer: "bigint", warehouse.Decimal: "numeric", warehouse.Float: "float8",
		warehouse.Boolean: "boolean", warehouse.Date: "date", warehouse.Timestamp: "timestamp", warehouse.TimestampTZ: "timestamptz",
		warehouse.Text: "text"}
	var columns, names []string
	for _, c := range d.Columns {
		columns = append(columns, fmt.Sprintf("%q %s", c.Name, types[c.Type]))
		names = append(names, segments.ColumnName(c.ID))
	}
	duck, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer duck.Close()
	file := filepath.Join(p.o.work, table+".tsv")
	defer os.Remove(file)
	_, err = duck.ExecContext(ctx, fmt.Sprintf("SET TimeZone = 'UTC'; COPY (SELECT %s FROM %s) TO '%s' (FORMAT csv, HEADER false)",
		strings.Join(names, ", "), scan(d), file))
	if err != nil {
		return err
	}
	if err := os.Chmod(file, 0o644); err != nil {
		return err
	}
	for _, statement := range append([]string{
		"DROP TABLE IF EXISTS " + table,
		"CREATE TABLE " + table + " (" + strings.Join(columns, ", ") + ")",
		"COPY " + table + " FROM '" + file + "' (FORMAT csv)",
	}, indexStatements(table, indexes)...) {
		if _, err := p.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	// What the server would do later by itself must not fall into a measurement.
	for _, statement := range []string{"ALTER TABLE " + table + " SET (autovacuum_enabled = off)", "VACUUM (FREEZE, ANALYZE) " + table, "CHECKPOINT"} {
		if _, err := p.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func indexStatements(table string, columns []string) []string {
	var list []string
	for _, c := range columns {
		list = append(list, fmt.Sprintf("CREATE INDEX ON %s (%q)", table, c))
	}
	if len(columns) > 1 {
		list = append(list, fmt.Sprintf("CREATE INDEX ON %s (%q, %q DESC)", table, columns[1], columns[0]))
	}
	return list
}

// measure takes the CPU time of the whole server around a query. It counts in
// steps of 10 ms, so quick queries are repeated.
func (p *postgres) measure(ctx context.Context, query string) (cost, error) {
	before, start := treeCPU(p.pid), time.Now()
	runs := 0
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for runs == 0 || time.Since(start) < 200*time.Millisecond {
		err := p.run(limited, query)
		if err != nil && (limited.Err() == nil || ctx.Err() != nil) {
			return cost{}, err
		}
		runs++
		if err != nil {
			break // what it cost so far is a lower bound
		}
	}
	n := time.Duration(runs)
	return cost{wall: time.Since(start) / n, cpu: (treeCPU(p.pid) - before) / n}, nil
}

// patience is how long a query may take in PostgreSQL. One that takes longer is
// stopped and counts as what it cost until then.
const patience = time.Minute

// answer takes the rows of a query; stopped where it lost the patience.
func (p *postgres) answer(ctx context.Context, query string) (a answer, stopped bool, err error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := p.db.QueryContext(limited, query)
	if err == nil {
		a, err = answerOf(rows)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, true, nil
	}
	return a, false, err
}

// run takes the whole answer without looking at it.
func (p *postgres) run(ctx context.Context, query string) error {
	rows, err := p.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
