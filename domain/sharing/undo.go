package sharing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Who shares something with whom stands in the workspace's log, beside what
// people do to dashboards and folders as wholes, and is taken back in turn with
// that.

// deedKind is the kind of these entries.
const deedKind = "share"

// deed is what an entry holds before and after: the grant of a subject, without
// Edit where it has none; or, without a subject, the restriction of the object.
type deed struct {
	Kind       Kind        `json:"kind"`
	User       ids.User    `json:"user,omitzero"`
	Group      ids.Group   `json:"group,omitzero"`
	Role       access.Role `json:"role,omitempty"`
	Edit       *bool       `json:"edit,omitempty"`
	Restricted bool        `json:"restricted,omitempty"`
}

func deedOf(k Kind, to Subject, edit *bool) deed {
	return deed{Kind: k, User: to.User, Group: to.Group, Role: to.Role, Edit: edit}
}

func (d deed) subject() Subject { return Subject{User: d.User, Group: d.Group, Role: d.Role} }

// granted is what a subject may do by its own grant; nil for none.
func granted(ctx context.Context, tx *db.Tx, id uuid.UUID, to Subject) (*bool, error) {
	list, err := grants(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(g Grant) bool { return g.Subject == to })
	if i < 0 {
		return nil, nil
	}
	return &list[i].Edit, nil
}

func logDeed(ctx context.Context, tx *db.Tx, actor access.Actor, id uuid.UUID, before, after deed) error {
	entry := db.WorkspaceOperationInsertParams{TenantID: tx.TenantID, OpID: uuid.Must(uuid.NewV7()), Kind: deedKind, ObjectID: id, Now: time.Now()}
	if user := actor.UserID.UUID(); !actor.UserID.IsZero() {
		entry.UserID = &user
	}
	var err error
	if entry.Before, err = json.Marshal(before); err == nil {
		entry.After, err = json.Marshal(after)
	}
	if err == nil {
		err = tx.WorkspaceOperationInsert(ctx, entry)
	}
	if err != nil {
		return fmt.Errorf("log what was shared: %w", err)
	}
	return nil
}

var errOver = errors.New("it was changed since")

// TakeBack makes a grant or a restriction of the workspace's log what it was
// before. It answers false where that is not possible any more: somebody
// changed it since, or it is not the actor's to share.
//
// Errors: sharing.own_access.
func (s *Service) TakeBack(ctx context.Context, tx *db.Tx, actor access.Actor, id uuid.UUID, left, then json.RawMessage) (bool, error) {
	var from, to deed
	if err := errors.Join(json.Unmarshal(left, &from), json.Unmarshal(then, &to)); err != nil {
		return false, fmt.Errorf("read what was shared: %w", err)
	}
	o := Object{to.Kind, id}
	err := s.changeIn(ctx, tx, actor, o, "sharing.taken_back", map[string]any{"subject": to.subject().ID().String()}, func(ctx context.Context, tx *db.Tx, row shared) error {
		if to.subject().ID() == uuid.Nil {
			if row.restricted != from.Restricted {
				return errOver
			}
			return restrict(ctx, tx, o, to.Restricted)
		}
		now, err := granted(ctx, tx, id, to.subject())
		if err != nil {
			return err
		}
		if (now == nil) != (from.Edit == nil) || now != nil && *now != *from.Edit {
			return errOver
		}
		if !to.Group.IsZero() {
			if _, err := tx.GroupGet(ctx, tx.TenantID, to.Group.UUID()); db.IsNoRows(err) {
				return errOver
			} else if err != nil {
				return fmt.Errorf("read group: %w", err)
			}
		}
		if to.Edit != nil {
			return save(ctx, tx, o, to.subject(), *to.Edit)
		}
		_, err = tx.GrantDelete(ctx, tx.TenantID, id, to.subject().ID())
		return err
	})
	// None of these comes after something was written, nor from the database.
	for _, gone := range []error{errOver, ErrNotFound, ErrSubject, access.ErrForbidden, access.ErrHidden, access.ErrViewOnly} {
		if errors.Is(err, gone) {
			return false, nil
		}
	}
	return err == nil, err
}
