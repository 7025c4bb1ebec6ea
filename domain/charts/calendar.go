package charts

import (
	"time"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

const (
	calendarYears = 5
	calendarGap   = 3.5 // per cent of the height above each year, since the names of months reach beyond their place
)

// drawCalendar draws one cell a day, weeks from left to right and weekdays
// down, coloured by a measure. Spans of more than a year have a row a year.
func drawCalendar(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	if !isTime(x) || x.Grain != "" && x.Grain != "day" {
		return ErrConfig.With("A calendar needs days: a date with the grain \"day\".")
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	if x.Grain == "" && x.Type != warehouse.Date {
		return ErrConfig.With("A calendar needs days: a date with the grain \"day\".")
	}
	at, _ := d.timeline(x)
	low, high := extremes(y, d.Result.Rows)
	if len(at) == 0 || low < 0 {
		d.out.State = Empty
		return nil
	}
	// More than a year stands in rows, a calendar year each.
	var starts []time.Time
	first, last := at[0], at[len(at)-1]
	if last.Sub(first) <= 371*24*time.Hour {
		starts = []time.Time{floor(first, "week")}
	} else {
		for year := first.Year(); year <= last.Year(); year++ {
			starts = append(starts, floor(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), "week"))
		}
	}
	if len(starts) > calendarYears {
		d.out.Fit = Message{Key: "charts.fit.grain", Args: []any{"Grain", "month"}}
		return d.tooMuch(len(at))
	}
	rows := map[int64]int{}
	for row := range d.Result.Rows {
		if !x.IsNull(row) {
			rows[d.wall(x, row).Unix()/86400] = row
		}
	}
	f := d.format(y)
	var values []float64
	for _, t := range at {
		if row, has := rows[t.Unix()/86400]; has {
			if v, ok := number(y, row); ok {
				values = append(values, v)
			}
		} else if d.fills(y) {
			values = append(values, 0) // as it is drawn
		}
	}
	lowest, highest, lowText, topText := d.scale(values, f)
	picked := d.picked()
	days := make([]string, 7)
	for i := range days {
		if i%2 == 0 {
			days[i] = d.Locale.Weekday(i + 1)
		}
	}
	var grids, across, down, series []obj
	var heads, marks [][]string
	var names []string
	var formats []obj
	for n, start := range starts {
		end := last
		if n+1 < len(starts) {
			end = time.Date(at[0].Year()+n, 12, 31, 0, 0, 0, 0, time.UTC)
		}
		weeks := int(end.Sub(start).Hours()/24)/7 + 1
		labels := make([]string, weeks)
		month := time.Month(0)
		for w := range labels {
			// A month is named over the first week that begins in it.
			if monday := start.AddDate(0, 0, 7*w); monday.Month() != month && (w > 0 || monday.Day() < 15) {
				month = monday.Month()
				labels[w] = d.Locale.Months[month-1]
			}
		}
		var data []any
		var head, mark []string
		for _, t := range at {
			if t.Before(start) || t.After(end) || len(starts) > 1 && t.Year() != end.Year() {
				continue
			}
			day := int(t.Sub(start).Hours() / 24)
			row, has := rows[t.Unix()/86400]
			if !has {
				row = -1
			}
			value := d.cell(y, row)
			if value == nil {
				continue
			}
			word := ""
			if row >= 0 {
				word = d.mark(row, columns...)
			}
			cell := []any{day / 7, day % 7, value}
			if picked != nil && !picked[word] {
				data = append(data, obj{"value": cell, "itemStyle": obj{"opacity": fade}})
			} else {
				data = append(data, cell)
			}
			head = append(head, d.Locale.Weekday(day%7+1)+", "+d.Locale.Date(t))
			mark = append(mark, word)
		}
		d.out.Count += len(data)
		height := 100 / float64(len(starts))
		grid := obj{"left": 4, "right": 4, "top": perCent(height*float64(n) + calendarGap), "height": perCent(height - calendarGap), "outerBoundsMode": "same", "outerBoundsContain": "axisLabel"}
		grids = append(grids, grid)
		across = append(across, obj{"type": "category", "data": labels, "gridIndex": n, "position": "top", "axisLine": obj{"show": false},
			"axisLabel": obj{"interval": 0, "hideOverlap": true, "align": "left"}, "splitArea": obj{"show": false}})
		axis := obj{"type": "category", "data": days, "gridIndex": n, "inverse": true, "axisLine": obj{"show": false}, "axisLabel": obj{"interval": 0, "fontSize": 10}}
		if len(starts) > 1 {
			axis["name"], axis["nameLocation"], axis["nameGap"] = d.Locale.Bucket(end, locale.Year, true), "middle", 36
			axis["nameTextStyle"] = obj{"color": cssVar("--df-ink-2"), "fontSize": 11}
			grid["left"] = 22
		}
		down = append(down, axis)
		series = append(series, obj{"type": "heatmap", "name": d.name(y), "data": data, "xAxisIndex": n, "yAxisIndex": n,
			"itemStyle": obj{"borderColor": cssVar("--color-base-100"), "borderWidth": 1.5, "borderRadius": 2}})
		heads, marks, names = append(heads, head), append(marks, mark), append(names, d.name(y))
		formats = append(formats, placed("full", f))
	}
	d.out.Scale = &[2]string{lowText, topText}
	peak, _ := number(y, high)
	d.say("calendar", "Measure", d.name(y), "From", d.Locale.Date(first), "To", d.Locale.Date(last),
		"High", d.Locale.KPI(peak, f), "HighAt", d.text(x, high))
	if highest == lowest {
		highest = lowest + 1
	}
	option := obj{"grid": grids, "xAxis": across, "yAxis": down, "series": series,
		"visualMap": obj{"show": false, "type": "continuous", "min": short(lowest), "max": short(highest), "dimension": 2,
			"inRange": obj{"color": cssVar("--seq")}}}
	df := obj{"tooltip": obj{"headsBy": heads, "names": names, "formats": formats}}
	if len(columns) > 0 {
		df["marks"] = obj{"by": "cell", "cells": marks, "values": []string{}}
	}
	return d.chart(option, df)
}
