package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

const goodKey = "q83vEjRWeJCrze8SNFZ4kNq3xQmYb1dTz7hGk0fLr2U="

func load(t *testing.T, environ ...string) *Config {
	t.Helper()
	cfg, err := Load(append([]string{"HOME=/home/ada"}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	cfg := load(t)
	if !cfg.EmbeddedDatabase() || !cfg.EmbeddedRedis() || !cfg.ListenDefault || !cfg.StorageDefault {
		t.Error("nothing is configured, but not everything is embedded")
	}
	if cfg.Listen != "127.0.0.1:8080" || cfg.Limits.SampleRows != 10_000_000 || cfg.Limits.QueryTimeout != 30*time.Second {
		t.Errorf("got %+v", cfg.Limits)
	}
	if cfg.Limits.Memory < 256e6 || cfg.Limits.Threads < 1 {
		t.Errorf("budgets: %v, %d", cfg.Limits.Memory, cfg.Limits.Threads)
	}
	if want := URL("file://" + cfg.DataDir + "/storage"); cfg.StorageURL != want {
		t.Errorf("storage %s, want %s", cfg.StorageURL, want)
	}
}

func TestDefaultDataDir(t *testing.T) {
	t.Parallel()
	root := os.Geteuid() == 0
	for name, tc := range map[string]struct{ home, xdg, want string }{
		"home":               {"/home/ada", "", "/home/ada/.local/share/dataflow"},
		"XDG wins":           {"/home/ada", "/xdg", "/xdg/dataflow"},
		"relative XDG":       {"/home/ada", "xdg", "/home/ada/.local/share/dataflow"},
		"no home":            {"", "", ""},
		"a service's home":   {"/nonexistent", "", ""},
		"the root directory": {"/", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := tc.want
			if root {
				want = "/var/lib/dataflow"
			}
			if got := defaultDataDir(map[string]string{"HOME": tc.home, "XDG_DATA_HOME": tc.xdg}); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	for setting, says := range map[string]string{
		"DATAFLOW_LISTEN=8080":                            "DATAFLOW_LISTEN",
		"DATAFLOW_BASE_URL=bi.example.com":                "DATAFLOW_BASE_URL",
		"DATAFLOW_BASE_URL=https://x.example/deep?q=1":    "DATAFLOW_BASE_URL",
		"DATAFLOW_MEMORY=lots":                            "DATAFLOW_MEMORY can't be read as a size",
		"DATAFLOW_REDIS_MEMORY=1.x":                       "DATAFLOW_REDIS_MEMORY can't be read as a size",
		"DATAFLOW_MEMORY=1MB":                             "DATAFLOW_MEMORY",
		"DATAFLOW_QUERY_TIMEOUT=30":                       "DATAFLOW_QUERY_TIMEOUT can't be read as a duration",
		"DATAFLOW_SAMPLE_ROWS=-1":                         "DATAFLOW_SAMPLE_ROWS",
		"DATAFLOW_SAMPLE_TIME=0s":                         "DATAFLOW_SAMPLE_TIME",
		"DATAFLOW_LOG_LEVEL=loud":                         "DATAFLOW_LOG_LEVEL can't be read as debug",
		"DATAFLOW_LOG_FORMAT=xml":                         "DATAFLOW_LOG_FORMAT",
		"SMTP_PORT=smtp":                                  "SMTP_PORT can't be read as a whole number",
		"SMTP_HOST=mail.example.com":                      "SMTP_FROM",
		"SMTP_HOST=mail.example.com SMTP_TLS=none":        "SMTP_TLS",
		"SMTP_BOUNCE_MAILBOX=imaps://a:b@imap.example/":   "SMTP_BOUNCE_ADDRESS",
		"DATAFLOW_DEADMAN_URL=hc-ping.com/x":              "DATAFLOW_DEADMAN_URL",
		"DATABASE_ADMIN_URL=postgres://owner@db/x":        "DATABASE_URL is not",
		"DATAFLOW_TRUSTED_PROXIES=10.0.0.1":               "DATAFLOW_TRUSTED_PROXIES",
		"DATAFLOW_VERSION_AGE=1h":                         "DATAFLOW_VERSION_AGE",
		"DATAFLOW_DATABASE_CONNS=1":                       "DATAFLOW_DATABASE_CONNS",
		"DATAFLOW_DATABASE_CONNS=99999999999999999999999": "DATAFLOW_DATABASE_CONNS",
		"DATAFLOW_HTTP_LISTEN=:80":                        "DATAFLOW_HTTP_LISTEN is set but DATAFLOW_TLS_LISTEN is not",
		"DATAFLOW_ACME_EMAIL=ada@example.com":             "DATAFLOW_ACME_EMAIL is set but DATAFLOW_TLS_LISTEN is not",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			_, err := Load(append([]string{"HOME=/home/ada"}, strings.Fields(setting)...))
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			if said := apperr.Describe(err).Sentence; !strings.Contains(said, says) {
				t.Errorf("%q does not say %q", said, says)
			}
		})
	}
}

func TestHTTPSIsSetWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	whole := []string{"DATAFLOW_TLS_LISTEN=:443", "DATAFLOW_HTTP_LISTEN=:80", "DATAFLOW_BASE_URL=https://bi.example.com",
		"DATAFLOW_ACME_DIRECTORY=https://ca.example.com/dir", "DATAFLOW_ACME_EMAIL=ada@example.com",
		"DATAFLOW_ACME_EAB_KEY_ID=k", "DATAFLOW_ACME_EAB_KEY=c2VjcmV0"}
	if cfg := load(t, whole...); !cfg.HTTPS.On() {
		t.Error("https is off")
	}
	if load(t).HTTPS.On() {
		t.Error("https is on by itself")
	}
	for change, says := range map[string]string{
		"DATAFLOW_ACME_DIRECTORY=":                      "needs DATAFLOW_ACME_DIRECTORY",
		"DATAFLOW_ACME_DIRECTORY=http://ca.example.com": "needs DATAFLOW_ACME_DIRECTORY",
		"DATAFLOW_ACME_EMAIL=":                          "needs DATAFLOW_ACME_EMAIL",
		"DATAFLOW_ACME_EMAIL=ada":                       "needs DATAFLOW_ACME_EMAIL",
		"DATAFLOW_BASE_URL=":                            "needs DATAFLOW_BASE_URL",
		"DATAFLOW_BASE_URL=http://bi.example.com":       "beginning with https://",
		"DATAFLOW_ACME_EAB_KEY=":                        "both, or none",
		"DATAFLOW_ACME_EAB_KEY_ID=":                     "both, or none",
		"DATAFLOW_TLS_LISTEN=443":                       "DATAFLOW_TLS_LISTEN must be",
		"DATAFLOW_HTTP_LISTEN=80":                       "DATAFLOW_HTTP_LISTEN must be",
	} {
		_, err := Load(append(append([]string{"HOME=/home/ada"}, whole...), change))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(apperr.Describe(err).Sentence, says) {
			t.Errorf("%s: got %v, want %q", change, err, says)
		}
	}
}

func TestUnknownSettings(t *testing.T) {
	t.Parallel()
	cfg := load(t, "DATAFLOW_LISTEM=:80", "DATAFLOW__CHILD=1", "DATAFLOW_THREADS=3", "DATAFLOW_EMPTY=")
	if got := fmt.Sprint(cfg.Unknown); got != "[DATAFLOW_LISTEM]" {
		t.Errorf("got %s", got)
	}
}

func TestEmptyIsUnset(t *testing.T) {
	t.Parallel()
	cfg := load(t, "DATABASE_URL=", "DATAFLOW_LISTEN=", "DATAFLOW_MEMORY=")
	if !cfg.EmbeddedDatabase() || !cfg.ListenDefault {
		t.Error("an empty variable counts as set")
	}
}

// TestSecretsNeverShow prints the configuration in every way that a program
// prints things.
func TestSecretsNeverShow(t *testing.T) {
	t.Parallel()
	cfg := load(t,
		"DATABASE_URL=postgres://app:hunter2@db.example/x?password=hunter2&sslpassword=hunter2",
		"REDIS_URL=redis://:hunter2@cache.example/0",
		"STORAGE_URL=s3://bucket?awssecret=hunter2",
		"DATAFLOW_MASTER_KEY=hunter2hunter2", "DATAFLOW_SESSION_KEY=hunter2",
		"SMTP_HOST=mail.example", "SMTP_FROM=a@example", "SMTP_PASSWORD=hunter2", "DATAFLOW_DEADMAN_URL=https://ping.example/hunter2",
		"SMTP_BOUNCE_ADDRESS=b@example.com", "SMTP_BOUNCE_MAILBOX=imaps://b:hunter2@imap.example/",
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://user:hunter2@otel.example")
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.LogAttrs(t.Context(), slog.LevelInfo, "config", cfg.LogAttrs()...)
	logger.Info("whole", "config", cfg, "secret", cfg.MasterKey, "url", cfg.DatabaseURL)
	slog.New(slog.NewTextHandler(&log, nil)).Info("whole", "config", *cfg, "smtp", cfg.SMTP, "url", cfg.RedisURL)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb, *cfg)
		fmt.Fprintf(&log, verb, cfg.MasterKey)
		fmt.Fprintf(&log, verb, cfg.DatabaseURL)
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(text)
	if shown := log.String(); strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("a secret is shown: %s", shown)
	}
	for _, wanted := range []string{"db.example", "cache.example", "otel.example", "bucket"} {
		if !strings.Contains(log.String(), wanted) {
			t.Errorf("%s is not shown", wanted)
		}
	}
	if cfg.DatabaseURL.Reveal() == cfg.DatabaseURL.String() || cfg.MasterKey.Reveal() != "hunter2hunter2" {
		t.Error("Reveal does not give the value itself")
	}
	if got := URL("host=db password=hunter2").String(); strings.Contains(got, "hunter2") {
		t.Errorf("a keyword address shows its password: %s", got)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"512": 512, "512MB": 512e6, "2 GiB": 2 << 30, "1.5kB": 1500, "0": 0} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MB", "-1MB", "1e30", "12 apples", "NaN", "Inf"} {
		if err := new(Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a size", text)
		}
	}
}

