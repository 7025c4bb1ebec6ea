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
	at, field := key(tenant, thing), fieldOf(p.User, p.Tab)
	all, err := b.client.HGetAll(ctx, at).Result()
	if err != nil {
		return fmt.Errorf("read presence: %w", err)
	}
	var gone []string
	for name, text := range all {
		before, there := b.read(text)
		switch {
		case name == field && there:
			p.Since = before.Since
		case !there:
			gone = append(gone, name)
		}
	}
	if _, has := all[field]; !has && len(all)-len(gone) >= maxTabs {
		return nil // a crowd: one more is not told of
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write presence: %w", err)
	}
	pipe := b.client.Pipeline()
	if len(gone) > 0 {
		pipe.HDel(ctx, at, gone...)
	}
	pipe.HSet(ctx, at, field, text)
	pipe.Expire(ctx, at, Keep)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("write presence: %w", err)
	}
	return nil
}

// read answers who an entry is of, and whether they are still there.
func (b *Board) read(text string) (p Person, there bool) {
	err := json.Unmarshal([]byte(text), &p)
	return p, err == nil && b.clock().Sub(p.Heard) < Keep
}

// maxTabs bounds how many tabs are told of for one thing.
const maxTabs = 100

// fieldOf names a tab so that nobody can speak for somebody else's.
func fieldOf(user uuid.UUID, tab string) string { return user.String() + "/" + tab }

// Leave tells that a tab was closed.
func (b *Board) Leave(ctx context.Context, tenant, thing, user uuid.UUID, tab string) error {
	if err := b.client.HDel(ctx, key(tenant, thing), fieldOf(user, tab)).Err(); err != nil {
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
		if p, there := b.read(text); there {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Person) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Tab, b.Tab)) })
	return list, nil
}
