package files_test

import (
	"os"
	"path/filepath"
	"testing"
	"fmt"

	"github.com/dataflowhq/dataflow/platform/records"
)

func TestTmpCorpus(t *testing.T) {
	root := os.Getenv("CORPUS")
	if root == "" {
		return
	}
	filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if info.IsDir() {
			return nil
		}
		c, err := readFile(t, path, records.Options{})
		if err != nil {
			fmt.Printf("ERR %s: %v\n", path, err)
			return nil
		}
		bad := 0
		reasons := map[string]int{}
		for _, r := range c.rows {
			if r.reason != "" {
				bad++
				reasons[r.reason]++
			}
		}
		data, _ := os.ReadFile(path)
		extra := ""
		if c.format.Compression == "" && c.format.Encoding == "utf-8" && c.format.Kind == "csv" {
			d := rune(0)
			if c.format.Delimiter != "none" {
				d = rune(c.format.Delimiter[0])
			}
			q := rune(0)
			if c.format.Quote != "none" {
				q = rune(c.format.Quote[0])
			}
			text := string(data)
			if c.format.BOM {
				text = text[3:]
			}
			n := countRecords(text, d, q, c.format.Escape == "backslash")
			if c.format.Header {
				n--
			}
			if n != len(c.rows) {
				extra = fmt.Sprintf("MISMATCH %d", n)
			}
		}
		fmt.Printf("%s %q h=%v %s fields=%d rows=%d bad=%d %v %s %.60q\n", filepath.Base(path), c.format.Delimiter, c.format.Header, c.format.Encoding, len(c.names), len(c.rows), bad, reasons, extra, c.names)
		return nil
	})
}
