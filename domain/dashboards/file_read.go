package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can be wrong with a file.
var (
	ErrFile = apperr.Define(apperr.Invalid, "dashboards.file_invalid",
		"This is not the file of a dashboard.")
	ErrNameAmbiguous = apperr.Define(apperr.Conflict, "dashboards.name_ambiguous",
		"There is more than one dashboard of that name. Say which by its id.")
)

// maxFileDepth is deeper than any config goes.
const maxFileDepth = 24

// dashboardFile is a file that was read.
type dashboardFile struct {
	Name   string
	Tags   []string
	Config Config
}

// readFile reads a file, strictly, and finds the datasets that it names.
//
// Errors: dashboards.file_invalid, with line and column.
func (s *Service) readFile(ctx context.Context, actor access.Actor, data []byte) (dashboardFile, error) {
	var file dashboardFile
	root, err := parseFile(data)
	if err != nil {
		return file, err
	}
	version := entry(root, "version")
	if version == nil || version.Value != strconv.Itoa(FileVersion) {
		return file, at(orNode(version, root)).problem("The file needs “version: %d”.", FileVersion)
	}
	name := entry(root, "dashboard")
	if name == nil {
		return file, at(root).problem("The file does not name the dashboard: “dashboard: Sales”.")
	}
	if file.Name, err = cleanName(name.Value); err != nil || name.Kind != yaml.ScalarNode {
		return file, at(name).problem("A name has 1 to 120 characters.")
	}
	if tags := entry(root, "tags"); tags != nil {
		var list []string
		if tags.Decode(&list) != nil {
			return file, at(tags).problem("Tags are a list of words.")
		}
		if file.Tags, err = cleanTags(list); err != nil {
			return file, at(tags).problem("%s", sentence(err))
		}
	}
	body := &yaml.Node{Kind: yaml.MappingNode, Line: root.Line, Column: root.Column}
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch root.Content[i].Value {
		case "dashboard", "version", "tags":
		case "schema":
			return file, at(root.Content[i]).problem("“schema” belongs into no file; “version” says how it is written.")
		default:
			body.Content = append(body.Content, root.Content[i], root.Content[i+1])
		}
	}
	if err := known(body, reflect.TypeFor[Config]()); err != nil {
		return file, err
	}
	err = eachDataset(body, func(node *yaml.Node) error {
		id, err := s.datasets.Resolve(ctx, actor, node.Value)
		if err != nil {
			if public := apperr.Describe(err); public.Class == apperr.NotFound || public.Class == apperr.Invalid || public.Class == apperr.Conflict {
				return at(node).problem("There is no dataset named %q, or more than one.", clip(node.Value))
			}
			return err
		}
		node.SetString(id.String())
		return nil
	})
	if err != nil {
		return file, err
	}
	var text bytes.Buffer
	places := places{}
	if err := places.write(&text, body); err != nil {
		return file, err
	}
	d := json.NewDecoder(&text)
	d.DisallowUnknownFields()
	if err := d.Decode(&file.Config); err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) {
			return file, places.near(typ.Offset).problem("%s belongs here, not %s.", belongs(typ.Type), given(typ.Value))
		}
		return file, at(root).problem("%s.", strings.TrimPrefix(err.Error(), "json: "))
	}
	file.Config.Schema = Schema
	if file.Config.Widgets == nil {
		file.Config.Widgets = map[string]Widget{}
	}
	if err := errors.Join(file.Config.Validate(), file.Config.checkSize()); err != nil {
		return file, at(guilty(root, sentence(err))).problem("%s", sentence(err))
	}
	return file, file.works(root)
}

// belongs names what a place of the file takes.
func belongs(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "A text"
	case reflect.Bool:
		return "“true” or “false”"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "A whole number"
	case reflect.Float32, reflect.Float64:
		return "A number"
	case reflect.Slice, reflect.Array:
		return "A list"
	case reflect.Map, reflect.Struct:
		return "A group of keys with values"
	}
	return "Something else"
}

// given names what json.UnmarshalTypeError found: a word of JSON, for some with
// the value behind it.
func given(value string) string {
	word, rest, _ := strings.Cut(value, " ")
	switch word {
	case "string":
		return "a text"
	case "bool":
		return "“true” or “false”"
	case "array":
		return "a list"
	case "object":
		return "a group of keys with values"
	case "number":
		if rest != "" {
			return "the number " + rest
		}
		return "a number"
	}
	return "this"
}

// works refuses what an editor lets nobody make: a widget for a filter that the
// file has not, and a value in two groups.
func (f *dashboardFile) works(root *yaml.Node) error {
	for _, id := range sortedKeys(f.Config.Widgets) {
		w := f.Config.Widgets[id]
		node := entry(orNode(entry(root, "widgets"), root), id)
		if _, known := f.Config.controlTitle(w.Control); !known {
			return at(orNode(entry(orNode(node, root), "control"), root)).problem("The widget %q is for the filter %q, which the file does not have.", id, clip(w.Control))
		}
		for _, dim := range w.Query.Dimensions {
			placed := map[string]string{}
			for _, group := range sortedKeys(dim.Groups) {
				for _, raw := range dim.Groups[group] {
					if before, twice := placed[string(raw)]; twice {
						return at(orNode(node, root)).problem("In the widget %q the value %s is in the group “%s” and in “%s”. A value is in one group only.", id, clip(string(raw)), clip(before), clip(group))
					}
					placed[string(raw)] = group
				}
			}
		}
	}
	return nil
}

