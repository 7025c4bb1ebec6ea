import assert from "node:assert/strict";
import { test } from "node:test";
import { Places, Values } from "../src/editor/contest.ts";
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

test("a program takes a place, and who had given it is told", () => {
  const bob = new Places("Bob");
  const his = change("Bob", [["a", l(0, 0, 3, 9), l(6, 0, 3, 9)]]);
  bob.hear(his, his);
  const file = change("Bob", [["a", l(6, 0, 3, 9), l(0, 0, 3, 9)]]).map(({ user_id: _, ...each }) => each);
  assert.deepEqual(bob.hear(file), [{ path: "/widgets/a/layout", widget: "a", user: "", mine: { x: 6 } }]);
});

const wrote = (user_id: string | undefined, path: string, before: Json | undefined, after: Json | undefined): Logged => ({
  op_id: `op ${String(++rev)}`, rev, path, ...(user_id === undefined ? {} : { user_id }), ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }),
});

test("a program that takes back what somebody has set is told, as is a colleague", () => {
  for (const user of ["Ann", undefined]) {
    const bob = new Values("Bob");
    assert.deepEqual(bob.hear([wrote("Bob", "/widgets/a/title", "Old", "Saved")]), []);
    assert.deepEqual(bob.hear([wrote(user, "/widgets/a/title", "Saved", "Of the file")]), [
      { path: "/widgets/a/title", user: user ?? "", before: "Saved", after: "Of the file", mine: { after: "Saved" }, writing: false },
    ]);
    assert.deepEqual(bob.hear([wrote(user, "/widgets/a/title", "Of the file", "Again")]), [], "once");
  }
});

test("a value that changes as a whole takes what was set below it", () => {
  const bob = new Values("Bob");
  bob.hear([wrote("Bob", "/widgets/a/format/net/label", "Net", "Net sales"), wrote("Bob", "/widgets/a/format/net/better", undefined, "higher")]);
  const lost = bob.hear([wrote(undefined, "/widgets/a/format", { net: { label: "Net sales", better: "higher" } }, { net: { label: "Net", better: "higher" } })]);
  assert.deepEqual(lost.map(({ path, after, mine }) => [path, after, mine]), [["/widgets/a/format/net/label", "Net", { after: "Net sales" }]]);
  assert.equal(bob.has("/widgets/a"), true, "the other one is still there");
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/a/format", {}, undefined)]).map(({ path }) => path), ["/widgets/a/format/net/better"]);
});

test("what is being written is told, and nothing where one's own came later or long ago", () => {
  const bob = new Values("Bob");
  assert.deepEqual(bob.hear([wrote(undefined, "/widgets/a/title", "a", "b")], "/widgets/a/title").map(({ writing, mine }) => [writing, mine]), [[true, undefined]]);
  const file = wrote(undefined, "/widgets/a/title", "b", "c");
  assert.deepEqual(bob.hear([file, wrote("Bob", "/widgets/a/title", "c", "mine")]), []);
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/a", {}, undefined)]), [], "a deletion is told elsewhere");
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/a/title", "mine", "d")], undefined, Date.now() + 200_000), []);
});

test("a place that was set while somebody else held the widget is told, however late they drop it", () => {
  const [ann, bob] = [new Places("Ann"), new Places("Bob")];
  const taken = rev; // Ann takes it up, Bob moves it, she drops it after 34 s
  const his = change("Bob", [["a", l(0, 0, 3, 3), l(6, 0, 3, 3)]], { seen: taken });
  bob.hear(his, his, 0);
  ann.hear(his, [], 0);
  const drop = change("Ann", [["a", l(6, 0, 3, 3), l(3, 0, 3, 3)]], { seen: taken });
  assert.deepEqual(bob.hear(drop, [], 34_000), [{ path: "/widgets/a/layout", widget: "a", user: "Ann", mine: { x: 6 } }]);
  assert.deepEqual(ann.hear(drop, drop, 34_000), []);
  // Who has seen where it was put is another matter.
  const again = change("Bob", [["a", l(3, 0, 3, 3), l(9, 0, 3, 3)]], { seen: rev });
  bob.hear(again, again, 40_000);
  assert.deepEqual(ann.hear(again, [], 70_000), []);
  assert.deepEqual(bob.hear(change("Ann", [["a", l(9, 0, 3, 3), l(0, 0, 3, 3)]], { seen: rev }), [], 90_000), []);
});

test("what was set long ago is told where somebody changes it who had not seen it", () => {
  const bob = new Values("Bob");
  const before = rev;
  bob.hear([wrote("Bob", "/widgets/a/title", "Old", "Bob's")], undefined, 0);
  assert.equal(bob.has("/widgets/a", 600_000, before), true);
  assert.equal(bob.has("/widgets/a", 600_000, rev), false);
  const kept = { ...wrote("Ann", "/widgets/a/title", "Bob's", "Ann's, offline"), seen: before };
  assert.deepEqual(bob.hear([kept], undefined, 600_000).map(({ mine }) => mine), [{ after: "Bob's" }]);
});

test("a part that is changed of what an act set as a whole is told, if it was meant", () => {
  const bob = new Values("Bob");
  const query = (fn: string, limit: number): JsonObject => ({ measures: [{ fn, column: "net" }], limit });
  bob.hear([wrote("Bob", "/widgets/a/query", query("sum", 10), query("avg", 10))]);
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/a/query/limit", 10, 5)]), [], "he had not touched it");
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/a/query/measures/0/fn", "avg", "max")]).map(({ path, after, mine }) => [path, after, mine]), [
    ["/widgets/a/query/measures/0/fn", "max", { after: "avg" }],
  ]);
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/a/query/measures/0/fn", "max", "min")]), [], "once");
  bob.hear([wrote("Bob", "", undefined, { name: "Board", widgets: {} })]);
  bob.hear([wrote("Bob", "/widgets/b", undefined, { title: "New", query: {} })]);
  assert.deepEqual(bob.hear([wrote("Ann", "/widgets/b/title", "New", "Named")]), [], "nothing of a new widget was meant");
});
