package files_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/dataflowhq/dataflow/platform/records"
)

func TestTotals(t *testing.T) {
	const sales = "day,shop,n\n2024-01-01,A,5\n2024-01-02,B,6\n"
	both := []string{"2: 2024-01-01|A|5", "3: 2024-01-02|B|6"}
	with := func(rows ...string) []string { return append(append([]string{}, both...), rows...) }
	for name, tc := range map[string]struct {
		text    string
		options records.Options
		rows    []string
	}{
		"at the end":                     {sales + "Total,,11\n", records.Options{}, with("4! looks_like_total")},
		"without a line end":             {sales + "Total,,11", records.Options{}, with("4! looks_like_total")},
		"in capitals with a colon":       {sales + "\" SUMME: \",,11\n", records.Options{}, with("4! looks_like_total")},
		"in Japanese":                    {sales + "合計,,11\n", records.Options{}, with("4! looks_like_total")},
		"of two words":                   {sales + "Grand  total,,11\n", records.Options{}, with("4! looks_like_total")},
		"in another field":               {sales + ",Total,11\n", records.Options{}, with("4! looks_like_total")},
		"before blank lines":             {sales + "Total,,11\n\n  \n", records.Options{}, with("4! looks_like_total")},
		"before a row of delimiters":     {sales + "Total,,11\n,,\n", records.Options{}, with("4! looks_like_total", "5: ||")},
		"below a row of delimiters":      {sales + ",,\nTotal,,11\n", records.Options{}, with("4: ||", "5! looks_like_total")},
		"before a line that is no row":   {sales + "Total,,11\nas of today\n", records.Options{}, with("4! looks_like_total", "5! too_few_fields")},
		"two of them":                    {sales + "Subtotal,,11\nTotal,,11\n", records.Options{}, with("4! looks_like_total", "5! looks_like_total")},
		"two with a row between":         {sales + "Total,,11\n2024-01-03,C,7\nTotal,,18\n", records.Options{}, with("4: Total||11", "5: 2024-01-03|C|7", "6! looks_like_total")},
		"not at the end":                 {sales + "Total,,11\n2024-01-03,C,7\n", records.Options{}, with("4: Total||11", "5: 2024-01-03|C|7")},
		"loaded all the same":            {sales + "Total,,11\n", records.Options{Totals: "load"}, with("4: Total||11")},
		"too short a line":               {sales + "Total,11\n", records.Options{}, with("4! too_few_fields")},
		"a short line that is filled up": {sales + "Total\n", records.Options{ShortRows: "fill"}, with("4! looks_like_total")},
		"a name that begins so":          {sales + "Total Wine,,11\n", records.Options{}, with("4: Total Wine||11")},
		"no word for it":                 {sales + ",,11\n", records.Options{}, with("4: ||11")},
		"a category with all values": {"sex,group,n\nMale,x,5\nFemale,y,6\nTotal,z,11\n", records.Options{},
			[]string{"2: Male|x|5", "3: Female|y|6", "4: Total|z|11"}},
		"a category with a number and no text": {"sex,n\nMale,5\nFemale,6\nTotal,11\n", records.Options{},
			[]string{"2: Male|5", "3: Female|6", "4: Total|11"}},
		"a category that comes up before": {"sex,y,n\nTotal,1,5\nMen,1,6\nWomen,1,6\nTotal,2,\n", records.Options{},
			[]string{"2: Total|1|5", "3: Men|1|6", "4: Women|1|6", "5: Total|2|"}},
		"a category that ends with a gap": {"sex,age,n\nMen,1,6\nMen,2,6\nTotal,1,5\nTotal,2,\n", records.Options{},
			[]string{"2: Men|1|6", "3: Men|2|6", "4: Total|1|5", "5: Total|2|"}},
		"a category among sparse ones": {"a,b,c\nx,,5\ny,1,\nz,,6\nTotal,,11\n", records.Options{},
			[]string{"2: x||5", "3: y|1|", "4: z||6", "5: Total||11"}},
		"text that is empty": {"shop,item,kind,n,m\nA,x,k,5,1\nB,y,l,6,2\nTotal,,,11,3\n", records.Options{},
			[]string{"2: A|x|k|5|1", "3: B|y|l|6|2", "4! looks_like_total"}},
		"some of the text is empty": {"shop,item,kind,n,m\nA,x,k,5,1\nB,y,l,6,2\nTotal,,k,11,3\n", records.Options{},
			[]string{"2: A|x|k|5|1", "3: B|y|l|6|2", "4: Total||k|11|3"}},
		"text beside the word": {"shop,item,day,n,m\nA,x,2024-01-01,5,1\nB,y,2024-01-02,6,2\nTotal,2 items,,11,3\n", records.Options{},
			[]string{"2: A|x|2024-01-01|5|1", "3: B|y|2024-01-02|6|2", "4! looks_like_total"}},
		"a name that is a word for it": {"shop,city,n\nShell,Paris,5\nEsso,Rome,6\nTotal,Lyon,\n", records.Options{},
			[]string{"2: Shell|Paris|5", "3: Esso|Rome|6", "4: Total|Lyon|"}},
		"a town of that name": {"town,lat,lon,people\nIzmir,38.42,27.13,4400000\nBursa,40.18,29.07,3100000\nSoma,39.18,27.61,\n", records.Options{},
			[]string{"2: Izmir|38.42|27.13|4400000", "3: Bursa|40.18|29.07|3100000", "4: Soma|39.18|27.61|"}},
		"a year is no sum": {"sex,country,year,value\nMen,C1,2023,5\nWomen,C2,2023,6\nTotal,C1,2023,\n", records.Options{},
			[]string{"2: Men|C1|2023|5", "3: Women|C2|2023|6", "4: Total|C1|2023|"}},
		"beside a rate that is no sum": {"shop,rate,n,day\nA,1.5,\"1,005\",2024-01-01\nB,2.5,6,2024-01-02\nTotal,2,\"1,011\",\n", records.Options{},
			[]string{"2: A|1.5|1,005|2024-01-01", "3: B|2.5|6|2024-01-02", "4! looks_like_total"}},
		"of numbers below zero": {"shop,n,price\nA,5,1\nB,-6,2\nTotal,-1,\n", records.Options{}, []string{"2: A|5|1", "3: B|-6|2", "4! looks_like_total"}},
		"under one row alone":   {"a,b,c\nx,1,5\nTotal,,5\n", records.Options{}, []string{"2: x|1|5", "3: Total||5"}},
		"without a header":      {"2024-01-01,7,5\n2024-01-02,8,6\nTotal,,11\n", records.Options{}, []string{"1: 2024-01-01|7|5", "2: 2024-01-02|8|6", "3! looks_like_total"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, chunk := range []int{0, 1, 9, 1 << 20} {
				c, err := readChunks(t, write(t, tc.text), tc.options, chunk)
				if err != nil {
					t.Fatal(err)
				}
				if got := c.lines(); !reflect.DeepEqual(got, tc.rows) {
					t.Errorf("in pieces of %d: rows %q, want %q", chunk, got, tc.rows)
				}
			}
		})
	}
}

