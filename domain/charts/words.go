package charts

import "math"

const mostWords = 40

// drawWords lists the values of a dimension, largest first, in sizes that
// follow the measure. It reads as a list does, unlike a cloud.
func drawWords(d *drawing) error {
	x, err := d.dimension(d.Config.Encode.X, 0)
	if err != nil {
		return err
	}
	y, err := d.value()
	if err != nil {
		return err
	}
	columns, err := d.selects()
	if err != nil {
		return err
	}
	low, high := extremes(y, d.Result.Rows)
	if low < 0 {
		d.out.State = Empty
		return nil
	}
	least, _ := number(y, low)
	most, _ := number(y, high)
	f, picked := d.format(y), d.picked()
	for row := range d.Result.Rows {
		v, ok := number(y, row)
		if !ok || d.isOther(row) || len(d.out.Words) == mostWords {
			continue
		}
		w := Word{Text: d.text(x, row), Value: d.Locale.KPI(v, f), Size: 3, Mark: d.mark(row, columns...)}
		if most > least {
			w.Size = 1 + int(math.Round(4*math.Sqrt((v-least)/(most-least))))
		}
		w.Faded = picked != nil && !picked[w.Mark]
		d.out.Words = append(d.out.Words, w)
	}
	d.out.Count = len(d.out.Words)
	d.sayCategories(x, y)
	return nil
}
