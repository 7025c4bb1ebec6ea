package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
)

// row is one measured figure. Met is nil where there is no target: the row is
// then there to be read beside the others.
type row struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target string  `json:"target"`
	Met    *bool   `json:"met"`
}

type report struct{ rows []row }

func (r *report) add(name string, value float64, unit string) {
	r.rows = append(r.rows, row{Name: name, Value: value, Unit: unit})
	fmt.Fprintf(os.Stderr, "   %-64s %10.4g %s\n", name, value, unit)
}

func (r *report) atMost(name string, value float64, unit string, target float64) {
	r.judge(name, value, unit, "≤", target, value <= target)
}

func (r *report) atLeast(name string, value float64, unit string, target float64) {
	r.judge(name, value, unit, "≥", target, value >= target)
}

func (r *report) judge(name string, value float64, unit, sign string, target float64, met bool) {
	r.rows = append(r.rows, row{name, value, unit, fmt.Sprintf("%s %g %s", sign, target, unit), &met})
	verdict := "met"
	if !met {
		verdict = "MISSED"
	}
	fmt.Fprintf(os.Stderr, "   %-64s %10.4g %-6s %s %g %s\n", name, value, unit, sign, target, verdict)
}

func (r *report) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\ttarget\t")
	for _, row := range r.rows {
		verdict := ""
		if row.Met != nil && *row.Met {
			verdict = "met"
		} else if row.Met != nil {
			verdict = "missed"
		}
		fmt.Fprintf(t, "%s\t%.4g %s\t%s\t%s\n", row.Name, row.Value, row.Unit, row.Target, verdict)
	}
	t.Flush()
}

// write stores the rows; a partial run replaces only the rows it measured.
func (r *report) write(path string, partial bool) error {
	rows := r.rows
	if partial {
		old, err := readRows(path)
		if err != nil {
			return err
		}
		rows = mergeRows(old, r.rows)
	}
	encoded, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(encoded, '\n'), 0o644)
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
