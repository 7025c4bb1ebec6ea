package dashboards

import (
	"errors"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/charts"
)

// State is what a viewer chose: range, comparison, filters, marks, and how
// tables are sorted. All of it lives in the query of the URL, so that Back
// undoes a choice and a link shares the view. docs/dashboard-links.md is its
// description; Encode and ParseState are its two halves.
type State struct {
	Range   *Range                   // nil: the dashboard's own
	Compare string                   // "": the dashboard's own
	Picks   map[string][]string      // values by filter id or column; charts.Null for empty
	Cross   map[string][]charts.Mark // marks by the widget they were made in
	Sort    map[string]string        // column by table, "-" before it for descending
	Page    map[string]int           // by table, from 1
	Exact   []string                 // widgets that must not answer from a sample, sorted
	Tab     string                   // the open tab; "" for the first, AllTabs for all
	Toggled []string                 // sections that are not as they begin: open or closed; sorted
	Levels  map[string][]string      // values drilled down to, by widget, the coarsest first
	From    *Origin                  // the dashboard that the viewer came from; nil for none
}

// Limits of a link.
const (
	maxStateValues = 500
	// maxCombinations bounds what marks over several dimensions select.
	maxCombinations = 5000
	maxStateBytes   = 32 << 10
	maxStateParams  = 500
)

// Parameters of a link, beside "<letter>.<id>".
const (
	paramRange   = "d"
	paramFrom    = "d.from"
	paramTo      = "d.to"
	paramIs      = "d.is"
	paramDays    = "d.days"
	paramCompare = "c"
	paramExact   = "e"
	paramTab     = "t"
	paramToggled = "o"
)

// ParseState reads the query of a URL. Parameters that are not of a dashboard
// are left alone.
//
// Errors: dashboards.filters_invalid.
func ParseState(query url.Values) (State, error) {
	var s State
	total := 0
	for name, values := range query {
		for _, v := range values {
			total += len(name) + len(v)
		}
	}
	if total > maxStateBytes || len(query) > maxStateParams {
		return State{}, ErrFilters.With("The link holds more filters than fit into one. Reset the filters.")
	}
	if text := rangeOf(query); text != "" {
		r, err := ParseRange(text)
		if err != nil {
			return State{}, ErrFilters.With("The link's date range can't be read. Reset the filters.").Wrap(err)
		}
		s.Range = &r
	}
	switch c := query.Get(paramCompare); c {
	case "", ComparePrevious, CompareYear, CompareNone:
		s.Compare = c
	default:
		return State{}, ErrFilters.With("The link's comparison can't be read. Reset the filters.")
	}
	for name, values := range query {
		letter, id, ok := strings.Cut(name, ".")
		if !ok || id == "" || letter == paramRange {
			continue
		}
		if err := s.parse(letter, id, values); err != nil {
			return State{}, err
		}
	}
	if err := s.parseTyped(query); err != nil {
		return State{}, err
	}
	if text := query.Get(paramFromBoard); text != "" {
		s.From = parseOrigin(text)
	}
	s.Exact, s.Toggled = idList(query[paramExact]), idList(query[paramToggled])
	if tab := query.Get(paramTab); tab == AllTabs || idPattern.MatchString(tab) {
		s.Tab = tab
	}
	return s, nil
}

