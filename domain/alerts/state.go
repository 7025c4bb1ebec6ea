package alerts

import (
	"slices"
	"time"
)

// Manner is how people are told. It is kept as JSON.
type Manner struct {
	// EveryMinutes is how often it is evaluated even if the data stays as it
	// is; 0 for only when it changes.
	EveryMinutes int  `json:"every_minutes,omitempty"`
	ForMinutes   int  `json:"for_minutes,omitempty"` // that the condition must hold
	Recovery     bool `json:"recovery,omitempty"`    // tells that it is over
	NoData       bool `json:"no_data,omitempty"`     // tells that there is no value
	// EscalateMinutes is after how long without acknowledgement others are told;
	// 0 for never.
	EscalateMinutes int    `json:"escalate_minutes,omitempty"`
	Mutes           []Mute `json:"mutes,omitempty"`
	Zone            string `json:"zone"` // of the mutes
}

// Mute is a time of the week in which nobody is told. What is not told then is
// told at its end, where it still holds.
type Mute struct {
	Days []int `json:"days"` // 1 is Monday, 7 Sunday: the days on which it begins
	From int   `json:"from"` // minutes after midnight on the wall clock
	To   int   `json:"to"`   // likewise; of the next day where it is not after From
}

// mutedUntil is the end of the mutes around a moment; zero where there is none.
func (m *Manner) mutedUntil(now time.Time) time.Time {
	zone, err := time.LoadLocation(m.Zone)
	if err != nil {
		zone = time.UTC
	}
	local := now.In(zone)
	var until time.Time
	for _, mute := range m.Mutes {
		for _, back := range []int{0, 1} { // it may have begun yesterday
			day := local.AddDate(0, 0, -back)
			if !slices.Contains(mute.Days, (int(day.Weekday())+6)%7+1) {
				continue
			}
			at := func(minutes, days int) time.Time {
				return time.Date(day.Year(), day.Month(), day.Day()+days, minutes/60, minutes%60, 0, 0, zone)
			}
			from, to := at(mute.From, 0), at(mute.To, 0)
			if mute.To <= mute.From {
				to = at(mute.To, 1)
			}
			if !local.Before(from) && local.Before(to) && to.After(until) {
				until = to
			}
		}
	}
	return until
}

// State is how an alert, or one of its groups, stands.
type State string

// The states. Error is an alert's alone: its question could not be asked.
const (
	OK     State = "ok"
	Firing State = "firing"
	NoData State = "no_data"
	Error  State = "error"
)

// group is the state of one group.
type group struct {
	State       State
	Since       time.Time
	BeyondSince time.Time // zero while the condition does not hold
	AckedAt     time.Time // zero while nobody has acknowledged
	EscalateAt  time.Time // zero for never, or when it was done
	Owed        bool      // a change that is still to be told
}

// change is what a step came to.
type change struct {
	from, to  State // equal where nothing changed
	tell      bool  // people are to be told of the state now
	escalates bool
	over      bool // it stopped firing, and that it fired was told
	escalated bool // and also those of the escalation may know
}

// step moves a group on by one reading. It is all that a state depends on, so
// that live evaluations and trials with past data agree.
func (m *Manner) step(g *group, r Reading, now time.Time, muted bool) change {
	c := change{from: g.State}
	to := g.State
	if to == "" {
		to = OK
	}
	switch {
	case !r.Known:
		to = NoData
		g.BeyondSince = time.Time{}
	case r.Beyond:
		if g.BeyondSince.IsZero() {
			g.BeyondSince = now
		}
		if g.State != Firing && now.Sub(g.BeyondSince) >= time.Duration(m.ForMinutes)*time.Minute {
			to = Firing
		} else if g.State == NoData {
			to = OK
		}
	default:
		g.BeyondSince = time.Time{}
		// What is neither bad nor good enough leaves it as it was.
		if r.Back || to != Firing {
			to = OK
		}
	}
	c.to = to
	if to != g.State {
		c.over = c.from == Firing && to == OK && !g.Owed
		c.escalated = c.over && m.EscalateMinutes > 0 && g.EscalateAt.IsZero()
		// That it is well again is no news where nobody heard that it was not.
		g.Owed = m.tells(c.from, to) && !(to == OK && g.Owed)
		g.State, g.Since = to, now
		g.AckedAt, g.EscalateAt = time.Time{}, time.Time{}
		if to == Firing && m.EscalateMinutes > 0 {
			g.EscalateAt = now.Add(time.Duration(m.EscalateMinutes) * time.Minute)
		}
	}
	if c.from == "" {
		c.from = OK
	}
	if g.Owed && !muted {
		g.Owed, c.tell = false, true
	}
	if g.State == Firing && g.AckedAt.IsZero() && !g.EscalateAt.IsZero() && !now.Before(g.EscalateAt) && !muted {
		g.EscalateAt, c.escalates = time.Time{}, true
	}
	return c
}

// tells tells whether a change of state is worth telling.
func (m *Manner) tells(from, to State) bool {
	switch to {
	case Firing:
		return true
	case NoData:
		return m.NoData
	case OK:
		return m.Recovery && from == Firing || m.NoData && from == NoData
	}
	return false
}
