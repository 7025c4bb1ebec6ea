// <df-chart data-widget="ID" aria-label="…">: a chart drawn by ECharts, out of
// a <script type="application/json"> inside of it. domain/charts writes that
// JSON and says what it means (package comment there):
//
//   {"option": …, "df": {"tooltip"?, "marks"?, "narrow"?}}
//
// In the option, "var(--c1)" stands for a colour of the page, "var(--seq)" for
// a list of them, and {"$format": F} for a function that writes a value. Here
// nothing is code out of the page: the formats are the closed list of
// format.ts.
//
// A visualMap with min, max and inRange.color colours the cells of a heatmap;
// it is done here, without the component.
//
// Attributes: data-widget names the widget; renderer="svg" draws SVG instead of
// a canvas (for print).
//
// Events: df:select (bubbling) when a mark is chosen by pointer, Enter or
// Space, with detail {widget, mark, add}; add is true with Shift held.
//
// New JSON is drawn as it comes, so the element can be morphed. One that takes
// the place of another with the same data-widget (a plain swap) takes over its
// drawing. Either way the new data moves in instead of flashing up.
import { BarChart, HeatmapChart, LineChart, PieChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { type ECharts, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { mix, ramp } from "./colour.ts";
import { announce, isDark, locale, onThemeChange, reducedMotion } from "./page.ts";
import { bucket, missing, number, type NumberFormat, type Place } from "./format.ts";
import { theme } from "./theme.ts";

// Every part counts: this is the largest thing that a first visit loads.
use([BarChart, HeatmapChart, LineChart, PieChart, GridComponent, MarkLineComponent, TooltipComponent, CanvasRenderer]);

interface Format extends NumberFormat {
  place?: Place;
  labels?: Record<string, string>;
  time?: string;
  year?: boolean;
  /** The last two parts of a point are the ends of a band. */
  range?: boolean;
}

interface Tooltip {
  heads?: string[];
  head?: { $format: Format };
  names: string[];
  formats: Format[];
}

interface Marks {
  by: "data" | "series";
  values: string[];
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Option = Record<string, unknown>;

interface Drawing {
  option: { [key: string]: Json };
  df?: { tooltip?: Tooltip; marks?: Marks; narrow?: { [key: string]: Json } };
}

/** What ECharts tells of a point, as far as it is used. */
interface Point {
  seriesIndex: number;
  dataIndex: number;
  value: unknown;
  axisValue?: unknown;
  color?: unknown;
}

const narrowWindow = matchMedia("(max-width: 639.98px)");

/** Drawings whose element has just left the page, by widget. */
const orphans = new Map<string, { chart: ECharts; box: HTMLElement }>();

class Chart extends HTMLElement {
  #chart: ECharts | undefined;
  #box: HTMLElement | undefined;
  #drawing: Drawing | undefined;
  #ended: AbortController | undefined;
  #resize: ResizeObserver | undefined;
  #watch: MutationObserver | undefined;
  #stopTheme: (() => void) | undefined;
  #text = "";
  #at = -1;
  #svg = false;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.#adopt();
    this.#read();
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(this);
    this.#watch = new MutationObserver(() => this.#keep());
    this.#watch.observe(this, { childList: true, characterData: true, subtree: true, attributes: true, attributeFilter: ["role", "tabindex"] });
    this.#stopTheme = onThemeChange(() => this.#retheme());
    narrowWindow.addEventListener("change", () => this.#draw(), { signal });
    this.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.addEventListener("blur", () => this.#leave(), { signal });
  }

  disconnectedCallback(): void {
    this.#ended?.abort();
    this.#resize?.disconnect();
    this.#watch?.disconnect();
    this.#stopTheme?.();
    const { widget } = this.dataset;
    const [chart, box] = [this.#chart, this.#box];
    this.#chart = undefined;
    this.#box = undefined;
    this.#text = "";
    if (!chart || !box) return;
    chart.off("click");
    if (!widget) {
      chart.dispose();
      return;
    }
    orphans.get(widget)?.chart.dispose();
    const orphan = { chart, box };
    orphans.set(widget, orphan);
    // Time enough for the swap that brings its successor.
    setTimeout(() => {
      if (orphans.get(widget) !== orphan) return;
      orphans.delete(widget);
      chart.dispose();
    }, 250);
  }

  #adopt(): void {
    const { widget } = this.dataset;
    const orphan = widget ? orphans.get(widget) : undefined;
    if (!widget || !orphan) return;
    orphans.delete(widget);
    this.#chart = orphan.chart;
    this.#box = orphan.box;
    this.append(orphan.box);
    this.#listen(orphan.chart);
  }

  /** The SVG renderer is loaded where it is wanted. */
  async #loadRenderer(): Promise<void> {
    const { SVGRenderer } = await import("./svg.ts");
    use([SVGRenderer]);
    this.#svg = true;
    this.#draw();
  }

  /** A morph takes away what the server did not send: it is put back before
   * anybody sees that, and new data is drawn. */
  #keep(): void {
    if (this.#box && this.#box.parentElement !== this) this.append(this.#box);
    this.#read();
    this.#announceRole();
  }

  #read(): void {
    const text = this.querySelector(":scope > script[type='application/json']")?.textContent;
    if (!text || text === this.#text) return;
    this.#text = text;
    this.#drawing = JSON.parse(text) as Drawing;
    this.#at = -1;
    this.#announceRole();
    this.#draw();
  }

  #announceRole(): void {
    const selects = this.#drawing?.df?.marks !== undefined;
    const role = selects ? "application" : "img";
    if (this.getAttribute("role") !== role) this.setAttribute("role", role);
    if (selects && this.getAttribute("tabindex") !== "0") this.tabIndex = 0;
    if (!selects && this.hasAttribute("tabindex")) this.removeAttribute("tabindex");
  }

  #fit(): void {
    if (this.clientWidth === 0 || this.clientHeight === 0) return;
    if (this.#chart) this.#chart.resize();
    else this.#draw();
  }

  #draw(): void {
    const drawing = this.#drawing;
    if (!drawing || this.clientWidth === 0 || this.clientHeight === 0) return;
    if (this.getAttribute("renderer") === "svg" && !this.#svg) {
      void this.#loadRenderer();
      return;
    }
    const chart = this.#chart ?? this.#start();
    chart.setOption(this.#option(drawing), { replaceMerge: ["series", "xAxis", "yAxis"] });
  }

  #start(): ECharts {
    const box = document.createElement("div");
    box.className = "chart-box";
    this.append(box);
    const chart = init(box, theme(this, isDark()), { renderer: this.#svg ? "svg" : "canvas" });
    this.#box = box;
    this.#chart = chart;
    this.#listen(chart);
    return chart;
  }

  #listen(chart: ECharts): void {
    chart.on("click", (event) => {
      const { seriesIndex, dataIndex, event: pointer } = event as unknown as Point & { event?: { event?: MouseEvent } };
      this.#select(seriesIndex, dataIndex, pointer?.event?.shiftKey ?? false);
    });
  }

  #option(drawing: Drawing): Option {
    const whole = narrowWindow.matches && drawing.df?.narrow ? merge(drawing.option, drawing.df.narrow) : drawing.option;
    const option = this.#resolve(whole) as Option;
    if (reducedMotion()) option["animation"] = false;
    shade(option);
    // Parts keep their names, so that what is drawn moves to its new place
    // instead of being drawn anew.
    for (const part of ["series", "xAxis", "yAxis"]) list(option[part]).forEach((each, i) => (each["id"] ??= `${part}${i}`));
    const tooltip = drawing.df?.tooltip;
    option["tooltip"] = tooltip ? this.#tooltip(tooltip, option) : { show: false };
    const marks = drawing.df?.marks;
    for (const series of list(option["series"])) {
      series["cursor"] = marks ? "pointer" : "default";
      if (!marks) continue;
      // What can't be selected does not look as if it could.
      const [single] = marks.values;
      if (marks.values.every((mark) => mark === "") || single === undefined) series["cursor"] = "default";
    }
    return option;
  }

  /** Puts the page's colours and our functions in the place of what stands for
   * them. */
  #resolve(value: Json): unknown {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value)?.[1];
      return name ? colours(this, name) : value;
    }
    if (Array.isArray(value)) return value.map((each) => (typeof each === "object" || typeof each === "string" ? this.#resolve(each) : each));
    if (value === null || typeof value !== "object") return value;
    const format = value["$format"];
    if (format !== undefined) return formatter(format as unknown as Format);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#resolve(each)]));
  }

  #tooltip(tooltip: Tooltip, option: Option): Option {
    const crosses = option["xAxis"] !== undefined && !list(option["series"]).some((series) => series["type"] === "heatmap");
    const line = list(option["series"]).some((series) => series["type"] === "line");
    return {
      trigger: crosses ? "axis" : "item",
      axisPointer: { type: line ? "line" : "shadow" },
      appendTo: "body",
      confine: true,
      transitionDuration: reducedMotion() ? 0 : 0.12,
      formatter: (given: Point | Point[]) => this.#tip(tooltip, Array.isArray(given) ? given : [given]),
    };
  }

  #tip(tooltip: Tooltip, given: Point[]): HTMLElement | string {
    const [first] = given;
    if (!first) return "";
    const box = document.createElement("div");
    box.className = "chart-tip";
    const head = document.createElement("b");
    head.textContent = tooltip.head ? write(tooltip.head.$format, first.axisValue ?? first.value) : (tooltip.heads?.[first.dataIndex] ?? "");
    box.append(head);
    // What only compares stands last.
    const quiet = (point: Point): number => (list(this.#drawing?.option["series"])[point.seriesIndex]?.["silent"] ? 1 : 0);
    for (const point of [...given].sort((a, b) => quiet(a) - quiet(b))) {
      const value = last(point.value);
      if (value === null || value === undefined || value === "-") continue;
      const row = document.createElement("div");
      const mark = document.createElement("i");
      if (typeof point.color === "string") mark.style.background = point.color;
      const name = document.createElement("span");
      name.textContent = tooltip.names[point.seriesIndex] ?? "";
      const figure = document.createElement("span");
      figure.className = "num";
      const format: Format = { place: "full", ...tooltip.formats[point.seriesIndex] };
      const from = format.range && Array.isArray(point.value) ? (point.value as unknown[]).at(-2) : undefined;
      figure.textContent = (from === undefined ? "" : `${write(format, from)} – `) + write(format, value);
      row.append(mark, name, figure);
      box.append(row);
    }
    return box;
  }

  #mark(seriesIndex: number, dataIndex: number): string {
    const marks = this.#drawing?.df?.marks;
    return marks?.values[marks.by === "series" ? seriesIndex : dataIndex] ?? "";
  }

  #select(seriesIndex: number, dataIndex: number, add: boolean): void {
    const mark = this.#mark(seriesIndex, dataIndex);
    if (mark === "") return;
    this.dispatchEvent(new CustomEvent("df:select", { bubbles: true, detail: { widget: this.dataset["widget"] ?? "", mark, add } }));
  }

  /** Arrows go from mark to mark, Enter and Space select. */
  #key(event: KeyboardEvent): void {
    const marks = this.#drawing?.df?.marks;
    const chart = this.#chart;
    if (!marks || !chart) return;
    const count = marks.values.length;
    const steps: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.#at = (Math.max(this.#at, step > 0 ? -1 : 0) + step + count) % count;
      this.#show();
    } else if ((event.key === "Enter" || event.key === " ") && this.#at >= 0) {
      event.preventDefault();
      if (marks.by === "series") this.#select(this.#at, 0, event.shiftKey);
      else this.#select(0, this.#at, event.shiftKey);
    }
  }

  #show(): void {
    const chart = this.#chart;
    const df = this.#drawing?.df;
    if (!chart || !df?.marks) return;
    const target = df.marks.by === "series" ? { seriesIndex: this.#at, dataIndex: 0 } : { seriesIndex: 0, dataIndex: this.#at };
    chart.dispatchAction({ type: "downplay" });
    chart.dispatchAction({ type: "highlight", ...(df.marks.by === "series" ? { seriesIndex: this.#at } : target) });
    chart.dispatchAction({ type: "showTip", ...target });
    const name = df.marks.by === "series" ? df.tooltip?.names[this.#at] : df.tooltip?.heads?.[this.#at];
    announce([name, df.marks.by === "data" ? this.#value(this.#at) : ""].filter(Boolean).join(", "), true);
  }

  #value(index: number): string {
    const data = list(this.#drawing?.option["series"])[0]?.["data"];
    const format = this.#drawing?.df?.tooltip?.formats[0];
    if (!Array.isArray(data) || !format) return "";
    const point: unknown = data[index];
    const value = typeof point === "object" && point !== null && "value" in point ? point.value : point;
    return write({ place: "full", ...format }, last(value));
  }

  #leave(): void {
    this.#chart?.dispatchAction({ type: "downplay" });
    this.#chart?.dispatchAction({ type: "hideTip" });
  }

  #retheme(): void {
    if (!this.#chart) return;
    this.#chart.setTheme(theme(this, isDark()));
    this.#draw();
  }
}

/** The computed value of a variable: a list of colours as a list, a number as a
 * number. */
function colours(element: Element, name: string): string | string[] | number {
  const value = getComputedStyle(element).getPropertyValue(name).trim();
  if (/^0?\.?\d+$/.test(value)) return Number(value);
  return name === "--seq" || name === "--div" ? value.split(/\s+/) : value;
}

function list(value: unknown): Option[] {
  if (Array.isArray(value)) return value as Option[];
  return value === undefined || value === null ? [] : [value as Option];
}

/** Colours each cell by its value, as the option's visualMap says. */
function shade(option: Option): void {
  const map = option["visualMap"] as { min: number; max: number; inRange?: { color?: string[] } } | undefined;
  delete option["visualMap"];
  const steps = map?.inRange?.color;
  if (!map || !steps) return;
  const scale = ramp(steps);
  for (const series of list(option["series"])) {
    if (!Array.isArray(series["data"])) continue;
    series["data"] = (series["data"] as unknown[]).map((point) => {
      const cell = typeof point === "object" && point !== null && "value" in point ? (point as Option) : { value: point };
      const value = Number(last(cell["value"]));
      const color = mix(scale, (value - map.min) / (map.max - map.min || 1));
      return { ...cell, itemStyle: { color, ...(cell["itemStyle"] as Option | undefined) } };
    });
  }
}

/** The last part of a point: its value on the value axis. */
function last(value: unknown): unknown {
  return Array.isArray(value) ? (value as unknown[]).at(-1) : value;
}

function write(format: Format, given: unknown): string {
  if (format.labels) return format.labels[String(given)] ?? "";
  const value = typeof given === "number" ? given : Number(given);
  if (given === null || given === undefined || Number.isNaN(value)) return missing;
  if (format.time) return bucket(locale(), value, format.time, format.year ?? false);
  return number(locale(), value, format, format.place ?? "full");
}

/** A function for ECharts: of an axis it gets the value, of a label the point. */
function formatter(format: Format): (given: unknown) => string {
  return (given) => write(format, typeof given === "object" && given !== null && "value" in given ? last(given.value) : given);
}

/** Lays one option over another; lists are replaced as a whole. */
function merge(below: { [key: string]: Json }, above: { [key: string]: Json }): { [key: string]: Json } {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = merged[key];
    merged[key] = isObject(under) && isObject(value) && !("$format" in value) ? merge(under, value) : value;
  }
  return merged;
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

customElements.define("df-chart", Chart);
