package dashboards_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
)

func TestRulesAndForecastsAreMadeByActs(t *testing.T) {
	r := newRig(t)
	d, _ := r.board(t)
	act := func(a dashboards.Act) error {
		t.Helper()
		_, err := r.Act(t.Context(), r.actor, d.ID, 0, uuid.Nil, a)
		return err
	}
	widget := func(id string) dashboards.Widget {
		t.Helper()
		draft, err := r.GetDraft(t.Context(), r.actor, d.ID)
		must(t, err)
		return draft.Config.Widgets[id]
	}
	set := func(index int, s dashboards.FieldSetting) dashboards.Act {
		return dashboards.Act{Kind: "set_rule", Widget: "sum", Index: &index, Set: s}
	}
	text := func(s string) *string { return &s }
	must(t, act(dashboards.Act{Kind: "add_rule", Widget: "sum"}))
	must(t, act(dashboards.Act{Kind: "add_rule", Widget: "sum"}))
	must(t, act(set(0, dashboards.FieldSetting{From: text("1,500"), Tone: text("warn"), AsLabel: text("Nearly")})))
	want := []charts.Threshold{{From: 1, Tone: charts.Good}, {From: 1500, Tone: charts.Warn, Label: "Nearly"}}
	if got := widget("sum").Encode.Thresholds; !reflect.DeepEqual(got, want) {
		t.Errorf("the thresholds are %+v, want %+v", got, want)
	}
	wantError(t, act(set(0, dashboards.FieldSetting{From: text("1500")})), dashboards.ErrAct)
	wantError(t, act(set(0, dashboards.FieldSetting{From: text("many")})), dashboards.ErrAct)
	wantError(t, act(set(0, dashboards.FieldSetting{Tone: text("red")})), dashboards.ErrAct)
	wantError(t, act(set(7, dashboards.FieldSetting{Tone: text("neg")})), dashboards.ErrAct)
	wantError(t, act(dashboards.Act{Kind: "add_rule", Widget: "mix"}), dashboards.ErrAct)
	one := 0
	wantError(t, act(dashboards.Act{Kind: "remove_rule", Widget: "sum", Index: &one, Expect: text("7")}), dashboards.ErrAct)
	moved := set(0, dashboards.FieldSetting{Tone: text("neg")})
	moved.Expect = text("1500")
	must(t, act(moved))
	if got := widget("sum").Encode.Thresholds; got[0].Tone != charts.Good || got[1].Tone != charts.Bad {
		t.Errorf("another rule than that from 1500 was changed: %+v", got)
	}

	// A column of a table has rules and a scale of its own.
	must(t, act(dashboards.Act{Kind: "add_rule", Widget: "stores", Field: "total"}))
	zero, yes := 0, true
	must(t, act(dashboards.Act{Kind: "set_rule", Widget: "stores", Field: "total", Index: &zero, Set: dashboards.FieldSetting{From: text("5000"), Tone: text("neg"), Fill: &yes}}))
	must(t, act(dashboards.Act{Kind: "set_cell", Widget: "stores", Field: "total", Set: dashboards.FieldSetting{Scale: text("seq")}}))
	cell := widget("stores").Encode.Columns[1]
	if cell.Scale != "seq" || len(cell.Rules) != 1 || !cell.Rules[0].Fill {
		t.Errorf("the column is %+v", cell)
	}
	must(t, act(dashboards.Act{Kind: "remove_rule", Widget: "stores", Field: "total", Index: &zero}))
	if rules := widget("stores").Encode.Columns[1].Rules; rules != nil {
		t.Errorf("rules are left: %+v", rules)
	}

	must(t, act(dashboards.Act{Kind: "set_forecast", Widget: "daily", Set: dashboards.FieldSetting{On: &yes}}))
	if f := widget("daily").Forecast; f == nil || f.Horizon != 14 {
		t.Errorf("the forecast is %+v", f)
	}
	wantError(t, act(dashboards.Act{Kind: "set_forecast", Widget: "channels", Set: dashboards.FieldSetting{On: &yes}}), dashboards.ErrAct)
	must(t, act(dashboards.Act{Kind: "set_forecast", Widget: "daily"}))
	if widget("daily").Forecast != nil {
		t.Error("the forecast is still there")
	}
	for range 3 {
		_, err := r.Undo(t.Context(), r.actor, d.ID, 0, uuid.Nil, false)
		must(t, err)
	}
	if len(widget("stores").Encode.Columns[1].Rules) != 1 {
		t.Error("the rule did not come back")
	}
}

func TestBarsAndCellsTakeTheColourOfTheirRule(t *testing.T) {
	r := newRig(t)
	dataset := r.sales(t, r.actor)
	c := config(dataset)
	bars, table := c.Widgets["channels"], c.Widgets["stores"]
	bars.Encode.Thresholds = []charts.Threshold{{From: 0, Tone: charts.Bad}}
	table.Encode.Columns[1].Rules = []charts.Threshold{{From: 0, Tone: charts.Warn, Fill: true}}
	rows := c.Widgets["rows"]
	rows.Format = map[string]charts.Format{"at": {Date: "iso"}}
	c.Widgets["channels"], c.Widgets["stores"], c.Widgets["rows"] = bars, table, rows
	d, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Coloured", Config: c})
	must(t, err)
	v := r.open(t, d.ID, "d=all", "")
	if option := string(r.draw(t, v, "channels").Drawing.Chart); !strings.Contains(option, "--df-neg") {
		t.Errorf("the bars are drawn by %s", option)
	}
	if cell := r.draw(t, v, "stores").Drawing.Table.Rows[0].Cells[1]; cell.Tone != charts.Warn || !cell.Fill || !cell.Flag {
		t.Errorf("the cell is %+v", cell)
	}
	if text := r.draw(t, v, "rows").Drawing.Table.Rows[0].Cells[0].Text; !strings.Contains(text, "2026-05-12, ") {
		t.Errorf("the day is written %q", text)
	}
}
