package handlers

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/a-h/templ"
	"golang.org/x/net/http/httpguts"

	"github.com/dataflowhq/dataflow/views"
)

// handlerFunc answers a request, or says why it can't. Once it has begun to
// write it answers nil: a page that breaks off can't become an error page.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// handle is the one place where an error of a handler becomes an answer.
func handle(f handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			fail(w, r, err)
		}
	}
}

// isPartial tells whether htmx asks for a part of the page. What it asks for
// to replace the whole body (boosted links, history) is a page.
func isPartial(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Request-Type") == "partial"
}

// isHTMX tells whether htmx sent the request at all.
func isHTMX(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// wantsJSON tells whether a program asks, and not a browser that navigates.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	sends := r.Method != http.MethodGet && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(accept, "application/json") || strings.HasPrefix(accept, "application/problem+json") || sends
}

// render writes a component: a whole document or a fragment. It is drawn into
// memory first, so that an error while drawing becomes an error page.
func render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	buffer := templ.GetBuffer()
	defer templ.ReleaseBuffer(buffer)
	if err := c.Render(r.Context(), buffer); err != nil {
		return err
	}
	startHTML(w)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// Somebody who went away gets nothing, and that is no error of ours.
		_, _ = w.Write(buffer.Bytes())
	}
	return nil
}

// renderPage writes content within the shell, or alone where htmx asks for a
// part of the page.
func renderPage(w http.ResponseWriter, r *http.Request, status int, p views.PageProps, content templ.Component) error {
	if isPartial(r) {
		return render(w, r, status, content)
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r.WithContext(templ.WithChildren(r.Context(), content)), status, views.Page(s, p))
}

// startHTML sets the headers of a page or fragment. One URL answers both.
func startHTML(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	addVary(header, "HX-Request, HX-Request-Type")
}

// renderJSON writes v as JSON.
func renderJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}

// redirect goes to another page after a form was taken. Under htmx the whole
// page follows, whatever the target of the form was.
func redirect(w http.ResponseWriter, r *http.Request, path string) error {
	if isHTMX(r) {
		w.Header().Set("HX-Redirect", path)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

// localPath answers path when it stays on this site, else fallback. Browsers
// read a backslash as a slash and drop control characters, so such a path could
// lead elsewhere.
func localPath(path, fallback string) string {
	if len(path) == 0 || len(path) > 2000 || path[0] != '/' || strings.HasPrefix(path, "//") {
		return fallback
	}
	if strings.Contains(path, "\\") || !httpguts.ValidHeaderFieldValue(path) || strings.ContainsAny(path, "\t\r\n") {
		return fallback
	}
	return path
}

func addVary(header http.Header, value string) {
	for _, present := range header.Values("Vary") {
		if present == value {
			return
		}
	}
	header.Add("Vary", value)
}
