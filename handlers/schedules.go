package handlers

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// schedules are reports that are sent again and again.
type schedules struct{ *core }

func (h schedules) routes(r chi.Router) {
	r.Get(views.PathSchedules, handle(h.list))
	r.Post(views.PathSchedules, handle(h.create))
	r.Get(views.PathNewSchedule, handle(h.form))
	r.Get("/schedules/{schedule}", handle(h.list))
	r.Post("/schedules/{schedule}", handle(h.update))
	r.Get("/schedules/{schedule}/edit", handle(h.edit))
	r.Get("/schedules/{schedule}/preview", handle(h.preview))
	r.Get("/schedules/{schedule}/document", handle(h.document))
	r.Post("/schedules/{schedule}/{act}", handle(h.act))
}

func scheduleID(r *http.Request) (ids.Schedule, error) {
	id, err := ids.Parse[ids.Schedule](chi.URLParam(r, "schedule"))
	if err != nil {
		return id, reports.ErrScheduleNotFound.Wrap(err)
	}
	return id, nil
}

// list shows all that fit, with the one of the address beside them.
func (h schedules) list(w http.ResponseWriter, r *http.Request) error {
	a, query := actor(r), r.URL.Query()
	all, err := h.Reports.ListSchedules(r.Context(), a)
	if err != nil {
		return err
	}
	props := views.SchedulesProps{Show: query.Get("show"), Search: query.Get("q"), Zone: a.Location(), Locale: locale.For(a.Locale)}
	for _, one := range all {
		paused := !one.PausedAt.IsZero()
		if props.Show == "active" && paused || props.Show == "paused" && !paused {
			continue
		}
		if strings.Contains(strings.ToLower(one.Name+"\n"+one.DashboardName), strings.ToLower(props.Search)) {
			props.List = append(props.List, one)
		}
	}
	if chi.URLParam(r, "schedule") != "" {
		id, err := scheduleID(r)
		if err != nil {
			return err
		}
		one, err := h.Reports.GetSchedule(r.Context(), a, id)
		if err != nil {
			return err
		}
		props.Chosen = &one
		if v, err := h.filtered(r, one.Dashboard, one.Spec.Filters); err == nil {
			props.Filters = views.ShownFilters(r.Context(), v)
		}
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.SchedulesContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.SchedulesPage(s, props))
}

// form asks for a new schedule: of the dashboard and with the filters of the
// address, or of one to choose.
func (h schedules) form(w http.ResponseWriter, r *http.Request) error {
	a, query := actor(r), r.URL.Query()
	if err := access.Can(a, access.EditContent); err != nil {
		return err
	}
	state, err := dashboards.ParseState(query)
	if err != nil {
		return err
	}
	f := reports.ScheduleForm{Spec: reports.Spec{Format: reports.PDF, Paper: paperOf(a.Locale), Filters: state.Encode()}, When: "weekdays at 8:00",
		ResendUnknown: true, LinkAbove: reports.DefaultLinkAbove, Users: []ids.User{a.UserID}}
	props := views.ScheduleFormProps{Dashboard: query.Get("dashboard"), Form: f}
	if props.Dashboard != "" {
		id, err := ids.Parse[ids.Dashboard](props.Dashboard)
		if err != nil {
			return dashboards.ErrNotFound.Wrap(err)
		}
		d, err := h.Dashboards.Get(r.Context(), a, id)
		if err != nil {
			return err
		}
		props.Form.Name = d.Name
		all, err := h.Reports.ListSchedules(r.Context(), a)
		if err != nil {
			return err
		}
		for _, one := range all {
			if one.Dashboard == id && one.OwnerVisitor.IsZero() {
				props.Others = append(props.Others, one)
			}
		}
	}
	return h.answer(w, r, http.StatusOK, props)
}

