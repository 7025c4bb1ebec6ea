package handlers

import (
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/ui"
)

// What the pages of uploads and loads show.

func (w writer) upload(u datasets.Upload) views.UploadProps {
	id := u.ID.String()
	props := views.UploadProps{ID: id, Filename: u.Filename, Facts: w.l.FileSize(u.Bytes)}
	switch u.State {
	case datasets.UploadInspected:
		props.Facts = w.facts(u)
		props.Review = w.review(u)
		props.Keys, props.KeySummary = w.keys(u)
		props.Options = w.options(u.Choices.Options, &u.Inspection.Format)
	case datasets.UploadFailed:
		props.Failure = &views.FailureProps{Title: w.t("uploads.unreadable_title"), Text: u.ErrorText, Code: u.ErrorCode}
		if !hopeless[u.ErrorCode] {
			props.Options = w.options(u.Choices.Options, nil)
		}
	default:
		props.Progress = w.progress(u.Job)
		props.Progress.Poll = views.PathUpload(id) + "/progress"
		props.Progress.Reload = views.PathUpload(id)
		props.Progress.Cancel, props.Progress.CancelLabel = views.PathUpload(id)+"/remove", w.t("uploads.cancel_inspect")
		props.LiveURL = views.PathUpload(id) + "/events"
	}
	return props
}

// exists says what a load into a dataset of this name finds there; nothing where
// there is none.
func (w writer) exists(all []datasets.Listed, name string) views.TargetProps {
	for _, d := range all {
		if strings.EqualFold(d.Name, name) || d.ID.String() == name {
			return views.TargetProps{Dataset: d.ID.String(),
				Text: w.t("uploads.exists", "Name", d.Name, "Count", int(d.Rows), "Rows", w.l.Integer(d.Rows))}
		}
	}
	return views.TargetProps{}
}

// hopeless are the failures of a file that no other way of reading it mends.
var hopeless = map[string]bool{"files.empty": true, "files.not_text": true, "files.bad_parquet": true, "files.bad_xlsx": true,
	"files.old_spreadsheet": true, "files.bad_archive": true, "files.archive": true, "files.too_large_expanded": true}

// facts is one line about the file: "1.8 MB · UTF-8 · comma · header row".
func (w writer) facts(u datasets.Upload) string {
	f := u.Inspection.Format
	list := []string{w.l.FileSize(u.Bytes)}
	switch f.Kind {
	case "csv":
		list = append(list, strings.ToUpper(f.Encoding), w.delimiter(f.Delimiter))
		if f.Header {
			list = append(list, w.t("uploads.fact_header"))
		} else {
			list = append(list, w.t("uploads.fact_no_header"))
		}
	case "xlsx":
		list = append(list, "Excel")
		if f.Sheet != "" {
			list = append(list, w.t("uploads.fact_sheet", "Sheet", f.Sheet))
		}
	default:
		list = append(list, strings.ToUpper(f.Kind))
	}
	if f.Compression != "" {
		list = append(list, f.Compression)
	}
	list = append(list, w.t("uploads.fact_rows", "Count", int(u.Inspection.Records), "Rows", w.l.Integer(u.Inspection.Records)))
	return strings.Join(list, " · ")
}

func (w writer) delimiter(d string) string {
	switch d {
	case ",":
		return w.t("uploads.delimiter_comma")
	case ";":
		return w.t("uploads.delimiter_semicolon")
	case "\t", `\t`:
		return w.t("uploads.delimiter_tab")
	case "|":
		return w.t("uploads.delimiter_pipe")
	case " ":
		return w.t("uploads.delimiter_space")
	}
	return d
}

