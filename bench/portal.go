package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/playwright-community/playwright-go"
)

const (
	portalHost   = "portal.localhost"
	portalRounds = 7
	portalFirst  = "portal: first paint on a phone, nothing kept, processor 4 × slower"
)

var portalLink = regexp.MustCompile(`/reset\?token=[A-Za-z0-9_-]+`)

// benchPortal measures when a visitor on a phone sees something of a dashboard in
// a portal: each time in a browser that has nothing of it, on a processor four
// times slower.
func benchPortal(browser playwright.Browser, client *http.Client, site, board string, out *report) error {
	link, err := makePortal(client, site, board)
	if err != nil {
		return err
	}
	host := strings.Replace(site, "127.0.0.1", portalHost, 1)
	session, err := browser.NewContext()
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	tab, err := session.NewPage()
	if err != nil {
		return err
	}
	if _, err := tab.Goto(host + link); err != nil {
		return fmt.Errorf("open the invitation: %w", err)
	}
	if err := tab.Locator("input[name=password]").Fill("opens the sheets of a bench"); err != nil {
		return err
	}
	if err := tab.Locator("form:has(input[name=password]) button[type=submit]").Click(); err != nil {
		return err
	}
	entered := func(address string) bool { return !strings.Contains(address, "/reset") }
	if err := tab.WaitForURL(entered); err != nil {
		return fmt.Errorf("enter the portal: %w", err)
	}
	state, err := session.StorageState()
	if err != nil {
		return err
	}
	var paints []float64
	for range portalRounds {
		paint, err := firstPaint(browser, state, host+board)
		if err != nil {
			return err
		}
		paints = append(paints, paint)
	}
	slices.Sort(paints)
	out.atMost(portalFirst, paints[len(paints)/2], "ms", 1000)
	return nil
}

// firstPaint opens an address in a new phone with the cookies of state.
func firstPaint(browser playwright.Browser, state *playwright.StorageState, address string) (ms float64, err error) {
	session, err := browser.NewContext(playwright.BrowserNewContextOptions{StorageState: state.ToOptionalStorageState(),
		Viewport: &playwright.Size{Width: 390, Height: 844}, DeviceScaleFactor: playwright.Float(3), IsMobile: playwright.Bool(true), HasTouch: playwright.Bool(true)})
	if err != nil {
		return 0, err
	}
	defer func() { _ = session.Close() }()
	tab, err := session.NewPage()
	if err != nil {
		return 0, err
	}
	devtools, err := session.NewCDPSession(tab)
	if err != nil {
		return 0, err
	}
	if _, err := devtools.Send("Emulation.setCPUThrottlingRate", map[string]any{"rate": 4}); err != nil {
		return 0, err
	}
	if _, err := tab.Goto(address); err != nil {
		return 0, fmt.Errorf("open %s: %w", address, err)
	}
	answer, err := tab.Evaluate(`() => new Promise(told => new PerformanceObserver(list => {
		for (const entry of list.getEntriesByName("first-contentful-paint")) told(entry.startTime);
	}).observe({type: "paint", buffered: true}))`)
	if err != nil {
		return 0, err
	}
	switch paint := answer.(type) {
	case float64:
		return paint, nil
	case int:
		return float64(paint), nil
	}
	return 0, fmt.Errorf("the page says that it was painted at %v", answer)
}

// makePortal has the workspace show a dashboard in a portal, and answers the path
// by which somebody who was invited comes in.
func makePortal(client *http.Client, site, board string) (link string, err error) {
	post := func(path string, form url.Values) (string, error) {
		answer, err := client.PostForm(site+path, form)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s answers %s", path, answer.Status)
		}
		return answer.Request.URL.Path, nil
	}
	settings, err := post("/settings/portals", url.Values{"name": {"Benchmark"}})
	if err != nil {
		return "", err
	}
	const visitor = "visitor@example.com"
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"", url.Values{"show": {path.Base(board)}}},
		{"/hosts", url.Values{"host": {portalHost}}},
		{"/hosts/verify", url.Values{"host": {portalHost}}},
		{"/visitors", url.Values{"email": {visitor}}},
	} {
		if _, err := post(settings+step.path, step.form); err != nil {
			return "", err
		}
	}
	outbox, err := get(client, site+"/outbox")
	if err != nil {
		return "", err
	}
	if _, mail, found := strings.Cut(outbox, visitor); found {
		link = portalLink.FindString(mail)
	}
	if link == "" {
		return "", errors.New("no mail has a link to the portal")
	}
	return link, nil
}
