// Package sources keeps where data comes from: files that were uploaded now,
// databases and APIs as connectors for them arrive. What is needed to reach a
// source is sealed by the workspace's own keys.
package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// ErrNotFound also covers "exists in another workspace": never reveal which.
var ErrNotFound = apperr.Define(apperr.NotFound, "sources.not_found",
	"This data source does not exist or was removed.")

// Type is what sort of source it is.
type Type string

// The types that exist so far.
const (
	CSV     Type = "CSV" // any delimiter
	JSON    Type = "JSON"
	Parquet Type = "Parquet"
	XLSX    Type = "XLSX"
	Events  Type = "Events" // rows sent in by programs
	Replay  Type = "Replay" // the demo's replay of recorded data
)

// Source is where data comes from.
type Source struct {
	ID          ids.Source
	Name        string
	Type        Type
	CreatedAt   time.Time
	LastUpdated time.Time // when data last came from it
	Datasets    int       // that are filled from it; List only
}

// File is the connection of an uploaded file.
type File struct {
	Filename string `json:"filename"`
	Bytes    int64  `json:"bytes,omitempty"`
	// Choices are how the file was read, as package datasets writes them.
	Choices json.RawMessage `json:"choices,omitempty"`
}

// Boxes hands out a workspace's keys.
type Boxes interface {
	Box(ctx context.Context, tenantID ids.Tenant) (*secrets.Box, error)
}

// Deps is what a Service works with.
type Deps struct {
	DB    *db.DB
	Boxes Boxes
}

// Service is safe for concurrent use.
type Service struct {
	db    *db.DB
	boxes Boxes
}

// New makes a Service.
func New(deps Deps) *Service { return &Service{db: deps.DB, boxes: deps.Boxes} }

// purpose binds a sealed connection to its column and row.
func purpose(id ids.Source) string { return "data_sources.connection " + id.String() }

// sealed is the content of data_sources.connection.
type sealed struct {
	Version int    `json:"v"`
	Sealed  []byte `json:"sealed"`
}

// Sealed is a source with its connection already encrypted, to be saved in a
// transaction: reaching for keys inside one would need a second connection.
type Sealed struct {
	id         ids.Source
	name       string
	kind       Type
	connection json.RawMessage
	isNew      bool
}

// ID is the id of the source.
func (s Sealed) ID() ids.Source { return s.id }

// Seal prepares a source for Save. A zero id makes a new source.
func (s *Service) Seal(ctx context.Context, actor access.Actor, id ids.Source, name string, kind Type, connection any) (Sealed, error) {
	isNew := id.IsZero()
	if isNew {
		id = ids.New[ids.Source]()
	}
	plain, err := json.Marshal(connection)
	if err != nil {
		return Sealed{}, fmt.Errorf("encode connection: %w", err)
	}
	box, err := s.boxes.Box(ctx, actor.TenantID)
	if err != nil {
		return Sealed{}, fmt.Errorf("open keys of %s: %w", actor.TenantID, err)
	}
	secret, err := box.Encrypt(purpose(id), plain)
	if err != nil {
		return Sealed{}, err
	}
	encoded, err := json.Marshal(sealed{Version: 1, Sealed: secret})
	if err != nil {
		return Sealed{}, fmt.Errorf("encode connection: %w", err)
	}
	return Sealed{id: id, name: name, kind: kind, connection: encoded, isNew: isNew}, nil
}

// Save writes a source in the caller's transaction and says that data came
// from it just now. Permission is the caller's: it comes with that of the
// dataset that is filled.
//
// Errors: sources.not_found.
func Save(ctx context.Context, tx *db.Tx, actor access.Actor, source Sealed, now time.Time) error {
	if source.isNew {
		var user *uuid.UUID
		if !actor.UserID.IsZero() {
			id := actor.UserID.UUID()
			user = &id
		}
		err := tx.SourceInsert(ctx, db.SourceInsertParams{
			TenantID: tx.TenantID, DsID: source.id.UUID(), Name: source.name, Type: db.DataSourceType(source.kind),
			Connection: source.connection, CreatedBy: user, Now: now,
		})
		if err != nil {
			return fmt.Errorf("insert source: %w", err)
		}
		return nil
	}
	n, err := tx.SourceTouch(ctx, db.SourceTouchParams{
		Now: now, Type: db.DataSourceType(source.kind), Connection: source.connection, TenantID: tx.TenantID, DsID: source.id.UUID(),
	})
	if err != nil {
		return fmt.Errorf("update source: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// List answers the sources of the workspace, the latest used first.
func (s *Service) List(ctx context.Context, actor access.Actor) ([]Source, error) {
	if err := access.Can(actor, access.ViewContent); err != nil {
		return nil, err
	}
	var list []Source
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.SourceList(ctx, tx.TenantID, 1000)
		if err != nil {
			return fmt.Errorf("list sources: %w", err)
		}
		for _, r := range rows {
			list = append(list, Source{
				ID: ids.Source(r.DsID), Name: r.Name, Type: Type(r.Type),
				CreatedAt: r.CreatedAt, LastUpdated: r.LastUpdated, Datasets: int(r.Datasets),
			})
		}
		return nil
	})
	return list, err
}

// Get reads one source, without its connection.
//
// Errors: sources.not_found.
func (s *Service) Get(ctx context.Context, actor access.Actor, id ids.Source) (Source, error) {
	source, _, err := s.read(ctx, actor, id, access.ViewContent)
	return source, err
}

// GetFile reads a source that is a file, with its connection.
//
// Errors: sources.not_found, secrets.undecryptable, access.forbidden.
func (s *Service) GetFile(ctx context.Context, actor access.Actor, id ids.Source) (Source, File, error) {
	source, connection, err := s.read(ctx, actor, id, access.ManageData)
	if err != nil {
		return Source{}, File{}, err
	}
	var file File
	var envelope sealed
	if err := json.Unmarshal(connection, &envelope); err != nil {
		return Source{}, File{}, fmt.Errorf("decode connection of %s: %w", id, err)
	}
	if envelope.Version == 0 { // nothing was ever sealed
		return source, file, nil
	}
	box, err := s.boxes.Box(ctx, actor.TenantID)
	if err != nil {
		return Source{}, File{}, fmt.Errorf("open keys of %s: %w", actor.TenantID, err)
	}
	plain, err := box.Decrypt(purpose(id), envelope.Sealed)
	if err != nil {
		return Source{}, File{}, err
	}
	if err := json.Unmarshal(plain, &file); err != nil {
		return Source{}, File{}, fmt.Errorf("decode connection of %s: %w", id, err)
	}
	return source, file, nil
}

func (s *Service) read(ctx context.Context, actor access.Actor, id ids.Source, p access.Permission) (Source, json.RawMessage, error) {
	if err := access.Can(actor, p); err != nil {
		return Source{}, nil, err
	}
	var row db.SourceGetRow
	err := s.db.InTenantTx(ctx, actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = tx.SourceGet(ctx, tx.TenantID, id.UUID())
		return err
	})
	if db.IsNoRows(err) {
		return Source{}, nil, ErrNotFound.Wrap(err)
	}
	if err != nil {
		return Source{}, nil, fmt.Errorf("load source %s: %w", id, err)
	}
	source := Source{ID: id, Name: row.Name, Type: Type(row.Type), CreatedAt: row.CreatedAt, LastUpdated: row.LastUpdated}
	return source, row.Connection, nil
}
