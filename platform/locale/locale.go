// Package locale writes numbers, dates, durations and sizes the way a person
// reads them. It is pure: the same input gives the same text, and the browser
// follows the same rules with the same data (static/src/format.ts; both are
// tested against testdata/cases.json).
package locale

import (
	"sync"

	"golang.org/x/text/language"
)

// Locale is how one group of people writes numbers and dates. It is immutable.
type Locale struct {
	Name  string `json:"name"` // BCP 47: "en-GB"
	Label string `json:"-"`    // in its own words: "English (United Kingdom)"
	// Decimal and Group are the separators, GroupMin the number of digits of
	// the integer part from which groups are made (Spanish: 5).
	Decimal  string `json:"decimal"`
	Group    string `json:"group"`
	GroupMin int    `json:"groupMin"`
	// PercentGap stands before the per cent sign.
	PercentGap string `json:"percentGap"`
	// CurrencyAfter puts the symbol behind the number, with a gap.
	CurrencyAfter bool `json:"currencyAfter"`
	// Compact are the marks for 10^3, 10^6, 10^9 and 10^12.
	Compact [4]string `json:"compact"`
	// Months and Weekdays are the short names; weeks start on Monday.
	Months   [12]string `json:"months"`
	Weekdays [7]string  `json:"weekdays"`
	Order    DateOrder  `json:"order"`
	// DayMark follows the day of the month (German: "15.").
	DayMark string `json:"dayMark"`
	// Week and Quarter stand before the number of a week or quarter.
	Week    string `json:"week"`
	Quarter string `json:"quarter"`
}

// DateOrder says which part of a date comes first.
type DateOrder string

// The orders.
const (
	DayMonthYear DateOrder = "dmy" // 15 Jun 2026
	MonthDayYear DateOrder = "mdy" // Jun 15, 2026
	YearMonthDay DateOrder = "ymd" // 2026 Jun 15
)

// nbsp keeps a number and its unit on one line.
const nbsp = "\u00a0"

// Default is the locale of somebody who chose none: en-GB.
func Default() *Locale { return all()[0] }

// All lists the locales that can be chosen.
func All() []*Locale { return all() }

// For is the locale nearest to a BCP 47 tag; Default when there is none near.
func For(tag string) *Locale {
	if cached, ok := byTag.Load(tag); ok {
		return cached.(*Locale)
	}
	found := Default()
	if wanted, err := language.Parse(tag); err == nil {
		if _, index, confidence := matcher().Match(wanted); confidence > language.No {
			found = all()[index]
		}
	}
	if cachedTags.add() {
		byTag.Store(tag, found)
	}
	return found
}

var byTag sync.Map

// cachedTags bounds the cache: tags come from requests.
var cachedTags bounded

type bounded struct {
	mu sync.Mutex
	n  int
}

func (b *bounded) add() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n >= 256 {
		return false
	}
	b.n++
	return true
}

var matcher = sync.OnceValue(func() language.Matcher {
	tags := make([]language.Tag, 0, len(all()))
	for _, l := range all() {
		tags = append(tags, language.MustParse(l.Name))
	}
	return language.NewMatcher(tags)
})