func (w writer) review(u datasets.Upload) *views.ReviewProps {
	in := u.Inspection
	r := &views.ReviewProps{
		WillLoad: w.l.Integer(in.WillLoad), Rejected: w.l.Integer(in.WillReject), NoneRejected: in.WillReject == 0,
		Submit: w.t("uploads.submit", "Count", int(in.WillLoad), "Rows", w.l.Integer(in.WillLoad)),
	}
	loading := 0
	for i, c := range in.Columns {
		r.Columns = append(r.Columns, w.reviewColumn(u, i, c))
		if c.Load {
			loading++
		}
	}
	r.CanLoad = loading > 0 && in.WillLoad > 0
	r.ColumnCount = w.l.Integer(int64(loading))
	for _, note := range in.Notes {
		r.Notes = append(r.Notes, note.Text)
	}
	r.Rejects = w.rejects(in.Rejects)
	if in.RejectsFile != "" {
		r.RejectsHref = views.PathUpload(u.ID.String()) + "/rejects.csv"
	}
	r.RejectsTag = w.rejectShare(in.WillReject, in.Records)
	r.Preview.Note = w.t("uploads.preview_note")
	for _, c := range in.Columns {
		r.Preview.Heads = append(r.Preview.Heads, views.TableHead{Label: c.Name})
	}
	for _, record := range in.Preview {
		row := make([]views.TableCell, len(in.Columns))
		for i, c := range in.Columns {
			if c.Position < len(record) {
				row[i] = views.TableCell{Text: shorten(record[c.Position], 80), Missing: record[c.Position] == ""}
			}
		}
		r.Preview.Rows = append(r.Preview.Rows, row)
	}
	return r
}

func (w writer) rejectShare(rejected, all int64) string {
	return w.t("uploads.rejected_share", "Rejected", w.l.Integer(rejected), "All", w.l.Integer(all), "Share", w.share(rejected, all))
}

// longestTag is how many bytes of a note fit into a tag; longer ones are
// sentences and stand as text.
const longestTag = 32

func (w writer) reviewColumn(u datasets.Upload, i int, c datasets.InspectedColumn) views.ReviewColumn {
	now := datasets.TypeOf(c)
	all := c.Filled + c.Empty
	col := views.ReviewColumn{
		Index: i, Source: u.Choices.Original(c), Name: c.Name, Load: c.Load, Type: now, Was: now, Icon: icon(string(c.Type)),
		Example: shorten(c.Example, 48), FilledText: w.share(c.Filled, all),
	}
	if all > 0 {
		col.Filled = float64(c.Filled) / float64(all)
	}
	listed := false
	for _, t := range datasets.TypeChoices {
		col.Types = append(col.Types, ui.Option{Value: t, Label: w.typeLabel(t), Icon: typeIcon(t), Selected: t == now})
		listed = listed || t == now
	}
	if !listed {
		col.Types = append(col.Types, ui.Option{Value: now, Label: w.typeLabel(now), Icon: typeIcon(now), Selected: true})
	}
	if c.Key {
		col.Tags = append(col.Tags, ui.TagProps{Label: w.t("uploads.tag_key"), Icon: "key-round", Tone: ui.Brand})
	}
	if c.Rejected > 0 {
		col.Tags = append(col.Tags, ui.TagProps{Label: w.t("uploads.tag_rejected", "Count", w.l.Integer(c.Rejected)), Tone: ui.Negative})
	}
	if c.Role != "" {
		col.Tags = append(col.Tags, ui.TagProps{Label: w.t("columns.role_" + c.Role), Icon: "map-pin"})
	}
	for _, note := range c.Notes {
		switch dated := c.Reading.DateOrder == "dmy" || c.Reading.DateOrder == "mdy"; {
		case len(note.Text) > longestTag:
			col.Notes = append(col.Notes, note.Text)
		case len(note.Choices) > 0 || dated:
			col.Tags = append(col.Tags, ui.TagProps{Label: note.Text, Tone: ui.Warning})
		default:
			col.Tags = append(col.Tags, ui.TagProps{Label: note.Text})
		}
		for _, choice := range note.Choices {
			label := "uploads.read_as"
			if note.Code == datasets.NoteMostlyOtherTypes {
				label = "uploads.read_as_mostly"
			}
			col.Asks = append(col.Asks, views.Ask{Label: w.t(label, "Type", w.typeLabel(choice)), Value: strconv.Itoa(i) + "|" + choice})
		}
	}
	return col
}

