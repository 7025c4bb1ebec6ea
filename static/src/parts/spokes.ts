// Room for the names around a radar.

/** Of the drawing, in pixels. */
export interface Box {
  width: number;
  height: number;
}

const line = 14; // height of a name
const least = 0.45; // of the radius that there would be without names
const upright = 0.01; // of a radius

/** The largest radius at which the names, which stand gap beyond the ends of
 * the axes, are within the box, and how wide each name may be then: there is a
 * radius below which names rather give way. Axes go round from the top. */
export function spokes(names: number[], { width, height }: Box, gap: number): { radius: number; widths: number[] } {
  const ways = names.map((_, i) => Math.PI / 2 + (2 * Math.PI * i) / names.length).map((angle) => [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))] as const);
  const most = Math.min(width, height) / 2;
  let radius = most;
  ways.forEach(([x, y], i) => {
    // At the top and at the bottom names stand over the end, else beside it.
    if (x > upright) radius = Math.min(radius, (width / 2 - (names[i] ?? 0)) / x - gap);
    if (y > upright) radius = Math.min(radius, (height / 2 - line) / y - gap);
  });
  radius = Math.floor(Math.max(radius, most * least));
  return { radius, widths: ways.map(([x]) => (x > upright ? width / 2 - (radius + gap) * x : width)) };
}
