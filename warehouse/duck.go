package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// This file is the only one that calls DuckDB. It uses the driver's C mapping
// and not database/sql, because results are taken over by columns.

// duckError is a failure inside DuckDB.
type duckError struct {
	kind    mapping.ErrorType
	message string
}

func (e *duckError) Error() string { return e.message }

// database is one DuckDB instance.
type database struct {
	db mapping.Database
}

func openDatabase(path string, settings map[string]string) (*database, error) {
	var cfg mapping.Config
	if mapping.CreateConfig(&cfg) != mapping.StateSuccess {
		return nil, errors.New("create DuckDB configuration")
	}
	defer mapping.DestroyConfig(&cfg)
	for name, v := range settings {
		if mapping.SetConfig(cfg, name, v) != mapping.StateSuccess {
			return nil, fmt.Errorf("set DuckDB option %s", name)
		}
	}
	d := &database{}
	var message string
	if mapping.OpenExt(path, &d.db, cfg, &message) != mapping.StateSuccess {
		return nil, fmt.Errorf("open DuckDB: %s", message)
	}
	return d, nil
}

func (d *database) close() { mapping.Close(&d.db) }

func (d *database) connect() (*connection, error) {
	c := &connection{}
	if mapping.Connect(d.db, &c.conn) != mapping.StateSuccess {
		return nil, errors.New("connect to DuckDB")
	}
	return c, nil
}

// connection runs one statement at a time.
type connection struct {
	conn mapping.Connection
	kept []string // temporary tables
}

func (c *connection) close() { mapping.Disconnect(&c.conn) }

// interruptAgain is how often a cancelled statement is reminded: DuckDB
// forgets an interrupt that comes between two of its steps.
const interruptAgain = 20 * time.Millisecond

// watch interrupts the connection while ctx is done, until stop is called.
func (c *connection) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	finished, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		select {
		case <-finished:
			return
		case <-ctx.Done():
		}
		again := time.NewTicker(interruptAgain)
		defer again.Stop()
		for {
			mapping.Interrupt(c.conn)
			select {
			case <-finished:
				return
			case <-again.C:
			}
		}
	}()
	return func() {
		close(finished)
		<-left // an interrupt must not hit the next statement
	}
}

// exec runs one statement for its effect.
func (c *connection) exec(ctx context.Context, sql string) error {
	rows, err := c.query(ctx, sql)
	if err != nil {
		return err
	}
	rows.close()
	return nil
}

// keep makes a temporary table of what a statement gives, until forget.
func (c *connection) keep(ctx context.Context, table, sql string) error {
	c.kept = append(c.kept, table)
	return c.exec(ctx, "CREATE OR REPLACE TEMP TABLE "+table+" AS "+sql)
}

// forget drops the temporary tables.
func (c *connection) forget() error {
	for _, t := range c.kept {
		if err := c.exec(context.Background(), "DROP TABLE IF EXISTS "+t); err != nil {
			return err
		}
	}
	c.kept = nil
	return nil
}

// query runs exactly one statement and gives its whole result.
//
// Errors: ctx.Err() when ctx ended it, else a *duckError.
func (c *connection) query(ctx context.Context, sql string) (*duckRows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := c.watch(ctx)
	defer stop()
	// A statement that reads files is planned when it is prepared and once more
	// when it is executed, so it is run in one go. Nothing runs where a text is
	// more than one statement.
	var parsed mapping.ExtractedStatements
	n := mapping.ExtractStatements(c.conn, sql, &parsed)
	message := ""
	if n != 1 {
		message = fmt.Sprintf("%d statements, not one: %s", n, mapping.ExtractStatementsError(parsed))
	}
	mapping.DestroyExtracted(&parsed)
	if n != 1 {
		return nil, &duckError{mapping.ErrorTypeInvalid, message}
	}
	r := &duckRows{}
	if mapping.Query(c.conn, sql, &r.res) != mapping.StateSuccess {
		err := &duckError{mapping.ResultErrorType(&r.res), mapping.ResultError(&r.res)}
		mapping.DestroyResult(&r.res)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return r, nil
}

// duckRows is a finished result.
type duckRows struct {
	res mapping.Result
}

func (r *duckRows) close() { mapping.DestroyResult(&r.res) }

// duckColumn says how a column's values lie in memory.
type duckColumn struct {
	kind  mapping.Type // for decimals, that of the number inside
	scale uint8
}

func (r *duckRows) columns() []duckColumn {
	n := mapping.ColumnCount(&r.res)
	columns := make([]duckColumn, n)
	for i := range columns {
		kind := mapping.ColumnType(&r.res, mapping.IdxT(i))
		columns[i].kind = kind
		if kind == mapping.TypeDecimal {
			logical := mapping.ColumnLogicalType(&r.res, mapping.IdxT(i))
			columns[i].kind = mapping.DecimalInternalType(logical)
			columns[i].scale = mapping.DecimalScale(logical)
			mapping.DestroyLogicalType(&logical)
		}
	}
	return columns
}

// each calls read for every chunk of the result. The vectors are gone when
// read returns.
func (r *duckRows) each(read func(rows int, vectors []duckVector) error) error {
	n := int(mapping.ColumnCount(&r.res))
	vectors := make([]duckVector, n)
	for {
		chunk := mapping.FetchChunk(r.res)
		if chunk.Ptr == nil {
			return nil
		}
		rows := int(mapping.DataChunkGetSize(chunk))
		for i := range vectors {
			v := mapping.DataChunkGetVector(chunk, mapping.IdxT(i))
			vectors[i] = duckVector{data: mapping.VectorGetData(v), valid: mapping.VectorGetValidity(v), rows: rows}
		}
		err := read(rows, vectors)
		mapping.DestroyDataChunk(&chunk)
		if err != nil {
			return err
		}
	}
}

// duckVector is one column of a chunk, in DuckDB's memory.
type duckVector struct {
	data, valid unsafe.Pointer
	rows        int
}

func (v duckVector) isNull(i int) bool {
	if v.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(v.valid, i/64*8))
	return word&(1<<(i%64)) == 0
}

func vectorOf[T any](v duckVector) []T { return unsafe.Slice((*T)(v.data), v.rows) }

// hugeint is DuckDB's 128-bit integer.
type hugeint struct {
	lower uint64
	upper int64
}

// text copies the string in row i. DuckDB keeps up to 12 bytes in place, and
// more behind a pointer.
func (v duckVector) text(i int) string {
	at := unsafe.Add(v.data, i*16)
	n := int(*(*uint32)(at))
	from := unsafe.Add(at, 4)
	if n > 12 {
		from = *(*unsafe.Pointer)(unsafe.Add(at, 8))
	}
	return string(unsafe.Slice((*byte)(from), n))
}
