// Package charts turns the answer of a query into something to draw: ECharts
// options, a KPI, a table or points on a map, with the sentence that a screen
// reader says and the rows that "View as table" shows. It is pure: the same
// answer, config, locale and zone give the same bytes, whatever theme or
// tenant brand draws them.
//
// # What the browser gets
//
// A chart is <df-chart data-widget="ID"> around one
// <script type="application/json"> with an object of two keys:
//
//	{"option": {…}, "df": {…}}
//
// option is an ECharts option (the theme "df" supplies all that is not in it)
// with two conventions that keep it free of code and of colours:
//
//   - A string "var(--c1)" anywhere stands for the value of that CSS variable
//     where the chart stands, read anew when the theme changes. A variable
//     with several colours ("var(--seq)") stands for an array, one that is a
//     number ("var(--df-band)") for that number.
//   - An object {"$format": F} in the place of a function stands for
//     value => text by the format F. F is a NumberFormat,
//     {"labels": {"20000": "£20k"}} for the ready texts of an axis,
//     {"field": "face"} for a text that the point carries under that name, or
//     {"head": true} for the head that the tooltip of the point has.
//   - "include": [v…] on an axis widens it as far as the reference lines on it.
//   - "fit": true on the labels of an x axis lets all of them stand, turned or on
//     several lines where it takes that.
//   - A node of a treemap or sunburst has its name written on it as far as that
//     fits, and below it the first of its "values" that does.
//
// df says what ECharts has no words for:
//
//   - "tooltip": {"heads": [text…], "formats": [F…], "names": [text…]}: the
//     first line of the tooltip by data index, and format and name by series.
//     Without it the chart has no tooltip. A point whose last part is null is
//     left out of it. A format with "range" writes the last two parts of the
//     point, the ends of a band.
//     "headsBy" has the heads by series and data index, "texts" ready texts in
//     the place of formatted values, "fields" [{name, at, format}…] a line for
//     each part of a value, and "item" true makes the tooltip that of a single
//     point. A point may carry "head", "text" and "rows" of its own. A series
//     with an empty name only holds others up. Without a tooltip there is none.
//   - "marks": {"by": "data"|"series"|"cell"|"item", "values": [mark…]}: what a
//     click selects, by data index (of the series "series"), by series, by both
//     ("cells" [[mark…]…]), or as the point carries it under "mark". A click
//     on a mark sends the event "df:select" (bubbling) with detail
//     {widget, mark, add}; add is true with Shift held. An empty mark can't be
//     selected. Absent: nothing can be.
//   - "narrow": option, merged over the first under 640 px of window width.
//
// A map is <df-map data-widget="ID"> around JSON of type MapData and sends the
// same event.
package charts
