package ingest

// order is the order of the parts of a date written in numbers.
type order uint8

const (
	yearFirst order = iota
	dayFirst
	monthFirst
)

func orderOf(reading string) order {
	switch reading {
	case "dmy":
		return dayFirst
	case "mdy":
		return monthFirst
	}
	return yearFirst
}

// moment is a date, perhaps with a time of day, as written.
type moment struct {
	year          int
	first, second int // in a certain date month and day, else as written
	certain       bool
	monthOnly     bool // no day was written: first is the month, second is 1
	twoDigit      bool // the year had two digits
	hasTime       bool
	hasZone       bool
	micros        int64 // of the day
	offset        int64 // of the zone, in seconds
	cut           bool  // finer than a microsecond
}

const (
	daySeconds = 86400
	dayMicros  = daySeconds * 1e6
)

// pivotYear: two-digit years up to 68 are of this century, as POSIX has it.
const pivotYear = 68

// scanMoment takes a date or timestamp apart; ok is false where a cell is
// neither under any order of day and month.
func scanMoment(cell []byte, m *moment) (ok bool) {
	cell = trimSpace(cell)
	if len(cell) < 6 || len(cell) > 48 {
		return false
	}
	*m = moment{}
	r := reader{text: cell}
	if !r.date(m) {
		return false
	}
	if r.at < len(cell) && !r.time(m) {
		return false
	}
	if r.at < len(cell) && m.year == 0 {
		// "Mon Jan 2 15:04:05 2006" has the year last.
		r.spaces()
		year, digits := r.number(4)
		if digits != 4 {
			return false
		}
		m.year = year
	}
	if r.at < len(cell) || m.year < 1 {
		return false
	}
	if m.certain {
		return m.second >= 1 && m.second <= daysIn(m.year, m.first)
	}
	return m.allows(dayFirst) || m.allows(monthFirst)
}

// allows tells whether the date exists when read in that order.
func (m *moment) allows(o order) bool {
	if m.certain {
		return true
	}
	switch o {
	case dayFirst:
		return m.first >= 1 && m.first <= daysIn(m.year, m.second)
	case monthFirst:
		return m.second >= 1 && m.second <= daysIn(m.year, m.first)
	}
	return false
}

// days answers the date as days since 1970.
func (m *moment) days(o order) int64 {
	month, day := m.first, m.second
	if !m.certain && o == dayFirst {
		month, day = day, month
	}
	return civilDays(m.year, month, day)
}

// micros1970 answers the moment as microseconds since 1970, in UTC where it
// has a zone.
func (m *moment) micros1970(o order) int64 {
	return m.days(o)*dayMicros + m.micros - m.offset*1e6
}

// reader walks over the text of a date.
type reader struct {
	text []byte
	at   int
}

func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) spaces() {
	for r.at < len(r.text) && r.text[r.at] == ' ' {
		r.at++
	}
}

// number reads at most most digits.
func (r *reader) number(most int) (value, digits int) {
	for digits < most && r.at < len(r.text) && digit(r.text[r.at]) {
		value = value*10 + int(r.text[r.at]-'0')
		r.at++
		digits++
	}
	return value, digits
}

// word reads letters, in lower case.
func (r *reader) word() (word [12]byte, length int) {
	for r.at < len(r.text) && length < len(word) {
		c := r.text[r.at] | 0x20
		if c < 'a' || c > 'z' {
			break
		}
		word[length] = c
		length++
		r.at++
	}
	return word, length
}

func letter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

func (r *reader) date(m *moment) bool {
	month := 0
	if letter(r.peek()) {
		word, n := r.word()
		if weekday(word[:n]) {
			if r.peek() == '.' {
				r.at++
			}
			if r.peek() == ',' {
				r.at++
			}
			r.spaces()
			if letter(r.peek()) {
				word, n = r.word()
				if month = monthName(word[:n]); month == 0 {
					return false
				}
			}
		} else if month = monthName(word[:n]); month == 0 {
			return false
		}
	}
	if month > 0 {
		return r.namedFirst(m, month)
	}
	a, digits := r.number(5)
	switch digits {
	case 4:
		return r.yearFirst(m, a)
	case 1, 2:
		return r.dayOrMonth(m, a)
	}
	return false
}

