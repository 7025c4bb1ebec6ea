package handlers

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// heldRules say, widget by widget, what limits what a person or the bearer of an
// embed token sees.
type heldRules struct{ *core }

func (h heldRules) routes(r chi.Router) {
	r.Get(views.PathMembers+"/{id}/rules", handle(h.ofMember))
	r.Get(views.PathAPIKeys+"/{id}/rules", handle(h.ofKey))
	r.Post(views.PathTokenRules, handle(h.ofToken))
}

func (h heldRules) ofMember(w http.ResponseWriter, r *http.Request) error {
	user, err := memberInPath(r)
	if err != nil {
		return err
	}
	seen, err := h.Tenants.InspectRules(r.Context(), actor(r), user)
	if err != nil {
		return err
	}
	name, err := h.Tenants.GetMemberName(r.Context(), actor(r), user)
	if err != nil {
		return err
	}
	return h.ofSomebody(w, r, seen, views.HeldRulesProps{Title: messages.T(r.Context(), "held.title", "Name", name), Path: views.PathMemberRules(user.String()), Back: views.PathMembers,
		Tab: views.SettingsMembers})
}

func (h heldRules) ofKey(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.APIKey](chi.URLParam(r, "id"))
	if err != nil {
		return auth.ErrAPIKeyNotFound.Wrap(err)
	}
	seen, err := h.Auth.InspectAPIKey(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return h.ofSomebody(w, r, seen, views.HeldRulesProps{Title: messages.T(r.Context(), "held.title", "Name", seen.KeyName), Path: views.PathAPIKeyRules(id.String()),
		Back: views.PathAPIKeys, Tab: views.SettingsAPIKeys})
}

// ofSomebody shows one of the dashboards that somebody sees, to choose from.
func (h heldRules) ofSomebody(w http.ResponseWriter, r *http.Request, seen access.Actor, p views.HeldRulesProps) error {
	boards, err := h.Dashboards.List(r.Context(), seen, dashboards.ListQuery{Sort: dashboards.ByName, Limit: 500})
	if err != nil {
		return err
	}
	p.Attributes = tenants.Attributes(seen.Attributes).Lines()
	sights, err := h.sights(r, []access.Actor{seen})
	if err != nil {
		return err
	}
	p.Sight = &sights[0]
	chosen := r.URL.Query().Get("dashboard")
	for _, d := range boards.Entries {
		p.Dashboards = append(p.Dashboards, ui.Option{Value: d.ID.String(), Label: d.Name, Selected: d.ID.String() == chosen})
	}
	if chosen != "" {
		id, err := ids.Parse[ids.Dashboard](chosen)
		if err != nil {
			return dashboards.ErrNotFound.Wrap(err)
		}
		if err := h.add(r, &p, seen, id); err != nil {
			return err
		}
	}
	return h.page(w, r, p)
}

// ofToken answers the page at once: a token is in no address.
func (h heldRules) ofToken(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	text := r.PostForm.Get("token")
	visit, err := h.Embed.Inspect(r.Context(), actor(r), text)
	if class := apperr.Describe(err).Class; err != nil && (class == apperr.Unauthenticated || class == apperr.NotFound) {
		problem := map[string]string{"inspect": apperr.Describe(err).Sentence}
		return embedSettings(h).page(w, r, http.StatusUnprocessableEntity, func(p *views.EmbeddingProps) { p.TokenErrors = problem })
	}
	if err != nil {
		return err
	}
	p := views.HeldRulesProps{Title: messages.T(r.Context(), "held.token_title"), Back: views.PathEmbedding, Tab: views.SettingsEmbedding,
		Attributes: tenants.Attributes(visit.Actor.Attributes).Lines(), Locked: tenants.Attributes(visit.Actor.Locked).Lines()}
	if visit.Subject != "" {
		p.Title = messages.T(r.Context(), "held.title", "Name", visit.Subject)
	}
	for _, board := range visit.Dashboards {
		if err := h.add(r, &p, visit.Actor, board.ID); err != nil {
			return err
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, p)
}

func (h heldRules) add(r *http.Request, p *views.HeldRulesProps, seen access.Actor, id ids.Dashboard) error {
	name, list, err := h.Dashboards.ListPredicates(r.Context(), seen, id, words(r.Context()))
	if err != nil {
		return err
	}
	p.Boards = append(p.Boards, views.BoardRules{Name: name, Widgets: list})
	return nil
}

func (h heldRules) page(w http.ResponseWriter, r *http.Request, p views.HeldRulesProps) error {
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.HeldRulesPage(s, p))
}
