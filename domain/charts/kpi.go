package charts

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// drawKPI draws one value, its change and its course. No rows and no value are
// the same: a dash, never a zero.
func drawKPI(d *drawing) error {
	c, err := d.value()
	if err != nil {
		return err
	}
	f, meaning := d.format(c), d.settings(c)
	fig := &Figure{Text: locale.Missing, Full: locale.Missing, Empty: true}
	d.out.KPI = fig
	if d.Result.Rows == 0 {
		d.out.State = Empty
		d.say("kpi_empty")
		return nil
	}
	now, ok := number(c, 0)
	if !ok {
		d.out.State = Empty
		d.say("kpi_empty")
		return nil
	}
	fig.Empty = false
	fig.Text, fig.Full = d.Locale.KPI(now, f), d.Locale.Full(now, f)
	d.out.Count = 1
	d.say("kpi", "Value", fig.Text)
	if p := d.previous(c); p != nil {
		so, happened := number(d.toDate(c), 0)
		before, known := number(p, 0)
		delta := d.Locale.Delta(so, before, f)
		switch {
		case !happened || !known:
		case !delta.Known:
			fig.Against = d.Locale.KPI(before, f)
		default:
			fig.Against = d.Locale.KPI(before, f)
			fig.Delta, fig.Arrow = delta.Magnitude, delta.Direction
			fig.Tone = tone(delta.Direction, meaning.Better)
			d.say("kpi_compared", "Value", fig.Text, "Delta", delta.Text, "Before", fig.Against)
			if d.Words.UpTo != "" {
				fig.UpTo, fig.Over = d.Words.UpTo, d.compared()
				d.say("kpi_cut", "Value", fig.Text, "Delta", delta.Text, "Before", fig.Against, "UpTo", fig.UpTo)
			}
			if !d.Result.ToDate.IsZero() {
				fig.SoFar, fig.ToDate = d.Locale.KPI(so, f), d.Words.ToDate
				d.say("kpi_to_date", "Value", fig.Text, "SoFar", fig.SoFar, "ToDate", fig.ToDate, "Delta", delta.Text, "Before", fig.Against)
			}
		}
	} else if d.beforeData() {
		fig.Unknown = d.compared()
	}
	if fig.Status, err = d.status(now, c); err != nil {
		return err
	}
	if d.Spark != nil {
		fig.Spark, err = d.spark(c)
	}
	return err
}

// spark is the course of the value: the line of the sparkline's result, with
// missing periods filled as the measure asks.
func (d *drawing) spark(value *warehouse.ResultColumn) (string, error) {
	s := *d
	s.Result = d.Spark
	inner, err := begin(s.Input)
	if err != nil {
		return "", err
	}
	inner.Result = d.Spark
	if len(inner.dims) == 0 || !isTime(inner.dims[0]) || d.Spark.Rows < 2 {
		return "", nil
	}
	y, err := inner.column(value.Name)
	if err != nil {
		return "", err
	}
	series := inner.series(inner.dims[0], []*warehouse.ResultColumn{y})
	if len(series.at) > MaxPoints {
		return "", nil
	}
	return Sparkline(whole(series.values[0], inner.cuts(series.at, series.grain)), d.hue()), nil
}

// whole leaves the buckets at the ends out that hold less than the others, where
// a line remains: it is too small to mark them.
func whole(values []float64, cut []bool) []float64 {
	from, to := 0, len(values)
	for cut != nil && from < to && cut[from] {
		from++
	}
	for cut != nil && from < to && cut[to-1] {
		to--
	}
	if to-from < 2 {
		return values
	}
	return values[from:to]
}

// Sparkline is an inline SVG of 104 by 36: a line, the area under it and a dot
// on the last value. A NaN is a gap. Its colours come from CSS variables.
func Sparkline(values []float64, hue string) string {
	const width, height, pad = 104.0, 36.0, 3.0
	if len(values) > 104 {
		values = bins(values, 104)
	}
	low, high := math.Inf(1), math.Inf(-1)
	last := -1
	for i, v := range values {
		if !math.IsNaN(v) {
			low, high, last = min(low, v), max(high, v), i
		}
	}
	if last < 1 {
		return ""
	}
	x := func(i int) string {
		return coordinate(pad + float64(i)*(width-2*pad)/float64(len(values)-1))
	}
	y := func(v float64) string {
		if high == low {
			return coordinate(height / 2)
		}
		return coordinate(height - pad - (v-low)/(high-low)*(height-2*pad))
	}
	var line, area strings.Builder
	start := -1
	shut := func(end int) {
		if start >= 0 {
			fmt.Fprintf(&area, "L%s %sL%s %sZ", x(end), coordinate(height), x(start), coordinate(height))
		}
		start = -1
	}
	for i, v := range values {
		if math.IsNaN(v) {
			shut(i - 1)
			continue
		}
		command := "L"
		if start < 0 {
			command, start = "M", i
		}
		step := command + x(i) + " " + y(v)
		line.WriteString(step)
		area.WriteString(step)
	}
	shut(len(values) - 1)
	colour := html.EscapeString(hue)
	return fmt.Sprintf(`<svg class="df-spark" viewBox="0 0 104 36" width="104" height="36" aria-hidden="true" style="--spark:var(%s)">`+
		`<path class="df-spark-area" d="%s"/><path class="df-spark-line" d="%s"/>`+
		`<circle class="df-spark-dot" cx="%s" cy="%s" r="2.5"/></svg>`,
		colour, area.String(), line.String(), x(last), y(values[last]))
}

// bins averages a long course down to n values; a sparkline is no wider.
func bins(values []float64, n int) []float64 {
	out := make([]float64, n)
	for b := range n {
		from, to := b*len(values)/n, (b+1)*len(values)/n
		sum, count := 0.0, 0
		for _, v := range values[from:to] {
			if !math.IsNaN(v) {
				sum += v
				count++
			}
		}
		out[b] = math.NaN()
		if count > 0 {
			out[b] = sum / float64(count)
		}
	}
	return out
}

func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
