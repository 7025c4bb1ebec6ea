package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

// The kinds of collector.
const (
	Syslog = "syslog" // RFC 5424 over TCP or TLS, framed as in RFC 6587
	HEC    = "hec"    // Splunk's HTTP event collector, and what speaks like it
)

// Forward is where a workspace's entries are sent.
type Forward struct {
	Kind     string
	Address  string // "tls://host:6514", "tcp://host:514", or "https://host:8088"
	Sent     int64  // the newest batch that has arrived
	SentAt   time.Time
	Error    string // of the last attempt, empty once one succeeded
	FailedAt time.Time
}

func readForward(ctx context.Context, tx *db.Tx, tenant ids.Tenant) (*Forward, error) {
	row, err := tx.AuditForwardGet(ctx, tenant.UUID())
	if db.IsNoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read forwarding: %w", err)
	}
	f := &Forward{Kind: row.Kind, Address: row.Address, Sent: row.Sent, Error: row.Error}
	if row.SentAt != nil {
		f.SentAt = *row.SentAt
	}
	if row.FailedAt != nil {
		f.FailedAt = *row.FailedAt
	}
	return f, nil
}

const secretPurpose = "audit_forwards.secret"

// SetForward sends entries to a collector from now on, all that are sealed
// later than the first time. An empty secret keeps the one before. An empty
// kind ends it.
//
// Errors: access.forbidden; audit.invalid with fields kind, address, secret.
func (s *Service) SetForward(ctx context.Context, actor access.Actor, kind, address, secret string) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	address = strings.TrimSpace(address)
	if kind != "" {
		if fields := checkForward(kind, address, secret); len(fields) > 0 {
			return ErrInvalid.WithFields(fields)
		}
	}
	var box []byte
	if secret != "" {
		keys, err := s.boxes.Box(ctx, actor.TenantID)
		if err != nil {
			return err
		}
		if box, err = keys.Encrypt(secretPurpose, []byte(secret)); err != nil {
			return err
		}
	}
	return s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		before, err := readForward(ctx, tx, actor.TenantID)
		if err != nil {
			return err
		}
		e := Entry{Action: "audit.forward_changed", Target: "workspace", ID: actor.TenantID.String()}
		if before != nil {
			e.Before = map[string]any{"kind": before.Kind, "address": before.Address}
		}
		if kind == "" {
			_, err = tx.AuditForwardDelete(ctx, actor.TenantID.UUID())
		} else {
			// A secret is for one address: another one does not get it.
			if before != nil && before.Address != address && box == nil {
				_, err = tx.AuditForwardDelete(ctx, actor.TenantID.UUID())
			}
			if err == nil {
				err = tx.AuditForwardPut(ctx, db.AuditForwardPutParams{TenantID: actor.TenantID.UUID(), Kind: kind, Address: address, Secret: box})
			}
			e.After = map[string]any{"kind": kind, "address": address}
		}
		if err != nil {
			return fmt.Errorf("write forwarding: %w", err)
		}
		return Record(ctx, tx, actor, e)
	})
}

func checkForward(kind, address, secret string) map[string]string {
	fields := map[string]string{}
	u, err := url.Parse(address)
	plain := err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	switch kind {
	case Syslog:
		if !plain || u.Scheme != "tls" && u.Scheme != "tcp" || u.Port() == "" || u.Path != "" {
			fields["address"] = "An address of syslog is tls://host:6514 or tcp://host:514."
		}
	case HEC:
		if !plain || u.Scheme != "https" && u.Scheme != "http" {
			fields["address"] = "An address of a collector is https://host:8088."
		}
	default:
		fields["kind"] = "There is no such kind of collector."
	}
	if len(address) > 500 {
		fields["address"] = "This address is too long."
	}
	if len(secret) > 500 || strings.ContainsAny(secret, "\r\n\x00") {
		fields["secret"] = "A token is one line of at most 500 characters."
	}
	return fields
}

