package dashboards

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

var (
	ErrUnreviewed = apperr.Define(apperr.Conflict, "dashboards.unreviewed",
		"Somebody else changed this dashboard meanwhile. Look at the change, then publish.")
	// ErrVersionNotFound also covers versions of other dashboards.
	ErrVersionNotFound = apperr.Define(apperr.NotFound, "dashboards.version_not_found",
		"This version does not exist.")
	ErrVersionName = apperr.Define(apperr.Invalid, "dashboards.version_name_invalid",
		"A version's name has at most 120 characters.")
)

// Version is a config that was published or that somebody gave a name.
type Version struct {
	Number    int
	Rev       int64
	Name      string
	Published bool
	Config    Config
	// Dashboard is what the dashboard was called; empty in versions from before
	// that was kept.
	Dashboard string
	By        string // name; empty for a program, or for somebody who is gone
	At        time.Time
}

// Publish makes the draft what viewers see, and keeps it as a version. rev is
// the revision that the actor has looked at: only that is published; 0 for
// whatever is there. note is a name for the version; it may be empty.
//
// Errors: dashboards.not_found, dashboards.unreviewed,
// dashboards.version_name_invalid.
func (s *Service) Publish(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, note string) (Dashboard, error) {
	name, err := versionName(note)
	if err != nil {
		return Dashboard{}, err
	}
	return s.read(ctx, actor, access.EditContent, id, func(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
		d, err := s.lock(ctx, tx, id)
		if err != nil {
			return Dashboard{}, err
		}
		current, err := getDraft(ctx, tx, actor, id)
		if err != nil || !current.Pending && !current.Unpublished {
			return current, err // viewers see it already
		}
		if rev != 0 && rev != d.rev {
			return Dashboard{}, ErrUnreviewed
		}
		now := s.clock()
		if err := tx.DashboardPublish(ctx, db.DashboardPublishParams{TenantID: tx.TenantID, DashboardID: id.UUID(), Now: now,
			SearchText: searchText(d.name, d.row.Tags, &d.before)}); err != nil {
			return Dashboard{}, fmt.Errorf("publish dashboard %s: %w", id, err)
		}
		if err := deriveSources(ctx, tx, id, &d.before, &d.before, &d.before); err != nil {
			return Dashboard{}, err
		}
		number, err := s.keep(ctx, tx, actor, id, name, true)
		if err != nil {
			return Dashboard{}, err
		}
		if err := record(ctx, tx, actor, "dashboard.publish", id.String(), map[string]any{"version": number, "rev": d.rev}); err != nil {
			return Dashboard{}, err
		}
		if err := changed(ctx, tx, events.DashboardChanged, id, d.rev); err != nil {
			return Dashboard{}, err
		}
		return getDraft(ctx, tx, actor, id)
	})
}

func (s *Service) keep(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, name string, published bool) (int, error) {
	number, err := tx.DashboardVersionInsert(ctx, db.DashboardVersionInsertParams{TenantID: tx.TenantID, DashboardID: id.UUID(),
		Name: name, Published: published, UserID: optional(actor.UserID), Now: s.clock()})
	if err != nil {
		return 0, fmt.Errorf("keep version of %s: %w", id, err)
	}
	return int(number), nil
}

func versionName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" {
		return "", nil
	}
	if problem := plaintext.Problem(name, 120, ErrVersionName.Sentence()); problem != "" {
		return "", ErrVersionName.WithFields(map[string]string{"name": problem})
	}
	return name, nil
}

// NameVersion keeps the draft as it is now under a name and answers the number.
//
// Errors: dashboards.not_found, dashboards.version_name_invalid.
func (s *Service) NameVersion(ctx context.Context, actor access.Actor, id ids.Dashboard, name string) (number int, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return 0, err
	}
	if name, err = versionName(name); err != nil {
		return 0, err
	}
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.lock(ctx, tx, id); err != nil {
			return err
		}
		if number, err = s.keep(ctx, tx, actor, id, name, false); err != nil {
			return err
		}
		return record(ctx, tx, actor, "dashboard.version", id.String(), map[string]any{"version": number, "name": name})
	})
	return number, err
}

