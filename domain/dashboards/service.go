// Package dashboards keeps dashboards, binds them to what a viewer chose, and
// asks and draws their widgets.
package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Datasets is what dashboards ask of package datasets.
type Datasets interface {
	Get(ctx context.Context, actor access.Actor, id ids.Dataset) (datasets.Dataset, error)
	List(ctx context.Context, actor access.Actor) ([]datasets.Listed, error)
	Resolve(ctx context.Context, actor access.Actor, nameOrID string) (ids.Dataset, error)
	ListFields(ctx context.Context, actor access.Actor, id ids.Dataset, extra map[string]string) ([]datasets.FieldInfo, error)
	Snapshot(ctx context.Context, actor access.Actor, list []ids.Dataset) (datasets.Snapshot, error)
	Bind(ctx context.Context, actor access.Actor, snapshot datasets.Snapshot) (datasets.Snapshot, error)
	Query(ctx context.Context, actor access.Actor, r datasets.QueryRequest) (*warehouse.Result, error)
	Whole(ctx context.Context, actor access.Actor, id ids.Dataset) (datasets.Whole, error)
	Stream(ctx context.Context, actor access.Actor, r datasets.QueryRequest, read func(part *warehouse.Result) error) error
	Export(ctx context.Context, actor access.Actor, r datasets.QueryRequest, x warehouse.Export, out io.Writer) (int64, error)
	SearchValues(ctx context.Context, actor access.Actor, r datasets.ValuesRequest) (warehouse.FoundValues, error)
	PrepareValues(ctx context.Context, actor access.Actor, r datasets.ValuesRequest) error
	Explain(ctx context.Context, actor access.Actor, r datasets.QueryRequest) (warehouse.Explanation, error)
	ListVersions(ctx context.Context, actor access.Actor, id ids.Dataset, limit int) ([]datasets.Version, error)
	OnlyGrew(ctx context.Context, actor access.Actor, id ids.Dataset, since int64) (bool, error)
	Sees(ctx context.Context, actor access.Actor, list []ids.Dataset) (string, error)
	HiddenColumns(ctx context.Context, actor access.Actor, list []ids.Dataset) ([]string, error)
	HeldRules(ctx context.Context, actor access.Actor, id ids.Dataset) ([]datasets.HeldRule, error)
	Hold(ctx context.Context, actor access.Actor, snapshot datasets.Snapshot, purpose string, work func(context.Context) error) error
}

// Deps is what the service needs.
type Deps struct {
	DB       *db.DB
	Datasets Datasets
	Log      *slog.Logger
	// Sharing takes back what is no deed of this package; nil where nothing is shared.
	Sharing TakesBack
	// Clock is time.Now when nil.
	Clock func() time.Time
}

