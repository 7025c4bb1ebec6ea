package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

// NewUser asks for a member of a workspace. Password may be empty: a reset
// link sets it then. A person who has one already keeps it, and the name by
// which another workspace knows them where Name is empty.
type NewUser struct {
	TenantID ids.Tenant
	Email    string
	Name     string
	Role     access.Role
	Password string
}

// CreateUser adds a member at once. It is for the operator's console.
//
// Errors: auth.invalid with fields email, name, role, password;
// auth.email_taken, tenants.no_seat.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (ids.User, error) {
	n, fields := n.check()
	if n.Password != "" {
		if problem := checkPassword(n.Password, n.Email); problem != "" {
			fields["password"] = problem
		}
	}
	if len(fields) > 0 {
		return ids.User{}, ErrInvalid.WithFields(fields)
	}
	hash := ""
	if n.Password != "" {
		var err error
		if hash, err = s.hasher.hash(ctx, n.Password); err != nil {
			return ids.User{}, err
		}
	}
	if n.Name == "" {
		var err error
		if n.Name, err = s.knownName(ctx, n.TenantID, n.Email); err != nil {
			return ids.User{}, err
		}
	}
	var userID ids.User
	err := s.deps.DB.InIdentityTx(ctx, n.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		userID, err = insertMember(ctx, tx, n, hash)
		if err != nil {
			return err
		}
		actor := access.Actor{Kind: access.Console, TenantID: n.TenantID}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "members.added", Target: "user", ID: userID.String(),
			Detail: map[string]any{"role": n.Role}})
	})
	return userID, err
}

