// Package blob keeps immutable objects on a disk or in an object store. A key
// is written once: what was read under it can never change.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // s3:// in STORAGE_URL
	"gocloud.dev/gcerrors"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/workdir"
)

var (
	// ErrNotFound means that nothing was published under the key, or that it was swept.
	ErrNotFound = apperr.Define(apperr.NotFound, "storage.not_found", "This file is no longer in storage.")
	// ErrExists means that the key was written before. Callers never reuse keys.
	ErrExists = apperr.Define(apperr.Conflict, "storage.exists", "A file of this name is in storage already.")
	// ErrFull means that the disk or quota is used up. Nothing was published.
	ErrFull = apperr.Define(apperr.Unavailable, "storage.full", "The storage is full. Free some space, then try again.")
	// ErrUnavailable means that the storage did not answer. Safe to retry.
	ErrUnavailable = apperr.Define(apperr.Unavailable, "storage.unavailable", "The storage does not answer. Try again in a moment.")
	// ErrAddress means that STORAGE_URL can't be used.
	ErrAddress = apperr.Define(apperr.Invalid, "storage.address", "STORAGE_URL can't be used.")
	// ErrNoSignedURL means that the storage can't hand out links of its own.
	ErrNoSignedURL = apperr.Define(apperr.Invalid, "storage.no_links", "This storage can't make download links.")
)

// Options say where objects lie.
type Options struct {
	// URL is file:///dir or an object store's, such as s3://bucket?region=eu-west-1.
	URL string
	// CacheDir is where copies of remote objects and unfinished files lie.
	// Needed for remote storage only.
	CacheDir string
	// CacheBytes bounds the copies that nobody is reading.
	CacheBytes int64
	// SignFile makes a download link for file:// storage, which has none of its own.
	SignFile func(ctx context.Context, key string, expires time.Duration) (string, error)
}

// Store is one storage. It is safe for concurrent use.
type Store struct {
	address  string
	bucket   *blob.Bucket
	dir      string // file:// only
	cache    *cache // others only
	stage    string
	signFile func(ctx context.Context, key string, expires time.Duration) (string, error)
}

// Object is one published object.
type Object struct {
	Key      string
	Bytes    int64
	Modified time.Time
}

const stageName = ".stage"

// Open connects to the storage. A file:// directory is made if missing.
//
// Errors: storage.address, storage.unavailable.
func Open(ctx context.Context, o Options) (*Store, error) {
	address, err := url.Parse(o.URL)
	if err != nil || address.Scheme == "" {
		return nil, ErrAddress.With("STORAGE_URL must be an address such as file:///srv/dataflow or s3://bucket?region=eu-west-1.").Wrap(err)
	}
	if address.Scheme == fileblob.Scheme {
		return openDir(address, o)
	}
	bucket, err := blob.OpenBucket(ctx, o.URL)
	if err != nil {
		return nil, ErrAddress.With("STORAGE_URL can't be used: the %s storage could not be opened.", address.Scheme).Wrap(err)
	}
	return openRemote(bucket, address.Scheme, o)
}

func openDir(address *url.URL, o Options) (*Store, error) {
	if (address.Host != "" && address.Host != "localhost") || !filepath.IsAbs(address.Path) || filepath.Clean(address.Path) == "/" {
		return nil, ErrAddress.With("STORAGE_URL must name an absolute directory: file:///srv/dataflow.")
	}
	dir := filepath.Clean(address.Path)
	if err := os.MkdirAll(filepath.Join(dir, stageName), 0o700); err != nil {
		return nil, ErrAddress.With("The storage directory %s can't be written.", dir).Wrap(err)
	}
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{
		NoTempDir: true, DirFileMode: 0o700, Metadata: fileblob.MetadataDontWrite,
	})
	if err != nil {
		return nil, fmt.Errorf("open storage directory: %w", err)
	}
	workdir.RemoveLeftovers(filepath.Join(dir, stageName), stagePrefix())
	return &Store{
		address: "file://" + dir, bucket: bucket, dir: dir,
		stage: filepath.Join(dir, stageName), signFile: o.SignFile,
	}, nil
}

