// Where widgets stand on the grid: what the editor computes of it, without a
// page. The grid has 12 columns on a desktop, 6 on a tablet, on a phone one of
// two halves. domain/dashboards/places.go computes the same for the page.
import { get, isObject, type Json, type JsonObject, type Layout, same, widgets } from "./document.ts";

export type Device = "desktop" | "tablet" | "phone";
export type Layouts = Map<string, Layout>;

/** A phone has one column; figures stand two-up in it. */
export const columns: Record<Device, number> = { desktop: 12, tablet: 6, phone: 2 };

const number = (value: Json | undefined, fallback: number): number => (typeof value === "number" && Number.isFinite(value) ? Math.max(0, Math.round(value)) : fallback);

export function readLayout(value: Json | undefined, width = 12): Layout {
  const given = isObject(value) ? value : {};
  const w = Math.min(Math.max(1, number(given["w"], 4)), width);
  return { x: Math.min(number(given["x"], 0), width - w), y: number(given["y"], 0), w, h: Math.max(1, number(given["h"], 4)) };
}

/** The size that a type of widget begins with (DESIGN.md, 2). */
export function firstSize(type: string): { w: number; h: number } {
  const sizes: Record<string, [number, number]> = {
    kpi: [3, 3], line: [9, 9], area: [9, 9], step: [9, 9], forecast: [9, 9], bar: [3, 9], heatmap: [3, 9], stacked_bar: [4, 8], donut: [3, 8], map: [5, 8], table: [6, 9], pivot: [6, 9], text: [4, 4], image: [4, 6], divider: [12, 1], section: [12, 1], control: [4, 2],
  };
  const [w, h] = sizes[type] ?? [4, 8];
  return { w, h };
}

/** The size that it can't be smaller than. */
export function leastSize(type: string): { w: number; h: number } {
  switch (type) {
    case "kpi":
      return { w: 2, h: 3 };
    case "table":
    case "pivot":
      return { w: 4, h: 6 };
    case "section":
      return { w: 12, h: 1 };
    case "control":
      return { w: 2, h: 2 };
    case "text":
    case "image":
    case "divider":
      return { w: 1, h: 1 };
    default:
      return { w: 3, h: 5 };
  }
}

/** Band by band from the top, where a band ends at a line that nothing
 * crosses, and within a band column by column; the id decides between equals,
 * so that everybody sees the same. */
export function readingOrder(layouts: Layouts): string[] {
  const rows = [...layouts].sort(([a, l], [b, m]) => l.y - m.y || (a < b ? -1 : 1));
  const order: string[] = [];
  while (rows.length > 0) {
    let bottom = 0;
    const end = rows.findIndex(([, at], i) => {
      if (i > 0 && at.y >= bottom) return true;
      bottom = Math.max(bottom, at.y + at.h);
      return false;
    });
    const band = rows.splice(0, end < 0 ? rows.length : end);
    order.push(...band.sort(([, l], [, m]) => l.x - m.x || l.y - m.y).map(([id]) => id));
  }
  return order;
}

export function overlap(a: Layout, b: Layout): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** Moves a place down until it touches none of the others. */
function fall(at: Layout, others: Iterable<Layout>): Layout {
  const list = [...others];
  let place = at;
  for (;;) {
    const hit = list.find((each) => overlap(place, each));
    if (!hit) return place;
    place = { ...place, y: hit.y + hit.h };
  }
}

/** Frees a layout of overlaps: what is in fixed stays, others give way
 * downwards, in reading order. Two people may have put widgets on the same
 * place at the same time. */
export function settle(layouts: Layouts, fixed: ReadonlySet<string> = new Set()): Layouts {
  const placed: Layouts = new Map();
  for (const [id, at] of layouts) if (fixed.has(id)) placed.set(id, at);
  for (const id of readingOrder(layouts)) {
    if (!placed.has(id)) placed.set(id, fall(layouts.get(id) as Layout, placed.values()));
  }
  return placed;
}

/** Puts some widgets to new places; the others give way. Null where that
 * can't be: beyond an edge, or on a locked one. */
export function arrange(layouts: Layouts, moves: Layouts, locked: ReadonlySet<string>, width: number): Layouts | null {
  for (const [id, at] of moves) {
    if (at.x < 0 || at.y < 0 || at.w < 1 || at.h < 1 || at.x + at.w > width) return null;
    for (const other of locked) {
      const there = layouts.get(other);
      if (other !== id && there && !moves.has(other) && overlap(at, there)) return null;
    }
  }
  // Those that are moved together do not lie on each other either.
  return settle(new Map([...layouts, ...settle(moves)]), new Set([...moves.keys(), ...locked]));
}

