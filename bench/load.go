package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the raw engine that loads are measured against
)

// copyCommand makes this program run one bare DuckDB COPY and exit, so that
// its processor time and its memory are those of a process of its own.
const copyCommand = "duckdb-copy"

func runCopy(args []string) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(fmt.Sprintf("COPY (FROM read_csv('%s')) TO '%s' (FORMAT parquet, COMPRESSION snappy)", args[0], args[1]))
	return err
}

// processCost is what a whole child process took.
type processCost struct {
	cost
	peakBytes int64
	output    string
}

func runProcess(ctx context.Context, env []string, name string, args ...string) (processCost, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	c := processCost{output: out.String()}
	c.wall = time.Since(start)
	if cmd.ProcessState != nil {
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			// Children that the process has waited for (the limited reader)
			// are counted too; Maxrss is that of the largest single process.
			c.cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
			c.peakBytes = u.Maxrss * 1024
		}
	}
	if err != nil {
		return c, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, errOut.String())
	}
	return c, nil
}

// salesCSV generates the sales file once a run.
func salesCSV(o *options) (string, error) {
	path := filepath.Join(o.work, fmt.Sprintf("sales-%d.csv", o.salesRows))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintf(os.Stderr, "   writing %d sales\n", o.salesRows)
	return path, writeSales(path, o.salesRows)
}

var salesTypes = []string{
	"--type", "sold_at=timestamptz", "--type", "store=integer", "--type", "product=text", "--type", "category=text",
	"--type", "channel=text", "--type", "quantity=integer", "--type", "amount=decimal(18,2)", "--type", "returned=boolean",
}

// benchLoad loads about 500 MB of CSV through the shell command, as a user
// would, and through a bare DuckDB COPY of the same file.
func benchLoad(ctx context.Context, o *options, out *report) error {
	load := *o
	load.salesRows = o.salesRows * 7 / 10 // 7 M rows are 500 MB
	file, err := salesCSV(&load)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	out.add("load: size of the file", float64(info.Size())/1e6, "MB")

	server, err := startServer(ctx, o, filepath.Join(o.work, "load"))
	if err != nil {
		return err
	}
	defer server.stop()

	self, err := os.Executable()
	if err != nil {
		return err
	}
	bare, err := runProcess(ctx, nil, self, copyCommand, file, filepath.Join(o.work, "bare.parquet"))
	if err != nil {
		return err
	}
	given, err := runProcess(ctx, server.env, o.binary, append([]string{"import", file, "--dataset", "given"}, salesTypes...)...)
	if err != nil {
		return err
	}
	inferred, err := runProcess(ctx, server.env, o.binary, "import", file, "--dataset", "inferred")
	if err != nil {
		return err
	}
	var answer struct {
		Loaded   int `json:"rows_loaded"`
		Rejected int `json:"rows_rejected"`
	}
	if err := json.Unmarshal([]byte(inferred.output), &answer); err != nil {
		return err
	}
	if answer.Loaded != load.salesRows || answer.Rejected != 0 {
		return fmt.Errorf("loaded %d and rejected %d of %d rows", answer.Loaded, answer.Rejected, load.salesRows)
	}
	out.add("load: bare DuckDB COPY, CPU", bare.cpu.Seconds(), "s")
	out.add("load: bare DuckDB COPY, wall", bare.wall.Seconds(), "s")
	out.add("load: types given, wall", given.wall.Seconds(), "s")
	out.add("load: full inference, wall", inferred.wall.Seconds(), "s")
	out.atLeast("load: bare COPY / types given, CPU", bare.cpu.Seconds()/given.cpu.Seconds(), "×", 0.6)
	out.atLeast("load: bare COPY / full inference, CPU", bare.cpu.Seconds()/inferred.cpu.Seconds(), "×", 0.4)
	out.add("load: bare COPY / types given, wall", bare.wall.Seconds()/given.wall.Seconds(), "×")
	out.add("load: bare DuckDB COPY, peak memory", float64(bare.peakBytes)/1e6, "MB")
	out.atMost("load: peak memory of one process", float64(max(given.peakBytes, inferred.peakBytes))/1e6, "MB", 400)
	return nil
}
