package views

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of alerts.
const (
	PathAlerts   = "/alerts"
	PathNewAlert = PathAlerts + "/new" // ?dashboard=&widget= and filters, or ?dataset=
	PathTryAlert = PathAlerts + "/try"
)

// AlertTrialID is where the trial of a form is put.
const AlertTrialID = "alert-trial"

// PathAlert is one of them; POST changes it.
func PathAlert(id string) string { return PathAlerts + "/" + id }

func pathEditAlert(id string) string { return PathAlert(id) + "/edit" }

// pathAlertAct is POST: pause, resume, snooze, wake, acknowledge, delete.
func pathAlertAct(id, act string) string { return PathAlert(id) + "/" + act }

func pathAlertFor(t *dashboards.Tile) string {
	return withQuery(PathNewAlert, tileQuery(t, "dashboard", t.Dashboard.String(), "widget", t.ID))
}

// AlertsProps is the list of alerts.
type AlertsProps struct {
	List   []alerts.Alert
	Total  int    // without search and choice
	Show   string // "", "firing" or "paused"
	Search string
	Now    time.Time // in the viewer's zone
	Locale *locale.Locale
}

func (p AlertsProps) segments(ctx context.Context) []ui.Segment {
	var list []ui.Segment
	for _, show := range []string{"", "firing", "paused"} {
		list = append(list, ui.Segment{Label: messages.T(ctx, "alerts.show_"+orElse(show, "all")), Value: show, Href: withQuery(PathAlerts, "show="+show), Selected: show == p.Show})
	}
	return list
}

// alertTag is the state of an alert in a word.
func alertTag(ctx context.Context, a alerts.Alert) ui.TagProps {
	switch {
	case !a.PausedAt.IsZero():
		return ui.TagProps{Label: messages.T(ctx, "alerts.paused"), Icon: "pause"}
	case a.EvaluatedAt.IsZero():
		return ui.TagProps{Label: messages.T(ctx, "alerts.new_state"), Icon: "clock"}
	case a.State == alerts.Firing && a.Groups > 1:
		return ui.TagProps{Label: messages.T(ctx, "alerts.firing_of", "Count", a.Firing, "All", a.Groups), Icon: "triangle-alert", Tone: ui.Negative}
	}
	return stateTag(ctx, a.State)
}

func stateTag(ctx context.Context, s alerts.State) ui.TagProps {
	tag := ui.TagProps{Label: messages.T(ctx, "alerts.state_"+string(s))}
	switch s {
	case alerts.Firing:
		tag.Icon, tag.Tone = "triangle-alert", ui.Negative
	case alerts.NoData:
		tag.Icon, tag.Tone = "circle-help", ui.Warning
	case alerts.Error:
		tag.Icon, tag.Tone = "x", ui.Warning
	default:
		tag.Icon, tag.Tone = "check", ui.Positive
	}
	return tag
}

// alertValue is a value of a measure as text.
func alertValue(l *locale.Locale, w *alerts.Watch, c *alerts.Condition, v float64) string {
	if math.IsNaN(v) {
		return "—"
	}
	if c.Kind == alerts.Stale {
		return l.Duration(time.Duration(v * float64(time.Minute)))
	}
	return l.KPI(v, w.Format.Number(w.Measure.Fn == "count" || w.Measure.Fn == "count_distinct"))
}

// alertLine is a value that an alert is set to: with all the digits that somebody
// gave it.
func alertLine(l *locale.Locale, w *alerts.Watch, c *alerts.Condition, v float64) string {
	if c.Kind == alerts.Stale {
		return alertValue(l, w, c, v)
	}
	f := w.Format.Number(false)
	scaled := v
	if f.Style == locale.Percent || f.Style == locale.Points {
		scaled *= 100
	}
	_, places, _ := strings.Cut(strconv.FormatFloat(math.Round(scaled*1e9)/1e9, 'f', -1, 64), ".")
	if n := len(places); f.Decimals == nil || *f.Decimals < n {
		f.Decimals = &n
	}
	return l.Full(v, f)
}

func share(l *locale.Locale, v float64) string {
	return l.Full(v, locale.Format{Style: "percent"})
}

