package views

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/views/messages"
)

// builtActions are the ends of actions that the code puts together.
var builtActions = map[string][]string{
	"datasets.":        {"appended", "replaced", "upserted", "rows_deleted", "restored"},
	"sso.certificate_": {"add", "switch", "drop"},
}

// pastActions are those that only old entries have.
var pastActions = []string{"audit.forward_gap", "dashboard.purged", "template.restore"}

// Every action that the code records has a sentence and can be filtered by its
// feature, and there are no sentences for others.
func TestEveryActionHasWords(t *testing.T) {
	t.Parallel()
	actions := recordedActions(t, "../domain", "../handlers", "../workers", "../cmd")
	if len(actions) < 180 {
		t.Errorf("found only %d actions", len(actions))
	}
	for action, position := range actions {
		if key := "audit.did." + action; messages.T(t.Context(), key) == key {
			t.Errorf("%s: %s has no words", position, action)
		}
		if feature, _, _ := strings.Cut(action, "."); !slices.Contains(AuditFeatures, feature) {
			t.Errorf("%s: nobody can filter by the feature of %s", position, action)
		}
	}
	for _, action := range messages.KeysBelow("audit.did.") {
		if actions[action] == "" && !slices.Contains(pastActions, action) {
			t.Errorf("nothing records %s", action)
		}
	}
	for _, feature := range AuditFeatures {
		if key := "audit.feature." + feature; messages.T(t.Context(), key) == key {
			t.Errorf("%s has no words", key)
		}
	}
}

// recordedActions are the actions below the folders, each with a place: what is
// given to, or kept in, something that is called action.
func recordedActions(t *testing.T, roots ...string) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	packages := map[string][]*ast.File{}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := map[string]string{}
	for _, files := range packages {
		position, constants := map[string]int{}, map[string]string{} // of the parameter, by function
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					at := 0
					for _, p := range n.Type.Params.List {
						for _, name := range p.Names {
							if name.Name == "action" {
								position[n.Name.Name] = at
							}
							at++
						}
					}
				case *ast.ValueSpec:
					for i, name := range n.Names {
						if i < len(n.Values) {
							constants[name.Name] = literal(n.Values[i])
						}
					}
				}
				return true
			})
		}
		note := func(e ast.Expr) {
			at := set.Position(e.Pos()).String()
			switch e := e.(type) {
			case *ast.BasicLit:
				if action := literal(e); auditAction.MatchString(action) {
					found[action] = at
				}
			case *ast.Ident:
				if action := constants[e.Name]; auditAction.MatchString(action) {
					found[action] = at
				}
			case *ast.BinaryExpr:
				prefix := literal(e.X)
				if !strings.Contains(prefix, ".") || strings.Contains(prefix, "/") {
					return
				}
				if len(builtActions[prefix]) == 0 {
					t.Errorf("%s: say in builtActions how %q ends", at, prefix)
				}
				for _, end := range builtActions[prefix] {
					found[prefix+end] = at
				}
			}
		}
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					if calledAction(n.Key) {
						note(n.Value)
					}
				case *ast.AssignStmt:
					for i, left := range n.Lhs {
						if calledAction(left) && len(n.Rhs) == len(n.Lhs) {
							note(n.Rhs[i])
						}
					}
				case *ast.CallExpr:
					name := ""
					switch f := n.Fun.(type) {
					case *ast.Ident:
						name = f.Name
					case *ast.SelectorExpr:
						name = f.Sel.Name
					}
					if at, ok := position[name]; ok && at < len(n.Args) {
						note(n.Args[at])
					}
				}
				return true
			})
		}
	}
	return found
}

var auditAction = regexp.MustCompile(`^[a-z]+\.[a-z_]+$`)

func calledAction(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return strings.EqualFold(e.Name, "action")
	case *ast.SelectorExpr:
		return e.Sel.Name == "Action"
	}
	return false
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(l.Value)
	return text
}

