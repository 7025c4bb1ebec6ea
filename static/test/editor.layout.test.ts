import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, Layout } from "../src/editor/document.ts";
import { added, align, arrange, firstFree, type Layouts, layoutOf, letGo, overlap, readingOrder, reorder, settle } from "../src/editor/layout.ts";

const l = (x: number, y: number, w: number, h: number): Layout => ({ x, y, w, h });
const of = (all: Record<string, Layout>): Layouts => new Map(Object.entries(all));
const plain = (layouts: Layouts | null): Record<string, Layout> => Object.fromEntries(layouts ?? []);

test("what overlaps gives way downwards, the same for everybody", () => {
  const [a, b] = [settle(of({ a: l(0, 0, 4, 4), b: l(2, 0, 4, 4) })), settle(of({ b: l(2, 0, 4, 4), a: l(0, 0, 4, 4) }))];
  assert.deepEqual(plain(a), { a: l(0, 0, 4, 4), b: l(2, 4, 4, 4) });
  assert.deepEqual(plain(b), plain(a));
});

test("a widget that moves pushes others, never a locked one", () => {
  const all = of({ a: l(0, 0, 4, 4), b: l(4, 0, 4, 4), c: l(8, 0, 4, 4) });
  assert.deepEqual(plain(arrange(all, of({ a: l(3, 0, 4, 4) }), new Set(), 12)), { a: l(3, 0, 4, 4), b: l(4, 4, 4, 4), c: l(8, 0, 4, 4) });
  assert.equal(arrange(all, of({ a: l(3, 0, 4, 4) }), new Set(["b"]), 12), null);
  assert.equal(arrange(all, of({ a: l(-1, 0, 4, 4) }), new Set(), 12), null);
  assert.equal(arrange(all, of({ c: l(9, 0, 4, 4) }), new Set(), 12), null);
});

test("the first free place", () => {
  const all = of({ a: l(0, 0, 9, 4), b: l(0, 4, 3, 4) });
  assert.deepEqual(firstFree(all, 3, 4, 12), l(9, 0, 3, 4));
  assert.deepEqual(firstFree(all, 6, 4, 12), l(3, 4, 6, 4));
  assert.deepEqual(firstFree(all, 12, 4, 12), l(0, 8, 12, 4));
});

const doc: JsonObject = {
  widgets: {
    a: { type: "kpi", layout: { x: 0, y: 0, w: 3, h: 3 } },
    b: { type: "line", layout: { x: 3, y: 0, w: 9, h: 9 } },
    c: { type: "bar", layout: { x: 0, y: 3, w: 3, h: 6 } },
  },
};

test("tablet and phone by themselves", () => {
  assert.deepEqual(plain(layoutOf(doc, "tablet")), { a: l(0, 0, 6, 3), c: l(0, 3, 6, 6), b: l(0, 9, 6, 9) });
  assert.deepEqual(plain(layoutOf(doc, "phone")), { a: l(0, 0, 2, 3), c: l(0, 3, 2, 6), b: l(0, 9, 2, 9) });
});

test("no row of a tablet has a hole", () => {
  const rows = (sizes: [number, number][]): number[][] => {
    const own: JsonObject = { widgets: Object.fromEntries(sizes.map(([w, h], i) => [`w${i}`, { type: "text", layout: { x: 0, y: 20 * i, w, h } }])) };
    return [...layoutOf(own, "tablet").values()].map((at) => [at.x, at.y, at.w, at.h]);
  };
  assert.deepEqual(rows([[3, 3], [3, 3], [3, 4]]), [[0, 0, 2, 4], [2, 0, 2, 4], [4, 0, 2, 4]]);
  assert.deepEqual(rows([[3, 3], [3, 3], [3, 3], [3, 3], [9, 9]]), [[0, 0, 3, 3], [3, 0, 3, 3], [0, 3, 3, 3], [3, 3, 3, 3], [0, 6, 6, 9]]);
  assert.deepEqual(rows([[4, 8], [3, 9], [4, 8]]), [[0, 0, 3, 9], [3, 0, 3, 9], [0, 9, 6, 8]]);
  assert.deepEqual(rows([[4, 2], [4, 9]]), [[0, 0, 6, 2], [0, 2, 6, 9]]);
});

