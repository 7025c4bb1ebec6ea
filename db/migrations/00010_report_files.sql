-- Files of reports: further formats, what each was made from, and how long the
-- file is kept.
-- +goose Up
ALTER TYPE report_format ADD VALUE IF NOT EXISTS 'XLSX';
ALTER TYPE report_format ADD VALUE IF NOT EXISTS 'NDJSON';
ALTER TYPE report_format ADD VALUE IF NOT EXISTS 'PNG';
ALTER TYPE report_format ADD VALUE IF NOT EXISTS 'SVG';

-- spec is what was asked, stated what is known of the file: versions, widgets,
-- rows, bytes and SHA-256. Past expires_at the file is deleted; download_url is
-- empty then.
ALTER TABLE reports
    ADD COLUMN job_id     uuid,
    ADD COLUMN name       text        NOT NULL DEFAULT '',
    ADD COLUMN spec       jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN stated     jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN expires_at timestamptz;
CREATE INDEX reports_expiry_idx ON reports (tenant_id, expires_at) WHERE download_url <> '';
