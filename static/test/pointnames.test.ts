import assert from "node:assert/strict";
import { test } from "node:test";
import { type Named, places } from "../src/parts/pointnames.ts";

const plot = { left: 0, top: 0, right: 400, bottom: 200 };
const at = (x: number, y: number, width = 60, radius = 4): Named => ({ x, y, radius, width, height: 12 });

test("a name stands above its point where there is room", () => {
  assert.deepEqual(places([at(100, 100), at(300, 100)], plot, 4), ["top", "top"]);
});

test("no name leaves the plot", () => {
  assert.deepEqual(places([at(5, 100)], plot, 4), ["right"], "at the left edge");
  assert.deepEqual(places([at(395, 100)], plot, 4), ["left"], "at the right edge");
  assert.deepEqual(places([at(100, 8)], plot, 4), ["right"], "at the top");
  assert.deepEqual(places([at(100, 100, 500)], plot, 4), [undefined], "wider than the plot");
});

test("names lie over no point and no other name", () => {
  assert.deepEqual(places([at(100, 100), at(112, 95)], plot, 4), ["left", "top"]);
  const heap = Array.from({ length: 12 }, (_, i) => at(200 + i, 100 + i));
  assert.ok(places(heap, plot, 4).filter(Boolean).length < 5);
});

test("the largest bubble has its name first, and a point without a name has none", () => {
  assert.deepEqual(places([at(100, 100, 60, 4), at(100, 84, 60, 10)], plot, 4), ["right", "top"]);
  assert.deepEqual(places([at(100, 100, 0)], plot, 4), [undefined]);
});
