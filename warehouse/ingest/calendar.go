package ingest

var monthNames = []string{"january", "february", "march", "april", "may", "june", "july",
	"august", "september", "october", "november", "december"}

// monthName answers the number of an English month, spelt out or with its
// first three letters; 0 for none.
func monthName(word []byte) int {
	if len(word) < 3 {
		return 0
	}
	for i, name := range monthNames {
		if len(word) <= len(name) && name[:3] == string(word[:3]) &&
			(len(word) == 3 || name == string(word) || i == 8 && string(word) == "sept") {
			return i + 1
		}
	}
	return 0
}

func weekday(word []byte) bool {
	switch string(word) {
	case "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun", "monday", "tuesday",
		"wednesday", "thursday", "friday", "saturday", "sunday":
		return true
	}
	return false
}

var monthLengths = [...]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// daysIn is the length of a month, 0 for one that does not exist.
func daysIn(year, month int) int {
	if month < 1 || month > 12 {
		return 0
	}
	if month == 2 && (year%4 == 0 && year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthLengths[month]
}

// civilDays counts the days from 1970-01-01, by the proleptic Gregorian
// calendar. Years begin in March, so that the leap day is the last.
func civilDays(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return int64(era)*146097 + int64(ofEra*365+ofEra/4-ofEra/100+ofYear) - 719468
}

// isoDate reads "2006-01-02" and nothing else; the fast path.
func isoDate(cell []byte) (days int64, ok bool) {
	if len(cell) != 10 || cell[4] != '-' || cell[7] != '-' {
		return 0, false
	}
	y, ok1 := pair(cell[0:])
	c, ok2 := pair(cell[2:])
	m, ok3 := pair(cell[5:])
	d, ok4 := pair(cell[8:])
	year := y*100 + c
	if !ok1 || !ok2 || !ok3 || !ok4 || year < 1 || d < 1 || d > daysIn(year, m) {
		return 0, false
	}
	return civilDays(year, m, d), true
}

// isoTime is a moment in the notation of ISO 8601.
type isoTime struct {
	micros int64 // since 1970; in UTC where it has a zone, else as written
	zoned  bool
	offset bool // the zone is not UTC
}

// isoMoment reads "2006-01-02 15:04:05" with a blank or a T, perhaps up to six
// decimals and "Z" or "+02:00", and nothing else; the fast path.
func isoMoment(cell []byte) (t isoTime, ok bool) {
	if len(cell) < 19 || cell[13] != ':' || cell[16] != ':' || cell[10] != ' ' && cell[10] != 'T' {
		return t, false
	}
	days, ok := isoDate(cell[:10])
	if !ok {
		return t, false
	}
	h, ok1 := pair(cell[11:])
	m, ok2 := pair(cell[14:])
	s, ok3 := pair(cell[17:])
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || s > 59 {
		return t, false
	}
	t.micros = days*dayMicros + int64(h*3600+m*60+s)*1e6
	rest := cell[19:]
	if len(rest) > 1 && rest[0] == '.' {
		at, unit := 1, int64(1e5)
		for ; at < len(rest) && digit(rest[at]); at++ {
			t.micros += int64(rest[at]-'0') * unit
			unit /= 10
		}
		if at == 1 || at > 7 {
			return t, false
		}
		rest = rest[at:]
	}
	switch {
	case len(rest) == 0:
		return t, true
	case len(rest) == 1 && rest[0] == 'Z':
		t.zoned = true
		return t, true
	case len(rest) != 6 || rest[0] != '+' && rest[0] != '-' || rest[3] != ':':
		return t, false
	}
	h, ok1 = pair(rest[1:])
	m, ok2 = pair(rest[4:])
	if !ok1 || !ok2 || h > 18 || m > 59 {
		return t, false
	}
	east := int64(h*3600+m*60) * 1e6
	if rest[0] == '-' {
		east = -east
	}
	t.micros -= east
	t.zoned, t.offset = true, east != 0
	return t, true
}

func pair(text []byte) (int, bool) {
	a, b := text[0]-'0', text[1]-'0'
	return int(a)*10 + int(b), a < 10 && b < 10
}
