package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

// EvaluateOptions are for the binding of EvaluateArgs.
var EvaluateOptions = jobs.Options{Timeout: 10 * time.Minute, MaxAttempts: 5, Backoff: 2 * time.Second, MaxBackoff: time.Minute}

// EvaluateArgs asks for the alerts on a dataset to be evaluated or, without
// one, those that are due by the clock. Idempotent: what is evaluated twice
// comes to the same.
type EvaluateArgs struct {
	Dataset ids.Dataset `json:"dataset,omitzero"`
}

// Kind names the job.
func (EvaluateArgs) Kind() string { return "alerts:evaluate" }

// PruneArgs asks for old history of the job's tenant to be forgotten.
type PruneArgs struct{}

// Kind names the job.
func (PruneArgs) Kind() string { return "alerts:prune" }

// DataChanged has the alerts on a dataset evaluated. It is told of every
// change, before the event counts as published.
func (s *Service) DataChanged(ctx context.Context, tenant ids.Tenant, dataset ids.Dataset) error {
	return s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		watched, err := tx.AlertWatches(ctx, tx.TenantID, dataset.UUID())
		if err != nil {
			return fmt.Errorf("find alerts: %w", err)
		}
		if !watched {
			return nil
		}
		_, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: EvaluateArgs{Dataset: dataset}, RunAt: s.now().Add(settleFor), UniqueKey: dataset.String()})
		return err
	})
}

// arm asks for an evaluation at the next moment that one is due by the clock.
// Jobs that come at other moments do nothing.
func (s *Service) arm(ctx context.Context, tx *db.Tx) error {
	next, err := tx.AlertNext(ctx, tx.TenantID)
	if err != nil {
		return fmt.Errorf("find the next alert: %w", err)
	}
	if !next.IsAny {
		return nil
	}
	at := next.NextAt
	if soon := s.now().Add(time.Second); at.Before(soon) {
		at = soon
	}
	_, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: EvaluateArgs{}, RunAt: at, UniqueKey: at.UTC().Truncate(time.Second).Format(time.RFC3339)})
	return err
}

// one is an alert under evaluation.
type one struct {
	id        uuid.UUID
	owner     uuid.UUID
	dataset   ids.Dataset
	dashboard *uuid.UUID
	name      string
	revision  int64
	watch     Watch
	condition Condition
	manner    Manner

	actor   access.Actor
	asking  asking
	version int64              // of the dataset that was asked
	sees    map[uuid.UUID]bool // recipients who see the rows that the owner sees
}

