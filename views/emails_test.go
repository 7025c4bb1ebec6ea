package views_test

import (
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/views"
)

func TestLetters(t *testing.T) {
	t.Parallel()
	letters := views.Letters{Address: func() string { return "https://bi.example.com" }}
	until := time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		letter  delivery.Letter
		subject string
		says    []string
		link    string
	}{
		"password reset": {
			delivery.PasswordReset{Name: "Ada", Link: "https://bi.example.com/reset?token=a&b", Until: until},
			"Reset your DataFlow password", []string{"Hello Ada,", "23 Nov 2026", "18:30", "https://bi.example.com"},
			"https://bi.example.com/reset?token=a&b",
		},
		"password reset for nobody by name": {
			delivery.PasswordReset{Link: "https://bi.example.com/reset?token=a", Until: until},
			"Reset your DataFlow password", []string{"Hello,"}, "https://bi.example.com/reset?token=a",
		},
		"invitation": {
			delivery.Invitation{Workspace: "Acme <b>", Inviter: "Eve", Role: "editor", Link: "https://bi.example.com/join?token=x", Until: until},
			"Eve invites you to Acme <b>", []string{"Acme <b>", "as editor"}, "https://bi.example.com/join?token=x",
		},
		"link for who has asked to join": {
			delivery.Invitation{Workspace: "Acme <b>", Role: "viewer", Link: "https://bi.example.com/join?token=x", Until: until},
			"Your link to join Acme <b>", []string{"has asked to join", "as viewer"}, "https://bi.example.com/join?token=x",
		},
		"link to connect": {
			delivery.ConnectLink{Workspace: "Acme <b>", Name: "Ada", Link: "https://bi.example.com/invite?token=x", Until: until},
			"Connect your account with single sign-on of Acme <b>", []string{"Hello Ada,", "another identity provider", "23 Nov 2026"}, "https://bi.example.com/invite?token=x",
		},
		"test of the mail server": {
			delivery.MailTest{Name: "Ada", Workspace: "Acme <b>", Server: "mail.example.com:587", Link: "https://bi.example.com/settings/mail", At: until},
			"Test mail from Acme <b>", []string{"Hello Ada,", "mail.example.com:587"}, "https://bi.example.com/settings/mail",
		},
		"reports that came back": {
			delivery.ReportTrouble{Name: "Daily", Trouble: delivery.CameBack, At: until, Link: "https://bi.example.com/schedules/1",
				Lines: []delivery.TroubleLine{{Address: "ada@example.org", Text: "There is no such mailbox."}}},
			"“Daily” came back from some recipients", []string{"ada@example.org", "There is no such mailbox.", "could not be delivered"}, "https://bi.example.com/schedules/1",
		},
		"reports of which nobody knows": {
			delivery.ReportTrouble{Name: "Daily", Trouble: delivery.RunUnknown, At: until, Link: "https://bi.example.com/schedules/1",
				Lines: []delivery.TroubleLine{{Address: "ada@example.org", Text: "The line dropped."}}},
			"“Daily” may not have reached everybody", []string{"ada@example.org", "nobody can know"}, "https://bi.example.com/schedules/1",
		},
		"mention": {
			delivery.Notice{Kind: "mention", Name: "Ada", By: "Grace", Subject: "Trading", Excerpt: "<b>Look</b> at this", Link: "https://bi.example.com/dashboards/1"},
			"Grace mentioned you on Trading", []string{"Grace mentioned you on Trading", "<b>Look</b> at this"}, "https://bi.example.com/dashboards/1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			words, err := letters.RenderLetter(t.Context(), "en-GB", tc.letter)
			if err != nil {
				t.Fatal(err)
			}
			page, err := goquery.NewDocumentFromReader(strings.NewReader(words.HTML))
			if err != nil {
				t.Fatal(err)
			}
			if words.Subject != tc.subject || page.Find("title").Text() != tc.subject {
				t.Errorf("subject is %q, title %q", words.Subject, page.Find("title").Text())
			}
			for _, part := range append(tc.says, tc.link) {
				if !strings.Contains(words.Text, part) || !strings.Contains(page.Find("body").Text(), part) {
					t.Errorf("%q is missing in %q or in the HTML", part, words.Text)
				}
			}
			if link, _ := page.Find("a").First().Attr("href"); link != tc.link {
				t.Errorf("the button leads to %q", link)
			}
			if n := page.Find("b, script, img, link").Length(); n != 0 {
				t.Errorf("%d elements that don't belong into a mail", n)
			}
			if strings.Contains(words.Text, "email.") || strings.Contains(words.HTML, "email.") {
				t.Errorf("a text is missing from the catalogue: %q", words.Text)
			}
		})
	}
}

// A portal's mails have its colours, and none of the product's.
func TestMailsOfAPortalHaveItsColours(t *testing.T) {
	t.Parallel()
	const product = "#2257C5"
	colours := brand.Brand{Colour: "#B3261E"}.Mail()
	letters := views.Letters{Address: func() string { return "https://bi.example.com" }}
	for name, letter := range map[string]delivery.Letter{
		"invitation": delivery.PortalLink{Portal: "Acme", Address: "https://acme.example", Invited: true, Link: "https://acme.example/reset?token=a", Colours: colours},
		"report": delivery.Report{Name: "Weekly", Workspace: "Acme", Portal: "https://acme.example", File: "weekly.pdf", Link: "https://acme.example/opened/1",
			FileLink: "https://acme.example/files/1", Unsubscribe: "https://acme.example/stop/1", Colours: colours},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			words, err := letters.RenderLetter(t.Context(), "en-GB", letter)
			if err != nil {
				t.Fatal(err)
			}
			page, err := goquery.NewDocumentFromReader(strings.NewReader(words.HTML))
			if err != nil {
				t.Fatal(err)
			}
			style, _ := page.Find(".df-button").Attr("style")
			for _, want := range []string{"background:" + colours.Light.Fill, "color:" + colours.Light.OnFill} {
				if !strings.Contains(style, want) {
					t.Errorf("the button is %q, want %q", style, want)
				}
			}
			if dark := page.Find("style").Text(); !strings.Contains(dark, colours.Dark.Fill) || !strings.Contains(dark, colours.Dark.Link) {
				t.Errorf("dark is %q", dark)
			}
			if strings.Contains(strings.ToUpper(words.HTML), product) || strings.Contains(words.HTML, "DataFlow") {
				t.Error("the product shows through")
			}
		})
	}
}
