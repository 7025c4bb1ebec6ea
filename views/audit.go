package views

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of the audit log.
const (
	PathAudit        = PathSettings + "/audit"
	PathAuditEntries = PathAudit + "/entries/"
	PathAuditExport  = PathAudit + "/export" // GET format=csv|ndjson and the filters
	PathAuditVerify  = PathAudit + "/verify" // POST
	PathAuditKeeping = PathAudit + "/keeping"
	PathAuditForward = PathAudit + "/forward" // POST kind, address, token
)

// AuditFeatures are what actions can be filtered by: what stands before the
// full stop of an action, in the order shown.
var AuditFeatures = []string{"auth", "access", "members", "group", "workspace", "sharing", "dashboard", "folder", "view", "comment", "template",
	"datasets", "report", "alert", "channel", "mail", "portals", "roles", "keys", "embed", "sso", "domains", "security", "groups", "audit"}

// AuditAction says an action in words. One without words of its own is said by
// its code.
func AuditAction(ctx context.Context, action string) string {
	const key = "audit.did."
	if text := messages.T(ctx, key+action); text != key+action {
		return text
	}
	feature, verb, _ := strings.Cut(action, ".")
	text := strings.ReplaceAll(feature+": "+verb, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// AuditActionsNamed are the actions whose words have all words of the text.
func AuditActionsNamed(ctx context.Context, text string) []string {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return nil
	}
	const key = "audit.did."
	var found []string
	for _, action := range messages.KeysBelow(key) {
		said := strings.ToLower(messages.T(ctx, key+action))
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(said, word) }) {
			found = append(found, action)
		}
	}
	return found
}

// AuditProps is a page of the audit log.
type AuditProps struct {
	CanKeep  bool   // how long entries are kept, and where they go
	Zone     string // short name of the time zone
	Search   string
	Span     ui.DateRangeProps
	People   []ui.Option
	Person   string
	Actions  []ui.Option
	Action   string
	Results  []ui.Option
	Result   string
	Sealed   int64 // batches
	Batches  string
	Days     int
	Lines    []AuditLine
	Filtered bool
	Newest   string // link to the first page; empty on it
	Older    string // link to the next page
	CSV      string // links of the exports
	NDJSON   string
	Verified *ui.NoticeProps
}

// AuditLine is one entry of the list.
type AuditLine struct {
	Href    string
	Day     string // where it is another than that of the line above
	Time    string
	ISO     string
	UserID  string // empty for no person
	Name    string
	Icon    string // in place of initials
	Action  string
	Mark    string // icon of the action
	Object  string
	Address string
	Denied  bool
}

// auditMarks are the icons of actions: by the whole action, else by its feature.
var auditMarks = map[string]string{
	"auth": "lock", "sso": "shield-check", "security": "shield-check", "access": "circle-x", "members": "users-round", "groups": "users-round", "group": "users-round",
	"roles": "shield-check", "keys": "key-round", "embed": "code-xml", "dashboard": "layout-dashboard", "datasets": "database", "dataset": "database",
	"report": "mail", "mail": "mail", "alert": "bell", "audit": "list", "workspace": "settings", "portals": "panels-top-left", "comment": "message-square",
	"dashboard.downloaded": "download", "dashboard.file_downloaded": "download", "members.exported": "download", "audit.exported": "download",
}

// AuditMark is the icon of an action.
func AuditMark(action string) string {
	feature, _, _ := strings.Cut(action, ".")
	return orElse(orElse(auditMarks[action], auditMarks[feature]), "circle-dot")
}

// AuditWho names who acted, and the icon for one that is no person.
func AuditWho(ctx context.Context, l audit.Line) (name, icon string) {
	switch {
	case l.Kind == access.Visitor && l.Who.Email != "":
		return orElse(l.Who.Name, l.Who.Email), "circle-user-round"
	case l.Who.Name != "":
		return l.Who.Name, ""
	case l.Who.Email != "":
		return l.Who.Email, ""
	case l.Kind == access.Console:
		return messages.T(ctx, "audit.console"), "code-xml"
	case l.Kind == access.System && l.Denied: // we ask for nothing that is refused: somebody has, whom nobody knows
		return messages.T(ctx, "audit.unknown"), "user-round-x"
	case l.Kind == access.System:
		return messages.T(ctx, "audit.system"), "settings"
	case l.Kind == access.Program, l.Kind == access.Key:
		return orElse(text(l.What.Detail["key"]), messages.T(ctx, "audit.program")), "key-round"
	case l.Kind == access.Visitor:
		if email := text(l.What.Detail["email"]); email != "" {
			return email, "circle-user-round"
		}
		if subject := text(l.What.Detail["subject"]); subject != "" {
			return subject, "circle-user-round"
		}
		return messages.T(ctx, "audit.visitor"), "circle-user-round"
	case !l.User.IsZero():
		return messages.T(ctx, "audit.erased"), "user-round-x"
	}
	return messages.T(ctx, "audit.unknown"), "user-round-x"
}

