package reports

import (
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

func TestRulesInWordsAndCron(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"weekdays at 8:00":              "0 8 * * 1,2,3,4,5",
		"  Every   Monday 9am ":         "0 9 * * 1",
		"first of the month":            "0 8 1 * *",
		"1st and 15th of the month 7am": "0 7 1,15 * *",
		"last day of the month at 6pm":  "0 18 L * *",
		"daily at 7":                    "0 7 * * *",
		"every day at 12 am":            "0 0 * * *",
		"mondays, thursdays at 17.30":   "30 17 * * 1,4",
		"every 15 minutes":              "0,15,30,45 * * * *",
		"every 6 hours":                 "0 0,6,12,18 * * *",
		"hourly":                        "0 * * * *",
		"monthly at noon":               "0 12 1 * *",
		"weekends at 8:05 and 20:05":    "5 8,20 * * 0,6",
		"0 8 * * 1-5":                   "0 8 * * 1,2,3,4,5",
		"*/30 6-8 1 jan,JUL *":          "0,30 6,7,8 1 1,7 *",
		"0 9 * * 7":                     "0 9 * * 0",
		"15 6 L * *":                    "15 6 L * *",
	} {
		r, err := ParseRule(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := r.String(); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		if again, err := ParseRule(want); err != nil || again.String() != want {
			t.Errorf("%q again: %q, %v", want, again, err)
		}
	}
	for _, text := range []string{"", "soon", "at 8:00", "weekdays at 25:00", "every 7 minutes", "0 8 31 2 *", "60 * * * *", "weekdays first of the month", "32nd of the month",
		"mondays at 8:00 and 9:30", "0 8 * * 5-1", "*/0 * * * *", "0 8 * *", strings.Repeat("day ", 80)} {
		if r, err := ParseRule(text); apperr.Describe(err).Code != "reports.rule_invalid" {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
}

// In the hour that clocks skip and in the one that they repeat, a day's run
// comes exactly once, and so it does at any change of any zone.
func TestRulesWhereClocksChange(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		zone, rule, from string
		want             []string
	}{
		"skipped":                 {"Europe/London", "daily at 1:30", "2026-03-28T00:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		"repeated":                {"Europe/London", "daily at 1:30", "2026-10-24T00:00:00Z", []string{"2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		"repeated, in the second": {"Europe/London", "daily at 1:30", "2026-10-25T01:00:00Z", []string{"2026-10-26T01:30:00Z"}},
		"skipped midnight":        {"America/Santiago", "daily at 0:15", "2026-09-05T12:00:00Z", []string{"2026-09-06T04:00:00Z", "2026-09-07T03:15:00Z"}},
		"half an hour":            {"Australia/Lord_Howe", "daily at 2:15", "2026-10-03T00:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		"a day that was left out": {"Pacific/Apia", "daily at 9:00", "2011-12-29T12:00:00Z", []string{"2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"}},
		"each minute of the gap":  {"Europe/London", "*/20 1 * * *", "2026-03-29T00:30:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		"quarters, both times": {"Europe/London", "every 15 minutes", "2026-10-25T00:30:00Z", []string{"2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:15:00Z",
			"2026-10-25T01:30:00Z", "2026-10-25T01:45:00Z", "2026-10-25T02:00:00Z"}},
		"quarters of a night":          {"America/New_York", "*/30 0-1 * * *", "2026-11-01T05:00:00Z", []string{"2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z", "2026-11-02T05:00:00Z"}},
		"hourly, both times":           {"Europe/Berlin", "hourly", "2026-10-24T23:00:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		"hourly, back by half an hour": {"Australia/Lord_Howe", "45 * * * *", "2026-04-04T14:00:00Z", []string{"2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"}},
		"hourly over the gap":          {"Europe/Berlin", "hourly", "2026-03-29T00:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		"hourly, back over midnight":   {"America/Santiago", "0 * * * 6", "2026-04-05T02:00:00Z", []string{"2026-04-05T03:00:00Z", "2026-04-11T04:00:00Z"}},
		"twice in one hour of the day": {"Europe/Berlin", "0,30 2 * * *", "2026-10-25T00:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"}},
		"leap day":                     {"UTC", "0 8 29 2 *", "2026-01-01T00:00:00Z", []string{"2028-02-29T08:00:00Z", "2032-02-29T08:00:00Z"}},
	} {
		zone, err := time.LoadLocation(tc.zone)
		if err != nil {
			t.Fatal(err)
		}
		rule, err := ParseRule(tc.rule)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tc.from)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.want {
			if at = rule.Next(at, zone); at.UTC().Format(time.RFC3339) != want {
				t.Errorf("%s: %s, want %s", name, at.UTC().Format(time.RFC3339), want)
			}
		}
	}
	// A year of days in each of these zones has a run a day.
	rule, err := ParseRule("daily at 2:30")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Tehran", "Africa/Casablanca", "Antarctica/Troll"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
		n, days := 0, map[string]bool{}
		for at := rule.Next(from, zone); at.Before(from.AddDate(1, 0, 0)); at = rule.Next(at, zone) {
			n++
			days[at.In(zone).Format(time.DateOnly)] = true
		}
		if n != 365 || len(days) != 365 {
			t.Errorf("%s: %d runs on %d days", name, n, len(days))
		}
	}
}

// Cron that has usual words is shown in them, and they say the same.
func TestCronInWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"*/2 * * * *":       "every 2 minutes",
		"*/15 * * * *":      "every 15 minutes",
		"* * * * *":         "every minute",
		"0 * * * *":         "every hour",
		"0 */6 * * *":       "every 6 hours",
		"0 * * * 1-5":       "0 * * * 1-5",
		"0 8 * * 1-5":       "weekdays at 8:00",
		"5 8,20 * * 0,6":    "weekends at 8:05 and 20:05",
		"30 17 * * 1,4,7":   "Monday, Thursday and Sunday at 17:30",
		"0 7 * * *":         "daily at 7:00",
		"0 0 * * *":         "daily at 0:00",
		"0 7 1,15 * *":      "1st and 15th of the month at 7:00",
		"0 7 2,11,23 * *":   "2nd, 11th and 23rd of the month at 7:00",
		"0 18 L * *":        "last day of the month at 18:00",
		"0 18 1,L * *":      "1st and last day of the month at 18:00",
		"*/7 * * * *":       "*/7 * * * *",
		"15 * * * *":        "15 * * * *",
		"0 8 1 * 1":         "0 8 1 * 1",
		"0 8 * 1 *":         "0 8 * 1 *",
		"0,30 8 * * *":      "0,30 8 * * *",
		"0 6,8,10,12 * * *": "0 6,8,10,12 * * *",
		"0 8 * * 1,2,4,5":   "0 8 * * 1,2,4,5",
		"Weekdays at 8":     "Weekdays at 8",
		"nonsense":          "nonsense",
	} {
		got := InWords(text)
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		if got == text || got == "every 2 minutes" || got == "every minute" { // words that are only shown
			continue
		}
		a, _ := ParseRule(text)
		if b, err := ParseRule(got); err != nil || a.String() != b.String() {
			t.Errorf("%q: %q is %q, %v", text, got, b, err)
		}
	}
}
