package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
)

const datasetsAbout = `Lists and changes the datasets of a workspace. Prints JSON.

  list                                     all datasets
  show DATASET                             columns, lookups, measures
  versions DATASET                         what can be restored
  restore DATASET VERSION                  make an earlier version current again
  delete DATASET                           hide it; it is kept for a while
  undelete DATASET-ID                      bring it back
  delete-rows DATASET --key VALUE …        delete rows by key; --by names the columns where they are not
                                           the dataset's own key, --from FILE has a key a line
  settings DATASET [--relative-to-newest true|false] [--time COLUMN] [--name NAME] [--description TEXT]

The same for lookups, with “dataflow lookup”:

  lookup add DATASET.COLUMN NAME=OTHER.KEY  rows of OTHER, found by KEY, become columns NAME.…
  lookup remove DATASET NAME`

func runDatasets(ctx context.Context, e *env) error {
	set := e.flags("datasets", "list | show | versions | restore | delete | undelete | delete-rows | settings … [--tenant SLUG]", datasetsAbout)
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	name := set.String("name", "", "settings: another `name`")
	description := set.String("description", "", "settings: another `text`")
	timeColumn := set.String("time", "", "settings: the `column` that rows are sorted by")
	newest := set.String("relative-to-newest", "", "settings: count relative dates from the newest row, `true or false`")
	var keys repeated
	set.Var(&keys, "key", "delete-rows: the `VALUE` of a key, of several columns with commas; may be repeated")
	by := set.String("by", "", "delete-rows: `COLUMN` or several with commas (default: the dataset's own key)")
	from := set.String("from", "", "delete-rows: `FILE` with a key a line")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return errUsage.With("Say what to do. Run “dataflow datasets -h” for the list.")
	}
	verb, args := args[0], args[1:]
	wanted := map[string]int{"list": 0, "show": 1, "versions": 1, "restore": 2, "delete": 1, "undelete": 1, "delete-rows": 1, "settings": 1}
	if n, known := wanted[verb]; !known || n != len(args) {
		return errUsage.With("This is not how “dataflow datasets %s” is used. Run “dataflow datasets -h” for the list.", verb)
	}
	text := strings.Join(keys, "\n")
	if verb == "delete-rows" {
		if (text == "") == (*from == "") {
			return errUsage.With("“dataflow datasets delete-rows” takes --key or --from.")
		}
		if *from != "" {
			content, err := os.ReadFile(*from)
			if err != nil {
				return errUsage.With("The file %s can't be read.", *from).Wrap(err)
			}
			text = string(content)
		}
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, actor access.Actor) error {
		c := datasetsCommand{e: e, service: s.datasets, actor: actor}
		switch verb {
		case "delete-rows":
			return c.deleteRows(ctx, args[0], splitList(*by), text)
		case "list":
			return c.list(ctx)
		case "show":
			return c.show(ctx, args[0])
		case "versions":
			return c.versions(ctx, args[0])
		case "restore":
			return c.restore(ctx, args[0], args[1])
		case "delete":
			return c.delete(ctx, args[0])
		case "undelete":
			return c.undelete(ctx, args[0])
		}
		return c.settings(ctx, args[0], *name, *description, *timeColumn, *newest)
	})
}

type datasetsCommand struct {
	e       *env
	service *datasets.Service
	actor   access.Actor
}

type listedDataset struct {
	ID        string    `json:"dataset_id"`
	Name      string    `json:"name"`
	Version   int64     `json:"version"`
	Rows      int64     `json:"rows"`
	Bytes     int64     `json:"bytes"`
	UpdatedAt time.Time `json:"updated_at"`
}

func listed(s datasets.Summary) listedDataset {
	return listedDataset{ID: s.ID.String(), Name: s.Name, Version: s.Version, Rows: s.Rows, Bytes: s.Bytes, UpdatedAt: s.UpdatedAt}
}

func (c datasetsCommand) list(ctx context.Context) error {
	all, err := c.service.List(ctx, c.actor)
	if err != nil {
		return err
	}
	out := []listedDataset{}
	for _, s := range all {
		out = append(out, listed(s.Summary))
	}
	return printJSON(c.e.stdout, out)
}

func (c datasetsCommand) get(ctx context.Context, nameOrID string) (datasets.Dataset, error) {
	id, err := c.service.Resolve(ctx, c.actor, nameOrID)
	if err != nil {
		return datasets.Dataset{}, err
	}
	return c.service.Get(ctx, c.actor, id)
}

