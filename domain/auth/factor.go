package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// What can go wrong with second factors.
var (
	ErrCode = apperr.Define(apperr.Invalid, "auth.code",
		"This code is not right. Take the one that the app shows now.")
	ErrFactorRequired = apperr.Define(apperr.Conflict, "auth.factor_required",
		"Your role in this workspace needs two-factor sign-in, so it can't be turned off.")
	ErrFactorSet = apperr.Define(apperr.Conflict, "auth.factor_set",
		"Two-factor sign-in is turned on already.")
	ErrFactorMissing = apperr.Define(apperr.NotFound, "auth.factor_missing",
		"Two-factor sign-in is not turned on.")
)

const (
	factorPurpose = "second_factors.secret"
	stepSeconds   = 30
	stepsApart    = 1 // a code of the step before or after counts too
	recoveryCodes = 10
	recoveryBytes = 10
	qrPixels      = 232
)

var codeOptions = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// Enrolment is a secret that is about to become somebody's second factor.
type Enrolment struct {
	Secret string // in base32, to type in
	URL    string // otpauth://, for apps on the same device
	Image  string // the same as a picture to scan: a data: address of a PNG
}

// StartFactor draws a secret for the person; ConfirmFactor makes it count.
//
// Errors: auth.factor_set.
func (s *Service) StartFactor(ctx context.Context, i Identity) (Enrolment, error) {
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return Enrolment{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: strings.ReplaceAll(i.TenantName, ":", " "), AccountName: i.Email, Period: stepSeconds, Rand: rand.Reader})
	if err != nil {
		return Enrolment{}, fmt.Errorf("make second factor: %w", err)
	}
	sealed, err := box.Encrypt(factorPurpose, []byte(key.Secret()))
	if err != nil {
		return Enrolment{}, err
	}
	tenant, user := i.Actor.TenantID.UUID(), i.Actor.UserID.UUID()
	err = s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.FactorStart(ctx, tenant, user, sealed)
		if err != nil {
			return fmt.Errorf("keep second factor: %w", err)
		}
		if n == 0 {
			return ErrFactorSet
		}
		return nil
	})
	if err != nil {
		return Enrolment{}, err
	}
	return enrolment(key)
}

func enrolment(key *otp.Key) (Enrolment, error) {
	picture, err := key.Image(qrPixels, qrPixels)
	if err != nil {
		return Enrolment{}, fmt.Errorf("draw second factor: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return Enrolment{}, fmt.Errorf("draw second factor: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URL: key.URL(), Image: "data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes())}, nil
}

// PendingFactor is the enrolment that waits to be confirmed, drawn again.
//
// Errors: auth.factor_missing, auth.factor_set.
func (s *Service) PendingFactor(ctx context.Context, i Identity) (Enrolment, error) {
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return Enrolment{}, err
	}
	var row db.FactorGetRow
	err = s.deps.DB.InTenantTx(ctx, i.Actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err = tx.FactorGet(ctx, i.Actor.TenantID.UUID(), i.Actor.UserID.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return Enrolment{}, ErrFactorMissing.Wrap(err)
	}
	if err != nil {
		return Enrolment{}, fmt.Errorf("read second factor: %w", err)
	}
	if row.ConfirmedAt != nil {
		return Enrolment{}, ErrFactorSet
	}
	secret, err := box.Decrypt(factorPurpose, row.Secret)
	if err != nil {
		return Enrolment{}, err
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(string(secret))
	if err != nil {
		return Enrolment{}, fmt.Errorf("read second factor: %w", err)
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: strings.ReplaceAll(i.TenantName, ":", " "), AccountName: i.Email, Period: stepSeconds, Secret: raw})
	if err != nil {
		return Enrolment{}, fmt.Errorf("read second factor: %w", err)
	}
	return enrolment(key)
}

// ConfirmFactor turns the second factor on with a code that it shows, ends all
// other sessions of the person, and answers the recovery codes, which are never
// shown again.
//
// Errors: auth.code, auth.throttled, auth.factor_missing, auth.factor_set.
func (s *Service) ConfirmFactor(ctx context.Context, i Identity, code string) (recovery []string, err error) {
	limits := codeLimits(i.Actor.UserID)
	if err := s.take(ctx, limits); err != nil {
		return nil, err
	}
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return nil, err
	}
	tenant, user := i.Actor.TenantID.UUID(), i.Actor.UserID.UUID()
	err = s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.FactorGet(ctx, tenant, user)
		if db.IsNoRows(err) {
			return ErrFactorMissing.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read second factor: %w", err)
		}
		if row.ConfirmedAt != nil {
			return ErrFactorSet
		}
		step, err := stepOf(box, row.Secret, code, time.Now())
		if err != nil {
			return err
		}
		n, err := tx.FactorConfirm(ctx, step, tenant, user)
		if err != nil {
			return fmt.Errorf("confirm second factor: %w", err)
		}
		if n == 0 {
			return ErrCode
		}
		now := time.Now()
		if err := tx.UserSetFactor(ctx, &now, tenant, user); err != nil {
			return fmt.Errorf("note second factor: %w", err)
		}
		if recovery, err = newRecovery(ctx, tx, tenant, user); err != nil {
			return err
		}
		if _, err := tx.SessionRevokeOthers(ctx, i.PersonID, i.SessionID, i.reach()); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		if err := forgive(ctx, tx, limits); err != nil {
			return err
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.second_factor_set", Target: "user", ID: i.Actor.UserID.String()})
	})
	return recovery, err
}

