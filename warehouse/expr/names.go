package expr

import "strings"

// Names are the columns that a text names, each once, in order. A text that
// can't be read names none.
func Names(text string) []string {
	n, err := Parse(text)
	if err != nil {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		if n.Op == "column" && !seen[n.Text] {
			seen[n.Text] = true
			names = append(names, n.Text)
		}
		for _, a := range n.Args {
			visit(a)
		}
		if n.Where != nil {
			visit(n.Where)
		}
	}
	visit(n)
	return names
}

// Rename writes the current names of columns into a text, by their former
// names. All else stays as it is written.
func Rename(text string, current map[string]string) string {
	if len(current) == 0 {
		return text
	}
	tokens, err := lex(text)
	if err != nil {
		return text
	}
	var b strings.Builder
	at := 0
	for i, t := range tokens {
		now, ok := current[t.text]
		isName := t.kind == tokenColumn || t.kind == tokenName && !tokens[i+1].sign("(") && !reserved(t.text)
		if ok && isName && now != t.text {
			b.WriteString(text[at:t.start])
			b.WriteString(Quote(now))
			at = t.end
		}
	}
	return b.String() + text[at:]
}

// reserved tells whether a bare word can't be a column.
func reserved(word string) bool {
	switch word = strings.ToLower(word); word {
	case "true", "false", "null", "case":
		return true
	}
	return keywords[word]
}

// Quote writes a column's name as an expression has it.
func Quote(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }
