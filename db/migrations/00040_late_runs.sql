-- Whether the owner has heard that a run is not over yet. That it failed in the
-- end is told all the same.
-- +goose Up
ALTER TABLE report_runs ADD COLUMN late_told boolean NOT NULL DEFAULT false;
