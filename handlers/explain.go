package handlers

import (
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// explainRoutes are what can be asked about the numbers of a widget, below the
// path of a dashboard or of its draft.
func (h boards) explainRoutes(r chi.Router, dashboard string) {
	r.Get(dashboard+"/widgets/{widget}/explain", handle(h.explain))
	r.Get(dashboard+"/widgets/{widget}/rows", handle(h.noted("dashboard.rows_viewed", "dashboard", "id", h.behind)))
	r.Get(dashboard+"/widgets/{widget}/actions", handle(h.actions))
	r.Get(dashboard+"/widgets/{widget}/query", handle(h.queryText))
}

// markOf is the query of a request without what is about one mark.
func markOf(r *http.Request) (query, mark string) {
	values := r.URL.Query()
	mark = values.Get("mark")
	values.Del("mark")
	values.Del("page")
	return values.Encode(), mark
}

func widgetPath(r *http.Request, v *dashboards.View) string {
	return views.PathView(v.Dashboard.ID.String(), v.Draft) + "/widgets/" + chi.URLParam(r, "widget")
}

// pinned is the query with the moment that the page shows, for links that must
// show the same.
func pinned(query string, v *dashboards.View) string {
	at := "at=" + v.Snapshot.String()
	if query == "" {
		return at
	}
	return query + "&" + at
}

// explain answers where a number comes from: the panel at the side.
func (h boards) explain(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	query, mark := markOf(r)
	widget := chi.URLParam(r, "widget")
	explained, err := h.Dashboards.Explain(r.Context(), v, widget, mark)
	if err != nil && apperr.Describe(err).Class == apperr.Forbidden {
		title := messages.T(r.Context(), "filters.explain_title", "Title", v.Dashboard.Config.Widgets[widget].Title)
		return renderPage(w, r, http.StatusForbidden, h.widgetPage(r, v, title), views.ExplainLocked(v.Dashboard.Config.Widgets[widget].Title, err))
	}
	if err != nil {
		return err
	}
	rows, err := h.Dashboards.Behind(r.Context(), v, widget, mark, 1)
	if errors.Is(err, dashboards.ErrRowsWithheld) {
		rows, err = nil, nil // of groups it can be said where they come from
	}
	if err != nil {
		return err
	}
	if !r.URL.Query().Has("at") {
		query = pinned(query, v)
	}
	props := views.ExplainProps{Explained: explained, Rows: rows, Path: widgetPath(r, v), Query: query, Locale: v.Locale()}
	return renderPage(w, r, http.StatusOK, h.widgetPage(r, v, messages.T(r.Context(), "filters.explain_title", "Title", explained.Title)), views.ExplainPanel(props))
}

// behind answers a page of the rows behind a number.
func (h boards) behind(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	query, mark := markOf(r)
	if !r.URL.Query().Has("at") {
		query = pinned(query, v)
	}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	widget := chi.URLParam(r, "widget")
	rows, err := h.Dashboards.Behind(r.Context(), v, widget, mark, page)
	if err != nil {
		return err
	}
	p, _ := v.Plan(widget) // was found for its rows
	props := views.ExplainProps{Explained: &dashboards.Explained{Title: p.Widget.Title, Mark: mark}, Rows: rows, Path: widgetPath(r, v), Query: query, Locale: v.Locale()}
	return renderPage(w, r, http.StatusOK, h.widgetPage(r, v, messages.T(r.Context(), "filters.part_rows")), views.BehindRows(props))
}

func (h boards) widgetPage(r *http.Request, v *dashboards.View, title string) views.PageProps {
	return views.PageProps{Title: title, Active: views.NavDashboards, Crumbs: []views.Crumb{
		{Label: messages.T(r.Context(), "home.dashboards"), Href: views.PathDashboards},
		{Label: v.Dashboard.Name, Href: views.PathDashboard(v.Dashboard.ID.String())},
	}}
}

// actions answers what can be done with a mark.
func (h boards) actions(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	query, mark := markOf(r)
	list, err := h.Dashboards.Actions(r.Context(), v, chi.URLParam(r, "widget"), mark)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.MarkActions(views.ActionsProps{Page: h.props(r, v), Actions: list, Path: widgetPath(r, v), Query: query}))
}

// queryText answers "View SQL" of the editor.
func (h boards) queryText(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	explained, err := h.Dashboards.Explain(r.Context(), v, chi.URLParam(r, "widget"), "")
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.QueryText(explained))
}

// rowsCSV streams all rows behind a number.
func (h boards) rowsCSV(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	_, mark := markOf(r)
	rows, err := h.Dashboards.OpenBehind(r.Context(), v, chi.URLParam(r, "widget"), mark)
	if err != nil {
		return err
	}
	return sendCSV(w, r, v, rows)
}

// sendCSV streams a download.
func sendCSV(w http.ResponseWriter, r *http.Request, v *dashboards.View, rows *dashboards.Rows) error {
	style := dashboards.CSVStyle{}
	if r.URL.Query().Get("bom") == "1" {
		style = dashboards.CSVFor(v.Locale())
	}
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": dashboards.FileName(rows.Title) + ".csv"}))
	// A download may take longer than a page.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if _, err := rows.WriteCSV(r.Context(), w, style); err != nil {
		// The head is out: let the browser see that the file is not whole.
		slog.WarnContext(r.Context(), "download broke off", "dashboard", v.Dashboard.ID, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// otherBoards are the dashboards that a mark can lead to.
func (h boards) otherBoards(r *http.Request, v *dashboards.View) ([]ui.Option, error) {
	boards, err := h.Dashboards.ListNames(r.Context(), actor(r), 500)
	if err != nil {
		return nil, err
	}
	var list []ui.Option
	for _, d := range boards {
		if d.ID != v.Dashboard.ID {
			list = append(list, ui.Option{Value: d.ID.String(), Label: d.Name})
		}
	}
	return list, nil
}
