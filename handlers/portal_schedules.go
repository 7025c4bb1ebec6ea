package handlers

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// ownSchedules are what a visitor of a portal has mailed to themselves.
type ownSchedules struct{ *core }

func (h ownSchedules) routes(r chi.Router) {
	r.Get(views.PathSchedules, handle(h.list))
	r.Post(views.PathSchedules, handle(h.create))
	r.Get(views.PathNewSchedule, handle(h.form))
	r.Post("/schedules/{schedule}/{act}", handle(h.act))
}

func (h ownSchedules) list(w http.ResponseWriter, r *http.Request) error {
	a, p := actor(r), scopeOf(r).portal
	list, err := h.Reports.ListSchedules(r.Context(), a)
	if err != nil {
		return err
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.OwnSchedulesPage(s, views.OwnSchedulesProps{List: list, Mails: p.Mails(), Locale: locale.For(a.Locale)}))
}

// form asks how often a dashboard is to be mailed, with the filters of the address.
func (h ownSchedules) form(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	state, err := dashboards.ParseState(query)
	if err != nil {
		return err
	}
	f := reports.OwnForm{Format: reports.PDF, Filters: state.Encode(), Often: "weekdays", Hour: 8, Zone: actor(r).Location().String()}
	if f.Dashboard, err = ids.Parse[ids.Dashboard](query.Get("dashboard")); err != nil {
		return dashboards.ErrNotFound.Wrap(err)
	}
	return h.answer(w, r, http.StatusOK, f, nil)
}

func (h ownSchedules) answer(w http.ResponseWriter, r *http.Request, status int, f reports.OwnForm, fields map[string]string) error {
	p := scopeOf(r).portal
	if !p.Mails() {
		return reports.ErrPortalOff
	}
	props := views.OwnScheduleProps{Form: f, Errors: fields, Locale: locale.For(actor(r).Locale), Email: p.visit.Email}
	for _, e := range p.visit.Entries {
		if e.ID == f.Dashboard {
			props.Name = e.Name
		}
	}
	if props.Name == "" {
		return dashboards.ErrNotFound
	}
	props.Zones = zoneOptions(f.Zone, "")
	for i := range props.Zones {
		props.Zones[i].Selected = props.Zones[i].Value == f.Zone
	}
	return home(h).form(w, r, status, messages.T(r.Context(), "own.new"), views.OwnScheduleForm(props))
}

func (h ownSchedules) create(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	hour, err := strconv.Atoi(r.PostFormValue("hour"))
	if err != nil {
		hour = -1 // no hour of a day
	}
	f := reports.OwnForm{Format: reports.Format(r.PostFormValue("format")), Filters: r.PostFormValue("filters"), Often: r.PostFormValue("often"),
		Hour: hour, Zone: r.PostFormValue("zone"), Paper: paperOf(actor(r).Locale)}
	if f.Dashboard, err = ids.Parse[ids.Dashboard](r.PostFormValue("dashboard")); err != nil {
		return dashboards.ErrNotFound.Wrap(err)
	}
	_, err = h.Reports.MailMe(r.Context(), actor(r), f)
	if fields, invalid := apperr.Fields(err); invalid {
		return h.answer(w, r, http.StatusUnprocessableEntity, f, fields)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "own.saved", views.PathSchedules)
}

// act does what a button beside one of them says.
func (h ownSchedules) act(w http.ResponseWriter, r *http.Request) error {
	id, err := scheduleID(r)
	if err != nil {
		return err
	}
	a, ctx, said := actor(r), r.Context(), "own.changed"
	switch chi.URLParam(r, "act") {
	case "pause":
		err = h.Reports.PauseSchedule(ctx, a, id)
	case "resume":
		err = h.Reports.ResumeSchedule(ctx, a, id)
	case "delete":
		err, said = h.Reports.DeleteSchedule(ctx, a, id), "own.deleted"
	default:
		return errNoPage
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, said, views.PathSchedules)
}

// outsiderOptions are the visitors and groups of visitors whom a form offers.
func outsiderOptions(ctx context.Context, list []reports.Outsider, f reports.ScheduleForm) (visitors, groups []ui.CheckProps) {
	for _, o := range list {
		if !o.Group.IsZero() {
			box := ui.CheckProps{ID: "to-" + o.Group.String(), Name: "visitor_group", Value: o.Group.String(), Label: o.Name, Hint: o.Portal, Checked: slices.Contains(f.Groups, o.Group)}
			groups = append(groups, hidden(ctx, o, box))
			continue
		}
		box := ui.CheckProps{ID: "to-" + o.Visitor.String(), Name: "visitor", Value: o.Visitor.String(), Label: o.Name, Hint: o.Email + " · " + o.Portal, Checked: slices.Contains(f.Visitors, o.Visitor)}
		visitors = append(visitors, hidden(ctx, o, box))
	}
	return visitors, groups
}

// hidden says of a recipient that nothing reaches them just now.
func hidden(ctx context.Context, o reports.Outsider, box ui.CheckProps) ui.CheckProps {
	if o.Hidden {
		box.Label += " " + messages.T(ctx, "schedules.visitor_hidden")
	}
	return box
}
