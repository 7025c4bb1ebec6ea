-- A dashboard's name is part of its draft: viewers see it once it is published.
-- +goose Up
ALTER TABLE dashboards ADD COLUMN draft_name text CHECK (length(draft_name) BETWEEN 1 AND 120); -- where it differs from name, which viewers see
ALTER TABLE dashboard_versions ADD COLUMN dashboard_name text; -- NULL in versions that did not keep it