/** Where all stand once somebody lets go of a widget: they held it from one
 * arrangement to another, and others may have changed what stands now meanwhile.
 * Of it, only what they did to the widget counts then: where it is, or how large. */
export function letGo(id: string, from: Layouts, to: Layouts, now: Layouts, locked: ReadonlySet<string>, width: number): Layouts {
  if (from.size === now.size && [...from].every(([each, at]) => same({ ...at }, now.get(each) && { ...(now.get(each) as Layout) }))) return to;
  const [before, after, there] = [from.get(id), to.get(id), now.get(id)];
  if (!before || !after || !there) return now;
  const at = { ...there };
  for (const key of ["x", "y", "w", "h"] as const) if (after[key] !== before[key]) at[key] = after[key];
  at.x = Math.min(at.x, width - at.w);
  return same({ ...at }, { ...there }) ? now : (arrange(now, new Map([[id, at]]), locked, width) ?? now);
}

/** A phone's column after a widget was let go somewhere: below what it has passed
 * by half, whatever it pushed away meanwhile. */
export function reorder(id: string, to: Layout, now: Layouts): Layouts {
  const from = now.get(id);
  if (!from) return now;
  const middle = ({ y, h }: Layout): number => y + h / 2;
  const down = to.y > from.y;
  const order = readingOrder(now).filter((each) => each !== id);
  const at = order.findIndex((each) => {
    const other = now.get(each) as Layout;
    return down ? middle(other) > to.y + to.h : middle(other) > to.y;
  });
  order.splice(at < 0 ? order.length : at, 0, id);
  let y = 0;
  return new Map(order.map((each) => {
    const place = now.get(each) as Layout;
    const next = { ...place, x: 0, y };
    y += place.h;
    return [each, next];
  }));
}

/** The first place where something of this size is free, from the top. */
export function firstFree(layouts: Layouts, w: number, h: number, width: number): Layout {
  const bottom = Math.max(0, ...[...layouts.values()].map((each) => each.y + each.h));
  for (let y = 0; y < bottom; y++) {
    for (let x = 0; x + w <= width; x++) {
      const at = { x, y, w, h };
      if (![...layouts.values()].some((each) => overlap(at, each))) return at;
    }
  }
  return { x: 0, y: bottom, w, h };
}

/** Where boxes stand for things that will be added one after the other: where they
 * were dropped, or else below what is there and gives way only then; or at the first
 * place that is free. */
export function added(layouts: Layouts, list: readonly { x?: number; y?: number; w: number; h: number }[], width: number): Layout[] {
  const now = new Map(layouts);
  return list.map(({ x, y, w, h }, n) => {
    let at: Layout = x === undefined || y === undefined ? firstFree(now, w, h, width) : { x: Math.max(0, Math.min(x, width - w)), y, w, h };
    for (let on: Layout[]; (on = [...now.values()].filter((each) => overlap(at, each))).length > 0; ) at = { ...at, y: Math.max(...on.map((each) => each.y + each.h)) };
    now.set(`added ${String(n)}`, at);
    return at;
  });
}

/** The desktop's layout. */
export function desktop(doc: JsonObject): Layouts {
  return new Map([...widgets(doc)].map(([id, widget]) => [id, readLayout(widget["layout"])]));
}

export function lockedOf(doc: JsonObject): Set<string> {
  return new Set([...widgets(doc)].filter(([, widget]) => widget["locked"] === true).map(([id]) => id));
}

/** Where widgets stand on a device: as somebody put them there, the rest
 * automatically in reading order: on a tablet up to three to a row, on a phone
 * one below the other. */
export function layoutOf(doc: JsonObject, device: Device): Layouts {
  const base = desktop(doc);
  if (device === "desktop") return settle(base, lockedOf(doc));
  const width = columns[device];
  const placed: Layouts = new Map();
  for (const id of base.keys()) {
    const own = get(doc, `/widgets/${escape(id)}/layouts/${device}`);
    if (!isObject(own)) continue;
    const at = base.get(id) as Layout;
    if (device === "tablet") placed.set(id, readLayout({ ...at, ...own }, width));
  }
  // A phone's y is an order; rows follow from the heights.
  if (device === "phone") return stack(doc, base);
  const settled = settle(placed);
  let y = Math.max(0, ...[...settled.values()].map((each) => each.y + each.h));
  const rest = readingOrder(base).filter((id) => !settled.has(id));
  while (rest.length > 0) {
    const row = rest.splice(0, tabletRow(rest.map((id) => base.get(id) as Layout)));
    const h = Math.max(...row.map((id) => (base.get(id) as Layout).h));
    const w = width / row.length;
    row.forEach((id, i) => settled.set(id, { x: i * w, y, w, h }));
    y += h;
  }
  return settled;
}

