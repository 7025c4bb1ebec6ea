package dashboards

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/charts"
)

// setLayer shows a map's rows in another way: as points, clusters, heat, areas
// or lines. Fields go along as far as the other way has a place for them.
func (d *drafter) setLayer(sc *schema, w *Widget, a Act) error {
	layer := ""
	if a.Set.Layer != nil {
		layer = *a.Set.Layer
	}
	if _, known := wellsByLayer[layer]; !known || w.Type != charts.Map {
		return ErrAct.With("A %s has no layer %q.", typeName(w.Type), clip(layer))
	}
	if w.Encode.Layer == layer || w.Encode.Layer == "" && layer == charts.LayerPoints {
		return nil
	}
	if needed := map[string]int{charts.LayerAreas: 0, charts.LayerLines: 2}; len(d.places(sc)) < needed[layer] {
		return ErrAct.With("Lines need two places in a row, each a latitude and a longitude. %s has no such columns: set them on its page, or look them up.", sc.Name)
	} else if _, areas := needed[layer]; !areas && len(d.places(sc)) == 0 {
		return ErrAct.With("A map needs a latitude and a longitude. %s has no such columns: set them on its page.", sc.Name)
	}
	f := fillOf(w)
	switch {
	case layer == charts.LayerAreas:
		// A place is no area: which field names one is found anew.
		if len(f["colour"]) == 0 {
			f["colour"] = f["size"]
		}
	case w.Encode.Layer == charts.LayerAreas:
		f["size"], f["colour"] = f["colour"], nil
	}
	if w.Encode.Layer = layer; layer == charts.LayerPoints {
		w.Encode.Layer = ""
	}
	for name := range f {
		if _, kept := w.well(name); !kept {
			delete(f, name)
		}
	}
	f.write(w)
	d.complete(sc, w)
	return nil
}

// setFacet draws one small chart for each value of a field, or one chart again.
func (d *drafter) setFacet(sc *schema, w *Widget, a Act) error {
	if _, can := w.well(facetWell.name); !can {
		return ErrAct.With("A %s can't be drawn as small charts.", typeName(w.Type))
	}
	if a.Set.Facet == nil || *a.Set.Facet == "" {
		f := fillOf(w)
		delete(f, facetWell.name)
		f.write(w)
		return nil
	}
	return d.put(sc, w, *a.Set.Facet, facetWell.name, nil)
}

// LineName is what acts call a reference line.
func LineName(r charts.Reference) string { return LineKind(r) + " " + LineAt(r) }

// LineKind is where a reference line stands: at a "value", at the "average" or
// at a "date".
func LineKind(r charts.Reference) string {
	switch {
	case r.Average:
		return "average"
	case r.Date != "":
		return "date"
	}
	return "value"
}

// LineAt is the value or the date; empty for an average.
func LineAt(r charts.Reference) string {
	if r.Value != nil {
		return strconv.FormatFloat(*r.Value, 'f', -1, 64)
	}
	return r.Date
}

const maxLines = 20

// addLine adds a line at the average, which any chart with an axis has.
func (d *drafter) addLine(_ *schema, w *Widget, _ Act) error {
	if len(w.Encode.Lines) >= maxLines {
		return ErrAct.With("There are at most %d lines.", maxLines)
	}
	w.Encode.Lines = append(slices.Clone(w.Encode.Lines), charts.Reference{Average: true})
	return nil
}

func (d *drafter) setLine(_ *schema, w *Widget, a Act) error {
	at, err := findLine(w, a)
	if err != nil {
		return err
	}
	w.Encode.Lines = slices.Clone(w.Encode.Lines)
	line := &w.Encode.Lines[at]
	if a.Set.AsLabel != nil {
		line.Label = strings.TrimSpace(*a.Set.AsLabel)
	}
	kind, place := LineKind(*line), LineAt(*line)
	if a.Set.Op != nil {
		if kind != *a.Set.Op {
			place = ""
		}
		kind = *a.Set.Op
	}
	if a.Set.From != nil {
		place = strings.TrimSpace(*a.Set.From)
	}
	next := charts.Reference{Label: line.Label}
	switch kind {
	case "average":
		next.Average = true
	case "date":
		if place == "" {
			place = time.Now().UTC().Format(time.DateOnly)
		}
		if _, err := charts.ParseMoment(place); err != nil {
			return ErrAct.With("%q is no date. Write it as 2026-06-14, with a time as 2026-06-14T09:30.", clip(place))
		}
		next.Date = place
	case "value":
		value := 0.0
		if place != "" {
			if value, err = ruleNumber(place); err != nil {
				return err
			}
		}
		next.Value = &value
	default:
		return ErrAct.With("%q is no kind of line.", clip(kind))
	}
	*line = next
	if err := validateEncode(w); err != nil {
		return ErrAct.With("%s", sentence(err)).Wrap(err)
	}
	return nil
}

func (d *drafter) removeLine(_ *schema, w *Widget, a Act) error {
	at, err := findLine(w, a)
	if err != nil {
		return err
	}
	if w.Encode.Lines = slices.Delete(slices.Clone(w.Encode.Lines), at, at+1); len(w.Encode.Lines) == 0 {
		w.Encode.Lines = nil
	}
	return nil
}

func findLine(w *Widget, a Act) (int, error) {
	names := make([]string, len(w.Encode.Lines))
	for i, line := range w.Encode.Lines {
		names[i] = LineName(line)
	}
	at, ok := locate(names, a.index(), a.Expect)
	if !ok {
		return 0, ErrAct.With("There is no such line at that place any more. Somebody else may have changed or removed it.")
	}
	return at, nil
}
