package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
)

// factors is a person's own two-factor sign-in.
type factors struct{ *core }

func (h factors) routes(r chi.Router) {
	r.Get(views.PathFactor, handle(h.show))
	r.Post(views.PathFactorStart, handle(h.start))
	r.Post(views.PathFactorConfirm, handle(h.confirm))
	r.Post(views.PathFactorRenew, handle(h.renew))
	r.Post(views.PathFactorRemove, handle(h.remove))
}

// mayWithoutFactor tells which pages are open to somebody who has to set up a
// second factor first.
func mayWithoutFactor(path string) bool {
	return path == views.PathFactor || strings.HasPrefix(path, views.PathFactor+"/")
}

func (h factors) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, views.FactorProps{})
}

func (h factors) page(w http.ResponseWriter, r *http.Request, status int, p views.FactorProps) error {
	found, err := h.Auth.GetFactor(r.Context(), identity(r))
	if err != nil {
		return err
	}
	p.On, p.Recovery, p.Required = found.On, found.Recovery, found.Required
	if !p.On {
		started, err := h.Auth.PendingFactor(r.Context(), identity(r))
		if err != nil && !errors.Is(err, auth.ErrFactorMissing) {
			return err
		}
		p.Secret, p.Image = spaced(started.Secret), started.Image
	}
	w.Header().Set("Cache-Control", "no-store")
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.FactorPage(s, p))
}

// spaced makes groups of four.
func spaced(text string) string {
	var out strings.Builder
	for n, c := range text {
		if n > 0 && n%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(c)
	}
	return out.String()
}

func (h factors) start(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.Auth.StartFactor(r.Context(), identity(r)); err != nil {
		return err
	}
	return redirect(w, r, views.PathFactor)
}

// wrong answers the page with what is wrong with a code.
func (h factors) wrong(w http.ResponseWriter, r *http.Request, form string, err error) error {
	public := apperr.Describe(err)
	if !errors.Is(err, auth.ErrCode) && !errors.Is(err, auth.ErrThrottled) && !errors.Is(err, auth.ErrFactorRequired) {
		return err
	}
	setRetryAfter(w, err)
	return h.page(w, r, public.Class.Status(), views.FactorProps{Errors: map[string]string{form: public.Sentence}})
}

func (h factors) confirm(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	codes, err := h.Auth.ConfirmFactor(r.Context(), identity(r), r.PostForm.Get("code"))
	if err != nil {
		return h.wrong(w, r, "confirm", err)
	}
	return h.page(w, r, http.StatusOK, views.FactorProps{Codes: codes})
}

func (h factors) renew(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	codes, err := h.Auth.RenewRecovery(r.Context(), identity(r), r.PostForm.Get("code"))
	if err != nil {
		return h.wrong(w, r, "renew", err)
	}
	return h.page(w, r, http.StatusOK, views.FactorProps{Codes: codes})
}

func (h factors) remove(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if err := h.Auth.RemoveFactor(r.Context(), identity(r), r.PostForm.Get("code")); err != nil {
		return h.wrong(w, r, "remove", err)
	}
	return flashAndGo(w, r, "factor.removed", views.PathAccount)
}
