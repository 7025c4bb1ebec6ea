// Package config reads every setting of the product from the environment into
// one typed struct, and refuses what can't work.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrInvalid says which setting can't be used, and why.
var ErrInvalid = apperr.Define(apperr.Invalid, "config.invalid", "A setting can't be used.")

// Config is every setting. Sizes are bytes. Field order is the order in which
// Log prints.
type Config struct {
	// DatabaseURL is PostgreSQL as the server uses it. Empty: embedded.
	DatabaseURL URL `env:"DATABASE_URL"`
	// DatabaseAdminURL is PostgreSQL as migrations use it: the owner of the schema.
	DatabaseAdminURL URL `env:"DATABASE_ADMIN_URL"`
	// RedisURL is redis://, rediss:// or unix://. Empty: embedded.
	RedisURL URL `env:"REDIS_URL"`
	// StorageURL is where segments and uploads lie: file:///dir, s3://bucket?region=…. Empty: in DataDir.
	StorageURL URL `env:"STORAGE_URL"`

	DataDir string `env:"DATAFLOW_DATA_DIR"`
	Listen  string `env:"DATAFLOW_LISTEN" envDefault:"127.0.0.1:8080"`
	// BaseURL is how people reach this server, for links in mail. Empty: from Listen.
	BaseURL string `env:"DATAFLOW_BASE_URL"`
	// TrustedProxies are the networks whose X-Forwarded-For and -Proto count.
	TrustedProxies []string `env:"DATAFLOW_TRUSTED_PROXIES"`
	HTTPS          HTTPS    `envPrefix:"DATAFLOW_"`
	// DNSServer is the recursive name server, host or host:port, that proofs of
	// hosts and domains are looked up at: where the network's own would answer for
	// names inside. Empty: that of the machine.
	DNSServer string `env:"DATAFLOW_DNS_SERVER"`
	// OutboundNetworks are private networks that what workspaces connect to may lie
	// in, webhooks, collectors, buckets, identity providers: 10.1.0.0/16,10.2.0.5/32.
	// With any, plain http is allowed as well.
	OutboundNetworks []netip.Prefix `env:"DATAFLOW_OUTBOUND_NETWORKS"`

	// MasterKey wraps the key of every workspace: 32 random bytes in base64 or hex.
	MasterKey     Secret `env:"DATAFLOW_MASTER_KEY"`
	MasterKeyFile string `env:"DATAFLOW_MASTER_KEY_FILE"`
	// SessionKey signs session cookies. Empty: derived from the master key.
	SessionKey     Secret `env:"DATAFLOW_SESSION_KEY"`
	SessionKeyFile string `env:"DATAFLOW_SESSION_KEY_FILE"`

	SMTP   SMTP   `envPrefix:"SMTP_"`
	Log    Log    `envPrefix:"DATAFLOW_LOG_"`
	Limits Limits `envPrefix:"DATAFLOW_"`

	// OTLPEndpoint switches tracing on. OTEL_* variables beside it are read by the exporter itself.
	OTLPEndpoint URL `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`

	// MetricsListen is an address of its own for /metrics, "10.0.0.5:9090": whoever
	// reaches it reads them. Empty: at Listen, for this machine alone.
	MetricsListen string `env:"DATAFLOW_METRICS_LISTEN"`

	// Browser is the Chromium that prints reports. Empty: the one in PATH.
	Browser string `env:"DATAFLOW_BROWSER"`
	// BrowserSandbox is "on", or "off" where the kernel offers Chromium none and
	// that is accepted.
	BrowserSandbox string `env:"DATAFLOW_BROWSER_SANDBOX" envDefault:"on"`

	// DeadmanURL is asked every five minutes while the schedules of all workspaces are
	// watched. Whoever is behind it raises an alarm when it falls silent.
	DeadmanURL Secret `env:"DATAFLOW_DEADMAN_URL"`

	// ShutdownTimeout is how long requests and jobs under way may take to end.
	ShutdownTimeout time.Duration `env:"DATAFLOW_SHUTDOWN_TIMEOUT" envDefault:"20s"`

	// ListenDefault and StorageDefault tell that nobody chose Listen or StorageURL.
	ListenDefault, StorageDefault bool
	// Unknown names variables that look like ours but are no setting.
	Unknown []string
}

