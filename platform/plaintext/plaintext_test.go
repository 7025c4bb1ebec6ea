package plaintext

import "testing"

func TestLine(t *testing.T) {
	for text, want := range map[string]bool{
		"Trading & delivery": true, "שלום \u200f(1)": true, "العربية": true, "👩‍👩‍👧": true, "abcde": true,
		"": false, "a\nb": false, "a\x00b": false, "a\u0085b": false, "a\u2028b": false, "a\xffb": false,
		"invoice\u202efdp.exe": false, "a\u2066b\u2069": false, "more than twenty characters": false,
	} {
		if got := Line(text, 20); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestTame(t *testing.T) {
	for text, want := range map[string]string{
		"Trading & delivery": "Trading & delivery", "invoice\u202efdp.exe": "invoice fdp.exe", " a\n\tb\x00 ": "a b", "a\xffb": "ab",
		"more than twenty characters": "more than twenty cha", "nineteen letters xx y": "nineteen letters xx",
	} {
		if got := Tame(text, 20); got != want || !Line(got, 20) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
