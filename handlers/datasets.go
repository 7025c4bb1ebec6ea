package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// datasetPages are the list of datasets and the pages of one.
type datasetPages struct{ *core }

func (h datasetPages) routes(r chi.Router) {
	r.Get("/datasets", handle(h.list))
	r.Get("/datasets/new", handle(h.new))
	r.Route("/datasets/{id}", func(r chi.Router) {
		r.Get("/", handle(h.columns))
		r.Get("/profile", handle(h.profile))
		r.Get("/preview", handle(h.noted("datasets.previewed", "dataset", "id", h.preview)))
		r.Get("/versions", handle(h.versions))
		r.Post("/versions/{version}/restore", handle(h.restore))
		r.Get("/lookups", handle(h.lookups))
		r.Get("/lookups/keys", handle(h.lookupKeys))
		r.Post("/lookups", handle(h.addLookup))
		r.Post("/lookups/remove", handle(h.removeLookup))
		r.Get("/fields", handle(h.fields))
		r.Post("/fields", handle(h.saveField))
		r.Post("/fields/check", handle(h.checkField))
		r.Post("/fields/remove", handle(h.removeField))
		r.Get("/measures", handle(h.measures))
		r.Post("/measures", handle(h.saveMeasure))
		r.Post("/measures/remove", handle(h.removeMeasure))
		r.Get("/rules", handle(h.rules))
		r.Post("/rules", handle(h.saveRule))
		r.Post("/rules/remove", handle(h.removeRule))
		r.Post("/rules/try", handle(h.tryRule))
		r.Get("/settings", handle(h.settings))
		r.Post("/settings", handle(h.saveSettings))
		r.Get("/columns/{column}", handle(h.columnForm))
		r.Post("/columns/{column}", handle(h.saveColumn))
		r.Post("/columns/{column}/drop", handle(h.dropColumn))
		r.Get("/rows/delete", handle(h.deleteRowsForm))
		r.Post("/rows/delete", handle(h.deleteRows))
		r.Get("/delete", handle(h.deleteForm))
		r.Post("/delete", handle(h.delete))
		r.Post("/undelete", handle(h.undelete))
	})
}

func datasetID(r *http.Request) (ids.Dataset, error) {
	id, err := ids.Parse[ids.Dataset](chi.URLParam(r, "id"))
	if err != nil {
		return id, datasets.ErrNotFound.Wrap(err)
	}
	return id, nil
}

func (h datasetPages) get(r *http.Request) (datasets.Dataset, error) {
	id, err := datasetID(r)
	if err != nil {
		return datasets.Dataset{}, err
	}
	return h.Datasets.Get(r.Context(), actor(r), id)
}

func (h datasetPages) list(w http.ResponseWriter, r *http.Request) error {
	a, write := actor(r), writerFor(r)
	all, err := h.Datasets.List(r.Context(), a)
	if err != nil {
		return err
	}
	props := views.DatasetsProps{CanManage: canManage(a), Drop: drop(r, ""), Total: len(all), Search: strings.TrimSpace(r.URL.Query().Get("q"))}
	var rows, bytes int64
	for _, d := range all {
		rows, bytes = rows+max(d.Rows, 0), bytes+max(d.Bytes, 0)
		if hasWords(d.Name+" "+d.Description, props.Search) {
			props.Rows = append(props.Rows, write.dataset(d))
		}
	}
	props.Summary = write.t("datasets.summary", "Rows", write.l.Integer(rows), "Size", write.l.FileSize(bytes))
	if props.CanManage {
		if err := h.manageable(r, &props); err != nil {
			return err
		}
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.DatasetsContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.DatasetsPage(s, props))
}

