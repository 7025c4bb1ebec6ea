-- Jobs: rows in control.jobs, of all tenants. In a transaction that is bound
-- to a tenant, row-level security shows that tenant's alone. The relay and the
-- workers use transactions of their own, without a tenant.

-- JobInsert adds a job, or answers the one of the same key that has not begun.
-- That one can't begin before this transaction ends, so it will see its rows.
-- name: JobInsert :one
INSERT INTO control.jobs (job_id, tenant_id, user_id, kind, version, payload, queue, run_at, unique_key)
VALUES (@job_id, @tenant_id, sqlc.narg(user_id), @kind, @version, @payload, @queue,
        COALESCE(sqlc.narg(run_at)::timestamptz, now()), sqlc.narg(unique_key))
ON CONFLICT (tenant_id, kind, unique_key) WHERE state = 'queued' AND attempt = 0 AND unique_key IS NOT NULL
    DO UPDATE SET run_at = LEAST(control.jobs.run_at, excluded.run_at)
RETURNING job_id;

-- JobInsertOf is JobInsert for many of one kind.
-- name: JobInsertOf :exec
INSERT INTO control.jobs (job_id, tenant_id, kind, version, payload, queue, run_at, unique_key)
SELECT n.job_id, @tenant_id::uuid, @kind::text, @version::int, n.payload, @queue::text, COALESCE(NULLIF(n.run_at, '0001-01-01Z'::timestamptz), now()), NULLIF(n.unique_key, '')
FROM (SELECT unnest(@job_ids::uuid[]) AS job_id, unnest(@payloads::jsonb[]) AS payload, unnest(@run_ats::timestamptz[]) AS run_at, unnest(@unique_keys::text[]) AS unique_key) n
ON CONFLICT (tenant_id, kind, unique_key) WHERE state = 'queued' AND attempt = 0 AND unique_key IS NOT NULL
    DO UPDATE SET run_at = LEAST(control.jobs.run_at, excluded.run_at);

-- JobCloseOf ends those of some keys that have not begun: their work is done.
-- name: JobCloseOf :exec
UPDATE control.jobs SET state = 'done', lease_until = NULL, finished_at = now()
WHERE tenant_id = @tenant_id AND kind = @kind AND unique_key = ANY(@unique_keys::text[]) AND state = 'queued' AND attempt = 0;

-- JobHasten has one of a key that waits for its time, or for another attempt, run
-- now. That attempt comes on top of those it has anyway.
-- name: JobHasten :execrows
UPDATE control.jobs
SET run_at = LEAST(run_at, now()), released = CASE WHEN run_at > now() THEN LEAST(released + 1, attempt) ELSE released END
WHERE tenant_id = @tenant_id AND kind = @kind AND unique_key = @unique_key AND state = 'queued';

-- JobNotify tells every relay and worker when this transaction commits.
-- name: JobNotify :exec
SELECT pg_notify('dataflow_jobs', @payload::text);

-- JobRelayLock lets one relay at a time choose, so that limits hold.
-- name: JobRelayLock :exec
SELECT pg_advisory_xact_lock(7061644203);

-- JobDispatch chooses due rows: tenants take turns, the one with least under
-- way first, and none gets more than per_tenant. Walks jobs_waiting_idx from
-- tenant to tenant, so its cost does not grow with the rows that wait.
-- name: JobDispatch :many
WITH RECURSIVE ask AS (
    SELECT @queue::text AS queue, @kinds::text[] AS kinds, @waiting::bigint AS waiting, @per_tenant::bigint AS per_tenant
), tenants AS (
    (SELECT f.tenant_id FROM control.jobs f
     WHERE f.queue = (SELECT ask.queue FROM ask) AND f.state IN ('queued', 'running') ORDER BY f.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.tenant_id FROM control.jobs n
            WHERE n.queue = (SELECT ask.queue FROM ask) AND n.state IN ('queued', 'running') AND n.tenant_id > t.tenant_id
            ORDER BY n.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
), room AS (
    SELECT t.tenant_id, (SELECT count(*) FROM control.jobs u
        WHERE u.queue = (SELECT ask.queue FROM ask) AND u.tenant_id = t.tenant_id AND u.state IN ('queued', 'running')
          AND u.lease_until IS NOT NULL AND u.lease_until > now()) AS under_way
    FROM tenants t WHERE t.tenant_id IS NOT NULL
), chosen AS (
    SELECT c.job_id FROM room r
    CROSS JOIN LATERAL (
        SELECT d.job_id, d.run_at, r.under_way + row_number() OVER (ORDER BY d.run_at, d.job_id) AS turn
        FROM control.jobs d
        WHERE d.queue = (SELECT ask.queue FROM ask) AND d.tenant_id = r.tenant_id AND d.state IN ('queued', 'running')
          AND d.run_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())
          AND d.kind = ANY((SELECT ask.kinds FROM ask)::text[])
        ORDER BY d.run_at, d.job_id
        LIMIT (SELECT GREATEST(ask.per_tenant - r.under_way, 0) FROM ask)
    ) c
    ORDER BY c.turn, c.run_at, c.job_id
    LIMIT (SELECT GREATEST(ask.waiting - (SELECT count(*) FROM control.jobs w
        WHERE w.queue = ask.queue AND w.state = 'queued' AND w.lease_until IS NOT NULL AND w.lease_until > now()), 0) FROM ask)
), locked AS (
    SELECT l.job_id FROM control.jobs l
    WHERE l.job_id IN (SELECT chosen.job_id FROM chosen) AND l.state IN ('queued', 'running')
      AND (l.lease_until IS NULL OR l.lease_until <= now())
    FOR UPDATE SKIP LOCKED
)
UPDATE control.jobs j
SET state = 'queued', worker = '', lease_until = now() + make_interval(secs => @hold_s::float8)
FROM locked WHERE j.job_id = locked.job_id
RETURNING j.job_id, j.kind, j.attempt;

