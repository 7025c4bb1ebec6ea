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
	"github.com/dataflowhq/dataflow/domain/auth/saml"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
)

// finishTest looks at the answer to a test and keeps what was seen.
func (s *Service) finishTest(ctx context.Context, c samlRow, in Entrance, encoded string, waiting []string, request db.RequestTakeRow) error {
	began := time.Now()
	test := s.diagnose(ctx, c, in, encoded, waiting, began)
	// An answer to a test is used up like any other.
	if _, err := c.Accept(encoded, waiting, s.consume(ctx, c.realm.tenant)); err != nil && test.Passed {
		test.Passed = false
	}
	test.Took = time.Since(began)
	return s.keepTest(ctx, c.realm, kindSAML, *request.TestUserID, test)
}

// keepTest keeps what was seen last, and when a test has passed last: one that
// fails later takes nothing back.
func (s *Service) keepTest(ctx context.Context, r Realm, kind string, userID uuid.UUID, test Test) error {
	return s.deps.DB.InTenantTx(ctx, r.tenant, func(ctx context.Context, tx *db.Tx) error {
		row, err := r.connection(ctx, tx, kind)
		if db.IsNoRows(err) {
			return ErrNoSSO.Wrap(err) // it was removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("read connection: %w", err)
		}
		if test.PassedAt = test.At; !test.Passed {
			test.PassedAt = readTest(row.LastTest).passedAt()
		}
		stored, err := json.Marshal(test)
		if err != nil {
			return fmt.Errorf("write test: %w", err)
		}
		var id uuid.UUID
		if r.visitors() {
			id, err = tx.PortalConnectionSetTest(ctx, db.PortalConnectionSetTestParams{LastTest: stored, TenantID: r.tenant, PortalID: r.portal, Kind: kind})
		} else {
			id, err = tx.ConnectionSetTest(ctx, stored, r.tenant, kind)
		}
		if db.IsNoRows(err) {
			return ErrNoSSO.Wrap(err) // it was removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("keep test: %w", err)
		}
		return r.record(ctx, tx, personActor(ids.Tenant(r.tenant), ids.User(userID)), "sso.tested", id.String(), map[string]any{"kind": kind, "passed": test.Passed})
	})
}

// DiagnoseSAML looks at an answer that an admin has pasted. Nobody is signed in
// by it, and it is not used up.
//
// Errors: access.forbidden, auth.no_sso.
func (s *Service) DiagnoseSAML(ctx context.Context, i Identity, r Realm, encoded string) (Test, error) {
	return s.diagnosePasted(ctx, i, r, encoded, s.entrance(Client{}))
}

// DiagnoseVisitorSAML is DiagnoseSAML for a portal, whose visitors come in by its
// entrance.
//
// Errors: as DiagnoseSAML.
func (s *Service) DiagnoseVisitorSAML(ctx context.Context, i Identity, r Realm, encoded string, in Entrance) (Test, error) {
	return s.diagnosePasted(ctx, i, r, encoded, in)
}

func (s *Service) diagnosePasted(ctx context.Context, i Identity, r Realm, encoded string, in Entrance) (Test, error) {
	needs := access.ManageWorkspace
	if r.visitors() {
		needs = access.ManagePortals
	}
	if err := access.Can(i.Actor, needs); err != nil {
		return Test{}, err
	}
	c, err := s.opened(ctx, r)
	if err == nil && c.realm.tenant != i.Actor.TenantID.UUID() {
		err = ErrNoSSO
	}
	if err != nil {
		return Test{}, err
	}
	if c.Provider.Issuer == "" {
		return Test{}, ErrNoSSO.With("Tell first which identity provider it is.")
	}
	return s.diagnose(ctx, c, in, encoded, nil, time.Now()), nil
}

