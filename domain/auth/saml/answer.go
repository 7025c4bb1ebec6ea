package saml

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// Answer is what a provider says of a person, after all of it was checked.
type Answer struct {
	Issuer, Subject, Format string
	SessionIndex            string
	Until                   time.Time // when the provider wants the session to end; zero: it does not say
	Unsolicited             bool
	Encrypted               bool
	// Attributes have their values by name and, where there is one, by friendly name.
	Attributes map[string][]string
}

// Consume notes that an assertion or a log-out request was used, until it would
// be refused anyway. It answers ErrUsed for one that was used before.
type Consume func(id string, until time.Time) error

// ErrUsed is what Consume answers.
var ErrUsed = saml.ErrAssertionReplayed

// Consume is the library's interface.
func (c Consume) Consume(id string, until time.Time) error { return c(id, until) }

// Peek reads which request an answer says it is to, before anything of it was
// checked: to find that request by.
func Peek(encoded string) (inResponseTo string) {
	raw, err := decode(encoded, "Response")
	if err != nil {
		return ""
	}
	var r saml.Response
	if xml.Unmarshal(raw, &r) != nil || len(r.InResponseTo) > 200 {
		return ""
	}
	return r.InResponseTo
}

// decode takes a message of a kind out of its base64.
func decode(encoded, kind string) ([]byte, error) {
	if len(encoded) > base64.StdEncoding.EncodedLen(maxMessage)*2 {
		return nil, ErrMalformed.With("The answer of the identity provider is too large.")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return nil, ErrMalformed.Wrap(err)
	}
	if len(raw) > maxMessage {
		return nil, ErrMalformed.With("The answer of the identity provider is too large.")
	}
	return raw, checkMessage(raw, kind)
}

// checkMessage refuses what is no message of a kind, without making anything of it.
func checkMessage(raw []byte, kind string) error {
	root, err := checkXML(raw, false)
	if err == nil && root != kind {
		err = ErrMalformed.Wrap(fmt.Errorf("is a %s", root))
	}
	return err
}

// Accept checks an answer that came to our address by POST. Requests are the
// questions of this browser that wait for one.
//
// Errors: all of this package but saml.metadata, saml.keys, saml.no_logout.
func (c *Connection) Accept(encoded string, requests []string, consume Consume) (Answer, error) {
	raw, err := decode(encoded, "Response")
	if err != nil {
		return Answer{}, err
	}
	sp, err := c.serviceProvider()
	if err != nil {
		return Answer{}, err
	}
	sp.ReplayCache = consume
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(raw)}}
	address := sp.AcsURL
	// No more than this field reaches the library: neither artifacts, which
	// would make it ask an address, nor signatures beside the message.
	assertion, err := sp.ParseResponse(&http.Request{Method: http.MethodPost, URL: &address, Form: form, PostForm: form}, requests)
	if err != nil {
		return Answer{}, c.explain(raw, err)
	}
	return c.read(raw, assertion, time.Now())
}

// read takes what was verified into an answer, and applies the connection's own
// clock skew.
func (c *Connection) read(raw []byte, assertion *saml.Assertion, now time.Time) (Answer, error) {
	if err := c.checkTimes(assertion, now); err != nil {
		return Answer{}, err
	}
	var response saml.Response
	if err := xml.Unmarshal(raw, &response); err != nil {
		return Answer{}, ErrMalformed.Wrap(err)
	}
	name := assertion.Subject.NameID
	if name == nil || strings.TrimSpace(name.Value) == "" || len(name.Value) > 1024 || name.Format == string(saml.TransientNameIDFormat) {
		return Answer{}, ErrSubject
	}
	a := Answer{Issuer: assertion.Issuer.Value, Subject: name.Value, Format: name.Format, Unsolicited: response.InResponseTo == "",
		Encrypted: response.EncryptedAssertion != nil, Attributes: attributes(assertion)}
	for _, s := range assertion.AuthnStatements {
		if a.SessionIndex == "" && len(s.SessionIndex) <= 1024 {
			a.SessionIndex = s.SessionIndex
		}
		if s.SessionNotOnOrAfter != nil && (a.Until.IsZero() || s.SessionNotOnOrAfter.Before(a.Until)) {
			a.Until = *s.SessionNotOnOrAfter
		}
	}
	if !a.Until.IsZero() && !a.Until.After(now.Add(-c.Skew)) {
		return Answer{}, ErrExpired.With("The identity provider says that this session is over already. Sign in there again.")
	}
	return a, nil
}

