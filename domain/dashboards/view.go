package dashboards

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/warehouse"
)

// OpenRequest asks for a dashboard as one viewer sees it.
type OpenRequest struct {
	ID ids.Dashboard
	// Draft opens what is edited instead of what is published.
	Draft bool
	State State
	// Snapshot is the moment that the page shows; empty for the newest.
	Snapshot string
	Now      time.Time
	Words    Words
	// TableRows shows each table whole, up to that many rows, as paper does;
	// 0 for pages of the widget's height.
	TableRows int
}

// Words are the texts that a drawing holds, in the viewer's language.
type Words struct {
	charts.Words
	// PreviousDays names the span before: "Previous 28 days". SameDays names the
	// same days of the "month", "quarter" or "year" before.
	PreviousDays func(days int) string
	SameDays     func(unit string) string
	// ToDate says how far a comparison goes: "to 28 Nov 2026".
	ToDate func(day string) string
	// UpTo says where the span compared with is cut: "up to 1 Nov 2026, 09:45".
	UpTo func(moment string) string
	// Grain is "Daily", "Weekly" and so on, for subtitles.
	Grain func(grain string) string
	// MAPE is "MAPE 3.8%", for subtitles.
	MAPE func(percent string) string
}

// View is a dashboard bound to a viewer's choices and to one moment of the data.
type View struct {
	Dashboard Dashboard
	Draft     bool // what is edited, not what is published
	State     State
	wanted    State // as it was asked for, with what is left out of State
	Snapshot  datasets.Snapshot
	// Datasets are the names of the datasets asked, by id.
	Datasets map[ids.Dataset]string
	// Range is what the date range is, chosen or not; Days what it comes to
	// and Previous the span compared with. Days is nil without a date filter.
	Range    Range
	HasDates bool
	Days     *Days
	Previous *Days
	// Bounds are the first and last day of the data; nil when unknown.
	Bounds  *Days
	Compare string
	// Controls are the filters of the bar: the dashboard's own, then those the
	// viewer added.
	Controls []ControlView
	// Cross are the marks that filter other widgets.
	Cross []CrossView
	// Tabs are those of the dashboard from left to right; none where it has none.
	Tabs []TabView
	// Tiles are the widgets on the page, in reading order. Others, of other tabs
	// and of closed sections, are asked only when they are shown.
	Tiles []*Plan
	// AsOf is when the content of the datasets last changed.
	AsOf time.Time
	// Origin is the dashboard that the viewer drilled through from; nil for
	// none that the viewer may see.
	Origin *OriginView
	// Key names all that the page shows besides the shell: equal keys, equal pages.
	Key  string
	Zone *time.Location

	actor   access.Actor
	locale  *locale.Locale
	schemas schemas
	words   Words
	now     time.Time
	today   Day // that relative dates count from
	// tableRows is OpenRequest.TableRows.
	tableRows int
	// home is the dataset of the date range and homeColumn what it filters;
	// oldest and newest are the ends of that column on the wall clock.
	home           ids.Dataset
	homeColumn     string
	all            bool // all tabs below each other
	hidden         map[string]bool
	moved          map[string]bool // filters that stand on the canvas and not in the bar
	places         map[string]Places
	oldest, newest time.Time
	rhythm         string // the grain at which data of that column come; "" for days and finer
	together       together
	drilled        map[string]drilled // widgets that are not at their top level
}

// ControlView is one filter of the filter bar.
type ControlView struct {
	ID     string // in links: "f.<ID>"
	Label  string
	Column string
	Added  bool // by the viewer, not part of the dashboard
	// Gone tells that its dataset has no such column, or not for the viewer.
	Gone   bool
	Values []PickView
	ControlChoice

	dataset ids.Dataset
	reaches []string // widgets; none for all
	options ControlOptions
	picks   []string // in effect: those of the link, or the filter's own
	top     []string // values that a top-N filter comes to
	err     error    // why it can't be used
}

// PickView is one value of a filter.
type PickView struct {
	Word string // in links
	Text string
}

// CrossView is what was clicked in one widget.
type CrossView struct {
	Widget string
	Title  string
	Type   charts.Type
	Field  string
	Text   string

	columns []warehouse.Dimension
	marks   []charts.Mark
	dataset ids.Dataset
}

