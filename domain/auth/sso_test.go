package auth_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/auth/saml/samltest"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

const (
	entity  = "https://bi.example/saml/one/metadata"
	consume = "https://bi.example/saml/one/acs"
	logOut  = "https://bi.example/saml/one/slo"
)

// federated is a workspace whose people sign in at a provider.
type federated struct {
	*fixture
	*samltest.Provider
	owner   auth.Identity
	browser string
}

func federate(t *testing.T, change ...func(*auth.SAMLSettings)) *federated {
	t.Helper()
	f := &federated{fixture: setup(t), Provider: samltest.New(t, "https://idp.example"), browser: auth.NewBrowser()}
	f.user(t, f.one, "owner@one.example", access.Owner)
	_, f.owner = f.signIn(t, "owner@one.example", password)
	f.verified(t, f.one, "one.example")
	n := auth.SAMLSettings{Source: auth.FromXML, XML: f.Metadata(), JustInTime: true, SkewSeconds: 60, Mapping: auth.Mapping{Email: "email", Name: "name", Groups: "groups",
		Roles: []auth.RoleRule{{Group: "bi-editors", Role: access.Editor}, {Group: "bi-admins", Role: access.Admin}}}}
	for _, c := range change {
		c(&n)
	}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), true, n); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) verified(t *testing.T, in tenants.Tenant, domain string) {
	t.Helper()
	err := f.db.InIdentityTx(t.Context(), in.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.DomainInsert(ctx, in.ID.UUID(), domain, "x")
		if err == nil {
			_, err = tx.DomainVerify(ctx, in.ID.UUID(), domain)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ask begins a sign-in and answers the request's id.
func (f *federated) ask(t *testing.T) string {
	t.Helper()
	q, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, Next: "/dashboards"})
	if err != nil {
		t.Fatal(err)
	}
	return samltest.RequestOf(t, q.URL)
}

// askFrom is ask from an address.
func (f *federated) askFrom(t *testing.T, from auth.Client) string {
	t.Helper()
	q, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, From: from})
	if err != nil {
		t.Fatal(err)
	}
	return samltest.RequestOf(t, q.URL)
}

// says is what a truthful provider says of somebody.
func says(request, who string, groups ...string) samltest.Says {
	return samltest.Says{NameID: "id-of-" + who, Audience: entity, Recipient: consume, Destination: consume, InResponseTo: request, SessionIndex: "s-" + who,
		Attributes: map[string][]string{"email": {who + "@one.example"}, "name": {"N. " + who}, "groups": groups}}
}

func (f *federated) finish(t *testing.T, response string) (auth.Entered, error) {
	t.Helper()
	return f.FinishSAML(t.Context(), auth.Members("one"), response, "/relay", f.browser, client)
}

// enter signs somebody in.
func (f *federated) enter(t *testing.T, who string, groups ...string) auth.Identity {
	t.Helper()
	entered, err := f.finish(t, f.Response(t, says(f.ask(t), who, groups...)))
	if err != nil {
		t.Fatal(err)
	}
	return f.identify(t, entered.Token)
}

// audited lists the newest entries of a workspace, as "action code".
func (f *fixture) audited(t *testing.T, in tenants.Tenant) []string {
	t.Helper()
	var list []string
	err := f.db.InTenantTx(t.Context(), in.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditList(ctx, db.AuditListParams{TenantID: in.ID.UUID(), BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max,
			Actions: []string{}, Patterns: []string{}, FoundActions: []string{}, RowLimit: 50})
		for _, row := range rows {
			var what struct {
				Detail struct {
					Code string `json:"code"`
				} `json:"detail"`
			}
			_ = json.Unmarshal(row.What, &what)
			list = append(list, strings.TrimSpace(row.Action+" "+what.Detail.Code))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSAMLMakesAnAccountAndKnowsItAgain(t *testing.T) {
	t.Parallel()
	f := federate(t)
	first := f.enter(t, "mara", "bi-editors")
	if a := first.Actor; a.Role != access.Editor || a.TenantID != f.one.ID || first.Name != "N. mara" || first.Email != "mara@one.example" || !first.SSO() {
		t.Errorf("got %+v", first)
	}
	// The address has changed at the provider: who it is has not.
	s := says(f.ask(t), "mara", "bi-admins")
	s.Attributes["email"] = []string{"owner@one.example"}
	entered, err := f.finish(t, f.Response(t, s))
	if err != nil {
		t.Fatal(err)
	}
	again := f.identify(t, entered.Token)
	if again.Actor.UserID != first.Actor.UserID || again.Actor.Role != access.Admin || again.SessionID == first.SessionID || entered.Next != "/dashboards" {
		t.Errorf("got %+v, next %q", again, entered.Next)
	}
	if last := f.enter(t, "mara"); last.Actor.Role != access.Viewer {
		t.Errorf("without groups: got %s", last.Actor.Role)
	}
	if len(again.Workspaces) != 1 {
		t.Errorf("got workspaces %v", again.Workspaces)
	}
}

func TestWhoeverAProviderVouchesForStaysInItsWorkspace(t *testing.T) {
	t.Parallel()
	f := federate(t)
	// Mara has an account with a password in Two already: it is not hers by an address.
	f.user(t, f.two, "mara@one.example", access.Owner)
	entered, err := f.finish(t, f.Response(t, says(f.ask(t), "mara")))
	if err != nil || entered.Token != "" || entered.Link == "" {
		t.Fatalf("got %+v, %v; want a proof to be asked for", entered, err)
	}
	if _, err := f.ConfirmLink(t.Context(), entered.Link, "not the password", "", client); code(err) != "auth.invalid" {
		t.Errorf("a wrong password: got %v", err)
	}
	opened, err := f.ConfirmLink(t.Context(), entered.Link, password, "", client)
	if err != nil {
		t.Fatal(err)
	}
	i := f.identify(t, opened.Token)
	if _, err := f.ConfirmLink(t.Context(), entered.Link, password, "", client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("proved twice: got %v", err)
	}
	if i.Actor.TenantID != f.one.ID || len(i.Workspaces) != 1 {
		t.Errorf("got %+v", i)
	}
	if _, err := f.SwitchWorkspace(t.Context(), i, f.two.ID); !errors.Is(err, auth.ErrConfined) {
		t.Errorf("to the other workspace: got %v", err)
	}
	if _, err := f.ChangePassword(t.Context(), i, password, other); !errors.Is(err, auth.ErrConfined) {
		t.Errorf("the password of all workspaces: got %v", err)
	}
	_, byPassword := f.signIn(t, "mara@one.example", password)
	if list, err := f.ListSessions(t.Context(), i); err != nil || slices.ContainsFunc(list, func(s auth.Session) bool {
		return s.ID == byPassword.SessionID && byPassword.Actor.TenantID == f.two.ID
	}) {
		t.Errorf("sees sessions of other workspaces: %v, %v", list, err)
	}
	if again := f.enter(t, "mara"); again.Actor.UserID != i.Actor.UserID {
		t.Error("is somebody else the second time")
	}
}

func TestAnAddressNeverOpensAnAccount(t *testing.T) {
	t.Parallel()
	f := federate(t)
	s := says(f.ask(t), "x")
	s.Attributes["email"] = []string{"OWNER@one.example"}
	entered, err := f.finish(t, f.Response(t, s))
	if err != nil || entered.Token != "" || entered.Link == "" {
		t.Fatalf("got %+v, %v", entered, err)
	}
	// Of a domain that is not the workspace's, nobody is made.
	s = says(f.ask(t), "y")
	s.Attributes["email"] = []string{"y@elsewhere.example"}
	if _, err := f.finish(t, f.Response(t, s)); !errors.Is(err, auth.ErrNoAccount) {
		t.Errorf("a foreign domain: got %v", err)
	}
	// Who was invited opens the link.
	made, err := f.Invite(t.Context(), f.owner, "zoe@one.example", access.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.finish(t, f.Response(t, says(f.ask(t), "zoe"))); !errors.Is(err, auth.ErrNeedsInvite) {
		t.Errorf("an invited person without the link: got %v", err)
	}
	begin := func() string {
		q, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, Next: "/", Invite: linkToken(t, made.Link)})
		if err != nil {
			t.Fatal(err)
		}
		return samltest.RequestOf(t, q.URL)
	}
	if _, err := f.finish(t, f.Response(t, says(begin(), "eve"))); !errors.Is(err, auth.ErrOtherAddress) {
		t.Errorf("somebody else's invitation: got %v", err)
	}
	entered, err = f.finish(t, f.Response(t, says(begin(), "zoe")))
	if err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, entered.Token); i.Actor.UserID != made.UserID {
		t.Errorf("got %+v", i)
	}
	// Removed is removed.
	if err := f.tenants.RemoveMember(t.Context(), f.owner.Actor, made.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.finish(t, f.Response(t, says(f.ask(t), "zoe"))); !errors.Is(err, auth.ErrRemoved) {
		t.Errorf("a removed member: got %v", err)
	}
}

func TestASessionBeforeEndsWithTheSignIn(t *testing.T) {
	t.Parallel()
	f := federate(t)
	token, before := f.signIn(t, "owner@one.example", password)
	q, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, Next: "/", Session: before.SessionID})
	if err != nil {
		t.Fatal(err)
	}
	entered, err := f.finish(t, f.Response(t, says(samltest.RequestOf(t, q.URL), "mara")))
	if err != nil || entered.Token == token {
		t.Fatalf("got %+v, %v", entered, err)
	}
	if _, err := f.Identify(t.Context(), token, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the session before: got %v", err)
	}
}

