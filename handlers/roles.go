package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// customRoles are the pages on which a workspace makes roles of its own.
type customRoles struct{ *core }

func (h customRoles) routes(r chi.Router) {
	r.Get(views.PathRoles, handle(h.list))
	r.Post(views.PathRoles, handle(h.create))
	r.Get(views.PathRoles+"/{role}", handle(h.show))
	r.Post(views.PathRoles+"/{role}", handle(h.save))
	r.Post(views.PathRoles+"/{role}/delete", handle(h.delete))
}

func (h customRoles) list(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.RolesProps) {})
}

func (h customRoles) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.RolesProps)) error {
	list, err := h.Tenants.ListRoles(r.Context(), actor(r))
	if err != nil {
		return err
	}
	props := views.RolesProps{Form: views.RoleForm{Permissions: permissionOptions(actor(r), nil)}}
	for _, role := range roles {
		props.Fixed = append(props.Fixed, views.RoleRow{Name: roleName(r, role), Text: messages.T(r.Context(), "role."+string(role)+"_can"),
			Permissions: access.Actor{Kind: access.Person, Role: role}.Permissions()})
	}
	for _, role := range list {
		props.Own = append(props.Own, views.RoleRow{ID: role.ID.String(), Name: role.Name, People: role.People, Permissions: role.Permissions,
			CanChange: actor(r).Covers(role.Standing(), &role.CustomRole)})
	}
	with(&props)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.RolesPage(s, props))
}

// permissionOptions are what a role can hold; those beyond the actor's own can't
// be chosen.
func permissionOptions(a access.Actor, held []access.Permission) []views.PermissionOption {
	var options []views.PermissionOption
	for _, p := range access.Grantable {
		o := views.PermissionOption{Permission: p, Always: p == access.ViewContent, Beyond: !a.Covers(access.Viewer, &access.CustomRole{Permissions: []access.Permission{p}})}
		o.Held = o.Always
		for _, one := range held {
			o.Held = o.Held || one == p
		}
		options = append(options, o)
	}
	return options
}

func roleForm(r *http.Request) (name string, held []access.Permission) {
	for _, text := range r.PostForm["permission"] {
		held = append(held, access.Permission(text))
	}
	return r.PostForm.Get("name"), held
}

func (h customRoles) create(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name, held := roleForm(r)
	_, err := h.Tenants.CreateRole(r.Context(), actor(r), name, held)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.RolesProps) {
			p.Form = views.RoleForm{Name: name, Permissions: permissionOptions(actor(r), held), Errors: fields, Open: true}
		})
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "roles.saved", views.PathRoles, "Name", strings.Join(strings.Fields(name), " "))
}

func roleID(r *http.Request) (ids.Role, error) {
	id, err := ids.Parse[ids.Role](chi.URLParam(r, "role"))
	if err != nil {
		return id, tenants.ErrRoleNotFound.Wrap(err)
	}
	return id, nil
}

func (h customRoles) show(w http.ResponseWriter, r *http.Request) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	return h.rolePage(w, r, id, http.StatusOK, func(*views.RoleForm) {})
}

func (h customRoles) rolePage(w http.ResponseWriter, r *http.Request, id ids.Role, status int, with func(*views.RoleForm)) error {
	role, err := h.Tenants.GetRole(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	form := views.RoleForm{ID: id.String(), Name: role.Name, Permissions: permissionOptions(actor(r), role.Permissions),
		Locked: !actor(r).Covers(role.Standing(), &role)}
	with(&form)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.RolePage(s, role.Name, form))
}

func (h customRoles) save(w http.ResponseWriter, r *http.Request) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	name, held := roleForm(r)
	err = h.Tenants.SaveRole(r.Context(), actor(r), id, name, held)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.rolePage(w, r, id, http.StatusUnprocessableEntity, func(f *views.RoleForm) {
			f.Name, f.Permissions, f.Errors = name, permissionOptions(actor(r), held), fields
		})
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "roles.saved", views.PathRoles, "Name", strings.Join(strings.Fields(name), " "))
}

func (h customRoles) delete(w http.ResponseWriter, r *http.Request) error {
	id, err := roleID(r)
	if err != nil {
		return err
	}
	err = h.Tenants.DeleteRole(r.Context(), actor(r), id)
	if errors.Is(err, tenants.ErrRoleUsed) || errors.Is(err, tenants.ErrRoleOfKey) || errors.Is(err, tenants.ErrRoleMapped) {
		public := apperr.Describe(err)
		return h.page(w, r, public.Class.Status(), func(p *views.RolesProps) { p.Error, p.Code = public.Sentence, public.Code })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "roles.deleted", views.PathRoles)
}

// roleOptions are all roles, or with grant only those that the actor may give.
func (c *core) roleOptions(r *http.Request, grant bool) ([]ui.Option, error) {
	a := actor(r)
	var options []ui.Option
	for _, role := range roles {
		if !grant || a.Covers(role, nil) {
			options = append(options, ui.Option{Value: string(role), Label: roleName(r, role), Detail: messages.T(r.Context(), "role."+string(role)+"_can")})
		}
	}
	own, err := c.Tenants.ListRoles(r.Context(), a)
	if err != nil {
		return nil, err
	}
	for _, role := range own {
		if !grant || a.Covers(role.Standing(), &role.CustomRole) {
			options = append(options, ui.Option{Value: string(role.Value()), Label: role.Name, Detail: permissionNames(r, role.Permissions)})
		}
	}
	return options, nil
}

func permissionNames(r *http.Request, list []access.Permission) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = messages.T(r.Context(), "permission."+string(p))
	}
	return strings.Join(names, " · ")
}

// titleOf is what a role is called in the interface.
func titleOf(r *http.Request, role tenants.Role) string {
	if role.Custom != nil {
		return role.Custom.Name
	}
	return roleName(r, role.Standing)
}