// AlertSentence says when an alert fires: "Net sales a day below £40k".
func AlertSentence(ctx context.Context, l *locale.Locale, w *alerts.Watch, c *alerts.Condition) string {
	label := w.Label
	if w.Grain != "" && c.Kind != alerts.Stale {
		label = messages.T(ctx, "alerts.per", "Measure", label, "Grain", messages.T(ctx, "alerts.grain_"+w.Grain))
	}
	switch c.Kind {
	case alerts.Threshold:
		return messages.T(ctx, "alerts.when_threshold_"+string(c.Side), "What", label, "Line", alertLine(l, w, c, c.Value))
	case alerts.Change:
		return messages.T(ctx, "alerts.when_change_"+string(c.Side), "What", label, "Change", share(l, c.Value), "Against", against(ctx, w.Grain, c.Back))
	case alerts.Anomaly:
		return messages.T(ctx, "alerts.when_anomaly_"+string(c.Side), "What", label, "Band", c.Band)
	}
	return messages.T(ctx, "alerts.when_stale", "What", label, "Age", alertValue(l, w, c, c.Value))
}

// clearsAt is the value at which an alert is over, where that is another one than
// it fires at.
func clearsAt(l *locale.Locale, w *alerts.Watch, c *alerts.Condition) string {
	if c.Kind == alerts.Change {
		return share(l, *c.Recover)
	}
	return alertLine(l, w, c, *c.Recover)
}

// against names the earlier period of a change.
func against(ctx context.Context, grain string, back int) string {
	return messages.T(ctx, "alerts.against", "Count", back, "Grain", messages.T(ctx, "alerts.grain_"+grain))
}

// longestTitled is how much of an alert's name a title has: what happened stands
// after it.
const longestTitled = 120

// AlertTitle says what happened, in a few words.
func AlertTitle(ctx context.Context, tag string, n alerts.Notice) string {
	name := n.Name
	if runes := []rune(name); len(runes) > longestTitled {
		name = string(runes[:longestTitled]) + "…"
	}
	return messages.T(messages.WithLanguage(ctx, tag), "alerts.title_"+string(n.Cause), "Name", name)
}

// AlertWords says what a notice tells, in a sentence or two.
func AlertWords(ctx context.Context, tag string, n alerts.Notice) string {
	ctx = messages.WithLanguage(ctx, tag)
	l := locale.For(tag)
	t := func(key string, args ...any) string { return messages.T(ctx, key, args...) }
	switch {
	case n.Cause == alerts.CauseError, n.Cause == alerts.CauseOwnerLeft, n.Cause == alerts.CauseTest:
		return t("alerts.say_"+string(n.Cause), "Why", n.Text)
	case n.Hidden:
		return t("alerts.say_hidden_" + string(n.Cause))
	}
	var lines []string
	if n.Cause == alerts.CauseEscalated {
		lines = append(lines, t("alerts.say_escalated"))
	}
	for _, g := range n.Groups {
		lines = append(lines, alertSpot(ctx, l, &n, g))
	}
	if more := n.Count - len(n.Groups); more > 0 {
		lines = append(lines, t("alerts.say_more", "Count", more))
	}
	return strings.Join(lines, " ")
}

func alertSpot(ctx context.Context, l *locale.Locale, n *alerts.Notice, g alerts.Spot) string {
	t := func(key string, args ...any) string { return messages.T(ctx, key, args...) }
	w := &alerts.Watch{Format: n.Format}
	value := func(v *float64) string {
		if v == nil {
			return "—"
		}
		return alertValue(l, w, &n.Condition, *v)
	}
	what := strings.Join(append([]string{n.Label}, g.Labels...), ", ")
	if !g.Period.IsZero() && n.Condition.Kind != alerts.Stale {
		what += " (" + l.Bucket(g.Period, locale.Grain(n.Grain), true) + ")"
	}
	args := []any{"What", what, "Value", value(g.Value), "Low", value(g.Low), "High", value(g.High)}
	c := n.Condition
	switch {
	case n.Cause == alerts.CauseNoData:
		return t("alerts.say_no_data", args...)
	case n.Cause == alerts.CauseOver:
		return t("alerts.say_over", args...)
	case c.Kind == alerts.Threshold:
		return t("alerts.say_threshold_"+string(c.Side), args...)
	case c.Kind == alerts.Change && g.Value != nil && g.Low != nil && *g.Low != 0:
		change := (*g.Value - *g.Low) / math.Abs(*g.Low)
		way := map[bool]string{true: "up", false: "down"}[change >= 0]
		return t("alerts.say_change_"+way, append(args, "Change", share(l, math.Abs(change)))...)
	case c.Kind == alerts.Stale && len(g.Labels) > 0:
		return t("alerts.say_stale_of", append(args, "Group", strings.Join(g.Labels, ", "))...)
	case c.Kind == alerts.Stale:
		return t("alerts.say_stale", args...)
	}
	return t("alerts.say_anomaly", args...)
}

