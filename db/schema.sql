-- The schema after all migrations. Written by: go test ./db -run TestSchemaDump -update

CREATE SCHEMA control;

CREATE TYPE public.data_source_type AS ENUM (
    'SQL',
    'API',
    'CSV',
    'JSON',
    'Parquet',
    'XLSX',
    'S3',
    'Kafka',
    'Events',
    'Replay'
);

CREATE TYPE public.plan_type AS ENUM (
    'Starter',
    'Professional',
    'Enterprise'
);

CREATE TYPE public.report_format AS ENUM (
    'PDF',
    'CSV',
    'XLSX',
    'NDJSON',
    'PNG',
    'SVG',
    'PARQUET'
);

CREATE TYPE public.report_status AS ENUM (
    'Pending',
    'Running',
    'Completed',
    'Failed',
    'Cancelled'
);

CREATE TYPE public.user_role AS ENUM (
    'owner',
    'admin',
    'editor',
    'viewer'
);

CREATE FUNCTION control.advance_epoch(tenant uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    mark text := pg_current_xact_id()::text || ' ' || tenant::text;
BEGIN
    IF tenant IS NULL OR current_setting('app.advanced', true) = mark THEN
        RETURN;
    END IF;
    INSERT INTO control.epochs AS e (tenant_id, epoch) VALUES (tenant, 1)
    ON CONFLICT (tenant_id) DO UPDATE SET epoch = e.epoch + 1;
    PERFORM set_config('app.advanced', mark, true);
END
$$;

CREATE FUNCTION control.check_sessions(tokens bytea[]) RETURNS TABLE(n bigint, session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, last_seen_at timestamp with time zone, expires_at timestamp with time zone, remembered boolean, epoch bigint, method text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY SELECT t.place, s.session_id, s.person_id, s.tenant_id, s.user_id, s.last_seen_at, s.expires_at, s.remembered,
        COALESCE(e.epoch, 0), s.method
    FROM unnest(tokens) WITH ORDINALITY t (token, place) JOIN control.sessions s ON s.token_hash = t.token
        LEFT JOIN control.epochs e ON e.tenant_id = s.tenant_id
    WHERE s.expires_at > now() AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
END
$$;

CREATE FUNCTION control.membership_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    person uuid := COALESCE(NEW.person_id, OLD.person_id);
    tenant uuid := COALESCE(NEW.tenant_id, OLD.tenant_id);
BEGIN
    PERFORM control.advance_epoch(one) FROM (SELECT tenant AS one UNION SELECT m.tenant_id FROM control.memberships m
        WHERE m.person_id = person ORDER BY one) reached;
    RETURN NULL;
END
$$;

CREATE FUNCTION control.open_session(token bytea) RETURNS TABLE(session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, created_at timestamp with time zone, last_seen_at timestamp with time zone, expires_at timestamp with time zone, remembered boolean, slug text, tenant_name text, method text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION control.protect(target regclass, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant_rows ON %s'
        ' USING (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)'
        ' WITH CHECK (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)', target);
    EXECUTE format('GRANT %s ON %s TO dataflow_app', privileges, target);
END
$$;

CREATE FUNCTION control.reserve(target regclass, privileges text, own boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION control.row_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM control.advance_epoch(COALESCE(NEW.tenant_id, OLD.tenant_id));
    RETURN NULL;
END
$$;

CREATE FUNCTION control.session_workspaces() RETURNS TABLE(tenant_id uuid, slug text, name text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY SELECT t.tenant_id, t.slug, t.name
    FROM control.memberships m JOIN control.tenants t ON t.tenant_id = m.tenant_id
    WHERE m.person_id = NULLIF(current_setting('app.person_id', true), '')::uuid
      AND (current_setting('app.method', true) = 'password'
        OR m.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    ORDER BY lower(t.name), t.slug;
END
$$;

CREATE FUNCTION control.take_attempts(keys bytea[], free integer[], longest_seconds integer[]) RETURNS double precision
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION control.watch(target regclass, columns text DEFAULT ''::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format('CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE %s ON %s'
        ' DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed()',
        CASE WHEN columns <> '' THEN 'OF ' || columns ELSE '' END, target);
END
$$;

CREATE FUNCTION control.workspace_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM control.advance_epoch(one) FROM (SELECT NEW.tenant_id AS one UNION SELECT o.tenant_id
        FROM control.memberships m JOIN control.memberships o ON o.person_id = m.person_id
        WHERE m.tenant_id = NEW.tenant_id ORDER BY one) reached;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.access_outside() RETURNS boolean
    LANGUAGE sql STABLE
    AS $$ SELECT COALESCE('00000000-0000-0000-0000-000000000004' = ANY (access_subjects()), false) $$;

CREATE FUNCTION public.access_subjects() RETURNS uuid[]
    LANGUAGE sql STABLE
    AS $$ SELECT NULLIF(current_setting('app.subjects', true), '')::uuid[] $$;

CREATE FUNCTION public.apply_grant() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
    g access_grants := COALESCE(NEW, OLD);
BEGIN
    PERFORM set_config('app.subjects', '', true);
    UPDATE folders f SET parent_id = f.parent_id WHERE f.tenant_id = g.tenant_id AND f.folder_id = g.folder_id;
    UPDATE dashboards d SET folder_id = d.folder_id WHERE d.tenant_id = g.tenant_id AND d.dashboard_id = g.dashboard_id;
    UPDATE datasets s SET restricted = s.restricted WHERE s.tenant_id = g.tenant_id AND s.dataset_id = g.dataset_id;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.audit_erase(person uuid, words text[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    tenant uuid := NULLIF(current_setting('app.tenant_id', true), '')::uuid;
    one    bigint;
    two    bigint;
BEGIN
    UPDATE public.audit_details d SET who = NULL, who_salt = NULL FROM public.audit_events e
    WHERE d.tenant_id = tenant AND e.tenant_id = tenant AND e.audit_id = d.audit_id AND d.who IS NOT NULL
      AND (e.user_id = person OR EXISTS (SELECT FROM unnest(words) w WHERE w <> '' AND lower(d.who ->> 'email') = lower(w)));
    GET DIAGNOSTICS one = ROW_COUNT;
    UPDATE public.audit_details d SET what = NULL, what_salt = NULL FROM public.audit_events e
    WHERE d.tenant_id = tenant AND e.tenant_id = tenant AND e.audit_id = d.audit_id AND d.what IS NOT NULL
      AND (e.target_kind = 'user' AND e.target_id = person::text
        OR EXISTS (SELECT FROM unnest(words) w WHERE w <> '' AND strpos(lower(d.what::text), lower(w)) > 0));
    GET DIAGNOSTICS two = ROW_COUNT;
    RETURN one + two;
END
$$;

CREATE FUNCTION public.audit_prune() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    tenant  uuid := NULLIF(current_setting('app.tenant_id', true), '')::uuid;
    kept    interval := make_interval(days => (SELECT t.audit_days FROM public.tenants t WHERE t.tenant_id = tenant));
    waits   bigint := COALESCE((SELECT f.sent FROM public.audit_forwards f WHERE f.tenant_id = tenant), 9223372036854775807);
    keep    bigint;
    last    public.audit_batches%ROWTYPE;
    removed bigint;
BEGIN
    PERFORM FROM public.audit_chains c WHERE c.tenant_id = tenant FOR UPDATE;
    SELECT min(b.batch) INTO keep FROM public.audit_batches b
    WHERE b.tenant_id = tenant AND (GREATEST(b.last_at, b.sealed_at) >= now() - kept
        OR b.batch > waits AND GREATEST(b.last_at, b.sealed_at) >= now() - 2 * kept);
    SELECT * INTO last FROM (SELECT * FROM public.audit_batches b WHERE b.tenant_id = tenant AND (keep IS NULL OR b.batch < keep)
        ORDER BY b.batch LIMIT 200) old ORDER BY old.batch DESC LIMIT 1;
    IF last.batch IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM public.audit_events e WHERE e.tenant_id = tenant AND e.batch <= last.batch;
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM public.audit_batches b WHERE b.tenant_id = tenant AND b.batch <= last.batch;
    UPDATE public.audit_chains c SET checkpoint = last.batch, checkpoint_hash = last.hash, checkpoint_at = now() WHERE c.tenant_id = tenant;
    RETURN removed;
END
$$;

CREATE FUNCTION public.audit_seal(entry_ids uuid[], chain_before bytea, chain_after bytea) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    tenant uuid := NULLIF(current_setting('app.tenant_id', true), '')::uuid;
    head   public.audit_chains%ROWTYPE;
    newest timestamptz;
    sealed integer;
BEGIN
    INSERT INTO public.audit_chains (tenant_id, batch, hash) VALUES (tenant, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT (tenant_id) DO NOTHING;
    SELECT * INTO head FROM public.audit_chains c WHERE c.tenant_id = tenant FOR UPDATE;
    IF head.hash <> chain_before THEN
        RAISE EXCEPTION 'the chain has gone on meanwhile' USING ERRCODE = '40001';
    END IF;
    UPDATE public.audit_events e SET batch = head.batch + 1, place = n.place
    FROM unnest(entry_ids) WITH ORDINALITY n (id, place)
    WHERE e.tenant_id = tenant AND e.audit_id = n.id AND e.batch IS NULL;
    GET DIAGNOSTICS sealed = ROW_COUNT;
    IF sealed = 0 OR sealed <> cardinality(entry_ids) THEN
        RAISE EXCEPTION 'sealed % of % entries', sealed, cardinality(entry_ids);
    END IF;
    SELECT max(e.at) INTO newest FROM public.audit_events e WHERE e.tenant_id = tenant AND e.batch = head.batch + 1;
    INSERT INTO public.audit_batches (tenant_id, batch, entries, last_at, sealed_at, hash)
    VALUES (tenant, head.batch + 1, sealed, newest, clock_timestamp(), chain_after);
    UPDATE public.audit_chains c SET batch = head.batch + 1, hash = chain_after WHERE c.tenant_id = tenant;
    RETURN head.batch + 1;
END
$$;

CREATE FUNCTION public.derive_access() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
    object uuid;
    folder uuid;
    owner  uuid;
BEGIN
    PERFORM set_config('app.subjects', '', true);
    IF TG_TABLE_NAME = 'folders' THEN
        object := NEW.folder_id; folder := NEW.parent_id; owner := NEW.user_id;
    ELSIF TG_TABLE_NAME = 'dashboards' THEN
        object := NEW.dashboard_id; folder := NEW.folder_id; owner := NEW.user_id;
    ELSE
        object := NEW.dataset_id; owner := NEW.created_by;
    END IF;
    NEW.readers := NULL;
    NEW.writers := NULL;
    IF NEW.restricted THEN
        NEW.readers := '{}';
        NEW.writers := '{}';
    ELSIF folder IS NOT NULL THEN
        SELECT f.readers, f.writers INTO NEW.readers, NEW.writers FROM folders f
        WHERE f.tenant_id = NEW.tenant_id AND f.folder_id = folder;
    END IF;
    IF NEW.readers IS NOT NULL THEN
        SELECT ARRAY(SELECT unnest(NEW.readers) UNION SELECT owner WHERE owner IS NOT NULL
                     UNION SELECT g.subject_id FROM access_grants g WHERE g.tenant_id = NEW.tenant_id AND g.object_id = object ORDER BY 1),
               ARRAY(SELECT unnest(NEW.writers) UNION SELECT owner WHERE owner IS NOT NULL
                     UNION SELECT g.subject_id FROM access_grants g WHERE g.tenant_id = NEW.tenant_id AND g.object_id = object AND g.edit ORDER BY 1)
        INTO NEW.readers, NEW.writers;
    END IF;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.is_among(list uuid[], tenant uuid, person uuid, person_role public.user_role) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT list IS NULL OR person_role IN ('owner', 'admin') OR person = ANY (list)
        OR '00000000-0000-0000-0000-000000000001' = ANY (list)
        OR (person_role = 'editor' AND '00000000-0000-0000-0000-000000000002' = ANY (list))
        OR EXISTS (SELECT 1 FROM user_group_members m WHERE m.tenant_id = tenant AND m.user_id = person AND m.group_id = ANY (list))
$$;

CREATE FUNCTION public.may_access(list uuid[]) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$ SELECT access_subjects() IS NULL OR (list IS NULL AND NOT access_outside()) OR COALESCE(list && access_subjects(), false) $$;

CREATE FUNCTION public.pass_access_on() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
BEGIN
    PERFORM set_config('app.subjects', '', true);
    UPDATE folders f SET parent_id = f.parent_id WHERE f.tenant_id = NEW.tenant_id AND f.parent_id = NEW.folder_id;
    UPDATE dashboards d SET folder_id = d.folder_id WHERE d.tenant_id = NEW.tenant_id AND d.folder_id = NEW.folder_id;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.person_attributes(person uuid) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    SELECT COALESCE(jsonb_object_agg(a.name, a.vals), '{}') FROM (
        SELECT one.name, jsonb_agg(DISTINCT one.val) AS vals FROM (
            SELECT a.name, unnest(a.vals) AS val FROM member_attributes a
            WHERE a.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND a.user_id = person
            UNION ALL
            SELECT g.name, unnest(g.vals) FROM group_attributes g
            JOIN user_group_members m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
            WHERE m.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND m.user_id = person
        ) one GROUP BY one.name
    ) a
$$;

CREATE FUNCTION public.revise_ruled() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
BEGIN
    PERFORM set_config('app.subjects', '', true);
    IF TG_TABLE_NAME = 'dataset_rules' THEN
        UPDATE datasets d SET revision = d.revision + 1 WHERE d.tenant_id = COALESCE(NEW.tenant_id, OLD.tenant_id)
            AND d.dataset_id = COALESCE(NEW.dataset_id, OLD.dataset_id);
    ELSE
        UPDATE datasets d SET revision = d.revision + 1 FROM dataset_rules r WHERE r.tenant_id = COALESCE(NEW.tenant_id, OLD.tenant_id)
            AND r.rule_id = COALESCE(NEW.rule_id, OLD.rule_id) AND d.tenant_id = r.tenant_id AND d.dataset_id = r.dataset_id;
    END IF;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.see_as(person uuid, person_role public.user_role) RETURNS uuid[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    groups uuid[] := ARRAY(SELECT m.group_id FROM user_group_members m
        WHERE m.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND m.user_id = person ORDER BY m.group_id);
BEGIN
    PERFORM set_config('app.subjects', CASE WHEN person_role IN ('owner', 'admin') THEN ''
        ELSE (ARRAY[person, '00000000-0000-0000-0000-000000000001'::uuid]
            || CASE WHEN person_role = 'editor' THEN ARRAY['00000000-0000-0000-0000-000000000002'::uuid] END || groups)::text END, true);
    RETURN groups;
END
$$;

CREATE TABLE control.domains (
    tenant_id uuid NOT NULL,
    domain text NOT NULL,
    token text NOT NULL,
    verified_at timestamp with time zone,
    sign_up_role public.user_role,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT domains_domain_check CHECK (((domain = lower(domain)) AND ((length(domain) >= 3) AND (length(domain) <= 253))))
);

CREATE TABLE control.epochs (
    tenant_id uuid NOT NULL,
    epoch bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE control.jobs (
    job_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid,
    kind text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    payload jsonb NOT NULL,
    queue text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    released integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_until timestamp with time zone,
    worker text DEFAULT ''::text NOT NULL,
    unique_key text,
    progress jsonb DEFAULT '{}'::jsonb NOT NULL,
    cancel_requested boolean DEFAULT false NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT jobs_kind_check CHECK ((kind ~ '^[a-z0-9_]+:[a-z0-9_]+$'::text)),
    CONSTRAINT jobs_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])))
)
WITH (fillfactor='80');

ALTER TABLE ONLY control.jobs FORCE ROW LEVEL SECURITY;

CREATE TABLE control.memberships (
    person_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL
);

CREATE TABLE control.one_time_links (
    token_hash bytea NOT NULL,
    purpose text NOT NULL,
    person_id uuid,
    tenant_id uuid,
    user_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    providers text[],
    CONSTRAINT one_time_links_purpose_check CHECK ((purpose = ANY (ARRAY['setup'::text, 'reset'::text, 'invite'::text, 'connect'::text]))),
    CONSTRAINT one_time_links_token_hash_check CHECK ((length(token_hash) = 32))
);

CREATE TABLE control.outbox (
    seq bigint NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    entity_id uuid NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone,
    told_at timestamp with time zone,
    tell_after timestamp with time zone DEFAULT now() NOT NULL,
    tell_tries integer DEFAULT 0 NOT NULL
);

ALTER TABLE ONLY control.outbox FORCE ROW LEVEL SECURITY;

ALTER TABLE control.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE control.pending_sign_ins (
    token_hash bytea NOT NULL,
    purpose text NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    person_id uuid NOT NULL,
    remembered boolean DEFAULT false NOT NULL,
    session_id uuid,
    payload bytea DEFAULT '\x'::bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT pending_sign_ins_purpose_check CHECK ((purpose = ANY (ARRAY['second_factor'::text, 'link'::text]))),
    CONSTRAINT pending_sign_ins_token_hash_check CHECK ((length(token_hash) = 32))
);

CREATE TABLE control.people (
    person_id uuid NOT NULL,
    email text NOT NULL,
    password_hash text,
    last_tenant_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT people_email_check CHECK (((length(email) >= 3) AND (length(email) <= 254)))
);

CREATE TABLE control.placements (
    tenant_id uuid NOT NULL,
    shard text DEFAULT 'primary'::text NOT NULL,
    schema_name text DEFAULT 'public'::text NOT NULL,
    region text DEFAULT ''::text NOT NULL,
    storage_prefix text NOT NULL,
    keyset bytea NOT NULL,
    CONSTRAINT placements_schema_name_check CHECK ((schema_name ~ '^[a-z_][a-z0-9_]{0,62}$'::text))
);

CREATE TABLE control.portal_hosts (
    host text NOT NULL,
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    verified_at timestamp with time zone,
    failing_at timestamp with time zone,
    CONSTRAINT portal_hosts_host_check CHECK (((host = lower(host)) AND ((length(host) >= 3) AND (length(host) <= 253))))
);

CREATE TABLE control.schedules (
    name text NOT NULL,
    last_slot timestamp with time zone NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE control.sessions (
    session_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    idle_seconds integer NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    remembered boolean NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    method text DEFAULT 'password'::text NOT NULL,
    identity_id uuid,
    session_index text DEFAULT ''::text NOT NULL,
    CONSTRAINT sessions_method_check CHECK ((method = ANY (ARRAY['password'::text, 'saml'::text, 'oidc'::text]))),
    CONSTRAINT sessions_token_hash_check CHECK ((length(token_hash) = 32))
)
WITH (fillfactor='80');

CREATE TABLE control.sign_in_policies (
    tenant_id uuid NOT NULL,
    sso_only boolean DEFAULT false NOT NULL,
    break_glass_user_id uuid,
    saml boolean DEFAULT false NOT NULL,
    oidc boolean DEFAULT false NOT NULL,
    CONSTRAINT sign_in_policies_check CHECK (((NOT sso_only) OR ((break_glass_user_id IS NOT NULL) AND (saml OR oidc))))
);

CREATE TABLE control.sign_in_replays (
    tenant_id uuid NOT NULL,
    key bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT sign_in_replays_key_check CHECK ((length(key) = 32))
);

CREATE TABLE control.sign_in_requests (
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    protocol_id text NOT NULL,
    browser_hash bytea NOT NULL,
    nonce text DEFAULT ''::text NOT NULL,
    verifier text DEFAULT ''::text NOT NULL,
    test_user_id uuid,
    session_id uuid,
    invite_hash bytea,
    next text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    portal_id uuid,
    CONSTRAINT sign_in_requests_browser_hash_check CHECK ((length(browser_hash) = 32)),
    CONSTRAINT sign_in_requests_kind_check CHECK ((kind = ANY (ARRAY['saml'::text, 'saml_logout'::text, 'oidc'::text]))),
    CONSTRAINT sign_in_requests_protocol_id_check CHECK ((length(protocol_id) <= 200))
);

CREATE TABLE control.tenants (
    tenant_id uuid NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120))),
    CONSTRAINT tenants_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$|^[a-z0-9]$'::text))
);

CREATE TABLE control.throttles (
    key bytea NOT NULL,
    attempts integer NOT NULL,
    blocked_until timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT throttles_key_check CHECK ((length(key) = 32))
);

CREATE TABLE public.access_grants (
    tenant_id uuid NOT NULL,
    folder_id uuid,
    dashboard_id uuid,
    dataset_id uuid,
    user_id uuid,
    group_id uuid,
    role text,
    edit boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    object_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    CONSTRAINT access_grants_check CHECK (((num_nonnulls(folder_id, dashboard_id, dataset_id) = 1) AND (object_id = COALESCE(folder_id, dashboard_id, dataset_id)))),
    CONSTRAINT access_grants_check1 CHECK (((num_nonnulls(user_id, group_id, role) = 1) AND (subject_id = COALESCE(user_id, group_id,
CASE role
    WHEN 'viewer'::text THEN '00000000-0000-0000-0000-000000000001'::uuid
    WHEN 'editor'::text THEN '00000000-0000-0000-0000-000000000002'::uuid
    ELSE NULL::uuid
END)))),
    CONSTRAINT access_grants_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'editor'::text])))
);

ALTER TABLE ONLY public.access_grants FORCE ROW LEVEL SECURITY;

CREATE TABLE public.alert_events (
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    group_key text DEFAULT ''::text NOT NULL,
    labels text[] DEFAULT '{}'::text[] NOT NULL,
    kind text NOT NULL,
    from_state text DEFAULT ''::text NOT NULL,
    to_state text DEFAULT ''::text NOT NULL,
    value double precision,
    low double precision,
    high double precision,
    period timestamp with time zone,
    text text DEFAULT ''::text NOT NULL,
    muted boolean DEFAULT false NOT NULL,
    user_id uuid,
    at timestamp with time zone NOT NULL,
    CONSTRAINT alert_events_kind_check CHECK (((length(kind) >= 1) AND (length(kind) <= 40)))
);

ALTER TABLE ONLY public.alert_events FORCE ROW LEVEL SECURITY;

CREATE TABLE public.alert_notices (
    tenant_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    user_id uuid,
    channel_id uuid,
    to_name text NOT NULL,
    body jsonb NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    handed_at timestamp with time zone,
    resent boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    CONSTRAINT alert_notices_state_check CHECK ((state = ANY (ARRAY['due'::text, 'told'::text, 'sent'::text, 'failed'::text])))
);

ALTER TABLE ONLY public.alert_notices FORCE ROW LEVEL SECURITY;

CREATE TABLE public.alert_recipients (
    tenant_id uuid NOT NULL,
    recipient_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    user_id uuid,
    channel_id uuid,
    later boolean DEFAULT false NOT NULL,
    CONSTRAINT alert_recipients_check CHECK (((user_id IS NULL) <> (channel_id IS NULL)))
);

ALTER TABLE ONLY public.alert_recipients FORCE ROW LEVEL SECURITY;

CREATE TABLE public.alert_states (
    tenant_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    group_key text NOT NULL,
    labels text[] DEFAULT '{}'::text[] NOT NULL,
    state text NOT NULL,
    since timestamp with time zone NOT NULL,
    beyond_since timestamp with time zone,
    value double precision,
    low double precision,
    high double precision,
    period timestamp with time zone,
    acked_at timestamp with time zone,
    acked_by uuid,
    escalate_at timestamp with time zone,
    owed boolean DEFAULT false NOT NULL,
    CONSTRAINT alert_states_state_check CHECK ((state = ANY (ARRAY['ok'::text, 'firing'::text, 'no_data'::text])))
);

ALTER TABLE ONLY public.alert_states FORCE ROW LEVEL SECURITY;

CREATE TABLE public.alerts (
    tenant_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    dashboard_id uuid,
    widget_id text DEFAULT ''::text NOT NULL,
    name text NOT NULL,
    watch jsonb NOT NULL,
    condition jsonb NOT NULL,
    manner jsonb NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    state text DEFAULT 'ok'::text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    firing integer DEFAULT 0 NOT NULL,
    groups integer DEFAULT 0 NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    evaluated_at timestamp with time zone,
    evaluated_version bigint DEFAULT 0 NOT NULL,
    next_at timestamp with time zone,
    snoozed_until timestamp with time zone,
    paused_at timestamp with time zone,
    paused_by uuid,
    paused_why text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT alerts_name_check CHECK (((length(name) >= 1) AND (length(name) <= 300))),
    CONSTRAINT alerts_paused_why_check CHECK ((paused_why = ANY (ARRAY[''::text, 'person'::text, 'owner_left'::text]))),
    CONSTRAINT alerts_state_check CHECK ((state = ANY (ARRAY['ok'::text, 'firing'::text, 'no_data'::text, 'error'::text]))),
    CONSTRAINT alerts_widget_id_check CHECK ((length(widget_id) <= 64))
);

ALTER TABLE ONLY public.alerts FORCE ROW LEVEL SECURITY;

CREATE TABLE public.api_keys (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    role public.user_role NOT NULL,
    custom_role_id uuid,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_check CHECK (((revoked_at IS NULL) OR (custom_role_id IS NULL))),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80))),
    CONSTRAINT api_keys_role_check CHECK ((role <> 'owner'::public.user_role)),
    CONSTRAINT api_keys_secret_hash_check CHECK ((length(secret_hash) = 32))
);

