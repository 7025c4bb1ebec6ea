package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// embedSettings are where a workspace has its keys for embedding and its public
// links.
type embedSettings struct{ *core }

func (h embedSettings) routes(r chi.Router) {
	r.Route(views.PathEmbedding, func(r chi.Router) {
		r.Get("/", handle(h.show))
		r.Post("/keys", handle(h.createKey))
		r.Post("/keys/revoke", handle(h.revokeKey))
		r.Post("/tokens/revoke", handle(h.revokeToken))
		r.Post("/links", handle(h.createLink))
		r.Post("/links/allow", handle(h.allowLinks))
		r.Post("/links/revoke", handle(h.revokeLink))
	})
}

func (h embedSettings) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.EmbeddingProps) {})
}

func (h embedSettings) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.EmbeddingProps)) error {
	a := actor(r)
	keys, err := h.Embed.ListKeys(r.Context(), a)
	if err != nil {
		return err
	}
	allowed, err := h.Embed.LinksAllowed(r.Context(), a)
	if err != nil {
		return err
	}
	links, err := h.Embed.ListLinks(r.Context(), a)
	if err != nil {
		return err
	}
	boards, err := h.Dashboards.List(r.Context(), a, dashboards.ListQuery{Sort: dashboards.ByName, Limit: 500})
	if err != nil {
		return err
	}
	p := views.EmbeddingProps{LinksAllowed: allowed, Sample: h.SampleSite, Site: h.address(r), Ends: endOptions(r)}
	names := map[ids.Dashboard]string{}
	for _, d := range boards.Entries {
		names[d.ID] = d.Name
		p.Dashboards = append(p.Dashboards, ui.Option{Value: d.ID.String(), Label: d.Name})
	}
	now := time.Now()
	for _, k := range keys {
		row := views.EmbedKeyRow{ID: k.ID.String(), Name: k.Name, Origins: k.Origins, State: stateOf(k.ExpiresAt, k.RevokedAt, now),
			Created: when(r, k.CreatedAt), By: k.CreatedBy, Used: when(r, k.UsedAt), Ends: when(r, k.ExpiresAt)}
		for _, id := range k.Dashboards {
			if name, ok := names[id]; ok {
				row.Dashboards = append(row.Dashboards, name)
			}
		}
		row.Scoped = len(k.Dashboards) > 0
		p.Keys = append(p.Keys, row)
	}
	for _, l := range links {
		p.Links = append(p.Links, views.PublicLinkRow{ID: l.ID.String(), Name: l.Name, Dashboard: l.DashboardName, Href: views.PathDashboard(l.Dashboard.String()),
			Locked: l.Locked, Downloads: l.Downloads, State: stateOf(l.ExpiresAt, l.RevokedAt, now), Created: when(r, l.CreatedAt), By: l.CreatedBy,
			Used: when(r, l.UsedAt), Ends: when(r, l.ExpiresAt)})
	}
	with(&p)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.EmbeddingPage(s, p))
}

func stateOf(ends, revoked, now time.Time) views.GrantState {
	switch {
	case !revoked.IsZero():
		return views.GrantRevoked
	case !ends.IsZero() && !now.Before(ends):
		return views.GrantEnded
	}
	return views.GrantOpen
}

// lasting are the days that keys and links can be made for; 0 is for ever.
var lasting = []int{7, 30, 90, 365, 0}

func endOptions(r *http.Request) []ui.Option {
	var list []ui.Option
	for _, days := range lasting {
		label := messages.T(r.Context(), "embed.never")
		if days > 0 {
			label = messages.T(r.Context(), "embed.in_days", "Count", days)
		}
		list = append(list, ui.Option{Value: strconv.Itoa(days), Label: label})
	}
	return list
}

// mostDays is how many days a key or a link can be made for.
const mostDays = 3650

// endOf is when something ends that a form makes, zero for never. What is wrong
// with it stands in the fields: nothing lasts for ever by mistake.
func endOf(r *http.Request) (ends time.Time, fields map[string]string) {
	text := r.PostForm.Get("days")
	days, err := strconv.Atoi(text)
	switch {
	case text == "0":
		return time.Time{}, nil
	case err != nil || days <= 0 || days > mostDays:
		return time.Time{}, map[string]string{"expires": messages.T(r.Context(), "embed.bad_days", "Most", mostDays)}
	}
	return time.Now().Add(time.Duration(days) * 24 * time.Hour), nil
}

