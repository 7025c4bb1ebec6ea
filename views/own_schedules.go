package views

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// OwnSchedulesProps is what a visitor of a portal has mailed to themselves.
type OwnSchedulesProps struct {
	List   []reports.Schedule
	Mails  bool // more can be added
	Locale *locale.Locale
}

// OwnScheduleProps asks how often a dashboard is to be mailed.
type OwnScheduleProps struct {
	Form   reports.OwnForm
	Name   string // of the dashboard, as the portal calls it
	Email  string // where it goes
	Zones  []ui.Option
	Locale *locale.Locale
	Errors map[string]string
}

// clock is a time of day as people write it.
func clock(l *locale.Locale, hour, minute int) string {
	return l.Time(time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC))
}

// oftenText is one of reports.Often in words.
func oftenText(ctx context.Context, often string) string {
	return messages.T(ctx, "own.often_"+strings.ReplaceAll(often, " ", "_"))
}

func (p OwnScheduleProps) often(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, o := range reports.Often {
		options = append(options, ui.Option{Value: o, Label: oftenText(ctx, o), Selected: o == p.Form.Often})
	}
	return options
}

func (p OwnScheduleProps) hours() []ui.Option {
	options := make([]ui.Option, 24)
	for hour := range options {
		options[hour] = ui.Option{Value: fmt.Sprint(hour), Label: clock(p.Locale, hour, 0), Selected: hour == p.Form.Hour}
	}
	return options
}

func (p OwnScheduleProps) formats(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, f := range []reports.Format{reports.PDF, reports.CSV} {
		options = append(options, ui.Option{Value: string(f), Label: messages.T(ctx, "reports.format_"+string(f)), Selected: f == p.Form.Format})
	}
	return options
}

// when says how often, at what time and where.
func (p OwnSchedulesProps) when(ctx context.Context, s reports.Schedule) string {
	often, at, _ := strings.Cut(s.When, " at ")
	var hour, minute int
	if _, err := fmt.Sscanf(at, "%d:%d", &hour, &minute); err != nil {
		return s.When
	}
	return messages.T(ctx, "own.when", "Often", oftenText(ctx, often), "Time", clock(p.Locale, hour, minute), "Zone", strings.ReplaceAll(s.Zone, "_", " "))
}

// state says when it comes next, or why it does not.
func (p OwnSchedulesProps) state(ctx context.Context, s reports.Schedule) string {
	switch {
	case s.PausedWhy == "person" && s.PausedByMember:
		return messages.T(ctx, "own.paused_for_you")
	case s.PausedWhy == "person" && len(s.Recipients) > 0 && s.Recipients[0].Unsubscribed:
		return messages.T(ctx, "own.paused_unsubscribed")
	case s.PausedWhy != "":
		return messages.T(ctx, "own.paused_"+s.PausedWhy)
	case s.Next.IsZero():
		return ""
	}
	at := s.Next
	if zone, err := time.LoadLocation(s.Zone); err == nil {
		at = at.In(zone)
	}
	return messages.T(ctx, "own.next", "At", p.Locale.Weekday(isoWeekday(at))+" "+p.Locale.DateTime(at))
}

// result is how it went last; what there is to mend is nothing of the visitor's.
func (p OwnSchedulesProps) result(ctx context.Context, s reports.Schedule) ui.TagProps {
	if !s.PausedAt.IsZero() {
		return ui.TagProps{Label: messages.T(ctx, "schedules.paused"), Icon: "pause"}
	}
	if len(s.Runs) == 0 {
		return ui.TagProps{Label: messages.T(ctx, "schedules.never")}
	}
	tag := resultOf(ctx, s.Runs[0])
	tag.Title = ""
	return tag
}

func (p OwnSchedulesProps) noneText(ctx context.Context) string {
	if !p.Mails {
		return messages.T(ctx, "own.none_off")
	}
	return messages.T(ctx, "own.none_text")
}
