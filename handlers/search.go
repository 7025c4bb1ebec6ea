package handlers

import (
	"net/http"
	"net/url"
	"sort"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/views"
)

// search answers the search dialog of every page.
type search struct{ *core }

func (h search) routes(r chi.Router) { r.Get(views.PathSearch, handle(h.find)) }

// hitsOfAKind is how many of each kind are shown.
const hitsOfAKind = 6

// find lists dashboards, datasets and fields by words. Opened directly it leads
// to the list of dashboards, which searches by the same words.
func (h search) find(w http.ResponseWriter, r *http.Request) error {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	if !isHTMX(r) {
		return redirect(w, r, views.PathDashboards+"?"+url.Values{"q": {text}}.Encode())
	}
	if text == "" {
		return render(w, r, http.StatusOK, views.SearchResults(nil))
	}
	a, write := actor(r), writerFor(r)
	boards := views.SearchGroup{ID: "dashboards", Label: write.t("shell.search_dashboards")}
	listing, err := h.Dashboards.List(r.Context(), a, dashboards.ListQuery{Search: text, Sort: dashboards.ByOpened, Limit: hitsOfAKind})
	if err != nil {
		return err
	}
	// One that is called so stands before one that has it in a widget.
	sort.SliceStable(listing.Entries, func(i, j int) bool {
		return hasWords(listing.Entries[i].Name, text) && !hasWords(listing.Entries[j].Name, text)
	})
	for _, e := range listing.Entries {
		boards.Hits = append(boards.Hits, views.SearchResult{Label: e.Name, Detail: e.FolderName, Icon: "layout-dashboard", Href: views.PathDashboard(e.ID.String())})
	}
	found, err := h.Datasets.Search(r.Context(), a, text, hitsOfAKind)
	if err != nil {
		return err
	}
	sets := views.SearchGroup{ID: "datasets", Label: write.t("shell.search_datasets")}
	for _, d := range found.Datasets {
		hit := views.SearchResult{Label: d.Name, Icon: "database", Href: views.PathDataset(d.ID.String())}
		if d.Rows != datasets.Withheld {
			hit.Detail = write.t("shell.search_rows", "Count", int(d.Rows), "Rows", write.l.Integer(d.Rows))
		}
		sets.Hits = append(sets.Hits, hit)
	}
	fields := views.SearchGroup{ID: "fields", Label: write.t("shell.search_fields")}
	for _, c := range found.Columns {
		fields.Hits = append(fields.Hits, views.SearchResult{Label: c.Name, Detail: c.DatasetName, Icon: icon(string(c.Type)),
			Href: views.PathDataset(c.Dataset.String()) + "#" + views.ColumnRowID(c.ID)})
	}
	for _, f := range found.Fields {
		fields.Hits = append(fields.Hits, views.SearchResult{Label: f.Name, Detail: f.DatasetName, Icon: "square-function",
			Href: views.PathDatasetTab(f.Dataset.String(), views.TabFields)})
	}
	return render(w, r, http.StatusOK, views.SearchResults([]views.SearchGroup{boards, sets, fields}))
}
