package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

const mostRulesCost = 1.10

// ruledQueries are sales as somebody sees them who may see two categories only:
// the spec does not say so, the SQL has the predicate written into it.
var ruledQueries = []widgetQuery{
	{
		name: "totals",
		spec: `{"dataset":"sales","measures":[{"fn":"count","as":"n"},{"fn":"sum","column":"amount","as":"amount"}]}`,
		duck: `SELECT count(*), sum(c7) FROM {t} WHERE {rule}`,
	},
	{
		name: "by channel",
		spec: `{"dataset":"sales","measures":[{"fn":"sum","column":"amount","as":"amount"},{"fn":"count","as":"n"}],
			"dimensions":[{"column":"channel"}],"order":[{"by":"amount","desc":true}]}`,
		duck: `SELECT c5, sum(c7) AS a, count(*) FROM {t} WHERE {rule} GROUP BY 1 ORDER BY a DESC`,
	},
	{
		name: "by day",
		spec: `{"dataset":"sales","timezone":"UTC","measures":[{"fn":"sum","column":"amount","as":"amount"}],
			"dimensions":[{"column":"sold_at","grain":"day","as":"day"}],"order":[{"by":"day"}]}`,
		duck: `SELECT DATE '1970-01-01' + b // 96 AS day, sum(s) FROM (SELECT b1 AS b, sum(c7) AS s FROM {t} WHERE {rule} GROUP BY 1) GROUP BY 1 ORDER BY 1`,
	},
	{
		name: "top 10 products",
		spec: `{"dataset":"sales","measures":[{"fn":"sum","column":"amount","as":"amount"}],"dimensions":[{"column":"product"}],
			"order":[{"by":"amount","desc":true}],"limit":10}`,
		duck: `SELECT c3, sum(c7) AS a FROM {t} WHERE {rule} GROUP BY 1 ORDER BY a DESC, 1 LIMIT 10`,
	},
	{
		name: "distinct products by store",
		spec: `{"dataset":"sales","measures":[{"fn":"count_distinct","column":"product","as":"products"}],
			"dimensions":[{"column":"store"}],"order":[{"by":"store"}]}`,
		duck: `SELECT c2, count(DISTINCT c3) FROM {t} WHERE {rule} GROUP BY 1 ORDER BY 1`,
	},
}

// benchRules asks as somebody whom a rule on rows limits, and compares with bare
// DuckDB under the same predicate.
func benchRules(ctx context.Context, o *options, out *report) error {
	sales, err := ingestSales(ctx, o, min(3_000_000, o.salesRows), "rules")
	if err != nil {
		return err
	}
	ruled := *sales
	ruled.Policy = warehouse.NewPolicy(warehouse.Policy{Rows: []warehouse.RowRule{{Name: "own categories", Column: 4, // category
		Filter: warehouse.Filter{Op: "in", Values: []json.RawMessage{json.RawMessage(`"Footwear"`), json.RawMessage(`"Outerwear"`)}}}}})
	peer, err := openDuck(ctx)
	if err != nil {
		return err
	}
	defer peer.close()
	engine := newEngine(o, filepath.Join(o.work, "engine"), withoutKept)
	defer engine.Close()
	asked := &cold{engine: engine, dataset: &ruled, version: 1}
	replace := strings.NewReplacer("{t}", scan(sales), "{rule}", "c4 IN ('Footwear', 'Outerwear')")
	var duckCPU, ourCPU time.Duration
	for _, q := range ruledQueries {
		spec, err := warehouse.ParseSpec([]byte(q.spec))
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		tuned := replace.Replace(q.duck)
		r, err := asked.run(ctx, spec)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		ours, err := answerOfResult(r)
		if err != nil {
			return err
		}
		bare, err := peer.answer(ctx, tuned)
		if err != nil {
			return fmt.Errorf("%s in DuckDB: %w", q.name, err)
		}
		if d := bare.differs(ours); d != "" || len(ours) == 0 {
			return fmt.Errorf("%s: DuckDB answers otherwise: %s", q.name, d)
		}
		all, err := pairs(o.repeat, func() error { return peer.run(ctx, tuned) }, func() error {
			_, err := asked.run(ctx, spec)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		dm, om := mediansOf(all)
		out.figure("rules: "+q.name+", warehouse / bare DuckDB, CPU").detail().atMost(medianRatio(all), "×", mostRulesCost)
		duckCPU, ourCPU = duckCPU+dm.cpu, ourCPU+om.cpu
	}
	out.figure("rules: cost over bare DuckDB with the same predicate, 3 M rows").atMost(ratio(ourCPU, duckCPU), "×", mostRulesCost)
	return nil
}
