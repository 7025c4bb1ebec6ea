package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/reports"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// What only the edge can find out.
var (
	errNoPage = apperr.Define(apperr.NotFound, "http.not_found",
		"There is nothing at this address, or it was removed.")
	errMethod = apperr.Define(apperr.NotFound, "http.method",
		"This address can't be used in this way.")
	errCrossOrigin = apperr.Define(apperr.Forbidden, "http.cross_origin",
		"This request came from another site and was refused.")
	errTooLarge = apperr.Define(apperr.TooLarge, "http.too_large",
		"What was sent is too large.")
	errForm = apperr.Define(apperr.Invalid, "http.form",
		"What was sent can't be read. Reload the page and try again.")
	errPanic = apperr.Define(apperr.Internal, "internal.panic",
		"Something went wrong. The problem was recorded.")
	errNoMail = apperr.Define(apperr.Unavailable, "signin.no_mail",
		"This installation sends no mail. Whoever runs it can make a link to a new password with “dataflow user reset-link”.")
	errEnrol = apperr.Define(apperr.Forbidden, "signin.enrol",
		"Your role in this workspace needs two-factor sign-in. Set it up in your account first.")
	errSignInNeeded = apperr.Define(apperr.Unauthenticated, "signin.required",
		"Your session has ended. Sign in to go on.")
)

// statusGone is nginx's number for a client that went away; it is only logged.
const statusGone = 499

// retryAfter is implemented by a failure that passes by itself.
type retryAfter interface{ RetryAfterSeconds() int }

// wayOn is a failure after which something else helps: a page to go to.
type wayOn struct {
	error
	label, href string // label is the key of a text
}

func (w wayOn) Unwrap() error { return w.error }

// fail turns an error into an answer: a page, a notice for htmx, or JSON. The
// cause is logged here and nowhere else, and never shown.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		// Nobody waits for the answer any more.
		scopeOf(r).status = statusGone
		return
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errTooLarge.Wrap(err)
	}
	public := apperr.Describe(err)
	status := public.Class.Status()
	logFailure(r, err, public, status)
	noteRefusal(r, public)
	if public.Class == apperr.Unauthenticated && scopeOf(r).identity == nil && !isEmbedded(r) && !strings.HasPrefix(r.URL.Path, views.PathAPI+"/") {
		askToSignIn(w, r)
		return
	}
	setRetryAfter(w, err)
	var way wayOn
	_ = errors.As(err, &way) // most lead nowhere
	writeFailure(w, r, status, public, way)
}

// noteRefusal puts what a signed-in person may not do, or may not know of, into
// the audit log. An address that no route has is nothing that anybody guards.
func noteRefusal(r *http.Request, public apperr.Public) {
	i := scopeOf(r).identity
	if i == nil || scopeOf(r).core.Audit == nil || public.Class != apperr.Forbidden && public.Class != apperr.NotFound ||
		public.Code == errNoPage.Code() || public.Code == errMethod.Code() {
		return
	}
	action := "access.denied"
	if public.Class == apperr.NotFound {
		action = "access.not_found" // or hidden: the answer is the same
	}
	scopeOf(r).core.Audit.Note(r.Context(), i.Actor, audit.Entry{Action: action, Target: "address", ID: loggedPath(r), Denied: true,
		Detail: map[string]any{"method": r.Method, "code": public.Code}})
}

// isEmbedded tells whether a request is about a page in another site, which has
// no sign-in to lead to.
func isEmbedded(r *http.Request) bool {
	p := scopeOf(r).portal
	return p != nil && p.embedded != nil
}

func setRetryAfter(w http.ResponseWriter, err error) {
	var wait retryAfter
	if errors.As(err, &wait) {
		w.Header().Set("Retry-After", strconv.Itoa(wait.RetryAfterSeconds()))
	}
}

func logFailure(r *http.Request, err error, public apperr.Public, status int) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	slog.LogAttrs(r.Context(), level, "request failed", slog.String("code", public.Code), slog.Int("status", status), slog.String("error", err.Error()))
}

// writeFailure shows what a person may see of a failure.
func writeFailure(w http.ResponseWriter, r *http.Request, status int, public apperr.Public, way wayOn) {
	header := w.Header()
	header.Del("Content-Encoding")
	header.Del("Content-Length")
	header.Del("Content-Disposition")
	header.Del("ETag")
	header.Set("Cache-Control", "no-store")
	props := views.ErrorProps{
		Status: status, Title: messages.T(r.Context(), errorTitle(public)), Text: public.Sentence,
		Code: public.Code, RequestID: scopeOf(r).requestID, SignedIn: scopeOf(r).identity != nil,
	}
	if query := r.URL.Query(); public.Class == apperr.Gone && r.Method == http.MethodGet && query.Has("at") {
		query.Del("at") // the moment that is gone: the page of now is offered
		props.RetryHref = (&url.URL{Path: r.URL.Path, RawQuery: query.Encode()}).String()
	}
	if way.href != "" {
		props.WayHref, props.WayLabel = way.href, messages.T(r.Context(), way.label)
	}
	var err error
	switch {
	case wantsJSON(r):
		err = renderJSON(w, status, map[string]any{"error": public, "request_id": props.RequestID})
	case isPartial(r):
		// The fragment that was asked for keeps its place: the notice goes to
		// the toasts.
		header.Set("HX-Retarget", "#toasts")
		header.Set("HX-Reswap", "beforeend")
		header.Set("HX-Push-Url", "false")
		if sessionEnded(public) && !props.SignedIn {
			// What asks again and again says it once.
			header.Set("HX-Reswap", "innerMorph")
			props.SignInHref = pathOn(r)
		}
		err = render(w, r, status, views.ErrorNotice(props))
	default:
		err = writeErrorPage(w, r, status, props)
	}
	if err != nil {
		slog.ErrorContext(r.Context(), "show failure", "error", err)
		http.Error(w, public.Sentence+" "+public.Code, status)
	}
}

func writeErrorPage(w http.ResponseWriter, r *http.Request, status int, props views.ErrorProps) error {
	if props.SignedIn {
		if s, err := shell(w, r); err == nil {
			return render(w, r, status, views.ErrorPage(s, props))
		}
	}
	return render(w, r, status, views.BareErrorPage(bareShell(w, r), props))
}

// sessionEnded tells of failures that a sign-in mends. Frames of other sites
// have none.
func sessionEnded(public apperr.Public) bool {
	return public.Code == errSignInNeeded.Code() || public.Code == auth.ErrNoSession.Code()
}

func errorTitle(public apperr.Public) string {
	if sessionEnded(public) {
		return "error.signed_out"
	}
	switch public.Class {
	case apperr.NotFound:
		return "error.not_found"
	case apperr.Forbidden:
		return "error.forbidden"
	case apperr.Conflict:
		if public.Code == reports.ErrSchedulePaused.Code() {
			return "error.schedule_paused"
		}
		return "error.conflict"
	case apperr.Gone:
		return goneTitle(public.Code)
	case apperr.Invalid, apperr.TooLarge:
		return "error.invalid"
	case apperr.RateLimited:
		return "error.rate_limited"
	case apperr.Timeout:
		return "error.timeout"
	case apperr.Unavailable:
		return "error.unavailable"
	}
	return "error.internal"
}

// goneTitle says what it is that is gone.
func goneTitle(code string) string {
	switch code {
	case reports.ErrExpired.Code():
		return "error.file_gone"
	case auth.ErrLinkUsed.Code():
		return "error.link_used"
	}
	return "error.gone"
}
