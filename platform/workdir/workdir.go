// Package workdir makes directories for files that nobody needs once their
// process has ended: what DuckDB spills, hot copies, objects half written.
package workdir

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Dir is such a directory. It is locked while its process lives, so that the next
// one can remove what a killed process left and nothing else.
type Dir struct {
	path string
	lock *os.File
}

// Open makes a directory in parent whose name begins with prefix and a hyphen,
// and removes those of killed processes.
func Open(parent, prefix string) (*Dir, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	RemoveLeftovers(parent, prefix)
	path, err := os.MkdirTemp(parent, prefix+"-")
	if err != nil {
		return nil, err
	}
	d, err := lockDir(path)
	if err != nil {
		_ = os.RemoveAll(path)
		return nil, err
	}
	return d, nil
}

// lockDir takes the lock before it gets its name: a directory without one is
// never removed, so none is mistaken for a leftover.
func lockDir(path string) (*Dir, error) {
	lock, err := os.OpenFile(filepath.Join(path, "new"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		err = os.Rename(lock.Name(), filepath.Join(path, "lock"))
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Dir{path: path, lock: lock}, nil
}

// RemoveLeftovers removes directories whose lock nobody holds. What cannot be
// removed now is tried again by the next process.
func RemoveLeftovers(parent, prefix string) {
	locks, _ := filepath.Glob(filepath.Join(parent, prefix+"-*", "lock"))
	for _, name := range locks {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		_ = f.Close()
	}
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// Join is the path of a file within.
func (d *Dir) Join(name string) string { return filepath.Join(d.path, name) }

// Remove removes the directory with all that is in it, and gives its lock back.
func (d *Dir) Remove() error {
	err := os.RemoveAll(d.path)
	if errClose := d.lock.Close(); err == nil {
		err = errClose
	}
	return err
}
