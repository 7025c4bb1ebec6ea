package warehouse

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// withholding decides which groups of an answer are withheld: those that are small,
// and with them as many others as it takes for nobody to find them by subtraction
// (complementary suppression).
//
// It looks at the groups by the dimensions of a question and by the columns of which its
// filters name values, and at those by some of them, which coarser questions ask for.
// A group is small where one of its numbers is at least 1 and less than least. Within a
// line, which are the groups that a coarser question adds up, what is withheld is nothing,
// or at least two groups with rows of which no number together is small, or all; what they
// are made of is withheld as well. Those of a line that filters choose from are put into
// blocks of as many, and a filter has to take all of a block or nothing.
type withholding struct {
	least        int64
	dims, hidden int       // of the question, and of its filters
	marks        [][]digit // by span
	cells        []*groupCells
	levels       []*heldLevel // by the set of dimensions
}

// digit is what a code says of a condition.
type digit struct {
	weight, states int64
	values         bool // a filter that names values of a column
}

// cellKey tells the cells of a group apart: the span that is asked for, and a code of the
// conditions that hold.
type cellKey struct{ span, code int64 }

// groupCells is a group by all dimensions.
type groupCells struct {
	at    []int32 // which value it has of each dimension
	rows  int64   // whatever conditions they meet
	class int64   // which filters by values it passes
	keys  []cellKey
	cells [][]int64
}

// heldLevel are the groups by a set of dimensions.
type heldLevel struct {
	groups []*heldGroup
	of     []int32 // which of them each of withholding.cells is in
	lines  []*heldLine
}

// heldGroup is a group of an answer, or of a coarser one.
type heldGroup struct {
	first  int // of withholding.cells
	rows   int64
	sums   []codeSum // by code
	held   bool
	lines  []*heldLine
	blocks []*heldBlock // of the lines along hidden dimensions
}

// codeSum adds up the numbers of cells with a code.
type codeSum struct {
	code    int32
	numbers []int64
}

// heldLine are the groups that one of a coarser question is made of, the smallest first.
type heldLine struct {
	along  int // dimension
	groups []*heldGroup
	queued bool
}

// heldBlock are groups of a line of which filters take all or none.
type heldBlock struct {
	along  int
	groups []*heldGroup
}

func newWithholding(least int64, dims, hidden int, marks [][]digit) *withholding {
	return &withholding{least: least, dims: dims, hidden: hidden, marks: marks}
}

func (w *withholding) small(n int64) bool { return n > 0 && n < w.least }

// add adds a cell of a group: its numbers, of which the first are its rows.
func (w *withholding) add(group int, at []int32, key cellKey, numbers []int64) {
	for len(w.cells) <= group {
		w.cells = append(w.cells, &groupCells{})
	}
	g := w.cells[group]
	g.at = at
	g.rows += numbers[0]
	g.class = w.part(key, func(d digit) bool { return d.values })
	g.keys, g.cells = append(g.keys, key), append(g.cells, numbers)
}

// part is a code without the conditions that are not kept.
func (w *withholding) part(key cellKey, keep func(digit) bool) (code int64) {
	for _, d := range w.marks[key.span] {
		if keep(d) {
			code += key.code / d.weight % d.states * d.weight
		}
	}
	return code
}

// decide tells of each group whether it is left out of those that are shown: because it
// is withheld, or because another one of the same group of the question is there.
func (w *withholding) decide() []bool {
	n := w.dims + w.hidden
	w.levels = make([]*heldLevel, 1<<n)
	for set := range w.levels {
		w.levels[set] = w.level(set)
		w.levels[set].lines = w.lines(w.levels[set].groups, set)
	}
	// What a question without the conditions withholds is withheld of one with them.
	for _, keep := range []func(digit) bool{
		func(digit) bool { return false },
		func(d digit) bool { return !d.values },
		func(digit) bool { return true },
	} {
		w.count(keep)
		for set := 1; set < len(w.levels); set++ { // all parts of a set come before it
			w.inherit(w.levels, set, n)
			w.protect(w.levels[set].lines)
		}
		if w.hidden > 0 {
			for set, l := range w.levels {
				if set&w.hiddenSet() == w.hiddenSet() {
					w.block(l.lines)
				}
			}
		}
	}
	answer := w.levels
	if w.hidden > 0 {
		answer = w.answer()
	}
	whole := 1<<w.dims - 1
	out := make([]bool, len(w.cells))
	for i := range out {
		g := answer[whole].groups[w.levels[whole].of[i]]
		out[i] = g.held || g.first != i
	}
	return out
}

