package reports

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/brand"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
)

// DeliverOptions are for the binding of DeliverArgs: about six hours of attempts,
// each with the time that a slow mail server may take for a message.
var DeliverOptions = jobs.Options{Timeout: 12 * time.Minute, MaxAttempts: 14, Backoff: 5 * time.Second, MaxBackoff: time.Hour}

// DeliverArgs brings a report to one recipient. Idempotent by Delivery, which
// is also the Message-ID that mail servers see.
type DeliverArgs struct {
	Delivery ids.Delivery `json:"delivery"`
}

// Kind names the job.
func (DeliverArgs) Kind() string { return "reports:deliver" }

// deliverJob brings a line's mail on its way.
func deliverJob(tenant uuid.UUID, line ids.Delivery) jobs.Row {
	return jobs.Row{TenantID: tenant, Args: DeliverArgs{Delivery: line}, UniqueKey: line.String()}
}

// pictureName is what the picture is called within a mail.
const pictureName = "dashboard.png"

// Paths that mails hold: whoever has such a link need not be signed in, or may
// have to be.
const (
	PathSent        = "/reports/sent/"        // {tenant}/{delivery}
	PathOpened      = "/reports/opened/"      // {delivery}
	PathUnsubscribe = "/reports/unsubscribe/" // {tenant}/{recipient}
)

// RunDeliver sends one mail. That it is about to be handed over is written down
// first, and the server's answer after: where a process dies in between, or the
// line drops, the line of the ledger becomes unknown, and is sent once more
// under the same Message-ID, or never, as the schedule says.
func (s *Service) RunDeliver(ctx context.Context, job jobs.Job[DeliverArgs]) error {
	row, err := s.line(ctx, job)
	if err != nil {
		return err
	}
	pushes := row.ChannelID != nil && row.State == string(LineRendered)
	if row.HandedAt != nil && !pushes {
		if err := s.setUnknown(ctx, job, mail.ErrUnknown, row.ResendUnknown && !row.Resent); err != nil {
			return err
		}
		row.State = string(LineUnknown)
	}
	sends := row.State == string(LineRendered) || row.State == string(LineUnknown) && row.ResendUnknown && !row.Resent
	if !sends {
		return s.over(ctx, job, row.RunID, func(context.Context, *db.Tx) error { return nil })
	}
	if err := s.stillGets(ctx, ids.Tenant(job.TenantID), row); err != nil {
		if apperr.Passes(err) {
			return err
		}
		if errors.Is(err, errSeesElse) && row.State == string(LineRendered) && row.Remade < mostRemade {
			return s.remake(ctx, job, row.RunID)
		}
		state, public := closedAs(err), apperr.Describe(err)
		return s.over(ctx, job, row.RunID, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.LedgerClose(ctx, db.LedgerCloseParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, State: string(state),
				ErrorCode: public.Code, ErrorText: public.Sentence})
			return err
		})
	}
	if pushes {
		return s.push(ctx, job, row)
	}
	to, words, m, err := s.compose(ctx, job.TenantID, row)
	if err != nil {
		return err
	}
	leaves, err := s.deps.Mail.Sends(ctx, ids.Tenant(job.TenantID))
	if err != nil {
		return err
	}
	if !leaves {
		return s.keep(ctx, job, row, m.FromName, to, words)
	}
	answer, err := s.deps.Mail.Hand(ctx, ids.Tenant(job.TenantID), m, func() error { return s.hand(ctx, job) })
	// What the mail server said is written down even if our time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch {
	case errors.Is(err, mail.ErrUnknown):
		again := row.ResendUnknown && row.State == string(LineRendered) && !job.Last()
		if markErr := s.setUnknown(ctx, job, err, again); markErr != nil {
			return markErr
		}
		if again {
			return err // later
		}
		return s.over(ctx, job, row.RunID, func(context.Context, *db.Tx) error { return nil })
	case errors.Is(err, jobs.ErrLeaseLost):
		return err // another attempt is at it
	case errors.Is(err, mail.ErrTooLarge) && len(m.Files)+len(m.Pictures) == 0:
		return jobs.Permanent(err) // it gets no smaller
	case err != nil:
		public := apperr.Describe(err)
		return errors.Join(err, s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.LedgerSetTried(ctx, db.LedgerSetTriedParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
				return err
			}
			if job.Attempt < delayedAfter || job.Last() {
				return nil
			}
			return s.delayed(ctx, tx, row.RunID, delivery.RunDelayed)
		}))
	}
	return s.over(ctx, job, row.RunID, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.LedgerSetSent(ctx, db.LedgerSetSentParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, State: string(LineSent), Answer: answer}); err != nil {
			return err
		}
		return recordSent(ctx, tx, row)
	})
}