// CheckLink refuses parameters that change nothing about what a widget asks: of
// filters and widgets that the dashboard does not have, half a range, and names
// of nothing. For a program an answer without them would be silently wrong;
// pages leave them out instead. The query is the one that v was opened with.
//
// Errors: dashboards.filter_not_found, dashboards.widget_not_found,
// dashboards.filters_invalid.
func (v *View) CheckLink(query url.Values) error {
	for _, name := range sortedKeys(query) {
		letter, id, dotted := strings.Cut(name, ".")
		if letter == paramRange {
			dotted = false
		}
		switch {
		case dotted && slices.Contains([]string{"f", "t", "lo", "hi"}, letter):
			if !slices.ContainsFunc(v.Controls, func(c ControlView) bool { return c.ID == id && !c.Gone }) {
				return ErrControlNotFound.With("The dashboard has no filter and no column %q.", id)
			}
		case dotted && slices.Contains([]string{"x", "l", "s", "p"}, letter):
			p, there := v.Plan(id)
			if !there {
				return ErrWidgetNotFound.With("The dashboard has no widget %q.", id)
			}
			by := strings.TrimPrefix(query.Get(name), "-")
			if letter == "s" && !slices.Contains(p.columns(), by) {
				return ErrFilters.With("Widget %q has no column %q to sort by.", id, by)
			}
		case name == paramFromBoard && parseOrigin(query.Get(name)) == nil:
			return ErrControlNotFound.With("%q is the dashboard that somebody came from. A range of days is “d.from” and “d.to”.", name)
		case dotted || !slices.Contains([]string{paramRange, paramFrom, paramTo, paramIs, paramDays, paramCompare, paramExact, paramTab, paramToggled, paramFromBoard, "at"}, name):
			return ErrControlNotFound.With("There is no parameter %q. A filter is “f.” and its id or the name of a column.", name)
		}
	}
	days, named := (query.Get(paramFrom) != "") && (query.Get(paramTo) != ""), query.Get(paramRange) != ""
	if halves := query.Has(paramFrom) || query.Has(paramTo) || query.Has(paramIs) || query.Has(paramDays); halves && days == named {
		return ErrFilters.With("A range of days has both “d.from” and “d.to”, and no “d” beside them.")
	}
	return nil
}

// idList reads ids separated by commas: sorted, each once.
func idList(lists []string) []string {
	var found []string
	for _, list := range lists {
		for id := range strings.SplitSeq(list, ",") {
			if len(found) < maxStateValues && idPattern.MatchString(id) && !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
	}
	sort.Strings(found)
	return found
}

// rangeOf reads the range of a link or of the filter bar's form. The form sends
// its two date fields with every change, so it also says what they were
// (d.days) and what range that was (d.is): unchanged fields leave it.
func rangeOf(query url.Values) string {
	from, to := query.Get(paramFrom), query.Get(paramTo)
	if query.Get(paramRange) != "" || from == "" || to == "" {
		return query.Get(paramRange)
	}
	if days := from + "~" + to; days != query.Get(paramDays) {
		return days
	}
	return query.Get(paramIs)
}

func (s *State) parse(letter, id string, values []string) error {
	switch letter {
	case "f":
		for _, list := range values {
			for word := range strings.SplitSeq(list, ",") {
				value, err := charts.UnescapeValue(word)
				if err != nil {
					return ErrFilters.Wrap(err)
				}
				// A form without a choice sends one empty field: it takes the
				// filter's own choice off.
				if list == "" {
					s.pick(id, s.Picks[id])
					continue
				}
				if slices.Contains(s.Picks[id], value) {
					continue
				}
				if len(s.Picks[id]) == maxStateValues {
					return ErrFilters.With("A filter takes at most %d values.", maxStateValues)
				}
				s.pick(id, append(s.Picks[id], value))
			}
		}
	case "x":
		if !idPattern.MatchString(id) {
			return nil
		}
		for _, list := range values {
			if list == "" {
				continue
			}
			for word := range strings.SplitSeq(list, ",") {
				mark, err := charts.ParseMark(word)
				if err != nil {
					return ErrFilters.Wrap(err)
				}
				if slices.ContainsFunc(s.Cross[id], func(m charts.Mark) bool { return slices.Equal(m, mark) }) {
					continue
				}
				if len(s.Cross[id]) == maxStateValues {
					return ErrFilters.With("At most %d marks can be selected.", maxStateValues)
				}
				s.cross(id, append(s.Cross[id], mark))
			}
		}
	case "s":
		if text := values[0]; text != "" && text != "-" && idPattern.MatchString(id) {
			if s.Sort == nil {
				s.Sort = map[string]string{}
			}
			s.Sort[id] = text
		}
	case "l":
		return s.parseLevels(id, values)
	case "p":
		n, err := strconv.Atoi(values[0])
		if errors.Is(err, strconv.ErrRange) && n > 0 {
			err = nil
		}
		if err != nil || n < 1 {
			return ErrFilters.With("The link's page number can't be read.")
		}
		n = min(n, 1e7)
		if n > 1 && idPattern.MatchString(id) {
			if s.Page == nil {
				s.Page = map[string]int{}
			}
			s.Page[id] = n
		}
	}
	return nil
}

func (s *State) pick(id string, values []string) {
	if s.Picks == nil {
		s.Picks = map[string][]string{}
	}
	s.Picks[id] = values
}

func (s *State) cross(widget string, marks []charts.Mark) {
	if s.Cross == nil {
		s.Cross = map[string][]charts.Mark{}
	}
	s.Cross[widget] = marks
}

// Encode is the query of the URL, in one canonical order; equal states give
// equal texts. Values keep the order in which they were chosen.
func (s State) Encode() string {
	var b strings.Builder
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escapeQuery(name))
		b.WriteByte('=')
		b.WriteString(escapeQuery(value))
	}
	if s.Range != nil {
		add(paramRange, s.Range.String())
	}
	if s.Compare != "" {
		add(paramCompare, s.Compare)
	}
	for _, id := range sortedKeys(s.Picks) {
		add("f."+id, pickWords(s.Picks[id]))
	}
	for _, id := range sortedKeys(s.Cross) {
		if len(s.Cross[id]) > 0 {
			add("x."+id, markWords(s.Cross[id]))
		}
	}
	for _, id := range sortedKeys(s.Levels) {
		add("l."+id, pickWords(s.Levels[id]))
	}
	for _, id := range sortedKeys(s.Sort) {
		add("s."+id, s.Sort[id])
	}
	for _, id := range sortedKeys(s.Page) {
		add("p."+id, strconv.Itoa(s.Page[id]))
	}
	if len(s.Exact) > 0 {
		add(paramExact, strings.Join(s.Exact, ","))
	}
	if s.Tab != "" {
		add(paramTab, s.Tab)
	}
	if len(s.Toggled) > 0 {
		add(paramToggled, strings.Join(s.Toggled, ","))
	}
	if s.From != nil {
		add(paramFromBoard, s.From.String())
	}
	return b.String()
}

