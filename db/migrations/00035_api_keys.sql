-- Tests of a portal's sign-in, as of the workspace's own; programs that use the API.
-- +goose Up

-- How the last test sign-in looked.
ALTER TABLE portal_connections ADD COLUMN last_test jsonb;

-- A program with a key does what the key's role allows, of what is shared with
-- everybody of it, and sees the rows that the key's attributes leave. Only the
-- hash of its secret is kept. A key that was revoked has a role no more.
CREATE TABLE api_keys (
    tenant_id      uuid        NOT NULL,
    key_id         uuid        NOT NULL,
    name           text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    secret_hash    bytea       NOT NULL CHECK (length(secret_hash) = 32),
    role           user_role   NOT NULL CHECK (role <> 'owner'),
    custom_role_id uuid,
    attributes     jsonb       NOT NULL DEFAULT '{}', -- that rules on rows compare with
    created_by     uuid,
    created_at     timestamptz NOT NULL,
    used_at        timestamptz,
    expires_at     timestamptz,
    revoked_at     timestamptz CHECK (revoked_at IS NULL OR custom_role_id IS NULL),
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (created_by),
    FOREIGN KEY (tenant_id, custom_role_id, role) REFERENCES custom_roles (tenant_id, role_id, standing) ON UPDATE CASCADE
);
CREATE INDEX api_keys_creator_idx ON api_keys (tenant_id, created_by);
CREATE INDEX api_keys_custom_role_idx ON api_keys (tenant_id, custom_role_id);
SELECT control.protect('api_keys');

-- Whether keys work while single sign-on is the only way in for people.
ALTER TABLE tenants ADD COLUMN api_keys_with_sso boolean NOT NULL DEFAULT false;
