package warehouse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/text/unicode/norm"
)

// valueIndex is every value of one column with its number of rows, made so
// that a search looks at bytes that lie one after another. Entries are ranked:
// the most frequent first, equal ones by their text. It never changes.
type valueIndex struct {
	counts []int64  // by rank
	texts  blobs    // by rank
	folded blobs    // the same without case and accents
	byText []uint32 // ranks in the order of the folded texts
	nulls  int64    // rows without a value
	more   bool     // there are rarer values that the index does not hold
}

// blobs are texts one after another, each ended by a byte that no text has.
type blobs struct {
	data []byte
	ends []uint32 // of each text, without its end mark
}

const endMark = 0xff // in no UTF-8

// end marks the end of the text that was appended.
func (b *blobs) end() {
	b.ends = append(b.ends, uint32(len(b.data)))
	b.data = append(b.data, endMark)
}

func (b *blobs) start(i int) int {
	if i == 0 {
		return 0
	}
	return int(b.ends[i-1]) + 1
}

func (b *blobs) at(i int) []byte { return b.data[b.start(i):b.ends[i]] }

// letters are those that do not come apart into a letter and its accent.
var letters = map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ı': "i"}

// foldedRunes are what the runes of most texts become, so that folding one is
// a look into a table.
var foldedRunes = sync.OnceValue(func() *[0x2000]string {
	var table [0x2000]string
	for r := range table {
		table[r] = foldRune(rune(r))
	}
	return &table
})

// foldRune takes a letter apart, leaves its accents out and makes it small.
func foldRune(r rune) string {
	var b strings.Builder
	for _, part := range norm.NFKD.String(string(r)) {
		if unicode.Is(unicode.Mn, part) {
			continue
		}
		part = unicode.ToLower(part)
		if plain, ok := letters[part]; ok {
			b.WriteString(plain)
			continue
		}
		b.WriteRune(part)
	}
	return b.String()
}

// appendFolded leaves case and accents out of a text, so that "Zürich" is found
// by "zurich" and the other way round.
func appendFolded(to []byte, text string) []byte {
	table := foldedRunes()
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			to = append(to, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		if int(r) < len(table) {
			to = append(to, table[r]...)
		} else {
			to = append(to, foldRune(r)...)
		}
	}
	return to
}

// maxIndexed bounds an index: of a column with more values the most frequent
// ones are found. maxIndexBytes bounds its texts, both ways that they are held.
const (
	maxIndexed    = 2_000_000
	maxIndexBytes = 128 << 20
)

// newValueIndex takes an answer of two columns, values and their numbers of
// rows, ranked.
func newValueIndex(r *Result) *valueIndex {
	x := &valueIndex{more: r.More}
	value, rows := &r.Columns[0], &r.Columns[1]
	for i := range r.Rows {
		if value.IsNull(i) {
			x.nulls += rows.Ints[i]
			continue
		}
		text := value.valueText(i)
		if len(x.texts.data)+len(x.folded.data)+len(text) > maxIndexBytes {
			x.more = true
			break
		}
		x.counts = append(x.counts, rows.Ints[i])
		x.texts.data = append(x.texts.data, text...)
		x.texts.end()
		x.folded.data = appendFolded(x.folded.data, text)
		x.folded.end()
	}
	x.byText = make([]uint32, len(x.counts))
	for i := range x.byText {
		x.byText[i] = uint32(i)
	}
	slices.SortFunc(x.byText, func(a, b uint32) int { return bytes.Compare(x.folded.at(int(a)), x.folded.at(int(b))) })
	return x
}

// valueText is a value as links write it. Columns of other types have no index.
func (c *ResultColumn) valueText(i int) string {
	switch c.Type {
	case Text:
		return c.Texts[i]
	case Boolean:
		return strconv.FormatBool(c.Ints[i] != 0)
	}
	return strconv.FormatInt(c.Ints[i], 10)
}

// ValueCount is one value of a column.
type ValueCount struct {
	Value string
	Rows  int64
}

// FoundValues is the answer to a search among the values of a column.
type FoundValues struct {
	Values []ValueCount
	Nulls  int64 // rows without a value
	More   bool  // further values match
}

