-- Alerts, the state of their groups, their history, and what was told of it.

-- AlertInsert adds one.
-- name: AlertInsert :exec
INSERT INTO alerts (tenant_id, alert_id, owner_id, dataset_id, dashboard_id, widget_id, name, watch, condition, manner, next_at, since)
VALUES (@tenant_id, @alert_id, @owner_id, @dataset_id, sqlc.narg(dashboard_id), @widget_id, @name, @watch, @condition, @manner, @next_at::timestamptz, @next_at::timestamptz);

-- AlertUpdate changes what a form has; what is measured stays.
-- name: AlertUpdate :execrows
UPDATE alerts SET name = @name, condition = @condition, manner = @manner, revision = revision + 1, next_at = @next_at::timestamptz, updated_at = now()
WHERE tenant_id = @tenant_id AND alert_id = @alert_id;

-- AlertList reads all of a workspace, or those that somebody owns or is told by
-- where only_of is set.
-- name: AlertList :many
SELECT a.alert_id, a.owner_id, a.dataset_id, a.dashboard_id, a.widget_id, a.name, a.watch, a.condition, a.manner, a.state, a.since, a.firing, a.groups,
       a.error_text, a.evaluated_at, a.next_at, a.snoozed_until, a.paused_at, a.paused_why, t.name AS dataset_name,
       COALESCE(NULLIF(u.name, ''), u.email)::text AS owner_name, COALESCE(d.name, '')::text AS dashboard_name, COALESCE(NULLIF(p.name, ''), p.email, '')::text AS paused_by_name
FROM alerts a
JOIN datasets t ON t.tenant_id = a.tenant_id AND t.dataset_id = a.dataset_id
JOIN users u ON u.tenant_id = a.tenant_id AND u.user_id = a.owner_id
LEFT JOIN dashboards d ON d.tenant_id = a.tenant_id AND d.dashboard_id = a.dashboard_id AND d.deleted_at IS NULL
LEFT JOIN users p ON p.tenant_id = a.tenant_id AND p.user_id = a.paused_by
WHERE a.tenant_id = @tenant_id AND (sqlc.narg(only_of)::uuid IS NULL OR a.owner_id = sqlc.narg(only_of) OR EXISTS (
      SELECT 1 FROM alert_recipients r WHERE r.tenant_id = a.tenant_id AND r.alert_id = a.alert_id AND r.user_id = sqlc.narg(only_of)))
  AND (sqlc.narg(one_alert)::uuid IS NULL OR a.alert_id = sqlc.narg(one_alert))
ORDER BY array_position(ARRAY['error', 'firing', 'no_data', 'ok'], a.state), lower(a.name), a.alert_id LIMIT 2000;

-- AlertListToEvaluate reads those that ask a dataset, itself or by a lookup, or
-- those that are due by the clock where there is none.
-- name: AlertListToEvaluate :many
SELECT a.alert_id, a.owner_id, a.dataset_id, a.dashboard_id, a.name, a.watch, a.condition, a.manner, a.revision
FROM alerts a
WHERE a.tenant_id = @tenant_id AND a.paused_at IS NULL AND (
      sqlc.narg(dataset_id)::uuid IS NOT NULL AND (a.dataset_id = sqlc.narg(dataset_id) OR EXISTS (
          SELECT 1 FROM dataset_lookups l WHERE l.tenant_id = a.tenant_id AND l.dataset_id = a.dataset_id AND l.target_id = sqlc.narg(dataset_id)))
   OR sqlc.narg(dataset_id)::uuid IS NULL AND a.next_at <= @now::timestamptz)
ORDER BY a.alert_id;

-- AlertListActive reads whose they are that are not paused.
-- name: AlertListActive :many
SELECT alert_id, owner_id, dataset_id, name FROM alerts WHERE tenant_id = @tenant_id AND paused_at IS NULL ORDER BY alert_id;

-- AlertWatches tells whether any alert asks a dataset.
-- name: AlertWatches :one
SELECT EXISTS (SELECT 1 FROM alerts a WHERE a.tenant_id = @tenant_id AND a.paused_at IS NULL AND (a.dataset_id = @dataset_id OR EXISTS (
    SELECT 1 FROM dataset_lookups l WHERE l.tenant_id = a.tenant_id AND l.dataset_id = a.dataset_id AND l.target_id = @dataset_id)));