// mostRemade bounds how often a file is made again for one mail, where what its
// reader sees never stops to change.
const mostRemade = 3

// remake has the file of a line made again, of what its reader sees now and at the
// moment of the data that the run has, and the mail sent after.
func (s *Service) remake(ctx context.Context, job jobs.Job[DeliverArgs], run uuid.UUID) error {
	return s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.RunLock(ctx, tx.TenantID, run); err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		n, err := tx.LedgerSetRemade(ctx, tx.TenantID, job.Args.Delivery.UUID())
		if err != nil {
			return fmt.Errorf("open delivery again: %w", err)
		}
		if n == 0 {
			return jobs.ErrLeaseLost // another attempt is at it
		}
		if err := s.reopen(ctx, tx, run); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// reopen has the files of a run made that are due: by the attempt that waits for its
// time, where there is one.
func (s *Service) reopen(ctx context.Context, tx *db.Tx, run uuid.UUID) error {
	if err := tx.RunSetState(ctx, db.RunSetStateParams{TenantID: tx.TenantID, RunID: run, State: RunDue}); err != nil {
		return fmt.Errorf("open run: %w", err)
	}
	waits, err := tx.HastenJob(ctx, RunArgs{}.Kind(), run.String())
	if err != nil || waits {
		return err
	}
	_, err = jobs.Insert(ctx, tx, runJob(tx.TenantID, run))
	return err
}

// recordSent keeps that a file has left, to whom.
func recordSent(ctx context.Context, tx *db.Tx, row db.LedgerGetRow) error {
	return audit.Record(ctx, tx, access.Actor{Kind: access.System, TenantID: ids.Tenant(tx.TenantID)}, audit.Entry{Action: "report.sent", Target: "delivery",
		ID: row.DeliveryID.String(), Detail: map[string]any{"name": row.FileName, "address": row.Address}})
}

func (s *Service) inTx(ctx context.Context, job jobs.Job[DeliverArgs], work func(context.Context, *db.Tx) error) error {
	return s.deps.DB.InTenantTx(ctx, job.TenantID, work)
}

func (s *Service) line(ctx context.Context, job jobs.Job[DeliverArgs]) (row db.LedgerGetRow, err error) {
	err = s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.LedgerGet(ctx, tx.TenantID, job.Args.Delivery.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return row, jobs.Permanent(ErrScheduleNotFound.Wrap(err)) // the schedule was deleted
	}
	if err != nil {
		return row, fmt.Errorf("read delivery: %w", err)
	}
	return row, nil
}

// hand notes that the message is about to go over the line. A job that lost
// its lease must not get that far twice.
func (s *Service) hand(ctx context.Context, job jobs.Job[DeliverArgs]) error {
	return s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.LedgerHand(ctx, tx.TenantID, job.Args.Delivery.UUID())
		if err != nil {
			return fmt.Errorf("note hand-over: %w", err)
		}
		if n == 0 {
			return jobs.ErrLeaseLost
		}
		return nil
	})
}

