package handlers

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
)

// mailSettings are how the mail of a workspace goes out and comes back.
type mailSettings struct{ *core }

func (h mailSettings) routes(r chi.Router) {
	r.Get(views.PathMailSettings, handle(h.show))
	r.Post(views.PathMailServer, handle(h.setServer))
	r.Post(views.PathMailServerRemove, handle(h.do("mail.server_removed", h.removeServer)))
	r.Post(views.PathMailTest, handle(h.test))
	r.Post(views.PathMailKey, handle(h.do("mail.key_created", h.createKey)))
	r.Post(views.PathMailKeyCheck, handle(h.does("key", "mail.key_found", h.checkKey)))
	r.Post(views.PathMailKeyRemove, handle(h.do("mail.key_removed", h.removeKey)))
	r.Post(views.PathMailbox, handle(h.setMailbox))
	r.Post(views.PathMailboxRead, handle(h.does("mailbox", "mail.mailbox_read", h.readMailbox)))
	r.Post(views.PathMailboxRemove, handle(h.do("mail.mailbox_removed", h.removeMailbox)))
	r.Post(views.PathMailHook, handle(h.createHook))
	r.Post(views.PathMailHookRemove, handle(h.do("mail.hook_removed", h.removeHook)))
	r.Post(views.PathMailClear, handle(h.do("mail.address_cleared", h.clear)))
}

func (h mailSettings) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, func(*views.MailSettingsProps) {})
}

func (h mailSettings) page(w http.ResponseWriter, r *http.Request, status int, with func(*views.MailSettingsProps)) error {
	i := identity(r)
	stored, err := h.Delivery.GetMail(r.Context(), i.Actor)
	if err != nil {
		return err
	}
	l, zone := locale.For(i.Locale), i.Actor.Location()
	p := views.MailSettingsProps{Mail: stored, Email: i.Email, HookURL: h.address(r) + views.PathMailEvents + i.Actor.TenantID.String(),
		Moment: func(at time.Time) string { return l.DateTime(at.In(zone)) }}
	if stored.Mailbox != nil {
		p.Box = *stored.Mailbox
	} else {
		p.Box = delivery.Mailbox{Port: 993, TLS: "tls"}
	}
	with(&p)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.MailSettingsPage(s, p))
}

// failed shows the page with what went wrong, at its fields where it is of those.
func (h mailSettings) failed(w http.ResponseWriter, r *http.Request, problem error, section string, with func(*views.MailSettingsProps)) error {
	public := apperr.Describe(problem)
	if public.Class == apperr.Internal || public.Class == apperr.Forbidden || strings.HasPrefix(public.Code, "database.") {
		return problem
	}
	// That another server does not do its part is an answer of this one.
	status := public.Class.Status()
	if status >= http.StatusInternalServerError {
		status = http.StatusUnprocessableEntity
	}
	return h.page(w, r, status, func(p *views.MailSettingsProps) {
		p.Section = section
		if len(public.Fields) > 0 {
			p.Errors = public.Fields
		} else {
			p.Error, p.Code = public.Sentence, public.Code
		}
		with(p)
	})
}

// do is a button that says what it did on the page that follows.
func (h mailSettings) do(said string, work func(r *http.Request) error) handlerFunc {
	return h.does("", said, work)
}

// does is a button of a section.
func (h mailSettings) does(section, said string, work func(r *http.Request) error) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := parseForm(r); err != nil {
			return err
		}
		if err := work(r); err != nil {
			return h.failed(w, r, err, section, func(*views.MailSettingsProps) {})
		}
		return flashAndGo(w, r, said, views.PathMailSettings)
	}
}

func (h mailSettings) setServer(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	get := r.PostFormValue
	port, _ := strconv.Atoi(get("port")) // nonsense is refused as 0
	m := delivery.MailServer{Host: get("host"), Port: port, TLS: get("tls"), Username: get("username"), Password: get("password"),
		FromName: get("from_name"), FromAddress: get("from_address"), BounceAddress: get("bounce_address")}
	if err := h.Delivery.SetMailServer(r.Context(), actor(r), m); err != nil {
		return h.failed(w, r, err, "server", func(p *views.MailSettingsProps) {
			m.HasPassword = p.Mail.Server.HasPassword
			p.Mail.Server = m
		})
	}
	return flashAndGo(w, r, "mail.server_saved", views.PathMailSettings)
}

