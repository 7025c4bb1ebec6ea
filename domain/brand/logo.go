package brand

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of a logo. Both hold for what was sent and for what is kept.
const (
	MaxLogoBytes = 256_000
	MaxLogoSide  = 2000 // pixels of a PNG
)

// Limits of an SVG that keep drawing it cheap.
const (
	maxElements = 4000
	maxDepth    = 40
	maxUses     = 50
)

const svgSpace = "http://www.w3.org/2000/svg"

// CheckLogo takes a PNG or an SVG and writes it anew: a PNG without anything
// but its pixels, an SVG of known elements and attributes alone. What is
// unknown and harmless is left out; what could run, load or hide something is
// refused. The answer of a clean picture is the same picture.
//
// Errors: brand.logo, with what to change.
func CheckLogo(data []byte) (contentType string, clean []byte, err error) {
	switch {
	case len(data) == 0:
		return "", nil, ErrLogo.With("Choose a file: PNG or SVG.")
	case len(data) > MaxLogoBytes:
		return "", nil, ErrLogo.With("The logo is larger than 256 kB.")
	case bytes.HasPrefix(data, []byte("\x89PNG")):
		clean, err = checkPNG(data)
		return "image/png", clean, err
	case bytes.Contains(data, []byte("<svg")):
		clean, err = checkSVG(data)
		return "image/svg+xml", clean, err
	}
	return "", nil, ErrLogo.With("The logo has to be a PNG or an SVG.")
}

func checkPNG(data []byte) ([]byte, error) {
	size, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, ErrLogo.With("This PNG can't be read.").Wrap(err)
	}
	if size.Width > MaxLogoSide || size.Height > MaxLogoSide {
		return nil, ErrLogo.With("The logo is %d by %d pixels; %d each way is the most.", size.Width, size.Height, MaxLogoSide)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, ErrLogo.With("This PNG can't be read.").Wrap(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture); err != nil {
		return nil, ErrLogo.With("This PNG can't be read.").Wrap(err)
	}
	if out.Len() > MaxLogoBytes {
		return nil, ErrLogo.With("The logo is larger than 256 kB once its extras are removed. Save it with fewer pixels.")
	}
	return out.Bytes(), nil
}

// node is an element that is kept.
type node struct {
	name     string
	attrs    []xml.Attr // by name alone, sorted
	children []*node
	text     string // of title, desc, text and style
}

func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		set[word] = true
	}
	return set
}

var (
	elements = words("svg g defs symbol use path rect circle ellipse line polyline polygon text tspan title desc style linearGradient radialGradient stop clipPath mask")
	// properties may stand in attributes and in styles.
	properties = words("fill fill-opacity fill-rule clip-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray stroke-dashoffset " +
		"opacity color stop-color stop-opacity display visibility paint-order vector-effect shape-rendering " +
		"font-family font-size font-weight font-style font-stretch letter-spacing word-spacing text-anchor dominant-baseline text-rendering")
	attributes = words("id class style viewBox width height x y x1 y1 x2 y2 cx cy r rx ry fx fy dx dy d points transform gradientTransform gradientUnits spreadMethod offset " +
		"clipPathUnits maskUnits maskContentUnits preserveAspectRatio pathLength textLength lengthAdjust rotate href clip-path mask")
	refused = words("script foreignObject iframe embed object image feImage audio video canvas handler listener animate animateTransform animateMotion set a")

	localRef  = regexp.MustCompile(`^url\(["']?#[A-Za-z_][\w.-]*["']?\)(\s+[#\w(),.% -]*)?$`)
	localHref = regexp.MustCompile(`^#[A-Za-z_][\w.-]*$`)
	styleRule = regexp.MustCompile(`^\s*([.#]?[A-Za-z_][\w-]*(?:\s*,\s*[.#]?[A-Za-z_][\w-]*)*)\s*\{([^{}]*)\}`)
	styleText = regexp.MustCompile(`^[\w#.,%()"' +-]*$`)
)

var (
	errForeign = ErrLogo.With("The SVG loads something from elsewhere. Save it with everything embedded as shapes.")
	errStyle   = ErrLogo.With("The SVG has styles that a logo can't use. Save it with presentation attributes.")
	errBroken  = ErrLogo.With("This SVG can't be read.")
)

