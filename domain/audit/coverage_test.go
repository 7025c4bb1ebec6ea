package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unrecorded are methods that write and leave no entry by themselves, each with
// the reason. Whoever adds a method that writes records what it does, or says
// here why nobody has to know.
var unrecorded = map[string]string{
	"dashboards.Star":         "a mark in one's own list",
	"dashboards.Visit":        "that somebody looked; views of raw rows and downloads are noted where they are answered",
	"dashboards.OpenDesk":     "as Visit",
	"dashboards.Edit":         "as Apply",
	"dashboards.Act":          "as Apply",
	"dashboards.Undo":         "as Apply",
	"dashboards.Redo":         "as Apply",
	"dashboards.PassOver":     "as Apply",
	"dashboards.Purge":        "removes what was deleted, which has an entry, once its time is up",
	"datasets.AcquireLease":   "keeps files for as long as something reads them",
	"datasets.ExtendLease":    "as AcquireLease",
	"datasets.ReleaseLease":   "as AcquireLease",
	"datasets.InspectUpload":  "another look at a file whose upload has an entry",
	"datasets.RunInspect":     "as InspectUpload",
	"datasets.InspectFailed":  "as InspectUpload",
	"datasets.LoadFailed":     "a load that was asked for, which has an entry; nothing of the dataset has changed",
	"datasets.KnownProfile":   "remembers a calculation",
	"datasets.Profile":        "remembers a calculation",
	"datasets.Merge":          "other files with the same rows",
	"datasets.RunMerge":       "other files with the same rows",
	"datasets.Sweep":          "removes files that nothing refers to any more",
	"datasets.RunSweep":       "removes files that nothing refers to any more",
	"delivery.RunSend":        "sends a mail whose cause has an entry: an invitation, a reset, a report",
	"delivery.RecordFailure":  "as RunSend",
	"delivery.RunPrune":       "removes old mails",
	"delivery.RunReadBounces": "looks for keys in the DNS; what it reads has an entry each",
	"delivery.ReadBounces":    "as RunReadBounces",
	"reports.OpenDashboard":   "that a mail was read; the ledger keeps it, and that the dashboard was looked at is noted there",
	"reports.RunBounced":      "notes what came back, which has an entry",
	"reports.RunTellBounces":  "as RunBounced",
	"notify.MarkRead":         "one's own notifications",
	"notify.MarkAllRead":      "one's own notifications",
	"notify.SaveSettings":     "of what one is told oneself",
	"notify.RunPrune":         "removes old notifications",
	"reports.RunRender":       "makes what was asked for, which has an entry",
	"reports.RenderFailed":    "as RunRender",
	"reports.RunPrune":        "removes old files",
	"reports.RunStart":        "begins a run of a schedule, which has an entry; what it sends has one each",
	"reports.RunRun":          "as RunStart",
	"reports.RunFailed":       "as RunStart",
	"reports.DeliverFailed":   "as RunStart",
	"reports.RunWatch":        "as RunStart",
	"sources.Seal":            "encrypts a connection; who stores it records it",
	"alerts.Try":              "asks, and keeps nothing",
	"alerts.Course":           "as Try",
	"alerts.RunEvaluate":      "the history of an alert keeps every change of its state",
	"alerts.RunDeliver":       "as RunEvaluate: the ledger keeps what was told to whom",
	"alerts.DeliverFailed":    "as RunDeliver",
	"alerts.RunPrune":         "removes old history",
	"auth.StartFactor":        "offers a secret; that it is used has an entry",
	"audit.RunForward":        "notes how far a collector has come",
	"datasets.Hold":           "as AcquireLease",
	"dashboards.RunPurge":     "as Purge",
}

// internal are statements that change no state of a workspace that anybody
// would call a change: queues, counters, marks of presence, the log itself.
var internal = regexp.MustCompile(`^(Outbox|Job|Audit|Throttle|ScheduleTake$|SessionTouch$|UserSeen$|LinkPrune$|SessionPrune$|AppendPrune$)`)

// function is one function of a package, with what it does directly.
type function struct {
	method   bool
	entry    bool // exported method of Service with an actor, an identity or a job
	writes   bool
	records  bool
	calls    []string // functions of the package, by name
	methods  []string // methods of whatever, by name
	position string
}

