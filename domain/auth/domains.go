package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong with domains.
var (
	ErrDomainNotFound = apperr.Define(apperr.NotFound, "auth.domain_not_found",
		"This domain is not in the list any more.")
	ErrDomainTaken = apperr.Define(apperr.Conflict, "auth.domain_taken",
		"Another workspace has verified this domain.")
	ErrDomainUnproved = apperr.Define(apperr.Conflict, "auth.domain_unproved",
		"The TXT record was not found. It can take an hour until a new one is seen.")
)

// Resolver looks up the texts of a domain; net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

const (
	// domainRecord is the name below the domain where the proof stands.
	domainRecord = "_dataflow"
	lookupFor    = 5 * time.Second
	maxDomains   = 50
)

// Domain is one that the workspace says is its own.
type Domain struct {
	Name string
	// Record and Value are what has to stand in the DNS: a TXT record.
	Record, Value string
	VerifiedAt    time.Time   // zero: not yet
	SignUp        access.Role // what somebody with an address there becomes who joins by mail; empty: nobody can
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

func checkDomain(text string) (string, bool) {
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), "."))
	return name, err == nil && len(name) <= 240 && domainPattern.MatchString(name)
}

// domainOf is the part of an address after its last @, as domains are kept.
func domainOf(email string) string {
	name, ok := checkDomain(email[strings.LastIndex(email, "@")+1:])
	if !ok {
		return ""
	}
	return name
}

func listDomains(ctx context.Context, tx *db.Tx, tenantID ids.Tenant) ([]Domain, error) {
	rows, err := tx.DomainList(ctx, tenantID.UUID())
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	list := make([]Domain, len(rows))
	for n, row := range rows {
		list[n] = Domain{Name: row.Domain, Record: domainRecord + "." + row.Domain, Value: "dataflow-verification=" + row.Token}
		if row.VerifiedAt != nil {
			list[n].VerifiedAt = *row.VerifiedAt
		}
		if row.SignUpRole != nil {
			list[n].SignUp = access.Role(*row.SignUpRole)
		}
	}
	return list, nil
}

// AddDomain claims a domain; VerifyDomain proves it.
//
// Errors: access.forbidden; auth.invalid with field domain.
func (s *Service) AddDomain(ctx context.Context, i Identity, text string) error {
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return err
	}
	name, ok := checkDomain(text)
	if !ok {
		return ErrInvalid.WithFields(map[string]string{"domain": "This is not a domain. Enter one such as example.com."})
	}
	token, _ := newToken()
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		list, err := listDomains(ctx, tx, i.Actor.TenantID)
		if err != nil {
			return err
		}
		if len(list) >= maxDomains {
			return ErrInvalid.WithFields(map[string]string{"domain": fmt.Sprintf("A workspace has at most %d domains.", maxDomains)})
		}
		if _, err := tx.DomainInsert(ctx, i.Actor.TenantID.UUID(), name, token); err != nil {
			return fmt.Errorf("insert domain: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "domains.added", Target: "domain", ID: name})
	})
}

// VerifyDomain looks for the workspace's TXT record in the DNS.
//
// Errors: access.forbidden, auth.domain_not_found, auth.domain_unproved,
// auth.domain_taken.
func (s *Service) VerifyDomain(ctx context.Context, i Identity, name string) error {
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return err
	}
	var list []Domain
	if err := s.change(ctx, i, func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = listDomains(ctx, tx, i.Actor.TenantID)
		return err
	}); err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(d Domain) bool { return d.Name == name })
	if at < 0 {
		return ErrDomainNotFound
	}
	asking, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	texts, err := s.deps.Resolver.LookupTXT(asking, list[at].Record)
	if err != nil {
		var missing *net.DNSError
		if errors.As(err, &missing) && missing.IsNotFound {
			return ErrDomainUnproved.Wrap(err)
		}
		return ErrDomainUnproved.With("The name servers of %s did not answer. Try again later.", name).Wrap(err)
	}
	if !slices.Contains(texts, list[at].Value) {
		return ErrDomainUnproved.With("There is a TXT record at %s, but with another text.", list[at].Record)
	}
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.DomainVerify(ctx, i.Actor.TenantID.UUID(), name)
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrDomainTaken.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("verify domain: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "domains.verified", Target: "domain", ID: name})
	})
}