// knownName is the name of a person in the workspace that they were in last, or
// in another one where that has none; "" for one who is not known.
func (s *Service) knownName(ctx context.Context, tenant ids.Tenant, email string) (string, error) {
	var list []db.MembershipListByPersonRow
	err := s.deps.DB.InIdentityTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		person, err := tx.PersonByEmail(ctx, email)
		if db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find person: %w", err)
		}
		if list, err = tx.MembershipListByPerson(ctx, person.PersonID); err != nil {
			return fmt.Errorf("list memberships: %w", err)
		}
		if last := person.LastTenantID; last != nil {
			at := slices.IndexFunc(list, func(m db.MembershipListByPersonRow) bool { return m.TenantID == *last })
			if at > 0 {
				list[0], list[at] = list[at], list[0]
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for _, m := range list {
		var name string
		err := s.deps.DB.InTenantTx(ctx, m.TenantID, func(ctx context.Context, tx *db.Tx) error {
			user, err := tx.UserGet(ctx, tx.TenantID, m.UserID)
			if err != nil && !db.IsNoRows(err) {
				return fmt.Errorf("find user: %w", err)
			}
			name = user.Name
			return nil
		})
		if err != nil || name != "" {
			return name, err
		}
	}
	return "", nil
}

func (n NewUser) check() (NewUser, map[string]string) {
	fields := map[string]string{}
	var problem string
	if n.Email, problem = CheckEmail(n.Email); problem != "" {
		fields["email"] = problem
	}
	if n.Name, problem = checkName(n.Name); problem != "" {
		fields["name"] = problem
	}
	if !tenants.ValidRole(n.Role) {
		fields["role"] = "There is no such role."
	}
	return n, fields
}

// insertMember adds a member who has joined.
func insertMember(ctx context.Context, tx *db.Tx, n NewUser, hash string) (ids.User, error) {
	personID, known, err := putPerson(ctx, tx, n.Email)
	if err != nil {
		return ids.User{}, err
	}
	if !known && hash != "" {
		if err := setPassword(ctx, tx, personID, hash); err != nil {
			return ids.User{}, err
		}
	}
	userID, err := putUser(ctx, tx, n, personID, nil)
	if err != nil {
		return ids.User{}, err
	}
	if err := tx.MembershipInsert(ctx, personID, n.TenantID.UUID(), userID.UUID()); err != nil {
		return ids.User{}, fmt.Errorf("insert membership: %w", err)
	}
	return userID, nil
}

// putPerson finds or makes the person with an address; known means that they
// have a password.
func putPerson(ctx context.Context, tx *db.Tx, email string) (id uuid.UUID, known bool, err error) {
	person, err := tx.PersonByEmail(ctx, email)
	if err == nil {
		return person.PersonID, person.PasswordHash != nil, nil
	}
	if !db.IsNoRows(err) {
		return uuid.Nil, false, fmt.Errorf("find person: %w", err)
	}
	id = ids.New[uuid.UUID]()
	if err := tx.PersonInsert(ctx, id, email, nil); err != nil {
		return uuid.Nil, false, fmt.Errorf("insert person: %w", err)
	}
	return id, false, nil
}

// putUser makes the person a user of the workspace, or takes back one who was
// removed.
func putUser(ctx context.Context, tx *db.Tx, n NewUser, personID uuid.UUID, invitedAt *time.Time) (ids.User, error) {
	if err := tenants.CheckSeat(ctx, tx, n.TenantID); err != nil {
		return ids.User{}, err
	}
	role, err := tenants.FindRole(ctx, tx, n.Role)
	if err != nil {
		return ids.User{}, err
	}
	before, err := tx.UserGetByPerson(ctx, n.TenantID.UUID(), personID)
	switch {
	case err == nil && before.RemovedAt == nil:
		return ids.User{}, ErrEmailTaken
	case err == nil:
		if _, err := tx.UserReturn(ctx, db.UserReturnParams{Role: role.Stored(), CustomRoleID: role.CustomID(), InvitedAt: invitedAt, Email: n.Email,
			TenantID: n.TenantID.UUID(), UserID: before.UserID}); err != nil {
			return ids.User{}, fmt.Errorf("take user back: %w", err)
		}
		return ids.User(before.UserID), nil
	case !db.IsNoRows(err):
		return ids.User{}, fmt.Errorf("find user: %w", err)
	}
	id := ids.New[ids.User]()
	err = tx.UserInsert(ctx, db.UserInsertParams{UserID: id.UUID(), TenantID: n.TenantID.UUID(), PersonID: personID,
		Email: n.Email, Name: n.Name, Role: role.Stored(), CustomRoleID: role.CustomID(), InvitedAt: invitedAt})
	if _, taken := db.IsUniqueViolation(err); taken {
		return ids.User{}, ErrEmailTaken.Wrap(err)
	}
	if err != nil {
		return ids.User{}, fmt.Errorf("insert user: %w", err)
	}
	return id, nil
}

// Invited is an invitation that was made. Link is in the mail; whoever has it
// can join, so it is shown only where no mail goes out.
type Invited struct {
	UserID ids.User
	Link   string
}

// Invite asks somebody by mail to join the workspace. Until they do they hold
// a seat and can't come in.
//
// Errors: access.forbidden, tenants.owner_only, tenants.beyond, tenants.no_seat,
// auth.email_taken; auth.invalid with fields email, role.
func (s *Service) Invite(ctx context.Context, i Identity, email string, role access.Role) (Invited, error) {
	if err := access.Can(i.Actor, access.ManageMembers); err != nil {
		return Invited{}, err
	}
	n, fields := NewUser{TenantID: i.Actor.TenantID, Email: email, Role: role}.check()
	if len(fields) > 0 {
		return Invited{}, ErrInvalid.WithFields(fields)
	}
	if err := s.warmKeys(ctx, i.Actor.TenantID); err != nil {
		return Invited{}, err
	}
	var made Invited
	err := s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		given, err := tenants.FindRole(ctx, tx, role)
		if err != nil {
			return err
		}
		if err := tenants.CheckGrant(i.Actor, given); err != nil {
			return err
		}
		personID, _, err := putPerson(ctx, tx, n.Email)
		if err != nil {
			return err
		}
		now := time.Now()
		made.UserID, err = putUser(ctx, tx, n, personID, &now)
		if errors.Is(err, ErrEmailTaken) {
			return takenAs(ctx, tx, err)
		}
		if err != nil {
			return err
		}
		if made.Link, err = s.sendInvite(ctx, tx, i, personID, made.UserID, n); err != nil {
			return err
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "members.invited", Target: "user", ID: made.UserID.String(),
			Detail: map[string]any{"role": given.Title()}})
	})
	return made, err
}

// takenAs says what there is for a member who can't come in any more, where that
// can be.
func takenAs(ctx context.Context, tx *db.Tx, taken error) error {
	providers, err := providersOf(ctx, tx)
	if err != nil {
		return err
	}
	if len(providers) == 0 {
		return taken
	}
	return ErrEmailTaken.With("There is a member with this e-mail address already. If they can't come in by single sign-on, choose “Send a link to connect” in the menu of their line.")
}

