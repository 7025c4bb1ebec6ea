-- Datasets: definition, versions, segments, leases.

-- DatasetInsert adds a dataset without content.
-- name: DatasetInsert :exec
INSERT INTO datasets (tenant_id, dataset_id, ds_id, name, description, created_by, created_at, content_at)
VALUES (@tenant_id, @dataset_id, sqlc.narg(ds_id), @name, @description, sqlc.narg(created_by), @now, @now);

-- DatasetResolve finds a dataset by name, in any case, or by id; a name wins.
-- name: DatasetResolve :one
SELECT dataset_id FROM datasets
WHERE tenant_id = @tenant_id AND deleted_at IS NULL
  AND (lower(name) = lower(@name::text) OR dataset_id = @dataset_id)
ORDER BY (lower(name) = lower(@name::text)) DESC LIMIT 1;

-- DatasetGet reads one that is not deleted.
-- name: DatasetGet :one
SELECT dataset_id, ds_id, name, description, version, revision, layout, row_count, byte_count, segment_count,
       time_column, relative_to_newest, key_columns, next_column, created_by, created_at, content_at, restricted, readers, writers
FROM datasets
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NULL;

-- DatasetLock is DatasetGet, and holds the row until the end of the
-- transaction. Every change of a dataset begins with it.
-- name: DatasetLock :one
SELECT dataset_id, ds_id, name, description, version, revision, layout, row_count, byte_count, segment_count,
       time_column, relative_to_newest, key_columns, next_column, created_by, created_at, content_at, restricted, readers, writers
FROM datasets
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NULL
FOR UPDATE;

-- DatasetShare is DatasetGet, and keeps changes away until the end of the
-- transaction, so that all parts of a definition belong together.
-- name: DatasetShare :one
SELECT dataset_id, ds_id, name, description, version, revision, layout, row_count, byte_count, segment_count,
       time_column, relative_to_newest, key_columns, next_column, created_by, created_at, content_at, restricted, readers, writers
FROM datasets
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NULL
FOR SHARE;

-- DatasetList returns datasets by name, each with its latest load, who made it
-- and how many dashboards ask it. Uses loads_dataset_idx.
-- name: DatasetList :many
SELECT d.dataset_id, d.name, d.description, d.version, d.row_count, d.byte_count, d.created_at, d.content_at, d.restricted,
       (SELECT count(*) FROM dataset_columns c
        WHERE c.tenant_id = d.tenant_id AND c.dataset_id = d.dataset_id AND c.dropped_in IS NULL)::bigint AS columns,
       (SELECT count(*) FROM dashboard_data_sources s
        JOIN dashboards b ON b.tenant_id = s.tenant_id AND b.dashboard_id = s.dashboard_id AND b.deleted_at IS NULL
        WHERE s.tenant_id = d.tenant_id AND s.dataset_id = d.dataset_id)::bigint AS dashboards,
       EXISTS (SELECT 1 FROM dataset_versions v
               WHERE v.tenant_id = d.tenant_id AND v.dataset_id = d.dataset_id AND v.version = d.version AND v.live)::boolean AS live,
       d.created_by, COALESCE(NULLIF(u.name, ''), split_part(u.email, '@', 1), '')::text AS owner_name,
       COALESCE(l.load_id, '00000000-0000-0000-0000-000000000000')::uuid AS load_id, COALESCE(l.state, '')::text AS load_state, COALESCE(l.filename, '')::text AS load_filename,
       COALESCE(l.rows_rejected, 0)::bigint AS load_rejected
FROM datasets d
LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.user_id = d.created_by
LEFT JOIN LATERAL (SELECT x.load_id, x.state, x.filename, x.rows_rejected FROM loads x
                   WHERE x.tenant_id = d.tenant_id AND x.dataset_id = d.dataset_id AND x.state <> 'cancelled'
                   ORDER BY x.created_at DESC LIMIT 1) l ON true
WHERE d.tenant_id = @tenant_id AND d.deleted_at IS NULL
ORDER BY lower(d.name), d.dataset_id;

