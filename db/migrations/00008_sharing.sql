-- Who may see and change what within a workspace: grants on folders, dashboards
-- and datasets, groups of people, nested folders.
-- +goose Up

CREATE TABLE user_groups (
    tenant_id  uuid        NOT NULL,
    group_id   uuid        NOT NULL,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id)
);
CREATE UNIQUE INDEX user_groups_name_idx ON user_groups (tenant_id, lower(name));
SELECT control.protect('user_groups');

CREATE TABLE user_group_members (
    tenant_id uuid NOT NULL,
    group_id  uuid NOT NULL,
    user_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id, group_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, group_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX user_group_members_group_idx ON user_group_members (tenant_id, group_id);
SELECT control.protect('user_group_members');

-- readers and writers are the subjects (people, groups, roles) that may see and
-- change an object; null means everybody, as far as their role goes. They are
-- derived by triggers from the object's own grants, its owner, and, unless it
-- is restricted, from the folder that it lies in. Row-level security reads them.
ALTER TABLE folders
    ADD COLUMN parent_id  uuid,
    ADD COLUMN restricted boolean NOT NULL DEFAULT false,
    ADD COLUMN readers    uuid[],
    ADD COLUMN writers    uuid[],
    ADD FOREIGN KEY (tenant_id, parent_id) REFERENCES folders (tenant_id, folder_id) ON DELETE SET NULL (parent_id),
    ADD CHECK (parent_id <> folder_id);
DROP INDEX folders_name_idx;
CREATE UNIQUE INDEX folders_name_idx ON folders (tenant_id, COALESCE(parent_id, '00000000-0000-0000-0000-000000000000'), lower(name));
CREATE INDEX folders_parent_idx ON folders (tenant_id, parent_id);

ALTER TABLE dashboards
    ADD COLUMN restricted boolean NOT NULL DEFAULT false,
    ADD COLUMN readers    uuid[],
    ADD COLUMN writers    uuid[];

ALTER TABLE datasets
    ADD COLUMN restricted boolean NOT NULL DEFAULT false,
    ADD COLUMN readers    uuid[],
    ADD COLUMN writers    uuid[];

-- One object and one subject each. role is the least role that the grant is
-- for: 'viewer' is everybody, 'editor' those who may edit.
CREATE TABLE access_grants (
    tenant_id    uuid        NOT NULL,
    folder_id    uuid,
    dashboard_id uuid,
    dataset_id   uuid,
    user_id      uuid,
    group_id     uuid,
    role         text        CHECK (role IN ('viewer', 'editor')),
    edit         boolean     NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    object_id    uuid        NOT NULL,
    subject_id   uuid        NOT NULL, -- roles have ids of their own
    PRIMARY KEY (tenant_id, object_id, subject_id),
    CHECK (num_nonnulls(folder_id, dashboard_id, dataset_id) = 1 AND object_id = COALESCE(folder_id, dashboard_id, dataset_id)),
    CHECK (num_nonnulls(user_id, group_id, role) = 1 AND subject_id = COALESCE(user_id, group_id, CASE role
        WHEN 'viewer' THEN '00000000-0000-0000-0000-000000000001'::uuid
        WHEN 'editor' THEN '00000000-0000-0000-0000-000000000002'::uuid END)),
    FOREIGN KEY (tenant_id, folder_id) REFERENCES folders (tenant_id, folder_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, group_id) ON DELETE CASCADE
);
CREATE INDEX access_grants_folder_idx ON access_grants (tenant_id, folder_id) WHERE folder_id IS NOT NULL;
CREATE INDEX access_grants_dashboard_idx ON access_grants (tenant_id, dashboard_id) WHERE dashboard_id IS NOT NULL;
CREATE INDEX access_grants_dataset_idx ON access_grants (tenant_id, dataset_id) WHERE dataset_id IS NOT NULL;
CREATE INDEX access_grants_user_idx ON access_grants (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX access_grants_group_idx ON access_grants (tenant_id, group_id) WHERE group_id IS NOT NULL;
SELECT control.protect('access_grants');

-- subjects are what the transaction's person counts as; null where nobody in
-- particular acts, or somebody who may do everything.
-- +goose StatementBegin
CREATE FUNCTION access_subjects() RETURNS uuid[]
LANGUAGE sql STABLE AS $$ SELECT NULLIF(current_setting('app.subjects', true), '')::uuid[] $$;
-- +goose StatementEnd

-- may tells whether one of them is in a list of readers or writers. It says the
-- same as Can of package access.
-- +goose StatementBegin
CREATE FUNCTION may_access(list uuid[]) RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT list IS NULL OR access_subjects() IS NULL OR list && access_subjects() $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION access_subjects, may_access FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access_subjects, may_access TO dataflow_app;

-- see_as binds the rest of a transaction, that is bound to a tenant already, to
-- what one of its people may see, and answers their groups.
-- +goose StatementBegin
CREATE FUNCTION see_as(person uuid, person_role user_role) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    groups uuid[] := ARRAY(SELECT m.group_id FROM user_group_members m
        WHERE m.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND m.user_id = person ORDER BY m.group_id);
BEGIN
    PERFORM set_config('app.subjects', CASE WHEN person_role IN ('owner', 'admin') THEN ''
        ELSE (ARRAY[person, '00000000-0000-0000-0000-000000000001'::uuid]
            || CASE WHEN person_role = 'editor' THEN ARRAY['00000000-0000-0000-0000-000000000002'::uuid] END || groups)::text END, true);
    RETURN groups;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION see_as FROM PUBLIC;
GRANT EXECUTE ON FUNCTION see_as TO dataflow_app;

-- derive_access works out readers and writers of a row that is about to be
-- written. Triggers see all rows, whoever acts: what a person may not see
-- follows its folder too. (A SET of the function would need a superuser.)
-- +goose StatementBegin
CREATE FUNCTION derive_access() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
    object uuid;
    folder uuid;
    owner  uuid;
BEGIN
    PERFORM set_config('app.subjects', '', true);
    IF TG_TABLE_NAME = 'folders' THEN
        object := NEW.folder_id; folder := NEW.parent_id; owner := NEW.user_id;
    ELSIF TG_TABLE_NAME = 'dashboards' THEN
        object := NEW.dashboard_id; folder := NEW.folder_id; owner := NEW.user_id;
    ELSE
        object := NEW.dataset_id; owner := NEW.created_by;
    END IF;
    NEW.readers := NULL;
    NEW.writers := NULL;
    IF NEW.restricted THEN
        NEW.readers := '{}';
        NEW.writers := '{}';
    ELSIF folder IS NOT NULL THEN
        SELECT f.readers, f.writers INTO NEW.readers, NEW.writers FROM folders f
        WHERE f.tenant_id = NEW.tenant_id AND f.folder_id = folder;
    END IF;
    IF NEW.readers IS NOT NULL THEN
        SELECT ARRAY(SELECT unnest(NEW.readers) UNION SELECT owner WHERE owner IS NOT NULL
                     UNION SELECT g.subject_id FROM access_grants g WHERE g.tenant_id = NEW.tenant_id AND g.object_id = object ORDER BY 1),
               ARRAY(SELECT unnest(NEW.writers) UNION SELECT owner WHERE owner IS NOT NULL
                     UNION SELECT g.subject_id FROM access_grants g WHERE g.tenant_id = NEW.tenant_id AND g.object_id = object AND g.edit ORDER BY 1)
        INTO NEW.readers, NEW.writers;
    END IF;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NEW;
END
$$;

-- pass_access_on derives anew what lies in a folder whose access is another.
CREATE FUNCTION pass_access_on() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
BEGIN
    PERFORM set_config('app.subjects', '', true);
    UPDATE folders f SET parent_id = f.parent_id WHERE f.tenant_id = NEW.tenant_id AND f.parent_id = NEW.folder_id;
    UPDATE dashboards d SET folder_id = d.folder_id WHERE d.tenant_id = NEW.tenant_id AND d.folder_id = NEW.folder_id;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NULL;
END
$$;

-- apply_grant derives anew the object of a grant.
CREATE FUNCTION apply_grant() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
    g access_grants := COALESCE(NEW, OLD);
BEGIN
    PERFORM set_config('app.subjects', '', true);
    UPDATE folders f SET parent_id = f.parent_id WHERE f.tenant_id = g.tenant_id AND f.folder_id = g.folder_id;
    UPDATE dashboards d SET folder_id = d.folder_id WHERE d.tenant_id = g.tenant_id AND d.dashboard_id = g.dashboard_id;
    UPDATE datasets s SET restricted = s.restricted WHERE s.tenant_id = g.tenant_id AND s.dataset_id = g.dataset_id;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION derive_access, pass_access_on, apply_grant FROM PUBLIC;

CREATE TRIGGER derive_access BEFORE INSERT OR UPDATE OF parent_id, restricted, user_id, readers, writers ON folders
    FOR EACH ROW EXECUTE FUNCTION derive_access();
CREATE TRIGGER pass_access_on AFTER UPDATE ON folders
    FOR EACH ROW WHEN (OLD.readers IS DISTINCT FROM NEW.readers OR OLD.writers IS DISTINCT FROM NEW.writers) EXECUTE FUNCTION pass_access_on();
CREATE TRIGGER derive_access BEFORE INSERT OR UPDATE OF folder_id, restricted, user_id, readers, writers ON dashboards
    FOR EACH ROW EXECUTE FUNCTION derive_access();
CREATE TRIGGER derive_access BEFORE INSERT OR UPDATE OF restricted, created_by, readers, writers ON datasets
    FOR EACH ROW EXECUTE FUNCTION derive_access();
CREATE TRIGGER apply_grant AFTER INSERT OR UPDATE OR DELETE ON access_grants
    FOR EACH ROW EXECUTE FUNCTION apply_grant();

-- The workspace's own people are walled off too: rows that somebody may not
-- see do not exist for them, and those that they may not change stay as they
-- are. The policies narrow what tenant_rows allows; the subjects are read once
-- a statement, not once a row.
-- +goose StatementBegin
DO $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['folders', 'dashboards', 'datasets'] LOOP
        EXECUTE format('CREATE POLICY shared_rows ON %I AS RESTRICTIVE FOR SELECT'
            ' USING (readers IS NULL OR (SELECT access_subjects()) IS NULL OR readers && (SELECT access_subjects()))', target);
        EXECUTE format('CREATE POLICY shared_changes ON %I AS RESTRICTIVE FOR UPDATE'
            ' USING (writers IS NULL OR (SELECT access_subjects()) IS NULL OR writers && (SELECT access_subjects())) WITH CHECK (true)', target);
        EXECUTE format('CREATE POLICY shared_removals ON %I AS RESTRICTIVE FOR DELETE'
            ' USING (writers IS NULL OR (SELECT access_subjects()) IS NULL OR writers && (SELECT access_subjects()))', target);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- A load says what is in its dataset.
CREATE POLICY shared_rows ON loads AS RESTRICTIVE FOR SELECT USING (dataset_id IS NULL OR (SELECT access_subjects()) IS NULL
    OR EXISTS (SELECT 1 FROM datasets d WHERE d.tenant_id = loads.tenant_id AND d.dataset_id = loads.dataset_id));