// Plan is one widget that is ready to be asked and drawn.
type Plan struct {
	ID     string
	Widget Widget
	Places Places
	// Section tells what a section shows; nil for other widgets.
	Section *SectionView
	// Key names all that the drawn widget depends on: equal keys, equal tiles.
	Key string

	dataset  ids.Dataset
	name     string // of the dataset
	main     warehouse.Spec
	spark    *warehouse.Spec
	count    *warehouse.Spec // number of rows of a table of plain rows
	rows     *warehouse.Spec // number of rows of a scatter of plain rows
	further  []warehouse.Spec
	history  *warehouse.Spec      // what a forecast is learnt from; its span is set when asked
	colours  *warehouse.Dimension // whose values have fixed colours; nil for none
	input    charts.Input
	exact    bool
	filters  []FilterNote
	selected *CrossView
	link     string   // the choices that this widget depends on
	needs    []string // labels of required filters without a choice
	levels   []Crumb  // that were drilled down to
	err      error    // found while planning
}

// FilterNote is one filter in effect on a widget, for people.
type FilterNote struct {
	Field string
	Text  string
	Cross bool
}

// Open binds a dashboard to a viewer's choices. It asks no widget yet.
//
// Errors: dashboards.not_found, dashboards.filters_invalid,
// datasets.snapshot_expired.
func (s *Service) Open(ctx context.Context, actor access.Actor, r OpenRequest) (*View, error) {
	get := s.Get
	if r.Draft {
		get = s.GetDraft
	}
	d, err := get(ctx, actor, r.ID)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, actor, d, r)
}

func (s *Service) open(ctx context.Context, actor access.Actor, d Dashboard, r OpenRequest) (*View, error) {
	v := &View{Dashboard: d, Draft: r.Draft, State: r.State, wanted: r.State, Datasets: map[ids.Dataset]string{}, actor: actor,
		locale: locale.For(actor.Locale), words: r.Words, now: r.Now, Zone: actor.Location(), tableRows: r.TableRows}
	if zone := d.Config.Settings.Zone; zone != "" {
		loaded, err := time.LoadLocation(zone)
		if err != nil {
			return nil, ErrConfig.With("%q is no time zone.", zone).Wrap(err)
		}
		v.Zone = loaded
	}
	var err error
	if v.schemas, err = s.loadSchemas(ctx, actor, &d.Config); err != nil {
		return nil, err
	}
	present := []ids.Dataset{}
	for _, id := range d.Config.Datasets() {
		if sc := v.schemas[id]; sc != nil {
			present = append(present, id)
			v.Datasets[id] = sc.Name
		}
	}
	if v.Snapshot, err = s.snapshot(ctx, actor, present, r.Snapshot); err != nil {
		return nil, err
	}
	if err := s.resolveAsOf(ctx, v, present); err != nil {
		return nil, err
	}
	if err := s.resolveDates(ctx, v); err != nil {
		return nil, err
	}
	if err := s.resolveOrigin(ctx, v); err != nil {
		return nil, err
	}
	v.resolveControls()
	v.resolveLevels()
	if err := v.resolveCross(); err != nil {
		return nil, err
	}
	if err := s.resolveTops(ctx, v); err != nil {
		return nil, err
	}
	// Two people who moved widgets at once may have laid one onto another.
	v.Dashboard.Config.settle()
	v.lay()
	for _, id := range v.Dashboard.Config.Order() {
		if w := v.Dashboard.Config.Widgets[id]; !v.hidden[id] && (v.Draft || v.ready(&w)) {
			v.Tiles = append(v.Tiles, v.plan(id))
		}
	}
	v.moveControls()
	v.join()
	v.Key = v.key()
	return v, nil
}

func (s *Service) snapshot(ctx context.Context, actor access.Actor, list []ids.Dataset, text string) (datasets.Snapshot, error) {
	if text != "" {
		wanted, err := datasets.ParseSnapshot(text)
		if err != nil {
			return datasets.Snapshot{}, err
		}
		bound, err := s.datasets.Bind(ctx, actor, wanted)
		if err != nil {
			return datasets.Snapshot{}, err
		}
		covered := true
		for _, id := range list {
			_, has := bound.Version(id)
			covered = covered && has
		}
		if covered {
			return bound, nil
		}
		// The dashboard asks a dataset that the page did not know: move on.
		return datasets.Snapshot{}, datasets.ErrSnapshotExpired
	}
	if len(list) == 0 {
		return datasets.Snapshot{}, nil
	}
	return s.datasets.Snapshot(ctx, actor, list)
}

