// Package reports makes files of dashboards: documents that a browser prints,
// and tables; and files of whole datasets. A report is a row, written by the transaction that wants it, and
// a job that makes the file; the shell makes the same file at once.
package reports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/notify"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
)

// What can go wrong with a report.
var (
	// ErrNotFound also covers reports of other people and workspaces.
	ErrNotFound = apperr.Define(apperr.NotFound, "reports.not_found",
		"This report does not exist or was removed.")
	ErrSpec = apperr.Define(apperr.Invalid, "reports.invalid",
		"A report like this can't be made.")
	ErrExpired = apperr.Define(apperr.Gone, "reports.expired",
		"This download has expired. Make the report again.")
	ErrLink = apperr.Define(apperr.Forbidden, "reports.link_invalid",
		"This link has run out or is not whole. Open the report again for a new one.")
	ErrTooLarge = apperr.Define(apperr.TooLarge, "reports.too_large",
		"This has more rows than the format can hold. Choose CSV, or filter.")
	ErrNoRenderer = apperr.Define(apperr.Unavailable, "reports.no_renderer",
		"This process prints nothing.")
	errWidgetTimeout = apperr.Define(apperr.Timeout, "reports.widget_timeout",
		"This widget took longer than a report waits for it.")
)

// Format is what a report becomes.
type Format string

// The formats. PNG and SVG are pictures: of one widget, PNG also of all.
const (
	PDF    Format = "PDF"
	CSV    Format = "CSV"
	XLSX   Format = "XLSX"
	NDJSON Format = "NDJSON"
	PNG    Format = "PNG"
	SVG    Format = "SVG"
	// Parquet is of one widget, or of a dataset.
	Parquet Format = "PARQUET"
)

// Formats lists all formats.
var Formats = []Format{PDF, CSV, XLSX, NDJSON, PNG, SVG, Parquet}

// DatasetFormats lists those of a whole dataset.
var DatasetFormats = []Format{CSV, XLSX, NDJSON, Parquet}

// printed tells whether the browser makes it.
func (f Format) printed() bool { return f == PDF || f == PNG || f == SVG }

// extension and mediaType name the file.
func (f Format) extension() string {
	return map[Format]string{PDF: ".pdf", CSV: ".csv", XLSX: ".xlsx", NDJSON: ".ndjson", PNG: ".png", SVG: ".svg", Parquet: ".parquet"}[f]
}

