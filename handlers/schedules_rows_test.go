package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Recipients get the rows that the schedule leaves them, and who gets the same
// gets one file. Where the owner no longer sees the column that the rows go by,
// the line says so, and the others get theirs.
func TestRecipientsGetTheirRows(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	f := s.table("editor", "viewer", "a@example.org", "b@example.org", "c@example.org")
	f.Rows = "A@example.org: channel = web\n\nb@example.org: channel = \"web\"\nviewer@example.com: channel = web, =phone; amount = 1, 3, 5\n"
	id := s.create(t, f)
	if got, want := s.read(t, id).ScheduleForm.Rows, "viewer@example.com: amount = 1, 3, 5; channel = web, =phone\na@example.org: channel = web\nb@example.org: channel = web\n"; got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	var contents int
	s.count(t, &contents, `SELECT count(*) FROM report_contents`)
	if contents != 3 {
		t.Errorf("%d contents, want all rows, those of web, and three", contents)
	}
	got, _ := s.mails(t)
	rows := func(to string) (lines, web int) {
		if len(got[to]) != 1 {
			t.Fatalf("%s got %d mails", to, len(got[to]))
		}
		body := got[to][0].files["Rows.csv"]
		return strings.Count(body, "\n") - 1, strings.Count(body, ",web,")
	}
	for to, want := range map[string][2]int{"editor@example.com": {120, 40}, "c@example.org": {120, 40}, "a@example.org": {40, 40}, "b@example.org": {40, 40}, "viewer@example.com": {2, 1}} {
		if lines, web := rows(to); lines != want[0] || web != want[1] {
			t.Errorf("%s got %d rows, %d of web, want %v", to, lines, web, want)
		}
	}

	// The form keeps them, and says what is wrong with others.
	b := s.as(t, "editor")
	b.get(views.PathSchedule(id.String())+"/edit").want(http.StatusOK).shows("textarea[name=rows]", "b@example.org: channel = web")
	b.get(views.PathSchedule(id.String())).shows(".schedule-list", "channel = web")
	for rows, want := range map[string]string{
		"stranger@example.org: channel = web":                "not among the recipients",
		"a@example.org: colour = red":                        "no column “colour” whose values you see. It has channel, ",
		"a@example.org channel = web":                        "can't be read",
		"a@example.org: channel":                             "can't be read",
		"a@example.org:":                                     "no column is named",
		"a@example.org: channel=web\na@example.org:amount=1": "two lines",
	} {
		wrong := f
		wrong.Rows = rows
		fields, _ := apperr.Fields(s.Reports.UpdateSchedule(t.Context(), s.editor(), id, wrong))
		if !strings.Contains(fields["rows"], want) {
			t.Errorf("%q: %v, want %q", rows, fields, want)
		}
	}

	// The channels are a secret from the editor now: what is left would tell of them.
	d, err := s.Datasets.Get(t.Context(), s.owner(), s.dataset)
	if err != nil {
		t.Fatal(err)
	}
	channel, _ := d.ColumnByName("channel")
	if _, err := s.Datasets.SaveRule(t.Context(), s.owner(), s.dataset, datasets.Rule{Kind: datasets.RuleColumn, Name: "Channels", Everybody: true,
		Except: []datasets.RuleSubject{{Role: access.Admin}}, RuleBody: datasets.RuleBody{Column: channel.ID, Mask: warehouse.Mask{Kind: warehouse.MaskHash}}}); err != nil {
		t.Fatal(err)
	}
	if fields, _ := apperr.Fields(s.Reports.UpdateSchedule(t.Context(), s.editor(), id, f)); !strings.Contains(fields["rows"], "no column “channel”") {
		t.Errorf("a masked column is taken: %v", fields)
	}
	if err := s.Reports.SendNow(t.Context(), s.editor(), id, false); err != nil {
		t.Fatal(err)
	}
	s.work(t)
	_, lines := s.states(t, id)
	for to, want := range map[string]reports.LineState{"editor@example.com": reports.LineSent, "c@example.org": reports.LineSent, "a@example.org": reports.LineFailed, "viewer@example.com": reports.LineFailed} {
		if l := lines[to]; l.State != want || want == reports.LineFailed && l.ErrorCode != "reports.rows_gone" {
			t.Errorf("%s: %s %s", to, l.State, l.ErrorCode)
		}
	}

	// Who is not named any more gets all.
	f.Rows, f.Users = "", []ids.User{s.users["editor"]}
	if err := s.Reports.UpdateSchedule(t.Context(), s.editor(), id, f); err != nil {
		t.Fatal(err)
	}
	if got := s.read(t, id).ScheduleForm.Rows; got != "" {
		t.Errorf("kept %q", got)
	}
}
