// Package static holds the built CSS, JavaScript, fonts and icons, and serves
// them. `make assets` builds them into dist; the code compiles without, then
// URL still answers a path, nothing is found under it, and Icon answers "".
package static

import (
	"embed"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed all:dist
var dist embed.FS

// Prefix is the URL path under which Handler is mounted.
const Prefix = "/static/"

// Entry is one built file, named in the manifest by the name that the code
// uses for it.
type Entry struct {
	File      string   `json:"file"`                // within dist, with the content's hash
	Integrity string   `json:"integrity,omitempty"` // "sha256-…", of scripts and style sheets
	Imports   []string `json:"imports,omitempty"`   // files that a script imports at once
}

type built struct {
	Entries map[string]Entry  `json:"entries"`
	Icons   map[string]string `json:"-"`
}

var assets = sync.OnceValue(func() built {
	var b built
	if text, err := fs.ReadFile(dist, "dist/manifest.json"); err == nil {
		// The build wrote both files: a malformed one is a broken build, and
		// the tests of this package say so.
		_ = json.Unmarshal(text, &b)
	}
	if text, err := fs.ReadFile(dist, "dist/icons.json"); err == nil {
		_ = json.Unmarshal(text, &b.Icons)
	}
	return b
})

// Built tells whether the assets were built into this binary.
func Built() bool { return len(assets().Entries) > 0 }

// URL is the path of an asset by its plain name: "app.js", "app.css",
// "map.js", "inter.woff2". It carries the hash of the content, so that a
// browser may keep it for ever.
func URL(name string) string {
	if e, ok := assets().Entries[name]; ok {
		return Prefix + e.File
	}
	return Prefix + name
}

// Lookup is the manifest's entry of an asset.
func Lookup(name string) (Entry, bool) {
	e, ok := assets().Entries[name]
	return e, ok
}

// Icon is the inside of a 24 by 24 outline icon's svg element, by its lucide
// name; "" when it was not built.
func Icon(name string) string { return assets().Icons[name] }

// Handler serves the built files under Prefix, in the smallest encoding that
// the browser takes. Names carry a hash, so answers may be kept for ever.
func Handler() http.Handler {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("static: " + err.Error()) // the folder is embedded: cannot happen
	}
	return http.StripPrefix(Prefix, files{root})
}

type files struct{ root fs.FS }

// encodings in the order of preference; the build writes both beside a file.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

func (f files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := path.Clean(r.URL.Path)
	if !fs.ValidPath(name) || strings.HasPrefix(path.Base(name), ".") || isInternal(name) {
		http.NotFound(w, r)
		return
	}
	f.send(w, r, name, "public, max-age=31536000, immutable")
}

// Serve answers an asset by its plain name, at an address that stays the same
// when the content changes: browsers keep it for a while only.
func Serve(w http.ResponseWriter, r *http.Request, name string, keep time.Duration) {
	root, err := fs.Sub(dist, "dist")
	entry, built := Lookup(name)
	if err != nil || !built {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+entry.File+`"`)
	if r.Header.Get("If-None-Match") == `"`+entry.File+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	files{root}.send(w, r, entry.File, "public, max-age="+strconv.Itoa(int(keep.Seconds())))
}

// send answers a file, which browsers may cache as said.
func (f files) send(w http.ResponseWriter, r *http.Request, name, cache string) {
	header := w.Header()
	for _, e := range encodings {
		if !accepts(r.Header.Get("Accept-Encoding"), e.name) {
			continue
		}
		if body, err := fs.ReadFile(f.root, name+e.suffix); err == nil {
			header.Set("Content-Encoding", e.name)
			f.write(w, r, name, cache, body)
			return
		}
	}
	body, err := fs.ReadFile(f.root, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	f.write(w, r, name, cache, body)
}

// isInternal keeps what only the server reads from being served: the manifest,
// the icons, and the encoded copies under their own names.
func isInternal(name string) bool {
	return name == "manifest.json" || name == "icons.json" ||
		strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz")
}

func (files) write(w http.ResponseWriter, r *http.Request, name, cache string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType(name))
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", cache)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept-Encoding")
	// What browsers keep for a year needs no id of the request that fetched it,
	// and a page loads some twenty files.
	header.Del("X-Request-Id")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		// A browser that went away is no news.
		_, _ = w.Write(body)
	}
}

// contentType does not ask the machine's mime tables: they differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".json", ".geojson":
		return "application/json"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// accepts reads an Accept-Encoding header as far as it matters here: a coding
// that is named, and not with q=0.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !found {
			return true
		}
		weight, err := strconv.ParseFloat(q, 64)
		return err == nil && weight > 0
	}
	return false
}
