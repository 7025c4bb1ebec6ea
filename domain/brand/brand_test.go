package brand

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

func ashby() Brand {
	return Brand{Name: "Ashby & Vale", Colour: "#6D1F3B", Tone: Warm, Corners: Sharp, Font: "Figtree", HeadFont: "Fraunces", Charts: Charts{Preset: "heritage"}}
}

func checked(t *testing.T, b Brand) (Brand, []Note) {
	t.Helper()
	got, notes, err := b.Checked()
	if err != nil {
		t.Fatalf("%+v: %v", b, err)
	}
	return got, notes
}

// every are brands of all tones with the colours that are hardest to fit: very
// light, very dark, grey, and those on which neither ink can be read.
func every() []Brand {
	var list []Brand
	for _, tone := range Tones {
		for _, colour := range []string{"#6D1F3B", "#2257C5", "#0B5F63", "#FFD400", "#FFFFFF", "#000000", "#808080", "#E8590C", "#00C853", "#FF0000", "#FF6FB5", "#767676", "#7C3AED", "#00E5FF"} {
			for _, preset := range Presets() {
				list = append(list, Brand{Name: "A", Colour: colour, Tone: tone, Charts: Charts{Preset: preset}, LiveColour: colour})
			}
		}
	}
	return list
}

func TestAshbyAndVale(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"--color-primary": "#6D1F3B", "--color-primary-content": "#FFF9F2", "--color-base-100": "#FFFDF9", "--color-base-200": "#F6F0E6", "--color-base-300": "#EBE2D4",
		"--color-base-content": "#2A1A16", "--df-line": "#E3D8C8", "--df-line-strong": "#C9BAA5", "--df-control": "#8F8072", "--df-ink-2": "#5B4A41", "--df-ink-3": "#6B5A50",
		"--df-link": "#6D1F3B", "--df-pos": "#3F6A2A", "--df-neg": "#B3371B", "--df-live": "#3F6A2A", "--df-raised": "#FFFDF9", "--df-pos-soft": "#E9EFDD",
		"--c1": "#7A2444", "--c2": "#BE7F26", "--c3": "#3F7A72", "--c4": "#33408A", "--c5": "#9B6BA8", "--c-other": "#8B7F75",
		"--map-water": "#EDE6DA", "--map-land": "#FFFDF9", "--map-line": "#D3C5B0", "--map-label": "#6B5A50",
	}
	b, notes := checked(t, ashby())
	if len(notes) > 0 {
		t.Errorf("a brand without problems has notes: %v", notes)
	}
	got := b.Tokens(false)
	for name, value := range want {
		if d := distance(colourOf(got[name]), colourOf(value)); d > 3 {
			t.Errorf("%s is %s, want about %s (%.1f)", name, got[name], value, d)
		}
	}
	ramp := strings.Fields("#F7EEE8 #EBCFC6 #D9A29C #BF6F74 #9E4257 #7A2444 #4D1029")
	for i, step := range strings.Fields(got["--seq"]) {
		if d := distance(colourOf(step), colourOf(ramp[i])); d > 3 {
			t.Errorf("step %d is %s, want about %s (%.1f)", i, step, ramp[i], d)
		}
	}
	css := string(b.CSS(func(name string) string { return "/static/" + name }))
	for _, part := range []string{
		"--df-shadow:none;", "--radius-box:2px;", "--radius-field:2px;", "--radius-selector:2px;",
		`--df-font:"Figtree Variable", system-ui, sans-serif;`, `--df-font-head:"Fraunces Variable", Georgia, serif;`,
		`src:url("/static/fraunces.woff2") format("woff2")`, `src:url("/static/figtree.woff2")`,
	} {
		if !strings.Contains(css, part) {
			t.Errorf("no %s in %s", part, css)
		}
	}
	if got := b.Fonts(); !slices.Equal(got, []string{"figtree.woff2", "fraunces.woff2"}) {
		t.Errorf("fonts %v", got)
	}
}