// ResendInvite sends an open invitation again; the link before stops working.
//
// Errors: access.forbidden, tenants.member_not_found, tenants.beyond,
// tenants.owner_only.
func (s *Service) ResendInvite(ctx context.Context, i Identity, userID ids.User) (Invited, error) {
	if err := access.Can(i.Actor, access.ManageMembers); err != nil {
		return Invited{}, err
	}
	if err := s.warmKeys(ctx, i.Actor.TenantID); err != nil {
		return Invited{}, err
	}
	tenant, user := i.Actor.TenantID.UUID(), userID.UUID()
	made := Invited{UserID: userID}
	err := s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		open, err := tx.UserSetInvited(ctx, tenant, user)
		if err != nil {
			return fmt.Errorf("renew invitation: %w", err)
		}
		if open == 0 {
			return tenants.ErrMemberNotFound
		}
		row, err := tx.UserGet(ctx, tenant, user)
		if err != nil {
			return fmt.Errorf("read user: %w", err)
		}
		role, err := tenants.RoleOf(ctx, tx, row)
		if err != nil {
			return err
		}
		// The link may be shown to who asks for it: it is as good as an invitation.
		if err := tenants.CheckGrant(i.Actor, role); err != nil {
			return err
		}
		n := NewUser{TenantID: i.Actor.TenantID, Email: row.Email, Role: role.Value()}
		if made.Link, err = s.sendInvite(ctx, tx, i, row.PersonID, userID, n); err != nil {
			return err
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "members.invited", Target: "user", ID: userID.String(),
			Detail: map[string]any{"again": true}})
	})
	return made, err
}

func (s *Service) sendInvite(ctx context.Context, tx *db.Tx, i Identity, personID uuid.UUID, userID ids.User, n NewUser) (link string, err error) {
	tenant, user := i.Actor.TenantID.UUID(), userID.UUID()
	if err := tx.LinkRevokeUser(ctx, &tenant, &user); err != nil {
		return "", fmt.Errorf("withdraw invitations: %w", err)
	}
	token, hash := newToken()
	until := time.Now().Add(inviteFor)
	link = s.deps.BaseURL() + "/invite?token=" + token
	if err := tx.LinkInsert(ctx, db.LinkInsertParams{TokenHash: hash, Purpose: forInvite, PersonID: &personID,
		TenantID: &tenant, UserID: &user, ExpiresAt: until}); err != nil {
		return "", fmt.Errorf("insert link: %w", err)
	}
	role, err := tenants.FindRole(ctx, tx, n.Role)
	if err != nil {
		return "", err
	}
	// Nothing is known of the receiver but the address: formats are the
	// inviter's.
	letter := delivery.Invitation{Workspace: i.TenantName, Inviter: first(i.Name, i.Email), Role: role.Title(),
		Link: link, Until: until.In(i.Actor.Location())}
	if _, err := s.deps.Mailer.Queue(ctx, tx, delivery.Recipient{Address: n.Email, Locale: i.Locale}, letter); err != nil {
		return "", fmt.Errorf("send invitation: %w", err)
	}
	return link, nil
}

// Invitation is what an invited person sees before they join.
type Invitation struct {
	Workspace string
	Role      tenants.Role
	Email     string
	Name      string
	PersonID  uuid.UUID
	// HasAccount means that the person has a password: they sign in with it.
	HasAccount bool
	// SSO are the providers, "saml" and "oidc", that it can be taken up with;
	// Only says that there is no other way.
	SSO  []string
	Only bool
	Slug string
	// Connect means that a member's account is connected with a provider: nobody
	// joins.
	Connect bool

	tenantID uuid.UUID
	userID   uuid.UUID
}

