-- Channels besides mail; alerts, the state of each of their groups, their
-- history, and the ledger of what was told of it.
-- +goose Up

-- sealed holds what leads to the channel (addresses, keys, passwords), sealed
-- under the tenant's keyset; shown is what people may see of it.
CREATE TABLE channels (
    tenant_id  uuid        NOT NULL,
    channel_id uuid        NOT NULL,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    kind       text        NOT NULL CHECK (kind IN ('webhook', 'slack', 'pagerduty', 's3', 'sftp')),
    shown      text        NOT NULL,
    sealed     bytea       NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, channel_id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (created_by)
);
CREATE UNIQUE INDEX channels_name_idx ON channels (tenant_id, lower(name));
CREATE INDEX channels_created_by_idx ON channels (tenant_id, created_by) WHERE created_by IS NOT NULL;
SELECT control.protect('channels');

-- watch is what is measured, condition when that is bad, manner how people are
-- told. state is the worst of the groups'; revision counts changes of the three,
-- so that an evaluation of an older one is thrown away. next_at is the moment
-- at which it is evaluated even if the data stays as it is.
CREATE TABLE alerts (
    tenant_id         uuid        NOT NULL,
    alert_id          uuid        NOT NULL,
    owner_id          uuid        NOT NULL,
    dataset_id        uuid        NOT NULL,
    dashboard_id      uuid,
    widget_id         text        NOT NULL DEFAULT '' CHECK (length(widget_id) <= 64),
    name              text        NOT NULL CHECK (length(name) BETWEEN 1 AND 300),
    watch             jsonb       NOT NULL,
    condition         jsonb       NOT NULL,
    manner            jsonb       NOT NULL,
    revision          bigint      NOT NULL DEFAULT 1,
    state             text        NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'firing', 'no_data', 'error')),
    since             timestamptz NOT NULL DEFAULT now(),
    firing            integer     NOT NULL DEFAULT 0,
    groups            integer     NOT NULL DEFAULT 0,
    error_code        text        NOT NULL DEFAULT '',
    error_text        text        NOT NULL DEFAULT '',
    evaluated_at      timestamptz,
    evaluated_version bigint      NOT NULL DEFAULT 0,
    next_at           timestamptz,
    snoozed_until     timestamptz,
    paused_at         timestamptz,
    paused_by         uuid,
    paused_why        text        NOT NULL DEFAULT '' CHECK (paused_why IN ('', 'person', 'owner_left')),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, alert_id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE SET NULL (dashboard_id),
    FOREIGN KEY (tenant_id, paused_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (paused_by)
);
CREATE INDEX alerts_owner_idx ON alerts (tenant_id, owner_id);
CREATE INDEX alerts_dataset_idx ON alerts (tenant_id, dataset_id) WHERE paused_at IS NULL;
CREATE INDEX alerts_dashboard_idx ON alerts (tenant_id, dashboard_id) WHERE dashboard_id IS NOT NULL;
CREATE INDEX alerts_paused_by_idx ON alerts (tenant_id, paused_by) WHERE paused_by IS NOT NULL;
CREATE INDEX alerts_due_idx ON alerts (tenant_id, next_at) WHERE paused_at IS NULL AND next_at IS NOT NULL;
SELECT control.protect('alerts');

-- One row for each group; group_key is '' for an alert without dimensions.
-- beyond_since is when the condition began to hold without a break. owed is a
-- change that was not told, since the alert was muted.
CREATE TABLE alert_states (
    tenant_id    uuid             NOT NULL,
    alert_id     uuid             NOT NULL,
    group_key    text             NOT NULL,
    labels       text[]           NOT NULL DEFAULT '{}',
    state        text             NOT NULL CHECK (state IN ('ok', 'firing', 'no_data')),
    since        timestamptz      NOT NULL,
    beyond_since timestamptz,
    value        double precision,
    low          double precision,
    high         double precision,
    period       timestamptz,
    acked_at     timestamptz,
    acked_by     uuid,
    escalate_at  timestamptz,
    owed         boolean          NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, alert_id, group_key),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, acked_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (acked_by)
);
CREATE INDEX alert_states_acked_by_idx ON alert_states (tenant_id, acked_by) WHERE acked_by IS NOT NULL;
SELECT control.protect('alert_states');