ALTER TABLE ONLY public.api_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.audit_batches (
    tenant_id uuid NOT NULL,
    batch bigint NOT NULL,
    entries integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_batches_batch_check CHECK ((batch > 0)),
    CONSTRAINT audit_batches_entries_check CHECK ((entries > 0)),
    CONSTRAINT audit_batches_hash_check CHECK ((length(hash) = 32))
);

ALTER TABLE ONLY public.audit_batches FORCE ROW LEVEL SECURITY;

CREATE TABLE public.audit_chains (
    tenant_id uuid NOT NULL,
    batch bigint NOT NULL,
    hash bytea NOT NULL,
    checkpoint bigint DEFAULT 0 NOT NULL,
    checkpoint_hash bytea DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea NOT NULL,
    checkpoint_at timestamp with time zone
);

ALTER TABLE ONLY public.audit_chains FORCE ROW LEVEL SECURITY;

CREATE TABLE public.audit_details (
    tenant_id uuid NOT NULL,
    audit_id uuid NOT NULL,
    who jsonb,
    who_salt bytea,
    what jsonb,
    what_salt bytea
);

ALTER TABLE ONLY public.audit_details FORCE ROW LEVEL SECURITY;

CREATE TABLE public.audit_events (
    tenant_id uuid NOT NULL,
    audit_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor_kind text NOT NULL,
    user_id uuid,
    action text NOT NULL,
    target_kind text DEFAULT ''::text NOT NULL,
    target_id text DEFAULT ''::text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    outcome text DEFAULT 'allowed'::text NOT NULL,
    request_id text DEFAULT ''::text NOT NULL,
    who_digest bytea,
    what_digest bytea,
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    batch bigint,
    place integer,
    CONSTRAINT audit_events_check CHECK (((batch IS NULL) = (place IS NULL))),
    CONSTRAINT audit_events_outcome_check CHECK ((outcome = ANY (ARRAY['allowed'::text, 'denied'::text]))),
    CONSTRAINT audit_events_what_digest_check CHECK ((length(what_digest) = 32)),
    CONSTRAINT audit_events_who_digest_check CHECK ((length(who_digest) = 32))
);

ALTER TABLE ONLY public.audit_events FORCE ROW LEVEL SECURITY;

CREATE TABLE public.audit_forwards (
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    address text NOT NULL,
    secret bytea,
    sent bigint DEFAULT 0 NOT NULL,
    sent_at timestamp with time zone,
    error text DEFAULT ''::text NOT NULL,
    failed_at timestamp with time zone,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT audit_forwards_address_check CHECK (((length(address) >= 1) AND (length(address) <= 500))),
    CONSTRAINT audit_forwards_kind_check CHECK ((kind = ANY (ARRAY['syslog'::text, 'hec'::text])))
);

ALTER TABLE ONLY public.audit_forwards FORCE ROW LEVEL SECURITY;

CREATE TABLE public.channels (
    tenant_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    shown text NOT NULL,
    sealed bytea NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT channels_kind_check CHECK ((kind = ANY (ARRAY['webhook'::text, 'slack'::text, 'pagerduty'::text, 's3'::text, 'sftp'::text]))),
    CONSTRAINT channels_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100)))
);

ALTER TABLE ONLY public.channels FORCE ROW LEVEL SECURITY;

CREATE TABLE public.comment_threads (
    tenant_id uuid NOT NULL,
    thread_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    widget_id text DEFAULT ''::text NOT NULL,
    state text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    resolved_by uuid,
    CONSTRAINT comment_threads_state_check CHECK ((octet_length(state) <= 32768)),
    CONSTRAINT comment_threads_widget_id_check CHECK ((length(widget_id) <= 64))
);

ALTER TABLE ONLY public.comment_threads FORCE ROW LEVEL SECURITY;

CREATE TABLE public.comments (
    tenant_id uuid NOT NULL,
    comment_id uuid NOT NULL,
    thread_id uuid NOT NULL,
    user_id uuid NOT NULL,
    text text NOT NULL,
    mentions uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    edited_at timestamp with time zone,
    deleted_at timestamp with time zone,
    seen_as text DEFAULT ''::text NOT NULL,
    CONSTRAINT comments_text_check CHECK (((length(text) >= 1) AND (length(text) <= 4000)))
);

ALTER TABLE ONLY public.comments FORCE ROW LEVEL SECURITY;

CREATE TABLE public.custom_roles (
    tenant_id uuid NOT NULL,
    role_id uuid NOT NULL,
    name text NOT NULL,
    permissions text[] NOT NULL,
    standing public.user_role GENERATED ALWAYS AS (
CASE
    WHEN ('content.edit'::text = ANY (permissions)) THEN 'editor'::public.user_role
    ELSE 'viewer'::public.user_role
END) STORED NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT custom_roles_name_check CHECK (((length(name) >= 1) AND (length(name) <= 60))),
    CONSTRAINT custom_roles_permissions_check CHECK ((('content.view'::text = ANY (permissions)) AND (permissions <@ ARRAY['content.view'::text, 'content.edit'::text, 'reports.send_outside'::text, 'data.manage'::text, 'members.manage'::text, 'workspace.manage'::text, 'portals.manage'::text, 'embedding.manage'::text, 'audit.view'::text])))
);

ALTER TABLE ONLY public.custom_roles FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboard_data_sources (
    tenant_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    ds_id uuid
);

ALTER TABLE ONLY public.dashboard_data_sources FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboard_operations (
    tenant_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    rev bigint NOT NULL,
    op_id uuid NOT NULL,
    path text NOT NULL,
    before jsonb,
    after jsonb,
    user_id uuid,
    at timestamp with time zone DEFAULT now() NOT NULL,
    change_id uuid,
    undoes uuid,
    schema smallint DEFAULT 1 NOT NULL,
    seen_rev bigint
);

ALTER TABLE ONLY public.dashboard_operations FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboard_saved_views (
    tenant_id uuid NOT NULL,
    view_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dashboard_saved_views_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80))),
    CONSTRAINT dashboard_saved_views_state_check CHECK ((octet_length(state) <= 32768))
);