// hiddenSet are the dimensions that the filters choose from.
func (w *withholding) hiddenSet() int { return (1<<w.hidden - 1) << w.dims }

// level are the groups by a set of dimensions.
func (w *withholding) level(set int) *heldLevel {
	l := &heldLevel{of: make([]int32, len(w.cells))}
	index := map[string]int32{}
	var key []byte
	for i, g := range w.cells {
		key = key[:0]
		for d, v := range g.at {
			if set&(1<<d) != 0 {
				key = binary.BigEndian.AppendUint32(key, uint32(v))
			}
		}
		at, is := index[string(key)]
		if !is {
			at = int32(len(l.groups))
			index[string(key)] = at
			l.groups = append(l.groups, &heldGroup{first: i})
		}
		l.of[i] = at
		l.groups[at].rows += g.rows
	}
	return l
}

// count adds up the numbers of all groups by a choice of conditions, and finds those
// that are small.
func (w *withholding) count(keep func(digit) bool) {
	codes := map[cellKey]int32{}
	sums := make([][]codeSum, len(w.cells))
	for i, g := range w.cells {
		for j, key := range g.keys {
			key.code = w.part(key, keep)
			code, is := codes[key]
			if !is {
				code = int32(len(codes))
				codes[key] = code
			}
			sums[i] = addCode(sums[i], code, g.cells[j])
		}
	}
	for _, l := range w.levels {
		for _, g := range l.groups {
			g.sums = nil
		}
		for i := range w.cells {
			g := l.groups[l.of[i]]
			for _, s := range sums[i] {
				g.sums = addCode(g.sums, s.code, s.numbers)
			}
		}
		for _, g := range l.groups {
			for _, s := range g.sums {
				g.held = g.held || slices.ContainsFunc(s.numbers, w.small)
			}
		}
	}
}

// addCode adds the numbers of a code to some, which are in the order of codes.
func addCode(sums []codeSum, code int32, numbers []int64) []codeSum {
	at, is := slices.BinarySearchFunc(sums, code, func(s codeSum, code int32) int { return cmp.Compare(s.code, code) })
	if !is {
		return slices.Insert(sums, at, codeSum{code, slices.Clone(numbers)})
	}
	for i, n := range numbers {
		sums[at].numbers[i] += n
	}
	return sums
}

// inherit withholds what a group that is withheld of a coarser question is made of.
func (w *withholding) inherit(levels []*heldLevel, set, dims int) {
	for i := range dims {
		coarser := set &^ (1 << i)
		if coarser == set || coarser == 0 {
			continue
		}
		for _, g := range levels[set].groups {
			g.held = g.held || levels[coarser].groups[w.levels[coarser].of[g.first]].held
		}
	}
}

// lines are the lines of groups by a set of dimensions, along each of these.
func (w *withholding) lines(groups []*heldGroup, set int) []*heldLine {
	groups = slices.SortedFunc(slices.Values(groups), func(a, b *heldGroup) int {
		return cmp.Or(cmp.Compare(a.rows, b.rows), slices.Compare(w.cells[a.first].at, w.cells[b.first].at))
	})
	var list []*heldLine
	for i := range w.dims + w.hidden {
		if set&(1<<i) == 0 {
			continue
		}
		coarser := w.levels[set&^(1<<i)]
		of := make([]*heldLine, len(coarser.groups))
		for _, g := range groups {
			at := coarser.of[g.first]
			if of[at] == nil {
				of[at] = &heldLine{along: i}
				list = append(list, of[at])
			}
			of[at].groups = append(of[at].groups, g)
			g.lines = append(g.lines, of[at])
		}
	}
	return list
}

// protect withholds more groups, until each of all lines is fine.
func (w *withholding) protect(lines []*heldLine) {
	queue := slices.Clone(lines)
	for _, l := range lines {
		l.queued = true
	}
	for len(queue) > 0 {
		l := queue[0]
		queue = queue[1:]
		l.queued = false
		for _, g := range w.complete(l) {
			g.held = true
			for _, other := range g.lines {
				if other != l && !other.queued {
					other.queued = true
					queue = append(queue, other)
				}
			}
		}
	}
}

