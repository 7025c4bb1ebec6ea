-- Drafts beside what is published, changes that are undone as one, named
-- versions, and the workspace's own log.
-- +goose Up

-- config and rev are the draft. What viewers see is published_config; where it
-- is null (rows that an earlier release wrote) they see config. unpublished
-- tells that viewers see nothing yet.
ALTER TABLE dashboards
    ADD COLUMN published_config jsonb,
    ADD COLUMN published_rev    bigint,
    ADD COLUMN published_at     timestamptz,
    ADD COLUMN unpublished      boolean NOT NULL DEFAULT false;

-- Operations of one gesture share change_id (null: of an earlier release, each
-- for itself). undoes is the change that this one takes back; undoing an undo
-- is the redo. schema is that of the config that path and values are of.
ALTER TABLE dashboard_operations
    ADD COLUMN change_id uuid,
    ADD COLUMN undoes    uuid,
    ADD COLUMN schema    smallint NOT NULL DEFAULT 1;

-- A config that was published or that somebody gave a name.
CREATE TABLE dashboard_versions (
    tenant_id    uuid        NOT NULL,
    dashboard_id uuid        NOT NULL,
    number       integer     NOT NULL,
    rev          bigint      NOT NULL,
    name         text        NOT NULL DEFAULT '' CHECK (length(name) <= 120),
    published    boolean     NOT NULL,
    config       jsonb       NOT NULL,
    user_id      uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, dashboard_id, number),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE
);
CREATE INDEX dashboard_versions_user_idx ON dashboard_versions (tenant_id, user_id);
SELECT control.protect('dashboard_versions', 'SELECT, INSERT, UPDATE');

-- What people did to the things of a workspace as a whole: append-only, ids
-- are of UUID version 7, so they sort by time.
CREATE TABLE workspace_operations (
    tenant_id uuid        NOT NULL,
    op_id     uuid        NOT NULL,
    kind      text        NOT NULL,
    object_id uuid        NOT NULL,
    before    jsonb,
    after     jsonb,
    user_id   uuid,
    undoes    uuid,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, op_id)
);
CREATE INDEX workspace_operations_user_idx ON workspace_operations (tenant_id, user_id, op_id);
SELECT control.protect('workspace_operations', 'SELECT, INSERT');