// typeIcon is the icon of a type choice.
func typeIcon(choice string) string {
	name, _, _ := strings.Cut(choice, ":")
	return icon(name)
}

// typeLabel is a type choice in words: "date, day first".
func (w writer) typeLabel(choice string) string {
	name, reading, found := strings.Cut(choice, ":")
	if !found {
		return name
	}
	var parts []string
	for _, r := range strings.Split(reading, ":") {
		parts = append(parts, w.t("uploads.reading_"+r))
	}
	return name + ", " + strings.Join(parts, ", ")
}

func (w writer) rejects(groups []datasets.RejectGroup) []views.RejectRow {
	var rows []views.RejectRow
	for i, g := range groups {
		row := views.RejectRow{Line: w.l.Integer(g.Line), Column: g.Column, Reason: g.Text, Count: w.l.Integer(g.Count), Index: i}
		if g.Value != "" {
			row.Value = "“" + shorten(g.Value, 40) + "”"
		}
		if g.Fix != nil {
			row.Fix = g.Fix.Text
		}
		rows = append(rows, row)
	}
	return rows
}

func (w writer) keys(u datasets.Upload) ([]ui.Option, string) {
	chosen := map[string]bool{}
	for _, key := range u.Choices.Key {
		chosen[key] = true
	}
	var options []ui.Option
	for _, c := range u.Inspection.Columns {
		if c.Load {
			options = append(options, ui.Option{Value: c.Name, Label: c.Name, Selected: chosen[c.Name]})
		}
	}
	if len(chosen) == 0 {
		return options, w.t("uploads.key_none")
	}
	if len(chosen) == 1 {
		return options, u.Choices.Key[0]
	}
	return options, w.t("uploads.key_some", "Count", len(chosen))
}

func (w writer) modes(mode datasets.Mode) []ui.Option {
	var options []ui.Option
	for _, m := range []datasets.Mode{datasets.Replace, datasets.Append, datasets.Upsert} {
		options = append(options, ui.Option{Value: string(m), Label: w.t("uploads.mode_" + string(m)), Selected: m == mode})
	}
	return options
}