func newRecovery(ctx context.Context, tx *db.Tx, tenant, user uuid.UUID) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for n := range codes {
		raw := make([]byte, recoveryBytes)
		_, _ = rand.Read(raw) // never fails: it ends the process instead
		text := strings.ToLower(base32.StdEncoding.EncodeToString(raw))
		codes[n] = text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
		hashes[n] = hashRecovery(codes[n])
	}
	if err := tx.RecoveryClear(ctx, tenant, user); err != nil {
		return nil, fmt.Errorf("clear recovery codes: %w", err)
	}
	if err := tx.RecoveryInsert(ctx, tenant, user, hashes); err != nil {
		return nil, fmt.Errorf("keep recovery codes: %w", err)
	}
	return codes, nil
}

func hashRecovery(code string) []byte {
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	sum := sha256.Sum256([]byte(clean))
	return sum[:]
}

// stepOf answers the half minute that a code is of, near now.
//
// Errors: auth.code.
func stepOf(box *secrets.Box, sealed []byte, code string, now time.Time) (int64, error) {
	secret, err := box.Decrypt(factorPurpose, sealed)
	if err != nil {
		return 0, err
	}
	code = strings.Join(strings.Fields(code), "")
	present := now.Unix() / stepSeconds
	for step := present - stepsApart; step <= present+stepsApart; step++ {
		want, err := hotp.GenerateCodeCustom(string(secret), uint64(step), codeOptions)
		if err != nil {
			return 0, fmt.Errorf("work out code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return step, nil
		}
	}
	return 0, ErrCode
}

// useCode takes a code of the app, each once and none before one that was used,
// or a recovery code.
//
// Errors: auth.code, also where there is no second factor.
func (s *Service) useCode(ctx context.Context, tx *db.Tx, box *secrets.Box, userID uuid.UUID, code string) error {
	row, err := tx.FactorGet(ctx, tx.TenantID, userID)
	if db.IsNoRows(err) || err == nil && row.ConfirmedAt == nil {
		return ErrCode
	}
	if err != nil {
		return fmt.Errorf("read second factor: %w", err)
	}
	if len(strings.Join(strings.Fields(code), "")) > 6 {
		n, err := tx.RecoveryUse(ctx, tx.TenantID, userID, hashRecovery(code))
		if err != nil {
			return fmt.Errorf("use recovery code: %w", err)
		}
		if n == 0 {
			return ErrCode.With("This recovery code is not right, or was used already.")
		}
		return audit.Record(ctx, tx, personActor(ids.Tenant(tx.TenantID), ids.User(userID)), audit.Entry{Action: "auth.recovery_code_used", Target: "user", ID: userID.String()})
	}
	step, err := stepOf(box, row.Secret, code, time.Now())
	if err != nil {
		return err
	}
	n, err := tx.FactorUse(ctx, step, tx.TenantID, userID)
	if err != nil {
		return fmt.Errorf("use code: %w", err)
	}
	if n == 0 {
		return ErrCode.With("This code was used already. Wait for the next one.")
	}
	return nil
}

// codeLimits count guesses at six digits; each user has their own.
func codeLimits(userID ids.User) []limit {
	return []limit{{key: throttleKey("code", userID.String()), free: 5, longest: 900}}
}

// EnterCode goes on with a sign-in, or a change of workspace, that waits for a
// code of the second factor or a recovery code.
//
// Errors: auth.link_used where it has run out, auth.code, auth.throttled,
// auth.not_member, auth.sso_required.
func (s *Service) EnterCode(ctx context.Context, token, code string, client Client) (Opened, error) {
	hash, row, err := s.pending(ctx, forSecondFactor, token)
	if err != nil {
		return Opened{}, err
	}
	limits := codeLimits(ids.User(row.UserID))
	if err := s.take(ctx, limits); err != nil {
		return Opened{}, err
	}
	box, err := s.deps.Tenants.Box(ctx, ids.Tenant(row.TenantID))
	if err != nil {
		return Opened{}, err
	}
	opened := Opened{}
	err = s.deps.DB.InIdentityTx(ctx, row.TenantID, func(ctx context.Context, tx *db.Tx) error {
		if err := s.useCode(ctx, tx, box, row.UserID, code); err != nil {
			return err
		}
		if _, err := tx.PendingTake(ctx, hash, forSecondFactor); db.IsNoRows(err) {
			return ErrLinkUsed.Wrap(err)
		} else if err != nil {
			return fmt.Errorf("take pending sign-in: %w", err)
		}
		if err := forgive(ctx, tx, limits); err != nil {
			return err
		}
		member, err := tx.MembershipGet(ctx, row.PersonID, row.TenantID)
		if db.IsNoRows(err) {
			return ErrNotMember.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("find membership: %w", err)
		}
		if member.Closed {
			return ErrSSORequired
		}
		place := db.MembershipListByPersonRow(member)
		if row.SessionID != nil {
			opened.Token, err = s.moveSession(ctx, tx, *row.SessionID, row.PersonID, place)
			if row.Remembered {
				opened.KeepFor = keptFor
			}
			return err
		}
		opened, err = s.enterByPassword(ctx, tx, row.PersonID, place, row.Remembered, client)
		return err
	})
	if public := apperr.Describe(err); public.Code == ErrCode.Code() {
		return Opened{}, s.recordWrongCode(ctx, row, err, client)
	}
	return opened, err
}

func (s *Service) recordWrongCode(ctx context.Context, row db.PendingGetRow, cause error, client Client) error {
	actor := personActor(ids.Tenant(row.TenantID), ids.User(row.UserID))
	err := s.deps.DB.InTenantTx(ctx, row.TenantID, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "auth.code_refused", Target: "user", ID: actor.UserID.String(), Denied: true,
			Detail: map[string]any{"address": client.Address}})
	})
	if err != nil {
		return err
	}
	return cause
}

