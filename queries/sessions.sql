-- name: SessionInsert :exec
INSERT INTO control.sessions (session_id, token_hash, person_id, tenant_id, user_id, idle_seconds, expires_at, remembered, address, user_agent)
VALUES (@session_id, @token_hash, @person_id, @tenant_id, @user_id, @idle_seconds, @expires_at, @remembered, @address, @user_agent);

-- SessionCheckMany finds live sessions and the epochs of their workspaces; a
-- session that has ended has no row. N is the place of its token, from 1.
-- name: SessionCheckMany :many
SELECT n::bigint AS n, session_id::uuid AS session_id, person_id::uuid AS person_id, tenant_id::uuid AS tenant_id, user_id::uuid AS user_id,
    last_seen_at::timestamptz AS last_seen_at, expires_at::timestamptz AS expires_at, remembered::boolean AS remembered, epoch::bigint AS epoch
FROM control.check_sessions(@token_hashes::bytea[]);

-- SessionOpen binds the transaction to the session's tenant, user and person.
-- name: SessionOpen :one
SELECT session_id::uuid AS session_id, person_id::uuid AS person_id, tenant_id::uuid AS tenant_id, user_id::uuid AS user_id,
    created_at::timestamptz AS created_at, last_seen_at::timestamptz AS last_seen_at, expires_at::timestamptz AS expires_at,
    remembered::boolean AS remembered, slug::text AS slug, tenant_name::text AS tenant_name
FROM control.open_session(@token_hash);

-- SessionUser is the user that SessionOpen has bound the transaction to. It
-- binds the rest to what they may see.
-- name: SessionUser :one
SELECT u.user_id, u.tenant_id, u.email, u.name, u.role, u.plan_type, u.zone, u.locale, u.theme, u.shortcuts,
    t.zone AS tenant_zone, t.locale AS tenant_locale, see_as(u.user_id, u.role)::uuid[] AS group_ids
FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id
WHERE u.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
  AND u.user_id = NULLIF(current_setting('app.user_id', true), '')::uuid AND u.removed_at IS NULL;

-- SessionWorkspaces are those of the person that SessionOpen has found.
-- name: SessionWorkspaces :many
SELECT tenant_id::uuid AS tenant_id, slug::text AS slug, name::text AS name FROM control.session_workspaces();

-- name: SessionTouch :exec
UPDATE control.sessions SET last_seen_at = now() WHERE session_id = @session_id;

-- name: SessionSwitch :execrows
UPDATE control.sessions SET tenant_id = @tenant_id, user_id = @user_id, token_hash = @token_hash, last_seen_at = now()
WHERE session_id = @session_id;

-- name: SessionRotate :execrows
UPDATE control.sessions SET token_hash = @token_hash WHERE session_id = @session_id;

-- name: SessionListByPerson :many
SELECT session_id, tenant_id, created_at, last_seen_at, address, user_agent FROM control.sessions
WHERE person_id = @person_id AND expires_at > now()
  AND last_seen_at + make_interval(secs => idle_seconds) > now()
ORDER BY last_seen_at DESC;

-- SessionRevoke ends one session of a person.
-- name: SessionRevoke :execrows
DELETE FROM control.sessions WHERE session_id = @session_id AND person_id = @person_id;

-- SessionRevokeOthers ends all sessions of a person but one; pass the zero id to end all.
-- name: SessionRevokeOthers :execrows
DELETE FROM control.sessions WHERE person_id = @person_id AND session_id <> @session_id;

-- SessionRevokeUser ends the sessions of one workspace's user.
-- name: SessionRevokeUser :execrows
DELETE FROM control.sessions WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: SessionPrune :execrows
DELETE FROM control.sessions WHERE expires_at < now() OR last_seen_at + make_interval(secs => idle_seconds) < now();

-- name: LinkInsert :exec
INSERT INTO control.one_time_links (token_hash, purpose, person_id, tenant_id, user_id, expires_at)
VALUES (@token_hash, @purpose, @person_id, @tenant_id, @user_id, @expires_at);

-- name: LinkPeek :one
SELECT person_id, tenant_id, user_id FROM control.one_time_links
WHERE token_hash = @token_hash AND purpose = @purpose AND expires_at > now();

-- LinkUse takes a link: of several at once, one gets the row.
-- name: LinkUse :one
DELETE FROM control.one_time_links WHERE token_hash = @token_hash AND purpose = @purpose AND expires_at > now()
RETURNING person_id, tenant_id, user_id;

-- LinkRevoke makes a person's open links useless: those of one purpose, or all.
-- name: LinkRevoke :exec
DELETE FROM control.one_time_links WHERE person_id = @person_id AND (purpose = @purpose OR @purpose = '');

-- LinkRevokeUser withdraws the invitations of a workspace's user.
-- name: LinkRevokeUser :exec
DELETE FROM control.one_time_links WHERE tenant_id = @tenant_id AND user_id = @user_id AND purpose = 'invite';

-- name: LinkRevokePurpose :exec
DELETE FROM control.one_time_links WHERE purpose = @purpose;

-- name: LinkPrune :execrows
DELETE FROM control.one_time_links WHERE expires_at < now();

-- ThrottleTake counts an attempt and answers 0, or the seconds to wait.
-- name: ThrottleTake :one
SELECT control.take_attempts(@keys::bytea[], @free::integer[], @longest_seconds::integer[])::float8 AS wait_seconds;

-- name: ThrottleClear :exec
DELETE FROM control.throttles WHERE key = @key;

-- ThrottleForgive takes one attempt back.
-- name: ThrottleForgive :exec
UPDATE control.throttles SET attempts = GREATEST(attempts - 1, 0) WHERE key = @key;

-- name: ThrottlePrune :execrows
DELETE FROM control.throttles WHERE updated_at < now() - interval '1 day';
