package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/events"
)

// longestWatch ends the stream of a job; the browser opens another.
const longestWatch = 10 * time.Minute

// inspectEvents tells that the job which looks into a file has got further.
func (h uploadPages) inspectEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := uploadID(r)
	if err != nil {
		return err
	}
	u, err := h.Datasets.GetUpload(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return h.watch(w, r, u.Job.ID, func(ctx context.Context) (bool, error) {
		u, err := h.Datasets.GetUpload(ctx, actor(r), id)
		return u.State != datasets.UploadInspecting, err
	})
}

// loadEvents tells that a load has got further.
func (h uploadPages) loadEvents(w http.ResponseWriter, r *http.Request) error {
	l, err := h.getLoad(r)
	if err != nil {
		return err
	}
	return h.watch(w, r, l.Job.ID, func(ctx context.Context) (bool, error) {
		l, err := h.Datasets.GetLoad(ctx, actor(r), l.ID)
		return l.State.Final(), err
	})
}

// watch sends an event "progress" without data whenever the job has got
// further, and the last one when it ended. What it is up to is asked for by the
// usual path.
func (c *core) watch(w http.ResponseWriter, r *http.Request, job uuid.UUID, ended func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(r.Context(), longestWatch)
	defer cancel()
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("open event stream: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of proxies that would hold it back
	w.WriteHeader(http.StatusOK)
	var changes <-chan events.Event
	if c.Events != nil {
		changes = c.Events.Subscribe(ctx, actor(r).TenantID.UUID())
	}
	send := func() bool {
		_ = control.SetWriteDeadline(time.Now().Add(streamEvery)) // a client that takes nothing for so long is gone
		if _, err := fmt.Fprint(w, "event: progress\ndata: null\n\n"); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send() {
		return nil
	}
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-changes:
			if !open {
				changes = nil
				continue
			}
			if e.Kind != events.Resync && (e.Kind != events.JobProgress || e.ID != job) {
				continue
			}
		case <-tick.C:
		}
		over, err := ended(ctx)
		if !send() || over || err != nil {
			return nil // the page finds out by itself what the error is
		}
	}
}
