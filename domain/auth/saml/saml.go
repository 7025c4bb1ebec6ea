// Package saml speaks SAML 2.0 as a service provider, for one workspace at a
// time: it makes requests, and reads what an identity provider answers. It keeps
// nothing and signs nobody in; package auth does.
package saml

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// What can go wrong. The sentences are for whoever tries to sign in; an admin
// sees all checks in the test.
var (
	ErrMalformed = apperr.Define(apperr.Invalid, "saml.malformed",
		"The answer of the identity provider can't be read.")
	ErrUnsafe = apperr.Define(apperr.Invalid, "saml.unsafe_xml",
		"The answer of the identity provider has parts that no honest answer has, and was refused.")
	ErrUnsigned = apperr.Define(apperr.Forbidden, "saml.unsigned",
		"The answer of the identity provider is not signed.")
	ErrSignature = apperr.Define(apperr.Forbidden, "saml.signature",
		"The signature of the identity provider does not fit what it should cover.")
	ErrOtherKey = apperr.Define(apperr.Forbidden, "saml.other_key",
		"The answer is signed with a key that is not the identity provider's. If it changed its certificate, an owner has to refresh the metadata.")
	ErrWeakSignature = apperr.Define(apperr.Forbidden, "saml.weak_signature",
		"The answer is signed with SHA-1, which can be forged. The identity provider has to use SHA-256.")
	ErrIssuer = apperr.Define(apperr.Forbidden, "saml.issuer",
		"The answer comes from another identity provider than the one that is set up here.")
	ErrAudience = apperr.Define(apperr.Forbidden, "saml.audience",
		"The answer was made for another application.")
	ErrRecipient = apperr.Define(apperr.Forbidden, "saml.recipient",
		"The answer was sent to another address than the one it was made for.")
	ErrExpired = apperr.Define(apperr.Forbidden, "saml.expired",
		"The answer of the identity provider came too late. Sign in again.")
	ErrEarly = apperr.Define(apperr.Forbidden, "saml.not_yet_valid",
		"The answer is not valid yet: the clock of the identity provider is ahead of ours.")
	ErrReplayed = apperr.Define(apperr.Forbidden, "saml.replayed",
		"This answer was used already. Sign in again.")
	ErrUnsolicited = apperr.Define(apperr.Forbidden, "saml.unsolicited",
		"A sign-in that begins at the identity provider is not accepted here. Begin at the sign-in page.")
	ErrRequest = apperr.Define(apperr.Forbidden, "saml.request",
		"This answer belongs to no sign-in that was begun in this browser, or to one that has run out. Sign in again.")
	ErrUndecryptable = apperr.Define(apperr.Forbidden, "saml.undecryptable",
		"The answer is encrypted with a certificate that is not ours. The identity provider needs our present metadata.")
	ErrEncryption = apperr.Define(apperr.Forbidden, "saml.encryption",
		"The answer is encrypted in a way that is not taken here. The identity provider has to encrypt with AES, in GCM or CBC mode, and the key of it with RSA-OAEP.")
	ErrStatus = apperr.Define(apperr.Forbidden, "saml.status",
		"The identity provider did not let you in.")
	ErrSubject = apperr.Define(apperr.Forbidden, "saml.subject",
		"The answer does not say in a lasting way who you are. The identity provider has to send a NameID that stays the same.")
	ErrMetadata = apperr.Define(apperr.Invalid, "saml.metadata",
		"This is not the metadata of a SAML identity provider.")
	ErrKeys = apperr.Define(apperr.Conflict, "saml.keys",
		"The certificates have changed meanwhile. Reload the page.")
	ErrNoLogout = apperr.Define(apperr.NotFound, "saml.no_logout",
		"The identity provider offers no single log-out.")
)

const (
	// MaxSkew is the most that clocks may differ, by the setting of a connection.
	MaxSkew = 3 * time.Minute
	// issueDelay is how long an answer may take on its way, besides the skew.
	issueDelay = 90 * time.Second
	// maxMessage bounds an answer, once it is out of its base64; maxMetadata
	// the metadata of a provider.
	maxMessage  = 256 << 10
	maxMetadata = 1 << 20
	maxDepth    = 64

	certificateFor = 3 * 365 * 24 * time.Hour
	keyBits        = 2048 // what every provider takes, and enough until 2030
)

// The library knows one clock skew and one delay for all; ours are bounds
// above, and the connection's own are checked after.
func init() { saml.MaxClockSkew, saml.MaxIssueDelay = MaxSkew, issueDelay+MaxSkew }