func attributes(assertion *saml.Assertion) map[string][]string {
	all := map[string][]string{}
	for _, statement := range assertion.AttributeStatements {
		for _, attribute := range statement.Attributes {
			var values []string
			for _, v := range attribute.Values {
				if text := strings.TrimSpace(v.Value); text != "" && !v.Nil {
					values = append(values, text)
				}
			}
			all[attribute.Name] = append(all[attribute.Name], values...)
			if f := attribute.FriendlyName; f != "" && f != attribute.Name {
				all[f] = append(all[f], values...)
			}
		}
	}
	return all
}

// checkTimes is stricter than the library where the connection is.
func (c *Connection) checkTimes(a *saml.Assertion, now time.Time) error {
	late, early := now.Add(-c.Skew), now.Add(c.Skew)
	if a.IssueInstant.Before(late.Add(-issueDelay)) {
		return ErrExpired
	}
	if a.IssueInstant.After(early) || a.Conditions != nil && a.Conditions.NotBefore.After(early) {
		return ErrEarly
	}
	if a.Conditions != nil && !a.Conditions.NotOnOrAfter.IsZero() && !a.Conditions.NotOnOrAfter.After(late) {
		return ErrExpired
	}
	for _, s := range a.Subject.SubjectConfirmations {
		if d := s.SubjectConfirmationData; d != nil && d.Recipient == c.Consume && d.NotOnOrAfter.After(late) && !d.NotBefore.After(early) {
			return nil
		}
	}
	return ErrExpired
}

// explain turns what the library found into one of ours.
func (c *Connection) explain(raw []byte, err error) error {
	var invalid *saml.InvalidResponseError
	if errors.As(err, &invalid) && invalid.PrivateErr != nil {
		err = invalid.PrivateErr
	}
	var status saml.ErrBadStatus
	var algorithm xmlenc.ErrAlgorithmNotImplemented
	is := func(target error) bool { return errors.Is(err, target) }
	unsigned := len(raw) > 0 && !strings.Contains(string(raw), "http://www.w3.org/2000/09/xmldsig#")
	kind := ErrMalformed
	switch {
	case errors.As(err, &status):
		return ErrStatus.With("The identity provider did not let you in (%s).", last(status.Status)).Wrap(err)
	case is(saml.ErrAssertionReplayed):
		kind = ErrReplayed
	case errors.As(err, &algorithm):
		name := string(algorithm)[strings.LastIndex(string(algorithm), "#")+1:]
		if len(name) > 40 { // not one of XML Encryption
			return ErrEncryption.Wrap(err)
		}
		return ErrEncryption.With("The answer is encrypted with %s, which is not taken here. The identity provider has to encrypt with AES, in GCM or CBC mode, and the key of it with RSA-OAEP.", name).Wrap(err)
	case is(saml.ErrDecryptionFailed):
		kind = ErrUndecryptable
	case is(saml.ErrUntrustedCertificate):
		kind = ErrOtherKey
	case is(saml.ErrUnsupported) && is(saml.ErrInvalidSignature):
		kind = ErrWeakSignature
	case is(saml.ErrCertificateNotValidNow):
		return ErrSignature.With("The certificate of the identity provider has run out.").Wrap(err)
	case is(saml.ErrInvalidSignature) && unsigned:
		kind = ErrUnsigned
	case is(saml.ErrInvalidSignature):
		kind = ErrSignature
	case is(saml.ErrIssuerMismatch):
		kind = ErrIssuer
	case is(saml.ErrAudienceMismatch):
		kind = ErrAudience
	case is(saml.ErrDestinationMismatch):
		kind = ErrRecipient
	case is(saml.ErrRequestIDMismatch):
		kind = ErrRequest
		var r saml.Response
		if raw != nil && xml.Unmarshal(raw, &r) == nil && r.InResponseTo == "" && !c.AllowUnsolicited {
			kind = ErrUnsolicited
		}
	case is(saml.ErrExpired):
		kind = ErrExpired
	case is(saml.ErrNotYetValid):
		kind = ErrEarly
	case unsigned:
		kind = ErrUnsigned
	}
	return kind.Wrap(err)
}

