package views

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/dataflowhq/dataflow/domain/dashboards"
	"github.com/dataflowhq/dataflow/views/messages"
)

// EditorProps is what the editor shows around its tiles.
type EditorProps struct {
	Dashboard DashboardProps // the view is one of the draft
	// Doc is the JSON of #editor-doc: rev, doc, undo, redo, saved_at.
	Doc      json.RawMessage
	UserID   string
	Datasets []EditorDataset // that widgets can ask, by name
	Fields   EditorFieldsProps
	// Inspector shows the settings, or the widget of ?widget=.
	Inspector InspectorProps
	Undo      *dashboards.Deed // what can be taken back; nil for nothing
	Redo      *dashboards.Deed
	SavedAt   time.Time // of the last change, in the person's zone
	Versions  int       // that are kept
	// PreviewHref shows the draft as viewers will see it; "" leaves the button out.
	PreviewHref string
	SignInHref  string // for somebody whose session ends while editing
}

func (p EditorProps) path() string { return PathDashboard(p.Dashboard.id()) }

// publishedAt, in milliseconds, and pending tell the script whether there is
// something to publish.
func (p EditorProps) publishedAt() string {
	at := p.Dashboard.View.Dashboard.PublishedAt
	if at.IsZero() {
		return "0"
	}
	return itoa64(at.UnixMilli())
}

func (p EditorProps) pending() bool {
	return p.Dashboard.View.Dashboard.Pending || p.Dashboard.View.Dashboard.Unpublished
}

func (p EditorProps) crumbs(ctx context.Context) []Crumb {
	return append(p.Dashboard.crumbs(ctx), Crumb{Label: messages.T(ctx, "editor.editing")})
}

func (p EditorProps) page(ctx context.Context) PageProps {
	return PageProps{
		Title:   p.Dashboard.View.Dashboard.Name,
		Crumbs:  p.crumbs(ctx),
		Active:  NavDashboards,
		Rail:    true,
		Editor:  true,
		Bare:    true,
		Heading: editorHeading(p),
		Status:  editorStatus(p),
		Header:  editorActions(p),
		Keys:    editorShortcuts,
		Scripts: []string{"charts.js", "editor.js"},
		Styles:  []string{"editor.css"},
	}
}

var editorShortcuts = []shortcut{
	{"shortcuts.parts", []string{"F6"}, false},
	{"shortcuts.pick", []string{"Enter"}, false},
	{"shortcuts.move", []string{"←", "→", "↑", "↓"}, false},
	{"shortcuts.resize", []string{"Shift", "←", "→", "↑", "↓"}, false},
	{"shortcuts.select", []string{"Space"}, false},
	{"shortcuts.undo", []string{"Ctrl", "Z"}, false},
	{"shortcuts.redo", []string{"Ctrl", "Shift", "Z"}, false},
	{"shortcuts.duplicate", []string{"Ctrl", "D"}, false},
	{"shortcuts.remove", []string{"Delete"}, false},
	{"shortcuts.version", []string{"Ctrl", "S"}, false},
	{"shortcuts.preview", []string{"E"}, false},
}

// EditorItemOpen and EditorItemClose stand around a tile on the canvas.
func EditorItemOpen(p *dashboards.Plan) string {
	w := &p.Widget
	l, smallest := w.Layout, w.Type.SmallestSize()
	locked := ""
	if w.Locked {
		locked = " gs-locked"
	}
	return fmt.Sprintf(`<div class="grid-stack-item" gs-id="%s" gs-x="%d" gs-y="%d" gs-w="%d" gs-h="%d" gs-min-w="%d" gs-min-h="%d"%s data-type="%s" style="--x:%d;--y:%d;--w:%d;--h:%d"><div class="grid-stack-item-content">`,
		templ.EscapeString(p.ID), l.X, l.Y, l.W, l.H, smallest.W, smallest.H, locked, templ.EscapeString(string(w.Type)), l.X, l.Y, l.W, l.H)
}

// EditorItemClose ends EditorItemOpen.
const EditorItemClose = `</div></div>`

// editorWords are the texts of the editor's script, by their keys in messages.
var editorWords = []string{
	"saving", "saved", "retrying", "offline", "offline_one", "offline_none", "signed_out", "signed_out_one", "unsaved_ended",
	"refused", "gone", "changed_after", "changed_after_value", "written_over", "written_over_value", "changed_after_many", "placed_after", "placed_after_many", "use_mine", "use_mine_gone", "deleted_by", "deleted_by_many", "put_back_by", "comes_back", "drawn_later", "unkept_texts", "unkept_more", "unkept_more_one", "unkept_only", "unkept_only_one", "unkept_copied", "somebody", "program", "the_dashboard", "the_filter",
	"place", "arranged", "arranged_one", "arranged_none", "no_room_top", "no_room_across", "no_room_down", "picked", "dropped", "put_back", "blocked", "locked",
	"selected", "selected_one", "several", "added", "removed", "removed_many", "undo", "undone", "undone_nothing", "left", "redone", "redone_nothing", "undo_failed", "taken_back",
	"copied", "copied_one", "paste_invalid", "paste_large", "paste_many", "clipboard_denied",
	"picture", "picture_none", "picture_large", "picture_unfit", "picture_full", "picture_stopped", "picture_set", "picture_replaced",
	"conflict_text", "conflict_text_redo", "conflict_go", "conflict_go_redo", "widget_menu", "untitled", "new_widget", "size", "choose_field", "no_fields", "inspector_missing", "rename", "lock", "unlock", "working_on", "editing",
	"version_saved", "published", "published_now", "published_same", "publish_pending", "publish_first", "publish_waits", "not_json", "chosen", "chosen_one",
	"deed_add", "deed_remove", "deed_move", "deed_rename", "deed_edit",
	"deed_add_many", "deed_remove_many", "deed_move_many", "deed_rename_many", "deed_edit_many",
}

func wordsJSON(ctx context.Context) string {
	words := make(map[string]string, len(editorWords)+len(tabWords))
	for _, key := range slices.Concat(editorWords, tabWords) {
		words[key] = messages.T(ctx, "word."+key)
	}
	text, _ := json.Marshal(words) // texts always encode
	return string(text)
}

// deedText is the tooltip of a button: "Undo moving Sales by channel".
func deedText(ctx context.Context, key string, d *dashboards.Deed) string {
	if d == nil {
		return messages.T(ctx, key)
	}
	verb := d.Verb
	if d.Count > 1 {
		verb += "_many"
	}
	word := messages.T(ctx, "word.deed_"+verb)
	return messages.T(ctx, key) + ": " + strings.NewReplacer("{object}", d.Object, "{count}", strconv.Itoa(d.Count)).Replace(word)
}

// PathDashboardVersions lists the versions of a dashboard.
func PathDashboardVersions(id string) string { return PathDashboard(id) + "/versions" }

func pathPublish(id string) string { return PathDashboard(id) + "/publish" } // POST

func boolText(on bool) string { return strconv.FormatBool(on) }

func tabIndex(on bool) string {
	if on {
		return "0"
	}
	return "-1"
}

func savedText(ctx context.Context, p EditorProps) string {
	if p.SavedAt.IsZero() {
		return messages.T(ctx, "editor.saved")
	}
	return strings.ReplaceAll(messages.T(ctx, "word.saved"), "{time}", p.SavedAt.Format(time.TimeOnly))
}

func withTool(name string, more templ.Attributes) templ.Attributes {
	attrs := templ.Attributes{"data-tool": name}
	for k, v := range more {
		attrs[k] = v
	}
	return attrs
}
