package delivery

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/plaintext"
)

// What can go wrong with a channel.
var (
	ErrChannelNotFound = apperr.Define(apperr.NotFound, "delivery.channel_not_found",
		"This channel does not exist or was removed.")
	ErrChannelInvalid = apperr.Define(apperr.Invalid, "delivery.channel_invalid",
		"Some fields of the channel need another value.")
	errChannelTaken = apperr.Define(apperr.Conflict, "delivery.channel_taken",
		"A channel with this name exists already.")
	errChannelKind = apperr.Define(apperr.Invalid, "delivery.channel_kind",
		"This channel does not take that.")
)

// ChannelKind is how a channel is spoken to.
type ChannelKind string

// The kinds.
const (
	Webhook   ChannelKind = "webhook"
	Slack     ChannelKind = "slack" // and what takes the same messages
	PagerDuty ChannelKind = "pagerduty"
	S3        ChannelKind = "s3"
	SFTP      ChannelKind = "sftp"
)

// ChannelKinds lists all.
var ChannelKinds = []ChannelKind{Webhook, Slack, PagerDuty, S3, SFTP}

// TakesAlerts tells whether alerts can be sent there.
func (k ChannelKind) TakesAlerts() bool { return k == Webhook || k == Slack || k == PagerDuty }

// TakesFiles tells whether reports can be sent there: as files, or as links.
func (k ChannelKind) TakesFiles() bool { return k != PagerDuty }

// Channel is a way out besides mail. What leads to it is never shown again.
type Channel struct {
	ID    ids.Channel
	Kind  ChannelKind
	Name  string
	Shown string // where it leads, as far as people may see: "hooks.example.com"
	Since time.Time
}

// Target is what leads to a channel. It is sealed under the tenant's keyset.
type Target struct {
	URL string `json:"url,omitempty"` // of a webhook, of Slack, of PagerDuty's events where it is not the usual
	Key string `json:"key,omitempty"` // what a webhook is signed with; PagerDuty's integration key
	// Of S3.
	Endpoint  string `json:"endpoint,omitempty"` // empty for AWS
	Region    string `json:"region,omitempty"`
	Bucket    string `json:"bucket,omitempty"`
	AccessKey string `json:"access_key,omitempty"`
	SecretKey string `json:"secret_key,omitempty"`
	// Of SFTP. HostKey is the server's public key, as in a line of known_hosts
	// or of ssh-keyscan: "ssh-ed25519 AAAA…".
	Host       string `json:"host,omitempty"` // with a port where it is not 22
	User       string `json:"user,omitempty"`
	Password   string `json:"password,omitempty"`
	PrivateKey string `json:"private_key,omitempty"` // PEM, without a passphrase
	HostKey    string `json:"host_key,omitempty"`
	// Folder is where files are put, of S3 and SFTP.
	Folder string `json:"folder,omitempty"`
}

// channelPurpose binds a sealed target to its column.
const channelPurpose = "channels.sealed"

const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// CreateChannel adds a way out. Of a webhook it answers the key that its
// messages are signed with, which is never shown again.
//
// Errors: access.forbidden, delivery.channel_invalid with fields,
// delivery.channel_taken.
func (s *Service) CreateChannel(ctx context.Context, actor access.Actor, kind ChannelKind, name string, t Target) (id ids.Channel, key string, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return id, "", err
	}
	fields := map[string]string{}
	name = strings.TrimSpace(name)
	if problem := plaintext.Problem(name, 100, "Take a name of 1 to 100 characters on one line."); problem != "" {
		fields["name"] = problem
	}
	t, shown := s.checkTarget(kind, t, fields)
	if len(fields) > 0 {
		return id, "", ErrChannelInvalid.WithFields(fields)
	}
	if kind == Webhook {
		raw := make([]byte, 32)
		_, _ = rand.Read(raw) // never fails
		t.Key = base64.RawURLEncoding.EncodeToString(raw)
		key = t.Key
	}
	plain, err := json.Marshal(t)
	if err != nil {
		return id, "", fmt.Errorf("encode channel: %w", err)
	}
	box, err := s.deps.Tenants.Box(ctx, actor.TenantID)
	if err != nil {
		return id, "", err
	}
	sealed, err := box.Encrypt(channelPurpose, plain)
	if err != nil {
		return id, "", err
	}
	id = ids.New[ids.Channel]()
	var by *uuid.UUID
	if !actor.UserID.IsZero() {
		by = new(actor.UserID.UUID())
	}
	err = s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		err := tx.ChannelInsert(ctx, db.ChannelInsertParams{TenantID: tx.TenantID, ChannelID: id.UUID(), Name: name, Kind: string(kind), Shown: shown, Sealed: sealed, CreatedBy: by})
		if _, taken := db.IsUniqueViolation(err); taken {
			return errChannelTaken.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("insert channel: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "channel.created", Target: "channel", ID: id.String(), Detail: map[string]any{"name": name, "kind": kind, "leads_to": shown}})
	})
	return id, key, err
}