// Pair is a key of ours with its certificate, both PEM.
type Pair struct {
	Key         string    `json:"key"`
	Certificate string    `json:"certificate"`
	Until       time.Time `json:"until"`
}

// Keys are our keys: one that signs, and beside it, while they are exchanged,
// another. All of them are in the metadata and decrypt.
type Keys struct {
	Pairs  []Pair `json:"pairs"`
	Active int    `json:"active"`
}

// NewKeys makes the first key.
func NewKeys(name string) (Keys, error) {
	pair, err := newPair(name)
	return Keys{Pairs: []Pair{pair}}, err
}

func newPair(name string) (Pair, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return Pair{}, fmt.Errorf("make key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, fmt.Errorf("draw serial number: %w", err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(certificateFor), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Pair{}, fmt.Errorf("make certificate: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encode key: %w", err)
	}
	return Pair{Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})),
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), Until: template.NotAfter}, nil
}

// Add puts a new key beside the one that signs.
//
// Errors: saml.keys where there are two already.
func (k Keys) Add(name string) (Keys, error) {
	if len(k.Pairs) != 1 {
		return k, ErrKeys
	}
	pair, err := newPair(name)
	return Keys{Pairs: append(append([]Pair{}, k.Pairs...), pair), Active: k.Active}, err
}

// Switch signs with the other key from now on.
//
// Errors: saml.keys where there is one only.
func (k Keys) Switch() (Keys, error) {
	if len(k.Pairs) != 2 {
		return k, ErrKeys
	}
	return Keys{Pairs: k.Pairs, Active: 1 - k.Active}, nil
}

// Drop forgets the key that does not sign.
//
// Errors: saml.keys where there is one only.
func (k Keys) Drop() (Keys, error) {
	if len(k.Pairs) != 2 {
		return k, ErrKeys
	}
	return Keys{Pairs: []Pair{k.Pairs[k.Active]}}, nil
}

func (p Pair) open() (*rsa.PrivateKey, *x509.Certificate, error) {
	block, _ := pem.Decode([]byte(p.Key))
	if block == nil {
		return nil, nil, errors.New("read key: no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("read key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("read key: is %T", parsed)
	}
	certificate, err := ParseCertificate(p.Certificate)
	return key, certificate, err
}

// ParseCertificate reads a certificate in PEM, or its base64 alone.
func ParseCertificate(text string) (*x509.Certificate, error) {
	der := []byte(nil)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else {
		var err error
		if der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return certificate, nil
}

// Provider is an identity provider as its metadata describes it.
type Provider struct {
	Issuer       string
	SignIn       string    // where requests go
	LogOut       string    // empty: no single log-out
	Until        time.Time // when the signing certificate that lasts longest ends
	Certificates int
	entity       *saml.EntityDescriptor
}

// ParseProvider reads metadata: of one provider, or of a federation with one
// provider in it.
//
// Errors: saml.metadata.
func ParseProvider(metadata []byte) (Provider, error) {
	if len(metadata) > maxMetadata {
		return Provider{}, ErrMetadata.With("Metadata has at most %d KB.", maxMetadata>>10)
	}
	root, err := checkXML(metadata, true)
	if err != nil {
		return Provider{}, ErrMetadata.Wrap(err)
	}
	entity := &saml.EntityDescriptor{}
	if root == "EntitiesDescriptor" {
		all := saml.EntitiesDescriptor{}
		if err := xml.Unmarshal(metadata, &all); err != nil {
			return Provider{}, ErrMetadata.Wrap(err)
		}
		found := 0
		for i := range all.EntityDescriptors {
			if len(all.EntityDescriptors[i].IDPSSODescriptors) > 0 {
				entity, found = &all.EntityDescriptors[i], found+1
			}
		}
		if found != 1 {
			return Provider{}, ErrMetadata.With("This metadata has %d identity providers. Give that of one.", found)
		}
	} else if err := xml.Unmarshal(metadata, entity); err != nil {
		return Provider{}, ErrMetadata.Wrap(err)
	}
	if !entity.ValidUntil.IsZero() && entity.ValidUntil.Before(time.Now()) {
		return Provider{}, ErrMetadata.With("This metadata ran out on %s.", entity.ValidUntil.UTC().Format("2 Jan 2006"))
	}
	p := Provider{Issuer: entity.EntityID, entity: entity}
	if p.Issuer == "" || len(p.Issuer) > 1024 || len(entity.IDPSSODescriptors) == 0 {
		return Provider{}, ErrMetadata
	}
	sp := &saml.ServiceProvider{IDPMetadata: entity}
	if p.SignIn = first(sp.GetSSOBindingLocation(saml.HTTPRedirectBinding), sp.GetSSOBindingLocation(saml.HTTPPostBinding)); p.SignIn == "" {
		return Provider{}, ErrMetadata.With("This metadata names no address for sign-in by HTTP-Redirect or HTTP-POST.")
	}
	p.LogOut = first(sp.GetSLOBindingLocation(saml.HTTPRedirectBinding), sp.GetSLOBindingLocation(saml.HTTPPostBinding))
	for _, address := range []string{p.SignIn, p.LogOut} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			return Provider{}, ErrMetadata.With("This metadata names an address for sign-in or log-out that is not one.")
		}
	}
	for _, role := range entity.IDPSSODescriptors {
		for _, key := range role.KeyDescriptors {
			if key.Use != "signing" && key.Use != "" {
				continue
			}
			for _, c := range key.KeyInfo.X509Data.X509Certificates {
				certificate, err := ParseCertificate(c.Data)
				if err != nil {
					return Provider{}, ErrMetadata.With("A certificate in this metadata can't be read.").Wrap(err)
				}
				p.Certificates++
				if certificate.NotAfter.After(p.Until) {
					p.Until = certificate.NotAfter
				}
			}
		}
	}
	if p.Certificates == 0 {
		return Provider{}, ErrMetadata.With("This metadata has no certificate that answers could be checked with.")
	}
	return p, nil
}

