package files_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/platform/records"
)

// row is one record as read.
type row struct {
	number int64
	line   int64
	cells  []string
	reason string // why it cannot be loaded, "" otherwise
}

// content is all that a file gave.
type content struct {
	format records.Format
	names  []string
	rows   []row
}

// readAll reads a source with as many goroutines as asked.
func readAll(ctx context.Context, source records.Source, readers int) ([]row, error) {
	var (
		mu      sync.Mutex
		batches = map[int64][]row{}
		failed  error
		wg      sync.WaitGroup
	)
	for range readers {
		wg.Go(func() {
			for {
				b, err := source.Next(ctx)
				if err != nil {
					mu.Lock()
					if !errors.Is(err, io.EOF) && failed == nil {
						failed = err
					}
					mu.Unlock()
					return
				}
				rows := make([]row, b.Records)
				for i := range rows {
					rows[i] = row{number: b.FirstRecord + int64(i), line: b.Lines[i]}
					for f := range b.Fields {
						var scratch []byte
						rows[i].cells = append(rows[i].cells, string(b.Cell(i, f, &scratch)))
					}
				}
				for _, p := range b.Problems {
					rows[p.Index].reason = p.Reason
				}
				mu.Lock()
				batches[b.Seq] = rows
				mu.Unlock()
				b.Release()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	var all []row
	for seq := range int64(len(batches)) {
		all = append(all, batches[seq]...)
	}
	return all, nil
}

func readFile(t testing.TB, path string, options records.Options) (content, error) {
	t.Helper()
	return readChunks(t, path, options, 0)
}

// readChunks reads a file in pieces of about chunk bytes, 0 for the usual size.
func readChunks(t testing.TB, path string, options records.Options, chunk int) (content, error) {
	t.Helper()
	source, err := files.Open(t.Context(), path, options, records.Limits{TempDir: os.TempDir(), MaxRecordBytes: 4 << 20})
	if err != nil {
		return content{}, err
	}
	defer source.Close()
	if chunk > 0 {
		files.SetChunk(source, chunk)
	}
	c := content{format: source.Format()}
	for _, f := range source.Fields() {
		c.names = append(c.names, f.Name)
	}
	c.rows, err = readAll(t.Context(), source, 2)
	return c, err
}

func write(t testing.TB, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
