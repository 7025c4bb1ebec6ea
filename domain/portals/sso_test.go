package portals_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/oidc/oidctest"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/auth/saml/samltest"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

const home = "https://insights.example.com"

// federated is a portal whose visitors sign in at a provider.
type federated struct {
	*rig
	*samltest.Provider
	p       portals.Portal
	browser string
}

func settings(provider *samltest.Provider) auth.SAMLSettings {
	return auth.SAMLSettings{Source: auth.FromXML, XML: provider.Metadata(), JustInTime: true, SkewSeconds: 60,
		Mapping: auth.Mapping{Email: "email", Name: "name", Groups: "groups", Company: "company",
			Teams: []auth.TeamRule{{Group: "north", Team: "North"}}, People: []auth.AttributeRule{{From: "area", To: "region"}}}}
}

// connect has a portal sign its visitors in at the provider.
func (r *rig) connect(t testing.TB, id ids.Portal, base string, enabled bool, n auth.SAMLSettings) error {
	t.Helper()
	p, err := r.Get(t.Context(), r.admin, id)
	must(t, err)
	return r.people.SaveSAML(t.Context(), auth.Identity{Actor: r.admin}, p.Realm(base), enabled, n)
}

func federate(t testing.TB) *federated {
	t.Helper()
	f := &federated{rig: newRig(t), Provider: samltest.New(t, "https://idp.example"), browser: auth.NewBrowser()}
	must(t, f.connect(t, f.id, home, true, settings(f.Provider)))
	var err error
	f.p, err = f.Get(t.Context(), f.admin, f.id)
	must(t, err)
	return f
}

// ask begins a sign-in, with the token of a link where there is one.
func (f *federated) ask(t testing.TB, link string) (request string) {
	t.Helper()
	q, err := f.people.BeginSAML(t.Context(), f.p.Realm(home), auth.Begin{Browser: f.browser, Next: "/dashboards", Invite: link})
	must(t, err)
	return samltest.RequestOf(t, q.URL)
}

// says is what a truthful provider says of somebody to a portal.
func says(base, request, who string) samltest.Says {
	return samltest.Says{NameID: "id-of-" + who, Audience: base + "/saml/metadata", Recipient: base + "/saml/acs", Destination: base + "/saml/acs",
		InResponseTo: request, SessionIndex: "s-" + who,
		Attributes: map[string][]string{"email": {who + "@halden.example"}, "name": {"N. " + who}, "company": {"Halden"}, "groups": {"north"}, "area": {"North"}}}
}

func (f *federated) finish(t testing.TB, says samltest.Says) (auth.Entered, error) {
	t.Helper()
	return f.FinishSAML(t.Context(), f.p, home, f.Response(t, says), "", f.browser, client)
}

func (f *federated) enter(t testing.TB, who string) portals.Visit {
	t.Helper()
	entered, err := f.finish(t, says(home, f.ask(t, ""), who))
	must(t, err)
	visit, err := f.Identify(t.Context(), f.p, entered.Token)
	must(t, err)
	return visit
}

// actions are what the workspace's audit log has, newest first.
func (r *rig) actions(t testing.TB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	err := r.db.InTenantTx(t.Context(), r.admin.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.AuditList(ctx, db.AuditListParams{TenantID: tx.TenantID, BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max,
			Actions: []string{}, Patterns: []string{}, FoundActions: []string{}, RowLimit: 200})
		for _, row := range rows {
			counts[row.Action]++
		}
		return err
	})
	must(t, err)
	return counts
}

