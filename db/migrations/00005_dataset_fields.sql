-- +goose Up

-- Calculated fields of datasets: expressions over their columns and lookups
-- (docs/expressions.md).
CREATE TABLE dataset_fields (
    tenant_id   uuid  NOT NULL,
    dataset_id  uuid  NOT NULL,
    name        text  NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    expression  text  NOT NULL CHECK (octet_length(expression) BETWEEN 1 AND 4000),
    description text  NOT NULL DEFAULT '',
    format      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, dataset_id, name),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
SELECT control.protect('dataset_fields');
