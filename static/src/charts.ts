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
// Attributes: data-widget names the widget, data-part one of its small charts; renderer="svg" draws SVG instead of
// a canvas, for paper: such a chart is an image, and says df:drawn (bubbling)
// once it stands.
//
// Events: df:drawn (bubbling) each time that it has been painted.
// df:select (bubbling) when a mark is chosen by pointer, Enter or
// Space, with detail {widget, mark, add}; add is true with Shift held.
//
// New JSON is drawn as it comes, so the element can be morphed. One that takes
// the place of another with the same data-widget (a plain swap) takes over its
// drawing. Either way the new data moves in instead of flashing up.
import { install as bars } from "echarts/lib/chart/bar/install.js";
import { install as heatmap } from "echarts/lib/chart/heatmap/install.js";
import { install as lines } from "echarts/lib/chart/line/install.js";
import { install as pie } from "echarts/lib/chart/pie/install.js";
import { install as grid } from "echarts/lib/component/grid/install.js";
import { install as tooltip } from "echarts/lib/component/tooltip/install.js";
import { install as canvas } from "echarts/lib/renderer/installCanvasRenderer.js";
import { type ECharts, format as texts, init, use } from "echarts/core";
import { mix, ramp } from "./colour.ts";
import { announce, isDark, locale, onThemeChange, reducedMotion } from "./page.ts";
import { bucket, missing, number, type NumberFormat, type Place } from "./format.ts";
import { beside, standing } from "./names.ts";
import { type Theme, theme } from "./theme.ts";

// Every part counts: this is the largest thing that a first visit loads. What
// fewer pages need comes when the first chart asks for it. Each is imported from
// its own file: through the library's lists ("echarts/charts") the bundler
// would put every part into what all pages load.
use([bars, heatmap, lines, pie, grid, tooltip, canvas, fit]);

type Registers = Parameters<Extract<Parameters<typeof use>[0], (...given: never[]) => unknown>>[0];

/** What depends on the size of a chart, each time that it has got one: how the
 * names of an axis with "fit" stand, and whether labels of bars with it do; how
 * wide names beside an axis are; the room for the last moment below one. */
function fit(registers: Registers): void {
  registers.registerProcessor({
    overallReset: (all, api) => {
      all.eachComponent("xAxis", (axis) => {
        const { data, axisLabel } = axis.option as { data: string[]; axisLabel: Option };
        const font = (axis.getModel("axisLabel" as never) as unknown as { getFont: () => string }).getFont();
        const measure = (text: string): number => texts.getTextRect(text, font).width;
        const between = (api.getWidth() - valueLabels) / data?.length;
        if (axisLabel["fit"]) Object.assign(axisLabel, standing(data, between, api.getHeight(), measure));
        else if (data) {
          // The last name stands in the middle of its place, and reaches beyond it.
          const grid = all.getComponent("grid", 0)?.option as { right?: number; least?: number };
          grid.least ??= grid.right ?? 0;
          grid.right = Math.max(grid.least, Math.ceil((measure(data.at(-1) ?? "") - between) / 2) + 2);
        }
        all.eachSeriesByType("bar", (series) => {
          const { label, data: bars } = series.option as { label?: Option; data: { face?: string }[] };
          if (label?.["fit"]) label["show"] = bars.every(({ face }) => measure(face ?? "") <= between - 2);
        });
      });
      all.eachComponent("yAxis", (axis) => {
        const { axisLabel } = axis.option as { axisLabel: Option };
        const { left, right } = (all.getComponent("grid", 0)?.option ?? {}) as { left?: number; right?: number };
        const widest = (axisLabel["widest"] ??= axisLabel["width"]);
        if (typeof widest === "number") axisLabel["width"] = beside(widest, api.getWidth() - (left ?? 0) - (right ?? 0));
      });
    },
  });
}

/** About how wide the labels of the value axis are, in pixels. */
const valueLabels = 44;

type Part = "points" | "trees" | "radar" | "notes" | "steps" | "paper";

