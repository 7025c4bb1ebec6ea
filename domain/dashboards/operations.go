package dashboards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/google/uuid"
)

// Operation is one change of a dashboard. The log of them is append-only and
// the config is its snapshot: applying all operations to an empty dashboard
// gives the current one.
type Operation struct {
	// ID is made by whoever makes the change, so that a repeated request
	// changes nothing twice.
	ID uuid.UUID `json:"op_id"`
	// Rev is the revision that the operation made. A caller leaves it 0.
	Rev int64 `json:"rev"`
	// Path is a JSON Pointer (RFC 6901) into the config: "/widgets/w1/title".
	// "/name" is the dashboard's name.
	Path string `json:"path"`
	// Before and After are the values at Path; absent means that there is none.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`

	// ChangeID is shared by the operations of one gesture; they are undone as
	// one. Undoes is the change that this one takes back.
	ChangeID uuid.UUID `json:"change_id,omitzero"`
	Undoes   uuid.UUID `json:"undoes,omitzero"`

	UserID ids.User  `json:"user_id,omitzero"`
	At     time.Time `json:"at,omitzero"`
	// Seen is up to which revision its author had seen the draft; 0 where the log
	// does not know it.
	Seen int64 `json:"seen,omitempty"`
	// User is the name of who did it, where it is somebody else than who asks; ""
	// for a program too. The log does not keep it.
	User string `json:"user,omitempty"`
}

// Inverse is the operation that undoes o.
func (o Operation) Inverse() Operation {
	return Operation{ID: uuid.Must(uuid.NewV7()), Path: o.Path, Before: o.After, After: o.Before}
}

// Limits of one gesture.
const maxOperations = 500

// document is a dashboard as operations see it: the keys of its config, and its name.
type document map[string]any

func newDocument(name string, config []byte) (document, error) {
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	doc := document{}
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	doc["name"] = name
	return doc, nil
}

// split gives the name and the config of the document back.
func (d document) split() (name string, config []byte, err error) {
	name, ok := d["name"].(string)
	if !ok {
		return "", nil, ErrOperation.With("The name of a dashboard is a text.")
	}
	rest := make(map[string]any, len(d))
	for k, v := range d {
		if k != "name" {
			rest[k] = v
		}
	}
	config, err = json.Marshal(rest)
	return name, config, err
}

// apply changes the document. Before must be what is there.
//
// Errors: dashboards.stale, dashboards.operation_invalid.
func (d document) apply(o Operation) error {
	keys, err := parsePointer(o.Path)
	if err != nil {
		return err
	}
	if len(o.Before) == 0 && len(o.After) == 0 {
		return ErrOperation.With("The change of %s has neither a value before nor after.", o.Path)
	}
	before, err := decodeValue(o.Before)
	if err != nil {
		return ErrOperation.With("The value before at %s is not JSON.", o.Path).Wrap(err)
	}
	after, err := decodeValue(o.After)
	if err != nil {
		return ErrOperation.With("The value after at %s is not JSON.", o.Path).Wrap(err)
	}
	parent, err := d.parent(keys, len(o.After) > 0)
	if err != nil {
		return ErrOperation.With("There is nothing at %s.", o.Path).Wrap(err)
	}
	last := keys[len(keys)-1]
	switch parent := parent.(type) {
	case map[string]any:
		now, has := parent[last]
		if has != (len(o.Before) > 0) || has && !sameJSON(now, before) {
			return ErrStale
		}
		if len(o.After) == 0 {
			delete(parent, last)
		} else {
			parent[last] = after
		}
	case []any:
		i, err := index(last, len(parent))
		if err != nil {
			return ErrOperation.With("There is nothing at %s.", o.Path).Wrap(err)
		}
		if len(o.Before) == 0 || len(o.After) == 0 {
			return ErrOperation.With("The elements of a list can't be added or removed one by one: change the list at %s.", o.Path)
		}
		if !sameJSON(parent[i], before) {
			return ErrStale
		}
		parent[i] = after
	default:
		return ErrOperation.With("There is nothing at %s.", o.Path)
	}
	return nil
}

// parent is what holds the last of the keys. What an author sees as empty is
// left out of a config, so with make the objects on the way are made; a widget
// or filter is not: one that is gone stays gone.
func (d document) parent(keys []string, make bool) (any, error) {
	at := any(map[string]any(d))
	for i, key := range keys[:len(keys)-1] {
		next, err := child(at, key)
		if err != nil {
			object, ok := at.(map[string]any)
			if _, taken := object[key]; !ok || taken || !make || isKeyed(keys, i) {
				return nil, err
			}
			next = map[string]any{}
			object[key] = next
		}
		at = next
	}
	return at, nil
}