// namedFirst reads what follows a month's name: "12, 2024", "12th 2024", "2024".
func (r *reader) namedFirst(m *moment, month int) bool {
	m.certain, m.first = true, month
	if r.peek() == '.' {
		r.at++
	}
	if c := r.peek(); c == '-' || c == '/' {
		r.at++
	}
	r.spaces()
	day, digits := r.number(5)
	if digits == 4 {
		m.year, m.second, m.monthOnly = day, 1, true
		return true
	}
	if digits < 1 || digits > 2 {
		return false
	}
	m.second = day
	r.ordinal(day)
	switch c := r.peek(); c {
	case ',', '-', '/', ' ':
		r.at++
	default:
		return false
	}
	r.spaces()
	mark := r.at
	year, digits := r.number(5)
	if digits == 4 {
		m.year = year
		return true
	}
	if (digits == 1 || digits == 2) && r.peek() == ':' {
		r.at = mark - 1 // the time comes first, the year last
		return true
	}
	return false
}

// yearFirst reads what follows a year: "-03-12", "/3/12", "-Mar-12", "-03".
func (r *reader) yearFirst(m *moment, year int) bool {
	sep := r.peek()
	m.year, m.certain = year, true
	if sep == ' ' {
		// "2024 Mar" is a month.
		r.spaces()
		word, n := r.word()
		m.first, m.second, m.monthOnly = monthName(word[:n]), 1, true
		return m.first > 0 && r.at == len(r.text)
	}
	if sep != '-' && sep != '/' && sep != '.' {
		return false
	}
	r.at++
	if letter(r.peek()) {
		word, n := r.word()
		m.first = monthName(word[:n])
	} else {
		month, digits := r.number(3)
		if digits < 1 || digits > 2 {
			return false
		}
		m.first = month
	}
	if r.at == len(r.text) && sep == '-' && len(r.text) == 7 {
		m.second, m.monthOnly = 1, true
		return m.first >= 1 && m.first <= 12
	}
	if r.peek() != sep {
		return false
	}
	r.at++
	day, digits := r.number(3)
	m.second = day
	return digits >= 1 && digits <= 2 && m.first >= 1
}

// dayOrMonth reads what follows one or two digits: "/3/2024", " March 2024".
func (r *reader) dayOrMonth(m *moment, a int) bool {
	ordinal := r.ordinal(a)
	sep := r.peek()
	if sep != '-' && sep != '/' && sep != '.' && sep != ' ' {
		return false
	}
	r.at++
	r.spaces()
	if letter(r.peek()) {
		word, n := r.word()
		m.first, m.second, m.certain = monthName(word[:n]), a, true
		if m.first == 0 {
			return false
		}
		if r.peek() == '.' && sep != '.' {
			r.at++
		}
		if r.peek() == ',' {
			r.at++
		}
		if c := r.peek(); c == '-' || c == '/' || c == '.' || c == ' ' {
			r.at++
		}
		r.spaces()
		return r.lastYear(m)
	}
	if sep == ' ' || ordinal {
		return false
	}
	b, digits := r.number(3)
	if digits < 1 || digits > 2 || r.peek() != sep {
		return false
	}
	r.at++
	m.first, m.second = a, b
	return r.lastYear(m)
}

// lastYear reads a year of four or two digits.
func (r *reader) lastYear(m *moment) bool {
	year, digits := r.number(5)
	switch digits {
	case 4:
		m.year = year
		return true
	case 2:
		m.twoDigit = true
		m.year = 1900 + year
		if year <= pivotYear {
			m.year += 100
		}
		return true
	}
	return false
}

