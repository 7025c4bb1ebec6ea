package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// definitions remembers what datasets at given versions are made of, so that
// answering a spec asks PostgreSQL for version numbers and nothing else. What
// is remembered under a key never changes.
type definitions struct {
	parts  *lru.Cache[definitionKey, *definition]
	joined *lru.Cache[string, *bound]
	loads  coalescer[*definition]
}

type definitionKey struct {
	tenant                    ids.Tenant
	dataset                   ids.Dataset
	version, revision, layout int64
}

// definition is one dataset at one version, without its lookups.
type definition struct {
	key     definitionKey
	dataset warehouse.Dataset
	columns []Column
	lookups []Lookup
	rules   []Rule
	secret  string // of pseudonyms
}

// bound is a dataset with its lookups at their versions.
type bound struct {
	dataset *warehouse.Dataset
	// renamed has the current name by former name, "lookup.column" included.
	renamed map[string]string
}

func newDefinitions(size int) *definitions {
	parts, err := lru.New[definitionKey, *definition](size)
	if err != nil {
		panic(err) // a size under 1
	}
	joined, err := lru.New[string, *bound](size)
	if err != nil {
		panic(err)
	}
	return &definitions{parts: parts, joined: joined}
}

// bound answers a dataset as a bound snapshot has it and the actor sees it. It
// is the only way to a dataset that can be asked, so no question is without the
// rules that hold for who asks it.
//
// Errors: datasets.not_found when the snapshot or the workspace has no such
// dataset, datasets.snapshot_expired.
func (s *Service) bound(ctx context.Context, actor access.Actor, snapshot Snapshot, id ids.Dataset) (*bound, error) {
	if snapshot.tenant != actor.TenantID {
		return nil, ErrNotFound
	}
	p, ok := snapshot.part(id)
	if !ok {
		return nil, ErrNotFound
	}
	d, err := s.definition(ctx, snapshot.tenant, p)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 0, 64)
	key = fmt.Appendf(key, "%s %v %d %d %d", snapshot.tenant, id, d.key.version, d.key.revision, d.key.layout)
	targets := make([]*definition, len(d.lookups))
	for i, l := range d.lookups {
		p, ok := snapshot.part(l.Target)
		if !ok {
			// Declared a moment ago, or not for who asks: without it the dataset
			// is another one.
			key = append(key, " -"...)
			continue
		}
		if targets[i], err = s.definition(ctx, snapshot.tenant, p); err != nil {
			return nil, err
		}
		key = fmt.Appendf(key, " %d %d %d", targets[i].key.version, targets[i].key.revision, targets[i].key.layout)
	}
	policies := make([]*warehouse.Policy, 1+len(targets))
	policies[0] = policyOf(actor, d, targets)
	key = fmt.Appendf(key, " %s", policies[0].Key())
	// What a row looks up is limited by the rules of where it stands, and by no
	// filter that is about the rows themselves.
	actor.Locked = nil
	for i, t := range targets {
		if t != nil {
			policies[i+1] = policyOf(actor, t, make([]*definition, len(t.lookups)))
			key = fmt.Appendf(key, " %s", policies[i+1].Key())
		}
	}
	if b, ok := s.definitions.joined.Get(string(key)); ok {
		return b, nil
	}
	b := join(d, targets, policies)
	s.definitions.joined.Add(string(key), b)
	return b, nil
}

func join(d *definition, targets []*definition, policies []*warehouse.Policy) *bound {
	dataset := d.dataset
	dataset.Policy = policies[0]
	b := &bound{dataset: &dataset, renamed: map[string]string{}}
	addRenamed(b.renamed, "", d.columns)
	for i, l := range d.lookups {
		t := targets[i]
		if t == nil || !hasColumn(d.columns, l.Column) || !hasColumn(t.columns, l.Key) {
			continue
		}
		if dataset.Lookups == nil {
			dataset.Lookups = map[string]warehouse.Lookup{}
		}
		target := t.dataset
		target.Policy = policies[i+1]
		dataset.Lookups[l.Name] = warehouse.Lookup{Column: l.Column, Key: l.Key, Target: &target}
		addRenamed(b.renamed, l.Name+".", t.columns)
	}
	dataset.Fields = currentFields(dataset.Fields, b.renamed)
	return b
}

