import assert from "node:assert/strict";
import { test } from "node:test";
import { applyAll, type JsonObject, widgets } from "../src/editor/document.ts";
import { addTab, carry, moveTab, onTab, removeTab, tabOf, tabOrder } from "../src/editor/tabset.ts";

const at = (x: number, y: number): JsonObject => ({ x, y, w: 6, h: 4 });
const doc: JsonObject = { widgets: { a: { type: "bar", layout: at(0, 0) }, b: { type: "bar", layout: at(6, 0) } } };
let n = 0;
const add = (to: JsonObject): JsonObject => applyAll(to, addTab(to, (i) => `Tab ${String(i)}`, () => `t${String(++n)}`)?.operations ?? []);

test("the first tab takes what is there, the next begins empty", () => {
  n = 0;
  const two = add(doc);
  assert.deepEqual(two["tabs"], { t1: { title: "Tab 1", position: 0 }, t2: { title: "Tab 2", position: 1 } });
  assert.deepEqual([...widgets(onTab(two, "t1")).keys()], ["a", "b"]);
  assert.equal(widgets(onTab(two, "t2")).size, 0);
  assert.deepEqual(tabOrder(add(two)), ["t1", "t2", "t3"]);
  assert.equal(tabOf(applyAll(two, carry(two, ["a"], "t2")), "a"), "t2");
});

test("what is carried to a tab finds a free place there", () => {
  n = 0;
  const two = add(doc);
  const carried = applyAll(two, carry(two, ["b", "a"], "t2"));
  assert.deepEqual([...widgets(onTab(carried, "t2"))].map(([id, w]) => [id, w["layout"]]), [["b", at(0, 0)], ["a", at(6, 0)]]);
});

test("a tab goes with its widgets, the only one leaves them", () => {
  n = 0;
  const two = add(doc);
  const one = applyAll(two, removeTab(two, "t1"));
  assert.deepEqual([tabOrder(one), widgets(one).size], [["t2"], 0]);
  const other = applyAll(two, removeTab(two, "t2"));
  assert.deepEqual([tabOrder(other), widgets(other).size], [["t1"], 2]);
  const none = applyAll(other, removeTab(other, "t1"));
  assert.deepEqual([tabOrder(none), widgets(none).size, tabOf(none, "a")], [[], 2, undefined]);
});

test("tabs change places", () => {
  n = 0;
  const three = add(add(doc));
  assert.deepEqual(tabOrder(applyAll(three, moveTab(three, "t3", 0))), ["t3", "t1", "t2"]);
  assert.deepEqual(tabOrder(applyAll(three, moveTab(three, "t1", 9))), ["t2", "t3", "t1"]);
});
