-- Dashboards, their folders, their log of operations, and who opened them.

-- DashboardInsert adds a dashboard at revision 1, published unless it is a draft.
-- name: DashboardInsert :exec
INSERT INTO dashboards (tenant_id, dashboard_id, user_id, name, config, rev, folder_id, tags, search_text, created_at, updated_at,
    published_config, published_rev, published_at, unpublished, restricted)
VALUES (@tenant_id, @dashboard_id, sqlc.narg(user_id), @name, @config::jsonb, 1, sqlc.narg(folder_id), @tags, @search_text, @now::timestamptz, @now,
    CASE WHEN NOT @draft::boolean THEN @config END, CASE WHEN NOT @draft THEN 1 END, CASE WHEN NOT @draft THEN @now END, @draft, @restricted);

-- DashboardGet reads one that is not deleted, as a draft or as it was published.
-- name: DashboardGet :one
SELECT d.dashboard_id, d.user_id, (CASE WHEN @draft::boolean THEN COALESCE(d.draft_name, d.name) ELSE d.name END)::text AS name,
       d.rev, d.folder_id, d.tags, d.created_at, d.updated_at, d.unpublished, d.published_at,
       (CASE WHEN @draft OR d.unpublished THEN d.config ELSE COALESCE(d.published_config, d.config) END)::jsonb AS config,
       (CASE WHEN d.unpublished THEN 0 ELSE COALESCE(d.published_rev, d.rev) END)::bigint AS published_rev,
       (NOT d.unpublished AND d.draft_name IS NULL AND COALESCE(d.published_config = d.config, true))::boolean AS same,
       COALESCE(f.name, '')::text AS folder_name,
       (v.starred_at IS NOT NULL)::boolean AS starred, d.restricted, d.readers, d.writers
FROM dashboards d
LEFT JOIN folders f ON f.tenant_id = d.tenant_id AND f.folder_id = d.folder_id
LEFT JOIN dashboard_views v ON v.tenant_id = d.tenant_id AND v.dashboard_id = d.dashboard_id AND v.user_id = @viewer_id
WHERE d.tenant_id = @tenant_id AND d.dashboard_id = @dashboard_id AND d.deleted_at IS NULL;

-- DashboardLock reads what a change needs and holds the row until the end of
-- the transaction.
-- name: DashboardLock :one
SELECT COALESCE(draft_name, name)::text AS name, name AS published_name, config, rev, unpublished,
       COALESCE(published_config, config)::jsonb AS published_config, tags FROM dashboards
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NULL
FOR UPDATE;

-- DashboardSetContent stores the snapshot of the log. What was published so far
-- stays what viewers see; where that is the same, it is of this revision now.
-- name: DashboardSetContent :exec
UPDATE dashboards
SET published_config = CASE WHEN unpublished THEN NULL ELSE COALESCE(published_config, config) END,
    published_rev = CASE WHEN unpublished THEN NULL WHEN COALESCE(published_config, config) = @config::jsonb THEN @rev::bigint ELSE COALESCE(published_rev, rev) END,
    name = CASE WHEN unpublished THEN @name ELSE name END, draft_name = CASE WHEN unpublished THEN NULL ELSE NULLIF(@name::text, name) END,
    config = @config, rev = @rev, search_text = @search_text, updated_at = @now
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id;

-- DashboardShowName makes the draft's name the one that viewers see.
-- name: DashboardShowName :exec
UPDATE dashboards SET name = COALESCE(draft_name, name), draft_name = NULL, search_text = @search_text
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id;

-- DashboardPublish makes the draft what viewers see.
-- name: DashboardPublish :exec
UPDATE dashboards
SET name = COALESCE(draft_name, name), draft_name = NULL, published_config = config, published_rev = rev, published_at = @now::timestamptz, unpublished = false, search_text = @search_text
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id;

-- DashboardSetFolder moves a dashboard; without a folder it lies at the top.
-- name: DashboardSetFolder :execrows
UPDATE dashboards SET folder_id = sqlc.narg(folder_id)
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NULL;

