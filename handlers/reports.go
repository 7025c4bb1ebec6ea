package handlers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// reportPages makes files of dashboards and of datasets: a form, a report that a
// worker makes, and its download.
type reportPages struct{ *core }

func (h reportPages) routes(r chi.Router) {
	r.Get("/dashboards/{id}/download", handle(h.form))
	r.Post("/dashboards/{id}/reports", handle(h.request))
	r.Get("/datasets/{id}/download", handle(h.datasetForm))
	r.Post("/datasets/{id}/reports", handle(h.requestDataset))
	r.Get("/reports", handle(h.list))
	r.Post("/reports", handle(h.request))
	r.Get("/reports/{report}", handle(h.show))
}

// streams: a file is sent as it is, with no compression in its way.
func (h reportPages) streams(r chi.Router) {
	r.Get("/reports/{report}/events", handle(h.events))
	r.Get("/reports/{report}/file", handle(h.noted("report.downloaded", "report", "report", h.file)))
}

func reportID(r *http.Request) (ids.Report, error) {
	id, err := ids.Parse[ids.Report](chi.URLParam(r, "report"))
	if err != nil {
		return id, reports.ErrNotFound.Wrap(err)
	}
	return id, nil
}

// form asks in which form to download what the page shows.
func (h reportPages) form(w http.ResponseWriter, r *http.Request) error {
	v, err := boards(h).open(r)
	if err != nil {
		return err
	}
	props := views.DownloadProps{Dashboard: v.Dashboard.ID.String(), Name: v.Dashboard.Name, Filters: v.Link(), Snapshot: v.Snapshot.String(),
		Spec: reports.Spec{Format: askedFormat(r, reports.PDF), Paper: paperOf(actor(r).Locale)}}
	if id := r.URL.Query().Get("widget"); id != "" {
		p, ok := v.Plan(id)
		if !ok {
			return dashboards.ErrWidgetNotFound
		}
		props.Widget, props.Name = id, p.Widget.Title
		props.Chart = p.Widget.Type != charts.KPI && p.Widget.Type != charts.Table && p.Widget.Type != charts.Pivot && p.Widget.Type != charts.Map
	}
	return home(h).form(w, r, http.StatusOK, messages.T(r.Context(), "reports.download_title"), views.DownloadForm(props))
}

// askedFormat is the format that a form is opened with.
func askedFormat(r *http.Request, usual reports.Format) reports.Format {
	if asked := reports.Format(r.URL.Query().Get(views.ParamFormat)); slices.Contains(reports.Formats, asked) {
		return asked
	}
	return usual
}

// paperOf is the paper that a locale writes on.
func paperOf(tag string) reports.Paper {
	if name := locale.For(tag).Name; name == "en-US" || name == "en-CA" {
		return reports.Letter
	}
	return reports.A4
}

// datasetForm asks in which form to download a dataset.
func (h reportPages) datasetForm(w http.ResponseWriter, r *http.Request) error {
	d, err := datasetPages(h).get(r)
	if err != nil {
		return err
	}
	props := views.DownloadProps{Dataset: d.ID.String(), Name: d.Name, Spec: reports.Spec{Format: askedFormat(r, reports.CSV)}}
	return home(h).form(w, r, http.StatusOK, messages.T(r.Context(), "reports.download_title"), views.DownloadForm(props))
}

// requestDataset takes the form of datasetForm, or the same fields with the
// dataset's id from a program.
func (h reportPages) requestDataset(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := datasetID(r)
	if chi.URLParam(r, "id") == "" {
		if id, err = ids.Parse[ids.Dataset](r.PostFormValue("dataset")); err != nil {
			err = datasets.ErrNotFound.Wrap(err)
		}
	}
	if err != nil {
		return err
	}
	spec := reports.Spec{Format: formatOf(r), Plain: r.PostFormValue("plain") == "true"}
	report, err := h.Reports.RequestDataset(r.Context(), actor(r), id, spec)
	if err != nil {
		return err
	}
	return h.requested(w, r, report)
}

func formatOf(r *http.Request) reports.Format {
	return reports.Format(strings.ToUpper(r.PostFormValue("format")))
}

// request takes the form, or the same fields with the id of a dashboard or of a
// dataset from a program.
func (h reportPages) request(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := dashboardID(r)
	if chi.URLParam(r, "id") == "" {
		if r.PostFormValue("dashboard") == "" && r.PostFormValue("dataset") != "" {
			return h.requestDataset(w, r)
		}
		id, err = ids.Parse[ids.Dashboard](r.PostFormValue("dashboard"))
	}
	if err != nil {
		return dashboards.ErrNotFound.Wrap(err)
	}
	paper, side, _ := strings.Cut(r.PostFormValue("paper"), " ")
	spec := reports.Spec{Format: formatOf(r), Plain: r.PostFormValue("plain") == "true", Filters: r.PostFormValue("filters"),
		Snapshot: r.PostFormValue("snapshot"), Paper: reports.Paper(paper), Landscape: side == "landscape"}
	for _, widget := range r.PostForm["widget"] {
		if widget != "" {
			spec.Widgets = append(spec.Widgets, widget)
		}
	}
	report, err := h.Reports.Request(r.Context(), actor(r), id, spec)
	if err != nil {
		return err
	}
	return h.requested(w, r, report)
}

// requested answers a report that was just asked for: JSON, the dialog that
// follows it, or its page.
func (h reportPages) requested(w http.ResponseWriter, r *http.Request, report reports.Report) error {
	if wantsJSON(r) {
		return renderJSON(w, http.StatusAccepted, reportJSON(report))
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.ReportDialog(h.props(r, report)))
	}
	return redirect(w, r, views.PathReport(report.ID.String()))
}

