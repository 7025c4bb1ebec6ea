// Alerts on the widgets of a dashboard: a bell in the heads of those that are
// watched, and a rule on charts over time where an alert fired. Like comments
// they are no part of what is kept of the page: it asks for them once.
import type { Chart } from "../charts.ts";

interface Mark {
  widget: string;
  title: string;
  state: string;
  href: string;
  at: number[];
}

const seriesId = "alerts";

export function listen(root: HTMLElement, signal: AbortSignal): void {
  const href = document.getElementById("comments")?.dataset["marks"]?.replace(/\/comments\/marks$/, "/alerts");
  if (!href) return;
  let marks: Mark[] = [];
  const show = (): void => {
    for (const mark of marks) bell(root, mark);
  };
  const draw = (chart: Chart): void => {
    const widget = chart.dataset["widget"];
    const at = marks.filter((mark) => mark.widget === widget).flatMap((mark) => mark.at);
    if (at.length > 0) rules(chart, at);
  };
  root.addEventListener("df:drawn", (event) => {
    if (marks.length > 0 && event.target instanceof HTMLElement && event.target.localName === "df-chart") draw(event.target as Chart);
  }, { signal });
  document.addEventListener("htmx:after:swap", show, { signal });
  const ask = async (): Promise<void> => {
    const answer = await fetch(href, { signal });
    if (!answer.ok) return;
    marks = (await answer.json()) as Mark[];
    if (!marks.some((mark) => mark.at.length > 0)) return show();
    // The part of the charts that draws rules.
    const [{ use }, { extensions }] = await Promise.all([import("echarts/core"), import("./notes.ts")]);
    use(extensions);
    show();
    for (const chart of root.querySelectorAll<Chart>("df-chart[data-widget]")) draw(chart);
  };
  ask().catch((error: unknown) => {
    if (!signal.aborted) console.warn(error);
  });
}

function bell(root: HTMLElement, mark: Mark): void {
  const tile = root.querySelector<HTMLElement>(`[data-widget="${CSS.escape(mark.widget)}"]`);
  const head = tile?.querySelector<HTMLElement>(":scope > .w-head");
  // The menu of the widget has the same icon.
  const icon = tile?.querySelector('a[href^="/alerts/new"] svg');
  if (!head || !icon || head.querySelector(`.w-alert[href="${CSS.escape(mark.href)}"]`)) return;
  const link = document.createElement("a");
  link.className = "w-alert";
  link.href = mark.href;
  link.dataset["state"] = mark.state;
  link.title = mark.title;
  link.setAttribute("aria-label", mark.title);
  link.append(icon.cloneNode(true));
  head.insertBefore(link, head.querySelector(":scope > .w-names")?.nextSibling ?? null);
}

/** Draws a rule at each moment within the chart's axis of time. */
function rules(element: Chart, at: number[]): void {
  const chart = element.chart;
  const axis = first(element.drawing?.option["xAxis"]);
  if (!chart || axis?.["type"] !== "time") return;
  const drawn = chart.getOption()["series"] as { id?: string }[];
  if (drawn.some((series) => series.id === seriesId)) return;
  const colour = getComputedStyle(element).getPropertyValue("--df-neg");
  chart.setOption({
    series: [{
      id: seriesId, type: "line", data: [], silent: true, animation: false,
      markLine: {
        silent: true, symbol: "none", animation: false, label: { show: false }, lineStyle: { color: colour, width: 1.5, type: "solid", opacity: 0.7 },
        data: at.map((moment) => ({ xAxis: moment })),
      },
    }],
  });
}

function first(axis: unknown): Record<string, unknown> | undefined {
  const one: unknown = Array.isArray(axis) ? axis[0] : axis;
  return typeof one === "object" && one !== null ? (one as Record<string, unknown>) : undefined;
}
