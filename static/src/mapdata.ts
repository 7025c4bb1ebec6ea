// What maps are drawn from: the data of a widget, and land, borders and areas.
// On the screen map.ts draws it, on paper mappicture.ts.
import { feature, mesh } from "topojson-client";

type Topology = Parameters<typeof feature>[0];

/** The MapData of domain/charts, as it is in the page. */
export interface MapData {
  area: string;
  lon: number[];
  lat: number[];
  size: number[];
  shade?: number[];
  label: string[];
  text: string[];
  mark?: string[];
  faded?: boolean[];
  hue: string;
  layer?: "points" | "clusters" | "heat" | "areas" | "lines";
  scope?: "countries" | "states";
  shape?: string[];
  toLon?: number[];
  toLat?: number[];
  weight?: number[];
}

/** Where a square Mercator map of the world ends. */
export const mostNorth = 85.051129;

export type Position = [number, number];
export type Bounds = [number, number, number, number];

/** What a map may start with: west, south, east, north. */
export const areas: Record<string, Bounds> = {
  world: [-168, -56, 178, 74],
  us: [-125.5, 24, -66, 49.8],
  europe: [-24, 34.5, 42, 71],
};

export function asset(name: keyof typeof __ASSETS__): string {
  return new URL(__ASSETS__[name], import.meta.url).href;
}

export interface Shapes {
  land: GeoJSON.GeoJSON;
  /** The edge of the land, without the date line that it is cut at. */
  coast: GeoJSON.GeoJSON;
  borders: GeoJSON.GeoJSON;
  states: GeoJSON.GeoJSON;
  /** The areas of a scope by their ids, made when a map first asks. */
  areas: (scope: "countries" | "states") => Map<string, GeoJSON.Geometry>;
}

/** The shapes of areas by their ids: some have several in the atlas, as Australia
 * and its islands, and some that nobody agrees on have no id. */
export function byID(features: readonly GeoJSON.Feature[]): Map<string, GeoJSON.Geometry> {
  const areas = new Map<string, GeoJSON.Geometry>();
  for (const { id, geometry } of features) {
    if (id === undefined) continue;
    const cut = cutAreas(geometry);
    const known = areas.get(String(id));
    areas.set(String(id), known?.type === "MultiPolygon" && cut.type === "MultiPolygon" ? { ...cut, coordinates: [...known.coordinates, ...cut.coordinates] } : cut);
  }
  return areas;
}

let shapes: Promise<Shapes> | undefined;

/** Loads land and borders once a page. */
export function loadShapes(): Promise<Shapes> {
  shapes ??= (async () => {
    const get = async (name: "world.json" | "states.json"): Promise<Topology> => {
      const answer = await fetch(asset(name));
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return (await answer.json()) as Topology;
    };
    const [world, us] = await Promise.all([get("world.json"), get("states.json")]);
    const lines = (topology: Topology, name: string, keep?: (a: unknown, b: unknown) => boolean): GeoJSON.GeoJSON =>
      cutLines(mesh(topology as never, topology.objects[name] as never, keep as never));
    const inner = (topology: Topology, name: string): GeoJSON.GeoJSON => lines(topology, name, (a, b) => a !== b);
    const areas = (scope: "countries" | "states"): Map<string, GeoJSON.Geometry> => {
      const topology = scope === "states" ? us : world;
      const all = feature(topology, topology.objects[scope] as never) as unknown as GeoJSON.FeatureCollection;
      return byID(all.features);
    };
    const land = feature(world, world.objects["land"] as never) as unknown as GeoJSON.FeatureCollection;
    return {
      areas,
      land: { type: "GeometryCollection", geometries: land.features.map(({ geometry }) => cutAreas(geometry)) },
      coast: lines(world, "land"),
      borders: inner(world, "countries"),
      states: inner(us, "states"),
    };
  })();
  // What did not come may come next time.
  shapes.catch(() => (shapes = undefined));
  return shapes;
}

/** Longitudes in a row without jumps: what crosses the date line goes on
 * beyond 180°. */
function unrolled(line: GeoJSON.Position[]): Position[] {
  let turn = 0;
  return line.map(([lon = 0, lat = 0], i) => {
    const before = line[i - 1]?.[0] ?? lon;
    if (lon - before > 180) turn -= 360;
    if (lon - before < -180) turn += 360;
    return [lon + turn, lat];
  });
}

/** The worlds, beside the one in the middle, that a line reaches into. */
function turns(line: Position[]): number[] {
  const lons = line.map(([lon]) => lon);
  const [first, last] = [Math.floor((Math.min(...lons) + 180) / 360), Math.ceil((Math.max(...lons) - 180) / 360)];
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * 360);
}

/** The place between two at a longitude. */
function crossing([a, b]: Position, [c, d]: Position, lon: number): Position {
  return [lon, b + ((lon - a) / (c - a)) * (d - b)];
}

