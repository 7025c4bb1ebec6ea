package brand

import "slices"

// preset is seven colours of series that can be told apart in every sight, on
// the surfaces of all tones; the same hues in both themes.
type preset struct {
	name        string
	light, dark [seriesCount]string
}

func (p preset) colours(dark bool) [seriesCount]string {
	if dark {
		return p.dark
	}
	return p.light
}

// presets begin with the product's own series; its sky is a little bluer here,
// so that it can be seen on tinted paper.
var presets = []preset{
	{"standard",
		[seriesCount]string{"#2A5DB8", "#BF7A1A", "#2A9A90", "#8E2F57", "#3C96F1", "#33207F", "#5E2A06"},
		[seriesCount]string{"#5F8BEA", "#E8B765", "#9BEBD3", "#E27299", "#5BC6EC", "#7E5CA6", "#B06F49"}},
	{"heritage",
		[seriesCount]string{"#7A2444", "#BE7F26", "#3F7A72", "#33408A", "#9B6BA8", "#5D5A09", "#321C00"},
		[seriesCount]string{"#FFC4DC", "#DD9014", "#007F6E", "#9C9FF7", "#8D59AB", "#CEE1A2", "#AD5526"}},
	{"coast",
		[seriesCount]string{"#00A1A9", "#BE8072", "#004A2D", "#4F1D7B", "#786B24", "#5069B9", "#A83F68"},
		[seriesCount]string{"#79F4FC", "#C1500F", "#63B378", "#A497FF", "#F4D846", "#536AB6", "#BD8AA4"}},
}

// Presets are the names of the chart colours to choose from.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}

func presetOf(name string) preset {
	if i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name }); i >= 0 {
		return presets[i]
	}
	return presets[0]
}

