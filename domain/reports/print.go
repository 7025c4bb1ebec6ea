package reports

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/portals"
)

const (
	// maxPrintedRows is how much of a table stands on paper; the page says
	// where there is more.
	maxPrintedRows = 10_000
	// maxPicturedRows is the same of a picture, which nobody turns pages of.
	maxPicturedRows = 50
	// parallelWidgets bounds how many widgets of one report are asked at a time.
	parallelWidgets = 4
	// marginMM is left of and right of the content of a sheet.
	marginMM = 12.0
	// pixelsPerMM are CSS pixels.
	pixelsPerMM = 96 / 25.4
)

// Sheet is what the print page shows: a dashboard whose widgets are answered
// already, so that nothing can change while it is printed.
type Sheet struct {
	View      *dashboards.View
	Tiles     []*dashboards.Tile
	Workspace string // its name, or that of the portal
	// Portal is whose name and look the sheet has, and Logo its picture; nil for
	// members, without data where there is none.
	Portal *portals.Portal
	Logo   portals.Asset
	Spec   Spec
	Locale string // BCP 47, of who gets it
	At     time.Time
}

// Size is the width and height of the sheet, in millimetres.
func (s Spec) Size() (width, height float64) {
	width, height = 210, 297
	if s.Paper == Letter {
		width, height = 215.9, 279.4
	}
	if s.Landscape {
		return height, width
	}
	return width, height
}

// ContentWidth is what lies between the margins, in CSS pixels.
func (s Spec) ContentWidth() int {
	width, _ := s.Size()
	return int((width - 2*marginMM) * pixelsPerMM)
}

// tickets are the sheets that wait for the browser, by the token that lets it
// take one once.
type tickets struct {
	mu   sync.Mutex
	open map[string]*Sheet
}

func (t *tickets) put(sheet *Sheet) (token string, withdraw func()) {
	token = rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[token] = sheet
	return token, func() { t.take(token) }
}

func (t *tickets) take(token string) *Sheet {
	t.mu.Lock()
	defer t.mu.Unlock()
	sheet := t.open[token]
	delete(t.open, token)
	return sheet
}

// TakeSheet answers the sheet of a token, once.
//
// Errors: reports.not_found.
func (s *Service) TakeSheet(token string) (*Sheet, error) {
	sheet := s.tickets.take(token)
	if sheet == nil {
		return nil, ErrNotFound
	}
	return sheet, nil
}

// PrintPath is where the print page of a token is.
const PrintPath = "/print/"

// drawn is what the print page says when it is complete.
type drawn struct {
	Failed []string `json:"failed"` // widgets whose drawing went wrong in the browser
}

func (s *Service) print(ctx context.Context, v *dashboards.View, plans []*dashboards.Plan, spec Spec, out io.Writer, stated *Stated, tell progress) error {
	if s.deps.Renderer == nil {
		return ErrNoRenderer
	}
	sheet := &Sheet{View: v, Spec: spec, Locale: v.Locale().Name, At: s.deps.Clock()}
	err := s.dress(ctx, v.Actor(), sheet)
	if err != nil {
		return err
	}
	if sheet.Tiles, err = s.draw(ctx, v, plans, tell); err != nil {
		return err
	}
	failed := map[string]bool{}
	for _, tile := range sheet.Tiles {
		if tile.Err != nil && !tile.IsForbidden() {
			failed[tile.ID] = true
			s.deps.Log.WarnContext(ctx, "widget failed in a report", "dashboard", tile.Dashboard, "widget", tile.ID, "error", tile.Err)
		}
	}
	tell("printing", len(plans), len(plans))
	token, withdraw := s.tickets.put(sheet)
	defer withdraw()
	take := "#sheet"
	if spec.Format == SVG {
		if d := sheet.Tiles[0].Drawing; sheet.Tiles[0].Err != nil {
			return sheet.Tiles[0].Err
		} else if d == nil || d.Chart == nil && d.Points == nil {
			return ErrSpec.With("This widget is no chart that an SVG could show. Choose PNG.")
		}
		take = "#sheet [data-widget]"
	}
	height := 1200
	if spec.Format == PDF {
		height = 8 // nobody looks at the screen, so that as little as possible is painted on it
	}
	body, said, err := s.deps.Renderer.Render(ctx, Document{Path: PrintPath + token, Format: spec.Format, Width: spec.ContentWidth(), Height: height, Take: take})
	if err != nil {
		return err
	}
	var d drawn
	if err := json.Unmarshal([]byte(said), &d); err != nil {
		return fmt.Errorf("read what the print page said: %w", err)
	}
	for _, id := range d.Failed {
		failed[id] = true
	}
	stated.FailedWidgets = len(failed)
	for _, tile := range sheet.Tiles {
		if tile.Drawing != nil && tile.Drawing.Table != nil && (tile.Drawing.Table.More || tile.Drawing.Table.Total > tile.Drawing.Table.To) {
			stated.CutWidgets++
		}
	}
	if spec.Format == PDF {
		if n := countPages(body); n > 0 {
			stated.Pages = Pages{Count: n, Paper: spec.Paper, Landscape: spec.Landscape}
		}
		body = withInfo(body, info{Title: v.Dashboard.Name, Author: sheet.Workspace, Maker: sheet.maker(), Subject: stated.subject(v), Created: sheet.At})
	}
	_, err = out.Write(body)
	return err
}

