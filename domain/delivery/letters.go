package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dataflowhq/dataflow/domain/brand"
)

// Letter is what a message says, before somebody has put it into words.
type Letter interface{ kind() string }

// PasswordReset lets a person choose a new password.
type PasswordReset struct {
	Name  string    // of the person; may be empty
	Link  string    // works once
	Until time.Time // with the zone in which it is to be shown
}

// PortalLink lets a visitor of a portal choose a password. It says nothing of who
// runs the portal.
type PortalLink struct {
	Portal  string // how it calls itself
	Sender  string // under whose name its mail goes out; Portal when empty
	Address string // of the portal
	Name    string // of the visitor; may be empty
	Invited bool   // it is the first password
	Link    string // works once
	Until   time.Time
	Colours brand.Mail // of the portal
}

// Invitation asks a person into a workspace.
type Invitation struct {
	Workspace string
	Inviter   string // name or address of who invites; empty for who has asked to join
	Role      string // as people read it, "editor"
	Link      string // works once
	Until     time.Time
}

// ConnectLink asks a member to sign in once at the workspace's identity provider,
// so that it knows them.
type ConnectLink struct {
	Workspace string
	Name      string // of the member; may be empty
	Link      string // works once
	Until     time.Time
}

// Report carries a scheduled report, or a link to it.
type Report struct {
	Name        string // of the schedule
	Dashboard   string
	Workspace   string // or the portal, whose visitor it is for
	Portal      string // address of that one; empty for who is no visitor
	Link        string // to the dashboard, with its filters; empty for who can't open it
	File        string // name of the attached file, or of the linked one
	FileLink    string // to the file, where it is too large to attach
	FileUntil   time.Time
	Bytes       int64
	Rows        int64 // of data; 0 where the file is none of rows
	Failed      int   // widgets that could not be drawn
	Widgets     int
	At          time.Time  // with the zone in which it is to be shown
	Picture     string     // name of the inline picture; empty for none
	Colours     brand.Mail // of the portal; zero for those of the product
	Unsubscribe string     // page; empty for a test
}

// ReportTrouble tells what became of a schedule that its owner has to see to.
type ReportTrouble struct {
	Name    string // of the schedule
	Trouble Trouble
	At      time.Time // when the run was due
	Owner   string    // who left
	Lines   []TroubleLine
	Link    string // to the schedule
}

// Trouble is what went wrong.
type Trouble string

// The troubles.
const (
	RunMissed     Trouble = "missed"  // nothing happened when it was due
	RunLate       Trouble = "late"    // it began and did not end
	RunFailed     Trouble = "failed"  // it ended, and not all was sent
	RunUnknown    Trouble = "unknown" // it ended, and nobody can know whether all arrived
	RunDelayed    Trouble = "delayed" // mails wait for a server that takes none; it is tried again
	RunUnmade     Trouble = "unmade"  // its file can't be made yet; it is tried again
	OwnerLeft     Trouble = "owner_left"
	DashboardGone Trouble = "dashboard_gone"
	PortalOff     Trouble = "portal_off"  // visitors have nothing mailed there any more
	NobodyLeft    Trouble = "nobody_left" // all recipients are gone
	CameBack      Trouble = "came_back"   // mails that were sent could not be delivered
)

// TroubleLine is what became of one recipient's mail.
type TroubleLine struct {
	Address string
	Text    string // a sentence
}

// Stopped ends what may be a server's own words like a sentence, since another
// one follows.
func Stopped(text string) string {
	if last, _ := utf8.DecodeLastRuneInString(text); text == "" || strings.ContainsRune(".!?…", last) {
		return text
	}
	return text + "."
}

// Gist is what became of the first of several lines, and of how many more.
func Gist(lines []TroubleLine) string {
	if len(lines) == 0 {
		return ""
	}
	text, more := Stopped(lines[0].Text), ""
	switch n := len(lines) - 1; n {
	case 0:
	case 1:
		more = " And 1 other."
	default:
		more = fmt.Sprintf(" And %d others.", n)
	}
	if lines[0].Address != "" {
		text = lines[0].Address + ": " + text
	}
	return text + more
}

func (Report) kind() string        { return "report" }
func (ReportTrouble) kind() string { return "report_trouble" }

// Notice tells a person what concerns them.
type Notice struct {
	Kind    string // why: a kind of package notify
	Name    string // of the person; may be empty
	By      string // who did it; empty for DataFlow itself
	Subject string // name of what it is about
	Excerpt string // what was said; may be empty
	Link    string // leads to it
}

// MailTest is sent by who sets the mail server up, to themselves.
type MailTest struct {
	Name      string // of the person; may be empty
	Workspace string
	Server    string // "mail.example.com:587"
	Link      string // to the settings
	At        time.Time
}

func (MailTest) kind() string      { return "mail_test" }
func (PasswordReset) kind() string { return "password_reset" }
func (PortalLink) kind() string    { return "portal_link" }
func (Invitation) kind() string    { return "invitation" }
func (ConnectLink) kind() string   { return "connect_link" }
func (Notice) kind() string        { return "notice" }

// opensAccount tells of the letters whose link lets somebody in as a person, who
// may be an owner and belong to other workspaces too. They go out by the
// installation's server only: whoever sets up the one of a workspace reads what
// goes through it.
func opensAccount(kind string) bool {
	return kind == (PasswordReset{}).kind() || kind == (Invitation{}).kind() || kind == (ConnectLink{}).kind()
}

// fromName is under whose name a letter goes out; empty for the sender's own.
func fromName(letter Letter) string {
	p, ok := letter.(PortalLink)
	if ok && p.Sender != "" {
		return p.Sender
	}
	return p.Portal
}

// Words is a letter in words: the same in plain text and in HTML.
type Words struct {
	Subject string
	Text    string
	HTML    string
}

// Renderer puts a letter into words of the language of a locale.
type Renderer interface {
	RenderLetter(ctx context.Context, locale string, letter Letter) (Words, error)
}