// options are the choices about how the file is read. format is what was found
// out, nil where the file could not be read at all.
func (w writer) options(chosen records.Options, format *records.Format) []views.OptionField {
	detected := func(value string) string {
		if value == "" {
			return w.t("uploads.detect")
		}
		return w.t("uploads.detect_as", "Value", value)
	}
	field := func(name, now, found string, values ...[2]string) views.OptionField {
		f := views.OptionField{Name: name, Label: w.t("uploads.option_" + name), Options: []ui.Option{{Value: "", Label: detected(found), Selected: now == ""}}}
		for _, v := range values {
			f.Options = append(f.Options, ui.Option{Value: v[0], Label: v[1], Selected: now == v[0]})
		}
		return f
	}
	var f records.Format
	if format != nil {
		f = *format
	}
	fields := []views.OptionField{field("kind", chosen.Kind, strings.ToUpper(f.Kind),
		[2]string{"csv", "CSV"}, [2]string{"json", "JSON"}, [2]string{"ndjson", "NDJSON"}, [2]string{"parquet", "Parquet"}, [2]string{"xlsx", "Excel"})}
	if format == nil || f.Kind == "csv" {
		header := ""
		if chosen.Header != nil {
			header = map[bool]string{true: "yes", false: "no"}[*chosen.Header]
		}
		foundHeader := ""
		if format != nil {
			foundHeader = w.t("uploads.header_" + map[bool]string{true: "yes", false: "no"}[f.Header])
		}
		fields = append(fields,
			field("delimiter", chosen.Delimiter, w.delimiter(f.Delimiter), [2]string{",", w.delimiter(",")}, [2]string{";", w.delimiter(";")},
				[2]string{`\t`, w.delimiter("\t")}, [2]string{"|", w.delimiter("|")}, [2]string{" ", w.delimiter(" ")}),
			field("encoding", chosen.Encoding, strings.ToUpper(f.Encoding), [2]string{"utf-8", "UTF-8"}, [2]string{"windows-1252", "Windows-1252"},
				[2]string{"latin-1", "Latin-1"}, [2]string{"utf-16le", "UTF-16 LE"}, [2]string{"utf-16be", "UTF-16 BE"}),
			field("header", header, foundHeader, [2]string{"yes", w.t("uploads.header_yes")}, [2]string{"no", w.t("uploads.header_no")}),
			field("short_rows", chosen.ShortRows, w.t("uploads.reject_rows"), [2]string{"reject", w.t("uploads.reject_rows")}, [2]string{"fill", w.t("uploads.fill_rows")}),
			field("long_rows", chosen.LongRows, w.t("uploads.reject_rows"), [2]string{"reject", w.t("uploads.reject_rows")}, [2]string{"cut", w.t("uploads.cut_rows")}),
		)
	}
	reject := w.t("uploads.reject_rows")
	if format == nil || f.Kind == "csv" || f.Kind == "xlsx" {
		fields = append(fields, field("totals", chosen.Totals, reject, [2]string{"reject", reject}, [2]string{"load", w.t("uploads.load_rows")}))
	}
	if f.Kind == "json" || f.Kind == "ndjson" {
		fields = append(fields, field("repeated_keys", chosen.RepeatedKeys, reject, [2]string{"reject", reject}, [2]string{"last", w.t("uploads.take_last")}))
	}
	if len(f.Sheets) > 1 {
		var sheets [][2]string
		for _, name := range f.Sheets {
			sheets = append(sheets, [2]string{name, name})
		}
		fields = append(fields, field("sheet", chosen.Sheet, f.Sheet, sheets...))
	}
	return fields
}

func (w writer) progress(s jobs.Status) *views.ProgressProps {
	phase := s.Progress.Phase
	if phase == "" || s.State == jobs.Queued {
		phase = "queued"
	}
	p := &views.ProgressProps{Phase: w.t("uploads.phase_" + phase)}
	var parts []string
	if s.Progress.BytesTotal > 0 {
		parts = append(parts, w.t("uploads.progress_bytes", "Done", w.l.FileSize(s.Progress.Bytes), "All", w.l.FileSize(s.Progress.BytesTotal)))
	}
	if s.Progress.Rows > 0 {
		parts = append(parts, w.t("uploads.progress_rows", "Count", int(s.Progress.Rows), "Rows", w.l.Integer(s.Progress.Rows)))
	}
	if s.Progress.Rejected > 0 {
		parts = append(parts, w.t("uploads.progress_rejected", "Count", w.l.Integer(s.Progress.Rejected)))
	}
	if left, known := s.TimeLeft(w.now); known && left >= time.Second {
		parts = append(parts, w.t("uploads.progress_left", "Left", w.l.Duration(left.Round(time.Second))))
	}
	p.Detail = strings.Join(parts, " · ")
	if fraction, known := s.Progress.Fraction(); known {
		p.Value, p.Of = fraction, 1
	}
	return p
}

// changes says in words what a load would do to a dataset's columns.
func (w writer) changes(c datasets.SchemaChange) []views.ChangeLine {
	var lines []views.ChangeLine
	for _, group := range []struct {
		key  string
		icon string
		tone ui.Tone
		list []datasets.ColumnChange
	}{
		{"conflict", "circle-alert", ui.Negative, c.Conflicts},
		{"added", "plus", ui.Positive, c.Added},
		{"widened", "arrow-right", ui.Neutral, c.Widened},
		{"replaced", "refresh-cw", ui.Warning, c.Replaced},
		{"missing", "minus", ui.Warning, c.Missing},
		{"dropped", "trash-2", ui.Warning, c.Dropped},
	} {
		for _, column := range group.list {
			lines = append(lines, views.ChangeLine{Icon: group.icon, Tone: group.tone,
				Text: w.t("uploads.change_"+group.key, "Name", column.Name, "From", column.From, "To", column.To)})
		}
	}
	return lines
}

