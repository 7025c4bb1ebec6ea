package warehouse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Limits of one spec. They keep planning cheap whatever is sent.
const (
	MaxSpecBytes    = 1 << 20
	MaxMeasures     = 50
	maxDimensions   = 8
	maxColumns      = 2_000 // as many as files have at most
	maxFilters      = 50
	maxFilterValues = 10_000
	maxOrder        = 16
	maxGroups       = 200
	maxNesting      = 4
	maxNameBytes    = 400
	maxTextBytes    = 10_000
	maxRelativeN    = 100_000

	// DefaultLimit is the number of rows of an answer whose spec has none.
	DefaultLimit = 1_000
	// MaxLimit is the largest number of rows a spec may ask for, MaxOffset of
	// those that it may leave out before them.
	MaxLimit  = 100_000
	MaxOffset = 10_000_000
)

// ParseSpec reads a spec from JSON. It knows nothing of datasets: names of
// columns are checked when the query is run.
//
// Errors: query.invalid_json, query.unknown_key, query.duplicate_key,
// query.value_type, query.missing_key, query.too_complex.
func ParseSpec(data []byte) (Spec, error) {
	if len(data) > MaxSpecBytes {
		return Spec{}, ErrTooComplex.With("The query has %d bytes; the limit is %d.", len(data), MaxSpecBytes)
	}
	if !utf8.Valid(data) {
		return Spec{}, ErrSpecJSON.With("The query is not valid UTF-8.")
	}
	if err := checkJSON(data); err != nil {
		return Spec{}, err
	}
	r := specReader{}
	spec := r.spec(data)
	if r.err != nil {
		return Spec{}, r.err
	}
	if err := spec.check(); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

func checkJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line, column := position(data, syntax.Offset)
			return ErrSpecJSON.With("The query is not valid JSON: line %d, column %d: %s.", line, column, syntax.Error()).Wrap(err)
		}
		return ErrSpecJSON.With("The query is not valid JSON: it ends too early.").Wrap(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return ErrSpecJSON.With("There is text after the end of the query.")
	}
	return nil
}

func position(data []byte, offset int64) (line, column int) {
	offset = min(max(offset, 0), int64(len(data)))
	before := data[:offset]
	line = 1 + bytes.Count(before, []byte{'\n'})
	column = len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return line, max(column, 1)
}

// specReader walks JSON that is known to be well-formed. The first error
// stays; later reads answer zero values.
type specReader struct {
	err   error
	depth int
}

func (r *specReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// object calls the reader of each key of raw and refuses other keys.
func (r *specReader) object(raw json.RawMessage, path string, keys []string, read func(key string, value json.RawMessage, path string)) {
	if r.err != nil {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if delim, ok := open.(json.Delim); err != nil || !ok || delim != '{' {
		r.fail(wrongType(path, "an object", raw))
		return
	}
	seen := make(map[string]bool, len(keys))
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			r.fail(ErrSpecJSON.Wrap(err))
			return
		}
		key, _ := token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			r.fail(ErrSpecJSON.Wrap(err))
			return
		}
		if !contains(keys, key) {
			if len(key) > 100 {
				key = strings.ToValidUTF8(key[:100], "") + "…"
			}
			where := "The query"
			if path != "" {
				where = path
			}
			r.fail(ErrUnknownKey.With("%s has an unknown key %q.%s", where, key, didYouMean(key, keys)))
			return
		}
		if seen[key] {
			r.fail(ErrDuplicateKey.With("%s is given twice.", join(path, key)))
			return
		}
		seen[key] = true
		read(key, value, join(path, key))
		if r.err != nil {
			return
		}
	}
}

func (r *specReader) list(raw json.RawMessage, path string, limit int, read func(item json.RawMessage, path string)) {
	if r.err != nil {
		return
	}
	var items []json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &items) != nil {
		r.fail(wrongType(path, "a list", raw))
		return
	}
	if len(items) > limit {
		r.fail(ErrTooComplex.With("%s has %d entries; the limit is %d.", path, len(items), limit))
		return
	}
	for i, item := range items {
		read(item, fmt.Sprintf("%s[%d]", path, i))
		if r.err != nil {
			return
		}
	}
}

func (r *specReader) text(raw json.RawMessage, path string) string {
	if r.err != nil {
		return ""
	}
	var s string
	if isNull(raw) || json.Unmarshal(raw, &s) != nil {
		r.fail(wrongType(path, "a text", raw))
		return ""
	}
	if len(s) > maxNameBytes {
		r.fail(ErrTooComplex.With("%s is longer than %d bytes.", path, maxNameBytes))
		return ""
	}
	return s
}

func (r *specReader) boolean(raw json.RawMessage, path string) bool {
	if r.err != nil {
		return false
	}
	var b bool
	if isNull(raw) || json.Unmarshal(raw, &b) != nil {
		r.fail(wrongType(path, "true or false", raw))
	}
	return b
}