const parts: Record<Part, () => Promise<{ extensions: Parameters<typeof use>[0] }>> = {
  points: () => import("./parts/points.ts"),
  trees: () => import("./parts/trees.ts"),
  radar: () => import("./parts/radar.ts"),
  notes: () => import("./parts/notes.ts"),
  steps: () => import("./parts/steps.ts"),
  paper: () => import("./parts/paper.ts"),
};

const partOf: Record<string, Part> = {
  scatter: "points",
  boxplot: "points",
  candlestick: "points",
  treemap: "trees",
  sunburst: "trees",
  sankey: "trees",
  radar: "radar",
};

const loaded = new Map<Part, Promise<void> | true>();

/** What an option needs that is not here yet; undefined where all is. */
function missingParts(option: Option, paper: boolean): Promise<unknown> | undefined {
  const wanted = new Set<Part>(paper ? ["paper"] : []);
  for (const series of list(option["series"])) {
    const part = partOf[String(series["type"])];
    if (part) wanted.add(part);
    if (series["markLine"]) wanted.add("notes");
    if (series["step"]) wanted.add("steps");
  }
  return load(wanted);
}

/** Loads parts before a chart asks for them; undefined where all are here. */
export function load(wanted: Iterable<Part> = Object.keys(parts) as Part[]): Promise<unknown> | undefined {
  const waits: Promise<void>[] = [];
  for (const part of wanted) {
    let state = loaded.get(part);
    if (!state) {
      state = parts[part]().then(({ extensions }) => {
        use(extensions);
        loaded.set(part, true);
      });
      loaded.set(part, state);
    }
    if (state !== true) waits.push(state);
  }
  return waits.length > 0 ? Promise.all(waits) : undefined;
}

interface Format extends NumberFormat {
  place?: Place;
  labels?: Record<string, string>;
  time?: string;
  year?: boolean;
  /** The last two parts of a point are the ends of a band. */
  range?: boolean;
  field?: string;
  head?: boolean;
}

interface Tooltip {
  heads?: string[];
  headsBy?: string[][];
  head?: { $format: Format };
  names: string[];
  formats: Format[];
  texts?: (string[] | null)[];
  fields?: { name: string; at: number; format: Format }[];
  item?: boolean;
}

interface Marks {
  by: "data" | "series" | "cell" | "item";
  values: string[];
  cells?: string[][];
  series?: number;
}

/** A mark that can be reached by the arrow keys. */
interface Target {
  seriesIndex: number;
  dataIndex?: number;
  name?: string;
  mark: string;
  said: string;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Option = Record<string, unknown>;

interface Drawing {
  option: { [key: string]: Json };
  df?: { tooltip?: Tooltip; marks?: Marks; narrow?: { [key: string]: Json }; brush?: { grain: string } };
}

/** Of the box of a chart, in CSS pixels. */
interface Size {
  width: number;
  height: number;
}

/** All that drawing needs of the page; the theme only for a first drawing. */
interface Plan {
  size: Size;
  option: Option;
  theme?: Theme;
}

/** What ECharts tells of a point, as far as it is used. */
interface Point {
  seriesIndex: number;
  dataIndex: number;
  value: unknown;
  axisValue?: unknown;
  color?: unknown;
  seriesType?: string;
  data?: unknown;
}

const narrowWindow = matchMedia("(max-width: 639.98px)");

/** Drawings whose element has just left the page, by widget. */
const orphans = new Map<string, { chart: ECharts; box: HTMLElement }>();

/** A value, or both ends of a band, in words. */
function figure(format: Format, value: unknown): string {
  const from = format.range && Array.isArray(value) ? (value as unknown[]).at(-2) : undefined;
  return (from === undefined ? "" : `${write(format, from)} – `) + write(format, last(value));
}

export class Chart extends HTMLElement {
  /** The mark under the last press of the right button. */
  pointed = "";
  #chart: ECharts | undefined;
  #box: HTMLElement | undefined;
  #drawing: Drawing | undefined;
  #ended: AbortController | undefined;
  #resize: ResizeObserver | undefined;
  #watch: MutationObserver | undefined;
  #stopTheme: (() => void) | undefined;
  #text = "";
  #at = -1;

