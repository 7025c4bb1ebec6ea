package config

import (
	"net"
	"net/url"
	"strings"
)

// HTTPS is pages served by https by this process itself, with certificates
// from an authority that speaks ACME.
type HTTPS struct {
	// Listen is the address of https, ":443". Empty: off, a proxy in front does it.
	Listen string `env:"TLS_LISTEN"`
	// HTTPListen is the address of http, ":80": redirects, and the authority's
	// questions. Empty: none, and the authority asks by https alone.
	HTTPListen string `env:"HTTP_LISTEN"`
	// Directory is the address of the authority's ACME directory.
	Directory string `env:"ACME_DIRECTORY"`
	// Email is where the authority sends warnings to.
	Email string `env:"ACME_EMAIL"`
	// RootsFile has the root certificates of an authority of one's own, in PEM.
	RootsFile string `env:"ACME_CA_FILE"`
	// KeyID and Key (base64url) are for authorities that bind accounts.
	KeyID string `env:"ACME_EAB_KEY_ID"`
	Key   Secret `env:"ACME_EAB_KEY"`
}

// On tells whether this process serves https.
func (h HTTPS) On() bool { return h.Listen != "" }

func (h HTTPS) check(baseURL string) error {
	if !h.On() {
		for name, value := range map[string]string{
			"DATAFLOW_HTTP_LISTEN": h.HTTPListen, "DATAFLOW_ACME_DIRECTORY": h.Directory, "DATAFLOW_ACME_EMAIL": h.Email,
			"DATAFLOW_ACME_CA_FILE": h.RootsFile, "DATAFLOW_ACME_EAB_KEY_ID": h.KeyID, "DATAFLOW_ACME_EAB_KEY": h.Key.Reveal(),
		} {
			if value != "" {
				return ErrInvalid.With("%s is set but DATAFLOW_TLS_LISTEN is not. Set it to where https is to be served, such as :443.", name)
			}
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(h.Listen); err != nil {
		return ErrInvalid.With("DATAFLOW_TLS_LISTEN must be host:port or :port, such as :443.").Wrap(err)
	}
	if h.HTTPListen != "" {
		if _, _, err := net.SplitHostPort(h.HTTPListen); err != nil {
			return ErrInvalid.With("DATAFLOW_HTTP_LISTEN must be host:port or :port, such as :80.").Wrap(err)
		}
	}
	if directory, err := url.Parse(h.Directory); h.Directory == "" || err != nil || directory.Scheme != "https" || directory.Host == "" {
		return ErrInvalid.With("DATAFLOW_TLS_LISTEN needs DATAFLOW_ACME_DIRECTORY, the https address of a certificate authority's ACME directory, such as https://acme-v02.api.letsencrypt.org/directory.")
	}
	if at := strings.LastIndex(h.Email, "@"); at < 1 || at == len(h.Email)-1 {
		return ErrInvalid.With("DATAFLOW_TLS_LISTEN needs DATAFLOW_ACME_EMAIL, the address that the certificate authority sends warnings to.")
	}
	if (h.KeyID == "") != (h.Key == "") {
		return ErrInvalid.With("Set DATAFLOW_ACME_EAB_KEY_ID and DATAFLOW_ACME_EAB_KEY both, or none of them.")
	}
	if !strings.HasPrefix(baseURL, "https://") {
		return ErrInvalid.With("DATAFLOW_TLS_LISTEN needs DATAFLOW_BASE_URL, the address that people use, beginning with https://.")
	}
	return nil
}
