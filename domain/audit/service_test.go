package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
)

func TestLogIsFilteredAndPaged(t *testing.T) {
	r := setup(t)
	object := uuid.NewString()
	base := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	for i := range 7 {
		e := audit.Entry{Action: "dashboard.rename", Target: "dashboard", ID: uuid.NewString(), At: base.Add(time.Duration(i/2) * time.Second),
			Detail: map[string]any{"name": "Board"}}
		switch i {
		case 2:
			e.Action, e.ID = "members.removed", object
		case 4:
			e.Denied = true
		case 5:
			e.Detail = map[string]any{"name": "100%_Sales"}
		}
		r.record(e)
	}
	all := r.list(audit.Query{})
	if len(all) != 7 || !slices.IsSortedFunc(all, func(a, b audit.Line) int { return b.At.Compare(a.At) }) {
		t.Fatalf("%d lines", len(all))
	}
	// Pages of two have every entry once, though several are of one moment.
	var paged []uuid.UUID
	for q := (audit.Query{Limit: 2}); ; {
		page, err := r.List(t.Context(), r.actor, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page.Lines {
			paged = append(paged, line.ID)
		}
		if q.After = page.Next; page.Next.At.IsZero() {
			break
		}
	}
	for i, line := range all {
		if i >= len(paged) || paged[i] != line.ID {
			t.Fatalf("pages have %v", paged)
		}
	}
	for name, tc := range map[string]struct {
		q    audit.Query
		want int
	}{
		"action":         {audit.Query{Actions: []string{"members.removed"}}, 1},
		"feature":        {audit.Query{Actions: []string{"dashboard"}}, 6},
		"object":         {audit.Query{TargetID: object}, 1},
		"denied":         {audit.Query{Outcome: audit.Denied}, 1},
		"allowed":        {audit.Query{Outcome: audit.Allowed}, 6},
		"person":         {audit.Query{User: r.actor.UserID}, 7},
		"another person": {audit.Query{User: ids.New[ids.User]()}, 0},
		"text in name":   {audit.Query{Text: "okafor"}, 7},
		"text in values": {audit.Query{Text: "100%_sales"}, 1},
		"two words":      {audit.Query{Text: "ines SALES"}, 1},
		"address":        {audit.Query{Text: "81.2.69.142"}, 7},
		"words of it":    {audit.Query{Text: "took away", Named: []string{"members.removed"}}, 1},
		"nothing":        {audit.Query{Text: "nobody"}, 0},
		"quotes":         {audit.Query{Text: `'"\`}, 0},
		"since":          {audit.Query{Since: base.Add(2 * time.Second)}, 3},
		"until":          {audit.Query{Until: base.Add(2 * time.Second)}, 4},
	} {
		if got := len(r.list(tc.q)); got != tc.want {
			t.Errorf("%s: %d entries, want %d", name, got, tc.want)
		}
	}
	people, err := r.ListPeople(t.Context(), r.actor, base)
	if err != nil || len(people) != 1 || people[0].Name != "Ines Okafor" {
		t.Errorf("%+v, %v", people, err)
	}
}

func TestExportsAreWholeHarmlessAndRecorded(t *testing.T) {
	r := setup(t)
	for range 3 {
		r.record(audit.Entry{Action: "dashboard.create", Target: "dashboard", ID: uuid.NewString(), Detail: map[string]any{"name": `=HYPERLINK("x"),`}})
	}
	export := func(format audit.Format) string {
		t.Helper()
		x, err := r.OpenExport(t.Context(), r.actor, audit.Query{Actions: []string{"dashboard", "audit"}}, format)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if n, err := x.Write(t.Context(), &out); err != nil || n < 4 {
			t.Fatalf("%d, %v", n, err)
		}
		return out.String()
	}
	rows, err := csv.NewReader(strings.NewReader(export(audit.CSV))).ReadAll()
	if err != nil || len(rows) != 5 || rows[0][0] != "time" || rows[1][5] != "audit.exported" || rows[2][7] != `'=HYPERLINK("x"),` || rows[2][1] != "Ines Okafor" {
		t.Errorf("%v, %q", err, rows)
	}
	decoder := json.NewDecoder(strings.NewReader(export(audit.NDJSON)))
	var events []audit.Event
	for decoder.More() {
		var e audit.Event
		if err := decoder.Decode(&e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if len(events) != 5 || events[4].Object.Name != `=HYPERLINK("x"),` || events[4].Actor.Address != "81.2.69.142" || events[0].Detail["format"] != "ndjson" {
		t.Errorf("%+v", events)
	}
	if _, err := r.OpenExport(t.Context(), r.actor, audit.Query{}, "xlsx"); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("another format: %v", err)
	}
}

// Only owners and admins read the log, each that of their own workspace.
func TestLogIsClosedToOthers(t *testing.T) {
	r := setup(t)
	r.batch(1)
	id := r.list(audit.Query{})[0].ID
	asks := map[string]func(access.Actor) error{
		"List":       func(a access.Actor) error { _, err := r.List(t.Context(), a, audit.Query{}); return err },
		"Get":        func(a access.Actor) error { _, err := r.Get(t.Context(), a, id); return err },
		"ListPeople": func(a access.Actor) error { _, err := r.ListPeople(t.Context(), a, time.Time{}); return err },
		"GetState":   func(a access.Actor) error { _, err := r.GetState(t.Context(), a); return err },
		"Verify":     func(a access.Actor) error { _, err := r.Verify(t.Context(), a, nil); return err },
		"SetDays":    func(a access.Actor) error { return r.SetDays(t.Context(), a, 60) },
		"Erase":      func(a access.Actor) error { _, err := r.Erase(t.Context(), a, r.actor.UserID); return err },
		"SetForward": func(a access.Actor) error { return r.SetForward(t.Context(), a, "", "", "") },
		"OpenExport": func(a access.Actor) error {
			_, err := r.OpenExport(t.Context(), a, audit.Query{}, audit.CSV)
			return err
		},
	}
	for _, role := range []access.Role{access.Editor, access.Viewer, ""} {
		someone := r.actor
		someone.Role = role
		for name, ask := range asks {
			if err := ask(someone); !errors.Is(err, access.ErrForbidden) {
				t.Errorf("%s as %q: %v", name, role, err)
			}
		}
	}
	if err := asks["Get"](r.other); !errors.Is(err, audit.ErrNotFound) {
		t.Errorf("another workspace: %v", err)
	}
	if page, err := r.List(t.Context(), r.other, audit.Query{}); err != nil || len(page.Lines) != 0 {
		t.Errorf("another workspace sees %+v, %v", page.Lines, err)
	}
}
