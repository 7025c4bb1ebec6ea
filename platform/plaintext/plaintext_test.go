package plaintext

import "testing"

func TestLine(t *testing.T) {
	for text, want := range map[string]bool{
		"Trading & delivery": true, "שלום \u200f(1)": true, "العربية": true, "👩‍👩‍👧": true, "abcde": true,
		"می\u200cخواهم": true, "क्\u200dष": true, "❤\ufe0f\u200d🔥 1\ufe0f\u20e3": true, "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f": true, "葛\U000e0100": true,
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

// What nobody sees makes no other name of one.
func TestNamesThatLookAlike(t *testing.T) {
	for _, text := range []string{
		"Acme Inc.\u200d", "Sales (EU)\u200d", "A-\u200cB", "東京\u200d", "東京\ufe00", "서울\u200d", "Q3\ufe0e", "😀\ufe0f\ufe0f", "Sa\u180eles", "Sales\u2800",
		"Sales\u061c", "Sales\u200e", "\u200eSales", "Sales \u200f(EU)", "العربية\u200f", "العربية \u200f\u200f(1)", "می\u200c", "دا\u200cر", "کت\u200dاب",
		"क\u200cख", "क्\u200d", "👩\u200d", "👩\u200da", "1\ufe0f", "🏴\U000e0061", "🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074",
		"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f\U000e007f", "葛\U000e0100\U000e0100", "a\U000e0100", "\ufe0f",
	} {
		if !Hides(text) {
			t.Errorf("%+q is taken", text)
		}
		if got := Tame(text, 40); Hides(got) {
			t.Errorf("%+q: %+q is no line", text, got)
		}
	}
	for _, text := range []string{
		"می\u200cخواهم", "کتاب\u200cها", "سنه ۱۳۹۹ ه\u200d.ش", "شركة (A)\u200f", "שלום \u200f(1)", "क्\u200dष", "क्\u200cष", "র\u200d্য", "ක්\u200dෂ", "ന്\u200dറ",
		"👨\u200d👩\u200d👧\u200d👦", "👩🏽\u200d💻", "🏳\ufe0f\u200d🌈", "🏴\u200d☠\ufe0f", "👁\ufe0f\u200d🗨\ufe0f", "🐈\u200d⬛", "🧑\u200d🦯\u200d➡\ufe0f", "🙂\u200d↔\ufe0f", "❤\ufe0f", "™\ufe0f", "1\ufe0f\u20e3",
		"🇩🇪", "葛\U000e0100城", "辻\U000e0100", "ᠠ\u180bᠡ", "Zürich – №1", "東京", "한국",
	} {
		if Hides(text) {
			t.Errorf("%+q is refused", text)
		}
		if got := Tame(text, 40); got != text {
			t.Errorf("%+q: %+q", text, got)
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
