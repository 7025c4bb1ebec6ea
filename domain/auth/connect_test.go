package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml/samltest"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// moved lets the workspace change its provider for another one.
func (f *federated) moved(t *testing.T, issuer string) {
	t.Helper()
	f.Provider = samltest.New(t, issuer)
	n := auth.SAMLSettings{Source: auth.FromXML, XML: f.Metadata(), JustInTime: true, SkewSeconds: 60, Mapping: auth.Mapping{Email: "email", Name: "name", Groups: "groups"}}
	if err := f.SaveSAML(t.Context(), f.owner, auth.Members("one"), true, n); err != nil {
		t.Fatal(err)
	}
}

// through signs somebody in who opened a link.
func (f *federated) through(t *testing.T, token, who string) (auth.Entered, error) {
	t.Helper()
	q, err := f.BeginSAML(t.Context(), auth.Members("one"), auth.Begin{Browser: f.browser, Next: "/", Invite: token})
	if err != nil {
		t.Fatal(err)
	}
	return f.finish(t, f.Response(t, says(samltest.RequestOf(t, q.URL), who)))
}

func (f *federated) connectLink(t *testing.T, of auth.Identity) string {
	t.Helper()
	made, err := f.SendConnectLink(t.Context(), f.owner, of.Actor.UserID)
	if err != nil {
		t.Fatal(err)
	}
	letter, ok := f.mail.letters[len(f.mail.letters)-1].(delivery.ConnectLink)
	if !ok || letter.Link != made.Link {
		t.Fatalf("mailed %+v, answered %q", f.mail.letters[len(f.mail.letters)-1], made.Link)
	}
	return linkToken(t, made.Link)
}

func TestALinkConnectsAMemberWithAnotherProvider(t *testing.T) {
	t.Parallel()
	f := federate(t)
	nora, edd := f.enter(t, "nora"), f.enter(t, "edd")
	if found, err := f.GetConnectable(t.Context(), f.owner.Actor); err != nil || found != (auth.Connectable{SSO: true}) {
		t.Errorf("before the change: got %+v, %v", found, err)
	}
	f.moved(t, "https://other-idp.example")
	if _, err := f.finish(t, f.Response(t, says(f.ask(t), "nora"))); !errors.Is(err, auth.ErrNeedsInvite) || !strings.Contains(err.Error(), "link to connect") {
		t.Fatalf("by the address alone: got %v", err)
	}
	if _, err := f.Invite(t.Context(), f.owner, "nora@one.example", access.Viewer); !errors.Is(err, auth.ErrEmailTaken) || !strings.Contains(err.Error(), "Send a link to connect") {
		t.Errorf("an invitation of a member: got %v", err)
	}
	if found, err := f.GetConnectable(t.Context(), f.owner.Actor); err != nil || found != (auth.Connectable{SSO: true, Stranded: 2}) {
		t.Errorf("after the change: got %+v, %v", found, err)
	}
	token := f.connectLink(t, nora)
	inv, err := f.CheckInvite(t.Context(), token)
	if err != nil || !inv.Connect || !inv.Only || inv.Email != "nora@one.example" || !slices.Equal(inv.SSO, []string{"saml"}) {
		t.Errorf("the link's page: got %+v, %v", inv, err)
	}
	if _, err := f.AcceptInvite(t.Context(), token, "Eve", password, client); !errors.Is(err, auth.ErrSSORequired) {
		t.Errorf("with a password: got %v", err)
	}
	if _, err := f.through(t, token, "eve"); !errors.Is(err, auth.ErrOtherAddress) {
		t.Errorf("somebody else: got %v", err)
	}
	entered, err := f.through(t, token, "nora")
	if err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, entered.Token); i.Actor.UserID != nora.Actor.UserID {
		t.Errorf("got %+v, want %v", i.Actor, nora.Actor.UserID)
	}
	if i := f.enter(t, "nora"); i.Actor.UserID != nora.Actor.UserID {
		t.Errorf("the next sign-in: got %+v", i.Actor)
	}
	if _, err := f.CheckInvite(t.Context(), token); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice: got %v", err)
	}
	// Edd has no identity at the provider yet: the link of another is no way in.
	if _, err := f.through(t, token, "edd"); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice at the provider: got %v", err)
	}
	for _, want := range []string{"members.connect_link_sent", "auth.identity_linked"} {
		if list := f.audited(t, f.one); !slices.Contains(list, want) {
			t.Errorf("no %s in %v", want, list)
		}
	}
	// All who are left, at once.
	if sent, err := f.SendConnectLinks(t.Context(), f.owner); err != nil || sent != 1 {
		t.Fatalf("sent %d, %v", sent, err)
	}
	letter := f.mail.letters[len(f.mail.letters)-1].(delivery.ConnectLink)
	if entered, err = f.through(t, linkToken(t, letter.Link), "edd"); err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, entered.Token); i.Actor.UserID != edd.Actor.UserID {
		t.Errorf("got %+v, want %v", i.Actor, edd.Actor.UserID)
	}
	if sent, err := f.SendConnectLinks(t.Context(), f.owner); err != nil || sent != 0 {
		t.Errorf("with nobody left: sent %d, %v", sent, err)
	}
}

