package handlers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/platform/presence"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/ui"
)

// editor is the drag editor of a dashboard's draft. Below its path the draft
// answers all that the published dashboard answers below its own.
type editor struct{ boards }

func (h editor) routes(r chi.Router) {
	h.fileRoutes(r)
	r.Get("/dashboards/{id}/operations", handle(h.listOperations))
	r.Post("/dashboards/{id}/operations", handle(h.noted("dashboard.edited", "dashboard", "id", h.operations)))
	r.Post("/dashboards/{id}/undo", handle(h.noted("dashboard.edited", "dashboard", "id", h.undo)))
	r.Post("/dashboards/{id}/redo", handle(h.noted("dashboard.edited", "dashboard", "id", h.redo)))
	r.Post("/dashboards/{id}/presence", handle(h.present))
	r.Post("/dashboards/{id}/publish", handle(h.publish))
	r.Get("/dashboards/{id}/versions", handle(h.versions))
	r.Post("/dashboards/{id}/versions", handle(h.nameVersion))
	r.Post("/dashboards/{id}/versions/{version}/restore", handle(h.restoreVersion))
	r.Group(func(r chi.Router) {
		r.Use(asDraft)
		r.Post("/dashboards/{id}/edit/act", handle(h.noted("dashboard.edited", "dashboard", "id", h.act)))
		r.Get("/dashboards/{id}/edit/inspector", handle(h.inspector))
		r.Get("/dashboards/{id}/edit/fields", handle(h.fields))
		r.Get("/dashboards/{id}/edit/filters/{filter}", handle(h.addFilter))
		r.Get("/dashboards/{id}/edit/filters/{filter}/values", handle(h.values))
		r.Get("/dashboards/{id}/edit/widgets/{widget}/table", handle(h.table))
		r.Get("/dashboards/{id}/edit/widgets/{widget}/groups", handle(h.groups))
		r.Get("/dashboards/{id}/edit/widgets/{widget}/groups/values", handle(h.groupValues))
		h.explainRoutes(r, "/dashboards/{id}/edit")
	})
}

// streams are the answers that are compressed here or have no end.
func (h editor) streams(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(asDraft)
		r.Get("/dashboards/{id}/edit", handle(h.page))
		r.Get("/dashboards/{id}/edit/widgets/{widget}", handle(h.tile))
		r.Get("/dashboards/{id}/edit/widgets/{widget}/data.csv", handle(h.noted("dashboard.downloaded", "dashboard", "id", h.csv)))
		r.Get("/dashboards/{id}/edit/widgets/{widget}/rows.csv", handle(h.noted("dashboard.downloaded", "dashboard", "id", h.rowsCSV)))
		r.Get("/dashboards/{id}/edit/events", handle(h.events))
	})
}

type draftKey struct{}

// asDraft has the routes of a dashboard answer for its draft.
func asDraft(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), draftKey{}, true)))
	})
}

func isDraft(r *http.Request) bool {
	draft, _ := r.Context().Value(draftKey{}).(bool)
	return draft
}

// readJSON reads the one value that a script or program sent, strictly.
func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var tooLarge *http.MaxBytesError
		var typed *apperr.Error
		if errors.As(err, &tooLarge) || errors.As(err, &typed) {
			return err
		}
		return errForm.Wrap(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errForm.Wrap(err)
	}
	return nil
}

// request reads which dashboard a script's request is about, and its body.
func request(r *http.Request, into any) (ids.Dashboard, error) {
	id, err := dashboardID(r)
	if err != nil {
		return id, err
	}
	return id, readJSON(r, into)
}

// listOperations answers what happened to the draft after a revision.
func (h editor) listOperations(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	after, err := strconv.ParseInt(cmp.Or(r.URL.Query().Get("after"), "0"), 10, 64)
	if err != nil || after < 0 {
		return errForm.Wrap(err)
	}
	list, err := h.Dashboards.ListOperations(r.Context(), actor(r), id, after)
	if err != nil {
		return err
	}
	rev := after
	if n := len(list); n > 0 {
		rev = list[n-1].Rev
	}
	answer := listed{Rev: rev, Operations: list}
	// What the person did in another tab can be undone in this one.
	if me := actor(r).UserID; slices.ContainsFunc(list, func(o dashboards.Operation) bool { return o.UserID == me }) {
		answer.Mine = &deeds{}
		if answer.Mine.Undo, answer.Mine.Redo, err = h.Dashboards.Deeds(r.Context(), actor(r), id); err != nil {
			return err
		}
	}
	return renderJSON(w, http.StatusOK, answer)
}

// listed is what happened to a draft. Mine is there where the person's own
// history is another than before.
type listed struct {
	Rev        int64                  `json:"rev"`
	Operations []dashboards.Operation `json:"operations"`
	Mine       *deeds                 `json:"mine,omitempty"`
}

