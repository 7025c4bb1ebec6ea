package handlers

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/audit"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/locale"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// sights are what limits each of some people or keys, in words.
func (c *core) sights(r *http.Request, whose []access.Actor) ([]views.Sight, error) {
	found, err := c.Datasets.ListSights(r.Context(), actor(r), whose)
	if err != nil {
		return nil, err
	}
	list := make([]views.Sight, len(found))
	for n, limits := range found {
		for _, one := range limits {
			list[n].Rules = append(list[n].Rules, sightRule(r, one))
		}
	}
	return list, nil
}

// sightSigns are comparisons that are written as signs.
var sightSigns = map[string]string{"in": "=", "not_in": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}

func sightRule(r *http.Request, one datasets.Sight) views.SightRule {
	rule := views.SightRule{Dataset: one.Dataset}
	switch {
	case one.Lacks != "":
		rule.Nothing, rule.Text = true, messages.T(r.Context(), "sight.lacks", "Attribute", one.Lacks)
	case one.Kind == datasets.RuleGroups:
		rule.Text = messages.T(r.Context(), "sight.groups", "Count", one.MinRows)
	case one.Kind == datasets.RuleColumn:
		rule.Text = messages.T(r.Context(), "sight.mask_"+string(one.Mask), "Column", one.Column)
	case sightSigns[one.Op] != "":
		rule.Text = one.Column + " " + sightSigns[one.Op] + " " + strings.Join(one.Values, ", ")
	default:
		rule.Text = strings.TrimSpace(one.Column + " " + messages.T(r.Context(), "rules.op_"+one.Op) + " " + strings.Join(one.Values, ", "))
	}
	return rule
}

// memberSights are those of members whom the actor may look at, by their id.
func (h settings) memberSights(r *http.Request, members []tenants.Member) (map[ids.User]views.Sight, error) {
	a := actor(r)
	shown := make([]ids.User, 0, len(members))
	for _, m := range members {
		if a.Covers(m.Role, m.Custom) {
			shown = append(shown, m.UserID)
		}
	}
	found, err := h.Tenants.ListMemberActors(r.Context(), a, shown)
	if err != nil {
		return nil, err
	}
	whose := make([]access.Actor, 0, len(found))
	for _, id := range shown {
		if one, there := found[id]; there {
			whose = append(whose, one)
		}
	}
	list, err := h.sights(r, whose)
	if err != nil {
		return nil, err
	}
	all := map[ids.User]views.Sight{}
	for n, one := range whose {
		all[one.UserID] = list[n]
	}
	return all, nil
}

// exportMembers answers the list with its filter as CSV, all pages of it.
func (h settings) exportMembers(w http.ResponseWriter, r *http.Request) error {
	i, q := identity(r), memberQuery(r)
	q.PageSize = 500
	var rows [][]string
	for q.Page = 1; ; q.Page++ {
		list, err := h.Tenants.ListMembers(r.Context(), i.Actor, q)
		if err != nil {
			return err
		}
		shown := make([]ids.User, len(list.Members))
		for n, m := range list.Members {
			shown[n] = m.UserID
		}
		ways, err := h.Auth.ListSignInWays(r.Context(), i.Actor, shown)
		if err != nil {
			return err
		}
		sights, err := h.memberSights(r, list.Members)
		if err != nil {
			return err
		}
		l, now := locale.For(i.Locale), time.Now().In(i.Actor.Location())
		for _, m := range list.Members {
			row := memberRow(r, i, m, nil, l, now)
			row.SSO, row.Factor = ways[m.UserID].SSO, ways[m.UserID].SecondFactor
			sees := ""
			if sight, there := sights[m.UserID]; there {
				sees = sight.Line(r.Context())
			}
			rows = append(rows, []string{m.Name, m.Email, row.RoleLabel, sees, views.SignInWay(r.Context(), row), stamp(m.InvitedAt), stamp(m.SeenAt)})
		}
		if len(list.Members) < q.PageSize {
			break
		}
	}
	if h.Audit != nil {
		h.Audit.Note(r.Context(), i.Actor, audit.Entry{Action: "members.exported", Target: "workspace", ID: i.Actor.TenantID.String(), Detail: map[string]any{"people": strconv.Itoa(len(rows))}})
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", "attachment; filename=members-"+time.Now().UTC().Format("20060102-150405")+".csv")
	out := csv.NewWriter(w)
	_ = out.Write([]string{"name", "email", "role", "data", "sign_in", "invited", "last_active"}) // somebody who went away gets nothing
	for _, row := range rows {
		for n, cell := range row {
			row[n] = plainCell(cell)
		}
		_ = out.Write(row)
	}
	out.Flush()
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// plainCell keeps a spreadsheet from taking what somebody calls themselves for a
// formula.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
