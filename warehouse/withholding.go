package warehouse

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/bits"
	"slices"
)

// withholding decides which groups of an answer are withheld: those that are small,
// and with them as many others as it takes for nobody to find them by subtraction
// (complementary suppression).
//
// It looks at the groups by the dimensions of a question and by the columns of which its
// filters name values, and at those by some of them, which coarser questions ask for.
// It does so for each number by itself (rows, or rows behind a measure, that meet some of
// the conditions), so that the same groups are withheld for it in every question that has
// it. A group is small where the number is at least 1 and less than least. Within a line,
// which are the groups that a coarser question adds up, what is withheld is nothing, or at
// least two groups that are not small together, or all; what these are made of is withheld
// as well. Those of a line that filters choose from are put into blocks of as many, and a
// filter has to take all of a block or nothing.
type withholding struct {
	least        int64
	dims, hidden int       // of the question, and beside it
	within       int       // the dimension of which the hidden one has longer spans; -1 for none
	marks        [][]digit // by span
	cells        []*groupCells
	index        map[string]int32 // of cells, by at
	levels       []*heldLevel     // by the set of dimensions
	n            [][]int64        // of their groups, of the number that is looked at
	held         [][]bool         // whether they are withheld for it
	marked       [][]int32        // numbers of lines, while they are looked at
	out          []bool           // the groups of the question that are withheld for any
}

// maxSteps bounds the work of a withholding: numbers of groups, by all sets of
// dimensions. It is two seconds at most.
const maxSteps = 100_000_000

// digit is what a code says of a condition.
type digit struct {
	weight, states int64
	values         bool // a filter that names values of a column
	groups         bool // what a dimension of the question chooses by
}

// cellKey tells the cells of a group apart: the span that is asked for, and a code of the
// conditions that hold.
type cellKey struct{ span, code int64 }

// groupCells is a group by all dimensions.
type groupCells struct {
	group int32   // of the question
	at    []int32 // which value it has of each dimension
	class int64   // which filters by values it passes
	rows  [2]int64
	keys  []cellKey
	cells [][]int64
}

// heldLevel are the groups by a set of dimensions.
type heldLevel struct {
	first []int32    // of withholding.cells, by group
	of    []int32    // which group each of withholding.cells is in
	rows  [][2]int64 // of the groups, by span
	lines []heldLine
	line  [][]int32 // of each group, along each dimension of the set
}

// heldLine are the groups that one of a coarser question is made of: by span, the
// smallest first.
type heldLine struct {
	along  int
	groups [2][]int32
}

// vector is a number of some groups.
type vector struct {
	span   int64
	chosen bool // by what a dimension chooses by
	groups []int32
	counts []int64
}

func newWithholding(least int64, dims, hidden, within int, marks [][]digit) *withholding {
	return &withholding{least: least, dims: dims, hidden: hidden, within: within, marks: marks, index: map[string]int32{}}
}

func (w *withholding) small(n int64) bool { return n > 0 && n < w.least }

// add adds a cell of a group: its numbers, of which the first are its rows.
func (w *withholding) add(group int32, at []int32, key cellKey, numbers []int64) {
	place := string(appendPlace(nil, at, -1))
	i, is := w.index[place]
	if !is {
		i = int32(len(w.cells))
		w.index[place] = i
		w.cells = append(w.cells, &groupCells{group: group, at: at})
	}
	g := w.cells[i]
	g.rows[key.span] += numbers[0]
	g.class = 0
	for _, d := range w.marks[key.span] {
		if d.values {
			g.class = g.class*3 + key.code/d.weight%d.states
		}
	}
	g.keys, g.cells = append(g.keys, key), append(g.cells, slices.Clone(numbers))
}

// appendPlace appends which values a group has of a set of dimensions.
func appendPlace(key []byte, at []int32, set int) []byte {
	for d, v := range at {
		if set&(1<<d) != 0 {
			key = binary.BigEndian.AppendUint32(key, uint32(v))
		}
	}
	return key
}