// search finds up to limit values with term in them, whatever case and accents:
// those that begin with it first, the most frequent first among each. An empty
// term finds all.
func (x *valueIndex) search(term string, limit int) FoundValues {
	// The file behind the index is let go with it, not under a search.
	defer runtime.KeepAlive(x)
	found := FoundValues{Nulls: x.nulls, More: x.more}
	take := func(rank int) bool {
		if len(found.Values) == limit {
			found.More = true
			return false
		}
		found.Values = append(found.Values, ValueCount{string(x.texts.at(rank)), x.counts[rank]})
		return true
	}
	wanted := appendFolded(nil, strings.ToValidUTF8(term, ""))
	if len(wanted) == 0 {
		for rank := range x.counts {
			if !take(rank) {
				break
			}
		}
		return found
	}
	for _, rank := range x.beginning(wanted, limit+1) {
		if !take(int(rank)) {
			return found
		}
	}
	for rank, from := 0, 0; ; rank++ {
		at := bytes.Index(x.folded.data[from:], wanted)
		if at < 0 {
			return found
		}
		at += from
		rank += sort.Search(len(x.counts)-rank, func(i int) bool { return int(x.folded.ends[rank+i]) > at })
		from = int(x.folded.ends[rank]) + 1
		if at != x.folded.start(rank) && !take(rank) {
			return found
		}
	}
}

// beginning are the most frequent values that begin with a folded text, ranked.
func (x *valueIndex) beginning(wanted []byte, limit int) []uint32 {
	from := sort.Search(len(x.byText), func(i int) bool { return bytes.Compare(x.folded.at(int(x.byText[i])), wanted) >= 0 })
	var best []uint32
	for _, rank := range x.byText[from:] {
		if !bytes.HasPrefix(x.folded.at(int(rank)), wanted) {
			break
		}
		if len(best) == limit && rank > best[limit-1] {
			continue
		}
		at, _ := slices.BinarySearch(best, rank)
		if best = slices.Insert(best, at, rank); len(best) > limit {
			best = best[:limit]
		}
	}
	return best
}

// memory is about how many bytes the index takes.
func (x *valueIndex) memory() int64 {
	return int64(8*len(x.counts) + 4*len(x.byText) + 4*len(x.texts.ends) + 4*len(x.folded.ends) + len(x.texts.data) + len(x.folded.data) + 200)
}

// The form of a file: the name of the form, six lengths, the lists, and a
// checksum of all that.
const indexForm = "DFVALUE1"

var errIndexFile = errors.New("not a file of values")

func (x *valueIndex) encode() []byte {
	buf := make([]byte, 0, x.memory()+100)
	buf = append(buf, indexForm...)
	more := uint64(0)
	if x.more {
		more = 1
	}
	for _, n := range []uint64{uint64(len(x.counts)), uint64(x.nulls), more, uint64(len(x.texts.data)), uint64(len(x.folded.data))} {
		buf = binary.NativeEndian.AppendUint64(buf, n)
	}
	for _, n := range x.counts {
		buf = binary.NativeEndian.AppendUint64(buf, uint64(n))
	}
	for _, list := range [][]uint32{x.texts.ends, x.folded.ends, x.byText} {
		for _, n := range list {
			buf = binary.NativeEndian.AppendUint32(buf, n)
		}
	}
	buf = append(buf, x.texts.data...)
	buf = append(buf, x.folded.data...)
	return binary.NativeEndian.AppendUint32(buf, crc32.Checksum(buf, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// decodeIndex reads what encode wrote. The index lies in data, whose memory is
// that of a file.
func decodeIndex(data []byte) (*valueIndex, error) {
	const head = len(indexForm) + 5*8
	if len(data) < head+4 || string(data[:len(indexForm)]) != indexForm {
		return nil, errIndexFile
	}
	body, sum := data[:len(data)-4], binary.NativeEndian.Uint32(data[len(data)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, errIndexFile
	}
	var heads [5]uint64
	for i := range heads {
		heads[i] = binary.NativeEndian.Uint64(body[len(indexForm)+8*i:])
	}
	n, texts, folded := int(heads[0]), int(heads[3]), int(heads[4])
	if n > maxIndexed || len(body) != head+n*(8+3*4)+texts+folded {
		return nil, errIndexFile
	}
	x := &valueIndex{nulls: int64(heads[1]), more: heads[2] != 0}
	body = body[head:]
	if n > 0 {
		x.counts = unsafe.Slice((*int64)(unsafe.Pointer(&body[0])), n)
	}
	body = body[8*n:]
	for _, list := range []*[]uint32{&x.texts.ends, &x.folded.ends, &x.byText} {
		if n > 0 {
			*list = unsafe.Slice((*uint32)(unsafe.Pointer(&body[0])), n)
		}
		body = body[4*n:]
	}
	x.texts.data, x.folded.data = body[:texts:texts], body[texts:]
	return x, nil
}
