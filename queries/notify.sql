-- What people are told of, and how they want to be.

-- NotifyPeople lists the people of the workspace, all or those named, who may
-- see an object; without one, all. in_app and by_mail are null where somebody
-- has chosen nothing for the kind.
-- name: NotifyPeople :many
SELECT u.user_id, COALESCE(NULLIF(u.name, ''), u.email)::text AS name, u.email, u.locale, s.in_app, s.by_mail
FROM users u
LEFT JOIN dashboards d ON d.tenant_id = u.tenant_id AND d.dashboard_id = sqlc.narg(dashboard_id) AND d.deleted_at IS NULL
LEFT JOIN datasets t ON t.tenant_id = u.tenant_id AND t.dataset_id = sqlc.narg(dataset_id) AND t.deleted_at IS NULL
LEFT JOIN notification_settings s ON s.tenant_id = u.tenant_id AND s.user_id = u.user_id AND s.kind = @kind
WHERE u.tenant_id = @tenant_id AND u.removed_at IS NULL AND (sqlc.narg(user_ids)::uuid[] IS NULL OR u.user_id = ANY (sqlc.narg(user_ids)::uuid[]))
  AND (sqlc.narg(dashboard_id)::uuid IS NULL OR d.dashboard_id IS NOT NULL
       AND CASE WHEN d.published_config IS NULL THEN u.role <> 'viewer' AND is_among(d.writers, u.tenant_id, u.user_id, u.role)
           ELSE is_among(d.readers, u.tenant_id, u.user_id, u.role) END)
  AND (sqlc.narg(dataset_id)::uuid IS NULL OR t.dataset_id IS NOT NULL AND is_among(t.readers, u.tenant_id, u.user_id, u.role))
ORDER BY lower(COALESCE(NULLIF(u.name, ''), u.email)), u.user_id;

-- NotificationInsert tells one person of one event, once.
-- name: NotificationInsert :execrows
INSERT INTO notifications (tenant_id, notification_id, user_id, event_id, kind, actor_id, dashboard_id, dataset_id, subject, excerpt, path, in_app, created_at)
VALUES (@tenant_id, @notification_id, @user_id, @event_id, @kind, sqlc.narg(actor_id), sqlc.narg(dashboard_id), sqlc.narg(dataset_id), @subject, @excerpt, @path, @in_app, @now)
ON CONFLICT (tenant_id, event_id, user_id) DO NOTHING;

-- NotificationForget takes back what was told of an event.
-- name: NotificationForget :many
DELETE FROM notifications WHERE tenant_id = @tenant_id AND event_id = @event_id RETURNING user_id;

-- NotificationList lists a person's newest.
-- name: NotificationList :many
SELECT n.notification_id, n.kind, n.subject, n.excerpt, n.path, n.created_at, n.read_at, COALESCE(NULLIF(a.name, ''), a.email, '')::text AS actor
FROM notifications n LEFT JOIN users a ON a.tenant_id = n.tenant_id AND a.user_id = n.actor_id
WHERE n.tenant_id = @tenant_id AND n.user_id = @user_id AND n.in_app AND (NOT @unread_only::boolean OR n.read_at IS NULL)
ORDER BY n.created_at DESC, n.notification_id DESC LIMIT @row_limit;

-- NotificationUnread counts what a person has not read.
-- name: NotificationUnread :one
SELECT count(*)::bigint FROM notifications WHERE tenant_id = @tenant_id AND user_id = @user_id AND in_app AND read_at IS NULL;

-- NotificationRead marks one as read and answers where it leads.
-- name: NotificationRead :one
UPDATE notifications SET read_at = COALESCE(read_at, @now)
WHERE tenant_id = @tenant_id AND user_id = @user_id AND notification_id = @notification_id AND in_app RETURNING path;

-- name: NotificationReadAll :execrows
UPDATE notifications SET read_at = @now WHERE tenant_id = @tenant_id AND user_id = @user_id AND read_at IS NULL;

-- name: NotificationPrune :execrows
DELETE FROM notifications WHERE tenant_id = @tenant_id AND created_at < now() - make_interval(secs => @keep_seconds);

-- name: NotificationSettings :many
SELECT kind, in_app, by_mail FROM notification_settings WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: NotificationSettingPut :exec
INSERT INTO notification_settings (tenant_id, user_id, kind, in_app, by_mail) VALUES (@tenant_id, @user_id, @kind, @in_app, @by_mail)
ON CONFLICT (tenant_id, user_id, kind) DO UPDATE SET in_app = EXCLUDED.in_app, by_mail = EXCLUDED.by_mail;
