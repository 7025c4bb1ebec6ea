package dashboards

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// A dashboard as a file: YAML that people read, change and keep beside code.
// docs/dashboard-file.md is its description. Datasets stand by name, so that
// the file means the same in another workspace; everything is in one order, so
// that two files differ only where the dashboards do.

// FileVersion is the version of the file that this program writes.
const FileVersion = 1

// names are the datasets of a workspace by id; those that share a name stand by
// id.
func (s *Service) names(ctx context.Context, actor access.Actor) (map[ids.Dataset]string, error) {
	list, err := s.datasets.List(ctx, actor)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, d := range list {
		count[d.Name]++
	}
	names := map[ids.Dataset]string{}
	for _, d := range list {
		if names[d.ID] = d.Name; count[d.Name] > 1 {
			names[d.ID] = d.ID.String()
		}
	}
	return names, nil
}

// ExportFile writes a dashboard as a file: its draft, or what is published.
//
// Who may not see a column that it names gets none: a file without it would be
// another dashboard.
//
// Errors: dashboards.not_found, dashboards.file_withheld, access.forbidden.
func (s *Service) ExportFile(ctx context.Context, actor access.Actor, id ids.Dashboard, draft bool) (name string, file []byte, err error) {
	get := s.Get
	if draft {
		get = s.GetDraft
	}
	d, err := get(ctx, actor, id)
	if err != nil {
		return "", nil, err
	}
	names, err := s.names(ctx, actor)
	if err != nil {
		return "", nil, err
	}
	// Of datasets that are not shared with the actor there is nothing to ask.
	shared := slices.DeleteFunc(d.Config.Datasets(), func(id ids.Dataset) bool { return names[id] == "" })
	hidden, err := s.datasets.HiddenColumns(ctx, actor, shared)
	if err != nil {
		return "", nil, err
	}
	withheld, err := d.Config.namesOneOf(hidden)
	if err != nil {
		return "", nil, err
	}
	if withheld {
		return "", nil, ErrFileWithheld
	}
	file, err = writeFile(d.Name, d.Tags, &d.Config, names)
	return d.Name, file, err
}

// writeFile is the file of a config.
func writeFile(name string, tags []string, c *Config, names map[ids.Dataset]string) ([]byte, error) {
	body, err := nodeOf(c.JSON())
	if err != nil {
		return nil, fmt.Errorf("write dashboard as a file: %w", err)
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	add := func(key string, value *yaml.Node) {
		root.Content = append(root.Content, scalar("!!str", key), value)
	}
	add("dashboard", scalar("!!str", name))
	add("version", scalar("!!int", fmt.Sprint(FileVersion)))
	if len(tags) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, tag := range tags {
			list.Content = append(list.Content, scalar("!!str", tag))
		}
		add("tags", list)
	}
	for i := 0; i+1 < len(body.Content); i += 2 {
		key, value := body.Content[i].Value, body.Content[i+1]
		switch key {
		case "schema":
			continue
		case "widgets":
			inOrder(value, c.Order())
			for i := 0; i+1 < len(value.Content); i += 2 {
				if _, known := c.controlTitle(c.Widgets[value.Content[i].Value].Control); !known {
					without(value.Content[i+1], "control") // its filter is gone
				}
			}
		case "tabs":
			inOrder(value, c.TabOrder())
		}
		add(key, value)
	}
	_ = eachDataset(root, func(node *yaml.Node) error {
		if id, err := ids.Parse[ids.Dataset](node.Value); err == nil && names[id] != "" {
			node.Value = names[id]
		}
		return nil // so nothing can go wrong
	})
	if filters := entry(root, "filters"); filters != nil {
		for i := 1; i < len(filters.Content); i += 2 {
			if columns := entry(filters.Content[i], "columns"); columns != nil {
				inOrder(columns, sortedKeysOf(columns)) // by names, which are the same everywhere
			}
		}
	}
	flow(root, 0)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("write dashboard as a file: %w", err)
	}
	return out.Bytes(), nil
}

func scalar(tag, value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
	if tag == "!!str" && strings.Contains(value, "\n") {
		node.Style = yaml.LiteralStyle
	}
	return node
}

// nodeOf reads JSON in its own order.
func nodeOf(data []byte) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return nextNode(d)
}

func nextNode(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if token == '[' {
			node = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
		for d.More() {
			// In an object, keys and values take turns.
			one, err := nextNode(d)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, one)
		}
		_, err := d.Token()
		return node, err
	case json.Number:
		if strings.ContainsAny(token.String(), ".eE") {
			return scalar("!!float", token.String()), nil
		}
		return scalar("!!int", token.String()), nil
	case bool:
		return scalar("!!bool", fmt.Sprint(token)), nil
	case nil:
		return scalar("!!null", "null"), nil
	case string:
		return scalar("!!str", token), nil
	}
	return nil, fmt.Errorf("no JSON: %v", token)
}

// inOrder puts the entries of a mapping into the order of their keys in a list.
func inOrder(node *yaml.Node, order []string) {
	byKey := map[string][]*yaml.Node{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		byKey[node.Content[i].Value] = node.Content[i : i+2 : i+2]
	}
	var content []*yaml.Node
	for _, key := range order {
		content = append(content, byKey[key]...)
	}
	node.Content = content
}