-- AlertLock reads what a change of state needs and keeps others from it.
-- name: AlertLock :many
SELECT alert_id, owner_id, name, revision, state, since, error_text, evaluated_version, snoozed_until, paused_at
FROM alerts WHERE tenant_id = @tenant_id AND alert_id = ANY (@alerts::uuid[]) ORDER BY alert_id FOR UPDATE;

-- AlertSetEvaluated notes what evaluations came to.
-- name: AlertSetEvaluated :exec
UPDATE alerts a SET state = e.state, since = e.since, firing = e.firing, groups = e.groups, error_code = e.error_code, error_text = e.error_text,
       evaluated_at = @now::timestamptz, evaluated_version = e.version, next_at = NULLIF(e.next_at, '9999-01-01Z'::timestamptz)
FROM (SELECT unnest(@alerts::uuid[]) AS alert_id, unnest(@states::text[]) AS state, unnest(@sinces::timestamptz[]) AS since, unnest(@firings::int[]) AS firing,
             unnest(@group_counts::int[]) AS groups, unnest(@error_codes::text[]) AS error_code, unnest(@error_texts::text[]) AS error_text,
             unnest(@versions::bigint[]) AS version, unnest(@nexts::timestamptz[]) AS next_at) e
WHERE a.tenant_id = @tenant_id AND a.alert_id = e.alert_id;

-- AlertNext is when the next one is due by the clock.
-- name: AlertNext :one
SELECT COALESCE(min(next_at), now())::timestamptz AS next_at, (count(next_at) > 0)::boolean AS is_any FROM alerts WHERE tenant_id = @tenant_id AND paused_at IS NULL;

-- AlertPause stops one; 0 rows where it is stopped already.
-- name: AlertPause :execrows
UPDATE alerts SET paused_at = @now::timestamptz, paused_by = sqlc.narg(paused_by), paused_why = @why, next_at = NULL
WHERE tenant_id = @tenant_id AND alert_id = @alert_id AND paused_at IS NULL;

-- AlertResume starts it again, under the person who does so where its owner has gone.
-- name: AlertResume :execrows
UPDATE alerts SET paused_at = NULL, paused_by = NULL, paused_why = '', owner_id = @owner_id, next_at = @next_at::timestamptz, revision = revision + 1
WHERE tenant_id = @tenant_id AND alert_id = @alert_id AND paused_at IS NOT NULL;

-- AlertSnooze keeps it silent until then, or no longer.
-- name: AlertSnooze :exec
UPDATE alerts SET snoozed_until = sqlc.narg(until), next_at = COALESCE(sqlc.narg(until), @now::timestamptz) WHERE tenant_id = @tenant_id AND alert_id = @alert_id;

-- name: AlertDelete :execrows
DELETE FROM alerts WHERE tenant_id = @tenant_id AND alert_id = @alert_id;

-- AlertStateList reads the groups of alerts.
-- name: AlertStateList :many
SELECT s.alert_id, s.group_key, s.labels, s.state, s.since, s.beyond_since, s.value, s.low, s.high, s.period, s.acked_at, s.acked_by, s.escalate_at, s.owed,
       COALESCE(NULLIF(u.name, ''), u.email, '')::text AS acked_by_name
FROM alert_states s LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.user_id = s.acked_by
WHERE s.tenant_id = @tenant_id AND s.alert_id = ANY (@alerts::uuid[])
ORDER BY s.alert_id, array_position(ARRAY['firing', 'no_data', 'ok'], s.state), s.labels;

-- AlertStatePut writes groups; times that there are not are the year 9999, numbers NaN.
-- name: AlertStatePut :exec
INSERT INTO alert_states AS old (tenant_id, alert_id, group_key, labels, state, since, beyond_since, value, low, high, period, acked_at, escalate_at, owed)
SELECT @tenant_id, n.alert_id, n.group_key, ARRAY(SELECT jsonb_array_elements_text(n.labels)), n.state, n.since, NULLIF(n.beyond_since, '9999-01-01Z'::timestamptz),
       NULLIF(n.value, 'NaN'), NULLIF(n.low, 'NaN'), NULLIF(n.high, 'NaN'), NULLIF(n.period, '9999-01-01Z'::timestamptz), NULLIF(n.acked_at, '9999-01-01Z'::timestamptz), NULLIF(n.escalate_at, '9999-01-01Z'::timestamptz), n.owed
