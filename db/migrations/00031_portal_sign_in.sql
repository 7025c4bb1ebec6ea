-- Visitors of a portal sign in at an identity provider of the portal's.
-- +goose Up

-- Passwords of the portal's visitors count no more.
ALTER TABLE portals ADD COLUMN sso_only boolean NOT NULL DEFAULT false;

-- As sso_connections are for members.
CREATE TABLE portal_connections (
    tenant_id     uuid        NOT NULL,
    portal_id     uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('saml', 'oidc')),
    enabled       boolean     NOT NULL DEFAULT false,
    settings      jsonb       NOT NULL DEFAULT '{}',
    secret        bytea       NOT NULL DEFAULT '',
    metadata      text        NOT NULL DEFAULT '', -- of the provider, as it sent it
    refreshed_at  timestamptz, -- when metadata was fetched last
    refresh_error text        NOT NULL DEFAULT '',
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id),
    UNIQUE (tenant_id, portal_id, kind),
    UNIQUE (tenant_id, portal_id, connection_id),
    FOREIGN KEY (tenant_id, portal_id) REFERENCES portals (tenant_id, portal_id) ON DELETE CASCADE
);
SELECT control.protect('portal_connections');

-- A visitor and who they are elsewhere are of one portal.
ALTER TABLE portal_visitors ADD UNIQUE (tenant_id, portal_id, visitor_id);

-- Who a visitor is elsewhere. An e-mail address is no part of it.
CREATE TABLE portal_identities (
    tenant_id     uuid        NOT NULL,
    portal_id     uuid        NOT NULL,
    identity_id   uuid        NOT NULL,
    visitor_id    uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    issuer        text        NOT NULL CHECK (length(issuer) BETWEEN 1 AND 1024),
    subject       text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 1024),
    format        text        NOT NULL DEFAULT '', -- of a NameID
    created_at    timestamptz NOT NULL DEFAULT now(),
    used_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, identity_id),
    UNIQUE (tenant_id, connection_id, issuer, subject),
    FOREIGN KEY (tenant_id, portal_id, visitor_id) REFERENCES portal_visitors (tenant_id, portal_id, visitor_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, portal_id, connection_id) REFERENCES portal_connections (tenant_id, portal_id, connection_id) ON DELETE CASCADE
);
CREATE INDEX portal_identities_visitor_idx ON portal_identities (tenant_id, portal_id, visitor_id);
CREATE INDEX portal_identities_connection_idx ON portal_identities (tenant_id, portal_id, connection_id);
SELECT control.protect('portal_identities');

-- How a session was opened, and when it ends however much it is used.
ALTER TABLE portal_sessions
    ADD COLUMN identity_id   uuid, -- null: by password
    ADD COLUMN session_index text        NOT NULL DEFAULT '',
    ADD COLUMN ends_at       timestamptz NOT NULL DEFAULT now() + interval '24 hours';
ALTER TABLE portal_sessions ADD FOREIGN KEY (tenant_id, identity_id) REFERENCES portal_identities (tenant_id, identity_id) ON DELETE CASCADE;
CREATE INDEX portal_sessions_identity_idx ON portal_sessions (tenant_id, identity_id) WHERE identity_id IS NOT NULL;

-- A question that a portal has asked is answered there.
ALTER TABLE control.sign_in_requests ADD COLUMN portal_id uuid;