func sortedKeysOf(node *yaml.Node) []string {
	var keys []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		keys = append(keys, node.Content[i].Value)
	}
	slices.Sort(keys)
	return keys
}

// eachDataset visits what names a dataset: "dataset" of the dashboard, of a
// query, a filter and a field, and the keys of a filter's "columns".
func eachDataset(root *yaml.Node, visit func(*yaml.Node) error) error {
	one := func(node *yaml.Node) error {
		if value := entry(node, "dataset"); value != nil && value.Kind == yaml.ScalarNode {
			return visit(value)
		}
		return nil
	}
	if err := one(root); err != nil {
		return err
	}
	for _, part := range []string{"filters", "fields", "widgets"} {
		list := entry(root, part)
		if list == nil || list.Kind != yaml.MappingNode {
			continue
		}
		for i := 1; i < len(list.Content); i += 2 {
			node := list.Content[i]
			if part == "widgets" {
				node = entry(node, "query")
			}
			if err := one(node); err != nil {
				return err
			}
			columns := entry(node, "columns")
			if part != "filters" || columns == nil || columns.Kind != yaml.MappingNode {
				continue
			}
			for i := 0; i < len(columns.Content); i += 2 {
				if err := visit(columns.Content[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// without takes a key and its value away.
func without(node *yaml.Node, key string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			node.Content = slices.Delete(node.Content, i, i+2)
			return
		}
	}
}

// entry is the value of a key; nil where there is none.
func entry(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// flowWidth is how much is written on one line.
const flowWidth = 90

// flow writes what is short on one line: a place, a measure. It answers how
// wide the node is on one, -1 for too wide.
func flow(node *yaml.Node, depth int) int {
	if node.Kind == yaml.ScalarNode {
		if node.Style == yaml.LiteralStyle {
			return -1
		}
		return len(node.Value) + 2
	}
	width := 2
	for _, one := range node.Content {
		if w := flow(one, depth+1); w < 0 || width < 0 {
			width = -1
		} else {
			width += w
		}
	}
	if width < 0 || width > flowWidth {
		return -1
	}
	// Widgets, filters and the dashboard itself stand open.
	if depth > 2 || node.Kind == yaml.SequenceNode || len(node.Content) == 0 {
		node.Style = yaml.FlowStyle
	}
	return width
}

// ApplyOptions say how a file is applied.
type ApplyOptions struct {
	// To is the dashboard to change; zero for the one of the file's name, or a
	// new one.
	To ids.Dashboard
	// DryRun changes nothing. Draft leaves what viewers see.
	DryRun, Draft bool
	// Base is the file that the author began with, and Rev the revision that it was
	// read at: only what differs from it is applied, so that what others did
	// meanwhile stays. Without it the dashboard becomes all that the file says.
	Base []byte
	Rev  int64
	// ChangeID names the gesture of an editor; a repeated one changes nothing.
	ChangeID uuid.UUID
}

// Applied is what applying a file did, or would do.
type Applied struct {
	ID      ids.Dashboard
	Name    string
	Created bool
	// Diff are the lines that go and come, as files of both; empty where the
	// dashboard is as the file says.
	Diff      []DiffLine
	Published bool
	// Edited is what became of a file with a base; Gone are the titles of widgets
	// that somebody removed meanwhile, and that it has changed.
	Edited Edited
	Gone   []string
}

// ApplyFile makes a dashboard what a file says: one that is as the file says
// stays untouched. A file that can't be read changes nothing.
//
// Errors: dashboards.file_invalid (with line and column), dashboards.not_found,
// dashboards.unreviewed where somebody changes it meanwhile,
// dashboards.name_ambiguous, access.forbidden.
func (s *Service) ApplyFile(ctx context.Context, actor access.Actor, data []byte, o ApplyOptions) (Applied, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Applied{}, err
	}
	file, err := s.readFile(ctx, actor, data)
	if err != nil {
		return Applied{}, err
	}
	names, err := s.names(ctx, actor)
	if err != nil {
		return Applied{}, err
	}
	out := Applied{ID: o.To, Name: file.Name}
	if out.ID.IsZero() {
		if out.ID, err = s.byName(ctx, actor, file.Name); err != nil {
			return Applied{}, err
		}
	}
	after, err := writeFile(file.Name, file.Tags, &file.Config, names)
	if err != nil {
		return Applied{}, err
	}
	if out.ID.IsZero() {
		out.Created = true
		out.Diff = diffLines(nil, splitLines(after))
		if o.DryRun {
			return out, nil
		}
		d, err := s.Create(ctx, actor, NewDashboard{Name: file.Name, Tags: file.Tags, Config: file.Config, Draft: o.Draft})
		out.ID, out.Published = d.ID, !o.Draft
		return out, err
	}
	draft, err := s.GetDraft(ctx, actor, out.ID)
	if err != nil {
		return Applied{}, err
	}
	before, err := writeFile(draft.Name, draft.Tags, &draft.Config, names)
	if err != nil {
		return Applied{}, err
	}
	out.Diff = diffLines(splitLines(before), splitLines(after))
	waits := !o.Draft && (draft.Pending || draft.Unpublished)
	if o.DryRun || len(out.Diff) == 0 && !waits {
		return out, nil
	}
	rev := draft.Rev
	if len(out.Diff) > 0 {
		if err := s.applyFile(ctx, actor, &out, o, file, draft.Tags); err != nil {
			return Applied{}, err
		}
		rev = out.Edited.Rev
	}
	if o.Draft {
		return out, nil
	}
	_, err = s.Publish(ctx, actor, out.ID, rev, "")
	out.Published = err == nil
	return out, err
}

// applyFile stores what a file says as one change, which can be undone.
func (s *Service) applyFile(ctx context.Context, actor access.Actor, out *Applied, o ApplyOptions, file dashboardFile, tags []string) error {
	var base *dashboardFile
	var from document
	if o.Base != nil {
		read, err := s.readFile(ctx, actor, o.Base)
		if err != nil {
			return err
		}
		if from, err = newDocument(read.Name, read.Config.JSON()); err != nil {
			return err
		}
		base = &read
	}
	var err error
	out.Edited, err = s.edit(ctx, actor, out.ID, o.Rev, o.ChangeID, func(ctx context.Context, tx *db.Tx, d *draft, edited *Edited) error {
		rev := d.rev
		if base == nil {
			from = d.doc
		} else {
			rev = cmp.Or(o.Rev, rev)
		}
		ops, err := difference(from, file.Name, &file.Config)
		if err == nil && base != nil {
			ops, err = refine(d.doc, ops)
		}
		if err != nil || len(ops) == 0 {
			return err
		}
		if err := record(ctx, tx, actor, "dashboard.apply", out.ID.String(), map[string]any{"operations": len(ops)}); err != nil {
			return err
		}
		if err := s.merge(ctx, tx, actor, d, Edit{Rev: rev, ChangeID: o.ChangeID, Operations: ops}, uuid.Nil, edited); err != nil {
			return err
		}
		for _, op := range ops {
			if !slices.Contains(edited.Skipped, op.ID) {
				continue
			}
			if keys, err := parsePointer(op.Path); err == nil && keys[0] == "widgets" {
				if title := from.title(keys); title != "" && !slices.Contains(out.Gone, title) {
					out.Gone = append(out.Gone, title)
				}
			}
		}
		return nil
	})
	if err != nil || slices.Equal(tags, file.Tags) || base != nil && slices.Equal(base.Tags, file.Tags) {
		return err
	}
	return s.SetTags(ctx, actor, out.ID, file.Tags)
}

// refine goes below values that somebody else has changed too, to what differs in
// them. A place, or a query, is one thing: halves of two may not fit.
func refine(doc document, ops []Operation) ([]Operation, error) {
	var out []Operation
	for _, op := range ops {
		keys, err := parsePointer(op.Path)
		if err != nil {
			return nil, err
		}
		before, err := decodeValue(op.Before)
		if err != nil {
			return nil, fmt.Errorf("read operation %s: %w", op.ID, err)
		}
		after, err := decodeValue(op.After)
		if err != nil {
			return nil, fmt.Errorf("read operation %s: %w", op.ID, err)
		}
		now, _ := doc.at(keys)
		a, aIs := before.(map[string]any)
		b, bIs := after.(map[string]any)
		_, nowIs := now.(map[string]any)
		whole := slices.ContainsFunc(keys, func(key string) bool { return key == "layout" || key == "layouts" || key == "query" })
		if !aIs || !bIs || !nowIs || whole || sameJSON(now, before) {
			out = append(out, op)
			continue
		}
		var below []Operation
		if err := differ(&below, keys, a, b); err != nil {
			return nil, err
		}
		if below, err = refine(doc, below); err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

// byName is the dashboard of a name; zero for none.
//
// Errors: dashboards.name_ambiguous.
func (s *Service) byName(ctx context.Context, actor access.Actor, name string) (found ids.Dashboard, err error) {
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.DashboardNamed(ctx, tx.TenantID, access.Can(actor, access.EditContent) == nil, name)
		if err != nil {
			return fmt.Errorf("find a dashboard by name: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		if len(rows) > 1 {
			return ErrNameAmbiguous.With("There is more than one dashboard named %q. Say which by its id.", name)
		}
		found = ids.Dashboard(rows[0])
		return nil
	})
	return found, err
}

// Resolve finds a dashboard by its id or its name.
//
// Errors: dashboards.not_found, dashboards.name_ambiguous.
func (s *Service) Resolve(ctx context.Context, actor access.Actor, nameOrID string) (ids.Dashboard, error) {
	if id, err := ids.Parse[ids.Dashboard](nameOrID); err == nil {
		return id, nil
	}
	id, err := s.byName(ctx, actor, nameOrID)
	if err == nil && id.IsZero() {
		return id, ErrNotFound.With("There is no dashboard named %q.", nameOrID)
	}
	return id, err
}
