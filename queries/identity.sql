-- Single sign-on, second factors, domains and what sign-in demands.

-- name: PolicyGet :one
SELECT sso_only, break_glass_user_id, saml, oidc FROM control.sign_in_policies WHERE tenant_id = @tenant_id;

-- PolicySetWays says which providers are turned on.
-- name: PolicySetWays :exec
INSERT INTO control.sign_in_policies (tenant_id, saml, oidc) VALUES (@tenant_id, @saml, @oidc)
ON CONFLICT (tenant_id) DO UPDATE SET saml = EXCLUDED.saml, oidc = EXCLUDED.oidc;

-- name: PolicySetOnly :execrows
UPDATE control.sign_in_policies SET sso_only = @sso_only, break_glass_user_id = sqlc.narg(break_glass_user_id) WHERE tenant_id = @tenant_id;

-- name: SecurityGet :one
SELECT session_idle_minutes, session_max_hours, second_factor_roles FROM tenants WHERE tenant_id = @tenant_id;

-- name: SecuritySet :exec
UPDATE tenants SET session_idle_minutes = @session_idle_minutes, session_max_hours = @session_max_hours,
    second_factor_roles = @second_factor_roles::text[], updated_at = now()
WHERE tenant_id = @tenant_id;

-- name: DomainList :many
SELECT domain, token, verified_at, sign_up_role FROM control.domains WHERE tenant_id = @tenant_id ORDER BY domain;

-- name: DomainGet :one
SELECT domain, token, verified_at, sign_up_role FROM control.domains WHERE tenant_id = @tenant_id AND domain = @domain;

-- name: DomainInsert :execrows
INSERT INTO control.domains (tenant_id, domain, token) VALUES (@tenant_id, @domain, @token) ON CONFLICT DO NOTHING;

-- name: DomainVerify :execrows
UPDATE control.domains SET verified_at = COALESCE(verified_at, now()) WHERE tenant_id = @tenant_id AND domain = @domain;

-- name: DomainSetSignUp :execrows
UPDATE control.domains SET sign_up_role = sqlc.narg(sign_up_role)
WHERE tenant_id = @tenant_id AND domain = @domain AND verified_at IS NOT NULL;

-- name: DomainDelete :execrows
DELETE FROM control.domains WHERE tenant_id = @tenant_id AND domain = @domain;

-- DomainOwner is the workspace that has verified a domain, with its ways to sign in.
-- name: DomainOwner :one
SELECT d.tenant_id, d.sign_up_role, t.slug, t.name, COALESCE(p.saml, false)::boolean AS saml, COALESCE(p.oidc, false)::boolean AS oidc,
    COALESCE(p.sso_only, false)::boolean AS sso_only
FROM control.domains d JOIN control.tenants t ON t.tenant_id = d.tenant_id
LEFT JOIN control.sign_in_policies p ON p.tenant_id = d.tenant_id
WHERE d.domain = @domain AND d.verified_at IS NOT NULL;

-- WaysBySlug are the ways to sign in at a workspace.
-- name: WaysBySlug :one
SELECT t.tenant_id, t.slug, t.name, COALESCE(p.saml, false)::boolean AS saml, COALESCE(p.oidc, false)::boolean AS oidc,
    COALESCE(p.sso_only, false)::boolean AS sso_only
FROM control.tenants t LEFT JOIN control.sign_in_policies p ON p.tenant_id = t.tenant_id
WHERE t.slug = @slug;

-- name: RequestInsert :exec
INSERT INTO control.sign_in_requests (tenant_id, portal_id, kind, protocol_id, browser_hash, nonce, verifier, test_user_id, session_id, invite_hash, next, expires_at)
VALUES (@tenant_id, sqlc.narg(portal_id), @kind, @protocol_id, @browser_hash, @nonce, @verifier, sqlc.narg(test_user_id), sqlc.narg(session_id), sqlc.narg(invite_hash), @next, @expires_at);

-- RequestTake takes a request that waits, of the browser and the portal that
-- made it: of several answers at once, one gets the row.
-- name: RequestTake :one
DELETE FROM control.sign_in_requests
WHERE tenant_id = @tenant_id AND portal_id IS NOT DISTINCT FROM sqlc.narg(portal_id)::uuid AND kind = @kind AND protocol_id = @protocol_id AND browser_hash = @browser_hash AND expires_at > now()
RETURNING nonce, verifier, test_user_id, session_id, invite_hash, next, created_at;

