package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// shown is what an authenticator app shows, so many half minutes from now.
func shown(t *testing.T, secret string, later int64) string {
	t.Helper()
	text, err := hotp.GenerateCodeCustom(secret, uint64(time.Now().Unix()/30+later), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// enrol turns the second factor of somebody on.
func (f *fixture) enrol(t *testing.T, i auth.Identity) (secret string, recovery []string) {
	t.Helper()
	e, err := f.StartFactor(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(e.Image, "data:image/png;base64,") || !strings.HasPrefix(e.URL, "otpauth://totp/") {
		t.Errorf("got %.60s, %s", e.Image, e.URL)
	}
	if again, err := f.PendingFactor(t.Context(), i); err != nil || again.Secret != e.Secret {
		t.Errorf("drawn again: got %v", err)
	}
	if _, err := f.ConfirmFactor(t.Context(), i, "000000x"); !errors.Is(err, auth.ErrCode) {
		t.Errorf("a wrong code: got %v", err)
	}
	if recovery, err = f.ConfirmFactor(t.Context(), i, shown(t, e.Secret, 0)); err != nil {
		t.Fatal(err)
	}
	return e.Secret, recovery
}

func TestSecondFactorIsAskedForAndNoCodeCountsTwice(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Editor)
	other, _ := f.signIn(t, "ada@example.com", password)
	_, i := f.signIn(t, "ada@example.com", password)
	secret, recovery := f.enrol(t, i)
	if _, err := f.Identify(t.Context(), other, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("another session: got %v", err)
	}
	if _, err := f.StartFactor(t.Context(), i); !errors.Is(err, auth.ErrFactorSet) {
		t.Errorf("set up over the first: got %v", err)
	}
	pend := func() string {
		opened, err := f.SignIn(t.Context(), "ada@example.com", password, false, client)
		if err != nil || opened.Token != "" || opened.Pending == "" {
			t.Fatalf("got %+v, %v", opened, err)
		}
		return opened.Pending
	}
	first := pend()
	if _, err := f.Identify(t.Context(), first, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("half a sign-in is a session: %v", err)
	}
	code := shown(t, secret, 1)
	opened, err := f.EnterCode(t.Context(), first, code, client)
	if err != nil {
		t.Fatal(err)
	}
	f.identify(t, opened.Token)
	if _, err := f.EnterCode(t.Context(), first, shown(t, secret, 1), client); !errors.Is(err, auth.ErrLinkUsed) {
		t.Errorf("the same sign-in again: got %v", err)
	}
	second := pend()
	if _, err := f.EnterCode(t.Context(), second, code, client); !errors.Is(err, auth.ErrCode) {
		t.Errorf("a code that was used: got %v", err)
	}
	if list := f.audited(t, f.one); list[0] != "auth.code_refused" {
		t.Errorf("the newest entry is %q", list[0])
	}
	if _, err := f.EnterCode(t.Context(), second, strings.ToUpper(recovery[3]), client); err != nil {
		t.Errorf("a recovery code: got %v", err)
	}
	if _, err := f.EnterCode(t.Context(), pend(), recovery[3], client); !errors.Is(err, auth.ErrCode) {
		t.Errorf("a recovery code that was used: got %v", err)
	}
	if found, err := f.GetFactor(t.Context(), i); err != nil || !found.On || found.Recovery != 9 {
		t.Errorf("got %+v, %v", found, err)
	}
	// Guesses are counted.
	last := pend()
	for range 8 {
		_, err = f.EnterCode(t.Context(), last, "123456x", client)
	}
	if !errors.Is(err, auth.ErrThrottled) {
		t.Errorf("guessing: got %v", err)
	}
}

func TestSecondFactorGuardsAChangeOfWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "ada@example.com", access.Editor)
	_, i := f.signIn(t, "ada@example.com", password)
	secret, recovery := f.enrol(t, i)
	f.user(t, f.two, "ada@example.com", access.Editor)
	opened, err := f.SignIn(t.Context(), "ada@example.com", password, false, client)
	if err != nil {
		t.Fatal(err)
	}
	opened, err = f.EnterCode(t.Context(), opened.Pending, shown(t, secret, 1), client)
	if err != nil {
		t.Fatal(err)
	}
	two, err := f.SwitchWorkspace(t.Context(), f.identify(t, opened.Token), f.two.ID)
	if err != nil || two.Token == "" {
		t.Fatalf("to the one without: got %+v, %v", two, err)
	}
	back, err := f.SwitchWorkspace(t.Context(), f.identify(t, two.Token), f.one.ID)
	if err != nil || back.Token != "" || back.Pending == "" {
		t.Fatalf("to the one with it: got %+v, %v", back, err)
	}
	if f.identify(t, two.Token).Actor.TenantID != f.two.ID {
		t.Error("the session has moved without a code")
	}
	moved, err := f.EnterCode(t.Context(), back.Pending, recovery[0], client)
	if err != nil || f.identify(t, moved.Token).Actor.TenantID != f.one.ID {
		t.Errorf("got %+v, %v", moved, err)
	}
}

