package charts

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Limits of widgets without a query.
const (
	MaxTextBytes  = 20_000
	MaxImageBytes = 256 << 10 // of a data: URL
)

// markdown writes CommonMark with tables and strikethrough. Raw
// HTML is left out by the renderer; links and images that may not stand on a
// page are taken out of the tree, so no attribute is ever cleaned as text.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table, extension.Strikethrough),
	goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(onlySafe{}, 1000))),
)

// drawText renders the Markdown of the config.
func drawText(d *drawing) error {
	source := d.Config.Text
	if len(source) > MaxTextBytes {
		return ErrConfig.With("A text has at most %d bytes, this one has %d.", MaxTextBytes, len(source))
	}
	var out bytes.Buffer
	if err := markdown.Convert([]byte(source), &out); err != nil {
		return fmt.Errorf("render markdown: %w", err)
	}
	d.out.HTML = out.String()
	if strings.TrimSpace(d.out.HTML) == "" {
		d.out.State = Empty
	}
	return nil
}

func drawNothing(*drawing) error { return nil }

// drawImage shows a picture of this server or one that is part of the config.
func drawImage(d *drawing) error {
	if !SafeImage(d.Config.URL) {
		return ErrConfig.With("An image is a path on this server (\"/…\") or a data: URL of PNG, JPEG, GIF or WebP of at most %d kB.", MaxImageBytes>>10)
	}
	d.out.Image = &Picture{URL: d.Config.URL, Alt: d.Config.Alt}
	if d.Config.Alt == "" {
		d.out.Image.Alt = d.Title
	}
	return nil
}

// SafeImage tells whether an image may be shown: the page's policy loads
// pictures of this server and data: URLs only, so that no other server learns
// who looks at a dashboard. SVG is not among them, since it may hold scripts.
func SafeImage(address string) bool {
	if rest, ok := strings.CutPrefix(address, "data:image/"); ok {
		kind, _, ok := strings.Cut(rest, ";base64,")
		return ok && len(address) <= MaxImageBytes && (kind == "png" || kind == "jpeg" || kind == "gif" || kind == "webp")
	}
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(address, "//") && !strings.Contains(address, `\`)
}

// SafeLink tells whether a link may stand on a page: http, https, mailto, or
// a place on this server.
func SafeLink(address string) bool {
	u, err := url.Parse(address)
	if err != nil || strings.ContainsAny(address, "\\\x00") {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.Host != ""
	case "mailto":
		return true
	case "":
		return u.Host == "" && !strings.HasPrefix(address, "//")
	}
	return false
}

// onlySafe takes raw HTML and links that lead elsewhere out of the tree, and
// puts rel on all others.
type onlySafe struct{}

func (onlySafe) Transform(doc *ast.Document, reader text.Reader, _ parser.Context) {
	var drop []ast.Node
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			// The page has its own first heading.
			n.Level = min(n.Level+1, 6)
		case *ast.Link:
			n.Destination = resolved(n.Destination)
			keepLink(n, string(n.Destination), &drop)
		case *ast.AutoLink:
			keepLink(n, string(n.URL(reader.Source())), &drop)
		case *ast.Image:
			n.Destination = resolved(n.Destination)
			if !SafeImage(string(n.Destination)) {
				drop = append(drop, n)
			}
		case *ast.RawHTML, *ast.HTMLBlock:
			drop = append(drop, n)
		}
		return ast.WalkContinue, nil
	})
	for _, n := range drop {
		parent := n.Parent()
		if parent == nil {
			continue
		}
		// What the link or image said stays as text.
		if auto, ok := n.(*ast.AutoLink); ok {
			parent.InsertBefore(parent, n, ast.NewString(auto.Label(reader.Source())))
		} else if n.Type() == ast.TypeInline {
			for child := n.FirstChild(); child != nil; {
				next := child.NextSibling()
				parent.InsertBefore(parent, n, child)
				child = next
			}
		}
		parent.RemoveChild(parent, n)
	}
}

// resolved is an address without character references, as the browser would
// read it: "&#106;avascript:" must not pass for a relative link. What a
// reference stands for can look like one itself, and the renderer reads once
// more, so nothing may be left.
func resolved(address []byte) []byte {
	for range 8 {
		plain := util.ResolveEntityNames(util.ResolveNumericReferences(address))
		if bytes.Equal(plain, address) {
			return plain
		}
		address = plain
	}
	return nil
}

func keepLink(n ast.Node, address string, drop *[]ast.Node) {
	if auto, ok := n.(*ast.AutoLink); ok && auto.AutoLinkType == ast.AutoLinkEmail {
		address = "mailto:" + address
	}
	if !SafeLink(address) {
		*drop = append(*drop, n)
		return
	}
	n.SetAttributeString("rel", []byte("noopener noreferrer"))
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		n.SetAttributeString("target", []byte("_blank"))
	}
}
