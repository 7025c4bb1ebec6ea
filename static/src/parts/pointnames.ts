// Where the names of points stand.

/** A rectangle, by its corners. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A point with the size that its name has; without a width it has none. */
export interface Named {
  x: number;
  y: number;
  radius: number;
  width: number;
  height: number;
}

export type Side = "top" | "right" | "left" | "bottom";

const sides: readonly Side[] = ["top", "right", "left", "bottom"];
const air = 2; // between names, in pixels

/** Gives each name the first side of its point on which it lies within the plot,
 * over no point and no other name; undefined where there is none. The larger
 * points come first. */
export function places(points: readonly Named[], plot: Area, distance: number): (Side | undefined)[] {
  const taken = points.map(({ x, y, radius }): Area => ({ left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }));
  const found: (Side | undefined)[] = points.map(() => undefined);
  const order = points.map((_, i) => i).sort((a, b) => points[b]!.radius - points[a]!.radius || a - b);
  for (const i of order) {
    const point = points[i]!;
    if (point.width === 0) continue;
    for (const side of sides) {
      const area = beside(point, side, distance);
      if (area.left < plot.left || area.top < plot.top || area.right > plot.right || area.bottom > plot.bottom) continue;
      if (taken.some((other, n) => n !== i && overlap(area, other))) continue;
      found[i] = side;
      taken.push(area);
      break;
    }
  }
  return found;
}

function beside({ x, y, radius, width, height }: Named, side: Side, distance: number): Area {
  const away = radius + distance;
  const left = side === "right" ? x + away : side === "left" ? x - away - width : x - width / 2;
  const top = side === "top" ? y - away - height : side === "bottom" ? y + away : y - height / 2;
  return { left, top, right: left + width, bottom: top + height };
}

function overlap(a: Area, b: Area): boolean {
  return a.left < b.right + air && b.left < a.right + air && a.top < b.bottom && b.top < a.bottom;
}
