package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// photo is a PNG that no PNG encoder makes small: noise over a slope.
func photo(t *testing.T, width, height int) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	noise := uint32(1)
	for y := range height {
		for x := range width {
			noise = noise*1664525 + 1013904223
			n := uint8(noise >> 27)
			picture.SetNRGBA(x, y, color.NRGBA{R: uint8(x*200/width) + n, G: uint8(y*200/height) + n, B: 120 + n, A: 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// shownPicture waits for a picture, and answers the beginning of its address
// and its description.
func (v *visitor) shownPicture(selector string) (string, string) {
	v.t.Helper()
	v.until("the picture is shown", `selector => { const i = document.querySelector(selector); return Boolean(i && i.complete && i.naturalWidth > 0); }`, selector)
	found, err := v.tab.Evaluate(`selector => { const i = document.querySelector(selector); return [i.src.length > 150000 ? "too long" : i.src.slice(0, 22), i.alt, String(Math.max(i.naturalWidth, i.naturalHeight))]; }`, selector)
	v.must(err)
	list := found.([]any)
	if side := list[2].(string); len(side) > 4 || len(side) == 4 && side > "1600" {
		v.t.Errorf("the picture is %s pixels long", side)
	}
	return list[0].(string), list[1].(string)
}

// described waits until the inspector describes the picture so.
func (v *visitor) described(want string) {
	v.t.Helper()
	v.until("the description is "+want, `want => document.querySelector("#inspector-alt")?.value === want`, want)
}

// fall lets a file fall into the middle of something, or pastes it there; it
// tells whether the page took it.
func (v *visitor) fall(how, selector, name, kind string, content []byte) bool {
	v.t.Helper()
	numbers := make([]int, len(content))
	for i, b := range content {
		numbers[i] = int(b)
	}
	taken, err := v.tab.Evaluate(`([how, selector, name, type, bytes]) => {
		const data = new DataTransfer();
		data.items.add(new File([new Uint8Array(bytes)], name, {type}));
		const place = document.querySelector(selector);
		if (how === "paste") return !place.dispatchEvent(new ClipboardEvent("paste", {bubbles: true, cancelable: true, clipboardData: data}));
		const box = place.getBoundingClientRect();
		const at = {bubbles: true, cancelable: true, dataTransfer: data, clientX: box.left + box.width / 2, clientY: box.top + Math.min(box.height / 2, 300)};
		const over = !place.dispatchEvent(new DragEvent("dragover", at));
		return !place.dispatchEvent(new DragEvent("drop", at)) && over;
	}`, []any{how, selector, name, kind, numbers})
	v.must(err)
	return taken.(bool)
}

func TestAPictureComesFromAFile(t *testing.T) {
	t.Parallel()
	v := demo.visit(t, desktop)
	v.signIn()
	path := v.editShop("blank")
	v.drag("[data-palette-type=image]", 120, 140)
	v.tiles(1)
	v.must(v.tab.Locator("#inspector-picture").WaitFor())
	v.saved()

	// Chosen with the keyboard.
	var chooser playwright.FileChooser
	for range 4 { // the inspector may come anew at the moment of the key
		var err error
		chooser, err = v.tab.ExpectFileChooser(func() error { return v.tab.Locator("#inspector-picture").Press("Enter") },
			playwright.PageExpectFileChooserOptions{Timeout: playwright.Float(5000)})
		if err == nil {
			break
		}
	}
	if chooser == nil {
		t.Fatal("no file can be chosen with the keyboard")
	}
	v.must(chooser.SetFiles(playwright.InputFile{Name: "north_star team.png", MimeType: "image/png", Buffer: photo(t, 2400, 1200)}))
	if src, alt := v.shownPicture("df-grid .w-image"); src != "data:image/webp;base64" || alt != "north star team" {
		t.Errorf("the picture is %q, described as %q", src, alt)
	}
	v.see(".picture-kept", "Picture from a file, ")
	v.see("#inspector-picture", "Replace…")
	if n, err := v.tab.Locator("#inspector-url").Count(); err != nil || n != 0 {
		t.Errorf("%d addresses of a picture that has none (%v)", n, err)
	}
	v.described("north star team")
	v.accessible()
	v.picture("image-inspector")
	v.saved()

	// No picture: nothing changes.
	input := v.tab.Locator("[data-picture-input]")
	v.must(input.SetInputFiles([]playwright.InputFile{{Name: "notes.png", MimeType: "image/png", Buffer: []byte("month,sales\n1,2\n")}}))
	v.see("#toasts", "notes.png is no picture that can be read.")
	if src, _ := v.shownPicture("df-grid .w-image"); !strings.HasPrefix(src, "data:image/webp") {
		t.Errorf("a text became the picture: %q", src)
	}

	// One step back and forth.
	v.must(v.tab.Locator("#page-head [data-edit=undo]").Click())
	v.see("df-grid", "No picture yet")
	v.see("#inspector-picture", "Choose a picture…")
	v.described("")
	v.must(v.tab.Locator("#page-head [data-edit=redo]").Click())
	v.shownPicture("df-grid .w-image")
	v.must(v.tab.Locator("[data-picture-remove]").Click())
	v.see("df-grid", "No picture yet")
	v.must(v.tab.Locator("#inspector-url").WaitFor())
	v.saved()
	v.must(v.tab.Locator("#page-head [data-edit=undo]").Click())
	v.shownPicture("df-grid .w-image")
	v.saved()

	// An SVG is drawn, since the server takes none.
	v.must(input.SetInputFiles([]playwright.InputFile{{Name: "mark.svg", MimeType: "image/svg+xml", Buffer: []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"><script>alert(1)</script><rect width="20" height="10" fill="teal"/></svg>`)}}))
	v.until("the drawing is shown", `() => document.querySelector("df-grid .w-image").src.startsWith("data:image/png;")`, nil)
	v.described("mark")
	v.saved()

	// Dropped on the canvas, on an image, and pasted.
	if !v.fall("drop", "#canvas", "second.png", "image/png", photo(t, 60, 40)) {
		t.Error("the canvas takes no picture")
	}
	v.tiles(2)
	v.shownPicture(`df-grid .w-image[alt="second"]`)
	if !v.fall("drop", `df-grid .w-image[alt="second"]`, "third.png", "image/png", photo(t, 50, 40)) {
		t.Error("an image takes no picture")
	}
	v.shownPicture(`df-grid .w-image[alt="third"]`)
	v.tiles(2)
	if !v.fall("paste", "df-grid", "image.png", "image/png", photo(t, 40, 40)) {
		t.Error("no picture can be pasted")
	}
	v.tiles(3)
	v.shownPicture(`df-grid .w-image[alt="Picture"]`)
	v.picture("image-canvas")

	// Data is left to the browser, as ever.
	if v.fall("drop", "#canvas", "data.csv", "text/csv", []byte("a,b\n1,2\n")) || v.fall("paste", "df-grid", "data.csv", "text/csv", []byte("a\n")) {
		t.Error("the canvas takes a file of data")
	}
	v.tiles(3)

	v.published(path)
	for _, alt := range []string{"mark", "third", "Picture"} {
		v.shownPicture(`#dash .w-image[alt="` + alt + `"]`)
	}
	v.picture("image-view")

	// On paper too.
	file := filepath.Join(t.TempDir(), "board.pdf")
	_, stderr, err := demo.run(t.Context(), "", "report", strings.TrimPrefix(path, "/dashboards/"), "--as", demo.Email, "--out", file)
	if err != nil {
		t.Fatalf("report: %v: %s", err, stderr)
	}
	if pdf, err := os.ReadFile(file); err != nil || bytes.Count(pdf, []byte("/Subtype /Image")) < 3 {
		t.Errorf("the PDF has %d pictures (%v)", bytes.Count(pdf, []byte("/Subtype /Image")), err)
	}
	v.edit(path)
	v.must(v.tab.EmulateMedia(playwright.PageEmulateMediaOptions{ColorScheme: playwright.ColorSchemeDark}))
	v.must(v.tab.Locator(`df-grid .w-image[alt="mark"]`).Click())
	v.see(".picture-kept", "Picture from a file, ")
	v.picture("image-dark")
}
