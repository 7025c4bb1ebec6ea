package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// home is the catalogue of dashboards and folders, and what can be done with
// one of them as a whole.
type home struct{ *core }

func (h home) routes(r chi.Router) {
	r.Get("/", handle(h.recent))
	r.Get("/dashboards", handle(h.list))
	r.Get("/dashboards/new", handle(h.newForm))
	r.Post("/dashboards", handle(h.create))
	r.Get("/dashboards/{id}/rename", handle(h.renameForm))
	r.Post("/dashboards/{id}/rename", handle(h.rename))
	r.Get("/dashboards/{id}/move", handle(h.moveForm))
	r.Post("/dashboards/{id}/move", handle(h.move))
	r.Get("/dashboards/{id}/tags", handle(h.tagsForm))
	r.Post("/dashboards/{id}/tags", handle(h.tags))
	r.Post("/dashboards/{id}/star", handle(h.star))
	r.Post("/dashboards/{id}/duplicate", handle(h.duplicate))
	r.Post("/dashboards/{id}/delete", handle(h.delete))
	r.Post("/dashboards/{id}/restore", handle(h.restore))
	r.Post("/dashboards/undo", handle(h.undo))
	r.Post("/dashboards/redo", handle(h.redo))
	h.templateRoutes(r)
	r.Post("/folders", handle(h.createFolder))
	r.Get("/folders/{id}/rename", handle(h.renameFolderForm))
	r.Get("/folders/{id}/move", handle(h.moveFolderForm))
	r.Post("/folders/{id}/move", handle(h.moveFolder))
	r.Post("/folders/{id}/rename", handle(h.renameFolder))
	r.Post("/folders/{id}/delete", handle(h.deleteFolder))
}

// recent is the first page of the product: what the person opened last.
func (h home) recent(w http.ResponseWriter, r *http.Request) error {
	return h.catalogue(w, r, views.NavHome)
}

// list is every dashboard.
func (h home) list(w http.ResponseWriter, r *http.Request) error {
	return h.catalogue(w, r, views.NavDashboards)
}

const pageOfBoards = 60

// layoutCookie remembers tiles or list.
const layoutCookie = "boards"

