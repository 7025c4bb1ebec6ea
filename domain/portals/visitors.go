package portals

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// What can go wrong with visitors.
var (
	// ErrVisitorNotFound also covers visitors of other portals.
	ErrVisitorNotFound = apperr.Define(apperr.NotFound, "portals.visitor_not_found",
		"This person is no visitor of the portal.")
	ErrVisitor = apperr.Define(apperr.Invalid, "portals.visitor",
		"Some of what you entered can't be used.")
	ErrEmailTaken = apperr.Define(apperr.Conflict, "portals.email_taken",
		"There is a visitor with this e-mail address already.")
	ErrGroup = apperr.Define(apperr.Invalid, "portals.group",
		"A group needs a name of its own, of at most 80 characters.")
	ErrGroupUsed = apperr.Define(apperr.Conflict, "portals.group_used",
		"A dashboard is shown to this group only. Show it to somebody else first.")
	ErrGroupNotFound = apperr.Define(apperr.NotFound, "portals.group_not_found",
		"This group does not exist or was removed.")
)

// Visitor is a customer of the tenant, in one portal.
type Visitor struct {
	ID         ids.Visitor
	Email      string
	Name       string
	Company    string
	Attributes map[string][]string // their own, without those of groups
	Groups     []ids.Group
	CreatedAt  time.Time
	SeenAt     time.Time // zero before the first visit
	Active     bool      // has chosen a password
	Blocked    bool
}

// Group is a group of visitors of one portal.
type Group struct {
	ID         ids.Group
	Name       string
	Attributes map[string][]string
	Visitors   int
}

// maxVisitors is how many one list shows.
const maxVisitors = 5000

// Visitors lists a portal's visitors by company and address.
//
// Errors: portals.not_found.
func (s *Service) Visitors(ctx context.Context, actor access.Actor, id ids.Portal) ([]Visitor, []Group, error) {
	var list []Visitor
	var groups []Group
	err := s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.PortalVisitorList(ctx, tx.TenantID, id.UUID(), maxVisitors)
		if err != nil {
			return fmt.Errorf("list visitors: %w", err)
		}
		for _, r := range rows {
			v := Visitor{ID: ids.Visitor(r.VisitorID), Email: r.Email, Name: r.Name, Company: r.Company, CreatedAt: r.CreatedAt,
				Active: r.Active, Blocked: r.BlockedAt != nil}
			if r.SeenAt != nil {
				v.SeenAt = *r.SeenAt
			}
			if err := json.Unmarshal(r.Attributes, &v.Attributes); err != nil {
				return fmt.Errorf("read attributes of visitor %s: %w", r.VisitorID, err)
			}
			for _, g := range r.GroupIds {
				v.Groups = append(v.Groups, ids.Group(g))
			}
			list = append(list, v)
		}
		found, err := tx.PortalGroupList(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("list groups of visitors: %w", err)
		}
		for _, r := range found {
			g := Group{ID: ids.Group(r.GroupID), Name: r.Name, Visitors: int(r.Visitors)}
			if err := json.Unmarshal(r.Attributes, &g.Attributes); err != nil {
				return fmt.Errorf("read attributes of group %s: %w", r.GroupID, err)
			}
			groups = append(groups, g)
		}
		return nil
	})
	return list, groups, err
}

// Invite makes a visitor and mails them a link with which they choose a
// password. base is the address of the portal.
//
// Errors: portals.not_found, portals.visitor, portals.email_taken, mail.address.
func (s *Service) Invite(ctx context.Context, actor access.Actor, id ids.Portal, base string, v Visitor) (ids.Visitor, error) {
	if err := access.Can(actor, access.ManagePortals); err != nil {
		return ids.Visitor{}, err
	}
	email, problem := auth.CheckEmail(v.Email)
	if problem != "" {
		return ids.Visitor{}, ErrVisitor.WithFields(map[string]string{"email": problem})
	}
	v.Email, v.ID = email, ids.New[ids.Visitor]()
	attributes, err := v.check()
	if err != nil {
		return ids.Visitor{}, err
	}
	if _, err := s.deps.Tenants.Box(ctx, actor.TenantID); err != nil { // keys at hand, before a transaction is open
		return ids.Visitor{}, err
	}
	err = s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		p, err := get(ctx, tx, id)
		if err != nil {
			return err
		}
		err = tx.PortalVisitorInsert(ctx, db.PortalVisitorInsertParams{TenantID: tx.TenantID, PortalID: id.UUID(), VisitorID: v.ID.UUID(),
			Email: v.Email, Name: v.Name, Company: v.Company, Attributes: attributes, Now: ptr(s.now())})
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrEmailTaken.WithFields(map[string]string{"email": ErrEmailTaken.Sentence()}).Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("insert visitor: %w", err)
		}
		if err := setGroups(ctx, tx, v.ID, v.Groups); err != nil {
			return err
		}
		if err := s.sendLink(ctx, tx, p, base, v, auth.VisitorInvite, true); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.visitor_invited", Target: "visitor", ID: v.ID.String(),
			Detail: map[string]any{"portal": id.String(), "email": v.Email}})
	})
	return v.ID, err
}