ALTER TABLE ONLY public.dashboard_saved_views FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboard_templates (
    tenant_id uuid NOT NULL,
    template_id uuid NOT NULL,
    user_id uuid,
    name text NOT NULL,
    about text DEFAULT ''::text NOT NULL,
    config jsonb NOT NULL,
    sources jsonb NOT NULL,
    titles text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT dashboard_templates_about_check CHECK ((length(about) <= 300)),
    CONSTRAINT dashboard_templates_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.dashboard_templates FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboard_versions (
    tenant_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    number integer NOT NULL,
    rev bigint NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    published boolean NOT NULL,
    config jsonb NOT NULL,
    user_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    dashboard_name text,
    CONSTRAINT dashboard_versions_name_check CHECK ((length(name) <= 120))
);

ALTER TABLE ONLY public.dashboard_versions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboard_views (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    opened_at timestamp with time zone,
    starred_at timestamp with time zone
);

ALTER TABLE ONLY public.dashboard_views FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dashboards (
    tenant_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    user_id uuid,
    name text NOT NULL,
    config jsonb NOT NULL,
    rev bigint DEFAULT 1 NOT NULL,
    folder_id uuid,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    search_text text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    published_config jsonb,
    published_rev bigint,
    published_at timestamp with time zone,
    unpublished boolean DEFAULT false NOT NULL,
    restricted boolean DEFAULT false NOT NULL,
    readers uuid[],
    writers uuid[],
    draft_name text,
    CONSTRAINT dashboards_draft_name_check CHECK (((length(draft_name) >= 1) AND (length(draft_name) <= 120))),
    CONSTRAINT dashboards_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.dashboards FORCE ROW LEVEL SECURITY;

CREATE TABLE public.data_sources (
    tenant_id uuid NOT NULL,
    ds_id uuid NOT NULL,
    name text NOT NULL,
    type public.data_source_type NOT NULL,
    connection jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_updated timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT data_sources_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

ALTER TABLE ONLY public.data_sources FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_appends (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    append_key text NOT NULL,
    version bigint NOT NULL,
    row_count bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dataset_appends_append_key_check CHECK (((length(append_key) >= 1) AND (length(append_key) <= 200)))
);

ALTER TABLE ONLY public.dataset_appends FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_column_gaps (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    column_id integer NOT NULL,
    dropped_in bigint NOT NULL,
    restored_in bigint NOT NULL,
    CONSTRAINT dataset_column_gaps_check CHECK ((restored_in > dropped_in))
);

ALTER TABLE ONLY public.dataset_column_gaps FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_columns (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    column_id integer NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    "precision" smallint DEFAULT 0 NOT NULL,
    scale smallint DEFAULT 0 NOT NULL,
    role text DEFAULT ''::text NOT NULL,
    format jsonb DEFAULT '{}'::jsonb NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    former_names text[] DEFAULT '{}'::text[] NOT NULL,
    reading jsonb DEFAULT '{}'::jsonb NOT NULL,
    "position" integer NOT NULL,
    added_in bigint NOT NULL,
    dropped_in bigint,
    CONSTRAINT dataset_columns_column_id_check CHECK (((column_id >= 1) AND (column_id <= 999999))),
    CONSTRAINT dataset_columns_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT dataset_columns_role_check CHECK ((role = ANY (ARRAY[''::text, 'latitude'::text, 'longitude'::text]))),
    CONSTRAINT dataset_columns_type_check CHECK ((type = ANY (ARRAY['integer'::text, 'decimal'::text, 'float'::text, 'boolean'::text, 'date'::text, 'timestamp'::text, 'timestamptz'::text, 'text'::text])))
);

ALTER TABLE ONLY public.dataset_columns FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_fields (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    name text NOT NULL,
    expression text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    format jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT dataset_fields_expression_check CHECK (((octet_length(expression) >= 1) AND (octet_length(expression) <= 4000))),
    CONSTRAINT dataset_fields_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.dataset_fields FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_lookups (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    name text NOT NULL,
    column_id integer NOT NULL,
    target_id uuid NOT NULL,
    key_column_id integer NOT NULL,
    CONSTRAINT dataset_lookups_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.dataset_lookups FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_measures (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    format jsonb DEFAULT '{}'::jsonb NOT NULL,
    measure jsonb NOT NULL,
    CONSTRAINT dataset_measures_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.dataset_measures FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_profiles (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    version bigint NOT NULL,
    revision bigint NOT NULL,
    profile jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.dataset_profiles FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_rule_subjects (
    tenant_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    excepted boolean NOT NULL,
    user_id uuid,
    group_id uuid,
    role text,
    subject_id uuid NOT NULL,
    CONSTRAINT dataset_rule_subjects_check CHECK (((num_nonnulls(user_id, group_id, role) = 1) AND (subject_id = COALESCE(user_id, group_id,
CASE role
    WHEN 'viewer'::text THEN '00000000-0000-0000-0000-000000000001'::uuid
    WHEN 'editor'::text THEN '00000000-0000-0000-0000-000000000002'::uuid
    WHEN 'admin'::text THEN '00000000-0000-0000-0000-000000000003'::uuid
    ELSE NULL::uuid
END)))),
    CONSTRAINT dataset_rule_subjects_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'editor'::text, 'admin'::text])))
);

ALTER TABLE ONLY public.dataset_rule_subjects FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_rules (
    tenant_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    rule jsonb NOT NULL,
    everybody boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT dataset_rules_kind_check CHECK ((kind = ANY (ARRAY['rows'::text, 'column'::text, 'groups'::text]))),
    CONSTRAINT dataset_rules_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.dataset_rules FORCE ROW LEVEL SECURITY;

CREATE TABLE public.dataset_versions (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    user_id uuid,
    row_count bigint NOT NULL,
    byte_count bigint NOT NULL,
    rows_written bigint DEFAULT 0 NOT NULL,
    load_id uuid,
    note text DEFAULT ''::text NOT NULL,
    live boolean DEFAULT false NOT NULL,
    superseded_at timestamp with time zone,
    expired_at timestamp with time zone,
    CONSTRAINT dataset_versions_kind_check CHECK ((kind = ANY (ARRAY['append'::text, 'replace'::text, 'upsert'::text, 'delete'::text, 'restore'::text])))
);

ALTER TABLE ONLY public.dataset_versions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.datasets (
    tenant_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    ds_id uuid,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    layout bigint DEFAULT 0 NOT NULL,
    row_count bigint DEFAULT 0 NOT NULL,
    byte_count bigint DEFAULT 0 NOT NULL,
    segment_count integer DEFAULT 0 NOT NULL,
    time_column integer DEFAULT 0 NOT NULL,
    relative_to_newest boolean DEFAULT false NOT NULL,
    key_columns integer[] DEFAULT '{}'::integer[] NOT NULL,
    next_column integer DEFAULT 1 NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    content_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    restricted boolean DEFAULT false NOT NULL,
    readers uuid[],
    writers uuid[],
    CONSTRAINT datasets_name_check CHECK (((length(name) >= 1) AND (length(name) <= 120)))
);

ALTER TABLE ONLY public.datasets FORCE ROW LEVEL SECURITY;

CREATE TABLE public.delivery_messages (
    tenant_id uuid NOT NULL,
    message_id uuid NOT NULL,
    kind text NOT NULL,
    to_address text NOT NULL,
    to_name text DEFAULT ''::text NOT NULL,
    subject text NOT NULL,
    body bytea NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    last_error text DEFAULT ''::text NOT NULL,
    job_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    from_name text DEFAULT ''::text NOT NULL,
    CONSTRAINT delivery_messages_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text, 'bounced'::text])))
);

ALTER TABLE ONLY public.delivery_messages FORCE ROW LEVEL SECURITY;

CREATE TABLE public.embed_keys (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    origins text[] DEFAULT '{}'::text[] NOT NULL,
    dashboards uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT embed_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80))),
    CONSTRAINT embed_keys_secret_hash_check CHECK ((length(secret_hash) = 32))
);

ALTER TABLE ONLY public.embed_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.embed_revocations (
    tenant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.embed_revocations FORCE ROW LEVEL SECURITY;

CREATE TABLE public.folders (
    tenant_id uuid NOT NULL,
    folder_id uuid NOT NULL,
    name text NOT NULL,
    user_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    parent_id uuid,
    restricted boolean DEFAULT false NOT NULL,
    readers uuid[],
    writers uuid[],
    CONSTRAINT folders_check CHECK ((parent_id <> folder_id)),
    CONSTRAINT folders_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80)))
);

ALTER TABLE ONLY public.folders FORCE ROW LEVEL SECURITY;

CREATE TABLE public.group_attributes (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    name text NOT NULL,
    vals text[] NOT NULL,
    CONSTRAINT group_attributes_name_check CHECK ((name ~ '^[a-z][a-z0-9_.-]{0,59}$'::text)),
    CONSTRAINT group_attributes_vals_check CHECK (((cardinality(vals) >= 1) AND (cardinality(vals) <= 200)))
);

ALTER TABLE ONLY public.group_attributes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.identities (
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    user_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    format text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT identities_issuer_check CHECK (((length(issuer) >= 1) AND (length(issuer) <= 1024))),
    CONSTRAINT identities_subject_check CHECK (((length(subject) >= 1) AND (length(subject) <= 1024)))
);

ALTER TABLE ONLY public.identities FORCE ROW LEVEL SECURITY;

CREATE TABLE public.leases (
    tenant_id uuid NOT NULL,
    lease_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    version bigint NOT NULL,
    purpose text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.leases FORCE ROW LEVEL SECURITY;

CREATE TABLE public.loads (
    tenant_id uuid NOT NULL,
    load_id uuid NOT NULL,
    upload_id uuid,
    dataset_id uuid,
    dataset_name text NOT NULL,
    job_id uuid,
    user_id uuid,
    filename text DEFAULT ''::text NOT NULL,
    mode text NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text NOT NULL,
    version bigint,
    report jsonb,
    rows_loaded bigint DEFAULT 0 NOT NULL,
    rows_rejected bigint DEFAULT 0 NOT NULL,
    rejects_key text DEFAULT ''::text NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    seen_change text,
    CONSTRAINT loads_mode_check CHECK ((mode = ANY (ARRAY['replace'::text, 'append'::text, 'upsert'::text, 'delete'::text]))),
    CONSTRAINT loads_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'failed'::text, 'cancelled'::text])))
);

ALTER TABLE ONLY public.loads FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mail_bounces (
    tenant_id uuid NOT NULL,
    bounce_id uuid NOT NULL,
    message_id uuid,
    address text DEFAULT ''::text NOT NULL,
    kind text NOT NULL,
    lasting boolean NOT NULL,
    status text DEFAULT ''::text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    cleared_at timestamp with time zone,
    CONSTRAINT mail_bounces_address_check CHECK ((length(address) <= 254)),
    CONSTRAINT mail_bounces_kind_check CHECK ((kind = ANY (ARRAY['bounce'::text, 'complaint'::text])))
);

ALTER TABLE ONLY public.mail_bounces FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mail_hooks (
    tenant_id uuid NOT NULL,
    key bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone
);

ALTER TABLE ONLY public.mail_hooks FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mail_keys (
    tenant_id uuid NOT NULL,
    domain text NOT NULL,
    selector text NOT NULL,
    private bytea NOT NULL,
    record text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    checked_at timestamp with time zone,
    verified_at timestamp with time zone,
    problem text DEFAULT ''::text NOT NULL,
    CONSTRAINT mail_keys_domain_check CHECK (((domain = lower(domain)) AND ((length(domain) >= 3) AND (length(domain) <= 253)))),
    CONSTRAINT mail_keys_selector_check CHECK ((selector ~ '^[a-z0-9]{1,40}$'::text))
);

ALTER TABLE ONLY public.mail_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mail_mailboxes (
    tenant_id uuid NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    tls text NOT NULL,
    username text NOT NULL,
    password bytea NOT NULL,
    folder text DEFAULT ''::text NOT NULL,
    read_at timestamp with time zone,
    problem text DEFAULT ''::text NOT NULL,
    CONSTRAINT mail_mailboxes_folder_check CHECK ((length(folder) <= 200)),
    CONSTRAINT mail_mailboxes_host_check CHECK (((length(host) >= 1) AND (length(host) <= 253))),
    CONSTRAINT mail_mailboxes_port_check CHECK (((port >= 1) AND (port <= 65535))),
    CONSTRAINT mail_mailboxes_tls_check CHECK ((tls = ANY (ARRAY['starttls'::text, 'tls'::text, 'none'::text]))),
    CONSTRAINT mail_mailboxes_username_check CHECK (((length(username) >= 1) AND (length(username) <= 254)))
);

ALTER TABLE ONLY public.mail_mailboxes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.mail_servers (
    tenant_id uuid NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    tls text NOT NULL,
    username text DEFAULT ''::text NOT NULL,
    password bytea DEFAULT '\x'::bytea NOT NULL,
    from_name text DEFAULT ''::text NOT NULL,
    from_address text NOT NULL,
    bounce_address text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mail_servers_bounce_address_check CHECK ((length(bounce_address) <= 254)),
    CONSTRAINT mail_servers_from_address_check CHECK (((length(from_address) >= 3) AND (length(from_address) <= 254))),
    CONSTRAINT mail_servers_from_name_check CHECK ((length(from_name) <= 100)),
    CONSTRAINT mail_servers_host_check CHECK (((length(host) >= 1) AND (length(host) <= 253))),
    CONSTRAINT mail_servers_port_check CHECK (((port >= 1) AND (port <= 65535))),
    CONSTRAINT mail_servers_tls_check CHECK ((tls = ANY (ARRAY['starttls'::text, 'tls'::text, 'none'::text]))),
    CONSTRAINT mail_servers_username_check CHECK ((length(username) <= 254))
);

ALTER TABLE ONLY public.mail_servers FORCE ROW LEVEL SECURITY;

CREATE TABLE public.member_attributes (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    vals text[] NOT NULL,
    CONSTRAINT member_attributes_name_check CHECK ((name ~ '^[a-z][a-z0-9_.-]{0,59}$'::text)),
    CONSTRAINT member_attributes_vals_check CHECK (((cardinality(vals) >= 1) AND (cardinality(vals) <= 200)))
);

ALTER TABLE ONLY public.member_attributes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.notification_settings (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    in_app boolean NOT NULL,
    by_mail boolean NOT NULL,
    CONSTRAINT notification_settings_kind_check CHECK (((length(kind) >= 1) AND (length(kind) <= 40)))
);

ALTER TABLE ONLY public.notification_settings FORCE ROW LEVEL SECURITY;

CREATE TABLE public.notifications (
    tenant_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    user_id uuid NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    actor_id uuid,
    dashboard_id uuid,
    dataset_id uuid,
    subject text DEFAULT ''::text NOT NULL,
    excerpt text DEFAULT ''::text NOT NULL,
    path text NOT NULL,
    in_app boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    read_at timestamp with time zone,
    CONSTRAINT notifications_excerpt_check CHECK ((length(excerpt) <= 300)),
    CONSTRAINT notifications_kind_check CHECK (((length(kind) >= 1) AND (length(kind) <= 40))),
    CONSTRAINT notifications_path_check CHECK ((octet_length(path) <= 40000)),
    CONSTRAINT notifications_subject_check CHECK ((length(subject) <= 200))
);

ALTER TABLE ONLY public.notifications FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_assets (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    kind text NOT NULL,
    content_type text NOT NULL,
    sum text NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT portal_assets_content_type_check CHECK ((content_type = ANY (ARRAY['image/png'::text, 'image/svg+xml'::text]))),
    CONSTRAINT portal_assets_data_check CHECK ((length(data) <= 262144)),
    CONSTRAINT portal_assets_kind_check CHECK ((kind = ANY (ARRAY['logo'::text, 'logo_dark'::text])))
);

