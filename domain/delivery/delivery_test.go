package delivery_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/platform/outbound"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// plainWords is a renderer of few words.
type plainWords struct{}

func (plainWords) RenderLetter(_ context.Context, _ string, letter delivery.Letter) (delivery.Words, error) {
	switch m := letter.(type) {
	case delivery.PasswordReset:
		return delivery.Words{Subject: "Reset for " + m.Name, Text: "Go to " + m.Link, HTML: `<a href="` + m.Link + `">Go</a>`}, nil
	case delivery.Invitation:
		return delivery.Words{Subject: m.Inviter + " invites you", Text: "Go to " + m.Link}, nil
	case delivery.ConnectLink:
		return delivery.Words{Subject: "Connect with " + m.Workspace, Text: "Go to " + m.Link}, nil
	case delivery.Notice:
		return delivery.Words{Subject: m.Subject, Text: m.Excerpt}, nil
	case delivery.MailTest:
		return delivery.Words{Subject: "Test by " + m.Server, Text: "It works."}, nil
	case delivery.PortalLink:
		return delivery.Words{Subject: "Your access to " + m.Portal, Text: "Go to " + m.Link}, nil
	}
	return delivery.Words{}, fmt.Errorf("unknown letter %T", letter)
}

type world struct {
	t       *testing.T
	url     string // of the database's owner
	db      *db.DB
	tenants *tenants.Service
	service *delivery.Service
	runner  *jobs.Runner
	tenant  tenants.Tenant
	secret  []byte
}

// setup sends through server; nil is an installation without a mail server.
func setup(t *testing.T, server *mailtest.Server, demo bool, configure ...func(*delivery.Deps)) *world {
	t.Helper()
	t.Parallel()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	master, err := secrets.NewMaster(key)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, url: dbtest.URL(t)}
	if w.db, err = db.Open(t.Context(), db.Config{URL: w.url, MaxConns: 8}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	w.tenants = tenants.NewService(tenants.Deps{DB: w.db, Master: master})
	w.tenant = w.workspace("Acme")
	deps := delivery.Deps{DB: w.db, Tenants: w.tenants, Renderer: plainWords{}, ShowBodies: demo, Secret: key,
		Outbound: outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})}
	if server != nil {
		deps.Sender, err = mail.New(mail.Config{Host: server.Host, Port: server.Port, From: "DataFlow <bi@example.com>", RootCAs: server.RootCAs})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, change := range configure {
		change(&deps)
	}
	w.secret = deps.Secret
	w.service = delivery.NewService(deps)
	w.runner = jobs.NewRunner(jobs.Config{Store: w.db, Log: slog.New(slog.DiscardHandler)})
	options := delivery.SendOptions
	options.Backoff, options.MaxAttempts = time.Nanosecond, 3
	jobs.Bind(w.runner, options, w.service.RunSend)
	jobs.OnFailed(w.runner, w.service.RecordFailure)
	jobs.Bind(w.runner, jobs.Options{}, w.service.RunPrune)
	jobs.Bind(w.runner, delivery.ReadBouncesOptions, w.service.RunReadBounces)
	return w
}

