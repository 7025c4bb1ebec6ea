package ingest

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/platform/records"
)

// reject is one record that is not loaded.
type reject struct {
	record   int64
	line     int64
	failures []failure // at least one; the first is the one reported
	raw      string
}

// rejectsFile writes rejected records as CSV, in the order of the file, and
// groups them.
type rejectsFile struct {
	path     string
	file     *os.File
	buffer   *bufio.Writer
	csv      *csv.Writer
	count    int64
	groups   map[groupKey]*RejectGroup
	format   records.Format
	byColumn map[int]int64 // rejected records by position of the column
}

type groupKey struct{ column, reason string }

func newRejects(path string, format records.Format) *rejectsFile {
	return &rejectsFile{path: path, format: format, groups: map[groupKey]*RejectGroup{}, byColumn: map[int]int64{}}
}

func (f *rejectsFile) add(r *reject) error {
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return diskError(fmt.Errorf("rejects file: %w", err))
		}
		f.file, f.buffer = file, bufio.NewWriterSize(file, 256<<10)
		f.csv = csv.NewWriter(f.buffer)
		if err := f.csv.Write([]string{"line", "record", "column", "value", "reason", "message", "also", "raw"}); err != nil {
			return diskError(fmt.Errorf("rejects file: %w", err))
		}
	}
	f.count++
	first := &r.failures[0]
	name := ""
	if first.column != nil {
		name = first.column.Column.Name
		f.byColumn[first.column.Position]++
	}
	group := f.groups[groupKey{name, first.reason}]
	if group == nil {
		group = &RejectGroup{
			Column: name, Reason: first.reason, Text: reasonText(first), Record: r.record, Line: r.line,
			Value: records.Legible(first.value), Fix: fixFor(first, f.format.Encoding),
		}
		f.groups[groupKey{name, first.reason}] = group
	}
	group.Count++
	var also []string
	for i := range r.failures[1:] {
		o := &r.failures[i+1]
		if o.column != nil {
			also = append(also, o.column.Column.Name+": "+reasonText(o))
		}
	}
	err := f.csv.Write([]string{
		strconv.FormatInt(r.line, 10), strconv.FormatInt(r.record, 10), harmless(name), harmless(first.value),
		first.reason, reasonText(first), harmless(strings.Join(also, "; ")), harmless(r.raw),
	})
	if err != nil {
		return diskError(fmt.Errorf("rejects file: %w", err))
	}
	return nil
}

// harmless is records.Harmless, without bytes that are not UTF-8.
func harmless(cell string) string { return records.Harmless(strings.ToValidUTF8(cell, "\uFFFD")) }

// finish closes the file and answers its path and size; "" without rejects.
func (f *rejectsFile) finish() (path string, bytes int64, err error) {
	if f.file == nil {
		return "", 0, nil
	}
	f.csv.Flush()
	err = f.csv.Error()
	if flushed := f.buffer.Flush(); err == nil {
		err = flushed
	}
	if err == nil {
		var info os.FileInfo
		if info, err = f.file.Stat(); err == nil {
			bytes = info.Size()
		}
	}
	if closed := f.file.Close(); err == nil {
		err = closed
	}
	f.file = nil
	if err != nil {
		return "", 0, diskError(fmt.Errorf("rejects file: %w", err))
	}
	return f.path, bytes, nil
}

// discard removes the file.
func (f *rejectsFile) discard() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
	os.Remove(f.path)
}

// list answers the groups, largest first.
func (f *rejectsFile) list() []RejectGroup {
	var groups []RejectGroup
	for _, g := range f.groups {
		groups = append(groups, *g)
	}
	sort.Slice(groups, func(i, j int) bool {
		a, b := groups[i], groups[j]
		if a.Count != b.Count {
			return a.Count > b.Count
		}
		return a.Record < b.Record
	})
	return groups
}