// AlertProps is the page of one alert.
type AlertProps struct {
	Alert     alerts.Alert
	CanChange bool
	Trial     *alerts.Trial // its course; nil where there is none
	Failed    string        // why there is none
	Now       time.Time     // in the viewer's zone
	Locale    *locale.Locale
}

func (p AlertProps) moment(at time.Time) string { return p.Locale.DateTime(at.In(p.Now.Location())) }

func (p AlertProps) value(v float64) string {
	return alertValue(p.Locale, &p.Alert.Watch, &p.Alert.Condition, v)
}

// hidden is the key of why there are no values.
func (p AlertProps) hidden() string {
	if p.Alert.PausedWhy == "owner_left" {
		return "alerts.hidden_left"
	}
	return "alerts.hidden"
}

// groups are those of the alert; what fires and nobody has seen to comes first.
func (p AlertProps) groups() []alerts.Group {
	list := slices.Clone(p.Alert.States)
	rank := func(g alerts.Group) int {
		switch {
		case g.Waits():
			return 0
		case g.State == alerts.Firing:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b alerts.Group) int { return rank(a) - rank(b) })
	return list
}

// acknowledgeAll is the button for all groups at once, where there are several.
func (p AlertProps) acknowledgeAll() templ.Component {
	if n := len(p.Alert.States); n < 2 || !p.groups()[1].Waits() {
		return nil
	}
	return alertAcknowledgeAll(p)
}

// acknowledgeTitle says of which group a button is.
func acknowledgeTitle(ctx context.Context, g alerts.Group) string {
	if len(g.Labels) == 0 {
		return ""
	}
	return messages.T(ctx, "alerts.acknowledge_of", "Group", strings.Join(g.Labels, ", "))
}

// expected is what a value was held against.
func (p AlertProps) expected(low, high float64) string {
	if math.IsNaN(low) || low == high {
		return p.value(low)
	}
	return p.value(low) + " – " + p.value(high)
}

func (p AlertProps) period(at time.Time) string {
	if at.IsZero() || p.Alert.Condition.Kind == alerts.Stale {
		return ""
	}
	return p.Locale.Bucket(at, locale.Grain(p.Alert.Watch.Grain), true)
}

// event is a line of the history in words.
func (p AlertProps) event(ctx context.Context, e alerts.Event) string {
	what := strings.Join(e.Labels, ", ")
	if what != "" {
		what += ": "
	}
	switch e.Kind {
	case "state":
		text := what + messages.T(ctx, "alerts.state_"+string(e.To))
		if !math.IsNaN(e.Value) {
			text += " · " + p.value(e.Value)
		}
		if e.Text != "" {
			text += " · " + e.Text
		}
		return text
	case "snoozed":
		until, err := time.Parse(time.RFC3339, e.Text)
		if err != nil {
			return messages.T(ctx, "alerts.event_woken")
		}
		return messages.T(ctx, "alerts.event_snoozed", "Until", p.moment(until))
	case "paused":
		if e.Text != "" {
			return messages.T(ctx, "alerts.event_paused") + ". " + e.Text
		}
	}
	return what + messages.T(ctx, "alerts.event_"+e.Kind)
}

func toldTag(ctx context.Context, t alerts.Told) ui.TagProps {
	switch t.State {
	case "sent", "told":
		return ui.TagProps{Label: messages.T(ctx, "alerts.told_"+t.State), Icon: "check", Tone: ui.Positive}
	case "failed":
		return ui.TagProps{Label: messages.T(ctx, "alerts.told_failed"), Icon: "x", Tone: ui.Negative}
	}
	return ui.TagProps{Label: messages.T(ctx, "alerts.told_due"), Icon: "clock"}
}

