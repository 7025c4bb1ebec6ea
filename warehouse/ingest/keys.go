package ingest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"

	"github.com/zeebo/xxh3"

	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse/segments"
)

// ErrNotAKey covers a key so full of repetitions that it cannot be meant.
var ErrNotAKey = apperr.Define(apperr.Invalid, "ingest.not_a_key",
	"More than 2,000,000 rows repeat the key. These columns do not identify a row.")

const (
	keyPartitions = 256
	keyMemory     = 48 << 20
	mostRepeats   = 2_000_000
	keyBytes      = 32 // two words of hash, record number, line
)

// keyIndex finds records that repeat a key, among any number of records. It
// remembers 128 bits of hash a key, drawn with a random seed, in partitions
// that are spilled when they grow.
type keyIndex struct {
	dir        string
	seed       uint64
	partitions [keyPartitions][]byte
	size       int
	file       *os.File
	offset     int64
	extents    [keyPartitions][]extent
	scratch    []byte
}

type extent struct{ at, length int64 }

// repeat is a record whose key another one has, which is kept.
type repeat struct {
	record int64
	line   int64 // of the record that is kept
	later  bool  // the one that is kept comes later
}

func newKeyIndex(dir string) *keyIndex { return &keyIndex{dir: dir, seed: rand.Uint64()} }

// add remembers the key of one row of a block, which stands in a line of the file.
func (k *keyIndex) add(record, line int64, block *segments.Block, columns []*column, row int) error {
	k.scratch = k.scratch[:0]
	for i, c := range columns {
		if !c.isKey {
			continue
		}
		v := &block.Columns[i]
		switch {
		case v.Int64 != nil:
			k.scratch = binary.LittleEndian.AppendUint64(k.scratch, uint64(v.Int64[row]))
		case v.Int32 != nil:
			k.scratch = binary.LittleEndian.AppendUint32(k.scratch, uint32(v.Int32[row]))
		case v.Int128 != nil:
			k.scratch = binary.LittleEndian.AppendUint64(k.scratch, v.Int128[row][0])
			k.scratch = binary.LittleEndian.AppendUint64(k.scratch, v.Int128[row][1])
		case v.Float64 != nil:
			k.scratch = binary.LittleEndian.AppendUint64(k.scratch, math.Float64bits(v.Float64[row]+0))
		case v.Bool != nil:
			k.scratch = append(k.scratch, 0)
			if v.Bool[row] {
				k.scratch[len(k.scratch)-1] = 1
			}
		default:
			text := v.Bytes[v.Offsets[row]:v.Offsets[row+1]]
			k.scratch = binary.LittleEndian.AppendUint32(k.scratch, uint32(len(text)))
			k.scratch = append(k.scratch, text...)
		}
	}
	hash := xxh3.Hash128Seed(k.scratch, k.seed)
	p := &k.partitions[hash.Hi>>56]
	*p = binary.BigEndian.AppendUint64(*p, hash.Hi)
	*p = binary.BigEndian.AppendUint64(*p, hash.Lo)
	*p = binary.BigEndian.AppendUint64(*p, uint64(record))
	*p = binary.BigEndian.AppendUint64(*p, uint64(line))
	if k.size += keyBytes; k.size >= keyMemory {
		return k.spill()
	}
	return nil
}

func (k *keyIndex) spill() error {
	if k.file == nil {
		file, err := os.CreateTemp(k.dir, "keys-")
		if err != nil {
			return diskError(fmt.Errorf("spill keys: %w", err))
		}
		os.Remove(file.Name())
		k.file = file
	}
	for i, p := range k.partitions {
		if len(p) == 0 {
			continue
		}
		if _, err := k.file.WriteAt(p, k.offset); err != nil {
			return diskError(fmt.Errorf("spill keys: %w", err))
		}
		k.extents[i] = append(k.extents[i], extent{k.offset, int64(len(p))})
		k.offset += int64(len(p))
		k.partitions[i] = p[:0]
	}
	k.size = 0
	return nil
}

func (k *keyIndex) close() {
	if k.file != nil {
		k.file.Close()
	}
}

// repeats answers the records to reject, in order: all but the first of each
// key, or all but the last.
func (k *keyIndex) repeats(keepLast bool) ([]repeat, error) {
	var found []repeat
	for i := range k.partitions {
		keys := k.partitions[i]
		for _, e := range k.extents[i] {
			at := len(keys)
			keys = append(keys, make([]byte, e.length)...)
			if _, err := k.file.ReadAt(keys[at:], e.at); err != nil {
				return nil, fmt.Errorf("read spilled keys: %w", err)
			}
		}
		found = appendRepeats(found, keys, keepLast)
		if len(found) > mostRepeats {
			return nil, ErrNotAKey
		}
		k.partitions[i] = nil
	}
	sort.Slice(found, func(i, j int) bool { return found[i].record < found[j].record })
	return found, nil
}

func appendRepeats(found []repeat, keys []byte, keepLast bool) []repeat {
	type entry struct {
		high, low    uint64
		record, line int64
	}
	entries := make([]entry, 0, len(keys)/keyBytes)
	for ; len(keys) > 0; keys = keys[keyBytes:] {
		entries = append(entries, entry{
			binary.BigEndian.Uint64(keys), binary.BigEndian.Uint64(keys[8:]),
			int64(binary.BigEndian.Uint64(keys[16:])), int64(binary.BigEndian.Uint64(keys[24:])),
		})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.high != b.high:
			return compare(a.high < b.high)
		case a.low != b.low:
			return compare(a.low < b.low)
		}
		return compare(a.record < b.record)
	})
	for from := 0; from < len(entries); {
		to := from + 1
		for to < len(entries) && entries[to].high == entries[from].high && entries[to].low == entries[from].low {
			to++
		}
		same := entries[from:to]
		kept := 0
		if keepLast {
			kept = len(same) - 1
		}
		for i := range same {
			if i != kept {
				found = append(found, repeat{record: same[i].record, line: same[kept].line, later: keepLast})
			}
		}
		from = to
	}
	return found
}

func compare(less bool) int {
	if less {
		return -1
	}
	return 1
}
