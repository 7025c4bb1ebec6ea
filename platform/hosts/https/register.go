package https

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Objects is a storage that all processes share, in which a key is written
// once: a second Publish is an apperr.Conflict, and what is not there an
// apperr.NotFound. Keys lists in any order what was published before it began.
type Objects interface {
	Publish(ctx context.Context, key string, r io.Reader) (int64, error)
	Read(ctx context.Context, key string) (io.ReadCloser, error)
	Keys(ctx context.Context, prefix string) iter.Seq2[string, error]
	Delete(ctx context.Context, key string) error
}

// register makes values that change out of objects that don't. Each state of a
// value is an object of its own, numbered from 1, and the highest number
// counts. Of two processes that write the same number, the storage lets one
// win: that is all that locks need.
//
// The newest state is never deleted by who writes the next, so numbers only
// grow, and a process that was asleep while others went on notices it: what it
// writes is not the highest.
type register struct{ objects Objects }

// head is the newest state of a value. Number 0 means that there is none.
type head struct {
	number uint64
	body   []byte
}

// A path is a value's place. Its states lie in a folder whose name no other
// path can have, since escape never ends a name in "=".
func folder(path string) string { return escape(path) + "=/" }

func (r register) state(path string, number uint64) string {
	return folder(path) + fmt.Sprintf("%020d", number)
}

// read answers the newest state.
func (r register) read(ctx context.Context, path string) (head, error) {
	var err error
	for range attempts {
		var numbers []uint64
		if numbers, err = r.numbers(ctx, path); err != nil || len(numbers) == 0 {
			return head{}, err
		}
		newest := highest(numbers)
		var body []byte
		if body, err = r.body(ctx, r.state(path, newest)); err == nil {
			return head{newest, body}, nil
		}
		if apperr.Describe(err).Class != apperr.NotFound {
			break
		}
		// A newer one has come, or all are gone.
	}
	return head{}, fmt.Errorf("read %s: %w", path, err)
}

// newest is the number of the newest state, without reading it.
func (r register) newest(ctx context.Context, path string) (uint64, error) {
	numbers, err := r.numbers(ctx, path)
	return highest(numbers), err
}

// write makes body the state after the one of the given number, and answers
// whether it did: not where another process wrote it first, or has gone on
// from there. States before it are deleted.
func (r register) write(ctx context.Context, path string, after uint64, body []byte) (bool, error) {
	mine := r.state(path, after+1)
	_, err := r.objects.Publish(ctx, mine, bytes.NewReader(body))
	if err != nil {
		if apperr.Describe(err).Class == apperr.Conflict {
			return false, nil
		}
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	numbers, err := r.numbers(ctx, path)
	if err != nil {
		return false, err
	}
	if highest(numbers) != after+1 {
		return false, r.objects.Delete(ctx, mine)
	}
	for _, number := range numbers {
		if number <= after {
			if err := r.objects.Delete(ctx, r.state(path, number)); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// remove deletes a value, or all values below a path.
func (r register) remove(ctx context.Context, path string) error {
	for _, prefix := range []string{folder(path), escape(path) + "/"} {
		keys, err := r.keys(ctx, prefix)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := r.objects.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// below lists the paths of all values below a path.
func (r register) below(ctx context.Context, path string) ([]string, error) {
	prefix := ""
	if path != "" {
		prefix = escape(path) + "/"
	}
	keys, err := r.keys(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var paths []string
	seen := map[string]bool{}
	for _, key := range keys {
		place, _, ok := strings.Cut(key, "=/")
		if !ok {
			continue
		}
		place, err := unescape(place)
		if err == nil && !seen[place] {
			seen[place] = true
			paths = append(paths, place)
		}
	}
	return paths, nil
}

func (r register) numbers(ctx context.Context, path string) ([]uint64, error) {
	prefix := folder(path)
	keys, err := r.keys(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, key := range keys {
		if number, err := strconv.ParseUint(strings.TrimPrefix(key, prefix), 10, 64); err == nil {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

func (r register) body(ctx context.Context, key string) ([]byte, error) {
	reader, err := r.objects.Read(ctx, key)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(reader, maxValue))
	return body, errors.Join(err, reader.Close())
}

// keys lists objects. A list that meets an object while it is deleted may fail
// for it, and is begun again.
func (r register) keys(ctx context.Context, prefix string) ([]string, error) {
	var failed error
	for range attempts {
		var keys []string
		failed = nil
		for key, err := range r.objects.Keys(ctx, prefix) {
			if failed = err; err != nil {
				break
			}
			keys = append(keys, key)
		}
		if failed == nil {
			return keys, nil
		}
		if apperr.Describe(failed).Class != apperr.NotFound {
			break
		}
	}
	return nil, fmt.Errorf("list %s: %w", prefix, failed)
}

// attempts bounds how often a reader runs after writers.
const attempts = 20

// maxValue bounds a value: a chain of certificates has a few thousand bytes.
const maxValue = 1 << 20

func highest(numbers []uint64) uint64 {
	var top uint64
	for _, number := range numbers {
		top = max(top, number)
	}
	return top
}

const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/"

// escape writes a path in the characters that keys of objects may have. What
// begins with a path also begins so when escaped.
func escape(path string) string {
	var out strings.Builder
	for i := range len(path) {
		c := path[i]
		if strings.IndexByte(plain, c) >= 0 && (c != '.' || (i > 0 && path[i-1] != '/')) {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "=%02X", c)
		}
	}
	return out.String()
}

func unescape(key string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(key); i++ {
		if key[i] != '=' {
			out.WriteByte(key[i])
			continue
		}
		if i+2 >= len(key) {
			return "", errors.New("cut off")
		}
		c, err := strconv.ParseUint(key[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		out.WriteByte(byte(c))
		i += 2
	}
	return out.String(), nil
}
