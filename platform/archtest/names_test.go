package archtest_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dataflowhq/dataflow/platform/archtest"
)

func TestNamesFollowTheStyle(t *testing.T) {
	t.Parallel()
	found, err := archtest.CheckNames(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range found {
		t.Error(complaint)
	}
}

func TestBadNamesAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		source string
		wrong  string // empty where it is right
	}{
		"good":                   {`var e = apperr.Define(apperr.Invalid, "datasets.bad_row", "This row can't be read.")`, ""},
		"in two pieces":          {`var e = apperr.Define(apperr.Invalid, "datasets.row", "This row "+"can't be read.")`, ""},
		"a code without noun":    {`var e = apperr.Define(apperr.Invalid, "datasets", "This is a sentence.")`, "not <feature>.<noun>"},
		"a code in capitals":     {`var e = apperr.Define(apperr.Invalid, "datasets.Row", "This is a sentence.")`, "not <feature>.<noun>"},
		"twice":                  {"var e = apperr.Define(apperr.Invalid, \"a.b\", \"A.\")\nvar f = apperr.Define(apperr.Gone, \"a.b\", \"B.\")", "already"},
		"no sentence":            {`var e = apperr.Define(apperr.Invalid, "a.b", "bad row")`, "no sentence"},
		"a made-up code":         {`var e = apperr.Define(apperr.Invalid, "a"+x, "A.")`, "not written out"},
		"a kind":                 {`func (Args) Kind() string { return "datasets:load" }`, ""},
		"a kind without verb":    {`func (Args) Kind() string { return "datasets:" }`, "not <feature>:<verb>"},
		"a kind of another":      {`func (Args) Kind() string { return "reports:render" }`, "belongs to feature datasets"},
		"a kind twice":           {"func (A) Kind() string { return \"datasets:load\" }\nfunc (B) Kind() string { return \"datasets:load\" }", "already"},
		"another sort of kind":   {`func (Args) Kind() string { return "letter" }`, ""},
		"a kind of another type": {`func (Args) Kind() reflect.Kind { return reflect.Int }`, ""},
	} {
		found, err := archtest.CheckNames(fstest.MapFS{"domain/datasets/a.go": {Data: []byte("package datasets\n\n" + tc.source + "\n")}})
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.wrong == "" && len(found) > 0:
			t.Errorf("%s: found %v", name, found)
		case tc.wrong != "" && (len(found) != 1 || !strings.Contains(found[0], tc.wrong)):
			t.Errorf("%s: found %v, want %q", name, found, tc.wrong)
		}
	}
}
