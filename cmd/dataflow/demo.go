package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/plans"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
)

var errDemoData = apperr.Define(apperr.Unavailable, "demo.data",
	"The demo's data is missing. Run the demo with “make demo” in the source tree.")

const (
	demoSlug  = "demo"
	demoEmail = "demo@dataflow.example"
)

// demoState is demo.json in the data directory, readable by its owner only:
// how to sign in, and how far the set-up got. A start that was interrupted is
// taken up by the next.
type demoState struct {
	URL        string       `json:"url"`
	Email      string       `json:"email"`
	Password   string       `json:"password"`
	Managers   []demoPerson `json:"managers,omitempty"`
	SampleSite string       `json:"sample_site,omitempty"`
	SampleKey  string       `json:"sample_key,omitempty"` // of the sample site, made for its address
	// Made once: what a visitor deletes stays deleted.
	Dashboards bool `json:"dashboards"`
	Schedules  bool `json:"schedules"`
}

// demo sets up and drives the demo workspace.
type demo struct {
	services *services
	auth     *auth.Service
	path     string // of demo.json
	say      func(string)

	actor access.Actor
	state demoState
	ids   dashboards.DemoDatasets
}

// seed brings the demo workspace to where it should be and answers how to sign in.
func (d *demo) seed(ctx context.Context, baseURL string) error {
	encoded, err := os.ReadFile(d.path)
	if err == nil {
		err = json.Unmarshal(encoded, &d.state)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", d.path, err)
	}
	d.state.URL, d.state.Email = baseURL, demoEmail
	if err := d.people(ctx); err != nil {
		return err
	}
	if err := d.data(ctx); err != nil {
		return err
	}
	if !d.state.Dashboards {
		for _, n := range dashboards.DemoFlights(d.ids) {
			if _, err := d.services.dashboards.Create(ctx, d.actor, n); err != nil {
				return fmt.Errorf("make dashboard %q: %w", n.Name, err)
			}
		}
		d.state.Dashboards = true
	}
	if !d.state.Schedules {
		if err := d.regions(ctx); err != nil {
			return err
		}
		d.state.Schedules = true
	}
	return d.save()
}

// people makes the workspace and its owner, with a password of this
// installation's own. Where the note of it is lost, it is set anew.
func (d *demo) people(ctx context.Context) error {
	tenant, err := d.services.tenants.GetBySlug(ctx, demoSlug)
	if errors.Is(err, tenants.ErrNotFound) {
		tenant, err = d.services.tenants.Create(ctx, tenants.New{Slug: demoSlug, Name: "Skyline Analytics", Plan: plans.Enterprise})
	}
	if err != nil {
		return err
	}
	d.actor = access.Actor{Kind: access.Console, TenantID: tenant.ID}
	if d.state.Password != "" {
		return nil
	}
	if d.state.Password, err = d.person(ctx, demoEmail, "Ines Okafor", access.Owner); err != nil {
		return err
	}
	return d.save()
}

// person adds somebody with a new password, or gives them that where they are
// there already.
func (d *demo) person(ctx context.Context, email, name string, role access.Role) (password string, err error) {
	password = rand.Text()[:20]
	_, err = d.auth.CreateUser(ctx, auth.NewUser{TenantID: d.actor.TenantID, Email: email, Name: name, Role: role, Password: password})
	if errors.Is(err, auth.ErrEmailTaken) {
		err = d.resetPassword(ctx, email, password)
	}
	if err != nil {
		return "", fmt.Errorf("make %s of the demo: %w", email, err)
	}
	return password, nil
}

func (d *demo) resetPassword(ctx context.Context, email, password string) error {
	link, _, err := d.auth.ResetLink(ctx, email)
	if err != nil {
		return err
	}
	address, err := url.Parse(link)
	if err != nil {
		return err
	}
	_, err = d.auth.ResetPassword(ctx, address.Query().Get("token"), password, auth.Client{Address: "console"})
	return err
}

