-- Portals, their visitors, and the hosts that they are reached by.

-- PortalHostFind answers whose portal a host is, once it is proven, and the first
-- of the portal's names, by which identity providers know it.
-- name: PortalHostFind :one
SELECT h.tenant_id, h.portal_id,
       (SELECT min(o.host) FROM control.portal_hosts o WHERE o.tenant_id = h.tenant_id AND o.portal_id = h.portal_id AND o.verified_at IS NOT NULL)::text AS main
FROM control.portal_hosts h WHERE h.host = @host AND h.verified_at IS NOT NULL;

-- PortalHostMain is the first of a portal's names.
-- name: PortalHostMain :one
SELECT COALESCE(min(host), '')::text AS host FROM control.portal_hosts WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND verified_at IS NOT NULL;

-- name: PortalHostList :many
SELECT host, claimed_at, verified_at, failing_at FROM control.portal_hosts
WHERE tenant_id = @tenant_id AND portal_id = @portal_id ORDER BY host;

-- name: PortalHostClaim :execrows
INSERT INTO control.portal_hosts (host, tenant_id, portal_id, claimed_at) VALUES (@host, @tenant_id, @portal_id, @now)
ON CONFLICT (host, tenant_id) DO NOTHING;

-- name: PortalHostTaken :one
SELECT EXISTS (SELECT 1 FROM control.portal_hosts WHERE host = @host AND tenant_id <> @tenant_id AND verified_at IS NOT NULL);

-- name: PortalHostProve :execrows
UPDATE control.portal_hosts SET verified_at = COALESCE(verified_at, @now::timestamptz), failing_at = NULL
WHERE host = @host AND tenant_id = @tenant_id AND portal_id = @portal_id;

-- PortalHostsProven are a workspace's hosts in use.
-- name: PortalHostsProven :many
SELECT host, portal_id, failing_at FROM control.portal_hosts WHERE tenant_id = @tenant_id AND verified_at IS NOT NULL ORDER BY host;

-- PortalHostChecked keeps since when the proof of a host is missing; one that is
-- lost is not in use any more.
-- name: PortalHostChecked :execrows
UPDATE control.portal_hosts SET failing_at = sqlc.narg(failing_at)::timestamptz, verified_at = CASE WHEN @lost::boolean THEN NULL ELSE verified_at END
WHERE host = @host AND tenant_id = @tenant_id AND verified_at IS NOT NULL;

-- name: PortalHostRemove :execrows
DELETE FROM control.portal_hosts WHERE host = @host AND tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalHostsRemove :exec
DELETE FROM control.portal_hosts WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalList :many
SELECT p.portal_id, p.name, p.brand, p.updated_at,
       (SELECT count(*) FROM portal_dashboards d WHERE d.tenant_id = p.tenant_id AND d.portal_id = p.portal_id)::bigint AS dashboards,
       (SELECT count(*) FROM portal_visitors v WHERE v.tenant_id = p.tenant_id AND v.portal_id = p.portal_id)::bigint AS visitors
FROM portals p WHERE p.tenant_id = @tenant_id ORDER BY lower(p.name);

-- name: PortalGet :one
SELECT portal_id, name, brand, downloads, schedules, zone, sso_only, updated_at FROM portals WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalInsert :exec
INSERT INTO portals (tenant_id, portal_id, name, brand) VALUES (@tenant_id, @portal_id, @name, @brand);

-- name: PortalUpdate :execrows
UPDATE portals SET name = @name, brand = @brand, downloads = @downloads, schedules = @schedules, zone = @zone, updated_at = @now
WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalTouch :exec
UPDATE portals SET updated_at = @now WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalDelete :execrows
DELETE FROM portals WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalAssetSave :exec
INSERT INTO portal_assets (tenant_id, portal_id, kind, content_type, sum, data)
VALUES (@tenant_id, @portal_id, @kind, @content_type, @sum, @data)
ON CONFLICT (tenant_id, portal_id, kind) DO UPDATE SET content_type = excluded.content_type, sum = excluded.sum, data = excluded.data;

