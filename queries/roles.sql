-- RoleList are the workspace's own roles by name, with how many people and open
-- invitations have each.
-- name: RoleList :many
SELECT r.role_id, r.name, r.permissions,
    (SELECT count(*) FROM users u WHERE u.tenant_id = r.tenant_id AND u.custom_role_id = r.role_id)::bigint AS people
FROM custom_roles r WHERE r.tenant_id = @tenant_id ORDER BY lower(r.name);

-- RoleGet locks the role against removal.
-- name: RoleGet :one
SELECT role_id, name, permissions FROM custom_roles WHERE tenant_id = @tenant_id AND role_id = @role_id FOR KEY SHARE;

-- RoleLock waits for whoever gives the role to somebody.
-- name: RoleLock :exec
SELECT role_id FROM custom_roles WHERE tenant_id = @tenant_id AND role_id = @role_id FOR UPDATE;

-- RolePeople counts who has the role, open invitations included.
-- name: RolePeople :one
SELECT count(*) FROM users WHERE tenant_id = @tenant_id AND custom_role_id = @role_id;

-- name: RoleInsert :exec
INSERT INTO custom_roles (tenant_id, role_id, name, permissions) VALUES (@tenant_id, @role_id, @name, @permissions::text[]);

-- name: RoleUpdate :exec
UPDATE custom_roles SET name = @name, permissions = @permissions::text[], updated_at = now() WHERE tenant_id = @tenant_id AND role_id = @role_id;

-- name: RoleDelete :exec
DELETE FROM custom_roles WHERE tenant_id = @tenant_id AND role_id = @role_id;

-- RoleMapped tells whether a connection gives the role to anybody.
-- name: RoleMapped :one
SELECT EXISTS (SELECT FROM sso_connections c WHERE c.tenant_id = @tenant_id
    AND (c.settings @> jsonb_build_object('mapping', jsonb_build_object('default_role', @role::text))
      OR c.settings @> jsonb_build_object('mapping', jsonb_build_object('roles', jsonb_build_array(jsonb_build_object('role', @role::text))))));

-- RoleForget takes the role from those that need a second factor.
-- name: RoleForget :exec
UPDATE tenants SET second_factor_roles = array_remove(second_factor_roles, @role::text)
WHERE tenant_id = @tenant_id AND @role::text = ANY (second_factor_roles);