ALTER TABLE ONLY public.portal_assets FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_connections (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    secret bytea DEFAULT '\x'::bytea NOT NULL,
    metadata text DEFAULT ''::text NOT NULL,
    refreshed_at timestamp with time zone,
    refresh_error text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    last_test jsonb,
    CONSTRAINT portal_connections_kind_check CHECK ((kind = ANY (ARRAY['saml'::text, 'oidc'::text])))
);

ALTER TABLE ONLY public.portal_connections FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_dashboards (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    label text DEFAULT ''::text NOT NULL,
    place integer NOT NULL,
    group_id uuid,
    CONSTRAINT portal_dashboards_label_check CHECK ((length(label) <= 60))
);

ALTER TABLE ONLY public.portal_dashboards FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_group_visitors (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    visitor_id uuid NOT NULL
);

ALTER TABLE ONLY public.portal_group_visitors FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_groups (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    group_id uuid NOT NULL,
    name text NOT NULL,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT portal_groups_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80)))
);

ALTER TABLE ONLY public.portal_groups FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_identities (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    visitor_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    format text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT portal_identities_issuer_check CHECK (((length(issuer) >= 1) AND (length(issuer) <= 1024))),
    CONSTRAINT portal_identities_subject_check CHECK (((length(subject) >= 1) AND (length(subject) <= 1024)))
);

ALTER TABLE ONLY public.portal_identities FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_links (
    tenant_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    visitor_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT portal_links_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY public.portal_links FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_sessions (
    tenant_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    visitor_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    agent text DEFAULT ''::text NOT NULL,
    identity_id uuid,
    session_index text DEFAULT ''::text NOT NULL,
    ends_at timestamp with time zone DEFAULT (now() + '24:00:00'::interval) NOT NULL,
    CONSTRAINT portal_sessions_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY public.portal_sessions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portal_visitors (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    visitor_id uuid NOT NULL,
    email text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    company text DEFAULT ''::text NOT NULL,
    password_hash text DEFAULT ''::text NOT NULL,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL,
    theme text DEFAULT 'auto'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    invited_at timestamp with time zone,
    seen_at timestamp with time zone,
    blocked_at timestamp with time zone,
    CONSTRAINT portal_visitors_company_check CHECK ((length(company) <= 120)),
    CONSTRAINT portal_visitors_email_check CHECK (((length(email) >= 3) AND (length(email) <= 254))),
    CONSTRAINT portal_visitors_name_check CHECK ((length(name) <= 120)),
    CONSTRAINT portal_visitors_theme_check CHECK ((theme = ANY (ARRAY['auto'::text, 'light'::text, 'dark'::text])))
);

ALTER TABLE ONLY public.portal_visitors FORCE ROW LEVEL SECURITY;

CREATE TABLE public.portals (
    tenant_id uuid NOT NULL,
    portal_id uuid NOT NULL,
    name text NOT NULL,
    brand jsonb NOT NULL,
    downloads boolean DEFAULT true NOT NULL,
    zone text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    sso_only boolean DEFAULT false NOT NULL,
    schedules boolean DEFAULT true NOT NULL,
    CONSTRAINT portals_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80)))
);

ALTER TABLE ONLY public.portals FORCE ROW LEVEL SECURITY;

CREATE TABLE public.public_links (
    tenant_id uuid NOT NULL,
    link_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    name text NOT NULL,
    secret_hash bytea NOT NULL,
    password_hash text DEFAULT ''::text NOT NULL,
    downloads boolean DEFAULT false NOT NULL,
    created_by uuid,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT public_links_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80))),
    CONSTRAINT public_links_secret_hash_check CHECK ((length(secret_hash) = 32))
);

ALTER TABLE ONLY public.public_links FORCE ROW LEVEL SECURITY;

CREATE TABLE public.recovery_codes (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    CONSTRAINT recovery_codes_code_hash_check CHECK ((length(code_hash) = 32))
);

ALTER TABLE ONLY public.recovery_codes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.report_contents (
    tenant_id uuid NOT NULL,
    content_id uuid NOT NULL,
    run_id uuid NOT NULL,
    digest text NOT NULL,
    key text DEFAULT ''::text NOT NULL,
    picture_key text DEFAULT ''::text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    stated jsonb DEFAULT '{}'::jsonb NOT NULL,
    empty boolean DEFAULT false NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.report_contents FORCE ROW LEVEL SECURITY;

CREATE TABLE public.report_deliveries (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    run_id uuid NOT NULL,
    recipient_id uuid,
    user_id uuid,
    address text NOT NULL,
    content_id uuid,
    state text DEFAULT 'due'::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    resent boolean DEFAULT false NOT NULL,
    again boolean DEFAULT false NOT NULL,
    handed_at timestamp with time zone,
    sent_at timestamp with time zone,
    opened_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    channel_id uuid,
    bounced_at timestamp with time zone,
    only_rows jsonb DEFAULT '{}'::jsonb NOT NULL,
    visitor_id uuid,
    visiting boolean DEFAULT false NOT NULL,
    attributes jsonb,
    remade smallint DEFAULT 0 NOT NULL,
    CONSTRAINT report_deliveries_state_check CHECK ((state = ANY (ARRAY['due'::text, 'rendered'::text, 'sent'::text, 'kept'::text, 'unknown'::text, 'bounced'::text, 'failed'::text, 'skipped'::text]))),
    CONSTRAINT report_deliveries_visiting_check CHECK (((visitor_id IS NULL) OR visiting))
);

ALTER TABLE ONLY public.report_deliveries FORCE ROW LEVEL SECURITY;

CREATE TABLE public.report_recipients (
    tenant_id uuid NOT NULL,
    recipient_id uuid NOT NULL,
    schedule_id uuid NOT NULL,
    user_id uuid,
    address text DEFAULT ''::text NOT NULL,
    unsubscribed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    channel_id uuid,
    only_rows jsonb DEFAULT '{}'::jsonb NOT NULL,
    visitor_id uuid,
    visitor_address text DEFAULT ''::text NOT NULL,
    portal_group_id uuid,
    attributes jsonb,
    CONSTRAINT report_recipients_attributes_check CHECK (((attributes IS NULL) OR (address <> ''::text))),
    CONSTRAINT report_recipients_check CHECK ((((((((user_id IS NOT NULL))::integer + ((address <> ''::text))::integer) + ((channel_id IS NOT NULL))::integer) + (((visitor_address <> ''::text) OR (portal_group_id IS NOT NULL)))::integer) = 1) AND ((visitor_id IS NULL) OR (visitor_address <> ''::text))))
);

ALTER TABLE ONLY public.report_recipients FORCE ROW LEVEL SECURITY;

CREATE TABLE public.report_runs (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    schedule_id uuid NOT NULL,
    slot text NOT NULL,
    cause text NOT NULL,
    asked_by uuid,
    state text DEFAULT 'due'::text NOT NULL,
    snapshot text DEFAULT ''::text NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    alarmed boolean DEFAULT false NOT NULL,
    due_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    bounces_told_at timestamp with time zone,
    delay_told boolean DEFAULT false NOT NULL,
    late_told boolean DEFAULT false NOT NULL,
    CONSTRAINT report_runs_cause_check CHECK ((cause = ANY (ARRAY['time'::text, 'data'::text, 'person'::text, 'test'::text]))),
    CONSTRAINT report_runs_state_check CHECK ((state = ANY (ARRAY['due'::text, 'sending'::text, 'done'::text, 'failed'::text])))
);

ALTER TABLE ONLY public.report_runs FORCE ROW LEVEL SECURITY;

CREATE TABLE public.report_schedules (
    tenant_id uuid NOT NULL,
    schedule_id uuid NOT NULL,
    dashboard_id uuid NOT NULL,
    owner_id uuid,
    name text NOT NULL,
    spec jsonb NOT NULL,
    on_data boolean DEFAULT false NOT NULL,
    rule text DEFAULT ''::text NOT NULL,
    zone text DEFAULT ''::text NOT NULL,
    only_if_rows boolean DEFAULT false NOT NULL,
    resend_unknown boolean DEFAULT true NOT NULL,
    link_above bigint DEFAULT 10485760 NOT NULL,
    next_at timestamp with time zone,
    seen text DEFAULT ''::text NOT NULL,
    alarmed_for timestamp with time zone,
    paused_at timestamp with time zone,
    paused_by uuid,
    paused_why text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    owner_visitor_id uuid,
    CONSTRAINT report_schedules_name_check CHECK (((length(name) >= 1) AND (length(name) <= 300))),
    CONSTRAINT report_schedules_owner_check CHECK (((owner_id IS NULL) OR (owner_visitor_id IS NULL))),
    CONSTRAINT report_schedules_paused_why_check CHECK ((paused_why = ANY (ARRAY[''::text, 'person'::text, 'owner_left'::text, 'dashboard_gone'::text, 'portal_off'::text, 'nobody_left'::text])))
);

ALTER TABLE ONLY public.report_schedules FORCE ROW LEVEL SECURITY;

CREATE TABLE public.reports (
    tenant_id uuid NOT NULL,
    report_id uuid NOT NULL,
    dashboard_id uuid,
    user_id uuid,
    format public.report_format NOT NULL,
    status public.report_status DEFAULT 'Pending'::public.report_status NOT NULL,
    link_query text DEFAULT ''::text NOT NULL,
    download_url text DEFAULT ''::text NOT NULL,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    completed_at timestamp with time zone,
    job_id uuid,
    name text DEFAULT ''::text NOT NULL,
    spec jsonb DEFAULT '{}'::jsonb NOT NULL,
    stated jsonb DEFAULT '{}'::jsonb NOT NULL,
    expires_at timestamp with time zone,
    dataset_id uuid,
    visitor_id uuid,
    CONSTRAINT reports_subject_check CHECK ((num_nonnulls(dashboard_id, dataset_id) = 1))
);

ALTER TABLE ONLY public.reports FORCE ROW LEVEL SECURITY;

CREATE TABLE public.second_factors (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    secret bytea NOT NULL,
    last_step bigint DEFAULT 0 NOT NULL,
    confirmed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.second_factors FORCE ROW LEVEL SECURITY;

CREATE TABLE public.segment_garbage (
    tenant_id uuid NOT NULL,
    key text NOT NULL,
    delete_after timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.segment_garbage FORCE ROW LEVEL SECURITY;

CREATE TABLE public.segments (
    tenant_id uuid NOT NULL,
    segment_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    key text NOT NULL,
    row_count bigint NOT NULL,
    byte_count bigint NOT NULL,
    stats jsonb DEFAULT '{}'::jsonb NOT NULL,
    sample_key text DEFAULT ''::text NOT NULL,
    sample_rows bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    added_in bigint NOT NULL,
    removed_in bigint,
    removed_at timestamp with time zone
);

ALTER TABLE ONLY public.segments FORCE ROW LEVEL SECURITY;

CREATE TABLE public.sso_connections (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    secret bytea DEFAULT '\x'::bytea NOT NULL,
    metadata text DEFAULT ''::text NOT NULL,
    refreshed_at timestamp with time zone,
    refresh_error text DEFAULT ''::text NOT NULL,
    last_test jsonb,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sso_connections_kind_check CHECK ((kind = ANY (ARRAY['saml'::text, 'oidc'::text])))
);

ALTER TABLE ONLY public.sso_connections FORCE ROW LEVEL SECURITY;

CREATE TABLE public.tenants (
    tenant_id uuid NOT NULL,
    plan_type public.plan_type DEFAULT 'Professional'::public.plan_type NOT NULL,
    zone text DEFAULT 'UTC'::text NOT NULL,
    locale text DEFAULT 'en-GB'::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    mask_secret text DEFAULT replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text) NOT NULL,
    session_idle_minutes integer DEFAULT 0 NOT NULL,
    session_max_hours integer DEFAULT 0 NOT NULL,
    second_factor_roles text[] DEFAULT '{}'::text[] NOT NULL,
    audit_days integer DEFAULT 90 NOT NULL,
    public_links boolean DEFAULT false NOT NULL,
    api_keys_with_sso boolean DEFAULT false NOT NULL,
    CONSTRAINT tenants_audit_days_check CHECK (((audit_days >= 30) AND (audit_days <= 3650))),
    CONSTRAINT tenants_session_idle_minutes_check CHECK (((session_idle_minutes >= 0) AND (session_idle_minutes <= 10080))),
    CONSTRAINT tenants_session_max_hours_check CHECK (((session_max_hours >= 0) AND (session_max_hours <= 720)))
);

ALTER TABLE ONLY public.tenants FORCE ROW LEVEL SECURITY;

CREATE TABLE public.uploads (
    tenant_id uuid NOT NULL,
    upload_id uuid NOT NULL,
    user_id uuid,
    filename text NOT NULL,
    key text NOT NULL,
    byte_count bigint DEFAULT 0 NOT NULL,
    state text NOT NULL,
    job_id uuid,
    choices jsonb DEFAULT '{}'::jsonb NOT NULL,
    inspection jsonb,
    error_code text DEFAULT ''::text NOT NULL,
    error_text text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT uploads_filename_check CHECK (((length(filename) >= 1) AND (length(filename) <= 255))),
    CONSTRAINT uploads_state_check CHECK ((state = ANY (ARRAY['stored'::text, 'inspecting'::text, 'inspected'::text, 'failed'::text, 'removed'::text])))
);

ALTER TABLE ONLY public.uploads FORCE ROW LEVEL SECURITY;

CREATE TABLE public.user_group_members (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    user_id uuid NOT NULL
);

ALTER TABLE ONLY public.user_group_members FORCE ROW LEVEL SECURITY;

CREATE TABLE public.user_groups (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_groups_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80)))
);

ALTER TABLE ONLY public.user_groups FORCE ROW LEVEL SECURITY;

CREATE TABLE public.users (
    user_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    person_id uuid NOT NULL,
    email text NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    role public.user_role NOT NULL,
    plan_type public.plan_type NOT NULL,
    zone text DEFAULT ''::text NOT NULL,
    locale text DEFAULT ''::text NOT NULL,
    theme text DEFAULT 'auto'::text NOT NULL,
    shortcuts boolean DEFAULT true NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    invited_at timestamp with time zone,
    seen_at timestamp with time zone,
    removed_at timestamp with time zone,
    second_factor_at timestamp with time zone,
    custom_role_id uuid,
    CONSTRAINT users_email_check CHECK (((length(email) >= 3) AND (length(email) <= 254))),
    CONSTRAINT users_name_check CHECK ((length(name) <= 120)),
    CONSTRAINT users_theme_check CHECK ((theme = ANY (ARRAY['auto'::text, 'light'::text, 'dark'::text])))
);

ALTER TABLE ONLY public.users FORCE ROW LEVEL SECURITY;

CREATE TABLE public.workspace_operations (
    tenant_id uuid NOT NULL,
    op_id uuid NOT NULL,
    kind text NOT NULL,
    object_id uuid NOT NULL,
    before jsonb,
    after jsonb,
    user_id uuid,
    undoes uuid,
    at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.workspace_operations FORCE ROW LEVEL SECURITY;

ALTER TABLE ONLY control.domains
    ADD CONSTRAINT domains_pkey PRIMARY KEY (tenant_id, domain);

ALTER TABLE ONLY control.epochs
    ADD CONSTRAINT epochs_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (job_id);

ALTER TABLE ONLY control.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (person_id, tenant_id);

ALTER TABLE ONLY control.memberships
    ADD CONSTRAINT memberships_user_id_key UNIQUE (user_id);

ALTER TABLE ONLY control.one_time_links
    ADD CONSTRAINT one_time_links_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY control.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY control.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY control.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (person_id);

ALTER TABLE ONLY control.placements
    ADD CONSTRAINT placements_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.placements
    ADD CONSTRAINT placements_storage_prefix_key UNIQUE (storage_prefix);

ALTER TABLE ONLY control.portal_hosts
    ADD CONSTRAINT portal_hosts_pkey PRIMARY KEY (host, tenant_id);

ALTER TABLE ONLY control.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (name);

ALTER TABLE ONLY control.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session_id);