-- name: PortalAssetGet :one
SELECT content_type, sum, data FROM portal_assets WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND kind = @kind;

-- name: PortalAssetRemove :exec
DELETE FROM portal_assets WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND kind = @kind;

-- PortalDashboardList lists what a portal shows; deleted dashboards wait in case
-- that they are restored.
-- name: PortalDashboardList :many
SELECT p.dashboard_id, p.label, p.group_id, d.name, COALESCE(g.name, '')::text AS group_name
FROM portal_dashboards p
JOIN dashboards d ON d.tenant_id = p.tenant_id AND d.dashboard_id = p.dashboard_id AND d.deleted_at IS NULL
LEFT JOIN portal_groups g ON g.tenant_id = p.tenant_id AND g.group_id = p.group_id
WHERE p.tenant_id = @tenant_id AND p.portal_id = @portal_id ORDER BY p.place, p.dashboard_id;

-- name: PortalDashboardsClear :exec
DELETE FROM portal_dashboards WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- name: PortalDashboardAdd :exec
INSERT INTO portal_dashboards (tenant_id, portal_id, dashboard_id, label, place, group_id)
VALUES (@tenant_id, @portal_id, @dashboard_id, @label, @place, sqlc.narg(group_id));

-- name: PortalGroupList :many
SELECT g.group_id, g.name, g.attributes,
       (SELECT count(*) FROM portal_group_visitors v WHERE v.tenant_id = g.tenant_id AND v.group_id = g.group_id)::bigint AS visitors
FROM portal_groups g WHERE g.tenant_id = @tenant_id AND g.portal_id = @portal_id ORDER BY lower(g.name);

-- name: PortalGroupInsert :exec
INSERT INTO portal_groups (tenant_id, portal_id, group_id, name, attributes) VALUES (@tenant_id, @portal_id, @group_id, @name, @attributes);

-- name: PortalGroupUpdate :execrows
UPDATE portal_groups SET name = @name, attributes = @attributes WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND group_id = @group_id;

-- name: PortalGroupDelete :execrows
DELETE FROM portal_groups WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND group_id = @group_id;

-- name: PortalVisitorList :many
SELECT v.visitor_id, v.email, v.name, v.company, v.attributes, v.created_at, v.invited_at, v.seen_at, v.blocked_at,
       (v.password_hash <> '' OR EXISTS (SELECT FROM portal_identities i
           WHERE i.tenant_id = v.tenant_id AND i.portal_id = v.portal_id AND i.visitor_id = v.visitor_id))::boolean AS active,
       ARRAY(SELECT m.group_id FROM portal_group_visitors m WHERE m.tenant_id = v.tenant_id AND m.visitor_id = v.visitor_id ORDER BY m.group_id)::uuid[] AS group_ids
FROM portal_visitors v WHERE v.tenant_id = @tenant_id AND v.portal_id = @portal_id
ORDER BY lower(v.company), lower(v.email) LIMIT @row_limit;

-- name: PortalVisitorGet :one
SELECT v.visitor_id, v.email, v.name, v.company, v.attributes, v.password_hash, v.blocked_at FROM portal_visitors v
WHERE v.tenant_id = @tenant_id AND v.portal_id = @portal_id AND v.visitor_id = @visitor_id;

-- name: PortalVisitorByEmail :one
SELECT v.visitor_id, v.email, v.name, v.password_hash, v.blocked_at FROM portal_visitors v
WHERE v.tenant_id = @tenant_id AND v.portal_id = @portal_id AND lower(v.email) = lower(@email);

-- name: PortalVisitorInsert :exec
INSERT INTO portal_visitors (tenant_id, portal_id, visitor_id, email, name, company, attributes, invited_at)
VALUES (@tenant_id, @portal_id, @visitor_id, @email, @name, @company, @attributes, @now);

