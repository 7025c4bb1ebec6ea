package views

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of scheduled reports.
const (
	PathSchedules   = "/schedules"
	PathNewSchedule = PathSchedules + "/new" // ?dashboard=, filters
)

// PathSchedule is one of them; POST changes it.
func PathSchedule(id string) string { return PathSchedules + "/" + id }

func pathEditSchedule(id string) string { return PathSchedule(id) + "/edit" }

// pathScheduleDocument is the document that the picture is of.
func pathScheduleDocument(id string) string { return PathSchedule(id) + "/document" }

// pathSchedulePreview is the picture of what the person was sent last. The query
// says which document that is, so that no browser shows the picture of another.
func pathSchedulePreview(s reports.Schedule) string {
	return PathSchedule(s.ID.String()) + "/preview?of=" + s.PreviewSum
}

// pageLabel says which page of a document is shown, and on which paper.
func pageLabel(ctx context.Context, p reports.Pages, page, pages string) string {
	paper := "reports.paper_" + orElse(string(p.Paper), string(reports.A4))
	if p.Landscape {
		paper += "_landscape"
	}
	return messages.T(ctx, "schedules.page", "Page", page, "Pages", pages, "Paper", messages.T(ctx, paper))
}

// sheetSize is the shape of a sheet, in millimetres.
func sheetSize(p reports.Pages) string {
	width, height := reports.Spec{Paper: p.Paper, Landscape: p.Landscape}.Size()
	return fmt.Sprintf("--sheet-w:%g;--sheet-h:%g", width, height)
}

// pathScheduleAct is POST: send, test, pause, resume, delete.
func pathScheduleAct(id, act string) string { return PathSchedule(id) + "/" + act }

func pathScheduleFor(dashboard, filters string) string {
	path := PathNewSchedule + "?dashboard=" + dashboard
	if filters != "" {
		path += "&" + filters
	}
	return path
}

// SchedulesProps is the page of scheduled reports.
type SchedulesProps struct {
	List   []reports.Schedule
	Chosen *reports.Schedule // beside the list; nil for none
	Show   string            // "", "active" or "paused"
	Search string
	// Filters are those of Chosen; nil where its dashboard can't be opened.
	Filters []ShownFilter
	Zone    *time.Location // of the viewer
	Zones   map[string]string
	Locale  *locale.Locale
}

func (p SchedulesProps) isChosen(s reports.Schedule) bool {
	return p.Chosen != nil && p.Chosen.ID == s.ID
}

// title is the schedule that is shown beside the list, or the list.
func (p SchedulesProps) title(ctx context.Context) string {
	if p.Chosen != nil {
		return p.Chosen.Name
	}
	return messages.T(ctx, "schedules.title")
}

func (p SchedulesProps) within(ctx context.Context) string {
	if p.Chosen != nil {
		return messages.T(ctx, "schedules.title")
	}
	return ""
}

// path is where the page is.
func (p SchedulesProps) path() string {
	path := PathSchedules
	if p.Chosen != nil {
		path = PathSchedule(p.Chosen.ID.String())
	}
	return withQuery(path, url.Values{"show": {p.Show}, "q": {p.Search}}.Encode())
}

// running tells whether something on the page is about to change: a report is
// made or sent, and nothing is in its way.
func (p SchedulesProps) running() bool {
	list := p.List
	if p.Chosen != nil {
		list = append(slices.Clip(list), *p.Chosen)
	}
	return slices.ContainsFunc(list, func(s reports.Schedule) bool {
		return len(s.Runs) > 0 && (s.Runs[0].State == reports.RunDue || s.Runs[0].State == reports.RunSending && waiting(s.Runs[0]) == "")
	})
}

func (p SchedulesProps) segments(ctx context.Context) []ui.Segment {
	var list []ui.Segment
	for _, show := range []string{"", "active", "paused"} {
		list = append(list, ui.Segment{Label: messages.T(ctx, "schedules.show_"+orElse(show, "all")), Value: show, Href: withQuery(PathSchedules, "show="+show), Selected: show == p.Show})
	}
	return list
}

