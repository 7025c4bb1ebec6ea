package access

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Object is how a folder, dashboard or dataset is shared: the subjects that may
// see it and those that may change it. Nil lists are everybody, as far as their
// role goes; the zero Object is shared with the whole workspace. The lists are
// derived by the database, from grants, owner and folder.
type Object struct {
	ID               uuid.UUID // what a Visitor's scope names
	Readers, Writers []uuid.UUID
}

// A subject is whom something can be shared with: a person, a group, or all
// whose role is at least Viewer or Editor. These two are the ids of the roles.
var (
	Viewers = uuid.UUID{15: 1} // everybody in the workspace
	Editors = uuid.UUID{15: 2}
	// Admins are named by rules only: nothing has to be shared with them.
	Admins = uuid.UUID{15: 3}
	// outside marks the subjects of a visitor, for whom nothing is shared with
	// everybody. The database knows it as access_outside.
	outside = uuid.UUID{15: 4}
)

// What is wrong with an object.
var (
	// ErrHidden never reaches anybody: services answer that there is no such thing.
	ErrHidden = apperr.Define(apperr.NotFound, "access.hidden",
		"This does not exist or was removed.")
	ErrViewOnly = apperr.Define(apperr.Forbidden, "access.view_only",
		"You can view this, but not change it. Ask its owner, or an admin of the workspace, to share it with you for editing.")
)

// Subjects are what the actor counts as when lists of readers and writers are
// looked through; nil for who sees everything.
func (a Actor) Subjects() []uuid.UUID {
	if a.IsOutside() {
		return append([]uuid.UUID{outside}, a.Scope...)
	}
	if a.Kind != Person && a.Kind != Key || a.Role == Owner || a.Role == Admin {
		return nil
	}
	list := make([]uuid.UUID, 0, 3+len(a.Groups))
	list = a.named(list)
	switch a.Role {
	case Editor:
		list = append(list, Viewers, Editors)
	case Viewer:
		list = append(list, Viewers)
	}
	for _, g := range a.Groups {
		list = append(list, g.UUID())
	}
	return list
}

// Identities are all that the actor counts as, whatever their role lets them
// see: what rules look for. A visitor is held to what viewers are; the console
// and the system are nobody.
func (a Actor) Identities() []uuid.UUID {
	switch a.Kind {
	case Visitor, Program:
		return []uuid.UUID{outside, Viewers}
	case Console, System:
		return nil
	}
	list := make([]uuid.UUID, 0, 4+len(a.Groups))
	list = a.named(list)
	switch a.Role {
	case Owner, Admin:
		list = append(list, Viewers, Editors, Admins)
	case Editor:
		list = append(list, Viewers, Editors)
	case Viewer:
		list = append(list, Viewers)
	}
	for _, g := range a.Groups {
		list = append(list, g.UUID())
	}
	return list
}

// named adds what the actor is called by themselves: of a key, that is nothing.
func (a Actor) named(list []uuid.UUID) []uuid.UUID {
	if a.Kind == Key {
		return list
	}
	return append(list, a.UserID.UUID())
}

// Mark tells apart people who may see other things, as far as groups and
// attributes decide it. What is kept for one person and not under an epoch has
// it in its key.
func (a Actor) Mark() string {
	text, _ := json.Marshal([]any{a.Role, a.Custom, a.Groups, a.Attributes, a.Locked, a.Fixed}) // texts and ids always encode
	return string(text)
}

// admits tells whether one of the subjects is in a list. Nil lists and nil
// subjects are everybody.
func (Object) admits(list, subjects []uuid.UUID) bool {
	return list == nil || subjects == nil || slices.ContainsFunc(subjects, func(s uuid.UUID) bool { return slices.Contains(list, s) })
}
