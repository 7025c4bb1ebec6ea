package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/warehouse"
)

// files are what a statement reads: where they lie is nobody's business. What a
// lookup reads has an alias of its own.
var files = regexp.MustCompile(`read_parquet\(\[[^\]]*\][^)]*\)( AS l(\d+)\b)?`)

func withoutFiles(sql, dataset string) string {
	return files.ReplaceAllStringFunc(sql, func(read string) string {
		if m := files.FindStringSubmatch(read); m[1] != "" {
			return "lookup_" + m[2] + m[1]
		}
		return `"` + strings.ReplaceAll(dataset, `"`, `""`) + `"`
	})
}

func specText(spec warehouse.Spec) string {
	raw, err := json.Marshal(spec)
	if err != nil {
		return "" // a spec that was asked always encodes
	}
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// definition is how a measure is made, in words.
func (s *schema) definition(fields map[string]string, m warehouse.Measure) string {
	text := ""
	if m.Measure != "" {
		if expression, own := fields[m.Measure]; own {
			text = m.Measure + " = " + expression
		} else if resolved, _ := s.measure(m); resolved.Measure != m.Measure {
			text = m.Measure + " = " + s.definition(fields, resolved)
		} else {
			text = m.Measure
			for _, f := range s.Fields {
				if f.Name == m.Measure {
					text = m.Measure + " = " + f.Expression
				}
			}
		}
	} else {
		switch m.Fn {
		case "count":
			text = "number of rows"
			if m.Column != "" {
				text += " with a value in " + m.Column
			}
		case "count_distinct":
			text = "number of different values of " + m.Column
		case "percentile":
			text = fmt.Sprintf("%g%% percentile of %s", m.Percentile, m.Column)
		case "ratio":
			if m.Numerator != nil && m.Denominator != nil {
				text = s.definition(fields, *m.Numerator) + " ÷ " + s.definition(fields, *m.Denominator)
			}
		default:
			text = m.Fn + " of " + m.Column
		}
	}
	for _, f := range m.Filters {
		note := s.describe(f)
		text += ", where " + note.Field + " " + note.Text
	}
	switch m.Show {
	case "share":
		text += ", as a share of all"
	case "running":
		text += ", running total"
	}
	return text
}

// describe is a condition for people.
func (s *schema) describe(f warehouse.Filter) FilterNote {
	name := f.Column
	if name == "" {
		name = f.Measure
	}
	note := FilterNote{Field: charts.Humanise(lastPart(name))}
	plain := func(raw json.RawMessage) string {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return text
		}
		return string(raw)
	}
	words := make([]string, len(f.Values))
	for i, value := range f.Values {
		words[i] = plain(value)
	}
	op := strings.ReplaceAll(f.Op, "_", " ")
	switch f.Op {
	case "between":
		note.Text = "between " + plain(f.From) + " and " + plain(f.To)
	case "last", "previous", "this":
		note.Text = op
		if f.N > 0 {
			note.Text += fmt.Sprintf(" %d", f.N)
		}
		note.Text += " " + f.Unit
	default:
		note.Text = strings.TrimSpace(op + " " + summary(words))
	}
	if f.Grain != "" {
		note.Text += " (" + strings.ReplaceAll(f.Grain, "_", " ") + ")"
	}
	return note
}
