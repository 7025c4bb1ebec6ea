package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/playwright-community/playwright-go"

	"github.com/dataflowhq/dataflow/platform/devstack"
)

// probe measures inside the page, where the clock is that of the drawing.
//
//go:embed probe.js
var probe string

// benchBrowser measures what a person waits for in Chromium, without
// animations, until the last chart has said that it is drawn.
func benchBrowser(ctx context.Context, o *options, out *report) error {
	s, err := startServer(ctx, o, filepath.Join(o.work, "demo"), "--demo")
	if err != nil {
		return err
	}
	defer s.stop()
	million := *o
	million.salesRows = 1_000_000
	file, err := salesCSV(&million)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	if _, err := runProcess(ctx, s.env, o.binary, append([]string{"import", file, "--dataset", "sales"}, salesTypes...)...); err != nil {
		return fmt.Errorf("load sales: %w", err)
	}
	lease, err := devstack.Use(ctx, devstack.Options{DataDir: s.dataDir, Postgres: true, Command: []string{o.binary}})
	if err != nil {
		return err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }()
	browser, stop, err := openBrowser()
	if err != nil {
		return err
	}
	defer stop()
	tab, err := browser.NewPage(playwright.BrowserNewPageOptions{ReducedMotion: playwright.ReducedMotionReduce, Viewport: &playwright.Size{Width: 1440, Height: 900}})
	if err != nil {
		return err
	}
	if err := tab.AddInitScript(playwright.Script{Content: &probe}); err != nil {
		return err
	}
	if err := signInBrowser(tab, s); err != nil {
		return err
	}
	client, err := signIn(s, s.dataDir)
	if err != nil {
		return err
	}
	page, _, err := findPage(client, s.url)
	if err != nil {
		return err
	}
	if err := keepTen(ctx, client, lease.AdminURL, s.url+page); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"filters", func() error { return benchFilters(tab, s.url+page, out) }},
		{"swaps", func() error { return benchSwaps(tab, s.url+page, out) }},
		{"first drop", func() error { return benchDrop(tab, s.url, out) }},
		{"drag", func() error { return benchDrag(tab, s.url, out) }},
		{"forty widgets", func() error { return benchForty(tab, s.url, out) }},
		{"portal", func() error { return benchPortal(browser, client, s.url, page, out) }},
	} {
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// span of 150 days that begins i days into the data.
func flightSpan(i int) string {
	from := time.Date(2001, 1, 2+i, 0, 0, 0, 0, time.UTC)
	return from.Format(time.DateOnly) + "~" + from.AddDate(0, 0, 150).Format(time.DateOnly)
}

// timing is what a page says of one change.
type timing struct {
	Drawn  float64 `json:"drawn"`  // ms until the last widget was drawn
	Server float64 `json:"server"` // ms of them until the last byte of the answer was there
}

func measured(tab playwright.Page, script string, arg any) (t timing, err error) {
	answer, err := tab.Evaluate(script, arg)
	if err != nil {
		return t, err
	}
	encoded, err := json.Marshal(answer)
	if err == nil {
		err = json.Unmarshal(encoded, &t)
	}
	if err == nil && t.Drawn <= 0 {
		err = errors.New("nothing was drawn")
	}
	return t, err
}

func middle(all []timing) timing {
	slices.SortFunc(all, func(a, b timing) int {
		switch {
		case a.Drawn < b.Drawn:
			return -1
		case a.Drawn > b.Drawn:
			return 1
		}
		return 0
	})
	return all[len(all)/2]
}

// settled opens a page and waits until its widgets are drawn.
func settled(tab playwright.Page, address string) error {
	if _, err := tab.Goto(address); err != nil {
		return err
	}
	_, err := tab.Evaluate("() => probe.quiet()")
	return err
}

func benchFilters(tab playwright.Page, page string, out *report) error {
	if err := settled(tab, page); err != nil {
		return err
	}
	const change = "value => probe.choose('d', value)"
	var cold, warm []timing
	for i := range 9 {
		t, err := measured(tab, change, flightSpan(i))
		if err != nil {
			return err
		}
		cold = append(cold, t)
	}
	for i := range 9 {
		t, err := measured(tab, change, flightSpan(i))
		if err != nil {
			return err
		}
		warm = append(warm, t)
	}
	first, c, w := cold[0], middle(cold), middle(warm)
	out.add("browser: another date range, 3 M rows, the very first, until the last widget is drawn", first.Drawn, "ms")
	out.atMost("browser: another date range, 3 M rows, cold, until the last widget is drawn", c.Drawn, "ms", 400)
	out.add("browser: the same, of which until the answer was there", c.Server, "ms")
	out.atMost("browser: another date range, 3 M rows, warm, until the last widget is drawn", w.Drawn, "ms", 200)
	out.add("browser: the same, warm, of which until the answer was there", w.Server, "ms")
	return nil
}

// benchSwaps changes the filter fifty times: what the page holds must not grow.
func benchSwaps(tab playwright.Page, page string, out *report) error {
	if err := settled(tab, page); err != nil {
		return err
	}
	session, err := tab.Context().NewCDPSession(tab)
	if err != nil {
		return err
	}
	if _, err := session.Send("Performance.enable", nil); err != nil {
		return err
	}
	swap := func(times int) error {
		for i := range times {
			if _, err := measured(tab, "value => probe.choose('d', value)", flightSpan(i%4)); err != nil {
				return err
			}
		}
		return nil
	}
	held := func() (map[string]float64, error) {
		if _, err := session.Send("HeapProfiler.collectGarbage", nil); err != nil {
			return nil, err
		}
		answer, err := session.Send("Performance.getMetrics", nil)
		if err != nil {
			return nil, err
		}
		encoded, err := json.Marshal(answer)
		if err != nil {
			return nil, err
		}
		var list struct {
			Metrics []struct {
				Name  string
				Value float64
			}
		}
		if err := json.Unmarshal(encoded, &list); err != nil {
			return nil, err
		}
		m := map[string]float64{}
		for _, one := range list.Metrics {
			m[one.Name] = one.Value
		}
		charts, err := tab.Evaluate("() => document.querySelectorAll('df-chart canvas, df-map canvas').length")
		m["canvases"] = float64(charts.(int))
		return m, err
	}
	if err := swap(6); err != nil {
		return err
	}
	before, err := held()
	if err != nil {
		return err
	}
	if err := swap(50); err != nil {
		return err
	}
	after, err := held()
	if err != nil {
		return err
	}
	// A few come and go with tooltips and the like; a leak is one a swap at least.
	out.atMost("browser: listeners more after 50 changes", after["JSEventListeners"]-before["JSEventListeners"], "listeners", 20)
	out.atMost("browser: nodes more after 50 changes", after["Nodes"]-before["Nodes"], "nodes", 200)
	out.atMost("browser: drawings more after 50 changes", after["canvases"]-before["canvases"], "canvases", 0)
	return nil
}

var boardPath = regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`)

// newBoard makes a dashboard of the sales, opens its editor and answers its path.
func newBoard(tab playwright.Page, base string) (string, error) {
	if _, err := tab.Goto(base + "/dashboards/new"); err != nil {
		return "", err
	}
	if _, err := tab.Locator("select[name=dataset]").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice("sales")}); err != nil {
		return "", err
	}
	if _, err := tab.Locator("select[name=start]").SelectOption(playwright.SelectOptionValues{Values: playwright.StringSlice("blank")}); err != nil {
		return "", err
	}
	if err := tab.Locator("form:has(select[name=dataset]) button[type=submit]").Click(); err != nil {
		return "", err
	}
	if err := tab.WaitForURL(boardPath); err != nil {
		return "", err
	}
	path := boardPath.FindString(tab.URL())
	return path, openEditor(tab, base+path)
}

func openEditor(tab playwright.Page, page string) error {
	if _, err := tab.Goto(page + "/edit"); err != nil {
		return err
	}
	if err := tab.Locator("df-grid[ready]").WaitFor(); err != nil {
		return err
	}
	return tab.Locator("#fields [data-field]").First().WaitFor()
}

// benchDrop drops a measure onto an empty canvas and a day onto it.
func benchDrop(tab playwright.Page, base string, out *report) error {
	var all []timing
	for range 5 {
		if _, err := newBoard(tab, base); err != nil {
			return err
		}
		if _, err := tab.Evaluate("() => probe.watchDrop()"); err != nil {
			return err
		}
		err := tab.Locator("#fields [data-field=sold_at]").First().DragTo(tab.Locator("#canvas"), playwright.LocatorDragToOptions{TargetPosition: &playwright.Position{X: 300, Y: 300}})
		if err != nil {
			return err
		}
		t, err := measured(tab, "() => probe.dropped()", nil)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	out.atMost("browser: first drop of a field until the chart is drawn, 1 M rows", middle(all).Drawn, "ms", 300)
	return nil
}

// addWidgets puts n different charts onto a dashboard, four in a row.
func addWidgets(tab playwright.Page, path string, n int) error {
	grains := []string{"day", "week", "month", "quarter"}
	groups := []string{"category", "channel", "store", "product"}
	var operations []map[string]any
	for i := range n {
		query := map[string]any{"measures": []any{map[string]any{"fn": []string{"sum", "avg", "max"}[i%3], "column": []string{"amount", "quantity"}[i/3%2], "as": "value"}}}
		kind := "line"
		if i%2 == 0 {
			query["dimensions"] = []any{map[string]any{"column": "sold_at", "grain": grains[i/2%4], "as": "time"}}
		} else {
			kind = "bar"
			query["dimensions"] = []any{map[string]any{"column": groups[i/2%4], "as": "group"}}
			query["order"] = []any{map[string]any{"by": "value", "desc": true}}
			query["limit"] = 6 + i%5
		}
		operations = append(operations, map[string]any{"op_id": uuid.Must(uuid.NewV7()).String(), "path": fmt.Sprintf("/widgets/w%d", i), "after": map[string]any{
			"type": kind, "title": fmt.Sprintf("Chart %d", i+1), "query": query, "layout": map[string]any{"x": i % 4 * 3, "y": i / 4 * 5, "w": 3, "h": 5}}})
	}
	answer, err := tab.Evaluate(`async ([path, operations]) => {
		const editor = document.querySelector("df-editor");
		const send = (to, body) => fetch(path + to, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(body) });
		const answer = await send("/operations", { rev: Number(editor.dataset.rev ?? 1), change_id: crypto.randomUUID(), mode: "merge", operations });
		if (!answer.ok) return await answer.text();
		const published = await send("/publish", {});
		return published.ok ? "" : await published.text();
	}`, []any{path, operations})
	if err != nil {
		return err
	}
	if text, _ := answer.(string); text != "" {
		return fmt.Errorf("add widgets: %s", text)
	}
	return nil
}

// benchDrag drags one of thirty widgets over the canvas and counts frames.
func benchDrag(tab playwright.Page, base string, out *report) error {
	path, err := newBoard(tab, base)
	if err != nil {
		return err
	}
	if err := addWidgets(tab, path, 30); err != nil {
		return err
	}
	if err := openEditor(tab, base+path); err != nil {
		return err
	}
	if _, err := tab.Evaluate("() => probe.quiet()"); err != nil {
		return err
	}
	box, err := tab.Locator("df-grid > .grid-stack-item .w-title").First().BoundingBox()
	if err != nil {
		return err
	}
	mouse := tab.Mouse()
	x, y := box.X+box.Width/2, box.Y+box.Height/2
	if err := mouse.Move(x, y); err != nil {
		return err
	}
	if err := mouse.Down(); err != nil {
		return err
	}
	if _, err := tab.Evaluate("() => probe.frames()"); err != nil {
		return err
	}
	for i := range 60 {
		if err := mouse.Move(x+float64(i*8), y+float64(i*4)); err != nil {
			return err
		}
		time.Sleep(16 * time.Millisecond) // a hand moves for a second
	}
	answer, err := tab.Evaluate("() => probe.framesSeen()")
	if err != nil {
		return err
	}
	if err := mouse.Up(); err != nil {
		return err
	}
	frames, _ := answer.(map[string]any)
	out.atLeast("browser: dragging one of 30 widgets", number(frames["rate"]), "frames/s", 60)
	out.add("browser: dragging one of 30 widgets, 95 % of frames within", number(frames["p95"]), "ms")
	return nil
}

func number(v any) float64 {
	switch n := v.(type) {
	case int:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// benchForty opens a page of forty widgets that nobody has asked for before.
func benchForty(tab playwright.Page, base string, out *report) error {
	path, err := newBoard(tab, base)
	if err != nil {
		return err
	}
	if err := addWidgets(tab, path, 40); err != nil {
		return err
	}
	var all []timing
	for i := range 5 {
		from := time.Date(2024, 7, 2+i, 0, 0, 0, 0, time.UTC)
		if _, err := tab.Goto(base + path + "?d=" + from.Format(time.DateOnly) + "~" + from.AddDate(0, 0, 600).Format(time.DateOnly)); err != nil {
			return err
		}
		t, err := measured(tab, "() => probe.opened()", nil)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	out.atMost("browser: page of 40 widgets, 1 M rows, cold, until the last is drawn", middle(all).Drawn, "ms", 1500)
	return nil
}