// decide adds the groups of the question that are withheld. ok is false where that would
// take too long.
func (w *withholding) decide(ctx context.Context, out map[int32]bool) (ok bool) {
	numbers := w.numbers()
	if len(numbers) == 0 {
		return true
	}
	levels := 1 << (w.dims + w.hidden)
	steps := len(w.cells) * levels
	for _, v := range numbers {
		steps += len(v.groups) * levels
	}
	if steps > maxSteps {
		return false
	}
	w.levels, w.n, w.held = make([]*heldLevel, levels), make([][]int64, levels), make([][]bool, levels)
	for set := range w.levels {
		l := w.level(set)
		w.levels[set], w.n[set], w.held[set] = l, make([]int64, len(l.first)), make([]bool, len(l.first))
	}
	w.marked = make([][]int32, levels)
	for set, l := range w.levels {
		w.line(l, set)
		w.marked[set] = make([]int32, len(l.lines))
	}
	whole := w.levels[1<<w.dims-1]
	w.out = make([]bool, len(whole.first))
	for i := range numbers {
		if ctx.Err() != nil {
			return true
		}
		p := &pass{withholding: w, vector: &numbers[i]}
		p.run()
	}
	for g, held := range w.out {
		if held {
			out[w.cells[whole.first[g]].group] = true
		}
	}
	return true
}

// hiddenSet are the dimensions that the filters choose from.
func (w *withholding) hiddenSet() int { return (1<<w.hidden - 1) << w.dims }

// choices are sets of conditions, as bits; those by values are none of them, since their
// columns are dimensions.
func choices(marks []digit) []uint64 {
	var all, list []uint64
	for i, d := range marks {
		if !d.values {
			all = append(all, 1<<i)
		}
	}
	for choice := range uint64(1) << len(all) {
		if n := bits.OnesCount64(choice); len(all) > 5 && n > 2 && n < len(all) {
			continue
		}
		kept := uint64(0)
		for i, bit := range all {
			if choice&(1<<i) != 0 {
				kept |= bit
			}
		}
		list = append(list, kept)
	}
	return list
}

// numbers are those that are small in some group: sums of others are not small either.
func (w *withholding) numbers() []vector {
	var list []vector
	for span, marks := range w.marks {
		for _, kept := range choices(marks) {
			byCode := map[int64][]vector{} // of each of the numbers of a cell
			for i, g := range w.cells {
				for j, key := range g.keys {
					if int(key.span) != span {
						continue
					}
					code := int64(0)
					for m, d := range marks {
						if kept&(1<<m) != 0 {
							code += key.code / d.weight % d.states * d.weight
						}
					}
					vectors := byCode[code]
					if vectors == nil {
						vectors = make([]vector, len(g.cells[j]))
						byCode[code] = vectors
					}
					for k, n := range g.cells[j] {
						vectors[k].add(int32(i), n)
					}
				}
			}
			for code, vectors := range byCode {
				for k, v := range vectors {
					v.chosen = slices.ContainsFunc(marks, func(d digit) bool { return d.groups && code/d.weight%d.states != 0 })
					again := slices.ContainsFunc(vectors[:k], func(o vector) bool { return slices.Equal(o.counts, v.counts) && slices.Equal(o.groups, v.groups) })
					if v.span = int64(span); !again && slices.ContainsFunc(v.counts, w.small) {
						list = append(list, v)
					}
				}
			}
		}
	}
	return list
}

// add adds to the number of the last group, or of one after it.
func (v *vector) add(group int32, n int64) {
	last := len(v.groups) - 1
	switch {
	case n == 0:
	case last >= 0 && v.groups[last] == group:
		v.counts[last] += n
	default:
		v.groups, v.counts = append(v.groups, group), append(v.counts, n)
	}
}

// level are the groups by a set of dimensions.
func (w *withholding) level(set int) *heldLevel {
	l := &heldLevel{of: make([]int32, len(w.cells))}
	index := map[string]int32{}
	var key []byte
	for i, g := range w.cells {
		key = appendPlace(key[:0], g.at, set)
		at, is := index[string(key)]
		if !is {
			at = int32(len(l.first))
			index[string(key)] = at
			l.first, l.rows = append(l.first, int32(i)), append(l.rows, [2]int64{})
		}
		l.of[i] = at
		for span, n := range g.rows {
			l.rows[at][span] += n
		}
	}
	return l
}

// line finds the lines of a level.
func (w *withholding) line(l *heldLevel, set int) {
	l.line = make([][]int32, len(l.first))
	for i := range w.dims + w.hidden {
		if set&(1<<i) == 0 {
			continue
		}
		coarser := w.levels[set&^(1<<i)]
		base := int32(len(l.lines))
		l.lines = append(l.lines, make([]heldLine, len(coarser.first))...)
		for g, first := range l.first {
			at := base + coarser.of[first]
			line := &l.lines[at]
			line.along = i
			line.groups[0] = append(line.groups[0], int32(g))
			l.line[g] = append(l.line[g], at)
		}
		for at := base; at < int32(len(l.lines)); at++ {
			line := &l.lines[at]
			line.groups[1] = slices.Clone(line.groups[0])
			for span := range line.groups {
				slices.SortFunc(line.groups[span], func(a, b int32) int {
					return cmp.Or(cmp.Compare(l.rows[a][span], l.rows[b][span]), cmp.Compare(w.cells[l.first[a]].at[i], w.cells[l.first[b]].at[i]))
				})
			}
		}
	}
}

