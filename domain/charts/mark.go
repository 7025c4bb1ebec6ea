package charts

import (
	"errors"
	"strings"
)

// A mark travels as one word: the values of its dimensions joined by "*",
// each escaped. Lists of words are joined by ",". No escaped value holds
// either, so a list is taken apart without knowing what is in it.
//
//	~~ is "~"   ~c is ","   ~s is "*"   ~0 is null (no value)
//
// An empty text is the empty word, so "~0" and "" differ.
var escaper = strings.NewReplacer("~", "~~", ",", "~c", "*", "~s", Null, "~0")

// ErrMark is returned for a word that Word can't have written.
var ErrMark = errors.New("not a mark")

// EscapeValue writes one value as a word.
func EscapeValue(value string) string { return escaper.Replace(value) }

// UnescapeValue reads a word written by EscapeValue.
func UnescapeValue(word string) (string, error) {
	if strings.ContainsAny(word, ",*") {
		return "", ErrMark
	}
	if !strings.Contains(word, "~") {
		if strings.Contains(word, Null) {
			return "", ErrMark
		}
		return word, nil
	}
	if word == "~0" {
		return Null, nil
	}
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '~' {
			if word[i] == 0 {
				return "", ErrMark
			}
			b.WriteByte(word[i])
			continue
		}
		i++
		if i == len(word) {
			return "", ErrMark
		}
		switch word[i] {
		case '~':
			b.WriteByte('~')
		case 'c':
			b.WriteByte(',')
		case 's':
			b.WriteByte('*')
		default:
			return "", ErrMark
		}
	}
	return b.String(), nil
}

// Word is the mark as one word.
func (m Mark) Word() string {
	words := make([]string, len(m))
	for i, value := range m {
		words[i] = EscapeValue(value)
	}
	return strings.Join(words, "*")
}

// ParseMark reads a word written by Mark.Word.
func ParseMark(word string) (Mark, error) {
	parts := strings.Split(word, "*")
	mark := make(Mark, len(parts))
	for i, part := range parts {
		value, err := UnescapeValue(part)
		if err != nil {
			return nil, err
		}
		mark[i] = value
	}
	return mark, nil
}

// SelectColumns are the result columns whose values a mark has, in its order:
// those of the config, or the type's own. dims are the query's dimensions by
// their result columns. It is empty where nothing can be selected.
func SelectColumns(c Config, dims []string) []string {
	if len(c.Encode.Select) > 0 {
		if c.Encode.Select[0] == "-" {
			return nil
		}
		return c.Encode.Select
	}
	nth := func(name string, n int) []string {
		if name != "" {
			return []string{name}
		}
		if n < len(dims) {
			return []string{dims[n]}
		}
		return nil
	}
	if c.Encode.Facet != "" {
		return []string{c.Encode.Facet}
	}
	switch c.Type {
	case Bar:
		if len(dims) > 1 {
			return nth(c.Encode.Series, 1)
		}
		return nth(c.Encode.X, 0)
	case Donut, Combo, Histogram, Box, Funnel, Waterfall, Calendar, WordList:
		return nth(c.Encode.X, 0)
	case Treemap, Sunburst:
		return nth("", 0)
	case StackedBar:
		return nth(c.Encode.Series, 1)
	case Radar:
		if len(dims) > 1 {
			return nth(c.Encode.Series, 1)
		}
		return nth(c.Encode.X, 0)
	case Sankey:
		if len(dims) == 2 {
			return dims
		}
	case Scatter, Bubble:
		return nth(c.Encode.Label, 0)
	case Pivot:
		rows, _ := PivotSides(c.Encode, dims)
		return rows[:min(len(rows), 1)]
	case Heatmap:
		return append(nth(c.Encode.Y, 0), nth(c.Encode.X, 1)...)
	case Map:
		if c.Encode.Layer == LayerAreas {
			return nth(c.Encode.Area, 0)
		}
		if c.Encode.Layer == LayerHeat || c.Encode.Layer == LayerLines {
			return nil
		}
		if c.Encode.Label != "" {
			return []string{c.Encode.Label}
		}
		for _, d := range dims {
			if d != c.Encode.Lat && d != c.Encode.Lon {
				return []string{d}
			}
		}
	case Table:
		if len(c.Encode.Columns) == 0 {
			return nth("", 0)
		}
		for _, d := range dims {
			if d == c.Encode.Columns[0].Column {
				return []string{d}
			}
		}
	}
	return nil
}
