package auth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with people whom a provider vouches for.
var (
	ErrNoAccount = apperr.Define(apperr.Forbidden, "auth.no_account",
		"The identity provider knows you, but this workspace has no account for you. Ask an admin to invite you.")
	ErrRemoved = apperr.Define(apperr.Forbidden, "auth.removed",
		"Your account in this workspace was removed. Ask an admin to invite you again.")
	ErrNeedsInvite = apperr.Define(apperr.Forbidden, "auth.needs_invite",
		"There is an account with your e-mail address, and nothing here proves that it is yours. Ask an admin to send you a link to connect: it is in the menu beside your name in the list of members.")
	ErrOtherAddress = apperr.Define(apperr.Forbidden, "auth.other_address",
		"The invitation was sent to another e-mail address than the one that the identity provider knows you by.")
)

// The purposes of pending sign-ins.
const (
	forSecondFactor = "second_factor"
	forLink         = "link"
)

const (
	requestFor  = 10 * time.Minute // to sign in at the provider
	pendingFor  = 10 * time.Minute
	maxNext     = 2000
	logOutFor   = 5 * time.Minute
	kindLogOut  = "saml_logout"
	maxGroups   = 1000
	maxProven   = 64 << 10
	ssoAttempts = 120 // of an address, before it has to wait
)

// Ways are how somebody can sign in at a workspace.
type Ways struct {
	Slug, Workspace string
	SAML, OIDC      bool
}

// FindWays says where to sign in, by e-mail address or the workspace's short
// name. Of an address only the domain counts, so that nobody learns who has an
// account.
//
// Errors: auth.no_sso.
func (s *Service) FindWays(ctx context.Context, text string) (Ways, error) {
	text = strings.ToLower(strings.TrimSpace(cut(text, 254)))
	var found Ways
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if strings.Contains(text, "@") {
			row, err := tx.DomainOwner(ctx, domainOf(text))
			found = Ways{row.Slug, row.Name, row.Saml, row.Oidc}
			return err
		}
		row, err := tx.WaysBySlug(ctx, text)
		found = Ways{row.Slug, row.Name, row.Saml, row.Oidc}
		return err
	})
	switch {
	case db.IsNoRows(err), err == nil && !found.SAML && !found.OIDC:
		return Ways{}, ErrNoSSO
	case err != nil:
		return Ways{}, fmt.Errorf("find sign-in of workspace: %w", err)
	}
	return found, nil
}

// Begin is how a sign-in at a provider begins.
type Begin struct {
	Browser string    // text of the cookie that binds the answer to the browser
	Next    string    // path on this site to go on to
	Session uuid.UUID // that the browser has, and that ends
	Invite  string    // token of an invitation that is taken up
	Test    *Identity // a test by an admin: nobody is signed in
	Ticket  string    // of a test that was asked for elsewhere
	From    Client    // who begins it
	tester  uuid.UUID // whose test it is
}

func (b Begin) isTest() bool { return b.tester != uuid.Nil || b.Test != nil }

func (b Begin) request(r Realm, kind, protocolID string) (db.RequestInsertParams, error) {
	browser, ok := parseToken(b.Browser)
	if !ok {
		return db.RequestInsertParams{}, saml.ErrRequest
	}
	p := db.RequestInsertParams{TenantID: r.tenant, PortalID: r.portalID(), Kind: kind, ProtocolID: protocolID, BrowserHash: browser, Next: cut(b.Next, maxNext),
		ExpiresAt: time.Now().Add(requestFor)}
	if b.Session != uuid.Nil {
		p.SessionID = &b.Session
	}
	if b.Invite != "" {
		if p.InviteHash, ok = parseToken(b.Invite); !ok {
			return p, ErrLinkUsed
		}
	}
	if b.Test != nil {
		b.tester = b.Test.Actor.UserID.UUID()
	}
	if b.tester != uuid.Nil {
		p.TestUserID = &b.tester
	}
	return p, nil
}