// SetSignUp lets everybody with an address at a verified domain join by mail
// with a role, or nobody where it is empty.
//
// Errors: access.forbidden, auth.domain_not_found, also for one that is not verified;
// auth.invalid with field role.
func (s *Service) SetSignUp(ctx context.Context, i Identity, name string, role access.Role) error {
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return err
	}
	var as *db.UserRole
	if role != "" {
		if role != access.Viewer && role != access.Editor {
			return ErrInvalid.WithFields(map[string]string{"role": "Somebody who joins by themselves can be a viewer or an editor."})
		}
		value := db.UserRole(role)
		as = &value
	}
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		before, err := tx.DomainGet(ctx, i.Actor.TenantID.UUID(), name)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("read domain: %w", err)
		}
		was := access.Role("")
		if before.SignUpRole != nil {
			was = access.Role(*before.SignUpRole)
		}
		n, err := tx.DomainSetSignUp(ctx, as, i.Actor.TenantID.UUID(), name)
		if err != nil {
			return fmt.Errorf("set sign-up: %w", err)
		}
		if n == 0 {
			return ErrDomainNotFound
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "domains.sign_up_changed", Target: "domain", ID: name,
			Before: map[string]any{"role": was}, After: map[string]any{"role": role}})
	})
}

// RemoveDomain gives a domain up.
//
// Errors: access.forbidden, auth.domain_not_found.
func (s *Service) RemoveDomain(ctx context.Context, i Identity, name string) error {
	if err := access.Can(i.Actor, access.ManageSignIn); err != nil {
		return err
	}
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.DomainDelete(ctx, i.Actor.TenantID.UUID(), name)
		if err != nil {
			return fmt.Errorf("delete domain: %w", err)
		}
		if n == 0 {
			return ErrDomainNotFound
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "domains.removed", Target: "domain", ID: name})
	})
}

// ownsDomain tells whether the workspace has verified the domain of an address.
func ownsDomain(ctx context.Context, tx *db.Tx, tenantID ids.Tenant, email string) (bool, error) {
	row, err := tx.DomainGet(ctx, tenantID.UUID(), domainOf(email))
	if db.IsNoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find domain: %w", err)
	}
	return row.VerifiedAt != nil, nil
}

// RequestSignUp sends a link to join to somebody with an address at a verified
// domain whose workspace lets them. It answers the same either way.
//
// Errors: auth.throttled; auth.invalid with field email.
func (s *Service) RequestSignUp(ctx context.Context, email string, client Client) error {
	email, problem := CheckEmail(email)
	if problem != "" {
		return ErrInvalid.WithFields(map[string]string{"email": problem})
	}
	limits := []limit{
		{key: throttleKey("sign-up", strings.ToLower(email)), free: 3, longest: 900},
		{key: throttleKey("sign-up address", client.Address), free: 20, longest: 900},
	}
	if err := s.take(ctx, limits); err != nil {
		return err
	}
	var owner db.DomainOwnerRow
	err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		owner, err = tx.DomainOwner(ctx, domainOf(email))
		return err
	})
	if db.IsNoRows(err) || err == nil && (owner.SignUpRole == nil || owner.SsoOnly) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find domain: %w", err)
	}
	tenantID := ids.Tenant(owner.TenantID)
	if err := s.warmKeys(ctx, tenantID); err != nil {
		return err
	}
	n := NewUser{TenantID: tenantID, Email: email, Role: access.Role(*owner.SignUpRole)}
	system := Identity{Actor: access.Actor{Kind: access.System, TenantID: tenantID}, TenantName: owner.Name}
	err = s.deps.DB.InIdentityTx(ctx, owner.TenantID, func(ctx context.Context, tx *db.Tx) error {
		known, err := tx.UserByEmail(ctx, owner.TenantID, email)
		if err != nil && !db.IsNoRows(err) {
			return fmt.Errorf("find user: %w", err)
		}
		if err == nil && known.InvitedAt == nil {
			return nil // a member already, or somebody who was removed: an admin takes them back
		}
		personID, userID := known.PersonID, ids.User(known.UserID)
		if err != nil {
			if personID, _, err = putPerson(ctx, tx, n.Email); err != nil {
				return err
			}
			now := time.Now()
			if userID, err = putUser(ctx, tx, n, personID, &now); err != nil {
				return err
			}
		}
		if _, err := s.sendInvite(ctx, tx, system, personID, userID, n); err != nil {
			return err
		}
		return audit.Record(ctx, tx, system.Actor, audit.Entry{Action: "members.signed_up", Target: "user", ID: userID.String(), Detail: map[string]any{"role": n.Role}})
	})
	if errors.Is(err, tenants.ErrNoSeat) {
		return nil // nor is it told that the workspace is full
	}
	return err
}
