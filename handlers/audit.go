package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// auditPages show the audit log to owners and admins.
type auditPages struct{ *core }

func (h auditPages) routes(r chi.Router) {
	r.Get(views.PathAudit, handle(h.list))
	r.Post(views.PathAuditVerify, handle(h.verify))
	r.Get(views.PathAuditEntries+"{entry}", handle(h.entry))
	r.Get(views.PathAuditKeeping, handle(h.keeping))
	r.Post(views.PathAuditKeeping, handle(h.setDays))
	r.Post(views.PathAuditForward, handle(h.setForward))
}

// streams are the exports: they may be long, and are written as they are read.
func (h auditPages) streams(r chi.Router) { r.Get(views.PathAuditExport, handle(h.export)) }

const auditOnPage = 50

// auditFilter is what the address of the page says.
type auditFilter struct {
	query        audit.Query
	from, to     string // days of the person
	span, action string
}

func readAuditFilter(r *http.Request) auditFilter {
	values, zone := r.URL.Query(), actor(r).Location()
	f := auditFilter{span: values.Get("span"), from: values.Get("from"), to: values.Get("to"), action: values.Get("action")}
	now := time.Now().In(zone)
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	switch f.span {
	case "today":
		f.from, f.to = day(today), day(today)
	case "7", "30":
		days, _ := strconv.Atoi(f.span) // one of the two
		f.from, f.to = day(today.AddDate(0, 0, 1-days)), day(today)
	case "all":
		f.from, f.to = "", ""
	}
	q := audit.Query{Text: values.Get("q"), Outcome: values.Get("result"), Limit: auditOnPage}
	if since, err := time.ParseInLocation(time.DateOnly, f.from, zone); err == nil {
		q.Since = since
	} else {
		f.from = ""
	}
	if until, err := time.ParseInLocation(time.DateOnly, f.to, zone); err == nil {
		q.Until = until.AddDate(0, 0, 1)
	} else {
		f.to = ""
	}
	if person, err := ids.Parse[ids.User](values.Get("person")); err == nil {
		q.User = person
	}
	if slices.Contains(views.AuditFeatures, f.action) {
		q.Actions = []string{f.action}
	} else {
		f.action = ""
	}
	q.Named = views.AuditActionsNamed(r.Context(), q.Text)
	// "<microseconds>-<id>" is where the page before ended.
	at, id, _ := strings.Cut(values.Get("after"), "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	if key, idErr := uuid.Parse(id); err == nil && idErr == nil {
		q.After = audit.Key{At: time.UnixMicro(micros), ID: key}
	}
	f.query = q
	return f
}