-- JobNextDue answers microseconds until the next row is due; no row when none is open.
-- name: JobNextDue :many
SELECT (EXTRACT(EPOCH FROM GREATEST(run_at, lease_until) - now()) * 1000000)::bigint AS due_us
FROM control.jobs
WHERE state IN ('queued', 'running') AND kind = ANY(@kinds::text[])
ORDER BY GREATEST(run_at, lease_until) LIMIT 1;

-- JobClaim starts the attempt after the given one, once.
-- name: JobClaim :one
UPDATE control.jobs
SET state = 'running', attempt = attempt + 1, max_attempts = @max_attempts, worker = @worker, started_at = now(),
    lease_until = now() + make_interval(secs => @lease_s::float8), progress = '{}', error_code = '', error_text = ''
WHERE job_id = @job_id AND state = 'queued' AND attempt = @attempt AND run_at <= now()
RETURNING tenant_id, user_id, kind, version, payload, attempt, released, created_at, run_at, cancel_requested;

-- JobExtend prolongs leases that are still held.
-- name: JobExtend :many
UPDATE control.jobs j
SET lease_until = now() + make_interval(secs => @lease_s::float8)
FROM (SELECT unnest(@job_ids::uuid[]) AS job_id, unnest(@attempts::int[]) AS attempt) h
WHERE j.job_id = h.job_id AND j.attempt = h.attempt AND j.state = 'running'
RETURNING j.job_id, j.cancel_requested;

-- JobSetProgress keeps the newest report of the running attempt.
-- name: JobSetProgress :execrows
UPDATE control.jobs SET progress = @progress
WHERE job_id = @job_id AND attempt = @attempt AND state = 'running';

-- JobEnd closes an attempt: for good, or with another attempt after the delay.
-- name: JobEnd :execrows
UPDATE control.jobs
SET state = @state, worker = '', lease_until = NULL, error_code = @error_code, error_text = @error_text,
    released = released + @released::int,
    run_at = CASE WHEN @state = 'queued' THEN now() + make_interval(secs => @delay_s::float8) ELSE run_at END,
    finished_at = CASE WHEN @state = 'queued' THEN NULL ELSE now() END
WHERE job_id = @job_id AND attempt = @attempt AND state = 'running';

-- JobRelease makes what a worker holds due at once.
-- name: JobRelease :execrows
UPDATE control.jobs SET state = 'queued', worker = '', lease_until = NULL
WHERE worker = @worker AND state = 'running';

-- JobCancel closes a job that waits and asks a running one to stop.
-- name: JobCancel :one
UPDATE control.jobs
SET cancel_requested = true,
    state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END,
    lease_until = CASE WHEN state = 'queued' THEN NULL ELSE lease_until END,
    finished_at = CASE WHEN state = 'queued' THEN now() ELSE NULL END,
    error_code = CASE WHEN state = 'queued' THEN @error_code::text ELSE error_code END,
    error_text = CASE WHEN state = 'queued' THEN @error_text::text ELSE error_text END
WHERE tenant_id = @tenant_id AND job_id = @job_id AND state IN ('queued', 'running')
RETURNING state;

-- JobGet reads one job of a tenant.
-- name: JobGet :one
SELECT job_id, tenant_id, user_id, kind, state, attempt, progress, cancel_requested, error_code, error_text,
       created_at, started_at, finished_at
FROM control.jobs WHERE tenant_id = @tenant_id AND job_id = @job_id;

-- JobListOpen reads a tenant's jobs that wait or run, oldest first.
-- name: JobListOpen :many
SELECT job_id, tenant_id, user_id, kind, state, attempt, progress, cancel_requested, error_code, error_text,
       created_at, started_at, finished_at
FROM control.jobs
WHERE tenant_id = @tenant_id AND state IN ('queued', 'running')
ORDER BY job_id LIMIT @row_limit;

-- JobPrune removes rows that ended long ago.
-- name: JobPrune :execrows
DELETE FROM control.jobs WHERE finished_at < now() - make_interval(secs => @age_s::float8);

-- JobCount says how full the queues are.
-- name: JobCount :many
SELECT queue, state, count(*) AS jobs,
       COALESCE(GREATEST(EXTRACT(EPOCH FROM now() - min(run_at)), 0), 0)::float8 AS oldest_seconds
FROM control.jobs WHERE state IN ('queued', 'running')
GROUP BY queue, state;

-- JobSilentTenants counts the workspaces for which a kind of job has not ended
-- well for that long, those that are younger aside; uses jobs_finished_idx.
-- name: JobSilentTenants :one
WITH done AS (
    SELECT DISTINCT j.tenant_id FROM control.jobs j
    WHERE j.finished_at > now() - make_interval(secs => @within_s::float8) AND j.kind = @kind AND j.state = 'done'
)
SELECT count(*) FROM control.tenants t
WHERE t.created_at < now() - make_interval(secs => @within_s::float8) AND NOT EXISTS (SELECT 1 FROM done d WHERE d.tenant_id = t.tenant_id);

-- ScheduleTake answers one row for the one caller that runs this slot.
-- name: ScheduleTake :many
INSERT INTO control.schedules AS s (name, last_slot) VALUES (@name, @slot)
ON CONFLICT (name) DO UPDATE SET last_slot = excluded.last_slot, updated_at = now()
WHERE s.last_slot < excluded.last_slot
RETURNING s.name;