func TestNorthlake(t *testing.T) {
	t.Parallel()
	b, notes := checked(t, Brand{Name: "Northlake Health", Colour: "0b5f63", Corners: Round})
	tokens := b.Tokens(false)
	if len(notes) > 0 || tokens["--color-primary"] != "#0B5F63" || tokens["--df-link"] != "#0B5F63" {
		t.Errorf("notes %v, colours %s %s", notes, tokens["--color-primary"], tokens["--df-link"])
	}
	css := string(b.CSS(nil))
	for _, part := range []string{"--radius-field:10px;", "--radius-box:16px;"} {
		if !strings.Contains(css, part) {
			t.Errorf("no %s", part)
		}
	}
	if got := b.Fonts(); !slices.Equal(got, []string{"inter.woff2"}) || strings.Contains(css, "@font-face") {
		t.Errorf("fonts %v: app.css has this one", got)
	}
}

// Neutral is the product's own look.
func TestNeutralIsTheProducts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../static/src/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Light, Dark map[string]string }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range tones[Neutral].light {
		if all.Light[name] != value {
			t.Errorf("light %s: %s here, %s there", name, value, all.Light[name])
		}
	}
	for name, value := range tones[Neutral].dark {
		if all.Dark[name] != value {
			t.Errorf("dark %s: %s here, %s there", name, value, all.Dark[name])
		}
	}
	for i, name := range seriesNames {
		if distance(colourOf(presets[0].light[i]), colourOf(all.Light[name])) > 3 || presets[0].dark[i] != all.Dark[name] {
			t.Errorf("%s differs", name)
		}
	}
	// The tokens that a brand sets are tokens of the product.
	for name := range (Brand{}).Tokens(false) {
		if all.Light[name] == "" && name != "--df-ramp" && !strings.HasPrefix(name, "--df-head") && !strings.HasPrefix(name, "--df-panel") {
			t.Errorf("%s is no token", name)
		}
	}
}

// What can be read in the product can be read with any brand.
func TestContrastOfEveryBrand(t *testing.T) {
	t.Parallel()
	for _, b := range every() {
		b, _ := checked(t, b)
		for _, dark := range []bool{false, true} {
			tokens := b.Tokens(dark)
			check := func(least float64, front string, backs ...string) {
				t.Helper()
				for _, back := range backs {
					if got := contrast(colourOf(tokens[front]), colourOf(tokens[back])); got < least {
						t.Errorf("%s %s %s, dark %v: %s %s on %s %s is %.2f:1", b.Tone, b.Colour, b.Charts.Preset, dark, front, tokens[front], back, tokens[back], got)
					}
				}
			}
			for _, ink := range []string{"--color-base-content", "--df-ink-2", "--df-ink-3", "--df-link", "--df-pos", "--df-neg", "--df-warn", "--df-live"} {
				check(readable, ink, "--color-base-100", "--color-base-200", "--df-raised")
			}
			check(readable, "--df-ink-2", "--color-base-300")
			check(readable, "--df-live", "--df-pos-soft")
			for _, tone := range []string{"pos", "neg", "warn"} {
				check(readable, "--df-"+tone, "--df-"+tone+"-soft")
			}
			for _, name := range []string{"primary", "secondary", "neutral", "info", "success", "warning", "error"} {
				check(readable, "--color-"+name+"-content", "--color-"+name)
			}
			check(readable, "--df-head-content", "--df-head", "--df-panel")
			check(readable, "--df-head-quiet", "--df-head")
			check(readable, "--df-panel-quiet", "--df-panel")
			check(readable, "--map-label", "--map-land", "--map-water")
			check(leastContrast, "--df-control", "--color-base-100")
			check(leastContrast, "--df-focus", "--color-base-100", "--color-base-200")
			for _, name := range append(seriesNames[:], "--c-other", "--c-previous") {
				check(leastContrast, name, "--color-base-100")
			}
			if dark {
				check(leastContrast, "--color-primary", "--color-base-100")
			}
			soft := mixed(colourOf(tokens["--color-primary"]), colourOf(tokens["--color-base-100"]), 0.09)
			if dark {
				soft = mixed(colourOf(tokens["--df-link"]), colourOf(tokens["--color-base-100"]), 0.14)
			}
			if got := contrast(colourOf(tokens["--df-link"]), soft); got < readable {
				t.Errorf("%s %s, dark %v: the link on its soft fill is %.2f:1", b.Tone, b.Colour, dark, got)
			}
		}
	}
}

