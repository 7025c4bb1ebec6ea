package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// shares are the dialogs in which folders, dashboards and datasets are shared,
// and the groups of people.
type shares struct{ *core }

func (h shares) routes(r chi.Router) {
	for kind, path := range map[sharing.Kind]string{sharing.Dashboard: views.PathDashboards, sharing.Folder: views.PathFolders, sharing.Dataset: views.PathDatasets} {
		r.Get(path+"/{id}/share", handle(h.of(kind, h.show)))
		r.Get(path+"/{id}/share/subjects", handle(h.of(kind, h.subjects)))
		r.Post(path+"/{id}/share", handle(h.of(kind, h.share)))
		r.Post(path+"/{id}/share/remove", handle(h.of(kind, h.unshare)))
		r.Post(path+"/{id}/share/restrict", handle(h.of(kind, h.restrict)))
	}
	r.Get(views.PathGroups, handle(h.groups))
	r.Post(views.PathGroups, handle(h.createGroup))
	r.Get(views.PathGroups+"/{id}", handle(h.group))
	r.Post(views.PathGroups+"/{id}", handle(h.saveGroup))
	r.Post(views.PathGroups+"/{id}/delete", handle(h.deleteGroup))
}

// of reads what is shared out of the path.
func (h shares) of(kind sharing.Kind, next func(http.ResponseWriter, *http.Request, sharing.Object) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := uuid.Parse(chi.URLParam(r, "id"))
		if err != nil {
			return sharing.ErrNotFound.Wrap(err)
		}
		return next(w, r, sharing.Object{Kind: kind, ID: id})
	}
}

func (h shares) show(w http.ResponseWriter, r *http.Request, o sharing.Object) error {
	return h.sheet(w, r, o, http.StatusOK, "")
}

// sheet answers the dialog, or a page with it, as things stand now.
func (h shares) sheet(w http.ResponseWriter, r *http.Request, o sharing.Object, status int, problem string) error {
	sheet, err := h.Sharing.Get(r.Context(), actor(r), o)
	if err != nil {
		return err
	}
	props := views.ShareProps{Sheet: sheet, Path: sharePath(o), Link: h.link(r, o), Error: problem}
	if sheet.CanShare {
		if props.Subjects, err = h.findSubjects(r, o, sheet); err != nil {
			return err
		}
	}
	dialog := views.ShareDialog(props)
	if isPartial(r) {
		return render(w, r, status, dialog)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.FormPage(s, messages.T(r.Context(), "share.title", "Name", sheet.Name), dialog))
}

func sharePath(o sharing.Object) string {
	paths := map[sharing.Kind]string{sharing.Dashboard: views.PathDashboards, sharing.Folder: views.PathFolders, sharing.Dataset: views.PathDatasets}
	return paths[o.Kind] + "/" + o.ID.String() + "/share"
}

// link leads to what is shared, as whoever shares it sees it: with the filters
// that are chosen on the page behind the dialog.
func (h shares) link(r *http.Request, o sharing.Object) string {
	path, query := strings.TrimSuffix(sharePath(o), "/share"), ""
	origin := strings.TrimSuffix(h.BaseURL, "/")
	if from, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && from.Host != "" {
		origin = from.Scheme + "://" + from.Host
		if o.Kind == sharing.Dashboard && (from.Path == path || from.Path == path+"/edit") {
			query = from.RawQuery
		}
	}
	if o.Kind == sharing.Folder {
		path, query = views.PathDashboards, url.Values{"folder": {o.ID.String()}}.Encode()
	}
	if query != "" {
		path += "?" + query
	}
	return origin + path
}

// subjects answers the list of the dialog under a search.
func (h shares) subjects(w http.ResponseWriter, r *http.Request, o sharing.Object) error {
	sheet, err := h.Sharing.Get(r.Context(), actor(r), o)
	if err != nil {
		return err
	}
	found, err := h.findSubjects(r, o, sheet)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShareSubjects(found))
}

// shownSubjects is how many people and groups the dialog lists at a time.
const shownSubjects = 20

// findSubjects are the roles, groups and people that something is not shared
// with, whose name or address holds each word of q.
func (h shares) findSubjects(r *http.Request, o sharing.Object, sheet sharing.Sheet) (views.ShareSubjectsProps, error) {
	people, groups, err := h.Sharing.ListSubjects(r.Context(), actor(r), o)
	if err != nil {
		return views.ShareSubjectsProps{}, err
	}
	p := views.ShareSubjectsProps{Search: r.URL.Query().Get("q")}
	words := strings.Fields(strings.ToLower(p.Search))
	add := func(s sharing.Subject, name, detail string) {
		text := strings.ToLower(name + " " + detail)
		for _, word := range words {
			if !strings.Contains(text, word) {
				return
			}
		}
		if len(p.Found) == shownSubjects {
			p.More++
			return
		}
		found := views.ShareSubject{Value: views.SubjectValue(s), Name: name, Detail: detail}
		if !s.User.IsZero() {
			found.Person = s.User.String()
		}
		p.Found = append(p.Found, found)
	}
	for _, role := range []access.Role{access.Viewer, access.Editor} {
		subject := sharing.Subject{Role: role}
		if !slices.ContainsFunc(sheet.Grants, func(g sharing.Grant) bool { return g.Subject == subject }) {
			add(subject, views.SubjectName(r.Context(), sharing.Grant{Subject: subject}), "")
		}
	}
	for _, g := range groups {
		add(sharing.Subject{Group: g.ID}, g.Name, messages.T(r.Context(), "groups.members", "Count", g.Members))
	}
	for _, one := range people {
		add(sharing.Subject{User: one.ID}, one.Name, one.Email)
	}
	return p, nil
}

