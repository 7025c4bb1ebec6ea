package workdir

import (
	"os"
	"testing"
)

func TestDirectoriesOfKilledProcessesAreRemoved(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	open := func(prefix string) *Dir {
		t.Helper()
		d, err := Open(parent, prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.Join("file"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return d
	}
	alive, killed, other := open("engine"), open("engine"), open("writer")
	for _, d := range []*Dir{killed, other} {
		if err := d.lock.Close(); err != nil { // as the system does
			t.Fatal(err)
		}
	}
	third := open("engine")
	if _, err := os.Stat(killed.Path()); !os.IsNotExist(err) {
		t.Errorf("what was left stays: %v", err)
	}
	for _, d := range []*Dir{alive, third, other} {
		if _, err := os.Stat(d.Join("file")); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []*Dir{alive, third} {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.Path()); !os.IsNotExist(err) {
			t.Errorf("it is still there: %v", err)
		}
	}
}
