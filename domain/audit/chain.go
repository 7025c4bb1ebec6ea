package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
)

const (
	batchEntries  = 1000 // most in one batch
	verifyBatches = 50   // read at a time
	// lateMost is how long after its time an entry may be sealed while others
	// are: a transaction as long as that is refused by everything else.
	lateMost = 24 * time.Hour
)

// digest hashes fields so that no two lists of fields have the same bytes: each
// goes in with its length. What is hashed never changes its form; a new form
// gets a new first word.
type digest struct{ hash.Hash }

func newDigest(kind string) digest {
	d := digest{sha256.New()}
	d.text(kind)
	return d
}

func (d digest) bytes(b []byte) {
	d.number(int64(len(b)))
	_, _ = d.Write(b)
}

func (d digest) text(s string) { d.bytes([]byte(s)) }

func (d digest) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	_, _ = d.Write(b[:])
}

// sealed is what the chain covers of an entry.
type sealed struct {
	ID                    uuid.UUID
	At                    time.Time
	Kind                  string
	User                  *uuid.UUID
	Action, Target        string
	TargetID              string
	Outcome, RequestID    string
	Detail                string // as PostgreSQL writes it; of entries from before there were details
	WhoDigest, WhatDigest []byte
}

func (e sealed) sum() []byte {
	d := newDigest("dataflow audit entry 1")
	d.bytes(e.ID[:])
	d.number(e.At.UnixMicro())
	d.text(e.Kind)
	if e.User != nil {
		d.bytes(e.User[:])
	} else {
		d.bytes(nil)
	}
	for _, text := range []string{e.Action, e.Target, e.TargetID, e.Outcome, e.RequestID, e.Detail} {
		d.text(text)
	}
	d.bytes(e.WhoDigest)
	d.bytes(e.WhatDigest)
	return d.Sum(nil)
}

func batchSum(tenant uuid.UUID, batch int64, before []byte, entries [][]byte) []byte {
	d := newDigest("dataflow audit batch 1")
	d.bytes(tenant[:])
	d.number(batch)
	d.bytes(before)
	d.number(int64(len(entries)))
	for _, e := range entries {
		d.bytes(e)
	}
	return d.Sum(nil)
}

// Seal appends what was recorded to the workspace's chain and answers how many
// entries that were.
func (s *Service) Seal(ctx context.Context, tenant ids.Tenant) (int, error) {
	total := 0
	for {
		n, err := s.sealBatch(ctx, tenant)
		total += n
		if err != nil || n < batchEntries {
			return total, err
		}
	}
}