-- name: RequestPrune :execrows
DELETE FROM control.sign_in_requests WHERE expires_at < now();

-- ReplayInsert answers 0 where the key was used before.
-- name: ReplayInsert :execrows
INSERT INTO control.sign_in_replays (tenant_id, key, expires_at) VALUES (@tenant_id, @key, @expires_at) ON CONFLICT DO NOTHING;

-- name: ReplayExists :one
SELECT EXISTS (SELECT FROM control.sign_in_replays WHERE tenant_id = @tenant_id AND key = @key);

-- name: ReplayPrune :execrows
DELETE FROM control.sign_in_replays WHERE expires_at < now();

-- name: PendingInsert :exec
INSERT INTO control.pending_sign_ins (token_hash, purpose, tenant_id, user_id, person_id, remembered, session_id, payload, expires_at)
VALUES (@token_hash, @purpose, @tenant_id, @user_id, @person_id, @remembered, sqlc.narg(session_id), @payload, @expires_at);

-- name: PendingGet :one
SELECT tenant_id, user_id, person_id, remembered, session_id, payload FROM control.pending_sign_ins
WHERE token_hash = @token_hash AND purpose = @purpose AND expires_at > now();

-- name: PendingTake :one
DELETE FROM control.pending_sign_ins WHERE token_hash = @token_hash AND purpose = @purpose AND expires_at > now()
RETURNING tenant_id, user_id, person_id, remembered, session_id, payload;

-- name: PendingPrune :execrows
DELETE FROM control.pending_sign_ins WHERE expires_at < now();

-- name: ConnectionGet :one
SELECT connection_id, kind, enabled, settings, secret, metadata, refreshed_at, refresh_error, last_test, updated_at
FROM sso_connections WHERE tenant_id = @tenant_id AND kind = @kind;

-- ConnectionPut keeps the moment of the last change where a test would pass as
-- before: where only enabled has changed.
-- name: ConnectionPut :exec
INSERT INTO sso_connections (tenant_id, connection_id, kind, enabled, settings, secret, metadata, refreshed_at)
VALUES (@tenant_id, @connection_id, @kind, @enabled, @settings, @secret, @metadata, sqlc.narg(refreshed_at))
ON CONFLICT (tenant_id, kind) DO UPDATE SET enabled = EXCLUDED.enabled, settings = EXCLUDED.settings, secret = EXCLUDED.secret,
    metadata = EXCLUDED.metadata, refreshed_at = EXCLUDED.refreshed_at, refresh_error = '',
    updated_at = CASE WHEN @unchanged::boolean THEN sso_connections.updated_at ELSE now() END;

-- ConnectionRefreshed keeps fetched metadata, unless somebody saved another address meanwhile.
-- name: ConnectionRefreshed :execrows
UPDATE sso_connections SET metadata = @metadata, refreshed_at = now(), refresh_error = ''
WHERE tenant_id = @tenant_id AND kind = 'saml' AND settings ->> 'metadata_url' = @metadata_url::text;

-- name: ConnectionRefreshFailed :exec
UPDATE sso_connections SET refresh_error = @refresh_error WHERE tenant_id = @tenant_id AND kind = 'saml';

-- name: ConnectionSetTest :one
UPDATE sso_connections SET last_test = @last_test WHERE tenant_id = @tenant_id AND kind = @kind RETURNING connection_id;

-- name: IdentityFind :one
SELECT i.identity_id, i.user_id, u.person_id, u.role, u.email, u.name, u.removed_at FROM identities i
JOIN users u ON u.tenant_id = i.tenant_id AND u.user_id = i.user_id
WHERE i.tenant_id = @tenant_id AND i.connection_id = @connection_id AND i.issuer = @issuer AND i.subject = @subject;

-- name: IdentityGet :one
SELECT issuer, subject, format FROM identities WHERE tenant_id = @tenant_id AND identity_id = @identity_id;

-- name: IdentityInsert :exec
INSERT INTO identities (tenant_id, identity_id, user_id, connection_id, issuer, subject, format)
VALUES (@tenant_id, @identity_id, @user_id, @connection_id, @issuer, @subject, @format);

-- name: IdentityUsed :exec
UPDATE identities SET used_at = now() WHERE tenant_id = @tenant_id AND identity_id = @identity_id;

