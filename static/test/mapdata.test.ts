import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { feature, mesh } from "topojson-client";
import { byID, cutAreas, cutLines, type Dot, room } from "../src/mapdata.ts";

declare const __ROOT__: string;

const world = JSON.parse(readFileSync(path.join(__ROOT__, "static/node_modules/world-atlas/countries-50m.json"), "utf8")) as { objects: Record<string, never> };

function longest(lines: GeoJSON.Position[][]): number {
  return Math.max(...lines.flatMap((line) => line.slice(1).map(([lon = 0], i) => Math.abs(lon - (line[i]?.[0] ?? 0)))));
}

function area(ring: GeoJSON.Position[]): number {
  return Math.abs(ring.reduce((sum, [x = 0, y = 0], i) => {
    const [u = 0, v = 0] = ring[(i + 1) % ring.length] ?? [];
    return sum + x * v - u * y;
  }, 0)) / 2;
}

test("no country and no coast lies across the whole map", () => {
  const all = feature(world as never, world.objects["countries"] as never) as unknown as GeoJSON.FeatureCollection;
  let crossing = 0;
  for (const { geometry } of all.features) {
    const polygons = (shape: GeoJSON.Geometry): GeoJSON.Position[][][] => (shape?.type === "Polygon" ? [shape.coordinates] : shape?.type === "MultiPolygon" ? shape.coordinates : []);
    if (polygons(geometry).flat().some((ring) => longest([ring]) > 180)) crossing++;
    for (const polygon of polygons(cutAreas(geometry))) {
      for (const ring of polygon) {
        // Only along the edge of the map, which Antarctica has below.
        const inner = ring.filter(([, lat = 0]) => lat > -89);
        assert.ok(longest([inner]) <= 180 || inner.length < ring.length, "a ring jumps");
        for (const [lon = 0, lat = 0] of ring) assert.ok(Math.abs(lon) <= 180 && Math.abs(lat) <= 90, `${lon} ${lat}`);
        assert.deepEqual(ring[0], ring.at(-1), "a ring is open");
      }
    }
  }
  assert.ok(crossing >= 3, `Russia, Fiji and Antarctica lie across the date line, not ${crossing}`);
  for (const name of ["countries", "land"]) {
    const lines = mesh(world as never, world.objects[name] as never) as unknown as GeoJSON.MultiLineString;
    assert.ok(longest(lines.coordinates) > 180);
    assert.ok(longest(cutLines(lines).coordinates) < 20);
  }
});

test("a polygon across the date line keeps its size, and its holes", () => {
  const cut = cutAreas({ type: "Polygon", coordinates: [
    [[170, 0], [-170, 0], [-170, 10], [170, 10], [170, 0]],
    [[-178, 2], [-178, 4], [-174, 4], [-174, 2], [-178, 2]],
  ] }) as GeoJSON.MultiPolygon;
  assert.equal(cut.coordinates.length, 2);
  assert.deepEqual(cut.coordinates.map(([outer = []]) => area(outer)), [100, 100]);
  assert.deepEqual(cut.coordinates.map((polygon) => polygon.length), [1, 2], "the hole is in the western part");
  const plain: GeoJSON.Polygon = { type: "Polygon", coordinates: [[[100, 0], [180, 0], [180, 10], [100, 0]]] };
  assert.deepEqual((cutAreas(plain) as GeoJSON.MultiPolygon).coordinates, [plain.coordinates], "what ends at the date line is not cut");
});

test("names stand beside dots and cover neither dots nor names", () => {
  const dots: Dot[] = [{ x: 50, y: 50, r: 10 }, { x: 80, y: 50, r: 10 }, { x: 196, y: 80, r: 6 }, { x: 60, y: 66, r: 8 }];
  const place = room(200, 100, dots);
  const first = place(dots[0] as Dot, 30, 14);
  assert.deepEqual(first, { left: 6, top: 43 }, "to the left, since a dot is at the right");
  const edge = place(dots[2] as Dot, 30, 14);
  assert.ok(edge && edge.left + 30 < 196 - 6, "within the box");
  assert.equal(room(60, 30, dots)(dots[0] as Dot, 80, 14), undefined, "no room at all");
  const crowd = Array.from({ length: 400 }, (_, i): Dot => ({ x: 5 + 10 * (i % 20), y: 5 + 5 * Math.floor(i / 20), r: 4 }));
  assert.equal(room(200, 100, crowd)(crowd[210] as Dot, 30, 14), undefined, "never over other dots");
});

test("every country of the atlas is among the areas, with all of its shapes", () => {
  const all = feature(world as never, world.objects["countries"] as never) as unknown as GeoJSON.FeatureCollection;
  const areas = byID(all.features);
  const size = (geometry: GeoJSON.Geometry | undefined): number =>
    (geometry as GeoJSON.MultiPolygon).coordinates.reduce((sum, [outer = []]) => sum + area(outer), 0);
  const ids = new Set(all.features.flatMap(({ id }) => (id === undefined ? [] : [String(id)])));
  assert.deepEqual([...areas.keys()].sort(), [...ids].sort());
  for (const id of ids) {
    const parts = all.features.filter((each) => String(each.id) === id).map(({ geometry }) => size(cutAreas(geometry)));
    assert.ok(Math.abs(size(areas.get(id)) - parts.reduce((a, b) => a + b, 0)) < 1e-6, id);
  }
  assert.ok(size(areas.get("036")) > 500, "Australia is more than its islands");
});