// whyRefused says why a single sign-on was refused; nothing of other entries.
func whyRefused(ctx context.Context, l audit.Line) string {
	if l.Action != "auth.sso_refused" {
		return ""
	}
	code := text(l.What.Detail["code"])
	key := "audit.why." + code
	if said := messages.T(ctx, key); said != key {
		return said
	}
	return code
}

// ssoRefused says whom a refused single sign-on was about, and why it was.
func ssoRefused(ctx context.Context, l audit.Line) string {
	said := whyRefused(ctx, l)
	if who := orElse(text(l.What.Detail["email"]), text(l.What.Detail["subject"])); who != "" {
		key := "audit.claimed"
		if proven, _ := l.What.Detail["proven"].(bool); proven {
			key = "audit.proven"
		}
		said = messages.T(ctx, key, "Who", who, "Why", said)
	} else {
		said = capitalised(said)
	}
	if portal, _ := l.What.Detail["portal"].(string); portal != "" {
		said += " · " + l.What.Name
	}
	return said
}

// AuditObject says what was acted on, and what changed, in one line.
func AuditObject(ctx context.Context, l audit.Line) string {
	name := l.What.Name
	if l.Action == "auth.sso_refused" {
		name = ssoRefused(ctx, l)
	}
	switch {
	case name != "":
	case l.Target == "address":
		name = strings.TrimSpace(text(l.What.Detail["method"]) + " " + l.TargetID)
	case l.Target == "domain":
		name = l.TargetID
	default: // what the database has no name of is called by what was said of it
		for _, part := range []string{"host", "email", "address", "file", "column", "slug"} {
			if name = text(l.What.Detail[part]); name != "" {
				break
			}
		}
	}
	var said []string
	for _, c := range AuditChanges(ctx, l) {
		if len(said) < 3 && (c.Before != "" || c.After != "") {
			said = append(said, strings.TrimSpace(c.Before+" → "+c.After))
		}
	}
	if times, ok := l.What.Detail["times"].(float64); ok {
		said = append(said, messages.T(ctx, "audit.times", "Count", int(times)))
	}
	switch {
	case len(said) == 0:
		return name
	case name == "":
		return strings.Join(said, ", ")
	}
	return name + ": " + strings.Join(said, ", ")
}

// AuditChange is one value before and after.
type AuditChange struct{ Name, Before, After string }

// AuditChanges are the values that differ, by name.
func AuditChanges(ctx context.Context, l audit.Line) []AuditChange {
	names := map[string]bool{}
	for _, part := range []map[string]any{l.What.Before, l.What.After} {
		for name := range part {
			names[name] = true
		}
	}
	var changes []AuditChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, after := said(ctx, l.What.Before[name]), said(ctx, l.What.After[name])
		if before != after {
			changes = append(changes, AuditChange{strings.ReplaceAll(name, "_", " "), before, after})
		}
	}
	return changes
}

// AuditDetails are the values beside the changes, by name.
func AuditDetails(ctx context.Context, l audit.Line) []AuditChange {
	var list []AuditChange
	for _, name := range slices.Sorted(maps.Keys(l.What.Detail)) {
		list = append(list, AuditChange{Name: strings.ReplaceAll(name, "_", " "), After: said(ctx, l.What.Detail[name])})
	}
	return list
}

// text writes a plain value that came from JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// said writes any value that came from JSON for people: permissions by their
// names, lists with commas, objects as names with values.
func said(ctx context.Context, v any) string {
	var parts []string
	switch v := v.(type) {
	case bool:
		if v {
			return messages.T(ctx, "audit.yes")
		}
		return messages.T(ctx, "audit.no")
	case string:
		if slices.Contains(access.Permissions, access.Permission(v)) {
			return messages.T(ctx, "permission."+v)
		}
		return v
	case []any:
		for _, one := range v {
			parts = append(parts, said(ctx, one))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, strings.ReplaceAll(name, "_", " ")+": "+said(ctx, v[name]))
		}
		return strings.Join(parts, "; ")
	}
	return text(v)
}

// AuditEntryProps is the page of one entry.
type AuditEntryProps struct {
	Line audit.Line
	Time string
}

// AuditKeepingProps is the page of how the log is kept.
type AuditKeepingProps struct {
	Days    string
	Kinds   []ui.Option
	Kind    string
	Address string
	Sent    string // in words, where something is sent
	Failed  string
	Errors  map[string]string // days, kind, address, secret
}
