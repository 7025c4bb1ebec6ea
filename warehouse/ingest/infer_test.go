package ingest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/connectors/files"
	"github.com/dataflowhq/dataflow/warehouse/ingest"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// reader is one with a DuckDB of its own.
func reader(t testing.TB) *ingest.Reader {
	t.Helper()
	w, err := segments.Open(segments.Config{MemoryLimit: 128 << 20, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ingest.Reader{Open: files.Open, Writer: w}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inspectColumn inspects a file of one column.
func inspectColumn(t *testing.T, name string, values []string, choice string) ingest.InspectedColumn {
	t.Helper()
	var text strings.Builder
	text.WriteString(name + "\tn\n")
	for i, v := range values {
		fmt.Fprintf(&text, "%s\t%d\n", v, i)
	}
	request := ingest.InspectRequest{Path: write(t, "file.csv", text.String()), Dir: t.TempDir()}
	request.Options.Delimiter = "\t"
	header := true
	request.Options.Header = &header
	if choice != "" {
		request.Columns = []ingest.ColumnChoice{{Column: name, Type: choice}}
	}
	inspection, err := (&ingest.Reader{Open: files.Open}).Inspect(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	return inspection.Columns[0]
}

// describe writes what was found out about a column in one line.
func describe(c ingest.InspectedColumn) string {
	choice := ingest.TypeChoice{Type: c.Type, Reading: c.Reading}
	if c.Type == segments.Decimal {
		choice.Fixed, choice.Precision, choice.Scale = true, c.Precision, c.Scale
	}
	parts := []string{choice.String()}
	for _, extra := range []string{c.Role, c.Format} {
		if extra != "" {
			parts = append(parts, extra)
		}
	}
	if c.Rejected > 0 {
		parts = append(parts, fmt.Sprintf("%d rejected", c.Rejected))
	}
	for _, n := range c.Notes {
		parts = append(parts, n.Code)
	}
	return strings.Join(parts, " ")
}

func repeat(value string, n int, others ...string) []string {
	var values []string
	for range n {
		values = append(values, value)
	}
	return append(values, others...)
}

func TestInference(t *testing.T) {
	for name, tc := range map[string]struct {
		column string
		values []string
		want   string
	}{
		"integers":                    {"n", []string{"1", "-20", "0", "999999999999999999"}, "integer"},
		"integers with blanks":        {"n", []string{" 1", "2 ", ""}, "integer"},
		"zero and one":                {"n", []string{"0", "1", "1"}, "integer"},
		"null words":                  {"n", []string{"1", "NA", "null", "-", "n/a", "#N/A", `\N`, "NaN"}, "integer"},
		"codes with leading zeros":    {"zip", []string{"01234", "99999"}, "text leading_zeros"},
		"one code among many numbers": {"zip", repeat("12345", 5000, "01234"), "text leading_zeros"},
		"beyond 64 bits":              {"n", []string{"1", "99999999999999999999"}, "decimal(38,0)"},
		"beyond 38 digits":            {"n", []string{"1", strings.Repeat("9", 39)}, "text"},
		"card numbers":                {"card", []string{"4111111111111111", "5500005555555559"}, "text long_digits"},
		"snowflake ids":               {"id", []string{"1234567890123456", "123456789012345678"}, "integer"},
		"epoch seconds":               {"ts", []string{"1700000000", "1700000060"}, "integer"},
		"epoch microseconds":          {"ts", []string{"1700000000000000", "1700000060000000"}, "integer"},
		"phone numbers":               {"phone", []string{"+442079460000", "+15550100999"}, "text"},
		"decimals":                    {"n", []string{"1.5", "20.25", "-3", "0.125"}, "decimal(18,3)"},
		"long decimals":               {"n", []string{"12345678901234567.89", "1.5"}, "decimal(38,2)"},
		"many decimals":               {"n", []string{"0.1234567891", "3.5"}, "float"},
		"exponents":                   {"n", []string{"1e5", "2.5E-3", "7"}, "float"},
		"thousands":                   {"n", []string{"1,234,567", "12", "999"}, "integer"},
		"thousands and decimals":      {"n", []string{"1,234.50", "12.25", "999"}, "decimal(18,2)"},
		"decimal commas":              {"n", []string{"1.234,50", "12,25", "999"}, "decimal(18,2):comma decimal_comma"},
		"spaces for thousands":        {"n", []string{"1 234,5", "12 345 678,25", "1\u00a0000,0"}, "decimal(18,2):comma decimal_comma"},
		"apostrophes for thousands":   {"n", []string{"1'234.50", "12'345'678.25", "3.1"}, "decimal(18,2)"},
		"Indian grouping":             {"n", []string{"12,34,567.00", "1,00,000.50"}, "decimal(18,2)"},
		"comma before three digits":   {"n", []string{"1,234", "5,678", "12"}, "integer ambiguous_separator"},
		"point before three digits":   {"n", []string{"1.234", "5.678"}, "decimal(18,3) ambiguous_separator"},
		"both before three digits":    {"n", []string{"1.234", "5,678"}, "text ambiguous_separator"},
		"negatives in parentheses":    {"n", []string{"(1,234.50)", "12.25"}, "decimal(18,2)"},
		"pounds":                      {"n", []string{"£1,234.50", "-£12", "£0.99"}, "decimal(18,2) currency:GBP currency"},
		"euros by name":               {"Umsatz netto (€)", []string{"1.5", "12.25"}, "decimal(18,2) currency:EUR currency"},
		"dollars by name":             {"price_usd", []string{"15", "12"}, "integer currency:USD currency"},
		"a rate by name":              {"eur_usd", []string{"1.05", "1.06"}, "decimal(18,2)"},
		"hours by name":               {"HOURS PEN", []string{"15", "12"}, "integer"},
		"a code in brackets":          {"Visits (CHF)", []string{"15", "12"}, "integer currency:CHF currency"},
		"a name that only looks so":   {"try count", []string{"15", "12"}, "integer"},
		"euros behind":                {"n", []string{"1.234,50 €", "12,00 €", "-3,10€"}, "decimal(18,2):comma currency:EUR decimal_comma currency"},
		"dollars by code":             {"n", []string{"USD 12.50", "13.75 USD", "14"}, "decimal(18,2) currency:USD currency"},
		"two currencies":              {"n", []string{"£12.50", "$13.75"}, "text mixed_currencies"},
		"per cent":                    {"n", []string{"12%", "7.5 %", "0"}, "decimal(18,3):percent percent percent"},
		"comma typed for a point":     {"unit_cost", repeat("41.20", 8000, repeat("41,20", 187, repeat("POA", 22)...)...), "decimal(18,2) 209 rejected"},
		"a third is text":             {"n", repeat("41.20", 70, repeat("POA", 30)...), "text"},
		"codes among whole numbers":   {"invoice", repeat("489434", 980, repeat("C489449", 20)...), "text mostly"},
		"a placeholder among numbers": {"n", repeat("48", 980, repeat("unknown", 20)...), "integer 20 rejected"},
		"many words among numbers":    {"n", repeat("48", 980, words(30)...), "text mostly"},
		"few values, one odd":         {"n", repeat("48", 9, "odd"), "text"},

		"true and false":     {"b", []string{"true", "FALSE", "", "True"}, "boolean"},
		"yes and no":         {"b", []string{"yes", "No"}, "boolean"},
		"ja and nein":        {"b", []string{"ja", "Nein"}, "boolean"},
		"oui and non":        {"b", []string{"oui", "non"}, "boolean"},
		"sí and no":          {"b", []string{"Sí", "no"}, "boolean"},
		"ja and non":         {"b", []string{"ja", "non"}, "text"},
		"t and f":            {"b", []string{"t", "f"}, "boolean"},
		"only f":             {"sex", []string{"F", "F"}, "text"},
		"f and m":            {"sex", []string{"F", "M"}, "text"},
		"y and n":            {"b", []string{"Y", "N"}, "boolean"},
		"yes, no and maybe":  {"b", repeat("yes", 98, "no", "maybe"), "text"},
		"yes and true":       {"b", []string{"yes", "true"}, "text"},
		"text":               {"s", []string{"a", "b1", "2c"}, "text"},
		"text with NA in it": {"country", []string{"NA", "DE"}, "text"},
		"nothing":            {"s", []string{"", ""}, "text empty_column"},

		"ISO days":                 {"d", []string{"2024-01-31", "2023-02-28"}, "date"},
		"ISO days with slashes":    {"d", []string{"2024/01/31", "2023/2/8"}, "date"},
		"day first, proved":        {"d", []string{"31/01/2024", "01/02/2024"}, "date:dmy date_order"},
		"month first, proved":      {"d", []string{"01/31/2024", "01/02/2024"}, "date:mdy date_order"},
		"not to be told apart":     {"d", []string{"01/02/2024", "03/04/2024"}, "text ambiguous_date_order"},
		"the same both ways":       {"d", []string{"01/01/2024", "05/05/2024"}, "date:dmy"},
		"some this way, some that": {"d", []string{"31/01/2024", "01/31/2024"}, "text ambiguous_date_order"},
		"a slip among many":        {"d", repeat("31/01/2024", 99, "01/31/2024"), "date:dmy 1 rejected date_order"},
		"points":                   {"d", []string{"31.01.2024", "1.2.2024"}, "date:dmy date_order"},
		"two-digit years":          {"d", []string{"31/01/24", "01/02/99"}, "date:dmy date_order two_digit_years"},
		"named months":             {"d", []string{"12 Mar 2024", "3-Apr-24", "March 5, 2024", "Sept 1 2023", "5th May 2024"}, "date two_digit_years"},
		"weekdays":                 {"d", []string{"Mon, 12 Mar 2024", "Tuesday 13 March 2024"}, "date"},
		"months":                   {"d", []string{"2024-01", "2024-02"}, "date mixed_formats"},
		"compact days by name":     {"order_date", []string{"20240131", "20240201"}, "date mixed_formats"},
		"compact days by number":   {"x", repeat("20240131", 60), "date mixed_formats"},
		"eight digits":             {"x", []string{"20240131", "20249999"}, "integer"},
		"ISO among slashes":        {"d", []string{"01/31/1965", "1975-02-23T02:58:41.000Z", "02/01/1965"}, "timestamp:mdy zone_dropped date_order mixed_formats"},
		"timestamps":               {"t", []string{"2024-01-31 10:20:30", "2024-01-31T10:20:30.123456"}, "timestamp"},
		"timestamps and a day":     {"t", []string{"2024-01-31 10:20:30", "2024-01-31"}, "timestamp mixed_formats"},
		"nanoseconds":              {"t", []string{"2024-01-31 10:20:30.123456789"}, "timestamp fraction_cut"},
		"half days":                {"t", []string{"1/31/2024 3:04 PM", "1/2/2024 12:00 am"}, "timestamp:mdy date_order"},
		"UTC":                      {"t", []string{"2024-01-31T10:20:30Z", "2024-01-31 10:20:30 UTC"}, "timestamptz"},
		"offsets":                  {"t", []string{"2024-01-31T10:20:30+02:00", "2024-01-31 10:20:30 -0530"}, "timestamptz"},
		"offsets and none":         {"t", []string{"2024-01-31T10:20:30+02:00", "2024-01-31 10:20:30"}, "text"},
		"logs":                     {"t", []string{"31/Jan/2024:10:20:30 -0700"}, "timestamptz"},
		"mail":                     {"t", []string{"Wed, 31 Jan 2024 10:20:30 GMT"}, "timestamptz"},
		"unix":                     {"t", []string{"Wed Jan 31 10:20:30 2024"}, "timestamp"},
		"times of day":             {"t", []string{"10:20", "23:59:59"}, "text time_of_day"},
		"no such day":              {"d", []string{"2023-02-29", "2024-02-29"}, "text"},
		"versions":                 {"v", []string{"1.2.3", "1.10.0"}, "text"},

		"latitude":          {"lat", []string{"51.5", "-33.86"}, "float latitude"},
		"longitude":         {"pickup_longitude", []string{"0.12", "-179.99"}, "float longitude"},
		"not a latitude":    {"lat", []string{"151.5", "-33.86"}, "decimal(18,2)"},
		"whole coordinates": {"Longitude", []string{"12", "-45"}, "integer longitude"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := describe(inspectColumn(t, tc.column, tc.values, "")); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func words(n int) []string {
	var list []string
	for i := range n {
		list = append(list, strings.Repeat("x", i+1))
	}
	return list
}

// Any order of the rows and any place of the odd value gives the same type:
// all rows count, not a sample.
func TestInferenceLooksAtAllRows(t *testing.T) {
	for _, tc := range []struct{ usual, odd, want string }{
		{"12", "12.5", "decimal(18,1)"},
		{"12", "0012", "text leading_zeros"},
		{"12", "A12", "text mostly"},
		{"2024-01-01", "2024-01-01 10:00:00", "timestamp mixed_formats"},
		{"01/02/2024", "13/02/2024", "date:dmy date_order"},
		{"01/02/2024", "02/13/2024", "date:mdy date_order"},
		{"true", "perhaps", "text"},
	} {
		const rows = 40_000 // several batches
		for _, at := range []int{0, rows / 2, rows - 1} {
			values := repeat(tc.usual, rows)
			values[at] = tc.odd
			if got := describe(inspectColumn(t, "c", values, "")); got != tc.want {
				t.Errorf("%s with %s at %d: %s, want %s", tc.usual, tc.odd, at, got, tc.want)
			}
		}
	}
}

// Where no value decides, other columns of the file may suggest, not decide.
func TestSuggestionFromOtherColumns(t *testing.T) {
	text := "a;b;c;d\n01/02/2024;25/12/2024;1,5;1.234\n03/04/2024;01/01/2024;2,25;5.678\n"
	r := &ingest.Reader{Open: files.Open}
	inspection, err := r.Inspect(t.Context(), ingest.InspectRequest{Path: write(t, "f", text), Dir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	note := inspection.Columns[0].Notes[0]
	if note.Code != ingest.NoteAmbiguousDates || note.Suggested != "date:dmy" || len(note.Choices) != 2 {
		t.Errorf("note %+v", note)
	}
	if got := describe(inspection.Columns[3]); got != "integer:comma ambiguous_separator decimal_comma" {
		t.Errorf("column d: %s", got)
	}
}

func TestChosenTypes(t *testing.T) {
	for name, tc := range map[string]struct {
		values       []string
		choice, want string
	}{
		"an order":              {[]string{"01/02/2024", "13/04/2024"}, "date:dmy", "date:dmy"},
		"the other order":       {[]string{"01/02/2024", "13/04/2024"}, "date:mdy", "date:mdy 1 rejected"},
		"no order":              {[]string{"01/02/2024", "03/03/2024"}, "date", "date 1 rejected"},
		"text for numbers":      {[]string{"1", "2"}, "text", "text"},
		"a decimal that fits":   {[]string{"1.25", "2"}, "decimal(10,2)", "decimal(10,2)"},
		"a decimal too narrow":  {[]string{"1.255", "2"}, "decimal(10,2)", "decimal(10,2) 1 rejected"},
		"either mark":           {[]string{"41.20", "41,20", "1,234"}, "decimal:either", "decimal(18,3):either"},
		"integers with a point": {[]string{"1.0", "2.5"}, "integer", "integer 1 rejected"},
		"moments without zone":  {[]string{"2024-01-01 10:00:00"}, "timestamptz", "timestamptz:utc"},
		"codes as integers":     {[]string{"007", "8"}, "integer", "integer"},
		"one and zero":          {[]string{"1", "0"}, "boolean", "boolean"},
		"times cut off":         {[]string{"2024-01-01 10:00:00", "2024-01-01 00:00:00"}, "date", "date 1 rejected"},
		"a float out of range":  {[]string{"1e999", "1"}, "float", "float 1 rejected"},
		"compact days":          {[]string{"20240131"}, "date", "date"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := describe(inspectColumn(t, "c", tc.values, tc.choice)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestParseTypeChoice(t *testing.T) {
	for _, text := range []string{"integer", "decimal:comma", "decimal(18,2)", "decimal(18,2):either", "float:point", "date:dmy", "timestamptz:utc", "decimal:percent", "text"} {
		choice, err := ingest.ParseTypeChoice(text)
		if err != nil || choice.String() != text {
			t.Errorf("%s: %s, %v", text, choice, err)
		}
	}
	for _, text := range []string{"", "number", "date:comma", "decimal:dmy", "decimal(0,0)", "decimal(39,2)", "decimal(5,6)", "decimal(", "text:dmy", "integer(3)", "integer:percent", "date:dmy:"} {
		if choice, err := ingest.ParseTypeChoice(text); err == nil {
			t.Errorf("%s is accepted as %s", text, choice)
		}
	}
}