func (w writer) load(l datasets.Load) views.LoadProps {
	id := l.ID.String()
	props := views.LoadProps{ID: id, Filename: l.Filename, Dataset: l.Name, DatasetHref: views.PathDataset(l.Dataset.String())}
	if !l.Upload.IsZero() {
		props.Again = views.PathUpload(l.Upload.String())
	}
	switch l.State {
	case datasets.LoadDone:
		props.Done = w.done(l)
	case datasets.LoadFailed:
		props.Failure = &views.FailureProps{Title: w.t("uploads.load_failed_title"), Text: l.ErrorText, Code: l.ErrorCode}
	case datasets.LoadCancelled:
		props.Failure = &views.FailureProps{Title: w.t("uploads.cancelled_title"), Text: l.ErrorText, Code: l.ErrorCode}
	default:
		props.Progress = w.progress(l.Job)
		props.Progress.Poll, props.Progress.Reload = views.PathLoad(id)+"/progress", views.PathLoad(id)
		props.Progress.Cancel, props.Progress.CancelLabel = views.PathLoad(id)+"/cancel", w.t("uploads.cancel_load")
		props.LiveURL = views.PathLoad(id) + "/events"
	}
	return props
}

func (w writer) done(l datasets.Load) *views.LoadDone {
	report := l.Report
	done := &views.LoadDone{
		Loaded: w.l.Integer(l.Loaded), Rejected: w.l.Integer(l.Rejected), Share: w.rejectShare(l.Rejected, l.Loaded+l.Rejected),
		Took: w.l.Duration(l.FinishedAt.Sub(l.CreatedAt)), Version: w.l.Integer(l.Version), NoneRejected: l.Rejected == 0,
		Rejects: w.rejects(report.Rejects), DatasetID: l.Dataset.String(),
	}
	if report.Mode == datasets.Upsert {
		done.Inserted, done.Updated = w.l.Integer(report.Inserted), w.l.Integer(report.Updated)
	}
	if !report.Schema.New {
		done.Changes = w.changes(report.Schema)
	}
	if l.HasRejects {
		done.RejectsHref = views.PathLoad(l.ID.String()) + "/rejects.csv"
	}
	return done
}

// suggestion says what a first dashboard would show.
func (w writer) suggestion(c dashboards.Config) *views.SuggestionProps {
	var figures []string
	var lines []views.ChangeLine
	for _, id := range c.Order() {
		widget := c.Widgets[id]
		switch widget.Type {
		case charts.KPI:
			figures = append(figures, widget.Title)
		case charts.Table:
			lines = append(lines, views.ChangeLine{Icon: "table", Text: w.t("uploads.suggest_table", "Name", widget.Title)})
		default:
			lines = append(lines, views.ChangeLine{Icon: widgetIcon(widget.Type), Text: widget.Title})
		}
	}
	if len(figures) > 0 {
		first := views.ChangeLine{Icon: "gauge", Text: w.t("uploads.suggest_figures", "Names", strings.Join(figures, ", "))}
		lines = append([]views.ChangeLine{first}, lines...)
	}
	return &views.SuggestionProps{Lines: lines}
}

func widgetIcon(t charts.Type) string {
	switch t {
	case charts.Line, charts.Area:
		return "chart-line"
	case charts.Donut:
		return "chart-pie"
	case charts.Heatmap:
		return "grid-3x3"
	case charts.Map:
		return "map"
	}
	return "chart-column"
}
