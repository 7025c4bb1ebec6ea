-- Messages to send and messages sent.

-- DeliveryInsert adds a message to send.
-- name: DeliveryInsert :exec
INSERT INTO delivery_messages (tenant_id, message_id, kind, to_address, to_name, subject, body, job_id, attachments, from_name)
VALUES (@tenant_id, @message_id, @kind, @to_address, @to_name, @subject, @body, sqlc.narg(job_id), @attachments, @from_name);

-- DeliveryGet reads one message.
-- name: DeliveryGet :one
SELECT message_id, kind, to_address, to_name, subject, body, state, attempts, last_error, created_at, sent_at, attachments, from_name
FROM delivery_messages WHERE tenant_id = @tenant_id AND message_id = @message_id;

-- DeliveryListNewest reads the newest messages; uses delivery_messages_newest_idx.
-- Nobody sends one that is kept.
-- name: DeliveryListNewest :many
SELECT message_id, kind, to_address, to_name, subject, body, state, attempts, last_error, created_at, sent_at, attachments, (job_id IS NULL)::boolean AS kept
FROM delivery_messages WHERE tenant_id = @tenant_id
ORDER BY created_at DESC, message_id DESC LIMIT @row_limit;

-- DeliveryMarkSent closes a message and forgets its text.
-- name: DeliveryMarkSent :execrows
UPDATE delivery_messages SET state = 'sent', sent_at = now(), attempts = attempts + 1, last_error = '', body = ''
WHERE tenant_id = @tenant_id AND message_id = @message_id AND state = 'pending';

-- DeliveryMarkTried records an attempt that failed, for now or for good.
-- name: DeliveryMarkTried :execrows
UPDATE delivery_messages
SET attempts = attempts + CASE WHEN @final::boolean THEN 0 ELSE 1 END, last_error = @last_error,
    state = CASE WHEN @final::boolean THEN 'failed' ELSE state END,
    body = CASE WHEN @final::boolean THEN ''::bytea ELSE body END
WHERE tenant_id = @tenant_id AND message_id = @message_id AND state = 'pending';

-- DeliveryMarkBounced says that a message came back, and whose it was.
-- name: DeliveryMarkBounced :one
UPDATE delivery_messages SET state = 'bounced', last_error = @reason, body = ''
WHERE tenant_id = @tenant_id AND message_id = @message_id AND state IN ('sent', 'pending', 'bounced')
RETURNING to_address;

-- DeliveryAddress says whom a message was for.
-- name: DeliveryAddress :one
SELECT to_address FROM delivery_messages WHERE tenant_id = @tenant_id AND message_id = @message_id;

-- DeliveryMarkWithheld closes a message that was not sent, since mail does not
-- reach the address.
-- name: DeliveryMarkWithheld :execrows
UPDATE delivery_messages SET state = 'bounced', last_error = @reason, body = ''
WHERE tenant_id = @tenant_id AND message_id = @message_id AND state = 'pending';

-- DeliveryPrune removes what was written long ago.
-- name: DeliveryPrune :execrows
DELETE FROM delivery_messages
WHERE tenant_id = @tenant_id AND created_at < now() - make_interval(secs => @age_s::float8);
