package handlers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Lookups and saved measures of a dataset.

func (h datasetPages) lookups(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	return h.lookupsPart(w, r, http.StatusOK, d, views.LookupForm{})
}

func (h datasetPages) lookupsPart(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, form views.LookupForm) error {
	props := views.LookupsProps{Dataset: d.ID.String(), CanManage: canManage(actor(r), d.Access) && d.Sees == "", Form: form}
	for _, l := range d.Lookups {
		c, _ := d.ColumnByID(l.Column)
		row := views.LookupRow{Name: l.Name, Column: c.Name, Target: l.TargetName, TargetHref: views.PathDataset(l.Target.String()), Key: l.KeyName}
		if props.CanManage {
			row.Remove = views.PathDatasetTab(d.ID.String(), views.TabLookups) + "/remove"
		}
		props.Rows = append(props.Rows, row)
	}
	used, err := h.Datasets.ListDependents(r.Context(), actor(r), d.ID)
	if err != nil {
		return err
	}
	for _, l := range used.Lookups {
		props.UsedBy = append(props.UsedBy, views.LookupRow{Name: l.Lookup, Target: l.Name, TargetHref: views.PathDataset(l.Dataset.String())})
	}
	if props.CanManage {
		if err := h.lookupChoices(r, d, &props.Form); err != nil {
			return err
		}
	}
	return h.section(w, r, status, d, views.TabLookups, views.LookupsPart(props))
}

// lookupChoices fills in what the form offers.
func (h datasetPages) lookupChoices(r *http.Request, d datasets.Dataset, form *views.LookupForm) error {
	for _, c := range d.Columns {
		form.Columns = append(form.Columns, ui.Option{Value: c.Name, Label: c.Name, Selected: c.Name == form.Column})
	}
	all, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	form.Targets = []ui.Option{{Value: "", Label: messages.T(r.Context(), "lookups.form_target_choose"), Selected: form.Target == ""}}
	for _, other := range all {
		if other.ID != d.ID {
			form.Targets = append(form.Targets, ui.Option{Value: other.ID.String(), Label: other.Name, Selected: other.ID.String() == form.Target})
		}
	}
	return h.keysOf(r, form)
}

// keysOf offers the columns of the chosen target.
func (h datasetPages) keysOf(r *http.Request, form *views.LookupForm) error {
	id, err := ids.Parse[ids.Dataset](form.Target)
	if err != nil {
		return nil // none is chosen yet
	}
	target, err := h.Datasets.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	for _, c := range target.Columns {
		form.Keys = append(form.Keys, ui.Option{Value: c.Name, Label: c.Name, Selected: c.Name == form.Key})
	}
	return nil
}

// lookupKeys answers the field with the chosen target's columns.
func (h datasetPages) lookupKeys(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.get(r); err != nil {
		return err
	}
	form := views.LookupForm{Target: r.URL.Query().Get("target")}
	if err := h.keysOf(r, &form); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.LookupKeys(form))
}

func (h datasetPages) addLookup(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	form := views.LookupForm{Name: r.PostFormValue("name"), Column: r.PostFormValue("column"), Target: r.PostFormValue("target"), Key: r.PostFormValue("key")}
	err = h.Datasets.AddLookup(r.Context(), actor(r), id, datasets.NewLookup{Name: form.Name, Column: form.Column, Target: form.Target, Key: form.Key})
	if problem, wrong := invalid(err); wrong {
		d, err := h.get(r)
		if err != nil {
			return err
		}
		form.Error = problem
		return h.lookupsPart(w, r, http.StatusUnprocessableEntity, d, form)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "lookups.added", views.PathDatasetTab(id.String(), views.TabLookups))
}

func (h datasetPages) removeLookup(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	if err := h.Datasets.RemoveLookup(r.Context(), actor(r), id, r.PostFormValue("name")); err != nil {
		return err
	}
	return flashAndGo(w, r, "lookups.removed", views.PathDatasetTab(id.String(), views.TabLookups))
}

