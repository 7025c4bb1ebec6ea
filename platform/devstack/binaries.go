package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The major versions of PostgreSQL that the product is made for.
const (
	minPostgres = 15
	maxPostgres = 18
)

// installation is one PostgreSQL of the machine.
type installation struct {
	major int
	bin   string
}

// postgresInstallations lists what the machine has, most wanted first: the one
// in PATH, then the newest.
func postgresInstallations(ctx context.Context) []installation {
	var found []installation
	add := func(bin string) {
		if major, err := postgresMajor(ctx, bin); err == nil {
			found = append(found, installation{major, bin})
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			add(filepath.Dir(real))
		}
	}
	var rest []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin"} {
		dirs, err := filepath.Glob(pattern)
		if err == nil { // the patterns are well formed
			rest = append(rest, dirs...)
		}
	}
	inPath := len(found)
	for _, dir := range rest {
		add(dir)
	}
	sort.SliceStable(found[inPath:], func(i, j int) bool {
		return found[inPath+i].major > found[inPath+j].major
	})
	return found
}

var versionPattern = regexp.MustCompile(`\) (\d+)`)

// postgresMajor asks a directory of programs for its version. One without
// initdb is a client or a stub.
func postgresMajor(ctx context.Context, bin string) (int, error) {
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return 0, fmt.Errorf("find initdb: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	match := versionPattern.FindSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("read the version of PostgreSQL from %q", text)
	}
	return strconv.Atoi(string(match[1]))
}

// clusterMajor is the version that made the cluster; 0 where there is none.
func clusterMajor(dataDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, postgresDirName, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the version of the cluster: %w", err)
	}
	return major, nil
}

// choosePostgres finds the programs for the cluster: of its own version, or
// the most wanted for a new one.
func choosePostgres(have []installation, cluster int, dataDir string) (installation, error) {
	var majors []string
	for _, i := range have {
		if cluster == i.major || (cluster == 0 && i.major >= minPostgres && i.major <= maxPostgres) {
			return i, nil
		}
		majors = append(majors, strconv.Itoa(i.major))
	}
	dir := filepath.Join(dataDir, postgresDirName)
	switch {
	case cluster != 0 && len(have) > 0:
		return installation{}, ErrVersion.With("%s was made by PostgreSQL %d, but this machine has PostgreSQL %s. "+
			"Install PostgreSQL %[2]d beside it (Debian: apt install postgresql-%[2]d). "+
			"To change over instead, dump the database with version %[2]d (pg_dumpall), move %[1]s away, start once, and load the dump.",
			dir, cluster, strings.Join(majors, " and "))
	case cluster != 0:
		return installation{}, ErrMissing.With("PostgreSQL %d, which made %s, is not installed. Install it (Debian: apt install postgresql-%[1]d), or set DATABASE_URL to a running server.", cluster, dir)
	case len(have) > 0:
		return installation{}, ErrMissing.With("This machine has PostgreSQL %s; version %d to %d is needed. Install one (Debian: apt install postgresql), or set DATABASE_URL to a running server.", strings.Join(majors, " and "), minPostgres, maxPostgres)
	}
	return installation{}, ErrMissing.With("PostgreSQL is not installed: no postgres in PATH, /usr/lib/postgresql/*/bin or /usr/pgsql-*/bin. Install version %d to %d (Debian: apt install postgresql), or set DATABASE_URL to a running server.", minPostgres, maxPostgres)
}

// findRedis looks for the server's program.
func findRedis() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server", "/usr/sbin/redis-server", "/usr/local/bin/redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing.With("Redis is not installed: no redis-server or valkey-server in PATH. Install it (Debian: apt install redis-server), or set REDIS_URL to a running server.")
}
