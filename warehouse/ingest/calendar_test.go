package ingest

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFastMomentsAgree compares the fast path with the reader of every notation.
func TestFastMomentsAgree(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8601, 0))
	read := 0
	for range 200_000 {
		text := fmt.Sprintf("%04d-%02d-%02d%c%02d:%02d:%02d", random.IntN(2100), random.IntN(14), random.IntN(33),
			" Tt"[random.IntN(3)], random.IntN(26), random.IntN(62), random.IntN(62))
		if random.IntN(2) == 0 {
			text += "." + "0123456789"[:random.IntN(9)]
		}
		zones := []string{"", "Z", "z", "UTC", "+00:00", "-00:00", "+02", "+0530", "+19:00", "-18:00", "+05:60", "Z ", "+02:0x"}
		if zone := random.IntN(2 * len(zones)); zone < len(zones) {
			text += zones[zone]
		} else {
			text += fmt.Sprintf("%c%02d:%02d", "+-"[random.IntN(2)], random.IntN(20), random.IntN(62))
		}
		got, ok := isoMoment([]byte(text))
		if !ok {
			continue
		}
		read++
		var m moment
		if !scanMoment([]byte(text), &m) {
			t.Fatalf("%q is read, but is no moment", text)
		}
		want := isoTime{micros: m.micros1970(yearFirst), zoned: m.hasZone, offset: m.offset != 0}
		if got != want || !m.certain || !m.hasTime || m.cut {
			t.Fatalf("%q: got %+v, want %+v of %+v", text, got, want, m)
		}
	}
	if read < 20_000 {
		t.Errorf("only %d moments were read", read)
	}
	for _, text := range []string{"2024-07-01T00:00:00Z", "2024-07-01 23:59:59.123456", "2024-02-29T12:00:00.5+05:30"} {
		if _, ok := isoMoment([]byte(text)); !ok {
			t.Errorf("%q misses the fast path", text)
		}
	}
}