func pickWords(values []string) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = charts.EscapeValue(v)
	}
	// One empty text alone would read as no choice: "," is two of them.
	if len(words) == 1 && words[0] == "" {
		return ","
	}
	return strings.Join(words, ",")
}

func markWords(marks []charts.Mark) string {
	words := make([]string, len(marks))
	for i, m := range marks {
		words[i] = m.Word()
	}
	if len(words) == 1 && words[0] == "" {
		return ","
	}
	return strings.Join(words, ",")
}

// escapeQuery leaves as they are all that a query may hold, so that links stay
// short and readable.
func escapeQuery(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~,:*/@!()", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// The With… and Without… methods give a changed copy; s stays as it is. A
// change of a filter takes tables back to their first page.

func (s State) clone() State {
	c := s
	c.Picks = cloneMap(s.Picks)
	c.Cross = cloneMap(s.Cross)
	c.Sort = cloneMap(s.Sort)
	c.Page = cloneMap(s.Page)
	c.Exact, c.Toggled = slices.Clone(s.Exact), slices.Clone(s.Toggled)
	c.Levels = cloneMap(s.Levels)
	return c
}

func cloneMap[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	c := make(map[string]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// WithCompare chooses a comparison.
func (s State) WithCompare(compare string) State {
	c := s.clone()
	c.Compare = compare
	return c
}

// WithPick chooses the values of one filter; none takes it off.
func (s State) WithPick(id string, values []string) State {
	c := s.clone()
	delete(c.Picks, id)
	if len(values) > 0 {
		c.pick(id, values)
	}
	c.Page = nil
	return c
}

// WithoutCross takes all marks off.
func (s State) WithoutCross() State {
	c := s.clone()
	c.Cross, c.Page = nil, nil
	return c
}

// WithoutCrossOf takes the marks of one widget off.
func (s State) WithoutCrossOf(widget string) State {
	c := s.clone()
	delete(c.Cross, widget)
	c.Page = nil
	return c
}

// IsZero tells whether nothing was chosen, whatever place of the dashboard is open.
func (s State) IsZero() bool {
	return s.Range == nil && s.Compare == "" && len(s.Picks) == 0 && len(s.Cross) == 0 &&
		len(s.Sort) == 0 && len(s.Page) == 0 && len(s.Exact) == 0 && len(s.Levels) == 0
}
