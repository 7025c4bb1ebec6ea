// Package dashboards keeps dashboards, binds them to what a viewer chose, and
// asks and draws their widgets.
package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Datasets is what dashboards ask of package datasets.
type Datasets interface {
	Get(ctx context.Context, actor access.Actor, id ids.Dataset) (datasets.Dataset, error)
	ListFields(ctx context.Context, actor access.Actor, id ids.Dataset, extra map[string]string) ([]datasets.FieldInfo, error)
	Snapshot(ctx context.Context, actor access.Actor, list []ids.Dataset) (datasets.Snapshot, error)
	Bind(ctx context.Context, actor access.Actor, snapshot datasets.Snapshot) (datasets.Snapshot, error)
	Query(ctx context.Context, actor access.Actor, r datasets.QueryRequest) (*warehouse.Result, error)
}

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Datasets Datasets
	Log      *slog.Logger
	// Clock is time.Now when nil.
	Clock func() time.Time
}

// Service is safe for concurrent use.
type Service struct {
	db        *db.DB
	datasets  Datasets
	log       *slog.Logger
	clock     func() time.Time
	lastGood  *memory
	forecasts forecasts
	visits    *visits
	known     knownView
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{db: d.DB, datasets: d.Datasets, log: d.Log, clock: d.Clock, lastGood: newMemory(), forecasts: newForecasts(), visits: newVisits(), known: newKnownViews()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s
}

// Dashboard is one dashboard as the viewer sees it.
type Dashboard struct {
	ID         ids.Dashboard
	Name       string
	Config     Config
	Rev        int64 // counts operations; the first is 1
	Owner      ids.User
	Folder     ids.Folder // zero: none
	FolderName string
	Tags       []string
	Starred    bool // by the viewer
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// NewDashboard is what Create needs.
type NewDashboard struct {
	Name   string
	Folder ids.Folder // zero: none
	Tags   []string
	Config Config
}

// Get reads one dashboard.
//
// Errors: dashboards.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Dashboard{}, err
	}
	var d Dashboard
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		var err error
		d, err = get(ctx, tx, actor, id)
		return err
	})
	return d, err
}

func get(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	row, err := tx.DashboardGet(ctx, actor.UserID.UUID(), tx.TenantID, id.UUID())
	if db.IsNoRows(err) {
		return Dashboard{}, ErrNotFound.Wrap(err)
	}
	if err != nil {
		return Dashboard{}, fmt.Errorf("read dashboard %s: %w", id, err)
	}
	config, err := ParseConfig(row.Config)
	if err != nil {
		return Dashboard{}, fmt.Errorf("read dashboard %s: %w", id, err)
	}
	return Dashboard{ID: id, Name: row.Name, Config: config, Rev: row.Rev, Owner: idOf[ids.User](row.UserID),
		Folder: idOf[ids.Folder](row.FolderID), FolderName: row.FolderName, Tags: row.Tags, Starred: row.Starred,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt}, nil
}

// Create adds a dashboard.
//
// Errors: dashboards.name_invalid, dashboards.config_invalid,
// dashboards.folder_not_found, dashboards.tags_invalid.
func (s *Service) Create(ctx context.Context, actor access.Actor, n NewDashboard) (Dashboard, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Dashboard{}, err
	}
	var d Dashboard
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		var err error
		d, err = s.create(ctx, tx, actor, n)
		return err
	})
	return d, err
}

func (s *Service) create(ctx context.Context, tx *db.Tx, actor access.Actor, n NewDashboard) (Dashboard, error) {
	name, err := cleanName(n.Name)
	if err != nil {
		return Dashboard{}, err
	}
	tags, err := cleanTags(n.Tags)
	if err != nil {
		return Dashboard{}, err
	}
	n.Config.Schema = Schema
	if err := n.Config.Validate(); err != nil {
		return Dashboard{}, err
	}
	id := ids.New[ids.Dashboard]()
	now := s.clock()
	err = tx.DashboardInsert(ctx, db.DashboardInsertParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: optional(actor.UserID),
		Name: name, Config: n.Config.JSON(), FolderID: optional(n.Folder), Tags: tags, SearchText: searchText(name, tags, &n.Config), Now: now})
	if db.IsForeignKeyViolation(err) {
		return Dashboard{}, ErrFolderNotFound.Wrap(err)
	}
	if err != nil {
		return Dashboard{}, fmt.Errorf("add dashboard: %w", err)
	}
	// The first entry of the log is the whole, so that replaying it from
	// nothing gives the dashboard.
	op := Operation{ID: uuid.Must(uuid.NewV7()), Rev: 1, Path: "", After: n.Config.JSON()}
	if err := s.log1(ctx, tx, actor, id, op, now); err != nil {
		return Dashboard{}, err
	}
	if err := deriveSources(ctx, tx, id, nil, &n.Config); err != nil {
		return Dashboard{}, err
	}
	if err := record(ctx, tx, actor, "dashboard.create", id.String(), map[string]any{"name": name}); err != nil {
		return Dashboard{}, err
	}
	return get(ctx, tx, actor, id)
}