// when is a schedule's rule in words where it has some, else as it was written.
func (p SchedulesProps) when(ctx context.Context, s reports.Schedule) string {
	if s.OnData {
		return messages.T(ctx, "schedules.on_data")
	}
	rule := reports.InWords(s.When)
	first, n := utf8.DecodeRuneInString(rule)
	text := string(unicode.ToUpper(first)) + rule[n:]
	if s.Zone != "" && s.Zone != p.Zone.String() {
		text += " (" + strings.ReplaceAll(s.Zone, "_", " ") + ")"
	}
	return text
}

// timeTied is a rule whose time of day does not stand alone on its line.
func timeTied(rule string) string { return strings.ReplaceAll(rule, " at ", " at\u00a0") }

// next is the next run on the viewer's clock.
func (p SchedulesProps) next(ctx context.Context, s reports.Schedule) string {
	switch {
	case s.PausedWhy == "person" && !s.PausedByMember && !s.OwnerVisitor.IsZero() && len(s.Recipients) > 0 && s.Recipients[0].Unsubscribed:
		return messages.T(ctx, "schedules.paused_unsubscribed", "Name", s.OwnerName)
	case s.PausedWhy == "person" && s.PausedByMember && !s.OwnerVisitor.IsZero():
		return messages.T(ctx, "schedules.paused_for_visitor", "Name", s.PausedBy)
	case s.PausedWhy == "person" && !s.PausedByMember && !s.OwnerVisitor.IsZero():
		return messages.T(ctx, "schedules.paused_by", "Name", s.OwnerName)
	case s.PausedWhy == "person":
		return messages.T(ctx, "schedules.paused_by", "Name", s.PausedBy)
	case s.PausedWhy != "" && !s.OwnerVisitor.IsZero():
		return messages.T(ctx, "schedules.visitors_paused_"+s.PausedWhy, "Name", s.OwnerName)
	case s.PausedWhy != "":
		return messages.T(ctx, "schedules.paused_"+s.PausedWhy, "Name", s.OwnerName)
	case s.OnData:
		return messages.T(ctx, "schedules.next_data")
	case s.Next.IsZero():
		return ""
	}
	return p.soon(s.Next)
}

// nextShort is next for a cell of the list: why one is paused in a few words.
func (p SchedulesProps) nextShort(ctx context.Context, s reports.Schedule) string {
	switch {
	case s.PausedWhy == "person" && !s.PausedByMember && !s.OwnerVisitor.IsZero():
		return messages.T(ctx, "schedules.paused_by", "Name", s.OwnerName)
	case s.PausedWhy == "person":
		return messages.T(ctx, "schedules.paused_by", "Name", s.PausedBy)
	case s.PausedWhy == "owner_left" && !s.OwnerVisitor.IsZero():
		return messages.T(ctx, "schedules.short_visitor_blocked")
	case s.PausedWhy != "":
		return messages.T(ctx, "schedules.short_"+s.PausedWhy)
	}
	return p.next(ctx, s)
}

// soon is a moment to come. Its year goes without saying where it is the next of
// that day.
func (p SchedulesProps) soon(t time.Time) string {
	if time.Until(t) > 300*24*time.Hour {
		return p.moment(t)
	}
	t = t.In(p.Zone)
	return p.Locale.Weekday(isoWeekday(t)) + " " + p.Locale.ShortDate(t) + ", " + p.Locale.Time(t)
}

// scrolled makes a list that is longer than its box reachable by keyboard: who
// has no mouse scrolls what has the focus.
func scrolled(n int, label string) templ.Attributes {
	if n < 5 {
		return nil
	}
	return templ.Attributes{"tabindex": "0", "role": "list", "aria-label": label}
}

// moment is a time on the viewer's clock, with its day.
func (p SchedulesProps) moment(at time.Time) string {
	at = at.In(p.Zone)
	return p.Locale.Weekday(isoWeekday(at)) + " " + p.Locale.DateTime(at)
}

// isoWeekday is 1 for Monday to 7 for Sunday.
func isoWeekday(at time.Time) int { return (int(at.Weekday())+6)%7 + 1 }

// result is how the last run went, in a word or two.
func (p SchedulesProps) result(ctx context.Context, s reports.Schedule) ui.TagProps {
	if !s.PausedAt.IsZero() {
		return ui.TagProps{Label: messages.T(ctx, "schedules.paused"), Icon: "pause"}
	}
	if len(s.Runs) == 0 {
		return ui.TagProps{Label: messages.T(ctx, "schedules.never")}
	}
	return resultOf(ctx, s.Runs[0])
}

