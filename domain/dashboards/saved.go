package dashboards

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// SavedView is what a person chose on a dashboard, under a name. It belongs to
// that person; others get it as a link.
type SavedView struct {
	ID      ids.SavedView
	Name    string
	Link    string // the query of the URL
	Default bool   // the person opens the dashboard with it
}

// MaxSavedViews is how many views one person has of one dashboard.
const MaxSavedViews = 50

// NewView is what SaveView needs.
type NewView struct {
	Name    string
	Link    string
	Default bool
}

// ListViews lists the actor's views of a dashboard by name.
//
// Errors: dashboards.not_found.
func (s *Service) ListViews(ctx context.Context, actor access.Actor, id ids.Dashboard) ([]SavedView, error) {
	var list []SavedView
	err := s.ofPerson(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.SavedViewList(ctx, db.SavedViewListParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: actor.UserID.UUID(), RowLimit: MaxSavedViews})
		if err != nil {
			return fmt.Errorf("list saved views: %w", err)
		}
		for _, r := range rows {
			list = append(list, SavedView{ID: ids.SavedView(r.ViewID), Name: r.Name, Link: r.State, Default: r.IsDefault})
		}
		return nil
	})
	return list, err
}

// SaveView keeps choices under a name; a view of that name is replaced.
//
// Errors: dashboards.not_found, dashboards.view_name_invalid,
// dashboards.too_many_views, dashboards.filters_invalid.
func (s *Service) SaveView(ctx context.Context, actor access.Actor, id ids.Dashboard, v NewView) (ids.SavedView, error) {
	name := strings.TrimSpace(v.Name)
	if problem := plaintext.Problem(name, 80, ErrViewName.Sentence()); problem != "" {
		return ids.SavedView{}, ErrViewName.With("%s", problem)
	}
	query, err := url.ParseQuery(v.Link)
	if err != nil {
		return ids.SavedView{}, ErrFilters.Wrap(err)
	}
	state, err := ParseState(query)
	if err != nil {
		return ids.SavedView{}, err
	}
	// Where somebody came from is no part of what they chose.
	state.From = nil
	var saved ids.SavedView
	err = s.ofPerson(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.SavedViewList(ctx, db.SavedViewListParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: actor.UserID.UUID(), RowLimit: MaxSavedViews})
		if err != nil {
			return fmt.Errorf("list saved views: %w", err)
		}
		known := false
		for _, r := range rows {
			known = known || r.Name == name
		}
		if len(rows) >= MaxSavedViews && !known {
			return ErrTooManyViews
		}
		put, err := tx.SavedViewPut(ctx, db.SavedViewPutParams{TenantID: tx.TenantID, ViewID: ids.New[ids.SavedView]().UUID(), DashboardID: id.UUID(),
			UserID: actor.UserID.UUID(), Name: name, State: state.Encode(), Now: s.clock()})
		if err != nil {
			return fmt.Errorf("save view: %w", err)
		}
		saved = ids.SavedView(put)
		if err := record(ctx, tx, actor, "view.saved", id.String(), map[string]any{"view": name, "default": v.Default}); err != nil || !v.Default {
			return err
		}
		return setDefault(ctx, tx, actor, id, saved)
	})
	return saved, err
}

// SetDefaultView has the actor open a dashboard with a view; with none, as the
// dashboard is.
//
// Errors: dashboards.not_found, dashboards.view_not_found.
func (s *Service) SetDefaultView(ctx context.Context, actor access.Actor, id ids.Dashboard, view ids.SavedView) error {
	return s.ofPerson(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		if err := setDefault(ctx, tx, actor, id, view); err != nil {
			return err
		}
		return record(ctx, tx, actor, "view.default_set", id.String(), map[string]any{"view_id": view.String()})
	})
}

func setDefault(ctx context.Context, tx *db.Tx, actor access.Actor, id ids.Dashboard, view ids.SavedView) error {
	if err := tx.SavedViewClearDefault(ctx, tx.TenantID, id.UUID(), actor.UserID.UUID()); err != nil {
		return fmt.Errorf("clear the default view: %w", err)
	}
	if view.IsZero() {
		return nil
	}
	n, err := tx.SavedViewSetDefault(ctx, db.SavedViewSetDefaultParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: actor.UserID.UUID(), ViewID: view.UUID()})
	if err != nil {
		return fmt.Errorf("set the default view: %w", err)
	}
	if n == 0 {
		return ErrViewNotFound
	}
	return nil
}

// DeleteView removes one of the actor's views.
//
// Errors: dashboards.not_found, dashboards.view_not_found.
func (s *Service) DeleteView(ctx context.Context, actor access.Actor, id ids.Dashboard, view ids.SavedView) error {
	return s.ofPerson(ctx, actor, id, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.SavedViewDelete(ctx, db.SavedViewDeleteParams{TenantID: tx.TenantID, DashboardID: id.UUID(), UserID: actor.UserID.UUID(), ViewID: view.UUID()})
		if err != nil {
			return fmt.Errorf("delete view: %w", err)
		}
		if n == 0 {
			return ErrViewNotFound
		}
		return record(ctx, tx, actor, "view.deleted", id.String(), map[string]any{"view_id": view.String()})
	})
}

// ofPerson works on what belongs to a person on a dashboard that they may see.
func (s *Service) ofPerson(ctx context.Context, actor access.Actor, id ids.Dashboard, work func(context.Context, *db.Tx) error) error {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return err
	}
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, actor, id); err != nil {
			return err
		}
		return work(ctx, tx)
	})
}
