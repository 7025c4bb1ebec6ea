package embed

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// Link is a public link as its workspace sees it: whoever has its address, and
// its password where there is one, sees the dashboard as a viewer without
// attributes.
type Link struct {
	ID            ids.Link
	Name          string
	Dashboard     ids.Dashboard
	DashboardName string
	Locked        bool // by a password
	Downloads     bool
	CreatedBy     string
	CreatedAt     time.Time
	UsedAt        time.Time // to the minute; zero before the first use
	ExpiresAt     time.Time // zero: never
	RevokedAt     time.Time // zero: open
}

// purposePass is for what a browser keeps of a password that it gave.
const purposePass = "embed.link_pass"

// LinksAllowed tells whether the workspace has public links.
func (s *Service) LinksAllowed(ctx context.Context, actor access.Actor) (allowed bool, err error) {
	err = s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if allowed, err = tx.PublicLinksAllowed(ctx, tx.TenantID); err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		return nil
	})
	return allowed, err
}

// AllowLinks says whether the workspace has public links. Without, all that there
// are lead nowhere, and work again once they are allowed.
func (s *Service) AllowLinks(ctx context.Context, actor access.Actor, allowed bool) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.PublicLinksAllow(ctx, allowed, tx.TenantID)
		if err != nil {
			return fmt.Errorf("change settings: %w", err)
		}
		if n == 0 {
			return nil // as it was
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.links_allowed", Target: "workspace", ID: tx.TenantID.String(),
			Before: map[string]any{"public_links": !allowed}, After: map[string]any{"public_links": allowed}})
	})
}

// ListLinks lists the workspace's links, those that are open first.
func (s *Service) ListLinks(ctx context.Context, actor access.Actor) ([]Link, error) {
	var list []Link
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.PublicLinkList(ctx, tx.TenantID, mostKeys)
		if err != nil {
			return fmt.Errorf("list links: %w", err)
		}
		for _, r := range rows {
			list = append(list, Link{ID: ids.Link(r.LinkID), Name: r.Name, Dashboard: ids.Dashboard(r.DashboardID), DashboardName: r.Dashboard, Locked: r.Locked,
				Downloads: r.Downloads, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, UsedAt: timeOf(r.UsedAt), ExpiresAt: timeOf(r.ExpiresAt), RevokedAt: timeOf(r.RevokedAt)})
		}
		return nil
	})
	return list, err
}

// CreateLink makes a link from its name, dashboard and end, with a password where
// one is given. The secret part of its address is answered once and not kept.
//
// Errors: embed.links_off, embed.link_invalid with fields name, expires,
// auth.invalid with a field password, dashboards.not_found.
func (s *Service) CreateLink(ctx context.Context, actor access.Actor, l Link, password string) (secret string, err error) {
	if err := access.Can(actor, access.ManageEmbedding); err != nil {
		return "", err
	}
	now := s.now()
	fields := map[string]string{}
	l.Name = strings.Join(strings.Fields(l.Name), " ")
	if problem := plaintext.Problem(l.Name, 80, "Give the link a name: one line of at most 80 characters."); problem != "" {
		fields["name"] = problem
	}
	if !l.ExpiresAt.IsZero() && !l.ExpiresAt.After(now) {
		fields["expires"] = "The link would have ended before it began."
	}
	if len(fields) > 0 {
		return "", ErrLinkInvalid.WithFields(fields)
	}
	hash := ""
	if password != "" {
		if hash, err = s.deps.Passwords.HashPassword(ctx, password, ""); err != nil {
			return "", err
		}
	}
	id := ids.New[ids.Link]()
	secret, secretHash := auth.NewSecret("", actor.TenantID.UUID(), id.UUID())
	p := db.PublicLinkInsertParams{TenantID: actor.TenantID.UUID(), LinkID: id.UUID(), DashboardID: l.Dashboard.UUID(), Name: l.Name, SecretHash: secretHash,
		PasswordHash: hash, Downloads: l.Downloads, CreatedBy: optionalUser(actor.UserID), CreatedAt: now}
	if !l.ExpiresAt.IsZero() {
		p.ExpiresAt = &l.ExpiresAt
	}
	return secret, s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		allowed, err := tx.PublicLinksAllowed(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
		if !allowed {
			return ErrLinksOff
		}
		if err := exist(ctx, tx, []ids.Dashboard{l.Dashboard}); err != nil {
			return err
		}
		if err := tx.PublicLinkInsert(ctx, p); err != nil {
			return fmt.Errorf("insert link: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.link_created", Target: "public_link", ID: id.String(),
			Detail: map[string]any{"name": l.Name, "dashboard": l.Dashboard.String(), "password": hash != "", "downloads": l.Downloads, "expires": p.ExpiresAt}})
	})
}

