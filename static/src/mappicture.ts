// A map as SVG: that of map.ts, sharp at any size, drawn at once and without WebGL.
import { geoIdentity, geoPath } from "d3-geo";
import Supercluster from "supercluster";
import { ramp } from "./colour.ts";
import { areas, arc, bySize, type Bounds, colourOf, type Dot, extent, type MapData, mostNorth, type Position, room, type Shapes } from "./mapdata.ts";

const namespace = "http://www.w3.org/2000/svg";

/** MapLibre's world is this wide at zoom 0, in pixels. */
const tile = 512;
const maxZoom = 8;

type Attributes = Record<string, string | number>;

/** A place in the plane of a Mercator map at scale 1, south and east positive.
 * Straight lines on it are those of MapLibre. */
function flat([lon = 0, lat = 0]: GeoJSON.Position): Position {
  const rad = Math.PI / 180;
  return [lon * rad, -Math.asinh(Math.tan(Math.max(-mostNorth, Math.min(lat, mostNorth)) * rad))];
}

/** A polygon or line in that plane, with its bounds. */
interface Part {
  geometry: GeoJSON.Polygon | GeoJSON.LineString;
  bounds: Bounds;
}

const known = new WeakMap<object, Part[]>();

/** The parts of a shape, worked out once. */
export function partsOf(shape: GeoJSON.GeoJSON): Part[] {
  let parts = known.get(shape);
  if (!parts) known.set(shape, (parts = flatten(shape)));
  return parts;
}

function flatten(shape: GeoJSON.GeoJSON): Part[] {
  switch (shape.type) {
    case "FeatureCollection":
      return shape.features.flatMap(flatten);
    case "Feature":
      return flatten(shape.geometry);
    case "GeometryCollection":
      return shape.geometries.flatMap(flatten);
    case "MultiPolygon":
      return shape.coordinates.map((polygon) => part({ type: "Polygon", coordinates: polygon.map((ring) => ring.map(flat)) }));
    case "Polygon":
      return [part({ type: "Polygon", coordinates: shape.coordinates.map((ring) => ring.map(flat)) })];
    case "MultiLineString":
      return shape.coordinates.map((line) => part({ type: "LineString", coordinates: line.map(flat) }));
    case "LineString":
      return [part({ type: "LineString", coordinates: shape.coordinates.map(flat) })];
    default:
      return [];
  }
}

function part(geometry: Part["geometry"]): Part {
  const bounds: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x = 0, y = 0] of geometry.type === "Polygon" ? (geometry.coordinates[0] ?? []) : geometry.coordinates) {
    if (x < bounds[0]) bounds[0] = x;
    if (y < bounds[1]) bounds[1] = y;
    if (x > bounds[2]) bounds[2] = x;
    if (y > bounds[3]) bounds[3] = y;
  }
  return { geometry, bounds };
}

export class Picture {
  readonly svg: SVGSVGElement;
  readonly #data: MapData;
  readonly #shapes: Shapes;
  readonly #areas: Map<string, GeoJSON.Geometry> | undefined;
  readonly #style: CSSStyleDeclaration;
  readonly #width: number;
  readonly #height: number;
  readonly #zoom: number;
  readonly #project: (at: Position) => Position;
  readonly #path: (shape: GeoJSON.GeoJSON) => string;

