-- Reports: what was asked, how far it is, and where its file lies.

-- ReportInsert adds one that waits for its job.
-- name: ReportInsert :exec
INSERT INTO reports (tenant_id, report_id, dashboard_id, dataset_id, user_id, visitor_id, format, link_query, name, spec, job_id, created_at)
VALUES (@tenant_id, @report_id, sqlc.narg(dashboard_id), sqlc.narg(dataset_id), sqlc.narg(user_id), sqlc.narg(visitor_id), @format, @link_query, @name, @spec, @job_id::uuid, @now);

-- ReportGet reads one.
-- name: ReportGet :one
SELECT report_id, dashboard_id, dataset_id, user_id, visitor_id, format, status, name, spec, stated, download_url, error_code, error_text, job_id, created_at, completed_at, expires_at
FROM reports WHERE tenant_id = @tenant_id AND report_id = @report_id;

-- ReportListByUser returns a person's newest reports; uses reports_user_idx.
-- name: ReportListByUser :many
SELECT report_id, dashboard_id, dataset_id, user_id, visitor_id, format, status, name, spec, stated, download_url, error_code, error_text, job_id, created_at, completed_at, expires_at
FROM reports WHERE tenant_id = @tenant_id AND user_id = @user_id::uuid
ORDER BY created_at DESC LIMIT @row_limit;

-- ReportSetRunning says that a worker is at it; 0 rows where it is over.
-- name: ReportSetRunning :execrows
UPDATE reports SET status = 'Running' WHERE tenant_id = @tenant_id AND report_id = @report_id AND status IN ('Pending', 'Running');

-- ReportSetCompleted keeps where the file is.
-- name: ReportSetCompleted :execrows
UPDATE reports SET status = 'Completed', download_url = @download_url, name = @name, stated = @stated, completed_at = @now, expires_at = @expires_at,
       error_code = '', error_text = ''
WHERE tenant_id = @tenant_id AND report_id = @report_id AND status IN ('Pending', 'Running');

-- ReportSetFailed keeps why there is no file.
-- name: ReportSetFailed :execrows
UPDATE reports SET status = @status, error_code = @error_code, error_text = @error_text, completed_at = @now
WHERE tenant_id = @tenant_id AND report_id = @report_id AND status IN ('Pending', 'Running');

-- ReportListExpired returns files that are kept no longer; uses reports_expiry_idx.
-- name: ReportListExpired :many
SELECT report_id, download_url FROM reports
WHERE tenant_id = @tenant_id AND expires_at < @now::timestamptz AND download_url <> ''
ORDER BY expires_at LIMIT @row_limit;

-- ReportSetExpired says that the file is gone.
-- name: ReportSetExpired :exec
UPDATE reports SET download_url = '' WHERE tenant_id = @tenant_id AND report_id = @report_id;
