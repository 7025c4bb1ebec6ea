-- Schedules of reports, their runs, and the ledger of what reached whom.

-- ScheduleInsert adds one.
-- name: ScheduleInsert :exec
INSERT INTO report_schedules (tenant_id, schedule_id, dashboard_id, owner_id, owner_visitor_id, name, spec, on_data, rule, zone, only_if_rows, resend_unknown, link_above, next_at, seen)
VALUES (@tenant_id, @schedule_id, @dashboard_id, sqlc.narg(owner_id), sqlc.narg(owner_visitor_id), @name, @spec, @on_data, @rule, @zone, @only_if_rows, @resend_unknown, @link_above, sqlc.narg(next_at), @seen);

-- ScheduleUpdate changes all that its form has; 0 rows where it is gone.
-- name: ScheduleUpdate :execrows
UPDATE report_schedules SET name = @name, spec = @spec, on_data = @on_data, rule = @rule, zone = @zone, only_if_rows = @only_if_rows,
       resend_unknown = @resend_unknown, link_above = @link_above, next_at = sqlc.narg(next_at), seen = @seen, updated_at = now()
WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id;

-- ScheduleGet reads one with the names that belong to it.
-- name: ScheduleGet :one
SELECT s.schedule_id, s.dashboard_id, COALESCE(s.owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, COALESCE(s.owner_visitor_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_visitor_id, s.name, s.spec, s.on_data, s.rule, s.zone, s.only_if_rows, s.resend_unknown, s.link_above,
       s.next_at, s.seen, s.paused_at, s.paused_why, s.created_at, d.name AS dashboard_name, (d.deleted_at IS NOT NULL)::boolean AS dashboard_gone,
       COALESCE(u.name, v.name, '')::text AS owner_name, COALESCE(u.email, v.email, '')::text AS owner_email,
       (u.removed_at IS NOT NULL)::boolean AS owner_left, s.paused_by, COALESCE(p.name, '')::text AS paused_by_name, COALESCE(o.name, '')::text AS portal_name
FROM report_schedules s
JOIN dashboards d ON d.tenant_id = s.tenant_id AND d.dashboard_id = s.dashboard_id
LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.user_id = s.owner_id
LEFT JOIN portal_visitors v ON v.tenant_id = s.tenant_id AND v.visitor_id = s.owner_visitor_id
LEFT JOIN portals o ON o.tenant_id = v.tenant_id AND o.portal_id = v.portal_id
LEFT JOIN users p ON p.tenant_id = s.tenant_id AND p.user_id = s.paused_by
WHERE s.tenant_id = @tenant_id AND s.schedule_id = @schedule_id;

-- ScheduleList reads all of a workspace, or one owner's where only_owner is set,
-- with those of visitors or without; or those of one visitor alone.
-- name: ScheduleList :many
SELECT s.schedule_id, s.dashboard_id, COALESCE(s.owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, COALESCE(s.owner_visitor_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_visitor_id, s.name, s.spec, s.on_data, s.rule, s.zone, s.only_if_rows, s.resend_unknown, s.link_above,
       s.next_at, s.seen, s.paused_at, s.paused_why, s.created_at, d.name AS dashboard_name, (d.deleted_at IS NOT NULL)::boolean AS dashboard_gone,
       COALESCE(u.name, v.name, '')::text AS owner_name, COALESCE(u.email, v.email, '')::text AS owner_email,
       (u.removed_at IS NOT NULL)::boolean AS owner_left, s.paused_by, COALESCE(p.name, '')::text AS paused_by_name, COALESCE(o.name, '')::text AS portal_name
FROM report_schedules s
JOIN dashboards d ON d.tenant_id = s.tenant_id AND d.dashboard_id = s.dashboard_id
LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.user_id = s.owner_id
LEFT JOIN portal_visitors v ON v.tenant_id = s.tenant_id AND v.visitor_id = s.owner_visitor_id
LEFT JOIN portals o ON o.tenant_id = v.tenant_id AND o.portal_id = v.portal_id
LEFT JOIN users p ON p.tenant_id = s.tenant_id AND p.user_id = s.paused_by
WHERE s.tenant_id = @tenant_id AND (s.owner_id IS NOT NULL OR s.owner_visitor_id IS NOT NULL)
  AND CASE WHEN sqlc.narg(only_visitor)::uuid IS NOT NULL THEN s.owner_visitor_id = sqlc.narg(only_visitor)
      ELSE s.owner_visitor_id IS NOT NULL AND @of_visitors::boolean OR s.owner_id IS NOT NULL AND (sqlc.narg(only_owner)::uuid IS NULL OR s.owner_id = sqlc.narg(only_owner)) END
ORDER BY lower(s.name), s.schedule_id LIMIT 1000;

-- ScheduleCountOfVisitor says how many a visitor has, and whether one of a
-- dashboard was paused for them; it keeps them from making others meanwhile.
-- name: ScheduleCountOfVisitor :one
SELECT (SELECT count(*) FROM report_schedules s WHERE s.tenant_id = v.tenant_id AND s.owner_visitor_id = v.visitor_id)::bigint AS schedules,
       EXISTS (SELECT FROM report_schedules s WHERE s.tenant_id = v.tenant_id AND s.owner_visitor_id = v.visitor_id
               AND s.dashboard_id = @dashboard_id AND s.paused_by IS NOT NULL)::boolean AS paused_for_them
FROM portal_visitors v WHERE v.tenant_id = @tenant_id AND v.visitor_id = @visitor_id FOR UPDATE;

-- ScheduleListOrphans names those whose visitor was removed.
-- name: ScheduleListOrphans :many
SELECT s.schedule_id FROM report_schedules s WHERE s.tenant_id = @tenant_id AND s.owner_id IS NULL AND s.owner_visitor_id IS NULL LIMIT 100;

-- ScheduleLock reads what its next run needs and keeps others from it.
-- name: ScheduleLock :one
SELECT schedule_id, dashboard_id, COALESCE(owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, COALESCE(owner_visitor_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_visitor_id, name, rule, zone, on_data, next_at, seen, paused_at, paused_by
FROM report_schedules WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id FOR UPDATE;

-- RecipientLeft says of which of some schedules somebody is left who gets it: a
-- channel, an address, a group of visitors, a person or visitor who was not removed
-- and has not unsubscribed.
-- name: RecipientLeft :many
SELECT DISTINCT r.schedule_id FROM report_recipients r
LEFT JOIN users u ON u.tenant_id = r.tenant_id AND u.user_id = r.user_id
WHERE r.tenant_id = @tenant_id AND r.schedule_id = ANY(@schedules::uuid[]) AND r.unsubscribed_at IS NULL
  AND CASE WHEN r.user_id IS NOT NULL THEN u.removed_at IS NULL
      WHEN r.visitor_address <> '' THEN r.visitor_id IS NOT NULL AND r.portal_group_id IS NULL
      ELSE true END;

-- ScheduleListDueBeside names those of members that are due at the moment of one, the ones
-- after it first; uses report_schedules_due_idx.
-- name: ScheduleListDueBeside :many
SELECT s.schedule_id, s.dashboard_id, s.owner_id::uuid AS owner_id, s.zone FROM report_schedules s
WHERE s.tenant_id = @tenant_id AND s.owner_id IS NOT NULL AND s.next_at = @due_at::timestamptz AND s.paused_at IS NULL AND NOT s.on_data AND s.schedule_id <> @schedule_id
ORDER BY s.schedule_id < @schedule_id, s.schedule_id LIMIT @row_limit;

-- ScheduleLockDue reads those of a list that are still due at a moment and that
-- nobody else has, and keeps others from them.
-- name: ScheduleLockDue :many
SELECT schedule_id, dashboard_id, COALESCE(owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, COALESCE(owner_visitor_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_visitor_id, name, rule, zone, on_data, next_at, seen, paused_at, paused_by
FROM report_schedules
WHERE tenant_id = @tenant_id AND schedule_id = ANY(@schedules::uuid[]) AND next_at = @due_at::timestamptz AND paused_at IS NULL
ORDER BY schedule_id FOR UPDATE SKIP LOCKED;

-- ScheduleSetNextOf says when each of a list is due.
-- name: ScheduleSetNextOf :exec
UPDATE report_schedules s SET next_at = n.next_at
FROM (SELECT unnest(@schedules::uuid[]) AS schedule_id, unnest(@nexts::timestamptz[]) AS next_at) n
WHERE s.tenant_id = @tenant_id AND s.schedule_id = n.schedule_id;

-- RunInsertOf adds the run of a slot for each of a list of schedules, and answers
-- those that were not there.
-- name: RunInsertOf :many
INSERT INTO report_runs (tenant_id, run_id, schedule_id, slot, cause, due_at)
SELECT @tenant_id::uuid, r.run_id, r.schedule_id, @slot::text, 'time', @due_at::timestamptz
FROM (SELECT unnest(@runs::uuid[]) AS run_id, unnest(@schedules::uuid[]) AS schedule_id) r
ON CONFLICT (tenant_id, schedule_id, slot) DO NOTHING
RETURNING run_id;

-- ScheduleSetNext says when it is due.
-- name: ScheduleSetNext :exec
UPDATE report_schedules SET next_at = sqlc.narg(next_at) WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id;

-- ScheduleSetSeen keeps the moment of the data that was sent.
-- name: ScheduleSetSeen :exec
UPDATE report_schedules SET seen = @seen WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id;

-- SchedulePause stops it; 0 rows where it is stopped already.
-- name: SchedulePause :execrows
UPDATE report_schedules SET paused_at = now(), paused_by = sqlc.narg(paused_by), paused_why = @why, next_at = NULL
WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id AND paused_at IS NULL;

-- SchedulePausedByVisitor turns whatever pauses a visitor's own into their own choice.
-- name: SchedulePausedByVisitor :exec
UPDATE report_schedules SET paused_by = NULL, paused_why = 'person'
WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id AND paused_at IS NOT NULL AND owner_visitor_id IS NOT NULL;

-- ScheduleResume starts it again, under the person who does so where its owner has gone.
-- name: ScheduleResume :execrows
UPDATE report_schedules SET paused_at = NULL, paused_by = NULL, paused_why = '', next_at = sqlc.narg(next_at), seen = @seen,
       owner_id = CASE WHEN owner_visitor_id IS NULL THEN @owner_id::uuid END
WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id;

-- ScheduleDelete removes it with its history.
-- name: ScheduleDelete :execrows
DELETE FROM report_schedules WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id;

-- ScheduleListActive reads what may have to pause: all that are not paused.
-- name: ScheduleListActive :many
SELECT s.schedule_id, COALESCE(s.owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, (d.deleted_at IS NOT NULL)::boolean AS dashboard_gone
FROM report_schedules s JOIN dashboards d ON d.tenant_id = s.tenant_id AND d.dashboard_id = s.dashboard_id
WHERE s.tenant_id = @tenant_id AND s.paused_at IS NULL AND (s.owner_id IS NOT NULL OR s.owner_visitor_id IS NOT NULL)
ORDER BY s.schedule_id LIMIT 10000;

-- ScheduleListOnData reads those that wait for new data.
-- name: ScheduleListOnData :many
SELECT schedule_id, dashboard_id, seen, spec FROM report_schedules
WHERE tenant_id = @tenant_id AND on_data AND paused_at IS NULL ORDER BY schedule_id LIMIT 1000;

-- ScheduleWaitsForData tells whether there is any.
-- name: ScheduleWaitsForData :one
SELECT EXISTS (SELECT 1 FROM report_schedules WHERE tenant_id = @tenant_id AND on_data AND paused_at IS NULL);

-- ScheduleTakeOverdue finds those whose moment passed without a run, and
-- remembers which moment their owner is told of.
-- name: ScheduleTakeOverdue :many
UPDATE report_schedules SET alarmed_for = next_at
WHERE tenant_id = @tenant_id AND paused_at IS NULL AND next_at < @before::timestamptz AND alarmed_for IS DISTINCT FROM next_at
RETURNING schedule_id, COALESCE(owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, name, next_at::timestamptz AS due_at;

-- RecipientInsert adds one, once.
-- name: RecipientInsert :exec
INSERT INTO report_recipients (tenant_id, recipient_id, schedule_id, user_id, address, channel_id, portal_group_id)
VALUES (@tenant_id, @recipient_id, @schedule_id, sqlc.narg(user_id), @address, sqlc.narg(channel_id), sqlc.narg(portal_group_id)) ON CONFLICT DO NOTHING;

-- RecipientAddVisitor adds a visitor of a portal; 0 rows where there is none of
-- the id. Who got the report as one of a group is chosen by themselves from then on.
-- name: RecipientAddVisitor :execrows
INSERT INTO report_recipients (tenant_id, recipient_id, schedule_id, visitor_id, visitor_address)
SELECT v.tenant_id, @recipient_id, @schedule_id, v.visitor_id, v.email FROM portal_visitors v WHERE v.tenant_id = @tenant_id AND v.visitor_id = @visitor_id
ON CONFLICT (tenant_id, schedule_id, visitor_id) WHERE visitor_id IS NOT NULL DO UPDATE SET visitor_address = excluded.visitor_address, portal_group_id = NULL;

-- RecipientAddGroup adds those of the visitors of a schedule's groups that are not
-- there yet, and moves on those who have left one group and are in another.
-- name: RecipientAddGroup :exec
INSERT INTO report_recipients (tenant_id, recipient_id, schedule_id, visitor_id, visitor_address, portal_group_id)
SELECT DISTINCT ON (v.visitor_id) v.tenant_id, gen_random_uuid(), r.schedule_id, v.visitor_id, v.email, r.portal_group_id
FROM report_recipients r
JOIN portal_group_visitors m ON m.tenant_id = r.tenant_id AND m.group_id = r.portal_group_id
JOIN portal_visitors v ON v.tenant_id = m.tenant_id AND v.visitor_id = m.visitor_id
WHERE r.tenant_id = @tenant_id AND r.schedule_id = @schedule_id AND r.portal_group_id IS NOT NULL AND r.visitor_address = ''
ORDER BY v.visitor_id, r.portal_group_id
ON CONFLICT (tenant_id, schedule_id, visitor_id) WHERE visitor_id IS NOT NULL
DO UPDATE SET portal_group_id = excluded.portal_group_id WHERE report_recipients.portal_group_id IS NOT NULL;

-- RecipientSetRows says which rows a person or an address is sent, and the
-- attributes of an address.
-- name: RecipientSetRows :exec
UPDATE report_recipients SET only_rows = @only_rows, attributes = @attributes
WHERE tenant_id = @tenant_id AND schedule_id = @schedule_id AND (user_id = sqlc.narg(user_id) OR address <> '' AND lower(address) = lower(@address));

-- RecipientKeep removes those that are in none of the lists. Who unsubscribed and is
-- in one of the groups stays, so that the group does not bring them back.
-- name: RecipientKeep :exec
DELETE FROM report_recipients r WHERE r.tenant_id = @tenant_id AND r.schedule_id = @schedule_id
  AND NOT (COALESCE(r.user_id = ANY(@users::uuid[]), false) OR COALESCE(r.channel_id = ANY(@channels::uuid[]), false)
           OR COALESCE(r.portal_group_id = ANY(@groups::uuid[]), false) OR COALESCE(r.visitor_id = ANY(@visitors::uuid[]), false)
           OR r.unsubscribed_at IS NOT NULL AND EXISTS (SELECT FROM portal_group_visitors m
               WHERE m.tenant_id = r.tenant_id AND m.visitor_id = r.visitor_id AND m.group_id = ANY(@groups::uuid[]))
           OR (r.address <> '' AND lower(r.address) = ANY(@addresses::text[])));

-- RecipientList reads those of some schedules, with what is known of each person.
-- Where somebody gets it as one of a group, among tells whether they are in it.
-- name: RecipientList :many
SELECT r.recipient_id, r.schedule_id, r.user_id, r.address, r.channel_id, r.unsubscribed_at, r.only_rows, r.attributes,
       r.visitor_id, r.visitor_address, r.portal_group_id, COALESCE(o.name, '')::text AS portal_name,
       COALESCE(u.name, c.name, v.name, CASE WHEN r.visitor_address = '' THEN g.name END, '')::text AS name, COALESCE(u.email, v.email, r.visitor_address)::text AS email,
       (u.removed_at IS NOT NULL OR v.blocked_at IS NOT NULL OR r.visitor_address <> '' AND v.visitor_id IS NULL)::boolean AS removed,
       EXISTS (SELECT FROM portal_group_visitors m WHERE m.tenant_id = r.tenant_id AND m.group_id = r.portal_group_id AND m.visitor_id = r.visitor_id)::boolean AS among
FROM report_recipients r LEFT JOIN users u ON u.tenant_id = r.tenant_id AND u.user_id = r.user_id
LEFT JOIN channels c ON c.tenant_id = r.tenant_id AND c.channel_id = r.channel_id
LEFT JOIN portal_visitors v ON v.tenant_id = r.tenant_id AND v.visitor_id = r.visitor_id
LEFT JOIN portal_groups g ON g.tenant_id = r.tenant_id AND g.group_id = r.portal_group_id
LEFT JOIN portals o ON o.tenant_id = r.tenant_id AND o.portal_id = COALESCE(v.portal_id, g.portal_id)
WHERE r.tenant_id = @tenant_id AND r.schedule_id = ANY(@schedules::uuid[])
ORDER BY r.created_at, r.recipient_id;

-- RecipientListVisitors are the visitors of the portals that show a dashboard and
-- let them take files: whom a report of it can be sent to. Blocked ones are left out.
-- name: RecipientListVisitors :many
SELECT v.visitor_id, v.email, v.name, v.company, p.name AS portal_name
FROM portal_dashboards d
JOIN portals p ON p.tenant_id = d.tenant_id AND p.portal_id = d.portal_id AND p.downloads
JOIN portal_visitors v ON v.tenant_id = d.tenant_id AND v.portal_id = d.portal_id AND v.blocked_at IS NULL
WHERE d.tenant_id = @tenant_id AND (sqlc.narg(dashboard_id)::uuid IS NULL OR d.dashboard_id = sqlc.narg(dashboard_id))
  AND (d.group_id IS NULL OR EXISTS (SELECT FROM portal_group_visitors m WHERE m.tenant_id = d.tenant_id AND m.group_id = d.group_id AND m.visitor_id = v.visitor_id))
GROUP BY v.tenant_id, v.visitor_id, p.name
ORDER BY lower(p.name), lower(v.company), lower(v.email) LIMIT @row_limit;

-- RecipientFindVisitors answers those of RecipientListVisitors that have one of the
-- ids or exactly one of the addresses, which are in small letters.
-- name: RecipientFindVisitors :many
SELECT DISTINCT v.visitor_id, lower(v.email)::text AS email
FROM portal_visitors v
JOIN portals p ON p.tenant_id = v.tenant_id AND p.portal_id = v.portal_id AND p.downloads
JOIN portal_dashboards d ON d.tenant_id = v.tenant_id AND d.portal_id = v.portal_id AND d.dashboard_id = @dashboard_id
WHERE v.tenant_id = @tenant_id AND v.blocked_at IS NULL AND (v.visitor_id = ANY(@visitors::uuid[]) OR lower(v.email) = ANY(@addresses::text[]))
  AND (d.group_id IS NULL OR EXISTS (SELECT FROM portal_group_visitors m WHERE m.tenant_id = d.tenant_id AND m.group_id = d.group_id AND m.visitor_id = v.visitor_id));

-- RecipientListGroups are the groups of visitors of those portals.
-- name: RecipientListGroups :many
SELECT g.group_id, g.name, p.name AS portal_name
FROM portal_dashboards d
JOIN portals p ON p.tenant_id = d.tenant_id AND p.portal_id = d.portal_id AND p.downloads
JOIN portal_groups g ON g.tenant_id = d.tenant_id AND g.portal_id = d.portal_id
WHERE d.tenant_id = @tenant_id AND (sqlc.narg(dashboard_id)::uuid IS NULL OR d.dashboard_id = sqlc.narg(dashboard_id))
GROUP BY g.tenant_id, g.group_id, g.name, p.name
ORDER BY lower(p.name), lower(g.name) LIMIT @row_limit;

-- RecipientFindGroups answers those of RecipientListGroups that have one of the ids
-- or exactly one of the names, which are in small letters.
-- name: RecipientFindGroups :many
SELECT DISTINCT g.group_id, lower(g.name)::text AS name
FROM portal_groups g
JOIN portals p ON p.tenant_id = g.tenant_id AND p.portal_id = g.portal_id AND p.downloads
JOIN portal_dashboards d ON d.tenant_id = g.tenant_id AND d.portal_id = g.portal_id AND d.dashboard_id = @dashboard_id
WHERE g.tenant_id = @tenant_id AND (g.group_id = ANY(@groups::uuid[]) OR lower(g.name) = ANY(@names::text[]));

-- RecipientNameVisitors names those whom a schedule has chosen already, whatever
-- they are shown.
-- name: RecipientNameVisitors :many
SELECT DISTINCT v.visitor_id, v.email, v.name, v.company, p.name AS portal_name FROM report_recipients r
JOIN portal_visitors v ON v.tenant_id = r.tenant_id AND v.visitor_id = r.visitor_id
JOIN portals p ON p.tenant_id = v.tenant_id AND p.portal_id = v.portal_id
WHERE r.tenant_id = @tenant_id AND r.schedule_id = @schedule_id AND r.portal_group_id IS NULL
ORDER BY p.name, v.email;

-- RecipientNameGroups are the groups that a schedule has chosen already.
-- name: RecipientNameGroups :many
SELECT g.group_id, g.name, p.name AS portal_name FROM report_recipients r
JOIN portal_groups g ON g.tenant_id = r.tenant_id AND g.group_id = r.portal_group_id
JOIN portals p ON p.tenant_id = g.tenant_id AND p.portal_id = g.portal_id
WHERE r.tenant_id = @tenant_id AND r.schedule_id = @schedule_id AND r.visitor_address = ''
ORDER BY p.name, g.name;

-- RecipientUnsubscribe stops the mail to one. own tells that the schedule is the
-- recipient's, a visitor's.
-- name: RecipientUnsubscribe :one
UPDATE report_recipients r SET unsubscribed_at = COALESCE(unsubscribed_at, now())
FROM report_schedules s WHERE s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id AND r.tenant_id = @tenant_id AND r.recipient_id = @recipient_id
RETURNING s.name, s.schedule_id, COALESCE(s.owner_visitor_id = r.visitor_id, false)::boolean AS own;

-- RecipientSubscribe starts the mails of a visitor's own schedule again.
-- name: RecipientSubscribe :exec
UPDATE report_recipients r SET unsubscribed_at = NULL
FROM report_schedules s WHERE s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id AND r.tenant_id = @tenant_id AND r.schedule_id = @schedule_id
  AND s.owner_visitor_id = r.visitor_id;

-- RecipientSchedule names the schedule of one.
-- name: RecipientSchedule :one
SELECT s.name FROM report_recipients r JOIN report_schedules s ON s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id
WHERE r.tenant_id = @tenant_id AND r.recipient_id = @recipient_id;

-- RunInsert adds the run of a slot; 0 rows where it was there.
-- name: RunInsert :execrows
INSERT INTO report_runs (tenant_id, run_id, schedule_id, slot, cause, asked_by, due_at)
VALUES (@tenant_id, @run_id, @schedule_id, @slot, @cause, sqlc.narg(asked_by), @due_at) ON CONFLICT (tenant_id, schedule_id, slot) DO NOTHING;

-- RunLock reads a run and keeps others from it.
-- name: RunLock :one
SELECT run_id, schedule_id, cause, asked_by, state, snapshot, due_at, alarmed FROM report_runs
WHERE tenant_id = @tenant_id AND run_id = @run_id FOR UPDATE;

-- RunSetSnapshot fixes the moment of the data.
-- name: RunSetSnapshot :exec
UPDATE report_runs SET snapshot = @snapshot WHERE tenant_id = @tenant_id AND run_id = @run_id;

-- RunSetState says how far it is; a time ends it.
-- name: RunSetState :exec
UPDATE report_runs SET state = @state, error_code = @error_code, error_text = @error_text, finished_at = sqlc.narg(finished_at)
WHERE tenant_id = @tenant_id AND run_id = @run_id;

-- RunTakeAlarm tells the one caller that its owner has to hear of it.
-- name: RunTakeAlarm :execrows
UPDATE report_runs SET alarmed = true WHERE tenant_id = @tenant_id AND run_id = @run_id AND NOT alarmed;

-- RunTakeDelay tells the one caller that its owner has to hear that mail waits.
-- name: RunTakeDelay :execrows
UPDATE report_runs SET delay_told = true WHERE tenant_id = @tenant_id AND run_id = @run_id AND NOT delay_told;

-- RunTakeLate finds runs that began and never ended, once.
-- name: RunTakeLate :many
UPDATE report_runs r SET late_told = true
FROM report_schedules s
WHERE s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id
  AND r.tenant_id = @tenant_id AND r.state IN ('due', 'sending') AND r.due_at < @before::timestamptz AND NOT r.late_told AND NOT r.alarmed
RETURNING r.run_id, r.due_at, s.schedule_id, COALESCE(s.owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, s.name;

-- RunListNewest reads the newest runs of some schedules.
-- name: RunListNewest :many
SELECT r.run_id, r.schedule_id, r.cause, r.state, r.error_code, r.error_text, r.due_at, r.finished_at
FROM unnest(@schedules::uuid[]) AS asked(schedule_id)
CROSS JOIN LATERAL (
    SELECT n.run_id, n.schedule_id, n.cause, n.state, n.error_code, n.error_text, n.due_at, n.finished_at FROM report_runs n
    WHERE n.tenant_id = @tenant_id AND n.schedule_id = asked.schedule_id ORDER BY n.due_at DESC, n.run_id DESC LIMIT @per_schedule
) r
ORDER BY r.due_at DESC, r.run_id DESC;

-- RunPrune forgets runs of long ago whose files are gone.
-- name: RunPrune :execrows
DELETE FROM report_runs r WHERE r.tenant_id = @tenant_id AND r.due_at < @before AND r.state IN ('done', 'failed')
  AND NOT EXISTS (SELECT 1 FROM report_contents c WHERE c.tenant_id = r.tenant_id AND c.run_id = r.run_id AND c.key <> '');

-- ContentInsert keeps what was rendered, once; the id is that of the row that stays.
-- name: ContentInsert :one
INSERT INTO report_contents (tenant_id, content_id, run_id, digest, key, picture_key, name, stated, empty, expires_at)
VALUES (@tenant_id, @content_id, @run_id, @digest, @key, @picture_key, @name, @stated, @empty, @expires_at)
ON CONFLICT (tenant_id, run_id, digest) DO UPDATE SET
    picture_key = CASE WHEN report_contents.key = '' THEN excluded.picture_key ELSE report_contents.picture_key END,
    expires_at = CASE WHEN report_contents.key = '' THEN excluded.expires_at ELSE report_contents.expires_at END,
    key = CASE WHEN report_contents.key = '' THEN excluded.key ELSE report_contents.key END
RETURNING content_id, empty, key;

-- ContentFind tells what was rendered already.
-- name: ContentFind :one
SELECT content_id, empty FROM report_contents WHERE tenant_id = @tenant_id AND run_id = @run_id AND digest = @digest AND (key <> '' OR empty);

-- ContentListExpired returns files that are kept no longer.
-- name: ContentListExpired :many
SELECT content_id, key, picture_key FROM report_contents
WHERE tenant_id = @tenant_id AND expires_at < @now::timestamptz AND key <> '' ORDER BY expires_at LIMIT @row_limit;

-- ContentListOfSchedule returns all files of a schedule.
-- name: ContentListOfSchedule :many
SELECT c.key, c.picture_key FROM report_contents c JOIN report_runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.tenant_id = @tenant_id AND r.schedule_id = @schedule_id AND c.key <> '';

-- ContentSetExpired says that the files are gone.
-- name: ContentSetExpired :exec
UPDATE report_contents SET key = '', picture_key = '' WHERE tenant_id = @tenant_id AND content_id = @content_id;

-- LedgerInsert adds a line for one recipient of a run, once.
-- name: LedgerInsert :exec
INSERT INTO report_deliveries (tenant_id, delivery_id, run_id, recipient_id, user_id, address, channel_id, only_rows, attributes, visiting, visitor_id)
VALUES (@tenant_id, @delivery_id, @run_id, sqlc.narg(recipient_id), sqlc.narg(user_id), @address, sqlc.narg(channel_id), @only_rows, @attributes, @visiting, sqlc.narg(visitor_id))
ON CONFLICT DO NOTHING;

-- LedgerListDue reads the lines of a run that wait for their content, with what
-- became of their recipient: see LedgerGet.
-- name: LedgerListDue :many
SELECT l.delivery_id, l.user_id, l.address, l.channel_id, l.only_rows, l.attributes, l.visiting, l.visitor_id,
       (l.recipient_id IS NULL AND r.cause <> 'test')::boolean AS taken_out, (q.unsubscribed_at IS NOT NULL)::boolean AS unsubscribed,
       (q.portal_group_id IS NOT NULL AND NOT EXISTS (SELECT FROM report_recipients g
            JOIN portal_group_visitors m ON m.tenant_id = g.tenant_id AND m.group_id = g.portal_group_id
            WHERE g.tenant_id = q.tenant_id AND g.schedule_id = q.schedule_id AND g.visitor_address = '' AND m.visitor_id = q.visitor_id))::boolean AS left_group
FROM report_deliveries l
JOIN report_runs r ON r.tenant_id = l.tenant_id AND r.run_id = l.run_id
LEFT JOIN report_recipients q ON q.tenant_id = l.tenant_id AND q.recipient_id = l.recipient_id
WHERE l.tenant_id = @tenant_id AND l.run_id = @run_id AND l.state = 'due' ORDER BY l.created_at, l.delivery_id;

-- LedgerSetRemade has a line's content made again, for what its recipient is to get
-- now; 0 rows where it is over, or was handed to a mail server.
-- name: LedgerSetRemade :execrows
UPDATE report_deliveries l SET state = 'due', content_id = NULL, handed_at = NULL, remade = l.remade + 1, error_code = '', error_text = '',
       only_rows = COALESCE(q.only_rows, l.only_rows), attributes = CASE WHEN q.recipient_id IS NULL THEN l.attributes ELSE q.attributes END
FROM report_deliveries o LEFT JOIN report_recipients q ON q.tenant_id = o.tenant_id AND q.recipient_id = o.recipient_id
WHERE l.tenant_id = @tenant_id AND l.delivery_id = @delivery_id AND l.state = 'rendered' AND (l.handed_at IS NULL OR l.channel_id IS NOT NULL)
  AND o.tenant_id = l.tenant_id AND o.delivery_id = l.delivery_id;

-- LedgerSetUnmade keeps why the content of a run's lines could not be made yet: of
-- all, or of those alone that have no reason.
-- name: LedgerSetUnmade :exec
UPDATE report_deliveries SET error_code = @error_code, error_text = @error_text
WHERE tenant_id = @tenant_id AND run_id = @run_id AND state = 'due' AND (NOT @only_new::boolean OR error_text = '');

-- LedgerSetUnmadeOf keeps it of some lines.
-- name: LedgerSetUnmadeOf :exec
UPDATE report_deliveries SET error_code = @error_code, error_text = @error_text
WHERE tenant_id = @tenant_id AND delivery_id = ANY(@deliveries::uuid[]) AND state = 'due';

-- LedgerSetRendered gives a line its content; 0 rows where it has one.
-- name: LedgerSetRendered :execrows
UPDATE report_deliveries SET state = 'rendered', content_id = @content_id, error_code = '', error_text = ''
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state = 'due';

-- LedgerClose ends a line that is not sent (again); what is unknown stays so.
-- name: LedgerClose :execrows
UPDATE report_deliveries SET state = CASE WHEN state = 'unknown' THEN 'unknown' ELSE @state::text END, again = false, error_code = @error_code, error_text = @error_text, handed_at = NULL
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state IN ('due', 'rendered', 'unknown');

-- LedgerGet reads a line with all that its mail needs. taken_out tells that its
-- recipient is none any more, left_group that they got it as one of a group and are
-- in none of the schedule's now, other_rows that they are to get other rows, or an
-- address has other attributes, than the line was made with.
-- name: LedgerGet :one
SELECT l.delivery_id, l.run_id, l.recipient_id, l.user_id, l.address, l.channel_id, l.state, l.attempts, l.resent, l.handed_at, l.created_at, l.content_id, l.only_rows, l.error_code,
       l.attributes, l.remade, l.visiting, l.visitor_id, d.name AS dashboard_name,
       r.schedule_id, r.cause, r.due_at, r.asked_by, s.name, s.dashboard_id, COALESCE(s.owner_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_id, COALESCE(s.owner_visitor_id, '00000000-0000-0000-0000-000000000000')::uuid AS owner_visitor_id, s.zone, s.resend_unknown, s.link_above, s.spec,
       COALESCE(c.key, '')::text AS key, COALESCE(c.picture_key, '')::text AS picture_key, COALESCE(c.name, '')::text AS file_name,
       COALESCE(c.stated, '{}')::jsonb AS stated, COALESCE(c.expires_at, now())::timestamptz AS expires_at,
       COALESCE(u.name, '')::text AS user_name, COALESCE(u.locale, '')::text AS user_locale, (u.removed_at IS NOT NULL)::boolean AS removed,
       (l.recipient_id IS NULL AND r.cause <> 'test')::boolean AS taken_out, (q.unsubscribed_at IS NOT NULL)::boolean AS unsubscribed,
       (q.portal_group_id IS NOT NULL AND NOT EXISTS (SELECT FROM report_recipients g
            JOIN portal_group_visitors m ON m.tenant_id = g.tenant_id AND m.group_id = g.portal_group_id
            WHERE g.tenant_id = q.tenant_id AND g.schedule_id = q.schedule_id AND g.visitor_address = '' AND m.visitor_id = q.visitor_id))::boolean AS left_group,
       (q.recipient_id IS NOT NULL AND (q.only_rows <> l.only_rows OR q.attributes IS DISTINCT FROM l.attributes))::boolean AS other_rows
FROM report_deliveries l
JOIN report_runs r ON r.tenant_id = l.tenant_id AND r.run_id = l.run_id
JOIN report_schedules s ON s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id
JOIN dashboards d ON d.tenant_id = s.tenant_id AND d.dashboard_id = s.dashboard_id
LEFT JOIN report_contents c ON c.tenant_id = l.tenant_id AND c.content_id = l.content_id
LEFT JOIN users u ON u.tenant_id = l.tenant_id AND u.user_id = l.user_id
LEFT JOIN report_recipients q ON q.tenant_id = l.tenant_id AND q.recipient_id = l.recipient_id
WHERE l.tenant_id = @tenant_id AND l.delivery_id = @delivery_id;

-- LedgerAttempt counts an attempt at a channel, which may be made again at will.
-- name: LedgerAttempt :execrows
UPDATE report_deliveries SET attempts = attempts + 1, handed_at = now()
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state = 'rendered';

-- LedgerHand notes, before a mail server is given the message, that it will be.
-- name: LedgerHand :execrows
UPDATE report_deliveries SET handed_at = now(), attempts = attempts + 1, resent = (state = 'unknown')
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state IN ('rendered', 'unknown') AND handed_at IS NULL AND NOT resent;

-- LedgerSetSent keeps the mail server's yes.
-- name: LedgerSetSent :execrows
UPDATE report_deliveries SET state = @state, answer = @answer, again = false, error_code = '', error_text = '', handed_at = NULL, sent_at = now()
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state IN ('rendered', 'unknown');

-- LedgerSetTried keeps why an attempt failed that the server surely did not take.
-- name: LedgerSetTried :execrows
UPDATE report_deliveries SET error_code = @error_code, error_text = @error_text, handed_at = NULL, resent = false,
       attempts = attempts + CASE WHEN handed_at IS NULL THEN 1 ELSE 0 END
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state IN ('rendered', 'unknown');

-- LedgerSetUnknown says that nobody can know.
-- name: LedgerSetUnknown :execrows
UPDATE report_deliveries SET state = 'unknown', again = @again, error_code = @error_code, error_text = @error_text, handed_at = NULL
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state IN ('rendered', 'unknown');

-- LedgerRetry opens a line again; it is rendered again where its file is gone.
-- name: LedgerRetry :one
UPDATE report_deliveries l SET error_code = '', error_text = '', resent = false, handed_at = NULL, bounced_at = NULL, attempts = 0, remade = 0,
       state = CASE WHEN EXISTS (SELECT 1 FROM report_contents c WHERE c.tenant_id = l.tenant_id AND c.content_id = l.content_id AND c.key <> '') THEN 'rendered' ELSE 'due' END
WHERE l.tenant_id = @tenant_id AND l.delivery_id = @delivery_id AND l.state IN ('bounced', 'failed', 'unknown')
RETURNING l.run_id, l.state;

-- LedgerPicture reads the newest document of a schedule that somebody was sent,
-- with its picture; no row where they were sent none, or it is kept no longer.
-- name: LedgerPicture :one
SELECT c.picture_key, c.key, c.name, c.stated, l.only_rows, r.due_at
FROM report_deliveries l
JOIN report_runs r ON r.tenant_id = l.tenant_id AND r.run_id = l.run_id
JOIN report_contents c ON c.tenant_id = l.tenant_id AND c.content_id = l.content_id
WHERE l.tenant_id = @tenant_id AND r.schedule_id = @schedule_id AND l.user_id = @user_id::uuid AND c.picture_key <> ''
ORDER BY r.due_at DESC, l.delivery_id DESC LIMIT 1;

-- LedgerSetOpened notes the first time that the link was followed. Whoever
-- follows it has the mail, whatever its server answered.
-- name: LedgerSetOpened :exec
UPDATE report_deliveries SET opened_at = COALESCE(opened_at, now()),
    again = CASE WHEN state = 'unknown' THEN false ELSE again END,
    error_code = CASE WHEN state = 'unknown' THEN '' ELSE error_code END,
    error_text = CASE WHEN state = 'unknown' THEN '' ELSE error_text END,
    sent_at = CASE WHEN state = 'unknown' THEN COALESCE(sent_at, now()) ELSE sent_at END,
    state = CASE WHEN state = 'unknown' THEN 'sent' ELSE state END
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id;

-- LedgerOpening reads where the link of a mail leads.
-- name: LedgerOpening :one
SELECT l.user_id, l.visitor_id, s.dashboard_id, s.spec FROM report_deliveries l
JOIN report_runs r ON r.tenant_id = l.tenant_id AND r.run_id = l.run_id
JOIN report_schedules s ON s.tenant_id = r.tenant_id AND s.schedule_id = r.schedule_id
WHERE l.tenant_id = @tenant_id AND l.delivery_id = @delivery_id;

-- LedgerAddress says whom a line is for.
-- name: LedgerAddress :one
SELECT address, run_id FROM report_deliveries WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id;

-- LedgerSetBounced says that a mail came back.
-- name: LedgerSetBounced :execrows
UPDATE report_deliveries SET state = 'bounced', again = false, error_code = @error_code, error_text = @error_text, handed_at = NULL, bounced_at = now()
WHERE tenant_id = @tenant_id AND delivery_id = @delivery_id AND state IN ('rendered', 'sent', 'unknown');

-- RunTakeBounces answers the lines of a run that came back since its owner was
-- told last, and notes that they are told now.
-- name: RunTakeBounces :many
WITH told AS (
    SELECT r.run_id, r.bounces_told_at FROM report_runs r WHERE r.tenant_id = @tenant_id AND r.run_id = @run_id FOR UPDATE
), noted AS (
    UPDATE report_runs r SET bounces_told_at = now() FROM told t WHERE r.tenant_id = @tenant_id AND r.run_id = t.run_id
)
SELECT l.address, l.error_text FROM report_deliveries l JOIN told t ON t.run_id = l.run_id
WHERE l.tenant_id = @tenant_id AND l.state = 'bounced' AND l.bounced_at > COALESCE(t.bounces_told_at, '-infinity') ORDER BY l.address;

-- LedgerCount says how the lines of a run stand.
-- name: LedgerCount :many
SELECT state, again, count(*) AS lines FROM report_deliveries WHERE tenant_id = @tenant_id AND run_id = @run_id GROUP BY state, again;

-- LedgerList reads the lines of some runs.
-- name: LedgerList :many
SELECT l.delivery_id, l.run_id, l.user_id, l.address, l.state, l.answer, l.error_code, l.error_text, l.attempts, l.resent, l.sent_at, l.opened_at,
       COALESCE(k.kind, CASE WHEN l.channel_id IS NOT NULL THEN 'gone' END, '')::text AS channel_kind, COALESCE(u.name, v.name, '')::text AS name, COALESCE(c.stated, '{}')::jsonb AS stated, COALESCE(c.name, '')::text AS file_name
FROM report_deliveries l
LEFT JOIN users u ON u.tenant_id = l.tenant_id AND u.user_id = l.user_id
LEFT JOIN portal_visitors v ON v.tenant_id = l.tenant_id AND v.visitor_id = l.visitor_id
LEFT JOIN channels k ON k.tenant_id = l.tenant_id AND k.channel_id = l.channel_id
LEFT JOIN report_contents c ON c.tenant_id = l.tenant_id AND c.content_id = l.content_id
WHERE l.tenant_id = @tenant_id AND l.run_id = ANY(@runs::uuid[]) ORDER BY l.created_at, l.delivery_id;
