package views

import "testing"

// An address breaks at its joints alone, and is text.
func TestAddressesBreakAtTheirJoints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"127.0.0.1:9648":         "127.<wbr>0.<wbr>0.<wbr>1:<wbr>9648",
		"events.pagerduty.com":   "events.<wbr>pagerduty.<wbr>com",
		"s3://reports/<b>&daily": "s3://<wbr>reports/<wbr>&lt;b&gt;&amp;daily",
		"plain":                  "plain",
	} {
		if got := breakable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