-- DashboardSetTags replaces the tags.
-- name: DashboardSetTags :execrows
UPDATE dashboards SET tags = @tags, search_text = @search_text
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NULL;

-- DashboardDelete hides a dashboard; DashboardUndelete brings it back.
-- name: DashboardDelete :execrows
UPDATE dashboards SET deleted_at = @now
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NULL;

-- name: DashboardUndelete :execrows
UPDATE dashboards SET deleted_at = NULL
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NOT NULL;

-- DashboardPurge removes for good what was deleted before a moment.
-- name: DashboardPurge :execrows
DELETE FROM dashboards WHERE tenant_id = @tenant_id AND deleted_at < @before;

-- DashboardNamed finds a name as viewers see it and, for who edits, as a draft
-- has it.
-- name: DashboardNamed :many
SELECT d.dashboard_id
FROM dashboards d
WHERE d.tenant_id = @tenant_id AND d.deleted_at IS NULL
  AND (NOT d.unpublished OR (@drafts::boolean AND may_access(d.writers)))
  AND (d.name = @name OR (d.draft_name = @name AND @drafts::boolean AND may_access(d.writers)))
LIMIT 2;

-- DashboardList is the catalogue as the viewer sees it. Empty filters are off.
-- Every pattern of the search has to be found in names, widgets or fields.
-- name: DashboardList :many
SELECT d.dashboard_id, d.user_id, d.name, d.rev, d.folder_id, d.tags, d.created_at, d.updated_at, d.unpublished,
       COALESCE(d.published_config, d.config)::jsonb AS config,
       COALESCE(f.name, '')::text AS folder_name,
       (v.starred_at IS NOT NULL)::boolean AS starred,
       v.opened_at, d.restricted, d.readers, d.writers,
       COALESCE(u.name, '')::text AS owner_name, COALESCE(u.email, '')::text AS owner_email,
       EXISTS (SELECT 1 FROM dashboard_data_sources s
               JOIN datasets x ON x.tenant_id = s.tenant_id AND x.dataset_id = s.dataset_id
               JOIN dataset_versions y ON y.tenant_id = x.tenant_id AND y.dataset_id = x.dataset_id AND y.version = x.version AND y.live
               WHERE s.tenant_id = d.tenant_id AND s.dashboard_id = d.dashboard_id)::boolean AS live,
       (count(*) OVER ())::bigint AS matches
FROM dashboards d
LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.user_id = d.user_id
LEFT JOIN folders f ON f.tenant_id = d.tenant_id AND f.folder_id = d.folder_id
LEFT JOIN dashboard_views v ON v.tenant_id = d.tenant_id AND v.dashboard_id = d.dashboard_id AND v.user_id = @viewer_id
WHERE d.tenant_id = @tenant_id AND d.deleted_at IS NULL
  AND (NOT d.unpublished OR (@drafts::boolean AND may_access(d.writers)))
  AND (sqlc.narg(folder_id)::uuid IS NULL OR d.folder_id = sqlc.narg(folder_id))
  AND (sqlc.narg(owner_id)::uuid IS NULL OR d.user_id = sqlc.narg(owner_id))
  AND (@tag::text = '' OR d.tags @> ARRAY[@tag::text])
  AND (NOT @starred::boolean OR v.starred_at IS NOT NULL)
  AND (NOT @opened::boolean OR v.opened_at IS NOT NULL)
  AND (cardinality(@patterns::text[]) = 0 OR d.search_text LIKE ALL (@patterns::text[]))
ORDER BY
  CASE WHEN @sort::text = 'opened' THEN v.opened_at END DESC NULLS LAST,
  CASE WHEN @sort::text = 'name' THEN lower(d.name) END,
  CASE WHEN @sort::text = 'created' THEN d.created_at END DESC,
  d.updated_at DESC, d.dashboard_id
LIMIT @row_limit OFFSET @row_offset;

