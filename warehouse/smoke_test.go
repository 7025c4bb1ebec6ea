package warehouse

import "testing"

func TestSmoke(t *testing.T) {
	f := newFixture(t)
	ds := f.dataset("sales", "at timestamptz, region text, amount decimal(10,2), n integer, ok boolean, day date",
		"SELECT TIMESTAMPTZ '2024-03-30 00:00:00+00' + INTERVAL (i * 17) MINUTE AS at, ['north','south',NULL,'west'][i%4+1] AS region, (i%100)::DECIMAL(10,2)/4 AS amount, i AS n, i%2=0 AS ok, DATE '2024-03-30' + (i//100)::INTEGER AS day FROM range(1000) t(i)",
		"SELECT TIMESTAMPTZ '2024-10-26 00:00:00+00' + INTERVAL (i * 17) MINUTE AS at, ['north','south',NULL,'west'][i%4+1] AS region, (i%100)::DECIMAL(10,2)/4 AS amount, i AS n, i%2=0 AS ok, DATE '2024-10-26' + (i//100)::INTEGER AS day FROM range(500) t(i)")
	ds.RelativeToNewest = true
	lk := f.dataset("regions", "name text, country text", "SELECT * FROM (VALUES ('north','UK'),('south','FR')) v(name,country)")
	ds.Lookups = map[string]Lookup{"reg": {Column: 2, Key: 1, Target: lk}}
	e := f.engine()
	for _, s := range []string{
		`{"dataset":"sales","measures":[{"fn":"count"},{"fn":"sum","column":"amount"},{"fn":"avg","column":"n"},{"fn":"median","column":"n"},{"fn":"count_distinct","column":"region"}]}`,
		`{"dataset":"sales","timezone":"Europe/London","measures":[{"fn":"count"}],"dimensions":[{"column":"at","grain":"day"}],"limit":5}`,
		`{"dataset":"sales","timezone":"Europe/London","measures":[{"fn":"count"}],"dimensions":[{"column":"at","grain":"month"}],"filters":[{"column":"at","op":"last","n":2,"unit":"month"}],"comparison":{"period":"previous"}}`,
		`{"dataset":"sales","measures":[{"fn":"count"},{"fn":"sum","column":"n","show":"share"}],"dimensions":[{"column":"reg.country"}]}`,
		`{"dataset":"sales","measures":[{"fn":"count"},{"fn":"sum","column":"n","show":"running"}],"dimensions":[{"column":"at","grain":"month"},{"column":"region"}]}`,
		`{"dataset":"sales","measures":[{"fn":"count"}],"dimensions":[{"column":"n","bin":7}],"limit":3,"other":true}`,
		`{"dataset":"sales","measures":[{"fn":"count_distinct","column":"n"}],"dimensions":[{"column":"region"}],"limit":2,"other":true}`,
		`{"dataset":"sales","measures":[{"fn":"count"}],"dimensions":[{"column":"at","grain":"quarter"},{"column":"region"}],"limit":1,"other":true}`,
		`{"dataset":"sales","measures":[{"fn":"count_distinct","column":"n"}],"dimensions":[{"column":"at","grain":"quarter"},{"column":"region"}],"limit":1,"other":true}`,
		`{"dataset":"sales","columns":["at","region","reg.country","amount","ok","day"],"filters":[{"column":"reg.country","op":"=","values":["UK"]}],"limit":2}`,
		`{"dataset":"sales","columns":["n"],"filters":[{"column":"reg.country","op":"!=","values":["UK"]},{"column":"region","op":"contains","values":["W"]}],"order":[{"by":"amount"}],"limit":2}`,
	} {
		t.Log(s)
		t.Log(run(t, e, ds, s))
		x, err := e.Explain(t.Context(), Query{Spec: mustSpec(t, s), Dataset: ds})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(x.SQL, x.Notes)
	}
}
