package views

import (
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

var messageKey = regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)

// What holds for every page, whatever is on it: one heading, ids that lead
// somewhere, names for all controls, and nothing that the
// Content-Security-Policy would refuse.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	for name, page := range galleryPages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := page.Render(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
			if err != nil {
				t.Fatal(err)
			}
			if n := doc.Find("h1").Length(); n != 1 {
				t.Errorf("%d h1 elements, want 1", n)
			}
			if doc.Find("html").AttrOr("lang", "") != "en" || doc.Find("title").Text() == "" {
				t.Error("no language or title")
			}
			if doc.Find("main#main").Length() != 1 {
				t.Error("no main element for the skip link")
			}
			checkIDs(t, doc)
			checkNames(t, doc)
			checkPolicy(t, doc)
			doc.Find("body *").Each(func(_ int, e *goquery.Selection) {
				if text := strings.TrimSpace(e.Text()); e.Children().Length() == 0 && messageKey.MatchString(text) && !e.Is("code, pre, script") {
					t.Errorf("shows the key of a message: %s", text)
				}
			})
		})
	}
}

func checkIDs(t *testing.T, doc *goquery.Document) {
	t.Helper()
	seen := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, e *goquery.Selection) {
		id := e.AttrOr("id", "")
		if seen[id] {
			t.Errorf("id %q twice", id)
		}
		seen[id] = true
	})
	for _, attribute := range []string{"for", "aria-describedby", "aria-labelledby", "aria-controls", "popovertarget", "commandfor", "form"} {
		doc.Find("[" + attribute + "]").Each(func(_ int, e *goquery.Selection) {
			for id := range strings.FieldsSeq(e.AttrOr(attribute, "")) {
				if !seen[id] {
					t.Errorf("%s leads to %q, which is not on the page", attribute, id)
				}
			}
		})
	}
}

func checkNames(t *testing.T, doc *goquery.Document) {
	t.Helper()
	doc.Find("a, button").Each(func(_ int, e *goquery.Selection) {
		if strings.TrimSpace(e.Text()) == "" && e.AttrOr("aria-label", "") == "" {
			html, _ := goquery.OuterHtml(e)
			t.Errorf("no name: %s", html)
		}
	})
	doc.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, e *goquery.Selection) {
		labelled := e.AttrOr("aria-label", "") != "" || e.ParentsFiltered("label").Length() > 0
		if id := e.AttrOr("id", ""); id != "" && doc.Find(`label[for="`+id+`"]`).Length() > 0 {
			labelled = true
		}
		if !labelled {
			html, _ := goquery.OuterHtml(e)
			t.Errorf("no label: %s", html)
		}
	})
}

func checkPolicy(t *testing.T, doc *goquery.Document) {
	t.Helper()
	if doc.Find("style").Length() > 0 {
		t.Error("a style element")
	}
	doc.Find("script").Each(func(_ int, e *goquery.Selection) {
		if e.AttrOr("type", "") == "application/json" {
			return
		}
		if e.AttrOr("src", "") == "" || e.AttrOr("nonce", "") != "n0nce" {
			t.Error("a script in the page, or one without the nonce")
		}
	})
	doc.Find("*").Each(func(_ int, e *goquery.Selection) {
		for _, a := range e.Nodes[0].Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") || strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("code in attribute %s of %s", a.Key, goquery.NodeName(e))
			}
		}
	})
}
