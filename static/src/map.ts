// <df-map data-widget="ID" aria-label="…" labels="8" text-failed="…">: points on
// flat land and water, drawn by MapLibre without tiles. The points are the
// MapData of domain/charts in a <script type="application/json"> inside of it.
// labels is how many of the largest points are named where there is room.
//
// Events: df:select (bubbling) when a point is chosen by pointer or Enter, with
// detail {widget, mark, add}; add is true with Shift held. Arrows go from point
// to point, the largest first; + and − zoom, 0 shows all.
//
// As with df-chart, an element that takes the place of one with the same
// data-widget takes over its map, with what is looked at.
import { type GeoJSONSource, type LngLatBoundsLike, LngLatBounds, Map as MapLibre, setWorkerUrl } from "maplibre-gl";
import { feature, mesh } from "topojson-client";
import { announce, onThemeChange, reducedMotion } from "./page.ts";

type Topology = Parameters<typeof feature>[0];

interface MapData {
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
}

type Bounds = [number, number, number, number];

const areas: Record<string, Bounds> = {
  world: [-168, -56, 178, 74],
  us: [-125.5, 24, -66, 49.8],
  europe: [-24, 34.5, 42, 71],
};

function asset(name: keyof typeof __ASSETS__): string {
  return new URL(__ASSETS__[name], import.meta.url).href;
}

let shapes: Promise<{ land: GeoJSON.GeoJSON; borders: GeoJSON.GeoJSON; states: GeoJSON.GeoJSON }> | undefined;

/** Loads land, borders and the style sheet of the map once a page. */
function loadShapes(): NonNullable<typeof shapes> {
  shapes ??= (async () => {
    setWorkerUrl(asset("map-worker.js"));
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = asset("map.css");
    const styled = new Promise<void>((resolve) => {
      sheet.onload = sheet.onerror = () => resolve();
    });
    document.head.append(sheet);
    const get = async (name: "world.json" | "states.json"): Promise<Topology> => {
      const answer = await fetch(asset(name));
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return (await answer.json()) as Topology;
    };
    const [world, us] = await Promise.all([get("world.json"), get("states.json"), styled]);
    const inner = (topology: Topology, name: string): GeoJSON.GeoJSON => mesh(topology as never, topology.objects[name] as never, (a, b) => a !== b);
    return {
      land: feature(world, world.objects["land"] as never) as GeoJSON.GeoJSON,
      borders: inner(world, "countries"),
      states: inner(us, "states"),
    };
  })();
  return shapes;
}

const orphans = new Map<string, { map: MapLibre; box: HTMLElement; area: string }>();

