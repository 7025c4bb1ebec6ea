package saml

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/crewjam/saml"
)

// maxRelay bounds what a provider has us give back.
const maxRelay = 2048

// away is where messages of log-out go, and how: by redirect where the provider
// takes that, else by POST. Answers have an address of their own at some.
//
// Errors: saml.no_logout.
func (c *Connection) away(answer bool) (binding, location string, err error) {
	if c.Provider.entity != nil {
		for _, binding := range []string{saml.HTTPRedirectBinding, saml.HTTPPostBinding} {
			for _, role := range c.Provider.entity.IDPSSODescriptors {
				for _, at := range role.SingleLogoutServices {
					if at.Binding == binding && at.Location != "" {
						if answer && at.ResponseLocation != "" {
							return binding, at.ResponseLocation, nil
						}
						return binding, at.Location, nil
					}
				}
			}
		}
	}
	return "", "", ErrNoLogout
}

// LogOutAt asks the provider to end the session that it opened.
//
// Errors: saml.no_logout.
func (c *Connection) LogOutAt(subject, format, sessionIndex string) (Message, error) {
	sp, err := c.serviceProvider()
	if err != nil {
		return Message{}, err
	}
	binding, location, err := c.away(false)
	if err != nil {
		return Message{}, err
	}
	options := []saml.LogoutRequestOption{func(r *saml.LogoutRequest) { r.NameID = &saml.NameID{Format: format, Value: subject} }}
	if sessionIndex != "" {
		options = append(options, saml.WithSessionIndex(sessionIndex))
	}
	question, err := sp.MakeLogoutRequest(location, subject, options...)
	if err != nil {
		return Message{}, fmt.Errorf("make log-out request: %w", err)
	}
	if binding == saml.HTTPPostBinding {
		return posted(question.ID, location, fieldRequest, question.Element(), "")
	}
	address, err := sp.RedirectLogoutRequestURL(question, "")
	if err != nil {
		return Message{}, fmt.Errorf("sign log-out request: %w", err)
	}
	return Message{ID: question.ID, URL: address.String()}, nil
}

// LogOutAsked is a provider's wish that sessions end.
type LogOutAsked struct {
	ID         string
	Issuer     string
	Subject    string
	Sessions   []string // indexes; none: all of the subject
	RelayState string   // given back with the answer
}

// IsLogOutAnswer tells whether a request brings an answer to a log-out request
// of ours; others bring a provider's wish.
func IsLogOutAnswer(r *http.Request) bool { return carried(r, fieldResponse) != "" }

// carried is a field of what the browser brought: by POST in the form and nowhere
// else, by HTTP-Redirect in the address.
func carried(r *http.Request, field string) string {
	if r.Method == http.MethodPost {
		return r.PostForm.Get(field)
	}
	return r.URL.Query().Get(field)
}

// ReadLogOut checks a request that the browser brought by HTTP-Redirect or
// HTTP-POST. Parsed is its form.
//
// Errors: those of Accept.
func (c *Connection) ReadLogOut(r *http.Request, consume Consume) (LogOutAsked, error) {
	raw, err := unpack(r, fieldRequest, "LogoutRequest")
	if err != nil {
		return LogOutAsked{}, err
	}
	sp, err := c.serviceProvider()
	if err != nil {
		return LogOutAsked{}, err
	}
	sp.ReplayCache = consume
	asked, err := sp.ValidateLogoutRequest(bare(r, fieldRequest, raw))
	if err != nil {
		return LogOutAsked{}, c.explain(postedOnly(r, raw), err)
	}
	if asked.NameID == nil || asked.NameID.Value == "" {
		return LogOutAsked{}, ErrSubject
	}
	found := LogOutAsked{ID: asked.ID, Issuer: asked.Issuer.Value, Subject: asked.NameID.Value, RelayState: carried(r, fieldRelay)}
	if len(found.RelayState) > maxRelay {
		return LogOutAsked{}, ErrMalformed.Wrap(fmt.Errorf("relay state has %d bytes", len(found.RelayState)))
	}
	for _, index := range asked.AllSessionIndexes() {
		found.Sessions = append(found.Sessions, index.Value)
	}
	return found, nil
}

