package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Local gives the object as a file of this machine: the object itself for
// file:// storage, else a copy that is fetched once. The path stays valid
// until release, which must be called. The file must not be changed.
//
// Errors: storage.not_found, storage.full, storage.unavailable.
func (s *Store) Local(ctx context.Context, key string) (path string, release func(), err error) {
	if err := checkKey(key); err != nil {
		return "", nil, err
	}
	if s.dir != "" {
		path := filepath.Join(s.dir, filepath.FromSlash(key))
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !info.Mode().IsRegular()) {
			return "", nil, ErrNotFound.Wrap(fmt.Errorf("open %s: %w", key, fs.ErrNotExist))
		}
		if err != nil {
			return "", nil, wrap("open", key, err)
		}
		return path, func() {}, nil
	}
	path, unpin, err := s.cache.get(ctx, key, s.fetch)
	if err != nil {
		return "", nil, err
	}
	return path, sync.OnceFunc(unpin), nil
}

// size asks how large the object is, fetch copies it to path.
func (s *Store) fetch(ctx context.Context, key string, reserve func(bytes int64), path string) error {
	object, err := s.Attributes(ctx, key)
	if err != nil {
		return err
	}
	reserve(object.Bytes)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return wrap("copy", key, err)
	}
	err = s.bucket.Download(ctx, key, file, nil)
	if err := errors.Join(err, file.Close()); err != nil {
		return wrap("copy", key, err)
	}
	return nil
}