// Every method that acts for somebody and writes leaves an entry, or is on the
// list above.
func TestEveryChangeLeavesAnEntry(t *testing.T) {
	t.Parallel()
	writing := writingStatements(t)
	if len(writing) < 80 {
		t.Fatalf("found only %d statements that write", len(writing))
	}
	dirs, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	met := map[string]bool{}
	for _, dir := range dirs {
		pkg := filepath.Base(dir)
		functions := readPackage(t, dir, writing)
		for key, f := range functions {
			if !f.entry {
				continue
			}
			checked++
			name := pkg + "." + strings.TrimPrefix(key, "method ")
			writes, records := reach(functions, key, map[string]bool{})
			_, exempt := unrecorded[name]
			switch {
			case writes && !records && !exempt:
				t.Errorf("%s: %s writes and leaves no entry in the audit log", f.position, name)
			case exempt:
				met[name] = true
			}
		}
	}
	if checked < 100 {
		t.Errorf("checked only %d methods", checked)
	}
	for name := range unrecorded {
		if !met[name] {
			t.Errorf("%s is on the list and is no method any more", name)
		}
	}
}

func reach(functions map[string]*function, key string, seen map[string]bool) (writes, records bool) {
	f := functions[key]
	if f == nil || seen[key] {
		return false, false
	}
	seen[key] = true
	writes, records = f.writes, f.records
	follow := func(key string) {
		w, r := reach(functions, key, seen)
		writes, records = writes || w, records || r
	}
	for _, name := range f.calls {
		follow(name)
	}
	for _, name := range f.methods {
		follow("method " + name)
	}
	return writes, records
}

func readPackage(t *testing.T, dir string, writing []string) map[string]*function {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]*function{}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		imports := map[string]bool{}
		for _, i := range file.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			imports[path[strings.LastIndexByte(path, '/')+1:]] = true
		}
		for _, declaration := range file.Decls {
			d, ok := declaration.(*ast.FuncDecl)
			if !ok || d.Body == nil {
				continue
			}
			f := &function{method: d.Recv != nil, position: set.Position(d.Pos()).String()}
			key := d.Name.Name
			if f.method {
				key = "method " + key
				f.entry = d.Name.IsExported() && receiver(d) == "Service" && acts(d)
			}
			look(f, d.Body, file.Name.Name, imports, writing)
			if before := functions[key]; before != nil { // methods of one name of several types
				f.entry, f.writes, f.records = f.entry || before.entry, f.writes || before.writes, f.records || before.records
				f.calls, f.methods = append(f.calls, before.calls...), append(f.methods, before.methods...)
			}
			functions[key] = f
		}
	}
	return functions
}

// look gathers what a body refers to: a function that is passed on counts as
// called.
func look(f *function, body ast.Node, pkg string, imports map[string]bool, writing []string) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			name := n.Sel.Name
			x, plain := n.X.(*ast.Ident)
			switch {
			case plain && x.Name == "audit" && imports["audit"] && name == "Record":
				f.records = true
			case slices.Contains(writing, name):
				f.writes = true
			case plain && imports[x.Name]:
			default:
				f.methods = append(f.methods, name)
			}
		case *ast.Ident:
			if pkg == "audit" && n.Name == "Record" {
				f.records = true
			}
			f.calls = append(f.calls, n.Name)
		}
		return true
	})
}

func receiver(d *ast.FuncDecl) string {
	kind := d.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if name, ok := kind.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// acts tells whether a method is told who acts.
func acts(d *ast.FuncDecl) bool {
	for _, p := range d.Type.Params.List {
		kind := p.Type
		if index, ok := kind.(*ast.IndexExpr); ok {
			kind = index.X
		}
		switch k := kind.(type) {
		case *ast.SelectorExpr:
			if x, ok := k.X.(*ast.Ident); ok && (x.Name == "access" && k.Sel.Name == "Actor" || x.Name == "jobs" && k.Sel.Name == "Job") {
				return true
			}
		case *ast.Ident:
			if k.Name == "Identity" {
				return true
			}
		}
	}
	return false
}

var (
	statementName = regexp.MustCompile(`(?m)^-- name: (\w+) :\w+$`)
	sqlComment    = regexp.MustCompile(`(?m)--.*$`)
	sqlWrites     = regexp.MustCompile(`(?i)\b(?:INSERT\s+INTO|UPDATE\s+\w|DELETE\s+FROM)`)
)

func writingStatements(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := statementName.FindAllStringSubmatchIndex(string(text), -1)
		for i, m := range at {
			end := len(text)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			name, body := string(text[m[2]:m[3]]), sqlComment.ReplaceAllString(string(text[m[1]:end]), "")
			if sqlWrites.MatchString(body) && !internal.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	return names
}
