package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// AppendRequest is a few rows to add at once: events as they happen.
type AppendRequest struct {
	// Key names the append; a second one with the same key does nothing and
	// answers what the first did. Empty for none.
	Key     string
	Columns []string // names; columns of the dataset that are left out stay empty
	// Rows have one value a column: nil, bool, string, json.Number, time.Time,
	// or any integer or float of Go.
	Rows [][]any
}

// Appended is what an append did.
type Appended struct {
	Version  int64
	Rows     int64
	Repeated bool // the key was known: nothing was done now
}

const maxAppendRows = 50_000

// AppendRows adds a few rows within milliseconds, all or none.
//
// Errors: datasets.not_found, datasets.rows_invalid, datasets.busy,
// datasets.lookup_not_unique, access.forbidden.
func (s *Service) AppendRows(ctx context.Context, actor access.Actor, id ids.Dataset, request AppendRequest) (Appended, error) {
	if err := access.Can(actor, access.ManageData); err != nil {
		return Appended{}, err
	}
	if len(request.Rows) > maxAppendRows {
		return Appended{}, ErrRowsInvalid.With("At most %d rows can be added at once. Load a file for more.", maxAppendRows)
	}
	if n := len(request.Key); n > 200 || !utf8.ValidString(request.Key) || strings.ContainsRune(request.Key, 0) {
		return Appended{}, ErrRowsInvalid.With("The key of an append has at most 200 bytes of text.")
	}
	for attempt := 1; ; attempt++ {
		appended, err := s.appendRows(ctx, actor, id, request)
		if errors.Is(err, errStale) && attempt < 2*maxPrepares {
			continue
		}
		if errors.Is(err, errStale) {
			return Appended{}, ErrBusy.Wrap(err)
		}
		return appended, err
	}
}

func (s *Service) appendRows(ctx context.Context, actor access.Actor, id ids.Dataset, request AppendRequest) (Appended, error) {
	d, targeted, known, err := s.appendTarget(ctx, actor, id, request.Key)
	if err != nil || known != nil {
		if known != nil {
			return *known, err
		}
		return Appended{}, err
	}
	if len(request.Rows) == 0 {
		return Appended{Version: d.Version}, nil
	}
	rows, err := rowsOf(d, request.Columns, request.Rows)
	if err != nil {
		return Appended{}, err
	}
	stage, removeStage, err := s.stage(ctx)
	if err != nil {
		return Appended{}, err
	}
	defer removeStage()
	written, err := s.writer.WriteRows(ctx, filepath.Join(stage, "append.parquet"), layoutOf(d), rows)
	if err != nil {
		return Appended{}, fmt.Errorf("write rows: %w", err)
	}
	c := change{kind: ChangeAppend, revision: d.Revision, written: written.Rows, short: true, appendKey: request.Key}
	if targeted {
		_, live, err := s.current(ctx, actor, id)
		if err != nil {
			return Appended{}, err
		}
		if err := s.checkTargets(ctx, actor, id, &c, live, []segments.File{written}); err != nil {
			return Appended{}, err
		}
	}
	if c.add, err = s.publish(ctx, actor.TenantID, id, []segments.File{written}); err != nil {
		return Appended{}, err
	}
	version, err := s.commit(ctx, actor, id, c)
	return Appended{Version: version, Rows: written.Rows}, err
}

// appendTarget reads what an append needs to know: the columns, whether other
// datasets look up in this one, and what an append with the same key did, nil
// when there was none. A change of the definition after this is noticed when
// the append commits.
func (s *Service) appendTarget(ctx context.Context, actor access.Actor, id ids.Dataset, key string) (d Dataset, targeted bool, known *Appended, err error) {
	err = s.inTx(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.DatasetGet(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return getError(id, err)
		}
		if key != "" {
			earlier, err := tx.AppendGet(ctx, tx.TenantID, id.UUID(), key)
			if err == nil {
				known = &Appended{Version: earlier.Version, Rows: earlier.RowCount, Repeated: true}
				return nil
			}
			if !db.IsNoRows(err) {
				return fmt.Errorf("find append: %w", err)
			}
		}
		d = datasetOf(row)
		columns, err := tx.ColumnListLive(ctx, tx.TenantID, row.DatasetID)
		if err != nil {
			return fmt.Errorf("list columns of %s: %w", id, err)
		}
		for _, c := range columns {
			column, err := columnOf(db.ColumnListRow(c))
			if err != nil {
				return err
			}
			d.Columns = append(d.Columns, column)
		}
		lookups, err := tx.LookupListTargeting(ctx, tx.TenantID, row.DatasetID)
		if err != nil {
			return fmt.Errorf("list lookups of others: %w", err)
		}
		targeted = len(lookups) > 0
		return nil
	})
	return d, targeted, known, err
}

