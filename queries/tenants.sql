-- name: TenantSettingsInsert :exec
INSERT INTO tenants (tenant_id, plan_type, zone, locale) VALUES (@tenant_id, @plan_type, @zone, @locale);

-- name: TenantSettingsGet :one
SELECT plan_type, zone, locale FROM tenants WHERE tenant_id = @tenant_id;

-- name: TenantSettingsSet :exec
UPDATE tenants SET zone = @zone, locale = @locale, updated_at = now() WHERE tenant_id = @tenant_id;

-- TenantSetPlan changes the plan; users.plan_type follows.
-- name: TenantSetPlan :exec
UPDATE tenants SET plan_type = @plan_type, updated_at = now() WHERE tenant_id = @tenant_id;
