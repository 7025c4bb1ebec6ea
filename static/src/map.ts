// <df-map data-widget="ID" aria-label="…" labels="8" text-failed="…">: points,
// clusters, heat, areas or lines on flat land and water, drawn by MapLibre
// without tiles. What is drawn is the MapData of domain/charts in a
// <script type="application/json"> inside of it.
// labels is how many of the largest points are named where there is room.
//
// Events: df:select (bubbling) when a point is chosen by pointer or Enter, with
// detail {widget, mark, add}; add is true with Shift held. Arrows go from point
// to point, the largest first; + and − zoom, 0 shows all.
//
// As with df-chart, an element that takes the place of one with the same
// data-widget takes over its map, with what is looked at.
import { type AddLayerObject, type GeoJSONSource, LngLat, Map as MapLibre, setWorkerUrl } from "maplibre-gl";
import { arc, asset, type Bounds, bySize, colourOf, type Dot, extent, loadShapes, type MapData, middle, mostNorth, type Position, room, type Shapes } from "./mapdata.ts";
import { Picture } from "./mappicture.ts";
import { announce, onThemeChange, reducedMotion } from "./page.ts";

let styled: Promise<void> | undefined;

/** Loads what MapLibre needs beside its code once a page. */
function loadStyle(): Promise<void> {
  styled ??= new Promise<void>((resolve) => {
    setWorkerUrl(asset("map-worker.js"));
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = asset("map.css");
    sheet.onload = sheet.onerror = () => resolve();
    document.head.append(sheet);
  });
  return styled;
}

const orphans = new Map<string, { map: MapLibre; box: HTMLElement; area: string; layer: string; shapes: Shapes | undefined }>();