func resultOf(ctx context.Context, r reports.ScheduleRun) ui.TagProps {
	counts := map[reports.LineState]int{}
	for _, l := range r.Lines {
		counts[l.State]++
	}
	bad := counts[reports.LineFailed] + counts[reports.LineBounced] + counts[reports.LineUnknown]
	good := counts[reports.LineSent] + counts[reports.LineKept]
	switch {
	case (r.State == reports.RunDue || r.State == reports.RunSending) && waiting(r) != "":
		return ui.TagProps{Label: messages.T(ctx, "schedules.delayed"), Icon: "triangle-alert", Tone: ui.Warning}
	case r.State == reports.RunDue || r.State == reports.RunSending:
		return ui.TagProps{Label: messages.T(ctx, "schedules.running"), Icon: "clock"}
	case r.State == reports.RunFailed || bad > 0 && good == 0 && bad == counts[reports.LineFailed]:
		return ui.TagProps{Label: messages.T(ctx, "schedules.failed"), Icon: "x", Tone: ui.Negative, Title: r.ErrorText}
	case bad > 0 && bad == counts[reports.LineUnknown]:
		return ui.TagProps{Label: messages.T(ctx, "schedules.some_unknown", "Count", bad), Icon: "circle-help", Tone: ui.Warning}
	case bad > 0:
		bad -= counts[reports.LineUnknown]
		return ui.TagProps{Label: messages.T(ctx, "schedules.some_bad", "Count", bad), Icon: "triangle-alert", Tone: ui.Warning}
	case good == 0:
		return ui.TagProps{Label: messages.T(ctx, "schedules.nothing"), Icon: "minus"}
	}
	if counts[reports.LineKept] == good {
		return ui.TagProps{Label: messages.T(ctx, "schedules.line_kept"), Icon: "mail"}
	}
	if l := incomplete(r); l != nil {
		return ui.TagProps{Label: messages.T(ctx, "schedules.delivered_in_part"), Icon: "triangle-alert", Tone: ui.Warning, Title: undrawn(ctx, *l)}
	}
	return ui.TagProps{Label: messages.T(ctx, "schedules.delivered"), Icon: "check", Tone: ui.Positive}
}

// incomplete is a line of which the file shows widgets as failed; nil where there is none.
func incomplete(r reports.ScheduleRun) *reports.Line {
	if i := slices.IndexFunc(r.Lines, func(l reports.Line) bool { return l.Stated.FailedWidgets > 0 }); i >= 0 {
		return &r.Lines[i]
	}
	return nil
}

// undrawn says how many widgets of a line's file failed.
func undrawn(ctx context.Context, l reports.Line) string {
	return messages.T(ctx, "schedules.why_undrawn", "Count", l.Stated.FailedWidgets, "All", l.Stated.Widgets)
}

func lineTag(ctx context.Context, l reports.Line) ui.TagProps {
	tag := ui.TagProps{Label: messages.T(ctx, "schedules.line_"+string(l.State)), Icon: "clock"}
	switch l.State {
	case reports.LineSent, reports.LineKept:
		tag.Icon, tag.Tone = "check", ui.Positive
		if !l.OpenedAt.IsZero() {
			tag.Label, tag.Icon = messages.T(ctx, "schedules.line_opened"), "mail-check"
		}
	case reports.LineUnknown:
		tag.Icon, tag.Tone = "circle-help", ui.Warning
	case reports.LineBounced, reports.LineFailed:
		tag.Icon, tag.Tone = "x", ui.Negative
	case reports.LineSkipped:
		tag.Icon = "minus"
	}
	return tag
}

// by says in a key who took a report: a mail server where it says nothing.
func by(kind delivery.ChannelKind) string {
	switch kind {
	case "":
		return ""
	case delivery.S3, delivery.SFTP:
		return "_folder"
	case delivery.Webhook, delivery.Slack:
		return "_" + string(kind)
	}
	return "_channel"
}