func (s *Service) sealBatch(ctx context.Context, tenant ids.Tenant) (n int, err error) {
	err = s.db.InTenantTx(ctx, tenant.UUID(), func(ctx context.Context, tx *db.Tx) error {
		if err := tx.AuditLock(ctx); err != nil {
			return fmt.Errorf("lock chain: %w", err)
		}
		rows, err := tx.AuditOpen(ctx, tenant.UUID(), batchEntries)
		if err != nil || len(rows) == 0 {
			return err
		}
		chain, err := readChain(ctx, tx, tenant)
		if err != nil {
			return err
		}
		entryIDs, sums := make([]uuid.UUID, len(rows)), make([][]byte, len(rows))
		for i, r := range rows {
			entryIDs[i] = r.AuditID
			sums[i] = sealed{r.AuditID, r.At, r.ActorKind, r.UserID, r.Action, r.TargetKind, r.TargetID, r.Outcome, r.RequestID, r.Detail,
				r.WhoDigest, r.WhatDigest}.sum()
		}
		n = len(rows)
		_, err = tx.AuditSeal(ctx, entryIDs, chain.Hash, batchSum(tenant.UUID(), chain.Batch+1, chain.Hash, sums))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("seal entries: %w", err)
	}
	return n, nil
}

// readChain answers an empty chain where nothing was sealed yet.
func readChain(ctx context.Context, tx *db.Tx, tenant ids.Tenant) (db.AuditChainRow, error) {
	chain, err := tx.AuditChain(ctx, tenant.UUID())
	if db.IsNoRows(err) {
		return db.AuditChainRow{Hash: make([]byte, sha256.Size), CheckpointHash: make([]byte, sha256.Size)}, nil
	}
	if err != nil {
		return chain, fmt.Errorf("read chain: %w", err)
	}
	return chain, nil
}

// Verification is what came out of reading the whole chain again.
type Verification struct {
	Intact  bool    `json:"intact"`
	Broken  *Broken `json:"broken,omitempty"`
	Batches int64   `json:"batches"` // verified, before the broken one
	Entries int64   `json:"entries"`
	Erased  int64   `json:"erased"`   // entries of which a part was erased on purpose
	Waiting int64   `json:"unsealed"` // entries that are in no batch yet
	// The chain begins after the checkpoint: what was before is older than the
	// workspace keeps it.
	Checkpoint   int64      `json:"checkpoint"`
	CheckpointAt *time.Time `json:"checkpoint_at,omitempty"`
	Head         int64      `json:"head"`
	HeadHash     string     `json:"head_hash"`
}

// Broken names the first batch that does not hold.
type Broken struct {
	Batch  int64  `json:"batch"`
	Entry  string `json:"entry,omitempty"` // its id, where one alone is wrong
	Reason string `json:"reason"`
}

// Anchor is a hash of the chain that was kept elsewhere.
type Anchor struct {
	Batch int64
	Hash  string // hexadecimal
}

// Verify reads the workspace's chain from its checkpoint on and checks every
// hash. With an anchor, the chain must also have had that hash at that batch:
// only so is it noticed that somebody who may write everything has cut off its
// end, or made all of it anew.
//
// Errors: access.forbidden.
func (s *Service) Verify(ctx context.Context, actor access.Actor, anchor *Anchor) (Verification, error) {
	if err := access.Can(actor, access.ViewAudit); err != nil {
		return Verification{}, err
	}
	var v Verification
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		// Nobody seals or prunes meanwhile.
		if err := tx.AuditLock(ctx); err != nil {
			return fmt.Errorf("lock chain: %w", err)
		}
		if v, err = verify(ctx, tx, actor.TenantID, anchor); err != nil {
			return err
		}
		return Record(ctx, tx, actor, Entry{Action: "audit.verified", Target: "workspace", ID: actor.TenantID.String(),
			Detail: map[string]any{"intact": v.Intact, "batches": v.Batches}})
	})
	return v, err
}

func verify(ctx context.Context, tx *db.Tx, tenant ids.Tenant, anchor *Anchor) (Verification, error) {
	chain, err := readChain(ctx, tx, tenant)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Checkpoint: chain.Checkpoint, CheckpointAt: chain.CheckpointAt, Head: chain.Batch, HeadHash: hex.EncodeToString(chain.Hash)}
	if v.Waiting, err = tx.AuditCountOpen(ctx, tenant.UUID()); err != nil {
		return v, fmt.Errorf("count entries: %w", err)
	}
	link := link{tenant: tenant.UUID(), batch: chain.Checkpoint, hash: chain.CheckpointHash}
	anchored := anchor == nil || link.is(*anchor) || anchor.Batch < chain.Checkpoint
	for {
		batches, err := tx.AuditBatches(ctx, tenant.UUID(), link.batch, verifyBatches)
		if err != nil {
			return v, fmt.Errorf("read batches: %w", err)
		}
		if len(batches) == 0 {
			break
		}
		rows, err := tx.AuditSealed(ctx, tenant.UUID(), link.batch, batches[len(batches)-1].Batch)
		if err != nil {
			return v, fmt.Errorf("read entries: %w", err)
		}
		for _, b := range batches {
			n := 0
			for n < len(rows) && rows[n].Batch <= b.Batch {
				n++
			}
			erased, broken := link.follow(b, rows[:n])
			if v.Broken = broken; broken != nil {
				return v, nil
			}
			rows = rows[n:]
			v.Batches, v.Entries, v.Erased = v.Batches+1, v.Entries+int64(n), v.Erased+erased
			anchored = anchored || link.is(*anchor)
			if anchor != nil && anchor.Batch == link.batch && !anchored {
				v.Broken = &Broken{Batch: link.batch, Reason: "The hash of this batch is not the one that was kept elsewhere."}
				return v, nil
			}
		}
	}
	if link.batch != chain.Batch || string(link.hash) != string(chain.Hash) {
		v.Broken = &Broken{Batch: link.batch + 1, Reason: "The chain ends before its newest batch."}
		return v, nil
	}
	if !anchored {
		v.Broken = &Broken{Batch: link.batch + 1, Reason: "The chain ends before the batch that was kept elsewhere."}
		return v, nil
	}
	strays, err := tx.AuditStrays(ctx, tenant.UUID())
	if err != nil {
		return v, fmt.Errorf("look for strays: %w", err)
	}
	if strays.Count > 0 {
		v.Broken = &Broken{Batch: strays.Batch, Reason: "There are entries of a batch that the chain does not have."}
		return v, nil
	}
	v.Intact = true
	return v, nil
}

