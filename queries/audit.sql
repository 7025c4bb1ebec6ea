-- name: AuditInsert :exec
INSERT INTO audit_events (tenant_id, audit_id, actor_kind, user_id, action, target_kind, target_id, detail)
VALUES (@tenant_id, @audit_id, @actor_kind, @user_id, @action, @target_kind, @target_id, @detail);

-- AuditList is one page, newest first, after the entry of the page before.
-- name: AuditList :many
SELECT audit_id, at, actor_kind, user_id, action, target_kind, target_id, detail FROM audit_events
WHERE tenant_id = @tenant_id AND audit_id < @before ORDER BY audit_id DESC LIMIT @row_limit;
