-- Visitors of portals get files, too.
-- +goose Up
ALTER TABLE reports ADD COLUMN visitor_id uuid; -- in the place of user_id
ALTER TABLE reports ADD FOREIGN KEY (tenant_id, visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE SET NULL (visitor_id);
CREATE INDEX reports_visitor_idx ON reports (tenant_id, visitor_id) WHERE visitor_id IS NOT NULL;
