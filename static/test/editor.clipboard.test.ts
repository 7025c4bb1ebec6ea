import assert from "node:assert/strict";
import { test } from "node:test";
import { copyText, mostPasted, readPasted } from "../src/editor/clipboard.ts";
import { parseChanges } from "../src/editor/store.ts";

test("what was copied can be pasted", () => {
  const widgets = [{ type: "bar", title: "<script>alert(1)</script>", layout: { x: 0, y: 0, w: 3, h: 8 } }];
  assert.deepEqual(readPasted(copyText({ widgets, filters: {} })), { widgets, filters: {} });
  const filters = { f1: { label: "Region", column: "region" } };
  assert.deepEqual(readPasted(copyText({ widgets, filters })), { widgets, filters });
});

test("what holds no widgets is refused", () => {
  let deep = "1";
  for (let i = 0; i < 40; i++) deep = `{"a":${deep}}`;
  for (const text of [
    "", "hello", "{", "[]", "null", '"dataflow"', '{"dataflow":"widgets"}', '{"dataflow":"widgets","widgets":{}}', '{"dataflow":"widgets","widgets":[]}',
    '{"dataflow":"widgets","widgets":[null]}', '{"dataflow":"widgets","widgets":[{"type":1}]}', '{"dataflow":"widgets","widgets":[{"type":"bar"},3]}',
    `{"dataflow":"widgets","widgets":[{"type":"bar","query":${deep}}]}`, "x".repeat(1_000_001),
  ]) assert.equal(readPasted(text), "invalid", text.slice(0, 80));
  assert.equal(readPasted(`{"dataflow":"widgets","pad":"${"x".repeat(1_000_001)}"}`), "large");
  assert.equal(readPasted(copyText({ widgets: Array.from({ length: mostPasted + 1 }, () => ({ type: "bar" })), filters: {} })), "many");
});

test("a stored queue is read with care", () => {
  const good = [{ change_id: "1", operations: [{ op_id: "2", path: "/name", after: "x" }], sent: true }, { change_id: "3", act: { kind: "add_widget" } }];
  assert.deepEqual(parseChanges(JSON.stringify(good)), good);
  for (const text of ["", "{", "{}", "null", '[null,1,{"change_id":5}]', '[{"change_id":"1"}]', '[{"change_id":"1","operations":[{"path":"/name"}]}]', '[{"change_id":"1","act":{}}]']) assert.deepEqual(parseChanges(text), [], text);
});
