package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// bindTenant binds the rest of a transaction to a tenant, bindViewer also to
// what one of its people may see.
const (
	bindTenant = "SELECT set_config('app.tenant_id', $1, true)"
	bindViewer = "SELECT set_config('app.tenant_id', $1, true), set_config('app.subjects', $2, true)"
)

// Batch collects reads of one tenant's rows that go out in one round trip, in
// one transaction of their own. A feature on a hot path adds a method a
// statement, in a file of its own, around the text that sqlc has checked:
//
//	func (b *Batch) DashboardHead(p DashboardHeadParams, row *DashboardHeadRow) {
//		b.queue(dashboardHead, []any{p.TenantID, p.DashboardID}, &row.Name, &row.Rev)
//	}
type Batch struct{ batch pgx.Batch }

// queue adds a statement of one row. Without a row, TenantRead and SessionRead
// answer an error that IsNoRows knows.
func (b *Batch) queue(sql string, args []any, into ...any) {
	b.batch.Queue(sql, args...).QueryRow(func(row pgx.Row) error { return row.Scan(into...) })
}

// queueMany adds a statement of any number of rows; each is called for every
// one after into was filled.
func (b *Batch) queueMany(sql string, args []any, each func(), into ...any) {
	b.batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, into, func() error { each(); return nil })
		return err
	})
}

// TenantRead sends the statements that fill queues, bound to the tenant, in
// one round trip.
func (d *DB) TenantRead(ctx context.Context, tenantID uuid.UUID, fill func(*Batch)) error {
	var b Batch
	if err := d.enterBatch(ctx, tenantID, &b); err != nil {
		return err
	}
	b.batch.Queue(bindTenant, tenantID.String())
	fill(&b)
	return reachable(d.pool.SendBatch(ctx, &b.batch).Close())
}

// ViewerRead is TenantRead as InViewerTx is InTenantTx.
func (d *DB) ViewerRead(ctx context.Context, tenantID uuid.UUID, subjects []uuid.UUID, fill func(*Batch)) error {
	if subjects == nil {
		return d.TenantRead(ctx, tenantID, fill)
	}
	var b Batch
	if err := d.enterBatch(ctx, tenantID, &b); err != nil {
		return err
	}
	b.batch.Queue(bindViewer, tenantID.String(), subjectList(subjects))
	fill(&b)
	return reachable(d.pool.SendBatch(ctx, &b.batch).Close())
}

// OpenSession is a live session and its user.
type OpenSession struct {
	SessionOpenRow
	User       SessionUserRow
	Workspaces []SessionWorkspacesRow // only where they were asked for
}

// SessionRead finds the live session of a token and its user, and reads what
// fill queues bound to their tenant and to what they may see, all in one round
// trip. The tenant is the one that CheckSession told of. The error is IsNoRows
// where there is no such session, or its user may no longer come in.
func (d *DB) SessionRead(ctx context.Context, tenantID uuid.UUID, tokenHash []byte, workspaces bool, fill func(*Batch)) (OpenSession, error) {
	var (
		s     OpenSession
		place SessionWorkspacesRow
		b     Batch
	)
	if err := d.enterBatch(ctx, tenantID, &b); err != nil {
		return s, err
	}
	b.queue(sessionOpen, []any{tokenHash}, &s.SessionID, &s.PersonID, &s.TenantID, &s.UserID, &s.CreatedAt, &s.LastSeenAt,
		&s.ExpiresAt, &s.Remembered, &s.Slug, &s.TenantName, &s.Method)
	u := &s.User
	b.queue(sessionUser, nil, &u.UserID, &u.TenantID, &u.Email, &u.Name, &u.Role, &u.PlanType,
		&u.Zone, &u.Locale, &u.Theme, &u.Shortcuts, &u.TenantZone, &u.TenantLocale, &u.MustEnrol, &u.GroupIds, &u.Attributes,
		&u.CustomRoleID, &u.CustomName, &u.CustomPermissions)
	if workspaces {
		b.queueMany(sessionWorkspaces, nil, func() { s.Workspaces = append(s.Workspaces, place) },
			&place.TenantID, &place.Slug, &place.Name)
	}
	if fill != nil {
		fill(&b)
	}
	err := reachable(d.pool.SendBatch(ctx, &b.batch).Close())
	return s, err
}
