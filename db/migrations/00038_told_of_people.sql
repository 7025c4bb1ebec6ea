-- Features of the server hear of members and of deleted dashboards, too. The index
-- of 00027 goes once no release uses it.
-- +goose Up
CREATE INDEX outbox_unheard_idx ON control.outbox (tell_after, seq)
    WHERE told_at IS NULL AND kind IN ('dataset.changed', 'dashboard.deleted', 'member.changed');
