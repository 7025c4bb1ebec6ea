package workers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/jobs"
)

const (
	// pingEvery is how often an outside service hears that schedules are watched.
	pingEvery = 5 * time.Minute
	// watchedWithin is how long the watch over a workspace's schedules may be
	// silent: two of its rounds, and the time that one takes.
	watchedWithin = 12 * time.Minute
	pingTimeout   = 15 * time.Second
)

// pingArgs asks to tell an outside service that the alarm itself is alive. It
// takes the way that the watch takes, by clock, queue and worker, so that nobody
// hears of it where that way is blocked.
type pingArgs struct{}

// Kind names the job.
func (pingArgs) Kind() string { return "platform:ping" }

// deadman tells that schedules are watched. Its silence is the alarm, so where
// anything is wrong it says nothing.
type deadman struct{ Deps }

func (d deadman) ping(ctx context.Context, _ jobs.Job[pingArgs]) error {
	if d.PingURL == "" {
		return nil
	}
	silent, err := d.Store.SilentTenants(ctx, reports.WatchArgs{}.Kind(), watchedWithin)
	if err != nil {
		return fmt.Errorf("look for watches: %w", err)
	}
	if silent > 0 {
		d.Log.WarnContext(ctx, "schedules are not watched, so the outside watcher is not told that they are", "workspaces", silent)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.PingURL, nil)
	if err != nil {
		return errors.New("DATAFLOW_DEADMAN_URL is no address")
	}
	request.Header.Set("User-Agent", "DataFlow")
	response, err := http.DefaultClient.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // the address is a secret
	}
	if err != nil {
		return fmt.Errorf("tell the outside watcher: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("tell the outside watcher: %s", response.Status)
	}
	return nil
}
