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

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/alerts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// alertPages are measures that are watched.
type alertPages struct{ *core }

func (h alertPages) routes(r chi.Router) {
	r.Get(views.PathAlerts, handle(h.list))
	r.Post(views.PathAlerts, handle(h.create))
	r.Get(views.PathNewAlert, handle(h.form))
	r.Post(views.PathTryAlert, handle(h.try))
	r.Get("/dashboards/{id}/alerts", handle(h.marks))
	r.Get("/alerts/{alert}", handle(h.show))
	r.Post("/alerts/{alert}", handle(h.update))
	r.Get("/alerts/{alert}/edit", handle(h.edit))
	r.Post("/alerts/{alert}/{act}", handle(h.act))
}

func alertID(r *http.Request) (ids.Alert, error) {
	id, err := ids.Parse[ids.Alert](chi.URLParam(r, "alert"))
	if err != nil {
		return id, alerts.ErrNotFound.Wrap(err)
	}
	return id, nil
}

// list shows all that fit, those that fire first.
func (h alertPages) list(w http.ResponseWriter, r *http.Request) error {
	a, query := actor(r), r.URL.Query()
	all, err := h.Alerts.List(r.Context(), a)
	if err != nil {
		return err
	}
	props := views.AlertsProps{Total: len(all), Show: query.Get("show"), Search: query.Get("q"), Now: time.Now().In(a.Location()), Locale: locale.For(a.Locale)}
	for _, one := range all {
		paused := !one.PausedAt.IsZero()
		if props.Show == "firing" && (one.State == alerts.OK || paused) || props.Show == "paused" && !paused {
			continue
		}
		if strings.Contains(strings.ToLower(one.Name+"\n"+one.DatasetName+"\n"+one.Watch.Label), strings.ToLower(props.Search)) {
			props.List = append(props.List, one)
		}
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.AlertsContent(props))
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.AlertsPage(s, props))
}

// mark is an alert on a widget as the page draws it.
type mark struct {
	Widget string  `json:"widget"`
	Title  string  `json:"title"`
	State  string  `json:"state"`
	Href   string  `json:"href"`
	At     []int64 `json:"at"` // milliseconds since 1970 on the wall clock
}

