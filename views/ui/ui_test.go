package ui

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
)

func render(t *testing.T, c templ.Component) *goquery.Selection {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Find("body")
}

func TestInitials(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ines Okafor":        "IO",
		"Mara van Lindqvist": "ML",
		"tom":                "T",
		"ines.okafor":        "IO",
		"Élodie Ünal":        "ÉÜ",
		"":                   "?",
		"@":                  "?",
	} {
		if got := Initials(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestHue(t *testing.T) {
	t.Parallel()
	if first, again := Hue("u7"), Hue("u7"); first != again {
		t.Errorf("a person's colour changes from %s to %s", first, again)
	}
	seen := map[string]bool{}
	for _, key := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		seen[Hue(key)] = true
		if len(Hue(key)) != 1 || Hue(key) > "7" {
			t.Fatalf("hue %q", Hue(key))
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %d colours", len(seen))
	}
}

func TestFieldTiesItsNotes(t *testing.T) {
	t.Parallel()
	body := render(t, TextField(InputProps{ID: "name", Label: "Name", Hint: "Letters.", Error: "Not that one.", Value: `a"<b>`}))
	input := body.Find("input#name")
	if got := input.AttrOr("aria-describedby", ""); got != "name-hint name-error" {
		t.Errorf("described by %q", got)
	}
	if input.AttrOr("aria-invalid", "") != "true" || input.AttrOr("value", "") != `a"<b>` || input.AttrOr("name", "") != "name" {
		t.Error("the input lacks its state, value or name")
	}
	if body.Find("#name-error").Text() == "" || body.Find("#name-hint").Text() != "Letters." || body.Find(`label[for="name"]`).Length() != 1 {
		t.Error("the notes or the label are missing")
	}
	plain := render(t, Input(InputProps{ID: "q", Attrs: templ.Attributes{"aria-label": "Search"}})).Find("input")
	if _, described := plain.Attr("aria-describedby"); described {
		t.Error("described by nothing")
	}
}

func TestButtonKinds(t *testing.T) {
	t.Parallel()
	link := render(t, Button(ButtonProps{Label: "Open", Href: "/x", Kind: Filled})).Find("a.btn.btn-primary")
	if link.AttrOr("href", "") != "/x" || strings.TrimSpace(link.Text()) != "Open" {
		t.Error("a button with an address is no link")
	}
	off := render(t, Button(ButtonProps{Label: "Open", Href: "/x", Disabled: true}))
	if off.Find("a").Length() != 0 || off.Find("button[disabled]").Length() != 1 {
		t.Error("a disabled link can be followed")
	}
	evil := render(t, Button(ButtonProps{Label: "x", Href: "javascript:alert(1)"})).Find("a")
	if strings.HasPrefix(evil.AttrOr("href", ""), "javascript:") {
		t.Error("code in a link")
	}
	named := render(t, IconButton(ButtonProps{Label: "Close", Icon: "x", Attrs: templ.Attributes{"class": "extra", "data-x": "1"}})).Find("button")
	if named.AttrOr("aria-label", "") != "Close" || !named.HasClass("extra") || !named.HasClass("btn") || named.AttrOr("data-x", "") != "1" {
		t.Errorf("class %q", named.AttrOr("class", ""))
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value, of  float64
		now, width string
	}{{42, 100, "42", "width:42.0%;"}, {3, 2, "100", "width:100.0%;"}, {-1, 2, "0", "width:0.0%;"}, {1, 0, "", "width:0%;"}} {
		bar := render(t, Progress(ProgressProps{Value: tc.value, Of: tc.of, Label: "Loading"})).Find("[role=progressbar]")
		if got := bar.AttrOr("aria-valuenow", ""); got != tc.now {
			t.Errorf("%v of %v: now %q, want %q", tc.value, tc.of, got, tc.now)
		}
		if got := bar.Find("span").AttrOr("style", ""); got != tc.width {
			t.Errorf("%v of %v: %q, want %q", tc.value, tc.of, got, tc.width)
		}
	}
}

func TestDataCantEndEarly(t *testing.T) {
	t.Parallel()
	body := render(t, Data(`x"><b>`, `{"a":1}`))
	if body.Find("b").Length() != 0 || body.Parent().Find("script").Text() != `{"a":1}` {
		t.Error("the id breaks out")
	}
}
