package archtest

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// rule is what the packages of one top folder may import.
type rule struct {
	may    []string // folders
	reason string
	extra  func(pkg, imported string) string // further reasons
}

func (r rule) forbids(pkg, imported string) string {
	if !within(imported, r.may...) {
		return r.reason
	}
	if r.extra != nil {
		return r.extra(pkg, imported)
	}
	return ""
}

// layers is the table of ARCHITECTURE.md, "Who may import whom".
var layers = map[string]rule{
	"platform": {
		may:    []string{"platform"},
		reason: "platform is made of technical leaves: they know nothing of the product",
		extra:  platformLeaves,
	},
	"db": {
		may:    []string{"db", "platform"},
		reason: "the database layer stands below the domain and beside warehouse and connectors",
	},
	"warehouse": {
		may:    []string{"warehouse", "platform"},
		reason: "warehouse is pure: segment files in, answers and files out; the catalogue lives in domain/datasets",
	},
	"connectors": {
		may:    []string{"connectors", "platform"},
		reason: "a connector reads from elsewhere and hands records on; what becomes of them is the domain's",
	},
	"domain": {
		may:    []string{"domain", "db", "warehouse", "connectors", "platform"},
		reason: "what handlers and workers share must not depend on how either of them is reached or drawn",
		extra:  domainOrder,
	},
	"static": {
		may:    []string{},
		reason: "static is the built interface and nothing else",
	},
	"views": {
		may:    []string{"views", "domain", "static", "platform/locale", "platform/apperr"},
		reason: "a page is drawn from values of the domain: it reads no database and calls nothing",
	},
	"handlers": {
		may:    []string{"handlers", "domain", "views", "static", "platform"},
		reason: "a handler parses, calls one service method and renders: permission, transaction and audit are the service's",
	},
	"workers": {
		may:    []string{"workers", "domain", "views", "platform"},
		reason: "a worker decodes, calls one service method and reports: permission, transaction and audit are the service's",
	},
	"cmd": {
		may:    []string{"cmd", "handlers", "workers", "views", "static", "domain", "db", "warehouse", "connectors", "platform"},
		reason: "cmd wires the product together, of its own parts alone",
	},
	"e2e": {
		may:    []string{"e2e"},
		reason: "journeys drive the built binary from outside, as a person does",
	},
	"bench": {
		may:    []string{"bench", "warehouse", "platform", "domain/forecast"},
		reason: "benchmarks measure the built binary, the warehouse and pure calculation, not ways around them",
	},
}

// platformBase is what every leaf may stand on: errors, ids in logs, and
// directories that end with their process.
var platformBase = []string{"platform/apperr", "platform/telemetry", "platform/workdir"}

func platformLeaves(pkg, imported string) string {
	if within(imported, platformBase...) || within(imported, pkg) || within(pkg, imported) {
		return ""
	}
	return "platform packages are leaves: each stands on the standard library and its own third-party library"
}

// domains is the order of the domain packages: each may import those to its
// left. plans stands before tenants, whose rows have a plan; brand before
// delivery, whose letters have its colours.
var domains = []string{"ids", "access", "audit", "plans", "tenants", "brand", "delivery", "notify", "auth", "sources", "datasets",
	"pipelines", "forecast", "charts", "dashboards", "sharing", "comments", "portals", "embed", "reports", "alerts", "search"}

func domainOrder(pkg, imported string) string {
	if layer(imported) != "domain" {
		return ""
	}
	name := func(pkg string) string { return strings.Split(pkg+"/", "/")[1] }
	from, to := name(pkg), name(imported)
	mine, theirs := slices.Index(domains, from), slices.Index(domains, to)
	switch {
	case mine < 0 || theirs < 0:
		return "the domain has an order, and " + path.Join("domain", map[bool]string{true: from, false: to}[mine < 0]) +
			" has no place in it: add it to ARCHITECTURE.md and to archtest"
	case from == to:
		return ""
	case theirs > mine:
		return fmt.Sprintf("%s stands to the right of %s; an effect on it travels as an outbox event", to, from)
	}
	return ""
}

// owner says which packages alone may import a library.
type owner struct {
	library  string
	packages []string
	reason   string
}

