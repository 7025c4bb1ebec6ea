package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Sight is a comparison, a mask or a least size of groups that limits what
// somebody sees of a dataset.
type Sight struct {
	Dataset string // its name
	Kind    RuleKind
	Column  string // "lookup.column" of another dataset's; empty for RuleGroups
	Op      string // one of RuleOps
	Values  []string
	// Lacks is the attribute that the comparison needs and somebody has not: they
	// see no row.
	Lacks   string
	Mask    warehouse.MaskKind
	MinRows int
}

// ListSights answers what limits each of some people or keys, by the rules of all
// datasets that the actor sees: nothing for those who see all of these. It is for
// who manages them.
//
// Errors: access.forbidden.
func (s *Service) ListSights(ctx context.Context, actor access.Actor, whose []access.Actor) ([][]Sight, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return nil, err
	}
	list := make([][]Sight, len(whose))
	err := s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		all, err := readRules(ctx, tx, ids.Dataset{})
		if err != nil || len(all) == 0 {
			return err
		}
		known := map[ids.Dataset]*Dataset{}
		find := func(id ids.Dataset) (*Dataset, error) {
			if d, read := known[id]; read {
				return d, nil
			}
			row, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID())
			if db.IsNoRows(err) {
				known[id] = nil // not for the actor
				return nil, nil
			}
			if err != nil {
				return nil, fmt.Errorf("read dataset %s: %w", id, err)
			}
			d, err := readDataset(ctx, tx, row)
			known[id] = &d
			return &d, err
		}
		for _, id := range sortedDatasets(all) {
			d, err := find(id)
			if err != nil {
				return err
			}
			if d == nil {
				continue
			}
			for n, one := range whose {
				for _, r := range rulesFor(one, all[id]) {
					found, err := sightsOf(one, d, r, find)
					if err != nil {
						return err
					}
					list[n] = append(list[n], found...)
				}
			}
		}
		return nil
	})
	return list, err
}

func sortedDatasets(rules map[ids.Dataset][]Rule) []ids.Dataset {
	list := make([]ids.Dataset, 0, len(rules))
	for id := range rules {
		list = append(list, id)
	}
	slices.SortFunc(list, func(a, b ids.Dataset) int { return slices.Compare(a[:], b[:]) })
	return list
}

func sightsOf(one access.Actor, d *Dataset, r Rule, find func(ids.Dataset) (*Dataset, error)) ([]Sight, error) {
	name := func(d *Dataset, id int32) string {
		for _, c := range d.Columns {
			if c.ID == id {
				return c.Name
			}
		}
		return "?" // it was removed, or is in a dataset that is not for the actor
	}
	switch r.Kind {
	case RuleColumn:
		return []Sight{{Dataset: d.Name, Kind: r.Kind, Column: name(d, r.Column), Mask: r.Mask.Kind}}, nil
	case RuleGroups:
		return []Sight{{Dataset: d.Name, Kind: r.Kind, MinRows: r.MinRows}}, nil
	}
	var list []Sight
	for _, p := range r.Predicates {
		one := Sight{Dataset: d.Name, Kind: r.Kind, Op: p.Op}.valuesOf(one, p)
		one.Column = name(d, p.Column)
		if p.Lookup != "" {
			target, err := find(p.Target)
			if err != nil {
				return nil, err
			}
			if one.Column = p.Lookup + ".?"; target != nil {
				one.Column = p.Lookup + "." + name(target, p.Column)
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// valuesOf puts in what a comparison compares with for somebody.
func (s Sight) valuesOf(one access.Actor, p Predicate) Sight {
	for _, raw := range p.Values {
		if attribute, is := attributeOf(raw); is {
			values := one.Attributes[attribute]
			if len(values) == 0 {
				s.Lacks = attribute
			}
			s.Values = append(s.Values, values...)
			continue
		}
		text := string(raw)
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw) // a number, or true
		}
		s.Values = append(s.Values, text)
	}
	return s
}
