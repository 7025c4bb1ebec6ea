-- Single sign-on, second factors, domains, and how long sessions last.
-- +goose Up

-- 0 is as the product has it. Roles in second_factor_roles are led to enrol
-- before anything else, where they sign in with a password.
ALTER TABLE tenants
    ADD COLUMN session_idle_minutes integer NOT NULL DEFAULT 0 CHECK (session_idle_minutes BETWEEN 0 AND 10080),
    ADD COLUMN session_max_hours    integer NOT NULL DEFAULT 0 CHECK (session_max_hours BETWEEN 0 AND 720),
    ADD COLUMN second_factor_roles  text[]  NOT NULL DEFAULT '{}';

ALTER TABLE users ADD COLUMN second_factor_at timestamptz; -- null: none
CREATE CONSTRAINT TRIGGER advance_epoch_second_factor AFTER UPDATE OF second_factor_at ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

-- How a session was opened. One that an identity provider opened stays in the
-- workspace of that provider: whoever controls it must not reach another one.
ALTER TABLE control.sessions
    ADD COLUMN method        text NOT NULL DEFAULT 'password' CHECK (method IN ('password', 'saml', 'oidc')),
    ADD COLUMN identity_id   uuid,
    ADD COLUMN session_index text NOT NULL DEFAULT '';
CREATE INDEX sessions_identity_idx ON control.sessions (tenant_id, identity_id) WHERE identity_id IS NOT NULL;
CREATE INDEX sessions_user_idx ON control.sessions (tenant_id, user_id);

-- What has to be known of a workspace before anybody is in it.
CREATE TABLE control.sign_in_policies (
    tenant_id           uuid    PRIMARY KEY REFERENCES control.tenants ON DELETE CASCADE,
    sso_only            boolean NOT NULL DEFAULT false,
    break_glass_user_id uuid,   -- the one owner who may still use a password
    saml                boolean NOT NULL DEFAULT false, -- turned on
    oidc                boolean NOT NULL DEFAULT false,
    CHECK (NOT sso_only OR break_glass_user_id IS NOT NULL AND (saml OR oidc))
);
SELECT control.reserve('control.sign_in_policies', 'SELECT, INSERT, UPDATE', own => true);

-- Domains that a workspace claims. One that is verified by DNS is one
-- workspace's. Who has an address there may join by mail where sign_up_role says as what.
CREATE TABLE control.domains (
    tenant_id    uuid        NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
    domain       text        NOT NULL CHECK (domain = lower(domain) AND length(domain) BETWEEN 3 AND 253),
    token        text        NOT NULL,
    verified_at  timestamptz,
    sign_up_role user_role,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, domain)
);
CREATE UNIQUE INDEX domains_verified_idx ON control.domains (domain) WHERE verified_at IS NOT NULL;
SELECT control.reserve('control.domains', 'SELECT, INSERT, UPDATE, DELETE', own => true);

-- Questions to identity providers that wait for their answer. Each is bound to
-- a browser by its cookie and is answered once.
CREATE TABLE control.sign_in_requests (
    tenant_id    uuid        NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
    kind         text        NOT NULL CHECK (kind IN ('saml', 'saml_logout', 'oidc')),
    protocol_id  text        NOT NULL CHECK (length(protocol_id) <= 200), -- the request's ID, or OIDC's state
    browser_hash bytea       NOT NULL CHECK (length(browser_hash) = 32),
    nonce        text        NOT NULL DEFAULT '',
    verifier     text        NOT NULL DEFAULT '',
    test_user_id uuid,       -- whose test it is: nobody is signed in
    session_id   uuid,       -- that the browser had, and that ends
    invite_hash  bytea,      -- of the invitation that is taken up
    next         text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, kind, protocol_id)
);
CREATE INDEX sign_in_requests_expires_idx ON control.sign_in_requests (expires_at);
SELECT control.reserve('control.sign_in_requests', 'SELECT, INSERT, DELETE');

