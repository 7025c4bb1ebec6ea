-- Roles, schema control, tenants, people, users, sessions, audit.
-- +goose Up

-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dataflow_app') THEN
        CREATE ROLE dataflow_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
END
$$;
-- +goose StatementEnd

-- control has what must be known before the tenant is: no row-level security,
-- narrow grants, no foreign key into tenant tables.
CREATE SCHEMA control;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, control TO dataflow_app;

-- protect walls a tenant-owned table off: its rows are seen and written only
-- in a transaction that is bound to their tenant, by its owner too. Every
-- migration calls it for every table that it makes outside of control.
-- +goose StatementBegin
CREATE FUNCTION control.protect(target regclass, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant_rows ON %s'
        ' USING (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)'
        ' WITH CHECK (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)', target);
    EXECUTE format('GRANT %s ON %s TO dataflow_app', privileges, target);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.protect FROM PUBLIC;

CREATE TYPE plan_type AS ENUM ('Starter', 'Professional', 'Enterprise');

-- The directory of workspaces.
CREATE TABLE control.tenants (
    tenant_id  uuid        PRIMARY KEY,
    slug       text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$|^[a-z0-9]$'),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Where a tenant lives. keyset is the tenant's own, wrapped by the master key.
CREATE TABLE control.placements (
    tenant_id      uuid  PRIMARY KEY REFERENCES control.tenants,
    shard          text  NOT NULL DEFAULT 'primary',
    schema_name    text  NOT NULL DEFAULT 'public' CHECK (schema_name ~ '^[a-z_][a-z0-9_]*$'),
    region         text  NOT NULL DEFAULT '',
    storage_prefix text  NOT NULL UNIQUE,
    keyset         bytea NOT NULL
);

-- A person signs in with one e-mail address and one password, whatever number
-- of workspaces they belong to.
CREATE TABLE control.people (
    person_id     uuid        PRIMARY KEY,
    email         text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    password_hash text,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX people_email_idx ON control.people (lower(email));

CREATE TABLE control.memberships (
    person_id uuid NOT NULL REFERENCES control.people ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
    user_id   uuid NOT NULL UNIQUE,
    PRIMARY KEY (person_id, tenant_id)
);

-- token_hash is SHA-256 of what the cookie holds.
CREATE TABLE control.sessions (
    session_id   uuid        PRIMARY KEY,
    token_hash   bytea       NOT NULL UNIQUE,
    person_id    uuid        NOT NULL REFERENCES control.people ON DELETE CASCADE,
    tenant_id    uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    idle_seconds integer     NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    address      text        NOT NULL DEFAULT '',
    user_agent   text        NOT NULL DEFAULT ''
);
CREATE INDEX sessions_person_idx ON control.sessions (person_id, last_seen_at DESC);
CREATE INDEX sessions_expires_idx ON control.sessions (expires_at);

-- Links that work once: password resets, invitations and the first set-up.
CREATE TABLE control.one_time_links (
    token_hash bytea       PRIMARY KEY,
    purpose    text        NOT NULL CHECK (purpose IN ('setup', 'reset', 'invite')),
    person_id  uuid,
    tenant_id  uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX one_time_links_person_idx ON control.one_time_links (person_id);

-- Failed sign-ins by account and by address; key is a SHA-256.
CREATE TABLE control.throttles (
    key           bytea       PRIMARY KEY,
    failures      integer     NOT NULL,
    blocked_until timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX throttles_updated_idx ON control.throttles (updated_at);

GRANT SELECT, INSERT, UPDATE ON control.tenants, control.placements TO dataflow_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON control.people, control.memberships, control.sessions,
    control.one_time_links, control.throttles TO dataflow_app;

-- open_session finds the live session of a token and binds the transaction to
-- its tenant and user, so that what follows in the same round trip sees only
-- their rows. No row, and no binding, for a session that has ended.
-- +goose StatementBegin
CREATE FUNCTION control.open_session(token bytea)
RETURNS TABLE (session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, created_at timestamptz, last_seen_at timestamptz, slug text, tenant_name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT s.session_id, s.person_id, s.tenant_id, s.user_id, s.created_at, s.last_seen_at, t.slug, t.name
    INTO session_id, person_id, tenant_id, user_id, created_at, last_seen_at, slug, tenant_name
    FROM control.sessions s JOIN control.tenants t ON t.tenant_id = s.tenant_id
    WHERE s.token_hash = token AND s.revoked_at IS NULL AND s.expires_at > now()
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM set_config('app.tenant_id', open_session.tenant_id::text, true), set_config('app.user_id', open_session.user_id::text, true);
    RETURN NEXT;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.open_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.open_session TO dataflow_app;

-- The workspace's own settings; its name stands in control.tenants.
CREATE TABLE tenants (
    tenant_id  uuid        PRIMARY KEY,
    plan_type  plan_type   NOT NULL DEFAULT 'Professional',
    zone       text        NOT NULL DEFAULT 'UTC',
    locale     text        NOT NULL DEFAULT 'en-GB',
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, plan_type)
);
SELECT control.protect('tenants');

CREATE TYPE user_role AS ENUM ('owner', 'admin', 'editor', 'viewer');

-- plan_type follows the tenant's plan.
CREATE TABLE users (
    user_id     uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL,
    person_id   uuid        NOT NULL,
    email       text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name        text        NOT NULL DEFAULT '' CHECK (length(name) <= 120),
    role        user_role   NOT NULL,
    plan_type   plan_type   NOT NULL,
    zone        text        NOT NULL DEFAULT '',
    locale      text        NOT NULL DEFAULT '',
    theme       text        NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    shortcuts   boolean     NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    UNIQUE (tenant_id, user_id),
    FOREIGN KEY (tenant_id, plan_type) REFERENCES tenants (tenant_id, plan_type) ON UPDATE CASCADE
);
CREATE UNIQUE INDEX users_email_idx ON users (tenant_id, lower(email));
CREATE UNIQUE INDEX users_person_idx ON users (tenant_id, person_id);
CREATE INDEX users_plan_idx ON users (tenant_id, plan_type);
SELECT control.protect('users');

-- Append-only: the run-time role can neither change nor remove an entry.
CREATE TABLE audit_events (
    tenant_id   uuid        NOT NULL,
    audit_id    uuid        NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    actor_kind  text        NOT NULL,
    user_id     uuid,
    action      text        NOT NULL,
    target_kind text        NOT NULL DEFAULT '',
    target_id   text        NOT NULL DEFAULT '',
    detail      jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, audit_id)
);
CREATE INDEX audit_events_at_idx ON audit_events (tenant_id, at DESC);
SELECT control.protect('audit_events', 'SELECT, INSERT');
