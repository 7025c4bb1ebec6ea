package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/comments"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// commentPages are what people say about a dashboard: a panel at its side, and
// a page without scripts.
type commentPages struct{ *core }

func (h commentPages) routes(r chi.Router) {
	r.Get("/dashboards/{id}/comments", handle(h.show))
	r.Post("/dashboards/{id}/comments", handle(h.begin))
	r.Get("/dashboards/{id}/comments/marks", handle(h.marks))
	r.Get("/dashboards/{id}/comments/people", handle(h.people))
	r.Post("/dashboards/{id}/threads/{thread}/replies", handle(h.reply))
	r.Post("/dashboards/{id}/threads/{thread}/resolve", handle(h.resolve))
	r.Post("/dashboards/{id}/comments/{comment}/edit", handle(h.edit))
	r.Post("/dashboards/{id}/comments/{comment}/delete", handle(h.change("comments.said_deleted", h.Comments.Delete)))
	r.Post("/dashboards/{id}/comments/{comment}/restore", handle(h.change("comments.said_restored", h.Comments.Restore)))
}

// show answers the panel of a widget or of the whole dashboard. Its query is
// that of the dashboard, with widget and show.
func (h commentPages) show(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	props := views.CommentsProps{Widget: query.Get("widget"), Resolved: query.Get("show") == "resolved"}
	state, err := dashboards.ParseState(query)
	if err != nil {
		return err
	}
	props.Link = state.Encode()
	return h.panel(w, r, http.StatusOK, props)
}

func (h commentPages) panel(w http.ResponseWriter, r *http.Request, status int, p views.CommentsProps) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	d, err := h.Dashboards.GetWhole(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	widget, known := d.Config.Widgets[p.Widget]
	if p.Widget != "" && !known {
		return dashboards.ErrWidgetNotFound
	}
	p.Threads, err = h.Comments.List(r.Context(), actor(r), comments.Place{Dashboard: id, Widget: p.Widget}, p.Resolved)
	if err != nil {
		return err
	}
	p.Dashboard, p.Title, p.Now, p.Locale = id.String(), widget.Title, time.Now().In(actor(r).Location()), locale.For(actor(r).Locale)
	return renderPage(w, r, status, views.PageProps{Title: messages.T(r.Context(), "comments.title"), Active: views.NavDashboards, Crumbs: []views.Crumb{
		{Label: messages.T(r.Context(), "home.dashboards"), Href: views.PathDashboards},
		{Label: d.Name, Href: views.PathDashboard(id.String())},
	}}, views.CommentsPanel(p))
}

// panelOf is the panel that a form stands in.
func panelOf(r *http.Request) views.CommentsProps {
	return views.CommentsProps{Widget: r.PostFormValue("widget"), Link: r.PostFormValue("link"), Resolved: r.PostFormValue("show") == "resolved"}
}

// done answers the panel after a change; field is the text that it was about.
func (h commentPages) done(w http.ResponseWriter, r *http.Request, said, field string, err error) error {
	p := panelOf(r)
	if public := apperr.Describe(err); err != nil && field != "" && (public.Class == apperr.Invalid || public.Class == apperr.Conflict) {
		p.In, p.Text, p.Error = field, r.PostFormValue("text"), public.Sentence
		return h.panel(w, r, public.Class.Status(), p)
	}
	if err != nil {
		return err
	}
	if isPartial(r) {
		p.Said = messages.T(r.Context(), said)
		return h.panel(w, r, http.StatusOK, p)
	}
	query, err := url.ParseQuery(p.Link)
	if err != nil {
		query = url.Values{}
	}
	query.Set("widget", p.Widget)
	return redirect(w, r, views.PathComments(chi.URLParam(r, "id"))+"?"+query.Encode())
}

func (h commentPages) begin(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	p := panelOf(r)
	err = h.Comments.Begin(r.Context(), actor(r), comments.Place{Dashboard: id, Widget: p.Widget}, p.Link, r.PostFormValue("text"))
	return h.done(w, r, "comments.said_sent", "comment-new", err)
}

func threadOf(r *http.Request) (id ids.Dashboard, thread ids.Thread, err error) {
	if id, err = dashboardID(r); err != nil {
		return id, thread, err
	}
	if thread, err = ids.Parse[ids.Thread](chi.URLParam(r, "thread")); err != nil {
		return id, thread, comments.ErrNotFound.Wrap(err)
	}
	return id, thread, nil
}

func (h commentPages) reply(w http.ResponseWriter, r *http.Request) error {
	id, thread, err := threadOf(r)
	if err != nil {
		return err
	}
	err = h.Comments.Reply(r.Context(), actor(r), id, thread, r.PostFormValue("text"))
	return h.done(w, r, "comments.said_sent", "reply-"+thread.String(), err)
}

func (h commentPages) resolve(w http.ResponseWriter, r *http.Request) error {
	id, thread, err := threadOf(r)
	if err != nil {
		return err
	}
	on, said := r.PostFormValue("on") == "true", "comments.said_reopened"
	if on {
		said = "comments.said_resolved"
	}
	return h.done(w, r, said, "", h.Comments.Resolve(r.Context(), actor(r), id, thread, on))
}

func commentOf(r *http.Request) (id ids.Dashboard, comment ids.Comment, err error) {
	if id, err = dashboardID(r); err != nil {
		return id, comment, err
	}
	if comment, err = ids.Parse[ids.Comment](chi.URLParam(r, "comment")); err != nil {
		return id, comment, comments.ErrNotFound.Wrap(err)
	}
	return id, comment, nil
}

func (h commentPages) edit(w http.ResponseWriter, r *http.Request) error {
	id, comment, err := commentOf(r)
	if err != nil {
		return err
	}
	err = h.Comments.Edit(r.Context(), actor(r), id, comment, r.PostFormValue("text"))
	return h.done(w, r, "comments.said_saved", "edit-"+comment.String(), err)
}

// change carries out what needs no more than the comment.
func (h commentPages) change(said string, work func(context.Context, access.Actor, ids.Dashboard, ids.Comment) error) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, comment, err := commentOf(r)
		if err != nil {
			return err
		}
		return h.done(w, r, said, "", work(r.Context(), actor(r), id, comment))
	}
}

// marks answers the numbers of open threads, which the page puts on its widgets.
func (h commentPages) marks(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	d, err := h.Dashboards.GetWhole(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	counts, err := h.Comments.CountOpen(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	var list []views.CommentMark
	for widget, count := range counts {
		title := d.Config.Widgets[widget].Title
		if widget == "" {
			title = d.Name
		}
		list = append(list, views.CommentMark{Widget: widget, Title: title, Count: count})
	}
	slices.SortFunc(list, func(a, b views.CommentMark) int { return strings.Compare(a.Widget, b.Widget) })
	return render(w, r, http.StatusOK, views.CommentMarks(id.String(), list))
}

// people answers whom a comment can name.
func (h commentPages) people(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	list, err := h.Comments.ListHandles(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.CommentPeople(list))
}