-- SignInWays are how members sign in: with which providers, and whether a second factor is set up.
-- name: SignInWays :many
SELECT u.user_id, (u.second_factor_at IS NOT NULL)::boolean AS second_factor,
    EXISTS (SELECT FROM identities i WHERE i.tenant_id = u.tenant_id AND i.user_id = u.user_id) AS sso
FROM users u WHERE u.tenant_id = @tenant_id AND u.user_id = ANY (@user_ids::uuid[]);

-- StrandedList are the members who came by identity providers of which none is
-- among those given, as "connection issuer".
-- name: StrandedList :many
SELECT u.user_id FROM users u
WHERE u.tenant_id = @tenant_id AND u.removed_at IS NULL AND u.invited_at IS NULL
    AND EXISTS (SELECT FROM identities i WHERE i.tenant_id = u.tenant_id AND i.user_id = u.user_id)
    AND NOT EXISTS (SELECT FROM identities i WHERE i.tenant_id = u.tenant_id AND i.user_id = u.user_id
        AND i.connection_id::text || ' ' || i.issuer = ANY (@providers::text[]))
ORDER BY u.user_id;

-- UserByEmail finds somebody by address, also who was invited or has left.
-- name: UserByEmail :one
SELECT user_id, person_id, invited_at, removed_at FROM users WHERE tenant_id = @tenant_id AND lower(email) = lower(@email::text);

-- OwnerList are the owners who have joined.
-- name: OwnerList :many
SELECT user_id, email, name FROM users WHERE tenant_id = @tenant_id AND role = 'owner' AND removed_at IS NULL AND invited_at IS NULL
ORDER BY lower(COALESCE(NULLIF(name, ''), email)), user_id;

-- AdminList are those who look after the workspace.
-- name: AdminList :many
SELECT user_id FROM users WHERE tenant_id = @tenant_id AND role IN ('owner', 'admin') AND removed_at IS NULL AND invited_at IS NULL;

-- GroupByName finds a group of the workspace.
-- name: GroupByName :one
SELECT group_id FROM user_groups WHERE tenant_id = @tenant_id AND lower(name) = lower(@name::text);

-- name: GroupJoin :execrows
INSERT INTO user_group_members (tenant_id, group_id, user_id) VALUES (@tenant_id, @group_id, @user_id) ON CONFLICT DO NOTHING;

-- name: GroupLeave :execrows
DELETE FROM user_group_members WHERE tenant_id = @tenant_id AND group_id = @group_id AND user_id = @user_id;

-- FactorStart puts a secret that is not confirmed yet in the place of another such.
-- name: FactorStart :execrows
INSERT INTO second_factors (tenant_id, user_id, secret) VALUES (@tenant_id, @user_id, @secret)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET secret = EXCLUDED.secret, last_step = 0, created_at = now()
WHERE second_factors.confirmed_at IS NULL;

-- name: FactorGet :one
SELECT secret, last_step, confirmed_at FROM second_factors WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- FactorUse notes that the code of a step was used; 0 rows where it or a later one was before.
-- name: FactorUse :execrows
UPDATE second_factors SET last_step = @step WHERE tenant_id = @tenant_id AND user_id = @user_id AND last_step < @step;

-- name: FactorConfirm :execrows
UPDATE second_factors SET confirmed_at = now(), last_step = @step
WHERE tenant_id = @tenant_id AND user_id = @user_id AND confirmed_at IS NULL AND last_step < @step;

-- name: FactorDelete :execrows
DELETE FROM second_factors WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetFactor :exec
UPDATE users SET second_factor_at = sqlc.narg(second_factor_at) WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- UserHasFactor tells whether a code is asked for.
-- name: UserHasFactor :one
SELECT (second_factor_at IS NOT NULL)::boolean FROM users WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: RecoveryInsert :exec
INSERT INTO recovery_codes (tenant_id, user_id, code_hash) SELECT @tenant_id, @user_id, unnest(@code_hashes::bytea[]);

-- name: RecoveryUse :execrows
DELETE FROM recovery_codes WHERE tenant_id = @tenant_id AND user_id = @user_id AND code_hash = @code_hash;

-- name: RecoveryClear :exec
DELETE FROM recovery_codes WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: RecoveryCount :one
SELECT count(*)::bigint FROM recovery_codes WHERE tenant_id = @tenant_id AND user_id = @user_id;
