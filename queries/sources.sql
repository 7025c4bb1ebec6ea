-- Where data comes from. connection is sealed by the tenant's keyset.

-- SourceInsert adds a source.
-- name: SourceInsert :exec
INSERT INTO data_sources (tenant_id, ds_id, name, type, connection, created_by, created_at, last_updated)
VALUES (@tenant_id, @ds_id, @name, @type, @connection, sqlc.narg(created_by), @now, @now);

-- SourceGet reads one.
-- name: SourceGet :one
SELECT ds_id, name, type, connection, created_by, created_at, last_updated
FROM data_sources WHERE tenant_id = @tenant_id AND ds_id = @ds_id;

-- SourceList returns the latest used first.
-- name: SourceList :many
SELECT s.ds_id, s.name, s.type, s.created_at, s.last_updated,
       (SELECT count(*) FROM datasets d WHERE d.tenant_id = s.tenant_id AND d.ds_id = s.ds_id AND d.deleted_at IS NULL)::bigint AS datasets
FROM data_sources s WHERE s.tenant_id = @tenant_id
ORDER BY s.last_updated DESC, s.ds_id LIMIT @row_limit;

-- SourceTouch says that data came from a source just now, and from which file
-- or place.
-- name: SourceTouch :execrows
UPDATE data_sources SET last_updated = @now, type = @type, connection = @connection
WHERE tenant_id = @tenant_id AND ds_id = @ds_id;
