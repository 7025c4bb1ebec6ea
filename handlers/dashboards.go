package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// boards shows dashboards. A page is one answer: the frame at once, then each
// widget in its order as soon as it is ready. A change of a filter is one
// answer with all widgets that changed. What was drawn once is kept compressed.
type boards struct{ *core }

// Headers of the page's own requests.
const (
	headerSnapshot = "Df-Snapshot" // the moment that the page shows
	headerHave     = "Df-Have"     // widget=key pairs of what it shows
)

// parallelTiles bounds how many widgets of one page are asked at a time; the
// query engine has its own limit over all pages.
const parallelTiles = 4

// fragmentBytes is the memory for drawn widgets and frames.
const fragmentBytes = 64 << 20

func (h boards) routes(r chi.Router) {
	editor{h}.routes(r)
	r.Get("/dashboards/{id}/filters/{filter}", handle(h.addFilter))
	r.Get("/dashboards/{id}/filters/{filter}/values", handle(h.values))
	r.Get("/dashboards/{id}/widgets/{widget}/table", handle(h.table))
	h.explainRoutes(r, "/dashboards/{id}")
	h.savedViewRoutes(r)
}

// ownIdentity are the routes that find out who asks together with what they
// answer, in one round trip to the database.
func (h boards) ownIdentity(r chi.Router) {
	r.With(h.identifyAndRead, requireSession).Get("/dashboards/{id}", handle(h.show))
	r.With(h.identifyAndRead, requireSession).Get("/dashboards/{id}/widgets/{widget}", handle(h.tile))
}

// streams are the answers that are compressed here or have no end.
func (h boards) streams(r chi.Router) {
	editor{h}.streams(r)
	r.Get("/dashboards/{id}/widgets/{widget}/data.csv", handle(h.noted("dashboard.downloaded", "dashboard", "id", h.csv)))
	r.Get("/dashboards/{id}/widgets/{widget}/rows.csv", handle(h.noted("dashboard.downloaded", "dashboard", "id", h.rowsCSV)))
	r.Get("/dashboards/{id}/events", handle(h.events))
}