func (w *world) workspace(name string) tenants.Tenant {
	w.t.Helper()
	tenant, err := w.tenants.Create(w.t.Context(), tenants.New{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return tenant
}

func (w *world) queue(to delivery.Recipient, letter delivery.Letter) (id ids.Message, err error) {
	err = w.db.InTenantTx(w.t.Context(), w.tenant.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		id, err = w.service.Queue(ctx, tx, to, letter)
		return err
	})
	return id, err
}

var reset = delivery.PasswordReset{Name: "Ada", Link: "https://bi.example.com/reset?token=abc123", Until: time.Now().Add(time.Hour)}
var ada = delivery.Recipient{Address: "ada@example.com", Name: "Ada Lovelace"}

// work runs due jobs until none is left.
func (w *world) work() {
	w.t.Helper()
	for {
		rows, err := w.db.DispatchJobs(w.t.Context(), jobs.Dispatch{Queue: jobs.Short, Kinds: w.runner.Kinds(), Waiting: 10, PerTenant: 10, Hold: time.Minute})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(rows) == 0 {
			return
		}
		for _, row := range rows {
			w.runner.Do(w.t.Context(), row.ID, row.Kind, row.Attempt)
		}
	}
}

func (w *world) actor(role access.Role) access.Actor {
	return access.Actor{Kind: access.Person, TenantID: w.tenant.ID, UserID: ids.New[ids.User](), Role: role}
}

func (w *world) outbox() []delivery.Message {
	w.t.Helper()
	list, err := w.service.ListOutbox(w.t.Context(), w.actor(access.Admin))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) storedBody(id ids.Message) []byte {
	w.t.Helper()
	var row db.DeliveryGetRow
	err := w.db.InTenantTx(w.t.Context(), w.tenant.ID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.DeliveryGet(ctx, w.tenant.ID.UUID(), id.UUID())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return row.Body
}

func TestMessageIsSentOnce(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	w := setup(t, server, false)
	id, err := w.queue(ada, reset)
	if err != nil {
		t.Fatal(err)
	}
	if body := w.storedBody(id); len(body) == 0 || bytes.Contains(body, []byte("abc123")) {
		t.Errorf("stored body is %q, want it sealed", body)
	}
	w.work()
	got := server.Next(t)
	if got.To != "ada@example.com" || !strings.Contains(got.Data, "Message-ID: <"+id.String()+"@example.com>") || !strings.Contains(got.Data, "abc123") {
		t.Errorf("got %+v", got)
	}
	list := w.outbox()
	if len(list) != 1 || list[0].State != delivery.Sent || list[0].Attempts != 1 || list[0].SentAt.IsZero() || list[0].Text != "" {
		t.Errorf("outbox is %+v", list)
	}
	if body := w.storedBody(id); len(body) != 0 {
		t.Error("the body is kept after sending")
	}
	// The same job, delivered again, and a second job for the same message.
	err = w.db.InTenantTx(t.Context(), w.tenant.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: delivery.SendArgs{MessageID: id}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if n := len(server.Taken()); n != 1 {
		t.Errorf("the server got %d messages, want 1", n)
	}
}

func TestNoCommitNoMessage(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	w := setup(t, server, false)
	rollback := errors.New("roll back")
	err := w.db.InTenantTx(t.Context(), w.tenant.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := w.service.Queue(ctx, tx, ada, reset)
		return errors.Join(err, rollback)
	})
	if !errors.Is(err, rollback) {
		t.Fatal(err)
	}
	w.work()
	if n := len(server.Taken()); n != 0 || len(w.outbox()) != 0 {
		t.Errorf("the server got %d messages", n)
	}
}

func TestFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		answer   func(n int32) error
		state    delivery.State
		attempts int
		says     string
	}{
		"busy at first": {func(n int32) error { return map[bool]error{true: mailtest.Refuse(451, "busy")}[n < 3] }, delivery.Sent, 3, ""},
		"no such user":  {func(int32) error { return mailtest.Refuse(550, "no such user here") }, delivery.Failed, 1, "no such user here"},
		"always busy":   {func(int32) error { return mailtest.Refuse(451, "busy") }, delivery.Failed, 3, "asks to try again later"},
		"breaks off":    {func(n int32) error { return map[bool]error{true: mailtest.ErrDrop}[n < 2] }, delivery.Sent, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int32
			server := mailtest.Start(t, mailtest.Options{Answer: func(string) error { return tc.answer(tries.Add(1)) }})
			w := setup(t, server, false)
			id, err := w.queue(ada, reset)
			if err != nil {
				t.Fatal(err)
			}
			w.work()
			m := w.outbox()[0]
			if m.State != tc.state || m.Attempts != tc.attempts || !strings.Contains(m.LastError, tc.says) || (tc.says == "") != (m.LastError == "") {
				t.Errorf("message is %+v", m)
			}
			if body := w.storedBody(id); len(body) != 0 {
				t.Error("the body of a closed message is kept")
			}
		})
	}
}