-- name: PortalVisitorUpdate :execrows
UPDATE portal_visitors SET name = @name, company = @company, attributes = @attributes,
       blocked_at = CASE WHEN @blocked::boolean THEN COALESCE(blocked_at, @now::timestamptz) END
WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND visitor_id = @visitor_id;

-- name: PortalVisitorDelete :execrows
DELETE FROM portal_visitors WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND visitor_id = @visitor_id;

-- name: PortalVisitorPassword :execrows
UPDATE portal_visitors SET password_hash = @password_hash WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- name: PortalVisitorTheme :exec
UPDATE portal_visitors SET theme = @theme WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- name: PortalVisitorGroupsClear :exec
DELETE FROM portal_group_visitors WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- PortalVisitorGroupAdd adds only groups of the visitor's own portal.
-- name: PortalVisitorGroupAdd :execrows
INSERT INTO portal_group_visitors (tenant_id, group_id, visitor_id)
SELECT g.tenant_id, g.group_id, v.visitor_id FROM portal_groups g
JOIN portal_visitors v ON v.tenant_id = g.tenant_id AND v.portal_id = g.portal_id
WHERE g.tenant_id = @tenant_id AND g.group_id = @group_id AND v.visitor_id = @visitor_id;

-- name: PortalLinkInsert :exec
INSERT INTO portal_links (tenant_id, token_hash, visitor_id, expires_at) VALUES (@tenant_id, @token_hash, @visitor_id, @expires_at);

-- name: PortalLinkPeek :one
SELECT v.visitor_id, v.email, v.password_hash <> '' AS has_password FROM portal_links l
JOIN portal_visitors v ON v.tenant_id = l.tenant_id AND v.visitor_id = l.visitor_id
WHERE l.tenant_id = @tenant_id AND v.portal_id = @portal_id AND l.token_hash = @token_hash AND l.expires_at > @now AND v.blocked_at IS NULL;

-- PortalLinksEnd ends all links of a visitor: one was used.
-- name: PortalLinksEnd :exec
DELETE FROM portal_links WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- name: PortalSessionInsert :exec
INSERT INTO portal_sessions (tenant_id, token_hash, visitor_id, created_at, seen_at, expires_at, ends_at, identity_id, session_index, address, agent)
VALUES (@tenant_id, @token_hash, @visitor_id, @now, @now, LEAST(@expires_at::timestamptz, @ends_at::timestamptz), @ends_at, sqlc.narg(identity_id), @session_index, @address, @agent);

-- name: PortalVisitorSeen :exec
UPDATE portal_visitors SET seen_at = @now WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- name: PortalSessionEnd :exec
DELETE FROM portal_sessions WHERE tenant_id = @tenant_id AND token_hash = @token_hash;

-- PortalSessionSource is who the visitor of a session is at the provider that opened it.
-- name: PortalSessionSource :one
SELECT i.issuer, i.subject, i.format, s.session_index FROM portal_sessions s
JOIN portal_identities i ON i.tenant_id = s.tenant_id AND i.identity_id = s.identity_id
WHERE s.tenant_id = @tenant_id AND s.token_hash = @token_hash AND i.portal_id = @portal_id;

-- PortalSessionsEndOf ends the sessions that an identity has opened: those of the
-- provider's names for them, all where it names none.
-- name: PortalSessionsEndOf :execrows
DELETE FROM portal_sessions WHERE tenant_id = @tenant_id AND identity_id = @identity_id::uuid
  AND (cardinality(@indexes::text[]) = 0 OR session_index = ANY (@indexes::text[]));

-- PortalSessionsEndPasswords ends those that a password has opened.
-- name: PortalSessionsEndPasswords :exec
DELETE FROM portal_sessions s USING portal_visitors v
WHERE s.tenant_id = @tenant_id AND v.tenant_id = s.tenant_id AND v.visitor_id = s.visitor_id AND v.portal_id = @portal_id AND s.identity_id IS NULL;

