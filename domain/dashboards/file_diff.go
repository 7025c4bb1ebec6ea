package dashboards

import "strings"

// DiffLine is one line of the difference of two files.
type DiffLine struct {
	// Kind is '-' for a line that goes, '+' for one that comes, ' ' for one that
	// stays, '@' for a gap.
	Kind byte
	Text string
}

// diffContext is how many lines that stay are shown around a change.
const diffContext = 3

// maxDiffCells bounds the table of the comparison: beyond it all lines between
// the common ends go and come.
const maxDiffCells = 16 << 20

func splitLines(text []byte) []string {
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// diffLines is the shortest difference, with a little of what is around it;
// none for equal texts.
func diffLines(a, b []string) []DiffLine {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	if start == len(a) && start == len(b) {
		return nil
	}
	var all []DiffLine
	add := func(kind byte, lines ...string) {
		for _, line := range lines {
			all = append(all, DiffLine{kind, line})
		}
	}
	add(' ', a[:start]...)
	middle(a[start:len(a)-end], b[start:len(b)-end], add)
	add(' ', a[len(a)-end:]...)
	return around(all)
}

// middle compares by the longest common subsequence.
func middle(a, b []string, add func(byte, ...string)) {
	if len(a)*len(b) > maxDiffCells {
		add('-', a...)
		add('+', b...)
		return
	}
	// longest[i][j] is that of a[i:] and b[j:].
	longest := make([][]int32, len(a)+1)
	for i := range longest {
		longest[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			add(' ', a[i])
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			add('-', a[i])
			i++
		default:
			add('+', b[j])
			j++
		}
	}
	add('-', a[i:]...)
	add('+', b[j:]...)
}

// around leaves out what is far from any change.
func around(all []DiffLine) []DiffLine {
	near := make([]bool, len(all))
	for i, line := range all {
		if line.Kind == ' ' {
			continue
		}
		for k := max(0, i-diffContext); k <= min(len(all)-1, i+diffContext); k++ {
			near[k] = true
		}
	}
	var out []DiffLine
	for i, line := range all {
		switch {
		case near[i]:
			out = append(out, line)
		case i == 0 || near[i-1]:
			out = append(out, DiffLine{Kind: '@'})
		}
	}
	return out
}