// RunEvaluate evaluates alerts. Owners who left pause theirs; another attempt
// mends what is wrong for the moment.
func (s *Service) RunEvaluate(ctx context.Context, job jobs.Job[EvaluateArgs]) error {
	if err := s.evaluate(ctx, job.TenantID, job.Args.Dataset, job.Last()); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if err := s.arm(ctx, tx); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// commitTogether is how many alerts one transaction writes.
const commitTogether = 250

func (s *Service) evaluate(ctx context.Context, tenant uuid.UUID, dataset ids.Dataset, last bool) error {
	var rows []db.AlertListToEvaluateRow
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.AlertListToEvaluate(ctx, tx.TenantID, optional(dataset), s.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("list alerts: %w", err)
	}
	list := make([]*one, 0, len(rows))
	owners := map[uuid.UUID]access.Actor{}
	left := map[uuid.UUID]bool{}
	snapshots := map[string]datasets.Snapshot{}
	for _, row := range rows {
		o := &one{id: row.AlertID, owner: row.OwnerID, dataset: ids.Dataset(row.DatasetID), dashboard: row.DashboardID, name: row.Name, revision: row.Revision}
		if err := errors.Join(json.Unmarshal(row.Watch, &o.watch), json.Unmarshal(row.Condition, &o.condition), json.Unmarshal(row.Manner, &o.manner)); err != nil {
			return jobs.Permanent(fmt.Errorf("read alert %s: %w", o.id, err))
		}
		actor, known := owners[row.OwnerID]
		if !known && !left[row.OwnerID] {
			actor, err = s.ownerOf(ctx, ids.Tenant(tenant), ids.User(row.OwnerID))
			switch {
			case errors.Is(err, errOwnerLeft):
				left[row.OwnerID] = true
			case err != nil:
				return err
			}
			owners[row.OwnerID] = actor
		}
		if left[row.OwnerID] {
			if err := s.pauseOrphan(ctx, tenant, o); err != nil {
				return err
			}
			continue
		}
		o.actor = actor
		o.asking = asking{actor: actor, watch: &o.watch, past: o.condition.past()}
		key := actor.UserID.String()
		if _, has := snapshots[key].Version(o.dataset); !has {
			snapshot, err := s.deps.Datasets.Snapshot(ctx, actor, []ids.Dataset{o.dataset})
			if err != nil {
				o.asking.err = err
			} else {
				snapshots[key] = snapshots[key].Merge(snapshot)
			}
		}
		o.version, _ = snapshots[key].Version(o.dataset)
		list = append(list, o)
	}
	var asked []*asking
	for _, o := range list {
		if o.asking.err == nil && o.condition.Kind != Stale {
			asked = append(asked, &o.asking)
		}
	}
	if err := s.measure(ctx, asked, snapshots); err != nil {
		return err
	}
	for _, o := range list {
		if o.asking.err == nil && o.condition.Kind == Stale {
			o.asking.out, o.asking.err = s.ages(ctx, o.actor, &o.watch, snapshots[o.actor.UserID.String()])
		}
		if err := o.asking.err; err != nil && apperr.Passes(err) && !last {
			return err
		}
	}
	for part := range slices.Chunk(list, commitTogether) {
		if err := s.lookAround(ctx, tenant, part); err != nil {
			return err
		}
		if err := s.commit(ctx, tenant, part); err != nil {
			return err
		}
	}
	return nil
}

// batch is what a transaction writes of many alerts at once.
type batch struct {
	evaluated db.AlertSetEvaluatedParams
	states    db.AlertStatePutParams
}

var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // written for no time

func orNever(t time.Time) time.Time {
	if t.IsZero() {
		return never
	}
	return t
}

// commit moves the groups of alerts on, and writes what is to be told, in one
// transaction. Of two evaluations that overlap the one with newer data counts.
func (s *Service) commit(ctx context.Context, tenant uuid.UUID, list []*one) error {
	keys := make([]uuid.UUID, len(list))
	for i, o := range list {
		keys[i] = o.id
	}
	return s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		locked, err := tx.AlertLock(ctx, tx.TenantID, keys)
		if err != nil {
			return fmt.Errorf("lock alerts: %w", err)
		}
		rows := map[uuid.UUID]db.AlertLockRow{}
		for _, row := range locked {
			rows[row.AlertID] = row
		}
		states, err := tx.AlertStateList(ctx, tx.TenantID, keys)
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		groups := map[uuid.UUID]map[string]db.AlertStateListRow{}
		for _, row := range states {
			if groups[row.AlertID] == nil {
				groups[row.AlertID] = map[string]db.AlertStateListRow{}
			}
			groups[row.AlertID][row.GroupKey] = row
		}
		now := s.now()
		b := &batch{evaluated: db.AlertSetEvaluatedParams{TenantID: tx.TenantID, Now: now}, states: db.AlertStatePutParams{TenantID: tx.TenantID}}
		for _, o := range list {
			row, there := rows[o.id]
			if !there || row.PausedAt != nil || row.Revision != o.revision || row.EvaluatedVersion > o.version && o.asking.err == nil {
				continue
			}
			if err := s.advance(ctx, tx, b, o, row, groups[o.id], now); err != nil {
				return err
			}
		}
		if len(b.states.Alerts) > 0 {
			if err := tx.AlertStatePut(ctx, b.states); err != nil {
				return fmt.Errorf("write groups: %w", err)
			}
		}
		if len(b.evaluated.Alerts) > 0 {
			if err := tx.AlertSetEvaluated(ctx, b.evaluated); err != nil {
				return fmt.Errorf("write alerts: %w", err)
			}
		}
		return nil
	})
}