  /** Shows all of the data, or what bounds tell. */
  constructor(element: HTMLElement, data: MapData, shapes: Shapes, bounds?: Bounds) {
    this.#data = data;
    this.#shapes = shapes;
    this.#areas = data.layer === "areas" ? shapes.areas(data.scope ?? "countries") : undefined;
    this.#style = getComputedStyle(element);
    [this.#width, this.#height] = [element.clientWidth, element.clientHeight];
    this.svg = document.createElementNS(namespace, "svg");
    set(this.svg, { xmlns: namespace, class: "map-box", width: this.#width, height: this.#height, viewBox: `0 0 ${this.#width} ${this.#height}`, "font-family": this.#style.fontFamily });

    const padding = this.#width > 400 ? 28 : 16;
    const { scale, translate } = bounds
      ? fit(bounds, this.#width, this.#height, 0, Infinity)
      : fit(extent(data, this.#areas), this.#width, this.#height, padding, maxZoom);
    this.#zoom = Math.log2((scale * 2 * Math.PI) / tile);
    const [left, top] = translate;
    this.#project = (at) => {
      const [x, y] = flat(at);
      return [left + scale * x, top + scale * y];
    };
    const draw = geoPath(geoIdentity().scale(scale).translate(translate).clipExtent([[0, 0], [this.#width, this.#height]])).digits(1);
    const shown = ({ bounds: [west, north, east, south] }: Part): boolean =>
      left + scale * west < this.#width && left + scale * east > 0 && top + scale * north < this.#height && top + scale * south > 0;
    this.#path = (shape) => draw({ type: "GeometryCollection", geometries: partsOf(shape).filter(shown).map(({ geometry }) => geometry) }) ?? "";
  }

  draw(labels: number): void {
    const css = (name: string): string => this.#style.getPropertyValue(name).trim();
    const { land, coast, borders, states } = this.#shapes;
    const line = { fill: "none", stroke: css("--map-line"), "stroke-width": 0.75 };
    this.#add("rect", { width: this.#width, height: this.#height, fill: css("--map-water") });
    this.#add("path", { d: this.#path(land), fill: css("--map-land") });
    if (this.#data.layer === "areas") this.#drawAreas(css("--color-base-100"));
    this.#add("path", { d: this.#path(coast), ...line });
    this.#add("path", { d: this.#path(borders), ...line });
    this.#add("path", { d: this.#path(states), ...line, "stroke-width": 0.5, opacity: 0.8 });
    switch (this.#data.layer) {
      case "areas":
        return;
      case "lines":
        return this.#drawLines();
      case "heat":
        return this.#drawHeat(css("--seq").split(/\s+/));
      case "clusters":
        return this.#drawClusters(css(this.#data.hue), css("--color-base-100"));
      default:
        this.#drawPoints(css("--color-base-100"));
        this.#drawNames(labels, css("--map-label"), css("--map-land"));
    }
  }

  #add(name: string, attributes: Attributes): SVGElement {
    const element = document.createElementNS(namespace, name);
    set(element, attributes);
    this.svg.append(element);
    return element;
  }

  #at(i: number): Position {
    return this.#project([this.#data.lon[i] ?? 0, this.#data.lat[i] ?? 0]);
  }

  #shown([x, y]: Position, margin: number): boolean {
    return x > -margin && y > -margin && x < this.#width + margin && y < this.#height + margin;
  }

  #drawAreas(edge: string): void {
    const data = this.#data;
    (data.shape ?? []).forEach((id, i) => {
      const area = this.#areas?.get(id);
      if (area) this.#add("path", { d: this.#path(area), fill: colourOf(this.#style, data, i), opacity: data.faded?.[i] ? 0.38 : 1, stroke: edge, "stroke-width": 0.5 });
    });
  }

  #drawLines(): void {
    const data = this.#data;
    for (const i of bySize(data).reverse()) {
      const coordinates = arc([data.lon[i] ?? 0, data.lat[i] ?? 0], [data.toLon?.[i] ?? 0, data.toLat?.[i] ?? 0]);
      this.#add("path", { d: this.#path({ type: "LineString", coordinates }), fill: "none", stroke: colourOf(this.#style, data, i), "stroke-width": data.size[i] ?? 1, "stroke-linecap": "round", opacity: data.faded?.[i] ? 0.15 : 0.55 });
    }
  }

  #drawPoints(edge: string): void {
    const data = this.#data;
    for (const i of bySize(data)) {
      const [at, r] = [this.#at(i), data.size[i] ?? 4];
      if (this.#shown(at, r)) this.#circle(at, r, { fill: colourOf(this.#style, data, i), stroke: edge, "stroke-width": 1.25, opacity: data.faded?.[i] ? 0.38 : 0.9 });
    }
  }

  #circle([x, y]: Position, r: number, attributes: Attributes): void {
    this.#add("circle", { cx: round(x), cy: round(y), r: round(r), ...attributes });
  }

  #drawNames(most: number, colour: string, halo: string): void {
    const order = bySize(this.#data);
    const dot = (i: number): Dot => {
      const [x, y] = this.#at(i);
      return { x, y, r: this.#data.size[i] ?? 4 };
    };
    const fits = room(this.#width, this.#height, order.map(dot));
    let shown = 0;
    for (const i of order.slice(0, most * 3)) {
      const name = this.#data.label[i];
      const at = dot(i);
      if (!name || shown >= most || !this.#shown([at.x, at.y], 0)) continue;
      const label = this.#add("text", { "font-size": 11, "font-weight": 500, fill: colour, stroke: halo, "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke" }) as SVGTextElement;
      label.textContent = name;
      const { y: rise, width, height } = label.getBBox();
      const place = fits(at, width, height);
      if (place) shown++;
      else label.remove();
      if (place) set(label, { x: round(place.left), y: round(place.top - rise) });
    }
  }

  /** The same clusters as MapLibre makes at this zoom. */
  #drawClusters(hue: string, edge: string): void {
    const data = this.#data;
    const index = new Supercluster<{ i: number }, { sum: number }>({
      radius: 46,
      extent: tile,
      maxZoom: 10,
      map: ({ i }) => ({ sum: data.weight?.[i] ?? 1 }),
      reduce: (all, each) => void (all.sum += each.sum),
    });
    index.load(data.lon.map((lon, i) => ({ type: "Feature", geometry: { type: "Point", coordinates: [lon, data.lat[i] ?? 0] }, properties: { i } })));
    const total = Math.max((data.weight ?? []).reduce((sum, each) => sum + each, 0), 1);
    for (const { geometry, properties } of index.getClusters([-180, -85, 180, 85], Math.floor(this.#zoom))) {
      const at = this.#project(geometry.coordinates as Position);
      if (!this.#shown(at, 40)) continue;
      if (!("cluster" in properties)) {
        this.#circle(at, data.size[properties.i] ?? 4, { fill: colourOf(this.#style, data, properties.i), stroke: edge, "stroke-width": 1.25, opacity: data.faded?.[properties.i] ? 0.38 : 0.9 });
        continue;
      }
      this.#circle(at, 12 + 22 * Math.sqrt(properties.sum / total), { fill: hue, stroke: edge, "stroke-width": 1.5, opacity: 0.85 });
      const count = this.#add("text", { x: round(at[0]), y: round(at[1]), "text-anchor": "middle", "dominant-baseline": "central", "font-size": 11, "font-weight": 600, fill: edge });
      count.textContent = String(properties.point_count_abbreviated);
    }
  }

  /** Density has no edges: it is the one layer that is a picture. */
  #drawHeat(steps: string[]): void {
    const data = this.#data;
    const sharp = 2; // pixels of the picture for each of the page
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.#width * sharp, this.#height * sharp];
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    const most = Math.max(...(data.weight ?? [1]), 1);
    const radius = between(this.#zoom, [2, 18], [6, 44], [10, 80]) * sharp;
    const intensity = between(this.#zoom, [2, 1], [8, 2]);
    // Density is added up in alpha alone, then read as a place on the scale.
    context.globalCompositeOperation = "lighter";
    data.lon.forEach((_, i) => {
      const [x, y] = this.#at(i).map((each) => each * sharp) as Position;
      const share = Math.min(((data.weight?.[i] ?? 1) / most) * intensity, 1);
      const glow = context.createRadialGradient(x, y, 0, x, y, radius);
      // A normal curve that reaches as far as three deviations.
      for (let at = 0; at <= 8; at++) glow.addColorStop(at / 8, `rgba(0,0,0,${(share * 0.4 * Math.exp(-4.5 * (at / 8) ** 2)).toFixed(4)})`);
      context.fillStyle = glow;
      context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    });
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    const scale = ramp(steps);
    for (let p = 0; p < image.data.length; p += 4) {
      const density = (image.data[p + 3] ?? 0) / 255;
      const at = Math.max((density - 0.08) / 0.92, 0) * (scale.length - 1);
      const low = scale[Math.floor(at)] ?? [0, 0, 0];
      const high = scale[Math.ceil(at)] ?? low;
      for (const channel of [0, 1, 2] as const) image.data[p + channel] = low[channel] + (high[channel] - low[channel]) * (at % 1);
      image.data[p + 3] = 255 * Math.min(density / 0.08, 1) * 0.85;
    }
    context.putImageData(image, 0, 0);
    this.#add("image", { width: this.#width, height: this.#height, href: canvas.toDataURL() });
  }
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The value at x on straight lines through points. */
function between(x: number, ...points: [number, number][]): number {
  for (const [n, [right, above]] of points.entries()) {
    const before = points[n - 1];
    if (x > right) continue;
    return before ? before[1] + ((x - before[0]) / (right - before[0])) * (above - before[1]) : above;
  }
  return points.at(-1)?.[1] ?? 0;
}

/** Scale and place of a Mercator map that shows the bounds, no nearer than
 * most. */
function fit(bounds: Bounds, width: number, height: number, padding: number, most: number): { scale: number; translate: Position } {
  const [west, south, east, north] = bounds.some(Number.isNaN) ? (areas["world"] as Bounds) : bounds;
  const [[left, bottom], [right, top]] = [flat([west, south]), flat([east, north])];
  const scale = Math.min((width - 2 * padding) / (right - left), (height - 2 * padding) / (bottom - top), (tile * 2 ** most) / (2 * Math.PI));
  return { scale, translate: [width / 2 - (scale * (left + right)) / 2, height / 2 - (scale * (top + bottom)) / 2] };
}