func checkSVG(data []byte) ([]byte, error) {
	r := reader{decoder: xml.NewDecoder(bytes.NewReader(data))}
	r.decoder.CharsetReader = func(string, io.Reader) (io.Reader, error) {
		return nil, errors.New("only UTF-8")
	}
	root, err := r.document()
	if err != nil {
		return nil, err
	}
	if err := checkUses(root); err != nil {
		return nil, err
	}
	if err := measure(root); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	write(&out, root, true)
	if out.Len() > MaxLogoBytes {
		return nil, ErrLogo.With("The logo is larger than 256 kB.")
	}
	return out.Bytes(), nil
}

type reader struct {
	decoder *xml.Decoder
	count   int
}

func (r *reader) document() (*node, error) {
	var root *node
	for {
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) {
			if root == nil {
				return nil, errBroken
			}
			return root, nil
		}
		if err != nil {
			return nil, errBroken.Wrap(err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, ErrLogo.With("The SVG has a DOCTYPE or entities. Save it as plain SVG.")
		case xml.ProcInst:
			if t.Target != "xml" || root != nil {
				return nil, errForeign
			}
		case xml.StartElement:
			if root != nil || t.Name.Local != "svg" || !ours(t.Name.Space) {
				return nil, errBroken
			}
			if root, err = r.element(t, 1); err != nil {
				return nil, err
			}
		case xml.CharData:
			if len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) > 0 {
				return nil, errBroken
			}
		}
	}
}

// ours tells whether a namespace is SVG's; a file without any means it.
func ours(space string) bool { return space == "" || space == svgSpace }

// element reads what t begins, up to its end.
func (r *reader) element(t xml.StartElement, depth int) (*node, error) {
	if r.count++; r.count > maxElements || depth > maxDepth {
		return nil, ErrLogo.With("The SVG has too many parts for a logo. Simplify its shapes.")
	}
	n := &node{name: t.Name.Local}
	for _, a := range t.Attr {
		kept, err := attribute(a)
		if err != nil {
			return nil, err
		}
		if kept != nil && n.attr(kept.Name.Local) == "" {
			n.attrs = append(n.attrs, *kept)
		}
	}
	slices.SortFunc(n.attrs, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
	var text strings.Builder
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return nil, errBroken.Wrap(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			child, err := r.child(t, depth)
			if err != nil {
				return nil, err
			}
			if child != nil {
				n.children = append(n.children, child)
			}
		case xml.EndElement:
			n.text = text.String()
			if n.name == "style" {
				n.text, err = sheet(n.text)
			}
			return n, err
		case xml.CharData:
			switch n.name {
			case "title", "desc", "text", "tspan", "style":
				text.Write(t)
			}
		case xml.Directive, xml.ProcInst:
			return nil, errForeign
		}
	}
}

// child is an element within another; nil where it is left out.
func (r *reader) child(t xml.StartElement, depth int) (*node, error) {
	for name := range refused {
		if strings.EqualFold(t.Name.Local, name) {
			return nil, ErrLogo.With("The SVG contains <%s>, which a logo can't have. Save it with shapes alone.", name)
		}
	}
	// What is left out is read all the same, so that nothing hides in it.
	n, err := r.element(t, depth+1)
	if err != nil || !ours(t.Name.Space) || !elements[t.Name.Local] {
		return nil, err
	}
	return n, nil
}

// attribute is one that is kept; nil where it is left out.
func attribute(a xml.Attr) (*xml.Attr, error) {
	name, value := a.Name.Local, strings.TrimSpace(a.Value)
	if a.Name.Space == "xmlns" || a.Name.Space == "" && name == "xmlns" {
		return nil, nil
	}
	if len(name) > 2 && strings.EqualFold(name[:2], "on") {
		return nil, ErrLogo.With("The SVG reacts to events (%s). Save it without scripts.", name)
	}
	lower := strings.ToLower(value)
	switch {
	case strings.EqualFold(name, "href") || strings.EqualFold(name, "src"):
		if !localHref.MatchString(value) {
			return nil, errForeign
		}
	case strings.Contains(lower, "javascript:") || strings.Contains(lower, "data:"):
		return nil, errForeign
	case name == "style":
		clean, err := declarationsOf(value)
		if err != nil {
			return nil, err
		}
		value = clean
	case strings.Contains(lower, "url("):
		if !localRef.MatchString(value) {
			return nil, errForeign
		}
	}
	known := attributes[name] || properties[name]
	if !known || a.Name.Space != "" && a.Name.Space != "http://www.w3.org/1999/xlink" || value == "" || strings.ContainsAny(value, "\\@<>{}") {
		return nil, nil
	}
	return &xml.Attr{Name: xml.Name{Local: name}, Value: value}, nil
}