FROM (SELECT unnest(@alerts::uuid[]) AS alert_id, unnest(@keys::text[]) AS group_key, unnest(@labels::jsonb[]) AS labels, unnest(@states::text[]) AS state,
             unnest(@sinces::timestamptz[]) AS since, unnest(@beyond::timestamptz[]) AS beyond_since, unnest(@vals::float8[]) AS value,
             unnest(@lows::float8[]) AS low, unnest(@highs::float8[]) AS high, unnest(@periods::timestamptz[]) AS period,
             unnest(@acks::timestamptz[]) AS acked_at, unnest(@escalations::timestamptz[]) AS escalate_at, unnest(@owes::boolean[]) AS owed) n
ON CONFLICT (tenant_id, alert_id, group_key) DO UPDATE SET labels = EXCLUDED.labels, state = EXCLUDED.state, since = EXCLUDED.since, beyond_since = EXCLUDED.beyond_since,
    value = EXCLUDED.value, low = EXCLUDED.low, high = EXCLUDED.high, period = EXCLUDED.period, acked_at = EXCLUDED.acked_at,
    acked_by = CASE WHEN EXCLUDED.acked_at IS NULL THEN NULL ELSE old.acked_by END, escalate_at = EXCLUDED.escalate_at, owed = EXCLUDED.owed;

-- AlertStateClear forgets the groups of an alert whose condition changed.
-- name: AlertStateClear :exec
DELETE FROM alert_states WHERE tenant_id = @tenant_id AND alert_id = @alert_id;

-- AlertAcknowledge notes who looks after what fires.
-- name: AlertAcknowledge :many
UPDATE alert_states SET acked_at = @now::timestamptz, acked_by = sqlc.narg(user_id), escalate_at = NULL
WHERE tenant_id = @tenant_id AND alert_id = @alert_id AND state = 'firing' AND acked_at IS NULL
  AND (sqlc.narg(group_key)::text IS NULL OR group_key = sqlc.narg(group_key))
RETURNING group_key, labels;

-- AlertEventInsert adds to the history.
-- name: AlertEventInsert :exec
INSERT INTO alert_events (tenant_id, event_id, alert_id, group_key, labels, kind, from_state, to_state, value, low, high, period, text, muted, user_id, at)
VALUES (@tenant_id, @event_id, @alert_id, @group_key, @labels, @kind, @from_state, @to_state, sqlc.narg(value), sqlc.narg(low), sqlc.narg(high), sqlc.narg(period), @text, @muted, sqlc.narg(user_id), @at);

-- AlertEventList reads the newest of an alert.
-- name: AlertEventList :many
SELECT e.event_id, e.group_key, e.labels, e.kind, e.from_state, e.to_state, e.value, e.low, e.high, e.period, e.text, e.muted, e.at,
       COALESCE(NULLIF(u.name, ''), u.email, '')::text AS person
FROM alert_events e LEFT JOIN users u ON u.tenant_id = e.tenant_id AND u.user_id = e.user_id
WHERE e.tenant_id = @tenant_id AND e.alert_id = @alert_id ORDER BY e.at DESC, e.event_id DESC LIMIT @row_limit;

-- AlertStatePrune forgets groups with which nothing has been wrong for long. One
-- that still has rows comes back with the next evaluation.
-- name: AlertStatePrune :execrows
DELETE FROM alert_states WHERE tenant_id = @tenant_id AND labels <> '{}' AND state <> 'firing' AND since < @before::timestamptz AND beyond_since IS NULL AND NOT owed;

-- AlertEventPrune forgets what is old.
-- name: AlertEventPrune :execrows
DELETE FROM alert_events WHERE tenant_id = @tenant_id AND at < @before::timestamptz;

-- AlertRecipientClear removes all of an alert, before those of the form are added.
-- name: AlertRecipientClear :exec
DELETE FROM alert_recipients WHERE tenant_id = @tenant_id AND alert_id = @alert_id;

