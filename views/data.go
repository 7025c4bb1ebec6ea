package views

import (
	"context"
	"fmt"
	"strconv"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of datasets, uploads and loads.
const (
	PathNewDataset = PathDatasets + "/new" // a form that takes a file, also without JavaScript
	PathUploads    = "/uploads"            // POST multipart, field "file"; query dataset preselects where it goes
	PathLoads      = "/loads"
)

// dataStyles are what pages of datasets load besides the shell's sheet.
var dataStyles = []string{"data.css"}

// PathUpload is the page on which a file's columns are reviewed.
func PathUpload(id string) string { return PathUploads + "/" + id }

// PathLoad is the page of a load: progress, then its report.
func PathLoad(id string) string { return PathLoads + "/" + id }

// DatasetTab is a section of a dataset's page, and the end of its path.
type DatasetTab string

// The sections.
const (
	TabColumns  DatasetTab = ""
	TabPreview  DatasetTab = "preview"
	TabVersions DatasetTab = "versions"
	TabLookups  DatasetTab = "lookups"
	TabMeasures DatasetTab = "measures"
	TabFields   DatasetTab = "fields"
	TabRules    DatasetTab = "rules"
	TabSettings DatasetTab = "settings"
)

// PathDatasetTab is the page of a section.
func PathDatasetTab(id string, tab DatasetTab) string {
	if tab == TabColumns {
		return PathDataset(id)
	}
	return PathDataset(id) + "/" + string(tab)
}

// ColumnRowID is the id of a column's row on the page of its dataset.
func ColumnRowID(column int32) string { return "column-" + strconv.Itoa(int(column)) }

// DatasetRow is one line of the list of datasets. Figures are texts.
type DatasetRow struct {
	ID, Name, Description string
	// Detail is below the name where there is no description: the file of the
	// latest load and the version.
	Detail              string
	Icon                string
	Rows, Columns, Size string
	Used                string // "3 dashboards"
	Updated             When
	OwnerKey, OwnerName string // of who made it; empty where a command did
	Status              ui.TagProps
	StatusHref          string // the load that the status is of
	Live                bool   // a live mark stands for the status
}

// UploadRow is a file that was not loaded yet.
type UploadRow struct {
	ID, Filename, Size string
	At                 When
}

// DatasetsProps is the page at PathDatasets.
type DatasetsProps struct {
	Rows      []DatasetRow
	Total     int // without the search
	Search    string
	Summary   string // of all: "3,013,000 rows · 19.4 MB"
	Uploads   []UploadRow
	Deleted   []DeletedRow
	CanManage bool
	Undo      UndoNotice
	Drop      *DropProps
}

// DeletedRow is a dataset that can still be brought back.
type DeletedRow struct {
	ID, Name, Rows, Until string
}

// DatasetProps is the page of one dataset.
type DatasetProps struct {
	ID, Name, Description string
	Tab                   DatasetTab
	CanManage             bool
	Rows, Size, Columns   string
	Version               string
	Updated               When
	TimeColumn            string
	RelativeToNewest      bool
	Empty                 bool // no rows yet
	Counts                map[DatasetTab]string
	Body                  templ.Component // of the section
	Drop                  *DropProps
	CanMakeDashboard      bool
	CanRule               bool // may change who sees what of it
}

// ColumnRow is one column with its profile.
type ColumnRow struct {
	ID          string
	Name        string
	Type        string // "decimal(12,2)"
	Icon        string
	Description string
	Tags        []ui.TagProps
	Profile     *ProfileCell // nil while it is computed
}

// ProfileCell is what the values of a column look like. Figures are texts.
type ProfileCell struct {
	Filled     float64 // share of rows with a value
	FilledText string
	Nulls      string
	Distinct   string
	Min, Max   string
	Mean       string
	Top        []TopValue
	Bins       []HistogramBar
	Label      string // of the histogram, read out
}

// TopValue is a frequent value; Share is its length beside the most frequent.
type TopValue struct {
	Value, Count string
	Share        float64
}

// HistogramBar is one bar, between 0 and 1, with what it stands for.
type HistogramBar struct {
	Height float64
	Title  string
}

// ColumnsProps is the section with the columns.
type ColumnsProps struct {
	Dataset   string
	Rows      []ColumnRow
	CanManage bool
	// Pending asks for the profile once the page is there; "" when it is.
	Pending string
}

// TablePart is a plain table of texts.
type TablePart struct {
	Heads []TableHead
	Rows  [][]TableCell
	Note  string
}

// TableHead is the head of a column.
type TableHead struct {
	Label, Detail string
	Numeric       bool
}

// TableCell is one value; Missing is a value that is not there.
type TableCell struct {
	Text             string
	Missing, Numeric bool
}

// VersionRow is one version of a dataset.
type VersionRow struct {
	Number   string
	Kind     string
	Note     string
	By       string
	Rows     string
	Size     string
	At       When
	Until    string // until when it can be restored; "" for the current one
	Current  bool
	Restore  string // POST; "" when it can't be
	LoadHref string
}

// VersionsProps is the section with the versions.
type VersionsProps struct {
	Rows      []VersionRow
	CanManage bool
}

// LookupRow is one lookup.
type LookupRow struct {
	Name, Column, Target, TargetHref, Key string
	Remove                                string // POST; "" when the person may not
}

// LookupsProps is the section with the lookups, and the form for a new one.
type LookupsProps struct {
	Dataset   string
	Rows      []LookupRow
	CanManage bool
	Form      LookupForm
	UsedBy    []LookupRow // lookups of others into this dataset
}

// LookupForm is a lookup to be added.
type LookupForm struct {
	Name, Column, Target, Key string
	Columns, Targets, Keys    []ui.Option // Keys are those of the chosen target
	Error                     string
}

// MeasureRow is one saved measure.
type MeasureRow struct {
	Name, Description, Formula string
	Remove                     string // POST name; "" when the person may not
}

// MeasuresProps is the section with the saved measures, and the form.
type MeasuresProps struct {
	Dataset   string
	Rows      []MeasureRow
	CanManage bool
	Form      MeasureForm
}

// MeasureForm is a measure to be saved.
type MeasureForm struct {
	Name, Description          string
	Fn, Column, OfFn, OfColumn string
	Percentile                 string
	Functions, OfFunctions     []ui.Option
	Columns, OfColumns         []ui.Option
	Error                      string
}

// SettingsForm changes a dataset's details.
type SettingsForm struct {
	Dataset           string
	Name, Description string
	RelativeToNewest  bool
	TimeColumns       []ui.Option
	NameError, Error  string
	CanManage         bool
}

// ColumnForm changes a column.
type ColumnForm struct {
	Dataset, Column   string
	Name, Description string
	Type              string
	Roles, Styles     []ui.Option
	Currency, Unit    string
	Decimals          string
	Numeric           bool
	Droppable         bool
	Error             string
}

// DeleteForm shows what breaks before a dataset is deleted.
type DeleteForm struct {
	Dataset, Name string
	Dashboards    []NamedLink
	Lookups       []NamedLink
	KeptText      string
}

// NamedLink is a name that leads somewhere.
type NamedLink struct{ Name, Href string }

// UploadProps is the page on which a file's columns are reviewed.
type UploadProps struct {
	ID, Filename string
	Facts        string // "1.8 MB · UTF-8 · comma · header row · 8,626 rows"
	Progress     *ProgressProps
	Failure      *FailureProps
	Review       *ReviewProps // nil until the file was looked into
	Options      []OptionField
	LiveURL      string
	Dataset      string // name typed or preselected
	Modes        []ui.Option
	Datasets     []string // names to choose from
	Exists       TargetProps
	Again        bool // the file was read again instead of being loaded
	Keys         []ui.Option
	KeySummary   string
	Error        string
	Change       *ChangeProps
}

// TargetProps is the dataset that has the name which is to be loaded into; zero
// where there is none.
type TargetProps struct {
	Dataset string // its id
	Text    string
	Ask     bool // a load was asked for by who had not seen it
}

// ProgressProps is how far a job is.
type ProgressProps struct {
	Poll        string // path of this fragment
	Phase       string
	Detail      string // "12.4 MB of 500 MB · 120,000 rows · 8 s left"
	Value, Of   float64
	Cancel      string // POST
	CancelLabel string
	Reload      string // page that shows the outcome
}

// FailureProps is why a file can't be read or loaded.
type FailureProps struct {
	Title, Text, Code string
}

// OptionField is one choice about how the file is read.
type OptionField struct {
	Name, Label string
	Options     []ui.Option
}

// ReviewProps are the columns of a file as they would be loaded.
type ReviewProps struct {
	WillLoad, Rejected, ColumnCount string
	NoneRejected                    bool
	Columns                         []ReviewColumn
	Notes                           []string
	Rejects                         []RejectRow
	RejectsTag                      string
	RejectsHref                     string // of the file with all of them
	Preview                         TablePart
	Submit                          string // "Load 8,412 rows"
	CanLoad                         bool
}

// ReviewColumn is one column of the file.
type ReviewColumn struct {
	Index      int
	Source     string // what choices are made by
	Was        string // the type before a change
	Name       string
	Load       bool
	Icon       string
	Type       string
	Types      []ui.Option
	Example    string
	Filled     float64
	FilledText string
	Tags       []ui.TagProps
	Asks       []Ask    // answers to a question about the column
	Notes      []string // sentences, too long for a tag
}

// Ask is one answer: Value is what is sent.
type Ask struct{ Label, Value string }

// RejectRow is a group of rejected records with its fix.
type RejectRow struct {
	Line, Column, Value, Reason, Count string
	Fix                                string
	Index                              int
}

// ChangeProps is what a load would do to an existing dataset's columns.
type ChangeProps struct {
	Seen  string // sent back with the form: the change was shown
	Lines []ChangeLine
	Stop  bool // it can't be done so
}

// ChangeLine is one sentence about a change.
type ChangeLine struct {
	Icon   string
	Tone   ui.Tone
	Text   string
	Boards []FieldBoard // that would break, of those that the person may see
}

// LoadProps is the page of a load.
type LoadProps struct {
	ID, Filename, Dataset string
	DatasetHref           string
	Progress              *ProgressProps
	LiveURL               string
	Failure               *FailureProps
	Again                 string // page of the upload, to try again
	Done                  *LoadDone
}

// LoadDone is the report of a load that succeeded.
type LoadDone struct {
	Loaded, Rejected, Share string
	Inserted, Updated       string
	Took                    string
	Version                 string
	NoneRejected            bool
	Rejects                 []RejectRow
	RejectsHref             string
	Changes                 []ChangeLine
	DatasetID               string
	Suggestion              *SuggestionProps // of a first dashboard; nil when none can be made
	Unsuggested             string           // why there is no suggestion; "" otherwise
	Suggesting              string           // reads the content again with the suggestion, which takes its time; "" otherwise
}

// SuggestionProps says what a first dashboard would show.
type SuggestionProps struct {
	Lines []ChangeLine
}

func fieldID(kind string, index int) string { return kind + "-" + strconv.Itoa(index) }

func histogramBar(i, of int, height float64) string {
	width := 100 / float64(max(of, 1))
	return fmt.Sprintf("left:%.2f%%;width:%.2f%%;height:%.0f%%", float64(i)*width, max(width-0.6, 0.4), max(height*100, 2))
}

func wide(share float64) string { return fmt.Sprintf("width:%.1f%%", min(max(share*100, 1), 100)) }

func tabs(p DatasetProps, label func(DatasetTab) string) []ui.Tab {
	var list []ui.Tab
	for _, t := range []DatasetTab{TabColumns, TabPreview, TabVersions, TabLookups, TabFields, TabMeasures, TabRules, TabSettings} {
		if t == TabSettings && !p.CanManage || t == TabRules && !p.CanRule {
			continue
		}
		list = append(list, ui.Tab{Label: label(t), Href: PathDatasetTab(p.ID, t), Active: t == p.Tab, Count: p.Counts[t]})
	}
	return list
}

func changeNote(ctx context.Context, stop bool) string {
	if stop {
		return messages.T(ctx, "uploads.change_stop")
	}
	return messages.T(ctx, "uploads.change_note")
}

func loadTitle(ctx context.Context, p LoadProps) string {
	switch {
	case p.Done != nil:
		return messages.T(ctx, "uploads.done_title", "Name", p.Dataset)
	case p.Failure != nil:
		return messages.T(ctx, "uploads.failed_title", "Name", p.Dataset)
	}
	return messages.T(ctx, "uploads.loading_title", "Name", p.Dataset)
}

func loadFacts(ctx context.Context, p LoadProps) string {
	if p.Done == nil {
		return messages.T(ctx, "uploads.into", "Name", p.Dataset)
	}
	return messages.T(ctx, "uploads.done_facts", "Name", p.Dataset, "Version", p.Done.Version, "Took", p.Done.Took)
}
