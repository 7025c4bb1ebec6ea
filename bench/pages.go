package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dataflowhq/dataflow/warehouse"
)

// pageQueries are pages of raw rows; %d is another store each time, so that
// none was asked before.
var pageQueries = []struct{ name, spec string }{
	{"newest of one store", `{"dataset":"sales","columns":["sold_at","store","product","channel","quantity","amount"],
		"filters":[{"column":"store","op":"in","values":[%d]}],"order":[{"by":"sold_at","desc":true}],"limit":50}`},
	{"newest of one store, third page", `{"dataset":"sales","columns":["sold_at","store","product","channel","quantity","amount"],
		"filters":[{"column":"store","op":"in","values":[%d]}],"order":[{"by":"sold_at","desc":true}],"limit":50,"offset":100}`},
	{"largest amounts of one store", `{"dataset":"sales","columns":["sold_at","store","product","channel","quantity","amount"],
		"filters":[{"column":"store","op":"in","values":[%d]}],"order":[{"by":"amount","desc":true}],"limit":50}`},
	{"smallest amounts of all stores but one", `{"dataset":"sales","columns":["sold_at","store","product","channel","quantity","amount"],
		"filters":[{"column":"store","op":"not_in","values":[%d]}],"order":[{"by":"amount"}],"limit":50}`},
}

// benchPages asks for filtered, sorted pages of raw rows, each of another
// store. The first ones may read much and make the engine keep a hot copy; the
// median speaks of those after.
func benchPages(ctx context.Context, o *options, out *report, sales *warehouse.Dataset) error {
	engine := newEngine(o, filepath.Join(o.work, "engine"))
	defer engine.Close()
	asked := &cold{engine: engine, dataset: sales}
	worst, worstName := 0.0, ""
	for _, q := range pageQueries {
		ask := func(store int) (cost, error) {
			spec, err := warehouse.ParseSpec(fmt.Appendf(nil, q.spec, store))
			if err != nil {
				return cost{}, err
			}
			return measure(func() error {
				r, err := asked.run(ctx, spec)
				if err == nil && r.Rows != 50 {
					err = fmt.Errorf("the page has %d rows", r.Rows)
				}
				return err
			})
		}
		first, err := ask(1)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		for i := range 3 {
			if _, err := ask(2 + i); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			// Copies are made behind the back of whoever asks; wait for them.
			if err := pause(ctx, 2*time.Second); err != nil {
				return err
			}
		}
		var costs []cost
		for i := range 3 * o.repeat {
			c, err := ask(10 + i)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			costs = append(costs, c)
		}
		m := median(costs)
		name := "page of raw rows, 10 M rows: " + q.name
		out.add(name+", the very first, wall", ms(first.wall), "ms")
		out.add(name+", CPU", ms(m.cpu), "ms")
		out.figure(name+", wall").detail().atMost(ms(m.wall), "ms", 10)
		if w := ms(m.wall); w > worst {
			worst, worstName = w, q.name
		}
	}
	out.figure("filtered, sorted page of raw rows, 10 M rows, worst of four").note(worstName).atMost(worst, "ms", 10)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