// resolveAsOf finds out of when the data on the page is. What the definitions
// say is of the current version; a page that shows an earlier one asks.
func (s *Service) resolveAsOf(ctx context.Context, v *View, list []ids.Dataset) error {
	current := true
	var raw []uuid.UUID
	var pairs []string
	for _, id := range list {
		d := &v.schemas[id].Dataset
		version, ok := v.Snapshot.Version(id)
		current = current && (!ok || version == d.Version)
		raw, pairs = append(raw, id.UUID()), append(pairs, fmt.Sprintf("%s:%d", id, version))
		if d.UpdatedAt.After(v.AsOf) {
			v.AsOf = d.UpdatedAt
		}
	}
	if current {
		return nil
	}
	return s.db.InViewerTx(ctx, v.actor.TenantID.UUID(), v.actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		at, err := tx.DashboardDataTime(ctx, tx.TenantID, raw, pairs)
		if err != nil {
			return fmt.Errorf("read the time of the data: %w", err)
		}
		v.AsOf = at
		return nil
	})
}

// Ahead tells whether the data go on beyond the day that dates count from.
func (v *View) Ahead() bool { return v.Bounds != nil && v.Bounds.To > v.today }

// Plan finds a widget of the view, also one that the page does not show.
func (v *View) Plan(id string) (*Plan, bool) {
	for _, p := range v.Tiles {
		if p.ID == id {
			return p, true
		}
	}
	if w := v.Dashboard.Config.Widgets[id]; v.hidden[id] && (v.Draft || v.ready(&w)) {
		return v.plan(id), true
	}
	return nil, false
}

// Hides tells whether a widget of the dashboard stands on another tab, or in a
// closed section.
func (v *View) Hides(id string) bool { return v.hidden[id] }

// Link is the query of the page's URL.
func (v *View) Link() string { return v.State.Encode() }

// dateColumn is the column that the date range filters in a dataset; "" for none.
func (v *View) dateColumn(dataset ids.Dataset, own string) string {
	sc := v.schemas[dataset]
	if sc == nil || own == "-" {
		return ""
	}
	name := own
	if name == "" && dataset == v.Dashboard.Config.Dataset {
		name = v.Dashboard.Config.Settings.Date.Column
	}
	if name == "-" {
		return ""
	}
	if name == "" {
		name = sc.timeColumn()
	}
	if sc.isOfTime(warehouse.Dimension{Column: name}) {
		return name
	}
	return ""
}

// resolveDates turns the range into days. Where the dataset says so it counts
// from its newest row, else from today in the page's zone.
func (s *Service) resolveDates(ctx context.Context, v *View) error {
	c := &v.Dashboard.Config
	v.Range = Range{Kind: "all"}
	if c.Settings.Date.Default != "" {
		// Checked when the config was read.
		v.Range, _ = ParseRange(c.Settings.Date.Default)
	}
	if v.State.Range != nil {
		v.Range = *v.State.Range
	}
	v.Compare = c.Settings.Comparison
	if v.State.Compare != "" {
		v.Compare = v.State.Compare
	}
	if v.Compare == "" {
		v.Compare = ComparePrevious
	}
	home := c.Dataset
	if list := c.Datasets(); len(list) > 0 && v.schemas[home] == nil {
		home = list[0]
	}
	column := v.dateColumn(home, "")
	if column == "" {
		return nil
	}
	v.HasDates = true
	v.home, v.homeColumn = home, column
	bounds, err := s.bounds(ctx, v, home, column)
	if err != nil {
		// The chip then shows no dates and each widget says what is wrong.
		s.log.WarnContext(ctx, "read first and last day", "dataset", home, "error", err)
	}
	v.Bounds = bounds
	v.today = DayOf(v.now.In(v.Zone))
	if v.schemas[home].RelativeToNewest && bounds != nil {
		v.today = bounds.To
	}
	if days, ok := v.Range.Resolve(v.today); ok {
		v.Days = &days
	}
	if bounds != nil {
		if v.rhythm, err = s.rhythm(ctx, v, home, column, *bounds); err != nil {
			s.log.WarnContext(ctx, "read how often data come", "dataset", home, "error", err)
		}
	}
	if v.Days != nil {
		over := v.today
		if home := v.schemas[home]; home.RelativeToNewest && home.Dataset.Sees != "" {
			over = max(over, v.Days.To) // others may have later rows: it is compared in whole
		}
		v.Previous = v.Days.before(v.comparison(""), over)
	}
	return nil
}