// moved is a group whose change is told.
type moved struct {
	escalated bool // those of the escalation know that it fired
	labels    []string
	reading   Reading
	period    time.Time
	to        State
}

// advance moves one alert on.
func (s *Service) advance(ctx context.Context, tx *db.Tx, b *batch, o *one, row db.AlertLockRow, before map[string]db.AlertStateListRow, now time.Time) error {
	silent := o.manner.mutedUntil(now)
	if row.SnoozedUntil != nil && row.SnoozedUntil.After(now) && row.SnoozedUntil.After(silent) {
		silent = *row.SnoozedUntil
	}
	muted := !silent.IsZero()
	var next time.Time
	wake := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if o.manner.EveryMinutes > 0 {
		wake(now.Add(time.Duration(o.manner.EveryMinutes) * time.Minute))
	}
	state, since := State(row.State), row.Since
	record := func(g db.AlertEventInsertParams) error {
		g.TenantID, g.EventID, g.AlertID, g.At = tx.TenantID, ids.New[uuid.UUID](), o.id, now
		if g.Labels == nil {
			g.Labels = []string{}
		}
		if err := tx.AlertEventInsert(ctx, g); err != nil {
			return fmt.Errorf("add to history: %w", err)
		}
		return nil
	}
	evaluated := func(to State, firing, count int, code, text string) {
		if to != state {
			state, since = to, now
		}
		e := &b.evaluated
		e.Alerts, e.States, e.Sinces = append(e.Alerts, o.id), append(e.States, string(state)), append(e.Sinces, since)
		e.Firings, e.GroupCounts = append(e.Firings, int32(firing)), append(e.GroupCounts, int32(count))
		e.ErrorCodes, e.ErrorTexts = append(e.ErrorCodes, code), append(e.ErrorTexts, text)
		e.Versions, e.Nexts = append(e.Versions, o.version), append(e.Nexts, orNever(next))
	}
	cause := o.asking.err
	if cause == nil && o.asking.out.more {
		cause = ErrTooManyGroups
	}
	if cause != nil {
		public := apperr.Describe(cause)
		firing := 0
		for _, g := range before {
			if g.State == string(Firing) {
				firing++
			}
		}
		wake(now.Add(time.Hour)) // it may have been mended by then
		if state != Error {
			if err := record(db.AlertEventInsertParams{Kind: "state", FromState: string(state), ToState: string(Error), Text: public.Sentence, Muted: muted}); err != nil {
				return err
			}
			if err := s.tellPerson(ctx, tx, o, o.owner, Notice{Cause: CauseError, Name: o.name, Label: o.watch.Label, Text: public.Sentence}, now); err != nil {
				return err
			}
		}
		evaluated(Error, firing, len(before), public.Code, public.Sentence)
		return nil
	}
	if state == Error {
		if err := record(db.AlertEventInsertParams{Kind: "state", FromState: string(Error), ToState: string(OK)}); err != nil {
			return err
		}
	}
	a := o.asking.out
	place := 0
	if o.condition.Kind != Stale {
		place = a.current(&o.watch, &o.condition, onWall(now, location(o.watch.Zone)))
	}
	current := slices.Clone(a.groups)
	seen := map[string]bool{}
	for _, g := range current {
		seen[g.key] = true
	}
	for key, g := range before {
		if !seen[key] {
			// A group that has no rows any more.
			values := make([]float64, len(a.at))
			for i := range values {
				if !o.watch.Additive || o.condition.Kind == Stale {
					values[i] = math.NaN()
				}
			}
			current = append(current, series{key: key, labels: g.Labels, values: values})
		}
	}
	var period time.Time
	if place >= 0 && place < len(a.at) {
		period = a.at[place]
	}
	firing, worst := 0, OK
	var told, later, over []moved
	for _, sr := range current {
		old, known := before[sr.key]
		g := group{}
		if known {
			g = group{State: State(old.State), Since: old.Since, BeyondSince: orZero(old.BeyondSince), AckedAt: orZero(old.AckedAt), EscalateAt: orZero(old.EscalateAt), Owed: old.Owed}
		}
		r := o.condition.judge(sr.values, place, o.watch.Grain)
		c := o.manner.step(&g, r, now, muted)
		if c.from != c.to {
			if err := record(db.AlertEventInsertParams{Kind: "state", GroupKey: sr.key, Labels: sr.labels, FromState: string(c.from), ToState: string(c.to),
				Value: orNil(r.Value), Low: orNil(r.Low), High: orNil(r.High), Period: orNilTime(period), Muted: muted && g.Owed}); err != nil {
				return err
			}
		}
		m := moved{labels: sr.labels, reading: r, period: period, to: c.to, escalated: c.escalated}
		if c.tell {
			told = append(told, m)
		} else if c.over && !o.manner.Recovery {
			over = append(over, m)
		}
		if c.escalates {
			later = append(later, m)
			if err := record(db.AlertEventInsertParams{Kind: "escalated", GroupKey: sr.key, Labels: sr.labels, Value: orNil(r.Value)}); err != nil {
				return err
			}
		}
		switch g.State {
		case Firing:
			firing++
			worst = Firing
		case NoData:
			if worst == OK {
				worst = NoData
			}
		}
		if g.State != Firing && !g.BeyondSince.IsZero() {
			wake(g.BeyondSince.Add(time.Duration(o.manner.ForMinutes) * time.Minute))
		}
		if !g.EscalateAt.IsZero() {
			wake(laterOf(g.EscalateAt, silent))
		}
		if g.Owed {
			wake(silent)
		}
		if o.condition.Kind == Stale && g.State != Firing && !math.IsNaN(r.Value) {
			wake(now.Add(max(time.Minute, time.Duration((o.condition.Value-r.Value)*float64(time.Minute))+time.Second)))
		}
		p := &b.states
		labels, _ := json.Marshal(sr.labels) // texts always encode
		if sr.labels == nil {
			labels = []byte("[]")
		}
		p.Alerts, p.Keys, p.Labels, p.States, p.Sinces = append(p.Alerts, o.id), append(p.Keys, sr.key), append(p.Labels, labels), append(p.States, string(g.State)), append(p.Sinces, g.Since)
		p.Beyond, p.Periods, p.Acks, p.Escalations = append(p.Beyond, orNever(g.BeyondSince)), append(p.Periods, orNever(period)), append(p.Acks, orNever(g.AckedAt)), append(p.Escalations, orNever(g.EscalateAt))
		p.Vals, p.Lows, p.Highs, p.Owes = append(p.Vals, r.Value), append(p.Lows, r.Low), append(p.Highs, r.High), append(p.Owes, g.Owed)
	}
	for _, to := range []State{Firing, NoData, OK} {
		var list []moved
		for _, m := range told {
			if m.to == to {
				list = append(list, m)
			}
		}
		if len(list) > 0 {
			later := slices.ContainsFunc(list, func(m moved) bool { return m.escalated })
			if err := s.tell(ctx, tx, o, noticeOf(o, causes[to], list), later, now); err != nil {
				return err
			}
		}
	}
	if len(over) > 0 {
		if err := s.closeIncidents(ctx, tx, o, noticeOf(o, CauseOver, over), now); err != nil {
			return err
		}
	}
	if len(later) > 0 {
		if err := s.tell(ctx, tx, o, noticeOf(o, CauseEscalated, later), true, now); err != nil {
			return err
		}
	}
	evaluated(worst, firing, len(current), "", "")
	return nil
}

