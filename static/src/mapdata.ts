// What maps are drawn from: the data of a widget, and land, borders and areas.
// On the screen map.ts draws it, on paper papermap.ts.
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
  borders: GeoJSON.GeoJSON;
  states: GeoJSON.GeoJSON;
  /** The areas of a scope by their ids, made when a map first asks. */
  areas: (scope: "countries" | "states") => Map<string, GeoJSON.Geometry>;
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
    const inner = (topology: Topology, name: string): GeoJSON.GeoJSON => mesh(topology as never, topology.objects[name] as never, (a, b) => a !== b);
    const areas = (scope: "countries" | "states"): Map<string, GeoJSON.Geometry> => {
      const topology = scope === "states" ? us : world;
      const all = feature(topology, topology.objects[scope] as never) as unknown as GeoJSON.FeatureCollection;
      return new Map(all.features.map(({ id, geometry }) => [String(id), geometry]));
    };
    return {
      areas,
      land: feature(world, world.objects["land"] as never) as GeoJSON.GeoJSON,
      borders: inner(world, "countries"),
      states: inner(us, "states"),
    };
  })();
  // What did not come may come next time.
  shapes.catch(() => (shapes = undefined));
  return shapes;
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

/** Places for names above points, where no name covers another or leaves the
 * box. Answers whether there is room; then the place is taken. */
export function room(width: number, height: number): (name: DOMRect) => boolean {
  const taken: DOMRect[] = [];
  return (name) => {
    const inside = name.left > 2 && name.right < width - 2 && name.top > 2 && name.bottom < height;
    if (!inside || taken.some((other) => name.left < other.right + 6 && name.right + 6 > other.left && name.top < other.bottom + 2 && name.bottom + 2 > other.top)) return false;
    taken.push(name);
    return true;
  };
}
