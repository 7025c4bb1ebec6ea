package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

const flightsDashboard = "US flights, first half of 2001"

func TestAVisitorSignsInAndSeesTheFlights(t *testing.T) {
	v := demo.visit(t, desktop)
	v.open("/")
	v.must(v.tab.WaitForURL("**/signin*"))
	v.must(v.tab.Locator("input[name=email]").Fill(demo.Email))
	v.must(v.tab.Locator("input[name=password]").Fill("not the password"))
	v.must(v.tab.Locator("form:has(input[name=password]) button[type=submit]").Click())
	v.see("body", "do not belong together")
	v.openDashboard(flightsDashboard)
	v.drawn()
	widgets, err := v.tab.Locator("section[data-widget]").Count()
	v.must(err)
	if widgets < 10 {
		t.Errorf("the page has %d widgets, want at least 10", widgets)
	}
	for _, state := range []string{".w-failed", ".w-error"} {
		if n, _ := v.tab.Locator(state).Count(); n > 0 {
			t.Errorf("%d widgets show %s", n, state)
		}
	}
	// The number on the screen is the one that the shell answers.
	address, err := url.Parse(v.tab.URL())
	v.must(err)
	v.open(address.Path + "?d=2001-05-01~2001-05-31")
	answer := demo.query(t, `{"dataset":"flights","measures":[{"fn":"count","as":"n"}],
		"filters":[{"column":"date","op":"between","from":"2001-05-01","to":"2001-05-31"}]}`)
	title, err := v.tab.Locator(`section[data-widget=flights] .kpi-value`).GetAttribute("title")
	v.must(err)
	if got := digits(title); got != answer.Rows[0][0].(json.Number).String() {
		t.Errorf("the page says %q flights, the shell %v", title, answer.Rows[0][0])
	}
}

var notDigits = regexp.MustCompile(`\D`)

func digits(text string) string { return notDigits.ReplaceAllString(text, "") }

type answer struct {
	Columns []struct{ Name, Type string }
	Rows    [][]any
	Version int64 `json:"dataset_version"`
}

// query asks in the shell, beside the running server.
func (s *server) query(t *testing.T, spec string) answer {
	t.Helper()
	stdout, stderr, err := s.run(context.WithoutCancel(t.Context()), spec, "query", "-")
	if err != nil {
		t.Fatalf("query: %v: %s", err, stderr)
	}
	var a answer
	d := json.NewDecoder(strings.NewReader(stdout))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	return a
}

func TestAFilterIsInTheAddressAndBackUndoesIt(t *testing.T) {
	v := demo.visit(t, desktop)
	v.openDashboard(flightsDashboard)
	v.drawn()
	const flights = "section[data-widget=flights] .kpi-value"
	all := v.text(flights)
	// A click on a mark filters the others.
	v.must(v.tab.Locator("section[data-widget=mix] button[data-mark]").First().Click())
	filtered := v.changes(flights, all)
	address, err := url.Parse(v.tab.URL())
	v.must(err)
	if address.RawQuery == "" {
		t.Error("the filter is not in the address")
	}
	// A link shares the view.
	other := demo.visit(t, desktop)
	other.signIn()
	other.open(address.RequestURI())
	other.becomes(flights, filtered)
	// Back undoes it.
	_, err = v.tab.GoBack()
	v.must(err)
	v.becomes(flights, all)
	_, err = v.tab.GoForward()
	v.must(err)
	v.becomes(flights, filtered)
	v.must(v.tab.Keyboard().Press("Escape"))
	v.becomes(flights, all)
}

func TestADashboardFollowsItsData(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "orders.csv")
	rows := "ordered_at,region,amount\n2026-06-01 10:00:00,North,10.50\n2026-06-02 11:00:00,South,20.00\n2026-06-03 12:00:00,North,5.25\n"
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := demo.run(t.Context(), "", "import", file, "--dataset", "live orders"); err != nil {
		t.Fatalf("import: %v: %s", err, stderr)
	}
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/dashboards/new")
	v.must(v.tab.Locator("main form button[type=submit], dialog[open] form button[type=submit]").First().WaitFor())
	_, err := v.tab.Locator("select[name=dataset]").SelectOption(playwright.SelectOptionValues{Labels: playwright.StringSlice("live orders")})
	v.must(err)
	v.must(v.tab.Locator("form:has(select[name=dataset]) button[type=submit]").Click())
	v.must(v.tab.WaitForURL(regexp.MustCompile(`/dashboards/[0-9a-f-]{36}`)))
	const count = "section[aria-label=Rows] .kpi-value"
	before := v.text(count)
	if before != "3" {
		t.Errorf("the suggested dashboard counts %q rows, want 3", before)
	}
	// The stream is open before the data changes.
	v.see("header", "Live")
	if _, stderr, err := demo.run(t.Context(), "", "import", file, "--dataset", "live orders", "--append"); err != nil {
		t.Fatalf("append: %v: %s", err, stderr)
	}
	v.becomes(count, "6")

	// The data moves on while a table is on its way, and the moment that it was
	// asked for is no longer kept: the table of the new one is shown.
	asked := 0
	v.must(v.tab.Route("**/table?*", func(r playwright.Route) {
		if asked++; asked > 1 {
			_ = r.Continue()
			return
		}
		if _, stderr, err := demo.run(t.Context(), "", "import", file, "--dataset", "live orders", "--append"); err != nil {
			t.Errorf("append: %v: %s", err, stderr)
		}
		_ = r.Fulfill(playwright.RouteFulfillOptions{Status: playwright.Int(410), ContentType: playwright.String("text/html"), Body: "Gone"})
	}))
	v.expect("410")
	v.must(v.tab.Locator("section[aria-label=Rows] [popovertarget^='m-']").Click())
	v.must(v.tab.Locator("a:visible", playwright.PageLocatorOptions{HasText: "View as table"}).Click())
	v.becomes("#dash-table tbody td", "9")
	v.becomes(count, "9")
}

