package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dataflowhq/dataflow/platform/devstack"
	"github.com/dataflowhq/dataflow/warehouse"
)

const (
	exportedRows     = 5_000_000
	printedWarm      = 40  // PDFs that are counted
	scheduledReports = 200 // due at one moment
	settledReports   = 20  // after which memory must be flat
	dueSchedules     = 10_000
)

// benchExports writes 5 M sales as CSV, as a person would get them, and as bare
// DuckDB's COPY does, in turns.
func benchExports(ctx context.Context, o *options, out *report) error {
	sales, err := ingestSales(ctx, o, exportedRows, "exported")
	if err != nil {
		return err
	}
	engine := newEngine(o, filepath.Join(o.work, "engine"))
	defer engine.Close()
	file := filepath.Join(o.work, "exported.out")
	defer os.Remove(file)
	query := warehouse.Query{Dataset: sales, Stored: true, Exact: true, Spec: warehouse.Spec{Dataset: sales.Name, Timezone: "UTC"}}
	var columns []string
	for _, c := range sales.Columns {
		query.Spec.Columns = append(query.Spec.Columns, c.Name)
		columns = append(columns, fmt.Sprintf("c%d", c.ID))
	}
	export := func(zone string, x warehouse.Export) func() error {
		return func() error {
			to, err := os.Create(file)
			if err != nil {
				return err
			}
			q := query
			q.Spec.Timezone = zone
			n, err := engine.Export(ctx, q, x, to)
			if err = errors.Join(err, to.Close()); err == nil && n != exportedRows {
				err = fmt.Errorf("%d rows were written", n)
			}
			return err
		}
	}
	plain := warehouse.Export{Format: warehouse.ExportCSV}
	// The first question opens what every question needs.
	if _, err := engine.Run(ctx, warehouse.Query{Dataset: sales, Exact: true, Spec: warehouse.Spec{Dataset: sales.Name, Measures: []warehouse.Measure{{Fn: "sum", Column: "amount", As: "a"}}}}); err != nil {
		return err
	}
	before := residentBytes(os.Getpid())
	peak, err := peakDuring(export("UTC", plain))
	if err != nil {
		return err
	}
	peer, err := openDuck(ctx)
	if err != nil {
		return err
	}
	defer peer.close()
	// What was written is what is there.
	var rows, total, want string
	if err := peer.conn.QueryRowContext(ctx, "SELECT count(*)::text, sum(amount::decimal(18,2))::text FROM read_csv('"+file+"', all_varchar = true, header = true)").Scan(&rows, &total); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	if err := peer.conn.QueryRowContext(ctx, "SELECT sum(c7)::text FROM "+scan(sales)).Scan(&want); err != nil {
		return err
	}
	if rows != strconv.Itoa(exportedRows) || total != want {
		return fmt.Errorf("the export has %s rows that sum to %s, not %s", rows, total, want)
	}
	bare := func(options string) func() error {
		return func() error {
			_, err := peer.conn.ExecContext(ctx, "COPY (SELECT "+strings.Join(columns, ", ")+" FROM "+scan(sales)+") TO '"+filepath.Join(o.work, "bare.out")+"' ("+options+")")
			return err
		}
	}
	defer os.Remove(filepath.Join(o.work, "bare.out"))
	repeat := min(o.repeat, 5)
	for _, kind := range []struct {
		name  string
		bare  string
		ours  func() error
		least float64 // 0 for no target
	}{
		{"CSV", "FORMAT csv, HEADER", export("UTC", plain), 0.5},
		{"CSV for Excel in German, Berlin's clock", "FORMAT csv, HEADER", export("Europe/Berlin", warehouse.Export{Format: warehouse.ExportCSV, BOM: true, Separator: ';', Point: ','}), 0},
		{"Parquet", "FORMAT parquet, COMPRESSION zstd", export("UTC", warehouse.Export{Format: warehouse.ExportParquet}), 0},
	} {
		all, err := pairs(repeat, bare(kind.bare), kind.ours)
		if err != nil {
			return err
		}
		theirs, ours := mediansOf(all)
		name := "reports: " + kind.name + " of 5 M rows, "
		out.add(name+"wall", ours.wall.Seconds(), "s")
		f := out.figure(name + "speed of ours / bare DuckDB COPY")
		if kind.least > 0 {
			f.atLeast(ratio(theirs.wall, ours.wall), "×", kind.least)
		} else {
			f.add(ratio(theirs.wall, ours.wall), "×")
		}
	}
	out.atMost("reports: CSV of 5 M rows, growth of memory", float64(peak-before)/1e6, "MB", 100)
	return nil
}

