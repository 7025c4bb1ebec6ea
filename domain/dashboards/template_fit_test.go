package dashboards

import (
	"testing"

	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/warehouse"
)

// A template proposes what is most alike: money for decimals, counts for
// counts, no share for either while there is something else, texts for texts.
func TestTemplatesProposeTheSameKind(t *testing.T) {
	source := FittedSource{TemplateSource: TemplateSource{Fields: []TemplateField{
		{Name: "net_sales", Type: warehouse.Decimal, Number: true}, {Name: "orders", Type: warehouse.Integer, Number: true}, {Name: "margin", Type: warehouse.Decimal, Number: true},
		{Name: "channel", Type: warehouse.Text}, {Name: "region", Type: warehouse.Text}, {Name: "note", Type: warehouse.Text}, {Name: "sold_at", Type: warehouse.Timestamp, Time: true},
	}}}
	number := func(name string, typ warehouse.Type, style string) Field {
		return Field{Name: name, Type: typ, Measure: true, Format: datasets.Format{Style: style}}
	}
	source.fit([]Field{
		{Name: "Datum", Type: warehouse.Date}, {Name: "Filiale", Type: warehouse.Text}, {Name: "store.city", Type: warehouse.Text, Lookup: "store"}, {Name: "Warengruppe", Type: warehouse.Text},
		number("Rabatt %", warehouse.Decimal, "percent"), number("Menge", warehouse.Integer, ""), number("Umsatz", warehouse.Decimal, "currency"),
	}, nil)
	want := map[string]string{"net_sales": "Umsatz", "orders": "Menge", "margin": "Rabatt %", "channel": "Filiale", "region": "Warengruppe", "note": "", "sold_at": "Datum"}
	for _, f := range source.Fields {
		if f.Into != want[f.Name] {
			t.Errorf("for %s stands %q, want %q", f.Name, f.Into, want[f.Name])
		}
	}
}
