package tenants_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/tenants"
)

func TestAttributesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	all, err := tenants.ParseAttributes(" region: EMEA, APAC ,EMEA\n\ntier = gold\n")
	if err != nil {
		t.Fatal(err)
	}
	if text := all.Lines(); text != "region: EMEA, APAC\ntier: gold" {
		t.Errorf("got %q", text)
	}
	for _, text := range []string{"region", "region:", "region: ,", "region =", "a b: c", "region: " + strings.Repeat("x", 501)} {
		if _, err := tenants.ParseAttributes(text); !errors.Is(err, tenants.ErrAttributes) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
