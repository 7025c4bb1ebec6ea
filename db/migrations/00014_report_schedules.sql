-- Schedules of reports, their runs, and the ledger of what reached whom.
-- +goose Up

-- A schedule runs by the clock (rule, in zone) or when the data is new. next_at
-- is the moment that its next run is due; paused_why is empty while it runs.
CREATE TABLE report_schedules (
    tenant_id      uuid        NOT NULL,
    schedule_id    uuid        NOT NULL,
    dashboard_id   uuid        NOT NULL,
    owner_id       uuid        NOT NULL,
    name           text        NOT NULL CHECK (length(name) BETWEEN 1 AND 300),
    spec           jsonb       NOT NULL,
    on_data        boolean     NOT NULL DEFAULT false,
    rule           text        NOT NULL DEFAULT '', -- as it was written
    zone           text        NOT NULL DEFAULT '', -- empty for the workspace's
    only_if_rows   boolean     NOT NULL DEFAULT false,
    resend_unknown boolean     NOT NULL DEFAULT true,
    link_above     bigint      NOT NULL DEFAULT 10485760, -- bytes; larger files become a link
    next_at        timestamptz,
    seen           text        NOT NULL DEFAULT '', -- the moment of the data that was sent last
    alarmed_for    timestamptz,                     -- the missed moment that its owner was told of
    paused_at      timestamptz,
    paused_by      uuid,
    paused_why     text        NOT NULL DEFAULT '' CHECK (paused_why IN ('', 'person', 'owner_left', 'dashboard_gone')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, schedule_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX report_schedules_dashboard_idx ON report_schedules (tenant_id, dashboard_id);
CREATE INDEX report_schedules_owner_idx ON report_schedules (tenant_id, owner_id);
CREATE INDEX report_schedules_due_idx ON report_schedules (tenant_id, next_at) WHERE paused_at IS NULL;
SELECT control.protect('report_schedules');

-- A recipient is a person of the workspace, or an address alone.
CREATE TABLE report_recipients (
    tenant_id       uuid        NOT NULL,
    recipient_id    uuid        NOT NULL,
    schedule_id     uuid        NOT NULL,
    user_id         uuid,
    address         text        NOT NULL DEFAULT '' CHECK ((user_id IS NULL) = (address <> '')),
    unsubscribed_at timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, recipient_id),
    FOREIGN KEY (tenant_id, schedule_id) REFERENCES report_schedules (tenant_id, schedule_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX report_recipients_user_idx ON report_recipients (tenant_id, schedule_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX report_recipients_address_idx ON report_recipients (tenant_id, schedule_id, lower(address)) WHERE user_id IS NULL;
CREATE INDEX report_recipients_person_idx ON report_recipients (tenant_id, user_id);
SELECT control.protect('report_recipients');

-- A slot runs once. snapshot is the moment of the data that all recipients get.
CREATE TABLE report_runs (
    tenant_id   uuid        NOT NULL,
    run_id      uuid        NOT NULL,
    schedule_id uuid        NOT NULL,
    slot        text        NOT NULL,
    cause       text        NOT NULL CHECK (cause IN ('time', 'data', 'person', 'test')),
    asked_by    uuid,
    state       text        NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'sending', 'done', 'failed')),
    snapshot    text        NOT NULL DEFAULT '',
    error_code  text        NOT NULL DEFAULT '',
    error_text  text        NOT NULL DEFAULT '',
    alarmed     boolean     NOT NULL DEFAULT false,
    due_at      timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, run_id),
    UNIQUE (tenant_id, schedule_id, slot),
    FOREIGN KEY (tenant_id, schedule_id) REFERENCES report_schedules (tenant_id, schedule_id) ON DELETE CASCADE
);
CREATE INDEX report_runs_newest_idx ON report_runs (tenant_id, schedule_id, due_at DESC);
CREATE INDEX report_runs_open_idx ON report_runs (tenant_id, due_at) WHERE state IN ('due', 'sending');
SELECT control.protect('report_runs');

-- What a run rendered: once for all who see the same. Past expires_at the files
-- are deleted and their keys empty.
CREATE TABLE report_contents (
    tenant_id   uuid        NOT NULL,
    content_id  uuid        NOT NULL,
    run_id      uuid        NOT NULL,
    digest      text        NOT NULL,
    key         text        NOT NULL DEFAULT '',
    picture_key text        NOT NULL DEFAULT '',
    name        text        NOT NULL DEFAULT '',
    stated      jsonb       NOT NULL DEFAULT '{}',
    empty       boolean     NOT NULL DEFAULT false, -- no widget has a row
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, content_id),
    UNIQUE (tenant_id, run_id, digest),
    FOREIGN KEY (tenant_id, run_id) REFERENCES report_runs (tenant_id, run_id) ON DELETE CASCADE
);
CREATE INDEX report_contents_expiry_idx ON report_contents (tenant_id, expires_at) WHERE key <> '';
SELECT control.protect('report_contents');

-- The ledger. handed_at is set before a mail server is given the message and
-- cleared by its answer: where it stands without one, nobody knows whether the
-- message arrived. resent tells that such a message was given once more.
CREATE TABLE report_deliveries (
    tenant_id    uuid        NOT NULL,
    delivery_id  uuid        NOT NULL,
    run_id       uuid        NOT NULL,
    recipient_id uuid,
    user_id      uuid,
    address      text        NOT NULL,
    content_id   uuid,
    state        text        NOT NULL DEFAULT 'due'
                 CHECK (state IN ('due', 'rendered', 'sent', 'kept', 'unknown', 'bounced', 'failed', 'skipped')),
    answer       text        NOT NULL DEFAULT '', -- of the mail server
    error_code   text        NOT NULL DEFAULT '',
    error_text   text        NOT NULL DEFAULT '',
    attempts     integer     NOT NULL DEFAULT 0,
    resent       boolean     NOT NULL DEFAULT false,
    again        boolean     NOT NULL DEFAULT false, -- unknown, and about to be given once more
    handed_at    timestamptz,
    sent_at      timestamptz,
    opened_at    timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, delivery_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES report_runs (tenant_id, run_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, recipient_id) REFERENCES report_recipients (tenant_id, recipient_id) ON DELETE SET NULL (recipient_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (tenant_id, content_id) REFERENCES report_contents (tenant_id, content_id) ON DELETE SET NULL (content_id)
);
CREATE UNIQUE INDEX report_deliveries_once_idx ON report_deliveries (tenant_id, run_id, lower(address));
CREATE INDEX report_deliveries_content_idx ON report_deliveries (tenant_id, content_id);
CREATE INDEX report_deliveries_recipient_idx ON report_deliveries (tenant_id, recipient_id);
CREATE INDEX report_deliveries_user_idx ON report_deliveries (tenant_id, user_id);
SELECT control.protect('report_deliveries');

-- Files that a message carries: [{name, media_type, key, bytes}].
ALTER TABLE delivery_messages ADD COLUMN attachments jsonb NOT NULL DEFAULT '[]';