// CheckInvite reads an invitation, or a link to connect.
//
// Errors: auth.link_used.
func (s *Service) CheckInvite(ctx context.Context, token string) (Invitation, error) {
	purpose := forInvite
	hash, person, err := s.peek(ctx, purpose, token)
	if errors.Is(err, ErrLinkUsed) {
		purpose = forConnect
		hash, person, err = s.peek(ctx, purpose, token)
	}
	if err != nil {
		return Invitation{}, err
	}
	var link db.LinkPeekRow
	err = s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		link, err = tx.LinkPeek(ctx, hash, purpose)
		if db.IsNoRows(err) || (err == nil && (link.TenantID == nil || link.UserID == nil)) {
			return ErrLinkUsed
		}
		return err
	})
	if err != nil {
		return Invitation{}, err
	}
	inv := Invitation{Email: person.Email, PersonID: person.PersonID, HasAccount: person.PasswordHash != nil,
		Connect: purpose == forConnect, tenantID: *link.TenantID, userID: *link.UserID}
	err = s.deps.DB.InTenantTx(ctx, inv.tenantID, func(ctx context.Context, tx *db.Tx) error {
		user, err := tx.UserGet(ctx, inv.tenantID, inv.userID)
		if err != nil {
			return fmt.Errorf("read user: %w", err)
		}
		if user.RemovedAt != nil || (user.InvitedAt == nil) != inv.Connect {
			return ErrLinkUsed
		}
		tenant, err := tx.TenantByID(ctx, inv.tenantID)
		if err != nil {
			return fmt.Errorf("read tenant: %w", err)
		}
		if inv.Role, err = tenants.RoleOf(ctx, tx, user); err != nil {
			return err
		}
		inv.Workspace, inv.Name, inv.Slug = tenant.Name, user.Name, tenant.Slug
		policy, err := policyOf(ctx, tx, inv.tenantID)
		if err != nil {
			return err
		}
		inv.Only, inv.SSO = inv.Connect || policy.SSOOnly && policy.BreakGlass != ids.User(inv.userID), policy.ways()
		if !inv.Connect {
			return nil
		}
		now, err := providersOf(ctx, tx)
		if err == nil && !slices.ContainsFunc(now, func(name string) bool { return slices.Contains(link.Providers, name) }) {
			return errProviderChanged
		}
		return err
	})
	return inv, err
}

// AcceptInvite joins the workspace. Who has no password yet gives one and is
// signed in; who has one is not let in by the link alone: Opened is zero then,
// and they sign in.
//
// Errors: auth.link_used, auth.sso_required; auth.invalid with fields name, password.
func (s *Service) AcceptInvite(ctx context.Context, token, name, password string, client Client) (Opened, error) {
	inv, err := s.CheckInvite(ctx, token)
	if err != nil {
		return Opened{}, err
	}
	if inv.Only {
		return Opened{}, ErrSSORequired
	}
	stored := ""
	if inv.HasAccount {
		name = ""
	} else {
		fields := map[string]string{}
		var problem string
		if name, problem = checkName(name); problem != "" {
			fields["name"] = problem
		} else if name == "" {
			fields["name"] = "Say how others shall call you."
		}
		if problem := checkPassword(password, inv.Email); problem != "" {
			fields["password"] = problem
		}
		if len(fields) > 0 {
			return Opened{}, ErrInvalid.WithFields(fields)
		}
		if stored, err = s.hasher.hash(ctx, password); err != nil {
			return Opened{}, err
		}
	}
	hash, _ := parseToken(token)
	place := db.MembershipListByPersonRow{TenantID: inv.tenantID, UserID: inv.userID}
	actor := personActor(ids.Tenant(inv.tenantID), ids.User(inv.userID))
	var opened Opened
	err = s.deps.DB.InIdentityTx(ctx, inv.tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if _, err := useLink(ctx, tx, hash, forInvite); err != nil {
			return err
		}
		if stored != "" {
			if err := setPassword(ctx, tx, inv.PersonID, stored); err != nil {
				return err
			}
		}
		if err := tx.MembershipInsert(ctx, inv.PersonID, inv.tenantID, inv.userID); err != nil {
			return fmt.Errorf("insert membership: %w", err)
		}
		if err := tx.UserJoined(ctx, name, inv.tenantID, inv.userID); err != nil {
			return fmt.Errorf("note joining: %w", err)
		}
		if err := audit.Record(ctx, tx, actor, audit.Entry{Action: "members.joined", Target: "user", ID: actor.UserID.String()}); err != nil {
			return err
		}
		if inv.HasAccount {
			return nil
		}
		opened, err = openSession(ctx, tx, inv.PersonID, place, false, client)
		return err
	})
	return opened, err
}