// unsure tells whether nobody knows what became of mails of a run, and nothing
// worse happened to it.
func unsure(r reports.ScheduleRun) bool {
	return r.State != reports.RunFailed && !slices.ContainsFunc(r.Lines, func(l reports.Line) bool { return l.Bad() && l.State != reports.LineUnknown })
}

// why says what became of a line, in plain words.
func (p SchedulesProps) why(ctx context.Context, l reports.Line) string {
	var parts []string
	switch l.State {
	case reports.LineSent:
		if l.Answer != "" { // none of a line that was unknown until somebody opened it
			parts = append(parts, messages.T(ctx, "schedules.why_sent"+by(l.Channel), "At", p.Locale.DateTime(l.SentAt.In(p.Zone)), "Answer", l.Answer))
		}
	case reports.LineKept:
		parts = append(parts, messages.T(ctx, "schedules.why_kept"))
	case reports.LineDue:
		if l.ErrorText == "" {
			parts = append(parts, messages.T(ctx, "schedules.why_due"))
		} else {
			parts = append(parts, delivery.Stopped(l.ErrorText), messages.T(ctx, "schedules.why_due_again"))
		}
	case reports.LineRendered:
		if l.ErrorText == "" {
			key := "schedules.why_rendered"
			if l.Channel != "" {
				key += "_channel"
			}
			parts = append(parts, messages.T(ctx, key))
		} else {
			parts = append(parts, delivery.Stopped(l.ErrorText), messages.T(ctx, "schedules.why_again", "Count", l.Attempts))
		}
	default:
		parts = append(parts, delivery.Stopped(l.ErrorText))
	}
	if l.Stated.FailedWidgets > 0 {
		parts = append(parts, undrawn(ctx, l))
	}
	if l.Resent {
		parts = append(parts, messages.T(ctx, "schedules.why_resent"))
	}
	if !l.OpenedAt.IsZero() {
		parts = append(parts, messages.T(ctx, "schedules.why_opened", "At", p.Locale.DateTime(l.OpenedAt.In(p.Zone))))
	}
	return strings.Join(parts, " ")
}

// size is that of the file, with its rows.
func (p SchedulesProps) size(r reports.ScheduleRun) string {
	for _, l := range r.Lines {
		if l.Stated.Bytes > 0 {
			return p.Locale.FileSize(l.Stated.Bytes)
		}
	}
	return ""
}

// reason is why a run went wrong: its own, or that of its first bad line; empty
// where it did not.
func reason(r reports.ScheduleRun) string {
	if r.ErrorText != "" {
		return r.ErrorText
	}
	return lineText(r, reports.Line.Bad)
}

// waiting is why mail of a run has not left yet; empty where nothing is in its way.
func waiting(r reports.ScheduleRun) string { return lineText(r, reports.Line.Waits) }

// waits is the key of what a run waits for.
func waits(r reports.ScheduleRun) string {
	for _, l := range r.Lines {
		switch {
		case l.Waits() && l.State == reports.LineDue:
			return "schedules.waits_file"
		case l.Waits() && l.Channel == "":
			return "schedules.waits"
		}
	}
	return "schedules.waits_channel"
}

// lineText is what is said of the lines of a kind.
func lineText(r reports.ScheduleRun, is func(reports.Line) bool) string {
	var lines []delivery.TroubleLine
	for _, l := range r.Lines {
		if is(l) {
			lines = append(lines, delivery.TroubleLine{Address: l.Address, Text: l.ErrorText})
		}
	}
	return delivery.Gist(lines)
}

// ScheduleFormProps asks for a schedule.
type ScheduleFormProps struct {
	ID         string // "" for a new one
	Dashboard  string
	Dashboards []ui.Option // to choose from; none where it is given
	Form       reports.ScheduleForm
	Addresses  string // one a line
	Members    []reports.Member
	Visitors   []ui.CheckProps // of portals
	Groups     []ui.CheckProps // of such visitors
	Names      bool            // visitors and groups can be named
	Outside    bool            // the person may send outside of the workspace
	Channels   []delivery.Channel
	Zones      []ui.Option
	Errors     map[string]string
	Filters    []ShownFilter      // of the dashboard, with what is chosen; none where it is chosen here
	Others     []reports.Schedule // of the dashboard, that could have the filters
}

