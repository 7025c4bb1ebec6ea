-- Undo reads the changes of one person; a repeated request looks for its change.
-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS dashboard_operations_user_idx ON dashboard_operations (tenant_id, dashboard_id, user_id, rev);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dashboard_operations_change_idx ON dashboard_operations (tenant_id, dashboard_id, change_id);
