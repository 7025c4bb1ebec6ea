package charts

import (
	"math"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/warehouse"
)

// Shares and totals are made of what adds up: of sums and counts that are not
// below zero. Every drawing of a whole and its parts holds its values against
// that here, and says what is wrong with them rather than draw some of them.

// Adds tells whether the type adds the values of its measure up, so that it
// needs a sum or a count.
func (c *Config) Adds() bool {
	switch c.Type {
	case Donut, Treemap, Sunburst, Sankey, Waterfall:
		return true
	case Bar, StackedBar:
		return c.Encode.Stack == stackPercent
	}
	return false
}

// noise is how far below zero, as a part of the largest value, floats come that
// were to cancel out.
const noise = 1e-9

// unfit leaves a drawing that says why the type can't show the values.
func (d *drawing) unfit(key string, args ...any) {
	d.out.State, d.out.Fit = Unfit, Message{Key: "charts.unfit." + key, Args: args}
}

// Instead is a type that can show what this one can't.
func (d *Drawing) Instead() (t Type, ok bool) {
	switch {
	case d.State != Unfit || d.Fit.Key == "charts.unfit.zero" || d.Fit.Key == "charts.unfit.large":
		return "", false
	case d.Type == Bar:
		return Line, true // as shares they were bars already
	}
	return Bar, true
}

// addable tells whether the measure adds up; where it does not, the drawing
// says so.
func (d *drawing) addable(y *warehouse.ResultColumn) bool {
	if !d.settings(y).Additive {
		d.unfit("adds", "Measure", d.name(y))
		return false
	}
	for row := range d.Result.Rows {
		if !y.IsNull(row) && y.Floats != nil && math.IsInf(y.Floats[row], 0) {
			d.unfit("large", "Measure", d.name(y))
			return false
		}
	}
	return true
}

// whole tells whether the values of y are parts of a whole; where they are not,
// the drawing says why. name is what a row is of, as people read it.
func (d *drawing) whole(y *warehouse.ResultColumn, name func(row int) string) bool {
	if !d.addable(y) {
		return false
	}
	low, high := extremes(y, d.Result.Rows)
	if low < 0 {
		d.out.State = Empty
		return false
	}
	least, _ := number(y, low)
	most, _ := number(y, high)
	if least < -noise*math.Abs(most) {
		d.unfit("negative", "Measure", d.name(y), "Name", name(low), "Value", d.Locale.Full(least, d.format(y)))
		return false
	}
	total := 0.0
	for row := range d.Result.Rows {
		if v, ok := number(y, row); ok && v > 0 {
			total += v
		}
	}
	switch {
	case math.IsInf(total, 0):
		d.unfit("large", "Measure", d.name(y))
	case total == 0:
		d.unfit("zero", "Measure", d.name(y))
	default:
		return true
	}
	return false
}

// labels names a row by its dimensions.
func (d *drawing) labels(dims ...*warehouse.ResultColumn) func(row int) string {
	return func(row int) string {
		text := ""
		for i, c := range dims {
			if i > 0 {
				text += " · "
			}
			text += d.label(c, row)
		}
		return text
	}
}

// lowHigh are the rows with the least and the largest value of those that have
// a name, and how many those are; -1 without one. all is false where a limit
// left out or folded others, which may be less or more.
func (d *drawing) lowHigh(y *warehouse.ResultColumn, cut ...int) (low, high, shown int, all bool) {
	all = !d.Result.More
	for row := range d.Result.Rows {
		if d.isOther(row) {
			all = false
		} else {
			shown++
		}
	}
	low, high = extremesBut(y, d.Result.Rows, func(row int) bool { return d.isOther(row) || slices.Contains(cut, row) })
	if low < 0 && len(cut) > 0 {
		low, high = extremesBut(y, d.Result.Rows, d.isOther)
	}
	return low, high, shown, all
}

// level is how the form of a sentence ends that tells of a highest and a lowest
// value which read the same: of the only value, of the only one that is whole, or
// of many; empty where they differ.
func level(same bool, known, whole int) string {
	switch {
	case !same:
		return ""
	case known == 1:
		return "_one"
	case whole == 1:
		return "_whole"
	}
	return "_level"
}

// says tells whether the sentence has a form, or one of those that level makes of it.
func (d *drawing) says(form string) bool {
	key, same := strings.CutPrefix(d.out.Say.Key, "charts.say."+form)
	return same && slices.Contains([]string{"", "_one", "_whole", "_level"}, key)
}

// ofShown is the key of a sentence, or of the one that speaks only of what is
// shown.
func ofShown(key string, all bool) string {
	if all {
		return key
	}
	return key + "_cut"
}

// noteTop says that so many values of x are shown where others were left out
// without their author having asked for that. The editor sets the limit of a
// radar and of a map itself.
func (d *drawing) noteTop(x *warehouse.ResultColumn, shown int) {
	own := d.Config.Type == Radar || d.Config.Type == Map
	if !d.Result.More || d.Limited && !own {
		return
	}
	note := Message{Key: "charts.note.first", Args: []any{"Shown", d.Locale.Integer(int64(shown)), "Field", d.name(x)}}
	if d.Largest {
		note.Key = "charts.note.top"
	}
	if d.Groups > shown {
		note.Args = append(note.Args, "All", d.Locale.Integer(int64(d.Groups)))
		if note.Key = "charts.note.first_of"; d.Largest {
			note.Key = "charts.note.top_of"
		}
	}
	d.out.Note = note
}