func (s *Service) log1(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, op Operation, now time.Time) error {
	err := tx.DashboardOperationInsert(ctx, db.DashboardOperationInsertParams{TenantID: tx.TenantID, DashboardID: id.UUID(),
		Rev: op.Rev, OpID: op.ID, Path: op.Path, Before: rawOrNil(op.Before), After: rawOrNil(op.After), UserID: optional(actor.UserID), Now: now})
	if err != nil {
		return fmt.Errorf("log operation: %w", err)
	}
	return nil
}

// deriveSources writes which datasets a config asks. A dataset that the config
// asks anew has to exist; one that it asked before may be gone by now.
func deriveSources(ctx context.Context, tx *db.Tx, id ids.Dashboard, before, after *Config) error {
	if err := tx.DashboardSourcesDelete(ctx, tx.TenantID, id.UUID()); err != nil {
		return fmt.Errorf("derive data sources: %w", err)
	}
	wanted := after.Datasets()
	raw := make([]uuid.UUID, len(wanted))
	for i, d := range wanted {
		raw[i] = d.UUID()
	}
	found, err := tx.DashboardSourcesInsert(ctx, id.UUID(), tx.TenantID, raw)
	if err != nil {
		return fmt.Errorf("derive data sources: %w", err)
	}
	known := map[ids.Dataset]bool{}
	for _, d := range found {
		known[ids.Dataset(d)] = true
	}
	if before != nil {
		for _, d := range before.Datasets() {
			known[d] = true
		}
	}
	for _, d := range wanted {
		if !known[d] {
			return ErrConfig.With("The dashboard asks a dataset that does not exist or was removed.")
		}
	}
	return nil
}

// Apply changes a dashboard: all operations or none. rev is the revision that
// the caller saw. Operations that were applied before (by their id) change
// nothing again, so a request can be repeated safely.
//
// Errors: dashboards.not_found, dashboards.stale,
// dashboards.operation_invalid, dashboards.config_invalid.
func (s *Service) Apply(ctx context.Context, actor access.Actor, id ids.Dashboard, rev int64, ops []Operation) (Dashboard, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Dashboard{}, err
	}
	if len(ops) == 0 || len(ops) > maxOperations {
		return Dashboard{}, ErrOperation.With("A change has 1 to %d operations.", maxOperations)
	}
	var d Dashboard
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		var err error
		d, err = s.apply(ctx, tx, actor, id, rev, ops)
		return err
	})
	return d, err
}

func (s *Service) apply(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, rev int64, ops []Operation) (Dashboard, error) {
	row, err := tx.DashboardLock(ctx, tx.TenantID, id.UUID())
	if db.IsNoRows(err) {
		return Dashboard{}, ErrNotFound.Wrap(err)
	}
	if err != nil {
		return Dashboard{}, fmt.Errorf("lock dashboard %s: %w", id, err)
	}
	fresh, err := s.unapplied(ctx, tx, id, ops)
	if err != nil {
		return Dashboard{}, err
	}
	if len(fresh) == 0 {
		return get(ctx, tx, actor, id)
	}
	if len(fresh) != len(ops) || row.Rev != rev {
		return Dashboard{}, ErrStale
	}
	before, err := ParseConfig(row.Config)
	if err != nil {
		return Dashboard{}, err
	}
	doc, err := newDocument(row.Name, before.JSON())
	if err != nil {
		return Dashboard{}, err
	}
	now := s.clock()
	for i := range ops {
		if err := doc.apply(ops[i]); err != nil {
			return Dashboard{}, err
		}
		ops[i].Rev = row.Rev + int64(i) + 1
		if err := s.log1(ctx, tx, actor, id, ops[i], now); err != nil {
			return Dashboard{}, err
		}
	}
	name, raw, err := doc.split()
	if err != nil {
		return Dashboard{}, err
	}
	if name, err = cleanName(name); err != nil {
		return Dashboard{}, err
	}
	after, err := ParseConfig(raw)
	if err != nil {
		return Dashboard{}, err
	}
	if err := deriveSources(ctx, tx, id, &before, &after); err != nil {
		return Dashboard{}, err
	}
	current, err := get(ctx, tx, actor, id)
	if err != nil {
		return Dashboard{}, err
	}
	err = tx.DashboardSetContent(ctx, db.DashboardSetContentParams{TenantID: tx.TenantID, DashboardID: id.UUID(), Name: name,
		Config: after.JSON(), Rev: row.Rev + int64(len(ops)), SearchText: searchText(name, current.Tags, &after), Now: now})
	if err != nil {
		return Dashboard{}, fmt.Errorf("store dashboard %s: %w", id, err)
	}
	if err := changed(ctx, tx, id, row.Rev+int64(len(ops))); err != nil {
		return Dashboard{}, err
	}
	return get(ctx, tx, actor, id)
}

