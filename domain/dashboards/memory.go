package dashboards

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// memory remembers when each widget last had an answer. It is a convenience
// and may forget.
type memory struct {
	entries *lru.Cache[string, LastGood]
}

func newMemory() *memory {
	// A size above zero is never refused.
	entries, _ := lru.New[string, LastGood](20_000)
	return &memory{entries: entries}
}

func (m *memory) get(key string) *LastGood {
	if last, ok := m.entries.Get(key); ok {
		return &last
	}
	return nil
}

func (m *memory) put(key string, last LastGood) { m.entries.Add(key, last) }

// visits keeps "last opened" from being written more than once a minute.
type visits struct {
	mu   sync.Mutex
	last *lru.Cache[[32]byte, time.Time]
}

func newVisits() *visits {
	last, _ := lru.New[[32]byte, time.Time](10_000)
	return &visits{last: last}
}

// due tells whether a visit should be written now.
func (v *visits) due(user, dashboard [16]byte, now time.Time) bool {
	var key [32]byte
	copy(key[:16], user[:])
	copy(key[16:], dashboard[:])
	v.mu.Lock()
	defer v.mu.Unlock()
	if at, ok := v.last.Get(key); ok && now.Sub(at) < time.Minute {
		return false
	}
	v.last.Add(key, now)
	return true
}
