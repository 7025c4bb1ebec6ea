package dashboards

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/events"
)

// Sort is the order of a list of dashboards.
type Sort string

// The orders. The zero value is ByChange.
const (
	ByChange Sort = "changed" // newest change first
	ByOpened Sort = "opened"  // last opened by the actor first
	ByName   Sort = "name"
	ByAge    Sort = "created" // newest first
)

// ListQuery says which dashboards to list. Zero fields filter nothing.
type ListQuery struct {
	Search  string // words that names, widgets or fields contain, all of them
	Folder  ids.Folder
	Owner   ids.User
	Tag     string
	Starred bool
	Opened  bool // only what the actor opened before
	Sort    Sort
	Limit   int // default 60
	Offset  int
}

// Entry is one line of a list.
type Entry struct {
	Dashboard
	OwnerName string
	OpenedAt  time.Time // zero: never, by the actor
	Live      bool      // follows a dataset whose content comes in by itself
}

// Listing is one page of a list.
type Listing struct {
	Entries []Entry
	Matches int // all pages together
	Total   int // without any filter
}

// List lists dashboards.
func (s *Service) List(ctx context.Context, actor access.Actor, q ListQuery) (Listing, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Listing{}, err
	}
	limit := q.Limit
	if limit <= 0 || limit > 200 {
		limit = 60
	}
	var l Listing
	drafts := access.Can(actor, access.EditContent) == nil
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		p := db.DashboardListParams{TenantID: tx.TenantID, ViewerID: actor.UserID.UUID(),
			FolderID: optional(q.Folder), OwnerID: optional(q.Owner), Tag: q.Tag, Starred: q.Starred, Opened: q.Opened,
			Patterns: db.LikePatterns(q.Search), Sort: string(q.Sort), Drafts: drafts, RowLimit: int32(limit), RowOffset: int32(min(max(q.Offset, 0), math.MaxInt32))}
		rows, err := tx.DashboardList(ctx, p)
		if err != nil {
			return fmt.Errorf("list dashboards: %w", err)
		}
		if len(rows) == 0 && p.RowOffset > 0 { // behind the last page; how many there are stands in every row
			p.RowOffset, p.RowLimit = 0, 1
			first, err := tx.DashboardList(ctx, p)
			if err != nil {
				return fmt.Errorf("count dashboards: %w", err)
			}
			for _, row := range first {
				l.Matches = int(row.Matches)
			}
		}
		for _, row := range rows {
			config, err := ParseConfig(row.Config)
			if err != nil {
				// One that can't be read must not hide the others.
				s.log.ErrorContext(ctx, "read dashboard", "dashboard", row.DashboardID, "error", err)
				config = Config{Schema: Schema, Widgets: map[string]Widget{}}
			}
			e := Entry{Dashboard: Dashboard{ID: ids.Dashboard(row.DashboardID), Name: row.Name, Config: config, Rev: row.Rev,
				Owner: idOf[ids.User](row.UserID), Folder: idOf[ids.Folder](row.FolderID), FolderName: row.FolderName,
				Tags: row.Tags, Starred: row.Starred, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Unpublished: row.Unpublished,
				Access: access.Object{ID: row.DashboardID, Readers: row.Readers, Writers: row.Writers}, Restricted: row.Restricted},
				OwnerName: row.OwnerName, Live: row.Live && config.Settings.Live}
			e.CanEdit = access.Can(actor, access.EditContent, e.Access) == nil
			if e.FolderName == "" { // one that the actor may not see
				e.Folder = ids.Folder{}
			}
			if e.OwnerName == "" {
				e.OwnerName, _, _ = strings.Cut(row.OwnerEmail, "@")
			}
			if row.OpenedAt != nil {
				e.OpenedAt = *row.OpenedAt
			}
			l.Entries, l.Matches = append(l.Entries, e), int(row.Matches)
		}
		total, err := tx.DashboardCount(ctx, tx.TenantID, drafts)
		l.Total = int(total)
		return err
	})
	return l, err
}