// evil is what an attacker puts in the place of an assertion.
func evil(signed *etree.Element) *etree.Element {
	e := signed.Copy()
	e.CreateAttr("ID", "id-evil")
	e.RemoveChild(e.SelectElement("Signature"))
	e.FindElement("./Subject/NameID").SetText("id-of-owner")
	return e
}

func TestAttacksAreRefused(t *testing.T) {
	t.Parallel()
	f := federate(t)
	stranger := samltest.New(t, f.Issuer)
	now := time.Now()
	type try struct {
		respond func(request string) string
		want    string
	}
	wrap := func(change func(response, assertion *etree.Element)) func(string) string {
		return func(request string) string {
			d := f.Document(t, says(request, "mara"))
			change(d.Root(), d.Root().SelectElement("Assertion"))
			return samltest.Encode(t, d)
		}
	}
	with := func(change func(*samltest.Says)) func(string) string {
		return func(request string) string {
			s := says(request, "mara")
			change(&s)
			return f.Response(t, s)
		}
	}
	text := func(change func(string) string) func(string) string {
		return func(request string) string {
			raw, _ := base64.StdEncoding.DecodeString(f.Response(t, says(request, "mara")))
			return base64.StdEncoding.EncodeToString([]byte(change(string(raw))))
		}
	}
	for name, tc := range map[string]try{
		"unsigned":             {with(func(s *samltest.Says) { s.Unsigned = true }), "saml.unsigned"},
		"signed with SHA-1":    {with(func(s *samltest.Says) { s.SHA1 = true }), "saml.weak_signature"},
		"another key":          {func(r string) string { return stranger.Response(t, says(r, "mara")) }, "saml.other_key"},
		"expired":              {with(func(s *samltest.Says) { s.NotOnOrAfter = now.Add(-2 * time.Minute) }), "saml.expired"},
		"made long ago":        {with(func(s *samltest.Says) { s.Issued = now.Add(-4 * time.Minute) }), "saml.expired"},
		"session over":         {with(func(s *samltest.Says) { s.SessionNotOnOrAfter = now.Add(-2 * time.Minute) }), "saml.expired"},
		"not yet valid":        {with(func(s *samltest.Says) { s.NotBefore = now.Add(2 * time.Minute) }), "saml.not_yet_valid"},
		"in the future":        {with(func(s *samltest.Says) { s.Issued = now.Add(2 * time.Minute) }), "saml.not_yet_valid"},
		"other audience":       {with(func(s *samltest.Says) { s.Audience = "https://bi.example/saml/two/metadata" }), "saml.audience"},
		"other recipient":      {with(func(s *samltest.Says) { s.Recipient = "https://bi.example/saml/two/acs" }), "saml.recipient"},
		"other destination":    {with(func(s *samltest.Says) { s.Destination = "https://evil.example/acs" }), "saml.recipient"},
		"unsolicited":          {with(func(s *samltest.Says) { s.InResponseTo = "" }), "saml.unsolicited"},
		"to no request":        {with(func(s *samltest.Says) { s.InResponseTo = "id-none" }), "saml.request"},
		"transient name":       {with(func(s *samltest.Says) { s.Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient" }), "saml.subject"},
		"the provider says no": {with(func(s *samltest.Says) { s.Status = "urn:oasis:names:tc:SAML:2.0:status:Responder" }), "saml.status"},
		"encrypted to others": {with(func(s *samltest.Says) {
			s.EncryptTo = strings.Split(strings.Split(stranger.Metadata(), "<X509Certificate>")[1], "<")[0]
		}), "saml.undecryptable"},
		"nothing":             {func(string) string { return "" }, "saml.malformed"},
		"no base64":           {func(string) string { return "%%%" }, "saml.malformed"},
		"no XML":              {func(string) string { return base64.StdEncoding.EncodeToString([]byte("hello")) }, "saml.malformed"},
		"too large":           {func(string) string { return strings.Repeat("A", 1<<20) }, "saml.malformed"},
		"comment in the name": {text(func(x string) string { return strings.Replace(x, "id-of-mara", "id-of-owner<!---->.mara", 1) }), "saml.unsafe_xml"},
		"external entity": {text(func(x string) string {
			return `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + strings.Replace(x, "id-of-mara", "&x;", 1)
		}), "saml.unsafe_xml"},
		"billion laughs": {text(func(x string) string {
			return `<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>` + strings.Replace(x, "id-of-mara", "&b;", 1)
		}), "saml.unsafe_xml"},
		"too deep":       {text(func(x string) string { return strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000) }), "saml.unsafe_xml"},
		"changed name":   {text(func(x string) string { return strings.Replace(x, "id-of-mara", "id-of-owner", 1) }), "saml.signature"},
		"changed groups": {text(func(x string) string { return strings.Replace(x, "mara@one.example", "owner@one.example", 1) }), "saml.signature"},
		// Signature wrapping: what is signed stays somewhere, what is read is another.
		"wrapped: beside, first": {wrap(func(r, a *etree.Element) { r.InsertChildAt(a.Index(), evil(a)) }), ""},
		"wrapped: beside, last":  {wrap(func(r, a *etree.Element) { r.AddChild(evil(a)) }), ""},
		"wrapped: within the forged one": {wrap(func(r, a *etree.Element) {
			e := evil(a)
			r.RemoveChild(a)
			e.AddChild(a)
			r.AddChild(e)
		}), ""},
		"wrapped: within an object of the signature": {wrap(func(r, a *etree.Element) {
			e := evil(a)
			r.RemoveChild(a)
			signature := a.SelectElement("Signature")
			a.RemoveChild(signature)
			object := signature.CreateElement("ds:Object")
			object.AddChild(a)
			e.InsertChildAt(1, signature)
			r.AddChild(e)
		}), ""},
		"wrapped: in extensions": {wrap(func(r, a *etree.Element) {
			e := evil(a)
			r.RemoveChild(a)
			extensions := etree.NewElement("samlp:Extensions")
			extensions.AddChild(a)
			r.InsertChildAt(1, extensions)
			r.AddChild(e)
		}), ""},
		"wrapped: with the same id": {wrap(func(r, a *etree.Element) {
			e := evil(a)
			e.CreateAttr("ID", a.SelectAttrValue("ID", ""))
			e.InsertChildAt(1, a.SelectElement("Signature").Copy())
			r.InsertChildAt(a.Index(), e)
		}), ""},
		"wrapped: the forged one carries the signature": {wrap(func(r, a *etree.Element) {
			e := evil(a)
			e.InsertChildAt(1, a.SelectElement("Signature").Copy())
			r.RemoveChild(a)
			r.AddChild(e)
		}), ""},
		"wrapped: a signed response within a forged one": {func(request string) string {
			s := says(request, "mara")
			s.SignResponse = true
			d := f.Document(t, s)
			signed := d.Root()
			forged := signed.Copy()
			signature := forged.SelectElement("Signature")
			signature.CreateElement("ds:Object").AddChild(signed.Copy())
			forged.CreateAttr("ID", "id-forged")
			forged.FindElement("./Assertion/Subject/NameID").SetText("id-of-owner")
			d.SetRoot(forged)
			return samltest.Encode(t, d)
		}, ""},
		"wrapped: an assertion beside a signed response's": {func(request string) string {
			s := says(request, "mara")
			s.SignResponse = true
			d := f.Document(t, s)
			e := d.Root().SelectElement("Assertion").Copy()
			e.FindElement("./Subject/NameID").SetText("id-of-owner")
			d.Root().InsertChildAt(2, e)
			return samltest.Encode(t, d)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.finish(t, tc.respond(f.ask(t)))
			got := code(err)
			if err == nil || tc.want != "" && got != tc.want || tc.want == "" && !strings.HasPrefix(got, "saml.") {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			if newest := f.audited(t, f.one)[0]; newest != "auth.sso_refused "+got {
				t.Errorf("the newest entry is %q", newest)
			}
		})
	}
	// All of that has let nobody in and made nobody.
	page, err := f.tenants.ListMembers(t.Context(), f.owner.Actor, tenants.MemberQuery{})
	if err != nil || page.All != 1 {
		t.Errorf("got %d members, %v", page.All, err)
	}
}

func TestAnswersAreUsedOnceAndInTheirBrowser(t *testing.T) {
	t.Parallel()
	f := federate(t)
	response := f.Response(t, says(f.ask(t), "mara"))
	if _, err := f.FinishSAML(t.Context(), auth.Members("one"), response, "", auth.NewBrowser(), client); !errors.Is(err, saml.ErrRequest) {
		t.Errorf("in another browser: got %v", err)
	}
	if _, err := f.finish(t, response); err != nil {
		t.Fatalf("in its own: got %v", err)
	}
	if _, err := f.finish(t, response); !errors.Is(err, saml.ErrRequest) {
		t.Errorf("a second time: got %v", err)
	}
	if _, err := f.FinishSAML(t.Context(), auth.Members("two"), response, "", f.browser, client); !errors.Is(err, auth.ErrNoSSO) {
		t.Errorf("at another workspace: got %v", err)
	}
}

// Another workspace with the same provider takes none of this one's answers.
func TestAnswersAreForOneWorkspace(t *testing.T) {
	t.Parallel()
	f := federate(t)
	f.user(t, f.two, "owner@two.example", access.Owner)
	_, owner := f.signIn(t, "owner@two.example", password)
	if err := f.SaveSAML(t.Context(), owner, auth.Members(owner.TenantSlug), true, auth.SAMLSettings{Source: auth.FromXML, XML: f.Metadata(), Unsolicited: true,
		Mapping: auth.Mapping{Email: "email"}}); err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{f.ask(t), ""} {
		_, err := f.FinishSAML(t.Context(), auth.Members("two"), f.Response(t, says(request, "mara")), "", f.browser, client)
		if got := code(err); got != "saml.recipient" && got != "saml.request" && got != "saml.audience" {
			t.Errorf("got %v", err)
		}
	}
}

func TestUnsolicitedWhereItIsTurnedOn(t *testing.T) {
	t.Parallel()
	f := federate(t, func(n *auth.SAMLSettings) { n.Unsolicited = true })
	response := f.Response(t, says("", "mara"))
	entered, err := f.finish(t, response)
	if err != nil || entered.Next != "/relay" || entered.Token == "" {
		t.Fatalf("got %+v, %v", entered, err)
	}
	if _, err := f.finish(t, response); !errors.Is(err, saml.ErrReplayed) {
		t.Errorf("replayed: got %v", err)
	}
	if newest := f.audited(t, f.one)[0]; newest != "auth.sso_refused saml.replayed" {
		t.Errorf("the newest entry is %q", newest)
	}
}

func TestEncryptedAssertionsWhileCertificatesAreExchanged(t *testing.T) {
	t.Parallel()
	f := federate(t)
	sealed := func(certificate string) error {
		s := says(f.ask(t), "mara")
		s.EncryptTo = certificate
		_, err := f.finish(t, f.Response(t, s))
		return err
	}
	certificates := func() []string {
		metadata, err := f.SAMLMetadata(t.Context(), auth.Members("one"))
		if err != nil {
			t.Fatal(err)
		}
		return samltest.Certificates(t, metadata)
	}
	old := certificates()
	// What the provider has to change is named: not its metadata.
	for algorithm, instead := range map[string]string{"http://www.w3.org/2009/xmlenc11#aes256-gcm": "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
		"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p": "http://www.w3.org/2001/04/xmlenc#rsa-1_5"} {
		s := says(f.ask(t), "mara")
		s.EncryptTo = old[0]
		raw, err := base64.StdEncoding.DecodeString(f.Response(t, s))
		if err != nil || !bytes.Contains(raw, []byte(algorithm)) {
			t.Fatalf("not encrypted with %s: %v: %s", algorithm, err, raw)
		}
		_, err = f.finish(t, base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte(algorithm), []byte(instead), 1)))
		if public := apperr.Describe(err); public.Code != "saml.encryption" || !strings.Contains(public.Sentence, instead[strings.LastIndex(instead, "#")+1:]) {
			t.Errorf("encrypted with %s: %v", instead, err)
		}
	}
	if len(old) != 1 {
		t.Fatalf("got %d certificates", len(old))
	}
	if err := sealed(old[0]); err != nil {
		t.Fatalf("with the first: %v", err)
	}
	for _, step := range []auth.KeyStep{auth.KeyAdd, auth.KeySwitch} {
		if err := f.RollKeys(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), step); err != nil {
			t.Fatal(err)
		}
		both := certificates()
		if len(both) != 2 || !slices.Contains(both, old[0]) {
			t.Fatalf("after %s: %d certificates", step, len(both))
		}
		for _, one := range both {
			if err := sealed(one); err != nil {
				t.Errorf("after %s: %v", step, err)
			}
		}
	}
	if err := f.RollKeys(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), auth.KeyDrop); err != nil {
		t.Fatal(err)
	}
	if left := certificates(); len(left) != 1 || left[0] == old[0] {
		t.Errorf("the old one is left")
	}
	if err := sealed(old[0]); !errors.Is(err, saml.ErrUndecryptable) {
		t.Errorf("with the one that is gone: got %v", err)
	}
	if err := f.RollKeys(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), auth.KeyDrop); !errors.Is(err, saml.ErrKeys) {
		t.Errorf("the last one: got %v", err)
	}
}

func TestLogOutInBothDirections(t *testing.T) {
	t.Parallel()
	f := federate(t)
	token := func(index string) string {
		s := says(f.ask(t), "mara")
		s.SessionIndex = index
		entered, err := f.finish(t, f.Response(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return entered.Token
	}
	open := func(token string) bool {
		_, err := f.Identify(t.Context(), token, false)
		return err == nil
	}
	asks := func(address *url.URL) (saml.Message, error) {
		return f.Service.LogOut(t.Context(), auth.Members("one"), &http.Request{Method: http.MethodGet, URL: address}, f.browser, client)
	}
	one, two := token("s1"), token("s2")
	address := f.Provider.LogOut(t, logOut, "id-of-mara", "state", "s1")
	leaveTo, err := asks(address)
	if err != nil || !strings.HasPrefix(leaveTo.URL, f.Issuer+"/slo?SAMLResponse=") || !strings.Contains(leaveTo.URL, "RelayState=state") || !strings.Contains(leaveTo.URL, "Signature=") {
		t.Fatalf("got %q, %v", leaveTo, err)
	}
	if open(one) || !open(two) {
		t.Error("not the session of that index has ended")
	}
	if _, err := asks(address); !errors.Is(err, saml.ErrReplayed) {
		t.Errorf("asked again: got %v", err)
	}
	forged := samltest.New(t, f.Issuer).LogOut(t, logOut, "id-of-mara", "")
	if _, err := asks(forged); err == nil || !open(two) {
		t.Errorf("a forged wish: got %v", err)
	}
	unsigned := *f.Provider.LogOut(t, logOut, "id-of-mara", "")
	q := unsigned.Query()
	q.Del("Signature")
	q.Del("SigAlg")
	unsigned.RawQuery = q.Encode()
	if _, err := asks(&unsigned); err == nil || !open(two) {
		t.Errorf("an unsigned wish: got %v", err)
	}
	bomb := unsigned
	bomb.RawQuery = url.Values{"SAMLRequest": {deflated(t, 64<<20)}}.Encode()
	if _, err := asks(&bomb); err == nil {
		t.Error("a deflate bomb was read")
	}
	bomb.RawQuery = url.Values{"SAMLResponse": {deflated(t, 64<<20)}}.Encode()
	if _, err := asks(&bomb); !errors.Is(err, saml.ErrMalformed) {
		t.Errorf("a deflate bomb of an answer: got %v", err)
	}
	// All sessions of the person, where no index is named.
	if _, err := asks(f.Provider.LogOut(t, logOut, "id-of-mara", "")); err != nil || open(two) {
		t.Errorf("got %v", err)
	}
	// And from here.
	three := token("s3")
	address3, err := f.BeginLogOut(t.Context(), f.identify(t, three), f.browser)
	if err != nil || !strings.HasPrefix(address3.URL, f.Issuer+"/slo?SAMLRequest=") || open(three) {
		t.Fatalf("got %q, %v", address3, err)
	}
	answer := f.LoggedOut(t, logOut, samltest.LogOutIDOf(t, address3.URL))
	if leaveTo, err := asks(answer); err != nil || leaveTo.URL != "" {
		t.Errorf("the answer: got %q, %v", leaveTo, err)
	}
	if _, err := asks(answer); err == nil {
		t.Error("the answer counted twice")
	}
}

// TestLogOutByPost has a provider that takes and sends messages by HTTP-POST
// alone: both directions, and everything that is none of its messages.
func TestLogOutByPost(t *testing.T) {
	t.Parallel()
	f := federate(t)
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), true, auth.SAMLSettings{Source: auth.FromXML, XML: f.PostMetadata(), JustInTime: true, SkewSeconds: 60,
		Mapping: auth.Mapping{Email: "email"}}); err != nil {
		t.Fatal(err)
	}
	own, err := f.SAMLMetadata(t.Context(), auth.Members("one"))
	if err != nil || strings.Count(string(own), `<SingleLogoutService`) != 2 || !strings.Contains(string(own), `HTTP-POST" Location="`+logOut) {
		t.Fatalf("our metadata does not offer log-out by both ways: %v\n%s", err, own)
	}
	token := func(index string) string {
		s := says(f.ask(t), "mara")
		s.SessionIndex = index
		entered, err := f.finish(t, f.Response(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return entered.Token
	}
	open := func(token string) bool {
		_, err := f.Identify(t.Context(), token, false)
		return err == nil
	}
	posts := func(fields ...string) (saml.Message, error) {
		form := url.Values{}
		for n := 0; n < len(fields); n += 2 {
			form.Set(fields[n], fields[n+1])
		}
		return f.Service.LogOut(t.Context(), auth.Members("one"), &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/saml/one/slo"}, PostForm: form}, f.browser, client)
	}
	wish := samltest.Posted{To: logOut, NameID: "id-of-mara", Sessions: []string{"s1"}}

	// The provider's wish.
	one, two := token("s1"), token("s2")
	asked := f.PostLogOut(t, wish)
	answer, err := posts("SAMLRequest", asked, "RelayState", "state")
	if err != nil || answer.URL != f.Issuer+"/slo/done" || answer.Fields["RelayState"] != "state" {
		t.Fatalf("got %+v, %v", answer, err)
	}
	if _, to := samltest.PostedID(t, own, answer.Fields["SAMLResponse"]); to != f.Issuer+"/slo/done" {
		t.Errorf("our answer goes to %s", to)
	}
	if open(one) || !open(two) {
		t.Error("not the session of that index has ended")
	}
	stranger := samltest.New(t, f.Issuer)
	other := samltest.New(t, "https://other.example")
	with := func(change func(*samltest.Posted)) string {
		m := wish
		m.Sessions = nil
		change(&m)
		return f.PostLogOut(t, m)
	}
	wrapped := func() string {
		raw, _ := base64.StdEncoding.DecodeString(f.PostLogOut(t, samltest.Posted{To: logOut, NameID: "id-of-nobody"}))
		document := etree.NewDocument()
		if err := document.ReadFromBytes(raw); err != nil {
			t.Fatal(err)
		}
		signed := document.Root()
		evil := signed.Copy()
		evil.RemoveChild(evil.SelectElement("Signature"))
		evil.CreateAttr("ID", "id-evil")
		evil.FindElement("./NameID").SetText("id-of-mara")
		extensions := evil.CreateElement("samlp:Extensions")
		extensions.AddChild(signed)
		document.SetRoot(evil)
		return samltest.Encode(t, document)
	}
	for name, tc := range map[string]struct{ message, want string }{
		"sent again":        {asked, "saml.replayed"},
		"another key":       {stranger.PostLogOut(t, wish), "saml.other_key"},
		"another provider":  {other.PostLogOut(t, wish), "saml.other_key"},
		"unsigned":          {with(func(m *samltest.Posted) { m.Unsigned = true }), "saml.unsigned"},
		"signed with SHA-1": {with(func(m *samltest.Posted) { m.SHA1 = true }), "saml.weak_signature"},
		"another address":   {with(func(m *samltest.Posted) { m.To = "https://bi.example/saml/two/slo" }), "saml.recipient"},
		"another issuer": {with(func(m *samltest.Posted) {
			m.Change = func(e *etree.Element) { e.FindElement("./Issuer").SetText("https://other.example") }
		}), "saml.issuer"},
		"expired": {with(func(m *samltest.Posted) {
			m.Change = func(e *etree.Element) {
				e.CreateAttr("NotOnOrAfter", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
			}
		}), "saml.expired"},
		"made long ago": {with(func(m *samltest.Posted) {
			m.Change = func(e *etree.Element) {
				e.CreateAttr("IssueInstant", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
			}
		}), "saml.expired"},
		"wrapped":          {wrapped(), ""},
		"nothing":          {"", "saml.malformed"},
		"no XML":           {base64.StdEncoding.EncodeToString([]byte("hello")), "saml.malformed"},
		"an entity":        {base64.StdEncoding.EncodeToString([]byte(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><LogoutRequest>&x;</LogoutRequest>`)), "saml.unsafe_xml"},
		"a sign-in":        {f.Response(t, says("id-x", "mara")), "saml.malformed"},
		"deflated":         {deflated(t, 64<<20), "saml.malformed"},
		"far too large":    {strings.Repeat("A", 1<<20), "saml.malformed"},
		"an answer as one": {f.PostLoggedOut(t, samltest.Posted{To: logOut, InResponseTo: "id-x"}), "saml.malformed"},
	} {
		if _, err := posts("SAMLRequest", tc.message); err == nil || tc.want != "" && code(err) != tc.want || !open(two) {
			t.Errorf("%s: got %v (open: %v), want %s", name, err, open(two), tc.want)
			continue
		}
		if last := f.audited(t, f.one)[0]; !strings.HasPrefix(last, "auth.sso_refused saml.") || tc.want != "" && last != "auth.sso_refused "+tc.want {
			t.Errorf("%s: the newest entry is %q", name, last)
		}
	}
	// A signature beside the message, as of HTTP-POST-SimpleSign, counts nothing, nor
	// what stands in the address.
	bare := with(func(m *samltest.Posted) { m.Unsigned = true })
	if _, err := posts("SAMLRequest", bare, "SigAlg", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "Signature", "AAAA"); !errors.Is(err, saml.ErrUnsigned) || !open(two) {
		t.Errorf("with a signature beside it: got %v", err)
	}
	address := f.Provider.LogOut(t, logOut, "id-of-mara", "")
	if _, err := f.Service.LogOut(t.Context(), auth.Members("one"), &http.Request{Method: http.MethodPost, URL: address, PostForm: url.Values{}}, f.browser, client); err == nil || !open(two) {
		t.Errorf("posted, with a message in the address: got %v", err)
	}
	// All sessions of the person, where no index is named.
	if _, err := posts("SAMLRequest", with(func(*samltest.Posted) {})); err != nil || open(two) {
		t.Errorf("got %v", err)
	}

	// And from here.
	three := token("s3")
	question, err := f.BeginLogOut(t.Context(), f.identify(t, three), f.browser)
	if err != nil || question.URL != f.Issuer+"/slo" || open(three) {
		t.Fatalf("got %+v, %v", question, err)
	}
	id, to := samltest.PostedID(t, own, question.Fields["SAMLRequest"])
	if id != question.ID || to != f.Issuer+"/slo" {
		t.Errorf("our question %s goes to %s", id, to)
	}
	done := samltest.Posted{To: logOut, InResponseTo: id}
	for name, tc := range map[string]struct{ message, want string }{
		"to another question": {f.PostLoggedOut(t, samltest.Posted{To: logOut, InResponseTo: "id-none"}), "saml.request"},
	} {
		if _, err := posts("SAMLResponse", tc.message); code(err) != tc.want {
			t.Errorf("an answer %s: got %v, want %s", name, err, tc.want)
		}
	}
	if back, err := posts("SAMLResponse", f.PostLoggedOut(t, done)); err != nil || back.URL != "" {
		t.Errorf("the answer: got %+v, %v", back, err)
	}
	if _, err := posts("SAMLResponse", f.PostLoggedOut(t, done)); !errors.Is(err, saml.ErrRequest) {
		t.Errorf("answered twice: got %v", err)
	}
	for name, tc := range map[string]struct {
		answer func(id string) string
		want   string
	}{
		"unsigned": {func(id string) string {
			return f.PostLoggedOut(t, samltest.Posted{To: logOut, InResponseTo: id, Unsigned: true})
		}, "saml.unsigned"},
		"another key": {func(id string) string {
			return stranger.PostLoggedOut(t, samltest.Posted{To: logOut, InResponseTo: id})
		}, "saml.other_key"},
		"another address": {func(id string) string {
			return f.PostLoggedOut(t, samltest.Posted{To: "https://bi.example/saml/two/slo", InResponseTo: id})
		}, "saml.recipient"},
	} {
		question, err := f.BeginLogOut(t.Context(), f.identify(t, token("s-"+name)), f.browser)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := posts("SAMLResponse", tc.answer(question.ID)); code(err) != tc.want {
			t.Errorf("an answer, %s: got %v, want %s", name, err, tc.want)
		}
		if last := f.audited(t, f.one)[0]; last != "auth.sso_refused "+tc.want {
			t.Errorf("an answer, %s: the newest entry is %q", name, last)
		}
	}
}

func TestEnforcedSingleSignOnClosesEverythingElse(t *testing.T) {
	t.Parallel()
	f := federate(t)
	f.user(t, f.one, "ada@one.example", access.Editor)
	f.user(t, f.one, "grace@one.example", access.Owner)
	old, _ := f.signIn(t, "ada@one.example", password)
	if err := f.SetSSOOnly(t.Context(), f.owner, true, f.owner.Actor.UserID); !errors.Is(err, auth.ErrEnforce) {
		t.Fatalf("before a test has passed: got %v", err)
	}
	f.test(t)
	if err := f.SetSSOOnly(t.Context(), f.owner, true, ids.New[ids.User]()); !errors.Is(err, tenants.ErrMemberNotFound) {
		t.Errorf("nobody as break-glass owner: got %v", err)
	}
	if err := f.SetSSOOnly(t.Context(), f.owner, true, f.owner.Actor.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), old, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("a session that a password has opened: got %v", err)
	}
	for _, email := range []string{"ada@one.example", "grace@one.example"} {
		if _, err := f.SignIn(t.Context(), email, password, false, client); !errors.Is(err, auth.ErrSSORequired) {
			t.Errorf("%s by password: got %v", email, err)
		}
		if _, err := f.SignIn(t.Context(), email, "not the password", false, client); !errors.Is(err, auth.ErrSSORequired) {
			t.Errorf("%s by a wrong password: got %v", email, err)
		}
		if list := f.audited(t, f.one); list[0] != "auth.sign_in_failed auth.sso_required" || list[1] != list[0] {
			t.Errorf("the log has %v", list[:2])
		}
	}
	letters := len(f.mail.letters)
	if err := f.RequestReset(t.Context(), "ada@one.example", client); err != nil || len(f.mail.letters) != letters {
		t.Errorf("reset: got %v, %d letters", err, len(f.mail.letters)-letters)
	}
	if list := f.audited(t, f.one); list[0] != "auth.reset_requested auth.sso_required" {
		t.Errorf("the log has %v", list[:1])
	}
	// Of the workspace's own domain nobody learns who has an account; the one owner
	// signs in as ever, and others have to wait as ever.
	f.user(t, f.two, "open@one.example", access.Viewer) // of the domain, in a workspace that passwords open
	for _, email := range []string{"owner@one.example", "open@one.example"} {
		if _, err := f.SignIn(t.Context(), email, "not the password", false, client); !errors.Is(err, auth.ErrSSORequired) {
			t.Errorf("%s by a wrong password: got %v", email, err)
		}
	}
	f.signIn(t, "open@one.example", password)
	// A guest from another domain can't be told from anybody else there.
	f.user(t, f.one, "guest@elsewhere.example", access.Viewer)
	for _, email := range []string{"guest@elsewhere.example", "nobody@elsewhere.example"} {
		if _, err := f.SignIn(t.Context(), email, "not the password", false, client); !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("%s by a wrong password: got %v", email, err)
		}
	}
	if _, err := f.SignIn(t.Context(), "guest@elsewhere.example", password, false, client); !errors.Is(err, auth.ErrSSORequired) {
		t.Errorf("the guest by the right password: got %v", err)
	}
	for n := 0; ; n++ {
		_, err := f.SignIn(t.Context(), "nobody@one.example", password, false, client)
		if errors.Is(err, auth.ErrThrottled) {
			break
		}
		if !errors.Is(err, auth.ErrSSORequired) || n > 20 {
			t.Fatalf("attempt %d of nobody: got %v", n+1, err)
		}
	}
	if _, _, err := f.ResetLink(t.Context(), "ada@one.example"); !errors.Is(err, auth.ErrSSORequired) {
		t.Errorf("reset by the console: got %v", err)
	}
	made, err := f.Invite(t.Context(), f.owner, "new@one.example", access.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.AcceptInvite(t.Context(), linkToken(t, made.Link), "New", password, client); !errors.Is(err, auth.ErrSSORequired) {
		t.Errorf("invitation with a password: got %v", err)
	}
	// From another workspace neither.
	f.user(t, f.two, "ada@one.example", access.Viewer)
	_, elsewhere := f.signIn(t, "ada@one.example", password)
	if elsewhere.Actor.TenantID != f.two.ID {
		t.Fatalf("signed in to %s", elsewhere.TenantName)
	}
	if _, err := f.SwitchWorkspace(t.Context(), elsewhere, f.one.ID); !errors.Is(err, auth.ErrSSORequired) {
		t.Errorf("switched to it: got %v", err)
	}
	// One owner can, and it is told.
	f.signIn(t, "owner@one.example", password)
	if list := f.audited(t, f.one); !slices.Contains(list[:3], "auth.break_glass_used") {
		t.Errorf("got entries %v", list[:3])
	}
	if err := f.tenants.SetRole(t.Context(), f.owner.Actor, f.owner.Actor.UserID, access.Admin); !errors.Is(err, tenants.ErrBreakGlass) {
		t.Errorf("the break-glass owner steps down: got %v", err)
	}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), false, auth.SAMLSettings{Source: auth.FromXML, XML: f.Metadata()}); !errors.Is(err, auth.ErrEnforce) {
		t.Errorf("the last connection is turned off: got %v", err)
	}
	f.enter(t, "mara")
	if err := f.SetSSOOnly(t.Context(), f.owner, false, ids.User{}); err != nil {
		t.Fatal(err)
	}
	f.signIn(t, "grace@one.example", password)
	// On record is what it was before.
	what := map[string][]string{}
	err = f.db.InTenantTx(t.Context(), f.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditList(ctx, db.AuditListParams{TenantID: f.one.ID.UUID(), BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max,
			Actions: []string{"sso.enforcement_changed", "sso.changed"}, Patterns: []string{}, FoundActions: []string{}, RowLimit: 50})
		for _, row := range rows {
			what[row.Action] = append(what[row.Action], string(row.What))
		}
		return err
	})
	if list := what["sso.enforcement_changed"]; err != nil || len(list) != 2 || !strings.Contains(list[0], `"before": {"only": true}`) || !strings.Contains(list[0], `"after": {"only": false}`) {
		t.Errorf("%v, %v", list, err)
	}
	if list := what["sso.changed"]; len(list) != 1 || !strings.Contains(list[0], `"before": {`) || !strings.Contains(list[0], `"enabled": true`) {
		t.Errorf("the connection: %v", list)
	}
}

