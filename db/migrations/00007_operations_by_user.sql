-- Undo reads the changes of one person; a repeated request looks for its change.
-- What an interrupted run left is built anew: it could be invalid.
-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS dashboard_operations_user_idx;
CREATE INDEX CONCURRENTLY dashboard_operations_user_idx ON dashboard_operations (tenant_id, dashboard_id, user_id, rev);
DROP INDEX CONCURRENTLY IF EXISTS dashboard_operations_change_idx;
CREATE INDEX CONCURRENTLY dashboard_operations_change_idx ON dashboard_operations (tenant_id, dashboard_id, change_id);