// TestTotalOfManyRows has the total many chunks behind the head.
func TestTotalOfManyRows(t *testing.T) {
	const rows = 100_000
	var text strings.Builder
	text.WriteString("id;name;amount\n")
	for i := range rows {
		fmt.Fprintf(&text, "%d;\"name of; %d\";%d,50\n", i, i, i%1000)
	}
	text.WriteString("Summe;;4.147.468,85 €\n" + strings.Repeat("\n", 10))
	for _, chunk := range []int{0, 3000} {
		c, err := readChunks(t, write(t, text.String()), records.Options{}, chunk)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for _, r := range c.rows {
			if r.reason != "" {
				refused++
			}
		}
		if len(c.rows) != rows+1 || refused != 1 || c.rows[rows].reason != records.LooksLikeTotal || c.rows[rows].line != rows+2 {
			t.Errorf("in pieces of %d: %d records, %d of them refused, the last %+v", chunk, len(c.rows), refused, c.rows[len(c.rows)-1])
		}
	}
}

func TestTotalsOfASheet(t *testing.T) {
	for name, rows := range map[string]int{"within the head": 20, "as long as the head": 197, "behind the head": 9000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := workbook(t, func(f *excelize.File) {
				_, err := f.NewSheet("Sheet2") // the first sheet stays empty
				must(t, err)
				w, err := f.NewStreamWriter("Sheet2")
				must(t, err)
				must(t, w.SetRow("A1", []any{"id", "shop", "n"}))
				for i := range rows {
					must(t, w.SetRow(fmt.Sprintf("A%d", i+2), []any{i, "shop", 1}))
				}
				must(t, w.SetRow(fmt.Sprintf("A%d", rows+3), []any{"Zwischensumme", nil, rows}))
				must(t, w.SetRow(fmt.Sprintf("A%d", rows+4), []any{"Gesamt:", nil, rows}))
				must(t, w.Flush())
			})
			c, err := readFile(t, path, records.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(c.rows) != rows+2 {
				t.Fatalf("%d rows", len(c.rows))
			}
			for i, r := range c.rows {
				if want := map[bool]string{true: records.LooksLikeTotal}[i >= rows]; r.reason != want {
					t.Errorf("row %d: %+v, want %q", i, r, want)
				}
			}
			if c, err = readFile(t, path, records.Options{Totals: "load"}); err != nil || strings.Join(c.rows[rows+1].cells, "|") != fmt.Sprintf("Gesamt:||%d", rows) {
				t.Errorf("loaded all the same: %+v, %v", c.rows[rows+1], err)
			}
		})
	}
}