// declarationsOf keeps the known properties of a style.
func declarationsOf(text string) (string, error) {
	var kept []string
	for declaration := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(declaration, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if strings.Contains(strings.ToLower(value), "url(") {
			return "", ErrLogo.With("The SVG has url() in a style. Save it with presentation attributes.")
		}
		if !styleText.MatchString(value) {
			return "", errStyle
		}
		if properties[name] && value != "" {
			kept = append(kept, name+":"+value)
		}
	}
	return strings.Join(kept, ";"), nil
}

// sheet reads the rules of a style element: classes, ids and names of elements
// with plain declarations, nothing else.
func sheet(text string) (string, error) {
	if strings.Contains(text, "/*") || strings.ContainsAny(text, `@\<>`) {
		return "", errStyle
	}
	var out strings.Builder
	for strings.TrimSpace(text) != "" {
		match := styleRule.FindStringSubmatch(text)
		if match == nil {
			return "", errStyle
		}
		declarations, err := declarationsOf(match[2])
		if err != nil {
			return "", err
		}
		if declarations != "" {
			out.WriteString(strings.Join(strings.Fields(match[1]), "") + "{" + declarations + "}")
		}
		text = text[len(match[0]):]
	}
	return out.String(), nil
}

// checkUses keeps copies from multiplying: few, and none within what is copied.
func checkUses(root *node) error {
	targets, uses := map[string]bool{}, 0
	root.walk(func(n *node) {
		if n.name == "use" {
			uses++
			targets[strings.TrimPrefix(n.attr("href"), "#")] = true
		}
	})
	nested := false
	root.walk(func(n *node) {
		if id := n.attr("id"); id != "" && targets[id] {
			n.walk(func(inside *node) { nested = nested || inside.name == "use" })
		}
	})
	if uses > maxUses || nested {
		return ErrLogo.With("The SVG copies its parts too often. Save it with plain shapes.")
	}
	return nil
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, child := range n.children {
		child.walk(visit)
	}
}

// measure makes sure that the drawing can be scaled: it has a view box, of its
// size where it names none.
func measure(root *node) error {
	if box := root.attr("viewBox"); box != "" {
		parts := strings.FieldsFunc(box, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
		if len(parts) == 4 && positive(parts[2]) && positive(parts[3]) {
			return nil
		}
		return errBroken
	}
	width, height := strings.TrimSuffix(root.attr("width"), "px"), strings.TrimSuffix(root.attr("height"), "px")
	if !positive(width) || !positive(height) {
		return ErrLogo.With("The SVG has no size. Save it with a viewBox.")
	}
	root.attrs = append(root.attrs, xml.Attr{Name: xml.Name{Local: "viewBox"}, Value: "0 0 " + width + " " + height})
	slices.SortFunc(root.attrs, func(a, b xml.Attr) int { return strings.Compare(a.Name.Local, b.Name.Local) })
	return nil
}

func positive(text string) bool {
	n, err := strconv.ParseFloat(text, 64)
	return err == nil && n > 0 && n < 1e6
}

func write(out *bytes.Buffer, n *node, root bool) {
	out.WriteString("<" + n.name)
	if root {
		out.WriteString(` xmlns="` + svgSpace + `"`)
	}
	for _, a := range n.attrs {
		out.WriteString(" " + a.Name.Local + `="`)
		escape(out, a.Value)
		out.WriteByte('"')
	}
	text := n.text
	if n.name == "text" || n.name == "tspan" {
		text = strings.Join(strings.Fields(text), " ")
	}
	if text == "" && len(n.children) == 0 {
		out.WriteString("/>")
		return
	}
	out.WriteByte('>')
	escape(out, text)
	for _, child := range n.children {
		write(out, child, false)
	}
	out.WriteString("</" + n.name + ">")
}

func escape(out *bytes.Buffer, text string) {
	// A buffer takes everything.
	_ = xml.EscapeText(out, []byte(text))
}