-- DatasetSearch finds datasets whose name or description has every pattern.
-- name: DatasetSearch :many
SELECT dataset_id, name, row_count FROM datasets
WHERE tenant_id = @tenant_id AND deleted_at IS NULL AND lower(name || ' ' || description) LIKE ALL (@patterns::text[])
ORDER BY lower(name), dataset_id LIMIT @row_limit;

-- ColumnSearch finds current columns. Every pattern has to be in their name,
-- their description or the name of their dataset, and one at least is theirs.
-- name: ColumnSearch :many
SELECT c.dataset_id, d.name AS dataset_name, c.column_id, c.name, c.type
FROM dataset_columns c
JOIN datasets d ON d.tenant_id = c.tenant_id AND d.dataset_id = c.dataset_id AND d.deleted_at IS NULL
WHERE c.tenant_id = @tenant_id AND c.dropped_in IS NULL
  AND lower(c.name || ' ' || c.description || ' ' || d.name) LIKE ALL (@patterns::text[])
  AND lower(c.name || ' ' || c.description) LIKE ANY (@patterns::text[])
ORDER BY lower(c.name), lower(d.name), c.dataset_id LIMIT @row_limit;

-- FieldSearch finds calculated fields as ColumnSearch finds columns.
-- name: FieldSearch :many
SELECT f.dataset_id, d.name AS dataset_name, f.name
FROM dataset_fields f
JOIN datasets d ON d.tenant_id = f.tenant_id AND d.dataset_id = f.dataset_id AND d.deleted_at IS NULL
WHERE f.tenant_id = @tenant_id
  AND lower(f.name || ' ' || f.description || ' ' || d.name) LIKE ALL (@patterns::text[])
  AND lower(f.name || ' ' || f.description) LIKE ANY (@patterns::text[])
ORDER BY lower(f.name), lower(d.name), f.dataset_id LIMIT @row_limit;

-- DatasetListDeleted returns what can still be brought back, latest first.
-- name: DatasetListDeleted :many
SELECT dataset_id, name, row_count, deleted_at FROM datasets
WHERE tenant_id = @tenant_id AND deleted_at IS NOT NULL
ORDER BY deleted_at DESC, dataset_id LIMIT 100;

-- DatasetSnapshot answers the current versions of the given datasets and of
-- the datasets that they look values up in.
-- name: DatasetSnapshot :many
SELECT d.dataset_id, d.version, d.revision, d.layout,
       (d.dataset_id <> ALL (@dataset_ids::uuid[]))::boolean AS target
FROM datasets d
WHERE d.tenant_id = @tenant_id AND d.deleted_at IS NULL
  AND (d.dataset_id = ANY (@dataset_ids::uuid[])
       OR d.dataset_id IN (SELECT l.target_id FROM dataset_lookups l
                           WHERE l.tenant_id = @tenant_id AND l.dataset_id = ANY (@dataset_ids::uuid[])));

-- DatasetBind is DatasetSnapshot for given versions, one a dataset in the same
-- order. asked is -1 for a dataset that was not given; kept tells whether the
-- version asked for can still be read.
-- name: DatasetBind :many
SELECT d.dataset_id, d.version, d.revision, d.layout,
       COALESCE((@versions::bigint[])[array_position(@dataset_ids::uuid[], d.dataset_id)], -1)::bigint AS asked,
       EXISTS (SELECT 1 FROM dataset_versions v
               WHERE v.tenant_id = d.tenant_id AND v.dataset_id = d.dataset_id AND v.expired_at IS NULL
                 AND v.version = (@versions::bigint[])[array_position(@dataset_ids::uuid[], d.dataset_id)])::boolean AS kept
FROM datasets d
WHERE d.tenant_id = @tenant_id AND d.deleted_at IS NULL
  AND (d.dataset_id = ANY (@dataset_ids::uuid[])
       OR d.dataset_id IN (SELECT l.target_id FROM dataset_lookups l
                           WHERE l.tenant_id = @tenant_id AND l.dataset_id = ANY (@dataset_ids::uuid[])));

