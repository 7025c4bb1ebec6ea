package portals_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
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
		"diagnose": func() error { _, err := f.people.DiagnoseSAML(ctx, foreign, f.p.Realm(home), response); return err },
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
	if err != nil || leaveTo == "" {
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