func (s *Service) diagnose(ctx context.Context, c samlRow, in Entrance, encoded string, waiting []string, now time.Time) Test {
	used := func(id string) bool {
		key := sha256.Sum256([]byte(id))
		var there bool
		err := s.deps.DB.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			there, err = tx.ReplayExists(ctx, c.realm.tenant, key[:])
			return err
		})
		return err != nil || there
	}
	d := c.Diagnose(encoded, waiting, used, now)
	p := Proven{tenant: c.realm.tenant, Kind: kindSAML, Connection: c.row.ConnectionID, Issuer: d.Answer.Issuer, Subject: d.Answer.Subject, Attributes: d.Answer.Attributes,
		Email: pick(d.Answer.Attributes, c.settings.Mapping.Email), Mapping: c.settings.Mapping, JustInTime: c.settings.JustInTime}
	test := Test{At: now, Passed: d.Passed(), Checks: d.Checks, Subject: d.Answer.Subject, Email: p.Email}
	if d.Answer.Attributes != nil {
		diagnosePerson(ctx, in, p, &test)
	}
	return test
}

// diagnosePerson says what would become of somebody, without doing it.
func diagnosePerson(ctx context.Context, in Entrance, p Proven, test *Test) {
	add := func(name string, state saml.State, text, detail string) {
		test.Checks = append(test.Checks, saml.Check{Name: name, State: state, Text: text, Detail: detail})
	}
	test.Values = map[string][]string{}
	for name, values := range p.Attributes {
		test.Values[cut(name, 200)] = values[:min(len(values), 20)]
	}
	if names := slices.Sorted(maps.Keys(p.Attributes)); len(names) > 0 {
		add("attributes", saml.Passed, "Attributes found", strings.Join(names[:min(len(names), 30)], ", "))
	} else {
		add("attributes", saml.Warned, "There are no attributes", "The identity provider sends neither a name nor groups.")
	}
	if _, problem := CheckEmail(p.Email); problem != "" {
		add("email", saml.Warned, "No e-mail address", fmt.Sprintf("There is no attribute %q with one, so new people can't be given an account.", p.Mapping.Email))
	}
	test.Role, _ = p.Mapping.role(p.Groups())
	test.Checks = append(test.Checks, in.Look(ctx, p)...)
}

// look says what would become of a member.
func (s *Service) look(ctx context.Context, p Proven) (checks []saml.Check) {
	add := func(name string, state saml.State, text, detail string) {
		checks = append(checks, saml.Check{Name: name, State: state, Text: text, Detail: detail})
	}
	tenantID := p.tenant
	role, ruled := p.Mapping.role(p.Groups())
	why := "No rule fits, so it is the role of all others."
	if ruled && len(p.Groups()) > 0 {
		why = "By the groups " + strings.Join(p.Groups()[:min(len(p.Groups()), 10)], ", ") + "."
	}
	var text, detail string
	state := saml.Passed
	rollBack := errors.New("only looked")
	err := s.deps.DB.InIdentityTx(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		mapped, err := tenants.FindRole(ctx, tx, role)
		if err != nil {
			return err
		}
		add("role", saml.Passed, "Mapped role: "+mapped.Title(), why)
		known, err := tx.IdentityFind(ctx, db.IdentityFindParams{TenantID: tenantID, ConnectionID: p.Connection, Issuer: p.Issuer, Subject: p.Subject})
		if err == nil {
			text, detail = "Would sign in "+first(known.Name, known.Email), "This identity is connected with an account."
			if known.RemovedAt != nil {
				state, text, detail = saml.Failed, "The account was removed", ErrRemoved.Sentence()
			}
			return nil
		}
		_, _, err = s.place(ctx, tx, ids.Tenant(tenantID), p, nil)
		var unproved *needsProof
		switch {
		case err == nil:
			text = "Would get a new account"
		case errors.As(err, &unproved):
			state, text, detail = saml.Warned, "Would be asked to prove an account", "There is an account with this e-mail address. Its password is asked for once, and connects the two."
		default:
			state, text, detail = saml.Failed, "Would not come in", apperr.Describe(err).Sentence
		}
		return rollBack
	})
	if err != nil && !errors.Is(err, rollBack) {
		state, text, detail = saml.Failed, "The account could not be looked up", apperr.Describe(err).Sentence
	}
	add("account", state, text, detail)
	return checks
}
