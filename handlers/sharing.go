package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// shares are the dialogs in which folders, dashboards and datasets are shared,
// and the groups of people.
type shares struct{ *core }

func (h shares) routes(r chi.Router) {
	for kind, path := range map[sharing.Kind]string{sharing.Dashboard: views.PathDashboards, sharing.Folder: views.PathFolders, sharing.Dataset: views.PathDatasets} {
		r.Get(path+"/{id}/share", handle(h.of(kind, h.show)))
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
		people, groups, err := h.Sharing.ListSubjects(r.Context(), actor(r), o)
		if err != nil {
			return err
		}
		props.Subjects = subjectOptions(r, sheet, people, groups)
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

func subjectOptions(r *http.Request, sheet sharing.Sheet, people []sharing.Person, groups []sharing.Group) []ui.Option {
	var options []ui.Option
	for _, role := range []access.Role{access.Viewer, access.Editor} {
		subject := sharing.Subject{Role: role}
		given := false
		for _, g := range sheet.Grants {
			given = given || g.Subject == subject
		}
		if !given {
			options = append(options, ui.Option{Value: views.SubjectValue(subject), Label: views.SubjectName(r.Context(), sharing.Grant{Subject: subject})})
		}
	}
	for _, g := range groups {
		options = append(options, ui.Option{Value: views.SubjectValue(sharing.Subject{Group: g.ID}),
			Label: messages.T(r.Context(), "share.group_option", "Name", g.Name, "Count", g.Members)})
	}
	for _, p := range people {
		label := p.Name
		if p.Name != p.Email {
			label += " · " + p.Email
		}
		options = append(options, ui.Option{Value: views.SubjectValue(sharing.Subject{User: p.ID}), Label: label})
	}
	return options
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
