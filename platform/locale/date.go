package locale

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Date writes a day: 15 Jun 2026, or Jun 15, 2026.
func (l *Locale) Date(t time.Time) string {
	return l.dayMonth(t.Day(), t.Month(), t.Year())
}

// ShortDate leaves the year out: 15 Jun.
func (l *Locale) ShortDate(t time.Time) string { return l.dayMonth(t.Day(), t.Month(), 0) }

func (l *Locale) dayMonth(day int, month time.Month, year int) string {
	d, m := strconv.Itoa(day)+l.DayMark, l.Months[month-1]
	switch {
	case l.Order == MonthDayYear && year != 0:
		return m + " " + d + ", " + yearText(year)
	case l.Order == MonthDayYear:
		return m + " " + d
	case l.Order == YearMonthDay && year != 0:
		return yearText(year) + " " + m + " " + d
	case year != 0:
		return d + " " + m + " " + yearText(year)
	}
	return d + " " + m
}

func yearText(year int) string {
	if year < 0 {
		return minus + strconv.Itoa(-year)
	}
	return strconv.Itoa(year)
}

// DateRange writes the days from one to another, both included, and says only
// once what they share: 18 May – 14 Jun 2026, 3 – 9 Jun 2026.
func (l *Locale) DateRange(from, to time.Time) string {
	const dash = " – "
	sameYear := from.Year() == to.Year()
	sameMonth := sameYear && from.Month() == to.Month()
	switch {
	case sameMonth && from.Day() == to.Day():
		return l.Date(to)
	case sameMonth && l.Order == DayMonthYear:
		return strconv.Itoa(from.Day()) + l.DayMark + dash + l.Date(to)
	case sameMonth && l.Order == MonthDayYear:
		return fmt.Sprintf("%s %d%s%d, %s", l.Months[from.Month()-1], from.Day(), dash, to.Day(), yearText(to.Year()))
	case sameYear && l.Order == YearMonthDay:
		return l.Date(from) + dash + l.ShortDate(to)
	case sameYear:
		return l.ShortDate(from) + dash + l.Date(to)
	}
	return l.Date(from) + dash + l.Date(to)
}

// Time writes the minute, on a 24-hour clock: 14:32.
func (l *Locale) Time(t time.Time) string { return t.Format("15:04") }

// TimeZone writes the second and the zone, where it matters: 14:32:07 BST.
func (l *Locale) TimeZone(t time.Time) string { return t.Format("15:04:05 ") + zoneName(t) }

// DateTime writes a minute of a day: 15 Jun 2026, 14:32.
func (l *Locale) DateTime(t time.Time) string { return l.Date(t) + ", " + l.Time(t) }

// DateTimeZone writes a second of a day, for titles: 15 Jun 2026, 14:32:07 BST.
func (l *Locale) DateTimeZone(t time.Time) string { return l.Date(t) + ", " + l.TimeZone(t) }

