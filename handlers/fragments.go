package handlers

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/flate"
)

// A fragment is a piece of HTML that is kept compressed, so that an answer
// made of known pieces is neither encoded nor compressed again: it is a gzip
// header, the deflated pieces one after another, and the checksum of the whole,
// which follows from those of the pieces.
type fragment struct {
	// deflated are whole DEFLATE blocks that end on a byte and are not the
	// last. They share no history with other pieces, so any order works.
	deflated []byte
	// sum names the piece by its content, within this process; zero is one of
	// stored text, which nothing refers to.
	sum   uint64
	size  uint32
	crc   uint32
	shift crcShift
	// after are the pieces that this one followed of late.
	after [2]atomic.Pointer[sequel]
}

// A sequel is a fragment compressed with what is before it as its history:
// widgets are much alike, so it is a fraction of the fragment alone.
type sequel struct {
	before   uint64 // sum of the piece before
	gap      int    // bytes of stored text in between, that nothing refers to
	deflated []byte
}

var sums = maphash.MakeSeed()

// newFragment compresses a piece.
func newFragment(html []byte) *fragment {
	return &fragment{deflated: deflate(html, nil), sum: maphash.Bytes(sums, html) | 1,
		size: uint32(len(html)), crc: crc32.ChecksumIEEE(html), shift: shiftBy(uint64(len(html)))}
}

func deflate(html, history []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(html)/3 + 64)
	w := writers.Get().(*flate.Writer)
	w.ResetDict(&out, history)
	// A Buffer takes everything.
	_, _ = w.Write(html)
	_ = w.Flush()
	w.ResetDict(io.Discard, nil)
	writers.Put(w)
	return bytes.Clone(out.Bytes())
}

// following is the fragment compressed for its place after another.
func (f *fragment) following(before *fragment, gap int) []byte {
	for i := range f.after {
		if s := f.after[i].Load(); s != nil && s.before == before.sum && s.gap == gap {
			return s.deflated
		}
	}
	html, err := f.html()
	history, failed := before.html()
	if err != nil || failed != nil {
		return f.deflated
	}
	s := &sequel{before: before.sum, gap: gap, deflated: deflate(html, append(history, make([]byte, gap)...))}
	f.after[1].Store(f.after[0].Swap(s))
	return s.deflated
}

var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestCompression)
	if err != nil {
		panic(err) // the level is one that exists
	}
	return w
}}

// newStored makes a fragment of what is worth no compression: nonces and other
// short texts of one request.
func newStored(text string) *fragment {
	f := &fragment{size: uint32(len(text)), crc: crc32.ChecksumIEEE([]byte(text)), shift: shiftBy(uint64(len(text)))}
	f.deflated = append(f.deflated, 0, byte(len(text)), byte(len(text)>>8), ^byte(len(text)), ^byte(len(text)>>8))
	f.deflated = append(f.deflated, text...)
	return f
}

// html is the piece itself, for browsers that take no gzip.
func (f *fragment) html() ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(f.deflated), strings.NewReader(lastBlock)))
	defer r.Close()
	return io.ReadAll(r)
}

const (
	gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
	lastBlock  = "\x01\x00\x00\xff\xff" // an empty stored block, marked as the last
)

// stream writes fragments as one gzip member, or plain where the client takes
// no gzip. It is not for concurrent use.
type stream struct {
	out   io.Writer
	gzip  bool
	crc   uint32
	size  uint32
	begun bool
	// linked pieces are compressed for their places, once. An answer that
	// somebody waits for is not.
	linked bool
	before *fragment // the last piece that is no stored text
	gap    int       // bytes of stored text since
}

// newStream sets the headers of a compressed answer. Nothing is written yet.
func newStream(w http.ResponseWriter, r *http.Request) *stream {
	s := &stream{out: w, gzip: acceptsGzip(r)}
	addVary(w.Header(), "Accept-Encoding")
	if s.gzip {
		w.Header().Set("Content-Encoding", "gzip")
	}
	return s
}

