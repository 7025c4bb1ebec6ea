// Package archtest reads the imports of every file and says where they break
// the rules of ARCHITECTURE.md. It parses import clauses only, so it is quick
// and does not need the code to compile.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/dataflowhq/dataflow"

// Violation is one import that the rules forbid.
type Violation struct {
	File   string
	Import string
	Reason string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s imports %s: %s", v.File, v.Import, v.Reason)
}

// file is what the rules look at.
type file struct {
	name    string
	pkg     string // folder below the module's root
	test    bool
	imports []string
	ast     *ast.File
}

// Check reads all Go files below root, which is the module's folder.
func Check(root fs.FS) ([]Violation, error) {
	files, err := read(root)
	if err != nil {
		return nil, err
	}
	var found []Violation
	for _, f := range files {
		for _, imported := range f.imports {
			if reason := f.forbidden(imported); reason != "" {
				found = append(found, Violation{File: f.name, Import: imported, Reason: reason})
			}
		}
		found = append(found, f.services()...)
	}
	return found, nil
}

func read(root fs.FS) ([]file, error) {
	var files []file
	fileSet := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			base := entry.Name()
			if name != "." && (base == "node_modules" || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil && name != "." {
				return fs.SkipDir // a module of its own, such as tools
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		mode := parser.ImportsOnly
		if layer(path.Dir(name)) == "views" {
			mode = parser.SkipObjectResolution // its bodies are looked at as well
		}
		parsed, err := parser.ParseFile(fileSet, name, source, mode)
		if err != nil {
			return err
		}
		f := file{name: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), ast: parsed}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// layer is the top folder.
func layer(pkg string) string {
	top, _, _ := strings.Cut(pkg, "/")
	return top
}

// within tells whether pkg is one of the folders or below one.
func within(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return pkg == folder || strings.HasPrefix(pkg, folder+"/")
	})
}

// forbidden says why f may not have an import; empty where it may.
func (f file) forbidden(imported string) string {
	if inside, ok := strings.CutPrefix(imported, Module+"/"); ok {
		return f.forbiddenInside(inside)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	return f.forbiddenLibrary(imported)
}

func (f file) forbiddenInside(imported string) string {
	if testOnly(imported) && !f.test && !testOnly(f.pkg) {
		return "packages that help tests are for tests"
	}
	if f.test && layer(f.pkg) != "e2e" {
		return "" // a test may bring real parts together
	}
	if testOnly(f.pkg) {
		return ""
	}
	rule, known := layers[layer(f.pkg)]
	if !known {
		return "this folder has no rule: add it to ARCHITECTURE.md and to archtest"
	}
	return rule.forbids(f.pkg, imported)
}

// testOnly tells whether a package exists to help tests.
func testOnly(pkg string) bool {
	base := path.Base(pkg)
	return strings.HasSuffix(base, "test") && base != "archtest" && base != "test"
}

func (f file) forbiddenLibrary(imported string) string {
	if f.test {
		return "" // tests speak to real parts by whatever client is at hand
	}
	for _, owner := range libraries {
		if within(imported, owner.library) && !within(f.pkg, owner.packages...) {
			return fmt.Sprintf("%s has one owner, %s: %s", owner.library, strings.Join(owner.packages, " and "), owner.reason)
		}
	}
	return ""
}

// services finds views that name a service of the domain: a page gets values.
func (f file) services() []Violation {
	if layer(f.pkg) != "views" || f.test {
		return nil
	}
	domains := map[string]string{} // name in this file -> path
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !within(imported, Module+"/domain") {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		domains[name] = imported
	}
	var found []Violation
	ast.Inspect(f.ast, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && selector.Sel.Name == "Service" && domains[pkg.Name] != "" {
			found = append(found, Violation{File: f.name, Import: domains[pkg.Name] + ".Service",
				Reason: "a page is drawn from values: it makes no call, and so no decision about permissions"})
		}
		return true
	})
	return found
}
