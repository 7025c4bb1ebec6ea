package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

func (h home) templateRoutes(r chi.Router) {
	r.Get("/dashboards/{id}/template", handle(h.saveTemplateForm))
	r.Post("/dashboards/{id}/template", handle(h.saveTemplate))
	r.Get(views.PathTemplates, handle(h.templates))
	r.Get(views.PathTemplates+"/{id}", handle(h.fitTemplate))
	r.Post(views.PathTemplates+"/{id}", handle(h.useTemplate))
	r.Post(views.PathTemplates+"/{id}/delete", handle(h.deleteTemplate))
}

func templateID(r *http.Request) (ids.Template, error) {
	id, err := ids.Parse[ids.Template](chi.URLParam(r, "id"))
	if err != nil {
		return id, dashboards.ErrTemplateNotFound.Wrap(err)
	}
	return id, nil
}

func templatePage(r *http.Request, title string, crumbs ...views.Crumb) views.PageProps {
	return views.PageProps{Title: title, Active: views.NavDashboards, Styles: []string{"editor.css"},
		Crumbs: append([]views.Crumb{{Label: messages.T(r.Context(), "home.dashboards"), Href: views.PathDashboards}}, crumbs...)}
}

func (h home) saveTemplateForm(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	return h.form(w, r, http.StatusOK, messages.T(r.Context(), "templates.save_title"),
		views.SaveTemplateForm(views.BoardForm{Action: r.URL.Path, Value: d.Name}, "", ""))
}

func (h home) saveTemplate(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	name, about := r.PostFormValue("name"), r.PostFormValue("about")
	_, err = h.Dashboards.SaveTemplate(r.Context(), actor(r), id, name, about)
	nameError, badName := fieldError(err, "name")
	aboutError, badAbout := fieldError(err, "about")
	if badName || badAbout {
		return h.form(w, r, http.StatusUnprocessableEntity, messages.T(r.Context(), "templates.save_title"),
			views.SaveTemplateForm(views.BoardForm{Action: r.URL.Path, Value: name, Error: nameError}, about, aboutError))
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "templates.saved", back(r), "Name", name)
}

func (h home) templates(w http.ResponseWriter, r *http.Request) error {
	list, err := h.Dashboards.ListTemplates(r.Context(), actor(r))
	if err != nil {
		return err
	}
	p := views.TemplatesProps{Templates: list}
	if name := r.URL.Query().Get("deleted"); name != "" {
		p.Undo = views.UndoNotice{Text: messages.T(r.Context(), "templates.deleted", "Name", name), Action: views.PathDashboards + "/undo",
			Label: messages.T(r.Context(), "boards.undo")}
	}
	return renderPage(w, r, http.StatusOK, templatePage(r, messages.T(r.Context(), "templates.title")), views.TemplateList(p))
}

// templateChoices reads what was chosen for the datasets of a template. Fields
// that were chosen of another dataset than the chosen one count no more.
func templateChoices(form url.Values) map[ids.Dataset]dashboards.TemplateChoice {
	chosen := map[ids.Dataset]dashboards.TemplateChoice{}
	for key := range form {
		text, isDataset := strings.CutPrefix(key, "d.")
		source, err := ids.Parse[ids.Dataset](text)
		if !isDataset || err != nil {
			continue
		}
		// One that is none is none.
		into, _ := ids.Parse[ids.Dataset](form.Get(key))
		choice := dashboards.TemplateChoice{Dataset: into, Fields: map[string]string{}}
		if form.Get("was."+text) == into.String() {
			for name := range form {
				if field, ok := strings.CutPrefix(name, "f."+text+"."); ok {
					choice.Fields[field] = form.Get(name)
				}
			}
		}
		chosen[source] = choice
	}
	return chosen
}

func (h home) fitTemplate(w http.ResponseWriter, r *http.Request) error {
	return h.fit(w, r, http.StatusOK, r.URL.Query(), "")
}

// fit draws the page of a template with what was chosen.
func (h home) fit(w http.ResponseWriter, r *http.Request, status int, form url.Values, nameError string) error {
	id, err := templateID(r)
	if err != nil {
		return err
	}
	fit, err := h.Dashboards.FitTemplate(r.Context(), actor(r), id, templateChoices(form))
	if err != nil {
		return err
	}
	list, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	p := views.TemplateFitProps{Fit: fit, Name: form.Get("name"), Error: nameError}
	if p.Name == "" && nameError == "" {
		p.Name = fit.Template.Name
	}
	for _, d := range list {
		p.Datasets = append(p.Datasets, ui.Option{Value: d.ID.String(), Label: d.Name})
	}
	title := messages.T(r.Context(), "templates.start", "Name", fit.Template.Name)
	return renderPage(w, r, status, templatePage(r, title, views.Crumb{Label: messages.T(r.Context(), "templates.title"), Href: views.PathTemplates}), views.TemplateFit(p))
}

func (h home) useTemplate(w http.ResponseWriter, r *http.Request) error {
	id, err := templateID(r)
	if err != nil {
		return err
	}
	name := r.PostFormValue("name")
	d, err := h.Dashboards.CreateFromTemplate(r.Context(), actor(r), id, templateChoices(r.PostForm), name)
	if text, invalid := fieldError(err, "name"); invalid {
		return h.fit(w, r, http.StatusUnprocessableEntity, r.PostForm, text)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathEditor(d.ID.String()))
}

func (h home) deleteTemplate(w http.ResponseWriter, r *http.Request) error {
	id, err := templateID(r)
	if err != nil {
		return err
	}
	t, err := h.Dashboards.GetTemplate(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	if err := h.Dashboards.DeleteTemplate(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathTemplates+"?"+url.Values{"deleted": {t.Name}}.Encode())
}