// checkTarget cleans a target and says where it leads.
func (s *Service) checkTarget(kind ChannelKind, t Target, fields map[string]string) (clean Target, shown string) {
	need := func(name, value, sentence string) {
		if value == "" {
			fields[name] = sentence
		}
	}
	address := func(text string) *url.URL {
		u, err := s.deps.Outbound.CheckURL(text)
		if err != nil {
			fields["url"] = apperr.Describe(err).Sentence
			return &url.URL{}
		}
		return u
	}
	switch kind {
	case Webhook, Slack:
		clean.URL = strings.TrimSpace(t.URL)
		shown = address(clean.URL).Host
	case PagerDuty:
		if clean.URL = strings.TrimSpace(t.URL); clean.URL == "" {
			clean.URL = pagerDutyURL
		}
		clean.Key = strings.TrimSpace(t.Key)
		need("key", clean.Key, "Write the integration key of a service with Events API v2.")
		shown = address(clean.URL).Host
	case S3, SFTP:
		shown = s.checkFolder(kind, t, &clean, fields)
	default:
		fields["kind"] = "Choose what it is."
	}
	return clean, shown
}

// ListChannels reads all by name. Whoever makes reports or alerts may know them.
//
// Errors: access.forbidden.
func (s *Service) ListChannels(ctx context.Context, actor access.Actor) ([]Channel, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Channel
	err := s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.ChannelList(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("list channels: %w", err)
		}
		for _, row := range rows {
			list = append(list, Channel{ID: ids.Channel(row.ChannelID), Kind: ChannelKind(row.Kind), Name: row.Name, Shown: row.Shown, Since: row.CreatedAt})
		}
		return nil
	})
	return list, err
}

// DeleteChannel removes one; schedules and alerts no longer send there.
//
// Errors: access.forbidden, delivery.channel_not_found.
func (s *Service) DeleteChannel(ctx context.Context, actor access.Actor, id ids.Channel) error {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return err
	}
	return s.deps.DB.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.ChannelDelete(ctx, tx.TenantID, id.UUID())
		if err != nil {
			return fmt.Errorf("delete channel: %w", err)
		}
		if n == 0 {
			return ErrChannelNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "channel.deleted", Target: "channel", ID: id.String()})
	})
}

// TestChannel sends a message, or a small file, and answers what was said to it.
//
// Errors: access.forbidden, delivery.channel_not_found, those of package outbound.
func (s *Service) TestChannel(ctx context.Context, actor access.Actor, id ids.Channel, title, text, link string) (answer string, err error) {
	if err := access.Can(actor, access.ManageWorkspace); err != nil {
		return "", err
	}
	kind, t, err := s.target(ctx, actor.TenantID, id)
	if err != nil {
		return "", err
	}
	now := time.Now()
	if kind.TakesAlerts() {
		m := Signal{ID: uuid.NewString(), At: now, Title: title, Text: text, Link: link, Key: "test-" + id.String()}
		m.Body = map[string]any{"id": m.ID, "at": now.UTC().Format(time.RFC3339), "event": "test", "text": text, "link": link}
		if answer, err = s.signal(ctx, kind, t, m, func() error { return nil }); err == nil && kind == PagerDuty {
			m.Over = true // an incident of a test is over at once
			return s.signal(ctx, kind, t, m, func() error { return nil })
		}
		return answer, err
	}
	return s.put(ctx, kind, t, "dataflow-test.txt", "text/plain; charset=utf-8", strings.NewReader(text+"\n"))
}

