package main

import (
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

func TestFiltersOfTheShellBecomeALink(t *testing.T) {
	t.Parallel()
	c := &dashboards.Config{Filters: map[string]dashboards.Control{"f1": {Label: "Region", Column: "region_code"}},
		Widgets: map[string]dashboards.Widget{"w1": {Title: "Net sales", Config: charts.Config{Type: charts.KPI}}}}
	for text, want := range map[string]string{
		"Region=North,South":   "f.f1=North%2CSouth",
		"region_code=a":        "f.f1=a",
		"carrier=AA":           "f.carrier=AA",
		"d=28d":                "d=28d",
		"f.f1=x":               "f.f1=x",
		"Region=North=by=west": "f.f1=North%3Dby%3Dwest",
	} {
		if got, err := linkOf(c, []string{text}); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := linkOf(c, []string{"Region"}); err == nil {
		t.Error("a filter without a value was taken")
	}
	if list, err := widgetsOf(c, []string{"net sales"}); err != nil || len(list) != 1 || list[0] != "w1" {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := widgetsOf(c, []string{"gross"}); err == nil || !strings.Contains(err.Error(), "Net sales") {
		t.Errorf("an unknown widget: %v", err)
	}
}

func TestReportMistakes(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no dashboard": {"report", "--as", "a@b.c", "--out", "x.pdf"},
		"nobody":       {"report", "Sales", "--out", "x.pdf"},
		"no file":      {"report", "Sales", "--as", "a@b.c"},
		"no dataset":   {"export", "--as", "a@b.c", "--out", "x.csv"},
		"for nobody":   {"export", "Sales", "--out", "x.csv"},
		"to nowhere":   {"export", "Sales", "--as", "a@b.c"},
	} {
		if status, out, errs := try(t, []string{"DATAFLOW_DATA_DIR=" + t.TempDir()}, args...); status != statusUsage || out != "" || !strings.HasPrefix(errs, "usage.invalid:") {
			t.Errorf("%s: %d, %q, %q", name, status, out, errs)
		}
	}
}