func TestMasterKeys(t *testing.T) {
	t.Parallel()
	hexKey := "abcdef1234567890abcdef0123f678905ab7c509986f5753cfb8469347cbaf65"
	for name, tc := range map[string]struct {
		key  string
		want error
	}{
		"base64":               {goodKey, nil},
		"base64 without =":     {strings.TrimRight(goodKey, "="), nil},
		"base64 for addresses": {"-_vEjRWeJCrze8SNFZ4kNq3xQmYb1dTz7hGk0fLr2U="[:43] + "=", ErrMasterKeyWeak}, // one byte short
		"hex":                  {hexKey, nil},
		"surrounded by space":  {" " + goodKey + "\n", nil},
		"too short":            {"c2hvcnQ=", ErrMasterKeyWeak},
		"too long":             {base64.StdEncoding.EncodeToString([]byte(goodKey)), ErrMasterKeyWeak},
		"a word":               {"changeme", ErrMasterKeyWeak},
		"zeroes":               {strings.Repeat("0", 64), ErrMasterKeyWeak},
		"one byte repeated":    {strings.Repeat("a7", 32), ErrMasterKeyWeak},
		"counting":             {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", ErrMasterKeyWeak},
		"counting down by 3":   {"fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2", ErrMasterKeyWeak},
		"a passphrase":         {base64.StdEncoding.EncodeToString([]byte("correct horse battery staple 123")), ErrMasterKeyWeak},
		"a short run repeated": {strings.Repeat("deadbeef01020304", 4), ErrMasterKeyWeak},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, "DATABASE_URL=postgres://db/x", "DATAFLOW_MASTER_KEY="+tc.key)
			keys, err := cfg.LoadKeys(false)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err == nil && (len(keys.Master) != KeySize || len(keys.Session) != KeySize || keys.Session == keys.Master) {
				t.Error("keys have the wrong form")
			}
		})
	}
}

