import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, applyAll, diff, get, type JsonObject, pointer, same, setting, touched, uuid } from "../src/editor/document.ts";

const doc: JsonObject = { name: "Trade", widgets: { "a/b": { title: "A", list: [1, 2] }, c: {} } };
const at = (path: string, after?: JsonObject[string]): { op_id: string; path: string; after?: JsonObject[string] } => ({ op_id: "1", path, ...(after === undefined ? {} : { after }) });

test("pointers", () => {
  assert.equal(get(doc, "/widgets/a~1b/title"), "A");
  assert.equal(get(doc, "/widgets/a~1b/list/1"), 2);
  assert.equal(get(doc, "/widgets/a~1b/list/01"), undefined);
  assert.equal(get(doc, "/widgets/toString"), undefined);
  assert.equal(pointer("widgets", "a/b~"), "/widgets/a~1b~0");
});

test("apply changes nothing in place and shares the rest", () => {
  const done = apply(doc, at("/widgets/c/title", "C")) as JsonObject;
  assert.equal(get(doc, "/widgets/c/title"), undefined);
  assert.equal(get(done, "/widgets/c/title"), "C");
  assert.equal(get(done, "/widgets/a~1b"), get(doc, "/widgets/a~1b"));
});

test("what is gone stays gone, objects on the way are made", () => {
  for (const path of ["/widgets/x/title", "/filters/x/label", "/name/x", "/widgets/a~1b/list/2"]) assert.equal(apply(doc, at(path, "C")), undefined, path);
  assert.equal(apply(doc, at("/widgets/a~1b/list/0")), undefined);
  assert.equal(apply(doc, at("/widgets/c/encode/hue")), undefined);
  assert.deepEqual(get(apply(doc, at("/widgets/c/layouts/tablet", { x: 1 })) as JsonObject, "/widgets/c"), { layouts: { tablet: { x: 1 } } });
  assert.deepEqual(get(apply(doc, at("/settings/live", true)) as JsonObject, "/settings"), { live: true });
});

test("keys named like something of Object are keys", () => {
  const done = apply(doc, at("/widgets/__proto__", { title: "evil" })) as JsonObject;
  assert.equal((done["widgets"] as JsonObject)["title"], undefined);
  assert.equal(({} as JsonObject)["title"], undefined);
  assert.deepEqual(get(done, "/widgets/__proto__"), { title: "evil" });
});

test("setting says what was there", () => {
  const operation = setting(doc, "/widgets/a~1b/title", "B");
  assert.deepEqual([operation?.path, operation?.before, operation?.after], ["/widgets/a~1b/title", "A", "B"]);
  assert.equal("after" in (setting(doc, "/widgets/a~1b/title", undefined) ?? {}), false);
  assert.equal("before" in (setting(doc, "/widgets/c/layouts/tablet", { x: 0 }) ?? {}), false);
  assert.equal(setting(doc, "/name", "Trade"), null);
  assert.equal(setting(doc, "/widgets/c/format/x", undefined), null);
});

test("diff leads from one document to the other", () => {
  const to: JsonObject = { name: "Trade", settings: { live: true }, widgets: { "a/b": { title: "B", list: [1] }, d: { title: "D" } } };
  const operations = diff(doc, to);
  assert.ok(same(applyAll(doc, operations), to));
  assert.deepEqual(operations.map((each) => each.path).sort(), ["/settings", "/widgets/a~1b/list", "/widgets/a~1b/title", "/widgets/c", "/widgets/d"]);
  assert.deepEqual([...touched(operations)].sort(), ["a/b", "c", "d"]);
});

test("ids are in the order of time", () => {
  assert.match(uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(uuid(1) < uuid(1_000_000_000_000));
});