// identifyAndRead finds out who is signed in and reads the state of the
// dashboard of the path. An id that is none has no state.
func (h boards) identifyAndRead(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		cookie, err := r.Cookie(cookieName(r))
		if err != nil {
			next.ServeHTTP(w, r)
			return nil
		}
		id, _ := dashboardID(r)
		state := h.Dashboards.Read(id)
		// Only whole pages show the switcher of workspaces.
		i, text, err := h.Auth.IdentifyAnd(r.Context(), cookie.Value, !isPartial(r), auth.Aside{Name: state.Name(), Fill: state.Fill})
		switch {
		case errors.Is(err, auth.ErrNoSession):
		case err != nil:
			return err
		default:
			state.Text = text
			scopeOf(r).identify(&i)
			scopeOf(r).board = state
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// dashboardID answers not-found for what is no id: nobody learns which ids there are.
func dashboardID(r *http.Request) (ids.Dashboard, error) {
	id, err := ids.Parse[ids.Dashboard](chi.URLParam(r, "id"))
	if err != nil {
		return id, dashboards.ErrNotFound.Wrap(err)
	}
	return id, nil
}

// wordsOf are the texts that become part of drawings, by language.
var wordsOf sync.Map // string -> dashboards.Words

func words(ctx context.Context) dashboards.Words {
	lang := messages.Language(ctx)
	known, ok := wordsOf.Load(lang)
	if !ok {
		known, _ = wordsOf.LoadOrStore(lang, wordsIn(messages.WithLanguage(context.Background(), lang)))
	}
	return known.(dashboards.Words)
}

// wordsIn keeps ctx, which outlives requests.
func wordsIn(ctx context.Context) dashboards.Words {
	return dashboards.Words{
		Words: charts.Words{
			Other: messages.T(ctx, "charts.other"), NoValue: messages.T(ctx, "charts.no_value"), True: messages.T(ctx, "charts.true"),
			False: messages.T(ctx, "charts.false"), Change: messages.T(ctx, "charts.change"),
			Previous: messages.T(ctx, "dashboard.compare_previous"),
			Forecast: messages.T(ctx, "charts.forecast"), Interval80: messages.T(ctx, "charts.forecast.band", "Share", 80),
			Interval95: messages.T(ctx, "charts.forecast.band", "Share", 95), Today: messages.T(ctx, "charts.forecast.today"),
			LowerEnd: messages.T(ctx, "charts.forecast.lower"), UpperEnd: messages.T(ctx, "charts.forecast.upper"),
			LastData: messages.T(ctx, "charts.forecast.last"), Anomaly: messages.T(ctx, "charts.forecast.anomaly"),
			Total:   messages.T(ctx, "charts.total"),
			Average: messages.T(ctx, "charts.average"), Target: messages.T(ctx, "charts.target"),
			Parts: charts.ByGrain{Minute: messages.T(ctx, "charts.part.minute"), QuarterHour: messages.T(ctx, "charts.part.quarter_hour"),
				Hour: messages.T(ctx, "charts.part.hour"), Day: messages.T(ctx, "charts.part.day"), Week: messages.T(ctx, "charts.part.week"),
				Month: messages.T(ctx, "charts.part.month"), Quarter: messages.T(ctx, "charts.part.quarter"), Year: messages.T(ctx, "charts.part.year")},
		},
		PreviousDays: func(days int) string { return messages.T(ctx, "charts.previous", "Count", days) },
		ToDate:       func(day string) string { return messages.T(ctx, "charts.to_date", "Day", day) },
		UpTo:         func(moment string) string { return messages.T(ctx, "charts.up_to", "Moment", moment) },
		SameDays:     func(unit string) string { return messages.T(ctx, "charts.previous_"+unit) },
		Grain:        func(grain string) string { return messages.T(ctx, "grain."+grain) },
		MAPE:         func(percent string) string { return messages.T(ctx, "charts.forecast.mape", "Percent", percent) },
	}
}

// open binds the dashboard of the request. The moment comes from the page's
// header, or from a link that must show the same.
func (h boards) open(r *http.Request) (*dashboards.View, error) {
	id, err := dashboardID(r)
	if err != nil {
		return nil, err
	}
	v, err := h.openAs(r, id)
	if errors.Is(err, dashboards.ErrFilters) && r.URL.Path == views.PathView(id.String(), isDraft(r)) {
		err = wayOn{err, "dashboard.reset_filters", r.URL.Path}
	}
	return v, err
}

func (h boards) openAs(r *http.Request, id ids.Dashboard) (*dashboards.View, error) {
	query := r.URL.Query()
	state, err := dashboards.ParseState(query)
	if err != nil {
		return nil, err
	}
	at := query.Get("at")
	if at == "" {
		at = r.Header.Get(headerSnapshot)
	}
	request := dashboards.OpenRequest{ID: id, Draft: isDraft(r), State: state, Snapshot: at, Now: time.Now().Truncate(time.Minute), Words: words(r.Context())}
	if known := scopeOf(r).board; known != nil {
		return h.Dashboards.OpenKnown(r.Context(), actor(r), request, known, messages.Language(r.Context()))
	}
	return h.Dashboards.Open(r.Context(), actor(r), request)
}

func (h boards) props(r *http.Request, v *dashboards.View) views.DashboardProps {
	a := actor(r)
	p := scopeOf(r).portal
	return views.DashboardProps{View: v, CanEdit: v.Dashboard.CanEdit, Locale: locale.For(a.Locale), Title: p.nameOf(v.Dashboard.ID), Visitor: p != nil,
		Prints: p != nil && p.embedded == nil && p.Downloads, Mails: p != nil && p.embedded == nil && p.Mails(), Paper: string(paperOf(a.Locale))}
}

// show answers the page, or under htmx what has changed on it.
func (h boards) show(w http.ResponseWriter, r *http.Request) error {
	if known := scopeOf(r).board; known != nil && r.URL.RawQuery == "" && !isPartial(r) {
		if link := known.DefaultView(); link != "" {
			return redirect(w, r, r.URL.Path+"?"+link)
		}
	}
	v, err := h.open(r)
	if err != nil {
		return err
	}
	if identity(r).ViewedBy.IsZero() {
		h.Dashboards.Visit(r.Context(), actor(r), v.Dashboard.ID)
	}
	if isPartial(r) {
		return h.changes(w, r, v)
	}
	h.Dashboards.PrepareFilters(r.Context(), v)
	return h.page(w, r, v)
}

// page writes the frame, then the widgets in their order.
func (h boards) page(w http.ResponseWriter, r *http.Request, v *dashboards.View) error {
	known := make([][]*fragment, len(v.Tiles))
	missing := 0
	for i, p := range v.Tiles {
		var has bool
		if known[i], has = h.fragments.get(tileKey(r.Context(), p)); !has {
			missing++
		}
	}
	head, foot, err := h.frame(w, r, v, missing > 0)
	if err != nil {
		return err
	}
	startHTML(w)
	nonce := scopeOf(r).nonce
	out := newStream(w, r)
	if missing == 0 && out.gzip {
		all := withNonce(head, nonce)
		stubs := stubsOf(v)
		for i, tile := range known {
			all = append(append(all, stubs[i]...), tile...)
		}
		all = append(all, stubs[len(known)]...)
		sendJoined(w, append(all, foot...))
		return nil
	}
	stubs := stubsOf(v)
	return h.stream(r, w, out, v, withNonce(head, nonce), slices.Concat(stubs[len(v.Tiles)], foot), func(n int, tile []*fragment) []*fragment {
		return slices.Concat(stubs[n], tile)
	})
}

// stream writes a page: the frame at once, then each widget in its order as
// soon as it is ready, within what wrap puts around it.
func (h boards) stream(r *http.Request, w http.ResponseWriter, out *stream, v *dashboards.View, head, foot []*fragment, wrap func(int, []*fragment) []*fragment) error {
	if err := out.write(head...); err != nil {
		return nil // somebody who went away gets nothing
	}
	flush := http.NewResponseController(w)
	_ = flush.Flush() // a writer that can't flush sends everything at the end
	n := 0
	err := h.drawEach(r, v, v.Tiles, func(tile []*fragment) error {
		if err := out.write(wrap(n, tile)...); err != nil {
			return err
		}
		n++
		return flush.Flush()
	})
	if err != nil {
		// Half a page is out: let the browser see that it broke off.
		if r.Context().Err() == nil {
			slog.ErrorContext(r.Context(), "write dashboard", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	if err := out.write(foot...); err == nil {
		_ = out.close()
	}
	return nil
}

// marker is where the widgets go into the frame. It is made anew with each
// process, so that nobody can write it into a name.
var marker = "<!--tiles-" + blank + "-->"

// frame is the page around the widgets: what comes before and after them. Of a
// page whose widgets are all known it is kept under all that it shows.
func (h boards) frame(w http.ResponseWriter, r *http.Request, v *dashboards.View, waiting bool) (head, foot []*fragment, err error) {
	s, err := shell(w, r)
	if err != nil {
		return nil, nil, err
	}
	props := h.props(r, v)
	s.Nonce = blank
	// That of an embedded page has its token in it.
	keep := !waiting && s.Flash.Text == "" && (s.Portal == nil || s.Portal.Embed == nil)
	key := ""
	if keep {
		key = strings.Join([]string{"frame", v.Key, identity(r).Version, string(s.Theme), s.Path, messages.Language(r.Context())}, "\x00")
		if both, ok := h.fragments.get(key); ok {
			last := len(both) - 1
			return both[:last:last], both[last:], nil
		}
	} else {
		props.Waiting = v.Tiles
	}
	if head, foot, err = around(r, views.DashboardPage(s, props)); err != nil {
		return nil, nil, err
	}
	if keep {
		h.fragments.put(key, append(head[:len(head):len(head)], foot...))
	}
	return head, foot, nil
}

// around draws a page whose children are the widgets and answers what comes
// before and after them.
func around(r *http.Request, page templ.Component) (head, foot []*fragment, err error) {
	drawn := templ.GetBuffer()
	defer templ.ReleaseBuffer(drawn)
	if err := page.Render(templ.WithChildren(r.Context(), templ.Raw(marker)), drawn); err != nil {
		return nil, nil, fmt.Errorf("draw dashboard: %w", err)
	}
	before, after, ok := bytes.Cut(drawn.Bytes(), []byte(marker))
	if !ok || bytes.Contains(after, []byte(blank)) {
		return nil, nil, errors.New("draw dashboard: the frame has no place for the widgets")
	}
	return splitAtNonce(before), []*fragment{newFragment(after)}, nil
}

// drawEach draws widgets side by side and hands them on in their order.
func (h boards) drawEach(r *http.Request, v *dashboards.View, plans []*dashboards.Plan, emit func([]*fragment) error) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	type outcome struct {
		tile []*fragment
		err  error
	}
	ready := make([]chan outcome, len(plans))
	for i := range ready {
		ready[i] = make(chan outcome, 1)
	}
	go func() {
		free := make(chan struct{}, parallelTiles)
		for i, p := range plans {
			if known, ok := h.fragments.get(tileKey(r.Context(), p)); ok {
				ready[i] <- outcome{tile: known}
				continue
			}
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			go func() {
				defer func() { <-free }()
				tile, err := h.draw(ctx, v, p)
				ready[i] <- outcome{tile, err}
			}()
		}
	}()
	for _, one := range ready {
		select {
		case o := <-one:
			if o.err != nil {
				return o.err
			}
			if err := emit(o.tile); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// draw asks, draws and compresses one widget. What failed is not kept: the
// next try may succeed. The error is that of ctx.
func (h boards) draw(ctx context.Context, v *dashboards.View, p *dashboards.Plan) ([]*fragment, error) {
	t, err := h.Dashboards.Draw(ctx, v, p)
	if err != nil {
		return nil, err
	}
	html, err := tileHTML(ctx, v, t)
	if err != nil {
		return nil, err
	}
	tile := []*fragment{newFragment(html)}
	if t.Err == nil {
		h.fragments.put(tileKey(ctx, p), tile)
	}
	return tile, nil
}

// portalOf is the portal that a request visits; nil on the site itself.
func portalOf(ctx context.Context) *visitedPortal {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s.portal
	}
	return nil
}

// tileKey names a drawn tile. Visitors of portals see other menus.
func tileKey(ctx context.Context, p *dashboards.Plan) string {
	if v := portalOf(ctx); v != nil {
		return strings.Join([]string{"portal", v.ID.String(), strconv.FormatBool(v.Downloads), p.Key}, "\x00")
	}
	return p.Key
}

// tileHTML draws a tile and logs why it failed, if it did. A mistake in drawing
// it stays within it, like one in asking for it.
func tileHTML(ctx context.Context, v *dashboards.View, t *dashboards.Tile) ([]byte, error) {
	l := v.Locale()
	props := views.TileProps{Tile: t, Locale: l}
	if visited := portalOf(ctx); visited != nil {
		props.Visitor, props.Files = true, visited.Downloads
	}
	if t.Type == charts.Control {
		props.Board = views.DashboardProps{View: v, Locale: l, Visitor: props.Visitor}
	}
	if t.LastGood != nil {
		props.LastGoodAt = l.Time(t.LastGood.Time.In(v.Zone))
	}
	if !t.Stale.IsZero() {
		props.StaleAt = l.TimeZone(t.Stale.In(v.Zone))
	}
	var html []byte
	if t.Err == nil {
		if html, t.Err = renderTile(ctx, props); t.Err == nil {
			return html, nil
		}
	}
	public := apperr.Describe(t.Err)
	level := slog.LevelInfo
	if public.Class.Status() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	slog.LogAttrs(ctx, level, "widget failed", slog.String("dashboard", t.Dashboard.String()), slog.String("widget", t.ID),
		slog.String("code", public.Code), slog.String("error", t.Err.Error()))
	return renderTile(ctx, props)
}

// renderTile writes a tile. It runs apart from its request, where nobody else
// would stop a panic from ending the server.
func renderTile(ctx context.Context, p views.TileProps) (html []byte, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			slog.ErrorContext(ctx, "panic", "widget", p.Tile.ID, "error", cause, "stack", string(debug.Stack()))
			html, err = nil, fmt.Errorf("draw widget %s: panic: %v", p.Tile.ID, cause)
		}
	}()
	var out bytes.Buffer
	if err := views.DashboardTile(p).Render(views.OnDashboard(ctx), &out); err != nil {
		return nil, fmt.Errorf("draw widget %s: %w", p.Tile.ID, err)
	}
	return out.Bytes(), nil
}

// changes answers the widgets that the page does not show already, with the
// filter bar and the status: one answer, swapped at once.
func (h boards) changes(w http.ResponseWriter, r *http.Request, v *dashboards.View) error {
	have := shown(r)
	var plans []*dashboards.Plan
	for _, p := range v.Tiles {
		if have[p.ID] != p.Key {
			plans = append(plans, p)
		}
	}
	var changed bytes.Buffer
	if err := views.DashboardChanges(h.props(r, v)).Render(r.Context(), &changed); err != nil {
		return fmt.Errorf("draw filter bar: %w", err)
	}
	all := append([]*fragment{newFragment(changed.Bytes())}, closing(v, have)...)
	n := 0
	err := h.drawEach(r, v, plans, func(tile []*fragment) error {
		all = append(all, newStored(views.TileOpen(plans[n].ID)))
		all = append(all, tile...)
		all = append(all, newStored(views.TileClose))
		n++
		return nil
	})
	if err != nil {
		return err
	}
	startHTML(w)
	pushURL(w, r, v)
	out := newStream(w, r)
	if err := out.write(all...); err == nil {
		_ = out.close() // somebody who went away gets nothing
	}
	return nil
}

// shown reads which tiles the page has.
func shown(r *http.Request) map[string]string {
	have := map[string]string{}
	for pair := range strings.SplitSeq(r.Header.Get(headerHave), ",") {
		if id, key, ok := strings.Cut(pair, "="); ok {
			have[id] = key
		}
	}
	return have
}

// pushURL puts the choices into the address bar, so that Back undoes them. An
// address that says the same already stays.
func pushURL(w http.ResponseWriter, r *http.Request, v *dashboards.View) {
	path := views.PathView(v.Dashboard.ID.String(), v.Draft)
	link := v.Link()
	if p := scopeOf(r).portal; p != nil && p.embedded != nil {
		w.Header().Set("HX-Replace-Url", p.embedded.replaced(r, link))
		return
	}
	if link != "" {
		path += "?" + link
	}
	action := "HX-Push-Url"
	if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
		if state, err := dashboards.ParseState(current.Query()); err == nil && state.Encode() == link {
			action, path = "HX-Push-Url", "false"
		}
	}
	w.Header().Set(action, path)
}

// tile answers one widget: after a failure, or to see the last good data.
func (h boards) tile(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	p, ok := v.Plan(chi.URLParam(r, "widget"))
	if !ok {
		return dashboards.ErrWidgetNotFound
	}
	var list []*fragment
	if r.URL.Query().Get("stale") != "" {
		if list, err = h.stale(r, v, p); err != nil {
			return err
		}
	} else if known, has := h.fragments.get(tileKey(r.Context(), p)); has {
		list = known
	} else if list, err = h.draw(r.Context(), v, p); err != nil {
		return err
	}
	startHTML(w)
	out := newStream(w, r)
	if out.gzip {
		sendJoined(w, list)
		return nil
	}
	_ = out.write(list...)
	return nil
}

// stale draws a widget as of an earlier moment and says so on it.
func (h boards) stale(r *http.Request, v *dashboards.View, p *dashboards.Plan) ([]*fragment, error) {
	t, err := h.Dashboards.Draw(r.Context(), v, p)
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(r.URL.Query().Get("stale"), 10, 64)
	if err != nil {
		return nil, dashboards.ErrFilters.Wrap(err)
	}
	t.Stale = time.Unix(seconds, 0)
	html, err := tileHTML(r.Context(), v, t)
	if err != nil {
		return nil, err
	}
	return []*fragment{newFragment(html)}, nil
}

// table answers "View as table".
func (h boards) table(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	id := chi.URLParam(r, "widget")
	p, ok := v.Plan(id)
	if !ok {
		return dashboards.ErrWidgetNotFound
	}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	grid, err := h.Dashboards.AsTable(r.Context(), v, id, page)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	query.Del("page")
	props := views.WidgetTableProps{Title: messages.T(r.Context(), "widget.table_title", "Title", p.Widget.Title), Grid: grid,
		Path: r.URL.Path, Query: query.Encode(), Locale: v.Locale()}
	return renderPage(w, r, http.StatusOK, views.PageProps{Title: props.Title, Active: views.NavDashboards, Crumbs: []views.Crumb{
		{Label: messages.T(r.Context(), "home.dashboards"), Href: views.PathDashboards},
		{Label: v.Dashboard.Name, Href: views.PathDashboard(v.Dashboard.ID.String())},
	}}, views.WidgetTable(props))
}

// csv streams all rows of a widget.
func (h boards) csv(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	return h.rows(w, r, v)
}

func (h boards) rows(w http.ResponseWriter, r *http.Request, v *dashboards.View) error {
	rows, err := h.Dashboards.OpenRows(r.Context(), v, chi.URLParam(r, "widget"))
	if err != nil {
		return wayOn{err, "dashboard.back_to", (&url.URL{Path: views.PathView(v.Dashboard.ID.String(), v.Draft), RawQuery: v.Link()}).String()}
	}
	return sendCSV(w, r, v, rows)
}

// values answers the choices of a filter.
func (h boards) values(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	id := chi.URLParam(r, "filter")
	control, ok := v.Control(id)
	if !ok {
		return dashboards.ErrControlNotFound
	}
	list, _, err := h.Dashboards.Values(r.Context(), v, id, r.URL.Query().Get("q"))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, ui.FilterOptions(views.FilterValues(control, list, r.URL.Query().Get(views.OwnForm) != "", v.Locale())))
}

// addFilter answers a filter of a column that the bar does not have yet.
func (h boards) addFilter(w http.ResponseWriter, r *http.Request) error {
	v, err := h.open(r)
	if err != nil {
		return err
	}
	control, ok := v.Control(chi.URLParam(r, "filter"))
	if !ok {
		return dashboards.ErrControlNotFound
	}
	return render(w, r, http.StatusOK, views.AddedFilter(h.props(r, v), control))
}