func ptr[T any](v T) *T { return &v }

// check cleans what is said of a visitor and answers the attributes as stored.
func (v *Visitor) check() (json.RawMessage, error) {
	v.Name, v.Company = strings.Join(strings.Fields(v.Name), " "), strings.Join(strings.Fields(v.Company), " ")
	for field, text := range map[string]string{"name": v.Name, "company": v.Company} {
		if text == "" {
			continue
		}
		if problem := plaintext.Problem(text, 120, "Use one line of at most 120 characters."); problem != "" {
			return nil, ErrVisitor.WithFields(map[string]string{field: problem})
		}
	}
	if v.Attributes == nil {
		v.Attributes = map[string][]string{}
	}
	encoded, err := json.Marshal(v.Attributes)
	if err != nil {
		return nil, fmt.Errorf("encode attributes: %w", err)
	}
	return encoded, nil
}

func setGroups(ctx context.Context, tx *db.Tx, id ids.Visitor, groups []ids.Group) error {
	if err := tx.PortalVisitorGroupsClear(ctx, tx.TenantID, id.UUID()); err != nil {
		return fmt.Errorf("clear groups: %w", err)
	}
	for _, g := range groups {
		n, err := tx.PortalVisitorGroupAdd(ctx, tx.TenantID, g.UUID(), id.UUID())
		if _, twice := db.IsUniqueViolation(err); twice || (err == nil && n == 0) {
			return ErrGroupNotFound
		}
		if err != nil {
			return fmt.Errorf("add to group: %w", err)
		}
	}
	return nil
}

// sendLink mails a link with which a visitor chooses a password.
func (s *Service) sendLink(ctx context.Context, tx *db.Tx, p Portal, base string, v Visitor, lasts time.Duration, invited bool) error {
	token, hash := auth.NewToken()
	until := s.now().Add(lasts)
	if err := tx.PortalLinkInsert(ctx, db.PortalLinkInsertParams{TenantID: tx.TenantID, TokenHash: hash, VisitorID: v.ID.UUID(), ExpiresAt: until}); err != nil {
		return fmt.Errorf("insert link: %w", err)
	}
	to := delivery.Recipient{Address: v.Email, Name: v.Name, Locale: p.Brand.Locale}
	letter := delivery.PortalLink{Portal: p.Title(), Sender: p.Brand.SenderName, Address: base, Name: v.Name, Invited: invited, Colours: p.Brand.Mail(),
		Link: base + "/reset?token=" + token, Until: until.In(p.location())}
	if _, err := s.deps.Mailer.Queue(ctx, tx, to, letter); err != nil {
		return fmt.Errorf("send link: %w", err)
	}
	return nil
}

// Title is how the portal calls itself.
func (p Portal) Title() string {
	if p.Brand.Name != "" {
		return p.Brand.Name
	}
	return p.Name
}

// Sender is under whose name mail of the portal goes out.
func (p Portal) Sender() string {
	if p.Brand.SenderName != "" {
		return p.Brand.SenderName
	}
	return p.Title()
}

func (p Portal) location() *time.Location {
	if zone, err := time.LoadLocation(p.Zone); err == nil {
		return zone
	}
	return time.UTC
}

// ChangeVisitor changes what is known of a visitor, blocks them or lets them in
// again. A blocked one is out at once.
//
// Errors: portals.visitor_not_found, portals.visitor, portals.group_not_found.
func (s *Service) ChangeVisitor(ctx context.Context, actor access.Actor, id ids.Portal, v Visitor) error {
	attributes, err := v.check()
	if err != nil {
		return err
	}
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		before, err := tx.PortalVisitorGet(ctx, tx.TenantID, id.UUID(), v.ID.UUID())
		if db.IsNoRows(err) {
			return ErrVisitorNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read visitor: %w", err)
		}
		_, err = tx.PortalVisitorUpdate(ctx, db.PortalVisitorUpdateParams{TenantID: tx.TenantID, PortalID: id.UUID(), VisitorID: v.ID.UUID(),
			Name: v.Name, Company: v.Company, Attributes: attributes, Blocked: v.Blocked, Now: s.now()})
		if err != nil {
			return fmt.Errorf("update visitor: %w", err)
		}
		if err := setGroups(ctx, tx, v.ID, v.Groups); err != nil {
			return err
		}
		if v.Blocked {
			if err := tx.PortalSessionsEnd(ctx, tx.TenantID, v.ID.UUID()); err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.visitor_changed", Target: "visitor", ID: v.ID.String(), Detail: map[string]any{
			"portal": id.String(), "email": before.Email,
			"before": map[string]any{"name": before.Name, "company": before.Company, "attributes": json.RawMessage(before.Attributes), "blocked": before.BlockedAt != nil},
			"after":  map[string]any{"name": v.Name, "company": v.Company, "attributes": v.Attributes, "blocked": v.Blocked}}})
	})
}

