package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ReadSession finds the live session of a token and its user in one round
// trip. The error is IsNoRows when there is none, or its user may no longer
// come in.
func (d *DB) ReadSession(ctx context.Context, tokenHash []byte) (SessionOpenRow, SessionUserRow, error) {
	var (
		session SessionOpenRow
		user    SessionUserRow
		batch   pgx.Batch
	)
	// Both run in one implicit transaction, which open_session binds.
	batch.Queue(sessionOpen, tokenHash).QueryRow(func(row pgx.Row) error {
		return row.Scan(&session.SessionID, &session.PersonID, &session.TenantID, &session.UserID,
			&session.CreatedAt, &session.LastSeenAt, &session.Slug, &session.TenantName)
	})
	batch.Queue(sessionUser).QueryRow(func(row pgx.Row) error {
		return row.Scan(&user.UserID, &user.TenantID, &user.Email, &user.Name, &user.Role, &user.PlanType,
			&user.Zone, &user.Locale, &user.Theme, &user.Shortcuts, &user.TenantZone, &user.TenantLocale)
	})
	err := d.pool.SendBatch(ctx, &batch).Close()
	return session, user, err
}