// filtered opens a dashboard to say what its filters are, asking no widget.
func (h schedules) filtered(r *http.Request, id ids.Dashboard, filters string) (*dashboards.View, error) {
	query, err := url.ParseQuery(filters)
	if err != nil {
		return nil, dashboards.ErrFilters.Wrap(err)
	}
	state, err := dashboards.ParseState(query)
	if err != nil {
		return nil, err
	}
	state.Tab = dashboards.AllTabs
	return h.Dashboards.Open(r.Context(), actor(r), dashboards.OpenRequest{ID: id, State: state, Now: time.Now().Truncate(time.Minute), Words: words(r.Context())})
}

// answer shows the form with what belongs around it.
func (h schedules) answer(w http.ResponseWriter, r *http.Request, status int, props views.ScheduleFormProps) error {
	a := actor(r)
	var err error
	if props.Members, err = h.Reports.ListMembers(r.Context(), a); err != nil {
		return err
	}
	if props.Channels, err = h.Delivery.ListChannels(r.Context(), a); err != nil {
		return err
	}
	if props.Dashboard == "" {
		all, err := h.Dashboards.List(r.Context(), a, dashboards.ListQuery{Limit: 200})
		if err != nil {
			return err
		}
		for _, d := range all.Entries {
			props.Dashboards = append(props.Dashboards, ui.Option{Value: d.ID.String(), Label: d.Name, Selected: d.ID == props.Form.Dashboard})
		}
	}
	dashboard, _ := ids.Parse[ids.Dashboard](props.Dashboard) // none yet: visitors of all portals
	schedule, _ := ids.Parse[ids.Schedule](props.ID)          // none yet: nobody is chosen
	if v, err := h.filtered(r, dashboard, props.Form.Spec.Filters); err == nil {
		props.Filters = views.ShownFilters(r.Context(), v)
	}
	outsiders, named, err := h.Reports.ListOutsiders(r.Context(), a, dashboard, schedule)
	if err != nil {
		return err
	}
	props.Visitors, props.Groups = outsiderOptions(r.Context(), outsiders, props.Form)
	props.Names = named || len(props.Form.Named) > 0
	props.Outside = access.Can(a, access.SendOutside) == nil
	props.Zones = zoneOptions(props.Form.Zone, messages.T(r.Context(), "schedules.zone_workspace"))
	for i := range props.Zones {
		props.Zones[i].Selected = props.Zones[i].Value == props.Form.Zone
	}
	if props.Addresses == "" {
		props.Addresses = strings.Join(props.Form.Addresses, "\n")
	}
	title := messages.T(r.Context(), "schedules.new")
	return home(h).form(w, r, status, title, views.ScheduleForm(props))
}

func (h schedules) read(r *http.Request) (f reports.ScheduleForm, err error) {
	if err := parseForm(r); err != nil {
		return f, err
	}
	paper, side, _ := strings.Cut(r.PostFormValue("paper"), " ")
	limit, _ := strconv.ParseInt(r.PostFormValue("link_above"), 10, 64) // nonsense is the usual size
	f = reports.ScheduleForm{Name: r.PostFormValue("name"), When: strings.TrimSpace(r.PostFormValue("when")), Zone: r.PostFormValue("zone"),
		OnData: r.PostFormValue("trigger") == "data", OnlyIfRows: r.PostFormValue("only_if_rows") != "", ResendUnknown: r.PostFormValue("resend_unknown") != "",
		LinkAbove: limit, Addresses: strings.FieldsFunc(r.PostFormValue("addresses"), func(c rune) bool { return c == '\n' || c == '\r' || c == ',' || c == ';' }),
		Spec: reports.Spec{Format: reports.Format(strings.ToUpper(r.PostFormValue("format"))), Paper: reports.Paper(paper), Landscape: side == "landscape",
			Filters: r.PostFormValue("filters")}, Rows: r.PostFormValue("rows"), Attributes: r.PostFormValue("attributes")}
	if r.PostFormValue("no_filters") != "" {
		f.Spec.Filters = ""
	}
	for _, text := range r.PostForm["user"] {
		id, err := ids.Parse[ids.User](text)
		if err != nil {
			return f, errForm.Wrap(err)
		}
		f.Users = append(f.Users, id)
	}
	f.Named = strings.FieldsFunc(r.PostFormValue("named"), func(c rune) bool { return c == '\n' || c == '\r' })
	if f.Visitors, err = readIDs[ids.Visitor](r, "visitor"); err != nil {
		return f, err
	}
	if f.Groups, err = readIDs[ids.Group](r, "visitor_group"); err != nil {
		return f, err
	}
	f.Channels, err = readIDs[ids.Channel](r, "channel")
	return f, err
}