func (h datasetPages) measures(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	return h.measuresPart(w, r, http.StatusOK, d, views.MeasureForm{})
}

// functions of measures, in the order in which they are offered.
var measureFunctions = []string{"sum", "avg", "min", "max", "count", "count_distinct", "median", "percentile"}

func (h datasetPages) measuresPart(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, form views.MeasureForm) error {
	props := views.MeasuresProps{Dataset: d.ID.String(), CanManage: canManage(actor(r), d.Access) && d.Sees == "", Form: form}
	for _, m := range d.Measures {
		row := views.MeasureRow{Name: m.Name, Description: m.Description, Formula: formula(m.Measure)}
		if props.CanManage {
			row.Remove = views.PathDatasetTab(d.ID.String(), views.TabMeasures) + "/remove"
		}
		props.Rows = append(props.Rows, row)
	}
	t := func(key string) string { return messages.T(r.Context(), key) }
	f := &props.Form
	f.OfFunctions = []ui.Option{{Value: "", Label: t("measures.of_none"), Selected: f.OfFn == ""}}
	for _, fn := range measureFunctions {
		f.Functions = append(f.Functions, ui.Option{Value: fn, Label: t("measures.fn_" + fn), Selected: fn == f.Fn})
		if fn != "percentile" {
			f.OfFunctions = append(f.OfFunctions, ui.Option{Value: fn, Label: t("measures.fn_" + fn), Selected: fn == f.OfFn})
		}
	}
	f.Columns = []ui.Option{{Value: "", Label: t("measures.column_none"), Selected: f.Column == ""}}
	f.OfColumns = []ui.Option{{Value: "", Label: t("measures.column_none"), Selected: f.OfColumn == ""}}
	for _, c := range d.Columns {
		f.Columns = append(f.Columns, ui.Option{Value: c.Name, Label: c.Name, Selected: c.Name == f.Column})
		f.OfColumns = append(f.OfColumns, ui.Option{Value: c.Name, Label: c.Name, Selected: c.Name == f.OfColumn})
	}
	return h.section(w, r, status, d, views.TabMeasures, views.MeasuresPart(props))
}

func (h datasetPages) saveMeasure(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	form := views.MeasureForm{
		Name: r.PostFormValue("name"), Description: r.PostFormValue("description"), Fn: r.PostFormValue("fn"), Column: r.PostFormValue("column"),
		Percentile: strings.TrimSpace(r.PostFormValue("percentile")), OfFn: r.PostFormValue("of_fn"), OfColumn: r.PostFormValue("of_column"),
	}
	measure := datasets.MeasureSpec{Fn: form.Fn, Column: form.Column}
	if form.Fn == "percentile" {
		if measure.Percentile, err = strconv.ParseFloat(strings.ReplaceAll(form.Percentile, ",", "."), 64); err != nil {
			measure.Percentile = -1 // refused below, in words
		}
	}
	if form.OfFn != "" {
		upper, lower := measure, datasets.MeasureSpec{Fn: form.OfFn, Column: form.OfColumn}
		measure = datasets.MeasureSpec{Fn: "ratio", Numerator: &upper, Denominator: &lower}
	}
	err = h.Datasets.SaveMeasure(r.Context(), actor(r), id, datasets.Measure{Name: form.Name, Description: form.Description, Measure: measure})
	if problem, wrong := invalid(err); wrong {
		d, err := h.get(r)
		if err != nil {
			return err
		}
		form.Error = problem
		return h.measuresPart(w, r, http.StatusUnprocessableEntity, d, form)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "measures.saved", views.PathDatasetTab(id.String(), views.TabMeasures))
}

func (h datasetPages) removeMeasure(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	if err := h.Datasets.RemoveMeasure(r.Context(), actor(r), id, r.PostFormValue("name")); err != nil {
		return err
	}
	return flashAndGo(w, r, "measures.removed", views.PathDatasetTab(id.String(), views.TabMeasures))
}
