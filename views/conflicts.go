package views

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views/messages"
)

// ConflictTexts say, widget by widget, what others changed since and what taking
// the change back would do. undo is false where something is done again.
func ConflictTexts(ctx context.Context, conflicts []dashboards.Conflict, undo bool) []string {
	act := messages.T(ctx, "editor.undo")
	if !undo {
		act = messages.T(ctx, "editor.redo")
	}
	var texts []string
	for len(conflicts) > 0 {
		n := 1
		for n < len(conflicts) && sameObject(conflicts[0], conflicts[n]) {
			n++
		}
		texts = append(texts, conflictText(ctx, conflicts[:n], act))
		conflicts = conflicts[n:]
	}
	return texts
}

// sameObject tells whether one person changed both properties of one widget, and it
// is still there.
func sameObject(a, b dashboards.Conflict) bool {
	partA, idA, _, _ := a.About()
	partB, idB, _, _ := b.About()
	return a.User == b.User && a.Program == b.Program && partA == partB && idA == idB && idA != "" && a.Gone == b.Gone
}

func conflictText(ctx context.Context, of []dashboards.Conflict, act string) string {
	c := of[0]
	part, id, aspect, whole := c.About()
	say := func(did, would string, args ...any) string {
		args = append(args, "Name", whoText(ctx, c.User, c.Program), "Act", act, "Object", objectText(ctx, part, c.Object))
		return messages.T(ctx, "conflict."+did, args...) + " " + messages.T(ctx, "conflict."+would, args...)
	}
	if c.Gone {
		return say("removed", "would_skip")
	}
	if len(of) > 1 {
		var differences []dashboards.Difference
		for _, one := range of {
			if _, _, aspect, whole := one.About(); !slices.ContainsFunc(differences, func(d dashboards.Difference) bool { return d.Aspect == aspect }) {
				d := dashboards.Difference{Aspect: aspect}
				if whole {
					d.From, d.To = one.Left, one.Now
				}
				differences = append(differences, d)
			}
		}
		did, args := didText(ctx, differences)
		return say(did, "would_return", args...)
	}
	if id != "" && aspect == "" {
		would := "would_return"
		if len(c.Mine) == 0 {
			would = "would_remove"
		}
		switch {
		case len(c.Now) == 0:
			return say("removed", would)
		case len(c.Left) == 0:
			return say("put_back", would)
		}
		did, args := didText(ctx, c.Differences())
		return say(did, would, args...)
	}
	if part == "name" {
		aspect, whole = "title", true
	} else if id == "" && aspect == "" {
		aspect = part // "hierarchies", "dataset"
	}
	was, now, mine := valueText(ctx, aspect, c.Left), valueText(ctx, aspect, c.Now), valueText(ctx, aspect, c.Mine)
	if !whole {
		was, now, mine = "", "", ""
	}
	args := []any{"Aspect", aspectName(ctx, aspect), "Was", was, "Now", now, "Mine", mine}
	renames := aspect == "title" || aspect == "label"
	did := "changed"
	switch {
	case part == "name" && now != "":
		did = "renamed_board"
	case renames && now != "":
		did = "renamed"
	case now != "" && was != "":
		did = "changed_from"
	case now != "":
		did = "changed_to"
	}
	would := "would_return"
	switch {
	case renames && mine != "":
		would = "would_name"
	case mine != "":
		would = "would_set"
	case whole && emptyValue(c.Mine):
		would = "would_empty"
	}
	return say(did, would, args...)
}

// didText is what somebody did to a widget as a whole.
func didText(ctx context.Context, differences []dashboards.Difference) (key string, args []any) {
	title := ""
	for _, d := range differences {
		if d.Aspect == "title" || d.Aspect == "label" {
			title = valueText(ctx, d.Aspect, d.To)
		}
	}
	var names []string
	for _, d := range differences {
		if title == "" || d.Aspect != "title" && d.Aspect != "label" {
			names = append(names, aspectName(ctx, d.Aspect))
		}
	}
	list := ""
	switch n := len(names); {
	case n == 0:
		list = aspectName(ctx, "rest")
	case n == 1:
		list = names[0]
	case n == 2:
		list = messages.T(ctx, "conflict.two", "First", names[0], "Second", names[1])
	default:
		list = messages.T(ctx, "conflict.more", "First", names[0], "Second", names[1], "Count", n-2)
	}
	args = []any{"Now", title, "Aspect", list}
	switch {
	case title != "" && len(names) == 0:
		return "renamed", args
	case title != "":
		return "renamed_changed", args
	}
	return "changed", args
}

// OverwrittenText says what of somebody else's a change took the place of.
func OverwrittenText(ctx context.Context, o dashboards.Overwritten) string {
	part, id, aspect, whole := o.About()
	switch {
	case part == "name":
		aspect, whole = "title", true
	case id == "" && aspect == "":
		aspect = part
	}
	value := ""
	if whole {
		value = valueText(ctx, aspect, o.Value)
	}
	key := "conflict.overwrote"
	switch {
	case id != "" && aspect == "":
		key = "conflict.overwrote_object"
	case value != "" && (aspect == "title" || aspect == "label"):
		key = "conflict.overwrote_name"
	case value != "":
		key = "conflict.overwrote_value"
	}
	return messages.T(ctx, key, "Name", whoText(ctx, o.User, o.Program), "Object", objectText(ctx, part, o.Object), "Aspect", aspectName(ctx, aspect), "Value", value)
}

func whoText(ctx context.Context, name string, program bool) string {
	switch {
	case program:
		return messages.T(ctx, "word.program")
	case name == "":
		return messages.T(ctx, "conflict.somebody")
	}
	return name
}

// objectText is what was changed: “Sales”, the filter “Region”, the dashboard.
func objectText(ctx context.Context, part, name string) string {
	switch part {
	case "widgets":
		if name == "" {
			return messages.T(ctx, "conflict.object_untitled")
		}
		return messages.T(ctx, "aspect.quoted", "Text", name)
	case "filters", "tabs", "fields", "hierarchies":
		return messages.T(ctx, "conflict.object_"+part, "Name", name)
	}
	return messages.T(ctx, "conflict.object_board")
}

func emptyValue(raw json.RawMessage) bool {
	text := string(raw)
	return text == "" || text == "null" || text == `""` || text == "[]" || text == "{}"
}
