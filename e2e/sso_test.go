package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/playwright-community/playwright-go"
)

// nameServer answers every question for a text with the one it was given last.
type nameServer struct{ text chan string }

func (n nameServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	text := <-n.text
	n.text <- text
	answer := new(dns.Msg)
	answer.SetReply(q)
	answer.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: []string{text}}}
	_ = w.WriteMsg(answer)
}

func serveNames(t *testing.T) (nameServer, string) {
	t.Helper()
	listening, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := nameServer{make(chan string, 1)}
	n.text <- ""
	server := &dns.Server{PacketConn: listening, Handler: n}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return n, listening.LocalAddr().String()
}

// keyPair writes a key and its certificate, for a provider.
func keyPair(t *testing.T, dir string) (key, certificate string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "saml-idp"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("key.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)), write("certificate.pem", "CERTIFICATE", der)
}

// freePort answers a port that nobody listens on, below those that the system
// gives out by itself: no connection takes it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10000 + mathrand.IntN(20000))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// startSAMLIdP runs saml-idp, an identity provider that shares no code with
// what the product uses, and answers its address and metadata.
func startSAMLIdP(t *testing.T, site string, more ...string) (address, metadata string) {
	t.Helper()
	port := freePort(t)
	key, certificate := keyPair(t, t.TempDir())
	output := &tail{}
	command := exec.Command("node", append([]string{"node_modules/saml-idp/bin/run.js", "--host", "127.0.0.1", "--port", port, "--key", key, "--cert", certificate, "--issuer", "urn:saml-idp",
		"--acsUrl", site + "/acs", "--audience", site + "/metadata", "--serviceProviderId", site + "/metadata", "--sloUrl", site + "/slo", "--signResponse", "false"}, more...)...)
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	address = "http://127.0.0.1:" + port
	for deadline := time.Now().Add(time.Minute); ; {
		answer, err := http.Get(address + "/metadata")
		if err == nil {
			body, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return address, string(body)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("saml-idp did not start: %v\n%s", err, output)
		}
	}
}

// TestACompanySignsInWithItsOwnProvider sets single sign-on up as an owner
// would, tries it, and comes in as somebody new: an account with the role of
// their group. Then they sign out.
func TestACompanySignsInWithItsOwnProvider(t *testing.T) {
	names, nameServer := serveNames(t)
	t.Setenv("DATAFLOW_DNS_SERVER", nameServer)
	dir := t.TempDir()
	s, err := startServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.Email, s.Password = "owner@example.com", "correct horse battery"
	create := exec.Command(binary(), "user", "create", s.Email, "--name", "Owner", "--role", "owner", "--password-stdin")
	create.Env, create.Stdin, create.Dir = environment(dir), strings.NewReader(s.Password+"\n"), ".."
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	slug := "default"
	idp, metadata := startSAMLIdP(t, s.URL+"/saml/"+slug)

	owner := s.visit(t, desktop)
	owner.signIn()
	owner.open("/settings/sign-in")
	owner.must(owner.tab.GetByLabel("Domain", playwright.PageGetByLabelOptions{Exact: playwright.Bool(true)}).Fill("example.com"))
	owner.must(owner.button("Add domain").Click())
	proof, err := owner.tab.Locator("[id='record-example.com']").InputValue()
	owner.must(err)
	<-names.text
	names.text <- proof
	owner.must(owner.button("Check record").Click())
	owner.see("[data-domain='example.com']", "Verified")

	owner.must(owner.tab.GetByText("Paste XML").Click())
	owner.must(owner.tab.Locator("#xml").Fill(metadata))
	owner.must(owner.tab.Locator("#map_name").Fill("displayName"))
	owner.must(owner.tab.Locator("#roles").Fill("Cloud Users → editor"))
	owner.must(owner.tab.Locator("#jit").Check())
	owner.must(owner.tab.Locator("#enabled").Check())
	owner.must(owner.button("Save changes").Click())
	owner.see(".sso-facts", "urn:saml-idp")
	owner.accessible()

	owner.must(owner.button("Test sign-in").Click())
	owner.must(owner.tab.WaitForURL(idp + "/**"))
	owner.must(owner.tab.Locator("#btn-sign-in").Click())
	owner.must(owner.tab.WaitForURL(s.URL + "/settings/sign-in"))
	owner.see("#test", "Test sign-in passed")
	owner.see("#test [data-check=signature][data-state=passed]", "SHA-256")
	owner.see("#test", "Would get a new account")
	owner.accessible()
	owner.fits()

	mara := s.visit(t, desktop)
	mara.open("/signin")
	mara.must(mara.tab.GetByRole("link", playwright.PageGetByRoleOptions{Name: "Sign in with SSO"}).Click())
	mara.accessible()
	mara.must(mara.tab.Locator("#text").Fill("anybody@example.com"))
	mara.must(mara.button("Continue with SSO").Click())
	mara.must(mara.tab.WaitForURL(idp + "/**"))
	mara.must(mara.tab.Locator("#btn-sign-in").Click())
	mara.must(mara.tab.WaitForURL(s.URL + "/"))
	mara.see("body", "saml jackson")
	owner.open("/settings/members")
	owner.see("tbody", "saml.jackson@example.com")
	owner.see("tbody tr:has-text('saml.jackson')", "Editor")
	owner.see("tbody tr:has-text('saml.jackson')", "SSO")

	// Signing out ends the session here, goes on to the provider, and comes back
	// with its answer, which it posts.
	leaves := func(m *visitor) {
		t.Helper()
		m.open("/account")
		m.must(m.tab.Locator("form[action='/signout'] button").First().DispatchEvent("click", nil))
		m.must(m.tab.WaitForURL(s.URL + "/signin"))
		m.see("body", "You are signed out")
	}
	leaves(mara)
	mara.open("/account")
	mara.must(mara.tab.WaitForURL(s.URL + "/signin**"))

	// The same where the provider takes messages by HTTP-POST alone.
	owner.open("/settings/sign-in")
	owner.must(owner.tab.Locator("#xml").Fill(redirectedLogOut.ReplaceAllString(metadata, "")))
	owner.must(owner.button("Save changes").Click())
	owner.see("body", "Saved")
	enters := func() {
		t.Helper()
		mara.open("/saml/" + slug + "/start")
		mara.must(mara.tab.WaitForURL(idp + "/**"))
		mara.must(mara.tab.Locator("#btn-sign-in").Click())
		mara.must(mara.tab.WaitForURL(s.URL + "/"))
	}
	enters()
	leaves(mara)
	// And at the provider, which posts its wish here and takes our answer.
	enters()
	mara.open(idp + "/saml/slo")
	mara.must(mara.tab.WaitForURL(idp + "/saml/slo"))
	mara.open("/account")
	mara.must(mara.tab.WaitForURL(s.URL + "/signin**"))
	answer, err := owner.tab.Request().Get(s.URL + "/settings/audit")
	owner.must(err)
	if text, _ := answer.Text(); !strings.Contains(text, "Signed out by the provider") {
		t.Errorf("the audit log does not say that the provider ended the session")
	}
}

var redirectedLogOut = regexp.MustCompile(`<SingleLogoutService [^>]*HTTP-Redirect[^>]*>(</SingleLogoutService>)?`)
