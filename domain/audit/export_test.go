package audit

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

// Trust has collectors with these certificates trusted.
func (s *Service) Trust(roots *x509.CertPool) { s.tls = roots }

// ForwardAll sends all that waits.
func (s *Service) ForwardAll(ctx context.Context, tenant ids.Tenant) error {
	for {
		more, err := s.forward(ctx, tenant)
		if err != nil || !more {
			return err
		}
	}
}

// What tests of notes count with.
const (
	NotesMost  = notesMost
	DeniedFree = deniedFree
)

// Alike tells whether entries of two actors become one.
func Alike(a, b access.Actor) bool {
	return (&note{actor: a}).key() == (&note{actor: b}).key()
}

// FlushDue writes what is due at a time.
func (s *Service) FlushDue(ctx context.Context, now time.Time) error { return s.notes.flush(ctx, now) }