// why says what became of a line of the ledger.
func (p AlertProps) why(ctx context.Context, t alerts.Told) string {
	var parts []string
	switch {
	case t.State == "sent":
		parts = append(parts, messages.T(ctx, "alerts.why_sent", "At", p.moment(t.SentAt), "Answer", t.Answer))
	case t.State == "told":
		parts = append(parts, messages.T(ctx, "alerts.why_told", "At", p.moment(t.CreatedAt)))
	case t.ErrorText != "":
		parts = append(parts, t.ErrorText)
	}
	if t.Resent {
		parts = append(parts, messages.T(ctx, "alerts.why_resent"))
	}
	return strings.Join(parts, " ")
}

// AlertFormProps asks for an alert.
type AlertFormProps struct {
	ID       string             // "" for a new one
	Subject  dashboards.Subject // of a new one
	State    string             // the filters of the link
	Datasets []ui.Option        // to choose from, where nothing is given
	Alert    alerts.NewAlert
	Measure  string // its key
	By       string // key of the dimension
	Members  []reports.Member
	Channels []delivery.Channel
	Errors   map[string]string
	Trial    *AlertTrialProps
	Locale   *locale.Locale
}

func (p AlertFormProps) action() string {
	if p.ID == "" {
		return PathAlerts
	}
	return PathAlert(p.ID)
}

func (p AlertFormProps) measures() []ui.Option {
	var list []ui.Option
	for _, m := range p.Subject.Measures {
		key := m.Key()
		list = append(list, ui.Option{Value: key, Label: m.Label, Selected: key == p.Measure})
	}
	return list
}

func (p AlertFormProps) dimensions(ctx context.Context) []ui.Option {
	list := []ui.Option{{Value: "", Label: messages.T(ctx, "alerts.by_none")}}
	for _, d := range p.Subject.Dimensions {
		key := d.Key()
		list = append(list, ui.Option{Value: key, Label: d.Label, Selected: key == p.By})
	}
	return list
}

func choices(ctx context.Context, prefix, now string, values ...string) []ui.Option {
	var list []ui.Option
	for _, v := range values {
		list = append(list, ui.Option{Value: v, Label: messages.T(ctx, prefix+v), Selected: v == now})
	}
	return list
}

// AlertGrains are the periods that a subject can be watched by.
func AlertGrains(s *dashboards.Subject) []string {
	grains := []string{"hour", "day", "week", "month"}
	if s.Days {
		return grains[1:]
	}
	return grains
}

func (p AlertFormProps) grains(ctx context.Context) []ui.Option {
	return choices(ctx, "alerts.grain_", p.Alert.Watch.Grain, AlertGrains(&p.Subject)...)
}

func (p AlertFormProps) kinds(ctx context.Context) []ui.Option {
	kinds := []string{string(alerts.Threshold)}
	if p.Alert.Watch.Time != "" {
		kinds = append(kinds, string(alerts.Change), string(alerts.Anomaly))
	}
	return choices(ctx, "alerts.kind_", string(p.Alert.Condition.Kind), append(kinds, string(alerts.Stale))...)
}

func (p AlertFormProps) sides(ctx context.Context) []ui.Option {
	return choices(ctx, "alerts.side_", string(p.Alert.Condition.Side), "above", "below", "outside")
}

func (p AlertFormProps) bands(ctx context.Context) []ui.Option {
	return choices(ctx, "alerts.band_", strconv.Itoa(p.Alert.Condition.Band), "95", "80")
}

// AlertEvery are the minutes after which an alert can be evaluated anew; 0 for with
// the data only.
var AlertEvery = []string{"0", "5", "15", "60", "1440"}

func (p AlertFormProps) everys(ctx context.Context) []ui.Option {
	return choices(ctx, "alerts.every_", strconv.Itoa(p.Alert.Manner.EveryMinutes), AlertEvery...)
}

// shown is a number of the condition as it is typed: a percent as 5, not 0.05.
func (p AlertFormProps) shown(v float64) string {
	switch c := p.Alert.Condition; {
	case c.Kind == alerts.Change || c.Kind == alerts.Threshold && p.Alert.Watch.Format.Style == "percent":
		v *= 100
	case c.Kind == alerts.Stale:
		v /= 60
	}
	return p.Locale.Plain(math.Round(v*1e9) / 1e9)
}