-- DatasetSetContent moves a dataset to a new version.
-- name: DatasetSetContent :exec
UPDATE datasets
SET version = @version, revision = @revision, next_column = @next_column, time_column = @time_column,
    key_columns = @key_columns, row_count = @row_count, byte_count = @byte_count, segment_count = @segment_count,
    content_at = @now
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id;

-- DatasetSetLayout says that segments were merged.
-- name: DatasetSetLayout :exec
UPDATE datasets SET layout = layout + 1, byte_count = @byte_count, segment_count = @segment_count
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id;

-- DatasetSetSource names the source that the content came from.
-- name: DatasetSetSource :exec
UPDATE datasets SET ds_id = @ds_id WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id;

-- DatasetSetDetails changes what people edit.
-- name: DatasetSetDetails :exec
UPDATE datasets
SET name = @name, description = @description, time_column = @time_column,
    relative_to_newest = @relative_to_newest, key_columns = @key_columns, revision = revision + 1
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id;

-- DatasetRevise says that the definition changed.
-- name: DatasetRevise :exec
UPDATE datasets SET revision = revision + 1 WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id;

-- DatasetDelete hides a dataset; DatasetUndelete brings it back.
-- name: DatasetDelete :execrows
UPDATE datasets SET deleted_at = @now WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NULL;

-- name: DatasetUndelete :one
UPDATE datasets SET deleted_at = NULL
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NOT NULL
RETURNING version;

-- DatasetLockPurgeable holds the datasets that were deleted before a moment
-- until the end of the transaction. One that is being brought back, or that
-- somebody reads at this moment, is left for the next time.
-- name: DatasetLockPurgeable :many
SELECT d.dataset_id FROM datasets d
WHERE d.tenant_id = @tenant_id AND d.deleted_at < @before::timestamptz
  AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.tenant_id = d.tenant_id AND l.dataset_id = d.dataset_id AND l.expires_at > @now::timestamptz)
FOR UPDATE OF d SKIP LOCKED;

-- DatasetPurge removes a deleted dataset for good, with all that hangs on it.
-- name: DatasetPurge :execrows
DELETE FROM datasets WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NOT NULL;

-- ColumnInsert adds a column.
-- name: ColumnInsert :exec
INSERT INTO dataset_columns (tenant_id, dataset_id, column_id, name, type, "precision", scale, role, format, description, reading, "position", added_in)
VALUES (@tenant_id, @dataset_id, @column_id, @name, @type, @precision, @scale, @role, @format, @description, @reading, @position, @added_in);

-- ColumnList returns the columns that a version has, in order. Where two share
-- a name, the later one in the answer is the one that counts.
-- name: ColumnList :many
SELECT c.column_id, c.name, c.type, c."precision", c.scale, c.role, c.format, c.description, c.former_names, c.reading, c."position", c.added_in, c.dropped_in
FROM dataset_columns c
WHERE c.tenant_id = @tenant_id AND c.dataset_id = @dataset_id
  AND c.added_in <= @version::bigint AND (c.dropped_in IS NULL OR c.dropped_in > @version::bigint)
  AND NOT EXISTS (SELECT 1 FROM dataset_column_gaps g
                  WHERE g.tenant_id = c.tenant_id AND g.dataset_id = c.dataset_id AND g.column_id = c.column_id
                    AND g.dropped_in <= @version::bigint AND g.restored_in > @version::bigint)
ORDER BY c."position", c.column_id;

-- ColumnListLive returns the current columns in order.
-- name: ColumnListLive :many
SELECT column_id, name, type, "precision", scale, role, format, description, former_names, reading, "position", added_in, dropped_in
FROM dataset_columns
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND dropped_in IS NULL
ORDER BY "position", column_id;

-- ColumnListDropped returns the columns that a version has no more, those dropped
-- last first.
-- name: ColumnListDropped :many
SELECT name, former_names, dropped_in::bigint AS dropped_in
FROM dataset_columns
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND dropped_in <= @version::bigint
ORDER BY dataset_columns.dropped_in DESC, column_id DESC LIMIT 1000;