func (h reportPages) props(r *http.Request, report reports.Report) views.ReportProps {
	a := actor(r)
	return views.ReportProps{Report: report, Locale: locale.For(a.Locale), Zone: a.Location()}
}

// reportJSON is a report as programs see it.
func reportJSON(r reports.Report) map[string]any {
	out := map[string]any{"report_id": r.ID.String(), "format": r.Format, "status": r.Status, "created_at": r.CreatedAt}
	if r.Dataset.IsZero() {
		out["dashboard_id"] = r.Dashboard.String()
	} else {
		out["dataset_id"] = r.Dataset.String()
	}
	if r.Status == reports.Running {
		out["progress"] = r.Progress
	}
	switch {
	case r.Link != "":
		out["name"], out["stated"], out["expires_at"] = r.Name, r.Stated, r.ExpiresAt
		out["download_url"] = views.PathReport(r.ID.String()) + "/file?" + r.Link
	case r.ErrorCode != "":
		out["error"] = map[string]string{"code": r.ErrorCode, "text": r.ErrorText}
	}
	return out
}

func (h reportPages) list(w http.ResponseWriter, r *http.Request) error {
	list, err := h.Reports.List(r.Context(), actor(r))
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		all := make([]map[string]any, len(list))
		for i, report := range list {
			all[i] = reportJSON(report)
		}
		return renderJSON(w, http.StatusOK, map[string]any{"reports": all})
	}
	props := make([]views.ReportProps, len(list))
	for i, report := range list {
		props[i] = h.props(r, report)
	}
	return renderPage(w, r, http.StatusOK, views.PageProps{Title: messages.T(r.Context(), "reports.title"), Active: views.NavReports}, views.ReportsPage(props))
}

// show answers how far a report is: a page, a fragment that asks again while
// it is made, or JSON.
func (h reportPages) show(w http.ResponseWriter, r *http.Request) error {
	id, err := reportID(r)
	if err != nil {
		return err
	}
	report, err := h.Reports.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return renderJSON(w, http.StatusOK, reportJSON(report))
	}
	props := h.props(r, report)
	if isPartial(r) {
		return render(w, r, http.StatusOK, views.ReportNews(props))
	}
	return renderPage(w, r, http.StatusOK, views.PageProps{Title: report.Name, Active: views.NavReports, Crumbs: []views.Crumb{{Label: messages.T(r.Context(), "reports.title"), Href: views.PathReports}}},
		views.ReportPage(props))
}

// events tells that a report has got further.
func (h reportPages) events(w http.ResponseWriter, r *http.Request) error {
	id, err := reportID(r)
	if err != nil {
		return err
	}
	report, err := h.Reports.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return h.watch(w, r, report.JobID(), func(ctx context.Context) (bool, error) {
		report, err := h.Reports.Get(ctx, actor(r), id)
		return report.Status.Over(), err
	})
}

// file sends the file, or the part of it that a resumed download asks for.
func (h reportPages) file(w http.ResponseWriter, r *http.Request) error {
	id, err := reportID(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	file, err := h.Reports.Open(r.Context(), actor(r), id, query.Get("until"), query.Get("signature"))
	if errors.Is(err, reports.ErrExpired) {
		return h.makeAgain(r, id, err)
	}
	if err != nil {
		return err
	}
	sendFile(w, r, file)
	return nil
}

// makeAgain adds to a failure where the same file can be asked for anew.
func (h reportPages) makeAgain(r *http.Request, id ids.Report, failure error) error {
	report, err := h.Reports.Get(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return wayOn{failure, "reports.again", views.PathMakeAgain(report)}
}

// sendFile sends a file of a report, or the part of it that a resumed download
// asks for.
func sendFile(w http.ResponseWriter, r *http.Request, file *reports.File) {
	stated := file.Report.Stated
	header := w.Header()
	header.Set("Content-Type", file.Report.Format.MediaType())
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Report.Name}))
	header.Set("ETag", `"`+stated.SHA256+`"`)
	header.Set("Df-Sha256", stated.SHA256)
	header.Set("Cache-Control", "private, no-cache") // asked for again each time, so that it may be resumed
	if stated.Rows > 0 {
		header.Set("Df-Rows", strconv.FormatInt(stated.Rows, 10))
	}
	// A drawing is no page: nothing in it runs, wherever it is opened.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a download may take longer than a page
	body := &seeker{size: stated.Bytes, open: func(offset, length int64) (io.ReadCloser, error) { return file.OpenRange(r.Context(), offset, length) }}
	defer body.close()
	http.ServeContent(w, r, "", file.Report.CompletedAt, body)
	if body.err != nil && r.Context().Err() == nil {
		slog.WarnContext(r.Context(), "download broke off", "file", file.Report.Name, "error", body.err)
		panic(http.ErrAbortHandler)
	}
}

// seeker reads an object from where http.ServeContent wants it.
type seeker struct {
	size, at int64
	open     func(offset, length int64) (io.ReadCloser, error)
	part     io.ReadCloser
	err      error
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	s.close()
	s.at = offset
	return offset, nil
}

func (s *seeker) Read(p []byte) (int, error) {
	if s.at >= s.size {
		return 0, io.EOF
	}
	if s.part == nil {
		if s.part, s.err = s.open(s.at, s.size-s.at); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.part.Read(p)
	s.at += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *seeker) close() {
	if s.part != nil {
		_ = s.part.Close() // it was only read
		s.part = nil
	}
}
