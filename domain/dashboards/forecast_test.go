package dashboards_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// ahead are the points of a drawing's series of that name: day or hour on the
// wall clock, and value.
func ahead(t *testing.T, d *charts.Drawing, name string) (at []time.Time, values []float64) {
	t.Helper()
	var chart struct {
		Option struct {
			Series []struct {
				Name string
				Data [][]*float64
			}
		}
	}
	must(t, json.Unmarshal(d.Chart, &chart))
	for _, s := range chart.Option.Series {
		if s.Name != name {
			continue
		}
		for _, point := range s.Data {
			if point[1] == nil {
				continue
			}
			at, values = append(at, time.UnixMilli(int64(*point[0])).UTC()), append(values, *point[1])
		}
	}
	return at, values
}

// A year of visits up to noon of 30 March 2026, the day after London sets its
// clocks forward: 100 on a weekday, 40 at weekends, one row an hour.
func TestForecastOfAWidget(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	london, err := time.LoadLocation("Europe/London")
	must(t, err)
	id, err := r.datasets.Create(t.Context(), r.actor, datasets.NewDataset{Name: "Visits", TimeColumn: "at", RelativeToNewest: true,
		Columns: []datasets.NewColumn{{Name: "at", Type: warehouse.TimestampTZ}, {Name: "visits", Type: warehouse.Float}, {Name: "site", Type: warehouse.Text}}})
	must(t, err)
	rows := datasets.AppendRequest{Columns: []string{"at", "visits", "site"}}
	end := time.Date(2026, 3, 30, 12, 0, 0, 0, london)
	for moment := time.Date(2025, 3, 31, 0, 0, 0, 0, london); !moment.After(end); moment = moment.Add(time.Hour) {
		visits := 100.0
		if day := moment.Weekday(); day == time.Saturday || day == time.Sunday {
			visits = 40
		}
		rows.Rows = append(rows.Rows, []any{moment.UTC(), (visits + 3*math.Sin(float64(moment.Unix()/3600))) / 24, "main"})
	}
	_, err = r.datasets.AppendRows(t.Context(), r.actor, id, rows)
	must(t, err)

	widget := func(grain string, f charts.Forecast) dashboards.Widget {
		w := dashboards.Widget{Title: "Visits", Subtitle: "{grain}, all sites · {mape}", Layout: dashboards.Layout{W: 9, H: 9},
			Query: dashboards.Query{Measures: []warehouse.Measure{{Fn: "sum", Column: "visits", As: "visits"}},
				Dimensions: []warehouse.Dimension{{Column: "at", Grain: grain, As: "at"}}}}
		w.Type, w.Forecast = charts.Line, &f
		return w
	}
	config := dashboards.Config{Schema: dashboards.Schema, Dataset: id,
		Settings: dashboards.Settings{Zone: "Europe/London", Date: dashboards.DateSetting{Default: "14d"}},
		Widgets: map[string]dashboards.Widget{
			"days":  widget("day", charts.Forecast{Horizon: 7, Anomalies: true}),
			"hours": widget("hour", charts.Forecast{Horizon: 1, Unit: "day"}),
			"years": widget("year", charts.Forecast{Horizon: 1}),
		}}
	board, err := r.Create(t.Context(), r.actor, dashboards.NewDashboard{Name: "Visits", Config: config})
	must(t, err)

	open := func(link string) *dashboards.View {
		req := request(t, board.ID, link, "")
		req.Words.MAPE = func(percent string) string { return "MAPE " + percent }
		v, err := r.Service.Open(t.Context(), r.actor, req)
		must(t, err)
		return v
	}
	v := open("")
	tile := r.draw(t, v, "days")
	at, values := ahead(t, tile.Drawing, "Forecast")
	// Monday 30 March is not over: the forecast stands in for it, and begins at
	// the value of the day before.
	if len(at) != 8 || at[0].Format(time.DateOnly) != "2026-03-29" || at[1].Format(time.DateOnly) != "2026-03-30" || at[7].Format(time.DateOnly) != "2026-04-05" {
		t.Fatalf("the forecast is for %v", at)
	}
	for i, v := range values[1:] {
		want := 100.0
		if i >= 5 {
			want = 40
		}
		if math.Abs(v-want) > 8 {
			t.Errorf("%s: %g, want about %g", at[i+1].Format(time.DateOnly), v, want)
		}
	}
	if shown, _ := ahead(t, tile.Drawing, "Visits"); shown[len(shown)-1].Format(time.DateOnly) != "2026-03-29" || len(shown) != 13 {
		t.Errorf("the line is of %d days, the last %v", len(shown), shown[len(shown)-1])
	}
	if say := tile.Drawing.Say; say.Key != "charts.say.line_forecast" || !strings.Contains(strings.Join(texts(say.Args), " "), "Until 5 Apr 2026") {
		t.Errorf("the description is %+v", say)
	}
	if !strings.Contains(tile.Subtitle, "all sites · MAPE ") || !strings.HasSuffix(tile.Subtitle, "%") {
		t.Errorf("subtitle %q", tile.Subtitle)
	}
	grid, err := r.AsTable(t.Context(), v, "days", 1)
	must(t, err)
	if last := grid.Rows[len(grid.Rows)-1]; len(grid.Columns) != 6 || grid.Total != 20 || last.Cells[0].Text != "5 Apr 2026" {
		t.Errorf("as a table: %d rows, the last %+v", grid.Total, last)
	}

	// Hours go on from the newest whole one, whatever is shown.
	at, _ = ahead(t, r.draw(t, open("d=1d"), "hours").Drawing, "Forecast")
	if len(at) < 24 || at[1].Sub(at[0]) != time.Hour {
		t.Errorf("hours %v", at)
	}
	// The same series gives the same forecast, whatever is shown of it.
	_, month := ahead(t, r.draw(t, open("d=30d"), "days").Drawing, "Forecast")
	for i := range values {
		if month[i] != values[i] {
			t.Fatalf("over 30 days the forecast is %v, over 14 %v", month, values)
		}
	}

	early := r.draw(t, open("d=2026-01-01~2026-01-31"), "days")
	if at, _ := ahead(t, early.Drawing, "Forecast"); len(at) > 0 || early.Drawing.Note.Key != "charts.forecast.later" || strings.Contains(early.Subtitle, "MAPE") {
		t.Errorf("a forecast of %v after January, note %+v", at, early.Drawing.Note)
	}
	refused := r.draw(t, v, "years")
	if refused.Drawing.State != charts.Ready || refused.Drawing.Note.Key != "charts.forecast.refused" || refused.Subtitle != "year, all sites" {
		t.Errorf("refusal: %+v, subtitle %q", refused.Drawing.Note, refused.Subtitle)
	}
}

func texts(args []any) []string {
	var list []string
	for _, a := range args {
		if text, ok := a.(string); ok {
			list = append(list, text)
		}
	}
	return list
}