// NewBrowser makes the text of a cookie that binds a browser to what it begins.
func NewBrowser() string {
	text, _ := newToken()
	return text
}

// ValidBrowser tells whether a cookie's text is one of NewBrowser.
func ValidBrowser(text string) bool {
	_, ok := parseToken(text)
	return ok
}

// BeginSAML asks the provider of a realm.
//
// Errors: auth.throttled, auth.no_sso, auth.link_used, saml.request without a
// browser; access.forbidden for a test.
func (s *Service) BeginSAML(ctx context.Context, r Realm, b Begin) (saml.Message, error) {
	if err := s.beginning(ctx, r, kindSAML, &b); err != nil {
		return saml.Message{}, err
	}
	c, err := s.opened(ctx, r)
	if err != nil {
		return saml.Message{}, err
	}
	if !c.row.Enabled && !b.isTest() || c.Provider.Issuer == "" {
		return saml.Message{}, ErrNoSSO
	}
	question, err := c.SignIn()
	if err != nil {
		return saml.Message{}, err
	}
	row, err := b.request(c.realm, kindSAML, question.ID)
	if err != nil {
		return saml.Message{}, err
	}
	return question, s.keepRequest(ctx, row)
}

// beginLimit bounds the sign-ins that an address begins; one that succeeds is not
// counted.
func beginLimit(from Client) limit {
	return limit{key: throttleKey("sso begin", from.Address), free: ssoAttempts, longest: 60}
}

// beginning counts the start of a sign-in, which writes a row and can ask the
// provider, before anything is looked up.
//
// Errors: auth.throttled; auth.no_sso, access.forbidden, auth.link_used for a test.
func (s *Service) beginning(ctx context.Context, r Realm, kind string, b *Begin) error {
	if b.Test == nil {
		if err := s.take(ctx, []limit{beginLimit(b.From)}); err != nil || b.Ticket == "" {
			return err
		}
		asked, known, err := s.takeRequest(ctx, r, kind, ticketID(b.Ticket), b.Ticket)
		if err != nil {
			return err
		}
		if !known || asked.TestUserID == nil {
			return ErrLinkUsed.With("This test has run out. Begin it again.")
		}
		b.tester, b.Next = *asked.TestUserID, asked.Next
		return nil
	}
	if r.visitors() || b.Test.TenantSlug != r.slug {
		return ErrNoSSO
	}
	return access.Can(b.Test.Actor, access.ManageWorkspace)
}

func (s *Service) keepRequest(ctx context.Context, row db.RequestInsertParams) error {
	return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.RequestInsert(ctx, row); err != nil {
			return fmt.Errorf("keep sign-in request: %w", err)
		}
		return nil
	})
}

// takeRequest finds what this browser has asked, once; zero where it has not.
func (s *Service) takeRequest(ctx context.Context, r Realm, kind, protocolID, browser string) (row db.RequestTakeRow, found bool, err error) {
	hash, ok := parseToken(browser)
	if !ok || protocolID == "" {
		return row, false, nil
	}
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		row, err = tx.RequestTake(ctx, db.RequestTakeParams{TenantID: r.tenant, PortalID: r.portalID(), Kind: kind, ProtocolID: cut(protocolID, 200), BrowserHash: hash})
		return err
	})
	if db.IsNoRows(err) {
		return row, false, nil
	}
	if err != nil {
		return row, false, fmt.Errorf("take sign-in request: %w", err)
	}
	return row, true, nil
}

// Entered is how a sign-in at a provider ended.
type Entered struct {
	Opened
	Next string // where to go on
	Test bool   // nobody was signed in: the result is with the connection, and shown at Next
}

