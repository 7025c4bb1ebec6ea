package audit_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
)

func (r *rig) flush() {
	r.t.Helper()
	if err := r.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestEqualNotesBecomeOne(t *testing.T) {
	r := setup(t)
	ctx := audit.WithOrigin(t.Context(), &audit.Origin{Address: "92.40.18.7"})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			r.Note(ctx, r.actor, audit.Entry{Action: "access.denied", Target: "address", ID: "/settings", Denied: true, Detail: map[string]any{"method": "GET"}})
		})
	}
	all.Wait()
	r.Note(ctx, r.other, audit.Entry{Action: "access.denied", Denied: true})
	r.flush()
	times := 0.0 // the clock may have flushed in the middle
	for _, line := range r.list(audit.Query{Outcome: audit.Denied}) {
		if n, ok := line.What.Detail["times"].(float64); ok {
			times += n
		} else {
			times++
		}
		if line.Who.Address != "92.40.18.7" || line.TargetID != "/settings" || !line.Denied {
			t.Errorf("%+v", line)
		}
	}
	if times != 50 {
		t.Errorf("%g times, want 50", times)
	}
}

// Nobody fills the log by guessing ids, and nothing else is lost meanwhile.
func TestManyRefusalsAreCounted(t *testing.T) {
	r := setup(t)
	const asked = 5 * audit.DeniedFree
	for i := range asked {
		r.Note(t.Context(), r.actor, audit.Entry{Action: "access.not_found", ID: fmt.Sprintf("/dashboards/%d", i), Denied: true})
	}
	r.Note(t.Context(), r.actor, audit.Entry{Action: "dashboard.downloaded"})
	r.flush()
	lines, counted := r.list(audit.Query{Limit: 500}), 0.0
	for _, line := range lines {
		if line.Action == "access.denied_often" {
			n, _ := line.What.Detail["times"].(float64)
			counted += max(n, 1)
		} else if line.Denied {
			counted++
		}
	}
	// The minute may turn once, and the clock flushes each second.
	if len(lines) > 2*audit.DeniedFree+20 || counted != asked {
		t.Errorf("%d entries that count %g of %d", len(lines), counted, asked)
	}
	if len(r.list(audit.Query{Actions: []string{"dashboard"}})) != 1 {
		t.Error("the download is missing")
	}
}