// rowsOf turns values into vectors of the columns' types.
//
// Errors: datasets.rows_invalid, datasets.column_not_found.
func rowsOf(d Dataset, names []string, values [][]any) (segments.Rows, error) {
	rows := segments.Rows{Count: len(values)}
	seen := map[int32]bool{}
	for _, name := range names {
		c, ok := d.ColumnByName(name)
		if !ok {
			return rows, ErrColumnNotFound.With("“%s” has no column “%s”.", d.Name, name)
		}
		if seen[c.ID] {
			return rows, ErrRowsInvalid.With("The column “%s” is named twice.", name)
		}
		seen[c.ID] = true
		rows.Columns = append(rows.Columns, segmentColumn(c))
		rows.Vectors = append(rows.Vectors, segments.Vector{})
	}
	for i, row := range values {
		if len(row) != len(names) {
			return rows, ErrRowsInvalid.With("Row %d has %d values for %d columns.", i+1, len(row), len(names))
		}
		for j, value := range row {
			if err := add(&rows.Vectors[j], rows.Columns[j], i, len(values), value); err != nil {
				return rows, ErrRowsInvalid.With("Row %d: the value of “%s” is not %s.", i+1, names[j], typeName(rows.Columns[j])).Wrap(err)
			}
		}
	}
	return rows, nil
}

var errValue = errors.New("value does not fit its column")

func add(v *segments.Vector, c segments.Column, i, count int, value any) error {
	null := value == nil
	if null && v.Nulls == nil {
		v.Nulls = make([]bool, count)
	}
	if null {
		v.Nulls[i] = true
	}
	var err error
	switch c.Type {
	case segments.Float:
		var f float64
		if !null {
			f, err = floatOf(value)
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			err = errValue
		}
		v.Floats = append(v.Floats, f)
	case segments.Text, segments.Decimal:
		var t string
		switch {
		case null && c.Type == segments.Decimal:
			t = "0"
		case null:
		case c.Type == segments.Decimal:
			t, err = decimalOf(value, c)
		default:
			t, err = textOf(value)
		}
		v.Texts = append(v.Texts, t)
	default:
		var n int64
		if !null {
			n, err = wholeOf(value, c.Type)
		}
		v.Ints = append(v.Ints, n)
	}
	return err
}

func floatOf(value any) (float64, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case float32:
		return float64(v), nil
	case json.Number:
		return v.Float64()
	case string:
		return strconv.ParseFloat(v, 64)
	}
	n, err := integerOf(value)
	return float64(n), err
}

func integerOf(value any) (int64, error) {
	switch v := value.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case int32:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case uint8:
		return int64(v), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	case json.Number:
		return strconv.ParseInt(v.String(), 10, 64)
	case string:
		return strconv.ParseInt(v, 10, 64)
	}
	return 0, errValue
}

func textOf(value any) (string, error) {
	switch v := value.(type) {
	case string:
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return "", errValue
		}
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	n, err := integerOf(value)
	return strconv.FormatInt(n, 10), err
}

var decimalPattern = regexp.MustCompile(`^[+-]?(\d{1,38}(\.\d{0,38})?|\.\d{1,38})$`)

// decimalOf answers exact digits, refusing what the column would have to round.
func decimalOf(value any, c segments.Column) (string, error) {
	text, err := textOf(value)
	if err != nil || !decimalPattern.MatchString(text) {
		return "", errValue
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", errValue
	}
	scaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Scale)), nil)))
	if !scaled.IsInt() || len(new(big.Int).Abs(scaled.Num()).String()) > int(c.Precision) {
		return "", errValue
	}
	return exact.FloatString(int(c.Scale)), nil
}

var (
	dateLayouts      = []string{time.DateOnly}
	timestampLayouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}
	zonedLayouts     = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00"}
)

// wholeOf answers integers, booleans, dates and timestamps as segments have them.
func wholeOf(value any, t segments.Type) (int64, error) {
	switch t {
	case segments.Integer:
		return integerOf(value)
	case segments.Boolean:
		return booleanOf(value)
	}
	at, ok := value.(time.Time)
	if text, isText := value.(string); isText {
		layouts := map[segments.Type][]string{
			segments.Date: dateLayouts, segments.Timestamp: timestampLayouts, segments.TimestampTZ: zonedLayouts,
		}[t]
		for _, layout := range layouts {
			parsed, err := time.Parse(layout, text)
			if err == nil {
				at, ok = parsed, true
				break
			}
		}
	}
	if !ok || at.Year() < 1 || at.Year() > 9999 {
		return 0, errValue
	}
	switch t {
	case segments.Date:
		y, m, d := at.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400, nil
	case segments.Timestamp: // the wall clock as it is
		y, m, d := at.Date()
		at = time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	}
	return at.UnixMicro(), nil
}

func booleanOf(value any) (int64, error) {
	if text, ok := value.(string); ok {
		parsed, err := strconv.ParseBool(text)
		if err != nil {
			return 0, errValue
		}
		value = parsed
	}
	b, ok := value.(bool)
	switch {
	case !ok:
		return 0, errValue
	case b:
		return 1, nil
	}
	return 0, nil
}