// FinishSAML takes the answer that the browser brings from the provider.
// Whatever is refused is in the audit log of the workspace.
//
// Errors: auth.no_sso, auth.throttled, those of package saml, those of enter.
func (s *Service) FinishSAML(ctx context.Context, r Realm, encoded, relayState, browser string, client Client) (Entered, error) {
	return s.finishSAML(ctx, r, encoded, relayState, browser, client, s.entrance(client))
}

func (s *Service) finishSAML(ctx context.Context, r Realm, encoded, relayState, browser string, client Client, in Entrance) (Entered, error) {
	limits := []limit{{key: throttleKey("sso address", client.Address), free: ssoAttempts, longest: 60}}
	if err := s.take(ctx, limits); err != nil {
		return Entered{}, err
	}
	c, err := s.opened(ctx, r)
	if err != nil {
		return Entered{}, err
	}
	r = c.realm
	if c.Provider.Issuer == "" {
		return Entered{}, ErrNoSSO
	}
	request, known, err := s.takeRequest(ctx, r, kindSAML, saml.Peek(encoded), browser)
	if err != nil {
		return Entered{}, err
	}
	waiting := []string{}
	if known {
		waiting = append(waiting, saml.Peek(encoded))
	}
	if known && request.TestUserID != nil {
		return Entered{Test: true, Next: request.Next}, s.finishTest(ctx, c, in, encoded, waiting, request)
	}
	if !c.row.Enabled {
		return Entered{}, ErrNoSSO
	}
	answer, err := c.Accept(encoded, waiting, s.consume(ctx, r.tenant))
	if errors.Is(err, saml.ErrOtherKey) && c.settings.Source == FromURL {
		if wrong := s.refreshSoon(ctx, r); wrong != nil {
			return Entered{}, wrong
		}
		err = saml.ErrOtherKey.With("The answer is signed with a key that is not known here. If the identity provider has changed its certificate, sign in again in a minute: its metadata are being fetched.").Wrap(err)
	}
	if err != nil {
		return Entered{}, s.refuse(ctx, r, kindSAML, err, client, c.claimed(encoded, waiting))
	}
	next := request.Next
	if answer.Unsolicited {
		next = cut(relayState, maxNext)
	}
	email := pick(answer.Attributes, c.settings.Mapping.Email)
	opened, err := in.Enter(ctx, Proven{tenant: r.tenant, Kind: kindSAML, Connection: c.row.ConnectionID, Issuer: answer.Issuer, Subject: answer.Subject,
		Format: answer.Format, Index: answer.SessionIndex, Until: answer.Until, Attributes: answer.Attributes,
		Email: email, Mapping: c.settings.Mapping, JustInTime: c.settings.JustInTime}, request)
	if err != nil {
		return Entered{}, s.refuse(ctx, r, kindSAML, err, client, about{answer.Subject, email, true})
	}
	return Entered{Opened: opened, Next: next}, s.forgive(ctx, append(limits, beginLimit(client)))
}

func (s *Service) forgive(ctx context.Context, limits []limit) error {
	return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error { return forgive(ctx, tx, limits) })
}

// consume is the memory of what was used, for one workspace.
func (s *Service) consume(ctx context.Context, tenantID uuid.UUID) saml.Consume {
	return func(id string, until time.Time) error {
		key := sha256.Sum256([]byte(id))
		return s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			n, err := tx.ReplayInsert(ctx, tenantID, key[:], until.Add(time.Minute))
			if err != nil {
				return fmt.Errorf("note used assertion: %w", err)
			}
			if n == 0 {
				return saml.ErrUsed
			}
			return nil
		})
	}
}

// about is whom an answer is about, as far as it could be read. Unless proven it
// is what the answer says, whoever wrote it.
type about struct {
	subject, email string
	proven         bool
}

// claimed is whom a refused answer says that it is about.
func (c samlRow) claimed(encoded string, waiting []string) about {
	d := c.Diagnose(encoded, waiting, func(string) bool { return false }, time.Now())
	return about{d.Answer.Subject, pick(d.Answer.Attributes, c.settings.Mapping.Email), d.Verified}
}

