package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/dataflowhq/dataflow/warehouse"
)

// answer is the rows of an answer as text, sorted: engines order texts
// differently, and their types differ where the values do not.
type answer []string

// differs says how an answer differs from the one that is wanted; empty where
// it does not.
func (a answer) differs(want answer) string {
	if len(a) != len(want) {
		return fmt.Sprintf("%d rows, not %d", len(a), len(want))
	}
	for i := range a {
		if a[i] != want[i] {
			return fmt.Sprintf("row %d is %q, not %q", i, a[i], want[i])
		}
	}
	return ""
}

// answerOf reads and closes rows.
func answerOf(rows *sql.Rows) (answer, error) {
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var a answer
	cells, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range cells {
		targets[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		a = append(a, rowText(cells))
	}
	slices.Sort(a)
	return a, rows.Err()
}

func answerOfResult(r *warehouse.Result) (answer, error) {
	var decoded struct {
		Rows    [][]any
		Sampled any
	}
	decoder := json.NewDecoder(bytes.NewReader(r.AppendJSON(nil)))
	decoder.UseNumber()
	if err := decoder.Decode(&decoded); err != nil {
		return nil, err
	}
	if decoded.Sampled != false {
		return nil, fmt.Errorf("the answer is an estimate: %v", decoded.Sampled)
	}
	var a answer
	for _, cells := range decoded.Rows {
		a = append(a, rowText(cells))
	}
	slices.Sort(a)
	return a, nil
}

func rowText(cells []any) string {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = cellText(c)
	}
	return strings.Join(texts, " | ")
}

// cellText writes a value in one way for all engines: numbers with nine digits,
// since sums of floats depend on their order; times in UTC, midnight as a date.
func cellText(cell any) string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', 9, 64) }
	switch v := cell.(type) {
	case nil:
		return "null"
	case time.Time:
		return strings.TrimSuffix(v.UTC().Format("2006-01-02T15:04:05.999999"), "T00:00:00")
	case duckdb.Decimal:
		return number(v.Float64())
	case float32:
		return number(float64(v))
	case []byte:
		return cellText(string(v))
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return number(f)
		}
		for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05.999999", time.RFC3339Nano} {
			if at, err := time.Parse(layout, v); err == nil {
				return cellText(at)
			}
		}
		return v
	}
	return cellText(fmt.Sprint(cell))
}