func TestWithoutMailServerMessagesAreKept(t *testing.T) {
	for name, demo := range map[string]bool{"demo": true, "not configured": false} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, nil, demo)
			if _, err := w.queue(ada, reset); err != nil {
				t.Fatal(err)
			}
			w.work()
			list := w.outbox()
			if len(list) != 1 || list[0].State != delivery.Kept || list[0].Subject != "Reset for Ada" {
				t.Fatalf("outbox is %+v", list)
			}
			// A link that opens an account is shown in a demo only.
			if shown := strings.Contains(list[0].Text, "abc123"); shown != demo {
				t.Errorf("text is %q", list[0].Text)
			}
			all, err := w.service.ListDemoOutbox(t.Context())
			if demo && (err != nil || len(all) != 1) {
				t.Errorf("got %+v, %v", all, err)
			}
			if !demo && !errors.Is(err, access.ErrForbidden) {
				t.Errorf("got %v, want access.forbidden", err)
			}
		})
	}
}

func TestOutboxIsForAdminsOfTheWorkspace(t *testing.T) {
	w := setup(t, nil, true)
	if _, err := w.queue(ada, reset); err != nil {
		t.Fatal(err)
	}
	for role, allowed := range map[access.Role]bool{access.Owner: true, access.Admin: true, access.Editor: false, access.Viewer: false} {
		list, err := w.service.ListOutbox(t.Context(), w.actor(role))
		if allowed && (err != nil || len(list) != 1) {
			t.Errorf("%s: got %d messages, %v", role, len(list), err)
		}
		if !allowed && !errors.Is(err, access.ErrForbidden) {
			t.Errorf("%s: got %v, want access.forbidden", role, err)
		}
	}
	other := w.actor(access.Owner)
	other.TenantID = w.workspace("Other").ID
	if list, err := w.service.ListOutbox(t.Context(), other); err != nil || len(list) != 0 {
		t.Errorf("another workspace got %d messages, %v", len(list), err)
	}
}

func TestBadRecipientsAreRefused(t *testing.T) {
	w := setup(t, nil, false)
	for name, tc := range map[string]struct {
		to     delivery.Recipient
		letter delivery.Letter
		code   string
	}{
		"address":                     {delivery.Recipient{Address: "ada"}, reset, "mail.address"},
		"two":                         {delivery.Recipient{Address: "a@example.com,b@example.com"}, reset, "mail.address"},
		"line in name":                {delivery.Recipient{Address: "a@example.com", Name: "A\r\nBcc: b@example.com"}, reset, "mail.header"},
		"line in what somebody wrote": {ada, delivery.Invitation{Inviter: "Eve\r\nBcc: b@example.com"}, "mail.header"},
	} {
		if _, err := w.queue(tc.to, tc.letter); apperr.Describe(err).Code != tc.code {
			t.Errorf("%s: got %v, want %s", name, err, tc.code)
		}
	}
	if list := w.outbox(); len(list) != 0 {
		t.Errorf("outbox is %+v", list)
	}
}

func TestPruneSparesYoungMessages(t *testing.T) {
	w := setup(t, nil, false)
	if _, err := w.queue(ada, reset); err != nil {
		t.Fatal(err)
	}
	err := w.db.InTenantTx(t.Context(), w.tenant.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: delivery.PruneArgs{}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if list := w.outbox(); len(list) != 1 {
		t.Errorf("outbox is %+v", list)
	}
}

// What was shipped is never renamed: rows of an older binary are still read.
func TestPayloadsKeepTheirShape(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("01930000-0000-7000-8000-000000000001")
	text, err := json.Marshal(delivery.SendArgs{MessageID: ids.Message(id)})
	if err != nil || string(text) != `{"message":"01930000-0000-7000-8000-000000000001"}` {
		t.Errorf("got %s, %v", text, err)
	}
}
