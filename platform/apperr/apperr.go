// Package apperr gives every failure a person may meet a class, a stable code
// and a sentence. The class decides the status, the sentence says what to do,
// the cause stays private and is logged once, at the edge.
package apperr

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// Class drives the HTTP status and the exit status of a failure.
type Class int

// The classes, from the most to the least expected.
const (
	Internal Class = iota
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	Conflict
	Gone
	TooLarge
	RateLimited
	Timeout
	Unavailable
)

// Status is the HTTP status of the class.
func (c Class) Status() int {
	switch c {
	case Invalid:
		return http.StatusUnprocessableEntity
	case Unauthenticated:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Gone:
		return http.StatusGone
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case RateLimited:
		return http.StatusTooManyRequests
	case Timeout:
		return http.StatusGatewayTimeout
	case Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Kind is a failure that was declared once, with Define.
type Kind struct {
	class    Class
	code     string
	sentence string
}

var (
	registryMu sync.Mutex
	registry   = map[string]*Kind{}
)

// Define declares a failure. Code is "<feature>.<noun>" and is never renamed
// once shipped; sentence is shown to people. It panics on a second use of a
// code, so it belongs into package variables.
func Define(class Class, code, sentence string) *Kind {
	registryMu.Lock()
	defer registryMu.Unlock()
	if _, taken := registry[code]; taken {
		panic("apperr: code defined twice: " + code)
	}
	k := &Kind{class: class, code: code, sentence: sentence}
	registry[code] = k
	return k
}

// Code is the stable name of the failure.
func (k *Kind) Code() string { return k.code }

// Class is the class of the failure.
func (k *Kind) Class() Class { return k.class }

// Sentence is the text shown where no better one was given.
func (k *Kind) Sentence() string { return k.sentence }

// Error makes a Kind usable as a plain error and as a target of errors.Is.
func (k *Kind) Error() string { return k.code + ": " + k.sentence }

// Wrap attaches a private cause.
func (k *Kind) Wrap(cause error) *Error { return &Error{kind: k, sentence: k.sentence, cause: cause} }

// With replaces the sentence by a more telling one. The arguments are shown to
// the person: never pass a secret or another tenant's value.
func (k *Kind) With(format string, args ...any) *Error {
	return &Error{kind: k, sentence: fmt.Sprintf(format, args...)}
}

// WithFields says which form fields are wrong: field name to sentence.
func (k *Kind) WithFields(fields map[string]string) *Error {
	return &Error{kind: k, sentence: k.sentence, fields: fields}
}

// Error is one occurrence of a Kind.
type Error struct {
	kind     *Kind
	sentence string
	fields   map[string]string
	cause    error
}

// Wrap attaches a private cause.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs: it includes the private cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.kind.code + ": " + e.sentence + ": " + e.cause.Error()
	}
	return e.kind.code + ": " + e.sentence
}

// Unwrap gives the kind and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.kind, e.cause}
	}
	return []error{e.kind}
}

// Cause is what lies behind the sentences of a failure, or the whole text of an
// error without one: for logs, and for whoever runs the machine.
func Cause(err error) string {
	var known *Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &known):
		return err.Error()
	case known.cause == nil:
		return ""
	}
	return Cause(known.cause)
}

// Public is what a person may see of a failure.
type Public struct {
	Class    Class             `json:"-"`
	Code     string            `json:"code"`
	Sentence string            `json:"message"`
	Fields   map[string]string `json:"fields,omitempty"`
}

var errInternal = Define(Internal, "internal.error", "Something went wrong. The problem was recorded.")

// Describe says what a person may see of err. An error without a Kind is
// internal: its text stays private.
func Describe(err error) Public {
	var e *Error
	if errors.As(err, &e) {
		return Public{Class: e.kind.class, Code: e.kind.code, Sentence: e.sentence, Fields: e.fields}
	}
	var k *Kind
	if errors.As(err, &k) {
		return Public{Class: k.class, Code: k.code, Sentence: k.sentence}
	}
	return Public{Class: Internal, Code: errInternal.code, Sentence: errInternal.sentence}
}

// Passes tells a failure that another attempt may mend.
func Passes(err error) bool {
	switch Describe(err).Class {
	case Internal, Timeout, Unavailable, RateLimited:
		return true
	}
	return false
}

// Restore rebuilds an error that crossed a process boundary as code and
// sentence. An unknown code becomes internal.
func Restore(code, sentence string) error {
	registryMu.Lock()
	k, known := registry[code]
	registryMu.Unlock()
	if !known {
		return fmt.Errorf("unknown error code %q: %s", code, sentence)
	}
	return &Error{kind: k, sentence: sentence}
}

// Fields gives the form fields that are wrong, and whether err is of that sort.
func Fields(err error) (map[string]string, bool) {
	var e *Error
	if errors.As(err, &e) && len(e.fields) > 0 {
		return e.fields, true
	}
	return nil, false
}