type deeds struct {
	Undo *dashboards.Deed `json:"undo,omitempty"`
	Redo *dashboards.Deed `json:"redo,omitempty"`
}

// operations applies changes to the draft. A program that must not change what
// somebody else changed since leaves the mode out and gets 409.
func (h editor) operations(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Rev        int64                  `json:"rev"`
		Seen       int64                  `json:"seen"`
		ChangeID   uuid.UUID              `json:"change_id"`
		Mode       string                 `json:"mode"`
		Operations []dashboards.Operation `json:"operations"`
	}
	id, err := request(r, &body)
	if err != nil {
		return err
	}
	if body.Mode != "" && body.Mode != "strict" && body.Mode != "merge" {
		return dashboards.ErrOperation.With("%q is no mode: a change is \"strict\", or merged with those of others by \"merge\".", body.Mode)
	}
	edited, err := h.Dashboards.Edit(r.Context(), actor(r), id, dashboards.Edit{Rev: body.Rev, Seen: body.Seen, ChangeID: body.ChangeID, Operations: body.Operations,
		Strict: body.Mode != "merge"})
	return answerEdit(w, r, edited, err)
}

func answerEdit(w http.ResponseWriter, r *http.Request, edited dashboards.Edited, err error) error {
	if err != nil {
		return err
	}
	for i, o := range edited.Overwrote {
		edited.Overwrote[i].Text = views.OverwrittenText(r.Context(), o)
	}
	return renderJSON(w, http.StatusOK, edited)
}

// act does what needs to know the datasets: a dropped field, another type.
func (h editor) act(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Rev      int64          `json:"rev"`
		Seen     int64          `json:"seen"`
		ChangeID uuid.UUID      `json:"change_id"`
		Act      dashboards.Act `json:"act"`
	}
	id, err := request(r, &body)
	if err != nil {
		return err
	}
	body.Act.Seen = body.Seen
	edited, err := h.Dashboards.Act(r.Context(), actor(r), id, body.Rev, body.ChangeID, body.Act)
	return answerEdit(w, r, edited, err)
}

func (h editor) undo(w http.ResponseWriter, r *http.Request) error {
	return h.takeBack(w, r, true, h.Dashboards.Undo)
}

func (h editor) redo(w http.ResponseWriter, r *http.Request) error {
	return h.takeBack(w, r, false, h.Dashboards.Redo)
}

func (h editor) takeBack(w http.ResponseWriter, r *http.Request, undo bool, how func(context.Context, access.Actor, ids.Dashboard, int64, uuid.UUID, bool) (dashboards.Edited, error)) error {
	var body struct {
		Rev      int64     `json:"rev"`
		ChangeID uuid.UUID `json:"change_id"`
		Force    bool      `json:"force"`
		Leave    bool      `json:"leave"` // passes it over
	}
	id, err := request(r, &body)
	if err != nil {
		return err
	}
	if body.Leave {
		edited, err := h.Dashboards.PassOver(r.Context(), actor(r), id, body.Rev, body.ChangeID, !undo)
		return answerEdit(w, r, edited, err)
	}
	edited, err := how(r.Context(), actor(r), id, body.Rev, body.ChangeID, body.Force)
	var conflict *dashboards.UndoConflict
	if errors.As(err, &conflict) {
		return renderJSON(w, http.StatusConflict, map[string]any{"error": apperr.Describe(err), "conflicts": conflict.Conflicts,
			"texts": views.ConflictTexts(r.Context(), conflict.Conflicts, undo), "request_id": scopeOf(r).requestID})
	}
	return answerEdit(w, r, edited, err)
}

// maxTab bounds the name that a tab gives itself.
const maxTab = 40

