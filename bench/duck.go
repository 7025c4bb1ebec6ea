package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"
)

// duck is bare DuckDB, set up as somebody would who knows it: the footers of
// files are kept, as the warehouse keeps them, and answers are taken in Arrow
// batches that nobody decodes.
type duck struct {
	db   *sql.DB
	conn *sql.Conn
}

func openDuck(ctx context.Context) (*duck, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	d := &duck{db: db, conn: conn}
	for _, setting := range []string{"SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL parquet_metadata_cache = true"} {
		if _, err := conn.ExecContext(ctx, setting); err != nil {
			d.close()
			return nil, fmt.Errorf("%s: %w", setting, err)
		}
	}
	return d, nil
}

func (d *duck) close() {
	_ = d.conn.Close()
	_ = d.db.Close()
}

// run takes the whole answer without looking at it.
func (d *duck) run(ctx context.Context, query string) error {
	return d.conn.Raw(func(c any) error {
		arrow, err := duckdb.NewArrowFromConn(c.(driver.Conn))
		if err != nil {
			return err
		}
		reader, err := arrow.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer reader.Release()
		for reader.Next() {
		}
		return reader.Err()
	})
}

func (d *duck) answer(ctx context.Context, query string) (answer, error) {
	rows, err := d.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return answerOf(rows)
}
