package auth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

const (
	password = "correct horse battery"
	other    = "a different long one"
)

var client = auth.Client{Address: "192.0.2.7", UserAgent: "test"}

// outbox keeps the mail that the service wants sent.
type outbox struct{ mails []auth.ResetMail }

func (o *outbox) SendReset(_ context.Context, _ *db.Tx, m auth.ResetMail) error {
	o.mails = append(o.mails, m)
	return nil
}

type fixture struct {
	*auth.Service
	tenants *tenants.Service
	mail    *outbox
	one     tenants.Tenant
	two     tenants.Tenant
}

func setup(t *testing.T) *fixture {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	master, err := secrets.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := dbtest.New(t)
	f := &fixture{tenants: tenants.NewService(tenants.Deps{DB: pool, Master: master}), mail: &outbox{}}
	f.Service = auth.NewService(auth.Deps{DB: pool, Tenants: f.tenants, Mailer: f.mail,
		BaseURL: func() string { return "https://bi.example" }})
	if f.one, err = f.tenants.Create(t.Context(), tenants.New{Name: "One"}); err != nil {
		t.Fatal(err)
	}
	if f.two, err = f.tenants.Create(t.Context(), tenants.New{Name: "Two"}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) user(t *testing.T, in tenants.Tenant, email string, role access.Role) ids.User {
	t.Helper()
	id, err := f.CreateUser(t.Context(), auth.NewUser{TenantID: in.ID, Email: email, Name: "Ada", Role: role, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (f *fixture) signIn(t *testing.T, email, password string) (string, auth.Identity) {
	t.Helper()
	token, err := f.SignIn(t.Context(), email, password, false, client)
	if err != nil {
		t.Fatal(err)
	}
	i, err := f.Identify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return token, i
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return apperr.Describe(err).Code
}

func TestSignInOpensASessionOfThePersonsWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.user(t, f.one, "Ada@Example.com", access.Editor)
	_, i := f.signIn(t, " ada@example.COM ", password)
	if i.Actor.TenantID != f.one.ID || i.Actor.UserID != id || i.Actor.Role != access.Editor || i.TenantName != "One" {
		t.Errorf("got %+v", i)
	}
	if i.Zone != "UTC" || i.Plan != "Professional" {
		t.Errorf("zone %q, plan %q; want those of the workspace", i.Zone, i.Plan)
	}
}

func TestWrongPasswordAndUnknownAddressSayTheSame(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	for email, try := range map[string]string{"ada@example.com": "wrong wrong wrong", "nobody@example.com": password, "": ""} {
		_, err := f.SignIn(t.Context(), email, try, false, client)
		if !errors.Is(err, auth.ErrWrongPassword) {
			t.Errorf("%q: got %v", email, err)
		}
	}
}

func TestFailuresMakeAnAccountWaitButNotOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	f.user(t, f.one, "eve@example.com", access.Viewer)
	var err error
	for range 6 {
		_, err = f.SignIn(t.Context(), "ada@example.com", "wrong wrong wrong", false, client)
	}
	if !errors.Is(err, auth.ErrThrottled) {
		t.Fatalf("after six failures: got %v", err)
	}
	if _, err := f.SignIn(t.Context(), "ADA@example.com", password, false, client); !errors.Is(err, auth.ErrThrottled) {
		t.Errorf("the right password while waiting: got %v", err)
	}
	if _, err := f.SignIn(t.Context(), "eve@example.com", password, false, client); err != nil {
		t.Errorf("another account from the same address: got %v", err)
	}
}

func TestEndedSessionsAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	token, i := f.signIn(t, "ada@example.com", password)
	second, j := f.signIn(t, "ada@example.com", password)
	if list, err := f.ListSessions(t.Context(), i); err != nil || len(list) != 2 {
		t.Fatalf("got %d sessions, %v", len(list), err)
	}
	if err := f.RevokeSession(t.Context(), i, j.SessionID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), second); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("revoked: got %v", err)
	}
	if err := f.SignOut(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"signed out": token, "garbage": "x", "empty": "", "unknown": strings.Repeat("A", 43)} {
		if _, err := f.Identify(t.Context(), text); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNobodyEndsSomebodyElsesSession(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	f.user(t, f.one, "eve@example.com", access.Owner)
	token, ada := f.signIn(t, "ada@example.com", password)
	_, eve := f.signIn(t, "eve@example.com", password)
	if err := f.RevokeSession(t.Context(), eve, ada.SessionID); !errors.Is(err, auth.ErrSessionNotFound) {
		t.Errorf("got %v", err)
	}
	if err := f.RevokeOtherSessions(t.Context(), eve); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), token); err != nil {
		t.Errorf("the session ended: %v", err)
	}
}

func TestOnePersonSwitchesBetweenTheirWorkspacesOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	f.user(t, f.two, "ada@example.com", access.Owner)
	f.user(t, f.one, "eve@example.com", access.Owner)
	old, ada := f.signIn(t, "ada@example.com", password)
	if list, err := f.ListWorkspaces(t.Context(), ada); err != nil || len(list) != 2 {
		t.Fatalf("got %v, %v", list, err)
	}
	token, err := f.SwitchWorkspace(t.Context(), ada, f.two.ID)
	if err != nil {
		t.Fatal(err)
	}
	i, err := f.Identify(t.Context(), token)
	if err != nil || i.Actor.TenantID != f.two.ID || i.Actor.Role != access.Owner {
		t.Errorf("got %+v, %v", i, err)
	}
	if _, err := f.Identify(t.Context(), old); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the token of before the switch: got %v", err)
	}
	_, eve := f.signIn(t, "eve@example.com", password)
	if _, err := f.SwitchWorkspace(t.Context(), eve, f.two.ID); !errors.Is(err, auth.ErrNotMember) {
		t.Errorf("a foreign workspace: got %v", err)
	}
}

func TestResetLinkWorksOnceAndEndsAllSessions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	session, _ := f.signIn(t, "ada@example.com", password)
	if err := f.RequestReset(t.Context(), "nobody@example.com", client); err != nil || len(f.mail.mails) != 0 {
		t.Fatalf("unknown address: %v, %d mails", err, len(f.mail.mails))
	}
	for range 2 {
		if err := f.RequestReset(t.Context(), "ada@example.com", client); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.mail.mails) != 2 || f.mail.mails[1].To != "ada@example.com" {
		t.Fatalf("got mails %+v", f.mail.mails)
	}
	first, second := linkToken(t, f.mail.mails[0].Link), linkToken(t, f.mail.mails[1].Link)
	if err := f.ResetPassword(t.Context(), first, other); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("the older link: got %v", err)
	}
	if err := f.ResetPassword(t.Context(), second, "short"); code(err) != "auth.invalid" {
		t.Errorf("a short password: got %v", err)
	}
	if err := f.ResetPassword(t.Context(), second, other); err != nil {
		t.Fatal(err)
	}
	if err := f.ResetPassword(t.Context(), second, password); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice: got %v", err)
	}
	if _, err := f.Identify(t.Context(), session); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the session of before: got %v", err)
	}
	f.signIn(t, "ada@example.com", other)
}

func linkToken(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func TestChangePasswordAsksForTheOldOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	elsewhere, _ := f.signIn(t, "ada@example.com", password)
	token, i := f.signIn(t, "ada@example.com", password)
	err := f.ChangePassword(t.Context(), i, "wrong wrong wrong", other)
	if fields, _ := apperr.Fields(err); fields["current"] == "" {
		t.Errorf("got %v", err)
	}
	if err := f.ChangePassword(t.Context(), i, password, other); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), token); err != nil {
		t.Errorf("the present session ended: %v", err)
	}
	if _, err := f.Identify(t.Context(), elsewhere); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the other session: got %v", err)
	}
}