// test makes a test sign-in.
func (f *federated) test(t *testing.T, change ...func(*samltest.Says)) auth.Test {
	t.Helper()
	q, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, Next: "/", Test: &f.owner})
	if err != nil {
		t.Fatal(err)
	}
	s := says(samltest.RequestOf(t, q.URL), "mara", "bi-editors")
	for _, c := range change {
		c(&s)
	}
	entered, err := f.finish(t, f.Response(t, s))
	if err != nil || !entered.Test || entered.Token != "" {
		t.Fatalf("got %+v, %v", entered, err)
	}
	found, err := f.GetSSO(t.Context(), f.owner.Actor)
	if err != nil || found.SAML.LastTest == nil {
		t.Fatalf("got %+v, %v", found.SAML, err)
	}
	return *found.SAML.LastTest
}

func states(test auth.Test) map[string]saml.State {
	all := map[string]saml.State{}
	for _, c := range test.Checks {
		all[c.Name] = c.State
	}
	return all
}

func TestTestSignInShowsEveryCheck(t *testing.T) {
	t.Parallel()
	f := federate(t)
	good := f.test(t)
	for _, name := range []string{"received", "status", "signature", "issuer", "audience", "recipient", "times", "replay", "request", "subject", "attributes", "role", "account"} {
		if got := states(good)[name]; got != saml.Passed {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if !good.Passed || good.Role != access.Editor || good.Values["email"][0] != "mara@one.example" || states(good)["encrypted"] != saml.Warned {
		t.Errorf("got %+v", good)
	}
	for name, tc := range map[string]struct {
		change func(*samltest.Says)
		fails  []string
	}{
		"audience": {func(s *samltest.Says) { s.Audience = "urn:other" }, []string{"audience"}},
		"many": {func(s *samltest.Says) {
			s.Audience, s.Recipient, s.NotOnOrAfter = "urn:other", "https://other.example", time.Now().Add(-time.Hour)
		}, []string{"audience", "recipient", "times"}},
		"unsigned": {func(s *samltest.Says) { s.Unsigned = true }, []string{"signature"}},
		"status":   {func(s *samltest.Says) { s.Status = "urn:oasis:names:tc:SAML:2.0:status:Responder" }, []string{"status"}},
	} {
		test := f.test(t, tc.change)
		var failed []string
		for _, c := range test.Checks {
			if c.State == saml.Failed {
				failed = append(failed, c.Name)
				if c.Text == "" || c.Detail == "" || !strings.HasPrefix(c.Code, "saml.") {
					t.Errorf("%s: %+v does not say enough", name, c)
				}
			}
		}
		if test.Passed || !slices.Equal(failed, tc.fails) {
			t.Errorf("%s: failed are %v, want %v", name, failed, tc.fails)
		}
	}
	// A pasted one is looked at in the same way, and is neither used nor let in.
	response := f.Response(t, says(f.ask(t), "mara"))
	pasted, err := f.DiagnoseSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), response)
	if err != nil || pasted.Passed || states(pasted)["signature"] != saml.Passed || states(pasted)["request"] != saml.Failed {
		t.Errorf("got %+v, %v", pasted, err)
	}
	if _, err := f.finish(t, response); err != nil {
		t.Errorf("after it was pasted: %v", err)
	}
	if pasted, err = f.DiagnoseSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), response); err != nil || states(pasted)["replay"] != saml.Failed {
		t.Errorf("after it was used: got %+v, %v", states(pasted), err)
	}
}

