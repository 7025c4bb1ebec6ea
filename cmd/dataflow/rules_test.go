package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/embed"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/tenants"
)

type shownWidgets struct {
	Dashboard          string
	Attributes, Locked map[string][]string
	Widgets            []struct {
		Widget, Title, Dataset, SQL, Problem string
		Rules                                []heldRule
	}
}

// The predicate that holds for somebody is said for each widget, of a member and of
// whoever has a token, and it is the one that the statement has.
func TestRulesOfWidgetsInTheShell(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	var loaded importAnswer
	s.ok(&loaded, "", "import", s.file("sales.csv", "day,region,amount\n2026-01-01,North,1\n2026-01-02,South,2\n"), "--dataset", "sales")
	var made madeUser
	s.ok(&made, "correct horse battery\n", "user", "create", "owner@example.com", "--role", "owner", "--password-stdin")
	s.ok(&made, "correct horse battery\n", "user", "create", "mara@example.com", "--role", "viewer", "--password-stdin")
	file := s.file("board.yaml", `dashboard: Trading
version: 1
dataset: sales
widgets:
  total:
    type: kpi
    title: All sales
    layout: {x: 0, y: 0, w: 3, h: 3}
    query:
      measures: [{fn: sum, column: amount, as: amount}]
  note:
    type: text
    title: A note
    layout: {x: 3, y: 0, w: 3, h: 3}
    text: Hello
`)
	if status, _, errs := s.run("", "dashboards", "apply", file); status != 0 {
		t.Fatalf("apply: %d %s", status, errs)
	}
	var token string
	e := &env{environ: s.environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	err := withData(t.Context(), e, "", func(ctx context.Context, sv *services, console access.Actor) error {
		owner, err := sv.tenants.GetActorByEmail(ctx, console, "owner@example.com")
		if err != nil {
			return err
		}
		mara, err := sv.tenants.GetActorByEmail(ctx, console, "mara@example.com")
		if err != nil {
			return err
		}
		if err := sv.tenants.SetMemberAttributes(ctx, owner, mara.UserID, tenants.Attributes{"region": {"North"}}); err != nil {
			return err
		}
		id, err := sv.datasets.Resolve(ctx, owner, "sales")
		if err != nil {
			return err
		}
		columns, err := sv.datasets.RuleColumns(ctx, owner, id)
		if err != nil {
			return err
		}
		for _, c := range columns {
			if c.Name != "region" {
				continue
			}
			if _, err := sv.datasets.SaveRule(ctx, owner, id, datasets.Rule{Kind: datasets.RuleRows, Name: "Own region", Everybody: true,
				RuleBody: datasets.RuleBody{Predicates: []datasets.Predicate{{Column: c.ID, Op: "in", Values: []json.RawMessage{datasets.AttributeValue("region")}}}}}); err != nil {
				return err
			}
		}
		board, err := sv.dashboards.Resolve(ctx, owner, "Trading")
		if err != nil {
			return err
		}
		key, err := sv.embed.CreateKey(ctx, owner, embed.Key{Name: "Application"})
		if err != nil {
			return err
		}
		minted, err := sv.embed.Mint(ctx, key, embed.Request{Dashboards: []ids.Dashboard{board}, Attributes: map[string][]string{"region": {"South"}}, Filters: map[string][]string{"day": {"2026-01-02"}}})
		token = minted.Token
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func(stdin string, args ...string) shownWidgets {
		t.Helper()
		var shown shownWidgets
		s.ok(&shown, stdin, append([]string{"rules", "widgets", "Trading"}, args...)...)
		if shown.Dashboard != "Trading" || len(shown.Widgets) != 1 {
			t.Fatalf("got %+v", shown)
		}
		return shown
	}
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		says  []string
		not   string
	}{
		"a member":         {"", []string{"--as", "mara@example.com"}, []string{`region in ("North")`}, "South"},
		"without a region": {"", []string{"--as", "owner@example.com"}, []string{"false"}, "North"},
		"a token":          {token, []string{"--token", "-"}, []string{`region in ("South")`, "day in ("}, "North"},
	} {
		shown := look(tc.stdin, tc.args...)
		for _, w := range shown.Widgets {
			var said []string
			for _, r := range w.Rules {
				said = append(said, r.Says)
			}
			text := strings.Join(said, "\n")
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("%s: says %q, want %q", name, text, want)
				}
			}
			if strings.Contains(text+w.SQL, tc.not) || w.Dataset != "sales" || w.Problem != "" {
				t.Errorf("%s: got %+v", name, w)
			}
			if name != "without a region" && (w.SQL == "" || !strings.Contains(w.SQL, shown.Attributes["region"][0])) {
				t.Errorf("%s: the statement is %s", name, w.SQL)
			}
		}
	}
	if shown := look(token, "--token", "-"); shown.Locked["day"][0] != "2026-01-02" {
		t.Errorf("locked: %v", shown.Locked)
	}
	for name, args := range map[string][]string{"neither": {"rules", "widgets", "Trading"}, "both": {"rules", "widgets", "Trading", "--as", "mara@example.com", "--token", "-"}} {
		if status, _, errs := s.run("", args...); status != statusUsage {
			t.Errorf("%s: got %d %s", name, status, errs)
		}
	}
	for name, tc := range map[string]struct{ stdin, want string }{"no token": {"embed_token_x", "embed.token_refused"}, "nothing": {"", "embed."}} {
		if status, _, errs := s.run(tc.stdin, "rules", "widgets", "Trading", "--token", "-"); status == 0 || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: got %d %s", name, status, errs)
		}
	}
	if status, _, errs := s.run("", "rules", "widgets", "None", "--as", "mara@example.com"); status == 0 || !strings.Contains(errs, "dashboards.not_found") {
		t.Errorf("no dashboard: got %d %s", status, errs)
	}
}
