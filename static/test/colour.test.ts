import assert from "node:assert/strict";
import { test } from "node:test";
import { mix, ramp } from "../src/colour.ts";

test("a scale's ends and what lies between", () => {
  const scale = ramp(["#000000", "#102030", "#FFFFFF"]);
  assert.equal(mix(scale, 0), "rgb(0,0,0)");
  assert.equal(mix(scale, 0.25), "rgb(8,16,24)");
  assert.equal(mix(scale, 0.5), "rgb(16,32,48)");
  assert.equal(mix(scale, 1), "rgb(255,255,255)");
});

test("what lies beyond a scale takes its end", () => {
  const scale = ramp(["#010203", "#FFFFFF"]);
  assert.equal(mix(scale, -3), "rgb(1,2,3)");
  assert.equal(mix(scale, 7), "rgb(255,255,255)");
  assert.equal(mix(scale, Number.NaN), "rgb(1,2,3)");
});
