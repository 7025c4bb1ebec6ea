package sources_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/db/dbtest"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sources"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

type rig struct {
	*sources.Service
	db     *db.DB
	actor  access.Actor
	others access.Actor
}

func newRig(t *testing.T) rig {
	t.Helper()
	pool := dbtest.New(t)
	master, err := secrets.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	directory := tenants.NewService(tenants.Deps{DB: pool, Master: master})
	r := rig{Service: sources.New(sources.Deps{DB: pool, Boxes: directory}), db: pool}
	for _, actor := range []*access.Actor{&r.actor, &r.others} {
		tenant, err := directory.Create(t.Context(), tenants.New{Name: "Workspace"})
		if errors.Is(err, tenants.ErrSlugTaken) {
			tenant, err = directory.Create(t.Context(), tenants.New{Name: "Other"})
		}
		if err != nil {
			t.Fatal(err)
		}
		*actor = access.Actor{Kind: access.Person, TenantID: tenant.ID, UserID: ids.New[ids.User](), Role: access.Editor}
	}
	return r
}

func (r rig) save(t *testing.T, id ids.Source, file sources.File) ids.Source {
	t.Helper()
	sealed, err := r.Seal(t.Context(), r.actor, id, file.Filename, sources.CSV, file)
	if err != nil {
		t.Fatal(err)
	}
	err = r.db.InTenantTx(t.Context(), r.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		return sources.Save(ctx, tx, r.actor, sealed, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	return sealed.ID()
}

func TestConnectionIsSealedAndReadByItsWorkspaceOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := sources.File{Filename: "salaries.csv", Bytes: 12, Choices: json.RawMessage(`{"key":["id"]}`)}
	id := r.save(t, ids.Source{}, want)
	source, file, err := r.GetFile(t.Context(), r.actor, id)
	if err != nil || source.Type != sources.CSV || file.Filename != want.Filename || file.Bytes != 12 || string(file.Choices) != string(want.Choices) {
		t.Errorf("got %+v, %+v, %v", source, file, err)
	}
	err = r.db.InTenantTx(t.Context(), r.actor.TenantID.UUID(), func(ctx context.Context, tx *db.Tx) error {
		row, err := tx.SourceGet(ctx, tx.TenantID, id.UUID())
		if bytes.Contains(row.Connection, []byte("salaries")) {
			t.Errorf("the connection stands in the clear: %s", row.Connection)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r.save(t, id, sources.File{Filename: "again.csv"})
	if list, err := r.List(t.Context(), r.actor); err != nil || len(list) != 1 || list[0].Name != "salaries.csv" {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, _, err := r.GetFile(t.Context(), r.others, id); !errors.Is(err, sources.ErrNotFound) {
		t.Errorf("another workspace: %v", err)
	}
	if _, err := r.Get(t.Context(), r.others, id); !errors.Is(err, sources.ErrNotFound) {
		t.Errorf("another workspace: %v", err)
	}
	viewer := r.actor
	viewer.Role = access.Viewer
	if _, _, err := r.GetFile(t.Context(), viewer, id); !errors.Is(err, access.ErrForbidden) {
		t.Errorf("a viewer: %v", err)
	}
}
