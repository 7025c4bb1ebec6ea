package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/plaintext"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// LoadReport is what a load did.
type LoadReport struct {
	Load    ids.Load    `json:"load"`
	Dataset ids.Dataset `json:"dataset"`
	Name    string      `json:"name"`
	Version int64       `json:"version"`
	Mode    Mode        `json:"mode"`
	// RowsLoaded + RowsRejected are the records of the file.
	RowsLoaded   int64          `json:"rows_loaded"`
	RowsRejected int64          `json:"rows_rejected"`
	Inserted     int64          `json:"inserted,omitempty"` // upserts
	Updated      int64          `json:"updated,omitempty"`
	Rejects      []RejectGroup  `json:"rejects,omitempty"`
	RejectsBytes int64          `json:"rejects_bytes,omitempty"`
	Columns      []ReportColumn `json:"columns"`
	Schema       SchemaChange   `json:"schema"`
	Took         time.Duration  `json:"took"`
	// Notes say how the file was read where that was not plain: no header, names
	// that were made or changed, dates that can't be told apart.
	Notes []LoadNote `json:"notes,omitempty"`

	// RejectsFile is a local file with the rejected records; ImportFile only,
	// empty when nothing was rejected. It is the stored one where the storage is
	// a directory, else a copy that is the caller's.
	RejectsFile string `json:"-"`
}

// LoadNote is a remark about the file, or about one of its columns.
type LoadNote struct {
	Column string `json:"column,omitempty"`
	Code   string `json:"code"` // of ingest.Note
	Text   string `json:"text"`
}

// NoteMostlyOtherTypes is the code of a note whose choices would reject values.
const NoteMostlyOtherTypes = ingest.NoteMostlyOtherTypes

func notesOf(inspection *ingest.Inspection) (list []LoadNote) {
	for _, n := range inspection.Notes {
		list = append(list, LoadNote{Code: n.Code, Text: n.Text})
	}
	for _, c := range inspection.Columns {
		for _, n := range c.Notes {
			list = append(list, LoadNote{Column: c.Name, Code: n.Code, Text: n.Text})
		}
	}
	return list
}