ALTER TABLE ONLY control.sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY control.sign_in_policies
    ADD CONSTRAINT sign_in_policies_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.sign_in_replays
    ADD CONSTRAINT sign_in_replays_pkey PRIMARY KEY (tenant_id, key);

ALTER TABLE ONLY control.sign_in_requests
    ADD CONSTRAINT sign_in_requests_pkey PRIMARY KEY (tenant_id, kind, protocol_id);

ALTER TABLE ONLY control.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY control.tenants
    ADD CONSTRAINT tenants_slug_key UNIQUE (slug);

ALTER TABLE ONLY control.throttles
    ADD CONSTRAINT throttles_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT access_grants_pkey PRIMARY KEY (tenant_id, object_id, subject_id);

ALTER TABLE ONLY public.alert_events
    ADD CONSTRAINT alert_events_pkey PRIMARY KEY (tenant_id, event_id);

ALTER TABLE ONLY public.alert_notices
    ADD CONSTRAINT alert_notices_pkey PRIMARY KEY (tenant_id, notice_id);

ALTER TABLE ONLY public.alert_recipients
    ADD CONSTRAINT alert_recipients_pkey PRIMARY KEY (tenant_id, recipient_id);

ALTER TABLE ONLY public.alert_states
    ADD CONSTRAINT alert_states_pkey PRIMARY KEY (tenant_id, alert_id, group_key);

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_pkey PRIMARY KEY (tenant_id, alert_id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, key_id);

ALTER TABLE ONLY public.audit_batches
    ADD CONSTRAINT audit_batches_pkey PRIMARY KEY (tenant_id, batch);

ALTER TABLE ONLY public.audit_chains
    ADD CONSTRAINT audit_chains_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.audit_details
    ADD CONSTRAINT audit_details_pkey PRIMARY KEY (tenant_id, audit_id);

ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_pkey PRIMARY KEY (tenant_id, audit_id);

ALTER TABLE ONLY public.audit_forwards
    ADD CONSTRAINT audit_forwards_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.channels
    ADD CONSTRAINT channels_pkey PRIMARY KEY (tenant_id, channel_id);

ALTER TABLE ONLY public.comment_threads
    ADD CONSTRAINT comment_threads_pkey PRIMARY KEY (tenant_id, thread_id);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_pkey PRIMARY KEY (tenant_id, comment_id);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_pkey PRIMARY KEY (tenant_id, role_id);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_tenant_id_role_id_standing_key UNIQUE (tenant_id, role_id, standing);

ALTER TABLE ONLY public.dashboard_data_sources
    ADD CONSTRAINT dashboard_data_sources_pkey PRIMARY KEY (tenant_id, dashboard_id, dataset_id);

ALTER TABLE ONLY public.dashboard_operations
    ADD CONSTRAINT dashboard_operations_pkey PRIMARY KEY (tenant_id, dashboard_id, rev);

ALTER TABLE ONLY public.dashboard_saved_views
    ADD CONSTRAINT dashboard_saved_views_pkey PRIMARY KEY (tenant_id, view_id);

ALTER TABLE ONLY public.dashboard_templates
    ADD CONSTRAINT dashboard_templates_pkey PRIMARY KEY (tenant_id, template_id);

ALTER TABLE ONLY public.dashboard_versions
    ADD CONSTRAINT dashboard_versions_pkey PRIMARY KEY (tenant_id, dashboard_id, number);

ALTER TABLE ONLY public.dashboard_views
    ADD CONSTRAINT dashboard_views_pkey PRIMARY KEY (tenant_id, user_id, dashboard_id);

ALTER TABLE ONLY public.dashboards
    ADD CONSTRAINT dashboards_pkey PRIMARY KEY (tenant_id, dashboard_id);

ALTER TABLE ONLY public.data_sources
    ADD CONSTRAINT data_sources_pkey PRIMARY KEY (tenant_id, ds_id);

ALTER TABLE ONLY public.dataset_appends
    ADD CONSTRAINT dataset_appends_pkey PRIMARY KEY (tenant_id, dataset_id, append_key);

ALTER TABLE ONLY public.dataset_column_gaps
    ADD CONSTRAINT dataset_column_gaps_pkey PRIMARY KEY (tenant_id, dataset_id, column_id, dropped_in);

ALTER TABLE ONLY public.dataset_columns
    ADD CONSTRAINT dataset_columns_pkey PRIMARY KEY (tenant_id, dataset_id, column_id);

ALTER TABLE ONLY public.dataset_fields
    ADD CONSTRAINT dataset_fields_pkey PRIMARY KEY (tenant_id, dataset_id, name);

ALTER TABLE ONLY public.dataset_lookups
    ADD CONSTRAINT dataset_lookups_pkey PRIMARY KEY (tenant_id, dataset_id, name);

ALTER TABLE ONLY public.dataset_measures
    ADD CONSTRAINT dataset_measures_pkey PRIMARY KEY (tenant_id, dataset_id, name);

ALTER TABLE ONLY public.dataset_profiles
    ADD CONSTRAINT dataset_profiles_pkey PRIMARY KEY (tenant_id, dataset_id);

ALTER TABLE ONLY public.dataset_rule_subjects
    ADD CONSTRAINT dataset_rule_subjects_pkey PRIMARY KEY (tenant_id, rule_id, excepted, subject_id);

ALTER TABLE ONLY public.dataset_rules
    ADD CONSTRAINT dataset_rules_pkey PRIMARY KEY (tenant_id, rule_id);

ALTER TABLE ONLY public.dataset_versions
    ADD CONSTRAINT dataset_versions_pkey PRIMARY KEY (tenant_id, dataset_id, version);

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (tenant_id, dataset_id);

ALTER TABLE ONLY public.delivery_messages
    ADD CONSTRAINT delivery_messages_pkey PRIMARY KEY (tenant_id, message_id);

ALTER TABLE ONLY public.embed_keys
    ADD CONSTRAINT embed_keys_pkey PRIMARY KEY (tenant_id, key_id);

ALTER TABLE ONLY public.embed_revocations
    ADD CONSTRAINT embed_revocations_pkey PRIMARY KEY (tenant_id, token_id);

ALTER TABLE ONLY public.folders
    ADD CONSTRAINT folders_pkey PRIMARY KEY (tenant_id, folder_id);

ALTER TABLE ONLY public.group_attributes
    ADD CONSTRAINT group_attributes_pkey PRIMARY KEY (tenant_id, group_id, name);

ALTER TABLE ONLY public.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (tenant_id, identity_id);

ALTER TABLE ONLY public.identities
    ADD CONSTRAINT identities_tenant_id_connection_id_issuer_subject_key UNIQUE (tenant_id, connection_id, issuer, subject);

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (tenant_id, lease_id, dataset_id);

ALTER TABLE ONLY public.loads
    ADD CONSTRAINT loads_pkey PRIMARY KEY (tenant_id, load_id);

ALTER TABLE ONLY public.mail_bounces
    ADD CONSTRAINT mail_bounces_pkey PRIMARY KEY (tenant_id, bounce_id);

ALTER TABLE ONLY public.mail_hooks
    ADD CONSTRAINT mail_hooks_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.mail_keys
    ADD CONSTRAINT mail_keys_pkey PRIMARY KEY (tenant_id, domain);

ALTER TABLE ONLY public.mail_mailboxes
    ADD CONSTRAINT mail_mailboxes_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.mail_servers
    ADD CONSTRAINT mail_servers_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.member_attributes
    ADD CONSTRAINT member_attributes_pkey PRIMARY KEY (tenant_id, user_id, name);

ALTER TABLE ONLY public.notification_settings
    ADD CONSTRAINT notification_settings_pkey PRIMARY KEY (tenant_id, user_id, kind);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (tenant_id, notification_id);

ALTER TABLE ONLY public.portal_assets
    ADD CONSTRAINT portal_assets_pkey PRIMARY KEY (tenant_id, portal_id, kind);

ALTER TABLE ONLY public.portal_connections
    ADD CONSTRAINT portal_connections_pkey PRIMARY KEY (tenant_id, connection_id);

ALTER TABLE ONLY public.portal_connections
    ADD CONSTRAINT portal_connections_tenant_id_portal_id_connection_id_key UNIQUE (tenant_id, portal_id, connection_id);

ALTER TABLE ONLY public.portal_connections
    ADD CONSTRAINT portal_connections_tenant_id_portal_id_kind_key UNIQUE (tenant_id, portal_id, kind);

ALTER TABLE ONLY public.portal_dashboards
    ADD CONSTRAINT portal_dashboards_pkey PRIMARY KEY (tenant_id, portal_id, dashboard_id);

ALTER TABLE ONLY public.portal_group_visitors
    ADD CONSTRAINT portal_group_visitors_pkey PRIMARY KEY (tenant_id, visitor_id, group_id);

ALTER TABLE ONLY public.portal_groups
    ADD CONSTRAINT portal_groups_pkey PRIMARY KEY (tenant_id, group_id);

ALTER TABLE ONLY public.portal_groups
    ADD CONSTRAINT portal_groups_tenant_id_portal_id_group_id_key UNIQUE (tenant_id, portal_id, group_id);

ALTER TABLE ONLY public.portal_identities
    ADD CONSTRAINT portal_identities_pkey PRIMARY KEY (tenant_id, identity_id);

ALTER TABLE ONLY public.portal_identities
    ADD CONSTRAINT portal_identities_tenant_id_connection_id_issuer_subject_key UNIQUE (tenant_id, connection_id, issuer, subject);

ALTER TABLE ONLY public.portal_links
    ADD CONSTRAINT portal_links_pkey PRIMARY KEY (tenant_id, token_hash);

ALTER TABLE ONLY public.portal_sessions
    ADD CONSTRAINT portal_sessions_pkey PRIMARY KEY (tenant_id, token_hash);

ALTER TABLE ONLY public.portal_visitors
    ADD CONSTRAINT portal_visitors_pkey PRIMARY KEY (tenant_id, visitor_id);

ALTER TABLE ONLY public.portal_visitors
    ADD CONSTRAINT portal_visitors_tenant_id_portal_id_visitor_id_key UNIQUE (tenant_id, portal_id, visitor_id);

ALTER TABLE ONLY public.portals
    ADD CONSTRAINT portals_pkey PRIMARY KEY (tenant_id, portal_id);

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_pkey PRIMARY KEY (tenant_id, link_id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (tenant_id, user_id, code_hash);

ALTER TABLE ONLY public.report_contents
    ADD CONSTRAINT report_contents_pkey PRIMARY KEY (tenant_id, content_id);

ALTER TABLE ONLY public.report_contents
    ADD CONSTRAINT report_contents_tenant_id_run_id_digest_key UNIQUE (tenant_id, run_id, digest);

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_pkey PRIMARY KEY (tenant_id, delivery_id);

ALTER TABLE ONLY public.report_recipients
    ADD CONSTRAINT report_recipients_pkey PRIMARY KEY (tenant_id, recipient_id);

ALTER TABLE ONLY public.report_runs
    ADD CONSTRAINT report_runs_pkey PRIMARY KEY (tenant_id, run_id);

ALTER TABLE ONLY public.report_runs
    ADD CONSTRAINT report_runs_tenant_id_schedule_id_slot_key UNIQUE (tenant_id, schedule_id, slot);

ALTER TABLE ONLY public.report_schedules
    ADD CONSTRAINT report_schedules_pkey PRIMARY KEY (tenant_id, schedule_id);

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (tenant_id, report_id);

ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_pkey PRIMARY KEY (tenant_id, user_id);

ALTER TABLE ONLY public.segment_garbage
    ADD CONSTRAINT segment_garbage_pkey PRIMARY KEY (tenant_id, key);

ALTER TABLE ONLY public.segments
    ADD CONSTRAINT segments_pkey PRIMARY KEY (tenant_id, segment_id);

ALTER TABLE ONLY public.sso_connections
    ADD CONSTRAINT sso_connections_pkey PRIMARY KEY (tenant_id, connection_id);

ALTER TABLE ONLY public.sso_connections
    ADD CONSTRAINT sso_connections_tenant_id_kind_key UNIQUE (tenant_id, kind);

ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id);

ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_tenant_id_plan_type_key UNIQUE (tenant_id, plan_type);

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (tenant_id, upload_id);

