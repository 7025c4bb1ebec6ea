-- name: UserInsert :exec
INSERT INTO users (user_id, tenant_id, person_id, email, name, role, custom_role_id, plan_type, invited_at)
SELECT @user_id, t.tenant_id, @person_id, @email, @name, @role, sqlc.narg(custom_role_id), t.plan_type, sqlc.narg(invited_at)
FROM tenants t WHERE t.tenant_id = @tenant_id;

-- name: UserGetByPerson :one
SELECT user_id, tenant_id, person_id, email, name, role, plan_type, zone, locale, theme, shortcuts, created_at, invited_at, removed_at
FROM users WHERE tenant_id = @tenant_id AND person_id = @person_id;

-- UserReturn takes a removed member back, with the rows they left.
-- name: UserReturn :execrows
UPDATE users SET removed_at = NULL, role = @role, custom_role_id = sqlc.narg(custom_role_id), invited_at = sqlc.narg(invited_at), email = @email
WHERE tenant_id = @tenant_id AND user_id = @user_id AND removed_at IS NOT NULL;

-- name: UserGet :one
SELECT user_id, tenant_id, person_id, email, name, role, custom_role_id, plan_type, zone, locale, theme, shortcuts, created_at, invited_at, removed_at
FROM users WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- UserList is one page of the members by name. An empty pattern, role or way is no
-- filter; total counts what they leave.
-- name: UserList :many
SELECT u.user_id, u.email, u.name, u.role, u.custom_role_id, COALESCE(c.name, '')::text AS custom_name, COALESCE(c.permissions, '{}')::text[] AS custom_permissions,
    u.created_at, u.invited_at, u.seen_at, count(*) OVER () AS total
FROM users u LEFT JOIN custom_roles c ON c.tenant_id = u.tenant_id AND c.role_id = u.custom_role_id
WHERE u.tenant_id = @tenant_id AND u.removed_at IS NULL
  AND (@pattern::text = '' OR u.name ILIKE @pattern OR u.email ILIKE @pattern)
  AND (@role::text = '' OR COALESCE(u.custom_role_id::text, u.role::text) = @role)
  AND (@way::text = '' OR @way = CASE WHEN u.invited_at IS NOT NULL THEN 'invited'
      WHEN EXISTS (SELECT FROM identities i WHERE i.tenant_id = u.tenant_id AND i.user_id = u.user_id) THEN 'sso' ELSE 'password' END)
ORDER BY lower(COALESCE(NULLIF(u.name, ''), u.email)), u.user_id LIMIT @row_limit OFFSET @row_offset;

-- name: UserCount :one
SELECT count(*) FROM users WHERE tenant_id = @tenant_id AND removed_at IS NULL;

-- name: UserSetName :exec
UPDATE users SET name = @name WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetFormats :exec
UPDATE users SET zone = @zone, locale = @locale WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetDisplay :exec
UPDATE users SET theme = @theme, shortcuts = @shortcuts WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetTheme :exec
UPDATE users SET theme = @theme WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetRole :execrows
UPDATE users SET role = @role, custom_role_id = sqlc.narg(custom_role_id) WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- UserJoined notes that an invitation was taken up.
-- name: UserJoined :exec
UPDATE users SET invited_at = NULL, name = CASE WHEN @name::text = '' THEN name ELSE @name END
WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetInvited :execrows
UPDATE users SET invited_at = now() WHERE tenant_id = @tenant_id AND user_id = @user_id AND invited_at IS NOT NULL AND removed_at IS NULL;

-- name: UserRemove :execrows
UPDATE users SET removed_at = now(), invited_at = NULL, custom_role_id = NULL WHERE tenant_id = @tenant_id AND user_id = @user_id AND removed_at IS NULL;

-- name: UserSeen :exec
UPDATE users SET seen_at = now() WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- UserLockOwners locks the owners' rows, so that two of them can't step down at once.
-- name: UserLockOwners :many
SELECT user_id FROM users WHERE tenant_id = @tenant_id AND role = 'owner' AND removed_at IS NULL AND invited_at IS NULL
ORDER BY user_id FOR UPDATE;

-- UserGetByEmail finds a member by address.
-- name: UserGetByEmail :one
SELECT u.user_id, u.role, u.zone, u.locale,
    ARRAY(SELECT m.group_id FROM user_group_members m WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id ORDER BY m.group_id)::uuid[] AS group_ids,
    person_attributes(u.user_id)::jsonb AS attributes,
    u.custom_role_id, COALESCE(c.name, '')::text AS custom_name, COALESCE(c.permissions, '{}')::text[] AS custom_permissions
FROM users u LEFT JOIN custom_roles c ON c.tenant_id = u.tenant_id AND c.role_id = u.custom_role_id
WHERE u.tenant_id = @tenant_id AND lower(u.email) = lower(@email) AND u.removed_at IS NULL AND u.invited_at IS NULL;

-- UserGetActor is who a member acts as.
-- name: UserGetActor :one
SELECT u.user_id, u.role, u.zone, u.locale,
    ARRAY(SELECT m.group_id FROM user_group_members m WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id ORDER BY m.group_id)::uuid[] AS group_ids,
    person_attributes(u.user_id)::jsonb AS attributes,
    u.custom_role_id, COALESCE(c.name, '')::text AS custom_name, COALESCE(c.permissions, '{}')::text[] AS custom_permissions
FROM users u LEFT JOIN custom_roles c ON c.tenant_id = u.tenant_id AND c.role_id = u.custom_role_id
WHERE u.tenant_id = @tenant_id AND u.user_id = @user_id AND u.removed_at IS NULL;

-- UserListActors are whom members act as, open invitations included.
-- name: UserListActors :many
SELECT u.user_id, u.role,
    ARRAY(SELECT m.group_id FROM user_group_members m WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id ORDER BY m.group_id)::uuid[] AS group_ids,
    person_attributes(u.user_id)::jsonb AS attributes,
    u.custom_role_id, COALESCE(c.name, '')::text AS custom_name, COALESCE(c.permissions, '{}')::text[] AS custom_permissions
FROM users u LEFT JOIN custom_roles c ON c.tenant_id = u.tenant_id AND c.role_id = u.custom_role_id
WHERE u.tenant_id = @tenant_id AND u.user_id = ANY (@user_ids::uuid[]) AND u.removed_at IS NULL;
