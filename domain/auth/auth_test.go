package auth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/delivery"
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

// outbox keeps the letters that the service wants sent.
type outbox struct {
	to      []delivery.Recipient
	letters []delivery.Letter
}

func (o *outbox) Queue(_ context.Context, _ *db.Tx, to delivery.Recipient, letter delivery.Letter) (ids.Message, error) {
	o.to, o.letters = append(o.to, to), append(o.letters, letter)
	return ids.New[ids.Message](), nil
}

type fixture struct {
	*auth.Service
	db      *db.DB
	tenants *tenants.Service
	mail    *outbox
	one     tenants.Tenant
	two     tenants.Tenant
}

// emptySetup has no workspace yet.
func emptySetup(t *testing.T) *fixture {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	master, err := secrets.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := dbtest.New(t)
	f := &fixture{db: pool, tenants: tenants.NewService(tenants.Deps{DB: pool, Master: master}), mail: &outbox{}}
	f.Service = auth.NewService(auth.Deps{DB: pool, Tenants: f.tenants, Mailer: f.mail,
		BaseURL: func() string { return "https://bi.example" },
		// What is tested here is not how slow it is.
		Hashing: auth.Hashing{MemoryKiB: 64, Passes: 1, Lanes: 1}})
	return f
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := emptySetup(t)
	var err error
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
	opened, err := f.SignIn(t.Context(), email, password, false, client)
	if err != nil {
		t.Fatal(err)
	}
	return opened.Token, f.identify(t, opened.Token)
}

func (f *fixture) identify(t *testing.T, token string) auth.Identity {
	t.Helper()
	i, err := f.Identify(t.Context(), token, true)
	if err != nil {
		t.Fatal(err)
	}
	return i
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
	if _, err := f.Identify(t.Context(), second, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("revoked: got %v", err)
	}
	if err := f.SignOut(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"signed out": token, "garbage": "x", "empty": "", "unknown": strings.Repeat("A", 43)} {
		if _, err := f.Identify(t.Context(), text, false); !errors.Is(err, auth.ErrNoSession) {
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
	if _, err := f.Identify(t.Context(), token, false); err != nil {
		t.Errorf("the session ended: %v", err)
	}
}

func TestOnePersonSwitchesBetweenTheirWorkspacesOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Viewer)
	f.user(t, f.two, "ada@example.com", access.Owner)
	f.user(t, f.one, "eve@example.com", access.Owner)
	opened, err := f.SignIn(t.Context(), "ada@example.com", password, true, client)
	if err != nil || !opened.Choose {
		t.Fatalf("the first time: got %+v, %v; want to choose", opened, err)
	}
	old, ada := opened.Token, f.identify(t, opened.Token)
	if list := ada.Workspaces; len(list) != 2 || list[0].Name != "One" || list[1].Name != "Two" {
		t.Fatalf("got workspaces %v", list)
	}
	moved, err := f.SwitchWorkspace(t.Context(), ada, f.two.ID)
	if err != nil {
		t.Fatal(err)
	}
	if moved.KeepFor < 6*24*time.Hour || moved.KeepFor > 7*24*time.Hour {
		t.Errorf("kept for %s, want what was left", moved.KeepFor)
	}
	if i := f.identify(t, moved.Token); i.Actor.TenantID != f.two.ID || i.Actor.Role != access.Owner {
		t.Errorf("got %+v", i)
	}
	if _, err := f.Identify(t.Context(), old, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the token of before the switch: got %v", err)
	}
	if again, err := f.SignIn(t.Context(), "ada@example.com", password, false, client); err != nil || again.Choose {
		t.Errorf("the second time: got %+v, %v", again, err)
	} else if i := f.identify(t, again.Token); i.Actor.TenantID != f.two.ID {
		t.Errorf("not back in the workspace used last: %+v", i)
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
	if err := f.RequestReset(t.Context(), "nobody@example.com", client); err != nil || len(f.mail.letters) != 0 {
		t.Fatalf("unknown address: %v, %d letters", err, len(f.mail.letters))
	}
	for range 2 {
		if err := f.RequestReset(t.Context(), "ada@example.com", client); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.mail.letters) != 2 || f.mail.to[1].Address != "ada@example.com" {
		t.Fatalf("got letters %+v to %+v", f.mail.letters, f.mail.to)
	}
	link := func(n int) string { return linkToken(t, f.mail.letters[n].(delivery.PasswordReset).Link) }
	first, second := link(0), link(1)
	if _, err := f.ResetPassword(t.Context(), first, other, client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("the older link: got %v", err)
	}
	if _, err := f.ResetPassword(t.Context(), second, "short", client); code(err) != "auth.invalid" {
		t.Errorf("a short password: got %v", err)
	}
	if email, first, err := f.CheckReset(t.Context(), second); err != nil || email != "ada@example.com" || first {
		t.Errorf("whose link: got %q, a first password %v, %v", email, first, err)
	}
	opened, err := f.ResetPassword(t.Context(), second, other, client)
	if err != nil {
		t.Fatal(err)
	}
	if i := f.identify(t, opened.Token); i.Email != "ada@example.com" {
		t.Errorf("signed in as %s", i.Email)
	}
	if _, err := f.ResetPassword(t.Context(), second, password, client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("used twice: got %v", err)
	}
	if _, err := f.Identify(t.Context(), session, false); !errors.Is(err, auth.ErrNoSession) {
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
	_, err := f.ChangePassword(t.Context(), i, "wrong wrong wrong", other)
	if fields, _ := apperr.Fields(err); fields["current"] == "" {
		t.Errorf("got %v", err)
	}
	opened, err := f.ChangePassword(t.Context(), i, password, other)
	if err != nil {
		t.Fatal(err)
	}
	if now := f.identify(t, opened.Token); now.SessionID != i.SessionID {
		t.Errorf("the present session ended: got %s, want %s", now.SessionID, i.SessionID)
	}
	if _, err := f.Identify(t.Context(), token, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("its old token: got %v", err)
	}
	if _, err := f.Identify(t.Context(), elsewhere, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the other session: got %v", err)
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

// A person whom another workspace knows has their name in a new one, too.
func TestNameOfAKnownPerson(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Editor) // Ada
	for name, tc := range map[string]struct{ email, given, want string }{
		"known":                {"Ada@example.com", "", "Ada"},
		"another name given":   {"ada@example.com", "A. Lovelace", "A. Lovelace"},
		"nobody knows them":    {"new@example.com", "", ""},
		"new, and with a name": {"mary@example.com", "Mary", "Mary"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := f.tenants.Create(t.Context(), tenants.New{Name: "Workspace " + name})
			if err != nil {
				t.Fatal(err)
			}
			id, err := f.CreateUser(t.Context(), auth.NewUser{TenantID: in.ID, Email: tc.email, Name: tc.given, Role: access.Viewer, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			err = f.db.InTenantTx(t.Context(), in.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
				user, err := tx.UserGet(ctx, tx.TenantID, id.UUID())
				if err == nil && user.Name != tc.want {
					t.Errorf("named %q, want %q", user.Name, tc.want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