func (r *specReader) integer(raw json.RawMessage, path string) int {
	f := r.number(raw, path)
	if r.err == nil && (f != math.Trunc(f) || math.Abs(f) > 1e15) {
		r.fail(wrongType(path, "a whole number", raw))
		return 0
	}
	return int(f)
}

func (r *specReader) number(raw json.RawMessage, path string) float64 {
	if r.err != nil {
		return 0
	}
	var f float64
	if isNull(raw) || json.Unmarshal(raw, &f) != nil {
		r.fail(wrongType(path, "a number", raw))
		return 0
	}
	return f
}

// width is that of bins: 0 in a spec's text is a mistake, and no bins at all in Go.
func (r *specReader) width(raw json.RawMessage, path string) float64 {
	f := r.number(raw, path)
	if r.err == nil && f == 0 {
		r.fail(ErrBin.With("%s needs a bin above 0.", path))
	}
	return f
}

// scalar keeps a value as it is; its type is checked against the column later.
func (r *specReader) scalar(raw json.RawMessage, path string) json.RawMessage {
	if r.err != nil {
		return nil
	}
	if c := raw[0]; c == '{' || c == '[' {
		r.fail(wrongType(path, "a text, a number, true, false or null", raw))
		return nil
	}
	if len(raw) > maxTextBytes {
		r.fail(ErrTooComplex.With("%s is longer than %d bytes.", path, maxTextBytes))
		return nil
	}
	return bytes.Clone(raw)
}

var (
	specKeys = []string{"dataset", "timezone", "measures", "dimensions", "columns", "filters",
		"order", "limit", "offset", "other", "comparison", "fields"}
	measureKeys = []string{"fn", "column", "percentile", "numerator", "denominator", "measure",
		"filters", "show", "as"}
	dimensionKeys = []string{"column", "grain", "bin", "as", "bins", "groups", "other"}
	filterKeys    = []string{"column", "measure", "op", "values", "from", "to", "n", "unit",
		"grain", "bin", "bins", "groups", "other"}
	orderKeys      = []string{"by", "desc"}
	comparisonKeys = []string{"period", "column", "n", "unit"}
)

func (r *specReader) spec(raw json.RawMessage) Spec {
	var s Spec
	r.object(raw, "", specKeys, func(key string, value json.RawMessage, path string) {
		switch key {
		case "dataset":
			s.Dataset = r.text(value, path)
		case "timezone":
			s.Timezone = r.text(value, path)
		case "measures":
			r.list(value, path, MaxMeasures, func(item json.RawMessage, path string) {
				s.Measures = append(s.Measures, r.measure(item, path))
			})
		case "dimensions":
			r.list(value, path, maxDimensions, func(item json.RawMessage, path string) {
				s.Dimensions = append(s.Dimensions, r.dimension(item, path))
			})
		case "columns":
			r.list(value, path, maxColumns, func(item json.RawMessage, path string) {
				s.Columns = append(s.Columns, r.text(item, path))
			})
		case "filters":
			s.Filters = r.filters(value, path)
		case "order":
			r.list(value, path, maxOrder, func(item json.RawMessage, path string) {
				s.Order = append(s.Order, r.order(item, path))
			})
		case "limit":
			s.Limit = r.integer(value, path)
			if r.err == nil && s.Limit == 0 {
				r.fail(ErrLimit.With("limit must be at least 1."))
			}
		case "offset":
			s.Offset = r.integer(value, path)
		case "fields":
			s.Fields = r.fields(value, path)
		case "other":
			s.Other = r.boolean(value, path)
		case "comparison":
			s.Comparison = &Comparison{}
			r.object(value, path, comparisonKeys, func(key string, value json.RawMessage, path string) {
				switch key {
				case "period":
					s.Comparison.Period = r.text(value, path)
				case "column":
					s.Comparison.Column = r.text(value, path)
				case "n":
					s.Comparison.N = r.integer(value, path)
				case "unit":
					s.Comparison.Unit = r.text(value, path)
				}
			})
		}
	})
	return s
}

func (r *specReader) measure(raw json.RawMessage, path string) Measure {
	var m Measure
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > maxNesting {
		r.fail(ErrTooComplex.With("%s is nested more than %d deep.", path, maxNesting))
		return m
	}
	r.object(raw, path, measureKeys, func(key string, value json.RawMessage, path string) {
		switch key {
		case "fn":
			m.Fn = r.text(value, path)
		case "column":
			m.Column = r.text(value, path)
		case "percentile":
			m.Percentile = r.number(value, path)
		case "numerator":
			n := r.measure(value, path)
			m.Numerator = &n
		case "denominator":
			d := r.measure(value, path)
			m.Denominator = &d
		case "measure":
			m.Measure = r.text(value, path)
		case "filters":
			m.Filters = r.filters(value, path)
		case "show":
			m.Show = r.text(value, path)
		case "as":
			m.As = r.text(value, path)
		}
	})
	return m
}

