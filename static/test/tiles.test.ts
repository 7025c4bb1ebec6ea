import assert from "node:assert/strict";
import { test } from "node:test";
import { beside, standing } from "../src/names.ts";
import { spokes } from "../src/parts/spokes.ts";
import { onSlice, onTile, shorten } from "../src/parts/tiles.ts";

// Every letter is six pixels wide.
const measure = (text: string): number => 6 * [...text].length;

test("names beside bars leave room for the bars", () => {
  assert.equal(beside(94, 300), 94, "as wide as they like");
  assert.equal(beside(94, 120), 72);
  assert.equal(beside(94, -20), 24, "a letter and its dots");
});

test("a name may be cut, a number never is", () => {
  assert.equal(onTile("Straßburg", ["1,463", "1.5k"], 80, 40, 15, measure), "Straßburg\n1,463");
  assert.equal(onTile("Straßburg", ["1,463", "1.5k"], 40, 40, 15, measure), "Straß…\n1,463");
  assert.equal(onTile("Straßburg", ["1,463", "1.5k"], 26, 40, 15, measure), "Str…\n1.5k");
  assert.equal(onTile("Zug", ["123.4M", "120M"], 20, 40, 15, measure), "Zug", "no room for either number");
  assert.equal(onTile("Straßburg", ["1,463"], 80, 20, 15, measure), "Straßburg", "no room for a second line");
  assert.equal(onTile("Straßburg", ["1"], 20, 40, 15, measure), "St…\n1");
  assert.equal(onTile("Straßburg", ["1"], 17, 40, 15, measure), "", "one letter tells nothing");
  assert.equal(onTile("Straßburg", ["1"], 80, 14, 15, measure), "");
  for (let width = 0; width < 100; width++) {
    const [name = "", value] = onTile("Düsseldorf", ["1,463", "1.5k"], width, 60, 15, measure).split("\n");
    assert.ok(measure(name) <= width, `${name} at ${width}`);
    assert.ok(value === undefined || ["1,463", "1.5k"].includes(value), `${value} at ${width}`);
  }
  assert.equal(shorten("São Paulo", 30, measure), "São…", "no space before the ellipsis");
});

test("a name on a slice lies within it", () => {
  // Half of a ring: room along it.
  assert.deepEqual(onSlice("München", { r0: 40, r: 70, angle: Math.PI / 2 }, 13, measure), { text: "München", rotate: "tangential" });
  // A thin slice of a wide ring: room across it.
  assert.deepEqual(onSlice("Hosen", { r0: 60, r: 110, angle: 0.3 }, 13, measure), { text: "Hosen", rotate: "radial" });
  assert.equal(onSlice("Hosen", { r0: 60, r: 110, angle: 0.08 }, 13, measure).text, "", "thinner than a line");
  assert.equal(onSlice("Hosen", { r0: 60, r: 70, angle: 2 }, 13, measure).text, "", "a ring lower than a line");
  for (const angle of [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.1, 6.28]) {
    for (const [r0, r] of [[30, 50], [40, 90], [90, 110]] as const) {
      const { text, rotate } = onSlice("Zubehör und mehr", { r0, r, angle }, 13, measure);
      if (!text) continue;
      const half = measure(text) / 2;
      const middle = (r0 + r) / 2;
      // The corners of the text, seen from the centre of the ring.
      const corners = rotate === "radial" ? [[middle - half, 6.5], [middle + half, 6.5]] : [[middle - 6.5, half], [middle + 6.5, half]];
      for (const [along = 0, aside = 0] of corners) {
        assert.ok(Math.hypot(along, aside) <= r, `${text} leaves the ring ${r0}–${r} at ${angle}`);
        assert.ok(angle >= Math.PI || Math.atan2(aside, along) <= angle / 2 + 0.01, `${text} leaves its slice of ${angle}`);
      }
      assert.ok((rotate === "radial" ? middle - half : middle - 6.5) >= r0, `${text} reaches into the ring within`);
    }
  }
});

test("names around a radar are within its box", () => {
  const box = { width: 234, height: 290 };
  const names = [24.2, 52.7, 62.4, 54.9, 26.1];
  const { radius, widths } = spokes(names, box, 8);
  assert.ok(radius > 55, `a radius of ${radius}`);
  names.forEach((name, i) => {
    const angle = Math.PI / 2 + (2 * Math.PI * i) / names.length;
    assert.ok((widths[i] ?? 0) >= name, `name ${i} has ${widths[i]} of ${name} pixels`);
    if (Math.abs(Math.cos(angle)) > 0.01) assert.ok(Math.abs(Math.cos(angle)) * (radius + 8) + name <= box.width / 2 + 1, `name ${i}`);
    assert.ok(Math.abs(Math.sin(angle)) * (radius + 8) + 14 <= box.height / 2 + 1, `name ${i}`);
  });
  const long = spokes([40, 300, 40], box, 8);
  assert.ok(long.radius >= 0.44 * 117, "the radar stays readable");
  assert.ok((long.widths[1] ?? 300) < 100, "the name gives way instead");
});

test("few names under an axis all stand", () => {
  const five = ["Köln", "München", "Düsseldorf", "Straßburg", "Graz"];
  assert.deepEqual(standing(five, 80, 200, measure), { interval: 0, rotate: 0, overflow: "none" });
  assert.deepEqual(standing(five, 40, 200, measure), { interval: 0, rotate: 40, overflow: "none" });
  assert.deepEqual(standing(["0 – 500 mi", "500 – 1k mi"], 50, 200, measure), { interval: 0, rotate: 0, width: 44, lineHeight: 14, overflow: "break" });
  const long = standing(["a name of a category that goes on and on".replaceAll(" ", "_"), "b"], 40, 100, measure);
  assert.equal(long.overflow, "truncate");
  assert.ok((long.width ?? 100) * Math.sin((40 * Math.PI) / 180) <= 51, "names take at most half of the height");
  assert.deepEqual(standing(five, 12, 200, measure), { interval: 0, rotate: 90, overflow: "none" });
  assert.equal(standing(five, 9, 200, measure).interval, "auto", "upright names need their height each");
});