class PointMap extends HTMLElement {
  #map: MapLibre | undefined;
  #box: HTMLElement | undefined;
  data: MapData | undefined;
  #text = "";
  #order: number[] = [];
  #at = -1;
  #area = "";
  #layer = "";
  #shapes: Shapes | undefined;
  #geometries: Map<string, GeoJSON.Geometry> | undefined;
  #anchors: Position[] = [];
  #tip: HTMLElement | undefined;
  #names: HTMLElement | undefined;
  #ended: AbortController | undefined;
  #resize: ResizeObserver | undefined;
  #watch: MutationObserver | undefined;
  #stopTheme: (() => void) | undefined;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.#announceRole();
    this.#adopt();
    this.#read();
    // Its canvas stands on the screen alone.
    this.#resize = new ResizeObserver(() => paper.matches || this.#map?.resize().redraw());
    this.#resize.observe(this);
    this.#watch = new MutationObserver(() => this.#keep());
    this.#watch.observe(this, { childList: true, characterData: true, subtree: true, attributes: true, attributeFilter: ["role", "tabindex"] });
    this.#stopTheme = onThemeChange(() => this.#paint());
    this.addEventListener("keydown", (event) => this.#key(event), { signal });
    // The wheel scrolls the page until the map is used.
    this.addEventListener("focusin", () => this.#map?.scrollZoom.enable(), { signal });
    this.addEventListener("focusout", () => {
      this.#map?.scrollZoom.disable();
      this.hideTip();
    }, { signal });
    this.addEventListener("pointerdown", () => this.focus({ preventScroll: true }), { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    this.#resize?.disconnect();
    this.#watch?.disconnect();
    this.#stopTheme?.();
    const { widget } = this.dataset;
    const [map, box] = [this.#map, this.#box];
    this.#map = undefined;
    this.#box = undefined;
    this.#text = "";
    if (!map || !box) return;
    // One that is not set up yet can't be handed on.
    if (!widget || !map.getLayer("points")) {
      map.remove();
      return;
    }
    orphans.get(widget)?.map.remove();
    const orphan = { map, box, area: this.#area, layer: this.#layer, shapes: this.#shapes };
    orphans.set(widget, orphan);
    setTimeout(() => {
      if (orphans.get(widget) !== orphan) return;
      orphans.delete(widget);
      map.remove();
    }, 250);
  }

  #adopt(): void {
    const { widget } = this.dataset;
    const orphan = widget ? orphans.get(widget) : undefined;
    if (!widget || !orphan) return;
    orphans.delete(widget);
    this.#map = orphan.map;
    this.#box = orphan.box;
    this.#area = orphan.area;
    this.#layer = orphan.layer;
    this.#shapes = orphan.shapes;
    this.append(orphan.box);
    this.#map.resize();
  }

  #announceRole(): void {
    if (this.getAttribute("role") !== "application") this.setAttribute("role", "application");
    if (this.getAttribute("tabindex") !== "0") this.tabIndex = 0;
  }

  /** Puts back what a morph took away, and draws new data. */
  #keep(): void {
    for (const part of [this.#box, this.#names]) {
      if (!part || part.parentElement === this) continue;
      this.append(part);
      this.placeNames();
    }
    this.#announceRole();
    this.#read();
  }

  #read(): void {
    const text = this.querySelector(":scope > script[type='application/json']")?.textContent;
    if (!text || text === this.#text) return;
    this.#text = text;
    const data = JSON.parse(text) as MapData;
    this.data = data;
    this.#at = -1;
    this.#order = bySize(data);
    // Another layer is another map.
    if (this.#map && this.#layer !== (data.layer ?? "points") + (data.scope ?? "")) {
      this.#map.remove();
      this.#box?.remove();
      this.#map = undefined;
      this.#box = undefined;
    }
    if (this.#map) this.#update();
    else void this.#start();
  }

  async #start(): Promise<void> {
    try {
      const [known] = await Promise.all([loadShapes(), loadStyle()]);
      const { land, coast, borders, states } = known;
      // The element may have left the page, or begun already, while this waited.
      if (!this.isConnected || this.#map || !this.data) return;
      this.#shapes = known;
      this.#layer = (this.data.layer ?? "points") + (this.data.scope ?? "");
      this.#geometries = undefined;
      this.#settle();
      const box = document.createElement("div");
      box.className = "map-box";
      this.prepend(box);
      this.#box = box;
      const map = new MapLibre({
        container: box,
        style: { version: 8, sources: {}, layers: [] },
        attributionControl: false,
        trackResize: false,
        dragRotate: false,
        pitchWithRotate: false,
        touchPitch: false,
        keyboard: false,
        renderWorldCopies: false,
        // What is asked for is shown, also beyond the end of the world: what
        // lies near the date line would stand half outside.
        transformConstrain: (at, zoom) => ({ center: new LngLat(clamp(at.lng, 180), clamp(at.lat, mostNorth)), zoom: Math.min(Math.max(zoom, minZoom), maxZoom) }),
        fadeDuration: 0,
        minZoom,
        maxZoom,
        bounds: extent(this.data, this.#geometries),
        fitBoundsOptions: this.#padding(),
      });
      this.#map = map;
      this.#area = this.data.area;
      map.touchZoomRotate.disableRotation();
      map.scrollZoom.disable();
      // One finger scrolls the page, two move the map.
      if (matchMedia("(pointer: coarse)").matches) map.dragPan.disable();
      map.getCanvas().tabIndex = -1;
      await new Promise<void>((resolve, reject) => {
        map.once("load", () => resolve());
        // Nothing is drawn yet, so all that can fail is the worker.
        map.once("error", ({ error }) => reject(error));
      });
      map.on("error", ({ error }) => console.warn(error));
      if (this.#map !== map) return;
      this.querySelector(":scope > .map-note")?.remove();
      const geometry = (data: GeoJSON.GeoJSON) => ({ type: "geojson", data, tolerance: 0.3 }) as const;
      map.addSource("land", geometry(land));
      map.addSource("coast", geometry(coast));
      map.addSource("borders", geometry(borders));
      map.addSource("states", geometry(states));
      const { layer } = this.data;
      map.addSource("points", {
        type: "geojson",
        data: this.#points(),
        ...(layer === "areas" ? { tolerance: 0.3 } : {}),
        ...(layer === "clusters" ? { cluster: true, clusterRadius: 46, clusterMaxZoom: 10, clusterProperties: { sum: ["+", ["get", "weight"]] } } : {}),
      });
      map.addLayer({ id: "water", type: "background" });
      map.addLayer({ id: "land", type: "fill", source: "land" });
      if (layer === "areas") map.addLayer({ id: "points", type: "fill", source: "points", paint: { "fill-color": ["get", "colour"], "fill-opacity": ["case", ["get", "faded"], 0.38, 1] } });
      map.addLayer({ id: "coast", type: "line", source: "coast", paint: { "line-width": 0.75 } });
      map.addLayer({ id: "borders", type: "line", source: "borders", paint: { "line-width": 0.75 } });
      map.addLayer({ id: "states", type: "line", source: "states", paint: { "line-width": 0.5, "line-opacity": 0.8 } });
      if (layer === "heat") map.addLayer(heat);
      else if (layer === "lines") map.addLayer(arcs);
      else if (layer !== "areas") map.addLayer(circles);
      if (layer === "clusters") map.addLayer(bunches, "points");
      this.#listen(map);
      this.#paint();
      // Names wait for what they stand on.
      map.once("idle", () => {
        box.dataset["state"] = "ready";
        owner(map)?.drawNames();
        this.dispatchEvent(new Event("df:drawn", { bubbles: true }));
      });
    } catch (error) {
      // Without WebGL, the shapes or the worker there is no map; the widget's
      // table has all of its values. A connection that comes back is tried.
      console.warn(error);
      this.#map?.remove();
      this.#box?.remove();
      this.#map = undefined;
      this.#box = undefined;
      if (!this.querySelector(":scope > .map-note")) {
        const note = document.createElement("p");
        note.className = "map-note";
        note.textContent = this.getAttribute("text-failed");
        this.append(note);
      }
      if (this.#ended) addEventListener("online", () => void this.#start(), { once: true, signal: this.#ended.signal });
      this.dispatchEvent(new Event("df:failed", { bubbles: true }));
    }
  }

  #listen(map: MapLibre): void {
    map.on("mousemove", "points", (event) => {
      const index = event.features?.[0]?.properties["index"] as number | undefined;
      if (index === undefined) return;
      map.getCanvas().style.cursor = owner(map)?.data?.mark?.[index] ? "pointer" : "";
      owner(map)?.showTip(index, event.point);
    });
    map.on("mouseleave", "points", () => {
      map.getCanvas().style.cursor = "";
      delete owner(map)?.dataset["pointed"];
      owner(map)?.hideTip();
    });
    map.on("click", "clusters", (event) => void owner(map)?.open(event.features?.[0]));
    map.on("mouseenter", "clusters", () => (map.getCanvas().style.cursor = "zoom-in"));
    map.on("mouseleave", "clusters", () => (map.getCanvas().style.cursor = ""));
    map.on("idle", () => owner(map)?.countClusters());
    map.on("click", "points", (event) => {
      const index = event.features?.[0]?.properties["index"] as number | undefined;
      if (index !== undefined) owner(map)?.select(index, event.originalEvent.shiftKey);
    });
    map.on("movestart", () => owner(map)?.hideTip());
    map.on("move", () => owner(map)?.placeNames());
  }

  #update(): void {
    const map = this.#map;
    const data = this.data;
    if (!map || !data) return;
    this.#settle();
    (map.getSource("points") as GeoJSONSource | undefined)?.setData(this.#points());
    if (data.area !== this.#area) {
      this.#area = data.area;
      this.#fit();
    }
    this.drawNames();
  }

  #padding(): { padding: number; maxZoom: number } {
    return { padding: this.clientWidth > 400 ? 28 : 16, maxZoom: 8 };
  }

  #fit(): void {
    if (!this.#map || !this.data) return;
    this.#map.fitBounds(extent(this.data, this.#geometries), { ...this.#padding(), animate: !reducedMotion(), duration: 300 });
  }

  #points(): GeoJSON.FeatureCollection {
    const data = this.data;
    if (!data) return { type: "FeatureCollection", features: [] };
    const style = getComputedStyle(this);
    const features = data.lon.map((lon, i): GeoJSON.Feature => ({
      type: "Feature",
      geometry: this.#geometry(data, i, [lon, data.lat[i] ?? 0]),
      properties: { index: i, size: data.size[i] ?? 4, colour: colourOf(style, data, i), faded: data.faded?.[i] ?? false, weight: data.weight?.[i] ?? 1 },
    }));
    return { type: "FeatureCollection", features };
  }

  #geometry(data: MapData, i: number, at: Position): GeoJSON.Geometry {
    if (data.layer === "areas") return this.#geometries?.get(data.shape?.[i] ?? "") ?? { type: "Point", coordinates: at };
    if (data.layer === "lines") return { type: "LineString", coordinates: arc(at, [data.toLon?.[i] ?? 0, data.toLat?.[i] ?? 0]) };
    return { type: "Point", coordinates: at };
  }

  /** Where the tip of each row points: the middle of its area or line. */
  #settle(): void {
    const data = this.data;
    if (!data) return;
    if (data.layer === "areas") this.#geometries ??= this.#shapes?.areas(data.scope ?? "countries");
    this.#anchors = data.lon.map((lon, i) => {
      const at: Position = [lon, data.lat[i] ?? 0];
      if (data.layer === "areas") return middle(this.#geometries?.get(data.shape?.[i] ?? ""));
      if (data.layer === "lines") {
        const line = arc(at, [data.toLon?.[i] ?? 0, data.toLat?.[i] ?? 0]);
        return line[Math.floor(line.length / 2)] ?? at;
      }
      return at;
    });
  }

  /** Zooms to where a cluster comes apart. */
  async open(cluster: GeoJSON.Feature | undefined): Promise<void> {
    const source = this.#map?.getSource("points") as GeoJSONSource | undefined;
    const id = cluster?.properties?.["cluster_id"] as number | undefined;
    if (!cluster || id === undefined || !source || cluster.geometry.type !== "Point") return;
    const zoom = await source.getClusterExpansionZoom(id);
    this.#map?.easeTo({ center: cluster.geometry.coordinates as Position, zoom, animate: !reducedMotion(), duration: 300 });
  }

  /** Writes the number of points on each cluster: there are no glyphs to draw
   * text with, so numbers are elements as names are. */
  countClusters(): void {
    const map = this.#map;
    if (!map?.getLayer("clusters") || this.#box?.dataset["state"] !== "ready") return;
    this.#names ??= document.createElement("div");
    this.#names.className = "map-names map-counts";
    this.#names.setAttribute("aria-hidden", "true");
    const seen = new Set<unknown>();
    const counts: HTMLElement[] = [];
    for (const { properties, geometry } of map.queryRenderedFeatures({ layers: ["clusters"] })) {
      if (seen.has(properties["cluster_id"]) || geometry.type !== "Point") continue;
      seen.add(properties["cluster_id"]);
      const count = document.createElement("span");
      count.textContent = String(properties["point_count_abbreviated"]);
      [count.dataset["lon"], count.dataset["lat"]] = geometry.coordinates.map(String);
      counts.push(count);
    }
    this.#names.replaceChildren(...counts);
    if (this.#names.parentElement !== this) this.append(this.#names);
    this.#placeCounts(map);
  }

  #placeCounts(map: MapLibre): void {
    for (const count of (this.#names?.children ?? []) as HTMLCollectionOf<HTMLElement>) {
      const { x, y } = map.project([Number(count.dataset["lon"]), Number(count.dataset["lat"])]);
      count.style.translate = `calc(${Math.round(x)}px - 50%) calc(${Math.round(y)}px - 50%)`;
    }
  }

  /** Colours the map as the page is coloured now. */
  #paint(): void {
    const map = this.#map;
    if (!map?.getLayer("points")) return;
    const style = getComputedStyle(this);
    const css = (name: string): string => style.getPropertyValue(name).trim();
    map.setPaintProperty("water", "background-color", css("--map-water"));
    map.setPaintProperty("land", "fill-color", css("--map-land"));
    for (const layer of ["coast", "borders", "states"]) map.setPaintProperty(layer, "line-color", css("--map-line"));
    switch (this.data?.layer) {
      case "heat": {
        const steps = css("--seq").split(/\s+/);
        const stops = steps.flatMap((step, i) => [0.08 + (0.92 * i) / (steps.length - 1), step]);
        map.setPaintProperty("points", "heatmap-color", ["interpolate", ["linear"], ["heatmap-density"], 0, `${steps[0]}00`, ...stops]);
        const most = Math.max(...(this.data.weight ?? [1]), 1);
        map.setPaintProperty("points", "heatmap-weight", ["/", ["get", "weight"], most]);
        break;
      }
      case "areas":
        map.setPaintProperty("points", "fill-outline-color", css("--color-base-100"));
        break;
      case "clusters": {
        const total = Math.max((this.data.weight ?? []).reduce((sum, each) => sum + each, 0), 1);
        map.setPaintProperty("clusters", "circle-color", css(this.data.hue));
        map.setPaintProperty("clusters", "circle-stroke-color", css("--color-base-100"));
        map.setPaintProperty("clusters", "circle-radius", ["+", 12, ["*", 22, ["sqrt", ["/", ["get", "sum"], total]]]]);
        map.setPaintProperty("points", "circle-stroke-color", css("--color-base-100"));
        break;
      }
      case "lines":
        break;
      default:
        map.setPaintProperty("points", "circle-stroke-color", css("--color-base-100"));
    }
    this.#update();
  }

  /** Draws the map as SVG for paper, light and as large as it is there: what WebGL
   * has drawn is not kept, and its worker may not be done. */
  print(now: boolean): void {
    this.querySelector(":scope > .map-print")?.remove();
    delete this.dataset["theme"];
    if (!now || !this.data || !this.#shapes || this.clientWidth === 0 || this.clientHeight === 0) return;
    this.dataset["theme"] = "light";
    const picture = new Picture(this, this.data, this.#shapes, this.#looked());
    picture.svg.setAttribute("class", "map-print");
    this.append(picture.svg);
    picture.draw(Number(this.getAttribute("labels") ?? 0));
  }

  /** What is looked at, where that is not all of the data. */
  #looked(): Bounds | undefined {
    const map = this.#map;
    const all = this.data && map?.cameraForBounds(extent(this.data, this.#geometries), this.#padding());
    if (!map || !all || (Math.abs(map.getZoom() - (all.zoom ?? 0)) < 0.01 && LngLat.convert(all.center ?? [0, 0]).distanceTo(map.getCenter()) < 1000)) return undefined;
    const shown = map.getBounds();
    return [shown.getWest(), shown.getSouth(), shown.getEast(), shown.getNorth()];
  }

  #place(index: number): { x: number; y: number } | undefined {
    const at = this.#anchors[index];
    if (!this.#map || !at) return undefined;
    const { x, y } = this.#map.project(at);
    return { x, y };
  }

  /** The tip stands on the row, or where the pointer is on an area or line. */
  showTip(index: number, pointer?: { x: number; y: number }): void {
    const data = this.data;
    const wide = data?.layer === "areas" || data?.layer === "lines";
    const at = wide && pointer ? pointer : this.#place(index);
    if (!data || !at) return;
    if (!this.#tip) {
      this.#tip = document.createElement("div");
      this.#tip.className = "map-tip";
    }
    // What the menu of the right button, and the key I, is about.
    this.dataset["pointed"] = data.mark?.[index] ?? "";
    const name = document.createElement("b");
    name.textContent = data.label[index] ?? "";
    this.#tip.replaceChildren(name, data.text[index] ?? "");
    if (this.#tip.parentElement !== this) this.append(this.#tip);
    const half = this.#tip.offsetWidth / 2;
    const x = Math.min(Math.max(at.x, half + 4), this.clientWidth - half - 4);
    const below = at.y < this.#tip.offsetHeight + 16;
    this.#tip.style.left = `${x}px`;
    this.#tip.style.top = `${below ? at.y + this.#tip.offsetHeight + 22 : at.y}px`;
  }

  hideTip(): void {
    this.#tip?.remove();
  }

  select(index: number, add: boolean): void {
    const mark = this.data?.mark?.[index];
    if (!mark) return;
    this.dispatchEvent(new CustomEvent("df:select", { bubbles: true, detail: { widget: this.dataset["widget"] ?? "", mark, add } }));
  }

  #key(event: KeyboardEvent): void {
    const map = this.#map;
    const data = this.data;
    if (!map || !data || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const step = steps[event.key];
    if (step !== undefined && this.#order.length > 0) {
      this.#at = (Math.max(this.#at, step > 0 ? -1 : 0) + step + this.#order.length) % this.#order.length;
      const index = this.#order[this.#at] ?? 0;
      this.showTip(index);
      announce(`${data.label[index] ?? ""}, ${data.text[index] ?? ""}`, true);
    } else if ((event.key === "Enter" || event.key === " ") && this.#at >= 0) {
      this.select(this.#order[this.#at] ?? -1, event.shiftKey);
    } else if (event.key === "+" || event.key === "=") {
      map.zoomIn({ animate: !reducedMotion() });
    } else if (event.key === "-" || event.key === "\u2212") {
      map.zoomOut({ animate: !reducedMotion() });
    } else if (event.key === "0") {
      this.#fit();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Names the largest points, where no name covers another. */
  drawNames(): void {
    if (this.data?.layer && this.data.layer !== "points") {
      this.countClusters();
      return;
    }
    const most = Number(this.getAttribute("labels") ?? 0);
    if (this.#box?.dataset["state"] !== "ready") return;
    if (!this.#names) {
      this.#names = document.createElement("div");
      this.#names.className = "map-names";
      this.#names.setAttribute("aria-hidden", "true");
    }
    const names = this.#order.slice(0, most * 3).filter((index) => this.data?.label[index]);
    if (names.length === this.#names.childElementCount && names.every((index, i) => this.#names?.children[i]?.textContent === this.data?.label[index])) {
      names.forEach((index, i) => ((this.#names?.children[i] as HTMLElement).dataset["index"] = String(index)));
      this.placeNames();
      return;
    }
    this.#names.replaceChildren(
      ...names.map((index) => {
        const name = document.createElement("span");
        name.textContent = this.data?.label[index] ?? "";
        name.dataset["index"] = String(index);
        return name;
      }),
    );
    if (this.#names.parentElement !== this) this.append(this.#names);
    this.placeNames();
  }

  placeNames(): void {
    const most = Number(this.getAttribute("labels") ?? 0);
    if (this.#map?.getLayer("clusters")) {
      this.#placeCounts(this.#map);
      return;
    }
    if (!this.#names || most === 0) return;
    const data = this.data;
    const [map, wide, high] = [this.#map, this.clientWidth, this.clientHeight];
    if (!map || !data) return;
    const dot = (index: number): Dot => ({ ...(this.#place(index) ?? { x: NaN, y: NaN }), r: data.size[index] ?? 4 });
    const fits = room(wide, high, this.#order.slice(0, mostDots).map(dot));
    let shown = 0;
    for (const name of this.#names.children as HTMLCollectionOf<HTMLElement>) {
      const at = dot(Number(name.dataset["index"]));
      name.hidden = false;
      const place = shown < most && at.x > 0 && at.y > 0 && at.x < wide && at.y < high ? fits(at, name.offsetWidth, name.offsetHeight) : undefined;
      name.hidden = !place;
      if (!place) continue;
      shown++;
      name.style.translate = `${Math.round(place.left)}px ${Math.round(place.top)}px`;
    }
  }
}

const minZoom = -2;
const maxZoom = 12;

/** How many of the largest points no name may cover. */
const mostDots = 600;

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, -most), most);
}

const circles: AddLayerObject = {
  id: "points",
  type: "circle",
  source: "points",
  filter: ["!", ["has", "point_count"]],
  layout: { "circle-sort-key": ["-", 0, ["get", "size"]] },
  paint: {
    "circle-radius": ["get", "size"],
    "circle-color": ["get", "colour"],
    "circle-opacity": ["case", ["get", "faded"], 0.38, 0.9],
    "circle-stroke-opacity": ["case", ["get", "faded"], 0.38, 1],
    "circle-stroke-width": 1.25,
  },
};

const bunches: AddLayerObject = {
  id: "clusters",
  type: "circle",
  source: "points",
  filter: ["has", "point_count"],
  paint: { "circle-opacity": 0.85, "circle-stroke-width": 1.5 },
};

const heat: AddLayerObject = {
  id: "points",
  type: "heatmap",
  source: "points",
  paint: { "heatmap-radius": ["interpolate", ["linear"], ["zoom"], 2, 18, 6, 44, 10, 80], "heatmap-intensity": ["interpolate", ["linear"], ["zoom"], 2, 1, 8, 2], "heatmap-opacity": 0.85 },
};

const arcs: AddLayerObject = {
  id: "points",
  type: "line",
  source: "points",
  layout: { "line-cap": "round", "line-sort-key": ["get", "size"] },
  paint: { "line-width": ["get", "size"], "line-color": ["get", "colour"], "line-opacity": ["case", ["get", "faded"], 0.15, 0.55] },
};

/** The element that has the map now: it may have been handed on. */
function owner(map: MapLibre): PointMap | undefined {
  const element = map.getContainer().parentElement;
  return element instanceof PointMap ? element : undefined;
}

customElements.define("df-map", PointMap);

// The size on paper is known once the page is laid out for it, where a browser tells.
const paper = matchMedia("print");
const print = (now: boolean): void => document.querySelectorAll<PointMap>("df-map").forEach((map) => map.print(now));
paper.addEventListener("change", () => print(paper.matches));
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(paper.matches));