func (h embedSettings) createKey(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.EmbedKeyForm{Name: r.PostForm.Get("name"), Origins: r.PostForm.Get("origins"), Days: r.PostForm.Get("days"), Dashboards: r.PostForm["dashboard"]}
	key := embed.Key{Name: form.Name, Origins: strings.Fields(strings.ReplaceAll(form.Origins, ",", " "))}
	again := func(fields map[string]string) error {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.EmbeddingProps) { p.Key, p.KeyErrors = form, fields })
	}
	var wrong map[string]string
	if key.ExpiresAt, wrong = endOf(r); wrong != nil {
		return again(wrong)
	}
	for _, text := range form.Dashboards {
		id, err := ids.Parse[ids.Dashboard](text)
		if err != nil {
			return dashboards.ErrNotFound.Wrap(err)
		}
		key.Dashboards = append(key.Dashboards, id)
	}
	text, err := h.Embed.CreateKey(r.Context(), actor(r), key)
	if fields, invalid := apperr.Fields(err); invalid {
		return again(fields)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, http.StatusOK, func(p *views.EmbeddingProps) { p.NewKey = text })
}

// formID is the id that a form names; of nothing where it is none.
func formID[T ~[16]byte](r *http.Request, missing error) (T, error) {
	if err := parseForm(r); err != nil {
		return T{}, err
	}
	id, err := ids.Parse[T](r.PostForm.Get("id"))
	if err != nil {
		return id, missing
	}
	return id, nil
}

func (h embedSettings) revokeKey(w http.ResponseWriter, r *http.Request) error {
	id, err := formID[ids.EmbedKey](r, embed.ErrKeyNotFound)
	if err != nil {
		return err
	}
	if err := h.Embed.RevokeKey(r.Context(), actor(r), id); err != nil {
		return err
	}
	return flashAndGo(w, r, "embed.key_revoked", views.PathEmbedding)
}

func (h embedSettings) revokeToken(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	text := r.PostForm.Get("token")
	err := h.Embed.RevokeToken(r.Context(), actor(r), text)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.EmbeddingProps) { p.Token, p.TokenErrors = text, fields })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "embed.token_revoked", views.PathEmbedding)
}

func (h embedSettings) createLink(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.PublicLinkForm{Name: r.PostForm.Get("name"), Dashboard: r.PostForm.Get("dashboard"), Days: r.PostForm.Get("days"), Downloads: r.PostForm.Has("downloads")}
	board, err := ids.Parse[ids.Dashboard](form.Dashboard)
	if err != nil {
		return dashboards.ErrNotFound.Wrap(err)
	}
	again := func(fields map[string]string) error {
		return h.page(w, r, http.StatusUnprocessableEntity, func(p *views.EmbeddingProps) { p.Link, p.LinkErrors = form, fields })
	}
	ends, wrong := endOf(r)
	if wrong != nil {
		return again(wrong)
	}
	secret, err := h.Embed.CreateLink(r.Context(), actor(r), embed.Link{Name: form.Name, Dashboard: board, Downloads: form.Downloads, ExpiresAt: ends}, r.PostForm.Get("password"))
	if fields, invalid := apperr.Fields(err); invalid {
		return again(fields)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, http.StatusOK, func(p *views.EmbeddingProps) { p.NewLink = p.Site + views.PathPublic + "/" + secret })
}

func (h embedSettings) allowLinks(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := h.Embed.AllowLinks(r.Context(), actor(r), r.PostForm.Has("allowed")); err != nil {
		return err
	}
	return flashAndGo(w, r, "embed.links_saved", views.PathEmbedding)
}

func (h embedSettings) revokeLink(w http.ResponseWriter, r *http.Request) error {
	id, err := formID[ids.Link](r, embed.ErrLinkNotFound)
	if err != nil {
		return err
	}
	if err := h.Embed.RevokeLink(r.Context(), actor(r), id); err != nil {
		return err
	}
	return flashAndGo(w, r, "embed.link_revoked", views.PathEmbedding)
}
