-- Mail of a workspace: its own server, the key that its mail is signed with,
-- where mail comes back to that could not be delivered, and what came back.
-- +goose Up

-- The server that takes the workspace's mail, in place of the installation's.
-- password is sealed under the tenant's keyset; empty for a server that wants
-- none. bounce_address is where mail comes back to; empty for the sender's.
CREATE TABLE mail_servers (
    tenant_id      uuid        PRIMARY KEY,
    host           text        NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
    port           integer     NOT NULL CHECK (port BETWEEN 1 AND 65535),
    tls            text        NOT NULL CHECK (tls IN ('starttls', 'tls', 'none')),
    username       text        NOT NULL DEFAULT '' CHECK (length(username) <= 254),
    password       bytea       NOT NULL DEFAULT '',
    from_name      text        NOT NULL DEFAULT '' CHECK (length(from_name) <= 100),
    from_address   text        NOT NULL CHECK (length(from_address) BETWEEN 3 AND 254),
    bounce_address text        NOT NULL DEFAULT '' CHECK (length(bounce_address) <= 254),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
SELECT control.protect('mail_servers');

-- Keys that mail of a domain is signed with (DKIM). private is sealed; record is
-- what the DNS has to have at selector._domainkey.domain. Nothing is signed
-- before verified_at. problem is what the last look there found.
CREATE TABLE mail_keys (
    tenant_id   uuid        NOT NULL,
    domain      text        NOT NULL CHECK (domain = lower(domain) AND length(domain) BETWEEN 3 AND 253),
    selector    text        NOT NULL CHECK (selector ~ '^[a-z0-9]{1,40}$'),
    private     bytea       NOT NULL,
    record      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    checked_at  timestamptz,
    verified_at timestamptz,
    problem     text        NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, domain)
);
SELECT control.protect('mail_keys');

-- The mailbox that bounces are read from by IMAP. password is sealed.
CREATE TABLE mail_mailboxes (
    tenant_id uuid        PRIMARY KEY,
    host      text        NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
    port      integer     NOT NULL CHECK (port BETWEEN 1 AND 65535),
    tls       text        NOT NULL CHECK (tls IN ('starttls', 'tls', 'none')),
    username  text        NOT NULL CHECK (length(username) BETWEEN 1 AND 254),
    password  bytea       NOT NULL,
    folder    text        NOT NULL DEFAULT '' CHECK (length(folder) <= 200),
    read_at   timestamptz,
    problem   text        NOT NULL DEFAULT ''
);
SELECT control.protect('mail_mailboxes');

-- What a mail provider signs its messages about bounces with. key is sealed.
CREATE TABLE mail_hooks (
    tenant_id  uuid        PRIMARY KEY,
    key        bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);
SELECT control.protect('mail_hooks');

-- What came back. message_id is of a line of the ledger of reports or of a
-- message of the outbox; address is empty until it is known whose that is. Mail
-- that comes by itself is not sent to an address with a row that is lasting and
-- not cleared.
CREATE TABLE mail_bounces (
    tenant_id  uuid        NOT NULL,
    bounce_id  uuid        NOT NULL,
    message_id uuid,
    address    text        NOT NULL DEFAULT '' CHECK (length(address) <= 254),
    kind       text        NOT NULL CHECK (kind IN ('bounce', 'complaint')),
    lasting    boolean     NOT NULL,
    status     text        NOT NULL DEFAULT '',
    reason     text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, bounce_id)
);
CREATE UNIQUE INDEX mail_bounces_message_idx ON mail_bounces (tenant_id, message_id, kind) WHERE message_id IS NOT NULL;
CREATE UNIQUE INDEX mail_bounces_address_idx ON mail_bounces (tenant_id, lower(address), kind) WHERE message_id IS NULL AND cleared_at IS NULL;
CREATE INDEX mail_bounces_lasting_idx ON mail_bounces (tenant_id, lower(address)) WHERE lasting AND cleared_at IS NULL;
CREATE INDEX mail_bounces_newest_idx ON mail_bounces (tenant_id, at DESC);
SELECT control.protect('mail_bounces');

-- A line of the ledger that came back, and when its owner was last told of such.
ALTER TABLE report_deliveries ADD COLUMN bounced_at timestamptz;
ALTER TABLE report_runs ADD COLUMN bounces_told_at timestamptz;

-- Messages of the outbox come back, too, and some go out under the name of who
-- they speak for: a portal.
ALTER TABLE delivery_messages ADD COLUMN from_name text NOT NULL DEFAULT '';
ALTER TABLE delivery_messages DROP CONSTRAINT delivery_messages_state_check;
ALTER TABLE delivery_messages ADD CONSTRAINT delivery_messages_state_check CHECK (state IN ('pending', 'sent', 'failed', 'bounced'));