// dress gives a sheet the name of the workspace, or the name and look of the
// portal that the actor visits.
func (s *Service) dress(ctx context.Context, actor access.Actor, sheet *Sheet) error {
	if actor.Kind != access.Visitor || s.deps.Visitors == nil {
		settings, err := s.deps.Tenants.GetSettings(ctx, actor)
		sheet.Workspace = settings.Name
		return err
	}
	p, _, err := s.deps.Visitors.VisitOf(ctx, actor.TenantID, actor.VisitorID)
	if err != nil {
		return err
	}
	sheet.Portal, sheet.Workspace = &p, p.Title()
	if p.Brand.Logo != "" {
		sheet.Logo, err = s.deps.Visitors.Asset(ctx, p, "logo", p.Brand.Logo)
	}
	return err
}

// maker is what a file says that it was made with.
func (s *Sheet) maker() string {
	if s.Portal != nil {
		return s.Workspace
	}
	return "DataFlow"
}

// draw asks and draws the widgets side by side. One that takes too long has
// failed; it does not hold up the others.
func (s *Service) draw(ctx context.Context, v *dashboards.View, plans []*dashboards.Plan, tell progress) ([]*dashboards.Tile, error) {
	tiles := make([]*dashboards.Tile, len(plans))
	free := make(chan struct{}, parallelWidgets)
	var group sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i, p := range plans {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			group.Wait()
			return nil, ctx.Err()
		}
		group.Go(func() {
			defer func() { <-free }()
			tiles[i] = s.drawOne(ctx, v, p)
			mu.Lock()
			defer mu.Unlock()
			done++
			tell("drawing", done, len(plans))
		})
	}
	group.Wait()
	return tiles, ctx.Err()
}

func (s *Service) drawOne(ctx context.Context, v *dashboards.View, p *dashboards.Plan) *dashboards.Tile {
	limited, cancel := context.WithTimeout(ctx, s.deps.WidgetTimeout)
	defer cancel()
	type outcome struct {
		tile *dashboards.Tile
		err  error
	}
	ready := make(chan outcome, 1)
	go func() {
		tile, err := s.deps.Dashboards.Draw(limited, v, p)
		ready <- outcome{tile, err}
	}()
	var err error
	select {
	case o := <-ready:
		if o.err == nil {
			return o.tile
		}
		err = o.err
	case <-limited.Done():
		err = limited.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errWidgetTimeout.Wrap(err)
	}
	return &dashboards.Tile{Dashboard: v.Dashboard.ID, ID: p.ID, Key: p.Key, Type: p.Widget.Type, Title: p.Widget.Title, Layout: p.Widget.Layout, Err: err}
}

// parseFilters reads the query of a link.
func parseFilters(text string) (dashboards.State, error) {
	query, err := url.ParseQuery(text)
	if err != nil {
		return dashboards.State{}, dashboards.ErrFilters.Wrap(err)
	}
	return dashboards.ParseState(query)
}