// Service is safe for concurrent use.
type Service struct {
	db        *db.DB
	datasets  Datasets
	sharing   TakesBack
	log       *slog.Logger
	clock     func() time.Time
	lastGood  *memory
	seen      *lru.Cache[string, factsAt]
	looks     singleflight.Group // by the key of seen and a version
	forecasts forecasts
	visits    *visits
	known     knownView
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{db: d.DB, datasets: d.Datasets, sharing: d.Sharing, log: d.Log, clock: d.Clock, lastGood: newMemory(), seen: newSeenFacts(), forecasts: newForecasts(), visits: newVisits(), known: newKnownViews()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s
}

// Dashboard is one dashboard, as published or as a draft.
type Dashboard struct {
	ID     ids.Dashboard
	Name   string
	Config Config
	// Rev counts operations; the first is 1. It is that of the draft, and
	// PublishedRev that of what viewers see, 0 for nothing.
	Rev          int64
	PublishedRev int64
	PublishedAt  time.Time
	// Unpublished ones are seen by those who may edit only, as their draft is.
	Unpublished bool
	// Pending tells that the draft is another than what is published.
	Pending    bool
	Owner      ids.User
	Folder     ids.Folder // zero: none
	FolderName string
	Tags       []string
	Starred    bool // by the viewer
	// Access is how it is shared, Restricted whether by itself, and CanEdit
	// whether the viewer may change it.
	Access     access.Object
	Restricted bool
	CanEdit    bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// ShownRev is the revision that viewers see.
func (d *Dashboard) ShownRev() int64 {
	if d.Unpublished {
		return d.Rev
	}
	return d.PublishedRev
}

// NewDashboard is what Create needs.
type NewDashboard struct {
	Name   string
	Folder ids.Folder // zero: none
	Tags   []string
	Config Config
	Draft  bool // not published yet
	// Restricted ones are seen by their owner only, until they are shared.
	Restricted bool
}

// Get reads one dashboard as it was published; one that never was, for those
// who may edit, as a draft.
//
// Errors: dashboards.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	return s.read(ctx, actor, access.ViewContent, id, get)
}

// GetDraft reads the draft of a dashboard.
//
// Errors: dashboards.not_found, access.forbidden.
func (s *Service) GetDraft(ctx context.Context, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	return s.read(ctx, actor, access.EditContent, id, getDraft)
}

// GetWhole reads a dashboard as it was published and, for those who may edit,
// the widgets that only its draft has besides: all that can be talked about.
//
// Errors: dashboards.not_found.
func (s *Service) GetWhole(ctx context.Context, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	d, err := s.Get(ctx, actor, id)
	if err != nil || !d.CanEdit || !d.Pending {
		return d, err
	}
	draft, err := s.GetDraft(ctx, actor, id)
	if err != nil {
		return Dashboard{}, err
	}
	whole := map[string]Widget{}
	maps.Copy(whole, draft.Config.Widgets)
	maps.Copy(whole, d.Config.Widgets)
	d.Config.Widgets = whole
	return d, nil
}

func (s *Service) read(ctx context.Context, actor access.Actor, needed access.Permission, id ids.Dashboard,
	how func(context.Context, *db.Tx, access.Actor, ids.Dashboard) (Dashboard, error)) (Dashboard, error) {
	if err := access.Can(actor, needed); err != nil {
		return Dashboard{}, err
	}
	var d Dashboard
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		var err error
		d, err = how(ctx, tx, actor, id)
		return err
	})
	return d, err
}

func get(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	d, err := getRow(ctx, tx, actor, id, false)
	if err == nil && d.Unpublished && !d.CanEdit {
		return Dashboard{}, ErrNotFound
	}
	return d, err
}

func getDraft(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard) (Dashboard, error) {
	d, err := getRow(ctx, tx, actor, id, true)
	if err == nil {
		err = access.Can(actor, access.EditContent, d.Access)
	}
	return d, err
}

func getRow(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, draft bool) (Dashboard, error) {
	row, err := tx.DashboardGet(ctx, db.DashboardGetParams{Draft: draft, ViewerID: actor.UserID.UUID(), TenantID: tx.TenantID, DashboardID: id.UUID()})
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
	d := Dashboard{ID: id, Name: row.Name, Config: config, Rev: row.Rev, PublishedRev: row.PublishedRev, Unpublished: row.Unpublished,
		Pending: !row.Same, Owner: idOf[ids.User](row.UserID), Folder: idOf[ids.Folder](row.FolderID), FolderName: row.FolderName,
		Tags: row.Tags, Starred: row.Starred, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		Access: access.Object{ID: row.DashboardID, Readers: row.Readers, Writers: row.Writers}, Restricted: row.Restricted}
	d.CanEdit = access.Can(actor, access.EditContent, d.Access) == nil
	if row.PublishedAt != nil {
		d.PublishedAt = *row.PublishedAt
	}
	return d, nil
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
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
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
	if err := errors.Join(n.Config.Validate(), n.Config.checkSize()); err != nil {
		return Dashboard{}, err
	}
	doc, err := newDocument(name, n.Config.JSON())
	if err != nil {
		return Dashboard{}, err
	}
	if err := storable(map[string]any(doc)); err != nil {
		return Dashboard{}, ErrConfig.With("The config can't be stored: %s.", err)
	}
	if err := intoFolder(ctx, tx, n.Folder); err != nil {
		return Dashboard{}, err
	}
	id := ids.New[ids.Dashboard]()
	now := s.clock()
	err = tx.DashboardInsert(ctx, db.DashboardInsertParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: optional(actor.UserID), Draft: n.Draft, Restricted: n.Restricted,
		Name: name, Config: n.Config.JSON(), FolderID: optional(n.Folder), Tags: tags, SearchText: searchText(name, tags, &n.Config), Now: now})
	if db.IsForeignKeyViolation(err) {
		return Dashboard{}, ErrFolderNotFound.Wrap(err)
	}
	if err != nil {
		return Dashboard{}, fmt.Errorf("add dashboard: %w", err)
	}
	// The first entry of the log is the whole, so that replaying it from
	// nothing gives the dashboard.
	op := Operation{ID: uuid.Must(uuid.NewV7()), ChangeID: uuid.Must(uuid.NewV7()), Rev: 1, Path: "", After: n.Config.JSON()}
	if err := s.log1(ctx, tx, actor, id, op, now); err != nil {
		return Dashboard{}, err
	}
	if err := deriveSources(ctx, tx, id, nil, &n.Config, &n.Config); err != nil {
		return Dashboard{}, err
	}
	if err := record(ctx, tx, actor, "dashboard.create", id.String(), map[string]any{"name": name}); err != nil {
		return Dashboard{}, err
	}
	return get(ctx, tx, actor, id)
}

