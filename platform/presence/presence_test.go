package presence

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/platform/redistest"
)

func TestWhoIsThere(t *testing.T) {
	t.Parallel()
	b := New(redistest.New(t))
	now := time.Now()
	b.clock = func() time.Time { return now }
	tenant, thing := uuid.New(), uuid.New()
	say := func(tab, part string) {
		t.Helper()
		if err := b.Say(t.Context(), tenant, thing, Person{Tab: tab, User: uuid.NameSpaceURL, Name: "Ann", Part: part}); err != nil {
			t.Fatal(err)
		}
	}
	parts := func(tenant uuid.UUID) (list []string) {
		t.Helper()
		people, err := b.List(t.Context(), tenant, thing)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			list = append(list, p.Tab+":"+p.Part)
		}
		return list
	}
	want := func(tenant uuid.UUID, want ...string) {
		t.Helper()
		got := parts(tenant)
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	}
	say("b", "sales")
	now = now.Add(time.Second)
	say("a", "")
	want(tenant, "b:sales", "a:")
	want(uuid.New())
	now = now.Add(20 * time.Second)
	say("b", "orders") // moves on, and stays the first
	want(tenant, "b:orders", "a:")
	now = now.Add(15 * time.Second)
	want(tenant, "b:orders") // a has said nothing for 35 s
	if err := b.Leave(t.Context(), tenant, thing, uuid.NameSpaceURL, "b"); err != nil {
		t.Fatal(err)
	}
	want(tenant)
}