// isKeyed tells whether the nth of the keys is the id of a widget, filter or tab.
func isKeyed(keys []string, n int) bool {
	return n == 1 && (keys[0] == "widgets" || keys[0] == "filters" || keys[0] == "tabs")
}

// at is the value at a pointer; has is false where there is none.
func (d document) at(keys []string) (value any, has bool) {
	value = map[string]any(d)
	for _, key := range keys {
		next, err := child(value, key)
		if err != nil {
			return nil, false
		}
		value = next
	}
	return value, true
}

// maxNumber bounds the digits of a number: the database writes exponents out.
const maxNumber = 40

// clean rewrites the value after in its plain form and refuses what can't be
// stored.
func (o *Operation) clean() error {
	after, err := decodeValue(o.After)
	if err != nil {
		return ErrOperation.With("The value after at %s is not JSON.", o.Path).Wrap(err)
	}
	if len(o.After) == 0 {
		return nil
	}
	if err := storable(after); err != nil {
		return ErrOperation.With("The value after at %s can't be stored: %s.", o.Path, err)
	}
	if o.After, err = json.Marshal(after); err != nil {
		return ErrOperation.Wrap(err)
	}
	return nil
}

// storable tells what a database can't hold: texts with a NUL, numbers beyond
// what a float64 can.
func storable(v any) error {
	switch v := v.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return errors.New("a text has a NUL in it")
		}
	case json.Number:
		if f, err := v.Float64(); err != nil || math.Abs(f) >= 1e30 || f != 0 && math.Abs(f) < 1e-30 || len(v) > maxNumber {
			return errors.New("a number is too large, too small or too long")
		}
	case []any:
		for _, one := range v {
			if err := storable(one); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, one := range v {
			if err := errors.Join(storable(key), storable(one)); err != nil {
				return err
			}
		}
	}
	return nil
}

func decodeValue(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}

// sameJSON compares by value; 1 and 1.0 are the same number.
func sameJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k, v := range a {
			w, has := m[k]
			if !has || !sameJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !sameJSON(a[i], l[i]) {
				return false
			}
		}
		return true
	case json.Number:
		n, ok := b.(json.Number)
		if !ok {
			return false
		}
		if a == n {
			return true
		}
		x, errX := a.Float64()
		y, errY := n.Float64()
		return errX == nil && errY == nil && x == y
	}
	return a == b
}

func child(parent any, key string) (any, error) {
	switch p := parent.(type) {
	case map[string]any:
		if v, ok := p[key]; ok {
			return v, nil
		}
	case []any:
		i, err := index(key, len(p))
		if err != nil {
			return nil, err
		}
		return p[i], nil
	}
	return nil, fmt.Errorf("no %q", key)
}

func index(key string, length int) (int, error) {
	n := 0
	if key == "" || len(key) > 6 || len(key) > 1 && key[0] == '0' {
		return 0, fmt.Errorf("no index: %q", key)
	}
	for _, c := range []byte(key) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("no index: %q", key)
		}
		n = n*10 + int(c-'0')
	}
	if n >= length {
		return 0, fmt.Errorf("index %d of %d", n, length)
	}
	return n, nil
}

var pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")

func parsePointer(path string) ([]string, error) {
	if len(path) < 2 || path[0] != '/' || len(path) > 500 {
		return nil, ErrOperation.With("%q is not a path into a dashboard.", path)
	}
	keys := strings.Split(path[1:], "/")
	for i, key := range keys {
		keys[i] = pointerUnescaper.Replace(key)
	}
	if keys[0] == "schema" {
		return nil, ErrOperation.With("The schema of a dashboard is not changed by hand.")
	}
	return keys, nil
}

// Replay applies a whole log to nothing and answers the name and config that
// come out. name is that at the beginning of the log.
func Replay(name string, log []Operation) (string, []byte, error) {
	if len(log) == 0 || log[0].Path != "" {
		return "", nil, ErrOperation.With("A log begins with the whole dashboard.")
	}
	doc, err := newDocument(name, log[0].After)
	if err != nil {
		return "", nil, err
	}
	for _, op := range log[1:] {
		if err := doc.apply(op); err != nil {
			return "", nil, fmt.Errorf("replay operation %s: %w", op.ID, err)
		}
	}
	name, raw, err := doc.split()
	if err != nil {
		return "", nil, err
	}
	config, err := ParseConfig(raw)
	return name, config.JSON(), err
}
