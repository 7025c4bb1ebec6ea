package datasets

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// prefixes remembers where in the storage each workspace's files lie. A
// placement's prefix never changes.
type prefixes struct{ known sync.Map }

// The folders under a workspace's prefix.
const (
	segmentFolder = "segments/"
	uploadFolder  = "uploads/"
	rejectFolder  = "rejects/"
)

// prefix answers where the workspace's files lie, with a slash at its end.
func (s *Service) prefix(ctx context.Context, tenant ids.Tenant) (string, error) {
	if prefix, ok := s.prefixes.known.Load(tenant); ok {
		return prefix.(string), nil
	}
	var prefix string
	err := s.db.InControlTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		placement, err := tx.PlacementByTenant(ctx, tenant.UUID())
		prefix = placement.StoragePrefix
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find placement of %s: %w", tenant, err)
	}
	if prefix == "" || prefix[len(prefix)-1] != '/' {
		prefix += "/"
	}
	s.prefixes.known.Store(tenant, prefix)
	return prefix, nil
}

// segmentKey names a new segment file: no key is ever used twice.
func segmentKey(prefix string, dataset ids.Dataset, segment uuid.UUID) string {
	return prefix + segmentFolder + dataset.String() + "/" + segment.String() + ".parquet"
}

func sampleKey(prefix string, dataset ids.Dataset, segment uuid.UUID) string {
	return prefix + segmentFolder + dataset.String() + "/" + segment.String() + ".sample.parquet"
}

func uploadKey(prefix string, upload ids.Upload) string {
	return prefix + uploadFolder + upload.String()
}

// rejectsKey has a random part: a second attempt at the same load writes a
// second file.
func rejectsKey(prefix string, load ids.Load) string {
	return prefix + rejectFolder + load.String() + "/" + uuid.NewString() + ".csv"
}

// stage makes a directory for files that are to be published; remove takes it
// away with what is left in it.
func (s *Service) stage(ctx context.Context) (path string, remove func(), err error) {
	dir, err := s.blobs.Stage()
	if err != nil {
		return "", nil, err
	}
	return dir.Path(), func() {
		if err := dir.Remove(); err != nil { // the next process does it
			s.log.WarnContext(ctx, "remove stage", "error", err)
		}
	}, nil
}