// refuse records a refused sign-in for the workspace, and answers why. Faults
// of our own are no refusal.
func (s *Service) refuse(ctx context.Context, r Realm, kind string, cause error, client Client, who about) error {
	public := apperr.Describe(cause)
	if public.Class == apperr.Internal || ctx.Err() != nil {
		return cause
	}
	actor := access.Actor{Kind: access.System, TenantID: ids.Tenant(r.tenant)}
	err := s.deps.DB.InTenantTx(ctx, r.tenant, func(ctx context.Context, tx *db.Tx) error {
		detail := map[string]any{"code": public.Code, "address": client.Address}
		for name, value := range map[string]string{"email": who.email, "subject": who.subject} {
			if value != "" {
				detail[name], detail["proven"] = cut(value, 300), who.proven
			}
		}
		return r.refused(ctx, tx, actor, "auth.sso_refused", kind, detail)
	})
	if err != nil {
		return err
	}
	return cause
}

// Proven is what a provider vouches for, whatever the protocol. It is kept,
// sealed, while somebody proves that an account is theirs.
type Proven struct {
	tenant                  uuid.UUID
	Kind                    string
	Connection              uuid.UUID
	Issuer, Subject, Format string
	Index                   string
	Until                   time.Time
	Attributes              map[string][]string
	Email                   string
	Mapping                 Mapping
	JustInTime              bool
	// ByLink means that a link which was mailed has proved the mailbox.
	ByLink bool
}

func pick(attributes map[string][]string, name string) string {
	if values := attributes[name]; name != "" && len(values) > 0 {
		return values[0]
	}
	return ""
}

// Groups are the provider's groups of the person.
func (p Proven) Groups() []string {
	if p.Mapping.Groups == "" {
		return nil
	}
	groups := p.Attributes[p.Mapping.Groups]
	return groups[:min(len(groups), maxGroups)]
}

// Name is how the person is called, or nothing where that is no name.
func (p Proven) Name() string {
	name, problem := checkName(pick(p.Attributes, p.Mapping.Name))
	if problem != "" {
		return ""
	}
	return name
}

// entrance is that of members.
func (s *Service) entrance(client Client) Entrance {
	return Entrance{Enter: func(ctx context.Context, p Proven, asked db.RequestTakeRow) (Opened, error) {
		return s.enter(ctx, p.tenant, p, asked, client)
	}, Look: s.look}
}

// enter signs in whom a provider vouches for. Who was here before is known by
// connection, issuer and subject alone. Somebody new takes up an invitation,
// or gets an account where the workspace wants that and owns the domain; an
// account that is there already has to be proved.
//
// Errors: auth.no_account, auth.removed, auth.needs_invite, auth.other_address,
// auth.link_used, tenants.no_seat.
func (s *Service) enter(ctx context.Context, tenantID uuid.UUID, p Proven, request db.RequestTakeRow, client Client) (Opened, error) {
	if email, problem := CheckEmail(p.Email); problem != "" {
		p.Email = ""
	} else {
		p.Email = email
	}
	box, err := s.deps.Tenants.Box(ctx, ids.Tenant(tenantID))
	if err != nil {
		return Opened{}, err
	}
	var opened Opened
	err = s.deps.DB.InIdentityTx(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		known, err := tx.IdentityFind(ctx, db.IdentityFindParams{TenantID: tenantID, ConnectionID: p.Connection, Issuer: p.Issuer, Subject: p.Subject})
		switch {
		case err == nil && known.RemovedAt != nil:
			return ErrRemoved
		case err == nil:
			opened, err = s.openProven(ctx, tx, p, known.IdentityID, known.PersonID, known.UserID, request.SessionID, client)
			return err
		case !db.IsNoRows(err):
			return fmt.Errorf("find identity: %w", err)
		}
		p.ByLink = request.InviteHash != nil
		userID, personID, err := s.place(ctx, tx, ids.Tenant(tenantID), p, request.InviteHash)
		var unproved *needsProof
		if errors.As(err, &unproved) {
			payload, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("write pending sign-in: %w", err)
			}
			if len(payload) > maxProven {
				return ErrNeedsInvite
			}
			sealed, err := box.Encrypt(linkPurpose, payload)
			if err != nil {
				return err
			}
			opened, err = pend(ctx, tx, db.PendingInsertParams{Purpose: forLink, TenantID: tenantID, UserID: unproved.user, PersonID: unproved.person,
				SessionID: request.SessionID, Payload: sealed})
			return err
		}
		if err != nil {
			return err
		}
		identityID, err := s.link(ctx, tx, tenantID, userID, p)
		if err != nil {
			return err
		}
		opened, err = s.openProven(ctx, tx, p, identityID, personID, userID, request.SessionID, client)
		return err
	})
	return opened, err
}