func (s *Service) log1(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, op Operation, now time.Time) error {
	var seen *int64
	if op.Seen > 0 {
		seen = &op.Seen
	}
	err := tx.DashboardOperationInsert(ctx, db.DashboardOperationInsertParams{TenantID: tx.TenantID, DashboardID: id.UUID(),
		Rev: op.Rev, OpID: op.ID, Path: op.Path, Before: rawOrNil(op.Before), After: rawOrNil(op.After), UserID: optional(actor.UserID), Now: now,
		ChangeID: op.ChangeID, Undoes: rawID(op.Undoes), Schema: Schema, SeenRev: seen})
	if err != nil {
		return fmt.Errorf("log operation: %w", err)
	}
	return nil
}

// deriveSources writes which datasets the draft and what viewers see ask. A
// dataset that the draft asks anew has to exist; one that it asked before may
// be gone by now.
func deriveSources(ctx context.Context, tx *db.Tx, id ids.Dashboard, before, after, published *Config) error {
	wanted := after.Datasets()
	raw := []uuid.UUID{}
	for _, list := range [][]ids.Dataset{wanted, published.Datasets()} {
		for _, d := range list {
			if !slices.Contains(raw, d.UUID()) {
				raw = append(raw, d.UUID())
			}
		}
	}
	if err := tx.DashboardSourcesDelete(ctx, tx.TenantID, id.UUID(), raw); err != nil {
		return fmt.Errorf("derive data sources: %w", err)
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

// ListOperations reads the log of the draft after a revision, oldest first.
//
// Errors: dashboards.not_found, access.forbidden.
func (s *Service) ListOperations(ctx context.Context, actor access.Actor, id ids.Dashboard, after int64) ([]Operation, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, err
	}
	var list []Operation
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := getDraft(ctx, tx, actor, id); err != nil {
			return err
		}
		var err error
		if list, err = operationsAfter(ctx, tx, id, after); err != nil {
			return err
		}
		return signAll(ctx, tx, actor, list)
	})
	return list, err
}

// Rename changes the name at once, for viewers too. It is an operation like any
// other: in an editor it can be undone, and the undone name waits to be published
// like everything in a draft.
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
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		at, err := s.lock(ctx, tx, id)
		if err != nil {
			return err
		}
		was := at.row.PublishedName
		if at.name != name {
			op := Operation{ID: uuid.Must(uuid.NewV7()), Path: "/name", After: jsonText(name)}
			if err := s.merge(ctx, tx, actor, at, Edit{Rev: at.rev, Operations: []Operation{op}}, uuid.Nil, &Edited{}); err != nil {
				return err
			}
		}
		if was != name {
			if err := tx.DashboardShowName(ctx, searchText(name, at.row.Tags, &at.published), tx.TenantID, id.UUID()); err != nil {
				return fmt.Errorf("rename dashboard %s: %w", id, err)
			}
			if err := changed(ctx, tx, events.DashboardChanged, id, at.rev); err != nil {
				return err
			}
		}
		if d, err = getDraft(ctx, tx, actor, id); err != nil || was == name {
			return err
		}
		return record(ctx, tx, actor, "dashboard.rename", id.String(), map[string]any{"was": was, "name": name})
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
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		original, err := get(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		copied := NewDashboard{Draft: original.Unpublished, Name: clipName(name), Folder: original.Folder, Tags: original.Tags,
			Config: original.Config, Restricted: original.Restricted}
		// Where the copy can't lie beside the original, nobody sees it who could
		// not see that one.
		if err := intoFolder(ctx, tx, original.Folder); err != nil {
			copied.Folder, copied.Restricted = ids.Folder{}, original.Access.Readers != nil
		}
		d, err = s.create(ctx, tx, actor, copied)
		return err
	})
	return d, err
}