func TestSecondFactorIsRequiredByRoleAndResetByAdmins(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	ada := f.user(t, f.one, "ada@example.com", access.Editor)
	_, owner := f.signIn(t, "owner@example.com", password)
	token, i := f.signIn(t, "ada@example.com", password)
	if i.MustEnrol {
		t.Fatal("nobody requires it")
	}
	if err := f.SetSecurity(t.Context(), owner, auth.Security{SecondFactor: []access.Role{access.Editor}}); err != nil {
		t.Fatal(err)
	}
	if i = f.identify(t, token); !i.MustEnrol {
		t.Error("an open session is not led to enrol")
	}
	if _, o := f.signIn(t, "owner@example.com", password); o.MustEnrol {
		t.Error("another role is")
	}
	secret, recovery := f.enrol(t, i)
	if f.identify(t, token).MustEnrol {
		t.Error("still, with a second factor")
	}
	if err := f.RemoveFactor(t.Context(), i, shown(t, secret, 1)); !errors.Is(err, auth.ErrFactorRequired) {
		t.Errorf("turned off: got %v", err)
	}
	if renewed, err := f.RenewRecovery(t.Context(), i, shown(t, secret, 1)); err != nil || len(renewed) != 10 || renewed[0] == recovery[0] {
		t.Errorf("renewed: got %v, %v", renewed, err)
	}
	f.user(t, f.one, "admin@example.com", access.Admin)
	_, admin := f.signIn(t, "admin@example.com", password)
	if err := f.ResetFactor(t.Context(), i, ada); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("by an editor: got %v", err)
	}
	f.enrol(t, owner)
	if err := f.ResetFactor(t.Context(), admin, owner.Actor.UserID); !errors.Is(err, tenants.ErrOwnerOnly) {
		t.Errorf("an owner's by an admin: got %v", err)
	}
	f.user(t, f.two, "foreign@example.com", access.Owner)
	_, foreign := f.signIn(t, "foreign@example.com", password)
	if err := f.ResetFactor(t.Context(), foreign, ada); !errors.Is(err, tenants.ErrMemberNotFound) {
		t.Errorf("by another workspace: got %v", err)
	}
	if err := f.ResetFactor(t.Context(), admin, ada); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), token, false); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("a session after the reset: got %v", err)
	}
	if list := f.audited(t, f.one); list[0] != "members.second_factor_reset" {
		t.Errorf("the newest entry is %q", list[0])
	}
	if _, again := f.signIn(t, "ada@example.com", password); !again.MustEnrol {
		t.Error("after the reset, enrolment is not asked for")
	}
}

func TestSessionsEndAsTheWorkspaceWants(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.user(t, f.one, "owner@example.com", access.Owner)
	_, owner := f.signIn(t, "owner@example.com", password)
	if err := f.SetSecurity(t.Context(), owner, auth.Security{Idle: 7 * time.Minute}); code(err) != "auth.invalid" {
		t.Errorf("a time that is no choice: got %v", err)
	}
	opened, err := f.SignIn(t.Context(), "owner@example.com", password, true, client)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(f.identify(t, opened.Token).ExpiresAt); left < 6*24*time.Hour {
		t.Errorf("before: %s are left", left)
	}
	if err := f.SetSecurity(t.Context(), owner, auth.Security{Idle: 15 * time.Minute, Whole: 8 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(f.identify(t, opened.Token).ExpiresAt); left > 8*time.Hour {
		t.Errorf("an open session: %s are left", left)
	}
	later, err := f.SignIn(t.Context(), "owner@example.com", password, true, client)
	if err != nil || later.KeepFor != 8*time.Hour {
		t.Errorf("a new one: got %+v, %v", later, err)
	}
}