class PointMap extends HTMLElement {
  #map: MapLibre | undefined;
  #box: HTMLElement | undefined;
  data: MapData | undefined;
  #text = "";
  #order: number[] = [];
  #at = -1;
  #area = "";
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
    this.#resize = new ResizeObserver(() => this.#map?.resize());
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
    const orphan = { map, box, area: this.#area };
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
    this.#order = data.lon.map((_, i) => i).sort((a, b) => (data.size[b] ?? 0) - (data.size[a] ?? 0));
    if (this.#map) this.#update();
    else void this.#start();
  }

  async #start(): Promise<void> {
    try {
      const { land, borders, states } = await loadShapes();
      // The element may have left the page, or begun already, while this waited.
      if (!this.isConnected || this.#map || !this.data) return;
      const box = document.createElement("div");
      box.className = "map-box";
      this.prepend(box);
      this.#box = box;
      const map = new MapLibre({
        container: box,
        style: { version: 8, sources: {}, layers: [] },
        attributionControl: false,
        dragRotate: false,
        pitchWithRotate: false,
        touchPitch: false,
        keyboard: false,
        renderWorldCopies: false,
        fadeDuration: 0,
        maxZoom: 12,
        bounds: this.#bounds(this.data),
        fitBoundsOptions: this.#padding(),
      });
      this.#map = map;
      this.#area = this.data.area;
      map.touchZoomRotate.disableRotation();
      map.scrollZoom.disable();
      // One finger scrolls the page, two move the map.
      if (matchMedia("(pointer: coarse)").matches) map.dragPan.disable();
      map.getCanvas().tabIndex = -1;
      await new Promise<void>((resolve) => map.once("load", () => resolve()));
      if (this.#map !== map) return;
      const geometry = (data: GeoJSON.GeoJSON) => ({ type: "geojson", data, tolerance: 0.3 }) as const;
      map.addSource("land", geometry(land));
      map.addSource("borders", geometry(borders));
      map.addSource("states", geometry(states));
      map.addSource("points", { type: "geojson", data: this.#points() });
      map.addLayer({ id: "water", type: "background" });
      map.addLayer({ id: "land", type: "fill", source: "land" });
      map.addLayer({ id: "coast", type: "line", source: "land", paint: { "line-width": 0.75 } });
      map.addLayer({ id: "borders", type: "line", source: "borders", paint: { "line-width": 0.75 } });
      map.addLayer({ id: "states", type: "line", source: "states", paint: { "line-width": 0.5, "line-opacity": 0.8 } });
      map.addLayer({
        id: "points",
        type: "circle",
        source: "points",
        layout: { "circle-sort-key": ["-", 0, ["get", "size"]] },
        paint: {
          "circle-radius": ["get", "size"],
          "circle-color": ["get", "colour"],
          "circle-opacity": ["case", ["get", "faded"], 0.38, 0.9],
          "circle-stroke-opacity": ["case", ["get", "faded"], 0.38, 1],
          "circle-stroke-width": 1.25,
        },
      });
      this.#listen(map);
      this.#paint();
      // Names wait for what they stand on.
      map.once("idle", () => {
        box.dataset["state"] = "ready";
        owner(map)?.drawNames();
      });
    } catch (error) {
      // Without WebGL or the shapes there is no map; the widget's table has all
      // of its values.
      console.error(error);
      const note = document.createElement("p");
      note.className = "map-note";
      note.textContent = this.getAttribute("text-failed");
      this.append(note);
    }
  }

  #listen(map: MapLibre): void {
    map.on("mousemove", "points", (event) => {
      const index = event.features?.[0]?.properties["index"] as number | undefined;
      if (index === undefined) return;
      map.getCanvas().style.cursor = owner(map)?.data?.mark?.[index] ? "pointer" : "";
      owner(map)?.showTip(index);
    });
    map.on("mouseleave", "points", () => {
      map.getCanvas().style.cursor = "";
      owner(map)?.hideTip();
    });
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
    (map.getSource("points") as GeoJSONSource | undefined)?.setData(this.#points());
    if (data.area !== this.#area) {
      this.#area = data.area;
      this.#fit();
    }
    this.drawNames();
  }

  #bounds(data: MapData): LngLatBoundsLike {
    const fixed = areas[data.area];
    if (fixed) return fixed;
    const bounds = new LngLatBounds();
    data.lon.forEach((lon, i) => bounds.extend([lon, data.lat[i] ?? 0]));
    return bounds.isEmpty() ? (areas["world"] as Bounds) : bounds;
  }

  #padding(): { padding: number; maxZoom: number } {
    return { padding: this.clientWidth > 400 ? 28 : 16, maxZoom: 8 };
  }

  #fit(): void {
    if (!this.#map || !this.data) return;
    this.#map.fitBounds(this.#bounds(this.data), { ...this.#padding(), animate: !reducedMotion(), duration: 300 });
  }

  #points(): GeoJSON.FeatureCollection {
    const data = this.data;
    if (!data) return { type: "FeatureCollection", features: [] };
    const style = getComputedStyle(this);
    const steps = style.getPropertyValue("--seq").trim().split(/\s+/);
    const single = style.getPropertyValue(data.hue).trim();
    const features = data.lon.map((lon, i): GeoJSON.Feature => {
      const shade = data.shade?.[i];
      // The palest steps would vanish on the land.
      const colour = shade === undefined ? single : steps[2 + Math.round(shade * (steps.length - 3))];
      return {
        type: "Feature",
        geometry: { type: "Point", coordinates: [lon, data.lat[i] ?? 0] },
        properties: { index: i, size: data.size[i] ?? 4, colour, faded: data.faded?.[i] ?? false },
      };
    });
    return { type: "FeatureCollection", features };
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
    map.setPaintProperty("points", "circle-stroke-color", css("--color-base-100"));
    this.#update();
  }

  #place(index: number): { x: number; y: number } | undefined {
    const data = this.data;
    const [lon, lat] = [data?.lon[index], data?.lat[index]];
    if (!this.#map || lon === undefined || lat === undefined) return undefined;
    const { x, y } = this.#map.project([lon, lat]);
    return { x, y };
  }

  showTip(index: number): void {
    const data = this.data;
    const at = this.#place(index);
    if (!data || !at) return;
    if (!this.#tip) {
      this.#tip = document.createElement("div");
      this.#tip.className = "map-tip";
    }
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
    if (!this.#names || most === 0) return;
    const taken: DOMRect[] = [];
    for (const name of this.#names.children as HTMLCollectionOf<HTMLElement>) {
      const index = Number(name.dataset["index"]);
      const at = this.#place(index);
      name.hidden = true;
      if (!at || taken.length >= most) continue;
      name.hidden = false;
      const [width, height] = [name.offsetWidth, name.offsetHeight];
      const rect = new DOMRect(at.x - width / 2, at.y - (this.data?.size[index] ?? 4) - height - 2, width, height);
      const clear = rect.left > 2 && rect.right < this.clientWidth - 2 && rect.top > 2 && rect.bottom < this.clientHeight;
      if (!clear || taken.some((other) => rect.left < other.right + 6 && rect.right + 6 > other.left && rect.top < other.bottom + 2 && rect.bottom + 2 > other.top)) {
        name.hidden = true;
        continue;
      }
      name.style.translate = `${Math.round(rect.left)}px ${Math.round(rect.top)}px`;
      taken.push(rect);
    }
  }
}

/** The element that has the map now: it may have been handed on. */
function owner(map: MapLibre): PointMap | undefined {
  const element = map.getContainer().parentElement;
  return element instanceof PointMap ? element : undefined;
}

customElements.define("df-map", PointMap);