// ordinal skips "st", "nd", "rd" and "th".
func (r *reader) ordinal(day int) bool {
	if r.at+1 >= len(r.text) {
		return false
	}
	switch string([]byte{r.text[r.at] | 0x20, r.text[r.at+1] | 0x20}) {
	case "st", "nd", "rd", "th":
		if day >= 1 {
			r.at += 2
			return true
		}
	}
	return false
}

// time reads what follows a date: "T10:20:30.5Z", " 3:04 PM", ", 10:20 +0200".
func (r *reader) time(m *moment) bool {
	switch r.peek() {
	case 'T', 't', ' ', ':', '_':
		r.at++
	case ',':
		r.at++
	default:
		return false
	}
	r.spaces()
	mark := r.at
	hour, digits := r.number(2)
	var minute, second int
	switch {
	case digits == 2 && digit(r.peek()): // 102030
		var n int
		if minute, n = r.number(2); n != 2 {
			return false
		}
		if digit(r.peek()) {
			if second, n = r.number(2); n != 2 {
				return false
			}
		}
	case digits >= 1 && r.peek() == ':':
		r.at++
		var n int
		if minute, n = r.number(2); n != 2 {
			return false
		}
		if r.peek() == ':' {
			r.at++
			if second, n = r.number(2); n != 2 {
				return false
			}
		}
	case digits >= 1 && (r.peek() == ' ' || letter(r.peek())): // 3 PM
	default:
		return false
	}
	m.hasTime = true
	if c := r.peek(); (c == '.' || c == ',') && r.at+1 < len(r.text) && digit(r.text[r.at+1]) {
		r.at++
		unit := int64(1e5)
		for digit(r.peek()) && r.at < len(r.text) {
			d := int64(r.text[r.at] - '0')
			if unit == 0 && d != 0 {
				m.cut = true
			}
			m.micros += d * unit
			unit /= 10
			r.at++
		}
	}
	half, ok := r.half()
	if !ok || !half.given && r.at-mark <= 2 {
		return false
	}
	if half.given {
		if hour < 1 || hour > 12 {
			return false
		}
		hour %= 12
		if half.afternoon {
			hour += 12
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		return false
	}
	m.micros += int64(hour*3600+minute*60+second) * 1e6
	return r.zone(m)
}

type halfDay struct{ given, afternoon bool }

// half reads AM and PM.
func (r *reader) half() (h halfDay, ok bool) {
	mark := r.at
	r.spaces()
	if c := r.peek() | 0x20; c != 'a' && c != 'p' {
		r.at = mark
		return h, true
	}
	h.given, h.afternoon = true, r.peek()|0x20 == 'p'
	r.at++
	if r.peek() == '.' {
		r.at++
	}
	if r.peek()|0x20 != 'm' {
		return h, false
	}
	r.at++
	if r.peek() == '.' {
		r.at++
	}
	return h, true
}

// zone reads Z, UTC, GMT and offsets; other zone names mean different zones to
// different people and are not accepted.
func (r *reader) zone(m *moment) bool {
	mark := r.at
	r.spaces()
	switch c := r.peek(); {
	case c == 0:
		return true
	case c == '+' || c == '-':
		r.at++
		hours, n := r.number(2)
		if n != 2 {
			return false
		}
		minutes := 0
		if r.peek() == ':' {
			r.at++
			if minutes, n = r.number(2); n != 2 {
				return false
			}
		} else if digit(r.peek()) {
			if minutes, n = r.number(2); n != 2 {
				return false
			}
		}
		if hours > 18 || minutes > 59 {
			return false
		}
		m.offset = int64(hours*3600 + minutes*60)
		if c == '-' {
			m.offset = -m.offset
		}
		m.hasZone = true
		return true
	case letter(c):
		word, n := r.word()
		switch string(word[:n]) {
		case "z", "utc", "gmt":
			m.hasZone = true
			return true
		}
		return false
	}
	r.at = mark
	return m.year == 0
}