// ListVersions lists the versions of a dashboard, newest first, at most 200,
// and how many there are.
//
// Errors: dashboards.not_found.
func (s *Service) ListVersions(ctx context.Context, actor access.Actor, id ids.Dashboard) (list []Version, total int, err error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, 0, err
	}
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := getDraft(ctx, tx, actor, id); err != nil {
			return err
		}
		rows, err := tx.DashboardVersionList(ctx, tx.TenantID, id.UUID(), 200)
		if err != nil {
			return fmt.Errorf("list versions: %w", err)
		}
		for _, row := range rows {
			v, err := versionOf(db.DashboardVersionGetRow{Number: row.Number, Rev: row.Rev, Name: row.Name, Published: row.Published,
				Config: row.Config, DashboardName: row.DashboardName, CreatedAt: row.CreatedAt, UserName: row.UserName})
			if err != nil {
				return err
			}
			list, total = append(list, v), int(row.Total)
		}
		return nil
	})
	return list, total, err
}

func versionOf(row db.DashboardVersionGetRow) (Version, error) {
	config, err := ParseConfig(row.Config)
	if err != nil {
		return Version{}, fmt.Errorf("read version %d: %w", row.Number, err)
	}
	return Version{Number: int(row.Number), Rev: row.Rev, Name: row.Name, Published: row.Published, Config: config,
		Dashboard: row.DashboardName, By: row.UserName, At: row.CreatedAt}, nil
}

func getVersion(ctx context.Context, tx *db.Tx, id ids.Dashboard, number int) (Version, error) {
	row, err := tx.DashboardVersionGet(ctx, tx.TenantID, id.UUID(), int32(number))
	if db.IsNoRows(err) {
		return Version{}, ErrVersionNotFound.Wrap(err)
	}
	if err != nil {
		return Version{}, fmt.Errorf("read version %d: %w", number, err)
	}
	return versionOf(row)
}

// Comparison is what lies between two versions of a dashboard.
type Comparison struct {
	From, To Version
	// Widgets and Filters are those that differ: first what was removed, then
	// what changed, then what was added, each in reading order.
	Widgets []WidgetChange
	Filters []ObjectChange
	Fields  []ObjectChange // calculated ones
	Renamed bool
	// Settings are the dashboard's own that differ; Others tells that something
	// else does: the default dataset, tabs, hierarchies.
	Settings []Difference
	Others   bool
}

// Same tells that nothing differs.
func (c *Comparison) Same() bool {
	return len(c.Widgets)+len(c.Filters)+len(c.Fields)+len(c.Settings) == 0 && !c.Renamed && !c.Others
}

// ObjectChange is how a filter or calculated field differs between two versions.
type ObjectChange struct {
	Label          string
	Added, Removed bool
	Changes        []Difference // of one that both have
}

// WidgetChange is how a widget differs between two versions.
type WidgetChange struct {
	ID    string
	Title string
	// Before is nil for one that was added, After for one that was removed.
	Before, After *Widget
	Moved         bool
	// Changes are what differs besides its place.
	Changes []Difference
}