func (p AlertFormProps) recover() string {
	if r := p.Alert.Condition.Recover; r != nil {
		return p.shown(*r)
	}
	return ""
}

func minutes(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// mute is the first muted time, as the form has it.
func (p AlertFormProps) mute() (days, from, to string) {
	if len(p.Alert.Manner.Mutes) == 0 {
		return "", "22:00", "07:00"
	}
	return muteParts(p.Alert.Manner.Mutes[0])
}

func muteParts(m alerts.Mute) (days, from, to string) {
	clock := func(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60%24, minute%60) }
	switch {
	case len(m.Days) == 7:
		days = "daily"
	case slices.Equal(m.Days, []int{6, 7}):
		days = "weekend"
	default:
		days = "weekdays"
	}
	return days, clock(m.From), clock(m.To)
}

// quiet says when nobody is told.
func (p AlertProps) quiet(ctx context.Context) []string {
	var list []string
	for _, m := range p.Alert.Manner.Mutes {
		days, from, to := muteParts(m)
		list = append(list, messages.T(ctx, "alerts.quiet", "Days", messages.T(ctx, "alerts.mute_"+days), "From", from, "To", to, "Zone", p.Alert.Manner.Zone))
	}
	return list
}

func (p AlertFormProps) mutes(ctx context.Context) []ui.Option {
	days, _, _ := p.mute()
	return append([]ui.Option{{Value: "", Label: messages.T(ctx, "alerts.mute_none")}}, choices(ctx, "alerts.mute_", days, "daily", "weekdays", "weekend")...)
}

func (p AlertFormProps) muteAt(end bool) string {
	_, from, to := p.mute()
	if end {
		return to
	}
	return from
}

func (p AlertFormProps) takers() []delivery.Channel {
	var list []delivery.Channel
	for _, c := range p.Channels {
		if c.Kind.TakesAlerts() {
			list = append(list, c)
		}
	}
	return list
}

func isIn[T comparable](list []T, one T) bool { return slices.Contains(list, one) }

func userBox(ctx context.Context, prefix, name string, m reports.Member, list []ids.User) ui.CheckProps {
	return ui.CheckProps{ID: prefix + m.ID.String(), Name: name, Value: m.ID.String(), Label: m.Name, Hint: m.Email, Checked: isIn(list, m.ID)}
}

func channelBox(ctx context.Context, prefix, name string, c delivery.Channel, list []ids.Channel) ui.CheckProps {
	return ui.CheckProps{ID: prefix + c.ID.String(), Name: name, Value: c.ID.String(), Label: c.Name, Hint: messages.T(ctx, "channels.kind_"+string(c.Kind)) + " · " + c.Shown, Checked: isIn(list, c.ID)}
}

// AlertTrialProps is what an alert would have done.
type AlertTrialProps struct {
	Trial  *alerts.Trial
	Watch  alerts.Watch
	Cond   alerts.Condition
	Error  string
	Locale *locale.Locale
}

func (p AlertTrialProps) sentence(ctx context.Context) string {
	return messages.T(ctx, "alerts.trial", "Count", p.Trial.Fired, "Days", p.Trial.Days)
}

// mostSpells is how many of the times that a group would have fired are listed.
const mostSpells = 12

// spells are the times that a group would have fired, newest first; the last line
// says of how many earlier ones there is no room.
func (p AlertTrialProps) spells(ctx context.Context, s alerts.TrialSeries) []string {
	var list []string
	for _, f := range slices.Backward(s.Fired) {
		grain := locale.Grain(p.Watch.Grain)
		if p.Cond.Kind == alerts.Stale {
			grain = locale.Hour
		}
		text := p.Locale.Bucket(s.At[f.From], grain, true)
		if f.To > f.From {
			text += " – " + p.Locale.Bucket(s.At[f.To], grain, true)
		}
		list = append(list, text+": "+alertValue(p.Locale, &p.Watch, &p.Cond, s.Values[f.From]))
		if len(list) == mostSpells {
			break
		}
	}
	if more := len(s.Fired) - len(list); more > 0 {
		list = append(list, messages.T(ctx, "alerts.more_spells", "Count", more))
	}
	return list
}

