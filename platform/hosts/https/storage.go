package https

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Box seals what is kept: private keys and the account with the authority. The
// purpose given to Encrypt must be given to Decrypt. A *secrets.Box is one.
type Box interface {
	Encrypt(purpose string, plaintext []byte) ([]byte, error)
	Decrypt(purpose string, sealed []byte) ([]byte, error)
}

const (
	// lease is for how long a lock holds without a sign of life of its holder.
	lease = 20 * time.Second
	// unlockTimeout bounds what is done for a lock after its holder's context
	// has ended.
	unlockTimeout = 10 * time.Second
)

// storage keeps accounts, certificates and challenges in objects that all web
// processes share, each value sealed under its own key: none can be put in
// another's place.
type storage struct {
	values register
	box    Box
	lease  time.Duration
	log    *slog.Logger

	mu   sync.Mutex
	held map[string]*holding
}

var _ certmagic.Storage = (*storage)(nil)

func newStorage(objects Objects, box Box, log *slog.Logger) *storage {
	return &storage{values: register{objects}, box: box, lease: lease, log: log, held: map[string]*holding{}}
}

// LogValue keeps what the library logs of it short.
func (s *storage) LogValue() slog.Value { return slog.StringValue("shared") }

// Store keeps the value under the key, in place of what was there. A sealed
// value begins with the time of its writing.
func (s *storage) Store(ctx context.Context, key string, value []byte) error {
	stamped := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMicro()))
	sealed, err := s.box.Encrypt(purpose(key), append(stamped, value...))
	if err != nil {
		return err
	}
	for {
		newest, err := s.values.newest(ctx, place(key))
		if err != nil {
			return err
		}
		// Whoever comes between is overwritten: the last one counts.
		if done, err := s.values.write(ctx, place(key), newest, sealed); done || err != nil {
			return err
		}
	}
}

// Load answers a value, or fs.ErrNotExist.
func (s *storage) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.load(ctx, key)
	return value, err
}

func (s *storage) load(ctx context.Context, key string) ([]byte, time.Time, error) {
	newest, err := s.values.read(ctx, place(key))
	if err != nil {
		return nil, time.Time{}, err
	}
	if newest.number == 0 {
		return nil, time.Time{}, fmt.Errorf("load %s: %w", key, fs.ErrNotExist)
	}
	opened, err := s.box.Decrypt(purpose(key), newest.body)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("load %s: %w", key, err)
	}
	if len(opened) < 8 {
		return nil, time.Time{}, fmt.Errorf("load %s: cut off", key)
	}
	return opened[8:], time.UnixMicro(int64(binary.BigEndian.Uint64(opened))), nil
}

// Delete removes a value and all values below it.
func (s *storage) Delete(ctx context.Context, key string) error {
	return s.values.remove(ctx, place(key))
}

// Exists tells whether there is a value of this key, or one below it.
func (s *storage) Exists(ctx context.Context, key string) bool {
	if newest, err := s.values.newest(ctx, place(key)); err != nil || newest > 0 {
		return err == nil
	}
	below, err := s.values.below(ctx, place(key))
	return err == nil && len(below) > 0
}

// List answers the keys below a path: all of them, or the next level.
func (s *storage) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	below, err := s.values.below(ctx, place(prefix))
	if err != nil {
		return nil, err
	}
	if len(below) == 0 {
		return nil, fmt.Errorf("list %s: %w", prefix, fs.ErrNotExist)
	}
	prefix = strings.Trim(prefix, "/")
	keys := make([]string, 0, len(below))
	for _, p := range below {
		key := strings.TrimPrefix(p, valuesRoot+"/")
		if !recursive {
			rest := strings.TrimPrefix(strings.TrimPrefix(key, prefix), "/")
			first, _, _ := strings.Cut(rest, "/")
			key = path.Join(prefix, first)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Stat describes a value or what has values below it, or answers fs.ErrNotExist.
func (s *storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, written, err := s.load(ctx, key)
	switch {
	case err == nil:
		return certmagic.KeyInfo{Key: key, Modified: written, Size: int64(len(value)), IsTerminal: true}, nil
	case errors.Is(err, fs.ErrNotExist) && s.Exists(ctx, key):
		return certmagic.KeyInfo{Key: key}, nil
	}
	return certmagic.KeyInfo{}, err
}

const (
	valuesRoot = "https/values"
	locksRoot  = "https/locks"
)

func place(key string) string   { return path.Join(valuesRoot, strings.Trim(key, "/")) }
func purpose(key string) string { return "https " + strings.Trim(key, "/") }

// holding is a lock held by this process.
type holding struct {
	cancel context.CancelFunc
	done   chan uint64 // the number of its last sign of life
}

// A lock is free when its state is empty, and held by whoever wrote it
// otherwise. While it works, the holder writes again and again; one whose
// writing stops is taken to be dead. That is judged by the clock of who waits
// alone: clocks of machines differ.
//
// A holder that was only stopped for a while finds the lock gone and says so;
// two may then work at once. For certificates that costs an order, no more.

// Lock waits until the lock is free, or its holder has been silent for a lease.
func (s *storage) Lock(ctx context.Context, name string) error {
	lock := path.Join(locksRoot, name)
	var last uint64
	since := time.Now()
	for wait := s.lease / 40; ; wait = min(2*wait, s.lease/10) {
		state, err := s.values.read(ctx, lock)
		if err != nil {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		if state.number != last {
			last, since = state.number, time.Now()
		}
		if len(state.body) == 0 || time.Since(since) >= s.lease {
			holder := []byte(rand.Text())
			won, err := s.values.write(ctx, lock, state.number, holder)
			if err != nil {
				return fmt.Errorf("lock %s: %w", name, err)
			}
			if won {
				s.hold(ctx, name, holder, state.number+1)
				return nil
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// hold gives signs of life until the lock is let go of.
func (s *storage) hold(ctx context.Context, name string, holder []byte, number uint64) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &holding{cancel: cancel, done: make(chan uint64, 1)}
	s.mu.Lock()
	s.held[name] = h
	s.mu.Unlock()
	go func() {
		defer func() { h.done <- number }()
		ticker := time.NewTicker(s.lease / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			// A sign that was begun is finished, so that its number is known.
			going, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
			still, err := s.values.write(going, path.Join(locksRoot, name), number, holder)
			cancel()
			switch {
			case err != nil:
				s.log.Warn("lock can't be renewed", "lock", name, "error", err)
				if newest, err := s.values.newest(context.WithoutCancel(ctx), path.Join(locksRoot, name)); err == nil && newest == number+1 {
					number = newest // it was written, and only the answer got lost
				}
			case !still:
				s.log.Warn("lock was lost: this process was silent for too long", "lock", name)
				return
			default:
				number++
			}
		}
	}()
}

// Unlock lets go of a lock. One that was lost meanwhile is left alone.
func (s *storage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	h := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if h == nil {
		return fmt.Errorf("unlock %s: it is not locked here", name)
	}
	h.cancel()
	number := <-h.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	if _, err := s.values.write(ctx, path.Join(locksRoot, name), number, nil); err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}