// ReportColumn is one column of the dataset after the load.
type ReportColumn struct {
	ID   int32  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// ImportRequest asks to load a file of this machine.
type ImportRequest struct {
	Path    string
	Dataset string // name or id; made when it does not exist
	Mode    Mode   // Replace when empty
	Choices Choices
	// Progress is told how far the load is; nil for nobody.
	Progress func(jobs.Progress)
}

// ImportFile loads a file of this machine in the calling process. Nothing is
// changed unless it answers without an error: a process that dies on the way
// leaves files that the sweeper removes.
//
// Errors: files.*, ingest.*, datasets.*, access.forbidden.
func (s *Service) ImportFile(ctx context.Context, actor access.Actor, request ImportRequest) (LoadReport, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return LoadReport{}, err
	}
	if request.Mode == "" {
		request.Mode = Replace
	}
	path, err := filepath.Abs(request.Path)
	if err != nil {
		return LoadReport{}, fmt.Errorf("find file: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return LoadReport{}, ErrOptionsInvalid.With("There is no file %s.", request.Path).Wrap(err)
	case err != nil:
		return LoadReport{}, ErrOptionsInvalid.With("The file %s can't be opened.", request.Path).Wrap(err)
	case !info.Mode().IsRegular():
		return LoadReport{}, ErrOptionsInvalid.With("%s is not a file.", request.Path)
	}
	in := loadInput{
		id: ids.New[ids.Load](), path: path, filename: filepath.Base(path), bytes: info.Size(),
		dataset: request.Dataset, mode: request.Mode, choices: request.Choices, progress: request.Progress, keepRejects: true,
	}
	// The row of the load is there from the moment that it is done.
	in.before = func(ctx context.Context, tx *db.Tx) error {
		options, err := json.Marshal(in.choices)
		if err != nil {
			return fmt.Errorf("encode choices: %w", err)
		}
		return tx.LoadInsert(ctx, db.LoadInsertParams{
			TenantID: tx.TenantID, LoadID: in.id.UUID(), DatasetName: in.dataset, UserID: userOf(actor), Filename: shortName(in.filename),
			Mode: string(in.mode), Options: options, State: "running", Now: s.moment(),
		})
	}
	return s.load(ctx, actor, in)
}

// loadInput is a load with its file at hand.
type loadInput struct {
	id         ids.Load
	path       string
	filename   string
	bytes      int64
	dataset    string // name or id
	mode       Mode
	choices    Choices
	inspection *ingest.Inspection // of exactly these choices; nil to make it
	seen       *string            // digest of the only change of columns that may be made; nil for any
	progress   func(jobs.Progress)
	before     func(context.Context, *db.Tx) error
	complete   func(context.Context, *db.Tx) error
	// keepRejects asks for a local file of what was rejected.
	keepRejects bool
}

func (in *loadInput) report(p jobs.Progress) {
	if in.progress != nil {
		in.progress(p)
	}
}

// loader carries a load through: it is prepared anew while others change the
// dataset, but the file is read again only when its columns are to go
// elsewhere.
type loader struct {
	*Service
	actor access.Actor
	in    loadInput
	stage string

	inspection *ingest.Inspection
	choices    Choices
	plan       *plan
	loaded     *ingest.Loaded
	files      []file // published, of this plan; not for upserts
	rejects    string // key of the published rejects file
	kept       string // local copy of it
	source     *sources.Sealed
}

// load brings a file into a dataset. Nothing can fail after the commit.
func (s *Service) load(ctx context.Context, actor access.Actor, in loadInput) (_ LoadReport, err error) {
	began := s.now()
	if !in.mode.Valid() {
		return LoadReport{}, ErrOptionsInvalid
	}
	if err := in.choices.check(); err != nil {
		return LoadReport{}, err
	}
	stage, removeStage, err := s.stage(ctx)
	if err != nil {
		return LoadReport{}, err
	}
	defer removeStage()
	l := &loader{Service: s, actor: actor, in: in, stage: stage}
	defer func() {
		if err != nil {
			l.forgetRejects(ctx)
		}
	}()
	for attempt := 1; ; attempt++ {
		report, err := l.attempt(ctx, attempt == maxPrepares)
		if errors.Is(err, errStale) && attempt < maxPrepares {
			continue
		}
		if errors.Is(err, errStale) {
			return LoadReport{}, ErrBusy.Wrap(err)
		}
		if err != nil {
			return LoadReport{}, err
		}
		report.Took = s.now().Sub(began)
		report.RejectsFile = l.kept
		return report, nil
	}
}

// target finds the dataset to load into; nil when it is to be made.
func (l *loader) target(ctx context.Context) (*Dataset, int32, []db.SegmentListLiveRow, error) {
	var d *Dataset
	next := int32(1)
	var live []db.SegmentListLiveRow
	err := l.inTx(ctx, l.actor, func(ctx context.Context, tx *db.Tx) error {
		id, err := resolve(ctx, tx, l.in.dataset)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		share, err := tx.DatasetShare(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return lockError(ctx, tx, id, err)
		}
		found, err := readDataset(ctx, tx, db.DatasetGetRow(share))
		if err != nil {
			return err
		}
		d, next = &found, share.NextColumn
		live, err = tx.SegmentListLive(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list segments: %w", err)
		}
		return nil
	})
	return d, next, live, err
}

func (l *loader) attempt(ctx context.Context, last bool) (LoadReport, error) {
	d, next, live, err := l.target(ctx)
	if err != nil {
		return LoadReport{}, err
	}
	if d == nil {
		if _, err := uuid.Parse(l.in.dataset); err == nil { // removed meanwhile
			return LoadReport{}, ErrNotFound
		}
		if l.in.dataset, err = validName(l.in.dataset); err != nil {
			return LoadReport{}, err
		}
	}
	if err := l.inspect(ctx, d); err != nil {
		return LoadReport{}, err
	}
	plan, err := planner{
		dataset: d, nextColumn: next, inspection: l.inspection, mode: l.in.mode, choices: l.choices, digits: digitsOf(live),
	}.plan()
	if err != nil {
		return LoadReport{}, err
	}
	if l.in.seen != nil && plan.change.Digest() != *l.in.seen {
		return LoadReport{}, ErrChangeUnseen
	}
	if err := plan.change.conflict(); err != nil {
		return LoadReport{}, err
	}
	if l.loaded == nil || !plan.same(l.plan) {
		if err := l.read(ctx, plan); err != nil {
			return LoadReport{}, err
		}
	}
	if l.in.mode == Replace && len(live) > 0 && l.loaded.RowsLoaded == 0 && l.loaded.RowsRejected > 0 {
		return LoadReport{}, l.nothingFits()
	}
	l.plan = plan
	id := ids.New[ids.Dataset]()
	c := change{kind: ChangeKind(l.in.mode), revision: -1, plan: plan, written: l.loaded.RowsLoaded, audited: true,
		before: l.in.before, complete: l.in.complete, note: l.in.filename}
	report := l.report(plan)
	if d == nil {
		c.create = l.in.dataset
		report.Name = c.create
	} else {
		id, report.Name, c.revision = d.ID, d.Name, d.Revision
	}
	report.Dataset = id
	if err := l.prepareSource(ctx, d); err != nil {
		return LoadReport{}, err
	}
	c.source = l.source
	if err := l.publishRejects(ctx); err != nil {
		return LoadReport{}, err
	}
	return l.finish(ctx, id, live, c, report, last)
}

// nothingFits says why no row came through, by the first that did not. Rows that
// are there are not given for none: a wrong type is more likely.
func (l *loader) nothingFits() error {
	if len(l.loaded.Rejects) == 0 {
		return ErrNothingFits
	}
	first := l.loaded.Rejects[0]
	where := fmt.Sprintf("line %d", first.Line)
	if first.Column != "" {
		where += fmt.Sprintf(", column %q", first.Column)
	}
	return ErrNothingFits.With("None of the %d rows of the file can be loaded, so nothing was replaced. In %s: %s, “%s”.", l.loaded.RowsRejected, where, first.Text, first.Value)
}

// finish publishes what the load wrote and commits it.
func (l *loader) finish(ctx context.Context, id ids.Dataset, live []db.SegmentListLiveRow, c change, report LoadReport, last bool) (LoadReport, error) {
	l.in.report(jobs.Progress{Phase: "publishing", Bytes: l.in.bytes, BytesTotal: l.in.bytes, Rows: report.RowsLoaded + report.RowsRejected, Rejected: report.RowsRejected})
	upsert := l.in.mode == Upsert && len(live) > 0 && len(l.loaded.Segments) > 0
	encode := func() error {
		encoded, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		c.load = &loadOutcome{id: l.in.id, report: encoded, loaded: report.RowsLoaded, rejected: report.RowsRejected, rejectsKey: l.rejects}
		return nil
	}
	if upsert {
		upserts, release, err := l.written(ctx)
		if err != nil {
			return LoadReport{}, err
		}
		defer release()
		work := keyChange{
			dataset: id, stage: l.stage,
			change: segments.Change{Layout: c.plan.layout, Key: c.plan.key, Upserts: upserts},
			done: func(changed segments.Changed) (change, error) {
				report.Inserted, report.Updated = changed.Inserted, changed.Updated
				err := encode()
				return c, err
			},
		}
		version, err := l.changeByKey(ctx, l.actor, work, live, last)
		report.Version = version
		return report, err
	}
	if err := encode(); err != nil {
		return LoadReport{}, err
	}
	c.removeAll = l.in.mode == Replace
	if l.in.mode == Upsert && len(live) == 0 {
		c.live = map[uuid.UUID]bool{} // another load may bring the same keys first
	}
	if l.files == nil {
		if err := l.checkTargets(ctx, l.actor, id, &c, live, l.loaded.Segments); err != nil {
			return LoadReport{}, err
		}
		files, err := l.publish(ctx, l.actor.TenantID, id, l.loaded.Segments)
		if err != nil {
			return LoadReport{}, err
		}
		l.files = files
	} else if err := l.checkTargetsAgain(ctx, id, &c); err != nil {
		return LoadReport{}, err
	}
	c.add = l.files
	version, err := l.commit(ctx, l.actor, id, c)
	report.Version = version
	return report, err
}

// written are the files that the load wrote, published or not.
func (l *loader) written(ctx context.Context) (paths []string, release func(), err error) {
	if l.files == nil {
		for _, f := range l.loaded.Segments {
			paths = append(paths, f.Path)
		}
		return paths, func() {}, nil
	}
	published := make([]db.SegmentListLiveRow, len(l.files))
	for i, f := range l.files {
		published[i].Key = f.key
	}
	return l.openFiles(ctx, published)
}

// inspect finds out the types of the file's columns, with what the dataset
// knows about its own.
func (l *loader) inspect(ctx context.Context, d *Dataset) error {
	if l.inspection != nil {
		return nil
	}
	l.choices, l.inspection = l.in.choices, l.in.inspection
	compared := l.in.mode != Replace && d != nil // with another reading, by what each rejects
	if l.inspection == nil {
		inspection, err := l.inspectFile(ctx, ingest.InspectRequest{Unseen: !compared}, l.in.choices)
		if err != nil {
			return err
		}
		l.inspection = inspection
	}
	seeded, columns := l.in.choices.seeded(d, l.inspection, l.in.mode)
	if len(columns) == 0 {
		return nil
	}
	again, err := l.inspectFile(ctx, ingest.InspectRequest{Unseen: !compared}, seeded)
	if err != nil {
		return err
	}
	if !compared || again.WillReject <= l.inspection.WillReject+again.Records/20 {
		l.inspection, l.choices = again, seeded
	}
	return nil
}

// inspectFile carries out a request on the file, read by choices.
func (l *loader) inspectFile(ctx context.Context, request ingest.InspectRequest, choices Choices) (*ingest.Inspection, error) {
	var err error
	if request.Dir, err = os.MkdirTemp(l.stage, "inspect-*"); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	request.Path, request.Options, request.Columns = l.in.path, choices.Options, choices.Columns
	request.Key, request.Duplicates = choices.Key, choices.Duplicates
	return l.sandbox.Inspect(ctx, request, l.sandboxProgress("inspecting"))
}

// read loads the file into segments of the plan's columns.
func (l *loader) read(ctx context.Context, p *plan) error {
	dir, err := os.MkdirTemp(l.stage, "load-*")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	request := ingest.LoadRequest{
		Path: l.in.path, Format: l.inspection.Format, Options: l.choices.Options, Columns: p.load,
		Key: p.key, Duplicates: l.choices.Duplicates, Dir: dir,
	}
	if p.loads(p.timeColumn) {
		request.TimeColumn = p.timeColumn
	}
	if request.Duplicates == "" && l.in.mode == Upsert {
		request.Duplicates = "last"
	}
	for _, name := range l.inspection.SortedBy {
		for _, c := range p.load {
			request.Sorted = request.Sorted || (c.Column.ID == p.timeColumn && (c.Source == name || c.Column.Name == name))
		}
	}
	loaded, err := l.sandbox.Load(ctx, request, l.sandboxProgress("loading"))
	if err != nil {
		return err
	}
	l.loaded, l.files, l.rejects = loaded, nil, ""
	l.forgetRejects(ctx)
	return nil
}

func (l *loader) sandboxProgress(phase string) func(ingest.Progress) {
	return func(p ingest.Progress) {
		if p.Phase != "" {
			phase = p.Phase
		}
		l.in.report(jobs.Progress{
			Phase: phase, Bytes: p.BytesRead, BytesTotal: p.BytesTotal, Rows: p.Rows, Rejected: p.Rejected, RowsTotal: l.rowsTotal(phase),
		})
	}
}

func (l *loader) rowsTotal(phase string) int64 {
	if phase != "inspecting" && l.inspection != nil {
		return l.inspection.Records
	}
	return 0
}

func (l *loader) report(p *plan) LoadReport {
	report := LoadReport{
		Load: l.in.id, Mode: l.in.mode, RowsLoaded: l.loaded.RowsLoaded, RowsRejected: l.loaded.RowsRejected,
		Rejects: l.loaded.Rejects, RejectsBytes: l.loaded.RejectsBytes, Schema: p.change,
		Notes: notesOf(l.inspection),
	}
	for _, c := range p.layout.Columns {
		report.Columns = append(report.Columns, ReportColumn{ID: c.ID, Name: c.Name, Type: string(c.Type)})
	}
	return report
}

func (l *loader) publishRejects(ctx context.Context) error {
	if l.loaded.RejectsFile == "" || l.rejects != "" {
		return nil
	}
	prefix, err := l.prefix(ctx, l.actor.TenantID)
	if err != nil {
		return err
	}
	key := rejectsKey(prefix, l.in.id)
	if l.in.keepRejects && !l.blobs.IsFile() {
		if l.kept, err = copied(l.loaded.RejectsFile); err != nil {
			return fmt.Errorf("keep rejects: %w", err)
		}
	}
	if err := l.blobs.PublishFile(ctx, key, l.loaded.RejectsFile); err != nil {
		return fmt.Errorf("publish rejects: %w", err)
	}
	l.rejects = key
	if l.in.keepRejects && l.blobs.IsFile() {
		path, release, err := l.blobs.Local(ctx, key)
		if err != nil {
			return fmt.Errorf("find rejects: %w", err)
		}
		release()
		l.kept = path
	}
	return nil
}

// copied copies a file to one that nobody else removes.
func copied(path string) (string, error) {
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = from.Close() }()
	to, err := os.CreateTemp("", "dataflow-rejected-*.csv")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return "", errors.Join(err, os.Remove(to.Name()))
	}
	return to.Name(), nil
}