// bounds are the first and last day of a column, answered from the statistics
// of the segments; nil for no rows.
func (s *Service) bounds(ctx context.Context, v *View, dataset ids.Dataset, column string) (*Days, error) {
	result, err := s.datasets.Query(ctx, v.actor, datasets.QueryRequest{
		Snapshot: v.Snapshot, Exact: true, Now: v.now,
		Spec: warehouse.Spec{Dataset: dataset.String(), Timezone: v.Zone.String(), Fields: v.Dashboard.Config.fields(dataset),
			Measures: []warehouse.Measure{{Fn: "min", Column: column, As: "first"}, {Fn: "max", Column: column, As: "last"}}},
	})
	if err != nil {
		return nil, err
	}
	if result.Rows == 0 || len(result.Columns) < 2 || result.Columns[0].IsNull(0) || result.Columns[1].IsNull(0) {
		return nil, nil
	}
	v.oldest, v.newest = wall(&result.Columns[0], v.Zone), wall(&result.Columns[1], v.Zone)
	return &Days{DayOf(v.oldest), DayOf(v.newest)}, nil
}

// wall is the first row of a column of dates or times on the wall clock.
func wall(c *warehouse.ResultColumn, zone *time.Location) time.Time {
	switch c.Type {
	case warehouse.Date:
		return Day(c.Ints[0]).Time()
	case warehouse.TimestampTZ:
		t := time.UnixMicro(c.Ints[0]).In(zone)
		y, m, d := t.Date()
		return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	return time.UnixMicro(c.Ints[0]).UTC()
}

// resolveControls lists the filters of the bar with what was picked.
func (v *View) resolveControls() {
	c := &v.Dashboard.Config
	for _, id := range c.controls() {
		f := c.Filters[id]
		if v.locks(f.Column) {
			if _, said := v.State.Picks[id]; said {
				v.State = v.State.WithPick(id, nil)
			}
			continue
		}
		control := v.control(id, f.Label, f.Column, c.dataset(f.Dataset), false)
		control.reaches = f.Widgets
		if sc := v.schemas[control.dataset]; sc != nil {
			_, has := sc.find(f.Column)
			control.Gone = !has
		}
		v.chosen(&control, f.ControlOptions)
		v.Controls = append(v.Controls, control)
	}
	for _, name := range sortedKeys(v.State.Picks) {
		if _, own := c.Filters[name]; own {
			continue
		}
		if len(v.State.Picks[name]) == 0 || v.locks(name) || !v.addsFilters() {
			v.State = v.State.WithPick(name, nil)
			continue
		}
		// A filter of a column, added by the viewer. One that no longer exists
		// is left out.
		if sc := v.schemas[c.Dataset]; sc != nil {
			if _, ok := sc.find(name); ok {
				control := v.control(name, charts.Humanise(lastPart(name)), name, c.Dataset, true)
				v.chosen(&control, ControlOptions{Kind: v.kindOf(c.Dataset, name)})
				v.Controls = append(v.Controls, control)
			}
		}
	}
}

// addsFilters tells whether the viewer may filter by columns that the author
// made no filter of. Who looks from outside may not: the values of a column, and
// what the figures come to under each, say all that is in it.
func (v *View) addsFilters() bool { return !v.actor.IsOutside() }

// locks tells whether a filter of a column is locked for the viewer: then it is
// no choice, and not shown as one. That it holds is for package datasets.
func (v *View) locks(column string) bool {
	_, locked := v.actor.Locked[column]
	return locked
}

// CanLock tells whether the viewer can have rows locked by a column, of one of
// the dashboard's datasets or of what it looks up ("lookup.column"): only by one
// whose values they see, since what is left tells of those.
func (v *View) CanLock(column string) bool {
	lookup, rest, _ := strings.Cut(column, ".")
	for _, sc := range v.schemas {
		if sc == nil {
			continue
		}
		if c, ok := sc.ColumnByName(column); ok {
			return !c.Masked
		}
		if target := sc.targets[lookup]; target != nil {
			if c, ok := target.ColumnByName(rest); ok {
				return !c.Masked
			}
		}
	}
	return false
}

// Locked are the columns that the viewer's rows are locked by, each with its
// values, by name.
func (v *View) Locked() map[string][]string { return v.actor.Locked }

func (v *View) control(id, label, column string, dataset ids.Dataset, added bool) ControlView {
	return ControlView{ID: id, Label: label, Column: column, Added: added, dataset: dataset}
}

// valueText is a value of a link as people read it.
func (v *View) valueText(dataset ids.Dataset, dim warehouse.Dimension, value string) string {
	sc := v.schemas[dataset]
	if sc == nil {
		return value
	}
	c, _ := sc.find(dim.Column)
	if len(dim.Groups) > 0 {
		c.Type = warehouse.Text
	}
	return charts.ValueText(charts.ValueOf{Type: c.Type, Grain: dim.Grain, Bin: dim.Bin, Edges: edgesOf(dim), Value: value}, v.locale, v.words.Words)
}

// resolveCross reads the marks: which dimensions of which widget they are of.
// Marks of widgets that are gone, or that can't be selected in any more, are
// left out.
func (v *View) resolveCross() error {
	c := &v.Dashboard.Config
	for _, id := range c.Order() {
		marks := v.State.Cross[id]
		if len(marks) == 0 {
			continue
		}
		w := v.shownWidget(id)
		dims := selectDimensions(&w)
		if len(dims) == 0 {
			continue
		}
		dataset := c.dataset(w.Query.Dataset)
		sc := v.schemas[dataset]
		if sc == nil {
			continue
		}
		// Marks of before the author changed how the widget is divided are left out.
		marks = slices.DeleteFunc(slices.Clone(marks), func(m charts.Mark) bool { return len(m) != len(dims) })
		if len(marks) == 0 {
			continue
		}
		view := CrossView{Widget: id, Title: w.Title, Type: w.Type, columns: dims, dataset: dataset}
		combinations := 1
		for n := range dims {
			if combinations *= len(distinct(marks, n)); combinations > maxCombinations {
				return ErrFilters.With("At most %d combinations of marks can be selected.", maxCombinations)
			}
		}
		p := &Plan{ID: id, Widget: w, dataset: dataset}
		for n := range dims {
			dims[n] = v.settled(p, sc, dims[n])
		}
		var fields, texts []string
		for n, dim := range dims {
			name := dimensionName(dim)
			field := w.Format[name].Label
			if field == "" {
				field = sc.names(&w.Query)[name]
			}
			fields = append(fields, field)
			var words []string
			for _, value := range distinct(marks, n) {
				words = append(words, v.valueText(dataset, dim, value))
			}
			texts = append(texts, summary(words))
		}
		view.Field, view.Text = strings.Join(fields, ", "), strings.Join(texts, " · ")
		view.marks = rectangle(marks, len(dims))
		v.Cross = append(v.Cross, view)
	}
	return nil
}

// summary names up to three values and counts the rest.
func summary(words []string) string {
	if len(words) > 3 {
		return fmt.Sprintf("%s + %d", strings.Join(words[:2], ", "), len(words)-2)
	}
	return strings.Join(words, ", ")
}

// selectDimensions are the dimensions that a click on a widget filters by.
func selectDimensions(w *Widget) []warehouse.Dimension {
	byName := map[string]warehouse.Dimension{}
	var names []string
	for _, d := range w.Query.Dimensions {
		name := dimensionName(d)
		byName[name] = d
		names = append(names, name)
	}
	var dims []warehouse.Dimension
	for _, name := range charts.SelectColumns(w.Config, names) {
		d, ok := byName[name]
		if !ok {
			return nil
		}
		dims = append(dims, d)
	}
	return dims
}

// distinct lists the values of the nth dimension of marks in their order.
func distinct(marks []charts.Mark, n int) []string {
	var values []string
	for _, m := range marks {
		if !slices.Contains(values, m[n]) {
			values = append(values, m[n])
		}
	}
	return values
}

// rectangle is every combination of the values of the marks: filters are per
// column, so this is what a selection over two dimensions selects.
func rectangle(marks []charts.Mark, dims int) []charts.Mark {
	all := []charts.Mark{{}}
	for n := range dims {
		var grown []charts.Mark
		for _, m := range all {
			for _, value := range distinct(marks, n) {
				grown = append(grown, append(slices.Clone(m), value))
			}
		}
		all = grown
	}
	return all
}

// digest is a short name of any value that JSON can hold.
func digest(parts ...any) string {
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, p := range parts {
		// A hash never fails, and the parts are plain values.
		_ = e.Encode(p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:15])
}

// Resolve gives the days of a range as the date filter would take them; nil
// for a range without ends.
func (v *View) Resolve(r Range) *Days {
	if days, ok := r.Resolve(v.today); ok {
		return &days
	}
	return nil
}

// Shown are the days on the page: those of the range, or all that the data has.
func (v *View) Shown() *Days {
	if v.Days != nil {
		return v.Days
	}
	return v.Bounds
}

// Moment is what a dashboard would show now.
type Moment struct {
	Snapshot string
	Rev      int64 // of what viewers see
	DraftRev int64
	// PublishedAt is when it was published last, zero for never, and Pending whether
	// the draft is another since.
	PublishedAt time.Time
	Pending     bool
	Datasets    []ids.Dataset // a change of one of them makes another moment
	// Sees names what the viewer sees of them: a page that was drawn under
	// another has to be drawn again.
	Sees string
}

// WithTableRows is the view with tables of another length.
func (v *View) WithTableRows(n int) *View {
	other := *v
	other.tableRows, other.Tiles = n, nil
	for _, p := range v.Tiles {
		other.Tiles = append(other.Tiles, other.plan(p.ID))
	}
	other.join()
	return &other
}

// Current reads what the newest moment of a dashboard is, CurrentDraft that of
// its draft.
//
// Errors: dashboards.not_found.
func (s *Service) Current(ctx context.Context, actor access.Actor, id ids.Dashboard) (Moment, error) {
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return Moment{}, err
	}
	return s.moment(ctx, actor, &d)
}