// laterOf is the later of two moments.
func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func orNilTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// PeopleChanged pauses the alerts whose owner left: what has no new data would
// look right for ever.
func (s *Service) PeopleChanged(ctx context.Context, tenant ids.Tenant) error {
	var rows []db.AlertListActiveRow
	err := s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = tx.AlertListActive(ctx, tx.TenantID)
		return err
	})
	if err != nil {
		return fmt.Errorf("list alerts: %w", err)
	}
	left := map[uuid.UUID]bool{}
	for _, row := range rows {
		if _, known := left[row.OwnerID]; !known {
			_, err := s.ownerOf(ctx, tenant, ids.User(row.OwnerID))
			if err != nil && !errors.Is(err, errOwnerLeft) {
				return err
			}
			left[row.OwnerID] = err != nil
		}
		if !left[row.OwnerID] {
			continue
		}
		if err := s.pauseOrphan(ctx, tenant.UUID(), &one{id: row.AlertID, owner: row.OwnerID, dataset: ids.Dataset(row.DatasetID), name: row.Name}); err != nil {
			return err
		}
	}
	return nil
}

// pauseOrphan pauses an alert whose owner left and tells the owners of the
// workspace.
func (s *Service) pauseOrphan(ctx context.Context, tenant uuid.UUID, o *one) error {
	return s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		now := s.now()
		n, err := tx.AlertPause(ctx, db.AlertPauseParams{TenantID: tx.TenantID, AlertID: o.id, Why: "owner_left", Now: now})
		if err != nil {
			return fmt.Errorf("pause alert: %w", err)
		}
		if n == 0 {
			return nil
		}
		if err := s.note(ctx, tx, ids.Alert(o.id), ids.User{}, "paused", errOwnerLeft.Sentence(), nil, now); err != nil {
			return err
		}
		return s.tellOwners(ctx, tx, o)
	})
}