test("tablet and phone as somebody put them", () => {
  const own = structuredClone(doc) as { widgets: Record<string, JsonObject> };
  own.widgets["c"] = { ...own.widgets["c"], layouts: { tablet: { x: 0, y: 0, w: 2, h: 4 }, phone: { y: 0, h: 4 } } };
  assert.deepEqual(plain(layoutOf(own as unknown as JsonObject, "tablet")), { c: l(0, 0, 2, 4), a: l(0, 4, 6, 3), b: l(0, 7, 6, 9) });
  assert.deepEqual(plain(layoutOf(own as unknown as JsonObject, "phone")), { c: l(0, 0, 2, 4), a: l(0, 4, 2, 3), b: l(0, 7, 2, 9) });
});

test("figures share a row of a phone, what it leaves out comes last", () => {
  const kpi = (y: number, more: JsonObject = {}): JsonObject => ({ type: "kpi", layout: { x: 0, y, w: 3, h: 3 }, ...more });
  const own: JsonObject = { widgets: { a: kpi(0), b: kpi(3), c: kpi(6, { layouts: { phone: { hidden: true } } }), d: kpi(9), e: { type: "bar", layout: { x: 0, y: 12, w: 3, h: 6 }, layouts: { phone: { y: 0 } } } } };
  assert.deepEqual(plain(layoutOf(own, "phone")), { e: l(0, 0, 2, 6), a: l(0, 6, 2, 3), b: l(0, 9, 1, 3), d: l(1, 9, 1, 3), c: l(0, 12, 2, 3) });
});

test("what others change while somebody holds a widget stays", () => {
  const from = of({ a: l(0, 0, 5, 7), b: l(6, 0, 5, 7) });
  const taller = of({ a: l(0, 0, 5, 9), b: l(6, 0, 5, 7) });
  const none = new Set<string>();
  assert.deepEqual(letGo("a", from, taller, from, none, 12), taller);
  // The other was resized, moved, removed; a third came, and gives way.
  assert.deepEqual(plain(letGo("a", from, taller, of({ a: l(0, 0, 5, 7), b: l(6, 0, 5, 11) }), none, 12)), { a: l(0, 0, 5, 9), b: l(6, 0, 5, 11) });
  assert.deepEqual(plain(letGo("a", from, taller, of({ a: l(0, 0, 5, 7), b: l(6, 3, 5, 7) }), none, 12)), { a: l(0, 0, 5, 9), b: l(6, 3, 5, 7) });
  assert.deepEqual(plain(letGo("a", from, taller, of({ a: l(0, 0, 5, 7) }), none, 12)), { a: l(0, 0, 5, 9) });
  assert.deepEqual(plain(letGo("a", from, taller, of({ a: l(0, 0, 5, 7), b: l(6, 0, 5, 7), c: l(0, 7, 3, 3) }), none, 12)), { a: l(0, 0, 5, 9), b: l(6, 0, 5, 7), c: l(0, 9, 3, 3) });
  // It was itself moved while one made it taller, and removed.
  assert.deepEqual(plain(letGo("a", from, taller, of({ a: l(0, 2, 5, 7), b: l(6, 0, 5, 7) }), none, 12)), { a: l(0, 2, 5, 9), b: l(6, 0, 5, 7) });
  assert.deepEqual(plain(letGo("a", from, taller, of({ b: l(6, 0, 5, 7) }), none, 12)), { b: l(6, 0, 5, 7) });
  // Given up; and what was pushed away only comes from what is held.
  const now = of({ a: l(0, 0, 5, 7), b: l(6, 0, 5, 11) });
  assert.deepEqual(letGo("a", from, from, now, none, 12), now);
  assert.deepEqual(plain(letGo("a", from, of({ a: l(6, 0, 5, 7), b: l(6, 7, 5, 7) }), now, none, 12)), { a: l(6, 0, 5, 7), b: l(6, 7, 5, 11) });
  assert.deepEqual(letGo("a", from, of({ a: l(6, 0, 5, 7), b: l(6, 7, 5, 7) }), now, new Set(["b"]), 12), now);
});

