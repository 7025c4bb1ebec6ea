package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrAnswer is an answer that was not what was asked for.
var ErrAnswer = apperr.Define(apperr.Unavailable, "outbound.answer",
	"This address did not answer with what was expected.")

const (
	lookFor      = 10 * time.Second
	maxRedirects = 5
)

// Following is a client for libraries that read what people have named, such as a
// provider's metadata: unlike HTTP it is led elsewhere, a few times, by addresses
// that CheckURL takes.
func (c *Client) Following() *http.Client {
	return &http.Client{Transport: c.http.Transport, Timeout: lookFor, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return errors.New("too many redirects")
		}
		_, err := c.CheckURL(r.URL.String())
		return err
	}}
}

// Get reads at most limit bytes from an address.
//
// Errors: outbound.address, outbound.private, outbound.unavailable,
// outbound.answer (another status than 200, or more than limit).
func (c *Client) Get(ctx context.Context, address string, limit int64) ([]byte, error) {
	u, err := c.CheckURL(address)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, ErrAddress.Wrap(err)
	}
	response, err := c.Following().Do(request)
	if errors.Is(err, ErrAddress) {
		return nil, ErrAddress.With("This address leads on to one that can't be used.")
	}
	if err != nil {
		return nil, told(err, u.Host)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, ErrAnswer.With("This address answered with status %d.", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, ErrUnavailable.Wrap(fmt.Errorf("read answer: %w", err))
	}
	if int64(len(body)) > limit {
		return nil, ErrAnswer.With("This address answers with more than %d KB.", limit/1000)
	}
	return body, nil
}
