-- Mail of a workspace: its server, keys, mailbox, and what came back.

-- name: MailServerGet :one
SELECT host, port, tls, username, password, from_name, from_address, bounce_address, updated_at FROM mail_servers WHERE tenant_id = @tenant_id;

-- name: MailServerExists :one
SELECT EXISTS (SELECT 1 FROM mail_servers WHERE tenant_id = @tenant_id);

-- name: MailServerSet :exec
INSERT INTO mail_servers (tenant_id, host, port, tls, username, password, from_name, from_address, bounce_address)
VALUES (@tenant_id, @host, @port, @tls, @username, @password, @from_name, @from_address, @bounce_address)
ON CONFLICT (tenant_id) DO UPDATE SET host = excluded.host, port = excluded.port, tls = excluded.tls, username = excluded.username, password = excluded.password,
    from_name = excluded.from_name, from_address = excluded.from_address, bounce_address = excluded.bounce_address, updated_at = now();

-- name: MailServerDelete :execrows
DELETE FROM mail_servers WHERE tenant_id = @tenant_id;

-- MailKeyGet reads the key of a domain.
-- name: MailKeyGet :one
SELECT domain, selector, private, record, created_at, checked_at, verified_at, problem FROM mail_keys WHERE tenant_id = @tenant_id AND domain = @domain;

-- MailKeyListStale reads keys in use that were not looked up for a day.
-- name: MailKeyListStale :many
SELECT domain, selector, record FROM mail_keys WHERE tenant_id = @tenant_id AND verified_at IS NOT NULL AND checked_at < now() - interval '1 day' LIMIT 20;

-- MailKeyInsert adds a key; 0 rows where the domain has one.
-- name: MailKeyInsert :execrows
INSERT INTO mail_keys (tenant_id, domain, selector, private, record) VALUES (@tenant_id, @domain, @selector, @private, @record) ON CONFLICT DO NOTHING;

-- MailKeySetChecked keeps what a look into the DNS found.
-- name: MailKeySetChecked :execrows
UPDATE mail_keys SET checked_at = now(), problem = @problem,
    verified_at = CASE WHEN @found::boolean THEN COALESCE(verified_at, now()) WHEN @gone::boolean THEN NULL ELSE verified_at END
WHERE tenant_id = @tenant_id AND domain = @domain AND record = @record;

-- name: MailKeyDelete :execrows
DELETE FROM mail_keys WHERE tenant_id = @tenant_id AND domain = @domain;

-- name: MailboxGet :one
SELECT host, port, tls, username, password, folder, read_at, problem FROM mail_mailboxes WHERE tenant_id = @tenant_id;

-- name: MailboxSet :exec
INSERT INTO mail_mailboxes (tenant_id, host, port, tls, username, password, folder)
VALUES (@tenant_id, @host, @port, @tls, @username, @password, @folder)
ON CONFLICT (tenant_id) DO UPDATE SET host = excluded.host, port = excluded.port, tls = excluded.tls, username = excluded.username,
    password = excluded.password, folder = excluded.folder, read_at = NULL, problem = '';

-- MailboxSetRead keeps how the last look went.
-- name: MailboxSetRead :exec
UPDATE mail_mailboxes SET read_at = CASE WHEN @problem::text = '' THEN now() ELSE read_at END, problem = @problem WHERE tenant_id = @tenant_id;

-- name: MailboxDelete :execrows
DELETE FROM mail_mailboxes WHERE tenant_id = @tenant_id;

-- name: MailHookGet :one
SELECT key, created_at, used_at FROM mail_hooks WHERE tenant_id = @tenant_id;

-- name: MailHookSet :exec
INSERT INTO mail_hooks (tenant_id, key) VALUES (@tenant_id, @key)
ON CONFLICT (tenant_id) DO UPDATE SET key = excluded.key, created_at = now(), used_at = NULL;

-- MailHookUsed notes that the provider wrote.
-- name: MailHookUsed :exec
UPDATE mail_hooks SET used_at = now() WHERE tenant_id = @tenant_id;

-- name: MailHookDelete :execrows
DELETE FROM mail_hooks WHERE tenant_id = @tenant_id;

-- MailBounceInsert keeps what came back, once; 0 rows where it is known.
-- name: MailBounceInsert :execrows
INSERT INTO mail_bounces (tenant_id, bounce_id, message_id, address, kind, lasting, status, reason)
VALUES (@tenant_id, @bounce_id, sqlc.narg(message_id), @address, @kind, @lasting, @status, @reason) ON CONFLICT DO NOTHING;

-- name: MailBounceGet :one
SELECT bounce_id, message_id, address, kind, lasting, status, reason, at FROM mail_bounces WHERE tenant_id = @tenant_id AND bounce_id = @bounce_id;

-- MailBounceSetAddress says whose mail came back.
-- name: MailBounceSetAddress :exec
UPDATE mail_bounces SET address = @address WHERE tenant_id = @tenant_id AND bounce_id = @bounce_id;

-- MailBounceDelete forgets one of a message that nobody knows any more.
-- name: MailBounceDelete :exec
DELETE FROM mail_bounces WHERE tenant_id = @tenant_id AND bounce_id = @bounce_id;

-- MailBounceListLasting reads the addresses that mail does not reach, with the
-- newest reason of each.
-- name: MailBounceListLasting :many
SELECT DISTINCT ON (lower(address)) address, kind, reason, at FROM mail_bounces
WHERE tenant_id = @tenant_id AND lasting AND cleared_at IS NULL AND address <> '' ORDER BY lower(address), at DESC LIMIT 500;

-- MailBounceOf reads why mail does not reach an address; uses mail_bounces_lasting_idx.
-- name: MailBounceOf :one
SELECT kind, reason, at FROM mail_bounces
WHERE tenant_id = @tenant_id AND lower(address) = lower(@address::text) AND lasting AND cleared_at IS NULL ORDER BY at DESC LIMIT 1;

-- MailBounceClear lets mail go to an address again.
-- name: MailBounceClear :execrows
UPDATE mail_bounces SET cleared_at = now() WHERE tenant_id = @tenant_id AND lower(address) = lower(@address::text) AND cleared_at IS NULL;

-- MailBouncePrune forgets what came back long ago and does not count any more.
-- name: MailBouncePrune :execrows
DELETE FROM mail_bounces WHERE tenant_id = @tenant_id AND at < now() - make_interval(secs => @age_s::float8) AND (NOT lasting OR cleared_at IS NOT NULL);