func addRenamed(renamed map[string]string, prefix string, columns []Column) {
	for _, c := range columns {
		for _, former := range c.FormerNames {
			renamed[prefix+former] = prefix + c.Name
		}
	}
	for _, c := range columns {
		delete(renamed, prefix+c.Name) // a current name always means itself
	}
}

func hasColumn(columns []Column, id int32) bool {
	for _, c := range columns {
		if c.ID == id {
			return true
		}
	}
	return false
}

// definition answers one dataset at one version, from memory where it can.
func (s *Service) definition(ctx context.Context, tenant ids.Tenant, p part) (*definition, error) {
	key := definitionKey{tenant, p.dataset, p.version, p.revision, p.layout}
	if d, ok := s.definitions.parts.Get(key); ok {
		return d, nil
	}
	return s.definitions.loads.do(ctx, fmt.Sprint(key), func(ctx context.Context) (*definition, error) {
		if d, ok := s.definitions.parts.Get(key); ok {
			return d, nil
		}
		d, err := s.readDefinition(ctx, tenant, p)
		if err != nil {
			return nil, err
		}
		// Where the definition moved on meanwhile, d is the newer one: its own
		// key says so, and that of the question is not remembered.
		s.definitions.parts.Add(d.key, d)
		return d, nil
	})
}