func (h home) catalogue(w http.ResponseWriter, r *http.Request, active views.NavID) error {
	a, query := actor(r), r.URL.Query()
	q := dashboards.ListQuery{Search: query.Get("q"), Tag: query.Get("tag"), Starred: query.Get("starred") == "1",
		Sort: dashboards.Sort(query.Get("sort")), Limit: pageOfBoards}
	// An id that is none lists nothing, like one of another workspace.
	if text := query.Get("folder"); text != "" {
		q.Folder, _ = ids.Parse[ids.Folder](text)
	}
	if text := query.Get("owner"); text != "" {
		q.Owner, _ = ids.Parse[ids.User](text)
	}
	filtered := q.Search != "" || q.Tag != "" || q.Starred || query.Get("folder") != "" || query.Get("owner") != ""
	page, err := strconv.Atoi(query.Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	q.Limit = pageOfBoards * min(page, 10)
	path := views.PathDashboards
	if active == views.NavHome {
		path = views.PathHome
		if q.Sort == "" {
			q.Sort = dashboards.ByOpened
		}
		if !filtered {
			q.Limit = 6
		}
	}
	listing, err := h.Dashboards.List(r.Context(), a, q)
	if err != nil {
		return err
	}
	facets, err := h.Dashboards.ListFacets(r.Context(), a)
	if err != nil {
		return err
	}
	props := views.HomeProps{Active: active, Path: path, Total: listing.Total, Matches: listing.Matches, Search: q.Search,
		Filtered: filtered, CanEdit: access.Can(a, access.EditContent) == nil, Drop: drop(r, "")}
	if listing.Total > 0 {
		props.New = views.PathNewDashboard
	}
	l, now := locale.For(a.Locale), time.Now().In(a.Location())
	for _, e := range listing.Entries {
		props.Cards = append(props.Cards, card(e, q.Sort, l, now, a))
	}
	props.Unopened = !slices.ContainsFunc(listing.Entries, func(e dashboards.Entry) bool { return !e.OpenedAt.IsZero() })
	props.OnlyFolder = q.Search == "" && q.Tag == "" && !q.Starred && q.Owner.IsZero()
	h.placeFolders(&props, facets.Folders, q.Folder, func(id ids.Folder) string { return withParam(path, query, "folder", id.String()) })
	for _, t := range facets.Tags {
		props.Tags = append(props.Tags, ui.Option{Value: t.Name, Label: t.Name, Count: strconv.Itoa(t.Dashboards), Selected: t.Name == q.Tag})
	}
	for _, o := range facets.Owners {
		props.Owners = append(props.Owners, ui.Option{Value: o.ID.String(), Label: o.Name, Selected: o.ID == q.Owner})
	}
	for _, s := range []dashboards.Sort{dashboards.ByOpened, dashboards.ByChange, dashboards.ByName, dashboards.ByAge} {
		selected := s == q.Sort || q.Sort == "" && s == dashboards.ByChange
		props.Sorts = append(props.Sorts, ui.Option{Value: string(s), Label: messages.T(r.Context(), "boards.sort_"+string(s)), Selected: selected})
	}
	h.layout(w, r, &props)
	props.GridHref, props.ListHref = withParam(path, query, "layout", "grid"), withParam(path, query, "layout", "list")
	if len(listing.Entries) < listing.Matches && (active != views.NavHome || filtered) {
		props.MoreHref = withParam(path, query, "page", strconv.Itoa(page+1))
	}
	if id, err := ids.Parse[ids.Dashboard](query.Get("deleted")); err == nil && props.CanEdit {
		props.Undo = views.UndoNotice{Text: messages.T(r.Context(), "boards.deleted", "Name", query.Get("name")),
			Action: views.PathDashboard(id.String()) + "/restore", Label: messages.T(r.Context(), "boards.undo")}
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.HomeContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.HomePage(s, props))
}

// layout takes a choice of tiles or list from the URL and keeps it.
func (h home) layout(w http.ResponseWriter, r *http.Request, p *views.HomeProps) {
	chosen := r.URL.Query().Get("layout")
	if chosen == "grid" || chosen == "list" {
		http.SetCookie(w, &http.Cookie{Name: layoutCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
			Secure: scopeOf(r).secure, SameSite: http.SameSiteLaxMode})
	} else if cookie, err := r.Cookie(layoutCookie); err == nil {
		chosen = cookie.Value
	}
	p.List = chosen == "list"
}

func card(e dashboards.Entry, sort dashboards.Sort, l *locale.Locale, now time.Time, a access.Actor) views.DashboardCard {
	at := e.UpdatedAt
	switch sort {
	case dashboards.ByOpened:
		at = e.OpenedAt
	case dashboards.ByAge:
		at = e.CreatedAt
	}
	when := views.When{Now: now, Locale: l}
	if !at.IsZero() {
		when.At = at.In(a.Location())
	}
	return views.DashboardCard{ID: e.ID.String(), Name: e.Name, Folder: e.FolderName, Tags: e.Tags, Widgets: len(e.Config.Widgets),
		Live: e.Live, Starred: e.Starred, OwnerKey: e.Owner.String(), OwnerName: e.OwnerName, When: when,
		Thumbnail: views.Thumbnail(e.Config), CanEdit: e.CanEdit}
}

// withParam is the page with one parameter changed; pages begin anew.
func withParam(path string, query url.Values, name, value string) string {
	changed := url.Values{}
	for k, v := range query {
		if k != "page" && k != "deleted" && k != "name" {
			changed[k] = v
		}
	}
	changed.Del(name)
	if value != "" {
		changed.Set(name, value)
	}
	if len(changed) == 0 {
		return path
	}
	return path + "?" + changed.Encode()
}

// form answers a small form: into the dialog of the page, or as a page.
func (h home) form(w http.ResponseWriter, r *http.Request, status int, title string, form templ.Component) error {
	if isPartial(r) {
		return render(w, r, status, form)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.FormPage(s, title, form))
}

// fieldError is what a form says of one field; ok is false for any other error.
func fieldError(err error, field string) (string, bool) {
	fields, ok := apperr.Fields(err)
	if !ok {
		return "", false
	}
	text, ok := fields[field]
	return text, ok
}

func (h home) get(r *http.Request) (dashboards.Dashboard, error) {
	id, err := dashboardID(r)
	if err != nil {
		return dashboards.Dashboard{}, err
	}
	return h.Dashboards.Get(r.Context(), actor(r), id)
}

// back is where the person came from, or the list.
func back(r *http.Request) string {
	from, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if err != nil || from.Path == "" {
		if from, err = url.Parse(r.Referer()); err != nil || from.Path == "" {
			return views.PathDashboards
		}
	}
	return localPath(from.RequestURI(), views.PathDashboards)
}

func (h home) renameForm(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.rename_title"), views.RenameForm(views.BoardForm{Action: r.URL.Path, Value: d.Name}))
}

func (h home) rename(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	name := r.PostFormValue("name")
	_, err = h.Dashboards.Rename(r.Context(), actor(r), id, name)
	if text, invalid := fieldError(err, "name"); invalid {
		return h.form(w, r, http.StatusUnprocessableEntity, messages.T(r.Context(), "boards.rename_title"),
			views.RenameForm(views.BoardForm{Action: r.URL.Path, Value: name, Error: text}))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, back(r))
}

func (h home) moveForm(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	facets, err := h.Dashboards.ListFacets(r.Context(), actor(r))
	if err != nil {
		return err
	}
	options := folderOptions(r, facets.Folders, d.Folder, ids.Folder{})
	return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.move_title"), views.MoveForm(views.BoardForm{Action: r.URL.Path}, options))
}

func (h home) move(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	folder, err := postedFolder(r, "folder")
	if err != nil {
		return err
	}
	if err := h.Dashboards.Move(r.Context(), actor(r), id, folder); err != nil {
		return err
	}
	return redirect(w, r, back(r))
}

func (h home) tagsForm(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.tags_title"),
		views.TagsForm(views.BoardForm{Action: r.URL.Path, Value: strings.Join(d.Tags, ", ")}))
}

