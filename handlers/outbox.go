package handlers

import (
	"context"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
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
	if props.Own, err = h.Delivery.Sends(r.Context(), i.Actor.TenantID); err != nil {
		return err
	}
	props.Own = props.Own && !props.Sends
	props.Mails = mailRows(list, locale.For(i.Locale), i.Actor.Location())
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.OutboxContent(props, false))
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
		var files []views.MailFile
		for n, f := range m.Files {
			files = append(files, views.MailFile{Name: f.Name, Size: l.FileSize(f.Bytes), Href: views.PathMailFile(m.ID.String(), n)})
		}
		rows[i] = views.MailRow{
			ID: m.ID.String(), To: m.To, Subject: m.Subject, State: views.MailState(m.State), Attempts: m.Attempts, Error: m.LastError,
			At: views.When{At: m.CreatedAt.In(zone), Now: now, Locale: l}, Text: m.Text, Link: linkOf(m.Text), Files: files,
		}
	}
	return rows
}

// file sends a file of a mail, in a demo.
func (h mailFiles) file(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Message](chi.URLParam(r, "mail"))
	if err != nil {
		return errNoPage.Wrap(err)
	}
	n, err := strconv.Atoi(chi.URLParam(r, "n"))
	if err != nil {
		return errNoPage.Wrap(err)
	}
	f, body, err := h.Delivery.OpenAttachment(r.Context(), actor(r), id, n)
	if err != nil {
		return err
	}
	defer body.Close()
	header := w.Header()
	header.Set("Content-Type", f.MediaType)
	header.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": f.Name}))
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = io.Copy(w, body) // whoever went away gets no more
	return nil
}

// mailFiles are the files of mails that were not sent.
type mailFiles struct{ *core }

func (h mailFiles) routes(r chi.Router) {
	r.Get(views.PathOutbox+"/{mail}/{n}", handle(h.noted("report.downloaded", "mail", "mail", h.file)))
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

// linkOf is the link that a mail is about; not the one that unsubscribes.
func linkOf(text string) string {
	for _, link := range linkInText.FindAllString(text, -1) {
		if !strings.Contains(link, reports.PathUnsubscribe) {
			return link
		}
	}
	return ""
}