-- DashboardNames lists the dashboards that the viewer sees, by name.
-- name: DashboardNames :many
SELECT dashboard_id, name FROM dashboards
WHERE tenant_id = @tenant_id AND deleted_at IS NULL AND (NOT unpublished OR (@drafts::boolean AND may_access(writers)))
ORDER BY lower(name), dashboard_id LIMIT @row_limit;

-- DashboardCount is the number of dashboards that are not deleted.
-- name: DashboardCount :one
SELECT count(*)::bigint FROM dashboards WHERE tenant_id = @tenant_id AND deleted_at IS NULL AND (NOT unpublished OR (@drafts::boolean AND may_access(writers)));

-- DashboardTags lists the tags in use with the number of dashboards.
-- name: DashboardTags :many
SELECT tag::text AS tag, count(*)::bigint AS dashboards
FROM dashboards d, unnest(d.tags) AS tag
WHERE d.tenant_id = @tenant_id AND d.deleted_at IS NULL AND (NOT d.unpublished OR (@drafts::boolean AND may_access(d.writers)))
GROUP BY tag ORDER BY count(*) DESC, tag LIMIT 100;

-- DashboardOwners lists the people who own one.
-- name: DashboardOwners :many
SELECT u.user_id, u.name, u.email FROM users u
WHERE u.tenant_id = @tenant_id AND EXISTS (
    SELECT 1 FROM dashboards d WHERE d.tenant_id = @tenant_id AND d.user_id = u.user_id AND d.deleted_at IS NULL
      AND (NOT d.unpublished OR (@drafts::boolean AND may_access(d.writers))))
ORDER BY lower(u.name), u.email;

-- DashboardListByDataset lists the dashboards that ask a dataset.
-- name: DashboardListByDataset :many
SELECT d.dashboard_id, d.name
FROM dashboard_data_sources s
JOIN dashboards d ON d.tenant_id = s.tenant_id AND d.dashboard_id = s.dashboard_id
WHERE s.tenant_id = @tenant_id AND s.dataset_id = @dataset_id AND d.deleted_at IS NULL
ORDER BY lower(d.name), d.dashboard_id;

-- DashboardConfigsByDataset reads the configs of the dashboards that ask a
-- dataset, drafts and what viewers see.
-- name: DashboardConfigsByDataset :many
SELECT d.dashboard_id, d.name, d.config, d.published_config
FROM dashboard_data_sources s
JOIN dashboards d ON d.tenant_id = s.tenant_id AND d.dashboard_id = s.dashboard_id
WHERE s.tenant_id = @tenant_id AND s.dataset_id = @dataset_id AND d.deleted_at IS NULL
ORDER BY lower(d.name), d.dashboard_id;

-- DashboardOperationInsert appends to the log.
-- name: DashboardOperationInsert :exec
INSERT INTO dashboard_operations (tenant_id, dashboard_id, rev, op_id, path, before, after, user_id, at, change_id, undoes, schema, seen_rev)
VALUES (@tenant_id, @dashboard_id, @rev, @op_id, @path, sqlc.narg(before), sqlc.narg(after), sqlc.narg(user_id), @now, @change_id::uuid, sqlc.narg(undoes), @schema, sqlc.narg(seen_rev));

-- DashboardOperationFind tells which of these operations were applied already.
-- name: DashboardOperationFind :many
SELECT op_id, rev FROM dashboard_operations
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND op_id = ANY (@op_ids::uuid[]);

-- DashboardOperationList reads the log after a revision, oldest first; of a time
-- at the earliest where one is given.
-- name: DashboardOperationList :many
SELECT op_id, rev, path, before, after, user_id, at, COALESCE(change_id, op_id)::uuid AS change_id, undoes, schema, seen_rev FROM dashboard_operations
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND rev > @after_rev AND at >= COALESCE(sqlc.narg(since)::timestamptz, '-infinity')
ORDER BY rev LIMIT @row_limit;

