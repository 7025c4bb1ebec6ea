-- The directory of tenants and people. These tables are seen only in a
-- transaction that was opened for control; a tenant's own row of tenants and
-- placements also in its own.

-- TenantBySlug finds a workspace by the name in its address.
-- name: TenantBySlug :one
SELECT tenant_id, slug, name, created_at FROM control.tenants WHERE slug = @slug;

-- name: TenantByID :one
SELECT tenant_id, slug, name, created_at FROM control.tenants WHERE tenant_id = @tenant_id;

-- TenantListAll is for schedules and for the operator's console, never for a page.
-- name: TenantListAll :many
SELECT tenant_id, slug, name, created_at FROM control.tenants ORDER BY created_at;

-- name: TenantInsert :exec
INSERT INTO control.tenants (tenant_id, slug, name) VALUES (@tenant_id, @slug, @name);

-- name: TenantRename :exec
UPDATE control.tenants SET name = @name WHERE tenant_id = @tenant_id;

-- name: PlacementInsert :exec
INSERT INTO control.placements (tenant_id, shard, schema_name, region, storage_prefix, keyset)
VALUES (@tenant_id, @shard, @schema_name, @region, @storage_prefix, @keyset);

-- name: PlacementByTenant :one
SELECT tenant_id, shard, schema_name, region, storage_prefix, keyset FROM control.placements WHERE tenant_id = @tenant_id;

-- name: PersonInsert :exec
INSERT INTO control.people (person_id, email, password_hash) VALUES (@person_id, @email, @password_hash);

-- name: PersonByEmail :one
SELECT person_id, email, password_hash, last_tenant_id FROM control.people WHERE lower(email) = lower(@email::text);

-- name: PersonByID :one
SELECT person_id, email, password_hash, last_tenant_id FROM control.people WHERE person_id = @person_id;

-- name: PersonSetPassword :exec
UPDATE control.people SET password_hash = @password_hash WHERE person_id = @person_id;

-- PersonRehash stores the same password under new parameters, unless it was
-- changed meanwhile.
-- name: PersonRehash :exec
UPDATE control.people SET password_hash = @password_hash WHERE person_id = @person_id AND password_hash = @old_hash::text;

-- name: PersonSetLastTenant :exec
UPDATE control.people SET last_tenant_id = @tenant_id::uuid WHERE person_id = @person_id;

-- PersonAny tells whether anybody could sign in.
-- name: PersonAny :one
SELECT EXISTS (SELECT 1 FROM control.people WHERE password_hash IS NOT NULL);

-- name: MembershipInsert :exec
INSERT INTO control.memberships (person_id, tenant_id, user_id) VALUES (@person_id, @tenant_id, @user_id);

-- name: MembershipDelete :exec
DELETE FROM control.memberships WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- MembershipListByPerson lists the workspaces somebody can switch to.
-- Closed are those whose members sign in elsewhere; break_glass tells that the
-- person is the one who need not.
-- name: MembershipListByPerson :many
SELECT m.tenant_id, m.user_id, t.slug, t.name,
    COALESCE(p.sso_only AND p.break_glass_user_id <> m.user_id, false)::boolean AS closed,
    COALESCE(p.sso_only AND p.break_glass_user_id = m.user_id, false)::boolean AS break_glass
FROM control.memberships m JOIN control.tenants t ON t.tenant_id = m.tenant_id
LEFT JOIN control.sign_in_policies p ON p.tenant_id = m.tenant_id
WHERE m.person_id = @person_id ORDER BY lower(t.name), t.slug;

-- name: MembershipGet :one
SELECT m.tenant_id, m.user_id, t.slug, t.name,
    COALESCE(p.sso_only AND p.break_glass_user_id <> m.user_id, false)::boolean AS closed,
    COALESCE(p.sso_only AND p.break_glass_user_id = m.user_id, false)::boolean AS break_glass
FROM control.memberships m JOIN control.tenants t ON t.tenant_id = m.tenant_id
LEFT JOIN control.sign_in_policies p ON p.tenant_id = m.tenant_id
WHERE m.person_id = @person_id AND m.tenant_id = @tenant_id;

-- PersonForget takes the password of somebody who belongs to no workspace any
-- more; sessions ended with the memberships.
-- name: PersonForget :exec
UPDATE control.people p SET password_hash = NULL, last_tenant_id = NULL WHERE p.person_id = @person_id
  AND NOT EXISTS (SELECT FROM control.memberships m WHERE m.person_id = p.person_id);