// ByHand writes metadata from what an admin has typed in.
//
// Errors: saml.metadata.
func ByHand(issuer, signIn, logOut, certificate string) ([]byte, error) {
	parsed, err := ParseCertificate(certificate)
	if err != nil {
		return nil, ErrMetadata.With("The certificate can't be read. Paste it as PEM.").Wrap(err)
	}
	role := saml.IDPSSODescriptor{SSODescriptor: saml.SSODescriptor{RoleDescriptor: saml.RoleDescriptor{
		ProtocolSupportEnumeration: "urn:oasis:names:tc:SAML:2.0:protocol",
		KeyDescriptors: []saml.KeyDescriptor{{Use: "signing", KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{
			X509Certificates: []saml.X509Certificate{{Data: base64.StdEncoding.EncodeToString(parsed.Raw)}}}}}},
	}}}
	role.SingleSignOnServices = []saml.Endpoint{{Binding: saml.HTTPRedirectBinding, Location: strings.TrimSpace(signIn)}}
	if logOut = strings.TrimSpace(logOut); logOut != "" {
		role.SingleLogoutServices = []saml.Endpoint{{Binding: saml.HTTPRedirectBinding, Location: logOut}}
	}
	return marshal(&saml.EntityDescriptor{EntityID: strings.TrimSpace(issuer), IDPSSODescriptors: []saml.IDPSSODescriptor{role}})
}

func marshal(entity *saml.EntityDescriptor) ([]byte, error) {
	out, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write metadata: %w", err)
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}

// Connection is our side of what a workspace and its provider have agreed on.
type Connection struct {
	EntityID, Consume, LogOut string // our name and addresses
	Keys                      Keys
	Provider                  Provider // zero while there is none
	AllowUnsolicited          bool     // sign-ins may begin at the provider
	Skew                      time.Duration
}

func (c *Connection) serviceProvider() (*saml.ServiceProvider, error) {
	if c.Keys.Active >= len(c.Keys.Pairs) {
		return nil, errors.New("saml connection without a key")
	}
	sp := &saml.ServiceProvider{
		EntityID: c.EntityID, IDPMetadata: c.Provider.entity, AllowIDPInitiated: c.AllowUnsolicited,
		AuthnNameIDFormat: saml.UnspecifiedNameIDFormat, SignatureMethod: dsig.RSASHA256SignatureMethod, MetadataOmitValidUntil: true,
		LogoutBindings: []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding}, AssertionConsumerServiceBindings: []string{saml.HTTPPostBinding},
		RejectSHA1Signatures: true, RejectUnknownConditions: true, RejectExpiredIDPMetadata: true,
	}
	for i, pair := range c.Keys.Pairs {
		key, certificate, err := pair.open()
		if err != nil {
			return nil, err
		}
		if i == c.Keys.Active {
			sp.Key, sp.Certificate = key, certificate
		} else {
			sp.DecryptionKeys = append(sp.DecryptionKeys, key)
		}
	}
	for address, into := range map[string]*url.URL{c.EntityID: &sp.MetadataURL, c.Consume: &sp.AcsURL, c.LogOut: &sp.SloURL} {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("read own address: %w", err)
		}
		*into = *u
	}
	return sp, nil
}

