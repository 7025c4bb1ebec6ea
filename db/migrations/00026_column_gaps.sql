-- Columns that were dropped and brought back, and which change of columns a
-- load was shown for.
-- +goose Up

-- The versions dropped_in <= v < restored_in do not have the column, although
-- it is in dataset_columns for all from added_in on. The release before this
-- one does not look here, and shows the column empty in those versions.
CREATE TABLE dataset_column_gaps (
    tenant_id   uuid    NOT NULL,
    dataset_id  uuid    NOT NULL,
    column_id   integer NOT NULL,
    dropped_in  bigint  NOT NULL,
    restored_in bigint  NOT NULL CHECK (restored_in > dropped_in),
    PRIMARY KEY (tenant_id, dataset_id, column_id, dropped_in),
    FOREIGN KEY (tenant_id, dataset_id, column_id) REFERENCES dataset_columns (tenant_id, dataset_id, column_id) ON DELETE CASCADE
);
SELECT control.protect('dataset_column_gaps');

-- The digest of the change of columns that somebody saw before they asked for
-- the load; empty where there was none to see, NULL where nobody was asked.
ALTER TABLE loads ADD COLUMN seen_change text;
