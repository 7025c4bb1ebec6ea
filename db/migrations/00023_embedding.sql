-- Embedding: keys that mint tokens for embedded dashboards, what was revoked of
-- them, and links that open one dashboard to whoever has them.
-- +goose Up

-- A key can mint tokens and nothing else. Only the hash of its secret is kept.
CREATE TABLE embed_keys (
    tenant_id   uuid        NOT NULL,
    key_id      uuid        NOT NULL,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    secret_hash bytea       NOT NULL CHECK (length(secret_hash) = 32),
    origins     text[]      NOT NULL DEFAULT '{}', -- that may frame what its tokens open: "https://app.example.com"
    dashboards  uuid[]      NOT NULL DEFAULT '{}', -- that its tokens may open; empty for all
    created_by  uuid,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (created_by)
);
CREATE INDEX embed_keys_creator_idx ON embed_keys (tenant_id, created_by);
SELECT control.protect('embed_keys');

-- Tokens live for minutes and are not kept; those that were revoked are, until
-- they would have ended.
CREATE TABLE embed_revocations (
    tenant_id  uuid        NOT NULL,
    token_id   uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
);
CREATE INDEX embed_revocations_expiry_idx ON embed_revocations (tenant_id, expires_at);
SELECT control.protect('embed_revocations');

CREATE TABLE public_links (
    tenant_id     uuid        NOT NULL,
    link_id       uuid        NOT NULL,
    dashboard_id  uuid        NOT NULL,
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    secret_hash   bytea       NOT NULL CHECK (length(secret_hash) = 32),
    password_hash text        NOT NULL DEFAULT '',
    downloads     boolean     NOT NULL DEFAULT false,
    created_by    uuid,
    created_at    timestamptz NOT NULL,
    used_at       timestamptz,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_id, link_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (created_by)
);
CREATE INDEX public_links_dashboard_idx ON public_links (tenant_id, dashboard_id);
CREATE INDEX public_links_creator_idx ON public_links (tenant_id, created_by);
SELECT control.protect('public_links');

-- Whether a workspace has links at all is for its admins to say.
ALTER TABLE tenants ADD COLUMN public_links boolean NOT NULL DEFAULT false;
