import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

declare const __ROOT__: string;

// What sticks on the screen slides over other cells on paper. The rule has to
// win over every one that makes a cell sticky, so it goes by the sheet's id.
test("no cell of a table sticks on paper", () => {
  const css = readFileSync(path.join(__ROOT__, "static/src/css/print.css"), "utf8");
  assert.match(css, /\n#sheet \.table :is\(thead, tr, th, td\) \{ position: static; \}\n/);
  const sticky = readFileSync(path.join(__ROOT__, "static/src/css/widgets.css"), "utf8").match(/^.*position: sticky.*$/gm) ?? [];
  assert.ok(sticky.length > 0);
  for (const rule of sticky) assert.ok(/\.table/.test(rule) && !rule.includes("#") && !rule.includes("!important"), rule);
});
