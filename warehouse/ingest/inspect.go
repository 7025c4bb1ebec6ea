package ingest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dataflowhq/dataflow/platform/records"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Inspect finds out what a file holds, from all of its rows.
//
// Errors: files.*, ingest.*.
func (r *Reader) Inspect(ctx context.Context, request InspectRequest, progress func(Progress)) (*Inspection, error) {
	m := &meter{}
	defer report(m, progress)()
	i := &inspector{reader: r, request: request, meter: m, guessed: request.Options.Encoding == ""}
	return i.inspect(ctx)
}

type inspector struct {
	reader  *Reader
	request InspectRequest
	meter   *meter
	temp    string

	source  records.Source
	fields  []records.Field
	surveys []*survey
	chosen  []*ColumnChoice // by position, nil where nothing was chosen
	types   []*TypeChoice   // by position
	result  *Inspection
	problem int64  // records that the source refused
	above   bool   // some of them stand above the header
	guessed bool   // nobody chose the encoding
	maybe   []bool // by position: some value may not fit the type
}

func (i *inspector) inspect(ctx context.Context) (*Inspection, error) {
	var err error
	if i.temp, err = os.MkdirTemp(i.request.Dir, "tmp-"); err != nil {
		return nil, diskError(fmt.Errorf("temporary directory: %w", err))
	}
	defer os.RemoveAll(i.temp)
	if err := i.openSource(ctx); err != nil {
		return nil, err
	}
	defer func() { i.source.Close() }()
	i.meter.enter("reading")
	if err := i.survey(ctx); err != nil {
		return nil, err
	}
	if again, err := i.otherEncoding(ctx); err != nil {
		return nil, err
	} else if again {
		i.source.Close()
		if err := i.openSource(ctx); err != nil {
			return nil, err
		}
		if err := i.survey(ctx); err != nil {
			return nil, err
		}
	}
	if err := i.propose(); err != nil {
		return nil, err
	}
	if err := i.check(ctx); err != nil {
		return nil, err
	}
	return i.result, nil
}

func (i *inspector) openSource(ctx context.Context) error {
	limits := i.request.Limits
	limits.TempDir = i.temp
	source, err := i.reader.open(ctx, i.request.Path, i.request.Options, limits)
	if err != nil {
		return err
	}
	i.source, i.fields = source, source.Fields()
	i.meter.source.Store(&i.source)
	i.result = &Inspection{Format: source.Format()}
	_, i.result.Bytes = source.Progress()
	return i.choose()
}

// choose matches what was chosen with the columns of the file.
func (i *inspector) choose() error {
	i.chosen = make([]*ColumnChoice, len(i.fields))
	i.types = make([]*TypeChoice, len(i.fields))
	for n := range i.request.Columns {
		c := &i.request.Columns[n]
		at := i.position(c.Column)
		if at < 0 {
			return ErrUnknownColumn.With("The file has no column %q. It has: %s.", c.Column, i.names())
		}
		i.chosen[at] = c
		if c.Type == "" {
			continue
		}
		choice, err := ParseTypeChoice(c.Type)
		if err != nil {
			return err
		}
		i.types[at] = &choice
	}
	return nil
}

func (i *inspector) position(name string) int {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for at, f := range i.fields {
			if same(f.Name, name) || same(f.Source, name) {
				return at
			}
		}
	}
	// A renamed column also answers to its new name.
	for n := range i.request.Columns {
		if c := &i.request.Columns[n]; c.Rename == name && c.Column != name {
			return i.position(c.Column)
		}
	}
	return -1
}