// forgetRejects removes the copy of a load that came to nothing.
func (l *loader) forgetRejects(ctx context.Context) {
	if l.kept != "" && !l.blobs.IsFile() {
		if err := os.Remove(l.kept); err != nil {
			l.log.WarnContext(ctx, "remove copy of rejects", "error", err)
		}
	}
	l.kept = ""
}

// prepareSource makes the file the dataset's source.
func (l *loader) prepareSource(ctx context.Context, d *Dataset) error {
	if l.source != nil {
		return nil
	}
	choices, err := json.Marshal(l.choices)
	if err != nil {
		return fmt.Errorf("encode choices: %w", err)
	}
	var id ids.Source
	if d != nil {
		id = d.SourceID
	}
	sealed, err := l.sources.Seal(ctx, l.actor, id, shortName(l.in.filename), sourceType(l.inspection.Format.Kind), sources.File{
		Filename: l.in.filename, Bytes: l.in.bytes, Choices: choices,
	})
	if err != nil {
		return err
	}
	l.source = &sealed
	return nil
}

func sourceType(kind string) sources.Type {
	switch kind {
	case "json", "ndjson":
		return sources.JSON
	case "parquet":
		return sources.Parquet
	case "xlsx":
		return sources.XLSX
	}
	return sources.CSV
}