// marks answers the alerts on a dashboard's widgets, which the page shows there.
func (h alertPages) marks(w http.ResponseWriter, r *http.Request) error {
	id, err := dashboardID(r)
	if err != nil {
		return err
	}
	if _, err := h.Dashboards.Get(r.Context(), actor(r), id); err != nil {
		return err
	}
	all, err := h.Alerts.ListMarks(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	list := []mark{}
	for _, m := range all {
		one := mark{Widget: m.Widget, State: string(m.State), Href: views.PathAlert(m.Alert.String()), At: []int64{},
			Title: messages.T(r.Context(), "alerts.mark", "Name", m.Name, "State", messages.T(r.Context(), "alerts.state_"+string(m.State)))}
		for _, at := range m.At {
			one.At = append(one.At, at.UnixMilli())
		}
		list = append(list, one)
	}
	return renderJSON(w, http.StatusOK, list)
}

func (h alertPages) show(w http.ResponseWriter, r *http.Request) error {
	id, err := alertID(r)
	if err != nil {
		return err
	}
	a := actor(r)
	one, err := h.Alerts.Get(r.Context(), a, id)
	if err != nil {
		return err
	}
	props := views.AlertProps{Alert: one, CanChange: one.Owner == a.UserID || access.Can(a, access.ManageWorkspace) == nil,
		Now: time.Now().In(a.Location()), Locale: locale.For(a.Locale)}
	trial, err := h.Alerts.Course(r.Context(), a, &one)
	if err != nil {
		// What can't be drawn now is no reason to hide what is known.
		props.Failed = apperr.Describe(err).Sentence
	} else {
		props.Trial = &trial
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.AlertPage(s, props))
}

// subject is what a form is about: a widget under the filters of its link, or a
// dataset.
func (h alertPages) subject(r *http.Request, get func(string) string, state dashboards.State) (dashboards.Subject, error) {
	if board := get("dashboard"); board != "" {
		id, err := ids.Parse[ids.Dashboard](board)
		if err != nil {
			return dashboards.Subject{}, dashboards.ErrNotFound.Wrap(err)
		}
		v, err := h.Dashboards.Open(r.Context(), actor(r), dashboards.OpenRequest{ID: id, State: state, Now: time.Now().Truncate(time.Minute), Words: words(r.Context())})
		if err != nil {
			return dashboards.Subject{}, err
		}
		return h.Dashboards.Subject(v, get("widget"))
	}
	id, err := ids.Parse[ids.Dataset](get("dataset"))
	if err != nil {
		return dashboards.Subject{}, datasets.ErrNotFound.Wrap(err)
	}
	return h.Dashboards.DatasetSubject(r.Context(), actor(r), id)
}

// form asks for a new alert: on the widget or the dataset of the address, or on
// a dataset to choose.
func (h alertPages) form(w http.ResponseWriter, r *http.Request) error {
	a, query := actor(r), r.URL.Query()
	props := views.AlertFormProps{}
	if query.Get("dashboard") == "" && query.Get("dataset") == "" {
		all, err := h.Datasets.List(r.Context(), a)
		if err != nil {
			return err
		}
		for _, d := range all {
			props.Datasets = append(props.Datasets, ui.Option{Value: d.ID.String(), Label: d.Name})
		}
		return h.answer(w, r, http.StatusOK, props)
	}
	state, err := dashboards.ParseState(query)
	if err != nil {
		return err
	}
	if props.Subject, err = h.subject(r, query.Get, state); err != nil {
		return err
	}
	props.State = state.Encode()
	first := props.Subject.Measures[0]
	props.Measure = first.Key()
	for _, d := range props.Subject.Dimensions {
		if d.Own && props.By == "" {
			props.By = d.Key()
		}
	}
	props.Alert = alerts.NewAlert{Watch: watchOf(&props.Subject, first, nil, props.Subject.Grain), Form: alerts.Form{Name: props.Subject.Title, Condition: alerts.Begin(first.Format),
		Manner: alerts.Manner{Recovery: true, Zone: a.Location().String()}, Users: []ids.User{a.UserID}}}
	if props.Subject.Dashboard.IsZero() {
		props.Alert.Name = ""
	}
	return h.answer(w, r, http.StatusOK, props)
}

// watchOf is what an alert on a subject measures.
func watchOf(s *dashboards.Subject, m dashboards.SubjectMeasure, by []dashboards.SubjectDimension, grain string) alerts.Watch {
	w := alerts.Watch{Dataset: s.Dataset, Measure: m.Measure, Label: m.Label, Format: m.Format, Filters: s.Filters, Fields: s.Fields, Time: s.Time, Zone: s.Zone,
		Additive: m.Additive, Relative: s.RelativeToNewest}
	for _, d := range by {
		w.Dimensions, w.By = append(w.Dimensions, d.Dimension), append(w.By, d.Label)
	}
	for _, n := range s.Notes {
		w.Only = append(w.Only, n.Field+": "+n.Text)
	}
	if s.Time != "" {
		w.Grain = grain
	}
	return w
}

func (h alertPages) answer(w http.ResponseWriter, r *http.Request, status int, props views.AlertFormProps) error {
	a := actor(r)
	if err := access.Can(a, access.ViewContent); err != nil {
		return err
	}
	var err error
	if access.Can(a, access.EditContent) == nil {
		if props.Members, err = h.Reports.ListMembers(r.Context(), a); err != nil {
			return err
		}
		if props.Channels, err = h.Delivery.ListChannels(r.Context(), a); err != nil {
			return err
		}
	} else {
		i := identity(r)
		props.Members = []reports.Member{{ID: a.UserID, Name: i.Name, Email: i.Email}}
	}
	props.Locale = locale.For(a.Locale)
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.AlertFormPage(s, props))
}