/** A ring as far as it is on one side of a meridian: east of it, or west. */
function sideOf(ring: Position[], lon: number, east: boolean): Position[] {
  const inside = (at: Position): boolean => (east ? at[0] >= lon : at[0] <= lon);
  return ring.flatMap((at, i) => {
    const before = ring[(i + ring.length - 1) % ring.length] ?? at;
    const cut = inside(at) === inside(before) ? [] : [crossing(before, at, lon)];
    return inside(at) ? [...cut, at] : cut;
  });
}

/** The parts of a polygon on a flat map, which ends at the date line. */
function cutPolygon(polygon: GeoJSON.Position[][]): GeoJSON.Position[][][] {
  const whole = polygon.map((ring) => {
    const line = unrolled(ring);
    const [first, last] = [line[0], line.at(-1)];
    // One that goes round the pole is closed along the end of the map.
    if (first && last && Math.abs(last[0] - first[0]) > 180) {
      const pole = last[1] < 0 ? -90 : 90;
      line.push([last[0], pole], [first[0], pole], first);
    }
    return line;
  });
  const [outer] = whole;
  if (!outer) return [];
  // Holes lie in the same world as what they are in.
  const [west, east] = [Math.min(...outer.map(([lon]) => lon)), Math.max(...outer.map(([lon]) => lon))];
  for (const hole of whole.slice(1)) {
    const [lon = 0] = hole[0] ?? [];
    const turn = lon < west ? 360 : lon > east ? -360 : 0;
    for (const at of hole) at[0] += turn;
  }
  const all = turns(outer);
  if (all.length === 1 && all[0] === 0) return [polygon];
  return all.map((turn) =>
    whole.map((ring) => {
      const part = sideOf(sideOf(ring, turn - 180, true), turn + 180, false).map(([lon, lat]): Position => [lon - turn, lat]);
      return part[0] ? [...part, part[0]] : part;
    }).filter((ring) => ring.length > 3),
  ).filter((part) => part.length > 0);
}

/** Areas as a flat map has them: those that lie across the date line are cut
 * there, or they would lie across the whole map. */
export function cutAreas(geometry: GeoJSON.Geometry): GeoJSON.Geometry {
  if (geometry?.type === "GeometryCollection") return { ...geometry, geometries: geometry.geometries.map(cutAreas) };
  if (geometry?.type !== "Polygon" && geometry?.type !== "MultiPolygon") return geometry;
  const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  return { type: "MultiPolygon", coordinates: polygons.flatMap(cutPolygon) };
}

/** Lines as a flat map has them. */
export function cutLines(lines: GeoJSON.MultiLineString): GeoJSON.MultiLineString {
  const coordinates = lines.coordinates.flatMap((line) => {
    const parts: GeoJSON.Position[][] = [[]];
    line.forEach((at, i) => {
      const before = line[i - 1];
      if (before && Math.abs((at[0] ?? 0) - (before[0] ?? 0)) > 180) {
        const [a, b] = unrolled([before, at]) as [Position, Position];
        const edge = Math.sign(b[0]) * 180;
        const [, lat] = crossing(a, b, edge);
        parts.at(-1)?.push([edge, lat]);
        parts.push([[-edge, lat]]);
      }
      parts.at(-1)?.push(at);
    });
    return parts;
  });
  return { type: "MultiLineString", coordinates: coordinates.filter((part) => part.length > 1) };
}

/** The shortest way between two places on the globe, in steps; it never jumps
 * over the date line. */
export function arc(from: Position, to: Position): Position[] {
  const rad = Math.PI / 180;
  const vector = ([lon, lat]: Position): [number, number, number] => [
    Math.cos(lat * rad) * Math.cos(lon * rad),
    Math.cos(lat * rad) * Math.sin(lon * rad),
    Math.sin(lat * rad),
  ];
  const [a, b] = [vector(from), vector(to)];
  const angle = Math.acos(Math.min(Math.max(a[0] * b[0] + a[1] * b[1] + a[2] * b[2], -1), 1));
  if (angle < 1e-6 || angle > Math.PI - 1e-3) return [from, to];
  const steps = Math.max(2, Math.ceil(angle / rad / 2));
  const line: Position[] = [];
  let before = from[0];
  for (let i = 0; i <= steps; i++) {
    const [p, q] = [Math.sin(((steps - i) / steps) * angle) / Math.sin(angle), Math.sin((i / steps) * angle) / Math.sin(angle)];
    const [x, y, z] = [p * a[0] + q * b[0], p * a[1] + q * b[1], p * a[2] + q * b[2]];
    let lon = Math.atan2(y, x) / rad;
    while (lon - before > 180) lon -= 360;
    while (lon - before < -180) lon += 360;
    before = lon;
    line.push([lon, Math.atan2(z, Math.hypot(x, y)) / rad]);
  }
  return line;
}

