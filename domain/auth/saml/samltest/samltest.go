// Package samltest is an identity provider for tests: one that says what a test
// wants, truthful or forged.
package samltest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlidp"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"
)

// Provider signs what a test wants.
type Provider struct {
	Issuer string
	key    *rsa.PrivateKey
	der    []byte
}

// New makes a provider with a key of its own.
func New(t testing.TB, issuer string) *Provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: issuer},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &Provider{Issuer: issuer, key: key, der: der}
}

// Metadata is what a service provider has to know.
func (p *Provider) Metadata() string {
	return fmt.Sprintf(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`+
		`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`+
		`<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="%s/slo"/>`+
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="%s/sso"/></IDPSSODescriptor></EntityDescriptor>`,
		p.Issuer, base64.StdEncoding.EncodeToString(p.der), p.Issuer, p.Issuer)
}

// Says is what an assertion says. Zero times are such as a good one has.
type Says struct {
	ID                               string // drawn when empty
	NameID, Format                   string
	Audience, Recipient, Destination string
	InResponseTo                     string
	SessionIndex                     string
	Issued, NotBefore, NotOnOrAfter  time.Time
	SessionNotOnOrAfter              time.Time
	Attributes                       map[string][]string
	Status                           string // Success when empty
	Unsigned, SignResponse, SHA1     bool
	// EncryptTo is the certificate, in base64, that the assertion is encrypted to.
	EncryptTo string
}

// names counts what was named.
var names atomic.Int64

