import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeValue, filterValues, filterWord, filtersOf, unescapeValue } from "../src/marks.ts";

test("values come back as they went", () => {
  for (const value of ["", "plain", "a,b", "a*b", "~", "~c", "~~s,*", null]) assert.equal(unescapeValue(escapeValue(value)), value);
  for (const list of [[], [""], ["a", "b"], ["a,b", null]]) assert.deepEqual(filterValues(filterWord(list)), list);
});

test("the filters of a link", () => {
  assert.deepEqual(filtersOf(new URLSearchParams("d=28d&f.channel=web,shop~cfloor&f.empty=,&x.bars=web")), { channel: ["web", "shop,floor"], empty: [""] });
});