// needsProof says that somebody has an account with the address already: user
// is zero where it is one of other workspaces only.
type needsProof struct{ person, user uuid.UUID }

func (*needsProof) Error() string { return "an account has to be proved" }

// place finds or makes the user that a new identity is of.
func (s *Service) place(ctx context.Context, tx *db.Tx, tenantID ids.Tenant, p Proven, invite []byte) (userID, personID uuid.UUID, err error) {
	if invite != nil {
		return s.placeInvited(ctx, tx, tenantID, p, invite)
	}
	if p.Email == "" {
		return userID, personID, ErrNoAccount.With("The identity provider does not say which e-mail address you have.")
	}
	user, err := tx.UserByEmail(ctx, tenantID.UUID(), p.Email)
	if err != nil && !db.IsNoRows(err) {
		return userID, personID, fmt.Errorf("find user: %w", err)
	}
	if err == nil {
		switch {
		case user.RemovedAt != nil:
			return userID, personID, ErrRemoved
		case user.InvitedAt != nil:
			return userID, personID, ErrNeedsInvite.With("You are invited already: open the link in that mail, and choose single sign-on there.")
		}
	}
	person, unknown := tx.PersonByEmail(ctx, p.Email)
	if unknown != nil && !db.IsNoRows(unknown) {
		return userID, personID, fmt.Errorf("find person: %w", unknown)
	}
	if unknown == nil {
		places, err := tx.MembershipListByPerson(ctx, person.PersonID)
		if err != nil {
			return userID, personID, fmt.Errorf("list memberships: %w", err)
		}
		switch {
		case len(places) > 0 && person.PasswordHash != nil && (user.UserID != uuid.Nil || p.JustInTime):
			return userID, personID, &needsProof{person.PersonID, user.UserID}
		case len(places) > 0 && !p.JustInTime && user.UserID == uuid.Nil:
			return userID, personID, ErrNoAccount
		case len(places) > 0:
			return userID, personID, ErrNeedsInvite
		}
	}
	owns, err := ownsDomain(ctx, tx, tenantID, p.Email)
	if err != nil {
		return userID, personID, err
	}
	if !p.JustInTime || !owns {
		return userID, personID, ErrNoAccount
	}
	role, _ := p.Mapping.role(p.Groups())
	made, err := insertMember(ctx, tx, NewUser{TenantID: tenantID, Email: p.Email, Name: p.Name(), Role: role}, "")
	if err != nil {
		return userID, personID, err
	}
	actor := personActor(tenantID, made)
	if err := audit.Record(ctx, tx, actor, audit.Entry{Action: "members.joined", Target: "user", ID: made.String(),
		Detail: map[string]any{"role": role, "method": p.Kind}}); err != nil {
		return userID, personID, err
	}
	row, err := tx.UserGet(ctx, tenantID.UUID(), made.UUID())
	if err != nil {
		return userID, personID, fmt.Errorf("read user: %w", err)
	}
	return row.UserID, row.PersonID, nil
}

