package views

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
)

// GroupValuesProps is the dialog in which values of a field are put together.
type GroupValuesProps struct {
	Path   string // that was asked: of the dialog or of its values
	View   dashboards.GroupingView
	Locale *locale.Locale
}

// groupsHref opens the dialog for a chip of the inspector.
func groupsHref(p InspectorProps, well string, c dashboards.Chip) string {
	return PathEditor(p.Dashboard.View.Dashboard.ID.String()) + "/widgets/" + url.PathEscape(p.Widget.ID) + "/groups?" + spotQuery(well, c.Index, c.Result)
}

func spotQuery(well string, index int, expect string) string {
	return url.Values{"well": {well}, "index": {strconv.Itoa(index)}, "expect": {expect}}.Encode()
}

func (p GroupValuesProps) expect() string {
	if p.View.At.Expect == nil {
		return ""
	}
	return *p.View.At.Expect
}

// valuesHref is asked with &q= for the values that a search finds.
func (p GroupValuesProps) valuesHref() string {
	return strings.TrimSuffix(p.Path, "/values") + "/values?" + spotQuery(p.View.At.Well, p.View.At.Index, p.expect())
}

func (p GroupValuesProps) act() string {
	return act("set_field", "widget", p.View.Widget, "well", p.View.At.Well, "index", p.View.At.Index, "expect", p.expect())
}