// Factor is somebody's second factor.
type Factor struct {
	On       bool
	Recovery int // codes that are left
	Required bool
}

// GetFactor reads the person's own.
func (s *Service) GetFactor(ctx context.Context, i Identity) (Factor, error) {
	tenant, user := i.Actor.TenantID.UUID(), i.Actor.UserID.UUID()
	var f Factor
	err := s.deps.DB.InTenantTx(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		on, err := tx.UserHasFactor(ctx, tenant, user)
		if err != nil {
			return fmt.Errorf("look for second factor: %w", err)
		}
		left, err := tx.RecoveryCount(ctx, tenant, user)
		if err != nil {
			return fmt.Errorf("count recovery codes: %w", err)
		}
		f.On, f.Recovery = on, int(left)
		f.Required, err = requiresFactor(ctx, tx, tenant, i.Actor)
		return err
	})
	return f, err
}

func requiresFactor(ctx context.Context, tx *db.Tx, tenant uuid.UUID, actor access.Actor) (bool, error) {
	row, err := tx.SecurityGet(ctx, tenant)
	if err != nil {
		return false, fmt.Errorf("read sign-in settings: %w", err)
	}
	for _, r := range row.SecondFactorRoles {
		if r == string(actor.Role) || actor.Custom != nil && r == string(actor.Custom.Value()) {
			return true, nil
		}
	}
	return false, nil
}

