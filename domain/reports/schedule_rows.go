package reports

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/tenants"
)

// Rows say which rows are left: those that have one of the values in the column
// of the name, which may be "lookup.column", for each name.
type Rows map[string][]string

// Limits of what a schedule says about the rows of one recipient.
const (
	maxRowColumns = 10
	maxRowValues  = 200
)

// parseRows reads ScheduleForm.Rows, by recipient in small letters.
//
// Errors: reports.schedule_invalid.
func parseRows(text string) (map[string]Rows, error) {
	var all map[string]Rows
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		who, rest, ok := strings.Cut(line, ":")
		who = strings.ToLower(strings.TrimSpace(who))
		if !ok || who == "" {
			return nil, ErrScheduleInvalid.With("“%.80s” can't be read. Write an e-mail address, a colon, and column = value.", line)
		}
		rows := Rows{}
		for _, part := range splitUnquoted(rest, ';') {
			if strings.TrimSpace(part) == "" {
				continue
			}
			column, values, ok := cutColumn(part)
			if !ok || column == "" || strings.TrimSpace(values) == "" {
				return nil, ErrScheduleInvalid.With("“%.80s” can't be read. Write column = value, value.", strings.TrimSpace(part))
			}
			for _, value := range splitUnquoted(values, ',') {
				if value = unquote(strings.TrimSpace(value)); !slices.Contains(rows[column], value) {
					rows[column] = append(rows[column], value)
				}
			}
			if len(rows[column]) > maxRowValues || len(rows) > maxRowColumns {
				return nil, ErrScheduleInvalid.With("The rows of one recipient go by at most %d columns with %d values each.", maxRowColumns, maxRowValues)
			}
		}
		if len(rows) == 0 {
			return nil, ErrScheduleInvalid.With("For %s no column is named. Write column = value, or take the line out.", who)
		}
		if _, twice := all[who]; twice {
			return nil, ErrScheduleInvalid.With("%s has two lines. Put them into one, with a semicolon between.", who)
		}
		if all == nil {
			all = map[string]Rows{}
		}
		all[who] = rows
	}
	return all, nil
}

// String is what parseRows reads of one recipient.
func (r Rows) String() string {
	var parts []string
	for _, column := range slices.Sorted(maps.Keys(r)) {
		var values []string
		for _, value := range r[column] {
			if value == "" || strings.ContainsAny(value, `,;"`) || strings.TrimSpace(value) != value {
				value = inQuotes(value)
			}
			values = append(values, value)
		}
		if strings.ContainsAny(column, `:=;"`) {
			column = inQuotes(column)
		}
		parts = append(parts, column+" = "+strings.Join(values, ", "))
	}
	return strings.Join(parts, "; ")
}

// encode is the JSON that the database keeps.
func (r Rows) encode() []byte {
	if len(r) == 0 {
		return []byte("{}")
	}
	text, _ := json.Marshal(r) // texts always encode
	return text
}

// encodeFixed is the JSON of the attributes of an address; nil where it has none.
func encodeFixed(attributes Rows) json.RawMessage {
	if attributes == nil {
		return nil
	}
	return attributes.encode()
}

// cleanAttributes are attributes as those of people are kept.
//
// Errors: tenants.attributes_invalid.
func cleanAttributes(list Rows) (Rows, error) {
	clean, err := tenants.Attributes(list).Clean()
	return Rows(clean), err
}

// splitUnquoted cuts a text at a mark that stands in no quotes.
func splitUnquoted(text string, at rune) (parts []string) {
	quoted, from := false, 0
	for i, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case r == at && !quoted:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// cutColumn cuts a column from its values: at an equals sign or, as attributes
// of people are written, a colon, whichever comes first.
func cutColumn(part string) (column, values string, ok bool) {
	named := splitUnquoted(part, '=')[0]
	named = splitUnquoted(named, ':')[0]
	if len(named) == len(part) {
		return "", "", false
	}
	return unquote(strings.TrimSpace(named)), part[len(named)+1:], true
}

func inQuotes(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

func unquote(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
	}
	return text
}