func (c datasetsCommand) show(ctx context.Context, nameOrID string) error {
	d, err := c.get(ctx, nameOrID)
	if err != nil {
		return err
	}
	type column struct {
		ID   int32  `json:"id"`
		Name string `json:"name"`
		Type string `json:"type"`
		Role string `json:"role,omitempty"`
	}
	type lookup struct {
		Name   string `json:"name"`
		Column string `json:"column"`
		Target string `json:"target"`
		Key    string `json:"key"`
	}
	type measure struct {
		Name    string `json:"name"`
		Measure any    `json:"measure"`
	}
	out := struct {
		listedDataset
		Columns          []column  `json:"columns"`
		TimeColumn       *string   `json:"time_column"`
		RelativeToNewest bool      `json:"relative_to_newest"`
		Lookups          []lookup  `json:"lookups"`
		Measures         []measure `json:"measures"`
	}{listedDataset: listed(d.Summary), RelativeToNewest: d.RelativeToNewest, Lookups: []lookup{}, Measures: []measure{}}
	for _, col := range d.Columns {
		out.Columns = append(out.Columns, column{ID: col.ID, Name: col.Name, Type: datasets.TypeName(col.Column), Role: col.Role})
		if col.ID == d.TimeColumn {
			out.TimeColumn = &col.Name
		}
	}
	for _, l := range d.Lookups {
		col, _ := d.ColumnByID(l.Column)
		out.Lookups = append(out.Lookups, lookup{Name: l.Name, Column: col.Name, Target: l.TargetName, Key: l.KeyName})
	}
	for _, m := range d.Measures {
		out.Measures = append(out.Measures, measure{Name: m.Name, Measure: m.Measure})
	}
	return printJSON(c.e.stdout, out)
}

func (c datasetsCommand) versions(ctx context.Context, nameOrID string) error {
	d, err := c.get(ctx, nameOrID)
	if err != nil {
		return err
	}
	list, err := c.service.ListVersions(ctx, c.actor, d.ID, 1000)
	if err != nil {
		return err
	}
	type version struct {
		Version   int64               `json:"version"`
		Kind      datasets.ChangeKind `json:"kind"`
		CreatedAt time.Time           `json:"created_at"`
		Rows      int64               `json:"rows"`
		Note      string              `json:"note,omitempty"`
		Current   bool                `json:"current"`
		KeptUntil *time.Time          `json:"kept_until"`
	}
	out := []version{}
	for _, v := range list {
		row := version{Version: v.Version, Kind: v.Kind, CreatedAt: v.CreatedAt, Rows: v.Rows, Note: v.Note, Current: v.Current}
		if !v.KeptUntil.IsZero() {
			row.KeptUntil = &v.KeptUntil
		}
		out = append(out, row)
	}
	return printJSON(c.e.stdout, out)
}

func (c datasetsCommand) restore(ctx context.Context, nameOrID, version string) error {
	number, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return errUsage.With("%q is not the number of a version.", version)
	}
	d, err := c.get(ctx, nameOrID)
	if err != nil {
		return err
	}
	restored, err := c.service.Restore(ctx, c.actor, d.ID, number)
	if err != nil {
		return err
	}
	return printJSON(c.e.stdout, map[string]any{"dataset": d.Name, "version": restored, "restored": number})
}

func (c datasetsCommand) delete(ctx context.Context, nameOrID string) error {
	d, err := c.get(ctx, nameOrID)
	if err != nil {
		return err
	}
	broken, err := c.service.ListDependents(ctx, c.actor, d.ID)
	if err != nil {
		return err
	}
	if err := c.service.Delete(ctx, c.actor, d.ID); err != nil {
		return err
	}
	dashboards, lookups := []string{}, []string{}
	for _, b := range broken.Dashboards {
		dashboards = append(dashboards, b.Name)
	}
	for _, b := range broken.Lookups {
		lookups = append(lookups, b.Name+"."+b.Lookup)
	}
	return printJSON(c.e.stdout, map[string]any{"dataset": d.Name, "dataset_id": d.ID, "broken_dashboards": dashboards, "broken_lookups": lookups})
}