// address is the page or export with this filter.
func (f auditFilter) address(path string, more ...string) string {
	v := url.Values{}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	for name, value := range map[string]string{"q": f.query.Text, "from": f.from, "to": f.to, "action": f.action, "result": f.query.Outcome} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !f.query.User.IsZero() {
		v.Set("person", f.query.User.String())
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func (h auditPages) list(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, nil)
}

func (h auditPages) page(w http.ResponseWriter, r *http.Request, verified *ui.NoticeProps) error {
	f, i := readAuditFilter(r), identity(r)
	page, err := h.Audit.List(r.Context(), i.Actor, f.query)
	if err != nil {
		return err
	}
	state, err := h.Audit.GetState(r.Context(), i.Actor)
	if err != nil {
		return err
	}
	people, err := h.Audit.ListPeople(r.Context(), i.Actor, time.Now().AddDate(0, 0, -state.Days))
	if err != nil {
		return err
	}
	h.Audit.Note(r.Context(), i.Actor, audit.Entry{Action: "audit.viewed", Target: "workspace", ID: i.Actor.TenantID.String()})
	l, zone := locale.For(i.Locale), i.Actor.Location()
	props := views.AuditProps{
		Zone: zoneAbbreviation(time.Now().In(zone)), Search: f.query.Text, Span: auditSpan(r, f, l, zone), Person: f.query.User.String(), Action: f.action, Result: f.query.Outcome,
		CanKeep: access.Can(i.Actor, access.ManageWorkspace) == nil,
		Sealed:  state.Head, Batches: l.Integer(state.Head), Days: state.Days, Filtered: f.address("") != "", Verified: verified,
		Results: []ui.Option{{Value: audit.Allowed, Label: messages.T(r.Context(), "audit.allowed")}, {Value: audit.Denied, Label: messages.T(r.Context(), "audit.denied")}},
		CSV:     f.address(views.PathAuditExport, "format", string(audit.CSV)), NDJSON: f.address(views.PathAuditExport, "format", string(audit.NDJSON)),
	}
	for _, feature := range views.AuditFeatures {
		props.Actions = append(props.Actions, ui.Option{Value: feature, Label: messages.T(r.Context(), "audit.feature."+feature)})
	}
	for _, person := range people {
		props.People = append(props.People, ui.Option{Value: person.ID.String(), Label: person.Name})
	}
	day := ""
	for _, line := range page.Lines {
		shown := auditLine(r, line, l, zone)
		if at := l.Date(line.At.In(zone)); at != day {
			shown.Day, day = at, at
		}
		props.Lines = append(props.Lines, shown)
	}
	if !f.query.After.At.IsZero() {
		props.Newest = f.address(views.PathAudit)
	}
	if !page.Next.At.IsZero() {
		props.Older = f.address(views.PathAudit, "after", fmt.Sprintf("%d-%s", page.Next.At.UnixMicro(), page.Next.ID))
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.AuditContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.AuditPage(s, props))
}

func zoneAbbreviation(t time.Time) string { return t.Format("MST") }

func auditSpan(r *http.Request, f auditFilter, l *locale.Locale, zone *time.Location) ui.DateRangeProps {
	p := ui.DateRangeProps{ID: "span", Name: "span", From: f.from, To: f.to, FromName: "from", ToName: "to", Label: messages.T(r.Context(), "audit.span"),
		FromLabel: messages.T(r.Context(), "audit.from"), ToLabel: messages.T(r.Context(), "audit.to"), Custom: messages.T(r.Context(), "audit.span_custom"),
		Apply: messages.T(r.Context(), "home.apply"), Summary: messages.T(r.Context(), "audit.span_all")}
	for _, span := range []string{"all", "today", "7", "30"} {
		p.Presets = append(p.Presets, ui.DatePreset{Label: messages.T(r.Context(), "audit.span_"+span), Value: span,
			Selected: span == f.span || span == "all" && f.from == "" && f.to == ""})
	}
	from, fromErr := time.ParseInLocation(time.DateOnly, f.from, zone)
	to, toErr := time.ParseInLocation(time.DateOnly, f.to, zone)
	switch {
	case fromErr == nil && toErr == nil && from.Equal(to):
		p.Summary = l.Date(from)
	case fromErr == nil && toErr == nil:
		p.Summary = l.DateRange(from, to)
	case fromErr == nil:
		p.Summary = l.Date(from) + " –"
	case toErr == nil:
		p.Summary = "– " + l.Date(to)
	}
	return p
}

func auditLine(r *http.Request, line audit.Line, l *locale.Locale, zone *time.Location) views.AuditLine {
	at := line.At.In(zone)
	name, icon := views.AuditWho(r.Context(), line)
	v := views.AuditLine{Href: views.PathAuditEntries + line.ID.String(), Time: at.Format("15:04:05"), ISO: at.Format(time.RFC3339), Name: name, Icon: icon,
		Action: views.AuditAction(r.Context(), line.Action), Mark: views.AuditMark(line.Action), Object: views.AuditObject(r.Context(), line), Address: line.Who.Address, Denied: line.Denied}
	if !line.User.IsZero() {
		v.UserID = line.User.String()
	}
	return v
}

func (h auditPages) entry(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(chi.URLParam(r, "entry"))
	if err != nil {
		return audit.ErrNotFound.Wrap(err)
	}
	line, err := h.Audit.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	l := locale.For(identity(r).Locale)
	props := views.AuditEntryProps{Line: line, Time: l.DateTimeZone(line.At.In(actor(r).Location()))}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.AuditEntryContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.AuditEntryPage(s, props))
}

// verify shows what came out above the list.
func (h auditPages) verify(w http.ResponseWriter, r *http.Request) error {
	v, err := h.Audit.Verify(r.Context(), actor(r), nil)
	if err != nil {
		return err
	}
	l := locale.For(identity(r).Locale)
	notice := ui.NoticeProps{Tone: ui.Positive, Assert: true, Text: messages.T(r.Context(), "audit.intact", "Entries", l.Integer(v.Entries),
		"Waiting", l.Integer(v.Waiting), "Head", l.Integer(v.Head), "Hash", v.HeadHash)}
	if v.Broken != nil {
		notice.Tone, notice.Text = ui.Negative, messages.T(r.Context(), "audit.broken", "Batch", v.Broken.Batch, "Reason", v.Broken.Reason)
	}
	return h.page(w, r, &notice)
}