ALTER TABLE ONLY public.user_group_members
    ADD CONSTRAINT user_group_members_pkey PRIMARY KEY (tenant_id, user_id, group_id);

ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_pkey PRIMARY KEY (tenant_id, group_id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_tenant_id_user_id_key UNIQUE (tenant_id, user_id);

ALTER TABLE ONLY public.workspace_operations
    ADD CONSTRAINT workspace_operations_pkey PRIMARY KEY (tenant_id, op_id);

CREATE UNIQUE INDEX domains_verified_idx ON control.domains USING btree (domain) WHERE (verified_at IS NOT NULL);

CREATE INDEX jobs_due_idx ON control.jobs USING btree (GREATEST(run_at, lease_until)) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX jobs_finished_idx ON control.jobs USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX jobs_under_way_idx ON control.jobs USING btree (queue, tenant_id, lease_until) WHERE ((state = ANY (ARRAY['queued'::text, 'running'::text])) AND (lease_until IS NOT NULL));

CREATE UNIQUE INDEX jobs_unique_idx ON control.jobs USING btree (tenant_id, kind, unique_key) WHERE ((state = 'queued'::text) AND (attempt = 0) AND (unique_key IS NOT NULL));

CREATE INDEX jobs_waiting_idx ON control.jobs USING btree (queue, tenant_id, run_at, job_id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

CREATE INDEX one_time_links_expires_idx ON control.one_time_links USING btree (expires_at);

CREATE INDEX one_time_links_person_idx ON control.one_time_links USING btree (person_id);

CREATE INDEX outbox_published_idx ON control.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);

CREATE INDEX outbox_unheard_idx ON control.outbox USING btree (tell_after, seq) WHERE ((told_at IS NULL) AND (kind = ANY (ARRAY['dataset.changed'::text, 'dashboard.deleted'::text, 'member.changed'::text])));

CREATE INDEX outbox_unpublished_idx ON control.outbox USING btree (seq) WHERE (published_at IS NULL);

CREATE INDEX outbox_untold_idx ON control.outbox USING btree (tell_after, seq) WHERE ((told_at IS NULL) AND (kind = 'dataset.changed'::text));

CREATE INDEX pending_sign_ins_expires_idx ON control.pending_sign_ins USING btree (expires_at);

CREATE INDEX pending_sign_ins_person_idx ON control.pending_sign_ins USING btree (person_id);

CREATE UNIQUE INDEX people_email_idx ON control.people USING btree (lower(email));

CREATE INDEX portal_hosts_portal_idx ON control.portal_hosts USING btree (tenant_id, portal_id);

CREATE UNIQUE INDEX portal_hosts_verified_idx ON control.portal_hosts USING btree (host) WHERE (verified_at IS NOT NULL);

CREATE INDEX sessions_expires_idx ON control.sessions USING btree (expires_at);

CREATE INDEX sessions_identity_idx ON control.sessions USING btree (tenant_id, identity_id) WHERE (identity_id IS NOT NULL);

CREATE INDEX sessions_person_idx ON control.sessions USING btree (person_id, last_seen_at DESC);

CREATE INDEX sessions_user_idx ON control.sessions USING btree (tenant_id, user_id);

CREATE INDEX sign_in_replays_expires_idx ON control.sign_in_replays USING btree (expires_at);

CREATE INDEX sign_in_requests_expires_idx ON control.sign_in_requests USING btree (expires_at);

CREATE INDEX throttles_updated_idx ON control.throttles USING btree (updated_at);

CREATE INDEX access_grants_dashboard_idx ON public.access_grants USING btree (tenant_id, dashboard_id) WHERE (dashboard_id IS NOT NULL);

CREATE INDEX access_grants_dataset_idx ON public.access_grants USING btree (tenant_id, dataset_id) WHERE (dataset_id IS NOT NULL);

CREATE INDEX access_grants_folder_idx ON public.access_grants USING btree (tenant_id, folder_id) WHERE (folder_id IS NOT NULL);

CREATE INDEX access_grants_group_idx ON public.access_grants USING btree (tenant_id, group_id) WHERE (group_id IS NOT NULL);

CREATE INDEX access_grants_user_idx ON public.access_grants USING btree (tenant_id, user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX alert_events_newest_idx ON public.alert_events USING btree (tenant_id, alert_id, at DESC);

CREATE INDEX alert_events_user_idx ON public.alert_events USING btree (tenant_id, user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX alert_notices_channel_idx ON public.alert_notices USING btree (tenant_id, channel_id) WHERE (channel_id IS NOT NULL);

CREATE INDEX alert_notices_newest_idx ON public.alert_notices USING btree (tenant_id, alert_id, created_at DESC);

CREATE INDEX alert_notices_user_idx ON public.alert_notices USING btree (tenant_id, user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX alert_recipients_alert_idx ON public.alert_recipients USING btree (tenant_id, alert_id);

CREATE INDEX alert_recipients_channel_idx ON public.alert_recipients USING btree (tenant_id, channel_id) WHERE (channel_id IS NOT NULL);

CREATE INDEX alert_recipients_user_idx ON public.alert_recipients USING btree (tenant_id, user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX alert_states_acked_by_idx ON public.alert_states USING btree (tenant_id, acked_by) WHERE (acked_by IS NOT NULL);

CREATE INDEX alerts_dashboard_idx ON public.alerts USING btree (tenant_id, dashboard_id) WHERE (dashboard_id IS NOT NULL);

CREATE INDEX alerts_dataset_idx ON public.alerts USING btree (tenant_id, dataset_id) WHERE (paused_at IS NULL);

CREATE INDEX alerts_due_idx ON public.alerts USING btree (tenant_id, next_at) WHERE ((paused_at IS NULL) AND (next_at IS NOT NULL));

CREATE INDEX alerts_owner_idx ON public.alerts USING btree (tenant_id, owner_id);

CREATE INDEX alerts_paused_by_idx ON public.alerts USING btree (tenant_id, paused_by) WHERE (paused_by IS NOT NULL);

CREATE INDEX api_keys_creator_idx ON public.api_keys USING btree (tenant_id, created_by);

CREATE INDEX api_keys_custom_role_idx ON public.api_keys USING btree (tenant_id, custom_role_id);

CREATE INDEX audit_events_at_idx ON public.audit_events USING btree (tenant_id, at DESC, audit_id DESC);

CREATE UNIQUE INDEX audit_events_batch_idx ON public.audit_events USING btree (tenant_id, batch, place) WHERE (batch IS NOT NULL);

CREATE INDEX audit_events_open_idx ON public.audit_events USING btree (tenant_id, xact, audit_id) WHERE (batch IS NULL);

CREATE INDEX audit_events_user_idx ON public.audit_events USING btree (tenant_id, user_id, at DESC, audit_id DESC);

CREATE INDEX channels_created_by_idx ON public.channels USING btree (tenant_id, created_by) WHERE (created_by IS NOT NULL);

CREATE UNIQUE INDEX channels_name_idx ON public.channels USING btree (tenant_id, lower(name));

CREATE INDEX comment_threads_dashboard_idx ON public.comment_threads USING btree (tenant_id, dashboard_id, created_at);

CREATE INDEX comment_threads_resolved_by_idx ON public.comment_threads USING btree (tenant_id, resolved_by) WHERE (resolved_by IS NOT NULL);

CREATE INDEX comments_thread_idx ON public.comments USING btree (tenant_id, thread_id, created_at);

CREATE INDEX comments_user_idx ON public.comments USING btree (tenant_id, user_id);

CREATE UNIQUE INDEX custom_roles_name_idx ON public.custom_roles USING btree (tenant_id, lower(name));

CREATE INDEX dashboard_data_sources_dataset_idx ON public.dashboard_data_sources USING btree (tenant_id, dataset_id);

CREATE INDEX dashboard_data_sources_ds_idx ON public.dashboard_data_sources USING btree (tenant_id, ds_id);

CREATE INDEX dashboard_operations_change_idx ON public.dashboard_operations USING btree (tenant_id, dashboard_id, change_id);

CREATE UNIQUE INDEX dashboard_operations_op_idx ON public.dashboard_operations USING btree (tenant_id, dashboard_id, op_id);

CREATE INDEX dashboard_operations_user_idx ON public.dashboard_operations USING btree (tenant_id, dashboard_id, user_id, rev);

CREATE UNIQUE INDEX dashboard_saved_views_default_idx ON public.dashboard_saved_views USING btree (tenant_id, dashboard_id, user_id) WHERE is_default;

CREATE UNIQUE INDEX dashboard_saved_views_name_idx ON public.dashboard_saved_views USING btree (tenant_id, dashboard_id, user_id, name);

CREATE INDEX dashboard_saved_views_user_idx ON public.dashboard_saved_views USING btree (tenant_id, user_id);

CREATE INDEX dashboard_templates_deleted_idx ON public.dashboard_templates USING btree (tenant_id, deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX dashboard_templates_user_idx ON public.dashboard_templates USING btree (tenant_id, user_id);

CREATE INDEX dashboard_versions_user_idx ON public.dashboard_versions USING btree (tenant_id, user_id);

CREATE INDEX dashboard_views_dashboard_idx ON public.dashboard_views USING btree (tenant_id, dashboard_id);

CREATE INDEX dashboards_deleted_idx ON public.dashboards USING btree (tenant_id, deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX dashboards_folder_idx ON public.dashboards USING btree (tenant_id, folder_id, updated_at DESC) WHERE (deleted_at IS NULL);

CREATE INDEX dashboards_user_idx ON public.dashboards USING btree (tenant_id, user_id);

CREATE INDEX dataset_appends_age_idx ON public.dataset_appends USING btree (tenant_id, created_at);

CREATE UNIQUE INDEX dataset_columns_name_idx ON public.dataset_columns USING btree (tenant_id, dataset_id, name) WHERE (dropped_in IS NULL);

CREATE INDEX dataset_lookups_target_idx ON public.dataset_lookups USING btree (tenant_id, target_id);

CREATE INDEX dataset_rule_subjects_group_idx ON public.dataset_rule_subjects USING btree (tenant_id, group_id) WHERE (group_id IS NOT NULL);

CREATE INDEX dataset_rule_subjects_user_idx ON public.dataset_rule_subjects USING btree (tenant_id, user_id) WHERE (user_id IS NOT NULL);

CREATE UNIQUE INDEX dataset_rules_name_idx ON public.dataset_rules USING btree (tenant_id, dataset_id, lower(name));

CREATE INDEX dataset_versions_kept_idx ON public.dataset_versions USING btree (tenant_id, dataset_id, superseded_at) WHERE (expired_at IS NULL);

CREATE INDEX datasets_ds_idx ON public.datasets USING btree (tenant_id, ds_id);

CREATE UNIQUE INDEX datasets_name_idx ON public.datasets USING btree (tenant_id, lower(name)) WHERE (deleted_at IS NULL);

CREATE INDEX delivery_messages_newest_idx ON public.delivery_messages USING btree (tenant_id, created_at DESC);

CREATE INDEX embed_keys_creator_idx ON public.embed_keys USING btree (tenant_id, created_by);

CREATE INDEX embed_revocations_expiry_idx ON public.embed_revocations USING btree (tenant_id, expires_at);

CREATE UNIQUE INDEX folders_name_idx ON public.folders USING btree (tenant_id, COALESCE(parent_id, '00000000-0000-0000-0000-000000000000'::uuid), lower(name));

CREATE INDEX folders_parent_idx ON public.folders USING btree (tenant_id, parent_id);

CREATE INDEX folders_user_idx ON public.folders USING btree (tenant_id, user_id);

CREATE INDEX identities_user_idx ON public.identities USING btree (tenant_id, user_id);

CREATE INDEX leases_dataset_idx ON public.leases USING btree (tenant_id, dataset_id, version);

CREATE INDEX leases_expiry_idx ON public.leases USING btree (tenant_id, expires_at);

CREATE INDEX loads_dataset_idx ON public.loads USING btree (tenant_id, dataset_id, created_at DESC);

CREATE INDEX loads_upload_idx ON public.loads USING btree (tenant_id, upload_id);

CREATE UNIQUE INDEX mail_bounces_address_idx ON public.mail_bounces USING btree (tenant_id, lower(address), kind) WHERE ((message_id IS NULL) AND (cleared_at IS NULL));

CREATE INDEX mail_bounces_lasting_idx ON public.mail_bounces USING btree (tenant_id, lower(address)) WHERE (lasting AND (cleared_at IS NULL));

CREATE UNIQUE INDEX mail_bounces_message_idx ON public.mail_bounces USING btree (tenant_id, message_id, kind) WHERE (message_id IS NOT NULL);

CREATE INDEX mail_bounces_newest_idx ON public.mail_bounces USING btree (tenant_id, at DESC);

CREATE INDEX notifications_actor_idx ON public.notifications USING btree (tenant_id, actor_id) WHERE (actor_id IS NOT NULL);

CREATE INDEX notifications_dashboard_idx ON public.notifications USING btree (tenant_id, dashboard_id) WHERE (dashboard_id IS NOT NULL);

CREATE INDEX notifications_dataset_idx ON public.notifications USING btree (tenant_id, dataset_id) WHERE (dataset_id IS NOT NULL);

CREATE UNIQUE INDEX notifications_event_idx ON public.notifications USING btree (tenant_id, event_id, user_id);

CREATE INDEX notifications_unread_idx ON public.notifications USING btree (tenant_id, user_id) WHERE ((read_at IS NULL) AND in_app);

CREATE INDEX notifications_user_idx ON public.notifications USING btree (tenant_id, user_id, created_at DESC);

CREATE INDEX portal_dashboards_dashboard_idx ON public.portal_dashboards USING btree (tenant_id, dashboard_id);

CREATE INDEX portal_dashboards_group_idx ON public.portal_dashboards USING btree (tenant_id, portal_id, group_id) WHERE (group_id IS NOT NULL);

CREATE INDEX portal_group_visitors_group_idx ON public.portal_group_visitors USING btree (tenant_id, group_id);

CREATE UNIQUE INDEX portal_groups_name_idx ON public.portal_groups USING btree (tenant_id, portal_id, lower(name));

CREATE INDEX portal_identities_connection_idx ON public.portal_identities USING btree (tenant_id, portal_id, connection_id);

CREATE INDEX portal_identities_visitor_idx ON public.portal_identities USING btree (tenant_id, portal_id, visitor_id);

CREATE INDEX portal_links_visitor_idx ON public.portal_links USING btree (tenant_id, visitor_id);

CREATE INDEX portal_sessions_expiry_idx ON public.portal_sessions USING btree (tenant_id, expires_at);

CREATE INDEX portal_sessions_identity_idx ON public.portal_sessions USING btree (tenant_id, identity_id) WHERE (identity_id IS NOT NULL);

CREATE INDEX portal_sessions_visitor_idx ON public.portal_sessions USING btree (tenant_id, visitor_id);

CREATE UNIQUE INDEX portal_visitors_email_idx ON public.portal_visitors USING btree (tenant_id, portal_id, lower(email));

CREATE UNIQUE INDEX portals_name_idx ON public.portals USING btree (tenant_id, lower(name));

CREATE INDEX public_links_creator_idx ON public.public_links USING btree (tenant_id, created_by);

CREATE INDEX public_links_dashboard_idx ON public.public_links USING btree (tenant_id, dashboard_id);

CREATE INDEX report_contents_expiry_idx ON public.report_contents USING btree (tenant_id, expires_at) WHERE (key <> ''::text);

CREATE INDEX report_deliveries_channel_idx ON public.report_deliveries USING btree (tenant_id, channel_id) WHERE (channel_id IS NOT NULL);

CREATE INDEX report_deliveries_content_idx ON public.report_deliveries USING btree (tenant_id, content_id);

CREATE UNIQUE INDEX report_deliveries_once_idx ON public.report_deliveries USING btree (tenant_id, run_id, lower(address)) WHERE (NOT visiting);

CREATE INDEX report_deliveries_recipient_idx ON public.report_deliveries USING btree (tenant_id, recipient_id);

CREATE INDEX report_deliveries_user_idx ON public.report_deliveries USING btree (tenant_id, user_id);

CREATE INDEX report_deliveries_visiting_idx ON public.report_deliveries USING btree (tenant_id, visitor_id) WHERE (visitor_id IS NOT NULL);

CREATE UNIQUE INDEX report_deliveries_visitor_idx ON public.report_deliveries USING btree (tenant_id, run_id, visitor_id) WHERE (visitor_id IS NOT NULL);

CREATE UNIQUE INDEX report_recipients_address_idx ON public.report_recipients USING btree (tenant_id, schedule_id, lower(address)) WHERE (address <> ''::text);

CREATE INDEX report_recipients_channel_idx ON public.report_recipients USING btree (tenant_id, channel_id) WHERE (channel_id IS NOT NULL);

CREATE UNIQUE INDEX report_recipients_group_idx ON public.report_recipients USING btree (tenant_id, schedule_id, portal_group_id) WHERE ((portal_group_id IS NOT NULL) AND (visitor_address = ''::text));

CREATE INDEX report_recipients_of_group_idx ON public.report_recipients USING btree (tenant_id, portal_group_id) WHERE (portal_group_id IS NOT NULL);

CREATE UNIQUE INDEX report_recipients_once_idx ON public.report_recipients USING btree (tenant_id, schedule_id, channel_id) WHERE (channel_id IS NOT NULL);

CREATE INDEX report_recipients_person_idx ON public.report_recipients USING btree (tenant_id, user_id);

CREATE UNIQUE INDEX report_recipients_user_idx ON public.report_recipients USING btree (tenant_id, schedule_id, user_id) WHERE (user_id IS NOT NULL);

CREATE INDEX report_recipients_visiting_idx ON public.report_recipients USING btree (tenant_id, visitor_id) WHERE (visitor_id IS NOT NULL);

CREATE UNIQUE INDEX report_recipients_visitor_idx ON public.report_recipients USING btree (tenant_id, schedule_id, visitor_id) WHERE (visitor_id IS NOT NULL);

CREATE INDEX report_runs_newest_idx ON public.report_runs USING btree (tenant_id, schedule_id, due_at DESC);

CREATE INDEX report_runs_open_idx ON public.report_runs USING btree (tenant_id, due_at) WHERE (state = ANY (ARRAY['due'::text, 'sending'::text]));

CREATE INDEX report_schedules_dashboard_idx ON public.report_schedules USING btree (tenant_id, dashboard_id);

CREATE INDEX report_schedules_due_idx ON public.report_schedules USING btree (tenant_id, next_at) WHERE (paused_at IS NULL);

CREATE INDEX report_schedules_owner_idx ON public.report_schedules USING btree (tenant_id, owner_id);

CREATE INDEX report_schedules_visitor_idx ON public.report_schedules USING btree (tenant_id, owner_visitor_id) WHERE (owner_visitor_id IS NOT NULL);

CREATE INDEX reports_dashboard_idx ON public.reports USING btree (tenant_id, dashboard_id, created_at DESC);

CREATE INDEX reports_dataset_idx ON public.reports USING btree (tenant_id, dataset_id) WHERE (dataset_id IS NOT NULL);

CREATE INDEX reports_expiry_idx ON public.reports USING btree (tenant_id, expires_at) WHERE (download_url <> ''::text);

CREATE INDEX reports_user_idx ON public.reports USING btree (tenant_id, user_id);

CREATE INDEX reports_visitor_idx ON public.reports USING btree (tenant_id, visitor_id) WHERE (visitor_id IS NOT NULL);

CREATE INDEX segment_garbage_due_idx ON public.segment_garbage USING btree (tenant_id, delete_after);

CREATE INDEX segments_key_idx ON public.segments USING btree (tenant_id, key);

CREATE INDEX segments_live_idx ON public.segments USING btree (tenant_id, dataset_id) WHERE (removed_in IS NULL);

CREATE INDEX segments_removed_idx ON public.segments USING btree (tenant_id, dataset_id, removed_in) WHERE (removed_in IS NOT NULL);

CREATE INDEX uploads_age_idx ON public.uploads USING btree (tenant_id, created_at);

CREATE INDEX user_group_members_group_idx ON public.user_group_members USING btree (tenant_id, group_id);

CREATE UNIQUE INDEX user_groups_name_idx ON public.user_groups USING btree (tenant_id, lower(name));

CREATE INDEX users_custom_role_idx ON public.users USING btree (tenant_id, custom_role_id) WHERE (custom_role_id IS NOT NULL);

CREATE UNIQUE INDEX users_email_idx ON public.users USING btree (tenant_id, lower(email));

CREATE UNIQUE INDEX users_person_idx ON public.users USING btree (tenant_id, person_id);

CREATE INDEX users_plan_idx ON public.users USING btree (tenant_id, plan_type);

CREATE INDEX workspace_operations_user_idx ON public.workspace_operations USING btree (tenant_id, user_id, op_id);

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON control.memberships DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.membership_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER UPDATE OF name, slug ON control.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.workspace_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.custom_roles DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.dashboard_saved_views DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE OF starred_at ON public.dashboard_views DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.dashboards DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.dataset_rule_subjects DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.dataset_rules DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.datasets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.folders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.group_attributes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.member_attributes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON public.user_group_members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE OF email, name, role, custom_role_id, plan_type, zone, locale, theme, shortcuts, person_id, removed_at ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE CONSTRAINT TRIGGER advance_epoch_second_factor AFTER UPDATE OF second_factor_at ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed();

CREATE TRIGGER apply_grant AFTER INSERT OR DELETE OR UPDATE ON public.access_grants FOR EACH ROW EXECUTE FUNCTION public.apply_grant();

CREATE TRIGGER derive_access BEFORE INSERT OR UPDATE OF folder_id, restricted, user_id, readers, writers ON public.dashboards FOR EACH ROW EXECUTE FUNCTION public.derive_access();

CREATE TRIGGER derive_access BEFORE INSERT OR UPDATE OF restricted, created_by, readers, writers ON public.datasets FOR EACH ROW EXECUTE FUNCTION public.derive_access();

CREATE TRIGGER derive_access BEFORE INSERT OR UPDATE OF parent_id, restricted, user_id, readers, writers ON public.folders FOR EACH ROW EXECUTE FUNCTION public.derive_access();

CREATE TRIGGER pass_access_on AFTER UPDATE ON public.folders FOR EACH ROW WHEN (((old.readers IS DISTINCT FROM new.readers) OR (old.writers IS DISTINCT FROM new.writers))) EXECUTE FUNCTION public.pass_access_on();

CREATE TRIGGER revise_ruled AFTER INSERT OR DELETE OR UPDATE ON public.dataset_rule_subjects FOR EACH ROW EXECUTE FUNCTION public.revise_ruled();

CREATE TRIGGER revise_ruled AFTER INSERT OR DELETE OR UPDATE ON public.dataset_rules FOR EACH ROW EXECUTE FUNCTION public.revise_ruled();

ALTER TABLE ONLY control.domains
    ADD CONSTRAINT domains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.memberships
    ADD CONSTRAINT memberships_person_id_fkey FOREIGN KEY (person_id) REFERENCES control.people(person_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.memberships
    ADD CONSTRAINT memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.one_time_links
    ADD CONSTRAINT one_time_links_person_id_fkey FOREIGN KEY (person_id) REFERENCES control.people(person_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_person_id_fkey FOREIGN KEY (person_id) REFERENCES control.people(person_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.pending_sign_ins
    ADD CONSTRAINT pending_sign_ins_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.placements
    ADD CONSTRAINT placements_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id);

ALTER TABLE ONLY control.sessions
    ADD CONSTRAINT sessions_person_id_fkey FOREIGN KEY (person_id) REFERENCES control.people(person_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.sign_in_policies
    ADD CONSTRAINT sign_in_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.sign_in_replays
    ADD CONSTRAINT sign_in_replays_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY control.sign_in_requests
    ADD CONSTRAINT sign_in_requests_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES control.tenants(tenant_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT access_grants_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT access_grants_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT access_grants_tenant_id_folder_id_fkey FOREIGN KEY (tenant_id, folder_id) REFERENCES public.folders(tenant_id, folder_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT access_grants_tenant_id_group_id_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES public.user_groups(tenant_id, group_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.access_grants
    ADD CONSTRAINT access_grants_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alert_events
    ADD CONSTRAINT alert_events_tenant_id_alert_id_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES public.alerts(tenant_id, alert_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alert_events
    ADD CONSTRAINT alert_events_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.alert_notices
    ADD CONSTRAINT alert_notices_tenant_id_alert_id_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES public.alerts(tenant_id, alert_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alert_notices
    ADD CONSTRAINT alert_notices_tenant_id_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES public.channels(tenant_id, channel_id) ON DELETE SET NULL (channel_id);

ALTER TABLE ONLY public.alert_notices
    ADD CONSTRAINT alert_notices_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.alert_recipients
    ADD CONSTRAINT alert_recipients_tenant_id_alert_id_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES public.alerts(tenant_id, alert_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alert_recipients
    ADD CONSTRAINT alert_recipients_tenant_id_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES public.channels(tenant_id, channel_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alert_recipients
    ADD CONSTRAINT alert_recipients_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alert_states
    ADD CONSTRAINT alert_states_tenant_id_acked_by_fkey FOREIGN KEY (tenant_id, acked_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (acked_by);

ALTER TABLE ONLY public.alert_states
    ADD CONSTRAINT alert_states_tenant_id_alert_id_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES public.alerts(tenant_id, alert_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE SET NULL (dashboard_id);

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_tenant_id_owner_id_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.alerts
    ADD CONSTRAINT alerts_tenant_id_paused_by_fkey FOREIGN KEY (tenant_id, paused_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (paused_by);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_tenant_id_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (created_by);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_tenant_id_custom_role_id_role_fkey FOREIGN KEY (tenant_id, custom_role_id, role) REFERENCES public.custom_roles(tenant_id, role_id, standing) ON UPDATE CASCADE;

ALTER TABLE ONLY public.audit_details
    ADD CONSTRAINT audit_details_tenant_id_audit_id_fkey FOREIGN KEY (tenant_id, audit_id) REFERENCES public.audit_events(tenant_id, audit_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.channels
    ADD CONSTRAINT channels_tenant_id_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (created_by);

ALTER TABLE ONLY public.comment_threads
    ADD CONSTRAINT comment_threads_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.comment_threads
    ADD CONSTRAINT comment_threads_tenant_id_resolved_by_fkey FOREIGN KEY (tenant_id, resolved_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (resolved_by);

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_tenant_id_thread_id_fkey FOREIGN KEY (tenant_id, thread_id) REFERENCES public.comment_threads(tenant_id, thread_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.comments
    ADD CONSTRAINT comments_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_data_sources
    ADD CONSTRAINT dashboard_data_sources_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_data_sources
    ADD CONSTRAINT dashboard_data_sources_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_data_sources
    ADD CONSTRAINT dashboard_data_sources_tenant_id_ds_id_fkey FOREIGN KEY (tenant_id, ds_id) REFERENCES public.data_sources(tenant_id, ds_id) ON DELETE SET NULL (ds_id);

ALTER TABLE ONLY public.dashboard_operations
    ADD CONSTRAINT dashboard_operations_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_saved_views
    ADD CONSTRAINT dashboard_saved_views_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_saved_views
    ADD CONSTRAINT dashboard_saved_views_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_templates
    ADD CONSTRAINT dashboard_templates_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.dashboard_versions
    ADD CONSTRAINT dashboard_versions_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_versions
    ADD CONSTRAINT dashboard_versions_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.dashboard_views
    ADD CONSTRAINT dashboard_views_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboard_views
    ADD CONSTRAINT dashboard_views_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dashboards
    ADD CONSTRAINT dashboards_tenant_id_folder_id_fkey FOREIGN KEY (tenant_id, folder_id) REFERENCES public.folders(tenant_id, folder_id) ON DELETE SET NULL (folder_id);

ALTER TABLE ONLY public.dashboards
    ADD CONSTRAINT dashboards_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.dataset_appends
    ADD CONSTRAINT dataset_appends_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_column_gaps
    ADD CONSTRAINT dataset_column_gaps_tenant_id_dataset_id_column_id_fkey FOREIGN KEY (tenant_id, dataset_id, column_id) REFERENCES public.dataset_columns(tenant_id, dataset_id, column_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_columns
    ADD CONSTRAINT dataset_columns_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_fields
    ADD CONSTRAINT dataset_fields_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_lookups
    ADD CONSTRAINT dataset_lookups_tenant_id_dataset_id_column_id_fkey FOREIGN KEY (tenant_id, dataset_id, column_id) REFERENCES public.dataset_columns(tenant_id, dataset_id, column_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_lookups
    ADD CONSTRAINT dataset_lookups_tenant_id_target_id_key_column_id_fkey FOREIGN KEY (tenant_id, target_id, key_column_id) REFERENCES public.dataset_columns(tenant_id, dataset_id, column_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_measures
    ADD CONSTRAINT dataset_measures_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_profiles
    ADD CONSTRAINT dataset_profiles_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_rule_subjects
    ADD CONSTRAINT dataset_rule_subjects_tenant_id_group_id_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES public.user_groups(tenant_id, group_id);

ALTER TABLE ONLY public.dataset_rule_subjects
    ADD CONSTRAINT dataset_rule_subjects_tenant_id_rule_id_fkey FOREIGN KEY (tenant_id, rule_id) REFERENCES public.dataset_rules(tenant_id, rule_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_rule_subjects
    ADD CONSTRAINT dataset_rule_subjects_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id);

ALTER TABLE ONLY public.dataset_rules
    ADD CONSTRAINT dataset_rules_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dataset_versions
    ADD CONSTRAINT dataset_versions_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT datasets_tenant_id_ds_id_fkey FOREIGN KEY (tenant_id, ds_id) REFERENCES public.data_sources(tenant_id, ds_id);

ALTER TABLE ONLY public.embed_keys
    ADD CONSTRAINT embed_keys_tenant_id_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (created_by);

ALTER TABLE ONLY public.folders
    ADD CONSTRAINT folders_tenant_id_parent_id_fkey FOREIGN KEY (tenant_id, parent_id) REFERENCES public.folders(tenant_id, folder_id) ON DELETE SET NULL (parent_id);

ALTER TABLE ONLY public.folders
    ADD CONSTRAINT folders_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.group_attributes
    ADD CONSTRAINT group_attributes_tenant_id_group_id_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES public.user_groups(tenant_id, group_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.identities
    ADD CONSTRAINT identities_tenant_id_connection_id_fkey FOREIGN KEY (tenant_id, connection_id) REFERENCES public.sso_connections(tenant_id, connection_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.identities
    ADD CONSTRAINT identities_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.loads
    ADD CONSTRAINT loads_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.loads
    ADD CONSTRAINT loads_tenant_id_upload_id_fkey FOREIGN KEY (tenant_id, upload_id) REFERENCES public.uploads(tenant_id, upload_id);

ALTER TABLE ONLY public.member_attributes
    ADD CONSTRAINT member_attributes_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_settings
    ADD CONSTRAINT notification_settings_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_tenant_id_actor_id_fkey FOREIGN KEY (tenant_id, actor_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (actor_id);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_assets
    ADD CONSTRAINT portal_assets_tenant_id_portal_id_fkey FOREIGN KEY (tenant_id, portal_id) REFERENCES public.portals(tenant_id, portal_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_connections
    ADD CONSTRAINT portal_connections_tenant_id_portal_id_fkey FOREIGN KEY (tenant_id, portal_id) REFERENCES public.portals(tenant_id, portal_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_dashboards
    ADD CONSTRAINT portal_dashboards_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_dashboards
    ADD CONSTRAINT portal_dashboards_tenant_id_portal_id_fkey FOREIGN KEY (tenant_id, portal_id) REFERENCES public.portals(tenant_id, portal_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_dashboards
    ADD CONSTRAINT portal_dashboards_tenant_id_portal_id_group_id_fkey FOREIGN KEY (tenant_id, portal_id, group_id) REFERENCES public.portal_groups(tenant_id, portal_id, group_id);

ALTER TABLE ONLY public.portal_group_visitors
    ADD CONSTRAINT portal_group_visitors_tenant_id_group_id_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES public.portal_groups(tenant_id, group_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_group_visitors
    ADD CONSTRAINT portal_group_visitors_tenant_id_visitor_id_fkey FOREIGN KEY (tenant_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_groups
    ADD CONSTRAINT portal_groups_tenant_id_portal_id_fkey FOREIGN KEY (tenant_id, portal_id) REFERENCES public.portals(tenant_id, portal_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_identities
    ADD CONSTRAINT portal_identities_tenant_id_portal_id_connection_id_fkey FOREIGN KEY (tenant_id, portal_id, connection_id) REFERENCES public.portal_connections(tenant_id, portal_id, connection_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_identities
    ADD CONSTRAINT portal_identities_tenant_id_portal_id_visitor_id_fkey FOREIGN KEY (tenant_id, portal_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, portal_id, visitor_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_links
    ADD CONSTRAINT portal_links_tenant_id_visitor_id_fkey FOREIGN KEY (tenant_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_sessions
    ADD CONSTRAINT portal_sessions_tenant_id_identity_id_fkey FOREIGN KEY (tenant_id, identity_id) REFERENCES public.portal_identities(tenant_id, identity_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_sessions
    ADD CONSTRAINT portal_sessions_tenant_id_visitor_id_fkey FOREIGN KEY (tenant_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.portal_visitors
    ADD CONSTRAINT portal_visitors_tenant_id_portal_id_fkey FOREIGN KEY (tenant_id, portal_id) REFERENCES public.portals(tenant_id, portal_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_tenant_id_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (created_by);

ALTER TABLE ONLY public.public_links
    ADD CONSTRAINT public_links_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_contents
    ADD CONSTRAINT report_contents_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES public.report_runs(tenant_id, run_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_tenant_id_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES public.channels(tenant_id, channel_id) ON DELETE SET NULL (channel_id);

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_tenant_id_content_id_fkey FOREIGN KEY (tenant_id, content_id) REFERENCES public.report_contents(tenant_id, content_id) ON DELETE SET NULL (content_id);

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_tenant_id_recipient_id_fkey FOREIGN KEY (tenant_id, recipient_id) REFERENCES public.report_recipients(tenant_id, recipient_id) ON DELETE SET NULL (recipient_id);

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES public.report_runs(tenant_id, run_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.report_deliveries
    ADD CONSTRAINT report_deliveries_tenant_id_visitor_id_fkey FOREIGN KEY (tenant_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE SET NULL (visitor_id);

ALTER TABLE ONLY public.report_recipients
    ADD CONSTRAINT report_recipients_tenant_id_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES public.channels(tenant_id, channel_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_recipients
    ADD CONSTRAINT report_recipients_tenant_id_portal_group_id_fkey FOREIGN KEY (tenant_id, portal_group_id) REFERENCES public.portal_groups(tenant_id, group_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_recipients
    ADD CONSTRAINT report_recipients_tenant_id_schedule_id_fkey FOREIGN KEY (tenant_id, schedule_id) REFERENCES public.report_schedules(tenant_id, schedule_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_recipients
    ADD CONSTRAINT report_recipients_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_recipients
    ADD CONSTRAINT report_recipients_tenant_id_visitor_id_fkey FOREIGN KEY (tenant_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE SET NULL (visitor_id);

ALTER TABLE ONLY public.report_runs
    ADD CONSTRAINT report_runs_tenant_id_schedule_id_fkey FOREIGN KEY (tenant_id, schedule_id) REFERENCES public.report_schedules(tenant_id, schedule_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_schedules
    ADD CONSTRAINT report_schedules_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_schedules
    ADD CONSTRAINT report_schedules_tenant_id_owner_id_fkey FOREIGN KEY (tenant_id, owner_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.report_schedules
    ADD CONSTRAINT report_schedules_tenant_id_owner_visitor_id_fkey FOREIGN KEY (tenant_id, owner_visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE SET NULL (owner_visitor_id);

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_tenant_id_dashboard_id_fkey FOREIGN KEY (tenant_id, dashboard_id) REFERENCES public.dashboards(tenant_id, dashboard_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE SET NULL (user_id);

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_tenant_id_visitor_id_fkey FOREIGN KEY (tenant_id, visitor_id) REFERENCES public.portal_visitors(tenant_id, visitor_id) ON DELETE SET NULL (visitor_id);

ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.segments
    ADD CONSTRAINT segments_tenant_id_dataset_id_fkey FOREIGN KEY (tenant_id, dataset_id) REFERENCES public.datasets(tenant_id, dataset_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_group_members
    ADD CONSTRAINT user_group_members_tenant_id_group_id_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES public.user_groups(tenant_id, group_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_group_members
    ADD CONSTRAINT user_group_members_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES public.users(tenant_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_custom_role_fkey FOREIGN KEY (tenant_id, custom_role_id, role) REFERENCES public.custom_roles(tenant_id, role_id, standing) ON UPDATE CASCADE;

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_tenant_id_plan_type_fkey FOREIGN KEY (tenant_id, plan_type) REFERENCES public.tenants(tenant_id, plan_type) ON UPDATE CASCADE;

CREATE POLICY control_rows ON control.domains USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.memberships USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.one_time_links USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.pending_sign_ins USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.people USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.placements USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.portal_hosts USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.schedules USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.sessions USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.sign_in_policies USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.sign_in_replays USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.sign_in_requests USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.tenants USING ((current_setting('app.scope'::text, true) = 'control'::text));

CREATE POLICY control_rows ON control.throttles USING ((current_setting('app.scope'::text, true) = 'control'::text));

ALTER TABLE control.domains ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.epochs ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.jobs ENABLE ROW LEVEL SECURITY;

CREATE POLICY jobs_tenant ON control.jobs USING (((current_setting('app.scope'::text, true) = 'control'::text) OR (tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)));

ALTER TABLE control.memberships ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.one_time_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.outbox ENABLE ROW LEVEL SECURITY;

CREATE POLICY outbox_tenant ON control.outbox USING (((current_setting('app.scope'::text, true) = 'control'::text) OR (tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)));

CREATE POLICY own_row ON control.domains FOR SELECT USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY own_row ON control.placements FOR SELECT USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY own_row ON control.portal_hosts FOR SELECT USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY own_row ON control.sign_in_policies FOR SELECT USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY own_row ON control.tenants FOR SELECT USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

ALTER TABLE control.pending_sign_ins ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.people ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.placements ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.portal_hosts ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.schedules ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.sign_in_policies ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.sign_in_replays ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.sign_in_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.tenants ENABLE ROW LEVEL SECURITY;

ALTER TABLE control.throttles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.access_grants ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.alert_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.alert_notices ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.alert_recipients ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.alert_states ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.alerts ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_batches ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_chains ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_details ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.audit_forwards ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.channels ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.comment_threads ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.comments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.custom_roles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboard_data_sources ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboard_operations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboard_saved_views ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboard_templates ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboard_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboard_views ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dashboards ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.data_sources ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_appends ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_column_gaps ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_columns ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_fields ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_lookups ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_measures ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_profiles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_rule_subjects ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_rules ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.dataset_versions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.datasets ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.delivery_messages ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.embed_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.embed_revocations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.folders ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.group_attributes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.identities ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.leases ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.loads ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail_bounces ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail_hooks ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail_mailboxes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.mail_servers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.member_attributes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notification_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notifications ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_assets ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_connections ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_dashboards ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_group_visitors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_groups ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_identities ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portal_visitors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.portals ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.public_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.recovery_codes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.report_contents ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.report_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.report_recipients ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.report_runs ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.report_schedules ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.reports ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.second_factors ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.segment_garbage ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.segments ENABLE ROW LEVEL SECURITY;

CREATE POLICY shared_changes ON public.dashboards AS RESTRICTIVE FOR UPDATE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((writers IS NULL) OR (writers && ( SELECT public.access_subjects() AS access_subjects)))))) WITH CHECK (true);

CREATE POLICY shared_changes ON public.datasets AS RESTRICTIVE FOR UPDATE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((writers IS NULL) OR (writers && ( SELECT public.access_subjects() AS access_subjects)))))) WITH CHECK (true);

CREATE POLICY shared_changes ON public.folders AS RESTRICTIVE FOR UPDATE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((writers IS NULL) OR (writers && ( SELECT public.access_subjects() AS access_subjects)))))) WITH CHECK (true);

CREATE POLICY shared_removals ON public.dashboards AS RESTRICTIVE FOR DELETE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((writers IS NULL) OR (writers && ( SELECT public.access_subjects() AS access_subjects))))));

CREATE POLICY shared_removals ON public.datasets AS RESTRICTIVE FOR DELETE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((writers IS NULL) OR (writers && ( SELECT public.access_subjects() AS access_subjects))))));

CREATE POLICY shared_removals ON public.folders AS RESTRICTIVE FOR DELETE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((writers IS NULL) OR (writers && ( SELECT public.access_subjects() AS access_subjects))))));

CREATE POLICY shared_rows ON public.comment_threads AS RESTRICTIVE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR (EXISTS ( SELECT 1
   FROM public.dashboards d
  WHERE ((d.tenant_id = comment_threads.tenant_id) AND (d.dashboard_id = comment_threads.dashboard_id))))));

CREATE POLICY shared_rows ON public.comments AS RESTRICTIVE USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR (EXISTS ( SELECT 1
   FROM public.comment_threads t
  WHERE ((t.tenant_id = comments.tenant_id) AND (t.thread_id = comments.thread_id))))));

CREATE POLICY shared_rows ON public.dashboards AS RESTRICTIVE FOR SELECT USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((readers IS NULL) OR (readers && ( SELECT public.access_subjects() AS access_subjects)))) OR (( SELECT public.access_outside() AS access_outside) AND (dashboard_id = ANY (( SELECT public.access_subjects() AS access_subjects)::uuid[])))));

CREATE POLICY shared_rows ON public.datasets AS RESTRICTIVE FOR SELECT USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((readers IS NULL) OR (readers && ( SELECT public.access_subjects() AS access_subjects)))) OR (( SELECT public.access_outside() AS access_outside) AND (dataset_id = ANY (( SELECT public.access_subjects() AS access_subjects)::uuid[])))));

CREATE POLICY shared_rows ON public.folders AS RESTRICTIVE FOR SELECT USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR ((NOT ( SELECT public.access_outside() AS access_outside)) AND ((readers IS NULL) OR (readers && ( SELECT public.access_subjects() AS access_subjects)))) OR (( SELECT public.access_outside() AS access_outside) AND (folder_id = ANY (( SELECT public.access_subjects() AS access_subjects)::uuid[])))));

CREATE POLICY shared_rows ON public.loads AS RESTRICTIVE FOR SELECT USING (((dataset_id IS NULL) OR (( SELECT public.access_subjects() AS access_subjects) IS NULL) OR (EXISTS ( SELECT 1
   FROM public.datasets d
  WHERE ((d.tenant_id = loads.tenant_id) AND (d.dataset_id = loads.dataset_id))))));

CREATE POLICY shared_rows ON public.notifications AS RESTRICTIVE FOR SELECT USING (((( SELECT public.access_subjects() AS access_subjects) IS NULL) OR (((dashboard_id IS NULL) OR (EXISTS ( SELECT 1
   FROM public.dashboards d
  WHERE ((d.tenant_id = notifications.tenant_id) AND (d.dashboard_id = notifications.dashboard_id))))) AND ((dataset_id IS NULL) OR (EXISTS ( SELECT 1
   FROM public.datasets s
  WHERE ((s.tenant_id = notifications.tenant_id) AND (s.dataset_id = notifications.dataset_id))))))));

ALTER TABLE public.sso_connections ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant_rows ON public.access_grants USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.alert_events USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.alert_notices USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.alert_recipients USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.alert_states USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.alerts USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.api_keys USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.audit_batches USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.audit_chains USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.audit_details USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.audit_events USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.audit_forwards USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.channels USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.comment_threads USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.comments USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.custom_roles USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboard_data_sources USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboard_operations USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboard_saved_views USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboard_templates USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboard_versions USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboard_views USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dashboards USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.data_sources USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_appends USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_column_gaps USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_columns USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_fields USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_lookups USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_measures USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_profiles USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_rule_subjects USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_rules USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.dataset_versions USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.datasets USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.delivery_messages USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.embed_keys USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.embed_revocations USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.folders USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.group_attributes USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.identities USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.leases USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.loads USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.mail_bounces USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.mail_hooks USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.mail_keys USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.mail_mailboxes USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.mail_servers USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.member_attributes USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.notification_settings USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.notifications USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_assets USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_connections USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_dashboards USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_group_visitors USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_groups USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_identities USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_links USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_sessions USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portal_visitors USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.portals USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.public_links USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.recovery_codes USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.report_contents USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.report_deliveries USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.report_recipients USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.report_runs USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.report_schedules USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.reports USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.second_factors USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.segment_garbage USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.segments USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.sso_connections USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.tenants USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.uploads USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.user_group_members USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.user_groups USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.users USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE POLICY tenant_rows ON public.workspace_operations USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

ALTER TABLE public.tenants ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.uploads ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.user_group_members ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.user_groups ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.workspace_operations ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA control TO dataflow_app;

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO dataflow_app;

REVOKE ALL ON FUNCTION control.advance_epoch(tenant uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION control.check_sessions(tokens bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION control.check_sessions(tokens bytea[]) TO dataflow_app;

REVOKE ALL ON FUNCTION control.membership_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION control.open_session(token bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION control.open_session(token bytea) TO dataflow_app;

REVOKE ALL ON FUNCTION control.protect(target regclass, privileges text) FROM PUBLIC;

REVOKE ALL ON FUNCTION control.reserve(target regclass, privileges text, own boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION control.row_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION control.session_workspaces() FROM PUBLIC;
GRANT ALL ON FUNCTION control.session_workspaces() TO dataflow_app;

REVOKE ALL ON FUNCTION control.take_attempts(keys bytea[], free integer[], longest_seconds integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION control.take_attempts(keys bytea[], free integer[], longest_seconds integer[]) TO dataflow_app;

REVOKE ALL ON FUNCTION control.watch(target regclass, columns text) FROM PUBLIC;

REVOKE ALL ON FUNCTION control.workspace_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.access_outside() FROM PUBLIC;
GRANT ALL ON FUNCTION public.access_outside() TO dataflow_app;

REVOKE ALL ON FUNCTION public.access_subjects() FROM PUBLIC;
GRANT ALL ON FUNCTION public.access_subjects() TO dataflow_app;

REVOKE ALL ON FUNCTION public.apply_grant() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.audit_erase(person uuid, words text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.audit_erase(person uuid, words text[]) TO dataflow_app;

REVOKE ALL ON FUNCTION public.audit_prune() FROM PUBLIC;
GRANT ALL ON FUNCTION public.audit_prune() TO dataflow_app;

REVOKE ALL ON FUNCTION public.audit_seal(entry_ids uuid[], chain_before bytea, chain_after bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.audit_seal(entry_ids uuid[], chain_before bytea, chain_after bytea) TO dataflow_app;

REVOKE ALL ON FUNCTION public.derive_access() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.is_among(list uuid[], tenant uuid, person uuid, person_role public.user_role) FROM PUBLIC;
GRANT ALL ON FUNCTION public.is_among(list uuid[], tenant uuid, person uuid, person_role public.user_role) TO dataflow_app;

REVOKE ALL ON FUNCTION public.may_access(list uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.may_access(list uuid[]) TO dataflow_app;

REVOKE ALL ON FUNCTION public.pass_access_on() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.person_attributes(person uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.person_attributes(person uuid) TO dataflow_app;

REVOKE ALL ON FUNCTION public.revise_ruled() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.see_as(person uuid, person_role public.user_role) FROM PUBLIC;
GRANT ALL ON FUNCTION public.see_as(person uuid, person_role public.user_role) TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.domains TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.jobs TO dataflow_app;

GRANT SELECT,INSERT,DELETE ON TABLE control.memberships TO dataflow_app;

GRANT SELECT,INSERT,DELETE ON TABLE control.one_time_links TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.outbox TO dataflow_app;

GRANT SELECT,INSERT,DELETE ON TABLE control.pending_sign_ins TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE control.people TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE control.placements TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.portal_hosts TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE control.schedules TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.sessions TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE control.sign_in_policies TO dataflow_app;

GRANT SELECT,INSERT,DELETE ON TABLE control.sign_in_replays TO dataflow_app;

GRANT SELECT,INSERT,DELETE ON TABLE control.sign_in_requests TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE control.tenants TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE control.throttles TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.access_grants TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.alert_events TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.alert_notices TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.alert_recipients TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.alert_states TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.alerts TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_keys TO dataflow_app;

GRANT SELECT ON TABLE public.audit_batches TO dataflow_app;

GRANT SELECT ON TABLE public.audit_chains TO dataflow_app;

GRANT SELECT,INSERT ON TABLE public.audit_details TO dataflow_app;

GRANT SELECT,INSERT ON TABLE public.audit_events TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.audit_forwards TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.channels TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.comment_threads TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.comments TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_roles TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dashboard_data_sources TO dataflow_app;

GRANT SELECT,INSERT ON TABLE public.dashboard_operations TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dashboard_saved_views TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dashboard_templates TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.dashboard_versions TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dashboard_views TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dashboards TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.data_sources TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_appends TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_column_gaps TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_columns TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_fields TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_lookups TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_measures TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_profiles TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_rule_subjects TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_rules TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dataset_versions TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.datasets TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.delivery_messages TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.embed_keys TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.embed_revocations TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.folders TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.group_attributes TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identities TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.leases TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.loads TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mail_bounces TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mail_hooks TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mail_keys TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mail_mailboxes TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.mail_servers TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.member_attributes TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notification_settings TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.notifications TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_assets TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_connections TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_dashboards TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_group_visitors TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_groups TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_identities TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_links TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_sessions TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portal_visitors TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.portals TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.public_links TO dataflow_app;

GRANT SELECT,INSERT,DELETE ON TABLE public.recovery_codes TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.report_contents TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.report_deliveries TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.report_recipients TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.report_runs TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.report_schedules TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reports TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.second_factors TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.segment_garbage TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.segments TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sso_connections TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.tenants TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.uploads TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.user_group_members TO dataflow_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.user_groups TO dataflow_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.users TO dataflow_app;

GRANT SELECT,INSERT ON TABLE public.workspace_operations TO dataflow_app;
