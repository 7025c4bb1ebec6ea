-- Files that came in, and the loads that brought them into datasets.

-- UploadInsert adds a stored file.
-- name: UploadInsert :exec
INSERT INTO uploads (tenant_id, upload_id, user_id, filename, key, byte_count, state, choices, created_at, updated_at)
VALUES (@tenant_id, @upload_id, sqlc.narg(user_id), @filename, @key, @byte_count, 'stored', '{}', @now, @now);

-- UploadGet reads one.
-- name: UploadGet :one
SELECT upload_id, user_id, filename, key, byte_count, state, job_id, choices, inspection, error_code, error_text, created_at, updated_at
FROM uploads WHERE tenant_id = @tenant_id AND upload_id = @upload_id;

-- UploadLock is UploadGet, and holds the row until the end of the transaction.
-- name: UploadLock :one
SELECT upload_id, user_id, filename, key, byte_count, state, job_id, choices, inspection, error_code, error_text, created_at, updated_at
FROM uploads WHERE tenant_id = @tenant_id AND upload_id = @upload_id
FOR UPDATE;

-- UploadSetInspecting says that a job looks into the file with these choices.
-- name: UploadSetInspecting :exec
UPDATE uploads SET state = 'inspecting', job_id = @job_id::uuid, choices = @choices, error_code = '', error_text = '', updated_at = @now
WHERE tenant_id = @tenant_id AND upload_id = @upload_id;

-- UploadSetInspected keeps what the job found, unless another was asked since.
-- name: UploadSetInspected :execrows
UPDATE uploads SET state = 'inspected', inspection = @inspection, updated_at = @now
WHERE tenant_id = @tenant_id AND upload_id = @upload_id AND job_id = @job_id::uuid AND state = 'inspecting';

-- UploadSetFailed keeps why the file can't be read, unless another job was
-- asked since.
-- name: UploadSetFailed :execrows
UPDATE uploads SET state = 'failed', error_code = @error_code, error_text = @error_text, updated_at = @now
WHERE tenant_id = @tenant_id AND upload_id = @upload_id AND job_id = @job_id::uuid AND state = 'inspecting';

-- UploadSetRemoved says that the file is gone.
-- name: UploadSetRemoved :execrows
UPDATE uploads SET state = 'removed', inspection = NULL, updated_at = @now
WHERE tenant_id = @tenant_id AND upload_id = @upload_id AND state <> 'removed';

-- UploadListOpen returns a person's uploads that were not loaded yet, latest
-- first.
-- name: UploadListOpen :many
SELECT u.upload_id, u.filename, u.byte_count, u.state, u.created_at
FROM uploads u
WHERE u.tenant_id = @tenant_id AND u.user_id = @user_id::uuid AND u.state <> 'removed'
  AND NOT EXISTS (SELECT 1 FROM loads l WHERE l.tenant_id = u.tenant_id AND l.upload_id = u.upload_id AND l.state IN ('queued', 'running', 'done'))
ORDER BY u.created_at DESC LIMIT @row_limit;

-- UploadListStale returns files that are wanted no longer: old, and no load of
-- them under way.
-- name: UploadListStale :many
SELECT u.upload_id, u.key FROM uploads u
WHERE u.tenant_id = @tenant_id AND u.state <> 'removed' AND u.updated_at < @before::timestamptz
  AND NOT EXISTS (SELECT 1 FROM loads l WHERE l.tenant_id = u.tenant_id AND l.upload_id = u.upload_id AND l.state IN ('queued', 'running'))
ORDER BY u.updated_at LIMIT @row_limit;

-- UploadKnown answers which of the given files belong to an upload that is
-- kept: the file itself, or the records that its last inspection rejected.
-- name: UploadKnown :many
SELECT key::text AS key FROM uploads u1 WHERE u1.tenant_id = @tenant_id AND u1.key = ANY (@keys::text[]) AND u1.state <> 'removed'
UNION
SELECT (inspection ->> 'rejects_file')::text FROM uploads u2
WHERE u2.tenant_id = @tenant_id AND u2.inspection ->> 'rejects_file' = ANY (@keys::text[]) AND u2.state <> 'removed';