// last is the telling part of a status such as urn:oasis:…:status:Responder.
func last(urn string) string { return urn[strings.LastIndex(urn, ":")+1:] }

// Check is one look at an answer, in plain words.
type Check struct {
	Name   string `json:"name"` // stable: "signature"
	State  State  `json:"state"`
	Text   string `json:"text"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code,omitempty"` // of the error that a sign-in would end with
}

// State is how a check went.
type State string

// The states.
const (
	Passed State = "passed"
	Failed State = "failed"
	Warned State = "warned" // works, and could be better
)

// Diagnosis is all that there is to say of an answer.
type Diagnosis struct {
	Checks []Check
	// Answer is what the answer says; Verified, whether a signature covers it.
	Answer   Answer
	Verified bool
	// Err is what a sign-in with it would end with.
	Err error
}

// Diagnose looks at an answer in every respect, whatever the first fault is.
// Nobody is signed in by it. Used tells whether an assertion was used before.
func (c *Connection) Diagnose(encoded string, requests []string, used func(id string) bool, now time.Time) Diagnosis {
	d := Diagnosis{}
	raw, err := decode(encoded, "Response")
	var response saml.Response
	if err == nil {
		if wrong := xml.Unmarshal(raw, &response); wrong != nil {
			err = ErrMalformed.Wrap(wrong)
		}
	}
	if err != nil {
		d.add("received", err, "", "The response is not readable")
		d.Err = err
		return d
	}
	d.pass("received", "Response received and readable")
	if status := response.Status.StatusCode.Value; status != saml.StatusSuccess {
		detail := last(status)
		if response.Status.StatusMessage != nil {
			detail += ": " + response.Status.StatusMessage.Value
		}
		d.Err = ErrStatus.With("The identity provider did not let you in (%s).", last(status))
		d.add("status", d.Err, detail, "The identity provider says no")
		return d
	}
	d.pass("status", "The identity provider says yes")

	assertion, signature := c.verifySignature(raw, &response)
	d.Verified = assertion != nil && signature == nil
	switch {
	case signature == nil:
		d.pass("signature", "Signature valid, "+algorithm(raw))
	case errors.Is(signature, ErrUndecryptable), errors.Is(signature, ErrEncryption):
		d.add("decrypted", signature, "", "The assertion can't be decrypted")
	default:
		d.add("signature", signature, "", "The signature is not valid")
	}
	if assertion == nil {
		assertion = response.Assertion // not verified: to show what it says
	}
	if assertion != nil && assertion.Subject != nil && assertion.Conditions != nil {
		c.diagnose(&d, &response, assertion, requests, used, now)
	} else if signature == nil {
		d.add("assertion", ErrMalformed, "", "There is no complete assertion in it")
	}
	// The checks above tell; whether somebody comes in is decided by Accept alone.
	if signature == nil {
		_, d.Err = c.Accept(encoded, requests, func(id string, _ time.Time) error {
			if used(id) {
				return ErrUsed
			}
			return nil
		})
	} else {
		d.Err = signature
	}
	return d
}

