package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// Profile describes the values of every column of a dataset at one version.
// All figures are exact.
type Profile struct {
	Version int64
	Rows    int64
	Columns []ColumnProfile
	At      time.Time
}

// ColumnProfile describes the values of one column. Bounds, Top and Histogram
// are as package segments has them: dates count in days and timestamps in
// microseconds since 1970.
type ColumnProfile struct {
	Column Column
	segments.Profile
}

// Share is how much of the rows has a value, between 0 and 1.
func (p ColumnProfile) Share() float64 {
	if p.Rows == 0 {
		return 0
	}
	return float64(p.Rows-p.Nulls) / float64(p.Rows)
}

// Profile answers the profile of the current version. The first who asks waits
// for it to be computed; then it is kept for as long as the version is current.
//
// Errors: datasets.not_found.
func (s *Service) Profile(ctx context.Context, actor access.Actor, id ids.Dataset) (Profile, error) {
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return Profile{}, err
	}
	if d.Sees != "" {
		return s.limitedProfile(ctx, actor, d)
	}
	tenant := actor.TenantID
	// What is asked for is the work, not who asks: who gets here may see all of it.
	system := access.Actor{Kind: access.System, TenantID: tenant}
	return s.profiles.do(ctx, tenant.String()+d.ID.String(), func(ctx context.Context) (Profile, error) {
		return s.profile(ctx, system, id)
	})
}

// KnownProfile answers the profile of d as it is, if it was computed before.
//
// Errors: none but those of the database.
func (s *Service) KnownProfile(ctx context.Context, actor access.Actor, d Dataset) (Profile, bool, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return Profile{}, false, err
	}
	if access.Can(actor, access.ViewContent, d.Access) != nil || d.Sees != "" {
		return Profile{}, false, nil
	}
	// The caller says what d is: whether rules limit it is asked anew.
	if known, err := s.Get(ctx, actor, d.ID); err != nil || known.Sees != "" {
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return Profile{}, false, err
	}
	kept, at, err := s.keptProfile(ctx, actor, d)
	if err != nil || kept == nil {
		return Profile{}, false, err
	}
	return profileOf(d, kept, at), true, nil
}

// topShown is how many frequent values the profile of a limited dataset lists.
const topShown = 10

// limitedProfile describes what the actor sees of a dataset, by asking it.
func (s *Service) limitedProfile(ctx context.Context, actor access.Actor, d Dataset) (Profile, error) {
	snapshot, err := s.Snapshot(ctx, actor, []ids.Dataset{d.ID})
	if err != nil {
		return Profile{}, err
	}
	ask := func(spec warehouse.Spec) (*warehouse.Result, error) {
		spec.Dataset = d.ID.String()
		return s.Query(ctx, actor, QueryRequest{Spec: spec, Snapshot: snapshot, Exact: true})
	}
	p := Profile{Version: d.Version, At: s.moment()}
	total, err := ask(warehouse.Spec{Measures: []warehouse.Measure{{Fn: "count", As: "rows"}}})
	if err != nil {
		return Profile{}, err
	}
	p.Rows = countAt(total, 0)
	for _, c := range d.Columns {
		one := segments.Profile{ColumnID: c.ID, Rows: p.Rows}
		counts, err := ask(warehouse.Spec{Measures: []warehouse.Measure{{Fn: "count", Column: c.Name, As: "values"}, {Fn: "count_distinct", Column: c.Name, As: "distinct"}}})
		if err != nil {
			return Profile{}, err
		}
		one.Nulls, one.Distinct = p.Rows-countAt(counts, 0), countAt(counts, 1)
		if warehouse.HasValueIndex(c.Type) {
			top, err := ask(warehouse.Spec{Dimensions: []warehouse.Dimension{{Column: c.Name, As: "value"}}, Measures: []warehouse.Measure{{Fn: "count", As: "rows"}},
				Filters: []warehouse.Filter{{Column: c.Name, Op: "not_empty"}}, Order: []warehouse.Order{{By: "rows", Desc: true}, {By: "value"}}, Limit: topShown})
			if err != nil {
				return Profile{}, err
			}
			for i := range top.Rows {
				one.Top = append(one.Top, segments.ValueCount{Value: valueAt(&top.Columns[0], i), Count: top.Columns[1].Ints[i]})
			}
		}
		p.Columns = append(p.Columns, ColumnProfile{Column: c, Profile: one})
	}
	return p, nil
}

