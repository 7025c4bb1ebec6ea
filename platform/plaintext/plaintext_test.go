package plaintext

import "testing"

func TestLine(t *testing.T) {
	for text, want := range map[string]bool{
		"Trading & delivery": true, "שלום \u200f(1)": true, "العربية": true, "👩‍👩‍👧": true, "abcde": true,
		"می\u200cخواهم": true, "क्\u200dष": true, "❤\ufe0f\u200d🔥 1\ufe0f\u20e3": true, "🏴\U000e0067\U000e0062\U000e007f": true, "葛\U000e0100": true,
		"": false, "a\nb": false, "a\x00b": false, "a\u0085b": false, "a\u2028b": false, "a\xffb": false,
		"invoice\u202efdp.exe": false, "a\u2066b\u2069": false, "more than twenty characters": false,
		"a\u200bb": false, "\u200b": false, "a\u2060b": false, "\ufeffa": false, "a\u00adb": false, "\u3164": false,
		"a\u200db": false, "a\u200cb": false, "\u200d": false, "a \u200d": false, "a\ufe0f": false, "a\U000e0061": false, "👩\u200d\u200d": false,
	} {
		if got := Line(text, 20); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestProblem(t *testing.T) {
	const length, hides = "1 to 4 characters.", "This holds invisible or direction-changing characters. Type it again instead of pasting it."
	for text, want := range map[string]string{"abcd": "", "": length, "abcde": length, "a\u202e": hides, "abcd\u200befgh": hides, "\xff": hides} {
		if got := Problem(text, 4, length); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTame(t *testing.T) {
	for text, want := range map[string]string{
		"Trading & delivery": "Trading & delivery", "invoice\u202efdp.exe": "invoice fdp.exe", " a\n\tb\x00 ": "a b", "a\xffb": "ab",
		"more than twenty characters": "more than twenty cha", "nineteen letters xx y": "nineteen letters xx",
		"👩‍👩‍👧": "👩‍👩‍👧", "\u200d\u200da\u200d\u200db": "a b",
	} {
		if got := Tame(text, 20); got != want || !Line(got, 20) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