// Delete hides a dashboard. Undelete brings it back while it is kept.
//
// Errors: dashboards.not_found.
func (s *Service) Delete(ctx context.Context, actor access.Actor, id ids.Dashboard) error {
	return s.change(ctx, actor, id, "dashboard.delete", func(ctx context.Context, tx *db.Tx) (int64, error) {
		return s.do(ctx, tx, actor, "dashboard", id.UUID(), there, nil)
	})
}

// Undelete brings a deleted dashboard back.
//
// Errors: dashboards.not_found.
func (s *Service) Undelete(ctx context.Context, actor access.Actor, id ids.Dashboard) error {
	return s.change(ctx, actor, id, "dashboard.undelete", func(ctx context.Context, tx *db.Tx) (int64, error) {
		return s.do(ctx, tx, actor, "dashboard", id.UUID(), nil, there)
	})
}

// Purge removes for good what was deleted longer than keep ago.
func (s *Service) Purge(ctx context.Context, actor access.Actor, keep time.Duration) (removed int64, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return 0, err
	}
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		before := ptr(s.clock().Add(-keep))
		if removed, err = tx.DashboardPurge(ctx, tx.TenantID, before); err != nil {
			return err
		}
		templates, err := tx.TemplatePurge(ctx, tx.TenantID, before)
		removed += templates
		return err
	})
	return removed, err
}

// PurgeArgs asks to remove a workspace's dashboards and templates for good that
// were deleted long ago. Idempotent.
type PurgeArgs struct{}

// Kind names the job.
func (PurgeArgs) Kind() string { return "dashboards:purge" }

// keepDeleted is how long what was deleted can be brought back. It is longer
// than files of reports are kept, whose rows go with their dashboard.
const keepDeleted = 30 * 24 * time.Hour

// RunPurge carries out a PurgeArgs job.
func (s *Service) RunPurge(ctx context.Context, job jobs.Job[PurgeArgs]) error {
	_, err := s.Purge(ctx, access.Actor{Kind: access.System, TenantID: ids.Tenant(job.TenantID)}, keepDeleted)
	return err
}

// Move puts a dashboard into a folder; the zero folder is none.
//
// Errors: dashboards.not_found, dashboards.folder_not_found.
func (s *Service) Move(ctx context.Context, actor access.Actor, id ids.Dashboard, folder ids.Folder) error {
	return s.change(ctx, actor, id, "dashboard.move", func(ctx context.Context, tx *db.Tx) (int64, error) {
		current, err := getDraft(ctx, tx, actor, id)
		if err != nil || current.Folder == folder {
			return 1, err
		}
		if err := intoFolder(ctx, tx, folder); err != nil {
			return 0, err
		}
		return s.do(ctx, tx, actor, "dashboard.folder", id.UUID(), idValue(current.Folder), idValue(folder))
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
		current, err := getDraft(ctx, tx, actor, id)
		if err != nil {
			return 0, err
		}
		return s.do(ctx, tx, actor, "dashboard.tags", id.UUID(), current.Tags, tags)
	})
}

// change is a change of one row that the log of operations does not cover.
func (s *Service) change(ctx context.Context, actor access.Actor, id ids.Dashboard, action string, work func(context.Context, *db.Tx) (int64, error)) error {
	if err := access.Can(actor, access.EditContent); err != nil {
		return err
	}
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		n, err := work(ctx, tx)
		if err != nil {
			return err
		}
		if n == 0 {
			return unchangeable(ctx, tx, id)
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
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
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
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		return tx.DashboardViewOpened(ctx, db.DashboardViewOpenedParams{TenantID: tx.TenantID, UserID: actor.UserID.UUID(), DashboardID: id.UUID(), Now: ptr(now)})
	})
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "note that a dashboard was opened", "dashboard", id, "error", err)
	}
}

func cleanName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if problem := plaintext.Problem(name, 120, ErrName.Sentence()); problem != "" {
		return "", ErrName.WithFields(map[string]string{"name": problem})
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
		problem := plaintext.Problem(tag, 40, ErrTags.Sentence())
		if problem == "" && strings.Contains(tag, ",") {
			problem = ErrTags.Sentence()
		}
		if problem != "" {
			return nil, ErrTags.WithFields(map[string]string{"tags": problem})
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

func rawID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func rawOrNil(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

func ptr[T any](v T) *T { return &v }

func isKind(err, kind error) bool { return err != nil && errors.Is(err, kind) }
