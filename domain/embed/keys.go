package embed

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// KeyPrefix begins every key, so that one that got out is recognised.
const KeyPrefix = "embed_key_"

// Key is a mint-only key as its workspace sees it.
type Key struct {
	ID   ids.EmbedKey
	Name string
	// Origins may frame what the key's tokens open, such as
	// "https://app.example.com"; nobody may where there are none.
	Origins []string
	// Dashboards are all that its tokens may open; empty for any.
	Dashboards []ids.Dashboard
	CreatedBy  string
	CreatedAt  time.Time
	UsedAt     time.Time // to the minute; zero before the first use
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: in use
}

// Limits of keys and links.
const (
	maxOrigins = 20
	maxScoped  = 100
	mostKeys   = 200 // that a list shows
)

// ListKeys lists the workspace's keys, those in use first.
func (s *Service) ListKeys(ctx context.Context, actor access.Actor) ([]Key, error) {
	var list []Key
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.EmbedKeyList(ctx, tx.TenantID, mostKeys)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		for _, r := range rows {
			list = append(list, Key{ID: ids.EmbedKey(r.KeyID), Name: r.Name, Origins: r.Origins, Dashboards: boardsOf(r.Dashboards), CreatedBy: r.CreatedBy,
				CreatedAt: r.CreatedAt, UsedAt: timeOf(r.UsedAt), ExpiresAt: timeOf(r.ExpiresAt), RevokedAt: timeOf(r.RevokedAt)})
		}
		return nil
	})
	return list, err
}

func boardsOf(list []uuid.UUID) []ids.Dashboard {
	boards := make([]ids.Dashboard, len(list))
	for i, id := range list {
		boards[i] = ids.Dashboard(id)
	}
	return boards
}

func raw(list []ids.Dashboard) []uuid.UUID {
	boards := make([]uuid.UUID, len(list))
	for i, id := range list {
		boards[i] = id.UUID()
	}
	return boards
}

// CreateKey makes a key from its name, origins, dashboards and end. The text of
// it is answered once and not kept.
//
// Errors: embed.key_invalid with fields name, origins, expires;
// dashboards.not_found.
func (s *Service) CreateKey(ctx context.Context, actor access.Actor, k Key) (text string, err error) {
	now := s.now()
	fields := map[string]string{}
	k.Name = strings.Join(strings.Fields(k.Name), " ")
	if problem := plaintext.Problem(k.Name, 80, "Give the key a name: one line of at most 80 characters."); problem != "" {
		fields["name"] = problem
	}
	origins := make([]string, 0, len(k.Origins))
	for _, one := range k.Origins {
		origin, ok := ParseOrigin(one)
		switch {
		case !ok:
			fields["origins"] = fmt.Sprintf("“%.80s” is no origin. Write one such as https://app.example.com: no path, and https unless it is this machine.", one)
		case !slices.Contains(origins, origin):
			origins = append(origins, origin)
		}
	}
	if len(origins) > maxOrigins {
		fields["origins"] = fmt.Sprintf("A key has at most %d origins.", maxOrigins)
	}
	if len(k.Dashboards) > maxScoped {
		fields["dashboards"] = fmt.Sprintf("A key is for at most %d dashboards, or for all.", maxScoped)
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now) {
		fields["expires"] = "The key would have ended before it began."
	}
	if len(fields) > 0 {
		return "", ErrKeyInvalid.WithFields(fields)
	}
	id := ids.New[ids.EmbedKey]()
	text, hash := auth.NewSecret(KeyPrefix, actor.TenantID.UUID(), id.UUID())
	p := db.EmbedKeyInsertParams{TenantID: actor.TenantID.UUID(), KeyID: id.UUID(), Name: k.Name, SecretHash: hash, Origins: origins,
		Dashboards: raw(k.Dashboards), CreatedBy: optionalUser(actor.UserID), CreatedAt: now}
	if !k.ExpiresAt.IsZero() {
		p.ExpiresAt = &k.ExpiresAt
	}
	return text, s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if err := exist(ctx, tx, k.Dashboards); err != nil {
			return err
		}
		if err := tx.EmbedKeyInsert(ctx, p); err != nil {
			return fmt.Errorf("insert key: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.key_created", Target: "embed_key", ID: id.String(),
			Detail: map[string]any{"name": k.Name, "origins": origins, "dashboards": k.Dashboards, "expires": p.ExpiresAt}})
	})
}

// exist refuses dashboards that are not the workspace's.
//
// Errors: dashboards.not_found.
func exist(ctx context.Context, tx *db.Tx, list []ids.Dashboard) error {
	if len(list) == 0 {
		return nil
	}
	rows, err := tx.EmbedBoards(ctx, tx.TenantID, raw(list))
	if err != nil {
		return fmt.Errorf("look for dashboards: %w", err)
	}
	for _, id := range list {
		if !slices.ContainsFunc(rows, func(r db.EmbedBoardsRow) bool { return r.DashboardID == id.UUID() }) {
			return dashboards.ErrNotFound
		}
	}
	return nil
}

// ParseOrigin reads the origin of a site: scheme and host, with the port where it
// is not the usual one. http is for this machine only.
func ParseOrigin(text string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || len(text) > 300 {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if host == "" || strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`;,'"*`, r) || r > '~' }) {
		return "", false
	}
	switch u.Scheme {
	case "https":
	case "http":
		address, err := netip.ParseAddr(host)
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") && (err != nil || !address.IsLoopback()) {
			return "", false
		}
	default:
		return "", false
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := u.Port()
	if port == "" || (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		return u.Scheme + "://" + host, true
	}
	return u.Scheme + "://" + host + ":" + port, true
}

// RevokeKey ends a key and all tokens that were minted with it.
//
// Errors: embed.key_not_found.
func (s *Service) RevokeKey(ctx context.Context, actor access.Actor, id ids.EmbedKey) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		name, err := tx.EmbedKeyRevoke(ctx, s.now(), tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrKeyNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("revoke key: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "embed.key_revoked", Target: "embed_key", ID: id.String(), Detail: map[string]any{"name": name}})
	})
}
