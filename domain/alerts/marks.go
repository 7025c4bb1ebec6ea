package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Mark is an alert on a widget of a dashboard, for the widget itself.
type Mark struct {
	Alert  ids.Alert
	Widget string
	Name   string
	State  State
	At     []time.Time // when it fired, newest first: starts of periods on the wall clock
}

// ListMarks reads the alerts on a dashboard's widgets that are the actor's or
// tell them, or all for who manages the workspace; of those only such that
// measure the rows which the actor sees. That the actor may see the dashboard
// is for the caller to check.
//
// Errors: access.forbidden.
func (s *Service) ListMarks(ctx context.Context, actor access.Actor, dashboard ids.Dashboard) ([]Mark, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var person *uuid.UUID
	if !seesAll(actor) {
		person = new(actor.UserID.UUID())
	}
	var rows []db.AlertMarksRow
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.AlertMarks(ctx, tx.TenantID, optional(dashboard), person)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list marks: %w", err)
	}
	var list []Mark
	places := map[uuid.UUID]int{} // in list; -1 for those that are left out
	for _, row := range rows {
		place, known := places[row.AlertID]
		if !known {
			place = -1
			same := row.OwnerID == actor.UserID.UUID()
			if !same {
				var w Watch
				if err := json.Unmarshal(row.Watch, &w); err != nil {
					return nil, fmt.Errorf("read alert %s: %w", row.AlertID, err)
				}
				owner, err := s.ownerOf(ctx, actor.TenantID, ids.User(row.OwnerID))
				same = err == nil && s.sight(ctx, actor, &w) == s.sight(ctx, owner, &w)
			}
			if same {
				place = len(list)
				list = append(list, Mark{Alert: ids.Alert(row.AlertID), Widget: row.WidgetID, Name: row.Name, State: State(row.State)})
			}
			places[row.AlertID] = place
		}
		if place < 0 || row.At == nil {
			continue
		}
		at := row.At.UTC()
		if row.Period != nil {
			at = row.Period.UTC()
		}
		list[place].At = append(list[place].At, at)
	}
	return list, nil
}
