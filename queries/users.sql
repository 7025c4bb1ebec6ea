-- name: UserInsert :exec
INSERT INTO users (user_id, tenant_id, person_id, email, name, role, plan_type)
SELECT @user_id, t.tenant_id, @person_id, @email, @name, @role, t.plan_type FROM tenants t WHERE t.tenant_id = @tenant_id;

-- name: UserGet :one
SELECT user_id, tenant_id, person_id, email, name, role, plan_type, zone, locale, theme, shortcuts, created_at, disabled_at
FROM users WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserGetByEmail :one
SELECT user_id, tenant_id, person_id, email, name, role, plan_type, zone, locale, theme, shortcuts, created_at, disabled_at
FROM users WHERE tenant_id = @tenant_id AND lower(email) = lower(@email::text);

-- name: UserList :many
SELECT user_id, email, name, role, created_at, disabled_at FROM users
WHERE tenant_id = @tenant_id ORDER BY lower(name), lower(email);

-- name: UserSetProfile :exec
UPDATE users SET name = @name, zone = @zone, locale = @locale, shortcuts = @shortcuts
WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetTheme :exec
UPDATE users SET theme = @theme WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserSetRole :execrows
UPDATE users SET role = @role WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- name: UserDelete :execrows
DELETE FROM users WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- UserLockOwners locks the owners' rows, so that two of them can't step down at once.
-- name: UserLockOwners :many
SELECT user_id FROM users WHERE tenant_id = @tenant_id AND role = 'owner' AND disabled_at IS NULL FOR UPDATE;