// libraries have one owner each, so that changing one changes one place.
var libraries = []owner{
	{"github.com/go-chi/chi", []string{"handlers"}, "routes are the handlers'"},
	{"github.com/gorilla/sessions", []string{"handlers"}, "cookies are the handlers'"},
	{"github.com/gorilla/securecookie", []string{"handlers"}, "cookies are the handlers'"},
	{"github.com/a-h/templ", []string{"views", "handlers"}, "pages are drawn by views and answered by handlers"},
	{"github.com/nicksnyder/go-i18n", []string{"views/messages"}, "there is one catalogue of texts"},
	{"github.com/jackc/pgx", []string{"db", "bench"}, "rows come through sqlc, and pgtype never leaves db"},
	{"github.com/pressly/goose", []string{"db"}, "migrations are the database's"},
	{"github.com/duckdb", []string{"warehouse", "bench"}, "the engine can be exchanged in one place"},
	{"github.com/apache/arrow-go", []string{"warehouse"}, "the format of segments is the warehouse's"},
	{"github.com/landlock-lsm", []string{"warehouse/sandbox"}, "walls are raised in one place"},
	{"github.com/elastic/go-seccomp-bpf", []string{"warehouse/sandbox"}, "walls are raised in one place"},
	{"github.com/xuri/excelize", []string{"domain/reports"}, "workbooks are written by reports; connectors/files reads them without it"},
	{"github.com/hibiken/asynq", []string{"platform/jobs"}, "asynq only carries jobs; what a job is stands in PostgreSQL"},
	{"github.com/redis/go-redis", []string{"platform/jobs", "platform/events", "platform/redistest", "platform/rediscache", "platform/presence", "cmd"},
		"what lies in Redis may be lost at any moment, so few may rely on it"},
	{"github.com/crewjam/saml", []string{"domain/auth/saml", "bench"}, "what a provider sends is checked in one place"},
	{"github.com/russellhaering/goxmldsig", []string{"domain/auth/saml"}, "signatures are checked in one place"},
	{"github.com/beevik/etree", []string{"domain/auth/saml"}, "what a provider sends is checked in one place"},
	{"github.com/coreos/go-oidc", []string{"domain/auth/oidc"}, "what a provider sends is checked in one place"},
	{"golang.org/x/oauth2", []string{"domain/auth/oidc"}, "what a provider sends is checked in one place"},
	{"github.com/pquerna/otp", []string{"domain/auth"}, "codes are checked in one place"},
	{"github.com/wneessen/go-mail", []string{"platform/mail"}, "messages leave by one door"},
	{"github.com/tink-crypto/tink-go", []string{"platform/secrets", "platform/blob"}, "keys are handled in one place"},
	{"gocloud.dev", []string{"platform/blob"}, "a path is written once, and durably"},
	{"github.com/aws/aws-sdk-go-v2", []string{"platform/blob"}, "object stores are spoken to in one place"},
	{"github.com/pkg/sftp", []string{"platform/sftp", "platform/sftp/sftptest"}, "files leave by one door"},
	{"github.com/chromedp", []string{"platform/browser"}, "one warm browser, recycled in one place"},
	{"github.com/caddyserver/certmagic", []string{"platform/hosts/https"}, "certificates are ordered in one place"},
	{"github.com/mholt/acmez", []string{"platform/hosts/https"}, "certificates are ordered in one place"},
	{"go.uber.org/zap", []string{"platform/hosts/https"}, "there is one log, and slog writes it"},
	{"github.com/miekg/dns", []string{"platform/hosts/hoststest"}, "a name server is for tests alone"},
	{"github.com/caarlos0/env", []string{"platform/config"}, "there is one typed config"},
	{"go.opentelemetry.io/otel/sdk", []string{"platform/telemetry"}, "everybody else uses the API, which costs nothing where nobody listens"},
	{"go.opentelemetry.io/otel/exporters", []string{"platform/telemetry"}, "traces leave by one door"},
	{"github.com/prometheus/client_golang/prometheus/promhttp", []string{"platform/telemetry"}, "metrics are shown in one place, and not to tenants"},
	{"github.com/playwright-community", []string{"e2e", "bench"}, "browsers are driven by journeys"},
	{"github.com/PuerkitoBio/goquery", nil, "HTML is looked at by tests alone"},
	{"github.com/emersion/go-smtp", []string{"platform/mail/mailtest"}, "a mail server is for tests alone"},
	{"github.com/emersion/go-imap/v2/imapserver", []string{"platform/mail/mailtest"}, "a mail server is for tests alone"},
	{"github.com/emersion/go-imap", []string{"platform/mail", "platform/mail/mailtest"}, "mailboxes are read in one place"},
	{"github.com/emersion/go-msgauth", []string{"platform/mail"}, "mail is signed in one place"},
}