func (c datasetsCommand) undelete(ctx context.Context, id string) error {
	deleted, err := c.service.ListDeleted(ctx, c.actor)
	if err != nil {
		return err
	}
	for _, d := range deleted {
		if d.ID.String() == id || strings.EqualFold(d.Name, id) {
			if err := c.service.Undelete(ctx, c.actor, d.ID); err != nil {
				return err
			}
			return printJSON(c.e.stdout, map[string]any{"dataset": d.Name, "dataset_id": d.ID})
		}
	}
	return datasets.ErrNotFound
}

func (c datasetsCommand) deleteRows(ctx context.Context, nameOrID string, by []string, text string) error {
	d, err := c.get(ctx, nameOrID)
	if err != nil {
		return err
	}
	columns := len(by)
	if columns == 0 {
		columns = max(len(d.KeyColumns), 1)
	}
	keys, err := datasets.ParseKeys(text, columns)
	if err != nil {
		return err
	}
	deleted, err := c.service.DeleteByKey(ctx, c.actor, d.ID, by, keys)
	if err != nil {
		return err
	}
	now, err := c.service.Get(ctx, c.actor, d.ID)
	if err != nil {
		return err
	}
	return printJSON(c.e.stdout, map[string]any{"dataset": d.Name, "dataset_id": d.ID, "rows_deleted": deleted, "version": now.Version})
}

func (c datasetsCommand) settings(ctx context.Context, nameOrID, name, description, timeColumn, newest string) error {
	d, err := c.get(ctx, nameOrID)
	if err != nil {
		return err
	}
	var edit datasets.Edit
	if name != "" {
		edit.Name = &name
	}
	if description != "" {
		edit.Description = &description
	}
	if timeColumn != "" {
		column, ok := d.ColumnByName(timeColumn)
		if !ok {
			return datasets.ErrColumnNotFound.With("“%s” has no column “%s”.", d.Name, timeColumn)
		}
		edit.TimeColumn = &column.ID
	}
	if newest != "" {
		on, err := strconv.ParseBool(newest)
		if err != nil {
			return errUsage.With("--relative-to-newest takes true or false.")
		}
		edit.RelativeToNewest = &on
	}
	if err := c.service.EditDataset(ctx, c.actor, d.ID, edit); err != nil {
		return err
	}
	return c.show(ctx, d.ID.String())
}

func runLookup(ctx context.Context, e *env) error {
	set := e.flags("lookup", "add DATASET.COLUMN NAME=OTHER.KEY | remove DATASET NAME [--tenant SLUG]",
		"Declares that a column holds keys of another dataset: “dataflow lookup add flights.origin\norigin_airport=airports.iata” makes origin_airport.state a column of flights.")
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 3 || (args[0] != "add" && args[0] != "remove") {
		return errUsage.With("Use “dataflow lookup add DATASET.COLUMN NAME=OTHER.KEY” or “dataflow lookup remove DATASET NAME”.")
	}
	return withData(ctx, e, *tenant, func(ctx context.Context, s *services, actor access.Actor) error {
		c := datasetsCommand{e: e, service: s.datasets, actor: actor}
		if args[0] == "remove" {
			d, err := c.get(ctx, args[1])
			if err != nil {
				return err
			}
			if err := s.datasets.RemoveLookup(ctx, actor, d.ID, args[2]); err != nil {
				return err
			}
			return c.show(ctx, d.ID.String())
		}
		d, column, err := c.split(ctx, args[1])
		if err != nil {
			return err
		}
		name, target, found := strings.Cut(args[2], "=")
		if !found {
			return errUsage.With("%q is not NAME=OTHER.KEY.", args[2])
		}
		other, key, err := c.split(ctx, target)
		if err != nil {
			return err
		}
		err = s.datasets.AddLookup(ctx, actor, d.ID, datasets.NewLookup{Name: name, Column: column, Target: other.ID.String(), Key: key})
		if err != nil {
			return err
		}
		return c.show(ctx, d.ID.String())
	})
}

// split finds the dataset and the column in "dataset.column"; names of both may
// have full stops.
func (c datasetsCommand) split(ctx context.Context, text string) (datasets.Dataset, string, error) {
	last := error(errUsage.With("%q is not DATASET.COLUMN.", text))
	for at := 1; at < len(text)-1; at++ {
		if text[at] != '.' {
			continue
		}
		d, err := c.get(ctx, text[:at])
		if err == nil {
			return d, text[at+1:], nil
		}
		last = err
	}
	return datasets.Dataset{}, "", last
}
