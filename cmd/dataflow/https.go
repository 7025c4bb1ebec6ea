package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/config"
	"github.com/dataflowhq/dataflow/platform/hosts"
	"github.com/dataflowhq/dataflow/platform/hosts/https"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

// httpsFront is https as this process serves it.
type httpsFront struct {
	*https.Front
	plain    net.Listener // nil where there is no http
	patience time.Duration
}

// handshakeTimeout is how long a browser may wait for a host's first
// certificate, which is ordered meanwhile.
const handshakeTimeout = 30 * time.Second

// openHTTPS opens what is configured; nil where https is off, because a proxy
// in front does it.
func (a *app) openHTTPS(allow func(ctx context.Context, host string) error) (*httpsFront, error) {
	settings := a.cfg.HTTPS
	if !settings.On() {
		return nil, nil
	}
	base, err := url.Parse(a.cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("read base address: %w", err)
	}
	if _, err := hosts.Normalise(base.Hostname()); err != nil {
		return nil, config.ErrInvalid.With("DATAFLOW_BASE_URL needs a host name that a certificate can be for, such as https://bi.example.com.").Wrap(err)
	}
	box, err := secrets.NewBox([]byte(a.keys.Derive("certificates").Reveal()))
	if err != nil {
		return nil, err
	}
	secure, err := a.listenFor("DATAFLOW_TLS_LISTEN", settings.Listen)
	if err != nil {
		return nil, err
	}
	f := &httpsFront{patience: a.cfg.ShutdownTimeout}
	if settings.HTTPListen != "" {
		if f.plain, err = a.listenFor("DATAFLOW_HTTP_LISTEN", settings.HTTPListen); err != nil {
			return nil, err
		}
	}
	f.Front, err = https.Open(https.Config{
		TLS: secure, Plain: f.plain, Port: base.Port(),
		Directory: settings.Directory, Email: settings.Email, RootsFile: settings.RootsFile,
		KeyID: settings.KeyID, Key: settings.Key.Reveal(),
		Objects: certificateObjects{a.blobs}, Box: box, Allow: allow, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.onClose(func(context.Context) error { f.Close(); return nil })
	return f, nil
}

// ownHost is the host of the installation; empty where none is configured.
func (a *app) ownHost() string {
	base, err := url.Parse(a.cfg.BaseURL)
	if err != nil {
		return ""
	}
	own, err := hosts.Normalise(base.Hostname())
	if err != nil {
		return ""
	}
	return own
}

func (a *app) listenFor(setting, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errAddress.With("The address %s can't be listened on. Stop what uses it, or choose another address with %s.", address, setting).Wrap(err)
	}
	a.onClose(func(context.Context) error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // by its server
	})
	return listener, nil
}

// serve serves by https what like serves by http, until ctx ends.
func (f *httpsFront) serve(ctx context.Context, like *http.Server) error {
	pages := &http.Server{Handler: f.Guard(like.Handler), ReadHeaderTimeout: handshakeTimeout, IdleTimeout: like.IdleTimeout,
		MaxHeaderBytes: like.MaxHeaderBytes, ErrorLog: like.ErrorLog}
	group, running := errgroup.WithContext(ctx)
	run := func(server *http.Server, listener net.Listener, what string) {
		group.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", what, err)
			}
			return nil
		})
		group.Go(func() error {
			<-running.Done()
			patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.patience)
			defer cancel()
			if server.Shutdown(patience) != nil {
				_ = server.Close() // what is left is cut off
			}
			return nil
		})
	}
	run(pages, f.Listener(), "https")
	if f.plain != nil {
		run(&http.Server{Handler: f.Plain(), ReadHeaderTimeout: like.ReadHeaderTimeout, ReadTimeout: like.ReadHeaderTimeout,
			MaxHeaderBytes: like.MaxHeaderBytes, ErrorLog: like.ErrorLog}, f.plain, "http")
	}
	return group.Wait()
}

// certificateObjects is the storage as certificates are kept in it.
type certificateObjects struct{ *blob.Store }

func (o certificateObjects) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for object, err := range o.List(ctx, prefix) {
			if !yield(object.Key, err) || err != nil {
				return
			}
		}
	}
}