// MediaType is the Content-Type of the file.
func (f Format) MediaType() string {
	return map[Format]string{PDF: "application/pdf", CSV: "text/csv; charset=utf-8; header=present",
		XLSX:   "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		NDJSON: "application/x-ndjson", PNG: "image/png", SVG: "image/svg+xml", Parquet: "application/vnd.apache.parquet"}[f]
}

// Paper is the size of a sheet.
type Paper string

// The papers.
const (
	A4     Paper = "a4"
	Letter Paper = "letter"
)

// Spec is what a report shows of a dashboard. It is kept as JSON.
type Spec struct {
	Format Format `json:"format"`
	// Widgets are the ids of those that are shown; none for all.
	Widgets []string `json:"widgets,omitempty"`
	// Filters are a viewer's choices as the query of a link writes them
	// (docs/dashboard-links.md).
	Filters string `json:"filters,omitempty"`
	// Snapshot is the moment that is shown; empty for the newest.
	Snapshot  string `json:"snapshot,omitempty"`
	Paper     Paper  `json:"paper,omitempty"` // A4 when empty
	Landscape bool   `json:"landscape,omitempty"`
	// Plain writes a CSV for programs: commas, points, no byte order mark.
	// Otherwise it opens right in spreadsheet programs of the reader's locale.
	Plain bool `json:"plain,omitempty"`
}

func (s *Spec) clean() error {
	if !slices.Contains(Formats, s.Format) {
		return ErrSpec.With("There is no format %q.", s.Format)
	}
	if s.Paper == "" {
		s.Paper = A4
	}
	if s.Paper != A4 && s.Paper != Letter {
		return ErrSpec.With("There is no paper %q.", s.Paper)
	}
	if s.Format == SVG && len(s.Widgets) != 1 {
		return ErrSpec.With("An SVG shows one widget. Choose which.")
	}
	if s.Format == Parquet && len(s.Widgets) != 1 {
		return ErrSpec.With("A Parquet file holds one table. Choose a widget.")
	}
	return nil
}

// cleanDataset is clean for the file of a dataset.
func (s *Spec) cleanDataset() error {
	if !slices.Contains(DatasetFormats, s.Format) {
		return ErrSpec.With("A dataset can't be written as %q. Choose CSV, XLSX, NDJSON or Parquet.", s.Format)
	}
	*s = Spec{Format: s.Format, Plain: s.Plain} // nothing else means anything
	return nil
}

// Stated is what is known of a file that was made.
type Stated struct {
	Name string `json:"-"` // of the file
	// DatasetVersions are the versions shown, by id of the dataset.
	DatasetVersions map[string]int64 `json:"dataset_versions"`
	Widgets         int              `json:"widgets"`
	FailedWidgets   int              `json:"failed_widgets"`        // shown as failed in the file
	CutWidgets      int              `json:"cut_widgets,omitempty"` // tables that go on beyond what a page holds, and say so
	Rows            int64            `json:"rows,omitempty"`        // of data, in files of rows
	Bytes           int64            `json:"bytes"`
	SHA256          string           `json:"sha256"` // in hex
	Pages           Pages            `json:"pages,omitzero"`
	// Sees is what the person saw of the data (datasets.Dataset.Sees, JoinSees).
	Sees string `json:"sees,omitempty"`
}

// Pages are those of a document; zero for what has none, and where it is not known.
type Pages struct {
	Count     int   `json:"count"`
	Paper     Paper `json:"paper"`
	Landscape bool  `json:"landscape,omitempty"`
}

// Document is a page for the Renderer.
type Document struct {
	Path   string // of the print origin
	Format Format // PDF, PNG or SVG
	// Width and Height of the page's content, in CSS pixels.
	Width, Height int
	// Take selects what a picture is of.
	Take string
}

// Renderer makes documents of pages. Said is what the page said about itself.
type Renderer interface {
	Render(ctx context.Context, d Document) (body []byte, said string, err error)
}

// Dashboards is what reports ask of package dashboards.
type Dashboards interface {
	Get(ctx context.Context, actor access.Actor, id ids.Dashboard) (dashboards.Dashboard, error)
	Open(ctx context.Context, actor access.Actor, r dashboards.OpenRequest) (*dashboards.View, error)
	Draw(ctx context.Context, v *dashboards.View, p *dashboards.Plan) (*dashboards.Tile, error)
	OpenRows(ctx context.Context, v *dashboards.View, widget string) (*dashboards.Rows, error)
	Hold(ctx context.Context, v *dashboards.View, purpose string, work func(context.Context) error) error
	OpenDataset(ctx context.Context, actor access.Actor, id ids.Dataset) (*dashboards.Rows, error)
	Sees(ctx context.Context, actor access.Actor, d *dashboards.Dashboard) (string, error)
}

// Visitors says who visits a portal, and how it looks; it is portals.Service.
type Visitors interface {
	VisitOf(ctx context.Context, tenant ids.Tenant, visitor ids.Visitor) (portals.Portal, portals.Visit, error)
	Asset(ctx context.Context, p portals.Portal, kind, sum string) (portals.Asset, error)
}

// Deps are what the service works with.
type Deps struct {
	DB         *db.DB
	Blobs      *blob.Store
	Tenants    *tenants.Service
	Dashboards Dashboards
	Visitors   Visitors // nil: none gets a file
	// Renderer is nil where nothing is printed: in a process with pages alone.
	Renderer Renderer
	// Words are the texts of drawings in the language of a locale.
	Words func(ctx context.Context, locale string) dashboards.Words
	// Key signs links to files; 32 bytes.
	Key []byte
	// Mail brings scheduled reports; Address is how people reach this
	// installation, "https://bi.example.com".
	Mail    *delivery.Service
	Address func() string
	// Notify tells owners when a report did not arrive.
	Notify *notify.Service
	// WidgetTimeout is how long a report waits for one widget (default 45 s).
	WidgetTimeout time.Duration
	Log           *slog.Logger
	Clock         func() time.Time // time.Now when nil
}

// Service is safe for concurrent use.
type Service struct {
	deps    Deps
	tickets tickets
}

// New makes the service.
func New(deps Deps) *Service {
	if deps.WidgetTimeout <= 0 {
		deps.WidgetTimeout = 45 * time.Second
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	return &Service{deps: deps, tickets: tickets{open: map[string]*Sheet{}}}
}

// Render makes the file that the actor would get, now, and writes it to out.
//
// Errors: reports.invalid, reports.too_large, those of opening the dashboard,
// of the rows of a table, and of the browser. A widget of a document that
// fails is shown as failed and counted.
func (s *Service) Render(ctx context.Context, actor access.Actor, id ids.Dashboard, spec Spec, out io.Writer) (Stated, error) {
	return s.render(ctx, actor, id, spec, out, func(string, int, int) {})
}

// progress tells how many of the widgets are done in a phase.
type progress func(phase string, done, of int)

func (s *Service) render(ctx context.Context, actor access.Actor, id ids.Dashboard, spec Spec, out io.Writer, tell progress) (Stated, error) {
	v, plans, err := s.bind(ctx, actor, id, &spec)
	if err != nil {
		return Stated{}, err
	}
	return s.write(ctx, v, plans, spec, out, tell)
}

// bind opens what a report shows, without asking a widget yet.
func (s *Service) bind(ctx context.Context, actor access.Actor, id ids.Dashboard, spec *Spec) (*dashboards.View, []*dashboards.Plan, error) {
	if err := spec.clean(); err != nil {
		return nil, nil, err
	}
	state, err := parseFilters(spec.Filters)
	if err != nil {
		return nil, nil, err
	}
	// A report holds all of the dashboard, whatever tab was open.
	state.Tab = dashboards.AllTabs
	now := s.deps.Clock()
	request := dashboards.OpenRequest{ID: id, State: state, Snapshot: spec.Snapshot, Now: now.Truncate(time.Minute), Words: s.deps.Words(ctx, actor.Locale)}
	if spec.Format.printed() {
		request.TableRows = maxPrintedRows
	}
	if spec.Format == PNG {
		request.TableRows = maxPicturedRows
	}
	v, err := s.deps.Dashboards.Open(ctx, actor, request)
	if err != nil {
		return nil, nil, err
	}
	// A filter that is left out would make the file silently wrong.
	for name := range state.Picks {
		if !slices.ContainsFunc(v.Controls, func(c dashboards.ControlView) bool { return c.ID == name }) {
			return nil, nil, dashboards.ErrControlNotFound.With("The dashboard has no filter and no column %q.", name)
		}
	}
	if err := s.callAsPortal(ctx, actor, v); err != nil {
		return nil, nil, err
	}
	plans, err := chosen(v, spec.Widgets)
	return v, plans, err
}

// callAsPortal gives a dashboard the name that a visitor's portal has for it.
func (s *Service) callAsPortal(ctx context.Context, actor access.Actor, v *dashboards.View) error {
	if actor.Kind != access.Visitor || actor.VisitorID.IsZero() || s.deps.Visitors == nil {
		return nil
	}
	_, visit, err := s.deps.Visitors.VisitOf(ctx, actor.TenantID, actor.VisitorID)
	if err != nil {
		return err
	}
	if name := visit.NameOf(v.Dashboard.ID); name != "" {
		v.Dashboard.Name = name
	}
	return nil
}

// write makes the file of what bind opened.
func (s *Service) write(ctx context.Context, v *dashboards.View, plans []*dashboards.Plan, spec Spec, out io.Writer, tell progress) (Stated, error) {
	stated := Stated{Name: dashboards.FileName(v.Dashboard.Name) + spec.Format.extension(), DatasetVersions: map[string]int64{}, Widgets: len(plans), Sees: v.Sees()}
	if len(spec.Widgets) == 1 && plans[0].Widget.Title != "" {
		stated.Name = dashboards.FileName(plans[0].Widget.Title) + spec.Format.extension()
	}
	for dataset, version := range v.Snapshot.Versions() {
		stated.DatasetVersions[dataset.String()] = version
	}
	sum := &summer{out: out, hash: sha256.New()}
	err := s.deps.Dashboards.Hold(ctx, v, "report", func(ctx context.Context) error {
		if spec.Format.printed() {
			return s.print(ctx, v, plans, spec, sum, &stated, tell)
		}
		return s.tabulate(ctx, v, plans, spec, sum, &stated, tell)
	})
	stated.Bytes, stated.SHA256 = sum.bytes, hex.EncodeToString(sum.hash.Sum(nil))
	return stated, err
}

// chosen are the widgets of a report, in the order of the page. Nothing can be
// chosen on paper, and what is chosen stands above the widgets: filters of the
// canvas are left out.
func chosen(v *dashboards.View, widgets []string) ([]*dashboards.Plan, error) {
	var plans []*dashboards.Plan
	for _, p := range v.Tiles {
		if p.Widget.Type != charts.Control && (len(widgets) == 0 || slices.Contains(widgets, p.ID)) {
			plans = append(plans, p)
		}
	}
	if len(widgets) > 0 && len(plans) != len(widgets) {
		return nil, dashboards.ErrWidgetNotFound
	}
	return plans, nil
}

// summer counts and sums what goes through it.
type summer struct {
	out   io.Writer
	hash  hash.Hash
	bytes int64
}

func (w *summer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.bytes += int64(n)
	w.hash.Write(p[:n]) // never fails
	return n, err
}
