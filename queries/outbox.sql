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

-- OutboxPrune removes what went out long ago.
-- name: OutboxPrune :execrows
DELETE FROM control.outbox WHERE published_at < now() - make_interval(secs => @age_s::float8);