func (s *Service) setUnknown(ctx context.Context, job jobs.Job[DeliverArgs], cause error, again bool) error {
	public := apperr.Describe(cause)
	return s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.LedgerSetUnknown(ctx, db.LedgerSetUnknownParams{TenantID: tx.TenantID, DeliveryID: job.Args.Delivery.UUID(), Again: again,
			ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
			return fmt.Errorf("note unknown outcome: %w", err)
		}
		return nil
	})
}

// over ends the job in the transaction that writes its outcome, and the run
// with the last of its mails.
func (s *Service) over(ctx context.Context, job jobs.Job[DeliverArgs], run uuid.UUID, record func(context.Context, *db.Tx) error) error {
	return s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.RunLock(ctx, tx.TenantID, run); err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		if err := record(ctx, tx); err != nil {
			return fmt.Errorf("record delivery: %w", err)
		}
		if err := s.settle(ctx, tx, run); err != nil {
			return err
		}
		return job.Complete(ctx, tx)
	})
}

// DeliverFailed gives a mail up and says why.
func (s *Service) DeliverFailed(ctx context.Context, job jobs.Job[DeliverArgs], cause error) error {
	public := apperr.Describe(cause)
	state := LineFailed
	if errors.Is(cause, mail.ErrRefused) {
		state = LineBounced
	}
	return s.inTx(ctx, job, func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.LedgerGet(ctx, tx.TenantID, job.Args.Delivery.UUID())
		if db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read delivery: %w", err)
		}
		if _, err := tx.RunLock(ctx, tx.TenantID, row.RunID); err != nil {
			return fmt.Errorf("read run: %w", err)
		}
		if _, err := tx.LedgerClose(ctx, db.LedgerCloseParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, State: string(state),
			ErrorCode: public.Code, ErrorText: public.Sentence}); err != nil {
			return fmt.Errorf("close delivery: %w", err)
		}
		if row.ChannelID == nil {
			if err := s.deps.Mail.TakeRefusal(ctx, tx, row.Address, cause); err != nil {
				return err
			}
		}
		return s.settle(ctx, tx, row.RunID)
	})
}

// keep puts the mail into the outbox of an installation that sends none.
func (s *Service) keep(ctx context.Context, job jobs.Job[DeliverArgs], row db.LedgerGetRow, from string, to delivery.Recipient, words delivery.Words) error {
	var stated Stated
	if err := json.Unmarshal(row.Stated, &stated); err != nil {
		return jobs.Permanent(fmt.Errorf("read content: %w", err))
	}
	files := []delivery.Attachment{{Name: row.FileName, MediaType: formatOf(row.FileName).MediaType(), Key: row.Key, Bytes: stated.Bytes}}
	if row.PictureKey != "" {
		size, err := s.deps.Blobs.Attributes(ctx, row.PictureKey)
		if err != nil {
			return err
		}
		files = append(files, delivery.Attachment{Name: pictureName, MediaType: PNG.MediaType(), Key: row.PictureKey, Bytes: size.Bytes})
	}
	return s.over(ctx, job, row.RunID, func(ctx context.Context, tx *db.Tx) error {
		if err := s.deps.Mail.Keep(ctx, tx, ids.New[ids.Message](), from, to, "report", words, files); err != nil {
			return err
		}
		if _, err := tx.LedgerSetSent(ctx, db.LedgerSetSentParams{TenantID: tx.TenantID, DeliveryID: row.DeliveryID, State: string(LineKept)}); err != nil {
			return err
		}
		return recordSent(ctx, tx, row)
	})
}

func formatOf(name string) Format {
	for _, f := range Formats {
		if strings.HasSuffix(name, f.extension()) {
			return f
		}
	}
	return NDJSON
}

