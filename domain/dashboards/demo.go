package dashboards

import (
	"encoding/json"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// DemoDatasets are the datasets of the demo workspace. Flights has the columns
// date (timestamp), delay, distance, origin and destination, and lookups
// origin_airport and destination_airport to the airports (iata, name, city,
// state, country, latitude, longitude). Replay has the same columns and
// lookups, filled second by second.
type DemoDatasets struct {
	Flights ids.Dataset
	Replay  ids.Dataset // zero: no replay dashboard
}

// DemoFlights are the dashboards of the demo workspace, first the one that
// opens first.
func DemoFlights(d DemoDatasets) []NewDashboard {
	list := []NewDashboard{
		{Name: "US flights, first half of 2001", Tags: []string{"demo", "operations"}, Config: demoOverview(d.Flights)},
		{Name: "Delays: where and when", Tags: []string{"demo"}, Config: demoDelays(d.Flights)},
	}
	if !d.Replay.IsZero() {
		list = append(list, NewDashboard{Name: "Departures, live replay", Tags: []string{"demo", "live"}, Config: demoReplay(d.Replay)})
	}
	return list
}

// The measures of the demo and how they are written.
var (
	demoFlights   = warehouse.Measure{Fn: "count", As: "flights"}
	demoDelay     = warehouse.Measure{Fn: "avg", Column: "delay", As: "mean_delay"}
	demoDistance  = warehouse.Measure{Fn: "avg", Column: "distance", As: "mean_distance"}
	demoOnTime    = demoShare("on_time", "<=", "15")
	demoVeryLate  = demoShare("very_late", ">", "60")
	oneDecimal    = 1
	flightsFormat = charts.Format{Label: "Flights", Better: "higher"}
	delayFormat   = charts.Format{Label: "Mean delay", Unit: "min", Decimals: &oneDecimal, Better: "lower"}
	onTimeFormat  = charts.Format{Label: "On time", Style: "percent", Better: "higher"}
	lateFormat    = charts.Format{Label: "Over an hour late", Style: "percent", Better: "lower"}
	milesFormat   = charts.Format{Label: "Mean distance", Unit: "mi"}
)

// demoShare is the share of flights whose delay in minutes compares so.
func demoShare(as, op, minutes string) warehouse.Measure {
	return warehouse.Measure{Fn: "ratio", As: as,
		Numerator: &warehouse.Measure{Fn: "count", Filters: []warehouse.Filter{
			{Column: "delay", Op: op, Values: []json.RawMessage{json.RawMessage(minutes)}}}},
		Denominator: &warehouse.Measure{Fn: "count"}}
}

func demoFormats() map[string]charts.Format {
	return map[string]charts.Format{
		"flights": flightsFormat, "mean_delay": delayFormat, "on_time": onTimeFormat, "very_late": lateFormat, "mean_distance": milesFormat,
		"state": {Label: "State"}, "airport": {Label: "Airport"}, "code": {Label: "Airport code"}, "city": {Label: "City"},
		"weekday": {Label: "Day"}, "hour": {Label: "Hour"}, "distance": {Label: "Distance", Unit: "mi"},
		"origin": {Label: "From"}, "destination": {Label: "To"},
	}
}

func demoWidget(t charts.Type, title, subtitle string, at Layout, q Query, e charts.Encode) Widget {
	w := Widget{Title: title, Subtitle: subtitle, Layout: at, Query: q}
	w.Type, w.Encode = t, e
	all := demoFormats()
	w.Format = map[string]charts.Format{}
	keep := func(name string) {
		if f, ok := all[name]; ok {
			w.Format[name] = f
		}
	}
	for _, m := range q.Measures {
		keep(measureName(m))
	}
	for _, d := range q.Dimensions {
		keep(dimensionName(d))
	}
	for _, c := range q.Columns {
		keep(c)
	}
	return w
}

func measures(m ...warehouse.Measure) []warehouse.Measure       { return m }
func dimensions(d ...warehouse.Dimension) []warehouse.Dimension { return d }

var (
	demoState   = warehouse.Dimension{Column: "origin_airport.state", As: "state"}
	demoAirport = warehouse.Dimension{Column: "origin_airport.name", As: "airport"}
	demoCity    = warehouse.Dimension{Column: "origin_airport.city", As: "city"}
	demoCode    = warehouse.Dimension{Column: "origin", As: "code"}
	demoDay     = warehouse.Dimension{Column: "date", Grain: AutoGrain, As: "day"}
	demoWeek    = warehouse.Dimension{Column: "date", Grain: "week", As: "week"}
	demoWeekday = warehouse.Dimension{Column: "date", Grain: "weekday", As: "weekday"}
	demoHour    = warehouse.Dimension{Column: "date", Grain: "hour_of_day", As: "hour"}
	demoMiles   = warehouse.Dimension{Column: "distance", Bin: 500, As: "distance"}
	demoLat     = warehouse.Dimension{Column: "origin_airport.latitude", As: "lat"}
	demoLon     = warehouse.Dimension{Column: "origin_airport.longitude", As: "lon"}
)

// demoHierarchies lead from states to cities and their airports.
func demoHierarchies() map[string]Hierarchy {
	return map[string]Hierarchy{"place": {Label: "Place", Columns: []string{"origin_airport.state", "origin_airport.city", "origin"}}}
}

func demoControls() map[string]Control {
	return map[string]Control{
		"state":       {Label: "State", Column: "origin_airport.state", Position: 1},
		"origin":      {Label: "From", Column: "origin", Position: 2},
		"destination": {Label: "To", Column: "destination", Position: 3},
	}
}

func demoSettings(start string) Settings {
	return Settings{Date: DateSetting{Column: "date", Default: start}, Comparison: ComparePrevious, Live: true}
}

func demoMap(at Layout, title, subtitle string) Widget {
	return demoWidget(charts.Map, title, subtitle, at,
		Query{Measures: measures(demoFlights, demoDelay), Dimensions: dimensions(demoLat, demoLon, demoCode), Limit: 500,
			Order: []warehouse.Order{{By: "flights", Desc: true}}},
		charts.Encode{Lat: "lat", Lon: "lon", Label: "code", Size: "flights", Colour: "mean_delay", Map: "us"})
}

// demoHours leaves out the hours at which hardly anything flies: a mean of a
// few flights would be the brightest cell.
func demoHours(at Layout) Widget {
	return demoWidget(charts.Heatmap, "Mean delay by hour", "Minutes, hours with 50 flights or more", at,
		Query{Measures: measures(demoDelay, demoFlights), Dimensions: dimensions(demoWeekday, demoHour),
			Filters: []warehouse.Filter{{Measure: "flights", Op: ">=", Values: []json.RawMessage{json.RawMessage("50")}}}}, charts.Encode{})
}

func demoOverview(flights ids.Dataset) Config {
	return Config{Schema: Schema, Dataset: flights, Settings: demoSettings("2001-06-03~2001-06-30"), Filters: demoControls(), Hierarchies: demoHierarchies(), Widgets: map[string]Widget{
		"flights": demoWidget(charts.KPI, "Flights", "", Layout{0, 0, 3, 3}, Query{Measures: measures(demoFlights)}, charts.Encode{}),
		"delay":   demoWidget(charts.KPI, "Mean delay", "", Layout{0, 3, 3, 3}, Query{Measures: measures(demoDelay)}, charts.Encode{}),
		"ontime":  demoWidget(charts.KPI, "On time", "", Layout{0, 6, 3, 3}, Query{Measures: measures(demoOnTime)}, charts.Encode{Hue: "c3"}),
		"daily": demoWidget(charts.Line, "Flights", "{grain}, all airports", Layout{3, 0, 9, 9},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoDay)}, charts.Encode{}),
		"map": demoMap(Layout{0, 9, 5, 8}, "Airports", "Size: flights that left. Colour: mean delay"),
		"weekly": demoWidget(charts.StackedBar, "Flights by state", "Per ISO week, seven largest states", Layout{5, 9, 4, 8},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoWeek, demoState)}, charts.Encode{}),
		"mix": demoWidget(charts.Donut, "Flights by distance", "Share of flights", Layout{9, 9, 3, 8},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoMiles)}, charts.Encode{}),
		"airports": demoWidget(charts.Table, "Airport performance", "Flights, delay and punctuality", Layout{0, 17, 6, 9},
			Query{Measures: measures(demoFlights, demoDelay, demoOnTime), Dimensions: dimensions(demoAirport, demoCode),
				Order: []warehouse.Order{{By: "flights", Desc: true}}},
			charts.Encode{Select: []string{"code"}, Columns: []charts.Cell{{Column: "airport"}, {Column: "code", Quiet: true},
				{Column: "flights", Bar: true, Change: true}, {Column: "mean_delay"}, {Column: "on_time", Bar: true}}}),
		"when": demoHours(Layout{6, 17, 3, 9}),
		"states": demoWidget(charts.Bar, "Flights by state", "Select a bar to cross-filter", Layout{9, 17, 3, 9},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoState), Limit: 8}, charts.Encode{}),
		"delays": demoWidget(charts.Line, "Mean delay", "{grain}, in minutes", Layout{0, 26, 6, 8},
			Query{Measures: measures(demoDelay), Dimensions: dimensions(demoDay)}, charts.Encode{Hue: "c2"}),
		"hours": demoWidget(charts.Area, "Flights by hour", "Scheduled departure, all days", Layout{6, 26, 3, 8},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoHour)}, charts.Encode{}),
		"distance": demoWidget(charts.Bar, "Mean delay by distance", "Minutes, in steps of 500 miles", Layout{9, 26, 3, 8},
			Query{Measures: measures(demoDelay), Dimensions: dimensions(demoMiles)},
			charts.Encode{Vertical: true}),
	}}
}

