package warehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// workDir is a directory of one engine for files that nobody else needs: what
// DuckDB spills, hot copies. It is locked while the engine lives, so that the
// next engine can remove what a killed process left and nothing else.
type workDir struct {
	path string
	lock *os.File
}

func openWorkDir(parent string) (*workDir, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	removeLeftovers(parent)
	path, err := os.MkdirTemp(parent, "engine-")
	if err != nil {
		return nil, err
	}
	w, err := lockWorkDir(path)
	if err != nil {
		_ = os.RemoveAll(path)
		return nil, err
	}
	err = os.WriteFile(w.join("empty.parquet"), emptyFile, 0o600)
	if err == nil {
		err = os.Mkdir(w.join("kept"), 0o700)
	}
	if err != nil {
		_ = w.remove()
		return nil, err
	}
	return w, nil
}

// lockWorkDir takes the lock before it gets its name: a directory without one is
// never removed, so none is mistaken for a leftover.
func lockWorkDir(path string) (*workDir, error) {
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
	return &workDir{path: path, lock: lock}, nil
}

// removeLeftovers removes directories whose lock nobody holds. What cannot be
// removed now is tried again by the next engine.
func removeLeftovers(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, "engine-*", "lock"))
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

func (w *workDir) join(name string) string { return filepath.Join(w.path, name) }

func (w *workDir) remove() error {
	err := os.RemoveAll(w.path)
	if errClose := w.lock.Close(); err == nil {
		err = errClose
	}
	return err
}