// compose writes the mail of a line.
func (s *Service) compose(ctx context.Context, tenant uuid.UUID, row db.LedgerGetRow) (to delivery.Recipient, words delivery.Words, m mail.Message, err error) {
	if row.Key == "" {
		return to, words, m, errFileGone
	}
	var stated Stated
	if err := json.Unmarshal(row.Stated, &stated); err != nil {
		return to, words, m, jobs.Permanent(fmt.Errorf("read content: %w", err))
	}
	e, err := s.envelope(ctx, ids.Tenant(tenant), row)
	if err != nil {
		return to, words, m, err
	}
	to = delivery.Recipient{Address: row.Address, Name: e.name, Locale: e.actor.Locale}
	letter := delivery.Report{Name: row.Name, Workspace: e.sender, File: row.FileName, Bytes: stated.Bytes, Rows: stated.Rows, Failed: stated.FailedWidgets,
		Widgets: stated.Widgets, At: row.DueAt.In(e.actor.Location())}
	if letter.Dashboard = e.dashboard; letter.Dashboard == "" {
		letter.Dashboard = row.DashboardName
	}
	if row.Visiting {
		letter.Portal, letter.Colours = e.base, e.colours
	}
	if row.Visiting || row.UserID != nil {
		letter.Link = e.base + PathOpened + row.DeliveryID.String()
	}
	// A server that found the mail too large gets it with a link, and no picture.
	small := row.ErrorCode == mail.ErrTooLarge.Code()
	var picture []byte
	if row.PictureKey != "" && !small {
		if picture, err = s.readAll(ctx, row.PictureKey); err != nil {
			return to, words, m, err
		}
		if int64(len(picture)) > row.LinkAbove {
			picture = nil
		}
	}
	attached := !small && stated.Bytes+int64(len(picture)) <= row.LinkAbove
	if !attached {
		letter.FileUntil = row.ExpiresAt.In(e.actor.Location())
		letter.FileLink = s.sentLink(e.base, tenant, row.DeliveryID, row.ExpiresAt)
	}
	if row.RecipientID != nil {
		letter.Unsubscribe = e.base + PathUnsubscribe + tenant.String() + "/" + row.RecipientID.String() + "?signature=" + s.signature("unsubscribe", tenant, *row.RecipientID, "")
	}
	m = mail.Message{ID: row.DeliveryID.String(), To: row.Address, ToName: e.name, FromName: e.from, Date: row.CreatedAt, Unsubscribe: letter.Unsubscribe}
	if attached {
		body, err := s.readAll(ctx, row.Key)
		if err != nil {
			return to, words, m, err
		}
		m.Files = []mail.File{{Name: row.FileName, MediaType: formatOf(row.FileName).MediaType(), Body: body}}
	}
	if picture != nil {
		letter.Picture = pictureName
		m.Pictures = []mail.File{{Name: pictureName, MediaType: PNG.MediaType(), Body: picture}}
	}
	if words, err = s.deps.Mail.Write(ctx, to.Locale, letter); err != nil {
		return to, words, m, err
	}
	m.Subject, m.Text, m.HTML = words.Subject, words.Text, words.HTML
	return to, words, m, nil
}

// envelope is whose mail a line's is, and in whose name it goes out.
type envelope struct {
	actor  access.Actor // by whose clock and in whose language it is written
	name   string       // of the recipient
	sender string       // the workspace, or the portal
	from   string       // its name in the header; empty for the usual one
	base   string       // where links lead

	colours brand.Mail // of the portal

	dashboard string // as the portal calls it; empty for its own name
}