  connectedCallback(): void {
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.#adopt();
    this.#read();
    this.#resize = new ResizeObserver(([entry]) => this.#fit(entry?.contentRect));
    this.#resize.observe(this);
    if (this.#paper()) return; // where nobody points, and nothing is morphed
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
    const widget = this.#name();
    const [chart, box] = [this.#chart, this.#box];
    this.#chart = undefined;
    this.#box = undefined;
    this.#text = "";
    if (!chart || !box) return;
    chart.off("click");
    chart.off("contextmenu");
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

  /** The drawing among all of the page; small charts of one widget are told
   * apart by their part. */
  #name(): string {
    const { widget, part } = this.dataset;
    return widget && part ? `${widget}/${part}` : (widget ?? "");
  }

  #adopt(): void {
    const widget = this.#name();
    const orphan = widget ? orphans.get(widget) : undefined;
    if (!widget || !orphan) return;
    orphans.delete(widget);
    this.#chart = orphan.chart;
    this.#box = orphan.box;
    this.append(orphan.box);
    this.#listen(orphan.chart);
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

  #paper(): boolean {
    return this.getAttribute("renderer") === "svg";
  }

  #announceRole(): void {
    const selects = this.#drawing?.df?.marks !== undefined && !this.#paper();
    const role = selects ? "application" : "img";
    if (this.getAttribute("role") !== role) this.setAttribute("role", role);
    if (selects && this.getAttribute("tabindex") !== "0") this.tabIndex = 0;
    if (!selects && this.hasAttribute("tabindex")) this.removeAttribute("tabindex");
  }

  #fit(box: Size | undefined): void {
    // Whole pixels, as clientWidth has them: what only seems to have changed
    // is not drawn again.
    const size = { width: Math.round(box?.width ?? 0), height: Math.round(box?.height ?? 0) };
    const chart = this.#chart;
    if (size.width === 0 || size.height === 0) return;
    if (!chart) this.#draw();
    else if (chart.getWidth() !== size.width || chart.getHeight() !== size.height) {
      chart.resize(size);
      if (this.#paper()) this.#settle(chart);
    }
  }

  /** Draws, together with all that are to be drawn at the same time. */
  #draw(): void {
    Chart.#waiting.add(this);
    if (Chart.#waiting.size === 1) queueMicrotask(() => Chart.#drawAll());
  }

  static readonly #waiting = new Set<Chart>();

  /** First everything is read, then everything is drawn: in turns, each chart
   * would make the browser lay the page out again for the next. */
  static #drawAll(): void {
    const all = [...Chart.#waiting];
    Chart.#waiting.clear();
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        // Its neighbours are drawn all the same.
        reportError(error);
      }
    };
    const ready: [Chart, Plan][] = [];
    for (const chart of all) {
      attempt(() => {
        const plan = chart.#plan();
        if (plan) ready.push([chart, plan]);
      });
    }
    for (const [chart, plan] of ready) attempt(() => chart.#carryOut(plan));
  }

