package dashboards

import "testing"

func TestShorterRanges(t *testing.T) {
	t.Parallel()
	span := func(days int) *Days { return &Days{From: 1000, To: 1000 + Day(days) - 1} }
	for name, c := range map[string]struct {
		days *Days
		most int
		text string
		want int
	}{
		"a year":                 {span(365), 0, "1973-08-30~1973-09-26", 28},
		"a year, 13 days fit":    {span(365), 13, "", 7},
		"a year, an hour fits":   {span(365), -1, "", 0},
		"28 days":                {span(28), 0, "", 7},
		"a week":                 {span(7), 0, "", 1},
		"a day":                  {span(1), 0, "", 0},
		"all of it, 3 days fit":  {nil, 3, "", 1},
		"all of it, 100 days do": {nil, 100, "", 28},
	} {
		v := &View{HasDates: true, Days: c.days, today: 2000}
		text, days := v.shorter(c.most)
		if days != c.want || (text != "") != (days > 0) || c.text != "" && text != c.text {
			t.Errorf("%s: %q, %d days", name, text, days)
		}
	}
}
