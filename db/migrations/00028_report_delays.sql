-- The owner of a schedule hears, once a run, that its mail waits for a server
-- that takes none: before the attempts are used up.
-- +goose Up
ALTER TABLE report_runs ADD COLUMN delay_told boolean NOT NULL DEFAULT false;