-- DashboardChangeGet reads the operations of one change, oldest first.
-- name: DashboardChangeGet :many
SELECT op_id, rev, path, before, after, user_id, at, COALESCE(change_id, op_id)::uuid AS change_id, undoes, schema, seen_rev FROM dashboard_operations
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id
  AND (change_id = @change_id::uuid OR change_id IS NULL AND op_id = @change_id::uuid)
ORDER BY rev;

-- DashboardChangeExists tells whether the log has a change.
-- name: DashboardChangeExists :one
SELECT EXISTS (SELECT 1 FROM dashboard_operations
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND change_id = @change_id::uuid);

-- DashboardChangeBefore is the last change of one person before a revision, or
-- of all, besides the one that made the dashboard.
-- name: DashboardChangeBefore :one
SELECT COALESCE(change_id, op_id)::uuid AS change_id, undoes, rev FROM dashboard_operations
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id AND path <> ''
  AND rev < COALESCE(sqlc.narg(before_rev)::bigint, 9223372036854775807)
ORDER BY rev DESC LIMIT 1;

-- DashboardChangeStart is where a change of one person begins in the log, and
-- what it takes back.
-- name: DashboardChangeStart :one
SELECT rev, undoes FROM dashboard_operations
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND user_id = @user_id
  AND (change_id = @change_id::uuid OR change_id IS NULL AND op_id = @change_id::uuid)
ORDER BY rev LIMIT 1;

-- DashboardVersionInsert keeps the draft as a version and answers its number.
-- name: DashboardVersionInsert :one
INSERT INTO dashboard_versions (tenant_id, dashboard_id, number, rev, name, published, config, dashboard_name, user_id, created_at)
SELECT d.tenant_id, d.dashboard_id,
       (SELECT COALESCE(max(v.number), 0) + 1 FROM dashboard_versions v WHERE v.tenant_id = d.tenant_id AND v.dashboard_id = d.dashboard_id),
       d.rev, @name, @published, d.config, COALESCE(d.draft_name, d.name), sqlc.narg(user_id), @now
FROM dashboards d WHERE d.tenant_id = @tenant_id AND d.dashboard_id = @dashboard_id
RETURNING number;

-- DashboardVersionList lists versions, newest first.
-- name: DashboardVersionList :many
SELECT v.number, v.rev, v.name, v.published, v.config, COALESCE(v.dashboard_name, '')::text AS dashboard_name, v.created_at, COALESCE(NULLIF(u.name, ''), u.email, '')::text AS user_name,
       (count(*) OVER ())::bigint AS total
FROM dashboard_versions v
LEFT JOIN users u ON u.tenant_id = v.tenant_id AND u.user_id = v.user_id
WHERE v.tenant_id = @tenant_id AND v.dashboard_id = @dashboard_id
ORDER BY v.number DESC LIMIT @row_limit;

-- DashboardVersionGet reads one.
-- name: DashboardVersionGet :one
SELECT v.number, v.rev, v.name, v.published, v.config, COALESCE(v.dashboard_name, '')::text AS dashboard_name, v.created_at, COALESCE(NULLIF(u.name, ''), u.email, '')::text AS user_name
FROM dashboard_versions v
LEFT JOIN users u ON u.tenant_id = v.tenant_id AND u.user_id = v.user_id
WHERE v.tenant_id = @tenant_id AND v.dashboard_id = @dashboard_id AND v.number = @number;

-- DashboardVersionCount is the number of versions.
-- name: DashboardVersionCount :one
SELECT count(*)::bigint FROM dashboard_versions WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id;

-- WorkspaceOperationInsert appends to the workspace's log.
-- name: WorkspaceOperationInsert :exec
INSERT INTO workspace_operations (tenant_id, op_id, kind, object_id, before, after, user_id, undoes, at)
VALUES (@tenant_id, @op_id, @kind, @object_id, sqlc.narg(before), sqlc.narg(after), sqlc.narg(user_id), sqlc.narg(undoes), @now);

