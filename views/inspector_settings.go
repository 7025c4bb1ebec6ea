package views

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// ranges are the spans that a dashboard can start with.
func (p InspectorProps) ranges(ctx context.Context) []ui.Option {
	current := p.Dashboard.View.Dashboard.Config.Settings.Date.Default
	if current == "" {
		current = "all"
	}
	list := []ui.Option{}
	for _, days := range []int{7, 28, 90, 365} {
		list = append(list, ui.Option{Value: strconv.Itoa(days) + "d", Label: messages.T(ctx, "dashboard.range_last", "Count", days)})
	}
	list = append(list, namedRanges(ctx, true)...)
	for _, o := range list {
		if o.Value == current {
			return chosenFrom(current, list...)
		}
	}
	label := current
	if r, err := dashboards.ParseRange(current); err == nil {
		switch {
		case r.Kind == "last":
			label = messages.T(ctx, "dashboard.range_last", "Count", r.N)
		case r.Kind == "fixed":
			label = p.Dashboard.Locale.DateRange(r.From.Time(), r.To.Time())
		}
	}
	return chosenFrom(current, append(list, ui.Option{Value: current, Label: label})...)
}

// pictureSize is how much a picture has that is part of the config; "" where the
// image is an address.
func (p InspectorProps) pictureSize() string {
	_, data, kept := strings.Cut(p.Widget.Widget.URL, ";base64,")
	if !kept || !strings.HasPrefix(p.Widget.Widget.URL, "data:image/") {
		return ""
	}
	return p.Dashboard.Locale.Size(float64(base64.RawStdEncoding.DecodedLen(len(strings.TrimRight(data, "=")))))
}

// controlLine is a filter of the bar in the settings.
type controlLine struct {
	ID string
	dashboards.Control
}

func (p InspectorProps) controls() []controlLine {
	c := p.Dashboard.View.Dashboard.Config
	var list []controlLine
	for _, v := range p.Dashboard.View.Controls {
		if control, ok := c.Filters[v.ID]; ok && !v.Added {
			list = append(list, controlLine{v.ID, control})
		}
	}
	return list
}

func (p InspectorProps) comparisonOptions(ctx context.Context) []ui.Option {
	current := p.Dashboard.View.Dashboard.Config.Settings.Comparison
	if current == "" {
		current = dashboards.ComparePrevious
	}
	var list []ui.Option
	for _, c := range comparisons {
		list = append(list, ui.Option{Value: c, Label: messages.T(ctx, compareKey(c))})
	}
	return chosenFrom(current, list...)
}

func (p InspectorProps) zoneOptions(ctx context.Context) []ui.Option {
	current := p.Dashboard.View.Dashboard.Config.Settings.Zone
	list := []ui.Option{{Label: messages.T(ctx, "editor.zone_viewer")}}
	for _, z := range locale.Zones() {
		list = append(list, ui.Option{Value: z})
	}
	return chosenFrom(current, list...)
}

// nameHint says that a name is no part of the draft; "" while nobody but editors
// sees the dashboard.
func (p InspectorProps) nameHint(ctx context.Context) string {
	if p.Dashboard.View.Dashboard.Unpublished {
		return ""
	}
	return messages.T(ctx, "editor.name_hint")
}