func (h auditPages) export(w http.ResponseWriter, r *http.Request) error {
	format := audit.Format(r.URL.Query().Get("format"))
	x, err := h.Audit.OpenExport(r.Context(), actor(r), readAuditFilter(r).query, format)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", map[audit.Format]string{audit.CSV: "text/csv; charset=utf-8", audit.NDJSON: "application/x-ndjson"}[format])
	header.Set("Content-Disposition", "attachment; filename=audit-"+time.Now().UTC().Format("20060102-150405")+"."+string(format))
	if _, err := x.Write(r.Context(), w); err != nil {
		panic(http.ErrAbortHandler) // half of it is out: let the browser see that it broke off
	}
	return nil
}

func (h auditPages) keeping(w http.ResponseWriter, r *http.Request) error {
	return h.keepingPage(w, r, http.StatusOK, func(*views.AuditKeepingProps) {})
}

func (h auditPages) keepingPage(w http.ResponseWriter, r *http.Request, status int, with func(*views.AuditKeepingProps)) error {
	if err := access.Can(actor(r), access.ManageWorkspace); err != nil {
		return err
	}
	state, err := h.Audit.GetState(r.Context(), actor(r))
	if err != nil {
		return err
	}
	i := identity(r)
	l, now := locale.For(i.Locale), time.Now().In(i.Actor.Location())
	props := views.AuditKeepingProps{Days: strconv.Itoa(state.Days), Kinds: []ui.Option{
		{Value: "", Label: messages.T(r.Context(), "audit.kind_none")},
		{Value: audit.Syslog, Label: messages.T(r.Context(), "audit.kind_syslog")},
		{Value: audit.HEC, Label: messages.T(r.Context(), "audit.kind_hec")},
	}}
	if f := state.Forward; f != nil {
		props.Kind, props.Address, props.Sent = f.Kind, f.Address, messages.T(r.Context(), "audit.sent_none")
		if !f.SentAt.IsZero() {
			props.Sent = messages.T(r.Context(), "audit.sent", "Batch", l.Integer(f.Sent), "Head", l.Integer(state.Head), "When", l.DateTime(f.SentAt.In(now.Location())))
		}
		if f.Error != "" {
			props.Failed = messages.T(r.Context(), "audit.forward_failed", "Reason", f.Error)
		}
	}
	with(&props)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.AuditKeepingPage(s, props))
}

func (h auditPages) setDays(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	text := strings.TrimSpace(r.PostForm.Get("days"))
	days, _ := strconv.Atoi(text) // what is no number is no span either
	err := h.Audit.SetDays(r.Context(), actor(r), days)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.keepingPage(w, r, http.StatusUnprocessableEntity, func(p *views.AuditKeepingProps) { p.Days, p.Errors = text, fields })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "audit.saved", views.PathAuditKeeping)
}

func (h auditPages) setForward(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	kind, address := r.PostForm.Get("kind"), r.PostForm.Get("address")
	err := h.Audit.SetForward(r.Context(), actor(r), kind, address, strings.TrimSpace(r.PostForm.Get("token")))
	if fields, invalid := apperr.Fields(err); invalid {
		return h.keepingPage(w, r, http.StatusUnprocessableEntity, func(p *views.AuditKeepingProps) { p.Kind, p.Address, p.Errors = kind, address, fields })
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "audit.saved", views.PathAuditKeeping)
}

// noted is f with an entry of it in the audit log, for what changes nothing but
// is worth knowing: data that leaves, rows that are looked at. Param is the part
// of the address that names the object.
func (c *core) noted(action, target, param string, f handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) (err error) {
		// Also where the browser goes away in the middle: some of it is out.
		defer func() {
			if err != nil || c.Audit == nil {
				return
			}
			e := audit.Entry{Action: action, Target: target, ID: chi.URLParam(r, param)}
			if widget := chi.URLParam(r, "widget"); widget != "" {
				e.Detail = map[string]any{"widget": widget}
			}
			c.Audit.Note(r.Context(), actor(r), e)
		}()
		return f(w, r)
	}
}