// target opens what leads to a channel.
func (s *Service) target(ctx context.Context, tenant ids.Tenant, id ids.Channel) (kind ChannelKind, t Target, err error) {
	var row db.ChannelGetRow
	err = s.deps.DB.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.ChannelGet(ctx, tx.TenantID, id.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return "", t, ErrChannelNotFound.Wrap(err)
	}
	if err != nil {
		return "", t, fmt.Errorf("read channel: %w", err)
	}
	box, err := s.deps.Tenants.Box(ctx, tenant)
	if err != nil {
		return "", t, err
	}
	plain, err := box.Decrypt(channelPurpose, row.Sealed)
	if err != nil {
		return "", t, err
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return "", t, fmt.Errorf("read channel: %w", err)
	}
	return ChannelKind(row.Kind), t, nil
}

// Signal is a message for a channel that takes messages.
type Signal struct {
	ID     string // the same for every attempt
	At     time.Time
	Title  string
	Text   string
	Link   string
	Label  string         // of the link; Title when empty
	Key    string         // what it is about, the same from beginning to end
	Severe bool           // somebody has to look at it
	Over   bool           // what began is over
	Body   map[string]any // what a webhook gets
}

// Signal gives a message to a channel and answers what was said to it. Before is
// called when it is about to be sent; its error ends the attempt.
//
// Errors: delivery.channel_not_found, those of package outbound.
func (s *Service) Signal(ctx context.Context, tenant ids.Tenant, id ids.Channel, m Signal, before func() error) (answer string, err error) {
	kind, t, err := s.target(ctx, tenant, id)
	if err != nil {
		return "", err
	}
	return s.signal(ctx, kind, t, m, before)
}

func (s *Service) signal(ctx context.Context, kind ChannelKind, t Target, m Signal, before func() error) (answer string, err error) {
	header := http.Header{"Content-Type": {"application/json"}}
	var body any
	switch kind {
	case Webhook:
		body = m.Body
	case Slack:
		body = slackMessage(m)
	case PagerDuty:
		body = pagerDutyEvent(t.Key, m)
	default:
		return "", errChannelKind
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encode message: %w", err)
	}
	if kind == Webhook {
		sign(header, t.Key, m.ID, time.Now(), text)
	}
	return s.deps.Outbound.Post(ctx, t.URL, header, text, before)
}

// sign lets a receiver know who sent it, when, and whether it saw it before.
func sign(header http.Header, key, id string, at time.Time, body []byte) {
	moment := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(moment + ".")) // never fails
	_, _ = mac.Write(body)
	header.Set("Df-Delivery", id)
	header.Set("Df-Timestamp", moment)
	header.Set("Df-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
}

func slackMessage(m Signal) map[string]any {
	// Slack reads these three as marks.
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	mark := map[bool]string{true: ":white_check_mark: ", false: ""}[m.Over]
	if m.Severe {
		mark = ":rotating_light: "
	}
	text := mark + "*" + escape(m.Title) + "*\n" + escape(m.Text)
	if m.Link != "" {
		text += "\n<" + m.Link + "|" + escape(cmp.Or(m.Label, m.Title)) + ">"
	}
	return map[string]any{"text": escape(m.Title) + ": " + escape(m.Text),
		"blocks": []any{map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}}}
}

func pagerDutyEvent(key string, m Signal) map[string]any {
	action := "trigger"
	if m.Over {
		action = "resolve"
	}
	severity := "warning"
	if m.Severe {
		severity = "critical"
	}
	summary := m.Title + ": " + m.Text
	if runes := []rune(summary); len(runes) > 1000 { // 1,024 at most
		summary = string(runes[:1000]) + "…"
	}
	event := map[string]any{"routing_key": key, "event_action": action, "dedup_key": m.Key, "client": "DataFlow",
		"payload": map[string]any{"summary": summary, "source": "DataFlow", "severity": severity, "timestamp": m.At.UTC().Format(time.RFC3339), "custom_details": m.Body}}
	if m.Link != "" {
		event["client_url"] = m.Link
		event["links"] = []any{map[string]any{"href": m.Link, "text": m.Title}}
	}
	return event
}
