package views

import (
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
)

// A line of the ledger says who took the report, and a run what is known of it.
func TestLedgerWords(t *testing.T) {
	t.Parallel()
	p := SchedulesProps{Zone: time.UTC, Locale: locale.For("en-GB")}
	for name, tc := range map[string]struct {
		line reports.Line
		want string
	}{
		"mail":    {reports.Line{State: reports.LineSent, Answer: "250 ok"}, "The mail server took it on"},
		"folder":  {reports.Line{State: reports.LineSent, Channel: delivery.S3, Answer: "s3://b/a.csv"}, "put into the folder on"},
		"webhook": {reports.Line{State: reports.LineSent, Channel: delivery.Webhook, Answer: "200 ok"}, "The webhook was told of it on"},
		"slack":   {reports.Line{State: reports.LineSent, Channel: delivery.Slack, Answer: "200 ok"}, "Slack was told of it on"},
		"gone":    {reports.Line{State: reports.LineSent, Channel: "gone", Answer: "200 ok"}, "The channel took it on"},
		"waits":   {reports.Line{State: reports.LineRendered, Channel: delivery.S3, ErrorText: "It asks to try again later: 503 ok", Attempts: 1}, "503 ok. It is tried again"},
		"ready":   {reports.Line{State: reports.LineRendered, Channel: delivery.S3}, "goes to the channel next"},
		"undrawn": {reports.Line{State: reports.LineSent, Answer: "250 ok", Stated: reports.Stated{Widgets: 3, FailedWidgets: 2}}, "2 of 3 widgets could not be drawn"},
		"failed":  {reports.Line{State: reports.LineFailed, ErrorText: "They left."}, "They left."},
	} {
		got := p.why(t.Context(), tc.line)
		if !strings.Contains(got, tc.want) || strings.Contains(got, "..") || (tc.line.Channel != "") == strings.Contains(got, "mail server") && name != "failed" {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	for want, states := range map[string][]reports.LineState{
		"2 unknown":       {reports.LineUnknown, reports.LineUnknown},
		"1 unknown":       {reports.LineSent, reports.LineUnknown},
		"1 not delivered": {reports.LineSent, reports.LineUnknown, reports.LineBounced},
		"Failed":          {reports.LineFailed},
		"Delivered":       {reports.LineSent},
	} {
		r := reports.ScheduleRun{State: reports.RunDone}
		for _, state := range states {
			r.Lines = append(r.Lines, reports.Line{State: state})
		}
		if got := resultOf(t.Context(), r).Label; got != want {
			t.Errorf("%v: %q, want %q", states, got, want)
		}
	}
}

// The subject of an alert's mail says what happened, however long its name is.
func TestAlertTitles(t *testing.T) {
	t.Parallel()
	letters := Letters{Address: func() string { return "https://bi.example.com" }}
	for cause, want := range map[alerts.Cause]string{
		alerts.CauseFiring: "Alert: Low sales is firing", alerts.CauseOver: "Alert: Low sales is over",
		alerts.CauseEscalated: "Alert: Low sales is still firing, escalated", alerts.CauseNoData: "Alert: Low sales has no value",
		alerts.CauseError: "Alert: Low sales can’t be evaluated", alerts.CauseOwnerLeft: "Alert: Low sales is paused: its owner left",
	} {
		title := AlertTitle(t.Context(), "en-GB", alerts.Notice{Cause: cause, Name: "Low sales"})
		words, err := letters.RenderLetter(t.Context(), "en-GB", delivery.Notice{Kind: "alert", Subject: title, Link: "https://bi.example.com/alerts/1"})
		if err != nil || words.Subject != want {
			t.Errorf("%s: %q, %v, want %q", cause, words.Subject, err, want)
		}
	}
	if long := AlertTitle(t.Context(), "en-GB", alerts.Notice{Cause: alerts.CauseOver, Name: strings.Repeat("x", 300)}); !strings.HasSuffix(long, "… is over") || len([]rune(long)) > 200 {
		t.Errorf("%q", long)
	}
}

// The list says in a few words why a schedule is paused; its page has the sentence.
func TestPausedInAFewWords(t *testing.T) {
	t.Parallel()
	p := SchedulesProps{Zone: time.UTC, Locale: locale.For("en-GB")}
	visitor := ids.New[ids.Visitor]()
	for want, s := range map[string]reports.Schedule{
		"Paused: owner left":       {PausedWhy: "owner_left", OwnerName: "Rosa Delgado"},
		"Paused: nobody left":      {PausedWhy: "nobody_left"},
		"Paused: dashboard gone":   {PausedWhy: "dashboard_gone"},
		"Paused: visitor blocked":  {PausedWhy: "owner_left", OwnerVisitor: visitor},
		"Paused: portal mails off": {PausedWhy: "portal_off", OwnerVisitor: visitor},
		"Paused by Tom Becker":     {PausedWhy: "person", PausedBy: "Tom Becker", PausedByMember: true},
		"Paused by Ossian":         {PausedWhy: "person", OwnerName: "Ossian", OwnerVisitor: visitor},
		"With the next data":       {ScheduleForm: reports.ScheduleForm{OnData: true}},
	} {
		if got := p.nextShort(t.Context(), s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if full := p.next(t.Context(), s); s.PausedWhy != "" && s.PausedWhy != "person" && len(full) <= len(want) {
			t.Errorf("%q has no sentence: %q", want, full)
		}
	}
	if got := p.when(t.Context(), reports.Schedule{ScheduleForm: reports.ScheduleForm{When: "*/2 * * * *"}}); got != "Every 2 minutes" {
		t.Errorf("%q", got)
	}
}