-- ColumnSetType widens a column, and says how files are read into it.
-- name: ColumnSetType :exec
UPDATE dataset_columns SET type = @type, "precision" = @precision, scale = @scale, reading = @reading
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND column_id = @column_id;

-- ColumnSetPosition moves a column.
-- name: ColumnSetPosition :exec
UPDATE dataset_columns SET "position" = @position
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND column_id = @column_id;

-- ColumnDrop takes a column out of a version and all later ones.
-- name: ColumnDrop :execrows
UPDATE dataset_columns SET dropped_in = @dropped_in::bigint
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND column_id = @column_id AND dropped_in IS NULL;

-- ColumnGapInsert remembers the versions that a dropped column was missing in,
-- before a version brings it back.
-- name: ColumnGapInsert :exec
INSERT INTO dataset_column_gaps (tenant_id, dataset_id, column_id, dropped_in, restored_in)
SELECT c.tenant_id, c.dataset_id, c.column_id, c.dropped_in, @restored_in::bigint FROM dataset_columns c
WHERE c.tenant_id = @tenant_id AND c.dataset_id = @dataset_id AND c.column_id = @column_id AND c.dropped_in < @restored_in::bigint;

-- ColumnRevive brings a dropped column back.
-- name: ColumnRevive :execrows
UPDATE dataset_columns SET dropped_in = NULL
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND column_id = @column_id;

-- ColumnSetDetails changes what people edit.
-- name: ColumnSetDetails :exec
UPDATE dataset_columns
SET name = @name, role = @role, format = @format, description = @description, former_names = @former_names
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND column_id = @column_id;

-- LookupList returns a dataset's lookups by name.
-- name: LookupList :many
SELECT l.name, l.column_id, l.target_id, l.key_column_id, t.name AS target_name, k.name AS key_name
FROM dataset_lookups l
JOIN datasets t ON t.tenant_id = l.tenant_id AND t.dataset_id = l.target_id
JOIN dataset_columns k ON k.tenant_id = l.tenant_id AND k.dataset_id = l.target_id AND k.column_id = l.key_column_id
WHERE l.tenant_id = @tenant_id AND l.dataset_id = @dataset_id AND t.deleted_at IS NULL
ORDER BY l.name;

-- LookupListTargeting returns the lookups that read from a dataset.
-- name: LookupListTargeting :many
SELECT l.dataset_id, d.name AS dataset_name, l.name, l.key_column_id
FROM dataset_lookups l
JOIN datasets d ON d.tenant_id = l.tenant_id AND d.dataset_id = l.dataset_id
WHERE l.tenant_id = @tenant_id AND l.target_id = @target_id AND d.deleted_at IS NULL
ORDER BY d.name, l.name;

-- LookupInsert adds a lookup.
-- name: LookupInsert :exec
INSERT INTO dataset_lookups (tenant_id, dataset_id, name, column_id, target_id, key_column_id)
VALUES (@tenant_id, @dataset_id, @name, @column_id, @target_id, @key_column_id);

-- LookupDelete removes one.
-- name: LookupDelete :execrows
DELETE FROM dataset_lookups WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND name = @name;

-- LookupMoveColumn makes lookups follow a column that a reload replaced.
-- name: LookupMoveColumn :exec
UPDATE dataset_lookups SET column_id = @new_column
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND column_id = @old_column;

-- LookupMoveKey makes lookups of other datasets follow a key column that a
-- reload replaced.
-- name: LookupMoveKey :exec
UPDATE dataset_lookups SET key_column_id = @new_column
WHERE tenant_id = @tenant_id AND target_id = @target_id AND key_column_id = @old_column;

-- LookupReviseOwners says to the datasets that look up in a target that their
-- definition changed.
-- name: LookupReviseOwners :exec
UPDATE datasets d SET revision = d.revision + 1
WHERE d.tenant_id = @tenant_id
  AND d.dataset_id IN (SELECT l.dataset_id FROM dataset_lookups l WHERE l.tenant_id = @tenant_id AND l.target_id = @target_id);

