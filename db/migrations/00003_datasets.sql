-- Data sources, datasets and the catalogue of their segments.
-- +goose Up

CREATE TYPE data_source_type AS ENUM ('SQL', 'API', 'CSV', 'JSON', 'Parquet', 'XLSX', 'S3', 'Kafka', 'Events', 'Replay');

-- connection is {"v": 1, "sealed": base64} under the tenant's keyset; {} has no secret in it.
CREATE TABLE data_sources (
    tenant_id    uuid             NOT NULL,
    ds_id        uuid             NOT NULL,
    name         text             NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    type         data_source_type NOT NULL,
    connection   jsonb            NOT NULL DEFAULT '{}',
    created_by   uuid,
    created_at   timestamptz      NOT NULL DEFAULT now(),
    last_updated timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, ds_id)
);

CREATE TABLE datasets (
    tenant_id          uuid        NOT NULL,
    dataset_id         uuid        NOT NULL,
    ds_id              uuid,
    name               text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    description        text        NOT NULL DEFAULT '',
    -- version counts changes of content, revision those of the definition,
    -- layout merges of segments, which change neither.
    version            bigint      NOT NULL DEFAULT 0,
    revision           bigint      NOT NULL DEFAULT 1,
    layout             bigint      NOT NULL DEFAULT 0,
    row_count          bigint      NOT NULL DEFAULT 0,
    byte_count         bigint      NOT NULL DEFAULT 0,
    segment_count      integer     NOT NULL DEFAULT 0,
    time_column        integer     NOT NULL DEFAULT 0,
    relative_to_newest boolean     NOT NULL DEFAULT false,
    key_columns        integer[]   NOT NULL DEFAULT '{}',
    next_column        integer     NOT NULL DEFAULT 1,
    settings           jsonb       NOT NULL DEFAULT '{}',
    created_by         uuid,
    created_at         timestamptz NOT NULL DEFAULT now(),
    content_at         timestamptz NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    PRIMARY KEY (tenant_id, dataset_id),
    FOREIGN KEY (tenant_id, ds_id) REFERENCES data_sources (tenant_id, ds_id)
);
CREATE UNIQUE INDEX datasets_name_idx ON datasets (tenant_id, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX datasets_ds_idx ON datasets (tenant_id, ds_id);

-- Ids are handed out from datasets.next_column and never used twice: files
-- are written and read by them.
CREATE TABLE dataset_columns (
    tenant_id    uuid     NOT NULL,
    dataset_id   uuid     NOT NULL,
    column_id    integer  NOT NULL CHECK (column_id BETWEEN 1 AND 999999),
    name         text     NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    type         text     NOT NULL CHECK (type IN ('integer', 'decimal', 'float', 'boolean', 'date', 'timestamp', 'timestamptz', 'text')),
    "precision"  smallint NOT NULL DEFAULT 0,
    scale        smallint NOT NULL DEFAULT 0,
    role         text     NOT NULL DEFAULT '' CHECK (role IN ('', 'latitude', 'longitude')),
    format       jsonb    NOT NULL DEFAULT '{}',
    description  text     NOT NULL DEFAULT '',
    former_names text[]   NOT NULL DEFAULT '{}',
    -- How the text of files becomes values, as the last load decided it.
    reading      jsonb    NOT NULL DEFAULT '{}',
    "position"   integer  NOT NULL,
    -- The versions that have the column: added_in <= v < dropped_in.
    added_in     bigint   NOT NULL,
    dropped_in   bigint,
    PRIMARY KEY (tenant_id, dataset_id, column_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX dataset_columns_name_idx ON dataset_columns (tenant_id, dataset_id, name) WHERE dropped_in IS NULL;

CREATE TABLE dataset_lookups (
    tenant_id     uuid    NOT NULL,
    dataset_id    uuid    NOT NULL,
    name          text    NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    column_id     integer NOT NULL,
    target_id     uuid    NOT NULL,
    key_column_id integer NOT NULL,
    PRIMARY KEY (tenant_id, dataset_id, name),
    FOREIGN KEY (tenant_id, dataset_id, column_id) REFERENCES dataset_columns (tenant_id, dataset_id, column_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_id, key_column_id) REFERENCES dataset_columns (tenant_id, dataset_id, column_id) ON DELETE CASCADE
);
CREATE INDEX dataset_lookups_target_idx ON dataset_lookups (tenant_id, target_id);

CREATE TABLE dataset_measures (
    tenant_id   uuid  NOT NULL,
    dataset_id  uuid  NOT NULL,
    name        text  NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    description text  NOT NULL DEFAULT '',
    format      jsonb NOT NULL DEFAULT '{}',
    measure     jsonb NOT NULL,
    PRIMARY KEY (tenant_id, dataset_id, name),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);

-- One row a content version. A version that is no longer kept has expired_at
-- and can't be read or restored.
CREATE TABLE dataset_versions (
    tenant_id     uuid        NOT NULL,
    dataset_id    uuid        NOT NULL,
    version       bigint      NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('append', 'replace', 'upsert', 'delete', 'restore')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    user_id       uuid,
    row_count     bigint      NOT NULL,
    byte_count    bigint      NOT NULL,
    rows_written  bigint      NOT NULL DEFAULT 0,
    load_id       uuid,
    note          text        NOT NULL DEFAULT '',
    live          boolean     NOT NULL DEFAULT false,
    superseded_at timestamptz,
    expired_at    timestamptz,
    PRIMARY KEY (tenant_id, dataset_id, version),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE INDEX dataset_versions_kept_idx ON dataset_versions (tenant_id, dataset_id, superseded_at) WHERE expired_at IS NULL;

-- A segment belongs to the versions added_in <= v < removed_in. A merge sets
-- added_in and removed_in to the version it found: same content, other files.
-- A restore adds a second row for the same file.
CREATE TABLE segments (
    tenant_id   uuid        NOT NULL,
    segment_id  uuid        NOT NULL,
    dataset_id  uuid        NOT NULL,
    key         text        NOT NULL,
    row_count   bigint      NOT NULL,
    byte_count  bigint      NOT NULL,
    stats       jsonb       NOT NULL DEFAULT '{}',
    sample_key  text        NOT NULL DEFAULT '',
    sample_rows bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    added_in    bigint      NOT NULL,
    removed_in  bigint,
    removed_at  timestamptz,
    PRIMARY KEY (tenant_id, segment_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE INDEX segments_live_idx ON segments (tenant_id, dataset_id) WHERE removed_in IS NULL;
CREATE INDEX segments_removed_idx ON segments (tenant_id, dataset_id, removed_in) WHERE removed_in IS NOT NULL;
CREATE INDEX segments_key_idx ON segments (tenant_id, key);

-- Files without a segment row, to be deleted once no point-in-time restore of
-- this database could want them back.
CREATE TABLE segment_garbage (
    tenant_id    uuid        NOT NULL,
    key          text        NOT NULL,
    delete_after timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX segment_garbage_due_idx ON segment_garbage (tenant_id, delete_after);

-- A lease spares a version from the sweeper while a download or report reads it.
CREATE TABLE leases (
    tenant_id  uuid        NOT NULL,
    lease_id   uuid        NOT NULL,
    dataset_id uuid        NOT NULL,
    version    bigint      NOT NULL,
    purpose    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, lease_id, dataset_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE INDEX leases_dataset_idx ON leases (tenant_id, dataset_id, version);
CREATE INDEX leases_expiry_idx ON leases (tenant_id, expires_at);

-- Keys that a client gave to its appends, so that a retry appends nothing.
CREATE TABLE dataset_appends (
    tenant_id  uuid        NOT NULL,
    dataset_id uuid        NOT NULL,
    append_key text        NOT NULL CHECK (length(append_key) BETWEEN 1 AND 200),
    version    bigint      NOT NULL,
    row_count  bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, dataset_id, append_key),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE INDEX dataset_appends_age_idx ON dataset_appends (tenant_id, created_at);

-- A file that came in, and what inspecting it found.
CREATE TABLE uploads (
    tenant_id   uuid        NOT NULL,
    upload_id   uuid        NOT NULL,
    user_id     uuid,
    filename    text        NOT NULL CHECK (length(filename) BETWEEN 1 AND 255),
    key         text        NOT NULL,
    byte_count  bigint      NOT NULL DEFAULT 0,
    state       text        NOT NULL CHECK (state IN ('stored', 'inspecting', 'inspected', 'failed', 'removed')),
    job_id      uuid,
    choices     jsonb       NOT NULL DEFAULT '{}',
    inspection  jsonb,
    error_code  text        NOT NULL DEFAULT '',
    error_text  text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, upload_id)
);
CREATE INDEX uploads_age_idx ON uploads (tenant_id, created_at);

-- One attempt of a person or a script to bring a file into a dataset.
CREATE TABLE loads (
    tenant_id     uuid        NOT NULL,
    load_id       uuid        NOT NULL,
    upload_id     uuid,
    dataset_id    uuid,
    dataset_name  text        NOT NULL,
    job_id        uuid,
    user_id       uuid,
    filename      text        NOT NULL DEFAULT '',
    mode          text        NOT NULL CHECK (mode IN ('replace', 'append', 'upsert', 'delete')),
    options       jsonb       NOT NULL DEFAULT '{}',
    state         text        NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    version       bigint,
    report        jsonb,
    rows_loaded   bigint      NOT NULL DEFAULT 0,
    rows_rejected bigint      NOT NULL DEFAULT 0,
    rejects_key   text        NOT NULL DEFAULT '',
    error_code    text        NOT NULL DEFAULT '',
    error_text    text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    PRIMARY KEY (tenant_id, load_id),
    FOREIGN KEY (tenant_id, upload_id) REFERENCES uploads (tenant_id, upload_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE INDEX loads_dataset_idx ON loads (tenant_id, dataset_id, created_at DESC);
CREATE INDEX loads_upload_idx ON loads (tenant_id, upload_id);

-- Profiles are exact and belong to one version; kept while it is current.
CREATE TABLE dataset_profiles (
    tenant_id  uuid        NOT NULL,
    dataset_id uuid        NOT NULL,
    version    bigint      NOT NULL,
    revision   bigint      NOT NULL,
    profile    jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, dataset_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);

SELECT control.protect('data_sources');
SELECT control.protect('datasets');
SELECT control.protect('dataset_columns');
SELECT control.protect('dataset_lookups');
SELECT control.protect('dataset_measures');
SELECT control.protect('dataset_versions');
SELECT control.protect('segments');
SELECT control.protect('segment_garbage');
SELECT control.protect('leases');
SELECT control.protect('dataset_appends');
SELECT control.protect('uploads');
SELECT control.protect('loads');
SELECT control.protect('dataset_profiles');