// Every reason for which a single sign-on is refused has words.
func TestEveryRefusedSignOnSaysWhy(t *testing.T) {
	t.Parallel()
	never := []string{"saml.metadata", "saml.keys", "saml.no_logout", "portals.no_way"} // of the setting up
	seen := 0
	for _, path := range []string{"../domain/auth/saml/saml.go", "../domain/auth/oidc/oidc.go", "../domain/auth/sso_enter.go", "../domain/portals/sso.go"} {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`apperr\.Define\(apperr\.\w+, "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1) {
			key := "audit.why." + m[1]
			if seen++; messages.T(t.Context(), key) == key && !slices.Contains(never, m[1]) {
				t.Errorf("%s: %s has no words", path, m[1])
			}
		}
	}
	if seen < 25 {
		t.Errorf("found only %d reasons", seen)
	}
}

func TestAuditLinesSayWhoAndWhat(t *testing.T) {
	t.Parallel()
	refused := func(detail map[string]any, name string) audit.Line {
		return audit.Line{Kind: access.System, Action: "auth.sso_refused", Target: "connection", Denied: true, What: audit.What{Name: name, Detail: detail}}
	}
	changed := func(action, name string, before, after map[string]any) audit.Line {
		return audit.Line{Action: action, What: audit.What{Name: name, Before: before, After: after}}
	}
	for name, tc := range map[string]struct {
		line        audit.Line
		who, object string
	}{
		"claimed":        {refused(map[string]any{"code": "saml.other_key", "email": "nora@northlake.example", "subject": "n1", "proven": false}, "Skyline"), "Unknown", "As nora@northlake.example: signed with another key"},
		"proven":         {refused(map[string]any{"code": "auth.no_account", "subject": "x@outside.example", "proven": true}, "Skyline"), "Unknown", "x@outside.example: no account here"},
		"nobody named":   {refused(map[string]any{"code": "saml.unsigned"}, "Skyline"), "Unknown", "The answer is not signed"},
		"of a portal":    {refused(map[string]any{"code": "saml.expired", "portal": "p"}, "Ashby & Vale"), "Unknown", "The answer came too late · Ashby & Vale"},
		"the product":    {audit.Line{Kind: access.System, Action: "audit.pruned", What: audit.What{Name: "Skyline"}}, "DataFlow", "Skyline"},
		"permissions":    {changed("roles.created", "Auditors", nil, map[string]any{"permissions": []any{"content.view", "audit.view"}}), "Unknown", "Auditors: → See dashboards and data, " + messages.T(t.Context(), "permission.audit.view")},
		"yes and no":     {changed("embed.links_allowed", "", map[string]any{"public_links": false}, map[string]any{"public_links": true}), "Unknown", "no → yes"},
		"a domain":       {audit.Line{Action: "domains.added", Target: "domain", TargetID: "northlake.example"}, "Unknown", "northlake.example"},
		"a host":         {audit.Line{Action: "portals.host_proven", What: audit.What{Detail: map[string]any{"host": "bi.example.com"}}}, "Unknown", "bi.example.com"},
		"names of lists": {changed("groups.attributes_set", "North", nil, map[string]any{"attributes": map[string]any{"state": []any{"CA", "TX"}, "well": true}}), "Unknown", "North: → state: CA, TX; well: yes"},
	} {
		who, _ := AuditWho(t.Context(), tc.line)
		if object := AuditObject(t.Context(), tc.line); who != tc.who || object != tc.object {
			t.Errorf("%s: %q, %q", name, who, object)
		}
	}
}

func TestAuditMarksAreDrawn(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../static/icons.txt")
	if err != nil {
		t.Fatal(err)
	}
	drawn := strings.Fields(string(list))
	for action, icon := range auditMarks {
		if !slices.Contains(drawn, icon) {
			t.Errorf("%s has the mark %s, which nobody draws", action, icon)
		}
	}
}
