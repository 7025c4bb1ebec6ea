-- Portals: what a workspace shows to its own customers, under a name and a host
-- of its own, and who visits them.
-- +goose Up

-- A visitor's subjects are the ids of what they may see, beside one that says
-- that they are no member: what is shared with everybody is not for them.
-- +goose StatementBegin
CREATE FUNCTION access_outside() RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT COALESCE('00000000-0000-0000-0000-000000000004' = ANY (access_subjects()), false) $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION access_outside FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access_outside TO dataflow_app;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION may_access(list uuid[]) RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT access_subjects() IS NULL OR (list IS NULL AND NOT access_outside()) OR COALESCE(list && access_subjects(), false) $$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    target text;
    id     text;
    shared text;
BEGIN
    FOREACH target IN ARRAY ARRAY['folders', 'dashboards', 'datasets'] LOOP
        id := left(target, -1) || '_id';
        shared := '(SELECT access_subjects()) IS NULL OR (NOT (SELECT access_outside()) AND (%1$s IS NULL OR %1$s && (SELECT access_subjects())))';
        EXECUTE format('ALTER POLICY shared_rows ON %I USING (' || format(shared, 'readers')
            || ' OR ((SELECT access_outside()) AND %I = ANY ((SELECT access_subjects())::uuid[])))', target, id);
        EXECUTE format('ALTER POLICY shared_changes ON %I USING (' || format(shared, 'writers') || ')', target);
        EXECUTE format('ALTER POLICY shared_removals ON %I USING (' || format(shared, 'writers') || ')', target);
    END LOOP;
END
$$;
-- +goose StatementEnd

CREATE TABLE portals (
    tenant_id  uuid        NOT NULL,
    portal_id  uuid        NOT NULL,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    brand      jsonb       NOT NULL, -- as package brand encodes it
    downloads  boolean     NOT NULL DEFAULT true,
    zone       text        NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, portal_id)
);
CREATE UNIQUE INDEX portals_name_idx ON portals (tenant_id, lower(name));
SELECT control.protect('portals');

-- Logos, by kind.
CREATE TABLE portal_assets (
    tenant_id    uuid  NOT NULL,
    portal_id    uuid  NOT NULL,
    kind         text  NOT NULL CHECK (kind IN ('logo', 'logo_dark')),
    content_type text  NOT NULL CHECK (content_type IN ('image/png', 'image/svg+xml')),
    sum          text  NOT NULL, -- SHA-256 of the data, in hex
    data         bytea NOT NULL CHECK (length(data) <= 262144),
    PRIMARY KEY (tenant_id, portal_id, kind),
    FOREIGN KEY (tenant_id, portal_id) REFERENCES portals (tenant_id, portal_id) ON DELETE CASCADE
);
SELECT control.protect('portal_assets');

-- Groups of visitors bring attributes, and can be the only ones to see a dashboard.
CREATE TABLE portal_groups (
    tenant_id  uuid  NOT NULL,
    portal_id  uuid  NOT NULL,
    group_id   uuid  NOT NULL,
    name       text  NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    attributes jsonb NOT NULL DEFAULT '{}', -- {"name": ["value", …]}
    PRIMARY KEY (tenant_id, group_id),
    UNIQUE (tenant_id, portal_id, group_id),
    FOREIGN KEY (tenant_id, portal_id) REFERENCES portals (tenant_id, portal_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX portal_groups_name_idx ON portal_groups (tenant_id, portal_id, lower(name));
SELECT control.protect('portal_groups');

-- What a portal shows, in its order. Without a group it is for all visitors.
CREATE TABLE portal_dashboards (
    tenant_id    uuid    NOT NULL,
    portal_id    uuid    NOT NULL,
    dashboard_id uuid    NOT NULL,
    label        text    NOT NULL DEFAULT '' CHECK (length(label) <= 60),
    place        integer NOT NULL,
    group_id     uuid,
    PRIMARY KEY (tenant_id, portal_id, dashboard_id),
    FOREIGN KEY (tenant_id, portal_id) REFERENCES portals (tenant_id, portal_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, portal_id, group_id) REFERENCES portal_groups (tenant_id, portal_id, group_id)
);
CREATE INDEX portal_dashboards_dashboard_idx ON portal_dashboards (tenant_id, dashboard_id);
CREATE INDEX portal_dashboards_group_idx ON portal_dashboards (tenant_id, portal_id, group_id) WHERE group_id IS NOT NULL;
SELECT control.protect('portal_dashboards');

-- Visitors belong to one portal: the same address in another one is somebody else.
CREATE TABLE portal_visitors (
    tenant_id     uuid        NOT NULL,
    portal_id     uuid        NOT NULL,
    visitor_id    uuid        NOT NULL,
    email         text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name          text        NOT NULL DEFAULT '' CHECK (length(name) <= 120),
    company       text        NOT NULL DEFAULT '' CHECK (length(company) <= 120),
    password_hash text        NOT NULL DEFAULT '',
    attributes    jsonb       NOT NULL DEFAULT '{}',
    theme         text        NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    invited_at    timestamptz,
    seen_at       timestamptz,
    blocked_at    timestamptz,
    PRIMARY KEY (tenant_id, visitor_id),
    FOREIGN KEY (tenant_id, portal_id) REFERENCES portals (tenant_id, portal_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX portal_visitors_email_idx ON portal_visitors (tenant_id, portal_id, lower(email));
SELECT control.protect('portal_visitors');

CREATE TABLE portal_group_visitors (
    tenant_id  uuid NOT NULL,
    group_id   uuid NOT NULL,
    visitor_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, visitor_id, group_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES portal_groups (tenant_id, group_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE CASCADE
);
CREATE INDEX portal_group_visitors_group_idx ON portal_group_visitors (tenant_id, group_id);
SELECT control.protect('portal_group_visitors');

-- Only hashes of tokens are kept.
CREATE TABLE portal_sessions (
    tenant_id  uuid        NOT NULL,
    token_hash bytea       NOT NULL CHECK (length(token_hash) = 32),
    visitor_id uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    address    text        NOT NULL DEFAULT '',
    agent      text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE CASCADE
);
CREATE INDEX portal_sessions_visitor_idx ON portal_sessions (tenant_id, visitor_id);
CREATE INDEX portal_sessions_expiry_idx ON portal_sessions (tenant_id, expires_at);
SELECT control.protect('portal_sessions');

CREATE TABLE portal_links (
    tenant_id  uuid        NOT NULL,
    token_hash bytea       NOT NULL CHECK (length(token_hash) = 32),
    visitor_id uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE CASCADE
);
CREATE INDEX portal_links_visitor_idx ON portal_links (tenant_id, visitor_id);
SELECT control.protect('portal_links');

-- Hosts must be known before their tenant is. Several may claim one; only who
-- proves that it is theirs gets it.
CREATE TABLE control.portal_hosts (
    host        text        NOT NULL CHECK (host = lower(host) AND length(host) BETWEEN 3 AND 253),
    tenant_id   uuid        NOT NULL,
    portal_id   uuid        NOT NULL,
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    verified_at timestamptz,
    failing_at  timestamptz, -- since when the proof is missing
    PRIMARY KEY (host, tenant_id)
);
CREATE UNIQUE INDEX portal_hosts_verified_idx ON control.portal_hosts (host) WHERE verified_at IS NOT NULL;
CREATE INDEX portal_hosts_portal_idx ON control.portal_hosts (tenant_id, portal_id);
SELECT control.reserve('control.portal_hosts', 'SELECT, INSERT, UPDATE, DELETE', true);
