package tenants

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
)

// Attributes are what rules on rows compare with: several values by name.
type Attributes map[string][]string

// Limits of attributes.
const (
	maxAttributes     = 50
	maxAttributeVals  = 200
	maxAttributeChars = 300
)

// ErrAttributes says what is wrong with attributes.
var ErrAttributes = apperr.Define(apperr.Invalid, "tenants.attributes_invalid",
	"An attribute has a name of small letters, digits, dots, hyphens and underscores, and at least one value.")

var attributeName = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,59}$`)

// AttributesOf reads what the database says a person has. Text that can't be
// read is no attribute at all: rules then let nothing through.
func AttributesOf(stored json.RawMessage) map[string][]string {
	var attributes map[string][]string
	if json.Unmarshal(stored, &attributes) != nil {
		return nil
	}
	return attributes
}

// ParseAttributes reads attributes as people write them, a name a line:
// "region: EMEA, APAC", or with an equals sign as a schedule has them.
//
// Errors: tenants.attributes_invalid.
func ParseAttributes(text string) (Attributes, error) {
	a := Attributes{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, values := line, ""
		if at := strings.IndexAny(line, ":="); at >= 0 {
			name, values = line[:at], line[at+1:]
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if strings.Trim(values, " \t,") == "" {
			return nil, ErrAttributes.With("“%.80s” has no value. Write a name, a colon and the values.", name)
		}
		for v := range strings.SplitSeq(values, ",") {
			a[name] = append(a[name], strings.TrimSpace(v))
		}
	}
	return a.Clean()
}

// Lines is the text that ParseAttributes reads, by name.
func (a Attributes) Lines() string {
	lines := make([]string, 0, len(a))
	for _, name := range slices.Sorted(maps.Keys(a)) {
		lines = append(lines, name+": "+strings.Join(a[name], ", "))
	}
	return strings.Join(lines, "\n")
}

// Clean checks attributes and drops repeated and empty values. Names are
// written small.
//
// Errors: tenants.attributes_invalid.
func (a Attributes) Clean() (Attributes, error) {
	kept := Attributes{}
	for name, values := range a {
		name = strings.ToLower(strings.TrimSpace(name))
		if !attributeName.MatchString(name) {
			return nil, ErrAttributes.With("“%.80s” is no name of an attribute. It has small letters, digits, dots, hyphens and underscores, and begins with a letter.", name)
		}
		for _, v := range values {
			v = strings.TrimSpace(v)
			if v == "" || slices.Contains(kept[name], v) {
				continue
			}
			if !utf8.ValidString(v) || utf8.RuneCountInString(v) > maxAttributeChars || strings.IndexFunc(v, unicode.IsControl) >= 0 {
				return nil, ErrAttributes.With("A value of “%s” is too long: it has at most %d characters.", name, maxAttributeChars)
			}
			kept[name] = append(kept[name], v)
		}
		if len(kept[name]) > maxAttributeVals {
			return nil, ErrAttributes.With("“%s” has more than %d values.", name, maxAttributeVals)
		}
	}
	if len(kept) > maxAttributes {
		return nil, ErrAttributes.With("At most %d attributes are possible.", maxAttributes)
	}
	return kept, nil
}

// SetAttributes gives a person exactly these attributes, in a transaction of
// the caller's: a page, or a sign-in whose identity provider says them. The
// caller has checked that the actor may.
//
// Errors: tenants.attributes_invalid, tenants.member_not_found.
func SetAttributes(ctx context.Context, tx *db.Tx, actor access.Actor, user ids.User, attributes Attributes) error {
	kept, err := attributes.Clean()
	if err != nil {
		return err
	}
	before, err := memberAttributes(ctx, tx, user)
	if err != nil {
		return err
	}
	if maps.EqualFunc(before, kept, slices.Equal[[]string]) {
		return nil
	}
	if err := tx.MemberAttributesClear(ctx, tx.TenantID, user.UUID()); err != nil {
		return fmt.Errorf("clear attributes: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		n, err := tx.MemberAttributeInsert(ctx, db.MemberAttributeInsertParams{Name: name, Vals: kept[name], TenantID: tx.TenantID, UserID: user.UUID()})
		if err != nil {
			return fmt.Errorf("set attribute: %w", err)
		}
		if n == 0 {
			return ErrMemberNotFound
		}
	}
	if err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.PeopleChanged, ID: user.UUID()}); err != nil {
		return err
	}
	return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.attributes_set", Target: "user", ID: user.String(),
		Detail: map[string]any{"before": before, "after": kept}})
}

// FollowAttributes gives a person the values of the attributes that are named,
// none where there are none, and leaves their others as they are.
//
// Errors: those of SetAttributes.
func FollowAttributes(ctx context.Context, tx *db.Tx, actor access.Actor, user ids.User, named Attributes) error {
	attributes, err := memberAttributes(ctx, tx, user)
	if err != nil {
		return err
	}
	for name, values := range named {
		delete(attributes, name)
		if len(values) > 0 {
			attributes[name] = values
		}
	}
	return SetAttributes(ctx, tx, actor, user, attributes)
}

func memberAttributes(ctx context.Context, tx *db.Tx, user ids.User) (Attributes, error) {
	rows, err := tx.MemberAttributes(ctx, tx.TenantID, user.UUID())
	if err != nil {
		return nil, fmt.Errorf("read attributes: %w", err)
	}
	attributes := Attributes{}
	for _, r := range rows {
		attributes[r.Name] = r.Vals
	}
	return attributes, nil
}

// ViewAs notes that the actor begins to look at the workspace as somebody does,
// and answers who that is. What lies beyond their
// own role is not shown.
//
// Errors: tenants.member_not_found, tenants.owner_only, tenants.beyond, access.forbidden.
func (s *Service) ViewAs(ctx context.Context, actor access.Actor, user ids.User) (access.Actor, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return access.Actor{}, err
	}
	return s.seenAs(ctx, actor, user, "members.view_as")
}

// InspectRules is ViewAs for one look at what rules hold for somebody.
//
// Errors: as ViewAs.
func (s *Service) InspectRules(ctx context.Context, actor access.Actor, user ids.User) (access.Actor, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return access.Actor{}, err
	}
	return s.seenAs(ctx, actor, user, "members.rules_viewed")
}

func (s *Service) seenAs(ctx context.Context, actor access.Actor, user ids.User, action string) (access.Actor, error) {
	seen, err := s.GetActor(ctx, actor.TenantID, user)
	if err != nil {
		return access.Actor{}, err
	}
	if err := CheckGrant(actor, Role{Standing: seen.Role, Custom: seen.Custom}); err != nil {
		return access.Actor{}, err
	}
	return seen, s.recordView(ctx, actor, action, user)
}

// StopViewAs notes that this ended. Actor is who looked.
func (s *Service) StopViewAs(ctx context.Context, actor access.Actor, user ids.User) error {
	return s.recordView(ctx, actor, "members.view_as_ended", user)
}

func (s *Service) recordView(ctx context.Context, actor access.Actor, action string, user ids.User) error {
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "user", ID: user.String()})
	})
}

// GetMemberName answers what a person is called.
//
// Errors: tenants.member_not_found, access.forbidden.
func (s *Service) GetMemberName(ctx context.Context, actor access.Actor, user ids.User) (name string, err error) {
	name, _, err = s.GetMemberAttributes(ctx, actor, user)
	return name, err
}

// SetMemberAttributes is SetAttributes for a page.
//
// Errors: tenants.attributes_invalid, tenants.member_not_found,
// access.forbidden.
func (s *Service) SetMemberAttributes(ctx context.Context, actor access.Actor, user ids.User, attributes Attributes) error {
	return s.withAttributes(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		return SetAttributes(ctx, tx, actor, user, attributes)
	})
}

// GetMemberAttributes answers a person's own attributes, and their name.
//
// Errors: tenants.member_not_found, access.forbidden.
func (s *Service) GetMemberAttributes(ctx context.Context, actor access.Actor, user ids.User) (name string, attributes Attributes, err error) {
	err = s.withAttributes(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.UserGet(ctx, tx.TenantID, user.UUID())
		if db.IsNoRows(err) {
			return ErrMemberNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read member: %w", err)
		}
		name = cmp.Or(row.Name, row.Email)
		attributes, err = memberAttributes(ctx, tx, user)
		return err
	})
	return name, attributes, err
}

// ListAttributeNames answers the names that somebody or a group has.
//
// Errors: access.forbidden.
func (s *Service) ListAttributeNames(ctx context.Context, actor access.Actor) (names []string, err error) {
	err = s.withAttributes(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		names, err = tx.AttributeNames(ctx, tx.TenantID)
		return err
	})
	return names, err
}

// GetGroupAttributes answers what all members of a group have.
//
// Errors: access.forbidden.
func (s *Service) GetGroupAttributes(ctx context.Context, actor access.Actor, group ids.Group) (attributes Attributes, err error) {
	attributes = Attributes{}
	err = s.withAttributes(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.GroupAttributes(ctx, tx.TenantID, group.UUID())
		if err != nil {
			return fmt.Errorf("read attributes of a group: %w", err)
		}
		for _, r := range rows {
			attributes[r.Name] = r.Vals
		}
		return nil
	})
	return attributes, err
}

// SetGroupAttributes gives a group exactly these attributes.
//
// Errors: tenants.attributes_invalid, tenants.group_not_found,
// access.forbidden.
func (s *Service) SetGroupAttributes(ctx context.Context, actor access.Actor, group ids.Group, attributes Attributes) error {
	kept, err := attributes.Clean()
	if err != nil {
		return err
	}
	return s.withAttributes(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.GroupAttributesClear(ctx, tx.TenantID, group.UUID()); err != nil {
			return fmt.Errorf("clear attributes of a group: %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(kept)) {
			n, err := tx.GroupAttributeInsert(ctx, db.GroupAttributeInsertParams{Name: name, Vals: kept[name], TenantID: tx.TenantID, GroupID: group.UUID()})
			if err != nil {
				return fmt.Errorf("set attribute of a group: %w", err)
			}
			if n == 0 {
				return ErrGroupNotFound
			}
		}
		if err := tx.InsertOutboxEvent(ctx, events.Event{TenantID: tx.TenantID, Kind: events.PeopleChanged, ID: group.UUID()}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "groups.attributes_set", Target: "group", ID: group.String(),
			Detail: map[string]any{"after": kept}})
	})
}

// ErrGroupNotFound also covers a group of another workspace.
var ErrGroupNotFound = apperr.Define(apperr.NotFound, "tenants.group_not_found",
	"This group does not exist or was removed.")

func (s *Service) withAttributes(ctx context.Context, actor access.Actor, work db.Work) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), work)
}