func (h schedules) create(w http.ResponseWriter, r *http.Request) error {
	f, err := h.read(r)
	if err != nil {
		return err
	}
	if f.Dashboard, err = ids.Parse[ids.Dashboard](r.PostFormValue("dashboard")); err != nil {
		return dashboards.ErrNotFound.Wrap(err)
	}
	id, err := h.Reports.CreateSchedule(r.Context(), actor(r), f)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.answer(w, r, http.StatusUnprocessableEntity, views.ScheduleFormProps{Dashboard: f.Dashboard.String(), Form: f, Errors: fields})
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "schedules.saved", views.PathSchedule(id.String()))
}

func (h schedules) edit(w http.ResponseWriter, r *http.Request) error {
	id, err := scheduleID(r)
	if err != nil {
		return err
	}
	one, err := h.Reports.GetSchedule(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	if !one.OwnerVisitor.IsZero() {
		return reports.ErrVisitorsOwn
	}
	if query := r.URL.Query(); query.Has("filters") { // of the dashboard, where somebody chose others
		chosen, err := url.ParseQuery(query.Get("filters"))
		if err != nil {
			return dashboards.ErrFilters.Wrap(err)
		}
		state, err := dashboards.ParseState(chosen)
		if err != nil {
			return err
		}
		one.Spec.Filters = state.Encode()
	}
	return h.answer(w, r, http.StatusOK, views.ScheduleFormProps{ID: id.String(), Dashboard: one.Dashboard.String(), Form: one.ScheduleForm})
}

// preview sends the picture of what the person was sent last.
func (h schedules) preview(w http.ResponseWriter, r *http.Request) error {
	id, err := scheduleID(r)
	if err != nil {
		return err
	}
	picture, err := h.Reports.OpenPreview(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	defer picture.Close()
	w.Header().Set("Content-Type", reports.PNG.MediaType())
	w.Header().Set("Cache-Control", "private, no-store")
	_, _ = io.Copy(w, picture) // whoever went away gets no more
	return nil
}

// document sends the document that the person was sent last, to be looked at.
func (h schedules) document(w http.ResponseWriter, r *http.Request) error {
	id, err := scheduleID(r)
	if err != nil {
		return err
	}
	document, err := h.Reports.OpenDocument(r.Context(), actor(r), id, r.URL.Query().Has("look"))
	if err != nil {
		return err
	}
	defer document.Body.Close()
	w.Header().Set("Content-Type", reports.PDF.MediaType())
	w.Header().Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": document.Name}))
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Content-Length", strconv.FormatInt(document.Bytes, 10))
	if _, err := io.Copy(w, document.Body); err != nil {
		panic(http.ErrAbortHandler) // never a part that looks whole
	}
	return nil
}

func (h schedules) update(w http.ResponseWriter, r *http.Request) error {
	id, err := scheduleID(r)
	if err != nil {
		return err
	}
	f, err := h.read(r)
	if err != nil {
		return err
	}
	err = h.Reports.UpdateSchedule(r.Context(), actor(r), id, f)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.answer(w, r, http.StatusUnprocessableEntity, views.ScheduleFormProps{ID: id.String(), Dashboard: r.PostFormValue("dashboard"), Form: f, Errors: fields})
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "schedules.saved", views.PathSchedule(id.String()))
}

// act does what a button of the panel says.
func (h schedules) act(w http.ResponseWriter, r *http.Request) error {
	id, err := scheduleID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	a, ctx, back := actor(r), r.Context(), views.PathSchedule(id.String())
	said := "schedules.saved"
	switch chi.URLParam(r, "act") {
	case "send":
		err, said = h.Reports.SendNow(ctx, a, id, false), "schedules.sent"
	case "test":
		err, said = h.Reports.SendNow(ctx, a, id, true), "schedules.tested"
	case "pause":
		err = h.Reports.PauseSchedule(ctx, a, id)
	case "resume":
		err = h.Reports.ResumeSchedule(ctx, a, id)
	case "delete":
		err, said, back = h.Reports.DeleteSchedule(ctx, a, id), "schedules.deleted", views.PathSchedules
	case "retry":
		line, parseErr := ids.Parse[ids.Delivery](r.PostFormValue("delivery"))
		if parseErr != nil {
			return reports.ErrScheduleNotFound.Wrap(parseErr)
		}
		err, said = h.Reports.RetryDelivery(ctx, a, id, line), "schedules.retried"
	case "retry-all":
		run, parseErr := ids.Parse[ids.Run](r.PostFormValue("run"))
		if parseErr != nil {
			return reports.ErrScheduleNotFound.Wrap(parseErr)
		}
		again, retryErr := h.Reports.RetryRun(ctx, a, id, run)
		if err, said = retryErr, "schedules.retried"; again == 0 {
			said = "schedules.none_to_retry"
		}
	default:
		return errNoPage
	}
	if errors.Is(err, reports.ErrSchedulePaused) {
		return wayOn{err, "schedules.to_resume", back}
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, said, back)
}

// sentReports are what links in mails lead to: files, and the page that
// unsubscribes. Who follows them need not be signed in.
type sentReports struct{ *core }

func (h sentReports) routes(r chi.Router) { h.unsubscribing(r) }

// files are sent as they are, with no compression in their way.
func (h sentReports) files(r chi.Router) {
	r.Get(reports.PathSent+"{tenant}/{delivery}", handle(h.file))
}

func (h sentReports) unsubscribing(r chi.Router) {
	r.Get(reports.PathUnsubscribe+"{tenant}/{recipient}", handle(h.unsubscribe))
	r.Post(reports.PathUnsubscribe+"{tenant}/{recipient}", handle(h.unsubscribe))
}

func (h sentReports) file(w http.ResponseWriter, r *http.Request) error {
	tenant, err := ids.Parse[ids.Tenant](chi.URLParam(r, "tenant"))
	if err != nil {
		return reports.ErrLink.Wrap(err)
	}
	id, err := ids.Parse[ids.Delivery](chi.URLParam(r, "delivery"))
	if err != nil {
		return reports.ErrLink.Wrap(err)
	}
	var viewer access.Actor
	if i := scopeOf(r).identity; i != nil {
		viewer = i.Actor
	}
	query := r.URL.Query()
	file, err := h.Reports.OpenSent(r.Context(), viewer, tenant, id, query.Get("until"), query.Get("signature"))
	if err != nil {
		return err
	}
	sendFile(w, r, file)
	return nil
}

// unsubscribe asks on GET, so that what looks at links in mails changes
// nothing, and does it on POST, which mail programs send by one click.
func (h sentReports) unsubscribe(w http.ResponseWriter, r *http.Request) error {
	tenant, err := ids.Parse[ids.Tenant](chi.URLParam(r, "tenant"))
	if err != nil {
		return reports.ErrLink.Wrap(err)
	}
	id, err := ids.Parse[ids.Recipient](chi.URLParam(r, "recipient"))
	if err != nil {
		return reports.ErrLink.Wrap(err)
	}
	do := h.Reports.Subscription
	if r.Method == http.MethodPost {
		do = h.Reports.Unsubscribe
	}
	name, err := do(r.Context(), tenant, id, r.URL.Query().Get("signature"))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.UnsubscribePage(bareShell(w, r), name, r.Method == http.MethodPost))
}