// CompareVersions compares two versions; 0 stands for the draft.
//
// Errors: dashboards.not_found, dashboards.version_not_found.
func (s *Service) CompareVersions(ctx context.Context, actor access.Actor, id ids.Dashboard, from, to int) (Comparison, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Comparison{}, err
	}
	var c Comparison
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		draft, err := getDraft(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		for number, version := range map[int]*Version{from: &c.From, to: &c.To} {
			if number == 0 {
				*version = Version{Rev: draft.Rev, Config: draft.Config, Dashboard: draft.Name, At: draft.UpdatedAt}
			} else if *version, err = getVersion(ctx, tx, id, number); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && from != to {
		err = c.compare()
	}
	return c, err
}

// Tabs are the tabs on which something differs, in the order of the later
// version, then those that only the earlier one has: the ids. Where nothing
// differs it is the first one.
func (c *Comparison) Tabs() []string {
	differ := map[string]bool{}
	for _, w := range c.Widgets {
		if w.Before != nil {
			differ[c.From.Config.TabOf(w.ID)] = true
		}
		if w.After != nil {
			differ[c.To.Config.TabOf(w.ID)] = true
		}
	}
	if len(differ) == 0 {
		return c.To.Config.tabsOrNone()[:1]
	}
	var tabs []string
	for _, tab := range append(c.To.Config.tabsOrNone(), c.From.Config.tabsOrNone()...) {
		if differ[tab] {
			tabs = append(tabs, tab)
			delete(differ, tab)
		}
	}
	return tabs
}

func (c *Comparison) compare() error {
	a, b := &c.From.Config, &c.To.Config
	for _, id := range a.Order() {
		before := a.Widgets[id]
		after, has := b.Widgets[id]
		if !has {
			c.Widgets = append(c.Widgets, WidgetChange{ID: id, Title: before.Title, Before: &before})
			continue
		}
		change := WidgetChange{ID: id, Title: after.Title, Before: &before, After: &after, Moved: before.Layout != after.Layout || before.Tab != after.Tab}
		differences, err := differencesOf(before, after)
		if err != nil {
			return fmt.Errorf("compare widget %s: %w", id, err)
		}
		for _, d := range differences {
			switch d.Aspect {
			case "place", "tab":
				change.Moved = true
			default:
				change.Changes = append(change.Changes, d)
			}
		}
		if change.Moved || len(change.Changes) > 0 {
			c.Widgets = append(c.Widgets, change)
		}
	}
	for _, id := range b.Order() {
		if _, had := a.Widgets[id]; !had {
			after := b.Widgets[id]
			c.Widgets = append(c.Widgets, WidgetChange{ID: id, Title: after.Title, After: &after})
		}
	}
	slices.SortStableFunc(c.Widgets, func(x, y WidgetChange) int { return x.rank() - y.rank() })
	var err error
	if c.Filters, err = objectChanges(a.Filters, b.Filters, func(_ string, f Control) string { return f.Label }); err != nil {
		return err
	}
	if c.Fields, err = objectChanges(a.Fields, b.Fields, func(name string, f Formula) string { return cmp.Or(f.Label, name) }); err != nil {
		return err
	}
	if c.Settings, err = differencesOf(a.Settings, b.Settings); err != nil {
		return fmt.Errorf("compare settings: %w", err)
	}
	c.Renamed = c.From.Dashboard != c.To.Dashboard && c.From.Dashboard != "" && c.To.Dashboard != ""
	c.Others = digest(a.Dataset, a.Tabs, a.Hierarchies) != digest(b.Dataset, b.Tabs, b.Hierarchies)
	return nil
}

// objectChanges compares filters or fields: those of the earlier version, then
// what was added.
func objectChanges[T any](a, b map[string]T, label func(id string, object T) string) ([]ObjectChange, error) {
	var list []ObjectChange
	for _, id := range sortedKeys(a) {
		after, has := b[id]
		if !has {
			list = append(list, ObjectChange{Label: label(id, a[id]), Removed: true})
			continue
		}
		differences, err := differencesOf(a[id], after)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", id, err)
		}
		if len(differences) > 0 {
			list = append(list, ObjectChange{Label: label(id, a[id]), Changes: differences})
		}
	}
	for _, id := range sortedKeys(b) {
		if _, had := a[id]; !had {
			list = append(list, ObjectChange{Label: label(id, b[id]), Added: true})
		}
	}
	return list, nil
}

func (w *WidgetChange) rank() int {
	switch {
	case w.After == nil:
		return 0
	case w.Before == nil:
		return 2
	}
	return 1
}

// RestoreVersion makes the draft what a version was; it can be undone.
//
// Errors: dashboards.not_found, dashboards.version_not_found.
func (s *Service) RestoreVersion(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, number int) (Edited, error) {
	return s.edit(ctx, actor, id, rev, uuid.Nil, func(ctx context.Context, tx *db.Tx, d *draft, out *Edited) error {
		version, err := getVersion(ctx, tx, id, number)
		if err != nil {
			return err
		}
		ops, err := difference(d.doc, cmp.Or(version.Dashboard, d.name), &version.Config)
		if err != nil || len(ops) == 0 {
			return err
		}
		if err := record(ctx, tx, actor, "dashboard.restore", id.String(), map[string]any{"version": number}); err != nil {
			return err
		}
		return s.merge(ctx, tx, actor, d, Edit{Rev: d.rev, Operations: ops}, uuid.Nil, out)
	})
}