func (s *Service) envelope(ctx context.Context, tenant ids.Tenant, row db.LedgerGetRow) (e envelope, err error) {
	if row.Visiting {
		p, visit, err := s.visitorOf(ctx, tenant, row.VisitorID, row.DashboardID)
		if err != nil {
			return e, err
		}
		e = envelope{actor: visit.Actor, name: visit.Name, sender: p.Title(), from: p.Sender(), base: p.Address(s.deps.Address()), colours: p.Brand.Mail(), dashboard: visit.NameOf(ids.Dashboard(row.DashboardID))}
		if row.OwnerVisitorID != uuid.Nil {
			e.actor.Zone, err = s.zone(ctx, e.actor, row.Zone)
		}
		return e, err
	}
	e = envelope{name: row.UserName, base: s.deps.Address()}
	reader := ids.User(row.OwnerID)
	if row.UserID != nil {
		reader = ids.User(*row.UserID)
	}
	if e.actor, err = s.deps.Tenants.GetActor(ctx, tenant, reader); err != nil {
		return e, err
	}
	settings, err := s.deps.Tenants.GetSettings(ctx, e.actor)
	e.sender = settings.Name
	return e, err
}

func (s *Service) readAll(ctx context.Context, key string) ([]byte, error) {
	file, err := s.deps.Blobs.Read(ctx, key)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, errFileGone.Wrap(err)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	body, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return body, nil
}

// signature proves that a link of a mail is ours.
func (s *Service) signature(purpose string, tenant, id uuid.UUID, until string) string {
	mac := hmac.New(sha256.New, s.deps.Key)
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s", purpose, tenant, id, until) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s *Service) signed(given, purpose string, tenant, id uuid.UUID, until string) bool {
	return hmac.Equal([]byte(given), []byte(s.signature(purpose, tenant, id, until)))
}

func (s *Service) sentLink(base string, tenant, line uuid.UUID, until time.Time) string {
	expiry := strconv.FormatInt(until.Unix(), 10)
	query := url.Values{"until": {expiry}, "signature": {s.signature("sent", tenant, line, expiry)}}
	return base + PathSent + tenant.String() + "/" + line.String() + "?" + query.Encode()
}

// isReader tells whether the viewer is the person, or the visitor, whom a line is for.
func isReader(viewer access.Actor, user, visitor *uuid.UUID) bool {
	if viewer.Kind == access.Visitor {
		return visitor != nil && *visitor == viewer.VisitorID.UUID()
	}
	return user != nil && *user == viewer.UserID.UUID()
}

// OpenDashboard answers the path of the dashboard that a mail is of, and notes
// that its recipient has followed the link. That is nobody else: whoever else has
// the link is led on, and sees there what they may see.
//
// Errors: access.forbidden, reports.schedule_not_found.
func (s *Service) OpenDashboard(ctx context.Context, viewer access.Actor, id ids.Delivery) (path string, err error) {
	if err := access.Can(viewer, access.ViewContent); err != nil {
		return "", err
	}
	err = s.deps.DB.InTenantTx(ctx, viewer.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.LedgerOpening(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return gone(err)
		}
		var spec Spec
		if err := json.Unmarshal(row.Spec, &spec); err != nil {
			return fmt.Errorf("read schedule: %w", err)
		}
		path = "/dashboards/" + row.DashboardID.String()
		if spec.Filters != "" {
			path += "?" + spec.Filters
		}
		if !isReader(viewer, row.UserID, row.VisitorID) {
			return nil
		}
		return tx.LedgerSetOpened(ctx, tx.TenantID, id.UUID())
	})
	return path, err
}

