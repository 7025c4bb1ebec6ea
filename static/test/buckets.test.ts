import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketEnd, dayText, momentText, nearest } from "../src/parts/buckets.ts";

const at = (text: string): number => Date.parse(`${text}Z`);

test("buckets end with their last day", () => {
  for (const [from, grain, last] of [
    ["2001-01-01T00:00", "year", "2001-12-31"],
    ["2000-01-01T00:00", "quarter", "2000-03-31"],
    ["2000-02-01T00:00", "month", "2000-02-29"],
    ["2001-12-31T00:00", "week", "2002-01-06"],
    ["2001-03-25T00:00", "day", "2001-03-25"],
    ["2001-03-25T23:00", "hour", "2001-03-25"],
  ] as const) {
    assert.equal(dayText(bucketEnd(at(from), grain)), last, `${from} ${grain}`);
  }
});

test("a point of an axis is named as marks are", () => {
  assert.equal(momentText(at("2001-03-25T07:00"), "hour"), "2001-03-25T07:00:00");
  assert.equal(momentText(at("2001-03-25T00:00"), "week"), "2001-03-25");
  assert.equal(nearest([10, 20, 30], 26), 30);
  assert.equal(nearest([10, 20, 30], -5), 10);
});
