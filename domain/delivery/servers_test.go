package delivery_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/hosts/hoststest"
	"github.com/dataflowhq/dataflow/platform/jobs"
	"github.com/dataflowhq/dataflow/platform/mail"
	"github.com/dataflowhq/dataflow/platform/mail/mailtest"
	"github.com/dataflowhq/dataflow/platform/outbound"
)

// own are the settings of a workspace for a server of a test.
func own(s *mailtest.Server, o mailtest.Options) delivery.MailServer {
	return delivery.MailServer{Host: s.Host, Port: s.Port, TLS: mail.StartTLS, Username: o.Username, Password: o.Password, FromName: "Ashby & Väle 📈", FromAddress: "reports@acme.test"}
}

var signIn = mailtest.Options{Username: "acme", Password: "correct horse"}

func trusting(s *mailtest.Server) func(*delivery.Deps) {
	return func(d *delivery.Deps) { d.RootCAs = s.RootCAs }
}

func (w *world) set(m delivery.MailServer) {
	w.t.Helper()
	if err := w.service.SetMailServer(w.t.Context(), w.actor(access.Admin), m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) mail() delivery.Mail {
	w.t.Helper()
	m, err := w.service.GetMail(w.t.Context(), w.actor(access.Admin))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) send(letter delivery.Letter) ids.Message {
	w.t.Helper()
	id, err := w.queue(ada, letter)
	if err != nil {
		w.t.Fatal(err)
	}
	w.work()
	return id
}

func TestWorkspaceMailGoesByItsOwnServer(t *testing.T) {
	installation, server := mailtest.Start(t, mailtest.Options{}), mailtest.Start(t, signIn)
	w := setup(t, installation, false, trusting(server))
	if m := w.mail(); m.Own || !m.Installed {
		t.Errorf("before: %+v", m)
	}
	w.set(own(server, signIn))
	w.send(notice)
	got := server.Next(t)
	if got.User != "acme" || !got.TLS || got.From != "reports@acme.test" || !strings.Contains(got.Data, "<reports@acme.test>") || strings.Contains(got.Data, "bi@example.com") {
		t.Errorf("got %+v", got)
	}
	// A portal's mail goes out under the portal's name.
	w.send(delivery.PortalLink{Portal: "Northwind Insights", Link: "https://insights.example.com/x"})
	if got = server.Next(t); !strings.Contains(got.Data, `From: "Northwind Insights" <reports@acme.test>`) {
		t.Errorf("got %.300s", got.Data)
	}
	// Another workspace has the installation's, as this one without its own.
	mine := w.tenant
	w.tenant = w.workspace("Other")
	w.send(notice)
	if got = installation.Next(t); got.From != "bi@example.com" {
		t.Errorf("got %+v", got)
	}
	w.tenant = mine
	if err := w.service.RemoveMailServer(t.Context(), w.actor(access.Admin)); err != nil {
		t.Fatal(err)
	}
	w.send(notice)
	if got = installation.Next(t); got.From != "bi@example.com" || len(server.Taken()) != 2 {
		t.Errorf("got %+v", got)
	}
}

// Whoever sets up a workspace's server reads what goes through it, so links that
// let people in never do.
func TestLinksThatLetPeopleInKeepOffOwnServers(t *testing.T) {
	installation, server := mailtest.Start(t, mailtest.Options{}), mailtest.Start(t, signIn)
	w := setup(t, installation, false, trusting(server))
	w.set(own(server, signIn))
	for _, letter := range []delivery.Letter{reset, delivery.Invitation{Workspace: "Acme", Role: "owner", Link: "https://bi.example.com/x"},
		delivery.ConnectLink{Workspace: "Acme", Link: "https://bi.example.com/x"}} {
		w.send(letter)
		if got := installation.Next(t); got.From != "bi@example.com" {
			t.Errorf("got %+v", got)
		}
	}
	if taken := server.Taken(); len(taken) > 0 {
		t.Errorf("the workspace's server took %+v", taken)
	}
}

// Where the installation has no server, the mail of a workspace that has one
// leaves all the same, and that of others is kept; so are links that let in.
func TestOwnServerWithoutOneOfTheInstallation(t *testing.T) {
	server := mailtest.Start(t, signIn)
	w := setup(t, nil, true, trusting(server))
	w.send(notice)
	if list := w.outbox(); list[0].State != delivery.Kept {
		t.Errorf("outbox is %+v", list)
	}
	w.set(own(server, signIn))
	w.send(reset)
	w.send(notice)
	if got := server.Next(t); got.To != "ada@example.com" {
		t.Errorf("got %+v", got)
	}
	if list := w.outbox(); list[0].State != delivery.Sent || list[1].State != delivery.Kept || list[2].State != delivery.Kept {
		t.Errorf("outbox is %+v", list)
	}
}

func TestMailSettingsThatCantBe(t *testing.T) {
	server := mailtest.Start(t, signIn)
	w := setup(t, nil, false, trusting(server))
	for name, tc := range map[string]struct {
		change func(*delivery.MailServer)
		field  string
	}{
		"no server":              {func(m *delivery.MailServer) { m.Host = "" }, "host"},
		"an address":             {func(m *delivery.MailServer) { m.Host = "https://mail.example.com/" }, "host"},
		"no port":                {func(m *delivery.MailServer) { m.Port = 0 }, "port"},
		"in the open":            {func(m *delivery.MailServer) { m.Host, m.TLS = "mail.example.com", mail.NoTLS }, "tls"},
		"some protection":        {func(m *delivery.MailServer) { m.TLS = "perhaps" }, "tls"},
		"user over lines":        {func(m *delivery.MailServer) { m.Username = "a\r\nMAIL FROM:<b>" }, "username"},
		"no password":            {func(m *delivery.MailServer) { m.Password = "" }, "password"},
		"line in name":           {func(m *delivery.MailServer) { m.FromName = "Acme\r\nBcc: eve@example.com" }, "from_name"},
		"long name":              {func(m *delivery.MailServer) { m.FromName = strings.Repeat("n", 101) }, "from_name"},
		"line in address":        {func(m *delivery.MailServer) { m.FromAddress = "a@acme.test\r\nBcc: eve@example.com" }, "from_address"},
		"two addresses":          {func(m *delivery.MailServer) { m.FromAddress = "a@acme.test, b@acme.test" }, "from_address"},
		"address with a name":    {func(m *delivery.MailServer) { m.FromAddress = "Acme <a@acme.test>" }, "from_address"},
		"domain of everybody":    {func(m *delivery.MailServer) { m.FromAddress = "a@co.uk" }, "from_address"},
		"no room for a mark":     {func(m *delivery.MailServer) { m.BounceAddress = strings.Repeat("b", 30) + "@acme.test" }, "bounce_address"},
		"line in bounce address": {func(m *delivery.MailServer) { m.BounceAddress = "b@acme.test>\r\nRCPT TO:<e@example.com" }, "bounce_address"},
	} {
		m := own(server, signIn)
		tc.change(&m)
		err := w.service.SetMailServer(t.Context(), w.actor(access.Admin), m)
		if fields, _ := apperr.Fields(err); fields[tc.field] == "" || len(fields) != 1 {
			t.Errorf("%s: %v %v", name, fields, err)
		}
	}
	if m := w.mail(); m.Own {
		t.Errorf("kept: %+v", m.Server)
	}
}

// A password lies sealed, is answered to nobody, and goes to no other server.
func TestPasswordsOfServersAreKept(t *testing.T) {
	server, elsewhere := mailtest.Start(t, signIn), mailtest.Start(t, signIn)
	w := setup(t, nil, false, trusting(server))
	w.set(own(server, signIn))
	m := w.mail()
	if m.Server.Password != "" || !m.Server.HasPassword {
		t.Errorf("answered %+v", m.Server)
	}
	var sealed []byte
	if err := w.owner().QueryRow(t.Context(), `SELECT password FROM mail_servers`).Scan(&sealed); err != nil || len(sealed) < 20 || bytes.Contains(sealed, []byte(signIn.Password)) {
		t.Errorf("stored %q, %v", sealed, err)
	}
	again := own(server, signIn)
	again.Password, again.FromName = "", "Acme"
	w.set(again)
	w.send(notice)
	if got := server.Next(t); got.User != "acme" || !strings.Contains(got.Data, `"Acme"`) {
		t.Errorf("got %+v", got)
	}
	for name, change := range map[string]func(*delivery.MailServer){
		"another server": func(m *delivery.MailServer) { m.Port = elsewhere.Port },
		"another user":   func(m *delivery.MailServer) { m.Username = "eve" },
	} {
		m := again
		change(&m)
		if fields, _ := apperr.Fields(w.service.SetMailServer(t.Context(), w.actor(access.Admin), m)); fields["password"] == "" {
			t.Errorf("%s: the password went along", name)
		}
	}
}

func TestTestMailSaysWhatTheServerAnswered(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{Username: "acme", Password: "correct horse", Answer: func(to string) error {
		if to == "full@example.com" {
			return mailtest.Refuse(552, "mailbox full")
		}
		return nil
	}})
	w := setup(t, nil, false, trusting(server))
	test := func(to string) (string, error) {
		return w.service.TestMail(t.Context(), w.actor(access.Admin), delivery.Recipient{Address: to, Name: "Ada"}, delivery.MailTest{At: time.Now()})
	}
	if _, err := test("ada@example.com"); apperr.Describe(err).Code != "delivery.no_server" {
		t.Errorf("without a server: %v", err)
	}
	w.set(own(server, signIn))
	answer, err := test("ada@example.com")
	if err != nil || !strings.HasPrefix(answer, "250 ") {
		t.Errorf("%q, %v", answer, err)
	}
	if got := server.Next(t); !strings.Contains(got.Data, "Test by 127.0.0.1:"+strconv.Itoa(server.Port)) {
		t.Errorf("got %.300s", got.Data)
	}
	if _, err := test("full@example.com"); !strings.Contains(apperr.Describe(err).Sentence, "552 5.0.0 mailbox full") {
		t.Errorf("%v", err)
	}
	wrong := own(server, signIn)
	wrong.Password = "battery staple"
	w.set(wrong)
	if _, err := test("ada@example.com"); !strings.Contains(apperr.Describe(err).Sentence, "refused our sign-in. Check user name and password") {
		t.Errorf("%v", err)
	}
}