func TestAProviderMakesAVisitorAndKnowsThemAgain(t *testing.T) {
	t.Parallel()
	f, ctx := federate(t), t.Context()
	_, err := f.SaveGroup(ctx, f.admin, f.id, portals.Group{Name: "North", Attributes: map[string][]string{"tier": {"gold"}}})
	must(t, err)
	first := f.enter(t, "mara")
	if a := first.Actor.Attributes; first.Email != "mara@halden.example" || first.Title() != "Halden" || len(a["region"]) != 1 || a["region"][0] != "North" || len(a["tier"]) != 1 {
		t.Errorf("got %+v with %v", first, a)
	}
	// The address and all else has changed at the provider: who it is has not. What
	// it does not say any more is gone, so that rules show no more than before.
	s := says(home, f.ask(t, ""), "mara")
	s.Attributes = map[string][]string{"email": {"other@halden.example"}}
	entered, err := f.finish(t, s)
	must(t, err)
	again, err := f.Identify(ctx, f.p, entered.Token)
	must(t, err)
	if again.Actor.VisitorID != first.Actor.VisitorID || len(again.Actor.Attributes) != 0 || entered.Next != "/dashboards" {
		t.Errorf("got %+v with %v, next %q", again, again.Actor.Attributes, entered.Next)
	}
	list, _, err := f.Visitors(ctx, f.admin, f.id)
	if err != nil || len(list) != 1 || !list[0].Active {
		t.Fatalf("got visitors %+v, %v", list, err)
	}
	must(t, f.ChangeVisitor(ctx, f.admin, f.id, portals.Visitor{ID: first.Actor.VisitorID, Blocked: true}))
	_, err = f.finish(t, says(home, f.ask(t, ""), "mara"))
	wantError(t, err, portals.ErrBlocked)
	counts := f.actions(t)
	for action, want := range map[string]int{"sso.changed": 1, "portals.visitor_joined": 1, "portals.identity_linked": 1, "portals.signed_in": 2, "portals.visitor_changed": 3, "auth.sso_refused": 1} {
		if counts[action] != want {
			t.Errorf("%s is %d times in the audit log, want %d", action, counts[action], want)
		}
	}
}

func TestAnAddressNeverOpensAVisitorsAccount(t *testing.T) {
	t.Parallel()
	f, ctx := federate(t), t.Context()
	_, visitor, _ := f.visitor(t, portals.Visitor{Email: "mara@halden.example", Attributes: map[string][]string{"region": {"South"}}})
	_, err := f.finish(t, says(home, f.ask(t, ""), "mara"))
	wantError(t, err, portals.ErrNeedsLink)
	// A link that was mailed to the address proves it, for that address alone.
	must(t, f.RequestReset(ctx, f.p, home, "mara@halden.example", client))
	link := f.mail.token(t)
	_, err = f.finish(t, says(home, f.ask(t, link), "eve"))
	wantError(t, err, auth.ErrOtherAddress)
	entered, err := f.finish(t, says(home, f.ask(t, link), "mara"))
	must(t, err)
	visit, err := f.Identify(ctx, f.p, entered.Token)
	must(t, err)
	if visit.Actor.VisitorID != visitor || visit.Actor.Attributes["region"][0] != "North" {
		t.Errorf("got %+v", visit)
	}
	_, err = f.finish(t, says(home, f.ask(t, link), "zoe"))
	wantError(t, err, auth.ErrLinkUsed)
	// Without accounts for new people, only who was invited comes in.
	n := settings(f.Provider)
	n.JustInTime = false
	must(t, f.connect(t, f.id, home, true, n))
	_, err = f.finish(t, says(home, f.ask(t, ""), "zoe"))
	wantError(t, err, auth.ErrNoAccount)
}

