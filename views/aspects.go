package views

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views/messages"
)

// aspects are the properties of widgets, filters and settings that have a word.
var aspects = []string{
	"title", "subtitle", "type", "text", "image", "alt", "place", "locked", "tab", "collapsed", "bar", "control", "through", "format", "encoding", "forecast",
	"data", "dataset", "measures", "dimensions", "columns", "filters", "order", "limit", "other", "date", "spark", "compare",
	"label", "column", "widgets", "kind", "required", "default", "within", "measure", "expression", "zone", "comparison", "live", "note",
}

// aspectName is a property as people call it: "title", "type of widget".
func aspectName(ctx context.Context, aspect string) string {
	if !slices.Contains(aspects, aspect) {
		aspect = "rest"
	}
	return messages.T(ctx, "aspect."+aspect)
}

// maxValue is how long a value may be to be shown beside another.
const maxValue = 60

// valueText is a value of a property in few words; empty where it can't be said so.
func valueText(ctx context.Context, aspect string, raw json.RawMessage) string {
	var text string
	switch aspect {
	case "type":
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return typeTag(ctx, charts.Type(text))
		}
	case "title", "subtitle", "text", "alt", "label", "note", "expression", "zone":
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		if text = strings.TrimSpace(text); text != "" && utf8.RuneCountInString(text) <= maxValue && !strings.ContainsAny(text, "\n\r") {
			return messages.T(ctx, "aspect.quoted", "Text", text)
		}
	case "locked", "collapsed", "bar", "other", "required", "live":
		on := false // what is off is left out
		if len(raw) == 0 || json.Unmarshal(raw, &on) == nil {
			return messages.T(ctx, map[bool]string{true: "aspect.on", false: "aspect.off"}[on])
		}
	case "limit":
		var n json.Number
		if json.Unmarshal(raw, &n) == nil {
			return n.String()
		}
	case "measures":
		return listText(ctx, raw, measureText)
	case "dimensions":
		return listText(ctx, raw, func(_ context.Context, d dimensionOf) string { return fieldText(d.Column) })
	case "columns":
		return listText(ctx, raw, func(_ context.Context, column string) string { return fieldText(column) })
	}
	return ""
}

func listText[T any](ctx context.Context, raw json.RawMessage, name func(context.Context, T) string) string {
	var list []T
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	words := make([]string, len(list))
	for i, one := range list {
		if words[i] = name(ctx, one); words[i] == "" {
			return ""
		}
	}
	if text := strings.Join(words, ", "); utf8.RuneCountInString(text) <= maxValue {
		return text
	}
	return ""
}

// fieldText is a field for people: "city" of "shop.city".
func fieldText(name string) string {
	return charts.Humanise(name[strings.LastIndexByte(name, '.')+1:])
}

// dimensionOf and measureOf are what of a dimension and a measure is said.
type (
	dimensionOf struct{ Column string }
	measureOf   struct{ Fn, Column, Measure string }
)

func measureText(ctx context.Context, m measureOf) string {
	switch m.Fn {
	case "":
		return fieldText(m.Measure)
	case "sum", "avg", "median", "min", "max", "count", "count_distinct":
		fn := messages.T(ctx, "editor.fn_"+m.Fn)
		if m.Column == "" {
			return fn
		}
		return messages.T(ctx, "aspect.fn_of", "Fn", fn, "Field", fieldText(m.Column))
	}
	return ""
}

// differenceText is one property that differs: "Title: from “Sales” to “Revenue”".
func differenceText(ctx context.Context, d dashboards.Difference) string {
	name := capitalised(aspectName(ctx, d.Aspect))
	from, to := valueText(ctx, d.Aspect, d.From), valueText(ctx, d.Aspect, d.To)
	switch {
	case !d.Has() || from == to:
		return messages.T(ctx, "history.value_changed", "Aspect", name)
	case d.From == nil && from == "" && to != "":
		return messages.T(ctx, "history.value_added", "Aspect", name, "To", to)
	case d.To == nil && to == "" && from != "":
		return messages.T(ctx, "history.value_removed", "Aspect", name, "From", from)
	case from == "" || to == "":
		return messages.T(ctx, "history.value_changed", "Aspect", name)
	}
	return messages.T(ctx, "history.value", "Aspect", name, "From", from, "To", to)
}

func capitalised(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
