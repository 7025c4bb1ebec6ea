package dashboards

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// WidgetRules are what limits one widget for somebody: the rules that hold for
// them and their locked filters, with the exact comparisons.
type WidgetRules struct {
	Widget  string // its id
	Title   string
	Dataset string // "" where Problem says why it is not asked
	Rules   []datasets.HeldRule
	// SQL is the whole statement that is asked for them, with the dataset in the
	// place of its files.
	SQL     string
	Problem string
}

// ListPredicates says for each widget of a dashboard that asks for data what
// limits it for seen, by title. Whoever calls it has seen to it
// that the answer is for somebody who may look at the workspace as seen does.
//
// Errors: dashboards.not_found, also for one that seen may not open.
func (s *Service) ListPredicates(ctx context.Context, seen access.Actor, id ids.Dashboard, words Words) (name string, list []WidgetRules, err error) {
	v, err := s.Open(ctx, seen, OpenRequest{ID: id, Now: time.Now().Truncate(time.Minute), Words: words})
	if err != nil {
		return "", nil, err
	}
	held := map[ids.Dataset][]datasets.HeldRule{}
	for widget, w := range v.Dashboard.Config.Widgets {
		p, ok := v.Plan(widget)
		if !w.Type.Asks() || !w.SetUp() || !ok {
			continue
		}
		one := WidgetRules{Widget: widget, Title: w.Title}
		if err := s.explainRules(ctx, v, p, held, &one); err != nil {
			if ctx.Err() != nil {
				return "", nil, err
			}
			one = WidgetRules{Widget: widget, Title: w.Title, Problem: apperr.Describe(err).Sentence}
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b WidgetRules) int {
		return strings.Compare(a.Title+"\x00"+a.Widget, b.Title+"\x00"+b.Widget)
	})
	return v.Dashboard.Name, list, nil
}

func (s *Service) explainRules(ctx context.Context, v *View, p *Plan, held map[ids.Dataset][]datasets.HeldRule, one *WidgetRules) error {
	if err := p.problem(); err != nil {
		return err
	}
	rules, ok := held[p.dataset]
	if !ok {
		var err error
		if rules, err = s.datasets.HeldRules(ctx, v.actor, p.dataset); err != nil {
			return err
		}
		held[p.dataset] = rules
	}
	how, err := s.datasets.Explain(ctx, v.actor, datasets.QueryRequest{Spec: p.main, Snapshot: v.Snapshot, Exact: p.exact, Now: v.now})
	if err != nil {
		return err
	}
	one.Dataset, one.Rules, one.SQL = p.name, rules, withoutFiles(how.SQL, p.name)
	return nil
}
