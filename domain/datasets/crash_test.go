package datasets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

const crashEnv = "DATASETS_TEST_CRASH"

// crashing says what a child process does until it is killed.
type crashing struct {
	URL, Storage, Scratch string
	Tenant                ids.Tenant
	Dataset               ids.Dataset
	Job                   [16]byte // to be run; zero to append
	Committed             bool     // killed after the commit, not before it
}

// crash runs in the child and kills it at a chosen moment.
func crash() int {
	var c crashing
	if err := json.Unmarshal([]byte(os.Getenv(crashEnv)), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	if err := c.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	if c.Committed {
		die()
	}
	return 4 // it lived
}

func die() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL); select {} }

func (c crashing) run(ctx context.Context) error {
	pool, err := db.Open(ctx, db.Config{URL: c.URL})
	if err != nil {
		return err
	}
	r, err := openRig(ctx, pool, c.Storage, c.Scratch)
	if err != nil {
		return err
	}
	if !c.Committed {
		r.OnPublished(die)
	}
	r.actor = r.person(c.Tenant, access.Editor)
	if c.Job == [16]byte{} {
		request := eventRows(101, 110)
		request.Key = "the same"
		_, err := r.AppendRows(ctx, r.actor, c.Dataset, request)
		return err
	}
	runner := jobs.NewRunner(jobs.Config{Store: pool, Lease: time.Second})
	jobs.Bind(runner, jobs.Options{}, r.RunLoad)
	runner.Do(ctx, c.Job, datasets.LoadArgs{}.Kind(), 0)
	return nil
}

func (c crashing) start(t *testing.T) {
	t.Helper()
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashEnv+"="+string(encoded))
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v: %s", err, out)
	}
}

// crashRig is a rig on a database that a child can reach, too.
func crashRig(t *testing.T) (*rig, crashing) {
	t.Helper()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), db.Config{URL: url, MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c := crashing{URL: url, Storage: t.TempDir(), Scratch: t.TempDir()}
	r, err := openRig(t.Context(), pool, c.Storage, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	tenant, err := r.tenants.Create(t.Context(), tenants.New{Name: "Crash"})
	if err != nil {
		t.Fatal(err)
	}
	r.actor, c.Tenant = r.person(tenant.ID, access.Editor), tenant.ID
	return r, c
}

func TestKilledAppendIsRepeatedOnce(t *testing.T) {
	t.Parallel()
	for name, committed := range map[string]bool{"killed before the commit": false, "killed after the commit": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := crashRig(t)
			c.Dataset, c.Committed = r.events(t, "events"), committed
			r.add(t, c.Dataset, 1, 10)
			c.start(t)
			want := int64(10)
			if committed {
				want = 20
			}
			if n, _ := r.totals(t, c.Dataset, "id", datasets.Snapshot{}); n != want {
				t.Errorf("%d rows after the kill, want %d", n, want)
			}
			request := eventRows(101, 110)
			request.Key = "the same"
			again, err := r.AppendRows(t.Context(), r.actor, c.Dataset, request)
			if err != nil || again.Repeated != committed {
				t.Errorf("%+v, %v", again, err)
			}
			if n, _ := r.totals(t, c.Dataset, "id", datasets.Snapshot{}); n != 20 {
				t.Errorf("%d rows after the retry, want 20", n)
			}
			r.pass(25 * time.Hour)
			orphans, err := r.SweepOrphans(t.Context(), r.actor)
			if want := map[bool]int{false: 1, true: 0}[committed]; err != nil || orphans != want {
				t.Errorf("%d orphans, %v", orphans, err)
			}
			if n, _ := r.totals(t, c.Dataset, "id", datasets.Snapshot{}); n != 20 {
				t.Errorf("%d rows after the sweep, want 20", n)
			}
		})
	}
}

func TestKilledLoadIsTakenUpAndDoneOnce(t *testing.T) {
	t.Parallel()
	for name, committed := range map[string]bool{"killed before the commit": false, "killed after the commit": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := crashRig(t)
			ctx := t.Context()
			id := r.load(t, "sales", datasets.Replace, sales, datasets.Choices{}).Dataset
			u, err := r.StartUpload(ctx, r.actor, "more.csv", readerOf("order,region,sold,amount\n7,West,2026-03-01,1.00\n8,West,2026-03-02,2.00\n"))
			if err != nil {
				t.Fatal(err)
			}
			started, err := r.StartLoad(ctx, r.actor, datasets.LoadRequest{Upload: u.ID, Dataset: "sales", Mode: datasets.Append})
			if err != nil {
				t.Fatal(err)
			}
			load := started.Load
			l, err := r.GetLoad(ctx, r.actor, load)
			if err != nil {
				t.Fatal(err)
			}
			c.Job, c.Committed = l.Job.ID, committed
			c.start(t)
			// The lease lapses and the relay brings the job to a worker again.
			deadline := time.Now().Add(30 * time.Second)
			for l.State != datasets.LoadDone {
				if time.Now().After(deadline) {
					t.Fatalf("load is %s: %s", l.State, l.ErrorText)
				}
				r.runLoads(t)
				if l, err = r.GetLoad(ctx, r.actor, load); err != nil {
					t.Fatal(err)
				}
			}
			if n, sum := r.totals(t, id, "amount", datasets.Snapshot{}); n != 5 || sum != 38.75 {
				t.Errorf("%d rows and %v, want 5 and 38.75", n, sum)
			}
			if l.Version != 2 || l.Loaded != 2 {
				t.Errorf("%+v", l)
			}
		})
	}
}
