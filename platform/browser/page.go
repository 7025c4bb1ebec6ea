package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Format is what a page becomes.
type Format string

// The formats.
const (
	PDF Format = "pdf" // tagged, on the paper that the page's @page names
	PNG Format = "png" // of the element that Take selects
	SVG Format = "svg" // the markup of the element that Take selects
)

// Page is one document to print.
type Page struct {
	Path   string // with its query, at http://Host
	Format Format
	// Width and Height are the viewport in CSS pixels.
	Width, Height int
	// Take selects the element of a PNG or SVG.
	Take string
	// Scale is how many pixels of a PNG are one CSS pixel; 1 when zero.
	Scale float64
}

// Printed is what became of a Page.
type Printed struct {
	Body []byte
	Said string // what the page said when it was complete
}

// print opens the page in a tab of its own and takes it once it is complete.
func (in *instance) print(ctx context.Context, p Page) (Printed, error) {
	tab, closeTab := chromedp.NewContext(in.root)
	defer func() {
		if ctx.Err() != nil { // a page that hangs keeps its tab for seconds
			go closeTab()
			return
		}
		closeTab()
	}()
	work, stop := context.WithCancel(tab)
	defer stop()
	defer context.AfterFunc(ctx, stop)()

	complete := make(chan string, 1)
	err := chromedp.Do(work,
		chromedp.ExposeFunc("dataflowReady", func(_ context.Context, said string) (chromedp.Void, error) {
			select {
			case complete <- said:
			default: // said once already
			}
			return chromedp.Void{}, nil
		}),
		chromedp.EmulateViewport(int64(p.Width), int64(p.Height)),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
				Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}, {Name: "prefers-color-scheme", Value: "light"}}})
			return err
		}),
	)
	if err != nil {
		return Printed{}, fmt.Errorf("open tab: %w", err)
	}
	response, err := chromedp.Run(work, chromedp.NavigateResponse("http://"+Host+p.Path))
	if err != nil {
		return Printed{}, fmt.Errorf("open page: %w", err)
	}
	if response == nil || response.Status != http.StatusOK {
		return Printed{}, errors.New("open page: it was refused")
	}
	var printed Printed
	select {
	case printed.Said = <-complete:
	case <-work.Done():
		return Printed{}, fmt.Errorf("wait for the page: %w", work.Err())
	}
	printed.Body, err = take(work, p)
	if err != nil {
		return Printed{}, fmt.Errorf("take the page: %w", err)
	}
	return printed, nil
}

func take(ctx context.Context, p Page) ([]byte, error) {
	switch p.Format {
	case PNG:
		return chromedp.Run(ctx, chromedp.ScreenshotScale(chromedp.CSS(p.Take), max(p.Scale, 1)))
	case SVG:
		text, err := chromedp.Run(ctx, chromedp.OuterHTML(chromedp.CSS(p.Take)))
		return []byte(text), err
	}
	yes := true
	return chromedp.Run(ctx, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPreferCSSPageSize(), chromedp.PDFMargin(0),
		func(q *page.PrintToPDFParams) {
			q.GenerateTaggedPDF, q.GenerateDocumentOutline = &yes, &yes
			q.TransferMode = page.PrintToPDFTransferModeReturnAsStream
		}))
}