// A workspace can't have the server connect to the networks around it.
func TestServersInPrivateNetworksAreRefused(t *testing.T) {
	server, box := mailtest.Start(t, signIn), mailtest.StartIMAP(t, false)
	w := setup(t, nil, false, trusting(server), func(d *delivery.Deps) { d.Outbound = outbound.New(outbound.Config{}) })
	w.set(own(server, signIn))
	_, err := w.service.TestMail(t.Context(), w.actor(access.Admin), ada, delivery.MailTest{})
	if sentence := apperr.Describe(err).Sentence; !strings.Contains(sentence, "private network") {
		t.Errorf("%q", sentence)
	}
	w.setMailbox(box)
	if err := w.service.ReadBounces(t.Context(), w.actor(access.Admin)); !strings.Contains(apperr.Describe(err).Sentence, "private network") {
		t.Errorf("%v", err)
	}
	if len(server.Taken()) != 0 {
		t.Error("it was reached")
	}
}

func (w *world) setMailbox(box *mailtest.IMAP) {
	w.t.Helper()
	err := w.service.SetMailbox(w.t.Context(), w.actor(access.Admin), delivery.Mailbox{Host: box.Host, Port: box.Port, TLS: mail.StartTLS, Username: box.Username, Password: box.Password})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestMailIsSignedOnceTheKeyIsInTheDNS(t *testing.T) {
	server, dns := mailtest.Start(t, mailtest.Options{}), hoststest.StartDNS(t)
	resolver := hosts.NewResolver(dns.Address)
	w := setup(t, nil, false, trusting(server), func(d *delivery.Deps) { d.Resolver = resolver })
	admin := w.actor(access.Admin)
	if err := w.service.CreateMailKey(t.Context(), admin); apperr.Describe(err).Code != "delivery.key_missing" {
		t.Errorf("without a server: %v", err)
	}
	w.set(own(server, mailtest.Options{}))
	for range 2 { // the second time changes nothing
		if err := w.service.CreateMailKey(t.Context(), admin); err != nil {
			t.Fatal(err)
		}
	}
	key := *w.mail().Key
	if !strings.HasSuffix(key.Name, "._domainkey.acme.test") || !strings.HasPrefix(key.Record, "v=DKIM1; k=rsa; p=") || !key.VerifiedAt.IsZero() {
		t.Fatalf("key is %+v", key)
	}
	signed := func() bool {
		t.Helper()
		w.send(notice)
		data := server.Next(t).Data
		list, err := dkim.VerifyWithOptions(strings.NewReader(data), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) { return resolver.LookupTXT(t.Context(), name) }})
		if err != nil || len(list) > 1 || len(list) == 1 && list[0].Err != nil {
			t.Fatalf("%+v, %v", list, err)
		}
		return len(list) == 1
	}
	if err := w.service.CheckMailKey(t.Context(), admin); !errors.Is(err, mail.ErrKeyUnproven) {
		t.Errorf("not in the DNS: %v", err)
	}
	if signed() || w.mail().Key.Problem == "" {
		t.Error("signed, and nobody could check it")
	}
	dns.Add(t, record(key))
	if err := w.service.CheckMailKey(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	if !signed() || w.mail().Key.VerifiedAt.IsZero() {
		t.Error("not signed")
	}
	// A record that is gone is noticed within a day.
	dns.Remove(key.Name)
	w.exec(`UPDATE mail_keys SET checked_at = now() - interval '25 hours'`)
	w.ask(delivery.ReadBouncesArgs{})
	if signed() || !strings.Contains(w.mail().Key.Problem, "There is no TXT record") {
		t.Errorf("still signed: %+v", w.mail().Key)
	}
	if err := w.service.RemoveMailKey(t.Context(), admin); err != nil || w.mail().Key != nil {
		t.Errorf("%v", err)
	}
}

