package handlers

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/ui"
)

// apiKeys are where a workspace has the keys with which programs ask.
type apiKeys struct{ *core }

func (h apiKeys) routes(r chi.Router) {
	r.Get(views.PathAPIKeys, handle(h.show))
	r.Post(views.PathAPIKeys, handle(h.create))
	r.Post(views.PathAPIKeys+"/revoke", handle(h.revoke))
	r.Post(views.PathAPIKeys+"/with-sso", handle(h.withSSO))
}

func (h apiKeys) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.APIKeysProps) {})
}

func (h apiKeys) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.APIKeysProps)) error {
	a := actor(r)
	list, withSSO, err := h.Auth.ListAPIKeys(r.Context(), a)
	if err != nil {
		return err
	}
	given, err := h.roleOptions(r, true)
	if err != nil {
		return err
	}
	p := views.APIKeysProps{Ends: endOptions(r), Site: h.address(r), WithSSO: withSSO, CanRule: access.Can(a, access.ManageWorkspace) == nil}
	for _, o := range given {
		if o.Value != string(access.Owner) {
			p.Roles = append(p.Roles, ui.Option{Value: o.Value, Label: o.Label})
		}
	}
	var whose []access.Actor
	var places []int
	now, gone := time.Now(), 0
	for _, k := range list {
		row := views.APIKeyRow{ID: k.ID.String(), Name: k.Name, By: k.CreatedBy, Attributes: strings.FieldsFunc(k.Attributes.Lines(), func(r rune) bool { return r == '\n' }), State: stateOf(k.ExpiresAt, k.RevokedAt, now),
			CanRevoke: a.Covers(k.Role.Standing, k.Role.Custom), Created: when(r, k.CreatedAt), Used: when(r, k.UsedAt), Ends: when(r, k.ExpiresAt)}
		if row.State != views.GrantRevoked {
			row.Role = titleOf(r, k.Role)
		} else if gone++; gone == auth.GoneAPIKeys {
			p.Gone = gone
		}
		p.Keys = append(p.Keys, row)
		if row.State != views.GrantRevoked && row.CanRevoke {
			whose, places = append(whose, k.Actor(a.TenantID)), append(places, len(p.Keys)-1)
		}
	}
	sights, err := h.sights(r, whose)
	if err != nil {
		return err
	}
	for n, at := range places {
		p.Keys[at].Sight = &sights[n]
	}
	with(&p)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.APIKeysPage(s, p))
}

func (h apiKeys) create(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.APIKeyForm{Name: strings.TrimSpace(r.PostForm.Get("name")), Role: r.PostForm.Get("role"), Attributes: r.PostForm.Get("attributes"), Days: r.PostForm.Get("days")}
	again := func(fields map[string]string) error {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.APIKeysProps) { p.Form, p.Errors = form, fields })
	}
	attributes, err := tenants.ParseAttributes(form.Attributes)
	if err != nil {
		return again(map[string]string{"attributes": apperr.Describe(err).Sentence})
	}
	ends, wrong := endOf(r)
	if wrong != nil {
		return again(wrong)
	}
	text, err := h.Auth.CreateAPIKey(r.Context(), actor(r), auth.NewAPIKey{Name: form.Name, Role: access.Role(form.Role), Attributes: attributes, ExpiresAt: ends})
	if fields, invalid := apperr.Fields(err); invalid {
		return again(fields)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, http.StatusOK, func(p *views.APIKeysProps) { p.NewKey = text })
}

func (h apiKeys) revoke(w http.ResponseWriter, r *http.Request) error {
	id, err := formID[ids.APIKey](r, auth.ErrAPIKeyNotFound)
	if err != nil {
		return err
	}
	if err := h.Auth.RevokeAPIKey(r.Context(), actor(r), id); err != nil {
		return err
	}
	return flashAndGo(w, r, "keys.revoked", views.PathAPIKeys)
}

func (h apiKeys) withSSO(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := h.Auth.AllowAPIKeysWithSSO(r.Context(), actor(r), r.PostForm.Get("allowed") != ""); err != nil {
		return err
	}
	return flashAndGo(w, r, "keys.saved", views.PathAPIKeys)
}
