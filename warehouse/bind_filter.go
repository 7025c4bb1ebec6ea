package warehouse

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
)

// filter binds one filter on a column. The span is set where it keeps one
// contiguous span of time.
func (b *binder) filter(f *Filter, path string) (predicate, *boundSpan, error) {
	ref, err := b.grouped(f.Column, &grouping{f.Groups, f.Other, f.Bins}, path)
	if err != nil {
		return predicate{}, nil, err
	}
	pred, span, err := b.filterOn(f, ref, path, f.Column)
	if err == nil {
		err = b.fewTests(&pred, path)
	}
	return pred, span, err
}

func (b *binder) filterOn(f *Filter, ref colRef, path, name string) (predicate, *boundSpan, error) {
	switch f.Op {
	case "is_empty":
		pred := predicate{Ref: ref, Kind: kindSet, Nulls: true}
		if ref.Type == Text {
			pred.Set = []interval{point(value{K: "s"})}
		}
		return pred, nil, nil
	case "not_empty":
		pred := predicate{Ref: ref, Kind: kindSet, Negate: true}
		if ref.Type == Text {
			pred.Set = []interval{point(value{K: "s"})}
		}
		return pred, nil, nil
	case "contains", "starts_with":
		return b.pattern(f, ref, path, name)
	}
	if f.Grain != "" {
		if _, err := grainType(ref.Type, f.Grain, path, name); err != nil {
			return predicate{}, nil, err
		}
		if cyclic(f.Grain) {
			return b.cyclicFilter(f, ref, path, name)
		}
	}
	if isTemporal(ref.Type) {
		return b.timeFilter(f, ref, path, name)
	}
	switch f.Op {
	case "last", "this", "previous":
		return predicate{}, nil, ErrFilterOp.With("%s: the operator %s goes with dates and timestamps, but %q is %s.", path, f.Op, clip(name), typeNoun(ref.Type))
	}
	if f.Bin != 0 {
		return b.binFilter(f, ref, path, name)
	}
	read := func(raw json.RawMessage) (value, error) { return b.literal(raw, ref, path, name) }
	if ref.Type == Boolean && !contains([]string{"=", "!=", "in", "not_in"}, f.Op) {
		return predicate{}, nil, ErrFilterOp.With("%s: the operator %s does not go with %q, which is true or false.", path, f.Op, clip(name))
	}
	pred, err := comparePredicate(f, ref, read)
	if err == nil && ref.Type == Integer {
		roundInward(pred.Set)
	}
	return pred, nil, err
}

func point(v value) interval { return interval{Lo: &v, Hi: &v} }

// comparePredicate binds the operators that compare values one by one.
// "Not equal" and "not in" keep rows without a value, unless null is listed.
func comparePredicate(f *Filter, ref colRef, read func(json.RawMessage) (value, error)) (predicate, error) {
	pred := predicate{Ref: ref, Kind: kindSet}
	switch f.Op {
	case "in", "not_in", "=", "!=":
		listed := false
		for _, raw := range f.Values {
			if isNull(raw) {
				listed = true
				continue
			}
			v, err := read(raw)
			if err != nil {
				return pred, err
			}
			pred.Set = append(pred.Set, point(v))
		}
		pred.Negate = f.Op == "not_in" || f.Op == "!="
		pred.Nulls = listed != pred.Negate
		return pred, nil
	case "between":
		var in interval
		for _, end := range []struct {
			raw json.RawMessage
			to  **value
		}{{f.From, &in.Lo}, {f.To, &in.Hi}} {
			if isNull(end.raw) {
				continue
			}
			v, err := read(end.raw)
			if err != nil {
				return pred, err
			}
			*end.to = &v
		}
		pred.Set = []interval{in}
		return pred, nil
	}
	v, err := read(f.Values[0])
	if err != nil {
		return pred, err
	}
	switch f.Op {
	case "<":
		pred.Set = []interval{{Hi: &v, HiOpen: true}}
	case "<=":
		pred.Set = []interval{{Hi: &v}}
	case ">":
		pred.Set = []interval{{Lo: &v, LoOpen: true}}
	case ">=":
		pred.Set = []interval{{Lo: &v}}
	}
	return pred, nil
}

// literal reads a value of a filter as the type of its column.
//
// Errors: query.filter_type.
func (b *binder) literal(raw json.RawMessage, ref colRef, path, name string) (value, error) {
	misfit := func() error {
		return ErrFilterType.With("%s: %q is %s, so it cannot be compared with %s.", path, clip(name), typeNoun(ref.Type), quoteRaw(raw))
	}
	switch ref.Type {
	case Text:
		s, ok := stringOf(raw)
		if !ok || strings.IndexByte(s, 0) >= 0 {
			return value{}, misfit()
		}
		return value{K: "s", S: s}, nil
	case Boolean:
		switch string(raw) {
		case "true":
			return value{K: "i", I: 1}, nil
		case "false":
			return value{K: "i", I: 0}, nil
		}
		return value{}, misfit()
	case Decimal:
		if s, ok := stringOf(raw); ok { // as results give decimals
			if v, ok := parseNumber(s); ok {
				return v, nil
			}
			return value{}, misfit()
		}
	}
	v, ok := readNumber(raw)
	if !ok {
		return value{}, misfit()
	}
	if ref.Type == Float {
		v = value{K: "f", F: v.float()}
	}
	return v, nil
}