func (s *Service) readDefinition(ctx context.Context, tenant ids.Tenant, p part) (*definition, error) {
	var d *definition
	var files []db.SegmentListRow
	err := s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		share, err := tx.DatasetShare(ctx, tx.TenantID, p.dataset.UUID())
		if err != nil {
			return getError(p.dataset, err)
		}
		row := db.DatasetGetRow(share)
		d = &definition{
			key: definitionKey{tenant, p.dataset, p.version, row.Revision, row.Layout},
			dataset: warehouse.Dataset{
				ID: p.dataset.String(), TenantID: tenant.String(), Name: row.Name, Version: p.version,
				RelativeToNewest: row.RelativeToNewest,
			},
		}
		rows := row.RowCount
		if p.version != row.Version {
			// Held, the version keeps its segments until they are read.
			version, err := tx.VersionShare(ctx, tx.TenantID, row.DatasetID, p.version)
			if db.IsNoRows(err) {
				return ErrSnapshotExpired.Wrap(err)
			}
			if err != nil {
				return fmt.Errorf("load version %d of %s: %w", p.version, p.dataset, err)
			}
			rows = version.RowCount
		}
		if d.columns, err = readColumns(ctx, tx, p.dataset, p.version); err != nil {
			return err
		}
		if d.dataset.Dropped, err = readDropped(ctx, tx, p.dataset, p.version); err != nil {
			return err
		}
		if hasColumn(d.columns, row.TimeColumn) {
			d.dataset.TimeColumn = row.TimeColumn
		}
		if d.lookups, err = readLookups(ctx, tx, p.dataset); err != nil {
			return err
		}
		measures, err := readMeasures(ctx, tx, p.dataset)
		if err != nil {
			return err
		}
		for _, m := range measures {
			if d.dataset.Measures == nil {
				d.dataset.Measures = map[string]warehouse.Measure{}
			}
			d.dataset.Measures[m.Name] = currentMeasure(m.Measure, d.columns)
		}
		fields, err := readFields(ctx, tx, p.dataset)
		if err != nil {
			return err
		}
		for _, f := range fields {
			if d.dataset.Fields == nil {
				d.dataset.Fields = map[string]string{}
			}
			d.dataset.Fields[f.Name] = f.Expression
		}
		renamed := map[string]string{}
		addRenamed(renamed, "", d.columns)
		d.dataset.Fields = currentFields(d.dataset.Fields, renamed)
		rules, err := readRules(ctx, tx, p.dataset)
		if err != nil {
			return err
		}
		if d.rules = rules[p.dataset]; len(d.rules) > 0 {
			if d.secret, err = tx.MaskSecret(ctx, tx.TenantID); err != nil {
				return fmt.Errorf("read secret of masks: %w", err)
			}
		}
		files, err = segmentsOf(ctx, tx, row.DatasetID, p.version, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range d.columns {
		d.dataset.Columns = append(d.dataset.Columns, c.Column)
	}
	d.dataset.Segments, err = s.localSegments(ctx, files)
	return d, err
}

// segmentsOf reads the segments of a version, which must have all of its rows:
// fewer would be an answer that nobody can tell from a right one.
func segmentsOf(ctx context.Context, tx *db.Tx, dataset uuid.UUID, version, rows int64) ([]db.SegmentListRow, error) {
	list, err := tx.SegmentList(ctx, tx.TenantID, dataset, version)
	if err != nil {
		return nil, fmt.Errorf("list segments of %s: %w", dataset, err)
	}
	var found int64
	for _, segment := range list {
		found += segment.RowCount
	}
	if found != rows {
		return nil, fmt.Errorf("version %d of %s has %d rows, its segments %d", version, dataset, rows, found)
	}
	return list, nil
}

// readColumns reads the columns that a version has. Where a column that was
// dropped later shares its name with another, the one that was current counts.
func readColumns(ctx context.Context, tx *db.Tx, id ids.Dataset, version int64) ([]Column, error) {
	rows, err := tx.ColumnList(ctx, tx.TenantID, id.UUID(), version)
	if err != nil {
		return nil, fmt.Errorf("list columns of %s: %w", id, err)
	}
	winner := map[string]db.ColumnListRow{}
	for _, r := range rows {
		w, taken := winner[r.Name]
		if !taken || r.AddedIn > w.AddedIn || (r.AddedIn == w.AddedIn && r.DroppedIn == nil) {
			winner[r.Name] = r
		}
	}
	var columns []Column
	for _, r := range rows {
		if winner[r.Name].ColumnID != r.ColumnID {
			continue
		}
		c, err := columnOf(r)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// readDropped reads the names that columns had, by the version that they are
// missing since.
func readDropped(ctx context.Context, tx *db.Tx, id ids.Dataset, version int64) (map[string]int64, error) {
	rows, err := tx.ColumnListDropped(ctx, tx.TenantID, id.UUID(), version)
	if err != nil {
		return nil, fmt.Errorf("list dropped columns of %s: %w", id, err)
	}
	var dropped map[string]int64
	for _, r := range rows {
		for _, name := range append([]string{r.Name}, r.FormerNames...) {
			if dropped == nil {
				dropped = map[string]int64{}
			}
			if _, later := dropped[name]; !later {
				dropped[name] = r.DroppedIn
			}
		}
	}
	return dropped, nil
}

// localSegments makes segment files openable. Copies of remote objects stay
// for as long as anybody holds the answer.
func (s *Service) localSegments(ctx context.Context, rows []db.SegmentListRow) ([]warehouse.Segment, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	list := make([]warehouse.Segment, len(rows))
	pins := make([]func(), 0, 2*len(rows))
	release := func(pins []func()) {
		for _, unpin := range pins {
			unpin()
		}
	}
	local := func(key string) (string, error) {
		path, unpin, err := s.blobs.Local(ctx, key)
		if err != nil {
			return "", fmt.Errorf("open segment %s: %w", key, err)
		}
		pins = append(pins, unpin)
		return path, nil
	}
	for i, r := range rows {
		segment := warehouse.Segment{ID: r.SegmentID.String(), Rows: r.RowCount, Bytes: r.ByteCount, SampleRows: r.SampleRows}
		var err error
		if segment.Path, err = local(r.Key); err == nil && r.SampleKey != "" {
			segment.Sample, err = local(r.SampleKey)
		}
		if err == nil {
			segment.Stats, err = rangesOf(r.Stats)
		}
		if err != nil {
			release(pins)
			return nil, err
		}
		list[i] = segment
	}
	if !s.blobs.IsFile() {
		runtime.AddCleanup(&list[0], release, pins)
	}
	return list, nil
}

func rangesOf(stats json.RawMessage) (map[int32]warehouse.Range, error) {
	var ranges map[int32]warehouse.Range
	if err := json.Unmarshal(stats, &ranges); err != nil {
		return nil, fmt.Errorf("decode segment statistics: %w", err)
	}
	return ranges, nil
}