-- MeasureList returns a dataset's saved measures by name.
-- name: MeasureList :many
SELECT name, description, format, measure FROM dataset_measures
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id ORDER BY name;

-- MeasureSave adds or replaces one.
-- name: MeasureSave :exec
INSERT INTO dataset_measures (tenant_id, dataset_id, name, description, format, measure)
VALUES (@tenant_id, @dataset_id, @name, @description, @format, @measure)
ON CONFLICT (tenant_id, dataset_id, name) DO UPDATE
SET description = excluded.description, format = excluded.format, measure = excluded.measure;

-- MeasureDelete removes one.
-- name: MeasureDelete :execrows
DELETE FROM dataset_measures WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND name = @name;

-- FieldList returns a dataset's calculated fields by name.
-- name: FieldList :many
SELECT name, expression, description, format FROM dataset_fields
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id ORDER BY name;

-- FieldSave adds or replaces one.
-- name: FieldSave :exec
INSERT INTO dataset_fields (tenant_id, dataset_id, name, expression, description, format)
VALUES (@tenant_id, @dataset_id, @name, @expression, @description, @format)
ON CONFLICT (tenant_id, dataset_id, name) DO UPDATE
SET expression = excluded.expression, description = excluded.description, format = excluded.format;

-- FieldDelete removes one.
-- name: FieldDelete :execrows
DELETE FROM dataset_fields WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND name = @name;

-- VersionInsert records a change of content.
-- name: VersionInsert :exec
INSERT INTO dataset_versions (tenant_id, dataset_id, version, kind, created_at, user_id, row_count, byte_count, rows_written, load_id, note, live)
VALUES (@tenant_id, @dataset_id, @version, @kind, @now, sqlc.narg(user_id), @row_count, @byte_count, @rows_written, sqlc.narg(load_id), @note, @live);

-- VersionSupersede says since when a version is not the current one.
-- name: VersionSupersede :exec
UPDATE dataset_versions SET superseded_at = @now
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND version = @version;

-- VersionShare reads one that is kept, and keeps the sweeper away from it and
-- from its segments until the end of the transaction.
-- name: VersionShare :one
SELECT version, kind, created_at, user_id, row_count, byte_count, rows_written, load_id, note, live, superseded_at
FROM dataset_versions
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND version = @version AND expired_at IS NULL
FOR SHARE;

-- VersionList returns the kept ones, latest first. Of those that small live
-- appends made, only the ones after live_after.
-- name: VersionList :many
SELECT v.version, v.kind, v.created_at, v.user_id, v.row_count, v.byte_count, v.rows_written, v.load_id, v.note, v.live, v.superseded_at,
       COALESCE(u.name, '')::text AS user_name, COALESCE(l.filename, '')::text AS filename
FROM dataset_versions v
LEFT JOIN users u ON u.tenant_id = v.tenant_id AND u.user_id = v.user_id
LEFT JOIN loads l ON l.tenant_id = v.tenant_id AND l.load_id = v.load_id
WHERE v.tenant_id = @tenant_id AND v.dataset_id = @dataset_id AND v.expired_at IS NULL
  AND (NOT v.live OR v.version > @live_after::bigint)
ORDER BY v.version DESC LIMIT @row_limit;

-- VersionOnlyAppended tells whether all that came after a version was appended.
-- name: VersionOnlyAppended :one
SELECT (NOT EXISTS (SELECT 1 FROM dataset_versions
                    WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND version > @since::bigint AND kind <> 'append'))::boolean AS only_appended;

-- VersionHasCheckpoint tells whether a version with the long keeping time was
-- made after a moment.
-- name: VersionHasCheckpoint :one
SELECT EXISTS (SELECT 1 FROM dataset_versions
               WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND NOT live AND created_at > @since::timestamptz)::boolean AS found;

-- VersionLockExpirable holds versions that were superseded for longer than
-- their keeping time. One that is being read, restored or leased at this moment
-- is left for the next time.
-- name: VersionLockExpirable :many
SELECT v.dataset_id, v.version FROM dataset_versions v
WHERE v.tenant_id = @tenant_id AND v.expired_at IS NULL
  AND v.superseded_at < CASE WHEN v.live THEN @live_before::timestamptz ELSE @before::timestamptz END