// peakDuring is the most resident memory that this process has during work.
func peakDuring(work func() error) (int64, error) {
	var peak atomic.Int64
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			peak.Store(max(peak.Load(), residentBytes(os.Getpid())))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	err := work()
	close(done)
	watching.Wait()
	return peak.Load(), err
}

var perOperation = regexp.MustCompile(`BenchmarkThousandAlerts\S*\s+\d+\s+([\d.]+) ns/op`)

// benchAlerts runs the benchmark that stands with the alerts' tests: a change of
// a dataset, then 1,000 alerts on it evaluated with their states written.
func benchAlerts(ctx context.Context, o *options, out *report) error {
	c := exec.CommandContext(ctx, "go", "test", "./domain/alerts", "-run", "^$", "-bench", "ThousandAlerts", "-benchtime", "5x")
	c.Dir = o.root
	text, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	m := perOperation.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("no figure in %s", text)
	}
	ns, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return err
	}
	out.atMost("reports: 1,000 alerts on one dataset evaluated after a change", ns/1e9, "s", 2)
	return nil
}

// onDemo is a section that asks a server of the demo for documents of a page of
// ten widgets. The demo is loaded once a run.
func onDemo(measure func(*printing, context.Context) error) func(context.Context, *options, *report) error {
	return func(ctx context.Context, o *options, out *report) error {
		dataDir := filepath.Join(o.work, "demo")
		seeded, err := startServer(ctx, o, dataDir, "--demo")
		if err != nil {
			return err
		}
		seeded.stop()
		// Somebody else keeps PostgreSQL and Redis running, so that the server's
		// process tree is its own and its browser's.
		lease, err := devstack.Use(ctx, devstack.Options{DataDir: dataDir, Postgres: true, Redis: true, Command: []string{o.binary}})
		if err != nil {
			return err
		}
		defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }()
		s, err := startServer(ctx, o, dataDir)
		if err != nil {
			return err
		}
		defer s.stop()
		client, err := signIn(s, dataDir)
		if err != nil {
			return err
		}
		page, _, err := findPage(client, s.url)
		if err != nil {
			return err
		}
		if err := keepTen(ctx, client, lease.AdminURL, s.url+page); err != nil {
			return fmt.Errorf("make a page of ten widgets: %w", err)
		}
		p := &printing{server: s, client: client, board: path.Base(page), out: out}
		if p.db, err = sql.Open("pgx", lease.AdminURL); err != nil {
			return err
		}
		defer p.db.Close()
		return measure(p, ctx)
	}
}

type printing struct {
	server *server
	client *http.Client
	board  string // id of the dashboard
	db     *sql.DB
	out    *report
}