func TestEveryPageIsAccessibleInLightAndDark(t *testing.T) {
	for name, l := range map[string]look{
		"light desktop": desktop,
		"dark desktop":  {width: 1440, height: 900, dark: true},
		"light tablet":  {width: 820, height: 1100},
		"dark phone":    {width: 390, height: 844, dark: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := demo.visit(t, l)
			v.open("/signin")
			v.accessible()
			v.fits()
			v.signIn()
			for _, path := range []string{"/", "/account", "/settings", "/settings/members", "/outbox", "/nothing-here"} {
				v.open(path)
				v.accessible()
				v.fits()
			}
			v.open("/")
			v.must(v.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: flightsDashboard, Exact: playwright.Bool(true)}).First().Click())
			v.drawn()
			v.accessible()
			v.fits()
		})
	}
}

func TestTheKeyboardIsEnough(t *testing.T) {
	v := demo.visit(t, desktop)
	v.openDashboard(flightsDashboard)
	v.must(v.tab.Keyboard().Press("]"))
	focused, err := v.tab.Evaluate(`() => document.activeElement?.getAttribute("data-widget")`)
	v.must(err)
	if focused == nil || focused == "" {
		t.Error("] moves the focus to no widget")
	}
	v.must(v.tab.Keyboard().Press("?"))
	v.see("dialog[open]", "Refresh")
	v.must(v.tab.Keyboard().Press("Escape"))
	v.open("/")
	v.must(v.tab.Keyboard().Press("Tab"))
	text, err := v.tab.Evaluate(`() => document.activeElement?.textContent.trim()`)
	v.must(err)
	if s, _ := text.(string); !strings.HasPrefix(s, "Skip") {
		t.Errorf("the first stop of Tab is %q, want the skip link", text)
	}
}

func TestTheShellNeedsNoBrowser(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s := &server{dataDir: dir}
	file := filepath.Join(t.TempDir(), "stock.csv")
	if err := os.WriteFile(file, []byte("sku,zip,price,counted\nA-1,00501,12.50,2026-01-31\nA-2,10001,n/a,2026-02-01\nA-3,94105,7.25,2026-02-02\nA-4,60601,POA,2026-02-03,extra\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := s.run(t.Context(), "", "import", file, "--dataset", "stock", "--type", "price=decimal")
	if err != nil {
		t.Fatalf("import: %v: %s", err, stderr)
	}
	var imported struct {
		Dataset     string
		Version     int64
		Loaded      int    `json:"rows_loaded"`
		Rejected    int    `json:"rows_rejected"`
		RejectsFile string `json:"rejects_file"`
		Columns     []struct {
			ID         int
			Name, Type string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &imported); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if imported.Dataset != "stock" || imported.Version != 1 || imported.Loaded != 3 || imported.Rejected != 1 || len(imported.Columns) != 4 {
		t.Errorf("got %s", stdout)
	}
	if imported.Columns[1].Type != "text" {
		t.Errorf("the zip code with a leading zero is %s, want text", imported.Columns[1].Type)
	}
	rejects, err := os.ReadFile(imported.RejectsFile)
	if err != nil || !strings.Contains(string(rejects), "A-4") {
		t.Errorf("rejects file: %v: %s", err, rejects)
	}
	got := s.query(t, `{"dataset":"stock","measures":[{"fn":"sum","column":"price","as":"total"},{"fn":"count","as":"n"}]}`)
	if got.Version != 1 || got.Rows[0][0].(json.Number).String() != "19.75" || got.Rows[0][1].(json.Number).String() != "3" {
		t.Errorf("got %+v", got)
	}
	for spec, code := range map[string]string{
		`{"dataset":"nothing","measures":[{"fn":"count"}]}`:             "datasets.not_found",
		`{"dataset":"stock","measure":[{"fn":"count"}]}`:                "query.",
		`{"dataset":"stock","measures":[{"fn":"sum","column":"cost"}]}`: "query.unknown_column",
	} {
		stdout, stderr, err := s.run(t.Context(), spec, "query", "-")
		if err == nil || stdout != "" || !strings.HasPrefix(stderr, code) {
			t.Errorf("%s: exit %v, stdout %q, stderr %q; want %s", spec, err, stdout, stderr, code)
		}
	}
}

func TestStrangersReachNothing(t *testing.T) {
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/dashboards": 200, "/metrics": 200} {
		status, body, err := demo.get(path)
		if err != nil || status != want {
			t.Errorf("%s: %d, %v", path, status, err)
		}
		if path == "/dashboards" && !strings.Contains(body, `name="password"`) {
			t.Errorf("%s shows something else than the sign-in page", path)
		}
	}
}