func quoteRaw(raw json.RawMessage) string {
	text := clip(string(raw))
	if isNull(raw) {
		return "nothing"
	}
	return text
}

// roundInward replaces fractions in bounds on whole numbers: x > 2.5 is
// x >= 3, so that no row needs converting.
func roundInward(set []interval) {
	for i := range set {
		in := &set[i]
		if in.Lo != nil && in.Lo.K == "d" {
			v := roundRat(in.Lo.rat(), true)
			in.Lo, in.LoOpen = &v, false
		}
		if in.Hi != nil && in.Hi.K == "d" {
			v := roundRat(in.Hi.rat(), false)
			in.Hi, in.HiOpen = &v, false
		}
	}
}

func roundRat(r *big.Rat, up bool) value {
	q := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: floor, as Denom > 0
	if up && !r.IsInt() {
		q.Add(q, big.NewInt(1))
	}
	f, _ := new(big.Rat).SetInt(q).Float64()
	return ratValue(new(big.Rat).SetInt(q), f)
}

func (b *binder) pattern(f *Filter, ref colRef, path, name string) (predicate, *boundSpan, error) {
	if ref.Type != Text || f.Grain != "" || f.Bin != 0 {
		return predicate{}, nil, ErrFilterOp.With("%s: the operator %s goes with texts, but %q is %s.", path, f.Op, clip(name), typeNoun(ref.Type))
	}
	text, ok := stringOf(f.Values[0])
	if !ok || strings.IndexByte(text, 0) >= 0 {
		return predicate{}, nil, ErrFilterType.With("%s: the operator %s needs a text, not %s.", path, f.Op, quoteRaw(f.Values[0]))
	}
	kind := kindContains
	if f.Op == "starts_with" {
		kind = kindPrefix
	}
	return predicate{Ref: ref, Kind: kind, Text: text}, nil, nil
}

// cyclicFilter binds a filter on the hour of day, weekday or month of year.
func (b *binder) cyclicFilter(f *Filter, ref colRef, path, name string) (predicate, *boundSpan, error) {
	switch f.Op {
	case "last", "this", "previous":
		return predicate{}, nil, ErrFilterShape.With("%s: the operator %s takes no grain.", path, f.Op)
	}
	pred, err := comparePredicate(f, ref, func(raw json.RawMessage) (value, error) {
		v, ok := readNumber(raw)
		if !ok || v.K != "i" {
			return value{}, ErrFilterType.With("%s: the %s of %q is a whole number, so it cannot be compared with %s.",
				path, strings.ReplaceAll(f.Grain, "_", " "), clip(name), quoteRaw(raw))
		}
		return v, nil
	})
	pred.Kind, pred.Grain = kindCyclic, f.Grain
	return pred, nil, err
}

// binFilter binds a filter on the lower edge of bins.
func (b *binder) binFilter(f *Filter, ref colRef, path, name string) (predicate, *boundSpan, error) {
	d := planDim{Ref: ref, Type: ref.Type, Scale: ref.Scale}
	if err := bindBin(&d, f.Bin, path, name); err != nil {
		return predicate{}, nil, err
	}
	width, _ := new(big.Rat).SetString(d.Bin)
	index := func(raw json.RawMessage) (*big.Int, float64, error) {
		v, err := b.literal(raw, ref, path, name)
		if err != nil {
			return nil, 0, err
		}
		if width == nil {
			// The edge was computed as k × width, so rounding finds k again.
			return nil, math.Floor(v.float()/d.BinF + 1e-9), nil
		}
		r := new(big.Rat).Quo(v.rat(), width)
		return new(big.Int).Div(r.Num(), r.Denom()), 0, nil
	}
	if width == nil {
		pred, err := comparePredicate(f, ref, func(raw json.RawMessage) (value, error) {
			_, k, err := index(raw)
			return value{K: "f", F: k}, err
		})
		pred.Kind, pred.Bin = kindBin, d.BinF
		return pred, nil, err
	}
	// Exact bins become spans of the column itself: bin k is [k·w, (k+1)·w).
	edge := func(k *big.Int) *value {
		r := new(big.Rat).Mul(new(big.Rat).SetInt(k), width)
		exact, _ := r.Float64()
		v := ratValue(r, exact)
		return &v
	}
	bins := map[value]*big.Int{}
	pred, err := comparePredicate(f, ref, func(raw json.RawMessage) (value, error) {
		k, _, err := index(raw)
		if err != nil {
			return value{}, err
		}
		v := *edge(k)
		bins[v] = k
		return v, nil
	})
	if err != nil {
		return pred, nil, err
	}
	for i := range pred.Set {
		in := &pred.Set[i]
		if in.Hi != nil && !in.HiOpen {
			in.Hi, in.HiOpen = edge(new(big.Int).Add(bins[*in.Hi], big.NewInt(1))), true
		}
		if in.Lo != nil && in.LoOpen {
			in.Lo, in.LoOpen = edge(new(big.Int).Add(bins[*in.Lo], big.NewInt(1))), false
		}
	}
	return pred, nil, nil
}