// SMTP is the server that takes outgoing mail. Without a host, mail is kept in
// the outbox and shown there.
type SMTP struct {
	Host     string `env:"HOST"`
	Port     int    `env:"PORT" envDefault:"587"`
	Username string `env:"USERNAME"`
	Password Secret `env:"PASSWORD"`
	From     string `env:"FROM"`
	// BounceAddress is where mail comes back to that can't be delivered, with a mark
	// for each message after its local part: bounces@example.com. Empty: to From.
	BounceAddress string `env:"BOUNCE_ADDRESS"`
	// BounceMailbox is where it is read: imaps://user:password@imap.example.com/INBOX.
	BounceMailbox URL `env:"BOUNCE_MAILBOX"`
	// TLS is "starttls" (required), "tls" (from the first byte) or "none" (loopback only).
	TLS string `env:"TLS" envDefault:"starttls"`
}

// Configured tells whether mail can be sent.
func (s SMTP) Configured() bool { return s.Host != "" }

// Log is how the log is written.
type Log struct {
	Level  slog.Level `env:"LEVEL" envDefault:"info"`
	Format string     `env:"FORMAT"` // text or json; empty: text on a terminal
}

// Limits bound what one process uses and accepts.
type Limits struct {
	// Memory is the budget of all query engines together. Empty: 40 % of the machine's.
	Memory Size `env:"MEMORY"`
	// Threads is the budget of all query engines together. Empty: all cores.
	Threads int `env:"THREADS"`
	// SampleRows is the number of scanned rows from which an answer may be sampled.
	SampleRows int64 `env:"SAMPLE_ROWS" envDefault:"10000000"`
	// SampleTime is the predicted time of an exact answer from which it may be sampled.
	SampleTime time.Duration `env:"SAMPLE_TIME" envDefault:"1s"`
	// QueryTimeout ends one query.
	QueryTimeout time.Duration `env:"QUERY_TIMEOUT" envDefault:"30s"`
	// ResultRows bounds the rows of one answer.
	ResultRows int `env:"RESULT_ROWS" envDefault:"100000"`
	// UploadSize bounds one uploaded file.
	UploadSize Size `env:"UPLOAD_SIZE" envDefault:"50GB"`
	// ResultCache is the memory of the cache of answers in each process.
	ResultCache Size `env:"RESULT_CACHE" envDefault:"64MB"`
	// BlobCache is the disk space for local copies of remote segments.
	BlobCache Size `env:"BLOB_CACHE" envDefault:"20GB"`
	// RedisMemory bounds the embedded Redis.
	RedisMemory Size `env:"REDIS_MEMORY" envDefault:"128MB"`
	// JobConcurrency is how many jobs one worker runs at a time. Empty: one a core, at least two.
	JobConcurrency int `env:"JOB_CONCURRENCY"`
	// DatabaseConns is the size of one process's connection pool.
	DatabaseConns int `env:"DATABASE_CONNS" envDefault:"20"`
	// VersionAge is how long a replaced version of a dataset can be restored.
	VersionAge time.Duration `env:"VERSION_AGE" envDefault:"168h"`
	// RecoveryWindow is how far back a restore of PostgreSQL may go; segments
	// that it could need are kept.
	RecoveryWindow time.Duration `env:"RECOVERY_WINDOW" envDefault:"168h"`
}

// Load reads the environment given as os.Environ gives it.
//
// Errors: config.invalid.
func Load(environ []string) (*Config, error) {
	vars := env.ToMap(environ)
	for name, value := range vars {
		if value == "" {
			delete(vars, name) // an empty variable is an unset one
		}
	}
	cfg := &Config{}
	err := env.ParseWithOptions(cfg, env.Options{
		Environment: vars,
		FuncMap: map[reflect.Type]env.ParserFunc{
			reflect.TypeFor[slog.Level](): func(v string) (any, error) {
				var level slog.Level
				err := level.UnmarshalText([]byte(v))
				return level, err
			},
		},
	})
	if err != nil {
		return nil, invalid(err)
	}
	cfg.ListenDefault = vars["DATAFLOW_LISTEN"] == ""
	if cfg.Unknown, err = unknown(vars); err != nil {
		return nil, err
	}
	if err := cfg.complete(vars); err != nil {
		return nil, err
	}
	return cfg, cfg.check()
}

// invalid names the variable at fault without repeating its value, which may
// be a secret.
func invalid(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return fmt.Errorf("read environment: %w", err)
	}
	for _, one := range all.Errors {
		var parse env.ParseError
		if errors.As(one, &parse) {
			name := parse.Name
			if params, err := env.GetFieldParams(&Config{}); err == nil {
				name = variableOf(parse.Name, params)
			}
			return ErrInvalid.With("%s can't be read as %s.", name, typeName(parse.Type)).Wrap(err)
		}
	}
	return ErrInvalid.Wrap(err)
}

// variableOf finds the environment variable of a struct field.
func variableOf(field string, params []env.FieldParams) string {
	want := strings.ToUpper(field)
	for _, p := range params {
		if strings.HasSuffix(strings.ReplaceAll(p.Key, "_", ""), want) {
			return p.Key
		}
	}
	return field
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Size]():
		return "a size such as 512MB"
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 30s"
	case reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return "a whole number"
	}
	return t.String()
}

