package datasets

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Snapshot says which version of each dataset a page shows. A page binds to
// one, and every follow-up request carries it, so that one dashboard shows one
// moment. The zero Snapshot means "whatever is current".
//
// A Snapshot that came from Service.Snapshot or Service.Bind is bound: it also
// knows the definitions that were current then, and querying by it asks
// PostgreSQL nothing. One from ParseSnapshot has versions only.
type Snapshot struct {
	tenant ids.Tenant // of the actor it was bound for; zero when not bound
	// subjects are those of the actor: what others may see is another matter.
	subjects []uuid.UUID
	parts    []part // by dataset id
}

// part is one dataset at one version.
type part struct {
	dataset  ids.Dataset
	version  int64
	revision int64 // of the definition; bound snapshots only
	layout   int64 // counts merges of segments; bound snapshots only
	target   bool  // only there because another dataset looks up in it
}

// IsZero tells whether the snapshot has no dataset.
func (s Snapshot) IsZero() bool { return len(s.parts) == 0 }

// boundFor tells whether the snapshot was made or checked for the actor, or for
// somebody who may see the same.
func (s Snapshot) boundFor(actor access.Actor) bool {
	return !s.tenant.IsZero() && s.tenant == actor.TenantID && sameSubjects(s.subjects, actor.Subjects())
}

func sameSubjects(a, b []uuid.UUID) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// Version is the version of one dataset, and whether the snapshot has it.
func (s Snapshot) Version(id ids.Dataset) (int64, bool) {
	p, ok := s.part(id)
	return p.version, ok
}

func (s Snapshot) part(id ids.Dataset) (part, bool) {
	i := sort.Search(len(s.parts), func(i int) bool { return !less(s.parts[i].dataset, id) })
	if i < len(s.parts) && s.parts[i].dataset == id {
		return s.parts[i], true
	}
	return part{}, false
}

// Versions are the versions by dataset, those of lookups' targets included.
func (s Snapshot) Versions() map[ids.Dataset]int64 {
	versions := make(map[ids.Dataset]int64, len(s.parts))
	for _, p := range s.parts {
		versions[p.dataset] = p.version
	}
	return versions
}

// Merge is s with the datasets of other that s does not have. Both must be
// bound for the same workspace, or neither.
func (s Snapshot) Merge(other Snapshot) Snapshot {
	if s.IsZero() {
		return other
	}
	merged := Snapshot{tenant: s.tenant, subjects: s.subjects, parts: append([]part(nil), s.parts...)}
	if other.tenant != s.tenant || !sameSubjects(other.subjects, s.subjects) {
		merged.tenant = ids.Tenant{}
	}
	for _, p := range other.parts {
		if _, has := s.part(p.dataset); !has {
			merged.parts = append(merged.parts, p)
		}
	}
	merged.sort()
	return merged
}

func (s Snapshot) sort() {
	sort.Slice(s.parts, func(i, j int) bool { return less(s.parts[i].dataset, s.parts[j].dataset) })
}

func less(a, b ids.Dataset) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// errSnapshotText is private: a person never types a snapshot.
var errSnapshotText = errors.New("not a snapshot")

const maxSnapshotParts = 256

// String is the form that travels in URLs: letters, digits, "-" and "_".
func (s Snapshot) String() string {
	if s.IsZero() {
		return ""
	}
	buf := make([]byte, 0, len(s.parts)*20)
	for _, p := range s.parts {
		buf = append(buf, p.dataset[:]...)
		buf = binary.AppendUvarint(buf, uint64(p.version))
	}
	return base64.RawURLEncoding.EncodeToString(buf)
}

// ParseSnapshot reads the text form. The answer has to go through Service.Bind
// (Query does so by itself) before it means anything: the text came from
// outside. An empty text is the zero Snapshot. A text that is none answers
// ErrSnapshotExpired, so that a page moves on by itself.
func ParseSnapshot(text string) (Snapshot, error) {
	if text == "" {
		return Snapshot{}, nil
	}
	buf, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Snapshot{}, ErrSnapshotExpired.Wrap(fmt.Errorf("%w: %w", errSnapshotText, err))
	}
	var s Snapshot
	for len(buf) > 0 {
		if len(buf) < 17 || len(s.parts) == maxSnapshotParts {
			return Snapshot{}, ErrSnapshotExpired.Wrap(errSnapshotText)
		}
		p := part{dataset: ids.Dataset(buf[:16])}
		version, n := binary.Uvarint(buf[16:])
		if n <= 0 || version > 1<<62 {
			return Snapshot{}, ErrSnapshotExpired.Wrap(errSnapshotText)
		}
		p.version = int64(version)
		if last := len(s.parts) - 1; last >= 0 && !less(s.parts[last].dataset, p.dataset) {
			return Snapshot{}, ErrSnapshotExpired.Wrap(errSnapshotText)
		}
		s.parts = append(s.parts, p)
		buf = buf[16+n:]
	}
	return s, nil
}
