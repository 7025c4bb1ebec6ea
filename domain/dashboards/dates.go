package dashboards

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

// Comparisons.
const (
	ComparePrevious = "previous"
	CompareYear     = "year"
	CompareNone     = "none"
)

// Range is a date range as a person chose it: relative or fixed. The zero
// Range is all the time there is.
type Range struct {
	// Kind is "all", "last" (N days, the newest included), "month", "quarter",
	// "year" (the current one so far), "whole_month", "whole_quarter", "whole_year"
	// (to its end), "last_month" or "fixed".
	Kind     string
	N        int
	From, To Day // fixed; both included
}

// Day is a calendar day without a zone: days since 1970-01-01.
type Day int32

// DayOf is the day that t shows on its own clock.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Time is midnight UTC of the day.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String is the ISO 8601 form.
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

func parseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, err
	}
	return DayOf(t), nil
}

// Days is a span of days, both ends included.
type Days struct{ From, To Day }

// Count is the number of days.
func (d Days) Count() int { return int(d.To-d.From) + 1 }

var lastDays = regexp.MustCompile(`^([1-9][0-9]{0,4})d$`)

// named are the ranges that are one word in the URL.
var named = map[string]string{"all": "all", "mtd": "month", "qtd": "quarter", "ytd": "year", "pm": "last_month",
	"cm": "whole_month", "cq": "whole_quarter", "cy": "whole_year"}

// ParseRange reads the form of the URL: "28d", "mtd", "qtd", "ytd", "cm", "cq",
// "cy", "pm", "all" or "2026-05-18~2026-06-14".
func ParseRange(text string) (Range, error) {
	if kind, ok := named[text]; ok {
		return Range{Kind: kind}, nil
	}
	if m := lastDays.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return Range{Kind: "last", N: n}, err
	}
	from, to, ok := strings.Cut(text, "~")
	if !ok {
		return Range{}, fmt.Errorf("no date range: %q", text)
	}
	r := Range{Kind: "fixed"}
	var err error
	if r.From, err = parseDay(from); err != nil {
		return Range{}, err
	}
	if r.To, err = parseDay(to); err != nil {
		return Range{}, err
	}
	if r.To < r.From {
		r.From, r.To = r.To, r.From
	}
	return r, nil
}

// String is the form of the URL.
func (r Range) String() string {
	switch r.Kind {
	case "last":
		return strconv.Itoa(r.N) + "d"
	case "fixed":
		return r.From.String() + "~" + r.To.String()
	}
	for word, kind := range named {
		if kind == r.Kind {
			return word
		}
	}
	return "all"
}

// Resolve gives the days of the range, counted from today: the newest day of
// the data, or the day it is. ok is false where the range has no ends.
func (r Range) Resolve(today Day) (days Days, ok bool) {
	y, m, _ := today.Time().Date()
	first := func(y int, m time.Month) Day { return DayOf(time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)) }
	switch r.Kind {
	case "last":
		return Days{today - Day(r.N) + 1, today}, true
	case "month":
		return Days{first(y, m), today}, true
	case "last_month":
		return Days{first(y, m-1), first(y, m) - 1}, true
	case "quarter":
		return Days{first(y, (m-1)/3*3+1), today}, true
	case "whole_month":
		return Days{first(y, m), first(y, m+1) - 1}, true
	case "whole_quarter":
		return Days{first(y, (m-1)/3*3+1), first(y, (m-1)/3*3+4) - 1}, true
	case "whole_year":
		return Days{first(y, 1), first(y+1, 1) - 1}, true
	case "year":
		return Days{first(y, 1), today}, true
	case "fixed":
		return Days{r.From, r.To}, true
	}
	return Days{}, false
}

// step is how far back the previous span of a range lies that is not over: the
// current month is compared with the last one up to the same day. The zero step
// is the length of the span.
type step struct {
	n    int
	unit string
}

func (r Range) step() step {
	switch unit := strings.TrimPrefix(r.Kind, "whole_"); unit {
	case "month", "quarter", "year":
		return step{1, unit}
	}
	return step{}
}

// before is the span that a comparison looks at on a day; nil for none.
func (d Days) before(c *warehouse.Comparison, today Day) *Days {
	if c == nil {
		return nil
	}
	from, to, ok := warehouse.EarlierDays(*c, int64(d.From), int64(d.To), int64(today))
	if !ok {
		return nil
	}
	return &Days{Day(from), Day(to)}
}

// autoGrain is the grain at which a span of days makes a readable series.
func autoGrain(days int) string {
	switch {
	case days <= 2:
		return "hour"
	case days <= 120:
		return "day"
	case days <= 750:
		return "week"
	case days <= 7400:
		return "month"
	case days <= 14600:
		return "quarter"
	}
	return "year"
}

// barGrain is autoGrain for bars, which need more room than the points of a line:
// it makes about thirty of them at most.
func barGrain(days int) string {
	switch {
	case days <= 1:
		return "hour"
	case days <= 31:
		return "day"
	case days <= 31*7:
		return "week"
	case days <= 31*30:
		return "month"
	case days <= 31*91:
		return "quarter"
	}
	return "year"
}
