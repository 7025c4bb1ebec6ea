// Package rediscache keeps computed answers where all processes find them.
// Every entry may vanish at any moment: Redis drops the least used ones when
// its memory is full, and the rest after a day.
package rediscache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// keepFor bounds memory only: entries are keyed by version and never go stale.
const keepFor = 24 * time.Hour

// maxEntry is the largest value worth the way to Redis and back.
const maxEntry = 4 << 20

// Cache is a second tier behind a process's own cache.
type Cache struct {
	client redis.UniversalClient
	prefix string
}

// New keeps entries under keys that begin with prefix.
func New(client redis.UniversalClient, prefix string) *Cache {
	return &Cache{client: client, prefix: prefix}
}

// Get answers nil and no error where the key is absent.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := c.client.Get(ctx, c.prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	return value, nil
}

// Set keeps a value; one that is too large is left out.
func (c *Cache) Set(ctx context.Context, key string, value []byte) error {
	if len(value) > maxEntry {
		return nil
	}
	if err := c.client.Set(ctx, c.prefix+key, value, keepFor).Err(); err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	return nil
}
