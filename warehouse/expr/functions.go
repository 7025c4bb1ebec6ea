package expr

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// function says how a function is called. The list is closed: none of them
// can lengthen a text without bound or look for a pattern by backtracking.
type function struct {
	least, most int // arguments; most < 0: any number
	check       func(c *checker, n *Node, args []*Tree) (*Tree, error)
}

// FunctionNames are all functions, in order.
func FunctionNames() []string {
	functions := functionTable()
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// functionTable is no variable: it refers to the checker, which asks it.
func functionTable() map[string]function {
	return map[string]function{
		"if": {3, 3, (*checker).ifCall}, "coalesce": {1, -1, (*checker).alike}, "least": {1, -1, (*checker).alike},
		"greatest": {1, -1, (*checker).alike}, "nullif": {2, 2, (*checker).nullif},

		"abs": {1, 1, (*checker).sameNumber}, "floor": {1, 1, (*checker).whole}, "ceil": {1, 1, (*checker).whole},
		"round": {1, 2, (*checker).round}, "sqrt": {1, 1, (*checker).float}, "ln": {1, 1, (*checker).float},
		"log10": {1, 1, (*checker).float}, "exp": {1, 1, (*checker).float}, "power": {2, 2, (*checker).float},

		"lower": {1, 1, (*checker).textCall}, "upper": {1, 1, (*checker).textCall}, "trim": {1, 1, (*checker).textCall},
		"length": {1, 1, (*checker).length}, "left": {2, 2, (*checker).cut}, "right": {2, 2, (*checker).cut},
		"substring": {2, 3, (*checker).cut}, "replace": {3, 3, (*checker).replace}, "concat": {1, -1, (*checker).concat},
		"contains": {2, 2, (*checker).search}, "starts_with": {2, 2, (*checker).search}, "ends_with": {2, 2, (*checker).search},

		"year": {1, 1, (*checker).datePart}, "quarter": {1, 1, (*checker).datePart}, "month": {1, 1, (*checker).datePart},
		"week": {1, 1, (*checker).datePart}, "day": {1, 1, (*checker).datePart}, "weekday": {1, 1, (*checker).datePart},
		"hour": {1, 1, (*checker).datePart}, "minute": {1, 1, (*checker).datePart},
		"date": {1, 1, (*checker).dateOf}, "date_trunc": {2, 2, (*checker).dateTrunc}, "date_add": {3, 3, (*checker).dateAdd},
		"date_diff": {3, 3, (*checker).dateDiff},

		"sum": {1, 1, (*checker).aggregate}, "avg": {1, 1, (*checker).aggregate}, "min": {1, 1, (*checker).aggregate},
		"max": {1, 1, (*checker).aggregate}, "count": {0, 1, (*checker).aggregate}, "count_distinct": {1, 1, (*checker).aggregate},
		"median": {1, 1, (*checker).aggregate}, "percentile": {2, 2, (*checker).aggregate},
	}
}

func (c *checker) call(n *Node) (*Tree, error) {
	f, ok := functionTable()[n.Text]
	if !ok {
		hint := ""
		if c.scope.Suggest != nil {
			hint = c.scope.Suggest(n.Text, FunctionNames())
		}
		return nil, problem(ErrUnknownFunction, c.text, n.Start, n.Start+len(n.Text), "There is no function %q.%s", clip(n.Text), hint)
	}
	if k := len(n.Args); k < f.least || f.most >= 0 && k > f.most {
		return nil, c.fail(ErrArguments, n, "%s takes %s, not %d.", n.Text, countWords(f.least, f.most), k)
	}
	if aggregates[n.Text] {
		return c.aggregateCall(n, f)
	}
	if n.Where != nil {
		return nil, c.fail(ErrArguments, n.Where, "Only aggregates such as sum and count take “where”.")
	}
	args, err := c.trees(n.Args)
	if err != nil {
		return nil, err
	}
	return f.check(c, n, args)
}

func countWords(least, most int) string {
	words := []string{"no arguments", "one argument", "two arguments", "three arguments"}
	switch {
	case least == most:
		return words[least]
	case most < 0:
		return "at least " + words[least]
	}
	return strings.Fields(words[least])[0] + " or " + words[most]
}

// aggregateCall checks what stands in an aggregate, where no other may stand.
func (c *checker) aggregateCall(n *Node, f function) (*Tree, error) {
	if c.inside {
		return nil, c.fail(ErrAggregateMixed, n, "An aggregate can't stand inside another aggregate.")
	}
	c.inside = true
	defer func() { c.inside = false }()
	args, err := c.trees(n.Args)
	if err != nil {
		return nil, err
	}
	t, err := f.check(c, n, args)
	if err != nil || n.Where == nil {
		return t, err
	}
	if t.Where, err = c.tree(n.Where); err != nil {
		return nil, err
	}
	if err := c.want(n.Where, t.Where, segments.Boolean, "“where” needs a condition"); err != nil {
		return nil, err
	}
	t.Where = cast(t.Where, segments.Boolean, 0, 0)
	return t, nil
}

func (c *checker) aggregate(n *Node, args []*Tree) (*Tree, error) {
	if len(args) == 0 {
		return &Tree{Op: "rows", Type: segments.Integer}, nil
	}
	x := args[0]
	if x.Type == none {
		return nil, c.fail(ErrType, n.Args[0], "%s of null is always the same.", n.Text)
	}
	t := &Tree{Op: n.Text, Type: segments.Float, Args: args[:1]}
	switch n.Text {
	case "count", "count_distinct":
		t.Type = segments.Integer
		return t, nil
	case "min", "max":
		t.Type, t.Precision, t.Scale = x.Type, x.Precision, x.Scale
		return t, nil
	}
	if err := c.wantNumber(n.Args[0], x, n.Text); err != nil {
		return nil, err
	}
	switch n.Text {
	case "sum":
		t.Type, t.Scale = x.Type, x.Scale
		if x.Type == segments.Decimal {
			t.Precision = maxPrecision
		}
	case "percentile":
		p, ok := constantNumber(args[1])
		if !ok || p <= 0 || p >= 100 {
			return nil, c.fail(ErrType, n.Args[1], "percentile needs a number between 0 and 100, for example percentile([delay], 95).")
		}
		t.P = p / 100
	}
	return t, nil
}

func constantNumber(t *Tree) (float64, bool) {
	if t.Op != "literal" {
		return 0, false
	}
	switch t.Type {
	case segments.Integer:
		return float64(t.Value.I), true
	case segments.Float:
		return t.Value.F, true
	case segments.Decimal:
		return floatOf(t.Value.S), true
	}
	return 0, false
}

func (c *checker) ifCall(n *Node, args []*Tree) (*Tree, error) {
	if err := c.want(n.Args[0], args[0], segments.Boolean, "The first part of if is a condition"); err != nil {
		return nil, err
	}
	return c.cases(&Node{Op: "case", Args: n.Args, Start: n.Start, End: n.End}, args)
}

// alike takes values of one type and answers one of them.
func (c *checker) alike(n *Node, args []*Tree) (*Tree, error) {
	t, p, s, ok := unify(args)
	if !ok {
		return nil, c.misfit(n.Args, args, "values of one "+n.Text)
	}
	if t == none {
		return nil, c.fail(ErrType, n, "%s of null is always null.", n.Text)
	}
	if t == segments.Boolean && n.Text != "coalesce" {
		return nil, c.fail(ErrType, n, "%s does not go with true and false.", n.Text)
	}
	return &Tree{Op: n.Text, Type: t, Precision: p, Scale: s, Args: args}, nil
}

func (c *checker) nullif(n *Node, args []*Tree) (*Tree, error) {
	if args[0].Type == none || args[1].Type == none {
		return nil, c.fail(ErrType, n, "nullif compares two values, and nothing is equal to null.")
	}
	t, p, s, ok := unify(args)
	if !ok {
		return nil, c.misfit(n.Args, args, "compared")
	}
	return &Tree{Op: "nullif", Type: t, Precision: p, Scale: s, Args: args}, nil
}

// numbers checks that all arguments are numbers.
func (c *checker) numbers(n *Node, args []*Tree) error {
	for i, a := range args {
		if a.Type == none {
			return c.fail(ErrType, n.Args[i], "%s of null is always null.", n.Text)
		}
		if err := c.wantNumber(n.Args[i], a, n.Text); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) sameNumber(n *Node, args []*Tree) (*Tree, error) {
	if err := c.numbers(n, args); err != nil {
		return nil, err
	}
	return &Tree{Op: n.Text, Type: args[0].Type, Precision: args[0].Precision, Scale: args[0].Scale, Args: args}, nil
}

// whole rounds to whole numbers and keeps the kind of number.
func (c *checker) whole(n *Node, args []*Tree) (*Tree, error) {
	if err := c.numbers(n, args); err != nil {
		return nil, err
	}
	t := &Tree{Op: n.Text, Type: args[0].Type, Args: args}
	if t.Type == segments.Decimal {
		whole, _ := digitsOf(args[0])
		t.Precision = uint8(min(whole+1, maxPrecision))
	}
	return t, nil
}

func (c *checker) round(n *Node, args []*Tree) (*Tree, error) {
	if err := c.numbers(n, args); err != nil {
		return nil, err
	}
	digits := int64(0)
	if len(args) == 2 {
		d := args[1]
		if d.Op != "literal" || d.Type != segments.Integer || d.Value.I < 0 || d.Value.I > 15 {
			return nil, c.fail(ErrType, n.Args[1], "round takes 0 to 15 places, as a number that is written down.")
		}
		digits = d.Value.I
	}
	t := &Tree{Op: "round", Type: args[0].Type, Args: args[:1], Digits: []int64{digits}}
	if t.Type == segments.Decimal {
		whole, places := digitsOf(args[0])
		places = min(places, int(digits))
		t.Precision, t.Scale = uint8(min(whole+places+1, maxPrecision)), uint8(places)
	}
	return t, nil
}

func (c *checker) float(n *Node, args []*Tree) (*Tree, error) {
	if err := c.numbers(n, args); err != nil {
		return nil, err
	}
	for i := range args {
		args[i] = cast(args[i], segments.Float, 0, 0)
	}
	return &Tree{Op: n.Text, Type: segments.Float, Args: args}, nil
}

// wantTexts checks that arguments are texts.
func (c *checker) wantTexts(n *Node, args []*Tree) error {
	for i, a := range args {
		if err := c.want(n.Args[i], a, segments.Text, n.Text+" goes with texts"); err != nil {
			return err
		}
		args[i] = cast(a, segments.Text, 0, 0)
	}
	return nil
}

func (c *checker) textCall(n *Node, args []*Tree) (*Tree, error) {
	return &Tree{Op: n.Text, Type: segments.Text, Args: args}, c.wantTexts(n, args)
}

func (c *checker) length(n *Node, args []*Tree) (*Tree, error) {
	return &Tree{Op: n.Text, Type: segments.Integer, Args: args}, c.wantTexts(n, args)
}

// search looks for a text as it is: no pattern.
func (c *checker) search(n *Node, args []*Tree) (*Tree, error) {
	return &Tree{Op: n.Text, Type: segments.Boolean, Args: args}, c.wantTexts(n, args)
}

func (c *checker) cut(n *Node, args []*Tree) (*Tree, error) {
	t := &Tree{Op: n.Text, Type: segments.Text, Args: args[:1]}
	for i, d := range args[1:] {
		least := int64(0)
		if n.Text == "substring" && i == 0 {
			least = 1
		}
		if d.Op != "literal" || d.Type != segments.Integer || d.Value.I < least || d.Value.I > 1_000_000 {
			return nil, c.fail(ErrType, n.Args[i+1], "%s takes a whole number from %d on here, written down.", n.Text, least)
		}
		t.Digits = append(t.Digits, d.Value.I)
	}
	return t, c.wantTexts(n, t.Args)
}

func (c *checker) replace(n *Node, args []*Tree) (*Tree, error) {
	if err := c.wantTexts(n, args); err != nil {
		return nil, err
	}
	for i, a := range args[1:] {
		if a.Op != "literal" {
			return nil, c.fail(ErrType, n.Args[i+1], "replace takes texts that are written down here.")
		}
	}
	if args[1].Value.S == "" {
		return nil, c.fail(ErrType, n.Args[1], "replace needs a text to look for.")
	}
	if utf8.RuneCountInString(args[2].Value.S) > maxReplacement {
		return nil, c.fail(ErrType, n.Args[2], "The new text has at most %d characters.", maxReplacement)
	}
	return &Tree{Op: "replace", Type: segments.Text, Args: args}, nil
}

// concat joins texts, and what has one way to be written.
func (c *checker) concat(n *Node, args []*Tree) (*Tree, error) {
	for i, a := range args {
		switch a.Type {
		case segments.Float, segments.Timestamp, segments.TimestampTZ, segments.Boolean:
			hint := "texts, whole and decimal numbers and dates"
			return nil, c.fail(ErrType, n.Args[i], "concat joins %s, but %s is %s.", hint, c.source(n.Args[i]), noun(a.Type))
		case none:
			args[i] = cast(a, segments.Text, 0, 0)
		}
	}
	return &Tree{Op: "concat", Type: segments.Text, Args: args}, nil
}

// wantTime checks that an argument is a date or a timestamp.
func (c *checker) wantTime(n *Node, t *Tree, what string) error {
	if isTemporal(t.Type) {
		return nil
	}
	hint := ""
	if t.Type == segments.Text {
		hint = " Write a date as #2026-06-14#."
	}
	return c.fail(ErrType, n, "%s needs a date or a timestamp, but %s is %s.%s", what, c.source(n), noun(t.Type), hint)
}

func (c *checker) datePart(n *Node, args []*Tree) (*Tree, error) {
	if err := c.wantTime(n.Args[0], args[0], n.Text); err != nil {
		return nil, err
	}
	if args[0].Type == segments.Date && (n.Text == "hour" || n.Text == "minute") {
		return nil, c.fail(ErrType, n.Args[0], "%s is a date without time of day, so it has no %s.", c.source(n.Args[0]), n.Text)
	}
	return &Tree{Op: n.Text, Type: segments.Integer, Args: args}, nil
}

// dateOf reads a date that is written down, or takes the day of a timestamp.
func (c *checker) dateOf(n *Node, args []*Tree) (*Tree, error) {
	if x := args[0]; x.Op == "literal" && x.Type == segments.Text {
		t, err := c.date(n.Args[0], x.Value.S)
		if err == nil && t.Type != segments.Date {
			err = c.fail(ErrLiteral, n.Args[0], "%q is no date. Write date('2026-06-14').", clip(x.Value.S))
		}
		return t, err
	}
	if err := c.wantTime(n.Args[0], args[0], "date"); err != nil {
		return nil, err
	}
	if args[0].Type == segments.Date {
		return args[0], nil
	}
	return &Tree{Op: "date_trunc", Type: segments.Date, Unit: "day", Args: args}, nil
}

var dateUnits = []string{"minute", "hour", "day", "week", "month", "quarter", "year"}

// unit reads the first argument of date functions.
func (c *checker) unit(n *Node, arg *Tree, times ...Type) (string, error) {
	unit := ""
	if arg.Op == "literal" && arg.Type == segments.Text {
		unit = strings.ToLower(arg.Value.S)
	}
	known := false
	for _, u := range dateUnits {
		known = known || u == unit
	}
	if !known {
		return "", c.fail(ErrType, n.Args[0], "%s begins with a unit: '%s'.", n.Text, strings.Join(dateUnits, "', '"))
	}
	for _, t := range times {
		if t == segments.Date && (unit == "hour" || unit == "minute") {
			return "", c.fail(ErrType, n.Args[0], "A date has no time of day, so its smallest unit is 'day'.")
		}
	}
	return unit, nil
}

// dateTrunc answers a date for days and longer, and the type of its argument
// for hours and minutes.
func (c *checker) dateTrunc(n *Node, args []*Tree) (*Tree, error) {
	if err := c.wantTime(n.Args[1], args[1], "date_trunc"); err != nil {
		return nil, err
	}
	unit, err := c.unit(n, args[0], args[1].Type)
	if err != nil {
		return nil, err
	}
	t := segments.Date
	if unit == "hour" || unit == "minute" {
		t = args[1].Type
	}
	return &Tree{Op: "date_trunc", Type: t, Unit: unit, Args: args[1:]}, nil
}

func (c *checker) dateAdd(n *Node, args []*Tree) (*Tree, error) {
	if err := c.wantTime(n.Args[2], args[2], "date_add"); err != nil {
		return nil, err
	}
	unit, err := c.unit(n, args[0], args[2].Type)
	if err != nil {
		return nil, err
	}
	if args[1].Type != segments.Integer {
		return nil, c.fail(ErrType, n.Args[1], "date_add needs a whole number of units, but %s is %s.", c.source(n.Args[1]), noun(args[1].Type))
	}
	if v := args[1].Value; v != nil && (v.I > maxUnits || v.I < -maxUnits) {
		return nil, c.fail(ErrType, n.Args[1], "date_add takes at most %d units.", maxUnits)
	}
	return &Tree{Op: "date_add", Type: args[2].Type, Unit: unit, Args: args[1:]}, nil
}

func (c *checker) dateDiff(n *Node, args []*Tree) (*Tree, error) {
	for i, a := range args[1:] {
		if err := c.wantTime(n.Args[i+1], a, "date_diff"); err != nil {
			return nil, err
		}
	}
	unit, err := c.unit(n, args[0], args[1].Type, args[2].Type)
	if err != nil {
		return nil, err
	}
	if _, _, _, ok := unify(args[1:]); !ok {
		return nil, c.misfit(n.Args[1:], args[1:], "subtracted")
	}
	return &Tree{Op: "date_diff", Type: segments.Integer, Unit: unit, Args: args[1:]}, nil
}