func openRemote(bucket *blob.Bucket, scheme string, o Options) (*Store, error) {
	if o.CacheDir == "" {
		return nil, ErrAddress.With("Storage of kind %s needs a directory for local copies.", scheme)
	}
	c, err := openCache(o.CacheDir, o.CacheBytes)
	if err != nil {
		return nil, err
	}
	stage := filepath.Join(c.dir, stageName)
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return nil, fmt.Errorf("make stage directory: %w", err)
	}
	workdir.RemoveLeftovers(stage, stagePrefix())
	return &Store{address: scheme + "://", bucket: bucket, cache: c, stage: stage}, nil
}

// Close lets go of the storage. Files given by Local stay readable until released.
func (s *Store) Close() error {
	err := s.bucket.Close()
	if s.cache != nil {
		err = errors.Join(err, s.cache.close())
	}
	return err
}

// IsFile tells whether objects are files of this machine (or of a shared mount).
func (s *Store) IsFile() bool { return s.dir != "" }

// Ping asks whether the storage answers.
//
// Errors: storage.unavailable.
func (s *Store) Ping(ctx context.Context) error {
	if s.dir != "" {
		if _, err := os.Stat(s.stage); err != nil {
			return ErrUnavailable.Wrap(err)
		}
		return nil
	}
	ok, err := s.bucket.IsAccessible(ctx)
	if err != nil {
		return ErrUnavailable.Wrap(err)
	}
	if !ok {
		return ErrUnavailable.With("The storage bucket does not exist or is not open to this server.")
	}
	return nil
}

// Read opens an object. The caller closes it.
//
// Errors: storage.not_found, storage.unavailable.
func (s *Store) Read(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.ReadRange(ctx, key, 0, -1)
}

// ReadRange opens length bytes of an object from offset; -1 is "to the end".
//
// Errors: storage.not_found, storage.unavailable.
func (s *Store) ReadRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	r, err := s.bucket.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, wrap("read", key, err)
	}
	return r, nil
}

// Attributes describes an object.
//
// Errors: storage.not_found, storage.unavailable.
func (s *Store) Attributes(ctx context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	a, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return Object{}, wrap("describe", key, err)
	}
	return Object{Key: key, Bytes: a.Size, Modified: a.ModTime}, nil
}

// List walks the objects under a prefix in order of their keys. Unfinished
// files and the marker are not listed.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		objects := s.bucket.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := objects.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Object{}, wrap("list", prefix, err))
				return
			}
			if strings.HasPrefix(o.Key, ".") {
				continue
			}
			if !yield(Object{Key: o.Key, Bytes: o.Size, Modified: o.ModTime}, nil) {
				return
			}
		}
	}
}

// Delete removes an object for good. Only a sweeper calls it. An object that
// is gone already is no error.
//
// Errors: storage.unavailable.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return wrap("delete", key, err)
	}
	if s.cache != nil {
		s.cache.forget(key)
	}
	return nil
}

// SignedURL is a link from which anybody can download the object until it
// expires.
//
// Errors: storage.no_links, storage.unavailable.
func (s *Store) SignedURL(ctx context.Context, key string, expires time.Duration) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if s.dir != "" {
		if s.signFile == nil {
			return "", ErrNoSignedURL
		}
		return s.signFile(ctx, key, expires)
	}
	link, err := s.bucket.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: expires})
	if gcerrors.Code(err) == gcerrors.Unimplemented {
		return "", ErrNoSignedURL.Wrap(err)
	}
	if err != nil {
		return "", wrap("sign", key, err)
	}
	return link, nil
}

// Keys are plain, so that they are the same path in every storage: segments of
// letters, digits and a few marks, none beginning with a dot.
var keyPattern = regexp.MustCompile(`^[A-Za-z0-9_=-][A-Za-z0-9._=-]*(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*$`)

func checkKey(key string) error {
	if len(key) > 900 || !keyPattern.MatchString(key) {
		return fmt.Errorf("storage key %q is not of the allowed form", key)
	}
	return nil
}

func wrap(operation, key string, err error) error {
	cause := fmt.Errorf("%s %s: %w", operation, key, err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return cause
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull.Wrap(cause)
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return ErrNotFound.Wrap(cause)
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return ErrExists.Wrap(cause)
	case gcerrors.Canceled, gcerrors.DeadlineExceeded:
		return cause
	}
	return ErrUnavailable.Wrap(cause)
}