// OpenSent answers the file behind the link of a mail. One that was sent to a
// person is for that person alone; one that was sent to an address for whoever
// has the link. viewer is who is signed in, the zero Actor for nobody.
//
// Errors: reports.link_invalid, reports.expired, access.forbidden, and
// reports.portal_off where a portal lets its visitors take no files any more.
func (s *Service) OpenSent(ctx context.Context, viewer access.Actor, tenant ids.Tenant, id ids.Delivery, until, signature string) (*File, error) {
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !s.signed(signature, "sent", tenant.UUID(), id.UUID(), until) {
		return nil, ErrLink.Wrap(err)
	}
	expired := ErrExpired.With("%s Ask whoever sends this report to send it again.", keptUntil(time.Unix(seconds, 0), viewer))
	if s.deps.Clock().After(time.Unix(seconds, 0)) {
		return nil, expired
	}
	var row db.LedgerGetRow
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		if row, err = tx.LedgerGet(ctx, tx.TenantID, id.UUID()); err != nil {
			return err
		}
		if (row.UserID != nil || row.Visiting) && (viewer.TenantID != tenant || !isReader(viewer, row.UserID, row.VisitorID)) {
			if viewer.TenantID.IsZero() && !row.Visiting { // a visitor signs in at their portal
				return errSentSignIn
			}
			return errNotTheirs
		}
		return nil
	})
	if db.IsNoRows(err) || err == nil && row.Key == "" {
		return nil, expired.Wrap(err)
	}
	if err != nil {
		return nil, err
	}
	r := Report{Name: row.FileName, Format: formatOf(row.FileName), Status: Completed, ExpiresAt: row.ExpiresAt, key: row.Key}
	if err := json.Unmarshal(row.Stated, &r.Stated); err != nil {
		return nil, fmt.Errorf("read content: %w", err)
	}
	if row.UserID != nil || row.Visiting {
		if row.Visiting {
			if err := s.takesFiles(ctx, tenant, viewer.VisitorID); err != nil {
				return nil, err
			}
		}
		if err := s.stillSent(ctx, viewer, ids.Dashboard(row.DashboardID), row.OnlyRows, r.Stated.Sees); err != nil {
			return nil, err
		}
	}
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.LedgerSetOpened(ctx, tx.TenantID, id.UUID()); err != nil {
			return err
		}
		if viewer.TenantID != tenant { // whoever has the link
			viewer = access.Actor{Kind: access.Person, TenantID: tenant}
		}
		return audit.Record(ctx, tx, viewer, audit.Entry{Action: "report.downloaded", Target: "delivery", ID: id.String(), Detail: map[string]any{"name": row.FileName}})
	})
	if err != nil {
		return nil, err
	}
	return &File{Report: r, open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return s.deps.Blobs.ReadRange(ctx, r.key, offset, length)
	}}, nil
}

// Subscription names the schedule behind a link that unsubscribes.
//
// Errors: reports.link_invalid.
func (s *Service) Subscription(ctx context.Context, tenant ids.Tenant, id ids.Recipient, signature string) (name string, err error) {
	return s.subscription(ctx, tenant, id, signature, (*db.Tx).RecipientSchedule)
}

// Unsubscribe stops a schedule's mail to one recipient and names the schedule.
//
// Errors: reports.link_invalid.
func (s *Service) Unsubscribe(ctx context.Context, tenant ids.Tenant, id ids.Recipient, signature string) (name string, err error) {
	return s.subscription(ctx, tenant, id, signature, func(tx *db.Tx, ctx context.Context, tenantID, recipientID uuid.UUID) (string, error) {
		row, err := tx.RecipientUnsubscribe(ctx, tenantID, recipientID)
		if err == nil && row.Own {
			err = pause(ctx, tx, ids.Schedule(row.ScheduleID), nil, "person")
		}
		if err != nil {
			return "", err
		}
		name := row.Name
		return name, audit.Record(ctx, tx, access.Actor{Kind: access.Person, TenantID: tenant}, audit.Entry{Action: "report.unsubscribed", Target: "recipient",
			ID: id.String(), Detail: map[string]any{"name": name}})
	})
}

func (s *Service) subscription(ctx context.Context, tenant ids.Tenant, id ids.Recipient, signature string,
	ask func(*db.Tx, context.Context, uuid.UUID, uuid.UUID) (string, error)) (name string, err error) {
	if !s.signed(signature, "unsubscribe", tenant.UUID(), id.UUID(), "") {
		return "", ErrLink
	}
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		name, err = ask(tx, ctx, tx.TenantID, id.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return "", ErrLink.Wrap(err)
	}
	return name, err
}
