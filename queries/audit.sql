-- AuditInsert writes an entry with what only the database knows: the actor's
-- name, and how the object is called just now. It is one statement, so that an
-- entry costs one round trip.
-- name: AuditInsert :exec
WITH given AS (
    SELECT @tenant_id::uuid AS tenant_id, @audit_id::uuid AS audit_id, COALESCE(sqlc.narg('at')::timestamptz, now()) AS at,
        @actor_kind::text AS actor_kind, sqlc.narg('user_id')::uuid AS user_id, sqlc.narg('visitor_id')::uuid AS visitor_id, @action::text AS action, @target_kind::text AS target_kind,
        @target_id::text AS target_id, sqlc.narg('object_id')::uuid AS object_id, @outcome::text AS outcome, @request_id::text AS request_id,
        sqlc.arg('who')::jsonb AS who, @who_salt::bytea AS who_salt, sqlc.arg('what')::jsonb AS what, @what_salt::bytea AS what_salt
), said AS (
    SELECT g.*, jsonb_strip_nulls(COALESCE((SELECT jsonb_build_object('name', NULLIF(u.name, ''), 'email', u.email) FROM users u
            WHERE u.tenant_id = g.tenant_id AND u.user_id = g.user_id),
            (SELECT jsonb_build_object('name', NULLIF(v.name, ''), 'email', v.email) FROM portal_visitors v
            WHERE v.tenant_id = g.tenant_id AND v.visitor_id = g.visitor_id), '{}'::jsonb) || g.who) AS who_said,
        jsonb_strip_nulls(jsonb_build_object('name', CASE g.target_kind
            WHEN 'user' THEN (SELECT COALESCE(NULLIF(u.name, ''), u.email) FROM users u WHERE u.tenant_id = g.tenant_id AND u.user_id = g.object_id)
            WHEN 'dashboard' THEN (SELECT d.name FROM dashboards d WHERE d.tenant_id = g.tenant_id AND d.dashboard_id = g.object_id)
            WHEN 'dataset' THEN (SELECT d.name FROM datasets d WHERE d.tenant_id = g.tenant_id AND d.dataset_id = g.object_id)
            WHEN 'folder' THEN (SELECT f.name FROM folders f WHERE f.tenant_id = g.tenant_id AND f.folder_id = g.object_id)
            WHEN 'portal' THEN (SELECT p.name FROM portals p WHERE p.tenant_id = g.tenant_id AND p.portal_id = g.object_id)
            WHEN 'visitor' THEN (SELECT COALESCE(NULLIF(v.name, ''), v.email) FROM portal_visitors v WHERE v.tenant_id = g.tenant_id AND v.visitor_id = g.object_id)
            WHEN 'report' THEN (SELECT r.name FROM reports r WHERE r.tenant_id = g.tenant_id AND r.report_id = g.object_id)
            WHEN 'schedule' THEN (SELECT s.name FROM report_schedules s WHERE s.tenant_id = g.tenant_id AND s.schedule_id = g.object_id)
            WHEN 'group' THEN (SELECT c.name FROM user_groups c WHERE c.tenant_id = g.tenant_id AND c.group_id = g.object_id)
        END) || g.what) AS what_said
    FROM given g
), entry AS (
    INSERT INTO audit_events (tenant_id, audit_id, at, actor_kind, user_id, action, target_kind, target_id, outcome, request_id, who_digest, what_digest)
    SELECT tenant_id, audit_id, at, actor_kind, user_id, action, target_kind, target_id, outcome, request_id,
        sha256(who_salt || convert_to(who_said::text, 'UTF8')), sha256(what_salt || convert_to(what_said::text, 'UTF8'))
    FROM said
)
INSERT INTO audit_details (tenant_id, audit_id, who, who_salt, what, what_salt)
SELECT tenant_id, audit_id, who_said, who_salt, what_said, what_salt FROM said;

-- AuditList is one page, newest first, after the entry of the page before.
-- Filters that are null do not count.
-- name: AuditList :many
SELECT e.audit_id, e.at, e.actor_kind, e.user_id, e.action, e.target_kind, e.target_id, e.outcome, e.request_id, e.detail, e.batch, d.who, d.what
FROM audit_events e LEFT JOIN audit_details d ON d.tenant_id = e.tenant_id AND d.audit_id = e.audit_id
WHERE e.tenant_id = @tenant_id
  AND (e.at, e.audit_id) < (@before_at::timestamptz, @before_id::uuid)
  AND e.at >= @since::timestamptz
  AND (sqlc.narg('user_id')::uuid IS NULL OR e.user_id = sqlc.narg('user_id')::uuid)
  AND (cardinality(@actions::text[]) = 0 OR e.action = ANY (@actions::text[]) OR split_part(e.action, '.', 1) = ANY (@actions::text[]))
  AND (sqlc.narg('target_id')::text IS NULL OR e.target_id = sqlc.narg('target_id')::text)
  AND (sqlc.narg('outcome')::text IS NULL OR e.outcome = sqlc.narg('outcome')::text)
  AND (cardinality(@patterns::text[]) = 0 OR e.action = ANY (@found_actions::text[])
    OR lower(concat_ws(' ', d.who::text, d.what::text, e.action, e.target_id, e.request_id)) LIKE ALL (@patterns::text[]))
ORDER BY e.at DESC, e.audit_id DESC LIMIT @row_limit;

