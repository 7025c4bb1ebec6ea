package views

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/platform/locale"
)

// Of several groups without new data each is named.
func TestGroupsWithoutNewDataAreNamed(t *testing.T) {
	age, usual := 180.0, 60.0
	n := alerts.Notice{Cause: alerts.CauseFiring, Label: "Sales", Count: 2, Condition: alerts.Condition{Kind: alerts.Stale},
		Groups: []alerts.Spot{{Labels: []string{"North"}, Value: &age, High: &usual}, {Labels: []string{"South"}, Value: &age, High: &usual}}}
	const want = "North: no new data for 3\u00a0h; at most 1\u00a0h is usual. South: no new data for 3\u00a0h; at most 1\u00a0h is usual."
	if got := AlertWords(t.Context(), "en", n); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Of an alert whose owner left nobody is said to see other rows.
func TestWhyThereAreNoValues(t *testing.T) {
	t.Parallel()
	for why, want := range map[string]string{"": "Rosy sees other rows than you", "person": "Rosy sees other rows than you", "owner_left": "Rosy, whose rows it watched, left the workspace"} {
		p := AlertProps{Alert: alerts.Alert{PausedWhy: why, OwnerName: "Rosy", Hidden: true}, Locale: locale.For("en-GB")}
		var page strings.Builder
		if err := alertGroups(p).Render(t.Context(), &page); err != nil || !strings.Contains(page.String(), want) {
			t.Errorf("%s: %s, %v", why, page.String(), err)
		}
	}
}

// The times that past data would have fired are listed as far as there is room,
// and the rest is counted.
func TestEarlierTimesAreCounted(t *testing.T) {
	t.Parallel()
	p := AlertTrialProps{Trial: &alerts.Trial{}, Watch: alerts.Watch{Grain: "day"}, Cond: alerts.Condition{Kind: alerts.Threshold}, Locale: locale.For("en-GB")}
	series := func(n int) (s alerts.TrialSeries) {
		for i := range n {
			s.At, s.Values = append(s.At, time.Date(2026, 3, 1+2*i, 0, 0, 0, 0, time.UTC)), append(s.Values, float64(i))
			s.Fired = append(s.Fired, alerts.Spell{From: i, To: i})
		}
		return s
	}
	if list := p.spells(t.Context(), series(12)); len(list) != 12 {
		t.Errorf("%q", list)
	}
	if list := p.spells(t.Context(), series(19)); len(list) != 13 || list[12] != "and 7 earlier ones" {
		t.Errorf("%q", list)
	}
}

// What fires and nobody has seen to stands first, each group with its button and
// several with one for all; what somebody has seen to says who.
func TestGroupsThatFire(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 13, 27, 0, 0, time.UTC)
	quiet, seen := alerts.Group{Labels: []string{"East"}, State: alerts.OK}, alerts.Group{Labels: []string{"North"}, State: alerts.Firing, AckedAt: at, AckedBy: "Tom Becker"}
	south, west := alerts.Group{Labels: []string{"South"}, State: alerts.Firing, Key: "s"}, alerts.Group{Labels: []string{"West"}, State: alerts.Firing, Key: "w"}
	render := func(groups ...alerts.Group) string {
		t.Helper()
		var page strings.Builder
		p := AlertProps{Alert: alerts.Alert{States: groups, NewAlert: alerts.NewAlert{Watch: alerts.Watch{By: []string{"Region"}}, Form: alerts.Form{Condition: alerts.Condition{Kind: alerts.Threshold}}}}, Now: at, Locale: locale.For("en-GB")}
		if err := alertGroups(p).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		return page.String()
	}
	page := render(quiet, seen, south, west)
	last := -1
	for _, text := range []string{"Acknowledge all", ">South<", ">West<", ">North<", "Acknowledged by Tom Becker, 29 Nov 2026, 13:27", ">East<"} {
		n := strings.Index(page, text)
		if n <= last {
			t.Errorf("%s stands at %d, after %d", text, n, last)
		}
		last = n
	}
	if page := render(quiet, seen, south); strings.Contains(page, "Acknowledge all") || strings.Count(page, "<button") != 1 {
		t.Error("one group alone has a button for all")
	}
}

// The words of a course stand beside its picture, which is stretched to the room.
func TestCourseKeepsItsWords(t *testing.T) {
	t.Parallel()
	p := AlertTrialProps{Trial: &alerts.Trial{}, Watch: alerts.Watch{Grain: "day"}, Cond: alerts.Condition{Kind: alerts.Threshold}, Locale: locale.For("en-GB")}
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	s := alerts.TrialSeries{At: []time.Time{day(1), day(2), day(3)}, Values: []float64{1000, 400, math.NaN()}, High: []float64{900, 900, 900}, Fired: []alerts.Spell{{From: 1, To: 1}}}
	var page strings.Builder
	if err := p.course(t.Context(), s).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	picture, words, _ := strings.Cut(page.String(), "</svg>")
	if strings.Contains(picture, "<text") || !strings.Contains(picture, `preserveAspectRatio="none"`) || !strings.Contains(picture, `<path class="alert-mark" d="M50.00`) {
		t.Errorf("%s", picture)
	}
	for _, text := range []string{">1,000<", ">0<", ">1 Mar<", ">3 Mar<"} {
		if !strings.Contains(words, text) {
			t.Errorf("no %s in %s", text, words)
		}
	}
}

// What is said of the outbox is true of where mails go.
func TestWhatTheOutboxKeeps(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]OutboxProps{
		"are kept here and not sent.":                               {Demo: true},
		"own mail server sends its mail; only what":                 {Demo: true, Own: true},
		"own mail server sends its mail. The installation has none": {Own: true},
		"No mail server is configured":                              {},
	} {
		var page strings.Builder
		if err := OutboxContent(p, false).Render(t.Context(), &page); err != nil || !strings.Contains(page.String(), want) {
			t.Errorf("%+v: %s, %v", p, page.String(), err)
		}
	}
	if (OutboxProps{Demo: true, Sends: true}).note(false) != "" {
		t.Error("something is said of mails that all leave")
	}
}