// RevokeLink takes a link back; who looks at it is out at once.
//
// Errors: embed.link_not_found.
func (s *Service) RevokeLink(ctx context.Context, actor access.Actor, id ids.Link) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		r, err := tx.PublicLinkRevoke(ctx, s.now(), tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrLinkNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("revoke link: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.link_revoked", Target: "public_link", ID: id.String(),
			Detail: map[string]any{"name": r.Name, "dashboard": r.DashboardID.String()}})
	})
}

// Follow answers a token for whoever has the secret of a link. pass is what
// GivePassword answered; needed tells that the link wants a password first.
//
// Errors: embed.link_closed.
func (s *Service) Follow(ctx context.Context, secret, pass string) (token string, needed bool, err error) {
	t, link, err := s.link(ctx, secret)
	if err != nil {
		return "", false, err
	}
	if link.PasswordHash != "" && !s.passes(ctx, t, link, pass) {
		return "", true, nil
	}
	now := s.now()
	tenant := ids.Tenant(t.Tenant)
	token, err = s.seal(ctx, tenant, claims{ID: ids.New[ids.Embed](), Link: ids.Link(t.ID), Dashboards: []ids.Dashboard{ids.Dashboard(link.DashboardID)},
		Downloads: link.Downloads, Locale: link.Locale, Zone: link.Zone, Until: now.Add(TokenLasts)})
	if err != nil {
		return "", false, err
	}
	if now.Sub(timeOf(link.UsedAt)) <= usedEvery {
		return token, false, nil
	}
	// What is looked at is noted where it is answered.
	err = s.deps.DB.InTenantTx(ctx, t.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.PublicLinkUsed(ctx, now, tx.TenantID, t.ID); err != nil {
			return fmt.Errorf("note use of link: %w", err)
		}
		return nil
	})
	return token, false, err
}

// link finds the open link of a secret.
//
// Errors: embed.link_closed.
func (s *Service) link(ctx context.Context, secret string) (auth.Secret, db.PublicLinkGetRow, error) {
	var row db.PublicLinkGetRow
	t, ok := auth.ParseSecret("", secret)
	if !ok {
		return t, row, ErrLink
	}
	err := s.deps.DB.InTenantTx(ctx, t.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.PublicLinkGet(ctx, tx.TenantID, t.ID)
		if db.IsNoRows(err) {
			return ErrLink.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read link: %w", err)
		}
		if !t.Proves(row.SecretHash) || !row.Allowed || !live(s.now(), row.ExpiresAt, row.RevokedAt) {
			return ErrLink
		}
		return nil
	})
	return t, row, err
}

// GivePassword checks the password of a link, and answers what lets this browser
// in from now on: it is worth nothing with another link or password.
//
// Errors: embed.link_closed, embed.password, auth.throttled.
func (s *Service) GivePassword(ctx context.Context, secret, password string, client auth.Client) (pass string, err error) {
	t, link, err := s.link(ctx, secret)
	if err != nil {
		return "", err
	}
	attempt, err := s.deps.Passwords.CountAttempt(ctx, "public link", t.ID.String(), client)
	if err != nil {
		return "", err
	}
	match, err := s.deps.Passwords.VerifyPassword(ctx, password, link.PasswordHash)
	if err != nil {
		return "", err
	}
	if !match {
		err := s.deps.DB.InTenantTx(ctx, t.Tenant, func(ctx context.Context, tx *db.Tx) error {
			return audit.Record(ctx, tx, access.Actor{Kind: access.Visitor, TenantID: ids.Tenant(t.Tenant)},
				audit.Entry{Action: "embed.password_refused", Target: "public_link", ID: t.ID.String(), Denied: true})
		})
		if err != nil {
			return "", err
		}
		return "", ErrPassword
	}
	if err := s.deps.DB.InIdentityTx(ctx, t.Tenant, attempt.Forgive); err != nil {
		return "", err
	}
	box, err := s.deps.Tenants.Box(ctx, ids.Tenant(t.Tenant))
	if err != nil {
		return "", err
	}
	sealed, err := box.Encrypt(purposePass, passOf(t, link))
	return encodePass(sealed), err
}

func (s *Service) passes(ctx context.Context, t auth.Secret, link db.PublicLinkGetRow, pass string) bool {
	sealed, ok := decodePass(pass)
	if !ok {
		return false
	}
	box, err := s.deps.Tenants.Box(ctx, ids.Tenant(t.Tenant))
	if err != nil {
		return false // the password can be given again
	}
	plain, err := box.Decrypt(purposePass, sealed)
	return err == nil && string(plain) == string(passOf(t, link))
}