// pass finds what is withheld for one number.
type pass struct {
	*withholding
	*vector
	there, taken [][]int32 // groups with the number, and those withheld, by level
}

func (p *pass) run() {
	p.there, p.taken = make([][]int32, len(p.levels)), make([][]int32, len(p.levels))
	defer p.forget()
	for set, l := range p.levels {
		n := p.n[set]
		for i, group := range p.groups {
			g := l.of[group]
			if n[g] == 0 {
				p.there[set] = append(p.there[set], g)
			}
			n[g] += p.counts[i]
		}
		if p.within >= 0 && set&p.hiddenSet() != 0 && set&(1<<p.within) == 0 {
			continue // a longer span hides others by what it is made of alone
		}
		for _, g := range p.there[set] {
			if p.small(n[g]) {
				p.take(set, g)
			}
		}
		if set == 0 && p.chosen && p.held[set][0] {
			// Groups that differ from others in few rows, whichever they are in.
			for g := range p.out {
				p.out[g] = true
			}
			return
		}
		if set > 0 { // all parts of a set come before it
			p.inherit(set)
			p.protect(set)
		}
	}
	if p.hidden > 0 {
		for g, held := range p.answer() {
			p.out[g] = p.out[g] || held
		}
		return
	}
	for _, g := range p.taken[1<<p.dims-1] {
		p.out[g] = true
	}
}

// take withholds a group of a level.
func (p *pass) take(set int, g int32) {
	if !p.held[set][g] {
		p.held[set][g] = true
		p.taken[set] = append(p.taken[set], g)
	}
}

// forget makes the levels ready for another number.
func (p *pass) forget() {
	for set := range p.levels {
		for _, g := range p.there[set] {
			p.n[set][g] = 0
		}
		for _, g := range p.taken[set] {
			p.held[set][g] = false
		}
	}
}

// inherit withholds what a group that is withheld of a coarser question is made of.
func (p *pass) inherit(set int) {
	l := p.levels[set]
	for i := range p.dims + p.hidden {
		coarser := set &^ (1 << i)
		if coarser == set || coarser == 0 || len(p.taken[coarser]) == 0 {
			continue
		}
		of, held := p.levels[coarser].of, p.held[coarser]
		// What has none of the number hides nothing, but where it hides others.
		for _, g := range p.there[set] {
			if held[of[l.first[g]]] {
				p.take(set, g)
			}
		}
		if slices.ContainsFunc(p.taken[coarser], func(whole int32) bool { return p.n[coarser][whole] == 0 }) {
			for g, first := range l.first {
				if whole := of[first]; held[whole] && p.n[coarser][whole] == 0 {
					p.take(set, int32(g))
				}
			}
		}
	}
}