// However often what waits is written, a minute of refusals is one number.
func TestAMinuteOfRefusalsIsOneNumber(t *testing.T) {
	r := setup(t)
	minute := time.Now().Truncate(time.Minute).Add(10 * time.Minute) // the clock writes none of it
	due := func(at time.Time) {
		t.Helper()
		if err := r.FlushDue(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	const each, seconds = 40, 50
	for m := range 2 {
		for second := range seconds {
			at := minute.Add(time.Duration(m)*time.Minute + time.Duration(second)*time.Second)
			for i := range each {
				r.Note(t.Context(), r.actor, audit.Entry{Action: "access.not_found", ID: fmt.Sprintf("/files/%d/%d", second, i), Denied: true, At: at})
			}
			due(at)
		}
	}
	due(minute.Add(2 * time.Minute))
	var numbers []any
	alone := 0
	for _, line := range r.list(audit.Query{Limit: 500}) {
		if line.Action == "access.denied_often" {
			numbers = append(numbers, line.What.Detail["times"])
		} else {
			alone++
		}
	}
	beyond := float64(each*seconds - audit.DeniedFree)
	if alone != 2*audit.DeniedFree || !slices.Equal(numbers, []any{beyond, beyond}) {
		t.Errorf("%d entries and the numbers %v, want %d and twice %g", alone, numbers, 2*audit.DeniedFree, beyond)
	}
}

// Where there is no room, whoever asks waits; nothing is dropped.
func TestFullNotesAreWrittenAtOnce(t *testing.T) {
	r := setup(t)
	const n = audit.NotesMost + 40
	for i := range n {
		r.Note(t.Context(), r.actor, audit.Entry{Action: "dashboard.downloaded", ID: fmt.Sprint(i)})
	}
	r.flush()
	if got := r.number("SELECT count(*) FROM audit_events"); got != n {
		t.Errorf("%d entries, want %d", got, n)
	}
}

func TestNotesAreWrittenAtTheEnd(t *testing.T) {
	r := setup(t)
	r.Note(t.Context(), r.actor, audit.Entry{Action: "dashboard.downloaded"})
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.actions(audit.Query{}); got != "[dashboard.downloaded]" {
		t.Error(got)
	}
}

// A request whose browser has gone has left its entry all the same, and one
// whose database is away is told of in the log, not in silence.
func TestNotesOutliveTheirRequest(t *testing.T) {
	r := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.Note(ctx, r.actor, audit.Entry{Action: "dashboard.downloaded"})
	cancel()
	r.flush()
	if got := r.actions(audit.Query{}); got != "[dashboard.downloaded]" {
		t.Error(got)
	}
	r.db.Close()
	r.Note(t.Context(), r.actor, audit.Entry{Action: "dashboard.downloaded"})
	if err := r.Close(t.Context()); err == nil {
		t.Error("nobody is told")
	}
}

// Two keys, or two visitors of a portal, behind one address never share an entry,
// nor does one hide the refusals of another behind its own.
func TestNotesTellKeysAndVisitorsApart(t *testing.T) {
	r := setup(t)
	ctx := audit.WithOrigin(t.Context(), &audit.Origin{Address: "92.40.18.7"})
	one, two := access.Actor{Kind: access.Key, TenantID: r.actor.TenantID, KeyID: ids.New[ids.APIKey](), KeyName: "One"}, access.Actor{Kind: access.Key, TenantID: r.actor.TenantID, KeyID: ids.New[ids.APIKey](), KeyName: "Two"}
	for range 3 {
		r.Note(ctx, one, audit.Entry{Action: "datasets.queried"})
		r.Note(ctx, two, audit.Entry{Action: "datasets.queried"})
	}
	for i := range 2 * audit.DeniedFree {
		r.Note(ctx, one, audit.Entry{Action: "keys.refused", ID: fmt.Sprint(i), Denied: true})
	}
	r.Note(ctx, two, audit.Entry{Action: "access.not_found", ID: "x", Denied: true})
	for _, guest := range []string{"10.0.0.1", "10.0.0.2"} {
		from := audit.WithOrigin(t.Context(), &audit.Origin{Address: guest})
		for i := range map[string]int{"10.0.0.1": 2 * audit.DeniedFree, "10.0.0.2": 1}[guest] {
			r.Note(from, access.Actor{Kind: access.Visitor, TenantID: r.actor.TenantID}, audit.Entry{Action: "embed.refused", ID: guest + fmt.Sprint(i), Denied: true})
		}
	}
	r.flush()
	asked := map[any]float64{}
	found := false
	for _, line := range r.list(audit.Query{Limit: 500}) {
		times, ok := line.What.Detail["times"].(float64)
		if !ok {
			times = 1
		}
		key := line.What.Detail["key"]
		switch {
		case line.Action == "datasets.queried":
			asked[key] += times
		case line.Action == "access.denied_often" && key == "Two":
			t.Errorf("another's refusals are hers: %+v", line)
		case line.Action == "access.not_found" && key == "Two":
			found = true
		case line.Action == "access.denied_often" && line.Who.Address == "10.0.0.2":
			t.Errorf("another guest's refusals are hers: %+v", line)
		}
	}
	if asked["One"] != 3 || asked["Two"] != 3 || !found {
		t.Errorf("the questions are %v, the refusal of the second key is there: %t", asked, found)
	}

	ana, bob := access.Actor{Kind: access.Visitor, TenantID: r.actor.TenantID, VisitorID: ids.New[ids.Visitor]()}, access.Actor{Kind: access.Visitor, TenantID: r.actor.TenantID, VisitorID: ids.New[ids.Visitor]()}
	if audit.Alike(ana, bob) || !audit.Alike(ana, ana) {
		t.Error("two visitors share an entry, or one has two")
	}
}
