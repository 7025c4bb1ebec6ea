-- Jobs, the outbox of events, what runs by the clock, and messages to send.
-- +goose Up

-- A job is known before its tenant is, so it lives in control. The nil uuid
-- stands for DataFlow itself.
CREATE TABLE control.jobs (
    job_id           uuid        PRIMARY KEY,
    tenant_id        uuid        NOT NULL,
    user_id          uuid,
    kind             text        NOT NULL CHECK (kind ~ '^[a-z0-9_]+:[a-z0-9_]+$'),
    version          integer     NOT NULL DEFAULT 1,
    payload          jsonb       NOT NULL,
    queue            text        NOT NULL,
    state            text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempt          integer     NOT NULL DEFAULT 0, -- attempts started; the fencing token of the running one
    released         integer     NOT NULL DEFAULT 0, -- attempts that ended with an orderly stop of their worker
    max_attempts     integer     NOT NULL DEFAULT 0, -- as bound by the worker that started the attempt
    run_at           timestamptz NOT NULL DEFAULT now(),
    lease_until      timestamptz,                    -- sent to a queue, or running, until then
    worker           text        NOT NULL DEFAULT '',
    unique_key       text,
    progress         jsonb       NOT NULL DEFAULT '{}',
    cancel_requested boolean     NOT NULL DEFAULT false,
    error_code       text        NOT NULL DEFAULT '',
    error_text       text        NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX jobs_unique_idx ON control.jobs (tenant_id, kind, unique_key)
    WHERE state = 'queued' AND attempt = 0 AND unique_key IS NOT NULL;
-- What waits for whom; the next due row; what is under way; what can go.
CREATE INDEX jobs_waiting_idx ON control.jobs (queue, tenant_id, run_at, job_id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_due_idx ON control.jobs ((GREATEST(run_at, lease_until))) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_under_way_idx ON control.jobs (queue, tenant_id, lease_until)
    WHERE state IN ('queued', 'running') AND lease_until IS NOT NULL;
CREATE INDEX jobs_finished_idx ON control.jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE control.outbox (
    seq          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    kind         text        NOT NULL,
    entity_id    uuid        NOT NULL,
    version      bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished_idx ON control.outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_published_idx ON control.outbox (published_at) WHERE published_at IS NOT NULL;

-- The last slot that each schedule was run for: one of many workers takes it.
CREATE TABLE control.schedules (
    name       text        PRIMARY KEY,
    last_slot  timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- A transaction bound to a tenant sees and writes that tenant's jobs and
-- events; relays and workers see all.
ALTER TABLE control.jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE control.jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY jobs_tenant ON control.jobs
    USING (current_setting('app.scope', true) = 'control'
        OR tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE control.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE control.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY outbox_tenant ON control.outbox
    USING (current_setting('app.scope', true) = 'control'
        OR tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON control.jobs, control.outbox TO dataflow_app;
SELECT control.reserve('control.schedules', 'SELECT, INSERT, UPDATE');

-- body is {text, html} sealed under the tenant's keyset: it may hold a link
-- that opens an account. It is emptied when the message was sent or given up.
CREATE TABLE delivery_messages (
    tenant_id   uuid        NOT NULL,
    message_id  uuid        NOT NULL,
    kind        text        NOT NULL,
    to_address  text        NOT NULL,
    to_name     text        NOT NULL DEFAULT '',
    subject     text        NOT NULL,
    body        bytea       NOT NULL,
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    attempts    integer     NOT NULL DEFAULT 0,
    last_error  text        NOT NULL DEFAULT '',
    job_id      uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz,
    PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX delivery_messages_newest_idx ON delivery_messages (tenant_id, created_at DESC);
SELECT control.protect('delivery_messages');
