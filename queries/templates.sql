-- TemplateInsert adds a template.
-- name: TemplateInsert :exec
INSERT INTO dashboard_templates (tenant_id, template_id, user_id, name, about, config, sources, titles, created_at)
VALUES (@tenant_id, @template_id, @user_id, @name, @about, @config, @sources, @titles, @now);

-- TemplateList lists the templates of a workspace by name.
-- name: TemplateList :many
SELECT t.template_id, t.name, t.about, t.config, t.sources, t.user_id, t.created_at, COALESCE(u.name, '')::text AS owner_name
FROM dashboard_templates t
LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = t.user_id
WHERE t.tenant_id = @tenant_id AND t.deleted_at IS NULL
ORDER BY lower(t.name), t.template_id LIMIT @row_limit;

-- TemplateGet reads one template.
-- name: TemplateGet :one
SELECT t.name, t.about, t.config, t.sources, t.titles, t.user_id, t.created_at, COALESCE(u.name, '')::text AS owner_name
FROM dashboard_templates t
LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = t.user_id
WHERE t.tenant_id = @tenant_id AND t.template_id = @template_id AND t.deleted_at IS NULL;

-- TemplateCount is how many a workspace has.
-- name: TemplateCount :one
SELECT count(*) FROM dashboard_templates WHERE tenant_id = @tenant_id AND deleted_at IS NULL;

-- TemplateDelete hides a template; TemplateUndelete brings it back.
-- name: TemplateDelete :execrows
UPDATE dashboard_templates SET deleted_at = @now
WHERE tenant_id = @tenant_id AND template_id = @template_id AND deleted_at IS NULL;

-- name: TemplateUndelete :execrows
UPDATE dashboard_templates SET deleted_at = NULL
WHERE tenant_id = @tenant_id AND template_id = @template_id AND deleted_at IS NOT NULL;

-- TemplatePurge removes for good what was deleted before a moment.
-- name: TemplatePurge :execrows
DELETE FROM dashboard_templates WHERE tenant_id = @tenant_id AND deleted_at < @before;