  /** What is to be drawn; undefined where it can't be yet. Changes nothing on
   * the page. */
  #plan(): Plan | undefined {
    const drawing = this.#drawing;
    const size = { width: this.clientWidth, height: this.clientHeight };
    if (!drawing || size.width === 0 || size.height === 0) return undefined;
    const waits = missingParts(drawing.option, this.#paper());
    if (waits) {
      void waits.then(() => this.#draw());
      return undefined;
    }
    return { size, option: this.#option(drawing), ...(this.#chart ? {} : { theme: theme(this, isDark()) }) };
  }

  #carryOut({ size, option, theme }: Plan): void {
    const chart = this.#chart ?? this.#start(size, theme);
    // Nothing of the drawing before stays that this one does not have.
    chart.setOption(option, { notMerge: true });
    if (this.#paper()) this.#settle(chart);
  }

  /** What stands on paper does not wait for a frame, and none comes after it. */
  #settle(chart: ECharts): void {
    chart.getZr().flush();
    chart.getZr().animation.stop();
  }

  #start(size: Size, theme: Theme | undefined): ECharts {
    const box = document.createElement("div");
    box.className = "chart-box";
    this.append(box);
    const chart = init(box, theme, { renderer: this.#paper() ? "svg" : "canvas", ...size });
    this.#box = box;
    this.#chart = chart;
    this.#listen(chart);
    return chart;
  }

  #listen(chart: ECharts): void {
    chart.on(this.#paper() ? "finished" : "rendered", () => this.dispatchEvent(new Event("df:drawn", { bubbles: true })));
    chart.on("click", (event) => {
      const point = event as unknown as Point & { event?: { event?: MouseEvent } };
      this.#send(this.#mark(point), point.event?.event?.shiftKey ?? false);
    });
    chart.on("contextmenu", (event) => {
      this.pointed = this.#mark(event as unknown as Point);
    });
  }

  get chart(): ECharts | undefined {
    return this.#chart;
  }

  get drawing(): Drawing | undefined {
    return this.#drawing;
  }

  /** The mark that the arrow keys are at. */
  get reached(): string {
    return this.#targets()[this.#at]?.mark ?? "";
  }

  #option(drawing: Drawing): Option {
    const whole = narrowWindow.matches && drawing.df?.narrow ? merge(drawing.option, drawing.df.narrow) : drawing.option;
    const option = this.#resolve(whole) as Option;
    if (reducedMotion()) option["animation"] = false;
    shade(option);
    for (const axis of [...list(option["xAxis"]), ...list(option["yAxis"])]) widen(axis);
    // Series keep their names, so that what is drawn moves to its new place
    // instead of being drawn anew.
    const times = new Map<string, number>();
    for (const series of list(option["series"])) {
      const id = `${String(series["name"] ?? "")}/${String(series["stack"] ?? "")}`;
      times.set(id, (times.get(id) ?? 0) + 1);
      series["id"] ??= `${id}/${times.get(id)}`;
    }
    const tooltip = drawing.df?.tooltip;
    option["tooltip"] = tooltip ? this.#tooltip(tooltip, option) : { show: false };
    // What can't be selected does not look as if it could.
    const marks = drawing.df?.marks;
    const cursor = marks && (marks.cells?.flat() ?? marks.values).some(Boolean) ? "pointer" : "default";
    for (const series of list(option["series"])) series["cursor"] = cursor;
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
    if (format !== undefined) return this.#formatter(format as unknown as Format);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#resolve(each)]));
  }

  /** A function for ECharts: of an axis it gets the value, of a label the point. */
  #formatter(format: Format): (given: unknown) => string {
    const heads = this.#drawing?.df?.tooltip;
    return (given) => {
      const point = typeof given === "object" && given !== null ? (given as Point) : undefined;
      if (format.field) return text(point?.data, format.field);
      if (format.head) return point ? (heads?.headsBy?.[point.seriesIndex]?.[point.dataIndex] ?? heads?.heads?.[point.dataIndex] ?? "") : "";
      return write(format, point && "value" in point ? last(point.value) : given);
    };
  }