func (h home) tags(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	text := r.PostFormValue("tags")
	err = h.Dashboards.SetTags(r.Context(), actor(r), id, strings.Split(text, ","))
	if problem, invalid := fieldError(err, "tags"); invalid {
		return h.form(w, r, http.StatusUnprocessableEntity, messages.T(r.Context(), "boards.tags_title"),
			views.TagsForm(views.BoardForm{Action: r.URL.Path, Value: text, Error: problem}))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, back(r))
}

// star answers the star in its new state.
func (h home) star(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	on := r.PostFormValue("starred") == "true"
	if err := h.Dashboards.Star(r.Context(), actor(r), id, on); err != nil {
		return err
	}
	if !isHTMX(r) {
		return redirect(w, r, back(r))
	}
	d, err := h.Dashboards.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.StarButton(id.String(), d.Name, on))
}

func (h home) duplicate(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	made, err := h.Dashboards.Duplicate(r.Context(), actor(r), d.ID, messages.T(r.Context(), "boards.copy_of", "Name", d.Name))
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathDashboard(made.ID.String()))
}

// delete goes to the list, which offers to take it back.
func (h home) delete(w http.ResponseWriter, r *http.Request) error {
	d, err := h.get(r)
	if err != nil {
		return err
	}
	if err := h.Dashboards.Delete(r.Context(), actor(r), d.ID); err != nil {
		return err
	}
	return redirect(w, r, views.PathDashboards+"?"+url.Values{"deleted": {d.ID.String()}, "name": {d.Name}}.Encode())
}

func (h home) restore(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	if err := h.Dashboards.Undelete(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathDashboards)
}

