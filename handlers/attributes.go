package handlers

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// attributes are the pages on which people and groups get what rules on rows
// compare with.
type attributes struct{ *core }

func (h attributes) routes(r chi.Router) {
	r.Get(views.PathMembers+"/{id}/attributes", handle(h.ofMember))
	r.Post(views.PathMembers+"/{id}/attributes", handle(h.setMember))
	r.Get(views.PathGroups+"/{id}/attributes", handle(h.ofGroup))
	r.Post(views.PathGroups+"/{id}/attributes", handle(h.setGroup))
}

func memberInPath(r *http.Request) (ids.User, error) {
	id, err := ids.Parse[ids.User](chi.URLParam(r, "id"))
	if err != nil {
		return id, tenants.ErrMemberNotFound.Wrap(err)
	}
	return id, nil
}

func (h attributes) ofMember(w http.ResponseWriter, r *http.Request) error {
	id, err := memberInPath(r)
	if err != nil {
		return err
	}
	name, stored, err := h.Tenants.GetMemberAttributes(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return h.page(w, r, http.StatusOK, name, views.PathMembers, views.SettingsMembers, tenants.Attributes(stored).Lines(), "")
}

func (h attributes) page(w http.ResponseWriter, r *http.Request, status int, name, back string, tab views.SettingsTab, text, problem string) error {
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	props := views.AttributesProps{Title: messages.T(r.Context(), "rules.attr_title", "Name", name), Path: r.URL.Path, Back: back, Text: text, Error: problem}
	return render(w, r, status, views.AttributesPage(s, props, tab))
}

func (h attributes) setMember(w http.ResponseWriter, r *http.Request) error {
	id, err := memberInPath(r)
	if err != nil {
		return err
	}
	name, _, err := h.Tenants.GetMemberAttributes(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	text := r.PostFormValue("attributes")
	parsed, err := tenants.ParseAttributes(text)
	if err == nil {
		err = h.Tenants.SetMemberAttributes(r.Context(), actor(r), id, parsed)
	}
	if problem, wrong := invalid(err); wrong {
		return h.page(w, r, http.StatusUnprocessableEntity, name, views.PathMembers, views.SettingsMembers, text, problem)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "rules.attr_saved", views.PathMembers)
}

func (h attributes) ofGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := groupID(r)
	if err != nil {
		return err
	}
	group, _, err := h.Sharing.GetGroup(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	stored, err := h.Tenants.GetGroupAttributes(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return h.page(w, r, http.StatusOK, group.Name, views.PathGroups, views.SettingsGroups, tenants.Attributes(stored).Lines(), "")
}

func (h attributes) setGroup(w http.ResponseWriter, r *http.Request) error {
	id, err := groupID(r)
	if err != nil {
		return err
	}
	group, _, err := h.Sharing.GetGroup(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	text := r.PostFormValue("attributes")
	parsed, err := tenants.ParseAttributes(text)
	if err == nil {
		err = h.Tenants.SetGroupAttributes(r.Context(), actor(r), id, parsed)
	}
	if problem, wrong := invalid(err); wrong {
		return h.page(w, r, http.StatusUnprocessableEntity, group.Name, views.PathGroups, views.SettingsGroups, text, problem)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "rules.attr_saved", views.PathGroups)
}
