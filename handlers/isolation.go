package handlers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/views"
)

// Target is a workspace that is attacked from outside.
type Target struct {
	Tenant uuid.UUID
	Keys   map[string][]uuid.UUID // ids that it has, by "table.column"
	Texts  []string               // that no answer may have
}

// Attacker is who asks.
type Attacker struct {
	Name  string // "owner of another workspace"
	Token string // of a session; empty for nobody
	Key   string // of the API; empty for none
}

// Attempt is one request and how it was answered.
type Attempt struct {
	As     string `json:"as"`
	Method string `json:"method"`
	Route  string `json:"route"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	Held   bool   `json:"held"`
	Why    string `json:"why,omitempty"` // where it did not hold, or what it was made with
}

// objectOf says which ids fill a part of an address, by the beginning of its
// route. A route with a part that nothing is said of is not covered, and that is
// a failure.
var objectOf = []struct{ prefix, part, key string }{
	{"/dashboards/", "{id}", "dashboards.dashboard_id"},
	{"/folders/", "{id}", "folders.folder_id"},
	{"/datasets/", "{id}", "datasets.dataset_id"},
	{views.PathAPI + "/datasets/", "{id}", "datasets.dataset_id"},
	{views.PathAPI + "/dashboards/", "{id}", "dashboards.dashboard_id"},
	{"/uploads/", "{id}", "uploads.upload_id"},
	{"/loads/", "{id}", "loads.load_id"},
	{views.PathGroups + "/", "{id}", "user_groups.group_id"},
	{views.PathRoles + "/", "{role}", "custom_roles.role_id"},
	{views.PathTemplates + "/", "{id}", "dashboard_templates.template_id"},
	{views.PathNotices + "/", "{id}", "notifications.notification_id"},
	{views.PathAuditEntries, "{entry}", "audit_events.audit_id"},
	{views.PathMembers + "/", "{id}", "users.user_id"},
	{views.PathAPIKeys + "/", "{id}", "api_keys.key_id"},
	{views.PathPortals + "/", "{portal}", "portals.portal_id"},
	{"/alerts/", "{alert}", "alerts.alert_id"},
	{"/channels/", "{channel}", "channels.channel_id"},
	{"/", "{report}", "reports.report_id"},
	{"/", "{schedule}", "report_schedules.schedule_id"},
	{"/", "{thread}", "comment_threads.thread_id"},
	{"/", "{comment}", "comments.comment_id"},
	{"/", "{view}", "dashboard_saved_views.view_id"},
	{"/", "{mail}", "delivery_messages.message_id"},
	{"/", "{delivery}", "report_deliveries.delivery_id"},
	{"/", "{recipient}", "report_recipients.recipient_id"},
}

// plainParts are parts of addresses that are no ids of objects.
var plainParts = map[string]string{"{widget}": "sum", "{filter}": "channel", "{version}": "1", "{column}": "1", "{name}": "x", "{n}": "0",
	"{act}": "pause", "{load}": "1", "{slug}": "nobodys", "{link}": "nobodys", "{kind}": "logo", "{sum}": "0", "/*": "/x"}

// fields are what forms and filters are sent with: everything that could name an
// object of the target.
var fields = map[string]string{"dashboard": "dashboards.dashboard_id", "dataset": "datasets.dataset_id", "folder": "folders.folder_id",
	"parent": "folders.folder_id", "to": "folders.folder_id", "template": "dashboard_templates.template_id", "upload": "uploads.upload_id",
	"person": "users.user_id", "user": "users.user_id", "member": "users.user_id", "group": "user_groups.group_id", "from": "dashboards.dashboard_id",
	"target": "datasets.dataset_id", "session": "users.user_id", "schedule": "report_schedules.schedule_id", "view": "dashboard_saved_views.view_id",
	"visitor": "portal_visitors.visitor_id", "visitor_group": "portal_groups.group_id"}

// attackTimeout bounds one request: a stream that is open goes on.
const attackTimeout = 20 * time.Second

// Attack asks every route of a site that New made, as each attacker, for objects
// of the target, with forms and filters that name more of them. An answer holds
// where it refuses, or tells nothing of the target. Signing out comes last.
func Attack(ctx context.Context, site http.Handler, target Target, attackers []Attacker, emit func(Attempt)) error {
	routes, ok := site.(chi.Routes)
	if !ok {
		return fmt.Errorf("a site of another kind: %T", site)
	}
	type asked struct{ method, route string }
	var list []asked
	err := chi.Walk(routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		list = append(list, asked{method, route})
		return nil
	})
	if err != nil {
		return fmt.Errorf("walk routes: %w", err)
	}
	slices.SortFunc(list, func(a, b asked) int {
		if last := strings.Compare(fmt.Sprint(a.route == views.PathSignOut), fmt.Sprint(b.route == views.PathSignOut)); last != 0 {
			return last
		}
		return strings.Compare(a.route+" "+a.method, b.route+" "+b.method)
	})
	for _, attacker := range attackers {
		for _, one := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			emit(target.attack(ctx, site, attacker, one.method, one.route))
		}
	}
	return nil
}

func (t Target) attack(ctx context.Context, site http.Handler, who Attacker, method, route string) Attempt {
	a := Attempt{As: who.Name, Method: method, Route: route}
	path, object, missing := t.fill(route)
	if missing != "" {
		a.Why = "not covered: nothing is known of " + missing
		return a
	}
	form := url.Values{"name": {"Mine"}, "starred": {"true"}, "tags": {"x"}, "text": {"Mine"}, "format": {"PDF"}, "role": {"viewer"}, "restricted": {"true"}}
	filter := url.Values{"q": {"a"}}
	for name, key := range fields {
		id := t.key(key).String()
		form.Set(name, id)
		filter.Set(name, id)
	}
	form.Set("id", t.idFor(route))
	form.Set("workspace", t.Tenant.String())
	if strings.HasPrefix(route, "/channels") {
		form.Del("user") // of a server, as its folder; the form comes back with them
		form.Del("folder")
	}
	form.Set("subject", "user:"+t.key("users.user_id").String())
	a.Path = path
	ctx, cancel := context.WithTimeout(ctx, attackTimeout)
	defer cancel()
	body := strings.NewReader("")
	if method != http.MethodGet && method != http.MethodHead {
		body = strings.NewReader(form.Encode())
	} else {
		a.Path += "?" + filter.Encode()
	}
	r := httptest.NewRequestWithContext(ctx, method, "http://isolation.invalid"+a.Path, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", "dataflow isolation check")
	if who.Token != "" {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: who.Token})
		r.AddCookie(&http.Cookie{Name: sessionCookieSecure, Value: who.Token})
	}
	if who.Key != "" {
		r.Header.Set("Authorization", "Bearer "+who.Key)
	}
	w := &endless{header: http.Header{}, cancel: cancel}
	site.ServeHTTP(w, r)
	a.Status = w.status
	a.Held, a.Why = t.judge(a, object, w, r)
	return a
}

// judge tells whether an answer gives nothing away.
func (t Target) judge(a Attempt, object bool, w *endless, r *http.Request) (held bool, why string) {
	answer := w.body.String()
	said := strings.ToLower(r.URL.String())
	for _, text := range t.Texts {
		if len(text) >= 10 && strings.Contains(answer, text) {
			return false, "the answer has “" + text + "” in it"
		}
	}
	for key, list := range t.Keys {
		if strings.HasPrefix(a.Route, views.PathAudit) {
			break // the attacker's own log names what the attacker has asked for
		}
		for _, id := range list {
			// What was asked for may stand in the address that a page leads back to.
			if text := id.String(); strings.Contains(answer, text) && !strings.Contains(said, text) {
				return false, "the answer has an id of " + key + " in it"
			}
		}
	}
	toSignIn := w.status == http.StatusSeeOther && strings.HasPrefix(w.header.Get("Location"), views.PathSignIn)
	switch {
	case w.status == 0 || w.status == http.StatusInternalServerError:
		return false, "it failed, and not by refusing"
	case object && w.status < http.StatusBadRequest && !toSignIn:
		return false, "an object of another workspace was answered"
	case w.open:
		return false, "a stream was opened"
	}
	return true, ""
}

// fill puts ids of the target into a route. object tells that it names one.
func (t Target) fill(route string) (path string, object bool, missing string) {
	path = route
	for part, value := range plainParts {
		path = strings.ReplaceAll(path, part, value)
	}
	if strings.Contains(path, "{tenant}") {
		path, object = strings.ReplaceAll(path, "{tenant}", t.Tenant.String()), true
	}
	for _, o := range objectOf {
		if strings.HasPrefix(route, o.prefix) && strings.Contains(path, o.part) {
			path, object = strings.ReplaceAll(path, o.part, t.key(o.key).String()), true
		}
	}
	if at := strings.IndexByte(path, '{'); at >= 0 {
		return "", false, path[at : at+strings.IndexByte(path[at:], '}')+1]
	}
	return path, object, ""
}

// key is an id of the target; one of nothing where it has none of the kind.
func (t Target) key(name string) uuid.UUID {
	if list := t.Keys[name]; len(list) > 0 {
		return list[0]
	}
	return uuid.Must(uuid.NewV7())
}

// idFor is what a form's id names on a route without one.
func (t Target) idFor(route string) string {
	key := "users.user_id"
	switch {
	case strings.HasPrefix(route, "/datasets"):
		key = "datasets.dataset_id"
	case strings.HasPrefix(route, "/dashboards"):
		key = "dashboards.dashboard_id"
	case strings.HasPrefix(route, views.PathEmbedding+"/keys"):
		key = "embed_keys.key_id"
	case strings.HasPrefix(route, views.PathAPIKeys):
		key = "api_keys.key_id"
	case strings.HasPrefix(route, views.PathEmbedding+"/links"):
		key = "public_links.link_id"
	case strings.HasPrefix(route, views.PathNotices):
		key = "notifications.notification_id"
	}
	return t.key(key).String()
}

// endless takes an answer, and ends one that is a stream once it has begun.
type endless struct {
	header http.Header
	status int
	body   bytes.Buffer
	open   bool
	cancel context.CancelFunc
}

func (w *endless) Header() http.Header { return w.header }

func (w *endless) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *endless) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len() < 4<<20 {
		_, _ = w.body.Write(p)
	}
	return len(p), nil
}

// Flush is what streams call.
func (w *endless) Flush() {
	w.WriteHeader(http.StatusOK)
	if strings.HasPrefix(w.header.Get("Content-Type"), "text/event-stream") {
		w.open = true
		w.cancel()
	}
}

var _ io.Writer = (*endless)(nil)
