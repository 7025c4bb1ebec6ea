package ingest

import "sort"

// sequence finds out whether the moments of a column never go down in the
// file, though its batches are looked at out of order.
type sequence struct {
	parts   []sequencePart
	current sequencePart
	open    bool
	failed  bool
}

type sequencePart struct {
	seq         int64
	first, last int64
}

// begin starts a batch.
func (q *sequence) begin(seq int64) {
	q.end()
	q.current = sequencePart{seq: seq}
}

func (q *sequence) end() {
	if q.open {
		q.parts = append(q.parts, q.current)
	}
	q.open = false
}

func (q *sequence) add(value int64) {
	if q.failed {
		return
	}
	if !q.open {
		q.current.first, q.open = value, true
	} else if value < q.current.last {
		q.broken()
		return
	}
	q.current.last = value
}

func (q *sequence) broken() { q.failed, q.parts, q.open = true, nil, false }

func (q *sequence) merge(o *sequence) {
	q.end()
	o.end()
	q.failed = q.failed || o.failed
	q.parts = append(q.parts, o.parts...)
}

// sorted answers once all batches were looked at.
func (q *sequence) sorted() bool {
	q.end()
	if q.failed {
		return false
	}
	sort.Slice(q.parts, func(i, j int) bool { return q.parts[i].seq < q.parts[j].seq })
	for i := 1; i < len(q.parts); i++ {
		if q.parts[i].first < q.parts[i-1].last {
			return false
		}
	}
	return true
}
