-- Features of the server (alerts, schedules that wait for data) hear of changed
-- datasets by the outbox too, each event by itself: what one cannot take yet
-- comes again later and keeps neither the others nor open pages waiting.
-- +goose Up
ALTER TABLE control.outbox
    ADD COLUMN told_at    timestamptz,
    ADD COLUMN tell_after timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN tell_tries integer     NOT NULL DEFAULT 0;
UPDATE control.outbox SET told_at = published_at;
CREATE INDEX outbox_untold_idx ON control.outbox (tell_after, seq) WHERE told_at IS NULL AND kind = 'dataset.changed';
