package views

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// filterText is a widget's filter in words: "is North".
func filterText(ctx context.Context, l *locale.Locale, f dashboards.Filter) string {
	value := func(raw json.RawMessage) string {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			return string(raw)
		}
		switch v := v.(type) {
		case nil:
			return messages.T(ctx, "charts.no_value")
		case bool:
			return messages.T(ctx, map[bool]string{true: "charts.true", false: "charts.false"}[v])
		case float64:
			return l.Full(v, locale.Format{})
		}
		return fmt.Sprint(v)
	}
	values := make([]string, len(f.Values))
	for i, raw := range f.Values {
		values[i] = value(raw)
	}
	list := strings.Join(values, ", ")
	if len(values) > 3 {
		list = strings.Join(values[:2], ", ") + " + " + strconv.Itoa(len(values)-2)
	}
	switch f.Op {
	case "between":
		return messages.T(ctx, "editor.filter_between", "From", value(f.From), "To", value(f.To))
	case "last", "previous", "this":
		unit := messages.T(ctx, "editor.unit_"+f.Unit)
		return messages.T(ctx, "editor.filter_"+f.Op, "Count", max(f.N, 1), "Unit", unit)
	case "is_empty", "not_empty":
		return messages.T(ctx, "editor.filter_"+f.Op)
	}
	return opText(ctx, f.Op) + " " + list
}

var opKeys = map[string]string{
	"in": "editor.op_in", "not_in": "editor.op_not_in", "=": "editor.op_in", "!=": "editor.op_not_in", "<": "editor.op_below", "<=": "editor.op_most",
	">": "editor.op_above", ">=": "editor.op_least", "between": "editor.op_between", "contains": "editor.op_contains", "starts_with": "editor.op_starts",
	"is_empty": "editor.op_empty", "not_empty": "editor.op_filled", "last": "editor.op_last", "this": "editor.op_this", "previous": "editor.op_previous",
}

func opText(ctx context.Context, op string) string {
	if key, ok := opKeys[op]; ok {
		return messages.T(ctx, key)
	}
	return op
}

// opsOf are the operators that suit a field.
func opsOf(ctx context.Context, p InspectorProps, f dashboards.Filter) []ui.Option {
	ops := []string{"in", "not_in", "contains", "starts_with", "not_empty", "is_empty"}
	if field, ok := p.field(f.Column); ok {
		switch {
		case field.Temporal():
			ops = []string{"last", "this", "previous", "between", ">=", "<=", "not_empty", "is_empty"}
		case field.Boolean():
			ops = []string{"in", "not_empty", "is_empty"}
		case field.Numeric():
			ops = []string{"in", "not_in", ">=", ">", "<=", "<", "between", "not_empty", "is_empty"}
		}
	}
	var list []ui.Option
	known := false
	for _, op := range ops {
		known = known || op == f.Op
		list = append(list, ui.Option{Value: op, Label: opText(ctx, op), Selected: op == f.Op})
	}
	if !known {
		list = append(list, ui.Option{Value: f.Op, Label: opText(ctx, f.Op), Selected: true})
	}
	return list
}

// filterValues are the values of a filter as a person writes them.
func filterValues(list []json.RawMessage) string {
	words := make([]string, len(list))
	for i, raw := range list {
		words[i] = filterValue(raw)
	}
	return strings.Join(words, ", ")
}

func filterValue(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// filterName is what acts call the nth filter of the widget.
func (p InspectorProps) filterName(n int) string { return p.Widget.Widget.Query.FilterNames()[n] }

func filterPop(i int) string { return "widget-filter-" + strconv.Itoa(i) }

func takesValues(op string) bool {
	switch op {
	case "last", "this", "previous", "between", "is_empty", "not_empty":
		return false
	}
	return true
}

func unitOptions(ctx context.Context, current string) []ui.Option {
	var list []ui.Option
	for _, unit := range []string{"hour", "day", "week", "month", "quarter", "year"} {
		list = append(list, ui.Option{Value: unit, Label: messages.T(ctx, "editor.unit_"+unit)})
	}
	return chosenFrom(current, list...)
}