// CurrentDraft is Current of the draft.
//
// Errors: dashboards.not_found, access.forbidden.
func (s *Service) CurrentDraft(ctx context.Context, actor access.Actor, id ids.Dashboard) (Moment, error) {
	d, err := s.GetDraft(ctx, actor, id)
	if err != nil {
		return Moment{}, err
	}
	return s.moment(ctx, actor, &d)
}

func (s *Service) moment(ctx context.Context, actor access.Actor, d *Dashboard) (Moment, error) {
	m := Moment{Rev: d.ShownRev(), DraftRev: d.Rev, PublishedAt: d.PublishedAt, Pending: d.Pending || d.Unpublished}
	var present []ids.Dataset
	for _, dataset := range d.Config.Datasets() {
		// One that is gone must not keep the page from following the others.
		snapshot, err := s.datasets.Snapshot(ctx, actor, []ids.Dataset{dataset})
		if isKind(err, datasets.ErrNotFound) {
			continue
		}
		if err != nil {
			return Moment{}, err
		}
		present = append(present, dataset)
		for target := range snapshot.Versions() {
			m.Datasets = append(m.Datasets, target)
		}
	}
	if len(present) > 0 {
		snapshot, err := s.datasets.Snapshot(ctx, actor, present)
		if err != nil {
			return Moment{}, err
		}
		m.Snapshot = snapshot.String()
		if m.Sees, err = s.datasets.Sees(ctx, actor, present); err != nil {
			return Moment{}, err
		}
	}
	return m, nil
}