// shortName cuts a file name to what the database keeps.
func shortName(name string) string {
	if name == "" {
		return "file"
	}
	for len(name) > 200 {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "�")
}

// maxName is the most characters of a dataset's name.
const maxName = 120

// NameOfFile proposes a dataset's name for a file: "/in/flights-3m.csv.gz" is
// flights-3m. It is "" where nothing of the file's name can be one.
func NameOfFile(path string) string {
	name := filepath.Base(path)
	for {
		ext := filepath.Ext(name)
		switch strings.ToLower(ext) {
		case ".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".parquet", ".xlsx", ".gz", ".zst", ".zstd":
			name = strings.TrimSuffix(name, ext)
			continue
		}
		break
	}
	name, err := validName(plaintext.Tame(name, maxName))
	if err != nil {
		return ""
	}
	return name
}

// validName trims a dataset's name and checks it.
//
// Errors: datasets.name_invalid.
func validName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if problem := plaintext.Problem(name, maxName, ErrNameInvalid.Sentence()); problem != "" {
		return "", ErrNameInvalid.With("%s", problem)
	}
	if _, err := uuid.Parse(name); err == nil {
		return "", ErrNameInvalid.With("A dataset can't be named like an id.")
	}
	return name, nil
}

// digitsOf answers how many digits an integer column's values have, from the
// statistics of its segments.
func digitsOf(live []db.SegmentListLiveRow) func(int32) int {
	return func(column int32) int {
		most := 1
		for _, segment := range live {
			var stats map[int32]segments.Range
			if err := json.Unmarshal(segment.Stats, &stats); err != nil {
				return 19
			}
			r, ok := stats[column]
			if !ok {
				return 19
			}
			for _, bound := range []any{r.Min, r.Max} {
				if v, ok := bound.(int64); ok {
					most = max(most, len(strings.TrimPrefix(fmt.Sprint(v), "-")))
				}
			}
		}
		return most
	}
}