// complete are the groups of a line that have to go along with those withheld: the
// smallest, so that every question chooses the same.
func (w *withholding) complete(l *heldLine) []*heldGroup {
	sum := lineSum{w: w}
	for _, g := range l.groups {
		if g.held {
			sum.add(g)
		}
	}
	var more []*heldGroup
	for _, g := range l.groups {
		if sum.fine() {
			break
		}
		if !g.held {
			sum.add(g)
			more = append(more, g)
		}
	}
	return more
}

// lineSum adds up what is withheld of a line.
type lineSum struct {
	w             *withholding
	sums          []codeSum
	groups        []int // with rows, by code
	single, small int   // codes with one group, and numbers that are small
}

func (s *lineSum) add(g *heldGroup) {
	for _, c := range g.sums {
		if c.numbers[0] == 0 {
			continue
		}
		for len(s.groups) <= int(c.code) {
			s.groups = append(s.groups, 0)
		}
		switch s.groups[c.code]++; s.groups[c.code] {
		case 1:
			s.single++
		case 2:
			s.single--
		}
		s.small -= s.smalls(c.code)
		s.sums = addCode(s.sums, c.code, c.numbers)
		s.small += s.smalls(c.code)
	}
}

// smalls is how many numbers of a code are small.
func (s *lineSum) smalls(code int32) (n int) {
	at, is := slices.BinarySearchFunc(s.sums, code, func(s codeSum, code int32) int { return cmp.Compare(s.code, code) })
	if is {
		for _, x := range s.sums[at].numbers {
			if s.w.small(x) {
				n++
			}
		}
	}
	return n
}

func (s *lineSum) fine() bool { return s.single == 0 && s.small == 0 }

// block puts the groups of lines that are withheld, and are in no block yet, into blocks.
func (w *withholding) block(lines []*heldLine) {
	for _, l := range lines {
		if l.along < w.dims {
			continue
		}
		var last *heldBlock
		var some []*heldGroup
		sum := lineSum{w: w}
		put := func() {
			for _, g := range some {
				g.blocks = append(g.blocks, last)
			}
			last.groups = append(last.groups, some...)
			some, sum = nil, lineSum{w: w}
		}
		for _, g := range l.groups {
			at := slices.IndexFunc(g.blocks, func(b *heldBlock) bool { return b.along == l.along })
			switch {
			case at >= 0:
				last = g.blocks[at]
				continue
			case !g.held:
				continue
			}
			some = append(some, g)
			if sum.add(g); sum.fine() {
				last = &heldBlock{along: l.along}
				put()
			}
		}
		if last == nil {
			last = &heldBlock{along: l.along}
		}
		put()
	}
}

// answer are the groups of the question and those of coarser ones with the same filters.
// What is added up of them is what is withheld of their parts.
func (w *withholding) answer() []*heldLevel {
	levels := make([]*heldLevel, 1<<w.dims)
	for set := range levels {
		of := w.levels[set].of
		level := &heldLevel{groups: make([]*heldGroup, len(w.levels[set].groups))}
		sums := make([]lineSum, len(level.groups))
		for i, whole := range w.levels[set].groups {
			level.groups[i] = &heldGroup{first: whole.first, rows: whole.rows}
			sums[i].w = w
		}
		for _, part := range w.levels[set|w.hiddenSet()].groups {
			if !part.held {
				continue
			}
			at := of[part.first]
			sums[at].add(part)
			g := level.groups[at]
			for _, b := range part.blocks {
				g.held = g.held || slices.ContainsFunc(b.groups, func(o *heldGroup) bool { return w.cells[o.first].class != w.cells[part.first].class })
			}
		}
		for i, g := range level.groups {
			g.sums = sums[i].sums
			g.held = g.held || !sums[i].fine()
		}
		levels[set] = level
		if set > 0 {
			w.inherit(levels, set, w.dims)
			for _, g := range level.groups {
				g.held = g.held || levels[0].groups[0].held
			}
			w.protect(w.lines(level.groups, set))
		}
	}
	return levels
}
