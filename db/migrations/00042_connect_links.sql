-- Links that connect a member with the present identity provider: providers are
-- those, as "connection issuer", that the workspace had when the link was made.
-- +goose Up
ALTER TABLE control.one_time_links ADD COLUMN providers text[];
ALTER TABLE control.one_time_links DROP CONSTRAINT one_time_links_purpose_check;
ALTER TABLE control.one_time_links ADD CONSTRAINT one_time_links_purpose_check CHECK (purpose IN ('setup', 'reset', 'invite', 'connect'));