// placeInvited takes an invitation up, or a link to connect: it proves the mailbox.
func (s *Service) placeInvited(ctx context.Context, tx *db.Tx, tenantID ids.Tenant, p Proven, invite []byte) (userID, personID uuid.UUID, err error) {
	link, err := useLink(ctx, tx, invite, forInvite)
	if errors.Is(err, ErrLinkUsed) {
		return s.placeConnected(ctx, tx, tenantID, p, invite)
	}
	if err != nil {
		return userID, personID, err
	}
	if link.TenantID == nil || *link.TenantID != tenantID.UUID() || link.UserID == nil || link.PersonID == nil {
		return userID, personID, ErrLinkUsed
	}
	user, err := tx.UserGet(ctx, tenantID.UUID(), *link.UserID)
	if err != nil {
		return userID, personID, fmt.Errorf("read user: %w", err)
	}
	if user.RemovedAt != nil || user.InvitedAt == nil {
		return userID, personID, ErrLinkUsed
	}
	if p.Email != "" && !strings.EqualFold(p.Email, user.Email) {
		return userID, personID, ErrOtherAddress
	}
	if err := tx.MembershipInsert(ctx, *link.PersonID, tenantID.UUID(), user.UserID); err != nil {
		return userID, personID, fmt.Errorf("insert membership: %w", err)
	}
	if err := tx.UserJoined(ctx, p.Name(), tenantID.UUID(), user.UserID); err != nil {
		return userID, personID, fmt.Errorf("note joining: %w", err)
	}
	actor := personActor(tenantID, ids.User(user.UserID))
	return user.UserID, *link.PersonID, audit.Record(ctx, tx, actor, audit.Entry{Action: "members.joined", Target: "user", ID: actor.UserID.String(),
		Detail: map[string]any{"method": p.Kind}})
}

// link keeps who somebody is at the provider.
func (s *Service) link(ctx context.Context, tx *db.Tx, tenantID, userID uuid.UUID, p Proven) (uuid.UUID, error) {
	id := ids.New[uuid.UUID]()
	if err := tx.IdentityInsert(ctx, db.IdentityInsertParams{TenantID: tenantID, IdentityID: id, UserID: userID, ConnectionID: p.Connection,
		Issuer: p.Issuer, Subject: p.Subject, Format: cut(p.Format, 200)}); err != nil {
		return id, fmt.Errorf("insert identity: %w", err)
	}
	return id, audit.Record(ctx, tx, personActor(ids.Tenant(tenantID), ids.User(userID)), audit.Entry{Action: "auth.identity_linked", Target: "user",
		ID: userID.String(), Detail: map[string]any{"method": p.Kind, "issuer": p.Issuer, "by_link": p.ByLink}})
}

// openProven brings the user up to date and opens a session; the one that the
// browser had before ends.
func (s *Service) openProven(ctx context.Context, tx *db.Tx, p Proven, identityID, personID, userID uuid.UUID, before *uuid.UUID, client Client) (Opened, error) {
	tenantID := tx.TenantID
	if err := s.follow(ctx, tx, userID, p); err != nil {
		return Opened{}, err
	}
	if err := tx.IdentityUsed(ctx, tenantID, identityID); err != nil {
		return Opened{}, fmt.Errorf("note use of identity: %w", err)
	}
	if before != nil {
		if err := tx.SessionEnd(ctx, *before); err != nil {
			return Opened{}, fmt.Errorf("end session: %w", err)
		}
	}
	return openSessionBy(ctx, tx, personID, db.MembershipListByPersonRow{TenantID: tenantID, UserID: userID}, false, client,
		source{method: p.Kind, identityID: identityID, index: cut(p.Index, 1024), until: p.Until})
}

