package views

import (
	"context"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// CommentsID is where the panel of comments is put.
const CommentsID = "comments"

// PathComments is the panel of a dashboard's comments, and takes new threads.
func PathComments(dashboard string) string { return PathDashboard(dashboard) + "/comments" }

// CommentsProps is the panel of one place.
type CommentsProps struct {
	Dashboard string
	Widget    string // "" for the whole dashboard
	Title     string // of the widget
	Link      string // the choices of the page, which a new thread keeps
	Resolved  bool   // those are shown
	Threads   []comments.Thread
	Now       time.Time // in the person's zone
	Locale    *locale.Locale
	Said      string // read out once
	Text      string // of a comment that was not taken
	Error     string // why
	In        string // id of the form's text field that Text and Error are of
}

func (p CommentsProps) path(rest string) string { return PathDashboard(p.Dashboard) + rest }

// href is the panel with others of the threads.
func (p CommentsProps) href(widget string, resolved bool) string {
	query := withQuery("", p.Link)
	if query != "" {
		query = query[1:]
	}
	add := func(name, value string) {
		if value == "" {
			return
		}
		if query != "" {
			query += "&"
		}
		query += name + "=" + escapePath(value)
	}
	add("widget", widget)
	if resolved {
		add("show", "resolved")
	}
	return withQuery(PathComments(p.Dashboard), query)
}

func intoComments(href string) templ.Attributes {
	return templ.Attributes{"hx-get": href, "hx-target": "#" + CommentsID, "hx-swap": "innerHTML"}
}

// commentForm has a form answer the panel anew.
func commentForm(action string) templ.Attributes {
	return templ.Attributes{"hx-post": action, "hx-target": "#" + CommentsID, "hx-swap": "innerHTML"}
}

func (p CommentsProps) tabs(ctx context.Context) []ui.Segment {
	return []ui.Segment{
		{Label: messages.T(ctx, "comments.open"), Href: p.href(p.Widget, false), Selected: !p.Resolved, Attrs: intoComments(p.href(p.Widget, false))},
		{Label: messages.T(ctx, "comments.resolved"), Href: p.href(p.Widget, true), Selected: p.Resolved, Attrs: intoComments(p.href(p.Widget, true))},
	}
}

func (p CommentsProps) when(at time.Time) When {
	return When{At: at.In(p.Now.Location()), Now: p.Now, Locale: p.Locale}
}

// field is the text field of a form: what was not taken stays in it.
func (p CommentsProps) field(id, label, value string) ui.InputProps {
	in := ui.InputProps{ID: id, Name: "text", Label: label, Value: value, Rows: 3, Required: true,
		Attrs: templ.Attributes{"maxlength": "4000", "data-mentions": p.path("/comments/people")}}
	if p.In == id {
		in.Value, in.Error = p.Text, p.Error
	}
	return in
}

// where names what a thread is about.
func (p CommentsProps) where(ctx context.Context, t comments.Thread) string {
	switch {
	case t.Widget == "":
		return messages.T(ctx, "comments.whole")
	case t.Title == "":
		return messages.T(ctx, "comments.gone")
	}
	return t.Title
}

func first(t comments.Thread) string {
	if len(t.Comments) == 0 {
		return ""
	}
	return t.Comments[0].Name
}

// CommentMark is the number of open threads of a widget.
type CommentMark struct {
	Widget string // "" for the dashboard itself
	Title  string
	Count  int
}