// link is how far a chain was verified.
type link struct {
	tenant   uuid.UUID
	batch    int64
	hash     []byte
	sealedAt time.Time
}

func (l *link) is(a Anchor) bool { return l.batch == a.Batch && hex.EncodeToString(l.hash) == a.Hash }

// follow checks the next batch with its entries and goes on to it. It answers
// of how many entries a part is gone.
func (l *link) follow(b db.AuditBatchesRow, rows []db.AuditSealedRow) (erased int64, broken *Broken) {
	fail := func(entry *uuid.UUID, format string, args ...any) (int64, *Broken) {
		broken := &Broken{Batch: l.batch + 1, Reason: fmt.Sprintf(format, args...)}
		if entry != nil {
			broken.Entry = entry.String()
		}
		return 0, broken
	}
	if b.Batch != l.batch+1 {
		return fail(nil, "This batch is missing.")
	}
	sums := make([][]byte, len(rows))
	for i, r := range rows {
		id := r.AuditID
		if l.sealedAt.Sub(r.At) > lateMost {
			return fail(&id, "This entry says that it is from long before it was written.")
		}
		whoGone, whoWrong := part(r.Who, r.WhoSalt, r.WhoDigest)
		whatGone, whatWrong := part(r.What, r.WhatSalt, r.WhatDigest)
		if whoWrong {
			return fail(&id, "What this entry says of who acted was changed.")
		}
		if whatWrong {
			return fail(&id, "What this entry says of what was done was changed.")
		}
		if whoGone || whatGone {
			erased++
		}
		sums[i] = sealed{r.AuditID, r.At, r.ActorKind, r.UserID, r.Action, r.TargetKind, r.TargetID, r.Outcome, r.RequestID, r.Detail,
			r.WhoDigest, r.WhatDigest}.sum()
	}
	if len(rows) != int(b.Entries) {
		return fail(nil, "This batch was sealed with %d entries and has %d.", b.Entries, len(rows))
	}
	if hash := batchSum(l.tenant, b.Batch, l.hash, sums); string(hash) != string(b.Hash) {
		return fail(nil, "An entry of this batch was changed, put in or moved, or the batch before it was.")
	}
	l.batch, l.hash, l.sealedAt = b.Batch, b.Hash, b.SealedAt
	return erased, nil
}

// part checks one of an entry's two parts against its digest.
func part(text string, salt, digest []byte) (gone, wrong bool) {
	switch {
	case digest == nil:
		return false, text != ""
	case text == "" && salt == nil:
		return true, false
	}
	sum := sha256.Sum256(append(append([]byte{}, salt...), text...))
	return false, string(sum[:]) != string(digest)
}
