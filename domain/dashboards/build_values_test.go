package dashboards

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

func TestValuesArePutTogether(t *testing.T) {
	t.Parallel()
	const bar = `{"kind":"add_field","field":"channel"}`
	const near = `{"kind":"set_field","widget":"$","well":"x","index":0,"expect":"channel","set":{"groups":{"groups":[{"name":" Near ","values":["shop","~0"]},{"name":"Far","values":["web, mail"]}],"other":"Rest"}}}`
	comma := charts.EscapeValue("web, mail")
	for name, tc := range map[string]struct {
		acts []string
		want string // the dimension, limit and other of the query, type
	}{
		"with all others": {[]string{bar, near}, `{"column":"channel","as":"channel","groups":{"Far":["web, mail"],"Near":["shop",null]},"other":"Rest"} 0 false bar`},
		"each by itself": {[]string{bar, `{"kind":"set_field","widget":"$","well":"x","set":{"groups":{"groups":[{"name":"Near","values":["shop"]}]}}}`},
			`{"column":"channel","as":"channel","groups":{"Near":["shop"]}} 10 true bar`},
		"no groups again": {[]string{bar, near, `{"kind":"set_field","widget":"$","well":"x","set":{"groups":{"groups":[],"other":"Rest"}}}`},
			`{"column":"channel","as":"channel"} 10 true bar`},
		"yes and no": {[]string{`{"kind":"add_field","field":"paid"}`, `{"kind":"set_field","widget":"$","well":"x","set":{"groups":{"groups":[{"name":"Done","values":["true"]}],"other":"Open"}}}`},
			`{"column":"paid","as":"paid","groups":{"Done":[true]},"other":"Open"} 0 false donut`},
		"another type keeps them": {[]string{bar, near, `{"kind":"retype","widget":"$","type":"donut"}`, `{"kind":"retype","widget":"$","type":"table"}`},
			`{"column":"channel","as":"channel","groups":{"Far":["web, mail"],"Near":["shop",null]},"other":"Rest"} 0 false table`},
		"another well keeps them": {[]string{bar, near, `{"kind":"drop_field","widget":"$","well":"facet","from":{"well":"x","index":0}}`, `{"kind":"drop_field","widget":"$","well":"x","from":{"well":"facet","index":0}}`},
			`{"column":"channel","as":"channel","groups":{"Far":["web, mail"],"Near":["shop",null]},"other":"Rest"} 0 false bar`},
		"a copy has them": {[]string{bar, near, `{"kind":"duplicate","widgets":["$"]}`},
			`{"column":"channel","as":"channel","groups":{"Far":["web, mail"],"Near":["shop",null]},"other":"Rest"} 0 false bar`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, sales, _ := shop()
			for i := range tc.acts {
				tc.acts[i] = strings.ReplaceAll(tc.acts[i], "web, mail", comma)
			}
			c, id := run(t, d, sales, tc.acts...)
			w := c.Widgets[id]
			raw, err := json.Marshal(w.Query.Dimensions[0])
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%s %d %v %s", raw, w.Query.Limit, w.Query.Other, w.Type); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestNumbersArePutTogether: few of them are a list, many go by steps, and the
// one takes the place of the other.
func TestNumbersArePutTogether(t *testing.T) {
	t.Parallel()
	d, sales, _ := shop()
	groups := func(c Config, id string) (Config, error) {
		next, _, err := d.act(c, Act{Kind: "set_field", Widget: id, Well: "x", Set: FieldSetting{Groups: &Grouping{Groups: []ValueGroup{{Name: "Few", Values: []string{"1", "9007199254740993"}}}}}})
		return next, err
	}
	c, id := run(t, d, sales, `{"kind":"add_field","field":"customer_id"}`, `{"kind":"set_field","widget":"$","well":"x","set":{"bin":"500"}}`)
	if _, err := groups(c, id); err == nil || !strings.Contains(sentence(err), "can't be put into groups") {
		t.Errorf("numbers of which nobody knows how many: %v", err)
	}
	facts := Facts{Dataset: sales, Columns: []ColumnFacts{{Name: "customer_id", Type: warehouse.Integer, Distinct: 12, Filled: 100}}}
	d.facts = map[ids.Dataset]Facts{sales: facts}
	c, err := groups(c, id)
	if err != nil {
		t.Fatal(err)
	}
	dim := c.Widgets[id].Query.Dimensions[0]
	if raw := dim.Groups["Few"]; dim.Bin != 0 || len(raw) != 2 || string(raw[1]) != "9007199254740993" {
		t.Errorf("%+v", dim)
	}
	width := 10.0
	if c, _, err = d.act(c, Act{Kind: "set_field", Widget: id, Well: "x", Set: FieldSetting{Bin: &width}}); err != nil {
		t.Fatal(err)
	}
	if dim := c.Widgets[id].Query.Dimensions[0]; dim.Bin != 10 || dim.Groups != nil {
		t.Errorf("in steps again: %+v", dim)
	}
}

func TestGroupsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	many := make([]ValueGroup, mostValueGroups+1)
	for i := range many {
		many[i] = ValueGroup{Name: fmt.Sprint("G", i), Values: []string{fmt.Sprint(i)}}
	}
	values := make([]string, mostGroupedValues+1)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	near := ValueGroup{Name: "Near", Values: []string{"shop"}}
	for name, tc := range map[string]struct {
		field, well string
		groups      []ValueGroup
		other       *string
		want        string
	}{
		"no name":              {"channel", "x", []ValueGroup{{Name: " ", Values: []string{"shop"}}}, nil, "needs a name"},
		"a long name":          {"channel", "x", []ValueGroup{{Name: strings.Repeat("é", 81), Values: []string{"shop"}}}, nil, "at most 80 characters"},
		"two of one name":      {"channel", "x", []ValueGroup{near, {Name: "near ", Values: []string{"web"}}}, nil, "two groups called “near”"},
		"no values":            {"channel", "x", []ValueGroup{near, {Name: "Far"}}, nil, "“Far” has no values"},
		"a value in two":       {"channel", "x", []ValueGroup{near, {Name: "Far", Values: []string{"web", "shop"}}}, nil, "“shop” is in “Near” and in “Far”"},
		"no value in two":      {"channel", "x", []ValueGroup{{Name: "A", Values: []string{"~0"}}, {Name: "B", Values: []string{"~0"}}}, nil, "No value is in “A” and in “B”"},
		"a word for a boolean": {"paid", "x", []ValueGroup{{Name: "A", Values: []string{"perhaps"}}}, nil, "“perhaps” in the group “A” is no value of Paid"},
		"no word":              {"channel", "x", []ValueGroup{{Name: "A", Values: []string{"a*b"}}}, nil, "is no value"},
		"many groups":          {"channel", "x", many, nil, "at most 200 groups"},
		"many values":          {"channel", "x", []ValueGroup{{Name: "A", Values: values}}, nil, "at most 3000 values"},
		"others unnamed":       {"channel", "x", []ValueGroup{near}, ptr(" "), "all other values"},
		"others like a group":  {"channel", "x", []ValueGroup{near}, ptr("NEAR"), "is a group already"},
		"of a measure":         {"channel", "value", []ValueGroup{near}, nil, "Only what divides"},
		"of a date":            {"order_date", "x", []ValueGroup{near}, nil, "can't be put into groups"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, sales, _ := shop()
			c, id := run(t, d, sales, `{"kind":"add_field","field":"`+tc.field+`"}`)
			_, _, err := d.act(c, Act{Kind: "set_field", Widget: id, Well: tc.well, Set: FieldSetting{Groups: &Grouping{Groups: tc.groups, Other: tc.other}}})
			if err == nil || !strings.Contains(sentence(err), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
