package warehouse

import (
	"math"
	"sort"
	"sync"
	"time"
	_ "time/tzdata" // zones must be known on machines without a zone database
)

const (
	secondMicros  = int64(1_000_000)
	minuteMicros  = 60 * secondMicros
	quarterMicros = 15 * minuteMicros
	hourMicros    = 60 * minuteMicros
	dayMicros     = 24 * hourMicros

	minMicros = math.MinInt64 / 4 // stands for "no lower bound"
	maxMicros = math.MaxInt64 / 4 // stands for "no upper bound"
)

// period is a span of instants during which a zone keeps one offset.
// Local time is instant + offset. To is exclusive.
type period struct {
	from, to int64 // microseconds since 1970 UTC
	offset   int64 // microseconds
}

// zone is a time zone with its offsets as plain numbers.
type zone struct {
	name string
	loc  *time.Location
	once sync.Once
	all  []period // without gaps, from minMicros to maxMicros
}

// The years for which transitions are listed. Before the first, zones keep
// local mean time; rules after the last are taken as unchanging.
const firstZoneYear, lastZoneYear = 1800, 2200

var (
	zonesMu sync.Mutex
	zones   = map[string]*zone{}
)

// loadZone finds a zone by its IANA name.
//
// Errors: query.timezone.
func loadZone(name string) (*zone, error) {
	if name == "" {
		name = "UTC"
	}
	zonesMu.Lock()
	defer zonesMu.Unlock()
	if z, ok := zones[name]; ok {
		return z, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, ErrTimezone.With("The time zone %q is not known. Use an IANA name such as Europe/London.", clip(name)).Wrap(err)
	}
	z := &zone{name: name, loc: loc}
	zones[name] = z // only names that exist are kept, so the map stays small
	return z, nil
}

func (z *zone) list() []period {
	z.once.Do(func() {
		end := time.Date(lastZoneYear, 1, 1, 0, 0, 0, 0, time.UTC)
		t := time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC)
		from := int64(minMicros)
		for {
			local := t.In(z.loc)
			_, seconds := local.Zone()
			offset := int64(seconds) * secondMicros
			_, next := local.ZoneBounds()
			if !next.IsZero() && !next.After(t) {
				// For rules beyond the last listed transition, time ends
				// every year after 365 days: on 31 December of a leap year
				// that is no step forward.
				next = t.Add(24 * time.Hour)
			}
			to := int64(maxMicros)
			if !next.IsZero() && next.Before(end) {
				to = next.UnixMicro()
			}
			if n := len(z.all); n > 0 && z.all[n-1].offset == offset {
				z.all[n-1].to = to // only the abbreviation or the flag changed
			} else {
				z.all = append(z.all, period{from, to, offset})
			}
			if to == maxMicros {
				return
			}
			from, t = to, next
		}
	})
	return z.all
}

// periods are the periods that touch the instants lo to hi, both included.
func (z *zone) periods(lo, hi int64) []period {
	all := z.list()
	first := sort.Search(len(all), func(i int) bool { return all[i].to > lo })
	last := sort.Search(len(all), func(i int) bool { return all[i].from > hi })
	if first >= last {
		return all[min(first, len(all)-1) : min(first, len(all)-1)+1]
	}
	return all[first:last]
}

// offsetAt is the offset in force at an instant.
func (z *zone) offsetAt(instant int64) int64 { return z.periods(instant, instant)[0].offset }

// instants are the spans of instants whose local time lies in [from, to):
// mostly one, two where clocks were set back across a bound, none where they
// were set forward over the whole of it.
func (z *zone) instants(from, to int64) [][2]int64 {
	if from >= to {
		return nil
	}
	const reach = 2 * dayMicros
	lo, hi := int64(minMicros), int64(maxMicros)
	if from > minMicros {
		lo = from - reach
	}
	if to < maxMicros {
		hi = to + reach
	}
	var spans [][2]int64
	for _, p := range z.periods(lo, hi) {
		a, b := p.from, p.to
		if from > minMicros {
			a = max(a, from-p.offset)
		}
		if to < maxMicros {
			b = min(b, to-p.offset)
		}
		if a >= b {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1][1] == a {
			spans[n-1][1] = b
		} else {
			spans = append(spans, [2]int64{a, b})
		}
	}
	return spans
}

// local is the wall clock at an instant, in microseconds.
func (z *zone) local(instant int64) int64 { return instant + z.offsetAt(instant) }

// instant is when the wall clock shows a time: the later of two where clocks
// were set back, and with the former offset where they were set forward over
// it, as PostgreSQL and ICU have it.
func (z *zone) instant(wall int64) int64 {
	if spans := z.instants(wall, wall+1); len(spans) > 0 {
		return spans[len(spans)-1][0]
	}
	offset := int64(0)
	for _, p := range z.periods(wall-2*dayMicros, wall+2*dayMicros) {
		if p.from+p.offset > wall {
			break
		}
		offset = p.offset
	}
	return wall - offset
}

// floorDiv rounds toward minus infinity, as calendars need before 1970.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// truncateWall gives the start of the unit that holds a wall-clock time.
// Weeks start on Monday.
func truncateWall(wall int64, unit string) int64 {
	switch unit {
	case "minute":
		return floorDiv(wall, minuteMicros) * minuteMicros
	case "quarter_hour":
		return floorDiv(wall, quarterMicros) * quarterMicros
	case "hour":
		return floorDiv(wall, hourMicros) * hourMicros
	case "day":
		return floorDiv(wall, dayMicros) * dayMicros
	case "week":
		day := floorDiv(wall, dayMicros)
		return (day - floorMod(day+3, 7)) * dayMicros
	}
	year, month, _ := time.UnixMicro(wall).UTC().Date()
	switch unit {
	case "quarter":
		month = (month-1)/3*3 + 1
	case "year":
		month = 1
	}
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
}

// addWall moves a wall-clock time by n units. A day of the month that does not
// exist becomes the last of the month.
func addWall(wall int64, unit string, n int) int64 {
	switch unit {
	case "minute":
		return wall + int64(n)*minuteMicros
	case "quarter_hour":
		return wall + int64(n)*quarterMicros
	case "hour":
		return wall + int64(n)*hourMicros
	case "day":
		return wall + int64(n)*dayMicros
	case "week":
		return wall + int64(n)*7*dayMicros
	case "quarter":
		n *= 3
	case "year":
		n *= 12
	}
	day := floorDiv(wall, dayMicros)
	rest := wall - day*dayMicros
	year, month, dom := time.UnixMicro(day * dayMicros).UTC().Date()
	first := time.Date(year, month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.UnixMicro() + int64(min(dom, last)-1)*dayMicros + rest
}