  #tooltip(tooltip: Tooltip, option: Option): Option {
    const crosses = !tooltip.item && option["xAxis"] !== undefined && !list(option["series"]).some((series) => series["type"] === "heatmap");
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
    head.textContent = tooltip.head
      ? write(tooltip.head.$format, first.axisValue ?? first.value)
      : (tooltip.headsBy?.[first.seriesIndex]?.[first.dataIndex] ?? tooltip.heads?.[first.dataIndex] ?? text(first.data, "head"));
    if (head.textContent) box.append(head);
    // What only compares stands last.
    const quiet = (point: Point): number => (list(this.#drawing?.option["series"])[point.seriesIndex]?.["silent"] ? 1 : 0);
    for (const point of [...given].sort((a, b) => quiet(a) - quiet(b))) {
      const value = last(point.value);
      const own = text(point.data, "text");
      const rows = rowsOf(point.data);
      if (rows) {
        for (const { name, text } of rows) box.append(tipRow(point.color, name, text));
        continue;
      }
      if (tooltip.fields && Array.isArray(point.value)) {
        // Boxes and candles have their place before their values.
        const shift = point.seriesType === "boxplot" || point.seriesType === "candlestick" ? 1 : 0;
        const values = point.value as unknown[];
        if (tooltip.names.length > 1) box.append(tipRow(point.color, tooltip.names[point.seriesIndex] ?? "", ""));
        for (const { name, at, format } of tooltip.fields) box.append(tipRow(point.color, name, write({ place: "full", ...format }, values[at + shift])));
        continue;
      }
      if (!own && (value === null || value === undefined || value === "-")) continue;
      const name = tooltip.names[point.seriesIndex] ?? "";
      const said = own || (tooltip.texts?.[point.seriesIndex]?.[point.dataIndex] ?? figure({ place: "full", ...tooltip.formats[point.seriesIndex] }, point.value));
      // A series without a name only holds others up.
      if (name !== "" || own) box.append(tipRow(point.color, name, said));
    }
    return box;
  }

  /** What a click on a point selects; empty: nothing. */
  #mark(point: Point): string {
    const marks = this.#drawing?.df?.marks;
    switch (marks?.by) {
      case "series":
        return marks.values[point.seriesIndex] ?? "";
      case "cell":
        return marks.cells?.[point.seriesIndex]?.[point.dataIndex] ?? "";
      case "item":
        return text(point.data, "mark");
      case "data":
        return marks.values[point.dataIndex] ?? "";
    }
    return "";
  }