// RenewRecovery answers new recovery codes in the place of the old ones; it
// takes a code of the app.
//
// Errors: auth.code, auth.throttled.
func (s *Service) RenewRecovery(ctx context.Context, i Identity, code string) (recovery []string, err error) {
	err = s.withCode(ctx, i, code, func(ctx context.Context, tx *db.Tx) error {
		if recovery, err = newRecovery(ctx, tx, i.Actor.TenantID.UUID(), i.Actor.UserID.UUID()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.recovery_codes_renewed", Target: "user", ID: i.Actor.UserID.String()})
	})
	return recovery, err
}

// RemoveFactor turns the second factor off, where the role does not need one;
// it takes a code of the app.
//
// Errors: auth.code, auth.throttled, auth.factor_required.
func (s *Service) RemoveFactor(ctx context.Context, i Identity, code string) error {
	return s.withCode(ctx, i, code, func(ctx context.Context, tx *db.Tx) error {
		required, err := requiresFactor(ctx, tx, tx.TenantID, i.Actor)
		if err != nil {
			return err
		}
		if required && !i.SSO() {
			return ErrFactorRequired
		}
		if err := dropFactor(ctx, tx, i.Actor.UserID.UUID()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "auth.second_factor_removed", Target: "user", ID: i.Actor.UserID.String()})
	})
}

func (s *Service) withCode(ctx context.Context, i Identity, code string, work db.Work) error {
	limits := codeLimits(i.Actor.UserID)
	if err := s.take(ctx, limits); err != nil {
		return err
	}
	box, err := s.deps.Tenants.Box(ctx, i.Actor.TenantID)
	if err != nil {
		return err
	}
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		if err := s.useCode(ctx, tx, box, i.Actor.UserID.UUID(), code); err != nil {
			return err
		}
		if err := forgive(ctx, tx, limits); err != nil {
			return err
		}
		return work(ctx, tx)
	})
}

func dropFactor(ctx context.Context, tx *db.Tx, userID uuid.UUID) error {
	if _, err := tx.FactorDelete(ctx, tx.TenantID, userID); err != nil {
		return fmt.Errorf("remove second factor: %w", err)
	}
	if err := tx.RecoveryClear(ctx, tx.TenantID, userID); err != nil {
		return fmt.Errorf("clear recovery codes: %w", err)
	}
	if err := tx.UserSetFactor(ctx, nil, tx.TenantID, userID); err != nil {
		return fmt.Errorf("note removal of second factor: %w", err)
	}
	return nil
}

// ResetFactor takes the second factor of a member who has lost it, and ends
// their sessions in the workspace. Only an owner does so for an owner, and nobody
// for somebody whose role is beyond their own.
//
// Errors: access.forbidden, tenants.owner_only, tenants.beyond, tenants.member_not_found,
// auth.factor_missing.
func (s *Service) ResetFactor(ctx context.Context, i Identity, userID ids.User) error {
	if err := access.Can(i.Actor, access.ManageMembers); err != nil {
		return err
	}
	tenant, user := i.Actor.TenantID.UUID(), userID.UUID()
	return s.change(ctx, i, func(ctx context.Context, tx *db.Tx) error {
		member, err := tx.UserGet(ctx, tenant, user)
		if db.IsNoRows(err) || err == nil && member.RemovedAt != nil {
			return tenants.ErrMemberNotFound
		}
		if err != nil {
			return fmt.Errorf("read member: %w", err)
		}
		role, err := tenants.RoleOf(ctx, tx, member)
		if err != nil {
			return err
		}
		if err := tenants.CheckGrant(i.Actor, role); err != nil {
			return err
		}
		on, err := tx.UserHasFactor(ctx, tenant, user)
		if err != nil {
			return fmt.Errorf("look for second factor: %w", err)
		}
		if !on {
			return ErrFactorMissing
		}
		if err := dropFactor(ctx, tx, user); err != nil {
			return err
		}
		if _, err := tx.SessionRevokeUser(ctx, tenant, user); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return audit.Record(ctx, tx, i.Actor, audit.Entry{Action: "members.second_factor_reset", Target: "user", ID: userID.String()})
	})
}

// SignInWay is how a member signs in, for the list of members.
type SignInWay struct{ SSO, SecondFactor bool }

// ListSignInWays reads how members sign in.
//
// Errors: access.forbidden.
func (s *Service) ListSignInWays(ctx context.Context, actor access.Actor, users []ids.User) (map[ids.User]SignInWay, error) {
	if err := access.Can(actor, access.ManageMembers); err != nil {
		return nil, err
	}
	list := make([]uuid.UUID, len(users))
	for n, id := range users {
		list[n] = id.UUID()
	}
	ways := map[ids.User]SignInWay{}
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.SignInWays(ctx, actor.TenantID.UUID(), list)
		if err != nil {
			return fmt.Errorf("list how members sign in: %w", err)
		}
		for _, row := range rows {
			ways[ids.User(row.UserID)] = SignInWay{SSO: row.Sso, SecondFactor: row.SecondFactor}
		}
		return nil
	})
	return ways, err
}