// unknown finds variables with our prefix that nothing reads: misspelt ones.
func unknown(vars map[string]string) ([]string, error) {
	params, err := env.GetFieldParams(&Config{})
	if err != nil {
		return nil, fmt.Errorf("list settings: %w", err)
	}
	known := map[string]bool{}
	for _, p := range params {
		known[p.Key] = true
	}
	var names []string
	for name := range vars {
		// DATAFLOW__… is what our own processes tell each other.
		if strings.HasPrefix(name, "DATAFLOW_") && !strings.HasPrefix(name, "DATAFLOW__") && !known[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// complete fills in what depends on the machine.
func (c *Config) complete(vars map[string]string) error {
	if c.DataDir == "" {
		c.DataDir = defaultDataDir(vars)
	}
	if c.DataDir == "" {
		return ErrInvalid.With("Set DATAFLOW_DATA_DIR: this user has no home directory to keep data in.")
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("resolve data directory: %w", err)
	}
	c.DataDir = dir
	if c.DatabaseAdminURL == "" {
		c.DatabaseAdminURL = c.DatabaseURL
	}
	if c.Limits.Memory == 0 {
		c.Limits.Memory = machineMemory() * 2 / 5
	}
	if c.Limits.Threads == 0 {
		c.Limits.Threads = runtime.GOMAXPROCS(0)
	}
	if c.Limits.JobConcurrency == 0 {
		c.Limits.JobConcurrency = max(2, runtime.GOMAXPROCS(0))
	}
	if c.StorageURL == "" {
		c.StorageDefault = true
		c.StorageURL = URL((&url.URL{Scheme: "file", Path: filepath.Join(c.DataDir, "storage")}).String())
	}
	return nil
}

func defaultDataDir(vars map[string]string) string {
	if os.Geteuid() == 0 {
		return "/var/lib/dataflow"
	}
	if xdg := vars["XDG_DATA_HOME"]; filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "dataflow")
	}
	if home := vars["HOME"]; filepath.IsAbs(home) && home != "/" && home != "/nonexistent" {
		return filepath.Join(home, ".local", "share", "dataflow")
	}
	return ""
}

func (c *Config) check() error {
	if c.DatabaseURL == "" && c.DatabaseAdminURL != "" {
		return ErrInvalid.With("DATABASE_ADMIN_URL is set but DATABASE_URL is not.")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return ErrInvalid.With("DATAFLOW_LISTEN must be host:port, such as 127.0.0.1:8080.").Wrap(err)
	}
	if c.BaseURL != "" {
		base, err := url.Parse(c.BaseURL)
		if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" {
			return ErrInvalid.With("DATAFLOW_BASE_URL must be a plain address such as https://bi.example.com.")
		}
		c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	}
	for _, proxy := range c.TrustedProxies {
		if _, _, err := net.ParseCIDR(proxy); err != nil {
			return ErrInvalid.With("DATAFLOW_TRUSTED_PROXIES must list networks such as 10.0.0.0/8.").Wrap(err)
		}
	}
	switch c.Log.Format {
	case "", "text", "json":
	default:
		return ErrInvalid.With("DATAFLOW_LOG_FORMAT must be text or json.")
	}
	if c.BrowserSandbox != "on" && c.BrowserSandbox != "off" {
		return ErrInvalid.With("DATAFLOW_BROWSER_SANDBOX must be on or off.")
	}
	if c.DeadmanURL != "" {
		u, err := url.Parse(c.DeadmanURL.Reveal())
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return ErrInvalid.With("DATAFLOW_DEADMAN_URL must be an address that begins with https:// or http://.")
		}
	}
	if err := c.SMTP.check(); err != nil {
		return err
	}
	if err := c.HTTPS.check(c.BaseURL); err != nil {
		return err
	}
	return c.Limits.check()
}

func (s SMTP) check() error {
	switch s.TLS {
	case "starttls", "tls":
	case "none":
		if ip := net.ParseIP(s.Host); s.Host != "" && s.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return ErrInvalid.With("SMTP_TLS=none is allowed for a mail server on this machine only.")
		}
	default:
		return ErrInvalid.With("SMTP_TLS must be starttls, tls or none.")
	}
	if s.Host != "" && s.From == "" {
		return ErrInvalid.With("SMTP_FROM must name the sender when SMTP_HOST is set.")
	}
	if s.BounceMailbox != "" && s.BounceAddress == "" {
		return ErrInvalid.With("SMTP_BOUNCE_ADDRESS must say what comes back to SMTP_BOUNCE_MAILBOX.")
	}
	if s.Port < 1 || s.Port > 65535 {
		return ErrInvalid.With("SMTP_PORT must be between 1 and 65535.")
	}
	return nil
}

