package reports

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrRule is a moment that can't be read.
var ErrRule = apperr.Define(apperr.Invalid, "reports.rule_invalid",
	"This can't be read as a time. Write it like “weekdays at 8:00”, “every Monday 9am”, “first of the month” or as cron.")

// Rule says at which minutes of the wall clock something runs. Read one with
// ParseRule.
type Rule struct {
	minutes, hours, days, months, weekdays uint64 // one bit a value
	// either: a day fits by its number or by its weekday, as cron has it where
	// both are named.
	either bool
	last   bool // the last day of a month fits as well
}

// cronFields are the five fields of cron: least and greatest value, and names.
var cronFields = []struct {
	low, high int
	names     []string
}{
	{0, 59, nil}, {0, 23, nil}, {1, 31, nil},
	{1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// ParseRule reads cron ("0 8 * * 1-5", with L for the last day of a month) or
// plain English words ("weekdays at 8:00").
//
// Errors: reports.rule_invalid.
func ParseRule(text string) (Rule, error) {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	if len(text) > 200 {
		return Rule{}, ErrRule
	}
	fields := strings.Fields(text)
	if len(fields) == 5 && strings.ContainsAny(fields[0], "0123456789*") {
		return parseCron(fields)
	}
	return parseWords(text)
}

func parseCron(fields []string) (Rule, error) {
	var r Rule
	if day := fields[2]; day == "l" {
		r.last, fields[2] = true, ""
	} else if list, found := strings.CutSuffix(day, ",l"); found {
		r.last, fields[2] = true, list
	}
	into := []*uint64{&r.minutes, &r.hours, &r.days, &r.months, &r.weekdays}
	for i, f := range cronFields {
		if fields[i] == "" {
			continue
		}
		bits, err := parseField(fields[i], f.low, f.high, f.names)
		if err != nil {
			return Rule{}, err
		}
		*into[i] = bits
	}
	if r.weekdays&(1<<7) != 0 { // both 0 and 7 are Sunday
		r.weekdays |= 1
	}
	r.either = !strings.HasPrefix(fields[2], "*") && !strings.HasPrefix(fields[4], "*")
	if r.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC).IsZero() {
		return Rule{}, ErrRule.With("There is no such day: this would never run.")
	}
	return r, nil
}

func parseField(text string, low, high int, names []string) (bits uint64, err error) {
	value := func(word string) (int, error) {
		if i := slices.Index(names, word); i >= 0 {
			return i + low, nil
		}
		n, err := strconv.Atoi(word)
		if err != nil || n < low || n > high {
			return 0, ErrRule.With("“%s” is not a number from %d to %d.", word, low, high).Wrap(err)
		}
		return n, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		part, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > high {
				return 0, ErrRule.With("“/%s” is not a step.", stepText).Wrap(err)
			}
		}
		from, to := low, high
		if low == 0 && high == 7 {
			to = 6
		}
		if part != "*" {
			first, second, span := strings.Cut(part, "-")
			if from, err = value(first); err != nil {
				return 0, err
			}
			switch {
			case span:
				if to, err = value(second); err != nil {
					return 0, err
				}
			case !stepped:
				to = from
			}
		}
		if to < from {
			return 0, ErrRule.With("“%s” ends before it starts.", part)
		}
		for n := from; n <= to; n += step {
			bits |= 1 << n
		}
	}
	return bits, nil
}

const weekdayBits = 0b0111110

// dayWords are the words that name days of the week.
var dayWords = map[string]uint64{
	"day": 0b1111111, "days": 0b1111111, "daily": 0b1111111,
	"weekday": weekdayBits, "weekdays": weekdayBits, "workday": weekdayBits, "workdays": weekdayBits,
	"weekend": 0b1000001, "weekends": 0b1000001, "weekly": 0b0000010,
}

func init() {
	for i := range 7 {
		name := strings.ToLower(time.Weekday(i).String())
		for _, word := range []string{name, name + "s", name[:3]} {
			dayWords[word] = 1 << i
		}
	}
	for word, i := range map[string]int{"tues": 2, "thur": 4, "thurs": 4} {
		dayWords[word] = 1 << i
	}
}

