// The theme of all charts: what theme.json says, in the colours and the font
// that the page has where the chart stands, so that a tenant's brand applies.
import themes from "./theme.json";

export type Theme = Record<string, unknown>;

function part(theme: Theme, ...path: string[]): Theme {
  let at: Theme = theme;
  for (const name of path) {
    const next = at[name];
    const copy: Theme = typeof next === "object" && next !== null ? { ...(next as Theme) } : {};
    at[name] = copy;
    at = copy;
  }
  return at;
}

/** A fresh theme for a chart that stands in element. */
export function theme(element: Element, dark: boolean): Theme {
  const style = getComputedStyle(element);
  const css = (name: string): string => style.getPropertyValue(name).trim();
  const base: Theme = { ...(dark ? themes.dark : themes.light) };
  const [ink, ink2, ink3, surface] = [css("--color-base-content"), css("--df-ink-2"), css("--df-ink-3"), css("--color-base-100")];
  base["color"] = [1, 2, 3, 4, 5, 6, 7].map((n) => css(`--c${n}`));
  Object.assign(part(base, "textStyle"), { fontFamily: css("--df-font"), color: ink2 });
  const tooltip = part(base, "tooltip");
  tooltip["backgroundColor"] = css("--df-raised");
  tooltip["borderColor"] = css("--df-line");
  part(base, "tooltip", "textStyle")["color"] = ink;
  for (const axis of ["categoryAxis", "valueAxis", "timeAxis"]) part(base, axis, "axisLabel")["color"] = ink3;
  part(base, "valueAxis", "splitLine", "lineStyle")["color"] = css("--df-grid");
  for (const axis of ["categoryAxis", "timeAxis"]) part(base, axis, "axisLine", "lineStyle")["color"] = css("--df-axis");
  for (const series of ["pie", "heatmap"]) part(base, series, "itemStyle")["borderColor"] = surface;
  return base;
}
