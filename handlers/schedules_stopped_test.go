package handlers

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/events"
	"github.com/dataflowhq/dataflow/views"
)

// heard brings events of a kind to the schedules, as the relay does.
func (s *scheduleSite) heard(t *testing.T, kind events.Kind) {
	t.Helper()
	times := 0
	if _, err := s.pool.TellOutbox(t.Context(), 50, func(ctx context.Context, e events.Event) error {
		if e.Kind != kind {
			return nil
		}
		times++
		return s.Reports.WatchSoon(ctx, ids.Tenant(e.TenantID))
	}); err != nil || times != 1 {
		t.Fatalf("%s was told %d times, %v", kind, times, err)
	}
	s.work(t)
}

// A schedule pauses when its dashboard is deleted or its owner leaves, days before
// it is due, and says so to who can do something about it.
func TestSchedulesStopBeforeTheyAreDue(t *testing.T) {
	t.Parallel()
	s := newScheduleSite(t)
	id := s.create(t, s.table("a@example.org"))
	if err := s.Dashboards.Delete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	s.heard(t, events.DashboardDeleted)
	if one := s.read(t, id); one.PausedWhy != "dashboard_gone" || len(one.Runs) != 0 {
		t.Errorf("%+v", one)
	}
	if _, letters := s.mails(t); len(letters["editor@example.com"]) != 1 || !strings.Contains(letters["editor@example.com"][0].subject, "dashboard was deleted") {
		t.Errorf("%v", letters)
	}
	if err := s.Dashboards.Undelete(t.Context(), s.editor(), s.board.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Reports.ResumeSchedule(t.Context(), s.editor(), id); err != nil {
		t.Fatal(err)
	}
	if err := s.Tenants.RemoveMember(t.Context(), s.actor("owner"), s.users["editor"]); err != nil {
		t.Fatal(err)
	}
	s.heard(t, events.MemberChanged)
	if one := s.read(t, id); one.PausedWhy != "owner_left" || !one.Next.IsZero() {
		t.Errorf("%+v", one)
	}
	_, letters := s.mails(t)
	for _, to := range []string{"owner@example.com", "both@example.com", "admin@example.com"} {
		if len(letters[to]) != 1 || !strings.Contains(letters[to][0].subject, "its owner left") {
			t.Errorf("%s was told %v", to, letters[to])
		}
	}
	// The watch finds by itself what it was not told of, and says it once.
	s.insert(t, reports.WatchArgs{})
	s.work(t)
	if _, again := s.mails(t); len(again["admin@example.com"]) != 1 {
		t.Errorf("%v", again["admin@example.com"])
	}
}

// Sent by hand, what can't go on says why at once, and pauses.
func TestSendNowOfWhatCannotGoOn(t *testing.T) {
	t.Parallel()
	for why, tc := range map[string]struct {
		stop     func(s *scheduleSite) error
		says, to string
	}{
		"owner_left": {func(s *scheduleSite) error {
			return s.Tenants.RemoveMember(t.Context(), s.actor("owner"), s.users["editor"])
		}, "owns this scheduled report left", "admin@example.com"},
		"dashboard_gone": {func(s *scheduleSite) error { return s.Dashboards.Delete(t.Context(), s.editor(), s.board.ID) },
			"dashboard of this scheduled report was deleted", "editor@example.com"},
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			s := newScheduleSite(t)
			id := s.create(t, s.table("a@example.org"))
			if err := tc.stop(s); err != nil {
				t.Fatal(err)
			}
			b := s.as(t, "admin")
			b.post(views.PathSchedule(id.String())+"/send").want(http.StatusConflict).shows("main", tc.says)
			s.work(t)
			if one := s.read(t, id); one.PausedWhy != why || len(one.Runs) != 0 {
				t.Errorf("%+v", one)
			}
			// Nor can it be changed as it stands, which says what to do.
			code := map[string]string{"owner_left": "reports.unowned", "dashboard_gone": "reports.dashboard_gone"}[why]
			err := s.Reports.UpdateSchedule(t.Context(), s.actor("admin"), id, s.table("a@example.org"))
			if public := apperr.Describe(err); public.Code != code || public.Class != apperr.Conflict {
				t.Errorf("changed: %+v, want %s", public, code)
			}
			if why == "dashboard_gone" {
				if public := apperr.Describe(s.Reports.ResumeSchedule(t.Context(), s.actor("admin"), id)); public.Code != code {
					t.Errorf("resumed: %+v, want %s", public, code)
				}
			}
			if got, letters := s.mails(t); len(got) != 0 || len(letters[tc.to]) != 1 {
				t.Errorf("sent %v, told %v", got, letters)
			}
		})
	}
}