test("on a phone a widget goes below what it has passed by half", () => {
  const now = of({ a: l(0, 0, 2, 8), b: l(0, 8, 2, 3), c: l(0, 11, 2, 9) });
  const order = (y: number): string => readingOrder(reorder("b", l(0, y, 2, 3), now)).join("");
  assert.equal(order(9), "abc");
  assert.equal(order(13), "acb");
  assert.equal(order(40), "acb");
  assert.equal(order(5), "abc");
  assert.equal(order(3), "bac");
  assert.deepEqual(plain(reorder("b", l(0, 13, 2, 3), now)), { a: l(0, 0, 2, 8), c: l(0, 8, 2, 9), b: l(0, 17, 2, 3) });
});

test("alignment", () => {
  const all = of({ a: l(0, 0, 2, 4), b: l(5, 6, 3, 3), c: l(10, 1, 2, 5) });
  const ids = ["a", "b", "c"];
  // Below each other they have no common top; and no gap to share.
  const below = of({ a: l(3, 0, 3, 3), b: l(0, 3, 12, 9), c: l(0, 12, 5, 9) });
  for (const how of ["top", "across"] as const) assert.equal(align(below, ids, how, 12), null);
  assert.deepEqual(plain(align(below, ids, "left", 12))["a"], l(0, 0, 3, 3));
  assert.deepEqual(plain(align(all, ids, "top", 12)), { a: l(0, 0, 2, 4), b: l(5, 0, 3, 3), c: l(10, 0, 2, 5) });
  assert.deepEqual(plain(align(all, ids, "left", 12))["b"], l(0, 6, 3, 3));
  assert.deepEqual(plain(align(all, ids, "width", 12))["b"], l(5, 6, 2, 3));
  assert.deepEqual(plain(align(all, ids, "height", 12))["b"], l(5, 6, 3, 4));
  assert.deepEqual(plain(align(of({ a: l(0, 0, 2, 4), b: l(3, 0, 2, 4), c: l(10, 0, 2, 4) }), ids, "across", 12))["b"], l(5, 0, 2, 4));
});

test("nothing overlaps, whatever is asked", () => {
  let seed = 7;
  const next = (n: number): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) % n;
  for (let round = 0; round < 300; round++) {
    const all = new Map(Array.from({ length: 8 }, (_, i) => [String(i), l(next(9), next(12), 1 + next(4), 1 + next(6))] as const).map(([id, at]) => [id, { ...at, x: Math.min(at.x, 12 - at.w) }]));
    const calm = settle(all);
    const moved = arrange(calm, of({ 0: l(next(9), next(12), 1 + next(4), 1 + next(6)) }), new Set(["1"]), 12);
    for (const places of moved ? [calm, moved] : [calm]) {
      const list = [...places.values()];
      list.forEach((a, i) => list.slice(i + 1).forEach((b) => assert.ok(!overlap(a, b))));
    }
    if (moved) assert.deepEqual(moved.get("1"), calm.get("1"));
  }
});

test("boxes of what is added lie over nothing", () => {
  const now = of({ a: l(0, 0, 4, 8), b: l(0, 8, 12, 4) });
  assert.deepEqual(added(now, [{ x: 4, y: 0, w: 4, h: 8 }, { x: 4, y: 2, w: 4, h: 8 }, { w: 3, h: 3 }], 12), [l(4, 0, 4, 8), l(4, 12, 4, 8), l(8, 0, 3, 3)]);
  assert.deepEqual(added(now, [{ x: 11, y: 0, w: 4, h: 8 }], 12), [l(8, 0, 4, 8)]);
  assert.deepEqual(added(now, [{ x: 0, y: 0, w: 4, h: 8 }], 12), [l(0, 12, 4, 8)]);
});
