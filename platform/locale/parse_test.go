package locale

import "testing"

func TestNumbersAreReadAsTheyAreWritten(t *testing.T) {
	for _, tc := range []struct {
		locale, text string
		want         float64
		ok           bool
	}{
		{"en-US", "1,500", 1500, true}, {"en-US", "1,234,567.25", 1234567.25, true}, {"en-US", "0.5", 0.5, true}, {"en-US", " -12 ", -12, true},
		{"en-US", "1,5", 0, false}, {"en-US", "12,34", 0, false}, {"en-US", "1.2.3", 0, false}, {"en-US", "", 0, false}, {"en-US", "NaN", 0, false}, {"en-US", "0x10", 0, false},
		{"de-DE", "1.500", 1500, true}, {"de-DE", "1.234,5", 1234.5, true}, {"de-DE", "1,5", 1.5, true}, {"de-DE", "1.5", 1.5, true},
		{"fr-FR", "1 500,25", 1500.25, true}, {"fr-FR", "1500.25", 1500.25, true},
		{"de-DE", "0.125", 0.125, true}, {"de-DE", "-0.500", -0.5, true}, {"fr-FR", "12 34", 0, false}, {"en-US", "1 500", 1500, true}, {"de-CH", "1'500.5", 1500.5, true},
	} {
		got, ok := For(tc.locale).ParseNumber(tc.text)
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s %q: %v, %v", tc.locale, tc.text, got, ok)
		}
	}
	for _, name := range []string{"en-US", "de-DE", "fr-FR", "es-ES", "de-CH"} {
		for _, v := range []float64{0, 1.125, -1250.5, 1e9 + 0.25, 0.000125} {
			l := For(name)
			if got, ok := l.ParseNumber(l.Plain(v)); !ok || got != v {
				t.Errorf("%s: %s is read as %v, %v", name, l.Plain(v), got, ok)
			}
			if got, ok := l.ParseNumber(l.Full(v, Format{})); v == -1250.5 && (!ok || got != v) {
				t.Errorf("%s: %s is read as %v, %v", name, l.Full(v, Format{}), got, ok)
			}
		}
	}
}
