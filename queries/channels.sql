-- Channels besides mail.

-- name: ChannelInsert :exec
INSERT INTO channels (tenant_id, channel_id, name, kind, shown, sealed, created_by) VALUES (@tenant_id, @channel_id, @name, @kind, @shown, @sealed, sqlc.narg(created_by));

-- name: ChannelGet :one
SELECT channel_id, name, kind, shown, sealed FROM channels WHERE tenant_id = @tenant_id AND channel_id = @channel_id;

-- ChannelList reads all by name, without what is sealed.
-- name: ChannelList :many
SELECT channel_id, name, kind, shown, created_at FROM channels WHERE tenant_id = @tenant_id ORDER BY lower(name), channel_id LIMIT 500;

-- name: ChannelDelete :execrows
DELETE FROM channels WHERE tenant_id = @tenant_id AND channel_id = @channel_id;
