-- Up to which revision its author had seen the draft, as they did it or began to
-- hold what they moved; null: of an earlier release.
-- +goose Up
ALTER TABLE dashboard_operations ADD COLUMN seen_rev bigint;