// What one portal has asked is answered there, whatever provider both trust.
func TestAnswersAreOfOnePortal(t *testing.T) {
	t.Parallel()
	f, ctx := federate(t), t.Context()
	const elsewhere = "https://other.example.com"
	sibling, err := f.Create(ctx, f.admin, "Sibling")
	must(t, err)
	must(t, f.connect(t, sibling, elsewhere, true, settings(f.Provider)))
	other := newRigIn(t, f.rig)
	must(t, other.connect(t, other.id, elsewhere, true, settings(f.Provider)))
	for name, at := range map[string]struct {
		rig *rig
		id  ids.Portal
	}{"another portal of the workspace": {f.rig, sibling}, "a portal of another workspace": {other, other.id}} {
		p, err := at.rig.Get(ctx, at.rig.admin, at.id)
		must(t, err)
		answer := says(home, f.ask(t, ""), "mara")
		if _, err := at.rig.FinishSAML(ctx, p, elsewhere, f.Response(t, answer), "", f.browser, client); apperr.Describe(err).Class != apperr.Unauthenticated && apperr.Describe(err).Class != apperr.Invalid && apperr.Describe(err).Class != apperr.Forbidden {
			t.Errorf("%s took the answer: %v", name, err)
		}
		// Made out to the other portal, it is still to no question of that one.
		answer = says(elsewhere, f.ask(t, ""), "mara")
		_, err = at.rig.FinishSAML(ctx, p, elsewhere, f.Response(t, answer), "", f.browser, client)
		wantError(t, err, saml.ErrRequest)
	}
	// To members of the workspace neither: they have no connection, or their own.
	tenant, err := f.tenants.GetSettings(ctx, f.admin)
	must(t, err)
	owner := auth.Identity{Actor: f.admin, TenantSlug: tenant.Slug, TenantName: tenant.Name}
	owner.Actor.Role = access.Owner
	_, err = f.people.FinishSAML(ctx, auth.Members(tenant.Slug), f.Response(t, says(home, f.ask(t, ""), "mara")), "", f.browser, client)
	wantError(t, err, auth.ErrNoSSO)
	must(t, f.people.SaveSAML(ctx, owner, auth.Members(tenant.Slug), true, settings(f.Provider)))
	base := "https://bi.example.com/saml/" + tenant.Slug
	answer := says(home, f.ask(t, ""), "mara")
	answer.Audience, answer.Recipient, answer.Destination = base+"/metadata", base+"/acs", base+"/acs"
	_, err = f.people.FinishSAML(ctx, auth.Members(tenant.Slug), f.Response(t, answer), "", f.browser, client)
	wantError(t, err, saml.ErrRequest)
	// Another browser's answer is none, and one counts once.
	answer = says(home, f.ask(t, ""), "mara")
	response := f.Response(t, answer)
	_, err = f.FinishSAML(ctx, f.p, home, response, "", auth.NewBrowser(), client)
	wantError(t, err, saml.ErrRequest)
	_, err = f.FinishSAML(ctx, f.p, home, response, "", f.browser, client)
	must(t, err)
	if _, err = f.FinishSAML(ctx, f.p, home, response, "", f.browser, client); err == nil {
		t.Error("an answer counted twice")
	}
	// Somebody of another workspace changes nothing here.
	foreign := auth.Identity{Actor: other.admin}
	for name, attack := range map[string]func() error{
		"read":     func() error { _, err := f.people.PortalSSO(ctx, foreign, f.p.Realm(home)); return err },
		"save":     func() error { return f.people.SaveSAML(ctx, foreign, f.p.Realm(home), true, settings(f.Provider)) },
		"OIDC":     func() error { return f.people.SaveOIDC(ctx, foreign, f.p.Realm(home), true, auth.OIDCSettings{}) },
		"keys":     func() error { return f.people.RollKeys(ctx, foreign, f.p.Realm(home), auth.KeyAdd) },
		"prepare":  func() error { return f.people.PrepareSAML(ctx, foreign, f.p.Realm(home)) },
		"diagnose": func() error { _, err := f.DiagnoseSAML(ctx, foreign, f.p, home, response); return err },
		"test": func() error {
			_, err := f.people.AskVisitorTest(ctx, foreign, f.p.Realm(home), "saml", "/")
			return err
		},
	} {
		if err := attack(); apperr.Describe(err).Code != auth.ErrNoSSO.Code() {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSingleSignOnCanBeTheOnlyWayIntoAPortal(t *testing.T) {
	t.Parallel()
	f, ctx := federate(t), t.Context()
	_, _, session := f.visitor(t, portals.Visitor{Email: "ada@halden.example"})
	must(t, f.connect(t, f.id, home, false, settings(f.Provider)))
	wantError(t, f.SetSSOOnly(ctx, f.admin, f.id, true), portals.ErrNoWay)
	must(t, f.connect(t, f.id, home, true, settings(f.Provider)))
	must(t, f.SetSSOOnly(ctx, f.admin, f.id, true))
	wantError(t, f.connect(t, f.id, home, false, settings(f.Provider)), auth.ErrEnforce)
	var err error
	f.p, err = f.Get(ctx, f.admin, f.id)
	must(t, err)
	_, err = f.Identify(ctx, f.p, session)
	wantError(t, err, auth.ErrNoSession)
	_, err = f.SignIn(ctx, f.p, "ada@halden.example", password, client)
	wantError(t, err, auth.ErrSSORequired)
	must(t, f.RequestReset(ctx, f.p, home, "ada@halden.example", client))
	_, err = f.ChoosePassword(ctx, f.p, f.mail.token(t), password, client)
	wantError(t, err, auth.ErrSSORequired)
	f.enter(t, "mara")
}

func TestAVisitorsLogOutGoesBothWays(t *testing.T) {
	t.Parallel()
	f, ctx := federate(t), t.Context()
	entered, err := f.finish(t, says(home, f.ask(t, ""), "mara"))
	must(t, err)
	leaveTo, err := f.SignOut(ctx, f.p, home, entered.Token, f.browser)
	if err != nil || leaveTo.URL == "" {
		t.Fatalf("got %q, %v; want the provider to be told", leaveTo, err)
	}
	_, err = f.Identify(ctx, f.p, entered.Token)
	wantError(t, err, auth.ErrNoSession)

	entered, err = f.finish(t, says(home, f.ask(t, ""), "mara"))
	must(t, err)
	asks := func(provider *samltest.Provider) error {
		address := provider.LogOut(t, home+"/saml/slo", "id-of-mara", "state", "s-mara")
		_, err := f.Service.LogOut(ctx, f.p, home, &http.Request{Method: http.MethodGet, URL: address}, f.browser, client)
		return err
	}
	if err := asks(samltest.New(t, f.Issuer)); err == nil {
		t.Error("a stranger ended a session")
	}
	_, err = f.Identify(ctx, f.p, entered.Token)
	must(t, err)
	must(t, asks(f.Provider))
	_, err = f.Identify(ctx, f.p, entered.Token)
	wantError(t, err, auth.ErrNoSession)
	// By POST too, for this portal alone.
	entered, err = f.finish(t, says(home, f.ask(t, ""), "mara"))
	must(t, err)
	posts := func(to string) error {
		wish := url.Values{"SAMLRequest": {f.PostLogOut(t, samltest.Posted{To: to, NameID: "id-of-mara"})}}
		_, err := f.Service.LogOut(ctx, f.p, home, &http.Request{Method: http.MethodPost, URL: &url.URL{}, PostForm: wish}, f.browser, client)
		return err
	}
	wantError(t, posts("https://other.example.com/saml/slo"), saml.ErrRecipient)
	_, err = f.Identify(ctx, f.p, entered.Token)
	must(t, err)
	must(t, posts(home+"/saml/slo"))
	_, err = f.Identify(ctx, f.p, entered.Token)
	wantError(t, err, auth.ErrNoSession)
	// However much it is used, a session ends.
	visitor, err := f.finish(t, says(home, f.ask(t, ""), "mara"))
	must(t, err)
	for f.later < auth.VisitorAtMost {
		_, err = f.Identify(ctx, f.p, visitor.Token)
		must(t, err)
		f.later += auth.VisitorIdle - time.Hour
	}
	_, err = f.Identify(ctx, f.p, visitor.Token)
	wantError(t, err, auth.ErrNoSession)
}

// TestATestShowsWhatWouldBecomeOfAVisitor begins where the workspace's people are,
// goes on where the portal is, and signs nobody in.
func TestATestShowsWhatWouldBecomeOfAVisitor(t *testing.T) {
	t.Parallel()
	f, ctx := federate(t), t.Context()
	_, err := f.SaveGroup(ctx, f.admin, f.id, portals.Group{Name: "North"})
	must(t, err)
	must(t, f.connect(t, f.id, home, false, settings(f.Provider))) // a test needs no connection that is turned on
	admin := auth.Identity{Actor: f.admin}
	begin := func(ticket string) (request string, err error) {
		q, err := f.people.BeginSAML(ctx, f.p.Realm(home), auth.Begin{Browser: f.browser, Next: "/dashboards", Ticket: ticket})
		if err != nil {
			return "", err
		}
		return samltest.RequestOf(t, q.URL), nil
	}
	test := func(change ...func(*samltest.Says)) auth.Test {
		t.Helper()
		ticket, err := f.people.AskVisitorTest(ctx, admin, f.p.Realm(home), "saml", "https://bi.example.com/settings/x")
		must(t, err)
		request, err := begin(ticket)
		must(t, err)
		_, err = begin(ticket)
		wantError(t, err, auth.ErrLinkUsed)
		s := says(home, request, "mara")
		for _, c := range change {
			c(&s)
		}
		entered, err := f.finish(t, s)
		if err != nil || !entered.Test || entered.Token != "" || entered.Next != "https://bi.example.com/settings/x" {
			t.Fatalf("got %+v, %v", entered, err)
		}
		found, err := f.people.PortalSSO(ctx, admin, f.p.Realm(home))
		if err != nil || found.SAML.LastTest == nil {
			t.Fatalf("got %+v, %v", found.SAML, err)
		}
		return *found.SAML.LastTest
	}
	state := func(test auth.Test, name string) saml.State {
		for _, c := range test.Checks {
			if c.Name == name {
				return c.State
			}
		}
		return ""
	}
	good := test()
	for _, name := range []string{"received", "status", "signature", "issuer", "audience", "recipient", "times", "replay", "request", "subject", "attributes", "account", "groups"} {
		if got := state(good, name); got != saml.Passed {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if list, _, err := f.Visitors(ctx, f.admin, f.id); err != nil || len(list) != 0 || !good.Passed {
		t.Errorf("after a test there are visitors %+v, %v", list, err)
	}
	if bad := test(func(s *samltest.Says) { s.Audience = "urn:other" }); bad.Passed || state(bad, "audience") != saml.Failed || state(bad, "signature") != saml.Passed {
		t.Errorf("got %+v", bad)
	}
	if none := test(func(s *samltest.Says) { delete(s.Attributes, "email") }); state(none, "account") != saml.Failed || state(none, "email") != saml.Warned {
		t.Errorf("got %+v", none)
	}
	f.visitor(t, portals.Visitor{Email: "mara@halden.example"})
	if there := test(); state(there, "account") != saml.Warned {
		t.Errorf("with an account of the address: got %+v", there)
	}
	// A pasted answer is looked at in the same way, and lets nobody in.
	must(t, f.connect(t, f.id, home, true, settings(f.Provider)))
	pasted, err := f.DiagnoseSAML(ctx, admin, f.p, home, f.Response(t, says(home, f.ask(t, ""), "zoe")))
	if err != nil || state(pasted, "account") != saml.Passed || state(pasted, "request") != saml.Failed || pasted.Passed {
		t.Errorf("pasted: got %+v, %v", pasted, err)
	}
	// A ticket opens nothing else: it is of this portal, of one protocol, and no answer.
	ticket, err := f.people.AskVisitorTest(ctx, admin, f.p.Realm(home), "saml", "/")
	must(t, err)
	sibling, err := f.Create(ctx, f.admin, "Sibling")
	must(t, err)
	must(t, f.connect(t, sibling, "https://other.example.com", true, settings(f.Provider)))
	p, err := f.Get(ctx, f.admin, sibling)
	must(t, err)
	_, err = f.people.BeginSAML(ctx, p.Realm("https://other.example.com"), auth.Begin{Browser: f.browser, Ticket: ticket})
	wantError(t, err, auth.ErrLinkUsed)
	_, err = f.people.BeginOIDC(ctx, f.p.Realm(home), auth.Begin{Browser: f.browser, Ticket: ticket})
	wantError(t, err, auth.ErrLinkUsed)
	viewer := admin
	viewer.Actor.Role = access.Editor
	_, err = f.people.AskVisitorTest(ctx, viewer, f.p.Realm(home), "saml", "/")
	wantError(t, err, access.ErrForbidden)
	if f.actions(t)["sso.tested"] != 4 {
		t.Errorf("tests in the audit log: %v", f.actions(t))
	}
}

// TestVisitorsSignInByOpenIDConnect walks the code flow with PKCE through a real
// provider: who somebody is, is issuer and subject.
func TestVisitorsSignInByOpenIDConnect(t *testing.T) {
	t.Parallel()
	r, ctx := newRig(t), t.Context()
	const callback = home + "/oidc/callback"
	provider := oidctest.NewServer(t, "portal", "a secret of ours", callback)
	p, err := r.Get(ctx, r.admin, r.id)
	must(t, err)
	admin, browser := auth.Identity{Actor: r.admin}, auth.NewBrowser()
	save := func(jit bool) {
		t.Helper()
		must(t, r.people.SaveOIDC(ctx, admin, p.Realm(home), true, auth.OIDCSettings{Issuer: provider.URL, ClientID: "portal", Secret: "a secret of ours",
			JustInTime: jit, Mapping: auth.Mapping{Email: "email", Name: "name"}}))
	}
	walk := func(b auth.Begin) auth.OIDCAnswer {
		t.Helper()
		b.Browser = browser
		address, err := r.people.BeginOIDC(ctx, p.Realm(home), b)
		must(t, err)
		state, code := oidctest.Walk(t, provider, address, callback)
		return auth.OIDCAnswer{State: state, Code: code}
	}
	finish := func(a auth.OIDCAnswer) (auth.Entered, error) { return r.FinishOIDC(ctx, p, home, a, browser, client) }

	// A test: nobody becomes a visitor.
	save(true)
	ticket, err := r.people.AskVisitorTest(ctx, admin, p.Realm(home), "oidc", "/back")
	must(t, err)
	entered, err := finish(walk(auth.Begin{Ticket: ticket}))
	if err != nil || !entered.Test || entered.Token != "" || entered.Next != "/back" {
		t.Fatalf("a test: got %+v, %v", entered, err)
	}
	found, err := r.people.PortalSSO(ctx, admin, p.Realm(home))
	if err != nil || found.OIDC.LastTest == nil || !found.OIDC.LastTest.Passed || found.OIDC.LastTest.Email != oidctest.Email {
		t.Errorf("the test: got %+v, %v", found.OIDC.LastTest, err)
	}
	if list, _, err := r.Visitors(ctx, r.admin, r.id); err != nil || len(list) != 0 {
		t.Errorf("after a test there are visitors %+v, %v", list, err)
	}

	// An address opens no account: it is proved by a link that was mailed there.
	_, visitor, _ := r.visitor(t, portals.Visitor{Email: oidctest.Email})
	_, err = finish(walk(auth.Begin{}))
	wantError(t, err, portals.ErrNeedsLink)
	must(t, r.RequestReset(ctx, p, home, oidctest.Email, client))
	answer := walk(auth.Begin{Next: "/dashboards", Invite: r.mail.token(t)})
	_, err = r.FinishOIDC(ctx, p, home, answer, auth.NewBrowser(), client)
	wantError(t, err, saml.ErrRequest) // another browser's
	entered, err = finish(answer)
	if err != nil || entered.Next != "/dashboards" {
		t.Fatalf("got %+v, %v", entered, err)
	}
	visit, err := r.Identify(ctx, p, entered.Token)
	if err != nil || visit.Actor.VisitorID != visitor {
		t.Fatalf("got %+v, %v", visit, err)
	}
	_, err = finish(answer)
	wantError(t, err, saml.ErrRequest) // it counts once

	// From now on issuer and subject say who it is, whatever the address here.
	save(false)
	entered, err = finish(walk(auth.Begin{}))
	must(t, err)
	if visit, err = r.Identify(ctx, p, entered.Token); err != nil || visit.Actor.VisitorID != visitor {
		t.Errorf("again: got %+v, %v", visit, err)
	}
	must(t, r.ChangeVisitor(ctx, r.admin, r.id, portals.Visitor{ID: visitor, Blocked: true}))
	_, err = finish(walk(auth.Begin{}))
	wantError(t, err, portals.ErrBlocked)
	// Of a sibling portal with the same provider, they are somebody else: nobody.
	const elsewhere = "https://other.example.com"
	sibling, err := r.Create(ctx, r.admin, "Sibling")
	must(t, err)
	other, err := r.Get(ctx, r.admin, sibling)
	must(t, err)
	must(t, r.people.SaveOIDC(ctx, admin, other.Realm(elsewhere), true, auth.OIDCSettings{Issuer: provider.URL, ClientID: "portal", Secret: "a secret of ours", Mapping: auth.Mapping{Email: "email"}}))
	_, err = r.FinishOIDC(ctx, other, elsewhere, walk(auth.Begin{}), browser, client)
	wantError(t, err, saml.ErrRequest)
	for action, want := range map[string]int{"portals.identity_linked": 1, "auth.sso_refused": 5, "sso.tested": 1} {
		if got := r.actions(t)[action]; got != want {
			t.Errorf("%s is %d times in the audit log, want %d", action, got, want)
		}
	}
}