-- Assertions and log-out requests that were used; key is a SHA-256.
CREATE TABLE control.sign_in_replays (
    tenant_id  uuid        NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
    key        bytea       NOT NULL CHECK (length(key) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX sign_in_replays_expires_idx ON control.sign_in_replays (expires_at);
SELECT control.reserve('control.sign_in_replays', 'SELECT, INSERT, DELETE');

-- Sign-ins that are half done: a second factor is missing, or the proof that an
-- account is somebody's. payload is sealed with the workspace's keys.
CREATE TABLE control.pending_sign_ins (
    token_hash bytea       PRIMARY KEY CHECK (length(token_hash) = 32),
    purpose    text        NOT NULL CHECK (purpose IN ('second_factor', 'link')),
    tenant_id  uuid        NOT NULL REFERENCES control.tenants ON DELETE CASCADE,
    user_id    uuid        NOT NULL,
    person_id  uuid        NOT NULL REFERENCES control.people ON DELETE CASCADE,
    remembered boolean     NOT NULL DEFAULT false,
    session_id uuid,       -- that goes on in another workspace
    payload    bytea       NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_sign_ins_expires_idx ON control.pending_sign_ins (expires_at);
CREATE INDEX pending_sign_ins_person_idx ON control.pending_sign_ins (person_id);
SELECT control.reserve('control.pending_sign_ins', 'SELECT, INSERT, DELETE');

-- A workspace's identity provider, one of each kind. secret is sealed: the
-- keys and certificates of our side, or the client's secret.
CREATE TABLE sso_connections (
    tenant_id     uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('saml', 'oidc')),
    enabled       boolean     NOT NULL DEFAULT false,
    settings      jsonb       NOT NULL DEFAULT '{}',
    secret        bytea       NOT NULL DEFAULT '',
    metadata      text        NOT NULL DEFAULT '', -- of the provider, as it sent it
    refreshed_at  timestamptz, -- when metadata was fetched last
    refresh_error text        NOT NULL DEFAULT '',
    last_test     jsonb,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id),
    UNIQUE (tenant_id, kind)
);
SELECT control.protect('sso_connections');

-- Who somebody is elsewhere. An e-mail address is no part of it.
CREATE TABLE identities (
    tenant_id     uuid        NOT NULL,
    identity_id   uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    connection_id uuid        NOT NULL,
    issuer        text        NOT NULL CHECK (length(issuer) BETWEEN 1 AND 1024),
    subject       text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 1024),
    format        text        NOT NULL DEFAULT '', -- of a NameID
    created_at    timestamptz NOT NULL DEFAULT now(),
    used_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, identity_id),
    UNIQUE (tenant_id, connection_id, issuer, subject),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, connection_id) REFERENCES sso_connections (tenant_id, connection_id) ON DELETE CASCADE
);
CREATE INDEX identities_user_idx ON identities (tenant_id, user_id);
SELECT control.protect('identities');

-- The secret of somebody's authenticator, sealed. last_step is the newest half
-- minute whose code was used: no code counts twice.
CREATE TABLE second_factors (
    tenant_id    uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    secret       bytea       NOT NULL,
    last_step    bigint      NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
SELECT control.protect('second_factors');

-- Codes for who has lost the authenticator, each good once; 80 random bits
-- each, so that a plain SHA-256 hides them.
CREATE TABLE recovery_codes (
    tenant_id uuid  NOT NULL,
    user_id   uuid  NOT NULL,
    code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (tenant_id, user_id, code_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
SELECT control.protect('recovery_codes', 'SELECT, INSERT, DELETE');

-- Both answer the method of a session too.
DROP FUNCTION control.open_session(bytea);
-- +goose StatementBegin
CREATE FUNCTION control.open_session(token bytea)
RETURNS TABLE (session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, created_at timestamptz, last_seen_at timestamptz,
    expires_at timestamptz, remembered boolean, slug text, tenant_name text, method text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT s.session_id, s.person_id, s.tenant_id, s.user_id, s.created_at, s.last_seen_at, s.expires_at, s.remembered, t.slug, t.name, s.method
    INTO session_id, person_id, tenant_id, user_id, created_at, last_seen_at, expires_at, remembered, slug, tenant_name, method
    FROM control.sessions s JOIN control.tenants t ON t.tenant_id = s.tenant_id
    WHERE s.token_hash = token AND s.expires_at > now()
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
    PERFORM set_config('app.tenant_id', COALESCE(open_session.tenant_id::text, ''), true),
        set_config('app.user_id', COALESCE(open_session.user_id::text, ''), true),
        set_config('app.person_id', COALESCE(open_session.person_id::text, ''), true),
        set_config('app.method', COALESCE(open_session.method, ''), true);
    IF open_session.session_id IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.open_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.open_session TO dataflow_app;

-- session_workspaces lists where the person of open_session can go: from a
-- session that an identity provider opened, nowhere else.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION control.session_workspaces()
RETURNS TABLE (tenant_id uuid, slug text, name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT t.tenant_id, t.slug, t.name
    FROM control.memberships m JOIN control.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.person_id = NULLIF(current_setting('app.person_id', true), '')::uuid
      AND (current_setting('app.method', true) = 'password'
        OR m.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    ORDER BY lower(t.name), t.slug;
END
$$;
-- +goose StatementEnd

DROP FUNCTION control.check_sessions(bytea[]);
-- +goose StatementBegin
CREATE FUNCTION control.check_sessions(tokens bytea[])
RETURNS TABLE (n bigint, session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, last_seen_at timestamptz, expires_at timestamptz,
    remembered boolean, epoch bigint, method text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT t.place, s.session_id, s.person_id, s.tenant_id, s.user_id, s.last_seen_at, s.expires_at, s.remembered,
        COALESCE(e.epoch, 0), s.method
    FROM unnest(tokens) WITH ORDINALITY t (token, place) JOIN control.sessions s ON s.token_hash = t.token
        LEFT JOIN control.epochs e ON e.tenant_id = s.tenant_id
    WHERE s.expires_at > now() AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.check_sessions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.check_sessions TO dataflow_app;
