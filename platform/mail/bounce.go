package mail

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/google/uuid"
)

// What comes back goes to an address of its own for each message (VERP):
// bounces+TOKEN@example.com. The token has the message's id and a mark that only
// who has the secret can make, so that nobody can say of a message that it
// bounced who was not given it. It has neither capitals nor padding, since some
// servers fold case, and fits into the 64 bytes that may stand before the @.
const (
	markBytes = 10
	// maxReturnLocal is what may stand before the mark.
	maxReturnLocal = 20
)

// CheckReturnAddress refuses an address that has no room for a token.
//
// Errors: mail.address.
func CheckReturnAddress(address string) error {
	if err := CheckAddress(address); err != nil {
		return err
	}
	if local, _, _ := strings.Cut(address, "@"); len(local) > maxReturnLocal || strings.ContainsAny(local, `+"`) {
		return ErrAddress.With("What stands before the @ has at most %d characters and no +: a mark for each message is put after it.", maxReturnLocal)
	}
	return nil
}

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ReturnPath is where a message of a tenant comes back to. Base is the address
// of the mailbox; secret is the installation's.
func ReturnPath(base string, secret []byte, tenant, message uuid.UUID) string {
	local, domain, _ := strings.Cut(base, "@")
	token := append(message[:], returnMark(secret, tenant, message)...)
	return local + "+" + tokenText.EncodeToString(token) + "@" + domain
}

func returnMark(secret []byte, tenant, message uuid.UUID) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte("return path v1\x00")) // never fails
	_, _ = mac.Write(tenant[:])
	_, _ = mac.Write(message[:])
	return mac.Sum(nil)[:markBytes]
}

// Token is what a returned message says of the one that it is about.
type Token struct {
	Message uuid.UUID
	mark    []byte
}

// Of tells whether the message is the tenant's and the token ours.
func (t Token) Of(secret []byte, tenant uuid.UUID) bool {
	return hmac.Equal(t.mark, returnMark(secret, tenant, t.Message))
}

// parseToken reads the address that something was sent back to.
func parseToken(address string) (Token, bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return Token{}, false
	}
	plus := strings.LastIndexByte(address[:at], '+')
	if plus < 0 {
		return Token{}, false
	}
	raw, err := tokenText.DecodeString(strings.ToLower(address[plus+1 : at]))
	if err != nil || len(raw) != len(uuid.UUID{})+markBytes {
		return Token{}, false
	}
	return Token{Message: uuid.UUID(raw[:16]), mark: raw[16:]}, true
}

// Returned is what a mail server says of a message that it could not deliver.
type Returned struct {
	Token  Token
	Status string // RFC 3463, "5.1.1"; may be empty
	Said   string // by the server, on one line; may be empty
}

// ErrNotReturned is a message that tells of nothing that came back for good: an
// automatic answer, a delay, or one that was not sent to an address of ours.
var ErrNotReturned = errors.New("no returned message")

const (
	maxReturned = 1 << 20 // bytes of a message that are read
	maxParts    = 20
)

// ParseReturned reads a delivery status notification (RFC 3464). What it says
// beyond its form is not to be believed, but for the token, once that is checked.
func ParseReturned(r io.Reader) (Returned, error) {
	m, err := mail.ReadMessage(io.LimitReader(r, maxReturned))
	if err != nil {
		return Returned{}, ErrNotReturned
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || !strings.EqualFold(params["report-type"], "delivery-status") {
		return Returned{}, ErrNotReturned
	}
	token, ok := tokenOf(m.Header)
	if !ok {
		return Returned{}, ErrNotReturned
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || kind != "message/delivery-status" && kind != "message/global-delivery-status" {
			continue
		}
		found, err := readStatus(decoded(part))
		found.Token = token
		return found, err
	}
	return Returned{}, ErrNotReturned
}

func decoded(part *multipart.Part) io.Reader {
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, part)
	case "quoted-printable":
		return quotedprintable.NewReader(part)
	}
	return part
}

