package handlers

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/static"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// NewPrint makes the handler of the print origin: the page of a token, once,
// and what it is drawn with. It is for a listener that the browser of this
// process alone can reach, and asks for no session: the token is the right.
func NewPrint(service *reports.Service) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler())
	mux.HandleFunc("GET "+reports.PrintPath+"{token}", func(w http.ResponseWriter, r *http.Request) {
		sheet, err := service.TakeSheet(r.PathValue("token"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		nonce := rand.Text()
		ctx := messages.WithLanguage(r.Context(), sheet.Locale)
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'nonce-"+nonce+"'; style-src 'self' 'nonce-"+nonce+"'; style-src-attr 'unsafe-inline'; "+
			"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if err := views.PrintPage(views.PrintProps{Sheet: sheet, Brand: views.Brand{Name: sheet.Workspace}, Nonce: nonce}).Render(ctx, w); err != nil {
			// Half a page never says that it is complete.
			slog.ErrorContext(ctx, "draw print page", "error", err)
		}
	})
	return mux
}

// ReportWords are the texts of drawings in the language of a locale.
func ReportWords(ctx context.Context, locale string) dashboards.Words {
	return words(messages.WithLanguage(ctx, locale))
}