func demoDelays(flights ids.Dataset) Config {
	return Config{Schema: Schema, Dataset: flights, Settings: demoSettings("2001-04-02~2001-06-30"), Filters: demoControls(), Hierarchies: demoHierarchies(), Widgets: map[string]Widget{
		"late":   demoWidget(charts.KPI, "Over an hour late", "", Layout{0, 0, 3, 3}, Query{Measures: measures(demoVeryLate)}, charts.Encode{Hue: "c2"}),
		"delay":  demoWidget(charts.KPI, "Mean delay", "", Layout{3, 0, 3, 3}, Query{Measures: measures(demoDelay)}, charts.Encode{}),
		"ontime": demoWidget(charts.KPI, "On time", "", Layout{6, 0, 3, 3}, Query{Measures: measures(demoOnTime)}, charts.Encode{Hue: "c3"}),
		"miles":  demoWidget(charts.KPI, "Mean distance", "", Layout{9, 0, 3, 3}, Query{Measures: measures(demoDistance)}, charts.Encode{}),
		"trend": demoWidget(charts.Line, "On-time departures", "{grain}, at most 15 minutes late", Layout{0, 3, 8, 9},
			Query{Measures: measures(demoOnTime), Dimensions: dimensions(demoDay)}, charts.Encode{Hue: "c3"}),
		"worst": demoWidget(charts.Bar, "Mean delay by state", "Minutes, the ten largest means", Layout{8, 3, 4, 9},
			Query{Measures: measures(demoDelay), Dimensions: dimensions(demoState), Limit: 10,
				Filters: []warehouse.Filter{{Column: "origin_airport.state", Op: "not_empty"}}}, charts.Encode{Hue: "c2"}),
		"when": demoHours(Layout{0, 12, 6, 9}),
		"cities": demoWidget(charts.Table, "Cities", "Flights, delay and punctuality", Layout{6, 12, 6, 9},
			Query{Measures: measures(demoFlights, demoDelay, demoVeryLate), Dimensions: dimensions(demoCity, demoState),
				Order:   []warehouse.Order{{By: "mean_delay", Desc: true}},
				Filters: []warehouse.Filter{{Measure: "flights", Op: ">=", Values: []json.RawMessage{json.RawMessage("100")}}}},
			charts.Encode{Columns: []charts.Cell{{Column: "city"}, {Column: "state", Quiet: true},
				{Column: "flights"}, {Column: "mean_delay", Bar: true, Change: true}, {Column: "very_late"}}}),
	}}
}