-- name: PortalSetSSOOnly :exec
UPDATE portals SET sso_only = @sso_only, updated_at = @now WHERE tenant_id = @tenant_id AND portal_id = @portal_id;

-- PortalWays are the providers that a portal's visitors can sign in at.
-- name: PortalWays :many
SELECT kind FROM portal_connections WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND enabled ORDER BY kind;

-- name: PortalConnectionGet :one
SELECT connection_id, kind, enabled, settings, secret, metadata, refreshed_at, refresh_error, last_test, updated_at
FROM portal_connections WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND kind = @kind;

-- PortalConnectionsFetched are those whose provider's metadata has an address.
-- name: PortalConnectionsFetched :many
SELECT c.portal_id, c.metadata, (c.settings ->> 'metadata_url')::text AS metadata_url FROM portal_connections c
WHERE c.tenant_id = @tenant_id AND c.kind = 'saml' AND c.settings ->> 'source' = 'url' AND c.settings ->> 'metadata_url' <> '' ORDER BY c.portal_id;

-- name: PortalConnectionPut :exec
INSERT INTO portal_connections (tenant_id, portal_id, connection_id, kind, enabled, settings, secret, metadata, refreshed_at)
VALUES (@tenant_id, @portal_id, @connection_id, @kind, @enabled, @settings, @secret, @metadata, sqlc.narg(refreshed_at))
ON CONFLICT (tenant_id, portal_id, kind) DO UPDATE SET enabled = EXCLUDED.enabled, settings = EXCLUDED.settings, secret = EXCLUDED.secret,
    metadata = EXCLUDED.metadata, refreshed_at = EXCLUDED.refreshed_at, refresh_error = '', updated_at = now();

-- name: PortalVisitorGroupNames :many
SELECT g.name FROM portal_group_visitors m JOIN portal_groups g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id
WHERE m.tenant_id = @tenant_id AND m.visitor_id = @visitor_id ORDER BY g.name;

-- name: PortalConnectionSetTest :one
UPDATE portal_connections SET last_test = @last_test WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND kind = @kind RETURNING connection_id;

-- PortalConnectionRefreshed keeps fetched metadata, unless somebody saved another address meanwhile.
-- name: PortalConnectionRefreshed :execrows
UPDATE portal_connections SET metadata = @metadata, refreshed_at = now(), refresh_error = ''
WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND kind = 'saml' AND settings ->> 'metadata_url' = @metadata_url::text;

-- name: PortalConnectionRefreshFailed :exec
UPDATE portal_connections SET refresh_error = @refresh_error WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND kind = 'saml';

-- name: PortalIdentityFind :one
SELECT i.identity_id, i.visitor_id, v.email, v.blocked_at FROM portal_identities i
JOIN portal_visitors v ON v.tenant_id = i.tenant_id AND v.portal_id = i.portal_id AND v.visitor_id = i.visitor_id
WHERE i.tenant_id = @tenant_id AND i.portal_id = @portal_id AND i.connection_id = @connection_id AND i.issuer = @issuer AND i.subject = @subject;

-- name: PortalIdentityInsert :exec
INSERT INTO portal_identities (tenant_id, portal_id, identity_id, visitor_id, connection_id, issuer, subject, format)
VALUES (@tenant_id, @portal_id, @identity_id, @visitor_id, @connection_id, @issuer, @subject, @format);

-- name: PortalIdentityUsed :exec
UPDATE portal_identities SET used_at = now() WHERE tenant_id = @tenant_id AND identity_id = @identity_id;

-- PortalVisitorFollow takes over what a provider says of a visitor.
-- name: PortalVisitorFollow :exec
UPDATE portal_visitors SET name = @name, company = @company, attributes = @attributes WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- name: PortalGroupByName :one
SELECT group_id FROM portal_groups WHERE tenant_id = @tenant_id AND portal_id = @portal_id AND lower(name) = lower(@name::text);