func (d *demo) save() error {
	encoded, err := json.MarshalIndent(d.state, "", "  ")
	if err != nil {
		return err
	}
	temp := d.path + ".new"
	if err := os.WriteFile(temp, append(encoded, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the demo's sign-in: %w", err)
	}
	return os.Rename(temp, d.path)
}

// data loads airports and flights as a visitor would load files, joins them,
// and makes the dataset that the replay fills.
func (d *demo) data(ctx context.Context) error {
	airports, err := d.load(ctx, "airports", "airports.csv", "Loading 3,376 airports")
	if err != nil {
		return err
	}
	if d.ids.Flights, err = d.load(ctx, "flights", "flights-3m.parquet", "Loading 3,000,000 flights"); err != nil {
		return err
	}
	newest := true
	description := "US domestic flights of January to June 2001. Relative dates count from the newest row."
	if err := d.services.datasets.EditDataset(ctx, d.actor, d.ids.Flights, datasets.Edit{Description: &description, RelativeToNewest: &newest}); err != nil {
		return err
	}
	d.ids.Replay, err = d.services.datasets.Resolve(ctx, d.actor, "flights_replay")
	if errors.Is(err, datasets.ErrNotFound) {
		d.ids.Replay, err = d.services.datasets.Create(ctx, d.actor, datasets.NewDataset{
			Name: "flights_replay", Description: "The flights again, a minute of 2001 each second.", RelativeToNewest: true,
			Columns: []datasets.NewColumn{{Name: "date", Type: warehouse.Timestamp}, {Name: "delay", Type: warehouse.Integer},
				{Name: "distance", Type: warehouse.Integer}, {Name: "origin", Type: warehouse.Text}, {Name: "destination", Type: warehouse.Text}},
		})
	}
	if err != nil {
		return err
	}
	for _, id := range []ids.Dataset{d.ids.Flights, d.ids.Replay} {
		if err := d.lookups(ctx, id, airports); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) lookups(ctx context.Context, id, airports ids.Dataset) error {
	dataset, err := d.services.datasets.Get(ctx, d.actor, id)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, l := range dataset.Lookups {
		known[l.Name] = true
	}
	for _, column := range []string{"origin", "destination"} {
		name := column + "_airport"
		if known[name] {
			continue
		}
		err := d.services.datasets.AddLookup(ctx, d.actor, id, datasets.NewLookup{Name: name, Column: column, Target: airports.String(), Key: "iata"})
		if err != nil {
			return fmt.Errorf("add lookup %s: %w", name, err)
		}
	}
	return nil
}

func (d *demo) load(ctx context.Context, name, file, sentence string) (ids.Dataset, error) {
	id, err := d.services.datasets.Resolve(ctx, d.actor, name)
	if err == nil {
		dataset, err := d.services.datasets.Get(ctx, d.actor, id)
		if err != nil || dataset.Version > 0 {
			return id, err
		}
	} else if !errors.Is(err, datasets.ErrNotFound) {
		return id, err
	}
	path, err := demoFile(file)
	if err != nil {
		return id, err
	}
	d.say(sentence)
	report, err := d.services.datasets.ImportFile(ctx, d.actor, datasets.ImportRequest{Path: path, Dataset: name})
	if err != nil {
		return id, fmt.Errorf("load %s: %w", file, err)
	}
	return report.Dataset, nil
}

// demoFile finds a file of the npm package vega-datasets in the source tree:
// below the working directory, or beside the binary's directory.
func demoFile(name string) (string, error) {
	roots := []string{"."}
	if self, err := os.Executable(); err == nil {
		roots = append(roots, filepath.Dir(filepath.Dir(self)))
	}
	for _, root := range roots {
		path, err := filepath.Abs(filepath.Join(root, "static", "node_modules", "vega-datasets", "data", name))
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errDemoData
}

// replayFrom is where the replay begins: a winter morning.
var replayFrom = time.Date(2001, 1, 8, 6, 0, 0, 0, time.UTC)

// replay appends a minute of flights each second until ctx ends. Each append
// has the minute as its key, so a restart neither loses nor doubles one.
func (d *demo) replay(ctx context.Context) error {
	minute, err := d.replayed(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	ahead := &flightRows{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		switch err := d.replayMinute(ctx, minute, ahead); {
		case err == nil:
			minute = minute.Add(time.Minute)
		case ctx.Err() != nil:
			return nil
		case !apperr.Passes(err):
			// The server runs on: somebody may have deleted the dataset.
			d.say("The replay stopped: " + apperr.Describe(err).Sentence)
			return nil
		}
	}
}

// replayMinute appends the flights of a minute, out of those read ahead.
func (d *demo) replayMinute(ctx context.Context, minute time.Time, ahead *flightRows) error {
	if !minute.Before(ahead.until) {
		read, err := d.flights(ctx, minute, minute.Add(time.Hour))
		if err != nil {
			return err
		}
		*ahead = *read
	}
	rows := ahead.of(minute)
	if len(rows) == 0 {
		return nil
	}
	_, err := d.services.datasets.AppendRows(ctx, d.actor, d.ids.Replay, datasets.AppendRequest{
		Key: "replay " + minute.Format(time.RFC3339), Columns: replayColumns, Rows: rows,
	})
	return err
}

var replayColumns = []string{"date", "delay", "distance", "origin", "destination"}

// replayed finds the minute after the newest replayed one.
func (d *demo) replayed(ctx context.Context) (time.Time, error) {
	result, err := d.services.datasets.Query(ctx, d.actor, datasets.QueryRequest{Spec: warehouse.Spec{
		Dataset: d.ids.Replay.String(), Measures: []warehouse.Measure{{Fn: "max", Column: "date", As: "newest"}}}})
	if err != nil {
		return time.Time{}, fmt.Errorf("find where the replay stood: %w", err)
	}
	if result.Rows == 0 || result.Columns[0].IsNull(0) {
		return replayFrom, nil
	}
	return time.UnixMicro(result.Columns[0].Ints[0]).UTC().Truncate(time.Minute).Add(time.Minute), nil
}

// flightRows are the flights of a span, by minute.
type flightRows struct {
	until   time.Time
	minutes map[int64][][]any
}

func (f *flightRows) of(minute time.Time) [][]any { return f.minutes[minute.Unix()] }

func (d *demo) flights(ctx context.Context, from, until time.Time) (*flightRows, error) {
	const plain = "2006-01-02T15:04:05"
	quoted := func(t time.Time) json.RawMessage { return json.RawMessage(`"` + t.Format(plain) + `"`) }
	result, err := d.services.datasets.Query(ctx, d.actor, datasets.QueryRequest{Spec: warehouse.Spec{
		Dataset: d.ids.Flights.String(), Columns: replayColumns, Limit: 20_000,
		Filters: []warehouse.Filter{
			{Column: "date", Op: ">=", Values: []json.RawMessage{quoted(from)}},
			{Column: "date", Op: "<", Values: []json.RawMessage{quoted(until)}},
		}}})
	if err != nil {
		return nil, err
	}
	rows := &flightRows{until: until, minutes: map[int64][][]any{}}
	for i := range result.Rows {
		at := time.UnixMicro(result.Columns[0].Ints[i]).UTC()
		minute := at.Truncate(time.Minute).Unix()
		rows.minutes[minute] = append(rows.minutes[minute], []any{at, result.Columns[1].Ints[i], result.Columns[2].Ints[i],
			result.Columns[3].Texts[i], result.Columns[4].Texts[i]})
	}
	return rows, nil
}
