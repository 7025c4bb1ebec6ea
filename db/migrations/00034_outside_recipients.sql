-- Reports go to visitors of portals and groups of them, and to addresses with
-- attributes that the owner fixed; visitors schedule mail for themselves.
-- +goose Up

-- visitor_address stays when the visitor is removed, so that the ledger can say
-- so. A row of a group alone is the group; one of a visitor and a group is
-- somebody who gets the report as one of the group, with what they chose.
-- attributes are what rules on rows compare with for an address: null for none, so
-- that it gets what the owner sees.
ALTER TABLE report_recipients
    ADD COLUMN visitor_id      uuid,
    ADD COLUMN visitor_address text  NOT NULL DEFAULT '',
    ADD COLUMN portal_group_id uuid,
    ADD COLUMN attributes      jsonb,
    ADD CONSTRAINT report_recipients_attributes_check CHECK (attributes IS NULL OR address <> ''),
    ADD FOREIGN KEY (tenant_id, visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE SET NULL (visitor_id),
    ADD FOREIGN KEY (tenant_id, portal_group_id) REFERENCES portal_groups (tenant_id, group_id) ON DELETE CASCADE,
    DROP CONSTRAINT report_recipients_check;
ALTER TABLE report_recipients ADD CONSTRAINT report_recipients_check CHECK (
    (user_id IS NOT NULL)::integer + (address <> '')::integer + (channel_id IS NOT NULL)::integer
        + (visitor_address <> '' OR portal_group_id IS NOT NULL)::integer = 1
    AND (visitor_id IS NULL OR visitor_address <> ''));
CREATE UNIQUE INDEX report_recipients_visitor_idx ON report_recipients (tenant_id, schedule_id, visitor_id) WHERE visitor_id IS NOT NULL;
CREATE UNIQUE INDEX report_recipients_group_idx ON report_recipients (tenant_id, schedule_id, portal_group_id) WHERE portal_group_id IS NOT NULL AND visitor_address = '';
CREATE INDEX report_recipients_visiting_idx ON report_recipients (tenant_id, visitor_id) WHERE visitor_id IS NOT NULL;
CREATE INDEX report_recipients_of_group_idx ON report_recipients (tenant_id, portal_group_id) WHERE portal_group_id IS NOT NULL;

-- visiting tells that a line is for a visitor, who may be gone. The same address
-- may be that of a member and of visitors of several portals.
ALTER TABLE report_deliveries
    ADD COLUMN visitor_id uuid,
    ADD COLUMN visiting   boolean NOT NULL DEFAULT false,
    ADD COLUMN attributes jsonb,
    ADD CONSTRAINT report_deliveries_visiting_check CHECK (visitor_id IS NULL OR visiting),
    ADD FOREIGN KEY (tenant_id, visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE SET NULL (visitor_id);
DROP INDEX report_deliveries_once_idx;
CREATE UNIQUE INDEX report_deliveries_once_idx ON report_deliveries (tenant_id, run_id, lower(address)) WHERE NOT visiting;
CREATE UNIQUE INDEX report_deliveries_visitor_idx ON report_deliveries (tenant_id, run_id, visitor_id) WHERE visitor_id IS NOT NULL;
CREATE INDEX report_deliveries_visiting_idx ON report_deliveries (tenant_id, visitor_id) WHERE visitor_id IS NOT NULL;

-- A schedule is a member's or a visitor's. One that has neither is its visitor's
-- who was removed, and goes with its files.
ALTER TABLE report_schedules
    ALTER COLUMN owner_id DROP NOT NULL,
    ADD COLUMN owner_visitor_id uuid,
    ADD CONSTRAINT report_schedules_owner_check CHECK (owner_id IS NULL OR owner_visitor_id IS NULL),
    ADD FOREIGN KEY (tenant_id, owner_visitor_id) REFERENCES portal_visitors (tenant_id, visitor_id) ON DELETE SET NULL (owner_visitor_id),
    DROP CONSTRAINT report_schedules_paused_why_check,
    ADD CONSTRAINT report_schedules_paused_why_check CHECK (paused_why IN ('', 'person', 'owner_left', 'dashboard_gone', 'portal_off'));
CREATE INDEX report_schedules_visitor_idx ON report_schedules (tenant_id, owner_visitor_id) WHERE owner_visitor_id IS NOT NULL;

-- Visitors may schedule mail, where they may download.
ALTER TABLE portals ADD COLUMN schedules boolean NOT NULL DEFAULT true;

-- Whose role lets them schedule reports could send them outside until now.
ALTER TABLE custom_roles DROP CONSTRAINT custom_roles_permissions_check;
ALTER TABLE custom_roles ADD CONSTRAINT custom_roles_permissions_check CHECK ('content.view' = ANY (permissions) AND permissions <@ ARRAY['content.view', 'content.edit',
    'reports.send_outside', 'data.manage', 'members.manage', 'workspace.manage', 'portals.manage', 'embedding.manage', 'audit.view']);
ALTER TABLE custom_roles NO FORCE ROW LEVEL SECURITY;
UPDATE custom_roles SET permissions = array_append(permissions, 'reports.send_outside') WHERE 'content.edit' = ANY (permissions);
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE custom_roles FORCE ROW LEVEL SECURITY;
