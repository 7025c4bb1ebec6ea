package main

// widgetQuery is one typical widget in three languages that must give the same
// answer: the spec, DuckDB SQL tuned by hand on the same segment files, and
// PostgreSQL on the same rows.
//
// The SQL for DuckDB is the fastest of several ways that were tried for each
// query. Grouping by a stored column or bucket first and then by what is wanted
// of the few groups is two to three times faster than grouping by the
// expression, because DuckDB then groups by the dictionary.
type widgetQuery struct {
	name        string
	spec        string
	duck        string // {t} is the scan of the segments; columns are c<ID>, quarter-hour buckets b<ID>
	postgres    string
	aggregation bool // counts for the ratio to PostgreSQL
}

// The flights were loaded with these column ids: 1 date, 2 delay, 3 distance,
// 4 origin, 5 destination; the airports with 1 iata and 4 state.
var flightQueries = []widgetQuery{
	{
		name:        "totals",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"},{"fn":"avg","column":"delay","as":"mean_delay"},{"fn":"sum","column":"distance","as":"distance"}],
			"filters":[{"column":"date","op":"between","from":"2001-04-01","to":"2001-06-30"}]}`,
		// Buckets of 2001-04-01 and 2001-07-01.
		duck: `SELECT count(*), avg(c2), sum(c3) FROM {t} WHERE b1 >= 1095648 AND b1 < 1104384`,
		postgres: `SELECT count(*), avg(delay)::float8, sum(distance) FROM flights
			WHERE date >= '2001-04-01' AND date < '2001-07-01'`,
	},
	{
		name:        "share on time",
		aggregation: true,
		spec:        `{"dataset":"flights","measures":[{"fn":"ratio","as":"on_time","numerator":{"fn":"count","filters":[{"column":"delay","op":"<=","values":[15]}]},"denominator":{"fn":"count"}}]}`,
		duck:        `SELECT count(*) FILTER (c2 <= 15) / count(*) FROM {t}`,
		postgres:    `SELECT (count(*) FILTER (WHERE delay <= 15))::float8 / count(*) FROM flights`,
	},
	{
		name:        "by day",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"},{"fn":"avg","column":"delay","as":"mean_delay"}],
			"dimensions":[{"column":"date","grain":"day","as":"day"}],"order":[{"by":"day"}]}`,
		duck: `SELECT DATE '1970-01-01' + b // 96 AS day, sum(n)::BIGINT, sum(s) / sum(k)
			FROM (SELECT b1 AS b, count(*) AS n, sum(c2) AS s, count(c2) AS k FROM {t} GROUP BY 1) GROUP BY 1 ORDER BY 1`,
		postgres: `SELECT date::date, count(*), avg(delay)::float8 FROM flights GROUP BY 1 ORDER BY 1`,
	},
	{
		name:        "top 10 origins",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"}],"dimensions":[{"column":"origin"}],
			"order":[{"by":"n","desc":true}],"limit":10}`,
		duck:     `SELECT c4, count(*) AS n FROM {t} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`,
		postgres: `SELECT origin, count(*) AS n FROM flights GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`,
	},
	{
		name:        "filtered top 10",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"},{"fn":"avg","column":"delay","as":"mean_delay"}],
			"dimensions":[{"column":"destination"}],"filters":[{"column":"origin","op":"in","values":["ORD","MDW","ATL"]}],
			"order":[{"by":"n","desc":true}],"limit":10}`,
		duck: `SELECT c5, count(*) AS n, avg(c2) FROM {t} WHERE c4 IN ('ORD', 'MDW', 'ATL')
			GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`,
		postgres: `SELECT destination, count(*) AS n, avg(delay)::float8 FROM flights
			WHERE origin IN ('ORD', 'MDW', 'ATL') GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`,
	},
	{
		name:        "weekday by hour",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"avg","column":"delay","as":"mean_delay"}],
			"dimensions":[{"column":"date","grain":"weekday","as":"weekday"},{"column":"date","grain":"hour_of_day","as":"hour"}]}`,
		duck: `SELECT (b // 96 + 3) % 7 + 1, b // 4 % 24, sum(s) / sum(k)
			FROM (SELECT b1 AS b, sum(c2) AS s, count(c2) AS k FROM {t} GROUP BY 1) GROUP BY ALL`,
		postgres: `SELECT extract(isodow FROM date), extract(hour FROM date), avg(delay)::float8 FROM flights GROUP BY 1, 2`,
	},
	{
		name:        "weeks of five origins",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"}],
			"dimensions":[{"column":"date","grain":"week","as":"week"},{"column":"origin"}],
			"filters":[{"column":"origin","op":"in","values":["ATL","ORD","DFW","LAX","PHX"]}]}`,
		duck: `SELECT DATE '1970-01-01' + ((b1 // 96 + 3) // 7 * 7 - 3) AS week, c4, count(*) FROM {t}
			WHERE c4 IN ('ATL', 'ORD', 'DFW', 'LAX', 'PHX') GROUP BY ALL`,
		postgres: `SELECT date_trunc('week', date), origin, count(*) FROM flights
			WHERE origin IN ('ATL', 'ORD', 'DFW', 'LAX', 'PHX') GROUP BY 1, 2`,
	},
	{
		name:        "histogram of distance",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"}],"dimensions":[{"column":"distance","bin":250,"as":"from"}],
			"order":[{"by":"from"}]}`,
		duck:     `SELECT c3 // 250 * 250 AS f, sum(n)::BIGINT FROM (SELECT c3, count(*) AS n FROM {t} GROUP BY 1) GROUP BY 1 ORDER BY 1`,
		postgres: `SELECT distance / 250 * 250 AS f, count(*) FROM flights GROUP BY 1 ORDER BY 1`,
	},
	{
		name:        "states by lookup",
		aggregation: true,
		spec: `{"dataset":"flights","measures":[{"fn":"count","as":"n"},{"fn":"avg","column":"delay","as":"mean_delay"}],
			"dimensions":[{"column":"origin_airport.state","as":"state"}],"order":[{"by":"n","desc":true}],"limit":10}`,
		duck: `SELECT a.c4, sum(n)::BIGINT AS n, sum(s) / sum(k) FROM
			(SELECT c4, count(*) AS n, sum(c2) AS s, count(c2) AS k FROM {t} GROUP BY 1) f LEFT JOIN {airports} a ON a.c1 = f.c4
			GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`,
		postgres: `SELECT a.state, count(*) AS n, avg(f.delay)::float8 FROM flights f LEFT JOIN airports a ON a.iata = f.origin
			GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10`,
	},
	{
		name: "newest rows of one origin",
		spec: `{"dataset":"flights","columns":["date","origin","destination","delay","distance"],
			"filters":[{"column":"origin","op":"in","values":["ORD"]}],"order":[{"by":"date","desc":true}],"limit":50}`,
		// Whoever knows the data knows that two days have more than 50.
		duck: `SELECT c1, c4, c5, c2, c3 FROM {t} WHERE c4 = 'ORD' AND c1 >= TIMESTAMP '2001-06-29'
			ORDER BY c1 DESC, c4, c5, c2, c3 LIMIT 50`,
		postgres: `SELECT date, origin, destination, delay, distance FROM flights
			WHERE origin = 'ORD' ORDER BY date DESC, origin, destination, delay, distance LIMIT 50`,
	},
}

