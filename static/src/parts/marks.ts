// What can be done with a mark of a widget: the menu of the right button (or of
// the menu key, or of a press on the one figure of a KPI), which the server
// writes, and the stretch of a time axis that becomes the date range.
//
//   contextmenu on a chart, a map, a row of a table or a figure   opens #mark-menu
//   I within a widget                                       explains what the keyboard is at
//   dragging across a chart with df.brush                   fires df:range
import htmx from "htmx.org";
import type { Chart } from "../charts.ts";
import { bucketEnd, dayText, momentText, nearest } from "./buckets.ts";

const pull = 6; // pixels from which on a press is a drag

export function listen(root: HTMLElement, signal: AbortSignal): void {
  root.addEventListener("contextmenu", (event) => open(root, event), { signal });
  root.addEventListener("keydown", (event) => key(root, event), { signal });
  root.addEventListener("click", (event) => {
    const figure = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-value-menu]") : null;
    if (figure && !figure.closest("df-editor")) void show(root, figure, "", event);
  }, { signal });
  root.addEventListener("pointerdown", (event) => brush(root, event), { signal });
}

function chartOf(target: EventTarget | null): Chart | undefined {
  return target instanceof Element ? (target.closest<Chart>("df-chart") ?? undefined) : undefined;
}

/** The mark at a place of the page; empty for the widget as a whole. */
function markAt(target: Element, at: MouseEvent | undefined): string {
  const chart = chartOf(target);
  if (chart) {
    const pointed = chart.pointed || (at ? "" : chart.reached);
    chart.pointed = "";
    return pointed || (at ? categoryAt(chart, at) || momentAt(chart, at) : "");
  }
  const map = target.closest<HTMLElement>("df-map");
  if (map) return map.dataset["pointed"] ?? "";
  return target.closest("tr")?.querySelector<HTMLElement>("[data-mark]")?.dataset["mark"] ?? target.closest<HTMLElement>("[data-mark]")?.dataset["mark"] ?? "";
}

/** Beside a bar, its category is meant. */
function categoryAt(chart: Chart, at: MouseEvent): string {
  const marks = chart.drawing?.df?.marks;
  if (marks?.by !== "data" || marks.values.length === 0) return "";
  const lying = (chart.drawing?.option["yAxis"] as { type?: string } | undefined)?.type === "category";
  if (!lying && (chart.drawing?.option["xAxis"] as { type?: string } | undefined)?.type !== "category") return "";
  const box = chart.getBoundingClientRect();
  const place: unknown = lying ? chart.chart?.convertFromPixel({ yAxisIndex: 0 }, at.clientY - box.top) : chart.chart?.convertFromPixel({ xAxisIndex: 0 }, at.clientX - box.left);
  return typeof place === "number" ? (marks.values[Math.round(place)] ?? "") : "";
}

/** Lines have no marks: the nearest point on the time axis stands for one. */
function momentAt(chart: Chart, at: MouseEvent): string {
  const grain = chart.drawing?.df?.brush?.grain;
  const points = pointsOf(chart);
  const place = placeOf(chart, at.clientX);
  if (!grain || points.length === 0 || place === undefined) return "";
  return momentText(nearest(points, place), grain);
}

/** The moments of a chart's time axis; none where it has categories. */
function pointsOf(chart: Chart): number[] {
  const series = chart.drawing?.option["series"];
  const first: unknown = Array.isArray(series) ? series[0] : undefined;
  const data: unknown = typeof first === "object" && first !== null ? (first as { data?: unknown }).data : undefined;
  if (!Array.isArray(data) || chart.drawing?.df?.marks) return [];
  return (data as unknown[]).map((point) => Number(Array.isArray(point) ? point[0] : NaN)).filter((value) => !Number.isNaN(value));
}

function placeOf(chart: Chart, x: number): number | undefined {
  const place: unknown = chart.chart?.convertFromPixel({ xAxisIndex: 0 }, x - chart.getBoundingClientRect().left);
  return typeof place === "number" && Number.isFinite(place) ? place : undefined;
}

function open(root: HTMLElement, event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  const body = target?.closest<HTMLElement>(".w-body");
  if (!target || !body || target.closest("df-editor:not([preview])")) return;
  event.preventDefault();
  // A key has no place: clientX is then that of the element.
  const byKey = event.button !== 2;
  void show(root, target, markAt(target, byKey ? undefined : event), event);
}

function key(root: HTMLElement, event: KeyboardEvent): void {
  const target = event.target instanceof HTMLElement ? event.target : null;
  if (!target || target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("[data-value-menu]") && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    void show(root, target, "", undefined);
    return;
  }
  const widget = target.closest<HTMLElement>("section[data-widget]");
  if (event.key.toLowerCase() !== "i" || event.shiftKey || !widget || !widget.querySelector(".w-body")) return;
  event.preventDefault();
  explain(root, target, markAt(target, undefined));
}

