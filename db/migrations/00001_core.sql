-- Roles, schema control, tenants, people, users, sessions, audit.
--
-- For migrations to come:
--   * A tenant-owned table lies in schema public, has tenant_id, and is handed to
--     control.protect in the migration that makes it.
--   * A foreign key between tenant tables is (tenant_id, id).
--   * What has to be known before the tenant is lies in schema control and is
--     handed to control.reserve, or has a policy of its own.
--   * Forward only, and safe beside the release before.
-- Tests read pg_catalog for all of that.
-- +goose Up

-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dataflow_app') THEN
        CREATE ROLE dataflow_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    -- Who migrates may also run the server: it becomes dataflow_app then.
    IF NOT pg_has_role(current_user, 'dataflow_app', 'MEMBER') THEN
        EXECUTE format('GRANT dataflow_app TO %I', current_user);
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this server is being migrated at the same moment
END
$$;
-- +goose StatementEnd

-- control has what must be known before the tenant is: narrow grants, and no
-- foreign key into tenant tables, which may lie in other databases one day.
CREATE SCHEMA control;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, control TO dataflow_app;

-- protect walls a tenant-owned table off: its rows are seen and written only
-- in a transaction that is bound to their tenant, by its owner too. Every
-- migration calls it for every table that it makes outside of control.
-- +goose StatementBegin
CREATE FUNCTION control.protect(target regclass, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- reserve keeps a table of control from transactions that work for a tenant:
-- its rows are seen and written only where the transaction was opened for
-- control, or, with own, the row of the transaction's tenant is seen.
-- +goose StatementBegin
CREATE FUNCTION control.reserve(target regclass, privileges text, own boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY control_rows ON %s USING (current_setting(''app.scope'', true) = ''control'')', target);
    IF own THEN
        EXECUTE format('CREATE POLICY own_row ON %s FOR SELECT'
            ' USING (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)', target);
    END IF;
    EXECUTE format('GRANT %s ON %s TO dataflow_app', privileges, target);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.reserve FROM PUBLIC;

CREATE TYPE plan_type AS ENUM ('Starter', 'Professional', 'Enterprise');

-- The directory of workspaces.
CREATE TABLE control.tenants (
    tenant_id  uuid        PRIMARY KEY,
    slug       text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$|^[a-z0-9]$'),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    created_at timestamptz NOT NULL DEFAULT now()
);
SELECT control.reserve('control.tenants', 'SELECT, INSERT, UPDATE', own => true);

-- Where a tenant lives. keyset is the tenant's own, wrapped by the master key.
CREATE TABLE control.placements (
    tenant_id      uuid  PRIMARY KEY REFERENCES control.tenants,
    shard          text  NOT NULL DEFAULT 'primary',
    schema_name    text  NOT NULL DEFAULT 'public' CHECK (schema_name ~ '^[a-z_][a-z0-9_]{0,62}$'),
    region         text  NOT NULL DEFAULT '',
    storage_prefix text  NOT NULL UNIQUE,
    keyset         bytea NOT NULL
);
SELECT control.reserve('control.placements', 'SELECT, INSERT, UPDATE', own => true);

-- A person signs in with one e-mail address and one password, whatever number
-- of workspaces they belong to.
CREATE TABLE control.people (
    person_id      uuid        PRIMARY KEY,
    email          text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    password_hash  text,       -- none until the person has chosen a password
    last_tenant_id uuid,       -- where they were last
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX people_email_idx ON control.people (lower(email));
SELECT control.reserve('control.people', 'SELECT, INSERT, UPDATE');

CREATE TABLE control.memberships (
    person_id uuid NOT NULL REFERENCES control.people ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
    user_id   uuid NOT NULL UNIQUE,
    PRIMARY KEY (person_id, tenant_id)
);
SELECT control.reserve('control.memberships', 'SELECT, INSERT, DELETE');

-- token_hash is SHA-256 of what the cookie holds. The row goes when the person
-- signs out; audit_events keeps that it was there.
CREATE TABLE control.sessions (
    session_id   uuid        PRIMARY KEY,
    token_hash   bytea       NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    person_id    uuid        NOT NULL REFERENCES control.people ON DELETE CASCADE,
    tenant_id    uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    idle_seconds integer     NOT NULL,
    expires_at   timestamptz NOT NULL,
    remembered   boolean     NOT NULL,
    address      text        NOT NULL DEFAULT '',
    user_agent   text        NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
CREATE INDEX sessions_person_idx ON control.sessions (person_id, last_seen_at DESC);
CREATE INDEX sessions_expires_idx ON control.sessions (expires_at);
SELECT control.reserve('control.sessions', 'SELECT, INSERT, UPDATE, DELETE');

-- Links that work once: password resets, invitations and the first set-up. A
-- used one is gone.
CREATE TABLE control.one_time_links (
    token_hash bytea       PRIMARY KEY CHECK (length(token_hash) = 32),
    purpose    text        NOT NULL CHECK (purpose IN ('setup', 'reset', 'invite')),
    person_id  uuid        REFERENCES control.people ON DELETE CASCADE,
    tenant_id  uuid, -- of an invitation
    user_id    uuid, -- of an invitation
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX one_time_links_person_idx ON control.one_time_links (person_id);
CREATE INDEX one_time_links_expires_idx ON control.one_time_links (expires_at);
SELECT control.reserve('control.one_time_links', 'SELECT, INSERT, DELETE');

-- Attempts to sign in and the like, by account and by address; key is a
-- SHA-256.
CREATE TABLE control.throttles (
    key           bytea       PRIMARY KEY CHECK (length(key) = 32),
    attempts      integer     NOT NULL,
    blocked_until timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX throttles_updated_idx ON control.throttles (updated_at);
SELECT control.reserve('control.throttles', 'SELECT, INSERT, UPDATE, DELETE');

-- take_attempts counts an attempt against every key before it is made, so that
-- many at once are counted too. It answers 0, or the seconds to wait, and then
-- counts nothing. Beyond a key's free attempts the wait doubles from two
-- seconds up to the key's longest; a key that was quiet for an hour starts
-- afresh.
-- +goose StatementBegin
CREATE FUNCTION control.take_attempts(keys bytea[], free integer[], longest_seconds integer[]) RETURNS double precision
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wait double precision;
BEGIN
    INSERT INTO control.throttles (key, attempts, blocked_until, updated_at)
    SELECT k, 0, now(), now() FROM unnest(keys) k ORDER BY k ON CONFLICT (key) DO NOTHING;
    PERFORM FROM control.throttles WHERE key = ANY (keys) ORDER BY key FOR UPDATE;
    SELECT max(extract(epoch FROM blocked_until - clock_timestamp())) INTO wait FROM control.throttles WHERE key = ANY (keys);
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    UPDATE control.throttles t
    SET attempts = n.attempts, updated_at = clock_timestamp(),
        blocked_until = clock_timestamp() + CASE WHEN n.attempts <= n.free THEN interval '0'
            ELSE LEAST(power(2::float8, LEAST(n.attempts - n.free, 30)), n.longest) * interval '1 second' END
    FROM (
        SELECT o.key, l.free, l.longest, CASE WHEN o.updated_at < now() - interval '1 hour' THEN 1 ELSE o.attempts + 1 END AS attempts
        FROM unnest(keys, free, longest_seconds) AS l (key, free, longest) JOIN control.throttles o ON o.key = l.key
    ) n
    WHERE t.key = n.key;
    RETURN 0;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.take_attempts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.take_attempts TO dataflow_app;

-- open_session finds the live session of a token and binds the transaction to
-- its tenant, user and person, so that what follows in the same round trip sees
-- only their rows. No row, and no binding, for a session that has ended.
-- +goose StatementBegin
CREATE FUNCTION control.open_session(token bytea)
RETURNS TABLE (session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, created_at timestamptz, last_seen_at timestamptz,
    expires_at timestamptz, remembered boolean, slug text, tenant_name text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT s.session_id, s.person_id, s.tenant_id, s.user_id, s.created_at, s.last_seen_at, s.expires_at, s.remembered, t.slug, t.name
    INTO session_id, person_id, tenant_id, user_id, created_at, last_seen_at, expires_at, remembered, slug, tenant_name
    FROM control.sessions s JOIN control.tenants t ON t.tenant_id = s.tenant_id
    WHERE s.token_hash = token AND s.expires_at > now()
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
    PERFORM set_config('app.tenant_id', COALESCE(open_session.tenant_id::text, ''), true),
        set_config('app.user_id', COALESCE(open_session.user_id::text, ''), true),
        set_config('app.person_id', COALESCE(open_session.person_id::text, ''), true);
    IF open_session.session_id IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.open_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.open_session TO dataflow_app;

-- session_workspaces lists where the person of open_session can go.
-- +goose StatementBegin
CREATE FUNCTION control.session_workspaces()
RETURNS TABLE (tenant_id uuid, slug text, name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT t.tenant_id, t.slug, t.name
    FROM control.memberships m JOIN control.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.person_id = NULLIF(current_setting('app.person_id', true), '')::uuid
    ORDER BY lower(t.name), t.slug;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.session_workspaces FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.session_workspaces TO dataflow_app;

-- The workspace's own settings; its name stands in control.tenants.
CREATE TABLE tenants (
    tenant_id  uuid        PRIMARY KEY,
    plan_type  plan_type   NOT NULL DEFAULT 'Professional',
    zone       text        NOT NULL DEFAULT 'UTC',
    locale     text        NOT NULL DEFAULT 'en-GB',
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, plan_type)
);
SELECT control.protect('tenants', 'SELECT, INSERT, UPDATE');

CREATE TYPE user_role AS ENUM ('owner', 'admin', 'editor', 'viewer');

-- A person in one workspace. plan_type follows the tenant's plan. zone and
-- locale are empty where the workspace's apply.
CREATE TABLE users (
    user_id    uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    person_id  uuid        NOT NULL,
    email      text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name       text        NOT NULL DEFAULT '' CHECK (length(name) <= 120),
    role       user_role   NOT NULL,
    plan_type  plan_type   NOT NULL,
    zone       text        NOT NULL DEFAULT '',
    locale     text        NOT NULL DEFAULT '',
    theme      text        NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    shortcuts  boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    invited_at timestamptz, -- until the invitation is taken up
    seen_at    timestamptz, -- to the minute; none before the first visit
    removed_at timestamptz, -- who left keeps the row: what they made is still theirs
    UNIQUE (tenant_id, user_id),
    FOREIGN KEY (tenant_id, plan_type) REFERENCES tenants (tenant_id, plan_type) ON UPDATE CASCADE
);
CREATE UNIQUE INDEX users_email_idx ON users (tenant_id, lower(email));
CREATE UNIQUE INDEX users_person_idx ON users (tenant_id, person_id);
CREATE INDEX users_plan_idx ON users (tenant_id, plan_type);
SELECT control.protect('users', 'SELECT, INSERT, UPDATE');

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
