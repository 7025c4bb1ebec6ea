-- Who may see and change what: grants, groups of people.

-- GrantList lists the grants on an object with the names of who has them.
-- name: GrantList :many
SELECT g.subject_id, g.user_id, g.group_id, g.role, g.edit,
       COALESCE(NULLIF(u.name, ''), u.email, p.name, '')::text AS name, COALESCE(u.email, '')::text AS email,
       COALESCE(u.role::text, '')::text AS user_role,
       (SELECT count(*) FROM user_group_members m JOIN users w ON w.tenant_id = m.tenant_id AND w.user_id = m.user_id AND w.removed_at IS NULL
        WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id)::bigint AS members
FROM access_grants g
LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.user_id = g.user_id
LEFT JOIN user_groups p ON p.tenant_id = g.tenant_id AND p.group_id = g.group_id
WHERE g.tenant_id = @tenant_id AND g.object_id = @object_id AND (g.user_id IS NULL OR u.removed_at IS NULL)
ORDER BY (g.role IS NULL), (g.group_id IS NULL), lower(COALESCE(NULLIF(u.name, ''), u.email, p.name, '')), g.subject_id;

-- GrantSave adds or changes one. One of the three objects and one of the three
-- kinds of subject is given.
-- name: GrantSave :exec
INSERT INTO access_grants (tenant_id, object_id, subject_id, folder_id, dashboard_id, dataset_id, user_id, group_id, role, edit)
VALUES (@tenant_id, @object_id, @subject_id, sqlc.narg(folder_id), sqlc.narg(dashboard_id), sqlc.narg(dataset_id), sqlc.narg(user_id), sqlc.narg(group_id), sqlc.narg(role), @edit)
ON CONFLICT (tenant_id, object_id, subject_id) DO UPDATE SET edit = excluded.edit;

-- GrantDelete takes one away.
-- name: GrantDelete :execrows
DELETE FROM access_grants WHERE tenant_id = @tenant_id AND object_id = @object_id AND subject_id = @subject_id;

-- FolderRestrict, DashboardRestrict and DatasetRestrict say whether only those
-- with a grant see an object.
-- name: FolderRestrict :execrows
UPDATE folders SET restricted = @restricted WHERE tenant_id = @tenant_id AND folder_id = @folder_id;

-- name: DashboardRestrict :execrows
UPDATE dashboards SET restricted = @restricted WHERE tenant_id = @tenant_id AND dashboard_id = @dashboard_id AND deleted_at IS NULL;

-- name: DatasetRestrict :execrows
UPDATE datasets SET restricted = @restricted WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND deleted_at IS NULL;

-- SharedFolder, SharedDashboard and SharedDataset are how an object is shared.
-- name: SharedFolder :one
SELECT f.name, f.parent_id AS folder_id, f.user_id AS owner_id, f.restricted, f.readers, f.writers,
       COALESCE(NULLIF(u.name, ''), u.email, '')::text AS owner_name
FROM folders f LEFT JOIN users u ON u.tenant_id = f.tenant_id AND u.user_id = f.user_id
WHERE f.tenant_id = @tenant_id AND f.folder_id = @folder_id;

-- name: SharedDashboard :one
SELECT d.name, d.folder_id, d.user_id AS owner_id, d.restricted, d.readers, d.writers, may_access(d.writers)::boolean AS changeable,
       COALESCE(NULLIF(u.name, ''), u.email, '')::text AS owner_name
FROM dashboards d LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.user_id = d.user_id
WHERE d.tenant_id = @tenant_id AND d.dashboard_id = @dashboard_id AND d.deleted_at IS NULL;

-- name: SharedDataset :one
SELECT s.name, s.created_by AS owner_id, s.restricted, s.readers, s.writers,
       COALESCE(NULLIF(u.name, ''), u.email, '')::text AS owner_name
FROM datasets s LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.user_id = s.created_by
WHERE s.tenant_id = @tenant_id AND s.dataset_id = @dataset_id AND s.deleted_at IS NULL;

-- ReaderList lists the people who may see what has these readers; null readers
-- are everybody.
-- name: ReaderList :many
SELECT u.user_id, COALESCE(NULLIF(u.name, ''), u.email)::text AS name, u.email FROM users u
WHERE u.tenant_id = @tenant_id AND u.removed_at IS NULL
  AND (sqlc.narg(readers)::uuid[] IS NULL OR u.role IN ('owner', 'admin') OR u.user_id = ANY (sqlc.narg(readers)::uuid[])
       OR '00000000-0000-0000-0000-000000000001' = ANY (sqlc.narg(readers)::uuid[])
       OR (u.role = 'editor' AND '00000000-0000-0000-0000-000000000002' = ANY (sqlc.narg(readers)::uuid[]))
       OR EXISTS (SELECT 1 FROM user_group_members m WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id
                  AND m.group_id = ANY (sqlc.narg(readers)::uuid[])))
ORDER BY lower(COALESCE(NULLIF(u.name, ''), u.email)), u.user_id;

-- GroupInsert adds a group of people.
-- name: GroupInsert :exec
INSERT INTO user_groups (tenant_id, group_id, name, created_at) VALUES (@tenant_id, @group_id, @name, @now);

-- name: GroupRename :execrows
UPDATE user_groups SET name = @name WHERE tenant_id = @tenant_id AND group_id = @group_id;

-- name: GroupDelete :execrows
DELETE FROM user_groups WHERE tenant_id = @tenant_id AND group_id = @group_id;

-- GroupList lists all by name, with the number of their members.
-- name: GroupList :many
SELECT g.group_id, g.name, count(u.user_id)::bigint AS members
FROM user_groups g
LEFT JOIN user_group_members m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id AND u.removed_at IS NULL
WHERE g.tenant_id = @tenant_id
GROUP BY g.tenant_id, g.group_id ORDER BY lower(g.name);

-- GroupGet reads one.
-- name: GroupGet :one
SELECT group_id, name FROM user_groups WHERE tenant_id = @tenant_id AND group_id = @group_id;

-- GroupMembers lists the people of the workspace, and who of them is in a group.
-- name: GroupMembers :many
SELECT u.user_id, COALESCE(NULLIF(u.name, ''), u.email)::text AS name, u.email, u.role::text AS role,
       EXISTS (SELECT 1 FROM user_group_members m WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id AND m.group_id = @group_id)::boolean AS member
FROM users u WHERE u.tenant_id = @tenant_id AND u.removed_at IS NULL
ORDER BY lower(COALESCE(NULLIF(u.name, ''), u.email)), u.user_id;

-- GroupSetMembers makes exactly these people of the workspace the members.
-- name: GroupSetMembers :exec
WITH gone AS (DELETE FROM user_group_members m WHERE m.tenant_id = @tenant_id AND m.group_id = @group_id AND m.user_id <> ALL (@user_ids::uuid[]))
INSERT INTO user_group_members (tenant_id, group_id, user_id)
SELECT u.tenant_id, @group_id, u.user_id FROM users u
WHERE u.tenant_id = @tenant_id AND u.user_id = ANY (@user_ids::uuid[]) AND u.removed_at IS NULL
ON CONFLICT DO NOTHING;