// parseSubject reads what views.SubjectValue wrote.
func parseSubject(text string) (sharing.Subject, error) {
	kind, id, _ := strings.Cut(text, ":")
	var s sharing.Subject
	var err error
	switch kind {
	case "user":
		s.User, err = ids.Parse[ids.User](id)
	case "group":
		s.Group, err = ids.Parse[ids.Group](id)
	case "role":
		s.Role = access.Role(id)
	}
	if err != nil || s.ID() == uuid.Nil {
		return s, sharing.ErrSubject.Wrap(err)
	}
	return s, nil
}

// done answers the dialog after a change, or says in it why there was none.
func (h shares) done(w http.ResponseWriter, r *http.Request, o sharing.Object, err error) error {
	if public := apperr.Describe(err); err != nil && (public.Class == apperr.Conflict || public.Class == apperr.Invalid) {
		return h.sheet(w, r, o, public.Class.Status(), public.Sentence)
	}
	if err != nil {
		return err
	}
	if !isHTMX(r) {
		return redirect(w, r, sharePath(o))
	}
	return h.sheet(w, r, o, http.StatusOK, "")
}

func (h shares) share(w http.ResponseWriter, r *http.Request, o sharing.Object) error {
	subject, err := parseSubject(r.PostFormValue("subject"))
	if err == nil {
		err = h.Sharing.Share(r.Context(), actor(r), o, subject, r.PostFormValue("level") == "edit")
	}
	return h.done(w, r, o, err)
}

func (h shares) unshare(w http.ResponseWriter, r *http.Request, o sharing.Object) error {
	subject, err := parseSubject(r.PostFormValue("subject"))
	if err == nil {
		err = h.Sharing.Unshare(r.Context(), actor(r), o, subject)
	}
	return h.done(w, r, o, err)
}

func (h shares) restrict(w http.ResponseWriter, r *http.Request, o sharing.Object) error {
	return h.done(w, r, o, h.Sharing.Restrict(r.Context(), actor(r), o, r.PostFormValue("restricted") == "true"))
}

func (h shares) groups(w http.ResponseWriter, r *http.Request) error {
	return h.groupsPage(w, r, http.StatusOK, views.GroupForm{})
}

func (h shares) groupsPage(w http.ResponseWriter, r *http.Request, status int, form views.GroupForm) error {
	list, err := h.Sharing.ListGroups(r.Context(), actor(r))
	if err != nil {
		return err
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.GroupsPage(s, views.GroupsProps{Groups: list, Form: form}))
}

func (h shares) createGroup(w http.ResponseWriter, r *http.Request) error {
	name := r.PostFormValue("name")
	group, err := h.Sharing.CreateGroup(r.Context(), actor(r), name)
	if text, invalid := fieldError(err, "name"); invalid {
		return h.groupsPage(w, r, apperr.Describe(err).Class.Status(), views.GroupForm{Name: name, Error: text, Open: true})
	}
	if err != nil {
		return err
	}
	return redirect(w, r, views.PathGroup(group.ID.String()))
}

func groupID(r *http.Request) (ids.Group, error) {
	id, err := ids.Parse[ids.Group](chi.URLParam(r, "id"))
	if err != nil {
		return id, sharing.ErrGroupNotFound.Wrap(err)
	}
	return id, nil
}

func (h shares) group(w http.ResponseWriter, r *http.Request) error {
	return h.groupPage(w, r, http.StatusOK, nil)
}

func (h shares) groupPage(w http.ResponseWriter, r *http.Request, status int, with func(*views.GroupProps)) error {
	id, err := groupID(r)
	if err != nil {
		return err
	}
	group, people, err := h.Sharing.GetGroup(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	props := views.GroupProps{ID: id.String(), Name: group.Name, People: people}
	if with != nil {
		with(&props)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.GroupPage(s, props))
}

func (h shares) saveGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := groupID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	members := []ids.User{}
	for _, text := range r.PostForm["member"] {
		if user, err := ids.Parse[ids.User](text); err == nil {
			members = append(members, user)
		}
	}
	name := r.PostForm.Get("name")
	err = h.Sharing.SaveGroup(r.Context(), actor(r), id, name, members)
	if text, invalid := fieldError(err, "name"); invalid {
		return h.groupPage(w, r, apperr.Describe(err).Class.Status(), func(p *views.GroupProps) { p.Name, p.Error = name, text })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "groups.saved", views.PathGroups, "Name", name)
}

func (h shares) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := groupID(r)
	if err != nil {
		return err
	}
	if err := h.Sharing.DeleteGroup(r.Context(), actor(r), id); err != nil {
		return err
	}
	return flashAndGo(w, r, "groups.deleted", views.PathGroups)
}