-- WorkspaceOperationBefore is the last of what one person did before another
-- entry, or of all.
-- name: WorkspaceOperationBefore :one
SELECT op_id, undoes FROM workspace_operations
WHERE tenant_id = @tenant_id AND user_id = @user_id
  AND op_id < COALESCE(sqlc.narg(before_id)::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY op_id DESC LIMIT 1;

-- WorkspaceOperationGet reads one.
-- name: WorkspaceOperationGet :one
SELECT op_id, kind, object_id, before, after, undoes FROM workspace_operations
WHERE tenant_id = @tenant_id AND user_id = @user_id AND op_id = @op_id;

-- PersonNames are the names of people of the workspace.
-- name: PersonNames :many
SELECT user_id, COALESCE(NULLIF(name, ''), email)::text AS name FROM users
WHERE tenant_id = @tenant_id AND user_id = ANY (@user_ids::uuid[]);

-- DashboardSourcesDelete and DashboardSourcesInsert derive the junction anew
-- in the transaction that changes the config. Ids of other workspaces and of
-- datasets that are gone find no row; one that the person may not see stays
-- where it was.
-- name: DashboardSourcesDelete :exec
DELETE FROM dashboard_data_sources
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND dataset_id <> ALL (@dataset_ids::uuid[]);

-- name: DashboardSourcesInsert :many
INSERT INTO dashboard_data_sources (tenant_id, dashboard_id, dataset_id, ds_id)
SELECT s.tenant_id, @dashboard_id, s.dataset_id, s.ds_id FROM datasets s
WHERE s.tenant_id = @tenant_id AND s.dataset_id = ANY (@dataset_ids::uuid[]) AND s.deleted_at IS NULL
ON CONFLICT (tenant_id, dashboard_id, dataset_id) DO UPDATE SET ds_id = excluded.ds_id
RETURNING dataset_id;

-- DashboardSourcesList lists what a dashboard asks.
-- name: DashboardSourcesList :many
SELECT dataset_id, ds_id FROM dashboard_data_sources
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id ORDER BY dataset_id;

-- DashboardViewOpened notes that a person opened a dashboard; at most once a
-- minute, so that reading a page hardly ever writes.
-- name: DashboardViewOpened :exec
INSERT INTO dashboard_views (tenant_id, user_id, dashboard_id, opened_at)
VALUES (@tenant_id, @user_id, @dashboard_id, @now)
ON CONFLICT (tenant_id, user_id, dashboard_id) DO UPDATE SET opened_at = EXCLUDED.opened_at
WHERE dashboard_views.opened_at IS NULL OR dashboard_views.opened_at < EXCLUDED.opened_at - interval '1 minute';

-- DashboardViewStar sets or takes off a star; a null moment takes it off.
-- name: DashboardViewStar :exec
INSERT INTO dashboard_views (tenant_id, user_id, dashboard_id, starred_at)
VALUES (@tenant_id, @user_id, @dashboard_id, sqlc.narg(starred_at))
ON CONFLICT (tenant_id, user_id, dashboard_id) DO UPDATE SET starred_at = EXCLUDED.starred_at;

-- DashboardDataTime is when the newest of these versions of datasets was made;
-- pairs are "<dataset id>:<version>".
-- name: DashboardDataTime :one
SELECT COALESCE(max(v.created_at), 'epoch')::timestamptz AS at
FROM dataset_versions v
WHERE v.tenant_id = @tenant_id AND v.dataset_id = ANY (@dataset_ids::uuid[])
  AND v.dataset_id::text || ':' || v.version::text = ANY (@pairs::text[]);

-- DashboardState names all that a dashboard's page depends on besides the
-- viewer's choices: its revision and place, and content and definition of the
-- datasets that it was last seen to ask. Equal texts, equal pages. It is read
-- with the session, so tenant and viewer are those that the transaction is
-- bound to, who may change it included; empty where there is no such dashboard
-- for them. Before the first unit separator stands the state of the view that
-- the viewer opens it with.
-- name: DashboardState :one
SELECT COALESCE((
    SELECT COALESCE((SELECT v.state FROM dashboard_saved_views v WHERE v.tenant_id = d.tenant_id AND v.dashboard_id = d.dashboard_id
            AND v.user_id = NULLIF(current_setting('app.user_id', true), '')::uuid AND v.is_default), '')
        || chr(31) || concat_ws('/', CASE WHEN d.unpublished THEN d.rev ELSE COALESCE(d.published_rev, d.rev) END, d.unpublished,
        d.rev <> COALESCE(d.published_rev, d.rev) AND d.published_config IS DISTINCT FROM d.config, d.name, d.tags, d.folder_id, may_access(d.writers),
        (SELECT f.name FROM folders f WHERE f.tenant_id = d.tenant_id AND f.folder_id = d.folder_id),
        EXISTS (SELECT 1 FROM dashboard_views v WHERE v.tenant_id = d.tenant_id AND v.dashboard_id = d.dashboard_id
            AND v.user_id = NULLIF(current_setting('app.user_id', true), '')::uuid AND v.starred_at IS NOT NULL),
        (SELECT string_agg(concat_ws('.', s.dataset_id, s.version, s.revision, s.layout, s.deleted_at IS NULL), ',' ORDER BY s.dataset_id)
            FROM datasets s WHERE s.tenant_id = d.tenant_id AND s.dataset_id = ANY (@dataset_ids::uuid[])))
    FROM dashboards d
    WHERE d.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
        AND d.dashboard_id = @dashboard_id AND d.deleted_at IS NULL), '')::text AS state;

-- FolderInsert adds a folder.
-- name: FolderInsert :exec
INSERT INTO folders (tenant_id, folder_id, parent_id, name, user_id, restricted, created_at)
VALUES (@tenant_id, @folder_id, sqlc.narg(parent_id), @name, sqlc.narg(user_id), @restricted, @now);

-- FolderRename changes the name.
-- name: FolderRename :execrows
UPDATE folders SET name = @name WHERE tenant_id = @tenant_id AND folder_id = @folder_id;

-- FolderMove puts a folder into another one, or to the top.
-- name: FolderMove :execrows
UPDATE folders SET parent_id = sqlc.narg(parent_id) WHERE tenant_id = @tenant_id AND folder_id = @folder_id;

-- FolderDelete takes the folder away; what is still in it then lies at the top.
-- name: FolderDelete :execrows
DELETE FROM folders WHERE tenant_id = @tenant_id AND folder_id = @folder_id;

-- FolderEmpty moves what lies in a folder to where the folder lies.
-- name: FolderEmpty :exec
WITH moved AS (UPDATE folders f SET parent_id = sqlc.narg(parent_id) WHERE f.tenant_id = @tenant_id AND f.parent_id = @folder_id)
UPDATE dashboards d SET folder_id = sqlc.narg(parent_id) WHERE d.tenant_id = @tenant_id AND d.folder_id = @folder_id;

-- FolderGet reads one.
-- name: FolderGet :one
SELECT folder_id, parent_id, name, user_id, restricted, readers, writers FROM folders WHERE tenant_id = @tenant_id AND folder_id = @folder_id;

-- FolderLock is FolderGet for somebody who may change the folder, and holds it
-- until the end of the transaction.
-- name: FolderLock :one
SELECT folder_id, parent_id, name, user_id, restricted, readers, writers FROM folders
WHERE tenant_id = @tenant_id AND folder_id = @folder_id FOR UPDATE;

-- FolderTreeLock keeps others from moving folders until the end of the
-- transaction, so that no two moves make a circle.
-- name: FolderTreeLock :exec
SELECT pg_advisory_xact_lock(hashtextextended(@tenant_id::text, 8));

-- FolderAncestors lists a folder and those that it lies in, the nearest first.
-- name: FolderAncestors :many
WITH RECURSIVE up AS (
    SELECT f.folder_id, f.parent_id, 1 AS depth FROM folders f WHERE f.tenant_id = @tenant_id AND f.folder_id = @folder_id
    UNION ALL
    SELECT p.folder_id, p.parent_id, up.depth + 1 FROM up JOIN folders p ON p.tenant_id = @tenant_id AND p.folder_id = up.parent_id
    WHERE up.depth < 64
)
SELECT folder_id::uuid AS folder_id FROM up ORDER BY depth;

-- FolderHeight is how many folders lie one in another below a folder, itself
-- included.
-- name: FolderHeight :one
WITH RECURSIVE down AS (
    SELECT f.folder_id, 1 AS depth FROM folders f WHERE f.tenant_id = @tenant_id AND f.folder_id = @folder_id
    UNION ALL
    SELECT c.folder_id, down.depth + 1 FROM down JOIN folders c ON c.tenant_id = @tenant_id AND c.parent_id = down.folder_id
    WHERE down.depth < 64
)
SELECT COALESCE(max(depth), 0)::integer AS height FROM down;

-- FolderList lists all with the number of their dashboards.
-- name: FolderList :many
SELECT f.folder_id, f.parent_id, f.name, f.restricted, f.readers, f.writers, count(d.dashboard_id)::bigint AS dashboards
FROM folders f
LEFT JOIN dashboards d ON d.tenant_id = f.tenant_id AND d.folder_id = f.folder_id AND d.deleted_at IS NULL
    AND (NOT d.unpublished OR (@drafts::boolean AND may_access(d.writers)))
WHERE f.tenant_id = @tenant_id
GROUP BY f.tenant_id, f.folder_id ORDER BY lower(f.name);

-- FolderRefill puts back what lay in a deleted folder and lies where that lay
-- since.
-- name: FolderRefill :exec
WITH moved AS (UPDATE folders f SET parent_id = @folder_id::uuid
    WHERE f.tenant_id = @tenant_id AND f.folder_id = ANY (@folder_ids::uuid[]) AND f.parent_id IS NOT DISTINCT FROM sqlc.narg(parent_id))
UPDATE dashboards d SET folder_id = @folder_id::uuid
WHERE d.tenant_id = @tenant_id AND d.dashboard_id = ANY (@dashboard_ids::uuid[]) AND d.folder_id IS NOT DISTINCT FROM sqlc.narg(parent_id);

-- FolderContent is a folder with what lies in it directly.
-- name: FolderContent :one
SELECT f.name, f.user_id, f.parent_id, f.restricted,
    ARRAY(SELECT d.dashboard_id FROM dashboards d WHERE d.tenant_id = f.tenant_id AND d.folder_id = f.folder_id ORDER BY d.dashboard_id)::uuid[] AS dashboard_ids,
    ARRAY(SELECT c.folder_id FROM folders c WHERE c.tenant_id = f.tenant_id AND c.parent_id = f.folder_id ORDER BY c.folder_id)::uuid[] AS folder_ids
FROM folders f WHERE f.tenant_id = @tenant_id AND f.folder_id = @folder_id
FOR UPDATE OF f;

-- ObjectName is the name of a dashboard, template or dataset, deleted or not, or
-- of a folder.
-- name: ObjectName :one
SELECT name FROM dashboards d WHERE d.tenant_id = @tenant_id AND d.dashboard_id = @object_id
UNION ALL
SELECT name FROM folders f WHERE f.tenant_id = @tenant_id AND f.folder_id = @object_id
UNION ALL
SELECT name FROM dashboard_templates t WHERE t.tenant_id = @tenant_id AND t.template_id = @object_id
UNION ALL
SELECT name FROM datasets s WHERE s.tenant_id = @tenant_id AND s.dataset_id = @object_id
LIMIT 1;

-- DashboardPlace is where a dashboard lies and how it is tagged.
-- name: DashboardPlace :one
SELECT folder_id, tags FROM dashboards
WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NULL FOR UPDATE;