// valueAt is a value of a text, a whole number or a boolean, as profiles write it.
func valueAt(c *warehouse.ResultColumn, i int) string {
	switch c.Type {
	case warehouse.Text:
		return c.Texts[i]
	case warehouse.Boolean:
		return strconv.FormatBool(c.Ints[i] != 0)
	}
	return strconv.FormatInt(c.Ints[i], 10)
}

// countAt is a count in the one row of an answer; 0 where it is withheld.
func countAt(r *warehouse.Result, column int) int64 {
	if r.Rows == 0 || r.Columns[column].IsNull(0) {
		return 0
	}
	return r.Columns[column].Ints[0]
}

func (s *Service) profile(ctx context.Context, actor access.Actor, id ids.Dataset) (Profile, error) {
	d, live, err := s.current(ctx, actor, id)
	if err != nil {
		return Profile{}, err
	}
	kept, at, err := s.keptProfile(ctx, actor, d)
	if err != nil {
		return Profile{}, err
	}
	if kept != nil {
		return profileOf(d, kept, at), nil
	}
	paths, release, err := s.openFiles(ctx, live)
	if err != nil {
		return Profile{}, err
	}
	defer release()
	profiles := []segments.Profile{}
	for _, column := range layoutOf(d).Columns {
		if len(paths) == 0 {
			break
		}
		one, err := s.profileColumn(ctx, actor.TenantID, column, paths)
		if err != nil {
			return Profile{}, fmt.Errorf("profile %s: %w", id, err)
		}
		profiles = append(profiles, one...)
	}
	encoded, err := json.Marshal(profiles)
	if err != nil {
		return Profile{}, fmt.Errorf("encode profile: %w", err)
	}
	now := s.moment()
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		return tx.ProfileSave(ctx, db.ProfileSaveParams{
			TenantID: tx.TenantID, DatasetID: id.UUID(), Version: d.Version, Revision: d.Revision, Profile: encoded, Now: now,
		})
	})
	if err != nil {
		return Profile{}, fmt.Errorf("keep profile: %w", err)
	}
	return profileOf(d, profiles, now), nil
}

// profileColumn waits for its turn for each column, so that queries wait for one
// and not for all of them.
func (s *Service) profileColumn(ctx context.Context, tenant ids.Tenant, column segments.Column, paths []string) ([]segments.Profile, error) {
	leave, err := s.engine.Enter(ctx, tenant.String())
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.writer.Profile(ctx, []segments.Column{column}, paths)
}

func (s *Service) keptProfile(ctx context.Context, actor access.Actor, d Dataset) ([]segments.Profile, time.Time, error) {
	var row db.ProfileGetRow
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.ProfileGet(ctx, db.ProfileGetParams{TenantID: tx.TenantID, DatasetID: d.ID.UUID(), Version: d.Version, Revision: d.Revision})
		return err
	})
	if db.IsNoRows(err) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("load profile: %w", err)
	}
	profiles := []segments.Profile{}
	if err := json.Unmarshal(row.Profile, &profiles); err != nil {
		return nil, time.Time{}, fmt.Errorf("decode profile: %w", err)
	}
	return profiles, row.CreatedAt, nil
}

func profileOf(d Dataset, profiles []segments.Profile, at time.Time) Profile {
	p := Profile{Version: d.Version, Rows: d.Rows, At: at}
	byID := map[int32]segments.Profile{}
	for _, column := range profiles {
		byID[column.ColumnID] = column
	}
	for _, c := range d.Columns {
		column, ok := byID[c.ID]
		if !ok {
			column = segments.Profile{ColumnID: c.ID}
		}
		p.Columns = append(p.Columns, ColumnProfile{Column: c, Profile: column})
	}
	return p
}