// tokenOf looks where servers write down whom a message was delivered to.
func tokenOf(header mail.Header) (Token, bool) {
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To"} {
		for _, value := range header[textproto.CanonicalMIMEHeaderKey(name)] {
			list, err := mail.ParseAddressList(value)
			if err != nil {
				continue
			}
			for _, one := range list {
				if token, ok := parseToken(one.Address); ok {
					return token, true
				}
			}
		}
	}
	return Token{}, false
}

// readStatus reads the blocks of a status: one of the message, and one for each
// recipient, of whom a message of ours has one.
func readStatus(r io.Reader) (Returned, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return Returned{}, ErrNotReturned
	}
	body = append(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), "\n\n"...)
	for block := range bytes.SplitSeq(body, []byte("\n\n")) {
		fields := statusFields(block)
		if !strings.EqualFold(fields["action"], "failed") {
			continue // of the message itself, or delayed, delivered, relayed, expanded
		}
		found := Returned{Status: enhanced(fields["status"]), Said: printable(afterType(fields["diagnostic-code"]))}
		if found.Said == "" {
			found.Said = printable(afterType(fields["final-recipient"]))
		}
		return found, nil
	}
	return Returned{}, ErrNotReturned
}

// statusFields reads header fields that may go on over lines.
func statusFields(block []byte) map[string]string {
	fields, last := map[string]string{}, ""
	for line := range bytes.SplitSeq(block, []byte("\n")) {
		text := string(line)
		if strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t") {
			if last != "" {
				fields[last] += " " + strings.TrimSpace(text)
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			continue
		}
		last = strings.ToLower(strings.TrimSpace(name))
		if _, twice := fields[last]; twice {
			last = ""
			continue
		}
		fields[last] = strings.TrimSpace(value)
	}
	return fields
}

// afterType drops the type of a field: "smtp; 550 5.1.1 …".
func afterType(field string) string {
	if _, rest, ok := strings.Cut(field, ";"); ok {
		return strings.TrimSpace(rest)
	}
	return field
}

// enhanced is a status code of three numbers, and nothing else.
func enhanced(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > 9 {
		return ""
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	return text
}

// Lasting tells whether mail to an address with such a status won't arrive
// tomorrow either: there is no such mailbox, or it takes nothing from us. A full
// mailbox, a message that is too large and a server that was down may pass.
func (r Returned) Lasting() bool {
	if !strings.HasPrefix(r.Status, "5.") {
		return false
	}
	switch r.Status {
	case "5.2.2", "5.2.3", "5.3.4", "5.4.7":
		return false
	}
	return strings.HasPrefix(r.Status, "5.1.") || r.Status == "5.2.1" || r.Status == "5.4.4"
}

// Words say what a status means; empty where it says nothing.
func (r Returned) Words() string {
	detail := r.Status
	if len(detail) > 2 {
		detail = detail[2:]
	}
	switch detail {
	case "1.1", "1.0", "1.3":
		return "There is no such mailbox."
	case "1.2":
		return "There is no mail server for this domain."
	case "1.6":
		return "The mailbox has moved."
	case "1.10":
		return "This domain takes no mail."
	case "2.1":
		return "The mailbox is switched off."
	case "2.2":
		return "The mailbox is full."
	case "2.3", "3.4":
		return "The message is too large for the other side."
	case "4.1", "4.2", "4.4", "4.7":
		return "The mail server of the other side could not be reached for days."
	}
	if strings.HasPrefix(detail, "7.") {
		return "The mail server of the other side does not take mail from us: its rules or its spam filter refuse it."
	}
	return ""
}

// Sentence says why a message came back, in plain words and in the server's.
func (r Returned) Sentence() string {
	words := r.Words()
	if words == "" {
		words = "The mail came back."
	}
	if r.Said != "" {
		words += " The mail server said: " + r.Said
	}
	return words
}

// NewReturned is what a provider says of a message, as far as it fits on a page.
func NewReturned(status, said string, most int) Returned {
	said = printable(said)
	if runes := []rune(said); len(runes) > most {
		said = string(runes[:most]) + "…"
	}
	return Returned{Status: enhanced(status), Said: said}
}