FOR UPDATE SKIP LOCKED;

-- VersionExpire marks held versions that are not leased as no longer kept. It
-- has to be a statement after the one that held them: a lease that was taken
-- just before is seen by none earlier.
-- name: VersionExpire :execrows
UPDATE dataset_versions v SET expired_at = @now
FROM (SELECT unnest(@dataset_ids::uuid[]) AS dataset_id, unnest(@versions::bigint[]) AS version) AS held
WHERE v.tenant_id = @tenant_id AND v.dataset_id = held.dataset_id AND v.version = held.version
  AND NOT EXISTS (SELECT 1 FROM leases l
                  WHERE l.tenant_id = v.tenant_id AND l.dataset_id = v.dataset_id AND l.version = v.version AND l.expires_at > @now);

-- VersionPrune forgets expired versions after their time in the history.
-- name: VersionPrune :execrows
DELETE FROM dataset_versions
WHERE tenant_id = @tenant_id AND expired_at < CASE WHEN live THEN @live_before::timestamptz ELSE @before::timestamptz END;

-- SegmentInsert adds a segment to a version and all later ones.
-- name: SegmentInsert :exec
INSERT INTO segments (tenant_id, segment_id, dataset_id, key, row_count, byte_count, stats, sample_key, sample_rows, created_at, added_in)
VALUES (@tenant_id, @segment_id, @dataset_id, @key, @row_count, @byte_count, @stats, @sample_key, @sample_rows, @now, @added_in);

-- SegmentList returns the segments of a version in the order they were made.
-- name: SegmentList :many
SELECT segment_id, key, row_count, byte_count, stats, sample_key, sample_rows, added_in
FROM segments
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id
  AND added_in <= @version::bigint AND (removed_in IS NULL OR removed_in > @version::bigint)
ORDER BY segment_id;

-- SegmentListLive returns the current segments in the order they were made.
-- name: SegmentListLive :many
SELECT segment_id, key, row_count, byte_count, stats, sample_key, sample_rows, added_in
FROM segments
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND removed_in IS NULL
ORDER BY segment_id;

-- SegmentTotals sums the current segments up; small counts those that a merge
-- would take first.
-- name: SegmentTotals :one
SELECT COALESCE(sum(row_count), 0)::bigint AS row_count, COALESCE(sum(byte_count), 0)::bigint AS byte_count,
       count(*)::integer AS segments, (count(*) FILTER (WHERE row_count < @small_rows::bigint))::integer AS small
FROM segments
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND removed_in IS NULL;

-- SegmentRemove takes segments out of a version and all later ones. It answers
-- how many of them were still there: fewer than asked means that somebody else
-- took them.
-- name: SegmentRemove :execrows
UPDATE segments SET removed_in = @version::bigint, removed_at = @now::timestamptz
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND removed_in IS NULL AND segment_id = ANY (@segment_ids::uuid[]);

-- SegmentRemoveAll takes all segments out of a version and all later ones.
-- name: SegmentRemoveAll :execrows
UPDATE segments SET removed_in = @version::bigint, removed_at = @now::timestamptz
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND removed_in IS NULL;

-- SegmentSweep forgets segments that no kept version has, with a grace for
-- queries that are reading them. Readers of the answer put the files among the
-- garbage.
-- name: SegmentSweep :many
DELETE FROM segments s
WHERE s.tenant_id = @tenant_id AND s.removed_at < @before::timestamptz
  AND NOT EXISTS (SELECT 1 FROM dataset_versions v
                  WHERE v.tenant_id = s.tenant_id AND v.dataset_id = s.dataset_id AND v.expired_at IS NULL
                    AND v.version >= s.added_in AND v.version < s.removed_in)
RETURNING s.key, s.sample_key;

-- SegmentTake forgets all segments of a dataset that is purged.
-- name: SegmentTake :many
DELETE FROM segments WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id RETURNING key, sample_key;

