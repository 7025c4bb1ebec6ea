package views

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// SSOProps asks where somebody signs in.
type SSOProps struct {
	Text        string
	Next        string
	Workspace   string
	SAML, OIDC  string // addresses; both where there is a choice
	Error, Code string
}

// LeaveProps sends the browser elsewhere.
type LeaveProps struct {
	Address string
	Host    string
	Fields  map[string]string // of a SAML message that goes by POST
}

// RefusedProps says why a provider's answer lets nobody in.
type RefusedProps struct{ Text, Code string }

// LinkProps asks for the proof that an account is the person's.
type LinkProps struct {
	Email, Workspace string
	ByLink           bool // a link has proved the mailbox: no password is asked for
	NeedsCode        bool
	Next             string
	Errors           map[string]string // "password", "code"
	Error, Code      string
}

// CodeProps asks for a code of the second factor.
type CodeProps struct {
	Next        string
	Errors      map[string]string // "code"
	Error, Code string
}

// FactorProps is a person's two-factor sign-in.
type FactorProps struct {
	On, Required  bool
	Recovery      int // codes that are left
	Secret, Image string
	Codes         []string          // shown once
	Errors        map[string]string // "confirm", "renew", "remove"
}

// Paths of the forms of two-factor sign-in; all are POST.
const (
	PathFactorStart   = PathFactor + "/start"
	PathFactorConfirm = PathFactor + "/confirm" // code
	PathFactorRenew   = PathFactor + "/renew"   // code
	PathFactorRemove  = PathFactor + "/remove"  // code
)

// Paths of the forms of single sign-on; all are POST.
const (
	PathSaveSAML     = PathSignInSettings + "/saml"
	PathSaveOIDC     = PathSignInSettings + "/oidc"
	PathPrepareSAML  = PathSignInSettings + "/prepare"
	PathRollKeys     = PathSignInSettings + "/keys"     // step
	PathTestSignIn   = PathSignInSettings + "/test"     // kind
	PathDiagnose     = PathSignInSettings + "/diagnose" // response
	PathEnforce      = PathSignInSettings + "/enforce"  // only, owner
	PathSecurity     = PathSignInSettings + "/security" // idle, whole, role
	PathDomains      = PathSignInSettings + "/domains"  // domain
	PathDomainVerify = PathDomains + "/verify"          // domain
	PathDomainSignUp = PathDomains + "/sign-up"         // domain, role
	PathDomainRemove = PathDomains + "/remove"          // domain
	PathResetFactor  = PathMembers + "/reset-factor"    // id
)

// SSOPaths are where the settings of connections are, and their forms.
type SSOPaths struct{ Page, SaveSAML, SaveOIDC, Prepare, RollKeys, Test, Diagnose string }

// WorkspaceSSO are those of a workspace's members.
var WorkspaceSSO = SSOPaths{Page: PathSignInSettings, SaveSAML: PathSaveSAML, SaveOIDC: PathSaveOIDC, Prepare: PathPrepareSAML, RollKeys: PathRollKeys, Test: PathTestSignIn, Diagnose: PathDiagnose}

// PortalSSO are those of a portal's visitors.
func PortalSSO(portal string) SSOPaths {
	page := PathPortal(portal, string(PortalSignsIn))
	return SSOPaths{Page: page, SaveSAML: page + "/saml", SaveOIDC: page + "/oidc", Prepare: page + "/prepare", RollKeys: page + "/keys", Test: page + "/test", Diagnose: page + "/diagnose"}
}

// SignInSettingsProps is single sign-on and what sign-in demands.
type SignInSettingsProps struct {
	auth.SSO
	SSOPaths
	Visitors bool // of a portal, who have neither roles nor domains
	Only     bool // for visitors: no password counts
	NoHost   bool // for visitors: there is no address yet to tell a provider
	Security auth.Security
	OIDCView bool // shows OpenID Connect
	// Rules are the lists of the mapping as texts, a line a rule.
	RoleLines, TeamLines, PeopleLines string
	Roles                             []ui.Option // for everybody else
	SignUpRoles                       []ui.Option // of a domain
	Idle, Whole                       []ui.Option
	SecondFactor                      []ui.Option // roles; Selected
	Owners                            []ui.Option
	CanEdit                           bool
	Errors                            map[string]string
	Error, Code                       string
	Diagnosis                         *auth.Test // of a pasted answer
	Pasted                            string
	When                              func(t auth.Test) string
	Day                               func(c auth.Certificate) string
	ProviderUntil, Refreshed          string
}

// test is the result whose values stand beside the mapping: of a pasted answer,
// else the last one.
func (p SignInSettingsProps) test() *auth.Test {
	if p.Diagnosis != nil {
		return p.Diagnosis
	}
	return p.lastTest()
}

// lastTest is the last real one.
func (p SignInSettingsProps) lastTest() *auth.Test {
	if p.OIDCView {
		return p.OIDC.LastTest
	}
	return p.SAML.LastTest
}

// Mapping is that of the connection that is shown.
func (p SignInSettingsProps) Mapping() auth.Mapping {
	if p.OIDCView {
		return p.OIDC.Settings.Mapping
	}
	return p.SAML.Settings.Mapping
}

// seen is what the last test had under an attribute.
func (p SignInSettingsProps) seen(attribute string) string {
	if t := p.test(); t != nil {
		return strings.Join(t.Values[attribute], ", ")
	}
	return ""
}

func (p SignInSettingsProps) ready() bool {
	return p.OIDCView && p.OIDC.Set || !p.OIDCView && p.SAML.Provider.Issuer != ""
}

func checkIcon(s saml.State) string {
	switch s {
	case saml.Passed:
		return "check"
	case saml.Failed:
		return "x"
	}
	return "triangle-alert"
}

func testTitle(ctx context.Context, key string, t auth.Test) string {
	if t.Passed {
		return messages.T(ctx, key+"passed")
	}
	return messages.T(ctx, key+"failed")
}

func sourceSegments(ctx context.Context, source string) []ui.Segment {
	return []ui.Segment{
		{Label: messages.T(ctx, "sso.from_url"), Value: auth.FromURL, Selected: source == auth.FromURL || source == ""},
		{Label: messages.T(ctx, "sso.from_xml"), Value: auth.FromXML, Selected: source == auth.FromXML},
		{Label: messages.T(ctx, "sso.from_hand"), Value: auth.FromHand, Selected: source == auth.FromHand},
	}
}

func sortedKeys(values map[string][]string) []string { return slices.Sorted(maps.Keys(values)) }

func joined(values []string) string { return strings.Join(values, ", ") }
