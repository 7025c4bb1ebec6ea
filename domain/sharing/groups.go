package sharing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// Group is people who are shared with at once.
type Group struct {
	ID      ids.Group
	Name    string
	Members int
}

// GroupPerson is somebody of the workspace who is in a group, or could be.
type GroupPerson struct {
	Person
	Role   access.Role
	Member bool
}

// ListGroups lists the groups of the workspace by name.
//
// Errors: access.forbidden.
func (s *Service) ListGroups(ctx context.Context, actor access.Actor) ([]Group, error) {
	var list []Group
	err := s.groups(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.GroupList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		for _, r := range rows {
			list = append(list, Group{ID: ids.Group(r.GroupID), Name: r.Name, Members: int(r.Members)})
		}
		return nil
	})
	return list, err
}

// GetGroup reads a group and the people of the workspace, members or not.
//
// Errors: sharing.group_not_found, access.forbidden.
func (s *Service) GetGroup(ctx context.Context, actor access.Actor, id ids.Group) (group Group, people []GroupPerson, err error) {
	err = s.groups(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.GroupGet(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrGroupNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read group: %w", err)
		}
		rows, err := tx.GroupMembers(ctx, id.UUID(), tx.TenantID)
		if err != nil {
			return fmt.Errorf("list members of a group: %w", err)
		}
		group = Group{ID: id, Name: row.Name}
		for _, r := range rows {
			people = append(people, GroupPerson{Person: Person{ID: ids.User(r.UserID), Name: r.Name, Email: r.Email}, Role: access.Role(r.Role), Member: r.Member})
			if r.Member {
				group.Members++
			}
		}
		return nil
	})
	return group, people, err
}

// CreateGroup adds a group without members.
//
// Errors: sharing.group_name_invalid, sharing.group_name_taken,
// access.forbidden.
func (s *Service) CreateGroup(ctx context.Context, actor access.Actor, name string) (Group, error) {
	g := Group{ID: ids.New[ids.Group]()}
	var err error
	if g.Name, err = cleanGroup(name); err != nil {
		return Group{}, err
	}
	err = s.groups(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		err := tx.GroupInsert(ctx, db.GroupInsertParams{TenantID: tx.TenantID, GroupID: g.ID.UUID(), Name: g.Name, Now: time.Now()})
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrGroupTaken.WithFields(map[string]string{"name": ErrGroupTaken.Sentence()})
		}
		if err != nil {
			return fmt.Errorf("add group: %w", err)
		}
		return recordGroup(ctx, tx, actor, "group.create", g.ID, map[string]any{"name": g.Name})
	})
	return g, err
}

// SaveGroup gives a group a name and exactly these members. People who are not
// of the workspace are left out.
//
// Errors: sharing.group_not_found, sharing.group_name_invalid,
// sharing.group_name_taken, access.forbidden.
func (s *Service) SaveGroup(ctx context.Context, actor access.Actor, id ids.Group, name string, members []ids.User) error {
	name, err := cleanGroup(name)
	if err != nil {
		return err
	}
	return s.groups(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.GroupRename(ctx, name, tx.TenantID, id.UUID())
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrGroupTaken.WithFields(map[string]string{"name": ErrGroupTaken.Sentence()})
		}
		if err != nil {
			return fmt.Errorf("rename group: %w", err)
		}
		if n == 0 {
			return ErrGroupNotFound
		}
		users := make([]uuid.UUID, len(members))
		for i, m := range members {
			users[i] = m.UUID()
		}
		if err := tx.GroupSetMembers(ctx, id.UUID(), tx.TenantID, users); err != nil {
			return fmt.Errorf("set members of a group: %w", err)
		}
		return recordGroup(ctx, tx, actor, "group.save", id, map[string]any{"name": name, "members": len(members)})
	})
}

// DeleteGroup removes a group, and with it what was shared with it.
//
// Errors: sharing.group_not_found, sharing.group_ruled, access.forbidden.
func (s *Service) DeleteGroup(ctx context.Context, actor access.Actor, id ids.Group) error {
	return s.groups(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.GroupDelete(ctx, tx.TenantID, id.UUID())
		if db.IsForeignKeyViolation(err) {
			return ErrGroupRuled
		}
		if err != nil {
			return fmt.Errorf("delete group: %w", err)
		}
		if n == 0 {
			return ErrGroupNotFound
		}
		return recordGroup(ctx, tx, actor, "group.delete", id, nil)
	})
}

func (s *Service) groups(ctx context.Context, actor access.Actor, work func(context.Context, *db.Tx) error) error {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return err
	}
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), work)
}

func recordGroup(ctx context.Context, tx *db.Tx, actor access.Actor, action string, id ids.Group, detail map[string]any) error {
	return audit.Record(ctx, tx, actor, audit.Entry{Action: action, Target: "group", ID: id.String(), Detail: detail})
}

func cleanGroup(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if problem := plaintext.Problem(name, 80, ErrGroupName.Sentence()); problem != "" {
		return "", ErrGroupName.WithFields(map[string]string{"name": problem})
	}
	return name, nil
}

func isKind(err, kind error) bool { return err != nil && errors.Is(err, kind) }