// Who may set up sign-in could come in as anybody: only owners may, and of
// their own workspace.
func TestSignInIsTheOwnersToSetUp(t *testing.T) {
	t.Parallel()
	f := federate(t)
	f.user(t, f.one, "admin@one.example", access.Admin)
	_, admin := f.signIn(t, "admin@one.example", password)
	for name, try := range map[string]func(auth.Identity) error{
		"save SAML": func(i auth.Identity) error {
			return f.SaveSAML(t.Context(), i, auth.Members(i.TenantSlug), true, auth.SAMLSettings{})
		},
		"save OIDC": func(i auth.Identity) error {
			return f.SaveOIDC(t.Context(), i, auth.Members(i.TenantSlug), true, auth.OIDCSettings{})
		},
		"prepare": func(i auth.Identity) error { return f.PrepareSAML(t.Context(), i, auth.Members(i.TenantSlug)) },
		"roll": func(i auth.Identity) error {
			return f.RollKeys(t.Context(), i, auth.Members(i.TenantSlug), auth.KeyAdd)
		},
		"enforce":     func(i auth.Identity) error { return f.SetSSOOnly(t.Context(), i, true, f.owner.Actor.UserID) },
		"security":    func(i auth.Identity) error { return f.SetSecurity(t.Context(), i, auth.Security{}) },
		"add domain":  func(i auth.Identity) error { return f.AddDomain(t.Context(), i, "x.example") },
		"verify":      func(i auth.Identity) error { return f.VerifyDomain(t.Context(), i, "one.example") },
		"sign-up":     func(i auth.Identity) error { return f.SetSignUp(t.Context(), i, "one.example", access.Viewer) },
		"drop domain": func(i auth.Identity) error { return f.RemoveDomain(t.Context(), i, "one.example") },
	} {
		if err := try(admin); !errors.Is(err, access.ErrForbidden) {
			t.Errorf("an admin: %s: got %v", name, err)
		}
	}
	f.user(t, f.two, "owner@two.example", access.Owner)
	_, foreign := f.signIn(t, "owner@two.example", password)
	if found, err := f.GetSSO(t.Context(), foreign.Actor); err != nil || found.SAML.Set || len(found.Domains) > 0 || len(found.Owners) != 1 {
		t.Errorf("another workspace sees %+v, %v", found, err)
	}
	for name, err := range map[string]error{
		"domain":  f.VerifyDomain(t.Context(), foreign, "one.example"),
		"sign-up": f.SetSignUp(t.Context(), foreign, "one.example", access.Viewer),
		"remove":  f.RemoveDomain(t.Context(), foreign, "one.example"),
	} {
		if !errors.Is(err, auth.ErrDomainNotFound) {
			t.Errorf("another workspace's %s: got %v", name, err)
		}
	}
	if _, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, Test: &foreign}); !errors.Is(err, auth.ErrNoSSO) {
		t.Errorf("a test of another workspace: got %v", err)
	}
}

