-- A recipient of a report may be sent only some of the rows that they, or for an
-- address the owner, see: {"column": ["value", …]}. The ledger keeps what a line
-- was made with, since its recipient may be gone or changed when it is retried.
-- +goose Up
ALTER TABLE report_recipients ADD COLUMN only_rows jsonb NOT NULL DEFAULT '{}';
ALTER TABLE report_deliveries ADD COLUMN only_rows jsonb NOT NULL DEFAULT '{}';
