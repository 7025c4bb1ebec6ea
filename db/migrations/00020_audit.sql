-- The audit log: who, what, when, from where, before and after.
--
-- An entry lies in two rows. audit_events has what stays: ids, time, action.
-- audit_details has what may have to be erased: names, addresses, values. Of
-- each part of it the entry keeps a digest with a salt that goes with the part,
-- so that a chain of hashes over entries can be verified after an erasure, and
-- the digest tells nothing of what was erased.
--
-- A job seals entries into batches: each batch's hash covers the hash before it
-- and the entries. It takes those whose transaction is older than every
-- transaction that still runs, so one that commits late is in the next batch.
-- The run-time role can add entries; sealing, erasing and pruning are functions
-- that check what they do.
-- +goose Up
ALTER TABLE audit_events
    ADD COLUMN outcome     text   NOT NULL DEFAULT 'allowed' CHECK (outcome IN ('allowed', 'denied')),
    ADD COLUMN request_id  text   NOT NULL DEFAULT '',
    ADD COLUMN who_digest  bytea  CHECK (length(who_digest) = 32),
    ADD COLUMN what_digest bytea  CHECK (length(what_digest) = 32),
    ADD COLUMN xact        xid8   NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN batch       bigint, -- none until it is sealed
    ADD COLUMN place       integer CHECK ((batch IS NULL) = (place IS NULL));
DROP INDEX audit_events_at_idx;
CREATE INDEX audit_events_at_idx ON audit_events (tenant_id, at DESC, audit_id DESC);
CREATE INDEX audit_events_user_idx ON audit_events (tenant_id, user_id, at DESC, audit_id DESC);
CREATE INDEX audit_events_open_idx ON audit_events (tenant_id, xact, audit_id) WHERE batch IS NULL;
CREATE UNIQUE INDEX audit_events_batch_idx ON audit_events (tenant_id, batch, place) WHERE batch IS NOT NULL;

-- who: name, email, address, agent, session. what: name, detail, before, after.
CREATE TABLE audit_details (
    tenant_id uuid  NOT NULL,
    audit_id  uuid  NOT NULL,
    who       jsonb,
    who_salt  bytea,
    what      jsonb,
    what_salt bytea,
    PRIMARY KEY (tenant_id, audit_id),
    FOREIGN KEY (tenant_id, audit_id) REFERENCES audit_events ON DELETE CASCADE
);
SELECT control.protect('audit_details', 'SELECT, INSERT');

CREATE TABLE audit_batches (
    tenant_id uuid        NOT NULL,
    batch     bigint      NOT NULL CHECK (batch > 0),
    entries   integer     NOT NULL CHECK (entries > 0),
    last_at   timestamptz NOT NULL, -- the newest entry
    sealed_at timestamptz NOT NULL,
    hash      bytea       NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, batch)
);
SELECT control.protect('audit_batches', 'SELECT');

-- A workspace's chain: its newest batch, and the last one that was removed, its
-- checkpoint, from which it is verified.
CREATE TABLE audit_chains (
    tenant_id       uuid        PRIMARY KEY,
    batch           bigint      NOT NULL,
    hash            bytea       NOT NULL,
    checkpoint      bigint      NOT NULL DEFAULT 0,
    checkpoint_hash bytea       NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000',
    checkpoint_at   timestamptz
);
SELECT control.protect('audit_chains', 'SELECT');

ALTER TABLE tenants ADD COLUMN audit_days integer NOT NULL DEFAULT 90 CHECK (audit_days BETWEEN 30 AND 3650);

-- Where entries are sent to. sent is the newest batch that has arrived.
CREATE TABLE audit_forwards (
    tenant_id  uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('syslog', 'hec')),
    address    text        NOT NULL CHECK (length(address) BETWEEN 1 AND 500),
    secret     bytea,      -- of the collector, under the workspace's keys
    sent       bigint      NOT NULL DEFAULT 0,
    sent_at    timestamptz,
    error      text        NOT NULL DEFAULT '',
    failed_at  timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now()
);
SELECT control.protect('audit_forwards');

-- audit_seal appends a batch of entries that are in none yet, in their order.
-- One process at a time seals a workspace; chain_before is the hash that the
-- caller has continued.
-- +goose StatementBegin
CREATE FUNCTION audit_seal(entry_ids uuid[], chain_before bytea, chain_after bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- audit_prune removes the batches that are older than the workspace keeps
-- them, from the oldest on, up to the first that is not; the last one that it
-- removes becomes the checkpoint. It never removes more than some batches, so
-- that it can be called until it answers 0. Batches that a collector waits for
-- are kept as long again, and no longer.
CREATE FUNCTION audit_prune() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- audit_erase takes a person out of the log: who they were where they acted,
-- and all that entries say where they were acted on or where one of the words,
-- such as their address, stands. Entries stay, and the chain holds.
CREATE FUNCTION audit_erase(person uuid, words text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant uuid := NULLIF(current_setting('app.tenant_id', true), '')::uuid;
    one    bigint;
    two    bigint;
BEGIN
    UPDATE public.audit_details d SET who = NULL, who_salt = NULL FROM public.audit_events e
    WHERE d.tenant_id = tenant AND e.tenant_id = tenant AND e.audit_id = d.audit_id AND e.user_id = person AND d.who IS NOT NULL;
    GET DIAGNOSTICS one = ROW_COUNT;
    UPDATE public.audit_details d SET what = NULL, what_salt = NULL FROM public.audit_events e
    WHERE d.tenant_id = tenant AND e.tenant_id = tenant AND e.audit_id = d.audit_id AND d.what IS NOT NULL
      AND (e.target_kind = 'user' AND e.target_id = person::text
        OR EXISTS (SELECT FROM unnest(words) w WHERE w <> '' AND strpos(lower(d.what::text), lower(w)) > 0));
    GET DIAGNOSTICS two = ROW_COUNT;
    RETURN one + two;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION audit_seal, audit_prune, audit_erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_seal, audit_prune, audit_erase TO dataflow_app;
