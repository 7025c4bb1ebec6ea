package views

import (
	"context"

	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

func homeTitle(ctx context.Context, p HomeProps) string {
	if p.Active == NavHome {
		return messages.T(ctx, "home.title")
	}
	return messages.T(ctx, "home.dashboards")
}

// cardsTitle heads the cards.
func cardsTitle(ctx context.Context, p HomeProps) string {
	switch {
	case p.Heading != "":
		return p.Heading
	case p.Filtered:
		return messages.T(ctx, "home.results")
	case p.Active == NavHome && !p.Unopened:
		return messages.T(ctx, "home.recent")
	}
	return messages.T(ctx, "home.all")
}

// picked is the label of the chosen option, or what stands for none.
func picked(options []ui.Option, none string) string {
	for _, o := range options {
		if o.Selected {
			return orElse(o.Label, o.Value)
		}
	}
	return none
}

// folderHue goes round the first five series colours.
func folderHue(i int) int { return [...]int{1, 3, 2, 4, 5}[i%5] }