-- The history. kind is "state", "acknowledged", "escalated", "snoozed", "woken",
-- "paused" or "resumed"; from_state and to_state are of "state" alone.
CREATE TABLE alert_events (
    tenant_id  uuid             NOT NULL,
    event_id   uuid             NOT NULL,
    alert_id   uuid             NOT NULL,
    group_key  text             NOT NULL DEFAULT '',
    labels     text[]           NOT NULL DEFAULT '{}',
    kind       text             NOT NULL CHECK (length(kind) BETWEEN 1 AND 40),
    from_state text             NOT NULL DEFAULT '',
    to_state   text             NOT NULL DEFAULT '',
    value      double precision,
    low        double precision,
    high       double precision,
    period     timestamptz,
    text       text             NOT NULL DEFAULT '',
    muted      boolean          NOT NULL DEFAULT false,
    user_id    uuid,
    at         timestamptz      NOT NULL,
    PRIMARY KEY (tenant_id, event_id),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id)
);
CREATE INDEX alert_events_newest_idx ON alert_events (tenant_id, alert_id, at DESC);
CREATE INDEX alert_events_user_idx ON alert_events (tenant_id, user_id) WHERE user_id IS NOT NULL;
SELECT control.protect('alert_events');

-- Whom an alert tells: a person or a channel, at once or when nobody has
-- acknowledged it in time.
CREATE TABLE alert_recipients (
    tenant_id    uuid    NOT NULL,
    recipient_id uuid    NOT NULL,
    alert_id     uuid    NOT NULL,
    user_id      uuid,
    channel_id   uuid,
    later        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, recipient_id),
    CHECK ((user_id IS NULL) <> (channel_id IS NULL)),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, channel_id) ON DELETE CASCADE
);
CREATE INDEX alert_recipients_alert_idx ON alert_recipients (tenant_id, alert_id);
CREATE INDEX alert_recipients_user_idx ON alert_recipients (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX alert_recipients_channel_idx ON alert_recipients (tenant_id, channel_id) WHERE channel_id IS NOT NULL;
SELECT control.protect('alert_recipients');

-- The ledger: one line for each that was told of something. body is what was
-- told. A person is told by the notification centre and the outbox of mails in
-- the transaction of the change, so that line is done when it is written; what
-- goes to a channel has a job. handed_at is as in report_deliveries.
CREATE TABLE alert_notices (
    tenant_id  uuid        NOT NULL,
    notice_id  uuid        NOT NULL,
    alert_id   uuid        NOT NULL,
    user_id    uuid,
    channel_id uuid,
    to_name    text        NOT NULL,
    body       jsonb       NOT NULL,
    state      text        NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'told', 'sent', 'failed')),
    answer     text        NOT NULL DEFAULT '',
    error_code text        NOT NULL DEFAULT '',
    error_text text        NOT NULL DEFAULT '',
    attempts   integer     NOT NULL DEFAULT 0,
    handed_at  timestamptz,
    resent     boolean     NOT NULL DEFAULT false, -- given again though nobody knew whether it had arrived
    created_at timestamptz NOT NULL,
    sent_at    timestamptz,
    PRIMARY KEY (tenant_id, notice_id),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, channel_id) ON DELETE SET NULL (channel_id)
);
CREATE INDEX alert_notices_newest_idx ON alert_notices (tenant_id, alert_id, created_at DESC);
CREATE INDEX alert_notices_user_idx ON alert_notices (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX alert_notices_channel_idx ON alert_notices (tenant_id, channel_id) WHERE channel_id IS NOT NULL;
SELECT control.protect('alert_notices');

-- Reports go to channels, too: a recipient is a person, an address or one of them.
ALTER TABLE report_recipients ADD COLUMN channel_id uuid,
    ADD FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, channel_id) ON DELETE CASCADE;
ALTER TABLE report_recipients DROP CONSTRAINT report_recipients_check;
ALTER TABLE report_recipients ADD CONSTRAINT report_recipients_check
    CHECK ((user_id IS NOT NULL)::integer + (address <> '')::integer + (channel_id IS NOT NULL)::integer = 1);
CREATE INDEX report_recipients_channel_idx ON report_recipients (tenant_id, channel_id) WHERE channel_id IS NOT NULL;
DROP INDEX report_recipients_address_idx;
CREATE UNIQUE INDEX report_recipients_address_idx ON report_recipients (tenant_id, schedule_id, lower(address)) WHERE address <> '';
CREATE UNIQUE INDEX report_recipients_once_idx ON report_recipients (tenant_id, schedule_id, channel_id) WHERE channel_id IS NOT NULL;
ALTER TABLE report_deliveries ADD COLUMN channel_id uuid,
    ADD FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, channel_id) ON DELETE SET NULL (channel_id);
CREATE INDEX report_deliveries_channel_idx ON report_deliveries (tenant_id, channel_id) WHERE channel_id IS NOT NULL;