func TestWaysAreFoundByDomainAndNotByPerson(t *testing.T) {
	t.Parallel()
	f := federate(t)
	for text, want := range map[string]bool{"one": true, " ONE ": true, "owner@one.example": true, "nobody@one.example": true, "two": false, "none": false, "x@two.example": false, "": false, "@": false} {
		ways, err := f.FindWays(t.Context(), text)
		if found := err == nil && ways.SAML && ways.Slug == "one"; found != want || !want && !errors.Is(err, auth.ErrNoSSO) {
			t.Errorf("%q: got %+v, %v", text, ways, err)
		}
	}
}

// deflated is a message of that many bytes, as small as it gets.
func deflated(t *testing.T, size int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("A"), 1<<20)
	for range size >> 20 {
		if _, err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// Who begins sign-ins without end has to wait, whatever workspace they name.
func TestBeginningSignInsIsBounded(t *testing.T) {
	t.Parallel()
	f := federate(t)
	begin := func(address, slug string) error {
		_, err := f.BeginSAML(t.Context(), auth.Members(slug), auth.Begin{Browser: f.browser, From: auth.Client{Address: address}})
		return err
	}
	begun := 0
	for begun < 200 && begin("192.0.2.77", "one") == nil {
		begun++
	}
	if begun < 120 || begun == 200 {
		t.Fatalf("%d sign-ins were begun", begun)
	}
	for _, slug := range []string{"one", "two", "nobodys"} {
		if err := begin("192.0.2.77", slug); !errors.Is(err, auth.ErrThrottled) {
			t.Errorf("%s: got %v", slug, err)
		}
	}
	if _, err := f.BeginOIDC(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, From: auth.Client{Address: "192.0.2.77"}}); !errors.Is(err, auth.ErrThrottled) {
		t.Errorf("OpenID Connect: got %v", err)
	}
	if err := begin("192.0.2.78", "one"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	// Those that succeed are not counted.
	for n := range 130 {
		if entered, err := f.finish(t, f.Response(t, says(f.askFrom(t, client), "mara"))); err != nil || entered.Token == "" {
			t.Fatalf("%d: %v", n, err)
		}
	}
}

// TestAPassedTestStaysPassed has a test pass: what is pasted into the diagnosis, a
// test that fails later and a save of the same take nothing back; a change does.
func TestAPassedTestStaysPassed(t *testing.T) {
	t.Parallel()
	f := federate(t)
	realm := auth.Members("one")
	passed := f.test(t)
	if passed.Took > 10*time.Second || passed.PassedAt.IsZero() {
		t.Errorf("got %+v", passed)
	}
	if _, err := f.DiagnoseSAML(t.Context(), f.owner, realm, "nonsense"); err != nil {
		t.Fatal(err)
	}
	if failed := f.test(t, func(s *samltest.Says) { s.Audience = "https://somebody.else.example" }); failed.Passed || !failed.PassedAt.Equal(passed.PassedAt) {
		t.Fatalf("got %+v", failed)
	}
	found, err := f.GetSSO(t.Context(), f.owner.Actor)
	if err != nil {
		t.Fatal(err)
	}
	for _, enabled := range []bool{false, true} {
		if err := f.SaveSAML(t.Context(), f.owner, realm, enabled, found.SAML.Settings); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.SetSSOOnly(t.Context(), f.owner, true, f.owner.Actor.UserID); err != nil {
		t.Errorf("after a test that has passed: got %v", err)
	}
	if err := f.SetSSOOnly(t.Context(), f.owner, false, ids.User{}); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedSingleSignOnIsDenied looks at the entry of a refused answer.
func TestRefusedSingleSignOnIsDenied(t *testing.T) {
	t.Parallel()
	f := federate(t)
	s := says(f.ask(t), "mara", "bi-editors")
	s.Audience = "https://somebody.else.example"
	if _, err := f.finish(t, f.Response(t, s)); err == nil {
		t.Fatal("somebody came in")
	}
	err := f.db.InTenantTx(t.Context(), f.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditList(ctx, db.AuditListParams{TenantID: f.one.ID.UUID(), BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max,
			Actions: []string{}, Patterns: []string{}, FoundActions: []string{}, RowLimit: 1})
		if err == nil && (rows[0].Action != "auth.sso_refused" || rows[0].Outcome != "denied" || !strings.Contains(string(rows[0].What), "mara@one.example")) {
			t.Errorf("got %s %s: %s", rows[0].Action, rows[0].Outcome, rows[0].What)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An answer with an unknown key has the metadata fetched again, once for many of
// them: providers change their certificates without a word.
func TestAnUnknownKeyHasMetadataFetched(t *testing.T) {
	t.Parallel()
	f := federate(t)
	served := f.Metadata()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(served)) }))
	t.Cleanup(server.Close)
	f.Service = auth.NewService(auth.Deps{DB: f.db, Tenants: f.tenants, Mailer: f.mail, BaseURL: func() string { return "https://bi.example" },
		Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1, Lanes: 1}, Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})})
	waiting := func() (list []db.JobListOpenRow) {
		t.Helper()
		err := f.db.InControlTx(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			list, err = tx.JobListOpen(ctx, f.one.ID.UUID(), 100)
			list = slices.DeleteFunc(list, func(j db.JobListOpenRow) bool { return j.Kind != auth.RefreshArgs{}.Kind() })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	other := samltest.New(t, f.Issuer)
	if _, err := f.finish(t, other.Response(t, says(f.ask(t), "mara"))); apperr.Describe(err).Code != "saml.other_key" || strings.Contains(err.Error(), "in a minute") || len(waiting()) > 0 {
		t.Errorf("of metadata that were pasted: %v", err)
	}
	n := auth.SAMLSettings{Source: auth.FromURL, MetadataURL: server.URL, JustInTime: true, SkewSeconds: 60, Mapping: auth.Mapping{Email: "email", Name: "name"}}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members(f.owner.TenantSlug), true, n); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := f.finish(t, other.Response(t, says(f.ask(t), "mara")))
		if public := apperr.Describe(err); public.Code != "saml.other_key" || !strings.Contains(public.Sentence, "sign in again in a minute") {
			t.Errorf("%v", err)
		}
	}
	if list := waiting(); len(list) != 1 {
		t.Errorf("%d jobs wait", len(list))
	}
}

// A provider's clock can be wrong in the assertion alone.
func TestAPastedAnswerIsJudgedByAllChecks(t *testing.T) {
	t.Parallel()
	f := federate(t, func(n *auth.SAMLSettings) { n.Unsolicited = true })
	s := says("", "mara")
	now := time.Now()
	s.Issued, s.NotBefore, s.NotOnOrAfter = now.Add(-2*time.Hour-2*time.Second), now.Add(-2*time.Hour), now.Add(-time.Hour)
	doc := f.Document(t, s)
	doc.Root().CreateAttr("IssueInstant", now.UTC().Format(time.RFC3339))
	pasted, err := f.DiagnoseSAML(t.Context(), f.owner, auth.Members("one"), samltest.Encode(t, doc))
	if err != nil || pasted.Passed || states(pasted)["signature"] != saml.Passed || states(pasted)["times"] != saml.Failed {
		t.Errorf("got %+v, %v", pasted, err)
	}
	for _, c := range pasted.Checks {
		if c.Name == "times" && (!strings.Contains(c.Detail, "made 2 hours ago") || !strings.Contains(c.Detail, "within 150 seconds")) {
			t.Errorf("got %q", c.Detail)
		}
	}
}
