package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

var (
	codeFormat = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)
	// A sentence may end with a command that can be copied, after a colon.
	sentenceFormat = regexp.MustCompile(`^[^a-z].*(\.|: [^.]+)$`)
	kindFormat     = regexp.MustCompile(`^[a-z][a-z0-9_]*:[a-z][a-z0-9_]*$`)
)

// CheckNames reads all Go files below root for names that live longer than
// the code around them: the codes of errors and the kinds of jobs.
func CheckNames(root fs.FS) ([]string, error) {
	n := names{codes: map[string]string{}, kinds: map[string]string{}}
	files, err := read(root)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.test || testOnly(f.pkg) {
			continue
		}
		source, err := fs.ReadFile(root, f.name)
		if err != nil {
			return nil, err
		}
		text := string(source)
		if !strings.Contains(text, "apperr.Define(") && !strings.Contains(text, ") Kind() string") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		n.read(f, parsed)
	}
	return n.found, nil
}

type names struct {
	codes, kinds map[string]string // name -> file
	found        []string
}

func (n *names) complain(f file, format string, args ...any) {
	n.found = append(n.found, f.name+": "+fmt.Sprintf(format, args...))
}

func (n *names) read(f file, parsed *ast.File) {
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			if selector, ok := node.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == "Define" {
				if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "apperr" && len(node.Args) == 3 {
					n.code(f, node.Args[1], node.Args[2])
				}
			}
		case *ast.FuncDecl:
			if node.Recv != nil && node.Name.Name == "Kind" && returnsString(node) {
				n.kind(f, node)
			}
		}
		return true
	})
}

func (n *names) code(f file, code, sentence ast.Expr) {
	text, ok := literal(code)
	if !ok {
		n.complain(f, "the code of an error is not written out where it is defined")
		return
	}
	if !codeFormat.MatchString(text) {
		n.complain(f, "error code %q is not <feature>.<noun>", text)
	}
	if first := n.codes[text]; first != "" {
		n.complain(f, "error code %q is defined in %s already", text, first)
	}
	n.codes[text] = f.name
	shown, ok := literal(sentence)
	if ok && !sentenceFormat.MatchString(shown) {
		n.complain(f, "error %s says %q, which is no sentence", text, shown)
	}
}

// kind looks at methods that answer one constant: a job's Args, and whatever
// else has a Kind with a colon.
func (n *names) kind(f file, method *ast.FuncDecl) {
	if method.Body == nil || len(method.Body.List) != 1 {
		return
	}
	answer, ok := method.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(answer.Results) != 1 {
		return
	}
	text, ok := literal(answer.Results[0])
	if !ok || !strings.Contains(text, ":") {
		return
	}
	feature, _, _ := strings.Cut(text, ":")
	switch {
	case !kindFormat.MatchString(text):
		n.complain(f, "job kind %q is not <feature>:<verb>", text)
	case layer(f.pkg) == "domain" && feature != path.Base(f.pkg):
		n.complain(f, "job kind %q belongs to feature %s", text, path.Base(f.pkg))
	}
	if first := n.kinds[text]; first != "" {
		n.complain(f, "job kind %q is that of %s already", text, first)
	}
	n.kinds[text] = f.name
}

func returnsString(f *ast.FuncDecl) bool {
	if f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return false
	}
	result, ok := f.Type.Results.List[0].Type.(*ast.Ident)
	return ok && result.Name == "string"
}

// literal is a text that is written out, perhaps in several pieces.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, also := literal(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}