// record is a key's, in pieces of at most 255 bytes.
func record(k delivery.MailKey) string {
	return k.Name + `. 1 IN TXT "` + k.Record[:200] + `" "` + k.Record[200:] + `"`
}

// owner is a connection of who owns the database.
func (w *world) owner() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) })
	return conn
}

func (w *world) exec(statement string) {
	w.t.Helper()
	if _, err := w.owner().Exec(w.t.Context(), statement); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ask(args jobs.Args) {
	w.t.Helper()
	err := w.db.InTenantTx(w.t.Context(), w.tenant.ID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := jobs.Insert(ctx, tx, jobs.Row{TenantID: tx.TenantID, Args: args})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.work()
}

var notice = delivery.Notice{Kind: "mention", Subject: "Trading daily", Excerpt: "Look at this", Link: "https://bi.example.com/x"}

// What comes back is read from the workspace's mailbox, counts once, and keeps
// mail that comes by itself from the address until somebody clears it.
func TestBouncesAreReadFromTheMailbox(t *testing.T) {
	server, box := mailtest.Start(t, mailtest.Options{}), mailtest.StartIMAP(t, false)
	box.RootCAs.AddCert(server.Certificate)
	installation := mailtest.Start(t, mailtest.Options{})
	w := setup(t, installation, false, func(d *delivery.Deps) { d.RootCAs = box.RootCAs })
	m := own(server, mailtest.Options{})
	m.BounceAddress = "bounces@acme.test"
	w.set(m)
	w.setMailbox(box)
	id := w.send(notice)
	back := server.Next(t).From
	if !strings.HasPrefix(back, "bounces+") || !strings.HasSuffix(back, "@acme.test") {
		t.Fatalf("it comes back to %s", back)
	}
	forged := mail.ReturnPath("bounces@acme.test", []byte("a guess of thirty-two bytes long"), w.tenant.ID.UUID(), id.UUID())
	foreign := mail.ReturnPath("bounces@acme.test", w.secret, uuid.New(), id.UUID())
	for _, to := range []string{forged, foreign} {
		box.Deliver(t, "INBOX", mailtest.Bounce(to, "ada@example.com", "failed", "5.1.1", "550 no such user"))
	}
	w.ask(delivery.ReadBouncesArgs{})
	if list := w.outbox(); list[0].State != delivery.Sent || len(w.mail().Bounced) != 0 {
		t.Fatalf("forged: %+v", list[0])
	}
	for range 2 { // that it names somebody else is not believed
		box.Deliver(t, "INBOX", mailtest.Bounce(back, "victim@example.com", "failed", "5.1.1", "550 5.1.1 no such user"))
	}
	w.ask(delivery.ReadBouncesArgs{})
	if list := w.outbox(); list[0].State != delivery.Bounced || !strings.Contains(list[0].LastError, "There is no such mailbox. The mail server said: 550 5.1.1 no such user") {
		t.Errorf("outbox is %+v", list[0])
	}
	bounced := w.mail().Bounced
	if len(bounced) != 1 || bounced[0].Address != "ada@example.com" || bounced[0].Complaint || w.mail().Mailbox.Problem != "" || w.mail().Mailbox.ReadAt.IsZero() {
		t.Fatalf("bounced: %+v", bounced)
	}
	// A notification is withheld; a new password is tried all the same.
	w.send(notice)
	w.send(reset)
	if list := w.outbox(); list[0].State != delivery.Sent || list[1].State != delivery.Bounced || !strings.Contains(list[1].LastError, "Nothing was sent: mail to this address came back") {
		t.Errorf("outbox is %+v", list)
	}
	if got := installation.Next(t); !strings.Contains(got.Data, "Reset for") {
		t.Errorf("got %.200s", got.Data)
	}
	if err := w.service.ClearAddress(t.Context(), w.actor(access.Admin), "Ada@Example.com"); err != nil {
		t.Fatal(err)
	}
	w.send(notice)
	if list := w.outbox(); list[0].State != delivery.Sent || len(w.mail().Bounced) != 0 {
		t.Errorf("after clearing: %+v", list[0])
	}
	// A mailbox that can't be read says why.
	w.exec(`UPDATE mail_mailboxes SET folder = 'Nothing'`)
	w.ask(delivery.ReadBouncesArgs{})
	if problem := w.mail().Mailbox.Problem; !strings.Contains(problem, "has no folder “Nothing”") {
		t.Errorf("%q", problem)
	}
}

// The mailbox of the installation tells of the mail of every workspace.
func TestBouncesOfTheInstallation(t *testing.T) {
	server, box := mailtest.Start(t, mailtest.Options{}), mailtest.StartIMAP(t, true)
	w := setup(t, server, false, func(d *delivery.Deps) {
		d.BounceAddress = "bounces@example.com"
		d.Bounces = &mail.Mailbox{Host: box.Host, Port: box.Port, TLS: mail.TLS, Username: box.Username, Password: box.Password, RootCAs: box.RootCAs}
	})
	first := w.tenant
	w.send(reset)
	box.Deliver(t, "INBOX", mailtest.Bounce(server.Next(t).From, "ada@example.com", "failed", "5.2.2", "552 over quota"))
	w.tenant = w.workspace("Other")
	w.send(reset)
	server.Next(t)
	if err := w.service.ReadInstallationBounces(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := w.outbox(); list[0].State != delivery.Sent {
		t.Errorf("the other workspace's is %+v", list[0])
	}
	w.tenant = first
	// A full mailbox may have room tomorrow: the address is not given up.
	if list := w.outbox(); list[0].State != delivery.Bounced || !strings.Contains(list[0].LastError, "The mailbox is full.") || len(w.mail().Bounced) != 0 {
		t.Errorf("outbox is %+v", list[0])
	}
}

func signature(key string, at time.Time, body string) http.Header {
	moment := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(moment + "." + body))
	return http.Header{"Df-Timestamp": {moment}, "Df-Signature": {"v1=" + hex.EncodeToString(mac.Sum(nil))}}
}

func TestProvidersTellOfBounces(t *testing.T) {
	server := mailtest.Start(t, mailtest.Options{})
	w := setup(t, server, false)
	id, tenant := w.send(reset), w.tenant.ID
	event := func(fields string) string { return `{"events": [{` + fields + `}]}` }
	hard := event(fmt.Sprintf(`"event": "bounce", "type": "hard", "message_id": "<%s@example.com>", "recipient": "victim@example.com", "status": "5.1.1", "reason": "550 5.1.1\nno such user"`, id))
	now := time.Now()
	if err := w.service.TakeEvents(t.Context(), tenant, signature("guess", now, hard), []byte(hard)); apperr.Describe(err).Code != "delivery.hook_signature" {
		t.Errorf("without a webhook: %v", err)
	}
	key, err := w.service.CreateHook(t.Context(), w.actor(access.Admin))
	if err != nil {
		t.Fatal(err)
	}
	other := w.workspace("Other").ID
	for name, tc := range map[string]struct {
		tenant ids.Tenant
		header http.Header
		body   string
		code   string
	}{
		"another key":         {tenant, signature("guess", now, hard), hard, "delivery.hook_signature"},
		"no signature":        {tenant, http.Header{}, hard, "delivery.hook_signature"},
		"another body":        {tenant, signature(key, now, hard), hard + " ", "delivery.hook_signature"},
		"old":                 {tenant, signature(key, now.Add(-10*time.Minute), hard), hard, "delivery.hook_signature"},
		"from the future":     {tenant, signature(key, now.Add(10*time.Minute), hard), hard, "delivery.hook_signature"},
		"another workspace":   {other, signature(key, now, hard), hard, "delivery.hook_signature"},
		"nobody's workspace":  {ids.New[ids.Tenant](), signature(key, now, hard), hard, "delivery.hook_signature"},
		"no JSON":             {tenant, signature(key, now, "x"), "x", "delivery.hook_body"},
		"no events":           {tenant, signature(key, now, `{"events": []}`), `{"events": []}`, "delivery.hook_body"},
		"an event of no kind": {tenant, signature(key, now, event(`"event": "opened", "recipient": "a@example.com"`)), event(`"event": "opened", "recipient": "a@example.com"`), "delivery.hook_body"},
		"of nobody":           {tenant, signature(key, now, event(`"event": "bounce", "type": "hard"`)), event(`"event": "bounce", "type": "hard"`), "delivery.hook_body"},
	} {
		if err := w.service.TakeEvents(t.Context(), tc.tenant, tc.header, []byte(tc.body)); apperr.Describe(err).Code != tc.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.outbox()[0].State != delivery.Sent {
		t.Fatalf("outbox is %+v", w.outbox()[0])
	}
	for range 2 {
		if err := w.service.TakeEvents(t.Context(), tenant, signature(key, now, hard), []byte(hard)); err != nil {
			t.Fatal(err)
		}
	}
	if m := w.outbox()[0]; m.State != delivery.Bounced || !strings.HasSuffix(m.LastError, "The mail server said: 550 5.1.1 no such user") {
		t.Errorf("outbox is %+v", m)
	}
	// Beside a mail of another program that has the same account.
	complaint := event(`"event": "bounce", "type": "hard", "message_id": "<never@demo.example>", "recipient": "victim@example.com"}, {"event": "complaint", "recipient": "bob@example.com"`)
	if err := w.service.TakeEvents(t.Context(), tenant, signature(key, now, complaint), []byte(complaint)); err != nil {
		t.Fatal(err)
	}
	bounced := w.mail().Bounced
	if len(bounced) != 2 || bounced[0].Address != "ada@example.com" || bounced[1].Address != "bob@example.com" || !bounced[1].Complaint || w.mail().Hook.UsedAt.IsZero() {
		t.Errorf("bounced: %+v", bounced)
	}
	if err := w.service.RemoveHook(t.Context(), w.actor(access.Admin)); err != nil {
		t.Fatal(err)
	}
	if err := w.service.TakeEvents(t.Context(), tenant, signature(key, now, hard), []byte(hard)); apperr.Describe(err).Code != "delivery.hook_signature" {
		t.Errorf("after its end: %v", err)
	}
}

// Mail settings are for who manages the workspace, and nobody else's.
func TestMailSettingsAreForAdminsOfTheWorkspace(t *testing.T) {
	server := mailtest.Start(t, signIn)
	w := setup(t, nil, false, trusting(server))
	w.set(own(server, signIn))
	calls := map[string]func(access.Actor) error{
		"GetMail":          func(a access.Actor) error { _, err := w.service.GetMail(t.Context(), a); return err },
		"SetMailServer":    func(a access.Actor) error { return w.service.SetMailServer(t.Context(), a, own(server, signIn)) },
		"RemoveMailServer": func(a access.Actor) error { return w.service.RemoveMailServer(t.Context(), a) },
		"TestMail": func(a access.Actor) error {
			_, err := w.service.TestMail(t.Context(), a, ada, delivery.MailTest{})
			return err
		},
		"CreateMailKey": func(a access.Actor) error { return w.service.CreateMailKey(t.Context(), a) },
		"CheckMailKey":  func(a access.Actor) error { return w.service.CheckMailKey(t.Context(), a) },
		"RemoveMailKey": func(a access.Actor) error { return w.service.RemoveMailKey(t.Context(), a) },
		"SetMailbox": func(a access.Actor) error {
			return w.service.SetMailbox(t.Context(), a, delivery.Mailbox{Host: "imap.example.com", Port: 993, TLS: "tls", Username: "a", Password: "b"})
		},
		"RemoveMailbox": func(a access.Actor) error { return w.service.RemoveMailbox(t.Context(), a) },
		"ReadBounces":   func(a access.Actor) error { return w.service.ReadBounces(t.Context(), a) },
		"CreateHook":    func(a access.Actor) error { _, err := w.service.CreateHook(t.Context(), a); return err },
		"RemoveHook":    func(a access.Actor) error { return w.service.RemoveHook(t.Context(), a) },
		"ClearAddress":  func(a access.Actor) error { return w.service.ClearAddress(t.Context(), a, "ada@example.com") },
	}
	for name, call := range calls {
		for _, role := range []access.Role{access.Editor, access.Viewer} {
			if err := call(w.actor(role)); !errors.Is(err, access.ErrForbidden) {
				t.Errorf("%s as %s: %v", name, role, err)
			}
		}
	}
	other := w.actor(access.Owner)
	other.TenantID = w.workspace("Other").ID
	if m, err := w.service.GetMail(t.Context(), other); err != nil || m.Own || m.Server.Host != "" {
		t.Errorf("another workspace has %+v, %v", m, err)
	}
	if err := w.service.RemoveMailServer(t.Context(), other); err != nil || !w.mail().Own {
		t.Errorf("removed from outside: %v", err)
	}
}
