package handlers

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
)

// api is what programs ask. They have a key of the workspace's (API keys) and
// nothing else: cookies are not looked at, so no page of another site can ask in
// somebody's name, and a key opens none of the pages of people. docs/api.md
// describes each route.
type api struct {
	*core
	boards boards
}

func (h api) routes(r chi.Router) {
	r.Route(views.PathAPI, func(r chi.Router) {
		r.NotFound(handle(func(http.ResponseWriter, *http.Request) error { return errNoPage }))
		r.MethodNotAllowed(handle(func(http.ResponseWriter, *http.Request) error { return errMethod }))
		r.Group(func(r chi.Router) {
			r.Use(h.byKey, middleware.Compress(5, compressible...))
			r.Get("/datasets", handle(h.datasets))
			r.Get("/datasets/{id}", handle(h.dataset))
			r.Post("/query", handle(h.query))
			r.Get("/dashboards", handle(h.dashboards))
			r.Get("/dashboards/{id}", handle(h.noted("dashboard.file_downloaded", "dashboard", "id", editor{h.boards}.file)))
			r.Get("/dashboards/{id}/widgets/{widget}", handle(h.noted("dashboard.downloaded", "dashboard", "id", h.rows)))
		})
	})
}

// byKey finds out which program asks. A key that is refused is on record where its
// workspace is known.
func (h api) byKey(next http.Handler) http.Handler {
	return handle(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		key, _ := bearer(r)
		a, err := h.Auth.IdentifyAPIKey(r.Context(), key, client(r))
		if err != nil {
			if apperr.Describe(err).Class == apperr.Unauthenticated {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			if h.Audit != nil && !a.TenantID.IsZero() && apperr.Describe(err).Class != apperr.RateLimited {
				h.Audit.Note(r.Context(), a, audit.Entry{Action: "keys.refused", Target: "api_key", ID: a.KeyID.String(), Denied: true,
					Detail: map[string]any{"name": a.KeyName, "code": apperr.Describe(err).Code}})
			}
			return err
		}
		scopeOf(r).identity = &auth.Identity{Actor: a, Zone: a.Location().String(), Locale: a.Locale, Version: "key " + a.KeyID.String() + a.Mark()}
		next.ServeHTTP(w, r)
		return nil
	})
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

type apiDataset struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	Version     int64       `json:"version"`
	UpdatedAt   string      `json:"updated_at"`
	Columns     []apiColumn `json:"columns,omitempty"`
}

// apiColumn is a column as the key sees it: a masked one has the type of what is
// left of it.
type apiColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func (h api) datasets(w http.ResponseWriter, r *http.Request) error {
	list, err := h.Datasets.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	out := make([]apiDataset, len(list))
	for i, d := range list {
		out[i] = apiDataset{ID: d.ID.String(), Name: d.Name, Description: d.Description, Version: d.Version, UpdatedAt: moment(d.UpdatedAt)}
	}
	return renderJSON(w, http.StatusOK, map[string]any{"datasets": out})
}

func (h api) dataset(w http.ResponseWriter, r *http.Request) error {
	id, err := datasetID(r)
	if err != nil {
		return err
	}
	d, err := h.Datasets.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	out := apiDataset{ID: d.ID.String(), Name: d.Name, Description: d.Description, Version: d.Version, UpdatedAt: moment(d.UpdatedAt)}
	for _, c := range d.Columns {
		out.Columns = append(out.Columns, apiColumn{c.Name, string(c.Type)})
	}
	return renderJSON(w, http.StatusOK, out)
}

// query answers a query spec under the role and the attributes of the key.
func (h api) query(w http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, datasets.MaxSpecBytes+1))
	if err != nil {
		return errForm.Wrap(err)
	}
	asked, answer, err := h.Datasets.Answer(r.Context(), actor(r), text)
	if err != nil {
		return err
	}
	if h.Audit != nil {
		h.Audit.Note(r.Context(), actor(r), audit.Entry{Action: "datasets.queried", Target: "dataset", ID: asked.String()})
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(answer, '\n')) // somebody who went away gets nothing
	return nil
}

type apiDashboard struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Folder    string      `json:"folder,omitempty"`
	Tags      []string    `json:"tags,omitempty"`
	UpdatedAt string      `json:"updated_at"`
	Widgets   []apiWidget `json:"widgets"`
}

type apiWidget struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
	Type  string `json:"type"`
}

// dashboards lists what the key sees by name, 100 at a time.
func (h api) dashboards(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	offset, err := offsetOf(query)
	if err != nil {
		return err
	}
	listing, err := h.Dashboards.List(r.Context(), actor(r), dashboards.ListQuery{Search: query.Get("q"), Sort: dashboards.ByName, Limit: 100, Offset: offset})
	if err != nil {
		return err
	}
	out := make([]apiDashboard, 0, len(listing.Entries))
	for _, d := range listing.Entries {
		one := apiDashboard{ID: d.ID.String(), Name: d.Name, Folder: d.FolderName, Tags: d.Tags, UpdatedAt: moment(d.UpdatedAt), Widgets: []apiWidget{}}
		for _, placed := range d.Config.Order() {
			widget := d.Config.Widgets[placed]
			one.Widgets = append(one.Widgets, apiWidget{ID: placed, Title: strings.TrimSpace(widget.Title), Type: string(widget.Type)})
		}
		out = append(out, one)
	}
	return renderJSON(w, http.StatusOK, map[string]any{"dashboards": out, "total": listing.Matches})
}

// mostOffset bounds how far into a list somebody asks.
const mostOffset = 1_000_000

var errOffset = apperr.Define(apperr.Invalid, "http.offset", fmt.Sprintf("“offset” is a whole number from 0 to %d.", mostOffset))

// offsetOf is how many entries of a list are left out, 0 where nothing is said.
//
// Errors: http.offset.
func offsetOf(query url.Values) (int, error) {
	if !query.Has("offset") {
		return 0, nil
	}
	offset, err := strconv.Atoi(query.Get("offset"))
	if err != nil || offset < 0 || offset > mostOffset {
		return 0, errOffset
	}
	return offset, nil
}

// rows are those behind a widget. To a program an answer without its filter would
// be one that is silently wrong.
func (h api) rows(w http.ResponseWriter, r *http.Request) error {
	v, err := h.boards.open(r)
	if err != nil {
		return err
	}
	if err := v.CheckLink(r.URL.Query()); err != nil {
		return err
	}
	return h.boards.rows(w, r, v)
}