// present notes which widget somebody works on. Without Redis nobody hears of it.
func (h editor) present(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Tab    string `json:"tab"`
		Widget string `json:"widget"`
		Left   bool   `json:"left"`
	}
	id, err := request(r, &body)
	if err != nil {
		return err
	}
	if body.Tab == "" || len(body.Tab) > maxTab || len(body.Widget) > maxTab {
		return errForm
	}
	if _, err := h.Dashboards.GetDraft(r.Context(), actor(r), id); err != nil {
		return err
	}
	i := identity(r)
	switch {
	case h.Presence == nil:
	case body.Left:
		err = h.Presence.Leave(r.Context(), i.Actor.TenantID.UUID(), id.UUID(), i.Actor.UserID.UUID(), body.Tab)
	default:
		err = h.Presence.Say(r.Context(), i.Actor.TenantID.UUID(), id.UUID(), presence.Person{Tab: body.Tab, User: i.Actor.UserID.UUID(), Name: cmp.Or(i.Name, i.Email), Part: body.Widget})
	}
	if err != nil {
		slog.WarnContext(r.Context(), "say who edits", "dashboard", id, "error", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// personView is somebody at work, as the editor shows them.
type personView struct {
	Tab      string `json:"tab"`
	User     string `json:"user"`
	Name     string `json:"name"`
	Initials string `json:"initials"`
	Colour   string `json:"colour"`
	Widget   string `json:"widget,omitempty"`
	Self     bool   `json:"self,omitempty"` // the tab that asks
}

func peopleOf(list []presence.Person, tab string) []personView {
	people := make([]personView, len(list))
	for i, p := range list {
		people[i] = personView{Tab: p.Tab, User: p.User.String(), Name: p.Name, Initials: ui.Initials(p.Name),
			Colour: "c" + strconv.Itoa(i%7+1), Widget: p.Part, Self: p.Tab == tab}
	}
	return people
}

// page answers the editor, or under htmx the widgets that are others now.
func (h editor) page(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	if isPartial(r) {
		return h.changes(w, r, v)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	props, err := h.editorProps(r, v)
	if err != nil {
		return err
	}
	s.Nonce = blank
	head, foot, err := around(r, views.EditorPage(s, props))
	if err != nil {
		return err
	}
	startHTML(w)
	return h.stream(r, w, newStream(w, r), v, withNonce(head, scopeOf(r).nonce), foot, func(n int, tile []*fragment) []*fragment {
		item := append([]*fragment{newStored(views.EditorItemOpen(v.Tiles[n]))}, tile...)
		return append(item, newStored(views.EditorItemClose))
	})
}

func (h editor) editorProps(r *http.Request, v *dashboards.View) (views.EditorProps, error) {
	desk, err := h.Dashboards.OpenDesk(r.Context(), actor(r), v.Dashboard.ID)
	if err != nil {
		return views.EditorProps{}, err
	}
	doc, err := json.Marshal(desk)
	if err != nil {
		return views.EditorProps{}, err
	}
	inspector, err := h.inspectorProps(r, v, r.URL.Query().Get("widget"))
	if err != nil {
		return views.EditorProps{}, err
	}
	fields, err := h.fieldsProps(r, v, v.Dashboard.Config.Dataset)
	if err != nil {
		return views.EditorProps{}, err
	}
	path := views.PathEditor(v.Dashboard.ID.String())
	return views.EditorProps{
		Dashboard: h.props(r, v), Doc: doc, UserID: actor(r).UserID.String(), Datasets: inspector.Datasets, Fields: fields, Inspector: inspector,
		Undo: desk.Undo, Redo: desk.Redo, SavedAt: desk.SavedAt.In(actor(r).Location()), Versions: desk.Versions,
		SignInHref: views.PathSignIn + "?next=" + url.QueryEscape(path),
	}, nil
}

// fieldsProps are the fields of a dataset that the dashboard asks or could ask.
func (h editor) fieldsProps(r *http.Request, v *dashboards.View, dataset ids.Dataset) (views.EditorFieldsProps, error) {
	if dataset.IsZero() {
		return views.EditorFieldsProps{}, nil
	}
	list, err := h.Dashboards.Fields(r.Context(), actor(r), v, dataset)
	if errors.Is(err, datasets.ErrNotFound) && dataset == v.Dashboard.Config.Dataset {
		return views.EditorFieldsProps{Gone: true}, nil // the editor is where to choose another
	}
	if err != nil {
		return views.EditorFieldsProps{}, err
	}
	return views.EditorFieldsProps{Dataset: dataset, Fields: list, Search: r.URL.Query().Get("q")}, nil
}

// fields answers the list of fields of one dataset.
func (h editor) fields(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	dataset := v.Dashboard.Config.Dataset
	if text := r.URL.Query().Get("dataset"); text != "" {
		if dataset, err = ids.Parse[ids.Dataset](text); err != nil {
			return datasets.ErrNotFound.Wrap(err)
		}
	}
	props, err := h.fieldsProps(r, v, dataset)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.EditorFields(props))
}

// inspector answers the panel of one widget, or of the dashboard.
func (h editor) inspector(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	props, err := h.inspectorProps(r, v, r.URL.Query().Get("widget"))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.EditorInspector(props))
}

func (h editor) inspectorProps(r *http.Request, v *dashboards.View, widget string) (views.InspectorProps, error) {
	p := views.InspectorProps{Dashboard: h.props(r, v), Tab: r.URL.Query().Get("tab")}
	list, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return p, err
	}
	for _, d := range list {
		p.Datasets = append(p.Datasets, views.EditorDataset{ID: d.ID, Name: d.Name, Rows: d.Rows})
	}
	dataset := v.Dashboard.Config.Dataset
	if widget != "" {
		one, err := h.Dashboards.Inspect(r.Context(), actor(r), v, widget)
		if err != nil {
			return p, err
		}
		p.Widget, dataset = &one, one.Dataset
		if p.Boards, err = h.otherBoards(r, v); err != nil {
			return p, err
		}
		var asked bool
		if p.Took, p.Rows, asked = h.Dashboards.Asked(r.Context(), v, widget); asked {
			p.SQLHref = views.PathEditor(v.Dashboard.ID.String()) + "/widgets/" + url.PathEscape(widget) + "/query?" + v.Link()
		}
	}
	if !dataset.IsZero() {
		p.Fields, err = h.Dashboards.Fields(r.Context(), actor(r), v, dataset)
	}
	if errors.Is(err, datasets.ErrNotFound) {
		err = nil // it was deleted: the widget says so
	}
	return p, err
}