// AnswerLogOut is what the browser carries to the provider to tell it that its
// wish was followed.
//
// Errors: saml.no_logout.
func (c *Connection) AnswerLogOut(asked LogOutAsked) (Message, error) {
	sp, err := c.serviceProvider()
	if err != nil {
		return Message{}, err
	}
	binding, location, err := c.away(true)
	if err != nil {
		return Message{}, err
	}
	if binding == saml.HTTPPostBinding {
		answer, err := sp.MakeLogoutResponse(location, asked.ID)
		if err != nil {
			return Message{}, fmt.Errorf("answer log-out: %w", err)
		}
		return posted("", location, fieldResponse, answer.Element(), asked.RelayState)
	}
	// The library answers at the first address of the metadata.
	sp.IDPMetadata = &saml.EntityDescriptor{EntityID: c.Provider.Issuer, IDPSSODescriptors: []saml.IDPSSODescriptor{{SSODescriptor: saml.SSODescriptor{
		SingleLogoutServices: []saml.Endpoint{{Binding: binding, Location: location}}}}}}
	address, err := sp.MakeRedirectLogoutResponse(asked.ID, asked.RelayState)
	if err != nil {
		return Message{}, fmt.Errorf("answer log-out: %w", err)
	}
	return Message{URL: address.String()}, nil
}

// PeekLogOut reads which request a log-out answer says it is to, before
// anything of it was checked: to find that request by.
//
// Errors: saml.malformed, saml.unsafe_xml.
func PeekLogOut(r *http.Request) (inResponseTo string, err error) {
	raw, err := unpack(r, fieldResponse, "LogoutResponse")
	if err != nil {
		return "", err
	}
	var answer saml.LogoutResponse
	if err := xml.Unmarshal(raw, &answer); err != nil || len(answer.InResponseTo) > 200 {
		return "", ErrMalformed.Wrap(err)
	}
	return answer.InResponseTo, nil
}

// ReadLogOutAnswer checks the answer to one of our log-out requests, named by
// waiting, that the browser brought.
//
// Errors: those of Accept.
func (c *Connection) ReadLogOutAnswer(r *http.Request, waiting string) error {
	raw, err := unpack(r, fieldResponse, "LogoutResponse")
	if err != nil {
		return err
	}
	sp, err := c.serviceProvider()
	if err != nil {
		return err
	}
	if _, err := sp.ParseLogoutResponse(bare(r, fieldResponse, raw), []string{waiting}); err != nil {
		return c.explain(postedOnly(r, raw), err)
	}
	return nil
}

// unpack takes a message of log-out out of what carries it.
//
// Errors: saml.malformed, saml.unsafe_xml.
func unpack(r *http.Request, field, kind string) ([]byte, error) {
	if r.Method == http.MethodPost {
		return decode(carried(r, field), kind)
	}
	packed, err := base64.StdEncoding.DecodeString(carried(r, field))
	if err != nil {
		return nil, ErrMalformed.Wrap(err)
	}
	// A few bytes can unpack to gigabytes.
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxMessage+1))
	if err != nil || len(raw) > maxMessage {
		return nil, ErrMalformed.Wrap(err)
	}
	return raw, checkMessage(raw, kind)
}

// bare is the message alone, as the library wants it: of a form no other field
// reaches it, such as a signature beside the message, and of its address nothing.
func bare(r *http.Request, field string, raw []byte) *http.Request {
	if r.Method != http.MethodPost {
		return &http.Request{Method: http.MethodGet, URL: r.URL}
	}
	form := url.Values{field: {base64.StdEncoding.EncodeToString(raw)}}
	return &http.Request{Method: http.MethodPost, URL: &url.URL{}, Form: form, PostForm: form}
}

// postedOnly is the text in which a signature would stand.
func postedOnly(r *http.Request, raw []byte) []byte {
	if r.Method != http.MethodPost {
		return nil // it stands in the address
	}
	return raw
}