// read reads a form; its props show it again.
func (h alertPages) read(r *http.Request) (props views.AlertFormProps, err error) {
	if err := parseForm(r); err != nil {
		return props, err
	}
	get := r.PostFormValue
	a := actor(r)
	if text := get("id"); text != "" {
		id, err := ids.Parse[ids.Alert](text)
		if err != nil {
			return props, alerts.ErrNotFound.Wrap(err)
		}
		old, err := h.Alerts.Get(r.Context(), a, id)
		if err != nil {
			return props, err
		}
		props.ID, props.Alert.Watch = text, old.Watch
	} else {
		query, err := url.ParseQuery(get("state"))
		if err != nil {
			return props, dashboards.ErrFilters.Wrap(err)
		}
		state, err := dashboards.ParseState(query)
		if err != nil {
			return props, err
		}
		if props.Subject, err = h.subject(r, get, state); err != nil {
			return props, err
		}
		props.State, props.Measure, props.By = get("state"), get("measure"), get("by")
		props.Errors = map[string]string{}
		measure, by := props.Subject.Measures[0], []dashboards.SubjectDimension(nil)
		if n := slices.IndexFunc(props.Subject.Measures, func(m dashboards.SubjectMeasure) bool { return m.Key() == props.Measure }); n >= 0 {
			measure = props.Subject.Measures[n]
		} else {
			props.Errors["measure"] = messages.T(r.Context(), "alerts.bad_measure")
		}
		for _, d := range props.Subject.Dimensions {
			if d.Key() == props.By {
				by = append(by, d)
			}
		}
		if props.By != "" && by == nil {
			props.Errors["by"] = messages.T(r.Context(), "alerts.bad_by")
		}
		grain := get("grain")
		if !slices.Contains(views.AlertGrains(&props.Subject), grain) {
			if props.Subject.Time != "" && grain != "" {
				props.Errors["grain"] = messages.T(r.Context(), "alerts.bad_grain")
			}
			grain = "day"
		}
		props.Alert.Watch = watchOf(&props.Subject, measure, by, grain)
		props.Alert.Dashboard, props.Alert.Widget = props.Subject.Dashboard, props.Subject.Widget
	}
	f := &props.Alert.Form
	f.Name = get("name")
	if props.Errors == nil {
		props.Errors = map[string]string{}
	}
	f.Condition = readCondition(get, locale.For(a.Locale), &props.Alert.Watch, props.Errors)
	f.Manner = alerts.Manner{EveryMinutes: readMinutes(get("every"), "every", props.Errors), ForMinutes: readMinutes(get("for"), "for", props.Errors),
		EscalateMinutes: readMinutes(get("escalate"), "escalate", props.Errors), Recovery: get("recovery") != "", NoData: get("no_data") != "", Zone: a.Location().String()}
	if every := strconv.Itoa(f.Manner.EveryMinutes); props.Errors["every"] == "" && !slices.Contains(views.AlertEvery, every) {
		props.Errors["every"] = messages.T(r.Context(), "alerts.bad_every")
	}
	days := map[string][]int{"daily": {1, 2, 3, 4, 5, 6, 7}, "weekdays": {1, 2, 3, 4, 5}, "weekend": {6, 7}}[get("mute")]
	if days != nil {
		from, fromOK := readClock(get("mute_from"))
		to, toOK := readClock(get("mute_to"))
		if !fromOK || !toOK {
			props.Errors["mute"] = messages.T(r.Context(), "alerts.bad_clock")
		} else if from == to {
			props.Errors["mute"] = messages.T(r.Context(), "alerts.bad_span")
		}
		f.Manner.Mutes = []alerts.Mute{{Days: days, From: from, To: to}}
	}
	if f.Users, err = readIDs[ids.User](r, "user"); err != nil {
		return props, err
	}
	if f.LaterUsers, err = readIDs[ids.User](r, "later"); err != nil {
		return props, err
	}
	if f.Channels, err = readIDs[ids.Channel](r, "channel"); err != nil {
		return props, err
	}
	f.LaterChannels, err = readIDs[ids.Channel](r, "later_channel")
	return props, err
}

func readIDs[T ~[16]byte](r *http.Request, field string) ([]T, error) {
	var list []T
	for _, text := range r.PostForm[field] {
		id, err := ids.Parse[T](text)
		if err != nil {
			return nil, errForm.Wrap(err)
		}
		list = append(list, id)
	}
	return list, nil
}

func readMinutes(text, field string, fields map[string]string) int {
	if text = strings.TrimSpace(text); text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		fields[field] = "Write a number of minutes."
	}
	return n
}

func readClock(text string) (minutes int, ok bool) {
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil
}

// readCondition reads numbers as they are typed: a percent as 5.
func readCondition(get func(string) string, l *locale.Locale, w *alerts.Watch, fields map[string]string) alerts.Condition {
	c := alerts.Condition{Kind: alerts.Kind(get("kind")), Side: alerts.Side(get("side")), Running: get("running") != ""}
	number := func(field string) float64 {
		v, ok := l.ParseNumber(strings.TrimSuffix(strings.TrimSpace(get(field)), "%"))
		if !ok {
			fields[field] = "Write a number such as 1250 or " + l.Plain(0.5) + "."
		}
		switch {
		case c.Kind == alerts.Change || c.Kind == alerts.Threshold && w.Format.Style == "percent":
			v /= 100
		case c.Kind == alerts.Stale:
			v *= 60
		}
		return v
	}
	switch c.Kind {
	case alerts.Threshold, alerts.Change, alerts.Stale:
		c.Value = number("value")
		if c.Kind != alerts.Stale && strings.TrimSpace(get("recover")) != "" {
			v := number("recover")
			c.Recover = &v
		}
	}
	if c.Kind != alerts.Threshold {
		c.Running = false
	}
	if c.Kind == alerts.Change {
		c.Back = readMinutes(get("back"), "back", fields)
	}
	if c.Kind == alerts.Anomaly {
		c.Band, _ = strconv.Atoi(get("band")) // checked with the others
	}
	return c
}

