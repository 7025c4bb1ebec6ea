import assert from "node:assert/strict";
import { test } from "node:test";
import { pageText, sharpScale, turned } from "../src/paging.ts";

test("pages turn within the document", () => {
  assert.equal(turned(1, 1, 3), 2);
  assert.equal(turned(3, 1, 3), 3);
  assert.equal(turned(1, -1, 3), 1);
  // The document has fewer pages than was said.
  assert.equal(turned(5, 0, 2), 2);
  assert.equal(turned(1, 1, 0), 1);
});

test("a text names the page, whatever else is in it", () => {
  assert.equal(pageText("Page {page} of {pages} · A4", 2, 3), "Page 2 of 3 · A4");
  assert.equal(pageText("{pages}: {page}, $& of {other}", 1, 9), "9: 1, $& of {other}");
});

test("a page is drawn with as many pixels as the screen has, up to a bound", () => {
  assert.equal(sharpScale(600, 800, 300, 1), 0.5);
  assert.equal(sharpScale(600, 800, 300, 2), 1);
  assert.equal(sharpScale(600, 800, 300, 0.5), 0.5);
  assert.equal(sharpScale(600, 1024, 6000, 3), 4);
});
