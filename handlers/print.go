package handlers

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// PrintStage is the path of the page that sheets are brought into.
const PrintStage = "/stage"

// NewPrint makes the handler of the print origin: the stage, the sheet of a
// token, once, and what it is drawn with. It is for a listener that the browser
// of this process alone can reach, and asks for no session: the token is the
// right.
func NewPrint(service *reports.Service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler())
	mux.HandleFunc("GET "+PrintStage, func(w http.ResponseWriter, r *http.Request) {
		printHeaders(w.Header())
		if err := views.PrintStage().Render(r.Context(), w); err != nil {
			slog.ErrorContext(r.Context(), "draw print stage", "error", err)
		}
	})
	mux.HandleFunc("GET "+reports.PrintPath+"{token}", func(w http.ResponseWriter, r *http.Request) {
		sheet, err := service.TakeSheet(r.PathValue("token"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		ctx := messages.WithLanguage(r.Context(), sheet.Locale)
		printHeaders(w.Header())
		// Half a page is refused by the stage: the connection ends without its length.
		if err := views.PrintPage(views.PrintProps{Sheet: sheet, Brand: views.Brand{Name: sheet.Workspace, LogoURL: views.PictureURL(sheet.Logo.ContentType, sheet.Logo.Data)}}).Render(ctx, w); err != nil {
			slog.ErrorContext(ctx, "draw print page", "error", err)
			panic(http.ErrAbortHandler)
		}
	})
	return mux
}

// printHeaders keep a page to what is its own, and out of the browser's cache.
// What a sheet needs in styles of its own comes in as a constructed style sheet.
func printHeaders(header http.Header) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "+
		"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

// ReportWords are the texts of drawings in the language of a locale.
func ReportWords(ctx context.Context, locale string) dashboards.Words {
	return words(messages.WithLanguage(ctx, locale))
}