// ShownFilter is a filter with what is chosen, in words.
type ShownFilter struct {
	Label, Text string
	Chosen      bool // something is
}

// ShownFilters are the filters of a dashboard, its dates first.
func ShownFilters(ctx context.Context, v *dashboards.View) []ShownFilter {
	list := []ShownFilter{}
	if v.HasDates {
		text, _ := DashboardProps{View: v, Locale: v.Locale()}.rangeText(ctx)
		if v.Range.Kind == "last" {
			text = messages.T(ctx, "dashboard.range_last", "Count", v.Range.N)
		}
		for _, o := range namedRanges(ctx, true) {
			if o.Value == v.Range.String() {
				text = o.Label
			}
		}
		list = append(list, ShownFilter{Label: messages.T(ctx, "dashboard.dates"), Text: text, Chosen: true})
	}
	for _, c := range v.Controls {
		shown := ShownFilter{Label: c.Label, Text: shownSummary(ctx, c), Chosen: c.Summary != "" || len(c.Values) > 0}
		if len(c.Values) > 0 {
			shown.Text = printedValues(ctx, c.Values)
		}
		list = append(list, shown)
	}
	for _, x := range v.Cross {
		list = append(list, ShownFilter{Label: x.Field, Text: x.Text, Chosen: true})
	}
	return list
}

// pathEditFiltered is the form of a schedule with other filters in it.
func pathEditFiltered(id, filters string) string {
	return pathEditSchedule(id) + "?" + url.Values{"filters": {filters}}.Encode()
}

func (p ScheduleFormProps) action() string {
	if p.ID == "" {
		return PathSchedules
	}
	return PathSchedule(p.ID)
}

func (p ScheduleFormProps) formats(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, f := range []reports.Format{reports.PDF, reports.XLSX, reports.CSV} {
		options = append(options, ui.Option{Value: string(f), Label: messages.T(ctx, "reports.format_"+string(f)), Selected: f == p.Form.Spec.Format})
	}
	return options
}

func (p ScheduleFormProps) papers(ctx context.Context) []ui.Option {
	s := p.Form.Spec
	return []ui.Option{
		{Value: "a4", Label: messages.T(ctx, "reports.paper_a4"), Selected: s.Paper != reports.Letter && !s.Landscape},
		{Value: "a4 landscape", Label: messages.T(ctx, "reports.paper_a4_landscape"), Selected: s.Paper != reports.Letter && s.Landscape},
		{Value: "letter", Label: messages.T(ctx, "reports.paper_letter"), Selected: s.Paper == reports.Letter && !s.Landscape},
		{Value: "letter landscape", Label: messages.T(ctx, "reports.paper_letter_landscape"), Selected: s.Paper == reports.Letter && s.Landscape},
	}
}

func (p ScheduleFormProps) triggers(ctx context.Context) []ui.Option {
	return []ui.Option{
		{Value: "clock", Label: messages.T(ctx, "schedules.trigger_clock"), Selected: !p.Form.OnData},
		{Value: "data", Label: messages.T(ctx, "schedules.trigger_data"), Selected: p.Form.OnData},
	}
}

func (p ScheduleFormProps) limits(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, mb := range []int64{1, 5, 10, 20} {
		options = append(options, ui.Option{Value: strconv.FormatInt(mb<<20, 10), Label: messages.T(ctx, "schedules.megabytes", "Size", mb), Selected: p.Form.LinkAbove == mb<<20})
	}
	return options
}

func (p ScheduleFormProps) picked(m reports.Member) bool {
	for _, id := range p.Form.Users {
		if id == m.ID {
			return true
		}
	}
	return false
}

// outside says what a recipient is who is no member.
func (p SchedulesProps) outside(ctx context.Context, r reports.ScheduleRecipient) string {
	if !r.Group.IsZero() {
		return messages.T(ctx, "schedules.group_of", "Portal", r.Portal)
	}
	if r.Portal == "" {
		return "" // they are gone
	}
	return messages.T(ctx, "schedules.visitor_of", "Portal", r.Portal)
}

// group is the box of a group of visitors.
func (p ScheduleFormProps) group(ctx context.Context, box ui.CheckProps) ui.CheckProps {
	box.Hint = messages.T(ctx, "schedules.group_of", "Portal", box.Hint)
	return box
}
