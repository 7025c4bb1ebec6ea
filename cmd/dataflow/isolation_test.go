package main

import (
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/audit"
)

// The command attacks a workspace with content, finds that everything is
// refused, and leaves nothing behind; the audit log of the workspace verifies.
func TestWallsBetweenWorkspacesHold(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	var loaded importAnswer
	s.ok(&loaded, "", "import", s.file("flights.csv", "date,origin,delay\n2001-01-01 10:00:00,ORD,5\n2001-01-02 11:00:00,MDW,7\n"), "--dataset", "confidential flights 4711")
	var made madeUser
	s.ok(&made, "correct horse battery\n", "user", "create", "ines.okafor@example.com", "--role", "owner", "--password-stdin")
	for range 2 { // the second finds nothing of the first
		var report isolationReport
		s.ok(&report, "", "isolation", "check")
		if !report.Held || report.Broken != 0 || len(report.Changed) != 0 {
			t.Errorf("held %t, %d broken, changed %v", report.Held, report.Broken, report.Changed)
		}
		if len(report.Pages) < 3*120 || len(report.Jobs) < 15 || report.Objects["datasets.dataset_id"] != 1 || report.Objects["users.user_id"] != 1 {
			t.Errorf("%d requests, %d jobs, objects %v", len(report.Pages), len(report.Jobs), report.Objects)
		}
		asOwner := map[int]int{}
		for _, one := range report.Pages {
			if one.As == "owner of another workspace" {
				asOwner[one.Status]++
			} else if strings.HasPrefix(one.Route, "/datasets/{id}") && one.Status != 303 && one.Status != 401 {
				t.Errorf("%s: %s %s answers %d", one.As, one.Method, one.Route, one.Status)
			}
		}
		if asOwner[404] < 60 || asOwner[200] < 10 {
			t.Errorf("the owner of another workspace got %v", asOwner) // their own pages work: they are signed in
		}
	}
	var v audit.Verification
	s.ok(&v, "", "audit", "verify")
	if !v.Intact {
		t.Errorf("%+v", v)
	}
	status, out, errs := s.run("", "audit", "export", "--format", "csv")
	if status != 0 || !strings.Contains(out, "datasets.") || !strings.Contains(out, "dataflow import by ") {
		t.Errorf("status %d, %s: %s", status, errs, out)
	}
	var erased struct{ Erased int }
	s.ok(&erased, "", "audit", "erase", "ines.okafor@example.com")
	if _, out, _ := s.run("", "audit", "export"); erased.Erased == 0 || strings.Contains(out, "ines.okafor") {
		t.Errorf("erased %d: %s", erased.Erased, out)
	}
}
