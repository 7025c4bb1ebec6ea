package views

import (
	"context"
	"net/url"

	"github.com/dataflowhq/dataflow/views/messages"
	"github.com/dataflowhq/dataflow/views/ui"
)

// authStyles are what pages before the sign-in load besides the usual.
var authStyles = []string{"auth.css"}

func newPassword(ctx context.Context, label string, minLength int, problems map[string]string, focus bool) ui.InputProps {
	return ui.InputProps{
		ID: "password", Label: messages.T(ctx, label), Autocomplete: "new-password", Required: true, Autofocus: focus,
		Hint: messages.T(ctx, "reset.hint", "Count", minLength), Error: problems["password"],
	}
}

// WithNext adds where to go on to.
func WithNext(path, next string) string {
	if next == "" || next == PathHome {
		return path
	}
	return path + "?next=" + url.QueryEscape(next)
}

type cell struct {
	x, y    int
	opacity string
}

// brandCells are 15 by 23 squares of the sign-in panel's pattern. Rows of
// digits from 0 (faint) to 4; the bright ones draw a week's traffic.
var brandCells = func() []cell {
	rows := [...]string{
		"000000000214210", "000000000121221", "000000000001231", "000000000000243", "000000000000142",
		"000000000011222", "000000000000123", "000000000000232", "000000000011322", "000000000200131",
		"000000000000310", "000000001140100", "000000012113000", "000000001212000", "000000014011000",
		"000001241000000", "000000113000000", "000000012100000", "000000001320000", "000000000212200",
		"000000000103210", "000000000032100", "000000000021220",
	}
	opacity := [...]string{".035", ".06", ".1", ".15", ".2"}
	var cells []cell
	for y, row := range rows {
		for x, level := range row {
			cells = append(cells, cell{x: x*40 + 3, y: y*40 - 2, opacity: opacity[level-'0']})
		}
	}
	return cells
}()
