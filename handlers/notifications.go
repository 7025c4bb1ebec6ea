package handlers

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
)

// notifications are what a person was told, and how they want to be.
type notifications struct{ *core }

func (h notifications) routes(r chi.Router) {
	r.Get(views.PathNotices, handle(h.show))
	r.Get(views.PathNoticesUnread, handle(h.unread))
	r.Post(views.PathNoticesRead, handle(h.read))
	r.Post(views.PathNotices+"/{id}/open", handle(h.open))
	r.Post(views.PathNoticesSettings, handle(h.settings))
}

func (h notifications) show(w http.ResponseWriter, r *http.Request) error {
	unread := r.URL.Query().Get("show") == "unread"
	list, err := h.Notify.List(r.Context(), actor(r), unread)
	if err != nil {
		return err
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.NoticesPage(s, views.NoticesProps{List: list, Unread: unread,
		Now: time.Now().In(actor(r).Location()), Locale: locale.For(actor(r).Locale)}))
}

// unread answers the number at the bell.
func (h notifications) unread(w http.ResponseWriter, r *http.Request) error {
	n, err := h.Notify.CountUnread(r.Context(), actor(r))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.BellCount(n))
}

// open marks one as read and goes where it leads.
func (h notifications) open(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(chi.URLParam(r, "id"))
	if err != nil {
		return notify.ErrNotFound.Wrap(err)
	}
	path, err := h.Notify.MarkRead(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return redirect(w, r, localPath(path, views.PathNotices))
}

// read marks one as read, or all where none is named.
func (h notifications) read(w http.ResponseWriter, r *http.Request) error {
	if text := r.PostFormValue("id"); text != "" {
		id, err := uuid.Parse(text)
		if err != nil {
			return notify.ErrNotFound.Wrap(err)
		}
		if _, err := h.Notify.MarkRead(r.Context(), actor(r), id); err != nil {
			return err
		}
	} else if err := h.Notify.MarkAllRead(r.Context(), actor(r)); err != nil {
		return err
	}
	return redirect(w, r, views.PathNotices)
}

func (h notifications) settings(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	var list []notify.Setting
	for _, k := range notify.Kinds {
		list = append(list, notify.Setting{Kind: k, InApp: slices.Contains(r.PostForm["app"], string(k)), Mail: slices.Contains(r.PostForm["mail"], string(k))})
	}
	if err := h.Notify.SaveSettings(r.Context(), actor(r), list); err != nil {
		return err
	}
	return flashAndGo(w, r, "account.saved", views.PathAccount)
}