  #send(mark: string, add: boolean): void {
    if (mark === "") return;
    this.dispatchEvent(new CustomEvent("df:select", { bubbles: true, detail: { widget: this.dataset["widget"] ?? "", mark, add } }));
  }

  /** All marks in their order, for the keyboard. */
  #targets(): Target[] {
    const df = this.#drawing?.df;
    const { marks, tooltip } = df ?? {};
    const series = list(this.#drawing?.option["series"]);
    switch (marks?.by) {
      case "series":
        return marks.values.map((mark, i) => ({ seriesIndex: i, mark, said: tooltip?.names[i] ?? "" }));
      case "data": {
        const at = marks.series ?? 0;
        return marks.values.map((mark, i) => ({ seriesIndex: at, dataIndex: i, mark, said: [tooltip?.heads?.[i], this.#value(at, i)].filter(Boolean).join(", ") }));
      }
      case "cell":
        return (marks.cells ?? []).flatMap((cells, n) =>
          cells.map((mark, i) => ({ seriesIndex: n, dataIndex: i, mark, said: [tooltip?.headsBy?.[n]?.[i], this.#value(n, i)].filter(Boolean).join(", ") })),
        );
      case "item": {
        const found: Target[] = [];
        const walk = (items: unknown): void => {
          if (!Array.isArray(items)) return;
          for (const item of items as Option[]) {
            const mark = text(item, "mark");
            const said = [text(item, "head"), text(item, "text")].filter(Boolean).join(", ");
            if (mark) found.push({ seriesIndex: 0, name: text(item, "name"), mark, said });
            walk(item["children"]);
          }
        };
        walk(series[0]?.["data"]);
        walk(series[0]?.["links"]);
        return found;
      }
    }
    return [];
  }

  /** Arrows go from mark to mark, Enter and Space select. */
  #key(event: KeyboardEvent): void {
    const chart = this.#chart;
    const targets = this.#targets();
    const steps: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const step = steps[event.key];
    if (!chart || targets.length === 0) return;
    if (step !== undefined) {
      this.#at = (Math.max(this.#at, step > 0 ? -1 : 0) + step + targets.length) % targets.length;
      const target = targets[this.#at];
      if (target) this.#show(chart, target);
    } else if ((event.key === "Enter" || event.key === " ") && this.#at >= 0) {
      this.#send(targets[this.#at]?.mark ?? "", event.shiftKey);
    } else {
      return;
    }
    event.preventDefault();
  }

  #show(chart: ECharts, { seriesIndex, dataIndex, name, said }: Target): void {
    const at = { seriesIndex, ...(dataIndex === undefined ? {} : { dataIndex }), ...(name ? { name } : {}) };
    chart.dispatchAction({ type: "downplay" });
    chart.dispatchAction({ type: "highlight", ...at });
    if (!name) chart.dispatchAction({ type: "showTip", seriesIndex, dataIndex: dataIndex ?? 0 });
    announce(said, true);
  }

  #value(series: number, index: number): string {
    const tooltip = this.#drawing?.df?.tooltip;
    const data = list(this.#drawing?.option["series"])[series]?.["data"];
    const ready = tooltip?.texts?.[series]?.[index];
    if (ready) return ready;
    if (!Array.isArray(data) || !tooltip) return "";
    const point: unknown = data[index];
    const value = typeof point === "object" && point !== null && "value" in point ? point.value : point;
    if (tooltip.fields) {
      const values = Array.isArray(value) ? (value as unknown[]) : [];
      return tooltip.fields.map(({ name, at, format }) => `${name} ${write({ place: "full", ...format }, values[at])}`).join(", ");
    }
    return write({ place: "full", ...tooltip.formats[series] }, last(value));
  }

  #leave(): void {
    this.#chart?.dispatchAction({ type: "downplay" });
    this.#chart?.dispatchAction({ type: "hideTip" });
  }

  /** Draws a second time, for paper: light, as large as it is there, sharp and all
   * on one canvas, since paper shows only the last of several. */
  print(now: boolean): void {
    this.querySelector(":scope > .chart-print")?.remove();
    delete this.dataset["theme"];
    if (!now || !this.#chart) return;
    this.dataset["theme"] = "light";
    const plan = this.#plan();
    if (!plan) return;
    const chart = init(document.createElement("div"), theme(this, false), { devicePixelRatio: 1, ...plan.size });
    // All of it now: what is left for later frames is not on the paper.
    chart.setOption({ ...plan.option, animation: false, progressive: 0 });
    const canvas = chart.renderToCanvas({ pixelRatio: 2 });
    canvas.className = "chart-print";
    this.append(canvas);
    chart.clear(); // its screen is not painted on in later frames
    chart.dispose();
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

/** A text that a point carries under a name; empty without one. */
function text(point: unknown, name: string): string {
  const value = typeof point === "object" && point !== null ? (point as Option)[name] : undefined;
  return typeof value === "string" ? value : "";
}

function rowsOf(point: unknown): { name: string; text: string }[] | undefined {
  const rows = typeof point === "object" && point !== null ? (point as Option)["rows"] : undefined;
  return Array.isArray(rows) ? (rows as { name: string; text: string }[]) : undefined;
}

/** A line of the tooltip. Names are text, whatever is in them. */
function tipRow(colour: unknown, name: string, said: string): HTMLElement {
  const row = document.createElement("div");
  const mark = document.createElement("i");
  if (typeof colour === "string") mark.style.background = colour;
  const label = document.createElement("span");
  label.textContent = name;
  const figure = document.createElement("span");
  figure.className = "num";
  figure.textContent = said;
  row.append(mark, label, figure);
  return row;
}

/** Widens an axis as far as the reference lines on it. */
function widen(axis: Option): void {
  const include = axis["include"];
  delete axis["include"];
  if (!Array.isArray(include) || include.length === 0) return;
  const [low, high] = [Math.min(...(include as number[])), Math.max(...(include as number[]))];
  const room = (from: number, to: number): number => to + (to - from) * 0.06;
  axis["max"] ??= (ends: { min: number; max: number }) => (high > ends.max ? room(Math.min(ends.min, 0), high) : null);
  axis["min"] ??= (ends: { min: number; max: number }) => (low < ends.min && low < 0 ? room(ends.max, low) : low < ends.min && axis["scale"] ? room(ends.max, low) : null);
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

// The size on paper is known once the page is laid out for it, where a browser tells.
const paper = matchMedia("print");
const print = (now: boolean): void => document.querySelectorAll<Chart>("df-chart:not([renderer=svg])").forEach((chart) => chart.print(now));
paper.addEventListener("change", () => print(paper.matches));
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(paper.matches));