// verifySignature reads an answer with everything but its signatures waved
// through: as of the moment it was made, for whomever it was made.
func (c *Connection) verifySignature(raw []byte, response *saml.Response) (*saml.Assertion, error) {
	sp, err := c.serviceProvider()
	if err != nil {
		return nil, err
	}
	entity := *sp.IDPMetadata
	issued := response.IssueInstant
	if a := response.Assertion; a != nil {
		issued, entity.EntityID = a.IssueInstant, a.Issuer.Value
		if a.Subject != nil && len(a.Subject.SubjectConfirmations) > 0 {
			if data := a.Subject.SubjectConfirmations[0].SubjectConfirmationData; data != nil {
				if u, err := url.Parse(data.Recipient); err == nil {
					sp.AcsURL = *u
				}
			}
		}
	}
	sp.IDPMetadata, sp.AllowIDPInitiated, sp.RejectUnknownConditions, sp.RejectExpiredIDPMetadata = &entity, true, false, false
	sp.ValidateRequestID = func(saml.Response, []string) error { return nil }
	sp.ValidateAudienceRestriction = func(*saml.Assertion) error { return nil }
	sp.Clock = dsig.NewFakeClockAt(issued)
	at := sp.AcsURL
	if u, err := url.Parse(response.Destination); err == nil && response.Destination != "" {
		at = *u
	}
	assertion, err := sp.ParseXMLResponse(raw, nil, at)
	if err == nil {
		return assertion, nil
	}
	found := c.explain(raw, err)
	for _, other := range []*apperr.Kind{ErrIssuer, ErrAudience, ErrRecipient, ErrRequest, ErrExpired, ErrEarly} {
		if errors.Is(found, other) {
			// It got past the signature; only what lies encrypted can get here.
			return nil, nil
		}
	}
	return nil, found
}

func algorithm(raw []byte) string {
	switch text := string(raw); {
	case strings.Contains(text, "rsa-sha512"), strings.Contains(text, "ecdsa-sha512"):
		return "SHA-512"
	case strings.Contains(text, "rsa-sha384"), strings.Contains(text, "ecdsa-sha384"):
		return "SHA-384"
	}
	return "SHA-256"
}

// Passed tells whether it would be accepted, and no check says otherwise.
func (d Diagnosis) Passed() bool {
	return d.Err == nil && !slices.ContainsFunc(d.Checks, func(c Check) bool { return c.State == Failed })
}

func (d *Diagnosis) pass(name, text string) {
	d.Checks = append(d.Checks, Check{Name: name, State: Passed, Text: text})
}

func (d *Diagnosis) add(name string, err error, detail, text string) {
	public := apperr.Describe(err)
	if detail == "" {
		detail = public.Sentence
	}
	d.Checks = append(d.Checks, Check{Name: name, State: Failed, Text: text, Detail: detail, Code: public.Code})
}

func (d *Diagnosis) check(name string, ok bool, passed string, err error, failed, detail string) {
	if ok {
		d.pass(name, passed)
		return
	}
	d.add(name, err, detail, failed)
}

