-- Dashboards, folders, reports.
-- +goose Up

CREATE TABLE folders (
    tenant_id  uuid        NOT NULL,
    folder_id  uuid        NOT NULL,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    user_id    uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, folder_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id)
);
CREATE UNIQUE INDEX folders_name_idx ON folders (tenant_id, lower(name));
CREATE INDEX folders_user_idx ON folders (tenant_id, user_id);
SELECT control.protect('folders');

-- config is the snapshot of dashboard_operations at revision rev; its schema is
-- described in docs/dashboard-config.md. search_text is lower-case: the names
-- of the dashboard, its widgets and fields.
CREATE TABLE dashboards (
    tenant_id    uuid        NOT NULL,
    dashboard_id uuid        NOT NULL,
    user_id      uuid,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    config       jsonb       NOT NULL,
    rev          bigint      NOT NULL DEFAULT 1,
    folder_id    uuid,
    tags         text[]      NOT NULL DEFAULT '{}',
    search_text  text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    deleted_at   timestamptz,
    PRIMARY KEY (tenant_id, dashboard_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (tenant_id, folder_id) REFERENCES folders (tenant_id, folder_id) ON DELETE SET NULL (folder_id)
);
CREATE INDEX dashboards_user_idx ON dashboards (tenant_id, user_id);
CREATE INDEX dashboards_folder_idx ON dashboards (tenant_id, folder_id, updated_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX dashboards_deleted_idx ON dashboards (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;
SELECT control.protect('dashboards');

-- Append-only: the run-time role can neither change nor remove an entry; it goes
-- with its dashboard. before and after are SQL NULL where nothing is at path.
CREATE TABLE dashboard_operations (
    tenant_id    uuid        NOT NULL,
    dashboard_id uuid        NOT NULL,
    rev          bigint      NOT NULL,
    op_id        uuid        NOT NULL,
    path         text        NOT NULL,
    before       jsonb,
    after        jsonb,
    user_id      uuid,
    at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, dashboard_id, rev),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX dashboard_operations_op_idx ON dashboard_operations (tenant_id, dashboard_id, op_id);
SELECT control.protect('dashboard_operations', 'SELECT, INSERT');

-- Which datasets, and so which sources, a dashboard asks: derived from config
-- in the transaction that writes it.
CREATE TABLE dashboard_data_sources (
    tenant_id    uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    dataset_id   uuid NOT NULL,
    ds_id        uuid,
    PRIMARY KEY (tenant_id, dashboard_id, dataset_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, ds_id) REFERENCES data_sources (tenant_id, ds_id) ON DELETE SET NULL (ds_id)
);
CREATE INDEX dashboard_data_sources_dataset_idx ON dashboard_data_sources (tenant_id, dataset_id);
CREATE INDEX dashboard_data_sources_ds_idx ON dashboard_data_sources (tenant_id, ds_id);
SELECT control.protect('dashboard_data_sources');

-- What one person did with one dashboard.
CREATE TABLE dashboard_views (
    tenant_id    uuid NOT NULL,
    user_id      uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    opened_at    timestamptz,
    starred_at   timestamptz,
    PRIMARY KEY (tenant_id, user_id, dashboard_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE
);
CREATE INDEX dashboard_views_dashboard_idx ON dashboard_views (tenant_id, dashboard_id);
SELECT control.protect('dashboard_views');

CREATE TYPE report_format AS ENUM ('PDF', 'CSV');
CREATE TYPE report_status AS ENUM ('Pending', 'Running', 'Completed', 'Failed', 'Cancelled');

-- download_url is the key of the object; the signed URL is minted on read.
CREATE TABLE reports (
    tenant_id    uuid          NOT NULL,
    report_id    uuid          NOT NULL,
    dashboard_id uuid          NOT NULL,
    user_id      uuid,
    format       report_format NOT NULL,
    status       report_status NOT NULL DEFAULT 'Pending',
    link_query   text          NOT NULL DEFAULT '', -- the filters, as docs/dashboard-links.md writes them
    download_url text          NOT NULL DEFAULT '',
    error_code   text          NOT NULL DEFAULT '',
    error_text   text          NOT NULL DEFAULT '',
    created_at   timestamptz   NOT NULL DEFAULT now(),
    completed_at timestamptz,
    PRIMARY KEY (tenant_id, report_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE
);
CREATE INDEX reports_dashboard_idx ON reports (tenant_id, dashboard_id, created_at DESC);
CREATE INDEX reports_user_idx ON reports (tenant_id, user_id);
SELECT control.protect('reports');
