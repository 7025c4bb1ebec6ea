package segments

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Profile describes the values of one column of a dataset.
type Profile struct {
	ColumnID int32 `json:"column_id"`
	Rows     int64 `json:"rows"`
	Nulls    int64 `json:"nulls"`
	Distinct int64 `json:"distinct"` // exact, nulls not counted
	// Bounds has the smallest and the largest value. Text is compared by bytes.
	Bounds Range `json:"bounds"`
	// Mean is nil unless the column holds numbers.
	Mean *float64 `json:"mean,omitempty"`
	// Top are the most frequent values, most frequent first; ties by value.
	Top []ValueCount `json:"top,omitempty"`
	// Histogram has bins of equal width from the smallest to the largest
	// value, for numbers, dates and timestamps.
	Histogram []Bin `json:"histogram,omitempty"`
}

// ValueCount is one value and how many rows have it. Value is canonical text:
// digits, "true", "2006-01-02", "2006-01-02 15:04:05.999999" (UTC for
// TimestampTZ).
type ValueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Bin is one bar of a histogram: From is included, To too in the last bin.
// Dates count in days and timestamps in microseconds since 1970.
type Bin struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Count int64   `json:"count"`
}

const (
	topValues     = 10
	histogramBins = 20
)

// Profile describes columns over the files of a dataset, in the order of
// columns.
func (w *Writer) Profile(ctx context.Context, columns []Column, files []string) ([]Profile, error) {
	profiles := make([]Profile, len(columns))
	for i, c := range columns {
		profiles[i].ColumnID = c.ID
		if len(files) == 0 {
			continue
		}
		if err := w.profileColumn(ctx, &profiles[i], c, files); err != nil {
			return nil, fmt.Errorf("profile column %d: %w", c.ID, classify(err))
		}
	}
	return profiles, nil
}

// Repeated answers, as text, a value of a column that added files have more
// than once or share with the kept ones. What the kept ones repeat among
// themselves is not looked for.
func (w *Writer) Repeated(ctx context.Context, c Column, kept, added []string) (value string, found bool, err error) {
	if len(added) == 0 {
		return "", false, nil
	}
	name, rows := ColumnName(c.ID), From([]Column{c}, added, "")
	query := fmt.Sprintf("SELECT %[1]s AS v FROM %[2]s WHERE %[1]s IS NOT NULL GROUP BY v HAVING count(*) > 1", name, rows)
	if len(kept) > 0 {
		query += fmt.Sprintf(" UNION ALL SELECT %[1]s FROM %[2]s WHERE %[1]s IN (SELECT %[1]s FROM %[3]s WHERE %[1]s IS NOT NULL)", name, From([]Column{c}, kept, ""), rows)
	}
	err = w.db.QueryRowContext(ctx, "SELECT CAST(v AS VARCHAR) FROM ("+query+") LIMIT 1").Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("find repeated values: %w", classify(err))
	}
	return value, true, nil
}

func (w *Writer) profileColumn(ctx context.Context, p *Profile, c Column, files []string) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Counting by value first makes all the rest cheap and exact.
	_, err = conn.ExecContext(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE counted AS SELECT %s AS v, count(*) AS n FROM %s GROUP BY v",
		ColumnName(c.ID), From([]Column{c}, files, "")))
	if err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS counted") }()
	value := numeric(c)
	var low, high sql.NullString
	var mean sql.NullFloat64
	err = conn.QueryRowContext(ctx, fmt.Sprintf(`SELECT coalesce(sum(n), 0)::BIGINT, coalesce(sum(n) FILTER (v IS NULL), 0)::BIGINT,
		count(v), min(v)::VARCHAR, max(v)::VARCHAR, sum(x * n) FILTER (isfinite(x)) / sum(n) FILTER (isfinite(x))
		FROM (SELECT v, n, %s AS x FROM counted)`, value)).Scan(&p.Rows, &p.Nulls, &p.Distinct, &low, &high, &mean)
	if err != nil {
		return err
	}
	if low.Valid && high.Valid {
		p.Bounds, _ = rangeOf(c, low.String, high.String)
	}
	p.Bounds.Nulls = p.Nulls
	if mean.Valid && (c.Type == Integer || c.Type == Decimal || c.Type == Float) {
		p.Mean = &mean.Float64
	}
	if err := profileTop(ctx, conn, p); err != nil {
		return err
	}
	if c.Type == Text || c.Type == Boolean {
		return nil
	}
	return profileHistogram(ctx, conn, p, value)
}

// numeric is SQL that makes a DOUBLE of v.
func numeric(c Column) string {
	switch c.Type {
	case Text, Boolean:
		return "NULL::DOUBLE"
	case Date:
		return "(v - DATE '1970-01-01')::DOUBLE"
	case Timestamp, TimestampTZ:
		return "epoch_us(v)::DOUBLE"
	}
	return "v::DOUBLE"
}

func profileTop(ctx context.Context, conn *sql.Conn, p *Profile) error {
	rows, err := conn.QueryContext(ctx, fmt.Sprintf(
		"SELECT CAST(v AS VARCHAR), n FROM counted WHERE v IS NOT NULL ORDER BY n DESC, v LIMIT %d", topValues))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v ValueCount
		if err := rows.Scan(&v.Value, &v.Count); err != nil {
			return err
		}
		v.Value = strings.TrimSuffix(v.Value, "+00")
		p.Top = append(p.Top, v)
	}
	return rows.Err()
}

func profileHistogram(ctx context.Context, conn *sql.Conn, p *Profile, value string) error {
	var low, high sql.NullFloat64
	err := conn.QueryRowContext(ctx, fmt.Sprintf(
		"SELECT min(x), max(x) FROM (SELECT %s AS x FROM counted) WHERE isfinite(x)", value)).Scan(&low, &high)
	if err != nil || !low.Valid {
		return err
	}
	bins := histogramBins
	width := (high.Float64 - low.Float64) / float64(bins)
	if width == 0 || math.IsInf(width, 0) {
		bins, width = 1, 1
	}
	p.Histogram = make([]Bin, bins)
	for i := range p.Histogram {
		p.Histogram[i].From = low.Float64 + float64(i)*width
		p.Histogram[i].To = low.Float64 + float64(i+1)*width
	}
	p.Histogram[bins-1].To = high.Float64
	rows, err := conn.QueryContext(ctx, fmt.Sprintf(
		"SELECT greatest(least(floor((x - ?) / ?), ?), 0)::INTEGER AS bin, sum(n)::BIGINT FROM (SELECT %s AS x, n FROM counted) WHERE isfinite(x) GROUP BY bin",
		value), low.Float64, width, bins-1)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var bin int
		var n int64
		if err := rows.Scan(&bin, &n); err != nil {
			return err
		}
		p.Histogram[bin].Count = n
	}
	return rows.Err()
}