// ages are, for each group, the minutes since its newest row. Where dates count
// from the newest row, the whole dataset's age is that of its last change.
func (s *Service) ages(ctx context.Context, actor access.Actor, w *Watch, snapshot datasets.Snapshot) (*answer, error) {
	now := s.now()
	if w.Time == "" || w.Relative && len(w.Dimensions) == 0 {
		d, err := s.deps.Datasets.Get(ctx, actor, w.Dataset)
		if err != nil {
			return nil, err
		}
		return &answer{at: []time.Time{{}}, groups: []series{{values: []float64{now.Sub(d.UpdatedAt).Minutes()}}}}, nil
	}
	newest := *w
	newest.Measure, newest.Grain, newest.Additive = maxOf(w.Time), "", false
	a := asking{actor: actor, watch: &newest}
	known := map[string]extent{}
	s.ask(ctx, []*asking{&a}, snapshot, known)
	if a.err != nil {
		return nil, a.err
	}
	end := onWall(now, location(w.Zone))
	if w.Relative {
		end = a.out.newest
	}
	for _, g := range a.out.groups {
		for i, v := range g.values {
			if !math.IsNaN(v) {
				g.values[i] = max(0, end.Sub(time.UnixMicro(int64(v)).UTC()).Minutes())
			}
		}
	}
	return a.out, nil
}

// RunPrune forgets old history, and groups that may have had no rows for long.
func (s *Service) RunPrune(ctx context.Context, job jobs.Job[PruneArgs]) error {
	return s.deps.DB.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error {
		before := s.now().Add(-keepHistory)
		if _, err := tx.AlertEventPrune(ctx, tx.TenantID, before); err != nil {
			return fmt.Errorf("prune history: %w", err)
		}
		if _, err := tx.AlertStatePrune(ctx, tx.TenantID, s.now().Add(-keepGroups)); err != nil {
			return fmt.Errorf("prune groups: %w", err)
		}
		if _, err := tx.AlertNoticePrune(ctx, tx.TenantID, before); err != nil {
			return fmt.Errorf("prune notices: %w", err)
		}
		return job.Complete(ctx, tx)
	})
}