// zoneName turns the numeric names of zones without letters ("+03") into
// UTC+3, which says more.
func zoneName(t time.Time) string {
	name, offset := t.Zone()
	if name != "" && name[0] != '+' && name[0] != '-' {
		return name
	}
	hours, minutes := offset/3600, abs(offset)/60%60
	text := "UTC"
	switch {
	case offset > 0:
		text += "+" + strconv.Itoa(hours)
	case offset < 0:
		text += minus + strconv.Itoa(abs(hours))
	}
	if minutes != 0 {
		text += fmt.Sprintf(":%02d", minutes)
	}
	return text
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// Grain is the size of a bucket of time, as queries name it.
type Grain string

// The grains.
const (
	Second  Grain = "second"
	Minute  Grain = "minute"
	Hour    Grain = "hour"
	Day     Grain = "day"
	Week    Grain = "week" // ISO, from Monday
	Month   Grain = "month"
	Quarter Grain = "quarter"
	Year    Grain = "year"
)

// Bucket names a bucket of time by its start, as an axis or a table does:
// 15 Jun, W24, Jun 2026, Q2 2026, 2026, 14:00. withYear adds the year where a
// day or week alone could be of several.
func (l *Locale) Bucket(t time.Time, grain Grain, withYear bool) string {
	switch grain {
	case Year:
		return yearText(t.Year())
	case Quarter:
		return l.Quarter + strconv.Itoa((int(t.Month())+2)/3) + " " + yearText(t.Year())
	case Month:
		return l.Months[t.Month()-1] + " " + yearText(t.Year())
	case Week:
		year, week := t.ISOWeek()
		text := l.Week + strconv.Itoa(week)
		if withYear {
			text += " " + yearText(year)
		}
		return text
	case Hour, Minute:
		if withYear {
			return l.ShortDate(t) + ", " + l.Time(t)
		}
		return l.Time(t)
	case Second:
		return t.Format("15:04:05")
	}
	if withYear {
		return l.Date(t)
	}
	return l.ShortDate(t)
}

// Weekday is the short name of an ISO weekday, 1 for Monday to 7 for Sunday.
func (l *Locale) Weekday(iso int) string {
	if iso < 1 || iso > 7 {
		return missing
	}
	return l.Weekdays[iso-1]
}

// Ago is a moment in relation to now, for as long as that says more than the
// date: below 24 hours, then "yesterday", then the date. The words are the
// message catalogue's: Unit and Count name them.
type Ago struct {
	Unit  AgoUnit
	Count int    // of minutes or hours
	Date  string // of AgoDate
}

// AgoUnit is the kind of relation.
type AgoUnit string

// The kinds.
const (
	AgoNow       AgoUnit = "now" // under a minute
	AgoMinutes   AgoUnit = "minutes"
	AgoHours     AgoUnit = "hours"
	AgoYesterday AgoUnit = "yesterday" // the calendar day before, 24 hours back or more
	AgoDate      AgoUnit = "date"
)

// Ago relates t to now; both in the person's zone. A moment in the future (two
// clocks differ) counts as now.
func (l *Locale) Ago(t, now time.Time) Ago {
	since := now.Sub(t)
	switch {
	case since < time.Minute:
		return Ago{Unit: AgoNow}
	case since < time.Hour:
		return Ago{Unit: AgoMinutes, Count: int(since / time.Minute)}
	case since < 24*time.Hour:
		return Ago{Unit: AgoHours, Count: int(since / time.Hour)}
	}
	yesterday := now.AddDate(0, 0, -1)
	switch {
	case t.YearDay() == yesterday.YearDay() && t.Year() == yesterday.Year():
		return Ago{Unit: AgoYesterday}
	case t.Year() == now.Year():
		return Ago{Unit: AgoDate, Date: l.ShortDate(t)}
	}
	return Ago{Unit: AgoDate, Date: l.Date(t)}
}

// Duration writes a span in its two largest units: 1 min 52 s, 184 ms.
func (l *Locale) Duration(d time.Duration) string { return l.Seconds(d.Seconds()) }

// Seconds writes a span given in seconds, in its two largest units.
func (l *Locale) Seconds(v float64) string {
	if math.IsNaN(v) {
		return missing
	}
	if math.IsInf(v, 0) {
		return signText(v) + infinity
	}
	text := l.span(math.Abs(v))
	if text == "0"+nbsp+"s" {
		return text
	}
	return signText(v) + text
}

func (l *Locale) span(seconds float64) string {
	switch {
	case seconds == 0:
		return "0" + nbsp + "s"
	case seconds < 0.000_9995:
		return l.trimmed(seconds*1e6, Format{Unit: "µs"}, 0)
	case seconds < 0.009_995:
		return l.trimmed(seconds*1e3, Format{Unit: "ms"}, 1)
	case seconds < 0.9995:
		return l.trimmed(seconds*1e3, Format{Unit: "ms"}, 0)
	case seconds < 9.95:
		return l.trimmed(seconds, Format{Unit: "s"}, 1)
	case seconds < 59.5:
		return l.trimmed(seconds, Format{Unit: "s"}, 0)
	case seconds < 3599.5:
		return l.pair(math.Round(seconds), 60, "min", "s")
	case seconds < 86_370:
		return l.pair(math.Round(seconds/60), 60, "h", "min")
	}
	return l.pair(math.Round(seconds/3600), 24, "d", "h")
}

// pair writes n small units as large ones and the rest.
func (l *Locale) pair(n, perLarge float64, large, small string) string {
	text := l.Integer(int64(n/perLarge)) + nbsp + large
	if rest := int64(math.Mod(n, perLarge)); rest != 0 {
		text += nbsp + strconv.FormatInt(rest, 10) + nbsp + small
	}
	return text
}

var sizes = [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}

// Size writes a number of bytes in powers of ten: 41.8 GB.
func (l *Locale) Size(bytes float64) string {
	if math.IsNaN(bytes) {
		return missing
	}
	if math.IsInf(bytes, 0) {
		return signText(bytes) + infinity
	}
	value, unit := math.Abs(bytes), 0
	for unit < len(sizes)-1 && value >= 999.5 {
		value /= 1000
		unit++
	}
	decimals := 0
	if unit > 0 && value < 99.95 {
		decimals = 1
	}
	text := l.trimmed(value, Format{Unit: sizes[unit]}, decimals)
	if strings.HasPrefix(text, "0") && value == 0 {
		return text
	}
	return signText(bytes) + text
}

// FileSize is Size for a number of bytes that is whole.
func (l *Locale) FileSize(bytes int64) string { return l.Size(float64(bytes)) }