-- name: PortalVisitorGroupLeave :execrows
DELETE FROM portal_group_visitors WHERE tenant_id = @tenant_id AND group_id = @group_id AND visitor_id = @visitor_id;

-- name: PortalSessionsEnd :exec
DELETE FROM portal_sessions WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id;

-- PortalSessionsPrune removes what is over, a visitor's own.
-- name: PortalSessionsPrune :exec
DELETE FROM portal_sessions WHERE tenant_id = @tenant_id AND visitor_id = @visitor_id AND expires_at <= @now;

-- PortalSessionTouch keeps an open session alive, at most once a minute.
-- name: PortalSessionTouch :exec
UPDATE portal_sessions SET seen_at = @now, expires_at = LEAST(@expires_at::timestamptz, ends_at)
WHERE tenant_id = @tenant_id AND token_hash = @token_hash AND seen_at < @stale;

-- PortalVisit is the live session of a token with its visitor. The names of
-- groups' attributes and the visitor's own are put together by the caller.
-- name: PortalVisit :one
SELECT v.visitor_id, v.email, v.name, v.company, v.theme, v.attributes, s.expires_at, s.seen_at,
       COALESCE((SELECT jsonb_agg(g.attributes ORDER BY g.group_id) FROM portal_group_visitors m
                 JOIN portal_groups g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id
                 WHERE m.tenant_id = v.tenant_id AND m.visitor_id = v.visitor_id), '[]')::jsonb AS group_attributes
FROM portal_sessions s
JOIN portal_visitors v ON v.tenant_id = s.tenant_id AND v.visitor_id = s.visitor_id
WHERE s.tenant_id = @tenant_id AND s.token_hash = @token_hash AND v.portal_id = @portal_id
  AND s.expires_at > @now AND v.blocked_at IS NULL;

-- PortalVisitorVisit is PortalVisit of a visitor who is not here themselves.
-- name: PortalVisitorVisit :one
SELECT v.portal_id, v.email, v.name, v.company, v.theme, v.attributes,
       COALESCE((SELECT jsonb_agg(g.attributes ORDER BY g.group_id) FROM portal_group_visitors m
                 JOIN portal_groups g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id
                 WHERE m.tenant_id = v.tenant_id AND m.visitor_id = v.visitor_id), '[]')::jsonb AS group_attributes
FROM portal_visitors v WHERE v.tenant_id = @tenant_id AND v.visitor_id = @visitor_id AND v.blocked_at IS NULL;

-- PortalScope is what a visitor may open: published dashboards, in the portal's
-- order. A visitor without an id, for a preview, sees what is for everybody.
-- name: PortalScope :many
SELECT p.dashboard_id, COALESCE(NULLIF(p.label, ''), d.name)::text AS name
FROM portal_dashboards p
JOIN dashboards d ON d.tenant_id = p.tenant_id AND d.dashboard_id = p.dashboard_id AND d.deleted_at IS NULL
WHERE p.tenant_id = @tenant_id AND p.portal_id = @portal_id
  AND (p.group_id IS NULL OR EXISTS (SELECT 1 FROM portal_group_visitors m
       WHERE m.tenant_id = p.tenant_id AND m.group_id = p.group_id AND m.visitor_id = @visitor_id))
ORDER BY p.place, p.dashboard_id;

-- DashboardDatasets are the datasets that dashboards ask, with those that they
-- look up.
-- name: DashboardDatasets :many
SELECT s.dataset_id FROM dashboard_data_sources s WHERE s.tenant_id = @tenant_id AND s.dashboard_id = ANY (@dashboards::uuid[])
UNION
SELECT l.target_id FROM dashboard_data_sources s
JOIN dataset_lookups l ON l.tenant_id = s.tenant_id AND l.dataset_id = s.dataset_id
WHERE s.tenant_id = @tenant_id AND s.dashboard_id = ANY (@dashboards::uuid[]);