-- name: AuditGet :one
SELECT e.audit_id, e.at, e.actor_kind, e.user_id, e.action, e.target_kind, e.target_id, e.outcome, e.request_id, e.detail, e.batch, d.who, d.what
FROM audit_events e LEFT JOIN audit_details d ON d.tenant_id = e.tenant_id AND d.audit_id = e.audit_id
WHERE e.tenant_id = @tenant_id AND e.audit_id = @audit_id;

-- AuditPeople are those who have done something since then.
-- name: AuditPeople :many
SELECT u.user_id, COALESCE(NULLIF(u.name, ''), u.email)::text AS name FROM users u
WHERE u.tenant_id = @tenant_id AND EXISTS (SELECT FROM audit_events e WHERE e.tenant_id = @tenant_id AND e.user_id = u.user_id AND e.at >= @since)
ORDER BY lower(COALESCE(NULLIF(u.name, ''), u.email)) LIMIT @row_limit;

-- AuditLock lets one process at a time seal a workspace.
-- name: AuditLock :exec
SELECT pg_advisory_xact_lock(hashtextextended('audit seal ' || current_setting('app.tenant_id'), 0));

-- AuditOpen are the entries that are in no batch and that no transaction can
-- come before any more. A number beyond all that this server has given out is
-- from the server that a backup was taken of.
-- name: AuditOpen :many
SELECT audit_id, at, actor_kind, user_id, action, target_kind, target_id, outcome, request_id, detail::text AS detail, who_digest, what_digest
FROM audit_events
WHERE tenant_id = @tenant_id AND batch IS NULL
  AND (xact < pg_snapshot_xmin(pg_current_snapshot()) OR xact > pg_snapshot_xmax(pg_current_snapshot()))
ORDER BY xact, audit_id LIMIT @row_limit;

-- name: AuditSeal :one
SELECT audit_seal(@entry_ids::uuid[], @chain_before::bytea, @chain_after::bytea)::bigint AS batch;

-- AuditSealed are entries of batches, in the order of the chain.
-- name: AuditSealed :many
SELECT e.audit_id, e.at, e.actor_kind, e.user_id, e.action, e.target_kind, e.target_id, e.outcome, e.request_id, e.detail::text AS detail,
    e.who_digest, e.what_digest, e.batch::bigint AS batch, e.place::integer AS place,
    COALESCE(d.who::text, '')::text AS who, d.who_salt, COALESCE(d.what::text, '')::text AS what, d.what_salt
FROM audit_events e LEFT JOIN audit_details d ON d.tenant_id = e.tenant_id AND d.audit_id = e.audit_id
WHERE e.tenant_id = @tenant_id AND e.batch > @after_batch::bigint AND e.batch <= @to_batch::bigint
ORDER BY e.batch, e.place;

-- name: AuditBatches :many
SELECT batch, entries, sealed_at, hash FROM audit_batches
WHERE tenant_id = @tenant_id AND batch > @after_batch ORDER BY batch LIMIT @row_limit;

-- AuditStrays are entries of batches that the chain does not have.
-- name: AuditStrays :one
SELECT count(*), COALESCE(min(e.batch), 0)::bigint AS batch FROM audit_events e
WHERE e.tenant_id = @tenant_id AND e.batch IS NOT NULL
  AND NOT EXISTS (SELECT FROM audit_batches b WHERE b.tenant_id = @tenant_id AND b.batch = e.batch);

-- name: AuditChain :one
SELECT batch, hash, checkpoint, checkpoint_hash, checkpoint_at FROM audit_chains WHERE tenant_id = @tenant_id;

-- name: AuditCountOpen :one
SELECT count(*) FROM audit_events WHERE tenant_id = @tenant_id AND batch IS NULL;

-- AuditPrune removes what is older than the workspace keeps it.
-- name: AuditPrune :one
SELECT audit_prune()::bigint AS removed;

-- AuditErase takes a person out of the log.
-- name: AuditErase :one
SELECT audit_erase(@user_id::uuid, @words::text[])::bigint AS parts;

-- name: AuditDays :one
SELECT audit_days FROM tenants WHERE tenant_id = @tenant_id;

-- name: AuditSetDays :exec
UPDATE tenants SET audit_days = @days, updated_at = now() WHERE tenant_id = @tenant_id;

-- name: AuditForwardGet :one
SELECT kind, address, secret, sent, sent_at, error, failed_at FROM audit_forwards WHERE tenant_id = @tenant_id;

-- AuditForwardPut begins with what is sealed from now on.
-- name: AuditForwardPut :exec
INSERT INTO audit_forwards (tenant_id, kind, address, secret, sent)
VALUES (@tenant_id, @kind, @address, @secret, COALESCE((SELECT c.batch FROM audit_chains c WHERE c.tenant_id = @tenant_id), 0))
ON CONFLICT (tenant_id) DO UPDATE SET kind = @kind, address = @address, secret = COALESCE(@secret, audit_forwards.secret),
    error = '', failed_at = NULL, changed_at = now();

-- AuditForwardDue tells whether batches wait to be sent.
-- name: AuditForwardDue :one
SELECT EXISTS (SELECT FROM audit_forwards f JOIN audit_chains c ON c.tenant_id = f.tenant_id WHERE f.tenant_id = @tenant_id AND f.sent < c.batch);

-- name: AuditForwardDelete :execrows
DELETE FROM audit_forwards WHERE tenant_id = @tenant_id;

-- name: AuditForwardSent :exec
UPDATE audit_forwards SET sent = @sent, sent_at = now(), error = '', failed_at = NULL WHERE tenant_id = @tenant_id AND sent < @sent;

-- name: AuditForwardFailed :exec
UPDATE audit_forwards SET error = @error, failed_at = now() WHERE tenant_id = @tenant_id;
