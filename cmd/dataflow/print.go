package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/handlers"
	"github.com/dataflowhq/dataflow/platform/browser"
)

// openReports wires reports. A process that makes them has a print origin on
// the loopback, which only its own browser is sent to, and that browser, which
// starts with the first document.
func (a *app) openReports(s *services, prints bool) error {
	deps := reports.Deps{DB: a.db, Blobs: a.blobs, Tenants: s.tenants, Dashboards: s.dashboards, Visitors: s.portals, Words: handlers.ReportWords,
		Mail: s.delivery, Notify: s.notify, Address: func() string { return a.baseURL },
		Key: []byte(a.keys.Derive("report links").Reveal()), Log: a.log}
	if !prints {
		s.reports = reports.New(deps)
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	chromium := browser.New(browser.Config{Path: a.cfg.Browser, Origin: listener.Addr().String(), Stage: handlers.PrintStage, NoSandbox: a.cfg.BrowserSandbox == "off", Log: a.log})
	deps.Renderer = printer{chromium}
	s.reports = reports.New(deps)
	server := &http.Server{Handler: handlers.NewPrint(s.reports), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)}
	go func() { _ = server.Serve(listener) }() // until it is closed
	a.onClose(func(context.Context) error { return errors.Join(chromium.Close(), server.Close()) })
	return nil
}

// printer is the browser as reports know it.
type printer struct{ browser *browser.Browser }

func (p printer) Render(ctx context.Context, d reports.Document) ([]byte, string, error) {
	format := map[reports.Format]browser.Format{reports.PDF: browser.PDF, reports.PNG: browser.PNG, reports.SVG: browser.SVG}[d.Format]
	printed, err := p.browser.Print(ctx, browser.Page{Path: d.Path, Format: format, Width: d.Width, Height: d.Height, Take: d.Take, Scale: 2})
	return printed.Body, printed.Said, err
}