func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(header, ",") {
			name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
			if name != "gzip" && name != "*" {
				continue
			}
			q = strings.ReplaceAll(q, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

func (s *stream) write(fragments ...*fragment) error {
	if !s.gzip {
		for _, f := range fragments {
			html, err := f.html()
			if err != nil {
				return err
			}
			if _, err := s.out.Write(html); err != nil {
				return err
			}
		}
		return nil
	}
	if !s.begun {
		s.begun = true
		if _, err := io.WriteString(s.out, gzipHeader); err != nil {
			return err
		}
	}
	for _, f := range fragments {
		s.crc = f.shift.apply(s.crc) ^ f.crc
		s.size += f.size
		if _, err := s.out.Write(s.place(f)); err != nil {
			return err
		}
	}
	return nil
}

// place answers the bytes of the next fragment where it stands.
func (s *stream) place(f *fragment) []byte {
	if f.sum == 0 {
		s.gap += int(f.size)
		return f.deflated
	}
	before, gap := s.before, s.gap
	s.before, s.gap = f, 0
	if !s.linked || before == nil || gap >= farthest {
		return f.deflated
	}
	return f.following(before, gap)
}

// farthest is how far back DEFLATE refers.
const farthest = 32 << 10

// close writes the end of the gzip member.
func (s *stream) close() error {
	if !s.gzip {
		return nil
	}
	if err := s.write(); err != nil {
		return err
	}
	end := make([]byte, 0, len(lastBlock)+8)
	end = append(end, lastBlock...)
	end = binary.LittleEndian.AppendUint32(end, s.crc)
	end = binary.LittleEndian.AppendUint32(end, s.size)
	_, err := s.out.Write(end)
	return err
}

// buffers are for whole answers: tens of kilobytes that a request needs for a
// moment.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptBuffer is the largest buffer that is used again.
const keptBuffer = 1 << 20

// sendJoined sends the whole answer of known fragments at once.
func sendJoined(w http.ResponseWriter, fragments []*fragment) {
	buffer := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	s := &stream{out: buffer, gzip: true, linked: true}
	// A Buffer takes everything.
	_ = s.write(fragments...)
	_ = s.close()
	w.Header().Set("Content-Length", strconv.Itoa(buffer.Len()))
	// Somebody who went away gets nothing, and that is no error of ours.
	_, _ = w.Write(buffer.Bytes())
	if buffer.Cap() <= keptBuffer {
		buffers.Put(buffer)
	}
}

// crcShift is what appending zero bytes does to a CRC-32, as a matrix over
// GF(2): crc(a + b) = shift by len(b) of crc(a), xor crc(b).
type crcShift [32]uint32

func (m *crcShift) apply(v uint32) uint32 {
	var sum uint32
	for i := 0; v != 0; v, i = v>>1, i+1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func (m *crcShift) times(n *crcShift) (product crcShift) {
	for i := range product {
		product[i] = m.apply(n[i])
	}
	return product
}

// powers[k] shifts by 2^k bytes.
var powers = sync.OnceValue(func() *[64]crcShift {
	var p [64]crcShift
	var bit crcShift // one bit
	bit[0] = crc32.IEEE
	for i := 1; i < 32; i++ {
		bit[i] = 1 << (i - 1)
	}
	two := bit.times(&bit)
	four := two.times(&two)
	p[0] = four.times(&four)
	for k := 1; k < len(p); k++ {
		p[k] = p[k-1].times(&p[k-1])
	}
	return &p
})

// shortShifts are those of short pieces, which are made for each request.
var shortShifts = sync.OnceValue(func() *[128]crcShift {
	var all [128]crcShift
	for n := range all {
		all[n] = shiftOf(uint64(n))
	}
	return &all
})

func shiftBy(bytes uint64) crcShift {
	if short := shortShifts(); bytes < uint64(len(short)) {
		return short[bytes]
	}
	return shiftOf(bytes)
}

func shiftOf(bytes uint64) crcShift {
	var m crcShift
	for i := range m {
		m[i] = 1 << i
	}
	for k := 0; bytes != 0; bytes, k = bytes>>1, k+1 {
		if bytes&1 != 0 {
			m = powers()[k].times(&m)
		}
	}
	return m
}

// fragmentCache keeps fragments in this process, up to a number of bytes. Keys
// name all that a fragment shows, so nothing in it is ever out of date.
type fragmentCache struct {
	mu    sync.Mutex
	lists *lru.Cache[string, []*fragment]
	bytes int
	most  int
}

func newFragmentCache(most int) *fragmentCache {
	c := &fragmentCache{most: most}
	// The size is that of a bound nobody reaches: bytes count.
	c.lists, _ = lru.NewWithEvict(1<<20, func(_ string, list []*fragment) { c.bytes -= weight(list) })
	return c
}

func weight(list []*fragment) int {
	n := 200
	for _, f := range list {
		n += 2*len(f.deflated) + 350 // with sequels, which are shorter
	}
	return n
}

func (c *fragmentCache) get(key string) ([]*fragment, bool) {
	return c.lists.Get(key)
}

func (c *fragmentCache) put(key string, list []*fragment) {
	n := weight(list)
	if n > c.most/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, has := c.lists.Peek(key); has {
		return
	}
	c.bytes += n
	c.lists.Add(key, list)
	for c.bytes > c.most {
		if _, _, ok := c.lists.RemoveOldest(); !ok {
			return
		}
	}
}

// blank stands in for the nonce while a page is drawn that will be kept; the
// nonce of each request takes its place when the page is sent. It is made anew
// with each process, so nobody can write it into a page.
var blank = func() string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	text := []byte("nonce-")
	for range 26 {
		text = append(text, letters[rand.IntN(len(letters))])
	}
	return string(text)
}()

// template is a page with places for the nonce, split at them.
func splitAtNonce(html []byte) []*fragment {
	var list []*fragment
	for piece := range bytes.SplitSeq(html, []byte(blank)) {
		list = append(list, newFragment(piece))
	}
	return list
}

// withNonce puts the nonce between the pieces.
func withNonce(list []*fragment, nonce string) []*fragment {
	if len(list) < 2 {
		return list
	}
	between := newStored(nonce)
	all := make([]*fragment, 0, 2*len(list)-1)
	for i, f := range list {
		if i > 0 {
			all = append(all, between)
		}
		all = append(all, f)
	}
	return all
}