// course draws a group of a trial: values, what they were held against, and the
// times at which it fired. The picture is stretched to the room there is, in
// hundredths of it; what must keep its size (lines, dots, words) does. Colours are
// CSS variables.
func (p AlertTrialProps) course(ctx context.Context, s alerts.TrialSeries) templ.Component {
	low, high := math.Inf(1), math.Inf(-1)
	for _, list := range [][]float64{s.Values, s.Low, s.High} {
		for _, v := range list {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if len(s.At) == 0 || low > high {
		return templ.NopComponent
	}
	if low > 0 && low < high*0.7 || low == high && low > 0 {
		low = 0
	}
	if low == high {
		high = low + 1
	}
	every := charts.NiceStep((high - low) / 4)
	low, high = math.Floor(low/every)*every, math.Ceil(high/every)*every
	n := len(s.At)
	step := 100 / float64(max(n-1, 1))
	x := func(i int) float64 { return float64(i) * step }
	y := func(v float64) float64 { return (high - v) / (high - low) * 100 }

	var picture, words strings.Builder
	for _, f := range s.Fired {
		from, to := max(0, x(f.From)-step/2), min(100, x(f.To)+step/2)
		fmt.Fprintf(&picture, `<rect class="alert-spell" x="%.2f" y="0" width="%.2f" height="100"/>`, from, max(to-from, 0.5))
	}
	widest := 0
	for i := range int(math.Round((high-low)/every)) + 1 {
		v := low + every*float64(i)
		label := alertValue(p.Locale, &p.Watch, &p.Cond, v)
		widest = max(widest, utf8.RuneCountInString(label))
		fmt.Fprintf(&picture, `<path class="alert-grid" d="M0 %.2fH100"/>`, y(v))
		fmt.Fprintf(&words, `<span class="alert-y" style="top:%.2f%%">%s</span>`, y(v), templ.EscapeString(label))
	}
	line := func(class string, values []float64) {
		open := false
		var d strings.Builder
		for i, v := range values {
			if math.IsNaN(v) {
				open = false
				continue
			}
			fmt.Fprintf(&d, "%s%.2f %.2f", map[bool]string{true: "L", false: "M"}[open], x(i), y(v))
			open = true
		}
		fmt.Fprintf(&picture, `<path class="%s" d="%s"/>`, class, d.String())
	}
	if p.Cond.Kind == alerts.Anomaly {
		for i := 1; i < n; i++ {
			if math.IsNaN(s.Low[i-1]) || math.IsNaN(s.Low[i]) {
				continue
			}
			fmt.Fprintf(&picture, `<path class="alert-band" d="M%.2f %.2fL%.2f %.2fL%.2f %.2fL%.2f %.2fZ"/>`, x(i-1), y(s.Low[i-1]), x(i), y(s.Low[i]), x(i), y(s.High[i]), x(i-1), y(s.High[i-1]))
		}
	} else {
		line("alert-line", s.High)
	}
	line("alert-values", s.Values)
	for _, f := range s.Fired {
		if v := s.Values[f.From]; !math.IsNaN(v) {
			// Lines without length, whose round ends are dots.
			for _, class := range []string{"alert-mark-edge", "alert-mark"} {
				fmt.Fprintf(&picture, `<path class="%s" d="M%.2f %.2fh0"/>`, class, x(f.From), y(v))
			}
		}
	}
	grain := locale.Grain(p.Watch.Grain)
	if p.Cond.Kind == alerts.Stale {
		grain = locale.Day
	}
	for i, place := range []int{0, n / 2, n - 1} {
		if i > 0 && n < 3 && i < 2 {
			continue
		}
		fmt.Fprintf(&words, `<span class="alert-x alert-x-%s" style="left:%.2f%%">%s</span>`, []string{"start", "middle", "end"}[i], x(place), templ.EscapeString(p.Locale.Bucket(s.At[place], grain, false)))
	}
	return templ.Raw(fmt.Sprintf(`<div class="alert-course" role="img" aria-label="%s" style="--axis:%dch"><div class="alert-plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none">%s</svg>%s</div></div>`,
		templ.EscapeString(p.sentence(ctx)), widest, picture.String(), words.String()))
}

func alertFormTitle(ctx context.Context, p AlertFormProps) string {
	if p.ID == "" {
		return messages.T(ctx, "alerts.new")
	}
	return messages.T(ctx, "alerts.edit")
}
