package reports

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/blob"
)

// A disk that is full while a file is written is said as such.
func TestDiskFullWhileAFileIsWritten(t *testing.T) {
	t.Parallel()
	_, err := renderFile("/dev/full", func(out io.Writer) (Stated, error) {
		_, err := io.Copy(out, strings.NewReader(strings.Repeat("row\r\n", 100_000)))
		return Stated{}, err
	})
	if !errors.Is(err, blob.ErrFull) {
		t.Errorf("got %v, want storage.full", err)
	}
}
