package views

import (
	"context"
	"html"
	"regexp"

	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/views/ui"
)

// Paths of channels.
const (
	PathChannels   = "/channels"
	PathNewChannel = PathChannels + "/new"
)

// pathChannelAct is POST: test, delete.
func pathChannelAct(id, act string) string { return PathChannels + "/" + id + "/" + act }

// ChannelsProps lists the ways out besides mail.
type ChannelsProps struct {
	List []delivery.Channel
	// Key is the signing key of a webhook that was just added, KeyName its name.
	Key, KeyName string
	Error, Code  string // why a test was not taken
}

var addressJoint = regexp.MustCompile(`[./:@]+`)

// breakable is an address as HTML, which breaks after its dots, slashes and colons.
func breakable(text string) string {
	return addressJoint.ReplaceAllString(html.EscapeString(text), "$0<wbr>")
}

// ChannelFormProps asks for one. What is secret is not shown again.
type ChannelFormProps struct {
	Kind   delivery.ChannelKind
	Name   string
	Target delivery.Target
	Errors map[string]string
}

func (p ChannelFormProps) kinds(ctx context.Context) []ui.Option {
	var values []string
	for _, k := range delivery.ChannelKinds {
		values = append(values, string(k))
	}
	return choices(ctx, "channels.kind_", string(p.Kind), values...)
}
