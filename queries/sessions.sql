-- name: SessionInsert :exec
INSERT INTO control.sessions (session_id, token_hash, person_id, tenant_id, user_id, idle_seconds, expires_at, address, user_agent)
VALUES (@session_id, @token_hash, @person_id, @tenant_id, @user_id, @idle_seconds, @expires_at, @address, @user_agent);

-- SessionOpen binds the transaction to the session's tenant and user.
-- name: SessionOpen :one
SELECT session_id::uuid AS session_id, person_id::uuid AS person_id, tenant_id::uuid AS tenant_id, user_id::uuid AS user_id,
    created_at::timestamptz AS created_at, last_seen_at::timestamptz AS last_seen_at, slug::text AS slug, tenant_name::text AS tenant_name
FROM control.open_session(@token_hash);

-- SessionUser is the user that SessionOpen has bound the transaction to.
-- name: SessionUser :one
SELECT u.user_id, u.tenant_id, u.email, u.name, u.role, u.plan_type, u.zone, u.locale, u.theme, u.shortcuts,
    t.zone AS tenant_zone, t.locale AS tenant_locale
FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id
WHERE u.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
  AND u.user_id = NULLIF(current_setting('app.user_id', true), '')::uuid AND u.disabled_at IS NULL;

-- name: SessionTouch :exec
UPDATE control.sessions SET last_seen_at = now() WHERE session_id = @session_id;

-- name: SessionSwitch :exec
UPDATE control.sessions SET tenant_id = @tenant_id, user_id = @user_id, token_hash = @token_hash, last_seen_at = now()
WHERE session_id = @session_id AND revoked_at IS NULL;

-- name: SessionListByPerson :many
SELECT session_id, tenant_id, created_at, last_seen_at, address, user_agent FROM control.sessions
WHERE person_id = @person_id AND revoked_at IS NULL AND expires_at > now()
  AND last_seen_at + make_interval(secs => idle_seconds) > now()
ORDER BY last_seen_at DESC;

-- SessionRevoke ends one session of a person.
-- name: SessionRevoke :execrows
UPDATE control.sessions SET revoked_at = now()
WHERE session_id = @session_id AND person_id = @person_id AND revoked_at IS NULL;

-- SessionRevokeOthers ends all sessions of a person but one; pass the zero id to end all.
-- name: SessionRevokeOthers :execrows
UPDATE control.sessions SET revoked_at = now()
WHERE person_id = @person_id AND session_id <> @session_id AND revoked_at IS NULL;

-- SessionRevokeUser ends the sessions of one workspace's user.
-- name: SessionRevokeUser :execrows
UPDATE control.sessions SET revoked_at = now()
WHERE tenant_id = @tenant_id AND user_id = @user_id AND revoked_at IS NULL;

-- name: SessionPrune :execrows
DELETE FROM control.sessions WHERE expires_at < now() - interval '90 days';

-- name: LinkInsert :exec
INSERT INTO control.one_time_links (token_hash, purpose, person_id, tenant_id, expires_at)
VALUES (@token_hash, @purpose, @person_id, @tenant_id, @expires_at);

-- name: LinkPeek :one
SELECT purpose, person_id, tenant_id FROM control.one_time_links
WHERE token_hash = @token_hash AND purpose = @purpose AND used_at IS NULL AND expires_at > now();

-- LinkUse consumes a link; no row when it was used or has run out.
-- name: LinkUse :one
UPDATE control.one_time_links SET used_at = now()
WHERE token_hash = @token_hash AND purpose = @purpose AND used_at IS NULL AND expires_at > now()
RETURNING purpose, person_id, tenant_id;

-- LinkRevoke makes a person's open links of one purpose useless.
-- name: LinkRevoke :exec
UPDATE control.one_time_links SET used_at = now() WHERE person_id = @person_id AND purpose = @purpose AND used_at IS NULL;

-- name: LinkRevokePurpose :exec
UPDATE control.one_time_links SET used_at = now() WHERE purpose = @purpose AND used_at IS NULL;

-- name: ThrottleGet :one
SELECT failures, blocked_until FROM control.throttles WHERE key = @key;

-- ThrottleFail counts a failure and blocks for a time that doubles with each
-- after the first free ones, up to a limit. Failures of an hour ago are forgotten.
-- name: ThrottleFail :one
INSERT INTO control.throttles AS t (key, failures, blocked_until, updated_at)
VALUES (@key, 1, now(), now())
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN t.updated_at < now() - interval '1 hour' THEN 1 ELSE t.failures + 1 END,
    blocked_until = CASE
        WHEN t.updated_at < now() - interval '1 hour' OR t.failures + 1 <= @free::integer THEN now()
        ELSE now() + make_interval(secs => least(@longest_seconds::float8, power(2, least(t.failures + 1 - @free::integer, 20)))) END,
    updated_at = now()
RETURNING failures, blocked_until;

-- name: ThrottleClear :exec
DELETE FROM control.throttles WHERE key = @key;

-- name: ThrottlePrune :execrows
DELETE FROM control.throttles WHERE updated_at < now() - interval '1 day';
