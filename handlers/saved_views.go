package handlers

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

func (h boards) savedViewRoutes(r chi.Router) {
	r.Get("/dashboards/{id}/views", handle(h.savedViews))
	r.Post("/dashboards/{id}/views", handle(h.saveView))
	r.Post("/dashboards/{id}/views/{view}/default", handle(h.defaultView))
	r.Post("/dashboards/{id}/views/{view}/delete", handle(h.deleteView))
}

// savedViews answers the viewer's views, and a form to save the choices of the
// request's query as one.
func (h boards) savedViews(w http.ResponseWriter, r *http.Request) error {
	state, err := dashboards.ParseState(r.URL.Query())
	if err != nil {
		return err
	}
	return h.viewsPanel(w, r, http.StatusOK, views.SavedViewsProps{Link: state.Encode()})
}

func (h boards) viewsPanel(w http.ResponseWriter, r *http.Request, status int, p views.SavedViewsProps) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	if p.Views, err = h.Dashboards.ListViews(r.Context(), actor(r), id); err != nil {
		return err
	}
	p.Dashboard = id.String()
	return renderPage(w, r, status, views.PageProps{Title: messages.T(r.Context(), "views.yours"), Active: views.NavDashboards,
		Crumbs: []views.Crumb{{Label: messages.T(r.Context(), "home.dashboards"), Href: views.PathDashboards}}}, views.SavedViewsPanel(p))
}

// saveView keeps the choices of a form under a name.
func (h boards) saveView(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	v := dashboards.NewView{Name: r.PostFormValue("name"), Link: r.PostFormValue("link"), Default: r.PostFormValue("default") == "true"}
	_, err = h.Dashboards.SaveView(r.Context(), actor(r), id, v)
	if text, invalid := fieldError(err, "name"); invalid {
		return h.viewsPanel(w, r, http.StatusUnprocessableEntity, views.SavedViewsProps{Link: v.Link, Name: v.Name, Error: text})
	}
	if err != nil {
		return err
	}
	return h.viewsAnswer(w, r, v.Link)
}

func (h boards) defaultView(w http.ResponseWriter, r *http.Request) error {
	return h.changeView(w, r, func(actor access.Actor, id ids.Dashboard, view ids.SavedView) error {
		if r.PostFormValue("on") != "true" {
			view = ids.SavedView{}
		}
		return h.Dashboards.SetDefaultView(r.Context(), actor, id, view)
	})
}

func (h boards) deleteView(w http.ResponseWriter, r *http.Request) error {
	return h.changeView(w, r, func(actor access.Actor, id ids.Dashboard, view ids.SavedView) error {
		return h.Dashboards.DeleteView(r.Context(), actor, id, view)
	})
}

func (h boards) changeView(w http.ResponseWriter, r *http.Request, change func(access.Actor, ids.Dashboard, ids.SavedView) error) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	view, err := ids.Parse[ids.SavedView](chi.URLParam(r, "view"))
	if err != nil {
		return dashboards.ErrViewNotFound.Wrap(err)
	}
	if err := change(actor(r), id, view); err != nil {
		return err
	}
	return h.viewsAnswer(w, r, r.PostFormValue("link"))
}

// viewsAnswer is the panel as it is now or, without scripts, its page.
func (h boards) viewsAnswer(w http.ResponseWriter, r *http.Request, link string) error {
	if isPartial(r) {
		return h.viewsPanel(w, r, http.StatusOK, views.SavedViewsProps{Link: link})
	}
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathViews(id.String(), link))
}
