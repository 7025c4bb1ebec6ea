-- Rules on the rows, columns and groups of datasets, and the attributes of
-- people and groups that they compare with.
-- +goose Up

CREATE TABLE member_attributes (
    tenant_id uuid   NOT NULL,
    user_id   uuid   NOT NULL,
    name      text   NOT NULL CHECK (name ~ '^[a-z][a-z0-9_.-]{0,59}$'),
    vals      text[] NOT NULL CHECK (cardinality(vals) BETWEEN 1 AND 200),
    PRIMARY KEY (tenant_id, user_id, name),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
SELECT control.protect('member_attributes');
SELECT control.watch('member_attributes');

CREATE TABLE group_attributes (
    tenant_id uuid   NOT NULL,
    group_id  uuid   NOT NULL,
    name      text   NOT NULL CHECK (name ~ '^[a-z][a-z0-9_.-]{0,59}$'),
    vals      text[] NOT NULL CHECK (cardinality(vals) BETWEEN 1 AND 200),
    PRIMARY KEY (tenant_id, group_id, name),
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, group_id) ON DELETE CASCADE
);
SELECT control.protect('group_attributes');
SELECT control.watch('group_attributes');

-- person_attributes are a person's own attributes and those of their groups, as
-- {"name": ["value", …]}. The transaction is bound to the tenant.
-- +goose StatementBegin
CREATE FUNCTION person_attributes(person uuid) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT COALESCE(jsonb_object_agg(a.name, a.vals), '{}') FROM (
        SELECT one.name, jsonb_agg(DISTINCT one.val) AS vals FROM (
            SELECT a.name, unnest(a.vals) AS val FROM member_attributes a
            WHERE a.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND a.user_id = person
            UNION ALL
            SELECT g.name, unnest(g.vals) FROM group_attributes g
            JOIN user_group_members m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id
            WHERE m.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid AND m.user_id = person
        ) one GROUP BY one.name
    ) a
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION person_attributes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION person_attributes TO dataflow_app;

-- rule says what is kept of the rows, what is seen of a column, or how many rows
-- a group needs, as package datasets encodes it. Columns are named by id. A rule
-- is for everybody or for its subjects, and never for those that it excepts.
CREATE TABLE dataset_rules (
    tenant_id  uuid        NOT NULL,
    rule_id    uuid        NOT NULL,
    dataset_id uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('rows', 'column', 'groups')),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    rule       jsonb       NOT NULL,
    everybody  boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, rule_id),
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX dataset_rules_name_idx ON dataset_rules (tenant_id, dataset_id, lower(name));
SELECT control.protect('dataset_rules');
SELECT control.watch('dataset_rules');

-- role is the least role that is meant. A group that a rule names can't be
-- removed: the rule would be for other people then.
CREATE TABLE dataset_rule_subjects (
    tenant_id  uuid    NOT NULL,
    rule_id    uuid    NOT NULL,
    excepted   boolean NOT NULL,
    user_id    uuid,
    group_id   uuid,
    role       text    CHECK (role IN ('viewer', 'editor', 'admin')),
    subject_id uuid    NOT NULL,
    PRIMARY KEY (tenant_id, rule_id, excepted, subject_id),
    CHECK (num_nonnulls(user_id, group_id, role) = 1 AND subject_id = COALESCE(user_id, group_id, CASE role
        WHEN 'viewer' THEN '00000000-0000-0000-0000-000000000001'::uuid
        WHEN 'editor' THEN '00000000-0000-0000-0000-000000000002'::uuid
        WHEN 'admin' THEN '00000000-0000-0000-0000-000000000003'::uuid END)),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES dataset_rules (tenant_id, rule_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, group_id)
);
CREATE INDEX dataset_rule_subjects_user_idx ON dataset_rule_subjects (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX dataset_rule_subjects_group_idx ON dataset_rule_subjects (tenant_id, group_id) WHERE group_id IS NOT NULL;
SELECT control.protect('dataset_rule_subjects');
SELECT control.watch('dataset_rule_subjects');

-- Rules belong to the definition of their dataset: however they change, it is
-- another revision, and what was remembered of the one before is not found.
-- +goose StatementBegin
CREATE FUNCTION revise_ruled() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    seen text := current_setting('app.subjects', true);
BEGIN
    PERFORM set_config('app.subjects', '', true);
    IF TG_TABLE_NAME = 'dataset_rules' THEN
        UPDATE datasets d SET revision = d.revision + 1 WHERE d.tenant_id = COALESCE(NEW.tenant_id, OLD.tenant_id)
            AND d.dataset_id = COALESCE(NEW.dataset_id, OLD.dataset_id);
    ELSE
        UPDATE datasets d SET revision = d.revision + 1 FROM dataset_rules r WHERE r.tenant_id = COALESCE(NEW.tenant_id, OLD.tenant_id)
            AND r.rule_id = COALESCE(NEW.rule_id, OLD.rule_id) AND d.tenant_id = r.tenant_id AND d.dataset_id = r.dataset_id;
    END IF;
    PERFORM set_config('app.subjects', seen, true);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION revise_ruled FROM PUBLIC;
CREATE TRIGGER revise_ruled AFTER INSERT OR UPDATE OR DELETE ON dataset_rules FOR EACH ROW EXECUTE FUNCTION revise_ruled();
CREATE TRIGGER revise_ruled AFTER INSERT OR UPDATE OR DELETE ON dataset_rule_subjects FOR EACH ROW EXECUTE FUNCTION revise_ruled();

-- What pseudonyms of this tenant are made with, so that nobody finds a value by
-- hashing all that it could be.
ALTER TABLE tenants ADD COLUMN mask_secret text NOT NULL
    DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');

-- seen_as names what its author saw of the data when they wrote a comment, empty
-- for all of it: what they quote is not for everybody under another rule.
ALTER TABLE comments ADD COLUMN seen_as text NOT NULL DEFAULT '';