/** How many of the widgets share the first row of a tablet: figures two or
 * three, what takes up to a third of a desktop's width two that are about as
 * tall, so that no row has a hole. */
function tabletRow(order: readonly Layout[]): number {
  const other = order.findIndex((at) => at.w > 3 || at.h > 4);
  const figures = other < 0 ? order.length : other;
  if (figures === 2 || figures === 4) return 2;
  if (figures > 0) return Math.min(figures, 3);
  const [a, b] = order;
  return a && b && a.w <= 4 && b.w <= 4 && 2 * Math.min(a.h, b.h) > Math.max(a.h, b.h) ? 2 : 1;
}

/** Widgets that a phone leaves out. */
export function hiddenOnPhone(doc: JsonObject): Set<string> {
  return new Set([...widgets(doc).keys()].filter((id) => get(doc, `/widgets/${escape(id)}/layouts/phone/hidden`) === true));
}

/** One below the other, in the order that somebody chose, the rest after them;
 * what is left out comes last. Figures beside each other share a row, but for
 * the first one. */
function stack(doc: JsonObject, base: Layouts): Layouts {
  const off = hiddenOnPhone(doc);
  const own = (id: string, key: string): number => number(get(doc, `/widgets/${escape(id)}/layouts/phone/${key}`), 0);
  const rank = (id: string): number => (typeof get(doc, `/widgets/${escape(id)}/layouts/phone/y`) === "number" ? own(id, "y") : Number.MAX_SAFE_INTEGER);
  const order = readingOrder(base).map((id, i) => ({ id, i })).sort((a, b) => Number(off.has(a.id)) - Number(off.has(b.id)) || rank(a.id) - rank(b.id) || a.i - b.i);
  const placed: Layouts = new Map();
  let figures = 0;
  let left: Layout | undefined;
  let y = 0;
  for (const { id } of order) {
    const h = own(id, "h") || (base.get(id) as Layout).h;
    const half = get(doc, `/widgets/${escape(id)}/type`) === "kpi" && !off.has(id) && ++figures > 1;
    const at: Layout = half && left ? { x: 1, y: left.y, w: 1, h } : { x: 0, y, w: half ? 1 : 2, h };
    left = half && !left ? at : undefined;
    placed.set(id, at);
    y = Math.max(y, at.y + h);
  }
  return placed;
}

export type Alignment = "left" | "top" | "width" | "height" | "across" | "down";

/** The places of several widgets brought into line. The first is the measure
 * for width and height. Between the outermost, "across" and "down" leave the
 * same gap. Null where they have no room: at one top they would lie on each
 * other, or there is no gap between them to share. At one left edge they stand
 * below each other. */
export function align(layouts: Layouts, ids: readonly string[], how: Alignment, width: number): Layouts | null {
  const chosen = ids.flatMap((id) => {
    const at = layouts.get(id);
    return at ? [{ id, at }] : [];
  });
  const [first] = chosen;
  if (!first) return new Map();
  const low = (of: (each: Layout) => number): number => Math.min(...chosen.map(({ at }) => of(at)));
  const high = (of: (each: Layout) => number): number => Math.max(...chosen.map(({ at }) => of(at)));
  const apart = (places: Layouts): Layouts | null => {
    const list = [...places.values()];
    return list.some((a, i) => list.slice(i + 1).some((b) => overlap(a, b))) ? null : places;
  };
  const spread = (start: "x" | "y", size: "w" | "h"): Layouts | null => {
    const sorted = [...chosen].sort((a, b) => a.at[start] - b.at[start]);
    const from = low((each) => each[start]);
    const to = high((each) => each[start] + each[size]);
    const gap = (to - from - sorted.reduce((sum, { at }) => sum + at[size], 0)) / Math.max(1, sorted.length - 1);
    if (gap < 0) return null;
    let next = from;
    return new Map(sorted.map(({ id, at }) => {
      const place = { ...at, [start]: Math.max(0, Math.round(next)) };
      next += at[size] + gap;
      return [id, place];
    }));
  };
  switch (how) {
    case "left":
      return new Map(chosen.map(({ id, at }) => [id, { ...at, x: low((each) => each.x) }]));
    case "top":
      return apart(new Map(chosen.map(({ id, at }) => [id, { ...at, y: low((each) => each.y) }])));
    case "width":
      return new Map(chosen.map(({ id, at }) => [id, { ...at, w: first.at.w, x: Math.min(at.x, width - first.at.w) }]));
    case "height":
      return new Map(chosen.map(({ id, at }) => [id, { ...at, h: first.at.h }]));
    case "across":
      return spread("x", "w");
    case "down":
      return spread("y", "h");
  }
}

function escape(id: string): string {
  return id.replaceAll("~", "~0").replaceAll("/", "~1");
}
