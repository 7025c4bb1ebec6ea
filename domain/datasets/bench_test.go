package datasets_test

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// BenchmarkAppendRows is one small live append, with its files made durable.
func BenchmarkAppendRows(b *testing.B) {
	r := newRig(b)
	id := r.events(b, "events")
	request := eventRows(1, 20)
	for b.Loop() {
		if _, err := r.AppendRows(b.Context(), r.actor, id, request); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSnapshot reads the versions that a page of one dataset binds to.
func BenchmarkSnapshot(b *testing.B) {
	r := newRig(b)
	id := r.events(b, "events")
	r.add(b, id, 1, 10)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := r.Snapshot(b.Context(), r.actor, []ids.Dataset{id}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkCachedQuery is a widget of a page that is bound already: permission,
// definition and the answer from memory.
func BenchmarkCachedQuery(b *testing.B) {
	r := newRig(b)
	id := r.events(b, "events")
	r.add(b, id, 1, 1000)
	request := datasets.QueryRequest{Snapshot: r.snapshot(b, id), Spec: warehouse.Spec{
		Dataset: id.String(), Measures: []warehouse.Measure{{Fn: "count", As: "n"}}, Dimensions: []warehouse.Dimension{{Column: "name"}},
	}}
	for b.Loop() {
		if _, err := r.Query(b.Context(), r.actor, request); err != nil {
			b.Fatal(err)
		}
	}
}
