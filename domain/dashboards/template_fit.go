package dashboards

import (
	"context"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// TemplateChoice is what stands for one dataset of a template.
type TemplateChoice struct {
	Dataset ids.Dataset
	// Fields are the fields of Dataset by those of the template; "" for none.
	// A field that is not in it is found by name and type.
	Fields map[string]string
}

// TemplateFit is a template over other data.
type TemplateFit struct {
	Template Template
	Sources  []FittedSource
	Widgets  []FittedWidget // in reading order
	config   Config
}

// FittedSource is one dataset of a template with what stands for it.
type FittedSource struct {
	TemplateSource
	Into   ids.Dataset // zero: none chosen
	Fields []FittedField
}

// FittedField is a field of a template with what stands for it.
type FittedField struct {
	TemplateField
	Into string // "" for none
	Why  Match
	// Options are the fields that could stand for it, by name.
	Options []Field
}

// Match is why a field stands for another.
type Match string

// The reasons, from the best to none.
const (
	MatchChosen  Match = "chosen"  // by the person
	MatchName    Match = "name"    // it has the same name
	MatchSimilar Match = "similar" // words of the name are the same
	MatchType    Match = "type"    // it is the only one, or the first, of the kind
	MatchNone    Match = "none"
)

// FittedWidget is a widget with what it will lack.
type FittedWidget struct {
	ID    string
	Title string
	Type  charts.Type
	Lacks []string // fields of the template, by name
	// Grains are those that its new fields have not, with what stands for them.
	Grains []Regrained
	// Empty ones lack so much that they have to be set up anew.
	Empty bool
}

// FitTemplate lays a template over other data: what was chosen, and what is
// proposed by name and type for all else. Without a choice, a dataset of the
// template stands for itself where the actor can see it.
//
// Errors: dashboards.template_not_found, datasets.not_found.
func (s *Service) FitTemplate(ctx context.Context, actor access.Actor, id ids.Template, chosen map[ids.Dataset]TemplateChoice) (TemplateFit, error) {
	t, err := s.GetTemplate(ctx, actor, id)
	if err != nil {
		return TemplateFit{}, err
	}
	fit := TemplateFit{Template: t}
	if fit.config, err = t.Config.clone(); err != nil {
		return TemplateFit{}, err
	}
	for _, source := range t.Sources {
		one := FittedSource{TemplateSource: source}
		choice, made := chosen[source.Dataset]
		if !made {
			choice.Dataset = source.Dataset
		}
		var fields []Field
		if !choice.Dataset.IsZero() {
			loaded, err := s.loadSchemas(ctx, actor, &Config{Dataset: choice.Dataset})
			if err != nil {
				return TemplateFit{}, err
			}
			if sc := loaded[choice.Dataset]; sc != nil {
				one.Into = choice.Dataset
				fields = (&drafter{schemas: loaded}).fields(sc)
			}
		}
		one.fit(fields, choice.Fields)
		fit.Sources = append(fit.Sources, one)
	}
	return fit, s.applyFit(ctx, actor, &fit)
}

// applyFit writes what was fitted into the config, and what its widgets lack.
func (s *Service) applyFit(ctx context.Context, actor access.Actor, fit *TemplateFit) error {
	into := map[ids.Dataset]ids.Dataset{}
	names := map[ids.Dataset]map[string]string{}
	elsewhere := map[ids.Dataset]bool{}
	for _, source := range fit.Sources {
		into[source.Dataset] = source.Into
		elsewhere[source.Into] = source.Into != source.Dataset
		names[source.Dataset] = map[string]string{}
		for _, f := range source.Fields {
			names[source.Dataset][f.key()] = f.Into
		}
	}
	lacks := fit.config.mapFields(func(dataset ids.Dataset, name string, u use) string {
		return names[dataset][TemplateField{Name: name, Measure: u == useMeasure}.key()]
	})
	if elsewhere[into[fit.config.Dataset]] && fit.config.Settings.Date.Default != "" {
		fit.config.Settings.Date.Default = "all" // the range was that of the other data
	}
	fit.config.mapDatasets(into)
	loaded, err := s.loadSchemas(ctx, actor, &fit.config)
	if err != nil {
		return err
	}
	for id, control := range fit.config.Filters {
		before := fit.Template.Config.Filters[id]
		words := said{}
		words.putField(before.Column, control.Column)
		if now, has := words[control.Label]; has {
			control.Label = clipName(now)
			fit.config.Filters[id] = control
		}
	}
	for _, id := range fit.config.Order() {
		w, before := fit.config.Widgets[id], fit.Template.Config.Widgets[id]
		var grains []Regrained
		empty := w.Type.Asks() && !w.SetUp()
		if w.Type == charts.Control {
			_, known := fit.config.controlTitle(w.Control)
			empty = !known
		}
		if sc := loaded[fit.config.dataset(w.Query.Dataset)]; sc != nil && w.Type.Asks() {
			if elsewhere[sc.ID] {
				w.Query.ungroup()
			}
			grains = w.regrain(sc)
			columns := map[string]string{}
			for _, column := range before.Query.Columns {
				columns[column] = names[fit.Template.Config.dataset(before.Query.Dataset)][TemplateField{Name: column}.key()]
			}
			if !empty {
				w.rename(&before, columns)
			}
			for _, m := range w.Query.Measures {
				f := w.Format[measureName(m)]
				if elsewhere[sc.ID] {
					// Money and units are the other data's, and what this data has
					// says for itself.
					f.Currency, f.Unit = "", ""
					if f.Style == "currency" {
						f.Style = ""
					}
				}
				if f.Label == "" {
					f.Label = sc.measureLabel(m)
				}
				w.Format = withFormat(w.Format, measureName(m), f)
			}
			// A title that says what the widget shows keeps saying so; one that
			// shows nothing yet keeps saying what it is to show.
			if !empty && slices.Contains(fit.Template.generated, id) {
				w.Title = sc.title(&w)
			}
		}
		fit.config.Widgets[id] = w
		fit.Widgets = append(fit.Widgets, FittedWidget{ID: id, Title: w.Title, Type: w.Type, Lacks: lacks[id], Grains: grains, Empty: empty})
	}
	return nil
}

func withFormat(formats map[string]charts.Format, name string, f charts.Format) map[string]charts.Format {
	if formats == nil {
		formats = map[string]charts.Format{}
	}
	formats[name] = f
	return formats
}

// key tells a saved measure from a column of the same name.
func (f TemplateField) key() string {
	if f.Measure {
		return "measure " + f.Name
	}
	return "column " + f.Name
}

// Key names the field in a form.
func (f TemplateField) Key() string { return f.key() }

// fits tells whether a field can stand for f: what is calculated needs
// numbers, a time axis needs times, and what is a measure a saved one.
func (f TemplateField) fits(other Field) bool {
	switch {
	case other.Name == CountField:
		return false
	case f.Measure || other.Saved:
		return f.Measure && other.Saved
	case f.Time:
		return other.Temporal()
	case f.Number:
		return other.Numeric()
	}
	return true
}

// fit finds for every field of the source one of fields: the same name, then
// similar names, and at last the kind. A field stands for one only, unless
// somebody chose otherwise: that counts in any case.
func (s *FittedSource) fit(fields []Field, chosen map[string]string) {
	taken := map[string]bool{}
	s.Fields = make([]FittedField, len(s.TemplateSource.Fields))
	for i, f := range s.TemplateSource.Fields {
		one := &s.Fields[i]
		*one = FittedField{TemplateField: f, Why: MatchNone}
		for _, other := range fields {
			if f.fits(other) {
				one.Options = append(one.Options, other)
			}
		}
	}
	for _, step := range []struct {
		why   Match
		score func(TemplateField, Field) int
	}{{MatchName, sameName}, {MatchSimilar, similarName}, {MatchType, sameKind}} {
		for i := range s.Fields {
			one := &s.Fields[i]
			if one.Why != MatchNone {
				continue
			}
			best := 0
			for _, other := range one.Options {
				if score := step.score(one.TemplateField, other); score > best && !taken[other.Name] {
					best, one.Into = score, other.Name
				}
			}
			if best > 0 {
				one.Why = step.why
				taken[one.Into] = true
			}
		}
	}
	for i := range s.Fields {
		one := &s.Fields[i]
		if into, made := chosen[one.key()]; made && into != one.Into && (into == "" || one.offers(into)) {
			one.Into, one.Why = into, MatchChosen
		}
	}
}

func (f *FittedField) offers(name string) bool {
	return slices.ContainsFunc(f.Options, func(o Field) bool { return o.Name == name })
}

func sameName(f TemplateField, other Field) int {
	a, b := strings.Join(wordsOf(f.Name), " "), strings.Join(wordsOf(other.Name), " ")
	switch {
	case f.Name == other.Name:
		return 2
	case a != "" && a == b:
		return 1
	}
	return 0
}

// similarName counts the words that two names share; fewer words beside them
// are better.
func similarName(f TemplateField, other Field) int {
	if kindOf(f.Type) != kindOf(other.Type) && f.Type != "" {
		return 0
	}
	mine, theirs := wordsOf(lastPart(f.Name)), wordsOf(lastPart(other.Name))
	shared := 0
	for _, word := range mine {
		if slices.Contains(theirs, word) {
			shared++
		}
	}
	if shared == 0 {
		return 0
	}
	return 100*shared - len(mine) - len(theirs)
}

// sameKind fits times to times, numbers that are calculated to numbers that
// measure, of the same type first, and texts to texts. It is a guess that the
// person sees and can change.
func sameKind(f TemplateField, other Field) int {
	money := other.Format.Style == "currency"
	switch {
	case f.Time:
		if other.Temporal() && other.Lookup == "" {
			return 1
		}
	case f.Number:
		switch {
		case !other.Measure || other.Saved:
		case other.Format.Style == "percent":
			return 1
		case f.Type == warehouse.Decimal && money:
			return 4
		case f.Type == other.Type && !money:
			return 3
		default:
			return 2
		}
	case f.Type == warehouse.Text && other.Type == warehouse.Text && other.Lookup == "":
		return 1
	}
	return 0
}

func kindOf(t warehouse.Type) string {
	switch {
	case temporal(t):
		return "time"
	case numeric(t):
		return "number"
	}
	return string(t)
}

// CreateFromTemplate makes a dashboard out of a template over other data. It is
// a draft until somebody publishes it.
//
// Errors: dashboards.template_not_found, dashboards.template_fit_invalid,
// dashboards.name_invalid.
func (s *Service) CreateFromTemplate(ctx context.Context, actor access.Actor, id ids.Template, chosen map[ids.Dataset]TemplateChoice, name string) (Dashboard, error) {
	fit, err := s.FitTemplate(ctx, actor, id, chosen)
	if err != nil {
		return Dashboard{}, err
	}
	for _, source := range fit.Sources {
		if source.Into.IsZero() {
			return Dashboard{}, ErrTemplateFit.With("Choose a dataset in the place of %q first.", source.Name)
		}
		for _, f := range source.Fields {
			if into, made := chosen[source.Dataset].Fields[f.key()]; made && into != "" && into != f.Into {
				return Dashboard{}, ErrTemplateFit.With("%q can't stand for %q.", clip(into), f.Name)
			}
		}
	}
	if strings.TrimSpace(name) == "" {
		name = fit.Template.Name
	}
	return s.Create(ctx, actor, NewDashboard{Name: name, Config: fit.config, Draft: true})
}
