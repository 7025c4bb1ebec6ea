// What is written on the areas of treemaps and sunbursts. A number that is cut
// is a wrong number, so of a number all is written or nothing; a name may end
// in an ellipsis.

export type Measure = (text: string) => number;

/** Of a ring, in pixels and radians. */
export interface Slice {
  r0: number;
  r: number;
  angle: number;
}

/** The name, or as much of it as fits, with the fewest letters that still tell
 * it; empty where there are not as many. */
export function shorten(name: string, width: number, measure: Measure, fewest = 3): string {
  if (measure(name) <= width) return name;
  const letters = [...name];
  for (let n = letters.length - 1; n >= fewest; n--) {
    const cut = `${letters.slice(0, n).join("").trimEnd()}…`;
    if (measure(cut) <= width) return cut;
  }
  return "";
}

/** Name and value on a tile, each where it fits. values are ways to write the
 * value, the longest first. */
export function onTile(name: string, values: string[], width: number, height: number, line: number, measure: Measure): string {
  const shown = height < line ? "" : shorten(name, width, measure, 2);
  const value = shown && height >= 2 * line ? values.find((each) => measure(each) <= width) : undefined;
  return value ? `${shown}\n${value}` : shown;
}

/** A name within a slice: along the ring or across it, whichever shows more. */
export function onSlice(name: string, slice: Slice, line: number, measure: Measure): { text: string; rotate: "tangential" | "radial" } {
  const [along, across] = [shorten(name, lengthAlong(slice, line), measure), shorten(name, lengthAcross(slice, line), measure)];
  return along.length >= across.length ? { text: along, rotate: "tangential" } : { text: across, rotate: "radial" };
}

const edge = 2; // between text and the border of its slice

/** How long a straight text may be in the middle of the ring, at a right angle
 * to the radius: its corners stay within the ring and within the slice. */
function lengthAlong({ r0, r, angle }: Slice, line: number): number {
  const [low, high] = [(r0 + r - line) / 2, (r0 + r + line) / 2];
  if (low < r0 + edge || high > r - edge) return 0;
  const outside = Math.sqrt((r - edge) ** 2 - high ** 2);
  const sides = angle < Math.PI ? low * Math.tan(angle / 2) - edge : outside;
  return 2 * Math.min(outside, sides);
}

/** How long a text may be along the radius: its inner end is as wide as the
 * slice is there. */
function lengthAcross({ r0, r, angle }: Slice, line: number): number {
  const inner = angle < Math.PI ? (line / 2 + 1) / Math.tan(angle / 2) : 0;
  return Math.min(r - r0 - 2 * edge, r0 + r - 2 * inner);
}
