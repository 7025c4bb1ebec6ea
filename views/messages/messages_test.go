package messages

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func allKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	files, err := fs.Glob(texts, "en/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no catalogue: %v", err)
	}
	for _, name := range files {
		body, err := fs.ReadFile(texts, name)
		if err != nil {
			t.Fatal(err)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(body, &raw); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for key := range raw {
			if keys[key] {
				t.Errorf("%s: %s is in another file too", name, key)
			}
			keys[key] = true
		}
	}
	return keys
}

var (
	literal = regexp.MustCompile(`"([a-z]+(?:\.[a-z0-9_]+)*\.?)"`)
	call    = regexp.MustCompile(`(?:messages\.T\([^,()]*(?:\(\))?[^,()]*|flash(?:AndGo)?\(w, r),\s*"([^"]+)"`)
)

func isPrefix(text string) bool {
	return strings.HasSuffix(text, ".") || strings.HasSuffix(text, "_") && strings.Contains(text, ".")
}

// Keys are looked for in all code that shows texts. One that is put together
// ("charts.say." + kind) counts as used when its beginning is there, ending in
// a dot or "_".
func TestKeys(t *testing.T) {
	t.Parallel()
	keys := allKeys(t)
	used, prefixes := map[string]bool{}, []string{}
	for _, folder := range []string{"../../views", "../../handlers", "../../domain", "../../workers", "../../cmd"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name := entry.Name()
			isSource := strings.HasSuffix(name, ".templ") || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_templ.go") && !strings.HasSuffix(name, "_test.go")
			if !isSource {
				return nil
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, match := range literal.FindAllStringSubmatch(string(body), -1) {
				if isPrefix(match[1]) {
					prefixes = append(prefixes, match[1])
				} else {
					used[match[1]] = true
				}
			}
			for _, match := range call.FindAllStringSubmatch(string(body), -1) {
				if key := match[1]; !keys[key] && !isPrefix(key) {
					t.Errorf("%s: no text for %s", path, key)
				}
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for key := range keys {
		if used[key] {
			continue
		}
		composed := false
		for _, prefix := range prefixes {
			composed = composed || strings.HasPrefix(key, prefix)
		}
		if !composed {
			t.Errorf("%s is not used anywhere", key)
		}
	}
}

func TestT(t *testing.T) {
	t.Parallel()
	ctx := WithLanguage(context.Background(), "de", "en-GB")
	for want, got := range map[string]string{
		"Home":                    T(ctx, "shell.home"),
		"1 dashboard":             T(ctx, "home.folder_count", "Count", 1),
		"18 dashboards":           T(ctx, "home.folder_count", "Count", 18),
		"to Northlake & <Health>": T(ctx, "signin.lead", "Name", "Northlake & <Health>"),
		"no.such_key":             T(ctx, "no.such_key"),
		"no.such_key ":            T(ctx, "no.such_key", "Name", "x") + " ",
		"Sign in":                 T(context.Background(), "signin.title"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := Language(ctx); got != "en" {
		t.Errorf("language %q", got)
	}
}

func BenchmarkPlain(b *testing.B) {
	ctx := WithLanguage(context.Background(), "en")
	for b.Loop() {
		_ = T(ctx, "shell.home")
	}
}

func BenchmarkWithArguments(b *testing.B) {
	ctx := WithLanguage(context.Background(), "en")
	for b.Loop() {
		_ = T(ctx, "home.folder_count", "Count", 3)
	}
}
