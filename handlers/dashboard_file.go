package handlers

import (
	"mime"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views"
)

// fileRoutes are a dashboard as a file: to keep, and to change as text.
func (h editor) fileRoutes(r chi.Router) {
	r.Get("/dashboards/{id}/file.yaml", handle(h.noted("dashboard.file_downloaded", "dashboard", "id", h.file)))
	r.Group(func(r chi.Router) {
		r.Use(asDraft)
		r.Get("/dashboards/{id}/edit/file.yaml", handle(h.noted("dashboard.file_downloaded", "dashboard", "id", h.file)))
		r.Post("/dashboards/{id}/edit/file", handle(h.applyFile))
	})
}

// file answers the dashboard as YAML: as published, or below the editor's path
// its draft.
func (h editor) file(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	name, file, err := h.Dashboards.ExportFile(r.Context(), actor(r), id, isDraft(r))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": dashboards.FileName(name) + ".yaml"}))
	_, _ = w.Write(file) // somebody who went away gets nothing
	return nil
}

// applyFile puts what was changed in a text into the draft, as one change. Base is
// the text as it was opened, at revision rev or later.
func (h editor) applyFile(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Text string  `json:"text"`
		Base *string `json:"base"`
		Rev  int64   `json:"rev"`
	}
	id, err := request(r, &body)
	if err != nil {
		return err
	}
	o := dashboards.ApplyOptions{To: id, Draft: true}
	if body.Base != nil {
		o.Base, o.Rev = []byte(*body.Base), body.Rev
	}
	applied, err := h.Dashboards.ApplyFile(r.Context(), actor(r), []byte(body.Text), o)
	if err != nil {
		return err
	}
	overwrote := applied.Edited.Overwrote
	for i, one := range overwrote {
		overwrote[i].Text = views.OverwrittenText(r.Context(), one)
	}
	return renderJSON(w, http.StatusOK, map[string]any{"changed": len(applied.Diff) > 0, "overwrote": overwrote, "gone": applied.Gone})
}
