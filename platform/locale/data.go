package locale

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// Separators come from golang.org/x/text; what it does not publish (names of
// months, patterns, compact marks) is here, after CLDR.
var all = sync.OnceValue(func() []*Locale {
	locales := []*Locale{
		{Name: "en-GB", Label: "English (United Kingdom)", Order: DayMonthYear, Months: english, Weekdays: englishDays},
		{Name: "en-US", Label: "English (United States)", Order: MonthDayYear, Months: english, Weekdays: englishDays},
		{Name: "en-CA", Label: "English (Canada)", Order: MonthDayYear, Months: english, Weekdays: englishDays},
		{Name: "en-AU", Label: "English (Australia)", Order: DayMonthYear, Months: english, Weekdays: englishDays},
		{Name: "de-DE", Label: "Deutsch (Deutschland)", Order: DayMonthYear, DayMark: ".", CurrencyAfter: true, PercentGap: nbsp,
			Compact:  [4]string{nbsp + "Tsd.", nbsp + "Mio.", nbsp + "Mrd.", nbsp + "Bio."},
			Months:   names12("Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez."),
			Weekdays: names7("Mo Di Mi Do Fr Sa So"), Week: "KW" + nbsp},
		{Name: "de-CH", Label: "Deutsch (Schweiz)", Order: DayMonthYear, DayMark: ".",
			Compact:  [4]string{nbsp + "Tsd.", nbsp + "Mio.", nbsp + "Mrd.", nbsp + "Bio."},
			Months:   names12("Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez."),
			Weekdays: names7("Mo Di Mi Do Fr Sa So"), Week: "KW" + nbsp},
		{Name: "fr-FR", Label: "Français (France)", Order: DayMonthYear, CurrencyAfter: true, PercentGap: nbsp,
			Compact:  [4]string{nbsp + "k", nbsp + "M", nbsp + "Md", nbsp + "Bn"},
			Months:   names12("janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."),
			Weekdays: names7("lun. mar. mer. jeu. ven. sam. dim."), Week: "S", Quarter: "T"},
		{Name: "es-ES", Label: "Español (España)", Order: DayMonthYear, CurrencyAfter: true, PercentGap: nbsp, GroupMin: 5,
			Compact:  [4]string{nbsp + "mil", nbsp + "M", nbsp + "mil" + nbsp + "M", nbsp + "B"},
			Months:   names12("ene feb mar abr may jun jul ago sept oct nov dic"),
			Weekdays: names7("lun mar mié jue vie sáb dom"), Week: "S", Quarter: "T"},
		{Name: "it-IT", Label: "Italiano (Italia)", Order: DayMonthYear, CurrencyAfter: true,
			Compact:  [4]string{nbsp + "k", nbsp + "Mln", nbsp + "Mrd", nbsp + "Bln"},
			Months:   names12("gen feb mar apr mag giu lug ago set ott nov dic"),
			Weekdays: names7("lun mar mer gio ven sab dom"), Week: "S", Quarter: "T"},
		{Name: "nl-NL", Label: "Nederlands (Nederland)", Order: DayMonthYear,
			Compact:  [4]string{"K", nbsp + "mln.", nbsp + "mld.", nbsp + "bln."},
			Months:   names12("jan feb mrt apr mei jun jul aug sep okt nov dec"),
			Weekdays: names7("ma di wo do vr za zo"), Quarter: "K"},
		{Name: "pt-BR", Label: "Português (Brasil)", Order: DayMonthYear,
			Compact:  [4]string{nbsp + "mil", nbsp + "mi", nbsp + "bi", nbsp + "tri"},
			Months:   names12("jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez."),
			Weekdays: names7("seg. ter. qua. qui. sex. sáb. dom."), Week: "S", Quarter: "T"},
		{Name: "sv-SE", Label: "Svenska (Sverige)", Order: DayMonthYear, CurrencyAfter: true, PercentGap: nbsp,
			Compact:  [4]string{nbsp + "tn", nbsp + "mn", nbsp + "md", nbsp + "bn"},
			Months:   names12("jan. feb. mars apr. maj juni juli aug. sep. okt. nov. dec."),
			Weekdays: names7("mån tis ons tors fre lör sön"), Week: "v.", Quarter: "K"},
	}
	for _, l := range locales {
		l.complete()
	}
	return locales
})

var (
	english     = names12("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
	englishDays = names7("Mon Tue Wed Thu Fri Sat Sun")
)

func (l *Locale) complete() {
	l.Decimal, l.Group = separators(language.MustParse(l.Name))
	if l.GroupMin == 0 {
		l.GroupMin = 4
	}
	if l.Compact[0] == "" {
		l.Compact = [4]string{"k", "M", "B", "T"}
	}
	if l.Week == "" {
		l.Week = "W"
	}
	if l.Quarter == "" {
		l.Quarter = "Q"
	}
}

// separators reads them off a number written by golang.org/x/text.
func separators(tag language.Tag) (decimal, group string) {
	text := message.NewPrinter(tag).Sprint(number.Decimal(1234567.5, number.MaxFractionDigits(1)))
	rest, _ := strings.CutPrefix(text, "1")
	group, rest, _ = strings.Cut(rest, "234")
	_, rest, _ = strings.Cut(rest, "567")
	decimal, _ = strings.CutSuffix(rest, "5")
	if group == "\u202f" { // narrow: not in every font
		group = nbsp
	}
	return decimal, group
}

func names12(text string) (names [12]string) {
	copy(names[:], strings.Fields(text))
	return names
}

func names7(text string) (names [7]string) {
	copy(names[:], strings.Fields(text))
	return names
}