// parseFile reads one YAML document of plain values: no anchors, no aliases, no
// tags, nothing twice.
func parseFile(data []byte) (*yaml.Node, error) {
	if len(data) > MaxConfigBytes {
		return nil, ErrFile.With("The file is too large: it has %d bytes, at most %d are possible.", len(data), MaxConfigBytes)
	}
	if !utf8.Valid(data) {
		return nil, ErrFile.With("The file is not UTF-8.")
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, ErrFile.With("The file is empty.")
		}
		return nil, yamlProblem(err)
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, yamlProblem(err)
		}
		return nil, at(&more).problem("The file holds more than one document.")
	}
	root := doc.Content[0]
	if err := plain(root, 0); err != nil {
		return nil, err
	}
	if root.Kind != yaml.MappingNode {
		return nil, at(root).problem("The file of a dashboard has keys and values: “dashboard: Sales”.")
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// yamlProblem is a syntax error with its place.
func yamlProblem(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
		line, _ := strconv.Atoi(found[1])
		return spot{line, 1}.problem("This is not YAML: %s.", found[2])
	}
	return spot{1, 1}.problem("This is not YAML: %s.", clip(text))
}

func plain(node *yaml.Node, depth int) error {
	switch {
	case depth > maxFileDepth:
		return at(node).problem("This is nested too deeply.")
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		return at(node).problem("Anchors and aliases can't be used here: write the value out.")
	case node.Style&yaml.TaggedStyle != 0:
		return at(node).problem("Tags such as %s can't be used here.", clip(node.Tag))
	case node.Kind == yaml.ScalarNode && (node.Tag == "!!timestamp" || node.Tag == "!!binary"):
		node.Tag = "!!str" // 2026-06-14 without quotes
	}
	seen := map[string]bool{}
	for i, one := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			if one.Kind != yaml.ScalarNode || one.Tag == "!!merge" {
				return at(one).problem("A key is a plain word.")
			}
			if seen[one.Value] {
				return at(one).problem("%q stands here twice.", clip(one.Value))
			}
			seen[one.Value] = true
		}
		if err := plain(one, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// spot is a place in a file, from 1.
type spot struct{ line, column int }

func at(node *yaml.Node) spot { return spot{node.Line, node.Column} }

func orNode(node, otherwise *yaml.Node) *yaml.Node {
	if node == nil {
		return otherwise
	}
	return node
}

func (s spot) problem(format string, args ...any) error {
	return ErrFile.With("Line %d, column %d: %s", max(s.line, 1), max(s.column, 1), fmt.Sprintf(format, args...))
}

// known checks that a node has only the keys of a type, as encoding/json reads
// it: that names no place.
func known(node *yaml.Node, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	switch {
	case t.Kind() == reflect.Struct && node.Kind == yaml.MappingNode:
		fields := map[string]reflect.Type{}
		jsonFields(t, fields)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			field, has := fields[key.Value]
			if !has {
				return at(key).problem("There is no key %q here.", clip(key.Value))
			}
			if err := known(node.Content[i+1], field); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Map && node.Kind == yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			if err := known(node.Content[i], t.Elem()); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		for _, one := range node.Content {
			if err := known(one, t.Elem()); err != nil {
				return err
			}
		}
	}
	return nil
}

// jsonFields are the keys of a struct, those of embedded ones among them.
func jsonFields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			jsonFields(f.Type, into)
		case name != "" && name != "-" && f.IsExported():
			into[name] = f.Type
		}
	}
}

// places are where in the file the values of its JSON stand, by offset.
type places []struct {
	offset int64
	spot   spot
}

func (p *places) write(out *bytes.Buffer, node *yaml.Node) error {
	*p = append(*p, struct {
		offset int64
		spot   spot
	}{int64(out.Len()), at(node)})
	switch node.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		ends := "[]"
		if node.Kind == yaml.MappingNode {
			ends = "{}"
		}
		out.WriteByte(ends[0])
		for i, one := range node.Content {
			switch {
			case i > 0 && node.Kind == yaml.MappingNode && i%2 == 1:
				out.WriteByte(':')
			case i > 0:
				out.WriteByte(',')
			}
			if node.Kind == yaml.MappingNode && i%2 == 0 {
				out.Write(quoted(one.Value))
				continue
			}
			if err := p.write(out, one); err != nil {
				return err
			}
		}
		out.WriteByte(ends[1])
		return nil
	}
	var value any
	if node.Tag == "!!str" {
		value = node.Value
	} else if err := node.Decode(&value); err != nil {
		return at(node).problem("This value can't be read.")
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return at(node).problem("This value can't be read.") // .inf, .nan
	}
	out.Write(raw)
	return nil
}

// near is where the value that ends at an offset stands.
func (p places) near(offset int64) spot {
	found := spot{1, 1}
	for _, one := range p {
		if one.offset < offset {
			found = one.spot
		}
	}
	return found
}

var namedInSentence = regexp.MustCompile(`(Widget|Filter|filter|field|tab|The field) "([^"]+)"`)

// guilty is the part of the file that a sentence of Validate is about.
func guilty(root *yaml.Node, text string) *yaml.Node {
	found := namedInSentence.FindStringSubmatch(text)
	if found == nil {
		return root
	}
	part := map[string]string{"Widget": "widgets", "Filter": "filters", "filter": "filters", "tab": "tabs"}[found[1]]
	if part == "" {
		part = "fields"
	}
	list := entry(root, part)
	if list == nil {
		return root
	}
	for i := 0; i+1 < len(list.Content); i += 2 {
		if list.Content[i].Value == found[2] {
			return list.Content[i]
		}
	}
	return list
}