// groups answers the dialog in which values of a field are put together.
func (h editor) groups(w http.ResponseWriter, r *http.Request) error {
	p, err := h.grouping(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.GroupValues(p))
}

// groupValues answers the values of that dialog that a search finds.
func (h editor) groupValues(w http.ResponseWriter, r *http.Request) error {
	p, err := h.grouping(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.GroupValueList(p))
}

func (h editor) grouping(r *http.Request) (views.GroupValuesProps, error) {
	v, err := h.open(r)
	if err != nil {
		return views.GroupValuesProps{}, err
	}
	query := r.URL.Query()
	index, err := strconv.Atoi(cmp.Or(query.Get("index"), "0"))
	if err != nil {
		return views.GroupValuesProps{}, errForm.Wrap(err)
	}
	at := dashboards.Spot{Well: query.Get("well"), Index: index}
	if query.Has("expect") {
		expect := query.Get("expect")
		at.Expect = &expect
	}
	view, err := h.Dashboards.Grouping(r.Context(), v, chi.URLParam(r, "widget"), at, query.Get("q"))
	return views.GroupValuesProps{Path: r.URL.Path, View: view, Locale: v.Locale()}, err
}

// publish makes the draft what viewers see, as it is at the revision that the
// form says; without one, whatever it is.
func (h editor) publish(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	var rev int64
	if text := r.FormValue("rev"); text != "" {
		if rev, err = strconv.ParseInt(text, 10, 64); err != nil || rev < 0 {
			return errForm.Wrap(err)
		}
	}
	d, err := h.Dashboards.Publish(r.Context(), actor(r), id, rev, r.FormValue("note"))
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return renderJSON(w, http.StatusOK, map[string]any{"rev": d.Rev, "published_rev": d.PublishedRev, "published_at": d.PublishedAt})
	}
	return flashAndGo(w, r, "editor.published", views.PathDashboard(id.String()))
}

// versions shows what was kept, and what lies between two of them.
func (h editor) versions(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	d, err := h.Dashboards.GetDraft(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	list, total, err := h.Dashboards.ListVersions(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	p := views.DashboardVersionsProps{Dashboard: d, Versions: list, Total: total, Locale: locale.For(actor(r).Locale), Zone: actor(r).Location()}
	// It opens with what was changed last: since the newest version, or by it.
	var ends [2]int
	if query := r.URL.Query(); query.Has("from") || query.Has("to") {
		for i, name := range []string{"from", "to"} {
			if text := query.Get(name); text != "" {
				if ends[i], err = strconv.Atoi(text); err != nil {
					return dashboards.ErrVersionNotFound.Wrap(err)
				}
			}
		}
	} else if len(list) > 0 && list[0].Rev != d.Rev {
		ends[0] = list[0].Number
	} else if len(list) > 1 {
		ends = [2]int{list[1].Number, list[0].Number}
	}
	if ends != [2]int{} {
		c, err := h.Dashboards.CompareVersions(r.Context(), actor(r), id, ends[0], ends[1])
		if err != nil {
			return err
		}
		p.Comparison = &c
	}
	return renderPage(w, r, http.StatusOK, views.DashboardVersionsPageProps(r.Context(), p), views.DashboardVersions(p))
}

// nameVersion keeps the draft under a name.
func (h editor) nameVersion(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	var body struct {
		Name string `json:"name"`
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := readJSON(r, &body); err != nil {
			return err
		}
	} else {
		body.Name = r.FormValue("name")
	}
	number, err := h.Dashboards.NameVersion(r.Context(), actor(r), id, body.Name)
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return renderJSON(w, http.StatusCreated, map[string]any{"number": number})
	}
	return redirect(w, r, views.PathDashboardVersions(id.String()))
}

// restoreVersion makes the draft what a version was.
func (h editor) restoreVersion(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(chi.URLParam(r, "version"))
	if err != nil {
		return dashboards.ErrVersionNotFound.Wrap(err)
	}
	if _, err := h.Dashboards.RestoreVersion(r.Context(), actor(r), id, 0, number); err != nil {
		return err
	}
	return flashAndGo(w, r, "editor.restored", views.PathEditor(id.String()))
}
