package dashboards

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/forecast"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Rules give numbers a meaning: those of a whole widget (a figure, a gauge,
// bars), or of one column of a table.

// rulesOf is the list that an act is about: of the column in Field, or of the
// widget.
func (d *drafter) rulesOf(sc *schema, w *Widget, a Act) (*[]charts.Threshold, error) {
	if a.Field == "" {
		if !w.Type.HasRules() {
			return nil, ErrAct.With("A %s has no thresholds.", typeName(w.Type))
		}
		return &w.Encode.Thresholds, nil
	}
	if err := d.setCell(sc, w, Act{Field: a.Field}); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(w.Encode.Columns, func(c charts.Cell) bool { return c.Column == a.Field })
	return &w.Encode.Columns[i].Rules, nil
}

// RuleName is what acts call a rule: no other of the same list begins there.
func RuleName(t charts.Threshold) string { return strconv.FormatFloat(t.From, 'f', -1, 64) }

func findRule(list []charts.Threshold, a Act) (int, error) {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = RuleName(t)
	}
	at, ok := locate(names, a.index(), a.Expect)
	if !ok {
		return 0, ErrAct.With("There is no such rule at that place any more. Somebody else may have changed or removed it.")
	}
	return at, nil
}

// addRule adds a rule above those that are there.
func (d *drafter) addRule(sc *schema, w *Widget, a Act) error {
	list, err := d.rulesOf(sc, w, a)
	if err != nil {
		return err
	}
	if len(*list) >= maxRules {
		return ErrAct.With("There are at most %d rules.", maxRules)
	}
	one := charts.Threshold{Tone: charts.Good}
	if n := len(*list); n > 0 {
		last := (*list)[n-1].From
		one.From = last + max(1, last)
	}
	*list = append(slices.Clone(*list), one)
	return nil
}

func (d *drafter) setRule(sc *schema, w *Widget, a Act) error {
	list, err := d.rulesOf(sc, w, a)
	if err != nil {
		return err
	}
	at, err := findRule(*list, a)
	if err != nil {
		return err
	}
	next := slices.Clone(*list)
	one := &next[at]
	if a.Set.From != nil {
		if one.From, err = ruleNumber(*a.Set.From); err != nil {
			return err
		}
		for i, other := range next {
			if i != at && other.From == one.From {
				return ErrAct.With("Another rule begins at %s already.", strings.TrimSpace(*a.Set.From))
			}
		}
	}
	if a.Set.Tone != nil {
		one.Tone = charts.Tone(*a.Set.Tone)
	}
	if a.Set.Fill != nil {
		one.Fill = *a.Set.Fill
	}
	if a.Set.AsLabel != nil {
		one.Label = strings.TrimSpace(*a.Set.AsLabel)
	}
	slices.SortFunc(next, func(x, y charts.Threshold) int {
		switch {
		case x.From < y.From:
			return -1
		case x.From > y.From:
			return 1
		}
		return 0
	})
	if err := validateThresholds(next); err != nil {
		return ErrAct.With("%s", sentence(err)).Wrap(err)
	}
	*list = next
	return nil
}

// ruleNumber reads a number as people write one: "15", "-3.5", "70 %", "1,200".
func ruleNumber(text string) (float64, error) {
	plain := strings.NewReplacer("−", "-", ",", "", " ", "", "\u00a0", "").Replace(text)
	digits, percent := strings.CutSuffix(plain, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || v-v != 0 {
		return 0, ErrAct.With("%q is no number.", clip(text))
	}
	if percent {
		v /= 100
	}
	return v, nil
}

func (d *drafter) removeRule(sc *schema, w *Widget, a Act) error {
	list, err := d.rulesOf(sc, w, a)
	if err != nil {
		return err
	}
	at, err := findRule(*list, a)
	if err != nil {
		return err
	}
	if *list = slices.Delete(slices.Clone(*list), at, at+1); len(*list) == 0 {
		*list = nil
	}
	return nil
}

// setForecast continues a line, or ends that.
func (d *drafter) setForecast(sc *schema, w *Widget, a Act) error {
	if a.Set.On == nil || !*a.Set.On {
		w.Forecast = nil
		return nil
	}
	f := charts.Forecast{Horizon: firstHorizon}
	if err := f.Validate(w.Type, len(w.Query.Dimensions)); err != nil {
		return ErrAct.With("%s", sentence(err)).Wrap(err)
	}
	if len(w.Query.Dimensions) == 1 {
		if c, ok := sc.find(w.Query.Dimensions[0].Column); !ok || !temporal(c.Type) || cyclic(w.Query.Dimensions[0].Grain) {
			return ErrAct.With("A forecast continues a line over time: put a date on the x axis.")
		}
	}
	w.Forecast = &f
	d.reach(sc, w)
	return nil
}

// reach lets a new forecast have the history that it takes: where the periods
// that the line would be drawn by are too few, by finer ones, and as far ahead
// as the finest allow.
func (d *drafter) reach(sc *schema, w *Widget) {
	if w.Forecast == nil || len(w.Query.Dimensions) != 1 {
		return
	}
	dim := &w.Query.Dimensions[0]
	facts := d.factsOf(sc)
	if dim.Grain != AutoGrain || dim.Column != facts.TimeColumn || facts.Days == 0 {
		return
	}
	c, _ := sc.find(dim.Column)
	grains := []string{"year", "quarter", "month", "week", "day", "hour"}
	grains = grains[slices.Index(grains, autoGrain(facts.Days)):]
	if c.Type == warehouse.Date || !facts.Hours {
		grains = slices.DeleteFunc(slices.Clone(grains), func(grain string) bool { return grain == "hour" })
	}
	for i, grain := range grains {
		// The first and the last may be cut.
		periods, takes := max(0, facts.periods(grain)-2), 2*firstHorizon
		if seasons := forecast.Seasons(grain); len(seasons) > 0 {
			takes = max(takes, 2*seasons[0])
		}
		if periods >= takes {
			if i > 0 {
				dim.Grain = grain
			}
			return
		}
		if i == len(grains)-1 {
			dim.Grain = grain
			w.Forecast.Horizon = min(firstHorizon, max(1, periods/3))
		}
	}
}

// periods is how many periods of a grain the time column spans.
func (f *Facts) periods(grain string) int {
	if grain == "hour" {
		return 24 * f.Days
	}
	return f.Days / daysOf[grain]
}

const (
	firstHorizon = 14 // of a new forecast, in periods
	maxRules     = 10
)