// unapplied leaves out the operations that the log has already.
func (s *Service) unapplied(ctx context.Context, tx *db.Tx, id ids.Dashboard, ops []Operation) ([]Operation, error) {
	wanted := make([]uuid.UUID, len(ops))
	seen := map[uuid.UUID]bool{}
	for i, op := range ops {
		if op.ID == uuid.Nil || seen[op.ID] {
			return nil, ErrOperation.With("Every operation needs an op_id of its own.")
		}
		seen[op.ID], wanted[i] = true, op.ID
	}
	rows, err := tx.DashboardOperationFind(ctx, tx.TenantID, id.UUID(), wanted)
	if err != nil {
		return nil, fmt.Errorf("read operations: %w", err)
	}
	for _, row := range rows {
		delete(seen, row.OpID)
	}
	var fresh []Operation
	for _, op := range ops {
		if seen[op.ID] {
			fresh = append(fresh, op)
		}
	}
	return fresh, nil
}

// ListOperations reads the log after a revision, oldest first, at most 1,000.
//
// Errors: dashboards.not_found.
func (s *Service) ListOperations(ctx context.Context, actor access.Actor, id ids.Dashboard, after int64) ([]Operation, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Operation
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, actor, id); err != nil {
			return err
		}
		rows, err := tx.DashboardOperationList(ctx, db.DashboardOperationListParams{TenantID: tx.TenantID, DashboardID: id.UUID(), AfterRev: after, RowLimit: 1000})
		if err != nil {
			return fmt.Errorf("read operations: %w", err)
		}
		for _, row := range rows {
			list = append(list, Operation{ID: row.OpID, Rev: row.Rev, Path: row.Path, Before: row.Before, After: row.After,
				UserID: idOf[ids.User](row.UserID), At: row.At})
		}
		return nil
	})
	return list, err
}

// Rename changes the name; it is an operation like any other.
//
// Errors: dashboards.not_found, dashboards.name_invalid.
func (s *Service) Rename(ctx context.Context, actor access.Actor, id ids.Dashboard, name string) (Dashboard, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Dashboard{}, err
	}
	name, err := cleanName(name)
	if err != nil {
		return Dashboard{}, err
	}
	var d Dashboard
	err = s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DashboardLock(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("lock dashboard %s: %w", id, err)
		}
		if row.Name == name {
			d, err = get(ctx, tx, actor, id)
			return err
		}
		before, after := jsonText(row.Name), jsonText(name)
		op := Operation{ID: uuid.Must(uuid.NewV7()), Path: "/name", Before: before, After: after}
		if d, err = s.apply(ctx, tx, actor, id, row.Rev, []Operation{op}); err != nil {
			return err
		}
		return record(ctx, tx, actor, "dashboard.rename", id.String(), map[string]any{"before": row.Name, "after": name})
	})
	return d, err
}

// Duplicate makes a copy beside the original, owned by the actor.
//
// Errors: dashboards.not_found.
func (s *Service) Duplicate(ctx context.Context, actor access.Actor, id ids.Dashboard, name string) (Dashboard, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Dashboard{}, err
	}
	var d Dashboard
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		original, err := get(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		d, err = s.create(ctx, tx, actor, NewDashboard{Name: clipName(name), Folder: original.Folder, Tags: original.Tags, Config: original.Config})
		return err
	})
	return d, err
}

// Delete hides a dashboard. Undelete brings it back while it is kept.
//
// Errors: dashboards.not_found.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Dashboard) error {
	return s.change(ctx, actor, id, "dashboard.delete", func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.DashboardDelete(ctx, ptr(s.clock()), tx.TenantID, id.UUID())
	})
}

// Undelete brings a deleted dashboard back.
//
// Errors: dashboards.not_found.
func (s *Service) Undelete(ctx context.Context, actor access.Actor, id ids.Dashboard) error {
	return s.change(ctx, actor, id, "dashboard.undelete", func(ctx context.Context, tx *db.Tx) (int64, error) {
		return tx.DashboardUndelete(ctx, tx.TenantID, id.UUID())
	})
}

// Purge removes for good what was deleted longer than keep ago.
func (s *Service) Purge(ctx context.Context, actor access.Actor, keep time.Duration) (removed int64, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return 0, err
	}
	err = s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		removed, err = tx.DashboardPurge(ctx, tx.TenantID, ptr(s.clock().Add(-keep)))
		return err
	})
	return removed, err
}

