package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sys/unix"

	"github.com/dataflowhq/dataflow/platform/workdir"
)

// Publish writes an object from r and answers its size. When it returns
// without an error, the object survives a power cut; otherwise nothing of it
// is there. The caller commits its rows after Publish, never before.
//
// Errors: storage.exists, storage.full, storage.unavailable.
func (s *Store) Publish(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	if s.dir == "" {
		return s.upload(ctx, key, r)
	}
	stage, err := s.Stage()
	if err != nil {
		return 0, err
	}
	defer func() { _ = stage.Remove() }() // or by the next process
	temp, err := os.OpenFile(stage.Join("object"), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return 0, wrap("write", key, err)
	}
	size, err := io.Copy(temp, contextReader{ctx, r})
	if err := errors.Join(err, temp.Close()); err != nil {
		return 0, wrap("write", key, err)
	}
	return size, s.place(key, temp.Name())
}

// PublishFile publishes a finished file and takes it away from its old path. A
// file made in Stage is moved, any other is copied.
//
// Errors: storage.exists, storage.full, storage.unavailable.
func (s *Store) PublishFile(ctx context.Context, key, path string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if s.dir != "" {
		err := s.place(key, path)
		if !errors.Is(err, unix.EXDEV) {
			return err
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open finished file: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := s.Publish(ctx, key, file); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove finished file: %w", err)
	}
	return nil
}

// Stage makes an empty directory for files that are to be published. The
// caller removes it when done. What a killed process of this machine left, Open
// and the next Stage remove.
//
// Errors: storage.full, storage.unavailable.
func (s *Store) Stage() (*workdir.Dir, error) {
	dir, err := workdir.Open(s.stage, stagePrefix())
	if err != nil {
		return nil, wrap("make", "stage directory", err)
	}
	return dir, nil
}

// stagePrefix names the machine: the storage may be a mount that several share,
// and whose locks hold on each alone.
func stagePrefix() string {
	host, _ := os.Hostname() // without a name all count as one
	return "work-" + strings.Map(func(r rune) rune {
		if r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, host)
}

// SweepStage removes unfinished files that nothing wrote to for longer than
// age: those of machines that did not come back.
func (s *Store) SweepStage(age time.Duration) error {
	entries, err := os.ReadDir(s.stage)
	if err != nil {
		return wrap("list", "stage directory", err)
	}
	limit := time.Now().Add(-age)
	for _, entry := range entries {
		path := filepath.Join(s.stage, entry.Name())
		newest := time.Time{}
		err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.ModTime().After(newest) {
				newest = info.ModTime()
			}
			return err
		})
		if errors.Is(err, fs.ErrNotExist) {
			continue // finished meanwhile
		}
		if err != nil {
			return wrap("read", "stage directory", err)
		}
		if newest.Before(limit) {
			if err := os.RemoveAll(path); err != nil {
				return wrap("sweep", "stage directory", err)
			}
		}
	}
	return nil
}

// place makes a finished file durable under its key, or leaves it where it is.
func (s *Store) place(key, path string) error {
	if err := syncPath(path); err != nil {
		return wrap("sync", key, err)
	}
	target := filepath.Join(s.dir, filepath.FromSlash(key))
	if err := s.makeParents(key); err != nil {
		return wrap("make directory of", key, err)
	}
	err := renameNew(path, target)
	if errors.Is(err, fs.ErrExist) {
		return ErrExists.Wrap(fmt.Errorf("publish %s: %w", key, err))
	}
	if err != nil {
		return wrap("publish", key, err)
	}
	if err := syncPath(filepath.Dir(target)); err != nil {
		return wrap("sync directory of", key, err)
	}
	return nil
}

// renameNew moves a file and never replaces one.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// The file system knows no such rename; a hard link never replaces either.
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// makeParents makes the directories above a key, each durable in its parent.
func (s *Store) makeParents(key string) error {
	dir := s.dir
	segments := strings.Split(key, "/")
	for _, segment := range segments[:len(segments)-1] {
		parent := dir
		dir = filepath.Join(dir, segment)
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := syncPath(parent); err != nil {
			return err
		}
	}
	return nil
}

func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func (s *Store) upload(ctx context.Context, key string, r io.Reader) (int64, error) {
	// Leaving without Close while ctx is cancelled is how a writer is told to
	// drop what it has.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{
		IfNotExist: true, ContentType: "application/octet-stream",
	})
	if err != nil {
		return 0, wrap("write", key, err)
	}
	size, err := io.Copy(w, r)
	if err != nil {
		cancel()
		_ = w.Close()
		return 0, wrap("write", key, err)
	}
	if err := w.Close(); err != nil {
		return 0, wrap("publish", key, err)
	}
	return size, nil
}

// contextReader ends a copy when its request is gone.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