func (r *specReader) dimension(raw json.RawMessage, path string) Dimension {
	var d Dimension
	r.object(raw, path, dimensionKeys, func(key string, value json.RawMessage, path string) {
		switch key {
		case "column":
			d.Column = r.text(value, path)
		case "grain":
			d.Grain = r.text(value, path)
		case "bin":
			d.Bin = r.width(value, path)
		case "as":
			d.As = r.text(value, path)
		case "bins":
			d.Bins = r.edges(value, path)
		case "groups":
			d.Groups = r.groups(value, path)
		case "other":
			d.Other = r.text(value, path)
		}
	})
	return d
}

func (r *specReader) filters(raw json.RawMessage, path string) []Filter {
	var filters []Filter
	r.list(raw, path, maxFilters, func(item json.RawMessage, path string) {
		var f Filter
		r.object(item, path, filterKeys, func(key string, value json.RawMessage, path string) {
			switch key {
			case "column":
				f.Column = r.text(value, path)
			case "measure":
				f.Measure = r.text(value, path)
			case "op":
				f.Op = r.text(value, path)
			case "values":
				f.Values = []json.RawMessage{}
				r.list(value, path, maxFilterValues, func(item json.RawMessage, path string) {
					f.Values = append(f.Values, r.scalar(item, path))
				})
			case "from":
				f.From = r.scalar(value, path)
			case "to":
				f.To = r.scalar(value, path)
			case "n":
				f.N = r.integer(value, path)
			case "unit":
				f.Unit = r.text(value, path)
			case "grain":
				f.Grain = r.text(value, path)
			case "bin":
				f.Bin = r.width(value, path)
			case "bins":
				f.Bins = r.edges(value, path)
			case "groups":
				f.Groups = r.groups(value, path)
			case "other":
				f.Other = r.text(value, path)
			}
		})
		filters = append(filters, f)
	})
	return filters
}

// entries calls read for each key of an object whose keys are names.
func (r *specReader) entries(raw json.RawMessage, path string, limit int, read func(name string, value json.RawMessage, path string)) {
	if r.err != nil {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		r.fail(wrongType(path, "an object", raw))
		return
	}
	seen := map[string]bool{}
	for dec.More() && r.err == nil {
		token, err := dec.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err == nil {
			err = dec.Decode(&value)
		}
		where := join(path, clip(name))
		switch {
		case err != nil:
			r.fail(ErrSpecJSON.Wrap(err))
		case seen[name]:
			r.fail(ErrDuplicateKey.With("%s is given twice.", where))
		case name == "" || len(name) > maxNameBytes || strings.IndexByte(name, 0) >= 0:
			r.fail(ErrValueType.With("%s: a name has 1 to %d bytes.", path, maxNameBytes))
		case len(seen) == limit:
			r.fail(ErrTooComplex.With("%s has more than %d entries.", path, limit))
		default:
			seen[name] = true
			read(name, value, where)
		}
	}
}

// fields reads expressions by name.
func (r *specReader) fields(raw json.RawMessage, path string) map[string]string {
	fields := map[string]string{}
	r.entries(raw, path, maxFields, func(name string, value json.RawMessage, path string) {
		var text string
		if isNull(value) || json.Unmarshal(value, &text) != nil {
			r.fail(wrongType(path, "an expression, as a text", value))
			return
		}
		fields[name] = text
	})
	return fields
}

// groups reads lists of values by the name of their group.
func (r *specReader) groups(raw json.RawMessage, path string) map[string][]json.RawMessage {
	groups, total := map[string][]json.RawMessage{}, 0
	r.entries(raw, path, maxGroups, func(name string, value json.RawMessage, path string) {
		groups[name] = []json.RawMessage{}
		r.list(value, path, maxFilterValues, func(item json.RawMessage, path string) {
			groups[name] = append(groups[name], r.scalar(item, path))
			total++
		})
	})
	if total > maxFilterValues {
		r.fail(ErrTooComplex.With("%s has %d values; the limit is %d.", path, total, maxFilterValues))
	}
	return groups
}

// edges reads numbers as they are written.
func (r *specReader) edges(raw json.RawMessage, path string) []json.Number {
	edges := []json.Number{}
	r.list(raw, path, maxGroups, func(item json.RawMessage, path string) {
		if r.number(item, path); r.err == nil {
			edges = append(edges, json.Number(string(item)))
		}
	})
	return edges
}

func (r *specReader) order(raw json.RawMessage, path string) Order {
	var o Order
	r.object(raw, path, orderKeys, func(key string, value json.RawMessage, path string) {
		switch key {
		case "by":
			o.By = r.text(value, path)
		case "desc":
			o.Desc = r.boolean(value, path)
		}
	})
	return o
}

func wrongType(path, want string, raw json.RawMessage) error {
	if path == "" {
		path = "The query"
	}
	return ErrValueType.With("%s must be %s, not %s.", path, want, jsonKind(raw))
}

func jsonKind(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch c := raw[0]; {
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a text"
	case c == 't' || c == 'f':
		return "true or false"
	case c == 'n':
		return "null"
	}
	if len(raw) < 40 {
		return "the number " + string(raw)
	}
	return "a number"
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