// Metadata is what the provider has to know of us: all certificates, the one
// that signs first.
func (c *Connection) Metadata() ([]byte, error) {
	sp, err := c.serviceProvider()
	if err != nil {
		return nil, err
	}
	entity := sp.Metadata()
	role := &entity.SPSSODescriptors[0]
	own := role.KeyDescriptors
	for i, pair := range c.Keys.Pairs {
		if i == c.Keys.Active {
			continue
		}
		_, certificate, err := pair.open()
		if err != nil {
			return nil, err
		}
		for _, key := range own {
			key.KeyInfo = saml.KeyInfo{X509Data: saml.X509Data{X509Certificates: []saml.X509Certificate{
				{Data: base64.StdEncoding.EncodeToString(certificate.Raw)}}}}
			role.KeyDescriptors = append(role.KeyDescriptors, key)
		}
	}
	return marshal(entity)
}

// Message is what the browser carries to the provider, signed.
type Message struct {
	ID  string // of a question
	URL string // empty: there is nothing to be carried
	// Fields are set where the provider takes messages by POST only: those of a
	// form that goes to URL.
	Fields map[string]string
}

// The fields of a message by POST, and what stands in the query of one by redirect.
const (
	fieldRequest  = "SAMLRequest"
	fieldResponse = "SAMLResponse"
	fieldRelay    = "RelayState"
)

// SignIn asks the provider who the person is.
func (c *Connection) SignIn() (Message, error) {
	sp, err := c.serviceProvider()
	if err != nil {
		return Message{}, err
	}
	binding := saml.HTTPRedirectBinding
	location := sp.GetSSOBindingLocation(binding)
	if location == "" {
		binding = saml.HTTPPostBinding
		location = sp.GetSSOBindingLocation(binding)
	}
	question, err := sp.MakeAuthenticationRequest(location, binding, saml.HTTPPostBinding)
	if err != nil {
		return Message{}, fmt.Errorf("make request: %w", err)
	}
	if binding == saml.HTTPPostBinding {
		return posted(question.ID, location, fieldRequest, question.Element(), "")
	}
	address, err := question.Redirect("", sp)
	if err != nil {
		return Message{}, fmt.Errorf("sign request: %w", err)
	}
	return Message{ID: question.ID, URL: address.String()}, nil
}

// posted is a message by POST, which is signed within.
func posted(id, location, field string, signed *etree.Element, relayState string) (Message, error) {
	document := etree.NewDocument()
	document.SetRoot(signed)
	text, err := document.WriteToBytes()
	if err != nil {
		return Message{}, fmt.Errorf("write message: %w", err)
	}
	m := Message{ID: id, URL: location, Fields: map[string]string{field: base64.StdEncoding.EncodeToString(text)}}
	if relayState != "" {
		m.Fields[fieldRelay] = relayState
	}
	return m, nil
}

// checkXML reads a text once, without making anything of it: it must be one
// element of sane depth, without a document type or processing instructions,
// and, but for metadata, without comments, which have been used to cut names in
// two. It answers the name of the element.
func checkXML(text []byte, comments bool) (root string, err error) {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.Strict, decoder.Entity = true, nil
	decoder.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("encoding %q", charset)
	}
	depth, roots := 0, 0
	for {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", ErrMalformed.Wrap(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				root, roots = token.Name.Local, roots+1
			}
			if depth++; depth > maxDepth {
				return "", ErrUnsafe.Wrap(errors.New("elements lie too deep"))
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return "", ErrUnsafe.Wrap(errors.New("has a document type"))
		case xml.ProcInst:
			if token.Target != "xml" {
				return "", ErrUnsafe.Wrap(errors.New("has a processing instruction"))
			}
		case xml.Comment:
			if !comments {
				return "", ErrUnsafe.Wrap(errors.New("has a comment"))
			}
		}
	}
	if depth != 0 || roots != 1 {
		return "", ErrMalformed.Wrap(errors.New("is not one element"))
	}
	return root, nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