// Move puts a dashboard into a folder; the zero folder is none.
//
// Errors: dashboards.not_found, dashboards.folder_not_found.
func (s *Service) Move(ctx context.Context, actor access.Actor, id ids.Dashboard, folder ids.Folder) error {
	return s.change(ctx, actor, id, "dashboard.move", func(ctx context.Context, tx *db.Tx) (int64, error) {
		n, err := tx.DashboardSetFolder(ctx, optional(folder), tx.TenantID, id.UUID())
		if db.IsForeignKeyViolation(err) {
			return 0, ErrFolderNotFound.Wrap(err)
		}
		return n, err
	})
}

// SetTags replaces the tags.
//
// Errors: dashboards.not_found, dashboards.tags_invalid.
func (s *Service) SetTags(ctx context.Context, actor access.Actor, id ids.Dashboard, tags []string) error {
	tags, err := cleanTags(tags)
	if err != nil {
		return err
	}
	return s.change(ctx, actor, id, "dashboard.tag", func(ctx context.Context, tx *db.Tx) (int64, error) {
		current, err := get(ctx, tx, actor, id)
		if err != nil {
			return 0, err
		}
		return tx.DashboardSetTags(ctx, db.DashboardSetTagsParams{TenantID: tx.TenantID, DashboardID: id.UUID(), Tags: tags,
			SearchText: searchText(current.Name, tags, &current.Config)})
	})
}

// change is a change of one row that the log of operations does not cover.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Dashboard, action string, work func(context.Context, *db.Tx) (int64, error)) error {
	if err := access.Can(actor, access.EditContent); err != nil {
		return err
	}
	return s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		n, err := work(ctx, tx)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return record(ctx, tx, actor, action, id.String(), nil)
	})
}

// Star marks a dashboard for the actor, or takes the mark off.
//
// Errors: dashboards.not_found.
func (s *Service) Star(ctx context.Context, actor access.Actor, id ids.Dashboard, on bool) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	if actor.UserID.IsZero() {
		return nil
	}
	return s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, actor, id); err != nil {
			return err
		}
		var at *time.Time
		if on {
			at = ptr(s.clock())
		}
		return tx.DashboardViewStar(ctx, db.DashboardViewStarParams{TenantID: tx.TenantID, UserID: actor.UserID.UUID(), DashboardID: id.UUID(), StarredAt: at})
	})
}

// Visit notes that the actor opened a dashboard, for "recently opened". What
// fails is logged only: reading a page must not depend on a write.
func (s *Service) Visit(ctx context.Context, actor access.Actor, id ids.Dashboard) {
	now := s.clock()
	if actor.UserID.IsZero() || !s.visits.due(actor.UserID, id, now) {
		return
	}
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return tx.DashboardViewOpened(ctx, db.DashboardViewOpenedParams{TenantID: tx.TenantID, UserID: actor.UserID.UUID(), DashboardID: id.UUID(), Now: ptr(now)})
	})
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "note that a dashboard was opened", "dashboard", id, "error", err)
	}
}

func cleanName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if !shortText(name, 120) {
		return "", ErrName.WithFields(map[string]string{"name": ErrName.Sentence()})
	}
	return name, nil
}

func clipName(name string) string {
	if r := []rune(name); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return name
}

func cleanTags(tags []string) ([]string, error) {
	clean := []string{}
	seen := map[string]bool{}
	for _, tag := range tags {
		tag = strings.Join(strings.Fields(tag), " ")
		if tag == "" || seen[strings.ToLower(tag)] {
			continue
		}
		if !shortText(tag, 40) || strings.Contains(tag, ",") {
			return nil, ErrTags.WithFields(map[string]string{"tags": ErrTags.Sentence()})
		}
		seen[strings.ToLower(tag)] = true
		clean = append(clean, tag)
	}
	if len(clean) > 20 {
		return nil, ErrTags.WithFields(map[string]string{"tags": ErrTags.Sentence()})
	}
	return clean, nil
}

// searchText is what the search of the catalogue looks through.
func searchText(name string, tags []string, c *Config) string {
	words := append([]string{name}, tags...)
	seen := map[string]bool{}
	add := func(text string) {
		if text != "" && !seen[text] {
			seen[text] = true
			words = append(words, text)
		}
	}
	for _, id := range c.Order() {
		w := c.Widgets[id]
		add(w.Title)
		add(w.Subtitle)
		for _, m := range w.Query.Measures {
			add(m.Column)
			add(m.Measure)
		}
		for _, d := range w.Query.Dimensions {
			add(d.Column)
		}
		for _, column := range w.Query.Columns {
			add(column)
		}
	}
	return strings.ToLower(strings.Join(words, "\n"))
}

func jsonText(text string) json.RawMessage { return quoted(text) }

func rawOrNil(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

func ptr[T any](v T) *T { return &v }

func isKind(err, kind error) bool { return err != nil && errors.Is(err, kind) }