func (i *inspector) names() string {
	var names []string
	for at, f := range i.fields {
		if at == 20 {
			return strings.Join(names, ", ") + " and more"
		}
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// survey reads all rows.
func (i *inspector) survey(ctx context.Context) error {
	var total, problems, emptyRows atomic.Int64
	var above atomic.Bool
	all := make([][]*survey, workers())
	scratch := make([][]byte, len(all))
	for w := range all {
		all[w] = make([]*survey, len(i.fields))
		for f := range all[w] {
			text := i.types[f] != nil && i.types[f].Type == segments.Text
			all[w][f] = &survey{order: &sequence{}, keepAll: i.types[f] != nil && !text, settled: i.unasked(f)}
		}
	}
	var mu sync.Mutex
	preview := map[int64][]string{}
	err := forEach(ctx, i.source, func(w int, b *records.Batch) error {
		var skip []bool
		for _, p := range b.Problems {
			if skip == nil {
				skip = make([]bool, b.Records)
			}
			skip[p.Index] = true
		}
		for f, s := range all[w] {
			s.order.begin(b.Seq)
			s.add(b, f, skip, &scratch[w])
		}
		if b.FirstRecord <= int64(i.request.PreviewRows) {
			mu.Lock()
			for r := 0; r < b.Records && b.FirstRecord+int64(r) <= int64(i.request.PreviewRows); r++ {
				preview[b.FirstRecord+int64(r)] = previewRow(b, r)
			}
			mu.Unlock()
		}
		if len(b.Problems) > 0 && b.Problems[0].Reason == records.BeforeHeader {
			above.Store(true)
		}
		total.Add(int64(b.Records))
		problems.Add(int64(len(b.Problems)))
		emptyRows.Add(blankRecords(b, skip))
		i.meter.rows.Add(int64(b.Records))
		return nil
	})
	if err != nil {
		return err
	}
	i.surveys = all[0]
	for _, other := range all[1:] {
		for f, s := range other {
			i.surveys[f].merge(s)
		}
	}
	i.result.Records, i.problem, i.above = total.Load(), problems.Load(), above.Load()
	for n := int64(1); preview[n] != nil; n++ {
		i.result.Preview = append(i.result.Preview, preview[n])
	}
	if n := emptyRows.Load(); n > 0 {
		i.note(NoteEmptyRows, "%s rows have no values at all. They are loaded.", count(n))
	}
	return nil
}

// unasked tells whether nothing about a column depends on what its values look
// like: it is loaded as text, or not at all, and no other column's type is left
// to be found out. Where a person looks at the answer, examples are wanted.
func (i *inspector) unasked(field int) bool {
	if !i.request.Unseen {
		return false
	}
	skipped := func(f int) bool { return i.chosen[f] != nil && i.chosen[f].Skip }
	for f := range i.fields {
		if !skipped(f) && i.types[f] == nil {
			return false
		}
	}
	return skipped(field) || i.types[field].Type == segments.Text
}

func (i *inspector) note(code, format string, args ...any) {
	i.result.Notes = append(i.result.Notes, Note{Code: code, Text: fmt.Sprintf(format, args...)})
}

func previewRow(b *records.Batch, r int) []string {
	row := make([]string, b.Fields)
	for f := range row {
		var scratch []byte
		row[f] = records.Legible(excerpt(b.Cell(r, f, &scratch)))
	}
	return row
}

// blankRecords counts records all of whose cells are empty.
func blankRecords(b *records.Batch, skip []bool) int64 {
	blank := int64(0)
record:
	for r := range b.Records {
		if skip != nil && skip[r] {
			continue
		}
		for _, s := range b.Spans[r*b.Fields : (r+1)*b.Fields] {
			if start, end := s.Bounds(); end > start {
				continue record
			}
		}
		blank++
	}
	return blank
}

// surveyor is what a source of text can tell about its encoding.
type surveyor interface {
	SurveyEncoding(ctx context.Context) (string, error)
}

// otherEncoding tells whether the file has to be read again in another
// encoding: bytes that are not UTF-8 came up behind the head.
func (i *inspector) otherEncoding(ctx context.Context) (bool, error) {
	source, ok := i.source.(surveyor)
	if !ok || i.request.Options.Encoding != "" {
		return false, nil
	}
	invalid := int64(0)
	for _, s := range i.surveys {
		invalid += s.invalid
	}
	if invalid == 0 {
		return false, nil
	}
	encoding, err := source.SurveyEncoding(ctx)
	if err != nil || encoding == "" {
		return false, err
	}
	i.request.Options.Encoding = encoding
	return true, nil
}

// propose decides name and type of every column.
func (i *inspector) propose() error {
	r := i.result
	e := gather(i.surveys)
	i.maybe = make([]bool, len(i.fields))
	taken := map[string]int{}
	loads := 0
	for at, f := range i.fields {
		s, choice := i.surveys[at], i.chosen[at]
		c := InspectedColumn{Position: at, Source: f.Source, Name: f.Name, Load: true, Example: records.Legible(string(s.example))}
		p := i.proposal(at, e)
		if choice != nil {
			c.Load = !choice.Skip
			c.EmptyFor = choice.EmptyFor
			if choice.Rename != "" {
				c.Name = strings.TrimSpace(choice.Rename)
			}
		} else if f.Source == "" && s.filled == 0 && r.Records > 0 && at == len(i.fields)-1 && at > 0 {
			c.Load = false // a delimiter at the end of every line
		}
		c.Type, c.Precision, c.Scale = p.kind, p.precision, p.scale
		c.Role, c.Format, c.Reading = p.role, p.format, p.reading
		c.Filled, c.Empty, c.Notes = s.filled, s.empty, p.notes
		if p.kind != segments.Text {
			c.Filled -= s.nullN
			c.Empty += s.nullN
			c.NullWords = maps.Clone(s.nulls)
		}
		if f.Name != f.Source {
			c.Notes = append(c.Notes, renamedNote(f))
		}
		if c.Load {
			loads++
			if before, repeated := taken[strings.ToLower(c.Name)]; repeated {
				return ErrRepeatedName.With("Columns %d and %d are both named %q.", before+1, at+1, c.Name)
			}
			taken[strings.ToLower(c.Name)] = at
		}
		i.maybe[at] = i.mayMisfit(at, p)
		r.Columns = append(r.Columns, c)
	}
	if loads == 0 {
		return ErrNoColumns
	}
	i.fileNotes()
	return i.order()
}

func renamedNote(f records.Field) Note {
	if strings.TrimSpace(f.Source) == "" {
		return Note{Code: NoteRenamed, Text: "The column has no name in the file."}
	}
	return Note{Code: NoteRenamed, Text: fmt.Sprintf("Named %q in the file.", excerpt([]byte(f.Source)))}
}

// proposal is the type of a column: as chosen, as the file declares it, or as
// its values show.
func (i *inspector) proposal(at int, e evidence) proposal {
	s, f := i.surveys[at], i.fields[at]
	inferred := s.infer(f.Name, e)
	if choice := i.types[at]; choice != nil {
		return s.chosen(f.Name, *choice, inferred)
	}
	switch segments.Type(f.Type) {
	case "":
		return inferred
	case segments.Text:
		// The file says text: only dates without any exception are more.
		dated := inferred.kind == segments.Date || segments.HasBucket(inferred.kind)
		if dated && s.dates == s.filled-s.nullN {
			return inferred
		}
		return proposal{kind: segments.Text, notes: questions(inferred.notes)}
	}
	p := proposal{kind: segments.Type(f.Type), precision: f.Precision, scale: f.Scale}
	p.sure = s.allAre(p.kind)
	p.reading.Zone = zoneFor(p.kind)
	p.role = s.role(f.Name, p)
	return p
}

func zoneFor(t segments.Type) string {
	if t == segments.TimestampTZ {
		return "utc"
	}
	return ""
}

func questions(notes []Note) []Note {
	var kept []Note
	for _, n := range notes {
		if n.Code == NoteAmbiguousDates || n.Code == NoteEmptyColumn {
			kept = append(kept, n)
		}
	}
	return kept
}

// mayMisfit tells whether a value of the column could fail to fit its type.
func (i *inspector) mayMisfit(at int, p proposal) bool {
	s := i.surveys[at]
	switch {
	case s.invalid > 0:
		return true
	case p.kind == segments.Text:
		return false
	case i.types[at] != nil:
		return true
	}
	return !p.sure
}

func (i *inspector) fileNotes() {
	f := i.result.Format
	switch {
	case i.result.Records == 0 && f.Header:
		i.note(NoteHeaderOnly, "The file has a header and no rows.")
	case f.Kind == "csv" && !f.Header:
		i.note(NoteNoHeader, "The first line does not look like names, so columns are numbered.")
	}
	if f.HeaderDoubt != "" {
		i.note(NoteHeaderDoubt, "The first row was taken as the names of the columns, though %q could be a value. If it is one, say that the first row is data already.", f.HeaderDoubt)
	}
	if f.HeaderLine > 1 && i.above {
		i.note(NoteTextAboveHeader, "The header is on line %d. What stands above it is not loaded.", f.HeaderLine)
	}
	if (f.Encoding == "windows-1252" || f.Encoding == "latin-1") && i.guessed {
		i.note(NoteEncodingGuessed, "The file is not UTF-8. It was read as %s.", f.Encoding)
	}
	if len(f.Sheets) > 1 {
		i.note(NoteOtherSheets, "%q is read. The file also has %s.", f.Sheet, others(f.Sheets, f.Sheet))
	}
}

func others(sheets []string, chosen string) string {
	var rest []string
	for _, s := range sheets {
		if s != chosen {
			rest = append(rest, s)
		}
	}
	if len(rest) > 10 {
		return strings.Join(rest[:10], ", ") + fmt.Sprintf(" and %d more", len(rest)-10)
	}
	return strings.Join(rest, ", ")
}

// order finds the time column and the columns that the file is sorted by.
func (i *inspector) order() error {
	var loaded []segments.Column
	for at, c := range i.result.Columns {
		if !c.Load {
			continue
		}
		loaded = append(loaded, segments.Column{ID: int32(at + 1), Type: c.Type})
		s := i.surveys[at]
		dated := c.Type == segments.Date || segments.HasBucket(c.Type)
		if dated && s.empty+s.nullN == 0 && s.dates == s.filled && s.order.sorted() {
			i.result.SortedBy = append(i.result.SortedBy, c.Name)
		}
	}
	if id := segments.DefaultTimeColumn(loaded); id > 0 {
		i.result.TimeColumn = i.result.Columns[id-1].Name
	}
	return nil
}
