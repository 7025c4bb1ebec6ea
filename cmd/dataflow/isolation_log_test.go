package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// The check's log has what went wrong, and not what was rightly refused.
func TestRefusalsAreNoErrorsOfTheCheck(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(unrefused{slog.NewTextHandler(&out, nil)}).With("request_id", "r")
	refusal := apperr.Define(apperr.NotFound, "test.hidden", "It is hidden.")
	log.Error("request failed", slog.String("code", "signin.no_mail"), slog.Int("status", 503))
	log.Error("job failed", slog.Any("error", fmt.Errorf("load: %w", refusal)))
	if out.Len() > 0 {
		t.Errorf("refusals are logged: %s", &out)
	}
	log.Error("request failed", slog.String("code", "internal.error"), slog.String("error", "first"))
	log.Error("job failed", slog.Any("error", errors.New("second")))
	log.Error("panic", slog.String("cause", "third"))
	for _, want := range []string{"first", "second", "third"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing: %s", want, &out)
		}
	}
}