func demoReplay(replay ids.Dataset) Config {
	settings := demoSettings("1d")
	settings.Note = "Replay of 2001, a second at a time"
	settings.Comparison = CompareNone
	minute := warehouse.Dimension{Column: "date", Grain: "minute", As: "minute"}
	return Config{Schema: Schema, Dataset: replay, Settings: settings, Widgets: map[string]Widget{
		"flights": demoWidget(charts.KPI, "Departures", "", Layout{0, 0, 3, 3}, Query{Measures: measures(demoFlights), Spark: "-"}, charts.Encode{}),
		"delay":   demoWidget(charts.KPI, "Mean delay", "", Layout{0, 3, 3, 3}, Query{Measures: measures(demoDelay), Spark: "-"}, charts.Encode{}),
		"ontime":  demoWidget(charts.KPI, "On time", "", Layout{0, 6, 3, 3}, Query{Measures: measures(demoOnTime), Spark: "-"}, charts.Encode{Hue: "c3"}),
		"minutes": demoWidget(charts.Area, "Departures a minute", "By scheduled departure", Layout{3, 0, 9, 9},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(minute)}, charts.Encode{}),
		"map": demoMap(Layout{0, 9, 6, 9}, "Airports", "Size: departures. Colour: mean delay"),
		"busiest": demoWidget(charts.Bar, "Busiest airports", "Departures", Layout{6, 9, 3, 9},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoCode), Limit: 8}, charts.Encode{}),
		"latest": demoWidget(charts.Table, "Latest departures", "Newest first", Layout{6, 18, 6, 9},
			Query{Columns: []string{"date", "origin", "destination", "delay"}, Order: []warehouse.Order{{By: "date", Desc: true}}}, charts.Encode{}),
		"mix": demoWidget(charts.Donut, "States", "Share of departures", Layout{9, 9, 3, 9},
			Query{Measures: measures(demoFlights), Dimensions: dimensions(demoState)}, charts.Encode{}),
		"hours": demoWidget(charts.Bar, "Mean delay by airport", "Minutes, busiest twelve airports", Layout{0, 18, 6, 9},
			Query{Measures: measures(demoDelay, demoFlights), Dimensions: dimensions(demoCode), Limit: 12,
				Order: []warehouse.Order{{By: "flights", Desc: true}}}, charts.Encode{Value: "mean_delay", Hue: "c2", Vertical: true}),
	}}
}