// protect withholds more groups of a level, until each line of them is fine.
func (p *pass) protect(set int) {
	l, n, held := p.levels[set], p.n[set], p.held[set]
	if len(p.taken[set]) == 0 {
		return
	}
	there := p.marked[set] // groups with the number, by line
	defer clear(there)
	for _, g := range p.there[set] {
		for _, at := range l.line[g] {
			there[at]++
		}
	}
	queued := map[int32]bool{}
	var queue []int32
	for _, g := range p.taken[set] {
		for _, at := range l.line[g] {
			if !queued[at] {
				queued[at], queue = true, append(queue, at)
			}
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue, queued[at] = queue[1:], false
		var sum heldSum
		groups := l.lines[at].groups[p.span]
		for _, g := range groups {
			if held[g] {
				sum.add(n[g])
			}
		}
		alone := func(g int32) bool {
			return slices.ContainsFunc(l.line[g], func(o int32) bool {
				return o != at && (n[g] > 0 && there[o] == 1 || len(l.lines[o].groups[p.span]) == 1)
			})
		}
		take := func(enough func() bool, may func(g int32) bool) {
			for _, g := range groups {
				if enough() {
					return
				}
				if held[g] || !may(g) {
					continue
				}
				p.take(set, g)
				sum.add(n[g])
				for _, o := range l.line[g] {
					if o != at && !queued[o] {
						queued[o], queue = true, append(queue, o)
					}
				}
			}
		}
		fine := func() bool { return sum.fine(p.least) }
		// First those that their other lines do not tell: there are more in each.
		take(fine, func(g int32) bool { return n[g] > 0 && !alone(g) })
		take(fine, func(g int32) bool { return n[g] > 0 })
		// Nobody shall find the whole of one group, either.
		pair := func() bool { return sum.all > 1 }
		take(pair, func(g int32) bool { return !alone(g) })
		take(pair, func(int32) bool { return true })
	}
}

// heldSum adds up what is withheld of a line.
type heldSum struct {
	all, groups int // of which so many have the number
	n           int64
}

func (s *heldSum) add(n int64) {
	s.all++
	if n > 0 {
		s.groups++
		s.n += n
	}
}

func (s *heldSum) fine(least int64) bool {
	return s.all == 0 || s.all > 1 && (s.groups == 0 || s.groups > 1 && s.n >= least)
}

// blocks puts what is withheld of a line along a hidden dimension into blocks.
func (p *pass) blocks(set int, line *heldLine) (blocks [][]int32) {
	var block []int32
	var sum heldSum
	for _, g := range line.groups[p.span] {
		if !p.held[set][g] {
			continue
		}
		block = append(block, g)
		if sum.add(p.n[set][g]); sum.fine(p.least) {
			blocks = append(blocks, block)
			block, sum = nil, heldSum{}
		}
	}
	if len(block) > 0 {
		if len(blocks) == 0 {
			return [][]int32{block}
		}
		last := len(blocks) - 1
		blocks[last] = append(blocks[last], block...)
	}
	return blocks
}

// answer tells of the groups of the question whether they are withheld, as it does of
// those of coarser questions with the same filters: because these take a part of a block,
// or what is withheld of a line can be added up from parts of it.
func (p *pass) answer() []bool {
	held := make([][]bool, 1<<p.dims)
	for set := range held {
		parts := p.levels[set|p.hiddenSet()]
		class := func(g int32) int64 { return p.cells[parts.first[g]].class }
		l := p.levels[set]
		held[set] = make([]bool, len(l.first))
		sums := make([]map[int64]*heldSum, len(l.first)) // of what is withheld, by class
		for _, g := range p.taken[set|p.hiddenSet()] {
			at := l.of[parts.first[g]]
			if sums[at] == nil {
				sums[at] = map[int64]*heldSum{}
			}
			c := class(g)
			if sums[at][c] == nil {
				sums[at][c] = &heldSum{}
			}
			sums[at][c].add(p.n[set|p.hiddenSet()][g])
		}
		for at, byClass := range sums {
			for _, sum := range byClass {
				held[set][at] = held[set][at] || !sum.fine(p.least)
			}
		}
		for i := range parts.lines {
			line := &parts.lines[i]
			if line.along < p.dims {
				continue
			}
			for _, block := range p.blocks(set|p.hiddenSet(), line) {
				if slices.ContainsFunc(block, func(g int32) bool { return class(g) != class(block[0]) }) {
					held[set][l.of[parts.first[block[0]]]] = true
				}
			}
		}
		if set > 0 {
			for i := range p.dims {
				if coarser := set &^ (1 << i); coarser != set {
					for g, first := range l.first {
						held[set][g] = held[set][g] || held[coarser][p.levels[coarser].of[first]]
					}
				}
			}
			p.protectSums(l, held[set], sums)
		}
	}
	return held[len(held)-1]
}

// protectSums is protect for groups of which parts are withheld.
func (p *pass) protectSums(l *heldLevel, held []bool, sums []map[int64]*heldSum) {
	queue := make([]int32, len(l.lines))
	for i := range queue {
		queue[i] = int32(i)
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		whole := map[int64]*heldSum{}
		add := func(g int32) {
			for c, sum := range sums[g] {
				if whole[c] == nil {
					whole[c] = &heldSum{}
				}
				whole[c].add(sum.n)
			}
		}
		fine := func() bool {
			for _, sum := range whole {
				if !sum.fine(p.least) {
					return false
				}
			}
			return true
		}
		for _, g := range l.lines[at].groups[p.span] {
			if held[g] {
				add(g)
			}
		}
		for _, g := range l.lines[at].groups[p.span] {
			if fine() {
				break
			}
			if held[g] || len(sums[g]) == 0 {
				continue
			}
			held[g] = true
			add(g)
			queue = append(queue, l.line[g]...)
		}
	}
}
