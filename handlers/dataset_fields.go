package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Calculated fields of a dataset.

// fields lists them; ?edit=NAME puts one into the form, ?remove=NAME asks
// before one is removed.
func (h datasetPages) fields(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	form := views.FieldForm{}
	for _, f := range d.Fields {
		if f.Name == r.URL.Query().Get("edit") {
			form = views.FieldForm{Name: f.Name, Expression: f.Expression, Description: f.Description, Style: f.Format.Style,
				Currency: f.Format.Currency, Unit: f.Format.Unit, Editing: true}
		}
	}
	return h.fieldsPart(w, r, http.StatusOK, d, form)
}

func (h datasetPages) fieldsPart(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, form views.FieldForm) error {
	list, err := h.Datasets.ListFields(r.Context(), actor(r), d.ID, nil)
	if err != nil {
		return err
	}
	props := views.FieldsProps{Dataset: d.ID.String(), CanManage: canManage(actor(r), d.Access) && d.Sees == "", Form: form}
	tab := views.PathDatasetTab(d.ID.String(), views.TabFields)
	for _, f := range list {
		row := views.FieldRow{Name: f.Name, Description: f.Description, Expression: f.Expression, Type: f.TypeName(), Measure: f.Aggregate}
		if f.Problem != nil {
			row.Problem = f.Problem.Sentence
		}
		if props.CanManage {
			row.Edit, row.Remove = tab+"?edit="+url.QueryEscape(f.Name), tab+"?remove="+url.QueryEscape(f.Name)
			if f.Name == r.URL.Query().Get("remove") {
				if props.Removal, err = h.fieldRemoval(r, d.ID, f.Name); err != nil {
					return err
				}
			}
		}
		props.Rows = append(props.Rows, row)
	}
	for _, style := range []string{"", "percent", "currency", "bytes", "duration"} {
		key := "columns.style_" + style
		if style == "" {
			key = "columns.style_default"
		}
		props.Form.Styles = append(props.Form.Styles, ui.Option{Value: style, Label: messages.T(r.Context(), key), Selected: style == form.Style})
	}
	return h.section(w, r, status, d, views.TabFields, views.FieldsPart(props))
}

func (h datasetPages) fieldRemoval(r *http.Request, dataset ids.Dataset, name string) (*views.FieldRemoval, error) {
	boards, err := h.boardsWith(r, dataset, name)
	if err != nil {
		return nil, err
	}
	return &views.FieldRemoval{Name: name, Boards: boards}, nil
}

// boardsWith are the dashboards that break without a column or field, of those
// that the person may see.
func (c *core) boardsWith(r *http.Request, dataset ids.Dataset, name string) ([]views.FieldBoard, error) {
	list, err := c.Dashboards.UsedBy(r.Context(), actor(r), dataset, name)
	if err != nil {
		return nil, err
	}
	var boards []views.FieldBoard
	for _, d := range list {
		boards = append(boards, views.FieldBoard{Name: d.Name, Href: views.PathDashboard(d.ID.String())})
	}
	return boards, nil
}

func fieldForm(r *http.Request) views.FieldForm {
	form := views.FieldForm{
		Name: strings.TrimSpace(r.PostFormValue("name")), Expression: strings.ReplaceAll(r.PostFormValue("expression"), "\r\n", "\n"),
		Description: r.PostFormValue("description"), Style: r.PostFormValue("style"), Currency: strings.ToUpper(strings.TrimSpace(r.PostFormValue("currency"))),
		Unit: strings.TrimSpace(r.PostFormValue("unit")),
	}
	if form.Style != "currency" {
		form.Currency = ""
	}
	return form
}

func (h datasetPages) saveField(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	form := fieldForm(r)
	err = h.Datasets.SaveField(r.Context(), actor(r), id, datasets.Field{
		Name: form.Name, Expression: form.Expression, Description: form.Description,
		Format: datasets.Format{Style: form.Style, Currency: form.Currency, Unit: form.Unit},
	})
	if problem, wrong := invalid(err); wrong {
		d, err := h.get(r)
		if err != nil {
			return err
		}
		checked, err := h.Datasets.CheckField(r.Context(), actor(r), id, form.Name, form.Expression)
		if err != nil {
			return err
		}
		if form.Check = fieldCheck(r.Context(), checked); form.Check.Problem == "" {
			form.Error = problem
		}
		for _, f := range d.Fields {
			form.Editing = form.Editing || f.Name == form.Name
		}
		return h.fieldsPart(w, r, http.StatusUnprocessableEntity, d, form)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "fields.saved", views.PathDatasetTab(id.String(), views.TabFields))
}

// checkField answers the place under the expression.
func (h datasetPages) checkField(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	form := fieldForm(r)
	checked, err := h.Datasets.CheckField(r.Context(), actor(r), id, form.Name, form.Expression)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.FieldChecked(fieldCheck(r.Context(), checked)))
}

// contextBytes is how much of the expression is shown around a problem.
const contextBytes = 40

func fieldCheck(ctx context.Context, f datasets.FieldInfo) views.FieldCheck {
	p := f.Problem
	if p == nil {
		return views.FieldCheck{Type: f.TypeName(), Measure: f.Aggregate}
	}
	c := views.FieldCheck{Problem: p.Sentence}
	if p.Line == 0 {
		return c
	}
	c.Place = messages.T(ctx, "fields.place", "Line", p.Line, "Column", p.Column)
	text := f.Expression
	if c.At = text[p.Start:p.End]; c.At == "" {
		c.At = " " // what is missing there
	}
	before, after := max(p.Start-contextBytes, 0), min(p.End+contextBytes, len(text))
	for before > 0 && !utf8.RuneStart(text[before]) {
		before--
	}
	for after < len(text) && !utf8.RuneStart(text[after]) {
		after++
	}
	c.Before, c.After = text[before:p.Start], text[p.End:after]
	return c
}

func (h datasetPages) removeField(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	err = h.Datasets.RemoveField(r.Context(), actor(r), id, r.PostFormValue("name"))
	if problem, wrong := invalid(err); wrong {
		d, err := h.get(r)
		if err != nil {
			return err
		}
		return h.fieldsPart(w, r, http.StatusConflict, d, views.FieldForm{Error: problem})
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "fields.removed", views.PathDatasetTab(id.String(), views.TabFields))
}