// follow does what the mapping says: name, role, groups and attributes. Owners
// stay owners whatever a rule says, since somebody has to.
func (s *Service) follow(ctx context.Context, tx *db.Tx, userID uuid.UUID, p Proven) error {
	tenantID := tx.TenantID
	user, err := tx.UserGet(ctx, tenantID, userID)
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	actor := personActor(ids.Tenant(tenantID), ids.User(userID))
	if name := p.Name(); name != "" && name != user.Name {
		if err := tx.UserSetName(ctx, name, tenantID, userID); err != nil {
			return fmt.Errorf("write name: %w", err)
		}
	}
	groups := p.Groups()
	if err := followRole(ctx, tx, actor, user, p, groups); err != nil {
		return err
	}
	if err := s.followTeams(ctx, tx, userID, p.Mapping.Teams, groups); err != nil {
		return err
	}
	if len(p.Mapping.People) == 0 {
		return nil
	}
	values := map[string][]string{}
	for _, rule := range p.Mapping.People {
		values[rule.To] = append(values[rule.To], p.Attributes[rule.From]...)
	}
	return tenants.FollowAttributes(ctx, tx, actor, ids.User(userID), values)
}

func followRole(ctx context.Context, tx *db.Tx, actor access.Actor, user db.UserGetRow, p Proven, groups []string) error {
	named, ruled := p.Mapping.role(groups)
	if !ruled || user.Role == db.UserRoleOwner {
		return nil
	}
	role, err := tenants.FindRole(ctx, tx, named)
	if err != nil {
		return err
	}
	before, err := tenants.RoleOf(ctx, tx, user)
	if err != nil || before.Same(role) {
		return err
	}
	if err := role.Set(ctx, tx, user.UserID); err != nil {
		return err
	}
	return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.role_changed", Target: "user", ID: user.UserID.String(),
		Detail: map[string]any{"before": before.Title(), "after": role.Title(), "method": p.Kind}})
}

func (s *Service) followTeams(ctx context.Context, tx *db.Tx, userID uuid.UUID, rules []TeamRule, groups []string) error {
	member := map[string]bool{}
	for _, rule := range rules {
		member[rule.Team] = member[rule.Team] || slices.Contains(groups, rule.Group)
	}
	for _, team := range slices.Sorted(maps.Keys(member)) {
		id, err := tx.GroupByName(ctx, tx.TenantID, team)
		if db.IsNoRows(err) {
			continue // the group was removed
		}
		if err != nil {
			return fmt.Errorf("find group: %w", err)
		}
		change := tx.GroupLeave
		if member[team] {
			change = tx.GroupJoin
		}
		if _, err := change(ctx, tx.TenantID, id, userID); err != nil {
			return fmt.Errorf("change group: %w", err)
		}
	}
	return nil
}

const linkPurpose = "pending_sign_ins.payload"

// pend keeps a sign-in that is half done.
func pend(ctx context.Context, tx *db.Tx, p db.PendingInsertParams) (Opened, error) {
	text, hash := newToken()
	p.TokenHash, p.ExpiresAt = hash, time.Now().Add(pendingFor)
	if p.Payload == nil {
		p.Payload = []byte{}
	}
	if err := tx.PendingInsert(ctx, p); err != nil {
		return Opened{}, fmt.Errorf("keep pending sign-in: %w", err)
	}
	if p.Purpose == forLink {
		return Opened{Link: text}, nil
	}
	return Opened{Pending: text}, nil
}

// pending reads a sign-in that is half done.
func (s *Service) pending(ctx context.Context, purpose, token string) (hash []byte, row db.PendingGetRow, err error) {
	hash, ok := parseToken(token)
	if !ok {
		return nil, row, ErrLinkUsed
	}
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		row, err = tx.PendingGet(ctx, hash, purpose)
		return err
	})
	if db.IsNoRows(err) {
		return nil, row, ErrLinkUsed.With("This sign-in has run out. Begin again.").Wrap(err)
	}
	if err != nil {
		return nil, row, fmt.Errorf("find pending sign-in: %w", err)
	}
	return hash, row, nil
}
