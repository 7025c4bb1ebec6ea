package views

import (
	"context"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// PathReports lists a person's reports.
const PathReports = "/reports"

// PathReport is one of them.
func PathReport(id string) string { return PathReports + "/" + id }

// pathDownload asks in which form to download a dashboard; POST reports makes it.
func pathDownload(id string) string { return PathDashboard(id) + "/download" }

// ParamFormat chooses the format in the forms of pathDownload and
// pathDownloadDataset.
const ParamFormat = "format"

// PathMakeAgain is the form that asks for the same file anew.
func PathMakeAgain(r reports.Report) string {
	query, _ := url.ParseQuery(r.Spec.Filters) // kept as a link was written
	query.Set(ParamFormat, string(r.Format))
	if !r.Dataset.IsZero() {
		return withQuery(pathDownloadDataset(r.Dataset.String()), query.Encode())
	}
	if len(r.Spec.Widgets) == 1 {
		query.Set("widget", r.Spec.Widgets[0])
	}
	return withQuery(pathDownload(r.Dashboard.String()), query.Encode())
}

// PathRequestReport takes the form of pathDownload.
func PathRequestReport(id string) string { return PathDashboard(id) + "/reports" }

// pathDownloadDataset is pathDownload of a dataset.
func pathDownloadDataset(id string) string { return PathDataset(id) + "/download" }

// DownloadProps asks in which form to download a dashboard, one widget, or a
// dataset.
type DownloadProps struct {
	Dashboard string // id
	Dataset   string // id; nothing else but Name and Spec is looked at then
	Name      string // what is downloaded, for people
	Widget    string // id; empty for all
	Chart     bool   // of the widget: it can be an SVG
	Filters   string // query of the page's link
	Snapshot  string
	Spec      reports.Spec // what is chosen
}

// formats are those that what is downloaded can have.
func (p DownloadProps) formats(ctx context.Context) []ui.Option {
	list := []reports.Format{reports.PDF, reports.XLSX, reports.CSV, reports.NDJSON, reports.PNG}
	if p.Widget != "" {
		list = append(list, reports.Parquet)
	}
	if p.Widget != "" && p.Chart {
		list = append(list, reports.SVG)
	}
	if p.Dataset != "" {
		list = reports.DatasetFormats
	}
	options := make([]ui.Option, len(list))
	for i, f := range list {
		options[i] = ui.Option{Value: string(f), Label: messages.T(ctx, "reports.format_"+string(f)), Selected: f == p.Spec.Format}
	}
	return options
}

// action is where the form goes.
func (p DownloadProps) action() string {
	if p.Dataset != "" {
		return PathDataset(p.Dataset) + "/reports"
	}
	return PathRequestReport(p.Dashboard)
}

// ReportProps is one report as its page or dialog shows it.
type ReportProps struct {
	Report reports.Report
	Locale *locale.Locale
	Zone   *time.Location
}

// ReportID is the element that follows a report, reportLiveID that which hears
// of it.
const (
	ReportID     = "report"
	reportLiveID = "report-live"
)

// following has the page ask again while the report is made: when it is told
// to, and now and then where it is told nothing.
func (p ReportProps) following() templ.Attributes {
	if p.Report.Status.Over() {
		return nil
	}
	return templ.Attributes{"hx-get": PathReport(p.Report.ID.String()), "hx-trigger": "df:progress from:body, every 2s", "hx-target": "#" + ReportID, "hx-swap": "outerHTML"}
}

// FileHref is where the file of a completed report is.
func (p ReportProps) FileHref() string {
	return PathReport(p.Report.ID.String()) + "/file?" + p.Report.Link
}

func (p ReportProps) tone() ui.Tone {
	switch p.Report.Status {
	case reports.Completed:
		return ui.Positive
	case reports.Failed:
		return ui.Negative
	}
	return ui.Neutral
}

// phase says what is being done.
func (p ReportProps) phase(ctx context.Context) string {
	switch p.Report.Progress.Phase {
	case "drawing":
		return messages.T(ctx, "reports.drawing", "Count", p.Report.Progress.Rows, "All", p.Report.Progress.RowsTotal)
	case "printing":
		return messages.T(ctx, "reports.printing")
	case "rows":
		return messages.T(ctx, "reports.writing_rows", "Count", p.Report.Progress.RowsTotal, "Rows", p.Locale.Integer(p.Report.Progress.Rows), "All", p.Locale.Integer(p.Report.Progress.RowsTotal))
	case "writing":
		if n := p.Report.Progress.Bytes; n > 0 {
			return messages.T(ctx, "reports.writing_bytes", "Size", p.Locale.FileSize(n))
		}
		return messages.T(ctx, "reports.writing")
	}
	return messages.T(ctx, "reports.waiting")
}

// facts are size, rows and what failed.
func (p ReportProps) facts(ctx context.Context) string {
	s := p.Report.Stated
	text := p.Locale.FileSize(s.Bytes)
	if s.Rows > 0 {
		text += " · " + messages.T(ctx, "reports.rows", "Count", s.Rows, "Rows", p.Locale.Integer(s.Rows))
	}
	if s.FailedWidgets > 0 {
		text += " · " + messages.T(ctx, "reports.failed_widgets", "Count", s.FailedWidgets, "All", s.Widgets)
	}
	return text
}