// test sends with what is saved and says what the server answered.
func (h mailSettings) test(w http.ResponseWriter, r *http.Request) error {
	i := identity(r)
	letter := delivery.MailTest{Name: i.Name, Workspace: i.TenantName, Link: h.address(r) + views.PathMailSettings, At: time.Now()}
	answer, err := h.Delivery.TestMail(r.Context(), i.Actor, delivery.Recipient{Address: i.Email, Name: i.Name, Locale: i.Locale}, letter)
	if err != nil {
		return h.failed(w, r, err, "test", func(*views.MailSettingsProps) {})
	}
	return flashAndGo(w, r, "mail.test_sent", views.PathMailSettings, "Email", i.Email, "Answer", answer)
}

func (h mailSettings) removeServer(r *http.Request) error {
	return h.Delivery.RemoveMailServer(r.Context(), actor(r))
}

func (h mailSettings) createKey(r *http.Request) error {
	return h.Delivery.CreateMailKey(r.Context(), actor(r))
}

func (h mailSettings) checkKey(r *http.Request) error {
	return h.Delivery.CheckMailKey(r.Context(), actor(r))
}

func (h mailSettings) removeKey(r *http.Request) error {
	return h.Delivery.RemoveMailKey(r.Context(), actor(r))
}

func (h mailSettings) setMailbox(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	get := r.PostFormValue
	port, _ := strconv.Atoi(get("port")) // nonsense is refused as 0
	m := delivery.Mailbox{Host: get("host"), Port: port, TLS: get("tls"), Username: get("username"), Password: get("password"), Folder: get("mailbox")}
	if err := h.Delivery.SetMailbox(r.Context(), actor(r), m); err != nil {
		return h.failed(w, r, err, "mailbox", func(p *views.MailSettingsProps) { p.Box = m })
	}
	return flashAndGo(w, r, "mail.mailbox_saved", views.PathMailSettings)
}

func (h mailSettings) readMailbox(r *http.Request) error {
	return h.Delivery.ReadBounces(r.Context(), actor(r))
}

func (h mailSettings) removeMailbox(r *http.Request) error {
	return h.Delivery.RemoveMailbox(r.Context(), actor(r))
}

// createHook answers the key in the page itself, once: it must lie in no cookie
// and no address.
func (h mailSettings) createHook(w http.ResponseWriter, r *http.Request) error {
	key, err := h.Delivery.CreateHook(r.Context(), actor(r))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, http.StatusOK, func(p *views.MailSettingsProps) { p.HookKey = key })
}

func (h mailSettings) removeHook(r *http.Request) error {
	return h.Delivery.RemoveHook(r.Context(), actor(r))
}

func (h mailSettings) clear(r *http.Request) error {
	return h.Delivery.ClearAddress(r.Context(), actor(r), r.PostFormValue("address"))
}

// openedReports are the links to dashboards in mails of reports.
type openedReports struct{ *core }

func (h openedReports) routes(r chi.Router) {
	r.Get(reports.PathOpened+"{delivery}", handle(h.open))
}

// open leads on to the dashboard, and notes that the mail was read. It wants a
// session, so that a program that looks at links in mails is no reader.
func (h openedReports) open(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Delivery](chi.URLParam(r, "delivery"))
	if err != nil {
		return reports.ErrScheduleNotFound.Wrap(err)
	}
	path, err := h.Reports.OpenDashboard(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return redirect(w, r, path)
}

// mailEvents is where mail providers tell of bounces. They need not be signed in:
// each message is signed.
type mailEvents struct{ *core }

func (h mailEvents) routes(r chi.Router) {
	r.Post(views.PathMailEvents+"{tenant}", handle(h.take))
}

func (h mailEvents) take(w http.ResponseWriter, r *http.Request) error {
	tenant, err := ids.Parse[ids.Tenant](chi.URLParam(r, "tenant"))
	if err != nil || tenant.IsZero() {
		return errNoPage.Wrap(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return errForm.Wrap(err)
	}
	if err := h.Delivery.TakeEvents(r.Context(), tenant, r.Header, body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