func (c *Connection) diagnose(d *Diagnosis, r *saml.Response, a *saml.Assertion, requests []string, used func(string) bool, now time.Time) {
	d.check("issuer", a.Issuer.Value == c.Provider.Issuer, "Issuer is the provider that is set up", ErrIssuer, "The issuer is another one",
		fmt.Sprintf("It says %s; the metadata says %s.", a.Issuer.Value, c.Provider.Issuer))

	var audiences []string
	mine := len(a.Conditions.AudienceRestrictions) > 0
	for i := range a.Conditions.AudienceRestrictions {
		here := false
		for _, audience := range a.Conditions.AudienceRestrictions[i].AllAudiences() {
			audiences = append(audiences, audience.Value)
			here = here || audience.Value == c.EntityID
		}
		mine = mine && here
	}
	d.check("audience", mine, "Audience is this application", ErrAudience, "The audience is another one",
		fmt.Sprintf("It was made for %s; it has to be %s.", orNobody(audiences), c.EntityID))

	recipient, confirmed, request := "", time.Time{}, r.InResponseTo
	for _, s := range a.Subject.SubjectConfirmations {
		if data := s.SubjectConfirmationData; data != nil && recipient != c.Consume {
			recipient, confirmed = data.Recipient, data.NotOnOrAfter
			request = first(request, data.InResponseTo)
		}
	}
	here := recipient == c.Consume && (r.Destination == "" || r.Destination == c.Consume)
	d.check("recipient", here, "Destination and recipient are our address", ErrRecipient, "It was made for another address",
		fmt.Sprintf("Destination %s, recipient %s; both have to be %s.", orNothing(r.Destination), orNothing(recipient), c.Consume))

	c.diagnoseTimes(d, a, confirmed, now)
	d.check("replay", !used(a.ID), "Not used before", ErrReplayed, "It was used before", "")
	c.diagnoseRequest(d, request, requests)

	name := a.Subject.NameID
	switch {
	case name == nil || strings.TrimSpace(name.Value) == "":
		d.add("subject", ErrSubject, "", "There is no NameID")
	case name.Format == string(saml.TransientNameIDFormat):
		d.add("subject", ErrSubject, "Set the format of the NameID to persistent or e-mail address.", "The NameID is another one with every sign-in")
	case name.Format == string(saml.EmailAddressNameIDFormat):
		d.pass("subject", "NameID is an e-mail address")
	default:
		d.pass("subject", "NameID is there")
	}
	if r.EncryptedAssertion == nil {
		d.Checks = append(d.Checks, Check{Name: "encrypted", State: Warned, Text: "Assertion is not encrypted",
			Detail: "Optional. Turn it on in your identity provider to hide attributes from the browser and its logs."})
	} else {
		d.pass("encrypted", "Assertion is encrypted")
	}
	d.Answer = Answer{Issuer: a.Issuer.Value, Encrypted: r.EncryptedAssertion != nil, Unsolicited: request == "", Attributes: attributes(a)}
	if name != nil {
		d.Answer.Subject, d.Answer.Format = name.Value, name.Format
	}
}

func (c *Connection) diagnoseTimes(d *Diagnosis, a *saml.Assertion, confirmed, now time.Time) {
	apart := now.Sub(a.IssueInstant).Round(time.Second)
	end := confirmed
	if t := a.Conditions.NotOnOrAfter; !t.IsZero() && (end.IsZero() || t.Before(end)) {
		end = t
	}
	switch {
	case a.IssueInstant.After(now.Add(c.Skew)), a.Conditions.NotBefore.After(now.Add(c.Skew)):
		d.add("times", ErrEarly, fmt.Sprintf("It was made %s in the future by our clock; %s are allowed.", inWords(-apart), inWords(c.Skew)), "It is not valid yet")
	case apart > issueDelay+c.Skew:
		d.add("times", ErrExpired, fmt.Sprintf("It was made %s ago; it has to arrive within %s. For one that was pasted this is as it should be.", inWords(apart), inWords(issueDelay+c.Skew)), "It is too old")
	case !end.After(now.Add(-c.Skew)):
		d.add("times", ErrExpired, fmt.Sprintf("It ended %s ago.", inWords(now.Sub(end))), "It has run out")
	default:
		d.pass("times", fmt.Sprintf("Not expired, made %s ago", inWords(max(apart, 0))))
	}
}

// inWords is how long something lasts, as people say it.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d >= 3*unit.of || d >= 2*unit.of && d%unit.of < unit.of/60 {
			return fmt.Sprintf("%d %s", d.Round(unit.of)/unit.of, unit.name)
		}
	}
	if d = d.Round(time.Second); d == time.Second {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

func (c *Connection) diagnoseRequest(d *Diagnosis, request string, requests []string) {
	switch {
	case request == "" && c.AllowUnsolicited:
		d.pass("request", "Begun at the identity provider, which is turned on")
	case request == "":
		d.add("request", ErrUnsolicited, "", "It was begun at the identity provider, which is turned off")
	default:
		for _, one := range requests {
			if one == request {
				d.pass("request", "Answers the request of this browser")
				return
			}
		}
		d.add("request", ErrRequest, "It answers a request that was not made here, was answered, or has run out.", "It answers no request that waits")
	}
}

func orNothing(text string) string { return first(text, "(none)") }

func orNobody(list []string) string { return first(strings.Join(list, ", "), "nobody in particular") }
