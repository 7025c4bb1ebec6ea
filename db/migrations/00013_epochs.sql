-- A workspace's epoch is a number that grows with every commit that changes who
-- its people are, where they may go, or what its dashboards show. What a
-- process remembers under an epoch is true as long as the epoch is the same, and
-- one look at a session answers that with the session itself.
--
-- For migrations to come: a table that SessionUser, SessionWorkspaces or
-- DashboardState reads is handed to control.watch. A test compares the two.
-- +goose Up

-- No right to it and no policy: only the functions below reach it.
CREATE TABLE control.epochs (
    tenant_id uuid   PRIMARY KEY,
    epoch     bigint NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE control.epochs ENABLE ROW LEVEL SECURITY;

-- advance_epoch counts a transaction once, however many rows it changes.
-- +goose StatementBegin
CREATE FUNCTION control.advance_epoch(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mark text := pg_current_xact_id()::text || ' ' || tenant::text;
BEGIN
    IF tenant IS NULL OR current_setting('app.advanced', true) = mark THEN
        RETURN;
    END IF;
    INSERT INTO control.epochs AS e (tenant_id, epoch) VALUES (tenant, 1)
    ON CONFLICT (tenant_id) DO UPDATE SET epoch = e.epoch + 1;
    PERFORM set_config('app.advanced', mark, true);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.advance_epoch FROM PUBLIC;

-- +goose StatementBegin
CREATE FUNCTION control.row_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM control.advance_epoch(COALESCE(NEW.tenant_id, OLD.tenant_id));
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.row_changed FROM PUBLIC;

-- A person's other workspaces show a membership, and the workspaces of all of
-- its people show a name. In the order of their ids, so that two such changes
-- wait for each other and never both.
-- +goose StatementBegin
CREATE FUNCTION control.membership_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person uuid := COALESCE(NEW.person_id, OLD.person_id);
    tenant uuid := COALESCE(NEW.tenant_id, OLD.tenant_id);
BEGIN
    PERFORM control.advance_epoch(one) FROM (SELECT tenant AS one UNION SELECT m.tenant_id FROM control.memberships m
        WHERE m.person_id = person ORDER BY one) reached;
    RETURN NULL;
END
$$;

CREATE FUNCTION control.workspace_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM control.advance_epoch(one) FROM (SELECT NEW.tenant_id AS one UNION SELECT o.tenant_id
        FROM control.memberships m JOIN control.memberships o ON o.person_id = m.person_id
        WHERE m.tenant_id = NEW.tenant_id ORDER BY one) reached;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.membership_changed, control.workspace_changed FROM PUBLIC;

-- watch makes changes of a tenant's table advance its epoch, those of the
-- columns named or of all. It happens last in the transaction, so that the
-- transactions of a tenant wait for each other only while they commit.
-- +goose StatementBegin
CREATE FUNCTION control.watch(target regclass, columns text DEFAULT '') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE %s ON %s'
        ' DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.row_changed()',
        CASE WHEN columns <> '' THEN 'OF ' || columns ELSE '' END, target);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.watch FROM PUBLIC;

SELECT control.watch('tenants');
-- Not seen_at, which changes every minute.
SELECT control.watch('users', 'email, name, role, plan_type, zone, locale, theme, shortcuts, person_id, removed_at');
-- Groups say what their members may see; grants change the rows that they are on.
SELECT control.watch('user_group_members');
SELECT control.watch('datasets');
SELECT control.watch('folders');
SELECT control.watch('dashboards');
SELECT control.watch('dashboard_saved_views');
-- Not when somebody looked last.
SELECT control.watch('dashboard_views', 'starred_at');
CREATE CONSTRAINT TRIGGER advance_epoch AFTER INSERT OR DELETE OR UPDATE ON control.memberships
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.membership_changed();
CREATE CONSTRAINT TRIGGER advance_epoch AFTER UPDATE OF name, slug ON control.tenants
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control.workspace_changed();

-- check_sessions finds the live sessions of tokens and the epochs of their
-- workspaces; n is the place of the token, from 1. A session that has ended has
-- no row.
-- +goose StatementBegin
CREATE FUNCTION control.check_sessions(tokens bytea[])
RETURNS TABLE (n bigint, session_id uuid, person_id uuid, tenant_id uuid, user_id uuid, last_seen_at timestamptz, expires_at timestamptz,
    remembered boolean, epoch bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT t.place, s.session_id, s.person_id, s.tenant_id, s.user_id, s.last_seen_at, s.expires_at, s.remembered,
        COALESCE(e.epoch, 0)
    FROM unnest(tokens) WITH ORDINALITY t (token, place) JOIN control.sessions s ON s.token_hash = t.token
        LEFT JOIN control.epochs e ON e.tenant_id = s.tenant_id
    WHERE s.expires_at > now() AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION control.check_sessions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control.check_sessions TO dataflow_app;