// ask posts a form, or reads an address, and answers JSON.
func (p *printing) ask(ctx context.Context, method, address string, form url.Values, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, p.server.url+address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s answers %d: %.300s", address, answer.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// warm asks for one PDF after another: from the request until the file is there,
// with the job's way through the queue.
func (p *printing) warm(ctx context.Context) error {
	type made struct {
		ID     string `json:"report_id"`
		Status string `json:"status"`
		Stated struct {
			Widgets int   `json:"widgets"`
			Failed  int   `json:"failed_widgets"`
			Bytes   int64 `json:"bytes"`
		} `json:"stated"`
	}
	var took []time.Duration
	for i := range printedWarm + 5 {
		start := time.Now()
		var r made
		if err := p.ask(ctx, http.MethodPost, "/dashboards/"+p.board+"/reports", url.Values{"format": {"PDF"}, "paper": {"a4"}}, &r); err != nil {
			return err
		}
		for r.Status != "Completed" {
			if err := pause(ctx, 5*time.Millisecond); err != nil {
				return err
			}
			if err := p.ask(ctx, http.MethodGet, "/reports/"+r.ID, nil, &r); err != nil {
				return err
			}
			if r.Status == "Failed" {
				return errors.New("a report failed")
			}
		}
		if r.Stated.Widgets != 10 || r.Stated.Failed != 0 || r.Stated.Bytes < 50_000 {
			return fmt.Errorf("not ten widgets: %+v", r)
		}
		if i >= 5 {
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	p.out.atMost("reports: PDF of ten widgets, warm, asked until there, p50", took[len(took)/2].Seconds(), "s", 1)
	p.out.atMost("reports: PDF of ten widgets, warm, p95", took[len(took)*95/100].Seconds(), "s", 2)
	return nil
}

// template makes a schedule of a form and answers its id; it is no longer due.
func (p *printing) template(ctx context.Context, form url.Values) (string, error) {
	var user string
	if err := p.db.QueryRowContext(ctx, "SELECT user_id FROM users ORDER BY created_at LIMIT 1").Scan(&user); err != nil {
		return "", err
	}
	form.Set("dashboard", p.board)
	form.Set("name", "Bench")
	form.Set("when", "weekdays at 8:00")
	form.Set("user", user)
	form.Set("link_above", "1000000")
	if err := p.ask(ctx, http.MethodPost, "/schedules", form, nil); err != nil {
		return "", err
	}
	var id string
	return id, p.db.QueryRowContext(ctx, "SELECT schedule_id FROM report_schedules ORDER BY created_at DESC LIMIT 1").Scan(&id)
}

// copies makes n schedules like one, all due at one moment, each with its
// recipient and the job that waits for that moment.
func (p *printing) copies(ctx context.Context, template string, n int, due time.Time) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, statement := range []string{
		`CREATE TEMP TABLE copies ON COMMIT DROP AS SELECT gen_random_uuid() AS id FROM generate_series(1, $3::int)`,
		`INSERT INTO report_schedules (tenant_id, schedule_id, dashboard_id, owner_id, name, spec, on_data, rule, zone, only_if_rows, resend_unknown, link_above, next_at, seen)
		 SELECT s.tenant_id, c.id, s.dashboard_id, s.owner_id, s.name, s.spec, false, s.rule, s.zone, false, s.resend_unknown, s.link_above, $2::timestamptz, s.seen
		 FROM report_schedules s, copies c WHERE s.schedule_id = $1`,
		`INSERT INTO report_recipients (tenant_id, recipient_id, schedule_id, user_id)
		 SELECT r.tenant_id, gen_random_uuid(), c.id, r.user_id FROM report_recipients r, copies c WHERE r.schedule_id = $1`,
		`INSERT INTO control.jobs (job_id, tenant_id, kind, payload, queue, run_at, unique_key)
		 SELECT gen_random_uuid(), s.tenant_id, 'reports:start', jsonb_build_object('schedule', c.id, 'due_at', to_char($2::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
		        'short', $2::timestamptz, c.id || ' ' || to_char($2::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
		 FROM report_schedules s, copies c WHERE s.schedule_id = $1`,
		`DELETE FROM report_schedules WHERE schedule_id = $1`,
	} {
		var args []any
		for i, arg := range []any{template, due, n} {
			if strings.Contains(statement, "$"+strconv.Itoa(i+1)) {
				args = append(args, arg)
			}
		}
		if strings.Contains(statement, "$3") {
			statement = strings.ReplaceAll(statement, "$3", "$1")
		}
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return tx.Commit()
}

// scheduled has 200 schedules of the document fall due at one moment, each with
// a mail into the outbox, and watches the process and its browser.
func (p *printing) scheduled(ctx context.Context) error {
	template, err := p.template(ctx, url.Values{"format": {"PDF"}, "paper": {"a4"}})
	if err != nil {
		return err
	}
	due := time.Now().Add(8 * time.Second).Truncate(time.Second)
	if err := p.copies(ctx, template, scheduledReports, due); err != nil {
		return err
	}
	if err := pause(ctx, time.Until(due)); err != nil {
		return err
	}
	start := time.Now()
	memory := map[int][]int64{} // samples by the number of reports that are done
	for done := 0; done < scheduledReports; {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		var failed int
		if err := p.db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE state IN ('sending', 'done')), count(*) FILTER (WHERE state = 'failed') FROM report_runs WHERE due_at = $1", due).Scan(&done, &failed); err != nil {
			return err
		}
		if failed > 0 {
			return fmt.Errorf("%d runs failed", failed)
		}
		memory[done] = append(memory[done], treeMemory(p.server.cmd.Process.Pid))
	}
	took := time.Since(start)
	middle := func(from, to int) float64 {
		var all []int64
		for done, samples := range memory {
			if done >= from && done <= to {
				all = append(all, samples...)
			}
		}
		slices.Sort(all)
		if len(all) == 0 {
			return 0
		}
		return float64(all[len(all)/2]) / 1e6
	}
	early, late := middle(settledReports, 3*settledReports), middle(scheduledReports-2*settledReports, scheduledReports)
	most := int64(0)
	for _, samples := range memory {
		most = max(most, slices.Max(samples))
	}
	p.out.add("reports: 200 scheduled PDFs of ten widgets due at once, one worker", scheduledReports/took.Minutes(), "reports/min")
	p.out.add("reports: the same, memory of server and browser after 20", early, "MB")
	p.out.add("reports: the same, most memory", float64(most)/1e6, "MB")
	p.out.atMost("reports: the same, memory at the end / after the first 20", late/early, "×", 1.1)
	return nil
}

// enqueued has 10,000 schedules fall due at one moment, and waits until each has
// its run in the queue. They go on to be worked off meanwhile, as they would.
func (p *printing) enqueued(ctx context.Context) error {
	var widget string
	if err := p.db.QueryRowContext(ctx, "SELECT k FROM dashboards, jsonb_object_keys(config->'widgets') k WHERE dashboard_id = $1 AND config->'widgets'->k->>'type' = 'kpi' ORDER BY k LIMIT 1", p.board).Scan(&widget); err != nil {
		return err
	}
	template, err := p.template(ctx, url.Values{"format": {"CSV"}})
	if err != nil {
		return err
	}
	if _, err := p.db.ExecContext(ctx, "UPDATE report_schedules SET spec = spec || jsonb_build_object('widgets', jsonb_build_array($2::text)) WHERE schedule_id = $1", template, widget); err != nil {
		return err
	}
	due := time.Now().Add(15 * time.Second).Truncate(time.Second)
	if err := p.copies(ctx, template, dueSchedules, due); err != nil {
		return err
	}
	if err := pause(ctx, time.Until(due)); err != nil {
		return err
	}
	for runs := 0; runs < dueSchedules; {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if err := p.db.QueryRowContext(ctx, "SELECT count(*) FROM report_runs WHERE due_at = $1", due).Scan(&runs); err != nil {
			return err
		}
		if time.Since(due) > 10*time.Minute {
			return fmt.Errorf("only %d of %d are in the queue after 10 minutes", runs, dueSchedules)
		}
	}
	p.out.atMost("reports: 10,000 schedules due at one moment, until all are enqueued", time.Since(due).Seconds(), "s", 5)
	return nil
}

// treeMemory is the memory of a process and all below it, in which pages that
// several share count once.
func treeMemory(pid int) int64 {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if other, err := strconv.Atoi(e.Name()); err == nil {
			if fields := statFields(other); fields != nil {
				if parent, err := strconv.Atoi(fields[1]); err == nil {
					children[parent] = append(children[parent], other)
				}
			}
		}
	}
	var total int64
	for list := []int{pid}; len(list) > 0; {
		one := list[0]
		list = append(list[1:], children[one]...)
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", one))
		if err != nil {
			continue // it has just ended
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				total += kb * 1024
			}
		}
	}
	return total
}
