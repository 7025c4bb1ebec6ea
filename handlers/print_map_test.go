package handlers

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Every layer of a map is drawn on paper too, as shapes and text.
func TestMapsOnPaper(t *testing.T) {
	t.Parallel()
	s := newPrintSite(t)
	ways, err := s.Datasets.Create(t.Context(), s.editor(), datasets.NewDataset{Name: "Ways", Columns: []datasets.NewColumn{
		{Name: "place", Type: warehouse.Text}, {Name: "state", Type: warehouse.Text}, {Name: "n", Type: warehouse.Integer},
		{Name: "lat", Type: warehouse.Float}, {Name: "lon", Type: warehouse.Float}, {Name: "to_lat", Type: warehouse.Float}, {Name: "to_lon", Type: warehouse.Float}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Datasets.AppendRows(t.Context(), s.editor(), ways, datasets.AppendRequest{Columns: []string{"place", "state", "n", "lat", "lon", "to_lat", "to_lon"}, Rows: [][]any{
		{"Chicago", "Illinois", 900, 41.9, -87.6, 40.7, -74.0}, {"Evanston", "Illinois", 30, 42.0, -87.7, 34.1, -118.2}, {"Denver", "Colorado", 500, 39.7, -105.0, 29.8, -95.4},
		{"Seattle", "Washington", 300, 47.6, -122.3, 25.8, -80.2}, {"Anchorage", "Alaska", 20, 61.2, -149.9, 47.6, -122.3}}})
	if err != nil {
		t.Fatal(err)
	}
	total := []warehouse.Measure{{Fn: "sum", Column: "n", As: "n"}}
	of := func(layer string, columns ...string) dashboards.Widget {
		w := dashboards.Widget{Title: "Map", Layout: dashboards.Layout{W: 12, H: 9}, Query: dashboards.Query{Measures: total}}
		w.Type, w.Encode.Layer = charts.Map, layer
		for _, column := range columns {
			w.Query.Dimensions = append(w.Query.Dimensions, warehouse.Dimension{Column: column})
		}
		if layer == charts.LayerAreas {
			w.Encode.Area = "state"
			return w
		}
		w.Encode.Lat, w.Encode.Lon, w.Encode.Label = "lat", "lon", "place"
		if layer == charts.LayerLines {
			w.Encode.ToLat, w.Encode.ToLon = "to_lat", "to_lon"
		}
		return w
	}
	board, err := s.Dashboards.Create(t.Context(), s.editor(), dashboards.NewDashboard{Name: "Maps", Config: dashboards.Config{Dataset: ways, Widgets: map[string]dashboards.Widget{
		charts.LayerPoints:   of(charts.LayerPoints, "place", "lat", "lon"),
		charts.LayerClusters: of(charts.LayerClusters, "place", "lat", "lon"),
		charts.LayerHeat:     of(charts.LayerHeat, "place", "lat", "lon"),
		charts.LayerLines:    of(charts.LayerLines, "place", "lat", "lon", "to_lat", "to_lon"),
		charts.LayerAreas:    of(charts.LayerAreas, "state"),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for layer, want := range map[string]map[string]int{
		charts.LayerPoints: {"<circle": 5, ">Chicago<": 1},
		// Chicago and Evanston are one at this scale.
		charts.LayerClusters: {"<circle": 4, ">2<": 1},
		charts.LayerHeat:     {"<image": 1},
		charts.LayerLines:    {"stroke-linecap": 5},
		charts.LayerAreas:    {"<path": 8},
	} {
		t.Log(layer)
		svg, _ := s.render(t, board.ID, reports.Spec{Format: reports.SVG, Widgets: []string{layer}})
		if !bytes.HasPrefix(svg, []byte(`<svg xmlns="http://www.w3.org/2000/svg"`)) || bytes.Contains(svg, []byte("NaN")) {
			t.Errorf("%s: %.200s", layer, svg)
		}
		for part, n := range want {
			if got := strings.Count(string(svg), part); got != n {
				t.Errorf("%s: %d × %s, want %d", layer, got, part, n)
			}
		}
	}
	body, stated := s.render(t, board.ID, reports.Spec{Format: reports.PDF})
	if stated.Widgets != 5 || stated.FailedWidgets != 0 {
		t.Errorf("stated %+v", stated)
	}
	if text := textOf(t, body); !strings.Contains(text, "Seattle") {
		t.Errorf("the names of places are no text: %s", text)
	}
}
