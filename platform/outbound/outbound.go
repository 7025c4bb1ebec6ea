// Package outbound reaches addresses that customers choose. It refuses those of
// this machine and of the networks around it, whatever a name resolves to, so
// that nobody makes the server ask what only the server may reach: it looks at
// the address that is really connected to.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong.
var (
	ErrAddress = apperr.Define(apperr.Invalid, "outbound.address",
		"This address can't be used. Write one such as https://hooks.example.com/in.")
	// ErrPrivate is a name that leads into the networks around this server.
	ErrPrivate = apperr.Define(apperr.Forbidden, "outbound.private",
		"This address lies in a private network. Who runs DataFlow can allow it with DATAFLOW_OUTBOUND_NETWORKS.")
	// ErrRefused is an answer that another attempt won't change.
	ErrRefused = apperr.Define(apperr.Invalid, "outbound.refused", "The other side refused it.")
	// ErrUnavailable is worth another attempt.
	ErrUnavailable = apperr.Define(apperr.Unavailable, "outbound.unavailable", "The other side can't be reached now.")
)

const (
	timeout   = 20 * time.Second
	maxAnswer = 2_000 // bytes of an answer that are kept
)

// Config says what may be reached besides the public internet.
type Config struct {
	Allow   []netip.Prefix // private networks that the operator allows
	RootCAs *x509.CertPool // those of the system when nil
}

// Client is safe for concurrent use.
type Client struct {
	allow  []netip.Prefix
	dialer *Dialer
	http   *http.Client
}

// New makes a client.
func New(cfg Config) *Client {
	c := &Client{allow: cfg.Allow, dialer: NewDialer(cfg.Allow)}
	c.http = &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{DialContext: c.dialer.DialContext, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout, IdleConnTimeout: 30 * time.Second,
			MaxIdleConnsPerHost: 4, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs}},
		// What answers elsewhere may be anywhere: it is not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Dial connects to host:port.
//
// Errors: outbound.private, outbound.unavailable.
func (c *Client) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, told(err, address)
	}
	return conn, nil
}

// HTTP is a client for libraries that make their own requests: it reaches what
// Post reaches, for as long as the caller's context lasts.
func (c *Client) HTTP() *http.Client {
	return &http.Client{Transport: c.http.Transport, CheckRedirect: c.http.CheckRedirect}
}

// CheckURL refuses what Post could not use. Without encryption only where a
// private network is allowed, for a server on this machine.
//
// Errors: outbound.address, outbound.private.
func (c *Client) CheckURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(text) > 2000 || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, ErrAddress.Wrap(err)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || len(c.allow) == 0) {
		return nil, ErrAddress.With("The address has to begin with https://.")
	}
	// Where a name leads is seen when it is connected to.
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !c.dialer.allows(ip) {
		return nil, ErrPrivate
	}
	return u, nil
}

// Post sends a body and answers what was said to it, in one line. Before is
// called when the request is about to be sent; its error ends the attempt with
// nothing sent.
//
// Errors: outbound.address, outbound.private and outbound.refused, which
// another attempt does not mend; outbound.unavailable.
func (c *Client) Post(ctx context.Context, address string, header http.Header, body []byte, before func() error) (answer string, err error) {
	u, err := c.CheckURL(address)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return "", ErrAddress.Wrap(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", "DataFlow")
	if err := before(); err != nil {
		return "", err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", told(err, u.Host)
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // the status is what counts
	answer = strconv.Itoa(response.StatusCode) + " " + Line(string(said))
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return answer, nil
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return answer, ErrUnavailable.With("%s asks to try again later: %s", u.Host, answer)
	}
	return answer, ErrRefused.With("%s refused it: %s", u.Host, answer)
}

// told says who could not be reached and why. Addresses may be secrets, so only
// the host is named and the cause is not kept.
func told(err error, host string) error {
	var kind *apperr.Error
	var plain *apperr.Kind
	if errors.As(err, &kind) || errors.As(err, &plain) {
		return ErrPrivate
	}
	var lookup *net.DNSError
	var certificate *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &lookup):
		return ErrUnavailable.With("There is no server named %s.", lookup.Name)
	case errors.As(err, &certificate):
		return ErrUnavailable.With("The certificate of %s is not trusted.", host)
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return ErrUnavailable.With("%s did not answer in time.", host)
	case errors.As(err, &op):
		return ErrUnavailable.With("%s can't be reached.", host).Wrap(fmt.Errorf("%s: %w", op.Op, op.Err))
	}
	return ErrUnavailable.With("The connection to %s broke off.", host)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Line makes what the other side said fit for a page: one line of bearable length.
func Line(text string) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(line); len(runes) > 300 {
		line = string(runes[:300]) + "…"
	}
	return strings.Join(strings.Fields(line), " ")
}
