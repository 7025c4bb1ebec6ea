-- Keys and tokens of embedded dashboards, and public links.

-- EmbedKeyList are all keys, those that work first, the newest first.
-- name: EmbedKeyList :many
SELECT k.key_id, k.name, k.origins, k.dashboards, k.created_at, k.used_at, k.expires_at, k.revoked_at, COALESCE(u.name, '')::text AS created_by
FROM embed_keys k LEFT JOIN users u ON u.tenant_id = k.tenant_id AND u.user_id = k.created_by
WHERE k.tenant_id = @tenant_id ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC LIMIT @row_limit;

-- name: EmbedKeyInsert :exec
INSERT INTO embed_keys (tenant_id, key_id, name, secret_hash, origins, dashboards, created_by, created_at, expires_at)
VALUES (@tenant_id, @key_id, @name, @secret_hash, @origins, @dashboards, @created_by, @created_at, @expires_at);

-- name: EmbedKeyGet :one
SELECT name, secret_hash, origins, dashboards, used_at, expires_at, revoked_at FROM embed_keys WHERE tenant_id = @tenant_id AND key_id = @key_id;

-- EmbedKeyRevoke revokes a key once.
-- name: EmbedKeyRevoke :one
UPDATE embed_keys SET revoked_at = @now::timestamptz WHERE tenant_id = @tenant_id AND key_id = @key_id AND revoked_at IS NULL RETURNING name;

-- name: EmbedKeyUsed :exec
UPDATE embed_keys SET used_at = @now::timestamptz WHERE tenant_id = @tenant_id AND key_id = @key_id;

-- EmbedRevoke takes back a token that may be in use until expires_at.
-- name: EmbedRevoke :execrows
INSERT INTO embed_revocations (tenant_id, token_id, expires_at) VALUES (@tenant_id, @token_id, @expires_at)
ON CONFLICT (tenant_id, token_id) DO NOTHING;

-- name: EmbedRevoked :one
SELECT EXISTS (SELECT 1 FROM embed_revocations WHERE tenant_id = @tenant_id AND token_id = @token_id);

-- EmbedRevocationsPrune forgets tokens that have ended by themselves.
-- name: EmbedRevocationsPrune :exec
DELETE FROM embed_revocations WHERE tenant_id = @tenant_id AND expires_at < @now;

-- EmbedBoards are those of the dashboards that are there.
-- name: EmbedBoards :many
SELECT dashboard_id, name FROM dashboards
WHERE tenant_id = @tenant_id AND dashboard_id = ANY (@dashboards::uuid[]) AND deleted_at IS NULL;

-- PublicLinkList are all links, those that work first, the newest first.
-- name: PublicLinkList :many
SELECT l.link_id, l.dashboard_id, d.name AS dashboard, l.name, (l.password_hash <> '')::boolean AS locked, l.downloads, l.created_at, l.used_at, l.expires_at,
       l.revoked_at, COALESCE(u.name, '')::text AS created_by
FROM public_links l
JOIN dashboards d ON d.tenant_id = l.tenant_id AND d.dashboard_id = l.dashboard_id AND d.deleted_at IS NULL
LEFT JOIN users u ON u.tenant_id = l.tenant_id AND u.user_id = l.created_by
WHERE l.tenant_id = @tenant_id ORDER BY l.revoked_at IS NOT NULL, l.created_at DESC LIMIT @row_limit;

-- name: PublicLinkInsert :exec
INSERT INTO public_links (tenant_id, link_id, dashboard_id, name, secret_hash, password_hash, downloads, created_by, created_at, expires_at)
VALUES (@tenant_id, @link_id, @dashboard_id, @name, @secret_hash, @password_hash, @downloads, @created_by, @created_at, @expires_at);

-- PublicLinkGet also answers whether the workspace has links at all.
-- name: PublicLinkGet :one
SELECT l.dashboard_id, l.secret_hash, l.password_hash, l.downloads, l.used_at, l.expires_at, l.revoked_at, s.public_links AS allowed, s.zone, s.locale
FROM public_links l JOIN tenants s ON s.tenant_id = l.tenant_id
WHERE l.tenant_id = @tenant_id AND l.link_id = @link_id;

-- name: PublicLinkRevoke :one
UPDATE public_links SET revoked_at = @now::timestamptz WHERE tenant_id = @tenant_id AND link_id = @link_id AND revoked_at IS NULL RETURNING name, dashboard_id;

-- name: PublicLinkUsed :exec
UPDATE public_links SET used_at = @now::timestamptz WHERE tenant_id = @tenant_id AND link_id = @link_id;

-- name: PublicLinksAllowed :one
SELECT public_links FROM tenants WHERE tenant_id = @tenant_id;

-- name: PublicLinksAllow :execrows
UPDATE tenants SET public_links = @allowed WHERE tenant_id = @tenant_id AND public_links <> @allowed;

-- DashboardSources are the datasets that dashboards ask.
-- name: DashboardSources :many
SELECT DISTINCT dataset_id FROM dashboard_data_sources WHERE tenant_id = @tenant_id AND dashboard_id = ANY (@dashboards::uuid[]);
