package charts

import "strings"

// symbols are the signs that a reader of any locale knows; every other
// currency is written by its code.
var symbols = map[string]string{
	"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "INR": "₹", "KRW": "₩", "ILS": "₪", "NGN": "₦", "UAH": "₴", "VND": "₫",
	"AUD": "A$", "BRL": "R$", "CAD": "CA$", "CNY": "CN¥", "HKD": "HK$", "MXN": "MX$", "NZD": "NZ$", "TWD": "NT$",
}

func currencySymbol(code string) string {
	code = strings.ToUpper(code)
	if s, ok := symbols[code]; ok {
		return s
	}
	return code
}

// CurrencySign is how amounts of a currency are marked: "£", or its code.
func CurrencySign(code string) string { return currencySymbol(code) }
