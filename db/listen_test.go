package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
)

func TestListenSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), db.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	owner, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.WithoutCancel(t.Context())) })

	told := make(chan string, 100)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- pool.Listen(ctx, map[string]func(string){
			"one": func(payload string) { told <- "one " + payload },
			"two": func(payload string) { told <- "two " + payload },
		})
	}()
	want := func(messages ...string) {
		t.Helper()
		missing := map[string]bool{}
		for _, m := range messages {
			missing[m] = true
		}
		for len(missing) > 0 {
			select {
			case got := <-told:
				if !missing[got] {
					t.Fatalf("told %q, want one of %v", got, missing)
				}
				delete(missing, got)
			case <-time.After(time.Minute):
				t.Fatalf("not told %v", missing)
			}
		}
	}
	notify := func() {
		t.Helper()
		if _, err := owner.Exec(t.Context(), "SELECT pg_notify('one', 'a'), pg_notify('two', 'b'), pg_notify('three', 'c')"); err != nil {
			t.Fatal(err)
		}
		want("one a", "two b")
	}
	want("one ", "two ") // what was said before is lost: look for yourself
	notify()
	if _, err := owner.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`); err != nil {
		t.Fatal(err)
	}
	want("one ", "two ")
	notify()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