function address(root: HTMLElement, target: Element, what: string, mark: string): string | undefined {
  const widget = target.closest<HTMLElement>("section[data-widget]")?.dataset["widget"];
  if (!widget) return undefined;
  const query = new URLSearchParams(location.search);
  if (mark) query.set("mark", mark);
  return `${root.getAttribute("path") ?? location.pathname}/widgets/${encodeURIComponent(widget)}/${what}?${query.toString()}`;
}

function explain(root: HTMLElement, target: Element, mark: string): void {
  const url = address(root, target, "explain", mark);
  const dialog = document.getElementById("explain-dialog");
  if (!url || !(dialog instanceof HTMLDialogElement)) return;
  void htmx.ajax("GET", url, { source: root, target: "#explain", swap: "innerHTML" });
  if (!dialog.open) dialog.showModal();
}

/** Asks what can be done, and shows it where the pointer or the element is. */
async function show(root: HTMLElement, target: Element, mark: string, at: MouseEvent | undefined): Promise<void> {
  const menu = document.getElementById("mark-menu");
  const url = address(root, target, "actions", mark);
  if (!menu || !url) return;
  await htmx.ajax("GET", url, { source: menu, target: "#mark-menu", swap: "innerHTML" });
  if (!menu.firstElementChild) return;
  menu.showPopover();
  const box = menu.getBoundingClientRect();
  const around = target.getBoundingClientRect();
  const pointed = at !== undefined && at.button === 2;
  const [x, y] = pointed ? [at.clientX, at.clientY] : [around.left + Math.min(around.width / 2, 80), around.bottom - Math.min(around.height / 2, 12)];
  menu.style.margin = "0";
  menu.style.left = `${Math.max(8, Math.min(x, innerWidth - box.width - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(y, innerHeight - box.height - 8))}px`;
  const back = document.activeElement;
  const items = [...menu.querySelectorAll<HTMLElement>(".menu-item")];
  items[0]?.focus();
  const ended = new AbortController();
  menu.addEventListener("keydown", (event) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const now = items.indexOf(document.activeElement as HTMLElement);
    items[(now + step + items.length) % items.length]?.focus();
  }, { signal: ended.signal });
  menu.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest(".menu-item")) menu.hidePopover();
  }, { signal: ended.signal });
  menu.addEventListener("toggle", (event) => {
    if ((event as ToggleEvent).newState !== "closed") return;
    ended.abort();
    if (back instanceof HTMLElement && document.activeElement === document.body) back.focus();
  }, { signal: ended.signal });
}

/** A drag across a time axis chooses its days. */
function brush(root: HTMLElement, event: PointerEvent): void {
  const chart = chartOf(event.target);
  const grain = chart?.drawing?.df?.brush?.grain;
  if (!chart || !grain || event.button !== 0 || event.pointerType === "touch" || chart.closest("df-editor:not([preview])")) return;
  const box = chart.getBoundingClientRect();
  const begin = event.clientX;
  const ended = new AbortController();
  const { signal } = ended;
  let band: HTMLElement | undefined;
  addEventListener("pointermove", (move) => {
    if (!band && Math.abs(move.clientX - begin) < pull) return;
    if (!band) {
      band = document.createElement("i");
      band.className = "chart-band";
      document.body.append(band);
      getSelection()?.removeAllRanges();
    }
    const [left, right] = [Math.max(box.left, Math.min(begin, move.clientX)), Math.min(box.right, Math.max(begin, move.clientX))];
    Object.assign(band.style, { left: `${left}px`, top: `${box.top}px`, width: `${right - left}px`, height: `${box.height}px` });
  }, { signal });
  const end = (up: PointerEvent | undefined): void => {
    ended.abort();
    band?.remove();
    if (!band || !up) return;
    // The release is no click on the mark under it.
    addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true, signal: AbortSignal.timeout(100) });
    const range = daysBetween(chart, grain, Math.min(begin, up.clientX), Math.max(begin, up.clientX));
    if (range) root.dispatchEvent(new CustomEvent("df:range", { detail: range }));
  };
  addEventListener("pointerup", end, { signal });
  addEventListener("pointercancel", () => end(undefined), { signal });
  addEventListener("keydown", (press) => {
    if (press.key === "Escape") end(undefined);
  }, { signal });
}

/** The days of all points between two places, their buckets whole. */
function daysBetween(chart: Chart, grain: string, left: number, right: number): string | undefined {
  const [from, to] = [placeOf(chart, left), placeOf(chart, right)];
  if (from === undefined || to === undefined) return undefined;
  const points = pointsOf(chart);
  let inside: number[];
  if (points.length > 0) {
    inside = points.filter((point) => point >= from && point <= to);
    if (inside.length === 0) inside = [nearest(points, (from + to) / 2)];
  } else {
    const marks = chart.drawing?.df?.marks?.values ?? [];
    inside = marks.slice(Math.max(0, Math.round(from)), Math.round(to) + 1).map((mark) => Date.parse(`${mark.slice(0, 10)}T00:00:00Z`)).filter((value) => !Number.isNaN(value));
  }
  if (inside.length === 0) return undefined;
  return `${dayText(Math.min(...inside))}~${dayText(bucketEnd(Math.max(...inside), grain))}`;
}