// newForm asks from which dataset.
func (h home) newForm(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.EditContent); err != nil {
		return err
	}
	list, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	templates, err := h.Dashboards.ListTemplates(r.Context(), actor(r))
	if err != nil {
		return err
	}
	wanted := r.URL.Query().Get("dataset")
	var options []ui.Option
	for _, d := range list {
		if d.Rows != 0 {
			options = append(options, ui.Option{Value: d.ID.String(), Label: d.Name, Selected: d.ID.String() == wanted})
		}
	}
	return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.new_title"),
		views.NewDashboardForm(views.BoardForm{Action: views.PathDashboards}, options, templates))
}

// create makes a first dashboard out of a dataset's columns, or an empty one
// to be built by hand.
func (h home) create(w http.ResponseWriter, r *http.Request) error {
	dataset, err := ids.Parse[ids.Dataset](r.PostFormValue("dataset"))
	if err != nil {
		return errForm.Wrap(err)
	}
	if r.PostFormValue("start") == "blank" {
		d, err := h.Dashboards.Create(r.Context(), actor(r), dashboards.NewDashboard{
			Name: messages.T(r.Context(), "boards.blank_name"), Config: dashboards.Blank(dataset), Draft: true})
		if err != nil {
			return err
		}
		return redirect(w, r, views.PathEditor(d.ID.String()))
	}
	// A look through many rows takes its time: the page says so, and asks again.
	ctx, cancel := context.WithTimeout(r.Context(), suggestLater)
	defer cancel()
	d, err := h.Dashboards.CreateSuggested(ctx, actor(r), dataset)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.looking"), views.Looking(dataset.String()))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathDashboard(d.ID.String()))
}

// undo takes back what the person did last to a dashboard or folder as a whole.
func (h home) undo(w http.ResponseWriter, r *http.Request) error {
	return h.takeBack(w, r, "boards.undone", h.Dashboards.UndoDeed)
}

func (h home) redo(w http.ResponseWriter, r *http.Request) error {
	return h.takeBack(w, r, "boards.redone", h.Dashboards.RedoDeed)
}

func (h home) takeBack(w http.ResponseWriter, r *http.Request, key string, how func(context.Context, access.Actor) (dashboards.Done, error)) error {
	done, err := how(r.Context(), actor(r))
	if err != nil {
		return err
	}
	if done.Kind == dashboards.DeedShare {
		key = map[string]string{"boards.undone": "boards.undone_share", "boards.redone": "boards.redone_share"}[key]
	}
	return flashAndGo(w, r, key, localPath(r.PostFormValue("back"), views.PathDashboards), "Name", done.Name)
}

func folderID(r *http.Request) (ids.Folder, error) {
	id, err := ids.Parse[ids.Folder](chi.URLParam(r, "id"))
	if err != nil {
		return id, dashboards.ErrFolderNotFound.Wrap(err)
	}
	return id, nil
}

func (h home) createFolder(w http.ResponseWriter, r *http.Request) error {
	parent, err := postedFolder(r, "parent")
	if err != nil {
		return err
	}
	name := r.PostFormValue("name")
	folder, err := h.Dashboards.CreateFolder(r.Context(), actor(r), parent, name)
	if text, invalid := fieldError(err, "name"); invalid {
		form := views.BoardForm{Value: name, Error: text}
		if isPartial(r) {
			return render(w, r, http.StatusUnprocessableEntity, views.NewFolderFields(r.PostFormValue("parent"), form))
		}
		return h.form(w, r, http.StatusUnprocessableEntity, messages.T(r.Context(), "home.new_folder"), views.NewFolderForm(r.PostFormValue("parent"), form))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, withParam(views.PathDashboards, nil, "folder", folder.ID.String()))
}

func (h home) renameFolderForm(w http.ResponseWriter, r *http.Request) error {
	id, err := folderID(r)
	if err != nil {
		return err
	}
	facets, err := h.Dashboards.ListFacets(r.Context(), actor(r))
	if err != nil {
		return err
	}
	for _, f := range facets.Folders {
		if f.ID == id {
			return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.folder_rename"),
				views.RenameFolderForm(views.BoardForm{Action: r.URL.Path, Value: f.Name}))
		}
	}
	return dashboards.ErrFolderNotFound
}

