package dashboards

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Difference is one property of a widget or filter that is another on two sides,
// as whoever edits it knows it.
type Difference struct {
	// Aspect is a word of the catalogue: "title", "filters", "place".
	Aspect string
	// From and To are nil where a side has none. Those of a part of an aspect
	// are nil on both sides.
	From, To json.RawMessage
}

// Has tells whether the values are those of the aspect as a whole.
func (d Difference) Has() bool { return d.From != nil || d.To != nil }

// aspects are the words for keys that have not their own.
var aspects = map[string]string{"layout": "place", "layouts": "place", "url": "image", "encode": "encoding", "in_bar": "bar", "position": "place"}

// queryKey is where a widget keeps what it asks: each key in it is an aspect.
const queryKey = "query"

// aspectOf is the aspect that keys below a widget, filter or tab lead into. whole
// tells that they lead to all of it.
func aspectOf(keys []string) (aspect string, whole bool) {
	if len(keys) == 0 {
		return "", false
	}
	if keys[0] == queryKey {
		if len(keys) == 1 {
			return "data", true
		}
		keys = keys[1:]
	}
	aspect = cmp.Or(aspects[keys[0]], keys[0])
	return aspect, len(keys) == 1 && keys[0] != "layouts"
}

// aspectOrder is how people read a widget: what it says, what it is, what it asks.
var aspectOrder = []string{"title", "label", "subtitle", "type", "text", "dataset", "column", "measures", "dimensions", "columns", "filters", "order", "limit", "date", "encoding", "format"}

// differencesOf compares two widgets, filters or other objects of a dashboard.
func differencesOf(from, to any) ([]Difference, error) {
	a, err := objectOf(from)
	if err != nil {
		return nil, err
	}
	b, err := objectOf(to)
	if err != nil {
		return nil, err
	}
	return a.differences(b)
}

func objectOf(v any) (document, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	value, err := decodeValue(raw)
	if err != nil {
		return nil, err
	}
	m, _ := value.(map[string]any)
	return m, nil
}

func (d document) differences(to document) ([]Difference, error) {
	var list []Difference
	note := func(key []string, a, b any) error {
		if sameJSON(a, b) {
			return nil
		}
		aspect, whole := aspectOf(key)
		if slices.ContainsFunc(list, func(d Difference) bool { return d.Aspect == aspect }) {
			return nil
		}
		difference := Difference{Aspect: aspect}
		if whole {
			var err error
			if difference.From, err = orNone(a); err != nil {
				return err
			}
			if difference.To, err = orNone(b); err != nil {
				return err
			}
		}
		list = append(list, difference)
		return nil
	}
	for _, key := range bothKeys(d, to) {
		if key == queryKey {
			a, _ := d[queryKey].(map[string]any)
			b, _ := to[queryKey].(map[string]any)
			for _, below := range bothKeys(a, b) {
				if err := note([]string{queryKey, below}, a[below], b[below]); err != nil {
					return nil, err
				}
			}
			continue
		}
		if err := note([]string{key}, d[key], to[key]); err != nil {
			return nil, err
		}
	}
	rank := func(d Difference) int {
		if i := slices.Index(aspectOrder, d.Aspect); i >= 0 {
			return i
		}
		return len(aspectOrder)
	}
	slices.SortStableFunc(list, func(a, b Difference) int { return rank(a) - rank(b) })
	return list, nil
}

func orNone(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}

// bothKeys are those of both, sorted.
func bothKeys(a, b map[string]any) []string {
	keys := sortedKeys(a)
	for key := range b {
		if _, has := a[key]; !has {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
