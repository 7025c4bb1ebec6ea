package saml

import (
	"errors"
	"strings"
	"testing"
)

func TestOnlyPlainXMLIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"<a><b/></a>":                     nil,
		`<?xml version="1.0"?><a/>`:       nil,
		"":                                ErrMalformed,
		"<a>":                             ErrMalformed,
		"<a/><b/>":                        ErrMalformed,
		"<!DOCTYPE a><a/>":                ErrUnsafe,
		"<a><!-- x --></a>":               ErrUnsafe,
		"<a><?php x ?></a>":               ErrUnsafe,
		strings.Repeat("<a>", maxDepth+1): ErrUnsafe,
	} {
		if _, err := checkXML([]byte(text), false); want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%.40q: got %v, want %v", text, err, want)
		}
	}
	if _, err := checkXML([]byte("<a><!-- x --></a>"), true); err != nil {
		t.Errorf("a comment in metadata: got %v", err)
	}
}
