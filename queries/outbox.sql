-- The outbox of events: ids and versions of what changed, of all tenants.

-- OutboxInsert writes an event and wakes the relay when this transaction commits.
-- name: OutboxInsert :exec
WITH written AS (
    INSERT INTO control.outbox (tenant_id, kind, entity_id, version)
    VALUES (@tenant_id, @kind, @entity_id, @version)
    RETURNING seq
)
SELECT pg_notify('dataflow_events', '') FROM written;

-- OutboxRelayLock lets one relay at a time publish, so that order holds.
-- name: OutboxRelayLock :exec
SELECT pg_advisory_xact_lock(7061644204);

-- OutboxTake reads unpublished events, oldest first.
-- name: OutboxTake :many
SELECT seq, tenant_id, kind, entity_id, version, created_at
FROM control.outbox WHERE published_at IS NULL
ORDER BY seq LIMIT @row_limit;

-- OutboxMarkPublished says that events went out.
-- name: OutboxMarkPublished :exec
UPDATE control.outbox SET published_at = now() WHERE seq = ANY(@seqs::bigint[]);

-- OutboxTakeUntold takes events that features act on and have not heard of, oldest first; several processes take different ones. One that could not be
-- told 40 times, which takes more than a day, is given up.
-- name: OutboxTakeUntold :many
SELECT seq, tenant_id, kind, entity_id, version, created_at
FROM control.outbox
WHERE told_at IS NULL AND kind IN ('dataset.changed', 'dashboard.deleted', 'member.changed') AND tell_after <= now() AND tell_tries < 40
ORDER BY seq LIMIT @row_limit
FOR UPDATE SKIP LOCKED;

-- OutboxMarkTold says that features have heard of events.
-- name: OutboxMarkTold :exec
UPDATE control.outbox SET told_at = now() WHERE seq = ANY(@seqs::bigint[]);

-- OutboxTellLater has events told again, later each time, up to an hour.
-- name: OutboxTellLater :exec
UPDATE control.outbox
SET tell_tries = tell_tries + 1, tell_after = now() + make_interval(secs => least(3600, power(2, tell_tries)))
WHERE seq = ANY(@seqs::bigint[]);

-- OutboxPrune removes what went out long ago.
-- name: OutboxPrune :execrows
DELETE FROM control.outbox
WHERE published_at < now() - make_interval(secs => @age_s::float8) AND (told_at IS NOT NULL OR kind NOT IN ('dataset.changed', 'dashboard.deleted', 'member.changed') OR tell_tries >= 40);
