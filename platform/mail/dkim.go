package mail

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrKeyUnproven means that the DNS does not have the key that mail would be
	// signed with. The sentence says what it has instead.
	ErrKeyUnproven = apperr.Define(apperr.Conflict, "mail.key_unproven", "The TXT record with the key was not found.")
	// ErrNoAnswer means that the DNS didn't answer, so nothing is known. Safe to
	// retry.
	ErrNoAnswer = apperr.Define(apperr.Unavailable, "mail.no_answer", "The name servers of this domain do not answer.")
)

const (
	// keyBits is what all receivers take; a record of a longer key is too large
	// for many name servers.
	keyBits   = 2048
	lookupFor = 10 * time.Second
)

// Key signs mail of a domain (DKIM, RFC 6376).
type Key struct {
	Domain   string
	Selector string // the key is found at SELECTOR._domainkey.DOMAIN
	private  *rsa.PrivateKey
}

// NewKey makes a key for a domain.
func NewKey(domain, selector string) (*Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return &Key{Domain: domain, Selector: selector, private: private}, nil
}

// ParseKey reads what PEM wrote.
func ParseKey(domain, selector string, text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("read key: no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read key: %T", parsed)
	}
	return &Key{Domain: domain, Selector: selector, private: private}, nil
}

// PEM is the private key.
func (k *Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Record is the value of the TXT record that receivers check signatures with.
func (k *Key) Record() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		return "", fmt.Errorf("write key: %w", err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
}

// RecordName is where the record of a key stands.
func RecordName(selector, domain string) string { return selector + "._domainkey." + domain }

// signed are the headers that a signature covers. What stands here once more than
// a message has it can't be added on its way; RFC 8058 wants the last two signed.
var signed = []string{"From", "From", "To", "To", "Subject", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted",
	"List-Unsubscribe", "List-Unsubscribe-Post"}

// sign writes a message with its signature.
func (k *Key) sign(w io.Writer, message io.Reader) error {
	err := dkim.Sign(w, message, &dkim.SignOptions{Domain: k.Domain, Selector: k.Selector, Signer: k.private, HeaderKeys: signed,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed})
	if err != nil {
		return fmt.Errorf("sign message: %w", err)
	}
	return nil
}

// Resolver looks up TXT records, with the pieces of a long one put together; a
// *net.Resolver does.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// CheckRecord tells whether the DNS has a key's record. It takes at most ten
// seconds.
//
// Errors: mail.key_unproven, mail.no_answer.
func CheckRecord(ctx context.Context, resolver Resolver, selector, domain, record string) error {
	limited, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	name := RecordName(selector, domain)
	found, err := resolver.LookupTXT(limited, name+".") // with its dot: the machine's search list is not for it
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsNotFound, err == nil && len(found) == 0:
		return ErrKeyUnproven.With("There is no TXT record %s yet. A new record can take up to an hour until it is seen everywhere.", name).Wrap(err)
	case err != nil:
		return ErrNoAnswer.With("The name servers of %s do not answer. Try again in a few minutes.", domain).Wrap(err)
	case len(found) > 1:
		return ErrKeyUnproven.With("There are %d TXT records %s. Receivers want exactly one.", len(found), name)
	case keyOf(found[0]) != keyOf(record):
		return ErrKeyUnproven.With("The TXT record %s has another key. Copy the value again: it is easily cut off.", name)
	}
	return nil
}

// keyOf is the key in a record. Spaces and quotes are what forms of providers
// put in.
func keyOf(record string) string {
	record = strings.Map(func(c rune) rune {
		if c == '"' || c == ' ' || c == '\t' {
			return -1
		}
		return c
	}, record)
	for tag := range strings.SplitSeq(record, ";") {
		if value, ok := strings.CutPrefix(tag, "p="); ok {
			return value
		}
	}
	return ""
}
