// Package audit keeps who did what. An entry is written by the transaction
// that does it: there is no change without its entry, and no entry for a
// change that was rolled back.
package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Entry is one thing that was done.
type Entry struct {
	Action string         // "<feature>.<verb>", such as "members.role_changed"
	Target string         // kind of what it was done to: "dashboard"
	ID     string         // its id
	Detail map[string]any // never a secret
}

// Record writes an entry in tx. The actor's tenant is that of the entry.
func Record(ctx context.Context, tx *db.Tx, actor access.Actor, e Entry) error {
	detail := []byte("{}")
	if len(e.Detail) > 0 {
		var err error
		if detail, err = json.Marshal(e.Detail); err != nil {
			return fmt.Errorf("encode audit detail of %s: %w", e.Action, err)
		}
	}
	var user *uuid.UUID
	if !actor.UserID.IsZero() {
		id := actor.UserID.UUID()
		user = &id
	}
	err := tx.AuditInsert(ctx, db.AuditInsertParams{
		TenantID: actor.TenantID.UUID(), AuditID: ids.New[uuid.UUID](), ActorKind: string(actor.Kind), UserID: user,
		Action: e.Action, TargetKind: e.Target, TargetID: e.ID, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("record %s: %w", e.Action, err)
	}
	return nil
}
