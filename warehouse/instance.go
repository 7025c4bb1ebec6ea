package warehouse

import (
	"container/list"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/dataflowhq/dataflow/platform/workdir"
)

// instances keeps one DuckDB instance per active tenant. The least recently
// used is closed first, and none while a query runs on it.
type instances struct {
	cfg   Config
	limit int // bytes of memory one instance may use

	work *workdir.Dir // set before the first instance is opened

	mu     sync.Mutex
	open   map[string]*instance
	recent *list.List // of *instance, most recent first
	closed bool
}

type instance struct {
	tenant  string
	at      *list.Element
	ready   chan struct{} // closed once opened
	err     error
	db      *database
	idle    []*connection
	running int
}

func newInstances(cfg Config, memory int64) *instances {
	return &instances{cfg: cfg, limit: int(memory), open: map[string]*instance{}, recent: list.New()}
}

// acquire gives a connection to the tenant's instance, opened where it is not.
//
// Errors: query.closed.
func (s *instances) acquire(ctx context.Context, tenant string) (*instance, *connection, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, nil, ErrClosed
	}
	var doomed []*instance
	in, ok := s.open[tenant]
	if ok {
		in.running++
		s.recent.MoveToFront(in.at)
	} else {
		in = &instance{tenant: tenant, ready: make(chan struct{}), running: 1}
		in.at = s.recent.PushFront(in)
		s.open[tenant] = in
		doomed = s.evict()
	}
	s.mu.Unlock()
	for _, d := range doomed {
		d.shut()
	}
	if !ok {
		in.db, in.err = s.start()
		close(in.ready)
	}
	select {
	case <-in.ready:
	case <-ctx.Done():
		s.release(in, nil)
		return nil, nil, ctx.Err()
	}
	if in.err != nil {
		s.drop(in)
		return nil, nil, in.err
	}
	s.mu.Lock()
	if n := len(in.idle); n > 0 {
		conn := in.idle[n-1]
		in.idle = in.idle[:n-1]
		s.mu.Unlock()
		return in, conn, nil
	}
	s.mu.Unlock()
	conn, err := in.db.connect()
	if err != nil {
		s.release(in, nil)
		return nil, nil, err
	}
	return in, conn, nil
}

// release gives a connection back; nil where there is none to give.
func (s *instances) release(in *instance, conn *connection) {
	if conn != nil && conn.forget() != nil {
		conn.close()
		conn = nil
	}
	s.mu.Lock()
	in.running--
	switch {
	case conn == nil:
	case s.closed:
		s.mu.Unlock()
		conn.close()
		s.mu.Lock()
	default:
		in.idle = append(in.idle, conn)
	}
	doomed := s.evict()
	s.mu.Unlock()
	for _, d := range doomed {
		d.shut()
	}
}

// evict takes instances out that are too many; the caller shuts them without
// holding the lock. It must be called with the lock held.
func (s *instances) evict() []*instance {
	var doomed []*instance
	for at := s.recent.Back(); at != nil && (s.closed || len(s.open) > s.cfg.MaxInstances); {
		in := at.Value.(*instance)
		at = at.Prev()
		if in.running > 0 {
			continue
		}
		s.recent.Remove(in.at)
		delete(s.open, in.tenant)
		doomed = append(doomed, in)
	}
	return doomed
}

// drop forgets an instance that could not be opened.
func (s *instances) drop(in *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in.running--
	if s.open[in.tenant] == in {
		s.recent.Remove(in.at)
		delete(s.open, in.tenant)
	}
}

func (in *instance) shut() {
	for _, c := range in.idle {
		c.close()
	}
	if in.db != nil {
		in.db.close()
	}
}

// close shuts idle instances now and the others once their queries have ended.
func (s *instances) close() {
	s.mu.Lock()
	s.closed = true
	doomed := s.evict()
	s.mu.Unlock()
	for _, d := range doomed {
		d.shut()
	}
}

func (s *instances) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// start opens an instance that can read segments, spill, and nothing else.
func (s *instances) start() (*database, error) {
	// Instances must not share it: DuckDB names spilled files by number.
	spill, err := os.MkdirTemp(s.work.Path(), "spill-")
	if err != nil {
		return nil, fmt.Errorf("create spill directory: %w", err)
	}
	db, err := openDatabase(":memory:", map[string]string{
		"threads":                      strconv.Itoa(s.cfg.Threads),
		"memory_limit":                 strconv.Itoa(s.limit) + "B",
		"temp_directory":               spill,
		"max_temp_directory_size":      strconv.FormatInt(4*s.cfg.MemoryBytes, 10) + "B",
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		"allow_community_extensions":   "false",
		"allow_unredacted_secrets":     "false",
		"enable_external_file_cache":   "false", // the system's page cache does
		"allocator_background_threads": "false",
		"preserve_insertion_order":     "true",
		"default_null_order":           "nulls_last",
		"default_order":                "asc",
	})
	if err != nil {
		return nil, err
	}
	conn, err := db.connect()
	if err != nil {
		db.close()
		return nil, err
	}
	defer conn.close()
	dirs := make([]string, 0, len(s.cfg.DataDirs)+1)
	for _, dir := range append([]string{s.work.Path()}, s.cfg.DataDirs...) {
		dirs = append(dirs, quoteText(strings.TrimSuffix(dir, "/")+"/"))
	}
	for _, sql := range []string{
		"SET GLOBAL TimeZone = 'UTC'",
		"SET GLOBAL parquet_metadata_cache = true",
		"SET allowed_directories = [" + strings.Join(dirs, ", ") + "]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	} {
		if err := conn.exec(context.Background(), sql); err != nil {
			db.close()
			return nil, fmt.Errorf("harden DuckDB: %s: %w", sql, err)
		}
	}
	return db, nil
}
