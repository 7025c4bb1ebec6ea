-- Files of whole datasets: a report is of a dashboard or of a dataset.
-- +goose Up
ALTER TYPE report_format ADD VALUE IF NOT EXISTS 'PARQUET';
ALTER TABLE reports
    ALTER COLUMN dashboard_id DROP NOT NULL,
    ADD COLUMN dataset_id uuid,
    ADD CONSTRAINT reports_subject_check CHECK (num_nonnulls(dashboard_id, dataset_id) = 1),
    ADD FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE;
CREATE INDEX reports_dataset_idx ON reports (tenant_id, dataset_id) WHERE dataset_id IS NOT NULL;
