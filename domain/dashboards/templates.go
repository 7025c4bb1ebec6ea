package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/db"
	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/charts"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/warehouse"
)

// Template is a dashboard to start others from, over other data. All of a
// workspace who may edit see its templates.
type Template struct {
	ID        ids.Template
	Name      string
	About     string
	Config    Config
	Sources   []TemplateSource
	Owner     ids.User
	OwnerName string
	CanDelete bool // the actor's own, or they manage the workspace
	CreatedAt time.Time
	// generated are the widgets whose title says what they show and follows it.
	generated []string
}

// TemplateSource is a dataset that a template asks, as it was when the
// template was made.
type TemplateSource struct {
	Dataset ids.Dataset     `json:"dataset"`
	Name    string          `json:"name"`
	Fields  []TemplateField `json:"fields"`
}

// TemplateField is a field that a template needs.
type TemplateField struct {
	Name string         `json:"name"`
	Type warehouse.Type `json:"type,omitempty"` // empty for a saved measure
	// Number, Time and Measure say what the template does with it: calculate,
	// order in time, or ask a saved measure. A group has none of them.
	Number  bool `json:"number,omitempty"`
	Time    bool `json:"time,omitempty"`
	Measure bool `json:"measure,omitempty"`
}

// Label is the field as people say it.
func (f TemplateField) Label() string { return charts.Humanise(lastPart(f.Name)) }

// MaxTemplates is how many templates a workspace has.
const MaxTemplates = 200

// SaveTemplate keeps a dashboard as its viewers see it to start others from.
//
// Errors: dashboards.not_found, dashboards.name_invalid,
// dashboards.template_about_invalid, dashboards.too_many_templates.
func (s *Service) SaveTemplate(ctx context.Context, actor access.Actor, id ids.Dashboard, name, about string) (ids.Template, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return ids.Template{}, err
	}
	name, err := cleanName(name)
	if err != nil {
		return ids.Template{}, err
	}
	about = strings.TrimSpace(about)
	if about != "" && !shortText(about, 300) {
		return ids.Template{}, ErrTemplateAbout.WithFields(map[string]string{"about": ErrTemplateAbout.Sentence()})
	}
	d, err := s.Get(ctx, actor, id)
	if err != nil {
		return ids.Template{}, err
	}
	sc, err := s.loadSchemas(ctx, actor, &d.Config)
	if err != nil {
		return ids.Template{}, err
	}
	config, err := d.Config.clone()
	if err != nil {
		return ids.Template{}, err
	}
	generated := sc.generalise(&config)
	sources, err := json.Marshal(sc.sources(&config))
	if err != nil {
		return ids.Template{}, fmt.Errorf("write the fields of a template: %w", err)
	}
	template := ids.New[ids.Template]()
	err = s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.TemplateCount(ctx, tx.TenantID)
		if err != nil {
			return fmt.Errorf("count templates: %w", err)
		}
		if n >= MaxTemplates {
			return ErrTooManyTemplates
		}
		if err := tx.TemplateInsert(ctx, db.TemplateInsertParams{TenantID: tx.TenantID, TemplateID: template.UUID(), UserID: optional(actor.UserID),
			Name: name, About: about, Config: config.JSON(), Sources: sources, Titles: generated, Now: s.clock()}); err != nil {
			return fmt.Errorf("add template: %w", err)
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "template.create", Target: "template", ID: template.String(), Detail: map[string]any{"name": name}})
	})
	return template, err
}

// generalise drops what is true of this dashboard only: where marks lead, and
// the labels that say the names of its fields. It answers the widgets whose
// titles do.
func (all schemas) generalise(c *Config) []string {
	generated := []string{}
	for _, id := range c.Order() {
		w := c.Widgets[id]
		w.Through = ids.Dashboard{}
		if sc := all[c.dataset(w.Query.Dataset)]; sc != nil && w.Type.Asks() {
			if w.Title == sc.title(&w) {
				generated = append(generated, id)
			}
			for _, m := range w.Query.Measures {
				if f, has := w.Format[measureName(m)]; has && f.Label == sc.measureLabel(m) {
					f.Label = ""
					w.Format[measureName(m)] = f
				}
			}
		}
		c.Widgets[id] = w
	}
	return generated
}