func (l Limits) check() error {
	for name, ok := range map[string]bool{
		"DATAFLOW_MEMORY (at least 256MB)":     l.Memory >= 256e6,
		"DATAFLOW_THREADS":                     l.Threads > 0,
		"DATAFLOW_SAMPLE_ROWS":                 l.SampleRows > 0,
		"DATAFLOW_SAMPLE_TIME":                 l.SampleTime > 0,
		"DATAFLOW_QUERY_TIMEOUT":               l.QueryTimeout > 0,
		"DATAFLOW_RESULT_ROWS":                 l.ResultRows > 0,
		"DATAFLOW_UPLOAD_SIZE":                 l.UploadSize > 0,
		"DATAFLOW_REDIS_MEMORY (at least 8MB)": l.RedisMemory >= 8e6,
		"DATAFLOW_JOB_CONCURRENCY":             l.JobConcurrency > 0,
		"DATAFLOW_DATABASE_CONNS (at least 4)": l.DatabaseConns >= 4,
		"DATAFLOW_VERSION_AGE (at least 24h)":  l.VersionAge >= 24*time.Hour,
	} {
		if !ok {
			return ErrInvalid.With("%s is too small.", name)
		}
	}
	return nil
}

// EmbeddedDatabase tells whether PostgreSQL runs as a child of ours.
func (c *Config) EmbeddedDatabase() bool { return c.DatabaseURL == "" }

// EmbeddedRedis tells whether Redis runs as a child of ours.
func (c *Config) EmbeddedRedis() bool { return c.RedisURL == "" }

// LogAttrs is the whole configuration for the log, without its secrets.
func (c *Config) LogAttrs() []slog.Attr {
	embedded := func(u URL) string {
		if u == "" {
			return "embedded"
		}
		return u.String()
	}
	key := "derived"
	if c.SessionKey != "" || c.SessionKeyFile != "" {
		key = redacted
	}
	return []slog.Attr{
		slog.String("database", embedded(c.DatabaseURL)),
		slog.String("redis", embedded(c.RedisURL)),
		slog.String("storage", c.StorageURL.String()),
		slog.String("data_dir", c.DataDir),
		slog.String("listen", c.Listen),
		slog.String("base_url", c.BaseURL),
		slog.Any("trusted_proxies", c.TrustedProxies),
		slog.Group("https", slog.String("listen", c.HTTPS.Listen), slog.String("http_listen", c.HTTPS.HTTPListen),
			slog.String("authority", c.HTTPS.Directory), slog.String("email", c.HTTPS.Email),
			slog.String("roots", c.HTTPS.RootsFile), slog.String("key_id", c.HTTPS.KeyID)),
		slog.String("dns_server", c.DNSServer),
		slog.Any("outbound_networks", c.OutboundNetworks),
		slog.String("session_key", key),
		slog.Group("smtp", slog.String("host", c.SMTP.Host), slog.Int("port", c.SMTP.Port),
			slog.String("from", c.SMTP.From), slog.String("tls", c.SMTP.TLS),
			slog.String("bounce_address", c.SMTP.BounceAddress), slog.String("bounce_mailbox", c.SMTP.BounceMailbox.String())),
		slog.Bool("deadman", c.DeadmanURL != ""),
		slog.String("traces", c.OTLPEndpoint.String()),
		slog.String("metrics", c.MetricsListen),
		slog.String("browser", c.Browser),
		slog.String("browser_sandbox", c.BrowserSandbox),
		slog.Group("limits",
			slog.String("memory", c.Limits.Memory.String()),
			slog.Int("threads", c.Limits.Threads),
			slog.Int64("sample_rows", c.Limits.SampleRows),
			slog.String("sample_time", c.Limits.SampleTime.String()),
			slog.String("query_timeout", c.Limits.QueryTimeout.String()),
			slog.Int("result_rows", c.Limits.ResultRows),
			slog.String("upload_size", c.Limits.UploadSize.String()),
			slog.String("result_cache", c.Limits.ResultCache.String()),
			slog.String("blob_cache", c.Limits.BlobCache.String()),
			slog.String("redis_memory", c.Limits.RedisMemory.String()),
			slog.Int("job_concurrency", c.Limits.JobConcurrency),
			slog.Int("database_conns", c.Limits.DatabaseConns),
			slog.String("version_age", c.Limits.VersionAge.String()),
			slog.String("recovery_window", c.Limits.RecoveryWindow.String()),
		),
	}
}
