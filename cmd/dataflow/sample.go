package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	embedding "github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/views"
)

//go:embed sample
var sampleFiles embed.FS

// sampleSite is a site of somebody else's, as far as a browser can tell: another
// host, with a key that mints tokens and nothing else. Its page shows a dashboard
// of the demo to one of two customers.
type sampleSite struct {
	listener net.Listener
	site     string // address of the product
	key      string
	board    string // id of the dashboard
	page     *template.Template
}

// sampleKeyName is what the key of the sample site is called.
const sampleKeyName = "Sample site"

// customers of the sample site, and what each may see.
var customers = map[string]struct{ Name, State string }{
	"golden": {"Golden Coast Airports", "CA"},
	"lone":   {"Lone Star Airports", "TX"},
}

// listenSample takes the port after the product's, or any.
func listenSample(beside net.Listener) (net.Listener, error) {
	if address, ok := beside.Addr().(*net.TCPAddr); ok {
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(address.Port+1))); err == nil {
			return listener, nil
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errAddress.With("The sample site finds no free port.").Wrap(err)
	}
	return listener, nil
}

// sampleAddress is another site than that of 127.0.0.1: no cookie is common to both.
func sampleAddress(l net.Listener) string {
	return "http://localhost:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// sample makes the key of the sample site, and knows what it shows.
func (d *demo) sample(ctx context.Context, l net.Listener) (*sampleSite, error) {
	address := sampleAddress(l)
	keys, err := d.services.embed.ListKeys(ctx, d.actor)
	if err != nil {
		return nil, err
	}
	if d.state.SampleSite != address || d.state.SampleKey == "" {
		for _, k := range keys {
			if k.Name == sampleKeyName && k.RevokedAt.IsZero() {
				if err := d.services.embed.RevokeKey(ctx, d.actor, k.ID); err != nil {
					return nil, err
				}
			}
		}
		if d.state.SampleKey, err = d.services.embed.CreateKey(ctx, d.actor, embedding.Key{Name: sampleKeyName, Origins: []string{address}}); err != nil {
			return nil, err
		}
		d.state.SampleSite = address
		if err := d.save(); err != nil {
			return nil, err
		}
	}
	s := &sampleSite{listener: l, site: d.state.URL, key: d.state.SampleKey}
	list, err := d.services.dashboards.ListNames(ctx, d.actor, 500)
	if err != nil {
		return nil, err
	}
	wanted := dashboards.DemoFlights(d.ids)[0].Name
	for _, b := range list {
		if b.Name == wanted {
			s.board = b.ID.String()
		}
	}
	s.page, err = template.ParseFS(sampleFiles, "sample/index.html")
	return s, err
}

// serve answers until ctx ends.
func (s *sampleSite) serve(ctx context.Context) error {
	files, err := fs.Sub(sampleFiles, "sample")
	if err != nil {
		return fmt.Errorf("read sample site: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("POST /token/{customer}", s.token)
	mux.Handle("GET /files/", http.StripPrefix("/files/", http.FileServerFS(files)))
	protection := http.NewCrossOriginProtection()
	server := &http.Server{Handler: protection.Handler(mux), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sample site: %w", err)
	}
	return nil
}

func (s *sampleSite) index(w http.ResponseWriter, _ *http.Request) {
	var page bytes.Buffer
	err := s.page.Execute(&page, map[string]any{"Script": s.site + views.PathEmbedScript, "Board": s.board, "Customers": customers})
	if err != nil {
		http.Error(w, "The page can't be shown.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' "+s.site+"; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-src "+
		s.site+"; form-action "+s.site+"; base-uri 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(page.Bytes()) // somebody who went away gets nothing
}

// token mints a token for the customer who is signed in; here the page says who
// that is, since it shows how it looks for each.
func (s *sampleSite) token(w http.ResponseWriter, r *http.Request) {
	customer, known := customers[r.PathValue("customer")]
	if !known {
		http.NotFound(w, r)
		return
	}
	body, err := json.Marshal(map[string]any{"dashboards": []string{s.board}, "subject": customer.Name, "downloads": true,
		"filters":    map[string][]string{"origin_airport.state": {customer.State}},
		"attributes": map[string][]string{"state": {customer.State}}})
	if err != nil {
		http.Error(w, "The token can't be asked for.", http.StatusInternalServerError)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.site+views.PathEmbedToken, bytes.NewReader(body))
	if err != nil {
		http.Error(w, "The token can't be asked for.", http.StatusInternalServerError)
		return
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, "The token can't be had.", http.StatusBadGateway)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(answer.Body, 64<<10)) // somebody who went away gets nothing
}