-- UploadDatasets are the datasets that a file was or is to be loaded into.
-- name: UploadDatasets :many
SELECT DISTINCT dataset_id::uuid AS dataset_id FROM loads WHERE tenant_id = @tenant_id AND upload_id = @upload_id::uuid AND dataset_id IS NOT NULL;

-- UploadDatasetsSeen counts those of some datasets that the person of this
-- transaction sees.
-- name: UploadDatasetsSeen :one
SELECT count(*) FROM datasets WHERE tenant_id = @tenant_id AND dataset_id = ANY (@dataset_ids::uuid[]);

-- LoadInsert adds a load.
-- name: LoadInsert :exec
INSERT INTO loads (tenant_id, load_id, upload_id, dataset_id, dataset_name, job_id, user_id, filename, mode, options, state, seen_change, created_at)
VALUES (@tenant_id, @load_id, sqlc.narg(upload_id), sqlc.narg(dataset_id), @dataset_name, sqlc.narg(job_id), sqlc.narg(user_id), @filename, @mode, @options, @state, sqlc.narg(seen_change), @now);

-- LoadGet reads one.
-- name: LoadGet :one
SELECT load_id, upload_id, dataset_id, dataset_name, job_id, user_id, filename, mode, options, state, seen_change, version, report,
       rows_loaded, rows_rejected, rejects_key, error_code, error_text, created_at, finished_at
FROM loads WHERE tenant_id = @tenant_id AND load_id = @load_id;

-- LoadSetRunning says that a worker is at it.
-- name: LoadSetRunning :execrows
UPDATE loads SET state = 'running' WHERE tenant_id = @tenant_id AND load_id = @load_id AND state IN ('queued', 'running');

-- LoadSetDone closes a load in the transaction that changed the dataset; 0
-- when it was closed before.
-- name: LoadSetDone :execrows
UPDATE loads
SET state = 'done', dataset_id = @dataset_id::uuid, version = @version::bigint, report = @report, rows_loaded = @rows_loaded,
    rows_rejected = @rows_rejected, rejects_key = @rejects_key, finished_at = @now::timestamptz
WHERE tenant_id = @tenant_id AND load_id = @load_id AND state IN ('queued', 'running');

-- LoadSetFailed closes a load that changed nothing.
-- name: LoadSetFailed :execrows
UPDATE loads SET state = @state, error_code = @error_code, error_text = @error_text, finished_at = @now::timestamptz
WHERE tenant_id = @tenant_id AND load_id = @load_id AND state IN ('queued', 'running');

-- LoadListByDataset returns the latest first.
-- name: LoadListByDataset :many
SELECT load_id, upload_id, dataset_id, dataset_name, job_id, user_id, filename, mode, state, version,
       rows_loaded, rows_rejected, rejects_key, error_code, error_text, created_at, finished_at
FROM loads WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id::uuid
ORDER BY created_at DESC LIMIT @row_limit;

-- LoadKnown answers which of the given files are the rejects of a load.
-- name: LoadKnown :many
SELECT rejects_key FROM loads WHERE tenant_id = @tenant_id AND rejects_key = ANY (@keys::text[]);

-- LoadForgetRejects answers the rejects files of loads that ended before a
-- moment, and forgets them.
-- name: LoadForgetRejects :many
UPDATE loads AS l SET rejects_key = ''
FROM (SELECT old.tenant_id, old.load_id, old.rejects_key FROM loads old
      WHERE old.tenant_id = @tenant_id AND old.rejects_key <> '' AND old.finished_at < @before::timestamptz) AS o
WHERE l.tenant_id = o.tenant_id AND l.load_id = o.load_id AND l.tenant_id = @tenant_id
RETURNING o.rejects_key;
