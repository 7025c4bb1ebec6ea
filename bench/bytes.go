package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/playwright-community/playwright-go"
)

// benchBytes opens the page in Chromium, as a first visit and again with what
// the browser has kept, and counts what came over the wire.
func benchBytes(s *server, page string, out *report) error {
	browser, stop, err := openBrowser()
	if err != nil {
		return err
	}
	defer stop()
	tab, err := browser.NewPage()
	if err != nil {
		return err
	}
	if err := signInBrowser(tab, s); err != nil {
		return err
	}
	// The sign-in page shares style sheet and script with the dashboard: a
	// first visit pays for them once, so all is counted from here without them
	// in the cache.
	session, err := tab.Context().NewCDPSession(tab)
	if err != nil {
		return err
	}
	if _, err := session.Send("Network.clearBrowserCache", nil); err != nil {
		return err
	}
	first, err := transferred(tab, session, s.url+page)
	if err != nil {
		return err
	}
	repeat, err := transferred(tab, session, s.url+page)
	if err != nil {
		return err
	}
	out.add("page: first visit, compressed, with the map", float64(first.all)/1e3, "kB")
	out.atMost("page: first visit, compressed, without the map", float64(first.all-first.maps)/1e3, "kB", 300)
	out.atMost("page: repeat visit, compressed", float64(repeat.all)/1e3, "kB", 30)
	return nil
}

// openBrowser starts Chromium through the driver that the browser's tests use.
func openBrowser() (browser playwright.Browser, stop func(), err error) {
	driver, err := os.MkdirTemp("", "dataflow-driver-")
	if err != nil {
		return nil, nil, err
	}
	clean := func() { _ = os.RemoveAll(driver) }
	defer func() {
		if err != nil {
			clean()
		}
	}()
	installed, err := filepath.Abs("e2e/node_modules/playwright-core")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Symlink(installed, filepath.Join(driver, "package")); err != nil {
		return nil, nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, nil, err
	}
	os.Setenv("PLAYWRIGHT_NODEJS_PATH", node)
	os.Setenv("PLAYWRIGHT_DRIVER_PATH", driver)
	pw, err := playwright.Run(&playwright.RunOptions{DriverDirectory: driver, SkipInstallBrowsers: true})
	if err != nil {
		return nil, nil, err
	}
	clean = func() { _ = pw.Stop(); _ = os.RemoveAll(driver) }
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, err
	}
	browser, err = pw.Chromium.Launch(playwright.BrowserTypeLaunchOptions{ExecutablePath: &chromium,
		ChromiumSandbox: playwright.Bool(os.Getuid() != 0), Args: []string{"--disable-gpu", "--disable-background-networking", "--js-flags=--expose-gc"}})
	if err != nil {
		return nil, nil, err
	}
	return browser, func() { _ = browser.Close(); clean() }, nil
}

func signInBrowser(tab playwright.Page, s *server) error {
	encoded, err := os.ReadFile(filepath.Join(s.dataDir, "demo.json"))
	if err != nil {
		return err
	}
	var owner struct{ Email, Password string }
	if err := json.Unmarshal(encoded, &owner); err != nil {
		return err
	}
	if _, err := tab.Goto(s.url + "/signin"); err != nil {
		return err
	}
	if err := tab.Locator("input[name=email]").Fill(owner.Email); err != nil {
		return err
	}
	if err := tab.Locator("input[name=password]").Fill(owner.Password); err != nil {
		return err
	}
	if err := tab.Locator("form:has(input[name=password]) button[type=submit]").Click(); err != nil {
		return err
	}
	return tab.WaitForURL(s.url + "/")
}

type traffic struct{ all, maps int64 }

// transferred counts the bytes on the wire until the network has been quiet.
func transferred(tab playwright.Page, session playwright.CDPSession, address string) (traffic, error) {
	var total traffic
	parts, err := mapParts()
	if err != nil {
		return total, err
	}
	names := map[string]string{}
	session.On("Network.responseReceived", func(params map[string]any) {
		response, _ := params["response"].(map[string]any)
		names[params["requestId"].(string)], _ = response["url"].(string)
	})
	session.On("Network.loadingFinished", func(params map[string]any) {
		size, _ := params["encodedDataLength"].(float64)
		total.all += int64(size)
		if isMap(names[params["requestId"].(string)], parts) {
			total.maps += int64(size)
		}
	})
	if _, err := session.Send("Network.enable", nil); err != nil {
		return total, err
	}
	if _, err := tab.Goto(address); err != nil {
		return total, err
	}
	// The event stream never ends, so "network idle" does not come by itself.
	if err := tab.Locator("df-chart canvas, df-chart svg").First().WaitFor(); err != nil {
		return total, err
	}
	time.Sleep(3 * time.Second)
	session.RemoveListeners("Network.responseReceived")
	session.RemoveListeners("Network.loadingFinished")
	if total.all == 0 {
		return total, errors.New("nothing was transferred")
	}
	return total, nil
}

func isMap(address string, parts map[string]bool) bool {
	name := filepath.Base(address)
	for _, part := range []string{"map", "world", "states"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return parts[name]
}

var scriptPart = regexp.MustCompile(`part-[A-Z0-9]+\.js`)

// mapParts are the scripts that the map shares with the one on paper: they come with a
// map, and with nothing else of a page.
func mapParts() (map[string]bool, error) {
	parts := map[string]bool{}
	for _, from := range []struct {
		pattern string
		comes   bool
	}{{"map-[A-Z0-9]*.js", true}, {"app-*.js", false}, {"charts-*.js", false}} {
		files, err := filepath.Glob(filepath.Join("static", "dist", from.pattern))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("find scripts %s: %v", from.pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			for _, part := range scriptPart.FindAllString(string(text), -1) {
				parts[part] = from.comes
			}
		}
	}
	return parts, nil
}
