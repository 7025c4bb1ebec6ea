package handlers

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFragmentsJoinIntoOneGzipMember(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var want bytes.Buffer
		var list []*fragment
		for range random.IntN(12) {
			piece := make([]byte, random.IntN(9000))
			for i := range piece {
				piece[i] = "<div class=\"abc\">"[random.IntN(17)]
			}
			want.Write(piece)
			if len(piece) < 200 {
				list = append(list, newStored(string(piece)))
			} else {
				list = append(list, newFragment(piece))
			}
		}
		r, err := gzip.NewReader(sent(list))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r) // checks the checksum and the length
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("%d bytes, want %d, %v", len(got), want.Len(), err)
		}
	}
}

// Pieces that are known stand in any order, each time with another history.
func TestFragmentsFollowOneAnother(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var pieces []*fragment
	for i := range 6 {
		pieces = append(pieces, newFragment([]byte(strings.Repeat(fmt.Sprintf("<p class=%q>%d</p>", "piece", i), 1+random.IntN(400)))))
	}
	for range 200 {
		var list []*fragment
		alone := 0
		var want bytes.Buffer
		for range 1 + random.IntN(12) {
			f := pieces[random.IntN(len(pieces))]
			if random.IntN(3) == 0 {
				f = newStored(strings.Repeat("n", random.IntN(40)))
			}
			html, err := f.html()
			if err != nil {
				t.Fatal(err)
			}
			want.Write(html)
			alone += len(f.deflated)
			list = append(list, f)
		}
		body := sent(list)
		if most := alone + len(gzipHeader) + len(lastBlock) + 8; body.Len() > most {
			t.Errorf("%d bytes with history, %d without", body.Len(), most)
		}
		r, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("%d bytes, want %d, %v", len(got), want.Len(), err)
		}
	}
	for _, f := range pieces {
		if f.after[0].Load() == nil {
			t.Error("a piece followed nothing")
		}
	}
}

// sent is the body of an answer.
func sent(list []*fragment) *bytes.Buffer {
	w := httptest.NewRecorder()
	sendJoined(w, list)
	return w.Body
}

func TestChecksumOfTheWholeFollowsFromThePieces(t *testing.T) {
	a, b := []byte("what came before"), []byte(strings.Repeat("and after ", 1000))
	shift := shiftBy(uint64(len(b)))
	if got, want := shift.apply(crc32.ChecksumIEEE(a))^crc32.ChecksumIEEE(b), crc32.ChecksumIEEE(append(a, b...)); got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
}

func TestStreamWithoutGzipIsPlain(t *testing.T) {
	for header, want := range map[string]bool{"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "identity": false, "*": true} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", header)
		w := httptest.NewRecorder()
		s := newStream(w, r)
		if err := s.write(newFragment([]byte("<p>one</p>")), newStored("two")); err != nil {
			t.Fatal(err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: gzip %v, want %v", header, got, want)
		}
		body := io.Reader(w.Body)
		if want {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := io.ReadAll(body); err != nil || string(text) != "<p>one</p>two" {
			t.Errorf("%q: %q, %v", header, text, err)
		}
	}
}

func TestFragmentCacheStaysWithinItsSize(t *testing.T) {
	c := newFragmentCache(50_000)
	for i := range 200 {
		piece := make([]byte, 2000)
		for j := range piece {
			piece[j] = byte(rand.IntN(256))
		}
		c.put(string(rune('a'+i%26))+strings.Repeat("x", i), []*fragment{newFragment(piece)})
		if c.bytes > c.most {
			t.Fatalf("%d bytes, at most %d", c.bytes, c.most)
		}
	}
	if c.lists.Len() == 0 {
		t.Error("nothing is kept")
	}
}

func TestNonceTakesItsPlace(t *testing.T) {
	page := []byte(`<script nonce="` + blank + `"></script><p>x</p><script nonce="` + blank + `"></script>`)
	r, err := gzip.NewReader(sent(withNonce(splitAtNonce(page), "n0nce")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if want := `<script nonce="n0nce"></script><p>x</p><script nonce="n0nce"></script>`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}