-- SegmentKnown answers which of the given files are referenced.
-- name: SegmentKnown :many
SELECT key::text AS key FROM segments s1 WHERE s1.tenant_id = @tenant_id AND s1.key = ANY (@keys::text[])
UNION
SELECT sample_key::text FROM segments s2 WHERE s2.tenant_id = @tenant_id AND s2.sample_key = ANY (@keys::text[]) AND s2.sample_key <> '';

-- GarbageInsert puts files among the garbage.
-- name: GarbageInsert :exec
INSERT INTO segment_garbage (tenant_id, key, delete_after)
SELECT @tenant_id, unnest(@keys::text[]), @delete_after
ON CONFLICT (tenant_id, key) DO NOTHING;

-- GarbageListDue returns files whose time has come.
-- name: GarbageListDue :many
SELECT key FROM segment_garbage WHERE tenant_id = @tenant_id AND delete_after < @now::timestamptz
ORDER BY delete_after LIMIT @row_limit;

-- GarbageKnown answers which of the given files wait among the garbage.
-- name: GarbageKnown :many
SELECT key FROM segment_garbage WHERE tenant_id = @tenant_id AND key = ANY (@keys::text[]);

-- GarbageDelete forgets files that were deleted.
-- name: GarbageDelete :exec
DELETE FROM segment_garbage WHERE tenant_id = @tenant_id AND key = ANY (@keys::text[]);

-- LeaseInsert spares the kept version of a dataset from the sweeper. It
-- answers 0 when that version is no longer kept.
-- name: LeaseInsert :execrows
INSERT INTO leases (tenant_id, lease_id, dataset_id, version, purpose, created_at, expires_at)
SELECT v.tenant_id, @lease_id::uuid, v.dataset_id, v.version, @purpose::text, @now::timestamptz, @expires_at::timestamptz
FROM dataset_versions v
WHERE v.tenant_id = @tenant_id AND v.dataset_id = @dataset_id AND v.version = @version AND v.expired_at IS NULL
FOR SHARE;

-- LeaseExtend prolongs one.
-- name: LeaseExtend :execrows
UPDATE leases SET expires_at = @expires_at WHERE tenant_id = @tenant_id AND lease_id = @lease_id;

-- LeaseDelete ends one.
-- name: LeaseDelete :execrows
DELETE FROM leases WHERE tenant_id = @tenant_id AND lease_id = @lease_id;

-- LeasePrune forgets those that ran out.
-- name: LeasePrune :execrows
DELETE FROM leases WHERE tenant_id = @tenant_id AND expires_at < @before::timestamptz;

-- AppendGet answers what an earlier append with the same key did.
-- name: AppendGet :one
SELECT version, row_count FROM dataset_appends
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND append_key = @append_key;

-- AppendInsert remembers the key of an append; 0 when it is known.
-- name: AppendInsert :execrows
INSERT INTO dataset_appends (tenant_id, dataset_id, append_key, version, row_count, created_at)
VALUES (@tenant_id, @dataset_id, @append_key, @version, @row_count, @now)
ON CONFLICT (tenant_id, dataset_id, append_key) DO NOTHING;

-- AppendPrune forgets old keys.
-- name: AppendPrune :execrows
DELETE FROM dataset_appends WHERE tenant_id = @tenant_id AND created_at < @before::timestamptz;

-- ProfileGet reads the profile of one version.
-- name: ProfileGet :one
SELECT profile, created_at FROM dataset_profiles
WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND version = @version AND revision = @revision;

-- ProfileSave keeps the profile of one version instead of the last one.
-- name: ProfileSave :exec
INSERT INTO dataset_profiles (tenant_id, dataset_id, version, revision, profile, created_at)
VALUES (@tenant_id, @dataset_id, @version, @revision, @profile, @now)
ON CONFLICT (tenant_id, dataset_id) DO UPDATE
SET version = excluded.version, revision = excluded.revision, profile = excluded.profile, created_at = excluded.created_at
WHERE dataset_profiles.version <= excluded.version;
