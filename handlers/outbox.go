package handlers

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/platform/telemetry"
	"github.com/dataflowhq/dataflow/views"
)

// outbox shows an admin which mails went out. In a demo nothing goes out: the
// mails themselves are shown.
type outbox struct{ *core }

func (h outbox) routes(r chi.Router) {
	r.Get(views.PathOutbox, handle(h.show))
}

// show answers the outbox of the signed-in person's workspace. Whoever sits at
// the machine of a demo also gets it signed out: a person who forgot their
// password finds the link there.
func (h outbox) show(w http.ResponseWriter, r *http.Request) error {
	props := views.OutboxProps{Demo: h.ShowOutbox, Sends: h.Delivery.SendsMail()}
	i := scopeOf(r).identity
	if i == nil {
		if !h.ShowOutbox || !fromThisMachine(r) {
			return errSignInNeeded
		}
		list, err := h.Delivery.ListDemoOutbox(r.Context())
		if err != nil {
			return err
		}
		props.Mails = mailRows(list, locale.For(r.Header.Get("Accept-Language")), time.UTC)
		return render(w, r, http.StatusOK, views.BareOutboxPage(bareShell(w, r), props))
	}
	list, err := h.Delivery.ListOutbox(r.Context(), i.Actor)
	if err != nil {
		return err
	}
	props.Mails = mailRows(list, locale.For(i.Locale), i.Actor.Location())
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.OutboxContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.OutboxPage(s, props))
}

var linkInText = regexp.MustCompile(`https?://\S+`)

func mailRows(list []delivery.Message, l *locale.Locale, zone *time.Location) []views.MailRow {
	rows := make([]views.MailRow, len(list))
	now := time.Now().In(zone)
	for i, m := range list {
		rows[i] = views.MailRow{
			ID: m.ID.String(), To: m.To, Subject: m.Subject, State: views.MailState(m.State), Attempts: m.Attempts, Error: m.LastError,
			At: views.When{At: m.CreatedAt.In(zone), Now: now, Locale: l}, Text: m.Text, Link: linkInText.FindString(m.Text),
		}
	}
	return rows
}

type localKey struct{}

// noticeThisMachine remembers who asks from this machine, before middleware
// drops what proxies say. Most requests need not know.
func noticeThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == views.PathOutbox || r.URL.Path == "/readyz" {
			r = r.WithContext(context.WithValue(r.Context(), localKey{}, telemetry.FromThisMachine(r)))
		}
		next.ServeHTTP(w, r)
	})
}

func fromThisMachine(r *http.Request) bool {
	here, _ := r.Context().Value(localKey{}).(bool)
	return here
}