// placeFolders shows the folders in the chosen one, and the way to it.
func (h home) placeFolders(p *views.HomeProps, all []dashboards.Folder, chosen ids.Folder, href func(ids.Folder) string) {
	byID := map[ids.Folder]dashboards.Folder{}
	for _, f := range all {
		byID[f.ID] = f
	}
	if _, there := byID[chosen]; !there {
		chosen = ids.Folder{}
	}
	card := func(f dashboards.Folder) views.FolderCard {
		return views.FolderCard{ID: f.ID.String(), Name: f.Name, Count: f.Dashboards, CanEdit: f.CanEdit, Restricted: f.Restricted, Href: href(f.ID)}
	}
	for _, f := range all {
		if f.Parent == chosen {
			p.Folders = append(p.Folders, card(f))
		}
	}
	if chosen.IsZero() {
		return
	}
	p.Folder = card(byID[chosen])
	for above := byID[chosen].Parent; !above.IsZero(); above = byID[above].Parent {
		p.Trail = append([]views.FolderCard{card(byID[above])}, p.Trail...)
	}
}

// folderOptions are the folders that something may be put into, below each
// other as they lie; without one, and what lies in it.
func folderOptions(r *http.Request, all []dashboards.Folder, selected, without ids.Folder) []ui.Option {
	options := []ui.Option{{Value: "", Label: messages.T(r.Context(), "boards.no_folder"), Selected: selected.IsZero()}}
	skip := -1 // depth of the folder that is left out, while in it
	for _, f := range all {
		if skip >= 0 && f.Depth > skip {
			continue
		}
		if skip = -1; f.ID == without {
			skip = f.Depth
			continue
		}
		options = append(options, ui.Option{Value: f.ID.String(), Label: strings.Repeat("\u2003", f.Depth) + f.Name, Selected: f.ID == selected,
			Disabled: !f.CanEdit})
	}
	return options
}

// postedFolder is a folder that a form names, zero for none.
func postedFolder(r *http.Request, field string) (ids.Folder, error) {
	text := r.PostFormValue(field)
	if text == "" {
		return ids.Folder{}, nil
	}
	id, err := ids.Parse[ids.Folder](text)
	if err != nil {
		return id, dashboards.ErrFolderNotFound.Wrap(err)
	}
	return id, nil
}

func (h home) moveFolderForm(w http.ResponseWriter, r *http.Request) error {
	id, err := folderID(r)
	if err != nil {
		return err
	}
	facets, err := h.Dashboards.ListFacets(r.Context(), actor(r))
	if err != nil {
		return err
	}
	for _, f := range facets.Folders {
		if f.ID == id {
			return h.form(w, r, http.StatusOK, messages.T(r.Context(), "boards.folder_move"),
				views.MoveFolderForm(views.BoardForm{Action: r.URL.Path}, folderOptions(r, facets.Folders, f.Parent, id)))
		}
	}
	return dashboards.ErrFolderNotFound
}

func (h home) moveFolder(w http.ResponseWriter, r *http.Request) error {
	id, err := folderID(r)
	if err != nil {
		return err
	}
	parent, err := postedFolder(r, "folder")
	if err != nil {
		return err
	}
	if err := h.Dashboards.MoveFolder(r.Context(), actor(r), id, parent); err != nil {
		return err
	}
	return redirect(w, r, back(r))
}

func (h home) renameFolder(w http.ResponseWriter, r *http.Request) error {
	id, err := folderID(r)
	if err != nil {
		return err
	}
	name := r.PostFormValue("name")
	err = h.Dashboards.RenameFolder(r.Context(), actor(r), id, name)
	if text, invalid := fieldError(err, "name"); invalid {
		return h.form(w, r, http.StatusUnprocessableEntity, messages.T(r.Context(), "boards.folder_rename"),
			views.RenameFolderForm(views.BoardForm{Action: r.URL.Path, Value: name, Error: text}))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, back(r))
}

func (h home) deleteFolder(w http.ResponseWriter, r *http.Request) error {
	id, err := folderID(r)
	if err != nil {
		return err
	}
	if err := h.Dashboards.DeleteFolder(r.Context(), actor(r), id); err != nil {
		return err
	}
	return redirect(w, r, views.PathDashboards)
}
