-- Views that people saved of dashboards: their filters under a name.

-- SavedViewList reads those of one person, by name.
-- name: SavedViewList :many
SELECT view_id, name, state, is_default FROM dashboard_saved_views
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id
ORDER BY name LIMIT @row_limit;

-- SavedViewPut keeps a state under a name; one of the same name is replaced.
-- name: SavedViewPut :one
INSERT INTO dashboard_saved_views (tenant_id, view_id, dashboard_id, user_id, name, state, created_at)
VALUES (@tenant_id, @view_id, @dashboard_id, @user_id, @name, @state, @now)
ON CONFLICT (tenant_id, dashboard_id, user_id, name) DO UPDATE SET state = EXCLUDED.state
RETURNING view_id;

-- SavedViewClearDefault has no view open with the dashboard.
-- name: SavedViewClearDefault :exec
UPDATE dashboard_saved_views SET is_default = false
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id AND is_default;

-- SavedViewSetDefault has one view open with the dashboard.
-- name: SavedViewSetDefault :execrows
UPDATE dashboard_saved_views SET is_default = true
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id AND view_id = @view_id;

-- name: SavedViewDelete :execrows
DELETE FROM dashboard_saved_views
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id AND view_id = @view_id;