var (
	ordinal   = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)$`)
	clockTime = regexp.MustCompile(`^(\d{1,2})(?:[:.](\d{2}))?(am|pm)?$`)
	interval  = regexp.MustCompile(`^every (\d{1,2}) (minutes?|hours?)$`)
)

// usualHour is when a rule runs that names no time.
const usualHour = 8

// parseWords reads days ("weekdays", "Monday and Thursday", "1st and 15th of
// the month", "last day of the month") and then times ("at 8:00", "9am").
func parseWords(text string) (Rule, error) {
	all := Rule{minutes: 1, hours: 1<<24 - 1, days: 1<<32 - 2, months: 1<<13 - 2, weekdays: 1<<8 - 1}
	switch text {
	case "hourly", "every hour":
		return all, nil
	}
	if m := interval.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // two digits
		unit := 60
		if strings.HasPrefix(m[2], "hour") {
			unit = 24
		}
		if n < 1 || n >= unit || unit%n != 0 || unit == 60 && n < 5 {
			return Rule{}, ErrRule.With("“%s” does not divide evenly. Take 5, 10, 15, 20 or 30 minutes, or 2, 3, 4, 6, 8 or 12 hours.", text)
		}
		bits := uint64(0)
		for at := 0; at < unit; at += n {
			bits |= 1 << at
		}
		if unit == 60 {
			all.minutes = bits
		} else {
			all.hours = bits
		}
		return all, nil
	}
	all.hours = 0
	var week, month uint64
	monthly := false
	words := strings.Fields(strings.NewReplacer(",", " ", " am", "am", " pm", "pm", "noon", "12:00", "midnight", "0:00").Replace(text))
	for i, word := range words {
		switch word {
		case "every", "each", "on", "at", "and", "of", "the", "a", "o'clock":
			continue
		case "month", "months", "monthly":
			monthly = true
			continue
		case "first":
			month |= 1 << 1
			continue
		case "last":
			all.last = true
			continue
		}
		if bits, ok := dayWords[word]; ok {
			if word == "day" && i > 0 && (words[i-1] == "first" || words[i-1] == "last" || ordinal.MatchString(words[i-1])) {
				continue
			}
			week |= bits
			continue
		}
		if m := ordinal.FindStringSubmatch(word); m != nil {
			n, _ := strconv.Atoi(m[1])
			if n < 1 || n > 31 {
				return Rule{}, ErrRule.With("No month has a day “%s”.", word)
			}
			month |= 1 << n
			continue
		}
		hour, minute, ok := readClock(word)
		if !ok {
			return Rule{}, ErrRule.With("“%s” can't be read here. Write it like “weekdays at 8:00”, “every Monday 9am”, “first of the month” or as cron.", word)
		}
		if all.hours != 0 && all.minutes != 1<<minute {
			return Rule{}, ErrRule.With("Several times a day have to be at the same minute. Write it as two schedules.")
		}
		all.hours, all.minutes = all.hours|1<<hour, 1<<minute
	}
	if all.hours == 0 {
		all.hours = 1 << usualHour
	}
	switch byMonth := month != 0 || all.last || monthly; {
	case byMonth && week != 0:
		return Rule{}, ErrRule.With("Name days of the week or days of the month, not both.")
	case byMonth:
		if month == 0 && !all.last {
			month = 1 << 1
		}
		all.days = month
	case week == 0:
		return Rule{}, ErrRule.With("Say on which days: “weekdays at 8:00”, “every Monday 9am” or “first of the month”.")
	default:
		all.weekdays = week
	}
	return all, nil
}

func readClock(word string) (hour, minute int, ok bool) {
	m := clockTime.FindStringSubmatch(word)
	if m == nil {
		return 0, 0, false
	}
	hour, _ = strconv.Atoi(m[1])
	if m[2] != "" {
		minute, _ = strconv.Atoi(m[2])
	}
	switch m[3] {
	case "am", "pm":
		if hour < 1 || hour > 12 {
			return 0, 0, false
		}
		hour %= 12
		if m[3] == "pm" {
			hour += 12
		}
	}
	return hour, minute, hour < 24 && minute < 60
}

func (r Rule) fits(day time.Time) bool {
	if r.months&(1<<day.Month()) == 0 {
		return false
	}
	number := r.days&(1<<day.Day()) != 0 || r.last && day.AddDate(0, 0, 1).Day() == 1
	week := r.weekdays&(1<<day.Weekday()) != 0
	if r.either {
		return number || week
	}
	return number && week
}

// searchDays is how far Next looks: past the next 29th of February.
const searchDays = 9 * 366

// Next is the first moment after the given one, on the wall clock of a zone. A
// time that the clock skips runs when it has been skipped, one that comes twice
// runs the first time: each exactly once. Frequent rules run both times. Zero
// where there is none.
func (r Rule) Next(after time.Time, zone *time.Location) time.Time {
	next := r.nextOnce(after, zone)
	if r.frequent() {
		return r.again(after, next, zone)
	}
	return next
}

// frequent tells of rules that are about an interval, not about a time of day:
// each hour, or several times in several hours.
func (r Rule) frequent() bool {
	return r.hours == 1<<24-1 || bits.OnesCount64(r.minutes) > 1 && bits.OnesCount64(r.hours) > 1
}

// again is the first moment after the given one, and before next, at which a
// clock that was turned back shows a time of the rule anew; next where there is
// none.
func (r Rule) again(after, next time.Time, zone *time.Location) time.Time {
	last, coming := after.In(zone).ZoneBounds()
	for _, change := range []time.Time{last, coming} {
		if change.IsZero() {
			continue
		}
		at := after.Truncate(time.Minute).Add(time.Minute)
		if at.Before(change) {
			at = change
		}
		for end := change.Add(turnedBack(change, zone)); at.Before(end) && at.Before(next); at = at.Add(time.Minute) {
			if local := at.In(zone); r.fits(local) && r.hours&(1<<local.Hour()) != 0 && r.minutes&(1<<local.Minute()) != 0 {
				return at.UTC()
			}
		}
	}
	return next
}

// turnedBack is by how much a change of a zone sets its clock back; less than
// nothing where it sets it forward.
func turnedBack(change time.Time, zone *time.Location) time.Duration {
	_, before := change.Add(-time.Second).In(zone).Zone()
	_, since := change.In(zone).Zone()
	return time.Duration(before-since) * time.Second
}

// nextOnce is Next with each time of the clock once.
func (r Rule) nextOnce(after time.Time, zone *time.Location) time.Time {
	local := after.In(zone)
	// The day before as well: where clocks go back over midnight, its last hour
	// is not over yet.
	day := time.Date(local.Year(), local.Month(), local.Day()-1, 0, 0, 0, 0, time.UTC)
	for range searchDays {
		if r.fits(day) {
			for hour := range 24 {
				if r.hours&(1<<hour) == 0 {
					continue
				}
				for minute := range 60 {
					if r.minutes&(1<<minute) == 0 {
						continue
					}
					if at := onWall(day.Add(time.Duration(hour)*time.Hour+time.Duration(minute)*time.Minute), zone); at.After(after) {
						return at
					}
				}
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

// onWall is when a clock of the zone shows what wall says in UTC: the first
// time, or the end of the gap where it never does.
func onWall(wall time.Time, zone *time.Location) time.Time {
	shows := func(at time.Time) bool {
		_, offset := at.In(zone).Zone()
		return at.Add(time.Duration(offset) * time.Second).Equal(wall)
	}
	// A zone is never more than a day from UTC, so these are the offsets before
	// and after whatever happens around then.
	_, before := wall.Add(-26 * time.Hour).In(zone).Zone()
	_, after := wall.Add(26 * time.Hour).In(zone).Zone()
	first, second := wall.Add(-time.Duration(before)*time.Second), wall.Add(-time.Duration(after)*time.Second)
	if second.Before(first) && shows(second) {
		first, second = second, first
	}
	switch {
	case shows(first):
		return first
	case shows(second):
		return second
	}
	start, _ := wall.Add(-time.Duration(before) * time.Second).In(zone).ZoneBounds()
	return start.UTC()
}

// String is the rule as cron, the one way in which equal rules are equal.
func (r Rule) String() string {
	field := func(bits uint64, low, high int) string {
		var list []string
		for n := low; n <= high; n++ {
			if bits&(1<<n) != 0 {
				list = append(list, strconv.Itoa(n))
			}
		}
		if len(list) == high-low+1 {
			return "*"
		}
		return strings.Join(list, ",")
	}
	days := field(r.days, 1, 31)
	if r.last {
		days = strings.TrimPrefix(days+",L", ",")
	}
	return fmt.Sprintf("%s %s %s %s %s", field(r.minutes, 0, 59), field(r.hours, 0, 23), days, field(r.months, 1, 12), field(r.weekdays, 0, 6))
}

// InWords is a rule that was written as cron in words, where it is one that words
// are usual for: "every 2 minutes", "weekdays at 8:00". Any other text stays as it is.
func InWords(text string) string {
	if fields := strings.Fields(text); len(fields) != 5 || !strings.ContainsAny(fields[0], "0123456789*") {
		return text
	}
	r, err := ParseRule(text)
	if err != nil {
		return text
	}
	if words := r.words(); words != "" {
		return words
	}
	return text
}

// namedAtMost is how many days or times of day read well in one line.
const namedAtMost = 3

// words is the rule in words; empty where it has none.
func (r Rule) words() string {
	const allHours, allDays, allMonths, allWeek = 1<<24 - 1, 1<<32 - 2, 1<<13 - 2, 0b1111111
	week, anyDay := r.weekdays&allWeek, r.days == allDays
	if r.months != allMonths || r.either {
		return ""
	}
	if anyDay && week == allWeek {
		if n := stepOf(r.minutes, 60); r.hours == allHours && n > 0 {
			return every(n, 60, "minute", "hour")
		}
		if n := stepOf(r.hours, 24); r.minutes == 1 && n > 0 && n < 24 {
			return every(n, 24, "hour", "day")
		}
	}
	var times []string
	for hour := range 24 {
		if r.hours&(1<<hour) != 0 {
			times = append(times, fmt.Sprintf("%d:%02d", hour, bits.TrailingZeros64(r.minutes)))
		}
	}
	if bits.OnesCount64(r.minutes) != 1 || len(times) > namedAtMost {
		return ""
	}
	days := ""
	switch {
	case week == allWeek && anyDay:
		days = "daily"
	case week == allWeek:
		days = r.monthDays()
	case !anyDay:
	case week == weekdayBits:
		days = "weekdays"
	case week == dayWords["weekend"]:
		days = "weekends"
	default:
		var names []string
		for day := time.Monday; day <= time.Saturday+1; day++ {
			if week&(1<<(day%7)) != 0 {
				names = append(names, (day % 7).String())
			}
		}
		days = inLine(names)
	}
	if days == "" {
		return ""
	}
	return days + " at " + inLine(times)
}

// monthDays names days of the month.
func (r Rule) monthDays() string {
	var names []string
	for day := 1; day <= 31; day++ {
		if r.days&(1<<day) == 0 {
			continue
		}
		ending := "th"
		if day/10 != 1 && day%10 >= 1 && day%10 <= 3 {
			ending = []string{"st", "nd", "rd"}[day%10-1]
		}
		names = append(names, strconv.Itoa(day)+ending)
	}
	if r.last {
		names = append(names, "last day")
	}
	if text := inLine(names); text != "" {
		return text + " of the month"
	}
	return ""
}

// stepOf is the n of a set that has each nth number from 0 up to a whole, which n
// divides; 0 for any other set.
func stepOf(set uint64, whole int) int {
	n := whole
	if rest := set &^ 1; rest != 0 {
		n = bits.TrailingZeros64(rest)
	}
	want := uint64(0)
	for at := 0; at < whole; at += n {
		want |= 1 << at
	}
	if set != want || whole%n != 0 {
		return 0
	}
	return n
}

// every is "every 5 minutes", or "every hour" where that is one of the larger unit.
func every(n, whole int, unit, larger string) string {
	switch n {
	case 1:
		return "every " + unit
	case whole:
		return "every " + larger
	}
	return "every " + strconv.Itoa(n) + " " + unit + "s"
}

// inLine is "a", "a and b" or "a, b and c"; empty for none, and for more.
func inLine(names []string) string {
	switch n := len(names); {
	case n == 0 || n > namedAtMost:
		return ""
	case n == 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
