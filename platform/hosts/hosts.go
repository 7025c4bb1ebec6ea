// Package hosts is about host names that customers bring along: what may be
// one, and who owns it.
//
// A name goes through three hands. Normalise makes it the one spelling under
// which it is kept and looked up. Challenge and Verify prove that whoever
// claims it can write to its DNS zone. Package hosts/https then gets it a
// certificate and serves it, for as long as the caller's records say so.
//
// Against take-over of names, the caller sees to these:
//
//   - A host that points here proves nothing: it may be left over from a
//     customer who is gone, or everything below a zone may point here. Only
//     Verify makes a claim good, and nothing is served before.
//   - Any number of tenants may claim a host; at most one holds it verified
//     (a unique index over verified rows). The value of a challenge is bound
//     to one tenant, so what another has put into DNS is of no use. A verified
//     host goes to another tenant only after its holder lost it or let it go.
//   - The installation's own host, and names below it, can't be claimed.
//   - A host is checked again every day (Check), and given up once Check says
//     that it is lost: its owner may have sold the name.
//   - A host that is given up, or whose tenant is, is no longer allowed by the
//     decision function of hosts/https. It stops being served within a minute,
//     and its certificate isn't renewed.
package hosts

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

var (
	// ErrInvalid means that a text can't be the host name of pages. The
	// sentence says why.
	ErrInvalid = apperr.Define(apperr.Invalid, "hosts.invalid", "This is not a host name such as bi.example.com.")
	// ErrUnknown means that nobody holds the host.
	ErrUnknown = apperr.Define(apperr.NotFound, "hosts.unknown", "Nothing is served under this host name.")
)

// maxLength leaves room for the label of the challenge in a name of DNS, which
// has 253 bytes, and for an ending in the name of a file, which has 255.
const maxLength = 253 - len(challengeLabel) - 1

// profile maps what people type (capitals, umlauts, full-width dots) to what
// DNS knows, and refuses what it doesn't.
var profile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true))

// Normalise answers the one spelling of a host name: lower case, in ASCII,
// without a dot at its end. The same host always has the same spelling, and a
// normalised name stays as it is.
//
// Errors: hosts.invalid.
func Normalise(host string) (string, error) {
	host = strings.TrimSpace(host)
	switch {
	case host == "":
		return "", ErrInvalid.With("Enter a host name such as bi.example.com.")
	case len(host) > 4*maxLength: // before any work is done on it
		return "", ErrInvalid.With("A host name has at most %d characters.", maxLength)
	case strings.Contains(host, "://"), strings.ContainsAny(host, "/?#@"):
		return "", ErrInvalid.With("Enter the host name alone, such as bi.example.com, without https:// and without a path.")
	case isAddress(host):
		return "", ErrInvalid.With("An IP address can't be used. Enter a host name such as bi.example.com.")
	case strings.Contains(host, ":"):
		return "", ErrInvalid.With("Enter the host name without a port.")
	case strings.Contains(host, "*"):
		return "", ErrInvalid.With("A host name with * can't be used. Enter each host name by itself.")
	}
	ascii, err := profile.ToASCII(host)
	if err != nil {
		return "", ErrInvalid.With("A host name has only letters, digits and hyphens between its dots.").Wrap(err)
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if len(ascii) > maxLength {
		return "", ErrInvalid.With("A host name has at most %d characters.", maxLength)
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if label == "" {
			return "", ErrInvalid.With("A host name has letters or digits between its dots.")
		}
		if len(label) > 63 {
			return "", ErrInvalid.With("A part of a host name, between two dots, has at most 63 characters.")
		}
	}
	last := labels[len(labels)-1]
	switch {
	case isAddress(ascii) || numeric(last):
		return "", ErrInvalid.With("An IP address can't be used. Enter a host name such as bi.example.com.")
	case len(labels) == 1:
		return "", ErrInvalid.With("Enter the whole host name, such as %s.example.com.", ascii)
	case last == "invalid" || last == "arpa" || last == "onion":
		return "", ErrInvalid.With("Names that end in .%s can't be used.", last)
	}
	if suffix, _ := publicsuffix.PublicSuffix(ascii); suffix == ascii {
		return "", ErrInvalid.With("%s belongs to everybody who has a name below it. Enter a host name of your own, such as bi.example.%s.", ascii, ascii)
	}
	return ascii, nil
}

// Display is how a normalised name is shown to people: in its own letters, with the
// name in DNS behind it where that is another. Names that look alike stay apart.
func Display(host string) string {
	own, err := profile.ToUnicode(host)
	if err != nil || own == host {
		return host
	}
	return own + " (" + host + ")"
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// numeric tells whether programs take a name that ends so for an address:
// 127.1, 0x7f.1.
func numeric(label string) bool {
	label = strings.TrimPrefix(label, "0x")
	return strings.Trim(label, "0123456789") == "" || (len(label) > 0 && label[0] >= '0' && label[0] <= '9' && strings.Trim(label, "0123456789abcdef") == "")
}
