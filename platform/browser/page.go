package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Format is what a page becomes.
type Format string

// The formats.
const (
	PDF Format = "pdf" // tagged, on the paper that the page's @page names
	PNG Format = "png" // of the element that Take selects
	SVG Format = "svg" // the markup, as XML, of the element that Take selects, or what the page makes of it
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

// tab is a page of the browser.
type tab struct {
	ctx   context.Context
	close context.CancelFunc
	said  chan string // by dataflowReady
}

// open opens a tab as far as it can be without a document: to the stage, where
// there is one.
func (in *instance) open(ctx context.Context, stage string) (_ *tab, err error) {
	t := &tab{said: make(chan string, 1)}
	t.ctx, t.close = chromedp.NewContext(in.root)
	defer func() {
		if err != nil {
			go t.close() // a page that hangs keeps its tab for seconds
		}
	}()
	defer context.AfterFunc(ctx, t.close)()
	if err := chromedp.Listen(t.ctx, func(event any) {
		if _, crashed := event.(*inspector.EventTargetCrashed); crashed {
			go t.close() // nothing would answer any more
		}
	}); err != nil {
		return nil, fmt.Errorf("open tab: %w", err)
	}
	err = chromedp.Do(t.ctx,
		chromedp.ExposeFunc("dataflowReady", func(_ context.Context, said string) (chromedp.Void, error) {
			select {
			case t.said <- said:
			default: // said already
			}
			return chromedp.Void{}, nil
		}),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
				Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}, {Name: "prefers-color-scheme", Value: "light"}}})
			return err
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("open tab: %w", err)
	}
	if stage == "" {
		return t, nil
	}
	if err := t.navigate(stage); err != nil {
		return nil, err
	}
	_, err = t.hear()
	return t, err
}

// hear waits until the page says something.
func (t *tab) hear() (string, error) {
	select {
	case said := <-t.said:
		return said, nil
	case <-t.ctx.Done():
		return "", fmt.Errorf("wait for the page: %w", t.ctx.Err())
	}
}

func (t *tab) navigate(path string) error {
	response, err := chromedp.Run(t.ctx, chromedp.NavigateResponse("http://"+Host+path))
	if err != nil {
		return fmt.Errorf("open page: %w", err)
	}
	if response == nil || response.Status != http.StatusOK {
		return errors.New("open page: it was refused")
	}
	return nil
}

// print shows the page in the tab, takes it once it is complete, and closes the
// tab: what one document left there no other one may find.
func (t *tab) print(ctx context.Context, p Page, staged bool) (Printed, error) {
	defer func() {
		if ctx.Err() != nil { // as in open
			go t.close()
			return
		}
		t.close()
	}()
	defer context.AfterFunc(ctx, t.close)()
	if err := chromedp.Do(t.ctx, chromedp.EmulateViewport(int64(p.Width), int64(p.Height))); err != nil {
		return Printed{}, fmt.Errorf("size tab: %w", err)
	}
	if staged {
		path, err := json.Marshal(p.Path)
		if err != nil {
			return Printed{}, fmt.Errorf("encode path: %w", err)
		}
		if _, err := chromedp.Run(t.ctx, chromedp.Evaluate[chromedp.Void]("dataflowShow("+string(path)+")", chromedp.EvalAwaitPromise)); err != nil {
			return Printed{}, fmt.Errorf("show page: %w", err)
		}
	} else if err := t.navigate(p.Path); err != nil {
		return Printed{}, err
	}
	said, err := t.hear()
	if err != nil {
		return Printed{}, err
	}
	body, err := take(t.ctx, p)
	if err != nil {
		return Printed{}, fmt.Errorf("take the page: %w", err)
	}
	return Printed{Body: body, Said: said}, nil
}

func take(ctx context.Context, p Page) ([]byte, error) {
	switch p.Format {
	case PNG:
		return chromedp.Run(ctx, chromedp.ScreenshotScale(chromedp.CSS(p.Take), max(p.Scale, 1)))
	case SVG:
		what, err := json.Marshal(p.Take)
		if err != nil {
			return nil, fmt.Errorf("encode selector: %w", err)
		}
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(window.dataflowPicture ?? (s => new XMLSerializer().serializeToString(document.querySelector(s))))("+string(what)+")"))
		return []byte(text), err
	}
	yes := true
	return chromedp.Run(ctx, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPreferCSSPageSize(), chromedp.PDFMargin(0),
		func(q *page.PrintToPDFParams) {
			q.GenerateTaggedPDF, q.GenerateDocumentOutline = &yes, &yes
			q.TransferMode = page.PrintToPDFTransferModeReturnAsStream
		}))
}
