-- Comments on dashboards and their widgets, and what people are told of.
-- +goose Up

-- widget_id is empty for what is said of the whole dashboard; state is the
-- query of the URL under which the thread was begun.
CREATE TABLE comment_threads (
    tenant_id    uuid        NOT NULL,
    thread_id    uuid        NOT NULL,
    dashboard_id uuid        NOT NULL,
    widget_id    text        NOT NULL DEFAULT '' CHECK (length(widget_id) <= 64),
    state        text        NOT NULL DEFAULT '' CHECK (octet_length(state) <= 32768),
    created_at   timestamptz NOT NULL,
    resolved_at  timestamptz,
    resolved_by  uuid,
    PRIMARY KEY (tenant_id, thread_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, resolved_by) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (resolved_by)
);
CREATE INDEX comment_threads_dashboard_idx ON comment_threads (tenant_id, dashboard_id, created_at);
CREATE INDEX comment_threads_resolved_by_idx ON comment_threads (tenant_id, resolved_by) WHERE resolved_by IS NOT NULL;
SELECT control.protect('comment_threads');

-- mentions are the people whom the text names; text has them as they were written.
CREATE TABLE comments (
    tenant_id  uuid        NOT NULL,
    comment_id uuid        NOT NULL,
    thread_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    text       text        NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    mentions   uuid[]      NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    edited_at  timestamptz,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, comment_id),
    FOREIGN KEY (tenant_id, thread_id) REFERENCES comment_threads (tenant_id, thread_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX comments_thread_idx ON comments (tenant_id, thread_id, created_at);
CREATE INDEX comments_user_idx ON comments (tenant_id, user_id);
SELECT control.protect('comments');

-- One person and one event each: event_id is what it is about (a comment, a
-- grant, a load). in_app is false for what was only mailed; it keeps an event
-- from being told twice.
CREATE TABLE notifications (
    tenant_id       uuid        NOT NULL,
    notification_id uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    kind            text        NOT NULL CHECK (length(kind) BETWEEN 1 AND 40),
    actor_id        uuid,
    dashboard_id    uuid,
    dataset_id      uuid,
    subject         text        NOT NULL DEFAULT '' CHECK (length(subject) <= 200),
    excerpt         text        NOT NULL DEFAULT '' CHECK (length(excerpt) <= 300),
    path            text        NOT NULL CHECK (octet_length(path) <= 40000),
    in_app          boolean     NOT NULL,
    created_at      timestamptz NOT NULL,
    read_at         timestamptz,
    PRIMARY KEY (tenant_id, notification_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, actor_id) REFERENCES users (tenant_id, user_id) ON DELETE SET NULL (actor_id),
    FOREIGN KEY (tenant_id, dashboard_id) REFERENCES dashboards (tenant_id, dashboard_id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, dataset_id) REFERENCES datasets (tenant_id, dataset_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX notifications_event_idx ON notifications (tenant_id, event_id, user_id);
CREATE INDEX notifications_user_idx ON notifications (tenant_id, user_id, created_at DESC);
CREATE INDEX notifications_unread_idx ON notifications (tenant_id, user_id) WHERE read_at IS NULL AND in_app;
CREATE INDEX notifications_actor_idx ON notifications (tenant_id, actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX notifications_dashboard_idx ON notifications (tenant_id, dashboard_id) WHERE dashboard_id IS NOT NULL;
CREATE INDEX notifications_dataset_idx ON notifications (tenant_id, dataset_id) WHERE dataset_id IS NOT NULL;
SELECT control.protect('notifications');

-- What a person chose; a kind without a row is as the product has it.
CREATE TABLE notification_settings (
    tenant_id uuid    NOT NULL,
    user_id   uuid    NOT NULL,
    kind      text    NOT NULL CHECK (length(kind) BETWEEN 1 AND 40),
    in_app    boolean NOT NULL,
    by_mail   boolean NOT NULL,
    PRIMARY KEY (tenant_id, user_id, kind),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, user_id) ON DELETE CASCADE
);
SELECT control.protect('notification_settings');

-- is_among tells whether a person is in a list of readers or writers. It says
-- for anybody what may_access says for the transaction's own person.
-- +goose StatementBegin
CREATE FUNCTION is_among(list uuid[], tenant uuid, person uuid, person_role user_role) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT list IS NULL OR person_role IN ('owner', 'admin') OR person = ANY (list)
        OR '00000000-0000-0000-0000-000000000001' = ANY (list)
        OR (person_role = 'editor' AND '00000000-0000-0000-0000-000000000002' = ANY (list))
        OR EXISTS (SELECT 1 FROM user_group_members m WHERE m.tenant_id = tenant AND m.user_id = person AND m.group_id = ANY (list))
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION is_among FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_among TO dataflow_app;

-- What is said of a dashboard does not exist for whom the dashboard does not
-- exist, and nobody is told of what they no longer see.
CREATE POLICY shared_rows ON comment_threads AS RESTRICTIVE USING ((SELECT access_subjects()) IS NULL
    OR EXISTS (SELECT 1 FROM dashboards d WHERE d.tenant_id = comment_threads.tenant_id AND d.dashboard_id = comment_threads.dashboard_id));
CREATE POLICY shared_rows ON comments AS RESTRICTIVE USING ((SELECT access_subjects()) IS NULL
    OR EXISTS (SELECT 1 FROM comment_threads t WHERE t.tenant_id = comments.tenant_id AND t.thread_id = comments.thread_id));
CREATE POLICY shared_rows ON notifications AS RESTRICTIVE FOR SELECT USING ((SELECT access_subjects()) IS NULL OR (
    (dashboard_id IS NULL OR EXISTS (SELECT 1 FROM dashboards d WHERE d.tenant_id = notifications.tenant_id AND d.dashboard_id = notifications.dashboard_id))
    AND (dataset_id IS NULL OR EXISTS (SELECT 1 FROM datasets s WHERE s.tenant_id = notifications.tenant_id AND s.dataset_id = notifications.dataset_id))));
