package ingest

import (
	"bytes"
	"strings"
	"unicode"
)

// nullWord tells whether a value of a column that is not text stands for "no
// value". In text columns only \N does.
func nullWord(cell []byte) bool {
	if len(cell) == 0 {
		return true
	}
	if len(cell) > 9 {
		return false
	}
	switch string(cell) {
	case "-", "--", "---", ".", "?", `\N`, "–", "—", "#N/A", "N/A", "n/a", "NA", "n.a.", "N.A.", "(null)", "<null>", "#N/A N/A", "#NULL!":
		return true
	}
	switch c := cell[0] | 0x20; c {
	case 'n':
		switch strings.ToLower(string(cell)) {
		case "null", "nan", "none", "nil":
			return true
		}
	}
	return false
}

// family is a pair of words for true and false; yesNo has Spanish and Italian,
// which share their "no" with English.
type family uint8

const (
	noFamily family = iota
	trueFalse
	yesNo
	onOff
	ouiNon
	jaNein
	tAndF // single letters count only where both occur
	yAndN
	families
)

func boolWord(cell []byte) (f family, value, ok bool) {
	if len(cell) > 5 {
		return noFamily, false, false
	}
	var lower [5]byte
	for i, c := range cell {
		lower[i] = c | 0x20
	}
	switch string(lower[:len(cell)]) {
	case "true":
		return trueFalse, true, true
	case "false":
		return trueFalse, false, true
	case "yes", "si", "s\xe3\xad", "s\xe3\xac": // sí and sì, with the bit of small letters in each byte
		return yesNo, true, true
	case "no":
		return yesNo, false, true
	case "oui":
		return ouiNon, true, true
	case "non":
		return ouiNon, false, true
	case "ja":
		return jaNein, true, true
	case "nein", "nej", "nee": // German; Danish, Norwegian, Swedish; Dutch
		return jaNein, false, true
	case "on":
		return onOff, true, true
	case "off":
		return onOff, false, true
	case "t":
		return tAndF, true, true
	case "f":
		return tAndF, false, true
	case "y":
		return yAndN, true, true
	case "n":
		return yAndN, false, true
	}
	return noFamily, false, false
}

// currencySigns are written before or behind an amount.
var currencySigns = []struct{ sign, code string }{
	{"US$", "USD"}, {"A$", "AUD"}, {"C$", "CAD"}, {"CA$", "CAD"}, {"R$", "BRL"}, {"HK$", "HKD"}, {"NZ$", "NZD"},
	{"$", "USD"}, {"£", "GBP"}, {"€", "EUR"}, {"¥", "JPY"}, {"₹", "INR"}, {"₽", "RUB"}, {"₩", "KRW"},
	{"₺", "TRY"}, {"₪", "ILS"}, {"₫", "VND"}, {"₴", "UAH"}, {"₦", "NGN"}, {"฿", "THB"}, {"zł", "PLN"},
	{"Kč", "CZK"}, {"kr", "SEK"},
}

// currencyCodes are ISO 4217 codes that people write beside amounts.
var currencyCodes = setOf(`AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF
	IDR ILS INR ISK JPY KES KRW KWD MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RUB SAR SEK SGD
	THB TRY TWD UAH USD VND ZAR`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

// spelledCurrencies are codes that end a name in small letters, too:
// "price_usd".
var spelledCurrencies = setOf(`aud cad chf eur gbp jpy usd`)

// moneyWords are what amounts of money are called.
var moneyWords = setOf(`amount balance betrag budget cost costs erlös fee fees gross income kosten net netto
	brutto paid payment preis price profit revenue salary sales spend spending tax total turnover umsatz value wert`)

// currencyNamed is the currency that the name of a column ends with: "Sales (€)",
// "Price in USD", "amount_eur". A code says so in brackets, after "in" or after a
// word of money, since codes are words ("TRY") and rates have two ("EUR/USD").
func currencyNamed(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.Is(unicode.Sc, r) })
	if len(words) < 2 {
		return ""
	}
	last, before := words[len(words)-1], strings.ToLower(words[len(words)-2])
	for _, c := range currencySigns {
		if last == c.sign && unicode.Is(unicode.Sc, []rune(last)[0]) {
			return c.code
		}
	}
	bracketed := strings.HasSuffix(name, "("+last+")") || strings.HasSuffix(name, "["+last+"]")
	said := bracketed && !currencyCodes[strings.ToUpper(before)] || before == "in" || moneyWords[before]
	if said && (currencyCodes[last] || spelledCurrencies[last]) {
		return strings.ToUpper(last)
	}
	return ""
}

// mayBeCurrency has the first and last bytes of currency signs and codes.
var mayBeCurrency = func() (may [256]bool) {
	for _, c := range currencySigns {
		may[c.sign[0]], may[c.sign[len(c.sign)-1]] = true, true
	}
	for code := range currencyCodes {
		may[code[0]], may[code[2]] = true, true
	}
	return may
}()

// currencyAt answers the currency that text begins with and the length of its sign.
func currencyAt(text []byte) (code string, length int) {
	if !mayBeCurrency[text[0]] || len(text) > 1 && digit(text[1]) && text[0] >= 'A' && text[0] < 0x80 {
		return "", 0
	}
	for _, c := range currencySigns {
		if bytes.HasPrefix(text, []byte(c.sign)) {
			return c.code, len(c.sign)
		}
	}
	if len(text) > 3 && currencyCodes[string(text[:3])] {
		return string(text[:3]), 3
	}
	return "", 0
}

// currencyBefore answers the currency that text ends with.
func currencyBefore(text []byte) (code string, length int) {
	if !mayBeCurrency[text[len(text)-1]] {
		return "", 0
	}
	for _, c := range currencySigns {
		if bytes.HasSuffix(text, []byte(c.sign)) {
			return c.code, len(c.sign)
		}
	}
	if len(text) > 3 && currencyCodes[string(text[len(text)-3:])] {
		return string(text[len(text)-3:]), 3
	}
	return "", 0
}