-- name: AlertRecipientInsert :exec
INSERT INTO alert_recipients (tenant_id, recipient_id, alert_id, user_id, channel_id, later)
VALUES (@tenant_id, @recipient_id, @alert_id, sqlc.narg(user_id), sqlc.narg(channel_id), @later);

-- AlertRecipientList reads those of alerts.
-- name: AlertRecipientList :many
SELECT r.alert_id, r.user_id, r.channel_id, r.later, COALESCE(NULLIF(u.name, ''), u.email, c.name, '')::text AS name, COALESCE(u.email, '')::text AS email,
       COALESCE(c.kind, '')::text AS channel_kind, (u.removed_at IS NOT NULL)::boolean AS is_removed
FROM alert_recipients r
LEFT JOIN users u ON u.tenant_id = r.tenant_id AND u.user_id = r.user_id
LEFT JOIN channels c ON c.tenant_id = r.tenant_id AND c.channel_id = r.channel_id
WHERE r.tenant_id = @tenant_id AND r.alert_id = ANY (@alerts::uuid[])
ORDER BY r.alert_id, r.later, lower(COALESCE(NULLIF(u.name, ''), u.email, c.name, '')), r.recipient_id;

-- AlertNoticeInsert opens a line of the ledger.
-- name: AlertNoticeInsert :exec
INSERT INTO alert_notices (tenant_id, notice_id, alert_id, user_id, channel_id, to_name, body, state, created_at, sent_at)
VALUES (@tenant_id, @notice_id, @alert_id, sqlc.narg(user_id), sqlc.narg(channel_id), @to_name, @body, @state, @now::timestamptz, sqlc.narg(sent_at));

-- AlertNoticeGet reads one, with what its channel is called.
-- name: AlertNoticeGet :one
SELECT n.notice_id, n.alert_id, n.channel_id, n.to_name, n.body, n.state, n.attempts, n.handed_at, n.created_at
FROM alert_notices n WHERE n.tenant_id = @tenant_id AND n.notice_id = @notice_id;

-- AlertNoticeHand notes that it is about to be given away; 0 rows where it was.
-- name: AlertNoticeHand :execrows
UPDATE alert_notices SET resent = resent OR handed_at IS NOT NULL, handed_at = now(), attempts = attempts + 1
WHERE tenant_id = @tenant_id AND notice_id = @notice_id AND state = 'due';

-- AlertNoticeSet writes what became of it; the hand-over is over.
-- name: AlertNoticeSet :execrows
UPDATE alert_notices SET state = @state, answer = @answer, error_code = @error_code, error_text = @error_text, handed_at = NULL,
       sent_at = CASE WHEN @state::text = 'sent' THEN now() ELSE sent_at END
WHERE tenant_id = @tenant_id AND notice_id = @notice_id AND state = 'due';

-- AlertNoticeList reads the newest of an alert.
-- name: AlertNoticeList :many
SELECT notice_id, user_id, channel_id, to_name, body, state, answer, error_text, attempts, resent, created_at, sent_at
FROM alert_notices WHERE tenant_id = @tenant_id AND alert_id = @alert_id ORDER BY created_at DESC, notice_id DESC LIMIT @row_limit;

-- AlertNoticePrune forgets what is old.
-- name: AlertNoticePrune :execrows
DELETE FROM alert_notices WHERE tenant_id = @tenant_id AND created_at < @before::timestamptz;

-- AlertMarks reads when the alerts on a dashboard's widgets fired, newest first;
-- alerts that never did have one row without a moment.
-- name: AlertMarks :many
SELECT a.alert_id, a.owner_id, a.widget_id, a.name, a.state, a.watch, e.period, e.at
FROM alerts a LEFT JOIN alert_events e ON e.tenant_id = a.tenant_id AND e.alert_id = a.alert_id AND e.kind = 'state' AND e.to_state = 'firing'
WHERE a.tenant_id = @tenant_id AND a.dashboard_id = @dashboard_id AND (sqlc.narg(only_of)::uuid IS NULL OR a.owner_id = sqlc.narg(only_of) OR EXISTS (
      SELECT 1 FROM alert_recipients r WHERE r.tenant_id = a.tenant_id AND r.alert_id = a.alert_id AND r.user_id = sqlc.narg(only_of)))
ORDER BY e.at DESC NULLS LAST, a.alert_id LIMIT 500;
