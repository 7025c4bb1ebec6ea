package ingest

import (
	"context"
	"io"
	"os"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Reader inspects and loads files.
type Reader struct {
	// Open opens every kind of file but Parquet.
	Open Opener
	// Writer reads Parquet and writes segments. It may be nil where neither
	// is asked for; see NeedsWriter.
	Writer *segments.Writer
}

// NeedsWriter tells whether an inspection needs Reader.Writer: whether the file
// is Parquet. A load always does.
func NeedsWriter(r InspectRequest) bool {
	parquet, err := isParquet(r.Path, r.Options)
	return err == nil && parquet
}

// open opens a file.
func (r *Reader) open(ctx context.Context, path string, options records.Options, limits Limits) (records.Source, error) {
	parquet, err := isParquet(path, options)
	if err != nil {
		return nil, err
	}
	if parquet {
		return openParquet(ctx, r.Writer, path, limits.WithDefaults())
	}
	return r.Open(ctx, path, options, limits)
}

func isParquet(path string, options records.Options) (bool, error) {
	if options.Kind != "" {
		return options.Kind == "parquet", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, errUnreadable.Wrap(err)
	}
	defer file.Close()
	var magic [4]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil {
		return false, nil // too short: the other readers say what it is
	}
	return string(magic[:]) == "PAR1", nil
}
