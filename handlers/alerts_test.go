package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

// evaluate runs the evaluations that wait.
func (s *boardSite) evaluate(t *testing.T) {
	t.Helper()
	runner := jobs.NewRunner(jobs.Config{Store: s.pool, Log: slog.New(slog.DiscardHandler)})
	jobs.Bind(runner, alerts.EvaluateOptions, s.Alerts.RunEvaluate)
	s.exec(t, `UPDATE control.jobs SET run_at = now() WHERE state = 'queued' AND kind = 'alerts:evaluate' AND run_at < now() + interval '10 s'`)
	rows, err := s.pool.DispatchJobs(t.Context(), jobs.Dispatch{Queue: jobs.Short, Kinds: runner.Kinds(), Waiting: 50, PerTenant: 50, Hold: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		runner.Do(context.WithoutCancel(t.Context()), row.ID, row.Kind, row.Attempt)
	}
}

// with is a form in which one field has another value.
// Dates without a time of day are not watched by the hour.
func TestDaysAreNotWatchedByTheHour(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	days, err := s.Datasets.Create(t.Context(), s.owner(), datasets.NewDataset{Name: "Days", TimeColumn: "day", Columns: []datasets.NewColumn{
		{Name: "day", Type: warehouse.Date}, {Name: "amount", Type: warehouse.Integer}}})
	if err == nil {
		_, err = s.Datasets.AppendRows(t.Context(), s.owner(), days, datasets.AppendRequest{Columns: []string{"day", "amount"}, Rows: [][]any{{"2026-05-01", 7}, {"2026-05-02", 8}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(t, "editor")
	form := b.get(views.PathNewAlert+"?"+url.Values{"dataset": {days.String()}}.Encode()).shows("#alert-grain option", "day").lacks("#alert-grain option[value=hour]")
	measure := form.page.Find("#alert-measure option").First().AttrOr("value", "")
	fields := []string{"dataset", days.String(), "measure", measure, "grain", "hour", "kind", "threshold", "side", "above", "value", "1", "user", s.users["editor"].String()}
	b.post(views.PathAlerts, fields...).want(http.StatusUnprocessableEntity).shows("#alert-grain-error", "no time of day")
	// What the form has no choice for is refused, not shown as another.
	b.post(views.PathAlerts, append(with(fields, "grain", "day"), "every", "1")...).want(http.StatusUnprocessableEntity).shows("#alert-every-error", "of the list")
	b.post(views.PathAlerts, with(fields, "grain", "day")...).want(http.StatusSeeOther)
}

func with(fields []string, name, value string) []string {
	other := slices.Clone(fields)
	for i := 0; i < len(other); i += 2 {
		if other[i] == name {
			other[i+1] = value
		}
	}
	return other
}

// From a widget's menu to a notification: the whole way of a person.
func TestAWidgetIsWatched(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	link, ok := b.get(s.path("?f.channel=web")).page.Find("#w-bars a[href^='/alerts/new']").Attr("href")
	if !ok {
		t.Fatal("the menu has no alert")
	}
	form := b.get(link).want(http.StatusOK).shows("h1", "New alert").shows("#alert-measure option", "Amount").shows(".alert-form", "Channel: web").
		shows("#alert-by option[selected]", "Channel")
	fields := []string{"user", s.users["editor"].String(), "name", "By channel", "kind", "threshold", "side", "above", "value", "230", "recover", "220", "grain", "day", "recovery", "on"}
	form.page.Find(".alert-form input[type=hidden], .alert-form select option[selected]").Each(func(_ int, f *goquery.Selection) {
		name := f.AttrOr("name", f.Parent().AttrOr("name", ""))
		if name == "dashboard" || name == "widget" || name == "state" || name == "measure" || name == "by" {
			fields = append(fields, name, f.AttrOr("value", ""))
		}
	})
	// The rows of web sum to 22, 51, 80 … a day of May; the newest day is not over.
	trial := b.request(http.MethodPost, views.PathTryAlert, map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}, fields...).want(http.StatusOK)
	trial.shows("#"+views.AlertTrialID+" .alert-verdict", "Would have fired").shows(".alert-course svg", "").lacks("h1")
	b.post(views.PathTryAlert, fields...).want(http.StatusOK).shows("h1", "New alert").shows(".alert-verdict", "Would have fired")
	b.post(views.PathAlerts, with(fields, "value", "x")...).want(http.StatusUnprocessableEntity).shows(".field-error", "")
	for name, value := range map[string]string{"measure": `{"fn":"sum","column":"nope"}`, "by": `{"column":"nope"}`} {
		b.post(views.PathAlerts, with(fields, name, value)...).want(http.StatusUnprocessableEntity).shows("#alert-"+name+"-error", "Choose")
	}
	b.post(views.PathAlerts, append(fields[:len(fields):len(fields)], "mute", "daily", "mute_from", "09:00", "mute_to", "09:00")...).want(http.StatusUnprocessableEntity).shows("#alert-mute-error", "never end")
	made := b.post(views.PathAlerts, fields...).want(http.StatusSeeOther)
	path := made.header.Get("Location")
	b.follow(made).shows("h1", "By channel").shows(".alert-facts", "Amount per day above 230").shows(".alert-facts", "Clears at220").shows(".alert-facts", "Channel: web")
	s.evaluate(t)
	b.get(path).shows("td", "web").shows(".tag", "Firing").shows(".alert-history", "Firing").shows(".alert-notices", "Editor")
	b.get(views.PathAlerts).shows("td a", "By channel").shows(".tag", "Firing")
	b.get(views.PathNotices).shows("main", "Alert: By channel is firing")
	b.post(path+"/acknowledge", "group", `["web"]`).want(http.StatusSeeOther)
	b.get(path).shows(".alert-history", "Acknowledged").lacks("form[action$='/acknowledge']")
	for _, act := range []string{"snooze", "wake", "pause", "resume"} {
		b.post(path+"/"+act, "hours", "24").want(http.StatusSeeOther)
	}
	edit := b.get(path+"/edit").want(http.StatusOK).shows("h1", "Edit alert").lacks("#alert-measure")
	b.post(views.PathAlerts, with(fields, "value", "1,5")...).want(http.StatusUnprocessableEntity).shows(".field-error", "Write a number")
	if v := edit.page.Find("#alert-value").AttrOr("value", ""); v != "230" {
		t.Errorf("the value is %q", v)
	}
	id := strings.TrimPrefix(path, "/alerts/")
	b.post(path, append(fields[:2:2], "id", id, "kind", "threshold", "side", "above", "value", "1000")...).want(http.StatusSeeOther)
	s.evaluate(t)
	b.get(path).shows(".tag", "OK")

	// To others it does not exist.
	for _, who := range []string{"viewer", "foreign"} {
		o := s.as(t, who)
		for _, rest := range []string{"", "/edit"} {
			o.get(path + rest).want(http.StatusNotFound)
		}
		for _, rest := range []string{"", "/pause", "/snooze", "/acknowledge", "/delete"} {
			o.post(path+rest, append(fields[:2:2], "id", id, "kind", "threshold", "side", "above", "value", "1", "hours", "1")...).want(http.StatusNotFound)
		}
	}
	s.as(t, "foreign").get(link).want(http.StatusNotFound)
	s.as(t, "foreign").post(views.PathAlerts, "dataset", s.dataset.String(), "kind", "threshold", "side", "above", "value", "1").want(http.StatusNotFound)
	b.post(path + "/delete").want(http.StatusSeeOther)
	b.get(path).want(http.StatusNotFound)
	quiet := b.post(views.PathAlerts, append(fields[:len(fields):len(fields)], "mute", "weekend", "mute_from", "22:00", "mute_to", "07:00")...).want(http.StatusSeeOther)
	b.follow(quiet).shows(".alert-facts", "Saturday and Sunday, 22:00 – 07:00 (")
	b.post(quiet.header.Get("Location") + "/delete").want(http.StatusSeeOther)
	b.get(views.PathAlerts).shows(".empty-title", "No alerts")
	b.get(views.PathNewAlert).shows("#alert-dataset option", "Sales")
	b.get(views.PathNewAlert+"?"+url.Values{"dataset": {s.dataset.String()}}.Encode()).shows("#alert-measure option", "Rows")
	b.get(views.PathAlert(ids.New[ids.Alert]().String())).want(http.StatusNotFound)
}

func TestChannelsAreTheAdmins(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "admin")
	b.get(views.PathChannels).want(http.StatusOK).shows(".empty-title", "No channels")
	b.get(views.PathNewChannel).want(http.StatusOK)
	b.post(views.PathChannels, "kind", "webhook", "name", "Ops", "url", "http://169.254.169.254/").want(http.StatusUnprocessableEntity).shows(".field-error", "https")
	b.post(views.PathChannels, "kind", "sftp", "name", "Files", "host", "files.example.com", "user", "df", "password", "hunter2").want(http.StatusUnprocessableEntity).shows("#channel-host-key-error", "host key").lacks("[value='hunter2']")
	made := b.post(views.PathChannels, "kind", "webhook", "name", "Ops", "url", "https://hooks.example.com/part-that-is-secret").want(http.StatusOK).shows(".channel-key", "")
	if key, _ := made.page.Find("#channel-key").Attr("value"); len(key) < 40 || strings.Contains(made.body, "part-that-is-secret") {
		t.Errorf("the key is %q", key)
	}
	page := b.get(views.PathChannels).shows("td", "hooks.example.com").lacks(".channel-key")
	action := page.page.Find("form[action$='/delete']").AttrOr("action", "")
	for _, who := range []string{"editor", "viewer"} {
		o := s.as(t, who)
		o.get(views.PathChannels).want(http.StatusForbidden)
		o.get(views.PathNewChannel).want(http.StatusForbidden)
		o.post(views.PathChannels, "kind", "webhook", "name", "X", "url", "https://hooks.example.com/x").want(http.StatusForbidden)
		o.post(action).want(http.StatusForbidden)
	}
	s.as(t, "foreign").post(action).want(http.StatusNotFound)
	b.post(action).want(http.StatusSeeOther)
	b.get(views.PathChannels).shows(".empty-title", "No channels")
}