// Document is a response as an element, for a test to tamper with.
func (p *Provider) Document(t testing.TB, s Says) *etree.Document {
	t.Helper()
	number := names.Add(1)
	if s.ID == "" {
		s.ID = fmt.Sprintf("id-a%d-%d", number, time.Now().UnixNano())
	}
	now := time.Now().UTC()
	or := func(at, other time.Time) string {
		if at.IsZero() {
			at = other
		}
		return at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	status := s.Status
	if status == "" {
		status = "urn:oasis:names:tc:SAML:2.0:status:Success"
	}
	attribute := func(name, value string) string {
		if value == "" {
			return ""
		}
		return fmt.Sprintf(" %s=%q", name, value)
	}
	var statements strings.Builder
	for name, values := range s.Attributes {
		fmt.Fprintf(&statements, `<saml:Attribute Name=%q>`, name)
		for _, v := range values {
			fmt.Fprintf(&statements, `<saml:AttributeValue>%s</saml:AttributeValue>`, v)
		}
		statements.WriteString(`</saml:Attribute>`)
	}
	if statements.Len() > 0 {
		inner := statements.String()
		statements.Reset()
		statements.WriteString(`<saml:AttributeStatement>` + inner + `</saml:AttributeStatement>`)
	}
	session := ""
	if !s.SessionNotOnOrAfter.IsZero() {
		session = attribute("SessionNotOnOrAfter", or(s.SessionNotOnOrAfter, now))
	}
	assertion := parse(t, fmt.Sprintf(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID=%q Version="2.0" IssueInstant=%q>`+
		`<saml:Issuer>%s</saml:Issuer><saml:Subject><saml:NameID%s>%s</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`+
		`<saml:SubjectConfirmationData NotOnOrAfter=%q Recipient=%q%s/></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore=%q NotOnOrAfter=%q><saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AuthnStatement AuthnInstant=%q%s%s><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>%s</saml:Assertion>`,
		s.ID, or(s.Issued, now), p.Issuer, attribute("Format", s.Format), s.NameID, or(s.NotOnOrAfter, now.Add(5*time.Minute)), s.Recipient, attribute("InResponseTo", s.InResponseTo),
		or(s.NotBefore, now.Add(-time.Minute)), or(s.NotOnOrAfter, now.Add(5*time.Minute)), s.Audience, or(s.Issued, now), attribute("SessionIndex", s.SessionIndex), session, statements.String()))
	if !s.Unsigned && !s.SignResponse {
		assertion = p.Sign(t, assertion, s.SHA1)
	}
	response := parse(t, fmt.Sprintf(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="id-r%d" Version="2.0" IssueInstant=%q Destination=%q%s>`+
		`<saml:Issuer>%s</saml:Issuer><samlp:Status><samlp:StatusCode Value=%q/></samlp:Status></samlp:Response>`,
		number, or(s.Issued, now), s.Destination, attribute("InResponseTo", s.InResponseTo), p.Issuer, status))
	if s.EncryptTo != "" {
		assertion = encrypt(t, assertion, s.EncryptTo)
	}
	response.AddChild(assertion)
	if s.SignResponse && !s.Unsigned {
		response = p.Sign(t, response, s.SHA1)
	}
	document := etree.NewDocument()
	document.SetRoot(response)
	return document
}

// Response is a document as a browser posts it.
func (p *Provider) Response(t testing.TB, s Says) string { return Encode(t, p.Document(t, s)) }

// Encode writes a document as a browser posts it.
func Encode(t testing.TB, document *etree.Document) string {
	t.Helper()
	text, err := document.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// Sign signs an element, as the provider does.
func (p *Provider) Sign(t testing.TB, element *etree.Element, sha1 bool) *etree.Element {
	t.Helper()
	context, err := dsig.NewSigningContext(p.key, [][]byte{p.der})
	if err != nil {
		t.Fatal(err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	method := dsig.RSASHA256SignatureMethod
	if sha1 {
		method = dsig.RSASHA1SignatureMethod
	}
	if err := context.SetSignatureMethod(method); err != nil {
		t.Fatal(err)
	}
	signed, err := context.SignEnveloped(element)
	if err != nil {
		t.Fatal(err)
	}
	// The schema wants it right after the issuer.
	last := signed.Child[len(signed.Child)-1]
	signed.Child = signed.Child[:len(signed.Child)-1]
	signed.InsertChildAt(1, last)
	return signed
}

func parse(t testing.TB, text string) *etree.Element {
	t.Helper()
	document := etree.NewDocument()
	if err := document.ReadFromString(text); err != nil {
		t.Fatal(err)
	}
	return document.Root()
}

func encrypt(t testing.TB, assertion *etree.Element, certificate string) *etree.Element {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(certificate)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	document := etree.NewDocument()
	document.SetRoot(assertion.Copy())
	plain, err := document.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	encrypter := xmlenc.OAEP()
	encrypter.BlockCipher = xmlenc.AES256GCM
	data, err := encrypter.Encrypt(parsed, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	data.CreateAttr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
	wrapped := etree.NewElement("saml:EncryptedAssertion")
	wrapped.CreateAttr("xmlns:saml", "urn:oasis:names:tc:SAML:2.0:assertion")
	wrapped.AddChild(data)
	return wrapped
}

// Certificates are those of a service provider's metadata that can be encrypted to.
func Certificates(t testing.TB, metadata []byte) []string {
	t.Helper()
	var entity saml.EntityDescriptor
	if err := xml.Unmarshal(metadata, &entity); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, key := range entity.SPSSODescriptors[0].KeyDescriptors {
		if key.Use == "encryption" {
			list = append(list, key.KeyInfo.X509Data.X509Certificates[0].Data)
		}
	}
	return list
}

// RequestOf reads the ID of the request in an address.
func RequestOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	request, err := saml.NewIdpAuthnRequest(&saml.IdentityProvider{}, &http.Request{Method: http.MethodGet, URL: u})
	if err != nil {
		t.Fatal(err)
	}
	var question saml.AuthnRequest
	if err := xml.Unmarshal(request.RequestBuffer, &question); err != nil {
		t.Fatal(err)
	}
	return question.ID
}

// LogOut is the address with which the provider asks for the end of sessions.
func (p *Provider) LogOut(t testing.TB, to, nameID, relayState string, indexes ...string) *url.URL {
	t.Helper()
	sp := p.speaking(t)
	request, err := sp.MakeLogoutRequest(to, nameID, func(r *saml.LogoutRequest) { r.NameID = &saml.NameID{Value: nameID} })
	if err == nil && len(indexes) > 0 {
		request, err = sp.MakeLogoutRequest(to, nameID, func(r *saml.LogoutRequest) { r.NameID = &saml.NameID{Value: nameID} }, saml.WithSessionIndexes(indexes...))
	}
	if err != nil {
		t.Fatal(err)
	}
	address, err := sp.RedirectLogoutRequestURL(request, relayState)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// LoggedOut is the address with which the provider answers a log-out request.
func (p *Provider) LoggedOut(t testing.TB, to, inResponseTo string) *url.URL {
	t.Helper()
	sp := p.speaking(t)
	sp.IDPMetadata.IDPSSODescriptors = []saml.IDPSSODescriptor{{SSODescriptor: saml.SSODescriptor{
		SingleLogoutServices: []saml.Endpoint{{Binding: saml.HTTPRedirectBinding, Location: to}}}}}
	address, err := sp.MakeRedirectLogoutResponse(inResponseTo, "")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// speaking makes log-out messages, which look the same from both sides.
func (p *Provider) speaking(t testing.TB) *saml.ServiceProvider {
	t.Helper()
	certificate, err := x509.ParseCertificate(p.der)
	if err != nil {
		t.Fatal(err)
	}
	return &saml.ServiceProvider{EntityID: p.Issuer, Key: p.key, Certificate: certificate, SignatureMethod: dsig.RSASHA256SignatureMethod,
		IDPMetadata: &saml.EntityDescriptor{EntityID: p.Issuer}}
}

// LogOutIDOf reads the ID of the log-out request in an address.
func LogOutIDOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	request, err := saml.NewIdpLogoutRequest(&saml.IdentityProvider{}, &http.Request{Method: http.MethodGet, URL: u})
	if err != nil {
		t.Fatal(err)
	}
	var question saml.LogoutRequest
	if err := xml.Unmarshal(request.RequestBuffer, &question); err != nil {
		t.Fatal(err)
	}
	return question.ID
}

// NewServer starts samlidp; its users and service providers are put by HTTP.
func NewServer(t testing.TB) *httptest.Server {
	t.Helper()
	p := New(t, "samlidp")
	certificate, err := x509.ParseCertificate(p.der)
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := samlidp.New(samlidp.Options{URL: *address, Key: p.key, Certificate: certificate, Store: &samlidp.MemoryStore{}})
	if err != nil {
		t.Fatal(err)
	}
	handler = provider
	return server
}

// PostMetadata is Metadata of a provider that takes messages of log-out by
// HTTP-POST alone, and answers to its own wishes at an address of their own.
func (p *Provider) PostMetadata() string {
	return strings.Replace(p.Metadata(), `<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="`+p.Issuer+`/slo"/>`,
		`<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="`+p.Issuer+`/slo" ResponseLocation="`+p.Issuer+`/slo/done"/>`, 1)
}

// Posted is a message of log-out as a browser posts it. Change may tamper with it
// before it is signed; unsigned leaves the signature out.
type Posted struct {
	To, NameID, InResponseTo string
	Sessions                 []string
	Change                   func(*etree.Element)
	Unsigned, SHA1           bool
}

// PostLogOut is the field SAMLRequest with which the provider asks for the end of
// sessions.
func (p *Provider) PostLogOut(t testing.TB, m Posted) string {
	t.Helper()
	request, err := p.speaking(t).MakeLogoutRequest(m.To, m.NameID, func(r *saml.LogoutRequest) { r.NameID = &saml.NameID{Value: m.NameID} }, saml.WithSessionIndexes(m.Sessions...))
	if err != nil {
		t.Fatal(err)
	}
	request.Signature = nil
	return p.post(t, m, request.Element())
}

// PostLoggedOut is the field SAMLResponse with which the provider answers a log-out
// request.
func (p *Provider) PostLoggedOut(t testing.TB, m Posted) string {
	t.Helper()
	answer, err := p.speaking(t).MakeLogoutResponse(m.To, m.InResponseTo)
	if err != nil {
		t.Fatal(err)
	}
	answer.Signature = nil
	return p.post(t, m, answer.Element())
}

func (p *Provider) post(t testing.TB, m Posted, element *etree.Element) string {
	t.Helper()
	if m.Change != nil {
		m.Change(element)
	}
	if !m.Unsigned {
		element = p.Sign(t, element, m.SHA1)
	}
	document := etree.NewDocument()
	document.SetRoot(element)
	return Encode(t, document)
}

// PostedID reads the ID and the destination of a message that a form carries, once
// its signature was checked.
func PostedID(t testing.TB, metadata []byte, encoded string) (id, destination string) {
	t.Helper()
	var entity saml.EntityDescriptor
	if err := xml.Unmarshal(metadata, &entity); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var roots []*x509.Certificate
	for _, key := range entity.SPSSODescriptors[0].KeyDescriptors {
		der, err := base64.StdEncoding.DecodeString(key.KeyInfo.X509Data.X509Certificates[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, certificate)
	}
	context := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: roots})
	context.IdAttribute = "ID"
	signed, err := context.Validate(parse(t, string(raw)))
	if err != nil {
		t.Fatalf("the signature of our message: %v", err)
	}
	return signed.SelectAttrValue("ID", ""), signed.SelectAttrValue("Destination", "")
}