export function rings(geometry: GeoJSON.Geometry | undefined): GeoJSON.Position[][] {
  if (geometry?.type === "Polygon") return geometry.coordinates.slice(0, 1);
  if (geometry?.type === "MultiPolygon") return geometry.coordinates.flatMap((polygon) => polygon.slice(0, 1));
  return [];
}

/** The middle of the largest part of an area. */
export function middle(geometry: GeoJSON.Geometry | undefined): Position {
  let [best, size]: [Position, number] = [[0, 0], -1];
  for (const ring of rings(geometry)) {
    const lons = ring.map(([lon = 0]) => lon);
    const lats = ring.map(([, lat = 0]) => lat);
    const [west, east, south, north] = [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)];
    if ((east - west) * (north - south) > size) [best, size] = [[(west + east) / 2, (south + north) / 2], (east - west) * (north - south)];
  }
  return best;
}

/** The colour of a row: of its shade, or the one of all. */
export function colourOf(style: CSSStyleDeclaration, data: MapData, i: number): string {
  const shade = data.shade?.[i];
  if (shade === undefined) return style.getPropertyValue(data.hue).trim();
  const steps = style.getPropertyValue("--seq").trim().split(/\s+/);
  // The palest steps would vanish on the land.
  const from = data.layer === "areas" ? 1 : 2;
  return steps[from + Math.round(shade * (steps.length - 1 - from))] ?? "";
}

/** The rows from the largest to the smallest. */
export function bySize(data: MapData): number[] {
  return data.lon.map((_, i) => i).sort((a, b) => (data.size[b] ?? 0) - (data.size[a] ?? 0));
}

/** What a map shows at first, given the shapes of its areas. */
export function extent(data: MapData, shapes: Map<string, GeoJSON.Geometry> | undefined): Bounds {
  const fixed = areas[data.area];
  if (fixed) return fixed;
  if (data.layer === "areas" && data.scope === "states") return areas["us"] as Bounds;
  const bounds: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
  const extend = (lon: number, lat: number): void => {
    bounds[0] = Math.min(bounds[0], lon);
    bounds[1] = Math.min(bounds[1], lat);
    bounds[2] = Math.max(bounds[2], lon);
    bounds[3] = Math.max(bounds[3], lat);
  };
  if (data.layer === "areas") {
    for (const id of data.shape ?? []) for (const ring of rings(shapes?.get(id))) for (const [lon = 0, lat = 0] of ring) extend(lon, lat);
  } else {
    data.lon.forEach((lon, i) => extend(lon, data.lat[i] ?? 0));
  }
  // A line may go round farther north or south than its ends.
  data.toLon?.forEach((lon, i) => arc([data.lon[i] ?? 0, data.lat[i] ?? 0], [lon, data.toLat?.[i] ?? 0]).forEach((at) => extend(...at)));
  return bounds[0] > bounds[2] ? (areas["world"] as Bounds) : bounds;
}

/** A point of a map, in pixels. */
export interface Dot {
  x: number;
  y: number;
  r: number;
}

/** Where a name may stand. */
export interface Place {
  left: number;
  top: number;
}

/** Places for names beside points: to the right of it, to the left, above,
 * below, whichever is first where the name is within the box and covers neither
 * a point nor another name. Answers undefined where there is none; else the
 * place is taken. */
export function room(width: number, height: number, dots: Dot[]): (at: Dot, wide: number, high: number) => Place | undefined {
  const taken: (Place & { wide: number; high: number })[] = [];
  return (at, wide, high) => {
    const [out, slant] = [at.r + 4, at.r * 0.7 + 3];
    const places: Place[] = [
      { left: at.x + out, top: at.y - high / 2 },
      { left: at.x - out - wide, top: at.y - high / 2 },
      { left: at.x - wide / 2, top: at.y - out - high + 2 },
      { left: at.x - wide / 2, top: at.y + out - 2 },
      { left: at.x + slant, top: at.y - slant - high + 2 },
      { left: at.x + slant, top: at.y + slant - 2 },
      { left: at.x - slant - wide, top: at.y - slant - high + 2 },
      { left: at.x - slant - wide, top: at.y + slant - 2 },
    ];
    const free = ({ left, top }: Place): boolean =>
      left > 2 && left + wide < width - 2 && top > 2 && top + high < height - 2 &&
      !taken.some((other) => left < other.left + other.wide + 6 && left + wide + 6 > other.left && top < other.top + other.high + 2 && top + high + 2 > other.top) &&
      !dots.some(({ x, y, r }) => Math.hypot(x - Math.min(Math.max(x, left), left + wide), y - Math.min(Math.max(y, top + 2), top + high - 2)) < r);
    const place = places.find(free);
    if (place) taken.push({ ...place, wide, high });
    return place;
  };
}
