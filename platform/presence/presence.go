// Package presence knows who is at work on a thing right now. It lives in Redis
// and nowhere else: whoever says nothing for a while is gone, and a Redis that
// is wiped fills up again by itself.
package presence

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Keep is how long somebody is there after the last word.
const Keep = 30 * time.Second

// Person is one open tab of somebody.
type Person struct {
	Tab   string    `json:"tab"` // made by the tab
	User  uuid.UUID `json:"user"`
	Name  string    `json:"name"`
	Part  string    `json:"part,omitempty"` // of the thing: the selected widget
	Since time.Time `json:"since"`          // when the tab was opened
	Heard time.Time `json:"heard"`          // when it last said something
}

// Board keeps who is where.
type Board struct {
	client redis.UniversalClient
	clock  func() time.Time
}

// New keeps presence in Redis.
func New(client redis.UniversalClient) *Board { return &Board{client: client, clock: time.Now} }

func key(tenant, thing uuid.UUID) string {
	return "dataflow:presence:" + tenant.String() + ":" + thing.String()
}

// Say tells that a tab is open on a thing, and at which part.
func (b *Board) Say(ctx context.Context, tenant, thing uuid.UUID, p Person) error {
	now := b.clock()
	p.Heard = now
	if p.Since.IsZero() {
		p.Since = now
	}
	at := key(tenant, thing)
	if old, err := b.client.HGet(ctx, at, p.Tab).Bytes(); err == nil {
		var before Person
		if json.Unmarshal(old, &before) == nil && before.User == p.User {
			p.Since = before.Since
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write presence: %w", err)
	}
	pipe := b.client.Pipeline()
	pipe.HSet(ctx, at, p.Tab, text)
	pipe.Expire(ctx, at, Keep)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("write presence: %w", err)
	}
	return nil
}

// Leave tells that a tab was closed.
func (b *Board) Leave(ctx context.Context, tenant, thing uuid.UUID, tab string) error {
	if err := b.client.HDel(ctx, key(tenant, thing), tab).Err(); err != nil {
		return fmt.Errorf("write presence: %w", err)
	}
	return nil
}

// List answers who is there, the first to come first.
func (b *Board) List(ctx context.Context, tenant, thing uuid.UUID) ([]Person, error) {
	all, err := b.client.HGetAll(ctx, key(tenant, thing)).Result()
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	list := []Person{}
	for _, text := range all {
		var p Person
		if json.Unmarshal([]byte(text), &p) == nil && b.clock().Sub(p.Heard) < Keep {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Person) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Tab, b.Tab)) })
	return list, nil
}
