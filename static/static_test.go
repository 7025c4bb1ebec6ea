package static

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, path, encodings string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if encodings != "" {
		r.Header.Set("Accept-Encoding", encodings)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func testFiles(t *testing.T) http.Handler {
	t.Helper()
	var zipped strings.Builder
	z := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(z, "body{}"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return http.StripPrefix(Prefix, files{fstest.MapFS{
		"app-1.css":     {Data: []byte("body{}")},
		"app-1.css.gz":  {Data: []byte(zipped.String())},
		"app-1.css.br":  {Data: []byte("brotli")},
		"app-1.js":      {Data: []byte("1")},
		"manifest.json": {Data: []byte("{}")},
		".placeholder":  {Data: []byte("x")},
	}})
}

func TestHandlerEncodings(t *testing.T) {
	t.Parallel()
	h := testFiles(t)
	for accepted, want := range map[string]string{
		"":                   "",
		"gzip, deflate, br":  "br",
		"gzip;q=1.0, br;q=0": "gzip",
		"identity":           "",
		"GZIP":               "gzip",
		"zstd, br;q=0.5":     "br",
		"gzip;q=nonsense":    "",
	} {
		res := get(t, h, "/static/app-1.css", accepted)
		if got := res.Header.Get("Content-Encoding"); got != want || res.StatusCode != http.StatusOK {
			t.Errorf("Accept-Encoding %q: %d %q, want %q", accepted, res.StatusCode, got, want)
		}
		if res.Header.Get("Content-Type") != "text/css; charset=utf-8" || res.Header.Get("Vary") != "Accept-Encoding" || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("headers %v", res.Header)
		}
	}
	res := get(t, h, "/static/app-1.js", "br, gzip")
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "1" || res.Header.Get("Content-Encoding") != "" {
		t.Errorf("a file without copies: %q %v", body, err)
	}
}

func TestHandlerRefuses(t *testing.T) {
	t.Parallel()
	h := testFiles(t)
	for _, path := range []string{"/static/", "/static/none.css", "/static/manifest.json", "/static/.placeholder", "/static/app-1.css.gz", "/static/app-1.css.br", "/static/../embed.go", "/static//etc/passwd"} {
		if res := get(t, h, path, "gzip"); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/static/app-1.js", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// A manifest that was built names files that are there.
func TestManifest(t *testing.T) {
	t.Parallel()
	if !Built() {
		if URL("app.js") != "/static/app.js" || Icon("x") != "" {
			t.Error("without built assets, names stay as they are")
		}
		return
	}
	for name, entry := range assets().Entries {
		if _, err := fs.Stat(dist, "dist/"+entry.File); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if res := get(t, Handler(), URL(name), "br"); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", URL(name), res.StatusCode)
		}
	}
	for _, name := range []string{"app.js", "app.css", "charts.js", "map.js", "uploads.js", "inter.woff2", "mark.svg"} {
		if _, ok := Lookup(name); !ok {
			t.Errorf("%s was not built", name)
		}
	}
}

// Every icon that code names is among those that are built, and none is built
// for nothing.
func TestIcons(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("icons.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			listed[line] = true
		}
	}
	named := regexp.MustCompile(`(?:Icon|IconEnd|icon):\s*"([a-z0-9-]+)"|[Ii]con\("([a-z0-9-]+)"\)`)
	word := regexp.MustCompile(`"([a-z0-9]+(?:-[a-z0-9]+)*)"`)
	words := map[string]bool{}
	for _, folder := range []string{"../views", "../handlers", "../domain"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_templ.go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if ext := filepath.Ext(path); ext != ".go" && ext != ".templ" {
				return nil
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, match := range named.FindAllStringSubmatch(string(body), -1) {
				if name := match[1] + match[2]; !listed[name] {
					t.Errorf("%s: icon %s is not in icons.txt", path, name)
				}
			}
			for _, match := range word.FindAllStringSubmatch(string(body), -1) {
				words[match[1]] = true
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	for name := range listed {
		if !words[name] {
			t.Errorf("icon %s is built for nothing", name)
		}
		if Built() && Icon(name) == "" {
			t.Errorf("icon %s was not built", name)
		}
	}
}

type tokens struct {
	Light map[string]string `json:"light"`
	Dark  map[string]string `json:"dark"`
}

func readTokens(t *testing.T) tokens {
	t.Helper()
	text, err := os.ReadFile("src/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var all tokens
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// luminance is the relative luminance of WCAG 2.2 of #RRGGBB.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil || len(colour) != 7 {
		t.Fatalf("not a colour: %q", colour)
	}
	channel := func(shift uint) float64 {
		v := float64(n>>shift&255) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrast(t *testing.T) {
	t.Parallel()
	all := readTokens(t)
	for theme, values := range map[string]map[string]string{"light": all.Light, "dark": all.Dark} {
		check := func(least float64, front string, backs ...string) {
			t.Helper()
			for _, back := range backs {
				if got := contrast(t, values[front], values[back]); got < least {
					t.Errorf("%s: %s on %s is %.2f:1, want %.1f:1", theme, front, back, got, least)
				}
			}
		}
		surfaces := []string{"--color-base-100", "--color-base-200", "--df-raised"}
		for _, ink := range []string{"--color-base-content", "--df-ink-2", "--df-ink-3", "--df-link", "--df-pos", "--df-neg", "--df-warn"} {
			check(4.5, ink, surfaces...)
		}
		check(4.5, "--df-ink-2", "--color-base-300")
		check(4.5, "--df-pos", "--df-pos-soft")
		check(4.5, "--df-neg", "--df-neg-soft")
		check(4.5, "--df-warn", "--df-warn-soft")
		check(4.5, "--df-live", "--df-pos-soft", "--color-base-100")
		for _, name := range []string{"primary", "secondary", "neutral", "info", "success", "warning", "error"} {
			check(4.5, "--color-"+name+"-content", "--color-"+name)
		}
		check(4.5, "--map-label", "--map-land", "--map-water")
		for i := range 8 {
			check(4.5, "--person-ink", "--person-"+strconv.Itoa(i))
		}
		check(3, "--df-control", "--color-base-100")
		for _, series := range []string{"--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c-other", "--c-previous"} {
			check(3, series, "--color-base-100")
		}
	}
	check := contrast(t, all.Dark["--df-focus"], all.Dark["--color-base-200"])
	if check < 3 {
		t.Errorf("the focus ring on the dark canvas is %.2f:1", check)
	}
}

// Colours are the tokens': no sheet of ours holds one.
func TestNoColourInSheets(t *testing.T) {
	t.Parallel()
	sheets, err := filepath.Glob("src/css/*.css")
	if err != nil || len(sheets) == 0 {
		t.Fatalf("no sheets: %v", err)
	}
	colour := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\b(?:rgb|rgba|hsl|oklch)\(`)
	for _, sheet := range sheets {
		text, err := os.ReadFile(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if found := colour.FindString(string(text)); found != "" {
			t.Errorf("%s holds the colour %s", sheet, found)
		}
	}
}
