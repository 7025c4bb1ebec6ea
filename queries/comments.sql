-- Comments on dashboards and their widgets.

-- CommentThreads lists the threads of a dashboard, or of one of its widgets,
-- newest first. Threads without a comment that can be seen are left out;
-- comments deleted after undo_from are still there for who wrote them.
-- name: CommentThreads :many
SELECT t.thread_id, t.widget_id, t.state, t.created_at, t.resolved_at, COALESCE(NULLIF(r.name, ''), r.email, '')::text AS resolved_by
FROM comment_threads t LEFT JOIN users r ON r.tenant_id = t.tenant_id AND r.user_id = t.resolved_by
WHERE t.tenant_id = @tenant_id AND t.dashboard_id = @dashboard_id
  AND (sqlc.narg(widget_id)::text IS NULL OR t.widget_id = sqlc.narg(widget_id)) AND (t.resolved_at IS NOT NULL) = @resolved::boolean
  AND EXISTS (SELECT 1 FROM comments c WHERE c.tenant_id = t.tenant_id AND c.thread_id = t.thread_id
              AND (c.deleted_at IS NULL OR c.user_id = @viewer_id AND c.deleted_at > @undo_from))
ORDER BY t.created_at DESC, t.thread_id LIMIT @row_limit;

-- CommentList lists the comments of threads, oldest first.
-- name: CommentList :many
SELECT c.comment_id, c.thread_id, c.user_id, c.text, c.mentions, c.created_at, c.edited_at, c.deleted_at, c.seen_as,
       COALESCE(NULLIF(u.name, ''), u.email)::text AS author
FROM comments c JOIN users u ON u.tenant_id = c.tenant_id AND u.user_id = c.user_id
WHERE c.tenant_id = @tenant_id AND c.thread_id = ANY (@thread_ids::uuid[])
  AND (c.deleted_at IS NULL OR c.user_id = @viewer_id AND c.deleted_at > @undo_from)
ORDER BY c.created_at, c.comment_id;

-- CommentOpen counts the open threads of each widget of a dashboard.
-- name: CommentOpen :many
SELECT t.widget_id, count(*)::bigint AS threads FROM comment_threads t
WHERE t.tenant_id = @tenant_id AND t.dashboard_id = @dashboard_id AND t.resolved_at IS NULL
  AND EXISTS (SELECT 1 FROM comments c WHERE c.tenant_id = t.tenant_id AND c.thread_id = t.thread_id AND c.deleted_at IS NULL)
GROUP BY t.widget_id ORDER BY t.widget_id;

-- CommentThread reads a thread of a dashboard and has other writers wait.
-- name: CommentThread :one
SELECT widget_id, state, (SELECT count(*) FROM comments c WHERE c.tenant_id = t.tenant_id AND c.thread_id = t.thread_id)::bigint AS comments
FROM comment_threads t WHERE t.tenant_id = @tenant_id AND t.dashboard_id = @dashboard_id AND t.thread_id = @thread_id FOR UPDATE;

-- CommentThreadPeople lists who wrote in a thread.
-- name: CommentThreadPeople :many
SELECT DISTINCT user_id FROM comments WHERE tenant_id = @tenant_id AND thread_id = @thread_id AND deleted_at IS NULL;

-- name: CommentThreadInsert :exec
INSERT INTO comment_threads (tenant_id, thread_id, dashboard_id, widget_id, state, created_at)
VALUES (@tenant_id, @thread_id, @dashboard_id, @widget_id, @state, @now);

-- name: CommentInsert :exec
INSERT INTO comments (tenant_id, comment_id, thread_id, user_id, text, mentions, seen_as, created_at)
VALUES (@tenant_id, @comment_id, @thread_id, @user_id, @text, @mentions, @seen_as, @now);

-- CommentRuled tells whether rules limit what anybody sees of these datasets, or
-- of those that they look up in.
-- name: CommentRuled :one
SELECT EXISTS (SELECT 1 FROM dataset_rules r WHERE r.tenant_id = @tenant_id AND (r.dataset_id = ANY (@dataset_ids::uuid[])
    OR r.dataset_id IN (SELECT l.target_id FROM dataset_lookups l WHERE l.tenant_id = @tenant_id AND l.dataset_id = ANY (@dataset_ids::uuid[]))))::boolean AS ruled;

-- CommentGet reads one of a dashboard.
-- name: CommentGet :one
SELECT c.thread_id, c.user_id, c.deleted_at, t.widget_id FROM comments c JOIN comment_threads t ON t.tenant_id = c.tenant_id AND t.thread_id = c.thread_id
WHERE c.tenant_id = @tenant_id AND t.dashboard_id = @dashboard_id AND c.comment_id = @comment_id;

-- name: CommentEdit :exec
UPDATE comments SET text = @text, mentions = @mentions, seen_as = @seen_as, edited_at = @now WHERE tenant_id = @tenant_id AND comment_id = @comment_id;

-- CommentDelete takes a comment away, CommentRestore brings it back.
-- name: CommentDelete :exec
UPDATE comments SET deleted_at = @now WHERE tenant_id = @tenant_id AND comment_id = @comment_id AND deleted_at IS NULL;

-- name: CommentRestore :exec
UPDATE comments SET deleted_at = NULL WHERE tenant_id = @tenant_id AND comment_id = @comment_id;

-- CommentResolve closes a thread, or with a null time opens it again.
-- name: CommentResolve :exec
UPDATE comment_threads SET resolved_at = sqlc.narg(now), resolved_by = sqlc.narg(resolved_by) WHERE tenant_id = @tenant_id AND thread_id = @thread_id;
