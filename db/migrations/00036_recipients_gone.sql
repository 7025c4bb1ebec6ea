-- A schedule of which nobody is left to send it to pauses, and a file that shows
-- what its reader sees no more is made again before its mail.
-- +goose Up
ALTER TABLE report_schedules
    DROP CONSTRAINT report_schedules_paused_why_check,
    ADD CONSTRAINT report_schedules_paused_why_check CHECK (paused_why IN ('', 'person', 'owner_left', 'dashboard_gone', 'portal_off', 'nobody_left'));
ALTER TABLE report_deliveries ADD COLUMN remade smallint NOT NULL DEFAULT 0; -- how often, since it was asked for