func TestSetupLinkMakesTheFirstOwnerOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	link, err := f.SetupLink(t.Context())
	if err != nil || link == "" {
		t.Fatalf("got %q, %v", link, err)
	}
	form := auth.Setup{Workspace: "Acme", Name: "Ada", Email: "ada@example.com", Password: "short"}
	if err := f.CompleteSetup(t.Context(), linkToken(t, link), form); code(err) != "auth.invalid" {
		t.Errorf("a short password: got %v", err)
	}
	form.Password = password
	if err := f.CompleteSetup(t.Context(), linkToken(t, link), form); err != nil {
		t.Fatal(err)
	}
	if _, i := f.signIn(t, "ada@example.com", password); i.Actor.Role != access.Owner {
		t.Errorf("got role %s", i.Actor.Role)
	}
	if err := f.CompleteSetup(t.Context(), linkToken(t, link), form); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice: got %v", err)
	}
	if link, err := f.SetupLink(t.Context()); err != nil || link != "" {
		t.Errorf("once somebody can sign in: got %q, %v", link, err)
	}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for try, refused := range map[string]bool{
		"short": true, "Password2026!": true, "aaaaaaaaaaaa": true, "1234567890": true, "qwertyuiop12": true,
		"ada.lovelace99": true, "wet-paint-tuesday": false, "Zf8#kq!vN2": false,
	} {
		_, err := f.CreateUser(t.Context(), auth.NewUser{TenantID: f.one.ID, Email: "ada.lovelace@example.com",
			Role: access.Viewer, Password: try})
		fields, _ := apperr.Fields(err)
		if got := fields["password"] != ""; got != refused {
			t.Errorf("%q: refused %t (%v), want %t", try, got, err, refused)
		}
		if err == nil {
			_, i := f.signIn(t, "ada.lovelace@example.com", try)
			owner := access.Actor{Kind: access.Console, TenantID: f.one.ID}
			if err := f.tenants.RemoveMember(t.Context(), owner, i.Actor.UserID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRolesChangeOnlyAsTheyMay(t *testing.T) {
	t.Parallel()
	f := setup(t)
	owner := f.user(t, f.one, "owner@example.com", access.Owner)
	viewer := f.user(t, f.one, "viewer@example.com", access.Viewer)
	f.user(t, f.one, "admin@example.com", access.Admin)
	foreign := f.user(t, f.two, "foreign@example.com", access.Viewer)
	_, asOwner := f.signIn(t, "owner@example.com", password)
	_, asAdmin := f.signIn(t, "admin@example.com", password)
	_, asViewer := f.signIn(t, "viewer@example.com", password)
	for name, tc := range map[string]struct {
		as   auth.Identity
		on   ids.User
		role access.Role
		want string
	}{
		"viewer changes nobody":          {asViewer, viewer, access.Owner, "access.forbidden"},
		"admin makes no owner":           {asAdmin, viewer, access.Owner, "tenants.owner_only"},
		"admin unmakes no owner":         {asAdmin, owner, access.Viewer, "tenants.owner_only"},
		"the last owner stays":           {asOwner, owner, access.Viewer, "tenants.last_owner"},
		"a foreign member is not found":  {asOwner, foreign, access.Admin, "tenants.member_not_found"},
		"there is no such role":          {asOwner, viewer, "root", "tenants.invalid"},
		"admin makes a viewer an editor": {asAdmin, viewer, access.Editor, ""},
	} {
		if got := code(f.tenants.SetRole(t.Context(), tc.as.Actor, tc.on, tc.role)); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if _, i := f.signIn(t, "viewer@example.com", password); i.Actor.Role != access.Editor {
		t.Errorf("got role %s, want editor", i.Actor.Role)
	}
	if err := f.tenants.RemoveMember(t.Context(), asOwner.Actor, viewer); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SignIn(t.Context(), "viewer@example.com", password, false, client); !errors.Is(err, auth.ErrWrongPassword) {
		t.Errorf("a removed member: got %v", err)
	}
}

func TestEachWorkspaceHasKeysOfItsOwn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	one, err := f.tenants.Box(t.Context(), f.one.ID)
	if err != nil {
		t.Fatal(err)
	}
	two, err := f.tenants.Box(t.Context(), f.two.ID)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := one.Encrypt("p", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Decrypt("p", sealed); !errors.Is(err, secrets.ErrUndecryptable) {
		t.Errorf("got %v", err)
	}
}
