package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// picture keeps how the page looks, where E2E_SCREENSHOTS says where.
func (v *visitor) picture(name string) {
	v.t.Helper()
	if dir := os.Getenv("E2E_SCREENSHOTS"); dir != "" {
		_, err := v.tab.Screenshot(playwright.PageScreenshotOptions{Path: playwright.String(filepath.Join(dir, name+".png"))})
		v.must(err)
	}
}

// california is somebody of a customer's provider: the flights of one state are theirs.
const california = `const attribute = (id, multiValue) => ({id, optional: true, displayName: id, description: id, multiValue});
module.exports = {
	user: {userName: "mara", nameIdFormat: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", displayName: "Mara Lindqvist", email: "mara@halden.example", company: "Halden Knitwear", groups: "Partners", state: "CA"},
	metadata: [attribute("displayName"), attribute("email"), attribute("company"), attribute("groups", true), attribute("state", true)],
};`

// From nothing to a customer who looks at their figures: an owner makes a portal
// under a host name of its own in its own colours, has its visitors sign in at
// their company's provider, and reads in the audit log what they did.
func TestACustomersPortalFromNothing(t *testing.T) {
	v := demo.visit(t, desktop)
	v.signIn()
	v.open("/settings/portals")
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "New portal"}).First().Click())
	v.must(v.tab.Locator("#portal-name").Fill("Ashby & Vale"))
	v.answer("Create portal")
	v.must(v.tab.WaitForURL("**/settings/portals/*-*"))
	settings := strings.TrimPrefix(v.tab.URL(), demo.URL)
	v.must(v.tab.GetByLabel(flightsDashboard, playwright.PageGetByLabelOptions{Exact: playwright.Bool(true)}).Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	v.must(v.tab.Locator("#portal form button[type=submit]").First().Click())
	v.see("[role=status]", "saved")
	v.open(settings + "/sign-in")
	v.see("main", "No address yet")

	v.open(settings + "/hosts")
	v.must(v.tab.Locator("#host").Fill("partners.localhost"))
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Add host name"}).Click())
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Check now"}).Click())
	v.see("#portal", "In use")
	host := strings.Replace(demo.URL, "127.0.0.1", "partners.localhost", 1)

	v.open(settings + "/brand")
	v.must(v.tab.Locator("input[name=colour]").First().Fill("#6D1F3B"))
	v.must(v.tab.Locator("input[name=tone][value=warm]").Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	v.must(v.tab.Locator("input[name=corners][value=sharp]").Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	v.must(v.tab.GetByRole("button", playwright.PageGetByRoleOptions{Name: "Save look"}).Click())
	v.see("[role=status]", "saved")

	config := filepath.Join(t.TempDir(), "people.js")
	if err := os.WriteFile(config, []byte(california), 0o600); err != nil {
		t.Fatal(err)
	}
	idp, metadata := startSAMLIdP(t, host+"/saml", "--configFile", config)
	v.open(settings + "/sign-in")
	v.must(v.tab.GetByText("Paste XML").Click())
	v.must(v.tab.Locator("#xml").Fill(metadata))
	v.must(v.tab.Locator("#map_name").Fill("displayName"))
	v.must(v.tab.Locator("#map_company").Fill("company"))
	v.must(v.tab.Locator("#people").Fill("state → state"))
	v.must(v.tab.Locator("#jit").Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	v.must(v.tab.Locator("#enabled").Check(playwright.LocatorCheckOptions{Force: playwright.Bool(true)}))
	v.must(v.button("Save changes").Click())
	v.see(".sso-facts", "urn:saml-idp")
	v.accessible()
	v.picture("portal-sign-in-settings")

	mara := demo.visit(t, desktop)
	mara.open(host + "/signin")
	mara.accessible()
	mara.picture("portal-sign-in")
	mara.must(mara.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Continue with single sign-on"}).Click())
	mara.must(mara.tab.WaitForURL(idp + "/**"))
	mara.must(mara.tab.Locator("#btn-sign-in").Click())
	mara.must(mara.tab.WaitForURL(host + "/dashboards/*"))
	mara.see("h1", flightsDashboard)
	mara.see(".portal-visitor", "Halden Knitwear")
	mara.must(mara.tab.Locator("df-chart canvas").First().WaitFor())
	mara.accessible()
	mara.picture("portal-desktop")
	if body := strings.ToLower(mara.text("html")); strings.Contains(body, "dataflow") {
		t.Error("the portal names the product")
	}
	mara.must(mara.tab.Locator("button[form=dash-pdf]").Click())
	mara.must(mara.tab.Locator("#download a[download]").WaitFor(playwright.LocatorWaitForOptions{Timeout: playwright.Float(120_000)}))
	file, err := mara.tab.ExpectDownload(func() error { return mara.tab.Locator("#download a[download]").Click() })
	mara.must(err)
	path, err := file.Path()
	mara.must(err)
	pdf, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF") || strings.Contains(strings.ToLower(string(pdf)), "dataflow") {
		t.Errorf("the document is none, or names the product (%v)", err)
	}

	for _, size := range []look{{820, 1180, false}, {390, 844, false}, {390, 844, true}} {
		mara.must(mara.tab.SetViewportSize(size.width, size.height))
		if size.dark {
			mara.must(mara.tab.EmulateMedia(playwright.PageEmulateMediaOptions{ColorScheme: playwright.ColorSchemeDark}))
		}
		mara.open(host + "/")
		mara.must(mara.tab.Locator("df-chart canvas").First().WaitFor())
		mara.fits()
		mara.picture("portal-" + map[int]string{820: "tablet", 390: "phone"}[size.width] + map[bool]string{true: "-dark"}[size.dark])
	}

	v.open(settings + "/visitors")
	v.see("tbody tr:has-text('mara@halden.example')", "state: CA")
	v.open("/settings/audit")
	for action, who := range map[string]string{"Downloaded a report": "Mara Lindqvist", "Signed in to a portal": "Mara Lindqvist", "Made portal": ""} {
		v.see("tbody tr:has-text('"+action+"')", who)
	}
	v.picture("portal-audit")
}
