-- What a person chose on a dashboard, under a name of their own.
-- +goose Up

-- state is the query of a dashboard's URL in its canonical form.
CREATE TABLE dashboard_saved_views (
    tenant_id    uuid        NOT NULL,
    view_id      uuid        NOT NULL,
    dashboard_id uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    state        text        NOT NULL CHECK (octet_length(state) <= 32768),
    is_default   boolean     NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, view_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX dashboard_saved_views_name_idx ON dashboard_saved_views (tenant_id, dashboard_id, user_id, name);
CREATE UNIQUE INDEX dashboard_saved_views_default_idx ON dashboard_saved_views (tenant_id, dashboard_id, user_id) WHERE is_default;
CREATE INDEX dashboard_saved_views_user_idx ON dashboard_saved_views (tenant_id, user_id);
SELECT control.protect('dashboard_saved_views', 'SELECT, INSERT, UPDATE, DELETE');