// sources are the datasets and fields that a config asks.
func (all schemas) sources(c *Config) []TemplateSource {
	var list []TemplateSource
	index := func(id ids.Dataset) int {
		at := slices.IndexFunc(list, func(one TemplateSource) bool { return one.Dataset == id })
		if at < 0 {
			at = len(list)
			list = append(list, TemplateSource{Dataset: id, Fields: []TemplateField{}})
			if sc := all[id]; sc != nil {
				list[at].Name = sc.Name
			}
		}
		return at
	}
	for _, id := range c.Datasets() {
		if !id.IsZero() {
			index(id)
		}
	}
	scratch, err := c.clone()
	if err != nil {
		return list
	}
	scratch.mapFields(func(dataset ids.Dataset, name string, u use) string {
		if dataset.IsZero() {
			return name
		}
		source := &list[index(dataset)]
		at := slices.IndexFunc(source.Fields, func(f TemplateField) bool { return f.Name == name && f.Measure == (u == useMeasure) })
		if at < 0 {
			at = len(source.Fields)
			f := TemplateField{Name: name, Measure: u == useMeasure}
			if sc := all[dataset]; sc != nil && u != useMeasure {
				if column, ok := sc.find(name); ok {
					f.Type = column.Type
				}
			}
			source.Fields = append(source.Fields, f)
		}
		source.Fields[at].Number = source.Fields[at].Number || u == useNumber
		source.Fields[at].Time = source.Fields[at].Time || u == useTime
		return name
	})
	for i := range list {
		slices.SortStableFunc(list[i].Fields, func(a, b TemplateField) int {
			if rank := a.rank() - b.rank(); rank != 0 {
				return rank
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	return list
}

// rank orders fields as the editor does: time, groups, then numbers.
func (f TemplateField) rank() int {
	switch {
	case f.Time || temporal(f.Type):
		return 0
	case f.Measure:
		return 3
	case f.Number:
		return 2
	}
	return 1
}

// ListTemplates lists the templates of the workspace by name.
//
// Errors: access.forbidden.
func (s *Service) ListTemplates(ctx context.Context, actor access.Actor) ([]Template, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return nil, err
	}
	var list []Template
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.TemplateList(ctx, tx.TenantID, MaxTemplates)
		if err != nil {
			return fmt.Errorf("list templates: %w", err)
		}
		for _, r := range rows {
			t := Template{ID: ids.Template(r.TemplateID), Name: r.Name, About: r.About, Owner: idOf[ids.User](r.UserID), OwnerName: r.OwnerName, CreatedAt: r.CreatedAt}
			if err := t.read(actor, r.Config, r.Sources); err != nil {
				return err
			}
			list = append(list, t)
		}
		return nil
	})
	return list, err
}

// GetTemplate reads one template.
//
// Errors: dashboards.template_not_found, access.forbidden.
func (s *Service) GetTemplate(ctx context.Context, actor access.Actor, id ids.Template) (Template, error) {
	if err := access.Can(actor, access.EditContent); err != nil {
		return Template{}, err
	}
	var t Template
	err := s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		r, err := tx.TemplateGet(ctx, tx.TenantID, id.UUID())
		if db.IsNoRows(err) {
			return ErrTemplateNotFound.Wrap(err)
		}
		if err != nil {
			return fmt.Errorf("read template %s: %w", id, err)
		}
		t = Template{ID: id, Name: r.Name, About: r.About, Owner: idOf[ids.User](r.UserID), OwnerName: r.OwnerName, CreatedAt: r.CreatedAt, generated: r.Titles}
		return t.read(actor, r.Config, r.Sources)
	})
	return t, err
}

func (t *Template) read(actor access.Actor, config, sources json.RawMessage) error {
	var err error
	if t.Config, err = ParseConfig(config); err != nil {
		return fmt.Errorf("read template %s: %w", t.ID, err)
	}
	if err := json.Unmarshal(sources, &t.Sources); err != nil {
		return fmt.Errorf("read the fields of template %s: %w", t.ID, err)
	}
	t.CanDelete = t.Owner == actor.UserID || access.Can(actor, access.ManageWorkspace) == nil
	return nil
}

// DeleteTemplate removes a template. The actor can take that back as they can
// the deletion of a dashboard. Dashboards that were made from it stay.
//
// Errors: dashboards.template_not_found, access.forbidden.
func (s *Service) DeleteTemplate(ctx context.Context, actor access.Actor, id ids.Template) error {
	t, err := s.GetTemplate(ctx, actor, id)
	if err != nil {
		return err
	}
	if !t.CanDelete {
		return access.ErrForbidden
	}
	return s.db.InViewerTx(ctx, actor.TenantID.UUID(), actor.Subjects(), func(ctx context.Context, tx *db.Tx) error {
		n, err := s.do(ctx, tx, actor, "template", id.UUID(), there, nil)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrTemplateNotFound
		}
		return audit.Record(ctx, tx, actor, audit.Entry{Action: "template.delete", Target: "template", ID: id.String(), Detail: map[string]any{"name": t.Name}})
	})
}
