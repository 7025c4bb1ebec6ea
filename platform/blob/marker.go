package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrMarker means that several machines would each write to a disk of their own.
var ErrMarker = apperr.Define(apperr.Invalid, "storage.marker",
	"The storage directory is not the one that was set up for this installation.")

const markerName = ".dataflow-storage"

// EnsureMarker marks a new file:// storage as that of the installation, or
// checks the mark of one in use. Other storages need none: their address is
// the same everywhere.
//
// Errors: storage.marker.
func (s *Store) EnsureMarker(ctx context.Context, installation string) error {
	if s.dir == "" {
		return nil
	}
	err := s.CheckMarker(installation)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, err := range s.List(ctx, "") {
		if err != nil {
			return err
		}
		return ErrMarker.With("%s holds files but not the mark of this installation. Is the right directory mounted there?", s.dir)
	}
	temp, err := os.CreateTemp(s.stage, "marker-*")
	if err != nil {
		return wrap("write", markerName, err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = io.WriteString(temp, installation+"\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return wrap("write", markerName, err)
	}
	err = renameNew(temp.Name(), filepath.Join(s.dir, markerName))
	if errors.Is(err, fs.ErrExist) {
		return s.CheckMarker(installation) // another process was faster
	}
	if err != nil {
		return wrap("publish", markerName, err)
	}
	if err := syncPath(s.dir); err != nil {
		return wrap("sync directory of", markerName, err)
	}
	return nil
}

// CheckMarker refuses a file:// storage that is not the one of the
// installation: on another machine, a directory that is no shared mount.
//
// Errors: storage.marker.
func (s *Store) CheckMarker(installation string) error {
	if s.dir == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(s.dir, markerName))
	if err != nil {
		return ErrMarker.With("%s has no mark of this installation. Web and worker processes need the same directory, shared between their machines and set up by “dataflow migrate”; or an object store.", s.dir).
			Wrap(fmt.Errorf("read storage mark: %w", err))
	}
	if strings.TrimSpace(string(text)) != installation {
		return ErrMarker.With("%s belongs to another installation.", s.dir)
	}
	return nil
}
