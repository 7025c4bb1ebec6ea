-- name: SessionInsert :exec
INSERT INTO control.sessions (session_id, token_hash, person_id, tenant_id, user_id, idle_seconds, expires_at, remembered, address, user_agent,
    method, identity_id, session_index)
VALUES (@session_id, @token_hash, @person_id, @tenant_id, @user_id, @idle_seconds, @expires_at, @remembered, @address, @user_agent,
    COALESCE(NULLIF(@method::text, ''), 'password'), sqlc.narg(identity_id), @session_index);

-- SessionCheckMany finds live sessions and the epochs of their workspaces; a
-- session that has ended has no row. N is the place of its token, from 1.
-- name: SessionCheckMany :many
SELECT n::bigint AS n, session_id::uuid AS session_id, person_id::uuid AS person_id, tenant_id::uuid AS tenant_id, user_id::uuid AS user_id,
    last_seen_at::timestamptz AS last_seen_at, expires_at::timestamptz AS expires_at, remembered::boolean AS remembered, epoch::bigint AS epoch,
    method::text AS method
FROM control.check_sessions(@token_hashes::bytea[]);

-- SessionOpen binds the transaction to the session's tenant, user and person.
-- name: SessionOpen :one
SELECT session_id::uuid AS session_id, person_id::uuid AS person_id, tenant_id::uuid AS tenant_id, user_id::uuid AS user_id,
    created_at::timestamptz AS created_at, last_seen_at::timestamptz AS last_seen_at, expires_at::timestamptz AS expires_at,
    remembered::boolean AS remembered, slug::text AS slug, tenant_name::text AS tenant_name, method::text AS method
FROM control.open_session(@token_hash);

-- SessionUser is the user that SessionOpen has bound the transaction to. It
-- binds the rest to what they may see.
-- name: SessionUser :one
SELECT u.user_id, u.tenant_id, u.email, u.name, u.role, u.plan_type, u.zone, u.locale, u.theme, u.shortcuts,
    t.zone AS tenant_zone, t.locale AS tenant_locale,
    (u.second_factor_at IS NULL AND ARRAY[u.role::text, u.custom_role_id::text] && t.second_factor_roles)::boolean AS must_enrol, see_as(u.user_id, u.role)::uuid[] AS group_ids,
    person_attributes(u.user_id)::jsonb AS attributes,
    u.custom_role_id, COALESCE(c.name, '')::text AS custom_name, COALESCE(c.permissions, '{}')::text[] AS custom_permissions
FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id
    LEFT JOIN custom_roles c ON c.tenant_id = u.tenant_id AND c.role_id = u.custom_role_id
WHERE u.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
  AND u.user_id = NULLIF(current_setting('app.user_id', true), '')::uuid AND u.removed_at IS NULL;

-- SessionWorkspaces are those of the person that SessionOpen has found.
-- name: SessionWorkspaces :many
SELECT tenant_id::uuid AS tenant_id, slug::text AS slug, name::text AS name FROM control.session_workspaces();

-- name: SessionTouch :exec
UPDATE control.sessions SET last_seen_at = now() WHERE session_id = @session_id;

-- name: SessionSwitch :execrows
UPDATE control.sessions SET tenant_id = @tenant_id, user_id = @user_id, token_hash = @token_hash, last_seen_at = now(),
    idle_seconds = CASE WHEN @idle_seconds::integer > 0 THEN LEAST(idle_seconds, @idle_seconds) ELSE idle_seconds END,
    expires_at = CASE WHEN @max_seconds::integer > 0 THEN LEAST(expires_at, created_at + make_interval(secs => @max_seconds)) ELSE expires_at END
WHERE session_id = @session_id AND method = 'password';

-- name: SessionRotate :execrows
UPDATE control.sessions SET token_hash = @token_hash WHERE session_id = @session_id;

-- SessionListByPerson lists those of one workspace, or of all without one.
-- name: SessionListByPerson :many
SELECT session_id, tenant_id, created_at, last_seen_at, address, user_agent FROM control.sessions
WHERE person_id = @person_id AND expires_at > now() AND (sqlc.narg(tenant_id)::uuid IS NULL OR tenant_id = sqlc.narg(tenant_id)::uuid)
  AND last_seen_at + make_interval(secs => idle_seconds) > now()
