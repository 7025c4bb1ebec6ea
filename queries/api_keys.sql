-- Keys with which programs use the API.

-- ApiKeyList are all keys that were not revoked, the newest first, then the last of
-- those that were.
-- name: ApiKeyList :many
SELECT k.key_id, k.name, k.role, k.custom_role_id, COALESCE(r.name, '')::text AS custom_name, COALESCE(r.permissions, '{}')::text[] AS custom_permissions,
       k.attributes, k.created_at, k.used_at, k.expires_at, k.revoked_at, COALESCE(u.name, '')::text AS created_by
FROM api_keys k
LEFT JOIN custom_roles r ON r.tenant_id = k.tenant_id AND r.role_id = k.custom_role_id
LEFT JOIN users u ON u.tenant_id = k.tenant_id AND u.user_id = k.created_by
WHERE k.tenant_id = @tenant_id
  AND (k.revoked_at IS NULL
       OR k.key_id IN (SELECT g.key_id FROM api_keys g WHERE g.tenant_id = @tenant_id AND g.revoked_at IS NOT NULL ORDER BY g.revoked_at DESC LIMIT @gone_limit))
ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC;

-- ApiKeyLock makes who counts keys wait for who is making one.
-- name: ApiKeyLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('api keys ' || current_setting('app.tenant_id'), 0));

-- name: ApiKeyCount :one
SELECT count(*) FROM api_keys WHERE tenant_id = @tenant_id AND revoked_at IS NULL;

-- ApiKeyRoleUsed tells whether a key that works, or could, has the role.
-- name: ApiKeyRoleUsed :one
SELECT EXISTS (SELECT FROM api_keys WHERE tenant_id = @tenant_id AND custom_role_id = @role_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > @now::timestamptz));

-- ApiKeyRoleRelease takes a role that is going from keys that ended: they open
-- nothing, whatever they were.
-- name: ApiKeyRoleRelease :exec
UPDATE api_keys SET custom_role_id = NULL, revoked_at = COALESCE(revoked_at, @now::timestamptz)
WHERE tenant_id = @tenant_id AND custom_role_id = @role_id AND (revoked_at IS NOT NULL OR expires_at <= @now::timestamptz);

-- name: ApiKeyInsert :exec
INSERT INTO api_keys (tenant_id, key_id, name, secret_hash, role, custom_role_id, attributes, created_by, created_at, expires_at)
VALUES (@tenant_id, @key_id, @name, @secret_hash, @role, @custom_role_id, @attributes, @created_by, @created_at, @expires_at);

-- ApiKeyGet is a key with what a request has to know of its workspace.
-- name: ApiKeyGet :one
SELECT k.name, k.secret_hash, k.role, k.custom_role_id, COALESCE(r.name, '')::text AS custom_name, COALESCE(r.permissions, '{}')::text[] AS custom_permissions,
       k.attributes, k.used_at, k.expires_at, k.revoked_at, t.zone, t.locale, t.api_keys_with_sso
FROM api_keys k
JOIN tenants t ON t.tenant_id = k.tenant_id
LEFT JOIN custom_roles r ON r.tenant_id = k.tenant_id AND r.role_id = k.custom_role_id
WHERE k.tenant_id = @tenant_id AND k.key_id = @key_id;

-- ApiKeyRole is the role of a key that works.
-- name: ApiKeyRole :one
SELECT name, role, custom_role_id FROM api_keys WHERE tenant_id = @tenant_id AND key_id = @key_id AND revoked_at IS NULL FOR UPDATE;

-- name: ApiKeyRevoke :exec
UPDATE api_keys SET revoked_at = @now::timestamptz, custom_role_id = NULL WHERE tenant_id = @tenant_id AND key_id = @key_id;

-- name: ApiKeyUsed :exec
UPDATE api_keys SET used_at = @now::timestamptz WHERE tenant_id = @tenant_id AND key_id = @key_id;

-- name: ApiKeysWithSso :one
SELECT api_keys_with_sso FROM tenants WHERE tenant_id = @tenant_id;

-- name: ApiKeysAllowWithSso :execrows
UPDATE tenants SET api_keys_with_sso = @allowed WHERE tenant_id = @tenant_id AND api_keys_with_sso <> @allowed;