// try says what the alert of a form would have done.
func (h alertPages) try(w http.ResponseWriter, r *http.Request) error {
	props, err := h.read(r)
	if err != nil {
		return err
	}
	a := actor(r)
	trial := &views.AlertTrialProps{Watch: props.Alert.Watch, Cond: props.Alert.Condition, Locale: locale.For(a.Locale)}
	if len(props.Errors) == 0 {
		found, err := h.Alerts.Try(r.Context(), a, props.Alert.Watch, props.Alert.Condition, props.Alert.Manner)
		if fields, invalid := apperr.Fields(err); invalid {
			props.Errors = fields
		} else if err != nil {
			trial.Error = apperr.Describe(err).Sentence
		}
		trial.Trial = &found
	}
	for _, text := range props.Errors {
		trial.Error = text
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.AlertTrial(trial))
	}
	props.Trial = trial
	return h.answer(w, r, http.StatusOK, props)
}

func (h alertPages) create(w http.ResponseWriter, r *http.Request) error {
	props, err := h.read(r)
	if err != nil {
		return err
	}
	if len(props.Errors) > 0 {
		return h.answer(w, r, http.StatusUnprocessableEntity, props)
	}
	id, err := h.Alerts.Create(r.Context(), actor(r), props.Alert)
	if fields, invalid := apperr.Fields(err); invalid {
		props.Errors = fields
		return h.answer(w, r, http.StatusUnprocessableEntity, props)
	}
	if refused := apperr.Describe(err); err != nil && refused.Class == apperr.Invalid { // a question that can't be asked
		props.Errors["measure"] = refused.Sentence
		return h.answer(w, r, http.StatusUnprocessableEntity, props)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "alerts.saved", views.PathAlert(id.String()))
}

func (h alertPages) edit(w http.ResponseWriter, r *http.Request) error {
	id, err := alertID(r)
	if err != nil {
		return err
	}
	one, err := h.Alerts.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, views.AlertFormProps{ID: id.String(), Alert: one.NewAlert})
}

func (h alertPages) update(w http.ResponseWriter, r *http.Request) error {
	id, err := alertID(r)
	if err != nil {
		return err
	}
	props, err := h.read(r)
	if err != nil {
		return err
	}
	if props.ID != id.String() {
		return errForm
	}
	if len(props.Errors) > 0 {
		return h.answer(w, r, http.StatusUnprocessableEntity, props)
	}
	err = h.Alerts.Update(r.Context(), actor(r), id, props.Alert.Form)
	if fields, invalid := apperr.Fields(err); invalid {
		props.Errors = fields
		return h.answer(w, r, http.StatusUnprocessableEntity, props)
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, "alerts.saved", views.PathAlert(id.String()))
}

// act does what a button says.
func (h alertPages) act(w http.ResponseWriter, r *http.Request) error {
	id, err := alertID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	a, ctx, back := actor(r), r.Context(), views.PathAlert(id.String())
	said := "alerts.saved"
	switch chi.URLParam(r, "act") {
	case "pause":
		err = h.Alerts.Pause(ctx, a, id)
	case "resume":
		err = h.Alerts.Resume(ctx, a, id)
	case "snooze":
		hours, parseErr := strconv.Atoi(r.PostFormValue("hours"))
		if parseErr != nil || hours < 1 || hours > 24*60 {
			return errForm.Wrap(fmt.Errorf("hours: %w", parseErr))
		}
		err = h.Alerts.Snooze(ctx, a, id, time.Now().Add(time.Duration(hours)*time.Hour))
	case "wake":
		err = h.Alerts.Snooze(ctx, a, id, time.Time{})
	case "acknowledge":
		var key *string
		if r.PostForm.Has("group") {
			key = new(r.PostFormValue("group"))
		}
		err, said = h.Alerts.Acknowledge(ctx, a, id, key), "alerts.acknowledged_it"
	case "delete":
		err, said, back = h.Alerts.Delete(ctx, a, id), "alerts.deleted", views.PathAlerts
	default:
		return errNoPage
	}
	if err != nil {
		return err
	}
	return flashAndGo(w, r, said, back)
}
