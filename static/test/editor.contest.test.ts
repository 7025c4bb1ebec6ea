import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "../src/editor/contest.ts";
import type { Json, JsonObject } from "../src/editor/document.ts";
import type { Logged } from "../src/editor/sync.ts";

const l = (x: number, y: number, w: number, h: number): JsonObject => ({ x, y, w, h });
let rev = 0;
/** One change: [widget, before, after] each, in the order that the log has them. */
const change = (user_id: string, list: readonly (readonly [string, Json | undefined, Json])[], more: Partial<Logged> = {}, part = "layout"): Logged[] => {
  const change_id = `change ${String(rev)}`;
  return list.map(([id, before, after]) => ({ op_id: `op ${String(++rev)}`, rev, change_id, user_id, path: `/widgets/${id}/${part}`, ...(before === undefined ? {} : { before }), after, ...more }));
};

test("who loses a place at the same moment is told, and what it was", () => {
  const [ann, bob] = [new Places("Ann"), new Places("Bob")];
  // Ann moves, Bob makes it narrower; the log has Bob's last.
  const first = change("Ann", [["a", l(5, 0, 5, 7), l(6, 0, 5, 7)]]);
  const second = change("Bob", [["a", l(6, 0, 5, 7), l(5, 0, 4, 7)]]);
  const sent = second.map((each) => ({ ...each, before: l(5, 0, 5, 7) }));
  assert.deepEqual(ann.hear(first, first), []);
  assert.deepEqual(ann.hear(second), [{ path: "/widgets/a/layout", widget: "a", user: "Bob", mine: { x: 6 } }]);
  assert.deepEqual(bob.hear([...first, ...second], sent), []);
  // She takes it back: nothing of his goes, and he does not hear of it.
  const again = change("Ann", [["a", l(5, 0, 4, 7), l(6, 0, 4, 7)]]);
  assert.deepEqual(bob.hear(again), []);
  assert.deepEqual(ann.hear(again, again), []);
  // Narrower by her, that is his loss.
  assert.deepEqual(bob.hear(change("Ann", [["a", l(6, 0, 4, 7), l(6, 0, 3, 7)]])).map(({ mine }) => mine), [{ w: 4 }]);
});

test("who held it meanwhile, and let go later, takes the other's place", () => {
  const bob = new Places("Bob");
  const his = change("Bob", [["a", l(0, 9, 3, 9), l(0, 11, 3, 9)]]);
  bob.hear(his, his);
  assert.deepEqual(bob.hear(change("Ann", [["a", l(0, 11, 3, 9), l(0, 16, 3, 9)]])).map(({ mine }) => mine), [{ y: 11 }]);
  assert.deepEqual(bob.hear(change("Ann", [["a", l(0, 16, 3, 9), l(0, 17, 3, 9)]])), [], "once");
});

test("nobody is told where nothing of theirs was lost", () => {
  const ann = new Places("Ann");
  const hers = change("Ann", [["a", l(0, 0, 3, 3), l(3, 0, 3, 3)], ["b", l(3, 0, 3, 3), l(3, 3, 3, 3)]]);
  ann.hear(hers, hers);
  assert.deepEqual(ann.hear(change("Bob", [["a", l(3, 0, 3, 3), l(3, 0, 3, 5)]])), [], "both survive");
  assert.deepEqual(ann.hear(change("Bob", [["b", l(3, 3, 3, 3), l(9, 3, 3, 3)]])), [], "hers only gave way");
  assert.deepEqual(ann.hear(change("Ann", [["a", l(3, 0, 3, 5), l(6, 0, 3, 5)]])), [], "her other tab");
  assert.deepEqual(ann.hear(change("Bob", [["c", l(0, 9, 3, 3), l(6, 0, 3, 3)], ["a", l(6, 0, 3, 5), l(6, 3, 3, 5)]])), [], "it gave way to another");
  const d = change("Ann", [["d", l(0, 0, 3, 3), l(0, 5, 3, 3)]]);
  ann.hear(d, d, 1000);
  assert.deepEqual(ann.hear(change("Bob", [["d", l(0, 5, 3, 3), l(9, 0, 3, 3)]]), [], 90_000), [], "long ago");
});

test("on a phone the order is a place, and the first of a change what was meant", () => {
  const ann = new Places("Ann");
  const phone = "layouts/phone";
  const hers = change("Ann", [["a", undefined, { y: 0, h: 3 }], ["b", undefined, { y: 1, h: 9 }]], {}, phone);
  ann.hear(hers, hers);
  assert.deepEqual(ann.hear(change("Bob", [["b", { y: 1, h: 9 }, { y: 5, h: 9 }]], {}, phone)), []);
  assert.deepEqual(ann.hear(change("Bob", [["c", { y: 2, h: 3 }, { y: 0, h: 3 }], ["a", { y: 0, h: 3 }, { y: 1, h: 3 }]], {}, phone)), []);
  const once = change("Ann", [["a", { y: 1, h: 3 }, { y: 0, h: 3 }]], {}, phone);
  ann.hear(once, once);
  assert.deepEqual(ann.hear(change("Bob", [["a", { y: 0, h: 3 }, { y: 3, h: 3 }]], {}, phone)).map(({ mine }) => mine), [{ y: 0 }]);
});