// The sales were loaded with these column ids: 1 sold_at (with zone), 2 store,
// 3 product, 4 category, 5 channel, 6 quantity, 7 amount, 8 returned.
var salesQueries = []widgetQuery{
	{
		name:        "totals",
		aggregation: true,
		spec: `{"dataset":"sales","measures":[{"fn":"count","as":"n"},{"fn":"sum","column":"amount","as":"amount"}],
			"filters":[{"column":"sold_at","op":"between","from":"2025-04-01","to":"2025-06-30"}]}`,
		// Buckets of 2025-04-01 and 2025-07-01.
		duck: `SELECT count(*), sum(c7) FROM {t} WHERE b1 >= 1937184 AND b1 < 1945920`,
		postgres: `SELECT count(*), sum(amount) FROM sales
			WHERE sold_at >= '2025-04-01 00:00:00+00' AND sold_at < '2025-07-01 00:00:00+00'`,
	},
	{
		name:        "share returned",
		aggregation: true,
		spec:        `{"dataset":"sales","measures":[{"fn":"ratio","as":"returned","numerator":{"fn":"count","filters":[{"column":"returned","op":"=","values":[true]}]},"denominator":{"fn":"count"}}]}`,
		duck:        `SELECT count(*) FILTER (c8) / count(*) FROM {t}`,
		postgres:    `SELECT (count(*) FILTER (WHERE returned))::float8 / count(*) FROM sales`,
	},
	{
		name:        "by day in UTC",
		aggregation: true,
		spec: `{"dataset":"sales","timezone":"UTC","measures":[{"fn":"sum","column":"amount","as":"amount"}],
			"dimensions":[{"column":"sold_at","grain":"day","as":"day"}],"order":[{"by":"day"}]}`,
		duck:     `SELECT DATE '1970-01-01' + b // 96 AS day, sum(s) FROM (SELECT b1 AS b, sum(c7) AS s FROM {t} GROUP BY 1) GROUP BY 1 ORDER BY 1`,
		postgres: `SELECT (sold_at AT TIME ZONE 'UTC')::date, sum(amount) FROM sales GROUP BY 1 ORDER BY 1`,
	},
	{
		name:        "by day in London",
		aggregation: true,
		spec: `{"dataset":"sales","timezone":"Europe/London","measures":[{"fn":"sum","column":"amount","as":"amount"}],
			"dimensions":[{"column":"sold_at","grain":"day","as":"day"}],"order":[{"by":"day"}]}`,
		// Summer time ended at bucket 1922212 (27 October 2024, 01:00 UTC), was on
		// again from 1936996 to 1957156 and from 1971940 (29 March 2026).
		duck: `SELECT DATE '1970-01-01' + (b + CASE WHEN b < 1922212 OR b >= 1936996 AND b < 1957156 OR b >= 1971940 THEN 4 ELSE 0 END) // 96 AS day,
			sum(s) FROM (SELECT b1 AS b, sum(c7) AS s FROM {t} GROUP BY 1) GROUP BY 1 ORDER BY 1`,
		postgres: `SELECT (sold_at AT TIME ZONE 'Europe/London')::date, sum(amount) FROM sales GROUP BY 1 ORDER BY 1`,
	},
	{
		name:        "top 10 products",
		aggregation: true,
		spec: `{"dataset":"sales","measures":[{"fn":"sum","column":"amount","as":"amount"}],"dimensions":[{"column":"product"}],
			"order":[{"by":"amount","desc":true}],"limit":10}`,
		duck:     `SELECT c3, sum(c7) AS a FROM {t} GROUP BY 1 ORDER BY a DESC, 1 LIMIT 10`,
		postgres: `SELECT product, sum(amount) AS a FROM sales GROUP BY 1 ORDER BY a DESC, 1 LIMIT 10`,
	},
	{
		name:        "filtered by category",
		aggregation: true,
		spec: `{"dataset":"sales","measures":[{"fn":"sum","column":"amount","as":"amount"},{"fn":"count","as":"n"}],
			"dimensions":[{"column":"channel"}],"filters":[{"column":"category","op":"in","values":["Footwear","Outerwear"]}],
			"order":[{"by":"amount","desc":true}]}`,
		duck:     `SELECT c5, sum(c7) AS a, count(*) FROM {t} WHERE c4 IN ('Footwear', 'Outerwear') GROUP BY 1 ORDER BY a DESC`,
		postgres: `SELECT channel, sum(amount) AS a, count(*) FROM sales WHERE category IN ('Footwear', 'Outerwear') GROUP BY 1 ORDER BY a DESC`,
	},
	{
		name:        "weeks by channel",
		aggregation: true,
		spec: `{"dataset":"sales","measures":[{"fn":"sum","column":"amount","as":"amount"}],
			"dimensions":[{"column":"sold_at","grain":"week","as":"week"},{"column":"channel"}]}`,
		duck:     `SELECT DATE '1970-01-01' + ((b1 // 96 + 3) // 7 * 7 - 3) AS week, c5, sum(c7) FROM {t} GROUP BY ALL`,
		postgres: `SELECT date_trunc('week', sold_at AT TIME ZONE 'UTC'), channel, sum(amount) FROM sales GROUP BY 1, 2`,
	},
	{
		name:        "distinct products by store",
		aggregation: true,
		spec: `{"dataset":"sales","measures":[{"fn":"count_distinct","column":"product","as":"products"},{"fn":"avg","column":"quantity","as":"quantity"}],
			"dimensions":[{"column":"store"}],"order":[{"by":"store"}]}`,
		duck:     `SELECT c2, count(DISTINCT c3), avg(c6) FROM {t} GROUP BY 1 ORDER BY 1`,
		postgres: `SELECT store, count(DISTINCT product), avg(quantity)::float8 FROM sales GROUP BY 1 ORDER BY 1`,
	},
	{
		name:        "median amount by category",
		aggregation: true,
		spec: `{"dataset":"sales","measures":[{"fn":"median","column":"amount","as":"median"}],"dimensions":[{"column":"category"}],
			"order":[{"by":"category"}]}`,
		// Without more places DuckDB rounds a median of decimals to their scale.
		duck:     `SELECT c4, median(c7::DECIMAL(18,6)) FROM {t} GROUP BY 1 ORDER BY 1`,
		postgres: `SELECT category, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount::float8) FROM sales GROUP BY 1 ORDER BY 1`,
	},
	{
		name: "newest rows of one store",
		spec: `{"dataset":"sales","columns":["sold_at","store","product","channel","quantity","amount"],
			"filters":[{"column":"store","op":"in","values":[17]}],"order":[{"by":"sold_at","desc":true}],"limit":50}`,
		// Whoever knows the data knows that two days have more than 50.
		duck: `SELECT c1, c2, c3, c5, c6, c7 FROM {t} WHERE c2 = 17 AND c1 >= TIMESTAMPTZ '2026-06-29 00:00:00+00'
			ORDER BY c1 DESC, c2, c3, c5, c6, c7 LIMIT 50`,
		postgres: `SELECT sold_at, store, product, channel, quantity, amount FROM sales
			WHERE store = 17 ORDER BY sold_at DESC, store, product, channel, quantity, amount LIMIT 50`,
	},
}
