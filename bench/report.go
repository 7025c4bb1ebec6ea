package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one measured figure. Met is nil where there is no target: the row is
// then there to be read beside the others. The README shows the rows that have
// a target, without those that are a detail of another.
type row struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target string  `json:"target"`
	Met    *bool   `json:"met"`
	Note   string  `json:"note,omitempty"`
	Detail bool    `json:"detail,omitempty"`
}

type report struct{ rows []row }

func (r *report) add(name string, value float64, unit string) {
	r.figure(name).add(value, unit)
}

func (r *report) atMost(name string, value float64, unit string, target float64) {
	r.figure(name).atMost(value, unit, target)
}

func (r *report) atLeast(name string, value float64, unit string, target float64) {
	r.figure(name).atLeast(value, unit, target)
}

// figure is a row that waits for its value.
type figure struct {
	report *report
	row    row
}

func (r *report) figure(name string) *figure { return &figure{r, row{Name: name}} }

// note adds a remark to the value.
func (f *figure) note(text string) *figure {
	f.row.Note = text
	return f
}

// detail keeps the row out of the README.
func (f *figure) detail() *figure {
	f.row.Detail = true
	return f
}

func (f *figure) add(value float64, unit string) {
	f.row.Value, f.row.Unit = value, unit
	f.report.rows = append(f.report.rows, f.row)
	fmt.Fprintf(os.Stderr, "   %-76s %s %s\n", f.row.Name, f.row.measured(), f.row.verdict())
}

func (f *figure) atMost(value float64, unit string, target float64) {
	f.judge(value, unit, "≤", target, value <= target)
}

func (f *figure) atLeast(value float64, unit string, target float64) {
	f.judge(value, unit, "≥", target, value >= target)
}

func (f *figure) judge(value float64, unit, sign string, target float64, met bool) {
	f.row.Target, f.row.Met = sign+" "+amount(target, unit), &met
	f.add(value, unit)
}

// amount writes a figure as people read it: three digits, thousands apart.
func amount(value float64, unit string) string {
	text := strconv.FormatFloat(value, 'f', max(0, 2-int(math.Floor(math.Log10(max(math.Abs(value), 0.01))))), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	for at := len(text) - 3; at > 0 && !strings.Contains(text, "."); at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text + " " + unit
}

func (r row) measured() string {
	if r.Note != "" {
		return amount(r.Value, r.Unit) + " (" + r.Note + ")"
	}
	return amount(r.Value, r.Unit)
}

func (r row) verdict() string {
	switch {
	case r.Met == nil:
		return ""
	case *r.Met:
		return "met"
	}
	return "missed"
}

func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\ttarget\t")
	for _, row := range r.rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", row.Name, row.measured(), row.Target, row.verdict())
	}
	t.Flush()
}

const (
	quoteBegins = "<!-- bench: begin; written by make bench -->\n"
	quoteEnds   = "<!-- bench: end -->"
)

// quoteIn writes the README's table between the marks in a text file.
func quoteIn(path string, rows []row) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), quoteBegins)
	_, after, ends := strings.Cut(rest, quoteEnds)
	if !begins || !ends {
		return fmt.Errorf("%s has no marks for the table", path)
	}
	var table strings.Builder
	table.WriteString("| what | measured | target | |\n|---|---|---|---|\n")
	for _, r := range rows {
		if r.Target != "" && !r.Detail {
			fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", r.Name, r.measured(), r.Target, r.verdict())
		}
	}
	return os.WriteFile(path, []byte(before+quoteBegins+table.String()+quoteEnds+after), 0o644)
}

// write stores the rows and answers all that are stored then; a partial run
// replaces only the rows it measured.
func (r *report) write(path string, partial bool) ([]row, error) {
	rows := r.rows
	if partial {
		old, err := readRows(path)
		if err != nil {
			return nil, err
		}
		rows = mergeRows(old, r.rows)
	}
	encoded, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return nil, err
	}
	return rows, os.WriteFile(path, append(encoded, '\n'), 0o644)
}

func readRows(path string) ([]row, error) {
	encoded, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rows []row
	return rows, json.Unmarshal(encoded, &rows)
}

func mergeRows(old, fresh []row) []row {
	at := map[string]int{}
	for i, o := range old {
		at[o.Name] = i
	}
	for _, f := range fresh {
		if i, known := at[f.Name]; known {
			old[i] = f
		} else {
			old = append(old, f)
		}
	}
	return old
}