func hasWords(text, search string) bool {
	text = strings.ToLower(text)
	for _, word := range strings.Fields(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// dataset is one line of the list, with how its latest load went.
func (w writer) dataset(d datasets.Listed) views.DatasetRow {
	row := views.DatasetRow{
		ID: d.ID.String(), Name: d.Name, Description: shorten(d.Description, 160), Rows: w.rows(d.Rows), Icon: "database",
		Columns: w.l.Integer(int64(d.Columns)), Size: w.size(d.Bytes), Updated: w.when(d.UpdatedAt), Live: d.Live,
		Detail: w.t("datasets.detail_version", "Version", w.l.Integer(d.Version)), Used: "—", OwnerName: d.OwnerName,
	}
	if d.Dashboards > 0 {
		row.Used = w.t("datasets.used_by", "Count", d.Dashboards)
	}
	if !d.Owner.IsZero() {
		row.OwnerKey = d.Owner.String()
	}
	if d.Filename != "" {
		row.Icon, row.Detail = "file-spreadsheet", w.t("datasets.detail", "File", d.Filename, "Version", w.l.Integer(d.Version))
	}
	if d.Live {
		row.Icon = "radio"
	}
	switch {
	case d.State == datasets.LoadQueued || d.State == datasets.LoadRunning:
		row.Status = ui.TagProps{Label: w.t("datasets.status_loading"), Icon: "refresh-cw", Tone: ui.Brand}
		row.StatusHref = views.PathLoad(d.Load.String())
	case d.State == datasets.LoadFailed:
		row.Status = ui.TagProps{Label: w.t("datasets.status_failed"), Icon: "circle-x", Tone: ui.Negative}
		row.StatusHref = views.PathLoad(d.Load.String())
	case d.Rejected > 0:
		row.Status = ui.TagProps{Label: w.t("datasets.status_rejected", "Count", int(d.Rejected), "Rows", w.l.Integer(d.Rejected)), Icon: "triangle-alert", Tone: ui.Warning}
		row.StatusHref = views.PathLoad(d.Load.String())
	case d.Rows == 0:
		row.Status = ui.TagProps{Label: w.t("datasets.status_empty"), Icon: "circle-alert"}
	default:
		row.Status = ui.TagProps{Label: w.t("datasets.status_ready"), Icon: "circle-check", Tone: ui.Positive}
	}
	return row
}

// manageable adds what only somebody who may load data sees.
func (h datasetPages) manageable(r *http.Request, props *views.DatasetsProps) error {
	a, write := actor(r), writerFor(r)
	uploads, err := h.Datasets.ListOpenUploads(r.Context(), a, 20)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		props.Uploads = append(props.Uploads, views.UploadRow{ID: u.ID.String(), Filename: u.Filename, Size: write.l.FileSize(u.Bytes), At: write.when(u.CreatedAt)})
	}
	deleted, err := h.Datasets.ListDeleted(r.Context(), a)
	if err != nil {
		return err
	}
	just := r.URL.Query().Get("deleted")
	for _, d := range deleted {
		if d.ID.String() == just {
			props.Undo = views.UndoNotice{Text: write.t("datasets.deleted", "Name", d.Name), Action: views.PathDataset(just) + "/undelete", Label: write.t("datasets.undo")}
			continue
		}
		props.Deleted = append(props.Deleted, views.DeletedRow{ID: d.ID.String(), Name: d.Name, Rows: write.l.Integer(d.Rows), Until: write.day(d.KeptUntil)})
	}
	return nil
}

// new takes a file, also without JavaScript.
func (h datasetPages) new(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	target := r.URL.Query().Get("dataset")
	if _, err := ids.Parse[ids.Dataset](target); err != nil {
		target = ""
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.NewDatasetPage(s, views.NewDatasetProps{Drop: *drop(r, target)}))
}

// section shows a dataset with one of its sections.
func (h datasetPages) section(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, tab views.DatasetTab, body templ.Component) error {
	a, write := actor(r), writerFor(r)
	props := views.DatasetProps{
		ID: d.ID.String(), Name: d.Name, Description: d.Description, Tab: tab, CanManage: canManage(a, d.Access) && d.Sees == "",
		Rows: write.rows(d.Rows), Size: write.size(d.Bytes), Columns: write.l.Integer(int64(len(d.Columns))), CanRule: access.Can(a, access.ManageMembers) == nil,
		Version: write.l.Integer(d.Version), Updated: write.when(d.UpdatedAt), RelativeToNewest: d.RelativeToNewest, Empty: d.Rows == 0,
		Body: body, Drop: drop(r, d.ID.String()), CanMakeDashboard: access.Can(a, access.EditContent) == nil,
		Counts: map[views.DatasetTab]string{
			views.TabColumns: write.l.Integer(int64(len(d.Columns))), views.TabLookups: count(write, len(d.Lookups)), views.TabMeasures: count(write, len(d.Measures)),
			views.TabFields: count(write, len(d.Fields)),
		},
	}
	if c, ok := d.ColumnByID(d.TimeColumn); ok {
		props.TimeColumn = c.Name
	}
	if isPartial(r) {
		return render(w, r, status, views.DatasetContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.DatasetPage(s, props))
}

// rows and size write what may be withheld.
func (w writer) rows(n int64) string {
	if n == datasets.Withheld {
		return "—"
	}
	return w.l.Integer(n)
}

func (w writer) size(n int64) string {
	if n == datasets.Withheld {
		return "—"
	}
	return w.l.FileSize(n)
}

func count(write writer, n int) string {
	if n == 0 {
		return ""
	}
	return write.l.Integer(int64(n))
}

// columns shows the columns; their profile follows, unless it is known.
func (h datasetPages) columns(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	profile, known, err := h.Datasets.KnownProfile(r.Context(), actor(r), d)
	if err != nil {
		return err
	}
	props := columnsProps(r, d, profile, known)
	if !known {
		props.Pending = views.PathDataset(d.ID.String()) + "/profile"
	}
	return h.section(w, r, http.StatusOK, d, views.TabColumns, views.ColumnsPart(props))
}

func (h datasetPages) profile(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	profile, err := h.Datasets.Profile(r.Context(), actor(r), d.ID)
	if err != nil {
		return err
	}
	part := views.ColumnsPart(columnsProps(r, d, profile, true))
	if isPartial(r) {
		return render(w, r, http.StatusOK, part)
	}
	return h.section(w, r, http.StatusOK, d, views.TabColumns, part)
}

func columnsProps(r *http.Request, d datasets.Dataset, profile datasets.Profile, known bool) views.ColumnsProps {
	write := writerFor(r)
	props := views.ColumnsProps{Dataset: d.ID.String(), CanManage: canManage(actor(r), d.Access) && d.Sees == ""}
	for i, c := range d.Columns {
		row := views.ColumnRow{
			ID: strconv.Itoa(int(c.ID)), Name: c.Name, Type: datasets.TypeName(c.Column), Icon: icon(string(c.Type)), Description: c.Description,
		}
		if c.ID == d.TimeColumn {
			row.Tags = append(row.Tags, ui.TagProps{Label: write.t("columns.time"), Icon: "clock", Tone: ui.Brand})
		}
		for _, key := range d.KeyColumns {
			if key == c.ID {
				row.Tags = append(row.Tags, ui.TagProps{Label: write.t("columns.key"), Icon: "key-round", Tone: ui.Brand})
			}
		}
		if c.Role != "" {
			row.Tags = append(row.Tags, ui.TagProps{Label: write.t("columns.role_" + c.Role), Icon: "map-pin"})
		}
		if known && i < len(profile.Columns) {
			row.Profile = write.profile(profile.Columns[i])
		}
		props.Rows = append(props.Rows, row)
	}
	return props
}

const previewRows = 50

func (h datasetPages) preview(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	result, err := h.Datasets.Preview(r.Context(), actor(r), d.ID, previewRows)
	if err != nil {
		return err
	}
	write := writerFor(r)
	table := write.preview(d, result)
	switch {
	case result.Rows == 0:
		table.Note = write.t("datasets.preview_empty")
	case d.TimeColumn != 0:
		table.Note = write.t("datasets.preview_note", "Count", result.Rows)
	default:
		table.Note = write.t("datasets.preview_note_unsorted", "Count", result.Rows)
	}
	return h.section(w, r, http.StatusOK, d, views.TabPreview, views.PreviewPart(table))
}

const versionsOnPage = 200

func (h datasetPages) versions(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	list, err := h.Datasets.ListVersions(r.Context(), actor(r), d.ID, versionsOnPage)
	if err != nil {
		return err
	}
	write := writerFor(r)
	props := views.VersionsProps{CanManage: canManage(actor(r), d.Access) && d.Sees == ""}
	for _, v := range list {
		kind := "versions." + string(v.Kind)
		if v.Kind == datasets.ChangeRestore {
			kind = "versions.restore_kind"
		}
		row := views.VersionRow{
			Number: write.l.Integer(v.Version), Kind: write.t(kind), Note: v.Note, By: v.ByName, Rows: write.rows(v.Rows),
			Size: write.size(v.Bytes), At: write.when(v.CreatedAt), Current: v.Current,
		}
		if v.ByName == "" {
			row.By = write.t("versions.console")
		}
		if !v.KeptUntil.IsZero() {
			row.Until = write.l.DateTime(v.KeptUntil.In(write.zone))
		}
		if !v.Current && props.CanManage {
			row.Restore = views.PathDatasetTab(d.ID.String(), views.TabVersions) + "/" + strconv.FormatInt(v.Version, 10) + "/restore"
		}
		if !v.Load.IsZero() && props.CanManage {
			row.LoadHref = views.PathLoad(v.Load.String())
		}
		props.Rows = append(props.Rows, row)
	}
	return h.section(w, r, http.StatusOK, d, views.TabVersions, views.VersionsPart(props))
}

func (h datasetPages) restore(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(chi.URLParam(r, "version"), 10, 64)
	if err != nil {
		return datasets.ErrVersionNotFound.Wrap(err)
	}
	if _, err := h.Datasets.Restore(r.Context(), actor(r), id, version); err != nil {
		return err
	}
	return flashAndGo(w, r, "datasets.restored", views.PathDatasetTab(id.String(), views.TabVersions))
}

// invalid tells whether err is of what the person entered, and its sentence.
func invalid(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	public := apperr.Describe(err)
	return public.Sentence, public.Class == apperr.Invalid || public.Class == apperr.Conflict
}

func (h datasetPages) settings(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	return h.settingsPart(w, r, http.StatusOK, d, "")
}

func (h datasetPages) settingsPart(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, problem string) error {
	form := views.SettingsForm{
		Dataset: d.ID.String(), Name: d.Name, Description: d.Description, RelativeToNewest: d.RelativeToNewest, Error: problem, CanManage: true,
		TimeColumns: []ui.Option{{Value: "0", Label: messages.T(r.Context(), "datasets.time_column_none"), Selected: d.TimeColumn == 0}},
	}
	for _, c := range d.Columns {
		if c.Type == "date" || c.Type == "timestamp" || c.Type == "timestamptz" {
			form.TimeColumns = append(form.TimeColumns, ui.Option{Value: strconv.Itoa(int(c.ID)), Label: c.Name, Selected: c.ID == d.TimeColumn})
		}
	}
	return h.section(w, r, status, d, views.TabSettings, views.SettingsPart(form))
}

func (h datasetPages) saveSettings(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	name, description, newest := r.PostFormValue("name"), r.PostFormValue("description"), r.PostFormValue("relative_to_newest") != ""
	edit := datasets.Edit{Name: &name, Description: &description, RelativeToNewest: &newest}
	if column, err := strconv.ParseInt(r.PostFormValue("time_column"), 10, 32); err == nil {
		chosen := int32(column)
		edit.TimeColumn = &chosen
	}
	err = h.Datasets.EditDataset(r.Context(), actor(r), id, edit)
	if problem, wrong := invalid(err); wrong {
		d, err := h.get(r)
		if err != nil {
			return err
		}
		shown := d
		shown.Description, shown.RelativeToNewest = description, newest
		return h.settingsPart(w, r, http.StatusUnprocessableEntity, shown, problem)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "datasets.saved", views.PathDatasetTab(id.String(), views.TabSettings))
}

// form answers a dialog, or a page of its own when opened directly.
func (h datasetPages) form(w http.ResponseWriter, r *http.Request, status int, title string, form templ.Component) error {
	if isPartial(r) {
		return render(w, r, status, form)
	}
	return renderPage(w, r, status, views.PageProps{Title: title, Active: views.NavData,
		Crumbs: []views.Crumb{{Label: messages.T(r.Context(), "datasets.title"), Href: views.PathDatasets}}}, form)
}

func (h datasetPages) columnOf(r *http.Request) (datasets.Dataset, datasets.Column, error) {
	d, err := h.get(r)
	if err != nil {
		return d, datasets.Column{}, err
	}
	id, err := strconv.ParseInt(chi.URLParam(r, "column"), 10, 32)
	c, ok := d.ColumnByID(int32(id))
	if err != nil || !ok {
		return d, c, datasets.ErrNotFound
	}
	return d, c, nil
}

func (h datasetPages) columnForm(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	d, c, err := h.columnOf(r)
	if err != nil {
		return err
	}
	return h.columnDialog(w, r, http.StatusOK, d, c, "")
}

func (h datasetPages) columnDialog(w http.ResponseWriter, r *http.Request, status int, d datasets.Dataset, c datasets.Column, problem string) error {
	write := writerFor(r)
	form := views.ColumnForm{
		Dataset: d.ID.String(), Column: strconv.Itoa(int(c.ID)), Name: c.Name, Description: c.Description, Type: datasets.TypeName(c.Column),
		Numeric: c.Type == "integer" || c.Type == "decimal" || c.Type == "float", Currency: c.Format.Currency, Unit: c.Format.Unit,
		Droppable: len(d.Columns) > 1, Error: problem,
	}
	if c.Format.Decimals != nil {
		form.Decimals = strconv.Itoa(*c.Format.Decimals)
	}
	for _, role := range []string{"", "latitude", "longitude"} {
		key := "columns.role_" + role
		if role == "" {
			key = "columns.role_none"
		}
		form.Roles = append(form.Roles, ui.Option{Value: role, Label: write.t(key), Selected: role == c.Role})
	}
	for _, style := range []string{"", "percent", "currency", "bytes", "duration"} {
		key := "columns.style_" + style
		if style == "" {
			key = "columns.style_default"
		}
		form.Styles = append(form.Styles, ui.Option{Value: style, Label: write.t(key), Selected: style == c.Format.Style})
	}
	return h.form(w, r, status, write.t("columns.edit_one", "Name", c.Name), views.ColumnDialog(form))
}

func (h datasetPages) saveColumn(w http.ResponseWriter, r *http.Request) error {
	d, c, err := h.columnOf(r)
	if err != nil {
		return err
	}
	name, description := r.PostFormValue("name"), r.PostFormValue("description")
	edit := datasets.ColumnEdit{Name: &name, Description: &description}
	if _, numeric := r.PostForm["role"]; numeric {
		role := r.PostFormValue("role")
		format := datasets.Format{Style: r.PostFormValue("style"), Currency: strings.ToUpper(strings.TrimSpace(r.PostFormValue("currency"))), Unit: strings.TrimSpace(r.PostFormValue("unit"))}
		if format.Style != "currency" {
			format.Currency = ""
		}
		if text := strings.TrimSpace(r.PostFormValue("decimals")); text != "" {
			decimals, err := strconv.Atoi(text)
			if err != nil {
				decimals = -1 // the service says what is allowed
			}
			format.Decimals = &decimals
		}
		edit.Role, edit.Format = &role, &format
	}
	err = h.Datasets.EditColumn(r.Context(), actor(r), d.ID, c.ID, edit)
	if problem, wrong := invalid(err); wrong {
		return h.columnDialog(w, r, http.StatusUnprocessableEntity, d, c, problem)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "datasets.saved", views.PathDataset(d.ID.String()))
}

func (h datasetPages) dropColumn(w http.ResponseWriter, r *http.Request) error {
	d, c, err := h.columnOf(r)
	if err != nil {
		return err
	}
	err = h.Datasets.DropColumn(r.Context(), actor(r), d.ID, c.ID)
	if problem, wrong := invalid(err); wrong {
		return h.columnDialog(w, r, http.StatusUnprocessableEntity, d, c, problem)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "datasets.saved", views.PathDataset(d.ID.String()))
}

func (h datasetPages) deleteForm(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageData); err != nil {
		return err
	}
	d, err := h.get(r)
	if err != nil {
		return err
	}
	broken, err := h.Datasets.ListDependents(r.Context(), actor(r), d.ID)
	if err != nil {
		return err
	}
	write := writerFor(r)
	form := views.DeleteForm{Dataset: d.ID.String(), Name: d.Name,
		KeptText: write.t("datasets.delete_kept", "Until", write.day(write.now.Add(h.Datasets.KeepsDeleted())))}
	for _, b := range broken.Dashboards {
		form.Dashboards = append(form.Dashboards, views.NamedLink{Name: b.Name, Href: views.PathDashboard(b.ID.String())})
	}
	for _, b := range broken.Lookups {
		form.Lookups = append(form.Lookups, views.NamedLink{
			Name: write.t("datasets.delete_lookup", "Dataset", b.Name, "Lookup", b.Lookup), Href: views.PathDatasetTab(b.Dataset.String(), views.TabLookups),
		})
	}
	return h.form(w, r, http.StatusOK, write.t("datasets.delete_title", "Name", d.Name), views.DeleteDatasetDialog(form))
}

// delete goes to the list, which offers to take it back.
func (h datasetPages) delete(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	if err := h.Datasets.Delete(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathDatasets+"?"+url.Values{"deleted": {id.String()}}.Encode())
}

func (h datasetPages) undelete(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	if err := h.Datasets.Undelete(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathDataset(id.String()))
}
