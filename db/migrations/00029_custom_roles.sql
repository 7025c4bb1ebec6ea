-- Roles that a workspace makes for itself, from a list of permissions.
-- +goose Up

-- standing is what the role's people count as where something is shared with, or
-- ruled for, everybody of a role. What owners alone may do is in no such role.
CREATE TABLE custom_roles (
    tenant_id   uuid        NOT NULL,
    role_id     uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    permissions text[]      NOT NULL CHECK ('content.view' = ANY (permissions) AND permissions <@ ARRAY['content.view', 'content.edit', 'data.manage',
        'members.manage', 'workspace.manage', 'portals.manage', 'embedding.manage', 'audit.view']),
    standing    user_role   NOT NULL GENERATED ALWAYS AS (CASE WHEN 'content.edit' = ANY (permissions) THEN 'editor'::user_role ELSE 'viewer'::user_role END) STORED,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, role_id),
    UNIQUE (tenant_id, role_id, standing)
);
CREATE UNIQUE INDEX custom_roles_name_idx ON custom_roles (tenant_id, lower(name));
SELECT control.protect('custom_roles');
SELECT control.watch('custom_roles');

-- Who has a role of the workspace's own has its standing as their role, however
-- it changes: so nobody becomes an admin by one.
ALTER TABLE users ADD COLUMN custom_role_id uuid,
    ADD CONSTRAINT users_custom_role_fkey FOREIGN KEY (tenant_id, custom_role_id, role)
        REFERENCES custom_roles (tenant_id, role_id, standing) ON UPDATE CASCADE;
CREATE INDEX users_custom_role_idx ON users (tenant_id, custom_role_id) WHERE custom_role_id IS NOT NULL;

DROP TRIGGER advance_epoch ON users;
SELECT control.watch('users', 'email, name, role, custom_role_id, plan_type, zone, locale, theme, shortcuts, person_id, removed_at');