ORDER BY last_seen_at DESC;

-- SessionRevoke ends one session of a person, within one workspace where one is given.
-- name: SessionRevoke :execrows
DELETE FROM control.sessions WHERE session_id = @session_id AND person_id = @person_id
  AND (sqlc.narg(tenant_id)::uuid IS NULL OR tenant_id = sqlc.narg(tenant_id)::uuid);

-- SessionRevokeOthers ends all sessions of a person but one, within one
-- workspace where one is given; pass the zero id to end all.
-- name: SessionRevokeOthers :execrows
DELETE FROM control.sessions WHERE person_id = @person_id AND session_id <> @session_id
  AND (sqlc.narg(tenant_id)::uuid IS NULL OR tenant_id = sqlc.narg(tenant_id)::uuid);

-- SessionRevokeUser ends the sessions of one workspace's user.
-- name: SessionRevokeUser :execrows
DELETE FROM control.sessions WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- SessionEnd ends a session whose owner goes on in another.
-- name: SessionEnd :exec
DELETE FROM control.sessions WHERE session_id = @session_id;

-- SessionRevokeByIdentity ends the sessions that an identity has opened; those
-- of the given indexes only, where there are some.
-- name: SessionRevokeByIdentity :execrows
DELETE FROM control.sessions WHERE tenant_id = @tenant_id AND identity_id = @identity_id
  AND (cardinality(@session_indexes::text[]) = 0 OR session_index = ANY (@session_indexes::text[]));

-- SessionRevokeMethod ends the sessions of a workspace that were opened in one way, but for some users'.
-- name: SessionRevokeMethod :execrows
DELETE FROM control.sessions WHERE tenant_id = @tenant_id AND method = @method AND NOT user_id = ANY (@except_user_ids::uuid[]);

-- SessionLimit makes the sessions of a workspace end as early as its settings say now.
-- name: SessionLimit :exec
UPDATE control.sessions SET
    idle_seconds = CASE WHEN @idle_seconds::integer > 0 THEN LEAST(idle_seconds, @idle_seconds) ELSE idle_seconds END,
    expires_at = CASE WHEN @max_seconds::integer > 0 THEN LEAST(expires_at, created_at + make_interval(secs => @max_seconds)) ELSE expires_at END
WHERE tenant_id = @tenant_id;

-- SessionSource is how a session was opened.
-- name: SessionSource :one
SELECT method, identity_id, session_index FROM control.sessions WHERE session_id = @session_id;

-- name: SessionPrune :execrows
DELETE FROM control.sessions WHERE expires_at < now() OR last_seen_at + make_interval(secs => idle_seconds) < now();

-- name: LinkInsert :exec
INSERT INTO control.one_time_links (token_hash, purpose, person_id, tenant_id, user_id, providers, expires_at)
VALUES (@token_hash, @purpose, @person_id, @tenant_id, @user_id, @providers, @expires_at);

-- name: LinkPeek :one
SELECT person_id, tenant_id, user_id, providers FROM control.one_time_links
WHERE token_hash = @token_hash AND purpose = @purpose AND expires_at > now();

-- LinkUse takes a link: of several at once, one gets the row.
-- name: LinkUse :one
DELETE FROM control.one_time_links WHERE token_hash = @token_hash AND purpose = @purpose AND expires_at > now()
RETURNING person_id, tenant_id, user_id, providers;

-- LinkRevoke makes a person's open links useless: those of one purpose, or all.
-- name: LinkRevoke :exec
DELETE FROM control.one_time_links WHERE person_id = @person_id AND (purpose = @purpose OR @purpose = '');

-- LinkRevokeUser withdraws the invitations of a workspace's user, and links to connect.
-- name: LinkRevokeUser :exec
DELETE FROM control.one_time_links WHERE tenant_id = @tenant_id AND user_id = @user_id AND purpose IN ('invite', 'connect');

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