func TestALinkToConnectIsOfOneMemberProviderAndWorkspace(t *testing.T) {
	t.Parallel()
	f := federate(t)
	nora := f.enter(t, "nora")
	f.moved(t, "https://second.example")
	stale := f.connectLink(t, nora)
	token := f.connectLink(t, nora)
	if _, err := f.through(t, stale, "nora"); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("the link before: got %v", err)
	}
	f.moved(t, "https://third.example")
	if _, err := f.CheckInvite(t.Context(), token); !errors.Is(err, auth.ErrLinkUsed) || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("page after another change: got %v", err)
	}
	if _, err := f.through(t, token, "nora"); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("after another change: got %v", err)
	}
	token = f.connectLink(t, nora)

	// Another workspace with the same provider.
	f.user(t, f.two, "owner@two.example", access.Owner)
	_, second := f.signIn(t, "owner@two.example", password)
	n := auth.SAMLSettings{Source: auth.FromXML, XML: f.Metadata(), JustInTime: true, SkewSeconds: 60, Mapping: auth.Mapping{Email: "email"}}
	if err := f.SaveSAML(t.Context(), second, auth.Members("two"), true, n); err != nil {
		t.Fatal(err)
	}
	q, err := f.BeginSAML(t.Context(), auth.Members("two"), auth.Begin{Browser: f.browser, Next: "/", Invite: token})
	if err != nil {
		t.Fatal(err)
	}
	s := says(samltest.RequestOf(t, q.URL), "nora")
	s.Audience, s.Recipient = strings.Replace(entity, "/one/", "/two/", 1), strings.Replace(consume, "/one/", "/two/", 1)
	s.Destination = s.Recipient
	if _, err := f.FinishSAML(t.Context(), auth.Members("two"), f.Response(t, s), "/", f.browser, client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("at another workspace: got %v", err)
	}
	if _, err := f.SendConnectLink(t.Context(), second, nora.Actor.UserID); !errors.Is(err, tenants.ErrMemberNotFound) {
		t.Errorf("of another workspace's member: got %v", err)
	}

	// An admin's link is for none above them; who is no admin sends none.
	f.user(t, f.one, "admin@one.example", access.Admin)
	_, admin := f.signIn(t, "admin@one.example", password)
	if _, err := f.SendConnectLink(t.Context(), admin, f.owner.Actor.UserID); !errors.Is(err, tenants.ErrOwnerOnly) && !errors.Is(err, tenants.ErrBeyond) {
		t.Errorf("an admin for an owner: got %v", err)
	}
	if _, err := f.SendConnectLink(t.Context(), nora, nora.Actor.UserID); code(err) != "access.forbidden" {
		t.Errorf("a viewer: got %v", err)
	}
	if _, err := f.SendConnectLinks(t.Context(), nora); code(err) != "access.forbidden" {
		t.Errorf("a viewer for all: got %v", err)
	}

	// It goes with the member.
	if err := f.tenants.RemoveMember(t.Context(), f.owner.Actor, nora.Actor.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.through(t, token, "nora"); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("a removed member: got %v", err)
	}
}

func TestALinkToConnectStillAsksForTheSecondFactor(t *testing.T) {
	t.Parallel()
	f := federate(t)
	nora := f.enter(t, "nora")
	err := f.db.InTenantTx(t.Context(), f.one.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		now := time.Now()
		return tx.UserSetFactor(ctx, &now, f.one.ID.UUID(), nora.Actor.UserID.UUID())
	})
	if err != nil {
		t.Fatal(err)
	}
	f.moved(t, "https://second.example")
	entered, err := f.through(t, f.connectLink(t, nora), "nora")
	if err != nil || entered.Token != "" || entered.Link == "" {
		t.Fatalf("got %+v, %v", entered, err)
	}
	if found, err := f.CheckLink(t.Context(), entered.Link); err != nil || !found.ByLink || !found.NeedsCode {
		t.Errorf("got %+v, %v", found, err)
	}
	if opened, err := f.ConfirmLink(t.Context(), entered.Link, "", "123456", client); err == nil {
		t.Errorf("a wrong code: got %+v", opened)
	}
}