// key names all that the frame around the tiles shows.
func (v *View) key() string {
	tiles := make([]string, len(v.Tiles))
	for i, p := range v.Tiles {
		tiles[i] = p.Key
	}
	d := &v.Dashboard
	return digest(v.actor.TenantID, v.Sees(), d.ID, d.Name, d.ShownRev(), d.Unpublished, d.Pending, v.Draft, d.Folder, d.FolderName, d.Tags, d.Starred, d.Config.Settings,
		v.State.Encode(), v.Origin, v.Snapshot.String(), v.AsOf, v.Days, v.Bounds, v.Compare, v.Controls, v.locale.Name, v.Zone.String(), v.today, tiles)
}

// Sees names what the viewer sees of the datasets on the page; empty for all.
func (v *View) Sees() string {
	all := map[ids.Dataset]string{}
	for _, id := range v.Dashboard.Config.Datasets() {
		if sc := v.schemas[id]; sc != nil {
			all[id] = sc.Dataset.Sees
			for _, target := range sc.targets {
				all[target.ID] = target.Sees
			}
		}
	}
	return datasets.JoinSees(all)
}

// Sees names what the actor sees of the datasets that a dashboard asks; empty
// for all of them.
func (s *Service) Sees(ctx context.Context, actor access.Actor, d *Dashboard) (string, error) {
	return s.datasets.Sees(ctx, actor, d.Config.Datasets())
}

// Locale is how the viewer writes numbers and dates.
func (v *View) Locale() *locale.Locale { return v.locale }

// Actor is whose view it is.
func (v *View) Actor() access.Actor { return v.actor }

// Hold does work while the data that the view shows stays readable, however
// long that takes.
//
// Errors: those of work, and of the database.
func (s *Service) Hold(ctx context.Context, v *View, purpose string, work func(context.Context) error) error {
	return s.datasets.Hold(ctx, v.actor, v.Snapshot, purpose, work)
}