// ResendLink mails a visitor another link to choose a password.
//
// Errors: portals.visitor_not_found.
func (s *Service) ResendLink(ctx context.Context, actor access.Actor, id ids.Portal, base string, visitor ids.Visitor) error {
	if err := access.Can(actor, access.ManagePortals); err != nil {
		return err
	}
	if _, err := s.deps.Tenants.Box(ctx, actor.TenantID); err != nil {
		return err
	}
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		p, err := get(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := tx.PortalVisitorGet(ctx, tx.TenantID, id.UUID(), visitor.UUID())
		if db.IsNoRows(err) || (err == nil && r.BlockedAt != nil) {
			return ErrVisitorNotFound
		}
		if err != nil {
			return fmt.Errorf("read visitor: %w", err)
		}
		if err := s.sendLink(ctx, tx, p, base, Visitor{ID: visitor, Email: r.Email, Name: r.Name}, auth.VisitorInvite, r.PasswordHash == ""); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.link_sent", Target: "visitor", ID: visitor.String(), Detail: map[string]any{"portal": id.String(), "email": r.Email}})
	})
}

// RemoveVisitor removes a visitor; they are out at once.
//
// Errors: portals.visitor_not_found.
func (s *Service) RemoveVisitor(ctx context.Context, actor access.Actor, id ids.Portal, visitor ids.Visitor) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.PortalVisitorDelete(ctx, tx.TenantID, id.UUID(), visitor.UUID())
		if err != nil {
			return fmt.Errorf("remove visitor: %w", err)
		}
		if n == 0 {
			return ErrVisitorNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.visitor_removed", Target: "visitor", ID: visitor.String(), Detail: map[string]any{"portal": id.String()}})
	})
}

// SaveGroup makes a group of visitors (zero id) or changes one.
//
// Errors: portals.not_found, portals.group, portals.group_not_found.
func (s *Service) SaveGroup(ctx context.Context, actor access.Actor, id ids.Portal, g Group) (ids.Group, error) {
	g.Name = strings.Join(strings.Fields(g.Name), " ")
	if problem := plaintext.Problem(g.Name, 80, ErrGroup.Sentence()); problem != "" {
		return g.ID, ErrGroup.WithFields(map[string]string{"name": problem})
	}
	if g.Attributes == nil {
		g.Attributes = map[string][]string{}
	}
	attributes, err := json.Marshal(g.Attributes)
	if err != nil {
		return g.ID, fmt.Errorf("encode attributes: %w", err)
	}
	fresh := g.ID.IsZero()
	if fresh {
		g.ID = ids.New[ids.Group]()
	}
	return g.ID, s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		n := int64(1)
		if fresh {
			err = tx.PortalGroupInsert(ctx, db.PortalGroupInsertParams{TenantID: tx.TenantID, PortalID: id.UUID(), GroupID: g.ID.UUID(), Name: g.Name, Attributes: attributes})
		} else {
			n, err = tx.PortalGroupUpdate(ctx, db.PortalGroupUpdateParams{TenantID: tx.TenantID, PortalID: id.UUID(), GroupID: g.ID.UUID(), Name: g.Name, Attributes: attributes})
		}
		if _, taken := db.IsUniqueViolation(err); taken {
			return ErrGroup.WithFields(map[string]string{"name": ErrGroup.Sentence()}).Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("save group: %w", err)
		}
		if n == 0 {
			return ErrGroupNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.group_saved", Target: "portal", ID: id.String(),
			Detail: map[string]any{"group": g.Name, "attributes": g.Attributes}})
	})
}

// RemoveGroup removes a group of visitors, who stay.
//
// Errors: portals.group_not_found, portals.group_used.
func (s *Service) RemoveGroup(ctx context.Context, actor access.Actor, id ids.Portal, group ids.Group) error {
	return s.manage(ctx, actor, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.PortalGroupDelete(ctx, tx.TenantID, id.UUID(), group.UUID())
		if db.IsForeignKeyViolation(err) {
			return ErrGroupUsed.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("remove group: %w", err)
		}
		if n == 0 {
			return ErrGroupNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "portals.group_removed", Target: "portal", ID: id.String(), Detail: map[string]any{"group": group.String()}})
	})
}

// merged are attributes of several sources, values once.
func merged(all ...map[string][]string) map[string][]string {
	sum := map[string][]string{}
	for _, one := range all {
		for name, values := range one {
			for _, v := range values {
				if !slices.Contains(sum[name], v) {
					sum[name] = append(sum[name], v)
				}
			}
		}
	}
	for _, values := range sum {
		slices.Sort(values)
	}
	return sum
}