// ListNames lists dashboards by name, with nothing but their ids and names.
func (s *Service) ListNames(ctx context.Context, actor access.Actor, limit int) ([]Dashboard, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Dashboard
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.DashboardNames(ctx, tx.TenantID, access.Can(actor, access.EditContent) == nil, int32(limit))
		if err != nil {
			return fmt.Errorf("list names of dashboards: %w", err)
		}
		for _, row := range rows {
			list = append(list, Dashboard{ID: ids.Dashboard(row.DashboardID), Name: row.Name})
		}
		return nil
	})
	return list, err
}

// Folder is one folder with the number of its dashboards.
type Folder struct {
	ID         ids.Folder
	Name       string
	Parent     ids.Folder // zero: none, or one that the actor may not see
	Depth      int        // 0 at the top
	Dashboards int        // directly in it
	Restricted bool
	Access     access.Object
	CanEdit    bool
}

// Tag is one tag in use.
type Tag struct {
	Name       string
	Dashboards int
}

// Owner is a person who owns a dashboard.
type Owner struct {
	ID   ids.User
	Name string
}

// Facets are what a list can be filtered by.
type Facets struct {
	Folders []Folder // by name, those in a folder right after it
	Tags    []Tag
	Owners  []Owner
}

// ListFacets lists folders, tags and owners.
func (s *Service) ListFacets(ctx context.Context, actor access.Actor) (Facets, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Facets{}, err
	}
	var f Facets
	drafts := access.Can(actor, access.EditContent) == nil
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		folders, err := tx.FolderList(ctx, drafts, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list folders: %w", err)
		}
		f.Folders = folderTree(actor, folders)
		tags, err := tx.DashboardTags(ctx, tx.TenantID, drafts)
		if err != nil {
			return fmt.Errorf("list tags: %w", err)
		}
		for _, row := range tags {
			f.Tags = append(f.Tags, Tag{Name: row.Tag, Dashboards: int(row.Dashboards)})
		}
		owners, err := tx.DashboardOwners(ctx, tx.TenantID, drafts)
		if err != nil {
			return fmt.Errorf("list owners: %w", err)
		}
		for _, row := range owners {
			name := row.Name
			if name == "" {
				name, _, _ = strings.Cut(row.Email, "@")
			}
			f.Owners = append(f.Owners, Owner{ID: ids.User(row.UserID), Name: name})
		}
		return nil
	})
	return f, err
}

// UsedBy lists the dashboards, of those that the actor may see, whose draft or
// published page asks a column or field of a dataset, "" for the dataset
// itself: they break without it.
func (s *Service) UsedBy(ctx context.Context, actor access.Actor, dataset ids.Dataset, field string) ([]Dashboard, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Dashboard
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.DashboardConfigsByDataset(ctx, tx.TenantID, dataset.UUID())
		if err != nil {
			return fmt.Errorf("list dashboards of a dataset: %w", err)
		}
		for _, row := range rows {
			for _, raw := range [][]byte{row.Config, row.PublishedConfig} {
				if len(raw) == 0 {
					continue // never published
				}
				config, err := ParseConfig(raw)
				if err != nil {
					return fmt.Errorf("read dashboard %s: %w", row.DashboardID, err)
				}
				if field == "" || config.asks(dataset, field) {
					list = append(list, Dashboard{ID: ids.Dashboard(row.DashboardID), Name: row.Name})
					break
				}
			}
		}
		return nil
	})
	return list, err
}

func record(ctx context.Context, tx *db.Tx, actor access.Actor, action, id string, detail map[string]any) error {
	return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "dashboard", ID: id, Detail: detail})
}

// changed tells open pages that the dashboard itself is another, or editors
// that its draft is.
func changed(ctx context.Context, tx *db.Tx, kind events.Kind, id ids.Dashboard, rev int64) error {
	err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: kind, ID: id.UUID(), Version: rev})
	if err != nil {
		return fmt.Errorf("tell of a changed dashboard: %w", err)
	}
	return nil
}

// optional is the id as a column that may be null.
func optional[T interface {
	IsZero() bool
	UUID() uuid.UUID
}](id T) *uuid.UUID {
	if id.IsZero() {
		return nil
	}
	u := id.UUID()
	return &u
}

func idOf[T ~[16]byte](u *uuid.UUID) T {
	if u == nil {
		return T{}
	}
	return T(*u)
}