// tones are the surfaces, lines and inks of both themes. Neutral is that of
// static/src/tokens.json: a test compares them.
var tones = map[Tone]struct{ light, dark map[string]string }{
	Neutral: {
		light: map[string]string{
			"--color-base-100": "#FFFFFF", "--color-base-200": "#F5F6F8", "--color-base-300": "#E9ECF0", "--color-base-content": "#16202C",
			"--color-primary-content": "#FFFFFF", "--color-secondary": "#3A4757", "--color-secondary-content": "#FFFFFF", "--color-neutral": "#16202C",
			"--color-neutral-content": "#F5F6F8", "--color-success": "#0A7A54", "--color-success-content": "#FFFFFF", "--color-warning": "#8A5A00",
			"--color-warning-content": "#FFFFFF", "--color-error": "#BF3A1F", "--color-error-content": "#FFFFFF", "--df-ink-2": "#4C5968",
			"--df-ink-3": "#5F6C7B", "--df-line": "#E2E6EB", "--df-line-strong": "#C6CDD6", "--df-control": "#8793A1",
			"--df-raised": "#FFFFFF", "--df-pos": "#0A7A54", "--df-neg": "#BF3A1F", "--df-warn": "#8A5A00",
			"--df-pos-soft": "#E4F3EC", "--df-neg-soft": "#FBE9E4", "--df-warn-soft": "#FBF0DA", "--df-shadow": "0 1px 2px rgb(16 24 36 / .04)",
			"--df-grid": "#ECEFF2", "--df-axis": "#B4BDC8", "--c-other": "#7C8896", "--c-previous": "#8592A2",
			"--map-water": "#EEF2F6", "--map-land": "#FDFDFC", "--map-line": "#D3DAE2", "--map-label": "#5F6C7B",
		},
		dark: map[string]string{
			"--color-base-100": "#151B23", "--color-base-200": "#0E1319", "--color-base-300": "#1F2833", "--color-base-content": "#E6EBF1",
			"--color-primary-content": "#FFFFFF", "--color-secondary": "#A3B0BF", "--color-secondary-content": "#0E1319", "--color-neutral": "#E6EBF1",
			"--color-neutral-content": "#151B23", "--color-success": "#4CC79A", "--color-success-content": "#0E1319", "--color-warning": "#F0BC5E",
			"--color-warning-content": "#16202C", "--color-error": "#FF8F75", "--color-error-content": "#16202C", "--df-ink-2": "#B4BFCC",
			"--df-ink-3": "#93A0B0", "--df-line": "#26303B", "--df-line-strong": "#3A4654", "--df-control": "#6A7888",
			"--df-raised": "#1C242E", "--df-pos": "#4CC79A", "--df-neg": "#FF8F75", "--df-warn": "#F0BC5E",
			"--df-pos-soft": "#14312A", "--df-neg-soft": "#3A211C", "--df-warn-soft": "#352A15", "--df-shadow": "none",
			"--df-grid": "#212A34", "--df-axis": "#46535F", "--c-other": "#77859A", "--c-previous": "#6F7E90",
			"--map-water": "#10161D", "--map-land": "#1A222C", "--map-line": "#2F3B49", "--map-label": "#93A0B0",
		},
	},
	Warm: {
		light: map[string]string{
			"--color-base-100": "#FFFDF9", "--color-base-200": "#F6F0E6", "--color-base-300": "#EBE2D4", "--color-base-content": "#2A1A16",
			"--color-primary-content": "#FFF9F2", "--color-secondary": "#5B4A41", "--color-secondary-content": "#FFFDF9", "--color-neutral": "#2A1A16",
			"--color-neutral-content": "#F6F0E6", "--color-success": "#3F6A2A", "--color-success-content": "#FFFFFF", "--color-warning": "#8A5A00",
			"--color-warning-content": "#FFFFFF", "--color-error": "#B3371B", "--color-error-content": "#FFFFFF", "--df-ink-2": "#5B4A41",
			"--df-ink-3": "#6B5A50", "--df-line": "#E3D8C8", "--df-line-strong": "#C9BAA5", "--df-control": "#8F8072",
			"--df-raised": "#FFFDF9", "--df-pos": "#3F6A2A", "--df-neg": "#B3371B", "--df-warn": "#8A5A00",
			"--df-pos-soft": "#E9EFDD", "--df-neg-soft": "#FBE9E4", "--df-warn-soft": "#FBF0DA", "--df-shadow": "none",
			"--df-grid": "#ECE3D7", "--df-axis": "#BDAF9B", "--c-other": "#8B7F75", "--c-previous": "#8592A2",
			"--map-water": "#EDE6DA", "--map-land": "#FFFDF9", "--map-line": "#D3C5B0", "--map-label": "#6B5A50",
		},
		dark: map[string]string{
			"--color-base-100": "#201A16", "--color-base-200": "#17120F", "--color-base-300": "#2E2620", "--color-base-content": "#EFEAE2",
			"--color-primary-content": "#FFF9F2", "--color-secondary": "#C8BBAE", "--color-secondary-content": "#201A16", "--color-neutral": "#EFEAE2",
			"--color-neutral-content": "#17120F", "--color-success": "#8FC47A", "--color-success-content": "#0E1319", "--color-warning": "#F0BC5E",
			"--color-warning-content": "#16202C", "--color-error": "#FF8F75", "--color-error-content": "#16202C", "--df-ink-2": "#C8BBAE",
			"--df-ink-3": "#AC9D90", "--df-line": "#372E27", "--df-line-strong": "#504339", "--df-control": "#847567",
			"--df-raised": "#29221D", "--df-pos": "#8FC47A", "--df-neg": "#FF8F75", "--df-warn": "#F0BC5E",
			"--df-pos-soft": "#22301B", "--df-neg-soft": "#3F231B", "--df-warn-soft": "#382B15", "--df-shadow": "none",
			"--df-grid": "#302822", "--df-axis": "#5B4F46", "--c-other": "#8F8277", "--c-previous": "#6F7E90",
			"--map-water": "#191411", "--map-land": "#26201B", "--map-line": "#413730", "--map-label": "#AC9D90",
		},
	},
	Cool: {
		light: map[string]string{
			"--color-base-100": "#FCFDFF", "--color-base-200": "#EDF3FA", "--color-base-300": "#DCE7F2", "--color-base-content": "#111F34",
			"--color-primary-content": "#FFFFFF", "--color-secondary": "#41546D", "--color-secondary-content": "#FCFDFF", "--color-neutral": "#111F34",
			"--color-neutral-content": "#EDF3FA", "--color-success": "#0A7A54", "--color-success-content": "#FFFFFF", "--color-warning": "#8A5A00",
			"--color-warning-content": "#FFFFFF", "--color-error": "#BF3A1F", "--color-error-content": "#FFFFFF", "--df-ink-2": "#41546D",
			"--df-ink-3": "#536680", "--df-line": "#D5E0EC", "--df-line-strong": "#B7C9DD", "--df-control": "#768BA5",
			"--df-raised": "#FCFDFF", "--df-pos": "#0A7A54", "--df-neg": "#BF3A1F", "--df-warn": "#8A5A00",
			"--df-pos-soft": "#E4F3EC", "--df-neg-soft": "#FBE9E4", "--df-warn-soft": "#FBF0DA", "--df-shadow": "0 1px 2px rgb(16 24 36 / .04)",
			"--df-grid": "#E3EAF3", "--df-axis": "#A6B8CC", "--c-other": "#78889B", "--c-previous": "#8592A2",
			"--map-water": "#DDE8F2", "--map-land": "#FCFDFF", "--map-line": "#C2D1E2", "--map-label": "#536680",
		},
		dark: map[string]string{
			"--color-base-100": "#131B29", "--color-base-200": "#0C121E", "--color-base-300": "#1D283B", "--color-base-content": "#E4EBF4",
			"--color-primary-content": "#FFFFFF", "--color-secondary": "#B0BFD4", "--color-secondary-content": "#131B29", "--color-neutral": "#E4EBF4",
			"--color-neutral-content": "#0C121E", "--color-success": "#4CC79A", "--color-success-content": "#0E1319", "--color-warning": "#F0BC5E",
			"--color-warning-content": "#16202C", "--color-error": "#FF8F75", "--color-error-content": "#16202C", "--df-ink-2": "#B0BFD4",
			"--df-ink-3": "#90A1BB", "--df-line": "#243043", "--df-line-strong": "#37465E", "--df-control": "#677995",
			"--df-raised": "#1A2434", "--df-pos": "#4CC79A", "--df-neg": "#FF8F75", "--df-warn": "#F0BC5E",
			"--df-pos-soft": "#14312A", "--df-neg-soft": "#3A211C", "--df-warn-soft": "#352A15", "--df-shadow": "none",
			"--df-grid": "#202A3B", "--df-axis": "#435269", "--c-other": "#76869D", "--c-previous": "#6F7E90",
			"--map-water": "#0F1521", "--map-land": "#192131", "--map-line": "#2D3A4E", "--map-label": "#90A1BB",
		},
	},
}
