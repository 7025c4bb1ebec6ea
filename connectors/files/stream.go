package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/dataflowhq/dataflow/platform/records"
)

// countingReader counts what was read of the stored file, for progress.
type countingReader struct {
	from io.Reader
	read atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read.Add(int64(n))
	if err != nil && err != io.EOF {
		err = ErrUnreadable.Wrap(err)
	}
	return n, err
}

// stream is the unpacked content of a stored file.
type stream struct {
	file        *os.File
	counter     *countingReader
	size        int64
	compression string
	body        io.Reader
	closers     []func()
}

// openStream opens a file and unpacks it. What it is packed with comes from
// its first bytes, never from its name.
func openStream(path string, limits records.Limits) (*stream, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, ErrUnreadable.Wrap(err)
	}
	s := &stream{file: file, counter: &countingReader{from: file}}
	s.closers = append(s.closers, func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		s.Close()
		return nil, ErrUnreadable.Wrap(err)
	}
	s.size = info.Size()
	if s.size == 0 {
		s.Close()
		return nil, ErrEmpty
	}
	var magic [4]byte
	n, err := file.ReadAt(magic[:], 0)
	if err != nil && err != io.EOF {
		s.Close()
		return nil, ErrUnreadable.Wrap(err)
	}
	if err := s.unpack(magic[:n], limits); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *stream) unpack(magic []byte, limits records.Limits) error {
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unzipped, err := gzip.NewReader(s.counter)
		if err != nil {
			return badArchive(err)
		}
		s.compression = "gzip"
		s.body = &boundedReader{from: unzipped, packed: &s.counter.read, limits: limits}
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unzipped, err := zstd.NewReader(s.counter, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(64<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return badArchive(err)
		}
		s.closers = append(s.closers, unzipped.Close)
		s.compression = "zstd"
		s.body = &boundedReader{from: unzipped, packed: &s.counter.read, limits: limits}
	default:
		s.body = s.counter
	}
	return nil
}

func (s *stream) Close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// boundedReader refuses to unpack more than the limits allow.
type boundedReader struct {
	from     io.Reader
	packed   *atomic.Int64
	limits   records.Limits
	expanded int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.expanded += int64(n)
	if err := checkExpansion(b.packed.Load(), b.expanded, b.limits); err != nil {
		return 0, err
	}
	if err != nil && err != io.EOF && !errors.Is(err, ErrUnreadable) {
		err = badArchive(err)
	}
	return n, err
}

func checkExpansion(packed, expanded int64, limits records.Limits) error {
	if expanded > limits.MaxExpandedBytes {
		return ErrTooLargeExpanded.With("The file unpacks to more than %s. It was not read.", sizeText(limits.MaxExpandedBytes))
	}
	if expanded > records.ExpansionFrom && float64(expanded) > limits.MaxExpansion*float64(packed) {
		return ErrTooLargeExpanded.With("The file unpacks to more than %.0f times its size. It was not read.", limits.MaxExpansion)
	}
	return nil
}

func badArchive(cause error) error {
	if errors.Is(cause, zstd.ErrWindowSizeExceeded) || errors.Is(cause, zstd.ErrDecoderSizeExceeded) {
		return ErrTooLargeExpanded.Wrap(cause)
	}
	return ErrBadArchive.Wrap(cause)
}

func sizeText(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.4g GB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.4g MB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.4g kB", float64(bytes)/(1<<10))
}