// A ramp goes one way, so that more is darker on paper and brighter on a dark
// page.
func TestRamps(t *testing.T) {
	t.Parallel()
	for _, b := range every() {
		for _, dark := range []bool{false, true} {
			steps := strings.Fields(b.Tokens(dark)["--seq"])
			for i := 1; i < len(steps); i++ {
				step := colourOf(steps[i]).lightness() - colourOf(steps[i-1]).lightness()
				if dark != (step > 0) || math.Abs(step) < 0.04 {
					t.Errorf("%s %s, dark %v: %v", b.Tone, b.Colour, dark, steps)
				}
			}
		}
	}
}

// Correction changes as little as it must, and keeps what can be read.
func TestCorrection(t *testing.T) {
	t.Parallel()
	for colour, want := range map[string]string{
		"#6D1F3B": "", "#2257C5": "",
		"#E8590C": "brand.note.link",
		"#FFD400": "brand.note.link",
		"#808080": "brand.note.fill_lighter_black brand.note.link",
		"#7A7A7A": "brand.note.fill_darker_white brand.note.link",
	} {
		_, notes := checked(t, Brand{Name: "A", Colour: colour})
		var got []string
		for _, n := range notes {
			if n.Field == "colour" {
				got = append(got, n.Key)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", colour, got, want)
		}
	}
	fill, ink := fillOf(colourOf("#7A7A7A"), tones[Neutral].light, false)
	if ink.hex() != "#FFFFFF" || contrast(fill, ink) < readable || contrast(fill, ink) > 4.7 {
		t.Errorf("%s on %s", ink.hex(), fill.hex())
	}
}

// The figures that the design names for the product's own series.
func TestSights(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]float64{"all": {20.5, 21.9}, "deuteranopia": {14.9, 13.1}, "protanopia": {14.5, 16.0}, "tritanopia": {8.2, 9.0}} {
		i := slices.IndexFunc(sights, func(s struct {
			name   string
			matrix [9]float64
		},
		) bool {
			return s.name == name
		})
		for side, list := range [2][seriesCount]string{presets[0].light, presets[0].dark} {
			least := math.Inf(1)
			for a := range list {
				for b := range a {
					least = min(least, distance(seen(colourOf(list[a]), sights[i].matrix), seen(colourOf(list[b]), sights[i].matrix)))
				}
			}
			if math.Abs(least-want[side]) > 0.5 {
				t.Errorf("%s: %.1f, want %.1f", name, least, want[side])
			}
		}
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	for _, p := range presets {
		for _, list := range [2][seriesCount]string{p.light, p.dark} {
			for i := range list {
				for j := range i {
					if d, sight := nearest(colourOf(list[i]), colourOf(list[j])); d < leastDistance {
						t.Errorf("%s: %s and %s are %.1f apart (%s)", p.name, list[i], list[j], d, sight)
					}
				}
			}
		}
	}
}

func TestOwnChartColours(t *testing.T) {
	t.Parallel()
	b, notes := checked(t, Brand{Name: "A", Charts: Charts{Colours: []string{"#d62728", "2ca02c", "", "#F4F4F4"}}})
	tokens := b.Tokens(false)
	if tokens["--c1"] != "#D62728" || tokens["--c2"] != "#2CA02C" || tokens["--c3"] != "#F4F4F4" || tokens["--c7"] == "" {
		t.Errorf("series %v", tokens)
	}
	var keys []string
	for _, n := range notes {
		keys = append(keys, n.Key)
	}
	if !slices.Contains(keys, "brand.note.faint_light") {
		t.Errorf("no word about light grey on white: %v", keys)
	}
	_, notes = checked(t, Brand{Name: "A", Charts: Charts{Colours: []string{"#C0392B", "#8B7A1B"}}})
	if !slices.ContainsFunc(notes, func(n Note) bool { return strings.HasPrefix(n.Key, "brand.note.alike_light_") }) {
		t.Errorf("no word about red and olive: %v", notes)
	}
}

// A series keeps its hue when the theme changes: the same colours of the preset
// give way in both.
func TestSeriesAreTheSameInBothThemes(t *testing.T) {
	t.Parallel()
	for _, b := range every() {
		light, dark, preset := b.series(false), b.series(true), presetOf(b.Charts.Preset)
		for i := 1; i < seriesCount; i++ {
			if slices.Index(preset.light[:], light[i].hex()) != slices.Index(preset.dark[:], dark[i].hex()) {
				t.Fatalf("%s: %v and %v", b.Colour, light, dark)
			}
		}
	}
}

func TestHeaderLogo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ colour, dark, want string }{
		{"#6D1F3B", "white", "white"}, {"#6D1F3B", "", ""}, {"#FFD400", "", "ink"}, {"#FFD400", "white", "ink"},
	} {
		if got := (Brand{Colour: c.colour, Logo: "ink", LogoDark: c.dark}).HeaderLogo(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestCheckedRefuses(t *testing.T) {
	t.Parallel()
	nine := make([]Link, 9)
	for i := range nine {
		nine[i] = Link{"Legal", "https://example.com/" + strconv.Itoa(i)}
	}
	for field, b := range map[string]Brand{
		"name":          {},
		"colour":        {Name: "A", Colour: "red;}"},
		"live_colour":   {Name: "A", LiveColour: "#12"},
		"tone":          {Name: "A", Tone: "loud"},
		"corners":       {Name: "A", Corners: "3px"},
		"font":          {Name: "A", Font: `x";}`},
		"head_font":     {Name: "A", HeadFont: "Comic Sans"},
		"charts":        {Name: "A", Charts: Charts{Colours: []string{"url(x)"}}},
		"tagline":       {Name: "A", Tagline: strings.Repeat("x", 121)},
		"subline":       {Name: "A", Subline: "two\nlines"},
		"footer":        {Name: "A", Footer: "\u202Egnihtemos"},
		"sender_name":   {Name: "A", SenderName: "A\r\nBcc: b@example.com"},
		"locale":        {Name: "A", Locale: "english please"},
		"logo":          {Name: "A", Logo: "../x"},
		"logo_dark":     {Name: "A", LogoDark: "a/b"},
		"links":         {Name: "A", Links: nine},
		"links.0.label": {Name: "A", Links: []Link{{"", "https://example.com"}}},
		"links.0.url":   {Name: "A", Links: []Link{{"Legal", "javascript:alert(1)"}}},
		"links.1.url":   {Name: "A", Links: []Link{{"Legal", "https://example.com"}, {"X", "http://example.com"}}},
	} {
		_, _, err := b.Checked()
		fields, _ := apperr.Fields(err)
		if !errors.Is(err, ErrInvalid) || fields[field] == "" {
			t.Errorf("%s: %v %v", field, err, fields)
		}
	}
	for _, name := range []string{`A" <b@example.com>`, "a@b", "A,B"} {
		if _, _, err := (Brand{Name: "A", SenderName: name}).Checked(); err == nil {
			t.Errorf("sender %q was taken", name)
		}
	}
}

func TestCheckedIsStable(t *testing.T) {
	t.Parallel()
	full := ashby()
	full.Links = []Link{{" Legal ", "https://example.com/legal"}, {}}
	full.Locale, full.SenderName, full.Logo = "en-gb", " Ashby & Vale ", "3f2a"
	once, notes := checked(t, full)
	if once.Locale != "en-GB" || len(once.Links) != 1 || once.Links[0].Label != "Legal" || once.SenderName != "Ashby & Vale" {
		t.Errorf("not in its stored form: %+v", once)
	}
	text, err := json.Marshal(once)
	if err != nil {
		t.Fatal(err)
	}
	var back Brand
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	twice, again := checked(t, back)
	if string(twice.CSS(same)) != string(once.CSS(same)) || len(again) != len(notes) {
		t.Error("what was stored and read looks different")
	}
	if zero, _ := checked(t, Brand{Name: "A"}); zero.Colour != defaultColour || zero.Tone != Neutral || zero.Corners != Soft || zero.Font != "Inter" || zero.Charts.Preset != "standard" {
		t.Errorf("defaults %+v", zero)
	}
}

func same(name string) string { return name }

// Nothing that was typed reaches the sheet as it is, checked or not.
func FuzzCSS(f *testing.F) {
	f.Add("#6D1F3B", "warm", "sharp", "Figtree", "heritage", "#fff")
	f.Add("red}</style><script>", "warm;}", "2px", `"}body{display:none`, "url(//x)", "@import")
	sheet := regexp.MustCompile(`^(@font-face\{[^{}]*\}\n)*:root\{[^{}]*\}\n:root,\[data-theme=light\]\{[^{}]*\}\n@media screen\{\[data-theme=dark\]\{[^{}]*\}\}\n@media screen and \(prefers-color-scheme:dark\)\{\[data-theme=auto\]\{[^{}]*\}\}\n$`)
	value := regexp.MustCompile(`^--[a-z0-9-]+:[#0-9A-Za-z ,.%()"/-]*$`)
	f.Fuzz(func(t *testing.T, colour, tone, corners, font, preset, own string) {
		b := Brand{Colour: colour, Tone: Tone(tone), Corners: Corners(corners), Font: font, HeadFont: own, LiveColour: own, Charts: Charts{Preset: preset, Colours: []string{own, colour}}}
		css := string(b.CSS(same))
		if !sheet.MatchString(css) {
			t.Fatalf("not the sheet that was meant: %s", css)
		}
		for _, dark := range []bool{false, true} {
			for declaration := range strings.SplitSeq(strings.TrimSuffix(b.Style(dark), ";"), ";") {
				if !value.MatchString(declaration) {
					t.Fatalf("declaration %q", declaration)
				}
			}
		}
	})
}

// A mail's button and links can be read and seen, whatever the brand's colour.
func TestMailsOfEveryBrand(t *testing.T) {
	t.Parallel()
	for _, asked := range []string{"#FFFFFF", "#000000", "#FFE600", "#B3261E", "#2257C5", "#7A7A7A", "#F5F5F5", ""} {
		mail := Brand{Colour: asked}.Mail()
		for name, tc := range map[string]struct {
			theme    MailTheme
			surfaces map[string]string
		}{"light": {mail.Light, tones[Neutral].light}, "dark": {mail.Dark, tones[Neutral].dark}} {
			card := colourOf(tc.surfaces["--color-base-100"])
			fill, ink, link := colourOf(tc.theme.Fill), colourOf(tc.theme.OnFill), colourOf(tc.theme.Link)
			if contrast(fill, ink) < readable || contrast(link, card) < readable || contrast(fill, card) < leastContrast {
				t.Errorf("%s %s: %+v: text %.2f, link %.2f, button %.2f", asked, name, tc.theme, contrast(fill, ink), contrast(link, card), contrast(fill, card))
			}
		}
	}
}