// Event is an entry as it leaves DataFlow: in exports, and to collectors.
type Event struct {
	Time      time.Time      `json:"time"`
	ID        string         `json:"id"`
	Tenant    string         `json:"tenant"`
	Action    string         `json:"action"`
	Outcome   string         `json:"outcome"`
	Actor     EventActor     `json:"actor"`
	Object    *EventObject   `json:"object,omitempty"`
	Detail    map[string]any `json:"detail,omitempty"`
	Before    map[string]any `json:"before,omitempty"`
	After     map[string]any `json:"after,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Batch     int64          `json:"batch,omitempty"` // of the chain
}

// EventActor is who acted.
type EventActor struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Who
}

// EventObject is what was acted on.
type EventObject struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

func eventOf(tenant ids.Tenant, l Line) Event {
	e := Event{Time: l.At.UTC(), ID: l.ID.String(), Tenant: tenant.String(), Action: l.Action, Outcome: outcome(l.Denied),
		Actor: EventActor{Kind: string(l.Kind), Who: l.Who}, Detail: l.What.Detail, Before: l.What.Before, After: l.What.After, RequestID: l.RequestID}
	if !l.User.IsZero() {
		e.Actor.ID = l.User.String()
	}
	if l.Target != "" {
		e.Object = &EventObject{Kind: l.Target, ID: l.TargetID, Name: l.What.Name}
	}
	return e
}

// ForwardArgs asks to send the batches of the job's tenant that wait.
type ForwardArgs struct{}

// Kind names the job.
func (ForwardArgs) Kind() string { return "audit:forward" }

// ForwardOptions are for the binding of ForwardArgs. After its attempts the
// next one is asked for with the next batch.
var ForwardOptions = jobs.Options{MaxAttempts: 5, Backoff: 5 * time.Second, MaxBackoff: time.Minute}

// SealAndSend is what the clock asks for: what was recorded is sealed, and sent
// by a job of its own where a collector waits.
func (s *Service) SealAndSend(ctx context.Context, tenant ids.Tenant) error {
	if _, err := s.Seal(ctx, tenant); err != nil {
		return err
	}
	return s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		due, err := tx.AuditForwardDue(ctx, tenant.UUID())
		if err != nil || !due {
			return err
		}
		_, err = jobs.Insert(ctx, tx, jobs.Row{TenantID: tenant.UUID(), Args: ForwardArgs{}, UniqueKey: "forward"})
		return err
	})
}

// forwardBatches are read and sent at a time.
const forwardBatches = 10

// RunForward sends batch after batch. A batch counts as sent once the collector
// has taken all of it, so that every entry arrives at least once.
func (s *Service) RunForward(ctx context.Context, job jobs.Job[ForwardArgs]) error {
	tenant := ids.Tenant(job.TenantID)
	for {
		more, err := s.forward(ctx, tenant)
		if err != nil {
			return err
		}
		if !more {
			return s.db.InTenantTx(ctx, job.TenantID, func(ctx context.Context, tx *db.Tx) error { return job.Complete(ctx, tx) })
		}
	}
}

func (s *Service) forward(ctx context.Context, tenant ids.Tenant) (more bool, err error) {
	var (
		to     *Forward
		secret []byte
		events []Event
		upTo   int64
	)
	err = s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.AuditForwardGet(ctx, tenant.UUID())
		if db.IsNoRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read forwarding: %w", err)
		}
		to, secret = &Forward{Kind: row.Kind, Address: row.Address, Sent: row.Sent}, row.Secret
		batches, err := tx.AuditBatches(ctx, tenant.UUID(), row.Sent, forwardBatches)
		if err != nil || len(batches) == 0 {
			return err
		}
		upTo = batches[len(batches)-1].Batch
		rows, err := tx.AuditSealed(ctx, tenant.UUID(), row.Sent, upTo)
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		for _, r := range rows {
			batch := r.Batch
			line, err := lineOf(db.AuditListRow{AuditID: r.AuditID, At: r.At, ActorKind: r.ActorKind, UserID: r.UserID, Action: r.Action,
				TargetKind: r.TargetKind, TargetID: r.TargetID, Outcome: r.Outcome, RequestID: r.RequestID, Detail: json.RawMessage(r.Detail),
				Batch: &batch, Who: json.RawMessage(r.Who), What: json.RawMessage(r.What)})
			if err != nil {
				return err
			}
			e := eventOf(tenant, line)
			e.Batch = batch
			events = append(events, e)
		}
		return nil
	})
	if err != nil || to == nil || upTo == 0 {
		return false, err
	}
	if err := s.send(ctx, tenant, to, secret, events); err != nil {
		failed := s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
			return tx.AuditForwardFailed(ctx, cut(apperr.Describe(err).Sentence, 500), tenant.UUID())
		})
		return false, errors.Join(err, failed)
	}
	return true, s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return tx.AuditForwardSent(ctx, upTo, tenant.UUID())
	})
}

// tlsRoots are certificates that collectors are trusted by besides the system's.
type tlsRoots = *x509.CertPool

func (s *Service) send(ctx context.Context, tenant ids.Tenant, to *Forward, sealedSecret []byte, events []Event) error {
	u, err := url.Parse(to.Address)
	if err != nil {
		return ErrCollector.Wrap(err)
	}
	var secret []byte
	if len(sealedSecret) > 0 {
		keys, err := s.boxes.Box(ctx, tenant)
		if err != nil {
			return err
		}
		if secret, err = keys.Decrypt(secretPurpose, sealedSecret); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if to.Kind == HEC {
		err = s.sendHEC(ctx, u, string(secret), events)
	} else {
		err = s.sendSyslog(ctx, u, events)
	}
	if errors.Is(err, outbound.ErrPrivate) {
		return jobs.Permanent(outbound.ErrPrivate.Wrap(err))
	}
	var known *apperr.Error
	if err != nil && !errors.As(err, &known) {
		return ErrCollector.With("The collector %s can't be reached, or broke off.", u.Host).Wrap(err)
	}
	return err
}

// sendSyslog writes all messages to one connection, ends it on our side and
// waits until the collector has ended its own: only then has it read them all.
func (s *Service) sendSyslog(ctx context.Context, u *url.URL, events []Event) error {
	raw, err := s.dial(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	deadline, _ := ctx.Deadline()
	if err := raw.SetDeadline(deadline); err != nil {
		return err
	}
	conn := raw
	if u.Scheme == "tls" {
		secured := tls.Client(raw, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: s.tls})
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secured
	}
	out := bufio.NewWriter(conn)
	for _, e := range events {
		message, err := syslogMessage(e)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%d %s", len(message), message); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("connection can't be ended on one side")
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if conn != raw { // the notice of TLS alone makes no collector let go
		if tcp, ok := raw.(*net.TCPConn); ok {
			if err := tcp.CloseWrite(); err != nil {
				return err
			}
		}
	}
	_, err = io.Copy(io.Discard, io.LimitReader(raw, 1<<20))
	return err
}

// syslogMessage writes an entry as RFC 5424 has it: facility 13 (log audit),
// severity 5 (notice) or 4 (warning) for what was refused.
func syslogMessage(e Event) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	severity := 5
	if e.Outcome == Denied {
		severity = 4
	}
	head := fmt.Sprintf("<%d>1 %s - dataflow - %s [audit@32473 tenant=%q id=%q batch=%q] ", 13*8+severity, e.Time.Format("2006-01-02T15:04:05.000000Z07:00"),
		messageID(e.Action), e.Tenant, e.ID, strconv.FormatInt(e.Batch, 10))
	return append([]byte(head+"\ufeff"), text...), nil
}

// messageID is what a collector sorts by: at most 32 printable characters.
func messageID(action string) string {
	if action == "" {
		return "-"
	}
	return action[:min(len(action), 32)]
}

// sendHEC posts the entries. Only code 0 of the collector means that it has
// them.
func (s *Service) sendHEC(ctx context.Context, u *url.URL, token string, events []Event) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for _, e := range events {
		err := encoder.Encode(map[string]any{"time": float64(e.Time.UnixMicro()) / 1e6, "source": "dataflow", "sourcetype": "dataflow:audit", "event": e})
		if err != nil {
			return fmt.Errorf("encode entry: %w", err)
		}
	}
	target := *u
	if strings.Trim(target.Path, "/") == "" {
		target.Path = "/services/collector/event"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), &body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Splunk "+token)
	}
	client := outbound.ClientOver(s.dial, func(t *http.Transport) {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.tls}
	})
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	var said struct {
		Code *int   `json:"code"`
		Text string `json:"text"`
	}
	if response.StatusCode != http.StatusOK || json.Unmarshal(answer, &said) != nil || said.Code == nil || *said.Code != 0 {
		return ErrCollector.With("The collector %s answered %d and did not take the entries.", u.Host, response.StatusCode)
	}
	return nil
}