func TestMasterKeyIsNeededBesideAGivenDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := load(t, "DATABASE_URL=postgres://db/x", "DATAFLOW_DATA_DIR="+dir).LoadKeys(false)
	if !errors.Is(err, ErrMasterKeyMissing) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("a key was made: %v", left)
	}
}

func TestEmbeddedKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := load(t, "DATAFLOW_DATA_DIR="+dir)
	first, err := cfg.LoadKeys(false)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keys", "master.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	if dirInfo, err := os.Stat(filepath.Dir(path)); err != nil || dirInfo.Mode().Perm() != 0o700 {
		t.Errorf("key directory: %v, %v", dirInfo, err)
	}
	again, err := cfg.LoadKeys(true)
	if err != nil || again != first {
		t.Errorf("the second start has other keys, or none: %v", err)
	}
	other, err := load(t, "DATAFLOW_DATA_DIR="+t.TempDir()).LoadKeys(false)
	if err != nil || other.Master == first.Master {
		t.Errorf("two installations share a key: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.LoadKeys(true); !errors.Is(err, ErrKeyFile) {
		t.Errorf("a key that all can read is taken: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.LoadKeys(true); !errors.Is(err, ErrMasterKeyLost) {
		t.Errorf("a lost key is replaced: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a new key was made beside an old database")
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", goodKey+"\n")
	for name, tc := range map[string]struct {
		environ []string
		want    error
	}{
		"file":           {[]string{"DATAFLOW_MASTER_KEY_FILE=" + good}, nil},
		"both":           {[]string{"DATAFLOW_MASTER_KEY_FILE=" + good, "DATAFLOW_MASTER_KEY=" + goodKey}, ErrInvalid},
		"missing":        {[]string{"DATAFLOW_MASTER_KEY_FILE=" + dir + "/none"}, ErrKeyFile},
		"empty":          {[]string{"DATAFLOW_MASTER_KEY_FILE=" + file("empty", "\n")}, ErrKeyFile},
		"weak":           {[]string{"DATAFLOW_MASTER_KEY_FILE=" + file("weak", "password")}, ErrMasterKeyWeak},
		"session key":    {[]string{"DATAFLOW_MASTER_KEY_FILE=" + good, "DATAFLOW_SESSION_KEY=" + goodKey}, nil},
		"weak session":   {[]string{"DATAFLOW_MASTER_KEY_FILE=" + good, "DATAFLOW_SESSION_KEY=secret"}, ErrInvalid},
		"session missed": {[]string{"DATAFLOW_MASTER_KEY_FILE=" + good, "DATAFLOW_SESSION_KEY_FILE=" + dir + "/none"}, ErrKeyFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, append(tc.environ, "DATABASE_URL=postgres://db/x")...).LoadKeys(false)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestDerivedKeysDiffer(t *testing.T) {
	t.Parallel()
	k := Keys{Master: Secret(strings.Repeat("k", KeySize))}
	a, b := k.Derive("a"), k.Derive("b")
	if a == b || a == k.Master || a != k.Derive("a") || len(a) != KeySize {
		t.Error("derived keys are not one a purpose")
	}
}

// TestExampleListsEverySetting keeps .env.example and the code together.
func TestExampleListsEverySetting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "#"), "="); ok && !strings.ContainsAny(name, " :…") {
			shown[name] = value
		}
	}
	params, err := env.GetFieldParams(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		value, ok := shown[p.Key]
		if !ok {
			t.Errorf("%s is missing", p.Key)
		}
		if p.HasDefaultValue && value != p.DefaultValue {
			t.Errorf("%s is shown as %q, its default is %q", p.Key, value, p.DefaultValue)
		}
		delete(shown, p.Key)
	}
	for name := range shown {
		t.Errorf("%s is no setting", name)
	}
}
