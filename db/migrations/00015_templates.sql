-- Dashboards to start others from.
-- +goose Up

-- config is that of the dashboard; sources are the datasets that it asks, with
-- the fields that it needs of each, so that a template can be shown to somebody
-- who can't see them. titles are the widgets whose title was generated.
CREATE TABLE dashboard_templates (
    tenant_id   uuid        NOT NULL,
    template_id uuid        NOT NULL,
    user_id     uuid,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    about       text        NOT NULL DEFAULT '' CHECK (length(about) <= 300),
    config      jsonb       NOT NULL,
    sources     jsonb       NOT NULL,
    titles      text[]      NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz,
    PRIMARY KEY (tenant_id, template_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id)
);
CREATE INDEX dashboard_templates_user_idx ON dashboard_templates (tenant_id, user_id);
CREATE INDEX dashboard_templates_deleted_idx ON dashboard_templates (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;
SELECT control.protect('dashboard_templates');
