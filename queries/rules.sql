-- Rules of datasets, and the attributes that they compare with.

-- MemberAttributes are a person's own.
-- name: MemberAttributes :many
SELECT a.name, a.vals FROM member_attributes a WHERE a.tenant_id = @tenant_id AND a.user_id = @user_id ORDER BY a.name;

-- MemberAttributesClear takes all of a person's own away.
-- name: MemberAttributesClear :exec
DELETE FROM member_attributes WHERE tenant_id = @tenant_id AND user_id = @user_id;

-- MemberAttributeInsert adds one, where the person is of the workspace.
-- name: MemberAttributeInsert :execrows
INSERT INTO member_attributes (tenant_id, user_id, name, vals)
SELECT u.tenant_id, u.user_id, @name, @vals FROM users u WHERE u.tenant_id = @tenant_id AND u.user_id = @user_id AND u.removed_at IS NULL;

-- GroupAttributes are those of a group.
-- name: GroupAttributes :many
SELECT a.name, a.vals FROM group_attributes a WHERE a.tenant_id = @tenant_id AND a.group_id = @group_id ORDER BY a.name;

-- GroupAttributesClear takes all of a group's away.
-- name: GroupAttributesClear :exec
DELETE FROM group_attributes WHERE tenant_id = @tenant_id AND group_id = @group_id;

-- GroupAttributeInsert adds one.
-- name: GroupAttributeInsert :execrows
INSERT INTO group_attributes (tenant_id, group_id, name, vals)
SELECT g.tenant_id, g.group_id, @name, @vals FROM user_groups g WHERE g.tenant_id = @tenant_id AND g.group_id = @group_id;

-- AttributeNames are all that somebody or a group has.
-- name: AttributeNames :many
SELECT a.name FROM member_attributes a WHERE a.tenant_id = @tenant_id
UNION SELECT g.name FROM group_attributes g WHERE g.tenant_id = @tenant_id
ORDER BY 1 LIMIT 200;

-- RuleList are the rules of a dataset by name; without one, of all datasets.
-- name: RuleList :many
SELECT r.rule_id, r.dataset_id, r.kind, r.name, r.rule, r.everybody
FROM dataset_rules r
WHERE r.tenant_id = @tenant_id AND (sqlc.narg(dataset_id)::uuid IS NULL OR r.dataset_id = sqlc.narg(dataset_id)::uuid)
ORDER BY r.dataset_id, r.kind, lower(r.name), r.rule_id;

-- RuleSubjectList says whom these rules are for, and whom they except.
-- name: RuleSubjectList :many
SELECT s.rule_id, s.excepted, s.user_id, s.group_id, s.role,
       COALESCE(NULLIF(u.name, ''), u.email, g.name, '')::text AS name
FROM dataset_rule_subjects s
JOIN dataset_rules r ON r.tenant_id = s.tenant_id AND r.rule_id = s.rule_id
LEFT JOIN users u ON u.tenant_id = s.tenant_id AND u.user_id = s.user_id
LEFT JOIN user_groups g ON g.tenant_id = s.tenant_id AND g.group_id = s.group_id
WHERE s.tenant_id = @tenant_id AND (sqlc.narg(dataset_id)::uuid IS NULL OR r.dataset_id = sqlc.narg(dataset_id)::uuid)
ORDER BY s.rule_id, s.excepted, s.subject_id;

-- RuleSave adds or replaces a rule.
-- name: RuleSave :execrows
INSERT INTO dataset_rules AS r (tenant_id, rule_id, dataset_id, kind, name, rule, everybody, created_at)
VALUES (@tenant_id, @rule_id, @dataset_id, @kind, @name, @rule, @everybody, @now)
ON CONFLICT (tenant_id, rule_id) DO UPDATE SET kind = EXCLUDED.kind, name = EXCLUDED.name, rule = EXCLUDED.rule, everybody = EXCLUDED.everybody
WHERE r.dataset_id = EXCLUDED.dataset_id;

-- RuleSubjectsClear takes all subjects of a rule away.
-- name: RuleSubjectsClear :exec
DELETE FROM dataset_rule_subjects WHERE tenant_id = @tenant_id AND rule_id = @rule_id;

-- RuleSubjectInsert adds one.
-- name: RuleSubjectInsert :exec
INSERT INTO dataset_rule_subjects (tenant_id, rule_id, excepted, user_id, group_id, role, subject_id)
VALUES (@tenant_id, @rule_id, @excepted, sqlc.narg(user_id), sqlc.narg(group_id), sqlc.narg(role), @subject_id);

-- RuleDelete removes a rule.
-- name: RuleDelete :execrows
DELETE FROM dataset_rules WHERE tenant_id = @tenant_id AND dataset_id = @dataset_id AND rule_id = @rule_id;

-- MaskSecret is what the tenant's pseudonyms are made with.
-- name: MaskSecret :one
SELECT mask_secret FROM tenants WHERE tenant_id = @tenant_id;
